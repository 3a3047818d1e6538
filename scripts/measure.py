"""Trains recipes by the command line, exports each to float32, int8 and what auto chooses, and records the figures.

A recipe whose data is a stand-in is refused: the figures are of the real sets. Beside its figures each recipe has the
fingerprint of the settings they were measured with, so that a recipe changed since then is known for stale. With
`--complete` a recipe that trains quickly is trained with more seeds, which draw other splits too where the set has no
test split of its own, so that its figure has a spread. README.md's table is made from them (`scripts/readme`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from export.cost import count_macs
from zoo.builders import get_builder
from zoo.catalog import RECIPES
from zoo.config import configure
from zoo.data import load
from zoo.data.dataset import SEASONAL
from zoo.data.loading import with_own_options
from zoo.data.options import DataConfig
from zoo.errors import GateError, ModelError, ZooError
from zoo.metrics import PRIMARY
from zoo.results import RESULTS, measured
from zoo.runs import write_text

QUICK = 90.0
"""Seconds of a training up to which it is repeated with `MORE_SEEDS`."""
MORE_SEEDS = (1, 2)
FINGERPRINTED = ("validation", "test", "train_samples", "strict_data")
"""Knobs of the data that stand in every fingerprint; others where a recipe or its set gives them a value."""
REFUSALS = (ModelError.exit_code, GateError.exit_code)
"""Exit codes of an export that says no to the model; any other is a measurement that failed."""


class MeasureError(ZooError):
    """A command that did not give its figures."""


def zoo(*words: str) -> dict[str, Any]:
    """Runs a command, its progress shown, and returns its JSON value, which is an error's where it failed.

    Raises:
        MeasureError: It printed no JSON value: it crashed or was killed.
    """
    command = [sys.executable, "-P", "-m", "zoo", *words, "--json"]
    last = "nothing"
    with tempfile.TemporaryFile("w+", encoding="utf-8") as printed:
        with subprocess.Popen(
            command, stdout=printed, stderr=subprocess.PIPE, encoding="utf-8", errors="replace"
        ) as running:
            for line in running.stderr or ():
                sys.stderr.write(line)
                last = line.strip() or last
        printed.seek(0)
        lines = printed.read().splitlines()
    try:
        value: dict[str, Any] = json.loads(lines[-1])
    except (IndexError, ValueError) as error:
        raise MeasureError(
            f"zoo {shlex.join(words)} exited {running.returncode} without a JSON value; it last said: {last}"
        ) from error
    return value


def figures_of(*words: str) -> dict[str, Any]:
    """The JSON value of a command that must not fail.

    Raises:
        MeasureError: It failed.
    """
    value = zoo(*words)
    if "error" in value:
        raise MeasureError(f"zoo {shlex.join(words)} exited {value['exit_code']}: {value['error']}")
    return value


def config_sha256(name: str) -> str:
    """Fingerprint of a recipe's resolved settings.

    The number of threads is left out, which is the machine's, and what tells how data are read where neither the recipe
    nor its set says anything of it.
    """
    config, plain = configure(name), DataConfig()
    settings = {
        "builder": config.builder,
        "dataset": config.dataset,
        "hyperparameters": dict(config.hyperparameters),
        "training": {key: value for key, value in asdict(config.training).items() if key != "threads"},
        "data": {
            key: value
            for key, value in asdict(with_own_options(config.dataset, config.data)).items()
            if key in FINGERPRINTED or value != getattr(plain, key)
        },
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def stale() -> list[str]:
    """Recipes that were measured with other settings than today's."""
    known = [(name, figures) for name, figures in measured().items() if name in RECIPES]
    return [name for name, figures in known if figures.get("config_sha256") != config_sha256(name)]


def missing() -> list[str]:
    """Recipes that were never measured."""
    return [name for name in RECIPES.names() if name not in measured()]


def measure(name: str, out: Path) -> dict[str, Any]:
    """The figures of one recipe at its defaults.

    Raises:
        MeasureError: A command failed.
    """
    settings = config_sha256(name)
    trained = figures_of("train", name, "--out", str(out), "--strict-data")
    run = json.loads((Path(trained["run"]) / "run.json").read_text(encoding="utf-8"))
    return {
        "metric": shown_metric(name, trained),
        "metrics": {key: round(value, 5) for key, value in trained["metrics"]["test"].items()},
        "baselines": dict(trained["baselines"]),
        "parameters": trained["parameters"],
        "macs": macs(name),
        "seconds": round(trained["seconds"], 1),
        "seed": run["seed"],
        "config_sha256": settings,
        "versions": run["versions"],
        "exports": {mode: exported(trained["run"], mode) for mode in ("float32", "int8", "auto")},
    }


