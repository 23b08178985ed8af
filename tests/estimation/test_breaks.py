"""A jump is found where it was, an outlier is none, and a balance that is kept is no break."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from newtonscheme.estimation.breaks import WINDOW, Samples, charge_evidence, clutter_odds, jump_evidence, whiten
from newtonscheme.types import Floats

VELOCITY = np.hstack([np.zeros((2, 2)), np.eye(2)])
"""Charges that are the velocity's two components."""


def samples(residual: Floats, *, correlation: float = 0.0, slopes: Floats | None = None) -> Samples:
    """Samples at unit times with unit noise."""
    n = len(residual)
    return Samples(
        t=np.arange(float(n)), step=1.0, residual=residual, slopes=np.zeros((1, n, 2)) if slopes is None else slopes,
        roots=np.tile(np.eye(2), (n, 1, 1)), correlation=correlation, clutter=clutter_odds(0, 30),
    )  # fmt: skip


def noise(seed: int = 0, correlation: float = 0.0) -> Floats:
    white = np.random.default_rng(seed).standard_normal((WINDOW + 1, 2))
    for i in range(1, len(white)):
        white[i] = correlation * white[i - 1] + np.sqrt(1.0 - correlation**2) * white[i]
    return white


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_whitened_noise_is_white(correlation: float) -> None:
    many = np.array([whiten(samples(noise(seed, correlation), correlation=correlation), 1.0).white for seed in range(300)])
    flat = many.reshape(len(many), -1)
    np.testing.assert_allclose(np.mean(flat**2), 1.0, atol=0.05)
    np.testing.assert_allclose(np.mean(flat[:, 2:] * flat[:, :-2]), 0.0, atol=0.05)


def test_what_the_fit_does_not_know_is_no_surprise() -> None:
    drift = np.outer(np.arange(WINDOW + 1.0), [1.0, 0.0])
    unsure = samples(noise() + 3.0 * drift, slopes=3.0 * drift[None])
    assert np.max(jump_evidence(whiten(unsure, 1.0))[0]) < 20.0
    assert np.max(jump_evidence(whiten(replace(unsure, slopes=np.zeros_like(unsure.slopes)), 1.0))[0]) > 50.0


@pytest.mark.parametrize("correlation", [0.0, 0.8])
@pytest.mark.parametrize("course", ["velocity", "place", "bend"])
def test_a_jump_is_found_where_it_was(course: str, correlation: float) -> None:
    at = WINDOW - 5
    since = np.maximum(np.arange(WINDOW + 1.0) - (at - 0.3), 0.0)
    size = {"velocity": 6.0 * since, "place": 12.0 * (since > 0), "bend": 4.0 * since**2}[course]
    for seed in range(5):
        broken = noise(seed, correlation) + np.outer(size, [0.6, -0.8])
        gain, moments = jump_evidence(whiten(samples(broken, correlation=correlation), 1.0))
        assert np.max(gain) > 30.0
        assert abs(moments[np.argmax(gain)] - (at - 0.3)) <= 1.5


@pytest.mark.parametrize("correlation", [0.0, 0.8])
@pytest.mark.parametrize("row", [4, WINDOW - 1, WINDOW])
def test_one_outlier_is_no_jump(row: int, correlation: float) -> None:
    wrong = noise(1, correlation)
    wrong[row] += [30.0, 20.0]
    window = whiten(samples(wrong, correlation=correlation), 1.0)
    assert np.max(jump_evidence(window)[0]) < 26.0
    assert np.max(charge_evidence(window, VELOCITY)[0]) < 26.0


def test_a_kick_unbalances_the_charge_along_it_and_not_the_one_across() -> None:
    since = np.maximum(np.arange(WINDOW + 1.0) - (WINDOW - 6.0), 0.0)
    window = whiten(samples(noise(2) + np.outer(3.0 * since, [1.0, 0.0])), 1.0)
    along, across = charge_evidence(window, VELOCITY[:1])[0], charge_evidence(window, VELOCITY[1:])[0]
    assert np.max(along) > 30.0 > np.max(across)


def test_fewer_than_two_samples_say_nothing() -> None:
    window = whiten(samples(noise()[:2]), 1.0)
    assert np.all(np.isneginf(jump_evidence(window)[0]))
    assert np.all(np.isneginf(charge_evidence(window, VELOCITY)[0]))


def test_outliers_that_were_seen_make_the_next_one_likelier() -> None:
    assert clutter_odds(0, 100) > clutter_odds(0, 10) > clutter_odds(2, 10) > clutter_odds(5, 10) > 0
