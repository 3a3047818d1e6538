"""A user's own recordings: sensors, one row a step, a class for each recording or each stretch of it."""
