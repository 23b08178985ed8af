"""Candidates for moving objects in one frame: compact regions that differ from the background, and discs inside larger ones.

A region may be one object, an object that touches another (a ball in a hand, a bob on a string, a ball on its shadow) or no object at
all. All readings are kept: the region itself, the largest discs that fit inside it, and its parts of one colour. Which reading is right
is decided by motion, in `linking`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..types import Bytes, Floats, Ints
from .background import NEUTRAL, Background, Singles, foreground, smooth

MIN_AREA = 4
"""Detection pixels: below this a region is noise that passed the threshold."""
MAX_REGIONS = 24
"""Regions looked at in one frame, strongest first; more than this is a flicker or a moving camera."""
MAX_CANDIDATES = 30
"""Candidates kept in one frame, strongest first, where the n-th reading of a region counts as an n^2-th of its strength."""
COMPACT_FILL = 0.87
"""Area over that of the ellipse of equal second moments: 1 for an ellipse, 0.95 for a capsule; less has arms, holes or strings."""
ROUND_ELONGATION = 1.6
"""Regions longer than this may be two objects in touch and are also read as such."""
MIN_SPLIT_AREA = 30
"""Detection pixels: smaller regions have no parts that could be told apart."""
LARGE_AREA = 4000
"""Detection pixels: a larger region (a person) is read on every second (third, ...) pixel only."""
LARGE_RADIUS = 20.0
"""Region pixels beyond which size makes a candidate no stronger."""
LEAST_DISC, LEAST_DISC_SHARE, DISC_SPACING = 1.5, 0.3, 1.3
"""Least inscribed radius in region pixels and in shares of the largest, and the radii around it in which no other is looked for."""
LEAST_DEPARTURE = 6.0
"""Grey levels of a channel that can tell parts apart."""
WHOLE_SHARE = 0.9
"""A part with more of the region than this is the region."""
DISCS_IN_REGION = 3
"""Largest inscribed discs that are kept of a region which is not compact."""
SPLIT_SHARE = 0.45
"""A part of one colour is where a channel departs by this share of its strongest departure (its 95 % quantile)."""
SAME_SMALL, SAME_LARGE, SAME_PIXELS = 0.35, 0.2, 3.0
"""Readings whose centres and radii agree within the first share of the radius are one, but of large discs only within so many pixels of
detection or the second share: a large disc and its lit side lie further apart than that."""
CHROMA_WEIGHT = 2.0
"""Colour departures count twice: chroma planes carry about half the noise and half the swing of brightness."""

NO_REGION = -1
"""Of a candidate that no region speaks for."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible object in one frame, in full-resolution pixels.

    ``departure`` (3,) is the mean signed difference from the background in luma and the two chroma planes, ``contrast`` its root mean
    square over pixels and planes (a two-coloured ball departs both ways), ``tint`` (2,) what is left of the chroma departures when the
    background is only lit less or more; ``fill`` and ``elongation`` describe its shape; ``axis`` (2,) is the unit vector of its long axis;
    ``part`` marks a reading of less than its whole region, and ``region`` is that region's number in the frame: readings share it.
    """

    u: float
    v: float
    radius: float
    departure: tuple[float, float, float]
    tint: tuple[float, float]
    contrast: float
    fill: float
    elongation: float
    axis: tuple[float, float]
    part: bool
    region: int
    strength: float


def find_candidates(
    luma: Bytes, chroma: Bytes | None, background: Background, stride: int, roi: tuple[int, int, int, int] | None = None,
    boxes: Floats | None = None,
) -> list[Candidate]:  # fmt: skip
    """The candidates of one frame at detection scale (every ``stride``-th pixel), strongest first, each region's further readings later.

    ``roi`` (left, top, width, height) and ``boxes`` (n, 4) left, top, right, bottom are in full-resolution pixels; with boxes, only what
    moves in one of them counts.
    """
    luma, chroma = smooth(luma), None if chroma is None else smooth(chroma)
    mask = foreground(luma, chroma, background, smoothed=True)
    if roi is not None:
        mask = _inside(mask, [(roi[0], roi[1], roi[0] + roi[2], roi[1] + roi[3])], stride)
    if boxes is not None:
        mask = _inside(mask, boxes.tolist(), stride)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    boxed = [(cv2.boundingRect(contour), contour) for contour in contours]
    large = [pair for pair in boxed if pair[0][2] * pair[0][3] >= MIN_AREA]
    if len(large) > MAX_REGIONS:
        large = _strongest(large, luma, chroma, background)
    found: list[Candidate] = []
    for number, (box, contour) in enumerate(large):
        region = _cut_region(np.asarray(contour), box, number, luma, chroma, background, stride)
        if region is not None:
            found += _readings(region)
    found.sort(key=lambda c: -c.strength)
    return _most_of_each_region(_without_doubles(found, stride))


def _most_of_each_region(candidates: list[Candidate]) -> list[Candidate]:
    """The candidates that are kept of all, given strongest first: a person has many readings, and one ball has to stand beside them."""
    earlier: Counter[int] = Counter()
    counted: list[tuple[float, Candidate]] = []
    for c in candidates:
        earlier[c.region] += 1
        counted.append((c.strength / earlier[c.region] ** 2, c))
    return [c for _, c in sorted(counted, key=lambda pair: -pair[0])[:MAX_CANDIDATES]]


def _strongest(
    boxed: list[tuple[Sequence[int], Any]], luma: Bytes, chroma: Bytes | None, background: Background
) -> list[tuple[Sequence[int], Any]]:  # fmt: skip
    """The regions that may make the strongest candidates: where a still scene flickers they are large and faint, and an object is not."""
    bright = cv2.absdiff(luma, background.luma)
    tinted = None if chroma is None or background.chroma is None else cv2.absdiff(chroma, background.chroma)

    def most(pair: tuple[Sequence[int], Any]) -> float:
        x, y, w, h = pair[0]
        departure = float(bright[y : y + h, x : x + w].max())
        if tinted is not None:
            departure = max(departure, CHROMA_WEIGHT * float(tinted[y // 2 : (y + h + 1) // 2, x // 2 : (x + w + 1) // 2].max(initial=0)))
        return departure * min(0.5 * math.sqrt(w * h), LARGE_RADIUS)

    return sorted(boxed, key=most, reverse=True)[:MAX_REGIONS]


@dataclass(frozen=True, slots=True)
class _Region:
    """A foreground region: mask (h, w) of zeros and ones, and departures (h, w, c) from the background in luma and chroma.

    ``behind`` (2,) is the background's chroma, counted from grey, as a share of its luma; ``origin`` is the place of its first pixel and
    ``step`` the distance between its pixels, both in full-resolution pixels; ``number`` counts the frame's regions.
    """

    mask: Bytes
    departures: Singles
    behind: Floats
    origin: tuple[float, float]
    step: int
    number: int


def _inside(mask: Bytes, boxes: Sequence[Sequence[float]], stride: int) -> Bytes:
    kept = np.zeros_like(mask)
    for box in boxes:
        left, top, right, bottom = (max(round(x / stride), 0) for x in box)
        kept[top:bottom, left:right] = mask[top:bottom, left:right]
    return kept


def _cut_region(
    contour: NDArray[Any], box: Sequence[int], number: int, luma: Bytes, chroma: Bytes | None, background: Background, stride: int
) -> _Region | None:
    """The region inside a contour, thinned when it is large; None when it is too small."""
    x, y, w, h = box
    mask = np.zeros((h, w), np.uint8)
    cv2.drawContours(mask, [contour], -1, 1, -1, offset=(-x, -y))
    area = int(np.count_nonzero(mask))
    if area < MIN_AREA:
        return None
    thin = max(1, int(np.sqrt(area / LARGE_AREA)))
    rows, columns = np.arange(y, y + h, thin), np.arange(x, x + w, thin)
    departures = [_departure(luma, background.luma, rows, columns)]
    behind = np.zeros(2)
    if chroma is not None and background.chroma is not None:
        bright = float(background.luma[y : y + h, x : x + w].mean())
        rows, columns = np.minimum(rows // 2, chroma.shape[0] - 1), np.minimum(columns // 2, chroma.shape[1] - 1)
        departures.append(_departure(chroma, background.chroma, rows, columns))
        coloured = background.chroma[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].mean(axis=(0, 1))
        behind = (coloured - NEUTRAL) / max(bright, 1.0)
    shift = (stride - 1) // 2
    origin, pixels = (x * stride + shift, y * stride + shift), np.ascontiguousarray(mask[::thin, ::thin])
    return _Region(pixels, np.dstack(departures), behind, origin, thin * stride, number)


def _departure(image: Bytes, still: Bytes, rows: Ints, columns: Ints) -> Singles:
    """Signed differences from the background in some rows and columns."""
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    difference = np.subtract(image[box], still[box], dtype=np.float32)
    taken: Singles = difference[(rows - rows[0])[:, None], (columns - columns[0])[None]]
    return taken


def _readings(region: _Region) -> list[Candidate]:
    """All readings of one foreground region."""
    whole = _describe(region, region.mask, part=False)
    if np.count_nonzero(region.mask) < MIN_SPLIT_AREA or (whole.fill >= COMPACT_FILL and whole.elongation <= ROUND_ELONGATION):
        return [whole]
    return [whole, *_inscribed_discs(region, region.mask, DISCS_IN_REGION), *_parts_of_one_colour(region)]


def _describe(region: _Region, mask: Bytes, *, part: bool) -> Candidate:
    """Centre, size and shape of a mask (h, w) in a region."""
    m = cv2.moments(mask, binaryImage=True)
    area = m["m00"]
    spread_x, spread_y, cross = m["mu20"] / area + 1 / 12, m["mu02"] / area + 1 / 12, m["mu11"] / area
    mean, half = 0.5 * (spread_x + spread_y), float(np.hypot(0.5 * (spread_x - spread_y), cross))
    long, short = mean + half, max(mean - half, 1 / 12)
    angle = 0.5 * float(np.arctan2(2 * cross, spread_x - spread_y))
    shape = _Shape(
        centre=(m["m10"] / area, m["m01"] / area),
        radius=float(np.sqrt(area / np.pi)),
        fill=min(area / (4 * np.pi * float(np.sqrt(long * short))), 1.0),
        elongation=float(np.sqrt(long / short)),
        axis=(float(np.cos(angle)), float(np.sin(angle))),
    )
    return _candidate(region, mask, shape, part=part)


@dataclass(frozen=True, slots=True)
class _Shape:
    """Centre and size in a region's own pixels, and form."""

    centre: tuple[float, float]
    radius: float
    fill: float = 1.0
    elongation: float = 1.0
    axis: tuple[float, float] = (1.0, 0.0)


