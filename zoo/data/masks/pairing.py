"""Which mask belongs to which image: two folders with equal names, or a table with a column for each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from zoo.data.files.folder import group_of, walk
from zoo.data.files.listing import SPLIT_NAMES, FileKind, counted
from zoo.data.files.sheet import Sheet, plain, read_sheet
from zoo.data.findings import Finding
from zoo.data.options import DataConfig
from zoo.errors import DataError, UsageError
from zoo.images import IMAGE_SUFFIXES

PICTURES = FileKind("image", IMAGE_SUFFIXES)
IMAGE_FOLDERS = ("image", "images", "img", "imgs", "picture", "pictures", "photo", "photos")
MASK_FOLDERS = (
    "mask",
    "masks",
    "label",
    "labels",
    "annotation",
    "annotations",
    "segmentation",
    "segmentations",
    "seg",
    "gt",
    "ground_truth",
    "groundtruth",
)
"""Names of the two folders, in lower case."""

_ENDING = re.compile(r"[_-](mask|label|annotation|segmentation|seg|gt)s?$", re.IGNORECASE)
TABLES = (".csv", ".tsv")


@dataclass(frozen=True)
class Pair:
    """An image and its mask.

    Attributes:
        name: The image's path as people know it.
        part: Index of `zoo.data.dataset.PARTS`, -1 where nobody says.
        group: Images of one group never straddle splits; empty where there are none.
    """

    image: Path
    mask: Path
    name: str
    part: int = -1
    group: str = ""

    def unlike(self, image: tuple[int, ...], mask: tuple[int, ...]) -> str:
        """What is wrong with an image and a mask of these heights and widths, which differ."""
        sizes = f"{mask[1]}x{mask[0]} pixels, {self.image} {image[1]}x{image[0]}"
        return f"mask {self.mask} has {sizes}; give them the same size"


@dataclass(frozen=True)
class Pairs:
    """All pairs in a fixed order, and what was found on the way."""

    pairs: tuple[Pair, ...]
    findings: tuple[Finding, ...] = ()


def holds_masks(path: Path) -> bool:
    """Whether a folder has folders of images and masks, or a table a column of paths for each."""
    if path.is_dir():
        return bool(_places(path))
    if path.suffix.lower() not in TABLES or not path.is_file():
        return False
    try:
        return _mask_column(read_sheet(path, path.parent, PICTURES), "") is not None
    except DataError:
        return False  # it is no list of images


def find_pairs(path: Path, config: DataConfig) -> Pairs:
    """The pairs of a folder or a table, and behind them those of `test_data`.

    Args:
        path: A folder with one of `IMAGE_FOLDERS` and one of `MASK_FOLDERS` in it, or in each of its folders train,
            validation and test; or a table.
        config: `test_data`, `group_from`, and of a table `target` (the column of masks) and `split` are followed.

    Raises:
        UsageError: An option that does not fit, or two test splits.
        DataError: Test data that are not there, or a table that cannot be read.
    """
    found = _pairs(path, config)
    if not config.test_data:
        return found
    other = Path(config.test_data).absolute()
    if any(pair.part == 2 for pair in found.pairs):
        raise UsageError(f"{path} has a test split of its own, --test {other} is another; give one of them")
    if not other.exists() or not holds_masks(other):
        raise DataError(f"test_data {other} holds no images with masks; correct the path")
    tests = _pairs(other, replace(config, split="random", group_from=""))
    moved = tuple(replace(pair, part=2) for pair in tests.pairs)
    return Pairs((*found.pairs, *moved), (*found.findings, *tests.findings))


def _pairs(path: Path, config: DataConfig) -> Pairs:
    if path.is_file():
        return _of_table(path, config)
    for option, value in (("--target", config.target), ("--split", config.split)):
        if value not in ("", "random"):
            raise UsageError(f"{option} {value} names a column; {path} is a folder and has none")
    group = group_of(config.group_from) if config.group_from else None
    pairs: list[Pair] = []
    findings: list[Finding] = []
    for images, masks, part in _places(path):
        some = _matched(path, images, masks, part)
        findings += some.findings
        for pair in some.pairs:
            of = "" if group is None else group(pair.name)
            if of is None:
                text = f"{path / pair.name} does not match --group-from {config.group_from!r}"
                findings.append(Finding("error", f"{text}; change the expression or move the file"))
            pairs.append(replace(pair, group=of or ""))
    return Pairs(tuple(pairs), tuple(findings))


def _places(path: Path) -> list[tuple[Path, Path, int]]:
    """Folders of images, of masks, and the split they are: those in `path` itself, else in its split folders."""
    here = _couple(path)
    if here:
        return [(*here, -1)]
    try:
        folders = sorted(entry for entry in path.iterdir() if entry.is_dir() and entry.name.lower() in SPLIT_NAMES)
    except OSError:
        return []
    couples = [(_couple(folder), SPLIT_NAMES[folder.name.lower()]) for folder in folders]
    several = sum(found is not None for found, _ in couples) > 1
    return [(*found, part if several else -1) for found, part in couples if found]


def _couple(folder: Path) -> tuple[Path, Path] | None:
    """The one folder of images and the one of masks in it; None where there are others."""
    try:
        inside = [entry for entry in sorted(folder.iterdir()) if entry.is_dir()]
    except OSError:
        return None
    images = [entry for entry in inside if entry.name.lower() in IMAGE_FOLDERS]
    masks = [entry for entry in inside if entry.name.lower() in MASK_FOLDERS]
    if len(images) != 1 or len(masks) != 1:
        return None
    pictured = any(PICTURES.matches(file.name) for file in masks[0].rglob("*"))
    return (images[0], masks[0]) if pictured else None


def _matched(root: Path, images: Path, masks: Path, part: int) -> Pairs:
    """Files of two folders with the same name but for the ending; in the masks' also "_mask" and the like."""
    walked, others = walk(images, PICTURES), walk(masks, PICTURES)
    findings = [*walked.findings, *others.findings]
    files, twice = _by_stem(images, walked.files)
    found, again = _by_stem(masks, others.files)
    findings += [*twice, *again]
    for stem in sorted(found.keys() - files.keys()):
        short = _ENDING.sub("", stem)
        if short in files and short not in found:
            found[short] = found.pop(stem)
    for stem in sorted(files.keys() - found.keys()):
        text = f"{images / files[stem]} has no mask; expected {masks / stem}.png, add it or remove the image"
        findings.append(Finding("error", text))
    for stem in sorted(found.keys() - files.keys()):
        findings.append(
            Finding("error", f"{masks / found[stem]} is a mask without an image in {images}; add or remove one")
        )
    pairs = [
        Pair(
            images / files[stem],
            masks / found[stem],
            (images / files[stem]).relative_to(root).as_posix(),
            SPLIT_NAMES.get(stem.partition("/")[0].lower(), -1) if part < 0 and "/" in stem else part,
        )
        for stem in sorted(files.keys() & found.keys(), key=_natural)
    ]
    return Pairs(tuple(pairs), tuple(findings))


