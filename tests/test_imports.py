"""What importing costs: no framework before it is needed."""

import pkgutil
import subprocess
import sys

import zoo

HEAVY = ("tensorflow", "keras", "sklearn", "pandas", "matplotlib")
RUNS_A_FRAMEWORK = (
    "zoo.hub_layer",
    "zoo.training.centres",
    "zoo.training.loop",
    "zoo.training.measure",
    "zoo.training.optimizers",
    "zoo.training.prepared",
)


def importable():
    found = [module.name for module in pkgutil.walk_packages(zoo.__path__, "zoo.")]
    return [name for name in found if name not in (*RUNS_A_FRAMEWORK, "zoo.__main__")]


def test_no_module_of_the_zoo_imports_a_framework_when_it_is_imported():
    code = f"""
import importlib, sys
for name in {importable()}:
    importlib.import_module(name)
    loaded = [heavy for heavy in {HEAVY} if heavy in sys.modules]
    assert not loaded, f"{{name}} imports {{loaded}}"
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_the_names_of_the_notebook_api_are_there():
    for name in zoo.__all__:
        assert getattr(zoo, name) is not None
    assert zoo.export.to_tflite is not None


def test_no_name_that_a_package_gives_is_one_of_its_modules():
    """Importing such a module would put it in the place of the function."""
    for package in (zoo, zoo.tuning, zoo.export):
        modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
        assert not modules & set(package.__all__), package.__name__


def test_a_search_can_be_called_again_after_its_module_was_imported():
    import tuning.launching

    assert zoo.tuning.tune is tuning.launching.tune
    assert zoo.tuning.tune is tuning.launching.tune
