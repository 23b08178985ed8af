"""Gravity at a place: Somigliana's closed formula on the GRS80 ellipsoid and its fall with height.

g(phi) = gamma_e (1 + k sin^2 phi) / sqrt(1 - e^2 sin^2 phi),
g(phi, h) = g(phi) (1 - 2 (1 + f + m - 2 f sin^2 phi) h/a + 3 h^2/a^2)      (Moritz 1980; Heiskanen and Moritz 1967, 2-124)

with phi the geographic latitude and h the height above the ellipsoid, which differs from that above the sea by up to 100 m (3e-4 m/s^2).
"""

from __future__ import annotations

import math

from ..catalogue import load_constants
from ..errors import UsageError
from ..types import Quantity

UNIT = "m/s^2"
LATITUDE_LIMIT_DEG = 90.0
LOWEST_M, HIGHEST_M = -500.0, 11_000.0
"""From the shore of the Dead Sea to the top of the troposphere: what the options allow."""


def gravity_at(latitude_deg: float | None = None, height_m: float | None = None) -> Quantity:
    """Gravity with its uncertainty (m/s^2) at a latitude and a height, either of which may be unknown.

    With no latitude it is the standard value and its sigma covers every latitude (source "assumed").

    Raises:
        UsageError: the latitude or the height is none on Earth.
    """
    if latitude_deg is not None and not -LATITUDE_LIMIT_DEG <= latitude_deg <= LATITUDE_LIMIT_DEG:
        raise UsageError(f"--latitude: found {latitude_deg}, needed degrees between -90 and 90")
    if height_m is not None and not LOWEST_M <= height_m <= HIGHEST_M:
        raise UsageError(f"--height: found {height_m}, needed metres between {LOWEST_M:.0f} and {HIGHEST_M:.0f}")
    constants = load_constants("gravity")
    height = 0.0 if height_m is None else height_m
    height_sigma = constants["unknown_height_sigma"].value if height_m is None else 0.0
    if latitude_deg is None:
        value = constants["standard"].value + _fall_with_height(45.0, height)
        return Quantity(value, constants["unknown_place_sigma"].value, UNIT, "assumed")
    value = normal_gravity(latitude_deg) + _fall_with_height(latitude_deg, height)
    sigma = math.hypot(constants["anomaly_sigma"].value, _fall_with_height(latitude_deg, height_sigma))
    return Quantity(value, sigma, UNIT, "derived")


def normal_gravity(latitude_deg: float) -> float:
    """Gravity (m/s^2) on the GRS80 ellipsoid: Somigliana's formula."""
    constants = load_constants("gravity")
    sine_squared = math.sin(math.radians(latitude_deg)) ** 2
    numerator = 1.0 + constants["somigliana"].value * sine_squared
    return constants["equator"].value * numerator / math.sqrt(1.0 - constants["eccentricity_squared"].value * sine_squared)


def _fall_with_height(latitude_deg: float, height_m: float) -> float:
    constants = load_constants("gravity")
    f, m = constants["flattening"].value, constants["centrifugal_ratio"].value
    share = height_m / constants["semi_major_axis"].value
    slope = 2.0 * (1.0 + f + m - 2.0 * f * math.sin(math.radians(latitude_deg)) ** 2)
    return normal_gravity(latitude_deg) * (-slope * share + 3.0 * share**2)
