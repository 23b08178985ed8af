"""From a path of candidates to measured samples: windows are cut from the footage and discs fitted to them.

A few samples from all over the path are fitted from far away, and as streaks where the object moves several pixels in a frame. Where they
agree on what it is, the others are fitted from what they tell; those that do not settle are fitted from far away too. Samples without a
believable disc keep their candidate's centre (a silhouette's centroid) with a wide sigma.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..types import Bools, Floats, Ints
from .background import spread_indices
from .detection import Candidate
from .footage import Stretch
from .ranking import LEAST_COURSE, course_with_rests, parabola_at
from .refinement import Discs, fit_discs

BATCH_PIXELS, BATCH, BATCH_SPREAD = 320_000, 32, 1.5
"""Pixels and crops fitted at once: enough to spread numpy's overhead, few enough for the cache; and the largest crop's side over the smallest's."""
MARGIN_PX = 5.0
MARGIN_RADII = 0.35
"""Background shown around a disc."""
MAX_WINDOW = 112
"""Pixels of a window's side; a larger object is seen through every second (third, ...) pixel."""
TIGHT = 0.5
"""Detection pixels by which the 3x3 mean widens a region's radius."""
REGION_LOG_SIGMA = 0.2
"""How well the region that changed tells a disc's radius: enough to keep it from settling on a highlight, or on the lit side."""
GOOD_EXPLAINED = 0.6
"""Share of the departure from the background that a believable disc accounts for; a hand's best disc stays below."""
MAX_SHIFT_RADII = 1.0
"""A fit that ends further than this (besides two detection pixels) from its candidate found something else."""
MAX_SIGMA_RADII = 1.0
"""A disc whose place is known to worse than its own radius says less than the region that changed."""
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
COURSE_LOG_SIGMA, COURSE_EXPLAINED = 0.03, 0.1
"""How well the course of all radii tells one, and how much less a disc of that radius may explain."""
OUTLYING = 3.0
"""Times the usual departure from a course from which a radius is no part of it."""
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
SURE_SHARE, SURE_LOG_RADIUS = 0.7, 0.1
"""Share of the trial samples with a believable disc, and the scatter of their radii about their course, from which they tell what it is."""
WHOLE_EXPLAINED, WHOLE_SAMPLES, WHOLE_SCATTER = 0.9, 5, 0.15
"""Share explained by discs that candidates may be one side of, how many must agree, and how well on where they are, in radii."""
PULLED_RADII, PULLED_LOG_RADIUS, PULLED_SHARE = 0.06, 0.05, 0.5
"""Distance in radii and change of the radius from which what is attached to a disc pulls it, and the share of the trial samples that must show it."""
ASIDE_RADII, ASIDE_SCATTER = 0.1, 1.0
"""Distance in radii by which a shadow beside an object draws its discs to itself, and how much of that they may differ by."""
LEAST_GAIN, SURE_GAIN = 0.2, 0.9
"""Gain in likelihood for each pixel, as twice its logarithm, from which pixels are software's, and share of a path's samples that must gain: taken
for them wrongly, a camera's bend the shade and cost more than they would gain."""
LEAST_BENT_PX = 8.0
"""Radius from which shades of software's pixels may bend more in one direction: a smaller disc lies in a few transform blocks, whose errors
bend it as well."""
SWAYED_SAMPLES, LEAST_SWAYED_PX = 12, 4.0
"""Discs of a path that are asked where they would be if their shades were of the other kind, and from which radius they can tell."""
PARTS, PART_SAMPLES = 3, 12
"""How many parts of a long path, of how many samples each, tell how it is looked at best."""
PART_SHARE = 0.5
"""Share of a path's candidates that are parts of larger regions from which something of another colour may be attached to the object."""
SURE_REACH = 1.5
"""Times the typical distance between candidates and discs of the trial samples that another candidate may be off by."""
LEAST_COVERED = 0.4
"""A disc of which less lies inside the picture is not measured."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Measured samples of a path, one row for each of its candidates; rows without a believable disc have ``fitted`` False.

    ``sway_px`` is the path's own: by how much all of its centres may be off alike as shades are not known.
    """

    centre_px: Floats
    covariance_px: Floats
    radius_px: Floats
    radius_sigma_px: Floats
    softness_px: Floats
    darkest: Floats
    brightest: Floats
    explained: Floats
    streak_px: Floats
    surprise: Floats
    sway_px: Floats
    fitted: Bools


