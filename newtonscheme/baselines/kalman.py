"""Kalman filters that believe in a steady velocity or a steady acceleration and let chance disturb it: what trackers forecast with.

For each axis the state is (position, velocity[, acceleration], error), the last being the tracker's own error in its stated sigmas: a
first-order Gauss-Markov process of the track's correlation time, white where that is 0 (coloured noise by augmenting the state: Bar-Shalom,
Li & Kirubarajan 2001, Estimation with Applications to Tracking and Navigation, 8.2). The process is driven by white-noise acceleration
(their 6.2.2) or white-noise jerk (6.2.3), discretised exactly for every interval, so that gaps and uneven clocks need no care.

The one free number, the process noise, and the scale of all noise are those under which the observed samples' innovations are likeliest; the
band averages over the process noise by that likelihood, because a few samples leave it uncertain by decades. A sample that
surprises the filter is weighed down by Huber's function (Huber 1964), which equals a larger measurement noise for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..types import Floats, Forecast, Refusal
from .forecaster import Question, make_forecast
from .outliers import axis_sigma, drop_outliers
from .polynomial import student_quantile

PRIOR_DOF = 4.0
"""The stated sigmas count like this many innovations when the scale of the noise is learned."""
DIFFUSE = 10.0
"""Sigma of the first derivatives in the largest difference quotients of the samples, and of the first position in sigmas of its sample:
wide enough to say nothing, and near enough to the data that nothing is lost to rounding."""
GATE = 3.0
"""Sigmas beyond which an innovation pulls no harder: one normal sample in 370."""
LEAST_NOISE = 0.1
"""Process noise, as the sigma it adds over the whole track in sigmas of a sample: under this it is none, and all values are equally likely."""
LARGEST_NOISE = 1e10
"""Process noise in the path's extent and duration: the path then starts anew at each sample even where it swings 15 times."""
COARSE, FINE = 32, 9
"""Values tried in the whole range and again between the best one's neighbours: steps of half a decade, then of an eighth; the optimum is flatter."""
WHITE = 1e-3
"""Share of a sample's variance that is white even where its error is a process of its own: keeps the innovation's variance positive."""


@dataclass(frozen=True, slots=True)
class KalmanConstantVelocity:
    """A steady velocity, disturbed by white-noise acceleration."""

    name: str = "kalman_constant_velocity"

    def forecast(self, question: Question) -> Forecast | Refusal:
        """Refuses under 2 samples."""
        return _forecast(question, 2)


@dataclass(frozen=True, slots=True)
class KalmanConstantAcceleration:
    """A steady acceleration, disturbed by white-noise jerk."""

    name: str = "kalman_constant_acceleration"

    def forecast(self, question: Question) -> Forecast | Refusal:
        """Refuses under 3 samples."""
        return _forecast(question, 3)


def transition(dt: float, order: int) -> Floats:
    """(order, order) what a step of ``dt`` does to position and its derivatives: a Taylor series."""
    matrix = np.eye(order)
    for i in range(order):
        for j in range(i + 1, order):
            matrix[i, j] = matrix[i, j - 1] * dt / (j - i)
    return matrix


def process_covariance(dt: float, order: int) -> Floats:
    """(order, order) covariance that white noise of unit density on the highest derivative's rate adds over ``dt``.

    Integral of F(s) G G' F(s)' ds over 0..dt: dt^(a + b + 1) / (a! b! (a + b + 1)), a and b counting derivatives from the highest
    (Bar-Shalom, Li & Kirubarajan 2001, eq. 6.2.2-4 for order 2 and 6.2.3-4 for order 3).
    """
    down = np.arange(order - 1, -1, -1)
    factorial = np.array([1.0, 1.0, 2.0])[down]
    power = down[:, None] + down + 1
    return np.asarray(dt**power / (factorial[:, None] * factorial * power))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Samples:
    """A track in units of its duration and extent: ``t`` (n,), ``x`` (n, 2) and ``sigma`` (n, 2); ``correlation_time`` in durations."""

    t: Floats
    x: Floats
    sigma: Floats
    correlation_time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filtered:
    """B filters after the last sample: ``state`` (B, 2, k), ``covariance`` (B, 2, k, k) before scaling, ``scale`` (B,) of all variances."""

    state: Floats
    covariance: Floats
    scale: Floats
    log_likelihood: Floats
    dof: float


def _forecast(question: Question, order: int) -> Forecast | Refusal:
    if len(question.observed) < order:
        found = f"{len(question.observed)} samples; {order} are needed for a filter with {order} derivatives"
        return Refusal("too_short", f"{found}; track the object for longer")
    track = drop_outliers(question.observed)
    duration = float(track.t[-1] - track.t[0])
    extent = max(float(np.max(np.ptp(track.centre_px, axis=0))), float(np.max(axis_sigma(track))))
    samples = _Samples(
        t=(track.t - track.t[0]) / duration, x=(track.centre_px - track.centre_px[0]) / extent, sigma=axis_sigma(track) / extent,
        correlation_time=track.correlation_time / duration,
    )  # fmt: skip
    noise, filtered = _tune(samples, order)
    centre, sigma = _predict(filtered, noise, (question.t - track.t[-1]) / duration, order)
    quantile = student_quantile(question.level, filtered.dof)
    return make_forecast(question, track.centre_px[0] + extent * centre, extent * sigma, quantile)


