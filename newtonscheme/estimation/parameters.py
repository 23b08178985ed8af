"""The fit's coordinates: which numbers a pattern seen through a camera has, what is believed of them, and where they project.

Camera, body and force model share one vector: the anchor's pixel and local scale, the camera's tilt and focal length, the body's size
and density, gravity, and the model's own parameters. Positive numbers enter as logarithms. Fixed numbers are left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from ..camera import project
from ..physics.force import ForceModel, Start
from ..physics.integration import solve_many
from ..physics.models import FORCE_MODELS
from ..types import NOTHING_ELSEWHERE, Body, Camera, Elsewhere, Entry, Floats, Quantity, Setting, Track

FREE_DIAMETER, FREE_DIAMETER_LOG_SIGMA = 0.07, 1.0
"""What people throw, kick and swing: 1 cm to 0.5 m within two sigma (m)."""
FREE_DENSITY, FREE_DENSITY_LOG_SIGMA = 300.0, 1.1
"""kg/m^3: from a beach ball (30) to a stone or steel (3000 and more) within two sigma."""
BOB_DENSITY, BOB_DENSITY_LOG_SIGMA = 1000.0, 1.1
"""kg/m^3: what hangs on a string is mostly solid: wood (500 to 900), rubber and fruit (1000), stone and glass (2500), brass and steel (8000:
the bobs of laboratories), with a hollow ball (90 to 400) among them; densities as in CRC Handbook of Chemistry and Physics, section 15. It matters:
buoyancy and added mass make a bob of 300 kg/m^3 swing as if its string were 0.6 % longer, and one of steel as if hardly longer at all."""
DEPTH, DEPTH_LOG_SIGMA = 6.0, 1.6
"""m: a camera stands 0.25 to 150 m away. Weak; it only keeps a track without acceleration from running to infinity."""
RADIUS_BIAS_SIGMA_PX = 0.3
"""The edge of a disc is placed by a threshold or a blur model: its bias is common to all frames and does not average out."""
SHARED_RADIUS_ERROR, INDEPENDENT_LOOKS = 0.01, 12.0
"""A patterned or blurred ball's radius is off by a per cent, and differently so a dozen times along its path at most."""
FREE_GRAVITY_SIGMA = 8.0
"""m/s^2: gravity as an unknown (a ruler is given): from the Moon to a clip whose clock is twice too fast."""
OUT_OF_PLANE_SLOPE, RISE_SHARE = 0.6, 0.15
"""Speed towards the camera over the horizontal speed across it: people film throws from the side, and what is dropped or tossed up goes
nowhere else: a hand gives it about 0.15 of its vertical speed sideways."""
CLEAR_APPROACH = 0.25
"""Unless the apparent size says that the depth changes by a quarter: that is a motion towards or away, a free kick seen from behind, and as
fast as the law's speeds are in any direction."""
OUT_OF_PLANE_FLOOR = 0.3
"""m/s: what a hand adds to a drop."""
LEAST_SEEN = 0.05
"""Share of the best seen direction below which a coordinate (depth) is not read off the picture."""
NORMAL_LOG = 0.5 * math.log(2.0 * math.pi)
SPHERE = math.pi / 6.0

LIMITS = {"g": (0.05, 100.0), "focal_px": (1.0, 1e7), "px_per_m": (1e-6, 1e7), "diameter": (1e-3, 10.0), "density": (20.0, 3e4), "pitch": (-1.5, 1.5)}
"""Where physics still makes sense: a beach ball has 20 kg/m^3, osmium 22,600."""
LOG_NAMES = frozenset({"px_per_m", "focal_px", "diameter", "density", "length"})
"""Positive numbers: their coordinate is the natural logarithm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What holds for every pattern of a clip: gravity, air, and the rulers that the user gave (None: not given).

    ``unit_circle``: the track is a table of angles, drawn on a circle of radius 1 about a pivot at (0, 0).
    """

    g: Entry
    air_density: float
    scale: Quantity | None = None
    length: Quantity | None = None
    unit_circle: bool = False

    @property
    def gravity_is_ruler(self) -> bool:
        """Whether gravity is trusted well enough to measure the scale with."""
        return self.g.sigma < 0.1 * FREE_GRAVITY_SIGMA


