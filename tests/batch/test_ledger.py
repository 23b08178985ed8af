"""The folder of a batch's results belongs to one batch at a time, and to nothing else that is in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from newtonscheme import __version__
from newtonscheme.batch.ledger import Ledger, check_same_options, is_current
from newtonscheme.errors import UsageError
from newtonscheme.report import SCHEMA

STAMP: dict[str, Any] = {"sha256": "0" * 64, "options": {"level": 0.9}, "files": {}, "limits": None}
DOCUMENT: dict[str, Any] = {"schema": SCHEMA, "version": __version__, "batch": STAMP}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path / "out", force=False)) as made:
        yield made


def test_what_is_written_is_found(ledger: Ledger) -> None:
    assert ledger.find("a") is None
    ledger.write("a", json.dumps(DOCUMENT))
    assert ledger.find("a") == DOCUMENT


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": "newtonscheme.report/1"}', '{"schema": NaN}', "[" * 100_000, "\udce9"])
def test_a_file_that_is_no_report_of_a_batch_is_neither_believed_nor_replaced(ledger: Ledger, content: str) -> None:
    ledger.file("a").write_text(content, errors="surrogateescape")
    with pytest.raises(UsageError, match=r"no batch's report.*--force"):
        ledger.find("a")


def test_force_replaces_a_strangers_file_but_writes_through_no_link(tmp_path: Path) -> None:
    with closing(Ledger(tmp_path / "out", force=True)) as ledger:
        ledger.file("a").write_text("mine")
        assert ledger.find("a") is None
        ledger.write("a", "{}")
        (tmp_path / "precious").write_text("mine")
        ledger.file("b").symlink_to(tmp_path / "precious")
        with pytest.raises(UsageError, match="symbolic link"):
            ledger.write("b", "{}")
    assert (tmp_path / "precious").read_text() == "mine"


def test_two_batches_never_write_into_one_folder(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="another `ns batch`"):
        Ledger(ledger.folder, force=False)


def test_a_closed_ledger_lets_the_next_batch_in(tmp_path: Path) -> None:
    for _ in range(3):
        Ledger(tmp_path / "out", force=False).close()


def test_what_a_killed_batch_left_half_written_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / ".ns-0123456789abcdef.part").write_text("{")
    (tmp_path / ".ns-notes.part").write_text("mine")
    Ledger(tmp_path, force=False).close()
    assert [entry.name for entry in tmp_path.iterdir()] == [".ns-notes.part"]


@pytest.mark.parametrize("place", ["missing/out", "file"])
def test_a_folder_that_cannot_be_made_is_a_usage_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="--out: cannot make"):
        Ledger(tmp_path / place, force=False)


@pytest.mark.parametrize("change", [{"sha256": "1" * 64}, {"files": {"camera": "2" * 64}}])
def test_a_report_of_another_input_is_not_current(change: dict[str, Any]) -> None:
    now = {"sha256": STAMP["sha256"], "files": STAMP["files"], "limits": {"wall_s": 1.0}}
    assert is_current(DOCUMENT, **now)
    assert not is_current(DOCUMENT, **(now | change))
    assert not is_current(DOCUMENT | {"version": "0.0.0"}, **now)


def test_a_limit_that_was_reached_is_tried_again_only_with_another() -> None:
    limited = DOCUMENT | {"batch": STAMP | {"limits": {"wall_s": 1.0}}}
    assert is_current(limited, STAMP["sha256"], {}, {"wall_s": 1.0})
    assert not is_current(limited, STAMP["sha256"], {}, {"wall_s": 2.0})


def test_results_of_other_options_are_not_lost() -> None:
    check_same_options(DOCUMENT, {"level": 0.9}, "a")
    with pytest.raises(UsageError, match=r"made with another --level, --object-index; .*--force"):
        check_same_options(DOCUMENT, {"level": 0.5, "object_index": 1}, "a")
