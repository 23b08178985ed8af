"""How real balls differ from constant coefficients: published laws for drag and lift, to draw truths that no fit's own law made.

A law rescales what a pattern's `draw` chose at the launch: the coefficient at the launch is the drawn one, along the flight it follows
the law. Rotation is not slowed (a soccer ball's spin decays over some 35 s, a flight lasts two).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from ..physics.air import reynolds_number, sphere_drag_coefficient

Law = Callable[[float], float]

SOCCER_REYNOLDS = 0.22 / 1.5e-5
"""Reynolds number of a soccer ball for each m/s, in the air of the wind tunnel."""
SOCCER_SPIN = np.array([0.0, 0.05, 0.11, 0.16, 0.20, 0.27, 0.49, 0.71])
SOCCER_LIFT = np.array([0.0, 0.05, 0.22, 0.24, 0.29, 0.29, 0.285, 0.31])
"""Medians over wind tunnel (Asai et al. 2007) and trajectories (Goff & Carre 2009, Am. J. Phys. 77, 1020, fig. 6)."""
SPIN_RANGE = (1e-3, 1.0)
"""Spin parameters R w / v that the laws were measured over."""
INVERSION_STEPS = 40
"""Halvings of the spin's range: 1e-12 of it."""


def lift_by_stepanek(spin: float) -> float:
    """Tennis: CL = 1 / (2.02 + 0.98 / S) (Stepanek 1988, Am. J. Phys. 56, 138)."""
    return spin / (2.02 * spin + 0.98)


def lift_by_nathan(spin: float) -> float:
    """Baseball: CL = 1.120 S / (0.583 + 2.333 S) (Nathan 2008, Am. J. Phys. 76, 119, as given on the author's trajectory page)."""
    return 1.120 * spin / (0.583 + 2.333 * spin)


def lift_by_goff(spin: float) -> float:
    """Soccer: the measured curve, flat beyond S = 0.71 (Goff & Carre 2009)."""
    return float(np.interp(spin, SOCCER_SPIN, SOCCER_LIFT))


def drag_by_goff(reynolds: float) -> float:
    """Soccer through its drag crisis: CD = 0.155 + 0.346 / (1 + exp((v - 12.19) / 1.309)) (Goff & Carre 2010), v at equal Reynolds number."""
    speed = reynolds / SOCCER_REYNOLDS
    return 0.155 + 0.346 / (1.0 + float(np.exp(np.clip((speed - 12.19) / 1.309, -50.0, 50.0))))


def drag_by_morrison(reynolds: float) -> float:
    """A smooth sphere from creeping flow to Re 1e6 (Morrison 2013)."""
    return float(sphere_drag_coefficient(reynolds))


LIFT_LAWS: Mapping[str, Law] = MappingProxyType({"stepanek": lift_by_stepanek, "nathan": lift_by_nathan, "goff": lift_by_goff})
DRAG_LAWS: Mapping[str, Law] = MappingProxyType({"goff": drag_by_goff, "morrison": drag_by_morrison})


def lift_ratio(law: str, lift: float, launch_speed: float) -> Callable[[float], float]:
    """CL(v) / CL(launch) of a ball that keeps its spin, under a named law; ``lift`` is the coefficient at the launch.

    Where the law never reaches ``lift`` the ball spins at the end of the law's range.
    """
    curve = LIFT_LAWS[law]
    spin = _invert(curve, lift)
    at_launch = curve(spin)

    def ratio(speed: float) -> float:
        return curve(min(spin * launch_speed / max(speed, 1e-6), SPIN_RANGE[1])) / at_launch

    return ratio


def drag_ratio(law: str, launch_speed: float, diameter: float, air_density: float) -> Callable[[float], float]:
    """CD(v) / CD(launch) under a named law."""
    curve, scale = DRAG_LAWS[law], float(reynolds_number(1.0, diameter, air_density))
    at_launch = curve(scale * launch_speed)
    return lambda speed: curve(scale * speed) / at_launch


def _invert(curve: Law, lift: float) -> float:
    """The smallest spin parameter in the law's range at which it reaches ``lift``, by bisection on a law that does not fall before it."""
    low, high = SPIN_RANGE
    for _ in range(INVERSION_STEPS):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if curve(middle) >= lift else (middle, high)
    return high
