"""What a user gives along with a model in memory: samples and targets, in any of the forms that Keras takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from export.signature import Arrays, Signature, Tensor
from zoo.errors import DataError, UsageError


@dataclass(frozen=True)
class Part:
    """One batch, or all there is: samples as the model's call takes them, and targets where there are any."""

    inputs: Any
    targets: Any = None


def read(
    given: Any, *, what: str, inputs: int | None, with_targets: bool = False, limit: int | None = None
) -> list[Part]:
    """The batches of an array, a dict, list or tuple of arrays, or an iterable of such batches.

    Args:
        given: As above; a `tf.data.Dataset`, a generator or a `keras.utils.PyDataset` is an iterable.
        what: Name of the argument, for messages.
        inputs: How many the model takes; None where nobody knows.
        with_targets: Whether a pair is samples and targets. Without, it may also be a model's two inputs.
        limit: Of an iterable, stop after this many samples.

    Raises:
        UsageError: Nothing of these, or without targets where there must be some.
        DataError: Empty, endless, or values that are no numbers.
    """
    if isinstance(given, Mapping) or _is_array(given) or isinstance(given, tuple):
        parts = [_split(given, inputs, with_targets)]
    elif isinstance(given, list) and inputs is not None and inputs == len(given) > 1 and all(map(_is_array, given)):
        parts = [Part(given)]
    else:
        parts = list(_taken((_split(entry, inputs, with_targets) for entry in _batches(given, what, limit)), limit))
    if not parts:
        raise DataError(f"the samples given as {what} are empty; give at least one batch")
    if with_targets and any(part.targets is None for part in parts):
        raise UsageError(f"{what} has no targets; give (samples, targets) or batches of both")
    return [Part(_arrays(part.inputs, what), part.targets if with_targets else None) for part in parts]


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array__") or hasattr(value, "to_tensor") or hasattr(value, "dense_shape")


def _split(entry: Any, inputs: int | None, with_targets: bool) -> Part:
    """Samples and targets of one batch; a third entry, Keras's sample weights, is left out."""
    if not isinstance(entry, tuple) or len(entry) not in (1, 2, 3):
        return Part(entry)
    both_inputs = inputs is not None and inputs == len(entry) > 1 and all(map(_is_array, entry))
    if both_inputs and not with_targets:
        return Part(entry)
    return Part(entry[0], entry[1] if len(entry) > 1 else None)


def _batches(given: Any, what: str, limit: int | None) -> Iterator[Any]:
    import keras

    endless = f"{what} repeats without end; give a part of it, such as dataset.take(20)"
    if isinstance(given, keras.utils.PyDataset):
        if given.num_batches is None and limit is None:
            raise DataError(endless)
        return (given[index] for index in range(given.num_batches or 2**31))
    if not isinstance(given, Iterable) or isinstance(given, (str, bytes)):
        raise UsageError(f"samples are a {type(given).__name__}; give an array or an iterable of batches")
    cardinality = getattr(given, "cardinality", None)
    if limit is None and callable(cardinality) and int(cardinality()) == -1:  # tf.data.INFINITE_CARDINALITY
        raise DataError(endless)
    return iter(given)


def _taken(parts: Iterable[Part], limit: int | None) -> Iterator[Part]:
    seen = 0
    for part in parts:
        yield part
        seen += _length(part.inputs)
        if limit is not None and seen >= limit:
            return


def _length(inputs: Any) -> int:
    """Samples of a batch; of what is no array, 1: it is refused soon enough."""
    while isinstance(inputs, (Mapping, list, tuple)) and len(inputs):
        inputs = next(iter(inputs.values())) if isinstance(inputs, Mapping) else inputs[0]
    return int(inputs.shape[0]) if getattr(inputs, "shape", None) else 1


def _arrays(inputs: Any, what: str) -> Any:
    """The same nesting of arrays of numbers."""
    if isinstance(inputs, Mapping):
        return {name: _arrays(value, what) for name, value in inputs.items()}
    if isinstance(inputs, (list, tuple)) and inputs and not np.isscalar(inputs[0]):
        return [_arrays(value, what) for value in inputs]
    return as_array(inputs, what)


def as_array(value: Any, what: str) -> np.ndarray:
    """An array of numbers.

    Raises:
        DataError: Ragged, sparse, or of strings or objects.
    """
    reason = "" if hasattr(value, "__array__") or isinstance(value, (list, tuple)) or np.isscalar(value) else "unknown"
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        array, reason = np.empty(0), " ".join(str(error).split())[:100]
    if reason or array.dtype.kind not in "biuf":
        held = f"a {type(value).__name__}" if reason else f"values of type {array.dtype}"
        raise DataError(f"{what} holds {held}; give dense arrays of numbers, such as numpy's")
    return array


