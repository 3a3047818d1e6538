"""A SavedModel of others as a function of one tensor, with its variables; TensorFlow is imported when one is loaded."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import ModelError
from zoo.interpreters import one_line
from zoo.modules import SAVED_MODEL, Module

REFUSED = frozenset({"EagerPyFunc", "PyFunc", "PyFuncStateless", "ReadFile", "WriteFile", "MatchingFiles"})
"""Operations that read or write files or run Python: no feature extractor needs them."""


@dataclass(frozen=True)
class Loaded:
    """A SavedModel that TensorFlow has loaded.

    Attributes:
        function: (inputs, training) -> one tensor.
        owner: Keeps the variables alive, and is saved where the layer is exported.
        shape: Of its input without the batch axis, None where a size is open; None where nothing is known.
        dtype: Name of its input's.
        trainable: `tf.Variable`s that training may change.
        fixed: All others.
        penalties: Functions of nothing, each a term of the loss.
    """

    function: Callable[[Any, bool], Any]
    owner: Any
    shape: tuple[int | None, ...] | None
    dtype: str
    trainable: tuple[Any, ...]
    fixed: tuple[Any, ...]
    penalties: tuple[Callable[[], Any], ...]


def load_saved_model(module: Module, output: str = "", source: str = "the module") -> Loaded:
    """Loads a SavedModel as TF-Hub does: what it gives is called where it can be, else its serving signature.

    Args:
        module: Its files.
        output: Which of several outputs; empty for the only one, or the one called "default".
        source: For messages.

    Raises:
        ModelError: It does not load, has no function of one tensor, or touches files.
    """
    with tempfile.TemporaryDirectory(prefix="zoo-module-") as folder:
        module.write(Path(folder))
        _refuse_operations(module, source)
        owner = _hub_load(folder, source)
    call, concrete, trains = _callable(owner, source)
    specs = [_inputs(each) for each in concrete]
    if any(len(found) != 1 for found in specs):
        raise ModelError(f"{source} takes {max(map(len, specs))} tensors; expected a function of one, split the model")

    def function(inputs: Any, training: bool, _owner: Any = owner) -> Any:  # the owner keeps the variables alive
        return _chosen(call(inputs, training=training) if trains else call(inputs), output, source)

    variables = {id(variable): variable for each in concrete for variable in each.variables}
    listed = getattr(owner, "trainable_variables", None)
    free = {id(v) for v in (variables.values() if listed is None else listed) if v.trainable}
    spec = specs[0][0]
    return Loaded(
        function=function,
        owner=owner,
        shape=None if spec.shape.rank is None else tuple(spec.shape.as_list()[1:]),
        dtype=str(spec.dtype.name),
        trainable=tuple(variable for key, variable in variables.items() if key in free),
        fixed=tuple(variable for key, variable in variables.items() if key not in free),
        penalties=tuple(getattr(owner, "regularization_losses", None) or ()),
    )


def _hub_load(folder: str, source: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tensorflow-hub 0.16 imports pkg_resources, which says that it is going
        import tensorflow_hub as hub
    try:
        return hub.load(folder)
    except Exception as error:  # a graph made by others raises anything
        raise ModelError(f"{source} does not load as a SavedModel: {one_line(error)[:200]}") from error


def _refuse_operations(module: Module, source: str) -> None:
    """Refuses a graph that touches files or runs Python, before anything of it runs."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    graph = saved_model_pb2.SavedModel()
    try:
        graph.ParseFromString(module.files[SAVED_MODEL])
    except DecodeError as error:
        raise ModelError(f"{source} does not load: its {SAVED_MODEL} is damaged; get it again") from error
    found = {node.op for node in _nodes(graph)} & REFUSED
    if found:
        raise ModelError(
            f"{source} has operations that touch files or run Python ({', '.join(sorted(found))}), which no feature "
            "extractor needs; it is not trusted"
        )


def _nodes(graph: Any) -> Iterator[Any]:
    for meta in graph.meta_graphs:
        yield from meta.graph_def.node
        for body in meta.graph_def.library.function:
            yield from body.node_def


def _callable(owner: Any, source: str) -> tuple[Callable[..., Any], list[Any], bool]:
    """What is called, its traced functions, and whether it takes `training`."""
    own = getattr(owner, "__call__", None) if callable(owner) else None  # noqa: B004 - the restored function itself
    if own is not None and getattr(own, "concrete_functions", None):
        return own, list(own.concrete_functions), "training" in own.function_spec.fullargspec.args
    signatures = dict(owner.signatures) if hasattr(owner, "signatures") else {}
    signature = signatures.get("serving_default") or next(iter(signatures.values()), None)
    if signature is None:
        raise ModelError(
            f"{source} can neither be called nor has it a serving signature; save it with model.export(folder) or "
            "tf.saved_model.save(module, folder)"
        )
    names = list(signature.structured_input_signature[1])

    def call(inputs: Any) -> Any:
        return signature(**{names[0]: inputs})

    return call, [signature], False


def _inputs(concrete: Any) -> list[Any]:
    """Specs of the tensors that a traced function takes, that of `training` left out."""
    import tensorflow as tf

    positional, named = concrete.structured_input_signature
    specs = tf.nest.flatten((positional, {key: spec for key, spec in named.items() if key != "training"}))
    return [spec for spec in specs if isinstance(spec, tf.TypeSpec) and getattr(spec, "name", "") != "training"]


def _chosen(answer: Any, output: str, source: str) -> Any:
    """The one tensor of several that is meant."""
    if isinstance(answer, (list, tuple)) and len(answer) == 1:
        answer = answer[0]
    if isinstance(answer, Mapping):
        name = output or ("default" if "default" in answer else next(iter(answer)) if len(answer) == 1 else "")
        if name not in answer:
            wanted = f"no output {output!r}" if output else f"{len(answer)} outputs"
            raise ModelError(f"{source} has {wanted}; choose one with --set output=NAME: {', '.join(sorted(answer))}")
        return answer[name]
    if output or isinstance(answer, (list, tuple)):
        raise ModelError(
            f"{source} answers with {'one tensor' if output else 'several tensors'} without a name; leave output "
            "out or serve a function of one tensor"
        )
    return answer
