"""Which layers lose most in int8, and files in which those stay in float.

`find_layers` asks the process that converts; what it does there stands in `measuring`, and how a file is quantized in
part in `keeping`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from export.child import Child

POOR_DB = 30.0
"""Below this the noise is over 3 % of the signal, about where decisions begin to change."""


@dataclass(frozen=True, kw_only=True)
class LayerLoss:
    """What one layer costs.

    Attributes:
        layer: Name of the Keras layer; of a layer in a model in the model, "encoder/dense".
        operators: What it became, such as ("CONV_2D",).
        snr_db: Signal to noise of the model's answers in dB with this layer alone in int8; 120 is no noise.
        share: Its noise as a share of that of all layers.
        kept_snr_db: With all in int8 but this layer and those that are worse; None where that was not measured.
    """

    layer: str
    operators: tuple[str, ...]
    snr_db: float
    share: float
    kept_snr_db: float | None = None

    def __str__(self) -> str:
        return f"{self.layer} ({self.snr_db:.1f} dB)"


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What int8 costs.

    Attributes:
        snr_db: Signal to noise of the answers in dB, all layers in int8.
        layers: The worst first.
        input_snr_db: With all layers in float behind an int8 input.
    """

    snr_db: float
    layers: tuple[LayerLoss, ...]
    input_snr_db: float = 120.0

    def worst(self, limit: int = 3) -> tuple[str, ...]:
        """What loses most and more than a little, as words: "conv2d (12.3 dB)"; an int8 input first, if it does."""
        told = [str(layer) for layer in self.layers[:limit] if layer.snr_db < POOR_DB]
        if self.input_snr_db < POOR_DB:
            told.insert(0, f"the int8 input itself ({self.input_snr_db:.1f} dB, --io float spares it)")
        return tuple(told)

    def to_keep(self) -> tuple[str, ...]:
        """Names of the fewest of the worst layers to keep in float for an answer that is not poor; () for none."""
        if self.snr_db >= POOR_DB:
            return ()
        for place, layer in enumerate(self.layers):
            if layer.kept_snr_db is not None and layer.kept_snr_db >= POOR_DB:
                return tuple(each.layer for each in self.layers[: place + 1])
        return ()


MOST_OPERATORS = 2_000
"""Of a file whose layers are followed: each layer costs two conversions and replays of all of them."""


def check_size(ops: Mapping[str, int]) -> None:
    """Raises ModelError where following the layers of a file would take minutes; `ops` is operator name to count."""
    count = sum(ops.values())
    if count > MOST_OPERATORS:
        raise ModelError(
            f"the file has {count:,} operators, and the layers of at most {MOST_OPERATORS:,} are followed; "
            "name layers with --keep-float to try them"
        )


def find_layers(child: Child, doing: str, saved_model: Path, representative: Path) -> Loss:
    """Measures what each layer costs in int8, with the samples that calibrate.

    Args:
        child: The process that converts.
        doing: What it is about, for messages: "following mnist-cnn's losses in int8".
        saved_model: Folder, as for conversion.
        representative: Folder of model inputs, likewise.

    Raises:
        ModelError: The model does not convert to int8.
    """
    answer = child.ask("sensitivity", doing, saved_model=str(saved_model), representative=str(representative))
    layers = tuple(LayerLoss(**{**entry, "operators": tuple(entry["operators"])}) for entry in answer["layers"])
    return Loss(snr_db=answer["snr_db"], layers=layers, input_snr_db=answer["input_snr_db"])
