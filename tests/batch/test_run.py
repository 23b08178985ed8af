"""A batch handles every clip, loses nothing when it is cut, and does nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import newtonscheme
from newtonscheme.batch.isolation import PACKAGE_ROOT, Limits
from newtonscheme.batch.run import Result, run_batch
from newtonscheme.cli import main
from newtonscheme.errors import UsageError

MakeClips = Callable[..., Path]
pytestmark = pytest.mark.usefixtures("laboratory")


def contents(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


def run(clips: Path, out: Path, **changes: Any) -> list[Result]:
    """A batch's results in the order in which they are told."""
    told: list[Result] = []
    run_batch([clips], out=out, options={}, **({"jobs": 1, "tell": told.append} | changes))
    return told


class Cut(BaseException):
    pass


def test_a_bad_clip_is_a_row_and_not_a_stop(make_clips: MakeClips, tmp_path: Path) -> None:
    clips = make_clips(a="segfault", b="forecast", c="refused", d="UnreadableInput")
    rows = newtonscheme.predict_many(clips, out=tmp_path / "out", jobs=2)
    assert [row["status"] for row in rows] == ["error", "forecast", "refused", "error"]
    reports = {entry.name for entry in (tmp_path / "out").iterdir()} - {"batch.csv", "batch.parquet"}
    assert reports == {row["report"] for row in rows}


def test_a_batch_that_was_cut_goes_on_and_ends_with_the_same_bytes(make_clips: MakeClips, tmp_path: Path) -> None:
    clips = make_clips(a="forecast", b="refused", c="segfault", d="forecast")
    whole = run(clips, tmp_path / "whole")
    assert [result.done for result in whole] == [1, 2, 3, 4]

    def cut(result: Result) -> None:
        if result.done == 2:
            raise Cut

    with pytest.raises(Cut):
        run(clips, tmp_path / "out", tell=cut)
    kept = {entry: entry.stat().st_ino for entry in (tmp_path / "out").iterdir()}
    assert len(kept) == 2
    resumed = run(clips, tmp_path / "out", jobs=2)
    assert [result.reused for result in resumed] == [True, True, False, False]
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert all(entry.stat().st_ino == number for entry, number in kept.items())


def test_a_clip_that_has_changed_is_done_again_and_no_other(make_clips: MakeClips, tmp_path: Path) -> None:
    clips = make_clips(a="forecast", b="refused")
    run(clips, tmp_path / "out")
    make_clips(b="forecast")
    again = {Path(str(result.row["path"])).stem: result for result in run(clips, tmp_path / "out")}
    assert (again["a"].reused, again["b"].reused) == (True, False)
    assert again["b"].row["status"] == "forecast"


def test_a_clip_that_reached_a_limit_is_done_again_with_a_higher_one(make_clips: MakeClips, tmp_path: Path) -> None:
    clips = make_clips(a="slow 1")
    low, high = Limits(wall_s=0.3), Limits(wall_s=30.0)
    ends = [run(clips, tmp_path / "out", limits=limits)[0] for limits in (low, low, high)]
    assert [(result.row["error"], result.reused) for result in ends] == [("limit", False), ("limit", True), (None, False)]


def test_other_options_do_not_replace_results_without_force(make_clips: MakeClips, tmp_path: Path) -> None:
    clips = make_clips(a="forecast")
    run(clips, tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(UsageError, match="--level"):
        run_batch([clips], out=tmp_path / "out", options={"level": 0.5})
    assert contents(tmp_path / "out") == before
    (row,) = newtonscheme.predict_many(clips, out=tmp_path / "out", level=0.5, force=True)
    assert json.loads((tmp_path / "out" / str(row["report"])).read_text())["batch"]["options"] == {"level": 0.5}


def test_without_a_folder_nothing_is_kept(make_clips: MakeClips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = make_clips(a="forecast")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    (row,) = newtonscheme.predict_many(str(clips))
    assert row["report"] is None
    assert sorted(tmp_path.rglob("*")) == before


def test_the_time_left_is_told_with_every_clip_but_what_was_done_before(make_clips: MakeClips, tmp_path: Path) -> None:
    told = run(make_clips(a="forecast", b="forecast"), tmp_path / "out")
    assert told[0].left_s is not None
    assert told[0].left_s > 0
    assert told[-1].left_s == 0


@pytest.mark.parametrize(
    ("clips", "code"), [({"a": "forecast", "b": "refused"}, 0), ({"a": "UnreadableInput", "b": "forecast"}, 3), ({"a": "NothingTrackable"}, 4),
                        ({"a": "UnreadableInput", "b": "NothingTrackable"}, 3), ({"a": "bug", "b": "NothingTrackable"}, 1)],
)  # fmt: skip
def test_the_exit_code_says_whether_clips_failed_and_one_line_counts_them(
    make_clips: MakeClips, tmp_path: Path, capsys: pytest.CaptureFixture[str], clips: dict[str, str], code: int
) -> None:
    assert main(["batch", str(make_clips(**clips)), "--out", str(tmp_path / "out"), "--quiet"]) == code
    failed = sum(word not in ("forecast", "refused") for word in clips.values())
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == (failed > 0)
    assert all(line.startswith(f"ns: error: {failed} of {len(clips)} clips failed") for line in lines)


def test_each_clip_is_a_line_as_it_is_finished(make_clips: MakeClips, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips = make_clips(a="forecast", b="refused")
    arguments = ["batch", str(clips), "--out", str(tmp_path / "out"), "--jobs", "1"]
    assert main(arguments) == 0
    first, second = capsys.readouterr().err.splitlines()
    assert "[1/2]" in first
    assert "left" in first
    assert "refused (unknown_pattern)" in second
    assert main(arguments) == 0
    assert capsys.readouterr().err.splitlines() == ["2 of 2 clips were done before"]


def start_batch(laboratory: str, *words: str, before: str = "") -> subprocess.Popen[str]:
    call = (
        f"import sys, newtonscheme.batch.isolation as isolation\n{before}\nisolation.START = {laboratory!r}\n"
        "from newtonscheme.cli import main\nsys.exit(main())"
    )
    return subprocess.Popen([sys.executable, "-c", call, "batch", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=os.environ | {"PYTHONPATH": PACKAGE_ROOT})  # fmt: skip


def test_ctrl_c_ends_with_130_and_keeps_what_is_finished(make_clips: MakeClips, tmp_path: Path, laboratory: str) -> None:
    # The larger file is worked on first.
    clips = make_clips(a="forecast" + " " * 1000, b="hang")
    process = start_batch(laboratory, str(clips), "--out", str(tmp_path / "out"), "--jobs", "1")
    assert process.stderr is not None
    assert "[1/2]" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    (kept,) = (tmp_path / "out").iterdir()
    assert json.loads(kept.read_text())["status"] == "forecast"


def test_a_full_disk_is_one_line_and_leaves_no_torn_file(make_clips: MakeClips, tmp_path: Path, laboratory: str) -> None:
    full = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))"
    process = start_batch(laboratory, str(make_clips(a="forecast")), "--out", str(tmp_path / "out"), "--quiet", before=full)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 6
    assert len(err.splitlines()) == 1
    assert list((tmp_path / "out").iterdir()) == []
