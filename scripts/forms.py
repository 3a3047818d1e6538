"""Exports recurrent models in every form and mode, and writes what each costs to docs/recurrent-models.md.

The models take 64 steps of 6 channels and tell four made-up motions apart, after a short training. A latency is of one
sequence, as a share of the unrolled float32 file's of the same model; all files of a model are timed in alternating
rounds. The form in bold is the one that `zoo export` takes by itself; one in italics would not pass its gates.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from export.benchmarking import benchmark
from export.bundle import Bundle
from export.child import Child
from export.exporting import export_model
from export.forms import Plan, find_calls
from export.options import Options
from export.quantization import PRESETS, Preset
from scripts.figures import ROOT, fill_page, markdown
from zoo.errors import ZooError
from zoo.settings import quiet_tensorflow

PAGE = ROOT / "docs" / "recurrent-models.md"
STEPS, CHANNELS, CLASSES = 64, 6, 4
MODELS = ("LSTM(32)", "GRU(32)", "bidirectional LSTM(32)", "bidirectional GRU(32)", "two LSTM(32)", "two GRU(32)")
POSSIBLE = {
    "fused": ("float32", "float16", "int8"),  # dynamic changes nothing of it, int16x8 is refused by the converter
    "loop": ("float32", "float16", "dynamic"),  # the others end the converter's process
    "step": tuple(PRESETS),
    "unrolled": ("float32", "int8", "int16x8"),  # taken in the last two alone
}
"""Forms, and the modes that a file in them can have."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Of one file.

    Attributes:
        bytes: Of the model file.
        max_error: Largest difference of a probability from Keras's.
        agreement: Share of samples with the same answer.
        ratio: Latency over that of the unrolled float32 file.
        good: Whether `zoo export` would let it pass.
    """

    bytes: int
    max_error: float
    agreement: float
    ratio: float
    good: bool


def motions(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Series of four motions that differ in how their frequency goes: steady or rising, slow or fast.

    Args:
        count: Samples.
        seed: Of the generator.

    Returns:
        (count, 64, 6) float32 and (count,) classes from 0 to 3.
    """
    generator = np.random.default_rng(seed)
    kinds = generator.integers(0, CLASSES, count)
    time = np.arange(STEPS) / STEPS
    turns = np.where(kinds[:, None] % 2, 6.0, 3.0) * np.where(kinds[:, None] > 1, time * (0.5 + time), time)
    phases = generator.uniform(0, 2 * np.pi, (count, 1, CHANNELS))
    waves = np.sin(2 * np.pi * turns[..., None] + phases) * generator.uniform(0.5, 1.5, (count, 1, CHANNELS))
    return (waves + generator.normal(0, 0.3, waves.shape)).astype(np.float32), kinds


def trained(name: str, *, epochs: int = 6, samples: int = 2000) -> Any:
    """One of `MODELS`, shortly trained on `motions`."""
    quiet_tensorflow()
    import keras

    keras.utils.set_random_seed(7)
    make = keras.layers.LSTM if "LSTM" in name else keras.layers.GRU
    if name.startswith("bidirectional"):
        recurrent = [keras.layers.Bidirectional(make(32))]
    else:
        recurrent = [make(32, return_sequences=True), make(32)] if name.startswith("two") else [make(32)]
    head = keras.layers.Dense(CLASSES, activation="softmax")
    model = keras.Sequential([keras.Input((STEPS, CHANNELS)), *recurrent, head])
    model.compile(keras.optimizers.Adam(0.005), loss="sparse_categorical_crossentropy")
    model.fit(*motions(samples, 1), batch_size=64, epochs=epochs, verbose=0)
    return model


@contextlib.contextmanager
def forced(form: str) -> Iterator[None]:
    """Within the block, exports of recurrent models take this form, good enough or not."""

    def plan(model: Any, signature: Any, *_: Any, **__: Any) -> Plan:
        return Plan(rounds=((form,),), calls=tuple(find_calls(model, signature)))

    def no_gates(_options: Options, preset: Preset) -> Preset:
        return replace(preset, max_error=None, max_drop=None, min_agreement=None)

    with mock.patch("export.attempts.plan_forms", plan), mock.patch.object(Options, "gates", no_gates):
        yield


