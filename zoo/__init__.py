"""A Keras model zoo and deployment toolkit."""
