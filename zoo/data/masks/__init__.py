"""A user's own images with a mask each: paired, looked at, cut into tiles and kept on disk."""
