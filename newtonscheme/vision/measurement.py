"""From a path of candidates to measured samples: windows are cut from the footage and discs fitted to them.

Two rounds: the first fits every sample from its candidate; the second repeats those that did not settle from where the others say they
should be. Objects that move several pixels in a frame are fitted once more as streaks. Samples without a believable disc keep their
candidate's centre (a silhouette's centroid) with a wide sigma.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..types import Bools, Floats, Ints
from .background import spread_indices
from .detection import Candidate
from .footage import Stretch
from .ranking import parabola_at, radius_course
from .refinement import Discs, fit_discs

BATCH = 24
"""Crops fitted at once: large enough to spread numpy's overhead, small enough for the cache."""
MARGIN_PX = 5.0
MARGIN_RADII = 0.35
"""Background shown around a disc."""
MAX_WINDOW = 112
"""Pixels of a window's side; a larger object is seen through every second (third, ...) pixel."""
TIGHT = 0.5
"""Detection pixels by which the 3x3 mean widens a region's radius."""
GOOD_EXPLAINED = 0.6
"""Share of the departure from the background that a believable disc accounts for; a hand's best disc stays below."""
MAX_SHIFT_RADII = 1.0
"""A fit that ends further than this (besides two detection pixels) from its candidate found something else."""
RADIUS_RANGE = 3.0
"""A fitted radius within this factor of the path's may be the same object, nearer or further away."""
NEIGHBOURS = 3
"""Good samples on each side that say where a failed one should be."""
RADIUS_FLOOR = 0.02
"""Share of the radius that blur, gamma and shading leave uncertain however sharp the fit: one film's ball shrank by 4 % as it sped up."""
LEAST_RADIUS_PX = 0.8
"""A smaller disc is a hot pixel or a coding error."""
STREAK_FROM_PX, STREAK_FROM_RADII = 3.0, 0.4
"""Motion between frames from which a streak is looked for: below it the blur is less than an edge or a small disc's own shading."""
STREAK_MIN_RADIUS = 3.0
"""Pixels: of a smaller disc a streak cannot be told from a highlight."""
STREAK_START = (0.15, 1.0)
"""Exposure in shares of the frame time that a streak fit starts from, least and most: indoor phone footage lies between these."""
STRAY_LOG_RADIUS = 0.06
"""A radius off its neighbours' by this share may be a fit that settled on something else as well."""
LEAST_COURSE, COURSE_LOG_SIGMA, COURSE_EXPLAINED = 8, 0.03, 0.1
"""Radii that a course can be told from, how well it tells a radius, and how much less a disc of that radius may explain."""
STRAY_RADII = 0.15
"""So may a centre off the smooth course of its neighbours by this many radii."""
EXPLAINED_TOLERANCE = 0.03
"""A fit that explains this much less is still as good."""
STREAK_LEAST_PX, STREAK_LEAST_RADII = 1.0, 0.1
"""Streaks shorter than this (median) are the edges' softness."""
STREAK_SHARE = 0.5
"""Share of the fast samples whose streak must be clear."""
SHARP_PX = 0.8
"""Edge width of a disc in focus."""
STREAK_CLEAR = 4.0
"""Streak length over its sigma from which a streak is clear."""
COARSE_RADII = 0.2
"""Sigma of a silhouette's centroid in radii: an arm or a shadow pulls it by that much."""
CHROMA_WORTH, CHROMA_FLOOR = 0.25, 5.0
"""Colour is tried when it departs by this share of the departure in brightness, and by this many grey levels."""
TRIAL_SAMPLES = 10
"""Samples that the choice is made on."""
PROMISING_SHARE = 0.15
"""Share of the trial samples with a believable disc below which a path has none: a hand, a person."""
LEAST_COVERED = 0.4
"""A disc of which less lies inside the picture is not measured."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Measured samples of a path, one row for each of its candidates; rows without a believable disc have ``fitted`` False."""

    centre_px: Floats
    covariance_px: Floats
    radius_px: Floats
    radius_sigma_px: Floats
    softness_px: Floats
    darkest: Floats
    brightest: Floats
    explained: Floats
    streak_px: Floats
    fitted: Bools


