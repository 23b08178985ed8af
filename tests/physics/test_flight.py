"""Free flight and the curving ball against what every textbook says of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newtonscheme.physics.flight import air_acceleration, drag_length, effective_gravity
from newtonscheme.physics.force import ForceModel
from newtonscheme.physics.integration import solve_one
from newtonscheme.physics.models import FORCE_MODELS
from newtonscheme.physics.models.curving_ball import invert_lift_laws, spin_parameter
from newtonscheme.types import Floats, Sighting

FALL, CURVE = FORCE_MODELS["free_fall"], FORCE_MODELS["curving_ball"]
TENNIS = {"g": 9.81, "air_density": 1.2, "mass": 0.058, "diameter": 0.067, "drag_coefficient": 0.55}
THROWN = {"vx": 12.0, "vy": 9.0, "vz": -4.0}
component = st.floats(-30, 30)


def fly(values: dict[str, float], duration: float = 1.5, n: int = 60, model: ForceModel = FALL) -> tuple[Floats, Floats]:
    t = np.linspace(0, duration, n)
    states, failure = solve_one(model, values, t)
    assert failure == ""
    return t, states


def test_without_air_the_path_is_galileos_parabola() -> None:
    t, states = fly({**TENNIS, **THROWN, "air_density": 0.0})
    parabola = np.stack([12.0 * t, 9.0 * t - 0.5 * 9.81 * t**2, -4.0 * t], axis=-1)
    np.testing.assert_allclose(FALL.position(states, TENNIS), parabola, atol=1e-9)


def test_without_air_mass_and_size_do_not_matter() -> None:
    _, light = fly({**TENNIS, **THROWN, "air_density": 0.0})
    _, heavy = fly({**TENNIS, **THROWN, "air_density": 0.0, "mass": 5.8, "diameter": 0.2})
    np.testing.assert_array_equal(light, heavy)


def test_a_long_fall_ends_at_the_terminal_velocity() -> None:
    ball = {**TENNIS, "vx": 3.0, "vy": 0.0, "vz": 0.0}
    _, states = fly(ball, duration=30.0)
    volume, area = np.pi * 0.067**3 / 6, np.pi * 0.067**2 / 4
    terminal = np.sqrt(2 * (0.058 - 1.2 * volume) * 9.81 / (1.2 * area * 0.55))
    assert states[-1, 4] == pytest.approx(-terminal, rel=1e-6)
    assert abs(states[-1, 3]) < 1e-3


def test_a_fall_from_rest_in_air_follows_the_hyperbolic_tangent() -> None:
    ball = {**TENNIS, "vx": 0.0, "vy": 0.0, "vz": 0.0}
    t, states = fly(ball, duration=4.0)
    k, g = float(drag_length(ball)) * 0.55, float(effective_gravity(ball))
    np.testing.assert_allclose(states[:, 4], -np.sqrt(g / k) * np.tanh(np.sqrt(g * k) * t), rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(states[:, 1], -np.log(np.cosh(np.sqrt(g * k) * t)) / k, rtol=1e-8, atol=1e-9)


def test_a_body_as_heavy_as_its_air_floats() -> None:
    floating = {**TENNIS, "mass": 1.2 * np.pi * 0.067**3 / 6}
    assert float(effective_gravity(floating)) == pytest.approx(0.0, abs=1e-12)
    bubble = {**TENNIS, "mass": 1e-9}
    assert float(effective_gravity(bubble)) == pytest.approx(-2 * 9.81, rel=1e-3)  # half its air must come along: -2 g (Batchelor 1967)


@settings(max_examples=100, deadline=None)
@given(v=st.tuples(component, component, component), lift=st.tuples(*[st.floats(-1, 1)] * 3))
def test_the_magnus_force_does_no_work_and_drag_only_takes(v: tuple[float, ...], lift: tuple[float, ...]) -> None:
    y = np.array([0.0, 0.0, 0.0, *v])
    with_lift = {**TENNIS, "lift_x": lift[0], "lift_y": lift[1], "lift_z": lift[2]}
    magnus = air_acceleration(y, with_lift) - air_acceleration(y, TENNIS)
    speed = float(np.linalg.norm(v))
    assert magnus @ y[3:] == pytest.approx(0.0, abs=1e-12 * (1 + speed**3))
    assert np.linalg.norm(magnus) <= float(drag_length(TENNIS)) * speed**2 * np.linalg.norm(lift) * (1 + 1e-12) + 1e-12 * (1 + speed**2)
    drag = air_acceleration(y, TENNIS)
    assert drag @ y[3:] == pytest.approx(-float(drag_length(TENNIS)) * 0.55 * speed**3, rel=1e-9, abs=1e-300)


def test_backspin_lifts_topspin_dips_and_sidespin_curves() -> None:
    forward = {**TENNIS, "vx": 25.0, "vy": 0.0, "vz": 0.0, "lift_x": 0.0, "lift_y": 0.0, "lift_z": 0.0}
    ends = {
        name: fly({**forward, axis: size}, duration=0.6, model=CURVE)[1][-1]
        for name, axis, size in (("none", "lift_x", 0.0), ("back", "lift_z", 0.2), ("top", "lift_z", -0.2), ("left", "lift_y", 0.2))
    }
    assert ends["top"][1] < ends["none"][1] < ends["back"][1]
    # Spin up (y) and flight to the right (x): the force is along y x x = -z, to the left as the ball sees it.
    assert ends["left"][2] < ends["none"][2] == 0.0


@pytest.mark.parametrize("axis", ["lift_x", "lift_y", "lift_z"])
def test_a_curving_ball_becomes_a_free_fall_as_its_lift_goes(axis: str) -> None:
    _, plain = fly({**TENNIS, **THROWN})
    apart = []
    for lift in (1e-1, 1e-2, 1e-3, 0.0):
        values = {**TENNIS, **THROWN, "lift_x": 0.0, "lift_y": 0.0, "lift_z": 0.0, axis: lift}
        apart.append(np.abs(fly(values, model=CURVE)[1] - plain).max())
    assert apart[-1] == 0.0
    assert apart[0] > 1e-2
    assert apart[1] == pytest.approx(0.1 * apart[0], rel=0.2)
    assert apart[2] == pytest.approx(0.01 * apart[0], rel=0.2)


def test_doubling_the_mass_halves_what_air_does() -> None:
    y = np.array([0.0, 0.0, 0.0, 20.0, 5.0, 0.0])
    heavy = {**TENNIS, "mass": 2 * TENNIS["mass"]}
    assert np.allclose(air_acceleration(y, heavy), 0.5 * air_acceleration(y, TENNIS), rtol=0.01)
    _, one = fly({**TENNIS, **THROWN})
    _, two = fly({**heavy, **THROWN})
    assert two[-1, 0] > one[-1, 0] + 0.5


def test_what_is_reported_of_a_flight_is_the_launch() -> None:
    values = {**TENNIS, "vx": -3.0, "vy": 4.0, "vz": 0.0, "lift_x": 0.0, "lift_y": 0.0, "lift_z": -0.2}
    told = {name: float(value) for name, (value, _) in CURVE.report(values).items()}
    assert told["speed"] == pytest.approx(5.0)
    assert told["launch_angle_deg"] == pytest.approx(np.degrees(np.arctan2(4, 3)))  # above the horizon, whichever way it goes
    assert told["g"] == 9.81
    assert told["lift_coefficient"] == pytest.approx(0.2)
    assert told["lift_direction_deg"] == pytest.approx(0.0, abs=1e-9)  # flying to the left, spin along -z lifts
    values["lift_z"] = 0.2
    assert abs(float(CURVE.report(values)["lift_direction_deg"][0])) == pytest.approx(180.0)


def test_spin_along_the_flight_is_not_reported_as_lift() -> None:
    values = {**TENNIS, "vx": 20.0, "vy": 0.0, "vz": 0.0, "lift_x": 0.3, "lift_y": 0.0, "lift_z": 0.1}
    assert float(CURVE.report(values)["lift_coefficient"][0]) == pytest.approx(0.1)


def test_spin_grows_with_lift_and_both_laws_return_the_lift_that_they_were_given() -> None:
    spin = np.linspace(0.02, 0.5, 20)
    stepanek, nathan = spin / (2.02 * spin + 0.98), 1.12 * spin / (0.583 + 2.333 * spin)
    np.testing.assert_allclose(invert_lift_laws(stepanek)[0], spin, rtol=1e-9)
    np.testing.assert_allclose(invert_lift_laws(nathan)[1], spin, rtol=1e-9)
    growing = spin_parameter(np.linspace(0, 0.48, 60))
    assert np.all(np.diff(growing) >= 0)
    assert np.all(np.diff(growing[:35]) > 0)
    assert growing.max() <= 1.0  # both laws saturate: the spin is then only known from below


def test_a_start_has_the_depth_at_which_gravity_bends_the_path_as_seen() -> None:
    depth, t = 4.0, np.arange(20) / 30
    plane = np.column_stack([0.5 * t, 0.1 + 0.8 * t - 0.5 * 9.81 / depth * t**2])
    sighting = Sighting(t=t, plane=plane, sigma=np.full(20, 1e-4), angular_radius=np.full(20, np.nan))
    start = FALL.guess(sighting, {"g": 9.81})[0]
    assert start.depth == pytest.approx(depth, rel=1e-6)
    assert start.anchor == pytest.approx((0.0, 0.1), abs=1e-9)
    assert start.values["vx"] == pytest.approx(2.0)
    assert start.values["vy"] == pytest.approx(3.2)
