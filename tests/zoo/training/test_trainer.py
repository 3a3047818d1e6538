"""Training end to end on the embedded tables: small, real, a second each."""

import csv
import json

import numpy as np
import pytest

import zoo
from zoo.errors import (
    DivergedError,
    InterruptedRunError,
    LockedError,
    ModelError,
    ResourceError,
    SigtermInterrupt,
    TerminatedRunError,
    UsageError,
)
from zoo.runs import Run, locked, read_npz
from zoo.training import EpochDone, Message, Started
from zoo.training.checkpoints import generations


def train(tmp_path, recipe="iris-mlp", **options):
    return zoo.train(recipe, out=tmp_path / "runs", **{"epochs": 3, "tensorboard": False, **options})


def history(run):
    with (run.path / "history.csv").open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def weights(run):
    return run.model.get_weights()


def same(first, second):
    return all(np.array_equal(one, two) for one, two in zip(first, second, strict=True))


@pytest.fixture(autouse=True)
def without_report(monkeypatch):
    """Half of a tiny training's time is its report, which `wine_run` (made before this) has, and tests of its own."""
    monkeypatch.setattr("zoo.training.session.write_report", lambda run: None)


@pytest.fixture(scope="module")
def wine_run(tmp_path_factory):
    events = []
    run = zoo.train("wine-mlp", out=tmp_path_factory.mktemp("a folder") / "runs", epochs=12, on_event=events.append)
    return run, events


def test_a_finished_run_holds_what_the_design_lists(wine_run):
    run, _ = wine_run
    present = {path.relative_to(run.path).as_posix() for path in run.path.rglob("*") if path.is_file()}
    assert present >= {
        "run.json",
        "config.toml",
        "history.csv",
        "model.keras",
        "predictions.npz",
        "preprocessing.json",
        "labels.txt",
        "report.html",
        "samples/calibration.npz",
        "samples/validation.npz",
    }
    assert any(name.startswith("tensorboard/validation/events") for name in present)
    manifest = json.loads((run.path / "run.json").read_text())
    assert manifest["status"] == "finished"
    assert manifest["parameters"] == run.model.count_params()
    assert manifest["data"]["samples"] == {"train": 128, "validation": 14, "test": 36}
    assert manifest["files"]["model.keras"]


def test_a_trained_network_is_better_than_chance_and_stands_beside_its_baselines(wine_run):
    run, _ = wine_run
    assert run.metrics["test"]["accuracy"] > 0.8
    assert run.manifest.baselines["majority"]["accuracy"] < 0.5
    assert run.manifest.baselines["logistic"]["accuracy"] > 0.9


def test_the_metrics_are_those_of_the_saved_model_on_the_test_split(wine_run):
    from zoo import data

    run, _ = wine_run
    dataset = data.load("wine", seed=0)
    answered = run.model.predict(dataset.inputs(dataset.test), verbose=0)
    assert run.metrics["test"]["accuracy"] == np.mean(answered.argmax(axis=1) == dataset.test.targets)
    stored = read_npz(run.path / "predictions.npz")
    np.testing.assert_allclose(stored["test_outputs"], answered, atol=1e-6)
    assert (stored["test_targets"] == dataset.test.targets).all()


def test_history_has_a_row_an_epoch_and_the_best_is_its_best_row(wine_run):
    run, events = wine_run
    rows = history(run)
    assert [row["epoch"] for row in rows] == list(range(1, 13))
    best = max(rows, key=lambda row: (row["val_accuracy"], -row["val_loss"]))
    assert run.manifest.epochs["best"] == best["epoch"]
    assert run.metrics["validation"]["loss"] == pytest.approx(best["val_loss"], abs=1e-6)
    assert rows[0]["learning_rate"] > rows[-1]["learning_rate"]
    assert [event.row["epoch"] for event in events if isinstance(event, EpochDone)] == [row["epoch"] for row in rows]
    assert next(event for event in events if isinstance(event, Started)).parameters == run.manifest.parameters


def test_the_config_of_a_run_repeats_it_to_the_same_numbers(wine_run, tmp_path):
    run, _ = wine_run
    again = zoo.train(str(run.path / "config.toml"), out=tmp_path)
    assert same(weights(run), weights(again))
    assert again.metrics == run.metrics
    assert again.manifest.baselines == run.manifest.baselines
    assert (again.path / "config.toml").read_text() == (run.path / "config.toml").read_text()