def measure_samples(stretch: Stretch, rows: Ints, candidates: Sequence[Candidate], coded: bool | None = None) -> tuple[Samples, bool | None]:
    """Fit discs to one object's candidates in frames ``rows`` (n,) of a stretch.

    ``coded``: whether the film's pixels mix code values, as software's do, and not light, as a camera's; None if that is not known. What is known
    of it afterwards is the second value.
    """
    place, size = _regions(stretch, candidates)
    pick = np.array(spread_indices(len(rows), TRIAL_SAMPLES))
    view, tried, fine = _first_look(stretch, rows[pick], place[pick], size[pick], candidates, bool(coded))
    if not fine.any() and (whole := _whole_of_part(tried, place[pick])) is not None:
        place, size = place + whole[0], np.full(len(rows), whole[1])
        tried, fine = _try(stretch, rows[pick], place[pick], size[pick], view)
    path = _Path(stretch, rows, place, size, _lengths(candidates))
    samples, seen = _measured(path, view, pick, tried, fine)
    if coded is None and fine.mean() >= SURE_SHARE and len(rows) > 2 * NEIGHBOURS:
        coded = _are_coded(stretch, rows, samples, seen)
        if coded:
            view = replace(view, coded=True)
            samples, seen = _measured(path, view, pick, *_try(stretch, rows[pick], place[pick], size[pick], view))
    return replace(samples, sway_px=np.full(len(rows), _sway(stretch, rows, samples, seen))), coded


def _sway(stretch: Stretch, rows: Ints, samples: Samples, view: _View) -> float:
    """By how much (px, on either axis) the shades that are taken for possible move a path's discs, all alike; 0 where they cannot tell.

    Where one side of a ball is about as bright as what is behind it, the pixels leave open whether its shade bends or its edge lies elsewhere.
    """
    fine = np.flatnonzero(samples.fitted)
    at = fine[spread_indices(len(fine), SWAYED_SAMPLES)] if len(fine) else fine
    usual = float(np.median(samples.radius_px[at])) if len(at) else 0.0
    if usual < LEAST_SWAYED_PX:
        return 0.0
    other = _fitted_anew(stretch, rows, samples, at, samples.radius_px[at], replace(view, bent=not view.bends(usual)))
    same = np.abs(np.log(np.maximum(other.radius_px, LEAST_RADIUS_PX) / samples.radius_px[at])) < SURE_LOG_RADIUS
    if same.mean() < SURE_SHARE:
        return 0.0
    return float(np.hypot(*np.median((other.centre_px - samples.centre_px[at])[same], axis=0)) / np.sqrt(2.0))


def _are_coded(stretch: Stretch, rows: Ints, samples: Samples, view: _View) -> bool | None:
    """Whether software's pixels are likelier than a camera's, and the path goes smoothly in them; None where too few discs can tell.

    ``view`` is how the samples were looked at: both are asked about the same pixels. A few unbroken parts of a long path tell how smoothly it goes.
    """
    at = np.arange(len(rows))
    if len(rows) > 2 * PARTS * PART_SAMPLES:
        first = np.linspace(0, len(rows) - PART_SAMPLES, PARTS).astype(int)
        at = (first[:, None] + np.arange(PART_SAMPLES)).ravel()
    at = at[samples.fitted[at]]
    if len(at) <= 2 * NEIGHBOURS:
        return None
    drawn = _fitted_anew(stretch, rows, samples, at, samples.radius_px[at], replace(view, coded=True))
    gain = samples.surprise[at] - drawn.surprise
    likelier = float(np.median(gain)) > LEAST_GAIN and float(np.mean(gain > 0)) >= SURE_GAIN
    rough, before = (float(np.median(_kinks(each)[2:-2])) for each in (drawn.centre_px, samples.centre_px[at]))
    return likelier and rough <= before


@dataclass(frozen=True, slots=True)
class _Path:
    """The candidates of one object in frames ``rows`` (n,): place (n, 2), radius and streak length (n,) by the regions."""

    stretch: Stretch
    rows: Ints
    place: Floats
    size: Floats
    length: Floats


