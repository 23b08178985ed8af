"""Measured samples of a path while its stretch's pixels are in memory: at its candidates, and where it must have been without one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..types import Floats, Ints
from .appearance import Patch
from .background import spread_indices
from .detection import NO_REGION, Candidate
from .evidence import Evidence, Sample
from .footage import Stretch
from .linking import Key, Path
from .measurement import TIGHT, measure_samples, share_of_discs
from .ranking import parabola_at

LEAST_KNOWN = 5
"""Fitted samples that a path needs before frames without a candidate are searched."""
NEIGHBOURS = 6
"""Samples that say where a missing one should be."""
END_FRAMES = 3
"""Frames before the first and after the last sample that are tried."""
NEAR_RADII, SURE_FACTOR, SURE_EXPLAINED = 0.4, 1.3, 0.8
"""A found sample lies within this many radii of the guess, agrees in radius within this factor and explains this much of the picture."""
MOST_UNCOVERINGS = 4
"""Times that a path's discs are fitted again before a background that they have uncovered."""
ALIKE_LOG_RADIUS, SLOW_RADII = 0.06, 4.0
"""Discs whose radius is within this of the usual one are where the object is; that of one that gets no further than so many radii is the lower
quartile, for its distance hardly changes."""
GLANCED_SAMPLES, GLANCED_SHARE = 4, 0.75
"""Samples that a path is judged by at a glance, and the share of them that must be discs."""
PATCHES = 6
"""Samples of a path whose colours are kept."""
PATCH_RADIUS = 16
"""Pixels of a colour patch's disc: more tell nothing new about its colour."""
STREAK_BLUR = 0.2
"""Edge width that a pixel of streak counts as when the sharpest samples are chosen."""


def sample_path(stretch: Stretch, path: Path, evidence: Evidence, first: int, *, uncovering: bool = True) -> None:
    """Fit discs to a path's candidates in this stretch (whose first frame is row ``first``) and around them; results go into ``evidence``.

    ``uncovering``: where the background turns out to hold the object's own picture, it is learned anew and the discs are fitted again.
    """
    _fit(stretch, path.rows, evidence, first)
    for _ in range(MOST_UNCOVERINGS if uncovering else 0):
        anew = _uncovered(stretch, path, evidence, first)
        if anew is None:
            break
        _fit(stretch, path.rows, evidence, first, anew)
    guesses = _guesses(path, evidence, range(first, first + len(stretch)))
    if not guesses:
        return
    keys = []
    for row, candidate in guesses:
        evidence.candidates[row].append(candidate)
        keys.append((row, len(evidence.candidates[row]) - 1))
    _fit(stretch, keys, evidence, first)
    evidence.added.setdefault(path.rows[0], []).extend(key for key in keys if _as_expected(evidence, key))


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
    return share_of_discs(stretch, rows, [evidence.candidate(key) for key in some]) >= GLANCED_SHARE


def _fit(stretch: Stretch, keys: list[Key], evidence: Evidence, first: int, told: Sequence[Candidate] | None = None) -> None:
    """Discs at a path's candidates, or from where they are ``told`` to be."""
    rows = np.array([a - first for a, _ in keys])
    found = measure_samples(stretch, rows, told or [evidence.candidate(key) for key in keys])
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


def _guesses(path: Path, evidence: Evidence, rows: range) -> list[tuple[int, Candidate]]:
    """Frames without a disc between a path's samples, or just before and after them, and where a parabola through its neighbours puts it."""
    fitted = [key for key in path.rows if evidence.fitted(key)]
    if len(fitted) < LEAST_KNOWN:
        return []
    at = np.array([a for a, _ in fitted])
    centre = np.array([evidence.samples[key].centre for key in fitted])
    radius = np.array([evidence.samples[key].radius for key in fitted])
    out = []
    for row in range(max(rows.start, int(at[0]) - END_FRAMES), min(rows.stop, int(at[-1]) + END_FRAMES + 1)):
        near = _nearest(at, row)
        if at[near[0]] == row or np.abs(at[near] - row).max() > 2 * NEIGHBOURS:
            continue
        u, v = parabola_at(at[near], centre[near], row)
        like = evidence.candidate(fitted[int(near[0])])
        placed = _placed(like, u, v, float(np.median(radius[near])), evidence.stride)
        out.append((row, replace(placed, region=NO_REGION)))
    return out


def _as_expected(evidence: Evidence, key: Key) -> bool:
    """Whether a sample that no candidate spoke for is where its neighbours put it, and as large."""
    sample, guess = evidence.samples[key], evidence.candidate(key)
    size = guess.radius / np.sqrt(guess.elongation) - TIGHT * evidence.stride
    near = np.hypot(sample.centre[0] - guess.u, sample.centre[1] - guess.v) < NEAR_RADII * size + 0.5 * evidence.stride
    return bool(sample.fitted and near and sample.explained > SURE_EXPLAINED and 1 / SURE_FACTOR < sample.radius / size < SURE_FACTOR)
