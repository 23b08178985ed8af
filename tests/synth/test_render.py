"""Pictures show what the truth says: where the ball is, how far it sweeps, and the same bytes for the same seed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from newtonscheme.errors import UsageError
from newtonscheme.synth.motions import draw_unknown
from newtonscheme.synth.render import Look, draw_frames, draw_look, render
from newtonscheme.synth.scene import Scene, draw_scene
from newtonscheme.synth.sprite import Sweep, draw_ball, turn_cover
from newtonscheme.synth.texture import BALL_LOOKS, COVERS, GAMMA, BallLook, shade_ball

WHITE = BallLook(label="", cover="equator", colours=((0.95, 0.95, 0.95), (0.95, 0.95, 0.95)), shine=0.0)
BARE = Look(ball=WHITE, backdrop="flat", tone=(0.2, 0.2, 0.2), exposure=0.5, noise=0.0, ambient=1.0, string=False)


def measure_centroids(scene: Scene, look: Look) -> np.ndarray:
    """(n, 2) centroids of the light that the ball adds to a flat backdrop, from the 8-bit frames."""
    centroids = []
    for _, image in draw_frames(scene, np.random.default_rng(0), look):
        light = (image[..., 1].astype(float) / 255.0) ** GAMMA
        extra = light - np.median(light)
        rows, columns = np.indices(extra.shape)
        centroids.append([np.sum(columns * extra), np.sum(rows * extra)] / np.sum(extra))
    return np.array(centroids)


@pytest.mark.parametrize(
    ("pattern", "seed", "exposure"), [("free_fall", 0, 0.1), ("free_fall", 1, 0.9), ("pendulum", 2, 0.5), ("curving_ball", 3, 0.9)]
)
def test_the_lights_centroid_is_the_true_centre_at_mid_exposure(pattern: str, seed: int, exposure: float) -> None:
    scene = draw_scene(np.random.default_rng(seed), pattern, size_px=(320, 240), fps=60.0, duration=0.4, least_radius_px=2.5)
    measured = measure_centroids(scene, replace(BARE, exposure=exposure))
    lag = scene.acceleration_px * (exposure / scene.fps) ** 2 / 24  # the mean of a quadratic sweep
    assert np.abs(measured - scene.centre_px - lag).max() < 0.02


def test_the_rendered_disc_has_the_true_area() -> None:
    for radius in (1.5, 4.0, 13.3, 60.0):
        sweep = Sweep(centre=np.array([80.37, 71.81]), radius=radius, velocity=np.zeros(2), acceleration=np.zeros(2), exposure=0.0)
        patch = draw_ball(WHITE, sweep, np.eye(3), np.array([0.0, 1.0, 0.5]), 1.0, blur_px=0.5)
        assert np.sqrt(patch.rgba[..., 3].sum() / np.pi) == pytest.approx(radius, abs=0.01)


def test_a_streak_is_as_long_as_the_sweep_and_points_along_it() -> None:
    velocity, exposure, radius = np.array([900.0, -500.0]), 1 / 50, 5.0
    sweep = Sweep(centre=np.array([90.2, 80.7]), radius=radius, velocity=velocity, acceleration=np.zeros(2), exposure=exposure)
    alpha = draw_ball(WHITE, sweep, np.eye(3), np.array([0.0, 1.0, 0.5]), 1.0).rgba[..., 3]
    weight = alpha / alpha.sum()
    rows, columns = np.indices(alpha.shape)
    points = np.stack([columns.ravel(), rows.ravel()], axis=-1) - [np.sum(columns * weight), np.sum(rows * weight)]
    covariance = np.einsum("n,ni,nj->ij", weight.ravel(), points, points)
    still = radius**2 / 4 + 1 / 12  # a disc's variance on either axis, and a pixel's
    np.testing.assert_allclose(covariance, np.outer(velocity, velocity) * exposure**2 / 12 + still * np.eye(2), atol=0.1)


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    scene = draw_scene(np.random.default_rng(4), "free_fall", size_px=(320, 240), fps=60.0)
    look = draw_look(np.random.default_rng(4), "basketball")
    films = [[image.tobytes() for _, image in draw_frames(scene, np.random.default_rng(seed), look)] for seed in (5, 5, 6)]
    assert films[0] == films[1]
    assert films[0] != films[2]
    assert len(set(films[0])) == len(scene)


def test_a_sensors_noise_has_the_stated_size_and_is_new_in_every_frame() -> None:
    scene = draw_scene(np.random.default_rng(7), "free_fall", size_px=(320, 240), fps=60.0)
    mid_grey = (0.2 ** (1 / GAMMA),) * 3
    frames = [image[:, :, 0].astype(float) for _, image in draw_frames(scene, np.random.default_rng(8), replace(BARE, tone=mid_grey, noise=3.0))]
    change = np.abs(frames[0] - frames[1])
    away = np.ones(change.shape, dtype=bool)
    for (u, v), radius in zip(scene.centre_px[:2], scene.radius_px, strict=False):
        rows, columns = np.indices(change.shape)
        away &= np.hypot(columns - u, rows - v) > 2 * radius + 30
    assert np.sqrt(np.mean(change[away] ** 2) / 2) == pytest.approx(3.0, rel=0.05)


def test_an_occluder_hides_the_ball_and_the_film_says_in_which_frames(tmp_path: Path) -> None:
    scene = draw_scene(np.random.default_rng(9), "free_fall", size_px=(320, 240), fps=60.0, duration=0.5, least_radius_px=3)
    film = render(scene, tmp_path / "hidden.mp4", np.random.default_rng(1), look=replace(BARE, occluder=5.0))
    assert film.seen.min() == 0.0
    assert film.seen.max() == 1.0


def test_a_hand_a_shadow_a_string_and_clutter_change_the_picture_but_not_its_shape() -> None:
    held = draw_scene(np.random.default_rng(10), "free_fall", size_px=(320, 240), fps=30.0, hold=0.3)
    swing = draw_scene(np.random.default_rng(10), "pendulum", size_px=(320, 240), fps=30.0, duration=0.5)
    looks = [draw_look(np.random.default_rng(seed)) for seed in range(4)]
    for scene in (held, swing):
        for look in looks:
            frames = [image for _, image in draw_frames(scene, np.random.default_rng(0), replace(look, shadow=0.4, flicker=0.03, flicker_hz=5.0))]
            assert len(frames) == len(scene)
            assert all(image.shape == (240, 320, 3) and image.dtype == np.uint8 for image in frames)


@pytest.mark.parametrize("look", BALL_LOOKS, ids=lambda look: f"{look.label}-{look.colours[0]}")
def test_every_ball_has_a_cover_that_turns_with_it(look: BallLook) -> None:
    normal = np.random.default_rng(0).standard_normal((4000, 3)).astype(np.float32)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    light = np.array([0.0, 1.0, 1.0])
    first = shade_ball(look, normal, np.eye(3), light, 0.5)
    turned = shade_ball(look, normal, turn_cover(np.eye(3), np.array([0.3, 0.5, 0.7]), 1.0), light, 0.5)
    assert first.min() >= 0
    assert first.max() <= 1
    assert look.cover in COVERS
    assert np.abs(first ** (1 / GAMMA) - turned ** (1 / GAMMA)).max() > 0.01


def test_a_film_has_exact_time_stamps_and_the_frames_that_were_drawn(tmp_path: Path) -> None:
    scene = draw_scene(np.random.default_rng(11), "free_fall", size_px=(320, 240), fps=30000 / 1001, duration=0.6)
    look = draw_look(np.random.default_rng(11))
    path = tmp_path / "film.mp4"
    render(scene, path, np.random.default_rng(12), look=look, crf=1)
    drawn = [image for _, image in draw_frames(scene, np.random.default_rng(12), look)]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        decoded = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(stream)]
    np.testing.assert_allclose([t for t, _ in decoded], scene.times, atol=1e-6)
    for (_, image), original in zip(decoded, drawn, strict=True):
        assert np.abs(image.astype(float).mean() - original.astype(float).mean()) < 1.5


def test_a_film_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    odd = draw_unknown(np.random.default_rng(13), "walk", size_px=(321, 240))
    with pytest.raises(UsageError, match="even width and height"):
        render(odd, path, np.random.default_rng(0))
    assert list(tmp_path.iterdir()) == []

    def stop(stage: str, done: int, total: int | None) -> None:
        if done == 3:
            raise KeyboardInterrupt

    scene = draw_unknown(np.random.default_rng(13), "walk", size_px=(320, 240))
    with pytest.raises(KeyboardInterrupt):
        render(scene, path, np.random.default_rng(0), progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_ball_without_a_look_is_refused() -> None:
    with pytest.raises(UsageError, match="no look for 'football helmet'"):
        draw_look(np.random.default_rng(0), "football helmet")
