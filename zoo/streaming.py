"""Models that are fed one sample of a series at a time, and the models whose file is one time step; numpy alone.

This file is copied into every TFLite bundle, beside runner.py; Python 3.9 or later.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np

if __package__:
    from . import preprocessing
    from .interpreters import DataError, ModelError, one_line
    from .runner import TFLiteModel
else:
    sys.dont_write_bytecode = True  # a bundle holds what its SHA256SUMS list, no __pycache__
    import preprocessing  # type: ignore[import-not-found,no-redef]
    from interpreters import DataError, ModelError, one_line  # type: ignore[import-not-found,no-redef]
    from runner import TFLiteModel  # type: ignore[import-not-found,no-redef]


def open_model(
    path: Path | str, contract: Mapping[str, Any], *, threads: int = 1, runtime: str | None = None
) -> TFLiteModel:
    """A bundle's .tflite file, as its contract says it is to be run.

    Args:
        path: The file.
        contract: Of bundle.json.
        threads: Threads of the interpreter.
        runtime: By default the first that works here.

    Raises:
        ModelError: The file is missing or damaged, or no runtime works here.
    """
    if (contract.get("stream") or {}).get("states"):
        return SteppedModel(path, contract["stream"], threads=threads, runtime=runtime)
    return TFLiteModel(path, threads=threads, runtime=runtime)


class SteppedModel(TFLiteModel):
    """A file that is one time step of a recurrent model: the state goes in, and comes out for the next call.

    `predict` runs whole sequences, each from a state of zeros; `push` one sample, from the state that the sample before
    left.

    Args:
        path: The file.
        stream: The "stream" of bundle.json.
        threads: Threads of the interpreter.
        runtime: By default the first that works here.

    Attributes:
        steps: Length of the sequences that the model was trained on.
        state_inputs: What carries the state into a call, a `Port` each by name.
        state_outputs: Likewise out of it.

    Raises:
        ModelError: The file is missing or damaged, has other tensors than `stream` says, or no runtime works here.
    """

    def __init__(
        self, path: Path | str, stream: Mapping[str, Any], *, threads: int = 1, runtime: str | None = None
    ) -> None:
        super().__init__(path, threads=threads, runtime=runtime)
        self.steps = int(stream["steps"])
        self._each = stream["answer"] == "each"
        self._one_step = bool(stream["streaming"])
        self._all_inputs, self._all_outputs = self.inputs, self.outputs
        self._carried = {state["output"]: state["input"] for state in stream["states"]}
        missing = [name for name in self._carried if name not in self.outputs]
        missing += [name for name in self._carried.values() if name not in self.inputs]
        if missing:
            raise ModelError(f"{self.path} has no {', '.join(missing)}, which its contract names; export it again")
        self.inputs = {name: port for name, port in self.inputs.items() if name not in self._carried.values()}
        self.outputs = {name: port for name, port in self.outputs.items() if name not in self._carried}
        self.state_inputs = {name: self._all_inputs[name] for name in self._carried.values()}
        self.state_outputs = {name: self._all_outputs[name] for name in self._carried}
        self._zeros = {
            name: port.quantise(np.zeros((1, *port.shape), np.float32)) for name, port in self.state_inputs.items()
        }
        self._state = dict(self._zeros)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one sequence, without the batch axis."""
        return (self.steps, *self.input.shape)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Of the answer to one sequence, without the batch axis."""
        return (self.steps, *self.output.shape) if self._each else self.output.shape

    def reset(self) -> None:
        """Forgets every sample: the next one is the first of a sequence."""
        self._state = dict(self._zeros)

    def push(self, sample: np.ndarray) -> np.ndarray:
        """The answer after one more sample.

        Args:
            sample: One step after the preprocessing steps, of `input.shape`.

        Returns:
            Of `output.shape`, float32.

        Raises:
            DataError: Another shape, or NaN and infinite values.
        """
        checked = self._checked({self.input.name: np.asarray(sample)[None]})[self.input.name]
        answer, self._state = self._advance(self.input.quantise(checked), self._state)
        return np.asarray(self.output.dequantise(answer)[0])

    def _advance(
        self, quantised: np.ndarray, state: Mapping[str, np.ndarray]
    ) -> Tuple[np.ndarray, Dict[str, np.ndarray]]:
        """One call: (1, *shape) in the file's own type to the answer in it, and the state after it."""
        try:
            found = self._call({self.input.name: quantised, **state}, self._all_inputs, self._all_outputs)
        except (RuntimeError, ValueError) as error:  # an operator that prepares and then cannot run
            raise ModelError(f"{self.path} does not run: {one_line(error)}; export it again") from error
        after = {into: self._carry(out, into, found[out]) for out, into in self._carried.items()}
        return found[self.output.name], after

    def _carry(self, out: str, into: str, values: np.ndarray) -> np.ndarray:
        """A state for the next call: as it is where both ends have one scale, else scaled anew."""
        source, target = self._all_outputs[out], self._all_inputs[into]
        same = source.dtype == target.dtype and source.quantization == target.quantization
        return values if same else target.quantise(source.dequantise(values))

    def predict(self, samples: Any) -> Any:
        """Answers for whole sequences, each from a state of zeros.

        Args:
            samples: (n, steps, *shape) after the preprocessing steps; or a mapping of it by the input's name.

        Returns:
            (n, *output_shape) float32; for a mapping, a mapping by output.

        Raises:
            DataError: Samples of another shape, or NaN and infinite values.
        """
        if isinstance(samples, Mapping):
            return {self.output.name: self.predict(samples[self.input.name])}
        sequences = np.asarray(samples)
        if sequences.ndim < 2 or sequences.shape[1:] != self.input_shape:
            raise DataError(
                f"samples have shape {sequences.shape[1:]}; {self.path.name} expects {self.input_shape}, "
                f"{self.steps} steps of {self.input.shape}"
            )
        flat = sequences.reshape(-1, *self.input.shape)
        steps = self.input.quantise(self._checked({self.input.name: flat})[self.input.name])
        found = [self._sequence(steps[start : start + self.steps]) for start in range(0, len(steps), self.steps or 1)]
        answers = np.stack(found) if found else np.zeros((0, *self.output_shape), self.output.dtype)
        return self.output.dequantise(answers)

    def _sequence(self, steps: np.ndarray) -> np.ndarray:
        """Answers to one sequence from a state of zeros, in the file's own type; the last, or each."""
        answers, state = [], self._zeros  # its own: a stream under way goes on as it was
        for at in range(len(steps)):
            answer, state = self._advance(steps[at : at + 1], state)
            answers.append(answer[0])
        return np.stack(answers) if self._each else answers[-1]

    def invoke(self, quantised: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What a benchmark times: one step of a streaming model, else a whole sequence (steps, *shape)."""
        (values,) = quantised.values()
        return {self.output.name: self._advance(values, self._zeros)[0] if self._one_step else self._sequence(values)}

    def example(self) -> dict[str, np.ndarray]:
        """Random numbers of 0 to 1 for `invoke`."""
        steps = 1 if self._one_step else self.steps
        values = np.random.default_rng(0).uniform(0, 1, (steps, *self.input.shape)).astype(np.float32)
        return {self.input.name: self.input.example(values)}


class Stream:
    """A model over a series, fed with raw samples one at a time.

    A file that is one time step forgets after `reset_after` samples, as in training; exported with --streaming it
    answers each of them, else the last. Any other file answers whenever its window is full, each `hop` samples.

    Args:
        model: Of `open_model`.
        contract: Of bundle.json.

    Raises:
        ModelError: The model does not take a series.

    Example:
        >>> stream = Stream(open_model("model.tflite", contract), contract)
        >>> for sample in sensor:
        ...     answer = stream.push(sample)  # None until there is one
    """

    def __init__(self, model: TFLiteModel, contract: Mapping[str, Any]) -> None:
        stream = contract.get("stream")
        if not stream:
            raise ModelError(
                f"{model.path} does not take a series of samples; leave --stream out, or export it with --streaming"
            )
        self._model, self._steps = model, contract["steps"]
        self._window = int(stream["steps"])
        self._hop = int(stream.get("hop") or self._window)
        self._reset_after = int(stream.get("reset_after") or 0)
        self._last_only = stream["answer"] == "last" and not stream["streaming"]
        self.sample_shape = tuple(int(size) for size in stream["sample_shape"])
        self._buffer: list[np.ndarray] = []
        self.reset()

    def reset(self) -> None:
        """Forgets every sample so far."""
        self._seen, self._buffer = 0, []
        if isinstance(self._model, SteppedModel):
            self._model.reset()

    def push(self, sample: np.ndarray) -> np.ndarray | None:
        """The answer after one more raw sample; None where there is none yet.

        Args:
            sample: Of `sample_shape`.

        Returns:
            Of the model's output shape, float32.

        Raises:
            DataError: Another shape, or NaN and infinite values.
        """
        values = np.asarray(sample)
        if values.shape != self.sample_shape:
            raise DataError(f"a sample has shape {values.shape}; {self._model.path.name} expects {self.sample_shape}")
        prepared = _prepared(self._steps, values)
        if isinstance(self._model, SteppedModel):
            if self._reset_after and self._seen == self._reset_after:
                self.reset()
            self._seen += 1
            answer = self._model.push(prepared)
            return None if self._last_only and self._seen < self._window else answer
        self._buffer = [*self._buffer, prepared][-self._window :]
        self._seen += 1
        if self._seen < self._window or (self._seen - self._window) % self._hop:
            return None
        return np.asarray(self._model.predict(np.stack(self._buffer)[None])[0])


def read_samples(paths: Sequence[str], shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Samples of a series, one after the other.

    Args:
        paths: `.npy` arrays (n, *shape); files of numbers between commas, one sample a line, a line of names above them
            or not; or "-" for such lines on standard input.
        shape: Of one sample.

    Raises:
        DataError: A file that cannot be read, or a line that is no sample; names it.
    """
    for path in paths:
        if path.endswith(".npy"):
            yield from _array(path, shape)
        elif path == "-":
            yield from _lines(sys.stdin, "standard input", shape)
        else:
            try:
                with Path(path).open(encoding="utf-8", newline="") as file:
                    yield from _lines(file, path, shape)
            except (OSError, UnicodeDecodeError) as error:
                raise DataError(f"{path} cannot be read: {error}; give a .npy array or lines of numbers") from error


def _array(path: str, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    try:
        samples = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} is not a readable .npy array: {error}; save it again") from error
    if samples.shape[1:] != shape:
        raise DataError(f"{path} has shape {samples.shape}; a series of this model is (samples, {shape})")
    yield from samples


def _lines(file: Iterable[str], name: str, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    for number, row in enumerate(csv.reader(file), start=1):
        if not row:
            continue
        try:
            values = np.asarray([float(cell) for cell in row])
        except ValueError as error:
            if number == 1:  # names
                continue
            raise DataError(f"{name} line {number}: {error}; a sample is numbers between commas") from error
        if values.size != int(np.prod(shape)):
            raise DataError(f"{name} line {number} has {values.size} numbers; a sample is {shape}")
        if not np.all(np.isfinite(values)):
            raise DataError(f"{name} line {number} holds NaN or infinite values; give finite numbers")
        yield values.reshape(shape)


def _prepared(steps: Any, sample: np.ndarray) -> np.ndarray:
    """One sample after the steps that work on each sample alone; an image's rows are taken as they are."""
    own = [step for step in steps if step["step"] != "image"]
    return np.asarray(preprocessing.apply(own, sample[None])[0]) if own else sample
