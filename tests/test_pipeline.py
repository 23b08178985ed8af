"""From a file to a report: what is asked for is done, nothing leaks from the future, and what cannot be done is said."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from truths import SIZE, Filmed, film_pattern

import newtonscheme
from newtonscheme.camera import project, table_camera
from newtonscheme.errors import NothingTrackable, UnreadableInput, UsageError
from newtonscheme.estimation.analysis import Analysis, analyse_tracks
from newtonscheme.estimation.knowledge import choose_camera, gather_knowledge
from newtonscheme.estimation.recognition import load_recogniser
from newtonscheme.physics.integration import solve_one
from newtonscheme.physics.models import FORCE_MODELS
from newtonscheme.pipeline import in_time_of, in_view_of, observe_until
from newtonscheme.report import report_to_json
from newtonscheme.types import Floats, Options, Report

DATA = Path(__file__).resolve().parents[1] / "data"
THROW = DATA / "throw.mp4"
SWING = {
    "g": 9.81, "air_density": 1.19, "mass": 0.5, "diameter": 0.03, "theta": 0.6, "omega": 0.0, "length": 0.4, "damping": 0.01,
    "quadratic_damping": 0.002, "dry_damping": 0.0, "plane_angle": 0.0,
}  # fmt: skip
BASEBALL = {"g": 9.81, "air_density": 1.19, "mass": 0.145, "diameter": 0.074, "drag_coefficient": 0.35, "vx": 3.0, "vy": 4.0, "vz": 0.0}


def write_table(path: Path, header: str, *columns: Floats | list[float]) -> str:
    lines = [",".join(repr(float(cell)) for cell in row) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([header, *lines]) + "\n")
    return str(path)


def write_pixels(path: Path, filmed: Filmed, centre: Floats | None = None) -> str:
    track = filmed.track
    u, v = (track.centre_px if centre is None else centre).T
    return write_table(path, "t_s,u_px,v_px,radius_px", track.t, u, v, track.radius_px)


def comparable(report: Report) -> str:
    return json.dumps(report_to_json(report), sort_keys=True)


@pytest.fixture(scope="module")
def filmed() -> Filmed:
    return film_pattern("free_fall", 7, share=1.0, duration=0.9)


@pytest.fixture
def pixels(tmp_path: Path, filmed: Filmed) -> str:
    return write_pixels(tmp_path / "pixels.csv", filmed)


# Tables.


def test_a_table_of_pixels_is_forecast(pixels: str, filmed: Filmed) -> None:
    report = newtonscheme.predict(track=pixels, size=SIZE)
    assert report.status == "forecast"
    assert report.refusal is None
    assert report.pattern.name == "free_fall"
    assert report.video.time_source == "track"
    assert report.scale is not None
    assert report.scale.px_per_m == pytest.approx(filmed.truth["px_per_m"], abs=4 * report.scale.sigma)
    assert report.scale.source == "gravity"
    assert report.parameters["g"].source == "assumed"
    assert report.forecast is not None
    step = 1 / 60
    assert report.forecast.t[0] == pytest.approx(filmed.track.t[-1] + step, abs=1e-6)
    assert np.allclose(np.diff(report.forecast.t), step)
    assert report.used.sum() >= 0.9 * len(filmed.track)


def test_the_horizon_and_the_level_are_as_asked(pixels: str, filmed: Filmed) -> None:
    wide = newtonscheme.predict(track=pixels, size=SIZE, horizon=0.5, level=0.99).forecast
    narrow = newtonscheme.predict(track=pixels, size=SIZE, horizon=0.5, level=0.5).forecast
    assert wide is not None
    assert narrow is not None
    assert wide.t[-1] == pytest.approx(filmed.track.t[-1] + 0.5, abs=1e-6)
    assert (wide.level, narrow.level) == (0.99, 0.5)
    assert np.all(wide.upper_px - wide.lower_px > narrow.upper_px - narrow.lower_px)


def test_half_the_film_forecasts_the_other_half(pixels: str) -> None:
    report = newtonscheme.predict(track=pixels, size=SIZE, observe=0.6)
    assert report.status == "forecast"
    assert report.score is not None
    assert report.score.rms_share_of_path < 0.03
    assert 0.4 <= report.score.coverage <= 1.0
    assert report.scored is not None
    t0, t1 = report.scored.t[[0, -1]]
    assert report.track.t[-1] <= t0 + 0.6 * (t1 - t0) + 1e-9


def write_bounce(path: Path, down: int, up: int, rebound: float = 1100.0) -> str:
    """A ball that falls for so many frames, bounces to a speed of ``rebound`` px/s, and is seen for so many more."""
    falls, rises = np.arange(down) / 60.0, np.arange(1, up + 1) / 60.0
    t = np.concatenate([falls, falls[-1] + rises])
    v = np.concatenate([100.0 + 1500.0 * falls**2, 100.0 + 1500.0 * falls[-1] ** 2 - rebound * rises + 1500.0 * rises**2])
    noise = np.random.default_rng(0).normal(0.0, 0.2, (2, len(t)))
    return write_table(path, "t,x_px,y_px", t, 200.0 + 400.0 * t + noise[0], v + noise[1])


@pytest.mark.parametrize(("observe", "other"), [(0.6, False), (0.1, True)])
def test_what_is_forecast_after_a_bounce_is_the_flight_that_goes_on_then(tmp_path: Path, observe: float, other: bool) -> None:
    """At 0.6 of the second flight the first is still the longer one; where too little of the second is seen, the first says nothing of it."""
    report = newtonscheme.predict(track=write_bounce(tmp_path / "bounce.csv", 27, 39), observe=observe)
    if other:
        assert report.score is None
    else:
        assert report.fit is not None
        assert report.score is not None
        assert report.fit.track.t[0] > 0.4
        assert report.score.rms_share_of_path < 0.03


@pytest.mark.parametrize(("up", "goes_on"), [(24, True), (8, True), (4, False)])
def test_a_forecast_begins_where_the_track_ends_unless_too_little_of_that_motion_is_seen(tmp_path: Path, up: int, goes_on: bool) -> None:
    report = newtonscheme.predict(track=write_bounce(tmp_path / "bounce.csv", 36, up))
    assert report.fit is not None
    assert (report.fit.track.t[0] > 0.5) == goes_on
    assert (len(report.fit.elsewhere.spans) > 0) == goes_on
    assert ("forecast_beyond_contact" in [notice.code for notice in report.notices]) != goes_on


@pytest.mark.parametrize(("rebound", "stop"), [(1100.0, "ground"), (400.0, "horizon")])
def test_a_forecast_ends_on_what_the_ball_bounced_off_unless_it_went_below_that(tmp_path: Path, rebound: float, stop: str) -> None:
    """A ball that drops from a rim is not stopped by the rim."""
    report = newtonscheme.predict(track=write_bounce(tmp_path / "bounce.csv", 32, 26, rebound), horizon=0.6)
    assert report.fit is not None
    assert report.fit.track.t[0] > 0.5
    assert report.forecast is not None
    assert report.forecast.stop == stop
    if stop == "ground":
        assert abs(report.forecast.centre_px[-1, 1] - (100.0 + 1500.0 * (31.0 / 60.0) ** 2)) < 25.0


def test_a_scale_measures_gravity_and_a_slower_clock_measures_less(tmp_path: Path, filmed: Filmed) -> None:
    track, scale = filmed.track, filmed.truth["px_per_m"]
    table = write_table(tmp_path / "frames.csv", "frame,u_px,v_px", track.frame.astype(float), *track.centre_px.T)
    fast, slow = (newtonscheme.predict(track=table, size=SIZE, fps=fps, scale=scale) for fps in (60.0, 30.0))
    assert fast.parameters["g"].source == "measured"
    assert fast.parameters["g"].value == pytest.approx(9.80665, abs=4 * fast.parameters["g"].sigma)
    assert slow.parameters["g"].value == pytest.approx(fast.parameters["g"].value / 4, rel=0.02)
    assert fast.scale is not None
    assert fast.scale.source == "user"
    assert "gravity_implausible" in {notice.code for notice in slow.notices}
    with pytest.raises(UsageError, match="--fps"):
        newtonscheme.predict(track=table, size=SIZE)


def test_a_table_in_metres_has_the_users_scale_and_measures_gravity(tmp_path: Path) -> None:
    t = np.arange(40) / 50
    states, _ = solve_one(FORCE_MODELS["free_fall"], BASEBALL, t)
    place = states[:, :2] + 1e-3 * np.random.default_rng(0).standard_normal((40, 2))
    report = newtonscheme.predict(track=write_table(tmp_path / "metres.csv", "t_s,x_m,y_m", t, *place.T))
    assert report.status == "forecast"
    assert report.pattern.name in ("free_fall", "curving_ball")
    assert report.camera.kind == "orthographic"
    assert report.parameters["speed"].value == pytest.approx(5.0, rel=0.02)
    assert report.parameters["launch_angle_deg"].value == pytest.approx(53.13, abs=1.5)
    assert report.scale is not None
    assert report.scale.px_per_m == pytest.approx(1.0)
    assert report.scale.source == "user"
    g = report.parameters["g"]
    assert g.source == "measured"
    assert g.value == pytest.approx(9.81, abs=4 * g.sigma)


def test_gravity_from_a_table_that_was_read_off_a_tilted_film_is_as_uncertain_as_the_tilt(tmp_path: Path) -> None:
    """A drop filmed from its own height away, by cameras pitched as people pitch them: one scale for all of it is 10 % off at the ends."""
    rng, t, inside = np.random.default_rng(2), np.arange(60) / 60, 0
    fallen = np.column_stack([np.zeros(60), 2.45 - 0.5 * 9.81 * t**2, np.zeros(60)])
    draws = 12
    for k in range(draws):
        camera = replace(table_camera("m", fallen[:, :2] * (1, -1)), kind="pinhole")
        seen, _ = project(camera, fallen, (0.0, 0.0), 1.0, rng.normal(0, camera.pitch_sigma), 0.0, camera.focal_px)
        read = seen * (1, -1) + 2e-3 * rng.standard_normal((60, 2))
        report = newtonscheme.predict(track=write_table(tmp_path / f"{k}.csv", "t_s,x_m,y_m", t, *read.T), mass=5.0, diameter=0.07)
        g = report.parameters["g"]
        inside += abs(g.value - 9.81) < 1.645 * g.sigma
    assert inside >= 9


@pytest.mark.parametrize(("unit", "length"), [("rad", None), ("deg", 0.4)])
def test_a_table_of_angles_is_a_pendulum_of_any_length(tmp_path: Path, unit: str, length: float | None) -> None:
    t = np.arange(150) / 50
    states, _ = solve_one(FORCE_MODELS["pendulum"], SWING, t)
    theta = states[:, 0] + 0.002 * np.random.default_rng(0).standard_normal(150)
    table = write_table(tmp_path / "angles.csv", f"t_s,theta_{unit}", t, theta if unit == "rad" else np.degrees(theta))
    report = newtonscheme.predict(track=table, length=length)
    truth = {name: float(value) for name, (value, _) in FORCE_MODELS["pendulum"].report(SWING).items()}
    assert report.status == "forecast"
    assert report.pattern.name == "pendulum"
    assert report.scale is not None
    assert report.scale.source in ("user", "length")
    assert report.parameters["period"].value == pytest.approx(truth["period"], rel=0.005)
    assert report.parameters["amplitude_deg"].value == pytest.approx(truth["amplitude_deg"], rel=0.03)
    assert report.parameters["length"].value == pytest.approx(0.4, rel=0.03)
    assert report.parameters["g"].source == ("assumed" if length is None else "measured")
    assert report.parameters["g"].value == pytest.approx(9.81, rel=0.04)


def test_the_object_that_is_asked_for_is_taken_from_a_table_of_several(tmp_path: Path, filmed: Filmed) -> None:
    track = filmed.track
    rows = [(i, t, u, v) for i, sign in ((0, 1.0), (1, -1.0)) for t, (u, v) in zip(track.t, track.centre_px * (sign, 1) + (0, 0), strict=True)]
    shifted = [(i, t, u if i == 0 else u + SIZE[0] - 1, v) for i, t, u, v in rows]
    table = write_table(tmp_path / "two.csv", "object,t_s,u_px,v_px", *np.array(shifted, dtype=float).T)
    first, second = (newtonscheme.predict(track=table, size=SIZE, object_index=index) for index in (0, 1))
    assert first.track.centre_px[0, 0] + second.track.centre_px[0, 0] == pytest.approx(SIZE[0] - 1, abs=1e-6)


# Refusals and errors.


def test_a_table_of_a_wandering_hand_is_refused_with_a_whole_report(tmp_path: Path) -> None:
    rng, t = np.random.default_rng(0), np.arange(60) / 30
    wander = np.cumsum(rng.normal(0, 9, (60, 2)), axis=0) + 300
    report = newtonscheme.predict(track=write_table(tmp_path / "wander.csv", "t_s,u_px,v_px", t, *wander.T), size=SIZE)
    assert report.status == "refused"
    assert report.forecast is None
    assert report.refusal is not None
    assert report.refusal.reason in ("unknown_pattern", "unstable")
    assert report.refusal.message
    assert len(report.track) == 60
    told = report_to_json(report)
    assert told["forecast"] is None
    assert told["status"] == "refused"


def test_a_few_rows_are_too_short_or_nothing_to_track(tmp_path: Path, filmed: Filmed) -> None:
    columns = np.column_stack([filmed.track.t, filmed.track.centre_px])
    five = newtonscheme.predict(track=write_table(tmp_path / "five.csv", "t_s,u_px,v_px", *columns[:5].T), size=SIZE)
    assert five.status == "refused"
    assert five.refusal is not None
    assert five.refusal.reason == "too_short"
    with pytest.raises(NothingTrackable):
        newtonscheme.predict(track=write_table(tmp_path / "four.csv", "t_s,u_px,v_px", *columns[:4].T), size=SIZE)


def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    for given in ({"path": tmp_path / "none.mp4"}, {"track": str(tmp_path / "none.csv")}):
        with pytest.raises(UnreadableInput, match="none") as failure:
            newtonscheme.predict(**given)
        assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no input"),
        ({"path": "a.mp4", "track": "b.csv"}, "one of them"),
        ({"path": "a.mp4", "pattern": "orbit"}, "--pattern"),
        ({"track": "a.csv", "detector": "yolo.onnx"}, "--detector"),
        ({"track": "b.csv", "overlay": "o.mp4"}, "--overlay"),
        ({"path": "a.mp4", "observe": 1.5}, "--observe"),
        ({"path": "a.mp4", "sclae": 3.0}, "sclae"),
        ({"path": "a.mp4", "object": "planet"}, "planet"),
        ({"path": "a.mp4", "weights": "none.safetensors"}, "none.safetensors"),
    ],
)
def test_a_request_that_cannot_be_meant_is_refused_before_any_work(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        newtonscheme.predict(**options)


def test_a_still_clip_has_nothing_to_track(tmp_path: Path) -> None:
    backdrop = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    with pytest.raises(NothingTrackable):
        newtonscheme.predict(write_film(tmp_path / "still.mp4", [backdrop] * 20))


# Films.


def write_film(path: Path, images: list[np.ndarray[Any, Any]], fps: int = 60) -> str:
    """A lossless film: each picture decodes to the same pixels whatever comes after it."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps))
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"qp": "0", "preset": "ultrafast"}
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return str(path)


