"""How the squared norm of scale-invariant weights moves while they learn: a Noether charge and its balance.

Tanaka & Kunin, "Noether's Learning Dynamics" (NeurIPS 2021, arXiv 2105.02716): the learning rule is a kinetic energy, the loss a
potential. Gradient descent with momentum and weight decay,

    q_{n+1} = q_n + beta (q_n - q_{n-1}) - eta (grad f + k q_n),

is m q'' + mu q' + grad f + k q = 0 in t = n eta, with m = eta (1 + beta) / 2 and mu = 1 - beta. Where f is invariant under scaling (weights
before a normalisation layer) q . grad f = 0, and r = |q|^2 obeys

    (m / 2) r'' + (mu / 2) r' + k r = m |q'|^2.

With central differences, and the speed taken as (|v_{n+1}|^2 + beta |v_n|^2) / ((1 + beta) eta^2), v_n = q_n - q_{n-1}, this holds for
the discrete steps exactly, whatever else in the network learns beside q: `charge_imbalance` is zero but for rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..types import Floats


@dataclass(frozen=True, slots=True)
class NormTrace:
    """The course of one scale-invariant weight over n steps.

    ``squared_norm`` (n + 1,) before the first step and after each; ``squared_step`` (n,) of each; ``cosine`` (n,) of the angle that
    each step turned the weights by; ``rate`` (n,) the learning rate; ``momentum`` beta and ``decay`` k.
    """

    squared_norm: Floats
    squared_step: Floats
    cosine: Floats
    rate: Floats
    momentum: float
    decay: float

    @property
    def angle(self) -> Floats:
        """(n,) radians that each step turned the weights by."""
        return np.arccos(np.clip(self.cosine, -1.0, 1.0))


def charge_imbalance(trace: NormTrace) -> Floats:
    """(n - 1,) left side less right side of the scale charge's law at each inner step, relative to the sum of its terms' sizes.

    A learning rate that changes between steps carries the velocity over by the ratio of the two rates (momentum as torch keeps it).
    """
    r, step, eta = trace.squared_norm, trace.squared_step, trace.rate
    beta = trace.momentum * eta[1:] / eta[:-1]
    gained, before = np.diff(r)[1:], np.diff(r)[:-1]
    terms = np.stack([gained, -beta * before, 2.0 * eta[1:] * trace.decay * r[1:-1], -step[1:], -beta * step[:-1]])
    return np.sum(terms, axis=0) / np.sum(np.abs(terms), axis=0)


def predict_squared_norm(start: float, squared_gradient: Floats, rate: float, momentum: float, decay: float) -> Floats:
    """(n + 1,) r from gradients at the unit sphere, where inertia is negligible: RMSProp's running mean, in the weights themselves.

    r(t)^2 = exp(-4 k t / mu) r(0)^2 + 2 eta (1 + beta) / mu^3 * integral exp(-4 k (t - s) / mu) |g(s)|^2 ds, ``squared_gradient`` (n,)
    being |g|^2 at q / |q|. Holds where 4 m kappa << mu^2, kappa the loss's curvature along the path.
    """
    mu = 1.0 - momentum
    fade = np.exp(-4.0 * decay * rate / mu)
    square = np.empty(len(squared_gradient) + 1)
    square[0] = start**2
    for n, g in enumerate(squared_gradient):
        square[n + 1] = fade * square[n] + 2.0 * rate**2 * (1.0 + momentum) / mu**3 * g
    return np.sqrt(square)


def equilibrium_angle(rate: float, momentum: float, decay: float) -> float:
    """Radians that a step turns the weights by once growth and decay balance: sqrt(2 eta k / (1 + beta)), whatever the gradients."""
    return float(np.sqrt(2.0 * rate * decay / (1.0 + momentum)))
