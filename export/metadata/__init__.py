"""Standard TFLite metadata inside a .tflite file, which other tools read: names, labels, how inputs are scaled.

The metadata is a flatbuffer of its own (`schema`), stored as a buffer of the model, and the files that it names, such
as labels, are a ZIP archive behind the model (`embedding`). Sources: `metadata_schema.fbs` of tflite-support 0.4.4, and
"Adding metadata to TensorFlow Lite models" on ai.google.dev.
"""

from __future__ import annotations

from export.metadata.reading import read_metadata as read_metadata
from export.metadata.writing import write_metadata as write_metadata

__all__ = ["read_metadata", "write_metadata"]
