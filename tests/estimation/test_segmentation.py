"""Stretches over which one pattern holds are found between their contacts, and end where the truth does."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from truths import FREE_BODY, SIZE, Filmed, assumed_camera, bounce_path, film_path, film_pattern, held_between_throws, known, swing_path

from newtonscheme.estimation.recognition import Recogniser, load_recogniser, propose
from newtonscheme.estimation.segmentation import Stretch, Surroundings, describe_segments, find_stretches, leaves_smoothly, local_noise, misfit_ratio
from newtonscheme.physics.models import FORCE_MODELS, PATTERNS
from newtonscheme.synth.scene import TrackNoise
from newtonscheme.types import Track


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return load_recogniser()


def stretches_of(track: Track, recogniser: Recogniser) -> tuple[Stretch, ...]:
    around = Surroundings(camera=assumed_camera(), body=FREE_BODY, known=known())
    return find_stretches(track, propose(recogniser, track), PATTERNS, around)


def rows_between(filmed: Filmed, t0: float, t1: float) -> tuple[int, int]:
    return int(np.searchsorted(filmed.track.t, t0)), int(np.searchsorted(filmed.track.t, t1, side="right"))


def family(stretch: Stretch) -> str:
    return FORCE_MODELS[stretch.fit.pattern].family


@pytest.mark.parametrize("seed", range(2))
def test_two_throws_with_a_catch_between_them_are_two_flights(recogniser: Recogniser, seed: int) -> None:
    path, (caught, released) = held_between_throws()
    filmed = film_path(path, 2.0, seed=seed)
    flights = sorted((s for s in stretches_of(filmed.track, recogniser) if family(s) == "free_flight"), key=lambda s: s.first)
    assert len(flights) == 2
    for flight, (t0, t1) in zip(flights, ((0.0, caught), (released, 2.0)), strict=True):
        first, last = rows_between(filmed, t0, t1)
        assert abs(flight.first - first) <= 2
        assert abs(flight.last - last) <= 2


def test_a_catch_is_no_bounce(recogniser: Recogniser) -> None:
    for seed in range(2):
        path, (caught, _) = held_between_throws()
        filmed = film_path(path, 2.0, seed=seed)
        first = describe_segments(filmed.track, stretches_of(filmed.track, recogniser), SIZE)[0]
        assert first.t1 == pytest.approx(caught, abs=2.5 / 60)
        assert first.end is not None
        assert first.end.kind == "contact"


@pytest.mark.parametrize("seed", range(3))
def test_a_flight_between_a_hand_and_the_end_is_found_where_the_hand_lets_go(recogniser: Recogniser, seed: int) -> None:
    filmed = film_pattern("free_fall", seed + 20, hold=0.4, duration=0.8, share=1.0)
    released = int(np.argmax(filmed.scene.governed[filmed.track.frame]))
    longest = stretches_of(filmed.track, recogniser)[0]
    assert family(longest) == "free_flight"
    assert abs(longest.first - released) <= 3  # a hand lets go smoothly: it hardly pushes in its last frames
    assert longest.last == len(filmed.track)


@pytest.mark.parametrize("end", ["held before", "rests after"])
@pytest.mark.parametrize("seed", range(3))
def test_where_a_body_lies_still_no_law_moves_it(recogniser: Recogniser, seed: int, end: str) -> None:
    """A fall as high as the picture, and rest at one of its ends: what a curve through both leaves is under what lenses are forgiven."""
    rest, fall = 0.6, 0.7

    def path(t: np.ndarray) -> np.ndarray:
        falling = np.clip(t - rest, 0.0, None) if end == "held before" else np.clip(t, 0.0, fall)
        y = -0.5 * 9.81 * falling**2
        return np.stack([0.1 * falling, y, 0.0 * t], axis=-1)

    filmed = film_path(path, rest + fall, fps=120.0, seed=seed, noise=TrackNoise(sigma_px=1.0))
    around = Surroundings(camera=assumed_camera(), body=FREE_BODY, known=known(diameter=0.07, fps=120.0))
    longest = find_stretches(filmed.track, propose(recogniser, filmed.track), PATTERNS, around)[0]
    assert family(longest) == "free_flight"
    first, last = (rows_between(filmed, rest, 2.0)) if end == "held before" else (rows_between(filmed, 0.0, fall))
    assert abs(longest.first - first) <= 8
    assert abs(longest.last - last) <= 2


@pytest.mark.parametrize("seed", range(4))
def test_vague_samples_do_not_stand_between_a_hand_and_the_end(recogniser: Recogniser, seed: int) -> None:
    """A ball that a hand half hides is placed badly, and the last of it is clearly not where the flight comes from."""
    track = film_pattern("free_fall", seed + 30, share=1.0, fps=30.0, duration=0.9).track
    centre, covariance = track.centre_px.copy(), track.covariance_px.copy()
    back = centre[4] - centre[5]
    centre[:4] = centre[4] + np.arange(4, 0, -1)[:, None] * back + 0.7 * np.hypot(*back) * np.array([[0.4, 0.3], [0.6, 0.3], [0.5, 0.5], [0.7, 0.7]])
    covariance[:4] = np.array([15.0, 15.0, 30.0, 5.0])[:, None, None] ** 2 * np.eye(2) * float(np.median(track.sigma_px)) ** 2
    longest = stretches_of(replace(track, centre_px=centre, covariance_px=covariance), recogniser)[0]
    assert longest.first >= 4
    assert longest.last == len(track)


@pytest.mark.parametrize("seed", range(2))
def test_a_bouncing_ball_is_one_flight_for_each_hop(recogniser: Recogniser, seed: int) -> None:
    path, bounces = bounce_path()
    filmed = film_path(path, bounces[2], seed=seed)
    found = stretches_of(filmed.track, recogniser)
    segments = describe_segments(filmed.track, found, SIZE)
    assert len(segments) == 3
    for segment, (t0, t1) in zip(segments, ((0.0, bounces[0]), (bounces[0], bounces[1]), (bounces[1], bounces[2])), strict=True):
        assert segment.pattern in ("free_fall", "curving_ball")
        assert segment.t0 == pytest.approx(t0, abs=2.5 / 60)
        assert segment.t1 == pytest.approx(t1, abs=2.5 / 60)
    assert [segment.end.kind for segment in segments[:2] if segment.end is not None] == ["bounce", "bounce"]


def test_stretches_do_not_share_their_rows_and_come_longest_first(recogniser: Recogniser) -> None:
    path, bounces = bounce_path()
    found = stretches_of(film_path(path, bounces[2], seed=5).track, recogniser)
    lengths = [s.fit.track.t[-1] - s.fit.track.t[0] for s in found]
    assert lengths == sorted(lengths, reverse=True)
    for i, one in enumerate(found):
        assert not any(one.overlaps(other) for other in found[i + 1 :])


def test_a_swing_that_is_caught_ends_there(recogniser: Recogniser) -> None:
    values = {
        "g": 9.81, "air_density": 1.19, "mass": 0.5, "diameter": 0.07, "theta": 0.5, "omega": 0.0, "length": 0.6, "damping": 0.004,
        "quadratic_damping": 0.002, "dry_damping": 0.0, "plane_angle": 0.05,
    }  # fmt: skip
    swing = swing_path(values)

    def caught(t: np.ndarray) -> np.ndarray:
        return np.where((t < 3.0)[:, None], swing(t), swing(np.append(t[:1], 3.0))[1])

    filmed = film_path(caught, 4.0, seed=3, fps=30.0)
    longest = stretches_of(filmed.track, recogniser)[0]
    assert longest.fit.pattern == "pendulum"
    assert longest.first <= 1
    assert abs(longest.last - rows_between(filmed, 0, 3.0)[1]) <= 2


@pytest.mark.parametrize("pattern", PATTERNS)
def test_an_unbroken_motion_is_one_stretch_from_end_to_end(recogniser: Recogniser, pattern: str) -> None:
    whole = 0
    for seed in range(3):
        filmed = film_pattern(pattern, seed, share=1.0, fps=30.0)
        found = stretches_of(filmed.track, recogniser)
        whole += len(found) == 1 and found[0].last - found[0].first >= 0.97 * len(filmed.track) and family(found[0]) == FORCE_MODELS[pattern].family
    assert whole >= 2


def test_outliers_inside_a_flight_do_not_split_it(recogniser: Recogniser) -> None:
    filmed = film_pattern("free_fall", 4, share=1.0, duration=1.0)
    centre = filmed.track.centre_px.copy()
    for row in (len(centre) // 3, len(centre) // 2):
        centre[row] += (25.0, -15.0)
    found = stretches_of(replace(filmed.track, centre_px=centre), recogniser)
    assert len(found) == 1
    assert found[0].last - found[0].first >= len(filmed.track) - 2


def test_a_body_that_leaves_the_picture_is_said_to(recogniser: Recogniser) -> None:
    t = np.arange(41) / 60
    centre = np.column_stack([100 + 1750 * t, 350 - 500 * t + 900 * t**2])
    track = Track(
        frame=np.arange(41), t=t, centre_px=centre + 0.15 * np.random.default_rng(0).standard_normal((41, 2)),
        covariance_px=np.tile(0.0225 * np.eye(2), (41, 1, 1)), radius_px=np.full(41, 12.0), radius_sigma_px=np.full(41, 0.3), score=np.ones(41),
    )  # fmt: skip
    (segment,) = describe_segments(track, stretches_of(track, recogniser), SIZE)
    assert segment.end is not None
    assert segment.end.kind == "left_frame"
    (open_end,) = describe_segments(track.select(slice(0, 30)), stretches_of(track.select(slice(0, 30)), recogniser), SIZE)
    assert open_end.end is not None
    assert open_end.end.kind == "end_of_clip"


def test_a_track_of_nothing_has_no_stretch(recogniser: Recogniser) -> None:
    rng = np.random.default_rng(0)
    n = 60
    track = Track(
        frame=np.arange(n), t=np.arange(n) / 30, centre_px=np.cumsum(rng.normal(0, 20, (n, 2)), axis=0) + 300,
        covariance_px=np.tile(0.04 * np.eye(2), (n, 1, 1)), radius_px=np.full(n, np.nan), radius_sigma_px=np.full(n, np.nan), score=np.ones(n),
    )  # fmt: skip
    assert stretches_of(track, recogniser) == ()
    assert stretches_of(track.select(slice(0, 3)), recogniser) == ()


def thrown_after(push: float, t: np.ndarray) -> np.ndarray:
    """A hand pushes upwards for 0.4 s, m/s^2, and lets go: metres."""
    pushed, free = np.minimum(t, 0.4), np.maximum(t - 0.4, 0.0)
    up = 0.5 * push * pushed**2 + push * 0.4 * free - 0.5 * 9.81 * free**2
    return np.stack([1.0 * t, up, 0.0 * t], axis=-1)


def let_go(t: np.ndarray) -> np.ndarray:
    """Held still for 0.4 s, then dropped: metres."""
    return np.stack([0.0 * t, -0.5 * 9.81 * np.maximum(t - 0.4, 0.0) ** 2, 0.0 * t], axis=-1)


def wandering(rate: float, phase: float, t: np.ndarray) -> np.ndarray:
    """A hand that never lets go: metres."""
    return np.stack([0.4 * np.sin(0.7 * rate * t + phase), 0.3 * np.sin(rate * t + 2 * phase), 0.0 * t], axis=-1)


@pytest.mark.parametrize("sigma_px", [0.05, 0.1])
@pytest.mark.parametrize("push", [5.0, 12.0])
def test_a_throw_does_not_go_on_smoothly_into_the_hand(push: float, sigma_px: float) -> None:
    for seed in range(6):
        track = film_path(partial(thrown_after, push), 1.1, seed=seed, noise=TrackNoise(sigma_px=sigma_px)).track
        released = int(np.searchsorted(track.t, 0.4))
        for off in (0, 2):
            assert not leaves_smoothly(track, released + off, len(track), local_noise(track))


@pytest.mark.parametrize("fps", [60.0, 120.0])
def test_what_is_let_go_from_rest_does_not_fall_smoothly_out_of_the_hand(fps: float) -> None:
    """Over its first frames a fall from rest is hardly seen to be one."""
    for seed in range(6):
        track = film_path(let_go, 1.0, seed=seed, fps=fps, noise=TrackNoise(sigma_px=0.1)).track
        released = int(np.searchsorted(track.t, 0.4))
        for last in (released + int(0.3 * fps), len(track)):
            held = track.select(slice(0, last))
            for off in (0, 2):
                assert not leaves_smoothly(held, released + off, last, local_noise(held))


def thrown_against_a_wall(t: np.ndarray) -> np.ndarray:
    """A throw away from the viewer, slower and slower in the picture, that ends at a wall 0.8 s later, where the ball stays: metres."""
    flown = np.minimum(t, 0.8)
    return np.stack([1.2 * flown, 1.5 * flown - 0.5 * 9.81 * flown**2, -6.0 * flown], axis=-1)


def test_a_throw_that_ends_at_a_wall_does_not_go_on_smoothly_into_its_rest() -> None:
    """Its last frames are slow and badly seen: nearby they say nothing, and from further away the velocity jumps, not the acceleration alone."""
    for seed in range(6):
        track = film_path(thrown_against_a_wall, 1.3, seed=seed, noise=TrackNoise(sigma_px=0.3)).track
        ended = int(np.searchsorted(track.t, 0.8))
        floor = local_noise(track) * np.where(np.abs(track.t - 0.8) < 0.1, 3.0, 1.0)
        assert not leaves_smoothly(track, 0, ended, floor)


@pytest.mark.parametrize("sigma_px", [0.05, 0.3])
def test_an_arc_of_a_wandering_hand_goes_on_smoothly(sigma_px: float) -> None:
    smooth = []
    for seed in range(12):
        path = partial(wandering, 4.0 + 0.5 * seed, float(seed))
        track = film_path(path, 1.5, seed=seed, noise=TrackNoise(sigma_px=sigma_px)).track
        smooth += [leaves_smoothly(track, first, first + 20, local_noise(track)) for first in range(10, 60, 7)]
    assert np.mean(smooth) > 0.5


def test_the_noise_that_neighbours_show_is_found_and_never_less_than_stated() -> None:
    quiet = film_pattern("free_fall", 4, share=1.0, duration=1.0)
    loud = film_pattern("free_fall", 4, share=1.0, duration=1.0, noise=TrackNoise(sigma_px=1.5))
    boast = replace(loud.track, covariance_px=loud.track.covariance_px / 100)
    assert np.median(local_noise(boast)) == pytest.approx(1.5, rel=0.4)
    assert np.all(local_noise(quiet.track) >= quiet.track.sigma_px)
    assert np.median(local_noise(quiet.track)) < 2 * 0.15


def test_a_fit_that_failed_misfits_without_bound() -> None:
    from newtonscheme.estimation.fitting import fit_pattern

    filmed = film_pattern("free_fall", 4)
    failed = fit_pattern(filmed.seen.select(slice(0, 3)), "free_fall", camera=assumed_camera(), body=FREE_BODY, known=known())
    assert misfit_ratio(failed, np.ones(3)) == np.inf
