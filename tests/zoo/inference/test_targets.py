import numpy as np
import pytest

from zoo.inference.targets import read_targets

from .test_job import predictor


def contract(task, labels):
    return predictor(task, labels, outputs=1 if task == "binary" else len(labels)).contract


@pytest.mark.parametrize(
    ("task", "labels", "texts", "targets"),
    [
        ("multiclass", ("0", "1", "10"), [["10.0"], [" 1"], ["0.0"]], [2, 1, 0]),
        ("multiclass", ("a", "b"), [["b"], ["a"]], [1, 0]),
        ("multilabel", ("cat", "dog"), [["dog|cat"], [""], ["dog"]], [[1, 1], [0, 0], [0, 1]]),
        ("multilabel", ("cat", "dog"), [["1", "0"], ["0", "1.0"]], [[1, 0], [0, 1]]),
        ("regression", ("w", "h"), [["1", "2e3"]], [[1, 2000]]),
    ],
)
def test_text_becomes_what_the_model_answers(task, labels, texts, targets):
    found, wrong = read_targets(texts, contract(task, labels))
    np.testing.assert_array_equal(found, targets)
    assert wrong == {}


@pytest.mark.parametrize(
    ("task", "labels", "texts", "message"),
    [
        ("multiclass", ("a", "b"), [["a"], ["c"]], "label 'c' is unknown"),
        ("multilabel", ("cat", "dog"), [["cat"], ["cow"]], "label 'cow' is unknown"),
        ("multilabel", ("cat", "dog"), [["0", "1"], ["0", "2"]], "not 0 or 1"),
        ("regression", ("w",), [["1"], ["tall"]], "'tall' is no finite number"),
    ],
)
def test_text_that_is_no_answer_is_named_with_its_place(task, labels, texts, message):
    wrong = read_targets(texts, contract(task, labels))[1]
    assert list(wrong) == [1]
    assert message in wrong[1]
