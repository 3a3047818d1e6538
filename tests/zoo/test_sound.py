"""WAV files: every width and count of channels, damage named, other rates brought to one."""

import struct
import wave

import numpy as np
import pytest

from zoo.errors import DataError
from zoo.preprocessing import log_mel, log_mel_shape, make_log_mel
from zoo.sound import fit, read_wav, resample

TONE = (0.5 * np.sin(np.arange(800) * 0.2)).astype(np.float32)


def chunk(name, body):
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def wav(path, data, *, kind=1, channels=1, rate=8000, bits=16, extensible=False, more=b""):
    width = bits // 8 * channels
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else kind, channels, rate, rate * width, width, bits)
    if extensible:
        form += struct.pack("<HHI", 22, bits, 0) + struct.pack("<H", kind) + b"\0" * 14
    body = b"WAVE" + chunk(b"fmt ", form) + more + chunk(b"data", data)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def of_24_bits(values):
    whole = np.rint(values * (2**23 - 1)).astype(np.int32)
    return b"".join(int(value).to_bytes(3, "little", signed=True) for value in whole)


WRITTEN = {
    (1, 8): lambda values: (np.rint(values * 127) + 128).astype(np.uint8).tobytes(),
    (1, 16): lambda values: np.rint(values * 32767).astype("<i2").tobytes(),
    (1, 24): of_24_bits,
    (1, 32): lambda values: np.rint(values.astype(np.float64) * (2**31 - 1)).astype("<i4").tobytes(),
    (3, 32): lambda values: values.astype("<f4").tobytes(),
    (3, 64): lambda values: values.astype("<f8").tobytes(),
}


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize(("kind", "bits"), WRITTEN)
def test_every_width_gives_the_same_sound(tmp_path, kind, bits, extensible):
    path = wav(tmp_path / "a tone.wav", WRITTEN[kind, bits](TONE), kind=kind, bits=bits, extensible=extensible)
    found = read_wav(path)
    assert (found.rate, found.channels) == (8000, 1)
    np.testing.assert_allclose(found.samples, TONE, atol=1 / 100 if bits == 8 else 1e-4)


def test_it_agrees_with_the_standard_library(tmp_path):
    path = tmp_path / "t.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44_100)
        file.writeframes((np.stack([TONE, -TONE / 2], 1) * 32767).astype("<i2").tobytes())
    found = read_wav(path)
    assert (found.rate, found.channels) == (44_100, 2)
    np.testing.assert_allclose(found.samples, TONE / 4, atol=1e-4)


def test_chunks_that_nobody_knows_are_passed_over(tmp_path):
    path = wav(tmp_path / "t.wav", WRITTEN[1, 16](TONE), more=chunk(b"LIST", b"odd"))
    assert len(read_wav(path).samples) == 800


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda content: b"", "is no WAV file"),
        (lambda content: b"ID3" + content, "is no WAV file"),
        (lambda content: content[:30], "without samples"),
        (lambda content: content[:-100], "cut short: 1,500 of 1,600 bytes"),
        (lambda content: content[:44], "cut short: 0 of"),
        (lambda content: content.replace(b"\x01\x00\x01\x00", b"\x55\x00\x01\x00", 1), "format 85"),
    ],
)
def test_what_is_damaged_is_named(tmp_path, change, text):
    path = wav(tmp_path / "t.wav", WRITTEN[1, 16](TONE))
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=text) as caught:
        read_wav(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("data", "kind", "bits", "text"),
    [(b"", 1, 16, "holds no sample"), (np.array([0, np.nan], "<f4").tobytes(), 3, 32, "no numbers")],
)
def test_samples_that_are_none_are_named(tmp_path, data, kind, bits, text):
    with pytest.raises(DataError, match=text):
        read_wav(wav(tmp_path / "t.wav", data, kind=kind, bits=bits))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.wav cannot be read"):
        read_wav(tmp_path / "none.wav")


@pytest.mark.parametrize(("rate", "wanted"), [(44_100, 16_000), (8_000, 16_000), (48_000, 16_000), (22_050, 8_000)])
def test_a_tone_stays_the_same_tone_at_another_rate(rate, wanted):
    def tone(at):
        return np.sin(2 * np.pi * 440 * np.arange(at // 2) / at).astype(np.float32)

    found = resample(tone(rate), rate, wanted)
    assert len(found) == wanted // 2
    inside = slice(200, -200)
    np.testing.assert_allclose(found[inside], tone(wanted)[inside], atol=2e-3)


def test_what_the_lower_rate_cannot_hold_is_gone():
    high = np.sin(2 * np.pi * 7_000 * np.arange(44_100) / 44_100).astype(np.float32)
    assert np.abs(resample(high, 44_100, 8_000)[100:-100]).max() < 0.01


@pytest.mark.parametrize("length", [300, 799, 800, 801, 1500])
def test_a_sound_is_fitted_about_its_middle(length):
    found = fit(TONE, length)
    assert found.dtype == np.int16
    assert len(found) == length
    shift = (length - 800) // 2
    middle = 400
    np.testing.assert_allclose(found[middle + shift] / 32768, TONE[middle], atol=0.06)


def test_a_tone_is_loudest_in_its_band():
    step = make_log_mel(8000, 8000, frame=0.032, hop=0.02, bands=20)
    rows, bands = log_mel_shape(step)
    seconds = np.arange(8000) / 8000
    found = [
        log_mel((10_000 * np.sin(2 * np.pi * hertz * seconds)).astype(np.int16)[np.newaxis], step)[0]
        for hertz in (200, 800, 3000)
    ]
    assert found[0].shape == (rows, bands) == (49, 20)
    assert found[0].dtype == np.float32
    loudest = [int(features.mean(axis=0).argmax()) for features in found]
    assert loudest == sorted(set(loudest))
    assert all((features.argmax(axis=1) == band).all() for features, band in zip(found, loudest, strict=True))


def test_silence_is_finite_and_sounds_are_made_alike_alone_and_together():
    step = make_log_mel(8000, 4000, frame=0.032, hop=0.02, bands=12)
    sounds = np.random.default_rng(0).integers(-3000, 3000, (70, 4000)).astype(np.int16)
    sounds[3] = 0
    together = log_mel(sounds, step)
    assert np.isfinite(together).all()
    np.testing.assert_array_equal(together[3], np.full_like(together[3], np.log(1e-6)))
    np.testing.assert_allclose(together[65:66], log_mel(sounds[65:66], step), rtol=1e-5)
