"""tflite-micro's host interpreter behind two pipes, for the fake one: runs in the runtime's own Python.

`bridge.py MODEL REQUESTS ANSWERS`: a line "reset", or "invoke HEX" with all inputs behind each other, whose answer is a
line of hex digits, all outputs behind each other.
"""

import sys
from pathlib import Path

import numpy as np
from tflite_micro.python.tflite_micro import runtime


def edges(details) -> list:
    found = []
    for index in range(8):
        try:
            told = details(index)
        except (IndexError, RuntimeError, ValueError):
            break
        found.append((tuple(told["shape"]), np.dtype(told["dtype"])))
    return found


def main(model: str, requests: str, answers: str) -> None:
    interpreter = runtime.Interpreter.from_file(model, arena_size=1 << 24)
    inputs, outputs = edges(interpreter.get_input_details), edges(interpreter.get_output_details)
    with Path(requests).open() as lines, Path(answers).open("w") as told:
        for line in lines:
            word, _, digits = line.strip().partition(" ")
            if word == "reset":
                interpreter.reset()
                continue
            content, place = bytes.fromhex(digits), 0
            for index, (shape, dtype) in enumerate(inputs):
                size = int(np.prod(shape)) * dtype.itemsize
                interpreter.set_input(np.frombuffer(content[place : place + size], dtype).reshape(shape), index)
                place += size
            interpreter.invoke()
            found = [np.asarray(interpreter.get_output(index)).tobytes() for index in range(len(outputs))]
            told.write(b"".join(found).hex() + "\n")
            told.flush()


main(*sys.argv[1:])
