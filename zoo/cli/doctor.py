"""`zoo doctor`: what works on this machine, and the fix for what does not."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from zoo.cli import json_option, say
from zoo.errors import ModelError

if TYPE_CHECKING:
    from zoo.doctor import Check


@click.command("doctor")
@click.option(
    "--install", "runtime", metavar="NAME", help="Install a runtime: litert, tflite-runtime, tflite-micro or arm."
)
@json_option
def command(runtime: str | None, as_json: bool) -> None:
    """Try out what the toolkit needs, and say how to mend what does not work.

    Exits 4 if something needed does not work. Takes about ten seconds: TensorFlow is imported and converts a model, in
    a process of its own. Runtimes that bundles are verified on are installed under $ZOO_HOME/runtimes, 80 to 150 MB
    each; arm is an emulated 64-bit Arm board, made of Debian's packages with apt, without root.

    \b
    Example:
      zoo doctor
      zoo doctor --install tflite-runtime
    """
    if runtime is not None:
        _install(runtime, as_json=as_json)
        return
    from zoo.doctor import examine

    checks = []
    for check in examine(on_event=say):
        checks.append(check)
        if not as_json:
            click.echo(_line(check))
    broken = [check for check in checks if check.needed and not check.ok]
    if as_json:
        click.echo(json.dumps({"ok": not broken, "checks": [asdict(check) for check in checks]}))
    else:
        click.echo(_summary(broken))
    if broken:
        sys.exit(ModelError.exit_code)


def _install(name: str, *, as_json: bool) -> None:
    from zoo.doctor import install

    found = install(name, on_event=say)
    if as_json:
        click.echo(json.dumps({"runtime": found.name, "python": str(found.python), "new": found.new}))
    else:
        click.echo(f"{found.name} {'is installed' if found.new else 'was installed already'}: {found.python}")


def _line(check: Check) -> str:
    state = "ok" if check.ok else "PROBLEM" if check.needed else "-"
    text = f"{state:<8} {check.name:<24} {check.detail}"
    return f"{text}\n{'':<33} {'fix' if check.needed else 'get it'}: {check.fix}" if check.fix else text


def _summary(broken: Iterable[Check]) -> str:
    names = ", ".join(check.name for check in broken)
    return f"\nproblems: {names}" if names else "\neverything that is needed works"
