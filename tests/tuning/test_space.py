"""The space of a search: from the declarations, and from what the user asks."""

import json
import math

import pytest

from tuning.space import Space, check_grid, make_space
from zoo.builders import get_builder
from zoo.catalog import RECIPES
from zoo.config import TRAINING, configure
from zoo.errors import UsageError
from zoo.settings import quiet_tensorflow

quiet_tensorflow()


def by_name(space):
    return {dimension.name: dimension for dimension in space.dimensions}


def sampled(space, count=200):
    """Proposals as keras-tuner draws them: each entry at random, those that are not active left out."""
    found = []
    for number in range(count):
        hyperparameters = space.hyperparameters()
        hyperparameters.values = {}
        for place, entry in enumerate(hyperparameters.space):
            if hyperparameters.is_active(entry):
                hyperparameters.values[entry.name] = entry.random_sample(1000 * number + place)
        found.append(dict(hyperparameters.values))
    return found


def test_the_usual_space_of_a_recipe():
    lines = make_space(["mnist-cnn"], [], {}).describe()
    assert "filters  4 to 64, log" in lines
    assert "dropout  0 to 0.6" in lines
    assert "l2  0, or 1e-06 to 0.001, log" in lines
    assert not [line for line in lines if line.startswith(("batch_norm", "activation", "kernel"))]
    assert "batch_size  32, 64, 128, 256" in lines
    assert "schedule  constant, cosine, onecycle" in lines
    assert "learning_rate  0.0001 to 0.01, log where optimizer is adam or adamw" in lines
    assert "learning_rate  0.005 to 0.5, log where optimizer is nesterov" in lines


def test_the_cell_of_a_recurrent_recipe_is_searched_and_its_one_activation_is_not():
    found = by_name(make_space(["digits-lstm"], [], {}))
    assert found["cell"].values == ("lstm", "gru")
    assert "activation" not in found


@pytest.mark.parametrize("name", RECIPES.names())
def test_every_recipe_as_it_stands_is_in_its_usual_space(name):
    space = make_space([name], [], {})
    default = space.default()
    config = configure(name)
    for knob, value in space.decode(default).items():
        own = config.hyperparameters.get(knob, getattr(config.training, knob, None))
        assert value == (0.001 if own == "auto" else own), knob


@pytest.mark.parametrize("name", ["mnist-cnn", "digits-lstm", "iris-mlp"])
def test_everything_that_is_proposed_is_allowed_and_proposed_again_as_the_same(name):
    space = make_space([name], [], {})
    knobs = {knob.name: knob for knob in (*get_builder(configure(name).builder).card.hyperparameters, *TRAINING)}
    seen = {"off": 0, "on": 0}
    for proposed in sampled(space):
        values = space.decode(proposed)
        for knob, value in values.items():
            assert knobs[knob].validate(value) == value
            assert type(value) in (bool, int, float, str)
        configure(name, values)
        assert space.decode(space.encode(values)) == values
        assert json.loads(json.dumps(values)) == values
        seen["off" if values["l2"] == 0 else "on"] += 1
        assert values["l2"] == 0 or 1e-6 <= values["l2"] <= 1e-2
    assert 0.08 < seen["off"] / 200 < 0.26, "about a sixth of the candidates has no penalty"


def test_the_learning_rate_follows_the_optimizer():
    space = make_space(["iris-mlp"], [], {})
    for proposed in sampled(space):
        values = space.decode(proposed)
        usual = 0.05 if values["optimizer"] == "nesterov" else 0.001
        assert usual / 10.001 <= values["learning_rate"] <= usual * 10.001


def test_a_number_is_proposed_as_a_person_would_write_it():
    space = make_space(["iris-mlp"], ["learning_rate=1e-4:1e-1"], {})
    for proposed in sampled(space, 50):
        rate = space.decode(proposed)["learning_rate"]
        assert rate == float(f"{rate:.4g}")


def test_fixed_knobs_leave_the_space_and_a_fixed_optimizer_gives_one_learning_rate():
    found = by_name(make_space(["iris-mlp"], [], {"units": 12, "optimizer": "sgd"}))
    assert "units" not in found
    assert "optimizer" not in found
    assert (found["learning_rate"].low, found["learning_rate"].high) == (0.005, 0.5)


def test_only_what_is_asked_is_searched():
    space = make_space(["iris-mlp"], ["units=32,64,128", "dropout=0:0.5"], {})
    assert space.describe() == ["units  32, 64, 128", "dropout  0 to 0.5"]


