"""A pendulum: a bob on a string or rod, exact in the angle, with viscous, quadratic and dry damping.

theta'' = -w0^2 sin(theta) - 2 gamma theta' - b |theta'| theta' - (4 / pi) w0^2 f (2 s - 4 s^3 / 3)

The last is dry friction at the pivot (a knot, a bearing): a constant moment that turns with the swing, by its first two harmonics, with
s = theta' / sqrt(theta'^2 + w0^2 (2 - 2 cos theta + f^2)), the sine of the swing's phase. It takes the same from every half swing, 2 f in
amplitude, where f is the angle at which it could hold the bob. What the two leave out bends a path by some f / 30 until it is nearly at rest
(`tests/physics/test_pendulum.py`), and they put no corner into the equation of motion.
w0^2 = g (1 - rho V / m) / (L (1 + rho V / (2 m)) + 2 R^2 / (5 L)): buoyancy, added mass and the bob's own inertia (a solid sphere; Nelson &
Olsson 1986, Am. J. Phys. 54, 112). The plane of the swing may be turned about the vertical by ``plane_angle``. The anchor is the pivot.
"""

from __future__ import annotations

import numpy as np

from ...types import Floats, Sighting
from ..force import Drawn, ForceModel, Parameter, Start, Symmetry, Values

PARAMETERS = (
    Parameter(name="theta", unit="rad", lower=-3.1, upper=3.1, prior_value=0.0, prior_sigma=1.0, initial="theta"),
    Parameter(name="omega", unit="rad/s", lower=-60.0, upper=60.0, prior_value=0.0, prior_sigma=6.0, initial="omega"),
    Parameter(name="length", unit="m", lower=0.01, upper=50.0, prior_value=0.7, prior_sigma=1.0, scale="log"),
    Parameter(name="damping", unit="1/s", lower=0.0, upper=5.0, prior_value=0.0, prior_sigma=0.3),
    Parameter(name="quadratic_damping", unit="1", lower=0.0, upper=2.0, prior_value=0.0, prior_sigma=0.03),
    Parameter(name="dry_damping", unit="rad", lower=0.0, upper=0.2, prior_value=0.0, prior_sigma=0.005, seldom=True),
    Parameter(name="plane_angle", unit="rad", lower=-1.2, upper=1.2, prior_value=0.0, prior_sigma=0.14),
)
GRID_PER_RESOLUTION = 3.0
"""Trial frequencies for each Rayleigh width 2 pi / T: three find every peak of the sinusoid fit."""
TRIAL_AMPLITUDES = (0.15, 0.5)
"""rad: a swing whose arc shows no clear curvature has some ordinary amplitude."""
LOWEST_PERIODS = 0.15
"""The slowest swing to try shows this share of its period."""
LARGEST_AMPLITUDE = 1.5
"""rad: a start beyond a right angle is left to the fit."""
AT_REST = 1e-9
"""rad: far below any amplitude; a bob that hangs still is held by no friction."""
N_FREQUENCIES = 2
"""Best frequencies to start from: a short stretch of a swing leaves more than one plausible period."""


def rhs(t: float | Floats, y: Floats, p: Values) -> Floats:
    """dy/dt for the state (theta, omega)."""
    w2 = p["natural_frequency_squared"] if "natural_frequency_squared" in p else natural_frequency_squared(p)
    dy = np.empty_like(y)
    dy[..., 0] = y[..., 1]
    np.subtract(damping_acceleration(y, p), w2 * np.sin(y[..., 0]), out=dy[..., 1])
    return dy


def prepare(p: Values) -> dict[str, Floats]:
    """What does not change along the path: w0^2, twice the damping with its sign, and dry friction's pull and its part in the phase."""
    w2, dry = natural_frequency_squared(p), np.asarray(p["dry_damping"])
    return {
        "natural_frequency_squared": w2, "linear_damping": -2.0 * np.asarray(p["damping"]), "dry_pull": np.asarray(8.0 / np.pi * w2 * dry),
        "dry_phase": np.asarray(w2 * (dry**2 + AT_REST**2)), "phase_by_angle": np.asarray(4.0 * w2),
    }  # fmt: skip


def natural_frequency_squared(p: Values) -> Floats:
    """(...,) w0^2 in 1/s^2."""
    length, radius = np.asarray(p["length"]), 0.5 * np.asarray(p["diameter"])
    displaced = p["air_density"] * np.pi * np.asarray(p["diameter"]) ** 3 / 6.0 / p["mass"]
    return np.asarray(p["g"] * (1.0 - displaced) / (length * (1.0 + 0.5 * displaced) + 0.4 * radius**2 / length))


