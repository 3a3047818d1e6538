"""Searches over declared hyperparameters."""
