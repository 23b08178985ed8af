"""Integrates a fitted pattern beyond its track into a forecast of the true centre, with a marginal band.

The path is one DOP853 solution at the estimate; the band is the fit's covariance carried through the camera by finite differences, widened
by Student's t for the samples that the noise was learned from, by the misfit that the stability check left unexplained, and by what all samples
may be off by alike: the band is for the true centre, and no fit learns that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..physics.integration import solve_one
from ..types import Belief, Fit, Floats, Forecast, Stop
from .fitting import restate
from .parameters import Known, Problem, predict_image, see, unpack

BISECTIONS = 40
"""Halvings of the bracket of a mixture's quantile: 1e-12 of it."""
LEAVES_BY_RADII = 1.0
"""A body has left the picture when its whole disc has."""
BAND_STEP_SIGMAS = 0.01
"""Finite differences of the band span a hundredth of a sigma: wider ones leave the curved valley of what the data allow, and a pendulum's
band comes out ten times too wide."""


def forecast_fit(
    fit: Fit, known: Known, t: Floats, *, level: float, size_px: tuple[int, int] | None = None, ground: float | None = None
) -> tuple[Forecast, str]:
    """Where the body will be at times ``t`` (h,) (s, on the track's clock, increasing, not before its start).

    Args:
        fit: A successful fit.
        known: What the fit knew.
        t: Forecast times.
        level: The nominal coverage of the band, 0..1.
        size_px: Stop where the body leaves a picture of this width and height; None: do not.
        ground: Stop where the body's lowest point passes this height over the anchor (m); None: not known.

    Returns:
        The forecast and, where the equation of motion failed, the reason (the forecast then ends early).
    """
    problem = restate(fit, known)
    since = np.asarray(t, dtype=float) - fit.track.t[0]
    p = {name: float(value[0]) for name, value in unpack(problem, fit.estimate[None]).items()}
    states, failure = solve_one(problem.model, p, since)
    position = problem.model.position(states, p)
    image, _ = see(problem, {name: np.full((1, 1), value) for name, value in p.items()}, position[None])
    sigma = centre_sigma(problem, fit, since)
    unexplained = np.hypot(discrepancy_sigma(fit, since), fit.track.offset_px)
    half = _student_quantile(level, fit.noise.dof) * np.hypot(sigma, unexplained[:, None])
    end, stop = _find_stop(image[0], position, p["diameter"], size_px, ground)
    end = min(end, int(np.sum(np.all(np.isfinite(image[0, :, :2]) & np.isfinite(half), axis=1))))
    centre = image[0, :end, :2] + fit.wobble.expected_px(since[:end])
    return Forecast(
        t=np.asarray(t, dtype=float)[:end], centre_px=centre, lower_px=centre - half[:end], upper_px=centre + half[:end],
        position=position[:end], level=level, stop=stop,
    ), failure  # fmt: skip


def forecast_beliefs(
    beliefs: Sequence[Belief], known: Known, t: Floats, *, level: float, size_px: tuple[int, int] | None = None, ground: float | None = None
) -> tuple[Forecast, str]:
    """As `forecast_fit`, over every law and object that the track leaves possible: the first belief's path in metres, everyone's in the picture.

    A slow topspin drive near by and a fast toss far off look alike for a while and part later: a band that knows one of them only is
    not honest. The centre is the mean of their mixture, and the band its quantiles (a normal one for each belief).
    """
    forecast, failure = forecast_fit(beliefs[0].fit, known, t, level=level, size_px=size_px, ground=ground)
    if len(beliefs) == 1 or len(forecast.t) == 0:
        return forecast, failure
    others = [(forecast_fit(belief.fit, known, forecast.t, level=level)[0], belief.probability) for belief in beliefs[1:]]
    parts = [(forecast, beliefs[0].probability), *((other, share) for other, share in others if len(other.t) == len(forecast.t))]
    share = np.array([weight for _, weight in parts]) / sum(weight for _, weight in parts)
    centre = np.stack([part.centre_px for part, _ in parts])
    sigma = np.stack([0.5 * (part.upper_px - part.lower_px) for part, _ in parts]) / normal_quantile(level)
    return replace(
        forecast,
        centre_px=np.einsum("b,bhi->hi", share, centre),
        lower_px=_mixture_quantile(0.5 - 0.5 * level, share, centre, sigma),
        upper_px=_mixture_quantile(0.5 + 0.5 * level, share, centre, sigma),
    ), failure  # fmt: skip


