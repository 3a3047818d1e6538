"""Data: one module per modality, downloads, embedded sets, splits."""
