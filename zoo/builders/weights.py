"""Weights for a network of keras.applications: by download as Keras does, or from a file in any format."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from zoo.builders import outside
from zoo.errors import DataError, ModelError
from zoo.interpreters import one_line
from zoo.runs import sha256
from zoo.settings import quiet_tensorflow

SHELF = "weights"
ENDINGS = (".h5", ".hdf5", ".keras")
Layers = list[tuple[str, list[np.ndarray]]]
"""Name and weights of each layer that has some, in the order of the file."""


class _AskedError(Exception):
    """Keras has said which file it wants: (name, address, md5 or empty)."""


def fetch_weights(make: Callable[[str], Any], pinned: str, tell: outside.Tell) -> Path:
    """The file that Keras would download for a network, from the cache or its server.

    Args:
        make: Builds the network with these weights: "imagenet".
        pinned: Its sha256, or empty.
        tell: Told what happens.

    Raises:
        ModelError: Keras has no such weights.
        DataError: It is not the file that is pinned here, or by Keras.
    """
    quiet_tensorflow()
    try:
        with _asking():
            make("imagenet")
    except _AskedError as asked:
        name, address, md5 = asked.args
    else:
        raise ModelError("Keras downloads no weights for this network; give a file with --set weights=PATH")
    put = "fetch it elsewhere and name it with --set weights=PATH, or put it there as"
    path = outside.fetch(address, name, pinned, shelf=SHELF, tell=tell, put=put)
    if md5 and hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() != md5:
        raise DataError(f"{path} is not the file that Keras names: its md5 is not {md5}; delete it and try again")
    return path


@contextmanager
def _asking() -> Iterator[None]:
    """Within the block Keras says which file it would download instead of doing so.

    Only there are the names written down (Keras 3.15), and its own download waits without end where packets vanish.
    """
    from keras.src.utils import file_utils

    def tell(fname: str, origin: str, file_hash: str | None = None, **_others: Any) -> str:
        raise _AskedError(fname, origin, file_hash or "")

    own, file_utils.get_file = file_utils.get_file, tell
    try:
        yield
    finally:
        file_utils.get_file = own


def load_weights(network: Any, path: Path) -> None:
    """Puts the weights of a file into a network: all of them, or none and a reason.

    Takes weights as Keras 2 or 3 saved them (of the network, also with its own answer, or inside a larger model) and
    whole models.

    Args:
        network: A `keras.Model` without an answer.
        path: `.h5`, `.weights.h5` or `.keras`.

    Raises:
        ModelError: The file is damaged, or its weights are of another network.
    """
    import h5py

    try:
        if path.suffix == ".keras":
            _assign(network, _of_model(path), path)
            return
        with h5py.File(path, "r") as file:
            found = _of_file(file.get("model_weights", file))
        if found:
            _assign(network, found, path)
        else:
            _load_as_keras3(network, path)
    except ModelError:
        raise
    except Exception as error:  # files made by others raise anything
        raise ModelError(
            f"{path} does not load as weights of {network.name}: {one_line(error)[:200]}; give the file for this "
            "backbone and alpha"
        ) from error


def _of_model(path: Path) -> Layers:
    from zoo.hub_layer import load_model

    layers = load_model(path)._flatten_layers(include_self=False, recursive=True)
    return [(layer.name, layer.get_weights()) for layer in layers if layer.weights and not hasattr(layer, "layers")]


def _of_file(file: Any) -> Layers:
    """Layers of a file as Keras 2 wrote it; nothing of another."""
    found: dict[str, list[np.ndarray]] = {}
    for group in map(_text, file.attrs.get("layer_names", ())):
        for weight in map(_text, file[group].attrs.get("weight_names", ())):
            layer = weight.rpartition("/")[0] or group
            found.setdefault(layer, []).append(np.asarray(file[group][weight]))
    return list(found.items())


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _load_as_keras3(network: Any, path: Path) -> None:
    """Through a name that Keras knows the format by."""
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "network.weights.h5"
        link.symlink_to(path.absolute())
        network.load_weights(link)


def _assign(network: Any, found: Layers, path: Path) -> None:
    """By order where every shape agrees, else by name: a file may have an answer of its own, or layers around."""
    layers = [layer for layer in network.layers if layer.weights]
    if [_shapes(layer.get_weights()) for layer in layers] == [_shapes(weights) for _, weights in found]:
        chosen = [weights for _, weights in found]
    else:
        chosen = [_named(layer.name, found) for layer in layers]
    fitting = sum(_shapes(layer.get_weights()) == _shapes(w) for layer, w in zip(layers, chosen, strict=True))
    if fitting < len(layers):
        differing = next(lay for lay, w in zip(layers, chosen, strict=True) if _shapes(lay.get_weights()) != _shapes(w))
        raise ModelError(
            f"{path} has weights for {fitting} of the {len(layers)} layers of {network.name} ({differing.name} is the "
            f"first that differs) and {len(found)} layers in all: it is of another network; choose its backbone and "
            "alpha, or take a whole model with: zoo train hub --set module=FILE"
        )
    for layer, weights in zip(layers, chosen, strict=True):
        layer.set_weights(weights)


def _named(name: str, found: Layers) -> list[np.ndarray]:
    """Weights of the layer of that name; Keras 2 wrote slashes where Keras 3 has underscores."""
    for other, weights in found:
        if name in (other, other.replace("/", "_")) or other.endswith(f"/{name}"):
            return weights
    return []


def _shapes(weights: list[np.ndarray]) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in weights]


def locate_weights(path: Path, pinned: str, tell: outside.Tell) -> str:
    """The checksum of a file of weights.

    Raises:
        ModelError: It is no such file.
        DataError: It is not the pinned one.
    """
    if not path.is_file() or path.suffix not in ENDINGS:
        raise ModelError(f"{path} is no file of weights; expected one that ends in {', '.join(ENDINGS)}")
    return outside.verify(sha256(path), pinned, path, "weights_sha256", tell)
