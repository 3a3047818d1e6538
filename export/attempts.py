"""One attempt at an export: a form and a mode, lowered, converted, run and compared; nothing is written yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export import bundle as bundles
from export import lowering, operators
from export.child import Child
from export.forms import Plan, StepModel, plan_forms
from export.metadata import write_metadata
from export.options import Options
from export.parity import Parity, all_failures, compare
from export.quantization import Preset, choose_edges
from export.representative import calibration_inputs
from export.signature import Arrays, Signature
from export.source import Source
from export.worker import load_arrays, save_arrays
from zoo.errors import ModelError, UsageError

OnEvent = Callable[[str], None]
SIMILAR = 1.02
"""Files whose sizes differ by less than this factor are chosen by their error."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The samples that every attempt is compared on.

    Attributes:
        inputs: After the preprocessing steps, by input.
        targets: By output; outputs without targets are left out.
        reference: What Keras answers, by output.
        split: What the samples are: "validation", "given" or "random".
    """

    inputs: Arrays
    targets: Arrays
    reference: Arrays
    split: str

    @property
    def count(self) -> int:
        """Samples."""
        return len(next(iter(self.inputs.values())))


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A converted file, and how it compares with Keras.

    Attributes:
        preset: The quantization mode.
        form: One of `export.forms.FORMS`.
        io: What the file takes and gives: "int8", "uint8", "int16" or "float".
        model: The file, or a SavedModel's folder.
        bytes: Its size.
        ops: Operator name to count.
        edges: What the child said of the file: runtime, and by name dtype and quantization of inputs and outputs.
        outputs: Its answers by output, dequantized.
        comparisons: By output.
        failed: The gates that it missed, a sentence each.
        stream: Of bundle.json, for the form "step".
        microseconds: Median time of one sample on this machine, told and never written.
        remembers: Whether the file keeps state from one call to the next.
        keep_float: Layers that were kept in float.
    """

    preset: Preset
    form: str
    io: str
    model: Path
    bytes: int
    ops: Mapping[str, int]
    edges: Mapping[str, Any]
    outputs: Arrays
    comparisons: Mapping[str, Parity]
    failed: tuple[str, ...]
    stream: Mapping[str, Any] | None = None
    microseconds: float | None = None
    remembers: bool = False
    keep_float: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """Of bundle.json: "none", "reset per sequence" or "explicit"."""
        if self.stream is not None:
            return "explicit"
        return "reset per sequence" if self.remembers else "none"

    @property
    def max_error(self) -> float:
        """Largest over all outputs."""
        return max(parity.max_error for parity in self.comparisons.values())

    @property
    def parity(self) -> Parity:
        """Of the output that lost most."""
        return max(self.comparisons.values(), key=lambda parity: (parity.drop or 0.0, parity.max_error))

    def describe(self) -> str:
        """One line: form, size, error and time."""
        time = "" if self.microseconds is None else f", {self.microseconds:,.0f} us here"
        failed = f"; not good enough: {'; '.join(self.failed)}" if self.failed else ""
        return f"{self.form}: {self.bytes:,} bytes, maximum error {self.max_error:.2g}{time}{failed}"


