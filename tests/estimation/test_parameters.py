"""A fit's coordinates: what is fixed, bound and free, and that numbers survive the way there and back."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from truths import FREE_BODY, SIZE, assumed_camera, catalogue_body, film_pattern, known

from newtonscheme.camera import make_sighting, table_camera
from newtonscheme.estimation.parameters import (
    LOG_NAMES,
    build_setting,
    place_start,
    predict_image,
    prior_residuals,
    state_problem,
    unpack,
    with_out_of_plane_prior,
)  # fmt: skip
from newtonscheme.physics.models import FORCE_MODELS, PATTERNS
from newtonscheme.types import Entry, Quantity


def problem_of(pattern: str, seed: int = 1, **options):
    filmed = film_pattern(pattern, seed)
    return filmed, state_problem(filmed.seen, pattern, assumed_camera(), FREE_BODY, known(**options))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_parameter_of_the_pattern_has_an_entry(pattern: str) -> None:
    setting = build_setting(FORCE_MODELS[pattern], assumed_camera(), FREE_BODY, known())
    assert {q.name for q in FORCE_MODELS[pattern].parameters} <= set(setting.entries)
    assert setting.pattern == pattern
    assert setting.entries["air_density"].sigma == 0.0
    assert math.isinf(setting.entries["px_per_m"].sigma)
    assert setting.entries["g"].source == "assumed"


def test_a_known_body_binds_size_mass_and_drag() -> None:
    body = catalogue_body(0.067, 0.058, drag=Quantity(0.55, 0.05, "1", "catalogue"))
    entries = build_setting(FORCE_MODELS["free_fall"], assumed_camera(), body, known()).entries
    assert entries["diameter"].value == 0.067
    assert entries["diameter"].sigma == pytest.approx(0.01, rel=1e-3)
    assert entries["density"].value == pytest.approx(0.058 / (math.pi / 6 * 0.067**3))
    assert entries["drag_coefficient"] == Entry(0.55, 0.05, "catalogue")


def test_a_bob_of_no_known_kind_is_believed_denser_than_a_thing_thrown() -> None:
    hung, thrown = (build_setting(FORCE_MODELS[name], assumed_camera(), FREE_BODY, known()).entries["density"] for name in ("pendulum", "free_fall"))
    assert hung.value > 2.0 * thrown.value
    for material in (400.0, 1000.0, 2500.0, 7850.0):  # wood, rubber, stone, steel
        assert abs(math.log(material / hung.value)) < 2.0 * hung.sigma
    told = build_setting(FORCE_MODELS["pendulum"], assumed_camera(), catalogue_body(0.04, 0.0027), known()).entries["density"]
    assert told.value == pytest.approx(0.0027 / (math.pi / 6 * 0.04**3))


def test_rulers_bind_what_they_measure() -> None:
    entries = build_setting(FORCE_MODELS["pendulum"], assumed_camera(), FREE_BODY, known(length="0.8±0.004")).entries
    assert entries["length"].value == 0.8
    assert entries["length"].sigma == pytest.approx(0.005, rel=1e-3)
    assert entries["length"].source == "user"
    assert entries["g"].sigma > 1.0
    exact = build_setting(FORCE_MODELS["pendulum"], assumed_camera(), FREE_BODY, known(g=1.62)).entries["g"]
    assert exact == Entry(1.62, 0.0, "user")


def test_angles_have_their_pivot_at_the_circles_centre() -> None:
    circle = replace(known(), unit_circle=True)
    assert build_setting(FORCE_MODELS["pendulum"], table_camera(), FREE_BODY, circle).entries["anchor_u_px"] == Entry(0.0, 0.0, "user")
    assert math.isinf(build_setting(FORCE_MODELS["free_fall"], assumed_camera(), FREE_BODY, known()).entries["anchor_u_px"].sigma)


def test_a_table_has_one_scale_and_no_lens() -> None:
    filmed = film_pattern("free_fall", 1)
    problem = state_problem(filmed.seen, "free_fall", table_camera(), FREE_BODY, known())
    assert not {"px_per_m", "focal_px", "pitch", "roll", "radius_bias_px"} & set(problem.names)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_coordinates_unpack_to_natural_numbers(pattern: str) -> None:
    _, problem = problem_of(pattern)
    rng = np.random.default_rng(0)
    theta = problem.prior_value + 0.1 * rng.standard_normal((5, len(problem.names)))
    p = unpack(problem, theta)
    for i, name in enumerate(problem.names):
        np.testing.assert_allclose(p[name], np.exp(theta[:, i]) if name in LOG_NAMES else theta[:, i])
    np.testing.assert_allclose(p["mass"], p["density"] * math.pi / 6 * p["diameter"] ** 3)
    np.testing.assert_array_equal(p["air_density"], problem.setting.entries["air_density"].value)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_truth_is_seen_where_the_film_shows_it(pattern: str) -> None:
    """The fit's own camera and integrator, given the truth, draw the scene that another camera and integrator drew."""
    filmed = film_pattern(pattern, 1)
    scene, view = filmed.scene, filmed.scene.view
    around = replace(known(), air_density=scene.values["air_density"])
    problem = state_problem(filmed.seen, pattern, assumed_camera(), FREE_BODY, around)
    natural = {
        **scene.values, "anchor_u_px": view.anchor_px[0], "anchor_v_px": view.anchor_px[1], "px_per_m": view.px_per_m, "pitch": view.pitch,
        "roll": view.roll, "focal_px": view.focal_px, "radius_bias_px": 0.0, "density": 6 * scene.values["mass"] / np.pi / scene.diameter**3,
    }  # fmt: skip
    theta = np.array([np.log(natural[name]) if name in LOG_NAMES else natural[name] for name in problem.names])
    image, scale = predict_image(problem, theta[None])
    rows = filmed.seen.frame
    np.testing.assert_allclose(image[0, :, :2], scene.centre_px[rows], atol=0.05)
    np.testing.assert_allclose(image[0, :, 2], scene.radius_px[rows], rtol=1e-3)
    np.testing.assert_allclose(scale[0] * scene.diameter / 2, scene.radius_px[rows], rtol=1e-3)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_placed_start_is_inside_the_bounds_and_seen_near_the_track(pattern: str) -> None:
    filmed, problem = problem_of(pattern, 4)
    extent = np.hypot(*np.ptp(filmed.seen.centre_px, axis=0))
    starts = FORCE_MODELS[pattern].guess(make_sighting(filmed.seen, assumed_camera()), {"g": 9.81})
    misses = []
    for start in starts:
        theta = place_start(problem, start)
        assert np.all((theta >= problem.lower) & (theta <= problem.upper))
        image, _ = predict_image(problem, theta[None])
        misses.append(np.sqrt(np.mean(np.sum((image[0, :, :2] - filmed.seen.centre_px) ** 2, axis=1))))
    assert min(misses) < 0.15 * extent


