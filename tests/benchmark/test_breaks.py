"""Breaks that are drawn are what they say, and the judge counts what the tests found, at the level that each rings at and at equal alarms."""

from __future__ import annotations

import numpy as np
import pytest

from newtonscheme.benchmark.breaks import KINDS, TESTS, Watched, break_scene, summarise_breaks, watch_break
from newtonscheme.synth.scene import draw_scene

ALARMS = dict.fromkeys(TESTS, 10.0)


def scene_of(pattern: str, seed: int = 0):
    scene = draw_scene(np.random.default_rng(seed), pattern)
    return scene, float(0.7 * scene.times[-1] + 1e-6)


@pytest.mark.parametrize("kind", ["contact", "cut", "release"])
def test_a_break_leaves_what_came_before_as_it_was(kind: str) -> None:
    scene, begin = scene_of("pendulum")
    broken = break_scene(scene, kind, begin, np.random.default_rng(1))
    before = int(np.searchsorted(scene.times, begin))
    np.testing.assert_array_equal(broken.centre_px[:before], scene.centre_px[:before])
    assert np.all(np.hypot(*(broken.centre_px[before:] - scene.centre_px[before : len(broken)]).T) > 0)


def test_a_cut_shows_the_same_path_sooner() -> None:
    scene, begin = scene_of("free_fall", 3)
    broken = break_scene(scene, "cut", begin, np.random.default_rng(1))
    skipped = len(scene) - len(broken)
    assert skipped >= 1
    np.testing.assert_array_equal(broken.centre_px[-1], scene.centre_px[-1])
    np.testing.assert_array_equal(broken.times, scene.times[: len(broken)])


@pytest.mark.parametrize("kind", [kind for kind in KINDS["pendulum"] if kind != "none"])
def test_a_break_of_a_swing_is_found_near_its_place(kind: str) -> None:
    found = [watched for seed in range(3) if (watched := watch_break("pendulum", kind, np.random.default_rng(seed))) is not None]
    summary = summarise_breaks(found, dict(zip(TESTS, (1.0, 34.0, 34.0), strict=True)))["breaks"][0]
    assert summary["kind"] == kind
    assert summary["visible_within"] >= summary["visible"] - 1
    assert summary["found"] >= summary["visible"]


def test_a_motion_that_goes_on_has_no_break() -> None:
    watched = watch_break("free_fall", "none", np.random.default_rng(0))
    assert watched is not None
    assert not watched.visible
    assert set(watched.rises.values()) == {()}
    assert watched.peaks["jump"] < 34.0


def watched(peak: float, *rises: tuple[float, int, int], kind: str = "contact", visible: bool = True) -> Watched:
    return Watched(pattern="free_fall", kind=kind, watched=1000, visible=visible, peaks=dict.fromkeys(TESTS, peak), rises=dict.fromkeys(TESTS, rises))


def test_breaks_are_counted_where_the_evidence_first_rises_above_the_level() -> None:
    motions = [watched(1.0, (5.0, 0, 0), (20.0, 2, 4), (30.0, 3, 1)), watched(2.0, (12.0, 1, -2), visible=False), watched(3.0, (9.0, 0, 0))]
    row = summarise_breaks(motions, ALARMS)["breaks"][0]
    assert (row["count"], row["found"], row["within"], row["visible"], row["visible_within"]) == (3, 2, 1, 2, 0)
    assert row["mean_delay"] == pytest.approx(1.5)


def test_tests_are_compared_at_equal_false_alarms() -> None:
    quiet = [watched(peak, kind="none") for peak in (40.0, 35.0, 3.0, 2.0)]
    tests = summarise_breaks([*quiet, watched(1.0, (20.0, 1, 0)), watched(1.0, (38.0, 2, 1))], ALARMS)["tests"]
    for row in tests:
        # 6,000 samples allow three alarms: the level is the fourth highest peak.
        assert (row["stated"], row["equal"], row["watched"], row["found"]) == (2, 3, 6000, 2)
