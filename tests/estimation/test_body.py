"""What the object is: humble about looks, right about balls that fit, honest about what no kind explains."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newtonscheme.catalogue import COLOURS, load_catalogue
from newtonscheme.errors import UsageError
from newtonscheme.estimation.body import (
    at_speed,
    body_from_size,
    find_ball,
    joint_log_evidence,
    mix_quantity,
    name_body,
    propose_bodies,
    weigh_bodies,
)
from newtonscheme.estimation.parameters import assumed_density
from newtonscheme.physics.models import FORCE_MODELS
from newtonscheme.types import Appearance, Body, Quantity

WIDE_LOG_SIGMA = 1.0
"""Spread of the sizes that a fit with a free diameter believes in."""
WIDE_MEDIAN = 0.07


def seen(texture: float = 0.03, elongation: float = 1.05, **colours: float) -> Appearance:
    return Appearance(hue_deg=0.0, saturation=0.6, lightness=0.5, colour_fractions=colours, texture=texture, elongation=elongation)


def measured(diameter: float, share: float = 0.04) -> Quantity:
    return Quantity(diameter, share * diameter, "m", "measured")


def size_evidences(bodies: Sequence[Body], diameter: Quantity) -> list[float]:
    """Log evidence of each hypothesis for a motion that tells the size and nothing else."""
    result = []
    for body in bodies:
        centre, width = (WIDE_MEDIAN, WIDE_LOG_SIGMA) if body.diameter is None else (body.diameter.value, body.diameter.sigma / body.diameter.value)
        sigma = math.hypot(width, diameter.sigma / diameter.value)
        result.append(-0.5 * (math.log(diameter.value / centre) / sigma) ** 2 - math.log(sigma))
    return result


def after_size(appearance: Appearance, diameter: Quantity) -> dict[str | None, float]:
    bodies = propose_bodies(appearance)
    weighed = weigh_bodies(bodies, size_evidences(bodies, diameter), [diameter, *(body.diameter for body in bodies[1:])])
    return {body.label: body.probability for body in weighed}


def by_label(bodies: Sequence[Body]) -> Mapping[str | None, float]:
    return {body.label: body.probability for body in bodies}


YELLOW_GREEN = ({"yellow": 0.9, "green": 0.1}, {"green": 0.8, "yellow": 0.2}, {"yellow": 0.4, "green": 0.4, "brown": 0.2})


@pytest.mark.parametrize("appearance", [None, seen(), seen(orange=0.7, red=0.3), seen(white=1.0, texture=0.5, elongation=2.0)])
def test_probabilities_add_up_and_the_first_hypothesis_is_free(appearance: Appearance | None) -> None:
    bodies = propose_bodies(appearance)
    assert math.fsum(body.probability for body in bodies) == pytest.approx(1.0)
    assert bodies[0].label is None
    assert bodies[0].diameter is None
    assert [body.label for body in bodies[1:]] == list(load_catalogue())


@given(st.dictionaries(st.sampled_from(COLOURS), st.floats(0.0, 1.0), max_size=5), st.floats(0.0, 1.0), st.floats(1.0, 5.0))
def test_no_look_settles_what_an_object_is(colours: dict[str, float], texture: float, elongation: float) -> None:
    bodies = propose_bodies(seen(texture, elongation, **colours))
    assert bodies[0].probability > 0.15
    assert max(body.probability for body in bodies[1:]) < 0.5


def test_looks_that_were_not_measured_change_nothing() -> None:
    nothing = seen(math.nan, math.nan)
    ratio = {label: p / by_label(propose_bodies(None))[label] for label, p in by_label(propose_bodies(nothing)).items() if label is not None}
    assert max(ratio.values()) == pytest.approx(min(ratio.values()))


def test_the_right_colour_speaks_for_a_ball() -> None:
    plain = by_label(propose_bodies(None))["tennis ball"]
    assert by_label(propose_bodies(seen(yellow=0.5, green=0.5)))["tennis ball"] > 2.0 * plain
    assert by_label(propose_bodies(seen(blue=1.0)))["tennis ball"] < plain


def test_what_is_not_round_is_hardly_a_ball() -> None:
    disc, stick = propose_bodies(seen(yellow=1.0)), propose_bodies(seen(yellow=1.0, elongation=3.0))
    assert stick[0].probability > 1.5 * disc[0].probability


@pytest.mark.parametrize("colours", YELLOW_GREEN)
@pytest.mark.parametrize("diameter", [measured(0.067), measured(0.066, 0.02), measured(0.064, 0.06)])
def test_a_yellow_green_ball_of_its_size_is_a_tennis_ball(colours: dict[str, float], diameter: Quantity) -> None:
    assert after_size(seen(**colours), diameter)["tennis ball"] > 0.5


@pytest.mark.parametrize("share", [0.01, 0.03, 0.1])
def test_an_orange_toy_ball_is_not_surely_a_table_tennis_ball(share: float) -> None:
    assert by_label(propose_bodies(seen(orange=0.8, red=0.2)))["table tennis ball"] < 0.15, "by colour alone"
    assert after_size(seen(orange=0.8, red=0.2), measured(0.04, share))["table tennis ball"] <= 0.5, "by colour and size"


def test_drag_that_only_a_light_ball_has_can_make_it_sure() -> None:
    bodies = propose_bodies(seen(white=0.9, grey=0.1))
    evidences = size_evidences(bodies, measured(0.04))
    evidences[[body.label for body in bodies].index("table tennis ball")] += 4.0
    weighed = weigh_bodies(bodies, evidences, [measured(0.04), *(body.diameter for body in bodies[1:])])
    assert by_label(weighed)["table tennis ball"] > 0.9


@pytest.mark.parametrize("diameter", [0.012, 0.05, 0.12, 0.4])
def test_a_size_that_no_ball_has_leaves_no_label(diameter: float) -> None:
    assert after_size(seen(yellow=0.6, green=0.4), measured(diameter, 0.02))[None] > 0.8


def test_weighing_keeps_the_order_and_adds_up() -> None:
    bodies = propose_bodies(seen(white=1.0))
    weighed = weigh_bodies(bodies, size_evidences(bodies, measured(0.0738, 0.03)))
    assert [body.label for body in weighed] == [body.label for body in bodies]
    assert math.fsum(body.probability for body in weighed) == pytest.approx(1.0)


def test_a_hypothesis_that_was_not_fitted_loses() -> None:
    bodies = propose_bodies(None)[:3]
    weighed = weigh_bodies(bodies, [0.0, math.nan, -math.inf])
    assert [body.probability for body in weighed] == pytest.approx([1.0, 0.0, 0.0])


def test_without_any_evidence_the_looks_stand() -> None:
    bodies = propose_bodies(seen(red=1.0))
    assert weigh_bodies(bodies, [math.nan] * len(bodies)) == bodies


def test_a_common_offset_of_the_evidences_changes_nothing() -> None:
    bodies = propose_bodies(seen(yellow=1.0))
    evidences = size_evidences(bodies, measured(0.067))
    shifted = weigh_bodies(bodies, [value - 1e5 for value in evidences])
    assert [b.probability for b in shifted] == pytest.approx([b.probability for b in weigh_bodies(bodies, evidences)], abs=1e-6)


def test_a_law_that_gives_an_object_its_size_is_more_evident_than_one_that_does_not() -> None:
    bodies = propose_bodies(seen(orange=0.7, brown=0.3))
    right, wrong = (joint_log_evidence(bodies, size_evidences(bodies, measured(d)), measured(d)) for d in (0.243, 0.15))
    free = size_evidences(bodies, measured(0.243))[0] - size_evidences(bodies, measured(0.15))[0]
    assert right - wrong > free + 0.5


def test_joint_evidence_shifts_with_a_common_offset_and_is_the_evidence_where_all_agree() -> None:
    bodies = propose_bodies(seen(white=1.0))
    assert joint_log_evidence(bodies, [-7.0] * len(bodies)) == pytest.approx(-7.0)
    evidences = size_evidences(bodies, measured(0.067))
    assert joint_log_evidence(bodies, [e + 100.0 for e in evidences]) == pytest.approx(joint_log_evidence(bodies, evidences) + 100.0)
    assert joint_log_evidence(bodies, [math.nan] * len(bodies)) == -math.inf


def test_evidences_that_do_not_match_the_bodies_are_refused() -> None:
    bodies = propose_bodies(None)
    with pytest.raises(ValueError, match="weigh_bodies"):
        weigh_bodies(bodies, [0.0])
    with pytest.raises(ValueError, match="weigh_bodies"):
        weigh_bodies(bodies[1:], [0.0] * (len(bodies) - 1))


def test_the_unlabelled_body_gets_the_mass_of_its_measured_size() -> None:
    bodies = propose_bodies(None)[:2]
    weighed = weigh_bodies(bodies, [0.0, -50.0], [measured(0.1), None])
    assert weighed[0].diameter == measured(0.1)
    assert weighed[0].mass == body_from_size(measured(0.1)).mass


def test_the_users_word_settles_the_label() -> None:
    bodies = propose_bodies(seen(blue=1.0), label="Ping  Pong Ball")
    assert [(body.label, body.probability) for body in bodies] == [(None, 0.0), ("table tennis ball", 1.0)]
    weighed = weigh_bodies(bodies, [10.0, 0.0])
    assert name_body(weighed).label == "table tennis ball"
    assert weighed[1].probability == 1.0


def test_an_unknown_label_is_answered_with_close_ones() -> None:
    with pytest.raises(UsageError, match=r"tenis bal.*tennis ball"):
        propose_bodies(None, label="tenis bal")
    with pytest.raises(UsageError, match="ns objects"):
        find_ball("\x1b[2Jzzzz")


def test_the_users_mass_and_diameter_hold_for_all() -> None:
    mass, diameter = Quantity(0.0577, 0.0006, "kg", "user"), Quantity(0.067, 0.0007, "m", "user")
    bodies = propose_bodies(None, mass=mass, diameter=diameter)
    assert all(body.mass == mass and body.diameter == diameter for body in bodies)
    assert by_label(bodies)["tennis ball"] > 10.0 * by_label(propose_bodies(None))["golf ball"]
    assert by_label(bodies)["basketball"] < 1e-6


def test_catalogue_bodies_carry_their_regulation() -> None:
    tennis = next(body for body in propose_bodies(None) if body.label == "tennis ball")
    assert tennis.mass is not None
    assert tennis.diameter is not None
    assert tennis.mass.source == tennis.diameter.source == "catalogue"
    assert tennis.mass.value == pytest.approx(0.0577, rel=0.01)
    assert tennis.diameter.sigma < 0.03 * tennis.diameter.value


@pytest.mark.parametrize("ball", load_catalogue().values(), ids=lambda ball: ball.label)
def test_the_mass_by_size_and_density_covers_every_ball(ball: object) -> None:
    truth = load_catalogue()[ball.label]  # type: ignore[attr-defined]
    mass = body_from_size(Quantity(truth.diameter.middle, 0.02 * truth.diameter.middle, "m", "measured")).mass
    assert mass is not None
    # In the logarithm, where the belief is normal: within two and a half sigma.
    spread = math.sqrt(math.log1p((mass.sigma / mass.value) ** 2))
    median = mass.value * math.exp(-0.5 * spread**2)
    assert abs(math.log(truth.mass.middle / median)) < 2.5 * spread


def test_a_vaguer_size_or_shape_gives_a_vaguer_mass() -> None:
    sharp, vague = body_from_size(measured(0.1, 0.01)), body_from_size(measured(0.1, 0.2))
    stick = body_from_size(measured(0.1, 0.01), seen(elongation=4.0))
    assert sharp.mass is not None
    assert vague.mass is not None
    assert stick.mass is not None
    assert sharp.mass.source == "derived"
    assert sharp.mass.sigma > sharp.mass.value, "density alone spreads over more than the mass itself"
    assert vague.mass.sigma > sharp.mass.sigma
    assert stick.mass.sigma > sharp.mass.sigma


def test_a_bob_of_the_same_size_weighs_more_than_a_thing_thrown() -> None:
    thrown = body_from_size(measured(0.1)).mass
    bob = body_from_size(measured(0.1), density=assumed_density(FORCE_MODELS["pendulum"])).mass
    assert thrown is not None
    assert bob is not None
    assert bob.value > 2.0 * thrown.value


def part(label: str | None, probability: float, mass: Quantity | None) -> Body:
    return Body(label=label, probability=probability, diameter=Quantity(0.1, 0.01, "m", "measured"), mass=mass)


def test_a_mixture_has_the_moments_of_its_parts() -> None:
    bodies = [part(None, 0.25, Quantity(1.0, 0.3, "kg", "derived")), part("golf ball", 0.75, Quantity(2.0, 0.1, "kg", "catalogue"))]
    mixed = mix_quantity(bodies, "mass")
    assert mixed is not None
    assert mixed.value == pytest.approx(1.75)
    assert mixed.sigma**2 == pytest.approx(0.25 * (0.09 + 0.75**2) + 0.75 * (0.01 + 0.25**2))
    assert mixed.source == "derived"


def test_a_mixture_with_a_part_that_is_unknown_is_unknown() -> None:
    assert mix_quantity([part(None, 0.25, None), part("golf ball", 0.75, Quantity(2.0, 0.1, "kg", "catalogue"))], "mass") is None
    assert mix_quantity([part(None, 0.0, None), part("golf ball", 1.0, Quantity(2.0, 0.1, "kg", "catalogue"))], "mass") is not None


def test_a_sure_label_brings_its_mass() -> None:
    bodies = [part(None, 0.3, Quantity(2.0, 1.0, "kg", "derived")), part("golf ball", 0.7, Quantity(1.0, 0.1, "kg", "catalogue"))]
    assert name_body(bodies) == bodies[1]


def test_an_unsure_label_comes_with_the_mass_of_all() -> None:
    light, heavy = Quantity(1.0, 0.1, "kg", "catalogue"), Quantity(3.0, 0.1, "kg", "catalogue")
    bodies = [part(None, 0.3, light), part("golf ball", 0.4, light), part("baseball", 0.3, heavy)]
    named = name_body(bodies)
    assert (named.label, named.probability) == ("golf ball", 0.4)
    assert named.mass == mix_quantity(bodies, "mass")
    assert named.mass is not None
    assert named.mass.sigma > 0.5


def test_no_label_is_given_when_no_kind_is_likelier() -> None:
    mass = Quantity(1.0, 0.1, "kg", "catalogue")
    named = name_body([part(None, 0.4, mass), part("golf ball", 0.35, mass), part("baseball", 0.25, mass)])
    assert (named.label, named.probability) == (None, 0.4)


def test_a_kicked_ball_has_passed_the_drag_crisis_and_a_tossed_one_has_not() -> None:
    soccer = next(body for body in propose_bodies(None) if body.label == "soccer ball")
    slow, fast = (at_speed(soccer, speed, 0.22).drag_coefficient for speed in (3.0, 28.0))
    assert slow is not None
    assert fast is not None
    assert fast.value < 0.7 * slow.value
    assert replace(at_speed(soccer, 28.0, 0.22), drag_coefficient=None) == replace(soccer, drag_coefficient=None)
