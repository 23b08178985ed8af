"""Killed at any moment and run again, a batch ends with the same bytes, repeats no finished work and never shows half a file.

The number of kills is 100 in the environment variable ``NS_KILLS=100``, else 12; real clips, real workers, kill -9 of everything at once.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from newtonscheme.batch.isolation import PACKAGE_ROOT

DATA = Path(PACKAGE_ROOT) / "data"
KILLS = int(os.environ.get("NS_KILLS", "12"))
CALL = "import sys; from newtonscheme.cli import main; sys.exit(main())"
WATCH_S = 0.002
"""How often a watcher looks for a half-written file."""


def write_clips(folder: Path) -> None:
    """Tracks as tables beside a film, a cut one and noise: quick enough that a run ends, slow enough that a kill meets work."""
    folder.mkdir()
    t = np.arange(24) / 30.0
    table = ["video,track,units"]
    for number in range(3):
        rows = "".join(f"{a:.5f},{60 + 200 * a:.4f},{300 - (380 + 20 * number) * a + 490.5 * a * a:.4f}\n" for a in t)
        (folder / f"throw{number}.csv").write_text(f"t,x,y\n{rows}")
        table.append(f",throw{number}.csv,px")
    shutil.copy(DATA / "throw.mp4", folder / "film.mp4")
    (folder / "cut.mp4").write_bytes((DATA / "throw.mp4").read_bytes()[:5000])
    (folder / "noise.mp4").write_bytes(random.Random(0).randbytes(5000))
    table += ["film.mp4,,", "cut.mp4,,", "noise.mp4,,"]
    (folder / "jobs.csv").write_text("\n".join(table) + "\n")


def start(clips: Path, out: Path) -> subprocess.Popen[bytes]:
    words = ["batch", str(clips / "jobs.csv"), "--out", str(out), "--jobs", "2", "--quiet"]
    return subprocess.Popen([sys.executable, "-c", CALL, *words], stderr=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": PACKAGE_ROOT})


def contents(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


def finished(folder: Path) -> dict[str, int]:
    """The reports and which file each is: one that is written again is another."""
    return {entry.name: entry.stat().st_ino for entry in folder.glob("*.json")} if folder.exists() else {}


@pytest.fixture
def watch(tmp_path: Path) -> Callable[[], list[str]]:
    """Looks at the folder all the while; the names of files that were seen half written."""
    torn: list[str] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(WATCH_S):
            for entry in (tmp_path / "out").glob("[!.]*"):
                try:
                    content = entry.read_bytes()
                except FileNotFoundError:
                    continue
                if entry.suffix == ".json":
                    try:
                        json.loads(content)
                    except ValueError:
                        torn.append(entry.name)
                elif not content.endswith((b"\n", b"PAR1")):
                    torn.append(entry.name)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()

    def end() -> list[str]:
        stop.set()
        watcher.join()
        return torn

    return end


@pytest.mark.slow
def test_killed_at_random_moments_a_batch_ends_as_if_it_had_not_been(tmp_path: Path, watch: Callable[[], list[str]]) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    write_clips(clips)
    begun = time.monotonic()
    assert start(clips, tmp_path / "whole").wait() == 3
    whole_s = time.monotonic() - begun
    rng, kills, rounds = random.Random(0), 0, 0
    while kills < KILLS:
        process, before = start(clips, out), finished(out)
        time.sleep(rng.uniform(0.0, whole_s))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
        after = finished(out)
        assert before.items() <= after.items(), "finished work was done again"
        if len(after) == 6 and rng.random() < 0.5:
            assert start(clips, out).wait() == 3
            assert contents(out) == contents(tmp_path / "whole")
            shutil.rmtree(out)
            rounds += 1
    assert start(clips, out).wait() == 3
    assert contents(out) == contents(tmp_path / "whole")
    assert watch() == []
    sys.stdout.write(f"{kills} kills over {rounds + 1} batches; {whole_s:.1f} s a batch that is left alone\n")
