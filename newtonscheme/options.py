"""What `predict` may be told, checked before any work starts: from keyword arguments, the command line and a TOML file alike."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Any, Final, get_args, get_type_hints

from .errors import UsageError
from .notation import parse_measure, printable, show_value
from .types import Options

LARGEST_CONFIG_BYTES, LONGEST_CONFIG_LINE = 1 << 16, 8192
"""A configuration is a few lines, of a path at most; what is larger is some other file, and a TOML reader takes the square of a line's time."""

OUTPUTS = ("json", "csv", "overlay", "plot")
RULERS = ("scale", "length", "diameter", "mass")
EXCLUSIVE = (("g", "latitude"), ("g", "height"), ("fov", "camera"))
"""Two ways of saying the same thing; giving both leaves open which one is meant."""

INFINITE = math.inf
RANGES: Final[Mapping[str, tuple[float, float, bool]]] = MappingProxyType({
    # name: lower, upper, whether the bounds themselves are allowed
    "observe": (0.0, 1.0, False),
    "horizon": (0.0, INFINITE, False),
    "level": (0.0, 1.0, False),
    "object_index": (0, INFINITE, True),
    "g": (0.0, INFINITE, False),
    "latitude": (-90.0, 90.0, True),
    # from the bottom of the Dead Sea's shore to the top of the troposphere, where the barometric formula in use ends
    "height": (-500.0, 11000.0, True),
    # beyond every weather ever recorded (-89.2 and 56.7 degC, 870 and 1084 hPa; WMO archive), with room for a mountain top
    "temperature": (-100.0, 100.0, True),
    "pressure": (100.0, 1200.0, True),
    "fps": (0.0, INFINITE, False),
    "start": (0.0, INFINITE, True),
    "end": (0.0, INFINITE, False),
    "fov": (0.0, 180.0, False),
    "seed": (0, INFINITE, True),
    "timeout": (0.0, INFINITE, False),
})  # fmt: skip
_ANY_RANGE = (-INFINITE, INFINITE, True)


def resolve_options(given: Mapping[str, object]) -> Options:
    """One checked `Options` from what was given by name and, where ``config`` names a file, what is in it; the former wins.

    None means "not given". Regions and sizes may be text (``X,Y,W,H``) or sequences of whole numbers.

    Raises:
        UsageError: an unknown name, a value of the wrong kind or out of range, or two options that exclude each other.
    """
    told = {name: value for name, value in given.items() if value is not None}
    where = {name: "--" + name.replace("_", "-") for name in told}
    config = told.get("config")
    if config is not None:
        for name, (value, place) in read_config(str(config)).items():
            if name not in told:
                told[name], where[name] = value, place
    hints = get_type_hints(Options)
    for name in told:
        if name not in hints:
            raise UsageError(f"{where[name]}: no such option; see `ns predict --help`")
    values: dict[str, Any] = {name: _coerce(value, get_args(hints[name]) or (hints[name],), where[name], name) for name, value in told.items()}
    options = Options(**values)
    _check_together(options, where)
    return options


def read_config(path: str) -> dict[str, tuple[object, str]]:
    """The options of a TOML file, each with the place where it stands. Keys are the options' names, with - or _.

    Raises:
        UsageError: the file cannot be read, is no TOML, has a table, an unknown key or one key in two spellings.
    """
    name = printable(path)
    text = _read_text(path, name)
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a plain ValueError
        raise UsageError(f"{name}: no valid TOML: {printable(str(error))}") from None
    known = set(get_type_hints(Options)) - {"config"}
    entries: dict[str, tuple[object, str]] = {}
    for key, value in table.items():
        option, place = key.replace("-", "_"), f"{name}, line {_line_of(key, text)}: {printable(key)}"
        if option not in known:
            raise UsageError(f"{place}: no such option; see `ns predict --help`")
        if option in entries:
            raise UsageError(f"{place}: given twice, with - and with _; keep one")
        entries[option] = value, place
    return entries


def parse_pixels(value: object, form: str, where: str) -> tuple[int, ...]:
    """Whole numbers of pixels from text (``640,360``) or a sequence; ``form`` names them, the last two being a width and a height.

    Raises:
        UsageError: it is no such thing, something is below 0, or the width or height is 0.
    """
    parts = value.split(",") if isinstance(value, str) else value
    try:
        if not isinstance(parts, Sequence) or len(parts) != form.count(",") + 1 or any(isinstance(part, bool | float) for part in parts):
            raise ValueError
        numbers = tuple(int(part) for part in parts)
    except (TypeError, ValueError):
        raise UsageError(f"{where}: found {show_value(value)}, needed {form} in whole pixels") from None
    if any(number < 0 for number in numbers) or 0 in numbers[-2:]:
        raise UsageError(f"{where}: found {show_value(value)}, needed {form} with W and H above 0 and nothing below 0")
    return numbers


