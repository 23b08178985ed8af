"""How much a path looks like one body under steady forces, and how large its errors are, from nothing but its own samples."""

from __future__ import annotations

from functools import cache

import numpy as np

from ..types import Floats, Ints

WINDOW = 9
"""Samples of a local cubic: a pendulum seen ten times in a swing is still a cubic over nine samples to a few per cent."""
ENOUGH_SAMPLES = 8.0
"""A path of this many samples gets half of the credit for its length."""
ENOUGH_RADII = 3.0
"""A path that spans this many radii gets half of the credit for going somewhere: what trembles in place does not."""
MOVING_PX = 3.0
"""Pixels (or expected errors) that a path must cover within a window to count as moving there: less is a trembling or drifting edge."""
TAIL = 2.0
"""Per cent of the samples on each side that do not count for a path's extent: a thing at rest with a wrong sample or two goes nowhere."""
ROUGHNESS = 0.03
"""Residual from the local cubics in shares of the path's extent within a window that halves the credit: hands are at 0.05 and above."""
ENOUGH_CONTRAST = 15.0
"""Grey levels that get half of the credit for contrast: shadows and reflections are fainter than what casts them."""
NOISE_WINDOW, NOISE_DEGREE = 11, 4
"""Samples and degree of the polynomials that the noise is read off: a quarter of a pendulum's swing is followed to 1/30000 of it."""
CLEARLY = 4.0
"""Sigmas that the departures' correlation must show: it widens every sigma of the track, and coding gives short runs of it by chance."""
USUAL_CORRELATION = 0.35
"""Of the errors of neighbouring frames where a path is too short to show its own: the median over 29 rendered clips (quartiles 0.26 and 0.6)."""
MAX_CORRELATION = 0.9
"""More is a bias, not noise."""
ENOUGH_PX = 2.0
"""Pixels of radius that get half of the credit for size: links of a chain and coding errors are small."""
EVEN_CLOCK = 0.02
"""Share of a frame's time by which an even clock may jitter: millisecond stamps at 20 frames a second."""
OUTLIER = 4.0
"""Samples off their local cubic by this many typical residuals (a bounce, a wrong candidate) do not count for the noise."""
COURSE_ROUNDS = 20
"""Rounds of the search for the least absolute deviations."""
LEAST_COURSE = 8
"""Radii that a course can be told from."""
REST_PX, REST_RADII = 2.0, 0.05
"""What stays within this of where it was first, or last, rests there: a sliver of it may be here and there."""
MIN_SAMPLES = 16
"""With fewer samples the fit's own sigmas stand."""
SCALE_RANGE = (0.5, 4.0)
"""The path may correct the sigmas by factors in this range; more would hide a mistake."""


def smoothness_of(t: Floats, centre: Floats, radius: Floats, shape: float, contrast: float, error_px: float, seen: float) -> float:
    """0 to 1: long, far-going, smooth, round and clear paths come first.

    ``shape`` is 1 for a perfect disc, ``error_px`` the expected noise, ``seen`` the share of the path's frames that it was seen in.
    """
    if len(t) < 3:
        return 0.0
    size = float(np.median(radius))
    extent = float(np.hypot(*_extent(centre)))
    residual, travel, step = _residuals_in_motion(t, centre, MOVING_PX * max(1.0, error_px))
    moving = travel > MOVING_PX * max(1.0, error_px)
    if not moving.any():
        return 0.0
    count = min(step * (int(moving.sum()) + min(WINDOW, len(t)) - 1), len(t))
    rough = float(np.median(np.maximum(residual[moving] - error_px, 0.0) / travel[moving]))
    credit = [
        count / (count + ENOUGH_SAMPLES) * seen,
        extent / (extent + ENOUGH_RADII * size),
        1.0 / (1.0 + (rough / ROUGHNESS) ** 2),
        shape**2,
        contrast / (contrast + ENOUGH_CONTRAST),
        size / (size + ENOUGH_PX),
    ]
    return float(np.prod(credit))


