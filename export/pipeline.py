"""One export, step by step: refuse, lower, convert, replay, compare, and only then write the bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export import bundle as bundles
from export import cost, lowering, sources
from export.bundle import Bundle
from export.child import Child
from export.manifest import describe_bundle
from export.parity import Parity, compare, failures
from export.quantization import Preset
from export.sources import Source
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
        self._model = lowering.as_float32(source.model)
        known = source.samples if source.samples is not None else source.calibration
        shape = None if known is None else tuple(source.inputs(known[:1]).shape[1:])
        self._signature = lowering.describe(self._model, shape)
        self._path = options.out or source.folder / options.name
        bundles.check_target(self._path)
        self._doing = f"{source.name} to {options.name}"

    def run(self) -> Bundle:
        """Lowers, converts, compares, writes."""
        self._refuse()
        raw, targets, split = self._samples()
        inputs = self._source.inputs(raw)
        reference = lowering.predict(self._model, inputs, self._signature.input_dtype)
        if not np.all(np.isfinite(reference)):
            raise ModelError(f"{self._source.name} answers NaN or infinite values in Keras itself; train it again")
        model, edges = self._convert()
        self._tell(f"comparing with Keras on {len(raw)} {split} samples")
        outputs, answer = self._replay(model, inputs)
        parity = compare(reference, outputs, targets, self._source.contract["output"], split)
        content = describe_bundle(
            preset=self._options.preset,
            file_format=self._options.file_format,
            contract=self._source.contract,
            signature=self._signature,
            edges={**edges, **answer},
            parity=parity,
            cost={"parameters": cost.count_parameters(self._model), "macs": cost.count_macs(self._model)},
            size=bundles.model_bytes(model),
            origin=self._source.origin,
        )
        kept = bundles.golden_indices(len(raw))
        golden = {"samples": raw[kept], "keras": reference[kept], "outputs": outputs[kept]}
        self._gate(parity, model, content, golden)
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

    def _samples(self) -> tuple[np.ndarray, np.ndarray | None, str]:
        """Raw samples to compare on, their targets, and what they are."""
        source = self._source
        if source.samples is not None:
            return source.samples, source.targets, source.split
        self._tell(f"{source.name} has no samples: it is compared on random inputs, which says nothing of its accuracy")
        signature = self._signature
        return sources.random_samples(source.contract, signature.input_shape, signature.input_dtype), None, "random"

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
            samples = calibration_inputs(self._source.inputs(self._source.calibration), self._signature.input_dtype)
            arguments["representative"] = self._save("representative.npy", samples)
        model = self._scratch / runs.BUNDLE_MODEL
        return model, self._child.ask("convert", f"converting {self._doing}", out=str(model), **arguments)

    def _replay(self, model: Path, inputs: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
        """Answers of the exported file, computed in the child: a broken file must not end this process."""
        out = self._scratch / "outputs.npy"
        operation = "run" if model.is_file() else "run_saved_model"
        samples = self._save("inputs.npy", inputs)
        answer = self._child.ask(operation, f"running {self._doing}", model=str(model), samples=samples, out=str(out))
        if answer.get("stateful"):
            raise ModelError(f"{self._doing} keeps state between calls; nothing of ours asks for that, report it")
        return np.load(out), answer

    def _save(self, name: str, array: np.ndarray) -> str:
        path = self._scratch / name
        np.save(path, array)
        return str(path)

    def _gate(self, parity: Parity, model: Path, content: dict[str, Any], golden: Mapping[str, np.ndarray]) -> None:
        """Raises where a gate was not passed, after writing down every one of them."""
        failed = failures(parity, self._options.preset, self._options.max_drop)
        if not failed:
            return
        report = _failed_report(self._path)
        runs.write_json(report, {**content, "parity": asdict(parity), "failed": failed})
        kept = ""
        if self._options.keep_failed:
            folder = self._path.with_name(f"{self._path.name}.failed")
            bundles.check_target(folder)
            bundles.write(folder, model, {**content, "failed": failed}, golden)
            kept = f"; the files are in {folder}"
        raise GateError(
            f"{self._doing} did not pass: {'; '.join(failed)} (on {parity.samples} {parity.split} samples); see "
            f"{report}{kept}, try another --quantize, or allow more with --max-drop"
        )


def calibration_inputs(samples: np.ndarray, dtype: str) -> np.ndarray:
    """Model inputs for calibration, in the model's own type.

    Pixels are made to span 0 to 255, by two of the first sample.

    The converter takes the input's range from these samples: without a black and a white pixel among them, brighter
    ones would be clipped later, and a raw pixel would not be one quantization step.
    """
    values = samples.astype(dtype)
    if samples.dtype == np.uint8:
        values[0].flat[0], values[0].flat[-1] = 0.0, 255.0
    return values


def _failed_report(path: Path) -> Path:
    return path.with_name(f"{path.name}.failed.json")
