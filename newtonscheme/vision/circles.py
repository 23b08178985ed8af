"""A round body that hardly leaves its own place, found by its rim.

Where an object covers the same pixels in all frames, what was learned as background is the object itself, and only slivers along its edges
change. Its rim is a circle in every frame all the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..types import Bytes, Floats, Ints
from .background import spread_indices

MOST_FRAMES, GLANCED_FRAMES = 75, 10
"""Frames that are looked at, from all over a stretch, and those that are looked at first."""
BLUR_PX = 5
"""Side of the Gaussian that texture and coding are smoothed by."""
CELL, EDGE, PERFECTNESS = 1.5, 300.0, 0.8
"""Of OpenCV's `HOUGH_GRADIENT_ALT`: pixels of a cell, gradient of an edge, and how round a circle must be (its manual names 0.8 to 0.9)."""
LEAST_RADIUS_PX, LARGEST_SHARE = 12, 0.5
"""Smaller bodies leave their place; larger ones than this share of the picture's shorter side are not looked for."""
MOST_CIRCLES = 5
"""Of a frame, the clearest."""
SAME_LOG_RADIUS, STEP_RADII, MOST_STEP_RADII = 0.1, 0.2, 1.5
"""What a circle's radius may change by between two frames that are looked at, and its place for each frame between them and in all."""
SEEN_SHARE, GLANCED_SHARE = 0.45, 0.3
"""Share of the frames in which a body's circle must be found, and of the few that are looked at first, in which any must."""
LEAST_WAY_RADII, LEAST_WAY_PX, MOST_TREMBLING = 0.05, 3.0, 0.5
"""How far it must get, and its steps' scatter over that of its places: round things at rest, which tremble, are no objects."""


@dataclass(frozen=True, slots=True)
class CircleCourse:
    """One body's circles in frames ``rows`` (n,) of a stretch, all from its first to its last: centres (n, 2) and radii (n,), full-resolution px."""

    rows: Ints
    centre_px: Floats
    radius_px: Floats


def find_circle_course(lumas: Sequence[Bytes], stride: int) -> CircleCourse | None:
    """The circle that goes through the most frames (h, w) uint8 at detection scale, of ``stride`` pixels each; None where none goes through most."""
    looked = range(0, len(lumas), math.ceil(len(lumas) / MOST_FRAMES))
    circles = {looked[k]: _circles(lumas[looked[k]]) for k in spread_indices(len(looked), GLANCED_FRAMES)}
    if sum(map(bool, circles.values())) < GLANCED_SHARE * len(circles):
        return None
    circles = {k: circles[k] if k in circles else _circles(lumas[k]) for k in looked}
    chains = [_chain(circles, start, circle) for start in looked[: math.ceil((1 - SEEN_SHARE) * len(looked)) + 1] for circle in circles[start]]
    moving = [chain for chain in chains if len(chain) >= SEEN_SHARE * len(looked) and _moves(chain)]
    if not moving:
        return None
    chain = max(moving, key=len)
    at = np.array([k for k, _ in chain])
    u, v, radius = np.array([circle for _, circle in chain]).T
    rows = np.arange(at[0], at[-1] + 1)
    u, v, radius = (np.interp(rows, at, each) for each in (u, v, radius))
    return CircleCourse(rows, stride * (np.stack([u, v], axis=1) + 0.5) - 0.5, stride * radius)


def _moves(chain: Sequence[tuple[int, Floats]]) -> bool:
    """Whether the circles of a chain go somewhere, and not to and fro from each frame to the next."""
    place = np.array([circle[:2] for _, circle in chain])
    way = float(np.hypot(*np.subtract(*np.percentile(place, (95, 5), axis=0))))
    steps, scatter = (float(np.hypot(*np.std(each, axis=0))) for each in (np.diff(place, axis=0), place))
    return way > max(LEAST_WAY_PX, LEAST_WAY_RADII * float(np.median([circle[2] for _, circle in chain]))) and steps < MOST_TREMBLING * scatter


def _circles(luma: Bytes) -> list[Floats]:
    """Circles (u, v, radius) of a frame, detection pixels, the clearest first."""
    smooth = cv2.GaussianBlur(luma, (BLUR_PX, BLUR_PX), 0)
    largest = int(LARGEST_SHARE * min(luma.shape))
    found: object = cv2.HoughCircles(
        smooth, cv2.HOUGH_GRADIENT_ALT, CELL, LEAST_RADIUS_PX, param1=EDGE, param2=PERFECTNESS, minRadius=LEAST_RADIUS_PX, maxRadius=largest
    )
    return [] if found is None else list(np.asarray(found, dtype=np.float64).reshape(-1, 3)[:MOST_CIRCLES])


def _chain(circles: Mapping[int, Sequence[Floats]], start: int, first: Floats) -> list[tuple[int, Floats]]:
    """The circles by frame that go on from one: in each the nearest to the last, as long as it is about as large and no jump away."""
    chain = [(start, first)]
    for k in (k for k in circles if k > start):
        before, last = chain[-1]
        near = [circle for circle in circles[k] if abs(math.log(circle[2] / last[2])) < SAME_LOG_RADIUS]
        if near:
            best = min(near, key=lambda circle: float(np.hypot(*(circle[:2] - last[:2]))))
            if np.hypot(*(best[:2] - last[:2])) < min(STEP_RADII * (k - before), MOST_STEP_RADII) * last[2]:
                chain.append((k, best))
    return chain
