"""One attempt at an export: a form and a mode, lowered, converted, run and compared; nothing is written yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from export import bundle as bundles
from export import lowering, operators
from export.attempt import Attempt, Compared, step_stream, with_quantization
from export.child import Child
from export.forms import Plan, RecurrentCall, StepModel, find_calls, plan_forms
from export.metadata import write_metadata
from export.options import Options
from export.parity import all_failures, compare
from export.quantization import Preset, choose_edges
from export.representative import calibration_inputs, moved_steps
from export.sensitivity import Loss, check_size, find_layers
from export.signature import Arrays, Signature
from export.source import Source
from export.worker import load_arrays, save_arrays
from zoo.errors import ModelError, ResourceError, UsageError

OnEvent = Callable[[str], None]
SIMILAR = 1.02
"""Files whose sizes differ by less than this factor are chosen by their error."""


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
        self._calls: tuple[RecurrentCall, ...] | None = None
        self._step: StepModel | None = None
        self._lowered: dict[str, Path] = {}
        self._losses: dict[str, Loss] = {}

    def best(self, preset: Preset) -> Attempt:
        """The best form of a mode: of the first round with one that is good enough, the smallest.

        Raises:
            ModelError: The mode does not serve this model; says why.
            UsageError: Something that the mode needs is missing.
        """
        self._refuse(preset)
        if self._options.file_format == "saved_model":
            return self._saved_model(preset)
        if self._calls is None:
            self._calls = tuple(find_calls(self._source.model, self._source.signature))
        plan = plan_forms(
            self._source.model,
            self._source.signature,
            preset.name,
            calls=self._calls,
            streaming=self._options.streaming,
            series=self._source.contract.get("input", {}).get("kind") == "series",
            micro=self._options.micro,
        )
        refused: list[ModelError | ResourceError] = []
        tried: list[Attempt] = []
        for forms in plan.rounds:
            found = []
            for form in forms:
                try:
                    found.append(self._attempt(preset, form, plan))
                except (ModelError, ResourceError) as error:  # too much time or memory for one form is no end
                    refused.append(error)
            tried += found
            good = [attempt for attempt in found if not attempt.failed]
            if good:
                return self._choose(good, tried, refused)
        if not tried:
            if self._options.automatic:  # too much time or memory for one mode is no end of the others
                raise ModelError(str(refused[0])) from refused[0]
            raise refused[0]
        return self._mended(self._choose(tried, tried, refused), plan)

    def _mended(self, attempt: Attempt, plan: Plan) -> Attempt:
        """An int8 file that missed its gates, again with the layers that lose most in float, where the mode is ours."""
        if attempt.preset.name != "int8" or not self._options.automatic:
            return attempt
        try:
            kept = self.losses(attempt).to_keep()
        except (ModelError, ResourceError) as error:
            self._tell(f"  its layers cannot be told apart: {error}")
            return attempt
        if not kept:
            return attempt
        self._tell(f"  trying int8 with {', '.join(kept)} in float")
        try:
            mended = self._attempt(attempt.preset, attempt.form, plan, keep_float=kept)
        except (ModelError, ResourceError) as error:
            self._tell(f"  {error}")
            return attempt
        self._tell(f"  {mended.describe()}")
        return attempt if mended.failed else mended

    def losses(self, attempt: Attempt) -> Loss:
        """What each layer loses in an int8 attempt; measured once.

        Raises:
            ModelError: The layers cannot be told apart, or are too many operators to follow.
        """
        if attempt.form not in self._losses:
            check_size(attempt.ops)
            doing = f"finding the layers of {self._source.name} that lose most in int8"
            self._tell(doing)
            folders = self._lowered[attempt.form], self._representative_folder(attempt.form)
            self._losses[attempt.form] = find_layers(self._child, doing, *folders)
        return self._losses[attempt.form]

    def explain(self, attempt: Attempt) -> tuple[str, ...]:
        """The layers that lose most, such as "conv2d (12.3 dB)".

        Raises:
            ModelError: They cannot be told apart.
        """
        return self.losses(attempt).worst()

    def _choose(self, among: list[Attempt], tried: list[Attempt], refused: list[ModelError | ResourceError]) -> Attempt:
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

    def _attempt(self, preset: Preset, form: str, plan: Plan, keep_float: tuple[str, ...] = ()) -> Attempt:
        doing = f"{self._doing(preset)} as {form}" if form != "graph" else self._doing(preset)
        self._tell(f"converting {doing}")
        saved_model, step = self._lower(form, plan)
        signature = self._source.signature if step is None else step.signature
        asked = self._options.io
        # auto takes them where a mode offers them
        io = choose_edges(preset, None if self._options.automatic and asked not in preset.edges else asked)
        if io == "uint8" and step is not None:
            raise ModelError(
                f"uint8 is for whole images, {self._source.name} in {preset.name} takes a step of shape "
                f"{step.sample.shape} a call; leave --io out"
            )
        arguments: dict[str, Any] = {"saved_model": str(saved_model), "mode": preset.name, "io": io}
        if preset.representative:
            arguments["representative"] = self._representative(form, step, signature)
        keep_float = keep_float or self._options.keep_float
        if keep_float:
            arguments["keep_float"] = list(keep_float)
        model = self._scratch / f"{preset.name}-{form}{'-kept' if keep_float else ''}.tflite"
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
        edges, outputs = self._replay("run", model, {"stream": stream, "builtin": preset.rounds})
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
            builtin=load_arrays(Path(edges["builtin"])) if edges["builtin"] else None,
            stream=stream,
            microseconds=edges.get("microseconds"),
            remembers=remembers,
            keep_float=keep_float,
        )

    def _lower(self, form: str, plan: Plan) -> tuple[Path, StepModel | None]:
        """The SavedModel of a form, traced once for all modes; and for the form "step" what it is made of."""
        model, signature = self._source.model, self._source.signature
        folder = self._scratch / f"saved_model-{form}"
        if form == "step" and self._step is None:
            self._step = StepModel(model, signature, plan.calls)
        step = self._step if form == "step" else None
        if form not in self._lowered:
            if step is not None:
                lowering.lower_step(step, model, folder)
            else:
                lowering.lower(model, signature, folder, batch=1, form=form, plan=plan)
            self._lowered[form] = folder
        return folder, step

    def _representative_folder(self, form: str) -> Path:
        return self._scratch / f"representative-{form if form in ('step', 'unrolled') else 'whole'}"

    def _representative(self, form: str, step: StepModel | None, signature: Signature) -> str:
        """The folder of calibration inputs of a form."""
        folder = self._representative_folder(form)
        if folder.exists():
            return str(folder)
        prepared = self._source.inputs(self._source.calibration or {})
        if step is not None:
            (sequences,) = prepared.values()
            prepared = step.walk_through(calibration_inputs(sequences, step.sample.dtype))
        samples = {tensor.name: calibration_inputs(prepared[tensor.name], tensor.dtype) for tensor in signature.inputs}
        if form == "unrolled":
            samples = {name: moved_steps(values) if values.ndim > 2 else values for name, values in samples.items()}
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
        failed = tuple(all_failures(comparisons, self._options.gates(preset)))
        return Attempt(
            preset=preset,
            model=model,
            bytes=bundles.model_bytes(model),
            outputs=outputs,
            comparisons=comparisons,
            failed=failed,
            **found,
        )

    def _doing(self, preset: Preset) -> str:
        return f"{self._source.name} to {self._options.file_format}-{preset.name}"
