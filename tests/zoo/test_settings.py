import os
import subprocess
import sys

NOISY = """
import os, sys, types
from zoo.settings import without_chatter
with without_chatter():
    os.write(2, b"I0000 00:00 port.cc: oneDNN is on\\nTo enable the following instructions: AVX2\\nmine\\n")
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "2"
assert "TF_CPP_MIN_LOG_LEVEL" not in os.environ
os.write(2, b"I0000 after\\n")
"""


def test_chatter_is_held_back_while_a_module_is_imported_and_nothing_else_is():
    unset = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, "-c", NOISY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=unset)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "mine\nI0000 after\n"
