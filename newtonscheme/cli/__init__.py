"""`ns`: from a video of a moving object to its force pattern and a forecast with an honest band.

Each command is one file: it parses, makes one library call, shows the answer and ends. This file is the one boundary where an error
becomes a line on standard error and an exit code:

    0 a forecast was made    2 usage    3 input unreadable    4 nothing trackable    5 refused    6 a limit was reached
    130 interrupted          1 a bug, with its traceback
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from .. import __version__
from ..errors import LimitReached, NewtonSchemeError, UsageError
from .batch import batch
from .benchmark import benchmark
from .console import print_error, print_text
from .objects import objects
from .patterns import patterns
from .predict import predict
from .simulate import simulate
from .track import track
from .train import train

INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""

app = typer.Typer(add_completion=False, no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]}, rich_markup_mode="rich")
for command in (predict, track, batch, patterns, objects, simulate, train, benchmark):
    app.command()(command)


@app.callback()
def ns(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=lambda asked: _show_version(asked), help="Show the version.", metavar="")
    ] = False,
) -> None:
    """From a video of a moving object to its force pattern and a forecast with an honest band."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `ns` and return its exit code; every expected error is one line on standard error."""
    for stream in (sys.stdout, sys.stderr):
        # A file name that the terminal's encoding lacks must not turn an answer into a crash.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except typer.TyperException as error:
        path = getattr(getattr(error, "ctx", None), "command_path", "ns")
        print_error(f"{error.format_message().rstrip('.')}; see `{path} --help`")
        return UsageError.exit_code
    except NewtonSchemeError as error:
        print_error(str(error))
        return error.exit_code
    except MemoryError:
        print_error("the memory is exhausted; use less of the video with --start, --end or --roi")
        return LimitReached.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output went away; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED


def _run(arguments: list[str]) -> int:
    command = typer.main.get_command(app)
    try:
        with command.make_context("ns", arguments) as context:
            command.invoke(context)
        sys.stdout.flush()
    except typer.Exit as ended:
        return ended.exit_code
    except typer.Abort:
        return INTERRUPTED
    return 0


def _show_version(asked: bool) -> None:
    if asked:
        print_text(f"ns {__version__}")
        raise typer.Exit
