"""What a batch is asked to do: files, folders, globs and tables of jobs become a list of clips with their options."""

from __future__ import annotations

import csv
import glob
import hashlib
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

from ..errors import UsageError
from ..notation import printable
from ..options import resolve_options
from ..types import Options

SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("mp4", "m4v", "mov", "3gp", "mkv", "webm", "avi", "wmv", "asf", "flv", "gif", "mpg", "mpeg", "ts", "mts", "m2ts", "ogv", "ogg", "mxf"),
        *("h264", "264", "hevc", "265", "ivf", "mjpeg", "dv", "nut", "y4m"),
    )
)
"""What a folder is searched for, in either case; any file can be named itself."""
TABLE_SUFFIX = ".csv"
LARGEST_TABLE_BYTES = 64 << 20
"""A million jobs of 64 bytes each."""
NAME_LENGTH = 60
"""Characters of a clip's own name in its report's: with the digest far below the 255 bytes that file systems allow, at 4 bytes each."""
DIGEST_LENGTH = 16
"""Hexadecimal digits that tell reports apart: two of a million clips share 64 bits with a probability of 3e-8."""
VIDEO, TRACK = "video", "track"
OF_THE_RUN = frozenset({"json", "csv", "overlay", "plot", "config", "force", "quiet", "timeout"})
"""Options that no clip has of its own: the batch names its outputs and sets its limits itself."""
FILES = ("track", "camera", "weights", "detector")
"""Options that name a file, whose content a result depends on."""

