"""What a neural rival is shown of a track, and how its answer becomes a forecast: one representation for all of them.

Free of shift, scale and unit of time: the origin is where the object was last, the unit of length the extent of the observed path, the
unit of time the observed duration. A net is shown a robustly smoothed path at up to 64 of its samples and a few figures about the whole,
and answers with what the path will differ by from going on at the last velocity, at fixed shares of the observed duration (`GRID`).
Every such figure comes from the observed samples alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ..types import Floats, Track
from .forecaster import Question

Floats32 = NDArray[np.float32]

N_STEPS = 64
"""Samples that a net is shown: 8 in each swing of the longest pendulum clips that are drawn (ten swings, three quarters of them seen)."""
FEWEST_SAMPLES = 4
"""Three determine a quadratic; a fourth says how noisy they are."""
SERIES = ("time", "step", "x", "y", "vx", "vy", "noise", "radius", "shown")
SCALARS = (
    "vx", "vy", "ax", "ay", "jx", "jy", "width", "height", "noise", "samples", "last_window", "parabola_misfit", "cubic_misfit",
    "has_radius", "radius", "radius_trend",
)  # fmt: skip
CURVES = ("stay", "parabola", "cubic")
"""Simple continuations, as coefficients of powers of the relative time less the last velocity's: a net may mix them and add to them."""
N_POWERS = 4
GRID: Floats = np.concatenate([np.linspace(0, 1 / 3, 19), np.linspace(1 / 3, 1, 19)[1:], np.linspace(1, 4, 36)[1:]])
"""(72,) times of the answer in observed durations after the last sample: finest over the third that is left when three quarters were
seen, and up to four times what was seen (a fifth); swings last longest, in grid steps, where little of them was seen."""
GRID.setflags(write=False)
MIRROR_SERIES: Floats32 = np.array([-1.0 if name in ("x", "vx") else 1.0 for name in SERIES], np.float32)
MIRROR_SCALARS: Floats32 = np.array([-1.0 if name in ("vx", "ax", "jx") else 1.0 for name in SCALARS], np.float32)

SMALLEST_WINDOW = 7
"""Samples of a local quadratic: four more than it has coefficients for each axis."""
SMALLEST_LAST_WINDOW = 9
"""At an end a window is one-sided, and an outlier pulls more."""
LINEAR_ROUNDS, REDESCENDING_ROUNDS = 3, 2
"""Reweighted fits: least absolute deviations first, which a gross outlier does not lead astray, then weights that leave it out."""
OUTLIER_SIGMAS = 3.0
"""Where the redescending weight (Geman & McClure 1987) has fallen to a quarter."""
SMALLEST_RATIO = 0.1
"""Residuals below a tenth of a sigma weigh alike: least absolute deviations would hang the curve on single samples."""
MISFIT_GROWTH = 1.4
"""The last window doubles as long as its scatter stays below this many times the smallest one's: a sixteenth of its samples scatter more
by chance, and a path that bends away from its quadratic soon does."""
LARGEST_FIGURE = 12.0
"""Scalars are compressed by asinh and cut here (an acceleration of 80,000 extents per duration squared)."""
MAD_TO_SIGMA = 1.4826 / 1.5096
"""Of the median length of two-dimensional Gaussian residuals, sqrt(2 ln 2) sigma, in the terms of a one-dimensional median."""
TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """A track as the nets see it: ``series`` (64, 9), ``scalars`` (16,), ``curves`` (3, 4, 2), and what undoes the normalisation.

    ``series`` is padded in front by zeros; its last row is the last sample. ``origin_px`` (2,) and ``velocity_px`` (2,), px/s, are the robust
    last position and velocity, ``extent_px`` the unit of length, ``t`` the last sample's time and ``duration`` the observed one (s).
    """

    series: Floats32
    scalars: Floats32
    curves: Floats32
    origin_px: Floats
    velocity_px: Floats
    extent_px: float
    t: float
    duration: float


@dataclass(frozen=True, slots=True)
class _Curve:
    """A robust polynomial: coefficients (p, 2) in powers of the given time, and its samples' scatter about it."""

    coefficients: Floats
    scatter: float


