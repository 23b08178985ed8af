"""The pendulum against the small-angle formula, the elliptic integral, and what damping must do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.special import ellipk
from truths import rubbed

from newtonscheme.physics.integration import solve_one
from newtonscheme.physics.models import FORCE_MODELS
from newtonscheme.physics.models.pendulum import natural_frequency_squared
from newtonscheme.types import Floats, Sighting

MODEL = FORCE_MODELS["pendulum"]
IDEAL = {
    "g": 9.81, "air_density": 0.0, "mass": 0.5, "diameter": 1e-4, "theta": 0.02, "omega": 0.0, "length": 0.8, "damping": 0.0,
    "quadratic_damping": 0.0, "dry_damping": 0.0, "plane_angle": 0.0,
}  # fmt: skip


def swing(values: dict[str, float], duration: float, n: int = 4000) -> tuple[Floats, Floats]:
    t = np.linspace(0, duration, n)
    states, failure = solve_one(MODEL, values, t)
    assert failure == ""
    return t, states


def period_of(t: Floats, theta: Floats) -> float:
    """Mean time between crossings of the vertical in one direction, by linear interpolation."""
    i = np.flatnonzero((theta[:-1] < 0) & (theta[1:] >= 0))
    crossing = t[i] - theta[i] * (t[i + 1] - t[i]) / (theta[i + 1] - theta[i])
    return float((crossing[-1] - crossing[0]) / (len(crossing) - 1))


def told(values: dict[str, float]) -> dict[str, float]:
    return {name: float(value) for name, (value, _) in MODEL.report(values).items()}


def test_a_small_swing_takes_two_pi_root_length_over_g() -> None:
    t, states = swing(IDEAL, 20.0)
    expected = 2 * np.pi * np.sqrt(0.8 / 9.81)
    assert period_of(t, states[:, 0]) == pytest.approx(expected, rel=1e-4)
    assert told(IDEAL)["period"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("amplitude_deg", [5.0, 30.0, 60.0, 90.0, 135.0, 170.0])
def test_a_large_swing_takes_the_complete_elliptic_integral(amplitude_deg: float) -> None:
    """T = 4 sqrt(L/g) K(sin(amplitude / 2)) (Landau & Lifshitz, Mechanics, section 11, problem 1)."""
    values = {**IDEAL, "theta": np.radians(amplitude_deg)}
    expected = 4 * np.sqrt(0.8 / 9.81) * ellipk(np.sin(np.radians(amplitude_deg) / 2) ** 2)
    t, states = swing(values, 8 * expected)
    assert period_of(t, states[:, 0]) == pytest.approx(expected, rel=1e-6)
    assert told(values)["period"] == pytest.approx(expected, rel=1e-9)
    assert told(values)["amplitude_deg"] == pytest.approx(amplitude_deg, rel=1e-9)


def test_the_period_and_amplitude_are_the_same_wherever_in_the_swing_it_is_asked() -> None:
    values = {**IDEAL, "theta": 1.0}
    _, states = swing(values, 3.0, 50)
    for theta, omega in states:
        now = told({**values, "theta": theta, "omega": omega})
        assert now["amplitude_deg"] == pytest.approx(np.degrees(1.0), rel=1e-6)
        assert now["period"] == pytest.approx(told(values)["period"], rel=1e-6)


def test_viscous_damping_takes_the_amplitude_down_exponentially() -> None:
    gamma = 0.05
    t, states = swing({**IDEAL, "damping": gamma}, 20.0)
    turning = np.flatnonzero((np.diff(np.sign(states[:, 1])) != 0)[1:]) + 1
    peaks = np.abs(states[turning, 0])
    rate = np.polyfit(t[turning], np.log(peaks), 1)[0]
    assert rate == pytest.approx(-gamma, rel=1e-3)
    assert told({**IDEAL, "damping": gamma})["damping"] == gamma


def test_quadratic_damping_takes_four_thirds_b_a_squared_a_half_swing() -> None:
    """Energy lost in a half swing of small amplitude a is (4/3) b w^2 a^3, so a falls by (4/3) b a^2."""
    a, b = 0.1, 0.05
    half = np.pi * np.sqrt(0.8 / 9.81)
    _, states = swing({**IDEAL, "theta": a, "quadratic_damping": b}, 1.05 * half)
    assert a - np.abs(states[:, 0].min()) == pytest.approx(4 / 3 * b * a**2, rel=0.02)


def test_dry_friction_takes_the_same_from_every_half_swing() -> None:
    hold = 0.004
    _, states = swing({**IDEAL, "theta": 0.3, "dry_damping": hold}, 12.0)
    turning = np.flatnonzero((np.diff(np.sign(states[:, 1])) != 0)[1:]) + 1
    peaks = np.abs(states[turning, 0])
    np.testing.assert_allclose(np.diff(peaks), -2.0 * hold, rtol=0.03)


@pytest.mark.parametrize(("amplitude", "hold"), [(0.2, 0.002), (0.5, 0.01), (1.2, 0.02)])
def test_dry_friction_is_as_a_moment_that_turns_with_the_swing(amplitude: float, hold: float) -> None:
    """What its first two harmonics leave out moves the path by a twentieth of its angle at most, once the start is where it fits."""
    values = {**IDEAL, "theta": amplitude, "dry_damping": hold}
    t = np.linspace(0.0, 6.0, 400)
    truth = rubbed(values, t)
    assert abs(truth[-1]) > hold

    def apart(start: Floats) -> Floats:
        return np.asarray(solve_one(MODEL, {**values, "theta": start[0], "omega": start[1]}, t)[0][:, 0] - truth)

    fitted = least_squares(apart, [amplitude, 0.0], x_scale=[1e-3, 1e-3])
    assert np.max(np.abs(fitted.fun)) < 0.05 * hold
    np.testing.assert_allclose(fitted.x, [amplitude, 0.0], atol=hold * np.sqrt(natural_frequency_squared(values)))


def test_a_rubbed_bob_comes_to_rest() -> None:
    _, states = swing({**IDEAL, "theta": 0.05, "dry_damping": 0.01}, 20.0)
    assert np.all(np.abs(states[-400:, 0]) < 1e-6)


def test_mass_does_not_matter_to_an_ideal_pendulum() -> None:
    light, heavy = (swing({**IDEAL, "mass": mass, "theta": 1.0}, 2.0, 20)[1] for mass in (0.1, 10.0))
    np.testing.assert_array_equal(light, heavy)


def test_a_real_bob_is_slower_by_buoyancy_added_mass_and_its_own_inertia() -> None:
    """Nelson & Olsson (1986): buoyancy + rho/2 rho_b of the period, added mass + rho/4 rho_b, the sphere's inertia + R^2 / 5 L^2."""
    bob = {**IDEAL, "diameter": 0.1, "mass": 500 * np.pi * 0.1**3 / 6, "air_density": 1.2}
    share = 1.2 / 500
    longer = np.sqrt(natural_frequency_squared(IDEAL) / natural_frequency_squared(bob)) - 1.0
    assert longer == pytest.approx(share / 2 + share / 4 + 0.05**2 / (5 * 0.8**2), rel=0.02)


