"""A moving camera's own motion taken out of the film: every frame is laid on the first one, and what moves is then looked for as usual.

The background's motion is read off features that are followed from a key frame (Lucas & Kanade 1981, in a pyramid, from where the frame
before leaves them) and matched robustly, by a homography, which is exact for a camera that turns or zooms, or by a similarity where the
features tell no more. Frames are laid on a canvas larger than the picture. Where a frame does not reach, the canvas keeps what was last
seen there, or will be first: nothing appears to move as a place comes into view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..types import Bytes, Cadence, CameraMotion, Floats, Notice, Progress, Track, Tracking, Video
from .frame import Frame
from .registration import Features, Lay, mapped
from .steadiness import MOVED_PX
from .tracking import MOVING_CAMERA, PROGRESS_STEP, track_objects

if TYPE_CHECKING:
    from .detector import Detector
    from .frame import Picture
    from .video import VideoReader

FOLLOWED_WIDTH = 960
"""Columns at which features are followed: their errors average to some hundredths of a pixel here."""
RENEWAL_SHARE = 0.6
"""A new key frame is taken when fewer than this share of a key frame's features can still be followed."""
LOST_MISFITS, LOST_PX = 2.0, 0.2
"""How much further than the best law's the features may lie off a film's law in a frame before that is held to have missed it."""
SHAKEN_PX = 8.0
"""Detection pixels that a background which cannot be followed may lie from where it was: a hand before a plain wall, and what is larger shows."""
MARGIN = 0.5
"""Of the picture: how far the canvas reaches beyond the first frame on each side at most."""
FRINGE = 4
"""Pixels at a frame's border that are not laid: films end in dark or doubled rows, and what is worked out between pixels needs some on all sides."""
HALF = np.array([[2.0, 0.0, 0.5], [0.0, 2.0, 0.5], [0.0, 0.0, 1.0]])
"""From pixels of colour to those of brightness."""
STEADIED = "the camera moves: its own motion was taken out by what stands still in the background; coordinates are those of the first frame"
SHAKEN = "the camera moves a little; too little of the background could be followed to take its motion out: it is in the track's noise; use a tripod"
LOST = f"{MOVING_CAMERA}; too little of the background could be followed to take its motion out"


@dataclass(frozen=True, slots=True, eq=False)
class SteadyFrame:
    """A frame laid on the canvas, with the parts of a `Frame` that tracking reads."""

    index: int
    t: float
    luma: Bytes
    colour: Bytes | None

    def chroma(self) -> Bytes | None:
        """(ceil(H/2), ceil(W/2), 2) uint8 Cb and Cr on the canvas; None for a grey video."""
        return self.colour


@dataclass(frozen=True, slots=True, eq=False)
class _Canvas:
    """``offset_px`` (u, v) of the first frame's first pixel, and what each place shows when it first comes into view."""

    offset_px: tuple[int, int]
    luma: Bytes
    chroma: Bytes | None

    @property
    def onto(self) -> Floats:
        """(3, 3) from the first frame's pixels to the canvas's."""
        return np.array([[1.0, 0.0, self.offset_px[0]], [0.0, 1.0, self.offset_px[1]], [0.0, 0.0, 1.0]])


def track_still_or_moving(
    open_again: Callable[[Cadence | None], VideoReader], *, roi: tuple[int, int, int, int] | None = None, detector: Detector | None = None,
    progress: Progress | None = None, max_tracks: int = 8,
) -> Tracking:  # fmt: skip
    """What moves in a video; where its camera moves, in front of the background laid still, in the first frame's coordinates.

    A still camera's video is read once. A moving one's is read three times more: for the camera's motion, the canvas and the tracks. Where
    the background cannot be followed, a notice says so, and nothing is found unless it moves but slightly. With a ``detector`` only what
    moves in its boxes counts. A film that was converted from a lower rate is read again without its repeats, with the others at the times
    that they were taken at.
    """
    find_boxes = None if detector is None else partial(_find_boxes, detector)
    reader = open_again(None)
    found = track_objects(reader, roi=roi, find_boxes=find_boxes, progress=progress, max_tracks=max_tracks)
    cadence = reader.find_cadence()
    reopen = partial(open_again, cadence)
    if cadence is not None and not _moves(found):
        found = track_objects(reopen(), roi=roi, find_boxes=find_boxes, progress=progress, max_tracks=max_tracks)
    if not _moves(found):
        return found
    steadied = _track_steadied(reopen, roi=roi, detector=detector, progress=progress, max_tracks=max_tracks)
    if steadied is not None:
        return steadied
    # A motion that is too slight to lose the background by is no reason to find nothing.
    found = track_objects(reopen(), roi=roi, find_boxes=find_boxes, progress=progress, max_tracks=max_tracks, borne_px=SHAKEN_PX)
    return _without_hope(found) if _moves(found) else replace(found, notices=(*found.notices, Notice("camera_shakes", SHAKEN)))


