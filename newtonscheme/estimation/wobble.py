"""A spinning body's drawn centre circles about its centre of mass: how fast and how far, as the residuals of a fit tell.

Newton's law moves the centre of mass; a film shows where the outline is. A ball whose wall or valve is heavier on one side, or whose pattern
pulls the measured outline, is off by a share of its radius in a direction that turns with it. Over less than two turns that looks like a bend
of the path, so it belongs into the noise that a fit knows of: a Gaussian process with covariance a^2 cos(2 pi f (t - t')) on either axis, its
rate f and size a averaged over what prior and residuals leave of them (Bretthorst 1988, Bayesian spectrum analysis, with the law's own numbers
and the noise scale integrated out).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..types import NO_WOBBLE, Floats, Wobble, cosines_and_sines

PRIOR_PROBABILITY = 0.2
"""That a body wobbles by an amount worth knowing, before its path is seen."""
SIZES, SIZE_PRIOR = np.array([0.01, 0.02, 0.04]), np.array([0.5, 0.3, 0.2])
"""Sigmas of the offset on each axis in radii, and how probable each is."""
SLOWEST_RPS, FASTEST_RPS = 0.5, 15.0
"""Rates of turning, equally probable on a logarithmic scale, as the film shows them: what turns faster than half the frame rate seems slower."""
LEAST_TURNS = 0.75
"""What turns less than this over the track bends it as a law would: it is left to the law, and to the slow errors."""
STEPS_PER_TURN, MOST_RATES = 6, 120
"""Rates are so many to each turn over the track: neighbours differ by a sixth of a turn from its begin to its end."""
SCALES = np.geomspace(0.4, 6.4, 9)
"""Noise scales over the track's own sigmas that are averaged over."""
CORRELATIONS = (0.0, 0.5, 0.8, 0.95)
"""Correlations of neighbours' noise that are averaged over, each half as probable as the one before: what drifts is not yet what turns."""
LEAST_INFORMATION = 1e-13
"""Of numbers scaled to one: a direction that nothing tells is taken to be this well known, for every wobble alike."""
NEGLIGIBLE = 1e-3
"""Share of the largest variance below which a rate is left out."""


@dataclass(frozen=True, slots=True)
class Turning:
    """What is believed of a wobble: ``variance`` (k,) on each axis in radii^2 at the rates ``rate_rps`` (k,), and that there is any.

    ``surprise`` is the divergence (nats) of that belief from the prior: what choosing it costs in evidence.
    """

    rate_rps: Floats
    variance: Floats
    probability: float
    surprise: float


AT_REST = Turning(np.empty(0), np.empty(0), 0.0, 0.0)


def courses(turning: Turning, t: Floats) -> Floats:
    """(n, 2 k) what each rate does to the centre at times ``t`` (n,) on one axis, in radii: the covariance is their product."""
    return cosines_and_sines(turning.rate_rps, t) * np.tile(np.sqrt(turning.variance), 2)


def expect(turning: Turning, residual_px: Floats, whitening: Floats, drawn: Floats, radius_px: float) -> Wobble:
    """The offsets to expect.

    Args:
        turning: How fast and how far.
        residual_px: (n, 2) of the centre.
        whitening: (n, n) what makes it independent and gives it sigmas, but for slow errors and the wobble.
        drawn: (n, q + 2 k) what slow errors of one sigma, and last the offsets of `courses`, are then.
        radius_px: What `courses` counts in.
    """
    k = len(turning.rate_rps)
    if k == 0 or not radius_px > 0:
        return NO_WOBBLE
    n, q = drawn.shape
    turned = drawn[:, -2 * k :]
    # The same by either inverse (Woodbury): a short track has fewer samples than rates to be turned at.
    if q < n:
        covariance = np.linalg.inv(np.eye(q) + drawn.T @ drawn)[-2 * k :]
        pull, own = covariance @ drawn.T, covariance[:, -2 * k :]
    else:
        pull = turned.T @ np.linalg.inv(np.eye(n) + drawn @ drawn.T)
        own = np.eye(2 * k) - pull @ turned
    size_px = radius_px * np.sqrt(turning.variance)
    size = np.tile(size_px, 2)
    gain = size[:, None] * (pull @ whitening)
    spread = own * np.outer(size, size)
    return Wobble(turning.rate_rps, size_px, gain @ residual_px, spread, gain, turning.probability)


def candidate_rates(t: Floats) -> Floats:
    """(k,) rates (1/s) that a track at times ``t`` (n,) can show."""
    duration = float(t[-1] - t[0])
    fastest = min(FASTEST_RPS, 0.5 / float(np.median(np.diff(t))))
    slowest = max(SLOWEST_RPS, LEAST_TURNS / duration)
    if not fastest > slowest:
        return np.empty(0)
    count = int(min(math.ceil((fastest - slowest) * duration * STEPS_PER_TURN) + 1, MOST_RATES))
    return np.linspace(slowest, fastest, count)


