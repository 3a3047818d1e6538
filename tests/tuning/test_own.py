"""Searches over a caller's own `build(hp)`, with data of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zoo
from tuning.own.space import OwnSpace
from tuning.result import Search
from tuning.roles import SearchEvent, TrialEnded
from zoo.errors import DivergedError, GateError, InterruptedRunError, LockedError, ModelError, UsageError
from zoo.runs import locked


@pytest.fixture(scope="module")
def keras() -> Any:
    from zoo.settings import quiet_tensorflow

    quiet_tensorflow()
    import keras

    return keras


@pytest.fixture(scope="module")
def data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Points and whether they lie above a plane: 200 to train on, 100 to judge with."""
    samples = np.random.default_rng(0).normal(size=(300, 5)).astype("float32")
    answers = (samples @ np.arange(1, 6) > 0).astype("float32")[:, None]
    return (samples[:200], answers[:200]), (samples[200:], answers[200:])


def build(hp: Any) -> Any:
    import keras

    layers = [keras.layers.Dense(hp.Int("units", 2, 16), activation="relu")]
    deep = hp.Boolean("deep")
    with hp.conditional_scope("deep", [True]):
        if deep:
            layers.append(keras.layers.Dense(hp.Int("second", 2, 8), activation="tanh"))
    model = keras.Sequential([keras.Input((5,)), *layers, keras.layers.Dense(1, activation="sigmoid")])
    rate = hp.Float("rate", 1e-3, 1e-1, sampling="log")
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture(scope="module")
def found(keras: Any, data: Any, tmp_path_factory: pytest.TempPathFactory) -> Search:
    import tensorflow as tf

    train, validation = (tf.data.Dataset.from_tensor_slices(part).batch(32) for part in data)
    out = tmp_path_factory.mktemp("own runs")
    return zoo.tuning.search(build, train, validation, trials=5, epochs=3, keep=2, out=out, repeats=2)


def test_a_search_of_ones_own_build_hands_back_its_best_model(found: Search, data: Any) -> None:
    assert [trial.status for trial in found.trials] == ["completed"] * 5
    assert found.books.plan.objective == "val_accuracy"
    assert found.best.score == max(trial.score for trial in found.trials if trial.score is not None)
    assert found.best.score == pytest.approx(np.mean(found.best.scores))
    model = found.model()
    inputs, targets = data[1]
    accuracy = float(np.mean((model.predict(inputs, verbose=0) > 0.5) == targets))
    assert accuracy == pytest.approx(found.best.scores[-1], abs=0.011), "the kept weights are those of the last repeat"
    assert accuracy > 0.5


def test_the_first_trial_has_the_declared_defaults_and_conditions_hold(found: Search) -> None:
    assert dict(found.trials[0].values) == {"units": 2, "deep": False, "rate": 0.001}
    assert all(("second" in trial.values) == trial.values["deep"] for trial in found.trials)


def test_only_the_best_trials_keep_their_weights_and_all_their_history(found: Search) -> None:
    kept = {trial.id for trial in found.trials if (found.folder(trial) / "model.keras").exists()}
    assert kept == found.books.keepers(list(found.trials))
    assert found.best.id in kept
    assert len(kept) < 5
    assert all((found.folder(trial) / "history.csv").exists() for trial in found.trials)
    with pytest.raises(UsageError, match="kept no weights"):
        found.model(next(trial for trial in found.trials if trial.id not in kept))


def test_a_resumed_search_goes_on_and_another_is_refused(found: Search, data: Any) -> None:
    again = zoo.tuning.search(build, *data, trials=6, epochs=3, keep=2, repeats=2, resume=found.path, name="search")
    assert [trial.id for trial in again.trials[:5]] == [trial.id for trial in found.trials]
    assert [trial.score for trial in again.trials[:5]] == [trial.score for trial in found.trials]
    assert len(again.trials) == 6
    with pytest.raises(UsageError, match=r"is another search: .*epochs"):
        zoo.tuning.search(build, *data, trials=6, epochs=4, keep=2, repeats=2, resume=found.path)


@pytest.mark.slow
def test_candidates_over_the_budget_are_not_trained_and_the_exported_file_is_scored(
    keras: Any, data: Any, tmp_path: Path
) -> None:
    def wide(hp: Any) -> Any:
        model = keras.Sequential(
            [
                keras.Input((5,)),
                keras.layers.Dense(hp.Choice("units", [8, 4000]), activation="relu"),
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )
        model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
        return model

    done = zoo.tuning.search(
        wide, *data, tuner="grid", trials=2, epochs=2, quantize="int8", max_flash="16k", out=tmp_path
    )
    small, large = done.trials
    assert (small.status, large.status) == ("completed", "rejected")
    assert small.figures.bytes is not None
    assert small.figures.bytes < 16 * 1024
    assert small.score == small.metrics["exported"]["accuracy"]
    assert "16,384" in large.reason
    assert not (done.folder(large) / "history.csv").exists()
    with pytest.raises(GateError, match="nothing fits"):
        zoo.tuning.search(wide, *data, tuner="grid", trials=2, epochs=2, max_flash="1k", out=tmp_path)


@pytest.mark.slow
def test_failures_are_data_and_when_all_fail_the_reasons_are_told(keras: Any, data: Any, tmp_path: Path) -> None:
    def fragile(hp: Any) -> Any:
        units = hp.Choice("units", [2, 3, 4])
        if units == 3:
            raise ValueError("three is not to be")
        model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(units), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(1e30 if units == 4 else 0.01), "mse")
        return model

    done = zoo.tuning.search(fragile, *data, tuner="grid", trials=3, epochs=2, out=tmp_path)
    assert [trial.status for trial in done.trials] == ["completed", "failed", "failed"]
    assert "three is not to be" in done.trials[1].reason
    assert done.trials[2].reason.startswith("diverged")
    assert done.books.plan.objective == "val_loss"

    def hopeless(hp: Any) -> Any:
        model = fragile(hp)
        model.compile(keras.optimizers.SGD(1e30), "mse")
        return model

    with pytest.raises(DivergedError, match=r"every trial failed: .*diverged"):
        zoo.tuning.search(hopeless, *data, tuner="grid", trials=3, epochs=2, out=tmp_path)


