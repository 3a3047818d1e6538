import numpy as np
import pytest

from zoo import metrics
from zoo.runs import (
    BUNDLE_MANIFEST,
    CONFIG,
    EXPORT,
    HISTORY,
    PREDICTIONS,
    PREPROCESSING,
    Manifest,
    Run,
    write_json,
    write_npz,
    write_text,
)


def answers(task, labels, count=40):
    """Targets and mostly right outputs."""
    generator = np.random.default_rng(0)
    if task == "regression":
        targets = generator.normal(100, 20, (count, len(labels)))
        return targets, targets + generator.normal(0, 8, targets.shape)
    if task == "multilabel":
        targets = generator.integers(0, 2, (count, len(labels)))
        return targets, np.clip(targets * 0.6 + generator.uniform(0, 0.45, targets.shape), 0, 1)
    targets = np.arange(count) % len(labels)
    if task == "binary":
        return targets, np.clip(targets[:, np.newaxis] * 0.6 + generator.uniform(0, 0.45, (count, 1)), 0, 1)
    outputs = np.eye(len(labels))[targets] * 2 + generator.uniform(0, 1, (count, len(labels)))
    outputs[0] = np.roll(outputs[0], 1)  # one wrong answer
    return targets, outputs / outputs.sum(axis=1, keepdims=True)


@pytest.fixture
def make_run(tmp_path):
    """Makes a finished run by hand, in `tmp_path/runs`."""

    def make(task="multiclass", labels=("cat", "dog", "owl"), name="pets-cnn", data=None, **changes):
        targets, outputs = answers(task, labels)
        measured = {"loss": 0.21, **metrics.evaluate(task, targets, outputs)}
        primary = metrics.PRIMARY[task]
        counted = task in ("binary", "multiclass")
        identity = {
            "name": "pets",
            "sha256": "ab" * 32,
            "samples": {"train": 160, "validation": 40, "test": 40},
            "class_counts": {"test": {str(label): 13 for label in labels}} if counted else {},
            "stand_in": False,
            "duplicates": 2,
            "note": "",
        }
        trivial = {key: 0.1 for key in measured if key != "loss"}
        fields = {
            "status": "finished",
            "data": identity | (data or {}),
            "metrics": dict.fromkeys(("train", "validation", "test"), measured) | {"last": {"test": measured}},
            "baselines": {"mean" if task == "regression" else "majority": trivial},
            "epochs": {"done": 3, "best": 2},
            "parameters": 1234,
            "versions": {"keras": "3.15.1"},
        }
        manifest = Manifest(name=name, builder="convnet", seed=7, **fields | changes)
        run = Run.create(tmp_path / "runs", manifest)
        history = f"epoch,seconds,learning_rate,objective,penalty,train_loss,val_loss,train_{primary},val_{primary}\n"
        history += "".join(f"{e},1.5,0.001,0.9,0.05,{1 / e},{1.2 / e},{1 - 0.3 / e},{1 - 0.4 / e}\n" for e in (1, 2, 3))
        write_text(run.path / HISTORY, history)
        predictions = {"test_targets": targets, "test_outputs": outputs}
        write_npz(run.path / PREDICTIONS, validation_targets=targets, validation_outputs=outputs, **predictions)
        write_json(run.path / PREPROCESSING, {"output": {"task": task, "labels": labels}})
        write_text(run.path / CONFIG, '[training]\nlearning_rate = 0.003\n[hyperparameters]\nfilters = "<i>24</i>"\n')
        return run

    return make


@pytest.fixture
def add_bundle():
    def add(run, name="tflite-int8", **content):
        parity = {"split": "validation", "samples": 40, "max_error": 0.0312, "agreement": 0.975}
        parity |= {"metric_before": 0.9251, "metric_after": 0.9132}
        write_json(run.path / EXPORT / name / BUNDLE_MANIFEST, {"bytes": 48_123, "parity": parity} | content)

    return add
