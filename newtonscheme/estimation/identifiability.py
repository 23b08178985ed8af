"""What a clip determines, what it does not, where the uncertainty comes from, and what to film better.

At the optimum of a fit with rows r of Jacobian J (data and priors alike, each in units of its sigma) the covariance is C = (J' J)^-1, and an
error e of the rows moves the estimate by -C J' e. With independent rows C is therefore the exact sum of C J_k' J_k C over them (JCGM 100:2008,
5.1.2): every prior's part is computed, and the rest is the measured positions'. A clock that runs wrong by a share moves the estimate by what
the same share does to the motion's own rates, less what the priors hold back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from ..types import Account, Excess, Fit, Floats, Identifiability, TimeSource
from .fitting import perturb, restate, told_covariance
from .forecasting import discrepancy_sigma
from .parameters import Known, Problem, predict_image, prior_residuals, unpack
from .rulers import EARTH

PIXELS, CLOCK, SCALE, VIEW, MODEL = "pixels", "clock", "scale", "view", "model"
ORIGINS = (PIXELS, CLOCK, SCALE, VIEW, MODEL)
"""Where an uncertainty comes from: measured positions, time stamps, rulers (gravity is one), lens and tilt, and what acts on the body."""
RULERS = frozenset({"g", "diameter", "length"})
VIEWS = frozenset({"pitch", "roll", "focal_px", "plane_angle", "vz"})
MEASURED = frozenset({"radius_bias_px", "anchor_u_px", "anchor_v_px", "px_per_m"})
CLOCK_SIGMA = MappingProxyType({"timestamps": 1e-4, "fps_option": 1e-3, "container_rate": 1e-3, "track": 1e-3})
"""Share that a clock may run wrong: a crystal's 100 ppm where the film has time stamps; 29.97 for 30 where only a rate was told."""
TOLD = (
    "g", "speed", "launch_angle_deg", "drag_coefficient", "lift_coefficient", "spin_rate_rps", "length", "damping", "period", "amplitude_deg",
    "diameter", "mass",
)  # fmt: skip
"""The quantities that get an account, in this order."""
COORDINATES = MappingProxyType(
    {
        "g": "g", "focal_px": "field of view", "pitch": "pitch of the camera", "roll": "roll of the camera", "diameter": "diameter",
        "density": "mass",
        "vx": "speed across the picture", "vy": "speed up the picture", "vz": "speed towards the camera", "drag_coefficient": "drag",
        "lift_x": "lift about x", "lift_y": "lift about y", "lift_z": "lift about z", "length": "length", "damping": "damping",
        "quadratic_damping": "air drag", "dry_damping": "friction at the pivot", "plane_angle": "direction of the swing",
    }
)  # fmt: skip
"""The fit's own coordinates that people ask for, in their words."""
ADVICE = MappingProxyType(
    {
        PIXELS: "film closer, longer or at a higher rate: the positions' own noise is what is left",
        CLOCK: "keep the film's own time stamps, or give the true rate with --fps",
        SCALE: "give a ruler with its uncertainty: --diameter, --length or --scale",
        VIEW: "hold the camera level and across the motion, and give --fov or --camera",
        MODEL: "film a longer or faster motion, or name the object with --object or --mass",
    }
)


def account_errors(fit: Fit, known: Known, *, time_source: TimeSource, horizon: float) -> Identifiability:
    """What a successful fit learned, and the account of its quantities' uncertainties.

    Args:
        fit: The fit, locked.
        known: What was known before it: gravity, air, rulers.
        time_source: Where the clock came from.
        horizon: s after the last sample; the forecast's centre there gets an account as well, in px.
    """
    problem = restate(fit, known)
    sets, h = perturb(problem, fit.estimate)
    moves, covariance = _moves(problem, fit, sets, h, CLOCK_SIGMA[time_source]), told_covariance(problem, fit)
    told = moves if covariance is fit.covariance else _moves(problem, replace(fit, covariance=covariance), sets, h, CLOCK_SIGMA[time_source])
    accounts = [_account(name, unit, gradient, told, 0.0) for name, unit, gradient in _gradients(problem, sets, h)]
    since = np.array([float(fit.track.t[-1] - fit.track.t[0]) + horizon])
    image, _ = predict_image(problem, sets, since)
    slope = _central(image[:, 0, :2], h)
    accounts.append(_account("forecast", "px", slope, moves, math.sqrt(2.0) * float(discrepancy_sigma(fit, since)[0])))
    learned = _learned(problem, fit, known)
    kept = tuple(account for account in accounts if account is not None)
    return Identifiability(learned=learned, accounts=kept, advice=_advise(kept), excess=_divide_excess(fit, kept))


def _learned(problem: Problem, fit: Fit, known: Known) -> Mapping[str, float]:
    """The share of each prior's variance that the clip took away, by the coordinate's word."""
    found = {}
    for name, sigma, variance in zip(fit.names, problem.prior_sigma, np.diag(fit.covariance), strict=True):
        if name in COORDINATES and not (name == "g" and known.gravity_is_ruler):
            found[COORDINATES[name]] = 1.0 if not math.isfinite(sigma) else float(np.clip(1.0 - variance / sigma**2, 0.0, 1.0))
    return MappingProxyType(found)


