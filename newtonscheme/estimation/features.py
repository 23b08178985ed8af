"""What the recogniser sees of a stretch of track: how it moves, free of scale and place, with the noise told apart from the motion.

Nothing changes when the picture is shifted or scaled, and a mirror in u only turns the sign of the series in `MIRROR`. Time is scaled
to the window too, but for one scalar (the acceleration in radii for each second squared). Down stays down: gravity points there.
All fits are weighted by the samples' sigmas, rescaled by the noise that the samples themselves show, and an isolated outlier counts little.

Letters: B windows of one length, n samples, C series, L nodes, S scalars, F frequencies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..types import Floats

Floats32 = NDArray[np.float32]
Complexes = NDArray[np.complex128]

FEATURES_VERSION = 1
"""Goes up whenever a feature changes its meaning, so that weights trained on the old ones are refused."""

MIN_SAMPLES = 4
N_NODES = 48
"""A turning point every four nodes still shows: windows of up to about six swings."""

SERIES = (
    "x", "y", "velocity_x", "velocity_y", "acceleration_x", "acceleration_y", "quadratic_residual_x", "quadratic_residual_y",
    "harmonic_residual_x", "harmonic_residual_y", "gap", "inverse_radius",
)  # fmt: skip
MIRROR: Floats32 = np.array([-1, 1, -1, 1, -1, 1, -1, 1, -1, 1, 1, 1], dtype=np.float32)
"""(C,) what a mirror in u does to each series; the scalars do not change."""
MIRROR.setflags(write=False)

DEGREE = 5
"""Of the nested polynomials: two above the cubic that drag, lift and perspective make of a parabola."""
RESIDUAL_DEGREES = (1, 2, 3, 5)
SCALARS = (
    "log_n", "log_signal_to_noise", "log_noise_ratio", "regularity", "largest_gap", "outliers",
    *(f"term_{axis}{d}" for axis in "xy" for d in range(1, DEGREE + 1)),
    *(f"residual_{axis}{d}" for axis in "xy" for d in RESIDUAL_DEGREES),
    "sideways", "downwards", "curving", "jerk_share_x", "jerk_share_y",
    "log_cycles", "harmonic_residual_x", "harmonic_residual_y", "harmonic_share_x", "harmonic_share_y",
    "second_x", "first_y", "second_y", "ellipse", "bob_phase",
    "energy_correlation", "energy_slope", "speed_spread", "turn",
    "has_radius", "log_extent_in_radii", "log_acceleration_in_radii", "radius_trend", "radius_bend",
)  # fmt: skip

TINY = 1e-12
RIDGE = 1e-10
"""Relative to a normal matrix's diagonal: far under any noise, enough to keep a window of four samples solvable."""
NOISE_PRIOR_DOF = 4.0
"""The stated sigmas count like this many differences when the noise is estimated."""
SMOOTHING_RIDGE = 1e-6
"""Relative to a local fit's own weight: holds the curvature of a reach in which fewer than three samples lie."""
_BINOMIAL = ((1,), (1, 1), (1, 2, 1), (1, 3, 3, 1), (1, 4, 6, 4, 1))
OUTLIER_SIGMAS = 5.0
MAD_TO_SIGMA = 1.4826
MIN_NEIGHBOURS = 6
"""Samples in a local quadratic: twice its coefficients."""
NEIGHBOUR_SHARE = 0.1
"""... or this share of the window, so that long windows are smoothed on the scale of their nodes."""
FEWEST_CYCLES, FINE_CYCLES, MAX_CYCLES = 0.5, 4.0, 16.0
"""In one window. Under half a cycle an oscillation and a cubic are the same; over four, half a cycle's steps still find the peak."""
FREQUENCY_STEPS = (0.1, 0.025)
"""Cycles: refinements of the coarse scan, to a phase error of a few degrees at the window's ends."""
SAMPLES_PER_CYCLE = 3.0
MAX_FEATURE = 30.0
"""Features are logs and inverse hyperbolic sines: beyond this lies only damage."""
LARGEST_PX = 1e6
LEAST_EXTENT = 1e-3
"""Of a motion, in sigmas: what stands still is not blown up beyond this."""