def test_all_is_the_usual_space_narrowed_and_widened_by_what_is_asked_besides():
    found = by_name(make_space(["iris-mlp"], ["all", "units=32,64", "weight_decay=1e-4:1e-2"], {}))
    assert found["units"].values == (32, 64)
    assert found["weight_decay"].log
    assert {"layers", "optimizer", "dropout"} <= set(found)


def test_a_key_alone_is_its_declared_range():
    assert make_space(["iris-mlp"], ["units", "batch-norm"], {}).describe() == [
        "units  8 to 256, log",
        "batch_norm  false, true",
    ]


def test_a_mapping_says_the_same_as_texts():
    texts = ["units=8:64", "dropout=0:0.4:0.1", "optimizer=adam,sgd", "layers"]
    mapping = {"units": (8, 64), "dropout": (0, 0.4, 0.1), "optimizer": ["adam", "sgd"], "layers": None}
    assert make_space(["iris-mlp"], mapping, {}) == make_space(["iris-mlp"], texts, {})


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("units=8:64", "units  8 to 64, log"),
        ("units=8:64:linear", "units  8 to 64"),
        ("units=8:64:16", "units  8, 24, 40, 56"),
        ("dropout=0:0.6:0.2", "dropout  0, 0.2, 0.4, 0.6"),
        ("dropout=0.1:0.6:log", "dropout  0.1 to 0.6, log"),
        ("learning_rate=1e-4:1e-2", "learning_rate  0.0001 to 0.01, log"),
        ("batch_size=16:100", "batch_size  16, 32, 64"),
        ("batch_size=16,64,full", "batch_size  16, 64, full"),
        ("l2=1e-5:1e-3", "l2  1e-05 to 0.001, log"),
        ("l2=0:1e-3", "l2  0, or 1e-06 to 0.001, log"),
        ("l2=0:1e-3:linear", "l2  0 to 0.001"),
        ("l2=0,1e-4,1e-2", "l2  0, 0.0001, 0.01"),
        ("batch_norm=true,false", "batch_norm  true, false"),
        ("train_samples=50,100", "train_samples  50, 100"),
        ("epochs=5:50:linear", "epochs  5 to 50"),
    ],
)
def test_the_grammar_of_a_range(asked, said):
    space = make_space(["iris-mlp"], [asked], {})
    assert space.describe() == [said]
    for proposed in sampled(space, 20):
        configure("iris-mlp", space.decode(proposed))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("unitss=8:64", ["'unitss' is no knob of iris-mlp", "did you mean units", "learning_rate", "schedule"]),
        ("units=64:8", ["is empty", "64 is not below 8"]),
        ("units=8:8", ["is empty"]),
        ("units=64", ["has one value", "--set units=64"]),
        ("units=", ["is empty", "KEY=low:high"]),
        ("units=8,8", ["repeats a value"]),
        ("units=0:64", ["units = '0' is not allowed", "1 to 8,192"]),
        ("units=8,abc", ["'abc' is not allowed"]),
        ("units=8:64:cubic", ["'cubic' is no scale and no step"]),
        ("units=8:64:1.5", ["'1.5' is no step", "whole"]),
        ("dropout=0:0.6:-1", ["'-1' is no step"]),
        ("dropout=0:0.6:0.0001", ["6,001 values"]),
        ("dropout=0:0.6:log", ["begins above 0"]),
        ("units=1:2:3:4", ["is no range"]),
        ("units=8:", ["is no range"]),
        ("learning_rate=auto:0.1", ["'auto' is no end of a range"]),
        ("optimizer=adam,addam", ["'addam' is not allowed", "did you mean"]),
        ("seed=1,2", ["seed cannot be searched", "repeats"]),
        ("split=a,b", ["split cannot be searched", "cannot be compared"]),
        ("columns=a,b", ["columns cannot be searched"]),
        ("tensorboard=true,false", ["tensorboard cannot be searched"]),
        ("all=1", ["takes no range"]),
        ("weight_decay", ["declares no range"]),
    ],
)
def test_a_range_that_is_none_is_one_clear_line(asked, words):
    with pytest.raises(UsageError) as caught:
        make_space(["iris-mlp"], [asked], {})
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_knob_is_not_searched_and_given():
    with pytest.raises(UsageError, match="'units' is searched and given as 8"):
        make_space(["iris-mlp"], ["units=8,16"], {"units": 8})


