"""An outside detector, opt-in: boxes of a YOLO-type ONNX export say which moving things count.

The model is somebody else's program, so it runs in a process of its own (`detector_worker`) with limits on memory and time: one that loops for
ever, eats memory or crashes ends that process and nothing else. It is handed over as bytes, without a place: data outside the file is not read.
"""

from __future__ import annotations

import os
import select
import struct
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

import cv2
import numpy as np

from ..errors import LimitReached, UnreadableInput
from ..notation import printable
from ..types import Bytes, Floats

LARGEST_MODEL = 256 * 2**20
"""Bytes: the largest YOLO exports have 280 MB in single precision and half of it in half; what balls need has 5 to 50."""
SIDES = (640, 416, 320, 512, 1280, 256, 128, 64)
"""Pixels of the square input that exports come with, the usual one first: an export of fixed size takes one of them, a free one the first."""
PATIENCE_S = 5.0
"""For each answer: a large network takes a second a frame on one core."""
LEAST_SCORE, MOST_OVERLAP = 0.25, 0.5
"""The exporters' own defaults for confidence and for suppression of overlapping boxes."""
MOST_AFTER_SUPPRESSION = 1000
"""Rows of an export with suppression built in (300 by default); one without has thousands, of which six columns mean one class."""
GREY = 114
"""Fill of the letterbox's margins, as in training."""
ELSEWHERE = b"\x0a\x08location"
"""The key under which an ONNX tensor names the file that holds its data (onnx.proto3, TensorProto.external_data)."""
FOR_GOOD = 2
"""In place of the bytes of a number: no picture of any size can be shown to this model."""
HEAD = struct.Struct("<III")
"""Before each message: (rows, columns, bytes of a number); the answer to a refusal has no rows, and its text follows."""


@dataclass(slots=True)
class Detector:
    """A running model. Open one with `open_detector`, close it or use it as a context."""

    name: str
    side: int
    worker: subprocess.Popen[bytes]
    known: dict[int, Floats] = field(default_factory=dict)

    def __enter__(self) -> Detector:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        _stop(self.worker)

    def find_boxes(self, index: int, colour: Bytes) -> Floats:
        """(n, 4) left, top, right, bottom in pixels of a picture (height, width, 3) RGB, ``index`` its frame's number; asked once for each.

        Raises:
            LimitReached: the model does not answer in time.
            UnreadableInput: its answer is no list of boxes.
        """
        if index not in self.known:
            letter, scale, left, top = _letterbox(colour, self.side)
            boxes = read_boxes(_ask(self.worker, letter, self.name), self.name)
            self.known[index] = (boxes - (left, top, left, top)) / scale
        return self.known[index]


def open_detector(path: str | Path) -> Detector:
    """Start the model in ``path`` and try it on an empty picture.

    Raises:
        UnreadableInput: there is no such file, it is too large, it is no model that OpenCV can run, or its answer is no list of boxes.
        LimitReached: the model does not answer in time.
    """
    file, name = Path(path), f"'{printable(str(path))}'"
    if not file.is_file():
        raise UnreadableInput(f"--detector {name}: found no regular file, needed a model in ONNX format")
    if file.stat().st_size > LARGEST_MODEL:
        raise UnreadableInput(f"--detector {name}: found {file.stat().st_size} bytes, needed {LARGEST_MODEL} at most; give a smaller model")
    model, reason = file.read_bytes(), "it takes no picture"
    if ELSEWHERE in model:
        raise UnreadableInput(f"--detector {name}: found weights that lie in other files, needed all in one; export again without external data")
    worker = _start(model, name)
    try:
        for side in SIDES:
            try:
                read_boxes(_ask(worker, np.full((side, side, 3), GREY, dtype=np.uint8), name), name)
                return Detector(name, side, worker)
            except _Refused as refused:
                reason = str(refused)
                if refused.for_good:
                    break
    except BaseException:
        _stop(worker)
        raise
    _stop(worker)
    raise UnreadableInput(
        f"--detector {name}: found no model that OpenCV can run ({reason}); needed a YOLO-type export with one square picture as input"
    )


class _Refused(Exception):
    """The worker could not run the model on this picture; ``for_good``: on none."""

    def __init__(self, reason: str, *, for_good: bool) -> None:
        super().__init__(reason)
        self.for_good = for_good