def encode(question: Question) -> Encoding:
    """The question's observed track in normalised terms. Raises ValueError below `FEWEST_SAMPLES` samples."""
    track = question.observed
    if len(track) < FEWEST_SAMPLES:
        raise ValueError(f"{len(track)} samples: {FEWEST_SAMPLES} are needed")
    duration = float(track.t[-1] - track.t[0])
    tau, centre, sigma = (track.t - track.t[-1]) / duration, track.centre_px, np.maximum(track.sigma_px, TINY)
    rows = np.unique(np.linspace(0, len(track) - 1, min(N_STEPS, len(track))).round().astype(int))
    position, velocity = _smooth(tau, centre, sigma, rows)
    last, share = _last_state(tau, centre, sigma)
    box = np.ptp(position, axis=0)
    extent = float(max(np.hypot(*box), 2.0 * np.median(sigma), TINY))
    parabola, cubic = (_fit_curve(tau, centre, sigma, min(degree, len(track) - 2)) for degree in (2, 3))
    last_velocity = last[1] / extent
    series = _series(tau, sigma / extent, rows, (position - last[0]) / extent, velocity / extent, _relative_radius(track, rows))
    curves = np.zeros((len(CURVES), N_POWERS, 2))
    for curve, into in ((parabola, curves[1]), (cubic, curves[2])):
        into[: len(curve.coefficients)] = curve.coefficients / extent
        into[0] -= last[0] / extent
    figures = {
        "vx": last_velocity[0], "vy": last_velocity[1], "ax": curves[1, 2, 0], "ay": curves[1, 2, 1], "jx": curves[2, 3, 0], "jy": curves[2, 3, 1],
        "width": box[0] / extent, "height": box[1] / extent, "noise": np.log(np.median(sigma) / extent) + 6.0, "samples": np.log(len(track) / 24.0),
        "last_window": np.log(share), "parabola_misfit": np.log(max(parabola.scatter / extent, 1e-6)) + 6.0,
        "cubic_misfit": np.log(max(cubic.scatter / extent, 1e-6)) + 6.0, **_radius_figures(track, tau, extent),
    }  # fmt: skip
    curves[:, 1] -= last_velocity
    scalars = np.clip(np.arcsinh([figures[name] for name in SCALARS]), -LARGEST_FIGURE, LARGEST_FIGURE)
    return Encoding(
        series=series, scalars=scalars.astype(np.float32), curves=curves.astype(np.float32), origin_px=last[0],
        velocity_px=last[1] / duration, extent_px=extent, t=float(track.t[-1]), duration=duration,
    )  # fmt: skip


def decode(encoding: Encoding, mean: Floats, sigma: Floats, t: Floats) -> tuple[Floats, Floats]:
    """The answer in pixels at the times ``t`` (h,): centre_px (h, 2) and sigma_px (h, 2).

    Args:
        encoding: what the net was shown.
        mean: (72, 2) normalised differences from the last velocity on `GRID`.
        sigma: (72, 2) of them, normalised.
        t: s on the track's clock, after its last sample. Beyond the grid the answer goes on straight and its sigma in proportion.
    """
    ahead = t - encoding.t
    tau = ahead / encoding.duration
    straight = encoding.origin_px + ahead[:, None] * encoding.velocity_px
    spread = np.exp(interpolate(np.log(np.maximum(sigma, TINY)), np.minimum(tau, GRID[-1])))
    beyond = np.maximum(tau / GRID[-1], 1.0)[:, None]
    return straight + encoding.extent_px * interpolate(mean, tau), encoding.extent_px * spread * beyond


def normalise(encoding: Encoding, t: Floats, centre_px: Floats) -> Floats:
    """(h, 2) what `decode` undoes: positions at times as normalised differences from going on at the last velocity."""
    straight = encoding.origin_px + (t - encoding.t)[:, None] * encoding.velocity_px
    return (centre_px - straight) / encoding.extent_px


def interpolate(values: Floats, tau: Floats) -> Floats:
    """(h, ...) values (72, ...) on `GRID` at relative times by the cubic through the four nearest nodes, straight on beyond the last."""
    inside = np.minimum(tau, GRID[-1])
    first = np.clip(np.searchsorted(GRID, inside) - 2, 0, len(GRID) - 4)
    nodes = first[:, None] + np.arange(4)
    at = GRID[nodes]
    weights = np.ones((len(tau), 4))
    for i in range(4):
        for j in range(4):
            if i != j:
                weights[:, i] *= (inside - at[:, j]) / (at[:, i] - at[:, j])
    slope = (values[-1] - values[-2]) / (GRID[-1] - GRID[-2])
    return np.einsum("hi,hi...->h...", weights, values[nodes]) + np.multiply.outer(tau - inside, slope)


def mirror(series: Floats32, scalars: Floats32, curves: Floats32) -> tuple[Floats32, Floats32, Floats32]:
    """The encoding of the same track with left and right exchanged."""
    return series * MIRROR_SERIES, scalars * MIRROR_SCALARS, curves * np.array([-1.0, 1.0], np.float32)


