"""Where a law stops holding: a likelihood ratio over the place and the size of a jump, and the same over the Noether charges' balance.

The last few samples' innovations are made independent, with unit variance, as long as the law goes on: by the samples' own noise, its
correlation in time, and what the locked fit does not know. A contact adds a velocity from some moment on, a cut or a hand a displacement, a
string that lets go an acceleration. For every such moment in the window the jump that explains the innovations best is estimated, and the ratio
of the two likelihoods is the test (generalised likelihood ratio: Willsky & Jones 1976, IEEE Trans. Autom. Control 21, 108). A sample may also
be clutter, whatever the law does, so that no single one rings an alarm.

A charge of the law's symmetries (`physics.symmetry`) is balanced as long as the law holds. What the same window says of a step in the place
and the velocity is carried into the charges with its covariance; the step's normalised square is the second test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..types import Floats

WINDOW = 16
"""Samples in which a break is looked for. One that has not shown in so many is weaker than what the law's own numbers may absorb."""
FRACTIONS = (0.15, 0.5, 0.85)
"""Where between two samples a velocity may jump: in the middle of each third of the gap."""
CLUTTER_SHARE, CLUTTER_WORTH = 0.03, 50.0
"""Share of samples that are clutter before any is seen, and how many samples' sight that belief is worth."""
CLUTTER_AREA = 100.0
"""Clutter lies anywhere in an area of so many times 2 pi sigma^2: as far as 15 sigmas off, where a tracker still joins it to the path."""
OUT_OF_LINE = 14.0
"""Normalised square of a sample out of line: one in a thousand."""
STUDENT_DOF, ROUNDS = 5.0, 3
"""A jump is estimated under the fit's own tails, by so many rounds of reweighting."""
FEWEST_AFTER = 2
"""Samples after a break, the least that can tell it from an outlier."""


@dataclass(frozen=True, slots=True)
class Samples:
    """n + 1 samples against a prediction, of which the fit has used the first.

    ``t`` (n + 1,) s; ``step`` (s) between neighbouring samples of the track; ``residual`` (n + 1, 2) px, observed less predicted; ``slopes``
    (m, n + 1, 2) px that one sigma along each independent direction of what is not known moves the prediction; ``roots`` (n + 1, 2, 2) Cholesky
    factors (px) of the noise's covariance; ``correlation`` of the noise from one step to the next; ``clutter`` twice the log odds against a sample
    that the law did not draw (`clutter_odds`). Where the first sample is not ``anchored`` it is an outlier: its noise tells nothing of the next.
    """

    t: Floats
    step: float
    residual: Floats
    slopes: Floats
    roots: Floats
    correlation: float
    clutter: float
    anchored: bool = True


@dataclass(frozen=True, slots=True)
class Window:
    """The last samples, whitened: ``white`` (n, 2) is standard normal as long as the law holds.

    ``operator`` (2 n, 2 n) is what makes it so from innovations in px; ``t`` (n,) s; ``step`` (s) the time between two samples of the track.
    """

    t: Floats
    step: float
    white: Floats
    operator: Floats
    clutter: float


def whiten(samples: Samples, shrink: float, *, without: int | None = None) -> Window:
    """The samples from the second on, conditioned on the first, which the fit has used; made independent and of unit variance.

    Each is conditioned on those before it, but for samples out of line: what follows an outlier is not drawn after it by the noise's
    correlation. ``shrink`` is the factor that makes innovations under a noise of uncertain size look like ones under a noise of known size;
    ``without`` is a row that conditions none.
    """
    residual, slopes, noise = condition(samples)
    n = len(residual)
    covariance = noise + np.einsum("mni,mkj->nikj", slopes, slopes).reshape(2 * n, 2 * n)
    flat, operator = residual.ravel(), np.zeros((2 * n, 2 * n))
    trusted: list[int] = []
    for i in range(n):
        own = [2 * i, 2 * i + 1]
        left, spread = np.eye(2 * n)[own], covariance[np.ix_(own, own)]
        if trusted:
            weights = np.linalg.solve(covariance[np.ix_(trusted, trusted)], covariance[np.ix_(trusted, own)])
            left[:, trusted] = -weights.T
            spread = spread - covariance[np.ix_(own, trusted)] @ weights
        operator[own] = shrink * np.linalg.solve(np.linalg.cholesky(spread), left)
        if i != without and float(np.sum((operator[own] @ flat) ** 2)) < OUT_OF_LINE:
            trusted += own
    return Window(samples.t[1:], samples.step, (operator @ flat).reshape(n, 2), operator, samples.clutter)


