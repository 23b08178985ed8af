"""Flights of one body between contacts tell each other what they share, and only where they agree."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest
from truths import FREE_BODY, SIZE, Filmed, assumed_camera, bounce_path, film_path, known

from newtonscheme.estimation.analysis import Analysis, analyse_track
from newtonscheme.estimation.fitting import fit_pattern, measure_scale
from newtonscheme.estimation.flights import learn_elsewhere
from newtonscheme.estimation.forecasting import forecast_fit
from newtonscheme.estimation.identifiability import account_errors
from newtonscheme.estimation.knowledge import gather_knowledge
from newtonscheme.estimation.recognition import Recogniser, load_recogniser
from newtonscheme.types import NOTHING_ELSEWHERE, Fit, Moment, Options, Track

SEEDS = range(8)
BEGUN = 9
"""Samples of the last flight that are seen."""


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return load_recogniser()


def fit(track: Track) -> Fit:
    return fit_pattern(track, "free_fall", camera=assumed_camera(), body=FREE_BODY, known=known())


@lru_cache(maxsize=20)
def film_bounces(seed: int) -> tuple[Filmed, tuple[Track, ...]]:
    """A ball that bounces three times, and its four flights, the last of them to its end."""
    path, bounces = bounce_path()
    filmed = film_path(path, float(bounces[3]) - 0.01, seed=seed)
    edges = np.concatenate([[-1.0], bounces[:3], [np.inf]])
    t = filmed.track.t
    return filmed, tuple(filmed.track.select((t > a + 0.004) & (t < b - 0.004)) for a, b in pairwise(edges))


@lru_cache(maxsize=20)
def fit_told(seed: int) -> tuple[Fit, Fit]:
    """The last flight's first samples fitted alone, and with what the flights before it tell."""
    _, (*others, last) = film_bounces(seed)
    alone = fit(last.select(slice(0, BEGUN)))
    told = learn_elsewhere(alone, [fit(track) for track in others], known())
    return alone, fit_pattern(alone.track, "free_fall", camera=alone.camera, body=alone.body, known=known(), near=alone, elsewhere=told)


