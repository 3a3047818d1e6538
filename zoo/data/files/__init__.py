"""Folders and lists of files, one sample each: which there are, and what is said about them."""
