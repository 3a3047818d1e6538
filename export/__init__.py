"""From a run or any Keras model to something that ships."""
