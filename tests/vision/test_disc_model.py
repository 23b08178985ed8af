"""The model of a disc: its derivatives are its own, and its edge lies where light puts it."""

from __future__ import annotations

import numpy as np
import pytest

from newtonscheme.vision.disc_model import Evaluation, Plane, evaluate, first_number

SIDE = 32
SHARED = [15.3, 16.1, np.log(8.0)]
OWN = {0: [np.log(0.9), 150.0, 20.0, -12.0, 9.0, 5.0, -4.0, 2.0], 1: [np.log(1.5), 110.0, -6.0, 4.0, 3.0, 2.0, 3.0, 1.0]}


def place(channel: int, theta: np.ndarray, streaked: bool, coded: bool) -> Evaluation:
    rng = np.random.default_rng(channel)
    still = np.full((1, SIDE, SIDE), 128.0 if channel else 80.0, np.float32) + rng.normal(0, 2.0, (1, SIDE, SIDE)).astype(np.float32)
    first = first_number(min(channel, 1), streaked)
    plane = Plane.of(np.zeros_like(still), still, np.full_like(still, 80.0), first, channel, coded=coded, bent=coded)
    return evaluate(theta, plane.thinned(1))


@pytest.mark.parametrize("channel", [0, 1, 2])
@pytest.mark.parametrize("streaked", [False, True])
@pytest.mark.parametrize("coded", [False, True])
def test_the_derivatives_are_those_of_the_model(channel: int, streaked: bool, coded: bool) -> None:
    own = {plane: np.array(numbers) * ([1.0] * 5 + [coded] * 2 + [1.0]) for plane, numbers in OWN.items()}
    theta = np.array([[*SHARED, *own[0], *([5.0, -3.0] if streaked else []), *(own[1] if channel else [])]])
    found = place(channel, theta, streaked, coded)
    for k, number in enumerate(found.index):
        step = np.zeros_like(theta)
        step[0, number] = 0.02
        change = (place(channel, theta - step, streaked, coded).residual - place(channel, theta + step, streaked, coded).residual) / 0.04
        scale = np.abs(change).max()
        np.testing.assert_allclose(found.jacobian[0, k], change[0], atol=0.05 * scale, err_msg=f"number {number}")


def test_a_pixel_half_covered_shows_half_of_the_light_and_more_than_half_of_the_brightness() -> None:
    theta = np.array([[*SHARED, np.log(0.5), 216.0, *[0.0] * 6]])
    still = np.full((1, SIDE, SIDE), 36.0, np.float32)
    found = evaluate(theta, Plane.of(np.zeros_like(still), still, still, 3, 0).thinned(1))
    half = np.argmin(np.abs(found.coverage[0] - 0.5))
    light = (-found.residual[0, half] - 16.0) ** 2
    assert light == pytest.approx(200.0**2 * found.coverage[0, half] + 20.0**2 * (1 - found.coverage[0, half]), rel=1e-3)


def test_a_pixel_of_software_that_is_half_covered_shows_the_mean_of_both() -> None:
    theta = np.array([[*SHARED, np.log(0.5), 216.0, *[0.0] * 6]])
    still = np.full((1, SIDE, SIDE), 36.0, np.float32)
    found = evaluate(theta, Plane.of(np.zeros_like(still), still, still, 3, 0, coded=True, bent=True).thinned(1))
    np.testing.assert_allclose(-found.residual[0], 36.0 + 180.0 * found.coverage[0], rtol=1e-5)


def test_the_shade_of_a_disc_moves_with_it_during_the_exposure() -> None:
    """The model of a streak is the mean of its moments, each with the shade at its own place."""
    own, streak, moments = [np.log(0.9), 150.0, 25.0, -12.0, -20.0, 8.0, 6.0, 0.0], np.array([9.0, -6.0]), 41
    still = np.full((1, SIDE, SIDE), 80.0, np.float32)

    def shown(theta: list[float]) -> np.ndarray:
        return -evaluate(np.array([theta]), Plane.of(np.zeros_like(still), still, still, 3, 0, coded=True, bent=True).thinned(1)).residual[0]

    places = [np.array(SHARED[:2]) + streak * ((k + 0.5) / moments - 0.5) for k in range(moments)]
    mean = np.mean([shown([*place.tolist(), SHARED[2], *own]) for place in places], axis=0)
    np.testing.assert_allclose(shown([*SHARED, *own, *streak.tolist()]), mean, atol=2.0)


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
