"""Text as masks: the outlines of a font that ships with matplotlib, filled at any size, with every sign that a unit needs.

OpenCV's own letters are strokes that know neither ± nor °, and blur when they are scaled.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from ..types import Bytes

OVERSAMPLING = 4
"""Filled this much larger and averaged down: the edges get 16 steps of grey."""
LINE_SPACING = 1.45
KEPT_TEXTS = 64
"""A clip shows a handful of fixed texts and one clock."""


@lru_cache(maxsize=KEPT_TEXTS)
def draw_text(text: str, size_px: int, *, bold: bool = False) -> Bytes:
    """(h, w) coverage 0..255 of one line; h is the line's height (`LINE_SPACING` sizes), whatever letters are in it."""
    from matplotlib import get_data_path
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = Path(get_data_path()) / "fonts" / "ttf" / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")
    # A text without ink has no outline to fill.
    outline = TextPath((0.0, 0.0), text.replace("$", r"\$"), size=size_px * OVERSAMPLING, prop=FontProperties(fname=font)) if text.strip() else None
    polygons = [] if outline is None else outline.to_polygons(closed_only=True)
    height = round(size_px * LINE_SPACING)
    # The baseline leaves a quarter of the line below it for descenders.
    baseline = 0.75 * height * OVERSAMPLING
    corners = [np.round(np.asarray(polygon, float) * (1.0, -1.0) + (0.0, baseline)).astype(np.int32) for polygon in polygons]
    width = max((int(polygon[:, 0].max()) for polygon in corners), default=0) // OVERSAMPLING + 1
    mask = np.zeros((height * OVERSAMPLING, width * OVERSAMPLING), dtype=np.uint8)
    cv2.fillPoly(mask, corners, 255)
    mask = np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    mask.setflags(write=False)
    return mask
