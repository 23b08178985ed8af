"""One ball in one exposure: shaded, anti-aliased by supersampling, smeared along the path it sweeps while the shutter is open.

The sweep is the quadratic v s + a s^2 / 2 about mid-exposure, so the streak's centroid lies a T^2 / 24 off the centre at mid-exposure, as
a real one's does. Light adds up linearly, so everything here is linear light; only cameras encode.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..types import Floats
from .texture import BallLook, Image, shade_ball

FINE_PX = 110.0  # supersampled pixels that a sprite should have across: enough for the edge of a small ball, not too many for a large one
MOST_SUBSAMPLES = 8
STEPS_PER_SUBPIXEL = 1.5  # of the sweep: consecutive steps overlap, so that a streak has no ripples
BLUR_REACH = 3.5  # sigmas beyond which a blur adds nothing to 8 bits
LONGEST_SWEEP_STEPS = 4000


@dataclass(frozen=True, slots=True)
class Patch:
    """Premultiplied linear RGBA (h, w, 4) whose first pixel is at (``left``, ``top``) of the picture, which it may stick out of."""

    left: int
    top: int
    rgba: Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A disc during one exposure: ``centre`` (2,), ``velocity`` (2,) and ``acceleration`` (2,) at its middle, px and s; ``exposure`` s."""

    centre: Floats
    radius: float
    velocity: Floats
    acceleration: Floats
    exposure: float

    def offsets(self, step_px: float) -> Floats:
        """(m, 2) px from mid-exposure's centre, in equal steps of time of at most about ``step_px``."""
        length = float(np.linalg.norm(self.velocity)) * self.exposure + float(np.linalg.norm(self.acceleration)) * self.exposure**2 / 8
        m = int(np.clip(np.ceil(length / step_px), 1, LONGEST_SWEEP_STEPS))
        s = ((np.arange(m) + 0.5) / m - 0.5)[:, None] * self.exposure
        return s * self.velocity + 0.5 * s**2 * self.acceleration


def draw_ball(look: BallLook, sweep: Sweep, turn: Floats, light: Floats, ambient: float, blur_px: float = 0.0) -> Patch:
    """The ball as the sensor integrates it over one exposure, through a lens that blurs by a Gaussian of sigma ``blur_px``."""
    across = 2.0 * sweep.radius
    n = int(np.clip(np.ceil(FINE_PX / across), 2, MOST_SUBSAMPLES))
    ends = sweep.offsets(1.0)
    margin = sweep.radius + 1.5 + BLUR_REACH * blur_px
    low = np.floor(sweep.centre + ends.min(axis=0) - margin).astype(int)
    high = np.ceil(sweep.centre + ends.max(axis=0) + margin).astype(int) + 1
    n = n if float(np.max(high - low)) * n < 6 * FINE_PX else 1 + (n > 2)
    fine = _paint_disc(look, (sweep.centre - low + 0.5) * n - 0.5, sweep.radius * n, (high - low) * n, turn, light, ambient)
    offsets = sweep.offsets(1.0 / (n * STEPS_PER_SUBPIXEL)) * n
    if len(offsets) > 1:
        fine = np.asarray(cv2.filter2D(fine, -1, _splat(offsets)[::-1, ::-1], borderType=cv2.BORDER_CONSTANT), dtype=np.float32)
    if blur_px > 0:
        fine = np.asarray(cv2.GaussianBlur(fine, (0, 0), blur_px * n, borderType=cv2.BORDER_CONSTANT), dtype=np.float32)
    width, height = (int(side) for side in high - low)
    # Large kernels are applied by Fourier transform, which leaves -1e-9 where there is no light.
    return Patch(int(low[0]), int(low[1]), np.maximum(fine.reshape(height, n, width, n, 4).mean(axis=(1, 3)), 0.0))


def _paint_disc(look: BallLook, centre: Floats, radius: float, size: Floats, turn: Floats, light: Floats, ambient: float) -> Image:
    """(h, w, 4) a shaded ball at rest on a grid where it has ``radius`` pixels; its edge is a ramp of one of them."""
    image = np.zeros((int(size[1]), int(size[0]), 4), dtype=np.float32)
    first = np.maximum(np.floor(centre - radius - 1).astype(int), 0)
    last = np.minimum(np.ceil(centre + radius + 1).astype(int) + 1, size)
    x = (np.arange(first[0], last[0]) - centre[0]).astype(np.float32)[None, :] / np.float32(radius)
    y = (centre[1] - np.arange(first[1], last[1])).astype(np.float32)[:, None] / np.float32(radius)
    distance = np.sqrt(x * x + y * y)
    cover = np.clip((1.0 - distance) * np.float32(radius) + 0.5, 0.0, 1.0)
    rows = np.nonzero(cover)
    inside = np.minimum(1.0, 1.0 / np.maximum(distance[rows], 1e-6))
    nx, ny = np.broadcast_to(x, cover.shape)[rows] * inside, np.broadcast_to(y, cover.shape)[rows] * inside
    normal = np.stack([nx, ny, np.sqrt(np.maximum(1.0 - nx * nx - ny * ny, 0.0))], axis=-1)
    colour = shade_ball(look, normal, turn, light, ambient)
    alpha = cover[rows]
    image[rows[0] + first[1], rows[1] + first[0]] = np.concatenate([colour * alpha[:, None], alpha[:, None]], axis=1)
    return image


def _splat(offsets: Floats) -> Image:
    """(h, w) the time spent at each offset, shared among the four nearest grid points so that its centroid is exact."""
    reach = np.ceil(np.abs(offsets).max(axis=0)).astype(int) + 1
    kernel = np.zeros((2 * reach[1] + 1, 2 * reach[0] + 1))
    corner = np.floor(offsets).astype(int)
    share = offsets - corner
    for dx in (0, 1):
        for dy in (0, 1):
            weight = np.abs(1 - dx - share[:, 0]) * np.abs(1 - dy - share[:, 1])
            np.add.at(kernel, (corner[:, 1] + reach[1] + dy, corner[:, 0] + reach[0] + dx), weight)
    return (kernel / len(offsets)).astype(np.float32)


def turn_cover(start: Floats, spin: Floats, t: float) -> Floats:
    """(3, 3) the ball's attitude after ``t`` s at the constant angular velocity ``spin`` (3,) rad/s (Rodrigues' formula)."""
    rate = float(np.linalg.norm(spin))
    if rate == 0:
        return start
    x, y, z = spin / rate
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turned = np.eye(3) + np.sin(rate * t) * cross + (1 - np.cos(rate * t)) * cross @ cross
    return turned @ start