def scale_error(filmed: Filmed, found: Fit) -> float:
    value, sigma = measure_scale(found, known())
    frame = found.track.frame[len(found.track) // 2]
    true = 2.0 * filmed.scene.radius_px[frame] / filmed.scene.diameter
    return float(np.log(value / true) / (sigma / value))


def test_a_flight_that_has_just_begun_is_known_better_by_those_before_it() -> None:
    alone, told = zip(*(fit_told(seed) for seed in SEEDS), strict=True)
    assert all(len(found.elsewhere.spans) == 3 for found in told)
    shares = [b.parameters["diameter"].sigma / a.parameters["diameter"].sigma for a, b in zip(alone, told, strict=True)]
    assert np.median(shares) < 0.6
    errors = [scale_error(film_bounces(seed)[0], found) for seed, found in zip(SEEDS, told, strict=True)]
    assert float(np.sqrt(np.mean(np.square(errors)))) < 1.6


def test_its_forecast_is_better_and_its_band_holds() -> None:
    ratios, inside = [], []
    for seed in SEEDS:
        filmed, (*_, last) = film_bounces(seed)
        rest = last.select(slice(BEGUN, None))
        truth = filmed.true_centre(rest)
        apart = []
        for found in fit_told(seed):
            forecast, failure = forecast_fit(found, known(), rest.t, level=0.9)
            assert failure == ""
            apart.append(float(np.sqrt(np.mean(np.sum((forecast.centre_px - truth) ** 2, axis=1)))))
        inside.append(np.mean((truth > forecast.lower_px) & (truth < forecast.upper_px)))
        ratios.append(apart[1] / apart[0])
    assert np.median(ratios) < 0.8
    assert np.mean(inside) > 0.8


def test_what_was_told_adds_up_with_the_rest_of_the_account() -> None:
    _, told = fit_told(0)
    found = account_errors(told, known(), time_source="timestamps", horizon=0.1)
    for account in found.accounts:
        assert sum(account.shares.values()) == pytest.approx(1.0)
        if account.name in told.parameters and account.name != "spin_rate_rps":
            assert account.sigma == pytest.approx(told.parameters[account.name].sigma, rel=0.05)


def test_a_flight_under_another_gravity_tells_nothing() -> None:
    _, (*others, last) = film_bounces(1)
    slowed = [replace(track, t=track.t[0] + 1.4 * (track.t - track.t[0])) for track in others[1:]]
    assert learn_elsewhere(fit(last), [fit(track) for track in slowed], known()) is NOTHING_ELSEWHERE


def test_one_that_disagrees_does_not_silence_the_others() -> None:
    _, (first, second, third, last) = film_bounces(2)
    slowed = replace(second, t=second.t[0] + 1.4 * (second.t - second.t[0]))
    told = learn_elsewhere(fit(last), [fit(first), fit(slowed), fit(third)], known())
    assert [span[0] for span in told.spans] == [first.t[0], third.t[0]]


def test_where_as_many_disagree_as_agree_nobody_is_believed() -> None:
    _, (_, second, third, last) = film_bounces(2)
    slowed = replace(second, t=second.t[0] + 1.4 * (second.t - second.t[0]))
    assert learn_elsewhere(fit(last), [fit(slowed), fit(third)], known()) is NOTHING_ELSEWHERE


def test_alone_there_is_nothing_to_be_told() -> None:
    _, (*_, last) = film_bounces(0)
    assert learn_elsewhere(fit(last), [], known()) is NOTHING_ELSEWHERE


def test_who_is_asked_first_does_not_matter() -> None:
    _, (*others, last) = film_bounces(3)
    asked, fits = fit(last), [fit(track) for track in others]
    told, turned = (learn_elsewhere(asked, each, known()) for each in (fits, fits[::-1]))
    np.testing.assert_allclose(told.root.T @ told.root, turned.root.T @ turned.root, rtol=1e-6, atol=1e-6)


def test_all_together_say_the_same_of_what_they_share_whichever_is_asked() -> None:
    filmed, tracks = film_bounces(4)
    ruler = f"{filmed.scene.diameter}±1%"
    body, ruled = replace(FREE_BODY, diameter=gather_knowledge(Options(diameter=ruler)).diameter), known(diameter=ruler)
    fits = [fit_pattern(track, "free_fall", camera=assumed_camera(), body=body, known=ruled) for track in tracks]
    joint = []
    for asked in fits:
        told = learn_elsewhere(asked, [other for other in fits if other is not asked], ruled)
        joint.append(fit_pattern(asked.track, "free_fall", camera=asked.camera, body=body, known=ruled, near=asked, elsewhere=told))
    for name in ("g", "pitch", "roll"):
        at = joint[0].names.index(name)
        alone, together = (np.array([each.estimate[at] for each in some]) for some in (fits, joint))
        before, after = (np.sqrt(np.array([each.covariance[at, at] for each in some])) for some in (fits, joint))
        assert np.ptp(together) < min(0.3 * np.ptp(alone), 0.5 * after[0])
        assert np.all(after <= 1.02 * before)
    assert all(abs(each.parameters["g"].value - 9.81) < 3.0 * each.parameters["g"].sigma for each in joint)


def judge(recogniser: Recogniser, track: Track, moment: Moment) -> Analysis:
    return analyse_track(track, recogniser, assumed_camera(), gather_knowledge(Options()), size_px=SIZE, moment=moment)


@pytest.mark.parametrize("seed", [0, 5])
def test_a_ball_that_has_just_bounced_is_forecast_from_its_new_flight(recogniser: Recogniser, seed: int) -> None:
    filmed, (*_, last) = film_bounces(seed)
    seen = filmed.track.select(filmed.track.t <= last.t[BEGUN - 1])
    latest, longest = (judge(recogniser, seen, moment) for moment in ("latest", "longest"))
    assert latest.verdict == longest.verdict == "stable"
    assert latest.fit is not None
    assert longest.fit is not None
    assert latest.fit.track.t[0] == pytest.approx(last.t[0], abs=0.02)
    assert latest.last == len(seen)
    assert len(latest.fit.elsewhere.spans) >= 2
    assert longest.fit.track.t[-1] < last.t[0]


def test_left_and_right_do_not_matter() -> None:
    _, (*others, last) = film_bounces(6)
    tracks = [*others, last]
    mirrored = [replace(track, centre_px=np.array([SIZE[0] - 1.0, 0.0]) + track.centre_px * [-1.0, 1.0]) for track in tracks]
    found = []
    for each in (tracks, mirrored):
        asked = fit(each[-1])
        found.append(learn_elsewhere(asked, [fit(track) for track in each[:-1]], known()))
    names = found[0].names
    keeps = [names.index(name) for name in ("px_per_m", "diameter", "density", "pitch")]
    precision = [(told.root.T @ told.root)[np.ix_(keeps, keeps)] for told in found]
    np.testing.assert_allclose(precision[0], precision[1], rtol=0.02, atol=1.0)