def _read_text(path: str, name: str) -> str:
    file = Path(path)
    try:
        if not file.is_file():
            raise UsageError(f"{name}: no such file; needed a TOML file of options")
        if file.stat().st_size > LARGEST_CONFIG_BYTES:
            raise UsageError(f"{name}: {file.stat().st_size} bytes; needed a TOML file of options, at most {LARGEST_CONFIG_BYTES}")
        # Editors on Windows write a byte-order mark, which TOML itself does not allow.
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{name}: not UTF-8 text; needed a TOML file of options") from None
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{name}: cannot be read: {error}; needed a TOML file of options") from None
    longest = max(map(len, text.splitlines()), default=0)
    if longest > LONGEST_CONFIG_LINE:
        raise UsageError(f"{name}: found a line of {longest} characters; needed a TOML file of options, lines of at most {LONGEST_CONFIG_LINE}")
    return text


def _line_of(key: str, text: str) -> int:
    pattern = re.compile(rf"""["']?{re.escape(key)}["']?\s*[=.\]]""")
    return next((number for number, line in enumerate(text.splitlines(), 1) if pattern.match(line.lstrip(" \t["))), 1)


def _coerce(value: object, kinds: Sequence[type], where: str, name: str) -> object:
    """The value as one of the kinds that its option allows (the members of its annotation)."""
    wanted = tuple(kind for kind in kinds if kind is not NoneType)
    if name in RULERS or name == "g":
        return _coerce_measure(value, where)
    tuples = [kind for kind in wanted if get_args(kind)]
    if tuples:
        return parse_pixels(value, "X,Y,W,H" if name == "roi" else "W,H", where)
    if bool in wanted or str in wanted:
        if not isinstance(value, wanted):
            raise UsageError(f"{where}: found {show_value(value)}, needed {'true or false' if bool in wanted else 'text'}")
        return value
    return _coerce_number(value, wanted, where, name)


def _coerce_measure(value: object, where: str) -> float | str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise UsageError(f"{where}: found {show_value(value)}, needed VALUE, VALUE±SIGMA or VALUE±P%")
    try:
        parse_measure(value)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
    return value


def _coerce_number(value: object, wanted: Sequence[type], where: str, name: str) -> float | int:
    whole = float not in wanted
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise UsageError(f"{where}: found {show_value(value)}, needed a {'whole ' if whole else ''}number")
    lower, upper, closed = RANGES.get(name, _ANY_RANGE)
    try:
        as_float = float(value)
    except OverflowError:
        as_float = INFINITE
    number = value if whole else as_float
    inside = lower <= number <= upper if closed else lower < number < upper
    if not (math.isfinite(as_float) and inside):
        raise UsageError(f"{where}: found {show_value(value)}, needed {_range_text(lower, upper, closed)}")
    return number


def _range_text(lower: float, upper: float, closed: bool) -> str:
    if upper == INFINITE:
        return f"a number {'of at least' if closed else 'above'} {lower:g}"
    return f"a number from {lower:g} to {upper:g}" if closed else f"a number between {lower:g} and {upper:g}"


def _check_together(options: Options, where: Mapping[str, str]) -> None:
    for one, other in EXCLUSIVE:
        if getattr(options, one) is not None and getattr(options, other) is not None:
            raise UsageError(f"{where[one]} and {where[other]} exclude each other; keep one")
    outputs = [(name, target) for name in OUTPUTS if (target := getattr(options, name)) is not None]
    for row, (name, target) in enumerate(outputs):
        for other, same in outputs[:row]:
            if Path(target) == Path(same):
                raise UsageError(f"{where[other]} and {where[name]}: both would be written to '{printable(target)}'; name two files")
    if options.start is not None and options.end is not None and options.end <= options.start:
        raise UsageError(f"{where['end']}: found {options.end:g}, needed a time after --start {options.start:g}")
    for name in ("size", "units"):
        if getattr(options, name) is not None and options.track is None:
            raise UsageError(f"{where[name]} says how to read a table: needs --track FILE as well")
