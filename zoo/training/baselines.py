"""What stands beside every result: the majority class or the mean, a linear model, and on tables gradient boosting.

Beside a forecast stand those that need no training, and the linear model is one on lags.
Beside the score of anomalies: the distance to the mean, what principal components leave over, and an isolation forest
(Liu, Ting and Zhou, "Isolation forest", ICDM 2008).

scikit-learn's own models. A fit on a large set is cut to a bounded number of values; how many samples it saw is part
of the result.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from zoo import boxes, metrics, preprocessing
from zoo.data.dataset import Dataset, Split
from zoo.training.pixel_baselines import pixel_baselines

MAX_VALUES = 20_000_000
"""Samples times columns that the linear model is fitted on at most: about three seconds."""

BOOSTED_VALUES = 5_000_000
"""Samples times columns times outputs that gradient boosting is fitted on at most: some seconds."""

ITERATIONS = 100
VARIANCE = 0.9
"""Share of the variance that principal components keep, beside the score of anomalies."""
MAPS_AT_ONCE = 256

Predict = Callable[[np.ndarray], np.ndarray]


def baselines(dataset: Dataset, *, seed: int) -> dict[str, dict[str, float]]:
    """Baseline name to its test metrics and `samples`, the training samples it was fitted on.

    Args:
        dataset: Prepared data; fitted on the training split, measured on the test split.
        seed: Draws the samples where there are too many.
    """
    from threadpoolctl import threadpool_limits

    task = dataset.output.task
    if task == "segmentation":
        with threadpool_limits(1):
            return pixel_baselines(dataset, seed=seed)
    if task == "detection":
        return _of_detection(dataset)
    columns = dataset.input.vocabulary or int(np.prod(dataset.input.shape))
    outputs = dataset.output.shape[-1]
    chosen = _subset(len(dataset.train), columns, seed, MAX_VALUES)
    targets, truth = dataset.train.targets, dataset.test.targets
    with threadpool_limits(1):  # more BLAS threads are slower at these shapes, and would take cores from training
        rows = _rows(dataset, dataset.train.take(chosen))
        fitted = _fit(dataset, rows, chosen, outputs, seed)
        answers: dict[str, list[np.ndarray]] = {name: [] for name in fitted}
        for part in _parts(dataset, dataset.test, columns):
            for name, (predict, _) in fitted.items():
                answers[name].append(predict(part))
    results = {}
    if task != "anomaly":
        trivial = "mean" if task == "regression" else "majority"
        results[trivial] = (_trivial(task, targets, len(truth), outputs), len(targets))
    results |= {name: (values, len(targets)) for name, values in _references(dataset).items()}
    results |= {name: (np.concatenate(answers[name]), count) for name, (_, count) in fitted.items()}
    return {
        name: {**metrics.evaluate(task, truth, found), "samples": count} for name, (found, count) in results.items()
    }


def _references(dataset: Dataset) -> Mapping[str, np.ndarray]:
    """Forecasts of the test split that need no training, by name."""
    return dataset.forecast.references if dataset.forecast else {}


def _on_lags(dataset: Dataset, rows: np.ndarray, chosen: np.ndarray) -> Predict:
    """The linear model of a forecast: on the scale, the logarithm too, that the network is trained on."""
    targets = np.asarray(dataset.model_targets(dataset.train.take(chosen)))
    predict = _linear(dataset.output.task, rows, targets, classes=targets.shape[1])
    return lambda test: preprocessing.invert_target(predict(test), dataset.target_transform)


def _fit(
    dataset: Dataset, rows: np.ndarray, chosen: np.ndarray, outputs: int, seed: int
) -> dict[str, tuple[Predict, int]]:
    """Baseline name to what answers for rows, and how many samples it was fitted on."""
    task, columns, targets = dataset.output.task, rows.shape[1], dataset.train.targets[chosen]
    if task == "anomaly":
        return {name: (predict, len(rows)) for name, predict in _detectors(rows, seed).items()}
    linear = "linear" if task == "regression" else "logistic"
    predict = _on_lags(dataset, rows, chosen) if dataset.forecast else None
    fitted = {linear: (predict or _linear(task, rows, targets, classes=outputs), len(rows))}
    if dataset.input.kind == "table":
        seen = _subset(len(rows), columns * outputs, seed, BOOSTED_VALUES)
        boosted = _boosting(task, rows[seen], targets[seen], classes=outputs, seed=seed)
        fitted["gradient_boosting"] = (boosted, len(seen))
    return fitted


def _detectors(rows: np.ndarray, seed: int) -> dict[str, Predict]:
    """Scores of anomalies, (n, 1), that fits on normal rows give."""
    from sklearn.decomposition import PCA
    from sklearn.ensemble import IsolationForest

    mean, spread = rows.mean(axis=0), rows.var(axis=0) + 1e-3
    components = PCA(n_components=VARIANCE, svd_solver="full").fit(rows)
    forest = IsolationForest(random_state=seed).fit(rows)

    def left_over(test: np.ndarray) -> np.ndarray:
        rebuilt = components.inverse_transform(components.transform(test))
        return np.asarray(np.mean((test - rebuilt) ** 2, axis=1, keepdims=True))

    return {
        "distance": lambda test: np.asarray(np.mean((test - mean) ** 2 / spread, axis=1, keepdims=True)),
        "pca": left_over,
        "isolation_forest": lambda test: -forest.score_samples(test)[:, None],
    }


def _of_detection(dataset: Dataset) -> dict[str, dict[str, float]]:
    """The answer that ignores the image: each class where it stands most often, in a box of the mean size.

    There is no linear model that finds objects, and none is made up.
    """
    rows, columns, numbers = dataset.output.shape
    targets, classes = np.asarray(dataset.train.targets), numbers - boxes.BOX
    maps = np.zeros(dataset.output.shape, np.float64)
    for start in range(0, len(targets), MAPS_AT_ONCE):
        maps += boxes.encode(targets[start : start + MAPS_AT_ONCE], (rows, columns), classes).sum(axis=0)
    there = targets[targets[..., 0] >= 0]
    maps[..., :classes] /= len(targets)
    maps[..., classes:] = (0.5, 0.5, *np.sqrt(there[:, 3:] - there[:, 1:3]).mean(axis=0))
    answers = np.broadcast_to(maps.astype(np.float32), (len(dataset.test), *maps.shape))
    return {"mean": {**metrics.evaluate("detection", dataset.test.targets, answers), "samples": len(targets)}}


def _rows(dataset: Dataset, split: Split) -> np.ndarray:
    """A split as (n, columns) float32, the input's one scale applied."""
    inputs = dataset.inputs(split)
    if dataset.input.vocabulary:
        return _bags(inputs, dataset.input.vocabulary)
    return (inputs.reshape(len(inputs), -1) * dataset.input.scale + dataset.input.offset).astype(np.float32)