def _mixture_quantile(probability: float, share: Floats, centre: Floats, sigma: Floats) -> Floats:
    """(h, 2) quantiles of mixtures of normals (b, h, 2) by bisection."""
    from scipy.special import ndtr

    sigma = np.maximum(sigma, 1e-9)
    reach = abs(normal_quantile(2.0 * abs(probability - 0.5))) + 1.0
    low, high = np.min(centre - reach * sigma, axis=0), np.max(centre + reach * sigma, axis=0)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        below = np.einsum("b,bhi->hi", share, ndtr((middle - centre) / sigma)) < probability
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 0.5 * (low + high)


def centre_sigma(problem: Problem, fit: Fit, since: Floats) -> Floats:
    """(h, 2) px: the standard uncertainty of the true centre at times ``since`` the track's start, from fit and wobble alone."""
    slopes = sensitivity(problem, fit, since)
    return np.asarray(np.hypot(np.sqrt(np.einsum("mhi,mhi->hi", slopes, slopes)), fit.wobble.sigma_px(since)[:, None]))


def sensitivity(problem: Problem, fit: Fit, since: Floats) -> Floats:
    """(m, h, 2) px: what one sigma along each principal axis of the fit's covariance does to the centre.

    A path that is moved away from the samples leaves them a larger wobble, which takes a part of it back.
    """
    values, vectors = np.linalg.eigh(fit.covariance)
    axes = (vectors * np.sqrt(np.maximum(values, 0.0))).T
    return with_wobble(fit, slopes_along(problem, fit, axes, since), slopes_at_samples(problem, fit, axes), since)


def with_wobble(fit: Fit, ahead: Floats, seen: Floats, since: Floats) -> Floats:
    """(m, h, 2) px what moves the law by ``ahead`` there, and by ``seen`` (m, n, 2) at the samples, does to the outline's centre."""
    return np.asarray(ahead - np.einsum("hn,mni->mhi", fit.wobble.response(since), seen))


def slopes_at_samples(problem: Problem, fit: Fit, axes: Floats) -> Floats:
    """(m, n, 2) px `slopes_along` at the fit's own samples, as far as `with_wobble` asks for them: none where nothing wobbles."""
    return slopes_along(problem, fit, axes, problem.t) if len(fit.wobble.rate_rps) else np.empty((len(axes), 0, 2))


def slopes_along(problem: Problem, fit: Fit, axes: Floats, since: Floats) -> Floats:
    """(m, h, 2) px: what the law moves the centre by for each of the moves ``axes`` (m, m) of the estimate."""
    # Not held to the bounds: a step of which one coordinate is cut off leaves the valley that the others follow.
    moved, m = BAND_STEP_SIGMAS * axes, len(axes)
    image, _ = predict_image(problem, np.concatenate([fit.estimate + moved, fit.estimate - moved]), since)
    return np.asarray((image[:m, :, :2] - image[m:, :, :2]) / (2 * BAND_STEP_SIGMAS))


def discrepancy_sigma(fit: Fit, since: Floats) -> Floats:
    """(h,) px: the unexplained misfit, growing outside the track as the square of the time relative to it."""
    observed = float(fit.track.t[-1] - fit.track.t[0])
    outside = np.maximum(np.maximum(since - observed, -since), 0.0) / max(observed, 1e-9)
    return fit.noise.discrepancy_px * (1.0 + outside) ** 2


def normal_quantile(level: float) -> float:
    """The half-width, in sigmas, of the central interval of a normal distribution with probability ``level``."""
    from scipy.special import ndtri

    return float(ndtri(0.5 + 0.5 * level))


def _student_quantile(level: float, dof: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(dof, 0.5 + 0.5 * level))


def _find_stop(image: Floats, position: Floats, diameter: float, size_px: tuple[int, int] | None, ground: float | None) -> tuple[int, Stop]:
    """How many samples come before the end, and what ends them."""
    ends: list[tuple[int, Stop]] = [(len(image), "horizon")]
    if ground is not None:
        below = np.flatnonzero(position[:, 1] - 0.5 * diameter < ground)
        ends += [(int(below[0]), "ground")] if len(below) else []
    if size_px is not None:
        margin = LEAVES_BY_RADII * np.abs(image[:, 2])
        u, v = image[:, 0], image[:, 1]
        outside = (u < -margin) | (v < -margin) | (u > size_px[0] - 1 + margin) | (v > size_px[1] - 1 + margin)
        gone = np.flatnonzero(outside)
        ends += [(int(gone[0]), "left_frame")] if len(gone) else []
    return min(ends, key=lambda pair: pair[0])


def widen(fit: Fit, discrepancy_px: float) -> Fit:
    """The same fit, carrying a misfit (px) that its noise does not explain."""
    return replace(fit, noise=replace(fit.noise, discrepancy_px=discrepancy_px))
