"""Fits recover what they were not told, say how sure they are, and are not misled by how the picture is held."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from truths import FREE_BODY, SIZE, Filmed, assumed_camera, catalogue_body, film_pattern, fit_seen, fitted, known, normalised_errors, without_radius

from newtonscheme.camera import assume_camera, table_camera
from newtonscheme.estimation.body import find_ball
from newtonscheme.estimation.fitting import MIN_SAMPLES, _innovations, _log_norm, fit_pattern, measure_scale, restate
from newtonscheme.estimation.forecasting import forecast_fit
from newtonscheme.estimation.parameters import log_sigma, predict_image
from newtonscheme.physics.integration import solve_one
from newtonscheme.physics.models import FORCE_MODELS, PATTERNS
from newtonscheme.synth.scene import Thing, TrackNoise
from newtonscheme.types import Fit, Quantity, Track

SEEDS = {"free_fall": range(40), "pendulum": range(7), "curving_ball": range(24)}
MANY_SEEDS = {"free_fall": range(150), "pendulum": range(60), "curving_ball": range(80)}
NAMES = {
    "free_fall": ("px_per_m", "speed", "launch_angle_deg", "drag_coefficient"),
    "pendulum": ("px_per_m", "length", "period", "amplitude_deg", "damping"),
    "curving_ball": ("px_per_m", "speed", "launch_angle_deg", "drag_coefficient", "lift_coefficient"),
}


def changed(track: Track, **changes: object) -> Track:
    return replace(track, **changes)


def value(fit: Fit, name: str) -> float:
    return fit.parameters[name].value


def all_errors(pattern: str, seeds: range) -> np.ndarray:
    pairs = [fitted(pattern, seed) for seed in seeds]
    assert all(fit.success for _, fit in pairs)
    return np.array([normalised_errors(filmed, fit, NAMES[pattern]) for filmed, fit in pairs])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_fit_recovers_its_own_draw_within_its_sigmas(pattern: str) -> None:
    errors = np.abs(all_errors(pattern, SEEDS[pattern]))
    assert np.all(np.median(errors, axis=0) < 1.2)
    assert np.mean(errors < 3.0) > 0.9


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_forecast_goes_beyond_the_data_and_stays_near_the_truth(pattern: str) -> None:
    shares = []
    for seed in SEEDS[pattern]:
        filmed, fit = fitted(pattern, seed)
        forecast, failure = forecast_fit(fit, known(), filmed.rest.t, level=0.9)
        truth = filmed.true_centre(filmed.rest)
        assert failure == ""
        path = np.sum(np.hypot(*np.diff(truth, axis=0).T))
        shares.append(np.sqrt(np.mean(np.sum((forecast.centre_px - truth) ** 2, axis=1))) / path)
    assert np.median(shares) < {"free_fall": 0.01, "pendulum": 0.003, "curving_ball": 0.015}[pattern]


def test_the_spread_of_a_falls_errors_is_what_its_sigmas_say() -> None:
    errors = all_errors("free_fall", SEEDS["free_fall"])
    spread = np.sqrt(np.mean(errors**2, axis=0))
    assert np.all(spread > 0.4)
    assert np.all(spread < 1.4)


@pytest.mark.slow
@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_spread_of_many_errors_is_what_the_sigmas_say(pattern: str) -> None:
    errors = all_errors(pattern, MANY_SEEDS[pattern])
    spread = 1.4826 * np.median(np.abs(errors), axis=0)
    assert np.all(spread > 0.45)
    assert np.all(spread < 1.35)
    assert np.mean(np.abs(errors) < 4.0) > 0.97


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_noise_of_white_gaussian_errors_is_found_at_its_stated_size(pattern: str) -> None:
    long = [fit for _, fit in (fitted(pattern, seed) for seed in SEEDS[pattern]) if len(fit.track) > 25]
    assert np.mean([fit.noise.scale for fit in long]) == pytest.approx(1.0, abs=0.08)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_parameters_stay_inside_their_bounds_with_a_positive_covariance(pattern: str) -> None:
    bounds = {q.name: (q.lower, q.upper) for q in FORCE_MODELS[pattern].parameters}
    for seed in list(SEEDS[pattern])[:8]:
        _, fit = fitted(pattern, seed)
        found = dict(zip(fit.names, fit.estimate, strict=True))
        for name, (lower, upper) in bounds.items():
            x = np.exp(found[name]) if name == "length" else found[name]
            assert lower <= x <= upper
        np.testing.assert_allclose(fit.covariance, fit.covariance.T, rtol=1e-6, atol=1e-12)
        assert np.all(np.diag(fit.covariance) > 0)
        assert fit.residuals.shape == (len(fit.track), 3)
        assert np.isfinite(fit.evidence)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_optimum_is_one(pattern: str) -> None:
    """From the truth itself no better one is reached (by 0.5 nats)."""
    for seed in list(SEEDS[pattern])[:6]:
        filmed, fit = fitted(pattern, seed)
        again = fit_pattern(filmed.seen, pattern, camera=assumed_camera(), body=FREE_BODY, known=known(), near=true_fit(filmed, fit))
        assert again.evidence < fit.evidence + 0.5


def true_fit(filmed: Filmed, fit: Fit) -> Fit:
    """A fit that says the truth."""
    scene, view = filmed.scene, filmed.scene.view
    natural = {
        **scene.values, "anchor_u_px": view.anchor_px[0], "anchor_v_px": view.anchor_px[1], "px_per_m": view.px_per_m, "pitch": view.pitch,
        "roll": view.roll, "focal_px": view.focal_px, "radius_bias_px": 0.0, "density": 6 * scene.values["mass"] / np.pi / scene.diameter**3,
    }  # fmt: skip
    logs = ("px_per_m", "focal_px", "diameter", "density", "length")
    return replace(fit, estimate=np.array([np.log(natural[name]) if name in logs else natural[name] for name in fit.names]))


# What does not change the physics does not change the fit.


@pytest.fixture(scope="module", params=PATTERNS)
def pair(request: pytest.FixtureRequest) -> tuple[Filmed, Fit]:
    return fitted(request.param, 3)


def test_a_later_clock_changes_nothing(pair: tuple[Filmed, Fit]) -> None:
    filmed, fit = pair
    later = fit_seen(replace(filmed, seen=changed(filmed.seen, t=filmed.seen.t + 1000.0)))
    for name, quantity in fit.parameters.items():
        assert value(later, name) == pytest.approx(quantity.value, abs=0.02 * quantity.sigma + 1e-9)


def test_the_mirrored_world_is_fitted_by_the_mirrored_motion(pair: tuple[Filmed, Fit]) -> None:
    filmed, fit = pair
    flip = np.array([-1.0, 1.0])
    mirrored = changed(
        filmed.seen, centre_px=filmed.seen.centre_px * flip + (SIZE[0] - 1, 0), covariance_px=filmed.seen.covariance_px * np.outer(flip, flip)
    )
    other = fit_seen(replace(filmed, seen=mirrored))
    for name, quantity in fit.parameters.items():
        expected = -quantity.value if name == "lift_direction_deg" else quantity.value
        assert value(other, name) == pytest.approx(expected, abs=0.05 * quantity.sigma + 1e-9), name
    assert other.evidence == pytest.approx(fit.evidence, abs=0.05)


def test_a_finer_picture_measures_the_same_metres(pair: tuple[Filmed, Fit]) -> None:
    filmed, fit = pair
    fine = changed(
        filmed.seen, centre_px=2 * filmed.seen.centre_px + 0.5, covariance_px=4 * filmed.seen.covariance_px, radius_px=2 * filmed.seen.radius_px,
        radius_sigma_px=2 * filmed.seen.radius_sigma_px,
    )  # fmt: skip
    other = fit_seen(replace(filmed, seen=fine), camera=assume_camera(2 * SIZE[0], 2 * SIZE[1]))
    for name, quantity in fit.parameters.items():
        # The bias of an edge is a third of a pixel in any picture, so size and what hangs on it may move a little.
        assert value(other, name) == pytest.approx(quantity.value, abs=0.5 * quantity.sigma + 1e-9), name
    assert measure_scale(other, known())[0] == pytest.approx(2 * measure_scale(fit, known())[0], rel=0.02)


# What is not a motion is not a fit, and not an exception.


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("n", [0, 1, 2, 3, MIN_SAMPLES - 1])
def test_too_few_samples_are_a_failed_fit(pattern: str, n: int) -> None:
    filmed, _ = fitted(pattern, 3)
    fit = fit_seen(replace(filmed, seen=filmed.seen.select(slice(0, n))))
    assert not fit.success
    assert str(n) in fit.message
    assert fit.parameters == {}
    assert fit.evidence == -np.inf


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("column", ["centre_px", "t", "covariance_px"])
def test_a_track_with_a_hole_in_its_numbers_is_a_failed_fit(pattern: str, column: str) -> None:
    filmed, _ = fitted(pattern, 3)
    broken = np.array(getattr(filmed.seen, column))
    broken[-1] = np.nan
    try:
        track = changed(filmed.seen, **{column: broken})
    except ValueError:
        return  # no such track can be made
    fit = fit_seen(replace(filmed, seen=track))
    assert not fit.success
    assert fit.message


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_body_that_stands_still_is_not_an_exception(pattern: str) -> None:
    filmed, _ = fitted(pattern, 3)
    still = changed(filmed.seen, centre_px=np.tile([300.0, 200.0], (len(filmed.seen), 1)))
    fit = fit_seen(replace(filmed, seen=still))
    assert isinstance(fit, Fit)


# Noise as it is.


def test_outliers_barely_move_the_estimate() -> None:
    moved, lost = [], []
    for seed in range(8):
        filmed, fit = fitted("free_fall", seed)
        rng, n = np.random.default_rng(seed), len(filmed.seen)
        wrong = rng.permutation(np.arange(1, n - 1))[: max(1, n // 12)]
        centre = filmed.seen.centre_px.copy()
        centre[wrong] += rng.choice([-1, 1], (len(wrong), 2)) * 15.0
        other = fit_seen(replace(filmed, seen=changed(filmed.seen, centre_px=centre)))
        moved.append(abs(value(other, "speed") - value(fit, "speed")) / fit.parameters["speed"].sigma)
        lost.append(other.parameters["speed"].sigma / fit.parameters["speed"].sigma)
        assert np.all(other.weights[wrong, 0] < 0.3)
    assert np.median(moved) < 1.0
    assert max(moved) < 4.0
    assert np.median(lost) < 2.5


def test_correlated_noise_widens_the_covariance() -> None:
    """Seen by a camera that is known exactly, and without a size, which could wobble, so that only the noise is left to decide."""
    wider, found, errors = [], [], []
    for seed in range(10):
        white = film_pattern("free_fall", seed, fps=120.0, share=1.0)
        drifting = film_pattern("free_fall", seed, fps=120.0, share=1.0, noise=TrackNoise(sigma_px=0.15, correlation=0.8))
        bare = [replace(filmed, seen=without_radius(filmed.seen)) for filmed in (white, drifting)]
        one, other = (fit_seen(filmed, camera=filmed.scene.view.camera) for filmed in bare)
        wider.append([other.parameters[name].sigma / one.parameters[name].sigma for name in ("speed", "launch_angle_deg")])
        found.append(other.noise.correlation)
        errors.append(normalised_errors(drifting, other, ("speed", "launch_angle_deg")))
        assert one.noise.correlation < 0.3
    # n samples of correlation r are worth n (1 - r) / (1 + r): three times the sigma at 0.8, less what priors hold.
    assert 1.4 < np.median(wider) < 4.0
    assert np.sqrt(np.mean(np.square(errors))) < 2.0
    assert 0.6 < np.median(found) < 0.95


def test_noise_that_the_tracker_understated_is_found() -> None:
    scales = []
    for seed in range(6):
        filmed = film_pattern("free_fall", seed, fps=120.0, share=1.0, noise=TrackNoise(sigma_px=0.6))
        boast = changed(filmed.seen, covariance_px=filmed.seen.covariance_px / 16)
        scales.append(fit_seen(replace(filmed, seen=boast)).noise.scale)
    assert np.median(scales) == pytest.approx(4.0, rel=0.25)


def test_gaps_are_no_hindrance() -> None:
    filmed, fit = fitted("free_fall", 7)
    keep = np.ones(len(filmed.seen), bool)
    keep[3 : len(keep) // 2] = False
    gappy = fit_seen(replace(filmed, seen=filmed.seen.select(keep)))
    assert gappy.success
    errors = normalised_errors(replace(filmed, seen=filmed.seen.select(keep)), gappy, ("speed", "launch_angle_deg"))
    assert np.all(np.abs(errors) < 4.0)
    assert gappy.parameters["speed"].sigma > fit.parameters["speed"].sigma


# Rulers.


def test_gravity_is_assumed_without_a_ruler_and_measured_with_one() -> None:
    errors = []
    for seed in range(14):
        filmed, fit = fitted("free_fall", seed)
        assert fit.parameters["g"].source == "assumed"
        scale = filmed.truth["px_per_m"]
        with_scale = fit_seen(filmed, scale=f"{scale}±{0.01 * scale}")
        g = with_scale.parameters["g"]
        assert g.source == "measured"
        assert measure_scale(with_scale, known(scale=scale))[0] == pytest.approx(scale, rel=0.04)
        errors.append((g.value - 9.80665) / g.sigma)
    assert 0.4 < np.sqrt(np.mean(np.square(errors))) < 1.5


def test_gravity_of_another_world_is_measured_too() -> None:
    """The film of a fall played at half its speed shows a quarter of gravity."""
    errors = []
    for seed in range(10):
        filmed = film_pattern("free_fall", seed, share=1.0)
        slow = replace(filmed, seen=changed(filmed.seen, t=2.0 * filmed.seen.t))
        g = fit_seen(slow, scale=filmed.truth["px_per_m"]).parameters["g"]
        errors.append((g.value - 9.80665 / 4) / g.sigma)
        assert g.value < 5.0
    assert np.median(np.abs(errors)) < 1.5


def test_a_length_makes_a_pendulum_measure_gravity() -> None:
    filmed, _ = fitted("pendulum", 3)
    fit = fit_seen(filmed, length=filmed.scene.values["length"])
    g = fit.parameters["g"]
    assert g.source == "measured"
    assert g.value == pytest.approx(9.80665, abs=4 * g.sigma)
    assert g.sigma < 0.05 * g.value
    assert fit.parameters["length"].value == pytest.approx(filmed.scene.values["length"], rel=0.04)


def test_a_diameter_is_a_ruler() -> None:
    pairs = [(film_pattern("free_fall", seed, share=1.0, least_radius_px=8.0), seed) for seed in range(8)]
    errors = []
    for filmed, _ in pairs:
        size = filmed.scene.diameter
        body = catalogue_body(size, filmed.scene.values["mass"])
        fit = fit_seen(filmed, body=body, diameter=size)
        g = fit.parameters["g"]
        assert g.source == "measured"
        errors.append((g.value - 9.80665) / g.sigma)
        assert fit.parameters["diameter"].value == pytest.approx(size, rel=0.04)
    assert np.median(np.abs(errors)) < 1.5


def test_a_known_body_and_gravity_together_are_surer_than_gravity_alone() -> None:
    surer = []
    for seed in range(8):
        filmed, fit = fitted("free_fall", seed)
        helped = fit_seen(filmed, body=catalogue_body(filmed.scene.diameter, filmed.scene.values["mass"]))
        surer.append(measure_scale(helped, known())[1] / measure_scale(fit, known())[1])
    assert np.median(surer) < 0.9
    assert max(surer) < 1.3


def test_a_table_in_metres_needs_no_scale() -> None:
    t = np.arange(30) / 60
    values = {"g": 9.81, "air_density": 1.19, "mass": 0.145, "diameter": 0.074, "drag_coefficient": 0.35, "vx": 3.0, "vy": 2.0, "vz": 0.0}
    states, _ = solve_one(FORCE_MODELS["free_fall"], values, t)
    rng = np.random.default_rng(0)
    centre = states[:, :2] * (1, -1) + 1e-3 * rng.standard_normal((30, 2))
    track = Track(
        frame=np.arange(30), t=t, centre_px=centre, covariance_px=np.tile(1e-6 * np.eye(2), (30, 1, 1)), radius_px=np.full(30, np.nan),
        radius_sigma_px=np.full(30, np.nan), score=np.ones(30),
    )  # fmt: skip
    fit = fit_pattern(track, "free_fall", camera=table_camera(), body=FREE_BODY, known=known(scale=1.0))
    assert "px_per_m" not in fit.names
    g = fit.parameters["g"]
    assert g.source == "measured"
    assert g.value == pytest.approx(9.81, abs=4 * g.sigma)
    assert value(fit, "speed") == pytest.approx(np.hypot(3, 2), rel=0.02)


# Mass.


def soccer_ball(mass: float) -> dict[str, float]:
    return {"diameter": 0.22, "mass": mass}


@pytest.fixture(scope="module")
def free_kick() -> Filmed:
    for seed in range(400):
        filmed = film_pattern("curving_ball", seed, body=Thing(ball=find_ball("soccer ball"), diameter=0.22, mass=0.43), duration=1.0)
        if filmed.scene.values["vx"] ** 2 + filmed.scene.values["vy"] ** 2 > 15.0**2:
            return filmed
    raise AssertionError("no fast ball was drawn")


def test_doubling_the_mass_changes_a_soccer_balls_forecast(free_kick: Filmed) -> None:
    drag = Quantity(0.25, 0.01, "1", "catalogue")
    ends = []
    for mass in (0.43, 0.86):
        body = catalogue_body(0.22, mass, drag=drag)
        fit = fit_pattern(free_kick.seen, "free_fall", camera=assumed_camera(), body=body, known=known())
        assert fit.parameters["mass"].value == pytest.approx(mass, rel=0.1)
        ends.append(forecast_fit(fit, known(), free_kick.seen.t[-1:] + 1.0, level=0.9)[0].centre_px[-1])
    assert np.hypot(*(ends[0] - ends[1])) > 2.0


def test_doubling_the_mass_changes_nothing_in_a_vacuum(free_kick: Filmed) -> None:
    vacuum = replace(known(), air_density=0.0)
    ends = []
    for mass in (0.43, 0.86):
        fit = fit_pattern(free_kick.seen, "free_fall", camera=assumed_camera(), body=catalogue_body(0.22, mass), known=vacuum)
        ends.append(forecast_fit(fit, vacuum, free_kick.seen.t[-1:] + 1.0, level=0.9)[0].centre_px[-1])
    np.testing.assert_allclose(ends[0], ends[1], atol=0.05)


# What a fit says of itself.


def test_residuals_are_observed_minus_fitted(pair: tuple[Filmed, Fit]) -> None:
    _, fit = pair
    image, _ = predict_image(restate(fit, known()), fit.estimate[None])
    observed = np.column_stack([fit.track.centre_px, fit.track.radius_px])
    np.testing.assert_allclose(fit.residuals, observed - image[0], atol=1e-9)


def test_the_right_law_is_more_evident_than_the_wrong_one() -> None:
    for pattern, wrong in (("free_fall", "pendulum"), ("pendulum", "free_fall")):
        for seed in range(4):
            filmed, fit = fitted(pattern, seed)
            other = fit_pattern(filmed.seen, wrong, camera=assumed_camera(), body=FREE_BODY, known=known())
            assert not other.success or fit.evidence > other.evidence + 3.0


def test_a_strong_curve_is_more_evident_with_lift_and_a_plain_throw_without() -> None:
    gains = []
    for seed in range(3):
        filmed = film_pattern("curving_ball", seed, share=1.0, duration=1.0)
        fit = fit_seen(filmed)
        plain = fit_pattern(filmed.seen, "free_fall", camera=assumed_camera(), body=FREE_BODY, known=known())
        gains.append(fit.evidence - plain.evidence)
    assert np.median(gains) > 3.0
    losses = []
    for seed in range(8):
        filmed, fit = fitted("free_fall", seed)
        lifted = fit_pattern(filmed.seen, "curving_ball", camera=assumed_camera(), body=FREE_BODY, known=known())
        losses.append(lifted.evidence - fit.evidence)
    assert np.median(losses) < 1.0


def test_beginning_near_a_fit_reaches_the_same_optimum(pair: tuple[Filmed, Fit]) -> None:
    filmed, fit = pair
    again = fit_pattern(filmed.seen, fit.pattern, camera=assumed_camera(), body=FREE_BODY, known=known(), near=fit)
    assert again.evidence == pytest.approx(fit.evidence, abs=0.5)
    part = filmed.seen.select(slice(1, None))
    later = fit_pattern(part, fit.pattern, camera=assumed_camera(), body=FREE_BODY, known=known(), near=fit)
    alone = fit_pattern(part, fit.pattern, camera=assumed_camera(), body=FREE_BODY, known=known())
    assert later.evidence > alone.evidence - 0.5


def test_two_fits_of_the_same_track_are_the_same_numbers(pair: tuple[Filmed, Fit]) -> None:
    filmed, fit = pair
    np.testing.assert_array_equal(fit_seen(filmed).estimate, fit.estimate)


def test_the_sigma_of_a_logarithm_is_nearly_the_relative_one() -> None:
    assert log_sigma(Quantity(2.0, 0.02, "m", "user")) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_fit_begun_from_a_later_or_a_shorter_stretch_ends_at_the_same_optimum(pattern: str) -> None:
    filmed, whole = fitted(pattern, 1)
    n = len(filmed.seen)
    for rows in (slice(n // 4, n), slice(0, 3 * n // 4)):
        part = fit_pattern(filmed.seen.select(rows), pattern, camera=assumed_camera(), body=FREE_BODY, known=known())
        again = fit_pattern(filmed.seen, pattern, camera=assumed_camera(), body=FREE_BODY, known=known(), near=part)
        assert again.evidence == pytest.approx(whole.evidence, abs=1.0)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_slow_errors_widen_what_they_look_like_and_little_else(pattern: str) -> None:
    filmed = film_pattern(pattern, 3)
    plain = fit_seen(filmed)
    slow = fit_seen(replace(filmed, seen=replace(filmed.seen, slow_error=0.8)))
    widths = []
    for fit in (plain, slow):
        made, _ = forecast_fit(fit, known(), filmed.rest.t, level=0.9)
        widths.append(float(np.max(made.upper_px[-1] - made.lower_px[-1])) / fit.noise.scale)
    assert widths[1] > widths[0]
    assert slow.noise.scale == pytest.approx(plain.noise.scale, rel=0.1)


def test_bands_hold_the_truth_under_the_slow_errors_that_a_track_declares() -> None:
    held = []
    for seed in range(40):
        filmed = film_pattern("free_fall", seed)
        rng = np.random.default_rng([seed, 9])
        course = np.polynomial.legendre.legvander(np.linspace(-1.0, 1.0, len(filmed.seen)), 4)[:, 1:]
        drift = filmed.seen.sigma_px[:, None] * (course @ rng.normal(0.0, 2.0, (4, 2)))
        seen = replace(filmed.seen, centre_px=filmed.seen.centre_px + drift, slow_error=2.0)
        fit = fit_seen(replace(filmed, seen=seen))
        forecast, failure = forecast_fit(fit, known(), filmed.rest.t, level=0.9)
        assert failure == ""
        truth = filmed.true_centre(filmed.rest)
        held.append(np.mean((truth >= forecast.lower_px) & (truth <= forecast.upper_px)))
    assert 0.8 < np.mean(held) < 0.99


def test_correlated_errors_have_the_density_of_a_process_that_goes_on_through_gaps() -> None:
    t = np.cumsum([0.0, 1, 1, 3, 1, 1, 7, 1, 1, 1]) / 30.0
    errors, correlation = np.random.default_rng(0).normal(0, 1, (1, len(t), 2)), 0.7
    covariance = correlation ** (np.abs(t[:, None] - t[None]) * 30.0)
    direct = sum(-0.5 * x @ np.linalg.solve(covariance, x) for x in errors[0].T) - np.linalg.slogdet(covariance)[1]
    assert -0.5 * float(np.sum(_innovations(t, errors, correlation) ** 2)) + _log_norm(t, correlation) == pytest.approx(direct, rel=1e-9)
