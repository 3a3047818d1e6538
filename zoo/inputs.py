"""Raw samples from files (tables, recordings, `.npy` arrays, images), as a model's contract says. Python 3.9 or later.

Standard library and numpy (>= 1.22) only, Pillow where there are images: this file is copied into every TFLite bundle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

if __package__:
    from . import histories, preprocessing, rows, sound
    from .interpreters import DataError, one_line
    from .masks import is_segmentation
else:
    import histories  # type: ignore[import-not-found,no-redef]
    import preprocessing  # type: ignore[import-not-found,no-redef]
    import rows  # type: ignore[import-not-found,no-redef]
    import sound  # type: ignore[import-not-found,no-redef]
    from interpreters import DataError, one_line  # type: ignore[import-not-found,no-redef]
    from masks import is_segmentation  # type: ignore[import-not-found,no-redef]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".data", ".tab")
ARRAY_ROWS = 2048
TEXTS_AT_ONCE = 512
MOST_PIXELS = 89_478_485
"""Of an image, in training and on the device: decoded, a larger one takes several hundred megabytes."""


class Chunk(NamedTuple):
    """Some inputs, in their order.

    Attributes:
        names: Of each: its file, with its row where the file holds several.
        samples: What the model is fed, (n, *shape); rows with a problem hold no meaning. Of a model that answers for
            every pixel one image as it is, (1, height, width) or (1, height, width, channels).
        problems: Position to what is wrong there, file and line or column named.
        kept: Of each, the text of the columns asked for.
        unseen: Column to cells whose category the training split did not hold.
        missing: Column to cells that are missing, and have their trained default.
        lines: Of each, the line of the file that it begins on; empty where the file is no table.
        sizes: Height and width of each image before the steps; empty where these are none.
    """

    names: list[str]
    samples: np.ndarray
    problems: Mapping[int, str]
    kept: Sequence[Sequence[str]] = ()
    unseen: Mapping[str, int] = {}
    missing: Mapping[str, int] = {}
    lines: Sequence[int] = ()
    sizes: Sequence[tuple[int, int]] = ()

    def place(self, at: int) -> str:
        """Where a sample stands, for messages: its file and line, or its name."""
        return f"{self.names[at].rpartition(':')[0]}, line {self.lines[at]}" if self.lines else self.names[at]


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
        return [sound_chunk(path, path, contract)]
    if suffix not in IMAGE_SUFFIXES:
        raise DataError(f"{path} is of no known kind; expected .npy, .csv, .tsv, .wav or an image")
    try:
        pixels = read_image(path)
        return [Chunk([path], prepare(pixels[np.newaxis], contract), {}, sizes=[image_size(pixels)])]
    except DataError as error:
        return [Chunk([path], np.zeros((1, *contract["input"]["shape"]), np.float32), {0: str(error)}, sizes=[(0, 0)])]


def image_size(pixels: np.ndarray) -> tuple[int, int]:
    """Height and width of one image."""
    return int(pixels.shape[0]), int(pixels.shape[1])


def picture_chunk(name: str, path: str | Path) -> Chunk:
    """An image as it is, for a model that answers for its pixels; what is wrong with it is its problem."""
    try:
        return Chunk([name], read_image(path)[np.newaxis], {})
    except DataError as error:
        return Chunk([name], np.zeros((1, 1, 1), np.uint8), {0: str(error)})


def is_series(contract: Mapping[str, Any]) -> bool:
    """Whether a model takes samples of a series."""
    return bool(contract["input"]["kind"] == "series")


def is_text(contract: Mapping[str, Any]) -> bool:
    """Whether a model takes texts."""
    return bool(contract["input"]["kind"] == "text")


def table_suffixes(contract: Mapping[str, Any]) -> tuple[str, ...]:
    """Endings of files that are read as tables; of a model that takes none, those that can be nothing else."""
    return TABLE_SUFFIXES if contract["input"]["kind"] == "table" else TABLE_SUFFIXES[:2]


def prepare(raw: np.ndarray, contract: Mapping[str, Any]) -> np.ndarray:
    """Raw samples after the recorded steps, first axis the batch.

    Raises:
        DataError: They are not what the model was trained on.
    """
    try:
        return preprocessing.apply(contract["steps"], raw)
    except ValueError as error:
        raise DataError(f"the samples do not fit the model: {error}") from error


def encoding(contract: Mapping[str, Any]) -> Mapping[str, Any]:
    """The step that says what the columns of a table mean; empty where all are plain numbers."""
    return next((step for step in contract["steps"] if step["step"] == "encode"), {})


def open_table(path: str | Path, contract: Mapping[str, Any], keep: Sequence[str] = ()) -> rows.TableReader:
    """A table opened for the columns that a model takes; the target and those to keep may stand there too.

    Raises:
        DataError: It cannot be read, or a column is missing.
    """
    expected, output = contract["input"], contract["output"]
    if expected["kind"] != "table":
        raise DataError(
            f"{path} is a table; the model takes {expected['kind']} samples of shape {tuple(expected['shape'])}"
        )
    step = encoding(contract)
    names = list(expected.get("columns") or [])
    plain = [{"name": name, "type": "number"} for name in names] or [{"type": "number"}] * expected["shape"][0]
    targets = output.get("target") or (output.get("labels") if output["task"] in ("regression", "multilabel") else ())
    return rows.TableReader(
        path,
        step.get("columns") or plain,
        missing=step.get("missing") or (),
        optional=[*(targets or ()), *keep],
    )


def table_chunks(reader: rows.TableReader, contract: Mapping[str, Any], keep: Sequence[str] = ()) -> Iterator[Chunk]:
    """The rows of a table; raises DataError where it has none, or cannot be read to the end."""
    positions = [reader.header.index(name) for name in keep]
    columns = [str(column["name"]) for column in encoding(contract).get("columns") or ()]
    number = 1
    for block in reader:
        names = [f"{reader.path}:{number + row}" for row in range(len(block.lines))]
        number += len(names)
        samples = prepare(block.raw, contract)
        yield Chunk(
            names,
            samples,
            block_problems(block, samples, reader, contract),
            [[cells[at] if at < len(cells) else "" for at in positions] for cells in block.cells] if positions else (),
            {name: int(count) for name, count in zip(columns, block.unseen) if count},
            {name: int(count) for name, count in zip(columns, block.missing) if count},
            block.lines,
        )
    if number == 1:
        raise DataError(f"{reader.path} has a header and no rows; give at least one row")


def block_problems(
    block: rows.Block, samples: np.ndarray, reader: rows.TableReader, contract: Mapping[str, Any]
) -> dict[int, str]:
    """What is wrong with rows, in their order.

    So is a missing cell, where the model was trained on plain numbers, and a number that is infinite after the steps.

    Args:
        block: Of the reader.
        samples: The block after the steps, (rows, features).
        reader: Of the table.
        contract: As of `read_inputs`.
    """
    problems = dict(block.problems)
    if not encoding(contract):
        for row, column in np.argwhere(np.isnan(block.raw)).tolist():
            name = (contract["input"].get("columns") or reader.header)[column]
            where = f"{reader.path}, line {block.lines[row]}, column {name!r}"
            problems.setdefault(row, f"{where}: the value is missing; give a number")
    names, columns = contract["input"].get("columns") or reader.header, _feature_columns(contract, samples.shape[1])
    for row, feature in np.argwhere(~np.isfinite(samples)).tolist():
        column = columns[feature]
        where = f"{reader.path}, line {block.lines[row]}, column {names[column]!r}"
        problems.setdefault(row, f"{where}: {block.raw[row, column]:g} is too large for the model")
    return dict(sorted(problems.items()))


def _feature_columns(contract: Mapping[str, Any], features: int) -> list[int]:
    """Of each feature the raw column that it is made from."""
    step = encoding(contract)
    if not step:
        return list(range(features))
    widths = [len(preprocessing.feature_names({**step, "columns": [column]})) for column in step["columns"]]
    return [at for at, width in enumerate(widths) for _ in range(width)]


def read_recording(path: str | Path, contract: Mapping[str, Any]) -> tuple[np.ndarray, dict[int, str]]:
    """A table of steps, (steps, channels) float32 with missing numbers filled, and what is wrong with some of them.

    Channels are found by their names; without a header, by their order.

    Raises:
        DataError: It cannot be read, has no steps, or lacks a channel.
    """
    expected = contract["input"]
    names = list(expected.get("columns") or [])
    plain = [{"type": "number"}] * expected["shape"][1]
    reader = rows.TableReader(path, [{"name": name, "type": "number"} for name in names] or plain)
    parts: list[np.ndarray] = []
    problems: dict[int, str] = {}
    for block in reader:
        before = sum(map(len, parts))
        problems.update({before + row: problem for row, problem in block.problems.items()})
        parts.append(block.raw)
    if not parts:
        raise DataError(f"{path} has a header and no rows; give at least one step")
    return preprocessing.between(np.concatenate(parts)), problems


def recording_chunks(path: str | Path, contract: Mapping[str, Any]) -> Iterator[Chunk]:
    """The windows of a recording, of a forecast the last of each series; raises DataError where it cannot be read."""
    if histories.horizon(contract):
        for history in histories.read_histories(path, contract):
            yield from window_chunks(history.name, history.values, history.problems, contract)
        return
    values, problems = read_recording(path, contract)
    yield from window_chunks(str(path), values, problems, contract)


def listening(contract: Mapping[str, Any]) -> Mapping[str, Any]:
    """The step that sounds are made features by; empty for a model that takes none."""
    return next((step for step in contract["steps"] if step["step"] == "log_mel"), {})


def sound_chunk(name: str, path: str | Path, contract: Mapping[str, Any]) -> Chunk:
    """The sample of a WAV file; what is wrong with it is its problem.

    Raises:
        DataError: The model takes no sounds.
    """
    step = listening(contract)
    if not step:
        raise DataError(f"{path} is a sound; the model takes {contract['input']['kind']} samples")
    try:
        return Chunk([name], prepare(sound.prepared(path, step)[np.newaxis], contract), {})
    except DataError as error:
        return Chunk([name], np.zeros((1, *contract["input"]["shape"]), np.float32), {0: str(error)})


def is_sentence(given: str) -> bool:
    """Whether what was given is a text itself, and not the name of a file."""
    try:
        exists = Path(given).exists()
    except OSError:  # it is longer than a path can be
        exists = False
    return not exists and (any(map(str.isspace, given)) or not Path(given).suffix)


def text_chunk(given: str, contract: Mapping[str, Any], name: str = "") -> Chunk:
    """The text of a file, or what was given where that is a sentence; an empty one is a problem.

    Raises:
        DataError: A file that is missing, or no text.
    """
    text = given
    if not is_sentence(given):
        try:
            text = Path(given).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{given} cannot be read as UTF-8 text: {one_line(error)}") from error
    return _texts([name or given], [text], contract)


def texts_chunks(path: str | Path, contract: Mapping[str, Any], keep: Sequence[str] = ()) -> Iterator[Chunk]:
    """The texts of a table; raises DataError where it cannot be read or lacks the column."""
    with rows.open_text(Path(path)) as file:
        names = list(contract["input"].get("columns") or ())
        delimiter = rows.sniff_texts(rows.first_lines(file, Path(path)), names)
        file.seek(0)
        records = rows.text_records(file, Path(path), delimiter)
        line, first = next(records, (0, []))
        header = [cell.strip() for cell in first]
        if not header:
            raise DataError(f"{path} is empty; expected a row for each text")
        at, headed = _text_position(header, names, path)
        positions = [_position(name, header, path) for name in keep]
        block: list[tuple[int, list[str]]] = [] if headed else [(line, first)]
        number = 1
        for record in records:
            block.append(record)
            if len(block) == TEXTS_AT_ONCE:
                yield _block_of_texts(path, block, at, positions, number, contract)
                number, block = number + len(block), []
        if block:
            yield _block_of_texts(path, block, at, positions, number, contract)
        elif number == 1:
            raise DataError(f"{path} has a header and no rows; give at least one text")


def _text_position(header: Sequence[str], names: Sequence[str], path: str | Path) -> tuple[int, bool]:
    """Where the texts stand, and whether the first line is a header."""
    if names and names[0] in header:
        return header.index(names[0]), True
    if len(header) == 1:
        return 0, False
    made_up = rows.made_up(0)[:-1]
    if names and names[0].startswith(made_up) and names[0][len(made_up) :].isdigit():
        at = int(names[0][len(made_up) :]) - 1
        if at < len(header):
            return at, False
    wanted = names[0] if names else "text"
    raise DataError(f"{path} lacks column {wanted!r}; it has {rows.short(header)}")


def _position(name: str, header: Sequence[str], path: str | Path) -> int:
    if name not in header:
        raise DataError(f"{path} has no column {name!r} to keep; it has {rows.short(header)}")
    return header.index(name)


def _block_of_texts(
    path: str | Path,
    block: Sequence[tuple[int, list[str]]],
    at: int,
    positions: Sequence[int],
    number: int,
    contract: Mapping[str, Any],
) -> Chunk:
    chunk = _texts(
        [f"{path}:{number + row}" for row in range(len(block))],
        [cells[at] if at < len(cells) else "" for _, cells in block],
        contract,
    )
    kept = [[cells[place] if place < len(cells) else "" for place in positions] for _, cells in block]
    return chunk._replace(kept=kept if positions else (), lines=[line for line, _ in block])


def _texts(names: Sequence[str], texts: Sequence[str], contract: Mapping[str, Any]) -> Chunk:
    samples = prepare(np.array(list(texts), object), contract)
    problems = {at: f"{names[at]}: the text is empty" for at, text in enumerate(texts) if not text.strip()}
    unknown = int((samples == preprocessing.UNKNOWN).sum())
    return Chunk(list(names), samples, problems, unseen={"words": unknown} if unknown else {})


def window_chunks(
    name: str, values: np.ndarray, problems: Mapping[int, str], contract: Mapping[str, Any]
) -> Iterator[Chunk]:
    """A recording cut as the training data were.

    Args:
        name: Of the recording.
        values: (steps, channels) float32.
        problems: Step to what is wrong with it; so are the windows that it stands in.
        contract: As of `read_inputs`.
    """
    steps = int(contract["input"]["shape"][0])
    hop = int(contract["input"].get("hop") or steps)
    samples = preprocessing.windows(values, steps, hop)
    single = len(samples) == 1
    for start in range(0, len(samples), ARRAY_ROWS):
        raw = samples[start : start + ARRAY_ROWS]
        first = [(start + at) * hop for at in range(len(raw))]
        names = [name if single else f"{name}:{at + 1}-{at + steps}" for at in first]
        found = (
            {
                at: next(problems[step] for step in range(low, low + steps) if step in problems)
                for at, low in enumerate(first)
                if any(step in problems for step in range(low, low + steps))
            }
            if problems
            else {}
        )
        if len(values) < steps and not any(step["step"] == "fill" for step in contract["steps"]):
            found[0] = f"{name} has {len(values)} steps, the model takes {steps}; give a longer recording"
        made = prepare(raw, contract)
        empty = {at: f"{names[at]} holds NaN or numbers too large for the model" for at in _not_finite(made)}
        yield Chunk(names, made, dict(sorted({**empty, **found}.items())))


def open_array(path: str | Path, contract: Mapping[str, Any]) -> tuple[np.ndarray, bool]:
    """A .npy file as a batch of raw samples, read when they are asked for, and whether it holds a single one.

    Of three axes, the last can be the channels of one image; else they are grey images.

    Raises:
        DataError: It cannot be read, or is neither a sample nor a batch of what the model takes.
    """
    shape, image = tuple(contract["input"]["shape"]), contract["input"]["kind"] == "image"
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path} is not a readable .npy array: {one_line(error)}") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "uifb":
        raise DataError(f"{path} does not hold numbers; expected a .npy array of one sample or a batch")
    raw = len(contract["input"].get("columns") or ()) if encoding(contract) else 0
    wanted = (raw,) if raw else shape
    if listening(contract):
        wanted = (int(listening(contract)["length"]),)
        if array.dtype.kind not in "iu":
            raise DataError(
                f"{path} holds {array.dtype}; expected 16-bit samples of sounds, (x * 32767).astype('int16')"
            )
    single = array.ndim == len(wanted)
    if image:
        single = array.ndim == 2 or (array.ndim == 3 and (array.shape == shape or array.shape[-1] in (1, 2, 3, 4)))
    batch = array[np.newaxis] if single else array
    if is_series(contract) and single and array.shape[1] == wanted[1]:
        return batch, len(array) <= wanted[0]  # a recording of its own length
    fits = batch.ndim in (3, 4) if image else batch.shape[1:] == wanted
    if not fits:
        raise DataError(f"{path} has shape {array.shape}; expected one sample of shape {wanted}, or a batch of them")
    if len(batch) == 0:
        raise DataError(f"{path} holds no samples (shape {array.shape}); give at least one")
    return batch, single


def array_chunks(path: str | Path, contract: Mapping[str, Any]) -> Iterator[Chunk]:
    """The samples of a .npy file, or the windows of a recording; raises DataError where they do not fit the model."""
    array, single = open_array(path, contract)
    if is_series(contract) and array.shape[1:] != tuple(contract["input"]["shape"]):
        last = histories.last_steps(array[0], contract) if histories.horizon(contract) else None
        values = preprocessing.between(array[0]) if last is None else last
        yield from window_chunks(str(path), values, {}, contract)
        return
    pictures = is_segmentation(contract)
    size = 1 if pictures else ARRAY_ROWS
    for start in range(0, len(array), size):
        raw = np.asarray(array[start : start + size])
        names = [str(path)] if single else [f"{path}:{start + row + 1}" for row in range(len(raw))]
        samples = raw if pictures else prepare(raw, contract)
        sizes = [image_size(raw[0])] * len(raw) if contract["input"]["kind"] == "image" else []
        yield Chunk(names, samples, array_problems(raw, samples, names, contract), sizes=sizes)


def array_problems(
    raw: np.ndarray, samples: np.ndarray, names: Sequence[str], contract: Mapping[str, Any]
) -> dict[int, str]:
    """Rows of an array with numbers that no model takes, raw or after the steps; in a table, NaN can be missing."""
    problems = {row: f"{names[row]} holds numbers too large for the model" for row in _not_finite(samples)}
    if raw.dtype.kind == "f":
        wrong = np.isinf(raw) if encoding(contract) else ~np.isfinite(raw)
        bad = np.flatnonzero(wrong.reshape(len(raw), -1).any(axis=1)).tolist()
        problems.update({row: f"{names[row]} holds NaN or infinite values" for row in bad})
    return dict(sorted(problems.items()))


def _not_finite(samples: np.ndarray) -> list[int]:
    if samples.dtype.kind != "f":
        return []
    found: list[int] = np.flatnonzero(~np.isfinite(samples).reshape(len(samples), -1).all(axis=1)).tolist()
    return found


def read_image(path: str | Path) -> np.ndarray:
    """Pixels of an image file, turned as its EXIF data say; of an animation the first frame.

    Returns:
        (height, width) or (height, width, channels) uint8; channels are grey and alpha, RGB, or RGB and alpha. Deeper
        pixels are brought to 8 bits.

    Raises:
        DataError: The file is damaged, no image, or larger than `MOST_PIXELS`; or Pillow is not installed.
    """
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError as error:
        raise DataError(f"{path} is an image, which needs Pillow: pip install pillow, or give a .npy file") from error
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise DataError(_too_large(path, f"{opened.width:,} x {opened.height:,}"))
            image = ImageOps.exif_transpose(opened)
            if image.mode in ("I", "F") or image.mode.startswith("I;16"):
                return _to_bytes(np.asarray(image), path, deep=image.mode.startswith("I;16"))
            if image.mode not in ("L", "LA", "RGB", "RGBA"):
                image = image.convert(_plain_mode(image))
            return np.asarray(image, np.uint8)
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is not an image that Pillow knows; convert it to PNG or JPEG") from error
    except Image.DecompressionBombError as error:
        raise DataError(_too_large(path, f"more than {2 * MOST_PIXELS:,}")) from error
    except (DataError, MemoryError):
        raise
    except Exception as error:  # Pillow raises anything over damaged bytes
        raise DataError(f"image {path} cannot be read: {one_line(error)}; replace the file") from error


def _too_large(path: str | Path, pixels: str) -> str:
    return f"image {path} is too large, {pixels} pixels; expected at most {MOST_PIXELS:,}, make it smaller"


def _plain_mode(image: Any) -> str:
    """Grey for black and white, RGBA for a palette with transparency, else RGB."""
    if image.mode == "1":
        return "L"
    return "RGBA" if image.mode in ("PA", "RGBa") or "transparency" in image.info else "RGB"


def _to_bytes(pixels: np.ndarray, path: str | Path, *, deep: bool) -> np.ndarray:
    """16-bit grey as 8-bit grey; modes "I" and "F" do not tell their range, so values up to 255 stay as they are."""
    low, high = float(pixels.min(initial=0)), float(pixels.max(initial=0))
    if not (np.isfinite(low) and np.isfinite(high)) or low < 0 or high > 65535:
        raise DataError(f"image {path} has pixels of {low:g} to {high:g}; expected 8 or 16 bits, convert it to PNG")
    divisor = 257.0 if deep or high > 255 else 1.0
    return np.rint(pixels / divisor).astype(np.uint8)