def outlier_relief(samples: Samples, shrink: float, window: Window) -> float:
    """Twice the log by which a path without a jump gets likelier if one of the samples that condition the others is known to be an outlier.

    Where little is known yet, an outlier may pass as in line, and all that follow then seem to leave the path.
    """
    costs = [_cost(np.sum(window.white**2, axis=1), window.clutter)]
    for i in np.flatnonzero(np.sum(window.white**2, axis=1) < OUT_OF_LINE):
        cost = _cost(np.sum(whiten(samples, shrink, without=int(i)).white ** 2, axis=1), window.clutter)
        cost[i] = window.clutter
        costs.append(cost)
    totals = np.sum(costs, axis=1)
    return float(totals[0] - np.min(totals))


def condition(samples: Samples) -> tuple[Floats, Floats, Floats]:
    """Residuals (n, 2) px, slopes (m, n, 2) and noise covariance (2 n, 2 n) of samples 1 to n, given the noise of sample 0."""
    since = (samples.t[1:] - samples.t[0]) / samples.step
    kept, shared = np.zeros(len(since)), np.eye(len(since))
    if samples.correlation > 0:
        kept = samples.correlation**since * samples.anchored
        shared = samples.correlation ** np.abs(since[:, None] - since) - kept[:, None] * kept
    carried = kept[:, None, None] * (samples.roots[1:] @ np.linalg.inv(samples.roots[0]))
    residual = samples.residual[1:] - carried @ samples.residual[0]
    slopes = samples.slopes[:, 1:] - np.einsum("nij,mj->mni", carried, samples.slopes[:, 0])
    noise = np.einsum("nij,nk,klj->nikl", samples.roots[1:], shared, samples.roots[1:])
    return residual, slopes, noise.reshape(2 * len(since), 2 * len(since))


def jump_evidence(window: Window) -> tuple[Floats, Floats]:
    """(n,) twice the log likelihood ratio of the best jump before each sample over no jump, and the times (n,) s of these jumps."""
    t, step, n = window.t, window.step, len(window.t)
    gain, when = np.full(n, -np.inf), np.full(n, np.nan)
    breaks = np.arange(n - FEWEST_AFTER + 1)
    if len(breaks) == 0:
        return gain, when
    gap = np.minimum(np.diff(t, prepend=t[0] - step), 2.0 * step)[breaks]
    moments = t[breaks] - np.array(FRACTIONS)[:, None] * gap
    after = (np.arange(n) >= breaks[:, None]).astype(float)
    since = np.maximum(t - moments[..., None], 0.0) / step * after
    middle = len(FRACTIONS) // 2
    single = np.concatenate([since, (0.5 * since[middle] ** 2)[None], after[None]]).reshape(-1, n, 1)
    ratios = _ratios(window, single)[0].reshape(-1, len(breaks))
    both = _ratios(window, np.stack([after, since[middle]], axis=-1))[0]
    ratios = np.concatenate([ratios, both[None]])
    moments = np.concatenate([moments, np.tile(moments[middle], (3, 1))])
    best = np.argmax(ratios, axis=0)
    gain[breaks], when[breaks] = ratios[best, breaks], moments[best, breaks]
    return gain, when