def build_setting(model: ForceModel, camera: Camera, body: Body, known: Known) -> Setting:
    """All entries of a pattern's fit: value, sigma (0 fixed, inf free) and source, in the fit's coordinates' own units.

    For a positive number sigma is that of its logarithm.
    """
    pinhole = camera.kind == "pinhole"
    entries: dict[str, Entry] = {
        "anchor_u_px": Entry(0.0, math.inf, "measured"),
        "anchor_v_px": Entry(0.0, math.inf, "measured"),
        "px_per_m": Entry(1.0, math.inf if pinhole else 0.0, "measured" if pinhole else camera.source),
        "pitch": Entry(camera.pitch, camera.pitch_sigma, camera.source),
        "roll": Entry(camera.roll, camera.roll_sigma, camera.source),
        "focal_px": Entry(camera.focal_px, camera.focal_log_sigma, camera.source),
        "radius_bias_px": Entry(0.0, RADIUS_BIAS_SIGMA_PX if pinhole else 0.0, "assumed"),
        "g": known.g,
        "air_density": Entry(known.air_density, 0.0, "assumed"),
        **_body_entries(body, assumed_density(model)),
    }
    for q in model.parameters:
        entries[q.name] = Entry(q.prior_value, q.prior_sigma, "assumed")
    if known.unit_circle:
        entries |= {name: Entry(0.0, 0.0, "user") for name in ("anchor_u_px", "anchor_v_px", "plane_angle")}
    if body.drag_coefficient is not None and "drag_coefficient" in entries:
        entries["drag_coefficient"] = Entry(body.drag_coefficient.value, body.drag_coefficient.sigma, body.drag_coefficient.source)
    if known.length is not None and "length" in entries:
        entries["length"] = Entry(known.length.value, log_sigma(known.length), known.length.source)
    return Setting(pattern=model.name, entries=MappingProxyType(entries))


def assumed_density(model: ForceModel | None = None) -> Entry:
    """The density (kg/m^3, sigma of its logarithm) of a body of no known kind: a bob where the model has a pivot, else what people throw."""
    if model is not None and model.anchor == "pivot":
        return Entry(BOB_DENSITY, BOB_DENSITY_LOG_SIGMA, "assumed")
    return Entry(FREE_DENSITY, FREE_DENSITY_LOG_SIGMA, "assumed")


def _body_entries(body: Body, density: Entry) -> dict[str, Entry]:
    diameter = Entry(FREE_DIAMETER, FREE_DIAMETER_LOG_SIGMA, "assumed")
    if body.diameter is not None:
        diameter = Entry(body.diameter.value, log_sigma(body.diameter), body.diameter.source)
    if body.mass is not None:
        value = body.mass.value / (SPHERE * diameter.value**3)
        density = Entry(value, math.hypot(log_sigma(body.mass), 3.0 * diameter.sigma), body.mass.source)
    return {"diameter": diameter, "density": density}


