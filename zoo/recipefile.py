"""What a name or a TOML file says of a run, before defaults are filled in."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from zoo import deployment
from zoo.builders import BUILDERS
from zoo.cards import RecipeCard
from zoo.catalog import RECIPES
from zoo.data.references import resolve_indices, resolve_reference
from zoo.deployment import read_deployment
from zoo.errors import UsageError
from zoo.registry import suggest

SCHEMA_VERSION = 1
EXAMPLES = {
    "name": "my-run",
    "recipe": "mnist-cnn",
    "builder": "mlp",
    "builder_folder": "models",
    "dataset": "iris",
    "test_data": "test.csv",
}


def read_layers(target: str) -> dict[str, Any]:
    """The given values, defaults not yet filled in, of whatever the target is.

    Args:
        target: A recipe's name, a path ending in `.toml`, a builder's name or "module:function".

    Returns:
        "builder", "recipe" (None where there is none) and the tables "hyperparameters", "training" and "data";
        "dataset" and "name" where they were given.

    Raises:
        UsageError: None of these, or a file with a key or a value that means nothing.
    """
    if target.endswith(".toml"):
        return _from_file(Path(target))
    if target in RECIPES:
        return _from_recipe(RECIPES.get(target))
    if ":" in target or target in BUILDERS:
        return {"builder": target, "recipe": None, "hyperparameters": {}, "training": {}, "data": {}}
    near = suggest(target, [*RECIPES.names(), *BUILDERS.names()])
    raise UsageError(f"{target!r} is no recipe, builder, module:function or .toml file{near}; see: zoo list")


def _from_recipe(card: RecipeCard) -> dict[str, Any]:
    return {
        "builder": card.builder,
        "dataset": card.dataset,
        "recipe": card.name,
        "hyperparameters": dict(card.hyperparameters),
        "training": dict(card.training),
        "data": dict(card.data),
    }


def _from_file(path: Path) -> dict[str, Any]:
    """A TOML file over the recipe it names, if it names one."""
    content = read_toml(path)
    tables = {name: content.pop(name, {}) for name in ("data", "hyperparameters", "training")}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise UsageError(f"{path}: {name!r} is a value; expected a table [{name}]")
    version = content.pop("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION or type(version) is not int:
        raise UsageError(f"{path}: schema_version = {version!r} is not {SCHEMA_VERSION}; write it for this version")
    read_deployment(path, {name: content.pop(name) for name in deployment.TABLES if name in content})
    allowed = ("name", "recipe", "builder", "builder_folder")
    for key, value in content.items():
        if key not in allowed:
            raise UsageError(f"{path}: unknown key {key!r}{suggest(key, (*allowed, *tables, *deployment.TABLES))}")
        _check_text(path, key, value)
    recipe = content.get("recipe")
    layers = _from_recipe(RECIPES.get(recipe)) if recipe else {"recipe": None, **{name: {} for name in tables}}
    layers |= {key: value for key, value in content.items() if key != "recipe"}
    layers |= _take_paths(path, tables["data"])
    if "epochs" in tables["training"]:
        tables["training"].setdefault("min_steps", 0)  # the recipe's is for its own epochs
    if "builder" not in layers:
        raise UsageError(f'{path} names no builder; add builder = "mlp", or recipe = "mnist-cnn" to start from')
    for name, table in tables.items():
        layers[name] = {**layers[name], **table}
    layers.setdefault("name", path.stem)
    if ":" in layers["builder"]:
        layers["builder_folder"] = str(path.absolute().parent / layers.get("builder_folder", ""))
    return layers


def _take_paths(path: Path, data: dict[str, Any]) -> dict[str, str]:
    """Makes a file's references absolute, from its own folder; takes the data set out, for it is no knob."""
    for key in ("dataset", "test_data"):
        if data.get(key, "") != "":
            _check_text(path, key, data[key])
            data[key] = resolve_reference(data[key], path.absolute().parent)
    data |= resolve_indices(data, path.absolute().parent)
    return {"dataset": data.pop("dataset")} if "dataset" in data else {}


def _check_text(path: Path, key: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f'{path}: {key} = {value!r} is not text; expected a name, such as {key} = "{EXAMPLES[key]}"')


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file; a UsageError says why there is none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist; give a recipe, a builder or a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}; correct it there") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}; give a readable TOML file") from error
