"""Locks a fit and checks it sample by sample instead of fitting again: the Newton Scheme's own order (Qiu et al. 2018, arXiv 1810.07550).

A new sample's innovation r = z - z_predicted must have the covariance S that the fit's own uncertainty and the sample's noise give it
(Bar-Shalom, Li & Kirubarajan 2001, section 5.4). Two tests are made of the last innovations together (`breaks`): does a jump of the motion at
some moment among them explain them better, and do the Noether charges of the law's symmetries still balance? An alarm names the moment. Samples
that have passed are taken into the locked numbers by one linear step (Kalman 1960), so that the forecast is that of all samples so far.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from ..physics.integration import solve_many
from ..physics.symmetry import charge_gradient
from ..types import Bools, Fit, Floats, Track
from .breaks import OUT_OF_LINE, STUDENT_DOF, WINDOW, Samples, Window, charge_evidence, clutter_odds, condition, jump_evidence, outlier_relief, whiten
from .fitting import restate
from .forecasting import BAND_STEP_SIGMAS, discrepancy_sigma, sensitivity, slopes_at_samples, with_wobble
from .parameters import Known, Problem, coordinates_by_px, predict_image, unpack

FALSE_ALARM = 1e-4
"""Chance that a sample of a motion that goes on rings an alarm, in either test; and that one by itself is out of line."""
JUMP_ALARM, CHARGE_ALARM = 34.0, 34.0
"""Evidence (twice the log likelihood ratio) that rings. In 60,000 samples of normal noise no jump passes 30 and no imbalance 27; of noise with a
Student-t's five degrees of freedom, as the fit allows it, one in 2,000 passes 34. Two clutter samples in a row are worth 34 where one in fifty is."""
DOUBTED = 0.3
"""Weight under which the robust fit has set a sample aside."""
LAW_SHARE = 0.001
"""Of the extent: how far a law with constant coefficients leaves a true flight within as much time again as it was followed. Coefficients of
drag and lift change with the speed by a tenth of themselves in flight."""
OUT, OUT_OF = 2, 3
"""Where samples are judged one by one, a pattern ends with so many out of line among so many: one alone is an outlier."""


@dataclass(frozen=True, slots=True)
class Innovation:
    """One sample against the locked fit: residual (2,) px, its covariance (2, 2), the normalised square, and whether the alarm rings.

    ``jump`` is the evidence (twice the log likelihood ratio) for a break in the path among the last samples, and ``broken_at`` (s) its likeliest
    moment, whatever it is worth. Where charges are watched, ``imbalance`` is that for a step in their balance, ``unbalanced_at`` (s) its moment
    and ``charges`` (c,) what it comes to in sigmas.
    """

    t: float
    residual_px: Floats
    covariance_px: Floats
    normalised_square: float
    out_of_line: bool
    alarm: bool
    jump: float = 0.0
    broken_at: float = math.nan
    imbalance: float = -math.inf
    unbalanced_at: float = math.nan
    charges: Floats = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, slots=True)
class Monitor:
    """A locked fit and what the samples since have told. Start one with `start`, feed it with `step`.

    The path is linear in the fit's uncertainty: prediction + slopes . a with ``axes`` (m, m) the moves of the estimate for each unit of a, which
    is normal with ``mean`` (m,) and ``spread`` (m, m): 0 and 1 at the lock, less with every sample that has passed. ``locked`` (m, n, 2) px are
    the slopes at the fit's own samples where it wobbles. ``recent`` are the last samples, of which the first has been taken in.
    """

    problem: Problem
    fit: Fit
    axes: Floats
    locked: Floats
    mean: Floats
    spread: Floats
    recent: Samples
    charges: bool


