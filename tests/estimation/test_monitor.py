"""A locked fit rings when the motion breaks, soon, and not before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from truths import FREE_BODY, Filmed, assumed_camera, bounce_path, film_path, fitted, known, swing_path

from newtonscheme.estimation.breaks import WINDOW
from newtonscheme.estimation.fitting import fit_pattern, restate
from newtonscheme.estimation.forecasting import normal_quantile
from newtonscheme.estimation.monitor import (
    CHARGE_ALARM,
    FALSE_ALARM,
    alarm_threshold,
    clock_jitter,
    first_break,
    innovations,
    normalised_squares,
    start,
    step,
)  # fmt: skip
from newtonscheme.physics.models import PATTERNS
from newtonscheme.types import Fit, Track

SWING = {
    "g": 9.81, "air_density": 1.19, "mass": 0.5, "diameter": 0.07, "theta": 0.5, "omega": 0.0, "length": 0.6, "damping": 0.004,
    "quadratic_damping": 0.002, "dry_damping": 0.0, "plane_angle": 0.05,
}  # fmt: skip


def fit_rows(filmed: Filmed, pattern: str, first: int, last: int) -> Fit:
    return fit_pattern(filmed.track.select(slice(first, last)), pattern, camera=assumed_camera(), body=FREE_BODY, known=known())


def watch(fit: Fit, samples: Track) -> tuple[np.ndarray, np.ndarray]:
    """Normalised squares and alarms of samples fed one by one."""
    monitor, squares, alarms = start(fit, known()), [], []
    for i in range(len(samples)):
        monitor, innovation = step(monitor, samples.select(slice(i, i + 1)))
        squares.append(innovation.normalised_square)
        alarms.append(innovation.alarm)
    return np.array(squares), np.array(alarms)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_first_innovations_are_those_of_the_locked_fit(pattern: str) -> None:
    filmed, fit = fitted(pattern, 2)
    problem = restate(fit, known())
    squares, alarms = watch(fit, filmed.rest)
    together = normalised_squares(problem, fit, filmed.rest)
    # The integrator's grid follows the last time that it is asked for, so the two agree to its accuracy; samples are taken in from there on.
    first = slice(0, WINDOW)
    np.testing.assert_allclose(squares[first], together[first], rtol=0.1, atol=0.1)
    assert not np.any(alarms)
    residual, covariance = innovations(problem, fit, filmed.rest)
    assert residual.shape == (len(filmed.rest), 2)
    assert np.all(np.linalg.eigvalsh(covariance) > 0)


def test_a_step_leaves_the_monitor_that_it_was_given_as_it_was() -> None:
    filmed, fit = fitted("free_fall", 3)
    monitor = start(fit, known())
    far = filmed.rest.select(slice(0, 1))
    once, _ = step(monitor, far)
    twice, _ = step(monitor, far)
    assert len(monitor.recent.t) == 1
    np.testing.assert_array_equal(once.recent.residual, twice.recent.residual)
    assert len(once.recent.t) == 2


def test_samples_that_have_passed_make_the_prediction_surer() -> None:
    filmed = film_path(swing_path(SWING), 4.0, seed=4)
    fit = fit_rows(filmed, "pendulum", 0, 60)
    monitor = start(fit, known())
    for i in range(60, 60 + 3 * WINDOW):
        monitor, innovation = step(monitor, filmed.track.select(slice(i, i + 1)))
    locked = innovations(monitor.problem, fit, filmed.track.select(slice(i, i + 1)))[1][0]
    assert np.trace(innovation.covariance_px) < 0.5 * np.trace(locked)
    assert np.all(np.linalg.eigvalsh(np.eye(len(monitor.mean)) - monitor.spread) > -1e-9)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_samples_of_an_unbroken_motion_are_in_line(pattern: str) -> None:
    rung = 0
    for seed in range(12 if pattern == "free_fall" else 4):
        filmed, fit = fitted(pattern, seed)
        _, alarms = watch(fit, filmed.rest)
        rung += bool(np.any(alarms))
    assert rung <= 1


@pytest.mark.parametrize("seed", range(4))
def test_a_bounce_rings_within_two_samples(seed: int) -> None:
    path, bounces = bounce_path()
    filmed = film_path(path, 0.9, seed=seed)
    contact = int(np.searchsorted(filmed.track.t, bounces[0]))
    fit = fit_rows(filmed, "free_fall", 0, contact - 4)
    rest = filmed.track.select(slice(contact - 4, None))
    monitor = start(fit, known())
    for i in range(len(rest)):
        monitor, innovation = step(monitor, rest.select(slice(i, i + 1)))
        if innovation.alarm:
            break
    assert i - 4 <= 2
    assert abs(innovation.broken_at - bounces[0]) < 1.0 / 60.0


def test_samples_of_an_unbroken_swing_ring_no_alarm() -> None:
    filmed = film_path(swing_path(SWING), 500 / 60, seed=1)
    fit = fit_rows(filmed, "pendulum", 0, 250)
    squares, alarms = watch(fit, filmed.track.select(slice(250, None)))
    assert len(squares) == 250
    assert not np.any(alarms)
    assert 0.7 * 1.386 < np.median(squares) < 1.4 * 1.386  # chi-squared with two degrees of freedom has the median 2 ln 2


def test_a_swing_that_is_stopped_rings_at_once() -> None:
    path = swing_path(SWING)

    def stopped(t: np.ndarray) -> np.ndarray:
        there = path(t)
        return np.where((t < 6.0)[:, None], there, path(np.append(t[:1], 6.0))[1])

    filmed = film_path(stopped, 7.0, seed=2)
    fit = fit_rows(filmed, "pendulum", 0, 300)
    _, alarms = watch(fit, filmed.track.select(slice(300, None)))
    assert 60 <= np.flatnonzero(alarms)[0] <= 64


def test_one_outlier_rings_nothing_and_a_path_that_goes_on_elsewhere_does() -> None:
    filmed, fit = fitted("free_fall", 7)
    rest = filmed.rest
    assert len(rest) >= 6

    def moved(*rows: int) -> Track:
        centre = rest.centre_px.copy()
        centre[list(rows)] += 300.0
        return Track(frame=rest.frame, t=rest.t, centre_px=centre, covariance_px=rest.covariance_px, radius_px=rest.radius_px,
                     radius_sigma_px=rest.radius_sigma_px, score=rest.score)  # fmt: skip

    assert not np.any(watch(fit, moved(2))[1])
    assert not np.any(watch(fit, moved(1, 4))[1])
    assert np.flatnonzero(watch(fit, moved(*range(2, len(rest))))[1])[0] <= 4


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_charges_of_an_unbroken_motion_stay_in_balance_and_a_push_unbalances_them(pattern: str) -> None:
    filmed, fit = fitted(pattern, 5)
    rest = filmed.rest
    # Along the picture's diagonal, where neither a swing nor a flight is blind.
    speed = float(np.hypot(*np.ptp(fit.track.centre_px, axis=0))) / float(np.ptp(fit.track.t))
    pushed = replace(rest, centre_px=rest.centre_px + np.outer(np.maximum(rest.t - rest.t[1], 0.0), [speed, speed]))
    highest = {}
    for name, samples in (("unbroken", rest), ("pushed", pushed)):
        monitor, seen = start(fit, known(), charges=True), []
        for i in range(min(len(samples), 8)):
            monitor, innovation = step(monitor, samples.select(slice(i, i + 1)))
            seen.append(innovation.imbalance)
        highest[name] = max(seen)
        assert len(innovation.charges) == len(monitor.problem.model.symmetries)
    assert highest["unbroken"] < CHARGE_ALARM < highest["pushed"]


def test_a_clock_that_jitters_shows_along_the_path() -> None:
    _, fit = fitted("free_fall", 7)
    velocity = np.gradient(fit.track.centre_px - fit.residuals[:, :2], fit.track.t, axis=0)
    late = 0.002 * np.random.default_rng(0).standard_normal(len(velocity))
    residuals = fit.residuals.copy()
    residuals[:, :2] += late[:, None] * velocity
    path = fit.track.centre_px - fit.residuals[:, :2]
    jittered = replace(fit, residuals=residuals, track=replace(fit.track, centre_px=path + residuals[:, :2]))
    assert clock_jitter(jittered) == pytest.approx(0.002, rel=0.4)
    assert clock_jitter(fit) < 0.0005


@pytest.mark.parametrize(
    ("out", "expected"),
    [("......", 6), ("..x...", 6), ("..xx..", 2), ("..x.x.", 2), ("..x..x", 5), (".....x", 5), ("xx....", 0), ("", 0), ("x", 0)],
)
def test_a_pattern_ends_at_the_first_of_two_samples_out_of_three(out: str, expected: int) -> None:
    assert first_break(np.array([mark == "x" for mark in out], dtype=bool)) == expected


def test_the_threshold_is_the_chi_squared_one_for_noise_that_is_well_known() -> None:
    assert alarm_threshold(1e9) == pytest.approx(-2 * np.log(FALSE_ALARM), rel=1e-3)
    assert alarm_threshold(6.0) > alarm_threshold(60.0) > alarm_threshold(600.0)
    assert np.isfinite(alarm_threshold(0.0))


def test_a_quantile_is_the_half_width_of_a_central_interval() -> None:
    assert normal_quantile(0.9) == pytest.approx(1.6449, abs=1e-4)
    assert normal_quantile(0.6827) == pytest.approx(1.0, abs=1e-3)


def test_a_law_that_cannot_be_followed_so_far_has_ended() -> None:
    filmed, fit = fitted("free_fall", 2)
    monitor = start(fit, known(), charges=True)
    late = filmed.rest.select(slice(0, 1))
    after, innovation = step(monitor, replace(late, t=late.t + 1e80))
    assert innovation.alarm
    assert innovation.out_of_line
    assert after is monitor
