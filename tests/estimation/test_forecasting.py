"""Forecasts: the truth is inside the band as often as the band says, and the path ends where it must."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from truths import FREE_BODY, SIZE, Filmed, assumed_camera, film_path, film_pattern, fit_seen, fitted, known, rubbed

from newtonscheme.estimation.fitting import fit_pattern, restate
from newtonscheme.estimation.forecasting import centre_sigma, discrepancy_sigma, forecast_beliefs, forecast_fit, widen
from newtonscheme.physics.models import FORCE_MODELS, PATTERNS
from newtonscheme.types import Belief, Fit, Forecast

SEEDS = {"free_fall": range(60), "pendulum": range(7), "curving_ball": range(10)}
MANY_SEEDS = {"free_fall": range(150), "pendulum": range(60), "curving_ball": range(80)}


def forecast(filmed: Filmed, fit: Fit, t: np.ndarray, **options: object) -> Forecast:
    values = {"level": 0.9} | options
    made, failure = forecast_fit(fit, known(), t, **values)
    assert failure == ""
    return made


def coverage(filmed: Filmed, made: Forecast) -> float:
    truth = filmed.true_centre(filmed.rest)[: len(made.t)]
    return float(np.mean((truth >= made.lower_px) & (truth <= made.upper_px)))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_truth_is_in_a_ninety_per_cent_band_about_ninety_times_in_a_hundred(pattern: str) -> None:
    shares = [coverage(filmed, forecast(filmed, fit, filmed.rest.t)) for filmed, fit in (fitted(pattern, seed) for seed in SEEDS[pattern])]
    few = len(shares) < 50
    assert (0.72 if few else 0.80) < np.mean(shares) < (1.0 if few else 0.97)


@pytest.mark.slow
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_the_truth_is_in_the_band_as_often_as_its_level_says_over_many_films(pattern: str, level: float) -> None:
    shares = []
    for seed in MANY_SEEDS[pattern]:
        filmed, fit = fitted(pattern, seed)
        shares.append(coverage(filmed, forecast(filmed, fit, filmed.rest.t, level=level)))
    low, high = (0.80, 0.97) if level == 0.9 else (0.40, 0.65)
    assert low < np.mean(shares) < high


def test_the_truth_is_in_the_band_of_a_track_that_is_off_by_the_same_in_all_its_samples() -> None:
    """A shade pulls all discs of a film one way; no fit can tell, and a swing's band may be narrower than that."""
    pulled = np.array([0.6, -0.4])
    shares: dict[float, list[float]] = {0.0: [], 6.0: []}
    for seed in range(6):
        filmed, _ = fitted("pendulum", seed)
        for offset_error, inside in shares.items():
            seen = replace(filmed.seen, centre_px=filmed.seen.centre_px + pulled, offset_error=offset_error)
            inside.append(coverage(filmed, forecast(filmed, fit_seen(replace(filmed, seen=seen)), filmed.rest.t)))
    assert np.mean(shares[6.0]) > 0.9
    assert np.mean(shares[0.0]) < 0.5


