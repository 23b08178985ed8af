"""Fits a force pattern to a track through the camera: one robust weighted least squares over u, v and apparent radius.

The noise is found along the way of the descent (`descent`): its scale over the track's own sigmas, outliers by Student-t weights (Lange,
Little & Taylor 1989), its correlation in time by whitening with the AR(1) that the residuals show. Slow errors, which a fit takes for motion,
are a low-rank part of the noise's covariance: as much as the track says of itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..physics.models import FORCE_MODELS
from ..types import NO_WOBBLE, NOTHING_ELSEWHERE, Body, Camera, Elsewhere, Fit, Floats, Noise, Quantity, Source, Track, Wobble, cosines_and_sines
from .descent import Residuals, both_ways, descend
from .parameters import (
    NORMAL_LOG,
    Known,
    Problem,
    build_setting,
    place_start,
    predict_image,
    prior_log_norm,
    prior_residuals,
    state_problem,
    unpack,
    with_out_of_plane_prior,
)  # fmt: skip
from .wobble import AT_REST, CORRELATIONS, Linearised, Turning, candidate_rates, courses, expect, seek_wobble

STUDENT_DOF = 5.0
"""Tails of the per-sample noise: 5 keeps 95 % efficiency on Gaussian noise and bounds the pull of an outlier."""
STUDENT_SHRINKAGE = {1: 0.733, 2: 0.761}
"""Squared scale of the Student-t that fits Gaussian residuals of one and two dimensions best, over their variance (by simulation of 4e6 draws):
what turns its scale into the sigma of the noise."""
NOISE_PRIOR_DOF = 4.0
"""The track's own sigmas count as this many residuals in the noise scale, so that six samples do not claim to know it."""
CORRELATION_PRIOR_SAMPLES = 12.0
"""The track's own correlation counts as this many residuals."""
MAX_CORRELATION = 0.95
SLOW_TERMS = 4
"""Degree of the Legendre polynomials over the track's length, from the constant one on, that a tracker's slow errors are made of."""
LARGEST_ROW, FAILED_ROW = 1e8, 1e7
"""What a residual that is not finite counts as, and the size from which on an optimum has one such."""
STEP = 1e-6
"""Finite-difference step in coordinates whose natural size is about one (logarithms, radians); pixels and metres scale it."""
SEEN_SIGMAS = 1.0
"""Of an estimate above its lower bound, from which on what is seldom there is seen."""
UNLEARNED = 0.5
"""A number whose variance is still this share of its prior's was not measured: it is known from where the prior came."""
SCREEN_ITERATIONS, FIT_ITERATIONS, REFIT_ITERATIONS = 6, 40, 6
STARTS_KEPT, MAX_STARTS = 3, 10
"""Starts that are followed after a first look at the cost of all, and those followed where these misfit."""
LOCAL_REACH, LOCAL_SHRINKAGE = 3, 0.72
"""A quadratic through seven neighbours leaves 0.72 of the middle sample's noise (1 - 7/21 = 0.52 of its variance)."""
MISFIT = 2.0
"""An optimum whose noise is this many times that of the samples' neighbours is a wrong one, or the wrong pattern: try other starts."""
ANNEALING, MAX_STAGES = 0.2, 9
"""Each stage of a descent from afar takes the noise to be a fifth of the misfit: 9 stages span six orders of magnitude."""
NOISE_ROUNDS, NEAR_ROUNDS, SEEKING_ROUND = 3, 2, 1
"""Times that the noise is taken anew from a full fit and from one near its end, and the one from which on what flies free may wobble."""
SCREENED_SAMPLES, FITTED_SAMPLES = 120, 500
"""A longer track is thinned evenly to this many samples: tracking errors are correlated over several frames, so little is lost."""
ROUGHLY = 0.03
"""Relative change of the cost at which a stage on the way is left."""
HOPELESS = 0.06
"""rms misfit over extent of the best of three starts beyond which a screening does not look at the rest."""
MIN_SAMPLES = 5
"""Five centres are ten numbers for the six of a flight: fewer cannot be told from anything."""


