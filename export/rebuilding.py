"""Makes a bundle again and compares it byte for byte with the one that is there."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.bundle import Bundle
from export.exporting import export_model
from export.options import ASKED
from export.sources import locate
from zoo.errors import ModelError, UsageError
from zoo.runner import check_sums
from zoo.runs import Run


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """How a bundle that was made again compares with the one that is there.

    Attributes:
        bundle: The one that is there.
        files: How many files both have alike.
        different: Files whose bytes differ.
        missing: Files that only the new one has.
        extra: Files that only the old one has.
    """

    bundle: Path
    files: int
    different: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether they are the same, byte for byte."""
        return not (self.different or self.missing or self.extra)

    @property
    def problem(self) -> str:
        """What differs, in one line; empty where nothing does."""
        parts = (
            (("differs", "differ"), self.different),
            (("is missing", "are missing"), self.missing),
            (("was added", "were added"), self.extra),
        )
        told = [f"{', '.join(names)} {verbs[len(names) > 1]}" for verbs, names in parts if names]
        return f"{self.bundle} is not what its model exports to now: {'; '.join(told)}" if told else ""


def rebuild(source: Any, bundle: Bundle | Path | str, **options: Any) -> Rebuilt:
    """Exports again, as the bundle says it was made, and compares every file.

    Args:
        source: What the bundle was made from; as in `export.export_model`.
        bundle: A TFLite bundle or its folder.
        **options: Further ones of `export_model`, such as `data`, `root` and `on_event`.

    Raises:
        UsageError: A SavedModel, which is not the same byte for byte from export to export.
        ZooError: Of the export.
    """
    old = bundle if isinstance(bundle, Bundle) else Bundle(bundle)
    if problems := check_sums(old.path):
        raise ModelError(f"{old.path} was changed after it was made: {'; '.join(problems)}; export it again")
    if isinstance(source, (str, Path)):
        source = locate(source, Path(options.get("root", "runs")))
    if isinstance(source, Run):
        made, asked = old.manifest["source"].get("run"), f"{source.path.parent.name}/{source.path.name}"
        if made != asked:
            raise UsageError(f"{old.path} was made from {made or 'no run'}, not from {asked}; name that one")
    if old.format != "tflite":
        raise UsageError(f"{old.path} is a SavedModel, which TensorFlow writes anew each time; use zoo verify")
    with tempfile.TemporaryDirectory(prefix="zoo-check-") as scratch:
        new = export_model(source, out=Path(scratch) / "bundle", **{**made_with(old), **options})
        return compare_folders(old.path, new.path)


def made_with(bundle: Bundle) -> dict[str, Any]:
    """The options of `export_model` that a bundle was made with.

    Raises:
        UsageError: An earlier version made it, which did not write them down.
    """
    if "asked" not in bundle.manifest:
        raise UsageError(f"{bundle.path} does not say how it was made, an earlier version made it; export it again")
    return {name: bundle.manifest["asked"][name] for name in ASKED}


def compare_folders(old: Path, new: Path) -> Rebuilt:
    """Two bundles, file by file."""
    there, made = ({file.relative_to(root).as_posix() for file in _files(root)} for root in (old, new))
    both = sorted(there & made)
    different = tuple(name for name in both if (old / name).read_bytes() != (new / name).read_bytes())
    return Rebuilt(
        bundle=old,
        files=len(both) - len(different),
        different=different,
        missing=tuple(sorted(made - there)),
        extra=tuple(sorted(there - made)),
    )


def _files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]