@pytest.mark.parametrize("hold", [0.003, 0.01])
def test_a_swing_that_a_dry_pivot_slows_is_forecast(hold: float) -> None:
    """Its amplitude falls by the same each time; a law of air and string alone would have it fall by less and less."""
    values = dict(FORCE_MODELS["pendulum"].draw(np.random.default_rng(7)).values)
    values |= {"length": 0.6, "diameter": 0.07, "theta": 0.5, "omega": 0.0, "damping": 0.0, "quadratic_damping": 0.0, "dry_damping": hold}

    def path(t: np.ndarray) -> np.ndarray:
        theta = rubbed(values, t)
        return np.stack([0.6 * np.sin(theta), -0.6 * np.cos(theta), 0.0 * theta], axis=-1)

    filmed = film_path(path, 9.0, fps=30.0, seed=2)
    seen = filmed.track.select(slice(0, len(filmed.track) // 2))
    fit = fit_pattern(seen, "pendulum", camera=assumed_camera(), body=FREE_BODY, known=known())
    half = replace(filmed, seen=seen)
    assert fit.noise.scale < 1.2
    made = forecast(half, fit, half.rest.t)
    error = np.sqrt(np.mean(np.sum((made.centre_px - half.true_centre(half.rest)) ** 2, axis=1)))
    assert error < 0.004 * np.max(np.ptp(half.true_centre(half.rest), axis=0))
    assert coverage(half, made) > 0.75
    assert dict(zip(fit.names, fit.estimate, strict=True))["dry_damping"] == pytest.approx(hold, rel=0.25)


@pytest.fixture(scope="module", params=PATTERNS)
def pair(request: pytest.FixtureRequest) -> tuple[Filmed, Fit]:
    return fitted(request.param, 3)


def test_at_zero_horizon_the_band_is_about_the_fitted_path_and_holds_the_truth(pair: tuple[Filmed, Fit]) -> None:
    filmed, fit = pair
    now = forecast(filmed, fit, filmed.seen.t, level=0.999)
    np.testing.assert_allclose(now.centre_px, filmed.seen.centre_px - fit.residuals[:, :2], atol=0.02)
    truth = filmed.true_centre(filmed.seen)
    assert np.mean((truth >= now.lower_px) & (truth <= now.upper_px)) > 0.9
    assert np.median(now.upper_px - now.lower_px) < 6 * np.median(filmed.seen.sigma_px)


def test_a_band_lies_about_its_path_and_grows_with_level_and_horizon(pair: tuple[Filmed, Fit]) -> None:
    filmed, fit = pair
    step = np.median(np.diff(filmed.seen.t))
    t = filmed.seen.t[-1] + step * np.arange(1, 25)
    half, wide = (forecast(filmed, fit, t, level=level) for level in (0.5, 0.95))
    np.testing.assert_allclose(half.centre_px, wide.centre_px)
    np.testing.assert_allclose(0.5 * (wide.lower_px + wide.upper_px), wide.centre_px, atol=1e-9)
    assert np.all(wide.upper_px - wide.lower_px > half.upper_px - half.lower_px)
    size = np.hypot(*(wide.upper_px - wide.lower_px).T)
    # A swing is known best where it turns, so its band breathes as it grows.
    assert size[-6:].max() > size[:6].min()
    assert wide.stop == "horizon"
    assert wide.level == 0.95
    np.testing.assert_array_equal(wide.t, t)


def test_more_frames_make_a_narrower_band() -> None:
    widths = []
    for share in (0.4, 0.6, 0.8):
        filmed = film_pattern("free_fall", 11, share=share, duration=1.0)
        made = forecast(filmed, fit_seen(filmed), filmed.track.t[-1:])
        widths.append(float(np.hypot(*(made.upper_px - made.lower_px)[0])))
    assert widths[0] > widths[1] > widths[2]


def test_positions_and_pixels_are_of_the_same_path(pair: tuple[Filmed, Fit]) -> None:
    filmed, fit = pair
    made = forecast(filmed, fit, filmed.seen.t)
    if fit.pattern == "pendulum":
        np.testing.assert_allclose(np.linalg.norm(made.position, axis=1), fit.parameters["length"].value, rtol=1e-9)
    else:
        np.testing.assert_allclose(made.position[0], 0.0, atol=1e-12)
    apart = np.linalg.norm(np.diff(made.position, axis=0), axis=1)
    moved = np.hypot(*np.diff(made.centre_px, axis=0).T)
    assert np.all(np.isfinite(made.position))
    assert np.corrcoef(apart, moved)[0, 1] > 0.9


def test_a_body_that_leaves_the_picture_ends_the_forecast() -> None:
    filmed, fit = fitted("free_fall", 5)
    t = filmed.seen.t[-1] + np.arange(1, 400) / 60.0
    free = forecast(filmed, fit, t)
    framed = forecast(filmed, fit, t, size_px=SIZE)
    assert free.stop == "horizon"
    assert len(free.t) == len(t)
    assert framed.stop == "left_frame"
    assert 0 < len(framed.t) < len(t)
    radius = fit.track.radius_px[-1]
    u, v = free.centre_px[len(framed.t)]
    assert u < -0.5 * radius or u > SIZE[0] + 0.5 * radius or v < -0.5 * radius or v > SIZE[1] + 0.5 * radius
    inside = framed.centre_px
    assert np.all((inside > -2 * radius) & (inside < np.array(SIZE) + 2 * radius))


def test_the_ground_ends_the_forecast_when_the_balls_lowest_point_reaches_it() -> None:
    filmed, fit = fitted("free_fall", 5)
    t = filmed.seen.t[-1] + np.arange(1, 400) / 60.0
    ground = -3.0
    made = forecast(filmed, fit, t, ground=ground)
    free = forecast(filmed, fit, t)
    radius = 0.5 * fit.parameters["diameter"].value
    assert made.stop == "ground"
    assert np.all(made.position[:, 1] - radius >= ground)
    assert free.position[len(made.t), 1] - radius < ground


def test_the_first_of_two_ends_counts() -> None:
    filmed, fit = fitted("free_fall", 5)
    t = filmed.seen.t[-1] + np.arange(1, 400) / 60.0
    framed = forecast(filmed, fit, t, size_px=SIZE)
    deep, shallow = (forecast(filmed, fit, t, size_px=SIZE, ground=ground) for ground in (-1e3, float(framed.position[:, 1].min()) - 1e-6))
    assert deep.stop == "left_frame"
    assert shallow.stop == "ground"
    assert len(shallow.t) <= len(framed.t)


def test_a_misfit_widens_the_band_and_grows_outside_the_data() -> None:
    filmed, fit = fitted("free_fall", 3)
    wide = widen(fit, 2.0)
    inside, outside = discrepancy_sigma(wide, np.array([0.0, 1e3]))
    assert inside == pytest.approx(2.0)
    assert outside > 100
    plain, widened = (forecast(filmed, each, filmed.rest.t) for each in (fit, wide))
    np.testing.assert_array_equal(plain.centre_px, widened.centre_px)
    assert np.all(widened.upper_px - widened.lower_px > plain.upper_px - plain.lower_px)
    assert np.all(discrepancy_sigma(fit, np.array([0.0, 1e3])) == 0.0)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("when", ["inside", "first", "last"])
def test_errors_over_the_bands_sigma_are_standard(pattern: str, when: str) -> None:
    """Neither too narrow nor too wide, from the middle of the data to the end of the forecast."""
    errors = []
    for seed in SEEDS[pattern]:
        filmed, fit = fitted(pattern, seed)
        part = filmed.seen if when == "inside" else filmed.rest
        one = part.select(np.array([{"inside": len(part) // 2, "first": 0, "last": len(part) - 1}[when]]))
        made = forecast(filmed, fit, one.t)
        sigma = centre_sigma(restate(fit, known()), fit, one.t - filmed.seen.t[0])
        errors.append(((made.centre_px - filmed.true_centre(one)) / sigma)[0])
    assert 0.55 < np.sqrt(np.mean(np.square(errors))) < 1.5


def test_no_time_to_forecast_is_an_empty_forecast() -> None:
    filmed, fit = fitted("free_fall", 3)
    made = forecast(filmed, fit, np.empty(0))
    assert len(made.t) == 0
    assert made.stop == "horizon"


def test_a_replaced_noise_changes_the_band_only() -> None:
    filmed, fit = fitted("free_fall", 3)
    few = replace(fit, noise=replace(fit.noise, dof=4.0))
    many = replace(fit, noise=replace(fit.noise, dof=1e6))
    one, other = (forecast(filmed, each, filmed.rest.t) for each in (few, many))
    np.testing.assert_array_equal(one.centre_px, other.centre_px)
    # Student's t with 4 degrees of freedom: 2.132 in place of 1.645.
    np.testing.assert_allclose((one.upper_px - one.centre_px) / (other.upper_px - other.centre_px), 2.1318 / 1.6449, rtol=1e-3)


def test_one_belief_is_the_fits_own_forecast(pair: tuple[Filmed, Fit]) -> None:
    filmed, fit = pair
    alone, _ = forecast_beliefs((Belief(fit, 1.0),), known(), filmed.rest.t, level=0.9)
    np.testing.assert_array_equal(alone.lower_px, forecast(filmed, fit, filmed.rest.t).lower_px)


def test_two_beliefs_are_held_by_one_band_and_the_probable_one_draws_the_centre() -> None:
    filmed, fit = fitted("free_fall", 3)
    other = replace(fit, estimate=fit.estimate + 6.0 * np.sqrt(np.diag(fit.covariance)) * np.array([name == "vx" for name in fit.names]))
    t = filmed.rest.t
    apart = [forecast_fit(one, known(), t, level=0.9)[0] for one in (fit, other)]
    even, _ = forecast_beliefs((Belief(fit, 0.5), Belief(other, 0.5)), known(), t, level=0.9)
    np.testing.assert_allclose(even.centre_px, 0.5 * (apart[0].centre_px + apart[1].centre_px), atol=1e-9)
    for one in apart:
        assert np.all((one.centre_px[-1] > even.lower_px[-1]) & (one.centre_px[-1] < even.upper_px[-1]))
    rare, _ = forecast_beliefs((Belief(fit, 0.999), Belief(other, 0.001)), known(), t, level=0.9)
    np.testing.assert_allclose(rare.lower_px, apart[0].lower_px, atol=0.2)


def test_a_mixture_of_equals_is_the_one_that_they_are(pair: tuple[Filmed, Fit]) -> None:
    filmed, fit = pair
    made = forecast(filmed, fit, filmed.rest.t)
    mixed, _ = forecast_beliefs((Belief(fit, 0.3), Belief(fit, 0.7)), known(), filmed.rest.t, level=0.9)
    np.testing.assert_allclose(mixed.lower_px, made.lower_px, atol=1e-6)
    np.testing.assert_allclose(mixed.upper_px, made.upper_px, atol=1e-6)