def _by_stem(folder: Path, names: Sequence[str]) -> tuple[dict[str, str], list[Finding]]:
    """Path without its ending to the path."""
    found: dict[str, str] = {}
    findings = []
    for name in names:
        stem = PurePosixPath(name).with_suffix("").as_posix()
        if stem in found:
            findings.append(
                Finding("error", f"{folder / name} and {found[stem]} have the same name; remove one of them")
            )
        found.setdefault(stem, name)
    return found, findings


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts 2 before 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _of_table(path: Path, config: DataConfig) -> Pairs:
    sheet = read_sheet(path, path.parent, PICTURES)
    masks = _mask_column(sheet, config.target)
    if masks is None:
        raise DataError(f"{path} has no second column of image files; expected images and masks, see --target COLUMN")
    images = _image_column(sheet, masks)
    how, _, named = config.split.partition(":")
    if how not in ("random", "column", "group") or (how != "random" and not named):
        raise UsageError(
            f"--split {config.split} does not fit images with masks; expected random, column:COL or group:COL"
        )
    special = sheet.column(named, "--split") if how != "random" else None
    group = group_of(config.group_from) if config.group_from else None
    findings = list(sheet.findings)
    pairs = []
    for line, cells in zip(sheet.lines, sheet.rows, strict=True):
        files = [path.parent / plain(cells[at]) for at in (images, masks)]
        gone = [file for file in files if not file.is_file()]
        if gone:
            findings += [
                Finding("error", f"{path}, line {line}: {file} does not exist; correct the path") for file in gone
            ]
            continue
        said = cells[special] if special is not None else ""
        if how == "column" and said.lower() not in SPLIT_NAMES:
            findings.append(
                Finding("error", f"{path}, line {line}: {said!r} is no split; expected train, validation or test")
            )
            continue
        of = said if how == "group" else (group(plain(cells[images])) or "" if group else "")
        pairs.append(
            Pair(files[0], files[1], plain(cells[images]), SPLIT_NAMES[said.lower()] if how == "column" else -1, of)
        )
    return Pairs(tuple(pairs), (*findings, *_repeated(path, pairs)))


def _repeated(path: Path, pairs: Sequence[Pair]) -> list[Finding]:
    """Images that stand in a table more than once."""
    seen: dict[Path, int] = {}
    for pair in pairs:
        seen[pair.image] = seen.get(pair.image, 0) + 1
    return [
        Finding("error", f"{path}: {image} stands there {counted(count, 'time')}; keep one line")
        for image, count in seen.items()
        if count > 1
    ]


def _path_columns(sheet: Sheet) -> list[int]:
    """Columns in which every cell names an image file."""
    return [
        at for at in range(len(sheet.header)) if sheet.rows and all(PICTURES.matches(cells[at]) for cells in sheet.rows)
    ]


def _mask_column(sheet: Sheet, target: str) -> int | None:
    """Index of the column of masks: the one asked for, one that is called so, or the second of paths."""
    if target:
        return sheet.column(target, "--target")
    columns = _path_columns(sheet)
    if len(columns) < 2:
        return None
    named: Mapping[int, str] = {at: sheet.header[at].lower() for at in columns}
    return next((at for at in columns if named[at].removesuffix("_path") in MASK_FOLDERS), columns[1])


def _image_column(sheet: Sheet, masks: int) -> int:
    others = [at for at in _path_columns(sheet) if at != masks]
    if not others:
        raise DataError(f"{sheet.file} has no column of images beside that of masks, {sheet.header[masks]!r}; add one")
    return others[0]
