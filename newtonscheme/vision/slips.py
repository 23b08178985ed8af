"""Frames that a film lost although its time stamps run on evenly: its object then moves as far in one step as in two.

A recorder that cannot keep up leaves frames out and numbers what is left. A law of motion sees a jump there that no force makes; a frame's time
more between two smooth pieces of a path explains all of it, along the path and across it. A converter that also shows frames twice keeps to the
clock on the whole: what it left out it makes up for, where nobody may see it, and its films are left as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ..types import Bools, Floats, Ints, Notice, Track, Tracking

SIDE = 6
"""Samples on either side of a step that are looked at: one cubic goes through both sides of it, as far as forces are steady."""
MOST_FRAMES = 6
"""Frames that a step may have taken."""
EVEN = 0.05
"""Share of a frame's time by which stamps may jitter: a recorder that writes true times needs none of this."""
FREEDOM = 2.0 * (2 * SIDE - 4)
CLEARLY, MUCH_BETTER = 40.0, 10.0
"""Squares, in those of the noise, that the right time must take off what a cubic leaves, and how many times less it must leave then."""
MOST_LEFT, LITTLE_LEFT = 8.0, 0.04
"""And the most that it may leave for each number that is free, in squares of the samples' sigmas, or in shares of the step: a bounce leaves more
whatever the time."""
MOST_SLIPS = 20
"""A film with more has no clock that could be mended."""
MOST_SPACINGS = 512
"""Matrices that are kept: tracks with gaps share a few spacings of their samples."""
TRUSTED = 0.5
"""Of the best track's smoothness: limbs and shadows jump for other reasons."""
LEAST_STEP_SIGMAS = 8.0
"""A slower object does not show it."""


@dataclass(frozen=True, slots=True)
class Slip:
    """Before ``frame`` a film lost ``frames`` of its frames that its stamps do not count."""

    frame: int
    frames: int


def mend_clock(tracking: Tracking) -> Tracking:
    """Tracks whose samples before a slip were moved back in time, so that the last ones keep their stamps, with a notice."""
    if tracking.video.repeated or not tracking.tracks:
        return tracking
    slips: dict[int, int] = {}
    for track in tracking.tracks:
        for slip in find_slips(track) if track.smoothness >= TRUSTED * tracking.tracks[0].smoothness else ():
            slips.setdefault(slip.frame, slip.frames)
    if not slips:
        return tracking
    interval = next(float(np.median(np.diff(track.t) / np.diff(track.frame))) for track in tracking.tracks if len(track) > 1)
    moved = tuple(_moved(track, slips, interval) for track in tracking.tracks)
    places = ", ".join(f"{count} before frame {frame}" for frame, count in sorted(slips.items()))
    found = f"the object's steps show that frames are missing although the time stamps run on evenly: {places}"
    return replace(tracking, tracks=moved, notices=(*tracking.notices, Notice("clock_slips", f"{found}; earlier samples were moved back in time")))


def find_slips(track: Track) -> list[Slip]:
    """Steps of a track that took more frames than the stamps say, the clearest first."""
    found: list[Slip] = []
    stated = np.diff(track.frame)
    while len(track) >= 2 * SIDE and len(found) < MOST_SLIPS:
        clearest = _clearest(track, stated)
        if clearest is None:
            break
        row, taken = clearest
        found.append(Slip(int(track.frame[row + 1]), taken - int(stated[row])))
        stated = np.where(np.arange(len(stated)) == row, taken, stated)
    return found


def _clearest(track: Track, stated: Ints) -> tuple[int, int] | None:
    """The step (row of its first sample) that most clearly took more frames than ``stated`` (n - 1,), and their number."""
    inner = np.lib.stride_tricks.sliding_window_view(stated, 2 * SIDE - 1)
    asked = np.flatnonzero((inner.max(axis=1) < MOST_FRAMES) & _even(track))
    if len(asked) == 0:
        return None
    places = track.centre_px[asked[:, None] + np.arange(2 * SIDE)]
    square = np.median(track.sigma_px[asked[:, None] + np.arange(2 * SIDE)], axis=1) ** 2
    left = np.empty((len(asked), MOST_FRAMES))
    spacings, which = np.unique(inner[asked], axis=0, return_inverse=True)
    for k, spacing in enumerate(spacings.tolist()):
        # Ravelled: numpy 2.0 alone gives it a second axis.
        own = which.ravel() == k
        for frames in range(1, MOST_FRAMES + 1):
            makes = _residual_maker((*spacing[: SIDE - 1], frames, *spacing[SIDE:]))
            left[own, frames - 1] = np.sum((makes @ places[own]) ** 2, axis=(1, 2))
    middle = inner[asked, SIDE - 1]
    stays = left[np.arange(len(asked)), middle - 1]
    left[np.arange(MOST_FRAMES) < middle[:, None] - 1] = np.inf
    best = np.argmin(left, axis=1)
    least = left[np.arange(len(asked)), best]
    gain = (stays - least) / np.maximum(least / FREEDOM, square)
    step = np.sum((places[:, SIDE] - places[:, SIDE - 1]) ** 2, axis=1)
    told = (gain > CLEARLY) & (stays > MUCH_BETTER * least) & (step > LEAST_STEP_SIGMAS**2 * square)
    told &= least < FREEDOM * np.maximum(MOST_LEFT * square, LITTLE_LEFT**2 * step)
    if not told.any():
        return None
    clearest = int(np.argmax(np.where(told, gain, -np.inf)))
    return int(asked[clearest]) + SIDE - 1, int(best[clearest]) + 1


def _even(track: Track) -> Bools:
    """(m,) whether the stamps of each window of samples are as even as their frames."""
    pace = np.diff(track.t) / np.diff(track.frame)
    off = np.abs(np.lib.stride_tricks.sliding_window_view(pace, 2 * SIDE - 1) / np.median(pace) - 1.0)
    return np.asarray(np.max(off, axis=1) < EVEN)


@lru_cache(maxsize=MOST_SPACINGS)
def _residual_maker(steps: tuple[int, ...]) -> Floats:
    """(2 SIDE, 2 SIDE): from samples so many frames apart to what a cubic leaves of them."""
    t = np.append(0.0, np.cumsum(steps))
    basis = np.linalg.qr(np.vander(2.0 * t / t[-1] - 1.0, 4))[0]
    return np.asarray(np.eye(len(t)) - basis @ basis.T)


def _moved(track: Track, slips: dict[int, int], interval: float) -> Track:
    late = sum((frames * (track.frame < frame).astype(float) for frame, frames in slips.items()), np.zeros(len(track)))
    return replace(track, t=track.t - interval * late)
