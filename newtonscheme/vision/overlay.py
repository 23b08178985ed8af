"""The film again, with what was found drawn into it: the path so far, the forecast ahead with its band, the numbers, a scale bar.

Everything is sized by the picture, drawn at sub-pixel positions, and kept off the object itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from ..files import check_output, replacing
from ..notation import format_name, format_number, format_percent, format_quantity
from ..types import Bools, Bytes, CameraMotion, Floats, Progress, Report
from .lettering import draw_text
from .registration import mapped
from .video import VideoReader

OVERLAY_SUFFIXES = (".mp4",)

Colour = tuple[int, int, int]
# Blue, green, red; Okabe and Ito's colours (2008), told apart with every kind of colour vision.
SEEN: Colour = (233, 180, 86)
UNSEEN: Colour = (115, 158, 0)
LEFT_OUT: Colour = (190, 190, 190)
AHEAD: Colour = (0, 94, 213)
BAND: Colour = (60, 190, 255)
INK: Colour = (255, 255, 255)
SHADE: Colour = (20, 20, 20)

LINE_SHARE = 1 / 360
"""Width of a line as a share of the picture's shorter side: 1 px on a small film, 3 px at 1080 lines, 6 px at 2160."""
FONT_SHARE, SMALLEST_FONT_PX = 1 / 34, 10
PANEL_SHARE = (0.7, 0.5)
"""The panel takes at most these shares of the picture's width and height; lines that do not fit are left out."""
PANEL_OPACITY, BAND_OPACITY, EARLY_BAND_OPACITY = 0.6, 0.42, 0.22
CLEARANCE = 1.25
"""Nothing is drawn within this many radii of the object's centre."""
BAR_SHARES = (0.08, 0.3)
"""A scale bar is as long as the largest of 1, 2, 5 times a power of ten metres that is at most this share of the picture's width; none
is drawn where that is below the lower share."""
MOST_NUMBERS = 4
ELLIPSE_CORNERS = 32
SUBPIXEL_BITS = 4

CLOCK = 90_000
"""Ticks for each second: the clock of MPEG, which every player keeps; the source's times are kept to 6 us."""
LARGEST_PX = 3840 * 2160
"""H.264 level 5.1 ends near here, and with it most hardware decoders; a larger film is drawn smaller."""
CRF, PRESET, ENCODER_THREADS = 18, "fast", 2
BT709, LIMITED_RANGE = 1, 1


def write_overlay(
    reader: VideoReader,
    report: Report,
    path: str | Path,
    progress: Progress | None = None,
    *,
    motion: CameraMotion | None = None,
    force: bool = False,
) -> None:
    """Write the film with the report drawn in, as H.264 (yuv420p, index first) in mp4: the frames and times of ``reader``, whole or not at all.

    With the ``motion`` of a moving camera everything is drawn where each frame shows it.

    Raises:
        UsageError: the file cannot be written, or exists and ``force`` is not given.
        UnreadableInput: the film cannot be decoded (any more).
        LimitReached: no room is left on the disk.
    """
    check_output(path, force=force, suffixes=OVERLAY_SUFFIXES)
    painter = _Painter.prepare(report, reader.width_px, reader.height_px)
    with (
        replacing(path, force=force) as temporary,
        av.open(str(temporary), "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}) as container,
    ):
        stream = container.add_stream("libx264", rate=Fraction(reader.nominal_fps).limit_denominator(1001))
        width, height = painter.size_px
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", Fraction(1, CLOCK)
        stream.options = {"crf": str(CRF), "preset": PRESET, "profile": "high"}
        codec = stream.codec_context
        codec.thread_count = ENCODER_THREADS
        codec.colorspace = codec.color_primaries = codec.color_trc = BT709
        codec.color_range = LIMITED_RANGE
        first: float | None = None
        for count, frame in enumerate(reader.frames(), 1):
            first = frame.t if first is None else first
            view = painter if motion is None else painter.seen_from(motion.at(frame.index))
            picture = _to_picture(view.paint(frame.colour(), frame.t))
            picture.pts, picture.time_base = round((frame.t - first) * CLOCK), Fraction(1, CLOCK)
            container.mux(stream.encode(picture))
            if progress is not None:
                progress("overlay", count, reader.n_frames_hint)
        container.mux(stream.encode(None))


def _to_picture(image: Bytes) -> av.VideoFrame:
    """H.264 in yuv420p has even sides: an odd one gets its last row or column twice."""
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = np.asarray(cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE), dtype=np.uint8)
    picture = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format="yuv420p", dst_colorspace=BT709)
    picture.colorspace = BT709
    return picture


