"""The process that works on clips, one at a time, each in a child of its own that is made for it and ends with it.

It reads tasks from standard input and answers on standard output, and does nothing else: it writes no file. What a clip does to its child
(crash, hang, memory) ends with the child, and no clip's result depends on those before it. When standard input closes, the parent is gone
and the child is killed.

A task is one line of JSON; an answer is its length in 8 bytes and that much JSON. The first answer, of length 0, says that it is ready.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import stat
import struct
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import LimitReached, NewtonSchemeError
from ..report import error_to_json, report_to_json, to_text

LENGTH = struct.Struct(">Q")
CHUNK = 1 << 16
MB = 1 << 20
OUT_OF_MEMORY_CV2 = -4
"""``cv::Error::StsNoMem``; the module itself lives in vision."""
FIRST_VICTIM = "1000"
"""Linux's `oom_score_adj`: when the machine itself runs out of memory, this process is the one to end."""


def serve() -> None:
    """Answer tasks until standard input ends."""
    tasks, answers = os.dup(0), os.dup(1)
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        # What a decoder prints must not get between the answers, and nobody reads it.
        os.dup2(quiet, stream)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _warm_up()
    _write(answers, LENGTH.pack(0))
    pending = b""
    while chunk := os.read(tasks, CHUNK):
        pending += chunk
        if pending.endswith(b"\n"):
            answer = _work_in_child(json.loads(pending), tasks, answers)
            _write(answers, LENGTH.pack(len(answer)) + answer)
            pending = b""


def make_document(task: Mapping[str, Any]) -> str:
    """The report of one clip as JSON text: its forecast, its refusal or what went wrong, and what it was made from."""
    from ..pipeline import predict

    path, told = task["path"], task["told"]
    source = path if path is not None else told["track"]
    stamp: dict[str, Any] = {"sha256": None, "options": told, "files": task["files"]}
    try:
        stamp["sha256"] = digest_file(source, task["limits"]["file_mb"])
        document = report_to_json(predict(path, **_tuples(told)))
    except NewtonSchemeError as error:
        document = error_to_json(error, source, __version__)
    except MemoryError:
        document = error_to_json(memory_exhausted(task["limits"]), source, __version__)
    except Exception as error:
        document = error_to_json(_as_known(error, task["limits"]), source, __version__)
    return to_text(document | {"batch": finish_stamp(stamp, document, task["limits"])})


def finish_stamp(stamp: Mapping[str, Any], document: Mapping[str, Any], limits: Mapping[str, float]) -> dict[str, Any]:
    """What a result was made from; with the limits where it is that one was reached, so that higher ones make it anew."""
    reached = (document["error"] or {}).get("code") == LimitReached.code
    return {**stamp, "limits": dict(limits) if reached else None}


def digest_file(path: str | Path, largest_mb: float) -> str | None:
    """SHA-256 of a regular file; None where there is none that can be read (the reader then says why).

    Raises:
        LimitReached: the file is larger than allowed.
    """
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):
            return None
        if status.st_size > largest_mb * MB:
            raise LimitReached(f"found a file of {status.st_size / MB:.0f} MB; needed at most {largest_mb:g}; allow more with --file-size")
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        if isinstance(error, LimitReached):
            raise
        return None


def memory_exhausted(limits: Mapping[str, float]) -> LimitReached:
    """The error of a clip that needs more memory than it may have."""
    return LimitReached(f"the memory limit of {limits['memory_mb']:g} MB is reached; allow more with --memory, or use less with --start and --end")


class Unforeseen(NewtonSchemeError):
    """An error that nobody foresaw, as one line; other clips are not touched by it."""


def _warm_up() -> None:
    """Import what every clip needs, once and before any child is made."""
    from .. import pipeline  # noqa: F401
    from ..estimation import analysis, knowledge, recognition  # noqa: F401
    from ..vision import tracking  # noqa: F401


def _work_in_child(task: Mapping[str, Any], tasks: int, answers: int) -> bytes:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        # A child that outlives this process must not keep its pipes open: the parent sees by their end that it is gone.
        _be_child(task, writing, unused=(reading, tasks, answers))
    os.close(writing)
    document = b""
    while chunk := _next_chunk(reading, tasks, child):
        document += chunk
    os.close(reading)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return json.dumps({"signal": os.WTERMSIG(status)}).encode()
    return json.dumps({"document": document.decode()} if document else {"signal": 0}).encode()


def _next_chunk(reading: int, tasks: int, child: int) -> bytes:
    """The next part of the child's document, empty at its end; ends this process where the parent is gone."""
    ready, _, _ = select.select([reading, tasks], [], [])
    if tasks in ready:
        # The parent sends nothing before it has its answer: this is the end of the pipe.
        os.kill(child, signal.SIGKILL)
        os._exit(0)
    return os.read(reading, CHUNK)


def _be_child(task: Mapping[str, Any], writing: int, *, unused: Sequence[int]) -> None:
    """Work on one clip under its limits and end. Never returns."""
    code = 1
    try:
        for pipe in unused:
            os.close(pipe)
        _limit(task["limits"])
        _write(writing, make_document(task).encode())
        code = 0
    finally:
        os._exit(code)


def _limit(limits: Mapping[str, float]) -> None:
    """No more memory than allowed, and no file at all."""
    import resource

    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_VICTIM)
    bounds = ((resource.RLIMIT_DATA, int(limits["memory_mb"] * MB)), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0))
    for kind, bound in bounds:
        with suppress(OSError, ValueError):
            resource.setrlimit(kind, (bound, bound))


def _as_known(error: Exception, limits: Mapping[str, float]) -> NewtonSchemeError:
    if type(error).__module__ == "cv2" and getattr(error, "code", 0) == OUT_OF_MEMORY_CV2:
        return memory_exhausted(limits)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return Unforeseen(f"{type(error).__name__}: {' '.join(str(error).split())} ({Path(last.filename).name}, line {last.lineno}); please report this")


def _tuples(told: Mapping[str, Any]) -> dict[str, Any]:
    """The options as `predict` takes them: JSON has no tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}


def _write(pipe: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(pipe, view) :]
