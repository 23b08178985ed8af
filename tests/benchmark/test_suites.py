"""The tracks that are judged on: made again from their seeds, apart from every training, and beyond it where they say so."""

from __future__ import annotations

import pickle
from itertools import combinations

import numpy as np
import pytest

from newtonscheme.benchmark.cases import LEAST_SAMPLES, Case, Recipe
from newtonscheme.benchmark.leaks import check_case
from newtonscheme.benchmark.shifts import FEW_FRAMES, LONG_PENDULUM, MARS_GRAVITY, MOON_GRAVITY, ODD_RATES, SHIFTS
from newtonscheme.benchmark.suites import NOISES, SHARES, list_recipes, make_cases, recipe_seed
from newtonscheme.physics.models import PATTERNS
from newtonscheme.synth.scene import FRAME_RATES
from newtonscheme.synth.seeds import TEST, leading_word


def same(a: Case, b: Case) -> bool:
    arrays = [(a.question.observed.centre_px, b.question.observed.centre_px), (a.question.t, b.question.t), (a.truth_px, b.truth_px)]
    return a.name == b.name and all(np.array_equal(x, y) for x, y in arrays)


def only(recipe: Recipe) -> Case:
    (case,) = make_cases(recipe).cases
    return case


RECIPES = [*list_recipes("simulated", len(NOISES)), *list_recipes("shifted", 6)]


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    return {recipe.name: only(recipe) for recipe in RECIPES}


def test_every_pattern_is_asked_under_every_noise_and_every_shift() -> None:
    asked = {(r.suite, r.pattern, r.kind) for r in RECIPES}
    assert asked == {("simulated", p, n) for p in PATTERNS for n in NOISES} | {("shifted", p, s) for p in SHIFTS for s in SHIFTS[p]}


def test_a_recipe_gives_the_same_case_again_and_another_seed_another(cases: dict[str, Case]) -> None:
    for recipe in (RECIPES[0], RECIPES[-1]):
        assert same(only(recipe), cases[recipe.name])
    (other,) = list_recipes("simulated", 1, seed=1, patterns=(RECIPES[0].pattern,))
    assert not np.array_equal(only(other).truth_px, cases[RECIPES[0].name].truth_px)


def test_a_recipe_travels_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(RECIPES[0])) == RECIPES[0]


def test_no_case_leaks(cases: dict[str, Case]) -> None:
    for case in cases.values():
        check_case(case)
        assert len(case.question.observed) >= LEAST_SAMPLES
        assert case.path_px > 0


def test_the_tests_seeds_are_their_own(cases: dict[str, Case]) -> None:
    seeds = [recipe_seed(recipe) for recipe in RECIPES]
    assert all(leading_word(seed) == TEST for seed in seeds)
    assert all(a != b for a, b in combinations(seeds, 2))


def test_no_rivals_training_can_have_drawn_a_test() -> None:
    rival_data = pytest.importorskip("newtonscheme.learning.rival_data")
    ours = {tuple(np.random.SeedSequence(recipe_seed(r)).generate_state(4)) for r in RECIPES}
    for part in ("training", "validation"):
        drawn = [rival_data.block_seed(part, block) for block in (0, 1, 199)]
        assert all(tuple(seed.generate_state(4)) not in ours for seed in drawn)
        assert all(seed.entropy != recipe_seed(r) for seed in drawn for r in RECIPES)
    assert TEST not in (rival_data.TRAINING_SEEDS, rival_data.VALIDATION_SEEDS)


def test_a_noise_is_what_its_name_says(cases: dict[str, Case]) -> None:
    for pattern in PATTERNS:
        own = {kind: cases[f"simulated/{pattern}/{kind}/{i}"] for i, kind in enumerate(NOISES)}
        assert own["white"].question.observed.correlation_time == 0
        assert own["correlated"].question.observed.correlation_time > 0
        jitter = own["jittered_clock"].question.observed
        assert np.ptp(np.diff(jitter.t)) > 1e-6
        steady = own["white"].question.observed
        assert np.allclose(np.diff(steady.t), 1.0 / own["white"].fps)


def test_more_is_seen_of_the_same_motion_at_larger_shares() -> None:
    (recipe,) = list_recipes("simulated", 1, patterns=("pendulum",), all_shares=1)
    made = make_cases(recipe).cases
    assert [case.observed_share for case in made] == list(SHARES)
    ends = [case.truth_px[-1] for case in made]
    assert all(np.array_equal(end, ends[0]) for end in ends)
    assert len({len(case.question.observed) + len(case.question.t) for case in made}) == 1
    assert [case.cut for case in made] == sorted(case.cut for case in made)


def test_a_shift_is_outside_of_training(cases: dict[str, Case]) -> None:
    for name, case in cases.items():
        if case.suite != "shifted":
            continue
        assert case.truth is not None
        values = case.truth.values
        outside = {
            "moon": values["g"] == MOON_GRAVITY, "mars": values["g"] == MARS_GRAVITY, "long_pendulum": values.get("length", 0) >= LONG_PENDULUM[0],
            "ball": not 0.015 <= values["diameter"] <= 0.26, "rate": case.fps in ODD_RATES and case.fps not in FRAME_RATES,
            "few_frames": FEW_FRAMES[0] <= len(case.question.observed) + len(case.question.t) <= FEW_FRAMES[1],
            "long_flight": (len(case.question.observed) + len(case.question.t)) / case.fps > 1.5,
        }  # fmt: skip
        # A missing sample may bring the frames that are left below the fewest.
        if case.kind == "few_frames":
            assert len(case.question.observed) + len(case.question.t) <= FEW_FRAMES[1]
        else:
            assert outside[case.kind], name


def test_the_truth_says_what_the_case_is_judged_by(cases: dict[str, Case]) -> None:
    """Its values, integrated again and seen through its camera, pass through the judged centres where the law's coefficients are constant."""
    from newtonscheme.camera import Camera, project
    from newtonscheme.physics.integration import solve_one
    from newtonscheme.physics.models import FORCE_MODELS

    for recipe in RECIPES:
        case = cases[recipe.name]
        if recipe.suite != "shifted":
            continue
        truth = case.truth
        assert truth is not None
        camera = case.question.camera
        exact = Camera(kind="pinhole", focal_px=truth.focal_px, focal_log_sigma=0.0, principal_px=camera.principal_px)
        states, failure = solve_one(FORCE_MODELS[case.pattern], truth.values, case.question.t - truth.t)
        assert failure == ""
        position = FORCE_MODELS[case.pattern].position(states, truth.values)
        seen, _ = project(exact, position, truth.anchor_px, truth.px_per_m, truth.pitch, truth.roll, truth.focal_px)
        assert np.max(np.hypot(*(seen - case.truth_px).T)) < 1e-3
