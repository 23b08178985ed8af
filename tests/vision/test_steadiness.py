"""A camera moves where the picture moves as a whole, not where most that can be followed does."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from newtonscheme.vision.steadiness import camera_moves

HEIGHT, WIDTH, FRAMES = 270, 480, 30


def wall(rng: np.random.Generator, detail: float) -> np.ndarray:
    """Two lamps' light on a wall that is a little wider than the picture, with as much detail as asked for, grey levels."""
    down, across = np.mgrid[: HEIGHT + 80, : WIDTH + 80]
    light = 50.0 + sum(70.0 * np.exp(-((across - u) ** 2 + (down - 110.0) ** 2) / 60.0**2) for u in (240.0, 400.0))
    return light + detail * cv2.GaussianBlur(rng.normal(0.0, 10.0, light.shape), (0, 0), 2.0)


def someone(rng: np.random.Generator) -> np.ndarray:
    """A checked coat, 250 px tall."""
    return 90.0 + cv2.GaussianBlur(rng.normal(0.0, 160.0, (250, 130)), (0, 0), 3.0)


@pytest.mark.parametrize("seed", range(3))
def test_someone_who_walks_past_a_plain_wall_moves_no_camera(seed: int) -> None:
    rng = np.random.default_rng(seed)
    behind, coat, frames = wall(rng, 0.0)[:HEIGHT, :WIDTH], someone(rng), []
    for k in range(FRAMES):
        picture = behind + rng.normal(0.0, 0.7, behind.shape)
        picture[10:260, 20 + 5 * k : 150 + 5 * k] = coat
        frames.append(np.clip(picture, 0, 255).astype(np.uint8))
    assert not camera_moves(frames)


@pytest.mark.parametrize("step_px", [0.4, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_camera_that_moves_is_seen_to_also_behind_someone_who_walks(seed: int, step_px: float) -> None:
    rng = np.random.default_rng(seed)
    behind, coat, frames = wall(rng, 6.0), someone(rng)[:160, :70], []
    for k in range(FRAMES):
        shift = np.float32([[1.0, 0.0, -step_px * k], [0.0, 1.0, -0.5 * step_px * k]])
        picture = cv2.warpAffine(behind, shift, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR) + rng.normal(0.0, 0.7, (HEIGHT, WIDTH))
        picture[80:240, 20 + 5 * k : 90 + 5 * k] = coat
        frames.append(np.clip(picture, 0, 255).astype(np.uint8))
    assert camera_moves(frames)


@pytest.mark.parametrize("sway_px", [2.5, 8.0])
def test_a_hand_that_shakes_is_seen_before_a_curtain_with_a_picture_on_it(sway_px: float) -> None:
    """What can be followed lies together on the picture; the folds tell only which way across they moved, and all of them do."""
    rng = np.random.default_rng(4)
    folds = 90.0 + 12.0 * np.sin(np.cumsum(0.15 + 0.1 * rng.random(WIDTH + 80)))
    behind, frames = np.tile(folds, (HEIGHT + 80, 1)), []
    behind[60:150, 90:200] = 2.0 * someone(rng)[:90, :110] - 60.0
    for k in range(FRAMES):
        across, down = 40.0 + sway_px * np.sin(0.9 * k), 40.0 + sway_px * np.sin(0.7 * k)
        picture = cv2.warpAffine(behind, np.float32([[1.0, 0.0, -across], [0.0, 1.0, -down]]), (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        frames.append(np.clip(picture + rng.normal(0.0, 0.3, picture.shape), 0, 255).astype(np.uint8))
    assert camera_moves(frames)


@pytest.mark.parametrize("step_px", [0.3, 2.0, 8.0])
def test_a_patterned_ball_before_a_plain_wall_moves_no_camera(step_px: float) -> None:
    rng = np.random.default_rng(1)
    wall, ball, frames = np.full((HEIGHT, WIDTH), 120.0), someone(rng)[:120, :120], []
    down, across = np.mgrid[:120, :120]
    inside = np.hypot(across - 59.5, down - 59.5) < 60
    for k in range(FRAMES):
        picture = wall + rng.normal(0.0, 0.7, wall.shape)
        left = 30 + round(step_px * k)
        picture[70:190, left : left + 120][inside] = ball[inside]
        frames.append(np.clip(picture, 0, 255).astype(np.uint8))
    assert not camera_moves(frames)
