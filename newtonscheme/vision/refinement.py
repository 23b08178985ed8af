"""Sub-pixel discs by maximum likelihood on a known background.

Centre, radius, edge width, streak and shading of a disc (see `disc_model`) are found together by a damped Gauss-Newton iteration on all
crops of a path at once. Noise is taken from the residuals, inside and outside the disc apart, so that a textured object is not believed
more than it deserves; the covariance is widened by the spatial correlation of the residuals (Liang & Zeger's sandwich), which compression
causes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..types import Bools, Floats
from .background import Singles
from .disc_model import (
    OFFSET,
    ONLY_BENT,
    OWN_NUMBERS,
    SHADES,
    STREAKS,
    TAILS,
    Evaluation,
    Pixels,
    Plane,
    Scales,
    evaluate,
    first_number,
    is_streaked,
)
from .highlights import find_highlights
from .rim import find_attached, rim_support

COARSE_RADII, COARSE_STEPS = 0.15, 4
"""Edge width in radii that a fit is held to at first, as far as edges may be that wide, and steps at most: a wide edge feels the object from
further away."""
REACH = 2.0
"""Edge widths that a disc may be off by and still be found."""
SETTLING_STEPS, LAST_STEPS = 2, 8
"""Steps at most with the edge free, before and after the noise is taken anew."""
FREED_STEPS = 4
"""Steps at most after what is attached to the disc was left out, before that is looked at again."""
MOST_GROWTH = 0.02
"""Logarithm of the radius: without what is attached to it a disc shrinks or stays; one that grows more than this has lost what held it."""
MAX_THINNING, RADII_PER_STEP = 4, 5.0
"""A wide edge is found on every k-th pixel, k growing by one for each so many pixels of radius."""
COARSE_NOISE = 0.3
"""Noise in shares of the contrast while the edge is wide: no part of the object may pass for an outlier then."""
CONTRAST_QUANTILE, CONTRAST_PIXELS = 97, 500
"""The contrast is this quantile of the departures from the background, over about so many pixels of the crop."""
LEAST_CONTRAST = 8.0
"""Grey levels taken for the contrast of an object that has less."""
FIXED = 1e6
"""Prior precision of a number that is held."""
CONVERGED_SIGMAS2, COARSE_CONVERGED_PX = 1.0, 0.2
"""Steps that are worth less than this in squared sigmas end the last stage, those that are smaller than this an earlier one."""
SETTLED_SHARE = 0.25
"""Share of the crops that must have settled before the others go on without them: to part them costs a copy."""
LEAST_BRAKE = 0.05
"""Damping after a rejected step, at least."""
STUCK = 10.0
"""Damping from which a rejected step means that there is no better one."""
DEPARTURE_QUANTILES = (5, 95)
"""Per cent: the darkest and the brightest that an object shows, single pixels aside."""
OTHER_TINT, OTHER_TINT_LEAST, TINT_SURE = 0.35, 0.12, 0.5
"""A pixel has not the disc's colour where its share of the contrast in colour is below this part of that in brightness; shares of the contrast
in brightness from which it is looked at, and in colour from which a pixel tells the colour's sign."""
OFFSET_PRIOR = 0.1
"""Sigma, in contrasts, of a change of the background around the object: soft shadows."""
COLOUR_SOFTNESS = 1.2
"""How much softer edges are in colour, px."""
MIN_SOFTNESS, MAX_SOFTNESS = 0.25, 4.0
"""Pixels: a pixel's own width makes an edge no sharper than this; softer is not an edge."""
SOFTNESS_PRIOR = 0.35
"""Sigma of the logarithm of the edge width about its start: a small disc's width and radius can hardly be told apart."""
SHADING_PRIOR = 0.5
"""Sigma of the shading terms in shares of the contrast: keeps a tiny disc from hiding in its own shading."""
BENDING_PRIOR = 0.15
"""The same of what makes a shade bend more in one direction than in the other."""
STREAK_PRIOR_PX = 1.5
"""Sigma of the streak about its start, besides half of its length."""
STEP_SHARE = 0.5
"""A step is at most this share of the radius (and of the radius' own size)."""
CORRELATION_LAGS = 3
"""Pixels over which the residuals' correlation is added up: half of a small transform block."""
RIM_SEEN = 0.75
"""Share of a rim that is a disc's, whatever the disc looks like; the discs that fit hands and arms best have less."""
MAX_INFLATION = 16.0
"""The most that correlated residuals widen the variance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discs:
    """Fitted discs, in each crop's own pixels: first pixel's centre at (0, 0).

    ``explained`` (n,) is the share of the departure from the background that the model accounts for (1 is perfect), or of the rim that is
    seen if that is more; ``covered`` (n,) the
    share of the disc inside the picture; ``darkest`` and ``brightest`` (n,) quantiles of the departure from the background well inside;
    ``streak_px`` (n, 2) the displacement during the exposure, with ``streak_sigma_px`` along itself; ``surprise`` (n,) minus twice the log
    likelihood of a pixel, in the mean, with what the numbers that the shade is free in cost (Schwarz 1978).
    """

    centre_px: Floats
    covariance_px: Floats
    radius_px: Floats
    radius_sigma_px: Floats
    softness_px: Floats
    streak_px: Floats
    streak_sigma_px: Floats
    darkest: Floats
    brightest: Floats
    explained: Floats
    covered: Floats
    noise: Floats
    surprise: Floats


def fit_discs(
    images: Sequence[Singles],
    backgrounds: Sequence[Singles],
    centre_px: Floats,
    radius_px: Floats,
    *,
    softness_px: Floats | None = None,
    streak_px: Floats | None = None,
    radius_log_sigma: float = np.inf,
    within_px: float = np.inf,
    channels: Sequence[int] = (0, 1),
    freed: bool = True,
    tinted: bool = False,
    coded: bool = False,
    bent: bool = False,
) -> Discs:
    """Fit a disc in each of n crops, NaN outside the picture, from a start good to about half a radius, or to ``within_px``.

    ``images`` and ``backgrounds`` hold one array (n, c, c) for each plane that is looked at: they share the disc and differ in shade, edge
    and noise. ``channels`` says what they are: 0 for brightness, which comes first, 1 and 2 for blue and red, of half the resolution.

    With ``streak_px`` (n, 2), the expected displacement during the exposure, the streak is fitted too; its sign is the caller's.
    ``freed``: what is attached to a disc (a string, a rod, a shadow) is left out of its fit.
    ``tinted``: of brightness only what has the colour of the disc counts, not a grey string, a shadow or an arm that it touches.
    ``coded``: pixels mix code values and not light. ``bent``: shades may bend more in one direction than in the other (see `disc_model`).
    ``radius_log_sigma`` is how well the given radii are known already: that of their logarithm.
    """
    streaked = streak_px is not None
    entire = Plane.of(images[0], backgrounds[0], backgrounds[0], first_number(0, streaked), channels[0], coded=coded, bent=bent)
    dull = images if streaked else _without_highlights(images, centre_px, radius_px)
    if tinted and len(images) > 1:
        dull = [_of_one_tint(images, backgrounds, dull[0]), *dull[1:]]
    planes = tuple(
        Plane.of(*pair, backgrounds[0], first_number(k, streaked), channels[k], coded=coded, bent=bent)
        for k, pair in enumerate(zip(dull, backgrounds, strict=True))
    )
    side = images[0].shape[1]
    theta = _start(planes, centre_px, radius_px, softness_px, streak_px)
    edges = [plane.first for plane in planes]
    softness, usual = theta[:, edges].copy(), float(np.median(radius_px))
    contrast = np.stack([_contrast(plane) for plane in planes], axis=1)
    prior, prior_mean = _prior_precision(theta, contrast, planes, streaked), theta.copy()
    prior[:, 2] = radius_log_sigma**-2
    if within_px > REACH * float(np.exp(np.median(softness[:, 0]))):
        sparse = tuple(plane.thinned(max(1, min(MAX_THINNING, int(usual / RADII_PER_STEP)))) for plane in planes)
        theta[:, edges] = np.maximum(softness, np.minimum(np.log(COARSE_RADII) + theta[:, 2], np.log(MAX_SOFTNESS))[:, None])
        held, prior_mean[:, edges] = prior.copy(), theta[:, edges]
        held[:, edges] = np.where(theta[:, edges] > softness, FIXED, prior[:, edges])
        if streaked:
            # A streak shorter than the edge is wide could as well point the other way.
            held[:, STREAKS] = FIXED
        theta = _iterate(theta, prior_mean, held, COARSE_STEPS, sparse, side, COARSE_NOISE * contrast, areal=False)
    theta[:, edges], prior_mean[:, edges] = softness, softness
    least = np.zeros_like(contrast)
    whole = tuple(plane.near(theta) for plane in planes)
    theta = _iterate(theta, prior_mean, prior, SETTLING_STEPS, whole, side, least, areal=True)
    near = _without_attached(theta, whole, contrast) if freed else whole
    with_all = _iterate(theta, prior_mean, prior, LAST_STEPS, whole, side, least, areal=True)
    if near is whole:
        return _summary(with_all, prior, whole, entire, side)
    for steps in (FREED_STEPS, LAST_STEPS):
        theta = _iterate(theta, prior_mean, prior, steps, near, side, least, areal=True)
        lost = theta[:, 2] > with_all[:, 2] + MOST_GROWTH
        theta = np.where(lost[:, None], with_all, theta)
        whole = tuple(plane.near(theta) for plane in planes)
        near = tuple(
            replace(left, seen=np.where(lost[:, None], its.seen, left.seen))
            for left, its in zip(_without_attached(theta, whole, contrast), whole, strict=True)
        )
    return _summary(theta, prior, near, entire, side)


def _without_highlights(images: Sequence[Singles], centre_px: Floats, radius_px: Floats) -> Sequence[Singles]:
    """The planes with NaN for what is highlight; they themselves where there is none."""
    lamps = find_highlights(images[0], centre_px, radius_px)
    return [np.where(lamps, np.float32(np.nan), image) for image in images] if lamps.any() else images


def _of_one_tint(images: Sequence[Singles], backgrounds: Sequence[Singles], bright: Singles) -> Singles:
    """Brightness (n, s, s) with NaN where it departs from the background and the colour does much less so."""
    luma, colour = (np.nan_to_num(image - still) for image, still in zip(images[:2], backgrounds[:2], strict=True))
    shares = []
    for departure in (np.abs(luma), colour):
        own = np.abs(departure).reshape(len(departure), -1)
        shares.append(departure / np.fmax(np.percentile(own, CONTRAST_QUANTILE, axis=1), LEAST_CONTRAST)[:, None, None])
    way = np.sign(np.sum(np.where(np.abs(shares[1]) > TINT_SURE, shares[1], 0), axis=(1, 2)))[:, None, None]
    other = (shares[0] > OTHER_TINT_LEAST) & (way * shares[1] < OTHER_TINT * shares[0])
    blocked = np.stack([cv2.dilate(one, np.ones((5, 5), np.uint8)) for one in other.astype(np.uint8)]) > 0
    return np.where(blocked, np.float32(np.nan), bright)


def _without_attached(theta: Floats, pixels: tuple[Pixels, ...], contrast: Floats) -> tuple[Pixels, ...]:
    """The pixels that no string, rod or shadow has; the same tuple where there is none."""
    found = []
    for k, its in enumerate(pixels):
        outside = evaluate(theta, its).noise(np.zeros(len(theta)))[0]
        found.append(find_attached(theta, its, np.exp(theta[:, its.first]), outside, contrast[:, k]))
    if not any(some.any() for some in found):
        return pixels
    return tuple(replace(its, seen=its.seen & ~some) for its, some in zip(pixels, found, strict=True))


def _contrast(plane: Plane) -> Floats:
    """(n,) grey levels by which the object differs from the background."""
    departure = np.abs(plane.values - plane.known).reshape(len(plane.values), -1)
    ordered = np.sort(departure[:, :: max(1, departure.shape[1] // CONTRAST_PIXELS)], axis=1)
    seen = np.count_nonzero(np.isfinite(ordered), axis=1)
    at = (CONTRAST_QUANTILE / 100 * np.maximum(seen - 1, 0)).astype(int)
    return np.fmax(np.take_along_axis(ordered, at[:, None], axis=1)[:, 0], LEAST_CONTRAST).astype(float)


def _iterate(
    start: Floats, prior_mean: Floats, prior: Floats, steps: int, pixels: tuple[Pixels, ...], size: int, least: Floats, *, areal: bool
) -> Floats:
    """Levenberg-Marquardt steps on all crops at once, for the noise (at least ``least`` (n, q) in the planes) that the start's residuals show.

    Crops that have settled are put aside as soon as there are enough of them to be worth it. ``areal``: see `Evaluation.weigh`.
    """
    theta = start.copy()
    going, damping = np.arange(len(theta)), np.full(len(theta), 1e-3)
    at, mean, held = theta, prior_mean, prior
    begun = [evaluate(theta, plane) for plane in pixels]
    scales = [each.noise(least[:, k]) for k, each in enumerate(begun)]
    cost, hessian, slope = _weigh(begun, scales, at, mean, held, areal=areal)
    for _ in range(steps):
        damped = hessian + _diagonal(damping[:, None] * np.einsum("nii->ni", hessian) + 1e-9)
        step = np.asarray(np.linalg.solve(damped, slope[..., None])[..., 0], dtype=np.float64)
        worth = np.einsum("ni,ni->n", slope, step)
        trial = _bounded(at, step, size)
        tried, its, leads = _weigh([evaluate(trial, plane) for plane in pixels], scales, trial, mean, held, areal=areal)
        better = tried < cost
        small = worth < CONVERGED_SIGMAS2 if areal else np.abs(trial - at)[:, :3].max(axis=1) < COARSE_CONVERGED_PX
        settled = small | (~better & (damping > STUCK))
        at, cost = np.where(better[:, None], trial, at), np.where(better, tried, cost)
        hessian, slope = np.where(better[:, None, None], its, hessian), np.where(better[:, None], leads, slope)
        damping = np.clip(np.where(better, damping * 0.2, np.maximum(damping * 8.0, LEAST_BRAKE)), 1e-6, 1e6)
        if settled.mean() > SETTLED_SHARE or settled.all():
            theta[going], left = at, ~settled
            going, at, mean, held, cost, damping, hessian, slope = (x[left] for x in (going, at, mean, held, cost, damping, hessian, slope))
            scales = [(outside[left], inside[left]) for outside, inside in scales]
            if not len(going):
                return theta
            pixels = tuple(plane.rows(left) for plane in pixels)
    theta[going] = at
    return theta


def _weigh(
    planes: Sequence[Evaluation], scales: Sequence[Scales], theta: Floats, mean: Floats, held: Floats, *, areal: bool, expected: bool = False
) -> tuple[Floats, Floats, Floats]:
    """Cost (n,), and hessian (n, k, k) and slope (n, k) of half of it, of all planes and the prior together; see `Evaluation.weigh`."""
    off = theta - mean
    cost, hessian, slope = (held * off**2).sum(axis=1), _diagonal(held), -held * off
    for plane, levels in zip(planes, scales, strict=True):
        own_cost, own_hessian, own_slope = plane.weigh(levels, areal, expected=expected)
        cost = cost + own_cost
        hessian[:, plane.index[:, None], plane.index[None]] += own_hessian
        slope[:, plane.index] += own_slope
    return cost, hessian, slope


def _start(planes: tuple[Plane, ...], centre_px: Floats, radius_px: Floats, softness_px: Floats | None, streak_px: Floats | None) -> Floats:
    """(n, k) numbers as `evaluate` takes them, the shade that of the pixels well inside."""
    n = len(centre_px)
    softness = np.full(n, 0.8) if softness_px is None else np.clip(softness_px, MIN_SOFTNESS, MAX_SOFTNESS)
    zero, columns = np.zeros(n), [centre_px[:, 0], centre_px[:, 1], np.log(radius_px)]
    for k, plane in enumerate(planes):
        place = np.arange(plane.values.shape[1]) * plane.step + 0.5 * (plane.step - 1)
        across, down = ((place[None] - centre_px[:, axis : axis + 1]).astype(np.float32) for axis in (0, 1))
        reach = (0.7 * radius_px + 0.5 * plane.step).astype(np.float32)[:, None, None]
        near = ((across**2)[:, None, :] + (down**2)[:, :, None] < reach**2) & np.isfinite(plane.values)
        count = near.sum(axis=(1, 2))
        inside = np.where(near, plane.values, 0).sum(axis=(1, 2)) / np.maximum(count, 1)
        shade = np.where(count > 0, inside, np.nan_to_num(plane.known).mean(axis=(1, 2)))
        width = softness if k == 0 else np.minimum(np.hypot(softness, COLOUR_SOFTNESS), MAX_SOFTNESS)
        columns += [np.log(width), shade, *[zero] * (OWN_NUMBERS - 2)]
        if k == 0 and streak_px is not None:
            columns += [streak_px[:, 0], streak_px[:, 1]]
    return np.stack(columns, axis=1).astype(float)


def _prior_precision(theta: Floats, contrast: Floats, planes: Sequence[Plane], streaked: bool) -> Floats:
    prior = np.zeros_like(theta)
    for k, plane in enumerate(planes):
        first = plane.first
        prior[:, first] = SOFTNESS_PRIOR**-2
        prior[:, first + SHADES.start : first + SHADES.stop] = ((SHADING_PRIOR * contrast[:, k]) ** -2)[:, None]
        bends = slice(first + SHADES.stop - ONLY_BENT, first + SHADES.stop)
        prior[:, bends] = ((BENDING_PRIOR * contrast[:, k]) ** -2)[:, None] if plane.bent else FIXED
        prior[:, first + OFFSET] = (OFFSET_PRIOR * contrast[:, k]) ** -2
    if streaked:
        prior[:, STREAKS] = ((STREAK_PRIOR_PX + 0.5 * np.hypot(*theta[:, STREAKS].T)) ** -2)[:, None]
    return prior


def _bounded(theta: Floats, step: Floats, size: int) -> Floats:
    radius = np.exp(theta[:, 2])
    limit = STEP_SHARE * radius
    length = np.hypot(step[:, 0], step[:, 1])
    step = step * np.minimum(1.0, limit / np.maximum(length, 1e-9))[:, None]
    edges = [3, *range(3 + OWN_NUMBERS + (STREAKS.stop - STREAKS.start) * is_streaked(theta), theta.shape[1], OWN_NUMBERS)]
    logarithms = [2, *edges]
    step[:, logarithms] = np.clip(step[:, logarithms], -0.3, 0.3)
    trial = theta + step
    trial[:, :2] = np.clip(trial[:, :2], -0.5 * size, 1.5 * size)
    trial[:, 2] = np.clip(trial[:, 2], np.log(0.5), np.log(size))
    trial[:, edges] = np.clip(trial[:, edges], np.log(MIN_SOFTNESS), np.log(MAX_SOFTNESS))
    return trial


def _diagonal(values: Floats) -> Floats:
    return values[:, :, None] * np.eye(values.shape[1])


def _summary(theta: Floats, prior: Floats, pixels: tuple[Pixels, ...], entire: Plane, size: int) -> Discs:
    """What a fit found; ``entire`` is the brightness with what the fit left out."""
    planes = [evaluate(theta, plane) for plane in pixels]
    scales = [plane.noise(np.zeros(len(theta))) for plane in planes]
    _, hessian, _ = _weigh(planes, scales, theta, theta, prior + 1e-12, areal=True, expected=True)
    covariance = np.asarray(np.linalg.inv(hessian) * _inflation(planes, scales, pixels, size), dtype=np.float64)
    radius = np.exp(theta[:, 2])
    whole = entire.near(theta)
    darkest, brightest = _extremes(whole.values - whole.known, whole.seen & (evaluate(theta, whole).coverage > 0.5))
    streak = theta[:, STREAKS] if is_streaked(theta) else np.zeros((len(theta), 2))
    return Discs(
        centre_px=theta[:, :2],
        covariance_px=covariance[:, :2, :2],
        radius_px=radius,
        radius_sigma_px=radius * np.sqrt(np.maximum(covariance[:, 2, 2], 0)),
        softness_px=np.exp(theta[:, 3]),
        streak_px=streak,
        streak_sigma_px=_along(streak, covariance) if is_streaked(theta) else np.full(len(theta), np.inf),
        darkest=darkest,
        brightest=brightest,
        explained=np.maximum(_explained(planes, scales, pixels), _rimmed(theta, scales, pixels)),
        covered=_covered(theta, whole, size),
        noise=scales[0][0].astype(float),
        surprise=_surprise(planes, scales, pixels, prior),
    )


def _surprise(planes: Sequence[Evaluation], scales: Sequence[Scales], pixels: Sequence[Pixels], prior: Floats) -> Floats:
    """(n,) see `Discs`; but for what is the same for all fits to the same crops."""
    total, count = np.zeros(len(pixels[0].values)), np.zeros(len(pixels[0].values))
    for plane, levels, its in zip(planes, scales, pixels, strict=True):
        sigma, many = plane.sigma(levels), np.maximum(plane.seen.sum(axis=1), 1)
        density = (TAILS + 1) * np.log1p((plane.residual / sigma) ** 2 / TAILS) + 2 * np.log(sigma)
        free = np.count_nonzero(prior[:, its.first : its.first + OWN_NUMBERS] < FIXED, axis=1)
        total += (density * plane.seen).sum(axis=1) + free * np.log(many)
        count += many
    return total / count


def _extremes(departure: Singles, inside: Bools) -> Floats:
    """(2, n) quantiles of what the discs show, 0 where nothing of them is seen."""
    ordered = np.sort(np.where(inside, departure, np.float32(np.inf)), axis=1)
    count = inside.sum(axis=1)
    at = np.round(np.outer(np.array(DEPARTURE_QUANTILES) / 100, np.maximum(count - 1, 0))).astype(int)
    return np.where(count > 0, np.take_along_axis(ordered, at.T, axis=1).T, 0.0).astype(float)


def _covered(theta: Floats, pixels: Pixels, size: int) -> Floats:
    """Share of each disc inside the picture: the pixels' rectangle against the disc's own extent, the worse axis."""
    radius = np.exp(theta[:, 2])
    low = np.stack([np.where(pixels.seen, x, size).min(axis=1) for x in (pixels.across, pixels.down)], axis=1)
    high = np.stack([np.where(pixels.seen, x, -1).max(axis=1) for x in (pixels.across, pixels.down)], axis=1)
    centre = theta[:, :2]
    inside = np.minimum(high + 0.5, centre + radius[:, None]) - np.maximum(low - 0.5, centre - radius[:, None])
    return np.clip(inside / (2 * radius[:, None]), 0, 1).min(axis=1)


def _along(streak: Floats, covariance: Floats) -> Floats:
    unit = streak / np.maximum(np.hypot(streak[:, 0], streak[:, 1]), 1e-9)[:, None]
    return np.sqrt(np.einsum("ni,nij,nj->n", unit, covariance[:, STREAKS, STREAKS], unit))


def _explained(planes: Sequence[Evaluation], scales: Sequence[Scales], pixels: Sequence[Pixels]) -> Floats:
    """Share of the squared departure from the background, over the disc and its rim, that the model explains in the plane it explains best.

    A patterned ball may be a plain disc in colour, and a shaded one in brightness.
    """
    best = np.zeros(len(pixels[0].values))
    for plane, (outside, _), its in zip(planes, scales, pixels, strict=True):
        near = its.seen & (plane.coverage > 0.02)
        noise = outside**2 * near.sum(axis=1)
        total = (np.where(near, its.values - its.known, 0) ** 2).sum(axis=1) - noise
        left = np.maximum((np.where(near, plane.residual, 0) ** 2).sum(axis=1) - noise, 0)
        best = np.maximum(best, np.clip(1 - left / np.maximum(total, 1e-3), 0, 1))
    return best.astype(float)


def _rimmed(theta: Floats, scales: Sequence[Scales], pixels: Sequence[Pixels]) -> Floats:
    """The share of the rim that is seen, in the plane that shows it best; 0 where too little of it is for it to be a disc's."""
    rims = [rim_support(theta, its, np.exp(theta[:, its.first]), outside) for (outside, _), its in zip(scales, pixels, strict=True)]
    best = np.max(rims, axis=0)
    return np.asarray(np.where(best >= RIM_SEEN, best, 0.0))


def _inflation(planes: Sequence[Evaluation], scales: Sequence[Scales], pixels: Sequence[Pixels], size: int) -> float:
    """Variance factor by what the residuals do to the slope, with their neighbours, against what its own change lets expect; one for all crops."""
    total, expected = np.zeros(len(pixels[0].values)), np.zeros(len(pixels[0].values))
    for plane, levels, its in zip(planes, scales, pixels, strict=True):
        weight, curvature = plane.weights(levels)
        leverage = plane.jacobian[:, :2]
        flat = np.zeros((len(weight), 2, size * size), np.float32)
        np.put_along_axis(flat, np.broadcast_to(its.row[:, None], leverage.shape), leverage * (weight * plane.residual)[:, None], axis=2)
        side = 2 * CORRELATION_LAGS * its.step + 1
        around = [cv2.boxFilter(one, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT) for one in flat.reshape(-1, size, size)]
        total += (flat * np.stack(around).reshape(flat.shape)).sum(axis=(1, 2))
        expected += (leverage**2 * curvature[:, None]).sum(axis=(1, 2))
    return float(np.clip(np.median(np.maximum(total, 0.0) / np.maximum(expected, 1e-9)), 1.0, MAX_INFLATION))