def _smooth(tau: Floats, centre: Floats, sigma: Floats, rows: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Positions and velocities (m, 2) at the given samples from robust local quadratics."""
    n = len(tau)
    width = min(max(SMALLEST_WINDOW, 2 * round(n / N_STEPS) + 1), n)
    window = np.clip(rows - width // 2, 0, n - width)[:, None] + np.arange(width)
    away = tau[window] - tau[rows][:, None]
    reach = np.abs(away).max(axis=1, keepdims=True)
    coefficients = _reweighted(away / reach, centre[window], sigma[window], 2)
    return coefficients[:, 0], coefficients[:, 1] / reach


def _last_state(tau: Floats, centre: Floats, sigma: Floats) -> tuple[Floats, float]:
    """(2, 2) position and velocity at the last sample, and the share of the samples that they rest on.

    The longest of the windows of 9, 18, 36, ... last samples over which a quadratic still scatters as little as over the shortest.
    """
    n = len(tau)
    width = min(SMALLEST_LAST_WINDOW, n)
    best = _fit_curve(tau[-width:], centre[-width:], sigma[-width:], 2)
    allowed = max(best.scatter, float(np.median(sigma[-width:])))
    share = width / n
    while width < n:
        width = min(2 * width, n)
        wider = _fit_curve(tau[-width:], centre[-width:], sigma[-width:], 2)
        if wider.scatter > MISFIT_GROWTH * allowed:
            break
        best, share = wider, width / n
    return best.coefficients[:2], share


def _fit_curve(tau: Floats, centre: Floats, sigma: Floats, degree: int) -> _Curve:
    """A robust polynomial in ``tau`` through all given samples."""
    reach = float(np.abs(tau).max())
    coefficients = _reweighted(tau[None] / reach, centre[None], sigma[None], degree)
    powers = (tau[:, None] / reach) ** np.arange(degree + 1)
    scatter = _scatter(np.linalg.norm(centre - powers @ coefficients[0], axis=1)[None], degree + 1)
    return _Curve(coefficients[0] / reach ** np.arange(degree + 1)[:, None], float(scatter[0, 0]))


def _reweighted(x: Floats, y: Floats, sigma: Floats, degree: int) -> Floats:
    """Coefficients (m, p, 2) of m robust polynomials through w samples each: x (m, w), y (m, w, 2), sigma (m, w)."""
    powers = x[..., None] ** np.arange(degree + 1)
    middle = np.median(y, axis=1, keepdims=True)
    ordinary = np.median(sigma, axis=1, keepdims=True)
    relative, away = (ordinary / sigma) ** 2, y - middle
    ridge = TINY * x.shape[1] * np.eye(degree + 1)
    weights = relative
    for turn in range(LINEAR_ROUNDS + REDESCENDING_ROUNDS + 1):
        weighted = np.swapaxes(powers * weights[..., None], 1, 2)
        coefficients = np.linalg.solve(weighted @ powers + ridge * weights.mean(axis=1)[:, None, None], weighted @ away)
        if turn == LINEAR_ROUNDS + REDESCENDING_ROUNDS:
            break
        residual = away - powers @ coefficients
        length = np.sqrt(residual[..., 0] ** 2 + residual[..., 1] ** 2)
        ratio = length / np.maximum(_scatter(length, degree + 1), ordinary)
        weights = relative / np.maximum(ratio, SMALLEST_RATIO) if turn < LINEAR_ROUNDS else relative / (1.0 + (ratio / OUTLIER_SIGMAS) ** 2) ** 2
    coefficients[:, 0] += middle[:, 0]
    return coefficients


def _scatter(residual: Floats, parameters: int) -> Floats:
    """(m, 1) robust sigma for each axis of residual lengths (m, w), for the degrees of freedom that a fit took."""
    w = residual.shape[1]
    return MAD_TO_SIGMA * np.median(residual, axis=1, keepdims=True) * np.sqrt(w / max(w - parameters, 1))


def _series(tau: Floats, noise: Floats, rows: NDArray[np.int64], position: Floats, velocity: Floats, radius: Floats) -> Floats32:
    """(64, 9) rows of `SERIES`, the last sample last, zeros in front."""
    at = tau[rows]
    columns: Mapping[str, Floats] = MappingProxyType({
        "time": at, "step": 10.0 * np.diff(at, prepend=at[0]), "x": position[:, 0], "y": position[:, 1], "vx": velocity[:, 0], "vy": velocity[:, 1],
        "noise": 0.5 * (np.log(noise[rows]) + 6.0), "radius": radius, "shown": np.ones(len(rows)),
    })  # fmt: skip
    series = np.zeros((N_STEPS, len(SERIES)), np.float32)
    series[N_STEPS - len(rows) :] = np.clip(np.stack([columns[name] for name in SERIES], axis=1), -50.0, 50.0)
    return series


def _relative_radius(track: Track, rows: NDArray[np.int64]) -> Floats:
    """(m,) log of the apparent radius to its median, zero where it was not measured."""
    radius = track.radius_px
    if not np.any(np.isfinite(radius)):
        return np.zeros(len(rows))
    relative = np.log(np.maximum(radius, TINY) / np.nanmedian(radius))
    return np.clip(np.nan_to_num(relative[rows]), -1.0, 1.0)


def _radius_figures(track: Track, tau: Floats, extent: float) -> dict[str, float]:
    """Whether the radius was measured, how large it is and how fast it grows."""
    known = np.isfinite(track.radius_px)
    if known.sum() < FEWEST_SAMPLES:
        return {"has_radius": 0.0, "radius": 0.0, "radius_trend": 0.0}
    logs = np.log(np.maximum(track.radius_px[known], TINY))
    middle = np.median(logs)
    away = tau[known] - tau[known].mean()
    trend = float(away @ np.clip(logs - middle, -1.0, 1.0) / max(away @ away, TINY))
    return {"has_radius": 1.0, "radius": float(middle - np.log(extent)) + 3.0, "radius_trend": 5.0 * trend}
