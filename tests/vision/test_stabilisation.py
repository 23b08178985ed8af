"""A moving camera's motion is taken out of the film: what stands still stands still, and the ball goes where it went in the world."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import WriteClip

from newtonscheme.errors import NothingTrackable
from newtonscheme.pipeline import predict, track
from newtonscheme.types import CameraMotion, Floats
from newtonscheme.vision.registration import Features, mapped
from newtonscheme.vision.stabilisation import register_frames
from newtonscheme.vision.steadiness import camera_moves
from newtonscheme.vision.video import open_video

WIDTH, HEIGHT, FRAMES, FPS = 320, 240, 36, 30
BALL_RADIUS_PX = 9.0


def paint_world(seed: int, side: int = 560) -> np.ndarray:
    """A wall of many scales of texture and some edges, larger than the picture."""
    rng = np.random.default_rng(seed)
    wall = sum(cv2.resize(rng.normal(0, 1, (k, k)), (side, side), interpolation=cv2.INTER_CUBIC) * 120 / k**0.5 for k in (8, 24, 70, 140))
    for _ in range(25):
        corner, size = rng.integers(0, side - 60, 2), rng.integers(12, 60, 2)
        cv2.rectangle(wall, corner.tolist(), (corner + size).tolist(), float(rng.normal(0, 45)), -1)
    return np.clip(110 + wall, 0, 255).astype(np.float32)


def ball_in_world(t: Floats) -> Floats:
    """(n, 2) places of a throw, in pixels of the world."""
    return np.column_stack([190 + 130 * t, 330 - 320 * t + 260 * t**2])


def shake(t: Floats) -> Floats:
    """(n, 3, 3) from picture to world: a hand-held sway with a little turning."""
    turn = 0.01 * np.sin(5 * t)
    return looks(120 + 6 * np.sin(7 * t) + 3 * np.sin(17 * t), 150 + 5 * np.cos(6 * t) + 2 * np.sin(19 * t), turn, np.ones_like(t))


def pan(t: Floats) -> Floats:
    return looks(90 + 60 * t, 150 + 4 * t, np.zeros_like(t), np.ones_like(t))


def zoom(t: Floats) -> Floats:
    return looks(110 + 20 * t, 140 + 14 * t, np.zeros_like(t), 1 - 0.12 * t)


def quiet_hand(t: Floats) -> Floats:
    """It leaves the background nearly where it was, and the ball some twenty times its error off."""
    return looks(120 + 1.6 * np.sin(2.3 * t), 150 + 1.3 * (1 - np.cos(2.9 * t)), np.zeros_like(t), np.ones_like(t))


def still(t: Floats) -> Floats:
    return looks(np.full_like(t, 120.0), np.full_like(t, 150.0), np.zeros_like(t), np.ones_like(t))


def sway(t: Floats) -> Floats:
    """A hand that sways by five pixels about where it began."""
    return looks(120.0 + 5.0 * np.sin(2.0 * t), 150.0 + 3.0 * np.sin(1.3 * t), np.zeros_like(t), np.ones_like(t))


def looks(left: Floats, top: Floats, turn: Floats, scale: Floats) -> Floats:
    cosine, sine, zero, one = scale * np.cos(turn), scale * np.sin(turn), np.zeros_like(left), np.ones_like(left)
    return np.array([[cosine, -sine, left], [sine, cosine, top], [zero, zero, one]]).transpose(2, 0, 1)


def film(write_clip: WriteClip, path: Path, camera: Callable[[Floats], Floats], world: np.ndarray, *, frame_px: int = 0) -> tuple[Path, Floats]:
    """A film of the world by a camera, within a dark frame, and the camera's maps from picture to world."""
    rng, t = np.random.default_rng(3), np.arange(FRAMES) / FPS
    maps, places = camera(t), ball_in_world(t)
    pictures = []
    for onto, place in zip(maps, places, strict=True):
        scene, corner = world.copy(), (place - BALL_RADIUS_PX - 2).astype(int)
        down, across = np.mgrid[: int(2 * BALL_RADIUS_PX) + 5, : int(2 * BALL_RADIUS_PX) + 5]
        cover = np.clip(BALL_RADIUS_PX + 0.5 - np.hypot(across + corner[0] - place[0], down + corner[1] - place[1]), 0, 1)
        patch = scene[corner[1] : corner[1] + cover.shape[0], corner[0] : corner[0] + cover.shape[1]]
        patch += cover * (235 - patch)
        seen = cv2.warpPerspective(scene, onto, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        seen = np.clip(seen + rng.normal(0, 1.5, seen.shape), 0, 255).astype(np.uint8)
        inner = seen[frame_px : HEIGHT - frame_px, frame_px : WIDTH - frame_px]
        pictures.append(cv2.copyMakeBorder(inner, *(4 * [frame_px]), cv2.BORDER_CONSTANT, value=(16, 16, 16)))
    return write_clip(path, pictures, fps=FPS), maps


def error_of(motion: CameraMotion, maps: Floats) -> Floats:
    """(n,) px by which the corners and the middle of each frame are laid wrongly on the first."""
    places = np.array([[0.0, 0.0], [WIDTH, 0.0], [0.0, HEIGHT], [WIDTH, HEIGHT], [WIDTH / 2, HEIGHT / 2]])
    back = np.linalg.inv(maps[0])
    return np.array(
        [np.hypot(*(mapped(found, places) - mapped(back @ true, places)).T).max() for found, true in zip(motion.to_first, maps, strict=True)]
    )


@pytest.mark.parametrize("camera", [shake, pan, zoom, quiet_hand], ids=lambda c: c.__name__)
def test_the_ball_goes_where_it_went_in_the_first_frames_coordinates(
    camera: Callable[[Floats], Floats], write_clip: WriteClip, tmp_path: Path
) -> None:
    path, maps = film(write_clip, tmp_path / "moving.mp4", camera, paint_world(1))
    found = track(path)
    assert "camera_steadied" in {notice.code for notice in found.notices}
    assert found.camera_motion is not None
    errors = error_of(found.camera_motion, maps)
    assert np.median(errors) < 0.5
    ball = found.tracks[0]
    true = mapped(np.linalg.inv(maps[0]), ball_in_world(np.arange(FRAMES) / FPS))[ball.frame]
    assert len(ball) >= 0.8 * FRAMES
    assert np.median(np.hypot(*(ball.centre_px - true).T)) < 0.4
    assert ball.to_reference is not None
    np.testing.assert_array_equal(ball.to_reference, found.camera_motion.to_first[ball.frame])
    own = mapped(np.linalg.inv(ball.to_reference[-1]), ball.centre_px[-1:])
    np.testing.assert_allclose(own, mapped(np.linalg.inv(maps[ball.frame[-1]]), ball_in_world(np.array([ball.frame[-1] / FPS]))), atol=1.5)


@pytest.mark.parametrize("camera", [shake, pan, zoom], ids=lambda c: c.__name__)
def test_nothing_moves_along_the_borders_of_the_frames_on_the_canvas(
    camera: Callable[[Floats], Floats], write_clip: WriteClip, tmp_path: Path
) -> None:
    path, _ = film(write_clip, tmp_path / "moving.mp4", camera, paint_world(4), frame_px=2)
    found = track(path)
    assert "camera_steadied" in {notice.code for notice in found.notices}
    assert [len(each) >= 0.8 * FRAMES for each in found.tracks] == [True]


def test_the_stated_error_of_the_camera_is_of_the_size_of_the_true_one(write_clip: WriteClip, tmp_path: Path) -> None:
    path, maps = film(write_clip, tmp_path / "moving.mp4", shake, paint_world(2))
    motion = register_frames(open_video(path))
    assert motion is not None
    middle = np.array([[WIDTH / 2, HEIGHT / 2]])
    back = np.linalg.inv(maps[0])
    off = [np.hypot(*(mapped(found, middle) - mapped(back @ true, middle))[0]) for found, true in zip(motion.to_first, maps, strict=True)]
    assert np.median(off[1:]) < 4 * np.median(motion.error_px[1:])
    assert motion.error_px[0] == 0.0


@pytest.mark.parametrize("camera", [quiet_hand, sway], ids=lambda c: c.__name__)
def test_a_slight_motion_that_cannot_be_followed_does_not_hide_the_ball(
    camera: Callable[[Floats], Floats], write_clip: WriteClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = film(write_clip, tmp_path / "moving.mp4", camera, paint_world(1))
    monkeypatch.setattr("newtonscheme.vision.stabilisation.register_frames", lambda reader, progress: None)
    found = track(path)
    assert found.camera_motion is None
    assert "camera_shakes" in {notice.code for notice in found.notices}
    assert len(found.tracks[0]) >= 0.8 * FRAMES


def test_where_the_background_cannot_be_followed_the_error_names_the_camera(
    write_clip: WriteClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = film(write_clip, tmp_path / "moving.mp4", pan, paint_world(1))
    monkeypatch.setattr("newtonscheme.vision.stabilisation.register_frames", lambda reader, progress: None)
    with pytest.raises(NothingTrackable, match=r"the camera moves: found .*, needed .*; use a tripod"):
        predict(path)


def test_a_still_camera_pays_nothing_and_is_told_nothing(write_clip: WriteClip, tmp_path: Path) -> None:
    path, _ = film(write_clip, tmp_path / "still.mp4", still, paint_world(1))
    found = track(path)
    assert found.camera_motion is None
    assert not {"camera_steadied", "camera_shakes", "moving_camera"} & {notice.code for notice in found.notices}
    assert found.tracks[0].to_reference is None


def test_before_a_bare_wall_a_camera_is_taken_for_still() -> None:
    bare = [np.random.default_rng(k).normal(120, 1.5, (HEIGHT, WIDTH)).astype(np.uint8) for k in range(20)]
    assert not camera_moves(bare)


def test_something_large_that_moves_is_no_moving_camera() -> None:
    wall, lorry = paint_world(4)[:HEIGHT, :WIDTH].astype(np.uint8), paint_world(5)[:140, :200].astype(np.uint8)
    passing = []
    for k in range(20):
        frame = wall.copy()
        frame[60:200, 4 * k : 4 * k + 200] = lorry
        passing.append(frame)
    assert not camera_moves(passing)


def test_a_large_ball_before_a_plain_wall_is_no_moving_camera() -> None:
    """All that can be followed is on the ball."""
    rng, cover = np.random.default_rng(6), paint_world(6)[:100, :100].astype(np.uint8)
    disc = cv2.circle(np.zeros((100, 100), np.uint8), (50, 50), 49, 1, -1) > 0
    passing = []
    for k in range(20):
        frame = rng.normal(120, 1.0, (HEIGHT, WIDTH)).astype(np.uint8)
        frame[60:160, 8 * k : 8 * k + 100][disc] = cover[disc]
        passing.append(frame)
    assert not camera_moves(passing)


def test_two_different_pictures_do_not_match() -> None:
    first, other = (paint_world(seed)[:HEIGHT, :WIDTH].astype(np.uint8) for seed in (6, 7))
    assert Features.of(first).match(other, np.eye(3)) is None


def test_a_cut_to_another_scene_is_not_registered(write_clip: WriteClip, tmp_path: Path) -> None:
    t = np.arange(12) / FPS
    pictures = []
    for world in (paint_world(8), paint_world(9)):
        pictures += [
            cv2.warpPerspective(world, onto, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP).astype(np.uint8) for onto in pan(t)
        ]
    assert register_frames(open_video(write_clip(tmp_path / "cut.mp4", pictures, fps=FPS))) is None


def test_the_nearest_known_frame_stands_in_for_an_unknown_one() -> None:
    maps = np.stack([np.eye(3) * np.array([1, 1, 1]) + np.array([[0, 0, k], [0, 0, 0], [0, 0, 0]]) for k in range(3)])
    motion = CameraMotion(index=np.array([0, 5, 6]), to_first=maps, error_px=np.zeros(3))
    assert [motion.at(k)[0, 2] for k in (-1, 0, 2, 4, 5, 9)] == [0, 0, 0, 1, 1, 2]


def test_a_plain_wall_between_two_strips_is_laid_where_a_turning_camera_puts_it(write_clip: WriteClip, tmp_path: Path) -> None:
    """A tall, narrow picture of which only the ends can be followed, a hand waving in one: a free homography would bend the middle at will."""
    width, height, focal = 120, 640, 620.0
    wall = np.full((900, 400), 120.0, np.float32)
    for top in (130, 690):
        wall[top : top + 80] += 0.3 * (paint_world(10 + top)[:80, :400] - 120)
    hand = paint_world(12)[:50, :60]
    lens = np.array([[focal, 0.0, (width - 1) / 2], [0.0, focal, (height - 1) / 2], [0.0, 0.0, 1.0]])
    place = np.array([[1.0, 0.0, 140.0], [0.0, 1.0, 130.0], [0.0, 0.0, 1.0]])
    rng, maps, pictures = np.random.default_rng(5), [], []
    for k in range(24):
        turned = np.asarray(cv2.Rodrigues(np.array([-0.0012 * k, 0.0004 * k, 0.0005 * k]))[0])
        maps.append(place @ lens @ turned @ np.linalg.inv(lens))
        seen = cv2.warpPerspective(wall, maps[-1], (width, height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
        corner = int(30 + 25 * np.sin(0.9 * k))
        seen[40 + k : 90 + k, corner : corner + 60] = hand
        pictures.append(np.clip(seen + rng.normal(0, 0.6, seen.shape), 0, 255).astype(np.uint8))
    motion = register_frames(open_video(write_clip(tmp_path / "strips.mp4", pictures, fps=FPS)))
    assert motion is not None
    middle = np.array([[width / 2, height * share] for share in (0.2, 0.35, 0.5, 0.65, 0.8)])
    back = np.linalg.inv(maps[0])
    off = [np.hypot(*(mapped(found, middle) - mapped(back @ true, middle)).T) for found, true in zip(motion.to_first, maps, strict=True)]
    assert np.max(off) < 0.5