@dataclass(frozen=True, slots=True)
class _Weighing:
    """How residuals are weighed: Student-t weights (n, 2) for centre and radius, noise scales, lag-one correlation, and the slow errors.

    ``slow`` (n, k) are orthonormal courses that slow errors take among the innovations, ``slow_share`` (k,) the share of each that is
    taken out: 1 - 1 / sqrt(1 + s^2) for an error of s sigmas. The rest of the residuals is white. ``turning`` is the wobble among them.
    """

    weights: Floats
    scale: float
    radius_scale: float
    correlation: float
    slow: Floats
    slow_share: Floats
    turning: Turning


def fit_pattern(
    track: Track, pattern: str, *, camera: Camera, body: Body, known: Known, near: Fit | None = None, screening: bool = False,
    elsewhere: Elsewhere = NOTHING_ELSEWHERE,
) -> Fit:  # fmt: skip
    """Match ``pattern`` to the whole of ``track``.

    Args:
        track: At least `MIN_SAMPLES` samples; gaps are fine.
        pattern: A name of the registry.
        camera: The prior camera.
        body: The object hypothesis (priors on size, mass and drag coefficient).
        known: Gravity, air and rulers.
        near: A fit of the same pattern to begin from in place of the model's own starts.
        screening: Stop at a rougher optimum: enough to rank patterns and to grow segments.
        elsewhere: What other stretches of the track tell (`flights`).

    Returns:
        The fit; ``success`` is False, with a message, where none was found. Never raises on data.
    """
    if len(track) < MIN_SAMPLES:
        return _failed(track, pattern, camera, body, known, f"{len(track)} samples; a fit of {pattern} needs {MIN_SAMPLES}")
    if not (np.all(np.isfinite(track.centre_px)) and np.all(np.isfinite(track.covariance_px)) and np.all(np.isfinite(track.t))):
        return _failed(track, pattern, camera, body, known, "a sample of the track is not finite")
    if not float(np.hypot(*np.ptp(track.centre_px, axis=0))) > 0:
        return _failed(track, pattern, camera, body, known, "the object stands still")
    track = _thin(track, SCREENED_SAMPLES if screening else FITTED_SAMPLES)
    problem = state_problem(track, pattern, camera, body, known, elsewhere)
    weighing = _first_weighing(problem)
    starts = _find_starts(problem, track, known, near)
    theta, problem = _follow_starts(problem, starts, weighing, screening)
    if theta is None:
        return _failed(track, pattern, camera, body, known, f"no start of {pattern} could be integrated, or none came near the track")
    for k in range(1 if screening else NOISE_ROUNDS if near is None else NEAR_ROUNDS):
        weighing = _weigh(problem, theta, track, weighing)
        if k == SEEKING_ROUND and problem.model.family == "free_flight":
            turning = _seek_wobble(problem, theta, weighing)
            weighing = _weigh(problem, theta, track, replace(weighing, turning=turning))
        theta = descend(_residuals(problem, weighing), theta, REFIT_ITERATIONS if screening else FIT_ITERATIONS).theta
    return _conclude(problem, theta, _weigh(problem, theta, track, weighing), track)


def _thin(track: Track, most: int) -> Track:
    """At most so many samples, evenly chosen, the first and the last among them."""
    n = len(track)
    return track if n <= most else track.select(np.unique(np.round(np.linspace(0, n - 1, most)).astype(np.int64)))


