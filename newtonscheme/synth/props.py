"""What else is in the picture: a string and its support, a hand, a shadow, a bar in front of everything."""

from __future__ import annotations

import cv2
import numpy as np

from ..types import Floats
from .scene import Scene
from .sprite import Patch, Sweep
from .texture import GAMMA, Colour, Image, paint_octaves

FIXED_POINT_BITS = 4  # of cv2's sub-pixel coordinates: 1/16 px
STRING_WIDTH = 0.003  # m
STRING_COLOUR: Colour = (0.25, 0.22, 0.20)
STRING_STEPS = 5  # positions over one exposure: a string is too thin to show more
SKIN: Colour = (0.80, 0.60, 0.50)
HAND_HALF_WIDTH = 0.045  # m, half of a palm
HAND_FOLLOWS = 0.08  # s in which a hand comes to rest after it let go
HAND_RETREATS = (-0.5, -0.8)  # m/s (x right, y up) at which it draws back
FOREARM = 12.0  # in half palms; an arm goes on to the picture's lower edge
ARM_SLANT = (-0.5, 1.0)  # (u, v)
FINGERS_REACH = 0.45  # of the ball's radius that fingers cover from below
SHADOW_SOFTNESS = 0.5  # of the radius over which a shadow fades
VISIBLE_POINTS = 64  # on the disc, to say how much of it an occluder hides


def draw_shadow(sweep: Sweep, shift_radii: Floats, darkness: float) -> Patch:
    """A soft dark disc on what is behind, ``shift_radii`` (u, v) ball radii away from the ball."""
    centre, radius = sweep.centre + shift_radii * sweep.radius, sweep.radius
    reach = radius * (1 + SHADOW_SOFTNESS) + 1
    low, high = np.floor(centre - reach).astype(int), np.ceil(centre + reach).astype(int) + 1
    x, y = np.arange(low[0], high[0]) - centre[0], np.arange(low[1], high[1]) - centre[1]
    distance = np.hypot(x[None, :], y[:, None])
    ramp = np.clip((radius * (1 + SHADOW_SOFTNESS) - distance) / (2 * SHADOW_SOFTNESS * radius), 0.0, 1.0)
    rgba = np.zeros((*distance.shape, 4), dtype=np.float32)
    rgba[..., 3] = darkness * ramp * ramp * (3 - 2 * ramp)
    return Patch(int(low[0]), int(low[1]), rgba)


def draw_string(scene: Scene, sweep: Sweep) -> Patch:
    """A thread from the pivot to the body, and the bar that it hangs from where that is in the picture."""
    pivot = np.asarray(scene.view.anchor_px)
    width, height = scene.view.size_px
    width_px = STRING_WIDTH * scene.view.px_per_m
    bar = np.array([4.0, 1.0]) * max(3.0 * width_px, 2.0)
    ends = sweep.centre + sweep.offsets(1.0)[[0, -1]]
    margin = np.ceil(width_px) + 2
    low = np.floor(np.minimum(np.minimum(ends.min(axis=0), pivot - bar), sweep.centre) - margin)
    high = np.ceil(np.maximum(np.maximum(ends.max(axis=0), pivot + bar), sweep.centre) + margin)
    low, high = np.clip(low, 0, (width, height)).astype(int), np.clip(high, 1, (width, height)).astype(int)
    cover = np.zeros((max(high[1] - low[1], 1), max(high[0] - low[0], 1)), dtype=np.float32)
    offsets = sweep.offsets(1.0)
    for offset in offsets[np.linspace(0, len(offsets) - 1, min(STRING_STEPS, len(offsets))).astype(int)]:
        mask = np.zeros(cover.shape, dtype=np.uint8)
        cv2.line(mask, _fixed(pivot - low), _fixed(sweep.centre + offset - low), 255, max(round(width_px), 1), cv2.LINE_AA, FIXED_POINT_BITS)
        cover += mask
    cover *= np.float32(min(width_px, 1.0) / max(float(cover.max()), 1.0))
    cv2.rectangle(cover, _fixed(pivot - bar - low), _fixed(pivot + bar * (1, 0.2) - low), 1.0, -1, cv2.LINE_AA, FIXED_POINT_BITS)
    return _tinted(low, cover.astype(np.float32), STRING_COLOUR)