def start(fit: Fit, known: Known, *, charges: bool = False) -> Monitor:
    """Lock a successful fit.

    Args:
        fit: What to lock.
        known: What it knew.
        charges: Watch the Noether charges' balance too. It rings no alarm: it finds no break that the path's jumps do not show, and later.
    """
    values, vectors = np.linalg.eigh(fit.covariance)
    axes, problem, m = (vectors * np.sqrt(np.maximum(values, 0.0))).T, restate(fit, known), len(values)
    locked = slopes_at_samples(problem, fit, axes)
    recent = _compare(problem, fit, axes, locked, fit.track.select(slice(-1, None)))
    if recent is None:
        raise ValueError("a fit that does not reach its own last sample cannot be locked")
    recent = replace(recent, anchored=bool(fit.weights[-1, 0] >= DOUBTED))
    return Monitor(problem, fit, axes, locked, np.zeros(m), np.eye(m), recent, charges)


def step(monitor: Monitor, sample: Track) -> tuple[Monitor, Innovation]:
    """Check one sample (a track of one row); returns the monitor that remembers it and the innovation.

    Where the locked law predicts nothing finite (behind the camera, beyond what can be integrated) it has ended: the alarm rings.
    """
    problem, fit = monitor.problem, monitor.fit
    compared = _compare(problem, fit, monitor.axes, monitor.locked, sample)
    if compared is None:
        return monitor, _nothing_predicted(float(sample.t[0]))
    recent = _join(monitor.recent, compared)
    told = np.einsum("am,ani->mni", np.linalg.cholesky(monitor.spread), recent.slopes)
    seen = replace(
        recent, residual=recent.residual - np.einsum("m,mni->ni", monitor.mean, recent.slopes),
        slopes=np.concatenate([told, _unexplained(fit, recent.t)]),
    )  # fmt: skip
    window = whiten(seen, shrinkage(fit.noise.dof))
    jump, moments = jump_evidence(window)
    relief = outlier_relief(seen, shrinkage(fit.noise.dof), window) if np.max(jump) > JUMP_ALARM else 0.0
    covariance = np.einsum("mi,mj->ij", seen.slopes[:, -1], seen.slopes[:, -1]) + seen.roots[-1] @ seen.roots[-1].T
    square = float(_squares(seen.residual[-1:], covariance[None])[0])
    best, highest = int(np.argmax(jump)), float(np.max(jump)) - relief
    innovation = Innovation(
        t=float(sample.t[0]), residual_px=seen.residual[-1], covariance_px=covariance, normalised_square=square,
        out_of_line=square > alarm_threshold(fit.noise.dof), alarm=highest > JUMP_ALARM,
        jump=highest, broken_at=float(moments[best]),
    )  # fmt: skip
    if monitor.charges:
        gradient = _charges_by_step(problem, fit, float(sample.t[-1] - fit.track.t[0]), seen.step)
        innovation = _with_charges(innovation, window, relief, gradient) if np.all(np.isfinite(gradient)) else innovation
    after = replace(monitor, recent=recent)
    return (_take_in(after) if len(recent.t) > WINDOW else after), innovation


def _nothing_predicted(t: float) -> Innovation:
    return Innovation(
        t=t, residual_px=np.full(2, math.nan), covariance_px=np.full((2, 2), math.nan), normalised_square=math.inf, out_of_line=True, alarm=True,
        jump=math.inf, broken_at=t,
    )  # fmt: skip


def _with_charges(innovation: Innovation, window: Window, relief: float, gradient: Floats) -> Innovation:
    balance, charges = charge_evidence(window, gradient)
    best = int(np.argmax(balance))
    moment = float(window.t[best] - 0.5 * window.step)
    return replace(innovation, imbalance=float(balance[best]) - relief, unbalanced_at=moment, charges=charges)


