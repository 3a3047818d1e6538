"""Measures searches, and prints each figure beside its target; it always exits 0.

Parts: "speed" is trials per hour of mnist-cnn against a plain keras-tuner script of the same space, trials and epochs,
alternating: in one process, and with two workers. "budget" is what a search of 15 minutes finds for a device: mnist in
20 kB of flash and 24 kB of arena, fashion in 64 kB. "defaults" tunes eight recipes and compares each with its default,
which is trained for the last time in the same way. Full sets come from $ZOO_DATA_PATH.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.figures import ROOT, aligned
from tuning.books import Books
from tuning.final import retrain
from zoo.runs import read_json

TRIALS, EPOCHS = 8, 3
SPACE = ("learning_rate=5e-4:5e-3:log", "dropout=0:0.5", "l2=1e-7:1e-4:log")
FIXED = ("--epochs", str(EPOCHS), "--schedule", "constant", "--set", "filters=16")

DEVICES: Mapping[str, tuple[float, tuple[str, ...]]] = {
    "mnist-cnn": (
        0.988,
        ("--max-flash", "20k", "--max-arena", "24k", "--space", "filters=6:14", "--space", "head=global,flatten"),
    ),
    "fashion-cnn": (0.915, ("--max-flash", "64k", "--space", "filters=12:20", "--space", "dropout=0.2:0.6")),
}
"""Recipe to the target and the options of its search."""


def spaces(*ranges: str) -> tuple[str, ...]:
    """The options that search these knobs alone."""
    return tuple(word for entry in ranges for word in ("--space", entry))


_AUGMENT = "augment=none,shift,flip,flip+shift"
_DENSE = spaces(_AUGMENT, "augment_strength=0.4:1", "dropout=0.1:0.4", "learning_rate=2e-3:1e-2:log")
_RECURRENT = spaces(_AUGMENT, "bidirectional", "convolution=0:32", "dropout=0:0.4", "epochs=10,15")
RECIPES: Mapping[str, tuple[str, ...]] = {
    "diabetes-mlp": ("--trials", "20", "--repeats", "5"),
    "digits-lstm": ("--trials", "12", "--repeats", "3", *spaces("units=48:128", "bidirectional", "convolution=0:32")),
    "mnist-mlp": ("--trials", "8", *_DENSE),
    "fashion-mlp": ("--trials", "8", *_DENSE),
    "mnist-lstm": ("--trials", "8", *_RECURRENT),
    "fashion-gru": ("--trials", "8", *_RECURRENT),
    "mnist-gru": ("--trials", "8", *_RECURRENT),
    "fashion-lstm": ("--trials", "8", *_RECURRENT),
}
"""Recipe to the options of its search."""


def zoo(*words: str, out: Path) -> dict[str, Any]:
    """The JSON value of a command; what went wrong is printed and given as "error"."""
    program = [sys.executable, "-P", "-m", "zoo", *words, "--strict-data", "--out", str(out), "--json"]
    done = subprocess.run(program, capture_output=True, text=True, check=False, cwd=out)
    lines = done.stdout.splitlines()
    found: dict[str, Any] = json.loads(lines[-1]) if lines else {"error": done.stderr[-300:]}
    if "error" in found:
        print(f"  {' '.join(words)}: {found['error']}", file=sys.stderr)
    return found


def plain(out: Path, seed: int) -> float:
    """Seconds of a plain keras-tuner search, without imports and data."""
    program = [sys.executable, "-P", "-m", "scripts.plain_search", str(TRIALS), str(EPOCHS), str(seed), str(out)]
    done = subprocess.run(program, capture_output=True, text=True, check=True, cwd=ROOT)
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def ours(out: Path, seed: int, *more: str) -> float:
    """Seconds of the same search with `zoo tune`, from the first trial's proposal to the last trial's end."""
    space = [word for entry in SPACE for word in ("--space", entry)]
    words = ["tune", "mnist-cnn", "--trials", str(TRIALS), "--seed", str(seed), "--no-retrain", *FIXED, *space, *more]
    return float(read_json(Path(zoo(*words, out=out)["search"]) / "search.json")["seconds"])


def speed(folder: Path, rounds: int) -> list[dict[str, Any]]:
    """Trials per hour, the three ways by turns."""
    ways: Mapping[str, Callable[[int], float]] = {
        "plain keras-tuner": lambda seed: plain(folder / "plain", seed),
        "one process": lambda seed: ours(folder, seed),
        "two workers": lambda seed: ours(folder, seed, "--workers", "2"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds):
        for name, way in ways.items():
            seconds[name].append(way(turn + 1))
            print(f"  {name}, round {turn + 1}: {seconds[name][-1]:.1f} s for {TRIALS} trials", file=sys.stderr)
    base = statistics.median(seconds["plain keras-tuner"])
    targets = {"plain keras-tuner": None, "one process": 1.3, "two workers": 1.8}
    return [
        {
            "figure": f"{name}: trials per hour over plain keras-tuner's",
            "value": base / statistics.median(found),
            "target": targets[name],
            "trials_per_hour": 3600 * TRIALS / statistics.median(found),
            "seconds": found,
        }
        for name, found in seconds.items()
    ]


def budget(folder: Path, _rounds: int) -> list[dict[str, Any]]:
    """The exported file's accuracy on the test split, of the best that a search of 15 minutes finds."""
    rows = []
    for name, (target, options) in DEVICES.items():
        began = time.monotonic()
        common = ("--quantize", "int8", "--trials", "60", "--max-time", "11m", "--workers", "2")
        found = zoo("tune", name, *common, *options, out=folder)
        figures = found.get("figures") or {}
        best = next((trial for trial in found.get("trials", []) if trial["id"] == found.get("best")), {})
        statuses = [trial["status"] for trial in found.get("trials", [])]
        rows.append(
            {
                "figure": f"{name} int8, {' '.join(options[:4])}: test accuracy of the file",
                "value": (figures.get("exported") or {}).get("accuracy"),
                "target": target,
                "validation": best.get("score"),
                "bytes": best.get("bytes"),
                "arena_bytes": best.get("arena_bytes"),
                "values": best.get("values"),
                "trials": {status: statuses.count(status) for status in sorted(set(statuses))},
                "seconds": time.monotonic() - began,
                "error": found.get("error"),
            }
        )
        print(f"  {json.dumps(rows[-1])}", file=sys.stderr)
    return rows


