"""A film of one rate in a file of another: repeats are left out, and the rest comes at the times that it was taken at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import WriteClip

from newtonscheme.pipeline import predict
from newtonscheme.types import Cadence, Floats
from newtonscheme.vision.cadence import find_cadence
from newtonscheme.vision.video import open_video

WIDTH, HEIGHT, RADIUS_PX = 320, 240, 9.0
CONVERSIONS = [(24, 30), (25, 30), (24, 25), (15, 30), (24, 60), (23.976, 29.97)]


def throw(t: Floats) -> Floats:
    """(n, 2) px of a throw."""
    return np.column_stack([30 + 150 * t, 220 - 330 * t + 240 * t**2])


def painted(places: Floats, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    wall = 110 + 40 * cv2.resize(rng.normal(0, 1, (24, 32)), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    out = []
    for u, v in places:
        cover = np.clip(RADIUS_PX + 0.5 - np.hypot(across - u, down - v), 0, 1)
        out.append(np.clip(wall + cover * (235 - wall) + rng.normal(0, 1.0, wall.shape), 0, 255).astype(np.uint8))
    return out


def converted(taken_fps: float, stored_fps: float, duration: float, seed: int, phase: float = 0.3) -> tuple[list[np.ndarray], np.ndarray]:
    """The pictures of a file of one rate that a film of a lower one fills, and which picture each is."""
    shown = np.floor(np.arange(int(duration * stored_fps)) * taken_fps / stored_fps + phase).astype(int)
    pictures = painted(throw(np.arange(shown[-1] + 1) / taken_fps), seed)
    return [pictures[k] for k in shown], shown


@pytest.mark.parametrize(("taken_fps", "stored_fps"), CONVERSIONS)
@pytest.mark.parametrize("options", [{}, {"qp": "26"}], ids=["lossless", "coded"])
def test_pictures_come_once_and_at_even_times(
    taken_fps: float, stored_fps: float, options: dict[str, str], write_clip: WriteClip, tmp_path: Path
) -> None:
    long = 9.0 if stored_fps / (stored_fps - taken_fps) > 10 else 2.0
    shown = np.floor(np.arange(int(long * stored_fps)) * taken_fps / stored_fps + 0.3).astype(int)
    sway = np.column_stack(
        [160 + 110 * np.sin(2.1 * np.arange(shown[-1] + 1) / taken_fps), 120 + 70 * np.cos(1.7 * np.arange(shown[-1] + 1) / taken_fps)]
    )
    pictures = painted(sway, 1)
    path = write_clip(tmp_path / "film.mp4", [pictures[k] for k in shown], fps=stored_fps, options=options)
    first = open_video(path)
    assert sum(1 for _ in first.frames()) == len(shown)
    cadence = first.find_cadence()
    assert cadence is not None
    assert cadence.rate == pytest.approx(taken_fps / stored_fps, abs=0.2 / len(shown) + 0.002)
    reader = open_video(path, cadence=cadence)
    kept = list(reader.frames())
    assert [int(shown[frame.index]) for frame in kept] == sorted(set(shown.tolist()))
    np.testing.assert_allclose(np.diff([frame.t for frame in kept]), 1 / taken_fps, rtol=0.01)
    late = np.array([frame.index / stored_fps - frame.t for frame in kept])
    assert np.min(late) == pytest.approx(0.0, abs=0.1 / stored_fps)
    assert np.max(late) < 1.05 / stored_fps
    video, notices = reader.summary()
    assert video.fps == pytest.approx(taken_fps, rel=0.01)
    assert video.n_frames == len(shown)
    assert video.damage["duplicate"] == len(shown) - len(kept)
    assert "left out" in {notice.code: notice.message for notice in notices}["frames_duplicated"]


def test_a_throw_in_a_converted_film_is_measured_as_if_it_had_not_been(write_clip: WriteClip, tmp_path: Path) -> None:
    pictures, shown = converted(24, 30, 1.3, seed=2)
    plain = painted(throw(np.arange(shown[-1] + 1) / 24), 2)
    whole, ours = (predict(write_clip(tmp_path / f"{fps}.mp4", some, fps=fps)) for fps, some in ((24, plain), (30, pictures)))
    assert (whole.status, ours.status) == ("forecast", "forecast")
    assert ours.pattern.name == whole.pattern.name
    assert ours.fit is not None
    assert whole.fit is not None
    assert len(ours.fit.track) >= len(whole.fit.track) - 2
    assert ours.fit.noise.scale < 2 * whole.fit.noise.scale
    speed = ours.parameters["speed"]
    assert abs(speed.value - whole.parameters["speed"].value) < 0.1 * speed.value + 3 * speed.sigma


def changes_of(repeats: np.ndarray, seed: int) -> Floats:
    changes = np.random.default_rng(seed).uniform(2_000, 4_000, len(repeats))
    changes[repeats] = 0.0
    changes[0] = np.nan
    return np.column_stack([changes, 2.0 * changes + 1_000.0])


@pytest.mark.parametrize("seed", range(6))
def test_a_recorder_that_stutters_at_random_has_no_cadence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    repeats = np.zeros(300, bool)
    repeats[rng.choice(np.arange(2, 298), 45, replace=False)] = True
    assert find_cadence(changes_of(repeats, seed)) is None


@pytest.mark.parametrize(
    "changes", [np.full((200, 2), 3_000.0), np.zeros((200, 2)), np.array([[np.nan, np.nan], [5_000.0, np.nan]])], ids=["moving", "still", "short"]
)
def test_without_repeats_there_is_no_cadence(changes: Any) -> None:
    assert find_cadence(changes) is None


@pytest.mark.parametrize("frames_a_period", [12, 16, 24, 30, 60])
def test_a_swing_that_turns_between_two_frames_has_no_cadence(frames_a_period: int, write_clip: WriteClip, tmp_path: Path) -> None:
    angle = 2 * np.pi * (np.arange(12 * frames_a_period) + 0.5) / frames_a_period
    places = np.column_stack([160 + 60 * np.cos(angle), 150 - 10 * np.cos(2 * angle)])
    reader = open_video(write_clip(tmp_path / "swing.mp4", painted(places, 5), options={"qp": "22"}))
    assert sum(1 for _ in reader.frames()) == len(places)
    assert reader.find_cadence() is None


@pytest.mark.parametrize("n", [300, 5_000])
def test_a_cadence_holds_to_the_end_of_a_long_film_in_which_little_moves(n: int) -> None:
    true = Cadence(rate=25 / 29.97, phase=0.61)
    changes = changes_of(true.repeats(np.arange(n)), 3)
    asleep = (np.arange(n) // 40) % 3 == 1
    changes[asleep, 0] = 0.0
    found = find_cadence(changes)
    assert found is not None
    awake = np.flatnonzero(~asleep)
    assert np.mean(found.repeats(awake) == true.repeats(awake)) > 0.98
