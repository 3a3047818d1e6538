"""One time step of a recurrent model as a function of a sample and the state: what a sensor wants, int8 too."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from export.forms.calls import RecurrentCall
from export.signature import Arrays, Signature, Tensor
from zoo.errors import ModelError
from zoo.interpreters import one_line

ONE_STEP_LAYERS = (
    "Activation",
    "ActivityRegularization",
    "Add",
    "AlphaDropout",
    "Average",
    "Dense",
    "Dropout",
    "ELU",
    "Embedding",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "LeakyReLU",
    "Maximum",
    "Minimum",
    "Multiply",
    "ReLU",
    "Rescaling",
    "SpatialDropout1D",
    "Subtract",
    "TimeDistributed",
    # keras.ops on symbolic tensors
    "Cast",
    "Divide",
    "Relu",
    "Sigmoid",
    "Silu",
    "Tanh",
    "TrueDivide",
)
"""Layers whose answer at one time step depends on that step alone."""
LAST_AXIS_LAYERS = ("BatchNormalization", "Concatenate", "LayerNormalization", "Softmax", "UnitNormalization")
"""Likewise where their axis is the last one."""
MOST_CALIBRATION_STEPS = 4000


class _NotOneStepError(Exception):
    """A layer looks at several time steps; the message says which."""


class _Walk:
    """The model's graph, run on tensors that have one time step where the model's have all of them.

    Args:
        steps: Length of the model's sequences.
        states: Tensors to begin with, by the id of the recurrent layer.

    Attributes:
        left: States after the step, likewise; only of layers that were met.
        reshape: How to bring a tensor into a shape.
    """

    def __init__(
        self, steps: int, states: Mapping[int, Sequence[Any]], reshape: Callable[[Any, tuple[int, ...]], Any]
    ) -> None:
        self._steps, self._reshape, self._given = steps, reshape, states
        self.left: dict[int, list[Any]] = {}
        self._timed: dict[int, Any] = {}  # tensors with a time axis, kept alive so that their ids stay theirs

    def mark(self, tensor: Any) -> Any:
        self._timed[id(tensor)] = tensor
        return tensor

    def is_timed(self, tensor: Any) -> bool:
        return id(tensor) in self._timed

    def run(self, model: Any, tensor: Any) -> Any:
        """The model's answer; `_NotOneStepError` where a layer needs more than one step."""
        graph = getattr(model, "_functional", None) or model
        if not hasattr(graph, "_run_through_graph"):
            raise _NotOneStepError(f"{model.name!r} is a subclassed model, whose layers cannot be taken one by one")
        return graph._run_through_graph(tensor, operation_fn=lambda operation: self._stepped(operation))

    def _stepped(self, operation: Any) -> Callable[..., Any]:
        import keras

        def call(*arguments: Any, **options: Any) -> Any:
            tensors = keras.tree.flatten((arguments, options))
            timed = [tensor for tensor in tensors if self.is_timed(tensor)]
            if not timed:
                return operation(*arguments, **options)
            if isinstance(operation, keras.Model):
                return self.run(operation, arguments[0])
            if isinstance(operation, keras.layers.RNN):
                return self._recur(operation, arguments, options)
            return self.mark(self._one_step(operation, arguments, options, tensors, timed))

        return call

    def _one_step(
        self, operation: Any, arguments: Any, options: Any, tensors: Sequence[Any], timed: Sequence[Any]
    ) -> Any:
        name, kind = operation.name, type(operation).__name__
        if any(len(getattr(tensor, "shape", ())) > 1 and not self.is_timed(tensor) for tensor in tensors):
            raise _NotOneStepError(f"layer {name!r} joins a sequence with something that is none")
        if kind == "Reshape":
            wanted = tuple(operation.target_shape)
            if wanted[0] != self._steps or len(wanted) < 2 or -1 in wanted:
                raise _NotOneStepError(f"layer {name!r} gives the time axis another shape")
            return self._reshape(arguments[0], (1, *wanted[1:]))
        last = (-1, len(timed[0].shape) - 1)
        axes = operation.axis if kind in LAST_AXIS_LAYERS else -1
        if any(axis not in last for axis in (axes if isinstance(axes, (list, tuple)) else (axes,))):
            raise _NotOneStepError(f"layer {name!r} works along other axes than the last")
        if kind not in (*ONE_STEP_LAYERS, *LAST_AXIS_LAYERS):
            raise _NotOneStepError(f"layer {name!r} ({kind}) looks at several time steps")
        return operation(*arguments, **options)

    def _recur(self, layer: Any, arguments: Any, options: Any) -> Any:
        """One step of a recurrent layer, from the next of the given states."""
        if layer.return_state or len(arguments) > 1 or options.get("initial_state") is not None:
            raise _NotOneStepError(f"layer {layer.name!r} takes or gives its state inside the model")
        if id(layer) in self.left:
            raise _NotOneStepError(f"layer {layer.name!r} is used several times")
        answer, after = layer.cell(arguments[0][:, 0], list(self._given[id(layer)]), training=False)
        self.left[id(layer)] = list(after) if isinstance(after, (list, tuple)) else [after]
        return self.mark(answer[:, None]) if layer.return_sequences else answer


