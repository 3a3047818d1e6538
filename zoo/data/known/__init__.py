"""The sets known by name: their loaders, where their files lie, and their downloads."""