def export(model: Any, mode: str, folder: Path, child: Child, form: str | None = None) -> Bundle:
    """A bundle in a form, by default the one that `zoo export` takes.

    Raises:
        ZooError: It is refused or not good enough.
    """
    options: dict[str, Any] = {"representative": motions(200, 2)[0], "evaluate": motions(400, 3), "child": child}
    out = folder / f"{mode}-{form or 'chosen'}"
    with forced(form) if form else contextlib.nullcontext():
        return export_model(model, quantize=mode, out=out, **options)


def measure(name: str, child: Child, folder: Path) -> dict[tuple[str, str], Figures | str]:
    """Figures of each (mode, form) of a model, or why there is none; (mode, "chosen") is the form that is taken."""
    model = trained(name)
    bundles: dict[tuple[str, str], Bundle] = {}
    found: dict[tuple[str, str], Figures | str] = {}
    for form, modes in POSSIBLE.items():
        for mode in modes if form != "fused" or "LSTM" in name else ():  # there is no such operator for a GRU
            say(f"{name}: {form} in {mode}")
            try:
                bundles[mode, form] = export(model, mode, folder, child, form)
            except ZooError as error:
                say(f"  {error}")
                found[mode, form] = "refused"
    for mode in PRESETS:
        say(f"{name}: {mode} as it comes")
        try:
            found[mode, "chosen"] = str(export(model, mode, folder, child).manifest["form"])
        except ZooError as error:
            say(f"  {error}")
            found[mode, "chosen"] = ""
    times = [result.p50_us for result in benchmark(list(bundles.values()))]
    base = times[list(bundles).index(("float32", "unrolled"))]
    for (key, bundle), time in zip(bundles.items(), times, strict=True):
        kept = {name: bundle.parity[name] for name in ("max_error", "agreement")}
        found[key] = Figures(bytes=bundle.bytes, ratio=time / base, good=_good(bundle), **kept)
    return found


def _good(bundle: Bundle) -> bool:
    """Whether it would pass its gates."""
    preset, parity = PRESETS[str(bundle.manifest["quantize"])], bundle.parity
    if preset.max_drop is None or preset.min_agreement is None:
        return bool(parity["max_error"] <= (preset.max_error or 0.0))
    drop = 100 * (parity["metric_before"] - parity["metric_after"])
    return bool(drop <= preset.max_drop and parity["agreement"] >= preset.min_agreement)


def table(measured: dict[str, dict[tuple[str, str], Figures | str]]) -> str:
    """A line for each model and mode, a column for each form."""
    lines = []
    for name, found in measured.items():
        for mode in PRESETS:
            cells = [_cell(found.get((mode, form)), taken=found[mode, "chosen"] == form) for form in POSSIBLE]
            lines.append((name, mode, *cells))
    return markdown(("model", "mode", *POSSIBLE), lines)


def _cell(figures: Figures | str | None, *, taken: bool) -> str:
    if figures is None or isinstance(figures, str):
        return figures or "-"
    agreement = f", {100 * figures.agreement:.1f} %" if figures.agreement < 1 else ""
    text = f"{figures.bytes / 1024:.1f} kB, {figures.max_error:.0e}{agreement}, {_short(figures.ratio)}x"
    return f"**{text}**" if taken else text if figures.good else f"*{text}*"


def _short(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2g}"


def say(line: str) -> None:
    """Progress, on standard error."""
    print(line, file=sys.stderr, flush=True)


def main(names: Sequence[str] = MODELS) -> None:
    """Measures models, prints the table, and writes the page where all are measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="MODEL", help=f"some of: {', '.join(MODELS)}; by default all")
    asked = parser.parse_args().names or list(names)
    if unknown := set(asked) - set(MODELS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(MODELS)}")
    measured = {}
    with Child() as child:
        for name in asked:
            with tempfile.TemporaryDirectory(prefix="zoo-forms-") as folder:
                measured[name] = measure(name, child, Path(folder))
    found = table(measured)
    print(found)
    if tuple(asked) == MODELS:
        fill_page(PAGE, "forms", "scripts/forms", found)
        say(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
