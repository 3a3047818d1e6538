"""A TOML file where a recipe's name would do."""

import json

import pytest
from click.testing import CliRunner

from zoo.cli.info import command as info
from zoo.config import configure
from zoo.errors import UsageError


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a folder" / "wine.toml"
    path.parent.mkdir()
    path.write_text(
        'builder = "mlp"\n[data]\ndataset = "wine"\n[hyperparameters]\nunits = 12\n'
        '[export]\nformats = ["tflite-int8"]\n[require]\naccuracy = 0.9\nmax_bytes = "8k"\n'
    )
    return path


def test_info_shows_what_the_file_says(file):
    value = json.loads(CliRunner().invoke(info, [str(file), "--json"], catch_exceptions=False).stdout)
    assert value["name"] == "wine"
    assert {knob["name"]: knob["value"] for knob in value["hyperparameters"]}["units"] == 12
    assert value["exports"] == ["tflite-int8"]
    assert value["require"] == {"accuracy": 0.9, "max_bytes": 8192}
    page = CliRunner().invoke(info, [str(file)], catch_exceptions=False).stdout
    assert "tflite-int8" in page
    assert f"zoo train '{file}'" in page


def test_a_builder_of_ones_own_is_looked_for_beside_the_file_and_its_folder_is_kept(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (file.parent / "kept_models.py").write_text(
        "def narrow(inputs, outputs, *, width=3):\n    raise NotImplementedError\n"
    )
    file.write_text('builder = "kept_models:narrow"\n[data]\ndataset = "wine"\n')
    config = configure(str(file))
    assert config.hyperparameters == {"width": 3}
    assert config.builder_folder == str(file.parent)
    again = tmp_path / "config.toml"
    again.write_text(config.to_toml())
    assert configure(str(again)) == config


def test_train_refuses_a_file_whose_exports_are_wrong_before_it_trains(file):
    file.write_text(file.read_text().replace("formats", "formaats"))
    with pytest.raises(UsageError, match=r"\[export\] has no key 'formaats'; did you mean formats"):
        configure(str(file))
