"""What an object looks like: colour, texture and shape of the pixels inside its disc in its sharpest samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from ..types import Appearance, Bools, Floats

INSIDE = 0.8
"""Share of the radius within which a pixel is the object's alone: edges mix with the background."""
COLOURLESS = 0.15
"""Saturation below which a pixel is white, grey or black."""
WHITE, BLACK = 0.72, 0.18
"""Lightness above and below which a colourless pixel is white or black."""
DARK = 0.12
"""Lightness below which any pixel is black."""
HUES = (("red", 0.0), ("orange", 28.0), ("yellow", 58.0), ("green", 120.0), ("blue", 225.0), ("purple", 280.0), ("pink", 330.0))
"""Colour words and the hues they are closest to (degrees)."""
BROWN_LIGHTNESS = 0.4
"""Dark orange is brown."""
LIMITED_RANGE = (16.0, 219.0)
"""Black level and swing of brightness in video (ITU-R BT.601, BT.709)."""


@dataclass(frozen=True, slots=True)
class Patch:
    """Pixels (h, w, 3) in Y, Cb, Cr (or (h, w, 1) brightness alone) around a disc, NaN outside the picture."""

    ycc: Floats
    centre: tuple[float, float]
    radius: float


def describe_appearance(patches: Sequence[Patch], elongation: float) -> Appearance:
    """Medians over all pixels well inside the disc of all patches."""
    rgb = np.concatenate([_inside_rgb(p) for p in patches])
    hue, saturation, lightness = _hsl(rgb)
    coloured = saturation > COLOURLESS
    return Appearance(
        hue_deg=_circular_median(hue[coloured] if coloured.any() else hue),
        saturation=float(np.median(saturation)),
        lightness=float(np.median(lightness)),
        colour_fractions=MappingProxyType(_colour_fractions(hue, saturation, lightness)),
        texture=float(np.median([_texture(p) for p in patches])),
        elongation=elongation,
    )


def _disc(patch: Patch) -> Bools:
    h, w = patch.ycc.shape[:2]
    v, u = np.mgrid[:h, :w]
    inside: Bools = np.hypot(u - patch.centre[0], v - patch.centre[1]) <= max(INSIDE * patch.radius, 0.71)
    inside &= np.isfinite(patch.ycc).all(axis=2)
    return inside


def _inside_rgb(patch: Patch) -> Floats:
    """(m, 3) pixels inside the disc, 0 to 1 (ITU-R BT.601 matrix)."""
    pixels = patch.ycc[_disc(patch)].astype(float)
    y = np.clip((pixels[:, 0] - LIMITED_RANGE[0]) / LIMITED_RANGE[1], 0, 1)
    if pixels.shape[1] == 1:
        return np.repeat(y[:, None], 3, axis=1)
    cb, cr = (pixels[:, 1] - 128) / 224, (pixels[:, 2] - 128) / 224
    return np.clip(np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], axis=1), 0, 1)


def _hsl(rgb: Floats) -> tuple[Floats, Floats, Floats]:
    """Hue (degrees), saturation of the hexcone (0..1) and lightness (0..1)."""
    high, low = rgb.max(axis=1), rgb.min(axis=1)
    swing = np.maximum(high - low, 1e-9)
    r, g, b = rgb.T
    hue = np.where(high == r, (g - b) / swing % 6, np.where(high == g, (b - r) / swing + 2, (r - g) / swing + 4)) * 60
    return hue % 360, np.where(high > 0, (high - low) / np.maximum(high, 1e-9), 0), 0.5 * (high + low)


def _circular_median(hue: Floats) -> float:
    if len(hue) == 0:
        return 0.0
    mean = float(np.angle(np.mean(np.exp(1j * np.deg2rad(hue)))))
    around = np.angle(np.exp(1j * (np.deg2rad(hue) - mean)))
    return float(np.rad2deg(mean + np.median(around)) % 360)


def _colour_fractions(hue: Floats, saturation: Floats, lightness: Floats) -> dict[str, float]:
    names = np.array([name for name, _ in HUES])
    distance = np.abs((hue[:, None] - np.array([h for _, h in HUES]) + 180) % 360 - 180)
    words = names[np.argmin(distance, axis=1)].astype("<U8")
    words[(words == "orange") & (lightness < BROWN_LIGHTNESS)] = "brown"
    grey = saturation < COLOURLESS
    words[grey] = "grey"
    words[grey & (lightness > WHITE)] = "white"
    words[grey & (lightness < BLACK)] = "black"
    words[lightness < DARK] = "black"
    found, counts = np.unique(words, return_counts=True)
    return {str(name): float(count) / max(len(words), 1) for name, count in zip(found, counts, strict=True)}


def _texture(patch: Patch) -> float:
    """Spread of brightness inside the disc after a quadratic shading is taken out, 0..1."""
    inside = _disc(patch)
    if inside.sum() < 12:
        return 0.0
    v, u = np.nonzero(inside)
    x, y = (u - patch.centre[0]) / patch.radius, (v - patch.centre[1]) / patch.radius
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    values = patch.ycc[..., 0][inside].astype(float) / LIMITED_RANGE[1]
    return float(np.clip(np.std(values - basis @ np.linalg.lstsq(basis, values, rcond=None)[0]), 0, 1))