def damping_acceleration(y: Floats, p: Values) -> Floats:
    """(...,) rad/s^2: what takes energy out of the swing in the state (theta, omega)."""
    told: Values = p if "dry_pull" in p else prepare(p)
    theta, omega = y[..., 0], y[..., 1]
    lost = np.asarray(omega * (told["linear_damping"] - p["quadratic_damping"] * np.abs(omega)))
    pull = told["dry_pull"]
    if np.any(pull):
        square = np.sin(0.5 * theta)
        square = square * square * told["phase_by_angle"] + omega * omega + told["dry_phase"]
        sine = omega / np.sqrt(square)
        lost = lost - pull * sine * (1.0 - 2.0 / 3.0 * (sine * sine))
    return lost


def position(y: Floats, p: Values) -> Floats:
    """(..., 3) metres from the pivot."""
    theta = y[..., 0]
    across = p["length"] * np.sin(theta)
    plane = p["plane_angle"]
    return np.stack(np.broadcast_arrays(across * np.cos(plane), -p["length"] * np.cos(theta), across * np.sin(plane)), axis=-1)


def energy(y: Floats, p: Values) -> Floats:
    """J/kg at the bob's inertia: L^2 (theta'^2 / 2 - w0^2 cos theta)."""
    return np.asarray(p["length"]) ** 2 * (0.5 * y[..., 1] ** 2 - natural_frequency_squared(p) * np.cos(y[..., 0]))


SYMMETRIES = (
    Symmetry(
        name="energy", symmetry="time translation", unit="J/kg", charge=lambda t, y, p: energy(y, p),
        balance=lambda t, y, p: np.asarray(p["length"]) ** 2 * y[..., 1] * damping_acceleration(y, p),
    ),
)  # fmt: skip


def guess(sighting: Sighting, known: Values) -> tuple[Start, ...]:
    """The arc's centre from its shape, then the angle's own sinusoid about the vertical, then the depth from L = g / w0^2."""
    t, plane = sighting.t, sighting.plane
    starts = []
    for centre, height, radius in _find_arcs(t, plane):
        theta = np.arctan2(plane[:, 0] - centre, height - plane[:, 1])
        for omega, _, a, b in _fit_sinusoids(t, theta, offset=False):
            amplitude = min(float(np.hypot(a, b)), LARGEST_AMPLITUDE)
            natural = omega / float(_arithmetic_geometric_mean(1.0, np.cos(amplitude / 2.0)))
            length = float(known["length"]) if "length" in known else float(known["g"]) / natural**2
            damped = {"damping": 0.02, "quadratic_damping": 0.005, "dry_damping": 0.001}
            values = {"theta": a, "omega": b * omega, "length": length, **damped, "plane_angle": 0.0}
            starts.append(Start(anchor=(centre, height), depth=length / radius, values=values))
    return tuple(starts)


def _find_arcs(t: Floats, plane: Floats) -> list[tuple[float, float, float]]:
    """Candidate (centre, height, radius) of the swing on the plane: the circle through the path, then arcs about each sinusoid's centre."""
    x, y = plane[:, 0], plane[:, 1]
    reach = max(0.5 * float(np.ptp(x)), 1e-9)
    arcs = []
    origin = np.array([np.mean(x), np.mean(y)])
    algebraic = np.column_stack([2 * (x - origin[0]), 2 * (y - origin[1]), np.ones_like(x)])
    squares = (x - origin[0]) ** 2 + (y - origin[1]) ** 2
    cx, cy, rest = np.linalg.lstsq(algebraic, squares, rcond=None)[0]
    if rest + cx**2 + cy**2 > 0 and cy > 0:
        arcs.append((origin[0] + cx, origin[1] + cy, float(np.sqrt(rest + cx**2 + cy**2))))
    for _, centre, _, _ in _fit_sinusoids(t, x, offset=True):
        curvature = float(np.linalg.lstsq(np.vander((x - centre) / reach, 3), y, rcond=None)[0][0]) / reach**2
        radii = [reach / amplitude for amplitude in TRIAL_AMPLITUDES]
        radii += [0.5 / curvature] if curvature > 0 and 0.5 / curvature > reach / np.sin(LARGEST_AMPLITUDE) else []
        for radius in radii:
            drop = np.sqrt(np.maximum(radius**2 - (x - centre) ** 2, 0.0))
            arcs.append((centre, float(np.median(y + drop)), radius))
    return arcs


