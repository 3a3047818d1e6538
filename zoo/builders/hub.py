"""A network made by others as a feature extractor, frozen or fine-tuned: a TF-Hub module, a SavedModel, a Keras file.

Transfer of features: Yosinski, Clune, Bengio and Lipson, "How transferable are features in deep neural networks?",
arXiv:1411.1792. What is called is what a reusable SavedModel of TF-Hub has: `__call__` with `training`,
`trainable_variables` and `regularization_losses` where it can be fine-tuned; else the serving signature. Loading a
SavedModel runs a graph that others made: take modules from where you would take a program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from zoo.builders import outside
from zoo.builders.builder import declare
from zoo.builders.features import HEAD, fit_shape, head, pixels_input, pooled, recommend
from zoo.cards import InputSpec, OutputSpec
from zoo.errors import ModelError, UsageError
from zoo.hyperparameters import Value, choice, flag, text
from zoo.interpreters import one_line
from zoo.modules import SAVED_MODEL, Module, read_archive, read_folder
from zoo.runs import MODEL
from zoo.runs import sha256 as checksum

SHELF = "hub"
KERAS_FILES = (".keras", ".h5", ".hdf5")
FLOATS = ("float32",)


def prepare(inputs: InputSpec, hyperparameters: Mapping[str, Value], tell: outside.Tell) -> dict[str, Value]:
    """Fetches the module where it is a handle, verifies it, and pins it in the run's configuration."""
    del inputs
    reference = str(hyperparameters["module"])
    _, found = _locate(reference, str(hyperparameters["sha256"]), tell)
    place = reference if outside.is_address(reference) else str(outside.own(reference, "module"))
    return {"module": place, "sha256": found}


@declare(
    "hub",
    summary="features of a TF-Hub module, a SavedModel or a Keras file made by others, frozen or fine-tuned",
    kinds=("image", "series", "table", "audio"),
    hyperparameters=(
        text("module", "https handle, folder or .tar.gz of a SavedModel, .keras or .h5 file, or a run's folder"),
        text("sha256", "pins the module: of the archive or file, or of the folder's list of checksums"),
        flag("fine_tune", False, "train the module too; else only the new answer"),
        text("output", "which output of a SavedModel, or which layer of a Keras file; empty is the usual one"),
        choice(
            "pixels",
            "auto",
            "what the module takes for pixels: unit 0 to 1, signed -1 to 1, raw 0 to 255; auto is unit, and raw for a "
            "Keras file that scales itself",
            ("auto", "unit", "signed", "raw"),
            search=("auto",),
        ),
        *HEAD,
    ),
    paper="Yosinski, Clune, Bengio, Lipson: arXiv:1411.1792",
    year=2014,
    recommend=recommend,
    prepare=prepare,
)
def hub(
    inputs: InputSpec,
    outputs: OutputSpec,
    *,
    module: str,
    sha256: str,
    fine_tune: bool,
    output: str,
    pixels: str,
    units: int,
    batch_norm: bool,
    dropout: float,
    l1: float,
    l2: float,
) -> Any:
    """Builds the network, (batch, *inputs.shape) float32 -> (batch, *outputs.shape) float32."""
    import keras

    found, _ = _locate(module, sha256, outside.tell_nobody)
    if isinstance(found, Path):
        extract, wanted, scaled = _of_keras_file(found, output, fine_tune)
    else:
        extract, wanted, scaled = _of_saved_model(found, module, output, fine_tune)
    start, x = pixels_input(inputs, pixels if pixels != "auto" else "raw" if scaled else "unit")
    x = pooled(extract(fit_shape(x, wanted, module)))
    answered = head(x, outputs, units=units, batch_norm=batch_norm, dropout=dropout, l1=l1, l2=l2)
    return keras.Model(start, answered, name="hub")


Extract = tuple[Callable[[Any], Any], tuple[int | None, ...] | None, bool]
"""From a Keras tensor to features, the shape that it takes, and whether it scales pixels itself."""


