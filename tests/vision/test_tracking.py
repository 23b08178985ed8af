"""The sample films are tracked where their truths say, without a click."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import WriteClip

from newtonscheme.synth.simulation import simulate
from newtonscheme.types import Track
from newtonscheme.vision.tracking import track_objects
from newtonscheme.vision.video import open_video

DATA = Path(__file__).resolve().parents[2] / "data"


@pytest.mark.parametrize(("film", "error_px"), [("throw", 0.2), ("pendulum", 0.15), ("carried", 0.3)])
def test_the_first_track_is_the_ball(film: str, error_px: float) -> None:
    truth = json.loads((DATA / f"{film}.truth.json").read_text())
    track = track_objects(open_video(str(DATA / f"{film}.mp4"))).tracks[0]
    true = np.column_stack([truth["u_px"], truth["v_px"]])[track.frame]
    assert len(track) >= 0.9 * sum(truth["visible"])
    assert np.median(np.hypot(*(track.centre_px - true).T)) < error_px
    assert np.nanmedian(track.radius_px) == pytest.approx(np.median(truth["radius_px"]), rel=0.06)


@pytest.mark.parametrize("seed", [6, pytest.param(4, marks=pytest.mark.slow), pytest.param(5, marks=pytest.mark.slow)])
def test_a_string_is_no_object_of_its_own(seed: int, tmp_path: Path) -> None:
    simulate("pendulum", tmp_path / "swing.mp4", seed=seed, duration=1.5)
    assert len(track_objects(open_video(str(tmp_path / "swing.mp4"))).tracks) == 1


def test_a_ball_that_gets_faster_is_a_streak_to_the_end(tmp_path: Path) -> None:
    truth = simulate("free_fall", tmp_path / "fast.mp4", seed=8009)
    track = track_objects(open_video(str(tmp_path / "fast.mp4"))).tracks[0]
    true = np.stack([np.array(truth["u_px"]), np.array(truth["v_px"])], axis=1)[track.frame]
    velocity = np.gradient(true, axis=0)
    across = np.stack([-velocity[:, 1], velocity[:, 0]], axis=1) / np.hypot(*velocity.T)[:, None]
    fast = np.hypot(*velocity.T) > 8.0
    assert np.sum(fast) >= 6
    assert np.max(np.abs(np.sum((track.centre_px - true) * across, axis=1))[fast]) < 1.0
    assert track.velocity_px is not None
    assert np.all(np.isfinite(track.velocity_px[fast]))


@pytest.mark.parametrize("start_deg", [7, 14])
def test_no_sample_is_called_measured_that_could_lie_anywhere(start_deg: int, write_clip: WriteClip, tmp_path: Path) -> None:
    """A large two-coloured disc that turns in place shows the tracker scraps of edges, some of which fit any disc."""
    pictures = []
    for k in range(38):
        picture, middle, angle = np.zeros((720, 960, 3), np.uint8), (480, 340), 10.0 * k + start_deg
        cv2.ellipse(picture, middle, (330, 330), angle, 0, 180, (60, 60, 200), -1)
        cv2.ellipse(picture, middle, (330, 330), angle, 180, 360, (255, 255, 255), -1)
        along = 330 * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        cv2.line(picture, *((np.array(middle) + side * along).astype(int).tolist() for side in (-1, 1)), (0, 0, 0), 50)
        cv2.circle(picture, middle, 110, (0, 0, 0), -1)
        cv2.circle(picture, (483, 340), 40, (255, 255, 255), -1)
        pictures.append(cv2.resize(picture, (480, 360), interpolation=cv2.INTER_AREA))
    found = track_objects(open_video(str(write_clip(tmp_path / "turning.mp4", pictures, options={"qp": "28", "crf": "28"})))).tracks
    assert found
    for each in found:
        assert np.max(each.sigma_px) < 20.0


@pytest.mark.parametrize("seed", range(3))
def test_a_ball_that_covers_its_own_place_in_most_frames_is_seen_before_what_is_behind_it(seed: int, write_clip: WriteClip, tmp_path: Path) -> None:
    """About the top of a throw a near ball hardly moves: what most frames show there is the ball, not what is behind it."""
    rng, radius, scale = np.random.default_rng(seed), 22.0, 8
    wall = cv2.GaussianBlur(rng.normal(150.0, 120.0, (180, 240)), (0, 0), 4.0) + rng.normal(0.0, 2.0, (180, 240))
    true = np.array([(120.3 + 0.4 * k, 70.2 + 0.45 * (k - 6) ** 2) for k in range(16)])
    pictures = []
    for u, v in true:
        disc = np.zeros((180 * scale, 240 * scale), np.uint8)
        middle = (round((u + 0.5) * scale), round((v + 0.5) * scale))
        cv2.circle(disc, middle, round(radius * scale), 255, -1)
        cover = cv2.resize(disc, (240, 180), interpolation=cv2.INTER_AREA) / 255.0
        picture = (1 - cover) * wall + cover * 60.0 + rng.normal(0.0, 1.0, wall.shape)
        pictures.append(np.clip(picture, 0, 255).astype(np.uint8))
    track = track_objects(open_video(str(write_clip(tmp_path / "slow.mp4", pictures)))).tracks[0]
    assert len(track) >= 15
    assert np.max(np.hypot(*(track.centre_px - true[track.frame]).T)) < 0.3


@pytest.mark.parametrize(
    ("reach", "bright", "seed", "crf", "threads"),
    [(14.0, 60.0, 5, "18", "1"), (14.0, 60.0, 5, "18", "8"), (22.0, 200.0, 5, "18", "1"), (22.0, 200.0, 5, "18", "8"), (30.0, 90.0, 6, "0", "1")],
)
def test_a_large_bob_that_never_leaves_its_place_is_seen_whole(
    reach: float, bright: float, seed: int, crf: str, threads: str, write_clip: WriteClip, tmp_path: Path
) -> None:  # fmt: skip
    """What all frames show there is the bob; only slivers along its edges change, of which some are found whole."""
    rng, radius, scale = np.random.default_rng(seed), 40.0, 4
    wall = 125.0 + cv2.GaussianBlur(rng.normal(0.0, 60.0, (220, 300)), (0, 0), 4.0)
    true = np.array([(150.0 + reach * np.sin(0.14 * k), 110.0 - 0.02 * reach * np.sin(0.14 * k) ** 2) for k in range(60)])
    down, across = (np.mgrid[: 220 * scale, : 300 * scale] + 0.5) / scale - 0.5
    pictures = []
    for u, v in true:
        cover = cv2.resize(((across - u) ** 2 + (down - v) ** 2 < radius**2).astype(float), (300, 220), interpolation=cv2.INTER_AREA)
        lit = bright + 25.0 * (110.0 - np.arange(220))[:, None] / radius + 50.0 * np.exp(-((np.arange(300) - u + 12.0) ** 2) / 100.0)
        pictures.append(np.clip(wall + cover * (lit - wall) + rng.normal(0.0, 1.0, wall.shape), 0, 255).astype(np.uint8))
    film = str(write_clip(tmp_path / "near.mp4", pictures, options={"crf": crf, "threads": threads}))
    track = track_objects(open_video(film)).tracks[0]
    assert len(track) == 60
    assert np.median(np.hypot(*(track.centre_px - true[track.frame]).T)) < 0.3
    assert np.nanmedian(track.radius_px) == pytest.approx(radius, rel=0.02)
    assert track_objects(open_video(film), roi=(0, 0, 60, 60)).tracks == ()


def test_a_short_fast_part_of_a_long_slow_path_is_seen_as_streaks(write_clip: WriteClip, tmp_path: Path) -> None:
    """Of the few samples that a path is first judged by, all but one may lie where the object hardly moves."""
    rng, radius, scale, slow, fast = np.random.default_rng(3), 9.0, 4, 90, 13
    wall = cv2.GaussianBlur(rng.normal(140.0, 60.0, (420, 200)), (0, 0), 5.0)

    def place(k: np.ndarray) -> np.ndarray:
        fallen = np.maximum(k - slow, 0.0)
        return np.stack([90.0 + 14.0 * np.sin(0.11 * np.minimum(k, slow)) + 1.5 * fallen, 40.0 + 9.0 * fallen + 1.1 * fallen**2], axis=-1)

    down, across = (np.mgrid[: 420 * scale, : 200 * scale] + 0.5) / scale - 0.5
    pictures = []
    for k in range(slow + fast):
        cover = np.zeros_like(down)
        moments = place(k + np.linspace(-0.4, 0.4, 17)) if k > slow else place(np.array([float(k)]))
        for u, v in moments:
            cover += ((across - u) ** 2 + (down - v) ** 2 < radius**2) / len(moments)
        share = cv2.resize(cover, (200, 420), interpolation=cv2.INTER_AREA)
        pictures.append(np.clip(wall + share * (235.0 - wall) + rng.normal(0.0, 2.0, wall.shape), 0, 255).astype(np.uint8))
    track = track_objects(open_video(str(write_clip(tmp_path / "dropped.mp4", pictures)))).tracks[0]
    late = track.frame > slow
    assert late.sum() >= fast - 2
    assert track.velocity_px is not None
    assert np.isfinite(track.velocity_px[late]).all(axis=1).mean() > 0.8
    assert np.nanmedian(track.radius_px[late]) == pytest.approx(radius, rel=0.05)
    assert np.median(np.hypot(*(track.centre_px[late] - place(track.frame[late].astype(float))).T)) < 0.3


def test_a_short_flight_is_found_among_many_things_that_change_for_long(write_clip: WriteClip, tmp_path: Path) -> None:
    """Lamps that are lit for forty frames each are surer things than a ball that is there for thirteen, and go nowhere."""
    rng, radius, scale = np.random.default_rng(4), 7.0, 4
    wall = cv2.GaussianBlur(rng.normal(120.0, 60.0, (240, 320)), (0, 0), 4.0)
    lit = [wall.copy(), wall.copy()]
    for k in range(44):
        cv2.circle(lit[k % 2], (14 + 28 * (k // 2 % 11) + 3 * (k % 2), 150 + 22 * (k // 22) + 12 * (k % 2)), 5, 230.0, -1, cv2.LINE_AA)
    frame = np.arange(200)
    true = np.stack([22.0 * (frame - 80.0) + 20.0, 100.0 - 14.0 * (frame - 80.0) + 1.1 * (frame - 80.0) ** 2], axis=1)
    down, across = (np.mgrid[: 240 * scale, : 320 * scale] + 0.5) / scale - 0.5
    pictures = []
    for k in frame:
        picture = lit[0] if 4 <= k < 44 else lit[1] if 70 <= k < 110 else wall
        if 80 <= k < 93:
            disc = ((across - true[k, 0]) ** 2 + (down - true[k, 1]) ** 2 < radius**2).astype(float)
            picture = picture + cv2.resize(disc, (320, 240), interpolation=cv2.INTER_AREA) * (60.0 - picture)
        pictures.append(np.clip(picture + rng.normal(0.0, 2.0, wall.shape), 0, 255).astype(np.uint8))
    track = track_objects(open_video(str(write_clip(tmp_path / "lamps.mp4", pictures)))).tracks[0]
    assert len(track) >= 11
    assert np.median(np.hypot(*(track.centre_px - true[track.frame]).T)) < 0.3


@pytest.mark.parametrize("power", [1.0, 2.2])
def test_a_blurred_ball_is_as_large_as_it_is_whether_software_drew_it_or_a_camera(power: float, write_clip: WriteClip, tmp_path: Path) -> None:
    """Half of a bright ball over a dark wall is half of the light to a camera, and half of the code value to software."""
    rng, radius, scale, moments = np.random.default_rng(1), 12.0, 4, 9
    wall = np.clip(cv2.GaussianBlur(rng.normal(30.0, 60.0, (200, 420)), (0, 0), 5.0), 20.0, 60.0)
    true = np.array([(30.3 + 10.0 * k, 160.2 - 8.0 * k + 0.22 * k**2) for k in range(36)])
    speed, pictures, side = np.gradient(true, axis=0), [], 56
    fine = (np.arange(side * scale) + 0.5) / scale - 0.5
    for (u, v), (du, dv) in zip(true, speed, strict=True):
        left, top = (int(np.clip(x - side / 2, 0, most - side)) for x, most in ((u, 420), (v, 200)))
        light, around = wall**power, np.s_[top : top + side, left : left + side]
        behind, swept = np.kron(light[around], np.ones((scale, scale))), np.zeros((side, side))
        for moment in np.linspace(-0.4, 0.4, moments):
            x, y = np.meshgrid((fine + left - u - moment * du) / radius, (fine + top - v - moment * dv) / radius)
            drawn = np.where(x**2 + y**2 < 1, (190.0 - 50.0 * np.clip(y, -1, 1)) ** power, behind)
            swept += drawn.reshape(side, scale, side, scale).mean(axis=(1, 3)) / moments
        light[around] = swept
        pictures.append(np.clip(light ** (1 / power) + rng.normal(0.0, 1.0, wall.shape), 0, 255).astype(np.uint8))
    track = track_objects(open_video(str(write_clip(tmp_path / "swept.mp4", pictures, options={"crf": "16"})))).tracks[0]
    assert len(track) >= 30
    assert np.nanmedian(np.abs(track.radius_px / radius - 1)) < 0.03
    assert np.median(np.hypot(*(track.centre_px - true[track.frame]).T)) < 0.15


def lit_ball_before(wall: float, path: Path, write_clip: WriteClip) -> tuple[Track, np.ndarray]:
    """A throw of a grey ball of 9 px, lit from the upper right, before a wall of this grey level: its track, and its errors (n, 2), px."""
    rng, radius, scale, side = np.random.default_rng(2), 9.0, 5, 24
    still = np.clip(wall + cv2.GaussianBlur(rng.normal(0.0, 12.0, (200, 420)), (0, 0), 4.0), 16.0, 235.0)
    true = np.array([(30.3 + 10.0 * k, 160.2 - 8.0 * k + 0.22 * k**2) for k in range(36)])
    fine, pictures = (np.arange(side * scale) + 0.5) / scale - 0.5, []
    for u, v in true:
        left, top = int(u) - side // 2, int(v) - side // 2
        x, y = np.meshgrid((fine + left - u) / radius, (fine + top - v) / radius)
        facing = 0.65 * x - 0.45 * y + 0.61 * np.sqrt(np.maximum(1 - x**2 - y**2, 0.0))
        shade = (16.0 + 190.0 * np.sqrt(0.08 + 0.92 * np.maximum(facing, 0.0))) ** 2
        seen, around = still.copy(), np.s_[top : top + side, left : left + side]
        behind = np.kron(still[around] ** 2, np.ones((scale, scale)))
        seen[around] = np.sqrt(np.where(x**2 + y**2 < 1, shade, behind).reshape(side, scale, side, scale).mean(axis=(1, 3)))
        pictures.append(np.clip(cv2.GaussianBlur(seen, (0, 0), 0.6) + rng.normal(0.0, 1.5, still.shape), 0, 255).astype(np.uint8))
    track = track_objects(open_video(str(write_clip(path, pictures, options={"crf": "20"})))).tracks[0]
    return track, track.centre_px - true[track.frame]


def test_a_ball_whose_shaded_side_melts_into_the_wall_is_known_to_be_off(write_clip: WriteClip, tmp_path: Path) -> None:
    for wall, least_px, most_px in ((70.0, 0.2, 0.5), (120.0, 0.0, 0.12)):
        track, error = lit_ball_before(wall, tmp_path / f"{wall:.0f}.mp4", write_clip)
        assert np.sqrt(np.mean(error**2)) < 2.0 * np.median(track.total_sigma_px)
        assert least_px < np.median(track.total_sigma_px) < most_px
