"""A user's own sounds: WAV files with a class each."""