def read_film(path: Path) -> list[np.ndarray[Any, Any]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.fixture(scope="module")
def thrown() -> Report:
    return newtonscheme.predict(THROW)


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    return json.loads(THROW.with_suffix(".truth.json").read_text())


def test_the_sample_throw_is_forecast(thrown: Report, truth: dict[str, Any]) -> None:
    assert thrown.status == "forecast"
    assert thrown.pattern.name == "free_fall"
    assert thrown.body is not None
    assert thrown.body.label == truth["object"]
    rows = thrown.track.frame
    true = np.column_stack([truth["u_px"], truth["v_px"]])[rows]
    assert np.median(np.hypot(*(thrown.track.centre_px - true).T)) < 0.3
    assert thrown.parameters["speed"].value == pytest.approx(truth["parameters"]["speed"]["value"], rel=0.03)
    assert thrown.parameters["launch_angle_deg"].value == pytest.approx(truth["parameters"]["launch_angle_deg"]["value"], abs=2.0)
    assert (thrown.video.width_px, thrown.video.height_px) == (640, 360)
    assert thrown.forecast is not None
    assert thrown.forecast.t[0] > thrown.track.t[-1]


def test_tracking_alone_gives_the_same_track(thrown: Report) -> None:
    tracking = newtonscheme.track(THROW)
    assert any(np.array_equal(track.centre_px, thrown.track.centre_px) for track in tracking.tracks)


def test_the_files_that_were_asked_for_are_written_and_two_runs_report_the_same(tmp_path: Path, thrown: Report) -> None:
    targets = {name: tmp_path / f"out.{ending}" for name, ending in (("json", "json"), ("csv", "csv"), ("plot", "png"), ("overlay", "mp4"))}
    report = newtonscheme.predict(THROW, **{name: str(path) for name, path in targets.items()})
    assert json.loads(targets["json"].read_text()) == json.loads(json.dumps(report_to_json(report)))
    assert comparable(report) == comparable(thrown)
    assert all(path.stat().st_size > 100 for path in targets.values())
    with pytest.raises(UsageError, match="--force"):
        newtonscheme.predict(THROW, json=str(targets["json"]))


def test_the_carried_ball_is_refused() -> None:
    report = newtonscheme.predict(DATA / "carried.mp4")
    assert report.status == "refused"
    assert report.forecast is None


# Nothing leaks.


def second_pass(path: str | None, cut: float, reference: Analysis, options: Options) -> Report:
    return observe_until(path, cut, reference, load_recogniser(), gather_knowledge(options), options, {}, None)


def test_a_second_pass_that_saw_no_camera_move_is_judged_where_it_saw_the_object(thrown: Report) -> None:
    """The whole film shows that the camera gave way once, and lays its last part on the first frame; the first pass over a part does not."""
    rows, gave_way = thrown.track, np.array([[1.0, 0.0, 6.0], [0.0, 1.0, -4.0], [0.0, 0.0, 1.0]])
    to_first = np.where((np.arange(len(rows)) < 3)[:, None, None], np.eye(3), gave_way)
    laid = replace(rows, centre_px=rows.centre_px + to_first[:, :2, 2], to_reference=to_first)
    seen = rows.select(slice(3, len(rows) // 2))
    there = in_view_of(seen, laid)
    np.testing.assert_allclose(there.centre_px[3:], rows.centre_px[3:], atol=1e-9)
    assert there.to_reference is not None
    np.testing.assert_allclose(there.to_reference[3:], np.broadcast_to(np.eye(3), (len(rows) - 3, 3, 3)), atol=1e-12)
    assert in_view_of(seen, rows) is rows
    assert in_view_of(laid.select(slice(0, 8)), laid) is laid


def test_a_film_that_lost_a_frame_is_forecast_as_if_it_had_not(tmp_path: Path, thrown: Report) -> None:
    """Its stamps run on evenly; taken at their word they make a throw slower by four sigmas."""
    images = read_film(THROW)
    lost = 18
    report = newtonscheme.predict(write_film(tmp_path / "lost.mp4", [*images[:lost], *images[lost + 1 :]]))
    assert "clock_slips" in {notice.code for notice in report.notices}
    assert report.status == "forecast"
    assert np.sum(report.used) >= np.sum(thrown.used) - 3
    one, other = (each.parameters["speed"] for each in (report, thrown))
    assert abs(one.value - other.value) < 2.0 * other.sigma
    assert report.forecast is not None
    assert thrown.forecast is not None
    later = np.interp(report.forecast.t + 1.0 / 60.0, thrown.forecast.t, thrown.forecast.centre_px[:, 0])
    np.testing.assert_allclose(report.forecast.centre_px[:, 0], later, atol=2.0)


def test_the_whole_film_is_laid_on_the_clock_of_a_part_that_knew_of_no_slip(thrown: Report) -> None:
    rows, at = thrown.track, len(thrown.track) // 2
    mended = replace(rows, t=rows.t - np.where(np.arange(len(rows)) < at + 4, 1.0 / 60.0, 0.0))
    there = in_time_of(rows.select(slice(0, at)), mended)
    np.testing.assert_allclose(there.t[:at], rows.t[:at], atol=1e-12)
    np.testing.assert_allclose(there.t[at + 4 :], rows.t[at + 4 :] + 1.0 / 60.0, atol=1e-12)


def assert_same_forecast(one: Report, other: Report) -> None:
    assert one.forecast is not None
    assert other.forecast is not None
    for name in ("t", "centre_px", "lower_px", "upper_px", "position"):
        assert getattr(one.forecast, name).tobytes() == getattr(other.forecast, name).tobytes(), name
    assert one.forecast.stop == other.forecast.stop
    assert one.parameters == other.parameters
    assert one.track.centre_px.tobytes() == other.track.centre_px.tobytes()


def test_what_comes_after_the_cut_of_a_film_cannot_be_known_before_it(tmp_path: Path, thrown: Report) -> None:
    images = read_film(THROW)
    whole = write_film(tmp_path / "whole.mp4", images)
    options = Options(observe=0.6)
    tracking = newtonscheme.track(whole)
    size = (tracking.video.width_px, tracking.video.height_px)
    camera = choose_camera(options, size)
    reference = analyse_tracks(tracking.tracks, load_recogniser(), camera, gather_knowledge(options), pattern=None, size_px=size)
    assert reference.fit is not None
    t0, t1 = reference.fit.track.t[[0, -1]]
    cut = float(t0 + 0.6 * (t1 - t0))
    rng = np.random.default_rng(0)
    noisy = [image if i / 60 <= cut else rng.integers(0, 256, image.shape, dtype=np.uint8) for i, image in enumerate(images)]
    assert sum(a is b for a, b in zip(images, noisy, strict=True)) < 0.8 * len(images)
    blind = write_film(tmp_path / "blind.mp4", noisy)
    one, other = second_pass(whole, cut, reference, options), second_pass(blind, cut, reference, options)
    assert one.track.t[-1] <= cut
    assert_same_forecast(one, other)


def test_what_comes_after_the_cut_of_a_table_cannot_be_known_before_it(tmp_path: Path, filmed: Filmed) -> None:
    table = write_pixels(tmp_path / "whole.csv", filmed)
    options = Options(observe=0.6, size=SIZE, track=table)
    report = newtonscheme.predict(track=table, size=SIZE)
    camera = choose_camera(options, SIZE)
    reference = analyse_tracks((report.track,), load_recogniser(), camera, gather_knowledge(options), pattern=None, size_px=SIZE)
    cut = float(filmed.track.t[0] + 0.6 * np.ptp(filmed.track.t))
    late = filmed.track.t > cut
    centre = filmed.track.centre_px.copy()
    centre[late] = np.random.default_rng(0).uniform(0, 700, (late.sum(), 2))
    blind = write_pixels(tmp_path / "blind.csv", filmed, centre)
    one, other = (second_pass(None, cut, reference, Options(observe=0.6, size=SIZE, track=path)) for path in (table, blind))
    assert_same_forecast(one, other)


def test_a_cut_before_anything_moved_is_too_short(pixels: str, filmed: Filmed) -> None:
    report = newtonscheme.predict(track=pixels, size=SIZE, observe=0.05)
    assert report.status == "refused"
    assert report.refusal is not None
    assert report.refusal.reason == "too_short"
    assert report.forecast is None
    assert report.score is None


@pytest.mark.parametrize("amplitude_px", [80.0, 420.0])
def test_a_weight_on_a_lying_spring_is_no_pendulum(amplitude_px: float, tmp_path: Path) -> None:
    """It swings in time as a pendulum does, but on a straight line: only one of a bob of less than a millimetre would."""
    rng, t = np.random.default_rng(1), np.arange(240) / 60
    noise = rng.normal(0.0, 0.05, (3, len(t)))
    columns = (t, 640 + amplitude_px * np.cos(7.86 * t) + noise[0], 540 + noise[1], 20 + noise[2])
    table = tmp_path / "spring.csv"
    np.savetxt(table, np.stack(columns, axis=1), delimiter=",", header="t_s,u_px,v_px,radius_px", comments="")
    report = newtonscheme.predict(track=str(table), size=(1280, 1080))
    assert report.refusal is not None
    assert "no believable scale" in report.refusal.message
