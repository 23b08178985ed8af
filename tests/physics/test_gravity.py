"""Gravity at a place: published values, and an uncertainty that covers what is not known."""

from __future__ import annotations

import math

import pytest

from newtonscheme.errors import UsageError
from newtonscheme.physics.gravity import gravity_at, normal_gravity


def test_equator_and_pole_are_those_of_the_reference_system() -> None:
    # Moritz 1980, Geodetic Reference System 1980: derived physical constants.
    assert normal_gravity(0.0) == pytest.approx(9.7803267715, abs=1e-10)
    assert normal_gravity(90.0) == pytest.approx(9.8321863685, abs=1e-8)


def test_the_closed_formula_agrees_with_the_published_series() -> None:
    # Moritz 1980: g = g_e (1 + 0.0052790414 s^2 + 0.0000232718 s^4 + 0.0000001262 s^6 + 0.0000000007 s^8), to 1e-3 um/s^2.
    for latitude in (0.0, 17.0, 45.0, 63.5, 90.0):
        s = math.sin(math.radians(latitude)) ** 2
        series = 9.7803267715 * (1.0 + 0.0052790414 * s + 0.0000232718 * s**2 + 0.0000001262 * s**3 + 0.0000000007 * s**4)
        assert normal_gravity(latitude) == pytest.approx(series, abs=2e-9)


def test_both_hemispheres_weigh_the_same() -> None:
    assert gravity_at(-33.9, 20.0) == gravity_at(33.9, 20.0)


def test_gravity_falls_by_the_free_air_gradient() -> None:
    # 3.086e-6 1/s^2 near the ground at middle latitudes.
    fall = gravity_at(45.0, 0.0).value - gravity_at(45.0, 1000.0).value
    assert fall == pytest.approx(3.086e-3, rel=0.002)


@pytest.mark.parametrize(
    ("latitude", "height", "measured"),
    [
        (48.83, 66.0, 9.80926),  # Sevres, BIPM (IGSN71)
        (52.38, 87.0, 9.81260),  # Potsdam (IGSN71)
    ],
)
def test_measured_gravity_lies_within_three_sigma(latitude: float, height: float, measured: float) -> None:
    g = gravity_at(latitude, height)
    assert abs(g.value - measured) < 3.0 * g.sigma


def test_an_unknown_place_covers_the_whole_earth() -> None:
    g = gravity_at()
    assert g.source == "assumed"
    assert g.value == 9.80665
    for latitude in (0.0, 30.0, 60.0, 90.0):
        assert abs(normal_gravity(latitude) - g.value) < 2.0 * g.sigma


def test_what_is_known_makes_gravity_surer() -> None:
    assert gravity_at(50.0, 100.0).sigma < gravity_at(50.0).sigma < gravity_at().sigma


@pytest.mark.parametrize(("latitude", "height"), [(91.0, 0.0), (-90.1, 0.0), (math.nan, 0.0), (0.0, 1e6), (0.0, math.nan), (None, -1e4)])
def test_a_place_that_is_none_on_earth_is_refused(latitude: float | None, height: float) -> None:
    with pytest.raises(UsageError, match=r"--latitude|--height"):
        gravity_at(latitude, height)
