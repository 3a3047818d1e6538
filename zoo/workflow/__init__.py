"""Everything that a TOML file asks for, in one go."""

from zoo.workflow.outcome import BundleOutcome, Gate, Outcome
from zoo.workflow.running import run

__all__ = ["BundleOutcome", "Gate", "Outcome", "run"]
