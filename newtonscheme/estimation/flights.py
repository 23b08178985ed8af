"""What the other flights of a track tell of one of them.

A ball that bounces, or goes from hand to hand, is seen by one camera under one gravity and stays one ball; and where a contact parts two
flights, it is as far away after as before. All its flights are one least-squares problem. Of the others only what they say of the one that is
asked about is kept: at the optimum of all together their own numbers are eliminated (the Schur complement of the normal matrix; Triggs et al.
2000, "Bundle adjustment", section 6.1), and rows on the numbers of the one are left, which join its priors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ..types import NOTHING_ELSEWHERE, Bools, Elsewhere, Fit, Floats, Ints
from .descent import Residuals, both_ways
from .fitting import fit_pattern, invert_information, lock_noise
from .parameters import Known, Problem, predict_image, unpack

SHARED = frozenset({"pitch", "roll", "focal_px", "radius_bias_px", "g", "diameter", "density", "drag_coefficient"})
"""What a contact does not change."""
MOST_FLIGHTS = 4
"""Others that are asked: each tells less than the one before."""
ROUNDS = 3
"""Times that the others are taken to be linear anew, about the optimum of all together found so far."""
SAME_PLACE, WANDERING = 0.01, 1.0
"""Depth after a contact: as before to one per cent, and to a metre for each second between two flights: what hands and bounces do to it."""
LEAST_TOLD = 1e-4
"""What is told of a combination of numbers is not kept if it is this small a share of the precision they have already."""
DISAGREE = 1e-3
"""Probability that flights agree no better by chance, below which they are not of one body before one camera, or not all flights."""


@dataclass(frozen=True, slots=True)
class _Flight:
    """One flight in the problem of all: ``theta`` (m,) its numbers so far, ``columns`` (m,) where they stand among the numbers of all."""

    problem: Problem
    residuals: Residuals
    theta: Floats
    columns: Ints
    begin: float

    @property
    def end(self) -> float:
        return self.begin + float(self.problem.t[-1])


def learn_elsewhere(fit: Fit, others: Sequence[Fit], known: Known) -> Elsewhere:
    """What ``others`` tell of the numbers of ``fit``: all of them if they agree, else as many as do if most of them do, nearest in time first.

    Args:
        fit: A flight, fitted by itself.
        others: Other flights of the same body, fitted by themselves to their own stretches of its track.
        known: Gravity, air and rulers.
    """
    middle = float(np.mean(fit.track.t))
    near = sorted((other for other in others if other.success), key=lambda other: abs(float(np.mean(other.track.t)) - middle))[:MOST_FLIGHTS]
    told = _learn_from(fit, near, known) if near else None
    if told is not None or len(near) < 2:
        return told or NOTHING_ELSEWHERE
    kept: list[Fit] = []
    for other in near:
        more = _learn_from(fit, [*kept, other], known)
        if more is not None:
            kept, told = [*kept, other], more
    return told if told is not None and 2 * len(kept) > len(near) else NOTHING_ELSEWHERE


def _learn_from(fit: Fit, others: Sequence[Fit], known: Known) -> Elsewhere | None:
    """What all of ``others`` tell; None where they and the fit disagree, or no optimum of all together is found."""
    own = _state(fit, known, np.arange(len(fit.names)))
    flights: list[_Flight] = []
    count = len(fit.names)
    for other in others:
        flight = _state(other, known, np.empty(0, np.int64))
        shared = [name in SHARED and name in fit.names for name in other.names]
        fresh = iter(range(count, count + shared.count(False)))
        columns = [fit.names.index(name) if is_shared else next(fresh) for name, is_shared in zip(other.names, shared, strict=True)]
        count += shared.count(False)
        flights.append(replace(flight, columns=np.array(columns), residuals=_without_shared_priors(flight, ~np.array(shared))))
    now, together = fit, [own, *flights]
    for _ in range(ROUNDS):
        normal, lead = _gather(together, count)
        if not (np.all(np.isfinite(normal)) and np.all(np.isfinite(lead))):
            return None
        told = _eliminate(normal, lead, now, together)
        now = fit_pattern(fit.track, fit.pattern, camera=fit.camera, body=fit.body, known=known, near=now, elsewhere=told)
        if not now.success:
            return None
        together = _advance(together, now.estimate, normal, lead)
    return now.elsewhere if _chance_of_less(fit, now) > DISAGREE else None


def _state(fit: Fit, known: Known, columns: Ints) -> _Flight:
    problem, residuals = lock_noise(fit, known)
    return _Flight(problem, residuals, fit.estimate, columns, float(fit.track.t[0]))


def _without_shared_priors(flight: _Flight, own: Bools) -> Residuals:
    """The rows of a flight's data and of what is believed of its ``own`` (m,) numbers; what is believed of shared ones counts once."""
    problem, whole = flight.problem, flight.residuals
    data = 3 * len(problem.t)
    bound = own & np.isfinite(problem.prior_sigma)
    value, sigma = problem.prior_value[bound], problem.prior_sigma[bound]
    return replace(whole, rows=lambda theta: np.concatenate([whole.rows(theta)[:, :data], (theta[:, bound] - value) / sigma], axis=1))


