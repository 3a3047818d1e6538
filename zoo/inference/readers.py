"""What a user has, opened for a model: images, recordings, folders of them, tables, `.npy` arrays; read when needed."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from zoo import sound
from zoo.arrays import array_chunks, open_array
from zoo.chunks import Chunk
from zoo.errors import DataError, UsageError
from zoo.images import IMAGE_SUFFIXES, image_size, picture_chunk, read_image
from zoo.inference.contract import Contract
from zoo.recordings import is_series, recording_chunks
from zoo.registry import suggest
from zoo.rows import TableReader
from zoo.settings import cpu_count
from zoo.sound import listening, sound_chunk
from zoo.tabular import TABLE_SUFFIXES, open_table, table_chunks, table_suffixes
from zoo.texts import is_sentence, is_text, text_chunk, texts_chunks

IMAGES = (*IMAGE_SUFFIXES, ".ppm", ".pgm")
ARRAYS = (".npy",)
IMAGE_CHUNK = 32
AHEAD = 8
"""Images decoded ahead for each core: enough to keep it busy, little enough for the memory."""

LARGE_PIXELS = 16_000_000
"""Images above this are decoded one at a time, which bounds the memory."""

_one_large = threading.Lock()

KNOWN = (
    f"expected images ({', '.join(IMAGES)}), a folder of them, {', '.join(TABLE_SUFFIXES[:2])} or {', '.join(ARRAYS)}"
)


@dataclass(frozen=True)
class Item:
    """One file to read.

    Attributes:
        name: What its answers are called.
        form: "image", "table", "recording", "sound", "text", "texts" (a table of them) or "array".
    """

    name: str
    path: Path
    form: str


class Inputs:
    """Files opened for a model: their names, headers and shapes are checked, nothing more is read.

    Args:
        paths: Image files, folders of images, tables with a header, `.npy` arrays of one sample or a batch.
        contract: What the model takes.
        keep: Columns of the tables whose text goes along with each row.
        on_event: Told, in one line each, of what was not used.

    Attributes:
        items: The files, in the order given; those of a folder sorted. Where a folder is all there is, its images are
            named by their path inside it.
        extra: Columns that nobody asked for.
        total: Number of samples; None where only reading a table would tell.

    Raises:
        DataError: A file that is missing, of no known kind, or not what the model takes; a column that is missing.
        UsageError: Columns to keep, of what is no table.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        contract: Contract,
        *,
        keep: Sequence[str] = (),
        on_event: Callable[[str], None] | None = None,
    ) -> None:
        self._contract, self._described, self._keep = contract, contract.describe(), tuple(keep)
        tell = on_event or (lambda _: None)
        alone = len(paths) == 1
        self.items = [item for path in paths for item in _items_of(path, self._described, alone, tell)]
        self.extra: list[str] = []
        self._tables: dict[int, TableReader] = {}
        for at, item in enumerate(self.items):
            self._check(at, item, tell)
        counts = [self._count(item) for item in self.items]
        self.total = None if None in counts else sum(count or 0 for count in counts)

    def __iter__(self) -> Iterator[Chunk]:
        """Chunks of samples, ready for the model, in order.

        Raises:
            DataError: A table that cannot be read to its end.
        """
        numbered = enumerate(self.items)
        for form, group in groupby(numbered, key=lambda entry: entry[1].form):
            if form == "image" and self._contract.task == "segmentation":
                yield from (picture_chunk(item.name, item.path) for _, item in group)
                continue
            if form == "image":
                yield from _images([item for _, item in group], self._contract)
                continue
            for at, item in group:
                if form == "text":
                    yield text_chunk(str(item.path), self._described, item.name)
                elif form == "texts":
                    yield from texts_chunks(item.path, self._described, self._keep)
                elif form == "array":
                    yield from array_chunks(item.path, self._described)
                elif form == "sound":
                    yield sound_chunk(item.name, item.path, self._described)
                elif form == "recording":
                    yield from recording_chunks(item.path, self._described)
                else:
                    yield from table_chunks(self._tables[at], self._described, self._keep)

    def _check(self, at: int, item: Item, tell: Callable[[str], None]) -> None:
        contract = self._contract
        if item.form == "table":
            self._tables[at] = reader = open_table(item.path, self._described, self._keep)
            _check_kept(reader, self._keep)
            new = [name for name in reader.extra if name not in self.extra]
            self.extra += new
            if new:
                tell(f"{item.path}: columns not used: {', '.join(new)}")
            return
        if self._keep and item.form != "texts":
            raise UsageError(f"--keep copies columns of a table, {item.path} is none; leave it out")
        if item.form == "sound" and not listening(self._described):
            raise DataError(
                f"{item.path} is a sound; the model takes {contract.kind} samples of shape {contract.shape}"
            )
        if item.form == "image" and contract.kind != "image":
            wanted = ", ".join(contract.columns) or f"samples of shape {contract.shape}"
            raise DataError(f"{item.path} is an image; the model takes {wanted}: give a .csv or .npy file")

    def _count(self, item: Item) -> int | None:
        """Samples of a file; None where only reading it would tell."""
        if item.form in ("table", "recording", "texts"):
            return None
        if item.form in ("image", "sound", "text"):
            return 1
        array, single = open_array(item.path, self._described)
        whole = single or array.shape[1:] == self._contract.shape or self._contract.kind != "series"
        return len(array) if whole else None


def _check_kept(reader: TableReader, keep: Sequence[str]) -> None:
    for name in keep:
        if name not in reader.header:
            raise DataError(f"{reader.path} has no column {name!r} to keep{suggest(name, reader.header)}")
        if reader.header.count(name) > 1:
            raise DataError(f"{reader.path} has column {name!r} more than once; rename one to keep it")


