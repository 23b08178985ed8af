"""Delimited text: who is a column, in which unit, and where a row goes wrong.

Delimiter (tab, semicolon, comma, blanks), decimal comma, comments, a byte order mark and several header lines are found; columns and
units are read from the header alone.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from ..errors import LimitReached, UnreadableInput, UsageError
from ..notation import printable
from ..types import Floats, Notice
from .series import Series

MAX_ROWS, MAX_COLUMNS, MAX_LINE = 500_000, 256, 65_536
MAX_TITLE = 100
"""Characters of a column's title that can mean anything: no title that is known is longer."""
"""An hour at 120 frames a second is 432,000 rows; no tracker writes hundreds of columns or lines of many thousand characters."""
SAMPLE_LINES = 200
"""Lines that decide on the delimiter: more than any header has."""
SHOWN = 40
"""Characters of a wrong cell that a message quotes."""

COMMENTS = ("#", "%")
ROLES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "t": ("t", "time", "timestamp", "elapsed time"),
    "frame": ("frame", "frames", "frame number", "frame index"),
    "x": ("x", "u", "x position", "horizontal"),
    "y": ("y", "v", "y position", "height", "h", "altitude", "vertical"),
    "angle": ("theta", "angle", "θ", "phi", "φ"),
    "visibility": ("visibility",),
    "series": ("trial", "drop", "run", "particle", "object", "track", "id"),
    "radius": ("radius",),
    "sigma": ("sigma",),
    "radius_sigma": ("radius sigma",),
    "score": ("score",),
})  # fmt: skip
"""What columns are called, without their unit, in lower case and with blanks for underscores."""
SECONDS = MappingProxyType({"s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "millisecond": 1e-3, "milliseconds": 1e-3})
LENGTHS: Mapping[str, tuple[str, float]] = MappingProxyType({
    "px": ("px", 1.0), "pixel": ("px", 1.0), "pixels": ("px", 1.0),
    "m": ("m", 1.0), "meter": ("m", 1.0), "meters": ("m", 1.0), "metre": ("m", 1.0), "metres": ("m", 1.0), "cm": ("m", 1e-2), "mm": ("m", 1e-3),
    "deg": ("deg", 1.0), "degree": ("deg", 1.0), "degrees": ("deg", 1.0), "°": ("deg", 1.0),
    "rad": ("rad", 1.0), "radian": ("rad", 1.0), "radians": ("rad", 1.0),
})  # fmt: skip
"""Units of a position or an angle: what they become, and the factor."""
SEEN_VISIBILITIES = frozenset({1.0, 2.0})
"""TrackNet: 0 is not in the picture, 1 visible, 2 hard to see, 3 occluded."""

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d{1,3})?")
_GAPS = frozenset({"", "nan", "-nan", "+nan"})
_BRACKETED = re.compile(r"(?P<name>.*?)\s*[(\[]\s*(?P<unit>[^)\]]*?)\s*[)\]]")
_SUFFIXED = re.compile(r"(?P<name>.+)_(?P<unit>[a-z]+)")


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    cells: tuple[str, ...]
    comment: bool = False


@dataclass(frozen=True, slots=True)
class _Column:
    index: int
    name: str
    role: str | None
    unit: str | None
    title: str


def read_table(content: bytes, name: str, units: str | None) -> tuple[Series, ...]:
    """The objects or trials of a table, each with its positions; rows without a position are gaps.

    Raises:
        UsageError: a unit or a column's meaning that the header does not tell and ``units`` does not either.
        UnreadableInput: not a table, or a row that does not fit: the message names line and column.
        LimitReached: too many rows.
    """
    rows = _split_rows(_decode(content, name), name)
    start = next((i for i, row in enumerate(rows) if _is_data(row)), None)
    if start is None:
        raise UnreadableInput(f"'{name}': found no row of numbers, needed a table of tracked coordinates")
    body = [row for row in rows[start:] if not row.comment]
    columns, notices = _name_columns(rows[:start], body, name, units)
    body = [_fit_row(row, columns, name) for row in body]
    objects = _find_objects(columns)
    if not objects:
        found = ", ".join(printable(column.title) for column in columns[:SHOWN])
        raise UnreadableInput(f"'{name}': found columns {found}, needed t or frame, and x and y, a height, or an angle")
    made = [series for cells in objects for series in _make_series(cells, columns, body, name, units, notices)]
    return tuple(made)


def _decode(content: bytes, name: str) -> str:
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        if encoding == "utf-16":
            raise UnreadableInput(f"'{name}': found broken UTF-16 text, needed a table saved as UTF-8") from None
        # Only a header can have letters beyond ASCII; every byte is one in Latin-1, and numbers stay what they are.
        return content.decode("latin-1")


def _split_rows(text: str, name: str) -> list[_Row]:
    lines = [(i, line.strip(" \r")) for i, line in enumerate(text.split("\n"), 1)]
    lines = [(i, line) for i, line in lines if line.strip()]
    for i, line in lines:
        if "\0" in line:
            raise UnreadableInput(f"'{name}', line {i}: found a NUL byte, needed text")
        if len(line) > MAX_LINE:
            raise UnreadableInput(f"'{name}', line {i}: found {len(line)} characters, needed at most {MAX_LINE}")
    if len(lines) > MAX_ROWS:
        raise LimitReached(f"'{name}': found {len(lines)} rows, needed at most {MAX_ROWS}: cut it to the part that matters")
    sample = [line for _, line in lines[:SAMPLE_LINES] if not line.startswith(COMMENTS)]
    delimiter = next((mark for mark in ("\t", ";", ",") if _delimits(mark, sample)), None)
    return [_split_row(i, line, delimiter, name) for i, line in lines]


def _delimits(mark: str, sample: Sequence[str]) -> bool:
    """Whether most lines have the mark; blanks win over a comma that only ever stands inside numbers."""
    having = [line for line in sample if mark in line]
    if 2 * len(having) <= len(sample):
        return False
    return mark != "," or not all(len(line.split()) > 1 and all(_parse(_with_point(cell)) is not None for cell in line.split()) for line in having)


def _split_row(line: int, text: str, delimiter: str | None, name: str) -> _Row:
    comment = text.startswith(COMMENTS)
    bare = text.lstrip("".join(COMMENTS)).strip(" ") if comment else text
    if delimiter is None:
        cells = bare.split()
    else:
        try:
            cells = next(csv.reader([bare], delimiter=delimiter, strict=True), [])
        except csv.Error as error:
            raise UnreadableInput(f"'{name}', line {line}: no valid row: {printable(str(error))}") from None
    if len(cells) > MAX_COLUMNS:
        raise UnreadableInput(f"'{name}', line {line}: found {len(cells)} columns, needed at most {MAX_COLUMNS}")
    stripped = (cell.strip() for cell in cells)
    return _Row(line, tuple(stripped if delimiter == "," else map(_with_point, stripped)), comment)


def _with_point(cell: str) -> str:
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell


def _is_data(row: _Row) -> bool:
    """Two numbers, or one among gaps: no header has that."""
    values = [_parse(cell) for cell in row.cells]
    numbers = sum(value is not None and not math.isnan(value) for value in values)
    return not row.comment and (numbers >= 2 or (numbers == 1 and None not in values))


def _parse(cell: str) -> float | None:
    """The number, NaN for a gap, None for anything else."""
    if cell.casefold() in _GAPS:
        return math.nan
    return float(cell) if _NUMBER.fullmatch(cell) else None


def _name_columns(head: Sequence[_Row], body: Sequence[_Row], name: str, units: str | None) -> tuple[list[_Column], tuple[Notice, ...]]:
    plain = [row for row in head if not row.comment]
    header = plain[-1] if plain else (head[-1] if head else None)
    width = len(_trimmed(body[0].cells))
    if header is not None:
        columns = [_read_title(i, cell) for i, cell in enumerate(_trimmed(header.cells))]
        if plain or len(columns) == width:
            return _mean_image_axes(columns), ()
    return _columns_without_header(body, width, name, units)


def _columns_without_header(body: Sequence[_Row], width: int, name: str, units: str | None) -> tuple[list[_Column], tuple[Notice, ...]]:
    """The only two layouts that are clear without titles: time and coordinates; trial, time and then quantities of which the first is one.

    The latter is that of Schmidt and Lipson's data (Science 2009): ``% o v`` above trial, t, o, v.
    """
    if units is None:
        raise UsageError(f"'{name}': found no header, needed titles such as t_s,x_m,y_m, or --units for columns t,x,y")
    angular = units in ("deg", "rad")
    roles: list[str | None] = ["t", "angle"] if angular else ["t", "x", "y"]
    first = [_parse(row.cells[0]) for row in body[:2] if row.cells]
    if angular and width > 2 and len(set(first)) == 1:
        roles = ["series", "t", "angle"]
    if width < len(roles) or (width > len(roles) and roles[0] != "series"):
        raise UsageError(f"'{name}': found {width} columns without titles, needed a header such as t_s,x_m,y_m")
    roles += [None] * (width - len(roles))
    columns = [_Column(i, role or "", role, None, role or f"column {i + 1}") for i, role in enumerate(roles)]
    read_as = ", ".join(column.role or "(not used)" for column in columns)
    return columns, (Notice("no_header", f"the table has no titles; its columns are read as {read_as}"),)


def _trimmed(cells: Sequence[str]) -> Sequence[str]:
    end = len(cells)
    while end and not cells[end - 1]:
        end -= 1
    return cells[:end]


def _read_title(index: int, title: str) -> _Column:
    text = title.strip().lstrip("'").casefold()
    if len(text) > MAX_TITLE:
        return _Column(index, "", None, None, f"{title[:MAX_TITLE]}...")
    found = _BRACKETED.fullmatch(text)
    if found is None:
        found = _SUFFIXED.fullmatch(text)
        if found is not None and found["unit"] not in SECONDS and found["unit"] not in LENGTHS:
            found = None
    bare, unit = (found["name"], found["unit"] or None) if found else (text, None)
    bare = " ".join(bare.replace("_", " ").replace("#", " ").split())
    role = next((role for role, names in ROLES.items() if bare in names), None)
    return _Column(index, bare, role, unit, title)


def _mean_image_axes(columns: list[_Column]) -> list[_Column]:
    """``v`` is a velocity unless ``u`` is there too; ``h`` or a height is no second y beside one."""
    names = {column.name for column in columns}
    unmeant = {"v"} if "u" not in names else set()
    if "y" in names:
        unmeant |= set(ROLES["y"]) - {"y"}
    return [replace(column, role=None) if column.name in unmeant else column for column in columns]


def _fit_row(row: _Row, columns: Sequence[_Column], name: str) -> _Row:
    cells = row.cells
    if len(cells) > len(columns) and not any(cells[len(columns) :]):
        cells = cells[: len(columns)]
    if len(cells) != len(columns):
        raise UnreadableInput(f"'{name}', line {row.line}: found {len(cells)} columns, needed {len(columns)} as in the header")
    return _Row(row.line, cells)


def _find_objects(columns: Sequence[_Column]) -> list[dict[str, _Column]]:
    """One set of columns for each object: several x and y share the clock (Tracker's multi-track export)."""
    by_role: dict[str, list[_Column]] = {}
    for column in columns:
        if column.role is not None:
            by_role.setdefault(column.role, []).append(column)
    shared = {role: found[0] for role, found in by_role.items() if role not in ("x", "y", "angle")}
    if "t" not in shared and "frame" not in shared:
        return []
    if "x" in by_role and "y" in by_role and len(by_role["x"]) == len(by_role["y"]):
        return [{**shared, "x": x, "y": y} for x, y in zip(by_role["x"], by_role["y"], strict=True)]
    if "angle" in by_role and "x" not in by_role:
        return [{**shared, "angle": angle} for angle in by_role["angle"][:1]]
    return [{**shared, "y": y} for y in by_role["y"]] if "y" in by_role and "x" not in by_role else []


def _make_series(
    cells: dict[str, _Column], columns: Sequence[_Column], body: Sequence[_Row], name: str, units: str | None, notices: tuple[Notice, ...]
) -> Iterator[Series]:
    unit, factor = _find_unit(cells, name, units)
    seconds = _find_seconds(cells, name)
    values = {role: _read_column(column, body, name) for role, column in cells.items()}
    axes = [values[role] for role in ("x", "y", "angle") if role in values]
    gap = np.all([np.isnan(axis) for axis in axes], axis=0)
    if "visibility" in values:
        gap |= ~np.isin(values["visibility"], list(SEEN_VISIBILITIES)) | np.all([axis == 0 for axis in axes], axis=0)
    _need_whole_rows(gap, values, cells, body, name)
    position = factor * np.column_stack(axes if "angle" in cells or len(axes) == 2 else [np.zeros(len(body)), axes[0]])
    which = values.get("series", np.zeros(len(body)))
    for key in dict.fromkeys(which[~gap].tolist()):
        rows = np.flatnonzero(~gap & (which == key))
        optional = {role: values[role][rows] for role in values}
        _need_sigmas(optional, rows, cells, body, name)
        radius, sigma, radius_sigma = (factor * optional[role] if role in optional else None for role in ("radius", "sigma", "radius_sigma"))
        yield Series(
            label=_label(cells, key), unit=unit, position=position[rows], places=[f"line {body[row].line}" for row in rows.tolist()],
            t=optional["t"] * seconds if "t" in optional else None, frame=_frames(values, rows, body, name), notices=notices,
            radius=radius, sigma=sigma, radius_sigma=radius_sigma, score=optional.get("score"),
        )  # fmt: skip
    if np.all(gap):
        yield Series(label=_label(cells, 0.0), unit=unit, position=position[:0], places=(), notices=notices)


def _label(cells: Mapping[str, _Column], key: float) -> str:
    if "series" in cells:
        return f"{printable(cells['series'].title)} {key:g}"
    column = cells.get("x") or cells.get("angle") or cells["y"]
    return f"column {column.index + 1} ({printable(column.title)})"


def _find_unit(cells: Mapping[str, _Column], name: str, units: str | None) -> tuple[str, float]:
    """The unit of the coordinates: the header's, the format's own (TrackNet and trackpy count pixels), or the user's."""
    told: dict[str, tuple[str, float]] = {}
    for role in ("x", "y", "angle"):
        column = cells.get(role)
        if column is not None and column.unit is not None:
            if column.unit not in LENGTHS:
                found, title = printable(column.unit), printable(column.title)
                raise UsageError(f"'{name}': found unit {found!r} of column {title!r}, needed px, m, cm, mm, deg or rad")
            told[role] = LENGTHS[column.unit]
    counts_pixels = "visibility" in cells or ("series" in cells and cells["series"].name == "particle")
    if not told and "frame" in cells and counts_pixels:
        told["x"] = ("px", 1.0)
    if len(set(told.values())) > 1:
        raise UsageError(f"'{name}': found different units for x and y, needed one unit")
    unit, factor = next(iter(told.values()), (units, 1.0))
    if unit is None:
        example, wanted = ("theta_rad", "deg or rad") if "angle" in cells else ("x_m", "px or m")
        raise UsageError(f"'{name}': found no unit in the header, needed one such as {example}, or --units {wanted}")
    if units not in (None, unit):
        raise UsageError(f"--units: found {units}, but the header of '{name}' says {unit}; drop one")
    if ("angle" in cells) != (unit in ("deg", "rad")):
        raise UsageError(f"'{name}': found {'an angle' if 'angle' in cells else 'x and y or a height'} with unit {unit}, needed matching units")
    if unit == "px" and "x" not in cells:
        raise UnreadableInput(f"'{name}': found a height in pixels and no x column, needed both image coordinates")
    return unit, factor


def _find_seconds(cells: Mapping[str, _Column], name: str) -> float:
    column = cells.get("t")
    if column is None or column.unit is None:
        return 1.0
    if column.unit not in SECONDS:
        raise UsageError(f"'{name}': found unit {printable(column.unit)!r} of column {printable(column.title)!r}, needed s or ms")
    return SECONDS[column.unit]


def _read_column(column: _Column, body: Sequence[_Row], name: str) -> Floats:
    values = np.empty(len(body))
    for i, row in enumerate(body):
        cell = row.cells[column.index]
        value = _parse(cell)
        if value is None or math.isinf(value):
            title = printable(column.title)
            raise UnreadableInput(f"'{name}', line {row.line}, column {title!r}: found {printable(repr(cell[:SHOWN]))}, needed a finite number")
        values[i] = value
    return values


def _need_whole_rows(gap: np.ndarray, values: Mapping[str, Floats], cells: Mapping[str, _Column], body: Sequence[_Row], name: str) -> None:
    for role in ("t", "frame", "x", "y", "angle", "series"):
        if role in values:
            missing = np.flatnonzero(~gap & np.isnan(values[role]))
            if len(missing):
                line, title = body[int(missing[0])].line, printable(cells[role].title)
                raise UnreadableInput(f"'{name}', line {line}, column {title!r}: found nothing, needed a number beside the row's others")


def _need_sigmas(optional: Mapping[str, Floats], rows: np.ndarray, cells: Mapping[str, _Column], body: Sequence[_Row], name: str) -> None:
    for role in ("sigma", "radius", "radius_sigma"):
        if role in optional:
            wrong = np.flatnonzero(~(optional[role] > 0) & ~(np.isnan(optional[role]) & (role != "sigma")))
            if len(wrong):
                line, title = body[int(rows[wrong[0]])].line, printable(cells[role].title)
                raise UnreadableInput(f"'{name}', line {line}, column {title!r}: found no positive number, needed one")


def _frames(values: Mapping[str, Floats], rows: np.ndarray, body: Sequence[_Row], name: str) -> Floats | None:
    if "frame" not in values:
        return None
    frame = values["frame"][rows]
    wrong = np.flatnonzero((frame != np.round(frame)) | np.concatenate([[False], np.diff(frame) <= 0]))
    if len(wrong):
        raise UnreadableInput(f"'{name}', line {body[int(rows[wrong[0]])].line}: found frame {frame[wrong[0]]:g}, needed whole numbers that increase")
    return frame
