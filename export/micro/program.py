"""Writes `micro/`: a small program around the model for a micro-controller."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from export.micro import render
from export.micro.arena import Arena
from export.micro.golden import golden_header
from export.micro.graph import read_graph
from export.micro.interface import Interface, check_contract, read_interface
from export.micro.operators import check_operators, used_methods
from export.micro.plan import memory_table
from zoo import runs

SOURCES = Path(__file__).with_name("sources")
COPIED = ("CMakeLists.txt", "zoo_model.cpp", "zoo_model.h", "zoo_pre.c", "zoo_pre.h", "zoo_selftest.cpp")


def write_micro(
    folder: Path,
    model: Path,
    contract: Mapping[str, Any],
    golden: Mapping[str, np.ndarray],
    arena: Arena | int,
) -> list[Path]:
    """Writes the program's files, the same bytes for the same arguments.

    Args:
        folder: The bundle's `micro/`; made where it is missing.
        model: The .tflite file, as it stands in the bundle.
        contract: The content of bundle.json.
        golden: As in golden.npz: "samples" (raw) and "outputs" (the file's own).
        arena: Measured on the host; see `export.micro.arena.measure_arena`.

    Returns:
        The files, sorted.

    Raises:
        ModelError: The model, or a step before it, has no C.
    """
    source = contract.get("source", {})
    what = str(source.get("recipe") or source.get("name") or "the model")
    check_contract(contract, what)
    check_operators(model, what)
    graph = read_graph(model)
    interface = read_interface(contract, graph, pixels=_is_bytes(contract, golden["samples"]), what=what)
    size = arena if isinstance(arena, int) else arena.bytes
    content = model.read_bytes()
    texts = {
        "zoo_config.h": render.config_header(interface, size),
        "zoo_config.c": render.config_source(interface),
        "zoo_resolver.h": render.resolver_header(used_methods(graph)),
        "zoo_model_data.h": render.model_header(len(content)),
        "zoo_model_data.cpp": render.model_source(content),
        "zoo_golden.h": golden_header(contract, golden, interface),
        "memory.md": memory_table(model, arena, interface.kept_bytes),
        "README.md": _readme(interface, size, len(content)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        runs.write_text(folder / name, text)
    for name in COPIED:
        shutil.copyfile(SOURCES / name, folder / name)
    return sorted(folder / name for name in (*texts, *COPIED))


def _is_bytes(contract: Mapping[str, Any], samples: np.ndarray) -> bool:
    """Whether raw samples are pixels: by the step that takes them, or by their own type."""
    return any(step["step"] == "image" for step in contract["steps"]) or samples.dtype == np.uint8


def _readme(interface: Interface, arena: int, size: int) -> str:
    template = Template((SOURCES / "README.md").read_text(encoding="utf-8"))
    return template.substitute(
        sample=_told_sample(interface),
        ready=_told_ready(interface),
        state=_told_state(interface),
        arena=f"{arena:,}",
        flash=f"{size:,}",
    )


def _told_sample(interface: Interface) -> str:
    part = "one row of the image" if interface.stream else "one frame in the model's size"
    kind = f"bytes of 0 to 255, the pixels of {part}" if interface.pixels else "raw numbers"
    missing = "; a missing one is `NAN`" if interface.columns else ""
    rate = f", {interface.rate:g} of them a second" if interface.rate else ""
    return f"{interface.sample_size} {kind}{missing}{rate}"


def _told_ready(interface: Interface) -> str:
    if interface.stream:
        return "after every sample" if interface.stream.each else f"after {interface.stream.steps} samples"
    if interface.window == 1:
        return "after every sample"
    return f"after {interface.window} samples, then after every `ZOO_HOP` ({interface.hop}) more"


def _told_state(interface: Interface) -> str:
    if interface.stream:
        after = interface.stream.reset_after
        kept = f"begins anew after {after} samples, or" if after else "is kept until"
        return f"The state of the model is kept from sample to sample; it {kept} `zoo_reset()` is called."
    if interface.reset:
        return "The file keeps state inside; `zoo_run` clears it before each sequence."
    return "The model keeps no state."
