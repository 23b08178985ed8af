"""Tracked coordinates from files: our own CSV, tables of t, x, y, Tracker's text and .trk, TrackNet, trackpy.

What is read becomes a `Track` in image convention, whatever the file's own was:

- ``px``: display pixels, v down, the centre of the first pixel at (0, 0).
- ``m``: a picture of one pixel for each metre, so ``centre_px`` = (x, -y) with the table's y up.
- ``deg``, ``rad``: a bob one pixel below its pivot at (0, 0), so ``centre_px`` = (sin theta, cos theta).

Nothing is guessed in silence: a column, unit or clock that is not told is an error that says which option tells it.
"""

from __future__ import annotations

import math
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

import numpy as np

from ..errors import LimitReached, NothingTrackable, UnreadableInput, UsageError
from ..notation import printable
from ..types import Floats, Ints, Notice, Track
from .series import Series
from .table import read_table
from .tracker import read_project

Unit = Literal["px", "m", "deg", "rad"]
UNITS: tuple[Unit, ...] = ("px", "m", "deg", "rad")

MAX_BYTES = 32 << 20
"""An hour at 120 frames a second with a dozen columns is about this much."""
MIN_POINTS = 3
"""Two points are on every path."""
LARGEST_VALUE = 1e9
"""Beyond any picture and any drop; squares of it are still exact enough."""
NOISE_WINDOW = 5
"""Five samples are the fewest that a cubic does not pass through: their mismatch is noise, not motion."""
NORMAL_MAD = 1.4826
"""Sigma of a normal distribution over its median absolute deviation."""
FLOOR_PX = 0.05
"""No tracker places a real object's centre better: what is smoother was computed, rounded or filtered."""
FLOOR_SHARE = 1e-4
"""Floor of a table in metres or of angles, as a share of the track's extent: a ruler across the scene is not read better."""
UNSEEN_ERROR = 1.0
"""Size of the slow errors of a table that states no sigma, in sigmas: neighbours tell only the fast part, and hands, lenses and rulers err slowly."""
FULL_SCORE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTrack:
    """A track from a file, the unit that its "pixels" stand for, and what was noticed.

    ``fps`` is the median rate of its samples (1/s); ``size`` the picture's width and height in pixels where the user or the file says
    it (only for ``px``).
    """

    track: Track
    unit: Unit
    fps: float
    size: tuple[int, int] | None
    notices: tuple[Notice, ...]


def read_track(
    path: str | Path,
    *,
    fps: float | None = None,
    units: str | None = None,
    size: tuple[int, int] | None = None,
    object_index: int | None = None,
    until: float | None = None,
) -> ReadTrack:
    """The track of one object from a file; of several objects or trials the longest, or the one asked for.

    Args:
        path: CSV, TSV or text table, or Tracker's .trk.
        fps: frames for each second: needed where the file has frame numbers and no clock; replaces the clock where it has one.
        units: px, m, deg or rad, where the header does not say.
        size: width and height of the picture that the coordinates are in, in pixels.
        object_index: which object or trial, 0 being the longest.
        until: read no row after this time (s): what is estimated from the rows (noise, frame numbers) then knows nothing later.

    Raises:
        UsageError: units, a clock or an object that the file does not give and no option does, or that both give differently.
        UnreadableInput: no such file, or not a table as told: the message names the file, the line and the column.
        NothingTrackable: fewer than three positions.
        LimitReached: the file is too large.
    """
    name = printable(str(path))
    if units is not None and units not in UNITS:
        raise UsageError(f"--units: found {printable(units)!r}, needed one of {', '.join(UNITS)}")
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise UsageError(f"--fps: found {fps}, needed a rate above 0")
    content = _read_content(Path(path), name)
    is_project = Path(path).suffix.lower() == ".trk" or content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<?xml", b"<object", b"<!DOCTYPE"))
    found = read_project(content, name, units) if is_project else read_table(content, name, units)
    series = _choose_series(found, name, object_index)
    t = _make_clock(series, name, fps)
    if until is not None:
        series, t = _cut(series, t, until)
    track, unit = _make_track(series, name, t)
    notices = (*series.notices, *_note_others(found, series))
    picture = (size or series.size) if unit == "px" else None
    return ReadTrack(track=track, unit=unit, fps=1.0 / float(np.median(np.diff(t))), size=picture, notices=notices)


def _read_content(path: Path, name: str) -> bytes:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "no regular file"
            raise UnreadableInput(f"'{name}': found {kind}, needed a table or a .trk file")
        if found.st_size > MAX_BYTES:
            raise LimitReached(f"'{name}': found {found.st_size} bytes, needed at most {MAX_BYTES}: cut it to the part that matters")
        content = path.read_bytes()
    except UnreadableInput:
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UnreadableInput(f"'{name}': cannot be read: {printable(reason)}") from None
    if content.startswith(b"PK\x03\x04"):
        raise UnreadableInput(f"'{name}': found a zip archive (.trz or a spreadsheet); unpack it and give the .trk, or save the sheet as CSV")
    if not content.strip():
        raise UnreadableInput(f"'{name}': found an empty file, needed a table of tracked coordinates")
    return content


def _choose_series(found: Sequence[Series], name: str, object_index: int | None) -> Series:
    ranked = sorted(found, key=lambda series: -len(series))
    index = object_index or 0
    if not 0 <= index < len(ranked):
        raise UsageError(f"--object-index: found {index}, needed one of the {len(ranked)} objects in '{name}', counted from 0")
    if len(ranked[index]) < MIN_POINTS:
        raise NothingTrackable(f"'{name}': found {len(ranked[index])} positions, needed at least {MIN_POINTS}")
    return ranked[index]


