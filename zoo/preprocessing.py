"""The steps before the model, in training and on the device: standard library and numpy (1.22 or later) only.

This file is copied into every bundle. A step is a mapping `{"step": name, ...}` of plain JSON values, so that the
same list is written into the run, into the bundle and into the C sources.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

Step = Mapping[str, Any]


def apply(steps: Sequence[Step], samples: np.ndarray) -> np.ndarray:
    """Runs the recorded steps over a batch of raw samples.

    Args:
        steps: As recorded; see the functions of this module for their keys.
        samples: Raw samples, first axis the batch.

    Returns:
        What the model is fed, first axis the batch; infinite where a number is too large for float32.

    Raises:
        ValueError: An unknown step, or samples whose shape a step refuses.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is infinite, and its row refused by the reader
        for step in steps:
            function = STEPS.get(step["step"])
            if function is None:
                raise ValueError(
                    f"preprocessing step {step['step']!r} is unknown; there are: {', '.join(sorted(STEPS))}"
                )
            samples = function(samples, step)
    return samples


MAX_VALUES = 64
"""Values of a category that get a feature each: the most frequent."""

LEAST_SEEN = 2
"""Rows of the training split that a category's value needs for a feature of its own."""

SKEW = 1.0
"""Numbers with a longer tail than this (third standardised moment) are fed by their logarithm."""


def fit_encode(
    schema: Sequence[Mapping[str, Any]], rows: np.ndarray, missing: Sequence[str] = (), adapt: bool = False
) -> Dict[str, Any]:
    """Fits the step that turns raw table rows into numbers a model can take.

    Args:
        schema: A mapping for each raw column: "name", "type" ("number", "category" with "values", or "date" with
            "formats"), and whatever else `zoo.rows.convert` reads.
        rows: Raw rows of the training split, (n, columns) float64; see `zoo.rows`.
        missing: Cells that mean missing besides the usual ones, kept for whoever reads files.
        adapt: Takes the logarithm of numbers of at least 0 with a long tail, and leaves a category only the values
            that were seen `LEAST_SEEN` times, the `MAX_VALUES` most frequent; rows then need `recode` before `encode`.

    Returns:
        The step; each of its columns has a "fill" (median of a number or a date) and says with "indicator" whether
        training rows were missing, which makes a feature of its own. "log" is what numbers are divided by before
        log(1 + x). A date without "elapsed" in the schema, or with true, has elapsed days among its "parts".
    """
    columns = []
    for column, values in zip(schema, np.asarray(rows, np.float64).T):
        known = values[~np.isnan(values)]
        fitted = {**column, "indicator": bool(known.size < values.size)}
        if column["type"] != "category":
            fitted["fill"] = float(np.median(known)) if known.size else 0.0
        if column["type"] == "date":
            elapsed = fitted.pop("elapsed", True)
            parts = [name for name in _PARTS if np.unique(_PARTS[name](known)).size > 1]
            fitted["parts"] = [name for name in parts if elapsed or name != "days"]
        if adapt and column["type"] == "category":
            fitted["values"] = _frequent(column["values"], known)
        if adapt and column["type"] == "number" and _has_tail(known):
            fitted["log"] = float(np.median(known[known > 0]))
        columns.append(fitted)
    return {"step": "encode", "columns": columns, "missing": list(missing)}


def _frequent(values: Sequence[str], codes: np.ndarray) -> List[str]:
    """The values worth a feature, in their order; at least one."""
    counts = np.bincount(codes[codes >= 0].astype(np.int64), minlength=len(values))
    order = np.argsort(-counts, kind="stable")[:MAX_VALUES]
    kept = [code for code in order if counts[code] >= LEAST_SEEN] or order[:1].tolist()
    return [values[code] for code in sorted(kept)]