def _track_steadied(
    reopen: Callable[[], VideoReader], *, roi: tuple[int, int, int, int] | None, detector: Detector | None, progress: Progress | None,
    max_tracks: int,
) -> Tracking | None:  # fmt: skip
    """What moves before the background laid still; None where it cannot be followed, or moves on."""
    motion = register_frames(reopen(), progress)
    if motion is None:
        return None
    canvas = _first_views(reopen(), motion)
    left, top = canvas.offset_px
    on_canvas = None if roi is None else (roi[0] + left, roi[1] + top, roi[2], roi[3])
    laid = None if detector is None else partial(_laid_boxes, detector, motion, canvas)
    reader = SteadyReader(reopen(), motion, canvas)
    steadied = track_objects(reader, roi=on_canvas, find_boxes=laid, progress=progress, max_tracks=max_tracks, borne_px=MOVED_PX)
    if _moves(steadied):
        return None
    tracks = tuple(_in_first_frame(track, motion, canvas) for track in steadied.tracks)
    return replace(steadied, tracks=tracks, notices=(*steadied.notices, Notice("camera_steadied", STEADIED)), camera_motion=motion)


def _find_boxes(detector: Detector, frame: Picture) -> Floats:
    """The detector's boxes of a frame as it was read."""
    colour = frame.colour() if isinstance(frame, Frame) else np.repeat(frame.luma[..., None], 3, axis=2)
    return detector.find_boxes(frame.index, colour[..., ::-1])


def _laid_boxes(detector: Detector, motion: CameraMotion, canvas: _Canvas, frame: Picture) -> Floats:
    """The boxes of a frame, which was looked at before, around their corners' places on the canvas."""
    boxes = detector.known.get(frame.index, np.empty((0, 4)))
    corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2)
    laid = mapped(canvas.onto @ motion.at(frame.index), corners).reshape(-1, 4, 2)
    return np.hstack([laid.min(axis=1), laid.max(axis=1)]) if len(laid) else np.empty((0, 4))


def _moves(found: Tracking) -> bool:
    return any(notice.code == "moving_camera" for notice in found.notices)


def _without_hope(found: Tracking) -> Tracking:
    return replace(found, notices=tuple(Notice(n.code, LOST) if n.code == "moving_camera" else n for n in found.notices))


def register_frames(reader: VideoReader, progress: Progress | None = None) -> CameraMotion | None:
    """Each frame's homography to the first frame, from what both show of the background; None where too little of it can be followed.

    The film is laid by the law of a moving camera that does best over all of it: one that changes from frame to frame would jerk.
    """
    index: list[int] = []
    chains: tuple[_Chain, ...] = (_Chain(), _Chain(), _Chain())
    key: Features | None = None
    onto, scale = np.eye(3), 1.0
    for count, frame in enumerate(reader.frames(), 1):
        scale = max(1.0, frame.luma.shape[1] / FOLLOWED_WIDTH)
        image = _shrunk(frame.luma, scale)
        index.append(frame.index)
        if key is None:
            key = Features.of(image)
        else:
            match = key.match(image, onto, turning=True)
            if match is None:
                return None
            for chain, lay in zip(chains, match.lays, strict=True):
                chain.add(lay, match.best)
            onto = min(zip(chains, match.lays, strict=True), key=lambda both: both[0].cost)[1].onto
            if match.share < RENEWAL_SHARE:
                key, onto = Features.of(image), np.eye(3)
                for chain in chains:
                    chain.renew()
        if progress is not None and count % PROGRESS_STEP == 0:
            progress("camera", count, reader.n_frames_hint)
    # A pixel's centre keeps its place in the middle of the pixels it was shrunk from.
    grow = np.array([[scale, 0.0, 0.5 * (scale - 1)], [0.0, scale, 0.5 * (scale - 1)], [0.0, 0.0, 1.0]])
    best = min(chains, key=lambda chain: chain.cost)
    whole = grow @ np.array(best.maps) @ np.linalg.inv(grow)
    return CameraMotion(index=np.array(index), to_first=whole / whole[:, 2:, 2:], error_px=scale * np.array(best.errors))


@dataclass(slots=True)
class _Chain:
    """Frames laid on the first one by one law, over key frames, of which ``key`` is the last; ``cost`` is what the law costs so far."""

    maps: list[Floats] = field(default_factory=lambda: [np.eye(3)])
    errors: list[float] = field(default_factory=lambda: [0.0])
    key: int = 0
    cost: float = 0.0

    def add(self, lay: Lay, best: Lay) -> None:
        """One frame more, laid on the key frame: where the law has lost it, by the ``best`` of them."""
        chosen = best if lay.misfit_px > LOST_MISFITS * best.misfit_px + LOST_PX else lay
        self.maps.append(self.maps[self.key] @ chosen.onto)
        self.errors.append(float(np.hypot(chosen.error_px, self.errors[self.key])))
        self.cost += lay.cost

    def renew(self) -> None:
        """The last frame is the key frame from now on."""
        self.key = len(self.maps) - 1


