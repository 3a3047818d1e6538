"""What goes into a model and what comes out of it, by names that are the same in every process."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.errors import ModelError
from zoo.interpreters import one_line

Arrays = Mapping[str, np.ndarray]
"""Arrays by the name of the input or output they belong to, first axis the batch."""

INPUT, OUTPUT = "input", "output"
"""Names where Keras has none; of several, with their number after them."""

_COUNTED = re.compile(r"(keras_tensor|input_layer)(_\d+)?$")  # Keras's own names, which count up per process
_COUNTED_ALONE = re.compile(r"(keras_tensor|input_layer|input)(_\d+)?$")
_SAFE = re.compile(r"[A-Za-z][A-Za-z0-9_]*$")  # TensorFlow refuses other names of a signature's arguments


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """One input or output, without the batch axis.

    Attributes:
        name: In the exported file, in bundle.json and in golden.npz.
        alias: What Keras calls it, where that differs.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    alias: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.shape} {self.dtype}"


@dataclass(frozen=True, kw_only=True)
class Signature:
    """Inputs and outputs in the order of `model.inputs` and `model.outputs`.

    Attributes:
        input_structure: Names of inputs, nested as the model's call takes the tensors.
        output_structure: Names of outputs, nested as the call returns them.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    input_structure: Any
    output_structure: Any

    @property
    def single(self) -> bool:
        """Whether there is one input and one output."""
        return len(self.inputs) == len(self.outputs) == 1

    def pack(self, tensors: Mapping[str, Any]) -> Any:
        """Tensors by name as the model's call takes them."""
        import keras

        return keras.tree.map_structure(lambda name: tensors[name], self.input_structure)

    def unpack(self, answer: Any) -> dict[str, Any]:
        """What the model's call returned, by name."""
        import keras

        names = keras.tree.flatten(self.output_structure)
        return dict(zip(names, keras.tree.flatten(answer), strict=True))


