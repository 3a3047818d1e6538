import tomllib

import pytest

from zoo.catalog import RECIPES
from zoo.config import OPTIMIZER_RATES, TRAINING, configure
from zoo.data.options import DATA
from zoo.errors import UsageError


def test_overrides_reach_training_data_and_builder():
    config = configure("mnist-cnn", {"epochs": "7", "validation": "0.2", "dropout": "0.4"})
    assert (config.training.epochs, config.data.validation, config.hyperparameters["dropout"]) == (7, 0.2, 0.4)


def test_a_recipe_differs_from_the_defaults_only_where_it_says_so():
    card, config = RECIPES.get("mnist-cnn"), configure("mnist-cnn")
    assert config.training.epochs == card.training["epochs"]
    assert config.training.optimizer == "adam"
    assert (config.name, config.recipe, config.dataset) == ("mnist-cnn", "mnist-cnn", "mnist")


@pytest.mark.parametrize("name", RECIPES.names())
def test_toml_out_and_in_is_the_same_configuration(name, tmp_path):
    resolved = configure(name, {"seed": 3}).for_data(RECIPES.get(name).task, 1000)
    path = tmp_path / "config.toml"
    path.write_text(resolved.to_toml())
    again = configure(str(path))
    assert again == resolved
    assert again.for_data(RECIPES.get(name).task, 1000) == resolved


def test_a_resolved_configuration_leaves_nothing_to_choose():
    resolved = configure("mnist-cnn", {"optimizer": "sgd", "learning_rate": "auto"}).for_data("multiclass", 1000)
    assert resolved.training.learning_rate == OPTIMIZER_RATES["sgd"]
    assert resolved.training.loss == "categorical_crossentropy"
    assert resolved.training.threads >= 1
    assert "auto" not in str(tomllib.loads(resolved.to_toml())["training"]["learning_rate"])


def test_a_users_recipe_starts_from_another(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('recipe = "mnist-cnn"\n[hyperparameters]\nfilters = 8\n[training]\nepochs = 2\n')
    config = configure(str(path), {"epochs": 1})
    assert (config.hyperparameters["filters"], config.hyperparameters["head"]) == (8, "flatten")
    assert (config.training.epochs, config.training.learning_rate) == (1, 0.01)
    assert config.name == "mine"


def test_a_users_recipe_of_builder_and_data(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('builder = "mlp"\n[data]\ndataset = "iris"\n')
    config = configure(str(path))
    assert (config.builder, config.dataset, config.name) == ("mlp", "iris", "mine")


def test_a_builder_on_data_is_named_after_both():
    assert configure("mlp", data="iris").name == "mlp-iris"
    assert configure("mnist-mlp", data="digits").name == "mlp-digits"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("builder = [", "is not TOML"),
        ('builder = "mlp"\n', "needs data"),
        ('[data]\ndataset = "iris"\n', "names no builder"),
        ('bulder = "mlp"\n', "unknown key 'bulder'; did you mean builder"),
        ('recipe = "mnist-cn"\n', "did you mean mnist-cnn"),
        ('recipe = "mnist-cnn"\n[training]\nepocs = 2\n', "did you mean epochs"),
        ('recipe = "mnist-cnn"\n[hyperparameters]\nfilters = 0\n', "1 to 1,024"),
        ('recipe = "mnist-cnn"\nschema_version = 9\n', "schema_version = 9 is not 1"),
        ('recipe = "mnist-cnn"\nschema_version = "1"\n', "schema_version = '1' is not 1; write it"),
        ('recipe = "mnist-cnn"\nschema_version = true\n', "schema_version = True is not 1"),
        (
            'builder = "mlp"\n[data]\ndataset = 3\n',
            'dataset = 3 is not text; expected a name, such as dataset = "iris"',
        ),
        ('builder = "mlp"\n[data]\ndataset = ["iris"]\n', r"dataset = \['iris'\] is not text"),
        ('builder = "mlp"\n[data]\ndataset = " "\n', "dataset = ' ' is not text"),
        ('builder = "mlp"\nname = ""\n[data]\ndataset = "iris"\n', "name = '' is not text"),
        ('recipe = ""\n', "recipe = '' is not text"),
        ('recipe = "mnist-cnn"\n[training]\nmin_steps = 1_000_000_000\n', "0 to 10,000,000"),
        ('recipe = "mnist-cnn"\ntraining = 3\n', "expected a table"),
        ("builder = 3\n", "is not text"),
    ],
)
def test_a_file_that_is_wrong_says_where(tmp_path, text, match):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=match):
        configure(str(path))


