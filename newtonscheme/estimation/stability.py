"""Is the pattern stable? Residuals must be white, the Noether charges must balance, and a law must beat a free smooth path.

Three questions of a stretch of track and its fit. (1) Does the law leave anything that a smooth curve would still explain (misfit)? (2) Do the
charges of its symmetries balance with its non-conservative forces along the measured path? (3) Is the law, with its few numbers, more
evident than a smooth path that is free to go anywhere (Occam's factor; MacKay 1992)? A pattern that fails is refused.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from ..physics.integration import solve_many
from ..physics.models import FORCE_MODELS
from ..physics.symmetry import charge_gradient, charge_imbalance
from ..types import Charge, Fit, Floats, Track, Verdict
from .fitting import restate, slow_courses
from .parameters import Known, Problem, coordinates_by_px, unpack
from .segmentation import MIN_STABLE_SAMPLES, extent_px, placing_error_px

STABLE_MISFIT, STABLE_MISFIT_OF_PART, BROKEN_MISFIT = 0.01, 0.005, 0.03
"""Unexplained smooth misfit over the motion's extent: ordinary lenses leave under 1 %; at 3 % the law is another one. A part of a path was
chosen among many as the one that fits, and must fit better."""
SIGNIFICANT_MISFIT = 3.0
"""Sigmas that a smooth misfit must have before it counts at all."""
SILENT = 1e-3
"""An axis has no noise of its own below this share of the other's."""
MEDIAN_EFFICIENCY, LEAST_CHANCE = 0.3, 1e-300
"""The median of second differences knows the noise as well as 0.3 of them would, were they independent: of white noise on 12 to 200 samples and one
or two axes at most 0.2 % was significant at 3 sigmas (4,000 draws of each). A chance below the second is no number."""
BLOCKS = 16
"""A stretch is judged on this many block means: correlated errors make more samples than that no more evidence."""
TOLERANCES = (0.0005, 0.002, 0.006)
"""Shares of the extent that lens and model may leave unexplained, where law and free path compete: both are averaged over them."""
FALL_OFFS = (0.003, 0.35, 0.5, 0.65, 0.8)
"""How fast a free path's terms beyond the straight line fall off: a line at constant speed, a slow wave of the hand, a path that turns often."""
MOST_NEARING, FORCELESS_NUMBERS = 0.9, 5
"""Change of depth over its mean, in half of the stretch, that a straight motion may have; and how many numbers the path of one has."""
NEARINGS, NEARING_ROUNDS = np.linspace(-1.0, 1.0, 25), 4
"""Changes of depth that are tried, in shares of what is left to look in, and how often what is left shrinks to two steps of them."""
LEAST_LOG_ODDS = 3.0
"""A law must be 20 times as evident as the best free path."""
DRIFTING_CHARGE = 6.0
"""Sigmas of drift of a charge that call a pattern drifting: far above chance, so that small lens errors do not."""
RELEVANT_CHARGE = 0.03
"""And the drift must be this share of the charge's own range or scale."""
UNTOLD, LEAST_KNOWN = 1e-9, 0.01
"""Precision, in that of the fit, that stands for none; and share of it from which on nothing is known."""
NOT_OF_THE_PATH = frozenset({"radius_bias_px", "diameter", "density", "g", "vz", "pitch", "focal_px", "plane_angle", "quadratic_damping"})
"""Numbers that the apparent size or a prior decides: the path of the centre is hardly free in them."""
DOUBTED_WEIGHT, MOST_DOUBTED = 0.3, 0.2
"""A fit that sets aside a fifth of its samples has chosen the samples that suit it."""
GRAVITY_SIGMAS, SCALE_LOG_SIGMA = 4.0, 0.35
"""A flight must show that it accelerates: its scale known to a third, or its measured g four sigmas from none."""
PERIOD_SHARE = 0.2
"""A swing must tell its period: sigmas of true ones are a tenth of it from an eighth of a period on (12 simulated), a bent scrap's half of it."""
PLUMB_SLANT = 0.35
"""Sine of 20 degrees: a line leans by less where a plumb line is seen by a camera that is rolled, or pitched and off to the side."""
BENT, CLEARLY_BENT_SIGMAS = 0.01, 5.0
"""Second Legendre coefficient of a path in time, in shares of its extent and in its own sigmas, from which it clearly bends or slows."""
STRAIGHT, BENT_SIGMAS = 0.002, 3.0
"""Second Legendre coefficient of a line seen through an ordinary lens, in shares of its length; and its sigmas that show a bend."""


