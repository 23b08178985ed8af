"""The simple rivals are exact where their law holds, honest where noise is Gaussian, and indifferent to units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from newtonscheme.baselines.forecaster import Forecaster, Question
from newtonscheme.baselines.kalman import KalmanConstantAcceleration, KalmanConstantVelocity
from newtonscheme.baselines.polynomial import FreeCubic, FreeQuadratic, LastVelocity
from newtonscheme.baselines.sindy import Sindy, available
from newtonscheme.camera import table_camera
from newtonscheme.types import Floats, Forecast, Refusal, Track

RIVALS: tuple[Forecaster, ...] = (LastVelocity(), FreeQuadratic(), FreeCubic(), KalmanConstantVelocity(), KalmanConstantAcceleration())
WITH_SINDY: tuple[Forecaster, ...] = (*RIVALS, *((Sindy(),) if available() else ()))
DEGREE = {"last_velocity": 1, "free_quadratic": 2, "free_cubic": 3, "kalman_constant_velocity": 1, "kalman_constant_acceleration": 2}


def track_of(t: Floats, centre: Floats, sigma: float = 0.1) -> Track:
    n = len(t)
    return Track(
        frame=np.arange(n), t=t, centre_px=centre, covariance_px=np.tile(sigma**2 * np.eye(2), (n, 1, 1)), radius_px=np.full(n, np.nan),
        radius_sigma_px=np.full(n, np.nan), score=np.ones(n),
    )  # fmt: skip


def ask(rival: Forecaster, path: Callable[[Floats], Floats], t: Floats, ahead: Floats, noise: Floats | float = 0.0, sigma: float = 0.1) -> Forecast:
    answer = rival.forecast(Question(observed=track_of(t, path(t) + noise, sigma), t=ahead, camera=table_camera()))
    assert isinstance(answer, Forecast)
    return answer


def polynomial(degree: int) -> Callable[[Floats], Floats]:
    powers = np.array([[30.0, 80.0], [120.0, -90.0], [40.0, 150.0], [-35.0, 60.0]])[: degree + 1]
    return lambda t: np.vander(np.asarray(t), degree + 1, increasing=True) @ powers


T = np.arange(24) / 30.0
AHEAD = T[-1] + np.arange(1, 13) / 30.0
UNEVEN = np.delete(T, [3, 4, 11, 17])


@pytest.mark.parametrize("rival", RIVALS, ids=lambda r: r.name)
@pytest.mark.parametrize("t", [T, UNEVEN], ids=["even", "gaps"])
def test_a_path_of_its_own_degree_is_forecast_exactly(rival: Forecaster, t: Floats) -> None:
    path = polynomial(DEGREE[rival.name])
    made = ask(rival, path, t, AHEAD, sigma=0.01)
    np.testing.assert_allclose(made.centre_px, path(AHEAD), atol=0.5)
    assert np.all((made.lower_px <= made.centre_px) & (made.centre_px <= made.upper_px))


@pytest.mark.parametrize("rival", WITH_SINDY, ids=lambda r: r.name)
def test_shift_scale_and_the_unit_of_time_change_nothing_else(rival: Forecaster) -> None:
    rng = np.random.default_rng(5)
    noise = rng.normal(0.0, 0.1, (len(T), 2))
    path = polynomial(2)
    plain = ask(rival, path, T, AHEAD, noise)
    shifted = ask(rival, lambda t: path(t) + np.array([300.0, -70.0]), T, AHEAD, noise)
    np.testing.assert_allclose(shifted.centre_px - [300.0, -70.0], plain.centre_px, atol=0.05)
    slow = ask(rival, lambda t: path(t / 4.0), 4.0 * T, 4.0 * AHEAD, noise)
    np.testing.assert_allclose(slow.centre_px, plain.centre_px, atol=0.3)
    large = ask(rival, lambda t: 3.0 * path(t), T, AHEAD, 3.0 * noise, 0.3)
    np.testing.assert_allclose(large.centre_px / 3.0, plain.centre_px, atol=0.3)
    mirrored = ask(rival, lambda t: path(t)[:, ::-1], T, AHEAD, noise[:, ::-1])
    np.testing.assert_allclose(mirrored.centre_px[:, ::-1], plain.centre_px, atol=0.3)


@pytest.mark.parametrize("rival", RIVALS, ids=lambda r: r.name)
def test_bands_hold_the_truth_of_their_own_law(rival: Forecaster) -> None:
    rng, held, n = np.random.default_rng(11), [], 60
    path = polynomial(min(DEGREE[rival.name], 2))
    for _ in range(n):
        made = ask(rival, path, T, AHEAD[:8], rng.normal(0.0, 0.1, (len(T), 2)))
        truth = path(AHEAD[:8])
        held.append(np.mean((truth >= made.lower_px) & (truth <= made.upper_px)))
    assert np.mean(held) > 0.75


@pytest.mark.parametrize("rival", RIVALS, ids=lambda r: r.name)
def test_one_outlier_does_not_decide(rival: Forecaster) -> None:
    noise = np.random.default_rng(2).normal(0.0, 0.1, (len(T), 2))
    path = polynomial(min(DEGREE[rival.name], 2))
    clean = ask(rival, path, T, AHEAD, noise)
    noise[15] += [25.0, -25.0]
    hit = ask(rival, path, T, AHEAD, noise)
    assert np.max(np.abs(hit.centre_px - clean.centre_px)) < 12.0


@pytest.mark.parametrize("rival", WITH_SINDY, ids=lambda r: r.name)
def test_a_single_sample_is_refused(rival: Forecaster) -> None:
    answer = rival.forecast(Question(observed=track_of(T[:1], polynomial(1)(T[:1])), t=AHEAD, camera=table_camera()))
    assert isinstance(answer, Refusal)
    assert answer.reason == "too_short"


@pytest.mark.parametrize("rival", WITH_SINDY, ids=lambda r: r.name)
def test_the_same_question_has_the_same_answer(rival: Forecaster) -> None:
    noise = np.random.default_rng(8).normal(0.0, 0.2, (len(T), 2))
    first, again = (ask(rival, polynomial(2), T, AHEAD, noise) for _ in range(2))
    np.testing.assert_array_equal(first.upper_px, again.upper_px)


needs_pysindy = pytest.mark.skipif(not available(), reason="pysindy is not installed: pip install 'newtonscheme[learn]'")


@needs_pysindy
def test_a_sparse_model_swings_on() -> None:
    t, w = np.arange(60) / 30.0, 5.0
    ahead = t[-1] + np.arange(1, 40) / 30.0

    def path(t: Floats) -> Floats:
        return np.column_stack([200.0 + 90.0 * np.sin(w * t), 100.0 + 4.0 * np.cos(2.0 * w * t)])

    made = ask(Sindy(), path, t, ahead, np.random.default_rng(1).normal(0.0, 0.1, (len(t), 2)))
    straight = ask(FreeQuadratic(), path, t, ahead)
    error = np.sqrt(np.mean((made.centre_px[:, 0] - path(ahead)[:, 0]) ** 2))
    assert error < 15.0
    assert error < 0.2 * np.sqrt(np.mean((straight.centre_px[:, 0] - path(ahead)[:, 0]) ** 2))


@needs_pysindy
def test_an_axis_that_does_not_move_is_no_obstacle() -> None:
    path = lambda t: np.column_stack([np.zeros_like(t), 4.9 * t**2])  # noqa: E731
    made = ask(Sindy(), path, T, AHEAD, np.column_stack([np.zeros(len(T)), np.random.default_rng(3).normal(0.0, 0.005, len(T))]), 0.005)
    np.testing.assert_allclose(made.centre_px, path(AHEAD), atol=0.3)


def test_a_question_holds_only_what_lies_before_its_times() -> None:
    observed = track_of(T, polynomial(1)(T))
    for times in (T[-1:], np.array([T[-2], T[-1] + 1.0]), np.array([T[-1] + 2.0, T[-1] + 1.0]), np.array([])):
        with pytest.raises(ValueError, match="Question"):
            Question(observed=observed, t=times, camera=table_camera())
    assert replace(Question(observed=observed, t=AHEAD, camera=table_camera()), level=0.5).level == 0.5