def _candidate(region: _Region, mask: Bytes, shape: _Shape, *, part: bool) -> Candidate:
    """A shape in full-resolution pixels, with what the pixels under its mask show."""
    inside = region.departures[mask > 0]
    count = np.float32(1 / len(inside))
    mean, square = np.zeros(3), np.zeros(3)
    mean[: inside.shape[1]] = inside.sum(axis=0) * count
    square[: inside.shape[1]] = np.einsum("pc,pc->c", inside, inside) * count
    contrast = float(np.sqrt(square[0] + CHROMA_WEIGHT**2 * (square[1] + square[2])))
    radius = shape.radius * region.step
    return Candidate(
        u=region.origin[0] + shape.centre[0] * region.step,
        v=region.origin[1] + shape.centre[1] * region.step,
        radius=radius,
        departure=(float(mean[0]), float(mean[1]), float(mean[2])),
        tint=(float(mean[1] - region.behind[0] * mean[0]), float(mean[2] - region.behind[1] * mean[0])),
        contrast=contrast,
        fill=shape.fill,
        elongation=shape.elongation,
        axis=shape.axis,
        part=part,
        region=region.number,
        strength=contrast * min(shape.radius, LARGE_RADIUS) * shape.fill,
    )


def _inscribed_discs(region: _Region, mask: Bytes, most: int) -> list[Candidate]:
    """The largest discs inside a mask that do not overlap: a bob on its string, a ball in a hand."""
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    discs: list[Candidate] = []
    largest = 0.0
    for _ in range(most):
        _, radius, _, (cx, cy) = cv2.minMaxLoc(distance)
        largest = max(largest, radius)
        if radius < max(LEAST_DISC, LEAST_DISC_SHARE * largest):
            break
        disc = np.zeros_like(mask)
        cv2.circle(disc, (cx, cy), round(radius), 1, -1)
        discs.append(_candidate(region, disc & mask, _Shape(centre=(cx, cy), radius=radius), part=True))
        cv2.circle(distance, (cx, cy), int(np.ceil(DISC_SPACING * radius)), 0.0, -1)
    return discs


