"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from newtonscheme.errors import LimitReached, UsageError
from newtonscheme.files import check_output, replacing, write_text


def test_a_written_file_holds_the_text(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "grün\n")
    assert (tmp_path / "a.txt").read_bytes() == "grün\n".encode()


def test_a_dash_is_standard_output(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    write_text("-", "±\n")
    assert capsysbinary.readouterr().out == "±\n".encode()


def test_nothing_is_left_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="half way"), replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise RuntimeError("half way")
    assert list(tmp_path.iterdir()) == []


def test_the_old_file_stays_whole_when_the_work_fails(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(target, force=True) as temporary:
        temporary.write_text("half of the new")
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with replacing(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"


def test_an_existing_file_is_replaced_only_by_force(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(UsageError, match="exists"):
        write_text(target, "new")
    write_text(target, "new", force=True)
    assert target.read_text() == "new"


def test_not_even_force_replaces_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_text("the only copy")
    (tmp_path / "other.mp4").hardlink_to(tmp_path / "film.mp4")
    for target in ("film.mp4", "other.mp4"):
        with pytest.raises(UsageError, match="read as the input"):
            check_output(tmp_path / target, force=True, sources=[tmp_path / "film.mp4"])
    check_output(tmp_path / "new.mp4", force=True, sources=[tmp_path / "film.mp4", tmp_path / "missing.mp4"])


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    with pytest.raises(UsageError, match="symbolic link"):
        write_text(tmp_path / "link.txt", "new", force=True)
    assert (tmp_path / "real.txt").read_text() == "old"


def test_places_that_cannot_be_written_are_told_before_any_work(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for target, reason in (
        (tmp_path, "it is a folder"),
        (tmp_path / "missing" / "a.txt", "does not exist"),
        (tmp_path / "pipe", "no regular file"),
        (tmp_path / ("x" * 300), "name too long"),
        ("a\0b", "null"),
    ):
        with pytest.raises(UsageError, match=reason) as found:
            check_output(target, force=True)
        assert str(found.value).count("cannot write") == 1


def test_an_ending_is_asked_for_where_it_decides_the_format(tmp_path: Path) -> None:
    check_output(tmp_path / "film.MP4", force=False, suffixes=(".mp4",))
    with pytest.raises(UsageError, match=r"must end in \.mp4"):
        check_output(tmp_path / "film.avi", force=False, suffixes=(".mp4",))
    with pytest.raises(UsageError, match="standard output"):
        check_output("-", force=False, suffixes=(".mp4",))


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, LimitReached), (errno.EFBIG, LimitReached), (errno.EIO, UsageError)])
def test_a_disk_that_fails_is_one_line_that_names_the_file(tmp_path: Path, number: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"cannot write '.*a\.txt'"), replacing(tmp_path / "a.txt"):
        raise OSError(number, os.strerror(number))
    assert list(tmp_path.iterdir()) == []
