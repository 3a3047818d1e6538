"""A training of a search's candidate: the numbers of `zoo train`, and nothing on disk."""

import numpy as np
import pytest

import zoo
from zoo.builders import get_builder
from zoo.config import configure
from zoo.data import load
from zoo.errors import DivergedError, UsageError
from zoo.training.assembly import build_model
from zoo.training.bare import fit
from zoo.training.many import models_forgotten
from zoo.training.prepared import Prepared
from zoo.training.trainer import resolve


@pytest.fixture(autouse=True)
def without_report(monkeypatch):
    monkeypatch.setattr("zoo.training.session.write_report", lambda run: None)


def prepared(config):
    dataset = load(config.dataset, seed=config.training.seed, config=config.data).without_test()
    return Prepared(dataset), resolve(config, dataset, None, lambda event: None)


def fitted(recipe, check=lambda: None, **knobs):
    data, config = prepared(configure(recipe, {"epochs": 4, **knobs}))
    return fit(config, get_builder(config.builder), data, listener=lambda event: None, check=check)


@pytest.mark.parametrize(
    ("recipe", "knobs"),
    [
        ("iris-mlp", {"dropout": 0.3, "schedule": "onecycle"}),
        ("iris-mlp", {"precision": "mixed_bfloat16", "patience": 1, "learning_rate": 0.05, "epochs": 12}),
        ("diabetes-mlp", {"monitor": "last", "schedule": "plateau"}),
    ],
)
def test_its_numbers_are_those_of_zoo_train_bit_for_bit(recipe, knobs, tmp_path):
    knobs = {"epochs": 4, "tensorboard": False, **knobs}
    run = zoo.train(recipe, out=tmp_path, **knobs)
    found = fitted(recipe, **knobs)
    for split in ("train", "validation"):
        assert found.metrics[split] == run.metrics[split]
    assert (found.done, found.best) == (run.manifest.epochs["done"], run.manifest.epochs["best"])
    for one, two in zip(found.model.get_weights(), run.model.get_weights(), strict=True):
        assert np.array_equal(one, two)
    assert all(weights.dtype == np.float32 for weights in found.model.get_weights())


@pytest.mark.slow
def test_trainings_that_share_their_data_do_not_influence_each_other():
    data, config = prepared(configure("iris-mlp", {"epochs": 3}))
    builder = get_builder(config.builder)

    def train(**knobs):
        with models_forgotten():
            one = config.with_knobs(knobs)
            return fit(one, builder, data, listener=lambda event: None, check=lambda: None).metrics

    alone = train()
    assert train(learning_rate=0.1, seed=5) != alone
    assert train() == alone


def test_a_model_that_was_built_for_a_look_is_the_one_that_is_trained():
    data, config = prepared(configure("iris-mlp", {"epochs": 2}))
    builder = get_builder(config.builder)
    model = build_model(config, builder, data.dataset)
    again = fit(config, builder, data, listener=lambda event: None, check=lambda: None, model=model)
    assert again.model is model
    assert again.metrics == fitted("iris-mlp", epochs=2).metrics


def test_nothing_is_written_and_the_test_split_is_not_looked_at(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert fitted("wine-mlp", epochs=1).done == 1
    assert list(tmp_path.iterdir()) == []


def test_whoever_looks_at_a_withheld_test_split_fails():
    withheld = load("iris", seed=0).without_test()
    for look in (len, lambda split: split.samples, lambda split: split.targets, lambda split: split.take([0])):
        with pytest.raises(RuntimeError, match="withheld"):
            look(withheld.test)
    assert "Withheld" in repr(withheld)
    assert len(withheld.train) == 108


def test_check_may_stop_it_between_two_batches():
    class StopError(Exception):
        pass

    asked = []

    def check():
        asked.append(1)
        if len(asked) == 3:
            raise StopError

    with pytest.raises(StopError):
        fitted("iris-mlp", epochs=50, check=check)
    assert len(asked) == 3


def test_a_loss_that_is_not_finite_is_an_error_that_says_when():
    with pytest.raises(DivergedError, match=r"epoch 1.*learning rate \(it was 100\)"):
        fitted("diabetes-mlp", optimizer="sgd", learning_rate=100.0)


def test_the_last_weights_are_kept_on_wish(tmp_path):
    knobs = {"epochs": 6, "learning_rate": 1.0, "optimizer": "sgd", "tensorboard": False}
    run = zoo.train("iris-mlp", out=tmp_path, monitor="last", **knobs)
    assert run.manifest.epochs == {"done": 6, "best": 6}
    assert run.metrics["validation"] == run.metrics["last"]["validation"]


def test_keeping_the_last_weights_and_waiting_for_better_ones_is_refused(tmp_path):
    with pytest.raises(UsageError, match="patience = 3"):
        zoo.train("iris-mlp", out=tmp_path, monitor="last", patience=3)