def _first_weighing(problem: Problem) -> _Weighing:
    """Weights before any fit: the noise scale that a quadratic through each sample's neighbours leaves."""
    n = len(problem.t)
    reach = min(LOCAL_REACH, (n - 1) // 2)
    left = np.zeros((n, 2))
    for i in range(n):
        j = slice(max(0, i - reach), min(n, i + reach + 1))
        basis = np.vander((problem.t[j] - problem.t[i]) / max(np.ptp(problem.t[j]), 1e-9), 3)
        fitted = basis @ np.linalg.lstsq(basis, problem.observed[j, :2], rcond=None)[0]
        left[i] = (problem.observed[j, :2] - fitted)[i - j.start]
    white = np.einsum("nij,nj->ni", problem.whitening, left) / LOCAL_SHRINKAGE
    scale = max(1.0, 1.4826 * float(np.median(np.abs(white))))
    return _weighing(problem, np.ones((n, 2)), scale, 1.0, 0.0)


def _weighing(problem: Problem, weights: Floats, scale: float, radius_scale: float, correlation: float, turning: Turning = AT_REST) -> _Weighing:
    """The weighing with its slow errors as innovations (Legendre polynomials over the track, as large as it says) and the wobble."""
    modes, sizes, _ = np.linalg.svd(_drawn(problem, weights, scale, correlation, turning), full_matrices=False)
    return _Weighing(weights, scale, radius_scale, correlation, modes, 1.0 - 1.0 / np.sqrt(1.0 + sizes**2), turning)


def _drawn(problem: Problem, weights: Floats, scale: float, correlation: float, turning: Turning) -> Floats:
    """(n, q + 2 k) innovations of one sigma of each slow error, and of each offset of a wobble, whose size is one whatever the noise is."""
    offsets = courses(turning, problem.t) * (_radii(problem, weights) / scale)[:, None]
    return _innovations(problem.t, np.concatenate([slow_courses(problem.t, problem.slow_error), offsets], axis=1)[None], correlation)[0]


def slow_courses(t: Floats, size: float) -> Floats:
    """(n, k) what slow errors of one sigma do at times ``t`` (n,), in the samples' own sigmas, from the constant one on."""
    since = 2.0 * (t - t[0]) / max(float(t[-1] - t[0]), 1e-9) - 1.0
    return np.asarray(size * np.polynomial.legendre.legvander(since, SLOW_TERMS), dtype=float)


def _expect_wobble(problem: Problem, image: Floats, weighing: _Weighing) -> Wobble:
    """How the outline's centre turns about the path at an optimum."""
    if not len(weighing.turning.rate_rps):
        return NO_WOBBLE
    radius = _seen_radii(problem)
    standard = np.diag(_radii(problem, weighing.weights) / weighing.scale / radius)
    drawn = _drawn(problem, weighing.weights, weighing.scale, weighing.correlation, weighing.turning)
    whitening = _innovations(problem.t, standard[None], weighing.correlation)[0]
    return expect(weighing.turning, (problem.observed - image[0])[:, :2], whitening, drawn, float(np.median(radius)))


def _radii(problem: Problem, weights: Floats) -> Floats:
    """(n,) the radius in weighted sigmas of the centre; zero where no radius was measured."""
    return _seen_radii(problem) * np.sqrt(np.abs(np.linalg.det(problem.whitening)) * weights[:, 0])


def _seen_radii(problem: Problem) -> Floats:
    """(n,) px the apparent radius; the median where it was not measured, zero where it never was."""
    radius, seen = problem.observed[:, 2], np.isfinite(problem.radius_sigma)
    return np.where(seen, radius, np.median(radius[seen])) if np.any(seen) else np.zeros(len(radius))


def _find_starts(problem: Problem, track: Track, known: Known, near: Fit | None) -> Floats:
    """(s, m) coordinates to begin from."""
    if near is not None and near.success and near.pattern == problem.model.name:
        moved = dict(zip(near.names, near.estimate, strict=True))
        theta = np.array([moved.get(name, value) for name, value in zip(problem.names, problem.prior_value, strict=True)])
        if near.track.t[0] != track.t[0]:
            theta = _shift_start(problem, theta, float(track.t[0] - near.track.t[0]))
        return np.clip(theta, problem.lower + 1e-12, problem.upper - 1e-12)[None]
    from ..camera import make_sighting

    values = {"g": problem.setting.entries["g"].value}
    if known.length is not None:
        values["length"] = known.length.value
    if problem.body.diameter is not None:
        values["diameter"] = problem.body.diameter.value
    starts = problem.model.guess(make_sighting(track, problem.camera), values)
    return np.array([place_start(problem, start) for start in starts])


def _shift_start(problem: Problem, theta: Floats, later: float) -> Floats:
    """The same motion described from another first sample: the state is carried there, and with it a body's anchor."""
    from ..physics.integration import solve_many

    model = problem.model
    p = unpack(problem, theta[None])
    state = solve_many(model, p, np.array([later]))[0, 0]
    moved = theta.copy()
    for q in model.parameters:
        if q.initial is not None and q.name in problem.names:
            moved[problem.names.index(q.name)] = state[model.state.index(q.initial)]
    if model.anchor == "body":
        image, scale = predict_image(problem, theta[None], np.array([later]))
        moved[problem.names.index("anchor_u_px")], moved[problem.names.index("anchor_v_px")] = image[0, 0, :2]
        if "px_per_m" in problem.names:
            moved[problem.names.index("px_per_m")] = math.log(max(scale[0, 0], 1e-9))
    return moved


def _follow_starts(problem: Problem, starts: Floats, weighing: _Weighing, screening: bool) -> tuple[Floats | None, Problem]:
    """The best optimum over the starts: a look at all, a few steps from the best, the winner to the end; then the rest if it misfits.

    A screening gives up (None) where the first few come nowhere near the track: the pattern is the wrong one.
    """
    problem = with_out_of_plane_prior(problem, starts[0])
    costs = _residuals(problem, weighing).cost(starts)
    order = [i for i in np.argsort(costs, kind="stable") if np.isfinite(costs[i])]
    hopeless = (HOPELESS * float(np.hypot(*np.ptp(problem.observed[:, :2], axis=0))) / float(np.median(problem.centre_sigma))) ** 2
    best: Floats | None = None
    cost = math.inf
    for batch in (order[:STARTS_KEPT], order[STARTS_KEPT:MAX_STARTS]):
        for i in batch:
            theta, reached = _anneal(problem, starts[i], weighing)
            if reached < cost:
                best, cost = theta, reached
            if cost < len(problem.t) * MISFIT**2:
                break
        if best is None or cost < MISFIT**2 * len(problem.t):
            break
        if screening and cost * weighing.scale**2 / len(problem.t) > hopeless:
            return None, problem
    return best, problem if best is None else with_out_of_plane_prior(problem, best)


def _anneal(problem: Problem, theta: Floats, weighing: _Weighing) -> tuple[Floats, float]:
    """A descent in stages, each with the noise taken to be a share of the misfit so far.

    Far from the optimum a misfit of a thousand sigmas would push size, tilt and lens anywhere; with the noise of the misfit's own size
    their priors hold until the motion fits.
    """
    scale = math.inf
    for _ in range(MAX_STAGES):
        image, _ = predict_image(problem, theta[None])
        centre, radius = _standardise(problem, image, replace(weighing, scale=1.0, radius_scale=1.0))
        misfit = math.sqrt(float(np.median(np.sum(centre[0] ** 2, axis=1)))) if np.all(np.isfinite(image)) else math.inf
        if not math.isfinite(misfit) or max(ANNEALING * misfit, weighing.scale) >= scale:
            break
        scale = max(ANNEALING * misfit, weighing.scale)
        radius_scale = max(1.0, ANNEALING * math.sqrt(float(np.median(radius[0] ** 2))))
        stage = replace(weighing, scale=scale, radius_scale=radius_scale)
        theta = descend(_residuals(problem, stage), theta, SCREEN_ITERATIONS, enough=ROUGHLY).theta
        if scale <= weighing.scale:
            break
    return theta, float(_residuals(problem, weighing).cost(theta[None])[0])


def _rows(problem: Problem, theta: Floats, weighing: _Weighing) -> Floats:
    """(B, rows) everything whose squares are summed: whitened, weighed data and priors. Non-finite sets become huge."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        image, scale = predict_image(problem, theta)
        centre, radius = _standardise(problem, image, weighing)
        white = _whiten(problem, centre, weighing)
        rows = np.concatenate([white.reshape(len(theta), -1), radius, prior_residuals(problem, theta, scale)], axis=1)
    return np.where(np.isfinite(rows), np.clip(rows, -LARGEST_ROW, LARGEST_ROW), LARGEST_ROW)


def _standardise(problem: Problem, image: Floats, weighing: _Weighing) -> tuple[Floats, Floats]:
    """Residuals over their sigmas times the root of their weights: centre (B, n, 2), radius (B, n), zero where not measured."""
    left = problem.observed - image
    centre = np.einsum("nij,bnj->bni", problem.whitening, left[..., :2]) * (np.sqrt(weighing.weights[:, :1]) / weighing.scale)
    radius = left[..., 2] / (problem.radius_sigma * weighing.radius_scale) * np.sqrt(weighing.weights[:, 1])
    return centre, np.where(np.isfinite(problem.radius_sigma), radius, 0.0)


def _whiten(problem: Problem, centre: Floats, weighing: _Weighing) -> Floats:
    """Standardised residuals (B, n, 2) with correlation and slow errors taken out: independent, of unit variance."""
    white = _innovations(problem.t, centre, weighing.correlation)
    return white - weighing.slow @ (weighing.slow_share[:, None] * (weighing.slow.T @ white))


def _without_slow(weighing: _Weighing, centre: Floats) -> Floats:
    """Standardised residuals (B, n, 2) less what is expected of the slow errors in them; for a weighing without correlation."""
    share = 1.0 - (1.0 - weighing.slow_share) ** 2
    return centre - weighing.slow @ (share[:, None] * (weighing.slow.T @ centre))


def _innovations(t: Floats, centre: Floats, correlation: float) -> Floats:
    """AR(1) innovations of standardised residuals (B, n, 2), over gaps too: phi = rho^(gap / median step)."""
    if correlation <= 0:
        return centre
    gaps = np.diff(t)
    phi = (correlation ** (gaps / np.median(gaps)))[:, None]
    rest = (centre[:, 1:] - phi * centre[:, :-1]) / np.sqrt(1.0 - phi**2)
    return np.concatenate([centre[:, :1], rest], axis=1)


def _residuals(problem: Problem, weighing: _Weighing) -> Residuals:
    return Residuals(
        rows=lambda theta: _rows(problem, theta, weighing), lower=problem.lower, upper=problem.upper, steps=lambda theta: _steps(problem, theta)
    )


def _steps(problem: Problem, theta: Floats) -> Floats:
    return STEP * np.maximum(1.0, np.abs(theta)) * np.where(np.char.endswith(np.array(problem.names), "_px") & (problem.log_mask == 0), 10.0, 1.0)


def _weigh(problem: Problem, theta: Floats, track: Track, before: _Weighing) -> _Weighing:
    """Noise scale, Student-t weights and correlation that the residuals at ``theta`` show (with the track's own claim as a prior).

    A wobble stays as it was ``before``; what it is expected to be under the noise of then is not noise.
    """
    n, turning = len(problem.t), before.turning
    image, _ = predict_image(problem, theta[None])
    image[0, :, :2] += _expect_wobble(problem, image, before).expected_px(problem.t)
    plain = _weighing(problem, np.ones((n, 2)), 1.0, 1.0, 0.0)
    centre, radius = _standardise(problem, image, plain)
    centre = _without_slow(plain, centre)
    square, radius_square = np.sum(centre[0] ** 2, axis=1), radius[0] ** 2
    measured = np.isfinite(problem.radius_sigma)
    scale, weights = _student_scale(square, 2, 2 * n - len(_data_names(problem)))
    radius_scale, radius_weights = _student_scale(radius_square[measured], 1, int(np.sum(measured)) - 2)
    all_weights = np.ones((n, 2))
    all_weights[:, 0], all_weights[measured, 1] = weights, radius_weights
    weighing = replace(plain, weights=all_weights, scale=scale, radius_scale=max(radius_scale, 1.0))
    return _weighing(problem, all_weights, scale, weighing.radius_scale, _estimate_correlation(problem, image, weighing, track), turning)


def _seek_wobble(problem: Problem, theta: Floats, steady: _Weighing) -> Turning:
    """What the residuals at ``theta`` tell of a wobble, whatever scale and correlation their noise has; ``steady`` weighs them without one."""
    n, size, rates = len(problem.t), _radii(problem, steady.weights), candidate_rates(problem.t)
    if not np.any(size) or not len(rates):
        return AT_REST
    plain = replace(steady, scale=1.0, correlation=0.0, slow_share=np.zeros_like(steady.slow_share))
    rows, jacobian = _residuals(problem, plain).linearise(theta)
    if not (np.all(np.abs(rows) < FAILED_ROW) and np.all(np.isfinite(jacobian))):
        return AT_REST
    offsets = (size[:, None] * cosines_and_sines(rates, problem.t)).reshape(n, 2, -1).transpose(2, 0, 1)
    stacked = np.concatenate([rows[: 2 * n].reshape(1, n, 2), jacobian[: 2 * n].T.reshape(-1, n, 2), offsets])
    m, views = len(theta), []
    for correlation in CORRELATIONS:
        weighing = _weighing(problem, steady.weights, 1.0, 1.0, correlation)
        white = _whiten(problem, stacked, weighing).transpose(1, 0, 2)
        log_norm = _log_norm(problem.t, correlation) + 2.0 * float(np.sum(np.log1p(-weighing.slow_share)))
        views.append(Linearised(white[:, 0], white[:, 1 : m + 1].transpose(0, 2, 1), white[:, m + 1 :], log_norm))
    return seek_wobble(views, rates, rows[2 * n :], jacobian[2 * n :], NOISE_PRIOR_DOF)


def _log_norm(t: Floats, correlation: float) -> float:
    """What the AR(1) innovations' own scale adds to the log density of residuals on two axes."""
    gaps = np.diff(t)
    return -float(np.sum(np.log1p(-(correlation ** (2.0 * gaps / np.median(gaps)))))) if correlation > 0 else 0.0


def _data_names(problem: Problem) -> list[str]:
    """The coordinates that a centre track alone determines: what it costs in degrees of freedom."""
    initial = [q.name for q in problem.model.parameters if q.initial is not None and q.name != "vz"]
    return [name for name in problem.names if name in ("anchor_u_px", "anchor_v_px", "px_per_m", "roll", *initial)]


def _student_scale(square: Floats, dimension: int, dof: int) -> tuple[float, Floats]:
    """Scale and weights of a multivariate Student-t by expectation-maximisation; the claimed sigma is a prior of a few samples."""
    if len(square) == 0:
        return 1.0, np.ones(0)
    scale2 = max(float(np.median(square)) / (1.386 if dimension == 2 else 0.455), 1e-12)
    weights = np.ones(len(square))
    for _ in range(30):
        weights = (STUDENT_DOF + dimension) / (STUDENT_DOF + square / scale2)
        mean = float(np.sum(weights * square)) / max(dof, 1)
        total = max(dof, 1)
        scale2 = max((NOISE_PRIOR_DOF * STUDENT_SHRINKAGE[dimension] + total * mean) / (NOISE_PRIOR_DOF + total), 1e-12)
    return math.sqrt(scale2 / STUDENT_SHRINKAGE[dimension]), weights / float(np.mean(weights))


def _estimate_correlation(problem: Problem, image: Floats, weighing: _Weighing, track: Track) -> float:
    """Lag-one correlation of the centre's residuals, corrected for the fit's own bias and drawn to the track's own value."""
    centre = _without_slow(weighing, _standardise(problem, image, weighing)[0])[0]
    step = float(np.median(np.diff(problem.t)))
    neighbours = np.diff(problem.t) < 1.5 * step
    claimed = math.exp(-step / track.correlation_time) if track.correlation_time > 0 else 0.0
    n = int(np.sum(neighbours))
    if n < 4:
        return min(claimed, MAX_CORRELATION)
    products = float(np.sum(centre[1:][neighbours] * centre[:-1][neighbours]))
    lag_one = products / max(float(np.sum(centre**2)) * n / len(centre), 1e-12)
    corrected = lag_one + len(_data_names(problem)) / (2.0 * n) + 3.0 * max(lag_one, 0.0) / n
    mixed = (n * corrected + CORRELATION_PRIOR_SAMPLES * claimed) / (n + CORRELATION_PRIOR_SAMPLES)
    return float(np.clip(mixed, 0.0, MAX_CORRELATION)) if mixed > 2.0 / math.sqrt(2.0 * n) or claimed > 0 else 0.0


def _conclude(problem: Problem, theta: Floats, weighing: _Weighing, track: Track) -> Fit:
    """The Fit of an optimum: covariance, evidence, the pattern's own quantities."""
    rows, jacobian = _residuals(problem, weighing).linearise(theta, central=True)
    covariance = invert_information(jacobian.T @ jacobian)
    image, _ = predict_image(problem, theta[None])
    n_data = 2 * len(track)
    information = jacobian[:n_data].T @ jacobian[:n_data]
    effective = float(np.trace(covariance @ information))
    dof = max(NOISE_PRIOR_DOF, NOISE_PRIOR_DOF + n_data - effective)
    if weighing.correlation > 0:
        dof = max(NOISE_PRIOR_DOF, dof * (1.0 - weighing.correlation**2) / (1.0 + weighing.correlation**2))
    near_bound = (theta - problem.lower < 1e-6) | (problem.upper - theta < 1e-6)
    finite = bool(np.all(np.isfinite(rows)) and np.all(np.abs(rows) < FAILED_ROW) and np.all(np.isfinite(covariance)))
    fit = Fit(
        pattern=problem.model.name, setting=problem.setting, body=problem.body, camera=problem.camera, track=track, names=problem.names,
        estimate=theta, covariance=covariance, parameters={}, residuals=problem.observed - image[0], weights=np.column_stack(
            [weighing.weights[:, 0], weighing.weights[:, 0], weighing.weights[:, 1]]),
        noise=Noise(scale=weighing.scale, correlation=weighing.correlation, dof=dof),
        evidence=_log_evidence(problem, theta, weighing, covariance) if finite else -math.inf, success=finite,
        message="" if finite else "the optimum is not finite", at_bound=tuple(n for n, b in zip(problem.names, near_bound, strict=True) if b),
        wobble=_expect_wobble(problem, image, weighing), elsewhere=problem.elsewhere,
    )  # fmt: skip
    return replace(fit, parameters=derive_quantities(problem, fit)) if finite else fit


def invert_information(information: Floats) -> Floats:
    """The inverse of a symmetric positive matrix, scaled first; directions without information get a huge variance."""
    scale = 1.0 / np.sqrt(np.maximum(np.diag(information), 1e-24))
    values, vectors = np.linalg.eigh(information * scale[:, None] * scale[None, :])
    return (vectors / np.maximum(values, 1e-13)) @ vectors.T * scale[:, None] * scale[None, :]


def _log_evidence(problem: Problem, theta: Floats, weighing: _Weighing, covariance: Floats) -> float:
    """Laplace's approximation to the log marginal likelihood (MacKay 1992), with Student-t data and Gaussian priors."""
    image, scale = predict_image(problem, theta[None])
    unweighted = replace(weighing, weights=np.ones_like(weighing.weights))
    centre, radius = _standardise(problem, image, unweighted)
    white = _whiten(problem, centre, weighing)[0]
    dof = STUDENT_DOF
    white, radius = white / math.sqrt(STUDENT_SHRINKAGE[2]), radius / math.sqrt(STUDENT_SHRINKAGE[1])
    centre_norm = math.lgamma((dof + 2) / 2) - math.lgamma(dof / 2) - math.log(dof * math.pi)
    radius_norm = math.lgamma((dof + 1) / 2) - math.lgamma(dof / 2) - 0.5 * math.log(dof * math.pi)
    log_like = float(np.sum(centre_norm - 0.5 * (dof + 2) * np.log1p(np.sum(white**2, axis=1) / dof)))
    log_like += float(np.sum(np.log(np.abs(np.linalg.det(problem.whitening))))) - 2 * len(white) * math.log(weighing.scale)
    log_like += _log_norm(problem.t, weighing.correlation) + 2.0 * float(np.sum(np.log1p(-weighing.slow_share))) - weighing.turning.surprise
    measured = np.isfinite(problem.radius_sigma)
    log_like += float(np.sum((radius_norm - 0.5 * (dof + 1) * np.log1p(radius[0] ** 2 / dof))[measured]))
    log_like -= float(np.sum(np.log(problem.radius_sigma[measured] * weighing.radius_scale)))
    log_like -= 0.5 * NOISE_PRIOR_DOF * (1.0 / weighing.scale**2 + 2.0 * math.log(weighing.scale))
    priors = prior_residuals(problem, theta[None], scale)[0]
    sign, log_det = np.linalg.slogdet(covariance)
    if sign <= 0:
        return -math.inf
    return log_like - 0.5 * float(priors @ priors) + prior_log_norm(problem) + len(theta) * NORMAL_LOG + 0.5 * float(log_det)


def perturb(problem: Problem, theta: Floats) -> tuple[Floats, Floats]:
    """Coordinates (2 m + 1, m) for central differences at ``theta`` (m,): itself, each moved up, each moved down; and the steps (m,)."""
    h = _steps(problem, theta)
    return both_ways(theta, h), h


def derive_quantities(problem: Problem, fit: Fit) -> dict[str, Quantity]:
    """The pattern's quantities with sigmas propagated through the covariance, and the body's diameter and mass."""
    sets, h = perturb(problem, fit.estimate)
    p = unpack(problem, sets)
    quantities = {**problem.model.report(p), "diameter": (p["diameter"], "m"), "mass": (p["mass"], "kg")}
    extra = problem.model.law_spread(unpack(problem, fit.estimate[None]))
    covariance = told_covariance(problem, fit)
    m, out = len(h), {}
    for name, (value, unit) in quantities.items():
        value = np.broadcast_to(value, (2 * m + 1,))
        if not np.isfinite(value[0]):
            continue
        gradient = (value[1 : m + 1] - value[m + 1 :]) / (2 * h)
        sigma = math.sqrt(max(float(gradient @ covariance @ gradient), 0.0))
        out[name] = Quantity(float(value[0]), math.hypot(sigma, float(extra.get(name, 0.0))), unit, _source(problem, name, np.diag(fit.covariance)))
    return out


def told_covariance(problem: Problem, fit: Fit) -> Floats:
    """The covariance given that what is seldom there, and is not seen, is absent: of what it could stand in for, the simpler law tells more.

    Bands keep the doubt.
    """
    covariance = fit.covariance
    seldom = {parameter.name for parameter in problem.model.parameters if parameter.seldom}
    for i, name in enumerate(problem.names):
        if name in seldom and fit.estimate[i] - problem.lower[i] < SEEN_SIGMAS * math.sqrt(covariance[i, i]):
            covariance = covariance - np.outer(covariance[i], covariance[i]) / covariance[i, i]
    return covariance


def _source(problem: Problem, name: str, variance: Floats) -> Source:
    if name == "g":
        entry = problem.setting.entries["g"]
        return "measured" if entry.sigma > 1.0 else entry.source
    if name == "spin_rate_rps":
        return "derived"
    if name in ("diameter", "mass"):
        given = problem.body.diameter if name == "diameter" else problem.body.mass
        return given.source if given is not None else ("measured" if name == "diameter" else "assumed")
    if name in problem.names:
        i = problem.names.index(name)
        if variance[i] > UNLEARNED * problem.prior_sigma[i] ** 2:
            return problem.setting.entries[name].source
    return "measured"


def measure_scale(fit: Fit, known: Known) -> tuple[float, float]:
    """Pixels for each metre at the track's middle sample, with the sigma that the covariance gives it."""
    problem = restate(fit, known)
    sets, h = perturb(problem, fit.estimate)
    _, scale = predict_image(problem, sets)
    middle, m = scale[:, scale.shape[1] // 2], len(h)
    gradient = (middle[1 : m + 1] - middle[m + 1 :]) / (2 * h)
    return float(middle[0]), math.sqrt(max(float(gradient @ fit.covariance @ gradient), 0.0))


def restate(fit: Fit, known: Known) -> Problem:
    """The problem that a fit solved, for forecasting and monitoring from it."""
    problem = state_problem(fit.track, fit.pattern, fit.camera, fit.body, known, fit.elsewhere)
    return with_out_of_plane_prior(problem, fit.estimate)


def lock_noise(fit: Fit, known: Known) -> tuple[Problem, Residuals]:
    """The problem that a fit solved, and its rows under the noise that it found: 3 n of data, then those of the priors. Wobble counts as noise."""
    problem = restate(fit, known)
    weighing = _weigh(problem, fit.estimate, fit.track, _first_weighing(problem))
    return problem, _residuals(problem, weighing)


def _failed(track: Track, pattern: str, camera: Camera, body: Body, known: Known, message: str) -> Fit:
    return Fit(
        pattern=pattern, setting=build_setting(FORCE_MODELS[pattern], camera, body, known), body=body, camera=camera, track=track, names=(),
        estimate=np.empty(0), covariance=np.empty((0, 0)), parameters={}, residuals=np.full((len(track), 3), np.nan),
        weights=np.zeros((len(track), 3)), noise=Noise(1.0, 0.0, 1.0), evidence=-math.inf, success=False, message=message,
    )  # fmt: skip
