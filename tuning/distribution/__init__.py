"""Searches of many processes: a chief deals trials over keras-tuner's protocol, workers run them."""
