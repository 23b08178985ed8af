"""Which paths are objects: paths are cut where they turned if that leaves a smoother body, joined where they agree, and doubles dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from ..types import Bools, Floats, Ints
from .detection import NO_REGION
from .evidence import Evidence
from .linking import Key, Path
from .ranking import off_course, parabola_at, smoothness_of

LEAST_ROWS = 4
"""Samples of the shortest piece."""
RUN_PIECES = 4
"""Consecutive pieces between turns that are tried together, besides the whole: a bouncing ball is one body."""
UNFITTED = 0.4
"""Roundness left to an object that no disc fits: people, hands and flickering edges are in this class, and now and then a box."""
READING_RADII = 0.15
"""Scatter in radii of an object's candidates, which are read now with, now without its shadow."""
SAME_SHARE = 0.5
"""Paths that lie on each other in this share of the shorter one's frames are one object."""
READING_LENGTH = 0.5
"""A path of less than this many times the samples of another, in the same regions, is a reading of it and no object of its own."""
JOIN_FRAMES, JOIN_SHARE = 3, 0.7
"""Two paths are one object if they agree in this share of at least so many frames in which both saw a disc."""
SAME_SIZE = 1.4
"""Factor within which the radii before and after a gap agree."""
JOIN_GAP, JOIN_ENDS = 15, 5
"""Frames that may lie between the end of one path and its continuation, and discs at either end that one cubic must go through."""
STRAY_DISCS, STRAY_RADII = 3, 3.0
"""Discs before and after a sample that say where it must be, and the radii from which it is elsewhere."""
CONTACT_GAP, CONTACT_SIZE, CONTACT_RADII, CONTACT_INSTANTS = 3, 1.2, 0.5, 9
"""Frames from the end of a path to one that a contact began where it ended, the factor within which their radii agree, the radii by which the
places they lead to may be apart when they are nearest, and the instants at which that is looked at."""
AGREE_RADII = 0.4
"""Discs whose centres are within this many radii are the same."""


def score_of(path: Path, evidence: Evidence, *, measured: bool) -> float:
    """How much a path looks like one body, from its discs where most of it has them, otherwise from its candidates.

    ``measured`` says that discs were tried: to have none then speaks against it.
    """
    return _score(_features_of(path, evidence), 0, len(path.rows), evidence.stride, measured)


def smoothest_runs(path: Path, evidence: Evidence, *, measured: bool) -> list[tuple[float, Path]]:
    """A path cut at some of its turns, so that the best piece is as good as can be, then the best of what is left on either side.

    Every piece comes with its `score_of`.
    """
    rows = np.array([a for a, _ in path.rows])
    cuts = sorted({0, len(rows), *(int(x) for x in np.searchsorted(rows, path.turns))})
    features = _features_of(path, evidence)
    score = cache(lambda start, stop: _score(features, start, stop, evidence.stride, measured))
    return [(score(start, stop), _part(path, start, stop)) for start, stop in _best_pieces(cuts, score)]


def worth_of(path: Path, evidence: Evidence) -> float:
    """What a path's best run is worth: a ball's flights are smooth, but where it bounces every few frames the whole of its path is not."""
    return max((score for score, _ in smoothest_runs(path, evidence, measured=True)), default=0.0)


@dataclass(frozen=True, slots=True)
class _Features:
    """What a path's samples show, one row each: discs where there are any, and the candidates' own."""

    row: Ints
    t: Floats
    fitted: Bools
    centre: Floats
    radius: Floats
    explained: Floats
    error: Floats
    place: Floats
    size: Floats
    roundness: Floats
    contrast: Floats


