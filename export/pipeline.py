"""One export, step by step: refuse, lower, convert, replay, compare, and only then write the bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from export import bundle as bundles
from export import cost, ladder, lowering
from export.attempt import Attempt, Compared
from export.attempts import Attempts, OnEvent
from export.bundle import Bundle
from export.child import Child
from export.forms import refuse_stateful
from export.manifest import describe_bundle
from export.options import Options
from export.parity import is_chance
from export.source import Source, random_samples
from export.targets import Target
from zoo import runs
from zoo.errors import GateError, ModelError, UsageError

FEW = 20
"""Samples below which a comparison says little."""
MOST_NAMED = 3
"""Layers that an error names."""
CHANCE = "no better than one answer for all"
"""Words of the warning where no gate means anything, because Keras itself has learnt nothing."""


class Export:
    """One export under way.

    Args:
        source: What is exported.
        options: How.
        target: Where it is to run.
        child: The process that converts and runs files.
        scratch: An empty folder, removed afterwards.
        tell: Told what happens, a line each.
    """

    def __init__(
        self, source: Source, options: Options, target: Target, child: Child, scratch: Path, tell: OnEvent
    ) -> None:
        self._source, self._options, self._child, self._scratch, self._tell = source, options, child, scratch, tell
        self._target = target
        self._rungs: list[dict[str, Any]] | None = None
        bundles.check_target(self._path(options.quantize))

    def run(self) -> Bundle:
        """Lowers, converts, compares, writes.

        Raises:
            ModelError: The model or the converter refuses it.
            UsageError: Something that the mode needs is missing.
            GateError: It is not good enough, or over a budget.
        """
        refuse_stateful(self._source.model)
        self._target.accept(self._source.contract, self._source.name)
        raw, compared = self._compared()
        attempts = Attempts(self._source, self._options, self._child, self._scratch, compared, self._tell)
        attempt = self._climb(attempts) if self._options.automatic else attempts.best(self._options.preset)
        self._warn(attempt, compared)
        path = self._path(attempt.preset.name)
        bundles.check_target(path)
        golden = self._golden(raw, compared, attempt)
        attempt, memory = self._measured(attempt)
        content = describe_bundle(
            attempt=attempt,
            options=self._options,
            source=self._source,
            cost={"parameters": cost.count_parameters(self._source.model), "macs": cost.count_macs(self._source.model)},
            memory=memory,
            runtimes=() if attempt.failed else self._target.runtimes,
            rungs=self._rungs,
        )
        if attempt.failed:
            layers = self._layers(attempts, attempt)
            raise self._rejected(path, attempt, compared, {**content, **layers}, golden)
        try:
            written = bundles.write(
                path, attempt.model, content, golden, extra=self._target.write, check=self._target.check
            )
        except GateError as error:
            raise self._rejected(path, replace(attempt, failed=(str(error),)), compared, content, golden) from error
        _failed_report(path).unlink(missing_ok=True)
        return written

    def _measured(self, attempt: Attempt) -> tuple[Attempt, dict[str, Any]]:
        """The attempt, failed where it is over its budget, and the memory that it takes."""
        if attempt.failed:
            return attempt, {}
        try:
            return attempt, self._target.measure(attempt.model, attempt.bytes, self._source.name)
        except GateError as error:
            return replace(attempt, failed=(str(error),)), {}

    def _path(self, mode: str) -> Path:
        return self._options.out or self._source.folder / self._options.name(mode)

    def _compared(self) -> tuple[dict[str, np.ndarray], Compared]:
        """Raw samples to compare on by input, and what Keras answers to them."""
        source = self._source
        if source.samples is not None:
            raw, targets, split = dict(source.samples), source.targets, source.split
        else:
            self._tell(
                f"{source.name} has no samples: it is compared on random inputs, which says nothing of its accuracy"
            )
            raw, targets, split = random_samples(source.contract, source.signature), {}, "random"
        inputs = source.inputs(raw)
        reference = lowering.predict(source.model, source.signature, inputs)
        if not all(np.all(np.isfinite(answers)) for answers in reference.values()):
            raise ModelError(f"{source.name} answers NaN or infinite values in Keras itself; train it again")
        self._tell(f"comparing with Keras on {len(next(iter(raw.values())))} {split} samples")
        return raw, Compared(inputs=inputs, targets=targets, reference=reference, split=split)

    def _climb(self, attempts: Attempts) -> Attempt:
        """The smallest file of all modes that is good enough."""
        if self._source.samples is None or not self._source.targets:
            raise UsageError(
                f"auto chooses by the metric on samples with targets, and {self._source.name} has none; choose a "
                f"--quantize mode, or {self._source.advice('evaluate')}"
            )
        rungs = [preset for preset in ladder.LADDER if self._target.runs(preset)]
        found = ladder.climb(rungs, attempts.best, explain=attempts.explain, tell=self._tell)
        self._rungs = found.report()
        return found.best()[1]

    def _warn(self, attempt: Attempt, compared: Compared) -> None:
        if compared.split == "calibration" and attempt.preset.representative:
            self._tell(
                "WARNING: it is compared on the samples that calibrate it, which flatters it; give others as evaluate"
            )
        pixels = any(self._source.answer(name)["task"] == "segmentation" for name in attempt.comparisons)
        if compared.count < FEW and not pixels:
            self._tell(
                f"WARNING: {compared.count} samples can show little: one changed answer passes, as it may be chance; "
                "compare on more"
            )
        for name, parity in attempt.comparisons.items():
            targets = compared.targets.get(name)
            if targets is not None and is_chance(parity, targets, self._source.answer(name)["task"]):
                self._tell(
                    f"WARNING: Keras itself reaches {parity.metric} {parity.metric_before:.4f} as {name!r}, {CHANCE}; "
                    "are the samples prepared as in training, and the targets in its order?"
                )

    def _golden(self, raw: dict[str, np.ndarray], compared: Compared, attempt: Attempt) -> dict[str, np.ndarray]:
        """A few samples and answers to replay: `samples`, `keras`, `outputs` and `builtin`.

        The last where a mode rounds activations. Of a model with several inputs or outputs with their name added.
        """
        width = max(int(np.prod(array.shape[1:])) for array in attempt.outputs.values())
        kept = bundles.golden_indices(compared.count, width)
        whole = {"samples": raw, "keras": compared.reference, "outputs": attempt.outputs}
        parts = {kind: {name: array[kept] for name, array in arrays.items()} for kind, arrays in whole.items()}
        if attempt.builtin is not None:
            parts["builtin"] = dict(attempt.builtin)
        if self._source.signature.single:
            return {kind: next(iter(arrays.values())) for kind, arrays in parts.items()}
        return {f"{kind}.{name}": array for kind, arrays in parts.items() for name, array in arrays.items()}

    def _layers(self, attempts: Attempts, attempt: Attempt) -> dict[str, Any]:
        """What each layer of an int8 file loses; nothing for another mode, or where they cannot be told apart."""
        if attempt.preset.name != "int8":
            return {}
        try:
            loss = attempts.losses(attempt)
        except ModelError as error:
            self._tell(f"its layers cannot be told apart: {error}")
            return {}
        return {
            "layers": [asdict(layer) for layer in loss.layers],
            "input_snr_db": loss.input_snr_db,
            "worst_layers": list(loss.worst(MOST_NAMED)),
            "to_keep_in_float": self._known_layers(loss.to_keep()),
        }

    def _known_layers(self, names: Sequence[str]) -> list[str]:
        """The names, where all of them are layers that a user can name; none where a step of our own is among them."""
        known = {layer.name for layer in self._source.model._flatten_layers(include_self=False)}
        return list(names) if all(name.split("/")[-1] in known for name in names) else []

    def _rejected(
        self, path: Path, attempt: Attempt, compared: Compared, content: dict[str, Any], golden: dict[str, np.ndarray]
    ) -> GateError:
        """The error for an export that is not good enough, after writing down every gate that it missed."""
        report, failed = _failed_report(path), list(attempt.failed)
        runs.write_json(report, {**content, "failed": failed})
        kept = ""
        if self._options.keep_failed:
            folder = path.with_name(f"{path.name}.failed")
            bundles.check_target(folder)
            bundles.write(folder, attempt.model, {**content, "failed": failed}, golden)
            kept = f"; the files are in {folder}"
        lost = ", ".join(content.get("worst_layers", ()))
        most = f"; most is lost in {lost}" if lost else ""
        advice = self._advice(attempt, content.get("to_keep_in_float", ()))
        return GateError(
            f"{self._source.name} to {path.name} did not pass: {'; '.join(failed)} (on {compared.count} "
            f"{compared.split} samples){most}; see {report}{kept}{advice}"
        )

    def _advice(self, attempt: Attempt, to_keep: Sequence[str]) -> str:
        """What may help against the gates that were missed."""
        missed = "; ".join(attempt.failed)
        tips = []
        if to_keep and not attempt.keep_float:
            tips.append(f"try --keep-float {','.join(to_keep)}")
        elif self._options.file_format == "tflite" and not self._options.automatic and attempt.preset.max_drop:
            tips.append("try --quantize auto")
        if "a drop of" in missed:
            tips.append("allow more with --max-drop")
        if attempt.preset.max_error is not None and "maximum error" in missed:
            tips.append("allow more with --tolerance")
        return f", {', or '.join(tips)}" if tips else ""


def _failed_report(path: Path) -> Path:
    return path.with_name(f"{path.name}.failed.json")
