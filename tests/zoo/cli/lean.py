"""Runs the command line in a process that must not import a heavy library."""

import subprocess
import sys

PROGRAM = """
import sys
from zoo.cli import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    assert ended.code == 0
heavy = {"tensorflow", "keras", "sklearn", "pandas", "matplotlib", "scipy"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""


def run_lean(*words):
    """The finished process; its exit code is not 0 where such a library was imported."""
    command = [sys.executable, "-P", "-c", PROGRAM, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