def _has_tail(values: np.ndarray) -> bool:
    """Whether numbers of at least 0 have a long tail that the logarithm shortens."""
    if values.size < 3 or values.min() < 0 or values.max() <= 1:
        return False
    logarithm = np.log1p(values / np.median(values[values > 0]))
    return _skewness(values) > SKEW and abs(_skewness(logarithm)) < _skewness(values)


def _skewness(values: np.ndarray) -> float:
    deviation = values.std()
    return float((((values - values.mean()) / deviation) ** 3).mean()) if deviation > 0 else 0.0


def recoding(schema: Sequence[Mapping[str, Any]], step: Step) -> List[Optional[np.ndarray]]:
    """For each column of raw rows, what a category's code in the schema is in the step; None where nothing changes."""
    tables: List[Optional[np.ndarray]] = []
    for column, fitted in zip(schema, step["columns"]):
        same = column["type"] != "category" or list(column["values"]) == list(fitted["values"])
        codes = {value: code for code, value in enumerate(fitted.get("values", ()))}
        tables.append(None if same else np.array([*(codes.get(value, -1) for value in column["values"]), -1], float))
    return tables


def recode(rows: np.ndarray, tables: Sequence[Optional[np.ndarray]]) -> np.ndarray:
    """Raw rows by a schema's categories as rows by a step's, see `recoding`; a copy where anything changes."""
    if all(table is None for table in tables):
        return rows
    changed = np.array(rows, np.float64)
    for at, table in enumerate(tables):
        if table is not None:
            known = ~np.isnan(changed[:, at])
            changed[known, at] = table[changed[known, at].astype(np.int64)]  # UNSEEN, -1, is the last
    return changed


def encode(samples: np.ndarray, step: Step) -> np.ndarray:
    """Raw table rows, (n, columns) float64, to features, (n, features) float64.

    A number is itself, its fill where it is missing; a category one feature for each of its values, all zero where it
    is unseen; a date elapsed days and what else `fit_encode` found in it. Missing cells of a column that had some in
    training add a feature that is 1 there.
    """
    if samples.ndim != 2 or samples.shape[1] != len(step["columns"]):
        raise ValueError(f"rows have shape {samples.shape}; expected (n, {len(step['columns'])})")
    rows = np.asarray(samples, np.float64)
    features = [part for column, values in zip(step["columns"], rows.T) for part in _encode(values, column)]
    return np.stack(features, axis=1) if features else np.zeros((len(rows), 0))


def feature_names(step: Step) -> List[str]:
    """Names of the features that `encode` makes, in order."""
    names = []
    for column in step["columns"]:
        name = column["name"]
        if column["type"] == "category":
            names += [f"{name}={value}" for value in column["values"]]
        elif column["type"] == "date":
            names += [f"{name} {part}" for part in column["parts"]]
        else:
            names.append(name)
        if column["indicator"]:
            names.append(f"{name} missing")
    return names


def _encode(values: np.ndarray, column: Mapping[str, Any]) -> List[np.ndarray]:
    absent = np.isnan(values)
    if column["type"] == "category":
        found = [(values == code).astype(np.float64) for code in range(len(column["values"]))]
    else:
        filled = np.where(absent, column["fill"], values)
        if column.get("log"):
            filled = np.log1p(np.maximum(filled, 0.0) / column["log"])
        found = [_PARTS[part](filled) for part in column["parts"]] if column["type"] == "date" else [filled]
    return [*found, absent.astype(np.float64)] if column["indicator"] else found


def _month(days: np.ndarray) -> np.ndarray:
    """Months since January 1970, whole."""
    return np.asarray(np.floor(days).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64))


_TURN = 2 * np.pi
_PARTS: Dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "days": lambda days: days,
    "month_sin": lambda days: np.sin(_TURN * (_month(days) % 12) / 12),
    "month_cos": lambda days: np.cos(_TURN * (_month(days) % 12) / 12),
    "weekday_sin": lambda days: np.sin(_TURN * ((np.floor(days) + 3) % 7) / 7),  # 1970-01-01 was a Thursday
    "weekday_cos": lambda days: np.cos(_TURN * ((np.floor(days) + 3) % 7) / 7),
    "hour_sin": lambda days: np.sin(_TURN * (days % 1)),
    "hour_cos": lambda days: np.cos(_TURN * (days % 1)),
}


