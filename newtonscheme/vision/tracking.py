"""What moves in a video, found without a click and without a colour: ranked sub-pixel tracks.

One pass over the frames, stretch by stretch: background, candidates in every frame, links between them, and discs fitted to the best
paths while the stretch's pixels are still in memory. Nothing but candidates and fitted samples outlives its stretch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..types import Bools, Floats, Notice, Progress, Track, Tracking
from .ahead import make_ahead
from .appearance import Patch, describe_appearance
from .circles import find_circle_course
from .detection import find_candidates
from .evidence import Evidence, Sample
from .footage import Stretch
from .linking import Key, Linker, Path
from .ranking import LEAST_COURSE, course_with_rests, off_course, typical_error
from .sampling import forget_slivers, is_known, propose_course, sample_path, shows_discs
from .selection import (
    SAME_SHARE,
    SAME_SIZE,
    completed_path,
    distinct_paths,
    joined_paths,
    score_of,
    share_of_regions,
    smoothest_runs,
    without_strays,
    worth_of,
)  # fmt: skip
from .steadiness import camera_moves

if TYPE_CHECKING:
    from .frame import Film, Picture

FindBoxes = Callable[["Picture"], Floats]
"""(n, 4) left, top, right, bottom of a frame's boxes in its pixels."""
BOX_MARGIN = 0.25
"""Boxes of detectors are good to some pixels, and a ball's edge must be inside."""
REFINED_PATHS, REFINED_SHARE = 6, 0.1
"""Paths of a stretch that discs are fitted to, best first, while they look at least this much as good as the best."""
GLANCED_PATHS, GLANCED_OF_BEST = 16, 0.4
"""Paths further down that a few samples may show to be discs, while they look this much as good as the best: among people's limbs a ball's
path is not one of the smoothest, and where one path stands out nothing else is looked for among pieces of its string."""
MOVING_SHARE = 0.8
"""Share of the frames in which something moves, and no path is a disc in as many, from which a round body is looked for that hardly leaves its
place."""
UNTURNED_WORTH = 0.8
"""Of a run of the linker without turns, beside one that may turn: where both follow an object, the other knows more of it."""
MOST_PATHS = 160
"""Paths of a stretch from each linker that are looked at, those with the best odds: clutter must not cost more than this."""
MIN_TRACK = 5
"""Samples of the shortest track: four parameters of a free fall's picture need more than four."""
MIN_SMOOTHNESS = 0.02
"""Paths below this are noise, flicker and things that tremble in place."""
MOVING_CAMERA = "the camera moves: found a background that shifts as a whole, needed a still one; use a tripod or a stabilised copy"
SYSTEMATIC_RADII = 0.002
"""Error of a disc's centre in radii that no smooth path shows: seams pull it one way and the other."""
SLOW_ERROR = 0.6
"""Sigmas of errors that change over the whole track: 0.4 to 0.8 explain what smooth courses of 60 rendered films' errors show beyond
white noise, and 0.6 what their forecasts miss."""
OFFSET_ERROR = 1.2
"""Sigmas by which all samples may be off alike, besides what their shades are known to leave open: with it the errors of 306 rendered films
were 1.01 of their stated size over all samples, 0.90 in the median film."""
SLOW_RADIUS_ERROR_PX = 0.4
"""A radius is off by a part of a pixel as what is behind the object changes: over 59 rendered films its error drifts by 0.24 to 0.49 px
from end to end in the median, whatever the size."""
COURSE_TOLERANCE = 0.1
"""Share of a radius that a swing or an arc may leave the course of all by."""
PROGRESS_STEP = 16
"""Frames between two words of progress."""
JUMP_SAMPLES, MOST_JUMPS, JUMP_STEPS, JUMP_RADII = 5, 3, 1.0, 3.0
"""Samples that say where the one before them must be, how many may be wrong at either end, and the steps and radii that these are off by."""
COMPANION_FRAMES, COMPANION_DRIFT = 0.5, 0.3
"""Tracks run together if they share this part of the shorter one's frames and drift apart by less than this share of their way."""
COMPANION_MATCH, COMPANION_SHARE = 0.3, 0.8
"""An object with a shadow is at least this much as smooth as the shadow, which is then ranked at this share of the object."""
PIECE_SHARE, PIECE_WORTH = 0.5, 0.3
"""A track is a piece of something (a string, an arm, a person) if more than this share of its samples are parts of larger regions, or lie in
those of the best track, and it is worth less than the second beside that."""
LEAST_OF_BEST = 0.15
"""A track worth less than this beside the best is a crossing that runs along a string, a flicker or a fold. Of two balls in one film (six rendered
ones) the lesser was worth 0.85 of the other or more."""
AHEAD_PX = 16_000_000
"""Pixels of frames that may be decoded before they are looked at."""
PREFERENCE = 3
"""Paths considered for each track asked for: some turn out to be doubles."""


