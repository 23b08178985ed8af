"""A limit on wall-clock time that holds in pure Python and inside a decoder alike."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import LimitReached
from .console import print_error

GRACE_S = 0.6
"""After the deadline the work may clean up for this long before the process ends itself; the promise to the user is 1 s."""


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Let the block run for at most ``seconds`` (None: for ever).

    An alarm interrupts Python code, so that open files are closed and temporary ones removed. Native code that does not return to
    Python in time cannot be interrupted: then the process ends with the same line and the same exit code.

    Raises:
        LimitReached: the time is up.
    """
    if seconds is None:
        yield
        return
    error = LimitReached(f"the time limit of {seconds:g} s is reached; allow more with --timeout, or use less of the video with --start and --end")
    watchdog = threading.Timer(seconds + GRACE_S, _end_process, (error,))
    watchdog.daemon = True
    watchdog.start()
    try:
        with _alarm(seconds, error):
            yield
    finally:
        watchdog.cancel()


@contextmanager
def _alarm(seconds: float, error: LimitReached) -> Iterator[None]:
    # Windows has no alarm: there the watchdog alone keeps the limit.
    if not hasattr(signal, "setitimer"):
        yield
        return

    def expire(*_: object) -> None:
        raise error

    previous = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)


def _end_process(error: LimitReached) -> None:
    print_error(str(error))
    os._exit(error.exit_code)
