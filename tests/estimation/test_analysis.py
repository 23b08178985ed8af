"""The whole judgement on a track: true patterns are accepted by their names, what belongs to none is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from truths import SIZE, WHITE, assumed_camera, film_path, film_pattern, held_between_throws

from newtonscheme.estimation.analysis import LITTLE_DOUBT, Analysis, analyse_track, analyse_tracks
from newtonscheme.estimation.body import find_ball
from newtonscheme.estimation.knowledge import Knowledge, gather_knowledge
from newtonscheme.estimation.recognition import Recogniser, load_recogniser
from newtonscheme.physics.models import FORCE_MODELS, PATTERNS
from newtonscheme.synth.motions import draw_unknown
from newtonscheme.synth.scene import Thing, TrackNoise, film
from newtonscheme.types import Floats, Options, Track

REFUSED = ("turn_in_circle", "slide_at_constant_speed", "carry_slowly", "carry_shakily", "shake_hand", "stop_and_go", "walk", "diffuse")


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return load_recogniser()


def knowledge(**options: Any) -> Knowledge:
    return gather_knowledge(Options(**options))


def judge(track: Track, recogniser: Recogniser, known: Knowledge | None = None, **options: Any) -> Analysis:
    return analyse_track(track, recogniser, assumed_camera(), known or knowledge(), **({"size_px": SIZE} | options))


def film_unknown(family: str, seed: int, duration: float = 1.6, fps: float = 30.0) -> Track:
    scene = draw_unknown(np.random.default_rng([seed, 5]), family, size_px=SIZE, fps=fps, duration=duration)
    return film(scene, np.random.default_rng([seed, 6]), WHITE)


def accepted(analysis: Analysis) -> bool:
    return analysis.verdict == "stable" and analysis.pattern.name is not None


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_true_pattern_is_accepted_over_the_whole_track(recogniser: Recogniser, pattern: str) -> None:
    right = 0
    for seed in range(3):
        track = film_pattern(pattern, seed, share=1.0, fps=30.0, duration=3.0 if pattern == "pendulum" else 1.0).track
        analysis = judge(track, recogniser)
        right += accepted(analysis) and FORCE_MODELS[str(analysis.pattern.name)].family == FORCE_MODELS[pattern].family
        assert analysis.track is track
        assert sum(analysis.pattern.probabilities.values()) == pytest.approx(1.0, abs=1e-6)
        assert set(analysis.pattern.probabilities) == {*PATTERNS, "unknown"}
        if accepted(analysis):
            assert analysis.last - analysis.first >= 0.9 * len(track)
            assert analysis.fit is not None
            assert analysis.fit.pattern == analysis.pattern.name
            assert analysis.reasons
            assert analysis.pattern.probability > 0.5
    assert right >= 2


@pytest.mark.parametrize("family", REFUSED)
def test_what_belongs_to_no_pattern_is_refused(recogniser: Recogniser, family: str) -> None:
    judged = [judge(film_unknown(family, seed), recogniser) for seed in range(2)]
    assert not any(accepted(analysis) for analysis in judged)
    for analysis in judged:
        assert accepted(analysis) or analysis.reasons


@pytest.mark.slow
@pytest.mark.parametrize("family", REFUSED)
def test_what_belongs_to_no_pattern_is_refused_in_nine_of_ten_films(recogniser: Recogniser, family: str) -> None:
    judged = [judge(film_unknown(family, seed), recogniser) for seed in range(30)]
    assert sum(accepted(analysis) for analysis in judged) <= 3


def seen(path: Floats, fps: float, radius: float, sigma: float, rng: np.random.Generator) -> Track:
    """A track along a path (n, 2) px with white errors of ``sigma`` px."""
    n = len(path)
    return Track(
        frame=np.arange(n), t=np.arange(n) / fps, centre_px=path + rng.normal(0, sigma, path.shape),
        covariance_px=np.tile(sigma**2 * np.eye(2), (n, 1, 1)), radius_px=radius + rng.normal(0, 0.1, n), radius_sigma_px=np.full(n, 0.15),
        score=np.ones(n), slow_radius_error_px=0.4,
    )  # fmt: skip


def wave_by_hand(seed: int) -> Track:
    """A ball waved about before the camera, up to 1.5 times a second on either axis: no arc of it is more than it seems."""
    rng = np.random.default_rng([seed, 7])
    fps, duration = float(rng.choice([30.0, 60.0])), rng.uniform(1.5, 3.0)
    t = np.arange(int(duration * fps)) / fps
    path = np.zeros((len(t), 2))
    for axis in (0, 1):
        for rate in np.arange(1, rng.integers(3, 6)) * 0.4 * rng.uniform(0.7, 1.1):
            path[:, axis] += rng.normal() * np.sin(2 * np.pi * (rate * t + rng.uniform())) / rate
    path = (path - path.min(axis=0)) / np.ptp(path, axis=0) * (np.array(SIZE) - 120) + 60
    sigma = rng.uniform(0.05, 0.3)
    return seen(path, fps, rng.uniform(6, 20), sigma, rng)


@pytest.mark.slow
def test_arcs_of_a_waving_hand_are_refused_in_nine_of_ten_films(recogniser: Recogniser) -> None:
    assert sum(accepted(judge(wave_by_hand(seed), recogniser)) for seed in range(30)) <= 3


@pytest.mark.parametrize("seed", range(3))
def test_a_ball_that_slides_along_a_slope_shows_no_gravity(recogniser: Recogniser, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, slope = 60, rng.uniform(0.0, 0.8) * rng.choice([-1, 1])
    along = np.linspace(60, SIZE[0] - 60, n)
    path = np.stack([along, 0.5 * SIZE[1] + slope * (along - along.mean()) * 0.5], axis=1)
    assert not accepted(judge(seen(path, 60.0, 12.0, 0.05, rng), recogniser))


def count_named(pattern: str, seeds: range, recogniser: Recogniser) -> int:
    named = 0
    for seed in seeds:
        analysis = judge(film_pattern(pattern, seed, share=1.0, fps=30.0, duration=1.2).track, recogniser)
        named += analysis.pattern.name == pattern
        assert {"free_fall", "curving_ball", "unknown"} <= set(analysis.evidence)
    return named


def test_a_plain_flight_is_not_called_a_curved_one(recogniser: Recogniser) -> None:
    assert count_named("free_fall", range(3), recogniser) >= 2


def test_a_flight_that_curves_in_the_picture_is_called_so(recogniser: Recogniser) -> None:
    assert count_named("curving_ball", range(2), recogniser) >= 1


@pytest.mark.slow
def test_plain_and_curved_flights_are_told_apart_by_evidence(recogniser: Recogniser) -> None:
    """Half the curves are too slight, or lie along the line of sight, to need more than gravity and drag; few throws look like curves."""
    assert count_named("free_fall", range(20), recogniser) >= 18
    assert count_named("curving_ball", range(20), recogniser) >= 10


def test_a_flight_between_a_catch_and_a_release_is_judged_alone(recogniser: Recogniser) -> None:
    path, (caught, released) = held_between_throws()
    analysis = judge(film_path(path, 2.0, seed=1).track, recogniser)
    assert accepted(analysis)
    assert len(analysis.segments) == 2
    assert analysis.fit is not None
    assert analysis.fit.track.t[0] == pytest.approx(released, abs=0.05) or analysis.fit.track.t[-1] == pytest.approx(caught, abs=0.05)
    assert sum(segment.fit is analysis.fit for segment in analysis.segments) == 1


@pytest.mark.parametrize("n", [0, 1, 3, 5])
def test_a_track_of_a_few_samples_is_too_short(recogniser: Recogniser, n: int) -> None:
    track = film_pattern("free_fall", 1, share=1.0).track.select(slice(0, n))
    analysis = judge(track, recogniser)
    assert analysis.verdict == "too_short"
    assert not accepted(analysis)


def test_a_pattern_that_is_named_is_tried_whatever_the_recogniser_thinks(recogniser: Recogniser) -> None:
    track = film_pattern("free_fall", 7, share=1.0, fps=30.0).track
    assert accepted(judge(track, recogniser, pattern="free_fall"))
    wrong = judge(track, recogniser, pattern="pendulum")
    assert wrong.pattern.name in (None, "pendulum")


def test_the_better_of_two_tracks_is_chosen_and_the_first_of_two_equals(recogniser: Recogniser) -> None:
    flight, wander = film_pattern("free_fall", 7, share=1.0, duration=1.0, fps=30.0).track, film_unknown("diffuse", 1, fps=24.0)
    args = (recogniser, assumed_camera(), knowledge())
    assert analyse_tracks([wander, flight], *args, pattern=None).index == 1
    assert analyse_tracks([flight, wander], *args, pattern=None).index == 0
    assert analyse_tracks([flight, flight], *args, pattern=None).index == 0
    assert analyse_tracks([flight, wander], *args, pattern=None, index=1).index == 1
    with pytest.raises(ValueError, match="at least one"):
        analyse_tracks([], *args, pattern=None)


@pytest.mark.parametrize(("worth", "index"), [(0.4, 1), (0.2, 0)])
def test_what_hardly_looks_like_a_body_beside_the_first_track_is_not_tried(recogniser: Recogniser, worth: float, index: int) -> None:
    flight, wander = film_pattern("free_fall", 7, share=1.0, duration=1.0, fps=30.0).track, film_unknown("diffuse", 1, fps=24.0)
    tracks = [replace(wander, smoothness=0.5), replace(flight, smoothness=0.5 * worth)]
    args = (recogniser, assumed_camera(), knowledge())
    assert analyse_tracks(tracks, *args, pattern=None).index == index
    assert analyse_tracks(tracks, *args, pattern=None, index=1).index == 1


def test_a_track_that_is_much_surer_comes_before_one_that_is_doubtful(recogniser: Recogniser) -> None:
    """The shadow of a ball moves much as the ball, but not quite."""
    doubtful, sure = (
        film_pattern("free_fall", 8, share=1.0, duration=0.8, fps=30.0, noise=TrackNoise(sigma_px=sigma)).track.select(slice(0, 10))
        for sigma in (4.0, 0.2)
    )
    args = (recogniser, assumed_camera(), knowledge())
    first, second = (analyse_track(track, *args) for track in (doubtful, sure))
    assert first.verdict == second.verdict == "stable"
    assert first.pattern.probabilities["unknown"] > LITTLE_DOUBT > second.pattern.probabilities["unknown"]
    assert analyse_tracks([doubtful, sure], *args, pattern=None).index == 1
    assert analyse_tracks([sure, doubtful], *args, pattern=None).index == 0


def test_a_doubtful_law_on_a_scrap_of_a_waving_hand_is_none(recogniser: Recogniser) -> None:
    rng = np.random.default_rng(26)
    rate, size, phase = rng.uniform(0.4, 2.2, (3, 2)), rng.normal(0.0, 0.25, (3, 2)), rng.uniform(0.0, 6.0, (3, 2))

    def wave(t: Floats) -> Floats:
        return np.concatenate([np.sum(size * np.sin(2 * np.pi * rate * t[:, None, None] + phase), axis=1), np.zeros((len(t), 1))], axis=1)

    track = film_path(wave, 2.0, fps=30.0, seed=26).track
    scrap = track.select(slice(52, 60))
    alone, whole = judge(scrap, recogniser), judge(track, recogniser)
    assert accepted(alone)
    assert not accepted(whole)


def test_an_evident_flight_need_not_show_how_it_left_a_hand_that_is_badly_seen(recogniser: Recogniser) -> None:
    """A hand pushes the ball up for 0.7 s, evenly, and covers it: where it lets go no jump can be seen, and a throw it is all the same."""

    def thrown(t: Floats) -> Floats:
        flown = t - 0.7
        height = 3.0 * flown + 0.5 * np.where(flown < 0.0, 3.0 / 0.7, -9.81) * flown**2
        return np.stack([0.5 * flown, height - 0.4, 0.0 * t], axis=-1)

    for seed in range(3):
        clear = film_path(thrown, 1.1, fps=50.0, seed=seed, noise=TrackNoise(sigma_px=0.3)).track
        held = clear.t < 0.71
        off = np.random.default_rng(seed).normal(0.0, 8.0, (len(clear), 2)) * held[:, None]
        vague = clear.covariance_px + 64.0 * held[:, None, None] * np.eye(2)
        analysis = judge(replace(clear, centre_px=clear.centre_px + off, covariance_px=vague), recogniser)
        assert accepted(analysis)
        assert analysis.pattern.name == "free_fall"


def test_a_named_object_gives_size_and_mass(recogniser: Recogniser) -> None:
    track = film_pattern("free_fall", 7, share=1.0, body=Thing(ball=find_ball("tennis ball"), diameter=0.0667, mass=0.0577)).track
    analysis = judge(track, recogniser, knowledge(object="tennis ball"))
    assert analysis.body is not None
    assert analysis.body.label == "tennis ball"
    assert analysis.body.mass is not None
    assert analysis.body.mass.value == pytest.approx(0.058, rel=0.05)
    assert analysis.fit is not None
    assert analysis.fit.parameters["diameter"].value == pytest.approx(0.0667, rel=0.04)


def test_a_mass_that_is_told_is_the_bodys(recogniser: Recogniser) -> None:
    track = film_pattern("free_fall", 7, share=1.0).track
    analysis = judge(track, recogniser, knowledge(mass="0.3±0.003"))
    assert analysis.body is not None
    assert analysis.body.mass is not None
    assert analysis.body.mass.value == pytest.approx(0.3, rel=0.02)
    assert analysis.body.mass.source == "user"


def test_left_and_right_do_not_matter(recogniser: Recogniser) -> None:
    track = film_pattern("free_fall", 7, share=1.0).track
    flip = np.array([-1.0, 1.0])
    mirrored = replace(track, centre_px=track.centre_px * flip + (SIZE[0] - 1, 0), covariance_px=track.covariance_px * np.outer(flip, flip))
    one, other = judge(track, recogniser), judge(mirrored, recogniser)
    assert (one.pattern.name, one.verdict, one.first, one.last) == (other.pattern.name, other.verdict, other.first, other.last)
    assert other.pattern.probability == pytest.approx(one.pattern.probability, abs=0.02)
    assert one.fit is not None
    assert other.fit is not None
    for name in ("speed", "launch_angle_deg"):
        assert other.fit.parameters[name].value == pytest.approx(one.fit.parameters[name].value, abs=0.2 * one.fit.parameters[name].sigma)


def test_the_same_track_is_judged_the_same(recogniser: Recogniser) -> None:
    track = film_pattern("free_fall", 9, share=1.0).track
    one, other = (judge(track, recogniser) for _ in range(2))
    assert one.pattern == other.pattern
    assert one.evidence == other.evidence
    assert one.fit is not None
    assert other.fit is not None
    np.testing.assert_array_equal(one.fit.estimate, other.fit.estimate)


def test_a_swing_that_is_longer_than_any_the_recogniser_knows_is_a_pendulum(recogniser: Recogniser) -> None:
    track = film_pattern("pendulum", 3, share=1.0, fps=25.0, duration=25.0).track
    analysis = judge(track, recogniser)
    assert accepted(analysis)
    assert analysis.fit is not None
    assert track.t[-1] > 8 * analysis.fit.parameters["period"].value
    assert analysis.last - analysis.first > 0.8 * len(track)


@pytest.mark.parametrize("seed", range(3))
def test_a_scrap_of_an_arc_is_no_pendulum_where_the_clip_shows_more(recogniser: Recogniser, seed: int) -> None:
    """A bob does not come and go: a third of a swing may be believed where the film shows no more of anything, but not beside another track."""
    arc = film_pattern("pendulum", seed, share=1.0, fps=60.0, duration=3.0)
    period = 2.0 * np.pi * float(FORCE_MODELS["pendulum"].time_scale(arc.scene.values))
    scrap = replace(arc.track.select(slice(0, max(int(0.3 * period * 60.0), 8))), smoothness=0.6)
    other = replace(film_unknown("jitter_on_spot", seed, duration=6.0, fps=10.0), smoothness=0.9)
    beside = analyse_tracks((other, scrap), recogniser, assumed_camera(), knowledge(), pattern=None, size_px=SIZE)
    assert not accepted(beside)
