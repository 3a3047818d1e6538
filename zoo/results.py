"""Measured figures of the recipes, as `scripts/measure` wrote them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results.json")


def measured() -> Mapping[str, Mapping[str, Any]]:
    """Recipe name to its figures: `metrics` on the test split, `parameters`, `seconds`, `int8`, `versions`, `seed`.

    Returns:
        Empty for a recipe that was not measured.
    """
    content: Mapping[str, Mapping[str, Any]] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return content
