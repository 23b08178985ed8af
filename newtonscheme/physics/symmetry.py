"""Noether charges along a measured path, and their balance with the non-conservative forces.

A symmetry of the Lagrangian (Noether 1918) gives a charge Q(t, y); along the motion dQ/dt = f . (xi - q' tau) with f the non-conservative
force. What is tested is the imbalance Q(t) - Q(0) - integral of that power, evaluated on the *measured* states.
"""

from __future__ import annotations

import numpy as np

from ..types import Floats
from .force import ForceModel, Symmetry, Values


def charge_imbalance(symmetry: Symmetry, t: Floats, states: Floats, p: Values) -> Floats:
    """(n,) Q(t) - Q(0) - the trapezoidal integral of the balance, over states (n, k) at times t (n,)."""
    charge = np.asarray(symmetry.charge(t, states, p))
    power = np.asarray(symmetry.balance(t, states, p))
    spent = np.concatenate([[0.0], np.cumsum(0.5 * (power[1:] + power[:-1]) * np.diff(t))])
    return charge - charge[0] - spent


def charge_gradient(model: ForceModel, symmetry: Symmetry, t: Floats, states: Floats, p: Values) -> Floats:
    """(n, k) dQ/dy by central differences: what carries the noise of a state into its charge."""
    k = len(model.state)
    step = 1e-5 * np.maximum(np.max(np.abs(states), axis=0), 1e-3)
    gradient = np.empty((len(t), k))
    for i in range(k):
        shift = np.zeros(k)
        shift[i] = step[i]
        gradient[:, i] = (symmetry.charge(t, states + shift, p) - symmetry.charge(t, states - shift, p)) / (2 * step[i])
    return gradient