def assess_fit(fit: Fit, known: Known, *, part: bool = False) -> tuple[Verdict, tuple[str, ...], tuple[Charge, ...], float]:
    """The verdict on one fitted stretch with its reasons, its charges, and the misfit (px) that its noise does not explain.

    ``part``: the stretch was found as a part of a longer path.
    """
    charges = balance_charges(fit, known)
    if len(fit.track) < MIN_STABLE_SAMPLES:
        return "too_short", (f"{len(fit.track)} samples; {MIN_STABLE_SAMPLES} are the fewest whose residuals say anything",), charges, 0.0
    misfit, sigmas = smooth_misfit(fit)
    share = misfit / max(extent_px(fit.track), 1e-9)
    reasons: list[str] = []
    verdict: Verdict = "stable"
    if sigmas > SIGNIFICANT_MISFIT and share > (STABLE_MISFIT_OF_PART if part else STABLE_MISFIT) and misfit > placing_error_px(fit.track):
        verdict = "broken" if share > BROKEN_MISFIT else "drifting"
        reasons.append(f"the fit leaves a smooth misfit of {misfit:.2g} px, {100 * share:.1f} % of the motion")
    for charge in charges:
        relevant = _relative_drift(charge, fit, known) > RELEVANT_CHARGE
        if abs(charge.drift_sigma) > DRIFTING_CHARGE and relevant:
            verdict = "drifting" if verdict == "stable" else verdict
            reasons.append(f"{charge.name.replace('_', ' ')} drifts by {charge.drift_sigma:+.1f} sigma beyond its balance")
    weakness = _find_weakness(fit)
    doubted = float(np.mean(fit.weights[:, 0] < DOUBTED_WEIGHT))
    if doubted > MOST_DOUBTED:
        weakness = f"{100 * doubted:.0f} % of the samples are out of line with the fit"
    if weakness:
        verdict, reasons = "broken", [*reasons, weakness]
    if not reasons:
        drift = any(abs(charge.drift_sigma) > DRIFTING_CHARGE for charge in charges)
        balance = f"{len(charges)} charges balance" + (f" to within {100 * RELEVANT_CHARGE:g} % of their size" if drift else "")
        reasons.append(f"residuals {_rms_px(fit):.2g} px rms, no smooth misfit, {balance}")
    return verdict, tuple(reasons), charges, misfit if sigmas > 1.0 else 0.0


def _rms_px(fit: Fit) -> float:
    return float(np.sqrt(np.mean(np.sum(fit.steady_residuals**2, axis=1))))


