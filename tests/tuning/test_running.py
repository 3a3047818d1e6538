"""Trials of recipes on the embedded tables: scored as `zoo train` would, kept as runs, stopped where asked."""

import json
import signal
from dataclasses import replace

import numpy as np
import pytest

import zoo
from tuning.books import Books
from tuning.keeping import keep
from tuning.plan import Limits, Plan
from tuning.rejection import Rejected
from tuning.roles import TrialStoppedError
from tuning.running import RecipeRunner
from tuning.trial import Figures, Trial
from zoo.errors import DataError, DivergedError, ModelError, SigtermInterrupt
from zoo.inference import evaluate
from zoo.reporting.report import write_report
from zoo.runs import Run, is_run, read_npz
from zoo.training.bare import fit


def books_of(folder, *names, **plan):
    given = {"epochs": 3, **plan.pop("given", {})}
    return Books.create(folder, Plan(names=names or ("iris-mlp",), given=given, **plan))


def trial_of(books, number, **values):
    trial = Trial(id=f"{number:04}", values=values, proposed=values, created=number)
    books.write(trial)
    return trial


def run(books, number=0, *, tell=lambda progress: True, epochs=None, device=None, **values):
    trial = replace(trial_of(books, number, **values), epochs=epochs)
    done = RecipeRunner(books, device=device).run(trial, tell)
    books.write(done)
    return done


class FakeDevice:
    """Answers as the Keras model does, but for one sample that it gets wrong; counts its parameters as bytes."""

    def __init__(self, most=10_000):
        self.most, self.asked = most, []

    def check(self, model, contract, calibration, *, name=""):
        self.asked.append(("check", model))
        figures = Figures(parameters=model.count_params(), bytes=model.count_params())
        if model.count_params() > self.most:
            raise Rejected(f"{model.count_params()} bytes, {self.most} are allowed", figures)
        return figures

    def answers(self, model, contract, calibration, samples, *, name=""):
        self.asked.append(("answers", model))
        from zoo import preprocessing

        outputs = model.predict(preprocessing.apply(contract["steps"], samples), verbose=0)
        outputs[0] = np.roll(outputs[0], 1)
        return outputs, Figures(parameters=model.count_params(), bytes=model.count_params() + 1)


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """Three trials, of which the first is the best and kept."""
    books = books_of(tmp_path_factory.mktemp("a search"), keep=1)
    heard = []
    good = run(books, 0, tell=lambda progress: heard.append(progress) or True, units=12, learning_rate=0.02)
    bad = run(books, 1, learning_rate=1e-6)
    same = run(books, 2, units=12, learning_rate="0.02")
    return books, good, bad, same, heard


def test_a_trial_scores_what_zoo_train_reaches_on_validation(search, tmp_path, monkeypatch):
    books, good, *_ = search
    monkeypatch.setattr("zoo.training.session.write_report", lambda run: None)
    trained = zoo.train(str(books.folder(good) / "config.toml"), out=tmp_path, tensorboard=False)
    assert good.status == "completed"
    assert good.score == good.scores[0] == trained.metrics["validation"]["accuracy"]
    assert good.metrics["validation"] == trained.metrics["validation"]
    assert good.metrics["train"] == trained.metrics["train"]
    assert (good.done, good.best) == (3, trained.manifest.epochs["best"])
    ours, theirs = ((folder / "history.csv").read_text().splitlines() for folder in (books.folder(good), trained.path))
    without_seconds = [[cell for at, cell in enumerate(line.split(",")) if at != 1] for line in ours]
    assert without_seconds == [[cell for at, cell in enumerate(line.split(",")) if at != 1] for line in theirs]


def test_the_folder_of_the_best_is_a_run_of_its_own_weights_never_tested(search):
    books, good, *_ = search
    kept = Run(books.folder(good))
    assert kept.manifest.status == "finished"
    assert set(kept.metrics) == {"train", "validation"}
    assert evaluate(kept.path, split="validation").metrics["accuracy"] == good.score
    assert evaluate(kept.path).samples == 30
    assert len(read_npz(kept.path / "samples/validation.npz")["samples"]) == 12
    assert "trial.json" not in kept.manifest.files
    page = write_report(kept).read_text()
    assert "has no finite test figure" in page
    assert "Chosen by a search" not in page


def test_what_is_not_among_the_best_keeps_history_and_configuration_alone(search):
    books, _, bad, _, _ = search
    assert bad.score < 0.8
    assert {path.name for path in books.folder(bad).iterdir()} == {"trial.json", "history.csv", "config.toml"}


def test_an_equal_configuration_is_not_trained_twice(search):
    books, good, _, same, _ = search
    assert same.same_as == good.id
    assert good.id in same.reason
    assert (same.score, same.figures, same.metrics) == (good.score, good.figures, good.metrics)
    assert not (books.folder(same) / "history.csv").exists()
    assert not is_run(books.folder(same))