def test_another_seed_gives_other_weights(tmp_path):
    first, second = train(tmp_path, seed=1, epochs=1), train(tmp_path, seed=2, epochs=1)
    assert not same(weights(first), weights(second))


@pytest.mark.parametrize("batch_size", [1, 32, "full"])
def test_stochastic_mini_batch_and_batch_gradient_descent_take_their_number_of_steps(tmp_path, batch_size):
    events = []
    train(tmp_path, batch_size=batch_size, epochs=1, on_event=events.append)
    steps = next(event for event in events if isinstance(event, Started)).steps
    assert steps == {1: 108, 32: 4, "full": 1}[batch_size]


def test_the_penalty_is_recorded_apart_from_the_data_loss(tmp_path):
    plain, penal = train(tmp_path, epochs=1), train(tmp_path, epochs=1, l2=0.1, l1=0.01)
    assert history(plain)[0]["penalty"] == 0.0
    row = history(penal)[0]
    kernels = [weight for weight in weights(penal) if weight.ndim == 2]
    assert row["penalty"] == pytest.approx(sum(0.1 * (k**2).sum() + 0.01 * np.abs(k).sum() for k in kernels), rel=1e-4)
    assert row["objective"] > row["train_loss"]


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "categorical_crossentropy"])
def test_the_loss_can_be_chosen(tmp_path, loss):
    run = train(tmp_path, loss=loss, epochs=1)
    assert f'loss = "{loss}"' in (run.path / "config.toml").read_text()


@pytest.mark.parametrize("schedule", ["constant", "cosine", "onecycle", "step", "plateau"])
def test_every_schedule_trains(tmp_path, schedule):
    assert train(tmp_path, schedule=schedule, epochs=2).manifest.status == "finished"


def test_the_plateau_schedule_lowers_the_rate_when_nothing_gets_better(tmp_path):
    options = {"schedule": "plateau", "epochs": 12, "learning_rate": 1e-8, "optimizer": "sgd", "dropout": 0.0}
    rows = history(train(tmp_path, **options, l2=0.0, units=1, layers=0))
    stalled = rows[-1]["val_loss"] >= rows[0]["val_loss"] - 1e-5
    assert stalled
    assert rows[-1]["learning_rate"] < rows[0]["learning_rate"]


def test_early_stopping_ends_before_the_last_epoch(tmp_path):
    run = train(tmp_path, "wine-mlp", epochs=200, patience=3, learning_rate=0.05, schedule="constant")
    assert run.manifest.epochs["done"] < 200
    assert run.manifest.epochs["done"] == run.manifest.epochs["best"] + 3


def test_regression_is_measured_in_target_units(tmp_path):
    run = train(tmp_path, "diabetes-mlp", epochs=40)
    assert 30 < run.metrics["test"]["mae"] < 60
    assert run.metrics["test"]["r2"] > 0.3
    assert "scale" in json.loads((run.path / "preprocessing.json").read_text())["output"]


def test_a_binary_task_with_balanced_classes(tmp_path):
    run = train(tmp_path, "breast-cancer-mlp", epochs=10, class_weights="balanced")
    assert run.metrics["test"]["accuracy"] > 0.9
    assert run.model.output_shape == (None, 1)


def test_bfloat16_training_saves_a_float32_model(tmp_path):
    run = train(tmp_path, "digits-mlp", precision="mixed_bfloat16", epochs=2)
    assert {layer.dtype_policy.name for layer in run.model.layers} == {"float32"}
    assert run.metrics["test"]["accuracy"] > 0.3


def test_callbacks_losses_and_metrics_of_ones_own(tmp_path):
    import keras

    seen = []
    run = train(
        tmp_path,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))],
        loss=keras.losses.CategoricalFocalCrossentropy(),
        metrics=[keras.metrics.TopKCategoricalAccuracy(2, name="top2")],
    )
    assert seen == [0, 1, 2]
    assert 0 <= history(run)[-1]["own_top2"] <= 1


def test_a_loss_that_explodes_exits_as_diverged_with_the_last_finite_weights(tmp_path):
    with pytest.raises(DivergedError, match="learning-rate") as caught:
        train(
            tmp_path,
            "diabetes-mlp",
            optimizer="sgd",
            learning_rate=100,
            activation="linear",
            schedule="constant",
            epochs=50,
        )
    run = Run(caught.value.run)
    assert run.manifest.status == "diverged"
    assert all(np.isfinite(weight).all() for weight in weights(run))


