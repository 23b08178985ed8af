"""Whether the camera stood still: frames are registered with others, and asked whether everything in them moved together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..types import Bytes
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
LEAST_AGREEING = 0.3
"""Of the earlier frame's features: fewer may be those of one large moving thing."""
MOST_STAYED = 0.15
"""Share of the features that may stay where they are while all else moves: more, and it is something large that moves."""
LEAST_SPREAD = 0.2
"""Share of the picture that the features which moved must span: a ball of a third of its width spans a seventh."""
MOVED_SHARE = 0.3
"""Share of the frames that must have moved: one jolt is a cut."""


def camera_moves(lumas: Sequence[Bytes], *, slightly: bool = True) -> bool:
    """Whether the background of frames (h, w) uint8 at detection scale moves as a whole: shifts, turns or grows.

    ``slightly``: also where that takes a look at all of it to see, as of a camera in a quiet hand.
    """
    if len(lumas) < 3:
        return False
    later = spread_indices(len(lumas), FRAMES + 1)[1:]
    first = Features.of(lumas[0])
    since_first = [_moved(first, lumas[k], slightly) for k in later]
    shortly = [_moved(Features.of(lumas[k - SHORTLY]), lumas[k], False) for k in later if k > SHORTLY]
    return any(len(moved) > 0 and float(np.mean(moved)) >= MOVED_SHARE for moved in (since_first, shortly))


def _moved(first: Features, other: Bytes, slightly: bool) -> bool:
    match = first.match(other, np.eye(3))
    if match is None or match.share <= LEAST_AGREEING or match.stayed >= MOST_STAYED:
        return False
    if match.moved_px > MOVED_PX:
        return match.spread >= LEAST_SPREAD
    clear = match.share > SLIGHTLY_AGREEING and match.spread > SLIGHTLY_SPREAD
    return slightly and clear and match.moved_px > max(SLIGHTLY_PX, SLIGHTLY_SIGMAS * match.best.error_px)