CLIP = 4.0
"""Standard deviations from the mean beyond which a number says no more, and would coarsen an int8 input."""


def fit_standardise(samples: np.ndarray, plain: Sequence[int] = (), clip: bool = False) -> Dict[str, Any]:
    """Fits per-column standardisation on training samples, `x * scale + offset`.

    Args:
        samples: Float array, last axis the columns; rows with NaN do not count. A constant column keeps a scale of 1.
        plain: Columns that are left as they are, such as features of 0 and 1: a rare one, standardised, would be so
            large that the one scale of an int8 input left nothing for the others.
        clip: Clips at `CLIP` deviations where training samples go beyond.

    Returns:
        The step, with `scale` and `offset` per column, and the `clip` where there is one.
    """
    rows = np.asarray(samples, np.float64).reshape(-1, samples.shape[-1])
    rows = rows[~np.isnan(rows).any(axis=1)]
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    deviation = np.where(deviation < 1e-12 * np.maximum(np.abs(mean), 1.0), 1.0, deviation)
    scale = 1.0 / deviation
    offset = -mean * scale
    scale[list(plain)], offset[list(plain)] = 1.0, 0.0
    step = {"step": "standardise", "scale": scale.tolist(), "offset": offset.tolist()}
    moved = np.delete(rows * scale + offset, list(plain), axis=1)
    if clip and moved.size and np.abs(moved).max() > CLIP:
        step["clip"] = CLIP
    return step


def standardise(samples: np.ndarray, step: Step) -> np.ndarray:
    """`x * scale + offset` per column (last axis), clipped where the step says so, in float64; handed on as float32."""
    scale, offset = np.asarray(step["scale"], np.float64), np.asarray(step["offset"], np.float64)
    if samples.shape[-1] != scale.size:
        raise ValueError(f"samples have {samples.shape[-1]} columns, the model was trained on {scale.size}")
    moved = np.asarray(samples, np.float64) * scale + offset
    if step.get("clip"):
        moved = np.clip(moved, -step["clip"], step["clip"])
    return moved.astype(np.float32)


def image(samples: np.ndarray, step: Step) -> np.ndarray:
    """Pixels to uint8 (batch, height, width, channels): grey or colour as the model wants, resized bilinearly.

    Samples are (batch, height, width) or (batch, height, width, channels) with values of 0 to 255.
    """
    pixels = samples[..., np.newaxis] if samples.ndim == 3 else samples
    if pixels.ndim != 4:
        raise ValueError(f"images have shape {samples.shape}; expected (batch, height, width[, channels])")
    if pixels.dtype != np.uint8:
        if pixels.size and not (np.all(np.isfinite(pixels)) and pixels.min() >= 0 and pixels.max() <= 255):
            raise ValueError("pixel values are outside 0 to 255; give raw pixels, not scaled ones")
        if np.issubdtype(pixels.dtype, np.floating) and pixels.size and 0 < pixels.max() <= 1:
            raise ValueError("pixel values are at most 1; give raw pixels of 0 to 255, not scaled ones")
        pixels = np.rint(pixels).astype(np.uint8)
    return _resize(_channels(pixels, step["channels"]), step["height"], step["width"])


def _channels(pixels: np.ndarray, wanted: int) -> np.ndarray:
    """Drops alpha, then turns colour to grey (ITU-R 601 luma) or grey to colour."""
    have = pixels.shape[-1]
    if have in (2, 4):
        pixels, have = pixels[..., : have - 1], have - 1
    if have == wanted:
        return pixels
    if have == 3 and wanted == 1:
        grey = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
        return np.rint(grey)[..., np.newaxis].astype(np.uint8)
    if have == 1 and wanted == 3:
        return np.repeat(pixels, 3, axis=-1)
    raise ValueError(f"images have {have} channels; the model wants {wanted}")