def log_sigma(quantity: Quantity) -> float:
    """The sigma of a positive quantity's logarithm (log-normal moments), at least one part in a million."""
    return max(math.sqrt(math.log1p((quantity.sigma / quantity.value) ** 2)), 1e-6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One pattern on one stretch of track: everything that a residual needs, with the moving coordinates picked out."""

    model: ForceModel
    camera: Camera
    known: Known
    body: Body
    setting: Setting
    names: tuple[str, ...]
    lower: Floats
    upper: Floats
    prior_value: Floats
    prior_sigma: Floats
    log_mask: Floats
    t: Floats
    observed: Floats
    whitening: Floats
    centre_sigma: Floats
    radius_sigma: Floats
    slow_error: float
    elsewhere: Elsewhere = NOTHING_ELSEWHERE

    @property
    def told_scale(self) -> Quantity | None:
        """The scale that the user told of the middle sample; None also for a table, whose scale is its own in the middle of its places."""
        return self.known.scale if "px_per_m" in self.names else None


def state_problem(
    track: Track, pattern: str, camera: Camera, body: Body, known: Known, elsewhere: Elsewhere = NOTHING_ELSEWHERE
) -> Problem:  # fmt: skip
    """The least-squares problem of ``pattern`` on ``track``."""
    model = FORCE_MODELS[pattern]
    setting = build_setting(model, camera, body, known)
    names = tuple(name for name, entry in setting.entries.items() if entry.sigma > 0)
    limits = {q.name: (q.lower, q.upper) for q in model.parameters} | LIMITS
    lower, upper = np.array([limits.get(n, (-np.inf, np.inf)) for n in names], dtype=float).T
    is_log = np.array([n in LOG_NAMES for n in names])
    with np.errstate(divide="ignore", invalid="ignore"):
        lower = np.where(is_log, np.log(np.maximum(lower, 1e-300)), lower)
        upper = np.where(is_log, np.log(upper), upper)
    values = np.array([setting.entries[n].value for n in names])
    return Problem(
        model=model, camera=camera, known=known, body=body, setting=setting, names=names, lower=lower, upper=upper,
        prior_value=np.where(is_log, np.log(np.where(is_log, values, 1.0)), values),
        prior_sigma=np.array([setting.entries[n].sigma for n in names]), log_mask=is_log.astype(float), t=track.t - track.t[0],
        observed=np.column_stack([track.centre_px, track.radius_px]),
        whitening=np.linalg.inv(np.linalg.cholesky(track.covariance_px)),
        centre_sigma=track.sigma_px, radius_sigma=_honest_radius_sigma(track), slow_error=track.slow_error,
        elsewhere=elsewhere,
    )  # fmt: skip


def _honest_radius_sigma(track: Track) -> Floats:
    """(n,) px: each apparent radius's sigma with the share that blur, shading and background give all of them together.

    An error that is common to many samples does not average out: spread over n of them, it is sqrt(n) times as large in each.
    """
    common = np.hypot(SHARED_RADIUS_ERROR * track.radius_px, track.slow_radius_error_px)
    shared = common * math.sqrt(max(len(track) / INDEPENDENT_LOOKS, 1.0))
    return np.where(np.isfinite(track.radius_px), np.hypot(track.radius_sigma_px, shared), np.nan)


def with_out_of_plane_prior(problem: Problem, theta: Floats) -> Problem:
    """The same problem with the prior of the speed along the line of sight set from the speed across it."""
    if "vz" not in problem.names:
        return problem
    p = unpack(problem, theta[None])
    vx, vy, vz = (float(p[name][0]) for name in ("vx", "vy", "vz"))
    slope = OUT_OF_PLANE_SLOPE * (abs(vx) + RISE_SHARE * abs(vy))
    if problem.camera.kind == "pinhole":
        depth = float(p["focal_px"][0] / p["px_per_m"][0])
        slope = max(slope, problem.setting.entries["vz"].sigma) if abs(vz) * float(problem.t[-1]) > CLEAR_APPROACH * depth else slope
    sigma = problem.prior_sigma.copy()
    sigma[problem.names.index("vz")] = max(slope, OUT_OF_PLANE_FLOOR)
    return replace(problem, prior_sigma=sigma)


def place_start(problem: Problem, start: Start) -> Floats:
    """The coordinates of a model's start: its depth becomes the local scale, its anchor a pixel."""
    camera = problem.camera
    cx, cy = camera.principal_px
    focal = camera.focal_px if camera.kind == "pinhole" else 1.0
    values = {
        **start.values, "px_per_m": focal / start.depth,
        "anchor_u_px": cx + focal * start.anchor[0], "anchor_v_px": cy - focal * start.anchor[1],
    }  # fmt: skip
    if problem.known.scale is not None:
        ratio = problem.known.scale.value / values["px_per_m"]
        values["px_per_m"] = problem.known.scale.value
        for name in ("vx", "vy", "vz", "length", "g"):
            if name in values:
                values[name] = values[name] / ratio
        if "g" not in values and problem.setting.entries["g"].sigma > 1.0:
            values["g"] = float(problem.setting.entries["g"].value / ratio)
    theta = problem.prior_value.copy()
    for i, name in enumerate(problem.names):
        if name in values:
            theta[i] = math.log(max(values[name], 1e-12)) if problem.log_mask[i] else values[name]
    if "diameter" in problem.names and problem.body.diameter is None:
        radius = np.nanmedian(problem.observed[:, 2]) if np.any(np.isfinite(problem.observed[:, 2])) else np.nan
        if radius > 0:
            theta[problem.names.index("diameter")] = math.log(2.0 * radius / values["px_per_m"])
    return np.clip(theta, problem.lower + 1e-12, problem.upper - 1e-12)


def unpack(problem: Problem, theta: Floats) -> dict[str, Floats]:
    """SI values (B,) by name, fixed ones included, of coordinates ``theta`` (B, m); the mass follows from size and density."""
    natural = np.where(problem.log_mask > 0, np.exp(np.clip(theta, -60, 60) * problem.log_mask), theta)
    p = {name: np.full(len(theta), entry.value) for name, entry in problem.setting.entries.items() if entry.sigma == 0}
    p |= {name: natural[:, i] for i, name in enumerate(problem.names)}
    if problem.known.unit_circle:
        p["px_per_m"] = 1.0 / p["length"]
    p["mass"] = p["density"] * SPHERE * p["diameter"] ** 3
    return p


def coordinates(problem: Problem, theta: Floats, names: tuple[str, ...]) -> Floats:
    """(B, k) the coordinates of ``names``: those of ``theta`` (B, m), or what they are held at; zero for a force that the law does not have."""
    columns = []
    for name in names:
        if name in problem.names:
            columns.append(theta[:, problem.names.index(name)])
        else:
            entry = problem.setting.entries.get(name)
            value = 0.0 if entry is None else math.log(entry.value) if name in LOG_NAMES else entry.value
            columns.append(np.full(len(theta), value))
    return np.stack(columns, axis=1)


def predict_image(problem: Problem, theta: Floats, t: Floats | None = None) -> tuple[Floats, Floats]:
    """What the camera sees: (B, n, 3) of u, v and apparent radius in px, and the local scale (B, n) in px/m."""
    p = unpack(problem, theta)
    states = solve_many(problem.model, p, problem.t if t is None else t)
    q: Mapping[str, Floats] = {name: value[:, None] for name, value in p.items()}
    return see(problem, q, problem.model.position(states, q))


def see(problem: Problem, q: Mapping[str, Floats], position: Floats) -> tuple[Floats, Floats]:
    """Projects positions (B, n, 3) with camera values (B, 1): (B, n, 3) of u, v, radius and the scale (B, n)."""
    # A trial that has run away is infinitely far off; it loses without a word.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        centre, scale = project(problem.camera, position, (q["anchor_u_px"], q["anchor_v_px"]), q["px_per_m"], q["pitch"], q["roll"], q["focal_px"])
        radius = 0.5 * q["diameter"] * scale + q["radius_bias_px"]
        return np.concatenate([centre, radius[..., None]], axis=-1), scale


def coordinates_by_px(problem: Problem, p: Mapping[str, float], states: Floats, step: float) -> Floats:
    """(n, k/2, 2) change of the generalised coordinates of states (n, k) with their place in the picture, px: the least that moves it so.

    ``p`` holds one value of each number, ``step`` is by how much a coordinate is moved to see where it leads. NaN where nothing finite is seen.
    """
    half = states.shape[1] // 2
    moved = np.concatenate([states[None], states + step * np.eye(half, 2 * half)[:, None]])
    places = np.stack([problem.model.position(each, p) for each in moved])
    image, _ = see(problem, {name: np.full((1, 1), value) for name, value in p.items()}, places)
    slopes = np.moveaxis((image[1:, :, :2] - image[0, :, :2]) / step, 0, -1)
    if not np.all(np.isfinite(slopes)):
        return np.full((len(states), half, 2), np.nan)
    return np.asarray(np.linalg.pinv(slopes, rcond=LEAST_SEEN))


def prior_residuals(problem: Problem, theta: Floats, scale: Floats) -> Floats:
    """(B, k) rows of the priors in units of their sigmas: each bound coordinate's, mass, depth, the user's scale, what was told elsewhere."""
    bound = np.isfinite(problem.prior_sigma)
    rows = [(theta[:, bound] - problem.prior_value[bound]) / problem.prior_sigma[bound]]
    p = unpack(problem, theta)
    if problem.body.mass is not None:
        rows.append((np.log(p["mass"] / problem.body.mass.value) / log_sigma(problem.body.mass))[:, None])
    if problem.camera.kind == "pinhole":
        rows.append((np.log(p["focal_px"] / p["px_per_m"] / DEPTH) / DEPTH_LOG_SIGMA)[:, None])
    if problem.told_scale is not None:
        middle = np.maximum(scale[:, scale.shape[1] // 2], 1e-9)
        rows.append((np.log(middle / problem.told_scale.value) / log_sigma(problem.told_scale))[:, None])
    if len(problem.elsewhere.target):
        rows.append(coordinates(problem, theta, problem.elsewhere.names) @ problem.elsewhere.root.T - problem.elsewhere.target)
    return np.concatenate(rows, axis=1)


def prior_log_norm(problem: Problem) -> float:
    """The log of the priors' normalising constants, for the evidence; an anchor is anywhere in a picture of the camera's own size."""
    bound = np.isfinite(problem.prior_sigma)
    norm = -float(np.sum(np.log(problem.prior_sigma[bound]))) - NORMAL_LOG * int(np.sum(bound))
    if problem.camera.kind == "pinhole":
        norm -= 2.0 * math.log(max(problem.camera.focal_px, 1.0)) * ("anchor_u_px" in problem.names)
        norm -= math.log(DEPTH_LOG_SIGMA) + NORMAL_LOG
    else:
        norm -= float(np.sum(np.log(np.ptp(problem.observed[:, :2], axis=0) + 1e-9)))
    return norm
