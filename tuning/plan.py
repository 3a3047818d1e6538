"""What a search is asked to do: the content of `search.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from tuning.dimensions import Dimension
from zoo.errors import DataError
from zoo.runs import jsonable

TunerName = Literal["random", "hyperband", "bayesian", "grid"]
TUNERS: tuple[TunerName, ...] = ("random", "hyperband", "bayesian", "grid")
SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a device has; None is no limit.

    Attributes:
        flash: Largest exported file, bytes.
        arena: Largest tensor arena, bytes, measured on the host.
        latency_us: Longest median time of one sample here, one thread, microseconds.
        macs: Most multiplications with addition of one sample.
    """

    flash: int | None = None
    arena: int | None = None
    latency_us: float | None = None
    macs: int | None = None

    def __bool__(self) -> bool:
        return any(value is not None for value in asdict(self).values())


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A search, whole: who reads `search.json` on another machine can work on it.

    Attributes:
        names: Recipes, TOML files or builders; more than one makes the builder a dimension.
        data: A data set's name or a path that replaces the recipe's own; None where it is the recipe's.
        given: Fixed knobs, as the user gave them.
        space: Rows of `tuning.space.Space.to_json`.
        objective: A metric's name.
        smaller_is_better: Its direction.
        seed: Of the proposals; of the training where `given` has none.
        quantize: Mode in which candidates are exported and scored; None scores the Keras model.
        repeats: Trainings of a trial, each with a seed and a validation split of its own.
        sha256: Of the data.
        settings: Digest of what the recipes or files say, so that a changed file is noticed.
        trials: Candidates to train or find failed; those that were rejected do not count.
        max_seconds: Wall-clock budget of the search, without what follows it.
        keep: Trials that keep their weights.
        brackets: Of Hyperband, as `tuning.brackets.hyperband_brackets` has them when the search begins; 0 for all that
            the epochs allow. Later numbers of trials do not change it.
    """

    names: tuple[str, ...]
    data: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    space: tuple[Mapping[str, Any], ...] = ()
    tuner: TunerName = "random"
    objective: str = "accuracy"
    smaller_is_better: bool = False
    seed: int = 0
    quantize: str | None = None
    limits: Limits = field(default_factory=Limits)
    repeats: int = 1
    sha256: str = ""
    settings: str = ""
    trials: int = 20
    max_seconds: float | None = None
    keep: int = 5
    brackets: int = 0
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> dict[str, Any]:
        """The content of `search.json`, but for its status."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Any, where: str) -> Plan:
        """The inverse of `to_json`.

        Raises:
            DataError: It is no plan, or one of another schema version.
        """
        try:
            if content["schema_version"] != SCHEMA_VERSION:
                raise DataError(f"{where} is of schema version {content['schema_version']}; search anew")
            known = {key: content[key] for key in (entry.name for entry in fields(cls)) if key in content}
            limits = Limits(**known.pop("limits", {}))
            names, space = tuple(known.pop("names")), tuple(known.pop("space", ()))
            return cls(names=names, space=space, limits=limits, **known)
        except (TypeError, KeyError, AttributeError) as error:
            raise DataError(f"{where} is no plan of a search: {error}; it is damaged") from error

    def differences(self, other: Plan) -> list[str]:
        """What makes the trials of two plans no trials of one search, a line each."""
        one, two = jsonable(asdict(self)), jsonable(asdict(other))
        if one.pop("settings") != two.pop("settings"):
            return ["the recipe, the file or its knobs have changed since", *self._told(one, two)]
        return self._told(one, two)

    def _told(self, one: Mapping[str, Any], two: Mapping[str, Any]) -> list[str]:
        may_change = {"trials", "max_seconds", "keep", "brackets", "schema_version"}
        return [
            f"{name} was {_shown(name, one[name])}, is {_shown(name, two[name])}"
            for name in one
            if name not in may_change and one[name] != two[name]
        ]


def _shown(name: str, value: Any) -> str:
    """A value for people; of a space the knobs with their ranges."""
    if name != "space":
        return repr(value)
    return "; ".join(Dimension(**row).describe() if "knob" in row else str(row["config"]) for row in value)
