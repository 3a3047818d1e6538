"""What the toolkit needs, tried out on this machine, and the other runtimes it can install."""

from zoo.doctor.checks import Check, examine
from zoo.doctor.recipes import RUNTIMES
from zoo.doctor.runtimes import Installed, install

__all__ = ["RUNTIMES", "Check", "Installed", "examine", "install"]
