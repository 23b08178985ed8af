"""A clip that crashes, hangs or eats memory takes down nothing but its own row."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import newtonscheme
from newtonscheme.batch import isolation
from newtonscheme.batch.isolation import PACKAGE_ROOT, Limits, Task, Worker, work_isolated

MakeClips = Callable[..., Path]
QUICK = Limits(wall_s=0.5, memory_mb=1024.0)
PATIENT = Limits(wall_s=30.0, memory_mb=1024.0)


def ask(worker: Worker, clip: Path, limits: Limits = PATIENT) -> dict[str, Any]:
    return dict(json.loads(worker.ask(Task(str(clip), {}, {}), limits).document))


@pytest.mark.usefixtures("laboratory")
def test_whatever_a_clip_does_to_its_process_there_is_a_report_and_the_next_clip_is_well(make_clips: MakeClips) -> None:
    target = make_clips() / "out.txt"
    clips = make_clips(
        a="segfault", b="vanish", c="memory", d="bug", e=f"write {target}", f="hang", g="UnreadableInput", h="murder", i="forecast"
    )  # fmt: skip
    worker = Worker()
    try:
        ends = {clip.stem: ask(worker, clip, QUICK if clip.stem == "f" else PATIENT) for clip in sorted(clips.glob("*.mp4"))}
    finally:
        worker.close()
    codes = {stem: (document["error"] or {}).get("code") for stem, document in ends.items()}
    assert codes == {
        "a": "unreadable", "b": "bug", "c": "limit", "d": "bug", "e": "bug", "f": "limit", "g": "unreadable", "h": "limit", "i": None,
    }  # fmt: skip
    assert "SIGSEGV" in ends["a"]["error"]["message"]
    assert "--memory" in ends["c"]["error"]["message"]
    assert "ZeroDivisionError" in ends["d"]["error"]["message"]
    assert "--timeout" in ends["f"]["error"]["message"]
    assert ends["i"]["status"] == "forecast"
    assert not target.exists() or target.stat().st_size == 0
    assert all("\n" not in document["error"]["message"] for stem, document in ends.items() if stem != "i")


@pytest.mark.usefixtures("laboratory")
def test_every_report_says_what_it_was_made_from(make_clips: MakeClips) -> None:
    clips = make_clips(good="forecast", crashed="segfault")
    worker = Worker()
    try:
        stamps = [ask(worker, clips / name)["batch"] for name in ("good.mp4", "crashed.mp4")]
    finally:
        worker.close()
    assert all(len(stamp["sha256"]) == 64 and stamp["limits"] is None for stamp in stamps)


@pytest.mark.usefixtures("laboratory")
def test_a_file_beyond_its_limit_is_not_read(make_clips: MakeClips) -> None:
    clips = make_clips(large="forecast" + " " * 3_000_000)
    worker = Worker()
    try:
        document = ask(worker, clips / "large.mp4", Limits(file_mb=1.0))
    finally:
        worker.close()
    assert document["error"]["code"] == "limit"
    assert "--file-size" in document["error"]["message"]


@pytest.mark.usefixtures("laboratory")
def test_a_batch_that_is_left_reads_nothing_from_pipes_that_are_made_after_it(make_clips: MakeClips, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that is closed gives its number to the next one, whose content a thread that still waits at it would read away."""
    clips, ready = make_clips(a="forecast", b="hang"), isolation.select.select

    def slow(*pipes: Any) -> Any:
        found = ready(*pipes)
        time.sleep(0.2)
        return found

    monkeypatch.setattr(isolation.select, "select", slow)
    answers = work_isolated([Task(str(clips / name), {}, {}) for name in ("a.mp4", "b.mp4")], PATIENT, 1)
    next(answers)
    time.sleep(0.1)
    answers.close()
    pipes = [os.pipe() for _ in range(3)]
    for _, writing in pipes:
        os.write(writing, b"mine")
    time.sleep(0.5)
    for reading, writing in pipes:
        os.set_blocking(reading, False)
        assert os.read(reading, 4) == b"mine"
        os.close(reading)
        os.close(writing)


@pytest.mark.usefixtures("laboratory")
def test_a_closed_worker_leaves_no_process_behind(make_clips: MakeClips) -> None:
    worker = Worker()
    ask(worker, make_clips(a="forecast") / "a.mp4")
    process = worker._process
    assert process is not None
    worker.close()
    assert process.poll() is not None


def test_a_clip_in_work_ends_with_the_batch_that_was_killed(make_clips: MakeClips, laboratory: str) -> None:
    clips = make_clips(a="hang")
    call = (
        f"import sys, threading, newtonscheme.batch.isolation as isolation\nisolation.START = {laboratory!r}\n"
        "worker = isolation.Worker()\nprint(worker._start().pid, flush=True)\n"
        f"worker.ask(isolation.Task({str(clips / 'a.mp4')!r}, {{}}, {{}}), isolation.Limits())\n"
    )
    batch = subprocess.Popen([sys.executable, "-c", call], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": PACKAGE_ROOT})
    assert batch.stdout is not None
    worker = int(batch.stdout.readline())
    batch.send_signal(signal.SIGKILL)
    batch.wait()
    batch.stdout.close()
    wait_until_gone(worker)


def wait_until_gone(pid: int) -> None:
    # The test run fails by its own limit if this never ends.
    for _ in range(2000):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return
            os.kill(pid, 0)
        except OSError:
            return
        time.sleep(0.01)
    pytest.fail("the worker outlived its batch")


def test_a_module_in_the_folder_of_clips_is_not_imported(make_clips: MakeClips, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = make_clips(a="forecast")
    (clips / "json.py").write_text("raise SystemExit('let in')")
    monkeypatch.chdir(clips)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    worker = Worker()
    try:
        document = ask(worker, clips / "a.mp4")
    finally:
        worker.close()
    assert document["error"]["code"] == "unreadable"
    assert document["version"] == newtonscheme.__version__
