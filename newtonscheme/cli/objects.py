"""`ns objects`: the objects that are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from .console import print_rows, print_text
from .parameters import flag

if TYPE_CHECKING:
    from ..catalogue import Ball


def objects(json: Annotated[bool, flag("--json", "As JSON.")] = False) -> None:
    """List the objects that are known, with the mass and the diameter that their rules allow."""
    from ..catalogue import load_catalogue
    from ..report import to_text

    balls = load_catalogue().values()
    if json:
        print_text(to_text({"objects": [_as_json(ball) for ball in balls]}))
        return
    print_rows([(ball.label, _in_words(ball)) for ball in balls])


def _as_json(ball: Ball) -> dict[str, object]:
    return {
        "label": ball.label,
        "aliases": list(ball.aliases),
        "mass_kg": [ball.mass.low, ball.mass.high],
        "diameter_m": [ball.diameter.low, ball.diameter.high],
        "source": ball.source,
    }


def _in_words(ball: Ball) -> str:
    from ..notation import format_number

    mass = f"{format_number(1e3 * ball.mass.low, 3)} to {format_number(1e3 * ball.mass.high, 3)} g"
    diameter = f"{format_number(1e3 * ball.diameter.low, 3)} to {format_number(1e3 * ball.diameter.high, 3)} mm"
    return f"{mass}, {diameter}: {ball.source}"
