"""Measured samples of a path while its stretch's pixels are in memory: at its candidates, and where it must have been without one."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..types import Floats, Ints
from .appearance import Patch
from .background import spread_indices
from .circles import CircleCourse
from .detection import NO_REGION, Candidate
from .evidence import Evidence, Sample
from .footage import Stretch
from .linking import ESTABLISHED_ODDS, Key, Path
from .measurement import TIGHT, measure_samples, share_of_discs
from .ranking import parabola_at, radius_course

Counts = Callable[[int, float, float], bool]
"""Of a frame's row and a place (u, v) in it: whether what is there may be looked for."""
LEAST_KNOWN = 5
"""Fitted samples that a path needs before frames without a candidate are searched."""
NEIGHBOURS = 6
"""Samples that say where a missing one should be."""
END_FRAMES = 3
"""Frames before the first and after the last sample that are looked at first; one where nothing is found may be passed over."""
NEAR_RADII, NEAR_STEPS, FAR_RADII, SURE_FACTOR, SURE_EXPLAINED = 0.1, 0.3, 0.4, 1.3, 0.8
"""A found sample lies within so many radii and steps from frame to frame of the guess and no more radii than the third, agrees in radius within
this factor and explains this much of the picture: a ball at rest that the background holds as well is seen here and there."""
MOST_UNCOVERINGS = 4
"""Times that a path's discs are fitted again before a background that they have uncovered."""
ALIKE_LOG_RADIUS, SLOW_RADII = 0.06, 4.0
"""Discs whose radius is within this of the usual one are where the object is; that of one that gets no further than so many radii is the lower
quartile, for its distance hardly changes."""
KNOWN_SHARE, KNOWN_SIZE = 0.9, 2.0
"""A path whose candidates lie on known discs, and are no larger than so many times these, in this share of its frames tells nothing new."""
GLANCED_SAMPLES, GLANCED_SHARE = 4, 0.75
"""Samples that a path is judged by at a glance, and the share of them that must be discs."""
SLIVER_RADII, SLIVER_REACH = 0.5, 1.2
"""A sliver is smaller than this share of a body's radius, and no further from its centre than so many of its radii."""
PATCHES = 6
"""Samples of a path whose colours are kept."""
PATCH_RADIUS = 16
"""Pixels of a colour patch's disc: more tell nothing new about its colour."""
STREAK_BLUR = 0.2
"""Edge width that a pixel of streak counts as when the sharpest samples are chosen."""


@dataclass(frozen=True, slots=True)
class _Guess:
    """Where a disc of some radius must be in a frame's row, give or take ``slack``, pixels; ``candidate`` is where its fit begins."""

    row: int
    radius: float
    slack: float
    candidate: Candidate

    def is_met_by(self, disc: Sample) -> bool:
        """Whether a sample that no candidate spoke for is where its neighbours put it, and as large."""
        near = np.hypot(disc.centre[0] - self.candidate.u, disc.centre[1] - self.candidate.v) < self.slack
        return bool(disc.fitted and near and disc.explained > SURE_EXPLAINED and 1 / SURE_FACTOR < disc.radius / self.radius < SURE_FACTOR)


def sample_path(stretch: Stretch, path: Path, evidence: Evidence, first: int, *, counts: Counts, uncovering: bool = True) -> None:
    """Fit discs to a path's candidates in this stretch (whose first frame is row ``first``) and around them; results go into ``evidence``.

    ``counts`` says where its object may be looked for without a candidate. ``uncovering``: where the background turns out to hold the object's
    own picture, it is learned anew and the discs are fitted again.
    """
    _fit(stretch, path.rows, evidence, first)
    for _ in range(MOST_UNCOVERINGS if uncovering else 0):
        anew = _uncovered(stretch, path, evidence, first)
        if anew is None:
            break
        _fit(stretch, path.rows, evidence, first, anew)
    _follow(stretch, path, evidence, first, counts)


