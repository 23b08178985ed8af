"""Tracks as other programs read them."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from helpers import FPS, make_track, make_tracking

from newtonscheme.errors import UsageError
from newtonscheme.tables import TRACK_FORMATS, write_track

WITHOUT_CLOCK = ("framexy", "tracknet", "trackpy")
WITHOUT_FRAMES = ("txy", "tracker")


def rows_of(form: str, tmp_path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    write_track(make_tracking(make_track(4, 2)), 0, form, tmp_path / "track.txt")
    return list(csv.DictReader(io.StringIO((tmp_path / "track.txt").read_text()), delimiter=delimiter))


def test_our_own_table_has_pixels_and_seconds(tmp_path: Path) -> None:
    rows, track = rows_of("csv", tmp_path), make_track(4, 2)
    assert list(rows[0])[:5] == ["frame", "t_s", "u_px", "v_px", "radius_px"]
    assert [float(row["t_s"]) for row in rows] == pytest.approx(list(track.t))
    assert [float(row["u_px"]) for row in rows] == pytest.approx(list(track.centre_px[:, 0]))


def test_trackers_text_is_tab_separated_with_its_units(tmp_path: Path) -> None:
    rows = rows_of("tracker", tmp_path, "\t")
    assert list(rows[0]) == ["t_s", "u_px", "v_px"]


def test_tracknet_has_a_row_for_every_frame_of_the_clip(tmp_path: Path) -> None:
    rows = rows_of("tracknet", tmp_path)
    assert list(rows[0]) == ["Frame", "Visibility", "X", "Y"]
    assert [int(row["Frame"]) for row in rows] == list(range(30))
    assert [int(row["Frame"]) for row in rows if row["Visibility"] == "1"] == [2, 3, 4, 5]


def test_trackpy_gets_no_kilograms_in_its_brightness(tmp_path: Path) -> None:
    rows, track = rows_of("trackpy", tmp_path), make_track(4, 2)
    assert list(rows[0]) == ["y", "x", "size", "frame", "particle"]
    assert [float(row["y"]) for row in rows] == pytest.approx(list(track.centre_px[:, 1]))


def test_a_tracker_project_holds_the_points_from_the_corner_of_the_first_pixel(tmp_path: Path) -> None:
    track = make_track(4, 2)
    write_track(make_tracking(track), 0, "trk", tmp_path / "track.trk")
    root = ElementTree.parse(tmp_path / "track.trk").getroot()
    points = [point for point in root.iter("object") if point.get("class", "").endswith("PointMass$FrameData")]
    found = np.array([[float(point.find(f"property[@name='{axis}']").text) for axis in "xy"] for point in points])
    np.testing.assert_allclose(found, track.centre_px + 0.5)
    spacing = next(entry for entry in root.iter("property") if entry.get("name") == "delta_t")
    assert float(spacing.text) == pytest.approx(1000.0 / FPS)


def test_a_name_with_markup_stays_a_name_in_a_tracker_project(tmp_path: Path) -> None:
    write_track(make_tracking(path=Path("<a>&b.mp4")), 0, "trk", tmp_path / "track.trk")
    root = ElementTree.parse(tmp_path / "track.trk").getroot()
    assert "<a>&b.mp4" in [entry.text for entry in root.iter("property") if entry.get("name") == "path"]


def test_what_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needed one of csv, txy, framexy, tracker, trk, tracknet, trackpy"):
        write_track(make_tracking(), 0, "xlsx", tmp_path / "a")
    with pytest.raises(UsageError, match="needed one of the 1 tracks"):
        write_track(make_tracking(), 1, "csv", tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", TRACK_FORMATS)
def test_an_unmeasured_radius_is_no_trouble(form: str, tmp_path: Path) -> None:
    write_track(make_tracking(make_track(radius_px=np.full(18, np.nan))), 0, form, tmp_path / "a")
    assert "nan" not in (tmp_path / "a").read_text().lower()


@pytest.mark.parametrize("form", TRACK_FORMATS)
def test_what_is_written_can_be_read_as_it_was(form: str, tmp_path: Path) -> None:
    from newtonscheme.tracks_io import read_track

    track = make_track()
    path = tmp_path / ("track.trk" if form == "trk" else "track.csv")
    write_track(make_tracking(track), 0, form, path)
    read = read_track(path, fps=FPS if form in WITHOUT_CLOCK else None)
    assert read.unit == "px"
    np.testing.assert_allclose(read.track.centre_px, track.centre_px, atol=1e-6)
    np.testing.assert_allclose(np.diff(read.track.t), np.diff(track.t), atol=1e-8)


@pytest.mark.parametrize("form", TRACK_FORMATS)
@pytest.mark.parametrize("fps", [24000 / 1001, 239.76])
def test_gaps_and_late_starts_are_read_as_they_were(form: str, fps: float, tmp_path: Path) -> None:
    from newtonscheme.tracks_io import read_track

    rng = np.random.default_rng(5)
    frame = np.array([1207, 1208, 1209, 1215, 1216, 1230])
    track = make_track(len(frame), frame=frame, t=frame / fps, centre_px=rng.uniform(-3.0, 4000.0, (len(frame), 2)))
    path = tmp_path / ("track.trk" if form == "trk" else "track.csv")
    write_track(make_tracking(track, fps=fps, n_frames=1300), 0, form, path)
    read = read_track(path, fps=fps if form in WITHOUT_CLOCK else None)
    np.testing.assert_allclose(read.track.centre_px, track.centre_px, atol=1e-5)
    np.testing.assert_allclose(read.track.t, track.t, rtol=1e-8)
    first = 0 if form in WITHOUT_FRAMES else frame[0]
    np.testing.assert_array_equal(read.track.frame - first, frame - frame[0])
