"""Kalman filters: the discretisation is exact, the innovations find the noise, bands hold what they say."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from newtonscheme.baselines.forecaster import Forecaster, Question
from newtonscheme.baselines.kalman import KalmanConstantAcceleration, KalmanConstantVelocity, process_covariance, transition
from newtonscheme.camera import table_camera
from newtonscheme.types import Floats, Forecast, Refusal, Track

ORDERS = {KalmanConstantVelocity(): 2, KalmanConstantAcceleration(): 3}
RIVALS = tuple(ORDERS)
T = np.arange(20) / 30.0
SHIFT_PX = np.array([1e3, -2e3])
AHEAD = T[-1] + np.arange(1, 11) / 30.0
POWERS = np.array([[310.0, 95.0], [140.0, -210.0], [-60.0, 300.0]])


def polynomial(t: Floats, order: int) -> Floats:
    return np.asarray(np.vander(t, order, increasing=True) @ POWERS[:order])


def make_track(t: Floats, centre: Floats, sigma: float = 0.1, correlation_time: float = 0.0) -> Track:
    n = len(t)
    nothing = np.full(n, np.nan)
    return Track(
        frame=np.arange(n), t=t, centre_px=centre, covariance_px=np.tile(sigma**2 * np.eye(2), (n, 1, 1)), radius_px=nothing,
        radius_sigma_px=nothing, score=np.ones(n), correlation_time=correlation_time,
    )  # fmt: skip


def ask(rival: Forecaster, track: Track, ahead: Floats = AHEAD) -> Forecast:
    answer = rival.forecast(Question(observed=track, t=ahead, camera=table_camera()))
    assert isinstance(answer, Forecast)
    return answer


@pytest.mark.parametrize("order", [2, 3])
def test_two_short_steps_are_one_long_step(order: int) -> None:
    a, b = 0.3, 1.1
    assert_allclose(transition(a + b, order), transition(b, order) @ transition(a, order))
    ahead = transition(b, order)
    assert_allclose(process_covariance(a + b, order), ahead @ process_covariance(a, order) @ ahead.T + process_covariance(b, order))


def test_the_process_covariance_is_that_of_the_book() -> None:
    dt = 0.7
    assert_allclose(process_covariance(dt, 2), [[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
    book = [[dt**5 / 20, dt**4 / 8, dt**3 / 6], [dt**4 / 8, dt**3 / 3, dt**2 / 2], [dt**3 / 6, dt**2 / 2, dt]]
    assert_allclose(process_covariance(dt, 3), book)


@pytest.mark.parametrize("rival", RIVALS, ids=lambda r: r.name)
def test_its_own_law_is_continued_within_the_noise(rival: Forecaster) -> None:
    order = ORDERS[rival]
    uneven = np.sort(np.delete(T + np.random.default_rng(0).uniform(-0.01, 0.01, len(T)), [4, 5, 6, 13]))
    for t in (T, uneven):
        made = ask(rival, make_track(t, polynomial(t, order), 1e-4))
        assert_allclose(made.centre_px, polynomial(AHEAD, order), atol=0.01)


@pytest.mark.parametrize("rival", RIVALS, ids=lambda r: r.name)
def test_place_size_axes_and_clock_are_only_units(rival: Forecaster) -> None:
    path = polynomial(T, 3) + np.random.default_rng(1).normal(0.0, 0.1, (len(T), 2))
    plain = ask(rival, make_track(T, path))
    moved = ask(rival, make_track(T + 50.0, path + SHIFT_PX), AHEAD + 50.0)
    assert_allclose(moved.upper_px, plain.upper_px + SHIFT_PX, atol=1e-4)
    large = ask(rival, make_track(4.0 * T, 3.0 * path, 0.3), 4.0 * AHEAD)
    assert_allclose(large.lower_px, 3.0 * plain.lower_px, rtol=1e-6)
    swapped = ask(rival, make_track(T, path[:, ::-1]))
    assert_allclose(swapped.upper_px[:, ::-1], plain.upper_px, rtol=1e-9)


@pytest.mark.parametrize("rival", RIVALS, ids=lambda r: r.name)
@pytest.mark.parametrize("density", [300.0, 30000.0])
def test_bands_hold_nine_in_ten_of_paths_that_its_own_process_draws(rival: Forecaster, density: float) -> None:
    order, n, rng = ORDERS[rival], 120, np.random.default_rng(5)
    t = np.concatenate([T, AHEAD])
    held = []
    for _ in range(n):
        state = np.zeros((2, order))
        path = [state[:, 0]]
        for dt in np.diff(t):
            root = np.linalg.cholesky(density * process_covariance(float(dt), order))
            state = state @ transition(float(dt), order).T + rng.standard_normal((2, order)) @ root.T
            path.append(state[:, 0])
        truth = np.array(path) + polynomial(t, order)
        made = ask(rival, make_track(T, truth[: len(T)] + rng.normal(0.0, 0.2, (len(T), 2)), 0.2))
        held.append((made.lower_px[-1] <= truth[-1]) & (truth[-1] <= made.upper_px[-1]))
    # 240 axes: one binomial sigma is 1.9 %; the process noise is learned from 20 samples, which costs some.
    assert 0.82 < np.mean(held) < 0.98


@pytest.mark.parametrize("rival", RIVALS, ids=lambda r: r.name)
def test_bands_hold_steady_motion_under_correlated_errors(rival: Forecaster) -> None:
    order, correlation, rng, held = ORDERS[rival], 0.7, np.random.default_rng(9), []
    truth = polynomial(AHEAD, order)
    for _ in range(60):
        errors = rng.standard_normal((len(T), 2))
        for i in range(1, len(T)):
            errors[i] = correlation * errors[i - 1] + np.sqrt(1.0 - correlation**2) * errors[i]
        made = ask(rival, make_track(T, polynomial(T, order) + 0.1 * errors, correlation_time=float(-T[1] / np.log(correlation))))
        held.append((made.lower_px[-1] <= truth[-1]) & (truth[-1] <= made.upper_px[-1]))
    assert np.mean(held) > 0.8


@pytest.mark.parametrize("rival", RIVALS, ids=lambda r: r.name)
def test_one_wrong_sample_moves_the_forecast_by_no_more_than_its_band(rival: Forecaster) -> None:
    order = ORDERS[rival]
    path = polynomial(T, order) + np.random.default_rng(6).normal(0.0, 0.1, (len(T), 2))
    clean = ask(rival, make_track(T, path))
    path[9] += [30.0, -30.0]
    hit = ask(rival, make_track(T, path))
    assert np.all(np.abs(hit.centre_px - clean.centre_px) <= clean.upper_px - clean.lower_px)


@pytest.mark.parametrize("rival", RIVALS, ids=lambda r: r.name)
def test_too_few_samples_are_refused_and_enough_are_not(rival: Forecaster) -> None:
    for n in range(1, 6):
        t = T[:n]
        answer = rival.forecast(Question(observed=make_track(t, polynomial(t, 3)), t=AHEAD, camera=table_camera()))
        assert isinstance(answer, Forecast) == (n >= ORDERS[rival])
        if isinstance(answer, Refusal):
            assert answer.reason == "too_short"


@pytest.mark.parametrize("rival", RIVALS, ids=lambda r: r.name)
def test_samples_at_rest_and_without_noise_are_no_obstacle(rival: Forecaster) -> None:
    made = ask(rival, make_track(T, np.tile([50.0, 60.0], (len(T), 1)), 0.0))
    assert_allclose(made.centre_px, np.tile([50.0, 60.0], (len(AHEAD), 1)), atol=1e-6)
