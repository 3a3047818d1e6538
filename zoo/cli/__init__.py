"""The command line: one command per file, each parses, calls one library function and prints what came back."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from zoo.errors import InterruptedRunError, ResourceError, SigtermInterrupt, TerminatedRunError, ZooError
from zoo.registry import suggest

COMMANDS: Mapping[str, str] = {
    "list": "zoo.cli.list",
    "info": "zoo.cli.info",
    "data": "zoo.cli.data",
    "train": "zoo.cli.train",
    "evaluate": "zoo.cli.evaluate",
    "predict": "zoo.cli.predict",
    "export": "zoo.cli.export",
    "verify": "zoo.cli.verify",
    "bench": "zoo.cli.bench",
    "study": "zoo.cli.study",
    "tune": "zoo.cli.tune",
    "run": "zoo.cli.run",
    "report": "zoo.cli.report",
    "compare": "zoo.cli.compare",
    "doctor": "zoo.cli.doctor",
}
"""Command name to the module whose `command` is it; a command is imported when it is called or listed."""


class LazyGroup(click.Group):
    """Imports a command's module when the command is asked for."""

    def list_commands(self, context: click.Context) -> list[str]:  # noqa: ARG002
        """Command names in the order of a first day with the tool."""
        return [*COMMANDS]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of that name, its module imported now."""
        if name not in COMMANDS:
            context.fail(f"No such command {name!r}{suggest(name, COMMANDS)}")
        command: click.Command = importlib.import_module(COMMANDS[name]).command
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, help="Add the traceback to an error.")
@click.version_option(package_name="keras-deploy-zoo", prog_name="zoo", message="%(prog)s %(version)s")
def cli(debug: bool) -> None:
    """Train Keras models by name, export them to a device, and know that they still work.

    \b
    Example:
      zoo train mnist-cnn
      zoo export mnist-cnn --quantize int8
      zoo verify runs/mnist-cnn/*/export/tflite-int8
    """


def emit(value: Any, text: str, *, as_json: bool) -> None:
    """Prints a command's result: one JSON value alone on the last line, or text for people."""
    if not as_json:
        click.echo(text)
        return
    from zoo.runs import to_json  # brings numpy, which --help and a table do without

    click.echo(to_json(value))


def say(message: str) -> None:
    """Prints progress or a warning, on standard error; nobody there to read it is no end of the work."""
    try:
        click.echo(message, err=True)
    except BrokenPipeError:
        hush()


def hush() -> None:
    """Sends standard error nowhere: what is still in its buffer must not fail at the next flush, whoever makes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON value, last and alone on its line.")
runs_option = click.option(
    "--runs",
    "root",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    help="Folder that names of runs are looked up in [default: ./runs].",
)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs the command line and exits; the one place where an error becomes a line and an exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    _interrupt_once()
    try:
        cli.main([word for word in words if word != "--debug"], prog_name="zoo", standalone_mode=False)
    except ZooError as error:
        _fail(str(error), error.exit_code, words, getattr(error, "problems", ()))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _fail(f"{error.format_message()}{_help_hint(error)}", error.exit_code, words)
    except (click.Abort, KeyboardInterrupt) as error:
        # click turns what it catches into Abort, with the interrupt as its cause
        terminated = isinstance(error, SigtermInterrupt) or isinstance(error.__cause__, SigtermInterrupt)
        code = TerminatedRunError.exit_code if terminated else InterruptedRunError.exit_code
        _fail("interrupted; nothing was left half-written", code, words)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: nobody is left to tell
        sys.exit(1)
    except MemoryError:
        _fail("out of memory; close other programs, or take a smaller batch or model", 6, words)
    except OSError as error:
        _fail(f"{error}; check the path and the free space", ResourceError.exit_code, words)
    except Exception as error:  # noqa: BLE001 - a script that asked for JSON gets it, whatever went wrong
        hint = "" if "--debug" in words else "; add --debug for the traceback, and report it if the fault is ours"
        _fail(f"unexpected {type(error).__name__}: {error}{hint}", ZooError.exit_code, words)
    sys.exit(0)


def _interrupt_once() -> None:
    """The first Ctrl-C or SIGTERM interrupts, further ones leave the saving alone, the fifth ends it all at once."""
    received = 0

    def interrupt(number: int, _frame: object) -> None:
        nonlocal received
        received += 1
        if received == 1:
            raise SigtermInterrupt if number == signal.SIGTERM else KeyboardInterrupt
        if received == 5:
            os._exit(128 + number)

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)


def _help_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"; see: {context.command_path} --help" if context is not None else ""


def _fail(message: str, code: int, words: list[str], problems: Sequence[str] = ()) -> NoReturn:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # all is saved; a late Ctrl-C must not change the exit code
    if "--debug" in words:
        traceback.print_exc()
    line = " ".join(message.split())
    if "--json" in words:
        more = {"problems": list(problems)} if problems else {}
        click.echo(json.dumps({"error": line, "exit_code": code, **more}))
    click.echo(f"zoo: {line}", err=True)
    for problem in problems:
        click.echo(f"  {problem}", err=True)
    sys.exit(code)
