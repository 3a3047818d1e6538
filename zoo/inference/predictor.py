"""One way to predict with whatever the toolkit saves; TensorFlow is imported for `.keras` and SavedModel alone."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo import masks, runner, streaming
from zoo.data.dataset import Samples
from zoo.errors import ModelError
from zoo.inference.artifacts import Artifact, find_artifact
from zoo.inference.contract import Contract, guess_contract, read_contract
from zoo.interpreters import one_line
from zoo.settings import quiet_tensorflow

Forward = Callable[[np.ndarray], np.ndarray]
MOST_SAMPLES = 2048
BATCH_NUMBERS = 2**20
"""A batch has at most MOST_SAMPLES samples and about BATCH_NUMBERS numbers of input: few calls, little memory."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A model in memory.

    Attributes:
        shape: Of one input, without the batch axis; None where the model leaves a size open.
        activation: Of the last layer, where the format tells.
        pixels: Whether it answers for every pixel, (height, width, classes).
    """

    forward: Forward
    shape: tuple[int | None, ...]
    outputs: int
    activation: str | None = None
    pixels: bool = False


class Predictor:
    """Answers for raw samples, from a run, a `.keras` file, a SavedModel, a `.tflite` file or a bundle.

    Open one with `Predictor.open`.

    Attributes:
        artifact: What was opened.
        contract: Input kind, shape and columns, steps, task and labels.
        outputs: Numbers the model answers a sample with.
        notes: What a user should know about how it was read, a line each.

    Example:
        >>> predictor = Predictor.open("runs/mnist-cnn")
        >>> predictor.predict(images).argmax(axis=-1)  # images: (n, 28, 28) uint8
    """

    def __init__(self, artifact: Artifact, contract: Contract, loaded: Loaded, notes: Sequence[str] = ()) -> None:
        self.artifact = artifact
        self.contract = contract
        self.outputs = loaded.outputs
        self.notes = tuple(notes)
        self._forward = loaded.forward
        self._batch_size = max(1, min(MOST_SAMPLES, BATCH_NUMBERS // max(1, math.prod(contract.shape))))

    @classmethod
    def open(cls, artifact: Path | str | Artifact, *, runs: Path = Path("runs")) -> Predictor:
        """Loads a model with its contract.

        A bundle's checksums are verified first; a `.tflite` file without any is tried in a child process, because a
        malformed one can kill the process that loads it.

        Args:
            artifact: A path, or a run's name.
            runs: Folder that names of runs are looked up in.

        Raises:
            UsageError: No such artefact.
            ModelError: It is damaged, was changed, does not fit its contract, or nobody knows how to feed it.
        """
        found = artifact if isinstance(artifact, Artifact) else find_artifact(artifact, runs)
        if found.bundle is not None:
            changed = runner.check_sums(found.bundle)
            if changed:
                raise ModelError(f"bundle {found.bundle} is not as it was exported: {'; '.join(changed)}; export again")
        contract = read_contract(found)
        loaded = _LOADERS[found.format](found)
        if contract is not None:
            _compare(found, contract, loaded)
            return cls(found, contract, loaded)
        shape = tuple(size for size in loaded.shape if size is not None)
        contract = guess_contract(found, shape, loaded.outputs, loaded.activation, pixels=loaded.pixels)
        note = (
            f"{found.model.name} has no contract: it is fed raw pixels of 0 to 255, resized to {shape[0]}x{shape[1]}, "
            f"and its answer is read as {contract.task}"
        )
        return cls(found, contract, loaded, [note])

    def predict(self, raw: Samples, batch_size: int | None = None) -> np.ndarray:
        """Answers for raw samples.

        Args:
            raw: First axis the batch: pixels of 0 to 255, (n, height, width[, channels]) of any size, or (n, columns)
                raw numbers as in `zoo.rows`.
            batch_size: Samples that go through the model at once; by default as many as fit its input.

        Returns:
            (n, outputs) float32: probabilities, or values in target units; of a segmentation (n, height, width) uint8,
            the class of every pixel of images or tiles in the model's size, see `segment` for others; of a detector
            maps, see `zoo.boxes`.

        Raises:
            DataError: Samples the model was not made for.
        """
        size = batch_size or self._batch_size
        if self.contract.task == "segmentation":
            return self._classes(raw, batch_size or max(size // 4, 1))
        parts = [self.answer(self.contract.prepare(np.asarray(raw[at : at + size]))) for at in range(0, len(raw), size)]
        return np.concatenate(parts) if parts else np.zeros((0, self.outputs), np.float32)

    def answer(self, samples: np.ndarray, batch_size: int | None = None) -> np.ndarray:
        """Answers for samples after the steps, (n, *shape); otherwise as `predict`, but for a segmentation."""
        size = batch_size or self._batch_size
        batches = (samples[at : at + size] for at in range(0, len(samples), size))
        parts = [self.contract.finish(np.asarray(self._forward(batch), np.float32)) for batch in batches]
        return np.concatenate(parts) if parts else np.zeros((0, self.outputs), np.float32)

    def segment(self, image: np.ndarray) -> np.ndarray:
        """The class of every pixel of an image of any size, (height, width) uint8; see `zoo.masks.segment`."""
        return masks.segment(image, self.contract.describe(), self._forward)

    def shares(
        self, names: Sequence[str], images: np.ndarray, write: Callable[[str, np.ndarray], None] | None = None
    ) -> np.ndarray:
        """Shares of the classes of images, (n, classes) float32; their masks go to `write`."""
        return masks.answer_pictures(list(names), images, self.contract.describe(), self._forward, write)

    def _classes(self, raw: Samples, size: int) -> np.ndarray:
        parts = [
            masks.classes_of(self._forward(self.contract.prepare(np.asarray(raw[at : at + size]))))
            for at in range(0, len(raw), size)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, *self.contract.shape[:2]), np.uint8)


def _compare(artifact: Artifact, contract: Contract, loaded: Loaded) -> None:
    fits = len(loaded.shape) == len(contract.shape) and all(
        size in (None, wanted) for size, wanted in zip(loaded.shape, contract.shape, strict=True)
    )
    if not fits:
        raise ModelError(
            f"{artifact.model} takes inputs of shape {loaded.shape}, {contract.source} says {contract.shape}; "
            "they do not belong together"
        )
    if contract.outputs not in (None, loaded.outputs):
        raise ModelError(
            f"{artifact.model} answers with {loaded.outputs} numbers, {contract.source} says {contract.outputs}; "
            "they do not belong together"
        )


def _load_tflite(artifact: Artifact) -> Loaded:
    if artifact.bundle is None:
        runner.probe(artifact.model)
    contract = {} if artifact.bundle is None else runner.read_contract(artifact.bundle)
    model = streaming.open_model(artifact.model, contract)
    return Loaded(
        forward=model.predict,
        shape=model.input_shape,
        # of pixels the classes, which every format has last
        outputs=model.output_shape[-1]
        if len(model.output_shape) == 3
        else int(np.prod(model.output_shape, dtype=np.int64)),
        pixels=len(model.output_shape) == 3,
    )


def _load_keras(artifact: Artifact) -> Loaded:
    if not artifact.model.is_file():
        raise ModelError(f"{artifact.model} is missing: the run saved no weights; train it again")
    quiet_tensorflow()
    from zoo.hub_layer import load_model

    try:
        model = load_model(artifact.model)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ImportError, zipfile.BadZipFile) as error:
        raise ModelError(f"{artifact.model} does not load as a Keras model: {one_line(error)}") from error
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            f"{artifact.model} has {len(inputs)} inputs, {len(outputs)} outputs; expected one of each, split the model"
        )
    dtype = inputs[0].dtype
    return Loaded(
        forward=lambda batch: np.asarray(model.predict_on_batch(batch.astype(dtype))),
        shape=tuple(inputs[0].shape[1:]),
        outputs=int(outputs[0].shape[-1]),
        activation=getattr(getattr(model.layers[-1], "activation", None), "__name__", None),
        pixels=len(outputs[0].shape) == 4,
    )


def _load_saved_model(artifact: Artifact) -> Loaded:
    quiet_tensorflow()
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(artifact.model))
    except (OSError, ValueError, RuntimeError, KeyError, tf.errors.OpError) as error:
        raise ModelError(f"{artifact.model} does not load as a SavedModel: {one_line(error)}") from error
    signatures = dict(loaded.signatures)
    signature = signatures.get("serving_default") or next(iter(signatures.values()), None)
    inputs = list(signature.structured_input_signature[1].values()) if signature is not None else []
    outputs = list(signature.structured_outputs.values()) if signature is not None else []
    if signature is None or len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            f"{artifact.model} has {len(signatures)} signatures, {len(inputs)} inputs and {len(outputs)} outputs; "
            "expected a serving signature with one of each: save it with model.export(folder)"
        )
    served = Served(model=loaded, signature=signature, input_name=inputs[0].name, dtype=inputs[0].dtype.as_numpy_dtype)
    return Loaded(
        forward=served,
        shape=tuple(inputs[0].shape[1:]),
        outputs=int(outputs[0].shape[-1]),
        pixels=len(outputs[0].shape) == 4,
    )


@dataclass(frozen=True, kw_only=True)
class Served:
    """A SavedModel's serving signature as a function of arrays.

    Attributes:
        model: The loaded object; the signature alone does not keep its variables alive.
    """

    model: Any
    signature: Any
    input_name: str
    dtype: Any

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Outputs for a batch, one sample at a time where the signature fixes the batch to one."""
        import tensorflow as tf

        fixed = self.signature.structured_input_signature[1][self.input_name].shape[0] == 1
        parts = np.split(inputs, len(inputs)) if fixed else [inputs]
        answers = [self.signature(**{self.input_name: tf.constant(part.astype(self.dtype))}) for part in parts]
        return np.concatenate([next(iter(answer.values())).numpy() for answer in answers])


_LOADERS: dict[str, Callable[[Artifact], Loaded]] = {
    "keras": _load_keras,
    "saved_model": _load_saved_model,
    "tflite": _load_tflite,
}
