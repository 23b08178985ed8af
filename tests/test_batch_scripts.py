"""The two worked examples in scripts/: a folder of clips becomes a table that answers a question."""

from __future__ import annotations

import csv
import io
import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(ROOT / "scripts" / script), *words], capture_output=True, text=True, check=False,
                          env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip


def truth(stem: str) -> dict[str, Any]:
    return dict(json.loads((ROOT / "data" / f"{stem}.truth.json").read_text())["parameters"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a lab has: a good clip, one of something else, and one that was cut."""
    for name in ("pendulum.mp4", "free_kick.mp4"):
        shutil.copy(ROOT / "data" / name, tmp_path)
    (tmp_path / "cut.mp4").write_bytes((ROOT / "data" / "throw.mp4").read_bytes()[:3000])
    return tmp_path


def test_the_mean_of_many_clips_keeps_the_lengths_uncertainty_and_no_more() -> None:
    average = runpy.run_path(str(ROOT / "scripts" / "measure-gravity"))["average"]
    rng = np.random.default_rng(0)
    own, shared, n = 0.05, 0.001, 400
    sigma = float(np.hypot(own, shared * 9.81))
    mean, error, chi2 = average([(9.81 + own * z, sigma) for z in rng.normal(size=n)], shared)
    assert abs(mean - 9.81) < 4 * own / np.sqrt(n)
    assert np.isclose(error, np.hypot(own / np.sqrt(n), shared * 9.81), rtol=0.1)
    assert 0.7 < chi2 < 1.4


def test_clips_that_scatter_more_than_they_may_widen_the_mean() -> None:
    average = runpy.run_path(str(ROOT / "scripts" / "measure-gravity"))["average"]
    calm, wild = (average([(9.81 - spread, 0.01), (9.81 + spread, 0.01)], 0.0) for spread in (0.001, 0.1))
    assert np.isclose(calm[0], wild[0])
    assert wild[1] > 5 * calm[1]


def test_a_wrong_length_is_one_line() -> None:
    ended = run("measure-gravity", str(ROOT / "data"), "--length", "long")
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_folder_of_pendulums_becomes_a_table_of_g(folder: Path, tmp_path: Path) -> None:
    known = truth("pendulum")
    ended = run("measure-gravity", str(folder), "--length", f"{known['length']['value']}±0.001", "--out", str(tmp_path / "out"))
    assert ended.returncode == 0, ended.stderr
    rows = {Path(row["path"]).name: row for row in csv.DictReader(io.StringIO(ended.stdout))}
    swing = rows["pendulum.mp4"]
    assert abs(float(swing["g"]) - known["g"]["value"]) < 3 * float(swing["g_sigma"])
    assert float(swing["g_sigma"]) < 0.1
    assert (rows["cut.mp4"]["status"], rows["cut.mp4"]["g"]) == ("error", "")
    assert rows["free_kick.mp4"]["g"] == ""
    assert "from 1 of 3 clips" in ended.stderr


@pytest.mark.slow
def test_a_season_of_kicks_becomes_a_table_of_spin_and_speed(folder: Path) -> None:
    known = truth("free_kick")
    ended = run("measure-kicks", str(folder))
    assert ended.returncode == 0, ended.stderr
    first, *others = csv.DictReader(io.StringIO(ended.stdout))
    assert first["clip"] == "free_kick.mp4"
    assert abs(float(first["speed_km_h"]) / 3.6 - known["speed"]["value"]) < 3 * float(first["speed_km_h_sigma"]) / 3.6
    assert abs(float(first["spin_rps"]) - known["spin_rate_rps"]["value"]) < 3 * float(first["spin_rps_sigma"])
    assert all(row["speed_km_h"] == "" and row["why_not"] for row in others)