def measure_samples(stretch: Stretch, rows: Ints, candidates: Sequence[Candidate]) -> Samples:
    """Fit discs to one object's candidates in frames ``rows`` (n,) of a stretch."""
    place = np.array([(c.u, c.v) for c in candidates])
    size = np.array([max(c.radius / np.sqrt(c.elongation) - TIGHT * stretch.stride, 1.0) for c in candidates])
    planes, promising = _pilot(stretch, rows, candidates, place, size)
    if not promising:
        return _with_silhouettes(_blank(len(rows)), np.zeros(len(rows), bool), place, size, stretch.stride)
    samples = _fit(stretch, rows, place, size, planes, None)
    good = _believable(samples, place, size, stretch.stride)
    if good.any() and not good.all():
        again = np.flatnonzero(~good)
        centre, radius = _expected(rows, samples, good, again, place, size)
        retried = _fit(stretch, rows[again], centre, radius, planes, None)
        fine = _believable(retried, centre, radius, stretch.stride)
        samples = _replace(samples, again[fine], retried, fine)
        good[again[fine]] = True
    samples = _without_strays(stretch, rows, samples, good, planes)
    if good.sum() >= 3:
        motion = _motion(rows[good], samples.centre_px[good])
        samples = _with_streaks(stretch, rows, samples, good, motion, _lengths(candidates), planes)
    samples = _of_one_size(stretch, rows, samples, good, planes)
    if good.any():
        usual = float(np.median(samples.radius_px[good]))
        good &= (samples.radius_px < RADIUS_RANGE * usual) & (samples.radius_px > usual / RADIUS_RANGE)
    return _with_silhouettes(samples, good, place, size, stretch.stride)


def _pilot(stretch: Stretch, rows: Ints, candidates: Sequence[Candidate], place: Floats, size: Floats) -> tuple[tuple[int, ...], bool]:
    """The planes to fit in (0 luma, 1 and 2 chroma) and whether a disc is to be found at all, from a few samples.

    Colour helps wherever it is strong: the shaded side of a ball, or its shadow, may be as bright as what is behind it.
    """
    departure = np.median(np.abs(np.array([c.departure for c in candidates])), axis=0)
    strongest = int(np.argmax(departure[1:])) + 1
    coloured = departure[strongest] > max(CHROMA_WORTH * departure[0], CHROMA_FLOOR)
    planes = (0, strongest) if coloured else (0,)
    if len(rows) <= TRIAL_SAMPLES:
        return planes, True
    pick = np.array(spread_indices(len(rows), TRIAL_SAMPLES))
    trial = _fit(stretch, rows[pick], place[pick], size[pick], planes, None)
    return planes, float(_believable(trial, place[pick], size[pick], stretch.stride).mean()) >= PROMISING_SHARE


def _motion(rows: Ints, place: Floats) -> Floats:
    """(n, 2) displacement in one frame at each sample, by central differences."""
    if len(rows) < 2:
        return np.zeros((len(rows), 2))
    return np.gradient(place, rows.astype(float), axis=0)


