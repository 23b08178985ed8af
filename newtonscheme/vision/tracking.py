"""What moves in a video, found without a click and without a colour: ranked sub-pixel tracks.

One pass over the frames, stretch by stretch: background, candidates in every frame, links between them, and discs fitted to the best
paths while the stretch's pixels are still in memory. Nothing but candidates and fitted samples outlives its stretch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..types import Bools, Floats, Notice, Progress, Track, Tracking
from .appearance import Patch, describe_appearance
from .detection import Candidate, find_candidates
from .footage import Stretch
from .linking import MIN_SAMPLES, Linker, Path
from .measurement import Samples, measure_samples
from .ranking import smoothness_of, typical_error

if TYPE_CHECKING:
    from .video import VideoReader

REFINED_PATHS, REFINED_SHARE = 8, 0.02
"""Paths of a stretch that discs are fitted to, best first, while they look at least this much as good as the best."""
SAME_SHARE = 0.5
"""Paths that lie on each other in this share of the shorter one's frames are one object."""
MIN_TRACK = 5
"""Samples of the shortest track: four parameters of a free fall's picture need more than four."""
MIN_SMOOTHNESS = 0.01
"""Paths below this are noise, flicker and things that tremble in place."""
PATCHES = 6
"""Samples whose colours make the appearance."""


@dataclass(slots=True)
class _Measured:
    """One sample of the clip: the frame's row, and what was fitted there."""

    frame: int
    t: float
    centre: Floats
    covariance: Floats
    radius: float
    radius_sigma: float
    explained: float
    contrast: float
    streak: Floats
    fitted: bool


class _Memory:
    """What outlives a stretch: candidates and times of all frames, fitted samples by (row, candidate), colour patches by row."""

    def __init__(self) -> None:
        self.candidates: list[list[Candidate]] = []
        self.index: list[int] = []
        self.t: list[float] = []
        self.fitted: dict[tuple[int, int], _Measured] = {}
        self.patches: dict[tuple[int, int], Patch] = {}
        self.stride = 1


def track_objects(
    reader: VideoReader, *, roi: tuple[int, int, int, int] | None = None, progress: Progress | None = None, max_tracks: int = 8
) -> Tracking:
    """Tracks of everything that moves like one body, the smoothest first; an empty tuple when nothing does.

    ``roi`` is (left, top, width, height) in pixels. Decodes the video once; memory does not grow with its length.
    """
    memory = _Memory()
    stretch = Stretch(reader.width_px, reader.height_px)
    memory.stride = stretch.stride
    linker = Linker(reader.width_px, reader.height_px, stretch.stride)
    done = 0
    for frame in reader.frames():
        if stretch.full or stretch.starts_anew(frame):
            _digest(stretch, linker, memory, roi)
            stretch = Stretch(reader.width_px, reader.height_px)
        stretch.append(frame)
        done += 1
        if progress is not None and done % 16 == 0:
            progress("tracking", done, None)
    if len(stretch):
        _digest(stretch, linker, memory, roi)
    if progress is not None:
        progress("tracking", done, done)
    video, notices = reader.summary()
    tracks = _rank(linker.paths(), memory, max_tracks)
    return Tracking(video=video, tracks=tuple(tracks), notices=tuple(notices) + _own_notices())


def _own_notices() -> tuple[Notice, ...]:
    return ()


