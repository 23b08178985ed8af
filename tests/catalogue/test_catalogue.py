"""Known numbers: every entry is possible, has a source, and agrees with what is known another way."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from importlib.resources import files
from typing import Any

import pytest

import newtonscheme.catalogue as catalogue
from newtonscheme.catalogue import COLOURS, Ball, Interval, load_catalogue, load_constants

BALLS = load_catalogue()
WATER = 1000.0


@pytest.mark.parametrize("ball", BALLS.values(), ids=lambda ball: ball.label)
def test_a_ball_is_possible(ball: Ball) -> None:
    density = ball.mass.middle / (math.pi / 6.0 * ball.diameter.middle**3)
    assert 0.03 * WATER < density < 2.1 * WATER, "lighter than a balloon or heavier than phenolic resin"
    assert 0.03 < ball.diameter.low < ball.diameter.high < 0.26
    assert ball.diameter.sigma / ball.diameter.middle < 0.05
    assert 0.0 <= ball.lookalikes < 1.0
    assert 0.05 < ball.drag.subcritical.low < ball.drag.subcritical.high < 1.0


@pytest.mark.parametrize("ball", BALLS.values(), ids=lambda ball: ball.label)
def test_every_number_of_a_ball_has_a_source(ball: Ball) -> None:
    for source in (ball.source, ball.drag.source, ball.look.source, ball.lift.note):
        assert len(source) > 10


@pytest.mark.parametrize("ball", [ball for ball in BALLS.values() if ball.drag.supercritical], ids=lambda ball: ball.label)
def test_the_drag_crisis_lowers_the_drag(ball: Ball) -> None:
    assert ball.drag.supercritical is not None
    assert ball.drag.supercritical.middle < ball.drag.subcritical.middle


def test_the_balls_of_the_common_sports_are_there() -> None:
    wanted = {
        "tennis ball", "soccer ball", "basketball", "volleyball", "table tennis ball", "baseball", "softball", "golf ball", "cricket ball",
        "bowling ball", "squash ball", "racquetball", "pickleball", "handball", "water polo ball", "snooker ball",
    }  # fmt: skip
    assert wanted <= set(BALLS)


@pytest.mark.parametrize(
    ("label", "diameter", "mass"),
    [("soccer ball", 0.220, 0.430), ("tennis ball", 0.067, 0.0577), ("golf ball", 0.0428, 0.0455), ("baseball", 0.0738, 0.145)],
)
def test_regulation_values_are_in_metres_and_kilograms(label: str, diameter: float, mass: float) -> None:
    assert BALLS[label].diameter.middle == pytest.approx(diameter, rel=0.01)
    assert BALLS[label].mass.middle == pytest.approx(mass, rel=0.01)


def test_measured_balls_lie_within_their_rules() -> None:
    # Mass (oz) and circumference (cm) of balls that were weighed and measured: De Silva et al. 2020, balls.txt.
    for label, ounces, circumference_cm in (("baseball", 5.0, 22.25), ("golf ball", 1.62, 13.8), ("tennis ball", 2.0, 20.75)):
        ball = BALLS[label]
        assert ball.mass.low * 0.98 <= ounces * 0.0283495 <= ball.mass.high * 1.02
        assert ball.diameter.low * 0.95 <= circumference_cm / 100.0 / math.pi <= ball.diameter.high * 1.05


def test_the_uniform_distribution_has_the_sigma_of_the_guide() -> None:
    assert Interval(2.0, 8.0).middle == 5.0
    assert Interval(0.0, math.sqrt(12.0)).sigma == pytest.approx(1.0)


def test_the_catalogue_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        load_catalogue()["tennis ball"] = BALLS["golf ball"]  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        BALLS["tennis ball"].weight = 2.0  # type: ignore[misc]


def test_constants_agree_with_what_defines_them() -> None:
    gravity = {name: q.value for name, q in load_constants("gravity").items()}
    # GRS80's defining constants (Moritz 1980): a, GM, w; b follows from f.
    a, gm, w = gravity["semi_major_axis"], 3.986005e14, 7.292115e-5
    b = a * (1.0 - gravity["flattening"])
    assert gravity["centrifugal_ratio"] == pytest.approx(w**2 * a**2 * b / gm, rel=1e-9)
    assert gravity["eccentricity_squared"] == pytest.approx(1.0 - (b / a) ** 2, rel=1e-9)
    pole = 9.8321863685
    assert gravity["somigliana"] == pytest.approx(b * pole / (a * gravity["equator"]) - 1.0, rel=1e-8)
    air = {name: q.value for name, q in load_constants("air").items()}
    assert air["isa_exponent"] == pytest.approx(9.80665 * 0.0289644 / (8.31432 * air["isa_lapse_rate"]), rel=1e-6)


ENTRY = """
[[ball]]
label = "marble"
aliases = []
mass_kg = [0.004, 0.006]
diameter_m = [0.015, 0.017]
source = "a made-up rule"
weight = 1.0
lookalikes = 0.5
[ball.drag]
subcritical = [0.4, 0.6]
source = "a made-up paper"
[ball.lift]
law = "saturating"
note = "a made-up note"
[ball.look]
colours = [{ share = 1.0, blue = 0.5, white = 0.5 }]
texture = [0.0, 0.1]
source = "a made-up look"
"""


@pytest.fixture
def load_text(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Loads a catalogue from text, past the cache."""

    class Text:
        def __init__(self, text: str) -> None:
            self.text = text

        def joinpath(self, name: str) -> Text:
            return self

        def read_text(self, encoding: str) -> str:
            return self.text

    def load(text: str) -> Any:
        monkeypatch.setattr(catalogue, "files", lambda _: Text(text))
        return load_catalogue.__wrapped__()

    return load