def _measured(path: _Path, view: _View, pick: Ints, tried: Samples, fine: Bools) -> tuple[Samples, _View]:
    """A path's samples from those in ``pick`` that were tried, and how they were looked at in the end."""
    stretch, rows, place, size = path.stretch, path.rows, path.place, path.size
    if fine.any():
        without = replace(view, freed=True)
        freed, fine_freed = _try(stretch, rows[pick], place[pick], size[pick], without)
        if _was_pulled(tried, freed, fine):
            view, tried, fine = without, freed, fine_freed
    samples, good = _replace(_blank(len(rows)), pick, tried, np.ones(len(pick), bool)), np.zeros(len(rows), bool)
    good[pick] = fine
    if len(pick) < len(rows) and fine.mean() < PROMISING_SHARE:
        return _with_silhouettes(_blank(len(rows)), np.zeros(len(rows), bool), place, size, stretch.stride), view
    motion, exposure = _motion(rows, place), None
    if good.sum() >= 3:
        samples, more = _with_fast(stretch, rows, samples, good, pick, motion, place, size, view)
        samples, exposure = _tried_as_streaks(stretch, rows, samples, good, motion, path.length, view)
        streaks = np.hypot(*samples.streak_px[more].T) > 0
        good[more[~streaks]], pick = False, np.union1d(pick, more[streaks])
    rest = np.setdiff1d(np.arange(len(rows)), pick)
    if len(rest):
        samples, good = _with_rest(stretch, rows, samples, good, rest, place, size, motion, exposure, view)
    samples = _retried(stretch, rows, samples, good, place, size, view)
    if exposure is not None:
        samples = _late_streaks(stretch, rows, samples, good, motion, exposure, view)
    samples = _without_strays(stretch, rows, samples, good, view)
    samples = _of_one_size(stretch, rows, samples, good, view)
    if good.any():
        usual = float(np.median(samples.radius_px[good]))
        good &= (samples.radius_px < RADIUS_RANGE * usual) & (samples.radius_px > usual / RADIUS_RANGE)
    return _with_silhouettes(samples, good, place, size, stretch.stride), view


def share_of_discs(stretch: Stretch, rows: Ints, candidates: Sequence[Candidate], coded: bool) -> float:
    """Share of an object's candidates in frames ``rows`` (n,) where a believable disc is."""
    place, size = _regions(stretch, candidates)
    return float(_first_look(stretch, rows, place, size, candidates, coded)[2].mean())


def _regions(stretch: Stretch, candidates: Sequence[Candidate]) -> tuple[Floats, Floats]:
    """Centres (n, 2) and radii (n,) px that the regions that changed give to discs."""
    place = np.array([(c.u, c.v) for c in candidates])
    return place, np.array([max(c.radius / np.sqrt(c.elongation) - TIGHT * stretch.stride, 1.0) for c in candidates])


def _whole_of_part(tried: Samples, place: Floats) -> tuple[Floats, float] | None:
    """How far from its candidates (2,) a larger object lies that they are one side of, and its radius; None where the discs do not agree on one.

    A ball that is lit from above may differ from the background on its lit side or its shaded side only.
    """
    fine = tried.explained > WHOLE_EXPLAINED
    if fine.mean() < SURE_SHARE or fine.sum() < WHOLE_SAMPLES:
        return None
    radius, shift = np.log(tried.radius_px[fine]), tried.centre_px[fine] - place[fine]
    usual, size = np.median(shift, axis=0), float(np.exp(np.median(radius)))
    scatter = float(np.median(np.hypot(*(shift - usual).T)))
    if np.median(np.abs(radius - np.median(radius))) > SURE_LOG_RADIUS or scatter > WHOLE_SCATTER * size:
        return None
    return usual, size


def _planes(candidates: Sequence[Candidate]) -> tuple[int, ...]:
    """The planes to fit in: 0 luma, 1 and 2 chroma.

    Colour helps wherever it is strong: the shaded side of a ball, or its shadow, may be as bright as what is behind it.
    """
    departure = np.median(np.abs(np.array([c.departure for c in candidates])), axis=0)
    strongest = int(np.argmax(departure[1:])) + 1
    coloured = departure[strongest] > max(CHROMA_WORTH * departure[0], CHROMA_FLOOR)
    return (0, strongest) if coloured else (0,)


