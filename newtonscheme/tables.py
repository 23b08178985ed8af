"""Tracks as tables that other programs read: our own CSV, plain coordinates, Tracker's text and .trk, TrackNet, trackpy.

Columns of pixels are in display coordinates, v down, the centre of the first pixel at (0, 0). Programs that put the *corner* of the
first pixel at (0, 0) (Tracker, as all of Java's pictures) get half a pixel more, in both directions.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from xml.sax.saxutils import escape

from .errors import UsageError
from .files import write_text
from .notation import delimited, number_text, printable_path
from .types import Track, Tracking

CORNER_OFFSET_PX = 0.5


def write_track(tracking: Tracking, index: int, form: str, target: str | Path, *, force: bool = False) -> None:
    """Write one track of a video in one of `TRACK_FORMATS`, to a file or, where ``target`` is ``-``, to standard output.

    Args:
        tracking: what vision found.
        index: which of its tracks, 0 being the best.
        form: "csv", "txy", "framexy", "tracker", "trk", "tracknet" or "trackpy".
        target: where to.
        force: whether an existing file may be replaced.

    Raises:
        UsageError: there is no such track or format, or the file cannot be written.
        LimitReached: no room is left on the disk.
    """
    check_format(form)
    if not 0 <= index < len(tracking.tracks):
        raise UsageError(f"--object-index: found {index}, needed one of the {len(tracking.tracks)} tracks, counted from 0")
    write_text(target, TRACK_FORMATS[form](tracking, tracking.tracks[index]), force=force)


def check_format(form: str) -> None:
    """Refuse a name that is none of `TRACK_FORMATS`.

    Raises:
        UsageError: it is none.
    """
    if form not in TRACK_FORMATS:
        raise UsageError(f"--format: found {form!r}, needed one of {', '.join(TRACK_FORMATS)}")


def _own_table(_: Tracking, track: Track) -> str:
    header = ("frame", "t_s", "u_px", "v_px", "radius_px", "sigma_px", "radius_sigma_px", "score")
    columns = (track.frame, track.t, *track.centre_px.T, track.radius_px, track.total_sigma_px, track.radius_sigma_px, track.score)
    return delimited((header, *zip(*columns, strict=True)), ",")


def _timed_table(_: Tracking, track: Track) -> str:
    return delimited((("t_s", "x_px", "y_px"), *zip(track.t, *track.centre_px.T, strict=True)), ",")


def _numbered_table(_: Tracking, track: Track) -> str:
    return delimited((("frame", "x_px", "y_px"), *zip(track.frame, *track.centre_px.T, strict=True)), ",")


def _tracker_text(_: Tracking, track: Track) -> str:
    """Tab-separated, as Tracker's File > Export > Data File writes it, with the pixel unit in the header."""
    return delimited((("t_s", "u_px", "v_px"), *zip(track.t, *track.centre_px.T, strict=True)), "\t")


def _tracker_project(tracking: Tracking, track: Track) -> str:
    """A Tracker project (XML): the clip, an uncalibrated picture (1 px for each unit, origin in the lower left corner) and a point mass.

    Steps without a point are gaps, as Tracker itself writes them. Elements and classes as Tracker 5.1.5 saves them.
    """
    video = tracking.video
    spacing_ms = 1000.0 / video.fps if video.fps > 0 else 0.0
    points = "".join(
        _TRK_POINT.format(frame=frame, x=number_text(u + CORNER_OFFSET_PX), y=number_text(v + CORNER_OFFSET_PX))
        for frame, (u, v) in zip(track.frame, track.centre_px, strict=True)
    )
    return _TRK.format(
        width=number_text(float(video.width_px)),
        height=number_text(float(video.height_px)),
        path=escape(printable_path(video.path)),
        n_frames=max(video.n_frames, int(track.frame[-1]) + 1),
        start=number_text(1000.0 * (float(track.t[0]) - int(track.frame[0]) * spacing_ms / 1000.0)),
        spacing=number_text(spacing_ms),
        points=points,
    )