_MANY_TIMES = 8
"""Images this many times higher than wanted are shrunk row by row (measured: three times as fast at 1500 to 96)."""


def _resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear with the triangle widened when shrinking, so that no pixel is skipped; unchanged where sizes agree."""
    if pixels.shape[1] >= _MANY_TIMES * height:
        pixels = _shrink_rows(pixels, _resize_weights(pixels.shape[1], height))
    for axis, size in ((1, height), (2, width)):
        if pixels.shape[axis] != size:
            weights = _resize_weights(pixels.shape[axis], size)
            moved = np.tensordot(pixels.astype(np.float32), weights, axes=([axis], [1]))  # the new axis comes last
            pixels = np.clip(np.rint(np.moveaxis(moved, -1, axis)), 0, 255).astype(np.uint8)
    return pixels


def _shrink_rows(pixels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """As the product with all weights, but of the few rows behind each new one: quicker, and in little memory."""
    shrunk = np.empty((len(pixels), len(weights), *pixels.shape[2:]), np.uint8)
    for row, line in enumerate(weights):
        used = np.flatnonzero(line)
        low, high = int(used[0]), int(used[-1]) + 1
        band = pixels[:, low:high].astype(np.float32).reshape(len(pixels), high - low, -1)
        shrunk[:, row] = np.clip(np.rint(line[low:high] @ band), 0, 255).reshape(shrunk[:, row].shape)
    return shrunk


def _resize_weights(old: int, new: int) -> np.ndarray:
    """A (new, old) matrix of triangle-filter weights, rows summing to 1."""
    ratio = old / new
    reach = max(ratio, 1.0)
    centres = (np.arange(new) + 0.5) * ratio - 0.5
    weights = np.maximum(0.0, 1.0 - np.abs(np.arange(old)[np.newaxis, :] - centres[:, np.newaxis]) / reach)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def invert_target(predictions: np.ndarray, output: Mapping[str, Any]) -> np.ndarray:
    """Model outputs in target units: `(y - offset) / scale` where a regression's targets were standardised.

    With "transform" log1p, what was standardised was log(1 + target). What is too large for float32 is infinite.
    """
    if not output.get("scale"):
        return predictions
    scale, offset = np.asarray(output["scale"], np.float64), np.asarray(output["offset"], np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        values = (predictions.astype(np.float64) - offset) / scale
        return (np.expm1(values) if output.get("transform") == "log1p" else values).astype(np.float32)


def between(values: np.ndarray) -> np.ndarray:
    """A recording's missing numbers as the straight line between their neighbours; at an end, the nearest number.

    Args:
        values: (steps, channels) float, NaN where a number is missing; a channel of NaN alone stays so.

    Returns:
        (steps, channels) float32.
    """
    filled, steps = np.array(values, np.float64), np.arange(len(values))
    for at in np.flatnonzero(np.isnan(filled).any(axis=0)):
        known = ~np.isnan(filled[:, at])
        if known.any():
            filled[:, at] = np.interp(steps, steps[known], filled[known, at])
    return filled.astype(np.float32)


def carried(values: np.ndarray) -> np.ndarray:
    """A recording's missing numbers as the last one before them: what is known when a forecast is made.

    Args:
        values: (steps, channels) float, NaN where a number is missing. Before a channel's first number stands that
            number; a channel of NaN alone stays so.

    Returns:
        (steps, channels) float32.
    """
    known = ~np.isnan(values)
    last = np.maximum.accumulate(np.where(known, np.arange(len(values))[:, np.newaxis], -1), axis=0)
    last = np.where(last < 0, known.argmax(axis=0), last)
    return np.take_along_axis(np.asarray(values, np.float64), last, axis=0).astype(np.float32)


def windows(values: np.ndarray, steps: int, hop: int) -> np.ndarray:
    """A recording cut into samples.

    A recording shorter than a sample is one, NaN before its first step: a recurrent network then ends on what was
    recorded. Of a longer one the steps after its last whole window are left out.

    Args:
        values: (steps, channels) float32.
        steps: Of a sample.
        hop: Steps between the beginnings of two samples.

    Returns:
        (samples, steps, channels) float32.
    """
    if len(values) < steps:
        absent = np.full((steps - len(values), values.shape[1]), np.nan, np.float32)
        return np.concatenate([absent, values])[np.newaxis]
    starts = range(0, len(values) - steps + 1, hop)
    return np.stack([values[start : start + steps] for start in starts]).astype(np.float32)


def fill(samples: np.ndarray, step: Step) -> np.ndarray:
    """The step's value where a sample has NaN, such as before the first step of a short recording."""
    return np.where(np.isnan(samples), np.float32(step["value"]), samples).astype(np.float32)