def _compare(problem: Problem, fit: Fit, axes: Floats, locked: Floats, sample: Track) -> Samples | None:
    """One sample against the locked prediction: its residual, its slopes along the axes, and its noise; None where nothing finite is predicted."""
    interval = float(np.median(np.diff(fit.track.t)))
    since, m, moved = sample.t - fit.track.t[0], len(axes), BAND_STEP_SIGMAS * axes
    sets = np.concatenate([fit.estimate[None], fit.estimate + moved, fit.estimate - moved])
    image, _ = predict_image(problem, sets, np.append(since - 0.5 * interval, since))
    if not np.all(np.isfinite(image[..., :2])):
        return None
    velocity = (image[0, 1, :2] - image[0, 0, :2]) / (0.5 * interval)
    slopes = (image[1 : m + 1, 1:, :2] - image[m + 1 :, 1:, :2]) / (2.0 * BAND_STEP_SIGMAS)
    noise: Floats = _noise(fit, sample, since) + clock_jitter(fit) ** 2 * velocity[:, None] * velocity
    return Samples(
        t=sample.t, step=interval, residual=sample.centre_px - image[0, 1:, :2] - fit.wobble.expected_px(since),
        slopes=with_wobble(fit, slopes, locked, since), roots=np.asarray(np.linalg.cholesky(noise), dtype=np.float64),
        correlation=fit.noise.correlation, clutter=clutter_odds(int(np.sum(fit.weights[:, 0] < DOUBTED)), len(fit.weights)),
    )  # fmt: skip


def _noise(fit: Fit, samples: Track, since: Floats) -> Floats:
    """(n, 2, 2) px^2 that samples are off the centre of mass by, besides what is expected of a wobble."""
    return np.asarray(samples.covariance_px * fit.noise.scale**2 + fit.wobble.sigma_px(since)[:, None, None] ** 2 * np.eye(2))


def _unexplained(fit: Fit, t: Floats) -> Floats:
    """(2, n, 2) px along either axis that the law may miss after the first of the times (n,) s, up to which it has been followed."""
    late = (t - t[0]) / max(float(t[0] - fit.track.t[0]), 1e-9)
    extent = float(np.hypot(*np.ptp(fit.track.centre_px, axis=0)))
    sigma = np.hypot(fit.noise.discrepancy_px * (1.0 + late) ** 2, LAW_SHARE * extent * late**2)
    return np.asarray(sigma[None, :, None] * np.eye(2)[:, None, :])


def _join(recent: Samples, new: Samples) -> Samples:
    """The samples with one more."""
    return replace(
        recent, t=np.append(recent.t, new.t), residual=np.concatenate([recent.residual, new.residual]),
        slopes=np.concatenate([recent.slopes, new.slopes], axis=1), roots=np.concatenate([recent.roots, new.roots]),
    )  # fmt: skip


def _take_in(monitor: Monitor) -> Monitor:
    """The monitor that has learned from the oldest sample which it has not: one step of a Kalman filter whose state are the law's numbers.

    A sample out of line counts as little as the robust fit would let it.
    """
    m, recent = len(monitor.mean), monitor.recent
    slopes = np.concatenate([recent.slopes[:, :2], _unexplained(monitor.fit, recent.t[:2])])
    first = replace(recent, t=recent.t[:2], residual=recent.residual[:2], slopes=slopes, roots=recent.roots[:2])
    residual, slopes, noise = condition(first)
    known, unknown = slopes[:m, 0].T, slopes[m:, 0].T
    noise = noise + unknown @ unknown.T
    left = residual[0] - known @ monitor.mean
    total = known @ monitor.spread @ known.T + noise
    square = float(left @ np.linalg.solve(total, left))
    total = total + noise * (max(1.0, (STUDENT_DOF + square) / (STUDENT_DOF + 2.0)) - 1.0)
    gain = np.linalg.solve(total, known @ monitor.spread).T
    spread = monitor.spread - gain @ known @ monitor.spread
    younger = replace(
        recent, anchored=square < OUT_OF_LINE, t=recent.t[1:], residual=recent.residual[1:], slopes=recent.slopes[:, 1:], roots=recent.roots[1:]
    )
    return replace(monitor, mean=monitor.mean + gain @ left, spread=0.5 * (spread + spread.T), recent=younger)


