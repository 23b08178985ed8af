"""The same work on a Dask cluster gives the same bytes, also when a worker is lost in mid-run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from newtonscheme.batch.isolation import PACKAGE_ROOT
from newtonscheme.cli import main

pytest.importorskip("distributed")

CLIPS = 6
START_S = 60.0
"""A scheduler and its workers start in seconds; a busy machine may need more."""
ENVIRONMENT = os.environ | {"PYTHONPATH": PACKAGE_ROOT, "DASK_DISTRIBUTED__DIAGNOSTICS__NVML": "False"}
NS = "import sys; from newtonscheme.cli import main; sys.exit(main())"


def start(stack: ExitStack, module: str, *words: str, cwd: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-m", module, *words, "--no-dashboard"], env=ENVIRONMENT, cwd=cwd,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip

    def end() -> None:
        process.kill()
        process.wait()

    stack.callback(end)
    return process


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The address of a scheduler, and its two workers."""
    file = tmp_path / "scheduler.json"
    with ExitStack() as stack:
        start(stack, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file), cwd=tmp_path)
        deadline = time.monotonic() + START_S
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        words = (address, "--nthreads", "1", "--no-nanny", "--local-directory", str(tmp_path))
        yield address, [start(stack, "distributed.cli.dask_worker", *words, cwd=tmp_path) for _ in range(2)]


@pytest.mark.slow
def test_a_worker_that_is_lost_in_mid_run_loses_nothing(tmp_path: Path, cluster: tuple[str, list[subprocess.Popen[bytes]]]) -> None:
    address, workers = cluster
    clips = tmp_path / "clips"
    clips.mkdir()
    for number in range(CLIPS):
        shutil.copy(Path(PACKAGE_ROOT) / "data" / "throw.mp4", clips / f"{number}.mp4")
    (clips / "cut.mp4").write_bytes((clips / "0.mp4").read_bytes()[:3000])
    words = ["batch", str(clips), "--out", str(tmp_path / "far"), "--scheduler", address]
    batch = subprocess.Popen([sys.executable, "-c", NS, *words], env=ENVIRONMENT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert batch.stderr is not None
    first = batch.stderr.readline()
    assert first.startswith(f"[1/{CLIPS + 1}]")
    workers[0].kill()
    _, rest = batch.communicate(timeout=300)
    assert batch.returncode == 3, rest
    assert "Traceback" not in rest
    assert main(["batch", str(clips), "--out", str(tmp_path / "near"), "--quiet"]) == 3
    near, far = ({entry.name: entry.read_bytes() for entry in (tmp_path / name).iterdir()} for name in ("near", "far"))
    assert near == far
    assert len(near) == CLIPS + 3 if "batch.parquet" in near else CLIPS + 2


def test_a_scheduler_that_is_not_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("newtonscheme.batch.cluster.CONNECT_S", 0.2)
    (tmp_path / "a.mp4").touch()
    assert main(["batch", str(tmp_path / "a.mp4"), "--out", str(tmp_path / "out"), "--scheduler", "tcp://127.0.0.1:9", "--quiet"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot reach" in line