def log1p(samples: np.ndarray, step: Step) -> np.ndarray:
    """log(1 + x) of the step's "channels" (last axis), float64; what is below 0 counts as 0."""
    moved = np.array(samples, np.float64)
    chosen = list(step["channels"])
    moved[..., chosen] = np.log1p(np.maximum(moved[..., chosen], 0.0))
    return moved


LOWEST_HERTZ, HIGHEST_HERTZ = 20.0, 7600.0
"""Of the bands of `log_mel`; the highest is at most half the rate."""

QUIET = 1e-6
"""Added to the energy of a band before its logarithm: what silence is."""

_SOUNDS_AT_ONCE = 64


def make_log_mel(rate: int, length: int, *, frame: float, hop: float, bands: int) -> Dict[str, Any]:
    """The step that turns sounds into the logarithm of their energy by time and pitch.

    Args:
        rate: Samples a second.
        length: Samples of a sound.
        frame: Seconds that a row is made from.
        hop: Seconds between two rows.
        bands: Of pitch, equally wide in mel (O'Shaughnessy 1987).
    """
    return {
        "step": "log_mel",
        "rate": rate,
        "length": length,
        "frame": max(2, round(frame * rate)),
        "hop": max(1, round(hop * rate)),
        "bands": bands,
        "low": LOWEST_HERTZ,
        "high": min(HIGHEST_HERTZ, rate / 2),
    }


def log_mel_shape(step: Step) -> Tuple[int, int]:
    """Rows and bands of what `log_mel` makes of a sound."""
    return 1 + max(0, step["length"] - step["frame"]) // step["hop"], step["bands"]


def log_mel(samples: np.ndarray, step: Step) -> np.ndarray:
    """Sounds, (n, length) int16 or float of the same scale, to (n, rows, bands) float32: log of mel-band energies.

    Davis and Mermelstein, IEEE Trans. ASSP 28, 1980: frames under a Hann window, power spectrum, triangular bands.
    """
    if samples.ndim != 2 or samples.shape[1] != step["length"]:
        raise ValueError(f"sounds have shape {samples.shape}; expected (n, {step['length']})")
    rows, bands = log_mel_shape(step)
    size = 1 << (step["frame"] - 1).bit_length()
    window = np.hanning(step["frame"] + 1)[:-1]
    filters = _mel_filters(step, size)
    made = np.empty((len(samples), rows, bands), np.float32)
    for start in range(0, len(samples), _SOUNDS_AT_ONCE):
        sounds = samples[start : start + _SOUNDS_AT_ONCE].astype(np.float64) / 32768.0
        sounds = np.pad(sounds, ((0, 0), (0, max(0, step["frame"] - sounds.shape[1]))))
        frames = np.stack(
            [sounds[:, at * step["hop"] : at * step["hop"] + step["frame"]] for at in range(rows)], axis=1
        )
        power = np.abs(np.fft.rfft(frames * window, size)) ** 2  # (n, rows, size / 2 + 1)
        made[start : start + len(sounds)] = np.log(power @ filters + QUIET)
    return made