def _fit(
    stretch: Stretch, rows: Ints, centre: Floats, radius: Floats, planes: tuple[int, ...], streak: Floats | None, softness: Floats | None = None,
    radius_log_sigma: float = np.inf,
) -> Samples:  # fmt: skip
    """Discs of any size, in batches of one window size."""
    n = len(rows)
    length = np.zeros(n) if streak is None else np.hypot(streak[:, 0], streak[:, 1])
    half = np.ceil((1 + MARGIN_RADII) * radius + 0.6 * length + MARGIN_PX)
    thinning = np.maximum(1, np.ceil((2 * half + 1) / MAX_WINDOW)).astype(int)
    window = (np.ceil((2 * half / thinning + 1) / 8) * 8).astype(int)
    out = _blank(n)
    for thin, side in sorted(set(zip(thinning.tolist(), window.tolist(), strict=True))):
        members = np.flatnonzero((thinning == thin) & (window == side))
        for start in range(0, len(members), BATCH):
            batch = members[start : start + BATCH]
            corner = np.round(centre[batch] - thin * (side - 1) / 2).astype(int)
            # Colour is stored in blocks of 2 x 2 pixels: crops begin at whole blocks.
            corner -= corner % 2
            images = [
                np.stack([stretch.window(int(rows[k]), x, y, side * thin, plane)[::thin, ::thin] for k, (x, y) in zip(batch, corner, strict=True)])
                for plane in planes
            ]
            stills = [np.stack([stretch.still(x, y, side * thin, plane)[::thin, ::thin] for x, y in corner]) for plane in planes]
            discs = fit_discs(
                images,
                stills,
                (centre[batch] - corner) / thin,
                radius[batch] / thin,
                softness_px=None if softness is None else softness[batch] / thin,
                streak_px=None if streak is None else streak[batch] / thin,
                radius_log_sigma=radius_log_sigma,
            )
            out = _replace(out, batch, _scaled(discs, corner, thin), np.ones(len(batch), bool))
    return out


def _scaled(discs: Discs, corner: Floats, thin: int) -> Samples:
    return Samples(
        discs.centre_px * thin + corner,
        discs.covariance_px * thin**2,
        discs.radius_px * thin,
        np.hypot(discs.radius_sigma_px * thin, RADIUS_FLOOR * discs.radius_px * thin),
        discs.softness_px * thin,
        discs.darkest,
        discs.brightest,
        np.where(discs.covered > LEAST_COVERED, discs.explained, 0.0),
        np.where(np.isfinite(discs.streak_sigma_px)[:, None], discs.streak_px * thin, 0.0),
        np.hypot(discs.streak_px[:, 0], discs.streak_px[:, 1]) > STREAK_CLEAR * discs.streak_sigma_px,
    )


def _blank(n: int) -> Samples:
    zero = np.zeros(n)
    return Samples(
        centre_px=np.zeros((n, 2)),
        covariance_px=np.zeros((n, 2, 2)),
        radius_px=zero,
        radius_sigma_px=zero,
        softness_px=zero,
        darkest=zero,
        brightest=zero,
        explained=zero,
        streak_px=np.zeros((n, 2)),
        fitted=np.zeros(n, bool),
    )


def _replace(samples: Samples, at: Ints, other: Samples, chosen: Bools) -> Samples:
    """``samples`` with rows ``at`` taken from the ``chosen`` rows of another."""
    fields = [getattr(samples, name).copy() for name in Samples.__slots__]
    for own, name in zip(fields, Samples.__slots__, strict=True):
        own[at] = getattr(other, name)[chosen]
    return Samples(*fields)


def _believable(samples: Samples, centre: Floats, radius: Floats, stride: int) -> Bools:
    shift = np.hypot(*(samples.centre_px - centre).T)
    fits = (samples.radius_px < 2 * radius + stride) & (samples.radius_px > np.maximum(0.4 * radius - 0.5 * stride, LEAST_RADIUS_PX))
    settled = fits & (shift < MAX_SHIFT_RADII * radius + 2 * stride)
    return settled & (samples.explained > GOOD_EXPLAINED) & np.isfinite(samples.radius_sigma_px)


