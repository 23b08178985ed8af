"""Clips at arm's length: worker processes with limits, started again when a clip takes one down.

A clip that crashes, hangs or eats memory ends its own child process; the worst that can happen to the worker around it is to be killed and
started again. Nothing of a worker's runs in this process: not even a segmentation fault in a decoder reaches it.
"""

from __future__ import annotations

import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import LimitReached, NewtonSchemeError, UnreadableInput, UsageError
from ..report import error_to_json, to_text
from .worker import CHUNK, LENGTH, Unforeseen, digest_file, finish_stamp

PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])
START = "import sys; sys.path.insert(0, sys.argv[1]); from newtonscheme.batch.worker import serve; serve()"
SINGLE_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
"""Workers share the cores by clips. One thread each is the fastest then, and sums have one order, so results do not depend on ``--jobs``."""
START_S = 120.0
"""A worker starts in half a second; on a machine that is busy or reads its packages from afar, in many."""
ATTEMPTS = 2
"""A clip whose worker is gone (killed from outside, most likely) is tried again, but not for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one clip may take: seconds of wall time, memory in MB, and MB of its file."""

    wall_s: float = 600.0
    memory_mb: float = 4096.0
    file_mb: float = 65536.0


@dataclass(frozen=True, slots=True)
class Task:
    """One clip for a worker: its path (None: a table), what is told of it, and digests of the files that this names."""

    path: str | None
    told: Mapping[str, Any]
    files: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """The report of one clip as JSON text, and the time that it took (s)."""

    document: str
    seconds: float


class _Gone(Exception):
    """The worker process has ended."""


class Worker:
    """One worker process, started when it is first needed. One thread asks and closes; any thread may stop it.

    A pipe that another thread closed while this one waits at it would have its number given to the next pipe, and that one's answer read away.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._lock = threading.Lock()
        """Held while a process is started, taken away or killed from another thread."""

    def ask(self, task: Task, limits: Limits) -> Answer:
        """Work on one clip; whatever happens to it, there is a report. Raises _Gone where the worker was stopped: nobody waits for one."""
        begun = time.monotonic()
        for _ in range(ATTEMPTS):
            try:
                answer = self._exchange(task, limits)
            except _Gone:
                self._end()
            except TimeoutError:
                self._end()
                error = LimitReached(f"the time limit of {limits.wall_s:g} s is reached; allow more with --timeout, or use less of the video")
                return Answer(_describe(task, limits, error), time.monotonic() - begun)
            else:
                document = answer.get("document") or _describe(task, limits, _crash(answer["signal"]))
                return Answer(document, time.monotonic() - begun)
        if self._stopped:
            raise _Gone
        return Answer(_describe(task, limits, _crash(signal.SIGKILL)), time.monotonic() - begun)

    def stop(self) -> None:
        """Kill the process, and start none any more; who waits for its answer sees that it is gone."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                _kill(self._process)

    def close(self) -> None:
        """End the process for good; a clip in work is lost."""
        self.stop()
        self._end()

    def _exchange(self, task: Task, limits: Limits) -> dict[str, Any]:
        """Raises _Gone where the process ends, TimeoutError where it does not answer in time."""
        process = self._process or self._start()
        if process.stdin is None or process.stdout is None:
            raise ValueError("expected pipes to the worker")
        try:
            process.stdin.write(json.dumps({**asdict(task), "limits": asdict(limits)}).encode() + b"\n")
            process.stdin.flush()
        except (OSError, ValueError):
            raise _Gone from None
        return dict(json.loads(_read_answer(process.stdout.fileno(), limits.wall_s)))

    def _start(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise _Gone
            # -P: a file called json.py in the folder of clips must not be imported.
            process = self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", START, PACKAGE_ROOT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env=os.environ | dict.fromkeys(SINGLE_THREADS, "1"), start_new_session=True,
            )  # fmt: skip
        if process.stdout is None:
            raise ValueError("expected a pipe from the worker")
        _read_answer(process.stdout.fileno(), START_S)
        return process

    def _end(self) -> None:
        """Kill the process and all it started; the next clip gets a new one."""
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return
        _kill(process)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process that was not waited for yet, and all it started."""
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)


def check_isolation() -> None:
    """Refuse a system that cannot keep clips apart.

    Raises:
        UsageError: it cannot fork (Windows).
    """
    if not hasattr(os, "fork"):
        raise UsageError("a batch needs processes that can fork (Linux, macOS); use `ns predict` for one clip at a time")


def work_isolated(tasks: Sequence[Task], limits: Limits, jobs: int) -> Iterator[tuple[int, Answer]]:
    """The answer to each task with its number, in the order in which they are finished.

    Leaving the iteration ends every worker at once.
    """
    waiting: queue.SimpleQueue[tuple[int, Task]] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, Answer]] = queue.SimpleQueue()
    for numbered in enumerate(tasks):
        waiting.put(numbered)
    workers = [Worker() for _ in range(min(jobs, len(tasks)))]
    threads = [threading.Thread(target=_keep_busy, args=(worker, waiting, done, limits), daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        for _ in tasks:
            yield done.get()
    finally:
        for worker in workers:
            worker.stop()
        for thread in threads:
            thread.join()


def _keep_busy(worker: Worker, waiting: queue.SimpleQueue[tuple[int, Task]], done: queue.SimpleQueue[tuple[int, Answer]], limits: Limits) -> None:
    with suppress(queue.Empty, _Gone):
        while True:
            number, task = waiting.get_nowait()
            done.put((number, worker.ask(task, limits)))
    worker.close()


def _read_answer(pipe: int, limit_s: float) -> bytes:
    deadline = time.monotonic() + limit_s
    (length,) = LENGTH.unpack(_read_exactly(pipe, LENGTH.size, deadline))
    return _read_exactly(pipe, length, deadline)


def _read_exactly(pipe: int, length: int, deadline: float) -> bytes:
    content = bytearray()
    while len(content) < length:
        try:
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            chunk = os.read(pipe, min(CHUNK, length - len(content)))
        except OSError as error:
            raise error if isinstance(error, TimeoutError) else _Gone from None
        if not chunk:
            raise _Gone
        content += chunk
    return bytes(content)


def _crash(number: int) -> NewtonSchemeError:
    if number == signal.SIGKILL:
        return LimitReached("the process that read it was killed, most likely for its memory; allow more, or use less of the video")
    if number == 0:
        return Unforeseen("the process that read it ended without an answer; please report this")
    return UnreadableInput(f"the decoder crashed ({signal.Signals(number).name}); the file is damaged: copy or record it again")


def _describe(task: Task, limits: Limits, error: NewtonSchemeError) -> str:
    """The report of a clip whose process gave none."""
    source = task.path if task.path is not None else str(task.told["track"])
    document = error_to_json(error, source, __version__)
    with suppress(LimitReached):
        digest = digest_file(source, limits.file_mb)
    stamp = {"sha256": digest, "options": dict(task.told), "files": dict(task.files)}
    return to_text(document | {"batch": finish_stamp(stamp, document, asdict(limits))})
