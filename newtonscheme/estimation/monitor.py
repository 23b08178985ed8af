"""Locks a fit and checks it sample by sample instead of fitting again: the Newton Scheme's own order (Qiu et al. 2018, arXiv 1810.07550).

A new sample's innovation r = z - z_predicted must have the covariance S that the fit's own uncertainty and the sample's noise give it; its
normalised square r' S^-1 r is then chi-squared with two degrees of freedom (Bar-Shalom, Li & Kirubarajan 2001, section 5.4). One sample out of line
is an outlier; two of three in a row mean that the pattern has ended.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..types import Bools, Fit, Floats, Track
from .fitting import restate
from .forecasting import discrepancy_sigma, sensitivity
from .parameters import Known, Problem, predict_image

FALSE_ALARM = 1e-4
"""Chance that a sample of a motion that goes on is called out of line; two of three such samples are one in 3e7."""
WINDOW, WINDOW_OUT = 3, 2
"""An alarm is this many out-of-line samples among the last few: one alone is an outlier."""


@dataclass(frozen=True, slots=True)
class Innovation:
    """One sample against the locked fit: residual (2,) px, its covariance (2, 2), the normalised square, and whether the alarm rings."""

    t: float
    residual_px: Floats
    covariance_px: Floats
    normalised_square: float
    out_of_line: bool
    alarm: bool


@dataclass(frozen=True, slots=True)
class Monitor:
    """A locked fit and the memory of the last samples. Start one with `start`, feed it with `step`."""

    problem: Problem
    fit: Fit
    threshold: float
    recent: tuple[bool, ...] = ()


def start(fit: Fit, known: Known) -> Monitor:
    """Lock a successful fit."""
    return Monitor(restate(fit, known), fit, alarm_threshold(fit.noise.dof))


def step(monitor: Monitor, sample: Track) -> tuple[Monitor, Innovation]:
    """Check one sample (a track of one row); returns the monitor that remembers it and the innovation."""
    residual, covariance = innovations(monitor.problem, monitor.fit, sample)
    square = float(_squares(residual, covariance)[0])
    out = square > monitor.threshold
    recent = (*monitor.recent, out)[-WINDOW:]
    alarm = out and sum(recent) >= WINDOW_OUT
    return replace(monitor, recent=recent), Innovation(float(sample.t[0]), residual[0], covariance[0], square, out, alarm)


def innovations(problem: Problem, fit: Fit, samples: Track) -> tuple[Floats, Floats]:
    """Residuals (n, 2) px of samples that the fit has not used, and their covariances (n, 2, 2)."""
    since = samples.t - fit.track.t[0]
    image, _ = predict_image(problem, fit.estimate[None], since)
    slopes = sensitivity(problem, fit, since)
    noise = samples.covariance_px * fit.noise.scale**2 + discrepancy_sigma(fit, since)[:, None, None] ** 2 * np.eye(2)
    return samples.centre_px - image[0, :, :2], np.einsum("mhi,mhj->hij", slopes, slopes) + noise


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
        if i == n - 1 or np.sum(out_of_line[i : i + WINDOW]) >= WINDOW_OUT:
            return int(i)
    return n
