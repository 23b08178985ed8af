"""Frames that a film lost are found where a path shows them, at the right place and number, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from truths import SIZE, WHITE, bounce_path, film_path, film_pattern

from newtonscheme.physics.models import PATTERNS
from newtonscheme.synth.motions import FAMILIES, draw_unknown
from newtonscheme.synth.scene import film
from newtonscheme.types import Track, Tracking, Video
from newtonscheme.vision.slips import Slip, find_slips, mend_clock


def cut(track: Track, at: int, lost: int) -> Track:
    """The track of a film that lost frames before the sample ``at`` and numbers the others evenly."""
    kept = np.r_[0:at, at + lost : len(track)]
    own = track.select(kept)
    return replace(own, frame=track.frame[: len(kept)], t=track.t[: len(kept)])


def tracking_of(*tracks: Track, repeated: tuple[int, ...] = ()) -> Tracking:
    video = Video(
        path=Path("film.mp4"), width_px=SIZE[0], height_px=SIZE[1], fps=30.0, n_frames=100, duration=3.3, time_source="timestamps", sha256="0" * 64,
        repeated=repeated,
    )  # fmt: skip
    return Tracking(video=video, tracks=tracks)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("lost", [1, 2, 3])
def test_lost_frames_are_found_where_they_are_missing(pattern: str, lost: int) -> None:
    found, moved = 0, 0
    for seed in range(6):
        track = film_pattern(pattern, seed, share=1.0, fps=30.0, duration=1.5).track
        at = len(track) // 2
        if len(track) < 20 + lost or np.hypot(*(track.centre_px[at] - track.centre_px[at - 1])) < 4.0:
            continue
        moved += 1
        found += find_slips(cut(track, at, lost)) == [Slip(int(track.frame[at]), lost)]
    assert moved >= 3
    assert found >= moved - 1


@pytest.mark.parametrize("pattern", PATTERNS)
def test_nothing_is_missing_where_nothing_was_lost(pattern: str) -> None:
    assert all(find_slips(film_pattern(pattern, seed, share=1.0, fps=30.0).track) == [] for seed in range(12))


@pytest.mark.slow
def test_neither_a_bounce_nor_any_other_motion_is_a_lost_frame() -> None:
    path, _ = bounce_path()
    assert find_slips(film_path(path, 2.0, fps=30.0).track) == []
    for k, family in enumerate(FAMILIES):
        scene = draw_unknown(np.random.default_rng([k, 5]), family, size_px=SIZE, fps=30.0, duration=3.0)
        assert find_slips(film(scene, np.random.default_rng([k, 6]), WHITE)) == [], family


def test_what_came_before_a_lost_frame_is_moved_back_in_time_and_the_rest_keeps_its_stamps() -> None:
    whole = film_pattern("pendulum", 0, share=1.0, fps=30.0, duration=3.0).track
    speed = np.hypot(*np.gradient(whole.centre_px, axis=0).T)
    at = 20 + int(np.argmax(speed[20:-20]))
    there = mend_clock(tracking_of(cut(whole, at, 2)))
    assert [notice.code for notice in there.notices] == ["clock_slips"]
    gaps = np.diff(there.tracks[0].t) * 30.0
    np.testing.assert_allclose(gaps, np.where(np.arange(len(gaps)) == at - 1, 3.0, 1.0), atol=1e-6)
    np.testing.assert_array_equal(there.tracks[0].t[at:], cut(whole, at, 2).t[at:])


def test_a_film_that_shows_frames_twice_is_left_as_it_is() -> None:
    whole = film_pattern("pendulum", 0, share=1.0, fps=30.0, duration=3.0).track
    speed = np.hypot(*np.gradient(whole.centre_px, axis=0).T)
    broken = tracking_of(cut(whole, 20 + int(np.argmax(speed[20:-20])), 1), repeated=(50,))
    assert mend_clock(broken) is broken
