"""`ns track` and `ns simulate`: a film made, and the path of what moves in it found again."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from newtonscheme.cli import main


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "fall.mp4"
    assert main(["simulate", "free_fall", "--out", str(path), "--seed", "5", "--size", "320,240", "--fps", "60", "--quiet"]) == 0
    return path


def test_a_simulated_clip_has_its_truth_beside_it(clip: Path) -> None:
    truth = json.loads(clip.with_suffix(".truth.json").read_text())
    assert truth["pattern"] == "free_fall"
    assert len(truth["u_px"]) == truth["video"]["n_frames"]


def test_a_clip_that_is_there_is_kept(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = clip.read_bytes()
    assert main(["simulate", "pendulum", "--out", str(clip)]) == 2
    assert "exists" in capsys.readouterr().err
    assert clip.read_bytes() == before


def test_the_track_goes_to_standard_output_and_is_where_the_truth_is(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["track", str(clip), "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    rows = list(csv.DictReader(io.StringIO(out)))
    truth = json.loads(clip.with_suffix(".truth.json").read_text())
    apart = [np.hypot(float(row["u_px"]) - truth["u_px"][int(row["frame"])], float(row["v_px"]) - truth["v_px"][int(row["frame"])]) for row in rows]
    assert len(rows) > 5
    assert np.median(apart) < 1.0


def test_the_track_goes_to_a_file_in_the_format_asked_for(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "track.trk"
    assert main(["track", str(clip), "--format", "trk", "--out", str(target), "--quiet"]) == 0
    assert "PointMass" in target.read_text()
    assert main(["track", str(clip), "--format", "trk", "--out", str(target), "--quiet"]) == 2


def test_an_object_that_is_not_there_is_a_usage_error(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["track", str(clip), "--object-index", "99", "--quiet"]) == 2
    assert "99" in capsys.readouterr().err