def shown_metric(name: str, trained: Mapping[str, Any]) -> str:
    """The metric that a recipe is judged by: that which chose its weights, a forecast's mean error, or the task's."""
    monitor = configure(name).training.monitor
    if monitor != "loss" and monitor in trained["metrics"]["test"]:
        return monitor
    return "mae" if SEASONAL in trained["baselines"] else PRIMARY[RECIPES.get(name).task]


def macs(name: str) -> int | None:
    """Multiply-accumulate operations of one sample; None where a layer's are not known."""
    config = configure(name)
    dataset = load(config.dataset, seed=config.training.seed, config=config.data)
    return count_macs(get_builder(config.builder)(dataset.input, dataset.output, **config.hyperparameters))


def spread(name: str, metric: str, first: float, seconds: float, out: Path) -> dict[str, Any]:
    """`seeds`: seed to the metric on the test split, of a recipe that trains quickly; else nothing.

    Raises:
        MeasureError: A command failed.
    """
    if seconds > QUICK:
        return {}
    found = {"0": round(first, 5)}
    for seed in MORE_SEEDS:
        again = figures_of("train", name, "--out", str(out), "--strict-data", "--seed", str(seed))
        found[str(seed)] = round(again["metrics"]["test"][metric], 5)
    return {"seeds": found}


def complete(name: str, figures: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """Figures of a measurement with what they lack: operations, and the spread of a quick one."""
    metric, found = figures["metric"], dict(figures)
    if "macs" not in found:
        found["macs"] = macs(name)
    if "seeds" not in found:
        found |= spread(name, metric, found["metrics"][metric], found["seconds"], out)
    return found


def exported(run: str, mode: str) -> dict[str, Any]:
    """Size of the file and its figures on the whole test split, or why it was refused."""
    bundle = zoo("export", run, "--quantize", mode)
    if bundle.get("exit_code") in REFUSALS:
        return {"refused": bundle["error"].replace(str(run), "RUN")}
    if "error" in bundle:
        raise MeasureError(f"zoo export {run} --quantize {mode} exited {bundle['exit_code']}: {bundle['error']}")
    tested = figures_of("evaluate", bundle["bundle"])
    return {
        "mode": bundle["quantize"],
        "form": bundle["form"],
        "bytes": bundle["bytes"],
        "drop": bundle["parity"]["drop"],
        "metrics": {key: round(value, 5) for key, value in tested["metrics"].items()},
    }


def record(name: str, figures: dict[str, Any]) -> None:
    """Puts one recipe's figures among the others, as they stand in the file now; recipes that are gone leave it."""
    results = {**measured(), name: figures}
    kept = {key: results[key] for key in sorted(results) if key in RECIPES}
    write_text(RESULTS, json.dumps(kept, indent=1) + "\n")


def main() -> None:
    """Measures the recipes that match, one after the other, and writes after each; one that fails stops no other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("patterns", nargs="*", default=["*"], help="recipes, wildcards allowed")
    parser.add_argument("--only-missing", action="store_true", help="those not measured with today's settings alone")
    parser.add_argument(
        "--complete", action="store_true", help="measure what figures lack: operations, a spread over seeds"
    )
    parser.add_argument("--check", action="store_true", help="measure nothing, fail where figures are stale")
    arguments = parser.parse_args()
    names = sorted({name for pattern in arguments.patterns for name in RECIPES.names(pattern)})
    if arguments.only_missing or arguments.check:
        names = [name for name in names if name in {*stale(), *(() if arguments.check else missing())}]
    if arguments.check:
        how = f"not measured with today's settings: {', '.join(names)}; run scripts/measure --only-missing"
        sys.exit(how if names else 0)
    failed = []
    for name in names:
        try:
            with tempfile.TemporaryDirectory() as folder:
                known = measured().get(name) if arguments.complete else None
                figures = complete(name, known, Path(folder)) if known else measure(name, Path(folder))
        except MeasureError as error:
            print(f"{name}: {error}", file=sys.stderr)
            failed.append(name)
            continue
        record(name, figures)
        print(f"{name}: {figures['metric']} {figures['metrics'][figures['metric']]:.4f}, {figures['seconds']:.0f} s")
    sys.exit(f"not measured: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