def _gather(together: Sequence[_Flight], count: int) -> tuple[Floats, Floats]:
    """Normal matrix (M, M) and lead (M,) of the others' rows and of all contacts, linear about where the numbers stand: N x = lead at best."""
    normal, lead = np.zeros((count, count)), np.zeros(count)

    def add(columns: Ints, jacobian: Floats, target: Floats) -> None:
        np.add.at(normal, (columns[:, None], columns[None]), jacobian.T @ jacobian)
        np.add.at(lead, columns, jacobian.T @ target)

    for flight in together[1:]:
        rows, jacobian = flight.residuals.linearise(flight.theta, central=True)
        add(flight.columns, jacobian, jacobian @ flight.theta - rows)
    ordered = sorted(together, key=lambda flight: flight.begin)
    for before, after in pairwise(ordered):
        if "px_per_m" in before.problem.names and "px_per_m" in after.problem.names:
            columns, jacobian, target = _contact(before, after)
            add(columns, jacobian, target)
    return normal, lead


def _contact(before: _Flight, after: _Flight) -> tuple[Ints, Floats, Floats]:
    """One row: the second flight begins at the depth to which the first one leads."""
    problem, h = before.problem, before.residuals.steps(before.theta)
    _, scale = predict_image(problem, both_ways(before.theta, h), np.array([after.begin - before.begin]))
    leads, m = np.log(np.maximum(scale[:, 0], 1e-12)), len(h)
    slope = (leads[1 : m + 1] - leads[m + 1 :]) / (2.0 * h)
    place = after.problem.names.index("px_per_m")
    begins = unpack(after.problem, after.theta[None])
    depth = float(begins["focal_px"][0] / begins["px_per_m"][0])
    sigma = math.hypot(SAME_PLACE, WANDERING * max(after.begin - before.end, 0.0) / depth)
    columns = np.append(before.columns, after.columns[place])
    jacobian = np.append(slope, -1.0) / sigma
    # leads + slope (x - x0) - y = 0 for the scale y that the second begins with.
    return columns, jacobian[None], np.array([(slope @ before.theta - leads[0]) / sigma])


def _eliminate(normal: Floats, lead: Floats, now: Fit, together: Sequence[_Flight]) -> Elsewhere:
    """The rows on the asked flight's own numbers that are left when the others' are at their best."""
    m = len(now.names)
    gain = invert_information(normal[m:, m:]) @ np.column_stack([normal[m:, :m], lead[m:]])
    left, target = normal[:m, :m] - normal[:m, m:] @ gain[:, :m], lead[:m] - normal[:m, m:] @ gain[:, m]
    size = np.sqrt(np.diag(now.covariance))
    values, vectors = np.linalg.eigh(left * size[:, None] * size)
    kept = values > LEAST_TOLD
    axes = vectors[:, kept]
    root = np.sqrt(values[kept])[:, None] * axes.T / size
    spans = tuple((flight.begin, flight.end) for flight in sorted(together[1:], key=lambda flight: flight.begin))
    return Elsewhere(now.names, root, (axes.T @ (size * target)) / np.sqrt(values[kept]), spans)


def _advance(together: Sequence[_Flight], estimate: Floats, normal: Floats, lead: Floats) -> list[_Flight]:
    """All flights at the numbers that are best with ``estimate`` (m,) for the asked one's."""
    m = len(estimate)
    numbers = np.concatenate([estimate, invert_information(normal[m:, m:]) @ (lead[m:] - normal[m:, :m] @ estimate)])
    return [
        replace(flight, theta=np.clip(numbers[flight.columns], flight.residuals.lower + 1e-12, flight.residuals.upper - 1e-12)) for flight in together
    ]


def _chance_of_less(fit: Fit, now: Fit) -> float:
    """The probability that flights of one body disagree by chance as these do: what being told costs the fit, against how much it is told."""
    from scipy.special import chdtrc

    root = now.elsewhere.root
    shares = np.linalg.eigvalsh(root @ fit.covariance @ root.T)
    return float(chdtrc(max(float(np.sum(shares / (1.0 + shares))), 1.0), max(2.0 * (_height(fit) - _height(now)), 0.0)))


def _height(fit: Fit) -> float:
    """Log of the posterior density at the optimum, but for what two fits of the same numbers to the same samples have in common."""
    return fit.evidence - 0.5 * float(np.linalg.slogdet(fit.covariance)[1])
