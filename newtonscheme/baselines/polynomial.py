"""Rivals that know no force: the last velocity, a free quadratic and a free cubic for each axis of the picture.

Each is a generalised least-squares fit whose noise has the sigmas that the track states, times a scale learned from the residuals (the
stated sigmas count like a few residuals), and a correlation in time learned by restricted likelihood (Patterson & Thompson 1971,
Biometrika 58, 545). Samples that a Student-t fit finds wrong are left out. The band is Student's t of the fit's own variance; where the
Bayesian information criterion (Schwarz 1978) prefers the next degree, the distance to that degree's forecast is added as one more sigma:
the curve knows then that it bends away from the path.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..types import Bools, Floats, Forecast, Refusal, Track
from .forecaster import Question, make_forecast
from .outliers import axis_sigma, drop_outliers

PRIOR_DOF = 4.0
"""The stated sigmas count like this many residuals: trackers know their noise within a factor of 1.5 or so."""
STUDENT_DOF = 4.0
"""Of the robust fit that finds the wrong samples (Lange, Little & Taylor 1989)."""
ROUNDS = 20
"""Of reweighting, from the plain fit."""
OUTLIER_SIGMAS = 5.0
"""Of robust residuals: one normal sample in two million lies beyond."""
LARGEST_SHARE = 0.2
"""More wrong samples than this are a misfit, not outliers."""
MAD_TO_SIGMA = 1.4826
CORRELATIONS = (0.0, 0.3, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98)
"""Of neighbouring samples, tried beside the one that the track states: half a step of Fisher's z is under the resolution of 100 samples."""
PRIOR_Z = 0.5
"""Sigma of Fisher's z of the stated correlation, as that of 7 samples."""
FEWEST_OF_WINDOW = 3
"""A velocity from two samples has no spare one to notice anything with; it is only used when there are no more."""
MOST_WINDOWS = 24
"""Between 3 and 400 samples each is then a quarter longer than the one before: the slope's variance halves in three."""
BEND_WINDOWS = 3
"""The acceleration that the straight line leaves out is looked for in three times its window: in the window itself it was lost in the noise."""


@dataclass(frozen=True, slots=True)
class FreeQuadratic:
    """Position = a quadratic in time for each axis, no constraint between them: any parabola, and the rival of every free fall."""

    name: str = "free_quadratic"

    def forecast(self, question: Question) -> Forecast | Refusal:
        """Refuses under 3 samples."""
        return _forecast_polynomial(question, 2)


@dataclass(frozen=True, slots=True)
class FreeCubic:
    """Position = a cubic in time for each axis: drag, lift and perspective bend a parabola into about this."""

    name: str = "free_cubic"

    def forecast(self, question: Question) -> Forecast | Refusal:
        """Refuses under 4 samples."""
        return _forecast_polynomial(question, 3)


@dataclass(frozen=True, slots=True)
class LastVelocity:
    """Straight on from the last samples.

    The window at the end is the one with the least expected squared error of the velocity at the last sample: the variance of a straight
    line's slope, plus the squared distance from the slope at the end of a quadratic in the same window, less that distance's own variance
    (an unbiased estimate of the squared lag that curvature causes). More noise makes it longer, more curvature shorter. The acceleration
    that the last samples show only widens the band.
    """

    name: str = "last_velocity"

    def forecast(self, question: Question) -> Forecast | Refusal:
        """Refuses under 2 samples."""
        if len(question.observed) < 2:
            return _too_short(question.observed, 2, "a velocity")
        track = drop_outliers(question.observed)
        noise = _learn_noise(track, min(3, len(track) - 1))
        window = _choose_window(track, noise)
        line = _fit_curve(track.select(slice(len(track) - window, None)), 1, noise)
        centre, sigma = _evaluate(line, question.t)
        wider = track.select(slice(-min(BEND_WINDOWS * window, len(track)), None))
        if len(wider) > 2:
            sigma = np.hypot(sigma, 0.5 * _acceleration_size(wider, noise) * (question.t[:, None] - track.t[-1]) ** 2)
        return make_forecast(question, centre, sigma, student_quantile(question.level, line.dof))


def student_quantile(level: float, dof: float) -> float:
    """Sigmas from the centre of Student's t to either edge of its central interval of this level."""
    from scipy.special import stdtrit

    return float(stdtrit(dof, 0.5 + 0.5 * level))


