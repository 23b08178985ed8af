"""Known numbers as data, each with its source: regulation balls, air and gravity.

The TOML files beside this one are the only home of these numbers. They are read when first asked for, checked strictly, and frozen.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from ..types import Quantity

COLOURS = ("white", "black", "grey", "red", "orange", "yellow", "green", "blue", "brown", "pink", "purple")
"""The basic colour words that an appearance is told in (Berlin and Kay 1969)."""
SHARE_TOLERANCE = 1e-9
"""Shares that are written with two digits add up to one within rounding."""

_BALL_KEYS = frozenset({"label", "aliases", "mass_kg", "source", "weight", "lookalikes", "drag", "lift", "look"})
_SIZE_KEYS = frozenset({"diameter_m", "circumference_m"})


@dataclass(frozen=True, slots=True)
class Interval:
    """What lies between two limits, with nothing known about where: as a quantity, the uniform distribution's mean and sigma."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """Mean of the uniform distribution."""
        return 0.5 * (self.low + self.high)

    @property
    def sigma(self) -> float:
        """Standard deviation of the uniform distribution (JCGM 100:2008, 4.3.7)."""
        return (self.high - self.low) / math.sqrt(12.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drag:
    """Drag coefficients below and above the drag crisis, and the Reynolds numbers between which it passes."""

    subcritical: Interval
    supercritical: Interval | None
    critical_reynolds: Interval | None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """The published lift law that fits best, by name, and how well it does."""

    law: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Colouring:
    """One colouring that a ball comes in: its share among such balls, and the colour words' shares of its disc."""

    share: float
    colours: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What balls of a kind look like: the colourings they come in and the spread of lightness that seams and panels make."""

    colourings: tuple[Colouring, ...]
    texture: Interval
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ball:
    """A kind of ball as its rules define it.

    ``mass`` (kg) and ``diameter`` (m) are what the rules allow; ``weight`` is how common it is in front of a camera relative to the
    others; ``lookalikes`` the share of things of its size and look that are no such ball.
    """

    label: str
    aliases: tuple[str, ...]
    mass: Interval
    diameter: Interval
    source: str
    weight: float
    lookalikes: float
    drag: Drag
    lift: Lift
    look: Look


@cache
def load_catalogue() -> Mapping[str, Ball]:
    """Every ball by its label, in the file's order.

    Raises:
        ValueError: the file that ships with the package is not as it must be.
    """
    entries = _read_toml("balls").get("ball")
    if not isinstance(entries, list):
        raise ValueError("balls.toml: expected [[ball]] entries")
    balls = [_make_ball(entry) for entry in entries]
    names = [name for ball in balls for name in (ball.label, *ball.aliases)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"balls.toml: {', '.join(twice)} named twice")
    return MappingProxyType({ball.label: ball for ball in balls})


@cache
def load_constants(topic: str) -> Mapping[str, Quantity]:
    """The constants of "air" or "gravity" by name; the sources are in the file, numbers with a spread of their own name it ``*_sigma``.

    Raises:
        ValueError: the file that ships with the package is not as it must be.
    """
    return MappingProxyType({name: _make_constant(f"{topic}.toml: {name}", entry) for name, entry in _read_toml(topic).items()})


def _read_toml(topic: str) -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath(f"{topic}.toml").read_text(encoding="utf-8"))


def _make_constant(where: str, entry: object) -> Quantity:
    table = _table(where, entry, {"value", "unit", "source"})
    _text(f"{where}: source", table["source"])
    return Quantity(_number(f"{where}: value", table["value"]), 0.0, _text(f"{where}: unit", table["unit"]), "catalogue")


def _make_ball(entry: object) -> Ball:
    where = f"balls.toml: {entry.get('label', '?') if isinstance(entry, dict) else '?'}"
    size = _SIZE_KEYS.intersection(entry) if isinstance(entry, dict) else frozenset()
    if len(size) != 1:
        raise ValueError(f"{where}: expected either diameter_m or circumference_m")
    table = _table(where, entry, _BALL_KEYS | size)
    (size_key,) = size
    return Ball(
        label=_text(f"{where}: label", table["label"]),
        aliases=tuple(_text(f"{where}: aliases", alias) for alias in _list(f"{where}: aliases", table["aliases"])),
        mass=_interval(f"{where}: mass_kg", table["mass_kg"]),
        diameter=_interval(f"{where}: {size_key}", table[size_key], scale=1.0 / math.pi if size_key == "circumference_m" else 1.0),
        source=_text(f"{where}: source", table["source"]),
        weight=_number(f"{where}: weight", table["weight"], least=0.0),
        lookalikes=_number(f"{where}: lookalikes", table["lookalikes"], least=0.0, most=1.0),
        drag=_make_drag(f"{where}: drag", table["drag"]),
        lift=_make_lift(f"{where}: lift", table["lift"]),
        look=_make_look(f"{where}: look", table["look"]),
    )


def _make_drag(where: str, entry: object) -> Drag:
    crisis = isinstance(entry, dict) and "supercritical" in entry
    table = _table(where, entry, {"subcritical", "source"} | ({"supercritical", "critical_reynolds"} if crisis else set()))
    return Drag(
        subcritical=_interval(f"{where}: subcritical", table["subcritical"]),
        supercritical=_interval(f"{where}: supercritical", table["supercritical"]) if crisis else None,
        critical_reynolds=_interval(f"{where}: critical_reynolds", table["critical_reynolds"]) if crisis else None,
        source=_text(f"{where}: source", table["source"]),
    )


def _make_lift(where: str, entry: object) -> Lift:
    table = _table(where, entry, {"law", "note"})
    return Lift(law=_text(f"{where}: law", table["law"]), note=_text(f"{where}: note", table["note"]))


def _make_look(where: str, entry: object) -> Look:
    table = _table(where, entry, {"colours", "texture", "source"})
    colourings = tuple(_make_colouring(f"{where}: colours", c) for c in _list(f"{where}: colours", table["colours"]))
    _check_sum(f"{where}: colours", [c.share for c in colourings])
    texture = _interval(f"{where}: texture", table["texture"], positive=False)
    return Look(colourings=colourings, texture=texture, source=_text(f"{where}: source", table["source"]))


def _make_colouring(where: str, entry: object) -> Colouring:
    if not isinstance(entry, dict) or not set(entry) <= {"share", *COLOURS} or "share" not in entry:
        raise ValueError(f"{where}: expected a share and colours among {', '.join(COLOURS)}")
    colours = {word: _number(f"{where}: {word}", value, least=0.0, most=1.0) for word, value in entry.items() if word != "share"}
    _check_sum(where, list(colours.values()))
    return Colouring(share=_number(f"{where}: share", entry["share"], least=0.0, most=1.0), colours=MappingProxyType(colours))


def _table(where: str, entry: object, keys: set[str] | frozenset[str]) -> dict[str, Any]:
    if not isinstance(entry, dict) or set(entry) != set(keys):
        found = ", ".join(sorted(entry)) if isinstance(entry, dict) else type(entry).__name__
        raise ValueError(f"{where}: expected {', '.join(sorted(keys))}, got {found}")
    return entry


def _list(where: str, entry: object) -> list[Any]:
    if not isinstance(entry, list):
        raise ValueError(f"{where}: expected a list, got {type(entry).__name__}")
    return entry


def _text(where: str, entry: object) -> str:
    if not isinstance(entry, str) or not entry.strip():
        raise ValueError(f"{where}: expected text")
    return entry


def _number(where: str, entry: object, *, least: float = -math.inf, most: float = math.inf) -> float:
    if isinstance(entry, bool) or not isinstance(entry, int | float) or not math.isfinite(entry) or not least <= entry <= most:
        raise ValueError(f"{where}: expected a number between {least} and {most}, got {entry!r}")
    return float(entry)


def _interval(where: str, entry: object, *, scale: float = 1.0, positive: bool = True) -> Interval:
    limits = [_number(where, value, least=0.0) for value in _list(where, entry)]
    if len(limits) != 2 or not limits[0] < limits[1] or (positive and limits[0] <= 0.0):
        raise ValueError(f"{where}: expected [least, most] with least below most, got {entry!r}")
    return Interval(scale * limits[0], scale * limits[1])


def _check_sum(where: str, shares: Sequence[float]) -> None:
    if not math.isclose(sum(shares), 1.0, abs_tol=SHARE_TOLERANCE):
        raise ValueError(f"{where}: expected shares that add up to 1, got {sum(shares)}")