@pytest.mark.slow
def test_an_interrupt_keeps_what_ended(keras: Any, data: Any, tmp_path: Path) -> None:
    import signal

    ended: list[str] = []

    def press(event: SearchEvent) -> None:
        if isinstance(event, TrialEnded):
            ended.append(event.trial.id)
            if len(ended) == 2:
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(InterruptedRunError, match=r"the best so far is trial \d+ with val_accuracy") as error:
        zoo.tuning.search(build, *data, trials=5, epochs=1, out=tmp_path, on_event=press)
    folder = error.value.run
    assert folder is not None
    assert json.loads((folder / "search.json").read_text())["status"] == "interrupted"
    assert (folder / "trials.csv").read_text().count("\n") >= 3
    again = zoo.tuning.search(build, *data, trials=3, epochs=1, resume=folder)
    assert [trial.status for trial in again.trials] == ["completed"] * 3
    with locked(folder), pytest.raises(LockedError):
        zoo.tuning.search(build, *data, trials=3, epochs=1, resume=folder)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"objective": "val_nothing"}, UsageError, "keras_tuner.Objective"),
        ({"objective": "val_mae"}, DivergedError, "choose one of .*val_accuracy"),
        ({"tuner": "rando"}, UsageError, "did you mean random"),
        ({"quantize": "auto"}, UsageError, "float32"),
        ({"trials": 0}, UsageError, "expected 1 or more"),
        ({"max_time": "soon"}, UsageError, "is no time"),
        ({"max_flash": "much"}, UsageError, "is no size"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_a_line(
    keras: Any, data: Any, tmp_path: Path, change: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as raised:
        zoo.tuning.search(build, *data, **{"trials": 1, "epochs": 1, "out": tmp_path, **change})
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda hp: None, ModelError, "failed while its space was read|not compiled"),
        (lambda hp: 1 / 0, ModelError, "ZeroDivisionError"),
    ],
)
def test_a_build_that_builds_nothing_is_told(
    keras: Any, data: Any, tmp_path: Path, make: Callable[[Any], Any], error: type[Exception], words: str
) -> None:
    with pytest.raises((error, UsageError), match=f"{words}|nothing to search"):
        zoo.tuning.search(make, *data, trials=1, epochs=1, out=tmp_path)


@pytest.mark.slow
def test_a_hypermodel_with_a_fit_of_its_own_is_used(keras: Any, data: Any, tmp_path: Path) -> None:
    import keras_tuner

    class Own(keras_tuner.HyperModel):  # type: ignore[misc]
        def build(self, hp: Any) -> Any:
            return build(hp)

        def fit(self, hp: Any, model: Any, *arguments: Any, **named: Any) -> Any:
            return model.fit(*arguments, batch_size=hp.Choice("batch", [16, 64]), **named)

    with pytest.raises(DivergedError, match="batch"):
        zoo.tuning.search(Own(), *data, trials=1, epochs=1, out=tmp_path)

    class Declared(Own):
        def build(self, hp: Any) -> Any:
            hp.Choice("batch", [16, 64])
            return build(hp)

    done = zoo.tuning.search(Declared(), *data, trials=2, epochs=1, out=tmp_path)
    assert all(trial.values["batch"] in (16, 64) for trial in done.trials)


def test_entries_behind_a_choice_are_found_without_a_scope(keras: Any, tmp_path: Path) -> None:
    def hidden(hp: Any) -> Any:
        units = hp.Int("second", 2, 8) if hp.Choice("kind", ["flat", "deep"]) == "deep" else 1
        return keras.Sequential([keras.Input((5,)), keras.layers.Dense(units)])

    from tuning.own.running import hypermodel_of

    space = OwnSpace.discover(hypermodel_of(hidden), tmp_path)
    assert sorted(entry.name for entry in space.hyperparameters().space) == ["kind", "second"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:threading", "ignore:.* is deprecated:DeprecationWarning")
def test_a_recipe_is_a_hypermodel_for_a_tuner_of_ones_own(keras: Any, tmp_path: Path) -> None:
    import keras_tuner

    hypermodel = zoo.tuning.hypermodel("iris-mlp", space={"units": [4, 8], "learning_rate": None}, epochs=2)
    tuner = keras_tuner.RandomSearch(hypermodel, "val_accuracy", max_trials=2, seed=1, directory=tmp_path)
    dataset = hypermodel.dataset
    one_hot = np.eye(3, dtype="float32")
    train, validation = (
        (dataset.inputs(split), one_hot[split.targets.astype(int)]) for split in (dataset.train, dataset.validation)
    )
    tuner.search(*train, validation_data=validation, verbose=0)
    best = tuner.get_best_hyperparameters()[0].values
    assert best["units"] in (4, 8)
    assert "learning_rate" in "".join(best)