def clock_jitter(fit: Fit) -> float:
    """The clock's jitter (s) that the locked residuals show: what they have along the path beyond their noise, over the speed; 0 if nothing."""
    residuals = fit.steady_residuals
    path = fit.track.centre_px - fit.residuals[:, :2]
    velocity = np.gradient(path, fit.track.t, axis=0)
    speed2 = np.sum(velocity**2, axis=1)
    along = np.sum(residuals * velocity, axis=1) ** 2
    claimed = fit.noise.scale**2 * np.einsum("ni,nij,nj->n", velocity, fit.track.covariance_px, velocity)
    trusted = fit.weights[:, 0] > DOUBTED
    excess = float(np.sum((along - claimed)[trusted])) / max(float(np.sum(speed2[trusted] ** 2)), 1e-30)
    return math.sqrt(max(excess, 0.0))


def _charges_by_step(problem: Problem, fit: Fit, since: float, interval: float) -> Floats:
    """(c, 4) how the Noether charges change with place (px) and velocity (px/interval) in the picture, at one time after the track's start.

    NaN where the law cannot be integrated so far, or not be seen there.
    """
    model = problem.model
    p = {name: float(value[0]) for name, value in unpack(problem, fit.estimate[None]).items()}
    state = solve_many(model, {name: np.array([value]) for name, value in p.items()}, np.array([since]))[0]
    half = state.shape[1] // 2
    inverse = coordinates_by_px(problem, p, state, 1e-4 * max(float(np.max(np.abs(state[0, :half]))), 1e-2))[0]
    gradients = [charge_gradient(model, symmetry, np.array([since]), state, p)[0] for symmetry in model.symmetries]
    return np.array([np.concatenate([g[:half] @ inverse, g[half:] @ inverse / interval]) for g in gradients])


def shrinkage(dof: float) -> float:
    """What makes an innovation under noise learned from few samples as rare as its like under noise of known size, where alarms ring."""
    return math.sqrt(-2.0 * math.log(FALSE_ALARM) / alarm_threshold(dof))


def innovations(problem: Problem, fit: Fit, samples: Track) -> tuple[Floats, Floats]:
    """Residuals (n, 2) px of samples that the fit has not used, and their covariances (n, 2, 2)."""
    since = samples.t - fit.track.t[0]
    image, _ = predict_image(problem, fit.estimate[None], since)
    slopes = sensitivity(problem, fit, since)
    noise = _noise(fit, samples, since) + discrepancy_sigma(fit, since)[:, None, None] ** 2 * np.eye(2)
    return samples.centre_px - image[0, :, :2] - fit.wobble.expected_px(since), np.einsum("mhi,mhj->hij", slopes, slopes) + noise


def normalised_squares(problem: Problem, fit: Fit, samples: Track) -> Floats:
    """(n,) r' S^-1 r of each sample."""
    return _squares(*innovations(problem, fit, samples))


def _squares(residual: Floats, covariance: Floats) -> Floats:
    """R' S^-1 r; infinite (out of line) where the fit predicts nothing finite there."""
    a, b, d = covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 1, 1]
    with np.errstate(all="ignore"):
        square = (d * residual[:, 0] ** 2 - 2 * b * residual[:, 0] * residual[:, 1] + a * residual[:, 1] ** 2) / (a * d - b * b)
    return np.where(np.isfinite(square) & (square >= 0), square, np.inf)


def alarm_threshold(dof: float) -> float:
    """The normalised square that a sample of an unbroken pattern passes with probability `FALSE_ALARM`, for noise learned from few samples."""
    from scipy.special import fdtri

    return float(2.0 * fdtri(2.0, max(dof, 3.0), 1.0 - FALSE_ALARM))


def first_break(out_of_line: Bools) -> int:
    """The number of samples before the pattern's end: the first of two out-of-line samples among three, else all.

    A sample at the very end that is out of line cannot be confirmed and is left out.
    """
    n = len(out_of_line)
    for i in np.flatnonzero(out_of_line):
        if i == n - 1 or np.sum(out_of_line[i : i + OUT_OF]) >= OUT:
            return int(i)
    return n