def _fit_sinusoids(t: Floats, x: Floats, *, offset: bool) -> list[tuple[float, float, float, float]]:
    """The best (omega, centre, a, b) of x = centre + a cos(omega t) + b sin(omega t), best first; without offset the centre is 0."""
    span, step = float(t[-1] - t[0]), float(np.median(np.diff(t)))
    low = LOWEST_PERIODS * 2 * np.pi / span
    top = max(min(0.5 * np.pi / step, 40.0), 2.0 * low)
    n_grid = int(np.clip(GRID_PER_RESOLUTION * top * span / (2 * np.pi), 60, 4000))
    grid = np.linspace(low, top, n_grid)
    phase = grid[:, None] * t
    columns = [np.cos(phase), np.sin(phase)] + ([np.ones_like(phase)] if offset else [])
    basis = np.stack(columns, axis=-1)
    turned = np.swapaxes(basis, 1, 2)
    solved = np.linalg.solve(turned @ basis + 1e-9 * len(t) * np.eye(len(columns)), (turned @ x)[..., None])[..., 0]
    cost = np.sum((x - np.einsum("gnk,gk->gn", basis, solved)) ** 2, axis=1)
    inner = np.flatnonzero((cost[1:-1] <= cost[:-2]) & (cost[1:-1] <= cost[2:])) + 1
    best = inner[np.argsort(cost[inner])][:N_FREQUENCIES] if len(inner) else np.array([int(np.argmin(cost))])
    return [(float(grid[i]), float(solved[i][2]) if offset else 0.0, float(solved[i][0]), float(solved[i][1])) for i in best]


def _arithmetic_geometric_mean(a: Floats | float, b: Floats | float) -> Floats:
    """AGM(a, b), quadratically convergent: five rounds give double precision for amplitudes up to 179 degrees."""
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    for _ in range(6):
        x, y = 0.5 * (x + y), np.sqrt(x * y)
    return x


def report(values: Values) -> dict[str, tuple[Floats, str]]:
    """g, length, damping, the amplitude (from the energy) and the actual period T = T0 / AGM(1, cos(amplitude / 2)) at the segment's start."""
    w2 = natural_frequency_squared(values)
    cosine = np.cos(values["theta"]) - 0.5 * np.asarray(values["omega"]) ** 2 / w2
    amplitude = np.arccos(np.clip(cosine, -1.0, 1.0))
    period = 2 * np.pi / np.sqrt(w2) / _arithmetic_geometric_mean(1.0, np.maximum(np.cos(amplitude / 2.0), 1e-9))
    return {
        "g": (np.asarray(values["g"]), "m/s^2"), "length": (np.asarray(values["length"]), "m"), "damping": (np.asarray(values["damping"]), "1/s"),
        "amplitude_deg": (np.rad2deg(amplitude), "deg"), "period": (period, "s"),
    }  # fmt: skip


def draw(rng: np.random.Generator) -> Drawn:
    """A bob on 0.15 to 2.5 m of string, released anywhere in a swing of 3 to 75 degrees, watched for 0.4 to 10 periods."""
    length = float(np.exp(rng.uniform(np.log(0.15), np.log(2.5))))
    diameter = float(np.clip(length * rng.uniform(0.03, 0.2), 0.01, 0.2))
    density = float(np.clip(np.exp(rng.normal(np.log(1000.0), 1.0)), 60.0, 8000.0))
    w0, amplitude, phase = np.sqrt(9.80665 / length), np.deg2rad(rng.uniform(3.0, 75.0)), rng.uniform(0, 2 * np.pi)
    released = rng.random() < 0.3
    theta = amplitude * np.cos(phase) if not released else amplitude * rng.choice([-1.0, 1.0])
    omega = 0.0 if released else -np.sign(np.sin(phase)) * w0 * np.sqrt(max(2 * (np.cos(theta) - np.cos(amplitude)), 0.0))
    values = {
        "g": 9.80665, "air_density": rng.uniform(1.1, 1.29), "diameter": diameter, "mass": density * np.pi * diameter**3 / 6.0,
        "theta": theta, "omega": omega, "length": length, "damping": float(np.exp(rng.uniform(np.log(0.001), np.log(0.15)))),
        "quadratic_damping": float(np.exp(rng.uniform(np.log(0.0005), np.log(0.03)))),
        # Of a stream of its own: whatever else a seed draws stays what it was before bobs had friction.
        "dry_damping": float(np.exp(rng.spawn(1)[0].uniform(np.log(1e-5), np.log(1e-3)))),
        "plane_angle": float(np.clip(rng.normal(0.0, 0.12), -0.5, 0.5)),
    }  # fmt: skip
    periods = float(np.exp(rng.uniform(np.log(0.4), np.log(10.0))))
    return Drawn(values={name: float(value) for name, value in values.items()}, duration=float(np.clip(periods * 2 * np.pi / w0, 0.4, 12.0)))


def time_scale(p: Values) -> Floats:
    """(...,) s: one over the natural frequency."""
    return np.asarray(1.0 / np.sqrt(natural_frequency_squared(p)))


MODEL = ForceModel(
    name="pendulum", family="pendulum", summary="bob on a string or rod: exact angle, viscous, quadratic and dry damping",
    state=("theta", "omega"), parameters=PARAMETERS, anchor="pivot", rhs=rhs, position=position, energy=energy,
    time_scale=time_scale, symmetries=SYMMETRIES, guess=guess, draw=draw, report=report,
    prepare=prepare,
)  # fmt: skip