def _features_of(path: Path, evidence: Evidence) -> _Features:
    keys = path.rows
    known = [evidence.sample(key) for key in keys]
    chosen = [evidence.candidate(key) for key in keys]
    fitted = np.array([s.fitted for s in known], bool)
    size = np.array([c.radius for c in chosen])
    covariance = np.array([s.covariance for s in known]).reshape(-1, 2, 2)
    return _Features(
        row=np.array([a for a, _ in keys], int),
        t=np.array([s.t for s in known]),
        fitted=fitted,
        centre=np.array([s.centre for s in known]).reshape(-1, 2),
        radius=np.where(fitted, [s.radius for s in known], size),
        explained=np.array([s.explained for s in known]),
        error=np.sqrt(0.5 * (covariance[:, 0, 0] + covariance[:, 1, 1])),
        place=np.array([(c.u, c.v) for c in chosen]).reshape(-1, 2),
        size=size,
        roundness=np.array([c.fill / c.elongation**0.25 for c in chosen]),
        contrast=np.array(evidence.contrasts(keys)),
    )


def _score(features: _Features, start: int, stop: int, stride: int, measured: bool) -> float:
    if stop - start < LEAST_ROWS:
        return 0.0
    f, own = features, np.s_[start:stop]
    seen = (stop - start) / (int(f.row[stop - 1]) - int(f.row[start]) + 1)
    contrast = float(np.median(f.contrast[own]))
    if f.fitted[own].mean() > 0.5:
        error, shape = float(np.median(f.error[own])), float(f.explained[own].mean())
        return smoothness_of(f.t[own], f.centre[own], f.radius[own], shape, contrast, error, seen)
    shape = float(np.median(f.roundness[own])) * (UNFITTED if measured else 1.0)
    error = 0.5 * stride + READING_RADII * float(np.median(f.radius[own]))
    return smoothness_of(f.t[own], f.place[own], f.radius[own], shape, contrast, error, seen)


def _best_pieces(cuts: list[int], score: Callable[[int, int], float]) -> list[tuple[int, int]]:
    """(start, stop) of the best run of pieces between neighbouring cuts, then of the best on either side of it."""
    if cuts[-1] - cuts[0] < LEAST_ROWS:
        return []
    if len(cuts) == 2:
        return [(cuts[0], cuts[1])]
    pieces = len(cuts) - 1
    spans = [(i, j) for i in range(pieces) for j in range(i + 1, min(i + RUN_PIECES, pieces) + 1)] + [(0, pieces)]
    scored = [(score(cuts[i], cuts[j]), cuts[j] - cuts[i], i, j) for i, j in spans if cuts[j] - cuts[i] >= LEAST_ROWS]
    if not scored:
        return []
    _, _, i, j = max(scored)
    sides = [side for side in (cuts[: i + 1], cuts[j:]) if len(side) > 1]
    return [(cuts[i], cuts[j]), *(piece for side in sides for piece in _best_pieces(side, score))]


def distinct_paths(paths: Iterable[Path], evidence: Evidence, most: int) -> list[Path]:
    """Of paths that run on top of each other, or are other readings of the same regions, the first; ``most`` at most."""
    kept: list[dict[int, int]] = []
    out: list[Path] = []
    for path in paths:
        own = dict(path.rows)
        if all(_overlap(own, other, evidence) < SAME_SHARE and not _is_reading(own, other, evidence) for other in kept):
            kept.append(own)
            out.append(path)
            if len(out) >= most:
                break
    return out


def completed_path(path: Path, evidence: Evidence) -> Path:
    """The path with the samples that its discs led to, in place of its own in the same frames."""
    rows = dict(path.rows)
    for key in path.rows:
        rows.update(evidence.added.get(key, ()))
    return replace(path, rows=sorted(rows.items()))


