"""Micro-controllers: what tflite-micro can run, the memory that takes, and the C and C++ that a board is given."""

from export.micro.arena import Arena, measure_arena
from export.micro.interface import check_contract
from export.micro.operators import check_operators, unsupported
from export.micro.plan import Layer, plan
from export.micro.program import write_micro
from export.micro.sizes import check_budget, parse_size

__all__ = [
    "Arena",
    "Layer",
    "check_budget",
    "check_contract",
    "check_operators",
    "measure_arena",
    "parse_size",
    "plan",
    "unsupported",
    "write_micro",
]
