"""Levenberg-Marquardt (Marquardt 1963) with geodesic acceleration (Transtrum & Sethna 2012, arXiv 1201.5885), inside bounds.

The Jacobian is whole, and several damping factors are tried at once: one batched evaluation costs little more than a single one. The optimum
of a film lies in a narrow curved valley (scale, distance and drag trade off): straight steps stop where the valley bends.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..types import Bools, Floats

DAMPINGS = np.array([1e-2, 0.1, 1.0, 10.0])
"""Multiples of the current damping tried at once: one batched integration costs the same as a single one."""
BEND_REACH, LARGEST_TURN = 0.1, 1.5
"""Share of a step at which its curvature is measured (0.1 in Transtrum & Sethna 2012), and the longest turn in steps: half of it is taken."""
CONVERGED = 1e-5
"""Relative change of the cost below which a step no longer matters: a hundredth of a sigma at a hundred samples."""
PROMISE = 0.02
"""Nats that an undamped Newton step may still promise at the end: 0.2 sigma. A short damped step in a narrow valley is no optimum."""
LEAST_EFFECT = 1e-6
"""Sigmas by which the residuals must notice a number's change by its own size: where they do not, a flat place is no optimum."""
FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-2, 1e-9, 1e12


def both_ways(theta: Floats, h: Floats) -> Floats:
    """Sets (2 m + 1, m) for central differences at ``theta`` (m,): itself, each number moved up by its step ``h`` (m,), each moved down."""
    return np.concatenate([theta[None], theta + np.diag(h), theta - np.diag(h)])


@dataclass(frozen=True, slots=True)
class Residuals:
    """What is made small: half the sum of squares of ``rows``, which takes B sets of m numbers (B, m) to (B, r) finite residuals in sigmas.

    ``lower`` and ``upper`` (m,) bound the numbers; ``steps`` gives the finite-difference steps (m,) at a set (m,).
    """

    rows: Callable[[Floats], Floats]
    lower: Floats
    upper: Floats
    steps: Callable[[Floats], Floats]

    def cost(self, theta: Floats) -> Floats:
        """(B,) half the sum of squares of each set (B, m)."""
        rows = self.rows(theta)
        return np.asarray(0.5 * np.einsum("bi,bi->b", rows, rows))

    def linearise(self, theta: Floats, *, central: bool = False) -> tuple[Floats, Floats]:
        """Rows (r,) at ``theta`` (m,) and their Jacobian (r, m), all perturbed sets evaluated at once; ``central`` where the bounds leave room."""
        h, m = self.steps(theta), len(theta)
        if central and np.all(theta + h <= self.upper) and np.all(theta - h >= self.lower):
            rows = self.rows(both_ways(theta, h))
            return rows[0], ((rows[1 : m + 1] - rows[m + 1 :]) / (2 * h[:, None])).T
        inside = np.where(theta + h <= self.upper, h, -h)
        rows = self.rows(np.concatenate([theta[None], theta + np.diag(inside)]))
        return rows[0], ((rows[1:] - rows[0]) / inside[:, None]).T


@dataclass(frozen=True, slots=True)
class Optimum:
    """Where a descent ended: the numbers (m,), their cost, and whether it ended because there was nothing left to gain."""

    theta: Floats
    cost: float
    converged: bool


