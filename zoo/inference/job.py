"""Predictions as a job: any number of rows or images, in order, with an answer to bad ones and an account of all."""

from __future__ import annotations

import csv
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from zoo.answers import TOO_FAR, answer_columns, answer_rows, answers, unanswered
from zoo.chunks import Chunk
from zoo.errors import DataError, UsageError
from zoo.inference.predictor import Predictor
from zoo.inference.readers import Inputs
from zoo.runs import atomic_path

OnBadRow = Literal["fail", "skip", "null"]
NAMED = 20
"""How many bad rows are named at most."""

PROGRESS_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What became of the rows of a job.

    Attributes:
        rows: All that were read.
        answered: Those with an answer.
        skipped: Bad ones that were left out.
        null: Bad ones that stand there without an answer.
        unseen: Column to cells whose category the training split did not hold.
        imputed: Column to cells that were missing and had their trained default.
        extra: Columns that nobody asked for.
        problems: What was wrong with the first bad rows, a line each.
    """

    rows: int = 0
    answered: int = 0
    skipped: int = 0
    null: int = 0
    unseen: Mapping[str, int] = field(default_factory=dict)
    imputed: Mapping[str, int] = field(default_factory=dict)
    extra: Sequence[str] = ()
    problems: Sequence[str] = ()


class Batch(NamedTuple):
    """Some answers.

    Attributes:
        names: Of the samples.
        kept: Of each, the text of the columns to keep.
        outputs: (n, outputs) float32, or a detector's maps; NaN where a bad row has no answer.
        lines: Of each, the line of its file; empty where that is no table.
        sizes: Height and width of each image as it was given; empty where these are none.
    """

    names: list[str]
    kept: Sequence[Sequence[str]]
    outputs: np.ndarray
    lines: Sequence[int] = ()
    sizes: Sequence[tuple[int, int]] = ()


class Job:
    """Answers for files, a batch at a time, in their order; what was read is forgotten.

    Args:
        predictor: Answers.
        inputs: What is asked.
        keep: Names of the columns that `inputs` keep.
        on_bad_row: "fail" raises once all is read that a user should mend; "skip" leaves bad rows out; "null" keeps
            them without an answer.
        top: Labels per sample of a multi-class model.
        advice: What to do about bad rows, where they are refused.
        write_mask: Given the name and the classes of the pixels of each image, of a segmentation.
        on_event: Told of progress, a line every two seconds.

    Attributes:
        contract: Of the predictor.

    Raises:
        UsageError: Another `on_bad_row`.
    """

    def __init__(
        self,
        predictor: Predictor,
        inputs: Inputs,
        *,
        keep: Sequence[str] = (),
        on_bad_row: str = "fail",
        top: int = 1,
        advice: str = "correct them, or pass --on-bad-row skip or null",
        write_mask: Callable[[str, np.ndarray], None] | None = None,
        on_event: Callable[[str], None] | None = None,
    ) -> None:
        if on_bad_row not in get_args(OnBadRow):
            raise UsageError(f"on_bad_row = {on_bad_row!r} is unknown; choose one of {', '.join(get_args(OnBadRow))}")
        self._predictor, self._inputs, self._keep = predictor, inputs, tuple(keep)
        self._on_bad_row, self._top, self._advice = on_bad_row, top, advice
        self._write_mask = write_mask
        self._tell = on_event or (lambda _: None)
        self.contract = predictor.contract
        self._described = predictor.contract.describe()
        self._counts: Counter[str] = Counter()
        self._unseen: Counter[str] = Counter()
        self._imputed: Counter[str] = Counter()
        self._problems: list[str] = []

    def __iter__(self) -> Iterator[Batch]:
        """Batches of answers.

        Raises:
            DataError: Bad rows, up to twenty named at once, where they are not allowed; or a file that cannot be used.
            ModelError: The model answers NaN even for zeros.
        """
        started = shown = time.monotonic()
        for chunk in self._chunks():
            self._counts["rows"] += len(chunk.names)
            self._unseen.update(chunk.unseen)
            self._imputed.update(chunk.missing)
            batch = self._answer(chunk)
            if self._refused:
                if len(self._problems) < NAMED:
                    continue
                break
            yield batch
            if time.monotonic() - shown >= PROGRESS_SECONDS:
                shown = time.monotonic()
                self._tell(self._progress(shown - started))
        if self._refused:
            raise self._refusal()

    @property
    def summary(self) -> Summary:
        """The account so far."""
        return Summary(
            **self._counts,
            unseen=dict(self._unseen),
            imputed=dict(self._imputed),
            extra=tuple(self._inputs.extra),
            problems=tuple(self._problems),
        )

    @property
    def header(self) -> list[str]:
        """Columns of `rows`: those kept, or else "input"; then the answer's, renamed where a kept one has the name."""
        first = list(self._keep or ("input",))
        for name in self._answer_names():
            while name in first:
                name = f"prediction_{name}"
            first.append(name)
        return first

    @property
    def renamed(self) -> list[str]:
        """Names of answer columns that a kept one has taken the plain name of."""
        return [name for name in self.header[len(self._keep or "1") :] if name not in self._answer_names()]

    def _answer_names(self) -> list[str]:
        nothing = np.zeros((0, self._predictor.outputs), np.float32)
        return list(answer_columns(nothing, self._described, self._top))

    def rows(self, batch: Batch) -> list[tuple[str, ...]]:
        """A batch as text, a cell for each column of `header`; of a detector a row for each object."""
        first = batch.kept if self._keep else [(name,) for name in batch.names]
        return answer_rows(first, batch.outputs, self._described, self._top, batch.sizes)

    def values(self, batch: Batch) -> list[dict[str, Any]]:
        """A batch as mappings: "input", what was kept, and the answer; None where there is none."""
        found = answers(batch.outputs, self._described, self._top, batch.sizes)
        kept = [{"keep": dict(zip(self._keep, cells, strict=True))} for cells in batch.kept] or [{}] * len(found)
        return [{"input": name, **more, **answer} for name, more, answer in zip(batch.names, kept, found, strict=True)]

    @property
    def _refused(self) -> bool:
        return self._on_bad_row == "fail" and bool(self._problems)

    def _chunks(self) -> Iterator[Chunk]:
        """Chunks of the inputs; a file that breaks off after bad rows is one problem more."""
        try:
            yield from self._inputs
        except DataError as error:
            if not self._refused:
                raise
            self._problems.append(str(error))

    def _note(self, problems: Mapping[int, str]) -> None:
        self._problems += list(problems.values())[: NAMED - len(self._problems)]

    def _answer(self, chunk: Chunk) -> Batch:
        """The answers to a chunk, its bad rows noted; once one is refused, rows are read and no longer answered."""
        good = [at for at in range(len(chunk.names)) if at not in chunk.problems]
        refused = self._refused or (self._on_bad_row == "fail" and bool(chunk.problems))
        samples = chunk.samples[good] if chunk.problems else chunk.samples
        names = [chunk.names[at] for at in good]
        outputs = self._reply(names, samples[:0] if refused else samples)
        wrong = unanswered(outputs, self._described, lambda: self._reply(names[:1], np.zeros_like(samples[:1])))
        problems = {**chunk.problems, **{good[at]: f"{chunk.place(good[at])}: {TOO_FAR}" for at in wrong}}
        self._note(dict(sorted(problems.items())))
        if refused or not problems:
            self._counts["answered"] += len(outputs)
            return Batch(chunk.names, chunk.kept, outputs, chunk.lines, chunk.sizes)
        whole = np.full((len(chunk.names), *outputs.shape[1:]), np.nan, np.float32)
        whole[good] = outputs
        whole[list(problems)] = np.nan
        self._counts["answered"] += len(whole) - len(problems)
        if self._on_bad_row == "null":
            self._counts["null"] += len(problems)
            return Batch(chunk.names, chunk.kept, whole, chunk.lines, chunk.sizes)
        self._counts["skipped"] += len(problems)
        left = [at for at in range(len(whole)) if at not in problems]
        kept = [chunk.kept[at] for at in left] if self._keep else ()
        lines = [chunk.lines[at] for at in left] if chunk.lines else ()
        sizes = [chunk.sizes[at] for at in left] if chunk.sizes else ()
        return Batch([chunk.names[at] for at in left], kept, whole[left], lines, sizes)

    def _reply(self, names: Sequence[str], samples: np.ndarray) -> np.ndarray:
        """Answers for good samples, (n, outputs); of a segmentation the shares of the classes."""
        if self.contract.task == "segmentation":
            return self._predictor.shares(names[: len(samples)], samples, self._write_mask)
        return self._predictor.answer(samples)

    def _progress(self, seconds: float) -> str:
        done, total = self._counts["rows"], self._inputs.total
        share = f" of {total:,}" if total else ""
        return f"{done:,}{share} rows, {done / seconds:,.0f} a second"

    def _refusal(self) -> DataError:
        if len(self._problems) == 1:
            return DataError(f"{self._problems[0]}; {self._advice.replace('them', 'it')}")
        count = f"at least {NAMED}" if len(self._problems) >= NAMED else str(len(self._problems))
        return DataError(f"{count} rows cannot be used; {self._advice}", problems=self._problems)


def write_csv(job: Job, out: Path) -> Summary:
    """Writes all answers of a job into a CSV file, whole or not at all.

    Raises:
        DataError, ModelError: As of the job.
        ResourceError: The disk is full or the folder cannot be written.
    """
    with atomic_path(out.absolute()) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(job.header)
        for batch in job:
            writer.writerows(job.rows(batch))
    return job.summary