def track_objects(
    reader: Film, *, roi: tuple[int, int, int, int] | None = None, find_boxes: FindBoxes | None = None, progress: Progress | None = None,
    max_tracks: int = 8, borne_px: float = 0.0,
) -> Tracking:  # fmt: skip
    """Tracks of everything that moves like one body, the smoothest first; an empty tuple when nothing does.

    ``roi`` is (left, top, width, height) in pixels; ``find_boxes`` gives the boxes of a frame in which alone something counts.
    ``borne_px``: how far a background may move, in pixels of detection, before nothing is looked for in front of it (0: not even slightly).
    Decodes the video once; memory does not grow with its length.
    """
    stretch = Stretch(reader.width_px, reader.height_px)
    evidence = Evidence(stretch.stride)
    linkers = [Linker(reader.width_px, reader.height_px, stretch.stride, turns=turns) for turns in (True, False)]
    unturned: list[Path] = []
    done = 0
    steady = True
    anew: list[float] = []
    boxes: dict[int, Floats] = {}
    for frame in make_ahead(reader.frames(), max(1, AHEAD_PX // (reader.width_px * reader.height_px))):
        changed = stretch.starts_anew(frame)
        if changed:
            anew.append(frame.t)
        if changed or stretch.full:
            steady &= _digest(stretch, linkers, unturned, evidence, roi, boxes, borne_px)
            stretch, boxes = Stretch(reader.width_px, reader.height_px, None if changed else stretch.background), {}
        stretch.append(frame)
        if find_boxes is not None:
            boxes[frame.index] = _grown(find_boxes(frame))
        done += 1
        if progress is not None and done % PROGRESS_STEP == 0:
            progress("tracking", done, None)
    if len(stretch):
        steady &= _digest(stretch, linkers, unturned, evidence, roi, boxes, borne_px)
    if progress is not None:
        progress("tracking", done, done)
    video, notices = reader.summary()
    own = (*_note_cuts(anew),) if steady else (Notice("moving_camera", MOVING_CAMERA),)
    tracks = _ranked([*linkers[0].paths(), *unturned], evidence, max_tracks)
    return Tracking(video=video, tracks=tuple(tracks), notices=(*notices, *own))


def _note_cuts(times: list[float]) -> Iterator[Notice]:
    if times:
        found = f"the picture changes altogether {len(times)} time(s), first at {times[0]:.2f} s: another scene or other light"
        yield Notice("scene_changed", f"{found}; motion may not be continuous there; choose a part with --start and --end")


def _grown(boxes: Floats) -> Floats:
    """Boxes (n, 4) made larger on all sides by a share of their own size."""
    margin = BOX_MARGIN * np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    return np.asarray(boxes + margin * (-1.0, -1.0, 1.0, 1.0))


def _digest(
    stretch: Stretch, linkers: Sequence[Linker], unturned: list[Path], evidence: Evidence, roi: tuple[int, int, int, int] | None,
    boxes: Mapping[int, Floats], borne_px: float,
) -> bool:  # fmt: skip
    """Find, link and measure what moves in one stretch, then let its pixels go; False, and nothing found, when the camera moves.

    Paths of the second linker go into ``unturned`` as far as they are followed: where one that may turn is as good, they are only doubles.
    """
    background = stretch.finish()
    first = len(evidence.index)
    interval = float(np.median(np.diff(stretch.t))) if len(stretch) > 1 else 1.0
    steady = not camera_moves(stretch.luma, borne_px=borne_px)
    for k in range(len(stretch)):
        chroma = stretch.chroma[k] if stretch.chroma else None
        found = find_candidates(stretch.luma[k], chroma, background, stretch.stride, roi, boxes.get(stretch.index[k])) if steady else []
        before = evidence.t[-1] if evidence.t else stretch.t[k] - interval
        for linker in linkers:
            linker.step(found, max((stretch.t[k] - before) / interval, 0.5))
        evidence.candidates.append(found)
        evidence.index.append(stretch.index[k])
        evidence.t.append(stretch.t[k])

    def counts(row: int, u: float, v: float) -> bool:
        corners = boxes.get(evidence.index[row])
        inside = roi is None or _is_in((roi[0], roi[1], roi[0] + roi[2], roi[1] + roi[3]), u, v)
        return inside and (corners is None or any(_is_in(box, u, v) for box in corners.tolist()))

    turning, without = (_runs_of(linker, evidence, first) for linker in linkers)
    runs = turning + [(UNTURNED_WORTH * score, run) for score, run in without]
    best = max((score for score, _ in runs), default=0.0)
    likely = [run for score, run in sorted(runs, key=lambda x: -x[0]) if score > (PIECE_WORTH if _is_piece(run, evidence) else REFINED_SHARE) * best]
    distinct = distinct_paths(likely, evidence, GLANCED_PATHS)
    close = [run for run in distinct[REFINED_PATHS:] if score_of(run, evidence, measured=False) > GLANCED_OF_BEST * best]
    for run in (*distinct[:REFINED_PATHS], *(run for run in close if shows_discs(stretch, run, evidence, first))):
        if is_known(run, evidence):
            continue
        sample_path(stretch, run, evidence, first, counts=counts, uncovering=run is distinct[0] or not _is_piece(run, evidence))
        if any(run is other for _, other in without):
            unturned.append(run)
    if _moves_unseen(evidence, first, distinct):
        # What changes and is no disc may be the edges of one that never leaves its place.
        course = find_circle_course(stretch.luma, stretch.stride)
        if course is not None and all(counts(first + row, u, v) for row, (u, v) in zip(course.rows.tolist(), course.centre_px.tolist(), strict=True)):
            path = propose_course(stretch, course, evidence, first)
            sample_path(stretch, path, evidence, first, counts=counts)
            forget_slivers(path, [key for run in distinct for key in run.rows], evidence)
            unturned.append(path)
    return steady


def _moves_unseen(evidence: Evidence, first: int, paths: Sequence[Path]) -> bool:
    """Whether something moves in most frames from row ``first`` on, and no path is one of discs in as many: slivers may be found whole in some."""
    most = MOVING_SHARE * (len(evidence.candidates) - first)
    moving = sum(bool(found) for found in evidence.candidates[first:])
    discs = max((sum(evidence.fitted(key) for key in path.rows) for path in paths), default=0)
    return discs < most < moving


def _is_in(corners: Sequence[float], u: float, v: float) -> bool:
    left, top, right, bottom = corners
    return left <= u <= right and top <= v <= bottom


def _runs_of(linker: Linker, evidence: Evidence, first: int) -> list[tuple[float, Path]]:
    """The smoothest runs of a linker's likeliest paths from frame's row ``first`` on, with their scores."""
    here = [path for path in linker.paths() if path.rows[-1][0] >= first][:MOST_PATHS]
    parts = (replace(path, rows=[r for r in path.rows if r[0] >= first]) for path in here)
    return [pair for part in parts for pair in smoothest_runs(part, evidence, measured=False)]


def _ranked(paths: list[Path], evidence: Evidence, most: int) -> list[Track]:

    def best_runs(some: Iterable[Path]) -> list[Path]:
        runs = [pair for path in some for pair in smoothest_runs(path, evidence, measured=True)]
        return [run for _, run in sorted(runs, key=lambda pair: -pair[0])]

    sampled = [path for path in paths if any(key in evidence.samples for key in path.rows)]
    # What a path was before it turned is often another object, which must not be joined along with it.
    parts = best_runs(completed_path(path, evidence) for path in sampled)
    whole = (without_strays(path, evidence) for path in joined_paths(parts, evidence))
    objects = sorted(joined_paths(best_runs(whole), evidence), key=lambda path: -worth_of(path, evidence))
    best = distinct_paths(objects, evidence, PREFERENCE * most)
    found = [(track, path) for path in best if (track := _track(path, evidence)) is not None]
    distinct: list[tuple[Track, Path]] = []
    for track, path in sorted(found, key=lambda pair: -pair[0].smoothness):
        if all(_coincidence(track, other) < SAME_SHARE for other, _ in distinct):
            distinct.append((track, path))
    return sorted(_companions_last(_without_pieces(distinct, evidence), evidence), key=lambda track: -track.smoothness)[:most]


def _without_pieces(found: list[tuple[Track, Path]], evidence: Evidence) -> list[tuple[Track, Path]]:
    """Tracks, the best first, without those that look like pieces of things, or hardly like things beside it.

    A bob's string moves like a body, and so does a forearm.
    """
    if not found:
        return []
    best, own = found[0][0].smoothness, dict(found[0][1].rows)

    def is_object(track: Track, path: Path) -> bool:
        whole = not _is_piece(path, evidence) and share_of_regions(dict(path.rows), own, evidence) <= SAME_SHARE
        return track.smoothness >= (LEAST_OF_BEST if whole else PIECE_WORTH) * best

    return [(track, path) for track, path in found if is_object(track, path)]


def _is_piece(path: Path, evidence: Evidence) -> bool:
    """Whether what a path follows is most of the time a part of something larger."""
    return float(np.mean([evidence.candidate(key).part for key in path.rows])) > PIECE_SHARE


def _companions_last(found: list[tuple[Track, Path]], evidence: Evidence) -> list[Track]:
    """Tracks, with a shadow or reflection that moves along with its object ranked behind it: the one that only darkens, or is fainter."""
    rank = {id(track): track.smoothness for track, _ in found}
    for track, path in found:
        for other, its in found:
            if track is other or other.smoothness < COMPANION_MATCH * track.smoothness or not _together(track, other):
                continue
            shadows = evidence.darkens_only(path.rows), evidence.darkens_only(its.rows)
            fainter = evidence.contrast(path.rows) < evidence.contrast(its.rows)
            if shadows == (True, False) or (shadows[0] == shadows[1] and fainter):
                rank[id(track)] = min(rank[id(track)], COMPANION_SHARE * rank[id(other)])
    return [replace(track, smoothness=rank[id(track)]) for track, _ in found]


def _together(track: Track, other: Track) -> bool:
    """Whether two tracks run side by side: over their common frames their distance changes little for the way they go."""
    _, own, its = np.intersect1d(track.frame, other.frame, return_indices=True)
    if len(own) < max(MIN_TRACK, COMPANION_FRAMES * min(len(track), len(other))):
        return False
    way = float(np.hypot(*np.ptp(track.centre_px[own], axis=0)))
    apart = track.centre_px[own] - other.centre_px[its]
    return float(np.hypot(*np.ptp(apart, axis=0))) < COMPANION_DRIFT * way


def _track(path: Path, evidence: Evidence) -> Track | None:
    """A path's samples as a track, its sigmas brought to what the path itself shows; None when too little of it is left."""
    inner = _core(np.array([evidence.fitted(key) for key in path.rows]))
    path = replace(path, rows=_without_jumps(path.rows[inner], evidence))
    smoothness = worth_of(path, evidence)
    if len(path.rows) < MIN_TRACK or smoothness < MIN_SMOOTHNESS:
        return None
    samples = [evidence.sample(key) for key in path.rows]
    t = np.array([s.t for s in samples])
    centre = np.array([s.centre for s in samples])
    covariance = np.array([s.covariance for s in samples])
    patches = _typical([evidence.patches[key] for key in path.rows if key in evidence.patches])
    elongation = float(np.median([evidence.candidate(key).elongation for key in path.rows]))
    scale, correlation_time = typical_error(t, centre, covariance)
    size = np.array([evidence.candidate(key).radius if np.isnan(s.radius) else s.radius for key, s in zip(path.rows, samples, strict=True)])
    radius = np.array([s.radius for s in samples])
    radius_sigma = np.array([s.radius_sigma for s in samples]) * scale
    unlike = _unlike_course(t, centre, radius, radius_sigma)
    systematic = ((SYSTEMATIC_RADII * size) ** 2 + (0.5 * unlike) ** 2)[:, None, None] * np.eye(2)
    track = Track(
        frame=np.array([s.frame for s in samples]),
        t=t,
        centre_px=centre,
        covariance_px=covariance * scale**2 + systematic,
        radius_px=radius,
        radius_sigma_px=np.hypot(radius_sigma, unlike),
        score=np.array([s.explained for s in samples]),
        velocity_px=_blur_velocity(t, centre, np.array([s.streak for s in samples])),
        correlation_time=correlation_time,
        slow_error=SLOW_ERROR,
        offset_error=OFFSET_ERROR,
        slow_radius_error_px=SLOW_RADIUS_ERROR_PX,
        appearance=describe_appearance(patches, elongation) if patches else None,
        smoothness=smoothness,
    )
    sway = float(np.median([s.sway for s in samples]) / np.median(track.sigma_px))
    return replace(track, offset_error=float(np.hypot(OFFSET_ERROR, sway)))


def _unlike_course(t: Floats, centre: Floats, radius: Floats, sigma: Floats) -> Floats:
    """(n,) px by which each radius leaves the course of the others beyond its sigma, and beyond what a turn of the motion may do to it.

    A disc that is smaller than its object is a part of it (a highlight before something as dark as the rest): the object's centre may lie
    anywhere within the difference of the radii. One that is larger holds something else as well. The course is that of a steady change of
    depth, a straight line through 1 / radius by least absolute deviations, but for rests at either end.
    """
    off = np.zeros(len(radius))
    seen = np.isfinite(radius)
    if seen.sum() < LEAST_COURSE:
        return off
    usual = course_with_rests(t[seen], centre[seen], radius[seen])
    beyond = np.maximum(np.abs(radius[seen] - usual) - COURSE_TOLERANCE * usual, 0.0)
    off[seen] = np.sqrt(np.maximum(beyond**2 - sigma[seen] ** 2, 0.0))
    return off


def _typical(patches: list[Patch]) -> list[Patch]:
    """Patches of the usual size: a hand that held the object is larger."""
    if not patches:
        return []
    usual = float(np.median([patch.radius for patch in patches]))
    return [patch for patch in patches if 1 / SAME_SIZE < patch.radius / usual < SAME_SIZE]


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


def _without_jumps(rows: list[Key], evidence: Evidence) -> list[Key]:
    """The samples without those at either end that the next ones' parabola misses by more than their steps and sizes: another object's."""
    for _ in range(MOST_JUMPS):
        for end in (rows, rows[::-1]):
            if len(end) > JUMP_SAMPLES and _jumps([evidence.sample(key) for key in end[: JUMP_SAMPLES + 1]]):
                rows = [key for key in rows if key != end[0]]
    return rows


def _jumps(samples: list[Sample]) -> bool:
    """Whether the first of some samples is not where the others lead to."""
    at, centre = np.array([s.frame for s in samples]), np.array([s.centre for s in samples])
    step = float(np.median(np.hypot(*np.diff(centre, axis=0).T) / np.abs(np.diff(at))))
    size = max((s.radius for s in samples[1:] if s.fitted), default=0.0)
    return off_course(at, centre) > max(JUMP_STEPS * step * abs(float(at[1] - at[0])), JUMP_RADII * size)


def _blur_velocity(t: Floats, centre: Floats, streak: Floats) -> Floats | None:
    """Streaks over the exposure time; that is the share of the frame time for which streaks and path agree best over the whole track."""
    clear = np.hypot(streak[:, 0], streak[:, 1]) > 0
    if clear.sum() < MIN_TRACK:
        return None
    velocity = np.gradient(centre, t, axis=0)
    exposure = float(np.median(np.hypot(*streak[clear].T) / np.maximum(np.hypot(*velocity[clear].T), 1e-9)))
    return np.where(clear[:, None], streak / exposure, np.nan) if exposure > 0 else None


def _coincidence(track: Track, other: Track) -> float:
    """Share of the shorter track's samples that lie on the other."""
    _, own, its = np.intersect1d(track.frame, other.frame, return_indices=True)
    size = np.fmax(np.nan_to_num(track.radius_px[own]), np.nan_to_num(other.radius_px[its]))
    near = np.hypot(*(track.centre_px[own] - other.centre_px[its]).T) < np.maximum(size, 1.0)
    return float(near.sum()) / min(len(track), len(other))
