"""What rendered things look like: backgrounds that clutter, balls with panels and seams that spin.

Colours are gamma-encoded RGB in 0..1, as a colour picker shows them; light adds up and is shaded linearly, so what comes off a ball is
linear light.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ..types import Floats

Image = NDArray[np.float32]
Colour = tuple[float, float, float]
Backdrop = Literal["flat", "gradient", "textured", "cluttered"]

GAMMA = 2.2
"""Of the camera's encoding: grey level = 255 * light ** (1 / 2.2), near sRGB and BT.709 without their linear toe."""
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
COARSEST_SHARE, FINEST_PX = 0.4, 3.0  # of the long side, and pixels: the octaves of a texture
ROUGHNESS_RANGE = (0.1, 0.9)  # exponent of an octave's contrast over its scale: gravel to clouds
CLUTTER_RANGE = (6, 26)  # things on a wall or a table
PICTURE_CHANCE = 0.4  # of a cluttered backdrop that holds a picture in the ball's own colours
SADDLE = 1.2  # a tennis ball's or baseball's seam: z = 1.2 (x^2 - y^2) on the unit sphere
GOLDEN_ANGLE = np.pi * (3.0 - np.sqrt(5.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class BallLook:
    """One kind of ball: ``label`` is the catalogue's name, ``cover`` a key of `COVERS`, the colours are those of cover, marks and more marks."""

    label: str
    cover: str
    colours: tuple[Colour, ...]
    shine: float = 0.15


BALL_LOOKS = (
    BallLook(label="tennis ball", cover="saddle_seam", colours=((0.78, 0.85, 0.22), (0.93, 0.93, 0.88)), shine=0.0),
    BallLook(label="basketball", cover="great_circles", colours=((0.80, 0.42, 0.16), (0.10, 0.08, 0.08)), shine=0.08),
    BallLook(label="soccer ball", cover="patches", colours=((0.93, 0.93, 0.92), (0.08, 0.08, 0.09)), shine=0.2),
    BallLook(label="volleyball", cover="bands", colours=((0.93, 0.92, 0.88), (0.15, 0.25, 0.60), (0.92, 0.78, 0.15)), shine=0.1),
    BallLook(label="table tennis ball", cover="plain", colours=((0.96, 0.96, 0.95),), shine=0.1),
    BallLook(label="table tennis ball", cover="plain", colours=((0.97, 0.55, 0.12),), shine=0.1),
    BallLook(label="baseball", cover="saddle_seam", colours=((0.92, 0.90, 0.86), (0.72, 0.12, 0.14)), shine=0.08),
    BallLook(label="golf ball", cover="dimples", colours=((0.95, 0.95, 0.95), (0.80, 0.80, 0.80)), shine=0.35),
    BallLook(label="cricket ball", cover="equator", colours=((0.55, 0.10, 0.12), (0.90, 0.86, 0.80)), shine=0.3),
    BallLook(label="squash ball", cover="plain", colours=((0.10, 0.10, 0.11),), shine=0.05),
    BallLook(label="handball", cover="patches", colours=((0.20, 0.35, 0.65), (0.90, 0.90, 0.88)), shine=0.1),
    BallLook(label="bowling ball", cover="plain", colours=((0.16, 0.08, 0.30),), shine=0.6),
)
PLAIN_COLOURS: tuple[Colour, ...] = (
    (0.85, 0.15, 0.15), (0.15, 0.45, 0.85), (0.20, 0.65, 0.25), (0.95, 0.85, 0.20),
    (0.92, 0.92, 0.92), (0.12, 0.12, 0.12), (0.60, 0.35, 0.20), (0.90, 0.45, 0.60),
)  # fmt: skip
"""Balls of no catalogue: toys, bobs."""


def paint_backdrop(rng: np.random.Generator, size_px: tuple[int, int], kind: Backdrop, tone: Colour, ball: tuple[Colour, ...]) -> Image:
    """(h, w, 3) encoded: a wall, a table, a street: around the colour ``tone``, with things on it that share the ball's colours."""
    width, height = size_px
    base = np.asarray(tone, dtype=np.float32)
    image: Image = np.full((height, width, 3), base, dtype=np.float32)
    if kind == "flat":
        return image
    ramp = np.linspace(-1, 1, width)[None, :] * rng.uniform(-0.1, 0.1) + np.linspace(-1, 1, height)[:, None] * rng.uniform(-0.15, 0.15)
    image = image + ramp.astype(np.float32)[..., None]
    if kind != "gradient":
        image += paint_octaves(rng, size_px, float(rng.uniform(0.02, 0.07)))[..., None] * rng.uniform(0.8, 1.2, 3).astype(np.float32)
    if kind == "cluttered":
        _strew(rng, image, base, ball)
        image += paint_octaves(rng, size_px, float(rng.uniform(0.005, 0.03)))[..., None]
    return np.clip(image, 0.0, 1.0)


def paint_octaves(rng: np.random.Generator, size_px: tuple[int, int], contrast: float) -> Image:
    """(h, w) noise of all scales from a few pixels to half the picture, of standard deviation ``contrast`` and mean 0."""
    width, height = size_px
    scale, roughness = COARSEST_SHARE * max(size_px), rng.uniform(*ROUGHNESS_RANGE)
    image = np.zeros((height, width), dtype=np.float32)
    while scale >= FINEST_PX:
        grid = rng.standard_normal((int(height / scale) + 3, int(width / scale) + 3)).astype(np.float32)
        image += (scale / max(size_px)) ** roughness * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        scale /= 2.0
    return (image - image.mean()) * (contrast / max(float(image.std()), 1e-6))


def _strew(rng: np.random.Generator, image: Image, tone: Image, ball: tuple[Colour, ...]) -> None:
    """Rectangles of many colours, lines, and at times a picture in the ball's own colours, painted onto ``image``."""
    height, width = image.shape[:2]
    for _ in range(int(rng.integers(*CLUTTER_RANGE))):
        size = np.array([width, height]) * rng.uniform(0.02, 0.3, 2)
        middle = np.array([width, height]) * rng.uniform(-0.05, 1.05, 2)
        colour = tone + rng.normal(0.0, 0.14, 3) if rng.uniform() < 0.8 else np.asarray(ball[int(rng.integers(len(ball)))])
        _fill_box(image, middle, size, float(rng.choice([0.0, rng.uniform(-np.pi, np.pi)])), np.clip(colour, 0, 1))
    if rng.uniform() < PICTURE_CHANCE:
        middle, size = np.array([width, height]) * rng.uniform(0.2, 0.8, 2), np.array([0.2, 0.25]) * min(width, height)
        _fill_box(image, middle, size, 0.0, np.clip(tone + 0.15, 0, 1))
        for _ in range(int(rng.integers(3, 9))):
            spot = middle + rng.uniform(-0.4, 0.4, 2) * size
            centre = (round(spot[0] * 16), round(spot[1] * 16))
            dot = ball[int(rng.integers(len(ball)))]
            cv2.circle(image, centre, round(float(rng.uniform(0.05, 0.2) * size[0] * 16)), dot, -1, cv2.LINE_AA, 4)
    image[:] = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.2))


