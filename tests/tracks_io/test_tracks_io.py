"""Tracks from files: every format that is promised, in its own axes, and every way that a file can be wrong."""

from __future__ import annotations

import math
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers import make_track, make_video
from hypothesis import given, settings
from hypothesis import strategies as st

from newtonscheme.errors import LimitReached, NewtonSchemeError, NothingTrackable, UnreadableInput, UsageError
from newtonscheme.tables import TRACK_FORMATS, write_track
from newtonscheme.tracks_io import FLOOR_PX, MAX_BYTES, read_track
from newtonscheme.types import Tracking

FPS = 30.0


def save(folder: Path, text: str | bytes, name: str = "track.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def throw(n: int = 20) -> list[tuple[float, float, float]]:
    return [(round(i / FPS, 4), 20.0 + 5.0 * i, round(220.0 - 9.0 * i + 0.4 * i * i, 3)) for i in range(n)]


def table(head: str = "t,x,y", n: int = 20, mark: str = ",", end: str = "\n") -> str:
    return end.join([head.replace(",", mark), *(mark.join(map(str, row)) for row in throw(n))]) + end


THROW = np.array(throw())


@pytest.mark.parametrize(
    ("text", "units"),
    [
        (table(), "px"),
        (table("t_s,u_px,v_px"), None),
        (table("t (s),x (px),y (px)"), None),
        (table("Time [s],X [pixels],Y [pixels]"), None),
        (table(mark="\t"), "px"),
        (table(mark=" "), "px"),
        (table(mark=";").replace(".", ","), "px"),
        (table(mark="\t").replace(".", ","), "px"),
        (table(mark=" ").replace(".", ","), "px"),
        ("\ufeff" + table(end="\r\n"), "px"),
        (table().encode("utf-16"), "px"),
        ("# by hand\n\n" + table(end="\n\n"), "px"),
        ("#multi:\nmass_A\t\t\n" + table(mark="\t", end="\t\n"), "px"),
        ("name," + table().replace("\n", '\n"=HYPERLINK(""http://127.0.0.1/"")",').rsplit("\n", 1)[0] + "\n", "px"),
        (table("t_s,u_px,v_px").replace("t_s", "'t_s"), None),
    ],
)
def test_a_table_of_pixels_is_read_whatever_its_dialect(tmp_path: Path, text: str | bytes, units: str | None) -> None:
    read = read_track(save(tmp_path, text), units=units)
    assert read.unit == "px"
    np.testing.assert_allclose(read.track.t, THROW[:, 0])
    np.testing.assert_allclose(read.track.centre_px, THROW[:, 1:])
    assert read.fps == pytest.approx(FPS, rel=0.01)
    np.testing.assert_array_equal(read.track.frame, np.arange(20))


def test_milliseconds_are_not_seconds(tmp_path: Path) -> None:
    rows = "".join(f"{i * 33.3:.1f},{i},{i * i}\n" for i in range(10))
    assert read_track(save(tmp_path, "t_ms,x_px,y_px\n" + rows)).fps == pytest.approx(30.03, abs=0.01)


def test_metres_are_turned_so_that_down_is_down(tmp_path: Path) -> None:
    read = read_track(save(tmp_path, "t_s,x_m,y_m\n0,0,2\n0.1,0.5,1.9\n0.2,1,1.6\n"))
    assert read.unit == "m"
    np.testing.assert_allclose(read.track.centre_px, [(0, -2), (0.5, -1.9), (1, -1.6)])


def test_centimetres_become_metres(tmp_path: Path) -> None:
    read = read_track(save(tmp_path, "t_s,x_cm,y_cm\n0,0,200\n0.1,50,190\n0.2,100,160\n"))
    assert read.unit == "m"
    np.testing.assert_allclose(read.track.centre_px[:, 1], [-2, -1.9, -1.6])


def test_heights_alone_are_a_fall(tmp_path: Path) -> None:
    read = read_track(save(tmp_path, "Time (s),Height (m),Velocity (m/s)\n0,47,\n0.1,46.9,-1\n0.2,46.7,-2\n"))
    np.testing.assert_allclose(read.track.centre_px, [(0, -47), (0, -46.9), (0, -46.7)])


@pytest.mark.parametrize(
    ("head", "units", "factor"), [("t_s,theta_rad", None, 1.0), ("t,theta (deg)", None, np.pi / 180), ("t,θ", "deg", np.pi / 180)]
)
def test_angles_hang_below_the_pivot(tmp_path: Path, head: str, units: str | None, factor: float) -> None:
    angles = [0.0, 0.5, -0.5, 30.0]
    rows = "".join(f"{i},{angle}\n" for i, angle in enumerate(angles))
    read = read_track(save(tmp_path, f"{head}\n{rows}"), units=units)
    expected = np.array(angles) * factor
    np.testing.assert_allclose(read.track.centre_px, np.column_stack([np.sin(expected), np.cos(expected)]))
    assert read.unit == ("rad" if factor == 1.0 else "deg")


def test_frame_numbers_need_a_rate(tmp_path: Path) -> None:
    path = save(tmp_path, "frame,x,y\n3,1,1\n4,2,3\n7,3,2\n")
    with pytest.raises(UsageError, match="--fps"):
        read_track(path, units="px")
    read = read_track(path, units="px", fps=10.0)
    np.testing.assert_allclose(read.track.t, [0.3, 0.4, 0.7])
    np.testing.assert_array_equal(read.track.frame, [3, 4, 7])


def test_a_rate_replaces_the_clock(tmp_path: Path) -> None:
    slow = read_track(save(tmp_path, table()), units="px")
    fast = read_track(save(tmp_path, table()), units="px", fps=240.0)
    np.testing.assert_allclose(fast.track.t, slow.track.t * slow.fps / 240.0)
    assert fast.fps == pytest.approx(240.0)


@pytest.mark.parametrize("gap", ["nan,nan", ",", "NaN,"])
def test_rows_without_a_position_are_gaps(tmp_path: Path, gap: str) -> None:
    rows = table().splitlines()
    rows[1] = rows[1].split(",")[0] + "," + gap
    rows[8] = rows[8].split(",")[0] + "," + gap
    read = read_track(save(tmp_path, "\n".join(rows)), units="px")
    np.testing.assert_allclose(read.track.t, np.delete(THROW[:, 0], [0, 7]))
    assert len(np.unique(np.diff(read.track.frame))) == 2


def test_tracknet_counts_pixels_and_skips_what_it_did_not_see(tmp_path: Path) -> None:
    read = read_track(save(tmp_path, "Frame,Visibility,X,Y\n0,1,10,20\n1,0,0,0\n2,1,12,24\n3,2,13,27\n4,3,1,1\n"), fps=25.0)
    assert read.unit == "px"
    np.testing.assert_array_equal(read.track.frame, [0, 2, 3])
    np.testing.assert_allclose(read.track.centre_px, [(10, 20), (12, 24), (13, 27)])


def test_trackpy_has_y_first_and_a_mass_that_is_none(tmp_path: Path) -> None:
    head = ",y,x,mass,size,ecc,signal,raw_mass,ep,frame,particle\n"
    rows = "".join(f"{i},{20 + i},{10 + 2 * i},999,3,0.1,5,9,0.1,{i},{particle}\n" for particle, n in ((0, 4), (7, 6)) for i in range(n))
    read = read_track(save(tmp_path, head + rows), fps=30.0)
    assert read.unit == "px"
    assert len(read.track) == 6, "the longest trajectory"
    np.testing.assert_allclose(read.track.centre_px[1], (12, 21))
    assert [notice.code for notice in read.notices] == ["several_objects"]
    assert len(read_track(tmp_path / "track.csv", fps=30.0, object_index=1).track) == 4


def test_trials_and_objects_can_be_chosen(tmp_path: Path) -> None:
    drops = "Drop #,Time (s),Height (m)\n" + "".join(f"{k},{i / 10},{50 - k - i * i / 20}\n" for k, n in ((1, 5), (2, 8)) for i in range(n))
    path = save(tmp_path, drops)
    assert read_track(path).track.centre_px[0, 1] == -48.0
    assert read_track(path, object_index=1).track.centre_px[0, 1] == -49.0
    with pytest.raises(UsageError, match="--object-index"):
        read_track(path, object_index=2)


def test_trackers_export_of_two_objects_has_two_pairs_of_columns(tmp_path: Path) -> None:
    text = "#multi:\n\tball A\t\tball B\t\t\nt\tx\ty\tx\ty\t\n" + "".join(
        f"{i / 10}\t{i}\t{-i}\t{'' if i > 3 else i * 2}\t{'' if i > 3 else 5}\t\n" for i in range(6)
    )
    path = save(tmp_path, text, "export.txt")
    np.testing.assert_allclose(read_track(path, units="m").track.centre_px[:, 1], np.arange(6))
    np.testing.assert_allclose(read_track(path, units="m", object_index=1).track.centre_px[:, 0], [0, 2, 4, 6])


def test_a_table_without_titles_is_read_as_told_and_says_so(tmp_path: Path) -> None:
    path = save(tmp_path, table().split("\n", 1)[1])
    with pytest.raises(UsageError, match="header"):
        read_track(path)
    read = read_track(path, units="px")
    np.testing.assert_allclose(read.track.centre_px, THROW[:, 1:])
    assert [notice.code for notice in read.notices] == ["no_header"]


def test_the_own_format_brings_its_sigmas(tmp_path: Path) -> None:
    head = "frame,t_s,u_px,v_px,radius_px,sigma_px,radius_sigma_px,score\n"
    read = read_track(save(tmp_path, head + "5,0.5,10,20,3.5,0.2,0.1,0.9\n6,0.6,11,22,,0.3,,0.8\n7,0.7,13,25,3.4,0.25,0.15,1\n"))
    np.testing.assert_allclose(read.track.sigma_px, [0.2, 0.3, 0.25])
    np.testing.assert_allclose(read.track.radius_px, [3.5, np.nan, 3.4])
    np.testing.assert_allclose(read.track.radius_sigma_px, [0.1, np.nan, 0.15])
    np.testing.assert_allclose(read.track.score, [0.9, 0.8, 1.0])
    np.testing.assert_array_equal(read.track.frame, [5, 6, 7])


@pytest.mark.parametrize("form", list(TRACK_FORMATS))
def test_what_is_written_is_read_back(tmp_path: Path, form: str) -> None:
    track = make_track(n=18, first=2)
    path = tmp_path / ("track.trk" if form == "trk" else "track.csv")
    write_track(Tracking(video=make_video(), tracks=(track,)), 0, form, path)
    read = read_track(path, fps=FPS if form in ("framexy", "tracknet", "trackpy") else None)
    assert read.unit == "px"
    np.testing.assert_allclose(read.track.t, track.t, atol=1e-9)
    np.testing.assert_allclose(read.track.centre_px, track.centre_px, atol=1e-6)
    np.testing.assert_array_equal(read.track.frame, track.frame if form not in ("txy", "tracker") else track.frame - track.frame[0])
    assert read.size == ((640, 360) if form == "trk" else None)


def test_noise_is_estimated_from_what_a_cubic_leaves(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    t = np.cumsum(rng.uniform(0.02, 0.05, 300))
    path_px = np.column_stack([100 + 80 * t, 300 - 200 * t + 40 * t**2 - 3 * t**3])
    noisy = path_px + rng.normal(0, 0.7, path_px.shape)
    noisy[::37] += 40.0
    text = "t_s,u_px,v_px\n" + "".join(f"{a!r},{b!r},{c!r}\n" for a, (b, c) in zip(t.tolist(), noisy.tolist(), strict=True))
    assert read_track(save(tmp_path, text)).track.sigma_px[0] == pytest.approx(0.7, rel=0.25)
    clean = "t_s,u_px,v_px\n" + "".join(f"{a!r},{b!r},{c!r}\n" for a, (b, c) in zip(t.tolist(), path_px.tolist(), strict=True))
    assert read_track(save(tmp_path, clean)).track.sigma_px[0] == FLOOR_PX


def test_size_is_the_users_word_for_pixels_alone(tmp_path: Path) -> None:
    assert read_track(save(tmp_path, table()), units="px", size=(320, 240)).size == (320, 240)
    assert read_track(save(tmp_path, table()), units="m", size=(320, 240)).size is None


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("t,x,y\n", UnreadableInput, "no row of numbers"),
        ("hello there\nthis is no table\n", UnreadableInput, "no row of numbers"),
        ("t,x,y\n0,1,2\n0.1,2,3\n", NothingTrackable, "2 positions"),
        ("t,x,y\n" + "".join(f"{i},nan,nan\n" for i in range(9)), NothingTrackable, "0 positions"),
        ("t,x\n0,1\n1,2\n2,3\n", UnreadableInput, "columns t, x"),
        ("x,y\n0,1\n1,2\n2,3\n", UnreadableInput, "needed t or frame"),
        ("t,x,y\n0,1,2\n1,2\n2,3,4\n", UnreadableInput, "line 3: found 2 columns"),
        ("t,x,y\n0,1,2\n1,2,3,9\n2,3,4\n", UnreadableInput, "line 3: found 4 columns"),
        ("t,x,y\n0,1,2\n1,inf,3\n2,3,4\n", UnreadableInput, "line 3, column 'x'.*'inf'"),
        ("t,x,y\n0,1,2\n1,1e308,3\n2,3,4\n", UnreadableInput, "line 3.*beyond"),
        ("t,x,y\n0,1,2\n1,1e999,3\n2,3,4\n", UnreadableInput, "line 3"),
        ("t,x,y\n0,1,2\n1,n/a,3\n2,3,4\n", UnreadableInput, "line 3, column 'x'.*'n/a'"),
        ("t,x,y\n0,1,2\n1,,3\n2,3,4\n", UnreadableInput, "line 3, column 'x'"),
        ("t,x,y\n0,1,2\n,2,3\n2,3,4\n", UnreadableInput, "line 3, column 't'"),
        ("t,x,y\n0,1,2\n1,1_0,3\n2,3,4\n", UnreadableInput, "line 3"),
        ("t,x,y\n0,1,2\n2,2,3\n1,3,4\n", UnreadableInput, "line 4.*increase"),
        ("t,x,y\n0,1,2\n1,2,3\n1,3,4\n", UnreadableInput, "line 4.*increase"),
        ("frame,x,y\n0,1,2\n1.5,2,3\n2,3,4\n", UnreadableInput, "line 3.*whole numbers"),
        ("t,x,y\n0,1,2\n\x001,2,3\n2,3,4\n", UnreadableInput, "line 3.*NUL"),
        ("t,x,y\n0," + "1" * 70_000 + ",2\n", UnreadableInput, "line 2.*characters"),
        ('t,x,y\n0,"1,2\n1,2,3\n2,3,4\n', UnreadableInput, "line 2"),
        (",".join("c" * 300) + "\n" + ",".join("1" * 300) + "\n", UnreadableInput, "300 columns"),
        ("t,u_px,v_px,sigma_px\n0,1,2,0\n1,2,3,1\n2,3,4,1\n", UnreadableInput, "line 2, column 'sigma_px'"),
        (b"\xff\xfet\x00,", UnreadableInput, "no row of numbers|UTF-16"),
        (b"\xff\xfe\x00\xd8\x00\x00", UnreadableInput, "UTF-16"),
        ("t_h,x,y\n0,1,2\n1,2,3\n2,3,4\n", UnreadableInput, "needed t or frame"),
        ("", UnreadableInput, "empty"),
        (" \n\n", UnreadableInput, "empty"),
        ("PK\x03\x04rest", UnreadableInput, "zip"),
    ],
)
def test_a_broken_table_is_refused_saying_where(tmp_path: Path, text: str | bytes, error: type[NewtonSchemeError], says: str) -> None:
    path = save(tmp_path, text)
    with pytest.raises(error, match=says) as caught:
        read_track(path, units="px", fps=30.0 if "frame" in str(text) else None)
    assert "track.csv" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("text", "units", "says"),
    [
        (table(), None, "--units px or m"),
        (table("t,x_px,y_px"), "m", "says px"),
        (table("t,x_px,y_m"), None, "different units"),
        (table("t,x (ft),y (ft)"), None, "'ft'"),
        (table("t (h),x_m,y_m"), None, "'h'"),
        ("t,theta\n0,1\n1,2\n2,3\n", None, "deg or rad"),
        ("t,theta\n0,1\n1,2\n2,3\n", "px", "matching units"),
        (table(), "rad", "matching units"),
        (table(), "furlongs", "furlongs"),
        ("1 2 3 4 5\n2 3 4 5 6\n3 4 5 6 7\n", "px", "without titles"),
    ],
)
def test_what_is_not_clear_is_asked_for(tmp_path: Path, text: str, units: str | None, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_track(save(tmp_path, text), units=units)


def test_a_height_in_pixels_is_half_a_track(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="no x column"):
        read_track(save(tmp_path, "t_s,y_px\n0,1\n1,2\n2,3\n"))


@pytest.mark.parametrize("fps", [0.0, -1.0, math.nan, math.inf])
def test_a_rate_that_cannot_be_is_refused(tmp_path: Path, fps: float) -> None:
    with pytest.raises(UsageError, match="--fps"):
        read_track(save(tmp_path, table()), units="px", fps=fps)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="No such file"):
        read_track(tmp_path / "missing.csv")
    with pytest.raises(UnreadableInput, match="folder"):
        read_track(tmp_path)
    with pytest.raises(UnreadableInput, match="null"):
        read_track("a\0b.csv")


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.csv")
    assert stat.S_ISFIFO((tmp_path / "pipe.csv").stat().st_mode)
    with pytest.raises(UnreadableInput, match="no regular file"):
        read_track(tmp_path / "pipe.csv")


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(LimitReached, match="bytes"):
        read_track(path)


