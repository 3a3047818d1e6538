"""A user's own arrays, from `.npz` files."""