def interrupting(error, epoch, batch=0):
    import keras

    class Interrupting(keras.callbacks.Callback):
        now = -1

        def on_epoch_begin(self, at, logs=None):
            self.now = at

        def on_train_batch_end(self, step, logs=None):
            if self.now == epoch and step >= batch:
                raise error

    return Interrupting()


@pytest.mark.parametrize(
    ("signal", "error"), [(KeyboardInterrupt, InterruptedRunError), (SigtermInterrupt, TerminatedRunError)]
)
def test_an_interrupted_run_is_saved_and_resumes_to_the_same_bits(tmp_path, signal, error):
    options = {"epochs": 6, "dropout": 0.3, "schedule": "onecycle", "optimizer": "adam"}
    whole = train(tmp_path, **options)
    with pytest.raises(error, match="--resume") as caught:
        train(tmp_path, **options, callbacks=[interrupting(signal(), 3)])
    run = Run(caught.value.run)
    assert run.manifest.status == "interrupted"
    assert len(history(run)) == 3
    assert all(np.isfinite(weight).all() for weight in weights(run))
    resumed = zoo.train(resume=run)
    assert resumed.path == run.path
    assert same(weights(resumed), weights(whole))
    assert resumed.metrics == whole.metrics
    timeless = [{key: value for key, value in row.items() if key != "seconds"} for row in history(resumed)]
    assert timeless == [{key: value for key, value in row.items() if key != "seconds"} for row in history(whole)]


def test_an_interrupt_in_the_first_epoch_keeps_a_model_and_says_so(tmp_path):
    with pytest.raises(InterruptedRunError, match="no epoch was finished") as caught:
        train(tmp_path, callbacks=[interrupting(KeyboardInterrupt(), 0)])
    assert Run(caught.value.run).model.count_params() > 0
    assert generations(caught.value.run) == []