def test_progress_counts_epochs_and_says_the_objective(search):
    _, good, _, _, heard = search
    epochs = [progress.epoch for progress in heard]
    assert epochs == sorted(epochs)
    assert epochs[-1] == 3
    assert {progress.epochs for progress in heard} == {3}
    assert heard[0].score is None
    assert heard[-1].score is not None
    assert {progress.id for progress in heard} == {good.id}


def test_figures_without_a_budget_are_counted_from_the_model(search):
    _, good, *_ = search
    model = zoo.build("mlp", input_shape=(4,), num_classes=3, units=12)
    assert good.figures.parameters == model.count_params()
    assert good.figures.macs == 4 * 12 + 12 * 12 + 12 * 3
    assert good.figures.bytes is None


@pytest.mark.slow
def test_a_repeat_trains_with_a_seed_and_validates_on_a_split_of_its_own(tmp_path, monkeypatch):
    validated = []

    def seen(config, builder, data, **given):
        samples = np.asarray(data.dataset.validation.samples)
        validated.append((config.training.seed, samples.tobytes(), data.dataset))
        return fit(config, builder, data, **given)

    monkeypatch.setattr("tuning.running.fit", seen)
    books = books_of(tmp_path, repeats=2, given={"seed": 4, "epochs": 2})
    twice = run(books)
    singles = []
    for seed in (4, 5):
        one = books_of(tmp_path / str(seed), given={"seed": seed, "epochs": 2})
        singles.append(run(one))
    assert twice.scores[0] == singles[0].score
    assert twice.score == pytest.approx(sum(twice.scores) / 2)
    assert twice.metrics["validation"]["loss"] != singles[0].metrics["validation"]["loss"]
    identity = Run(books.folder(twice)).manifest
    assert [seed for seed, *_ in validated] == [4, 5, 4, 5]
    first, second, *others = (split for _, split, _ in validated)
    assert first != second
    assert others[0] == first
    for *_, dataset in validated:
        with pytest.raises(RuntimeError):
            _ = dataset.test.samples
    assert identity.seed == 4
    assert identity.metrics["validation"] == singles[0].metrics["validation"]


def test_epochs_of_hyperband_are_a_whole_training(tmp_path):
    books = books_of(tmp_path, given={"epochs": 9, "schedule": "onecycle"})
    short = run(books, epochs=2)
    assert short.done == 2
    rates = [float(line.split(",")[2]) for line in (books.folder(short) / "history.csv").read_text().splitlines()[1:]]
    assert rates[-1] < 0.01 * 0.01  # the schedule came to its end


def test_the_objective_decides_which_epoch_counts(tmp_path):
    books = books_of(tmp_path, objective="loss", smaller_is_better=True, given={"epochs": 4, "learning_rate": 0.5})
    done = run(books)
    losses = [float(line.split(",")[6]) for line in (books.folder(done) / "history.csv").read_text().splitlines()[1:]]
    assert done.score == min(losses)
    assert done.best == 1 + losses.index(min(losses))


def test_an_objective_that_has_no_value_is_named(tmp_path):
    with pytest.raises(DataError, match=r"auc has no value.*accuracy"):
        run(books_of(tmp_path, objective="auc", given={"epochs": 1}))


def test_a_divergence_is_raised_and_leaves_no_run(tmp_path):
    books = books_of(tmp_path, "diabetes-mlp", objective="r2", given={"epochs": 2, "optimizer": "sgd"})
    with pytest.raises(DivergedError):
        run(books, learning_rate=100.0)
    assert not is_run(books.folder("0000"))


def test_a_builder_that_refuses_costs_no_training(tmp_path):
    books = books_of(tmp_path, "digits-cnn", objective="accuracy")
    refused = run(books, blocks=4)
    assert refused.status == "rejected"
    assert "to nothing" in refused.reason
    assert refused.done == 0
    assert not (books.folder(refused) / "history.csv").exists()