def test_a_scale_that_is_given_places_the_start_at_it() -> None:
    filmed, problem = problem_of("free_fall", 1, scale=250.0)
    start = FORCE_MODELS["free_fall"].guess(make_sighting(filmed.seen, assumed_camera()), {"g": 9.81})[0]
    theta = place_start(problem, start)
    assert np.exp(theta[problem.names.index("px_per_m")]) == pytest.approx(250.0)


def test_priors_are_standard_at_one_sigma_and_count_each_ruler_once() -> None:
    _, problem = problem_of("free_fall")
    theta = problem.prior_value.copy()
    theta[problem.names.index("px_per_m")] = math.log(200.0)
    scale = np.full((1, 5), 200.0)
    at_prior = prior_residuals(problem, theta[None], scale)[0]
    i = problem.names.index("pitch")
    moved = theta.copy()
    moved[i] += problem.prior_sigma[i]
    change = prior_residuals(problem, moved[None], scale)[0] - at_prior
    assert np.sum(np.abs(change) > 1e-9) == 1
    assert np.max(np.abs(change)) == pytest.approx(1.0)
    _, ruled = problem_of("free_fall", scale="200±2")
    assert len(prior_residuals(ruled, theta[None], scale)[0]) == len(at_prior) + 1 + (ruled.names != problem.names)


def test_the_speed_towards_the_camera_is_bound_by_the_speed_across_it() -> None:
    _, problem = problem_of("free_fall")
    theta = problem.prior_value.copy()
    theta[problem.names.index("vx")] = 10.0
    fast = with_out_of_plane_prior(problem, theta)
    theta[problem.names.index("vx")] = 1.0
    slow = with_out_of_plane_prior(problem, theta)
    i = problem.names.index("vz")
    assert 0 < slow.prior_sigma[i] < fast.prior_sigma[i]
    _, swing = problem_of("pendulum")
    assert with_out_of_plane_prior(swing, swing.prior_value) is swing


def test_the_prior_camera_suits_the_picture() -> None:
    entries = build_setting(FORCE_MODELS["free_fall"], assumed_camera(), FREE_BODY, known()).entries
    assert entries["focal_px"].value > 0.5 * max(SIZE)
    assert 0 < entries["pitch"].sigma < 0.3