def parabola_at(rows: Ints, values: Floats, row: float) -> Floats:
    """The value at ``row`` of the parabola through values (n, c) at ``rows`` (n,); of a straight line or mean where n is less than 4 or 2."""
    x = (rows - row).astype(float)
    basis = (x / max(float(np.abs(x).max()), 1.0))[:, None] ** np.arange(min(2, len(rows) // 2) + 1)
    return np.asarray(np.linalg.lstsq(basis, values, rcond=None)[0][0], dtype=np.float64)


def off_course(rows: Ints, centre: Floats) -> float:
    """Distance of the first of some places (n, 2) at ``rows`` (n,) from where the parabola through the others leads."""
    return float(np.hypot(*(parabola_at(rows[1:], centre[1:], int(rows[0])) - centre[0])))


def typical_error(t: Floats, centre: Floats, covariance: Floats) -> tuple[float, float]:
    """The factor by which the samples scatter about a smooth path more than their sigmas say, and their correlation time (s).

    Both are read off the departures of window middles from polynomials, whose response to noise with correlation phi between neighbours
    (a first-order autoregression) is known; phi is the one whose response has the lag-one correlation that the departures show.
    """
    dt = float(np.median(np.diff(t)))
    if len(t) < MIN_SAMPLES:
        return _short_scale(t, centre, covariance), -dt / float(np.log(USUAL_CORRELATION))
    rows, basis = _windows(t, NOISE_WINDOW, NOISE_DEGREE)
    middle = NOISE_WINDOW // 2
    filters = -np.einsum("mk,mkw->mw", basis[:, middle], np.linalg.pinv(basis))
    filters[:, middle] += 1.0
    departure = (filters[..., None] * centre[rows]).sum(axis=1)
    sigma = np.sqrt(0.5 * np.trace(covariance, axis1=1, axis2=2))[rows[:, middle]]
    typical = np.median(filters, axis=0)
    phi = _autocorrelation(departure / sigma[:, None], typical, dt, t[rows[:, middle]])
    response = np.sqrt(_response(typical, phi, 0))
    spread = 1.4826 * float(np.median(np.abs(departure / sigma[:, None]))) / response
    return float(np.clip(spread, *SCALE_RANGE)), (-dt / float(np.log(phi)) if phi > 0 else 0.0)


def _short_scale(t: Floats, centre: Floats, covariance: Floats) -> float:
    """The same factor from one polynomial through a short path; 1 where there are too few samples for that."""
    freedom = len(t) - NOISE_DEGREE - 1
    if freedom < 3:
        return 1.0
    _, basis = _windows(t, len(t), NOISE_DEGREE)
    weight = 1 / np.sqrt(0.5 * np.trace(covariance, axis1=1, axis2=2))[:, None]
    design = basis[0] * weight
    left = centre * weight - design @ np.linalg.lstsq(design, centre * weight, rcond=None)[0]
    return float(np.clip(np.sqrt((left**2).sum() / (2 * freedom)), *SCALE_RANGE))


def _autocorrelation(scaled: Floats, typical: Floats, dt: float, t: Floats) -> float:
    """The noise's correlation from sample to sample, 0 where it is not clearly there."""
    neighbours = np.diff(t) < 1.5 * dt
    limit = OUTLIER * 1.4826 * float(np.median(np.abs(scaled)))
    kept = np.clip(scaled, -limit, limit)
    if neighbours.sum() < MIN_SAMPLES:
        return 0.0
    shown = float((kept[1:] * kept[:-1])[neighbours].mean() / np.maximum((kept**2).mean(), 1e-12))
    grid = np.linspace(0.0, MAX_CORRELATION, 19)
    expected = np.array([_response(typical, phi, 1) / _response(typical, phi, 0) for phi in grid])
    uncertainty = 1 / np.sqrt(2 * neighbours.sum())
    return float(np.interp(shown, expected, grid)) if shown > expected[0] + CLEARLY * uncertainty else 0.0


def _response(weights: Floats, phi: float, lag: int) -> float:
    """Covariance at a lag of a filter's output for unit noise with neighbour correlation phi."""
    k = np.arange(len(weights))
    distance = np.abs(k[:, None] - k[None] + lag)
    return float(weights @ np.where(distance == 0, 1.0, phi**distance) @ weights)


def _windows(t: Floats, window: int, degree: int) -> tuple[Ints, Floats]:
    """Rows (m, w) of all runs of ``window`` samples and their polynomial bases (m, w, degree + 1), or one (1, ...) for an even clock."""
    count = min(window, len(t))
    rows = np.arange(len(t) - count + 1)[:, None] + np.arange(count)[None]
    step = np.diff(t)
    at = rows[:1] if np.ptp(step) < EVEN_CLOCK * float(np.median(step)) else rows
    x = t[at] - t[at].mean(axis=1, keepdims=True)
    x = x / np.maximum(np.abs(x).max(axis=1, keepdims=True), 1e-12)
    return rows, x[..., None] ** np.arange(degree + 1)


def _residuals_in_motion(t: Floats, centre: Floats, least: float) -> tuple[Floats, Floats, int]:
    """`_local_residuals` over every k-th sample, and that k: the first power of two at which most windows show a motion of ``least`` px.

    At 240 frames a second a slow swing hardly moves in nine frames.
    """
    step = 1
    residual, travel = _local_residuals(t, centre)
    while float(np.median(travel)) <= least and len(t) >= 2 * step * WINDOW:
        step *= 2
        residual, travel = _local_residuals(t[::step], centre[::step])
    return residual, travel, step


def _local_residuals(t: Floats, centre: Floats) -> tuple[Floats, Floats]:
    """Root-mean-square residual from a cubic, and the extent of the path, in each window of samples."""
    count = min(WINDOW, len(t))
    degree = min(3, count - 2)
    local = np.lib.stride_tricks.sliding_window_view(centre, count, axis=0).transpose(0, 2, 1)
    left = local - _smoother(t, count, degree) @ local
    residual = np.sqrt((left**2).sum(axis=(1, 2)) / max(count - degree - 1, 1))
    return residual, np.hypot(*(local.max(axis=1) - local.min(axis=1)).T)


def _smoother(t: Floats, count: int, degree: int) -> Floats:
    """(m, w, w) or, for an even clock, (w, w): the matrices that put polynomials through all runs of ``count`` samples."""
    step = np.diff(t)
    if np.ptp(step) < EVEN_CLOCK * float(step.mean()):
        return _even_smoother(count, degree)
    _, basis = _windows(t, count, degree)
    return np.asarray(basis @ np.linalg.pinv(basis))


@cache
def _even_smoother(count: int, degree: int) -> Floats:
    basis = np.linspace(-1.0, 1.0, count)[:, None] ** np.arange(degree + 1)
    return np.asarray(basis @ np.linalg.pinv(basis))


def _extent(centre: Floats) -> Floats:
    """(2,) distance between the places that ``TAIL`` per cent of the samples lie below and above, interpolated."""
    ordered = np.sort(centre, axis=0)
    at = 0.01 * TAIL * (len(ordered) - 1)
    k = int(at)
    low = ordered[k] + (at - k) * (ordered[k + 1] - ordered[k])
    high = ordered[-1 - k] - (at - k) * (ordered[-1 - k] - ordered[-2 - k])
    return np.asarray(high - low)


def radius_course(t: Floats, radius: Floats, sigma: Floats | None = None) -> Floats:
    """(n,) px: the course of apparent radii under a steady change of depth: a line through 1 / radius by least absolute deviations.

    ``sigma`` (n,) px: how well each radius is known, and so how much its deviation counts; all alike without.
    """
    basis = np.vander((t - t.mean()) / max(float(np.ptp(t)), 1e-9), 2)
    inverse = 1.0 / radius
    worth = np.ones(len(basis)) if sigma is None else radius / sigma
    weight, line = worth, inverse
    for _ in range(COURSE_ROUNDS):
        root = np.sqrt(weight)
        line = basis @ np.linalg.lstsq(basis * root[:, None], inverse * root, rcond=None)[0]
        weight = worth / np.maximum(np.abs(inverse - line), 1e-3 * inverse)
    return 1.0 / np.maximum(line, 0.1 * inverse)


def course_with_rests(t: Floats, centre: Floats, radius: Floats, sigma: Floats | None = None) -> Floats:
    """(n,) px: `radius_course` of a path that may begin and end at rest: a kick or a wall ends a steady change of depth, and no size jumps there.

    A ball at rest is often seen in part only, as the background holds its picture: the flight says how large it is.
    """
    first, last = _resting(centre, radius), len(t) - _resting(centre[::-1], radius)
    if last - first < LEAST_COURSE or last - first == len(t):
        return radius_course(t, radius, sigma)
    moving = slice(first, last)
    return np.asarray(np.interp(t, t[moving], radius_course(t[moving], radius[moving], None if sigma is None else sigma[moving])))


def _resting(centre: Floats, radius: Floats) -> int:
    """How many samples a path (n, 2) stays where it began; none where they are too few to be called a rest."""
    away = np.hypot(*(centre - np.median(centre[:LEAST_COURSE], axis=0)).T) > max(REST_PX, REST_RADII * float(np.median(radius)))
    count = int(np.argmax(away)) if away.any() else len(away)
    return count if count >= LEAST_COURSE else 0
