"""Recipe x mode x runtime: trains recipes shortly, exports them in every mode, replays each bundle on every runtime.

Each cell ends as "pass", "refused" with the reason, "unavailable" (a runtime that is not there) or "fail". The command
fails where a cell failed or is unavailable, and where one was refused that must pass. What was measured is kept in
matrix.json in the folder of the runs after every bundle, so an interrupted matrix goes on where it was; with all rows
there, docs/matrix.md is written from it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from export.child import Child
from export.exporting import export_model
from export.pipeline import CHANCE
from export.verification import RUNTIMES, verify
from scripts.figures import ROOT, aligned, fill_page, markdown
from scripts.matrix_rows import MODES, STATUSES, Cell, Row, faults, rows
from zoo import doctor, runs
from zoo.errors import GateError, InterruptedRunError, ModelError, TerminatedRunError, UsageError, ZooError

PAGE = ROOT / "docs" / "matrix.md"
RESULTS = "matrix.json"
WORKERS = 2
"""Replays at the same time; each is a process of its own."""
CRASHED = "crashed the process"
NODE = re.compile(r" \(Node \w+ \(number \d+\)[^)]*\)")
"""Where in a file a runtime stopped, which makes many reasons of one."""

Tell = Callable[[str], None]


def train_row(row: Row, folder: Path, tell: Tell) -> runs.Run:
    """The finished run of a row in a folder of runs, trained now where there is none.

    Raises:
        ZooError: It cannot be trained.
    """
    try:
        return runs.find_run(row.name, folder)
    except UsageError:
        tell(f"{row.name}: training")
    from zoo.training import train

    options = dict(row.options)
    if row.module:
        below = train_row(rows()[row.module], folder, tell)
        options["module"] = str(_saved(below, folder) if row.saved else below.path)
    return train(row.recipe, name=row.name, out=folder, on_event=lambda _event: None, **options)


def _saved(run: runs.Run, folder: Path) -> Path:
    """A run as a SavedModel in a folder of runs, exported now where it is not there."""
    target = folder / f"{run.manifest.name}-saved-model"
    return target if target.is_dir() else export_model(run, format="saved_model", out=target).path


def fill_row(
    row: Row, run: runs.Run, child: Child, runtimes: Sequence[str] = RUNTIMES, tell: Tell = lambda _line: None
) -> Iterator[list[Cell]]:
    """Exports a run in every mode and replays each bundle on every runtime.

    Yields:
        The cells of one export.
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        for mode, streaming in row.exports:
            cells = _fill(row, run, child, pool, runtimes, mode, streaming)
            ended = {cell.runtime: cell.status for cell in cells}
            told = ", ".join(f"{runtime} {status}" for runtime, status in ended.items())
            tell(f"{row.name}: {mode}{' streaming' if streaming else ''} {cells[0].form}: {told}")
            yield cells


def _fill(
    row: Row, run: runs.Run, child: Child, pool: ThreadPoolExecutor, runtimes: Sequence[str], mode: str, streaming: bool
) -> list[Cell]:
    common: dict[str, Any] = {"row": row.name, "mode": mode, "streaming": streaming}
    told: list[str] = []

    def each(status: str, reason: str) -> list[Cell]:
        return [Cell(**common, runtime=runtime, status=status, reason=plain(reason, run)) for runtime in runtimes]

    try:
        bundle = export_model(run, quantize=mode, streaming=streaming, child=child, on_event=told.append)
    except ZooError as error:
        refused = isinstance(error, (ModelError, GateError)) and CRASHED not in str(error)
        return each("refused" if refused else "fail", str(error))
    if by_chance := [line for line in told if CHANCE in line]:
        return each("fail", by_chance[0])
    common |= {"form": str(bundle.manifest["form"]), "bytes": bundle.bytes, "keras": reached(bundle.parity)}
    found = pool.map(lambda runtime: verify(bundle, runtime), runtimes)
    return [
        Cell(**common, runtime=runtime, status=each.status, reason=plain(each.problem, run, bundle.path))
        for runtime, each in zip(runtimes, found, strict=True)
    ]


def reached(parity: Mapping[str, Any]) -> str:
    """What Keras reaches on the samples that a file is compared on, such as "accuracy 0.942"."""
    return f"{parity['metric']} {parity['metric_before']:.3f}" if parity["metric"] else ""


def plain(reason: str, run: runs.Run, bundle: Path | None = None) -> str:
    """A reason in one line, without the name of the run and the paths of this machine."""
    for known, instead in ((str(bundle), "the bundle"), (str(run.path), "RUN"), (run.manifest.name, "the model")):
        reason = reason.replace(known, instead)
    return " ".join(reason.split())


def read_cells(file: Path) -> list[Cell]:
    """The cells so far; those of rows that are gone are left out."""
    if not file.is_file():
        return []
    known = rows()
    return [Cell(**cell) for cell in json.loads(file.read_text(encoding="utf-8")) if cell["row"] in known]


