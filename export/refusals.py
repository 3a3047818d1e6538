"""What each runtime is known not to run; a replay that ends so was refused, any other that does not end well failed.

A refusal needs both: a rule here that fits the bundle's contract, and the runtime's own words. A rule alone would hide
a runtime that has learnt to run it, the words alone a file that is damaged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.micro.graph import read_graph


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One thing that runtimes do not have.

    Attributes:
        runtimes: Which of them; empty for all.
        words: A pattern in what the runtime says. Its group, if it has one, is an operator, which the file must hold.
        modes: Quantization modes whose files need it; empty for all.
    """

    runtimes: tuple[str, ...]
    words: str
    modes: tuple[str, ...] = ()

    def fits(self, runtime: str, manifest: Mapping[str, Any], said: str) -> bool:
        """Whether it explains what a runtime said of a bundle."""
        if (self.runtimes and runtime not in self.runtimes) or (self.modes and manifest["quantize"] not in self.modes):
            return False
        found = re.search(self.words, said)
        return found is not None and all(name in manifest["ops"] for name in found.groups())


RULES = (
    # kernels of tflite-micro (0.dev20261023182759): DEQUANTIZE takes integers, and no kernel has hybrid weights
    Rule(runtimes=("tflite-micro",), modes=("float16",), words=r"no float16 weights \(Node DEQUANTIZE"),
    Rule(runtimes=("tflite-micro",), modes=("dynamic",), words=r"no int8 weights for float inputs .*\(Node \w+"),
    Rule(runtimes=("tflite-micro",), words=r"tflite-micro has no operator (\w+)"),
    # an operator, or its version, that is younger than the runtime
    Rule(runtimes=(), words=r"Didn't find op for builtin opcode '(\w+)'"),
)


def is_refusal(runtime: str, manifest: Mapping[str, Any], said: str) -> bool:
    """Whether a runtime is known not to run such a bundle, and said so itself.

    Args:
        runtime: That replayed it.
        manifest: The content of bundle.json.
        said: The error of the replay.
    """
    return any(rule.fits(runtime, manifest, said) for rule in RULES)


def never_ends(runtime: str, model: Path) -> str:
    """Why a runtime is known not to come to an end with a file; empty where it should.

    tflite-micro (0.dev20261023182759) hangs in a loop that is fed by another: two GRU layers, one after the other.

    Args:
        runtime: That replays it.
        model: The file.
    """
    if runtime != "tflite-micro" or not loops_in_a_row(model):
        return ""
    return "tflite-micro does not come to an end with one loop after another; export it with --streaming or an LSTM"


def loops_in_a_row(model: Path) -> bool:
    """Whether a WHILE of a file is fed, by whatever stands between, by another WHILE."""
    behind: set[int] = set()  # tensors of the main graph: their names may be empty or the same
    for operator in read_graph(model).operators:
        if operator.subgraph:
            continue
        fed = any(tensor is not None and tensor.index in behind for tensor in operator.inputs)
        if fed and operator.name == "WHILE":
            return True
        if fed or operator.name == "WHILE":
            behind.update(tensor.index for tensor in operator.outputs)
    return False
