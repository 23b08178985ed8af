"""A spinning ball in flight: gravity, drag and the Magnus force, which turns the path without doing work.

m_eff v' = -(m - rho V) g y^ - (1/2) rho A CD |v| v + (1/2) rho A |v| (l x v), l = CL w^ (see `physics.flight`). Only the part of the
spin across the velocity bends the path, so the vector ``l`` is known up to its component along v, which its prior holds near zero.
"""

from __future__ import annotations

import numpy as np

from ...types import Floats, Sighting
from ..flight import (
    FLIGHT_SYMMETRIES,
    STATE,
    flight_energy,
    flight_position,
    flight_rhs,
    flight_time_scale,
    guess_flight,
    prepare_flight,
    report_flight,
    velocity_parameters,
)  # fmt: skip
from ..force import Drawn, ForceModel, Parameter, Start, Values

SPEED_SIGMA = 16.0
"""m/s along each axis: from a table tennis drive (8 m/s) to a golf drive (65); the same figure as `BALLS` has on average."""
LIFT_SIGMA = 0.2
"""Published lift coefficients of sports balls run from 0.05 to 0.35 (Goff & Carre 2009; Nathan 2008); either sign, any axis."""
LIFT_STARTS = (0.0, 0.2, -0.2)
"""Sign of the spin about the camera's axis and about the vertical to start from: the likelihood can have a mirror optimum."""

PARAMETERS = (
    *velocity_parameters(SPEED_SIGMA),
    Parameter(name="drag_coefficient", unit="1", lower=0.0, upper=2.0, prior_value=0.35, prior_sigma=0.15),
    Parameter(name="lift_x", unit="1", lower=-1.0, upper=1.0, prior_value=0.0, prior_sigma=LIFT_SIGMA),
    Parameter(name="lift_y", unit="1", lower=-1.0, upper=1.0, prior_value=0.0, prior_sigma=LIFT_SIGMA),
    Parameter(name="lift_z", unit="1", lower=-1.0, upper=1.0, prior_value=0.0, prior_sigma=LIFT_SIGMA),
)

BALLS = (
    ("soccer", 0.22, 0.43, 15.0, 32.0, 0.25), ("table tennis", 0.04, 0.0027, 4.0, 14.0, 0.45), ("tennis", 0.067, 0.058, 12.0, 35.0, 0.55),
    ("baseball", 0.0737, 0.145, 25.0, 42.0, 0.35), ("volleyball", 0.21, 0.27, 10.0, 25.0, 0.25), ("golf", 0.0427, 0.0459, 25.0, 65.0, 0.25),
)  # fmt: skip
"""(name, diameter m, mass kg, slowest and fastest m/s, CD): round numbers to draw truths around; the real ones are the catalogue's."""


def guess(sighting: Sighting, known: Values) -> tuple[Start, ...]:
    """The starts of a plain flight, each with no lift and with lift of either sign about the line of sight and the vertical."""
    starts = []
    for start in guess_flight(sighting, known):
        for axis in ("lift_z", "lift_y"):
            for lift in LIFT_STARTS if axis == "lift_z" else LIFT_STARTS[1:]:
                values = {**start.values, "lift_x": 0.0, "lift_y": 0.0, "lift_z": 0.0, axis: lift}
                starts.append(Start(anchor=start.anchor, depth=start.depth, values=values))
    return tuple(starts)


def draw(rng: np.random.Generator) -> Drawn:
    """A free kick, a topspin drive, a curve ball...: played speeds, lift coefficients 0.08 to 0.33 about an axis mostly across the velocity."""
    _, diameter, mass, slow, fast, drag = BALLS[rng.integers(len(BALLS))]
    speed, elevation, heading = rng.uniform(slow, fast), rng.uniform(-0.1, 0.45), rng.uniform(-np.pi, np.pi)
    v = speed * np.array([np.cos(elevation) * np.cos(heading), np.sin(elevation), np.cos(elevation) * np.sin(heading)])
    axis = rng.normal(size=3)
    axis -= 0.8 * v * (axis @ v) / (v @ v)
    lift = rng.uniform(0.08, 0.33) * axis / np.linalg.norm(axis)
    values = {
        "g": 9.80665, "air_density": rng.uniform(1.1, 1.29), "diameter": diameter * rng.uniform(0.98, 1.02), "mass": mass * rng.uniform(0.96, 1.04),
        "drag_coefficient": float(np.clip(rng.normal(drag, 0.06), 0.1, 0.7)), "vx": v[0], "vy": v[1], "vz": v[2],
        "lift_x": lift[0], "lift_y": lift[1], "lift_z": lift[2],
    }  # fmt: skip
    return Drawn(values={name: float(value) for name, value in values.items()}, duration=float(rng.uniform(0.3, 1.4)))


