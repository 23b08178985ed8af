"""A film that was slowed down shows no law by its own clock; where a faster one makes its motion a flight, the rate to give is named."""

from __future__ import annotations

import re

import numpy as np
import pytest
from truths import SIZE, WHITE, assumed_camera, film_pattern

from newtonscheme.estimation.analysis import analyse_track
from newtonscheme.estimation.knowledge import Knowledge, gather_knowledge
from newtonscheme.estimation.recognition import Recogniser, load_recogniser
from newtonscheme.estimation.slow_motion import hastened, suspect_slow_motion
from newtonscheme.synth.motions import draw_unknown
from newtonscheme.synth.scene import film
from newtonscheme.types import Notice, Options, Track

SLOW = ("carry_slowly", "turn_in_circle", "stop_and_go", "trace_lissajous")


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return load_recogniser()


def suspect(track: Track, fps: float, recogniser: Recogniser, knowledge: Knowledge | None = None) -> list[Notice]:
    knowledge = knowledge or gather_knowledge(Options())
    seen = analyse_track(track, recogniser, assumed_camera(), knowledge, size_px=SIZE)
    return suspect_slow_motion(seen, recogniser, assumed_camera(), knowledge, fps=fps, size_px=SIZE)


def slowed_throw(seed: int) -> Track:
    return hastened(film_pattern("free_fall", seed, share=1.0, fps=80.0, duration=0.6).track, 1.0 / 8.0)


def test_the_rate_that_makes_a_slowed_throw_a_flight_is_named(recogniser: Recogniser) -> None:
    named = 0
    for seed in range(2):
        for notice in suspect(slowed_throw(seed), 10.0, recogniser):
            rate = float(re.search(r"at (\d+) frames a second, not 10", notice.message).group(1))  # type: ignore[union-attr]
            assert notice.code == "clock_slowed"
            # A thing of any size may have been thrown: the rate goes as the root of what is supposed.
            named += 24.0 <= rate <= 480.0
    assert named == 2


@pytest.mark.slow
def test_what_is_slow_by_nature_is_not_suspected(recogniser: Recogniser) -> None:
    for family in SLOW:
        scene = draw_unknown(np.random.default_rng([0, 5]), family, size_px=SIZE, fps=15.0, duration=3.0)
        assert suspect(film(scene, np.random.default_rng([0, 6]), WHITE), 15.0, recogniser) == []


def test_nothing_is_suspected_where_a_ruler_was_given(recogniser: Recogniser) -> None:
    ruled = gather_knowledge(Options(diameter="0.2"))
    assert not ruled.known.gravity_is_ruler
    assert suspect(slowed_throw(0), 10.0, recogniser, ruled) == []
