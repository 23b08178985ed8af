"""Whether the camera stood still: frames are registered with others, and asked whether everything in them moved together."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..types import Bytes, Floats
from .background import spread_indices
from .registration import Features

FRAMES = 10
"""Frames that are registered, each with the first and with one shortly before."""
SHORTLY = 6
"""Frames between two that show a turning camera nearly the same."""
MOVED_PX = 3.0
"""Detection pixels: a background that moves more is everywhere in front of itself."""
SLIGHTLY_PX, SLIGHTLY_SIGMAS, SLIGHTLY_AGREEING, SLIGHTLY_SPREAD = 0.5, 25.0, 0.6, 0.5
"""A hand that nearly holds still: the background is worth following where it moves by more than this, so many times as far as its motion's
error (a background laid still by a motion known little better than that hides small things), and so large a share of the features, from all
over the picture, agrees. What moves less is left to the noise of the track."""
TOLD_SIGMAS, TOLD_SPAN = 8.0, 0.4
"""Times the error of its motion that a hand's shake must be where more than the features tell it: blocks from so large a part of the picture that
clearly moved along. Before a curtain, or a plain wall with a shelf, features are few and lie together."""
LEAST_AGREEING = 0.3
"""Of the earlier frame's features: fewer may be those of one large moving thing."""
MOST_STAYED = 0.15
"""Share of the features, and of the blocks, that may stay where they are while all else moves: more, and it is something large that moves."""
LEAST_SPREAD = 0.2
"""Share of the picture that the features which moved must span: a ball of a third of its width spans a seventh."""
BLOCK_PX, TOLD_LEVELS, CLEARLY = 24, 1.5, 0.6
"""Side of the blocks that are asked whether they moved along, grey levels that a motion must change a block by for it to tell, and share of what
the one leaves there that the other may, to tell clearly."""
MOVED_SHARE = 0.3
"""Share of the frames that must have moved: one jolt is a cut."""


def camera_moves(lumas: Sequence[Bytes], *, borne_px: float = 0.0) -> bool:
    """Whether the background of frames (h, w) uint8 at detection scale moves as a whole: shifts, turns or grows.

    ``borne_px``: what does not lie further from where it was at first is borne; 0: not even what takes a look at all of it to see, as of a
    camera in a quiet hand.
    """
    if len(lumas) < 3:
        return False
    later = spread_indices(len(lumas), FRAMES + 1)[1:]
    first = Features.of(lumas[0])
    since_first = [_moved(first, lumas[k], borne_px) for k in later]
    shortly = [_moved(Features.of(lumas[k - SHORTLY]), lumas[k], MOVED_PX) for k in later if k > SHORTLY]
    return any(len(moved) > 0 and float(np.mean(moved)) >= MOVED_SHARE for moved in (since_first, shortly))


def _moved(first: Features, other: Bytes, borne_px: float) -> bool:
    match = first.match(other, np.eye(3))
    if match is None or match.share <= LEAST_AGREEING or match.stayed >= MOST_STAYED:
        return False
    if match.moved_px <= max(borne_px, SLIGHTLY_PX):
        return False
    span = _moved_span(first.image, other, match.best.onto)
    told = span >= TOLD_SPAN
    if match.moved_px > MOVED_PX:
        return told or (span > 0 and match.spread >= LEAST_SPREAD)
    far = match.moved_px > (TOLD_SIGMAS if told else SLIGHTLY_SIGMAS) * match.best.error_px
    return span > 0 and far and match.share > SLIGHTLY_AGREEING and (told or match.spread > SLIGHTLY_SPREAD)


def _moved_span(first: Bytes, other: Bytes, onto: Floats) -> float:
    """Of how large a part of the picture blocks of a later frame clearly show what its motion ``onto`` (3, 3) makes of the first, not what was there.

    0 where too many show what was there: on a plain wall the features may all be a person's who walks by; the wall's shades then stay where they are.
    """
    shape = first.shape[::-1]
    manner = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpPerspective(first, onto, shape, flags=manner).astype(float)
    seen = _blocks(cv2.warpPerspective(np.ones_like(first), onto, shape, flags=manner).astype(float)).min(axis=(1, 3)) > 0
    moved, stayed, change = (_departure(one.astype(float) - another) for one, another in ((other, laid), (other, first), (laid, first)))
    told = seen & (change > TOLD_LEVELS)
    left, still = (told & (one < CLEARLY * another) for one, another in ((moved, stayed), (stayed, moved)))
    if np.count_nonzero(still) > MOST_STAYED * np.count_nonzero(left | still):
        return 0.0
    rows, columns = (np.ptp(np.flatnonzero(left.any(axis=axis))) + 1 if left.any() else 1 for axis in (1, 0))
    return float(rows * columns) / left.size


def _blocks(values: Floats) -> Floats:
    """(rows, side, columns, side) the whole blocks of a picture (h, w)."""
    rows, columns = (n // BLOCK_PX for n in values.shape)
    return values[: rows * BLOCK_PX, : columns * BLOCK_PX].reshape(rows, BLOCK_PX, columns, BLOCK_PX)


def _departure(difference: Floats) -> Floats:
    """(rows, columns) mean departure of the differences in each block from their mean: light that changes moves nothing."""
    blocks = _blocks(difference)
    return np.asarray(np.abs(blocks - blocks.mean(axis=(1, 3), keepdims=True)).mean(axis=(1, 3)))
