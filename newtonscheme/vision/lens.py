"""What a film's file says about its lens: the focal length in 35 mm equivalent that phones write into a QuickTime track.

FFmpeg shows what stands for the whole film, and not what stands for one track of it, where Apple's cameras write it; so the boxes are walked here.
Only headers and one small box are read, whatever their sizes claim. Boxes: ISO/IEC 14496-12, 4.2; keys and values: Apple, QuickTime File
Format Specification, "Metadata".
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

KEY = "camera.focal_length.35mm_equivalent"
"""The end of the key: tools that copy a film's tags leave out what stands before, or write it in capitals."""
SHORTEST_MM, LONGEST_MM = 6.0, 2000.0
"""A circular fisheye, and a telescope; what is outside is no lens."""
MOST_BOXES = 1000
"""Of a film with a few tracks, a hundred are looked at."""
LARGEST_META = 1 << 14
"""Bytes: a track's keys and values take under one thousand."""
HEADER, LARGE_HEADER = struct.Struct(">I4s"), struct.Struct(">Q")
KINDS = {
    21: {1: ">b", 2: ">h", 4: ">i", 8: ">q"}, 22: {1: ">B", 2: ">H", 4: ">I", 8: ">Q"}, 23: {4: ">f"}, 24: {8: ">d"},
    65: {1: ">b"}, 66: {2: ">h"}, 67: {4: ">i"}, 74: {8: ">q"}, 75: {1: ">B"}, 76: {2: ">H"}, 77: {4: ">I"}, 78: {8: ">Q"},
}  # fmt: skip
"""Well-known types of a value, and their layouts by length (Apple, table "Well-known types")."""
TEXT = 1


def find_focal_35mm(path: Path, tags: Mapping[str, str]) -> float | None:
    """The focal length (mm) that gives the same view on 36 x 24 mm, as the file says it; None where it does not, or contradicts itself.

    Args:
        path: the film.
        tags: what the container says of the whole film and of its stream.
    """
    said = [_number(value) for key, value in tags.items() if key.lower().endswith(KEY)]
    try:
        with path.open("rb") as file:
            said += _read_tracks(file)
    except OSError:
        pass
    known = {value for value in said if value is not None and SHORTEST_MM <= value <= LONGEST_MM}
    return known.pop() if len(known) == 1 else None


def _read_tracks(file: BinaryIO) -> list[float | None]:
    """The values of the whole film and of each of its tracks."""
    end = file.seek(0, 2)
    left = [MOST_BOXES]
    said: list[float | None] = []
    for name, start, stop in _boxes(file, 0, end, left):
        if name != b"moov":
            continue
        for inner, inner_start, inner_stop in _boxes(file, start, stop, left):
            if inner == b"meta":
                said += _read_meta(_content(file, inner_start, inner_stop))
            elif inner == b"trak":
                metas = [(a, b) for kind, a, b in _boxes(file, inner_start, inner_stop, left) if kind == b"meta"]
                said += [value for a, b in metas for value in _read_meta(_content(file, a, b))]
    return said


def _boxes(file: BinaryIO, start: int, end: int, left: list[int]) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end) of the contents of the boxes between two places; ``left`` counts those that may still be looked at in all."""
    while start + HEADER.size <= end and left[0] > 0:
        left[0] -= 1
        file.seek(start)
        head = file.read(HEADER.size + LARGE_HEADER.size)
        if len(head) < HEADER.size:
            return
        size, name = HEADER.unpack_from(head)
        skip = HEADER.size
        if size == 1 and len(head) == HEADER.size + LARGE_HEADER.size:
            size, skip = LARGE_HEADER.unpack_from(head, HEADER.size)[0], len(head)
        elif size == 0:
            size = end - start
        if size < skip or start + size > end:
            return
        yield name, start + skip, start + size
        start += size


def _content(file: BinaryIO, start: int, stop: int) -> bytes:
    if stop - start > LARGEST_META:
        return b""
    file.seek(start)
    return file.read(stop - start)


def _read_meta(content: bytes) -> list[float | None]:
    """The values under our key; ISO's box has four bytes of version before its first inner box, QuickTime's has none."""
    inner = dict(_parts(content if content[4:8] == b"hdlr" else content[4:]))
    keys = [key[HEADER.size :] for key in _entries(inner.get(b"keys", b"")[8:])]
    wanted = {number for number, key in enumerate(keys, 1) if key.decode("utf-8", "replace").lower().endswith(KEY)}
    items = [part for name, part in _parts(inner.get(b"ilst", b"")) if int.from_bytes(name, "big") in wanted]
    return [_value(data) for item in items for name, data in _parts(item) if name == b"data"]


def _entries(content: bytes) -> Iterator[bytes]:
    """Pieces that each begin with their own length in four bytes."""
    start = 0
    while start + HEADER.size <= len(content):
        size = int.from_bytes(content[start : start + 4], "big")
        if not HEADER.size <= size <= len(content) - start:
            return
        yield content[start : start + size]
        start += size


def _parts(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    for entry in _entries(content):
        yield entry[4 : HEADER.size], entry[HEADER.size :]


def _value(data: bytes) -> float | None:
    """A data box: type and locale in four bytes each, then the value."""
    kind, raw = int.from_bytes(data[:4], "big"), data[8:]
    if kind == TEXT:
        return _number(raw.decode("utf-8", "replace"))
    layout = KINDS.get(kind, {}).get(len(raw))
    return None if layout is None else _finite(float(struct.unpack(layout, raw)[0]))


def _number(text: str) -> float | None:
    try:
        return _finite(float(text[:40]))
    except ValueError:
        return None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
