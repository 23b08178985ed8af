"""Free flight through air: gravity, buoyancy, added mass, quadratic drag and Magnus lift, in three dimensions.

(m + rho V / 2) dv/dt = -(m - rho V) g y^ - (1/2) rho A CD |v| v + (1/2) rho A |v| (l x v)

with V = pi D^3 / 6, A = pi D^2 / 4; ``l`` = CL w^ points along the spin axis and has the lift coefficient's size (its component along v
does nothing). The added mass of a sphere is half of the displaced air's (Batchelor 1967, section 6.4). Constant coefficients: valid
where the Reynolds number stays on one side of the drag crisis.
"""

from __future__ import annotations

import numpy as np

from ..types import Floats, Sighting
from .force import Parameter, Start, Symmetry, Values

STATE = ("x", "y", "z", "vx", "vy", "vz")
MIN_ACCELERATION_SHARE = 0.02
"""A start needs a depth: where a track hardly accelerates, gravity is taken to have bent it by this share of its length at least."""

SHORTEST_TURN = 0.1
"""s: the air turns no ball by a radian faster (a table tennis smash takes 0.25 s); parameters that ask for it are not a flight's."""
MIN_SIZES = 4
"""Fewer apparent sizes do not show a trend."""
MAX_APPROACH = 1.5
"""A start with a depth that changes more than 4.5-fold is a mistaken size, not a motion."""


def velocity_parameters(sigma: float) -> tuple[Parameter, ...]:
    """The velocity at the start, believed to be about ``sigma`` m/s along each axis."""
    return tuple(Parameter(name=v, unit="m/s", lower=-150.0, upper=150.0, prior_value=0.0, prior_sigma=sigma, initial=v) for v in ("vx", "vy", "vz"))


def effective_gravity(p: Values) -> Floats:
    """(...,) m/s^2: gravity less buoyancy over inertia with added mass."""
    displaced = _displaced_share(p)
    return np.asarray(p["g"] * (1.0 - displaced) / (1.0 + 0.5 * displaced))


def drag_length(p: Values) -> Floats:
    """(...,) 1/m: kappa in the drag deceleration kappa CD v^2, and in the lift kappa CL v^2."""
    area = 0.25 * np.pi * np.asarray(p["diameter"]) ** 2
    return np.asarray(0.5 * p["air_density"] * area / (p["mass"] * (1.0 + 0.5 * _displaced_share(p))))


def _displaced_share(p: Values) -> Floats:
    return np.asarray(p["air_density"] * np.pi * np.asarray(p["diameter"]) ** 3 / 6.0 / p["mass"])


def air_matrix(p: Values) -> Floats:
    """(..., 3, 3) 1/m: the matrix M of drag and, where ``p`` has ``lift_x`` etc., Magnus lift in dv/dt = |v| M v."""
    kappa, zero = drag_length(p), np.zeros(())
    drag = -kappa * p["drag_coefficient"]
    lx, ly, lz = (kappa * p[name] for name in ("lift_x", "lift_y", "lift_z")) if "lift_x" in p else (zero, zero, zero)
    entries = np.broadcast_arrays(drag, -lz, ly, lz, drag, -lx, -ly, lx, drag)
    return np.stack(entries, axis=-1).reshape(*entries[0].shape, 3, 3)


def air_acceleration(y: Floats, p: Values) -> Floats:
    """(..., 3) m/s^2: what drag and Magnus lift add to gravity."""
    v = y[..., 3:]
    matrix = p["air_matrix"] if "air_matrix" in p else air_matrix(p)
    return np.asarray(np.sqrt((v * v).sum(axis=-1, keepdims=True)) * np.matmul(matrix, v[..., None])[..., 0])


def flight_rhs(t: float | Floats, y: Floats, p: Values) -> Floats:
    """dy/dt for the state (x, y, z, vx, vy, vz)."""
    dy = np.empty_like(y)
    dy[..., :3] = y[..., 3:]
    dy[..., 3:] = air_acceleration(y, p)
    dy[..., 4] -= p["effective_gravity"] if "effective_gravity" in p else effective_gravity(p)
    return dy


def prepare_flight(p: Values) -> dict[str, Floats]:
    """What does not change along the path: gravity less buoyancy, and the matrix of the air's forces."""
    return {"air_matrix": air_matrix(p), "effective_gravity": effective_gravity(p)}


def flight_position(y: Floats, p: Values) -> Floats:
    """(..., 3) metres from the body's place at the segment's start."""
    return y[..., :3]


def flight_energy(y: Floats, p: Values) -> Floats:
    """J/kg: kinetic plus potential energy over the inertia (mass and added mass)."""
    v = y[..., 3:]
    return 0.5 * np.einsum("...i,...i->...", v, v) + effective_gravity(p) * y[..., 1]