def _digest(stretch: Stretch, linker: Linker, memory: _Memory, roi: tuple[int, int, int, int] | None) -> None:
    """Find, link and measure what moves in one stretch, then let its pixels go."""
    background = stretch.finish()
    first = len(memory.index)
    interval = float(np.median(np.diff(stretch.t))) if len(stretch) > 1 else 1.0
    for k in range(len(stretch)):
        found = find_candidates(stretch.luma[k], stretch.chroma[k] if stretch.chroma else None, background, stretch.stride, roi)
        before = memory.t[-1] if memory.t else stretch.t[k] - interval
        linker.step(found, max((stretch.t[k] - before) / interval, 0.5))
        memory.candidates.append(found)
        memory.index.append(stretch.index[k])
        memory.t.append(stretch.t[k])
    paths = [replace(p, rows=[r for r in p.rows if r[0] >= first]) for p in linker.paths()]
    paths = [p for p in paths if len(p.rows) >= MIN_SAMPLES]
    scores = {id(p): _coarse_score(p, memory) for p in paths}
    best = max(scores.values(), default=0.0)
    worth = [p for p in sorted(paths, key=lambda p: -scores[id(p)]) if scores[id(p)] > REFINED_SHARE * best]
    for path in _distinct(worth, memory)[:REFINED_PATHS]:
        _measure(stretch, path, memory, first)


def _coarse_score(path: Path, memory: _Memory) -> float:
    chosen = [memory.candidates[a][b] for a, b in path.rows]
    t = np.array([memory.t[a] for a, _ in path.rows])
    place = np.array([(c.u, c.v) for c in chosen])
    radius = np.array([c.radius for c in chosen])
    shape = float(np.median([c.fill / c.elongation**0.25 for c in chosen]))
    contrast = float(np.median([np.hypot(c.departure[0], np.hypot(c.departure[1], c.departure[2])) for c in chosen]))
    seen = len(path.rows) / (path.rows[-1][0] - path.rows[0][0] + 1)
    return smoothness_of(t, place, radius, shape, contrast, 0.5 * memory.stride, seen)


def _distinct(paths: list[Path], memory: _Memory) -> list[Path]:
    """Of paths that run on top of each other the first."""
    kept: list[Path] = []
    places: list[dict[int, Candidate]] = []
    for path in paths:
        own = {a: memory.candidates[a][b] for a, b in path.rows}
        if all(_overlap(own, other) < SAME_SHARE for other in places):
            kept.append(path)
            places.append(own)
        if len(kept) >= 2 * REFINED_PATHS:
            break
    return kept


def _overlap(own: dict[int, Candidate], other: dict[int, Candidate]) -> float:
    common = own.keys() & other.keys()
    near = sum(np.hypot(own[k].u - other[k].u, own[k].v - other[k].v) < max(own[k].radius, other[k].radius) for k in common)
    return float(near) / min(len(own), len(other))


def _measure(stretch: Stretch, path: Path, memory: _Memory, first: int) -> None:
    rows = [a - first for a, _ in path.rows]
    samples = measure_samples(stretch, rows, [memory.candidates[a][b] for a, b in path.rows])
    for n, key in enumerate(path.rows):
        memory.fitted[key] = _sample(samples, n, stretch.index[rows[n]], stretch.t[rows[n]])
    sharpest = [n for n in np.argsort(samples.softness_px + 0.2 * np.hypot(*samples.streak_px.T)) if samples.fitted[n]]
    for n in sharpest[:PATCHES]:
        memory.patches[path.rows[n]] = _patch(stretch, rows[n], samples.centre_px[n], float(samples.radius_px[n]))


def _sample(s: Samples, n: int, frame: int, t: float) -> _Measured:
    return _Measured(
        frame,
        t,
        s.centre_px[n],
        s.covariance_px[n],
        float(s.radius_px[n]),
        float(s.radius_sigma_px[n]),
        float(s.explained[n]),
        float(s.contrast[n]),
        s.streak_px[n],
        bool(s.fitted[n]),
    )


