"""Whether a model file's inputs and outputs are what its contract says: names, shapes, types and quantization.

This file is copied into every TFLite bundle, beside runner.py; numpy (>= 1.22), Python 3.9 or later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np


def edge_problems(contract: Mapping[str, Any], model: Any) -> list[str]:
    """What differs between a contract and a file as the runtime here sees it, a line each; empty where nothing does.

    Args:
        contract: The content of bundle.json.
        model: A `runner.TFLiteModel`; of a file that is one time step, a `streaming.SteppedModel`.
    """
    states = (contract.get("stream") or {}).get("states") or ()
    problems = []
    for kind, found in (("input", model.inputs), ("output", model.outputs)):
        # one step a call: the contract tells the shape of a whole sequence
        whole = getattr(model, f"{kind}_shape") if states else None
        problems += _side(kind, contract_ports(contract, kind), found, whole)
    for state in states:
        for kind, found in (("input", model.state_inputs), ("output", model.state_outputs)):
            entry = {**state, "name": state[kind], "quantization": state.get(f"{kind}_quantization")}
            problems += _side(f"state {kind}", [entry], {state[kind]: found[state[kind]]}, None)
    return problems


def contract_ports(contract: Mapping[str, Any], kind: str) -> Sequence[Mapping[str, Any]]:
    """The entries of a contract's inputs or outputs, whether it has one or several; `kind`: "input" or "output"."""
    several: Optional[Sequence[Mapping[str, Any]]] = contract.get(f"{kind}s")
    return several if several is not None else [contract[kind]]


def _side(
    kind: str, wanted: Sequence[Mapping[str, Any]], found: Mapping[str, Any], whole: Optional[tuple[int, ...]]
) -> list[str]:
    names = [str(entry["name"]) for entry in wanted]
    problems = [f"{kind} {name!r} is not in the contract" for name in found if name not in names]
    for entry in wanted:
        if entry["name"] not in found:
            problems.append(f"{kind} {entry['name']!r} is not in the file, which has {', '.join(found) or 'none'}")
            continue
        port = found[entry["name"]]
        shape = port.shape if whole is None else whole
        problems += [f"{kind} {entry['name']!r}: {line}" for line in _port(entry, port, shape)]
    return problems


def _port(entry: Mapping[str, Any], port: Any, shape: tuple[int, ...]) -> list[str]:
    problems = []
    if tuple(entry["shape"]) not in (tuple(shape), (1, *shape)):
        problems.append(f"shape {tuple(shape)}, the contract says {tuple(entry['shape'])}")
    if np.dtype(entry["dtype"]) != port.dtype:
        problems.append(f"{port.dtype}, the contract says {entry['dtype']}")
    said = entry.get("quantization")
    if not _same(None if said is None else (said["scale"], said["zero_point"]), port.quantization):
        problems.append(f"quantization {port.quantization}, the contract says {said}")
    return problems


def _same(said: Optional[tuple[float, int]], found: Optional[tuple[float, int]]) -> bool:
    """Scales are float32 in the file, and may have been rounded once more on their way through JSON."""
    if said is None or found is None:
        return said is None and found is None
    return bool(np.isclose(said[0], found[0], rtol=1e-6, atol=0.0)) and int(said[1]) == int(found[1])
