"""A user's own texts: rows of a table or files, with a class each."""
