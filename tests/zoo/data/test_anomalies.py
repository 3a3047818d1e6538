import numpy as np
import pytest

from zoo.data import load
from zoo.data.anomalies import is_anomaly
from zoo.data.checking import check_data, fitting_builders
from zoo.data.dataset import Raw
from zoo.data.options import data_config
from zoo.data.preparing import prepare
from zoo.errors import DataError, UsageError

NORMAL, BROKEN = 200, 40
SPLITS = ("train", "validation", "test")


def machine(**extra):
    """Numbers of a machine: mostly as they should be, some of them worn or broken."""
    generator = np.random.default_rng(0)
    targets = np.repeat([0, 1, 2], [NORMAL, BROKEN, BROKEN])
    return Raw(
        samples=generator.normal(targets[:, None], 1, (len(targets), 3)),
        targets=targets,
        kind="table",
        task="multiclass",
        labels=("ok", "worn", "broken"),
        columns=("a", "b", "c"),
        **extra,
    )


def prepared(raw, **options):
    return prepare(raw, "machine", seed=0, config=data_config(**{"task": "anomaly", **options}))


def counts(dataset):
    return {name: np.bincount(getattr(dataset, name).targets, minlength=2).tolist() for name in SPLITS}


def told(dataset, text):
    return [finding.message for finding in dataset.findings if text in finding.message]


def test_only_normal_samples_are_trained_on_and_all_others_are_tested_on():
    dataset = prepared(machine(), normal="ok")
    assert counts(dataset) == {"train": [144, 0], "validation": [16, 0], "test": [40, 2 * BROKEN]}
    assert dataset.output.labels == ("normal", "anomaly")
    assert dataset.contract()["output"]["normal"] == ["ok"]
    assert told(dataset, "80 anomalies are in the test split, none in another")


def test_several_classes_can_be_normal():
    assert counts(prepared(machine(), normal="ok,worn"))["test"] == [48, BROKEN]


def test_a_class_named_ok_needs_no_telling():
    assert counts(prepared(machine())) == counts(prepared(machine(), normal="ok"))


def test_the_loss_wants_a_score_of_zero():
    dataset = prepared(machine())
    assert not dataset.model_targets(dataset.test).any()


def test_anomalies_of_a_group_that_is_trained_on_are_left_out():
    raw = machine(groups=np.arange(NORMAL + 2 * BROKEN) % 20)
    dataset = prepared(raw)
    values = {name: set(map(tuple, getattr(dataset, name).samples.tolist())) for name in SPLITS}
    group = {tuple(row): number for row, number in zip(raw.samples.tolist(), raw.groups.tolist(), strict=True)}
    groups = {name: {group[row] for row in rows} for name, rows in values.items()}
    assert not groups["test"] & (groups["train"] | groups["validation"])
    assert 0 < counts(dataset)["test"][1] < 2 * BROKEN
    assert told(dataset, "are left out: their split, group or time is that of training")


def test_anomalies_before_the_test_split_are_left_out():
    raw = machine(times=np.random.default_rng(1).permutation(NORMAL + 2 * BROKEN).astype(float))
    dataset = prepared(raw)
    time = {tuple(row): at for row, at in zip(raw.samples.tolist(), raw.times.tolist(), strict=True)}
    assert min(time[tuple(row)] for row in dataset.test.samples.tolist()) > max(
        time[tuple(row)] for row in dataset.validation.samples.tolist()
    )
    assert 0 < counts(dataset)["test"][1] < 2 * BROKEN


def test_the_anomalies_of_the_data_s_own_training_part_are_left_out():
    parts = np.zeros(NORMAL + 2 * BROKEN, np.int8)
    parts[NORMAL - 50 : NORMAL + 10] = 2
    dataset = prepared(machine(parts=parts))
    assert counts(dataset)["test"] == [50, 10]
    assert told(dataset, "70 are left out")


