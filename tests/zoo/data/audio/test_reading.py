"""Sounds of a user's own: folders and lists of WAV files of any rate, length and width."""

import wave

import numpy as np
import pytest

import zoo
from zoo.data import load
from zoo.data.checking import check_data
from zoo.errors import DataError, UsageError
from zoo.inference import evaluate
from zoo.inference.contract import from_mapping
from zoo.inference.readers import Inputs


def tone(hertz, *, rate=8000, seconds=0.5, seed=0):
    generator = np.random.default_rng(seed)
    at = np.arange(round(rate * seconds)) / rate
    return 0.4 * np.sin(2 * np.pi * hertz * at + generator.uniform(0, 6)) + generator.normal(0, 0.01, at.size)


def write(path, values, *, rate=8000, channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(np.rint(values * 32767).astype("<i2"), channels).tobytes())


def folder_of(root, count=6):
    for label, hertz in (("high", 1800), ("low", 300)):
        for number in range(count):
            write(root / label / f"take {number}.wav", tone(hertz, seed=number))
    return root


def messages(path, severity, **options):
    return [finding.message for finding in check_data(path, **options).findings if finding.severity == severity]


def test_a_folder_of_sounds_is_a_class_for_each_folder(tmp_path):
    data = load(str(folder_of(tmp_path / "my sounds")), seed=0)
    assert data.input.kind == "audio"
    assert data.output.labels == ("high", "low")
    assert data.input.shape == (24, 40)
    assert data.train.samples.dtype == np.int16
    assert data.train.samples.shape[1] == 4000
    made = data.inputs(data.train)
    assert made.shape[1:] == data.input.shape
    np.testing.assert_allclose(made.mean(axis=(0, 1)), 0, atol=0.2)


def test_features_are_as_the_knobs_say(tmp_path):
    data = load(str(folder_of(tmp_path)), seed=0, bands=12, frame_ms=50, hop_ms=25, seconds=0.4, sample_rate=16_000)
    assert data.input.shape == (15, 12)
    assert data.steps[0]["rate"] == 16_000
    assert data.train.samples.shape[1] == 6400


def test_other_rates_and_channels_are_converted_and_said_so(tmp_path):
    folder_of(tmp_path)
    write(tmp_path / "low" / "studio.wav", tone(300, rate=44_100), rate=44_100, channels=2)
    told = messages(tmp_path, "note")
    assert any("resampled to 8,000 Hz: 1 of 44,100 Hz" in text for text in told)
    assert any("1 sound with several channels" in text for text in told)
    data = load(str(tmp_path), seed=0)
    assert data.train.samples.shape[1] == 4000


def test_long_sounds_are_cut_and_short_ones_filled(tmp_path):
    folder_of(tmp_path)
    write(tmp_path / "low" / "long.wav", tone(300, seconds=3.0))
    write(tmp_path / "low" / "short.wav", tone(300, seconds=0.1))
    assert any("1 sound of 14 longer than 0.8 s" in text for text in messages(tmp_path, "note"))
    data = load(str(tmp_path), seed=0)
    everything = np.concatenate([split.samples for split in (data.train, data.validation, data.test)])
    assert everything.shape == (14, 6400)
    assert any((sample[:2500] == 0).all() and sample[3200:3300].any() for sample in everything)


def test_a_file_that_cannot_be_read_is_named_among_all_that_is_wrong(tmp_path):
    folder_of(tmp_path)
    (tmp_path / "low" / "bad one.wav").write_bytes(b"RIFF????WAVE")
    (tmp_path / "high" / "none.wav").write_bytes(b"")
    found = messages(tmp_path, "error")
    assert len(found) == 2
    assert any("bad one.wav" in text for text in found)
    with pytest.raises(DataError) as caught:
        load(str(tmp_path), seed=0)
    assert len(caught.value.problems) == 2


def test_silence_is_said(tmp_path):
    folder_of(tmp_path)
    write(tmp_path / "low" / "nothing.wav", np.zeros(4000))
    assert any("1 sound of silence alone" in text for text in messages(tmp_path, "warning"))


def test_a_speaker_stands_in_one_split(tmp_path):
    for label, hertz in (("high", 1800), ("low", 300)):
        for speaker in ("ada", "bob", "cy", "dee"):
            for number in range(3):
                write(tmp_path / f"{label}_{speaker}_{number}.wav", tone(hertz, seed=number + ord(speaker[0])))
    data = load(str(tmp_path), seed=0, label_from=r"^(\w+?)_", group_from=r"_(\w+)_")
    assert all(len(split) % 6 == 0 for split in (data.train, data.validation, data.test))


def test_a_list_of_sounds_is_followed(tmp_path):
    folder_of(tmp_path / "wavs")
    rows = [f"wavs/{label}/take {n}.wav,{label.upper()}" for label in ("high", "low") for n in range(6)]
    (tmp_path / "index.csv").write_text("\n".join(["path,what", *rows]))
    data = load(str(tmp_path / "index.csv"), seed=0)
    assert data.input.kind == "audio"
    assert data.output.labels == ("HIGH", "LOW")


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"image_size": 8}, UsageError, "image_size: no option of sounds"),
        ({"window": 20}, UsageError, "window: of series, and .* is read as audio"),
        ({"frame_ms": 900}, DataError, "frame_ms = 900 is longer"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, options, error, text):
    folder_of(tmp_path)
    with pytest.raises(error, match=text):
        load(str(tmp_path), seed=0, **options)


def test_a_folder_without_a_sound_is_told(tmp_path):
    (tmp_path / "low").mkdir()
    with pytest.raises(DataError, match="holds no"):
        load(str(tmp_path), seed=0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    folder_of(folder / "data", count=10)
    small = {"filters": 4, "blocks": 1, "bands": 10, "dropout": 0.0}
    data, out = str(folder / "data"), folder / "runs"
    return zoo.train("dscnn", data=data, out=out, epochs=25, batch_size=4, learning_rate=0.01, seed=1, **small)


def test_a_network_tells_them_apart_and_is_measured_on_others(run, tmp_path):
    assert run.metrics["train"]["accuracy"] == 1.0
    for label, hertz in (("high", 1800), ("low", 300)):
        for number in range(4):
            write(tmp_path / label / f"{number}.wav", tone(hertz, seed=50 + number), channels=2)
    found = evaluate(run.path, data=str(tmp_path))
    assert found.samples == 8
    assert found.metrics["accuracy"] == 1.0


def test_a_file_is_prepared_as_in_training_and_a_bad_one_is_a_problem(run, tmp_path):
    contract = from_mapping(zoo.runs.read_json(run.path / "preprocessing.json"), run.path)
    write(tmp_path / "low.wav", tone(300))
    (tmp_path / "bad.wav").write_bytes(b"RIFF????WAVE")
    chunks = list(Inputs([tmp_path / "low.wav", tmp_path / "bad.wav"], contract))
    assert [bool(chunk.problems) for chunk in chunks] == [False, True]
    np.save(tmp_path / "raw.npy", np.rint(tone(300) * 32767).astype(np.int16))
    (array,) = Inputs([tmp_path / "raw.npy"], contract)
    np.testing.assert_allclose(array.samples, chunks[0].samples, atol=0.05)
    np.save(tmp_path / "scaled.npy", tone(300).astype(np.float32))
    with pytest.raises(DataError, match="expected 16-bit samples"):
        list(Inputs([tmp_path / "scaled.npy"], contract))
