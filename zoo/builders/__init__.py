"""Builders of Keras models: one family per file, resolved by name."""

from zoo.builders.builder import BUILDERS, Builder, declare, get_builder

__all__ = ["BUILDERS", "Builder", "declare", "get_builder"]
