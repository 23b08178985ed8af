"""The fast batch integrator agrees with the oracle, and neither fails silently."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ellipk

from newtonscheme.physics.force import ForceModel
from newtonscheme.physics.integration import solve_many, solve_one
from newtonscheme.physics.models import FORCE_MODELS, PATTERNS
from newtonscheme.types import Floats

FRAMES = np.arange(75) / 30.0
BALL = {"g": 9.81, "air_density": 1.2, "mass": 0.058, "diameter": 0.067, "drag_coefficient": 0.55, "vx": 12.0, "vy": 9.0, "vz": -4.0}


def draws(pattern: str, n: int, seed: int = 0) -> list[dict[str, float]]:
    rng = np.random.default_rng(seed)
    return [dict(FORCE_MODELS[pattern].draw(rng).values) for _ in range(n)]


def reversed_in_time(model: ForceModel) -> ForceModel:
    """The same motion with the clock running backwards: an independent way to times before the start."""
    return replace(model, rhs=lambda t, y, p: -model.rhs(-t, y, p))


def places(pattern: str, states: Floats, values: dict[str, float]) -> Floats:
    return FORCE_MODELS[pattern].position(states, values)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_batch_integrator_agrees_with_dop853(pattern: str) -> None:
    for values in draws(pattern, 12):
        many, (one, failure) = solve_many(FORCE_MODELS[pattern], values, FRAMES)[0], solve_one(FORCE_MODELS[pattern], values, FRAMES)
        assert failure == ""
        reach = np.ptp(places(pattern, one, values), axis=0).max()
        np.testing.assert_allclose(places(pattern, many, values), places(pattern, one, values), atol=1e-4 * reach)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_state_is_places_and_then_their_rates(pattern: str) -> None:
    model, rng = FORCE_MODELS[pattern], np.random.default_rng(4)
    for values in draws(pattern, 4):
        y = rng.normal(size=(5, len(model.state)))
        np.testing.assert_array_equal(model.rhs(0.0, y, values)[:, : y.shape[1] // 2], y[:, y.shape[1] // 2 :])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_times_before_the_start_are_the_motion_backwards(pattern: str) -> None:
    model, t = FORCE_MODELS[pattern], np.arange(-12, 20) / 30.0
    for values in draws(pattern, 8):
        many = solve_many(model, values, t)[0]
        back, failure = solve_one(reversed_in_time(model), values, -t[:12][::-1])
        forth, _ = solve_one(model, values, t[12:])
        assert failure == ""
        expected = places(pattern, np.concatenate([back[::-1], forth]), values)
        # Backwards a light ball is sped up by its drag, so the same steps are coarser.
        np.testing.assert_allclose(places(pattern, many, values), expected, atol=1e-3 * np.ptp(expected, axis=0).max())


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_batch_holds_what_each_of_its_members_would_alone(pattern: str) -> None:
    members = draws(pattern, 6, seed=1)
    together = {name: np.array([values[name] for values in members]) for name in members[0]}
    states = solve_many(FORCE_MODELS[pattern], together, FRAMES)
    assert states.shape == (6, len(FRAMES), len(FORCE_MODELS[pattern].state))
    for batched, values in zip(states, members, strict=True):
        alone = solve_one(FORCE_MODELS[pattern], values, FRAMES)[0]
        reach = np.ptp(places(pattern, alone, values), axis=0).max()
        np.testing.assert_allclose(places(pattern, batched, values), places(pattern, alone, values), atol=2e-3 * reach)


def test_uneven_times_change_nothing() -> None:
    values = draws("pendulum", 1)[0]
    t = np.sort(np.random.default_rng(0).uniform(0, 2.5, 40))
    np.testing.assert_allclose(solve_many(FORCE_MODELS["pendulum"], values, t)[0], solve_one(FORCE_MODELS["pendulum"], values, t)[0], atol=1e-4)


def test_all_times_before_the_start_or_the_start_alone_are_served() -> None:
    before = solve_many(FORCE_MODELS["free_fall"], BALL, np.array([-0.5, -0.25]))
    assert before.shape == (1, 2, 6)
    # Gravity and drag run backwards: it was lower and faster.
    assert before[0, 0, 1] < before[0, 1, 1] < 0
    np.testing.assert_allclose(solve_many(FORCE_MODELS["free_fall"], BALL, np.array([0.0]))[0, 0], [0, 0, 0, 12.0, 9.0, -4.0])


@pytest.mark.parametrize("diameter", [0.03, 0.04, 0.06, 0.1])
def test_a_light_ball_that_falls_from_rest_reaches_its_terminal_speed(diameter: float) -> None:
    """Its speed at the start says nothing of how soon the air turns it."""
    t = np.arange(1, 39) / 10.0
    light = {**BALL, "mass": 160.0 * np.pi * diameter**3 / 6.0, "diameter": diameter, "vx": 0.0, "vy": 0.0, "vz": 0.0}
    many, one = solve_many(FORCE_MODELS["free_fall"], light, t)[0], solve_one(FORCE_MODELS["free_fall"], light, t)[0]
    np.testing.assert_allclose(many[:, :3], one[:, :3], atol=1e-4 * np.ptp(one[:, 1]))


def test_a_member_that_runs_away_leaves_the_others_alone() -> None:
    t = np.arange(40) / 30.0
    wild = {name: np.array([value, value]) for name, value in BALL.items()} | {"vx": np.array([12.0, 1e6]), "drag_coefficient": np.array([0.55, 2.0])}
    with np.errstate(all="raise"):
        states = solve_many(FORCE_MODELS["free_fall"], wild, t)
    expected = solve_one(FORCE_MODELS["free_fall"], BALL, t)[0]
    np.testing.assert_allclose(states[0, :, :3], expected[:, :3], atol=2e-3)


def test_an_integration_that_cannot_go_on_says_so_and_keeps_what_it_reached() -> None:
    model = FORCE_MODELS["free_fall"]

    def explodes(t: float | Floats, y: Floats, p: object) -> Floats:
        dy = np.zeros_like(y)
        dy[..., 0] = y[..., 0] ** 2 + 1.0  # tan(t): infinite at pi/2
        return dy

    states, failure = solve_one(replace(model, rhs=explodes), BALL, np.linspace(0, 3, 31))
    assert "could not be integrated" in failure
    assert "\n" not in failure
    np.testing.assert_allclose(states[:10, 0], np.tan(np.linspace(0, 3, 31)[:10]), rtol=1e-6)
    assert np.all(np.isnan(states[-1]))


def test_no_times_give_no_states() -> None:
    states, failure = solve_one(FORCE_MODELS["free_fall"], BALL, np.empty(0))
    assert states.shape == (0, 6)
    assert failure == ""


@pytest.mark.parametrize("pattern", PATTERNS)
def test_one_late_time_is_as_exact_as_among_many(pattern: str) -> None:
    t = np.arange(900) / 30.0
    for values in draws(pattern, 4, seed=2):
        many = places(pattern, solve_many(FORCE_MODELS[pattern], values, t), values)[0]
        alone = places(pattern, solve_many(FORCE_MODELS[pattern], values, t[-1:]), values)[0]
        np.testing.assert_allclose(alone[0], many[-1], atol=1e-3 * np.ptp(many, axis=0).max())


def test_no_times_for_many_are_no_states_either() -> None:
    assert solve_many(FORCE_MODELS["free_fall"], BALL, np.empty(0)).shape == (1, 0, 6)


@pytest.mark.parametrize("amplitude", [0.1, 1.0, 2.5])
def test_a_swing_without_losses_keeps_its_energy_over_ten_periods(amplitude: float) -> None:
    model = FORCE_MODELS["pendulum"]
    lossless = {"damping": 0.0, "quadratic_damping": 0.0, "dry_damping": 0.0, "theta": amplitude, "omega": 0.0}
    for drawn in draws("pendulum", 4):
        values = drawn | lossless
        period = 4.0 * model.time_scale(values) * ellipk(np.sin(0.5 * amplitude) ** 2)
        t = np.arange(1.0, round(10 * period * 60)) / 60.0
        height = model.energy(np.array([[0.0, 0.0]]), values)[0]
        last = len(t) // 10
        for states, drift, within in ((solve_many(model, values, t)[0], 2e-6, 2e-4), (solve_one(model, values, t)[0], 1e-8, 1e-8)):
            energy = model.energy(states, values)
            size = abs(energy[0] - height)
            assert abs(np.mean(energy[-last:]) - np.mean(energy[:last])) < drift * size
            assert np.ptp(energy) < within * size