@pytest.mark.parametrize(
    ("target", "overrides", "match"),
    [
        ("mnist-cn", {}, "did you mean mnist-cnn"),
        ("mlp", {}, "needs data; add --data NAME"),
        ("nowhere.toml", {}, "does not exist"),
        ("mnist-cnn", {"filtres": 3}, r"has no knob 'filtres'; did you mean filters\?"),
        ("mnist-cnn", {"schedule": "onecicle"}, "did you mean onecycle"),
        ("mnist-cnn", {"batch_size": "all"}, "at least 1|1 to 1,000,000, or full"),
    ],
)
def test_what_is_unknown_or_not_allowed_is_refused(target, overrides, match):
    with pytest.raises(UsageError, match=match):
        configure(target, overrides)


@pytest.mark.parametrize(
    ("overrides", "task", "match"),
    [
        ({"loss": "categorical_crossentropy"}, "regression", "choose one of mse, mae, huber"),
        ({"monitor": "accuracy"}, "regression", "choose one of loss, mae, rmse, r2"),
        ({"class_weights": "balanced"}, "regression", "leave it at none"),
    ],
)
def test_what_does_not_fit_the_task_is_refused(overrides, task, match):
    with pytest.raises(UsageError, match=match):
        configure("diabetes-mlp", overrides).for_data(task, 1000)


def test_a_builders_knob_may_not_take_a_training_knobs_name(tmp_path, monkeypatch):
    (tmp_path / "clashing.py").write_text("def build(inputs, outputs, *, epochs=3):\n    return None\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match="declares 'epochs', a knob of training; rename it"):
        configure("clashing:build", data="iris")


def test_every_knob_has_a_line_of_help_and_a_default_that_it_allows():
    for knob in (*TRAINING, *DATA):
        assert knob.help
        assert knob.validate(knob.default) == knob.default


@pytest.mark.parametrize(
    ("overrides", "samples", "epochs"),
    [
        ({}, 54_000, 3),
        ({}, 1293, 37),
        ({"batch_size": "full"}, 1293, 400),
        ({"epochs": 2}, 1293, 2),
        ({"epochs": 2, "min_steps": 110}, 1293, 10),
    ],
)
def test_a_small_set_is_gone_over_more_often_unless_epochs_are_given(overrides, samples, epochs):
    assert configure("mnist-cnn", overrides).for_data("multiclass", samples).training.epochs == epochs


@pytest.mark.parametrize(("min_steps", "epochs"), [("", 2), ("min_steps = 110\n", 10)])
def test_epochs_of_a_users_file_count_also_where_the_recipe_asks_for_steps(tmp_path, min_steps, epochs):
    path = tmp_path / "mine.toml"
    path.write_text(f'recipe = "mnist-cnn"\n[training]\nepochs = 2\n{min_steps}')
    assert configure(str(path)).for_data("multiclass", 1293).training.epochs == epochs


def test_a_configuration_with_very_many_steps_can_be_read_again(tmp_path):
    asked = {"min_steps": 10_000_000, "batch_size": "full"}
    resolved = configure("iris-mlp", asked).for_data("multiclass", 108)
    path = tmp_path / "config.toml"
    path.write_text(resolved.to_toml())
    assert resolved.training.epochs == 100_000
    assert configure(str(path)).for_data("multiclass", 108) == resolved


def test_a_folder_is_no_recipe(tmp_path):
    (tmp_path / "d.toml").mkdir()
    with pytest.raises(UsageError, match=r"d\.toml cannot be read: Is a directory; give a readable TOML file"):
        configure(str(tmp_path / "d.toml"))


@pytest.mark.parametrize(
    ("target", "options", "match"),
    [
        ("", {}, "target = '' is empty"),
        (" ", {}, "target = ' ' is empty"),
        ("iris-mlp", {"data": ""}, "data = '' is empty"),
        ("iris-mlp", {"name": ""}, "name = '' is empty"),
    ],
)
def test_an_empty_name_is_refused(target, options, match):
    with pytest.raises(UsageError, match=match):
        configure(target, **options)


def test_a_builder_recommends_only_what_nobody_gave():
    from zoo.cards import InputSpec, OutputSpec

    photos = InputSpec(shape=(96, 96, 3), kind="image")
    classes = OutputSpec(task="multiclass", shape=(5,))

    def recommended(target, samples=864, **given):
        return configure(target, given, data="digits").recommended(photos, classes, samples)

    assert recommended("convnet") == {
        "blocks": 3,
        "dropout": 0.3,
        "batch_size": 32,
        "epochs": 22,
        "learning_rate": 0.005,
        "schedule": "onecycle",
    }
    assert recommended("convnet", samples=60_000)["batch_size"] == 128
    assert recommended("convnet", samples=60_000)["epochs"] == 5
    assert "epochs" not in recommended("convnet", epochs=3)
    assert "learning_rate" not in recommended("convnet", schedule="constant")
    assert "learning_rate" not in recommended("convnet", optimizer="sgd")
    assert recommended("mnist-cnn") == {}