def test_an_entry_as_it_must_be_is_read(load_text: Callable[[str], Any]) -> None:
    assert load_text(ENTRY)["marble"].mass == Interval(0.004, 0.006)


@pytest.mark.parametrize(
    ("found", "put"),
    [
        ("mass_kg = [0.004, 0.006]", "mass_kg = [0.006, 0.004]"),
        ("mass_kg = [0.004, 0.006]", "mass_kg = [0.0, 0.006]"),
        ("mass_kg = [0.004, 0.006]", "mass_kg = [nan, 0.006]"),
        ("mass_kg = [0.004, 0.006]", 'mass_kg = ["0.004", 0.006]'),
        ("mass_kg = [0.004, 0.006]", "mass_g = [4, 6]"),
        ("diameter_m = [0.015, 0.017]", "diameter_m = [0.015, 0.017]\ncircumference_m = [0.05, 0.06]"),
        ("lookalikes = 0.5", "lookalikes = 1.5"),
        ("weight = 1.0", "weight = true"),
        ('source = "a made-up rule"', 'source = ""'),
        ("blue = 0.5, white = 0.5", "blue = 0.5, white = 0.4"),
        ("blue = 0.5, white = 0.5", "blue = 0.5, teal = 0.5"),
        ("share = 1.0", "share = 0.9"),
        ("subcritical = [0.4, 0.6]", "subcritical = [0.4, 0.6]\nsupercritical = [0.1, 0.2]"),
        ("aliases = []", 'aliases = ["marble"]'),
    ],
)
def test_an_entry_that_is_not_as_it_must_be_is_refused(load_text: Callable[[str], Any], found: str, put: str) -> None:
    assert found in ENTRY
    with pytest.raises(ValueError, match=r"balls\.toml"):
        load_text(ENTRY.replace(found, put))


def test_the_files_ship_with_the_package() -> None:
    for name in ("balls.toml", "air.toml", "gravity.toml"):
        assert files("newtonscheme.catalogue").joinpath(name).is_file()


def test_colours_of_a_look_are_the_words_of_an_appearance() -> None:
    assert {word for ball in BALLS.values() for c in ball.look.colourings for word in c.colours} <= set(COLOURS)
