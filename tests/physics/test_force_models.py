"""Contracts that every registered force pattern keeps, and the physics that each one claims, derived anew from its Lagrangian."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import sympy as sp

from newtonscheme.physics.force import ForceModel, Symmetry
from newtonscheme.physics.integration import solve_one
from newtonscheme.physics.models import FAMILIES, FORCE_MODELS, PATTERNS
from newtonscheme.physics.symmetry import charge_gradient, charge_imbalance
from newtonscheme.types import Floats, Sighting

N_DRAWS = 25
Draw = dict[str, float]
CHARGES = [(pattern, symmetry.name) for pattern, model in FORCE_MODELS.items() for symmetry in model.symmetries]


def draw_values(pattern: str, n: int = N_DRAWS, seed: int = 0) -> list[Draw]:
    rng = np.random.default_rng(seed)
    return [dict(FORCE_MODELS[pattern].draw(rng).values) for _ in range(n)]


def without_losses(values: Mapping[str, float]) -> Draw:
    """The same motion with nothing that takes energy out of it."""
    return {name: 0.0 if name == "air_density" or "damping" in name else value for name, value in values.items()}


def move(model: ForceModel, values: Draw, duration: float = 1.2, n: int = 400) -> tuple[Floats, Floats]:
    t = np.linspace(0.0, duration, n)
    states, failure = solve_one(model, values, t)
    assert failure == ""
    return t, states


def symmetry_of(pattern: str, charge: str) -> Symmetry:
    return next(symmetry for symmetry in FORCE_MODELS[pattern].symmetries if symmetry.name == charge)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_model_says_everything_that_it_must(pattern: str) -> None:
    model = FORCE_MODELS[pattern]
    assert len(model.summary) > 10
    assert model.family in FAMILIES
    assert {q.initial for q in model.parameters if q.initial is not None} <= set(model.state)
    names = [q.name for q in model.parameters]
    assert len(set(names)) == len(names)
    for q in model.parameters:
        assert q.lower <= q.prior_value <= q.upper
        assert q.prior_sigma > 0
        assert q.unit
        assert q.scale == "linear" or q.lower > 0


@pytest.mark.parametrize("pattern", PATTERNS)
def test_drawn_truths_lie_inside_the_bounds_and_repeat_with_their_seed(pattern: str) -> None:
    draws = draw_values(pattern, 100)
    assert draws == draw_values(pattern, 100)
    for q in FORCE_MODELS[pattern].parameters:
        drawn = np.array([values[q.name] for values in draws])
        assert np.all((drawn >= q.lower) & (drawn <= q.upper))
        assert q.name.endswith("z") or np.ptp(drawn) > 0
    assert all(FORCE_MODELS[pattern].draw(np.random.default_rng(seed)).duration > 0 for seed in range(20))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_function_takes_one_state_or_a_batch(pattern: str) -> None:
    model, draws = FORCE_MODELS[pattern], draw_values(pattern, 6)
    single = [model.initial_state(values) for values in draws]
    assert all(y.shape == (len(model.state),) for y in single)
    together = {name: np.array([values[name] for values in draws]) for name in draws[0]}
    batch = model.initial_state(together)
    np.testing.assert_array_equal(batch, np.array(single))
    deep = {name: value[:, None] for name, value in together.items()}
    for function, width in ((model.rhs, len(model.state)), (lambda t, y, p: model.position(y, p), 3), (lambda t, y, p: model.energy(y, p), None)):
        alone = np.array([function(0.1, y, values) for y, values in zip(single, draws, strict=True)])
        assert alone.shape == ((6,) if width is None else (6, width))
        np.testing.assert_allclose(function(0.1, batch, together), alone, rtol=1e-12)
        np.testing.assert_allclose(function(0.1, np.stack([batch] * 4, axis=1), deep)[:, 2], alone, rtol=1e-12)
    for name, (value, unit) in model.report(together).items():
        assert unit
        alone = np.array([float(model.report(values)[name][0]) for values in draws])
        np.testing.assert_allclose(np.broadcast_to(value, (6,)), alone, rtol=1e-9, atol=1e-12)
    assert np.all(np.asarray(model.time_scale(together)) > 0)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_prepared_constants_change_nothing(pattern: str) -> None:
    model = FORCE_MODELS[pattern]
    for values in draw_values(pattern, 5):
        y = model.initial_state(values)
        np.testing.assert_allclose(model.rhs(0.0, y, {**values, **model.prepare(values)}), model.rhs(0.0, y, values), rtol=1e-12)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_energy_never_rises(pattern: str) -> None:
    model = FORCE_MODELS[pattern]
    for values in draw_values(pattern):
        _, states = move(model, values)
        energy = model.energy(states, values)
        assert np.all(np.diff(energy) <= 1e-8 * np.ptp(energy) + 1e-10)
        assert energy[-1] < energy[0]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_energy_is_constant_without_air_and_damping(pattern: str) -> None:
    model = FORCE_MODELS[pattern]
    for values in draw_values(pattern):
        kept = without_losses(values)
        _, states = move(model, kept)
        energy, speed = model.energy(states, kept), np.abs(states[:, len(model.state) // 2 :]).max()
        assert np.ptp(energy) <= 1e-8 * (speed**2 + np.abs(energy).max())


@pytest.mark.parametrize(("pattern", "charge"), CHARGES)
def test_a_charge_changes_by_its_balance_and_by_nothing_else(pattern: str, charge: str) -> None:
    model, symmetry = FORCE_MODELS[pattern], symmetry_of(pattern, charge)
    for values in draw_values(pattern):
        t, states = move(model, values, n=2000)
        imbalance = charge_imbalance(symmetry, t, states, values)
        charges = symmetry.charge(t, states, values)
        assert imbalance[0] == 0.0
        assert np.abs(imbalance).max() <= 1e-5 * (np.abs(charges).max() + 1.0)


@pytest.mark.parametrize(("pattern", "charge"), CHARGES)
def test_a_charge_notices_a_force_that_is_not_in_the_law(pattern: str, charge: str) -> None:
    model, symmetry = FORCE_MODELS[pattern], symmetry_of(pattern, charge)
    values = draw_values(pattern, 1)[0]
    t, states = move(model, values, n=2000)
    half = len(model.state) // 2
    pushed = states.copy()
    pushed[:, half:] += 0.3 * t[:, None]
    pushed[:, :half] += 0.15 * t[:, None] ** 2
    assert np.abs(charge_imbalance(symmetry, t, pushed, values)).max() > 100 * np.abs(charge_imbalance(symmetry, t, states, values)).max()


@pytest.mark.parametrize(("pattern", "charge"), CHARGES)
def test_the_gradient_of_a_charge_predicts_a_small_change(pattern: str, charge: str) -> None:
    model, symmetry = FORCE_MODELS[pattern], symmetry_of(pattern, charge)
    values = draw_values(pattern, 1)[0]
    t, states = move(model, values, n=50)
    shift = 1e-6 * np.random.default_rng(1).standard_normal(states.shape)
    change = symmetry.charge(t, states + shift, values) - symmetry.charge(t, states, values)
    gradient = charge_gradient(model, symmetry, t, states, values)
    np.testing.assert_allclose(np.sum(gradient * shift, axis=1), change, rtol=1e-3, atol=1e-9 * np.abs(gradient).max())


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_start_from_five_noisy_directions_is_finite(pattern: str) -> None:
    rng = np.random.default_rng(2)
    plane = np.column_stack([np.linspace(-0.1, 0.1, 5), [0.0, 0.02, 0.03, 0.02, 0.0]]) + 1e-3 * rng.standard_normal((5, 2))
    sighting = Sighting(t=np.arange(5) / 30, plane=plane, sigma=np.full(5, 1e-3), angular_radius=np.full(5, np.nan))
    starts = FORCE_MODELS[pattern].guess(sighting, {"g": 9.81})
    assert starts
    names = {q.name for q in FORCE_MODELS[pattern].parameters}
    for start in starts:
        assert set(start.values) <= names
        assert np.all(np.isfinite([*start.anchor, start.depth, *start.values.values()]))
        assert start.depth > 0


# The laws, from their Lagrangians. Generalised coordinates q, velocities w; a symmetry is (tau, xi, F): t -> t + eps tau, q -> q + eps xi,
# L dt -> L dt + eps dF. Noether's charge is dL/dw (xi - w tau) + L tau - F, and a force f makes it change by f (xi - w tau).

t, g, rho, m, D, CD = sp.symbols("t g rho m D C_D", positive=True)
VOLUME, AREA = sp.pi * D**3 / 6, sp.pi * D**2 / 4
INERTIA = m + rho * VOLUME / 2
NOETHER: dict[str, Any] = {
    "time translation": lambda n: (sp.Integer(-1), [0] * n, 0),
    "translation along x": lambda n: (sp.Integer(0), [1, 0, 0], 0),
    "vertical translation with Galilean boost": lambda n: (sp.Integer(0), [0, 1, 0], -t * (m - rho * VOLUME) * g),
}


def flight_law(lift: bool) -> dict[str, Any]:
    q, w = sp.symbols("x y z"), sp.symbols("vx vy vz")
    speed = sp.sqrt(sum(v**2 for v in w))
    force = [-rho * AREA * CD * speed * v / 2 for v in w]
    numbers = {g: "g", rho: "air_density", m: "mass", D: "diameter", CD: "drag_coefficient"}
    if lift:
        axis = sp.symbols("lift_x lift_y lift_z")
        magnus = sp.Matrix(axis).cross(sp.Matrix(w))
        force = [f + rho * AREA * speed * part / 2 for f, part in zip(force, magnus, strict=True)]
        numbers |= {symbol: symbol.name for symbol in axis}
    lagrangian = INERTIA * sum(v**2 for v in w) / 2 - (m - rho * VOLUME) * g * q[1]
    return {"q": q, "w": w, "L": lagrangian, "force": force, "per": INERTIA, "numbers": numbers}


def pendulum_law() -> dict[str, Any]:
    q, w = sp.symbols("theta"), sp.symbols("omega")
    length, gamma, b, f = sp.symbols("L gamma b f", positive=True)
    moment = INERTIA * length**2 + sp.Rational(2, 5) * m * (D / 2) ** 2
    lagrangian = moment * w**2 / 2 + (m - rho * VOLUME) * g * length * sp.cos(q)
    w2 = (m - rho * VOLUME) * g * length / moment
    sine = w / sp.sqrt(w**2 + w2 * (2 - 2 * sp.cos(q) + f**2))
    dry = 4 / sp.pi * w2 * f * (2 * sine - 4 * sine**3 / 3)
    torque = -moment * (2 * gamma * w + b * sp.Abs(w) * w + dry)
    numbers = {
        g: "g", rho: "air_density", m: "mass", D: "diameter", length: "length", gamma: "damping", b: "quadratic_damping", f: "dry_damping",
    }  # fmt: skip
    return {"q": (q,), "w": (w,), "L": lagrangian, "force": [torque], "per": moment / length**2, "numbers": numbers}


LAWS = {"free_fall": flight_law(lift=False), "curving_ball": flight_law(lift=True), "pendulum": pendulum_law()}


def evaluate(law: dict[str, Any], expressions: list[Any], time: float, state: Floats, values: Draw) -> Floats:
    """Expressions in the law's symbols at one state."""
    numbers = {symbol: values[name] for symbol, name in law["numbers"].items()}
    numbers |= dict(zip((*law["q"], *law["w"]), state, strict=True)) | {t: time}
    return np.array([float(sp.sympify(expression).subs(numbers)) for expression in expressions])


