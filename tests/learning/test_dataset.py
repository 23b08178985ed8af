"""Windows with known answers: reproducible, honestly labelled, and as various as trackers are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from newtonscheme.estimation.recognition import SHORTEST_WINDOW, UNKNOWN
from newtonscheme.learning.dataset import (
    LABELS,
    LENGTHS,
    Path,
    Window,
    cut_window,
    describe_windows,
    draw_dataset,
    draw_known,
    draw_motion,
    draw_path,
    forge_path,
    join_datasets,
    splice_paths,
)
from newtonscheme.physics.models import FAMILIES


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def paths() -> list[Path]:
    rng = np.random.default_rng(1)
    return [draw_path(rng) for _ in range(60)]


def windows_of(paths: list[Path]) -> list[Window]:
    rng = np.random.default_rng(2)
    return [cut_window(rng, path) for path in paths for _ in range(4)]


def test_the_same_seed_draws_the_same_data() -> None:
    a, b, other = (draw_dataset(np.random.SeedSequence(seed), 3) for seed in (5, 5, 6))
    np.testing.assert_array_equal(a.features.series, b.features.series)
    np.testing.assert_array_equal(a.family, b.family)
    assert not np.array_equal(a.features.series[:8], other.features.series[:8])


def test_every_label_is_drawn(paths: list[Path]) -> None:
    assert {path.label for path in paths} == set(LABELS)


def test_windows_are_of_the_ladders_lengths_in_rising_time(paths: list[Path]) -> None:
    for window in windows_of(paths):
        assert len(window.t) in LENGTHS
        assert np.all(np.diff(window.t) > 0)
        assert window.centre_px.shape == (len(window.t), 2)
        assert np.all(np.isfinite(window.centre_px))
        assert np.all(window.sigma_px > 0)


def test_errors_are_about_as_large_as_they_are_stated_to_be(rng: np.random.Generator) -> None:
    t = np.arange(200) / 30.0
    still = Path(t, np.full((200, 2), 100.0), np.full(200, 5.0), UNKNOWN, "still")
    ratios = [np.std(w.centre_px[:, 0]) / np.median(w.sigma_px) for w in (cut_window(rng, still) for _ in range(200)) if len(w.t) > 30]
    assert 0.7 < np.median(ratios) < 1.6


@pytest.mark.parametrize("family", FAMILIES)
def test_known_paths_carry_their_family_and_counterfeits_none(rng: np.random.Generator, family: str) -> None:
    path = draw_known(rng, family)
    forged = [forge_path(rng, path) for _ in range(8)]
    assert path.label == family
    assert {f.label for f in forged} == {UNKNOWN}
    assert all(not (np.array_equal(f.centre_px, path.centre_px) and np.array_equal(f.t, path.t)) for f in forged)
    assert all(np.all(np.diff(f.t) > 0) for f in forged)


def test_a_splice_joins_two_paths_well_inside_its_window(rng: np.random.Generator) -> None:
    for _ in range(20):
        first, second = draw_known(rng, FAMILIES[0]), draw_motion(rng, "walk")
        joined = splice_paths(rng, first, second)
        step = np.linalg.norm(np.diff(joined.centre_px, axis=0), axis=1)
        assert len(joined.t) >= SHORTEST_WINDOW
        assert np.all(np.diff(joined.t) > 0)
        assert joined.label == UNKNOWN
        assert step.max() < 0.9 * np.linalg.norm(np.ptp(joined.centre_px, axis=0)) + 1.0


def test_a_window_shows_its_motion_only_when_it_leaves_a_straight_line(rng: np.random.Generator) -> None:
    t = np.arange(60) / 30.0
    line = Path(t, np.stack([100 * t, 50 * t], axis=1), np.full(60, 5.0), UNKNOWN, "line")
    arc = replace(line, centre_px=np.stack([100 * t, 400 * t**2], axis=1))
    assert not any(cut_window(rng, line).shows for _ in range(20))
    assert any(cut_window(rng, arc).shows for _ in range(20))


def test_features_of_windows_of_mixed_lengths_keep_their_order(paths: list[Path]) -> None:
    windows = windows_of(paths)[:24]
    together = describe_windows(windows)
    one_by_one = join_datasets([describe_windows([w]) for w in windows])
    np.testing.assert_allclose(together.features.scalars, one_by_one.features.scalars, atol=1e-3)
    np.testing.assert_array_equal(together.samples, [len(w.t) for w in windows])
    np.testing.assert_array_equal(together.family, [w.family for w in windows])
