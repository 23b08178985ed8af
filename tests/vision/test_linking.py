"""Linking holds on to its paths whatever the clock says."""

from __future__ import annotations

import numpy as np

from newtonscheme.vision.detection import Candidate
from newtonscheme.vision.linking import Linker


def ball(i: int) -> Candidate:
    return Candidate(
        u=20.0 + 5.0 * i, v=40.0, radius=5.0, departure=(60.0, 0.0, 0.0), tint=(0.0, 0.0), contrast=60.0, fill=0.95, elongation=1.0,
        axis=(1.0, 0.0), part=False, strength=1.0,
    )  # fmt: skip


def linked(frames: list[float]) -> list[int]:
    """Lengths of the paths of one ball, seen after so many frame intervals each."""
    linker = Linker(640.0, 360.0, 1)
    for i, step in enumerate(frames):
        linker.step([ball(i)], step)
    return [len(path.rows) for path in linker.paths()]


def test_a_ball_that_is_seen_in_every_frame_is_one_path() -> None:
    assert linked([1.0] * 20)[0] == 20


def test_a_hole_of_years_in_the_clock_breaks_nothing() -> None:
    for hole in (1e3, 1e6, 1e9, 1e15):
        with np.errstate(all="raise", under="ignore"):
            assert linked([*[1.0] * 10, hole, *[1.0] * 10])[0] >= 10


def test_frames_in_which_nothing_is_seen_still_count() -> None:
    linker = Linker(640.0, 360.0, 1)
    for _ in range(30):
        linker.step([])
    for i in range(8):
        linker.step([ball(i)])
    assert linker.paths()[0].rows[0][0] == 30