@dataclass(frozen=True, slots=True, kw_only=True)
class _Patch:
    """Colours (h, w, 3) and their opacity (h, w) in 0..1 over the rectangle whose first pixel is ``corner`` (u, v)."""

    corner: tuple[int, int]
    colour: Bytes
    opacity: NDArray[np.float32]

    @classmethod
    def flat(cls, corner: tuple[int, int], colour: Colour, mask: Bytes) -> _Patch:
        """One colour, as opaque as the mask (h, w) 0..255 says."""
        return cls(corner=corner, colour=np.full((*mask.shape, 3), colour, np.uint8), opacity=mask.astype(np.float32) / np.float32(255.0))

    def blend(self, image: Bytes, factor: float = 1.0) -> None:
        """Lay the patch over the image in place."""
        u, v = self.corner
        height, width = self.opacity.shape
        under = image[v : v + height, u : u + width]
        share = np.float32(factor) * self.opacity
        under[:] = cv2.blendLinear(self.colour, under, share, np.float32(1.0) - share)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Painter:
    """Everything about the drawing that does not change from frame to frame, in the pixels of the film that is written."""

    size_px: tuple[int, int]
    scale: float
    line_px: int
    font_px: int
    t: Floats
    centre_px: Floats
    radius_px: Floats
    colours: Sequence[Colour]
    t_cut: float
    t_ahead: Floats
    ahead_px: Floats
    half_px: Floats
    band: _Patch | None
    panel: _Patch
    bar: _Patch | None

    @classmethod
    def prepare(cls, report: Report, width_px: int, height_px: int) -> _Painter:
        """The drawing of a report for a film of this size."""
        scale = min(1.0, (LARGEST_PX / (width_px * height_px)) ** 0.5)
        size = (max(2, round(width_px * scale)), max(2, round(height_px * scale)))
        line = max(1, round(LINE_SHARE * min(size)))
        font = max(SMALLEST_FONT_PX, round(FONT_SHARE * min(size)))
        t, centre, radius, colours = _gather_samples(report)
        centre, radius = _rescale(centre, scale), scale * radius
        forecast = report.forecast
        t_ahead = np.zeros(0) if forecast is None else forecast.t
        ahead = np.zeros((0, 2)) if forecast is None else _rescale(forecast.centre_px, scale)
        half = np.zeros((0, 2)) if forecast is None else 0.5 * scale * (forecast.upper_px - forecast.lower_px)
        panel = _draw_panel(_panel_lines(report), font, size)
        bar = _draw_bar(report, scale, size, font, line)
        places = _place([panel, *([bar] if bar is not None else [])], size, np.concatenate([centre, ahead]), font)
        used = report.track.t[report.used]
        return cls(
            size_px=size,
            scale=scale,
            line_px=line,
            font_px=font,
            t=t,
            centre_px=centre,
            radius_px=radius,
            colours=colours,
            t_cut=float(used[-1]) if len(used) else np.inf,
            t_ahead=t_ahead,
            ahead_px=ahead,
            half_px=half,
            band=_draw_band(ahead, half, size),
            panel=places[0],
            bar=places[1] if len(places) > 1 else None,
        )

    def seen_from(self, to_first: Floats) -> _Painter:
        """The same drawing in the pixels of a frame that ``to_first`` (3, 3) maps to the first one's."""
        shrink = np.diag([self.scale, self.scale, 1.0])
        from_first = np.asarray(shrink @ np.linalg.inv(to_first) @ np.linalg.inv(shrink), dtype=np.float64)
        zoom = float(np.sqrt(abs(np.linalg.det(from_first[:2, :2]))))
        ahead, half = mapped(from_first, self.ahead_px), zoom * self.half_px
        return replace(
            self, centre_px=mapped(from_first, self.centre_px), radius_px=zoom * self.radius_px, ahead_px=ahead, half_px=half,
            band=_draw_band(ahead, half, self.size_px),
        )  # fmt: skip

    def paint(self, image: Bytes, t: float) -> Bytes:
        """The picture at time t (s) with everything drawn in."""
        if self.scale < 1.0:
            image = np.asarray(cv2.resize(image, self.size_px, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        canvas = image.copy()
        if self.band is not None:
            self.band.blend(canvas, BAND_OPACITY if t >= self.t_cut else EARLY_BAND_OPACITY)
        for patch in (self.panel, self.bar):
            if patch is not None:
                patch.blend(canvas)
        self._draw_clock(canvas, t)
        past, fitted = (int(np.searchsorted(self.t, until, side="right")) for until in (t, self.t_cut))
        if past > fitted:
            # From the cut on the forecast lies over the path that it grew from, and under the one that judges it.
            self._draw_path(canvas, 0, fitted)
            self._draw_forecast(canvas, t)
            self._draw_path(canvas, max(fitted - 1, 0), past)
        else:
            self._draw_forecast(canvas, t)
            self._draw_path(canvas, 0, past)
        self._restore_object(canvas, image, t)
        return canvas

    def _draw_path(self, canvas: Bytes, first: int, end: int) -> None:
        for row in range(first, end):
            _draw_line(canvas, self.centre_px[max(row - 1, first) : row + 1], self.colours[row], self.line_px)
            _draw_disc(canvas, self.centre_px[row], 1.2 * self.line_px, self.colours[row])

    def _draw_forecast(self, canvas: Bytes, t: float) -> None:
        if not len(self.t_ahead):
            return
        last_used = self.centre_px[self.t <= self.t_cut][-1:]
        _draw_line(canvas, np.concatenate([last_used, self.ahead_px]), AHEAD, self.line_px)
        if self.t_ahead[0] <= t <= self.t_ahead[-1]:
            centre = _interpolate(t, self.t_ahead, self.ahead_px)
            _draw_line(canvas, _ellipse(centre, _interpolate(t, self.t_ahead, self.half_px)), AHEAD, self.line_px)

    def _restore_object(self, canvas: Bytes, image: Bytes, t: float) -> None:
        """Put the object's own pixels back, and a ring around them; nothing where it was not seen."""
        if not len(self.t):
            return
        nearest = int(np.argmin(np.abs(self.t - t)))
        step = np.median(np.diff(self.t)) if len(self.t) > 1 else np.inf
        if abs(self.t[nearest] - t) > 0.5 * step:
            return
        radius = CLEARANCE * self.radius_px[nearest] if np.isfinite(self.radius_px[nearest]) else 3.0 * self.line_px
        low = np.clip(np.floor(self.centre_px[nearest] - radius).astype(int), 0, self.size_px)
        high = np.clip(np.ceil(self.centre_px[nearest] + radius).astype(int) + 1, 0, self.size_px)
        box = (slice(low[1], high[1]), slice(low[0], high[0]))
        v, u = np.mgrid[box]
        inside = np.hypot(u - self.centre_px[nearest, 0], v - self.centre_px[nearest, 1]) <= radius
        canvas[box][inside] = image[box][inside]
        ring = _ellipse(self.centre_px[nearest], np.full(2, radius + self.line_px))
        _draw_line(canvas, ring, self.colours[nearest], self.line_px)

    def _draw_clock(self, canvas: Bytes, t: float) -> None:
        phase = "" if not len(self.t_ahead) else " forecast" if t > self.t_cut else " observed"
        text = draw_text(f"t = {t:.2f} s{phase}", self.font_px)
        u, v = self.panel.corner[0] + self.font_px // 2, self.panel.corner[1] + self.panel.opacity.shape[0] - text.shape[0] - self.font_px // 3
        text = text[: canvas.shape[0] - v, : canvas.shape[1] - u]
        _Patch.flat((u, v), INK, text).blend(canvas)


def _gather_samples(report: Report) -> tuple[Floats, Floats, Floats, list[Colour]]:
    """Time, centre, radius and colour of every sample that was tracked, those that only judge the forecast among them."""
    track, used = report.track, report.used
    colours = [SEEN if fitted else LEFT_OUT for fitted in used]
    if report.scored is None:
        return track.t, track.centre_px, track.radius_px, colours
    later: Bools = report.scored.t > (track.t[-1] if len(track) else -np.inf)
    scored = report.scored.select(later)
    return (
        np.concatenate([track.t, scored.t]),
        np.concatenate([track.centre_px, scored.centre_px]),
        np.concatenate([track.radius_px, scored.radius_px]),
        colours + [UNSEEN] * len(scored),
    )


def _rescale(centre_px: Floats, scale: float) -> Floats:
    """Pixel centres lie at whole numbers, so a picture is scaled about its first pixel's corner at (-0.5, -0.5)."""
    return scale * (centre_px + 0.5) - 0.5


def _interpolate(t: float, times: Floats, values: Floats) -> Floats:
    return np.array([np.interp(t, times, column) for column in values.T])


def _ellipse(centre: Floats, half: Floats) -> Floats:
    """(corners, 2) a closed outline."""
    angle = np.linspace(0.0, 2.0 * np.pi, ELLIPSE_CORNERS + 1)
    return centre + half * np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _fixed_point(points: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    # cv2 counts in 32 bits; a forecast that has left the picture by this far is nowhere near it.
    return np.round(np.clip(points, -1e5, 1e5) * 2**SUBPIXEL_BITS).astype(np.int32)


def _draw_line(canvas: Bytes, points: Floats, colour: Colour, width: int) -> None:
    cv2.polylines(canvas, [_fixed_point(points)], False, colour, width, cv2.LINE_AA, SUBPIXEL_BITS)


def _draw_disc(canvas: Bytes, centre: Floats, radius: float, colour: Colour) -> None:
    u, v = (int(value) for value in _fixed_point(centre))
    cv2.circle(canvas, (u, v), int(_fixed_point(np.array(radius))), colour, -1, cv2.LINE_AA, SUBPIXEL_BITS)


def _draw_band(ahead: Floats, half: Floats, size: tuple[int, int]) -> _Patch | None:
    """The tube that the band's ellipses span, as far as it is in the picture."""
    if not len(ahead):
        return None
    outlines = [_fixed_point(_ellipse(centre, extent)) for centre, extent in zip(ahead, half, strict=True)]
    mask = np.zeros((size[1], size[0]), dtype=np.uint8)
    for start, end in pairwise(outlines if len(outlines) > 1 else outlines * 2):
        cv2.fillConvexPoly(mask, cv2.convexHull(np.concatenate([start, end])), 255, cv2.LINE_AA, SUBPIXEL_BITS)
    u, v, width, height = cv2.boundingRect(mask)
    if not width:
        return None
    return _Patch.flat((u, v), BAND, mask[v : v + height, u : u + width])


def _panel_lines(report: Report) -> list[str]:
    """What the panel says: the pattern first, then the object, the numbers and the outcome."""
    pattern, body = report.pattern, report.body
    lines = [f"{format_name(pattern.name or 'unknown pattern')} {format_percent(pattern.probability)}"]
    if body is not None and body.label is not None:
        lines.append(f"{body.label} {format_percent(body.probability)}")
    if report.refusal is not None:
        # The numbers of a fit that does not hold would be believed.
        return [*lines, f"refused: {format_name(report.refusal.reason)}"]
    told = [(name, value) for name, value in report.parameters.items() if value.source != "assumed"]
    lines += [f"{format_name(name)} {format_quantity(value)}" for name, value in told[:MOST_NUMBERS]]
    if report.score is not None:
        lines.append(f"off by {format_number(100.0 * report.score.rms_share_of_path, 2)} % of the path")
    return lines


def _draw_panel(lines: Sequence[str], font_px: int, size: tuple[int, int]) -> _Patch:
    """The lines that a part of the picture has room for, and below them an empty one for the clock."""
    clock = draw_text("t = 000.00 s observed", font_px)
    padding = font_px // 3
    texts = [draw_text(line, font_px, bold=row == 0) for row, line in enumerate(lines)]
    room = max(1, int(PANEL_SHARE[1] * size[1] - 2 * padding) // clock.shape[0] - 1)
    texts = [text for text in texts if text.shape[1] + font_px <= PANEL_SHARE[0] * size[0]][:room]
    width = max(text.shape[1] for text in (clock, *texts)) + font_px
    coverage = np.zeros(((len(texts) + 1) * clock.shape[0] + 2 * padding, width), np.uint8)
    for row, text in enumerate(texts):
        top = padding + row * clock.shape[0]
        coverage[top : top + text.shape[0], font_px // 2 : font_px // 2 + text.shape[1]] = text
    return _write_on_shade(coverage)


def _write_on_shade(coverage: Bytes) -> _Patch:
    """White where covered (0..255), a dark veil elsewhere."""
    covered = coverage / np.float32(255.0)
    opacity = np.maximum(np.float32(PANEL_OPACITY), covered)
    share = (covered / opacity)[..., None]
    colour = np.round(share * np.array(INK) + (1.0 - share) * np.array(SHADE)).astype(np.uint8)
    return _Patch(corner=(0, 0), colour=colour, opacity=opacity)


def _draw_bar(report: Report, scale: float, size: tuple[int, int], font_px: int, line_px: int) -> _Patch | None:
    """A bar of a round number of metres, in the plane of the object in the middle of its segment."""
    if report.refusal is not None or report.scale is None or not report.scale.px_per_m > 0:
        return None
    px_per_m = scale * report.scale.px_per_m
    longest = BAR_SHARES[1] * size[0] / px_per_m
    power = 10.0 ** np.floor(np.log10(longest))
    metres = max(step * power for step in (1.0, 2.0, 5.0) if step * power <= longest)
    length = round(metres * px_per_m)
    if length < BAR_SHARES[0] * size[0]:
        return None
    text = draw_text(f"{metres:g} m" if metres >= 1 else f"{100.0 * metres:g} cm", font_px)
    tick = 2 * line_px
    coverage = np.zeros((text.shape[0] + 2 * tick + font_px // 2, max(length, text.shape[1]) + font_px), np.uint8)
    left, base = font_px // 2, text.shape[0] + tick
    coverage[: text.shape[0], left : left + text.shape[1]] = text
    coverage[base : base + line_px, left : left + length] = 255
    for end in (left, left + length - line_px):
        coverage[base - tick : base + tick, end : end + line_px] = 255
    return _write_on_shade(coverage)


def _place(patches: Sequence[_Patch], size: tuple[int, int], path_px: Floats, font_px: int) -> list[_Patch]:
    """Each patch in the corner that covers least of the path and nothing placed before it; left out where there is none."""
    placed: list[_Patch] = []
    for patch in patches:
        opacity = patch.opacity[: size[1], : size[0]]
        height, width = opacity.shape
        room = (size[0] - width, size[1] - height)
        margin = min(font_px // 2, *room)
        corners = [(u, v) for v in (margin, room[1] - margin) for u in (margin, room[0] - margin)]
        free = [corner for corner in corners if not any(_overlap(corner, (width, height), other) for other in placed)]
        if free:
            corner = min(free, key=lambda corner: _covered(path_px, corner, (width, height), font_px))
            placed.append(_Patch(corner=corner, colour=patch.colour[: size[1], : size[0]], opacity=opacity))
    return placed


def _overlap(corner: tuple[int, int], extent: tuple[int, int], other: _Patch) -> bool:
    height, width = other.opacity.shape
    (u, v), (other_u, other_v) = corner, other.corner
    return u < other_u + width and other_u < u + extent[0] and v < other_v + height and other_v < v + extent[1]


def _covered(path_px: Floats, corner: tuple[int, int], extent: tuple[int, int], margin_px: int) -> int:
    low, high = np.array(corner) - margin_px, np.array(corner) + extent + margin_px
    return int(np.all((path_px >= low) & (path_px <= high), axis=1).sum())