def propose_course(stretch: Stretch, course: CircleCourse, evidence: Evidence, first: int) -> Path:
    """A path with a candidate for each circle of a course, before a background that was learned without them."""
    stretch.uncover(course.rows, course.centre_px, course.radius_px)
    looked = spread_indices(len(course.rows), PATCHES)
    departure = np.median([_departure(stretch, int(course.rows[n]), course.centre_px[n], float(course.radius_px[n])) for n in looked], axis=0)
    contrast, rows = float(np.hypot.reduce(departure)), []
    for row, (u, v), radius in zip(course.rows.tolist(), course.centre_px.tolist(), course.radius_px.tolist(), strict=True):
        size = radius + TIGHT * stretch.stride
        own = Candidate(
            u=u, v=v, radius=size, departure=(departure[0], departure[1], departure[2]), tint=(departure[1], departure[2]), contrast=contrast,
            fill=1.0, elongation=1.0, axis=(1.0, 0.0), part=False, region=NO_REGION, strength=contrast * size,
        )  # fmt: skip
        evidence.candidates[first + row].append(own)
        rows.append((first + row, len(evidence.candidates[first + row]) - 1))
    return Path(rows, ESTABLISHED_ODDS, np.zeros(4), established=True)


def forget_slivers(path: Path, keys: Sequence[Key], evidence: Evidence) -> None:
    """Take back the samples of other paths that are slivers of a path's discs: small, and on them or at their rim."""
    whole = {key[0]: evidence.samples[key] for key in path.rows if evidence.fitted(key)}
    for key in keys:
        disc, body = evidence.samples.get(key), whole.get(key[0])
        if disc is None or body is None:
            continue
        apart = float(np.hypot(*(disc.centre - body.centre)))
        if apart < SLIVER_REACH * body.radius and not (disc.fitted and disc.radius > SLIVER_RADII * body.radius):
            del evidence.samples[key]


def _departure(stretch: Stretch, k: int, centre: Floats, radius: float) -> Floats:
    """(3,) median departure of a disc from the background in each plane, 0 in those that the film has not."""
    side = 2 * int(np.ceil(radius)) + 1
    left, top = (int(x) for x in np.round(centre - radius))
    u, v = np.meshgrid(np.arange(side) + left - centre[0], np.arange(side) + top - centre[1])
    inside, found = np.hypot(u, v) < radius, np.zeros(3)
    for plane in range(3 if stretch.chroma else 1):
        own = (stretch.window(k, left, top, side, plane) - stretch.still(left, top, side, plane))[inside]
        found[plane] = float(np.nanmedian(own)) if np.isfinite(own).any() else 0.0
    return found


def is_known(path: Path, evidence: Evidence) -> bool:
    """Whether discs that were fitted for other paths already say where a path's object is."""

    def known(key: Key) -> bool:
        c = evidence.candidate(key)
        return any(np.hypot(*(s.centre - (c.u, c.v))) < c.radius and c.radius < KNOWN_SIZE * s.radius for s in evidence.discs(key[0]).values())

    return sum(known(key) for key in path.rows) >= KNOWN_SHARE * len(path.rows)


def _follow(stretch: Stretch, path: Path, evidence: Evidence, first: int, counts: Counts) -> None:
    """Look for a path's object where its discs lead, on from every one that is found: an object once known needs no candidate to be seen."""
    known = _of_one_size([key for key in path.rows if evidence.fitted(key)], evidence)
    if len(known) < LEAST_KNOWN:
        return
    left = set(range(first, first + len(stretch)))
    before, after = END_FRAMES, END_FRAMES
    while guesses := _guesses(known, evidence, left, before, after):
        found = {key[0]: key for key in _look(stretch, [g for g in guesses if counts(g.row, g.candidate.u, g.candidate.v)], evidence, first)}
        start, stop, rows = known[0][0], known[-1][0], [guess.row for guess in guesses]
        inside = [row for row in rows if start < row < stop]
        left.difference_update(inside)
        before, earlier = _reached(before, [row for row in reversed(rows) if row < start], found)
        after, later = _reached(after, [row for row in rows if row > stop], found)
        believed = [found[row] for row in (*inside, *earlier, *later) if row in found]
        evidence.added.setdefault(path.rows[0], []).extend(believed)
        known = sorted([*known, *believed])