def join(parts: Sequence[Part], signature: Signature, what: str) -> tuple[dict[str, np.ndarray], dict[str, Any] | None]:
    """Samples by the name of their input, and targets by that of their output where there are any.

    Raises:
        DataError: Names, numbers or lengths that do not fit the model, each problem in the message.
    """
    named = [_by_name(part.inputs, signature.inputs, what, "input") for part in parts]
    samples = {
        tensor.name: _joined([batch[tensor.name] for batch in named], f"{what}: input {tensor.name!r}")
        for tensor in signature.inputs
    }
    if _same_length(samples, what, "inputs") == 0:
        raise DataError(f"{what} holds no samples; give at least one")
    if parts[0].targets is None:
        return samples, None
    wanted = [_by_name(part.targets, signature.outputs, f"targets of {what}", "output") for part in parts]
    targets = {
        tensor.name: _joined(
            [as_array(batch[tensor.name], what) for batch in wanted], f"{what}: output {tensor.name!r}"
        )
        for tensor in signature.outputs
        if all(batch[tensor.name] is not None for batch in wanted)
    }
    if not targets:
        raise UsageError(f"{what} has no targets; give (samples, targets) or batches of both")
    _same_length(
        {**samples, **{f"target {name}": values for name, values in targets.items()}}, what, "inputs and targets"
    )
    return samples, targets


def _joined(arrays: Sequence[np.ndarray], what: str) -> np.ndarray:
    try:
        return np.concatenate(arrays) if len(arrays) > 1 else arrays[0]
    except ValueError as error:
        raise DataError(f"{what} has batches that do not go together: {' '.join(str(error).split())}") from error


def _same_length(arrays: Arrays, what: str, kinds: str) -> int:
    lengths = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(f"{what} has {kinds} of unlike length ({told}); give one row of each for every sample")
    return next(iter(lengths.values()))


def _by_name(given: Any, tensors: Sequence[Tensor], what: str, kind: str) -> dict[str, Any]:
    """A dict by name or by what Keras calls it, a list or tuple in the model's order, or one array for the only one."""
    if isinstance(given, Mapping):
        return _matched(given, tensors, what, kind)
    expected = f"expected {len(tensors)} {kind}s: {', '.join(map(str, tensors))}"
    if len(tensors) == 1:
        only = given[0] if isinstance(given, (list, tuple)) and len(given) == 1 and kind == "input" else given
        if kind == "input" and isinstance(only, (list, tuple)):
            raise DataError(f"{what} gives {len(only)} arrays, {expected.replace('inputs', 'input')}")
        return {tensors[0].name: only}
    flat = _flat(given) if isinstance(given, (list, tuple)) else [given]
    if len(flat) != len(tensors):
        arrays = "one array" if len(flat) == 1 else f"{len(flat)} arrays"
        raise DataError(f"{what} gives {arrays}, {expected}; give a dict of arrays by name")
    return {tensor.name: value for tensor, value in zip(tensors, flat, strict=True)}


def _flat(given: Any) -> list[Any]:
    if isinstance(given, (list, tuple)):
        return [leaf for value in given for leaf in _flat(value)]
    return [leaf for key in sorted(given) for leaf in _flat(given[key])] if isinstance(given, Mapping) else [given]


def _matched(given: Mapping[str, Any], tensors: Sequence[Tensor], what: str, kind: str) -> dict[str, Any]:
    leaves = _leaves(given)
    found = {
        tensor.name: next((key for key in (tensor.name, tensor.alias) if key in leaves), None) for tensor in tensors
    }
    missing = [name for name, key in found.items() if key is None]
    extra = [str(key) for key in leaves if key not in found.values()]
    if missing or extra:
        told = [f"no {kind} {', '.join(missing)}"] if missing else []
        told += [f"{', '.join(extra)} is not known to the model"] if extra else []
        raise DataError(f"{what}: {' and '.join(told)}; the model's {kind}s are {', '.join(map(str, tensors))}")
    return {name: leaves[key] for name, key in found.items() if key is not None}


def _leaves(given: Mapping[str, Any]) -> dict[str, Any]:
    """Values by key; nested dicts by their keys joined, as in a signature."""
    leaves: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, Mapping):
            leaves.update({f"{key}_{inner}": leaf for inner, leaf in _leaves(value).items()})
        else:
            leaves[str(key)] = value
    return leaves