def _fill_box(image: Image, middle: Floats, size: Floats, angle: float, colour: Floats) -> None:
    corners = cv2.boxPoints((tuple(map(float, middle)), tuple(map(float, size)), float(np.rad2deg(angle))))
    cv2.fillPoly(image, [np.round(corners * 16).astype(np.int32)], tuple(map(float, colour)), cv2.LINE_AA, 4)


def shade_ball(look: BallLook, normal: Image, turn: Floats, light: Floats, ambient: float) -> Image:
    """(n, 3) linear light of surface points whose outward normals (x right, y up, z to the viewer) are ``normal`` (n, 3).

    Lambert's law under one distant light with an ambient share, and a highlight (Blinn 1977); ``turn`` (3, 3) rotates the ball's cover.
    """
    albedo = COVERS[look.cover](normal @ turn.astype(np.float32), np.asarray(look.colours, dtype=np.float32)) ** np.float32(GAMMA)
    direction = (light / np.linalg.norm(light)).astype(np.float32)
    lit = ambient + (1.0 - ambient) * np.maximum(normal @ direction, 0.0)
    half = direction + np.array([0.0, 0.0, 1.0], dtype=np.float32)
    highlight = look.shine * np.maximum(normal @ (half / np.linalg.norm(half)), 0.0) ** 40
    return np.minimum(albedo * lit[:, None] + highlight[:, None], 1.0)


