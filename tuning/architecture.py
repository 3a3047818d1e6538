"""Which models are of one architecture: what they cost once exported is then measured once."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from types import FunctionType
from typing import Any

_OF_TRAINING = ("_regularizer", "_initializer", "_constraint")
"""Ends of the names of settings that no exported file holds."""
_ALSO_OF_TRAINING: Mapping[str, tuple[str, ...]] = {
    "rate": ("Dropout", "Dropout1D", "Dropout2D", "Dropout3D"),
    "stddev": ("GaussianNoise",),
    "momentum": ("BatchNormalization",),
    "dropout": ("LSTM", "GRU", "SimpleRNN", "LSTMCell", "GRUCell", "SimpleRNNCell", "Attention", "ConvLSTM"),
    "recurrent_dropout": ("LSTM", "GRU", "SimpleRNN", "LSTMCell", "GRUCell", "SimpleRNNCell", "ConvLSTM"),
    "seed": ("",),
    "trainable": ("",),
}
"""Likewise whole names, in the stock layers whose names end so."""
_TELL_LITTLE = ("Lambda", "TFSMLayer")
"""Stock layers whose configuration does not say what they compute."""

_FUNCTIONS = ("function", "__lambda__")
"""Classes, as Keras writes them, of functions of one's own."""
_REFERENCES = ("keras_history", "input_layers", "output_layers")
"""Where a configuration refers to layers by their names."""


class _UntoldError(Exception):
    """The configuration does not say all."""


def architecture(model: Any) -> str | None:
    """A text that two models share where they differ at most in names, rates of dropout, penalties and initial values.

    Args:
        model: A built `keras.Model`.

    Returns:
        A digest; None where the configuration does not say what the model computes: a subclassed model, layers and
        functions of one's own.
    """
    if type(model).__name__ not in ("Functional", "Sequential") or not _is_stock(type(model).__module__):
        return None
    if not all(_is_told(layer) for layer in model._flatten_layers(include_self=False)):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of functions that will not load again: nothing is saved here
            plain = json.dumps(_plain(model.get_config(), {}, ""), sort_keys=True)
    except (_UntoldError, OSError, TypeError, ValueError, NotImplementedError):  # OSError: code without its source
        return None
    return hashlib.sha256(plain.encode()).hexdigest()


def _is_told(layer: Any) -> bool:
    """Whether a layer's configuration says what it computes: a stock one that holds no function of one's own.

    Functions without a name are written as their code, which leaves out the values that they refer to.
    """
    held = [value for value in vars(layer).values() if isinstance(value, FunctionType)]
    return (
        _is_stock(type(layer).__module__)
        and type(layer).__name__ not in _TELL_LITTLE
        and all(_is_stock(function.__module__) for function in held)
    )


def _is_stock(module: str | None) -> bool:
    return (module or "").partition(".")[0] == "keras"


def _plain(config: Any, names: dict[str, str], owner: str) -> Any:
    """A configuration without what belongs to training, every layer's name replaced by its place among them.

    Args:
        config: Of a model, or a part of one.
        names: Filled on the way.
        owner: Class of the layer that it is of.

    Raises:
        _UntoldError: Something of the user's own is in it.
    """
    if isinstance(config, Mapping):
        return _plain_mapping(config, names, owner)
    return [_plain(value, names, owner) for value in config] if isinstance(config, (list, tuple)) else config


def _plain_mapping(config: Mapping[str, Any], names: dict[str, str], owner: str) -> dict[str, Any]:
    if "class_name" in config:
        owner, module = str(config["class_name"]), config.get("module")
        if owner in _FUNCTIONS or (module is not None and not _is_stock(str(module))):
            raise _UntoldError(owner)
    plain: dict[str, Any] = {}
    for key, value in config.items():
        if _is_of_training(key, owner):
            continue
        if key in _REFERENCES or (key == "name" and not owner.endswith("Policy")):
            plain[key] = _renamed(value, names)
        else:
            plain[key] = _plain(value, names, owner)
    return plain


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """A layer's name, or nested references to layers, with numbers in the place of names."""
    if isinstance(value, str):
        return names.setdefault(value, f"#{len(names)}")
    return [_renamed(part, names) for part in value] if isinstance(value, (list, tuple)) else value


def _is_of_training(key: str, owner: str) -> bool:
    return key.endswith(_OF_TRAINING) or owner.endswith(_ALSO_OF_TRAINING.get(key, ("\0",)))
