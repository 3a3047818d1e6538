"""Trains recipes by the command line, exports each to float32 and int8 where it can, and records what was measured.

A recipe whose data is a stand-in is refused: the figures are of the real sets. The README's table is made from them
(`scripts/readme`).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from zoo.catalog import RECIPES
from zoo.metrics import PRIMARY
from zoo.results import RESULTS, measured
from zoo.runs import write_text


def zoo(*words: str) -> dict[str, Any]:
    """Runs a command and returns its JSON value, which is an error's where it failed."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "zoo", *words, "--json"], stdout=subprocess.PIPE, text=True, check=False
    )
    value: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return value


def measure(name: str, out: Path) -> dict[str, Any]:
    """The figures of one recipe at its defaults."""
    trained = zoo("train", name, "--out", str(out), "--strict-data")
    if "error" in trained:
        raise SystemExit(f"{name}: {trained['error']}")
    run = json.loads((Path(trained["run"]) / "run.json").read_text(encoding="utf-8"))
    return {
        "metric": PRIMARY[RECIPES.get(name).task],
        "metrics": {key: round(value, 5) for key, value in trained["metrics"]["test"].items()},
        "baselines": dict(trained["baselines"]),
        "parameters": trained["parameters"],
        "seconds": round(trained["seconds"], 1),
        "seed": run["seed"],
        "versions": run["versions"],
        "exports": {mode: exported(trained["run"], mode) for mode in ("float32", "int8")},
    }


def exported(run: str, mode: str) -> dict[str, Any]:
    """Size of the file and its figures on the whole test split, or why it was refused."""
    bundle = zoo("export", run, "--quantize", mode)
    if "error" in bundle:
        return {"refused": bundle["error"].replace(str(run), "RUN")}
    tested = zoo("evaluate", bundle["bundle"])
    if "error" in tested:
        raise SystemExit(f"{bundle['bundle']}: {tested['error']}")
    return {"bytes": bundle["bytes"], "metrics": {key: round(value, 5) for key, value in tested["metrics"].items()}}


def main() -> None:
    """Measures the recipes that match, one after the other, and writes after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("patterns", nargs="*", default=["*"], help="recipes, wildcards allowed")
    names = sorted({name for pattern in parser.parse_args().patterns for name in RECIPES.names(pattern)})
    results = dict(measured())
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            results[name] = measure(name, Path(folder))
        write_text(RESULTS, json.dumps({key: results[key] for key in sorted(results)}, indent=1) + "\n")
        figures = results[name]
        print(f"{name}: {figures['metric']} {figures['metrics'][figures['metric']]:.4f}, {figures['seconds']:.0f} s")


if __name__ == "__main__":
    main()
