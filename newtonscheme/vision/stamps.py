"""The time stamps of a stream's packets as times of its frames: put in order, filled and repaired where they are broken.

A stamp is an integer count of the stream's time base. Frames are numbered by *rank*, their place among the shown frames in display order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..types import Bools, Floats, Ints, Notice, TimeSource

NO_STAMP = int(np.iinfo(np.int64).min)

# No film lasts 11 days: stamps (s) further than this from the median are flipped bits. Within it, doubles resolve every tick.
LONGEST_FILM = 1e6

# Share of the gaps that must be equal before broken stamps are replaced by an even count at that gap.
EVEN_SHARE = 0.8
EVEN_GAP = 0.1

# Rates of film worth analysing; 1000 and above is what a broken time table gives (one tick of a millisecond per frame).
SLOWEST_FPS = 1.0
FASTEST_FPS = 1000.0

# FFmpeg's own assumption for a stream that says nothing about its rate.
FALLBACK_FPS = 25.0

# Formats in which the stamps are a frame count at one rate of the header, not times that a camera wrote.
COUNTED_FORMATS = frozenset({"avi", "yuv4mpegpipe", "dv"})

# Bare streams without a container: nobody wrote a clock, stamps are counted at a rate that FFmpeg assumes or the coded stream mentions.
CLOCKLESS_FORMATS = frozenset({"h264", "hevc", "mjpeg", "obu", "m4v", "mpegvideo"})


@dataclass(frozen=True, slots=True)
class Packets:
    """The stamps of all packets of a video stream, in decoding order.

    ``pts`` and ``dts`` (p,) are presentation and decoding stamps in ticks (``NO_STAMP``: none); ``shown`` (p,) is False for packets that an edit
    list hides; ``key`` (p,) marks those at which decoding can start.
    """

    pts: Ints
    dts: Ints
    shown: Bools
    key: Bools

    def __len__(self) -> int:
        return len(self.pts)


@dataclass(frozen=True, slots=True)
class Stamps:
    """Stamps by rank in s from the first, how they were come by, and the tick they are counted in."""

    seconds: Floats
    rank: Ints | None
    tick: float
    source: TimeSource
    notices: tuple[Notice, ...]


def read_stamps(packets: Packets, tick: float, rate: float | None, container: str) -> Stamps:
    """The stamps as strictly increasing times by rank, with notices on what had to be repaired.

    Args:
        packets: the stream's packets; at least one is shown.
        tick: seconds in one tick.
        rate: the container's frame rate (1/s), None where it has none.
        container: the demuxer's name.
    """
    tamed = replace(packets, pts=_tamed(packets.pts, tick), dts=_tamed(packets.dts, tick))
    stamps = _read_ordered(tamed, tick, rate, container)
    if np.any(np.diff(stamps.seconds) <= 0):
        return _counted(len(stamps.seconds), rate, container)
    return stamps


def typical_gap(gaps: Floats, tick: float) -> float:
    """The mean of the gaps that differ from the median by rounding or jitter alone; 0 where there is none."""
    if not len(gaps):
        return 0.0
    gap = float(np.median(gaps))
    near = np.abs(gaps - gap) <= tick + EVEN_GAP * gap
    return float(np.mean(gaps[near])) if near.any() else gap


def _tamed(ticks: Ints, tick: float) -> Ints:
    known = ticks != NO_STAMP
    if not known.any():
        return ticks
    distance = np.abs(ticks.astype(np.float64) - float(np.median(ticks[known].astype(np.float64))))
    return np.where(known & (distance * tick > LONGEST_FILM), NO_STAMP, ticks)


def _read_ordered(packets: Packets, tick: float, rate: float | None, container: str) -> Stamps:
    """The stamps as times by rank; AVI keeps none for pictures that are coded out of order, so those are counted as they come out."""
    shown = packets.shown & ~_second_fields(packets)
    pts, dts = packets.pts[shown], packets.dts[shown]
    unstamped = pts == NO_STAMP
    source: TimeSource = "container_rate" if container in COUNTED_FORMATS else "timestamps"
    if container in CLOCKLESS_FORMATS:
        return _counted(len(pts), rate, container)
    step = typical_gap(_gaps(np.unique(dts[dts != NO_STAMP])), 1.0)
    if container == "avi" and step > 0 and np.any(pts != dts):
        return Stamps(_count(len(pts), step * tick), None, tick, source, ())
    if unstamped.all():
        if np.all(dts != NO_STAMP) and np.all(np.diff(dts) > 0):
            return Stamps((dts - dts[0]) * tick, None, tick, source, ())
        return _counted(len(pts), rate, container)
    notices: list[Notice] = []
    pts, resets = _join_resets(pts, dts)
    if resets:
        message = f"time stamps jump back {resets} time(s); joined at the median gap; give --fps if the rate is known"
        notices.append(Notice("clock_not_monotone", message))
    if unstamped.any():
        message = f"{unstamped.sum()} of {len(pts)} frames carry no usable time stamp; placed between their neighbours; check with --fps"
        notices.append(Notice("clock_missing", message))
        pts = _fill(pts, unstamped)
    order = np.argsort(pts, kind="stable")
    ticks = pts[order] - pts[order[0]]
    if len(ticks) > 1 and ticks[-1] == 0:
        counted = _counted(len(pts), rate, container)
        return Stamps(counted.seconds, None, counted.tick, counted.source, (_equal_stamps(len(pts), counted),))
    if np.any(np.diff(ticks) == 0):
        repeated = int(np.sum(np.diff(ticks) == 0))
        message = f"{repeated} of {len(pts)} time stamps repeat an earlier one; replaced by a count; give --fps if the rate is known"
        notices.append(Notice("clock_not_monotone", message))
        return Stamps(_untangle(ticks, dts) * tick, None, tick, "container_rate", tuple(notices))
    rank = None if unstamped.any() else _ranks(shown, order)
    return Stamps(ticks * tick, rank, tick, source, tuple(notices))


def _second_fields(packets: Packets) -> Bools:
    """Packets that hold the second half-picture of a frame: every other packet without a stamp, in field-coded H.264."""
    unstamped = packets.shown & (packets.pts == NO_STAMP)
    paired = len(packets) > 2 and not unstamped[::2].any() and bool(unstamped[1::2].all())
    return unstamped if paired else np.zeros(len(packets), dtype=bool)


def _counted(n: int, rate: float | None, container: str) -> Stamps:
    plausible = rate is not None and SLOWEST_FPS <= rate < FASTEST_FPS
    fps = float(rate) if plausible and rate is not None else FALLBACK_FPS
    message = f"the {container} stream has no clock; its frames are counted at {fps:g} fps; give the true rate with --fps"
    return Stamps(_count(n, 1 / fps), None, 0.0, "container_rate", (Notice("clock_invented", message),))


def _equal_stamps(n: int, counted: Stamps) -> Notice:
    fps = 1.0 / counted.seconds[1]
    return Notice("clock_missing", f"all {n} frames carry the same time stamp; counted at {fps:g} fps instead; give the true rate with --fps")


def _join_resets(pts: Ints, dts: Ints) -> tuple[Ints, int]:
    """Stamps in which every jump back of the decoding clock is closed by one median step (joined recordings start anew)."""
    known = np.flatnonzero(dts != NO_STAMP)
    steps = np.diff(dts[known])
    back = np.flatnonzero(steps < 0)
    if not len(back):
        return pts, 0
    step = int(np.median(steps[steps > 0])) if np.any(steps > 0) else 1
    shift = np.zeros(len(pts), dtype=np.int64)
    for at in back:
        shift[known[at + 1] :] += step - int(steps[at])
    return np.where(pts == NO_STAMP, NO_STAMP, pts + shift), len(back)


def _fill(pts: Ints, unstamped: Bools) -> Ints:
    """Stamps with the missing ones put on straight lines between their neighbours, and at the median gap before and after."""
    known = np.flatnonzero(~unstamped)
    gap = typical_gap(_gaps(np.unique(pts[known])), 1.0) or 1.0
    filled = np.interp(np.arange(len(pts)), known, pts[known])
    before, after = np.arange(known[0]), np.arange(known[-1] + 1, len(pts))
    filled[before] = pts[known[0]] - (known[0] - before) * gap
    filled[after] = pts[known[-1]] + (after - known[-1]) * gap
    return np.where(unstamped, np.rint(filled), pts).astype(np.int64)


def _untangle(ticks: Ints, dts: Ints) -> Floats:
    """Strictly increasing stamps from sorted ones with repeats: an even count where decoding stamps or most gaps are even, else spread out."""
    gaps = np.diff(ticks)
    for steps in (_gaps(dts[dts != NO_STAMP]), _gaps(np.unique(ticks))):
        gap = float(np.median(steps)) if len(steps) else 0.0
        if gap > 0 and np.mean(np.abs(steps - gap) <= EVEN_GAP * gap) >= EVEN_SHARE:
            return _count(len(ticks), gap)
    gap = typical_gap(_gaps(np.unique(ticks)), 1.0)
    first = np.concatenate([[0], np.flatnonzero(gaps > 0) + 1])
    anchors = np.append(ticks[first].astype(float), ticks[-1] + gap)
    return np.asarray(np.interp(np.arange(len(ticks)), np.append(first, len(ticks)), anchors), dtype=np.float64)


def _ranks(shown: Bools, order: Ints) -> Ints:
    rank = np.full(len(shown), -1, dtype=np.int64)
    rank[np.flatnonzero(shown)[order]] = np.arange(len(order))
    return rank


def _count(n: int, gap: float) -> Floats:
    return np.asarray(np.arange(n) * gap, dtype=np.float64)


def _gaps(ticks: Ints) -> Floats:
    return np.diff(ticks).astype(np.float64)