@dataclass(frozen=True, slots=True)
class Features:
    """Features of B windows: ``series`` (B, C, L) and ``scalars`` (B, S), float32, all finite."""

    series: Floats32
    scalars: Floats32


def window_features(t: Floats, centre_px: Floats, sigma_px: Floats, radius_px: Floats | None = None) -> Features:
    """Features of B windows of n samples each.

    ``t`` (B, n) s, strictly increasing; ``centre_px`` (B, n, 2); ``sigma_px`` (B, n), the centre's sigma for each axis; ``radius_px``
    (B, n), NaN where it was not measured. One window may come without its leading axis. Raises ValueError under 4 samples.
    """
    t, sigma = np.atleast_2d(np.asarray(t, float)), np.atleast_2d(np.asarray(sigma_px, float))
    p = np.asarray(centre_px, float).reshape(*t.shape, 2)
    n = t.shape[1]
    if n < MIN_SAMPLES:
        raise ValueError(f"a window of {n} samples: {MIN_SAMPLES} are needed for its features")
    radius = np.full_like(t, np.nan) if radius_px is None else np.atleast_2d(np.asarray(radius_px, float))
    there = np.all(np.isfinite(p), axis=2)
    p = np.clip(np.where(there[..., None], p, 0.0), -LARGEST_PX, LARGEST_PX)
    duration = np.maximum(t[:, -1] - t[:, 0], TINY)
    s = 2.0 * (t - t[:, :1]) / duration[:, None] - 1.0
    stated = np.clip(np.where(np.isfinite(sigma) & (sigma > 0.0), sigma, LARGEST_PX), TINY, LARGEST_PX)
    noise = _noise(s, p, stated)
    used = stated * noise.ratio[:, None]
    weight = np.where(there, noise.trust, RIDGE) / used**2
    mean = np.sum(weight[..., None] * p, axis=1, keepdims=True) / np.sum(weight, axis=1)[:, None, None]
    p = p - mean
    extent = np.sqrt(np.sum(weight * np.sum(p**2, axis=2), axis=1) / np.sum(weight, axis=1))
    extent = np.maximum(extent, LEAST_EXTENT / np.sqrt(np.mean(weight, axis=1)))
    x = p / extent[:, None, None]
    weight = weight * extent[:, None] ** 2

    polynomial = _polynomials(s, x, weight)
    harmonic = _harmonics(s, x, weight)
    nodes = _local_quadratics(s, x, weight, polynomial.residual, harmonic.residual)
    level = 1.0 / np.sqrt(np.mean(weight, axis=1))
    bend, has_radius, radius_scalars = _radii(s, radius, extent, duration, polynomial.coefficients)
    series = _series(nodes, level, np.where(has_radius[:, None], bend, 0.0))
    step = np.diff(s, axis=1)
    scalars = np.column_stack(
        [
            np.full(len(t), np.log(n)),
            -np.log(level),
            np.log(noise.ratio),
            np.log(0.5 * (n - 1) * np.median(step, axis=1) + TINY),
            0.5 * np.max(step, axis=1),
            np.mean(noise.trust < 1.0, axis=1),
            _polynomial_scalars(polynomial),
            _harmonic_scalars(harmonic),
            _energy_scalars(nodes),
            radius_scalars,
        ]
    )
    return Features(_finite(series), _finite(scalars))


def mirrored(features: Features) -> Features:
    """The features of the same windows seen in a mirror (u reversed)."""
    return Features(features.series * MIRROR[:, None], features.scalars)


@dataclass(frozen=True, slots=True)
class _Noise:
    """``ratio`` (B,) of the noise that shows to the stated sigmas; ``trust`` (B, n) in 0..1, under 1 for outliers."""

    ratio: Floats
    trust: Floats


@dataclass(frozen=True, slots=True)
class _Polynomials:
    """Nested weighted fits: ``terms`` (B, 6, 2) each degree's own part in sigmas, ``chi2`` (B, 6, 2) for each degree and degree of freedom."""

    terms: Floats
    chi2: Floats
    coefficients: Floats
    residual: Floats


