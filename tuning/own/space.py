"""The search space that a caller's `build(hp)` declares."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ModelError, UsageError
from zoo.hyperparameters import Value

MOST_BUILDS = 64
"""Models that are built to find every entry."""


class OwnSpace:
    """The entries that `build(hp)` declares; a `keras_tuner.HyperParameters` with what an engine asks of a space.

    Args:
        declared: All entries, also those under conditions.
    """

    def __init__(self, declared: Any) -> None:
        self._declared = declared

    @classmethod
    def discover(cls, hypermodel: Any, scratch: Path) -> OwnSpace:
        """Builds the model once for every condition and collects what it declares.

        Raises:
            UsageError: Nothing is declared.
            ModelError: The default values build no model.
        """
        import keras_tuner
        from keras_tuner.engine import base_tuner

        decider = keras_tuner.Oracle(objective=keras_tuner.Objective("val_loss", "min"), seed=1)
        try:
            base_tuner.BaseTuner(decider, hypermodel=hypermodel, directory=str(scratch), project_name="space")
            found = _explored(hypermodel, decider.get_space())
        except Exception as error:
            reason = " ".join(str(error).split())[:300]
            raise ModelError(
                f"build(hp) failed while its space was read: {type(error).__name__}: {reason}; correct it there"
            ) from error
        if not found.space:
            raise UsageError("build(hp) declares nothing to search; use hp.Int, hp.Float, hp.Choice or hp.Boolean")
        return cls(found)

    def hyperparameters(self) -> Any:
        """The entries as keras-tuner has them."""
        return self._declared.copy()

    def decode(self, proposed: Mapping[str, Any]) -> dict[str, Value]:
        """What a person reads: the entries without the tuner's own."""
        return {name: value for name, value in proposed.items() if not name.startswith("tuner/")}

    def default(self) -> dict[str, Any]:
        """Every active entry at its default."""
        space = self._declared.copy()
        return {entry.name: entry.default for entry in space.space if space.is_active(entry)}

    def grid_size(self) -> int:
        """Combinations; conditions are not looked at, so that it may be more than there are."""
        size = 1
        for entry in self._declared.space:
            size *= len(list(entry.values))
        return size

    def to_json(self) -> tuple[Mapping[str, Any], ...]:
        """For `search.json`."""
        config: dict[str, Any] = self._declared.get_config()
        return tuple(config["space"])


def _explored(hypermodel: Any, known: Any) -> Any:
    """Every entry that a choice or flag brings out: what `if hp.Boolean("deep"):` hides, keras-tuner would not find."""
    tried: set[tuple[str, Any]] = set()
    for _ in range(MOST_BUILDS):
        left = [
            (entry.name, value)
            for entry in known.space
            if type(entry).__name__ in ("Boolean", "Choice")
            for value in entry.values
            if value != entry.default and (entry.name, value) not in tried
        ]
        if not left:
            break
        name, value = left[0]
        tried.add((name, value))
        values = known.copy()
        values.values[name] = value
        values.ensure_active_values()
        try:
            hypermodel.build(values)
        except Exception:  # noqa: BLE001, S112 - a value that builds nothing is a failed trial later, and is told there
            continue
        there = [entry.get_config() for entry in known.space]
        known.merge([entry for entry in values.space if entry.get_config() not in there])
    return known