def _start(model: bytes, name: str) -> subprocess.Popen[bytes]:
    root = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])]), "OMP_NUM_THREADS": "1"}
    worker = subprocess.Popen(
        [sys.executable, "-m", "newtonscheme.vision.detector_worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=environment, bufsize=0,
    )  # fmt: skip
    try:
        _send(worker, HEAD.pack(1, len(model), 1) + model, time.monotonic() + PATIENCE_S, name)
    except BaseException:
        _stop(worker)
        raise
    return worker


def _stop(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.wait()
    for stream in (worker.stdin, worker.stdout):
        if stream is not None:
            with suppress(BrokenPipeError):
                stream.close()


def _ask(worker: subprocess.Popen[bytes], picture: Bytes, name: str) -> Floats:
    """The model's answer (rows, columns) to a square picture."""
    deadline = time.monotonic() + PATIENCE_S
    _send(worker, HEAD.pack(picture.shape[0], picture.shape[1], 3) + picture.tobytes(), deadline, name)
    head = _receive(worker, HEAD.size, deadline, name)
    rows, columns, size = HEAD.unpack(head)
    if rows == 0:
        raise _Refused(printable(_receive(worker, columns, deadline, name).decode("utf-8", "replace")), for_good=size == FOR_GOOD)
    return np.frombuffer(_receive(worker, rows * columns * size, deadline, name), dtype=np.float32).reshape(rows, columns).astype(float)


def _send(worker: subprocess.Popen[bytes], message: bytes, deadline: float, name: str) -> None:
    stream = worker.stdin
    if stream is None:
        raise ValueError("expected a pipe to the worker")
    # A worker that is busy with its model reads nothing, and a pipe that blocks would wait for it beyond the deadline.
    os.set_blocking(stream.fileno(), False)
    left = memoryview(message)
    while left:
        _, ready, _ = select.select([], [stream], [], max(deadline - time.monotonic(), 0.0))
        if not ready:
            raise _too_slow(worker, name)
        try:
            left = left[os.write(stream.fileno(), left) :]
        except BrokenPipeError:
            return  # what ended it shows as an answer that does not come


def _receive(worker: subprocess.Popen[bytes], size: int, deadline: float, name: str) -> bytes:
    stream: IO[bytes] | None = worker.stdout
    if stream is None:
        raise ValueError("expected a pipe from the worker")
    parts, left = [], size
    while left:
        ready, _, _ = select.select([stream], [], [], max(deadline - time.monotonic(), 0.0))
        if not ready:
            raise _too_slow(worker, name)
        part = os.read(stream.fileno(), left)
        if not part:
            raise UnreadableInput(f"--detector {name}: the model ended the process that ran it; give another export")
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _too_slow(worker: subprocess.Popen[bytes], name: str) -> LimitReached:
    worker.kill()
    return LimitReached(f"--detector {name}: the model gave no answer in {PATIENCE_S:g} s; needed one for each frame; give a smaller model")


def _letterbox(colour: Bytes, side: int) -> tuple[Bytes, float, float, float]:
    """The picture in a grey square, its scale there, and the margins at its left and top."""
    height, width = colour.shape[:2]
    scale = side / max(height, width)
    wide, high = max(round(width * scale), 1), max(round(height * scale), 1)
    left, top = (side - wide) // 2, (side - high) // 2
    letter = np.full((side, side, 3), GREY, dtype=np.uint8)
    letter[top : top + high, left : left + wide] = cv2.resize(np.ascontiguousarray(colour), (wide, high), interpolation=cv2.INTER_LINEAR)
    return letter, scale, float(left), float(top)


def read_boxes(answer: Floats, name: str) -> Floats:
    """(n, 4) left, top, right, bottom of an export's answer: (4 + classes, n), (n, 5 + classes), or (n, 6) after suppression.

    Raises:
        UnreadableInput: it is none of these, or not finite.
    """
    rows, columns = answer.shape
    suppressed = columns == 6 and rows <= MOST_AFTER_SUPPRESSION
    if (min(rows, columns) < 5 and not suppressed) or not np.all(np.isfinite(answer)):
        shape = f"{rows} x {columns}"
        raise UnreadableInput(f"--detector {name}: found an answer of {shape}, needed finite boxes (4 + classes, n), (n, 5 + classes) or (n, 6)")
    if suppressed:
        return answer[answer[:, 4] >= LEAST_SCORE, :4]
    table, score = (answer.T, answer.T[:, 4:].max(axis=1)) if rows < columns else (answer, answer[:, 4] * answer[:, 5:].max(axis=1, initial=0.0))
    table, score = table[score >= LEAST_SCORE], score[score >= LEAST_SCORE]
    corner = table[:, :2] - 0.5 * table[:, 2:4]
    kept = cv2.dnn.NMSBoxes(np.hstack([corner, table[:, 2:4]]).tolist(), score.tolist(), LEAST_SCORE, MOST_OVERLAP) if len(table) else ()
    chosen = np.asarray(kept, dtype=np.int64).ravel()
    return np.hstack([corner, corner + table[:, 2:4]])[chosen]
