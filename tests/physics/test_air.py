"""Air: published densities, viscosities and sphere drag, and honest spreads where nothing was told."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newtonscheme.catalogue import load_catalogue
from newtonscheme.errors import UsageError
from newtonscheme.physics.air import air_density, drag_coefficient_prior, dynamic_viscosity, reynolds_number, sphere_drag_coefficient


def test_dry_air_of_the_standard_atmosphere() -> None:
    # US Standard Atmosphere 1976, sea level.
    assert air_density(15.0, 1013.25, 0.0).value == pytest.approx(1.225, rel=1e-3)
    assert dynamic_viscosity(15.0) == pytest.approx(1.7894e-5, rel=1e-4)


@pytest.mark.parametrize("t", [-10.0, 0.0, 20.0, 35.0])
@pytest.mark.parametrize("h", [0.0, 0.5, 1.0])
def test_the_short_formula_agrees_with_the_gas_law(t: float, h: float) -> None:
    # Dry air and vapour as ideal gases, saturation by Magnus's formula (Alduchov and Eskridge 1996).
    vapour = h * 610.94 * math.exp(17.625 * t / (t + 243.04))
    ideal = (101325.0 - vapour) / (287.058 * (t + 273.15)) + vapour / (461.495 * (t + 273.15))
    assert air_density(t, 1013.25, h).value == pytest.approx(ideal, rel=3e-3)


def test_hot_humid_and_high_air_is_thin() -> None:
    base = air_density(20.0, 1013.25, 0.5).value
    assert air_density(30.0, 1013.25, 0.5).value < base
    assert air_density(20.0, 950.0, 0.5).value < base
    assert air_density(20.0, 1013.25, 1.0).value < base
    assert air_density(20.0, height_m=1600.0).value == pytest.approx(base * 0.824, rel=0.01)


def test_untold_air_covers_a_warm_hall_and_a_cold_field() -> None:
    assumed = air_density()
    assert assumed.source == "assumed"
    for told in (air_density(30.0, 990.0, 0.8), air_density(5.0, 1030.0, 0.3)):
        assert told.source == "derived"
        assert abs(told.value - assumed.value) < 2.0 * assumed.sigma
        assert told.sigma < 0.2 * assumed.sigma


@pytest.mark.parametrize(
    "told", [{"temperature_c": 300.0}, {"temperature_c": math.nan}, {"pressure_hpa": 101325.0}, {"pressure_hpa": 1.013}, {"humidity": 50.0}]
)
def test_air_that_cannot_be_is_refused(told: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        air_density(**told)


def test_a_slow_sphere_has_stokes_drag() -> None:
    assert sphere_drag_coefficient(0.01) * 0.01 == pytest.approx(24.0, rel=0.005)
    assert np.isfinite(sphere_drag_coefficient(0.0))


@pytest.mark.parametrize(
    ("reynolds", "measured", "within"),
    # Standard drag curve of the textbooks, to the tenth that they agree to; past the crisis Achenbach 1972.
    [(1.0, 27.2, 0.12), (10.0, 4.15, 0.1), (100.0, 1.087, 0.1), (1e3, 0.471, 0.1), (1e4, 0.405, 0.1), (1e5, 0.5, 0.2), (4e5, 0.09, 0.4)],
)
def test_the_sphere_follows_the_standard_drag_curve(reynolds: float, measured: float, within: float) -> None:
    assert sphere_drag_coefficient(reynolds) == pytest.approx(measured, rel=within)


@given(st.floats(0.0, 1e6))
def test_sphere_drag_is_positive_and_finite(reynolds: float) -> None:
    value = float(sphere_drag_coefficient(reynolds))
    assert 0.0 < value < np.inf


def test_reynolds_number_of_a_thrown_ball() -> None:
    # 10 m/s and 22 cm in air of 1.5e-5 m^2/s.
    assert reynolds_number(10.0, 0.22) == pytest.approx(1.46e5, rel=0.03)
    assert reynolds_number([1.0, -1.0], 0.1).shape == (2,)


@pytest.mark.parametrize("label", list(load_catalogue()))
def test_the_drag_prior_stays_within_the_published_ranges(label: str) -> None:
    ball = load_catalogue()[label]
    lowest = ball.drag.subcritical.low if ball.drag.supercritical is None else ball.drag.supercritical.low
    for speed in (0.0, 1.0, 5.0, 12.0, 30.0, 60.0):
        prior = drag_coefficient_prior(ball, speed, ball.diameter.middle)
        assert lowest < prior.value < ball.drag.subcritical.high
        assert 0.02 < prior.sigma < 0.5 * prior.value + 0.1


def test_the_prior_is_widest_inside_the_drag_crisis() -> None:
    ball = load_catalogue()["soccer ball"]
    slow, critical, fast = (drag_coefficient_prior(ball, speed, 0.22) for speed in (3.0, 12.0, 35.0))
    assert slow.value > critical.value > fast.value
    assert critical.sigma > max(slow.sigma, fast.sigma)


def test_the_prior_of_a_soccer_ball_contains_its_measured_curve() -> None:
    # Goff and Carre 2010, fit to wind-tunnel data: CD = 0.155 + 0.346 / (1 + exp((v - 12.19)/1.309)).
    ball = load_catalogue()["soccer ball"]
    for speed in (5.0, 8.0, 12.0, 15.0, 20.0, 30.0):
        prior = drag_coefficient_prior(ball, speed, 0.22)
        measured = 0.155 + 0.346 / (1.0 + math.exp((speed - 12.19) / 1.309))
        assert abs(prior.value - measured) < 2.0 * prior.sigma


def test_an_unknown_object_is_less_sure_than_a_known_ball() -> None:
    ball = load_catalogue()["tennis ball"]
    unknown, known = drag_coefficient_prior(None, 5.0, 0.067), drag_coefficient_prior(ball, 5.0, 0.067)
    assert unknown.sigma > known.sigma
    assert (unknown.source, known.source) == ("assumed", "catalogue")
