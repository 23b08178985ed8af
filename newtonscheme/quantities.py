"""Rulers as the user gives them, as quantities."""

from __future__ import annotations

from .errors import UsageError
from .notation import parse_measure
from .types import Quantity


def parse_quantity(text: float | str, unit: str, name: str) -> Quantity:
    """A ruler, ``VALUE``, ``VALUE±SIGMA``, ``VALUE+-SIGMA`` or ``VALUE±P%``, as a quantity of the user's; a bare value is believed to 1 %.

    Args:
        text: the number or the text.
        unit: the unit it is in, as the quantity will say.
        name: the option that it came from, for the message.

    Raises:
        UsageError: the text is no such thing, or its value is not positive and finite; the message names the option.
    """
    try:
        value, sigma = parse_measure(text)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None
    return Quantity(value, sigma, unit, "user")