def _expected(rows: Ints, samples: Samples, good: Bools, again: Ints, place: Floats, size: Floats) -> tuple[Floats, Floats]:
    """Where failed samples should be: a straight line or parabola through their good neighbours in time, if those are near."""
    centre, radius = place[again].copy(), size[again].copy()
    fine = np.flatnonzero(good)
    for n, k in enumerate(again):
        near = fine[np.argsort(np.abs(rows[fine] - rows[k]))[: 2 * NEIGHBOURS]]
        near = near[np.abs(rows[near] - rows[k]) <= 2 * NEIGHBOURS]
        if len(near) < 2:
            continue
        radius[n] = np.median(samples.radius_px[near])
        if len(near) >= 4:
            guess = parabola_at(rows[near], samples.centre_px[near], int(rows[k]))
            if np.hypot(*(guess - place[k])) < 2 * max(radius[n], size[k]):
                centre[n] = guess
    return centre, radius


def _lengths(candidates: Sequence[Candidate]) -> Floats:
    """(n,) streak lengths that the silhouettes' second moments suggest: those of a disc, swept."""
    elongation = np.array([c.elongation for c in candidates])
    return np.array([c.radius for c in candidates]) / np.sqrt(elongation) * np.sqrt(3 * np.maximum(elongation**2 - 1, 0))


def _without_strays(stretch: Stretch, rows: Ints, samples: Samples, good: Bools, planes: tuple[int, ...]) -> Samples:
    """Samples whose radius or place differs from their neighbours' are fitted again from where the neighbours put them; the more usual fit stays."""
    fine = np.flatnonzero(good)
    if len(fine) < 2 * NEIGHBOURS:
        return samples
    radius = samples.radius_px[fine]
    padded = np.pad(radius, NEIGHBOURS, mode="reflect")
    usual = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1), axis=1)
    off = np.abs(np.log(radius / usual))
    stray = (off > STRAY_LOG_RADIUS) | (_kinks(samples.centre_px[fine]) > STRAY_RADII * radius)
    if not stray.any() or stray.mean() > 0.5:
        return samples
    steady, again = np.zeros(len(good), bool), fine[stray]
    steady[fine[~stray]] = True
    centre, _ = _expected(rows, samples, steady, again, samples.centre_px, samples.radius_px)
    streak = _usual_streaks(rows, samples, steady, again)
    softness = samples.softness_px[again] if streak is None else np.full(len(again), SHARP_PX)
    retried = _fit(stretch, rows[again], centre, usual[stray], planes, streak, softness)
    closer = np.abs(np.log(retried.radius_px / usual[stray])) < off[stray]
    closer |= np.hypot(*(retried.centre_px - centre).T) < np.hypot(*(samples.centre_px[again] - centre).T)
    better = closer & (retried.explained > samples.explained[again] - EXPLAINED_TOLERANCE)
    return _replace(samples, again[better], retried, better)


def _of_one_size(stretch: Stretch, rows: Ints, samples: Samples, good: Bools, planes: tuple[int, ...]) -> Samples:
    """Samples whose radius leaves the course of the others' are fitted again with that radius nearly known.

    Before something of its own colour an object shows a part of its edge only; that part and the known size tell where its centre is.
    """
    fine = np.flatnonzero(good)
    if len(fine) < LEAST_COURSE:
        return samples
    course = radius_course(rows[fine].astype(float), samples.radius_px[fine])
    off = np.abs(np.log(samples.radius_px[fine] / course)) > COURSE_LOG_SIGMA
    if not off.any() or off.mean() > 0.5:
        return samples
    again = fine[off]
    streaked = np.hypot(*samples.streak_px[again].T) > 0
    for some, streak in ((again[~streaked], False), (again[streaked], True)):
        if len(some):
            told = _fit(
                stretch, rows[some], samples.centre_px[some], course[off][streaked == streak], planes,
                samples.streak_px[some] if streak else None, samples.softness_px[some], COURSE_LOG_SIGMA,
            )  # fmt: skip
            better = told.explained > samples.explained[some] - COURSE_EXPLAINED
            samples = _replace(samples, some[better], told, better)
    return samples