def _mix(base: Image, mark: Image, share: Image) -> Image:
    return base + (mark - base) * share[:, None]


def _band(distance: Image | Floats, half_width: float, softness: float = 0.02) -> Image:
    """1 within ``half_width`` of a line on the unit sphere, 0 outside, with a soft edge."""
    return np.clip((half_width - np.abs(distance)) / softness + 0.5, 0.0, 1.0).astype(np.float32)


def _cover_plain(q: Image, colours: Image) -> Image:
    stamp = np.clip((q[:, 0] - 0.93) / 0.02, 0.0, 1.0)
    return _mix(np.broadcast_to(colours[0], q.shape), 0.55 * colours[0], stamp)


def _cover_saddle_seam(q: Image, colours: Image) -> Image:
    seam = (q[:, 2] - SADDLE * (q[:, 0] ** 2 - q[:, 1] ** 2)) / 1.8
    return _mix(colours[0], colours[1], _band(seam, 0.05))


def _cover_great_circles(q: Image, colours: Image) -> Image:
    curved = np.abs(q[:, 2]) - np.float32(0.45) - np.float32(0.35) * q[:, 0] ** 2
    lines = np.abs(np.stack([q[:, 0], q[:, 1], curved])).min(axis=0)
    return _mix(colours[0], colours[1], _band(lines, 0.03))


def _cover_equator(q: Image, colours: Image) -> Image:
    return _mix(colours[0], colours[1], _band(q[:, 2], 0.05))


def _cover_patches(q: Image, colours: Image) -> Image:
    nearest = np.max(np.abs(q @ ICOSAHEDRON.T), axis=1)
    return _mix(colours[0], colours[1], np.clip((nearest - np.cos(0.37)) / 0.02 + 0.5, 0.0, 1.0))


def _cover_bands(q: Image, colours: Image) -> Image:
    face = np.argmax(np.abs(q), axis=1)
    across = np.take_along_axis(q, ((face + 1) % 3)[:, None], axis=1)[:, 0]
    return colours[np.clip(((across + 0.6) / 0.4).astype(int), 0, 2)]


def _cover_dimples(q: Image, colours: Image) -> Image:
    nearest = np.max(q @ DIMPLES.T, axis=1)
    return _mix(colours[0], colours[1], np.clip((nearest - np.cos(0.1)) / 0.002, 0.0, 1.0))


def _icosahedron() -> Image:
    """(6, 3) one of each pair of opposite vertices."""
    golden = (1.0 + np.sqrt(5.0)) / 2.0
    vertices = np.array([[0, 1, golden], [0, -1, golden], [1, golden, 0], [-1, golden, 0], [golden, 0, 1], [golden, 0, -1]])
    return (vertices / np.linalg.norm(vertices, axis=1, keepdims=True)).astype(np.float32)


def _spread_points(n: int) -> Image:
    """(n, 3) points spread evenly over the unit sphere on a Fibonacci spiral."""
    z = 1.0 - (2.0 * np.arange(n) + 1.0) / n
    angle = GOLDEN_ANGLE * np.arange(n)
    return np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z], axis=-1).astype(np.float32)


ICOSAHEDRON = _icosahedron()
DIMPLES = _spread_points(120)
COVERS: Mapping[str, Callable[[Image, Image], Image]] = MappingProxyType(
    {
        "plain": _cover_plain,
        "saddle_seam": _cover_saddle_seam,
        "great_circles": _cover_great_circles,
        "equator": _cover_equator,
        "patches": _cover_patches,
        "bands": _cover_bands,
        "dimples": _cover_dimples,
    }
)
