"""The clock of a video: what its time stamps say, whether they can be believed, and the times that follow.

Only the packets' stamps are judged here, never a picture. Frames are numbered by *rank*, their place among the shown frames in display
order; the clock gives each rank a time in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..types import Floats, Ints, Notice, TimeSource
from .stamps import FASTEST_FPS, SLOWEST_FPS, Packets, Stamps, read_stamps, typical_gap

# A gap this many times the median is a hole: a camera that drops single frames stays below it, a paused recording does not.
HOLE_RATIO = 3.0

# Holes of up to this many whole gaps are lost frames; longer ones are a pause, in which nobody can say how many are missing.
LONGEST_LOSS = 10

# Above this share of gaps with something missing, the camera ran at a varying rate rather than losing frames.
LOSS_SHARE = 0.3

# A gap further than this from the median makes a rate "variable": phone cameras jitter by 0.3 % at a constant rate.
VARIABLE_GAP = 0.1

# Stamps that were rounded to the container's tick stay within half a tick of an even grid, a little more where the
# encoder truncated twice.
ROUNDING_TICKS = 0.6

# Relative error of a double after some arithmetic on hours of stamps.
EXACT = 1e-9

# With ticks coarser than this share of the gap, rounding could not be told from a true change of rate.
COARSEST_TICK = 0.35

# Uneven stamps in ticks coarser than this share of the gap carry a timing error that shows in every fit.
COARSE_TICK = 0.1

# Phones write their nominal rate into every film and drop to half of it in poor light; slow motion is stored 4 times slower
# or more. Between the two nobody can tell.
SLOW_MOTION_RATIO = 3.0
SAME_RATE_RATIO = 1.5


@dataclass(frozen=True, slots=True)
class Clock:
    """The time of every frame: ``times`` (n,) in s by rank, from the first shown frame, strictly increasing.

    ``rank`` (p,) gives the rank of each packet's frame, -1 where it shows none; None where packets cannot be told apart by their
    stamps and frames are numbered in the order in which the decoder puts them out. ``missing`` (n,) counts the frames just before
    each for which the stamps leave room but the file has no packet.
    """

    times: Floats
    rank: Ints | None
    source: TimeSource
    notices: tuple[Notice, ...]
    missing: Ints

    @property
    def fps(self) -> float:
        """Median rate (1/s); 0 for a single frame."""
        return 1.0 / self.gap if len(self.times) > 1 else 0.0

    @property
    def gap(self) -> float:
        """Median time between frames (s); 0 for a single frame."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 0.0

    def time(self, rank: int) -> float:
        """Time of a rank in s; ranks past the last packet go on at the median gap."""
        if rank < len(self.times):
            return float(self.times[rank])
        last = len(self.times) - 1
        return float(self.times[last]) + (rank - last) * self.gap


@dataclass(frozen=True, slots=True)
class _Grid:
    """An even grid behind the stamps: frame number by rank and the step in s."""

    number: Ints
    step: float


def audit_clock(
    packets: Packets,
    *,
    time_base: Fraction,
    rate: float | None,
    container: str,
    rate_missing: bool = False,
    fps: float | None = None,
    capture_fps: float | None = None,
) -> Clock:
    """The clock of a stream, repaired where it is broken, with a notice for everything about it that is doubtful.

    Args:
        packets: the stream's packets; at least one is shown.
        time_base: seconds in one tick.
        rate: the container's frame rate (1/s), None where it has none.
        container: the demuxer's name.
        rate_missing: the container's header carries no rate, so that the reader made one up.
        fps: true frame rate by the user's word; rescales the clock.
        capture_fps: frame rate at which the camera says it filmed.
    """
    stamps = read_stamps(packets, float(time_base), rate, container)
    grid = _even_grid(stamps, rate)
    times = stamps.seconds if grid is None or grid.step == 0.0 else np.asarray(grid.number * grid.step, dtype=np.float64)
    notices = list(stamps.notices)
    slowed = _capture_notice(times, capture_fps) if fps is None else None
    if slowed is not None:
        notices.append(slowed)
    rescaled = fps if fps is not None else capture_fps if slowed is not None and slowed.code == "capture_fps" else None
    if rescaled is not None:
        times = _rescale(times, grid, rescaled)
    if fps is None:
        notices.extend(_doubts(times, stamps, grid, container, rate_missing))
    else:
        notices = [notice for notice in notices if notice.code not in ("clock_missing", "clock_invented")]
    missing = _missing_frames(grid, len(times))
    notices.extend(_unevenness(times, bool(missing.any())))
    source = "fps_option" if fps is not None else stamps.source
    return Clock(times=times, rank=stamps.rank, source=source, notices=tuple(notices), missing=missing)