def describe(model: Any, batch: Any = None) -> Signature:
    """The signature of a built model.

    Args:
        model: A `keras.Model`.
        batch: Samples as the call takes them (an array, or a dict, list or tuple of arrays), for a subclassed model,
            which does not know its own inputs.

    Raises:
        ModelError: Not built, an open axis, inputs that no exported file takes, or another backend's model.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ModelError(
            f"exports need Keras on TensorFlow, it runs on {keras.backend.backend()}; save the model as .keras and "
            "export that file with KERAS_BACKEND=tensorflow"
        )
    given = symbolic_inputs(model)
    if given is None and batch is None:
        raise ModelError(f"model {model.name!r} has no known input shape; pass representative samples")
    structure = _nested(batch) if given is None else given
    leaves = [(path, _tensor(model, leaf)) for path, leaf in keras.tree.flatten_with_path(structure)]
    names = _input_names(leaves)
    inputs = tuple(
        Tensor(name=name, shape=tensor.shape, dtype=tensor.dtype, alias=_alias(path, tensor.name))
        for name, (path, tensor) in zip(names, leaves, strict=True)
    )
    packed = keras.tree.pack_sequence_as(structure, names)
    outputs, returned = _outputs(
        model, Signature(inputs=inputs, outputs=(), input_structure=packed, output_structure=())
    )
    return Signature(inputs=inputs, outputs=outputs, input_structure=packed, output_structure=returned)


def symbolic_inputs(model: Any) -> Any:
    """Symbolic inputs of a functional or sequential model, nested as its call takes them; None for one without."""
    import keras

    try:
        inputs = model.inputs
    except (AttributeError, ValueError):  # a sequential model that was never built, a subclassed one
        return None
    if not inputs:
        return None
    return inputs[0] if isinstance(model, keras.Sequential) else model.input


def count_inputs(model: Any) -> int | None:
    """How many inputs a model takes, also a subclassed one that was called before; None where nobody knows."""
    import keras

    known = symbolic_inputs(model)
    if known is not None:
        return len(keras.tree.flatten(known))
    shapes = list((model.get_build_config() or {}).values()) if model.built else []
    if len(shapes) != 1 or not shapes[0]:
        return None
    if isinstance(shapes[0], Mapping):
        return len(shapes[0])
    return len(shapes[0]) if isinstance(shapes[0][0], (list, tuple)) else 1


def _nested(batch: Any) -> Any:
    """Samples with each array in place of which a tensor of a subclassed model can be described."""
    import keras

    return keras.tree.map_structure(np.asarray, batch)


def _tensor(model: Any, leaf: Any) -> Tensor:
    """One input, from a symbolic tensor or from samples, under the name that Keras has for it."""
    import keras

    if isinstance(leaf, np.ndarray):
        return Tensor(name="", shape=tuple(leaf.shape[1:]), dtype=_sample_dtype(leaf.dtype))
    layer = getattr(getattr(leaf, "_keras_history", None), "operation", None)
    dtype, shape = str(leaf.dtype), tuple(leaf.shape[1:])
    called = f"model {model.name!r} takes"
    if dtype == "string":
        raise ModelError(
            f"{called} strings (input {leaf.name!r}); export the part behind the text layer, fed with numbers"
        )
    for kind in ("sparse", "ragged"):
        if getattr(leaf, kind, False):
            raise ModelError(
                f"{called} {kind} tensors (input {leaf.name!r}); build it on dense ones: Input({kind}=False)"
            )
    if getattr(layer, "optional", False):
        raise ModelError(f"{called} an optional input ({leaf.name!r}); build it with that input always or never there")
    if None in shape:
        raise ModelError(f"{called} samples of shape {shape} (input {leaf.name!r}); build it with every axis fixed")
    return Tensor(name=str(leaf.name), shape=shape, dtype=keras.backend.standardize_dtype(dtype))


def _sample_dtype(dtype: np.dtype[Any]) -> str:
    """What a subclassed model is fed: signed integers are ids and stay such, pixels and numbers become float32."""
    return {"i": "int32", "b": "bool"}.get(dtype.kind, "float32")


def _key(path: Sequence[Any]) -> str:
    """The keys of a nested dict on the way to a leaf; empty where lists lead to it."""
    return "_".join(part for part in path if isinstance(part, str))


def _alias(path: Sequence[Any], keras_name: str) -> str:
    """What a user may call an input, besides its name."""
    return str(path[-1]) if path and isinstance(path[-1], str) else keras_name


def _input_names(leaves: Sequence[tuple[Sequence[Any], Tensor]]) -> list[str]:
    if len(leaves) == 1:
        ((path, tensor),) = leaves
        name = _key(path) or tensor.name
        return [name if _is_safe(name) and not _COUNTED_ALONE.match(name) else INPUT]
    wanted = [_key(path) or ("" if _COUNTED.match(tensor.name) else tensor.name) for path, tensor in leaves]
    return _distinct(wanted, INPUT)


def _is_safe(name: str) -> bool:
    return bool(_SAFE.match(name)) and not keyword.iskeyword(name)


def _distinct(wanted: Sequence[str], default: str) -> list[str]:
    """Names that a signature and a file take; the default and its number where there is none, or not one of its own."""
    safe = [re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_") for name in wanted]
    own = [name if _is_safe(name) and safe.count(name) == 1 else "" for name in safe]
    names: list[str] = []
    for number, name in enumerate(own, start=1):
        chosen = name or f"{default}_{number}"
        while not name and chosen in (*own, *names):
            chosen += "_"
        names.append(chosen)
    return names


def _outputs(model: Any, known: Signature) -> tuple[tuple[Tensor, ...], Any]:
    """Outputs, found by calling the model on zeros, and their names nested as the call returns them."""
    import keras

    zeros = {tensor.name: np.zeros((1, *tensor.shape), tensor.dtype) for tensor in known.inputs}
    try:
        answer = model(known.pack(zeros), training=False)
    except Exception as error:  # the user's own layers raise anything
        reason = one_line(error)
        taken = ", ".join(map(str, known.inputs))
        raise ModelError(
            f"model {model.name!r} cannot be called with {taken}: {reason}; check what call() takes"
        ) from error
    leaves = keras.tree.flatten_with_path(answer)
    names = _output_names(model, [path for path, _ in leaves])
    for name, (_, leaf) in zip(names, leaves, strict=True):
        shape = tuple(getattr(leaf, "shape", ()))
        if len(shape) == 0 or shape[0] != 1:
            raise ModelError(
                f"model {model.name!r} answers one sample with shape {shape} as {name!r}; the first axis must be "
                "the batch"
            )
    tensors = tuple(
        Tensor(
            name=name,
            shape=tuple(int(size) for size in leaf.shape[1:]),
            dtype=keras.backend.standardize_dtype(leaf.dtype),
            alias=str(path[-1]) if path and isinstance(path[-1], str) else "",
        )
        for name, (path, leaf) in zip(names, leaves, strict=True)
    )
    return tensors, keras.tree.pack_sequence_as(answer, names)


def _output_names(model: Any, paths: Sequence[Sequence[Any]]) -> list[str]:
    """Keys of a dict, else the names that the user gave the last layers."""
    layers = output_layers(model)
    wanted = [_key(path) for path in paths]
    if len(paths) == 1:
        return [wanted[0] if _is_safe(wanted[0]) else OUTPUT]
    if len(layers) == len(paths):
        wanted = [name or _given_name(layer) for name, layer in zip(wanted, layers, strict=True)]
    return _distinct(wanted, OUTPUT)


def output_layers(model: Any) -> list[Any]:
    """The layer behind each output of a functional model, in their order; empty where the model does not tell."""
    try:
        outputs = model.outputs
    except (AttributeError, ValueError):
        return []
    return [output._keras_history.operation for output in outputs or ()]


def _given_name(layer: Any) -> str:
    """A layer's name; empty for one that Keras made of the class and a number, which counts up per process."""
    stem = re.sub(r"_\d+$", "", layer.name)
    return "" if stem.replace("_", "").lower() == type(layer).__name__.replace("_", "").lower() else str(layer.name)