def _parts_of_one_colour(region: _Region) -> list[Candidate]:
    """The largest compact part for each channel and sign of departure: a green ball that touches a grey shadow or a hand."""
    parts: list[Candidate] = []
    inside = region.mask > 0
    area = int(np.count_nonzero(inside))
    for channel, sign in product(range(region.departures.shape[2]), (1, -1)):
        values = sign * region.departures[..., channel]
        own = np.sort(values[inside])
        strongest = float(own[int(0.95 * (len(own) - 1))])
        if strongest < LEAST_DEPARTURE:
            continue
        part = ((values > SPLIT_SHARE * strongest) & inside).astype(np.uint8)
        contours, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        filled = np.zeros_like(region.mask)
        cv2.drawContours(filled, [max(contours, key=cv2.contourArea)], -1, 1, -1)
        size = int(np.count_nonzero(filled))
        if size < MIN_AREA or size > WHOLE_SHARE * area:
            continue
        described = _describe(region, filled, part=True)
        parts.append(described)
        if described.fill < COMPACT_FILL and size >= MIN_SPLIT_AREA:
            parts += _inscribed_discs(region, filled, 1)
    return parts


def _without_doubles(candidates: list[Candidate], stride: int) -> list[Candidate]:
    """Of readings that agree in place and size the first."""
    kept: list[Candidate] = []
    for c in candidates:
        near = min(SAME_SMALL * c.radius, max(SAME_LARGE * c.radius, SAME_PIXELS * stride))
        if all(abs(c.u - k.u) > near or abs(c.v - k.v) > near or abs(c.radius - k.radius) > near for k in kept):
            kept.append(c)
    return kept
