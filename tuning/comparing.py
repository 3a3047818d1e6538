"""Runs and trials side by side: figures, costs, and the knobs in which they differ."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuning.compared import Entry, export_figures, plain_metric, read_entries
from zoo.config import MONITORS
from zoo.errors import UsageError
from zoo.metrics import ERRORS
from zoo.registry import suggest
from zoo.reporting.summary import number
from zoo.settings import quiet_tensorflow

SPLITS_BY = ("seed", "validation", "test", "split", "test_data", "train_samples", "group_from")
"""Knobs that decide which samples are in which split."""

PLAIN = ("parameters", "epochs", "seconds")
"""What can be sorted by besides metrics; less is better."""

KNOWN = frozenset(name for names in MONITORS.values() for name in names)
"""Metrics of the zoo's own runs and searches; those of a caller's own model are others."""

TOP = 5


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What is set side by side.

    Attributes:
        metric: Shown for each entry.
        smaller_is_better: Its direction.
        entries: In the order of the sorting.
        differing: Knobs that are not the same in all entries, to one value an entry; None where it has none.
        warnings: What makes figures not comparable, and what was left out, a line each.
    """

    metric: str
    smaller_is_better: bool
    entries: tuple[Entry, ...]
    differing: Mapping[str, tuple[Any, ...]]
    warnings: tuple[str, ...]

    def gap(self, entry: Entry) -> float:
        """How far the entry's validation metric is behind the best one's, 0 or more; NaN where there is none."""
        values = [other.figure("validation", self.metric) for other in self.entries]
        finite = [value for value in values if math.isfinite(value)]
        own = entry.figure("validation", self.metric)
        if not finite:
            return math.nan
        return own - min(finite) if self.smaller_is_better else max(finite) - own


def compare(
    references: Sequence[str | Path], *, root: Path = Path("runs"), top: int = TOP, sort: str | None = None
) -> Comparison:
    """Sets runs and trials side by side.

    Args:
        references: Each a run's folder, a run's name (its latest finished run), a search's folder or name (its best
            trials), or a trial's folder.
        root: Folder that names are looked up in.
        top: Trials of a search, the best first.
        sort: A metric of the validation split, "test_" and a metric, or one of `PLAIN`; the best first. By default the
            metric that decides, on the validation split.

    Raises:
        UsageError: Nothing given, an unknown name, or an unknown thing to sort by, or one of unknown direction.
        DataError: A run or a search that is damaged; it is named.

    Example:
        >>> found = compare(["iris-mlp", "runs/tune-iris-mlp/20260101T120000.123456Z-1a2b"])
        >>> [(entry.id, entry.figure("validation", found.metric)) for entry in found.entries]
    """
    if not references:
        raise UsageError("nothing to compare; give run folders, names of runs, or the folder of a search")
    entries: dict[Path, Entry] = {}
    notes: list[str] = []
    for reference in references:
        found, said = read_entries(reference, root, top)
        notes += said
        entries |= {entry.path: entry for entry in found}
    listed = list(entries.values())
    if not listed:
        raise UsageError(f"nothing to compare: {'; '.join(notes)}")
    sort = None if sort is None else plain_metric(sort)
    metric = _metric(listed, sort)
    smaller_is_better = _smaller_is_better(listed, metric)
    ordered = _sorted(listed, sort or metric, smaller_is_better=smaller_is_better)
    return Comparison(
        metric=metric,
        smaller_is_better=smaller_is_better,
        entries=tuple(ordered),
        differing=_differing(ordered),
        warnings=(*_warnings(ordered), *notes),
    )


def table_text(comparison: Comparison) -> str:
    """The comparison as CSV, one row an entry, full precision; knobs are `values.<name>`."""
    rows = [_row(comparison, entry) for entry in comparison.entries]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(comparison: Comparison, entry: Entry) -> dict[str, Any]:
    plain = ("name", "id", "kind", "status", "recipe", "builder")
    row: dict[str, Any] = {name: getattr(entry, name) for name in plain}
    row |= {"data": entry.data.get("name"), "sha256": entry.data.get("sha256")}
    row |= {f"{split}_{name}": value for split, values in entry.metrics.items() for name, value in values.items()}
    row |= {"gap": comparison.gap(entry), **{name: getattr(entry, name) for name in PLAIN}}
    for export in entry.exports:
        if not export.failed:
            size, metric = export_figures(export)
            row |= {f"export.{export.name}.bytes": size, f"export.{export.name}.metric": metric}
    row |= {f"values.{name}": value for name, value in entry.knobs.items()}
    row["path"] = entry.path
    return {name: "" if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()}


