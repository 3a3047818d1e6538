"""`zoo verify`: replays a bundle here."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import emit, json_option, runs_option, say
from zoo.errors import GateError, ModelError, UsageError

if TYPE_CHECKING:
    from export.verification import Verification

ALL = "all"
EXIT_CODES = {
    "pass": 0,
    "refused": ModelError.exit_code,
    "unavailable": UsageError.exit_code,
    "fail": GateError.exit_code,
}


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--runtime",
    type=click.Choice(["litert", "tflite-runtime", "tflite-micro", "arm", ALL]),
    default="litert",
    show_default=True,
    help="What runs a TFLite bundle (all: every one that is installed); TensorFlow runs a SavedModel.",
)
@runs_option
@json_option
def command(bundle: Path, runtime: str, root: Path, as_json: bool) -> None:
    """Check every byte of a bundle and replay its golden samples here.

    This runs the bundle's own predict.py in a process of its own: verify bundles of people you trust. Exits 7 where a
    byte, a name, a shape or a type differs or the answers are not the recorded ones, 4 where the runtime is known not
    to run such a file, 2 where it is not installed (get it with: zoo doctor --install NAME). arm is an emulated 64-bit
    Arm board.

    \b
    Example:
      zoo verify runs/mnist-cnn/20260714T101500Z-1f2e/export/tflite-int8
    """
    from export.verification import verify, verify_all

    if runtime == ALL:
        _finish_all(list(_told(verify_all(bundle, root=root), as_json=as_json)), as_json=as_json)
        return
    found = verify(bundle, runtime, root=root)
    code = EXIT_CODES[found.status]
    if as_json:
        emit(
            _value(found) if found.ok else {**_value(found), "error": found.problem, "exit_code": code},
            "",
            as_json=True,
        )
    elif found.ok:
        emit(None, f"ok: {found.runtime}, maximum error {found.max_error:.3g}", as_json=False)
    if code:
        say(f"zoo: {found.problem}")
        sys.exit(code)


def _value(found: Verification) -> dict[str, Any]:
    """What scripts rely on."""
    return {key: value for key, value in asdict(found).items() if key != "problem"}


def _told(results: Iterator[Verification], *, as_json: bool) -> Iterator[Verification]:
    """Passes the verifications on, a line each for people."""
    for found in results:
        if not as_json:
            detail = f"maximum error {found.max_error:.3g}" if found.ok else found.problem
            click.echo(f"{found.status:<12} {found.runtime:<15} {detail}")
        yield found


def _finish_all(results: Sequence[Verification], *, as_json: bool) -> None:
    """The answer of all together: ok where one passed and none failed; what is not installed does not count."""
    failed = [found for found in results if found.status == "fail"]
    errors = [found.max_error for found in results if found.max_error is not None]
    ok = not failed and any(found.ok for found in results)
    value = {"ok": ok, "runtime": ALL, "max_error": max(errors, default=None), "status": "pass" if ok else "fail"}
    each = [{**_value(found), "problem": found.problem} for found in results]
    if ok:
        if as_json:
            emit({**value, "results": each}, "", as_json=True)
        return
    problem = failed[0].problem if failed else "no runtime passed"
    code = GateError.exit_code
    if as_json:
        emit({**value, "results": each, "error": problem, "exit_code": code}, "", as_json=True)
    say(f"zoo: {problem}")
    sys.exit(code)
