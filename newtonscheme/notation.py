"""How numbers, uncertainties and names are written and read: one home for every text that people see.

Uncertainties are given to two significant digits and the value to the same decimal place (GUM, JCGM 100:2008, 7.2.6).
"""

from __future__ import annotations

import csv
import io
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from os import PathLike, fsencode
from typing import SupportsFloat

from .errors import UsageError
from .types import Quantity

SIGMA_DIGITS = 2
"""Significant digits of an uncertainty (JCGM 100:2008, 7.2.6: at most two)."""
PLAIN_DIGITS = 4
"""Significant digits of a number that comes without an uncertainty."""
SIGNIFICANT_DIGITS = 10
"""Digits of a number in a file: 1e-7 px across an 8K picture and 1 us in an hour, far below what any video can show, and few enough
that rounding in the last bits of a sum (another processor, another number of threads) does not change the file."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\0")
"""A text cell that starts with one of these is a formula to a spreadsheet (OWASP, CSV injection)."""
BARE_SIGMA_SHARE = 0.01
"""A ruler given as a bare value is believed to 1 %: what a careful hand gets with a tape measure or a click on the screen."""
LONGEST_MEASURE = 100
"""Characters of a ruler: two numbers with all digits that a float can have."""
LONGEST_SHOWN = 80
"""Characters of a wrong value in a message, which is one line."""
LARGEST_PLAIN, SMALLEST_PLAIN = 1e6, 1e-4
"""Outside of these a number is written with a power of ten."""

UNIT_SYMBOLS = {"deg": "°", "m/s^2": "m/s²", "m/s2": "m/s²", "kg/m^3": "kg/m³", "1": "", "rad/s": "rad/s"}
"""How a unit of the report is shown to people, where the two differ."""

# Spaces are float's to ignore: a pattern that skips them too tries every way to share them out (6 s for 300 of them).
_MEASURE = re.compile(r"(?P<value>[^±%]+?)(?:(?:±|\+-|\+/-)(?P<sigma>[^±%]+)(?P<percent>%)?)?")
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def format_name(name: str) -> str:
    """A name of the report as people say it: ``launch_angle_deg`` is a launch angle, its unit stands with its value."""
    return name.removesuffix("_deg").removesuffix("_rps").replace("_", " ")


def format_quantity(quantity: Quantity) -> str:
    """A value with its uncertainty and unit, as in ``9.81 ± 0.02 m/s²``; without the uncertainty where it is exact or unknown."""
    return format_measure(quantity.value, quantity.sigma, quantity.unit)


def format_measure(value: float, sigma: float, unit: str = "") -> str:
    """``value ± sigma unit``, sigma to two significant digits and the value to the same place."""
    symbol = UNIT_SYMBOLS.get(unit, unit)
    tail = symbol if symbol == "°" or not symbol else f" {symbol}"
    if not math.isfinite(value):
        return "unknown"
    if not math.isfinite(sigma) or sigma <= 0:
        return f"{format_number(value)}{tail}"
    size = max(abs(value), sigma)
    if size >= LARGEST_PLAIN or size < SMALLEST_PLAIN:
        exponent = math.floor(math.log10(size))
        return f"({_to_place(value / 10**exponent, sigma / 10**exponent)}) × 10^{exponent}{tail}"
    text = _to_place(value, sigma)
    return f"({text}){tail}" if tail == "°" else f"{text}{tail}"


def format_number(value: float, digits: int = PLAIN_DIGITS) -> str:
    """A number to ``digits`` significant digits, without an exponent where people would not use one."""
    if not math.isfinite(value):
        return "unknown"
    if value == 0:
        return "0"
    if not SMALLEST_PLAIN <= abs(value) < LARGEST_PLAIN:
        return f"{value:.{digits - 1}e}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_percent(share: float) -> str:
    """A share as a percentage that never rounds to a certainty it does not have."""
    if not math.isfinite(share):
        return "unknown"
    percent = 100.0 * share
    if 0.0 < percent < 1.0:
        return "< 1 %"
    if 99.0 < percent < 100.0:
        return "> 99 %"
    return f"{percent:.0f} %"


def rounded(value: float) -> float | None:
    """The number to `SIGNIFICANT_DIGITS`, as files have it; None where it is not finite."""
    if not math.isfinite(value):
        return None
    number = float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    # The largest float there is rounds up to infinity. Adding zero turns -0.0 into 0.0.
    return number + 0.0 if math.isfinite(number) else value


def number_text(value: SupportsFloat) -> str:
    """The number to `SIGNIFICANT_DIGITS` as text, whole ones without a point; empty where it is not finite."""
    number = rounded(float(value))
    if number is None:
        return ""
    return str(int(number)) if number == int(number) else repr(number)


def delimited(rows: Iterable[Sequence[object]], delimiter: str) -> str:
    """Rows as delimited text: numbers as `number_text`, None empty, text guarded against being read as a formula."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def parse_measure(text: float | str) -> tuple[float, float]:
    """Value and standard uncertainty of a ruler: ``VALUE``, ``VALUE±SIGMA``, ``VALUE+-SIGMA`` or ``VALUE±P%``.

    A bare value gets `BARE_SIGMA_SHARE` of itself.

    Raises:
        UsageError: the text is none of these, the value is not positive, or the sigma is negative.
    """
    try:
        told = str(text).strip()
        found = _MEASURE.fullmatch(told) if len(told) <= LONGEST_MEASURE else None
        if found is None:
            raise ValueError
        value = float(found["value"])
        sigma = BARE_SIGMA_SHARE * value if found["sigma"] is None else float(found["sigma"])
    except ValueError:
        raise UsageError(f"found {show_value(text)}, needed VALUE, VALUE±SIGMA or VALUE±P%") from None
    if found["percent"]:
        sigma *= value / 100.0
    if not (math.isfinite(value) and value > 0 and math.isfinite(sigma) and sigma >= 0):
        raise UsageError(f"found {show_value(told)}, needed a value above 0 with an uncertainty of at least 0")
    return value, sigma


def show_value(value: object) -> str:
    """A wrong value as a message has it: one printable line that is never long, whatever somebody put there."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, lists in lists in lists
        return f"an endless {type(value).__name__}"
    return printable(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}...")


def printable(text: str) -> str:
    r"""The text with everything escaped that could move a cursor, hide or reorder it: control, format and undecodable characters.

    A byte that is not UTF-8 (Python's surrogate escape) shows as ``\xNN``.
    """
    return "".join(character if unicodedata.category(character) not in _UNSAFE_CATEGORIES else _escape(character) for character in text)


def printable_path(path: str | PathLike[str]) -> str:
    r"""A path as valid Unicode: a byte that is not UTF-8 becomes ``\xNN``."""
    return fsencode(path).decode("utf-8", "backslashreplace")


def _to_place(value: float, sigma: float) -> str:
    places = SIGMA_DIGITS - 1 - math.floor(math.log10(sigma))
    places = SIGMA_DIGITS - 1 - math.floor(math.log10(round(sigma, places)))
    shown = max(0, places)
    return f"{round(value, places):.{shown}f} ± {round(sigma, places):.{shown}f}"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA_STARTS) else value
    return number_text(value) if isinstance(value, SupportsFloat) else str(value)


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode() if code <= 0xFFFF else f"\\U{code:08x}"