class SteadyReader:
    """A video as a camera at rest would have seen it: the frames of a reader laid on one canvas."""

    def __init__(self, reader: VideoReader, motion: CameraMotion, canvas: _Canvas) -> None:
        self._reader, self._motion, self._canvas = reader, motion, canvas
        self.height_px, self.width_px = canvas.luma.shape
        self.n_frames_hint = reader.n_frames_hint

    def frames(self) -> Iterator[SteadyFrame]:
        """The reader's frames on the canvas."""
        luma, chroma = self._canvas.luma, self._canvas.chroma
        for frame in self._reader.frames():
            luma, chroma = _laid(frame, self._canvas.onto @ self._motion.at(frame.index), luma, chroma)
            yield SteadyFrame(frame.index, frame.t, luma, chroma)

    def summary(self) -> tuple[Video, tuple[Notice, ...]]:
        """The video as it was read."""
        return self._reader.summary()


def _first_views(reader: VideoReader, motion: CameraMotion) -> _Canvas:
    """A canvas that holds the frames, with what each of its places shows first."""
    size = np.array([reader.width_px, reader.height_px], dtype=np.float64)
    corners = np.array([[0.0, 0.0], [size[0], 0.0], [size[0], size[1]], [0.0, size[1]]])
    reached = np.concatenate([mapped(each, corners) for each in motion.to_first])
    low = np.maximum(reached.min(axis=0), -MARGIN * size)
    high = np.minimum(reached.max(axis=0), (1 + MARGIN) * size)
    # Colour has half the resolution: the first frame begins at a whole block, and blocks are whole.
    offset = 2 * np.ceil(np.maximum(-low, 0.0) / 2).astype(int)
    width, height = (2 * np.ceil((offset + np.maximum(high, size)) / 2)).astype(int)
    luma = np.zeros((height, width), np.uint8)
    canvas = _Canvas((int(offset[0]), int(offset[1])), luma, np.full((height // 2, width // 2, 2), 128, np.uint8) if reader.has_colour else None)
    unseen = np.full((height, width), 255, np.uint8)
    for frame in reader.frames():
        onto = canvas.onto @ motion.at(frame.index)
        new = np.asarray(cv2.bitwise_and(unseen, _reached(frame.luma.shape, onto, luma.shape))) > 0
        if not new.any():
            continue
        unseen[new] = 0
        laid, colour = _laid(frame, onto, canvas.luma, canvas.chroma)
        canvas.luma[new] = laid[new]
        if canvas.chroma is not None and colour is not None:
            canvas.chroma[new[::2, ::2]] = colour[new[::2, ::2]]
    return canvas


def _laid(frame: Picture, onto: Floats, luma: Bytes, chroma: Bytes | None) -> tuple[Bytes, Bytes | None]:
    """The canvas with a frame but for its fringe laid on it; where that does not reach it stays as it was."""
    inside = _reached(frame.luma.shape, onto, luma.shape)
    top = cv2.warpPerspective(frame.luma, onto, luma.shape[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    laid = np.asarray(cv2.copyTo(top, inside, luma.copy()), dtype=np.uint8)
    tint = frame.chroma()
    if chroma is None or tint is None:
        return laid, None
    half = np.linalg.inv(HALF) @ onto @ HALF
    colour = cv2.warpPerspective(tint, half, chroma.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return laid, np.asarray(cv2.copyTo(colour, np.ascontiguousarray(inside[::2, ::2]), chroma.copy()), dtype=np.uint8)


def _reached(shape: tuple[int, ...], onto: Floats, canvas: tuple[int, ...]) -> Bytes:
    """255 where a frame (h, w) but for its fringe reaches on the canvas (h, w)."""
    low, high = np.array([FRINGE, FRINGE]), np.array(shape[1::-1]) - 1 - FRINGE
    corners = mapped(onto, np.array([low, [high[0], low[1]], high, [low[0], high[1]]], dtype=np.float64))
    return np.asarray(cv2.fillConvexPoly(np.zeros(canvas, np.uint8), np.round(corners).astype(np.int32), 255), dtype=np.uint8)


def _in_first_frame(track: Track, motion: CameraMotion, canvas: _Canvas) -> Track:
    """A track on the canvas in the first frame's coordinates, the camera's error in its own."""
    rows = np.searchsorted(motion.index, track.frame)
    wider = (motion.error_px[rows] ** 2)[:, None, None] * np.eye(2)
    centre = track.centre_px - np.array(canvas.offset_px, dtype=np.float64)
    return replace(track, centre_px=centre, covariance_px=track.covariance_px + wider, to_reference=motion.to_first[rows])


def _shrunk(luma: Bytes, scale: float) -> Bytes:
    if scale == 1.0:
        return np.ascontiguousarray(luma)
    size = (round(luma.shape[1] / scale), round(luma.shape[0] / scale))
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
