"""WAV files as samples of one rate and one length: the same in training and on the device.

Standard library and numpy (>= 1.22) only, Python 3.9 or later: this file is copied into every TFLite bundle. Format:
Microsoft and IBM, "Multimedia programming interface and data specifications 1.0", 1991; WAVE_FORMAT_EXTENSIBLE.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

if __package__:
    from .chunks import Chunk, prepare
    from .interpreters import DataError
else:
    from chunks import Chunk, prepare  # type: ignore[import-not-found,no-redef]
    from interpreters import DataError  # type: ignore[import-not-found,no-redef]

SUFFIXES = (".wav", ".wave")
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
ZEROS = 16
"""Zero crossings of the resampling kernel on each side of its middle."""
FULL = 32768.0
"""Of 16-bit samples: what a float sample of 1 is."""
_AT_ONCE = 4096


class Sound(NamedTuple):
    """What a file holds.

    Attributes:
        samples: (n,) float32 from -1 to 1, the mean of its channels.
        rate: Samples a second.
        channels: How many it had.
    """

    samples: np.ndarray
    rate: int
    channels: int


def read_wav(path: Path | str) -> Sound:
    """Reads a WAV file of 8, 16, 24 or 32 bits or of floats.

    Raises:
        DataError: It is damaged, cut short, holds no samples, or is compressed.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise DataError(f"{path} is no WAV file; convert it to one of 16 bits")
    form, data = _form_and_data(content, path)
    kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", form[:16])
    if kind == EXTENSIBLE and len(form) >= 26:
        kind = struct.unpack("<H", form[24:26])[0]
    width = bits // 8
    if kind not in (PCM, FLOAT) or (kind, bits) not in _READ or not channels or not rate:
        raise DataError(f"{path} has samples of format {kind} with {bits} bits; convert it to a WAV file of 16 bits")
    whole = len(data) // (width * channels) * width * channels
    if not whole:
        raise DataError(f"{path} holds no sample; record it again or remove it")
    values = _READ[kind, bits](data[:whole]).reshape(-1, channels).mean(axis=1, dtype=np.float32)
    if not np.isfinite(values).all():
        raise DataError(f"{path} holds samples that are no numbers; record it again or remove it")
    return Sound(values, rate, channels)


def _form_and_data(content: bytes, path: Path | str) -> tuple[bytes, bytes]:
    """The chunks "fmt " and "data"; a last one that is cut short is refused, but for the size that streams write."""
    form = b""
    at = 12
    while at + 8 <= len(content):
        name, size = content[at : at + 4], struct.unpack("<I", content[at + 4 : at + 8])[0]
        body = content[at + 8 : at + 8 + size]
        if name == b"fmt " and len(body) >= 16:
            form = body
        if name == b"data":
            if not form:
                raise DataError(f"{path} has samples before their format; it is damaged, record it again")
            if len(body) < size and size < 0xFFFFF000:
                raise DataError(f"{path} is cut short: {len(body):,} of {size:,} bytes of samples; copy it again")
            return form, body
        at += 8 + size + size % 2
    raise DataError(f"{path} is a WAV file without samples; it is damaged, record it again")


def _of_24_bits(data: bytes) -> np.ndarray:
    parts = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.int32)
    values = parts[:, 0] | (parts[:, 1] << 8) | (parts[:, 2] << 16)
    return np.where(values >= 1 << 23, values - (1 << 24), values).astype(np.float32) / np.float32(1 << 23)


_READ: dict[tuple[int, int], Callable[[bytes], np.ndarray]] = {
    (PCM, 8): lambda data: (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128,
    (PCM, 16): lambda data: np.frombuffer(data, "<i2").astype(np.float32) / np.float32(FULL),
    (PCM, 24): _of_24_bits,
    (PCM, 32): lambda data: (np.frombuffer(data, "<i4") / 2.0**31).astype(np.float32),
    (FLOAT, 32): lambda data: np.frombuffer(data, "<f4").astype(np.float32),
    (FLOAT, 64): lambda data: np.frombuffer(data, "<f8").astype(np.float32),
}


def resample(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Samples at another rate: interpolation by a windowed sinc, below half the lower rate.

    J. O. Smith, "Digital audio resampling", https://ccrma.stanford.edu/~jos/resample/.

    Args:
        samples: (n,) float32.
        rate: Of them.
        wanted: Of the result.

    Returns:
        (round(n * wanted / rate),) float32.
    """
    if rate == wanted or not len(samples):
        return samples
    count = max(1, round(len(samples) * wanted / rate))
    share = min(1.0, wanted / rate)
    reach = math.ceil(ZEROS / share)
    padded = np.pad(samples.astype(np.float64), reach)
    made = np.empty(count, np.float32)
    for start in range(0, count, _AT_ONCE):
        places = np.arange(start, min(start + _AT_ONCE, count)) * (rate / wanted)
        first = np.floor(places).astype(np.int64)
        near = first[:, np.newaxis] + np.arange(-reach + 1, reach + 1)
        away = (near - places[:, np.newaxis]) * share
        kernel = np.sinc(away) * np.where(np.abs(away) < ZEROS, np.cos(np.pi * away / (2 * ZEROS)) ** 2, 0.0)
        kernel /= kernel.sum(axis=1, keepdims=True)
        made[start : start + len(places)] = (padded[near + reach] * kernel).sum(axis=1)
    return made


def fit(samples: np.ndarray, length: int) -> np.ndarray:
    """The middle of a sound that is longer, a shorter one with silence on both sides; (length,) int16."""
    more = len(samples) - length
    if more > 0:
        samples = samples[more // 2 : more // 2 + length]
    elif more < 0:
        samples = np.pad(samples, (-more // 2, -more - (-more // 2)))
    return np.clip(np.rint(samples * np.float32(FULL)), -FULL, FULL - 1).astype(np.int16)


def prepared(path: Path | str, step: Any) -> np.ndarray:
    """A file as the raw sample that the step "log_mel" takes, (length,) int16."""
    sound = read_wav(path)
    return fit(resample(sound.samples, sound.rate, int(step["rate"])), int(step["length"]))


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
        return Chunk([name], prepare(prepared(path, step)[np.newaxis], contract), {})
    except DataError as error:
        return Chunk([name], np.zeros((1, *contract["input"]["shape"]), np.float32), {0: str(error)})
