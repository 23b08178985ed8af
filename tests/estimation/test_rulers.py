"""Rulers that disagree are named, and the frame rate at which they would agree."""

from __future__ import annotations

from dataclasses import replace

import pytest
from truths import FREE_BODY, assumed_camera, catalogue_body, film_near_throw, known

from newtonscheme.estimation.analysis import Analysis
from newtonscheme.estimation.fitting import fit_pattern
from newtonscheme.estimation.knowledge import gather_knowledge
from newtonscheme.estimation.rulers import judge_rulers, measure_rulers
from newtonscheme.types import Options, Pattern


def codes(diameter_error: float, slowed: float, fps: float, *, sigma: float = 0.01) -> dict[str, str]:
    """Codes and words of the notices on a throw whose ball is said to be wider by a factor and whose clock is slower by another."""
    filmed = film_near_throw()
    size, mass = diameter_error * filmed.scene.diameter, filmed.scene.values["mass"]
    options = Options(diameter=f"{size}±{100 * sigma}%")
    knowledge = gather_knowledge(options)
    track = replace(filmed.seen, t=filmed.seen.t * slowed)
    body = catalogue_body(size, mass, sigma=sigma)
    fit = fit_pattern(track, "free_fall", camera=assumed_camera(), body=body, known=knowledge.known)
    free = fit_pattern(track, "free_fall", camera=assumed_camera(), body=FREE_BODY, known=known())
    seen = Analysis(
        track=track, index=0, pattern=Pattern(name="free_fall", probability=1.0, probabilities={}), evidence={}, verdict="stable", reasons=(),
        charges=(), segments=(), fit=fit, free_fit=free, beliefs=(), body=body, first=0, last=len(track),
    )  # fmt: skip
    return {notice.code: notice.message for notice in judge_rulers(seen, measure_rulers(fit, free, knowledge), knowledge, fps)}


def test_rulers_that_agree_are_not_mentioned() -> None:
    assert codes(1.0, 1.0, 60.0) == {}


@pytest.mark.parametrize(("rate", "stored"), [(240.0, 30.0), (120.0, 30.0), (240.0, 25.0), (100.0, 25.0)])
def test_slow_motion_stored_at_another_rate_is_recognised_by_a_second_ruler(rate: float, stored: float) -> None:
    found = codes(1.0, rate / stored, stored)
    assert f"--fps {rate:g}" in found["clock_factor"]
    assert "gravity_implausible" in found


def test_a_ball_said_too_wide_is_an_implausible_gravity_with_its_amount_and_no_other_clock() -> None:
    found = codes(0.75, 1.0, 60.0)
    assert "%" in found["gravity_implausible"]
    assert "clock_factor" not in found


def test_no_rate_is_named_where_gravity_ends_at_the_edge_of_its_range() -> None:
    found = codes(1.0, 32.0, 30.0)
    assert "gravity_implausible" in found
    assert "clock_factor" not in found


def test_a_vague_ruler_accuses_nobody() -> None:
    assert codes(0.8, 1.0, 60.0, sigma=0.2) == {}