def _patch(stretch: Stretch, k: int, centre: Floats, radius: float) -> Patch:
    thin = max(1, int(radius // 16))
    side = int(np.ceil(2 * radius / thin)) + 4
    left, top = (int(round(x - thin * (side - 1) / 2)) for x in centre)
    planes = [stretch.window(k, left, top, side * thin, c)[::thin, ::thin] for c in range(3 if stretch.chroma else 1)]
    return Patch(np.stack(planes, axis=-1), (float(centre[0] - left) / thin, float(centre[1] - top) / thin), radius / thin)


def _rank(paths: list[Path], memory: _Memory, max_tracks: int) -> list[Track]:
    tracks = [track for path in _distinct(sorted(paths, key=lambda p: -_coarse_score(p, memory)), memory) if (track := _track(path, memory)) is not None]
    return sorted(tracks, key=lambda track: -track.smoothness)[:max_tracks]


def _track(path: Path, memory: _Memory) -> Track | None:
    samples = [memory.fitted.get(key) or _coarse(key, memory) for key in path.rows]
    inner = _core(np.array([s.fitted for s in samples]))
    samples, path = samples[inner], replace(path, rows=path.rows[inner])
    if len(samples) < MIN_TRACK:
        return None
    t = np.array([s.t for s in samples])
    centre = np.array([s.centre for s in samples])
    covariance = np.array([s.covariance for s in samples])
    radius = np.array([s.radius for s in samples])
    explained = np.array([s.explained for s in samples])
    chosen = [memory.candidates[a][b] for a, b in path.rows]
    size = np.where(np.isfinite(radius), radius, [c.radius for c in chosen])
    contrast = float(np.median([np.hypot(c.departure[0], np.hypot(c.departure[1], c.departure[2])) for c in chosen]))
    patches = [memory.patches[key] for key in path.rows if key in memory.patches]
    seen = len(path.rows) / (path.rows[-1][0] - path.rows[0][0] + 1)
    error = float(np.median(np.sqrt(0.5 * np.trace(covariance, axis1=1, axis2=2))))
    smoothness = smoothness_of(t, centre, size, float(np.mean(explained)), contrast, error, seen)
    if smoothness < MIN_SMOOTHNESS:
        return None
    scale, correlation_time = typical_error(t, centre, covariance)
    return Track(
        frame=np.array([s.frame for s in samples]),
        t=t,
        centre_px=centre,
        covariance_px=covariance * scale**2,
        radius_px=radius,
        radius_sigma_px=np.array([s.radius_sigma for s in samples]) * scale,
        score=explained,
        velocity_px=_blur_velocity(t, centre, np.array([s.streak for s in samples])),
        correlation_time=correlation_time,
        appearance=describe_appearance(patches, float(np.median([c.elongation for c in chosen]))) if patches else None,
        smoothness=smoothness,
    )


def _core(fitted: Bools) -> slice:
    """The stretch of samples with the most fitted less unfitted ones; all of them where no disc was believed."""
    best, best_slice, start, total = MIN_TRACK - 1, slice(0, len(fitted)), 0, 0
    for k, good in enumerate(fitted):
        total += 1 if good else -1
        if total <= 0:
            start, total = k + 1, 0
        if total > best:
            best, best_slice = total, slice(start, k + 1)
    return best_slice


def _coarse(key: tuple[int, int], memory: _Memory) -> _Measured:
    """A candidate that no disc was fitted to."""
    c = memory.candidates[key[0]][key[1]]
    sigma = 0.2 * c.radius + 0.5 * memory.stride
    return _Measured(memory.index[key[0]], memory.t[key[0]], np.array([c.u, c.v]), sigma**2 * np.eye(2), np.nan, np.nan, 0.0, 0.0, np.zeros(2), False)


def _blur_velocity(t: Floats, centre: Floats, streak: Floats) -> Floats | None:
    """Streaks over the exposure time; that is the share of the frame time for which streaks and path agree best over the whole track."""
    clear = np.hypot(streak[:, 0], streak[:, 1]) > 0
    if clear.sum() < 3:
        return None
    velocity = np.gradient(centre, t, axis=0)
    exposure = float(np.median(np.hypot(*streak[clear].T) / np.maximum(np.hypot(*velocity[clear].T), 1e-9)))
    return np.where(clear[:, None], streak / exposure, np.nan) if exposure > 0 else None