def _moves(problem: Problem, fit: Fit, sets: Floats, h: Floats, clock_sigma: float) -> Mapping[str, Floats]:
    """By origin, (k, m) moves of the estimate, each by one sigma of one independent cause; the squares of all add up to the covariance."""
    _, scale = predict_image(problem, sets)
    rows = _central(prior_residuals(problem, sets, scale), h)
    parts = rows @ fit.covariance
    origins = np.array(_origins(problem, len(rows)))
    values, vectors = np.linalg.eigh(fit.covariance - parts.T @ parts)
    stretch = np.array([_rate_power(problem, name) * (1.0 if is_log else value) for name, is_log, value in
                        zip(fit.names, problem.log_mask > 0, fit.estimate, strict=True)])  # fmt: skip
    clock = clock_sigma * (stretch - parts.T @ (rows @ stretch))
    moves = {origin: parts[origins == origin] for origin in (SCALE, VIEW, MODEL)}
    measured = (vectors * np.sqrt(np.maximum(values, 0.0))).T
    return {PIXELS: np.concatenate([measured, parts[origins == PIXELS]]), CLOCK: clock[None], **moves}


def _origins(problem: Problem, count: int) -> list[str]:
    """The origin of every row of `prior_residuals`: the bound coordinates in order, mass, depth, the user's scale, other stretches."""
    names = [name for name, sigma in zip(problem.names, problem.prior_sigma, strict=True) if np.isfinite(sigma)]
    origins = [SCALE if n in RULERS else VIEW if n in VIEWS else PIXELS if n in MEASURED else MODEL for n in names]
    origins += [MODEL] * (problem.body.mass is not None) + [VIEW] * (problem.camera.kind == "pinhole") + [SCALE] * (problem.told_scale is not None)
    origins += [PIXELS] * len(problem.elsewhere.target)
    if len(origins) != count:
        raise ValueError(f"{count} rows of priors, {len(origins)} of known origin")
    return origins


def _rate_power(problem: Problem, name: str) -> float:
    """The power of time in a coordinate's unit: a clock that runs fast by a share scales the coordinate by the share to this power."""
    if name == "g":
        return -2.0
    units = {q.name: q.unit for q in problem.model.parameters}
    return -1.0 if units.get(name, "").endswith("/s") else 0.0


def _gradients(problem: Problem, sets: Floats, h: Floats) -> list[tuple[str, str, Floats]]:
    """(name, unit, gradient (1, m)) of the quantities that get an account, with the scale at the first sample's depth."""
    p = unpack(problem, sets)
    quantities = {**problem.model.report(p), "diameter": (p["diameter"], "m"), "mass": (p["mass"], "kg")}
    if problem.known.gravity_is_ruler:
        quantities.pop("g", None)
    chosen = [(name, *quantities[name]) for name in TOLD if name in quantities]
    chosen += [("px_per_m", p["px_per_m"], "px/m")] if "px_per_m" in problem.names else []
    return [(name, unit, _central(np.broadcast_to(value, (len(sets),))[:, None], h)) for name, value, unit in chosen]


def _central(values: Floats, h: Floats) -> Floats:
    """(k, m) central differences of values (2 m + 1, k) at `perturb`'s sets."""
    m = len(h)
    return np.asarray((values[1 : m + 1] - values[m + 1 :]) / (2.0 * h[:, None])).T


def _account(name: str, unit: str, gradient: Floats, moves: Mapping[str, Floats], misfit: float) -> Account | None:
    variances = {origin: float(np.sum((gradient @ moves[origin].T) ** 2)) for origin in ORIGINS}
    variances[MODEL] += misfit**2
    total = sum(variances.values())
    if not math.isfinite(total) or total <= 0:
        return None
    return Account(name=name, unit=unit, sigma=math.sqrt(total), shares=MappingProxyType({origin: v / total for origin, v in variances.items()}))


def _divide_excess(fit: Fit, accounts: tuple[Account, ...]) -> Excess | None:
    """What of a measured g's distance from the Earth's is whose: independent causes whose sum is known each have their share of its variance."""
    g = fit.parameters.get("g")
    account = next((each for each in accounts if each.name == "g"), None)
    if g is None or g.source != "measured" or account is None or g.value <= 0:
        return None
    excess, sigma = g.value / EARTH - 1.0, account.sigma / EARTH
    parts = {origin: (share * excess, sigma * math.sqrt(share * (1.0 - share))) for origin, share in account.shares.items()}
    alone = g.value / EARTH
    return Excess(share=excess, sigma=sigma, parts=MappingProxyType(parts), ruler_alone=alone - 1.0, clock_alone=math.sqrt(alone) - 1.0)


def _advise(accounts: tuple[Account, ...]) -> tuple[str, ...]:
    """What would help most with the first measured quantity and with the forecast, one line each."""
    wanted = [account for account in accounts if account.name in ("g", "speed", "length", "forecast")]
    found: dict[str, list[str]] = {}
    for account in wanted:
        found.setdefault(max(account.shares, key=lambda origin: account.shares[origin]), []).append(account.name)
    return tuple(f"for a better {' and '.join(names)}: {ADVICE[origin]}" for origin, names in found.items())
