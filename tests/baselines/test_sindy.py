"""A sparse equation of motion from one track finds the law of clean paths, says how far to trust it, and always has an answer."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp

from newtonscheme.baselines.forecaster import Question
from newtonscheme.baselines.polynomial import FreeQuadratic
from newtonscheme.baselines.sindy import TERMS, Sindy, available, evaluate_library
from newtonscheme.baselines.smoothing import smooth_path
from newtonscheme.camera import table_camera
from newtonscheme.errors import UsageError
from newtonscheme.types import Floats, Forecast, Refusal, Track

needs_pysindy = pytest.mark.skipif(not available(), reason="pysindy is not installed: pip install 'newtonscheme[learn]'")

G_PX = 981.0
T = np.arange(30) / 30.0
SHIFT_PX = np.array([300.0, -200.0])
AHEAD = T[-1] + np.arange(1, 31) / 30.0


def make_track(t: Floats, centre: Floats, sigma: float = 0.05) -> Track:
    n = len(t)
    nothing = np.full(n, np.nan)
    return Track(
        frame=np.arange(n), t=t, centre_px=centre, covariance_px=np.tile(sigma**2 * np.eye(2), (n, 1, 1)), radius_px=nothing,
        radius_sigma_px=nothing, score=np.ones(n),
    )  # fmt: skip


def ask(track: Track, ahead: Floats = AHEAD) -> Forecast:
    answer = Sindy().forecast(Question(observed=track, t=ahead, camera=table_camera()))
    assert isinstance(answer, Forecast)
    return answer


def throw(t: Floats) -> Floats:
    return np.column_stack([40.0 + 300.0 * t, 500.0 - 600.0 * t + 0.5 * G_PX * t**2])


def swing(t: Floats, amplitude: float = 0.6, w: float = 5.0, length_px: float = 250.0) -> Floats:
    solution = solve_ivp(lambda t, y: [y[1], -(w**2) * np.sin(y[0])], (0.0, t[-1]), [amplitude, 0.0], t_eval=t, rtol=1e-10, atol=1e-12)
    return np.column_stack([320.0 + length_px * np.sin(solution.y[0]), 50.0 + length_px * np.cos(solution.y[0])])


def path_length(path: Floats) -> float:
    return float(np.sum(np.linalg.norm(np.diff(path, axis=0), axis=1)))


@needs_pysindy
def test_a_clean_throw_goes_on_under_its_own_gravity() -> None:
    made = ask(make_track(T, throw(T) + np.random.default_rng(0).normal(0.0, 0.05, (len(T), 2))))
    fitted = np.polyfit(AHEAD, made.centre_px, 2)[0]
    assert_allclose(2.0 * fitted[1], G_PX, rtol=0.01)
    assert abs(2.0 * fitted[0]) < 0.01 * G_PX
    assert np.sqrt(np.mean((made.centre_px - throw(AHEAD)) ** 2)) < 0.01 * path_length(throw(AHEAD))


@needs_pysindy
@pytest.mark.parametrize("w", [4.0, 9.0])
def test_a_clean_pendulum_swings_on_at_its_own_frequency(w: float) -> None:
    t = np.arange(90) / 30.0
    ahead = t[-1] + np.arange(1, 91) / 30.0
    truth = swing(np.concatenate([t, ahead]), 0.35, w)
    made = ask(make_track(t, truth[:90] + np.random.default_rng(1).normal(0.0, 0.05, (90, 2))), ahead)

    def crossings(u: Floats) -> Floats:
        i = np.flatnonzero(np.diff(np.sign(u - 320.0)))
        return ahead[i] + (320.0 - u[i]) / (u[i + 1] - u[i]) * (ahead[i + 1] - ahead[i])

    found, true = crossings(made.centre_px[:, 0]), crossings(truth[90:, 0])
    assert len(found) == len(true)
    assert_allclose(np.mean(np.diff(found)), np.mean(np.diff(true)), rtol=0.02)


@needs_pysindy
def test_a_swing_is_forecast_far_better_than_by_a_parabola() -> None:
    t = np.arange(60) / 30.0
    ahead = t[-1] + np.arange(1, 46) / 30.0
    truth = swing(np.concatenate([t, ahead]))
    track = make_track(t, truth[:60] + np.random.default_rng(2).normal(0.0, 0.1, (60, 2)), 0.1)
    parabola = FreeQuadratic().forecast(Question(observed=track, t=ahead, camera=table_camera()))
    assert isinstance(parabola, Forecast)
    error, rival = (np.sqrt(np.mean((made.centre_px - truth[60:]) ** 2)) for made in (ask(track, ahead), parabola))
    assert error < 0.1 * rival


@needs_pysindy
def test_place_size_axes_and_clock_are_only_units() -> None:
    path = throw(T) + np.random.default_rng(3).normal(0.0, 0.05, (len(T), 2))
    plain = ask(make_track(T, path))
    moved = ask(make_track(T + 8.0, path + SHIFT_PX), AHEAD + 8.0)
    assert_allclose(moved.centre_px, plain.centre_px + SHIFT_PX, atol=0.05)
    large = ask(make_track(4.0 * T, 3.0 * path, 0.15), 4.0 * AHEAD)
    assert_allclose(large.centre_px, 3.0 * plain.centre_px, atol=0.15)
    swapped = ask(make_track(T, path[:, ::-1]))
    assert_allclose(swapped.centre_px[:, ::-1], plain.centre_px, atol=0.05)


@needs_pysindy
def test_bands_hold_most_throws_and_swings() -> None:
    rng, held = np.random.default_rng(4), []
    t = np.concatenate([T, AHEAD])
    for truth in (throw(t), swing(t, 0.5, 7.0)):
        for _ in range(8):
            made = ask(make_track(T, truth[: len(T)] + rng.normal(0.0, 0.2, (len(T), 2)), 0.2))
            held.append(np.mean((made.lower_px <= truth[len(T) :]) & (truth[len(T) :] <= made.upper_px)))
    assert np.mean(held) > 0.75


@needs_pysindy
def test_wrong_samples_gaps_and_an_uneven_clock_do_not_decide() -> None:
    rng = np.random.default_rng(5)
    t = np.sort(np.delete(T + rng.uniform(-0.005, 0.005, len(T)), [3, 10, 11, 12]))
    path = throw(t) + rng.normal(0.0, 0.05, (len(t), 2))
    path[15] += [40.0, -40.0]
    made = ask(make_track(t, path))
    assert np.sqrt(np.mean((made.centre_px - throw(AHEAD)) ** 2)) < 0.05 * path_length(throw(AHEAD))


@needs_pysindy
def test_a_path_that_no_model_of_the_library_makes_still_has_a_finite_answer() -> None:
    rng = np.random.default_rng(6)
    for scale in (0.3, 3.0):
        wander = np.cumsum(rng.normal(0.0, scale, (40, 2)), axis=0)
        burst = np.exp(9.0 * np.arange(40)[:, None] / 40.0) * [1.0, 0.3]
        for path in (wander, wander + burst, np.abs(wander)):
            made = ask(make_track(np.arange(40) / 30.0, path), 4 / 3 + np.arange(1, 81) / 30.0)
            assert np.all(np.isfinite(made.centre_px) & np.isfinite(made.upper_px))


@needs_pysindy
def test_short_tracks_are_answered_by_the_free_quadratic_and_shorter_ones_refused() -> None:
    for n in range(1, 7):
        question = Question(observed=make_track(T[:n], throw(T[:n])), t=AHEAD, camera=table_camera())
        answer, simple = Sindy().forecast(question), FreeQuadratic().forecast(question)
        assert type(answer) is type(simple)
        if isinstance(answer, Forecast) and isinstance(simple, Forecast):
            assert_allclose(answer.centre_px, simple.centre_px)
        elif isinstance(answer, Refusal):
            assert answer.reason == "too_short"


@needs_pysindy
def test_samples_after_the_cut_cannot_matter() -> None:
    rng = np.random.default_rng(7)
    path = throw(T) + rng.normal(0.0, 0.05, (len(T), 2))
    other = path.copy()
    other[20:] = rng.uniform(0.0, 500.0, (len(T) - 20, 2))
    first, second = (ask(make_track(T, p).select(slice(20)), T[20:]) for p in (path, other))
    np.testing.assert_array_equal(first.centre_px, second.centre_px)
    np.testing.assert_array_equal(first.upper_px, second.upper_px)


def test_without_pysindy_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pysindy", None)
    with pytest.raises(UsageError, match="pip install"):
        Sindy().forecast(Question(observed=make_track(T, throw(T)), t=AHEAD, camera=table_camera()))


def test_the_library_is_what_its_names_say() -> None:
    x, v = np.array([[0.3, -0.8]]), np.array([[3.0, -4.0]])
    found = dict(zip(TERMS, evaluate_library(x, v)[0], strict=True))
    assert found["1"] == 1.0
    assert found["|v| v_y"] == pytest.approx(-20.0)
    assert found["sin x"] == pytest.approx(np.sin(0.3))
    assert found["cos y"] == pytest.approx(np.cos(-0.8))


def test_a_smooth_path_has_the_derivatives_of_what_it_was_made_from() -> None:
    t = np.linspace(0.0, 1.0, 60)
    rng = np.random.default_rng(8)
    x = np.column_stack([np.sin(8.0 * t), t**2])
    at = np.linspace(0.1, 0.9, 40)
    made = smooth_path(t, x + rng.normal(0.0, 1e-3, x.shape), np.full(x.shape, 1e-3), 0.0, at)
    truth = np.column_stack([-64.0 * np.sin(8.0 * at), np.full(len(at), 2.0)])
    assert np.sqrt(np.mean((made.a - truth) ** 2)) < 0.05 * 64.0
    assert np.mean(np.abs(made.a - truth) < 3.0 * made.a_sigma) > 0.9