def _locate(reference: str, pinned: str, tell: outside.Tell) -> tuple[Module | Path, str]:
    """The module, or the Keras file, and its checksum.

    Raises:
        UsageError: None is named, or nothing is there.
        ModelError: It is none.
        DataError: It is not the pinned one.
    """
    if not reference:
        raise UsageError(
            "hub needs a module: --set module=HANDLE, a folder or .tar.gz of a SavedModel, or a Keras file"
        )
    if outside.is_address(reference):
        put = f"fetch {outside.as_archive(reference)} elsewhere and put the file there as"
        path = outside.fetch(
            reference, "module.tar.gz", pinned, shelf=SHELF, tell=tell, put=put, url=outside.as_archive(reference)
        )
    else:
        path = outside.own(reference, "module")
    if path.is_dir() and (path / MODEL).is_file():
        path = path / MODEL  # a run of one's own
    if path.is_dir():
        module = read_folder(path)
        return module, outside.verify(module.sha256, pinned, reference, "sha256", tell)
    found = outside.verify(checksum(path), pinned, reference, "sha256", tell)
    if path.suffix in KERAS_FILES:
        return path, found
    if path.suffix == ".tflite":
        raise ModelError(
            f"{path} is a converted model, which has nothing to train on; give the SavedModel it came from"
        )
    if path.name == SAVED_MODEL:
        raise ModelError(f"{path} is the graph without its variables; give the folder {path.parent}")
    return read_archive(path), found


def _of_saved_model(module: Module, source: str, output: str, fine_tune: bool) -> Extract:
    from zoo.hub_layer import HubLayer
    from zoo.saved_models import load_saved_model

    loaded = load_saved_model(module, output, source)
    if loaded.dtype not in FLOATS:
        why = (
            "texts, for which TFLite has no operators (the builder text learns words of its own)"
            if loaded.dtype == "string"
            else loaded.dtype
        )
        raise ModelError(f"{source} takes {why}; a module of float32 images, series or rows can be taken")

    def extract(x: Any) -> Any:
        features = _features(loaded, tuple(x.shape[1:]), source)
        return HubLayer(features, output=output, fine_tune=fine_tune, module=module, name="module")(x)

    return extract, loaded.shape, False


def _features(loaded: Any, shape: tuple[int, ...], source: str) -> tuple[int, ...]:
    """Shape of the answer to one sample, found by asking for two."""
    import numpy as np

    try:
        answer = np.asarray(loaded.function(np.zeros((2, *shape), np.float32), False))
    except ModelError:
        raise
    except Exception as error:  # a graph made by others raises anything
        raise ModelError(f"{source} does not run on batches of {shape}: {one_line(error)[:200]}") from error
    if answer.ndim < 2 or len(answer) != 2 or answer.dtype != np.float32:
        raise ModelError(
            f"{source} answers two samples with {answer.dtype} of shape {answer.shape}; expected float32 rows"
        )
    return answer.shape[1:]


def _of_keras_file(path: Path, output: str, fine_tune: bool) -> Extract:
    """The layers of a Keras file up to its last dense one."""
    import keras

    from zoo.hub_layer import load_model

    try:
        loaded = load_model(path)
    except Exception as error:  # files made by others raise anything
        raise ModelError(f"{path} does not load as a Keras model: {one_line(error)[:200]}") from error
    if len(getattr(loaded, "inputs", None) or ()) != 1:
        raise ModelError(f"{path} has {len(getattr(loaded, 'inputs', None) or ())} inputs; expected a model with one")
    backbone = keras.Model(loaded.inputs[0], _layer_output(loaded, output, path), name="backbone")
    backbone.trainable = fine_tune
    scaled = any(isinstance(layer, keras.layers.Rescaling) for layer in backbone.layers[:3])
    # in inference also where it is fine-tuned: statistics of a few new samples would spoil its normalisation
    return lambda x: backbone(x, training=False), tuple(loaded.inputs[0].shape[1:]), scaled


def _layer_output(loaded: Any, name: str, path: Path) -> Any:
    import keras

    names = [layer.name for layer in loaded.layers]
    if name and name not in names:
        raise ModelError(f"{path} has no layer {name!r}; its last ones are {', '.join(names[-6:])}")
    if name:
        return loaded.get_layer(name).output
    dense = [layer for layer in loaded.layers if isinstance(layer, keras.layers.Dense)]
    return dense[-1].input if dense and dense[-1].output is loaded.outputs[0] else loaded.outputs[0]
