"""A spinning ball's outline circles about its centre of mass: that is found where it is, and not found where it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from truths import WHITE, Filmed, film_pattern, fit_seen, fitted, known, without_radius

from newtonscheme.estimation.fitting import fit_pattern
from newtonscheme.estimation.forecasting import forecast_fit
from newtonscheme.synth.scene import TrackNoise
from newtonscheme.types import Fit, Floats, Wobble

TURNS, SHARE = 1.8, 0.04
"""Turns in what is seen, and the offset in radii: a filmed toy basketball's."""
LEAST_RADIUS_PX, LEAST_SAMPLES = 12.0, 14


def rate_rps(filmed: Filmed) -> float:
    return TURNS / float(filmed.seen.t[-1] - filmed.seen.t[0])


def turned(filmed: Filmed) -> tuple[Filmed, Floats]:
    """The film of a ball whose outline circles in the picture's plane, and the offsets (n, 2) px of the whole track."""
    angle = 2 * np.pi * rate_rps(filmed) * filmed.track.t + 0.3
    offset = SHARE * np.median(filmed.track.radius_px) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    track = replace(filmed.track, centre_px=filmed.track.centre_px + offset)
    return replace(filmed, track=track, seen=track.select(slice(0, len(filmed.seen)))), offset


def near_balls(count: int, **options: object) -> list[Filmed]:
    """Throws near enough that an offset of a few hundredths of a radius is seen, and long enough."""
    films = (film_pattern("free_fall", seed, **options) for seed in range(200))
    found = []
    for filmed in films:
        if np.median(filmed.seen.radius_px) > LEAST_RADIUS_PX and len(filmed.seen) >= LEAST_SAMPLES:
            found.append(filmed)
        if len(found) == count:
            return found
    raise AssertionError("too few near balls among the films")


@pytest.fixture(scope="module")
def wobbling() -> list[tuple[Filmed, Floats, Fit]]:
    made = [turned(filmed) for filmed in near_balls(8)]
    return [(filmed, offset, fit_seen(filmed)) for filmed, offset in made]


def test_a_wobble_is_found_with_its_rate_and_taken_out(wobbling: list[tuple[Filmed, Floats, Fit]]) -> None:
    for filmed, offset, fit in wobbling:
        assert fit.wobble.probability > 0.5
        assert abs(fit.wobble.main_rate_rps / rate_rps(filmed) - 1.0) < 0.3
        expected = fit.wobble.expected_px(filmed.seen.t - filmed.seen.t[0])
        # A part of an offset that turns slowly is as well a part of the motion.
        assert np.sqrt(np.mean((expected - offset[: len(expected)]) ** 2)) < 0.6 * np.sqrt(np.mean(offset**2))
        assert np.std(fit.steady_residuals) < 2 * np.median(filmed.seen.sigma_px)
    assert np.median([fit.wobble.probability for *_, fit in wobbling]) > 0.95


def test_the_forecast_of_a_wobbling_ball_is_in_its_band(wobbling: list[tuple[Filmed, Floats, Fit]]) -> None:
    held = []
    for filmed, offset, fit in wobbling:
        made, _ = forecast_fit(fit, known(), filmed.rest.t, level=0.9)
        truth = (filmed.true_centre(filmed.rest) + offset[len(filmed.seen) :])[: len(made.t)]
        held.append(np.mean((truth >= made.lower_px) & (truth <= made.upper_px)))
    assert np.mean(held) > 0.8


def test_a_ball_that_does_not_wobble_is_left_as_it_is() -> None:
    for filmed in near_balls(8):
        fit = fit_seen(filmed)
        assert fit.wobble.probability < 0.3
        assert np.max(np.abs(fit.wobble.expected_px(filmed.seen.t - filmed.seen.t[0]))) < np.median(filmed.seen.sigma_px)


def test_noise_that_drifts_is_not_taken_for_a_wobble() -> None:
    films = near_balls(8, noise=TrackNoise(sigma_px=WHITE.sigma_px, correlation=0.8))
    assert np.mean([fit_seen(filmed).wobble.probability for filmed in films]) < 0.3


def test_without_a_measured_radius_there_is_no_wobble() -> None:
    filmed, _ = turned(near_balls(1)[0])
    assert fit_seen(replace(filmed, seen=without_radius(filmed.seen))).wobble.probability == 0.0


def test_a_pendulum_does_not_wobble() -> None:
    assert fitted("pendulum", 3)[1].wobble.probability == 0.0


def test_the_wobble_is_the_same_in_a_mirror(wobbling: list[tuple[Filmed, Floats, Fit]]) -> None:
    filmed, _, fit = wobbling[0]
    centre, covariance = filmed.seen.centre_px.copy(), filmed.seen.covariance_px.copy()
    centre[:, 0] = 2 * fit.camera.principal_px[0] - centre[:, 0]
    covariance[:, [0, 1], [1, 0]] *= -1
    mirrored = replace(filmed.seen, centre_px=centre, covariance_px=covariance)
    other = fit_pattern(mirrored, fit.pattern, camera=fit.camera, body=fit.body, known=known())
    since = filmed.seen.t - filmed.seen.t[0]
    assert other.wobble.probability == pytest.approx(fit.wobble.probability, abs=0.02)
    np.testing.assert_allclose(other.wobble.expected_px(since), fit.wobble.expected_px(since) * [-1, 1], atol=0.02)


def test_an_expected_offset_turns_at_its_rate() -> None:
    wobble = Wobble(np.array([2.0]), np.array([0.5]), np.array([[1.0, 0.0], [0.0, 1.0]]), 0.25 * np.eye(2), np.eye(2), 1.0)
    t = np.linspace(0, 1, 9)
    np.testing.assert_allclose(wobble.expected_px(t), np.stack([np.cos(4 * np.pi * t), np.sin(4 * np.pi * t)], axis=1), atol=1e-12)
    np.testing.assert_allclose(wobble.sigma_px(t), 0.5)
    assert wobble.main_rate_rps == 2.0
    assert wobble.radius_px == 1.0
