"""What the candidates of a frame say of themselves."""

from __future__ import annotations

import numpy as np
import pytest

from newtonscheme.vision.background import Background
from newtonscheme.vision.detection import Candidate, find_candidates

SKY = np.array([150.0, 160.0, 112.0])
"""Y, Cb, Cr of a blue sky."""


def seen(inside: np.ndarray) -> Candidate:
    """The candidate of a disc of Y, Cb, Cr ``inside`` before a sky."""
    v, u = np.mgrid[:80, :100]
    disc = np.hypot(u - 50, v - 40) < 24
    luma = np.where(disc, inside[0], SKY[0]).astype(np.uint8)
    chroma = np.where(disc[::2, ::2, None], inside[1:], SKY[1:]).astype(np.uint8)
    still = [np.full(luma.shape, SKY[0], np.uint8), np.broadcast_to(SKY[1:].astype(np.uint8), chroma.shape)]
    background = Background(still[0], np.ascontiguousarray(still[1]), np.full(luma.shape, 8, np.uint8), np.full(chroma.shape, 6, np.uint8))
    return find_candidates(luma, chroma, background, 1)[0]


def test_a_shadow_on_a_coloured_wall_has_no_tint_of_its_own() -> None:
    grey = np.array([0.0, 128.0, 128.0])
    shadow = seen(grey + 0.65 * (SKY - grey))
    assert shadow.departure[1] == pytest.approx(-0.35 * 32, abs=2.0)
    assert np.abs(shadow.tint).max() < 2.0


def test_a_ball_as_dark_as_a_shadow_has_its_own_tint() -> None:
    assert np.abs(seen(np.array([100.0, 128.0, 128.0])).tint).max() > 8.0