def _forecast_polynomial(question: Question, degree: int) -> Forecast | Refusal:
    track = question.observed
    if len(track) <= degree:
        return _too_short(track, degree + 1, f"a polynomial of degree {degree}")
    track = track.select(_find_trusted(track, degree))
    noise = _learn_noise(track, min(degree + 1, len(track) - 1))
    curve = _fit_curve(track, degree, noise)
    centre, sigma = _evaluate(curve, question.t)
    if len(track) > degree + 1 and (bend := _prefers_next(track, degree, noise)) is not None:
        sigma = np.hypot(sigma, _evaluate(bend, question.t)[0] - centre)
    return make_forecast(question, centre, sigma, student_quantile(question.level, curve.dof))


def _too_short(track: Track, needed: int, what: str) -> Refusal:
    return Refusal("too_short", f"{len(track)} samples; {needed} are needed for {what}; track the object for longer")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Noise:
    """Correlation of neighbouring samples a ``step`` (s) apart."""

    correlation: float
    step: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Curve:
    """A polynomial for each axis in Legendre's basis over [start, end] (s).

    ``coefficients`` (k, 2); ``covariance`` (2, k, k) with the scale in it; ``cost`` (2,) the whitened residuals' squares.
    """

    start: float
    end: float
    coefficients: Floats
    covariance: Floats
    cost: Floats
    dof: float


def _find_trusted(track: Track, degree: int) -> Bools:
    """(n,) samples that a Student-t fit of the polynomial, scale and all, does not find wrong; all where too many seem so."""
    n, k = len(track), degree + 1
    basis = _basis(track.t, track.t[0], track.t[-1], degree)
    wrong = np.zeros(n, dtype=bool)
    for axis in range(2):
        sigma, x = axis_sigma(track)[:, axis], track.centre_px[:, axis]
        weight, variance = np.ones(n), 1.0
        for _ in range(ROUNDS):
            root = np.sqrt(weight) / sigma
            residual = (x - basis @ np.linalg.lstsq(basis * root[:, None], x * root, rcond=None)[0]) / sigma
            variance = (PRIOR_DOF + float(np.sum(weight * residual**2))) / (PRIOR_DOF + n)
            weight = (STUDENT_DOF + 1.0) / (STUDENT_DOF + residual**2 / variance)
        spread = MAD_TO_SIGMA * float(np.median(np.abs(residual))) * np.sqrt(n / max(n - k, 1))
        scale = np.sqrt((PRIOR_DOF + (n - k) * spread**2) / (PRIOR_DOF + n - k))
        wrong |= np.abs(residual) > OUTLIER_SIGMAS * scale
    few = wrong.sum() <= LARGEST_SHARE * n and n - wrong.sum() > k
    return ~wrong if few else np.ones(n, dtype=bool)


def _learn_noise(track: Track, degree: int) -> _Noise:
    """The correlation of the residuals from a polynomial of this degree, by restricted likelihood with the track's own word as prior."""
    step = float(np.median(np.diff(track.t)))
    stated = float(np.exp(-step / track.correlation_time)) if track.correlation_time > 0 else 0.0
    dof = PRIOR_DOF + max(len(track) - degree - 1, 0)
    best, most = stated, -np.inf
    for correlation in sorted({*CORRELATIONS, stated}):
        basis, x, log_det = _whiten(track, degree, _Noise(correlation=correlation, step=step))
        likelihood = -0.5 * ((np.arctanh(min(correlation, 1 - 1e-9)) - np.arctanh(min(stated, 1 - 1e-9))) / PRIOR_Z) ** 2 - log_det
        for axis in range(2):
            _, cost = _solve(basis[axis], x[axis])
            likelihood -= 0.5 * np.linalg.slogdet(basis[axis].T @ basis[axis])[1] + 0.5 * dof * np.log(PRIOR_DOF + cost)
        if likelihood > most:
            best, most = correlation, likelihood
    return _Noise(correlation=best, step=step)


def _choose_window(track: Track, noise: _Noise) -> int:
    """How many samples at the end to take the velocity from; see `LastVelocity`."""
    n = len(track)
    if n <= FEWEST_OF_WINDOW:
        return n
    best, least = n, np.inf
    for window in np.unique(np.geomspace(FEWEST_OF_WINDOW, n, MOST_WINDOWS).astype(int)):
        rows = track.select(slice(n - window, None))
        line, bend = _fit_curve(rows, 1, noise), _fit_curve(rows, 2, noise)
        slope = [_slope_at_end(curve) for curve in (line, bend)]
        lag = (slope[0][0] - slope[1][0]) ** 2 - np.maximum(slope[1][1] - slope[0][1], 0.0)
        risk = float(np.sum(slope[0][1] + np.maximum(lag, 0.0)))
        if risk <= least:
            best, least = int(window), risk
    return best


