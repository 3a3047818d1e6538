"""`report.html`: one self-contained page of what a run was and what it is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import finding
from zoo.metrics import decide
from zoo.reporting import page
from zoo.reporting.content import Content, Export, read_content
from zoo.reporting.plots import counts_of, draw_plots
from zoo.reporting.summary import baseline_label, label, number, primary_metric, show, verdict
from zoo.runs import PLOTS, REPORT, Run, sha256, write_text

MAX_CLASS_ROWS = 60


def write_report(run: Run) -> Path:
    """Writes the run's `report.html` and `plots/*.png`, from what its folder holds.

    A run that was interrupted gets a report of what there is; what is missing is named in it.

    Returns:
        The page.

    Raises:
        ResourceError: The folder cannot be written.
    """
    content = read_content(run)
    manifest = content.manifest
    metric = primary_metric(manifest) or _metric_of(content.history)
    plots = draw_plots(
        run.path / PLOTS,
        history=content.history,
        metric=metric,
        best_epoch=manifest.epochs.get("best"),
        task=content.task,
        labels=content.labels,
        targets=content.predictions.get("test_targets"),
        outputs=content.predictions.get("test_outputs"),
        threshold=content.output.get("threshold"),
        examples=content.predictions.get("test_examples"),
    )
    sections = [
        *_top(content),
        page.section("Quality", *_quality(content)),
        page.section("Learning curves", _row(plots, "loss", "metric")),
        page.section("Answers on the test split", *_answers(content, plots)),
        page.section("Exports", *_exports(content.exports)),
        page.section("Data", *_data(content)),
        page.section("Configuration", *_configuration(content.config)),
        page.section("Made with", _versions(content)),
        page.section("Not in this report", *(page.paragraph(line, "soft") for line in content.missing)),
    ]
    path = run.path / REPORT
    write_text(path, page.page(f"{manifest.name}: {manifest.status}", sections))
    if manifest.files:
        _renew_checksums(run, [path, *(run.path / PLOTS / f"{name}.png" for name in plots)])
    return path


def _renew_checksums(run: Run, written: Sequence[Path]) -> None:
    """A report that is written again, after an export say, must not look like a damaged run."""
    renewed = {path.relative_to(run.path).as_posix(): sha256(path) for path in written}
    run.update(files={**run.manifest.files, **renewed})


def _top(content: Content) -> list[str]:
    """Title, banners, verdict."""
    manifest, data = content.manifest, content.manifest.data
    name = str(data.get("name", "unknown data"))
    parts = [f"<h1>{page.text(manifest.name)}</h1>"]
    if data.get("stand_in"):
        parts.append(page.banner(f"NOT {name.upper()}. A stand-in: {data.get('note', '')}", "alarm"))
    if manifest.status != "finished":
        parts.append(page.banner(f"This run is {manifest.status}. {manifest.message}".strip(), "warn"))
    seconds = float(np.nansum(content.history.get("seconds", np.zeros(0))))
    done, best = manifest.epochs.get("done", 0), manifest.epochs.get("best", 0)
    facts = [
        f"{manifest.builder} on {'a stand-in for ' if data.get('stand_in') else ''}{name}",
        f"{manifest.parameters:,} parameters",
        f"{done} epochs, the weights of epoch {best} kept" if done else "",
        f"{seconds:.1f} s in epochs" if seconds else "",
        f"seed {manifest.seed}",
    ]
    parts.append(page.paragraph(" · ".join(fact for fact in facts if fact), "soft"))
    parts.append(page.paragraph(verdict(manifest), "verdict"))
    parts += [page.paragraph(line) for line in _search(manifest.search)]
    return parts


def _search(search: Mapping[str, Any]) -> list[str]:
    """What the search that chose this run promised, and how its last training was made."""
    if "validation" not in search:  # of a trial's own folder, which was not tested
        return []
    objective, optimism = str(search["objective"]), number(search.get("optimism"))
    kind = f" of the {search['quantize']} file" if search.get("quantize") else ""
    promised, tested = (show(objective, search.get(key)) for key in ("validation", "test"))
    chosen = f"Chosen by a search, trial {search['trial']}: {label(objective)}{kind}"
    line = f"{chosen} {promised} on validation, {tested} on test"
    if math.isfinite(optimism) and optimism:
        line += f"; validation looked {show(objective, abs(optimism))} {'better' if optimism > 0 else 'worse'}"
    return [f"{line}.", *(f"{note}." for note in search.get("notes") or ())]


def _quality(content: Content) -> list[str]:
    """The network on every split, baselines beside it."""
    metrics, baselines = content.manifest.metrics, content.manifest.baselines
    splits = [split for split in ("train", "validation", "test") if metrics.get(split)]
    if not splits:
        return [page.paragraph("Nothing was measured yet.", "soft")]
    last = metrics.get("last") or {}
    columns: dict[str, Mapping[str, Any]] = {split: metrics[split] for split in splits}
    columns |= {f"{split}, last epoch": last[split] for split in ("test",) if last.get(split)}
    columns |= {f"{baseline_label(name).removeprefix('the ')} (test)": values for name, values in baselines.items()}
    names = list(dict.fromkeys(name for split in splits for name in metrics[split]))
    rows = [[label(name), *(show(name, values.get(name)) for values in columns.values())] for name in names]
    note = (
        "A baseline has its name above its column; all other columns are the network, training in inference mode on a "
        "fixed sample. Errors are in the target's units. The test split decided nothing."
    )
    return [page.table(["", *columns], rows), page.paragraph(note, "soft")]


def _row(plots: Mapping[str, str], *names: str, width: str = "30rem") -> str:
    """The plots of these names that were drawn."""
    return page.row(*(page.figure(plots[name], width) for name in names if name in plots))


def _answers(content: Content, plots: Mapping[str, str]) -> list[str]:
    if not content.task:
        return []
    if not content.predictions:
        return [page.paragraph("There are no predictions yet: the run did not come to its end.", "soft")]
    return [
        _row(plots, "confusion", width=f"{min(18 + 2 * len(content.labels), 48)}rem"),
        _row(plots, "scores", "predictions", "residuals"),
        _row(plots, "masks", width="45rem"),
        _row(plots, "objects", width="44rem"),
        _class_table(content) if content.task != "regression" else "",
    ]


def _class_table(content: Content) -> str:
    """Precision, recall and F1 of each class or label."""
    found = content.predictions
    counts = class_counts(
        content.task, found["test_targets"], found["test_outputs"], content.output.get("threshold"), content.labels
    )
    rows = []
    for index, (hits, answered, true) in enumerate(counts[:MAX_CLASS_ROWS]):
        name = content.labels[index] if index < len(content.labels) else str(index)
        shares = (_share(hits, answered), _share(hits, true), _share(2 * hits, answered + true))
        rows.append([name, f"{true:,}", *(show("accuracy", share) for share in shares)])
    left = len(counts) - len(rows)
    more = page.paragraph(f"{left} further classes are left out.", "soft") if left > 0 else ""
    what = {"segmentation": "pixels", "detection": "objects"}.get(content.task, "samples")
    return page.table(["class", what, "precision", "recall", "F1"], rows) + more


def class_counts(
    task: str,
    targets: np.ndarray,
    outputs: np.ndarray,
    threshold: float | None = None,
    labels: Sequence[str] = (),
) -> list[tuple[int, int, int]]:
    """Right answers, all answers and true samples, pixels or objects, of each class or label."""
    if task == "detection":
        return finding.counts(targets, outputs)
    if task == "multilabel":
        decided = decide(task, outputs)
        hits = np.sum((decided == 1) & (targets == 1), axis=0)
        answered, true = decided.sum(axis=0), targets.sum(axis=0)
    else:
        matrix = counts_of(task, targets, outputs, labels, threshold)
        hits, answered, true = np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    return [(int(a), int(b), int(c)) for a, b, c in zip(hits, answered, true, strict=True)]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def _exports(exports: Sequence[Export]) -> list[str]:
    if not exports:
        return [page.paragraph("Nothing was exported yet; for example: zoo export RUN --quantize int8", "soft")]
    head = ["export", "bytes", "maximum error", "agreement", "metric of Keras", "metric of the export", "split"]
    good = [_export_row(export) for export in exports if not export.failed]
    bad = [page.paragraph(f"{export.name}: {export.failed}", "failed") for export in exports if export.failed]
    return [page.table(head, good), *bad]


def _export_row(export: Export) -> list[str]:
    found = export.bundle.get("parity")
    parity: Mapping[str, Any] = found if isinstance(found, dict) else {}
    size = number(export.bundle.get("bytes"))
    agreement = number(parity.get("agreement"))
    samples = number(parity.get("samples"))
    return [
        export.name,
        f"{int(size):,}" if math.isfinite(size) else "–",  # noqa: RUF001
        show("", parity.get("max_error")),
        show("accuracy", agreement),
        *(show("", parity.get(f"metric_{when}")) for when in ("before", "after")),
        f"{parity.get('split', '')}{f' ({int(samples):,})' if math.isfinite(samples) else ''}",
    ]


def _data(content: Content) -> list[str]:
    data = content.manifest.data
    if not data:
        return [page.paragraph("The run does not say what it was trained on.", "soft")]
    samples, counts = data.get("samples") or {}, data.get("class_counts") or {}
    rows = [["name", data.get("name", "")], ["sha256", data.get("sha256", "")]]
    rows += [[f"{split} samples", f"{count:,}"] for split, count in samples.items()]
    rows.append(["test samples that also stand in training", f"{data.get('duplicates', 0):,}"])
    rows.append(["stand-in", str(data.get("note") or "yes") if data.get("stand_in") else "no, the set itself"])
    classes = list(dict.fromkeys(name for split in counts.values() for name in split))[:MAX_CLASS_ROWS]
    table = [[name, *(f"{split.get(name, 0):,}" for split in counts.values())] for name in classes]
    findings = page.table([], [[finding] for finding in data.get("findings") or ()], figures=False)
    return [page.table([], rows, figures=False), page.table(["class", *counts], table), findings]


def _configuration(config: Mapping[str, Any]) -> list[str]:
    """Every setting, a table for each section of `config.toml`."""
    plain = [[key, value] for key, value in config.items() if not isinstance(value, Mapping)]
    parts = [page.table([], plain, figures=False)]
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            parts.append(page.table([key, ""], [[name, setting] for name, setting in value.items()], figures=False))
    return parts


def _versions(content: Content) -> str:
    rows = [[name, version] for name, version in content.manifest.versions.items()]
    return page.table([], [*rows, ["run folder", content.path]], figures=False)


def _metric_of(history: Mapping[str, np.ndarray]) -> str | None:
    """The metric to draw where the manifest has none yet."""
    return next((name for name in ("mean_iou", "accuracy", "r2", "macro_f1") if f"val_{name}" in history), None)