def test_an_official_test_split_stays_as_it_is():
    tests = np.repeat([0, 2], [30, 10])
    dataset = prepared(machine(test_samples=np.random.default_rng(2).normal(size=(40, 3)), test_targets=tests))
    assert counts(dataset)["test"] == [30, 10]
    assert counts(dataset)["train"][1] == 0
    assert told(dataset, "80 are left out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normal": "okay"}, "normal = 'okay' is no class of machine; did you mean ok.*it has ok, worn, broken"),
        ({"normal": "ok", "task": "auto"}, "normal: no option of a multiclass task, only of --task anomaly"),
        ({"false_alarms": 0.1, "task": "auto"}, "false_alarms: no option of a multiclass task"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises((DataError, UsageError), match=message):
        prepared(machine(), **options)


def test_classes_that_do_not_say_what_is_normal_are_asked_about():
    from dataclasses import replace

    with pytest.raises(DataError, match=r"the classes a, b, c, and nobody says which are normal; add --normal LABEL"):
        prepared(replace(machine(), labels=("a", "b", "c")))


def test_amounts_are_no_anomalies():
    from dataclasses import replace

    raw = replace(machine(), task="regression", targets=np.zeros((NORMAL + 2 * BROKEN, 1)), labels=("price",))
    with pytest.raises(DataError, match="targets of a regression task; anomalies are told from classes"):
        prepared(raw)


def write_table(path, labels):
    generator = np.random.default_rng(0)
    rows = [[f"{value:.4f}" for value in row] for row in generator.normal(size=(100, 3))]
    head, ends = "a,b,c", [""] * 100
    if labels:
        head, ends = "a,b,c,state", [",fine"] * 97 + [",torn"] * 3
    path.write_text("\n".join([head, *(",".join(row) + end for row, end in zip(rows, ends, strict=True))]) + "\n")
    return str(path)


def test_a_table_without_a_target_is_normal_throughout(tmp_path):
    dataset = load(write_table(tmp_path / "plain rows.csv", labels=False), seed=0, task="anomaly")
    assert counts(dataset) == {"train": [72, 0], "validation": [8, 0], "test": [20, 0]}
    assert told(dataset, "no anomaly to test on: there is no AUC")


def test_few_samples_of_an_anomaly_will_do(tmp_path):
    path = write_table(tmp_path / "rows.csv", labels=True)
    dataset = load(path, seed=0, task="anomaly", target="state", normal="fine")
    assert counts(dataset)["test"][1] == 3


def test_a_check_says_what_fits(tmp_path):
    checked = check_data(write_table(tmp_path / "rows.csv", labels=True), task="anomaly", target="state", normal="fine")
    assert checked.ok
    assert fitting_builders(checked) == ["autoencoder"]
    unsaid = check_data(write_table(tmp_path / "rows.csv", labels=True), task="anomaly", target="state")
    assert "nobody says which are normal" in unsaid.findings[0].message


def write_images(folder, count, seed):
    from PIL import Image

    folder.mkdir(parents=True)
    for at, pixels in enumerate(np.random.default_rng(seed).integers(0, 255, (count, 8, 8), np.uint8)):
        Image.fromarray(pixels).save(folder / f"{at}.png")


@pytest.fixture
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))


@pytest.mark.usefixtures("own_cache")
def test_a_folder_without_class_folders_is_normal_throughout(tmp_path):
    write_images(tmp_path / "my parts", 20, 0)
    dataset = load(str(tmp_path / "my parts"), seed=0, task="anomaly")
    assert counts(dataset) == {"train": [14, 0], "validation": [2, 0], "test": [4, 0]}


@pytest.mark.usefixtures("own_cache")
def test_folders_that_train_on_good_parts_alone(tmp_path):
    for at, (name, count) in enumerate({"train/good": 20, "test/good": 6, "test/bent": 1, "test/torn": 3}.items()):
        write_images(tmp_path / "parts" / name, count, at)
    dataset = load(str(tmp_path / "parts"), seed=0, task="anomaly")
    assert counts(dataset) == {"train": [18, 0], "validation": [2, 0], "test": [6, 4]}


def test_arrays_without_targets_are_normal_throughout(tmp_path):
    np.savez(tmp_path / "rows.npz", x=np.random.default_rng(0).normal(size=(50, 4)))
    assert counts(load(str(tmp_path / "rows.npz"), seed=0, task="anomaly"))["test"] == [10, 0]


def test_a_set_known_by_name_is_read_for_anomalies():
    dataset = load("breast-cancer", seed=0, task="anomaly", normal="benign")
    assert counts(dataset)["train"][1] == 0
    assert counts(dataset)["test"][1] == 212
    with pytest.raises(UsageError, match="task say how files of your own are read"):
        load("breast-cancer", seed=0, task="regression")


def test_equal_numbers_are_the_same_label():
    assert is_anomaly(["0", "0.0", "1", "ok"], {"normal": ["0", "ok"]}).tolist() == [0, 0, 1, 0]