def charge_evidence(window: Window, gradient: Floats) -> tuple[Floats, Floats]:
    """The charges' imbalance after each possible break: (n,) twice the log odds against balance by chance, and (c,) the latest in sigmas.

    Args:
        window: The whitened samples.
        gradient: (c, 4) of the charges by place (px) and velocity (px/step) at the last sample.
    """
    from scipy.special import chdtrc

    n, late = len(window.t), (window.t - window.t[-1]) / window.step
    found = np.full(n, -np.inf)
    sigmas = np.zeros(len(gradient))
    breaks = range(n - FEWEST_AFTER + 1)
    if len(breaks) == 0:
        return found, sigmas
    after = np.array([np.arange(n) >= b for b in breaks], dtype=float)
    ratios, steps, covariances = _ratios(window, np.stack([after, after * late], axis=-1))
    for b, ratio, moved, covariance in zip(breaks, ratios, steps, covariances, strict=True):
        imbalance, spread = gradient @ moved, gradient @ covariance @ gradient.T
        size = np.sqrt(np.maximum(np.diag(spread), 1e-300))
        values, vectors = np.linalg.eigh(spread / np.outer(size, size))
        real = values > 1e-6 * values[-1]
        square = float(np.sum((vectors[:, real].T @ (imbalance / size)) ** 2 / values[real]))
        chance = max(float(chdtrc(int(real.sum()), square)), 1e-300)
        found[b] = min(-2.0 * math.log(chance), float(ratio))
        sigmas = imbalance / size
    return found, sigmas


def _ratios(window: Window, courses: Floats) -> tuple[Floats, Floats, Floats]:
    """(h,) log likelihood ratios (twice), (h, 2 k) jumps in px and their covariances (h, 2 k, 2 k), of courses (h, n, k) along either axis.

    Coordinates of a jump: those of the first course along u and v, then of the second.
    """
    h, n, k = courses.shape
    unit = np.zeros((h, n, 2, k, 2))
    unit[:, :, 0, :, 0] = unit[:, :, 1, :, 1] = courses
    effect = window.operator @ unit.reshape(h, 2 * n, 2 * k)
    turned, flat = np.swapaxes(effect, 1, 2), window.white.ravel()
    floor = 1e-12 * np.eye(2 * k)
    weighed = turned
    for rounds in range(ROUNDS):
        normal = weighed @ effect
        normal = normal + 1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(2 * k) + floor
        jump = np.linalg.solve(normal, (weighed @ flat)[..., None])
        left = flat - (effect @ jump)[..., 0]
        square = np.sum(left.reshape(h, n, 2) ** 2, axis=2)
        if rounds < ROUNDS - 1:
            weight = np.minimum((STUDENT_DOF + 2.0) / (STUDENT_DOF + square), 1.0)
            weighed = turned * np.repeat(weight, 2, axis=1)[:, None, :]
    before = float(np.sum(_cost(np.sum(window.white**2, axis=1), window.clutter)))
    return before - np.sum(_cost(square, window.clutter), axis=1), jump[..., 0], np.asarray(np.linalg.inv(normal), dtype=np.float64)


def clutter_odds(doubted: int, count: int) -> float:
    """Twice the log odds against clutter at the law's own place, after ``doubted`` of ``count`` samples were seen to be out of line."""
    share = (doubted + CLUTTER_SHARE * CLUTTER_WORTH) / (count + CLUTTER_WORTH)
    return 2.0 * math.log(CLUTTER_AREA * (1.0 - share) / share)


def _cost(square: Floats, clutter: float) -> Floats:
    """Twice the negative log likelihood of a normalised square of two dimensions, where a sample may be clutter; bounded by ``clutter``."""
    floor = math.exp(-0.5 * clutter)
    return np.asarray(-2.0 * np.log((np.exp(-0.5 * np.minimum(square, 1400.0)) + floor) / (1.0 + floor)))
