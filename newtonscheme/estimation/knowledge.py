"""What is known before a frame is read: gravity, air, rulers and the camera, from the options, each with its source."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..camera import PITCH_SIGMA, ROLL_SIGMA, assume_camera, table_camera
from ..physics.air import air_density
from ..physics.gravity import gravity_at
from ..quantities import parse_quantity
from ..types import Camera, Entry, Floats, Options, Quantity
from .parameters import FREE_GRAVITY_SIGMA, Known


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """Gravity, air and rulers for the fits, and what the user said of the object."""

    known: Known
    label: str | None
    mass: Quantity | None
    diameter: Quantity | None
    rulers: tuple[str, ...]


def gather_knowledge(options: Options) -> Knowledge:
    """Everything that the options say about the world.

    A ruler (``scale``, ``length``, ``diameter``) makes gravity an unknown that is measured, unless the user also said what gravity is.

    Raises:
        UsageError: a quantity cannot be read, or air and place are out of range.
    """
    scale = None if options.scale is None else parse_quantity(options.scale, "px/m", "--scale")
    length = None if options.length is None else parse_quantity(options.length, "m", "--length")
    diameter = None if options.diameter is None else parse_quantity(options.diameter, "m", "--diameter")
    mass = None if options.mass is None else parse_quantity(options.mass, "kg", "--mass")
    rulers = tuple(name for name, value in (("scale", scale), ("length", length), ("diameter", diameter)) if value is not None)
    air = air_density(options.temperature, options.pressure, height_m=options.height)
    known = Known(g=_gravity(options, bool(rulers)), air_density=air.value, scale=scale, length=length)
    return Knowledge(known=known, label=options.object, mass=mass, diameter=diameter, rulers=rulers)


def with_table(knowledge: Knowledge, unit: str, options: Options) -> Knowledge:
    """What a table of metres or of angles adds: metres are a ruler, so that gravity is measured; angles lie on the unit circle."""
    known = knowledge.known
    if unit == "m":
        exact = Quantity(1.0, 1e-6, "px/m", "user")
        free = options.g is None and options.latitude is None
        g = Entry(known.g.value, FREE_GRAVITY_SIGMA, "measured") if free else known.g
        return replace(knowledge, known=replace(known, scale=exact, g=g), rulers=(*knowledge.rulers, "scale"))
    if unit in ("deg", "rad"):
        return replace(knowledge, known=replace(known, unit_circle=True))
    return knowledge


def _gravity(options: Options, has_ruler: bool) -> Entry:
    if options.g is not None:
        told = parse_quantity(options.g, "m/s^2", "--g")
        exact = isinstance(options.g, float | int) or not any(mark in str(options.g) for mark in ("±", "+-", "%"))
        return Entry(told.value, 0.0 if exact else told.sigma, "user")
    there = gravity_at(options.latitude, options.height)
    if has_ruler and options.latitude is None:
        return Entry(there.value, FREE_GRAVITY_SIGMA, "measured")
    return Entry(there.value, there.sigma, there.source)


def choose_camera(
    options: Options, size_px: tuple[int, int] | None, *, units: str = "px", places: Floats | None = None, focal_35mm: float | None = None
) -> Camera:
    """The prior camera: that of a table in other ``units`` than pixels, with its ``places`` (n, 2), is orthographic.

    A picture's has the lens that was given, that the file names (mm), or an ordinary one.
    """
    if units != "px" or size_px is None:
        return table_camera(units, places)
    if options.camera is not None:
        from ..vision.calibration import read_camera

        return replace(read_camera(options.camera, size_px), pitch_sigma=float(PITCH_SIGMA), roll_sigma=float(ROLL_SIGMA))
    return assume_camera(*size_px, fov_deg=options.fov, focal_35mm=focal_35mm)