def _reached(reach: int, rows: list[int], found: Container[int]) -> tuple[int, list[int]]:
    """How far to look next beyond an end, and which of the rows looked at beyond it, the nearest first, are believed to show the object.

    Twice as far while it is found in all, and no further where it is not in the next. Far ahead a guess is worth what those before it are.
    """
    seen = [row in found for row in rows]
    if all(seen):
        return (2 * reach if len(rows) == reach else reach), rows
    if reach > END_FRAMES:
        return END_FRAMES, rows[: seen.index(False)]
    return (1 if any(seen) or reach > 1 else 0), rows


def _of_one_size(keys: list[Key], evidence: Evidence) -> list[Key]:
    """Those discs of a path that are as large as the others let expect: where it ran on along a string or an arm its discs are of these."""
    if len(keys) < LEAST_KNOWN:
        return []
    radius = np.array([evidence.samples[key].radius for key in keys])
    t = np.array([evidence.samples[key].t for key in keys])
    off = min((np.abs(np.log(radius / course)) for course in (np.median(radius), radius_course(t, radius))), key=np.median)
    return [key for key, much in zip(keys, off, strict=True) if much < np.log(SURE_FACTOR)]


def _look(stretch: Stretch, guesses: list[_Guess], evidence: Evidence, first: int) -> list[Key]:
    """The discs where they were guessed to be, those of other paths among them."""
    found, keys = [], {}
    for guess in guesses:
        seen = next((key for key, disc in evidence.discs(guess.row).items() if guess.is_met_by(disc)), None)
        if seen is not None:
            found.append(seen)
        else:
            evidence.candidates[guess.row].append(guess.candidate)
            keys[guess.row, len(evidence.candidates[guess.row]) - 1] = guess
    if keys:
        _fit(stretch, list(keys), evidence, first)
    return found + [key for key, guess in keys.items() if guess.is_met_by(evidence.samples[key])]


def _uncovered(stretch: Stretch, path: Path, evidence: Evidence, first: int) -> list[Candidate] | None:
    """Where the object is, if a path's discs have shown that the background behind it was partly the object's own picture, else None.

    Before such a background some discs are fitted to both, object and picture, and too large: where the object is there, the others tell.
    """
    found = {a - first: evidence.samples[a, b] for a, b in path.rows if evidence.fitted((a, b))}
    if len(found) < LEAST_KNOWN:
        return None
    radius, centre = np.array([sample.radius for sample in found.values()]), np.array([sample.centre for sample in found.values()])
    slow = float(np.hypot(*np.ptp(centre, axis=0))) < SLOW_RADII * float(np.median(radius))
    alike = np.abs(np.log(radius / np.percentile(radius, 25 if slow else 50))) < ALIKE_LOG_RADIUS
    if alike.sum() < LEAST_KNOWN:
        return None
    at, centre, radius = np.array(list(found))[alike], centre[alike], radius[alike]
    rows = np.array([a - first for a, _ in path.rows])
    sizes, near = np.interp(rows, at, radius), [_nearest(at, row) for row in rows]
    places = [centre[some[0]] if at[some[0]] == row else parabola_at(at[some], centre[some], row) for row, some in zip(rows, near, strict=True)]
    if not stretch.uncover(rows, np.array(places), sizes):
        return None
    return [_placed(evidence.candidate(key), u, v, size, evidence.stride) for key, (u, v), size in zip(path.rows, places, sizes, strict=True)]


def _nearest(at: Ints, row: int) -> Ints:
    """Indices of the known rows ``at`` (n,) nearest to a row, the nearest first."""
    return np.argsort(np.abs(at - row), kind="stable")[:NEIGHBOURS]