def descend(
    residuals: Residuals, theta: Floats, iterations: int, *, enough: float = CONVERGED, promise: float = PROMISE, central: bool = False
) -> Optimum:
    """Follow the sum of squares down from ``theta`` (m,).

    Args:
        residuals: What is made small.
        theta: Where to begin, inside the bounds.
        iterations: How many steps may be taken or refused.
        enough: Relative change of the cost below which a step no longer matters.
        promise: What an undamped Newton step may still promise at the end, in nats.
        central: Central differences: twice the evaluations, for optima to more digits than data are worth.
    """
    damping, cost = FIRST_DAMPING, math.inf
    for _ in range(iterations):
        rows, jacobian = residuals.linearise(theta, central=central)
        cost = 0.5 * float(rows @ rows)
        gradient, normal = jacobian.T @ rows, jacobian.T @ jacobian
        held = ((theta <= residuals.lower + 1e-9) & (gradient > 0)) | ((theta >= residuals.upper - 1e-9) & (gradient < 0))
        gradient, normal = np.where(held, 0.0, gradient), np.where(held[:, None] | held[None, :], 0.0, normal) + np.diag(held.astype(float))
        diagonal = np.maximum(np.diag(normal), 1e-12)
        damped = [normal + np.diag(damping * k * diagonal) for k in DAMPINGS]
        straight = np.array([_step_inside(residuals, theta, matrix, gradient) for matrix in damped])
        turns = _turns(residuals, theta, (rows, jacobian), straight - theta, damped, held)
        trials = np.clip(np.concatenate([straight, straight + turns]), residuals.lower, residuals.upper)
        costs = residuals.cost(trials)
        best = int(np.argmin(costs))
        promised = 0.5 * float(gradient @ _solve(normal + np.diag(1e-9 * diagonal), gradient))
        noticed = held | (np.sqrt(np.sum(jacobian**2, axis=0)) * np.maximum(np.abs(theta), 1.0) > LEAST_EFFECT)
        kept = bool(np.all(noticed)) and promised < max(promise, enough * (1.0 + cost))
        if not costs[best] < cost:
            damping *= 1e3
            if damping > MOST_DAMPING:
                return Optimum(theta, cost, kept)
            continue
        gain = cost - float(costs[best])
        theta, damping, cost = trials[best], max(damping * DAMPINGS[best % len(DAMPINGS)] * 0.3, LEAST_DAMPING), float(costs[best])
        if gain < enough * (1.0 + cost) and kept:
            return Optimum(theta, cost, True)
    return Optimum(theta, cost, False)


def _turns(residuals: Residuals, theta: Floats, here: tuple[Floats, Floats], steps: Floats, damped: list[Floats], held: Bools) -> Floats:
    """The second-order part (b, m) of each step (b, m): half the geodesic acceleration, no longer than the step allows."""
    rows, jacobian = here
    bent = residuals.rows(theta + BEND_REACH * steps)
    second = 2.0 / BEND_REACH * ((bent - rows) / BEND_REACH - steps @ jacobian.T)
    pull = np.where(held, 0.0, second @ jacobian)
    turns = np.array([-_solve(matrix, row) for matrix, row in zip(damped, pull, strict=True)])
    weight = np.maximum(np.sum(jacobian**2, axis=0), 1e-12)
    step_length, turn_length = (np.sqrt(x**2 @ weight) for x in (steps, turns))
    return np.asarray(0.5 * np.minimum(1.0, LARGEST_TURN * step_length / np.maximum(turn_length, 1e-300))[:, None] * turns)


def _step_inside(residuals: Residuals, theta: Floats, normal: Floats, gradient: Floats) -> Floats:
    """The step's end inside the bounds: coordinates that would leave stop there, and the others are solved for again with that known."""
    lower, upper = residuals.lower, residuals.upper
    step = -_solve(normal, gradient)
    stopped = np.zeros(len(theta), dtype=bool)
    for _ in range(3):
        left = ((theta + step < lower) | (theta + step > upper)) & ~stopped
        if not np.any(left):
            break
        stopped |= left
        step[left] = np.clip(theta + step, lower, upper)[left] - theta[left]
        free = ~stopped
        if np.any(free):
            step[free] = -_solve(normal[np.ix_(free, free)], gradient[free] + normal[np.ix_(free, stopped)] @ step[stopped])
    return np.asarray(np.clip(theta + step, lower, upper))


def _solve(normal: Floats, gradient: Floats) -> Floats:
    scale = 1.0 / np.sqrt(np.diag(normal))
    try:
        return np.asarray(scale * np.linalg.solve(normal * scale[:, None] * scale[None, :], scale * gradient))
    except np.linalg.LinAlgError:
        return np.asarray(scale * np.linalg.lstsq(normal * scale[:, None] * scale[None, :], scale * gradient, rcond=None)[0])
