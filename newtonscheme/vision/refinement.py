"""Sub-pixel discs by maximum likelihood on a known background.

The picture near an object is modelled as ``background (1 - a) + shade a`` with the coverage ``a`` of a disc of radius r whose edge is a
logistic step of width w, swept along a straight streak when it moved during the exposure, and with a shade that is linear and radially
quadratic inside. Centre, radius, width, streak and shading are found together by a damped Gauss-Newton iteration on all crops of a path
at once. Noise is taken from the residuals, inside and outside the disc apart, so that a textured object is not believed more than it
deserves; the covariance is widened by the spatial correlation of the residuals (Liang & Zeger's sandwich), which compression causes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..types import Bools, Floats

STAGES = ((0.5, 4), (0.15, 4), (0.0, 10))
"""Edge width in radii that the fit is held to, and steps at most: a wide edge feels the object from further away."""
COARSE_NOISE = 0.3
"""Noise in shares of the contrast while the edge is wide: no part of the object may pass for an outlier then."""
LEAST_CONTRAST = 8.0
"""Grey levels taken for the contrast of an object that has less."""
FIXED = 1e6
"""Prior precision of a logarithm that is held."""
CONVERGED_PX = 0.002
"""Steps below this end a stage: a tenth of the best precision."""
LOGISTIC_SLOPE = 1.702
"""The logistic function of 1.702 x is within 0.01 of the normal distribution function of x."""
MIN_SOFTNESS, MAX_SOFTNESS = 0.35, 4.0
"""Pixels: a pixel's own width makes an edge no sharper than this; softer is not an edge."""
SOFTNESS_PRIOR = 0.35
"""Sigma of the logarithm of the edge width about its start: a small disc's width and radius can hardly be told apart."""
SHADING_PRIOR = 0.5
"""Sigma of the shading terms in shares of the contrast: keeps a tiny disc from hiding in its own shading."""
STREAK_NODES = (-0.4, -0.2, 0.0, 0.2, 0.4)
"""Moments of the exposure, in shares of it, at which a moving disc is drawn."""
STREAK_PRIOR_PX = 1.5
"""Sigma of the streak about its start, besides half of its length."""
HUBER = 3.0
"""Residuals beyond this many sigmas (something else in the crop) count only linearly."""
NOISE_FLOOR = 0.5
"""Grey levels: rounding of the frame to 8 bits and of the background."""
STEP_SHARE = 0.5
"""A step is at most this share of the radius (and of the radius' own size)."""
CORRELATION_LAGS = 3
"""Pixels over which the residuals' correlation is added up: half of a small transform block."""
MAX_INFLATION = 9.0
"""The most that correlated residuals widen the variance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discs:
    """Fitted discs, in each crop's own pixels: first pixel's centre at (0, 0).

    ``explained`` (n,) is the share of the departure from the background that the model accounts for (1 is perfect); ``covered`` (n,) the
    share of the disc inside the picture; ``streak_px`` (n, 2) the displacement during the exposure, with ``streak_sigma_px`` along itself.
    """

    centre_px: Floats
    covariance_px: Floats
    radius_px: Floats
    radius_sigma_px: Floats
    softness_px: Floats
    streak_px: Floats
    streak_sigma_px: Floats
    contrast: Floats
    explained: Floats
    covered: Floats
    noise: Floats


def fit_discs(
    images: Floats, backgrounds: Floats, centre_px: Floats, radius_px: Floats, *, softness_px: Floats | None = None, streak_px: Floats | None = None
) -> Discs:
    """Fit a disc in each of n crops (n, c, c), NaN outside the picture, from a start good to about half a radius.

    With ``streak_px`` (n, 2), the expected displacement during the exposure, the streak is fitted too; its sign is the caller's.
    """
    n, size, _ = images.shape
    seen = np.isfinite(images).reshape(n, -1)
    values = np.where(seen, images.reshape(n, -1), 0.0).astype(np.float32)
    known = np.where(seen, backgrounds.reshape(n, -1), 0.0).astype(np.float32)
    grid = np.arange(size, dtype=np.float32)
    across, down = np.tile(grid, size), np.repeat(grid, size)
    start = _start(values, known, seen, across, down, centre_px, radius_px, softness_px, streak_px)
    theta, prior_mean = start.copy(), start.copy()
    contrast = np.maximum(np.percentile(np.abs(values - known), 97, axis=1), LEAST_CONTRAST)
    prior = _prior_precision(theta, contrast, streak_px is not None)
    streaked = streak_px is not None
    for share, steps in STAGES:
        blurred = np.log(np.clip(share * np.exp(theta[:, 2]), MIN_SOFTNESS, None))
        theta[:, 3] = np.maximum(start[:, 3], blurred)
        held = prior.copy()
        held[:, 3] = np.where(theta[:, 3] > start[:, 3], FIXED, prior[:, 3])
        prior_mean[:, 3] = theta[:, 3]
        data = (values, known, seen, across, down, streaked)
        least = (COARSE_NOISE * contrast if share > 0 else np.zeros(n)).astype(np.float32)
        theta, state = _iterate(theta, prior_mean, held, steps, data, size, least)
    return _summary(theta, state, prior, values, known, seen, size)


def _iterate(
    theta: Floats, prior_mean: Floats, prior: Floats, steps: int, data: tuple[Floats, Floats, Bools, Floats, Floats, bool], size: int, least: Floats
) -> tuple[Floats, _Evaluation]:
    """Levenberg-Marquardt steps on all crops at once, noise levels held."""
    damping = np.full(len(theta), 1e-3)
    state = _evaluate(theta, *data)
    state = _evaluate(theta, *data, scales=(np.maximum(state.scales[0], least), np.maximum(state.scales[1], least)))
    cost = state.cost + (prior * (theta - prior_mean) ** 2).sum(axis=1)
    for _ in range(steps):
        hessian, slope = state.normal_equations()
        hessian = hessian + _diagonal(prior)
        slope = slope - prior * (theta - prior_mean)
        step = np.linalg.solve(hessian + _diagonal(damping[:, None] * np.einsum("nii->ni", hessian) + 1e-9), slope[..., None])[..., 0]
        trial = _bounded(theta, step, size)
        attempt = _evaluate(trial, *data, scales=state.scales)
        attempt_cost = attempt.cost + (prior * (trial - prior_mean) ** 2).sum(axis=1)
        better = attempt_cost < cost
        moved = float(np.abs(np.where(better[:, None], trial - theta, 0.0)[:, :3]).max())
        theta = np.where(better[:, None], trial, theta)
        cost = np.where(better, attempt_cost, cost)
        damping = np.clip(np.where(better, damping * 0.2, damping * 8.0), 1e-6, 1e6)
        state = attempt if better.all() else _evaluate(theta, *data, scales=state.scales)
        if moved < CONVERGED_PX:
            break
    return theta, _evaluate(theta, *data)


@dataclass(slots=True)
class _Evaluation:
    """The model at one set of parameters: residuals, their weights and derivatives."""

    residual: Floats
    weight: Floats
    jacobian: Floats
    coverage: Floats
    scales: tuple[Floats, Floats]
    cost: Floats

    def normal_equations(self) -> tuple[Floats, Floats]:
        weighted = self.jacobian * self.weight[:, None, :]
        return np.matmul(weighted, self.jacobian.transpose(0, 2, 1)).astype(float), np.matmul(weighted, self.residual[..., None])[..., 0].astype(float)


def _start(
    values: Floats,
    known: Floats,
    seen: Bools,
    across: Floats,
    down: Floats,
    centre_px: Floats,
    radius_px: Floats,
    softness_px: Floats | None,
    streak_px: Floats | None,
) -> Floats:
    """(n, k) parameters: u, v, log r, log w, shade (mean, du, dv, radial), background offset, and the streak."""
    n = len(values)
    streak = np.zeros((n, 2)) if streak_px is None else np.asarray(streak_px, float)
    softness = np.full(n, 0.8) if softness_px is None else np.asarray(softness_px, float)
    near = ((across - centre_px[:, :1]) ** 2 + (down - centre_px[:, 1:]) ** 2 < (0.7 * radius_px[:, None] + 0.5) ** 2) & seen
    shade = (values * near).sum(axis=1) / np.maximum(near.sum(axis=1), 1)
    empty = near.sum(axis=1) == 0
    shade[empty] = known[empty].mean(axis=1)
    zero = np.zeros(n)
    columns = [centre_px[:, 0], centre_px[:, 1], np.log(radius_px), np.log(softness), shade, zero, zero, zero, zero]
    return np.stack([*columns, streak[:, 0], streak[:, 1]] if streak_px is not None else columns, axis=1).astype(float)


def _prior_precision(theta: Floats, contrast: Floats, streaked: bool) -> Floats:
    prior = np.zeros_like(theta)
    prior[:, 3] = SOFTNESS_PRIOR**-2
    prior[:, 5:8] = ((SHADING_PRIOR * contrast) ** -2)[:, None]
    prior[:, 8] = (0.1 * contrast) ** -2
    if streaked:
        prior[:, 9:] = ((STREAK_PRIOR_PX + 0.5 * np.hypot(theta[:, 9], theta[:, 10])) ** -2)[:, None]
    return prior


def _evaluate(
    theta: Floats,
    values: Floats,
    known: Floats,
    seen: Bools,
    across: Floats,
    down: Floats,
    streaked: bool,
    scales: tuple[Floats, Floats] | None = None,
) -> _Evaluation:
    t = theta.astype(np.float32)[:, :, None]
    u, v = across - t[:, 0], down - t[:, 1]
    radius, width = np.exp(t[:, 2]), np.exp(t[:, 3])
    nodes = STREAK_NODES if streaked else (0.0,)
    coverage = np.zeros_like(u)
    slopes = [np.zeros_like(u) for _ in range(6 if streaked else 4)]
    for node in nodes:
        du, dv = (u - node * t[:, 9], v - node * t[:, 10]) if streaked else (u, v)
        distance = np.sqrt(du * du + dv * dv) + np.float32(1e-3)
        edge = (radius - distance) * (LOGISTIC_SLOPE / width)
        part = 1.0 / (1.0 + np.exp(-np.clip(edge, -30, 30)))
        change = part * (1.0 - part) * (LOGISTIC_SLOPE / width) / len(nodes)
        coverage += part / len(nodes)
        inward = change / distance
        slopes[0] += inward * du
        slopes[1] += inward * dv
        slopes[2] += change * radius
        slopes[3] -= change * (radius - distance)
        if streaked:
            slopes[4] += node * inward * du
            slopes[5] += node * inward * dv
    x, y = u / radius, v / radius
    bowl = np.minimum(x * x + y * y, 2.0) - 0.5
    shade = t[:, 4] + t[:, 5] * x + t[:, 6] * y + t[:, 7] * bowl
    step = shade - known - t[:, 8]
    residual = (values - (known + t[:, 8]) - coverage * step) * seen
    tilt_u, tilt_v = coverage * (t[:, 5] + 2 * t[:, 7] * x) / radius, coverage * (t[:, 6] + 2 * t[:, 7] * y) / radius
    columns = [step * slopes[0] - tilt_u, step * slopes[1] - tilt_v, step * slopes[2], step * slopes[3]]
    columns += [coverage, coverage * x, coverage * y, coverage * bowl, 1.0 - coverage]
    columns += [step * slopes[4], step * slopes[5]] if streaked else []
    jacobian = np.stack(columns, axis=1) * seen[:, None, :]
    if scales is None:
        scales = _noise(residual, coverage, seen)
    outside, inside = scales
    sigma = outside[:, None] * (1 - coverage) + inside[:, None] * coverage
    scaled = np.abs(residual) / sigma
    huber = np.minimum(1.0, HUBER / np.maximum(scaled, 1e-6))
    loss = np.where(scaled < HUBER, scaled**2, HUBER * (2 * scaled - HUBER))
    return _Evaluation(residual, seen * huber / sigma**2, jacobian, coverage, scales, loss.sum(axis=1).astype(float))


def _noise(residual: Floats, coverage: Floats, seen: Bools) -> tuple[Floats, Floats]:
    """Robust residual sigma outside and inside each disc."""
    size = np.abs(residual)
    outer, inner = seen & (coverage < 0.05), seen & (coverage > 0.95)
    outside = _median_of(size, outer) * 1.4826
    inside = np.sqrt((np.where(inner, size, 0) ** 2).sum(axis=1) / np.maximum(inner.sum(axis=1) - 4, 1))
    outside = np.maximum(outside, NOISE_FLOOR)
    inside = np.where(inner.sum(axis=1) > 8, np.maximum(inside, outside), outside)
    return outside.astype(np.float32), inside.astype(np.float32)


def _median_of(values: Floats, where: Bools) -> Floats:
    masked = np.where(where, values, np.float32(np.inf))
    count = where.sum(axis=1)
    ordered = np.sort(masked[:, :: max(1, masked.shape[1] // 1024)], axis=1)
    few = np.isfinite(ordered).sum(axis=1)
    median = np.take_along_axis(ordered, np.maximum(few // 2, 0)[:, None].clip(0, ordered.shape[1] - 1), axis=1)[:, 0]
    return np.where((count > 0) & np.isfinite(median), median, NOISE_FLOOR)


def _bounded(theta: Floats, step: Floats, size: int) -> Floats:
    radius = np.exp(theta[:, 2])
    limit = STEP_SHARE * radius
    length = np.hypot(step[:, 0], step[:, 1])
    step = step * np.minimum(1.0, limit / np.maximum(length, 1e-9))[:, None]
    step[:, 2:4] = np.clip(step[:, 2:4], -0.3, 0.3)
    trial = theta + step
    trial[:, :2] = np.clip(trial[:, :2], -0.5 * size, 1.5 * size)
    trial[:, 2] = np.clip(trial[:, 2], np.log(0.5), np.log(size))
    trial[:, 3] = np.clip(trial[:, 3], np.log(MIN_SOFTNESS), np.log(MAX_SOFTNESS))
    return trial


def _diagonal(values: Floats) -> Floats:
    return values[:, :, None] * np.eye(values.shape[1])


def _summary(theta: Floats, state: _Evaluation, prior: Floats, values: Floats, known: Floats, seen: Bools, size: int) -> Discs:
    hessian, _ = state.normal_equations()
    covariance = np.linalg.inv(hessian + _diagonal(prior + 1e-12))
    inflation = _inflation(state, seen, size)
    covariance = covariance * inflation[:, None, None]
    radius = np.exp(theta[:, 2])
    streak = theta[:, 9:11] if theta.shape[1] > 9 else np.zeros((len(theta), 2))
    return Discs(
        centre_px=theta[:, :2],
        covariance_px=covariance[:, :2, :2],
        radius_px=radius,
        radius_sigma_px=radius * np.sqrt(covariance[:, 2, 2]),
        softness_px=np.exp(theta[:, 3]),
        streak_px=streak,
        streak_sigma_px=_along(streak, covariance),
        contrast=theta[:, 4] - (known * state.coverage).sum(axis=1) / np.maximum(state.coverage.sum(axis=1), 1e-6),
        explained=_explained(state, values, known, seen),
        covered=(state.coverage * seen).sum(axis=1) / np.maximum(state.coverage.sum(axis=1), np.pi * radius**2).clip(1e-6),
        noise=state.scales[0].astype(float),
    )


def _along(streak: Floats, covariance: Floats) -> Floats:
    if covariance.shape[1] <= 9:
        return np.full(len(streak), np.inf)
    unit = streak / np.maximum(np.hypot(streak[:, 0], streak[:, 1]), 1e-9)[:, None]
    return np.sqrt(np.einsum("ni,nij,nj->n", unit, covariance[:, 9:11, 9:11], unit))


def _explained(state: _Evaluation, values: Floats, known: Floats, seen: Bools) -> Floats:
    """Share of the squared departure from the background, over the disc and a rim of half a disc's area, that the model explains."""
    near = seen & (state.coverage > 0.02)
    departure = np.where(near, values - known, 0)
    left = np.where(near, state.residual, 0)
    noise = state.scales[0] ** 2 * near.sum(axis=1)
    total = (departure**2).sum(axis=1) - noise
    return np.clip(1 - np.maximum((left**2).sum(axis=1) - noise, 0) / np.maximum(total, 1e-3), 0, 1).astype(float)