def test_a_resumed_run_goes_back_to_the_older_checkpoint_where_the_newest_is_damaged(tmp_path, monkeypatch):
    whole = train(tmp_path, epochs=4)
    monkeypatch.setattr("zoo.training.recorder.SAVE_EVERY_SECONDS", 0.0)
    with pytest.raises(InterruptedRunError) as caught:
        train(tmp_path, epochs=4, callbacks=[interrupting(KeyboardInterrupt(), 3)])
    older, newest = generations(caught.value.run)
    assert (older.name, newest.name) == ("000002.npz", "000003.npz")
    newest.write_bytes(newest.read_bytes()[:50])
    events = []
    resumed = zoo.train(resume=caught.value.run, on_event=events.append)
    assert any("000003.npz" in event.text and event.warning for event in events if isinstance(event, Message))
    assert next(event for event in events if isinstance(event, Started)).first_epoch == 2
    assert same(weights(resumed), weights(whole))


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("breast-cancer-mlp", {"schedule": "plateau", "dropout": 0.4, "class_weights": "balanced", "patience": 50}),
        ("digits-mlp", {"precision": "mixed_bfloat16", "train_samples": 200, "batch_norm": True}),
        pytest.param(
            "digits-cnn",
            {"train_samples": 200, "optimizer": "nesterov", "schedule": "step", "learning_rate": 0.01},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "digits-gru", {"train_samples": 200, "recurrent_dropout": 0.2, "units": 8}, marks=pytest.mark.slow
        ),
    ],
)
def test_whatever_the_knobs_a_resumed_run_ends_in_the_same_bits(tmp_path, target, options):
    whole = train(tmp_path, target, epochs=4, **options)
    with pytest.raises(InterruptedRunError) as caught:
        train(tmp_path, target, epochs=4, **options, callbacks=[interrupting(KeyboardInterrupt(), 2)])
    resumed = zoo.train(resume=caught.value.run)
    assert same(weights(resumed), weights(whole))
    assert resumed.metrics == whole.metrics


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"epochs": 3}, {"epochs": 200, "patience": 2, "learning_rate": 0.05}])
def test_a_run_cut_short_while_it_was_concluded_resumes_to_its_end(tmp_path, monkeypatch, options):
    whole = train(tmp_path, "wine-mlp", **options)
    with monkeypatch.context() as patched:
        patched.setattr("zoo.training.session.write_report", lambda run: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(InterruptedRunError) as caught:
            train(tmp_path, "wine-mlp", **options)
    assert Run(caught.value.run).manifest.status == "interrupted"
    resumed = zoo.train(resume=caught.value.run)
    assert resumed.manifest.status == "finished"
    assert resumed.manifest.epochs == whole.manifest.epochs
    assert resumed.metrics == whole.metrics


def test_a_finished_run_is_not_resumed_and_stays_finished(wine_run):
    run, _ = wine_run
    with pytest.raises(UsageError, match="is finished, nothing to resume"):
        zoo.train(resume=run)
    assert Run(run.path).manifest.status == "finished"


def test_a_loss_of_ones_own_is_named_and_must_be_given_again(tmp_path):
    import keras

    def focal():
        return keras.losses.CategoricalFocalCrossentropy()

    whole = train(tmp_path, epochs=4, loss=focal())
    with pytest.raises(InterruptedRunError) as caught:
        train(tmp_path, epochs=4, loss=focal(), callbacks=[interrupting(KeyboardInterrupt(), 2)])
    config = caught.value.run / "config.toml"
    assert 'loss = "own: CategoricalFocalCrossentropy"' in config.read_text()
    for again in ({"resume": caught.value.run}, {"recipe": str(config)}):
        with pytest.raises(UsageError, match="own: CategoricalFocalCrossentropy"):
            zoo.train(**again)
    resumed = zoo.train(resume=caught.value.run, loss=focal())
    assert same(weights(resumed), weights(whole))


def test_out_of_memory_is_a_resource_error(tmp_path):
    import tensorflow as tf

    error = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
    with pytest.raises(ResourceError, match="batch-size"):
        train(tmp_path, callbacks=[interrupting(error, 0)])


def test_the_precision_policy_of_the_caller_comes_back(tmp_path):
    import keras

    train(tmp_path, precision="mixed_bfloat16", epochs=1)
    assert keras.config.dtype_policy().name == "float32"
    with pytest.raises(ModelError):
        zoo.train(f"{__name__}:raising", data="iris", precision="mixed_bfloat16", out=tmp_path)
    assert keras.config.dtype_policy().name == "float32"


def raising(inputs, outputs):
    raise RuntimeError("a builder's own fault")


@pytest.mark.parametrize("options", [{"recipe": "iris-mlp"}, {"name": "other"}, {"data": "wine"}, {"epochs": 9}])
def test_nothing_else_goes_with_resume(wine_run, options):
    with pytest.raises(UsageError, match="give resume alone"):
        zoo.train(resume=wine_run[0], **options)


def test_a_stand_in_is_a_warning_also_where_nobody_listens(caplog, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ZOO_DATA_PATH", raising=False)

    def refuse(*args, **kwargs):
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with caplog.at_level("WARNING", logger="zoo"):
        run = train(tmp_path, "mnist-mlp", epochs=1, units=8, layers=1)
    assert "stand in for MNIST" in caplog.text
    assert run.manifest.data["stand_in"] is True


def test_a_failing_builder_leaves_a_failed_run_with_its_cause(tmp_path):
    import keras

    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("the callback's own fault")

    with pytest.raises(RuntimeError):
        train(tmp_path, callbacks=[Failing()])
    (manifest,) = (tmp_path / "runs" / "iris-mlp").glob("*/run.json")
    assert "the callback's own fault" in Run(manifest.parent).manifest.message


def test_a_folder_in_use_is_refused(tmp_path):
    with pytest.raises(InterruptedRunError) as caught:
        train(tmp_path, callbacks=[interrupting(KeyboardInterrupt(), 1)])
    with locked(caught.value.run), pytest.raises(LockedError):
        zoo.train(resume=caught.value.run)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"dropuot": 0.1}, UsageError, "did you mean dropout"),
        ({"dropout": 1.5}, UsageError, "0 to 0.95"),
        ({"loss": "binary_crossentropy"}, UsageError, "categorical_crossentropy"),
        ({"monitor": "r2"}, UsageError, "accuracy"),
        ({"data": "diabetes", "class_weights": "balanced"}, UsageError, "regression"),
        ({"data": "nothing"}, UsageError, "nothing"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(tmp_path, options, error, match):
    with pytest.raises(error, match=match):
        train(tmp_path, **options)
    assert not (tmp_path / "runs").exists()


def test_a_builder_that_does_not_fit_the_data_is_refused(tmp_path):
    with pytest.raises(ModelError, match="takes image input, not table"):
        train(tmp_path, "convnet", data="iris")
