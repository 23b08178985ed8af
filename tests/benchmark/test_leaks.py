"""Every leak that is looked for is found when somebody tries it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from newtonscheme.baselines.forecaster import Question
from newtonscheme.benchmark.cases import Case
from newtonscheme.benchmark.leaks import LeakFound, check_cards, check_case
from newtonscheme.benchmark.ours import plain_knowledge
from newtonscheme.benchmark.suites import list_recipes, make_cases
from newtonscheme.errors import NewtonSchemeError
from newtonscheme.estimation.knowledge import gather_knowledge
from newtonscheme.synth.seeds import TEST, whole_seed
from newtonscheme.types import Options, Track


@pytest.fixture(scope="module")
def case() -> Case:
    (recipe,) = list_recipes("simulated", 1, patterns=("pendulum",))
    (case,) = make_cases(recipe).cases
    return case


def with_observed(case: Case, track: Track) -> Case:
    return replace(case, question=Question(observed=track, t=case.question.t, camera=case.question.camera))


def test_an_honest_case_passes(case: Case) -> None:
    check_case(case)


@pytest.mark.parametrize("role", ["training", "validation"])
def test_a_case_drawn_from_a_trainings_seed_is_found(case: Case, role: Any) -> None:
    with pytest.raises(LeakFound, match="none of the tests'"):
        check_case(replace(case, seed=whole_seed(role, 0, 3)))


def test_a_case_drawn_from_a_plain_seed_is_found(case: Case) -> None:
    with pytest.raises(LeakFound, match="none of the tests'"):
        check_case(replace(case, seed=0))


def test_a_case_of_no_origin_is_found(case: Case) -> None:
    with pytest.raises(LeakFound, match="neither a seed nor a file"):
        check_case(replace(case, seed=None))


def test_a_sample_after_the_observation_is_found(case: Case) -> None:
    with pytest.raises(LeakFound, match="is after the observation"):
        check_case(replace(case, cut=float(case.question.observed.t[-2])))


def test_a_question_about_what_was_seen_is_found(case: Case) -> None:
    with pytest.raises(LeakFound, match="inside the observation"):
        check_case(replace(case, cut=float(case.question.t[2])))


def test_a_tracker_that_looked_ahead_is_found(case: Case) -> None:
    check_case(replace(case, vision_until=float(case.question.t[0]) - 1.0 / case.fps))
    with pytest.raises(LeakFound, match="vision read a frame"):
        check_case(replace(case, vision_until=float(case.question.t[0])))


def test_a_window_into_the_whole_track_is_found(case: Case) -> None:
    class Window:
        """A track whose times are a part of the whole clip's."""

        def __init__(self, track: Track) -> None:
            self.track = track
            self.t = np.concatenate([track.t, case.question.t])[: len(track)]

        def __getattr__(self, name: str) -> Any:
            return getattr(self.track, name)

        def __len__(self) -> int:
            return len(self.track)

    with pytest.raises(LeakFound, match="t are a part of a longer array"):
        check_case(with_observed(case, Window(case.question.observed)))  # type: ignore[arg-type]


@pytest.mark.parametrize("told", [{"length": 0.7}, {"g": 1.62}, {"object": "tennis ball"}, {"mass": 0.06}, {"diameter": 0.07}, {"scale": 300.0}])
def test_a_truth_among_the_priors_is_found(case: Case, told: dict[str, Any]) -> None:
    with pytest.raises(LeakFound, match="of what is known was told"):
        check_case(case, gather_knowledge(Options(**told)))


def test_the_true_camera_in_the_question_is_found(case: Case) -> None:
    assert case.truth is not None
    camera = replace(case.question.camera, focal_px=case.truth.focal_px, focal_log_sigma=0.0)
    cheat = replace(case, question=Question(observed=case.question.observed, t=case.question.t, camera=camera))
    with pytest.raises(LeakFound, match="camera is not the one that is assumed"):
        check_case(cheat)


def test_plain_knowledge_is_that_of_nobody() -> None:
    assert plain_knowledge() == gather_knowledge(Options())


HONEST = {"seed": 0, "sha256": "a" * 64, "learning_curve": {"tracks": [100, 50_000], "error": [0.2, 0.1]}}
SEEDS = [whole_seed("test", 0, 1, 2)]
FILE = "5" * 64


def test_honest_cards_pass() -> None:
    check_cards({"gru": HONEST, "tcn": {"entropy": [whole_seed("training", 1), whole_seed("validation", 1)]}}, SEEDS, [FILE])


@pytest.mark.parametrize(
    "card",
    [{"seed": TEST}, {"seeds": [0, 1, SEEDS[0]]}, {"training": {"seed": [TEST, 2, 0]}}, {"entropy": {"words": [whole_seed("test", 9)]}}],
)
def test_weights_that_drew_from_the_tests_seeds_are_found(card: dict[str, Any]) -> None:
    with pytest.raises(LeakFound, match="one of the tests'"):
        check_cards({"gru": HONEST, "tcn": card}, SEEDS, [FILE])


@pytest.mark.parametrize("card", [{"files": [FILE]}, {"data": {"clips": [{"sha256": [FILE]}]}}, {"note": f"also {FILE.upper()}"}])
def test_weights_that_were_trained_on_a_real_file_are_found(card: dict[str, Any]) -> None:
    with pytest.raises(LeakFound, match="trained on a real file"):
        check_cards({"tcn": HONEST | card}, SEEDS, [FILE])


def test_weights_that_say_no_seeds_are_found() -> None:
    with pytest.raises(LeakFound, match="says no seeds"):
        check_cards({"tcn": {"sha256": "b" * 64}}, SEEDS, [FILE])


def test_a_leak_is_one_line_that_ends_the_command() -> None:
    assert issubclass(LeakFound, NewtonSchemeError)
    assert "\n" not in str(LeakFound("a"))
