"""A bounded stretch of frames, kept as small as tracking allows: every frame thinned for detection, full pixels only where things change.

One pass over the video feeds it. Frames wait a moment in full in a short ring; when they leave it, the tiles in which anything changed
while they were there are kept and the rest is dropped. A few whole frames from all over the stretch give the still background at full
resolution, place by place where it is asked for. Brightness is brought to that of the stretch's first frame. The background of the stretch before
tells what is behind a thing that lingers in all of this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..types import Bools, Bytes, Floats, Ints
from .background import (
    PERSISTENT_SHARE,
    THRESHOLD_FLOOR,
    Background,
    Singles,
    estimate_background,
    foreground,
    match_brightness,
    smooth,
    spread_indices,
)

if TYPE_CHECKING:
    from .frame import Picture

TILE = 32
"""Pixels of a tile's side: a small ball and its surroundings."""
WIDEST_DETECTION = 640
"""Detection works on every k-th pixel, with k such that no more columns than this are left: balls of 3 px at 640 columns are seen."""
MEGABYTE = 1 << 20
SMALL_BUDGET = 80 * MEGABYTE
RING_BUDGET = 48 * MEGABYTE
TILE_BUDGET = 64 * MEGABYTE
KEY_BUDGET = 48 * MEGABYTE
"""What the parts of a stretch may weigh; together they keep a whole process under 500 MB at 1920x1080."""
LEAST_RING, LEAST_KEYS = 4, 6
"""Frames kept in full even where one alone is heavy (4K)."""
STILL_FRAMES = 16
"""Frames averaged for the still background at full resolution."""
CHANGE_FLOOR, CHANGE_FACTOR = 8.0, 2.5
"""A tile changed if its smoothed pixels ranged over more than this many grey levels, and this many times the picture's typical range."""
CUT_SHARE = 0.5
"""Share of the picture that no change of brightness explains: another scene, or other light."""
CUT_UNEXPLAINED = 0.15
"""The same for a frame in which most of the picture changed at once: a plain wall after another plain wall is still another scene."""
CUT_LEVELS = 15
"""Grey levels between frames that a changed pixel differs by."""
SAME_OFFSET = 0.8
"""A median change of brightness, in grey levels, too small to be worth correcting."""
GAIN_RANGE = (0.3, 3.0)
"""Gains beyond this are another scene."""
PROBES = 1600
"""Pixels that brightness is compared on."""
UNCOVERED_RADII, UNCOVERED_PX = 0.15, 2.0
"""Radii and pixels from a disc's edge, both added up, from which on nothing of the object is seen, however soft and badly placed it is."""
INSIDE_PX = 1.0
"""Pixels inside a disc's edge from which on nothing but the object is seen."""
CHANGED_SHARE = 0.02
"""Share of a disc's area in which the background must change for the object to be worth another look."""
MIN_STRETCH = 5
"""Frames before another cut is looked for: a background needs a few."""


@dataclass(slots=True)
class _Tiles:
    """What is left of a frame: tiles (m, T, T), their colour (m, T/2, T/2, 2) or None, and where they are."""

    top: Ints
    left: Ints
    luma: Bytes
    chroma: Bytes | None


def detection_stride(width_px: int, height_px: int) -> int:
    """Every how many pixels detection looks; the longer side of a portrait picture counts half."""
    return max(1, int(np.ceil(max(width_px, height_px / 2) / WIDEST_DETECTION)))


