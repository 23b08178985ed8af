"""A pattern is stable when its law leaves nothing, its charges balance, and no free path would do as well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from truths import FREE_BODY, Filmed, assumed_camera, film_path, film_pattern, fit_seen, fitted, known

from newtonscheme.estimation.fitting import fit_pattern
from newtonscheme.estimation.segmentation import MIN_STABLE_SAMPLES
from newtonscheme.estimation.stability import (
    LEAST_LOG_ODDS,
    SIGNIFICANT_MISFIT,
    assess_fit,
    balance_charges,
    extent_px,
    log_odds_over_free_path,
    smooth_misfit,
)  # fmt: skip
from newtonscheme.physics.models import FORCE_MODELS, PATTERNS
from newtonscheme.synth.scene import TrackNoise
from newtonscheme.types import NO_WOBBLE, Fit, Floats

Path = Callable[[Floats], Floats]
SEEDS = range(6)


def fit_path(path: Path, pattern: str = "free_fall", duration: float = 0.8, seed: int = 0) -> Fit:
    filmed = film_path(path, duration, seed=seed)
    return fit_pattern(filmed.track, pattern, camera=assumed_camera(), body=FREE_BODY, known=known())


def throw_with(extra: Path) -> Path:
    """A throw with something added to it that its law does not know."""

    def path(t: Floats) -> Floats:
        since = t - t[0]
        return np.stack([1.5 * since, 3.0 * since - 4.905 * since**2, 0 * since], axis=-1) + extra(since)

    return path


def wobble(size: float, periods: float = 2.0, duration: float = 0.8) -> Path:
    return lambda t: np.stack([size * np.sin(2 * np.pi * periods * t / duration), 0 * t, 0 * t], axis=-1)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_true_pattern_is_stable_and_says_why(pattern: str) -> None:
    verdicts = []
    for seed in SEEDS:
        _, fit = fitted(pattern, seed)
        verdict, reasons, charges, misfit = assess_fit(fit, known())
        verdicts.append(verdict)
        assert reasons
        assert {charge.name for charge in charges} == {symmetry.name for symmetry in FORCE_MODELS[pattern].symmetries}
        assert misfit < 0.01 * extent_px(fit.track)
    assert verdicts.count("stable") >= len(SEEDS) - 1


@pytest.mark.parametrize("size", [0.15, 0.4])
def test_a_motion_with_a_smooth_force_that_is_not_in_the_law_is_not_stable(size: float) -> None:
    verdict, reasons, _, misfit = assess_fit(fit_path(throw_with(wobble(size))), known())
    assert verdict in ("drifting", "broken")
    assert "misfit" in " ".join(reasons) or "drifts" in " ".join(reasons)
    assert misfit > 0


def test_a_wobble_under_the_noise_is_stable() -> None:
    assert assess_fit(fit_path(throw_with(wobble(1e-5))), known())[0] == "stable"


def test_a_scrap_of_a_swing_that_does_not_tell_its_period_is_refused_for_it() -> None:
    said = []
    for seed in range(12):
        filmed = film_pattern("pendulum", seed, share=1.0, fps=30.0, noise=TrackNoise(sigma_px=0.4))
        for n in (6, len(filmed.track)):
            fit = fit_seen(replace(filmed, seen=filmed.track.select(slice(0, n))), pattern="pendulum")
            period = fit.parameters["period"]
            verdict, reasons, _, _ = assess_fit(fit, known())
            assert period.sigma < 0.2 * period.value or verdict == "broken"
            if n == 6:
                said.append(" ".join(reasons))
            else:
                assert verdict == "stable"
    assert sum("its period is known to" in words for words in said) >= 3


@pytest.mark.parametrize("n", range(5, MIN_STABLE_SAMPLES))
def test_few_samples_are_too_short(n: int) -> None:
    filmed, _ = fitted("free_fall", 7)
    fit = fit_seen(replace(filmed, seen=filmed.seen.select(slice(0, n))))
    verdict, reasons, _, _ = assess_fit(fit, known())
    assert verdict == "too_short"
    assert str(MIN_STABLE_SAMPLES) in reasons[0]


def test_a_line_at_constant_speed_shows_no_gravity() -> None:
    refused = 0
    for seed in range(6):
        fit = fit_path(lambda t: np.stack([1.2 * t, 0.3 * t, 0 * t], axis=-1), seed=seed)
        verdict, _, _, _ = assess_fit(fit, known())
        refused += verdict != "stable" or log_odds_over_free_path(fit) < LEAST_LOG_ODDS
    assert refused >= 5


@pytest.mark.parametrize("seed", [4, 22])
def test_lift_that_hides_the_scale_does_not_hide_that_the_path_bends(seed: int) -> None:
    fit = fit_seen(film_pattern("curving_ball", seed, share=0.6, fps=60.0, duration=0.5))
    assert np.sqrt(fit.covariance[fit.names.index("px_per_m"), fit.names.index("px_per_m")]) > 0.35
    verdict, reasons, _, _ = assess_fit(fit, known())
    assert verdict == "stable", reasons


@pytest.mark.parametrize("seed", range(4))
def test_a_path_that_bends_upwards_shows_no_gravity_though_lift_could_explain_it(seed: int) -> None:
    fit = fit_path(lambda t: np.stack([0.4 * t, 0.3 * t + 4.0 * t**2, 0 * t], axis=-1), "curving_ball", seed=seed)
    verdict, reasons, _, _ = assess_fit(fit, known())
    assert verdict == "broken"
    assert any("no gravity is seen" in reason for reason in reasons)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_charges_of_a_true_motion_balance_within_their_sigmas(pattern: str) -> None:
    drifts, excess = [], []
    for seed in SEEDS:
        filmed, fit = fitted(pattern, seed)
        for charge in balance_charges(fit, known()):
            drifts.append(charge.drift_sigma)
            excess.append(np.median(np.abs(charge.imbalance) / charge.sigma))
            assert charge.imbalance.shape == charge.t.shape == (len(filmed.seen),)
            assert np.all(charge.sigma > 0)
    assert np.sqrt(np.mean(np.square(drifts))) < 2.0
    assert np.median(excess) < 1.5


@pytest.mark.parametrize(("name", "push"), [("horizontal_momentum", (2.0, 0.0)), ("vertical_boost", (0.0, 2.0))])
def test_a_push_along_an_axis_unbalances_the_charge_of_that_axis(name: str, push: tuple[float, float]) -> None:
    """A fit of the first half, held against the whole, in which a steady push (m/s^2) begins half way."""

    def pushed(t: Floats) -> Floats:
        late = np.maximum(t - 0.4, 0.0)
        return np.stack([0.5 * push[0] * late**2, 0.5 * push[1] * late**2, 0 * t], axis=-1)

    filmed = film_path(throw_with(pushed), 0.8, seed=1, fps=120.0)
    half = fit_pattern(filmed.track.select(slice(0, 48)), "free_fall", camera=assumed_camera(), body=FREE_BODY, known=known())
    image = residuals_over(half, filmed)
    whole = replace(half, track=filmed.track, residuals=image, weights=np.ones((len(filmed.track), 3)))
    charges = {charge.name: charge for charge in balance_charges(whole, known())}
    assert abs(charges[name].drift_sigma) > 10
    assert np.sign(charges[name].drift_sigma) == 1


def residuals_over(fit: Fit, filmed: Filmed) -> Floats:
    from newtonscheme.estimation.fitting import restate
    from newtonscheme.estimation.parameters import predict_image

    image, _ = predict_image(restate(fit, known()), fit.estimate[None], filmed.track.t - filmed.track.t[0])
    return np.column_stack([filmed.track.centre_px, filmed.track.radius_px]) - image[0]


def test_a_sample_that_is_vague_and_far_off_is_no_misfit() -> None:
    """A half-seen hand at the end of a throw, placed to 30 px and 60 px off, says nothing against the throw."""
    filmed = film_pattern("free_fall", 3, share=1.0, fps=30.0, duration=0.8, noise=TrackNoise(sigma_px=0.3))
    centre, covariance = filmed.track.centre_px.copy(), filmed.track.covariance_px.copy()
    centre[-1], covariance[-1] = centre[-1] + (60.0, 0.0), 30.0**2 * np.eye(2)
    track = replace(filmed.track, centre_px=centre, covariance_px=covariance)
    fit = fit_pattern(track, "free_fall", camera=assumed_camera(), body=FREE_BODY, known=known())
    assert assess_fit(fit, known())[0] == "stable"
    sharp = fit_pattern(replace(track, covariance_px=filmed.track.covariance_px), "free_fall", camera=assumed_camera(), body=FREE_BODY, known=known())
    assert np.hypot(*sharp.residuals[-1, :2]) > 30.0, "it is an outlier all the same"


def test_white_residuals_have_no_smooth_misfit_and_a_wave_has_its_own() -> None:
    _, fit = fitted("free_fall", 7)
    white = np.random.default_rng(0).normal(0, 0.15, fit.residuals.shape)
    wave = white.copy()
    wave[:, 0] += 2.0 * np.sin(np.linspace(0, 2 * np.pi, len(wave)))
    quiet, waving = (smooth_misfit(replace(fit, residuals=residual, weights=np.ones_like(residual))) for residual in (white, wave))
    assert quiet[0] < 0.15
    assert quiet[1] < SIGNIFICANT_MISFIT
    assert waving[0] == pytest.approx(1.0, rel=0.2)  # an rms of sqrt(2) on one of two axes
    assert waving[1] > SIGNIFICANT_MISFIT


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("n", [12, 20, 40])
def test_white_residuals_are_hardly_ever_called_a_misfit_on_one_axis_or_two(n: int, axes: int) -> None:
    """A table of heights has nothing to tell on the other axis."""
    filmed = film_pattern("free_fall", 7, share=1.0, fps=60.0, duration=0.8)
    seen = replace(filmed, seen=filmed.track.select(slice(0, n)))
    fit = replace(fit_seen(seen), weights=np.ones((n, 3)), wobble=NO_WOBBLE)
    law, rng, called = np.linalg.qr(np.vander(fit.track.t, 3))[0], np.random.default_rng(n), 0
    for _ in range(300):
        residual = np.zeros((n, 3))
        residual[:, :axes] = rng.normal(0.0, 0.15, (n, axes))
        residual -= law @ (law.T @ residual)
        called += smooth_misfit(replace(fit, residuals=residual))[1] > SIGNIFICANT_MISFIT
    assert called <= 3


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_law_that_holds_is_more_evident_than_a_free_path(pattern: str) -> None:
    odds = [log_odds_over_free_path(fit) for fit in (fitted(pattern, seed)[1] for seed in SEEDS) if len(fit.track) >= 10]
    assert np.median(odds) > LEAST_LOG_ODDS
    assert np.mean(np.array(odds) > LEAST_LOG_ODDS) >= 0.8


def test_a_law_that_does_not_hold_is_less_evident_than_a_free_path() -> None:
    assert log_odds_over_free_path(fit_path(throw_with(wobble(0.3, periods=3.0)))) < LEAST_LOG_ODDS


@pytest.mark.parametrize("pattern", ["free_fall", "curving_ball"])
@pytest.mark.parametrize("seed", range(6))
def test_what_rolls_away_at_constant_speed_needs_no_gravity(pattern: str, seed: int) -> None:
    """It slows down in the picture, and shrinks, as a ball that is thrown up and away does."""
    fit = fit_path(lambda t: np.stack([0.4 * t, 0.3 * t, -1.5 * t], axis=-1), pattern, seed=seed)
    assert log_odds_over_free_path(fit) < LEAST_LOG_ODDS or assess_fit(fit, known())[0] != "stable"


def test_the_odds_do_not_depend_on_how_the_samples_divide_into_blocks() -> None:
    """Blocks of five and six samples are unevenly far apart, and a free path must not be asked to explain that."""
    filmed = film_pattern("free_fall", 3, share=1.0, fps=120.0, duration=0.8, noise=TrackNoise(sigma_px=0.3))
    odds = []
    for n in (80, 85, 91, 96):
        track = filmed.track.select(slice(0, n))
        odds.append(log_odds_over_free_path(fit_pattern(track, "free_fall", camera=assumed_camera(), body=FREE_BODY, known=known())))
    assert np.all(np.abs(np.diff(odds)) < 5.0)


@pytest.mark.parametrize("gap", [slice(20, 30), slice(30, 44)])
def test_a_gap_is_no_evidence_for_a_law(gap: slice) -> None:
    """What wanders is not more of a law for not having been seen all the time."""
    filmed = film_path(throw_with(wobble(0.3, periods=3.0)), 0.8, seed=2, fps=80.0)
    kept = np.setdiff1d(np.arange(len(filmed.track)), np.arange(len(filmed.track))[gap])
    fit = fit_pattern(filmed.track.select(kept), "free_fall", camera=assumed_camera(), body=FREE_BODY, known=known())
    assert log_odds_over_free_path(fit) < LEAST_LOG_ODDS


def test_errors_that_come_in_runs_are_less_of_a_misfit() -> None:
    """The mean of samples whose errors go together is off by more than that of independent ones."""
    filmed = film_pattern("free_fall", 3, share=1.0, fps=120.0, duration=0.8, noise=TrackNoise(sigma_px=0.3))
    fit = fit_pattern(filmed.track, "free_fall", camera=assumed_camera(), body=FREE_BODY, known=known())
    runs = np.where(np.arange(len(fit.track)) // 6 % 2 == 0, 1.0, -1.0)[:, None]
    residuals = 1.5 * runs * np.ones_like(fit.residuals)
    alone, together = (log_odds_over_free_path(replace(fit, residuals=residuals, noise=replace(fit.noise, correlation=phi))) for phi in (0.0, 0.8))
    assert together > alone


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("degree", range(4))
def test_slow_errors_that_a_track_owns_to_do_not_speak_against_its_law(pattern: str, degree: int) -> None:
    """A lit side or what is behind an object pulls its centre for long; how far is part of what the track says of itself."""
    _, fit = fitted(pattern, 0)
    course = np.polynomial.legendre.Legendre.basis(degree)(np.linspace(-1.0, 1.0, len(fit.track)))
    size = 0.01 * extent_px(fit.track) / float(np.median(fit.noise.scale * fit.track.sigma_px))
    off = size * fit.noise.scale * (fit.track.sigma_px * course)[:, None] * (1.0, -1.0)
    tracks = (replace(fit.track, centre_px=fit.track.centre_px + off, slow_error=told) for told in (0.0, size))
    residuals = fit.residuals + np.column_stack([off, np.zeros(len(off))])
    unsaid, said = (log_odds_over_free_path(replace(fit, track=track, residuals=residuals)) for track in tracks)
    assert unsaid < LEAST_LOG_ODDS
    assert said > unsaid + 3.0


def test_more_noise_leaves_less_evidence_for_the_law() -> None:
    odds = [
        log_odds_over_free_path(fit_seen(film_pattern("free_fall", 7, share=1.0, noise=TrackNoise(sigma_px=sigma)))) for sigma in (0.1, 3.0, 20.0)
    ]
    assert odds[0] > odds[1] > odds[2]


def test_a_failed_fit_has_no_charges() -> None:
    filmed, _ = fitted("free_fall", 7)
    failed = fit_seen(replace(filmed, seen=filmed.seen.select(slice(0, 3))))
    assert balance_charges(failed, known()) == ()
