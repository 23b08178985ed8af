"""Where the command line talks: errors in one line, progress only on a terminal, tables and summaries that cannot move a cursor."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from ..batch.run import Result, Tell
    from ..types import Notice, Progress

STAGE_WIDTH = 24


def print_error(message: str) -> None:
    """Print exactly one line, whatever is in the message."""
    from ..notation import printable

    print(f"ns: error: {printable(' '.join(message.split()))}", file=sys.stderr, flush=True)


def print_text(text: str) -> None:
    """Print machine-readable text to standard output as it is."""
    print(text, end="" if text.endswith("\n") else "\n")


def print_warnings(notices: Iterable[Notice]) -> None:
    """Print each notice as one line on standard error."""
    from ..notation import printable

    for notice in notices:
        print(f"ns: warning: {printable(notice.message)} ({notice.code})", file=sys.stderr)


def print_rows(rows: Sequence[tuple[str, str]], file: TextIO | None = None) -> None:
    """Print (label, words) rows: wrapped beside their labels on a terminal, one row a line elsewhere."""
    stream = sys.stdout if file is None else file
    width = max((len(label) for label, _ in rows), default=0)
    if not stream.isatty():
        for label, words in rows:
            print(f"{label:<{width}}  {words}".rstrip(), file=stream)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(min_width=width, no_wrap=True)
    grid.add_column(overflow="fold")
    for label, words in rows:
        grid.add_row(Text(label, style="bold"), Text(words))
    Console(file=stream, highlight=False).print(grid)


@contextmanager
def show_progress(quiet: bool) -> Iterator[Progress | None]:
    """A callback that draws each stage's progress on standard error, or None where nobody would see it."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(f"{{task.description:<{STAGE_WIDTH}}}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks = {}

        def advance(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield advance


@contextmanager
def follow_batch(quiet: bool) -> Iterator[Tell | None]:
    """A callback that prints each clip of a batch as it is finished, a line each on standard error, and how long the rest will take."""
    if quiet:
        yield None
        return
    reused = 0

    def tell(result: Result) -> None:
        nonlocal reused
        reused += result.reused
        if reused and (not result.reused or result.done == result.total):
            print(f"{reused} of {result.total} clips were done before", file=sys.stderr)
            reused = 0
        if not result.reused:
            print(_clip_line(result), file=sys.stderr, flush=True)

    yield tell


def _clip_line(result: Result) -> str:
    row, width = result.row, len(str(result.total))
    if row["status"] == "error":
        ending = f"failed: {row['error_message']}"
    elif row["status"] == "refused":
        ending = f"refused ({row['refusal']})"
    else:
        ending = str(row["pattern"]).replace("_", " ")
    left = f", {_duration(result.left_s)} left" if result.left_s is not None and result.done < result.total else ""
    return f"[{result.done:>{width}}/{result.total}] {row['path']}: {ending} ({row['seconds']:.1f} s{left})"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