def random_states(model: ForceModel, pattern: str, n: int) -> list[tuple[float, Floats, Draw]]:
    rng = np.random.default_rng(3)
    return [(rng.uniform(0, 2), model.initial_state(v) + rng.normal(0, 1.0, len(model.state)), v) for v in draw_values(pattern, n, seed=4)]


def test_every_pattern_has_its_lagrangian_here() -> None:
    assert set(LAWS) == set(PATTERNS)
    assert {symmetry.symmetry for model in FORCE_MODELS.values() for symmetry in model.symmetries} <= set(NOETHER)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_equation_of_motion_is_lagranges(pattern: str) -> None:
    model, law = FORCE_MODELS[pattern], LAWS[pattern]
    hessian = sp.hessian(law["L"], law["w"])
    known = [sp.diff(law["L"], q) + f - sum(sp.diff(law["L"], w, p) * v for p, v in zip(law["q"], law["w"], strict=True))
             for q, w, f in zip(law["q"], law["w"], law["force"], strict=True)]  # fmt: skip
    accelerations = list(hessian.inv() * sp.Matrix(known))
    for time, state, values in random_states(model, pattern, 6):
        expected = np.concatenate([state[len(law["q"]) :], evaluate(law, accelerations, time, state, values)])
        np.testing.assert_allclose(model.rhs(time, state, values), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("pattern", "charge"), CHARGES)
