"""One Predictor over a run, a `.keras` file, a SavedModel, a `.tflite` file and a bundle; no framework until needed."""

from zoo.inference.artifacts import Artifact, find_artifact
from zoo.inference.contract import Contract
from zoo.inference.evaluation import Evaluation, evaluate
from zoo.inference.job import Batch, Job, Summary, write_csv
from zoo.inference.predictor import Predictor
from zoo.inference.readers import Inputs

__all__ = [
    "Artifact",
    "Batch",
    "Contract",
    "Evaluation",
    "Inputs",
    "Job",
    "Predictor",
    "Summary",
    "evaluate",
    "find_artifact",
    "write_csv",
]
