"""Discs on a known background: found where they are, as large as they are, and no surer than they should be."""

from __future__ import annotations

import numpy as np
import pytest

from newtonscheme.vision.highlights import find_highlights
from newtonscheme.vision.refinement import Discs, fit_discs

SIDE, RADIUS, FINE = 48, 11.0, 8
NOISE = 2.0


def draw(centre: tuple[float, float], shade: object, rng: np.random.Generator, *, streak: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """(SIDE, SIDE) of a disc on the background, `FINE` x `FINE` samples in each pixel, and noise; ``shade(x, y)`` in radii from the centre."""
    fine = (np.arange(SIDE * FINE) + 0.5) / FINE - 0.5
    across, down = np.meshgrid(fine, fine)
    known = np.kron(background(), np.ones((FINE, FINE)))
    image = np.zeros_like(known)
    moments = np.linspace(-0.5, 0.5, 9) if any(streak) else np.zeros(1)
    for moment in moments:
        x, y = (across - centre[0] - moment * streak[0]) / RADIUS, (down - centre[1] - moment * streak[1]) / RADIUS
        image += np.where(x**2 + y**2 < 1, shade(x, y), known) / len(moments)  # type: ignore[operator]
    return image.reshape(SIDE, FINE, SIDE, FINE).mean(axis=(1, 3)) + rng.normal(0, NOISE, (SIDE, SIDE))


def background() -> np.ndarray:
    ramp = np.linspace(-20, 20, SIDE)
    return np.full((SIDE, SIDE), 110.0) + ramp[:, None] + 5 * np.sin(ramp / 3)[None]


def halved(plane: np.ndarray) -> np.ndarray:
    """A plane of half the resolution, each of its pixels four times: what 4:2:0 leaves of colour."""
    return np.kron(plane.reshape(SIDE // 2, 2, SIDE // 2, 2).mean(axis=(1, 3)), np.ones((2, 2)))


def fit(planes: list[list[np.ndarray]], centre: np.ndarray, radius: float = 0.85 * RADIUS, streak: np.ndarray | None = None) -> Discs:
    images = [np.array(plane, dtype=np.float32) for plane in planes]
    stills = [np.array([background()] * len(plane), dtype=np.float32) for plane in planes]
    return fit_discs(images, stills, centre, np.full(len(centre), radius), streak_px=streak)


def places(n: int, seed: int = 0) -> tuple[np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return rng.uniform(22, 26, (n, 2)), rng


def test_a_plain_disc_is_found_to_a_twentieth_of_a_pixel_and_its_sigma_is_true() -> None:
    truth, rng = places(24)
    crops = [draw((u, v), lambda x, y: 190.0 + 0 * x, rng) + rng.normal(0, 4.0, (SIDE, SIDE)) for u, v in truth]
    discs = fit([crops], truth + rng.normal(0, 1.0, truth.shape))
    error = discs.centre_px - truth
    assert np.sqrt(np.mean(error**2)) < 0.05
    assert np.median(np.abs(discs.radius_px / RADIUS - 1)) < 0.01
    sigma = np.sqrt(np.einsum("nii->ni", discs.covariance_px))
    assert 0.5 < np.sqrt(np.mean((error / sigma) ** 2)) < 1.6
    assert np.all(discs.explained > 0.95)


def test_a_ball_that_is_here_darker_and_there_brighter_than_what_is_behind_it_keeps_its_edge() -> None:
    """Black patches on white before grey: no single shade is right for more than half of it."""
    truth, rng = places(16, seed=1)

    def patches(turn: float) -> object:
        return lambda x, y: np.where(
            np.cos(3 * (x * np.cos(turn) + y * np.sin(turn))) * np.cos(3 * (y * np.cos(turn) - x * np.sin(turn))) > 0, 230.0, 20.0
        )

    crops = [draw((u, v), patches(rng.uniform(0, 3)), rng) for u, v in truth]
    discs = fit([crops], truth + rng.normal(0, 0.5, truth.shape), radius=RADIUS)
    assert np.median(np.abs(discs.radius_px / RADIUS - 1)) < 0.08
    assert np.median(np.hypot(*(discs.centre_px - truth).T)) < 0.08 * RADIUS


def test_colour_holds_the_edge_where_the_shaded_side_is_as_bright_as_what_is_behind_it() -> None:
    truth, rng = places(12, seed=2)
    bright = [draw((u, v), lambda x, y: 110.0 + np.maximum(70 * (0.4 - x - y), 0), rng) for u, v in truth]
    colour = [halved(draw((u, v), lambda x, y: 75.0 + 0 * x, rng)) for u, v in truth]
    together = fit([bright, colour], truth + 0.5)
    alone = fit([bright], truth + 0.5)
    off = [float(np.median(np.hypot(*(discs.centre_px - truth).T))) for discs in (together, alone)]
    assert off[0] < 0.4
    assert off[0] < 0.4 * off[1]
    assert np.median(np.abs(together.radius_px / RADIUS - 1)) < 0.04


def test_motion_during_the_exposure_is_a_streak_and_not_a_larger_ball() -> None:
    truth, rng = places(8, seed=3)
    moved = (9.0, -5.0)
    crops = [draw((u, v), lambda x, y: 200.0 + 0 * x, rng, streak=moved) for u, v in truth]
    discs = fit([crops], truth + rng.normal(0, 0.5, truth.shape), streak=np.tile([7.0, -4.0], (8, 1)))
    assert np.median(np.abs(discs.radius_px / RADIUS - 1)) < 0.04
    assert np.median(np.hypot(*discs.streak_px.T)) == pytest.approx(np.hypot(*moved), rel=0.15)
    assert np.sqrt(np.mean((discs.centre_px - truth) ** 2)) < 0.15


def test_a_string_beside_the_disc_does_not_pull_it() -> None:
    truth, rng = places(8, seed=4)
    crops = [draw((u, v), lambda x, y: 190.0 + 0 * x, rng) for u, v in truth]
    for crop, (u, v) in zip(crops, truth, strict=True):
        crop[: int(v - RADIUS), int(u) - 1 : int(u) + 1] = 20.0
    discs = fit([crops], truth + 0.5)
    assert np.median(np.hypot(*(discs.centre_px - truth).T)) < 0.15


@pytest.mark.parametrize("shade", [20.0, 150.0])
def test_a_rod_of_half_the_disc_s_width_does_not_pull_it(shade: float) -> None:
    truth, rng = places(8, seed=6)
    crops = [draw((u, v), lambda x, y: 190.0 + 0 * x, rng) for u, v in truth]
    for crop, (u, v) in zip(crops, truth, strict=True):
        crop[: int(v - 0.9 * RADIUS), int(u) - 2 : int(u) + 4] = shade
    discs = fit([crops], truth + 0.5)
    assert np.median(np.hypot(*(discs.centre_px - truth).T)) < 0.15
    assert np.median(np.abs(discs.radius_px / RADIUS - 1)) < 0.02


def test_a_shadow_that_touches_the_disc_does_not_pull_it() -> None:
    truth, rng = places(8, seed=7)
    crops = [draw((u, v), lambda x, y: 190.0 + 0 * x, rng) for u, v in truth]
    down, across = np.mgrid[:SIDE, :SIDE]
    for crop, (u, v) in zip(crops, truth, strict=True):
        shadow = np.hypot(across - u - 1.6 * RADIUS, down - v - 0.9 * RADIUS) < RADIUS
        crop[shadow & (np.hypot(across - u, down - v) > RADIUS)] -= 35.0
    discs = fit([crops], truth + 0.5)
    assert np.median(np.hypot(*(discs.centre_px - truth).T)) < 0.2


def test_blur_on_both_sides_of_a_disc_is_not_taken_for_something_attached() -> None:
    """Fitted without a streak, a ball that moved must come out as wide as it is across its motion, and in the middle along it."""
    truth, rng = places(8, seed=8)
    crops = [draw((u, v), lambda x, y: 200.0 + 0 * x, rng, streak=(8.0, 0.0)) for u, v in truth]
    discs = fit([crops], truth + 0.5)
    assert np.median(np.hypot(*(discs.centre_px - truth).T)) < 0.2
    assert np.median(discs.radius_px) > 0.94 * RADIUS


def test_a_fit_moves_with_its_picture() -> None:
    truth, rng = places(4, seed=5)
    crops = [draw((u, v), lambda x, y: 180.0 + 30 * x, rng) for u, v in truth]
    still = [background()] * 4
    first = fit_discs([np.array(crops, np.float32)], [np.array(still, np.float32)], truth + 0.5, np.full(4, 10.0))
    rolled = [np.array([np.roll(x, 2, axis=1) for x in plane], np.float32) for plane in (crops, still)]
    moved = fit_discs([rolled[0]], [rolled[1]], truth + 0.5 + np.array([2.0, 0.0]), np.full(4, 10.0))
    np.testing.assert_allclose(moved.centre_px - first.centre_px, np.tile([2.0, 0.0], (4, 1)), atol=0.02)


def test_a_lamp_mirrored_in_a_dull_ball_is_not_taken_for_the_ball() -> None:
    """The ball is hardly brighter than what is behind it; its highlight is the brightest disc in sight."""
    truth, rng = places(8, seed=9)

    def shade(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 122.0 + 110.0 * np.exp(-((x - 0.35) ** 2 + (y + 0.35) ** 2) / (2 * 0.13**2))

    crops = [draw((u, v), shade, rng) for u, v in truth]
    discs = fit([crops], truth + rng.normal(0, 0.7, truth.shape))
    assert np.median(np.abs(discs.radius_px / RADIUS - 1)) < 0.04
    assert np.max(np.hypot(*(discs.centre_px - truth).T)) < 0.06 * RADIUS


def test_only_a_bright_spot_within_a_smooth_shade_is_a_highlight() -> None:
    rng = np.random.default_rng(10)
    centre, radius = np.array([[24.0, 24.0]]), np.array([RADIUS])
    kinds = {
        "smooth": lambda x, y: 150.0 + 30.0 * x - 20.0 * y,
        "dark spot": lambda x, y: np.where((x - 0.3) ** 2 + y**2 < 0.04, 30.0, 150.0),
        "two halves": lambda x, y: np.where(x > 0, 220.0, 150.0),
        "lit rim": lambda x, y: np.where(x > 0.75, 230.0, 150.0),
        "spot": lambda x, y: np.where((x - 0.3) ** 2 + y**2 < 0.04, 240.0, 150.0),
    }
    found = {name: find_highlights(draw((24.0, 24.0), shade, rng)[None].astype(np.float32), centre, radius)[0] for name, shade in kinds.items()}
    assert {name for name, spot in found.items() if spot.any()} == {"spot"}
    down, across = np.nonzero(found["spot"])
    assert np.hypot(across - 24.0 - 0.3 * RADIUS, down - 24.0).max() < 0.2 * RADIUS + 2.5
    assert len(down) > np.pi * (0.2 * RADIUS) ** 2


@pytest.mark.parametrize("what", ["string", "shadow", "arm"])
def test_of_brightness_only_what_has_the_colour_of_the_ball_is_the_ball(what: str) -> None:
    truth, rng = places(8, seed=11)
    bright = [draw((u, v), lambda x, y: 150.0 + 10 * x, rng) for u, v in truth]
    colour = [halved(draw((u, v), lambda x, y: 190.0 + 0 * x, rng)) for u, v in truth]
    down, across = np.mgrid[:SIDE, :SIDE]
    attached = {
        "string": lambda u, v: (down < v) & (np.abs(across - u) < 4),
        "shadow": lambda u, v: np.hypot(across - u - 0.7 * RADIUS, down - v - 0.6 * RADIUS) < RADIUS,
        "arm": lambda u, v: (down > v) & (np.abs(across - u) < 0.7 * RADIUS),
    }[what]
    for crop, (u, v) in zip(bright, truth, strict=True):
        crop[attached(u, v) & (np.hypot(across - u, down - v) > RADIUS)] = 60.0
    images, stills = [np.array(plane, np.float32) for plane in (bright, colour)], [np.array([background()] * 8, np.float32)] * 2
    radius = np.full(8, 0.85 * RADIUS)
    discs = fit_discs(images, stills, truth + 0.5, radius, freed=False, tinted=True, channels=(0, 2))
    assert np.max(np.hypot(*(discs.centre_px - truth).T)) < 0.4
    assert np.median(np.abs(discs.radius_px / RADIUS - 1)) < 0.03