def _tracknet_table(tracking: Tracking, track: Track) -> str:
    """Every frame of the clip; ``Visibility`` 0 with coordinates 0 where the object was not seen, as in TrackNetV2's label files."""
    seen = {int(frame): (1, u, v) for frame, (u, v) in zip(track.frame, track.centre_px, strict=True)}
    n_frames = max(tracking.video.n_frames, int(track.frame[-1]) + 1)
    return delimited((("Frame", "Visibility", "X", "Y"), *((frame, *seen.get(frame, (0, 0, 0))) for frame in range(n_frames))), ",")


def _trackpy_table(_: Tracking, track: Track) -> str:
    """A trackpy trajectory; ``size`` is the apparent radius. It has no ``mass``: in trackpy that is a brightness."""
    rows = zip(track.centre_px[:, 1], track.centre_px[:, 0], track.radius_px, track.frame, strict=True)
    return delimited((("y", "x", "size", "frame", "particle"), *((*row, 0) for row in rows)), ",")


TRACK_FORMATS: MappingProxyType[str, Callable[[Tracking, Track], str]] = MappingProxyType({
    "csv": _own_table,
    "txy": _timed_table,
    "framexy": _numbered_table,
    "tracker": _tracker_text,
    "trk": _tracker_project,
    "tracknet": _tracknet_table,
    "trackpy": _trackpy_table,
})  # fmt: skip


_TRK_POINT = """
    <property name="[{frame}]" type="object">
    <object class="org.opensourcephysics.cabrillo.tracker.PointMass$FrameData">
        <property name="x" type="double">{x}</property>
        <property name="y" type="double">{y}</property>
    </object>
    </property>"""
_TRK = """<?xml version="1.0" encoding="UTF-8"?>
<object class="org.opensourcephysics.cabrillo.tracker.TrackerPanel">
    <property name="width" type="double">{width}</property>
    <property name="height" type="double">{height}</property>
    <property name="videoclip" type="object">
    <object class="org.opensourcephysics.media.core.VideoClip">
        <property name="video" type="object">
        <object class="org.opensourcephysics.media.xuggle.XuggleVideo">
            <property name="path" type="string">{path}</property>
        </object>
        </property>
        <property name="video_framecount" type="int">{n_frames}</property>
        <property name="startframe" type="int">0</property>
        <property name="stepsize" type="int">1</property>
        <property name="stepcount" type="int">{n_frames}</property>
        <property name="starttime" type="double">{start}</property>
    </object>
    </property>
    <property name="clipcontrol" type="object">
    <object class="org.opensourcephysics.media.core.StepperClipControl">
        <property name="rate" type="double">1.0</property>
        <property name="delta_t" type="double">{spacing}</property>
        <property name="frame" type="int">0</property>
    </object>
    </property>
    <property name="coords" type="object">
    <object class="org.opensourcephysics.media.core.ImageCoordSystem">
        <property name="fixedorigin" type="boolean">true</property>
        <property name="fixedangle" type="boolean">true</property>
        <property name="fixedscale" type="boolean">true</property>
        <property name="framedata" type="array" class="[Lorg.opensourcephysics.media.core.ImageCoordSystem$FrameData;">
            <property name="[0]" type="object">
            <object class="org.opensourcephysics.media.core.ImageCoordSystem$FrameData">
                <property name="xorigin" type="double">0.0</property>
                <property name="yorigin" type="double">{height}</property>
                <property name="angle" type="double">0.0</property>
                <property name="xscale" type="double">1.0</property>
                <property name="yscale" type="double">1.0</property>
            </object>
            </property>
        </property>
    </object>
    </property>
    <property name="tracks" type="collection" class="java.util.ArrayList">
        <property name="item" type="object">
        <object class="org.opensourcephysics.cabrillo.tracker.PointMass">
            <property name="name" type="string">object</property>
            <property name="framedata" type="array" class="[Lorg.opensourcephysics.cabrillo.tracker.PointMass$FrameData;">{points}
            </property>
        </object>
        </property>
    </property>
</object>
"""