def test_a_builder_that_fails_is_a_failure(tmp_path, monkeypatch):
    (tmp_path / "broken_builder.py").write_text(
        "def net(inputs, outputs, *, units=4):\n    raise ValueError('a mistake in it')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModelError, match="a mistake in it"):
        run(books_of(tmp_path / "search", "broken_builder:net", data="iris"))


def test_what_does_not_fit_the_device_is_not_trained(tmp_path):
    device = FakeDevice(most=500)
    books = books_of(tmp_path, quantize="int8", limits=Limits(flash=500))
    large = run(books, device=device, units=100)
    assert (large.status, large.done) == ("rejected", 0)
    assert "500 are allowed" in large.reason
    assert large.figures.bytes > 500
    assert [what for what, _ in device.asked] == ["check"]


def test_the_answers_of_the_exported_file_are_the_score(tmp_path):
    device = FakeDevice()
    done = run(books_of(tmp_path, quantize="int8"), device=device, units=8, learning_rate=0.05)
    validation, exported = done.metrics["validation"]["accuracy"], done.metrics["exported"]["accuracy"]
    assert abs(validation - exported) == pytest.approx(1 / 12)
    assert done.score == exported
    assert done.metrics["exported"]["loss"] > 0
    assert done.figures.bytes == done.figures.parameters + 1
    (_, built), (_, trained) = device.asked
    assert built is trained


def test_the_targets_of_a_regression_are_scored_in_their_own_units(tmp_path):
    books = books_of(tmp_path, "diabetes-mlp", objective="mae", smaller_is_better=True, quantize="int8")
    done = run(books, device=FakeDevice())
    assert done.metrics["exported"]["mae"] == pytest.approx(done.metrics["validation"]["mae"], rel=0.1)
    assert done.metrics["validation"]["mae"] > 20


def test_one_that_is_not_wanted_any_more_stops_at_a_batch(tmp_path):
    books = books_of(tmp_path, given={"epochs": 1000})
    seen = []

    def tell(progress):
        seen.append(progress.epoch)
        return progress.epoch < 2

    with pytest.raises(TrialStoppedError):
        run(books, tell=tell)
    assert max(seen) == 2
    assert not is_run(books.folder("0000"))


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SigtermInterrupt)])
def test_a_signal_counts_at_the_end_of_a_batch(number, kind, tmp_path):
    books = books_of(tmp_path, given={"epochs": 1000})
    before = signal.getsignal(number)

    def tell(progress):
        if progress.epoch == 1:
            signal.raise_signal(number)
        return True

    with pytest.raises(kind):
        run(books, tell=tell)
    assert signal.getsignal(number) is before


def test_a_signal_that_comes_too_late_is_handed_on(tmp_path, monkeypatch):
    books, received = books_of(tmp_path, given={"epochs": 1}), []
    before = signal.signal(signal.SIGINT, lambda number, frame: received.append(number))

    def late(*arguments):
        signal.raise_signal(signal.SIGINT)
        keep(*arguments)

    try:
        monkeypatch.setattr("tuning.running.keep", late)
        done = run(books)
    finally:
        signal.signal(signal.SIGINT, before)
    assert done.status == "completed"
    assert is_run(books.folder(done))
    assert received == [signal.SIGINT]


def test_a_death_while_the_weights_are_written_leaves_no_run(tmp_path, monkeypatch):
    books = books_of(tmp_path, given={"epochs": 1})
    monkeypatch.setattr("tuning.keeping.write_json", lambda *_: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(MemoryError):
        run(books)
    folder = books.folder("0000")
    assert (folder / "model.keras").exists()
    assert not is_run(folder)
    monkeypatch.undo()
    again = run(books)
    assert Run(folder).metrics["validation"]["accuracy"] == again.score


def table(path, change):
    """A table that says its splits; `change` is added to the rows of its test split."""
    generator = np.random.default_rng(0)
    lines = ["a,b,part,kind"]
    for index in range(90):
        kind = index % 2
        part = ("train", "train", "validation", "test", "train")[index % 5]
        moved = change if part == "test" else 0.0
        a, b = generator.normal(kind, 1, 2) + moved
        lines.append(f"{a:.4f},{b:.4f},{part},{'yes' if kind else 'no'}")
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_a_search_cannot_tell_what_is_in_the_test_split(tmp_path):
    found = []
    for name, change in (("one", 0.0), ("two", 1000.0)):
        data = table(tmp_path / f"{name}.csv", change)
        given = {"target": "kind", "split": "column:part", "epochs": 2}
        books = books_of(tmp_path / name, "mlp", data=data, given=given)
        done = run(books)
        found.append((done.score, done.metrics, Run(books.folder(done)).model.get_weights()))
    (score, metrics, weights), (others, of_others, other_weights) = found
    assert (score, metrics) == (others, of_others)
    assert all(np.array_equal(one, two) for one, two in zip(weights, other_weights, strict=True))


def test_other_data_than_the_search_began_with_are_refused(tmp_path):
    with pytest.raises(DataError, match="not the data that the search began with"):
        run(books_of(tmp_path, sha256="0" * 64))


def test_the_recipe_may_be_a_dimension(tmp_path):
    books = books_of(tmp_path, "iris-mlp", "mlp", data="iris", given={"epochs": 1})
    done = run(books, recipe="mlp", units=5)
    assert json.loads((books.folder(done) / "trial.json").read_text())["values"] == {"recipe": "mlp", "units": 5}
    assert 'builder = "mlp"' in (books.folder(done) / "config.toml").read_text()
