"""How much a path looks like one body under steady forces, and how large its errors are, from nothing but its own samples."""

from __future__ import annotations

import numpy as np

from ..types import Floats, Ints

WINDOW = 9
"""Samples of a local cubic: a pendulum seen ten times in a swing is still a cubic over nine samples to a few per cent."""
ENOUGH_SAMPLES = 8.0
"""A path of this many samples gets half of the credit for its length."""
ENOUGH_RADII = 3.0
"""A path that spans this many radii gets half of the credit for going somewhere: what trembles in place does not."""
TAIL = 5.0
"""Per cent of the samples on each side that do not count for a path's extent: a thing at rest with a wrong sample or two goes nowhere."""
ROUGHNESS = 0.03
"""Residual from the local cubics in shares of the path's extent within a window that halves the credit: hands are at 0.05 and above."""
ENOUGH_CONTRAST = 15.0
"""Grey levels that get half of the credit for contrast: shadows and reflections are fainter than what casts them."""
OUTLIER = 4.0
"""Samples off their local cubic by this many typical residuals (a bounce, a wrong candidate) do not count for the noise."""
MIN_SAMPLES = 12
"""With fewer samples the fit's own sigmas stand."""
SCALE_RANGE = (0.6, 3.0)
"""The path may correct the sigmas by factors in this range; more would hide a mistake."""


def smoothness_of(t: Floats, centre: Floats, radius: Floats, shape: float, contrast: float, error_px: float, seen: float) -> float:
    """0 to 1: long, far-going, smooth, round and clear paths come first.

    ``shape`` is 1 for a perfect disc, ``error_px`` the expected noise, ``seen`` the share of the path's frames that it was seen in.
    """
    if len(t) < 3:
        return 0.0
    size = float(np.median(radius))
    extent = float(np.hypot(*np.subtract(*np.percentile(centre, [100 - TAIL, TAIL], axis=0))))
    residual, travel = _local_residuals(t, centre)
    rough = max(float(np.median(residual)) - error_px, 0.0) / max(float(np.median(travel)), error_px)
    credit = [
        len(t) / (len(t) + ENOUGH_SAMPLES) * seen,
        extent / (extent + ENOUGH_RADII * size),
        1.0 / (1.0 + (rough / ROUGHNESS) ** 2),
        shape**2,
        contrast / (contrast + ENOUGH_CONTRAST),
    ]
    return float(np.prod(credit))


def typical_error(t: Floats, centre: Floats, covariance: Floats) -> tuple[float, float]:
    """The factor by which the samples scatter about a smooth path more than their sigmas say, and their correlation time (s)."""
    if len(t) < MIN_SAMPLES:
        return 1.0, 0.0
    sigma = np.sqrt(0.5 * np.trace(covariance, axis1=1, axis2=2))
    rows, basis = _windows(t, min(3, WINDOW - 2))
    middle = WINDOW // 2
    others = np.delete(np.arange(WINDOW), middle)
    weight = np.einsum("mk,mkw->mw", basis[:, middle], np.linalg.pinv(basis[:, others]))
    deviation = centre[rows[:, middle]] - np.einsum("mw,mwc->mc", weight, centre[rows[:, others]])
    expected = np.sqrt(sigma[rows[:, middle]] ** 2 + np.einsum("mw,mw->m", weight**2, sigma[rows[:, others]] ** 2))
    spread = 1.4826 * float(np.median(np.abs(deviation / expected[:, None])))
    return float(np.clip(spread, *SCALE_RANGE)), 0.0


def _windows(t: Floats, degree: int) -> tuple[Ints, Floats]:
    """Rows (m, w) of all runs of WINDOW samples and their polynomial bases (m, w, degree + 1)."""
    count = min(WINDOW, len(t))
    rows = np.arange(len(t) - count + 1)[:, None] + np.arange(count)[None]
    x = t[rows] - t[rows].mean(axis=1, keepdims=True)
    x = x / np.maximum(np.abs(x).max(axis=1, keepdims=True), 1e-12)
    return rows, x[..., None] ** np.arange(degree + 1)


def _local_residuals(t: Floats, centre: Floats) -> tuple[Floats, Floats]:
    """Root-mean-square residual from a cubic, and the extent of the path, in each window of samples."""
    degree = min(3, min(WINDOW, len(t)) - 2)
    rows, basis = _windows(t, degree)
    local = centre[rows]
    left = local - basis @ (np.linalg.pinv(basis) @ local)
    residual = np.sqrt((left**2).sum(axis=(1, 2)) / max(rows.shape[1] - degree - 1, 1))
    return residual, np.hypot(*np.ptp(local, axis=1).T)