def joined_paths(paths: Iterable[Path], evidence: Evidence) -> list[Path]:
    """Paths with those added that agree with them where both saw a disc, go on where they end, or fill a hole in them: two readings, or a gap.

    Where both saw another disc the path with more of them is believed.
    """
    out: list[tuple[Path, dict[int, int]]] = []
    for path in paths:
        own = _discs(path, evidence)
        # What was joined may now reach a path that neither part did.
        while (n := next((n for n, (_, its) in enumerate(out) if _are_one(own, its, evidence)), None)) is not None:
            other, its = out.pop(n)
            (less, fewer), (more, most) = sorted(((path, own), (other, its)), key=lambda pair: len(pair[1]))
            rows = sorted((dict(less.rows) | dict(more.rows) | fewer | most).items())
            ends = {end for part in (path, other) for end in (part.rows[0][0], part.rows[-1][0] + 1) if _leaps(rows, end, evidence)}
            contacts = {row for row in (min(own, default=0), min(its, default=0)) if _touches(own, its, row, evidence)}
            path = replace(other, rows=rows, turns=tuple(sorted({*other.turns, *path.turns, *ends, *contacts})))
            own = _discs(path, evidence)
        out.append((path, own))
    return [path for path, _ in out]


def _are_one(own: dict[int, int], its: dict[int, int], evidence: Evidence) -> bool:
    return _agree(own, its, evidence) or _go_on(own, its, evidence) or _go_on(its, own, evidence)


def without_strays(path: Path, evidence: Evidence) -> Path:
    """The path without what no disc was fitted to and lies aside of where the discs before and after it lead: pieces of another object."""
    discs = [key for key in path.rows if evidence.fitted(key)]
    at = np.array([a for a, _ in discs])
    centre = np.array([evidence.sample(key).centre for key in discs]).reshape(-1, 2)

    def strays(key: Key) -> bool:
        after = int(np.searchsorted(at, key[0]))
        around = np.arange(max(after - STRAY_DISCS, 0), min(after + STRAY_DISCS, len(at)))
        if evidence.fitted(key) or min(after, len(at) - after) < STRAY_DISCS:
            return False
        size = max(evidence.sample(discs[n]).radius for n in around)
        step = float(np.hypot(*(centre[after] - centre[after - 1]))) / float(at[after] - at[after - 1])
        off = float(np.hypot(*(parabola_at(at[around], centre[around], key[0]) - evidence.sample(key).centre)))
        return off > max(STRAY_RADII * size, step)

    return replace(path, rows=[key for key in path.rows if not strays(key)])


def _leaps(rows: list[Key], end: int, evidence: Evidence) -> bool:
    """Whether a path's sample before frame's row ``end`` is not where those from there on lead back to: it came from another object."""
    cut = next((n for n, key in enumerate(rows) if key[0] >= end), len(rows))
    after = rows[cut : cut + JOIN_ENDS]
    if cut == 0 or len(after) < JOIN_ENDS:
        return False
    around = rows[cut - 1 : cut + JOIN_ENDS]
    off = off_course(np.array([a for a, _ in around]), np.array([evidence.sample(key).centre for key in around]))
    return off > max(evidence.candidate(key).radius for key in after)


def _part(path: Path, start: int, stop: int) -> Path:
    rows = path.rows[start:stop]
    return replace(path, rows=rows, turns=tuple(x for x in path.turns if rows and rows[0][0] < x <= rows[-1][0]))


def _overlap(own: dict[int, int], other: dict[int, int], evidence: Evidence) -> float:
    """Share of the shorter path's frames in which the two are within a radius of each other."""
    near = 0
    for row in own.keys() & other.keys():
        a, b = evidence.sample((row, own[row])), evidence.sample((row, other[row]))
        reach = max(evidence.candidate((row, own[row])).radius, evidence.candidate((row, other[row])).radius)
        near += bool(np.hypot(*(a.centre - b.centre)) < reach)
    return near / min(len(own), len(other))


def _is_reading(own: dict[int, int], other: dict[int, int], evidence: Evidence) -> bool:
    """Whether a path that is much shorter than another only reads the regions that the other is in: a bob with more or less of its string."""
    return len(own) < READING_LENGTH * len(other) and share_of_regions(own, other, evidence) > SAME_SHARE


def share_of_regions(own: Mapping[int, int], other: Mapping[int, int], evidence: Evidence) -> float:
    """Share of a path's frames, its candidate of each frame given, in which another path is in the same region."""
    pairs = [(evidence.candidate((row, own[row])), evidence.candidate((row, other[row]))) for row in own.keys() & other.keys()]
    return sum(a.region == b.region != NO_REGION for a, b in pairs) / len(own)


