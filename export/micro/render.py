"""The generated C: configuration, arrays, resolver and model data, the same bytes for the same model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from export.micro.interface import C_TYPES, Interface, Port, Stream
from zoo import preprocessing

TFLITE_TYPES = {"int8": "kTfLiteInt8", "uint8": "kTfLiteUInt8", "int16": "kTfLiteInt16", "float32": "kTfLiteFloat32"}
TASKS = {"multiclass": "ZOO_MULTICLASS", "binary": "ZOO_BINARY", "anomaly": "ZOO_ANOMALY"}
MADE = "/* Generated with the bundle; the values are those of bundle.json. */\n"
_IN_A_ROW = 16


def single(value: float) -> str:
    """A C literal of exactly that float32."""
    text = f"{np.float32(value):.9g}"
    return ("NAN" if text == "nan" else text if set(text) & set(".e") else f"{text}.0") + ("" if text == "nan" else "f")


def double(value: float) -> str:
    """A C literal of exactly that float64."""
    return repr(float(value))


def text(value: str) -> str:
    """A C string literal in plain ASCII; other characters are octal escapes of their UTF-8."""
    escaped = (chr(byte) if 32 <= byte < 127 and byte not in b'"\\?' else f"\\{byte:03o}" for byte in value.encode())
    return '"' + "".join(escaped) + '"'


def array(values: Iterable[str], per_line: int = _IN_A_ROW) -> str:
    """Initialisers, a few a line."""
    listed = list(values)
    lines = [", ".join(listed[start : start + per_line]) for start in range(0, len(listed), per_line)]
    return "{\n  " + ",\n  ".join(lines) + "}"


def config_header(interface: Interface, arena: int) -> str:
    """zoo_config.h: sizes, types and quantization."""
    stream = interface.stream
    lines = [
        f"typedef {'uint8_t' if interface.pixels else 'float'} zoo_sample_t; /* one raw number */",
        f"typedef {C_TYPES[interface.input.dtype]} zoo_input_t;",
        f"typedef {C_TYPES[interface.output.dtype]} zoo_raw_output_t;",
        "",
        f"#define ZOO_SAMPLE_SIZE {interface.sample_size} /* raw numbers in a sample */",
        f"#define ZOO_FEATURES {interface.features} /* values that the model is fed for it */",
        f"#define ZOO_WINDOW {interface.window} /* samples in one input */",
        f"#ifndef ZOO_HOP\n#define ZOO_HOP {interface.hop} /* samples between answers */\n#endif",
        *([f"#define ZOO_RATE {double(interface.rate)} /* samples a second */"] if interface.rate else []),
        f"#define ZOO_INPUT_VALUES {interface.window * interface.features}",
        f"#define ZOO_OUTPUTS {interface.outputs}",
        "/* found on the host by trying, see memory.md; zoo_arena_used() tells what a board takes */",
        f"#ifndef ZOO_ARENA_BYTES\n#define ZOO_ARENA_BYTES {arena}\n#endif",
        "#define ZOO_SCHEMA_VERSION 3",
        "",
        *_port_lines("INPUT", interface.input),
        *_port_lines("OUTPUT", interface.output),
        "",
        *_step_lines(interface),
        "",
        "#define ZOO_VALUES 0\n#define ZOO_MULTICLASS 1\n#define ZOO_BINARY 2\n#define ZOO_ANOMALY 3",
        f"#define ZOO_TASK {TASKS.get(interface.task, 'ZOO_VALUES')}",
        *([f"#define ZOO_THRESHOLD {double(interface.threshold)}"] if interface.threshold is not None else []),
        f"#define ZOO_LABELS {len(interface.labels)}",
        f"extern const char* const zoo_labels[{max(len(interface.labels), 1)}];",
        *_target_lines(interface),
        "",
        f"#define ZOO_RESET_PER_SEQUENCE {int(interface.reset)}",
        *_stream_lines(stream),
    ]
    body = "\n".join(lines)
    return (
        f"{MADE}#ifndef ZOO_CONFIG_H\n#define ZOO_CONFIG_H\n\n#include <stdint.h>\n\n#ifdef __cplusplus\n"
        f'extern "C" {{\n#endif\n\n{body}\n\n#ifdef __cplusplus\n}}\n#endif\n\n#endif\n'
    )


def _port_lines(name: str, port: Port) -> list[str]:
    lines = [
        f"#define ZOO_{name}_INDEX {port.index}",
        f"#define ZOO_{name}_TYPE {TFLITE_TYPES[port.dtype]}",
        f"#define ZOO_{name}_QUANTIZED {int(port.scale is not None)}",
    ]
    if port.scale is not None:
        limits = np.iinfo(port.dtype)
        lines += [f"#define ZOO_{name}_SCALE {single(port.scale)}", f"#define ZOO_{name}_ZERO_POINT {port.zero_point}"]
        lines += [f"#define ZOO_{name}_LOW {limits.min}", f"#define ZOO_{name}_HIGH {limits.max}"]
    return lines


def _step_lines(interface: Interface) -> list[str]:
    lines = [
        f"#define ZOO_PIXELS {int(interface.pixels)}",
        f"#define ZOO_ENCODED {int(bool(interface.columns))}",
        f"#define ZOO_STANDARDISED {int(bool(interface.scale))}",
    ]
    shift = pixel_shift(interface.input) if interface.pixels else None
    if shift is not None:
        lines.append(f"#define ZOO_PIXEL_SHIFT {shift}")
    if interface.clip:
        lines.append(f"#define ZOO_CLIP {double(interface.clip)}")
    if interface.scale:
        lines += [f"extern const double zoo_{name}[ZOO_FEATURES];" for name in ("scale", "offset")]
    if interface.columns:
        lines += [
            "/* one raw column of a table: values > 0 is a category of so many, its raw number the index of its value;",
            " * else a number, with what stands in where it is missing (NAN) and what its logarithm divides by */",
            "typedef struct {\n  int values;\n  int indicator;\n  double fill;\n  double logarithm;\n} zoo_column_t;",
            "extern const zoo_column_t zoo_columns[ZOO_SAMPLE_SIZE];",
        ]
    return lines


def pixel_shift(port: Port) -> int | None:
    """What a raw pixel is moved by, where one quantization step is one grey level for all of 0 to 255; else None."""
    if port.scale is None:
        return 0 if port.dtype != "float32" else None
    limits, pixels = np.iinfo(port.dtype), np.arange(256)
    steps = np.rint(pixels.astype(np.float32) / np.float32(port.scale)) + port.zero_point
    moved = np.clip(steps, limits.min, limits.max).astype(int) - pixels
    return int(moved[0]) if np.all(moved == moved[0]) else None


def _target_lines(interface: Interface) -> list[str]:
    lines = [f"#define ZOO_TARGET_STANDARDISED {int(bool(interface.target))}"]
    if interface.target:
        lines.append(f"#define ZOO_TARGET_LOGARITHM {int(interface.target['transform'] == 'log1p')}")
        lines += [f"extern const double zoo_target_{name}[ZOO_OUTPUTS];" for name in ("scale", "offset")]
    return lines


def _stream_lines(stream: Stream | None) -> list[str]:
    if stream is None:
        return ["#define ZOO_STATES 0"]
    port = stream.states[0].target
    lines = [
        f"#define ZOO_STATES {len(stream.states)}",
        f"#define ZOO_STATE_VALUES {sum(state.size for state in stream.states)}",
        f"#define ZOO_STEPS {stream.steps} /* samples until the answer */",
        f"#define ZOO_ANSWER_EACH {int(stream.each)} /* an answer for every sample */",
        f"#define ZOO_RESET_AFTER {stream.reset_after} /* samples until the states begin anew; 0 is never */",
        f"typedef {C_TYPES[port.dtype]} zoo_state_value_t;",
        f"#define ZOO_STATE_QUANTIZED {int(port.scale is not None)}",
    ]
    if port.scale is not None:
        limits = np.iinfo(port.dtype)
        lines += [f"#define ZOO_STATE_LOW {limits.min}", f"#define ZOO_STATE_HIGH {limits.max}"]
    lines += [
        "typedef struct {\n  int input;\n  int output;\n  uint32_t start;\n  uint32_t size;\n  float input_scale;\n"
        "  int32_t input_zero_point;\n  float output_scale;\n  int32_t output_zero_point;\n} zoo_state_t;",
        "extern const zoo_state_t zoo_states[ZOO_STATES];",
    ]
    return lines


def config_source(interface: Interface) -> str:
    """zoo_config.c: the arrays."""
    parts = [MADE, '#include "zoo_config.h"\n']
    labels = interface.labels or ("",)
    parts.append(f"const char* const zoo_labels[{len(labels)}] = {array(map(text, labels), 4)};\n")
    if interface.scale:
        parts += [_doubles("zoo_scale", interface.scale), _doubles("zoo_offset", interface.offset)]
    if interface.target:
        width = interface.outputs
        for name in ("scale", "offset"):
            values = np.broadcast_to(np.asarray(interface.target[name], np.float64), (width,))
            parts.append(_doubles(f"zoo_target_{name}", values.tolist()))
    if interface.columns:
        rows = [
            f"{{{len(column.get('values', ())) if column['type'] == 'category' else 0}, {int(column['indicator'])}, "
            f"{double(column.get('fill') or 0.0)}, {double(column.get('log') or 0.0)}}}"
            for column in interface.columns
        ]
        parts.append(f"const zoo_column_t zoo_columns[{len(rows)}] = {array(rows, 1)};\n")
    if interface.stream:
        parts.append(_states(interface.stream))
    return "\n".join(parts)


def _doubles(name: str, values: Sequence[float]) -> str:
    return f"const double {name}[{len(values)}] = {array(map(double, values), 4)};\n"


def _states(stream: Stream) -> str:
    rows, start = [], 0
    for state in stream.states:
        numbers = [f"{single(port.scale or 0.0)}, {port.zero_point}" for port in (state.target, state.source)]
        rows.append(f"{{{state.target.index}, {state.source.index}, {start}, {state.size}, {', '.join(numbers)}}}")
        start += state.size
    return f"const zoo_state_t zoo_states[{len(rows)}] = {array(rows, 1)};\n"


def resolver_header(methods: Sequence[str]) -> str:
    """zoo_resolver.h: exactly the operators of the model."""
    calls = "".join(f"  if (resolver.{method}() != kTfLiteOk) return kTfLiteError;\n" for method in methods)
    return (
        f"{MADE}#ifndef ZOO_RESOLVER_H\n#define ZOO_RESOLVER_H\n\n"
        '#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"\n\n'
        f"using ZooResolver = tflite::MicroMutableOpResolver<{len(methods)}>;\n\n"
        f"inline TfLiteStatus zoo_add_operators(ZooResolver& resolver) {{\n{calls}  return kTfLiteOk;\n}}\n\n#endif\n"
    )


def model_source(content: bytes) -> str:
    """zoo_model_data.cpp: the file as an aligned array."""
    return (
        f'{MADE}#include "zoo_model_data.h"\n\nalignas(16) const unsigned char zoo_model_data[{len(content)}] = '
        f"{array(map(str, content), 24)};\n"
    )


def model_header(size: int) -> str:
    """zoo_model_data.h."""
    return (
        f"{MADE}#ifndef ZOO_MODEL_DATA_H\n#define ZOO_MODEL_DATA_H\n\n#define ZOO_MODEL_BYTES {size}\n"
        f"extern const unsigned char zoo_model_data[ZOO_MODEL_BYTES];\n\n#endif\n"
    )


def inverted(outputs: np.ndarray, interface: Interface) -> np.ndarray:
    """Outputs of the file in target units, float64."""
    return np.asarray(preprocessing.invert_target(outputs, interface.target), np.float64)
