"""Highlights: the lamp that a ball mirrors is no part of its shade.

Where a ball is about as bright as what is behind it, the disc that stands out most is not the ball but its highlight.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..types import Bools, Bytes, Floats
from .background import Singles

INNER_RADII, BORDER_RADII = 0.85, 0.9
"""Shares of the radius within which the shade is fitted, and beyond which no highlight reaches: what does is the object's own edge."""
MOST_SHARE = 0.35
"""Of the disc that may be highlight: more is a pattern."""
LEAST_SIGMAS, LEAST_LEVELS, LEAST_OF_PEAK = 4.0, 8.0, 0.15
"""What a highlight is brighter by than the shade around it: in sigmas of that, in grey levels, and in shares of its own brightest pixel."""
LEAST_PIXELS = 12
"""Pixels of a disc in which a highlight can be told from the shade."""
ROUNDS = 6
"""Rounds of the robust fit of the shade."""
MOST_PIXELS = 600
"""Enough to know the shade of a disc by."""
NORMAL_MAD, LEAST_SPREAD = 1.4826, 0.5
"""Sigmas of a normal distribution in its median absolute deviation; grey levels that rounding alone spreads by."""
RIDGE = 1e-4 * np.eye(4, dtype=np.float32)
"""Keeps the shade of a disc of few pixels determined."""


def find_highlights(values: Singles, centre_px: Floats, radius_px: Floats) -> Bools:
    """(n, s, s) pixels of highlights in n crops of brightness, NaN outside the picture, on discs (n, 2), (n,) in the crop's own pixels.

    The shade around them is linear in place and quadratic in radius, as that of `disc_model`; it is fitted to all pixels of the disc by
    reweighting, and what is much brighter than it, compact and enclosed by it is a highlight.
    """
    out = np.zeros(values.shape, bool)
    place = np.arange(values.shape[1], dtype=np.float32)
    for k, (centre, radius) in enumerate(zip(centre_px.astype(np.float32), radius_px.astype(np.float32), strict=True)):
        x, y = (place[None, :] - centre[0]) / radius, (place[:, None] - centre[1]) / radius
        distance2 = x * x + y * y
        disc = (distance2 < 1) & np.isfinite(values[k])
        inner = distance2[disc] < INNER_RADII**2
        if np.count_nonzero(inner) < LEAST_PIXELS:
            continue
        basis = np.stack([np.broadcast_to(form, disc.shape)[disc] for form in (np.ones_like(distance2), x, y, distance2)], axis=1)
        above, spread = _above_shade(values[k][disc], basis, inner)
        bright = above > max(LEAST_SIGMAS * spread, LEAST_LEVELS, LEAST_OF_PEAK * float(above[inner].max()))
        if not bright[inner].any() or bright[inner].mean() > MOST_SHARE:
            continue
        mask = np.zeros(disc.shape, np.uint8)
        mask[disc] = bright
        out[k] = _enclosed(mask, distance2)
    return out


def _above_shade(values: Singles, basis: Singles, inner: Bools) -> tuple[Singles, float]:
    """By how much pixels (p,) are brighter than the smooth shade of those well inside, and the spread of these that are not."""
    thin = np.s_[:: max(1, np.count_nonzero(inner) // MOST_PIXELS)]
    few, its = values[inner][thin], basis[inner][thin]
    weight = np.ones(len(few), np.float32)
    spread, left = 0.0, few
    for _ in range(ROUNDS):
        weighted = its * weight[:, None]
        shade = np.linalg.solve(weighted.T @ its + RIDGE, weighted.T @ few)
        left = few - its @ shade
        spread = max(NORMAL_MAD * float(np.partition(np.abs(left), len(left) // 2)[len(left) // 2]), LEAST_SPREAD)
        # Tukey's biweight above, nothing below: a highlight is bright.
        weight = np.where(left > 0, np.clip(1 - (left / np.float32(4 * spread)) ** 2, 0, 1) ** 2, np.float32(1))
    return values - basis @ shade, spread


def _enclosed(mask: Bytes, distance2: Singles) -> Bools:
    """The connected parts of a mask that do not reach the border of the disc, a pixel larger all around."""
    _, parts = cv2.connectedComponents(mask)
    outer = np.unique(parts[(mask > 0) & (distance2 > BORDER_RADII**2)])
    kept = ((mask > 0) & ~np.isin(parts, outer)).astype(np.uint8)
    return np.asarray(cv2.dilate(kept, np.ones((3, 3), np.uint8)) > 0)