def _even_grid(stamps: Stamps, rate: float | None) -> _Grid | None:
    """The even grid that the stamps lie on once the container's rounding is allowed for, with holes where frames are missing.

    Its step is the container's rate where that fits the stamps, else fitted; 0 where the stamps lie on a grid exactly and need no correction.
    """
    t = stamps.seconds
    if len(t) < 3:
        return None
    gaps = np.diff(t)
    gap = typical_gap(gaps, stamps.tick)
    number = np.concatenate([[0], np.cumsum(np.maximum(np.rint(gaps / gap), 1))]).astype(np.int64)
    centred = number - number.mean()
    fitted = float(centred @ t / (centred @ centred))
    if np.ptp(t - number * fitted) <= EXACT * max(1.0, float(t[-1])):
        return _Grid(number, 0.0)
    tick = _common_tick(gaps, stamps.tick)
    if tick > COARSEST_TICK * gap:
        return None
    for step in (1.0 / rate if rate else fitted, fitted):
        if np.ptp(t - number * step) <= 2 * ROUNDING_TICKS * tick:
            return _Grid(number, step)
    return None


def _common_tick(gaps: Floats, tick: float) -> float:
    """The tick (s) that the stamps were rounded to: often coarser than the time base (milliseconds in ticks of 1/16000 s)."""
    if tick == 0.0:
        return 0.0
    return float(np.gcd.reduce(np.rint(gaps / tick).astype(np.int64))) * tick


def _rescale(times: Floats, grid: _Grid | None, fps: float) -> Floats:
    if len(times) < 2:
        return times
    if grid is not None:
        return np.asarray(grid.number / fps, dtype=np.float64)
    return times / (fps * float(np.median(np.diff(times))))


def _capture_notice(times: Floats, capture_fps: float | None) -> Notice | None:
    """What to say of the camera's own word on the rate; code ``capture_fps`` means that it is to be followed."""
    if capture_fps is None or len(times) < 2:
        return None
    stored = 1.0 / float(np.median(np.diff(times)))
    ratio = max(capture_fps / stored, stored / capture_fps)
    if ratio >= SLOW_MOTION_RATIO:
        message = f"filmed at {capture_fps:g} fps by the file's own tag, stored at {stored:.4g}; times follow the tag; --fps {stored:.4g} undoes it"
        return Notice("capture_fps", message)
    if ratio >= SAME_RATE_RATIO:
        message = f"the file's tag says {capture_fps:g} fps, its time stamps {stored:.4g}; the stamps are used; give --fps if it is slow motion"
        return Notice("capture_fps_unclear", message)
    return None


def _doubts(times: Floats, stamps: Stamps, grid: _Grid | None, container: str, rate_missing: bool) -> list[Notice]:
    """Notices on a rate that cannot be right or is known only roughly."""
    if len(times) < 2:
        return []
    gap = float(np.median(np.diff(times)))
    notices = []
    if rate_missing:
        message = f"the header gives no frame rate; {1 / gap:.4g} fps is made up; give the true rate with --fps"
        notices.append(Notice("clock_implausible", message))
    elif not SLOWEST_FPS <= round(1 / gap, 6) < FASTEST_FPS:
        message = f"the clock says {1 / gap:.6g} fps; expected {SLOWEST_FPS:g} to {FASTEST_FPS:g}; give the true rate with --fps"
        notices.append(Notice("clock_implausible", message))
    stored = float(np.median(np.diff(stamps.seconds)))
    if container == "gif" or (grid is None and stamps.tick > COARSE_TICK * stored):
        steps = f"steps of {1e3 * stamps.tick:.3g} ms, with frames {1e3 * stored:.3g} ms apart"
        message = f"time stamps count in {steps}; give --fps if the rate is known"
        notices.append(Notice("clock_coarse", message))
    return notices


def _missing_frames(grid: _Grid | None, n: int) -> Ints:
    """(n,) how many frames the grid has room for before each and the file lacks, where that is a loss and not a varying rate."""
    missing = np.zeros(n, dtype=np.int64)
    if grid is not None:
        steps = np.diff(grid.number)
        lost = (steps > 1) & (steps <= LONGEST_LOSS)
        if lost.mean() <= LOSS_SHARE:
            missing[1:] = np.where(lost, steps - 1, 0)
    return missing


def _unevenness(times: Floats, losses: bool) -> list[Notice]:
    """Notices on holes and on a varying rate."""
    gaps = np.diff(times)
    if len(gaps) < 2:
        return []
    gap = float(np.median(gaps))
    notices = []
    holes = np.flatnonzero(gaps > HOLE_RATIO * np.maximum(gap, _local_gap(gaps)) * (1 + 1e-9))
    if len(holes):
        worst = holes[np.argmax(gaps[holes])]
        longest = f"the longest {gaps[worst]:.3g} s before frame {worst + 1} (median gap {gap:.3g} s)"
        notices.append(Notice("clock_gap", f"{len(holes)} hole(s) in the time stamps, {longest}; motion may not be continuous there"))
    steady = np.delete(gaps, holes)
    uneven = bool(np.any(np.abs(steady - gap) > VARIABLE_GAP * gap))
    if uneven and not losses:
        low, high = 1 / steady.max(), 1 / steady.min()
        notices.append(Notice("clock_variable", f"the frame rate varies between {low:.3g} and {high:.3g} fps; the time stamps are used as they are"))
    return notices


def _local_gap(gaps: Floats) -> Floats:
    """The larger of the two neighbouring gaps of each gap: a rate that has changed for good is no hole."""
    padded = np.concatenate([[0.0], gaps, [0.0]])
    return np.maximum(padded[:-2], padded[2:])