def defaults(folder: Path, _rounds: int) -> list[dict[str, Any]]:
    """Each recipe as it stands and tuned, both trained on training and validation data, on the test split."""
    rows = []
    for name, options in RECIPES.items():
        began = time.monotonic()
        common = ("--tuner", "bayesian", "--workers", "2", "--max-time", "9m")
        found = zoo("tune", name, *common, *options, out=folder)
        seconds = time.monotonic() - began
        if "error" in found:
            rows.append({"figure": name, "value": None, "target": None, "error": found["error"]})
            continue
        metric = found["objective"]
        tuned, default = found["figures"]["metrics"][metric], as_it_stands(found, folder)[metric]
        rows.append(
            {
                "figure": f"{name}: test {metric} tuned, over its default",
                "value": tuned,
                "target": default,
                "trials": len(found["trials"]),
                "seconds": seconds,
                "values": next(trial["values"] for trial in found["trials"] if trial["id"] == found["best"]),
            }
        )
        print(f"  {json.dumps(rows[-1])}", file=sys.stderr)
    return rows


def as_it_stands(found: Mapping[str, Any], folder: Path) -> Mapping[str, float]:
    """The recipe's own values, which a space need not hold, trained for the last time just as the winner was."""
    books = Books.open(Path(found["search"]))
    default = replace(books.read("0000"), values={})
    return retrain(books, default, out=folder, name="default", listener=lambda _event: None).metrics


PARTS: Mapping[str, Callable[[Path, int], list[dict[str, Any]]]] = {
    "speed": speed,
    "budget": budget,
    "defaults": defaults,
}


def show(rows: Sequence[Mapping[str, Any]]) -> str:
    """The figures, a line each."""
    head = ("FIGURE", "MEASURED", "TARGET", "SECONDS")
    lines = [head]
    for row in rows:
        seconds = row.get("seconds")
        shown = ", ".join(f"{value:.0f}" for value in seconds) if isinstance(seconds, list) else f"{seconds or 0:.0f}"
        value, target = (("" if row[key] is None else f"{row[key]:.4g}") for key in ("value", "target"))
        lines.append((str(row["figure"]), value, target, shown))
    return aligned(lines)


def main() -> None:
    """Runs the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    parser.add_argument("--rounds", type=int, default=3, help="of the part speed")
    parser.add_argument("--json", action="store_true", help="one JSON value")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="searches ") as folder:
        rows = [row for part in given.parts or PARTS for row in PARTS[part](Path(folder), given.rounds)]
    print(json.dumps(rows) if given.json else show(rows))


if __name__ == "__main__":
    main()