def test_the_bob_hangs_on_its_string_in_its_plane() -> None:
    values = {**IDEAL, "theta": 1.2, "plane_angle": 0.4}
    _, states = swing(values, 2.0, 100)
    place = MODEL.position(states, values)
    np.testing.assert_allclose(np.linalg.norm(place, axis=1), 0.8, rtol=1e-12)
    np.testing.assert_allclose(place @ [-np.sin(0.4), 0.0, np.cos(0.4)], 0.0, atol=1e-12)
    np.testing.assert_allclose(MODEL.position(np.zeros(2), values), [0.0, -0.8, 0.0], atol=1e-12)


@pytest.mark.parametrize("amplitude_deg", [8.0, 25.0, 60.0])
@pytest.mark.parametrize("periods", [0.7, 3.0])
def test_a_start_has_nearly_the_length_and_the_pivot(amplitude_deg: float, periods: float) -> None:
    values, depth = {**IDEAL, "theta": np.radians(amplitude_deg)}, 3.0
    t, states = swing(values, periods * told(values)["period"], 60)
    plane = MODEL.position(states, values)[:, :2] / depth + [0.05, 0.2]
    starts = MODEL.guess(Sighting(t=t, plane=plane, sigma=np.full(60, 1e-4), angular_radius=np.full(60, np.nan)), {"g": 9.81})
    errors = [abs(np.log(start.values["length"] / 0.8)) + abs(np.log(start.depth / depth)) for start in starts]
    assert min(errors) < 0.2
    best = starts[int(np.argmin(errors))]
    assert best.anchor == pytest.approx((0.05, 0.2), abs=0.05)
