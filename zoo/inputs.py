"""Raw samples from files of any kind, as a model's contract says. Python 3.9 or later.

Standard library and numpy (>= 1.22) only: this file is copied into every TFLite bundle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

if __package__:
    from . import sound
    from .arrays import array_chunks
    from .chunks import Chunk
    from .images import IMAGE_SUFFIXES, image_chunk, picture_chunk
    from .interpreters import DataError
    from .masks import is_segmentation
    from .recordings import is_series, recording_chunks
    from .tabular import TABLE_SUFFIXES, open_table, table_chunks, table_suffixes
    from .texts import is_text, text_chunk, texts_chunks
else:
    import sound  # type: ignore[import-not-found,no-redef]
    from arrays import array_chunks  # type: ignore[import-not-found,no-redef]
    from chunks import Chunk  # type: ignore[import-not-found,no-redef]
    from images import IMAGE_SUFFIXES, image_chunk, picture_chunk  # type: ignore[import-not-found,no-redef]
    from interpreters import DataError  # type: ignore[import-not-found,no-redef]
    from masks import is_segmentation  # type: ignore[import-not-found,no-redef]
    from recordings import is_series, recording_chunks  # type: ignore[import-not-found,no-redef]
    from tabular import TABLE_SUFFIXES, open_table, table_chunks, table_suffixes  # type: ignore[import-not-found,no-redef]
    from texts import is_text, text_chunk, texts_chunks  # type: ignore[import-not-found,no-redef]


def read_inputs(paths: Sequence[str], contract: Mapping[str, Any], tell: Callable[[str], None]) -> Iterator[Chunk]:
    """Reads .npy, tables and image files in the order given, a chunk at a time.

    Args:
        paths: Of files.
        contract: With "input", "steps" and "output", as in bundle.json.
        tell: Told of columns that are not used.

    Raises:
        DataError: A file that is missing, of no known kind, or not what the model was trained on.
    """
    for path in paths:
        yield from _read(path, contract, tell)


def _read(path: str, contract: Mapping[str, Any], tell: Callable[[str], None]) -> Iterable[Chunk]:
    """One of them; otherwise as `read_inputs`."""
    suffix = Path(path).suffix.lower()
    if is_text(contract):
        return texts_chunks(path, contract) if suffix in TABLE_SUFFIXES[:2] else [text_chunk(path, contract)]
    if is_series(contract) and suffix in TABLE_SUFFIXES:
        return recording_chunks(path, contract)
    if suffix in table_suffixes(contract):
        reader = open_table(path, contract)
        if reader.extra:
            tell(f"{path}: columns not used: {', '.join(reader.extra)}")
        return table_chunks(reader, contract)
    if suffix == ".npy":
        return array_chunks(path, contract)
    if is_segmentation(contract) and suffix in IMAGE_SUFFIXES:
        return [picture_chunk(path, path)]
    if suffix in sound.SUFFIXES:
        return [sound.sound_chunk(path, path, contract)]
    if suffix not in IMAGE_SUFFIXES:
        raise DataError(f"{path} is of no known kind; expected .npy, .csv, .tsv, .wav or an image")
    return [image_chunk(path, contract)]
