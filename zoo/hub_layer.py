"""A SavedModel of others as a layer of a Keras 3 model, and the one way to load models that may have such a layer.

TF-Hub's own `KerasLayer` is made for Keras 2 and fails inside a functional model of Keras 3 (tensorflow-hub 0.16);
Keras's `TFSMLayer` keeps the path of the SavedModel alone, so that a moved or changed folder breaks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.errors import ModelError
from zoo.modules import Module, read_folder
from zoo.saved_models import Loaded, load_saved_model


def load_model(path: Path | str) -> Any:
    """An uncompiled `keras.Model` of a `.keras` or `.h5` file, layers of this module among them."""
    return keras.models.load_model(path, compile=False)


@keras.saving.register_keras_serializable(package="zoo")
class HubLayer(keras.layers.Layer):  # type: ignore[misc]
    """Calls a SavedModel, (batch, *input) float32 -> (batch, *features) float32.

    A `.keras` file that holds the layer holds the SavedModel: it loads wherever it is moved, with the weights that
    training gave it.

    Args:
        features: Shape of an answer, without the batch axis.
        output: Which of several outputs; see `zoo.saved_models`.
        fine_tune: Whether training changes the module's variables; frozen, it answers as in inference.
        sha256: Of the module, see `zoo.modules.Module.sha256`; a `.keras` file with another inside is refused.
        module: The SavedModel's files; None where a `.keras` file is loaded, which brings them.

    Raises:
        ModelError: The module does not load, is not the one named, or has nothing to train.
    """

    def __init__(
        self,
        features: tuple[int, ...],
        *,
        output: str = "",
        fine_tune: bool = False,
        sha256: str = "",
        module: Module | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs["dtype"] = "float32"  # the graph was made for it, whatever the policy
        super().__init__(name=name, **kwargs)
        self.features, self.output_name, self.fine_tune = tuple(features), output, fine_tune
        self.sha256 = sha256
        self._files: Module | None = None
        self._loaded: Loaded | None = None
        self._pending: list[np.ndarray] = []
        self.built = True
        if module is not None:
            self._take(module)

    def _take(self, module: Module) -> None:
        """Loads the SavedModel and makes its variables the layer's."""
        if self.sha256 and module.sha256 != self.sha256:
            raise ModelError(
                f"layer {self.name!r} has a SavedModel of sha256 {module.sha256}, expected {self.sha256}: the file is "
                "damaged or was changed; train it again"
            )
        loaded = load_saved_model(module, self.output_name, f"the SavedModel of layer {self.name!r}")
        if self.fine_tune and not loaded.trainable:
            raise ModelError(
                f"the SavedModel of layer {self.name!r} has no trainable variables, it was saved for inference; leave "
                "fine_tune off"
            )
        self.sha256, self._files, self._loaded = module.sha256, module, loaded
        self._owner = loaded.owner  # tracked, so that an exported model carries what its functions need
        # trained ones first: that is the order in which Keras saves and restores them
        trained = [self._adopt(variable, trainable=self.fine_tune) for variable in loaded.trainable]
        for variable in loaded.fixed:
            self._adopt(variable, trainable=False)
        if self.fine_tune and loaded.penalties:
            # on a variable, because what `add_loss` gathers in a traced step cannot be read outside of it
            trained[0].regularizer = lambda _: sum(penalty() for penalty in loaded.penalties)

    def _adopt(self, weight: Any, *, trainable: bool) -> Any:
        """A Keras variable around a `tf.Variable`, sharing its storage."""
        variable = keras.Variable(
            initializer=weight, trainable=trainable, dtype=weight.dtype, shape=weight.shape, name=_plain(weight.name)
        )
        self._track_variable(variable)
        return variable

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Features of a batch."""
        if self._loaded is None:
            raise ModelError(f"layer {self.name!r} has no SavedModel yet; load it from a .keras file")
        answer = self._loaded.function(inputs, bool(training) and self.fine_tune)
        return keras.ops.reshape(answer, (-1, *self.features))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Shape of the features of a batch."""
        return (input_shape[0], *self.features)

    def get_config(self) -> dict[str, Any]:
        """All but the module, which `save_assets` writes."""
        own = {
            "features": self.features,
            "output": self.output_name,
            "fine_tune": self.fine_tune,
            "sha256": self.sha256,
        }
        return {**super().get_config(), **own}

    def save_own_variables(self, store: Any) -> None:
        """Nothing of a frozen module: its variables are in the SavedModel."""
        if self.fine_tune:
            super().save_own_variables(store)

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Keeps what was trained until the module is there; Keras reads the assets afterwards."""
        self._pending = [np.asarray(store[str(index)]) for index in range(len(store.keys()))]
        self._assign_pending()

    def save_assets(self, dir_path: str) -> None:
        """Writes the SavedModel into the `.keras` file."""
        if self._files is not None:
            self._files.write(Path(dir_path))

    def load_assets(self, dir_path: str) -> None:
        """Reads the SavedModel from the `.keras` file."""
        if self._files is None:
            self._take(read_folder(Path(dir_path)))
        self._assign_pending()

    def _assign_pending(self) -> None:
        if self._loaded is None or not self._pending:
            return
        for variable, value in zip(self.variables, self._pending, strict=True):
            variable.assign(value)
        self._pending = []


def _plain(name: str) -> str:
    """A variable's name as Keras takes it."""
    return name.replace("/", "_").partition(":")[0]
