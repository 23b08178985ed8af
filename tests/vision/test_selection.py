"""Paths of the same object become one track, without the samples of another that one of them began with."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from newtonscheme.vision.detection import Candidate
from newtonscheme.vision.evidence import Evidence, Sample
from newtonscheme.vision.linking import Path
from newtonscheme.vision.selection import joined_paths, smoothest_runs, without_strays, worth_of
from newtonscheme.vision.tracking import _ranked, _track

FRAMES = 30


def seen(places: list[np.ndarray]) -> Evidence:
    """Discs of 5 px, one object (T, 2) for each of ``places``."""
    evidence = Evidence(1, index=list(range(FRAMES)), t=[k / 30.0 for k in range(FRAMES)])
    for k in range(FRAMES):
        evidence.candidates.append([disc(place[k]) for place in places])
        for j, place in enumerate(places):
            evidence.samples[(k, j)] = Sample(
                k, k / 30.0, place[k], 0.01 * np.eye(2), 5.0, 0.1, 0.97, (0.0, 60.0), np.zeros(2), 0.0, fitted=True
            )  # fmt: skip
    return evidence


def disc(place: np.ndarray) -> Candidate:
    return Candidate(
        u=place[0], v=place[1], radius=5.0, departure=(60.0, 0.0, 0.0), tint=(0.0, 0.0), contrast=60.0, fill=0.95, elongation=1.0,
        axis=(1.0, 0.0), part=False, region=0, strength=1.0,
    )  # fmt: skip


def throw() -> np.ndarray:
    k = np.arange(FRAMES, dtype=float)
    return np.column_stack([40.0 + 8.0 * k, 200.0 - 9.0 * k + 0.35 * k**2])


def hand() -> np.ndarray:
    k = np.arange(FRAMES, dtype=float)
    return np.column_stack([300.0 + 9.0 * np.sin(1.9 * k), 60.0 + 7.0 * np.cos(2.3 * k)])


def test_a_path_that_began_as_a_hand_is_cut_where_a_cleaner_one_of_the_ball_begins() -> None:
    evidence = seen([throw(), hand()])
    mixed = Path([*((k, 1) for k in range(18)), *((k, 0) for k in range(18, FRAMES))], 90.0, np.zeros(4))
    clean = Path([(k, 0) for k in range(18, FRAMES)], 60.0, np.zeros(4))
    joined = joined_paths([mixed, clean], evidence)
    assert len(joined) == 1
    best = max(smoothest_runs(joined[0], evidence, measured=True), key=lambda pair: pair[0])[1]
    assert best.rows == clean.rows


def test_a_ball_is_kept_where_two_paths_share_the_arm_that_they_began_with() -> None:
    k = np.arange(FRAMES, dtype=float)
    evidence = seen([throw(), hand(), np.column_stack([500.0 + 6.0 * k, 150.0 + 3.0 * k])])
    # The path of the ball saw the arm less often, so that of the other is believed where both are one.
    ball = Path([*((k, 1) for k in range(1, 22)), *((k, 0) for k in range(22, FRAMES))], 90.0, np.zeros(4), turns=(22,))
    other = Path([*((k, 1) for k in range(22)), *((k, 2) for k in range(22, FRAMES))], 90.0, np.zeros(4), turns=(22,))
    tracks = _ranked([ball, other], evidence, 8)
    for place in (throw(), np.column_stack([500.0 + 6.0 * k, 150.0 + 3.0 * k])):
        assert any(len(track) == FRAMES - 22 and np.allclose(track.centre_px, place[track.frame]) for track in tracks)


def test_samples_at_an_end_that_are_another_object_are_left_out_of_the_track() -> None:
    evidence = seen([throw(), hand()])
    rows = [*((k, 1) for k in range(2)), *((k, 0) for k in range(2, FRAMES - 1)), (FRAMES - 1, 1)]
    track = _track(Path(rows, 90.0, np.zeros(4)), evidence)
    assert track is not None
    assert track.frame.tolist() == list(range(2, FRAMES - 1))


def test_a_throw_keeps_all_of_its_samples() -> None:
    track = _track(Path([(k, 0) for k in range(FRAMES)], 90.0, np.zeros(4)), seen([throw(), hand()]))
    assert track is not None
    assert len(track) == FRAMES


def test_what_lies_aside_between_discs_is_another_object_and_what_lies_on_their_course_is_not() -> None:
    evidence = seen([throw(), hand()])
    for k in (10, 11, 12):
        evidence.samples[k, 1] = replace(evidence.samples[k, 1], fitted=False)
    for k in (15, 16):
        evidence.samples[k, 0] = replace(evidence.samples[k, 0], fitted=False)
    path = Path([(k, int(10 <= k <= 12)) for k in range(FRAMES)], 90.0, np.zeros(4))
    assert without_strays(path, evidence).rows == [(k, 0) for k in range(FRAMES) if not 10 <= k <= 12]


def test_a_path_that_fills_the_hole_of_another_is_the_same_object() -> None:
    evidence = seen([throw(), hand()])
    for k in range(10, 20):
        evidence.samples[k, 1] = replace(evidence.samples[k, 1], fitted=False)
    holed = Path([(k, int(10 <= k < 20)) for k in range(FRAMES)], 90.0, np.zeros(4))
    filler = Path([(k, 0) for k in range(10, 20)], 60.0, np.zeros(4))
    for paths in ([holed, filler], [filler, holed]):
        joined = joined_paths(paths, evidence)
        assert [path.rows for path in joined] == [[(k, 0) for k in range(FRAMES)]]


def test_what_moves_through_a_hole_elsewhere_is_another_object() -> None:
    evidence = seen([throw(), hand()])
    holed = Path([(k, 0) for k in range(FRAMES) if not 10 <= k < 20], 90.0, np.zeros(4))
    other = Path([(k, 1) for k in range(10, 20)], 60.0, np.zeros(4))
    assert len(joined_paths([holed, other], evidence)) == 2


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_pieces_of_one_path_are_joined_in_any_order(order: tuple[int, int, int]) -> None:
    evidence = seen([throw(), hand()])
    pieces = [Path([(k, 0) for k in range(10 * n, 10 * n + 10)], 60.0, np.zeros(4)) for n in range(3)]
    joined = joined_paths([pieces[n] for n in order], evidence)
    assert [path.rows for path in joined] == [[(k, 0) for k in range(FRAMES)]]


def bounces(*, apart: float = 0.0) -> np.ndarray:
    """A ball that bounces every ten frames; the second flight begins that many px beside where the first one ended."""
    k = np.arange(FRAMES, dtype=float)
    since = np.mod(k, 10.0) + 0.4
    return np.column_stack([40.0 + 6.0 * k + apart * (k >= 10), 200.0 - 2.0 * since * (10.8 - since)])


def flights() -> list[Path]:
    return [Path([(k, 0) for k in range(a, a + 10)], 90.0 - a, np.zeros(4)) for a in (0, 10, 20)]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_flights_that_meet_at_a_bounce_are_one_ball(order: tuple[int, int, int]) -> None:
    evidence = seen([bounces()])
    joined = joined_paths([flights()[n] for n in order], evidence)
    assert len(joined) == 1
    assert [row for row, _ in joined[0].rows] == list(range(FRAMES))
    assert {10, 20} <= set(joined[0].turns)


def test_a_flight_that_begins_elsewhere_is_another_ball() -> None:
    evidence = seen([bounces(apart=30.0)])
    assert len(joined_paths(flights()[:2], evidence)) == 2


def test_a_ball_of_another_size_that_begins_there_is_another_ball() -> None:
    evidence = seen([bounces()])
    for k in range(10, FRAMES):
        evidence.samples[(k, 0)] = replace(evidence.samples[(k, 0)], radius=6.5)
    assert len(joined_paths(flights()[:2], evidence)) == 2


def test_a_ball_that_bounces_often_is_worth_what_its_best_flight_is() -> None:
    evidence = seen([bounces()])
    (ball,) = joined_paths(flights(), evidence)
    assert worth_of(ball, evidence) >= max(worth_of(flight, evidence) for flight in flights())
    (track,) = _ranked(flights(), evidence, 8)
    assert len(track) == FRAMES