def draw_hand(scene: Scene, k: int) -> tuple[Patch, Patch]:
    """A hand under the body until it lets go and drawing back after: what is behind the body, and the fingers before it."""
    free = int(np.argmax(scene.governed))
    since = max(float(scene.times[k] - scene.times[free]), 0.0)
    scale = scene.radius_px[free] / (0.5 * scene.diameter)
    follow = scene.velocity_px[free] * HAND_FOLLOWS * (1.0 - np.exp(-since / HAND_FOLLOWS))
    held = scene.centre_px[k] if k <= free else scene.centre_px[free] + follow
    place = held + np.array([HAND_RETREATS[0], -HAND_RETREATS[1]]) * since * scale
    palm, radius = HAND_HALF_WIDTH * scale, float(scene.radius_px[free])
    middle = place + np.array([0.0, radius * (1.0 - FINGERS_REACH) + 0.6 * palm])
    length = max(FOREARM * palm, scene.view.size_px[1] - float(middle[1]))
    elbow = middle + np.array(ARM_SLANT) * length
    low = np.floor(np.minimum(middle, elbow) - 2.5 * palm).astype(int)
    high = np.ceil(np.maximum(middle, elbow) + 2.5 * palm).astype(int) + 1
    low = np.clip(low, -1, scene.view.size_px)  # only what is in the picture, one pixel at least
    high = np.maximum(np.clip(high, 0, np.array(scene.view.size_px) + 1), low + 1)
    arm = np.zeros((high[1] - low[1], high[0] - low[0]), dtype=np.uint8)
    cv2.line(arm, _fixed(middle - low), _fixed(elbow - low), 255, max(round(0.9 * palm), 1), cv2.LINE_AA, FIXED_POINT_BITS)
    fingers = np.zeros_like(arm)
    axes = (round(1.1 * palm * 2**FIXED_POINT_BITS), round(0.6 * palm * 2**FIXED_POINT_BITS))
    cv2.ellipse(fingers, _fixed(middle - low), axes, 0.0, 0.0, 360.0, 255, -1, cv2.LINE_AA, FIXED_POINT_BITS)
    return _tinted(low, (arm / 255).astype(np.float32), SKIN), _tinted(low, (fingers / 255).astype(np.float32), SKIN)


def draw_occluder(rng: np.random.Generator, scene: Scene, width_diameters: float) -> Patch:
    """A textured upright or level bar across the whole picture, over a point of the middle half of the path."""
    width, height = scene.view.size_px
    k = int(rng.uniform(0.25, 0.75) * len(scene))
    wide = max(width_diameters * 2.0 * float(scene.radius_px[k]), 2.0)
    velocity = scene.velocity_px[k]
    upright = abs(velocity[0]) >= abs(velocity[1])
    middle = float(scene.centre_px[k, 0 if upright else 1])
    first, last = round(middle - 0.5 * wide), round(middle + 0.5 * wide)
    size = (last - first, height) if upright else (width, last - first)
    texture = paint_octaves(rng, size, 0.05)[..., None] + rng.uniform(0.15, 0.8, 3).astype(np.float32)
    rgba = np.ones((size[1], size[0], 4), dtype=np.float32)
    rgba[..., :3] = np.clip(texture, 0.0, 1.0) ** np.float32(GAMMA)
    return Patch(first if upright else 0, 0 if upright else first, rgba)


def share_in_view(scene: Scene, occluder: Patch | None) -> Floats:
    """(n,) the share of the ball's disc that is in the picture and not behind the occluder."""
    i = np.arange(VISIBLE_POINTS) + 0.5
    spiral = np.sqrt(i / VISIBLE_POINTS)[:, None] * np.stack([np.cos(2.4 * i), np.sin(2.4 * i)], axis=-1)
    points = scene.centre_px[:, None] + scene.radius_px[:, None, None] * spiral
    seen = np.all((points >= -0.5) & (points <= np.array(scene.view.size_px) - 0.5), axis=-1)
    if occluder is not None:
        low = np.array([occluder.left, occluder.top]) - 0.5
        high = low + np.array(occluder.rgba.shape[1::-1])
        seen &= ~np.all((points >= low) & (points <= high), axis=-1)
    return seen.mean(axis=1)


def _fixed(point: Floats) -> tuple[int, int]:
    """A point in cv2's fixed-point coordinates, kept within what its integers hold."""
    x, y = np.clip(np.round(np.asarray(point, dtype=float) * 2**FIXED_POINT_BITS), -(2**29), 2**29)
    return int(x), int(y)


def _tinted(low: Floats, cover: Image, colour: Colour) -> Patch:
    rgb = np.asarray(colour, dtype=np.float32) ** np.float32(GAMMA)
    return Patch(int(low[0]), int(low[1]), np.concatenate([cover[..., None] * rgb, cover[..., None]], axis=-1).astype(np.float32))
