"""The folder of a search: its plan, its trials, and which of them keep their weights."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from tuning.pareto import choose, front
from tuning.plan import Plan
from tuning.trial import Trial, rank
from zoo.errors import DataError, UsageError
from zoo.runs import CONFIG, EXPORT, HISTORY, MANIFEST, read_json, write_json

SEARCH = "search.json"
TRIALS = "trials"
TRIAL = "trial.json"
TABLE = "trials.csv"
PAGE = "search.html"
TENSORBOARD = "tensorboard"
KEPT_BY_ALL = frozenset({TRIAL, HISTORY, CONFIG})
"""Files of a trial's folder that stay when its weights go."""

SearchStatus = Literal["running", "finished", "interrupted", "failed"]


class Books:
    """A search's folder; every file in it is written whole or not at all.

    Many processes may read; one trial is written by one at a time. Who deals holds the folder's lock.

    Args:
        path: The folder, which holds `search.json`.
        plan: What it says.
    """

    def __init__(self, path: Path, plan: Plan) -> None:
        self.path, self.plan = path, plan

    @classmethod
    def create(cls, path: Path, plan: Plan) -> Books:
        """Makes the folder of a new search."""
        books = cls(path, plan)
        books.write_plan("running")
        return books

    @classmethod
    def open(cls, path: Path) -> Books:
        """The books of a folder.

        Raises:
            UsageError: It is no search.
            DataError: `search.json` is damaged.
        """
        if not (path / SEARCH).is_file() and not (path / TRIALS).is_dir():
            raise UsageError(f"{str(path)!r} is not a search; expected a folder with a {SEARCH}, which zoo tune prints")
        try:
            return cls(path.absolute(), Plan.from_json(read_json(path / SEARCH), str(path / SEARCH)))
        except DataError as error:
            raise DataError(
                f"{error}; it says what the search is for: bring it back, or search anew (its trials are in {TRIALS})"
            ) from error

    def write_plan(self, status: SearchStatus, **more: Any) -> None:
        """Writes `search.json`; `more` are keys that a reader may want, such as "best" and "run"."""
        write_json(self.path / SEARCH, {**self.plan.to_json(), "status": status, **more})

    def status(self) -> Mapping[str, Any]:
        """The whole content of `search.json`."""
        content: dict[str, Any] = read_json(self.path / SEARCH)
        return content

    def folder(self, trial: Trial | str) -> Path:
        """Where a trial's files are."""
        return self.path / TRIALS / (trial if isinstance(trial, str) else trial.id)

    def write(self, trial: Trial) -> None:
        """Writes a trial's record."""
        write_json(self.folder(trial) / TRIAL, trial.to_json())

    def read(self, identifier: str) -> Trial:
        """One trial.

        Raises:
            DataError: Missing or damaged.
        """
        path = self.folder(identifier) / TRIAL
        return Trial.from_json(read_json(path), str(path))

    def trials(self) -> tuple[list[Trial], list[str]]:
        """Every trial that can be read, by creation, and a line for each that cannot."""
        found, damaged = [], []
        for folder in sorted((self.path / TRIALS).glob("[0-9]*")):
            try:
                found.append(self.read(folder.name))
            except DataError as error:
                damaged.append(str(error))
        return sorted(found, key=lambda trial: trial.created), damaged

    def ranked(self, trials: list[Trial] | None = None) -> list[Trial]:
        """Completed trials, the best first."""
        if trials is None:
            trials, _ = self.trials()
        return rank(trials, self.plan.objective, smaller_is_better=self.plan.smaller_is_better)

    def keepers(self, trials: list[Trial]) -> set[str]:
        """Ids of the trials that keep their weights: the best, the best of the front, and those beside the chosen one.

        `plan.keep` of the first two kinds each: what is no rival of the best now may be one of a later best.
        """
        own = [trial for trial in self.ranked(trials) if not trial.same_as]
        nothing_beats = front(own, self.plan.objective, smaller_is_better=self.plan.smaller_is_better)
        choice = choose(nothing_beats) if self.plan.keep else None
        beside = [neighbour.trial for neighbour in choice.neighbours] if choice is not None else []
        return {trial.id for trial in (*own[: self.plan.keep], *nothing_beats[: self.plan.keep], *beside)}

    def worth_keeping(self, trial: Trial) -> bool:
        """Whether a trial that is about to end would keep its weights, as things stand."""
        others = [other for other in self.trials()[0] if other.id != trial.id]
        return trial.id in self.keepers([*others, replace(trial, status="completed")])

    def prune(self) -> None:
        """Removes the weights of trials that no longer keep them; what a user has exported from stays."""
        trials, _ = self.trials()
        keepers = self.keepers(trials)
        for trial in trials:
            folder = self.folder(trial)
            if trial.id in keepers or trial.status == "running" or (folder / EXPORT).exists():
                continue
            (folder / MANIFEST).unlink(missing_ok=True)  # first: half a run is none
            for entry in folder.iterdir():
                if entry.name not in KEPT_BY_ALL:
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
