"""Frames that repeat the one before although the clock runs on: doubled rates, frozen recordings.

A still scene repeats itself too, and a pendulum at its turning point almost does. A frame counts as a repeat only inside motion:
nothing changes from the frame before, but as much as usual changed just before that and again just after.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

import cv2
import numpy as np

from ..types import Bytes
from .frame import Frame

DUPLICATE = "duplicate"

# A pixel has changed when it differs by more than this many levels: quantisation at ordinary bitrates moves repeats by up to 5.
CHANGED_LEVELS = 8

# A repeat may differ in this share of the pixels that change next to it: the encoder cleans up its own errors in a repeated frame
# (up to 4 % measured at crf 20); the frame pair at a pendulum's turning point differs by 5 % and more.
QUIET_SHARE = 0.05

# Motion that changes fewer pixels than this could not be told from noise.
FEWEST_CHANGED_PX = 20

# Before a repeat the motion must not die away (as it does towards a turning point), and after it the frozen object must jump.
STEADY_BEFORE = 0.8
STEADY_AFTER = 0.9

# The jump after n repeats covers n + 1 steps; much more than that is the start of another motion.
JUMP_EXCESS = 1.5

# Longer runs are a still scene. It also bounds how many pictures are held back (4K: 8 MB each).
LONGEST_RUN = 4

# Every eighth row is compared first. Where so many pixels changed there, and at least this share of what changed before, the frame
# is no repeat; else the whole picture is compared (on 1080p that costs 6 % of decoding).
ROW_STEP = 8
ENOUGH_SAMPLED_PX = 24
LIVELY_SHARE = 0.2

# Repeats at one spacing, this often, are a converted rate rather than a stuttering recorder.
REGULAR_SHARE = 0.8
FEWEST_REGULAR = 4


class _Change:
    """What changed from one frame to the next: sampled at once, counted in full when asked for."""

    def __init__(self, previous: Bytes | None, luma: Bytes) -> None:
        self._previous, self._luma = previous, luma
        self._count: int | None = 0 if previous is None else None
        self.sampled = 0 if previous is None else _changed_px(previous[::ROW_STEP], luma[::ROW_STEP])

    @property
    def count(self) -> int:
        """Number of pixels that changed."""
        if self._count is None and self._previous is not None:
            self._count = _changed_px(self._previous, self._luma)
        return self._count or 0


def mark_duplicates(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The same frames in the same order, repeats flagged "duplicate". Holds back at most ``LONGEST_RUN`` frames."""
    previous: Bytes | None = None
    motion: tuple[_Change, ...] = ()
    held: list[Frame] = []
    quietest = 0
    for frame in frames:
        change = _Change(previous, frame.luma)
        previous = frame.luma
        if len(held) < LONGEST_RUN and _may_repeat(change, motion):
            held.append(frame)
            quietest = max(quietest, change.count)
            continue
        if held:
            resumed = _resumes(change, motion, quietest, len(held))
            yield from (replace(each, flags=each.flags | {DUPLICATE}) if resumed else each for each in held)
            motion = motion if resumed else ()
            held, quietest = [], 0
        motion = (*motion[-1:], change)
        yield frame
    yield from held


def is_regular(indices: list[int]) -> bool:
    """Whether repeated frames come at one spacing, as in a film whose rate was doubled."""
    spacings = Counter(np.diff(indices).tolist())
    if spacings.total() < FEWEST_REGULAR:
        return False
    return spacings.most_common(1)[0][1] >= REGULAR_SHARE * spacings.total()


def _may_repeat(change: _Change, motion: tuple[_Change, ...]) -> bool:
    """Whether nothing changed although things moved steadily just before."""
    if not motion:
        return False
    last = motion[-1]
    if change.sampled >= max(ENOUGH_SAMPLED_PX, LIVELY_SHARE * last.sampled):
        return False
    if last.count < FEWEST_CHANGED_PX or change.count > QUIET_SHARE * last.count:
        return False
    return len(motion) < 2 or last.count >= STEADY_BEFORE * motion[0].count


def _resumes(change: _Change, motion: tuple[_Change, ...], quietest: int, repeats: int) -> bool:
    """Whether the motion goes on after the repeats as it was before them."""
    last = motion[-1].count
    least = max(STEADY_AFTER * last, quietest / QUIET_SHARE)
    return least <= change.count <= JUMP_EXCESS * (repeats + 1) * last


def _changed_px(previous: Bytes, luma: Bytes) -> int:
    difference = cv2.absdiff(previous, luma)
    return cv2.countNonZero(cv2.threshold(difference, CHANGED_LEVELS, 1, cv2.THRESH_BINARY, difference)[1])
