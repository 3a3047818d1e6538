"""What a search hands back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuning.books import Books
from tuning.trial import Trial
from zoo.errors import UsageError
from zoo.runs import MODEL, Run

if TYPE_CHECKING:
    from tuning.final import Final


@dataclass(frozen=True)
class Search:
    """A search that has ended.

    Attributes:
        books: Its folder.
        trials: All of them, by creation.
        final: The winner, trained again and tested; None where that was not asked for.
        seconds: Of the whole call.

    Example:
        >>> found = zoo.tuning.tune("mnist-cnn", trials=20, max_flash="64k", quantize="int8")
        >>> found.best.values, found.run.metrics["test"]
    """

    books: Books
    trials: tuple[Trial, ...]
    final: Final | None
    seconds: float

    @property
    def path(self) -> Path:
        """The search's folder."""
        return self.books.path

    @property
    def best(self) -> Trial:
        """The completed trial with the best score."""
        return self.ranked[0]

    @property
    def ranked(self) -> list[Trial]:
        """Completed trials, the best first."""
        return self.books.ranked(list(self.trials))

    @property
    def run(self) -> Run:
        """The run of the winner.

        Raises:
            UsageError: The search made none.
        """
        if self.final is None:
            raise UsageError(f"the search in {self.path} made no run; train one from its best trial's values")
        return self.final.run

    def folder(self, trial: Trial | None = None) -> Path:
        """The folder of a trial, by default of the best."""
        return self.books.folder(trial or self.best)

    def model(self, trial: Trial | None = None) -> Any:
        """The Keras model of a trial that kept its weights, by default of the best.

        Raises:
            UsageError: Its weights are gone.
        """
        chosen = trial or self.best
        path = self.folder(chosen) / MODEL
        if not path.is_file():
            raise UsageError(f"trial {chosen.id} kept no weights; the best {self.books.plan.keep} do (keep)")
        from zoo.settings import quiet_tensorflow

        quiet_tensorflow()
        from zoo.hub_layer import load_model

        return load_model(path)