def _prefers_next(track: Track, degree: int, noise: _Noise) -> _Curve | None:
    """The curve of the next degree where the information criterion prefers it."""
    curve, bend = _fit_curve(track, degree, noise), _fit_curve(track, degree + 1, noise)
    gain = curve.dof * np.log((PRIOR_DOF + curve.cost) / (PRIOR_DOF + bend.cost))
    return bend if float(np.sum(gain)) > 2 * np.log(len(track)) else None


def _fit_curve(track: Track, degree: int, noise: _Noise) -> _Curve:
    """Generalised least squares; the scale is the mean of the squared residuals with the stated sigmas as `PRIOR_DOF` of them."""
    basis, x, _ = _whiten(track, degree, noise)
    dof = PRIOR_DOF + max(len(track) - degree - 1, 0)
    coefficients, covariance, costs = np.empty((degree + 1, 2)), np.empty((2, degree + 1, degree + 1)), np.empty(2)
    for axis in range(2):
        coefficients[:, axis], costs[axis] = _solve(basis[axis], x[axis])
        covariance[axis] = np.linalg.pinv(basis[axis].T @ basis[axis], hermitian=True) * (PRIOR_DOF + costs[axis]) / dof
    return _Curve(start=float(track.t[0]), end=float(track.t[-1]), coefficients=coefficients, covariance=covariance, cost=costs, dof=dof)


def _whiten(track: Track, degree: int, noise: _Noise) -> tuple[Floats, Floats, float]:
    """Basis (2, n, k) and samples (2, n) with independent unit errors, and half the log determinant of their correlation.

    The errors are a first-order autoregression in continuous time, so that gaps decorrelate them.
    """
    sigma = axis_sigma(track).T
    basis = _basis(track.t, track.t[0], track.t[-1], degree) / sigma[..., None]
    x = track.centre_px.T / sigma
    phi = noise.correlation ** (np.diff(track.t) / noise.step) if noise.correlation > 0 else np.zeros(len(track) - 1)
    root = np.sqrt(1.0 - phi**2)
    basis[:, 1:] = (basis[:, 1:] - phi[:, None] * basis[:, :-1]) / root[:, None]
    x[:, 1:] = (x[:, 1:] - phi * x[:, :-1]) / root
    return basis, x, 2 * float(np.sum(np.log(root)))


def _solve(basis: Floats, x: Floats) -> tuple[Floats, float]:
    solved = np.linalg.lstsq(basis, x, rcond=None)[0]
    return np.asarray(solved), float(np.sum((x - basis @ solved) ** 2))


def _basis(t: Floats, start: float, end: float, degree: int) -> Floats:
    """(h, k) Legendre polynomials of the time mapped to -1..1 over [start, end]."""
    return np.asarray(np.polynomial.legendre.legvander(2.0 * (t - start) / (end - start) - 1.0, degree))


def _evaluate(curve: _Curve, t: Floats) -> tuple[Floats, Floats]:
    """Centre (h, 2) and sigma (h, 2), px."""
    basis = _basis(t, curve.start, curve.end, len(curve.coefficients) - 1)
    return basis @ curve.coefficients, np.sqrt(np.einsum("hi,aij,hj->ha", basis, curve.covariance, basis))


def _slope_at_end(curve: _Curve) -> tuple[Floats, Floats]:
    """The slope at the end (2,) and its variance, in px for half the curve's time, which is all that a comparison in one window needs."""
    k = np.arange(len(curve.coefficients))
    slope = k * (k + 1) / 2.0 * (2.0 / (curve.end - curve.start))  # P_k'(1) = k (k + 1) / 2
    return slope @ curve.coefficients, np.einsum("i,aij,j->a", slope, curve.covariance, slope)


def _acceleration_size(track: Track, noise: _Noise) -> Floats:
    """(2,) px/s^2: the root of an unbiased estimate of the squared acceleration, 0 where that is negative."""
    bend = _fit_curve(track, 2, noise)
    per_coefficient = 3.0 * (2.0 / (bend.end - bend.start)) ** 2  # P_2'' = 3
    return np.asarray(per_coefficient * np.sqrt(np.maximum(bend.coefficients[2] ** 2 - bend.covariance[:, 2, 2], 0.0)))
