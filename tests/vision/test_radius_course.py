"""Samples whose disc is a part of the object say so in their sigma."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from newtonscheme.vision.ranking import course_with_rests, radius_course
from newtonscheme.vision.refinement import fit_discs
from newtonscheme.vision.tracking import _unlike_course

T = np.linspace(0.0, 1.0, 40)
AWAY = np.column_stack([200.0 * T, 80.0 * T])


@given(st.floats(2.0, 50.0), st.floats(-0.5, 1.0), st.floats(-0.06, 0.06))
def test_an_object_that_comes_nearer_and_swings_is_like_itself(radius: float, recession: float, swing: float) -> None:
    course = radius / (1.0 + recession * T) * (1.0 + swing * np.sin(9.0 * T))
    assert np.max(_unlike_course(T, AWAY, course, 0.02 * course)) < 0.02 * radius


def test_a_part_of_the_object_is_off_by_what_it_lacks() -> None:
    radius = np.full(len(T), 10.0)
    radius[:6] = 6.0
    off = _unlike_course(T, AWAY, radius, np.full(len(T), 0.2))
    np.testing.assert_allclose(off[:6], 3.0, atol=0.3)
    assert np.max(off[6:]) == 0.0


def test_scatter_within_its_sigma_is_nothing() -> None:
    radius = 10.0 + np.random.default_rng(3).normal(0.0, 0.1, len(T))
    assert np.mean(_unlike_course(T, AWAY, radius, np.full(len(T), 0.3)) > 0) < 0.1


def test_what_was_not_measured_and_too_few_radii_say_nothing() -> None:
    radius = np.full(len(T), np.nan)
    assert not np.any(_unlike_course(T, AWAY, radius, radius))
    radius[:5] = [3.0, 8.0, 3.0, 8.0, 3.0]
    assert not np.any(_unlike_course(T, AWAY, radius, np.full(len(T), 0.1)))


def test_a_course_is_a_steady_change_of_depth_whatever_a_few_samples_say() -> None:
    true = 12.0 / (1.0 + 0.7 * T)
    seen = true.copy()
    seen[[3, 4, 5, 20, 39]] *= 0.6
    np.testing.assert_allclose(radius_course(T, seen), true, rtol=0.01)


def test_a_ball_that_lay_still_before_it_was_kicked_and_lies_still_behind_is_as_large_as_in_flight() -> None:
    """At rest only slivers of it differ from a background that holds its picture."""
    true = 18.0 / (1.0 + 1.5 * T)
    still = np.ones(12)
    t = np.concatenate([-0.4 + 0.03 * np.arange(12), T, 1.03 + 0.03 * np.arange(12)])
    centre = np.concatenate([np.outer(still, AWAY[0]), AWAY, np.outer(still, AWAY[-1])])
    seen = np.concatenate([4.4 * still, true, 2.0 * still])
    course = course_with_rests(t, centre, seen)
    np.testing.assert_allclose(course[13:-13], true[1:-1], rtol=0.01)
    np.testing.assert_allclose(course[:12], true[0], rtol=0.05)
    np.testing.assert_allclose(course[-12:], true[-1], rtol=0.05)
    off = _unlike_course(t, centre, seen, 0.02 * seen)
    assert np.max(off[13:-13]) == 0.0
    assert np.min(off[:12]) > 10.0


def test_a_part_of_the_edge_and_the_known_size_tell_the_centre() -> None:
    yy, xx = np.mgrid[:48, :48].astype(float)
    rng = np.random.default_rng(5)
    background = np.where(xx < 16.5, 60.0, 180.0)
    errors = {}
    for sigma in (np.inf, 0.02):
        centre, covered = [], 1.0 / (1.0 + np.exp((np.hypot(xx - 24.3, yy - 23.6) - 10.0) / 0.5))
        for _ in range(40):
            light = (1.0 - covered) * (background - 16.0) ** 2 + covered * (180.0 - 16.0) ** 2
            image = 16.0 + np.sqrt(light) + rng.normal(0.0, 4.0, background.shape)
            found = fit_discs(
                [image[None].astype(np.float32)], [background[None].astype(np.float32)], np.array([[22.0, 24.0]]), np.array([10.0]),
                radius_log_sigma=sigma,
            )  # fmt: skip
            centre.append(found.centre_px[0])
        errors[sigma] = float(np.median(np.hypot(*(np.array(centre) - [24.3, 23.6]).T)))
    assert errors[0.02] < 0.8 * errors[np.inf]
    assert errors[0.02] < 1.0