def test_control_characters_never_reach_the_terminal(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput) as caught:
        read_track(save(tmp_path, "t,x,y\n0,1,2\n1,\x1b[2J,3\n2,3,4\n", "a\x1bb.csv"), units="px")
    assert "\x1b" not in str(caught.value)


TRK_HEAD = '<object class="org.opensourcephysics.cabrillo.tracker.TrackerPanel">'


def project(points: str, clock: str = '<property name="delta_t" type="double">40.0</property>', head: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{head}{TRK_HEAD}'
        f'<property name="clipcontrol" type="object"><object class="StepperClipControl">{clock}</object></property>'
        '<property name="tracks" type="collection"><property name="item" type="object"><object class="x.PointMass">'
        f'<property name="name" type="string">ball</property><property name="framedata" type="array">{points}</property>'
        "</object></property></property></object>"
    )


def step(index: int | str, x: float | str, y: float | str = 1.0) -> str:
    return (
        f'<property name="[{index}]" type="object"><object class="x.PointMass$FrameData">'
        f'<property name="x" type="double">{x}</property><property name="y" type="double">{y}</property></object></property>'
    )


POINTS = step(2, 10.5, 20.5) + step(3, 11.5, 22.5) + step(5, 12.5, 23.5)


def test_a_tracker_project_is_read_in_image_pixels(tmp_path: Path) -> None:
    read = read_track(save(tmp_path, project(POINTS), "clip.trk"))
    assert read.unit == "px"
    np.testing.assert_allclose(read.track.t, [0.08, 0.12, 0.2])
    np.testing.assert_allclose(read.track.centre_px, [(10, 20), (11, 22), (12, 23)])
    np.testing.assert_array_equal(read.track.frame, [2, 3, 5])


