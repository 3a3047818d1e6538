"""A folder of images of one's own, trained on from memory and from disk."""

import numpy as np
import pytest

import zoo
from tests.zoo.data.pictures import folder
from zoo.config import configure
from zoo.data import dataset as datasets
from zoo.training import EpochDone, Message


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setattr("zoo.training.session.write_report", lambda run: None)


def train(root, out, **options):
    knobs = {"filters": 2, "blocks": 1, "epochs": 2, "batch_size": 5, "tensorboard": False, **options}
    return zoo.train("convnet", data=str(root), out=out, **knobs)


def stop_in_the_second_epoch(event):
    if isinstance(event, EpochDone) and event.row["epoch"] == 2:
        raise KeyboardInterrupt


def weights(run):
    return run.model.get_weights()


def same(first, second):
    return all(np.array_equal(one, two) for one, two in zip(first, second, strict=True))


def test_training_from_disk_is_training_from_memory(tmp_path, monkeypatch):
    root = folder(tmp_path / "my photos", count=9)
    held = train(root, tmp_path / "held")
    monkeypatch.setattr(datasets, "IN_MEMORY_BYTES", 0)
    made = train(root, tmp_path / "made")
    assert same(weights(held), weights(made))
    assert held.metrics == made.metrics
    assert held.manifest.baselines == made.manifest.baselines


@pytest.mark.slow
def test_training_from_disk_resumes_where_it_was(tmp_path, monkeypatch):
    root = folder(tmp_path / "photos", count=9)
    monkeypatch.setattr(datasets, "IN_MEMORY_BYTES", 0)
    whole = train(root, tmp_path / "whole", dropout=0.3)

    with pytest.raises(zoo.errors.InterruptedRunError) as caught:
        train(root, tmp_path / "parts", dropout=0.3, on_event=stop_in_the_second_epoch)
    resumed = zoo.train(resume=caught.value.run)
    assert same(weights(whole), weights(resumed))


def test_what_nobody_gave_is_chosen_for_the_data_and_written_down(tmp_path):
    told = []
    run = zoo.train(
        "convnet",
        data=str(folder(tmp_path / "photos", count=10)),
        out=tmp_path / "runs",
        epochs=1,
        dropout=0.1,
        tensorboard=False,
        on_event=told.append,
    )
    texts = [event.text for event in told if isinstance(event, Message)]
    assert any("chosen for 14 training samples: stem_stride 1, stem_kernel 3, blocks 2" in text for text in texts)
    config = configure(str(run.path / "config.toml"))
    assert config.hyperparameters["stem_stride"] == 1
    assert (config.hyperparameters["dropout"], config.training.epochs) == (0.1, 1)
    assert (config.training.schedule, config.training.learning_rate) == ("onecycle", 0.005)
    assert not config.free & {*config.hyperparameters, "schedule", "learning_rate"}


def test_another_folder_does_not_go_on_with_a_run(tmp_path):
    root = folder(tmp_path / "photos", count=9)
    with pytest.raises(zoo.errors.InterruptedRunError) as caught:
        train(root, tmp_path / "runs", on_event=stop_in_the_second_epoch)
    (root / "cat" / "0.png").unlink()
    with pytest.raises(zoo.errors.DataError, match="is not the data that"):
        zoo.train(resume=caught.value.run)
