"""Linking holds on to its paths whatever the clock says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from newtonscheme.vision.detection import Candidate
from newtonscheme.vision.linking import Linker


def ball(i: int) -> Candidate:
    return Candidate(
        u=20.0 + 5.0 * i, v=40.0, radius=5.0, departure=(60.0, 0.0, 0.0), tint=(0.0, 0.0), contrast=60.0, fill=0.95, elongation=1.0,
        axis=(1.0, 0.0), part=False, region=0, strength=1.0,
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


def seen_at(u: float, v: float) -> Candidate:
    return replace(ball(0), u=u, v=v)


def limb_then_ball(i: int) -> Candidate:
    """A limb goes up for 20 frames; from where it ends a ball of the same looks flies off to the side."""
    return seen_at(100.0, 200.0 - 4.0 * i) if i < 20 else seen_at(100.0 + 24.0 * (i - 19), 124.0 + 12.0 * (i - 19) + 0.5 * (i - 19) ** 2)


@pytest.mark.parametrize("turns", [True, False])
def test_what_turns_onto_a_ball_is_one_path_with_a_turn_or_two_without(turns: bool) -> None:
    linker = Linker(640.0, 360.0, 1, turns=turns)
    for i in range(32):
        linker.step([limb_then_ball(i)])
    found = sorted((path.rows[0][0], path.rows[-1][0], path.turns) for path in linker.paths())
    if turns:
        assert [(first, last) for first, last, _ in found] == [(0, 31)]
        assert 20 in found[0][2]
    else:
        assert found == [(0, 19, ()), (20, 31, ())]


def test_without_turns_a_path_does_not_wait_long_for_what_is_gone() -> None:
    for turns, paths in ((True, 1), (False, 2)):
        linker = Linker(640.0, 360.0, 1, turns=turns)
        for i in range(40):
            linker.step([] if 15 <= i < 25 else [ball(i)])
        assert len(linker.paths()) == paths
