"""What is measured of a forecast, held to closed forms and to its own laws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newtonscheme.baselines.forecaster import Question, make_forecast
from newtonscheme.benchmark.cases import Case
from newtonscheme.benchmark.metrics import BETTER, EQUAL, HORIZONS, UNKNOWN, WORSE, bootstrap, compare, gaussian_crps, judge_forecast
from newtonscheme.camera import assume_camera
from newtonscheme.estimation.forecasting import normal_quantile
from newtonscheme.types import Floats, Forecast, Track

LEVEL = 0.9
RNG = np.random.default_rng


def make_case(truth: Floats, **changes: Any) -> Case:
    h = len(truth)
    n = 8
    t = np.arange(n) / 30.0
    observed = Track(
        frame=np.arange(n), t=t, centre_px=np.column_stack([t, t]), covariance_px=np.tile(np.eye(2) * 0.01, (n, 1, 1)), radius_px=np.full(n, 5.0),
        radius_sigma_px=np.full(n, 0.2), score=np.ones(n),
    )  # fmt: skip
    question = Question(observed=observed, t=(n + np.arange(h)) / 30.0, camera=assume_camera(640, 480), level=LEVEL)
    values: dict[str, Any] = {
        "name": "by hand", "suite": "simulated", "pattern": "free_fall", "kind": "white", "question": question, "truth_px": truth,
        "judge_sigma_px": np.zeros((h, 2)), "last_px": truth[0] - (1.0, 0.0), "cut": (n - 0.5) / 30.0, "fps": 30.0, "observed_share": 0.5, "seed": 1,
    }  # fmt: skip
    return Case(**(values | changes))


def forecast_of(case: Case, centre: Floats, sigma: float) -> Forecast:
    return make_forecast(case.question, centre, np.full(centre.shape, sigma), normal_quantile(LEVEL))


STRAIGHT = np.column_stack([np.arange(1.0, 21.0), np.zeros(20)])


def test_a_perfect_forecast_has_no_error() -> None:
    case = make_case(STRAIGHT)
    errors = judge_forecast(forecast_of(case, STRAIGHT, 0.0), case)
    assert errors is not None
    assert (*errors.rms_share, *errors.final_share, errors.crps_share) == (0.0,) * (2 * len(HORIZONS) + 1)
    assert errors.coverage == 1.0


def test_errors_are_shares_of_the_unseen_path() -> None:
    case = make_case(STRAIGHT)
    assert case.path_px == pytest.approx(20.0)
    errors = judge_forecast(forecast_of(case, STRAIGHT + np.array([0.0, 2.0]), 1.0), case)
    assert errors is not None
    assert errors.rms_share == pytest.approx([0.1] * len(HORIZONS))
    assert errors.final_share == pytest.approx([0.1] * len(HORIZONS))


def test_an_error_that_comes_late_is_in_the_late_horizons_only() -> None:
    case = make_case(STRAIGHT)
    late = STRAIGHT + np.where(np.arange(20) < 10, 0.0, 5.0)[:, None] * (0.0, 1.0)
    errors = judge_forecast(forecast_of(case, late, 1.0), case)
    assert errors is not None
    assert errors.rms_share[:3] == (0.0, 0.0, 0.0)
    assert errors.rms_share[3] > 0.1
    assert errors.final_share[3] == pytest.approx(0.25)


@given(st.floats(0.2, 5.0), st.floats(-50.0, 50.0), st.floats(0.01, 100.0))
def test_errors_do_not_depend_on_the_pictures_size(offset: float, shift: float, zoom: float) -> None:
    small, large = make_case(STRAIGHT), make_case(STRAIGHT * zoom + shift, last_px=(STRAIGHT[0] - (1.0, 0.0)) * zoom + shift)
    a = judge_forecast(forecast_of(small, STRAIGHT + offset, 0.7), small)
    b = judge_forecast(forecast_of(large, (STRAIGHT + offset) * zoom + shift, 0.7 * zoom), large)
    assert a is not None
    assert b is not None
    assert a.rms_share == pytest.approx(b.rms_share)
    assert a.crps_share == pytest.approx(b.crps_share)


def test_a_forecast_without_numbers_is_no_forecast() -> None:
    case = make_case(STRAIGHT)
    assert judge_forecast(forecast_of(case, STRAIGHT * np.nan, 1.0), case) is None
    assert judge_forecast(forecast_of(case, STRAIGHT, np.inf), case) is None


def test_the_score_of_a_gaussian_is_its_own_integral() -> None:
    """The definition: the integral of (F(x) - [x >= truth])^2."""
    from scipy.special import ndtr

    for truth, mean, sigma in ((0.3, 0.0, 1.0), (-2.0, 1.0, 0.5), (5.0, 0.0, 2.0)):
        x = np.linspace(mean - 12 * sigma - abs(truth), mean + 12 * sigma + abs(truth), 400_001)
        integral = np.trapezoid((ndtr((x - mean) / sigma) - (x >= truth)) ** 2, x)
        assert float(gaussian_crps(np.array(truth), np.array(mean), np.array(sigma))) == pytest.approx(integral, rel=1e-4)


def test_the_score_of_no_width_is_the_absolute_error() -> None:
    assert gaussian_crps(np.array([1.0, -3.0]), np.zeros(2), np.zeros(2)).tolist() == [1.0, 3.0]


@given(st.floats(0.3, 3.0).filter(lambda width: abs(width - 1.0) > 0.2))
def test_no_band_scores_better_than_the_truths_own_distribution(width: float) -> None:
    truth = RNG(1).standard_normal(20_000)
    honest, other = (float(np.mean(gaussian_crps(truth, np.zeros_like(truth), np.full_like(truth, s)))) for s in (1.0, width))
    assert honest < other


def test_the_band_of_the_truths_own_distribution_covers_its_level() -> None:
    centre = np.cumsum(np.ones((2000, 2)), axis=0)
    case = make_case(centre + 3.0 * RNG(2).standard_normal(centre.shape))
    errors = judge_forecast(forecast_of(case, centre, 3.0), case)
    assert errors is not None
    assert errors.coverage == pytest.approx(LEVEL, abs=0.015)


def test_the_judges_own_error_widens_the_band_that_is_judged() -> None:
    centre = np.cumsum(np.ones((2000, 2)), axis=0)
    noisy = centre + np.hypot(3.0, 4.0) * RNG(3).standard_normal(centre.shape)
    plain, told = make_case(noisy), make_case(noisy, judge_sigma_px=np.full(centre.shape, 4.0))
    narrow, wide = (judge_forecast(forecast_of(case, centre, 3.0), case) for case in (plain, told))
    assert narrow is not None
    assert wide is not None
    assert narrow.coverage < 0.75
    assert wide.coverage == pytest.approx(LEVEL, abs=0.015)


def test_the_bootstrap_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(150):
        found = bootstrap(RNG([seed, 1]).normal(2.0, 1.0, 40), RNG([seed, 2]), statistic=np.mean)
        assert found is not None
        held += found.low <= 2.0 <= found.high
    assert 0.88 <= held / 150 <= 0.99


def test_the_bootstrap_repeats_for_a_seed_and_has_nothing_to_say_of_nothing() -> None:
    values = RNG(4).exponential(size=20)
    assert bootstrap(values, RNG(5)) == bootstrap(values, RNG(5))
    assert bootstrap([], RNG(5)) is None


@pytest.mark.parametrize(("factor", "verdict"), [(3.0, BETTER), (1 / 3.0, WORSE), (1.0, EQUAL)])
def test_the_paired_test_sees_what_is_there(factor: float, verdict: str) -> None:
    ours = RNG(6).lognormal(0.0, 2.0, 60)
    rival = ours * factor * RNG(7).lognormal(0.0, 0.5, 60)
    found = compare(rival, ours, RNG(8))
    assert found is not None
    assert found.verdict == verdict
    assert found.low <= factor <= found.high
    assert (found.p < 0.05) == (verdict != EQUAL)


def test_equal_errors_are_no_difference_and_a_few_pairs_prove_nothing() -> None:
    same = compare([0.1] * 8, [0.1] * 8, RNG(9))
    assert same is not None
    assert (same.ratio, same.p, same.verdict) == (1.0, 1.0, EQUAL)
    few = compare([9.0] * 5, [1.0] * 5, RNG(9))
    assert few is not None
    assert few.verdict == UNKNOWN
    assert compare([], [], RNG(9)) is None