@dataclass(frozen=True, slots=True)
class _Harmonics:
    """The best joint frequency: ``first``, ``second`` (B, 2) complex amplitudes, ``chi2`` and ``share`` (B, 2) of what is left."""

    cycles: Floats
    first: Complexes
    second: Complexes
    chi2: Floats
    share: Floats
    residual: Floats


@dataclass(frozen=True, slots=True)
class _Nodes:
    """Local quadratics at the nodes: (B, L, 2) position, velocity, acceleration, the smoothed residuals, (B, L) the reach of each."""

    position: Floats
    velocity: Floats
    acceleration: Floats
    quadratic_residual: Floats
    harmonic_residual: Floats
    reach: Floats


def _noise(s: Floats, p: Floats, stated: Floats) -> _Noise:
    """The noise, from what a cubic through two samples on either side says of each sample between them."""
    batch, n = s.shape
    trust = np.ones((batch, n))
    if n < MIN_SAMPLES + 1:
        return _Noise(np.ones(batch), trust)
    around = np.stack([s[:, :-4], s[:, 1:-3], s[:, 3:-1], s[:, 4:]], axis=2)
    error = np.stack([p[:, :-4], p[:, 1:-3], p[:, 3:-1], p[:, 4:]], axis=2)
    at = s[:, 2:-2, None]
    lagrange = np.stack(
        [np.prod([(at[..., 0] - around[..., m]) / (around[..., k] - around[..., m]) for m in range(4) if m != k], axis=0) for k in range(4)],
        axis=2,
    )
    spread = np.sqrt(1.0 + np.sum(lagrange**2, axis=2))
    surprise = (p[:, 2:-2] - np.sum(lagrange[..., None] * error, axis=2)) / (spread * stated[:, 2:-2])[..., None]
    size = np.sqrt(0.5 * np.sum(surprise**2, axis=2))
    count = 2.0 * size.shape[1]
    typical = MAD_TO_SIGMA * np.median(np.abs(surprise).reshape(batch, -1), axis=1)
    ratio = np.sqrt((NOISE_PRIOR_DOF + count * typical**2) / (NOISE_PRIOR_DOF + count))
    lonely = size.copy()
    for shift in (1, 2):
        lonely[:, shift:] = np.where(size[:, :-shift] > size[:, shift:], 0.0, lonely[:, shift:])
        lonely[:, :-shift] = np.where(size[:, shift:] > size[:, :-shift], 0.0, lonely[:, :-shift])
    trust[:, 2:-2] = np.minimum(1.0, (OUTLIER_SIGMAS * ratio[:, None] / np.maximum(lonely, TINY)) ** 2)
    return _Noise(ratio, trust)


def _polynomials(s: Floats, x: Floats, weight: Floats) -> _Polynomials:
    """Nested Legendre fits by one Cholesky factor: its forward-substituted right side is each degree's own part, in sigmas."""
    n = s.shape[1]
    basis = _legendre(s, DEGREE)
    factor, terms = _solve_lower(basis, x, weight)
    terms[:, min(n, DEGREE + 1) :] = 0.0
    total = np.sum(weight[..., None] * x**2, axis=1)
    left = np.maximum(total[:, None] - np.cumsum(terms**2, axis=1), 0.0)
    dof = np.maximum(n - 1.0 - np.arange(DEGREE + 1), 1.0)
    cubic = np.asarray(np.linalg.solve(np.swapaxes(factor[:, :4, :4], 1, 2), terms[:, :4]), dtype=np.float64)
    quadratic = np.linalg.solve(np.swapaxes(factor[:, :3, :3], 1, 2), terms[:, :3])
    return _Polynomials(terms, left / dof[None, :, None], cubic, x - basis[..., :3] @ quadratic)


def _legendre(s: Floats, degree: int) -> Floats:
    """(..., degree + 1) Legendre polynomials by Bonnet's recursion."""
    columns = [np.ones_like(s), s]
    for k in range(1, degree):
        columns.append(((2 * k + 1) * s * columns[k] - k * columns[k - 1]) / (k + 1))
    return np.stack(columns, axis=-1)


