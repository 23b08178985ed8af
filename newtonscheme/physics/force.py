"""What a force model must say: its equation of motion, its symmetries, how to start a fit and how to draw a truth.

A model speaks metres, seconds and kilograms in a world with y up. Positions are relative to an *anchor* that the model names (the
body at the segment's start for free flight, the pivot for a pendulum); where the anchor is in front of the camera is the camera's
business. Every function broadcasts: a state is (..., k), a parameter a scalar or an array over the leading axes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..types import Floats, Sighting

Values = Mapping[str, "float | Floats"]
"""Everything an equation of motion needs, by name, SI: g, air_density, mass, diameter, the model's own coefficients."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One number that a fit may move.

    ``prior_value`` and ``prior_sigma`` are what is believed before anything is seen; with ``scale="log"`` the parameter is
    positive and ``prior_sigma`` is that of its natural logarithm. ``initial`` names the state component it starts, if any. What is
    ``seldom`` there is taken for absent where quantities are told, unless it is seen.
    """

    name: str
    unit: str
    lower: float
    upper: float
    prior_value: float
    prior_sigma: float
    scale: Literal["linear", "log"] = "linear"
    initial: str | None = None
    seldom: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Symmetry:
    """A variational symmetry of the model's Lagrangian and the Noether charge that goes with it.

    ``charge(t, y, p)`` (...,) is conserved when no non-conservative force acts; otherwise d(charge)/dt = ``balance(t, y, p)``
    (Noether 1918; with a generalised force f, dQ/dt = f . (xi - q' tau)). Per unit mass where mass divides out.
    """

    name: str
    symmetry: str
    unit: str
    charge: Callable[[Floats, Floats, Values], Floats]
    balance: Callable[[Floats, Floats, Values], Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A place to start a fit from: the anchor on the sighting's plane, its depth, and values of the model's parameters."""

    anchor: tuple[float, float]
    depth: float
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A synthetic truth: everything needed to move a body and to film it.

    ``values`` holds every parameter of the model and its surroundings (g, air_density, mass, diameter, coefficients, initial
    state); ``duration`` (s) is how long it is worth watching.
    """

    values: Mapping[str, float]
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ForceModel:
    """A force pattern: a frozen record of functions. See the module for conventions.

    ``family`` is the recogniser's class: patterns of one family look alike. ``state`` names places and then, in the same order, their
    rates. ``rhs(t, y, p)`` is the equation of motion, ``position(y, p)`` (..., 3) metres from the anchor, ``energy(y, p)`` joules for each
    kilogram, ``time_scale(p)`` (s) the shortest time in which the motion changes its course (1/omega). ``prepare(p)`` are constants of the
    motion that ``rhs`` would otherwise compute at every step; it may rely on neither being there. ``guess(sighting, known)`` are places
    to start a fit from, best first; ``draw(rng)`` a synthetic truth. ``report(values)`` are the quantities of the JSON contract with their
    units, and ``law_spread`` what the disagreement of published laws adds to their sigmas.
    """

    name: str
    family: str
    summary: str
    state: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    anchor: Literal["body", "pivot"]
    rhs: Callable[[float | Floats, Floats, Values], Floats]
    position: Callable[[Floats, Values], Floats]
    energy: Callable[[Floats, Values], Floats]
    time_scale: Callable[[Values], Floats]
    symmetries: tuple[Symmetry, ...]
    guess: Callable[[Sighting, Values], tuple[Start, ...]]
    draw: Callable[[np.random.Generator], Drawn]
    report: Callable[[Values], dict[str, tuple[Floats, str]]]
    law_spread: Callable[[Values], dict[str, float]] = lambda values: {}
    prepare: Callable[[Values], dict[str, Floats]] = lambda values: {}

    def initial_state(self, p: Values) -> Floats:
        """(..., k) the state at the segment's start; components that no parameter starts are zero."""
        starts = {q.initial: np.asarray(p[q.name], dtype=float) for q in self.parameters if q.initial is not None}
        shape = np.broadcast_shapes(*(v.shape for v in starts.values()))
        y = np.zeros((*shape, len(self.state)))
        for i, name in enumerate(self.state):
            if name in starts:
                y[..., i] = starts[name]
        return y
