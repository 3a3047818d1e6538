"""Programs of real exports: what the C makes of raw samples is what the bundle's own runner feeds the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.exporting import export_model
from export.micro import write_micro
from tests.export.conftest import child, image_run, keras, table_run
from tests.export.micro.building import HERE, build, needs_compiler, run
from zoo import preprocessing, runner, runs

__all__ = ["child", "image_run", "keras", "table_run"]
pytestmark = needs_compiler


def program_of(bundle: Any, folder: Path) -> Path:
    content = runner.read_contract(bundle.path)
    write_micro(folder, bundle.model, content, runs.read_npz(bundle.path / runs.GOLDEN), 20000)
    return folder


@pytest.mark.parametrize("kind", ["image", "table"])
def test_raw_samples_become_what_the_runner_feeds_the_file(
    tmp_path: Path, image_run: Any, table_run: Any, child: Any, kind: str
) -> None:
    source = image_run if kind == "image" else table_run("regression")
    bundle = export_model(source, quantize="int8", max_drop=100.0, out=tmp_path / "b", child=child)
    raw = runs.read_npz(bundle.path / runs.GOLDEN)["samples"]
    raw = raw if kind == "image" else raw.astype(np.float32)
    program = build(program_of(bundle, tmp_path / "micro"), str(HERE / "harness" / "prepare.c"))
    model = runner.TFLiteModel(bundle.model)
    fed = model.quantise(preprocessing.apply(bundle.manifest["steps"], raw)).reshape(len(raw), -1)
    rows = np.dtype([("fine", "u1"), ("features", "i1", (fed.shape[1],))])
    found = np.frombuffer(run(program, raw.tobytes()), rows)
    assert found["fine"].all()
    np.testing.assert_array_equal(found["features"], fed)


def test_the_array_is_the_file_and_the_resolver_has_its_operators_only(
    tmp_path: Path, image_run: Any, child: Any, fake: Path
) -> None:
    bundle = export_model(image_run, quantize="int8", out=tmp_path / "b", child=child)
    folder = program_of(bundle, tmp_path / "micro")
    writer = tmp_path / "write.cpp"
    writer.write_text(
        '#include <stdio.h>\n#include "zoo_model_data.h"\n'
        "int main() { return fwrite(zoo_model_data, 1, ZOO_MODEL_BYTES, stdout) != ZOO_MODEL_BYTES; }\n"
    )
    assert run(build(folder, str(writer), fake=fake, whole=True), b"") == bundle.model.read_bytes()
    added = [line for line in (folder / "zoo_resolver.h").read_text().splitlines() if "resolver.Add" in line]
    assert len(added) == len(bundle.ops)