@dataclass(frozen=True, slots=True)
class _View:
    """How a path's discs are looked at: in which planes, whether without what is attached to them, and without what has another colour.

    ``coded``: as pixels of software, that mix code values, and not as a camera's, that mix light. ``bent``: whether shades may bend more in one
    direction than in the other; None: as is usual for such pixels, see `bends`.
    """

    planes: tuple[int, ...]
    freed: bool = False
    tinted: bool = False
    coded: bool = False
    bent: bool | None = None

    def bends(self, radius_px: float) -> bool:
        """Whether shades of discs of this size may bend more in one direction: software's may, a camera's bend little."""
        return self.coded and radius_px >= LEAST_BENT_PX if self.bent is None else self.bent


def _first_look(
    stretch: Stretch, rows: Ints, place: Floats, size: Floats, candidates: Sequence[Candidate], coded: bool
) -> tuple[_View, Samples, Bools]:  # fmt: skip
    """How a path is looked at, its discs from what the regions alone tell, and which are believable.

    A coloured part of something larger is looked at by its own colour, and so is what something beside it draws aside.
    """
    planes = _planes(candidates)
    plain, tinted = _View(planes, coded=coded), _View(planes, tinted=True, coded=coded)
    if len(planes) == 1:
        return plain, *_try(stretch, rows, place, size, plain)
    if float(np.mean([c.part for c in candidates])) <= PART_SHARE:
        tried, fine = _try(stretch, rows, place, size, plain)
        own, fine_own = _try(stretch, rows, place, size, tinted)
        sure = fine_own.sum() >= fine.sum() and float(np.median(own.explained)) > WHOLE_EXPLAINED
        return (tinted, own, fine_own) if sure and _was_drawn_aside(tried, own) else (plain, tried, fine)
    tried, fine = _try(stretch, rows, place, size, tinted)
    if fine.mean() < SURE_SHARE:
        otherwise, fine_otherwise = _try(stretch, rows, place, size, plain)
        if fine_otherwise.sum() > fine.sum():
            return plain, otherwise, fine_otherwise
    return tinted, tried, fine


def _try(stretch: Stretch, rows: Ints, place: Floats, size: Floats, view: _View) -> tuple[Samples, Bools]:
    """Discs from what the regions alone tell, and which of them are believable."""
    tried = _fit(stretch, rows, place, size, view, None, radius_log_sigma=REGION_LOG_SIGMA)
    return tried, _believable(tried, place, size, stretch.stride)


def _was_pulled(tried: Samples, freed: Samples, fine: Bools) -> bool:
    """Whether discs lie elsewhere, or are smaller, without what is attached to them; where they do not, leaving it out costs edge for nothing."""
    apart = np.hypot(*(freed.centre_px - tried.centre_px).T) / tried.radius_px
    other = (apart > PULLED_RADII) | (np.abs(np.log(freed.radius_px / tried.radius_px)) > PULLED_LOG_RADIUS)
    return bool(fine.any() and other[fine].mean() > PULLED_SHARE)


def _was_drawn_aside(tried: Samples, own: Samples) -> bool:
    """Whether discs lie to one side of where they lie without what has another colour: a shadow or an arm beside the object draws them all alike."""
    shift = (own.centre_px - tried.centre_px) / tried.radius_px[:, None]
    usual = np.median(shift, axis=0)
    aside = float(np.hypot(*usual))
    return aside > ASIDE_RADII and float(np.median(np.hypot(*(shift - usual).T))) < ASIDE_SCATTER * aside


def _with_rest(
    stretch: Stretch, rows: Ints, samples: Samples, good: Bools, rest: Ints, place: Floats, size: Floats, motion: Floats, exposure: float | None,
    view: _View,
) -> tuple[Samples, Bools]:  # fmt: skip
    """The samples, with those that were not tried fitted from what the tried ones tell where these agree, else from far away."""
    good, told = good.copy(), _expectation(rows, samples, good, place)
    if told is not None:
        fast = _fast(np.hypot(*motion[rest].T), told.radius_px[rest], 0.0) & (exposure is not None)
        for some, streaked in ((rest[fast], True), (rest[~fast], False)):
            if not len(some):
                continue
            streak = (exposure or 0.0) * motion[some] if streaked else None
            fitted = _fit(
                stretch, rows[some], place[some] + told.shift_px, told.radius_px[some], view, streak, np.full(len(some), told.softness_px),
                within_px=told.within_px,
            )  # fmt: skip
            fine = _believable(fitted, place[some] + told.shift_px, told.radius_px[some], stretch.stride)
            fine &= (fitted.explained > told.explained - EXPLAINED_TOLERANCE) & (fitted.fitted | (not streaked))
            fine &= np.abs(np.log(np.maximum(fitted.radius_px, 1e-3) / told.radius_px[some])) < 2 * SURE_LOG_RADIUS
            samples, good[some[fine]] = _replace(samples, some[fine], fitted, fine), True
    late = rest[~good[rest]]
    if len(late):
        fitted, good[late] = _try(stretch, rows[late], place[late], size[late], view)
        samples = _replace(samples, late, fitted, np.ones(len(late), bool))
    return samples, good