def _discs(path: Path, evidence: Evidence) -> dict[int, int]:
    return {a: b for a, b in path.rows if evidence.fitted((a, b))}


def _agree(own: dict[int, int], its: dict[int, int], evidence: Evidence) -> bool:
    common = own.keys() & its.keys()
    if len(common) < JOIN_FRAMES:
        return False
    pairs = [(evidence.samples[(k, own[k])], evidence.samples[(k, its[k])]) for k in common]
    same = sum(np.hypot(*(a.centre - b.centre)) < AGREE_RADII * b.radius + 0.5 for a, b in pairs)
    return bool(same >= JOIN_SHARE * len(common))


def _go_on(own: dict[int, int], its: dict[int, int], evidence: Evidence) -> bool:
    """Whether the second path goes on where the first ends, or the first fills a hole in the second."""
    if not own or not its:
        return False
    before, after = ({a: b for a, b in its.items() if a < min(own)}, {a: b for a, b in its.items() if a > max(own)})
    if not before:
        return _continue(own, its, evidence)
    hole = len(before) + len(after) == len(its)
    return hole and _continue(before, own, evidence) and _continue(own, after, evidence)


def _continue(own: dict[int, int], its: dict[int, int], evidence: Evidence) -> bool:
    """Whether the second path goes on where the first ends, as a free body does or after a contact there."""
    if min(len(own), len(its)) < JOIN_ENDS or not 0 < min(its) - max(own) <= JOIN_GAP:
        return False
    if _meet(own, its, evidence):
        return True
    rows = [*sorted(own.items())[-JOIN_ENDS:], *sorted(its.items())[:JOIN_ENDS]]
    discs = [evidence.samples[key] for key in rows]
    at = np.array([a for a, _ in rows], float)
    basis = np.vander((at - at.mean()) / np.ptp(at), 4)
    centre = np.array([d.centre for d in discs])
    off = centre - basis @ np.linalg.lstsq(basis, centre, rcond=None)[0]
    radius = np.array([d.radius for d in discs])
    before, after = float(np.median(radius[:JOIN_ENDS])), float(np.median(radius[JOIN_ENDS:]))
    close = np.median(np.hypot(*off.T)) < AGREE_RADII * 0.5 * (before + after)
    return bool(close and 1 / SAME_SIZE < before / after < SAME_SIZE)


def _touches(own: dict[int, int], its: dict[int, int], row: int, evidence: Evidence) -> bool:
    """Whether one of two paths begins at frame's row ``row`` where a contact ended what the other was up to there."""
    early, late = (own, its) if min(its, default=0) == row else (its, own)
    before = {a: b for a, b in early.items() if a < row}
    return min(len(before), len(late)) >= JOIN_ENDS and min(late) == row and _meet(before, late, evidence)


def _meet(own: dict[int, int], its: dict[int, int], evidence: Evidence) -> bool:
    """Whether the second path begins, within a few frames, at the place to which the first one led: a ball that bounced."""
    if min(its) - max(own) > CONTACT_GAP:
        return False
    ends = sorted(own.items())[-JOIN_ENDS:], sorted(its.items())[:JOIN_ENDS]
    rows = [np.array([a for a, _ in end]) for end in ends]
    discs = [[evidence.samples[key] for key in end] for end in ends]
    centres = [np.array([d.centre for d in each]) for each in discs]
    radii = [float(np.median([d.radius for d in each])) for each in discs]
    # Nobody saw when in the gap they met.
    instants = np.linspace(max(own) - 0.5, min(its) + 0.5, CONTACT_INSTANTS)
    paths = [np.array([parabola_at(r, c, instant) for instant in instants]) for r, c in zip(rows, centres, strict=True)]
    apart = float(np.hypot(*(paths[0] - paths[1]).T).min())
    return bool(apart < CONTACT_RADII * max(radii) and 1 / CONTACT_SIZE < radii[0] / radii[1] < CONTACT_SIZE)