def _tune(samples: _Samples, order: int) -> tuple[Floats, _Filtered]:
    """Process noises (`COARSE` + `FINE`,) and their filters: a grid over the whole range, then one about the likeliest."""
    added = float(process_covariance(1.0, order)[0, 0])
    least = (LEAST_NOISE * float(np.median(samples.sigma))) ** 2 / added
    coarse = np.geomspace(min(least, 1.0), LARGEST_NOISE, COARSE)
    scouted = _filter(samples, coarse, order, np.ones(COARSE))
    best = int(np.argmax(scouted.log_likelihood))
    fine = np.geomspace(coarse[max(best - 1, 0)], coarse[min(best + 1, COARSE - 1)], FINE)
    every = np.concatenate([coarse, fine])
    return every, _filter(samples, every, order, np.full(len(every), scouted.scale[best]))


def _filter(samples: _Samples, noise: Floats, order: int, gate_scale: Floats) -> _Filtered:
    """B filters side by side, one for each process ``noise`` (B,); surprises are judged at variances times ``gate_scale`` (B,)."""
    k, n = order + 1, len(samples.t)
    state = np.zeros((len(noise), 2, k))
    covariance = np.broadcast_to(np.diag(_first_variances(samples, order)), (len(noise), 2, k, k))
    surprise, log_det = np.zeros(len(noise)), np.zeros(len(noise))
    for i in range(n):
        if i > 0:
            state, covariance = _step(state, covariance, noise, float(samples.t[i] - samples.t[i - 1]), samples.correlation_time)
        seen = np.zeros((2, k))
        seen[:, 0], seen[:, -1] = 1.0, samples.sigma[i]
        state, covariance, cost, spread = _update(state, covariance, seen, samples.x[i], WHITE * samples.sigma[i] ** 2, gate_scale)
        surprise += cost
        log_det += np.log(spread).sum(axis=1)
    dof = PRIOR_DOF + 2.0 * max(n - order, 0)
    scale = (PRIOR_DOF + surprise) / dof
    log_likelihood = -0.5 * (log_det + dof * np.log(scale))
    return _Filtered(state=state, covariance=covariance, scale=scale, log_likelihood=log_likelihood, dof=dof)


def _first_variances(samples: _Samples, order: int) -> Floats:
    """(k,) of position, derivatives and error before anything is seen."""
    step = np.diff(samples.t)[:, None]
    sigma = np.max(samples.sigma)
    velocity = np.diff(samples.x, axis=0) / step
    sizes = [sigma, np.max(np.abs(velocity)) + sigma / step.min()]
    if order > 2:
        middle = 0.5 * (step[1:] + step[:-1])
        sizes.append(np.max(np.abs(np.diff(velocity, axis=0) / middle)) + sigma / middle.min() ** 2)
    return np.array([*(DIFFUSE * np.array(sizes)) ** 2, 1.0])


def _step(state: Floats, covariance: Floats, noise: Floats, dt: float, correlation_time: float) -> tuple[Floats, Floats]:
    """States and covariances ``dt`` later."""
    k = state.shape[-1]
    fading = np.exp(-dt / correlation_time) if correlation_time > 0 else 0.0
    ahead, added = np.zeros((k, k)), np.zeros((len(noise), 1, k, k))
    ahead[:-1, :-1], ahead[-1, -1] = transition(dt, k - 1), fading
    added[:, 0, :-1, :-1] = noise[:, None, None] * process_covariance(dt, k - 1)
    added[..., -1, -1] = 1.0 - fading**2
    return state @ ahead.T, ahead @ covariance @ ahead.T + added


def _update(state: Floats, covariance: Floats, seen: Floats, x: Floats, white: Floats, gate_scale: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """States and covariances (Joseph's form) after a sample, Huber's cost of the innovations (B,) and their variances (B, 2)."""
    innovation = x - np.einsum("bak,ak->ba", state, seen)
    across = np.einsum("bakl,al->bak", covariance, seen)
    spread = np.einsum("bak,ak->ba", across, seen) + white
    size = np.abs(innovation) / np.sqrt(spread)
    gate = GATE * np.sqrt(gate_scale)[:, None]
    weight = np.minimum(gate / np.maximum(size, gate), 1.0)
    gain = across * (weight / spread)[..., None]
    extra = white + spread * (1.0 / weight - 1.0)
    kept = np.eye(state.shape[-1]) - gain[..., :, None] * seen[:, None, :]
    covariance = kept @ covariance @ np.swapaxes(kept, -1, -2) + extra[..., None, None] * gain[..., :, None] * gain[..., None, :]
    cost = np.where(size > gate, gate * (2.0 * size - gate), size**2)
    return state + gain * innovation[..., None], covariance, cost.sum(axis=1), spread


def _predict(filtered: _Filtered, noise: Floats, ahead: Floats, order: int) -> tuple[Floats, Floats]:
    """Centre (h, 2) under the likeliest process noise and its sigma (h, 2), ``ahead`` (h,) of the last sample, without the tracker's error."""
    first = np.stack([transition(float(dt), order)[0] for dt in ahead])
    grown = np.array([process_covariance(float(dt), order)[0, 0] for dt in ahead])
    centre = np.einsum("hi,bai->bha", first, filtered.state[..., :order])
    variance = np.einsum("hi,baij,hj->bha", first, filtered.covariance[..., :order, :order], first) + (noise[:, None] * grown)[..., None]
    likeliest = centre[int(np.argmax(filtered.log_likelihood))]
    even = filtered.log_likelihood[:COARSE]  # one for each half decade: the average is over a flat prior of the noise's logarithm
    weight = np.exp(even - even.max())
    square = filtered.scale[:COARSE, None, None] * np.maximum(variance[:COARSE], 0.0) + (centre[:COARSE] - likeliest) ** 2
    return likeliest, np.sqrt(np.einsum("b,bha->ha", weight / weight.sum(), square))