def _kinks(centre: Floats) -> Floats:
    """(n,) how far each sample lies from the cubic through its two neighbours on either side."""
    kink = np.zeros(len(centre))
    middle = centre[2:-2] - (4 * (centre[1:-3] + centre[3:-1]) - centre[:-4] - centre[4:]) / 6
    kink[2:-2] = np.hypot(middle[:, 0], middle[:, 1])
    return kink


def _usual_streaks(rows: Ints, samples: Samples, steady: Bools, again: Ints) -> Floats | None:
    """Streaks of the steady samples at the times of others; None where most have none."""
    clear = np.flatnonzero(steady & (np.hypot(*samples.streak_px.T) > 0))
    if len(clear) < 0.5 * steady.sum():
        return None
    return np.stack([np.interp(rows[again], rows[clear], samples.streak_px[clear, axis]) for axis in (0, 1)], axis=1)


def _with_streaks(stretch: Stretch, rows: Ints, samples: Samples, good: Bools, motion: Floats, length: Floats, planes: tuple[int, ...]) -> Samples:
    """Fit fast samples again as streaks, and keep those fits where the streaks are clear over the path as a whole."""
    speed = np.hypot(motion[:, 0], motion[:, 1])
    radius = samples.radius_px[good]
    fast = (speed > STREAK_FROM_PX + STREAK_FROM_RADII * radius) & (radius > STREAK_MIN_RADIUS)
    if fast.sum() < 3:
        return samples
    at = np.flatnonzero(good)[fast]
    share = np.clip(length[at] / speed[fast], *STREAK_START)
    start = share[:, None] * motion[fast]
    trial = np.array(spread_indices(len(at), TRIAL_SAMPLES))
    if not _blurred(_streaked(stretch, rows, samples, good, at[trial], start[trial], planes)):
        return samples
    streaked = _streaked(stretch, rows, samples, good, at, start, planes)
    better = _believable(streaked, samples.centre_px[at], samples.radius_px[at], stretch.stride)
    clear = streaked.fitted & better & (streaked.explained >= samples.explained[at] - EXPLAINED_TOLERANCE)
    if clear.mean() < STREAK_SHARE or not _blurred(streaked):
        return samples
    return _without_strays(stretch, rows, _replace(samples, at[clear], streaked, clear), good, planes)


def _streaked(stretch: Stretch, rows: Ints, samples: Samples, good: Bools, at: Ints, start: Floats, planes: tuple[int, ...]) -> Samples:
    """Samples ``at`` fitted as streaks from the path's usual radius and the edge width of its sharpest samples."""
    softness = np.full(len(at), min(float(np.percentile(samples.softness_px[good], 20)), SHARP_PX))
    radius = np.full(len(at), float(np.median(samples.radius_px[good])))
    return _fit(stretch, rows[at], samples.centre_px[at], radius, planes, start, softness)


def _blurred(samples: Samples) -> bool:
    """Whether the path as a whole shows streaks: most are clear, and longer than soft edges."""
    length = float(np.median(np.hypot(*samples.streak_px.T)))
    clear = float(samples.fitted.mean()) >= STREAK_SHARE
    return clear and length > STREAK_LEAST_PX + STREAK_LEAST_RADII * float(np.median(samples.radius_px))


def _with_silhouettes(samples: Samples, good: Bools, place: Floats, size: Floats, stride: int) -> Samples:
    centre = np.where(good[:, None], samples.centre_px, place)
    coarse = ((COARSE_RADII * size + 0.5 * stride) ** 2)[:, None, None] * np.eye(2)
    return Samples(
        centre,
        np.where(good[:, None, None], samples.covariance_px, coarse),
        np.where(good, samples.radius_px, np.nan),
        np.where(good, samples.radius_sigma_px, np.nan),
        samples.softness_px,
        samples.darkest,
        samples.brightest,
        np.where(good, samples.explained, 0.0),
        np.where(good[:, None], samples.streak_px, 0.0),
        good,
    )
