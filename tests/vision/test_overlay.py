"""The overlay is the film again, with the report drawn in and the object left alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from helpers import make_forecast, make_refused_report, make_report, make_track, throw_px

from newtonscheme.errors import UsageError
from newtonscheme.types import Report
from newtonscheme.vision.overlay import write_overlay
from newtonscheme.vision.video import open_video

BACKDROP = 128
BALL = 235
FRAMES = 30
FAR = np.full((10, 2), 1e9)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film_throw(tmp_path_factory.mktemp("films") / "throw.mp4", 640, 360, [k / 30 for k in range(FRAMES)])


def film_throw(path: Path, width: int, height: int, times: list[float]) -> Path:
    """A light disc on grey where `helpers.throw_px` says, losslessly."""
    v, u = np.mgrid[:height, :width]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "gray"
        stream.codec_context.time_base = Fraction(1, 90_000)
        for t in times:
            at = throw_px(np.array(t))
            image = np.where(np.hypot(u - at[0], v - at[1]) <= 9.0, BALL, BACKDROP).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="gray")
            frame.pts, frame.time_base = round(t * 90_000), Fraction(1, 90_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def overlaid(film: Path, report: Report, target: Path) -> list[tuple[float, np.ndarray]]:
    write_overlay(open_video(film), report, target)
    return [(frame.t, frame.colour().astype(int)) for frame in open_video(target).frames()]


def changed(image: np.ndarray) -> np.ndarray:
    """(h, w) what is neither backdrop nor ball."""
    return (np.abs(image - BACKDROP).max(axis=2) > 24) & (np.abs(image - BALL).max(axis=2) > 24)


def test_every_frame_keeps_its_time(film: Path, tmp_path: Path) -> None:
    frames = overlaid(film, make_report(), tmp_path / "a.mp4")
    assert [t for t, _ in frames] == pytest.approx([k / 30 for k in range(FRAMES)], abs=2e-5)


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    times = [0.0, 0.03, 0.10, 0.12, 0.3, 0.31]
    frames = overlaid(film_throw(tmp_path / "uneven.mp4", 320, 240, times), make_report(), tmp_path / "a.mp4")
    assert [t for t, _ in frames] == pytest.approx(times, abs=2e-5)


def test_it_plays_everywhere(film: Path, tmp_path: Path) -> None:
    overlaid(film, make_report(), tmp_path / "a.mp4")
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.codec_context.profile == "High"
    content = (tmp_path / "a.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_the_object_itself_is_never_drawn_over(film: Path, tmp_path: Path) -> None:
    v, u = np.mgrid[:360, :640]
    report = make_report()
    for t, image in overlaid(film, report, tmp_path / "a.mp4"):
        seen = np.abs(report.track.t - t) < 1e-3
        if seen.any():
            at = report.track.centre_px[seen][0]
            inside = np.hypot(u - at[0], v - at[1]) < 7.0
            assert np.abs(image[inside] - BALL).max() < 40


def test_the_path_so_far_is_drawn_and_not_the_path_to_come(film: Path, tmp_path: Path) -> None:
    report = make_report(forecast=None, score=None, scored=None)
    frames = overlaid(film, report, tmp_path / "a.mp4")
    early, late = report.track.centre_px[2], report.track.centre_px[-2]
    assert near(changed(frames[12][1]), early)
    assert not near(changed(frames[12][1]), late)
    assert near(changed(frames[25][1]), late)


def near(mask: np.ndarray, point: np.ndarray) -> bool:
    u, v = np.round(point).astype(int)
    return bool(mask[v - 2 : v + 3, u - 2 : u + 3].any())


def test_the_forecast_lies_ahead_of_the_object(film: Path, tmp_path: Path) -> None:
    report = make_report()
    frames = overlaid(film, report, tmp_path / "a.mp4")
    assert report.forecast is not None
    inside = report.forecast.centre_px[report.forecast.centre_px[:, 1] < 350]
    assert near(changed(frames[18][1]), inside[-1])


def test_a_wider_band_colours_more_of_the_picture(film: Path, tmp_path: Path) -> None:
    narrow = make_forecast()
    wide = replace(narrow, lower_px=narrow.centre_px - 40, upper_px=narrow.centre_px + 40)
    areas = []
    for name, forecast in (("narrow.mp4", narrow), ("wide.mp4", wide)):
        _, image = overlaid(film, make_report(forecast=forecast, score=None, scored=None), tmp_path / name)[25]
        orange = (image[..., 2] - image[..., 0] > 40)[:350]
        areas.append(int(orange.sum()))
    assert areas[1] > 3 * areas[0]


@pytest.mark.parametrize(("width", "height"), [(321, 241), (96, 64), (240, 426)])
def test_any_size_gets_even_sides(tmp_path: Path, width: int, height: int) -> None:
    source = film_throw(tmp_path / "a.mkv", width, height, [0.0, 0.1, 0.2])
    frames = overlaid(source, make_report(), tmp_path / "a.mp4")
    assert frames[0][1].shape[:2] == (height + height % 2, width + width % 2)


@pytest.mark.parametrize(
    "make",
    [
        make_refused_report,
        lambda: replace(make_refused_report(), track=make_track(0), used=np.zeros(0, bool)),
        lambda: make_report(forecast=make_forecast(0), score=None, scored=None),
        lambda: make_report(forecast=make_forecast(1), score=None, scored=None),
        lambda: make_report(forecast=replace(make_forecast(), centre_px=FAR, lower_px=FAR, upper_px=1.1 * FAR)),
        lambda: make_report(scale=replace(make_report().scale, px_per_m=1e9)),
        lambda: make_report(track=make_track(1, radius_px=np.array([np.nan])), used=np.ones(1, bool)),
    ],
)  # fmt: skip
def test_a_report_that_lacks_something_is_still_drawn(make: Callable[[], Report], film: Path, tmp_path: Path) -> None:
    assert len(overlaid(film, make(), tmp_path / "a.mp4")) == FRAMES


def test_progress_is_told_for_every_frame(film: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    write_overlay(open_video(film), make_report(), tmp_path / "a.mp4", lambda *step: told.append(step))
    assert [done for _, done, _ in told] == list(range(1, FRAMES + 1))


def test_a_film_that_is_there_is_kept_and_another_container_refused(film: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("mine")
    for name, words in (("a.mp4", "exists"), ("a.avi", "must end in"), ("-", "standard output")):
        with pytest.raises(UsageError, match=words):
            write_overlay(open_video(film), make_report(), tmp_path / name if name != "-" else name)
    assert (tmp_path / "a.mp4").read_text() == "mine"


def test_an_interruption_leaves_nothing_behind(film: Path, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_overlay(open_video(film), make_report(), tmp_path / "a.mp4", stop)
    assert list(tmp_path.iterdir()) == []