def test_a_knob_is_not_named_twice_and_something_is_searched():
    with pytest.raises(UsageError, match="names units twice"):
        make_space(["iris-mlp"], ["units=8,16", "units=8:64"], {})


def test_the_recipe_outside_of_what_is_asked_is_no_candidate():
    assert make_space(["iris-mlp"], ["units=32,64"], {}).default() is None
    assert make_space(["iris-mlp"], ["units=8:64"], {}).default() == {"units": 16}


def test_several_recipes_make_the_recipe_a_dimension_and_each_keeps_its_own_knobs():
    space = make_space(["digits-cnn", "digits-gru"], [], {})
    assert space.dimensions[0].values == ("digits-cnn", "digits-gru")
    seen = set()
    for proposed in sampled(space, 60):
        values = space.decode(proposed)
        seen.add(values["recipe"])
        assert ("filters" in values) == (values["recipe"] == "digits-cnn")
        assert ("cell" in values) == (values["recipe"] == "digits-gru")
        recipe = values.pop("recipe")
        configure(recipe, values)
    assert len(seen) == 2
    names = [dimension.name for dimension in space.dimensions]
    assert len(names) == len(set(names)), "keras-tuner's grid knows values by name"
    assert [space.decode(default)["recipe"] for default in space.defaults()] == ["digits-cnn", "digits-gru"]
    assert space.decode(space.defaults()[1])["cell"] == "gru"


def test_several_recipes_are_on_one_data_set():
    with pytest.raises(UsageError, match=r"iris-mlp \(iris\), wine-mlp \(wine\)"):
        make_space(["iris-mlp", "wine-mlp"], [], {})
    make_space(["iris-mlp", "wine-mlp"], [], {}, data="iris")


def test_what_a_builder_recommends_for_the_data_is_the_recipe_as_it_stands():
    advice = {"mlp": {"units": 100, "learning_rate": 0.02, "batch_size": 24}}
    space = make_space(["mlp"], [], {}, data="iris", advice=advice)
    assert advice["mlp"].items() <= space.decode(space.default()).items()


def test_the_rows_of_the_plan_make_the_same_space_again():
    space = make_space(["digits-cnn", "digits-gru"], ["all", "batch_size=16,full", "l1=0:1e-3"], {})
    rows = space.to_json()
    read = json.loads(json.dumps(rows))
    assert tuple(read) == rows, "a plan that is read back equals the one that was written"
    assert Space.from_json(["digits-cnn", "digits-gru"], read) == space


def test_a_grid_has_the_ends_and_the_middle_of_a_range():
    space = make_space(
        ["iris-mlp"], ["units=8:128", "dropout=0:0.5", "l2=0:1e-2", "layers=1:2", "batch_norm"], {}, grid=True
    )
    found = by_name(space)
    assert found["units"].values == (8, 32, 128)
    assert found["dropout"].values == (0.0, 0.25, 0.5)
    assert found["l2"].values == (0.0, 1e-4, 1e-2)
    assert found["layers"].values == (1, 2)
    assert space.grid_size() == 3 * 3 * 3 * 2 * 2


def test_the_size_of_a_grid_respects_what_hangs_on_what():
    space = make_space(["digits-cnn", "digits-gru"], ["filters=8,16,32", "cell=lstm,gru", "batch_size=16,32"], {})
    assert space.grid_size() == (3 + 2) * 2
    rates = make_space(["iris-mlp"], ["optimizer=adam,sgd", "learning_rate"], {})
    assert rates.grid_size() == 2 * 3


def test_a_grid_larger_than_the_trials_is_refused_with_both_numbers():
    space = make_space(["iris-mlp"], ["units=8,16,32", "layers=1,2,3"], {}, grid=True)
    check_grid(space.grid_size(), 9)
    with pytest.raises(UsageError, match=r"9 combinations, more than the 8 trials; give --trials 9"):
        check_grid(space.grid_size(), 8)


def test_the_ends_of_a_logarithmic_range_are_proposed_and_nothing_beyond():
    space = make_space(["iris-mlp"], ["units=8:64"], {})
    entry = space.hyperparameters().space[0]
    values = [space.decode({"units": entry.prob_to_value(part / 500)})["units"] for part in range(501)]
    assert (min(values), max(values)) == (8, 64)
    assert math.isclose(sum(value < 22 for value in values) / 501, 0.47, abs_tol=0.06)