def _metric(entries: Sequence[Entry], sort: str | None) -> str:
    """The metric to show: the one that is sorted by, or the first entry's."""
    known = dict.fromkeys(name for entry in entries for split in entry.metrics.values() for name in split)
    wanted = (sort or "").removeprefix("test_")
    if sort is None or sort in PLAIN:
        return entries[0].primary
    if wanted not in known:
        names = [*known, *(f"test_{name}" for name in known), *PLAIN]
        raise UsageError(f"--sort {sort!r} is nothing that was measured{suggest(sort, names)}")
    return wanted


def _smaller_is_better(entries: Sequence[Entry], metric: str) -> bool:
    """The direction of a metric: what an entry that it decides says, else what is known of its name.

    Raises:
        UsageError: Nobody knows.
    """
    for entry in entries:
        if entry.primary == metric:
            return entry.smaller_is_better
    if metric in ERRORS or metric in KNOWN:
        return metric in ERRORS
    quiet_tensorflow()
    import keras_tuner

    try:
        return bool(keras_tuner.Oracle(objective=f"val_{metric}", seed=1).objective.direction == "min")
    except ValueError as error:
        raise UsageError(
            f"--sort {metric}: whether more or less of it is better is not known; sort by another, such as "
            f"{entries[0].primary}"
        ) from error


def _sorted(entries: Sequence[Entry], by: str, *, smaller_is_better: bool) -> list[Entry]:
    """The best first, what has no figure last; equal ones as they were given."""
    split, metric = ("test", by.removeprefix("test_")) if by.startswith("test_") else ("validation", by)

    def place(entry: Entry) -> float:
        if by in PLAIN:
            return number(getattr(entry, by))
        found = entry.figure(split, metric)
        return found if smaller_is_better else -found

    def order(entry: Entry) -> float:
        return place(entry) if math.isfinite(place(entry)) else math.inf

    return sorted(entries, key=order)


def _differing(entries: Sequence[Entry]) -> dict[str, tuple[Any, ...]]:
    """Knobs with unlike values; one that an entry lacks differs only where all of that entry's knobs are known."""
    found = {}
    for name in dict.fromkeys(name for entry in entries for name in entry.knobs):
        known = [entry.knobs.get(name) for entry in entries if entry.whole or name in entry.knobs]
        if any(value != known[0] for value in known):
            found[name] = tuple(entry.knobs.get(name) for entry in entries)
    return found


def _warnings(entries: Sequence[Entry]) -> list[str]:
    """What makes the figures of these entries no figures of one thing."""
    lines = []
    sets = {str(entry.data.get("sha256")): str(entry.data.get("name")) for entry in entries if entry.data.get("sha256")}
    if len(sets) > 1:
        named = ", ".join(f"{name} ({checksum[:8]})" for checksum, name in sets.items())
        lines.append(f"the data differ ({named}): their figures cannot be compared")
    else:
        lines += _split_warnings(entries)
    if len({entry.primary for entry in entries}) > 1:
        lines.append(f"the deciding metrics differ ({', '.join(sorted({entry.primary for entry in entries}))})")
    lines += [
        f"{entry.name}/{entry.id} is {entry.status}"
        for entry in entries
        if entry.status not in ("finished", "completed")
    ]
    return lines


def _split_warnings(entries: Sequence[Entry]) -> list[str]:
    """Says where the same data are split in other ways."""
    apart = []
    for name in SPLITS_BY:
        values = {str(entry.knobs[name]) for entry in entries if name in entry.knobs}
        if len(values) > 1:
            apart.append(f"{name} {', '.join(sorted(values))}")
    sizes = {str(dict(entry.data["samples"])) for entry in entries if entry.data.get("samples")}
    if not apart and len(sizes) > 1:
        apart.append("other numbers of samples")
    if not apart:
        return []
    return [f"the splits differ ({'; '.join(apart)}): validation figures are of other samples"]
