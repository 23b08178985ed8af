"""Integrates equations of motion: many parameter sets at once for fits, one at high order for forecasts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..types import Floats
from .force import ForceModel, Values

STEPS_PER_TIME_SCALE = 10.0
"""RK4's relative frequency error is (h w)^4 / 120: at h = 1/(10 w) that is 8e-7, far under the best clip's noise."""
GRID_RATIO = 1.2
"""Steps come in sizes this far apart, so that neighbouring parameter sets share a grid and their differences are smooth."""
MAX_STEPS = 20_000
"""Beyond this a coarse grid is no longer coarse: the caller's parameters have left the physical region."""
FEWEST_STEPS = 8
"""With four a light ball's path is off by up to 0.1 px; twice the steps leave a sixteenth of that."""
RELATIVE_TOLERANCE = 1e-10
ABSOLUTE_TOLERANCE = 1e-12


def solve_many(model: ForceModel, p: Values, t: Floats) -> Floats:
    """States (B, n, k) of B parameter sets at times ``t`` (n,), increasing, measured from the segment's start; negative ones are before it.

    Fixed-step RK4 on a coarse grid with cubic Hermite dense output; the grid is the same for all sets, so that differences between
    neighbouring sets are smooth. ``p`` holds scalars or (B,) arrays.
    """
    p = {**p, **model.prepare(p)}
    y = model.initial_state(p)
    y = y[None] if y.ndim == 1 else y
    longest = _common_time_scale(model.time_scale(p)) / STEPS_PER_TIME_SCALE
    longest = GRID_RATIO ** np.floor(np.log(longest) / np.log(GRID_RATIO)) if np.isfinite(longest) else longest
    before, after = t[t < 0], t[t >= 0]
    parts = [_solve_one_way(model, p, y, part, longest) for part in (before, after) if len(part)]
    return np.concatenate(parts, axis=1) if parts else np.empty((len(y), 0, y.shape[-1]))


def _solve_one_way(model: ForceModel, p: Values, y: Floats, t: Floats, longest_step: float) -> Floats:
    """States (B, n, k) at times that all lie on one side of the start."""
    t_end = float(t[-1]) if t[-1] > 0 else min(float(t[0]), -1e-9) if t[0] < 0 else 1e-9
    n_steps = int(np.clip(np.ceil(abs(t_end) / max(longest_step, abs(t_end) / MAX_STEPS)), FEWEST_STEPS, MAX_STEPS))
    h = t_end / n_steps
    nodes, slopes = np.empty((n_steps + 1, *y.shape)), np.empty((n_steps + 1, *y.shape))
    nodes[0] = y
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(n_steps):
            slopes[i], nodes[i + 1] = _rk4_step(model.rhs, i * h, nodes[i], h, p)
        slopes[n_steps] = model.rhs(t_end, nodes[n_steps], p)
        return _interpolate(nodes, slopes, t, h)


def _common_time_scale(time_scale: Floats) -> float:
    """One time scale for all sets: the shortest, but no set that has run away makes the others pay more than threefold."""
    scales = np.atleast_1d(time_scale)
    scales = scales[np.isfinite(scales) & (scales > 0)]
    return max(float(np.min(scales)), float(np.median(scales)) / 3.0) if len(scales) else np.inf


def _rk4_step(rhs: Callable[..., Floats], t: float, y: Floats, h: float, p: Values) -> tuple[Floats, Floats]:
    """The slope at the step's start and the state after it."""
    k1 = rhs(t, y, p)
    k2 = rhs(t + h / 2, y + (h / 2) * k1, p)
    k3 = rhs(t + h / 2, y + (h / 2) * k2, p)
    k4 = rhs(t + h, y + h * k3, p)
    return k1, y + (h / 6) * (k1 + 2 * (k2 + k3) + k4)


def _interpolate(nodes: Floats, slopes: Floats, t: Floats, h: float) -> Floats:
    """Cubic Hermite between the nodes: (steps + 1, B, k) to (B, n, k)."""
    i = np.clip((t / h).astype(int), 0, len(nodes) - 2)
    s = (t / h - i)[:, None, None]
    y0, y1, f0, f1 = nodes[i], nodes[i + 1], slopes[i], slopes[i + 1]
    s2, s3 = s * s, s * s * s
    y = (2 * s3 - 3 * s2 + 1) * y0 + (s3 - 2 * s2 + s) * h * f0 + (3 * s2 - 2 * s3) * y1 + (s3 - s2) * h * f1
    return np.moveaxis(y, 0, 1)


def solve_one(model: ForceModel, p: Values, t: Floats) -> tuple[Floats, str]:
    """States (n, k) of one parameter set at times ``t``, by DOP853 (Hairer, Norsett & Wanner 1993), and a message.

    The message is empty on success; otherwise it says why the integration stopped, and the rows that were not reached are NaN.
    """
    from scipy.integrate import solve_ivp

    p = {**p, **model.prepare(p)}
    y0 = model.initial_state(p)
    states = np.full((len(t), len(y0)), np.nan)
    if len(t) == 0:
        return states, ""
    span = (0.0, float(max(t[-1], 1e-9)))
    with np.errstate(over="ignore", invalid="ignore"):
        solution = solve_ivp(model.rhs, span, y0, method="DOP853", t_eval=t, args=(p,), rtol=RELATIVE_TOLERANCE, atol=ABSOLUTE_TOLERANCE)
    states[: solution.y.shape[1]] = solution.y.T
    if solution.success and np.all(np.isfinite(states)):
        return states, ""
    return states, f"the equation of motion could not be integrated to {span[1]:.3g} s: {solution.message}"
