"""The model of a disc: its derivatives are its own, and its edge lies where light puts it."""

from __future__ import annotations

import numpy as np
import pytest

from newtonscheme.vision.disc_model import Evaluation, Plane, evaluate, first_number

SIDE = 32
SHARED = [15.3, 16.1, np.log(8.0)]
OWN = {0: [np.log(0.9), 150.0, 20.0, -12.0, 9.0, 2.0], 1: [np.log(1.5), 110.0, -6.0, 4.0, 3.0, 1.0]}


def place(channel: int, theta: np.ndarray, streaked: bool) -> Evaluation:
    rng = np.random.default_rng(channel)
    still = np.full((1, SIDE, SIDE), 128.0 if channel else 80.0, np.float32) + rng.normal(0, 2.0, (1, SIDE, SIDE)).astype(np.float32)
    plane = Plane.of(np.zeros_like(still), still, np.full_like(still, 80.0), first_number(min(channel, 1), streaked), channel)
    return evaluate(theta, plane.thinned(1))


@pytest.mark.parametrize("channel", [0, 1, 2])
@pytest.mark.parametrize("streaked", [False, True])
def test_the_derivatives_are_those_of_the_model(channel: int, streaked: bool) -> None:
    theta = np.array([[*SHARED, *OWN[0], *([5.0, -3.0] if streaked else []), *(OWN[1] if channel else [])]])
    found = place(channel, theta, streaked)
    for k, number in enumerate(found.index):
        step = np.zeros_like(theta)
        step[0, number] = 0.02
        change = (place(channel, theta - step, streaked).residual - place(channel, theta + step, streaked).residual) / 0.04
        scale = np.abs(change).max()
        np.testing.assert_allclose(found.jacobian[0, k], change[0], atol=0.05 * scale, err_msg=f"number {number}")


def test_a_pixel_half_covered_shows_half_of_the_light_and_more_than_half_of_the_brightness() -> None:
    theta = np.array([[*SHARED, np.log(0.5), 216.0, 0.0, 0.0, 0.0, 0.0]])
    still = np.full((1, SIDE, SIDE), 36.0, np.float32)
    found = evaluate(theta, Plane.of(np.zeros_like(still), still, still, 3, 0).thinned(1))
    half = np.argmin(np.abs(found.coverage[0] - 0.5))
    light = (-found.residual[0, half] - 16.0) ** 2
    assert light == pytest.approx(200.0**2 * found.coverage[0, half] + 20.0**2 * (1 - found.coverage[0, half]), rel=1e-3)


@pytest.mark.parametrize("channel", [0, 1])
def test_a_pixel_whose_background_is_partly_outside_the_picture_is_left_out(channel: int) -> None:
    theta = np.array([[*SHARED, *OWN[0], *(OWN[1] if channel else [])]])
    bright = np.full((1, SIDE, SIDE), 80.0, np.float32)
    bright[:, -1] = np.nan
    plane = Plane.of(np.full_like(bright, 90.0), np.full_like(bright, 128.0), bright, first_number(min(channel, 1), False), channel)
    for pixels in (plane.thinned(1), plane.near(theta)):
        found = evaluate(theta, pixels)
        assert np.all(np.isfinite(found.residual))
        assert np.all(np.isfinite(found.jacobian))