@dataclass(frozen=True, slots=True)
class Linearised:
    """A fit near its optimum, under noise of one correlation in time.

    ``residual`` (n, 2) of the centre in the track's own sigmas, made independent, ``slopes`` (n, 2, m) its derivatives by the numbers of the fit,
    ``forms`` (n, k, 2) what cosine and sine at each rate make of it for an offset of one radius; ``log_norm`` of its density.
    """

    residual: Floats
    slopes: Floats
    forms: Floats
    log_norm: float


def seek_wobble(views: Sequence[Linearised], rates: Floats, rest: Floats, rest_slopes: Floats, prior_dof: float) -> Turning:
    """The wobble that residuals leave probable.

    Args:
        views: The fit under each of the `CORRELATIONS`.
        rates: (k,) those of `candidate_rates`.
        rest: (p,) everything else whose squares were made small (radii, priors).
        rest_slopes: (p, m) its derivatives.
        prior_dof: How many residuals the track's own sigmas count as.
    """
    spacing = np.gradient(np.log(rates)) if len(rates) > 1 else np.ones(1)
    prior = PRIOR_PROBABILITY * SIZE_PRIOR[:, None] * spacing / math.log(FASTEST_RPS / SLOWEST_RPS)
    unmoved = 1.0 - float(prior.sum())
    still, turning = (np.stack(each) for each in zip(*(_evidence(view, rest, rest_slopes, prior_dof) for view in views), strict=True))
    likely = -math.log(2.0) * np.arange(len(views))
    none = float(np.logaddexp.reduce(still + likely[:, None], axis=None)) + math.log(unmoved)
    each = np.logaddexp.reduce(turning + likely[:, None, None, None], axis=(0, 1)) + np.log(prior)
    total = np.logaddexp(none, np.logaddexp.reduce(each, axis=None))
    belief, absent = np.exp(each - total), float(np.exp(none - total))
    surprise = float(np.sum(belief * np.log(np.maximum(belief, 1e-300) / prior))) + absent * math.log(max(absent, 1e-300) / unmoved)
    variance = SIZES**2 @ belief
    kept = variance > NEGLIGIBLE * float(variance.max())
    return Turning(rates[kept], variance[kept], 1.0 - absent, surprise)


def _evidence(view: Linearised, rest: Floats, rest_slopes: Floats, prior_dof: float) -> tuple[Floats, Floats]:
    """Log evidence of every noise scale without a wobble (s,), and with one of every size and rate (s, a, k)."""
    n, k = view.forms.shape[:2]
    own = np.einsum("nkc,nkd->kcd", view.forms, view.forms)
    square = np.zeros((k, 4, 4))
    square[:, :2, :2] = square[:, 2:, 2:] = own
    cross = np.einsum("nkc,nam->kacm", view.forms, view.slopes, optimize=True).reshape(k, 4, -1)
    pull = np.einsum("nkc,na->kac", view.forms, view.residual).reshape(k, 4)
    slopes, residual = view.slopes.reshape(2 * n, -1), view.residual.ravel()
    normal, slope, power = slopes.T @ slopes, slopes.T @ residual, float(residual @ residual)
    precision, known = rest_slopes.T @ rest_slopes, rest_slopes.T @ rest
    still, turning = np.empty(len(SCALES)), np.empty((len(SCALES), len(SIZES), k))
    for i, scale in enumerate(SCALES):
        hessian, gradient = normal / scale**2 + precision, slope / scale**2 + known
        size = np.sqrt(np.maximum(np.diag(hessian), 1e-24))
        spread, axes = np.linalg.eigh(hessian / np.outer(size, size))
        spread = np.maximum(spread, LEAST_INFORMATION)
        inverse = (axes / spread) @ axes.T / np.outer(size, size)
        still[i] = view.log_norm - 0.5 * (power / scale**2 - gradient @ inverse @ gradient) - 2 * n * math.log(scale)
        still[i] -= 0.5 * float(np.sum(np.log(spread))) + float(np.sum(np.log(size)))
        still[i] -= 0.5 * prior_dof * (1.0 / scale**2 + 2.0 * math.log(scale))
        inner = square / scale**2 - cross @ inverse @ cross.transpose(0, 2, 1) / scale**4
        lead = pull / scale**2 - cross @ (inverse @ gradient) / scale**2
        values, vectors = np.linalg.eigh(inner)
        variance = SIZES[:, None, None] ** 2 * np.maximum(values, 0.0)
        pulled = SIZES[:, None, None] ** 2 * np.einsum("kij,ki->kj", vectors, lead) ** 2
        turning[i] = still[i] + 0.5 * np.sum(pulled / (1.0 + variance) - np.log1p(variance), axis=2)
    return still, turning
