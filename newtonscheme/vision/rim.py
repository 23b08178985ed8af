"""How much of a disc's rim is seen: along it something begins where nothing had changed, whatever the disc itself looks like.

A ball in panels, or one that the sun lights from the side, is no disc of one shade; it still has a rim. A hand, or a part of an arm, is lit
smoothly and has a rim on some sides only.
"""

from __future__ import annotations

import numpy as np

from ..types import Bools, Floats, Ints
from .background import Singles
from .disc_model import STREAKS, Pixels, from_middle_line, is_streaked

SECTOR_PX, LEAST_SECTORS, MOST_SECTORS = 3.0, 6, 24
"""Length of rim in one sector, and how many there may be."""
RING_PX, RING_RADII = 1.5, 0.1
"""Width of the rings on either side of the edge that are compared."""
CHANGED = 3.0
"""Sigmas of noise from which a pixel differs from the background."""
HALF = 0.5
"""Share of a ring's pixels in a sector that must have changed, or must not."""
ATTACHED_CONTRAST, MOST_ATTACHED, LEAST_HELD = 0.2, 0.25, 8
"""Share of the disc's contrast from which a change outside of it is a thing of its own and no trace of coding; and the share of the rim that
such things may cover: what has more than that around it is not the object. Of a rim with fewer sectors than the last too little would be left."""


def rim_support(theta: Floats, pixels: Pixels, softness: Floats, noise: Singles) -> Floats:
    """(n,) share of the sectors of each rim, of those inside the picture, with a change within and none without.

    ``theta`` (n, k) are the numbers of `disc_model.evaluate`, ``softness`` (n,) px the width of the edge, ``noise`` (n,) grey levels.
    """
    depth, sector, _ = _place(theta, pixels)
    gap, width = _rings(theta, softness)
    changed = np.abs(pixels.values - pixels.known) > CHANGED * noise[:, None]
    within = pixels.seen & (depth > gap) & (depth < gap + width)
    inside, known_inside = _share(changed, within, sector)
    outside, known_outside = _share(changed, _around(pixels, depth, gap, width), sector)
    known = known_inside & known_outside
    held = known & (inside > HALF) & (outside < HALF)
    return np.asarray(held.sum(axis=1) / np.maximum(known.sum(axis=1), 1), dtype=np.float64)


def find_attached(theta: Floats, pixels: Pixels, softness: Floats, noise: Singles, contrast: Floats) -> Bools:
    """(n, p) pixels at the rim and outside of it where something is attached to the disc: a string, a rod, a shadow.

    They say nothing of where the rim is; a disc that may cover them is drawn towards them. What sticks out on two opposite sides is the object's
    own motion blur and stays. Arguments as of `rim_support`; ``contrast`` (n,).
    """
    depth, sector, sectors = _place(theta, pixels)
    gap, width = _rings(theta, softness)
    changed = np.abs(pixels.values - pixels.known) > np.maximum(CHANGED * noise, ATTACHED_CONTRAST * contrast)[:, None]
    outside, known = _share(changed, _around(pixels, depth, gap, width), sector)
    attached = known & (outside > HALF)
    few = (attached.sum(axis=1) <= MOST_ATTACHED * known.sum(axis=1)) & (sectors >= LEAST_HELD)
    attached &= ~_beside(_opposite(attached, sectors), sectors)
    return np.asarray(few[:, None] & np.take_along_axis(_beside(attached, sectors), sector, axis=1) & (depth < gap + width))


def _beside(chosen: Bools, sectors: Ints) -> Bools:
    """(n, MOST_SECTORS) sectors of each rim that are chosen or have a chosen neighbour."""
    number, last = np.arange(MOST_SECTORS), sectors[:, None] - 1
    before, after = np.where(number == 0, last, number - 1), np.where(number >= last, 0, number + 1)
    return np.asarray(chosen | np.take_along_axis(chosen, before, axis=1) | np.take_along_axis(chosen, after, axis=1))


def _opposite(chosen: Bools, sectors: Ints) -> Bools:
    """(n, MOST_SECTORS) sectors that lie across the disc from a chosen one."""
    across = (np.arange(MOST_SECTORS) + sectors[:, None] // 2) % sectors[:, None]
    return np.asarray(np.take_along_axis(chosen, across, axis=1))


def _rings(theta: Floats, softness: Floats) -> tuple[Singles, Singles]:
    """(n, 1) px between the edge and the rings on either side of it, and the rings' width."""
    return softness[:, None].astype(np.float32), (RING_PX + RING_RADII * np.exp(theta[:, 2]))[:, None].astype(np.float32)


def _around(pixels: Pixels, depth: Singles, gap: Singles, width: Singles) -> Bools:
    """(n, p) the pixels of the ring outside of the edge."""
    return np.asarray(pixels.seen & (depth < -gap) & (depth > -gap - width))


def _place(theta: Floats, pixels: Pixels) -> tuple[Singles, Ints, Ints]:
    """Depth (n, p) px and sector (n, p) of every pixel, and the number of sectors (n,)."""
    depth, angle = _depths(theta, pixels)
    radius = np.exp(theta[:, 2])
    sectors = np.clip(2 * np.pi * np.nan_to_num(radius) / SECTOR_PX, LEAST_SECTORS, MOST_SECTORS).astype(int)
    turn = np.nan_to_num(angle / (2 * np.pi)) % 1.0
    return depth, np.minimum((turn * sectors[:, None]).astype(int), sectors[:, None] - 1), sectors


def _depths(theta: Floats, pixels: Pixels) -> tuple[Singles, Singles]:
    """(n, p) how deep inside the disc, or the middle line of its streak, a pixel lies, px, and in which direction it is seen from there."""
    t = theta.astype(np.float32)[:, :, None]
    u, v = pixels.across - t[:, 0], pixels.down - t[:, 1]
    if is_streaked(theta):
        u, v = from_middle_line(u, v, *t[:, STREAKS].swapaxes(0, 1))
    return np.exp(t[:, 2]) - np.hypot(u, v), np.arctan2(v, u)


def _share(changed: Bools, ring: Bools, sector: Ints) -> tuple[Floats, Bools]:
    """(n, MOST_SECTORS) share of a ring's pixels in each sector that changed, and whether there are any."""
    n = len(ring)
    flat = (np.arange(n)[:, None] * MOST_SECTORS + sector)[ring]
    count = np.bincount(flat, minlength=n * MOST_SECTORS).reshape(n, MOST_SECTORS)
    many = np.bincount(flat, weights=changed[ring], minlength=n * MOST_SECTORS).reshape(n, MOST_SECTORS)
    return many / np.maximum(count, 1), count > 0