def _solve_lower(basis: Floats, x: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Cholesky factor of the weighted normal matrix of ``basis`` (..., n, k) and the forward-substituted right side (..., k, 2)."""
    weighted = np.swapaxes(basis, -1, -2) * weight[..., None, :]
    normal = weighted @ basis
    diagonal = np.einsum("...ii->...i", normal)
    diagonal += RIDGE * (np.max(diagonal, axis=-1, keepdims=True) + TINY)
    factor = np.asarray(np.linalg.cholesky(normal), dtype=np.float64)
    return factor, np.asarray(np.linalg.solve(factor, weighted @ x), dtype=np.float64)


def _harmonics(s: Floats, x: Floats, weight: Floats) -> _Harmonics:
    """One frequency and its double, fitted to both axes together: a coarse scan, then two refinements."""
    n = s.shape[1]
    top = min(MAX_CYCLES, max(n / SAMPLES_PER_CYCLE, 1.0))
    coarse = np.concatenate([np.arange(FEWEST_CYCLES, FINE_CYCLES, 0.25), np.arange(FINE_CYCLES, MAX_CYCLES + 0.25, 0.5)])
    cycles = np.broadcast_to(coarse[coarse <= top], (len(s), int(np.sum(coarse <= top))))
    every, best = np.arange(len(s)), np.zeros(len(s))
    for step in (0.0, *FREQUENCY_STEPS):
        if step:
            cycles = np.maximum(best[:, None] + step * np.arange(-2, 3), FEWEST_CYCLES)
        factor, terms, basis = _harmonic_terms(s, x, weight, cycles)
        most = np.argmax(np.sum(terms**2, axis=(2, 3)), axis=1)
        best = cycles[every, most]
    amplitude = np.linalg.solve(np.swapaxes(factor[every, most], -1, -2), terms[every, most])
    residual = x - basis[every, most] @ amplitude
    left = np.sum(weight[..., None] * residual**2, axis=1)
    total = np.sum(weight[..., None] * x**2, axis=(1, 2))
    return _Harmonics(
        best,
        amplitude[:, 1] - 1j * amplitude[:, 2],
        amplitude[:, 3] - 1j * amplitude[:, 4],
        left / max(n - 5.5, 1.0),
        left / (total[:, None] + TINY),
        residual,
    )


def _harmonic_terms(s: Floats, x: Floats, weight: Floats, cycles: Floats) -> tuple[Floats, Floats, Floats]:
    """Cholesky factors (B, F, 5, 5), explained parts (B, F, 5, 2) in sigmas, and the basis (B, F, n, 5) at ``cycles`` (B, F)."""
    angle = np.pi * cycles[..., None] * s[:, None]
    basis = np.empty((*angle.shape, 5))
    cosine, sine = np.cos(angle), np.sin(angle)
    basis[..., 0], basis[..., 1], basis[..., 2] = 1.0, cosine, sine
    basis[..., 3], basis[..., 4] = 2.0 * cosine * cosine - 1.0, 2.0 * sine * cosine
    factor, terms = _solve_lower(basis, x[:, None], weight[:, None])
    return factor, terms, basis


def _local_quadratics(s: Floats, x: Floats, weight: Floats, quadratic_residual: Floats, harmonic_residual: Floats) -> _Nodes:
    """Tricube-weighted local quadratics at L evenly spaced times, wide enough for a few samples each (Cleveland 1979)."""
    n = s.shape[1]
    node = np.linspace(-1.0, 1.0, N_NODES)
    distance = np.abs(node[None, :, None] - s[:, None, :])
    k = min(n, max(MIN_NEIGHBOURS, int(np.ceil(NEIGHBOUR_SHARE * n))))
    reach = np.partition(distance, k - 1, axis=2)[:, :, k - 1 : k] * 1.001 + TINY
    closeness = np.maximum(1.0 - _cubed(distance / reach), 0.0)
    kernel = _cubed(closeness) * (weight / np.mean(weight, axis=1, keepdims=True))[:, None]
    powers = np.vander(s.ravel(), 5, increasing=True).reshape(*s.shape, 5)
    sides = np.concatenate([x, quadratic_residual, harmonic_residual], axis=2)
    raw = kernel @ np.concatenate([powers, *(powers[..., j, None] * sides for j in range(3))], axis=2)
    fit = _solve_quadratics(raw[..., :5], raw[..., 5:].reshape(*raw.shape[:2], 3, 6), node, reach[..., 0])
    return _Nodes(fit[0][..., :2], fit[1][..., :2], 2.0 * fit[2][..., :2], fit[0][..., 2:4], fit[0][..., 4:6], reach[..., 0])


def _cubed(x: Floats) -> Floats:
    """Products cost a tenth of numpy's power."""
    return x * x * x


def _solve_quadratics(moments: Floats, right: Floats, node: Floats, reach: Floats) -> tuple[Floats, Floats, Floats]:
    """The three coefficients (B, L, 6) about each node, from moments (B, L, 5) and right sides (B, L, 3, 6) in powers of s.

    Solved in units of the reach by cofactors: a thousand 3 x 3 systems cost what ten calls to LAPACK would.
    """
    c, h = -node, 1.0 / reach
    m = [moments[..., k] for k in range(5)]
    shifts, scales = [np.ones_like(c)], [np.ones_like(h)]
    for _ in range(4):
        shifts.append(shifts[-1] * c)
        scales.append(scales[-1] * h)
    about = [sum(_BINOMIAL[k][j] * shifts[k - j] * m[j] for j in range(k + 1)) * scales[k] for k in range(5)]
    a, b, d, e, f = about[0] * (1.0 + SMOOTHING_RIDGE), about[1], about[2], about[3], about[4] + SMOOTHING_RIDGE * about[0]
    g = d + SMOOTHING_RIDGE * about[0]
    r0 = right[..., 0, :]
    r1 = (right[..., 1, :] + c[:, None] * r0) * h[..., None]
    r2 = (right[..., 2, :] + 2.0 * c[:, None] * right[..., 1, :] + (c**2)[:, None] * r0) * (h**2)[..., None]
    c00, c01, c02 = g * f - e * e, d * e - b * f, b * e - d * g
    c11, c12, c22 = a * f - d * d, b * d - a * e, a * g - b * b
    scale = 1.0 / (a * c00 + b * c01 + d * c02 + TINY)
    c00, c01, c02, c11, c12, c22 = ((cofactor * scale)[..., None] for cofactor in (c00, c01, c02, c11, c12, c22))
    value = c00 * r0 + c01 * r1 + c02 * r2
    slope = (c01 * r0 + c11 * r1 + c12 * r2) * h[..., None]
    bend = (c02 * r0 + c12 * r1 + c22 * r2) * (h**2)[..., None]
    return value, slope, bend


def _series(nodes: _Nodes, level: Floats, bend: Floats) -> Floats:
    """(B, C, L): inverse hyperbolic sines keep quick oscillations and clean residuals in range."""
    per_sigma = 1.0 / level[:, None, None]
    parts = [
        nodes.position,
        np.arcsinh(nodes.velocity),
        np.arcsinh(nodes.acceleration),
        np.arcsinh(nodes.quadratic_residual * per_sigma),
        np.arcsinh(nodes.harmonic_residual * per_sigma),
        np.log(nodes.reach)[..., None],
        np.arcsinh(bend)[..., None],
    ]
    return np.swapaxes(np.concatenate(parts, axis=2), 1, 2)


def _polynomial_scalars(fit: _Polynomials) -> Floats:
    """How significant each degree is, what is left after it, and where the acceleration points. u only by its size."""
    terms = np.arcsinh(fit.terms[:, 1:])
    residual = 0.5 * np.log1p(fit.chi2[:, RESIDUAL_DEGREES])
    bend = fit.coefficients[:, 2]
    size = np.hypot(bend[:, 0], bend[:, 1]) + TINY
    jerk = fit.coefficients[:, 3] / (size[:, None] + np.abs(fit.coefficients[:, 3]))
    return np.column_stack(
        [
            np.abs(terms[..., 0]), terms[..., 1], residual[..., 0], residual[..., 1],
            np.abs(bend[:, 0]) / size, bend[:, 1] / size, np.arcsinh(size), np.abs(jerk[:, 0]), jerk[:, 1],
        ]
    )  # fmt: skip


def _harmonic_scalars(fit: _Harmonics) -> Floats:
    """The best oscillation: how well it fits, the size of its parts, and two signs of a bob.

    A motor's circle has an ellipse in its first harmonic; a bob swings on a line in it, and hangs lowest each time it passes the
    middle: with u = U cos(a), v holds -cos(2a), so that the phase of V2 / U1^2 is pi.
    """
    first, second = fit.first, fit.second
    main = np.hypot(np.abs(first[:, 0]), np.abs(first[:, 1])) + TINY
    area = np.abs(np.imag(first[:, 0] * np.conj(first[:, 1]))) / main**2
    square = first[:, 0] ** 2
    phase = np.real(second[:, 1] * np.conj(square)) / (np.abs(second[:, 1]) * np.abs(square) + TINY)
    return np.column_stack(
        [
            np.log(fit.cycles), 0.5 * np.log1p(fit.chi2), np.log(fit.share + 1e-8),
            np.log(np.abs(second[:, 0]) / main + 1e-4), np.log(np.abs(first[:, 1]) / main + 1e-4),
            np.log(np.abs(second[:, 1]) / main + 1e-4), area, phase,
        ]
    )  # fmt: skip


def _energy_scalars(nodes: _Nodes) -> Floats:
    """Speed squared against height: a line for a body that only gravity works on, seen from the side."""
    inner = slice(N_NODES // 12, -(N_NODES // 12))
    square = np.sum(nodes.velocity[:, inner] ** 2, axis=2)
    height = nodes.position[:, inner, 1]
    a, b = square - square.mean(axis=1, keepdims=True), height - height.mean(axis=1, keepdims=True)
    covariance, spread_a, spread_b = np.mean(a * b, axis=1), np.mean(a * a, axis=1), np.mean(b * b, axis=1)
    pull = np.sqrt(np.mean(np.sum(nodes.acceleration[:, inner] ** 2, axis=2), axis=1)) + TINY
    heading = np.unwrap(np.arctan2(nodes.velocity[:, inner, 1], nodes.velocity[:, inner, 0]), axis=1)
    return np.column_stack(
        [
            covariance / np.sqrt(spread_a * spread_b + TINY),
            np.arcsinh(covariance / (spread_b + TINY) / (2.0 * pull)),
            np.sqrt(spread_a) / (square.mean(axis=1) + TINY),
            np.log1p(np.max(np.abs(heading - heading[:, :1]), axis=1)),
        ]
    )


def _radii(s: Floats, radius: Floats, extent: Floats, duration: Floats, cubic: Floats) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """The course of 1/radius (which goes as the depth) at the nodes, whether it is known, and the scalars that the radius makes."""
    known = np.isfinite(radius) & (radius > 0.0)
    enough = np.sum(known, axis=1) >= MIN_SAMPLES
    safe = np.where(known, radius, 1.0)
    typical = np.where(enough, np.exp(np.sum(known * np.log(safe), axis=1) / np.maximum(np.sum(known, axis=1), 1)), 1.0)
    inverse = np.clip(np.where(known, typical[:, None] / safe - 1.0, 0.0), -0.9, 10.0)
    basis = _legendre(s, 2)
    weight = np.where(known, 1.0, RIDGE)
    factor, terms = _solve_lower(basis, inverse[..., None], weight)
    fit = np.linalg.solve(np.swapaxes(factor, -1, -2), terms)[..., 0]
    bend = fit @ _legendre(np.linspace(-1.0, 1.0, N_NODES), 2).T
    pull = 3.0 * np.hypot(cubic[:, 2, 0], cubic[:, 2, 1]) * extent * 4.0 / duration**2
    scalars = np.column_stack(
        [
            np.ones(len(s)),
            np.log(extent / typical + TINY),
            np.log(pull / typical + 1e-3),
            np.arcsinh(fit[:, 1]),
            np.arcsinh(fit[:, 2]),
        ]
    )
    return bend, enough, np.where(enough[:, None], scalars, 0.0)


def _finite(values: Floats) -> Floats32:
    """Every feature in range: damaged input gives strange features, never NaN."""
    return np.nan_to_num(np.clip(values, -MAX_FEATURE, MAX_FEATURE), nan=0.0).astype(np.float32)
