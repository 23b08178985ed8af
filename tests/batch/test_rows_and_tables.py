"""One row a clip, the same columns whatever is in it, ready for a data frame."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import pytest
from helpers import make_refused_report, make_report

from newtonscheme.batch.rows import Row, column_names, make_row, parameter_names
from newtonscheme.batch.tables import check_tables, write_tables
from newtonscheme.errors import UnreadableInput, UsageError
from newtonscheme.physics.models import PATTERNS
from newtonscheme.report import error_to_json, report_to_json

FAILED = error_to_json(UnreadableInput("found noise, needed a video"), "cut.mp4", "0.1.0")


def rows() -> list[Row]:
    documents: list[dict[str, Any]] = [report_to_json(make_report()), report_to_json(make_refused_report()), FAILED]
    return [make_row(document, f"clip{number}.mp4", f"clip{number}.json") for number, document in enumerate(documents)]


def test_every_row_has_every_column_and_no_number_that_is_none() -> None:
    for row in rows():
        assert set(row) == set(column_names(seconds=True))
        assert all(value is None or isinstance(value, str) or math.isfinite(value) for value in row.values())


def test_a_forecast_has_every_headline_quantity_with_its_sigma() -> None:
    row = rows()[0]
    assert (row["status"], row["pattern"], row["verdict"], row["object"]) == ("forecast", "free_fall", "stable", "tennis ball")
    for name in ("g", "speed", "launch_angle_deg", "drag_coefficient", "mass_kg", "diameter_m", "px_per_m"):
        assert isinstance(row[name], float)
        assert isinstance(row[f"{name}_sigma"], float)
    assert row["warnings"] == "clock_hole"
    assert row["score_coverage"] == 0.9


def test_numbers_of_a_refused_pattern_are_not_in_the_table() -> None:
    row = rows()[1]
    assert (row["status"], row["refusal"]) == ("refused", "unknown_pattern")
    assert all(row[name] is None for name in (*parameter_names(), "mass_kg", "forecast_t_s"))


def test_a_failure_says_what_was_found() -> None:
    row = rows()[2]
    assert (row["status"], row["error"], row["error_exit"], row["error_message"]) == ("error", "unreadable", 3, "found noise, needed a video")


def test_every_pattern_has_its_parameters_in_the_table() -> None:
    assert len(PATTERNS) > 1
    assert {"g", "speed", "length", "period", "spin_rate_rps"} <= set(parameter_names())


def test_a_name_cannot_move_the_cursor_or_be_a_formula(tmp_path: Path) -> None:
    row = make_row(FAILED, "=cmd|' /C calc'!A0\x1b[2J.mp4", None)
    write_tables([row], tmp_path, seconds=False)
    with (tmp_path / "batch.csv").open(newline="") as file:
        (read,) = csv.DictReader(file)
    assert read["path"].startswith("'=cmd")
    assert "\x1b" not in read["path"]


def test_the_table_reads_back(tmp_path: Path) -> None:
    write_tables(rows(), tmp_path, seconds=False)
    with (tmp_path / "batch.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert tuple(read[0]) == column_names()
    for row, cells in zip(rows(), read, strict=True):
        for name, cell in cells.items():
            known = row[name]
            assert cell == "" if known is None else cell == known if isinstance(known, str) else float(cell) == known


def test_parquet_holds_the_same_table(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write_tables(rows(), tmp_path, seconds=False)
    table = parquet.read_table(tmp_path / "batch.parquet")
    assert tuple(table.column_names) == column_names()
    assert table.to_pylist() == [{name: row[name] for name in column_names()} for row in rows()]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_rows_are_a_data_frame_as_they_are(library: str) -> None:
    frame = pytest.importorskip(library).DataFrame(rows())
    assert frame.shape == (3, len(column_names(seconds=True)))
    assert list(frame["status"]) == ["forecast", "refused", "error"]


@pytest.mark.parametrize("name", ["batch.csv", "batch.parquet"])
def test_a_strangers_table_is_not_replaced_without_force(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match="no batch's table"):
        check_tables(tmp_path, force=False)
    check_tables(tmp_path, force=True)


def test_our_own_table_is_replaced(tmp_path: Path) -> None:
    for _ in range(2):
        check_tables(tmp_path, force=False)
        write_tables(rows(), tmp_path, seconds=False)