class Stretch:
    """Frames of one scene. Append until `full`, then `finish`, then read `luma`, `chroma`, `window` and `still`.

    ``before`` is the background of the stretch before, if that showed the same scene.
    """

    def __init__(self, width_px: int, height_px: int, before: Background | None = None) -> None:
        self.stride = detection_stride(width_px, height_px)
        self.index: list[int] = []
        self.t: list[float] = []
        self.luma: list[Bytes] = []
        self.chroma: list[Bytes] = []
        self.brightness: list[tuple[float, float]] = []
        self.background: Background | None = None
        self._before = before
        self._size = (height_px, width_px)
        self._ring: list[tuple[int, Bytes, Bytes | None]] = []
        self._tiles: dict[int, _Tiles] = {}
        self._keys: list[tuple[int, Bytes, Bytes | None]] = []
        self._key_step = 1
        self._first_probe: Floats = np.zeros(0)
        self._weight = 0
        self._tile_weight = 0
        self._still: list[Singles] = []
        self._key_masks: list[Bools] = []
        self._known: Bools = np.zeros((0, 0), bool)

    def __len__(self) -> int:
        return len(self.index)

    @property
    def full(self) -> bool:
        """No more memory for another frame."""
        return self._weight > SMALL_BUDGET or self._tile_weight > TILE_BUDGET

    def starts_anew(self, frame: Picture) -> bool:
        """Whether a frame shows another scene or other light than this stretch."""
        if len(self) < MIN_STRETCH:
            return False
        probe = self._probe(frame.luma[self._thin])
        changed = np.count_nonzero(np.abs(probe - self._probe(self.luma[-1])) > CUT_LEVELS)
        if changed < CUT_SHARE * len(probe):
            return False
        return all(match_brightness(probe, self._probe(self.luma[k]))[2] > CUT_UNEXPLAINED for k in (0, -1))

    def append(self, frame: Picture) -> None:
        """Take the next frame, thinned at once and its changed tiles a little later."""
        k = len(self.index)
        luma, chroma = np.ascontiguousarray(frame.luma[self._thin]), frame.chroma()
        self.index.append(frame.index)
        self.t.append(frame.t)
        gain, offset = self._match(luma)
        self.brightness.append((gain, offset))
        corrected = luma if (gain, offset) == (1.0, 0.0) else cv2.convertScaleAbs(luma, alpha=1 / gain, beta=-offset / gain)
        self.luma.append(np.asarray(corrected, dtype=np.uint8))
        self._weight += luma.nbytes
        if chroma is not None:
            thin = np.ascontiguousarray(chroma[:: self.stride, :: self.stride])
            self.chroma.append(thin)
            self._weight += thin.nbytes
        if self.stride > 1:
            full = (k, frame.luma, chroma)
            self._ring.append(full)
            self._keep_key(full)
            if len(self._ring) >= self._ring_length(full):
                self._empty_ring()

    def finish(self) -> Background:
        """Estimate the background; no more frames after this."""
        self._empty_ring()
        self.background = estimate_background(self.luma, self.chroma or None, self._recalled())
        if self.stride == 1:
            pick = spread_indices(len(self), STILL_FRAMES)
            self._keys = [(k, self.luma[k], self.chroma[k] if self.chroma else None) for k in pick]
        height, width = self._size
        planes = 3 if self.chroma else 1
        self._still = [np.zeros(self._size if p == 0 else ((height + 1) // 2, (width + 1) // 2), np.float32) for p in range(planes)]
        self._known = np.zeros((-(-height // TILE), -(-width // TILE)), bool)
        self._key_masks = [self._covered(k, self.background) for k, _, _ in self._keys]
        return self.background

    def window(self, k: int, left: int, top: int, size: int, channel: int = 0, behind: Singles | None = None) -> Singles:
        """(size, size) pixels of frame ``k`` in the stretch's brightness, NaN outside the picture; ``channel`` 0 is luma, 1 and 2 chroma.

        ``behind`` is the background there, where it is known already.
        """
        if self.stride == 1:
            return _cut(self.luma[k] if channel == 0 else self.chroma[k][..., channel - 1], left, top, size, channel > 0)
        tiles = self._tiles[k]
        out = self.still(left, top, size, channel) if behind is None else behind.copy()
        gain, offset = self.brightness[k] if channel == 0 else (1.0, 0.0)
        touched = (tiles.top + TILE > top) & (tiles.top < top + size) & (tiles.left + TILE > left) & (tiles.left < left + size)
        for n in np.flatnonzero(touched):
            y, x = int(tiles.top[n]), int(tiles.left[n])
            y0, x0, y1, x1 = max(y, top), max(x, left), min(y + TILE, top + size, self._size[0]), min(x + TILE, left + size, self._size[1])
            if channel == 0:
                tile = tiles.luma[n]
            elif tiles.chroma is not None:
                tile = tiles.chroma[n, :, :, channel - 1].repeat(2, 0).repeat(2, 1)
            out[y0 - top : y1 - top, x0 - left : x1 - left] = (tile[y0 - y : y1 - y, x0 - x : x1 - x] - np.float32(offset)) / np.float32(gain)
        return out

    def still(self, left: int, top: int, size: int, channel: int = 0) -> Singles:
        """(size, size) pixels of the background at full resolution, NaN outside the picture."""
        height, width = self._size
        for row in range(max(top, 0) // TILE, (min(top + size, height) - 1) // TILE + 1):
            for column in range(max(left, 0) // TILE, (min(left + size, width) - 1) // TILE + 1):
                if not self._known[row, column]:
                    self._learn(row, column)
        return _cut(self._still[channel], left, top, size, channel > 0)

    def uncover(self, rows: Ints, centre_px: Floats, radius_px: Floats) -> bool:
        """Learn the still background anew where an object is in it; whether it has changed.

        What hardly moves in most frames is taken for background. Where it has been found all the same, by discs in frames ``rows`` (n,) in
        order of time, only those between the first and the last in which it is elsewhere show what is behind it.
        """
        s, (h, w) = self.stride, self._key_masks[0].shape
        at = np.array([k for k, _, _ in self._keys])
        told = (at >= rows[0]) & (at <= rows[-1])
        u, v, radius = (np.interp(at, rows, x) for x in (centre_px[:, 0], centre_px[:, 1], radius_px))
        (left, right), (top, bottom) = (
            np.clip([(x - radius).min() // s, (x + radius).max() // s + 2], 0, most).astype(int) for x, most in ((u, w), (v, h))
        )
        box, masks = np.s_[top:bottom, left:right], np.stack([mask[top:bottom, left:right] for mask in self._key_masks])
        across, down = (s * np.arange(a, b) + 0.5 * (s - 1) for a, b in ((left, right), (top, bottom)))
        apart = np.hypot(across[None, None, :] - u[:, None, None], down[None, :, None] - v[:, None, None])
        outside = np.where(told[:, None, None], apart - radius[:, None, None], -np.inf)
        inside, farthest = told[:, None, None] & (outside < -INSIDE_PX), outside.max(axis=0)
        hidden = np.any(inside & ~masks, axis=0) | np.all(masks, axis=0)
        hidden &= (farthest > 0) & (inside.sum(axis=0) > PERSISTENT_SHARE * np.count_nonzero(told))
        if not hidden.any():
            return False
        # Where the object is never far away, the frame in which it is farthest shows the background best.
        covered = outside < np.minimum((UNCOVERED_RADII * radius + UNCOVERED_PX)[:, None, None], farthest)
        for mask, own, seen in zip(self._key_masks, covered, told, strict=True):
            mask[box] = np.where(hidden, own, mask[box] | (own & seen))
        changed = 0
        for row, column in {(int(y + top) * s // TILE, int(x + left) * s // TILE) for y, x in np.argwhere(hidden)}:
            tile = np.s_[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
            if self._known[row, column]:
                before = self._still[0][tile].copy()
                self._learn(row, column)
                changed += int(np.count_nonzero(np.abs(self._still[0][tile] - before) > THRESHOLD_FLOOR))
        return changed > CHANGED_SHARE * np.pi * float(np.median(radius)) ** 2

    def _covered(self, k: int, background: Background) -> Bools:
        """Where frame ``k`` shows no background, with a rim for soft edges."""
        mask = foreground(self.luma[k], self.chroma[k] if self.chroma else None, background)
        return np.asarray(cv2.dilate(mask, np.ones((5, 5), np.uint8))) > 0

    @property
    def _thin(self) -> tuple[slice, slice]:
        start = (self.stride - 1) // 2
        return np.s_[start :: self.stride, start :: self.stride]

    @staticmethod
    def _probe(luma: Bytes) -> Floats:
        step = max(1, int(np.sqrt(luma.size / PROBES)))
        return luma[::step, ::step].ravel().astype(float)

    def _match(self, luma: Bytes) -> tuple[float, float]:
        """Gain and offset of a frame's brightness against the stretch's first."""
        probe = self._probe(luma)
        if not self.luma:
            self._first_probe = probe
            return 1.0, 0.0
        # Most frames change nowhere near so much: the middle value alone tells, at a third of what a median costs.
        departure, middle = probe - self._first_probe, len(probe) // 2
        if abs(float(np.partition(departure, middle)[middle])) < SAME_OFFSET:
            return 1.0, 0.0
        gain, offset, unexplained = match_brightness(probe, self._first_probe)
        return (gain, offset) if GAIN_RANGE[0] < gain < GAIN_RANGE[1] and unexplained < CUT_SHARE else (1.0, 0.0)

    def _keep_key(self, full: tuple[int, Bytes, Bytes | None]) -> None:
        """Whole frames from all over the stretch: when there are too many, every other one goes."""
        k, luma, _ = full
        most = max(LEAST_KEYS, KEY_BUDGET // int(1.5 * luma.nbytes))
        if k % self._key_step == 0:
            self._keys.append(full)
        if len(self._keys) > most:
            self._keys = self._keys[::2]
            self._key_step *= 2

    def _recalled(self) -> tuple[Bytes, Bytes | None] | None:
        """The background of the stretch before in the brightness of this one's first frame; None where that does not explain it."""
        if self._before is None:
            return None
        gain, offset, unexplained = match_brightness(self._probe(self._before.luma), self._first_probe)
        if not GAIN_RANGE[0] < gain < GAIN_RANGE[1] or unexplained > CUT_UNEXPLAINED:
            return None
        return np.asarray(cv2.convertScaleAbs(self._before.luma, alpha=1 / gain, beta=-offset / gain), dtype=np.uint8), self._before.chroma

    @staticmethod
    def _ring_length(full: tuple[int, Bytes, Bytes | None]) -> int:
        return max(LEAST_RING, RING_BUDGET // int(1.5 * full[1].nbytes))

    def _empty_ring(self) -> None:
        """Keep the tiles that changed while the frames were in the ring, a rim around them, and forget the rest."""
        if not self._ring:
            return
        # Neighbouring rings overlap by the last frame before this one, so that what stops or starts between two rings is not missed.
        first = max(self._ring[0][0] - 1, 0)
        luma = [smooth(x) for x in self.luma[first:]]
        chroma = [smooth(x) for x in self.chroma[first:]]
        grid = (-(-self._size[0] // TILE), -(-self._size[1] // TILE))
        changed = _changed(luma, grid)
        if chroma:
            changed |= _changed([x[..., 0] for x in chroma], grid) | _changed([x[..., 1] for x in chroma], grid)
        changed = np.asarray(cv2.dilate(changed.astype(np.uint8), np.ones((3, 3), np.uint8))) > 0
        rows, columns = np.nonzero(changed)
        height, width = self._size
        top = np.minimum(rows * TILE, max(height - TILE, 0) & ~1)
        left = np.minimum(columns * TILE, max(width - TILE, 0) & ~1)
        for k, full, tint in self._ring:
            tiles = _Tiles(top, left, _gather(full, top, left, TILE), None if tint is None else _gather(tint, top // 2, left // 2, TILE // 2))
            self._tiles[k] = tiles
            self._tile_weight += tiles.luma.nbytes + (0 if tiles.chroma is None else tiles.chroma.nbytes)
        self._ring = []

    def _learn(self, row: int, column: int) -> None:
        """The still background in one tile: the mean over whole frames where nothing is in front of it, else see `_mean_where`."""
        s = self.stride
        y0, x0 = row * TILE, column * TILE
        y1, x1 = min(y0 + TILE, self._size[0]), min(x0 + TILE, self._size[1])
        h, w = self._key_masks[0].shape
        rows, columns = np.minimum(np.arange(y0, y1) // s, h - 1), np.minimum(np.arange(x0, x1) // s, w - 1)
        free = np.stack([~mask[rows[:, None], columns[None]] for mask in self._key_masks])
        stack = np.stack([(luma[y0:y1, x0:x1] - np.float32(o)) / np.float32(g) for (k, luma, _) in self._keys for g, o in [self._own_brightness(k)]])
        told = self.background if self._before is not None else None
        self._still[0][y0:y1, x0:x1] = _mean_where(stack, free, None if told is None else told.luma[rows[:, None], columns[None]])
        if len(self._still) > 1:
            free = free[:, ::2, ::2]
            for c in (0, 1):
                half = [tint[y0 // 2 : (y1 + 1) // 2, x0 // 2 : (x1 + 1) // 2, c].astype(np.float32) for _, _, tint in self._keys if tint is not None]
                own = None if told is None or told.chroma is None else told.chroma[rows[::2, None] // 2, columns[None, ::2] // 2, c]
                self._still[1 + c][y0 // 2 : (y1 + 1) // 2, x0 // 2 : (x1 + 1) // 2] = _mean_where(np.stack(half), free, own)
        self._known[row, column] = True

    def _own_brightness(self, k: int) -> tuple[float, float]:
        """Thinned frames are corrected already, whole ones are not."""
        return (1.0, 0.0) if self.stride == 1 else self.brightness[k]


def _changed(frames: list[Bytes], grid: tuple[int, int]) -> Bools:
    """Which tiles of the grid changed over a few smoothed, thinned frames."""
    low, high = frames[0].copy(), frames[0].copy()
    for f in frames[1:]:
        np.minimum(low, f, out=low)
        np.maximum(high, f, out=high)
    change = cv2.subtract(high, low)
    threshold = min(CHANGE_FLOOR + CHANGE_FACTOR * float(np.median(change)), 255)
    return np.asarray(cv2.resize((np.asarray(change) > threshold).astype(np.float32), (grid[1], grid[0]), interpolation=cv2.INTER_AREA)) > 0


def _gather(image: Bytes, top: Ints, left: Ints, size: int) -> Bytes:
    if image.shape[0] < size or image.shape[1] < size:
        pad = [(0, max(0, size - image.shape[0])), (0, max(0, size - image.shape[1]))] + [(0, 0)] * (image.ndim - 2)
        image = np.pad(image, pad, mode="edge")
    views = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(0, 1))[top, left]
    return np.ascontiguousarray(np.moveaxis(views, 1, -1) if image.ndim == 3 else views)


def _cut(image: Bytes | Singles, left: int, top: int, size: int, half: bool) -> Singles:
    """A square window, NaN outside; of a half-resolution plane each pixel twice each way."""
    out = np.full((size, size), np.nan, np.float32)
    h, w = (2 * image.shape[0], 2 * image.shape[1]) if half else image.shape
    y0, x0, y1, x1 = max(top, 0), max(left, 0), min(top + size, h), min(left + size, w)
    if y0 < y1 and x0 < x1:
        source = image[np.arange(y0, y1)[:, None] // 2, np.arange(x0, x1)[None] // 2] if half else image[y0:y1, x0:x1]
        out[y0 - top : y1 - top, x0 - left : x1 - left] = source
    return out


def _mean_where(stack: Singles, free: Bools, told: Bytes | None) -> Singles:
    """The mean of frames (n, h, w) where they are free; where none is, what is told of the background there, else their median."""
    count = free.sum(axis=0)
    mean = (stack * free).sum(axis=0) / np.maximum(count, 1)
    return np.where(count > 0, mean, np.median(stack, axis=0) if told is None else told).astype(np.float32)
