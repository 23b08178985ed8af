"""Noether's learning dynamics on toy losses: each law against plain gradient descent with momentum, step by step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from newtonscheme.learning.dynamics import NormTrace, charge_imbalance, equilibrium_angle, predict_squared_norm

DIMENSIONS = 20
Gradient = Callable[[np.ndarray, int], np.ndarray]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def scale_invariant_gradient(rng: np.random.Generator, noise: float = 0.0) -> Gradient:
    """Of 0.5 x'Ax - u'x on x = q / |q|, with gradient noise that keeps to the tangent of the sphere."""
    root = rng.standard_normal((DIMENSIONS, DIMENSIONS)) / np.sqrt(DIMENSIONS)
    matrix, pull = root @ root.T, rng.standard_normal(DIMENSIONS)

    def gradient(q: np.ndarray, step: int) -> np.ndarray:
        size = np.linalg.norm(q)
        x = q / size
        slope = matrix @ x - pull + noise * rng.standard_normal(DIMENSIONS)
        return (slope - x * (x @ slope)) / size

    return gradient


def descend(gradient: Gradient, q: np.ndarray, rates: np.ndarray, beta: float, decay: float) -> np.ndarray:
    """(n + 1, d) the weights of gradient descent with momentum, velocities kept as torch.optim.SGD keeps them."""
    course, buffer = [q], np.zeros_like(q)
    for step, rate in enumerate(rates):
        buffer = beta * buffer + gradient(course[-1], step) + decay * course[-1]
        course.append(course[-1] - rate * buffer)
    return np.array(course)


def trace_of(course: np.ndarray, rates: np.ndarray, beta: float, decay: float) -> NormTrace:
    norm = np.sum(course**2, axis=1)
    cosine = np.sum(course[1:] * course[:-1], axis=1) / np.sqrt(norm[1:] * norm[:-1])
    return NormTrace(norm, np.sum(np.diff(course, axis=0) ** 2, axis=1), cosine, rates, beta, decay)


@pytest.mark.parametrize(("rate", "beta", "decay"), [(0.1, 0.0, 0.0), (0.05, 0.5, 0.01), (0.02, 0.9, 0.05)])
def test_the_scale_charge_balances_at_every_step(rng: np.random.Generator, rate: float, beta: float, decay: float) -> None:
    rates = np.full(400, rate)
    course = descend(scale_invariant_gradient(rng, noise=0.3), rng.standard_normal(DIMENSIONS), rates, beta, decay)
    assert np.max(np.abs(charge_imbalance(trace_of(course, rates, beta, decay)))) < 1e-9


def test_the_scale_charge_balances_while_the_learning_rate_falls(rng: np.random.Generator) -> None:
    rates = 0.1 * np.linspace(1.0, 0.01, 300)
    course = descend(scale_invariant_gradient(rng), rng.standard_normal(DIMENSIONS), rates, 0.9, 0.02)
    assert np.max(np.abs(charge_imbalance(trace_of(course, rates, 0.9, 0.02)))) < 1e-8


def test_the_balance_fails_for_a_loss_without_the_symmetry(rng: np.random.Generator) -> None:
    rates = np.full(200, 0.05)
    course = descend(lambda q, _: q - 1.0, rng.standard_normal(DIMENSIONS), rates, 0.5, 0.01)
    assert np.max(np.abs(charge_imbalance(trace_of(course, rates, 0.5, 0.01)))) > 1e-2


def test_without_momentum_and_decay_the_squared_norm_grows_by_the_squared_step(rng: np.random.Generator) -> None:
    gradient = scale_invariant_gradient(rng)
    course = descend(gradient, rng.standard_normal(DIMENSIONS), np.full(50, 0.1), 0.0, 0.0)
    norm = np.sum(course**2, axis=1)
    grown = [0.01 * np.sum(gradient(q, 0) ** 2) for q in course[:-1]]
    np.testing.assert_allclose(np.diff(norm), grown, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(("rate", "beta", "decay", "tolerance"), [(0.01, 0.0, 0.0, 2e-4), (0.001, 0.5, 0.0, 2e-3), (0.05, 0.0, 0.01, 3e-2)])
def test_the_norm_follows_its_rmsprop_form_where_inertia_is_small(
    rng: np.random.Generator, rate: float, beta: float, decay: float, tolerance: float
) -> None:
    gradient = scale_invariant_gradient(rng)
    course = descend(gradient, rng.standard_normal(DIMENSIONS), np.full(1500, rate), beta, decay)
    size = np.linalg.norm(course, axis=1)
    at_unit_sphere = [np.sum(gradient(q / r, 0) ** 2) for q, r in zip(course[:-1], size[:-1], strict=True)]
    predicted = predict_squared_norm(float(size[0] ** 2), np.array(at_unit_sphere), rate, beta, decay)
    np.testing.assert_allclose(predicted, size**2, rtol=tolerance)


@pytest.mark.parametrize(("rate", "beta", "decay"), [(0.1, 0.0, 0.01), (0.1, 0.9, 0.01), (0.02, 0.9, 0.05), (0.05, 0.5, 0.02)])
def test_noisy_descent_settles_at_the_equilibrium_angle(rng: np.random.Generator, rate: float, beta: float, decay: float) -> None:
    rates = np.full(6000, rate)
    course = descend(scale_invariant_gradient(rng, noise=3.0), rng.standard_normal(DIMENSIONS), rates, beta, decay)
    turned = trace_of(course, rates, beta, decay).angle[3000:]
    assert np.sqrt(np.mean(turned**2)) == pytest.approx(equilibrium_angle(rate, beta, decay), rel=0.03)


def test_the_translation_charge_of_softmax_logits_decays_as_an_oscillator(rng: np.random.Generator) -> None:
    rate, beta, decay = 0.01, 0.5, 0.02
    target = np.exp(rng.standard_normal(DIMENSIONS))
    target /= target.sum()

    def gradient(q: np.ndarray, _: int) -> np.ndarray:
        odds = np.exp(q - q.max())
        return odds / odds.sum() - target

    total = np.sum(descend(gradient, 1.0 + rng.standard_normal(DIMENSIONS), np.full(3000, rate), beta, decay), axis=1)
    mass, friction = 0.5 * rate * (1 + beta), 1 - beta
    predicted = (-friction + np.sqrt(friction**2 - 4 * mass * decay)) / (2 * mass)
    measured = np.polyfit(rate * np.arange(1000, 3001), np.log(np.abs(total[1000:])), 1)[0]
    assert measured == pytest.approx(predicted, rel=1e-3)


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_the_rescale_charge_of_a_linear_pair_drifts_by_its_kinetic_source(rng: np.random.Generator, beta: float) -> None:
    rate, steps = 0.01, 500
    x = rng.standard_normal((50, 2))
    y = x @ np.array([2.0, -1.0])

    def gradient(q: np.ndarray, _: int) -> np.ndarray:
        error = x @ q[:2] * q[2] - y
        return np.append(q[2] * (error @ x), error @ (x @ q[:2])) / len(x)

    course = descend(gradient, np.array([1.0, 0.7, 0.2]), np.full(steps, rate), beta, 0.0)
    sign = np.array([1.0, 1.0, -1.0])
    charge, velocity = course**2 @ sign, np.diff(course, axis=0)
    source = velocity**2 @ sign
    gained, before = np.diff(charge)[1:], np.diff(charge)[:-1]
    np.testing.assert_allclose(gained - beta * before, source[1:] + beta * source[:-1], atol=1e-13)
    assert abs(charge[-1] - charge[0]) > 1e-4
