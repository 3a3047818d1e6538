"""Samples and targets in every form that Keras takes, for models with several inputs and outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from export import given
from export.signature import Signature, Tensor
from zoo.errors import DataError, UsageError

COUNT = 60
A = np.arange(COUNT * 3, dtype=np.float32).reshape(COUNT, 3)
B = np.arange(COUNT, dtype=np.int32)[:, None]
Y, Z = np.arange(COUNT), -np.arange(COUNT, dtype=np.float32)[:, None]
TWO = Signature(
    inputs=(
        Tensor(name="a", shape=(3,), dtype="float32"),
        Tensor(name="b", shape=(1,), dtype="int32", alias="keras_tensor_7"),
    ),
    outputs=(Tensor(name="y", shape=(4,), dtype="float32"), Tensor(name="z", shape=(1,), dtype="float32")),
    input_structure=["a", "b"],
    output_structure=["y", "z"],
)
ONE = Signature(inputs=TWO.inputs[:1], outputs=TWO.outputs[:1], input_structure="a", output_structure="y")


def batches(inputs: Any, targets: Any = None, size: int = 25) -> list[Any]:
    """A list of batches of nested arrays, a tuple each where there are targets."""

    def cut(value: Any, at: int) -> Any:
        if isinstance(value, dict):
            return {name: cut(part, at) for name, part in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(cut(part, at) for part in value)
        return value[at : at + size]

    starts = range(0, COUNT, size)
    return [cut(inputs, at) if targets is None else (cut(inputs, at), cut(targets, at)) for at in starts]


@pytest.mark.parametrize(
    "samples",
    [
        {"b": B, "a": A},
        {"a": A, "keras_tensor_7": B},
        (A, B),
        [A, B],
        ((A, B), Y),
        batches({"a": A, "b": B}),
        batches([A, B]),
        batches((A, B)),
        batches((A, B), (Y, Z)),
        (batch for batch in batches({"a": A, "b": B}, {"y": Y, "z": Z})),
    ],
    ids=[
        "dict", "by-keras-name", "tuple", "list", "with-targets", "dicts", "lists", "tuples", "pairs",
        "generator",
    ],
)  # fmt: skip
def test_samples_of_two_inputs_come_out_by_name(samples: Any) -> None:
    parts = given.read(samples, what="representative", inputs=2)
    named, targets = given.join(parts, TWO, "representative")
    assert list(named) == ["a", "b"]
    np.testing.assert_array_equal(named["a"], A)
    np.testing.assert_array_equal(named["b"], B)
    assert targets is None


@pytest.mark.parametrize("targets", [{"z": Z, "y": Y}, (Y, Z), [Y, Z]], ids=["dict", "tuple", "list"])
@pytest.mark.parametrize("cut", [False, True], ids=["whole", "batches"])
def test_targets_come_out_by_output(targets: Any, cut: bool) -> None:
    evaluate = batches({"a": A, "b": B}, targets) if cut else ({"a": A, "b": B}, targets)
    parts = given.read(evaluate, what="evaluate", inputs=2, with_targets=True)
    _, named = given.join(parts, TWO, "evaluate")
    assert named is not None
    np.testing.assert_array_equal(named["y"], Y)
    np.testing.assert_array_equal(named["z"], Z)


def test_an_output_without_targets_is_none() -> None:
    parts = given.read(((A, B), (Y, None)), what="evaluate", inputs=2, with_targets=True)
    assert list(given.join(parts, TWO, "evaluate")[1] or ()) == ["y"]
    parts = given.read(((A, B), (None, None)), what="evaluate", inputs=2, with_targets=True)
    with pytest.raises(UsageError, match="evaluate has no targets"):
        given.join(parts, TWO, "evaluate")


@pytest.mark.parametrize("samples", [A, [A[:30], A[30:]], {"a": A}, (A, Y), (A, Y, np.ones(COUNT)), [(A, Y)]])
def test_one_input_takes_what_it_always_took(samples: Any) -> None:
    parts = given.read(samples, what="representative", inputs=1)
    np.testing.assert_array_equal(given.join(parts, ONE, "representative")[0]["a"], A)


def test_sample_weights_are_left_out() -> None:
    parts = given.read(({"a": A, "b": B}, (Y, Z), np.ones(COUNT)), what="evaluate", inputs=2, with_targets=True)
    assert given.join(parts, TWO, "evaluate")[1] is not None
    three = given.read((A, Y, np.ones(COUNT)), what="evaluate", inputs=3, with_targets=True)
    assert three[0].targets is Y


def test_of_an_endless_iterable_only_as_much_is_read_as_is_used(keras: Any) -> None:
    import itertools

    parts = given.read(itertools.repeat({"a": A, "b": B}), what="representative", inputs=2, limit=100)
    assert len(parts) == 2
    tensorflow = keras.src.utils.module_utils.tensorflow
    endless = tensorflow.data.Dataset.from_tensor_slices(((A, B), (Y, Z))).batch(20).repeat()
    assert len(given.read(endless, what="representative", inputs=2, limit=100)) == 5
    with pytest.raises(DataError, match=r"evaluate repeats without end.*take"):
        given.read(endless, what="evaluate", inputs=2, with_targets=True)


def test_a_keras_dataset_is_read_by_its_length(keras: Any) -> None:
    class Pairs(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> Any:
            return batches({"a": A, "b": B}, {"y": Y, "z": Z}, 20)[index]

    parts = given.read(Pairs(), what="evaluate", inputs=2, with_targets=True)
    samples, targets = given.join(parts, TWO, "evaluate")
    np.testing.assert_array_equal(samples["b"], B)
    assert targets is not None
    np.testing.assert_array_equal(targets["z"], Z)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        ({"a": A}, r"representative: no input b; the model's inputs are a \(3,\) float32, b \(1,\) int32"),
        ({"a": A, "c": B}, "no input b and c is not known to the model"),
        ({"a": A, "b": B, "c": B}, "c is not known to the model"),
        (A, "gives one array, expected 2 inputs: a .*give a dict of arrays by name"),
        ([(A, B, A, B)], "gives 4 arrays, expected 2 inputs"),
        ((A, B[:5]), r"unlike length \(a 60, b 5\)"),
        ((A[:0], B[:0]), "holds no samples"),
        ([], "are empty"),
        ([*batches({"a": A, "b": B}), {"a": A[:, :2], "b": B}], "input 'a' has batches that do not go together"),
        ((A.astype(str), B), "holds values of type <U"),
        ({"a": A.astype(object), "b": B}, "holds values of type object"),
    ],
)
def test_what_does_not_fit_is_named_in_a_line(samples: Any, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        given.join(given.read(samples, what="representative", inputs=2), TWO, "representative")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ({"y": Y}, "targets of evaluate: no output z; the model's outputs are y"),
        ({"y": Y, "z": Z, "x": Z}, "x is not known to the model"),
        (Y, "targets of evaluate gives one array, expected 2 outputs"),
        ((Y, Z[:7]), "unlike length"),
        ((Y, np.array(["s"] * COUNT)), "holds values of type <U1"),
    ],
)
def test_targets_that_do_not_fit_are_named(targets: Any, words: str) -> None:
    parts = given.read(((A, B), targets), what="evaluate", inputs=2, with_targets=True)
    with pytest.raises(DataError, match=words):
        given.join(parts, TWO, "evaluate")


@pytest.mark.parametrize("kind", ["sparse", "ragged"])
def test_tensors_that_are_not_dense_are_refused(keras: Any, kind: str) -> None:
    tensorflow = keras.src.utils.module_utils.tensorflow
    tensor = (
        tensorflow.sparse.from_dense(A) if kind == "sparse" else tensorflow.ragged.constant([[1.0, 2.0, 3.0], [4.0]])
    )
    with pytest.raises(DataError, match=f"holds a {kind.title()}Tensor; give dense arrays"):
        given.read(tensor, what="representative", inputs=1)


@pytest.mark.parametrize(("samples", "words"), [(3, "are a int"), ("abc", "are a str")])
def test_what_is_no_data_is_refused(keras: Any, samples: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        given.read(samples, what="representative", inputs=1)
