"""A plot shows the report, whatever is in it."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import make_forecast, make_refused_report, make_report, make_track, make_video

from newtonscheme.errors import UsageError
from newtonscheme.figures import draw_report, write_plot
from newtonscheme.summary import summarise
from newtonscheme.types import Report, Wobble


def path_axes(report: Report):
    return draw_report(report).axes[0]


def test_a_plot_is_a_png_of_readable_size(tmp_path: Path) -> None:
    write_plot(make_report(), tmp_path / "a.png")
    start = (tmp_path / "a.png").read_bytes()[:24]
    assert start.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", start[16:])
    assert width >= 1200
    assert height >= 700


def test_the_same_report_is_the_same_picture(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_plot(make_report(), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_an_existing_plot_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        write_plot(make_report(), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_text() == "mine"


def test_v_points_down_and_shape_is_kept() -> None:
    axes = path_axes(make_report())
    assert axes.yaxis_inverted()
    assert axes.get_aspect() == 1.0


def test_the_path_and_its_forecast_are_in_view() -> None:
    report = make_report()
    axes = path_axes(report)
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    assert report.forecast is not None
    for u, v in np.concatenate([report.track.centre_px, report.forecast.centre_px]):
        assert left < u < right
        assert top < v < bottom


def test_a_clear_wobble_is_drawn_among_the_residuals_and_told() -> None:
    report = make_report()
    assert report.fit is not None
    n = len(report.fit.track)
    wobble = Wobble(np.array([2.0]), np.array([1.0]), np.array([[3.0, 0.0], [0.0, 3.0]]), np.eye(2), np.zeros((2, n)), 0.99)
    wobbling = replace(report, fit=replace(report.fit, wobble=wobble))
    drawn = {text.get_text() for axes in draw_report(wobbling).axes for text in axes.texts}
    assert "wobble, 2 turns/s" in drawn
    assert not any("wobble" in text.get_text() for axes in draw_report(report).axes for text in axes.texts)
    assert "2 turns a second" in summarise(wobbling)
    assert "turns a second" not in summarise(report)


def test_the_band_is_as_wide_as_the_report_says() -> None:
    report = make_report()
    (band,) = path_axes(report).collections
    outlines = np.concatenate([path.vertices for path in band.get_paths()])
    assert report.forecast is not None
    assert outlines[:, 1].max() == pytest.approx(report.forecast.upper_px[:, 1].max())
    assert outlines[:, 0].min() == pytest.approx(report.forecast.lower_px[:, 0].min())


@pytest.mark.parametrize(
    "report",
    [
        make_refused_report,
        lambda: replace(make_refused_report(), track=make_track(0), used=np.zeros(0, bool)),
        lambda: make_report(forecast=make_forecast(1), score=None, scored=None),
        lambda: make_report(forecast=make_forecast(0), score=None),
        lambda: make_report(track=make_track(1), used=np.ones(1, bool)),
        lambda: make_report(video=make_video(path=Path("$\\frac{$ 球\x1b.mp4"))),
    ],
)
def test_a_report_that_lacks_something_is_still_drawn(report, tmp_path: Path) -> None:
    write_plot(report(), tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 0


@pytest.mark.parametrize("suffix", [".pdf", ".svg"])
def test_a_plot_can_be_a_drawing(tmp_path: Path, suffix: str) -> None:
    write_plot(make_report(), tmp_path / f"a{suffix}")
    assert (tmp_path / f"a{suffix}").stat().st_size > 0
