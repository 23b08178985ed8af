"""How far a forecast is off, how honest its band is, and whether one forecaster is better than another.

Errors are shares of the unseen path's length, so that a pixel of a thumbnail and of a wide screen count alike. A refusal is no error: it is
counted apart, and two forecasters are compared on the cases that both answered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..estimation.forecasting import normal_quantile
from ..types import Floats, Forecast
from .cases import Case

HORIZONS = (0.1, 0.25, 0.5, 1.0)
"""Shares of the horizon up to which errors are taken."""
CONFIDENCE = 0.95
RESAMPLES = 2000
"""Bootstrap resamples: the 2.5 % quantile of an interval is then known to a tenth of its own width."""
TAIL = 0.9
FLOOR_SHARE = 1e-6
"""Errors below a millionth of the path are equal: a logarithm needs a floor, and no judge sees so far."""
LEAST_PAIRS = 6
"""Pairs with which a two-sided signed-rank test can reach 5 % at all (2 / 2^6 = 3 %)."""
BETTER, WORSE, EQUAL, UNKNOWN = "better", "worse", "no difference", "too few"


@dataclass(frozen=True, slots=True)
class Errors:
    """One forecast against the truth.

    ``rms_share`` and ``final_share`` are up to each of `HORIZONS`; ``crps_share`` is the mean over coordinates and times of the
    continuous ranked probability score of a Gaussian with the band's middle and width, ``width_share`` the mean half-width of the band
    (its sharpness), all as shares of the unseen path; ``coverage`` the share of coordinates inside the band.
    """

    rms_share: tuple[float, ...]
    final_share: tuple[float, ...]
    coverage: float
    crps_share: float
    width_share: float


def judge_forecast(forecast: Forecast, case: Case) -> Errors | None:
    """The errors of a forecast at all of the case's times; None where it has others, or where a number of it is not finite."""
    numbers = np.stack([forecast.centre_px, forecast.lower_px, forecast.upper_px])
    if len(forecast.t) != len(case.question.t) or not np.all(np.isfinite(numbers)):
        return None
    error = np.hypot(*(forecast.centre_px - case.truth_px).T)
    ends = horizon_ends(case)
    path, z = case.path_px, normal_quantile(forecast.level)
    middle, half = 0.5 * (forecast.lower_px + forecast.upper_px), 0.5 * (forecast.upper_px - forecast.lower_px)
    # The judge's own error is in what is compared: on real films and tables the band must hold both.
    half = np.hypot(half, z * case.judge_sigma_px)
    return Errors(
        rms_share=tuple(float(np.sqrt(np.mean(error[:end] ** 2))) / path for end in ends),
        final_share=tuple(float(error[end - 1]) / path for end in ends),
        coverage=float(np.mean(np.abs(case.truth_px - middle) <= half)),
        crps_share=float(np.mean(gaussian_crps(case.truth_px, middle, half / z))) / path,
        width_share=float(np.mean(half)) / path,
    )


def horizon_ends(case: Case) -> tuple[int, ...]:
    """How many of the asked times lie within each of `HORIZONS`, at least one."""
    t, begin = case.question.t, float(case.question.observed.t[-1])
    since = (t - begin) / (t[-1] - begin)
    return tuple(max(int(np.searchsorted(since, share + 1e-9, side="right")), 1) for share in HORIZONS)


def gaussian_crps(truth: Floats, mean: Floats, sigma: Floats) -> Floats:
    """The continuous ranked probability score of N(mean, sigma^2), in the unit of the numbers.

    sigma (x (2 Phi(x) - 1) + 2 phi(x) - 1 / sqrt(pi)), x = (truth - mean) / sigma (Gneiting & Raftery 2007, J. Am. Stat. Assoc. 102, 359,
    equation 21 with the sign turned); without a width, the absolute error.
    """
    from scipy.special import ndtr

    error = np.abs(truth - mean)
    width = np.where(sigma > 0, sigma, 1.0)
    x = error / width
    density = np.exp(-0.5 * x**2) / np.sqrt(2.0 * np.pi)
    score = width * (x * (2.0 * ndtr(x) - 1.0) + 2.0 * density - 1.0 / np.sqrt(np.pi))
    return np.where(sigma > 0, score, error)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic of ``n`` cases with the bounds of its bootstrap interval."""

    value: float
    low: float
    high: float
    n: int


def bootstrap(
    values: Sequence[float] | Floats, rng: np.random.Generator, *, statistic: Callable[..., Floats] = np.median, confidence: float = CONFIDENCE
) -> Estimate | None:
    """A statistic with its percentile interval (Efron & Tibshirani 1993, chapter 13); None of nothing.

    Args:
        values: one for each case.
        rng: draws the resamples.
        statistic: of an array, along ``axis``.
        confidence: of the interval.
    """
    data = np.asarray(values, dtype=float)
    if len(data) == 0:
        return None
    resamples = data[rng.integers(0, len(data), (RESAMPLES, len(data)))]
    low, high = np.quantile(statistic(resamples, axis=1), [0.5 - 0.5 * confidence, 0.5 + 0.5 * confidence])
    return Estimate(float(statistic(data, axis=0)), float(low), float(high), len(data))


@dataclass(frozen=True, slots=True)
class Comparison:
    """A rival's errors over ours on the cases that both answered.

    ``ratio`` is the geometric mean of rival over ours with its paired bootstrap interval; ``p`` that of Wilcoxon's signed-rank test of the
    log ratios, two-sided. ``verdict`` says how *ours* does: "better" or "worse" where the interval is to one side of 1, "no difference"
    where it holds 1, "too few" below `LEAST_PAIRS`.
    """

    ratio: float
    low: float
    high: float
    p: float
    n: int
    verdict: str


def compare(rival: Sequence[float] | Floats, ours: Sequence[float] | Floats, rng: np.random.Generator) -> Comparison | None:
    """Paired errors of the same cases; None of nothing."""
    logs = np.log(np.maximum(np.asarray(rival, float), FLOOR_SHARE)) - np.log(np.maximum(np.asarray(ours, float), FLOOR_SHARE))
    found = bootstrap(logs, rng, statistic=np.mean)
    if found is None:
        return None
    low, high = float(np.exp(found.low)), float(np.exp(found.high))
    verdict = UNKNOWN if found.n < LEAST_PAIRS else BETTER if low > 1.0 else WORSE if high < 1.0 else EQUAL
    return Comparison(float(np.exp(found.value)), low, high, signed_rank_p(logs), found.n, verdict)


def signed_rank_p(differences: Floats) -> float:
    """Wilcoxon's signed-rank test of paired differences against 0, two-sided; 1 where all are 0."""
    from scipy.stats import wilcoxon

    moved = differences[differences != 0]
    if len(moved) == 0:
        return 1.0
    exact = len(moved) <= 25 and len(np.unique(np.abs(moved))) == len(moved)
    return float(wilcoxon(moved, method="exact" if exact else "approx").pvalue)


def tail(values: Floats, axis: int = 0) -> Floats:
    """The `TAIL` quantile."""
    return np.quantile(values, TAIL, axis=axis)