def why_not_stepped(model: Any, signature: Signature, calls: Sequence[RecurrentCall]) -> str:
    """Why a model cannot run one step at a time; empty where it can."""
    if not calls:
        return "it has no recurrent layer"
    if not signature.single or not signature.inputs[0].shape:
        return "only one sequence in and one answer out can go step by step"
    for call in calls:
        if reason := _why_not(call):
            return reason
    try:
        StepModel(model, signature, calls)
    except ModelError as error:
        return str(error)
    return ""


def _why_not(call: RecurrentCall) -> str:
    import keras

    if call.layer.go_backwards:
        return f"layer {call.name!r} reads the sequence from its end"
    if call.masked:
        return f"layer {call.name!r} has a mask"
    if call.given_state:
        return f"layer {call.name!r} begins with a given state"
    cell = call.layer.cell
    stock = (keras.layers.LSTMCell, keras.layers.GRUCell, keras.layers.SimpleRNNCell)
    return "" if isinstance(cell, stock) else f"layer {call.name!r} has a cell of its own kind, {type(cell).__name__}"


@dataclass(frozen=True, kw_only=True)
class State:
    """One state tensor: the id of its layer, its names in the file and its width."""

    layer: int
    input: str
    output: str
    shape: tuple[int, ...]


class StepModel:
    """A recurrent model, one time step a call.

    Args:
        model: Functional or sequential, under the float32 policy.
        signature: Of `export.signature.describe`, with one input (steps, ...) and one output.
        calls: Its recurrent layers.

    Attributes:
        steps: Length of the sequences that the model takes.
        sample: One step of its input.
        output: Its answer at each step.
        states: In the order of the recurrent layers.
        each: Whether the model answers at every step of a sequence; else at the last.

    Raises:
        ModelError: A layer looks at several steps.
    """

    def __init__(self, model: Any, signature: Signature, calls: Sequence[RecurrentCall]) -> None:
        import keras

        (whole,), (answer,) = signature.inputs, signature.outputs
        self._model = model
        self.steps = whole.shape[0]
        self.sample = Tensor(name=whole.name, shape=whole.shape[1:], dtype=whole.dtype)
        widths = [(id(call.layer), int(width)) for call in calls for width in call.layer.state_size]
        taken = {whole.name, answer.name}
        self.states = tuple(
            State(
                layer=layer, input=_free(f"state_{at}", taken), output=_free(f"next_state_{at}", taken), shape=(width,)
            )
            for at, (layer, width) in enumerate(widths, start=1)
        )
        self.each = False
        zeros = {self.sample.name: np.zeros((1, *self.sample.shape), whole.dtype), **self.zero_states(1)}
        found = self({name: keras.ops.convert_to_tensor(value) for name, value in zeros.items()}, answer.name)
        shape = tuple(int(size) for size in found[answer.name].shape[1:])
        self.output = Tensor(name=answer.name, shape=shape, dtype=answer.dtype)
        self.each = (self.steps, *shape) == answer.shape
        if not self.each and shape != answer.shape:
            raise ModelError("its answer is no answer of one step")

    @property
    def signature(self) -> Signature:
        """Inputs and outputs of the file: the sample and the states, the answer and the states after it."""
        into = tuple(Tensor(name=state.input, shape=state.shape, dtype="float32") for state in self.states)
        out = tuple(Tensor(name=state.output, shape=state.shape, dtype="float32") for state in self.states)
        inputs, outputs = (self.sample, *into), (self.output, *out)
        names = ({tensor.name: tensor.name for tensor in inputs}, {tensor.name: tensor.name for tensor in outputs})
        return Signature(inputs=inputs, outputs=outputs, input_structure=names[0], output_structure=names[1])

    def zero_states(self, batch: int) -> dict[str, np.ndarray]:
        """The states that a sequence begins with, by input, (batch, width) float32."""
        return {state.input: np.zeros((batch, *state.shape), np.float32) for state in self.states}

    def __call__(self, tensors: Mapping[str, Any], answer: str = "") -> dict[str, Any]:
        """One step.

        Args:
            tensors: The sample (batch, *shape) and the states, by input.
            answer: Name for the answer; by default the output's.

        Returns:
            The answer and the states after it, by output.

        Raises:
            ModelError: A layer looks at several steps.
        """
        import keras

        given: dict[int, list[Any]] = {}
        for state in self.states:
            given.setdefault(state.layer, []).append(tensors[state.input])
        walk = _Walk(self.steps, given, _reshape)
        sample = walk.mark(keras.ops.expand_dims(tensors[self.sample.name], 1))
        try:
            found = walk.run(self._model, sample)
        except _NotOneStepError as error:
            raise ModelError(str(error)) from error
        except ModelError:
            raise
        except Exception as error:  # a layer whose weights or axes reach over the steps raises anything
            raise ModelError(f"it does not run one step at a time: {one_line(error)[:120]}") from error
        if missing := given.keys() - walk.left.keys():
            raise ModelError(f"{len(missing)} of its recurrent layers lie inside other layers")
        if walk.is_timed(found):
            found = found[:, 0]
        left = [tensor for layer in given for tensor in walk.left[layer]]
        after = {state.output: tensor for state, tensor in zip(self.states, left, strict=True)}
        return {answer or self.output.name: found, **after}

    def walk_through(self, sequences: np.ndarray) -> dict[str, np.ndarray]:
        """Every step of whole sequences: samples and the states met there, for calibration.

        Args:
            sequences: (n, steps, ...) model inputs.

        Returns:
            By input of the file, (n x steps, ...) with the steps of a sequence in order; spread evenly over all of
            them where they are more than `MOST_CALIBRATION_STEPS`.
        """
        import tensorflow as tf

        states = {name: tf.constant(zeros) for name, zeros in self.zero_states(len(sequences)).items()}
        run = tf.function(lambda tensors: self(tensors), autograph=False)
        met: dict[str, list[np.ndarray]] = {name: [] for name in (self.sample.name, *states)}
        for step in range(self.steps):
            tensors = {self.sample.name: tf.constant(sequences[:, step].astype(self.sample.dtype)), **states}
            for name, tensor in tensors.items():
                met[name].append(np.asarray(tensor))
            found = run(tensors)
            states = {state.input: found[state.output] for state in self.states}
        stacked = {name: np.stack(parts, axis=1) for name, parts in met.items()}  # (n, steps, ...)
        flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in stacked.items()}
        return _spread(flat, self.steps)


def _spread(arrays: Arrays, steps: int) -> dict[str, np.ndarray]:
    """At most `MOST_CALIBRATION_STEPS` rows, the whole first sequence among them, every time step equally often.

    The first sequence holds the pixels that span the input's range, and its last step.
    """
    count = len(next(iter(arrays.values())))
    stride = math.ceil(count / MOST_CALIBRATION_STEPS)
    while math.gcd(stride, steps) > 1:  # a stride that shares a factor with the steps would meet some of them only
        stride += 1
    rows = np.union1d(np.arange(steps), np.arange(0, count, stride))
    return {name: values[rows] for name, values in arrays.items()}


def _reshape(tensor: Any, shape: tuple[int, ...]) -> Any:
    import keras

    return keras.ops.reshape(tensor, (-1, *shape))


def _free(name: str, taken: set[str]) -> str:
    """A name that no other tensor of the file has."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name
