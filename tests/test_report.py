"""The report as JSON and CSV: a contract that other programs rely on."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import make_body, make_forecast, make_refused_report, make_report, make_track, make_video
from hypothesis import given
from hypothesis import strategies as st

from newtonscheme.errors import LimitReached, NothingTrackable
from newtonscheme.report import CSV_COLUMNS, SCHEMA, error_to_json, report_to_json, to_text, write_csv, write_json
from newtonscheme.types import Quantity, Report

CONTRACT: dict[str, set[str]] = {
    "video": {"path", "sha256", "width_px", "height_px", "n_frames", "duration_s", "fps", "time_source"},
    "camera": {"fov_deg", "pitch_deg", "roll_deg", "source"},
    "object": {"label", "probability", "mass_kg", "diameter_m"},
    "scale": {"px_per_m", "sigma", "source", "rulers"},
    "pattern": {"name", "probability", "probabilities", "evidence"},
    "stability": {"verdict", "t_start_s", "t_end_s", "reasons", "charges", "segments"},
    "track": {"frame", "t_s", "u_px", "v_px", "radius_px", "sigma_px", "used"},
    "forecast": {"t_s", "u_px", "v_px", "u_lo_px", "u_hi_px", "v_lo_px", "v_hi_px", "x_m", "y_m", "z_m", "level", "stop"},
    "score": {"rms_px", "final_px", "rms_share_of_path", "coverage"},
}
TOP = {"schema", "version", "status", "refusal", "warnings", "parameters", "other_tracks", *CONTRACT}


def parse(text: str) -> Any:
    """JSON as RFC 8259 has it: no NaN, no infinity, no key twice."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    return json.loads(text, parse_constant=refuse, object_pairs_hook=unique)


def told(report: Report) -> Any:
    return parse(to_text(report_to_json(report)))


def test_every_key_of_the_contract_is_there() -> None:
    document = told(make_report())
    assert document["schema"] == SCHEMA == "newtonscheme.report/1"
    assert set(document) >= TOP
    for name, keys in CONTRACT.items():
        assert set(document[name]) >= keys, name


def test_entries_of_lists_keep_their_contract() -> None:
    document = told(make_report(other_tracks=(make_track(),)))
    assert document["warnings"] == [{"code": "clock_hole", "message": "the clock has a hole of 0.2 s"}]
    assert set(document["stability"]["charges"][0]) >= {"name", "symmetry", "drift_sigma"}
    assert set(document["stability"]["segments"][0]) >= {"t_start_s", "t_end_s", "pattern", "end"}
    assert set(document["scale"]["rulers"][0]) >= {"name", "px_per_m", "sigma"}
    assert set(document["parameters"]["speed"]) >= {"value", "sigma", "unit", "source"}
    assert set(document["object"]["mass_kg"]) >= {"value", "sigma", "source"}
    assert set(document["other_tracks"][0]) >= {"frame", "t_s", "u_px", "v_px"}


def test_a_refusal_is_a_whole_report_without_a_forecast() -> None:
    document = told(make_refused_report())
    assert document["status"] == "refused"
    assert document["forecast"] is None
    assert document["refusal"]["reason"] == "unknown_pattern"
    assert set(document) >= TOP
    assert len(document["track"]["t_s"]) == 18


def test_numbers_survive_to_ten_digits() -> None:
    report = make_report()
    document = told(report)
    assert report.forecast is not None
    assert document["forecast"]["v_hi_px"] == pytest.approx(list(report.forecast.upper_px[:, 1]), rel=1e-9)
    assert document["track"]["t_s"] == pytest.approx(list(report.track.t), rel=1e-9)
    assert document["parameters"]["speed"]["value"] == report.parameters["speed"].value


def test_what_is_not_known_is_null() -> None:
    track = make_track(radius_px=np.full(18, np.nan))
    parameters = {"speed": Quantity(1.0, math.inf, "m/s", "measured")}
    document = told(make_report(track=track, parameters=parameters))
    assert document["track"]["radius_px"] == [None] * 18
    assert document["parameters"]["speed"]["sigma"] is None


