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

from export.micro.graph import Tensor, read_graph


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
    Rule(runtimes=("tflite-micro",), modes=("int16x8",), words=r"tflite-micro has no \w+ of INT16 \(Node (\w+)"),
    Rule(runtimes=("tflite-micro",), words=r"tflite-micro has no operator (\w+)"),
    # tflite-runtime 2.14 has hybrid kernels for convolutions, and none for a transposed one
    Rule(
        runtimes=("tflite-runtime", "arm"),
        modes=("dynamic",),
        words=r"weights->type != input->type \(INT8 != FLOAT32\)\s*Node number \d+ \((TRANSPOSE_CONV)\) failed",
    ),
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


def goes_wrong(runtime: str, model: Path) -> str:
    """Why a runtime is known to hang, or to answer wrongly without a word, with a file; empty where it should not.

    tflite-micro (0.dev20261023182759) plans its memory by the shapes in the file. A loop that keeps the states of all
    steps takes slices whose size changes with the step, and writes over what lies behind them: a small one answers
    wrongly, a larger one never ends. GRU layers one after another have such loops, and attention over a GRU.

    Args:
        runtime: That replays it.
        model: The file.
    """
    if runtime != "tflite-micro" or not keeps_states(model):
        return ""
    return (
        "tflite-micro goes wrong with a loop that keeps the states of all steps; "
        "export it with --quantize int8, with --streaming, or with an LSTM"
    )


def keeps_states(model: Path) -> bool:
    """Whether a loop of a file takes slices whose size is known only when it runs."""
    return any(
        operator.subgraph and operator.name == "SLICE" and not _is_constant(operator.inputs[2])
        for operator in read_graph(model).operators
    )


def _is_constant(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.constant_bytes > 0
