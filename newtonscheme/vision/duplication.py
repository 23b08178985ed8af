"""Frames that repeat the one before although the clock runs on: doubled rates, frozen recordings.

A still scene repeats itself too, and a pendulum at its turning point almost does. A frame counts as a repeat only inside motion:
nothing changes from the frame before, but as much as usual changed just before that and again just after.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import cv2
import numpy as np

from ..types import Bytes
from .frame import Frame

DUPLICATE = "duplicate"

# Differences up to this many levels are the encoder's: quantisation at ordinary bitrates moves repeats by up to 5.
QUANTISATION_LEVELS = 8

# A repeat may change this share of what changes next to it: the encoder cleans up its own errors (up to 0.5 % measured at crf 20).
QUIET_SHARE = 0.03

# Motion that changes less than this, in pixels times levels, could not be told from noise: 20 pixels by 25 levels.
LEAST_CHANGE = 500.0

# Before a repeat the motion must not die away as it does towards a turning point, where the last two steps are as 2 to 3 or less; after it the
# frozen object must jump.
STEADY_BEFORE = 0.8
STEADY_AFTER = 0.8

# The jump after n repeats covers n + 1 steps; much more than that is the start of another motion.
JUMP_EXCESS = 1.5

# Longer runs are a still scene. It also bounds how many pictures are held back (4K: 8 MB each).
LONGEST_RUN = 4

# Every eighth row is compared first. Where so much changed there, and at least this share of what changed before, the frame is no
# repeat; else the whole picture is compared (on 1080p that costs 6 % of decoding).
ROW_STEP = 8
LIVELY_SHARE = 0.2

# Repeats at one spacing, this often, are a converted rate rather than a stuttering recorder.
REGULAR_SHARE = 0.8
FEWEST_REGULAR = 4


class _Change:
    """What changed from one frame to the next: sampled at once, counted in full when asked for."""

    def __init__(self, previous: Bytes | None, luma: Bytes) -> None:
        self._previous, self._luma = previous, luma
        self._amount: float | None = 0.0 if previous is None else None
        self.sampled = 0.0 if previous is None else _difference(previous[::ROW_STEP], luma[::ROW_STEP])

    @property
    def amount(self) -> float:
        """Sum of the levels by which pixels changed, which grows with the way that things moved."""
        if self._amount is None and self._previous is not None:
            self._amount = _difference(self._previous, self._luma)
        return self._amount or 0.0


def mark_duplicates(frames: Iterable[Frame], changes: list[tuple[int, float, float]] | None = None) -> Iterator[Frame]:
    """The same frames in the same order, repeats flagged "duplicate". Holds back at most ``LONGEST_RUN`` frames.

    Each frame's number, and how much changed from the frame before and from the third before it in every ``ROW_STEP``-th row, go into
    ``changes``.
    """
    rows: deque[Bytes] = deque(maxlen=3)
    previous: Bytes | None = None
    motion: tuple[_Change, ...] = ()
    held: list[Frame] = []
    quietest = 0.0
    for frame in frames:
        change = _Change(previous, frame.luma)
        if changes is not None:
            own = np.ascontiguousarray(frame.luma[::ROW_STEP])
            changes.append((frame.index, change.sampled, _difference(rows[0], own) if len(rows) == 3 else np.nan))
            rows.append(own)
        previous = frame.luma
        if len(held) < LONGEST_RUN and _may_repeat(change, motion):
            held.append(frame)
            quietest = max(quietest, change.amount)
            continue
        if held:
            resumed = _resumes(change, motion, quietest, len(held))
            yield from (replace(each, flags=each.flags | {DUPLICATE}) if resumed else each for each in held)
            motion = motion if resumed else ()
            held, quietest = [], 0.0
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
    if change.sampled >= max(LEAST_CHANGE, LIVELY_SHARE * last.sampled):
        return False
    if last.amount < LEAST_CHANGE or change.amount > QUIET_SHARE * last.amount:
        return False
    return len(motion) < 2 or last.amount >= STEADY_BEFORE * motion[0].amount


def _resumes(change: _Change, motion: tuple[_Change, ...], quietest: float, repeats: int) -> bool:
    """Whether the motion goes on after the repeats as it was before them."""
    last = motion[-1].amount
    least = max(STEADY_AFTER * last, quietest / QUIET_SHARE)
    return least <= change.amount <= JUMP_EXCESS * (repeats + 1) * last


def _difference(previous: Bytes, luma: Bytes) -> float:
    difference = cv2.absdiff(previous, luma)
    return float(cv2.sumElems(cv2.threshold(difference, QUANTISATION_LEVELS, 0, cv2.THRESH_TOZERO, difference)[1])[0])
