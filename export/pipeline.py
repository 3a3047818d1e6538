"""One export, step by step: refuse, lower, convert, replay, compare, and only then write the bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export import bundle as bundles
from export import cost, lowering
from export.bundle import Bundle
from export.child import Child
from export.manifest import describe_bundle
from export.parity import all_failures, compare, is_chance
from export.quantization import Preset
from export.signature import Arrays
from export.source import Source, random_samples
from export.worker import load_arrays, save_arrays
from zoo import runs
from zoo.errors import GateError, ModelError, UsageError

OnEvent = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to export; see `export_model`."""

    file_format: str
    preset: Preset
    max_drop: float | None
    out: Path | None
    keep_failed: bool

    @property
    def name(self) -> str:
        """The bundle's default folder name."""
        return f"{self.file_format}-{self.preset.name}"


class Export:
    """One export under way.

    Args:
        source: What is exported.
        options: How.
        child: The process that converts and runs files.
        scratch: An empty folder, removed afterwards.
        tell: Told what happens, a line each.
    """

    def __init__(self, source: Source, options: Options, child: Child, scratch: Path, tell: OnEvent) -> None:
        self._source, self._options, self._child, self._scratch, self._tell = source, options, child, scratch, tell
        self._model, self._signature = source.model, source.signature
        self._path = options.out or source.folder / options.name
        bundles.check_target(self._path)
        self._doing = f"{source.name} to {options.name}"

    def run(self) -> Bundle:
        """Lowers, converts, compares, writes."""
        self._refuse()
        raw, targets, split = self._samples()
        count = len(next(iter(raw.values())))
        inputs = self._source.inputs(raw)
        reference = lowering.predict(self._model, self._signature, inputs)
        if not all(np.all(np.isfinite(answers)) for answers in reference.values()):
            raise ModelError(f"{self._source.name} answers NaN or infinite values in Keras itself; train it again")
        model, edges = self._convert()
        self._tell(f"comparing with Keras on {count} {split} samples")
        outputs, answer = self._replay(model, inputs)
        comparisons = {
            name: compare(reference[name], outputs[name], targets.get(name), self._source.answer(name), split)
            for name in reference
        }
        for name, parity in comparisons.items():
            if name in targets and is_chance(parity, targets[name], self._source.answer(name)["task"]):
                self._tell(
                    f"WARNING: Keras itself reaches {parity.metric} {parity.metric_before:.4f} as {name!r}, no better "
                    "than one answer for all; are the samples prepared as in training, and the targets in its order?"
                )
        content = describe_bundle(
            preset=self._options.preset,
            file_format=self._options.file_format,
            source=self._source,
            edges={**edges, **answer},
            comparisons=comparisons,
            cost={"parameters": cost.count_parameters(self._model), "macs": cost.count_macs(self._model)},
            size=bundles.model_bytes(model),
        )
        golden = self._golden(raw, reference, outputs)
        if failed := all_failures(comparisons, self._options.preset, self._options.max_drop):
            raise self._rejected(failed, f"on {count} {split} samples", model, content, golden)
        written = bundles.write(self._path, model, content, golden)
        _failed_report(self._path).unlink(missing_ok=True)
        return written

    def _refuse(self) -> None:
        """Says no before any time is spent on what cannot work."""
        preset, source = self._options.preset, self._source
        layer = lowering.recurrent_layer(self._model)
        if layer is not None and preset.name != "float32":
            raise ModelError(
                f"{source.name} has the recurrent layer {layer!r}, which converts to float32 only, not {preset.name}; "
                "use --quantize float32, or --format saved_model"
            )
        if preset.representative and source.calibration is None:
            raise UsageError(
                f"{preset.name} needs representative samples and {source.name} has none; export its run, or call "
                "zoo.export.to_tflite(model, representative=...)"
            )
        if preset.max_error is None and source.samples is None:
            raise UsageError(
                f"{preset.name} is judged on samples and {source.name} has none; export its run, use float32, or call "
                "zoo.export.to_tflite(model, evaluate=...)"
            )

    def _samples(self) -> tuple[Arrays, Arrays, str]:
        """Raw samples to compare on by input, their targets by output, and what they are."""
        source = self._source
        if source.samples is not None:
            return source.samples, source.targets, source.split
        self._tell(f"{source.name} has no samples: it is compared on random inputs, which says nothing of its accuracy")
        return random_samples(source.contract, self._signature), {}, "random"

    def _convert(self) -> tuple[Path, dict[str, Any]]:
        """The model file in the scratch folder, and what the converter's process said of it."""
        saved_model = self._scratch / "saved_model"
        tflite = self._options.file_format == "tflite"
        lowering.lower(self._model, self._signature, saved_model, batch=1 if tflite else None)
        if not tflite:
            return saved_model, {}
        self._tell(f"converting {self._doing}")
        arguments = {"saved_model": str(saved_model), "mode": self._options.preset.name}
        if self._options.preset.representative and self._source.calibration is not None:
            prepared = self._source.inputs(self._source.calibration)
            samples = {
                tensor.name: calibration_inputs(prepared[tensor.name], tensor.dtype)
                for tensor in self._signature.inputs
            }
            arguments["representative"] = self._save("representative", samples)
        model = self._scratch / runs.BUNDLE_MODEL
        return model, self._child.ask("convert", f"converting {self._doing}", out=str(model), **arguments)

    def _replay(self, model: Path, inputs: Arrays) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Answers of the exported file, computed in the child: a broken file must not end this process."""
        out = self._scratch / "outputs"
        operation = "run" if model.is_file() else "run_saved_model"
        samples = self._save("inputs", inputs)
        answer = self._child.ask(operation, f"running {self._doing}", model=str(model), samples=samples, out=str(out))
        if answer.get("stateful"):
            raise ModelError(f"{self._doing} keeps state between calls; nothing of ours asks for that, report it")
        return load_arrays(out), answer

    def _save(self, name: str, arrays: Arrays) -> str:
        return str(save_arrays(self._scratch / name, arrays))

    def _golden(self, raw: Arrays, reference: Arrays, outputs: Arrays) -> dict[str, np.ndarray]:
        """A few samples and answers to replay: `samples`, `keras` and `outputs`, of several with their name added."""
        kept = bundles.golden_indices(len(next(iter(raw.values()))))
        parts = {"samples": raw, "keras": reference, "outputs": outputs}
        if self._signature.single:
            return {kind: next(iter(arrays.values()))[kept] for kind, arrays in parts.items()}
        return {f"{kind}.{name}": array[kept] for kind, arrays in parts.items() for name, array in arrays.items()}

    def _rejected(
        self, failed: list[str], where: str, model: Path, content: dict[str, Any], golden: Arrays
    ) -> GateError:
        """The error for an export that is not good enough, after writing down every gate that it missed."""
        report = _failed_report(self._path)
        runs.write_json(report, {**content, "failed": failed})
        kept = ""
        if self._options.keep_failed:
            folder = self._path.with_name(f"{self._path.name}.failed")
            bundles.check_target(folder)
            bundles.write(folder, model, {**content, "failed": failed}, golden)
            kept = f"; the files are in {folder}"
        return GateError(
            f"{self._doing} did not pass: {'; '.join(failed)} ({where}); see {report}{kept}, try another --quantize, "
            "or allow more with --max-drop"
        )


def calibration_inputs(samples: np.ndarray, dtype: str) -> np.ndarray:
    """Model inputs for calibration, in the model's own type.

    Pixels are made to span 0 to 255, by two of the first sample.

    The converter takes the input's range from these samples: without a black and a white pixel among them, brighter
    ones would be clipped later, and a raw pixel would not be one quantization step.
    """
    values = samples.astype(dtype)
    # Ids in bytes are no pixels, and neither are columns of small numbers.
    if samples.dtype == np.uint8 and samples.ndim >= 3 and not dtype.startswith("int"):
        values[0].flat[0], values[0].flat[-1] = 0.0, 255.0
    return values


def _failed_report(path: Path) -> Path:
    return path.with_name(f"{path.name}.failed.json")
