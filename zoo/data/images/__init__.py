"""A user's own images: folders and lists of them, scanned, checked, labelled and decoded once."""
