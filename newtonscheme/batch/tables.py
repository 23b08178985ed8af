"""One table of all clips: CSV, and Parquet where pyarrow is installed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from ..errors import UsageError
from ..files import PART, replacing, write_text
from ..notation import delimited, printable
from .rows import Row, column_names

CSV_NAME, PARQUET_NAME = "batch.csv", "batch.parquet"
WHOLE = frozenset({"n_frames", "error_exit"})
TEXT = frozenset({
    "path", "status", "pattern", "verdict", "object", "scale_source", "forecast_stop", "refusal", "warnings", "error", "error_message",
    "time_source", "sha256", "report",
})  # fmt: skip
PARQUET_MARK = b"PAR1"


def check_tables(folder: Path, *, force: bool) -> None:
    """Refuse, before any work, a folder that holds a table of somebody else's under our name.

    Raises:
        UsageError: there is one, and it may not be replaced.
    """
    if force:
        return
    header = delimited([column_names()], ",").rstrip("\n").encode()
    for name, mark in ((CSV_NAME, header), (PARQUET_NAME, PARQUET_MARK)):
        file = folder / name
        if not (file.exists() or file.is_symlink()):
            continue
        with file.open("rb") as content:
            if file.is_symlink() or content.read(len(mark)) != mark:
                raise UsageError(f"cannot write '{printable(str(file))}': it exists and is no batch's table; allow replacing it with --force")


def write_tables(rows: Sequence[Row], folder: Path, *, seconds: bool) -> list[Path]:
    """Write the table of all rows; returns the files.

    Raises:
        UsageError: a file cannot be written.
        LimitReached: no room is left on the disk.
    """
    columns = column_names(seconds=seconds)
    write_text(folder / CSV_NAME, delimited((columns, *([row[name] for name in columns] for row in rows)), ","), force=True)
    written = [folder / CSV_NAME]
    if find_spec("pyarrow") is not None:
        _write_parquet(rows, columns, folder / PARQUET_NAME)
        written.append(folder / PARQUET_NAME)
    return written


def _write_parquet(rows: Sequence[Row], columns: Sequence[str], target: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    kinds = {name: pyarrow.string() if name in TEXT else pyarrow.int64() if name in WHOLE else pyarrow.float64() for name in columns}
    arrays = [pyarrow.array([row[name] for row in rows], kind) for name, kind in kinds.items()]
    with replacing(target, force=True, suffix=PART) as temporary:
        pyarrow.parquet.write_table(pyarrow.table(arrays, names=list(columns)), temporary)
