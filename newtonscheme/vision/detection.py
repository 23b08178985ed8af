"""Candidates for moving objects in one frame: compact regions that differ from the background, and discs inside larger ones.

A region may be one object, an object that touches another (a ball in a hand, a bob on a string, a ball on its shadow) or no object at
all. All readings are kept: the region itself, the largest discs that fit inside it, and its parts of one colour. Which reading is right
is decided by motion, in `linking`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np

from ..types import Bytes, Floats
from .background import Background, foreground, smooth

MIN_AREA = 4
"""Detection pixels: below this a region is noise that passed the threshold."""
MAX_REGIONS = 24
"""Regions looked at in one frame, strongest first; more than this is a flicker or a moving camera."""
MAX_CANDIDATES = 20
"""Candidates kept in one frame, strongest first."""
COMPACT_FILL = 0.87
"""Area over that of the ellipse of equal second moments: 1 for an ellipse, 0.95 for a capsule; less has arms, holes or strings."""
ROUND_ELONGATION = 1.6
"""Regions longer than this may be two objects in touch and are also read as such."""
MIN_SPLIT_AREA = 30
"""Detection pixels: smaller regions have no parts that could be told apart."""
DISCS_IN_REGION = 3
"""Largest inscribed discs that are kept of a region which is not compact."""
SPLIT_SHARE = 0.45
"""A part of one colour is where a channel departs by this share of its strongest departure (its 95 % quantile)."""
SAME_CANDIDATE = 0.35
"""Readings whose centres and radii agree within this share of the radius are one."""
CHROMA_WEIGHT = 2.0
"""Colour departures count twice: chroma planes carry about half the noise and half the swing of brightness."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible object in one frame, in full-resolution pixels.

    ``departure`` (3,) is the mean signed difference from the background in luma and the two chroma planes, ``contrast`` its root mean
    square over pixels and planes (a two-coloured ball departs both ways); ``fill`` and ``elongation`` describe its shape; ``axis`` (2,) is the unit vector of its long axis; ``part`` marks a reading of less than its
    whole region.
    """

    u: float
    v: float
    radius: float
    departure: tuple[float, float, float]
    contrast: float
    fill: float
    elongation: float
    axis: tuple[float, float]
    part: bool
    strength: float


def find_candidates(
    luma: Bytes, chroma: Bytes | None, background: Background, stride: int, roi: tuple[int, int, int, int] | None = None
) -> list[Candidate]:
    """The candidates of one frame at detection scale (every ``stride``-th pixel), strongest first; ``roi`` is in full-resolution pixels."""
    luma, chroma = smooth(luma), None if chroma is None else smooth(chroma)
    mask = foreground(luma, chroma, background, smoothed=True)
    if roi is not None:
        mask = _inside(mask, roi, stride)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    boxes = [cv2.boundingRect(c) for c in contours]
    large = sorted((k for k in range(len(boxes)) if boxes[k][2] * boxes[k][3] >= MIN_AREA), key=lambda k: -boxes[k][2] * boxes[k][3])
    found: list[Candidate] = []
    for k in large[:MAX_REGIONS]:
        found += _read_region(contours[k], boxes[k], luma, chroma, background, stride)
    found.sort(key=lambda c: -c.strength)
    return _without_doubles(found)[:MAX_CANDIDATES]


def _inside(mask: Bytes, roi: tuple[int, int, int, int], stride: int) -> Bytes:
    u, v, w, h = (int(round(x / stride)) for x in roi)
    kept = np.zeros_like(mask)
    box = np.s_[max(v, 0) : max(v + h, 0), max(u, 0) : max(u + w, 0)]
    kept[box] = mask[box]
    return kept


def _read_region(contour: Bytes, box: tuple[int, int, int, int], luma: Bytes, chroma: Bytes | None, background: Background, stride: int) -> list[Candidate]:
    """All readings of one foreground region."""
    x, y, w, h = box
    region = np.zeros((h, w), np.uint8)
    cv2.drawContours(region, [contour], -1, 1, -1, offset=(-x, -y))
    area = int(np.count_nonzero(region))
    if area < MIN_AREA:
        return []
    departures = _departures(luma, chroma, background, x, y, w, h)
    whole = _describe(region, departures, (x, y), stride, part=False)
    readings = [whole]
    if area >= MIN_SPLIT_AREA and (whole.fill < COMPACT_FILL or whole.elongation > ROUND_ELONGATION):
        readings += _inscribed_discs(region, departures, (x, y), stride)
        readings += _parts_of_one_colour(region, departures, (x, y), stride)
    return readings


def _departures(luma: Bytes, chroma: Bytes | None, background: Background, x: int, y: int, w: int, h: int) -> Floats:
    """(h, w, c) signed differences from the background inside a box, c = 1 or 3."""
    box = np.s_[y : y + h, x : x + w]
    difference = np.subtract(luma[box], background.luma[box], dtype=np.int16)
    if chroma is None or background.chroma is None:
        return difference[..., None].astype(np.float32)
    rows, columns = np.minimum(np.arange(y, y + h) // 2, chroma.shape[0] - 1), np.minimum(np.arange(x, x + w) // 2, chroma.shape[1] - 1)
    half = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    tint = np.subtract(chroma[half], background.chroma[half], dtype=np.int16)[rows - rows[0]][:, columns - columns[0]]
    return np.dstack([difference, tint]).astype(np.float32)


def _describe(region: Bytes, departures: Floats, corner: tuple[int, int], stride: int, *, part: bool) -> Candidate:
    """Centre, size and shape of a region (h, w) of zeros and ones."""
    m = cv2.moments(region, binaryImage=True)
    area = m["m00"]
    spread_x, spread_y, cross = m["mu20"] / area + 1 / 12, m["mu02"] / area + 1 / 12, m["mu11"] / area
    mean, half = 0.5 * (spread_x + spread_y), float(np.hypot(0.5 * (spread_x - spread_y), cross))
    long, short = mean + half, max(mean - half, 1 / 12)
    angle = 0.5 * float(np.arctan2(2 * cross, spread_x - spread_y))
    return _candidate(
        (m["m10"] / area, m["m01"] / area),
        float(np.sqrt(area / np.pi)),
        departures[region > 0],
        (min(area / (4 * np.pi * float(np.sqrt(long * short))), 1.0), float(np.sqrt(long / short)), (float(np.cos(angle)), float(np.sin(angle)))),
        corner,
        stride,
        part,
    )


def _candidate(
    centre: tuple[float, float],
    radius: float,
    inside: Floats,
    shape: tuple[float, float, tuple[float, float]],
    corner: tuple[int, int],
    stride: int,
    part: bool,
) -> Candidate:
    mean, square = inside.mean(axis=0), (inside * inside).mean(axis=0)
    full = np.zeros(3)
    full[: len(mean)] = mean
    contrast = float(np.sqrt(square[0] + CHROMA_WEIGHT**2 * square[1:].sum()))
    shift = (stride - 1) // 2
    fill, elongation, axis = shape
    return Candidate(
        u=(corner[0] + centre[0]) * stride + shift,
        v=(corner[1] + centre[1]) * stride + shift,
        radius=radius * stride,
        departure=(float(full[0]), float(full[1]), float(full[2])),
        contrast=contrast,
        fill=fill,
        elongation=elongation,
        axis=axis,
        part=part,
        strength=contrast * min(radius, 20.0) * fill,
    )


def _inscribed_discs(region: Bytes, departures: Floats, corner: tuple[int, int], stride: int) -> list[Candidate]:
    """The largest discs inside a region that do not overlap: a bob on its string, a ball in a hand."""
    padded = cv2.copyMakeBorder(region, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    discs: list[Candidate] = []
    largest = 0.0
    for _ in range(DISCS_IN_REGION):
        _, radius, _, (cx, cy) = cv2.minMaxLoc(distance)
        largest = max(largest, radius)
        if radius < max(1.5, 0.3 * largest):
            break
        disc = np.zeros_like(region)
        cv2.circle(disc, (cx, cy), int(round(radius)), 1, -1)
        disc &= region
        discs.append(_candidate((cx, cy), radius, departures[disc > 0], (1.0, 1.0, (1.0, 0.0)), corner, stride, True))
        cv2.circle(distance, (cx, cy), int(np.ceil(1.3 * radius)), 0.0, -1)
    return discs


def _parts_of_one_colour(region: Bytes, departures: Floats, corner: tuple[int, int], stride: int) -> list[Candidate]:
    """The largest compact part for each channel and sign of departure: a green ball that touches a grey shadow or a hand."""
    parts: list[Candidate] = []
    inside = region > 0
    area = int(np.count_nonzero(region))
    for channel, sign in product(range(departures.shape[2]), (1, -1)):
        values = sign * departures[..., channel]
        strongest = float(np.percentile(values[inside], 95))
        if strongest < 6:
            continue
        part = ((values > SPLIT_SHARE * strongest) & inside).astype(np.uint8)
        contours, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        contour = max(contours, key=cv2.contourArea)
        filled = np.zeros_like(region)
        cv2.drawContours(filled, [contour], -1, 1, -1)
        size = int(np.count_nonzero(filled))
        if size < MIN_AREA or size > 0.9 * area:
            continue
        described = _describe(filled, departures, corner, stride, part=True)
        parts.append(described)
        if described.fill < COMPACT_FILL and size >= MIN_SPLIT_AREA:
            parts += _inscribed_discs(filled, departures, corner, stride)[:1]
    return parts


def _without_doubles(candidates: list[Candidate]) -> list[Candidate]:
    """Of readings that agree in place and size the first."""
    kept: list[Candidate] = []
    for c in candidates:
        near = SAME_CANDIDATE * c.radius
        if all(abs(c.u - k.u) > near or abs(c.v - k.v) > near or abs(c.radius - k.radius) > near for k in kept):
            kept.append(c)
    return kept
