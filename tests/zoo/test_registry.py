import sys
from importlib import metadata

import pytest

from zoo.errors import UsageError
from zoo.registry import Registry, load_object


@pytest.fixture
def registry():
    registry = Registry("recipe", hint="; see: zoo list")
    for name in ("mnist-cnn", "mnist-mlp", "iris-mlp"):
        registry.add(name, f"json:{'loads' if name == 'iris-mlp' else 'dumps'}")
    return registry


def test_an_entry_is_imported_when_it_is_asked_for():
    registry = Registry("thing")
    registry.add("broken", "a_module_that_is_not_there:thing")
    assert registry.names() == ["broken"]
    with pytest.raises(UsageError, match="a_module_that_is_not_there"):
        registry.get("broken")


def test_a_target_resolves_to_its_object(registry):
    import json

    assert registry.get("iris-mlp") is json.loads


@pytest.mark.parametrize(
    ("pattern", "names"),
    [("*", ["iris-mlp", "mnist-cnn", "mnist-mlp"]), ("mnist-*", ["mnist-cnn", "mnist-mlp"]), ("x*", [])],
)
def test_names_take_wildcards(registry, pattern, names):
    assert registry.names(pattern) == names


def test_a_duplicate_is_an_error_that_names_both(registry):
    with pytest.raises(UsageError, match=r"'mnist-cnn' is registered twice: json:dumps and other:thing"):
        registry.add("mnist-cnn", "other:thing")


def test_an_unknown_name_lists_the_nearest(registry):
    with pytest.raises(UsageError, match=r"recipe 'mnist-cn' is unknown; did you mean mnist-cnn.*zoo list"):
        registry.get("mnist-cn")


def test_an_unknown_name_with_nothing_near_lists_all(registry):
    with pytest.raises(UsageError, match="there are: iris-mlp, mnist-cnn, mnist-mlp"):
        registry.get("zzz")


def entry_point(monkeypatch, name, value):
    point = metadata.EntryPoint(name=name, value=value, group="zoo.builders")
    monkeypatch.setattr("zoo.registry.metadata.entry_points", lambda group: [point] if group == point.group else [])


def test_entry_points_of_installed_packages_are_names_too(monkeypatch):
    import json

    entry_point(monkeypatch, "theirs", "json:dumps")
    registry = Registry("builder", entry_points="zoo.builders")
    assert registry.names() == ["theirs"]
    assert registry.get("theirs") is json.dumps


def test_an_entry_point_that_takes_our_name_is_an_error(monkeypatch):
    entry_point(monkeypatch, "mlp", "theirs:mlp")
    registry = Registry("builder", entry_points="zoo.builders")
    registry.add("mlp", "zoo.builders.mlp:mlp")
    with pytest.raises(UsageError, match=r"'mlp' is registered twice: zoo\.builders\.mlp:mlp and theirs:mlp"):
        registry.names()


def test_module_function_finds_a_file_where_the_user_stands(tmp_path, monkeypatch):
    (tmp_path / "my_models_here.py").write_text("def wide():\n    return 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    assert load_object("my_models_here:wide")() == 1


@pytest.mark.parametrize(
    ("target", "match"),
    [
        ("no_colon", "module:object"),
        (".relative:f", r"'\.relative:f' is not of the form module:object"),
        ("sys:stdot", r"module 'sys' \(built in\) has no 'stdot'; did you mean"),
        ("math.sub:f", "'math' is not a package"),
        ("my_models.py:wide", "; write my_models:wide$"),
        ("json:", "module:object"),
        ("not_there_at_all:f", "does not import"),
        ("json:lods", "did you mean load"),
    ],
)
def test_a_target_that_is_none_says_what_is_wrong(target, match):
    with pytest.raises(UsageError, match=match):
        load_object(target)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder in which the user stands, found as the command line finds it: last."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*(entry for entry in sys.path if entry), str(tmp_path)])
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("x = 1\ndef wide(:\n", r"wrong\.py:2: SyntaxError: invalid syntax"),
        ("def wide():\nreturn 1\n", r"wrong\.py:2: IndentationError"),
        ("import json\n\njson.loads('{')\n", r"wrong\.py:3: JSONDecodeError: Expecting property name"),
        ("x = 1\nimport a_package_that_is_not_there\n", r"wrong\.py:2: ModuleNotFoundError: No module named 'a_pack"),
        ("raise RuntimeError('two\\n  lines')\n", r"wrong\.py:1: RuntimeError: two lines"),
        ("raise ValueError\n", r"wrong\.py:1: ValueError;"),
        ("import sys\nsys.exit(3)\n", r"wrong\.py:2: SystemExit: 3"),
    ],
)
def test_a_module_that_fails_while_it_is_imported_names_its_line(here, text, match):
    (here / "wrong.py").write_text(text)
    with pytest.raises(UsageError, match=rf"module 'wrong' does not import: .*{match}") as caught:
        load_object("wrong:wide")
    assert "\n" not in str(caught.value)


def test_ctrl_c_while_a_module_is_imported_passes_through(here):
    (here / "slow_one.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load_object("slow_one:wide")


@pytest.mark.parametrize(
    ("file", "target", "other"),
    [
        ("colorsys.py", "colorsys:wide", r"colorsys\.py"),
        ("colorsys/__init__.py", "colorsys.mine:wide", r"colorsys\.py"),
        ("math.py", "math:wide", "math"),
    ],
)
def test_a_users_file_that_python_passes_over_is_named(here, file, target, other):
    (here / file).parent.mkdir(exist_ok=True)
    (here / file).write_text("def wide():\n    return 1\n")
    with pytest.raises(UsageError, match=rf"{here / file} is shadowed by .*{other}.*: give it another name"):
        load_object(target)


def test_a_module_is_found_in_the_folder_that_is_named_and_never_taken_for_another(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name, value in (("one", 1), ("two", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "beside_models.py").write_text(f"value = {value}\n")
    try:
        assert load_object("beside_models:value", str(tmp_path / "one")) == 1
        with pytest.raises(UsageError, match=r"two.beside_models.py is shadowed by .*one.beside_models.py"):
            load_object("beside_models:value", str(tmp_path / "two"))
    finally:
        sys.modules.pop("beside_models", None)