_WHOLE = re.compile(r"[+-]?\d{1,18}")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One clip (None: a table of tracked coordinates, named by the option ``track``) and what is told of it.

    ``name`` is that of its report, which depends on the clip's absolute path and on what is told of this clip alone.
    """

    path: str | None
    told: Mapping[str, Any]
    name: str

    @property
    def source(self) -> str:
        """The file that is read."""
        return self.path if self.path is not None else str(self.told[TRACK])


@dataclass(frozen=True, slots=True)
class Jobs:
    """The clips in the order of the table, and how many files in the folders were passed over."""

    jobs: tuple[Job, ...]
    passed_over: int


def find_jobs(paths: Sequence[str | Path], options: Mapping[str, object]) -> Jobs:
    """The clips that files, folders, globs and CSV tables of jobs name, each once, with their options.

    Folders are searched through, hidden entries and links to folders left out. A table has a column ``video`` (or ``track``) and any options
    of `newtonscheme.Options` as further columns; its relative paths start at its own folder, an empty cell is "not told".

    Args:
        paths: what was asked for.
        options: what is told of all clips; a table's cells win.

    Raises:
        UsageError: an option cannot be meant, a table is no table of jobs (the message names line and column), or there is no clip.
    """
    common = _told(options)
    found: dict[str, Job] = {}
    passed_over = 0
    for path in paths:
        for one in _expand(os.fspath(path)):
            if one.lower().endswith(TABLE_SUFFIX) and Path(one).is_file():
                jobs: Iterable[Job] = _read_table(one, common)
            elif Path(one).is_dir():
                files, others = _search(one)
                passed_over += others
                jobs = [_make_job(file, common, {}) for file in files]
            else:
                jobs = [_make_job(one, common, {})]
            for job in jobs:
                found.setdefault(job.name, job)
    if not found:
        where = ", ".join(f"'{printable(os.fspath(path))}'" for path in paths) or "nothing"
        raise UsageError(f"found no clip in {where}; give videos, folders of videos, or a CSV table with a column 'video'")
    return Jobs(tuple(found.values()), passed_over)


def _told(options: Mapping[str, object]) -> dict[str, Any]:
    """The options that differ from their defaults, checked, a configuration file read into them."""
    resolved = resolve_options(options)
    return {
        field.name: value
        for field in fields(Options)
        if field.name not in OF_THE_RUN and (value := getattr(resolved, field.name)) != field.default and value is not None
    }


def _expand(path: str) -> list[str]:
    """The path itself, or what it matches where it is a pattern and no file."""
    if os.path.lexists(path) or not glob.has_magic(path):
        return [path]
    matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207  (the pattern may be absolute)
    if not matches:
        raise UsageError(f"found no file that matches '{printable(path)}'; correct the pattern")
    return matches


def _search(folder: str) -> tuple[list[str], int]:
    """The videos in a folder and below it, in the order of their names, and how many other or hidden files there are."""
    files, others = [], 0
    for place, folders, names in os.walk(folder):
        # Sorted in place: this is also the order in which the walk goes on.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.startswith(".") or Path(name).suffix.lower() not in SUFFIXES:
                others += 1
            else:
                files.append(os.path.join(place, name))  # noqa: PTH118  (a path as the user wrote it, which pathlib would tidy)
    return files, others


def _make_job(path: str | None, common: Mapping[str, Any], own: Mapping[str, Any]) -> Job:
    told = {**common, **own}
    source = path if path is not None else str(told[TRACK])
    identity = [os.fsencode(os.path.abspath(source)).hex(), {name: value for name, value in sorted(own.items()) if name != TRACK}]  # noqa: PTH100
    digest = hashlib.sha256(json.dumps(identity, default=list).encode()).hexdigest()[:DIGEST_LENGTH]
    plain = "".join(character if character.isalnum() or character in "._-" else "_" for character in Path(source).name)
    return Job(path=path, told=told, name=f"{plain.lstrip('.-')[:NAME_LENGTH] or '_'}-{digest}")


def _read_table(path: str, common: Mapping[str, Any]) -> Iterator[Job]:
    name = printable(path)
    rows = _read_rows(path, name)
    header = [cell.strip().lower().replace("-", "_") for cell in next(rows, (0, []))[1]]
    _check_header(header, name)
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise UsageError(f"{name}, line {line}: found {len(cells)} cells, needed {len(header)} as in the header")
        own = {key: cell.strip() for key, cell in zip(header, cells, strict=True) if cell.strip()}
        yield _make_row(own, common, name, line, Path(path).parent)


def _read_rows(path: str, name: str) -> Iterator[tuple[int, list[str]]]:
    try:
        size = Path(path).stat().st_size
        if size > LARGEST_TABLE_BYTES:
            raise UsageError(f"{name}: {size} bytes; needed a table of jobs, at most {LARGEST_TABLE_BYTES}")
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{name}: not UTF-8 text; needed a table of jobs") from None
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {(error.strerror or str(error)).lower()}; needed a table of jobs") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise UsageError(f"{name}, line {reader.line_num}: {error}; needed a table of jobs") from None


def _check_header(header: Sequence[str], name: str) -> None:
    allowed = {VIDEO} | set(get_type_hints(Options)) - OF_THE_RUN
    if VIDEO not in header and TRACK not in header:
        raise UsageError(f"{name}, line 1: found no column '{VIDEO}', needed one with a path in each row")
    for number, title in enumerate(header, 1):
        if title not in allowed:
            raise UsageError(f"{name}, line 1, column {number}: found '{printable(title)}', needed '{VIDEO}' or an option of a clip")
        if title in header[: number - 1]:
            raise UsageError(f"{name}, line 1, column {number}: found '{printable(title)}' twice; keep one")


def _make_row(cells: Mapping[str, str], common: Mapping[str, Any], name: str, line: int, folder: Path) -> Job:
    own = {option: _parse(option, cell, f"{name}, line {line}, column '{option}'") for option, cell in cells.items() if option != VIDEO}
    for option in FILES:
        if option in own:
            own[option] = str(folder / cells[option])
    path = None if VIDEO not in cells else str(folder / cells[VIDEO])
    if (path is None) == (TRACK not in own and TRACK not in common):
        raise UsageError(f"{name}, line {line}: needed either a video or a track")
    try:
        checked = asdict(resolve_options({**common, **own}))
    except UsageError as error:
        raise UsageError(f"{name}, line {line}: {error}") from None
    return _make_job(path, common, {option: checked[option] for option in own})


def _parse(option: str, cell: str, place: str) -> object:
    """A cell as the kind of value that its option takes."""
    hint = get_type_hints(Options)[option]
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not NoneType]
    if str in kinds or any(get_args(kind) for kind in kinds):
        return cell
    form = _NUMBER if float in kinds else _WHOLE
    if not form.fullmatch(cell):
        raise UsageError(f"{place}: found '{printable(cell)}', needed a {'number' if float in kinds else 'whole number'}")
    return float(cell) if float in kinds else int(cell)