def test_a_projects_clock_can_be_replaced(tmp_path: Path) -> None:
    np.testing.assert_allclose(read_track(save(tmp_path, project(POINTS), "clip.trk"), fps=50.0).track.t, [0.04, 0.06, 0.1])
    with pytest.raises(UsageError, match="--fps"):
        read_track(save(tmp_path, project(POINTS, clock=""), "clip.trk"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (project(POINTS)[:200], "no valid XML"),
        ("not xml at all", "no valid XML"),
        ("<svg/>", "no Tracker tab"),
        (project(""), "no tracked point mass"),
        (project(POINTS + step(2, 1.0)), "step 2 twice"),
        (project(step(1, "nan") + POINTS), "step 1.*'nan'"),
        (project(step(1, "1e400") + POINTS), "step 1"),
        (project(step(1, "abc") + POINTS), "step 1.*'abc'"),
        (project(step(99_999_999, 1.0) + POINTS), "steps below"),
        (project(POINTS, '<property name="delta_t" type="double">forty</property>'), "'forty'"),
        (project(POINTS, head='<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'), "document type"),
        (project(POINTS, head='<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">'), "document type"),
        ("<object>" * 5000 + "</object>" * 5000, "levels deep"),
        ('<?xml version="1.0" encoding="no-such-code"?>' + TRK_HEAD + "</object>", "XML"),
    ],
)
def test_a_broken_project_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UnreadableInput, match=says) as caught:
        read_track(save(tmp_path, text, "clip.trk"))
    assert "\n" not in str(caught.value)


