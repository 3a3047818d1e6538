"""A bundle, run by its own predict.py where there is numpy and a TFLite runtime, and nothing else."""

import json
import platform
import shutil
import subprocess

import numpy as np
import pytest

from export import benchmark, export_model, verify
from tests.device.conftest import REFUSED, package
from zoo.errors import UsageError
from zoo.inference import Predictor
from zoo.runs import read_npz

pytestmark = pytest.mark.device

MODES = ["float32", "float16", "int8", "int16x8"]  # these models are too small for dynamic to change anything


@pytest.fixture(scope="session")
def bundles(tmp_path_factory, child, image_run, table_run):
    """(model, mode) to a bundle; made when first asked for."""
    folder = tmp_path_factory.mktemp("device bundles")
    sources = {"image": image_run, "regression": table_run("regression"), "binary": table_run("binary")}
    made = {}

    def get(model, mode):
        if (model, mode) not in made:
            out = folder / f"{model} {mode}"
            made[model, mode] = export_model(sources[model], quantize=mode, out=out, child=child, max_drop=20.0).path
        return made[model, mode]

    get.samples = {name: read_npz(run.path / "samples" / "validation.npz")["samples"] for name, run in sources.items()}
    return get


def run_alone(runtime, bundle, *arguments, cwd):
    """predict.py of a copy of the bundle, by the runtime's Python, with nothing of ours in reach."""
    copy = cwd / "a bundle"
    if not copy.exists():
        shutil.copytree(bundle, copy)
    command = [str(runtime.python), "-E", "-s", str(copy / "predict.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=60, check=False)


def test_the_environment_holds_numpy_and_the_runtime_only(runtime):
    program = "from importlib.metadata import distributions as d; print(*sorted(e.name for e in d()))"
    names = set(subprocess.check_output([str(runtime.python), "-c", program], text=True).split())
    numpy_version = "import numpy; print(numpy.__version__)"
    version = subprocess.check_output([str(runtime.python), "-c", numpy_version], text=True)
    if package(runtime) == "tflite-runtime":
        assert names == {"numpy", "tflite-runtime"}
        assert version.startswith("1.")
    else:
        assert {"numpy", {"litert": "ai-edge-litert"}.get(runtime.name, "tflite_micro")} < names
        assert names.isdisjoint({"tensorflow", "keras", "keras-deploy-zoo", "pillow", "pandas", "scikit-learn"})


def test_the_board_is_another_processor_and_the_others_are_this_one(runtime):
    program = "import platform; print(platform.machine())"
    machine = subprocess.check_output([str(runtime.python), "-E", "-s", "-c", program], text=True).strip()
    assert machine == ("aarch64" if runtime.name == "arm" else platform.machine())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("model", ["image", "regression", "binary"])
def test_a_bundle_answers_there_as_it_does_here(runtime, bundles, tmp_path, model, mode):
    bundle = bundles(model, mode)
    tested = run_alone(runtime, bundle, "--self-test", "--json", cwd=tmp_path)
    found = json.loads(tested.stdout)
    if (runtime.name, mode) in REFUSED:
        assert (tested.returncode, found["exit_code"]) == (4, 4)
        assert "is refused by tflite-micro: tflite-micro has no " in found["error"]
        return
    assert (tested.returncode, found["ok"], found["runtime"]) == (0, True, package(runtime)), tested.stderr

    samples = bundles.samples[model][:20]
    np.save(tmp_path / "samples.npy", samples)
    predicted = run_alone(runtime, bundle, tmp_path / "samples.npy", "--json", cwd=tmp_path)
    assert predicted.returncode == 0, predicted.stderr
    answers = json.loads(predicted.stdout)["predictions"]
    expected = Predictor.open(bundle).predict(samples)
    if model == "regression":
        values = np.array([answer["values"]["price"] for answer in answers])
        np.testing.assert_allclose(values, expected[:, 0], atol=0.02 * np.ptp(expected))
    elif model == "binary":
        sure = np.abs(expected[:, 0] - 0.5) > 0.05
        told = np.array([answer["label"] == "yes" for answer in answers])
        np.testing.assert_array_equal(told[sure], (expected[:, 0] >= 0.5)[sure])
    else:
        best = np.array([answer["probability"] for answer in answers])
        np.testing.assert_allclose(best, expected.max(axis=1), atol=0.05)


def test_rows_of_a_csv_file_are_matched_by_name_there(runtime, bundles, tmp_path):
    bundle = bundles("regression", "float32")
    samples = bundles.samples["regression"][:3]
    rows = ["c3,note,c1,c0,c2", *(f"{d!r},x,{b!r},{a!r},{c!r}" for a, b, c, d in samples.tolist())]
    (tmp_path / "rows.csv").write_text("\n".join(rows))
    predicted = run_alone(runtime, bundle, tmp_path / "rows.csv", "--json", cwd=tmp_path)
    assert predicted.returncode == 0, predicted.stderr
    values = [answer["values"]["price"] for answer in json.loads(predicted.stdout)["predictions"]]
    np.testing.assert_allclose(values, Predictor.open(bundle).predict(samples)[:, 0], rtol=1e-4)


def test_a_flipped_byte_is_found_there(runtime, bundles, tmp_path):
    bundle = bundles("image", "int8")
    shutil.copytree(bundle, tmp_path / "a bundle")
    content = bytearray((tmp_path / "a bundle" / "model.tflite").read_bytes())
    content[len(content) // 2] ^= 16
    (tmp_path / "a bundle" / "model.tflite").write_bytes(content)
    tested = run_alone(runtime, bundle, "--self-test", "--json", cwd=tmp_path)
    assert tested.returncode == 7
    assert "model.tflite was changed" in tested.stderr


def test_zoo_verify_uses_the_runtime(runtime, bundles):
    found = verify(bundles("image", "int8"), runtime.name)
    assert (found.status, found.runtime) == ("pass", runtime.name), found.problem


def test_zoo_bench_uses_the_runtime(runtime, bundles):
    bundle = bundles("image", "int8")
    if runtime.name == "arm":
        with pytest.raises(UsageError, match="emulated"):
            benchmark(bundle, runtime="arm")
        return
    whole, alone = benchmark([bundle, bundle / "model.tflite"], runtime=runtime.name)
    assert whole.runtime == alone.runtime == runtime.name
    assert 0 < whole.p50_us <= whole.p99_us
    assert 0 < alone.p50_us <= alone.p99_us