def _placed(like: Candidate, u: float, v: float, radius: float, stride: int) -> Candidate:
    """A candidate with its disc elsewhere, and of another size."""
    return replace(like, u=float(u), v=float(v), radius=float(radius * np.sqrt(like.elongation) + TIGHT * stride))


def shows_discs(stretch: Stretch, path: Path, evidence: Evidence, first: int) -> bool:
    """Whether a few samples of a path say that discs fit it: far cheaper than fitting them to all."""
    some = [path.rows[k] for k in spread_indices(len(path.rows), GLANCED_SAMPLES)]
    rows = np.array([a - first for a, _ in some])
    return share_of_discs(stretch, rows, [evidence.candidate(key) for key in some], bool(evidence.coded)) >= GLANCED_SHARE


def _fit(stretch: Stretch, keys: list[Key], evidence: Evidence, first: int, told: Sequence[Candidate] | None = None) -> None:
    """Discs at a path's candidates, or from where they are ``told`` to be."""
    rows = np.array([a - first for a, _ in keys])
    found, evidence.coded = measure_samples(stretch, rows, told or [evidence.candidate(key) for key in keys], evidence.coded)
    for n, key in enumerate(keys):
        evidence.samples[key] = Sample(
            frame=stretch.index[rows[n]],
            t=stretch.t[rows[n]],
            centre=found.centre_px[n],
            covariance=found.covariance_px[n],
            radius=float(found.radius_px[n]),
            radius_sigma=float(found.radius_sigma_px[n]),
            explained=float(found.explained[n]),
            departure=(float(found.darkest[n]), float(found.brightest[n])),
            streak=found.streak_px[n],
            sway=float(found.sway_px[n]),
            fitted=bool(found.fitted[n]),
        )
    sharpest = np.argsort(found.softness_px + STREAK_BLUR * np.hypot(*found.streak_px.T))
    for n in [n for n in sharpest if found.fitted[n]][:PATCHES]:
        evidence.patches[keys[n]] = _patch(stretch, int(rows[n]), found.centre_px[n], float(found.radius_px[n]))


def _patch(stretch: Stretch, k: int, centre: Floats, radius: float) -> Patch:
    thin = max(1, int(radius // PATCH_RADIUS))
    side = int(np.ceil(2 * radius / thin)) + 4
    left, top = (round(float(x) - thin * (side - 1) / 2) for x in centre)
    planes = [stretch.window(k, left, top, side * thin, c)[::thin, ::thin] for c in range(3 if stretch.chroma else 1)]
    return Patch(np.stack(planes, axis=-1), (float(centre[0] - left) / thin, float(centre[1] - top) / thin), radius / thin)


def _guesses(fitted: list[Key], evidence: Evidence, left: set[int], before: int, after: int) -> list[_Guess]:
    """Of the rows ``left`` those between discs, and so many before and after them, with where a parabola through its neighbours puts the disc."""
    at = np.array([a for a, _ in fitted])
    centre = np.array([evidence.samples[key].centre for key in fitted])
    radius = np.array([evidence.samples[key].radius for key in fitted])
    out = []
    for row in sorted(left.intersection(range(int(at[0]) - before, int(at[-1]) + after + 1)).difference(at.tolist())):
        near = _nearest(at, row)
        if np.abs(at[near] - row).max() > NEIGHBOURS + max(NEIGHBOURS, before, after):
            continue
        u, v = parabola_at(at[near], centre[near], row)
        like = evidence.candidate(fitted[int(near[0])])
        size = float(np.median(radius[near]))
        around = np.sort(near)
        step = float(np.median(np.hypot(*np.diff(centre[around], axis=0).T) / np.diff(at[around])))
        slack = min(NEAR_RADII * size + NEAR_STEPS * step, FAR_RADII * size) + 0.5 * evidence.stride
        out.append(_Guess(row, size, slack, replace(_placed(like, u, v, size, evidence.stride), region=NO_REGION)))
    return out