def report(values: Values) -> dict[str, tuple[Floats, str]]:
    """The flight's quantities with the lift coefficient, its direction and the spin that the lift law of `spin_parameter` derives.

    ``lift_direction_deg`` is the direction of the Magnus force about the velocity: 0 lifts, 90 pushes to the left of the flight as the
    ball sees it, 180 is topspin.
    """
    v = np.stack(np.broadcast_arrays(*(np.asarray(values[name], dtype=float) for name in ("vx", "vy", "vz"))), axis=-1)
    axis = np.stack(np.broadcast_arrays(*(np.asarray(values[name], dtype=float) for name in ("lift_x", "lift_y", "lift_z"))), axis=-1)
    speed = np.sqrt(np.sum(v * v, axis=-1))
    force = np.cross(axis, v) / speed[..., None]
    lift = np.sqrt(np.sum(force * force, axis=-1))
    left = np.stack([v[..., 2], np.zeros_like(speed), -v[..., 0]], axis=-1)
    left = left / np.maximum(np.sqrt(np.sum(left * left, axis=-1)), 1e-12)[..., None]
    up = np.cross(v / speed[..., None], left)
    direction = np.rad2deg(np.arctan2(np.sum(force * left, axis=-1), np.sum(force * up, axis=-1)))
    spin = spin_parameter(lift) * speed / (0.5 * np.asarray(values["diameter"])) / (2 * np.pi)
    return {**report_flight(values), "lift_coefficient": (lift, "1"), "lift_direction_deg": (direction, "deg"), "spin_rate_rps": (spin, "1/s")}


def spin_parameter(lift: Floats) -> Floats:
    """S = R w_perp / v, the mean of two published laws inverted (see `invert_lift_laws`)."""
    return np.mean(invert_lift_laws(lift), axis=0)


def invert_lift_laws(lift: Floats) -> tuple[Floats, Floats]:
    """The spin parameter S under a tennis ball's and under a baseball's lift law.

    CL = S / (2.02 S + 0.98) (Stepanek 1988, Am. J. Phys. 56, 138) and CL = 1.12 S / (0.583 + 2.333 S) (Nathan 2008, Am. J. Phys. 76, 119).
    Both saturate near CL = 0.48: close to it the lift hardly tells the spin, so S is given as at most 1.
    """
    tennis = 0.98 * lift / np.maximum(1.0 - 2.02 * lift, 1e-6)
    baseball = 0.583 * lift / np.maximum(1.12 - 2.333 * lift, 1e-6)
    return np.clip(tennis, 0.0, 1.0), np.clip(baseball, 0.0, 1.0)


def law_spread(values: Values) -> dict[str, float]:
    """What the disagreement of the lift laws adds to the spin's sigma: half their difference, a quarter of the value at least."""
    quantities = report(values)
    tennis, baseball = invert_lift_laws(quantities["lift_coefficient"][0])
    spin, mean = float(quantities["spin_rate_rps"][0][0]), float(np.mean([tennis, baseball]))
    return {"spin_rate_rps": max(0.25 * spin, 0.5 * abs(float(tennis[0] - baseball[0])) / max(mean, 1e-9) * spin)}


MODEL = ForceModel(
    name="curving_ball", family="free_flight", summary="spinning ball: gravity, air drag and the Magnus force",
    state=STATE, parameters=PARAMETERS, anchor="body", rhs=flight_rhs, position=flight_position, energy=flight_energy,
    time_scale=flight_time_scale, symmetries=FLIGHT_SYMMETRIES, guess=guess, draw=draw, report=report,
    law_spread=law_spread, prepare=prepare_flight,
)  # fmt: skip
