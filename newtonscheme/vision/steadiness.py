"""Whether the camera stood still: blocks of the picture are registered with the first frame and asked whether they moved together."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..types import Bytes, Floats
from .background import spread_indices

FRAMES = 10
"""Frames that are registered with the first."""
BLOCKS = (3, 4)
"""Rows and columns of blocks: one moving object covers few of them."""
REGISTERED_WIDTH = 240
"""Columns at which registration works: a shift of a detection pixel is still a third of one here."""
TEXTURE = 4.0
"""Grey levels of spread that a block needs to be registered at all."""
LEAST_BLOCKS = 3
"""Textured blocks below which nothing can be said, and the camera is taken for still."""
LEAST_RESPONSE = 0.15
"""Peak of the phase correlation below which two blocks show different things."""
MOVED_PX = 2.0
"""Detection pixels: a background that moves more than this is everywhere in front of itself."""
TOGETHER_PX, TOGETHER_SHARE = 1.5, 0.7
"""Blocks that move together agree within this many detection pixels in this share of them."""
MOVED_SHARE = 0.3
"""Share of the frames that must have moved: one jolt is a cut."""


def camera_moves(lumas: Sequence[Bytes]) -> bool:
    """Whether the background of frames (h, w) uint8 at detection scale moves as a whole."""
    if len(lumas) < 3:
        return False
    scale = max(1.0, lumas[0].shape[1] / REGISTERED_WIDTH)
    frames = [_shrunk(lumas[k], scale) for k in spread_indices(len(lumas), FRAMES + 1)]
    moved = [_moved(frames[0], other, scale) for other in frames[1:]]
    return float(np.mean(moved)) >= MOVED_SHARE


def _shrunk(luma: Bytes, scale: float) -> Floats:
    size = (round(luma.shape[1] / scale), round(luma.shape[0] / scale))
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), dtype=np.float64)


def _moved(first: Floats, other: Floats, scale: float) -> bool:
    shifts = np.array([_shift(a, b) for a, b in zip(_blocks(first), _blocks(other), strict=True)]) * scale
    known = shifts[np.isfinite(shifts[:, 0])]
    if len(known) < LEAST_BLOCKS:
        return False
    usual = np.median(known, axis=0)
    together = np.hypot(*(known - usual).T) < TOGETHER_PX
    return bool(np.hypot(*usual) > MOVED_PX and together.mean() >= TOGETHER_SHARE)


def _blocks(image: Floats) -> list[Floats]:
    return [block for row in np.array_split(image, BLOCKS[0]) for block in np.array_split(row, BLOCKS[1], axis=1)]


def _shift(first: Floats, other: Floats) -> tuple[float, float]:
    """Displacement of one block by phase correlation, NaN where there is nothing to hold on to."""
    if min(first.std(), other.std()) < TEXTURE:
        return np.nan, np.nan
    window = cv2.createHanningWindow((first.shape[1], first.shape[0]), cv2.CV_64F)
    (du, dv), response = cv2.phaseCorrelate(first, other, window)
    return (du, dv) if response > LEAST_RESPONSE else (np.nan, np.nan)