def test_the_field_of_view_is_the_horizontal_one() -> None:
    report = make_report()
    halved = replace(report, camera=replace(report.camera, focal_px=320.0))
    assert told(halved)["camera"]["fov_deg"] == pytest.approx(90.0)
    orthographic = replace(report, camera=replace(report.camera, kind="orthographic"))
    assert told(orthographic)["camera"]["fov_deg"] is None


def test_the_time_span_of_the_verdict_is_that_of_the_used_samples() -> None:
    used = np.zeros(18, bool)
    used[3:9] = True
    document = told(make_report(used=used))
    assert document["stability"]["t_start_s"] == pytest.approx(5 / 30)
    assert document["stability"]["t_end_s"] == pytest.approx(10 / 30)
    assert sum(document["track"]["used"]) == 6


def test_the_same_report_is_the_same_bytes_whatever_the_clock_says() -> None:
    report = make_report()
    slower = replace(report, elapsed_ms={"vision": 1e6})
    assert to_text(report_to_json(report)) == to_text(report_to_json(slower))


def test_a_file_name_can_do_no_harm_in_a_report() -> None:
    report = make_report(video=make_video(path=Path("\x1b[2J\udce9‮gpj.mp4")))
    text = to_text(report_to_json(report))
    assert text.isascii()
    assert not any(ord(character) < 32 for character in text.replace("\n", ""))
    assert parse(text)["video"]["path"] == "\x1b[2J\\xe9‮gpj.mp4"


def test_a_clip_that_failed_has_the_same_keys_and_says_why() -> None:
    document = parse(to_text(error_to_json(NothingTrackable("nothing moves"), "still.mp4", "0.1.0")))
    assert set(document) == set(told(make_report()))
    assert document["status"] == "error"
    assert document["error"] == {"code": "nothing_trackable", "exit": 4, "message": "nothing moves"}
    assert error_to_json(LimitReached("x"), "a", "0")["error"] == {"code": "limit", "exit": 6, "message": "x"}


def test_the_table_holds_the_track_and_then_the_forecast(tmp_path: Path) -> None:
    report = make_report()
    write_csv(report, tmp_path / "a.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text())))
    assert tuple(rows[0]) == CSV_COLUMNS
    tracked, ahead = rows[:18], rows[18:]
    assert [int(row["frame"]) for row in tracked] == list(report.track.frame)
    assert [float(row["v_px"]) for row in tracked] == pytest.approx(list(report.track.centre_px[:, 1]))
    assert {row["forecast_v_px"] for row in tracked} == {row["v_px"] for row in ahead} == {row["frame"] for row in ahead} == {""}
    assert len(ahead) == 10
    assert all(float(row["v_lo_px"]) < float(row["forecast_v_px"]) < float(row["v_hi_px"]) for row in ahead)


def test_the_table_of_a_refusal_holds_the_track_alone(tmp_path: Path) -> None:
    write_csv(make_refused_report(), tmp_path / "a.csv")
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 1 + 18


def test_the_table_of_a_report_can_be_read_as_a_track(tmp_path: Path) -> None:
    from newtonscheme.tracks_io import read_track

    report = make_report()
    write_csv(report, tmp_path / "a.csv")
    read = read_track(tmp_path / "a.csv")
    np.testing.assert_allclose(read.track.centre_px, report.track.centre_px, atol=1e-6)
    np.testing.assert_allclose(read.track.t, report.track.t, atol=1e-9)


def test_a_report_goes_to_standard_output_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    write_json(make_report(), "-")
    assert parse(capsys.readouterr().out)["status"] == "forecast"


@given(value=st.floats(), sigma=st.floats(), path=st.text(min_size=1).filter(lambda text: "\0" not in text), level=st.floats(0.01, 0.99))
def test_any_report_is_strict_json(value: float, sigma: float, path: str, level: float) -> None:
    quantity = Quantity(value, sigma, "kg", "derived")
    report = make_report(
        video=make_video(path=Path(path.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape"))),
        parameters={"g": quantity}, body=replace(make_body(), mass=quantity), forecast=make_forecast(level=level),
    )  # fmt: skip
    document = told(report)
    expected = None if not math.isfinite(value) else pytest.approx(value, rel=1e-9)
    assert document["parameters"]["g"]["value"] == expected