def test_a_charge_and_its_balance_are_noethers(pattern: str, charge: str) -> None:
    model, law, symmetry = FORCE_MODELS[pattern], LAWS[pattern], symmetry_of(pattern, charge)
    q, w, lagrangian = law["q"], law["w"], law["L"]
    tau, xi, gauge = NOETHER[symmetry.symmetry](len(q))
    # What makes it a symmetry (tau and xi are constants here): tau dL/dt + xi dL/dq = dF/dt.
    invariance = tau * sp.diff(lagrangian, t) + sum(x * sp.diff(lagrangian, p) for x, p in zip(xi, q, strict=True)) - sp.diff(gauge, t)
    assert sp.simplify(invariance) == 0
    along = [x - v * tau for x, v in zip(xi, w, strict=True)]
    noether = sum(sp.diff(lagrangian, v) * a for v, a in zip(w, along, strict=True)) + lagrangian * tau - gauge
    spent = sum(f * a for f, a in zip(law["force"], along, strict=True))
    for time, state, values in random_states(model, pattern, 6):
        expected = evaluate(law, [noether / law["per"], spent / law["per"]], time, state, values)
        found = [float(symmetry.charge(time, state, values)), float(symmetry.balance(time, state, values))]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_energy_is_the_hamiltonian_over_the_inertia(pattern: str) -> None:
    model, law = FORCE_MODELS[pattern], LAWS[pattern]
    hamiltonian = sum(sp.diff(law["L"], v) * v for v in law["w"]) - law["L"]
    for time, state, values in random_states(model, pattern, 6):
        expected = evaluate(law, [hamiltonian / law["per"]], time, state, values)[0]
        assert float(model.energy(state, values)) == pytest.approx(expected, rel=1e-9, abs=1e-9)
