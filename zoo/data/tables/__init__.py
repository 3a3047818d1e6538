"""A user's own tables: read twice with bounded memory, columns told apart, checked, turned into rows of numbers."""
