"""One decoded picture in display orientation: luma at once, chroma and colour on demand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import av
import cv2
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.video.plane import VideoPlane

from ..types import Bytes, Notice, Video

# Containers whose pixels are further from square than this are broken: the widest real ones (anamorphic film) are 2:1.
WIDEST_PIXEL = 4.0

# Lines from which a stream that names no colour matrix is BT.709 (high definition), as players assume.
HD_LINES = 720
BT709, BT601, UNSPECIFIED_MATRIX = 1, 5, 2

# Pictures lower than this have no two lines of one field to interpolate between.
FEWEST_LINES = 3

HALF_RESOLUTION_CHROMA = frozenset({"yuv420p", "yuvj420p", "yuva420p"})


@dataclass(frozen=True, slots=True)
class Geometry:
    """How stored pixels become the picture on display: stretched to square pixels, then transposed, then flipped.

    ``stored_px`` and ``square_px`` are (width, height) before and after the stretch. ``flip`` is cv2's code (0: up-down, 1: left-right,
    -1: both), None for no flip. ``odd_matrix`` and ``odd_aspect`` tell that the file asked for something else, which was not done.
    """

    stored_px: tuple[int, int]
    square_px: tuple[int, int]
    transpose: bool = False
    flip: int | None = None
    odd_matrix: bool = False
    odd_aspect: bool = False

    @property
    def display_px(self) -> tuple[int, int]:
        """(width, height) of the picture on display."""
        width, height = self.square_px
        return (height, width) if self.transpose else (width, height)

    def apply(self, plane: Bytes, *, halved: bool = False) -> Bytes:
        """A stored plane (h, w) or (h, w, c) in display orientation; ``halved`` for planes of half resolution. No copy where none is needed."""
        if self.square_px != self.stored_px:
            width, height = self.square_px
            size = ((width + 1) // 2, (height + 1) // 2) if halved else (width, height)
            shrinks = size[0] < plane.shape[1]
            plane = _uint8(cv2.resize(plane, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR))
        if self.transpose:
            plane = _uint8(cv2.transpose(plane))
        if self.flip is not None:
            plane = _uint8(cv2.flip(plane, self.flip))
        return plane


class Picture(Protocol):
    """What tracking reads of a frame: see `Frame`."""

    @property
    def index(self) -> int:
        """Its number in the file."""

    @property
    def t(self) -> float:
        """Its time in s."""

    @property
    def luma(self) -> Bytes:
        """(H, W) uint8."""

    def chroma(self) -> Bytes | None:
        """(ceil(H/2), ceil(W/2), 2) uint8 Cb and Cr; None for a grey video."""


class Film(Protocol):
    """What tracking reads of a video: see `VideoReader`."""

    @property
    def width_px(self) -> int:
        """Of every picture."""

    @property
    def height_px(self) -> int:
        """Of every picture."""

    def frames(self) -> Iterator[Picture]:
        """The pictures in order."""

    def summary(self) -> tuple[Video, tuple[Notice, ...]]:
        """The video as the last pass read it, and what is doubtful about it."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture: ``index`` is its number in the file, ``t`` its time in s, both from the first decoded frame.

    ``luma`` (H, W) uint8 is the brightness as it was coded (limited-range video spans 16 to 235), display-oriented and read-only. It is a view of the
    decoder's own buffer wherever the format allows; the view keeps the buffer alive, so hold few frames at a time.
    ``flags``: "corrupt" (the decoder marked it or part of it never arrived), "suspect" (builds on a picture that was lost),
    "interlaced" (two half-pictures of different times, of which only the upper is shown, its missing lines filled in),
    "duplicate" (repeats the frame before although the clock runs on).
    """

    index: int
    t: float
    luma: Bytes
    flags: frozenset[str]
    _picture: av.VideoFrame = field(repr=False)
    _geometry: Geometry = field(repr=False)

    def chroma(self) -> Bytes | None:
        """(ceil(H/2), ceil(W/2), 2) uint8 Cb and Cr, display-oriented; None for a grey video."""
        picture = self._picture
        if not has_colour(picture.format):
            return None
        if picture.format.name not in HALF_RESOLUTION_CHROMA:
            picture = picture.reformat(format="yuv420p")
        width, height = (picture.width + 1) // 2, (picture.height + 1) // 2
        planes = [_one_field(_bytes(picture, index, width, height), picture) for index in (1, 2)]
        return self._geometry.apply(_uint8(cv2.merge(planes)), halved=True)

    def colour(self) -> Bytes:
        """(H, W, 3) uint8 in the order blue, green, red, display-oriented."""
        picture = self._picture
        matrix = picture.colorspace
        if matrix == UNSPECIFIED_MATRIX:
            matrix = BT709 if picture.height >= HD_LINES else BT601
        return self._geometry.apply(_one_field(_uint8(picture.reformat(format="bgr24", src_colorspace=matrix).to_ndarray()), picture))


def read_geometry(picture: av.VideoFrame, sample_aspect: float | None) -> Geometry:
    """The way from this picture's pixels to the display, from its display matrix and the stream's pixel aspect (width over height).

    The display matrix is FFmpeg's (libavutil/display.h): p' = a p + c q, q' = b p + d q, with q down.
    """
    stored = (picture.width, picture.height)
    aspect = sample_aspect or 1.0
    odd_aspect = not 1 / WIDEST_PIXEL <= aspect <= WIDEST_PIXEL
    square = (stored[0] if odd_aspect else max(1, round(stored[0] * aspect)), stored[1])
    data = picture.side_data.get(SideData.DISPLAYMATRIX)  # type: ignore[call-overload]  # keys are SideData members
    if data is None:
        return Geometry(stored, square, odd_aspect=odd_aspect)
    a, b, _, c, d, *_ = np.frombuffer(data, dtype=np.int32).astype(float)
    straight = max(abs(b), abs(c)) < 1e-3 * min(abs(a), abs(d))
    crossed = max(abs(a), abs(d)) < 1e-3 * min(abs(b), abs(c))
    if not (straight or crossed):
        return Geometry(stored, square, odd_matrix=True, odd_aspect=odd_aspect)
    leftwards, upwards = (a < 0, d < 0) if straight else (c < 0, b < 0)
    flip = -1 if leftwards and upwards else 1 if leftwards else 0 if upwards else None
    return Geometry(stored, square, transpose=crossed, flip=flip, odd_aspect=odd_aspect)


def has_colour(pixel_format: av.VideoFormat) -> bool:
    """Whether pixels of this format carry more than brightness."""
    return pixel_format.has_palette or sum(not component.is_alpha for component in pixel_format.components) > 1


def read_luma(picture: av.VideoFrame) -> Bytes:
    """(h, w) 8-bit brightness of the stored picture, read-only; a view of the Y plane where it has 8 bits."""
    luma = _one_field(_stored_luma(picture), picture)
    luma.setflags(write=False)
    return luma


def _stored_luma(picture: av.VideoFrame) -> Bytes:
    pixel_format = picture.format
    first = pixel_format.components[0]
    alone = first.is_luma and sum(component.plane == 0 for component in pixel_format.components) == 1 and not pixel_format.has_palette
    if alone and first.bits == 8:
        return _bytes(picture, 0, picture.width, picture.height)
    if alone and first.bits > 8 and not pixel_format.is_big_endian:
        high_bits = pixel_format.name.startswith("p")
        return _narrowed(picture, 16 if high_bits else first.bits)
    if len(pixel_format.components) > 2 and not pixel_format.is_rgb and not pixel_format.has_palette:
        return _bytes(picture.reformat(format="yuv444p"), 0, picture.width, picture.height)
    return _bytes(picture.reformat(format="gray"), 0, picture.width, picture.height)


def _one_field(plane: Bytes, picture: av.VideoFrame) -> Bytes:
    """The plane as it was at one time: of an interlaced picture the even lines, with means of their neighbours in between.

    Where the lower lines were exposed first, every frame is late by the same half gap.
    """
    if not picture.interlaced_frame or plane.shape[0] < FEWEST_LINES:
        return plane
    whole = plane.copy()
    whole[1:-1:2] = cv2.addWeighted(plane[:-2:2], 0.5, plane[2::2], 0.5, 0.0)
    if plane.shape[0] % 2 == 0:
        whole[-1] = plane[-2]
    return whole


def _narrowed(picture: av.VideoFrame, bits: int) -> Bytes:
    """Brightness of more than 8 bits scaled to 8, rounded."""
    plane = picture.planes[0]
    words = _buffer(plane).view("<u2").reshape(-1, abs(plane.line_size) // 2)[: picture.height, : picture.width]
    return _uint8(cv2.convertScaleAbs(words[:: 1 if plane.line_size > 0 else -1], alpha=2.0 ** (8 - bits)))


def _bytes(picture: av.VideoFrame, index: int, width: int, height: int) -> Bytes:
    """View of an 8-bit plane without its padding; bottom-up buffers come out right side up."""
    plane = picture.planes[index]
    rows = _buffer(plane).reshape(-1, abs(plane.line_size))[:height, :width]
    return rows if plane.line_size > 0 else np.ascontiguousarray(rows[::-1])


def _buffer(plane: VideoPlane) -> Bytes:
    """The plane's memory with its padding; the array keeps the picture alive."""
    return np.frombuffer(plane, dtype=np.uint8)  # type: ignore[call-overload]  # a buffer, which its types do not say


def _uint8(array: object) -> Bytes:
    return np.asarray(array, dtype=np.uint8)