class Attempts:
    """Makes attempts for one source.

    Args:
        source: What is exported.
        options: How.
        child: The process that converts and runs files.
        scratch: An empty folder, removed afterwards.
        compared: The samples.
        tell: Told what happens, a line each.
    """

    def __init__(
        self, source: Source, options: Options, child: Child, scratch: Path, compared: Compared, tell: OnEvent
    ) -> None:
        self._source, self._options, self._child, self._scratch = source, options, child, scratch
        self._compared, self._tell = compared, tell
        self._steps: dict[str, StepModel] = {}
        self._lowered: dict[str, Path] = {}

    def best(self, preset: Preset) -> Attempt:
        """The best form of a mode: of the first round with one that is good enough, the smallest.

        Raises:
            ModelError: The mode does not serve this model; says why.
            UsageError: Something that the mode needs is missing.
        """
        self._refuse(preset)
        if self._options.file_format == "saved_model":
            return self._saved_model(preset)
        plan = plan_forms(self._source.model, self._source.signature, preset.name, streaming=self._options.streaming)
        refused: list[ModelError] = []
        tried: list[Attempt] = []
        for forms in plan.rounds:
            found = []
            for form in forms:
                try:
                    found.append(self._attempt(preset, form, plan))
                except ModelError as error:
                    refused.append(error)
            tried += found
            good = [attempt for attempt in found if not attempt.failed]
            if good:
                return self._choose(good, tried, refused)
        if not tried:
            raise refused[0]
        return self._choose(tried, tried, refused)

    def _choose(self, among: list[Attempt], tried: list[Attempt], refused: list[ModelError]) -> Attempt:
        """The one that misses fewest gates, then the smallest; of two sizes alike, the one with the smaller error."""
        least = min(attempt.bytes for attempt in among)
        chosen = min(
            among,
            key=lambda attempt: (
                len(attempt.failed),
                attempt.bytes > least * SIMILAR,
                attempt.max_error if attempt.bytes <= least * SIMILAR else attempt.bytes,
            ),
        )
        if len(tried) + len(refused) > 1:
            for attempt in tried:
                self._tell(f"  {attempt.describe()}{' (taken)' if attempt is chosen else ''}")
            for error in refused:
                self._tell(f"  {error}")
        elif chosen.form not in ("graph", "loop"):
            self._tell(f"  {chosen.describe()}")
        return chosen

    def _refuse(self, preset: Preset) -> None:
        """Says no before any time is spent on what cannot work."""
        name = self._source.name
        choose_edges(preset, self._options.io)
        if preset.representative and self._source.calibration is None:
            advice = self._source.advice("representative")
            raise UsageError(f"{preset.name} needs representative samples and {name} has none; {advice}")
        if preset.max_error is None and self._source.samples is None:
            raise UsageError(
                f"{preset.name} is judged on samples and {name} has none; use float32, or "
                f"{self._source.advice('evaluate')}"
            )

    def _saved_model(self, preset: Preset) -> Attempt:
        folder = self._scratch / "saved_model"
        lowering.lower(self._source.model, self._source.signature, folder, batch=None)
        edges, outputs = self._replay("run_saved_model", folder, {})
        return self._compare(
            preset, form="graph", io="float", model=folder, ops=edges["ops"], edges=edges, outputs=outputs
        )

    def _attempt(self, preset: Preset, form: str, plan: Plan) -> Attempt:
        doing = f"{self._doing(preset)} as {form}" if form != "graph" else self._doing(preset)
        self._tell(f"converting {doing}")
        saved_model, step = self._lower(form, plan)
        signature = self._source.signature if step is None else step.signature
        io = choose_edges(preset, self._options.io)
        arguments: dict[str, Any] = {"saved_model": str(saved_model), "mode": preset.name, "io": io}
        if preset.representative:
            arguments["representative"] = self._representative(step, signature)
        if self._options.keep_float:
            arguments["keep_float"] = list(self._options.keep_float)
        model = self._scratch / f"{preset.name}-{form}.tflite"
        converted = self._child.ask("convert", f"converting {doing}", out=str(model), **arguments)
        if preset.name == "dynamic" and not operators.has_weights(model, "INT8"):
            raise ModelError(
                f"{self._source.name} in dynamic is the float32 file unchanged: every weight tensor of it is below "
                "1,024 values, and smaller ones stay as they are; use --quantize float16 or int8"
            )
        remembers = operators.keeps_state(model)
        stream = step_stream(step, self._options.streaming) if step is not None else None
        known = {
            **self._source.contract,
            "state": "reset per sequence" if remembers else "none",
            "stream": stream,
        }
        model.write_bytes(write_metadata(model.read_bytes(), known, name=self._source.name))
        edges, outputs = self._replay("run", model, {"stream": stream} if stream else {})
        if stream is not None:
            stream = with_quantization(stream, edges)
        return self._compare(
            preset,
            form=form,
            io=io,
            model=model,
            ops=converted["ops"],
            edges=edges,
            outputs=outputs,
            stream=stream,
            microseconds=edges.get("microseconds"),
            remembers=remembers,
        )

    def _lower(self, form: str, plan: Plan) -> tuple[Path, StepModel | None]:
        """The SavedModel of a form, traced once for all modes; and for the form "step" what it is made of."""
        model, signature = self._source.model, self._source.signature
        folder = self._scratch / f"saved_model-{form}"
        if form == "step" and form not in self._steps:
            self._steps[form] = StepModel(model, signature, plan.calls)
        step = self._steps.get(form)
        if form not in self._lowered:
            if step is not None:
                lowering.lower_step(step, model, folder)
            else:
                lowering.lower(model, signature, folder, batch=1, form=form, plan=plan)
            self._lowered[form] = folder
        return folder, step

    def _representative(self, step: StepModel | None, signature: Signature) -> str:
        """The folder of calibration inputs of a form."""
        folder = self._scratch / f"representative-{'step' if step else 'whole'}"
        if folder.exists():
            return str(folder)
        prepared = self._source.inputs(self._source.calibration or {})
        if step is not None:
            (sequences,) = prepared.values()
            prepared = step.walk_through(calibration_inputs(sequences, step.sample.dtype))
        samples = {tensor.name: calibration_inputs(prepared[tensor.name], tensor.dtype) for tensor in signature.inputs}
        return str(save_arrays(folder, samples))

    def _replay(self, operation: str, model: Path, options: Mapping[str, Any]) -> tuple[dict[str, Any], Arrays]:
        """Answers of the exported file, computed in the child: a broken file must not end this process."""
        out = self._scratch / f"outputs-{model.stem}"
        samples = self._scratch / "inputs"
        if not samples.exists():
            save_arrays(samples, self._compared.inputs)
        doing = f"running {self._source.name} ({model.stem})"
        answer = self._child.ask(operation, doing, model=str(model), samples=str(samples), out=str(out), **options)
        return answer, load_arrays(out)

    def _compare(self, preset: Preset, *, outputs: Arrays, model: Path, **found: Any) -> Attempt:
        compared = self._compared
        comparisons = {
            name: compare(
                reference, outputs[name], compared.targets.get(name), self._source.answer(name), compared.split
            )
            for name, reference in compared.reference.items()
        }
        gates = self._options.gates(preset)
        failed = tuple(all_failures(comparisons, gates, self._options.max_drop))
        return Attempt(
            preset=preset,
            model=model,
            bytes=bundles.model_bytes(model),
            outputs=outputs,
            comparisons=comparisons,
            failed=failed,
            keep_float=self._options.keep_float,
            **found,
        )

    def _doing(self, preset: Preset) -> str:
        return f"{self._source.name} to {self._options.file_format}-{preset.name}"


def step_stream(step: StepModel, streaming: bool) -> dict[str, Any]:
    """The "stream" of bundle.json for a file that is one time step."""
    return {
        "steps": step.steps,
        "answer": "each" if step.each else "last",
        "sample_shape": list(step.sample.shape),
        "states": [{"input": state.input, "output": state.output, "shape": list(state.shape)} for state in step.states],
        "streaming": streaming,
        "reset_after": step.steps,
    }


def with_quantization(stream: Mapping[str, Any], edges: Mapping[str, Any]) -> dict[str, Any]:
    """Its states with the types and scales that they have in the file."""
    states = []
    for state in stream["states"]:
        into, out = edges["state_inputs"][state["input"]], edges["state_outputs"][state["output"]]
        quantization = {"input_quantization": into["quantization"], "output_quantization": out["quantization"]}
        states.append({**state, "dtype": into["dtype"], **quantization})
    return {**stream, "states": states}
