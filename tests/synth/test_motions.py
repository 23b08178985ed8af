"""Motions that no pattern owns: finite, distinct, filmed whole."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from newtonscheme.physics.models import PATTERNS
from newtonscheme.synth.motions import FAMILIES, draw_unknown

TIMES = np.linspace(0.0, 2.0, 181)


def test_there_are_at_least_fourteen_families_and_none_is_a_pattern() -> None:
    assert len(FAMILIES) >= 14
    assert not set(FAMILIES) & set(PATTERNS)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_moves_finitely_and_differently_each_time(name: str) -> None:
    rng = np.random.default_rng(1)
    paths = [FAMILIES[name](rng, TIMES) for _ in range(6)]
    for path in paths:
        assert path.shape == (len(TIMES), 3)
        assert np.all(np.isfinite(path))
        assert np.ptp(path, axis=0).max() > 0
    assert all(not np.allclose(first, second) for first, second in combinations(paths, 2))


def test_no_two_families_draw_the_same_path() -> None:
    paths = {}
    for name, family in FAMILIES.items():
        path = family(np.random.default_rng(2), TIMES)
        paths[name] = (path - path[0]) / np.ptp(path, axis=0).max()
    for first, second in combinations(paths.values(), 2):
        assert np.abs(first - second).max() > 1e-3


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_filmed_whole_and_reproducibly(name: str) -> None:
    first, second = (draw_unknown(np.random.default_rng(3), name, size_px=(640, 360)) for _ in range(2))
    np.testing.assert_array_equal(first.centre_px, second.centre_px)
    assert first.pattern is None
    assert first.family == name
    assert first.visible.all()
    assert not first.governed.any()
    assert 12 <= len(first) <= 400


def test_a_cut_falls_between_two_exposures_so_that_no_frame_is_smeared_across_it() -> None:
    for seed in range(5):
        scene = draw_unknown(np.random.default_rng(seed), "cut_in_flight", size_px=(640, 360), fps=60.0, duration=0.7)
        steps = np.linalg.norm(np.diff(scene.centre_px, axis=0), axis=1)
        sweeps = np.linalg.norm(scene.velocity_px, axis=1) / scene.fps
        jump = int(np.argmax(steps))
        assert steps[jump] > 2 * np.max(np.delete(steps, jump))
        assert sweeps.max() < 0.5 * steps[jump]


def test_every_family_comes_up_when_none_is_named() -> None:
    rng = np.random.default_rng(4)
    assert {draw_unknown(rng).family for _ in range(200)} == set(FAMILIES)