def page(cells: Sequence[Cell]) -> str:
    """The generated part of docs/matrix.md."""
    reasons: dict[str, int] = {}
    lines = []
    for row in rows().values():
        for streaming in (False, True) if row.streams else (False,):
            own = [cell for cell in cells if (cell.row, cell.streaming) == (row.name, streaming)]
            by_mode = ([cell for cell in own if cell.mode == mode] for mode in MODES)
            name = f"{row.name}{', streaming' if streaming else ''}"
            keras = next((cell.keras for cell in own if cell.keras), "")
            lines.append([name, keras, *(_summary(each, reasons) for each in by_mode)])
    notes = "\n".join(f"{number}. {reason}" for reason, number in reasons.items())
    counts = [f"{sum(cell.status == status for cell in cells)} {status}" for status in STATUSES]
    return "\n\n".join(
        [f"{len(cells)} cells: {', '.join(counts)}.", markdown(("model", "Keras", *MODES), lines), notes]
    ).rstrip()


def _summary(cells: Sequence[Cell], reasons: dict[str, int]) -> str:
    """The runtimes of one export in a few words; reasons by number."""
    made = next((f"{cell.form}, {cell.bytes / 1024:.1f} kB" for cell in cells if cell.form), "")
    others: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        if cell.status != "pass":
            others.setdefault((cell.status, NODE.sub("", cell.reason)), []).append(cell.runtime)
    told = []
    for (status, reason), runtimes in others.items():
        number = reasons.setdefault(reason, len(reasons) + 1)
        where = "" if len(runtimes) == len(cells) else f"{', '.join(runtimes)} "
        told.append(f"{where}{status} ({number})")
    return "; ".join(filter(None, [made, *told]))


def prepare(runtimes: Sequence[str], tell: Tell) -> None:
    """Installs the runtimes that are not there; one that cannot be is told and stays unavailable."""
    for runtime in runtimes:
        if runtime == "litert":
            continue
        try:
            doctor.install(runtime, tell)
        except ZooError as error:
            tell(f"{runtime}: {error}")


def measure(names: Sequence[str], folder: Path, *, again: bool, tell: Tell) -> list[Cell]:
    """Fills the rows and writes after each export; rows that are there are kept unless asked for again."""
    file, known = folder / RESULTS, rows()
    with Child() as child:
        for name in names:
            done = [cell for cell in read_cells(file) if cell.row == name]
            if not again and len(done) == len(known[name].exports) * len(RUNTIMES) and not faults(done):
                tell(f"{name}: kept from {file}")
                continue
            found: list[Cell] = []
            try:
                run = train_row(known[name], folder, tell)
            except (InterruptedRunError, TerminatedRunError):
                raise
            except ZooError as error:
                tell(f"{name} cannot be trained and has no cells: {error}")
                continue
            for cells_of_one in fill_row(known[name], run, child, tell=tell):
                found += cells_of_one
                others = [cell for cell in read_cells(file) if cell.row != name]
                runs.write_json(file, [asdict(cell) for cell in [*others, *found]])
    return read_cells(file)


def say(line: str) -> None:
    """Progress, on standard error."""
    print(line, file=sys.stderr, flush=True)


def finish(cells: Sequence[Cell], file: Path) -> int:
    """Prints the table and what is at fault, writes the page where all rows are there; the exit code."""
    exports: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        exports.setdefault((cell.row, f"{cell.mode}{' streaming' if cell.streaming else ''}"), []).append(cell)
    table = [(*key, own[0].form or "-", *(cell.status for cell in own)) for key, own in exports.items()]
    print(aligned([("model", "mode", "form", *RUNTIMES), *table]))
    missing = sorted(set(rows()) - {cell.row for cell in cells})
    if missing:
        say(f"{PAGE.name} is left as it is: not yet measured: {', '.join(missing)}")
    else:
        fill_page(PAGE, "matrix", "scripts/matrix", page(cells))
        say(f"wrote {PAGE}")
    wrong = faults(cells)
    for cell in wrong:
        streaming = " streaming" if cell.streaming else ""
        say(f"{cell.status}: {cell.row} {cell.mode}{streaming} on {cell.runtime}: {cell.reason}")
    say(f"{len(cells)} cells in {file}, {len(wrong)} not as promised")
    return 1 if wrong else 0


def main() -> None:
    """Measures the rows that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", help="recipes, and mnist-lstm- or mnist-gru- with bidirectional or stacked; by default all"
    )
    build = ROOT / "build" / "matrix"
    parser.add_argument("--runs", type=Path, default=build, help="folder of runs; a finished one is not trained again")
    parser.add_argument("--again", action="store_true", help="measure rows again that are there")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.names) - set(rows())):
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(rows())}")
    folder = arguments.runs.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    prepare(RUNTIMES, say)
    try:
        cells = measure(arguments.names or list(rows()), folder, again=arguments.again, tell=say)
    except (KeyboardInterrupt, InterruptedRunError, TerminatedRunError):
        say(f"interrupted; what is done is in {folder / RESULTS}, the same command goes on")
        sys.exit(130)
    without = set(arguments.names or rows()) - {cell.row for cell in cells}
    sys.exit(finish(cells, folder / RESULTS) or bool(without))


if __name__ == "__main__":
    main()
