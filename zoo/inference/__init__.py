"""One Predictor over a run, a `.keras` file, a SavedModel, a `.tflite` file and a bundle; no framework until needed."""

from zoo.inference.artifacts import Artifact, find_artifact
from zoo.inference.contract import Contract
from zoo.inference.evaluation import Evaluation, evaluate
from zoo.inference.predictor import Predictor
from zoo.inference.readers import Chunk, read_inputs

__all__ = ["Artifact", "Chunk", "Contract", "Evaluation", "Predictor", "evaluate", "find_artifact", "read_inputs"]
