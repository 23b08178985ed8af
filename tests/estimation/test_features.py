"""Features: what they must not see (place, scale, side), what they must see (down, noise), and that nothing breaks them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from newtonscheme.estimation.features import MIN_SAMPLES, N_NODES, SCALARS, SERIES, Features, mirrored, window_features

SIGMA = 0.2


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def throw(n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    t = np.linspace(0.0, 1.0, n)
    return t, np.stack([50 + 240 * t, 300 - 420 * t + 490 * t**2], axis=1)


def swing(n: int = 120, cycles: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    t = np.linspace(0.0, 3.0, n)
    angle = 0.5 * np.cos(2 * np.pi * cycles * t / 3.0)
    return t, 320 + 200 * np.stack([np.sin(angle), np.cos(angle)], axis=1)


def noisy(rng: np.random.Generator, path: tuple[np.ndarray, np.ndarray], sigma: float = SIGMA) -> tuple[np.ndarray, np.ndarray]:
    return path[0], path[1] + sigma * rng.standard_normal(path[1].shape)


def describe(t: np.ndarray, p: np.ndarray, sigma: float = SIGMA, radius: np.ndarray | None = None) -> Features:
    return window_features(t, p, np.full(len(t), sigma), radius)


def scalar(features: Features, name: str) -> float:
    return float(features.scalars[0, SCALARS.index(name)])


def assert_same(a: Features, b: Features, but: tuple[str, ...] = ()) -> None:
    keep = [name not in but for name in SCALARS]
    np.testing.assert_allclose(a.series, b.series, atol=2e-3)
    np.testing.assert_allclose(a.scalars[:, keep], b.scalars[:, keep], atol=2e-3)


def test_place_and_scale_of_the_picture_do_not_matter(rng: np.random.Generator) -> None:
    t, p = noisy(rng, throw())
    radius = np.full(len(t), 9.0)
    assert_same(describe(t, p, SIGMA, radius), describe(t, 3.7 * p + [1000, -500], 3.7 * SIGMA, 3.7 * radius))


def test_the_clock_matters_only_where_a_radius_gives_it_meaning(rng: np.random.Generator) -> None:
    t, p = noisy(rng, swing())
    assert_same(describe(t, p), describe(12.0 + 8.0 * t, p))
    radius = np.full(len(t), 9.0)
    assert_same(describe(t, p, SIGMA, radius), describe(12.0 + 8.0 * t, p, SIGMA, radius), but=("log_acceleration_in_radii",))


@pytest.mark.parametrize("path", [throw(), swing()])
def test_a_mirrored_path_has_the_mirrored_features(rng: np.random.Generator, path: tuple[np.ndarray, np.ndarray]) -> None:
    t, p = noisy(rng, path)
    assert_same(describe(t, p * [-1, 1]), mirrored(describe(t, p)))


def test_down_is_down() -> None:
    t, p = throw()
    assert scalar(describe(t, p), "downwards") == pytest.approx(1.0, abs=1e-3)
    assert scalar(describe(t, -p), "downwards") == pytest.approx(-1.0, abs=1e-3)


def test_a_batch_is_its_windows_one_by_one(rng: np.random.Generator) -> None:
    windows = [noisy(rng, throw()), noisy(rng, swing(40))]
    together = window_features(np.stack([w[0] for w in windows]), np.stack([w[1] for w in windows]), np.full((2, 40), SIGMA))
    for i, (t, p) in enumerate(windows):
        alone = describe(t, p)
        np.testing.assert_allclose(together.series[i], alone.series[0], atol=1e-4)
        np.testing.assert_allclose(together.scalars[i], alone.scalars[0], atol=1e-4)


def test_a_bob_hangs_and_a_motor_turns(rng: np.random.Generator) -> None:
    t, p = noisy(rng, swing())
    bob = describe(t, p)
    turn = 2 * np.pi * t
    circle = describe(*noisy(rng, (t, 300 + 100 * np.stack([np.cos(turn), np.sin(turn)], axis=1))))
    assert scalar(bob, "bob_phase") < -0.95
    assert scalar(describe(t, p * [1, -1]), "bob_phase") > 0.95
    assert scalar(bob, "ellipse") < 0.02 < 0.45 < scalar(circle, "ellipse")
    assert np.exp(scalar(bob, "log_cycles")) == pytest.approx(3.0, abs=0.1)


def test_noise_that_was_misstated_is_noticed(rng: np.random.Generator) -> None:
    t, p = noisy(rng, throw(200), 1.0)
    assert scalar(describe(t, p, 0.25), "log_noise_ratio") == pytest.approx(np.log(4.0), abs=0.2)
    assert scalar(describe(t, p, 4.0), "log_noise_ratio") == pytest.approx(-np.log(4.0), abs=0.2)


def test_one_wild_sample_hardly_moves_the_features(rng: np.random.Generator) -> None:
    t, p = noisy(rng, throw())
    wild = p.copy()
    wild[17] += 60.0
    clean, spoilt = describe(t, p), describe(t, wild)
    assert scalar(spoilt, "outliers") > 0
    assert scalar(spoilt, "downwards") == pytest.approx(scalar(clean, "downwards"), abs=0.01)
    assert abs(scalar(spoilt, "residual_y2") - scalar(clean, "residual_y2")) < 0.5


@pytest.mark.parametrize("n", [4, 5, 6, 9, 64])
@pytest.mark.parametrize("kind", ["still", "line", "nan", "one_inf", "huge", "no_sigma", "far_gap", "almost_same_time", "bad_radius"])
def test_any_window_of_four_samples_or_more_gives_finite_features(rng: np.random.Generator, kind: str, n: int) -> None:
    t, p, sigma, radius = np.arange(n) / 30.0, rng.standard_normal((n, 2)), np.full(n, SIGMA), None
    if kind == "still":
        p = np.full((n, 2), 500.0)
    elif kind == "line":
        p = np.stack([t, 2 * t], axis=1) * 100
    elif kind == "nan":
        p = p * np.nan
    elif kind == "one_inf":
        p[2, 0] = np.inf
    elif kind == "huge":
        p = p * 1e300
    elif kind == "no_sigma":
        sigma = np.resize([0.0, np.nan, -1.0], n)
    elif kind == "far_gap":
        t = np.append(t[:-1], 1e6)
    elif kind == "almost_same_time":
        t = np.append(t[:-1], t[-2] + 1e-12)
    else:
        radius = np.resize([0.0, np.nan, 5.0, np.inf, -1.0, 5.0], n)
    features = window_features(t, p, sigma, radius)
    assert features.series.shape == (1, len(SERIES), N_NODES)
    assert features.scalars.shape == (1, len(SCALARS))
    assert np.all(np.isfinite(features.series))
    assert np.all(np.isfinite(features.scalars))


@settings(max_examples=40, deadline=None)
@given(p=arrays(float, st.tuples(st.integers(4, 20), st.just(2)), elements=st.floats(allow_nan=True, allow_infinity=True)))
def test_no_positions_whatever_give_a_feature_that_is_not_finite(p: np.ndarray) -> None:
    features = window_features(np.arange(len(p)) / 25.0, p, np.full(len(p), SIGMA))
    assert np.all(np.isfinite(features.series))
    assert np.all(np.isfinite(features.scalars))


def test_too_few_samples_are_refused() -> None:
    n = MIN_SAMPLES - 1
    with pytest.raises(ValueError, match="3 samples"):
        window_features(np.arange(n) / 30.0, np.zeros((n, 2)), np.ones(n))
