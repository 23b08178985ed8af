"""Tells wrong samples from noisy ones before a rival that trusts every sample equally sees them.

A sample is wrong where it leaves the smooth path of its neighbours by more than the noise of all samples allows. The path is a local
quadratic, fitted by Student-t weights (Lange, Little & Taylor 1989, J. Am. Stat. Assoc. 84, 881), so that a wrong neighbour does not bend it.
"""

from __future__ import annotations

import numpy as np

from ..types import Bools, Floats, Track

NEIGHBOURS = 9
"""Samples in a local quadratic: three times its coefficients."""
FEWEST = 6
"""Under twice the coefficients a quadratic goes through whatever is wrong."""
STUDENT_DOF = 3.0
"""Heavy enough that a sample 30 sigmas away pulls less than one in place."""
LEAST_SPREAD = 1e-6
"""Of the claimed sigma: what is exact has no outliers beyond it."""
ROUNDS = 12
"""Of reweighting: the weights of 200 simulated tracks stood still to 1 % by then."""
MAD_TO_SIGMA = 1.4826
OUTLIER_SIGMAS = 6.0
"""Of the residual's own sigma: the tail of a normal sample beyond it is 2e-9, which leaves room for a scale learned from a dozen samples."""
LARGEST_SHARE = 0.2
"""More wrong samples than this are no outliers but a path that a local quadratic does not describe; then all are kept."""
LEAST_SIGMA_SHARE, LEAST_SIGMA_PX = 1e-9, 1e-100
"""Of the path's extent, and at all: tracks without any stated noise still have a weight, even at rest, that can be squared."""


def drop_outliers(track: Track) -> Track:
    """The track without its wrong samples; unchanged where it is too short to tell."""
    wrong = mark_outliers(track)
    return track.select(~wrong) if wrong.any() else track


def mark_outliers(track: Track) -> Bools:
    """(n,) samples that do not belong to the path of their neighbours."""
    n = len(track)
    if n < FEWEST:
        return np.zeros(n, dtype=bool)
    ratio = np.max([_leave_out_ratio(track.t, track.centre_px[:, i], axis_sigma(track)[:, i]) for i in range(2)], axis=0)
    wrong = np.asarray(ratio > OUTLIER_SIGMAS)
    return wrong if wrong.sum() <= LARGEST_SHARE * n else np.zeros(n, dtype=bool)


def axis_sigma(track: Track) -> Floats:
    """(n, 2) px: the stated sigma of each sample along each axis, never quite 0."""
    stated = np.sqrt(np.maximum(np.diagonal(track.covariance_px, axis1=1, axis2=2), 0.0))
    extent = float(np.max(np.ptp(track.centre_px, axis=0)))
    return np.maximum(np.where(np.isfinite(stated), stated, 0.0), max(LEAST_SIGMA_SHARE * extent, LEAST_SIGMA_PX))


def _leave_out_ratio(t: Floats, x: Floats, sigma: Floats) -> Floats:
    """(n,) each sample's distance from the quadratic through its neighbours, in sigmas of that distance at the noise that all samples show."""
    n = len(t)
    size = min(NEIGHBOURS, n)
    first = np.clip(np.arange(n) - size // 2, 0, n - size)
    rows = first[:, None] + np.arange(size)
    own = np.arange(n) - first
    span = np.maximum(t[rows[:, -1]] - t[rows[:, 0]], np.finfo(float).tiny)
    s = (t[rows] - t[:, None]) / span[:, None]
    basis = np.stack([np.ones_like(s), s, s**2], axis=-1)
    others = np.ones((n, size))
    others[np.arange(n), own] = 0.0
    precision = others / sigma[rows] ** 2
    y = x[rows] - x[:, None]
    trust = precision
    for _ in range(ROUNDS):
        coefficients, covariance = _solve_local(basis, trust, y)
        residual = (y - np.einsum("nsk,nk->ns", basis, coefficients)) / sigma[rows]
        spread = MAD_TO_SIGMA * np.median(np.abs(residual), axis=1, keepdims=True) + LEAST_SPREAD
        trust = precision * (STUDENT_DOF + 1.0) / (STUDENT_DOF + (residual / spread) ** 2)
    # At the sample itself s = 0, so the quadratic's value is its first coefficient and that value's variance the first of the covariance.
    normal = coefficients[:, 0] / np.sqrt(sigma**2 + covariance[:, 0, 0])
    scale = max(1.0, MAD_TO_SIGMA * float(np.median(np.abs(normal))))
    return np.asarray(np.abs(normal) / scale)


def _solve_local(basis: Floats, weight: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Coefficients (n, 3) of each local quadratic and their covariance (n, 3, 3)."""
    turned = np.swapaxes(basis, 1, 2) * weight[:, None, :]
    covariance = np.linalg.pinv(turned @ basis, hermitian=True)
    return np.einsum("nij,njs,ns->ni", covariance, turned, y), np.asarray(covariance)
