"""Air as a moving body feels it: density, viscosity, and the drag coefficient of a ball at a speed.

Density: short form of the CIPM equation (OIML R 111-1:2004, E.3-1), rho = (0.34848 p - 0.009 h e^(0.061 t)) / (273.15 + t), p in hPa,
h in percent, t in degrees Celsius. Viscosity: Sutherland's law (US Standard Atmosphere 1976, equation 51). Drag of a smooth sphere:
Morrison 2013, "An Introduction to Fluid Mechanics" ("Data correlation for drag coefficient for sphere", 2016), up to Re 1e6.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ..catalogue import Ball, Drag, Interval, load_constants
from ..errors import UsageError
from ..types import Floats, Quantity, Source

TEMPERATURE_C = Interval(-100.0, 100.0)
PRESSURE_HPA = Interval(100.0, 1200.0)
"""Beyond every weather on record, with room for a mountain top: what the options allow."""
HUMIDITY = Interval(0.0, 1.0)
SMALLEST_REYNOLDS = 1e-3
"""Below it the drag is Stokes's and no ball in a picture is so slow: it keeps 24/Re finite at rest."""

ANY_DRAG = Drag(
    subcritical=Interval(0.38, 0.75),
    supercritical=Interval(0.10, 0.40),
    critical_reynolds=Interval(4.0e4, 4.0e5),
    source="spheres from smooth to dimpled, and roundish things with holes or edges",
)
"""For an object that is in no catalogue: a dimpled sphere passes the drag crisis from Re 4e4, a smooth one by 4e5 (Achenbach 1974)."""


def air_density(
    temperature_c: float | None = None, pressure_hpa: float | None = None, humidity: float | None = None, height_m: float | None = None
) -> Quantity:
    """Density of moist air (kg/m^3) with its uncertainty; what is not given is assumed, and its spread is in the sigma.

    Args:
        temperature_c: air temperature in degrees Celsius.
        pressure_hpa: pressure at the place (not reduced to sea level).
        humidity: relative humidity, 0 to 1.
        height_m: height above the sea, for the pressure where that is not given.

    Raises:
        UsageError: a value that air near the ground does not have.
    """
    constants = {name: q.value for name, q in load_constants("air").items()}
    t, t_sigma = _told(temperature_c, constants["told_temperature_sigma"], constants["temperature"], constants["temperature_sigma"])
    h, h_sigma = _told(humidity, 0.0, constants["humidity"], constants["humidity_sigma"])
    assumed = (constants["pressure"], constants["pressure_sigma"])
    if height_m is not None:
        assumed = (_pressure_at(height_m), constants["weather_sigma"])
    p, p_sigma = _told(pressure_hpa, constants["told_pressure_sigma"], *assumed)
    for name, value, allowed in (("--temperature", t, TEMPERATURE_C), ("--pressure", p, PRESSURE_HPA), ("humidity", h, HUMIDITY)):
        if not allowed.low <= value <= allowed.high:
            raise UsageError(f"{name}: found {value:g}, needed a value between {allowed.low:g} and {allowed.high:g}")
    density = _cipm_density(t, p, h)
    spreads = (
        _cipm_density(t + t_sigma, p, h) - density,
        _cipm_density(t, p + p_sigma, h) - density,
        _cipm_density(t, p, h + h_sigma) - density,
        constants["cipm_relative_sigma"] * density,
    )
    source: Source = "assumed" if temperature_c is None and pressure_hpa is None else "derived"
    return Quantity(density, math.hypot(*spreads), "kg/m^3", source)


def dynamic_viscosity(temperature_c: float | None = None) -> float:
    """Dynamic viscosity of air (Pa s) by Sutherland's law."""
    constants = load_constants("air")
    kelvin = (constants["temperature"].value if temperature_c is None else temperature_c) + constants["zero_celsius"].value
    return constants["sutherland_factor"].value * kelvin**1.5 / (kelvin + constants["sutherland_temperature"].value)


def reynolds_number(speed: ArrayLike, diameter: ArrayLike, density: float | None = None, temperature_c: float | None = None) -> Floats:
    """Re = rho v D / mu for speeds (m/s) and diameters (m) that broadcast."""
    rho = air_density(temperature_c).value if density is None else density
    return np.asarray(rho * np.abs(np.asarray(speed, dtype=float)) * np.asarray(diameter, dtype=float) / dynamic_viscosity(temperature_c))


def sphere_drag_coefficient(reynolds: ArrayLike) -> Floats:
    """Drag coefficient of a smooth sphere at a Reynolds number (Morrison 2013); fitted to data up to Re 1e6."""
    re = np.maximum(np.asarray(reynolds, dtype=float), SMALLEST_REYNOLDS)
    creeping = 24.0 / re
    wake = 2.6 * (re / 5.0) / (1.0 + (re / 5.0) ** 1.52)
    # The published form, 0.411 x^-7.94 / (1 + x^-8), times x^8 above and below: it would overflow for a slow ball.
    x = re / 2.63e5
    crisis = 0.411 * x**0.06 / (1.0 + x**8)
    turbulent = 0.25 * (re / 1e6) / (1.0 + re / 1e6)
    return np.asarray(creeping + wake + crisis + turbulent)


def drag_coefficient_prior(ball: Ball | None, speed: float, diameter: float, *, temperature_c: float | None = None) -> Quantity:
    """What is believed of a ball's drag coefficient at a typical speed (m/s) of its flight, before the flight is looked at.

    Below and above the drag crisis it is the published range; inside the crisis the mixture of both, by log Re. ``ball`` None is an
    object of no known kind.
    """
    drag = ANY_DRAG if ball is None else ball.drag
    below, above = drag.subcritical, drag.supercritical
    share = 0.0
    if above is not None and drag.critical_reynolds is not None:
        reynolds = max(float(reynolds_number(speed, diameter, temperature_c=temperature_c)), SMALLEST_REYNOLDS)
        first, last = math.log(drag.critical_reynolds.low), math.log(drag.critical_reynolds.high)
        share = min(1.0, max(0.0, (math.log(reynolds) - first) / (last - first)))
    end = below if above is None else above
    value = (1.0 - share) * below.middle + share * end.middle
    variance = (1.0 - share) * below.sigma**2 + share * end.sigma**2 + share * (1.0 - share) * (below.middle - end.middle) ** 2
    return Quantity(value, math.sqrt(variance), "1", "assumed" if ball is None else "catalogue")


def _told(value: float | None, told_sigma: float, assumed: float, assumed_sigma: float) -> tuple[float, float]:
    return (assumed, assumed_sigma) if value is None else (value, told_sigma)


def _cipm_density(t: float, p: float, h: float) -> float:
    constants = load_constants("air")
    vapour = constants["cipm_humidity_factor"].value * 100.0 * h * math.exp(constants["cipm_humidity_exponent"].value * t)
    return (constants["cipm_pressure_factor"].value * p - vapour) / (constants["zero_celsius"].value + t)


def _pressure_at(height_m: float) -> float:
    constants = load_constants("air")
    ratio = 1.0 - constants["isa_lapse_rate"].value * height_m / constants["isa_temperature"].value
    return constants["pressure"].value * max(ratio, 0.0) ** constants["isa_exponent"].value
