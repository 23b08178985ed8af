"""An object once known is followed by its discs, without a candidate, as far as it is seen, and not onto another."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from newtonscheme.types import Bytes
from newtonscheme.vision.detection import Candidate
from newtonscheme.vision.evidence import Evidence
from newtonscheme.vision.footage import Stretch
from newtonscheme.vision.linking import Key, Path
from newtonscheme.vision.sampling import is_known, sample_path
from newtonscheme.vision.selection import completed_path

FRAMES = 60
SIZE = (240, 160)
BALL, BEAD = 8.0, 4.0
"""Radii."""

Places = NDArray[np.float64]


@dataclass(frozen=True)
class Grey:
    """A frame without colour."""

    index: int
    luma: Bytes

    @property
    def t(self) -> float:
        return self.index / 60.0

    def chroma(self) -> None:
        return None


def swing(n: int = FRAMES) -> Places:
    k = np.arange(n)
    return np.column_stack([120 + 90 * np.sin(0.11 * k), 100 - 25 * np.sin(0.11 * k) ** 2])


def filmed(objects: list[tuple[Places, float]]) -> Stretch:
    """Bright discs on their courses (T, 2) before a wall with soft structure; NaN: not there."""
    rng = np.random.default_rng(4)
    wall = 90 + 300 * cv2.GaussianBlur(rng.standard_normal(SIZE[::-1]), (0, 0), 6)
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    stretch = Stretch(*SIZE)
    for k in range(FRAMES):
        picture = wall.copy()
        for places, radius in objects:
            if np.isfinite(places[k]).all():
                cover = np.clip(radius + 0.5 - np.hypot(columns - places[k, 0], rows - places[k, 1]), 0, 1)
                picture += cover * (200 - picture)
        stretch.append(Grey(k, np.clip(np.rint(picture + rng.normal(0, 1.5, picture.shape)), 0, 255).astype(np.uint8)))
    stretch.finish()
    return stretch


def candidate(place: NDArray[np.float64], radius: float) -> Candidate:
    return Candidate(
        u=place[0] + 0.4, v=place[1] - 0.5, radius=radius, departure=(110.0, 0.0, 0.0), tint=(0.0, 0.0), contrast=110.0, fill=0.95,
        elongation=1.0, axis=(1.0, 0.0), part=False, region=0, strength=1.0,
    )  # fmt: skip


def proposed(seen: dict[int, tuple[NDArray[np.float64], float]]) -> tuple[Evidence, Path]:
    """One candidate (place and radius) in some frames, and the path of them."""
    evidence = Evidence(1, index=list(range(FRAMES)), t=[k / 60.0 for k in range(FRAMES)])
    evidence.candidates = [[candidate(*seen[k])] if k in seen else [] for k in range(FRAMES)]
    return evidence, Path([(k, 0) for k in sorted(seen)], 50.0, np.zeros(4))


def anywhere(row: int, u: float, v: float) -> bool:
    return True


def centres(path: Path, evidence: Evidence) -> dict[int, NDArray[np.float64]]:
    keys: list[Key] = [key for key in path.rows if evidence.fitted(key)]
    return {key[0]: evidence.samples[key].centre for key in keys}


@pytest.mark.parametrize("first", [0, 25, 50])
def test_ten_candidates_are_enough_for_a_whole_swing(first: int) -> None:
    places = swing()
    evidence, path = proposed({k: (places[k], BALL) for k in range(first, first + 10)})
    sample_path(filmed([(places, BALL)]), path, evidence, 0, counts=anywhere)
    found = centres(completed_path(path, evidence), evidence)
    assert sorted(found) == list(range(FRAMES))
    assert max(float(np.hypot(*(found[k] - places[k]))) for k in found) < 0.15 * BALL


def test_nothing_is_found_where_the_object_is_no_more() -> None:
    places = swing()
    places[35:] = np.nan
    evidence, path = proposed({k: (places[k], BALL) for k in range(10, 20)})
    sample_path(filmed([(places, BALL)]), path, evidence, 0, counts=anywhere)
    assert sorted(centres(completed_path(path, evidence), evidence)) == list(range(35))


def test_nothing_is_looked_for_where_nothing_counts() -> None:
    places = swing()
    evidence, path = proposed({k: (places[k], BALL) for k in range(3)} | {k: (places[k], BALL) for k in range(30, 36)})
    sample_path(filmed([(places, BALL)]), path, evidence, 0, counts=lambda row, u, v: u < 180)
    found = centres(completed_path(path, evidence), evidence)
    assert all(places[k, 0] < 181 for k in found)
    assert set(range(30, FRAMES)) <= set(found)


def test_a_path_that_runs_on_along_something_else_is_brought_back_to_its_object() -> None:
    places = swing()
    bead = np.column_stack([places[:, 0] * 0.8 + 20, np.full(FRAMES, 30.0)])
    led_astray = {k: (places[k], BALL) for k in range(20, 40)} | {k: (bead[k], BEAD) for k in range(40, 48)}
    evidence, path = proposed(led_astray)
    sample_path(filmed([(places, BALL), (bead, BEAD)]), path, evidence, 0, counts=anywhere)
    found = centres(completed_path(path, evidence), evidence)
    assert max(float(np.hypot(*(found[k] - places[k]))) for k in range(FRAMES)) < 0.15 * BALL


def test_what_was_found_on_the_way_of_one_path_is_known_to_another_and_nothing_else_is() -> None:
    places = swing()
    bead = np.column_stack([places[:, 0] * 0.8 + 20, np.full(FRAMES, 30.0)])
    stretch = filmed([(places, BALL), (bead, BEAD)])
    evidence, path = proposed({k: (places[k], BALL) for k in range(10, 20)})
    for k in range(40, 52):
        evidence.candidates[k] += [candidate(places[k], BALL), candidate(bead[k], BEAD)]
    same, other = (Path([(k, j) for k in range(40, 52)], 50.0, np.zeros(4)) for j in (0, 1))
    assert not is_known(same, evidence)
    sample_path(stretch, path, evidence, 0, counts=anywhere)
    assert is_known(same, evidence)
    assert not is_known(other, evidence)