@dataclass(frozen=True, slots=True)
class _Expectation:
    """What some samples tell of all: radius (n,), edge width, share explained, and how far from its candidate a disc is, within what."""

    radius_px: Floats
    softness_px: float
    explained: float
    shift_px: Floats
    within_px: float


def _expectation(rows: Ints, samples: Samples, good: Bools, place: Floats) -> _Expectation | None:
    """None where the samples that were tried do not agree."""
    tried = samples.radius_px > 0
    if good.sum() < max(SURE_SHARE * tried.sum(), 4):
        return None
    fine = np.flatnonzero(good)
    radius = np.log(samples.radius_px[fine])
    if np.median(np.abs(radius[1:-1] - 0.5 * (radius[:-2] + radius[2:]))) > SURE_LOG_RADIUS:
        return None
    shift = samples.centre_px[fine] - place[fine]
    usual = np.median(shift, axis=0)
    return _Expectation(
        radius_px=np.exp(np.interp(rows, rows[fine], radius)),
        softness_px=float(np.median(samples.softness_px[fine])),
        explained=float(np.median(samples.explained[fine])),
        shift_px=usual,
        within_px=SURE_REACH * float(np.percentile(np.hypot(*(shift - usual).T), 80)),
    )


def _retried(stretch: Stretch, rows: Ints, samples: Samples, good: Bools, place: Floats, size: Floats, view: _View) -> Samples:
    """Samples that did not settle are fitted again from where the others say they should be; ``good`` is brought up to date."""
    if not good.any() or good.all():
        return samples
    again = np.flatnonzero(~good)
    centre, radius = _expected(rows, samples, good, again, place, size)
    retried = _fit(stretch, rows[again], centre, radius, view, None)
    fine = _believable(retried, centre, radius, stretch.stride)
    good[again[fine]] = True
    return _replace(samples, again[fine], retried, fine)


def _motion(rows: Ints, place: Floats) -> Floats:
    """(n, 2) displacement in one frame at each sample, by central differences."""
    if len(rows) < 2:
        return np.zeros((len(rows), 2))
    return np.gradient(place, rows.astype(float), axis=0)


def _fit(
    stretch: Stretch, rows: Ints, centre: Floats, radius: Floats, view: _View, streak: Floats | None, softness: Floats | None = None,
    radius_log_sigma: float = np.inf, within_px: float = np.inf,
) -> Samples:  # fmt: skip
    """Discs of any size, in batches of about one window size."""
    n = len(rows)
    length = np.zeros(n) if streak is None else np.hypot(streak[:, 0], streak[:, 1])
    half = np.ceil((1 + MARGIN_RADII) * radius + 0.6 * length + MARGIN_PX)
    thinning = np.maximum(1, np.ceil((2 * half + 1) / MAX_WINDOW)).astype(int)
    window = (np.ceil((2 * half / thinning + 1) / 8) * 8).astype(int)
    out = _blank(n)
    for batch in _batches(thinning, window):
        thin, side = int(thinning[batch[0]]), int(window[batch].max())
        corner = np.round(centre[batch] - (thin * (window[batch] - 1) / 2)[:, None]).astype(int)
        # Colour is stored in blocks of 2 x 2 pixels: crops begin at whole blocks.
        corner -= corner % 2
        images, stills = ([np.full((len(batch), side, side), np.nan, np.float32) for _ in view.planes] for _ in range(2))
        for k, (x, y) in enumerate(corner.tolist()):
            own = int(window[batch[k]])
            for plane, image, still in zip(view.planes, images, stills, strict=True):
                behind = stretch.still(x, y, own * thin, plane)
                image[k, :own, :own] = stretch.window(int(rows[batch[k]]), x, y, own * thin, plane, behind)[::thin, ::thin]
                still[k, :own, :own] = behind[::thin, ::thin]
        discs = fit_discs(
            images,
            stills,
            (centre[batch] - corner) / thin,
            radius[batch] / thin,
            softness_px=None if softness is None else softness[batch] / thin,
            streak_px=None if streak is None else streak[batch] / thin,
            radius_log_sigma=radius_log_sigma,
            channels=view.planes,
            freed=view.freed,
            tinted=view.tinted,
            coded=view.coded,
            bent=view.bends(float(np.median(radius[batch] / thin))),
            within_px=within_px / thin,
        )
        out = _replace(out, batch, _scaled(discs, corner, thin), np.ones(len(batch), bool))
    return out


