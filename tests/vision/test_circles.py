"""A round body is found by its rim in every frame, and only one that moves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from newtonscheme.vision.circles import find_circle_course

ROWS = 20


def frames(centres: np.ndarray, radius: float, rng: np.random.Generator) -> list[np.ndarray]:
    """A dark disc at each centre (n, 2) px before a soft pattern, and a bright one that stays at (60, 50)."""
    wall = 130.0 + cv2.GaussianBlur(rng.normal(0.0, 80.0, (180, 240)), (0, 0), 5.0)
    down, across = np.mgrid[:180, :240].astype(float)
    out = []
    for u, v in centres:
        share = np.clip(radius + 0.5 - np.hypot(across - u, down - v), 0, 1)
        clock = np.clip(22.5 - np.hypot(across - 60.0, down - 50.0), 0, 1)
        picture = wall + share * (50.0 - wall)
        out.append(np.clip(picture + clock * (240.0 - picture) + rng.normal(0, 1, wall.shape), 0, 255).astype(np.uint8))
    return out


@pytest.mark.parametrize("stride", [1, 3])
def test_the_course_of_a_disc_that_moves_is_found_in_all_frames(stride: int) -> None:
    true = np.array([(130.0 + 1.5 * k, 120.0 - 0.5 * k) for k in range(ROWS)])
    course = find_circle_course(frames(true, 35.0, np.random.default_rng(0)), stride)
    assert course is not None
    assert course.rows.tolist() == list(range(ROWS))
    np.testing.assert_allclose(course.centre_px, stride * (true + 0.5) - 0.5, atol=3.0 * stride)
    np.testing.assert_allclose(course.radius_px, 35.0 * stride, rtol=0.06)


def test_round_things_at_rest_are_no_objects() -> None:
    assert find_circle_course(frames(np.tile((150.0, 110.0), (ROWS, 1)), 35.0, np.random.default_rng(1)), 1) is None


def test_round_things_at_rest_that_tremble_are_no_objects_and_hide_none() -> None:
    """What moves is seen in every other frame only, as a hand is before it now and then; the clock at rest is seen in all, and trembles."""
    rng = np.random.default_rng(3)
    true = np.array([(130.0 + 12.0 * np.sin(0.2 * k), 120.0) for k in range(40)])
    pictures = [np.roll(picture, int(rng.integers(-2, 3)), axis=0) for picture in frames(true, 35.0, rng)]
    for k in range(1, 40, 2):
        pictures[k][80:160, 125:] = 128
    course = find_circle_course(pictures, 1)
    assert course is not None
    np.testing.assert_allclose(course.centre_px[::2], true[course.rows][::2], atol=6.0)


def test_nothing_round_is_found_where_nothing_is() -> None:
    rng = np.random.default_rng(2)
    noise = [cv2.GaussianBlur(rng.normal(128, 200, (180, 240)), (0, 0), 4.0).clip(0, 255).astype(np.uint8) for _ in range(ROWS)]
    assert find_circle_course(noise, 1) is None