def _mel_filters(step: Step, size: int) -> np.ndarray:
    """(size / 2 + 1, bands) float64: triangles that touch their neighbours' middles."""

    def to_mel(hertz: np.ndarray) -> np.ndarray:
        return np.asarray(2595.0 * np.log10(1.0 + hertz / 700.0))

    ends = to_mel(np.array([step["low"], step["high"]]))
    middles = 700.0 * (10.0 ** (np.linspace(ends[0], ends[1], step["bands"] + 2) / 2595.0) - 1.0)
    hertz = np.arange(size // 2 + 1)[:, np.newaxis] * (step["rate"] / size)
    rising = (hertz - middles[:-2]) / (middles[1:-1] - middles[:-2])
    falling = (middles[2:] - hertz) / (middles[2:] - middles[1:-1])
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)))


PAD, UNKNOWN = 0, 1
"""Ids of what is no word: before a short text, and a word that the training texts hardly hold."""

NO_WORDS = ("<pad>", "<unknown>")
"""How these two are written in a list of words by id."""

LEAST_TEXTS = 2
"""Times that a word stands in the training texts to be known."""

_TAG = re.compile(r"<[a-zA-Z/!][^<>]{0,100}>")
_WORD = re.compile(r"\w+(?:['\u2019]\w+)*|[^\w\s]")


def words(text: str) -> List[str]:
    """The words and marks of a text in lower case, in order; tags such as `<br />` are no words."""
    return _WORD.findall(_TAG.sub(" ", text).lower())


def fit_tokenise(texts: Sequence[str], *, length: int, most: int) -> Dict[str, Any]:
    """Fits the step that turns texts into ids of words.

    Args:
        texts: Of the training split.
        length: Words of a sample; 0 for as many as 95 of 100 texts have, at most 256.
        most: Words that are known at most: the most frequent.
    """
    counts: Dict[str, int] = {}
    lengths = []
    for text in texts:
        found = words(text)
        lengths.append(len(found))
        for word in found:
            counts[word] = counts.get(word, 0) + 1
    known = sorted(
        (word for word, count in counts.items() if count >= LEAST_TEXTS), key=lambda word: (-counts[word], word)
    )
    fitting = int(np.ceil(np.percentile(lengths, 95))) if lengths else 1
    return {"step": "tokenise", "length": length or min(max(fitting, 1), 256), "vocabulary": known[:most]}


def tokenise(samples: np.ndarray, step: Step) -> np.ndarray:
    """Texts, (n,), to ids of their last words, (n, length) int32: `PAD` in front of a short one, `UNKNOWN`, words."""
    if samples.ndim != 1 or samples.dtype.kind not in "OU":
        raise ValueError(f"texts have shape {samples.shape} of {samples.dtype}; expected (n,) text")
    known = {word: at for at, word in enumerate(step["vocabulary"], start=UNKNOWN + 1)}
    made = np.full((len(samples), step["length"]), PAD, np.int32)
    for row, text in enumerate(samples):
        ids = [known.get(word, UNKNOWN) for word in words(str(text))[-step["length"] :]]
        if ids:
            made[row, -len(ids) :] = ids
    return made


STEPS: Dict[str, Callable[[np.ndarray, Step], np.ndarray]] = {
    "encode": encode,
    "standardise": standardise,
    "image": image,
    "fill": fill,
    "log1p": log1p,
    "log_mel": log_mel,
    "tokenise": tokenise,
}

__all__: List[str] = [
    "STEPS",
    "Step",
    "apply",
    "between",
    "carried",
    "encode",
    "feature_names",
    "fill",
    "fit_encode",
    "fit_standardise",
    "fit_tokenise",
    "image",
    "invert_target",
    "log1p",
    "log_mel",
    "log_mel_shape",
    "make_log_mel",
    "recode",
    "recoding",
    "standardise",
    "tokenise",
    "windows",
    "words",
]
