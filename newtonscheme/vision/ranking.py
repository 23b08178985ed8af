"""How much a path looks like one body under steady forces, and how large its errors are, from nothing but its own samples."""

from __future__ import annotations

import numpy as np

from ..types import Floats

WINDOW = 9
"""Samples of a local cubic: a pendulum seen ten times in a swing is still a cubic over nine samples to a few per cent."""
ENOUGH_SAMPLES = 8.0
"""A path of this many samples gets half of the credit for its length."""
ENOUGH_RADII = 3.0
"""A path that spans this many radii gets half of the credit for going somewhere: what trembles in place does not."""
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


def smoothness_of(t: Floats, centre: Floats, radius: Floats, shape: float, contrast: float, error_px: float) -> float:
    """0 to 1: long, far-going, smooth, round and clear paths come first. ``shape`` is 1 for a perfect disc, ``error_px`` the expected noise."""
    if len(t) < 3:
        return 0.0
    size = float(np.median(radius))
    extent = float(np.hypot(*np.ptp(centre, axis=0)))
    residual, travel = _local_residuals(t, centre)
    rough = max(float(np.median(residual)) - error_px, 0.0) / max(float(np.median(travel)), 1e-9)
    credit = [
        len(t) / (len(t) + ENOUGH_SAMPLES),
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
    scaled = []
    pairs = []
    for rows, _, weight, leverage in _windows(t):
        middle = rows[len(rows) // 2]
        deviation = centre[middle] - weight @ centre[rows]
        scaled.append(deviation / (sigma[middle] * leverage))
        pairs.append(middle)
    z = np.array(scaled)
    spread = 1.4826 * float(np.median(np.abs(z)))
    return float(np.clip(spread, *SCALE_RANGE)), 0.0


def _windows(t: Floats) -> list[tuple[Floats, float, Floats, float]]:
    """For each run of WINDOW samples: its rows, its duration, the weights that predict the middle from the others by a cubic, and the
    sigma of the difference in units of one sample's."""
    out = []
    count = min(WINDOW, len(t))
    for start in range(len(t) - count + 1):
        rows = np.arange(start, start + count)
        x = t[rows] - t[rows].mean()
        x = x / max(float(np.abs(x).max()), 1e-12)
        basis = np.vander(x, 4)
        others = np.ones(count, bool)
        others[count // 2] = False
        weight = np.zeros(count)
        weight[others] = basis[count // 2] @ np.linalg.pinv(basis[others])
        out.append((rows, float(np.ptp(t[rows])), weight, float(np.sqrt(1 + (weight**2).sum()))))
    return out


def _local_residuals(t: Floats, centre: Floats) -> tuple[Floats, Floats]:
    """Root-mean-square residual from a cubic, and the extent of the path, in each window of samples."""
    count = min(WINDOW, len(t))
    degree = min(3, count - 2)
    residual, travel = [], []
    for start in range(len(t) - count + 1):
        rows = slice(start, start + count)
        x = t[rows] - t[rows].mean()
        basis = np.vander(x / max(float(np.abs(x).max()), 1e-12), degree + 1)
        left = centre[rows] - basis @ np.linalg.lstsq(basis, centre[rows], rcond=None)[0]
        residual.append(np.sqrt((left**2).sum() / max(count - degree - 1, 1)))
        travel.append(np.hypot(*np.ptp(centre[rows], axis=0)))
    return np.array(residual), np.array(travel)