def _inflation(state: _Evaluation, seen: Bools, size: int) -> Floats:
    """Variance factor from the residuals' spatial correlation, weighted as the centre's estimate weighs them."""
    n = len(state.residual)
    scores = (state.jacobian[:, :2] * (np.clip(state.residual * np.sqrt(state.weight), -HUBER, HUBER) * np.sqrt(state.weight))[:, None, :]).reshape(n, 2, size, size)
    leverage = (state.jacobian[:, :2] * np.sqrt(state.weight)[:, None, :]).reshape(n, 2, size, size)
    own = (scores**2).sum(axis=(1, 2, 3))
    total = own.copy()
    expected = (leverage**2).sum(axis=(1, 2, 3))
    for dy in range(CORRELATION_LAGS + 1):
        for dx in range(-CORRELATION_LAGS, CORRELATION_LAGS + 1):
            if dy == 0 and dx <= 0:
                continue
            a = scores[:, :, : size - dy, max(0, -dx) : size - max(0, dx)]
            b = scores[:, :, dy:, max(0, dx) : size - max(0, -dx)]
            total += 2 * (a * b).sum(axis=(1, 2, 3))
    ratio = np.median(np.maximum(total, 0.0) / np.maximum(expected, 1e-9))
    return np.full(n, float(np.clip(ratio, 1.0, MAX_INFLATION)))
