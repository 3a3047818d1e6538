"""Builders of Keras models: one family per file."""