def _batches(thinning: Ints, window: Ints) -> Iterator[Ints]:
    """Crops that are fitted together: of one thinning and about one size, the smallest first."""
    order = np.lexsort((window, thinning))
    while len(order):
        first = order[0]
        alike = (thinning[order] == thinning[first]) & (window[order] <= BATCH_SPREAD * window[first])
        largest = int(window[order][alike].max())
        count = min(int(np.count_nonzero(alike)), BATCH, max(1, BATCH_PIXELS // largest**2))
        yield order[:count]
        order = order[count:]


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
        discs.surprise,
        np.zeros(len(discs.radius_px)),
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
        surprise=zero,
        sway_px=zero,
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
    variance = 0.5 * np.einsum("nii->n", samples.covariance_px)
    placed = (variance > 0) & (variance < (MAX_SIGMA_RADII * samples.radius_px) ** 2)
    settled = fits & placed & (shift < MAX_SHIFT_RADII * radius + 2 * stride)
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


def _without_strays(stretch: Stretch, rows: Ints, samples: Samples, good: Bools, view: _View) -> Samples:
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
    retried = _fit(stretch, rows[again], centre, usual[stray], view, streak, softness)
    closer = np.abs(np.log(retried.radius_px / usual[stray])) < off[stray]
    closer |= np.hypot(*(retried.centre_px - centre).T) < np.hypot(*(samples.centre_px[again] - centre).T)
    better = closer & (retried.explained > samples.explained[again] - EXPLAINED_TOLERANCE)
    return _replace(samples, again[better], retried, better)


def _of_one_size(stretch: Stretch, rows: Ints, samples: Samples, good: Bools, view: _View) -> Samples:
    """Samples whose radius leaves the course of the others' are fitted again with that radius nearly known.

    Before something of its own colour an object shows a part of its edge only; that part and the known size tell where its centre is.
    """
    fine = np.flatnonzero(good)
    if len(fine) < LEAST_COURSE:
        return samples
    radius = samples.radius_px[fine]
    course = course_with_rests(rows[fine].astype(float), samples.centre_px[fine], radius, samples.radius_sigma_px[fine])
    departure = np.abs(np.log(radius / course))
    usual = float(np.median(departure))
    # Where most leave it a little, the course itself may be another; those that leave it by far more than most are no part of any.
    off = departure > (COURSE_LOG_SIGMA if usual < COURSE_LOG_SIGMA else max(OUTLYING * usual, 2 * SURE_LOG_RADIUS))
    if usual > SURE_LOG_RADIUS or not off.any():
        return samples
    again = fine[off]
    told = _fitted_anew(stretch, rows, samples, again, course[off], view, COURSE_LOG_SIGMA)
    better = told.explained > samples.explained[again] - COURSE_EXPLAINED
    return _replace(samples, again[better], told, better)


def _fitted_anew(stretch: Stretch, rows: Ints, samples: Samples, at: Ints, radius: Floats, view: _View, radius_log_sigma: float = np.inf) -> Samples:
    """Samples ``at`` fitted again from what they are, but for their radius: discs as discs and streaks as streaks."""
    told = _blank(len(at))
    streaked = np.any(samples.streak_px[at], axis=1)
    for some, streaks in ((np.flatnonzero(~streaked), False), (np.flatnonzero(streaked), True)):
        if len(some):
            own = at[some]
            found = _fit(
                stretch, rows[own], samples.centre_px[own], radius[some], view, samples.streak_px[own] if streaks else None,
                samples.softness_px[own], radius_log_sigma, within_px=0.0,
            )  # fmt: skip
            told = _replace(told, some, found, np.ones(len(some), bool))
    return told


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


def _fast(speed: Floats, radius: Floats, least_px: float = STREAK_MIN_RADIUS) -> Bools:
    """Which samples move so far in a frame that they may be streaks, if their radius is no less than ``least_px``."""
    return (speed > STREAK_FROM_PX + STREAK_FROM_RADII * radius) & (radius > least_px)


def _with_fast(
    stretch: Stretch, rows: Ints, samples: Samples, good: Bools, pick: Ints, motion: Floats, place: Floats, size: Floats, view: _View
) -> tuple[Samples, Ints]:  # fmt: skip
    """Fast samples tried too where few of those in ``pick`` are, so that streaks are judged by as many, and which; ``good`` is brought up to date."""
    fast = _fast(np.hypot(*motion.T), np.full(len(rows), np.median(samples.radius_px[good])))
    others = np.setdiff1d(np.flatnonzero(fast), pick)
    wanted = TRIAL_SAMPLES - int(np.count_nonzero(fast[pick]))
    if wanted <= 0 or not len(others):
        return samples, others[:0]
    more = others[spread_indices(len(others), wanted)]
    tried, good[more] = _try(stretch, rows[more], place[more], size[more], view)
    return _replace(samples, more, tried, np.ones(len(more), bool)), more


def _tried_as_streaks(
    stretch: Stretch, rows: Ints, samples: Samples, good: Bools, motion: Floats, length: Floats, view: _View
) -> tuple[Samples, float | None]:
    """Fast ones of the good samples fitted again as streaks; those fits, and the exposure in frames, where the streaks are clear as a whole."""
    fine = np.flatnonzero(good)
    speed = np.hypot(*motion[fine].T)
    fast = _fast(speed, samples.radius_px[fine])
    if fast.sum() < 3:
        return samples, None
    at, speed = fine[fast], speed[fast]
    share = np.clip(length[at] / speed, *STREAK_START)
    streaked = _streaked(stretch, rows, samples, good, at, share[:, None] * motion[at], view)
    clear = _clear(streaked, samples, at, samples.radius_px[at], stretch.stride)
    if clear.mean() < STREAK_SHARE or not _blurred(streaked):
        return samples, None
    exposure = float(np.median(np.hypot(*streaked.streak_px[clear].T) / speed[clear]))
    return _replace(samples, at[clear], streaked, clear), float(np.clip(exposure, *STREAK_START))


def _late_streaks(stretch: Stretch, rows: Ints, samples: Samples, good: Bools, motion: Floats, exposure: float, view: _View) -> Samples:
    """Fast samples of a path that shows streaks which were fitted as discs, fitted again as streaks of its exposure; these, where as good."""
    usual = np.full(len(rows), np.median(samples.radius_px[good]))
    # That they may be streaks is known of such a path, however small its discs.
    plain = np.flatnonzero(good & ~np.any(samples.streak_px, axis=1) & _fast(np.hypot(*motion.T), usual, 0.0))
    if not len(plain):
        return samples
    streaked = _streaked(stretch, rows, samples, good, plain, exposure * motion[plain], view)
    clear = _clear(streaked, samples, plain, usual[plain], stretch.stride)
    return _replace(samples, plain[clear], streaked, clear)


def _clear(streaked: Samples, samples: Samples, at: Ints, radius: Floats, stride: int) -> Bools:
    """Which of the streaks fitted to samples ``at`` are clear, and explain no less than the discs did."""
    as_good = streaked.explained >= samples.explained[at] - EXPLAINED_TOLERANCE
    return streaked.fitted & as_good & _believable(streaked, samples.centre_px[at], radius, stride)


def _streaked(stretch: Stretch, rows: Ints, samples: Samples, good: Bools, at: Ints, start: Floats, view: _View) -> Samples:
    """Samples ``at`` fitted as streaks from the path's usual radius and the edge width of its sharpest samples."""
    softness = np.full(len(at), min(float(np.percentile(samples.softness_px[good], 20)), SHARP_PX))
    radius = np.full(len(at), float(np.median(samples.radius_px[good])))
    return _fit(stretch, rows[at], samples.centre_px[at], radius, view, start, softness)


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
        samples.surprise,
        samples.sway_px,
        good,
    )
