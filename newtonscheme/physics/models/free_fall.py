"""Free flight without lift: a drop, a toss, a throw, under gravity, buoyancy and quadratic drag.

m_eff v' = -(m - rho V) g y^ - (1/2) rho A CD |v| v (see `physics.flight`); in a vacuum the parabola of Galileo (1638).
"""

from __future__ import annotations

import numpy as np

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
from ..force import Drawn, ForceModel, Parameter

SPEED_SIGMA = 5.0
"""m/s along each axis: what is dropped, tossed or thrown by hand; a ball that is kicked, pitched or struck goes three times as fast, and spins."""

PARAMETERS = (
    *velocity_parameters(SPEED_SIGMA),
    Parameter(name="drag_coefficient", unit="1", lower=0.0, upper=2.0, prior_value=0.4, prior_sigma=0.15),
)


def draw(rng: np.random.Generator) -> Drawn:
    """A ball of any common kind dropped, tossed or thrown at up to 15 m/s, watched for 0.25 s up to its return."""
    diameter = float(np.exp(rng.uniform(np.log(0.015), np.log(0.26))))
    density = float(np.exp(rng.normal(np.log(300.0), 1.0)))
    density = float(np.clip(density, 60.0, 8000.0))
    dropped = rng.random() < 0.3
    speed = rng.uniform(0.0, 0.4) if dropped else rng.uniform(1.0, 15.0) * rng.uniform(0.3, 1.0)
    elevation = rng.uniform(-0.6, 1.4)
    heading = rng.normal(0.0, 0.25) + np.pi * (rng.random() < 0.5)
    values = {
        "g": 9.80665, "air_density": rng.uniform(1.1, 1.29), "diameter": diameter, "mass": density * np.pi * diameter**3 / 6.0,
        "drag_coefficient": float(np.clip(rng.normal(0.42, 0.1), 0.1, 0.7)),
        "vx": speed * np.cos(elevation) * np.cos(heading), "vy": speed * np.sin(elevation), "vz": speed * np.cos(elevation) * np.sin(heading),
    }  # fmt: skip
    return Drawn(values={name: float(value) for name, value in values.items()}, duration=_watched(values["vy"], rng))


def _watched(vy: float, rng: np.random.Generator) -> float:
    """From a quarter of a second to a little more than the return to the height of the start."""
    returns = 2.0 * max(vy, 0.0) / 9.81
    return float(np.clip(rng.uniform(0.5, 1.3) * max(returns, rng.uniform(0.25, 0.9)), 0.25, 3.0))


MODEL = ForceModel(
    name="free_fall", family="free_flight", summary="drop, toss or throw: gravity, buoyancy and air drag",
    state=STATE, parameters=PARAMETERS, anchor="body", rhs=flight_rhs, position=flight_position, energy=flight_energy,
    time_scale=flight_time_scale, symmetries=FLIGHT_SYMMETRIES, guess=guess_flight, draw=draw, report=report_flight, prepare=prepare_flight,
)  # fmt: skip
