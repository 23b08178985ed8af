"""How well found tracks lie on what was drawn: precision, recall, false tracks, error, and how true the stated sigmas are.

A sample is right where it is within reach of a ball: the ball's radius, and 3 px at least. Everything is a count or a sum, so that clips add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..types import Bools, Floats, Ints

LEAST_REACH_PX = 3.0
"""A detector of balls of 3 px is not wrong for a pixel."""
FALSE_SHARE = 0.5
"""Of a track's samples on no ball, from which the track is false."""
CONFIDENCE_TAIL = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTrack:
    """What a tracker found: ``frame`` (n,) increasing, ``centre_px`` (n, 2) and, where it states one, ``covariance_px`` (n, 2, 2)."""

    frame: Ints
    centre_px: Floats
    covariance_px: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueBall:
    """A ball in every frame of a clip: ``centre_px`` (f, 2), ``radius_px`` (f,), and whether half of its disc or more is seen (f,)."""

    centre_px: Floats
    radius_px: Floats
    visible: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Counts and sums of one tracker on some clips.

    ``samples`` and those ``right``; frames in which a ball is ``visible`` and in which it is ``found``; ``tracks`` and those ``false``, which
    find and measure nothing where they cross a ball;
    ``led_astray`` counts clips whose first track is false, ``blind`` those without any. ``squared_px2`` is the sum over ``measured``
    samples of the squared distance, ``normalised`` the sum over ``stated`` coordinates of (error / sigma)^2.
    """

    clips: int
    samples: int
    right: int
    visible: int
    found: int
    tracks: int
    false: int
    led_astray: int
    blind: int
    squared_px2: float
    measured: int
    normalised: float
    stated: int
    frames: int
    cpu_s: float


def judge_tracks(tracks: Sequence[FoundTrack], balls: Sequence[TrueBall], *, cpu_s: float = 0.0) -> Marks:
    """The marks of one clip; ``tracks`` are in the tracker's own order, the best first."""
    frames = len(balls[0].visible)
    found = np.zeros((len(balls), frames), dtype=bool)
    right, squared, measured, normalised, stated = 0, 0.0, 0, 0.0, 0
    off: list[bool] = []
    for track in tracks:
        apart = np.stack([track.centre_px - ball.centre_px[track.frame] for ball in balls])
        distance = np.linalg.norm(apart, axis=2)
        near = distance <= np.stack([np.maximum(ball.radius_px[track.frame], LEAST_REACH_PX) for ball in balls])
        which = np.argmin(np.where(near, distance, np.inf), axis=0)
        hit = np.any(near, axis=0)
        off.append(bool(np.mean(hit) < FALSE_SHARE))
        right += int(np.sum(hit))
        if off[-1]:
            continue
        found[which[hit], track.frame[hit]] = True
        rows = np.flatnonzero(hit & np.stack([ball.visible[track.frame] for ball in balls])[which, np.arange(len(which))])
        error = apart[which[rows], rows]
        squared += float(np.sum(error**2))
        measured += len(rows)
        if track.covariance_px is not None:
            normalised += float(np.einsum("ni,nij,nj->", error, np.linalg.inv(track.covariance_px[rows]), error))
            stated += 2 * len(rows)
    seen = np.stack([ball.visible for ball in balls])
    return Marks(
        clips=1, samples=sum(len(track.frame) for track in tracks), right=right, visible=int(np.sum(seen)), found=int(np.sum(found & seen)),
        tracks=len(tracks), false=sum(off), led_astray=int(bool(off) and off[0]), blind=int(not off), squared_px2=squared, measured=measured,
        normalised=normalised, stated=stated, frames=frames, cpu_s=cpu_s,
    )  # fmt: skip


def add_marks(marks: Iterable[Marks]) -> Marks:
    """The marks of all clips together."""
    rows = [asdict(each) for each in marks]
    return Marks(**{name: sum(row[name] for row in rows) for name in rows[0]})


def describe_marks(clips: Sequence[Marks]) -> Mapping[str, Any]:
    """What the counts of some clips mean; None where there was nothing to take a share of.

    ``rms_px`` is that of the distance between the right samples in frames where the ball is visible and the truth, ``sigma_ratio`` the
    root mean square of coordinates' errors in stated sigmas (1: honest), both over all clips' samples; ``median_*`` are the medians of the
    clips' own. ``fps`` are frames for each second of one core.
    """
    marks = add_marks(clips)
    return {
        "clips": marks.clips,
        "precision": _share(marks.right, marks.samples),
        "recall": _share(marks.found, marks.visible),
        "false_tracks": marks.false,
        "tracks": marks.tracks,
        "led_astray": marks.led_astray,
        "blind": marks.blind,
        "rms_px": _root_mean(marks.squared_px2, marks.measured),
        "median_rms_px": _median([_root_mean(clip.squared_px2, clip.measured) for clip in clips]),
        "sigma_ratio": _root_mean(marks.normalised, marks.stated),
        "median_sigma_ratio": _median([_root_mean(clip.normalised, clip.stated) for clip in clips]),
        "fps": _share(marks.frames, marks.cpu_s),
    }


def share_interval(count: int, n: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share (Clopper and Pearson 1934)."""
    from scipy.stats import beta

    low = float(beta.ppf(CONFIDENCE_TAIL, count, n - count + 1)) if count else 0.0
    return low, float(beta.ppf(1.0 - CONFIDENCE_TAIL, count + 1, n - count)) if count < n else 1.0


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _root_mean(total: float, count: int) -> float | None:
    return (total / count) ** 0.5 if count else None


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None