def test_a_project_has_pixels_whatever_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--units"):
        read_track(save(tmp_path, project(POINTS), "clip.trk"), units="m")


def test_a_zipped_project_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "clip.trz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../escaped", "x")
    with pytest.raises(UnreadableInput, match="unpack"):
        read_track(path)


@settings(max_examples=150, deadline=None)
@given(
    data=st.one_of(st.binary(max_size=300), st.text("0123456789.,;\t\n tuvxy_pxm-+einfan\"'#%()", max_size=300).map(str.encode)),
    units=st.sampled_from([None, "px", "m", "rad"]),
)
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, data: bytes, units: str | None) -> None:
    path = save(tmp_path_factory.getbasetemp(), data, "any.csv")
    try:
        read = read_track(path, units=units, fps=30.0)
    except NewtonSchemeError as error:
        assert "\n" not in str(error)
    else:
        assert np.all(np.isfinite(read.track.centre_px))
        assert np.all(read.track.sigma_px > 0)


def test_the_hand_tracked_ball_toss(real_folder: Path) -> None:
    read = read_track(real_folder / "balltoss_osp" / "BallToss.trk")
    assert len(read.track) == 11
    assert read.size == (640, 480)
    np.testing.assert_array_equal(read.track.frame, np.arange(2, 13))
    np.testing.assert_allclose(np.diff(read.track.t), 0.066, atol=1e-9)
    # A parabola leaves the click noise of a hand: a_y = 4094 px/s^2, rms 0.8 px (meta.json).
    fit = np.polynomial.Polynomial.fit(read.track.t, read.track.centre_px[:, 1], 2).convert()
    assert 2.0 * fit.coef[2] == pytest.approx(4094.0, rel=0.01)
    assert 0.1 < read.track.sigma_px[0] < 1.5


def test_the_dropped_balls(real_folder: Path) -> None:
    for path in sorted((real_folder / "balldrops_desilva").glob("*.csv")):
        read = read_track(path)
        assert read.unit == "m"
        assert len(read.track) > 40
        assert 0.01 < read.track.sigma_px[0] < 0.1, "the paper's tables scatter by centimetres"
        fit = np.polynomial.Polynomial.fit(read.track.t, read.track.centre_px[:, 1], 2).convert()
        assert 2.0 < 2.0 * fit.coef[2] < 10.5, "down is down, and air only ever slows a fall"


def test_the_measured_pendulum(real_folder: Path) -> None:
    read = read_track(real_folder / "schmidt_lipson_real" / "real_pend_h_1.txt", units="rad")
    assert len(read.track) == 556
    angle = np.arctan2(read.track.centre_px[:, 0], read.track.centre_px[:, 1])
    assert angle.min() == pytest.approx(-1.40, abs=0.01)
    assert angle.max() == pytest.approx(1.47, abs=0.01)
