"""The process that runs somebody else's model: bytes in, numbers out, limits on memory; see `detector`."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from typing import IO

LARGEST_MEMORY = 3 * 2**30
"""Bytes of address space: a large YOLO at 1280 px takes under two."""
LARGEST_ANSWER = 2**25
"""Numbers: a YOLO at 1280 px with 80 classes answers with three million."""
WATCH_S = 0.5
"""Between two looks at whether the parent is there."""


def main() -> None:
    """Load the model, then answer one picture after another until the input ends."""
    import cv2
    import numpy as np

    from .detector import FOR_GOOD, HEAD

    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (LARGEST_MEMORY, LARGEST_MEMORY))
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    model = source.read(HEAD.unpack(source.read(HEAD.size))[1])
    net, reason = None, ""
    try:
        net = cv2.dnn.readNetFromONNX(np.frombuffer(model, dtype=np.uint8))
    except (cv2.error, MemoryError) as error:
        reason = _first_line(error)
    while len(head := source.read(HEAD.size)) == HEAD.size:
        rows, columns, _ = HEAD.unpack(head)
        picture = np.frombuffer(source.read(rows * columns * 3), dtype=np.uint8).reshape(rows, columns, 3)
        if net is None:
            _refuse(sink, reason, FOR_GOOD)
            continue
        try:
            net.setInput(cv2.dnn.blobFromImage(picture, 1.0 / 255.0))
            answer = np.asarray(net.forward(), dtype=np.float32)
        except (cv2.error, MemoryError, ValueError) as error:
            _refuse(sink, _first_line(error))
            continue
        if answer.ndim < 2 or answer.size != answer.shape[-2] * answer.shape[-1] or not 0 < answer.size <= LARGEST_ANSWER:
            _refuse(sink, f"its answer has the shape {answer.shape}, needed one list of boxes")
            continue
        sink.write(HEAD.pack(answer.shape[-2], answer.shape[-1], 4) + np.ascontiguousarray(answer).tobytes())
        sink.flush()


def _end_with(parent: int) -> None:
    """A model that runs for ever never comes back to see its input end; OpenCV lets other threads run meanwhile."""
    while os.getppid() == parent:
        time.sleep(WATCH_S)
    os._exit(1)


def _refuse(sink: IO[bytes], reason: str, how_long: int = 1) -> None:
    from .detector import HEAD

    text = reason.encode()[:500]
    sink.write(HEAD.pack(0, len(text), how_long) + text)
    sink.flush()


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0][:300] if text else type(error).__name__


if __name__ == "__main__":
    main()
