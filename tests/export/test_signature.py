"""Names, shapes and nesting of what goes in and comes out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from export.signature import count_inputs, describe
from zoo.errors import ModelError


def names(model: Any, batch: Any = None) -> tuple[list[str], list[str]]:
    signature = describe(model, batch)
    return [tensor.name for tensor in signature.inputs], [tensor.name for tensor in signature.outputs]


def two(keras: Any, first: str | None, second: str | None, **options: Any) -> tuple[Any, Any]:
    return keras.Input((3,), name=first, **options), keras.Input((3,), name=second, **options)


def test_names_of_ones_own_are_kept_and_counted_ones_are_numbered_by_place(keras: Any) -> None:
    dense = keras.layers.Dense
    a, b = two(keras, "left", None)
    assert names(keras.Model([a, b], [dense(1)(a), dense(2, name="size")(b)])) == (
        ["left", "input_2"],
        ["output_1", "size"],
    )
    assert names(keras.Model({"left": a, b.name: b}, {"x": dense(1)(a), "a": dense(1)(b)})) == (
        sorted(["left", b.name]),
        ["a", "x"],
    )
    assert names(keras.Model(a, dense(1, name="price")(a))) == (["left"], ["output"])
    assert names(keras.Model(b, dense(1)(b))) == (["input"], ["output"])
    assert names(keras.Model(a, {"price": dense(1)(a)})) == (["left"], ["price"])


def test_old_names_that_look_counted_stay_with_their_inputs(keras: Any) -> None:
    a, b = two(keras, "input_2", "input_1")
    model = keras.Model([a, b], keras.layers.Dense(1)(a - b))
    assert names(model)[0] == ["input_2", "input_1"]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("my-input", "other", ["my_input", "other"]),
        ("class", "1x", ["input_1", "input_2"]),
        ("a-b", "a_b", ["input_1", "input_2"]),
        (None, "input_1", ["input_1_", "input_1"]),
    ],
)
def test_names_that_a_signature_cannot_have_are_replaced(
    keras: Any, first: str | None, second: str | None, expected: list[str]
) -> None:
    a, b = two(keras, first, second)
    assert names(keras.Model([a, b], keras.layers.Dense(1)(a + b)))[0] == expected


def test_one_tensor_given_as_two_outputs_has_two_names(keras: Any) -> None:
    start = keras.Input((3,), name="start")
    shared = keras.layers.Dense(3, name="shared")
    first = shared(start)
    model = keras.Model(start, [first, shared(first), start, first])
    assert names(model) == (["start"], ["output_1", "output_2", "start", "output_4"])
    signature = describe(model)
    answers = signature.unpack(model(signature.pack({"start": np.ones((2, 3), np.float32)})))
    np.testing.assert_array_equal(answers["output_1"], answers["output_4"])
    assert np.abs(answers["output_1"] - answers["output_2"]).max() > 0


def test_names_do_not_depend_on_what_was_built_before(keras: Any) -> None:
    found, called = [], []
    for _ in range(2):
        a, b = two(keras, None, None)
        model = keras.Model([a, b], [keras.layers.Dense(1)(a), keras.layers.Dense(2)(b)])
        called.append([tensor.name for tensor in model.inputs] + list(model.output_names))
        found.append(names(model))
    assert called[0] != called[1], "Keras counts its own names up"
    assert found[0] == found[1] == (["input_1", "input_2"], ["output_1", "output_2"])


def test_a_subclassed_model_is_described_by_its_samples(keras: Any) -> None:
    class Pair(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.dense = keras.layers.Embedding(10, 2), keras.layers.Dense(3)

        def call(self, inputs: Any) -> Any:
            words = keras.ops.mean(self.embed(inputs["words"]), axis=1)
            return {"score": self.dense(keras.ops.concatenate([words, inputs["numbers"]], axis=-1)), "words": words}

    samples = {"words": np.zeros((4, 5), np.int64), "numbers": np.zeros((4, 2))}
    model = Pair()
    assert count_inputs(model) is None
    signature = describe(model, samples)
    assert [str(tensor) for tensor in signature.inputs] == ["numbers (2,) float32", "words (5,) int32"]
    assert [str(tensor) for tensor in signature.outputs] == ["score (3,) float32", "words (2,) float32"]
    assert count_inputs(model) == 2
    with pytest.raises(ModelError, match=r"'pair.*' has no known input shape; pass representative samples"):
        describe(Pair())
    with pytest.raises(
        ModelError, match=r"cannot be called with input \(3,\) float32: .*check what call\(\) takes"
    ) as caught:
        describe(Pair(), np.zeros((4, 3)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shape": (1,), "dtype": "string"}, r"takes strings \(input 'odd'\)"),
        ({"shape": (3,), "sparse": True}, r"takes sparse tensors \(input 'odd'\)"),
        ({"shape": (None, 3), "ragged": True}, r"takes ragged tensors \(input 'odd'\)"),
        ({"shape": (3,), "optional": True}, r"takes an optional input \('odd'\)"),
        ({"shape": (None, 3)}, r"takes samples of shape \(None, 3\) \(input 'odd'\); build it with every axis fixed"),
    ],
)
def test_inputs_that_no_file_takes_are_refused(keras: Any, options: dict[str, Any], words: str) -> None:
    odd, even = keras.Input(name="odd", **options), keras.Input((2,))
    model = keras.Model([odd, even], [keras.layers.Identity()(odd), keras.layers.Dense(1)(even)], name="bad")
    with pytest.raises(ModelError, match=f"model 'bad' {words}"):
        describe(model)


def test_an_answer_without_a_batch_axis_is_refused(keras: Any) -> None:
    class Total(keras.Model):
        def call(self, inputs: Any) -> Any:
            return {"each": inputs * 2, "total": keras.ops.sum(inputs)}

    with pytest.raises(ModelError, match=r"shape \(\) as 'total'; the first axis must be the batch"):
        describe(Total(), np.zeros((2, 3)))