def flight_time_scale(p: Values) -> Floats:
    """(...,) s: the time in which drag or lift turns the velocity by a radian, at the speed of the start or the one that gravity leads to."""
    lift = sum(np.abs(np.asarray(p.get(name, 0.0))) for name in ("lift_x", "lift_y", "lift_z"))
    per_metre = drag_length(p) * (np.abs(p["drag_coefficient"]) + lift)
    speed = np.sqrt(np.asarray(p["vx"]) ** 2 + np.asarray(p["vy"]) ** 2 + np.asarray(p["vz"]) ** 2)
    return np.maximum(1.0 / (per_metre * speed + np.sqrt(per_metre * np.abs(p["g"])) + 0.2), SHORTEST_TURN)


FLIGHT_SYMMETRIES = (
    Symmetry(
        name="energy", symmetry="time translation", unit="J/kg",
        charge=lambda t, y, p: flight_energy(y, p),
        balance=lambda t, y, p: np.einsum("...i,...i->...", air_acceleration(y, p), y[..., 3:]),
    ),
    Symmetry(
        name="horizontal_momentum", symmetry="translation along x", unit="m/s",
        charge=lambda t, y, p: y[..., 3],
        balance=lambda t, y, p: air_acceleration(y, p)[..., 0],
    ),
    Symmetry(
        name="vertical_boost", symmetry="vertical translation with Galilean boost", unit="m/s",
        charge=lambda t, y, p: y[..., 4] + effective_gravity(p) * t,
        balance=lambda t, y, p: air_acceleration(y, p)[..., 1],
    ),
)  # fmt: skip
"""Per unit inertia: E from time translation, p_x from translation, and v_y + g t, the charge of y -> y + eps under L -> L + d(-g t eps)/dt."""


def guess_flight(sighting: Sighting, known: Values) -> tuple[Start, ...]:
    """Starts from a quadratic through the plane: gravity over the apparent acceleration is the depth.

    The apparent size says how the depth changes; the plane is stretched by it first. Where a depth follows from a known diameter it
    makes a second start, for tracks too short or too straight to show gravity.
    """
    t = sighting.t
    approach = _approach_rate(sighting)
    plane = sighting.plane * np.exp(-approach * t)[:, None]
    basis = np.vander(t, 3, increasing=True)
    weight = 1.0 / np.maximum(sighting.sigma, 1e-12)
    coefficients = np.linalg.lstsq(basis * weight[:, None], plane * weight[:, None], rcond=None)[0]
    anchor, velocity, half_acceleration = coefficients
    reach = float(np.hypot(*np.ptp(plane, axis=0))) or 1e-6
    floor = MIN_ACCELERATION_SHARE * reach / max(t[-1], 1e-6) ** 2
    depths = [float(known["g"]) / max(-2.0 * half_acceleration[1], floor)]
    radius = np.nanmedian(sighting.angular_radius) if np.any(np.isfinite(sighting.angular_radius)) else np.nan
    if "diameter" in known and radius > 0:
        depths.append(0.5 * float(known["diameter"]) / float(radius))
    return tuple(
        Start(
            anchor=(anchor[0], anchor[1]), depth=depth, values={"vx": velocity[0] * depth, "vy": velocity[1] * depth, "vz": approach * depth}
        )
        for depth in depths
    )  # fmt: skip


def _approach_rate(sighting: Sighting) -> float:
    """1/s: the relative growth of the apparent size, a straight line through its logarithm; 0 where it was not measured."""
    seen = np.isfinite(sighting.angular_radius) & (sighting.angular_radius > 0)
    if np.sum(seen) < MIN_SIZES or sighting.t[-1] <= 0:
        return 0.0
    rate = np.polyfit(sighting.t[seen], np.log(sighting.angular_radius[seen]), 1)[0]
    return float(np.clip(rate, -MAX_APPROACH / sighting.t[-1], MAX_APPROACH / sighting.t[-1]))


def report_flight(values: Values) -> dict[str, tuple[Floats, str]]:
    """The contract's quantities at the segment's start: g, speed, launch angle above the world's horizontal, drag coefficient."""
    vx, vy, vz = (np.asarray(values[name]) for name in ("vx", "vy", "vz"))
    return {
        "g": (np.asarray(values["g"]), "m/s^2"),
        "speed": (np.sqrt(vx**2 + vy**2 + vz**2), "m/s"),
        "launch_angle_deg": (np.rad2deg(np.arctan2(vy, np.hypot(vx, vz))), "deg"),
        "drag_coefficient": (np.asarray(values["drag_coefficient"]), "1"),
    }