def _note_others(found: Sequence[Series], chosen: Series) -> tuple[Notice, ...]:
    if len(found) == 1:
        return ()
    message = f"{len(found)} objects or trials in the file; using {chosen.label} with {len(chosen)} positions; --object-index chooses another"
    return (Notice("several_objects", message),)


def _make_clock(series: Series, name: str, fps: float | None) -> Floats:
    if fps is None and series.t is None:
        raise UsageError(f"'{name}': found frame numbers and no times, needed --fps")
    if fps is not None and series.frame is not None:
        t = series.frame / fps
    elif series.t is not None:
        t = series.t
        if fps is not None:
            _check_clock(series, name, t)
            t = t / (fps * float(np.median(np.diff(t))))
    _check_clock(series, name, t)
    return t


def _check_clock(series: Series, name: str, t: Floats) -> None:
    late = np.flatnonzero(~(np.diff(t) > 0))
    if len(late):
        row = int(late[0]) + 1
        raise UnreadableInput(f"'{name}', {series.places[row]}: found {t[row]:g} s after {t[row - 1]:g} s, needed times that increase")


def _cut(series: Series, t: Floats, until: float) -> tuple[Series, Floats]:
    """The rows up to a time."""
    n = max(int(np.searchsorted(t, until, side="right")), 2)
    names = ("position", "places", "t", "frame", "radius", "radius_sigma", "sigma", "score")
    kept = {name: value[:n] for name in names if (value := getattr(series, name)) is not None}
    return replace(series, **kept), t[:n]


def _make_track(series: Series, name: str, t: Floats) -> tuple[Track, Unit]:
    centre = _place(series)
    _check_size(series, name)
    n = len(t)
    sigma = np.full(n, _estimate_sigma(t, centre, series.unit)) if series.sigma is None else series.sigma
    radius = np.full(n, np.nan) if series.radius is None else series.radius
    measured = np.isfinite(radius)
    radius_sigma = series.radius_sigma
    if radius_sigma is None:
        radius_sigma = np.full(n, np.nan)
        if np.count_nonzero(measured) >= MIN_POINTS:
            radius_sigma[measured] = _estimate_sigma(t[measured], radius[measured, None], series.unit)
    track = Track(
        frame=_number_frames(series, t), t=t, centre_px=centre, covariance_px=sigma[:, None, None] ** 2 * np.eye(2),
        radius_px=radius, radius_sigma_px=np.where(measured, radius_sigma, np.nan),
        score=np.full(n, FULL_SCORE) if series.score is None else series.score,
        slow_error=UNSEEN_ERROR if series.sigma is None else 0.0,
    )  # fmt: skip
    return track, cast(Unit, series.unit)


def _place(series: Series) -> Floats:
    if series.unit in ("deg", "rad"):
        theta = np.deg2rad(series.position[:, 0]) if series.unit == "deg" else series.position[:, 0]
        return np.column_stack([np.sin(theta), np.cos(theta)])
    return series.position * (1.0, -1.0) if series.unit == "m" else series.position


def _check_size(series: Series, name: str) -> None:
    for label, values in (("position", series.position), ("radius", series.radius)):
        if values is None:
            continue
        large = np.flatnonzero(np.any(np.abs(np.nan_to_num(np.reshape(values, (len(values), -1)))) > LARGEST_VALUE, axis=1))
        if len(large):
            raise UnreadableInput(f"'{name}', {series.places[int(large[0])]}: found a {label} beyond {LARGEST_VALUE:g}, needed one inside a picture")


def _number_frames(series: Series, t: Floats) -> Ints:
    """The file's own frame numbers; else the multiples of the median spacing, where they tell all samples apart; else a count."""
    if series.frame is not None:
        return series.frame.astype(np.int64)
    frame = np.round((t - t[0]) / float(np.median(np.diff(t))))
    return frame.astype(np.int64) if np.all(np.diff(frame) > 0) else np.arange(len(t), dtype=np.int64)


def _estimate_sigma(t: Floats, values: Floats, unit: str) -> float:
    """One sigma for each axis of ``values`` (n, k), from what a cubic through five neighbouring samples leaves, robustly.

    The fourth divided difference vanishes for every cubic, at any spacing; scaled to unit weights it has the noise's own sigma.
    """
    extent = float(np.max(np.ptp(values, axis=0)))
    floor = FLOOR_PX if unit == "px" else max(FLOOR_SHARE * extent, np.finfo(float).tiny)
    if len(t) < NOISE_WINDOW:
        return floor
    windows = np.lib.stride_tricks.sliding_window_view(t, NOISE_WINDOW)
    gaps = windows[:, :, None] - windows[:, None, :] + np.eye(NOISE_WINDOW)
    weights = 1.0 / np.prod(gaps / np.ptp(windows, axis=1)[:, None, None], axis=2)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    left = np.einsum("wi,wki->wk", weights, np.lib.stride_tricks.sliding_window_view(values, NOISE_WINDOW, axis=0))
    moving = np.ptp(values, axis=0) > 0
    sigmas = NORMAL_MAD * np.median(np.abs(left), axis=0)[moving]
    return max(float(np.sqrt(np.mean(sigmas**2))) if len(sigmas) else 0.0, floor)
