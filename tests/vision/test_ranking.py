"""What looks like one body under steady forces comes first, whatever the frame rate."""

from __future__ import annotations

import numpy as np
import pytest

from newtonscheme.vision.ranking import USUAL_CORRELATION, smoothness_of, typical_error


def swing(fps: float, duration: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """110 px to either side in a period of 2.5 s: at 240 frames/s it moves 10 px in nine frames."""
    t = np.arange(0.0, duration, 1 / fps)
    return t, np.column_stack([320 + 110 * np.cos(2.5 * t), 200 - 8 * np.sin(2.5 * t) ** 2])


def rank(t: np.ndarray, centre: np.ndarray) -> float:
    return smoothness_of(t, centre, np.full(len(t), 25.0), 0.95, 80.0, 4.5, 1.0)


@pytest.mark.parametrize("fps", [60.0, 120.0, 240.0])
def test_a_slow_swing_counts_at_every_frame_rate(fps: float) -> None:
    assert rank(*swing(fps)) > 0.8 * rank(*swing(30.0))


def test_what_trembles_in_place_goes_nowhere() -> None:
    t, centre = swing(60.0)
    tremble = centre[0] + np.random.default_rng(1).normal(0, 1.0, centre.shape)
    assert rank(t, tremble) < 0.1 * rank(t, centre)


def test_a_jerky_path_is_less_smooth() -> None:
    t, centre = swing(30.0)
    jerky = centre + np.cumsum(np.random.default_rng(2).normal(0, 12.0, centre.shape), axis=0)
    assert rank(t, jerky) < 0.6 * rank(t, centre)


def test_errors_beyond_the_stated_sigmas_are_noticed() -> None:
    t, centre = swing(60.0)
    noisy = centre + np.random.default_rng(3).normal(0, 0.3, centre.shape)
    scale, _ = typical_error(t, noisy, np.tile(0.01 * np.eye(2), (len(t), 1, 1)))
    assert scale == pytest.approx(3.0, rel=0.2)


def test_a_short_path_is_taken_to_be_as_correlated_as_usual() -> None:
    t, centre = swing(30.0, duration=0.3)
    _, time = typical_error(t, centre, np.tile(0.01 * np.eye(2), (len(t), 1, 1)))
    assert np.exp(-(1 / 30.0) / time) == pytest.approx(USUAL_CORRELATION)