def _items_of(given: str | Path, described: dict[str, Any], alone: bool, tell: Callable[[str], None]) -> list[Item]:
    """What was given as items: a sentence is one, and no path."""
    if is_text(described) and is_sentence(str(given)):
        return [Item(str(given), Path(given), "text")]
    return _items(Path(given), described, alone, tell)


def _items(path: Path, described: dict[str, Any], alone: bool, tell: Callable[[str], None]) -> list[Item]:
    if path.is_dir():
        return [
            Item(str(file.relative_to(path) if alone else file), file, form)
            for form, file in _files_of(path, described, tell)
        ]
    if not path.is_file():
        raise DataError(f"input {path} does not exist; {KNOWN}")
    suffix = path.suffix.lower()
    forms = {**_forms(described), "array": ARRAYS, "image": IMAGES}
    form = next((form for form, suffixes in forms.items() if suffix in suffixes), None)
    if form is None:
        raise DataError(f"input {path} is of no known kind; {KNOWN}")
    return [Item(str(path), path, form)]


def _forms(described: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """What tables are to a model: rows of samples, or the steps of a recording."""
    if is_text(described):
        return {"texts": TABLE_SUFFIXES[:2], "text": (".txt", ".text", ".md")}
    tables = {"recording": TABLE_SUFFIXES} if is_series(described) else {"table": table_suffixes(described)}
    return {**tables, "sound": sound.SUFFIXES}


def _files_of(folder: Path, described: dict[str, Any], tell: Callable[[str], None]) -> list[tuple[str, Path]]:
    """The samples of a folder and what each is: recordings and arrays for a series, else images."""
    if is_text(described):
        return [("text", file) for file in sample_files(folder, (".txt",), "text", tell)]
    if listening(described):
        return [("sound", file) for file in sample_files(folder, sound.SUFFIXES, "sound", tell)]
    if not is_series(described):
        return [("image", file) for file in sample_files(folder, IMAGES, "image", tell)]
    found = sample_files(folder, (*TABLE_SUFFIXES, *ARRAYS), "recording", tell)
    return [("array" if file.suffix.lower() in ARRAYS else "recording", file) for file in found]


def sample_files(folder: Path, suffixes: tuple[str, ...], noun: str, tell: Callable[[str], None]) -> list[Path]:
    """The files with these endings in a folder and in those in it, sorted; what is hidden is passed over.

    Links are followed as in training: no folder twice, so that none leads round in circles.

    Raises:
        DataError: There are none, or the folder cannot be read.
    """
    found: list[Path] = []

    def refuse(error: OSError) -> None:
        raise DataError(f"folder {error.filename} cannot be read: {error.strerror}; change its permissions") from error

    seen: set[str] = set()
    for inside, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(inside)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        found += [Path(inside, name) for name in files if not name.startswith(".")]
    entries = sorted(found)
    kept = [entry for entry in entries if entry.suffix.lower() in suffixes]
    if not kept:
        raise DataError(f"folder {folder} holds no {noun}s; {KNOWN}")
    if len(kept) < len(entries):
        tell(f"{folder}: {len(entries) - len(kept)} files are no {noun}s and were left out")
    return kept


_Decoded = Future[tuple[np.ndarray, tuple[int, int]]]
"""An image as the model takes it, and its height and width as it was given."""


def _images(items: Sequence[Item], contract: Contract) -> Iterator[Chunk]:
    """Images decoded by several threads, a few ahead of where they are needed, in order."""
    from threadpoolctl import threadpool_limits

    workers = cpu_count()
    waiting: deque[tuple[str, _Decoded]] = deque()
    ready: list[tuple[str, _Decoded]] = []
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    # Each thread multiplies alone: more BLAS threads would only fight for the cores.
    with threadpool_limits(1), warnings.catch_warnings(), contextlib.ExitStack() as stack:
        warnings.simplefilter("ignore")  # Pillow's, of odd metadata
        stack.callback(pool.shutdown, cancel_futures=True)
        for item in items:
            waiting.append((item.name, pool.submit(_decode, item.path, contract)))
            if len(waiting) == workers * AHEAD:
                ready.append(waiting.popleft())
            if len(ready) == IMAGE_CHUNK:
                yield _stack(ready, contract)
                ready = []
        ready += waiting
        for start in range(0, len(ready), IMAGE_CHUNK):
            yield _stack(ready[start : start + IMAGE_CHUNK], contract)


def _decode(path: Path, contract: Contract) -> tuple[np.ndarray, tuple[int, int]]:
    """One image as the model takes it, and the size it had; raises DataError where it is damaged."""
    try:
        with _one_large if _is_large(path) else contextlib.nullcontext():
            pixels = read_image(path)
            sample: np.ndarray = contract.prepare(pixels[np.newaxis])[0]
    except DataError as error:
        raise DataError(str(error) if str(path) in str(error) else f"image {path}: {error}") from error
    if sample.shape != contract.shape:
        raise DataError(f"image {path} has shape {sample.shape}; the model takes {contract.shape}")
    return sample, image_size(pixels)


def _is_large(path: Path) -> bool:
    """Whether an image has more pixels than should be decoded beside others; False where its header does not tell."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.width * image.height > LARGE_PIXELS
    except Exception:  # noqa: BLE001 - `read_image` says what is wrong with it
        return False


def _stack(ready: Sequence[tuple[str, _Decoded]], contract: Contract) -> Chunk:
    problems: dict[int, str] = {}
    sizes = [(0, 0)] * len(ready)
    samples = np.zeros((len(ready), *contract.shape), np.uint8)
    for at, (_, decoded) in enumerate(ready):
        try:
            samples[at], sizes[at] = decoded.result()
        except DataError as error:
            problems[at] = str(error)
    return Chunk([name for name, _ in ready], samples, problems, sizes=sizes)