def smooth_misfit(fit: Fit) -> tuple[float, float]:
    """The rms (px) of what a smooth curve still finds in the residuals, less what noise alone would show there, and its significance.

    The noise is what the residuals' own fast part shows, second differences of neighbours, and no better known than these are many: the
    significance is that of an F test, in sigmas of a normal distribution.
    """
    from scipy.special import fdtrc, ndtri

    residual, n = _tame_residuals(fit), len(fit.track)
    degree = int(min(12, max(2, n // 3)))
    basis = np.linalg.qr(np.polynomial.legendre.legvander(_unit_time(fit.track.t), degree))[0]
    smooth = basis @ (basis.T @ residual)
    second = residual[2:] - 2 * residual[1:-1] + residual[:-2]
    # Each axis has its own noise; of a table of heights one axis has none, and tells nothing.
    spread = 1.4826 * np.median(np.abs(second), axis=0) / math.sqrt(6.0)
    alive = max(int(np.count_nonzero(spread > SILENT * spread.max())), 1)
    noise = max(math.sqrt(float(np.sum(spread**2)) / alive), 0.3 * float(np.median(fit.track.sigma_px)))
    free = max(alive * (degree + 1 - 3), 2)
    square = float(np.sum(smooth**2))
    chance = float(fdtrc(free, MEDIAN_EFFICIENCY * alive * len(second), square / free / noise**2))
    return math.sqrt(max(square - free * noise**2, 0.0) / (alive * n)), -float(ndtri(max(chance, LEAST_CHANCE)))


def _tame_residuals(fit: Fit) -> Floats:
    """(n, 2) px residuals in which an outlier weighs what the robust fit let it weigh, and a vague sample as much less as it is vaguer."""
    sigma = fit.track.sigma_px
    return fit.steady_residuals * np.minimum(fit.weights[:, :1], 1.0) * np.minimum(np.median(sigma) / sigma, 1.0)[:, None]


def _unit_time(t: Floats) -> Floats:
    return 2.0 * (t - t[0]) / max(float(t[-1] - t[0]), 1e-9) - 1.0


def log_odds_over_free_path(fit: Fit) -> float:
    """Log odds of the law against a smooth path that is free to go anywhere, on block means of the stretch.

    The free path is a Gaussian process in Legendre polynomials whose terms fall off by a constant factor (unknown: a mixture over
    `FALL_OFFS`), or that of a body that no force acts on. Where a law holds, the terms that it forbids are absent, and each absence is
    evidence; each number that the law is free in costs the logarithm of what it could have been over what it is known to. Noise, slow errors
    and a wobble are the same for both.
    """
    time, observed, left, sigma, courses = _block_means(fit)
    extent, blocks, numbers = max(extent_px(fit.track), 1e-9), len(observed), _numbers_of(fit)
    basis: Floats = np.asarray(np.polynomial.legendre.legvander(time, min(blocks - 1, BLOCKS)), dtype=np.float64)
    forceless = _beyond_straight_motion(time, observed, np.hypot(sigma, TOLERANCES[0] * extent))
    law, free = [], []
    for tolerance in TOLERANCES:
        spread = np.hypot(sigma, tolerance * extent)
        told = math.hypot(float(spread.mean()) / math.sqrt(blocks), float(courses[:, 0].mean()))
        cost = math.log(max(extent / told, 1.5))
        errors = np.diag(spread**2) + courses @ courses.T
        law.append(_log_density(left, errors) - numbers * cost)
        free += [_log_density(observed - observed.mean(axis=0), errors + _covariance_of_process(basis, extent, fall)) for fall in FALL_OFFS]
        free.append(_log_density(forceless, errors) - FORCELESS_NUMBERS * cost)
    return float(np.logaddexp.reduce(law)) - float(np.logaddexp.reduce(free)) + math.log(len(FALL_OFFS) + 1)


def _beyond_straight_motion(time: Floats, observed: Floats, sigma: Floats) -> Floats:
    """(b, 2) px what a body that no force acts on leaves: a straight line at constant speed in space, seen in perspective.

    Its centre is (a + b t) / (1 + c t) on each axis: what rolls or slides away slows down in the picture and needs no gravity for it.
    """

    def left_by(nearing: float) -> Floats:
        basis = np.stack([np.ones_like(time), time], axis=1) / (1.0 + nearing * time)[:, None]
        return observed - basis @ np.linalg.lstsq(basis / sigma[:, None], observed / sigma[:, None], rcond=None)[0]

    middle, reach = 0.0, MOST_NEARING
    for _ in range(NEARING_ROUNDS):
        tried = np.clip(middle + reach * NEARINGS, -MOST_NEARING, MOST_NEARING)
        middle = float(min(tried, key=lambda nearing: float(np.sum((left_by(nearing) / sigma[:, None]) ** 2))))
        reach *= 2.0 / (len(NEARINGS) - 1)
    return left_by(middle)


def _covariance_of_process(basis: Floats, extent: float, fall: float) -> Floats:
    """(b, b) that of a path whose coefficients are independent and of size extent * fall^k."""
    sizes = extent * fall ** np.maximum(np.arange(basis.shape[1]) - 1.0, 0.0)
    return np.asarray((basis * sizes**2) @ basis.T)


def _log_density(means: Floats, covariance: Floats) -> float:
    """Log normal density of block means (b, 2), of one covariance (b, b) on each axis."""
    factor = np.linalg.cholesky(covariance)
    white = np.linalg.solve(factor, means)
    return -0.5 * float(np.sum(white**2)) - 2.0 * float(np.sum(np.log(np.diag(factor)))) - len(means) * math.log(2.0 * math.pi)


def _numbers_of(fit: Fit) -> float:
    """How many numbers of the path the law is free in: what the data, not the priors or the track's other flights, decide."""
    prior = _prior_variance(fit)
    with np.errstate(divide="ignore", invalid="ignore"):
        learned = np.where(np.isfinite(prior), 1.0 - np.minimum(np.diag(fit.covariance) / np.where(prior > 0, prior, 1.0), 1.0), 1.0)
    return float(sum(share for name, share in zip(fit.names, learned, strict=True) if name not in NOT_OF_THE_PATH))


def _prior_variance(fit: Fit) -> Floats:
    """(m,) variance of each coordinate before the stretch was seen, infinite where nothing was known."""
    sigma = np.array([fit.setting.entries[name].sigma for name in fit.names])
    if not fit.elsewhere.spans:
        return np.asarray(sigma**2)
    spread = np.sqrt(np.diag(fit.covariance))
    places = np.array([[name == own for own in fit.names] for name in fit.elsewhere.names], dtype=float)
    root = fit.elsewhere.root @ places * spread
    variance = np.diag(np.linalg.inv(np.diag((spread / sigma) ** 2 + UNTOLD) + root.T @ root))
    return np.asarray(np.where(variance < LEAST_KNOWN / UNTOLD, variance * spread**2, np.inf))


def _block_means(fit: Fit) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Up to `BLOCKS` equal blocks: times (-1 to 1), means of centres and residuals, the sigma of each mean, and what errors of one sigma do to it.

    These are first the slow ones, from the constant one on, and then the wobble's.
    """
    n, residuals = len(fit.track), fit.residuals[:, :2]
    edges = np.linspace(0, n, min(BLOCKS, n) + 1).astype(int)
    blocks = [slice(int(a), int(b)) for a, b in pairwise(edges)]
    time = _unit_time(np.array([fit.track.t[b].mean() for b in blocks]))
    observed = np.array([fit.track.centre_px[b].mean(axis=0) for b in blocks])
    weights = fit.weights[:, :1]
    left = np.array([np.sum(weights[b] * residuals[b], axis=0) / np.sum(weights[b]) for b in blocks])
    error = [_error_of_mean(b.stop - b.start, fit.noise.correlation) for b in blocks]
    scale = fit.noise.scale * fit.track.sigma_px
    sigma = np.array([float(np.mean(scale[b])) for b in blocks]) * error
    slow = scale[:, None] * slow_courses(fit.track.t, fit.track.slow_error)
    courses = np.concatenate([slow, fit.wobble.courses_px(fit.track.t - fit.track.t[0])], axis=1)
    return time, observed, left, sigma, np.array([courses[b].mean(axis=0) for b in blocks])


def _error_of_mean(n: int, correlation: float) -> float:
    """Sigma of the mean of n samples whose errors have sigma 1 and are a first-order autoregression."""
    lag = np.arange(1, n)
    return math.sqrt((1.0 + 2.0 * float(np.sum((1.0 - lag / n) * correlation**lag))) / n)


def _find_weakness(fit: Fit) -> str:
    """What a flight or swing must show and this one does not, in words; empty if nothing."""
    g = fit.parameters.get("g")
    if g is not None and g.source == "measured" and g.value < GRAVITY_SIGMAS * g.sigma:
        return f"no gravity is seen: g = {g.value:.2g} +- {g.sigma:.2g} m/s^2 with the ruler given"
    if g is not None and g.source != "measured" and "px_per_m" in fit.names:
        i = fit.names.index("px_per_m")
        sigma = math.sqrt(float(fit.covariance[i, i]))
        lifted = "lift_x" in fit.names and _bends_with_gravity(fit.track)
        if sigma > SCALE_LOG_SIGMA and not lifted:
            return f"no gravity is seen: the path hardly bends, so its scale is known to a factor of {math.exp(sigma):.1f} only"
    period = fit.parameters.get("period")
    if period is not None and period.sigma > PERIOD_SHARE * period.value:
        return f"no swing is seen: its period is known to {100 * period.sigma / period.value:.0f} % only; any arc that bends looks like that"
    if "diameter" in fit.at_bound:
        wide = math.exp(float(fit.estimate[fit.names.index("diameter")]))
        return f"no believable scale: for this law the object would have to be {wide:.1g} m wide, or further still from the size of things"
    if FORCE_MODELS[fit.pattern].family == "free_flight" and _is_slanted_line(fit.track):
        return "no gravity is seen: the path is a straight line that is not upright"
    return ""


def _bends_with_gravity(track: Track) -> bool:
    """Whether the velocity clearly changes, and not clearly upwards.

    Lift may hide how large gravity is, and so the scale, of a path that bends for everyone to see; one that bends upwards shows none of it.
    """
    bend, sigma = _second_term(_unit_time(track.t), track.centre_px)
    clear = max(BENT * extent_px(track), CLEARLY_BENT_SIGMAS * sigma)
    return float(np.hypot(*bend)) > clear and float(bend[1]) > -clear


def _second_term(time: Floats, path: Floats) -> tuple[Floats, float]:
    """Second Legendre coefficients (k,) of each column of a path (n, k) over ``time`` (n,) in -1..1, and the sigma of one."""
    basis = np.polynomial.legendre.legvander(time, 2)
    coefficients = np.linalg.lstsq(basis, path, rcond=None)[0]
    left = float(np.sum((path - basis @ coefficients) ** 2)) / max((len(path) - 3) * path.shape[1], 1)
    return coefficients[2], math.sqrt(left * float(np.linalg.inv(basis.T @ basis)[2, 2]))


def _is_slanted_line(track: Track) -> bool:
    """Whether a path is as straight as an ordinary lens shows a line, and leans as no plumb line does in an ordinary camera's picture.

    Lift and gravity could balance; then nothing in the path tells either.
    """
    centred = track.centre_px - track.centre_px.mean(axis=0)
    along = np.linalg.svd(centred, full_matrices=False)[2][0]
    if abs(along[0]) < PLUMB_SLANT:
        return False
    bend, sigma = _second_term(_unit_time(track.t), centred @ np.array([[-along[1]], [along[0]]]))
    return abs(float(bend[0])) < max(STRAIGHT * extent_px(track), BENT_SIGMAS * sigma)


def balance_charges(fit: Fit, known: Known) -> tuple[Charge, ...]:
    """The charges of the pattern's symmetries along the measured path.

    The measured state is the fitted one plus a local straight line through the residuals, carried back to metres at the fitted depth.
    """
    if not fit.success or len(fit.track) < MIN_STABLE_SAMPLES:
        return ()
    problem = restate(fit, known)
    model = FORCE_MODELS[fit.pattern]
    p = {name: float(value[0]) for name, value in unpack(problem, fit.estimate[None]).items()}
    states = solve_many(model, {k: np.array([v]) for k, v in p.items()}, problem.t)[0]
    shift, shift_sigma = _measured_shift(problem, fit, p, states)
    return tuple(_balance(problem, symmetry.name, states, shift, shift_sigma, p) for symmetry in model.symmetries)


def _measured_shift(problem: Problem, fit: Fit, p: dict[str, float], states: Floats) -> tuple[Floats, Floats]:
    """Measured minus fitted state (n, k) and its sigma: residuals in generalised coordinates, smoothed by local lines."""
    n, half = len(problem.t), len(states[0]) // 2
    q_residual, q_sigma = _generalised_residuals(problem, fit, p, states)
    reach = max(2, min(n // 6, 8))
    shift, sigma = np.zeros_like(states), np.zeros_like(states)
    for i in range(n):
        j = slice(max(0, min(i - reach, n - 2 * reach - 1)), min(n, max(i + reach + 1, 2 * reach + 1)))
        time = problem.t[j] - problem.t[i]
        basis = np.column_stack([np.ones_like(time), time])
        inverse = np.linalg.inv(basis.T @ basis)
        line = inverse @ basis.T @ q_residual[j]
        shift[i, :half], shift[i, half:] = line[0], line[1]
        sigma[i, :half], sigma[i, half:] = q_sigma * math.sqrt(inverse[0, 0]), q_sigma * math.sqrt(inverse[1, 1])
    return shift, sigma


def _generalised_residuals(problem: Problem, fit: Fit, p: dict[str, float], states: Floats) -> tuple[Floats, Floats]:
    """Pixel residuals as residuals of the generalised coordinates (n, k/2), least norm, and one sigma for each coordinate (k/2,)."""
    half = states.shape[1] // 2
    step = 1e-4 * max(float(np.max(np.ptp(states[:, :half], axis=0))), 1e-3)
    inverse = coordinates_by_px(problem, p, states, step)
    noise = fit.noise.scale * float(np.median(fit.track.sigma_px)) * math.sqrt((1 + fit.noise.correlation) / (1 - fit.noise.correlation))
    sigma = noise * np.sqrt(np.median(np.sum(inverse**2, axis=2), axis=0))
    return np.einsum("nij,nj->ni", inverse, _tame_residuals(fit)), sigma


def _balance(problem: Problem, name: str, states: Floats, shift: Floats, shift_sigma: Floats, p: dict[str, float]) -> Charge:
    model = problem.model
    symmetry = next(s for s in model.symmetries if s.name == name)
    imbalance = charge_imbalance(symmetry, problem.t, states + shift, p)
    gradient = charge_gradient(model, symmetry, problem.t, states, p)
    sigma = np.sqrt(np.sum((gradient * shift_sigma) ** 2, axis=1))
    sigma = np.maximum(sigma, 1e-12 * (1.0 + np.abs(imbalance)))
    imbalance = imbalance - float(np.average(imbalance, weights=1.0 / sigma**2))
    return Charge(
        name=name, symmetry=symmetry.symmetry, unit=symmetry.unit, t=problem.t, imbalance=imbalance, sigma=sigma,
        drift_sigma=_drift(problem.t, imbalance, sigma, len(problem.t)),
    )  # fmt: skip


def _drift(t: Floats, imbalance: Floats, sigma: Floats, n: int) -> float:
    """The slope of a straight line through the imbalance over its sigma; smoothing leaves about a window's share of independent values."""
    reach = max(2, min(n // 6, 8))
    centred = t - np.average(t, weights=1.0 / sigma**2)
    information = float(np.sum((centred / sigma) ** 2)) / (2 * reach + 1)
    slope = float(np.sum(centred * imbalance / sigma**2)) / max(float(np.sum((centred / sigma) ** 2)), 1e-300)
    return slope * math.sqrt(max(information, 1e-300))


def _relative_drift(charge: Charge, fit: Fit, known: Known) -> float:
    """The charge's drift over the segment as a share of the charge's own range (kinetic part, momentum, boost)."""
    problem = restate(fit, known)
    model = problem.model
    p = {name: float(value[0]) for name, value in unpack(problem, fit.estimate[None]).items()}
    states = solve_many(model, {k: np.array([v]) for k, v in p.items()}, problem.t)[0]
    half = states.shape[1] // 2
    speed = float(np.sqrt(np.max(np.sum(states[:, half:] ** 2, axis=1))))
    if model.anchor == "pivot":
        speed *= p["length"]
    scale = 0.5 * speed**2 if charge.name == "energy" else speed
    slope = np.polyfit(charge.t, charge.imbalance, 1)[0]
    return abs(float(slope)) * float(charge.t[-1] - charge.t[0]) / max(scale, 1e-9)
