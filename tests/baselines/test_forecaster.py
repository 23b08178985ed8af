"""What every simple rival owes: the same answer to the same question, a refusal where there is too little, no look ahead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from newtonscheme.baselines.forecaster import Forecaster, Question
from newtonscheme.baselines.kalman import KalmanConstantAcceleration, KalmanConstantVelocity
from newtonscheme.baselines.polynomial import FreeCubic, FreeQuadratic, LastVelocity
from newtonscheme.baselines.sindy import Sindy, available
from newtonscheme.camera import table_camera
from newtonscheme.types import Floats, Forecast, Refusal, Track

SIMPLE: tuple[Forecaster, ...] = (LastVelocity(), FreeQuadratic(), FreeCubic(), KalmanConstantVelocity(), KalmanConstantAcceleration())
RIVALS: tuple[Forecaster, ...] = (*SIMPLE, *((Sindy(),) if available() else ()))
T = np.arange(24) / 30.0
AHEAD = T[-1] + np.arange(1, 13) / 30.0
THROW_PX = np.column_stack([30.0 + 120.0 * T + 40.0 * T**2, 80.0 - 90.0 * T + 150.0 * T**2])


def question(t: Floats, centre_px: Floats, sigma_px: float = 0.1) -> Question:
    n = len(t)
    observed = Track(
        frame=np.arange(n), t=t, centre_px=centre_px, covariance_px=np.tile(sigma_px**2 * np.eye(2), (n, 1, 1)), radius_px=np.full(n, np.nan),
        radius_sigma_px=np.full(n, np.nan), score=np.ones(n),
    )  # fmt: skip
    return Question(observed=observed, t=AHEAD, camera=table_camera())


@pytest.mark.parametrize("rival", RIVALS, ids=lambda r: r.name)
def test_a_single_sample_is_refused(rival: Forecaster) -> None:
    answer = rival.forecast(question(T[:1], THROW_PX[:1]))
    assert isinstance(answer, Refusal)
    assert answer.reason == "too_short"


@pytest.mark.parametrize("rival", RIVALS, ids=lambda r: r.name)
def test_the_same_question_has_the_same_answer(rival: Forecaster) -> None:
    noisy = THROW_PX + np.random.default_rng(8).normal(0.0, 0.2, (len(T), 2))
    first, again = (rival.forecast(question(T, noisy)) for _ in range(2))
    assert isinstance(first, Forecast) and isinstance(again, Forecast)
    np.testing.assert_array_equal(first.upper_px, again.upper_px)


@pytest.mark.parametrize("rival", RIVALS, ids=lambda r: r.name)
def test_an_axis_that_does_not_move_is_no_obstacle(rival: Forecaster) -> None:
    fall = np.column_stack([np.zeros_like(T), 4.9 * T**2])
    made = rival.forecast(question(T, fall, 0.005))
    assert isinstance(made, Forecast)
    assert np.all(np.isfinite(made.lower_px) & np.isfinite(made.upper_px))
    np.testing.assert_allclose(made.centre_px[:, 0], 0.0, atol=0.05)


def test_a_question_holds_only_what_lies_before_its_times() -> None:
    asked = question(T, THROW_PX)
    for times in (T[-1:], np.array([T[-2], T[-1] + 1.0]), np.array([T[-1] + 2.0, T[-1] + 1.0]), np.array([])):
        with pytest.raises(ValueError, match="Question"):
            Question(observed=asked.observed, t=times, camera=table_camera())
    assert replace(asked, level=0.5).level == 0.5
