"""The summary says in plain words what the report holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
from helpers import make_fit, make_refused_report, make_report, make_track, make_video

from newtonscheme.summary import SCALE_WORDS, SOURCE_WORDS, STOP_WORDS, VERDICT_WORDS, summarise, summary_rows
from newtonscheme.types import Elsewhere, Refusal, ScaleSource, Source, Stop, Verdict


def test_the_summary_names_what_was_found() -> None:
    text = summarise(make_report())
    for words in (
        "free fall (97 %)", "tennis ball (93 %)", "0.05770 ± 0.00090 kg (from the catalogue)", "100.0 ± 1.3 px for each metre",
        "speed 4.837 ± 0.024 m/s (measured)", "stable", "energy 0.4 sigma", "90 % band", "0.7 % of its path", "the clock has a hole",
    ):  # fmt: skip
        assert words in text


def test_a_refusal_says_why_and_forecasts_nothing() -> None:
    rows = dict(summary_rows(make_refused_report()))
    assert "none of the known patterns" in rows["refused"]
    assert "forecast" not in rows


def test_numbers_of_a_fit_that_does_not_hold_are_not_said() -> None:
    report = replace(make_report(), status="refused", forecast=None, score=None, refusal=Refusal("unstable", "free_fall is broken"))
    assert not {"scale", "motion", "forecast"} & {label for label, _ in summary_rows(report)}


def test_a_parameter_at_its_bound_is_confessed() -> None:
    report = make_report(fit=make_fit(make_track(), at_bound=("drag_coefficient",)))
    assert "at the edge of its range: drag_coefficient" in summarise(report)


def test_other_flights_that_were_asked_are_named() -> None:
    told = Elsewhere(("g",), np.ones((1, 1)), np.zeros(1), ((0.1, 0.62), (0.7, 1.25)))
    assert "learned from 2 other flights too: 0.10 to 0.62 s, 0.70 to 1.25 s" in summarise(make_report(fit=make_fit(make_track(), elsewhere=told)))
    assert "learned from" not in summarise(make_report())


def test_a_fit_that_overruled_the_recogniser_is_named() -> None:
    report = make_report(fit=make_fit(make_track(), pattern="curving_ball"))
    assert "free fall (97 %); fits best as curving ball" in summarise(report)


def test_a_summary_is_made_of_anything_that_a_report_may_lack() -> None:
    empty = make_track(0)
    report = replace(make_refused_report(), track=empty, used=np.zeros(0, bool), notices=())
    assert "nothing that could be followed" in summarise(report)


def test_no_file_name_can_move_the_cursor() -> None:
    text = summarise(make_report(video=make_video(path=Path("a\x1b[2J\nforecast  a lie.mp4"))))
    assert "\x1b" not in text
    assert not any(line.startswith("forecast  a lie") for line in text.splitlines())


def test_every_word_that_a_report_may_hold_has_its_plain_words() -> None:
    assert set(SOURCE_WORDS) == set(get_args(Source))
    assert set(SCALE_WORDS) == set(get_args(ScaleSource))
    assert set(STOP_WORDS) == set(get_args(Stop))
    assert set(VERDICT_WORDS) == set(get_args(Verdict))
