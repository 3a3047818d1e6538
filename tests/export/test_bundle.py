"""What a bundle's folder holds beside the model."""

import numpy as np

from export import bundle
from zoo import preprocessing


def test_a_text_models_vocabulary_has_a_line_for_each_id(tmp_path):
    step = preprocessing.fit_tokenise(["the cat sat", "the cat ran"], length=4, most=10)
    (tmp_path / "model.tflite").write_bytes(b"model")
    (tmp_path / "a bundle").mkdir()
    content = {"format": "tflite", "steps": [step], "output": {"labels": ["a", "b"]}}
    bundle.fill(tmp_path / "a bundle", tmp_path / "model.tflite", content, {"samples": np.zeros(1)})
    lines = (tmp_path / "a bundle" / "vocabulary.txt").read_text(encoding="utf-8").splitlines()
    (ids,) = preprocessing.tokenise(np.array(["the cat flew"]), step)
    assert [lines[at] for at in ids] == ["<pad>", "the", "cat", "<unknown>"]
    assert "vocabulary.txt" in (tmp_path / "a bundle" / "SHA256SUMS").read_text(encoding="utf-8")


def test_other_models_have_none(tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"model")
    (tmp_path / "bundle").mkdir()
    content = {"format": "tflite", "steps": [{"step": "standardise", "scale": [1.0], "offset": [0.0]}]}
    bundle.fill(tmp_path / "bundle", tmp_path / "model.tflite", content, {"samples": np.zeros(1)})
    assert not (tmp_path / "bundle" / "vocabulary.txt").exists()
