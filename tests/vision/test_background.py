"""What is behind a thing that lingers, from the stretch of frames before; and what is not believed of it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import WriteClip
from numpy.typing import NDArray

from newtonscheme.types import Bytes
from newtonscheme.vision import footage
from newtonscheme.vision.background import estimate_background, smooth
from newtonscheme.vision.tracking import track_objects
from newtonscheme.vision.video import open_video

SIZE = (160, 120)
CENTRE, RADIUS = (90.0, 60.0), 9.0


def wall(rng: np.random.Generator) -> NDArray[np.float64]:
    """A wall with soft structure, (120, 160)."""
    return np.asarray(120 + 400 * cv2.GaussianBlur(rng.standard_normal(SIZE[::-1]), (0, 0), 6))


def seen(behind: NDArray[np.float64], centre: tuple[float, float] | None, rng: np.random.Generator) -> Bytes:
    """A frame of the wall with a dark, textured ball before it, or without one."""
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    picture = behind.copy()
    if centre is not None:
        across, down = columns - centre[0], rows - centre[1]
        cover = np.clip(RADIUS + 0.5 - np.hypot(across, down), 0, 1)
        picture += cover * (40 + 12 * np.sin(0.5 * across) - picture)
    return np.clip(np.rint(picture + rng.normal(0, 1.0, picture.shape)), 0, 255).astype(np.uint8)


def test_what_came_to_rest_since_the_last_background_is_not_taken_for_one() -> None:
    rng = np.random.default_rng(1)
    behind = wall(rng)
    lingers = [seen(behind, (CENTRE[0] + 0.02 * k, CENTRE[1]), rng) for k in range(40)]
    last = smooth(seen(behind, None, rng))
    alone, told = estimate_background(lingers, None), estimate_background(lingers, None, (last, None))
    place = np.s_[56:65, 86:95]
    assert np.abs(alone.luma[place].astype(float) - behind[place]).mean() > 30
    assert np.abs(told.luma[place].astype(float) - behind[place]).mean() < 3


def test_what_rested_before_and_has_left_is_not_put_back() -> None:
    rng = np.random.default_rng(2)
    behind = wall(rng)
    empty = [seen(behind, None, rng) for _ in range(40)]
    told = estimate_background(empty, None, (smooth(seen(behind, CENTRE, rng)), None))
    assert np.abs(told.luma.astype(float) - behind).max() < 8


def test_a_background_of_nothing_new_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    behind = wall(rng)
    passing = [seen(behind, (20.0 + 3 * k, 60.0), rng) for k in range(40)]
    alone = estimate_background(passing, None)
    told = estimate_background(passing, None, (smooth(seen(behind, None, rng)), None))
    assert np.array_equal(told.luma, alone.luma)
    assert np.array_equal(told.luma_threshold, alone.luma_threshold)


def test_a_bob_that_lingers_at_its_turn_for_all_of_a_stretch_is_followed(
    tmp_path: Path, write_clip: WriteClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(4)
    behind = wall(rng)
    truth = 80 + 55 * np.sin(2 * np.pi * np.arange(300) / 300 - 0.2)
    clip = write_clip(tmp_path / "swing.mp4", [np.dstack([seen(behind, (u, 60.0), rng)] * 3) for u in truth], fps=120.0, options={"crf": "12"})
    # So few frames that in all of one stretch the bob is within a third of its radius of its turn.
    monkeypatch.setattr(footage, "SMALL_BUDGET", 30 * int(1.5 * SIZE[0] * SIZE[1]))
    best = track_objects(open_video(str(clip))).tracks[0]
    assert len(best) > 290
    assert np.abs(best.centre_px[:, 0] - truth[best.frame]).max() < 2
