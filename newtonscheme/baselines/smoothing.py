"""A smooth path through noisy samples, with its first two derivatives: what an equation of motion is read off.

Penalised splines (Eilers & Marx 1996, Statistical Science 11, 89): quintic, on evenly spaced knots, with a penalty on third differences, so
that a constant acceleration costs nothing. The strength of the penalty is that of the largest restricted likelihood, under the sigmas and
the correlation in time that the samples state and a scale learned with them: no held-out sample and no hand decides how smooth is smooth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..types import Floats

DEGREE, PENALTY_ORDER = 5, 3
FEWEST_INTERVALS, MOST_INTERVALS = 8, 90
"""One for each sample between these: 90 give every swing of the 15 that a track may show six."""
LOG10_PENALTIES = np.arange(-12.0, 13.0)
"""Relative to the data's own weight: from interpolation to a parabola. A factor of 10 moves the curve by less than its sigma."""
LOG10_PENALTIES.setflags(write=False)
PRIOR_DOF = 4.0
"""The stated sigmas count like this many residuals."""
RIDGE = 1e-11
"""Relative to the normal matrix' mean diagonal: under rounding, enough for a decomposition where samples leave knots without data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Smooth:
    """A smoothed path at g times: ``x``, ``v`` and ``a`` (g, 2), derivatives in the unit of time; ``a_sigma`` (g, 2)."""

    x: Floats
    v: Floats
    a: Floats
    a_sigma: Floats


def smooth_path(t: Floats, x: Floats, sigma: Floats, correlation_time: float, at: Floats) -> Smooth:
    """The smoothed path through samples ``x`` (n, 2) at ``t`` (n,) with ``sigma`` (n, 2), at times ``at`` (g,) within the samples' own."""
    from scipy.interpolate import BSpline

    span = float(t[-1] - t[0])
    intervals = int(np.clip(len(t), FEWEST_INTERVALS, MOST_INTERVALS))
    knots = np.arange(-DEGREE, intervals + DEGREE + 1) / intervals
    basis = BSpline.design_matrix(_inside((t - t[0]) / span), knots, DEGREE).toarray()
    whiten = _whitener(t, correlation_time)
    fits = [_fit_axis(whiten(basis / sigma[:, i : i + 1]), whiten(x[:, i : i + 1] / sigma[:, i : i + 1])[:, 0]) for i in range(2)]
    where = _inside((at - t[0]) / span)
    every = BSpline(knots, np.eye(basis.shape[1]), DEGREE)
    rows = [every.derivative(order)(where) / span**order if order else every(where) for order in range(3)]
    coefficients = np.stack([fit[0] for fit in fits], axis=1)
    variance = np.stack([np.einsum("gi,ij,gj->g", rows[2], fit[1], rows[2]) for fit in fits], axis=1)
    return Smooth(x=rows[0] @ coefficients, v=rows[1] @ coefficients, a=rows[2] @ coefficients, a_sigma=np.sqrt(np.maximum(variance, 0.0)))


def _inside(s: Floats) -> Floats:
    """Times of 0..1 kept within the last interval, which is open at its end."""
    return np.clip(s, 0.0, 1.0 - 1e-12)


def _whitener(t: Floats, correlation_time: float) -> Callable[[Floats], Floats]:
    """What takes the correlation out of rows of unit variance, sample by sample."""
    phi = np.exp(-np.diff(t) / correlation_time) if correlation_time > 0 else np.zeros(len(t) - 1)
    root = np.sqrt(1.0 - phi**2)

    def whiten(rows: Floats) -> Floats:
        white = rows.copy()
        white[1:] = (rows[1:] - phi[:, None] * rows[:-1]) / root[:, None]
        return white

    return whiten


def _fit_axis(basis: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Coefficients (k,) and their covariance (k, k) at the penalty of the largest restricted likelihood."""
    k, dof = basis.shape[1], PRIOR_DOF + max(len(x) - PENALTY_ORDER, 0)
    rough = np.diff(np.eye(k), PENALTY_ORDER, axis=0)
    normal, right = basis.T @ basis, basis.T @ x
    weight = float(np.trace(normal)) / k
    best: tuple[float, Floats, Floats] = (-np.inf, right, normal)
    for penalty in weight * 10.0**LOG10_PENALTIES:
        matrix = normal + penalty * rough.T @ rough
        matrix += RIDGE * np.trace(matrix) / k * np.eye(k)
        root = np.linalg.cholesky(matrix)
        solved = np.linalg.solve(root.T, np.linalg.solve(root, right))
        cost = PRIOR_DOF + float(np.sum((x - basis @ solved) ** 2)) + penalty * float(np.sum((rough @ solved) ** 2))
        likelihood = -float(np.sum(np.log(np.diag(root)))) + 0.5 * (k - PENALTY_ORDER) * np.log(penalty) - 0.5 * dof * np.log(cost)
        if likelihood > best[0]:
            best = (likelihood, solved, matrix * dof / cost)
    return best[1], np.asarray(np.linalg.pinv(best[2], hermitian=True))