def _bags(ids: np.ndarray, vocabulary: int) -> np.ndarray:
    """(n, words) ids as (n, vocabulary) float32: 1 for each word that a text holds, texts of length 1."""
    bags = np.zeros((len(ids), vocabulary), np.float32)
    np.put_along_axis(bags, ids.astype(np.int64), 1.0, axis=1)
    bags[:, 0] = 0.0
    return np.asarray(bags / np.maximum(np.linalg.norm(bags, axis=1, keepdims=True), 1.0))


def _parts(dataset: Dataset, split: Split, columns: int) -> Iterator[np.ndarray]:
    """The rows of a split, as many at a time as fit the bound."""
    size = max(MAX_VALUES // columns, 1)
    for start in range(0, len(split), size):
        yield _rows(dataset, split.take(np.arange(start, min(start + size, len(split)))))


def _subset(samples: int, columns: int, seed: int, values: int) -> np.ndarray:
    """Indices of as many samples as fit the bound, ascending, drawn by the seed."""
    limit = max(values // columns, 100)
    order = np.random.default_rng((seed, 1)).permutation(samples)
    return np.sort(order[:limit])


def _trivial(task: str, targets: np.ndarray, count: int, outputs: int) -> np.ndarray:
    """The answer that ignores the input, (count, outputs)."""
    if task in ("regression", "multilabel"):
        answer = targets.reshape(len(targets), -1).mean(axis=0)
    elif task == "binary":
        answer = np.array([targets.mean()])
    else:
        answer = np.bincount(targets.astype(np.int64), minlength=outputs) / len(targets)
    return np.tile(answer, (count, 1))


def _linear(task: str, rows: np.ndarray, targets: np.ndarray, *, classes: int) -> Predict:
    """Fits the linear model; the function answers for rows, its outputs shaped as the network's."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.multiclass import OneVsRestClassifier

    with warnings.catch_warnings():
        # A bounded number of iterations is the point: a baseline, not a solution.
        warnings.simplefilter("ignore", ConvergenceWarning)
        if task == "regression":
            model: Any = Ridge(alpha=1e-6).fit(rows.astype(np.float64), targets.reshape(len(targets), -1))
            return lambda test: np.asarray(model.predict(test)).reshape(len(test), -1)
        if task == "multilabel":
            model = OneVsRestClassifier(LogisticRegression(max_iter=ITERATIONS)).fit(rows, targets)
            return lambda test: np.asarray(model.predict_proba(test))
        model = LogisticRegression(max_iter=ITERATIONS).fit(rows, targets)
    return lambda test: _probabilities(model, test, task, classes)


def _boosting(task: str, rows: np.ndarray, targets: np.ndarray, *, classes: int, seed: int) -> Predict:
    """Fits trees, one model an output where there are several; as `_linear`."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    if task in ("binary", "multiclass"):
        model = HistGradientBoostingClassifier(random_state=seed).fit(rows, targets)
        return lambda test: _probabilities(model, test, task, classes)
    columns = targets.reshape(len(targets), -1).T
    if task == "regression":
        models = [HistGradientBoostingRegressor(random_state=seed).fit(rows, column) for column in columns]
        return lambda test: np.stack([model.predict(test) for model in models], axis=1)
    # A label that no row, or every row, of those drawn has is always answered so.
    labels = [
        HistGradientBoostingClassifier(random_state=seed).fit(rows, column) if np.ptp(column) else float(column[0])
        for column in columns
    ]
    return lambda test: np.stack(
        [np.full(len(test), one) if isinstance(one, float) else one.predict_proba(test)[:, 1] for one in labels], axis=1
    )


def _probabilities(model: Any, test: np.ndarray, task: str, classes: int) -> np.ndarray:
    """A classifier's probabilities, shaped as the network's; a class that it never saw has none."""
    found = model.predict_proba(test)
    if task == "binary":
        return np.asarray(found[:, 1:])
    outputs = np.zeros((len(test), classes))
    outputs[:, model.classes_.astype(int)] = found
    return outputs
