"""What the candidates of a frame say of themselves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from newtonscheme.types import Bytes
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


def bob_before_patch(across: float, below: float, size: float = 24.0) -> tuple[Bytes, Bytes, Background]:
    """A lit ball of ``size`` px before a wall and a dark blue patch, ``below`` px under its top and ``across`` px from its left."""
    v, u = np.mgrid[:200, :160].astype(float)
    depth = 1 - ((u - 80) ** 2 + (v - 150) ** 2) / size**2
    lit = 60 + 110 * np.clip(0.3 * (80 - u) / size + 0.6 * (150 - v) / size + 0.7 * np.sqrt(np.maximum(depth, 0)), 0, 1)
    ball, string, patch = depth > 0, (np.abs(u - 80) < 1.5) & (v < 150), (u < 80 - size + across) & (v > 150 - size + below)
    still = np.where(patch[..., None], [85.0, 190.0, 110.0], [150.0, 112.0, 140.0])
    shown = np.where(ball[..., None], np.dstack([lit, np.full_like(lit, 95.0), np.full_like(lit, 150.0)]), still)
    shown[string & ~ball] = [60.0, 128.0, 128.0]
    frame, behind = (np.round(x).astype(np.uint8) for x in (shown, still))
    planes = [(np.ascontiguousarray(x[..., 0]), np.ascontiguousarray(x[::2, ::2, 1:])) for x in (frame, behind)]
    luma, chroma = (cv2.blur(x, (3, 3)) for x in planes[1])
    background = Background(np.asarray(luma), np.asarray(chroma), np.full(luma.shape, 8, np.uint8), np.full(chroma.shape, 6, np.uint8))
    return *planes[0], background


@pytest.mark.parametrize(("across", "below"), [(0.0, 0.0), (24.0, -30.0), (24.0, 18.0), (40.0, 18.0), (44.0, 18.0)])
def test_a_bob_on_its_string_is_read_whole_wherever_its_background_changes_colour(across: float, below: float) -> None:
    luma, chroma, background = bob_before_patch(across, below)
    found = find_candidates(luma, chroma, background, 1)
    assert min(np.hypot(c.u - 80, c.v - 150) + abs(c.radius - 24) for c in found) < 4.0


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_what_is_seen_of_a_thinned_picture_scales_with_its_stride(share: float) -> None:
    luma, chroma, background = bob_before_patch(9 * share, 9 * share, size=9)
    whole, thinned = (np.array([(c.u, c.v, c.radius) for c in find_candidates(luma, chroma, background, stride)]) for stride in (1, 3))
    assert len(whole) > 1
    assert thinned == pytest.approx(3 * whole + np.array([1.0, 1.0, 0.0]))


def crowd(people: int) -> tuple[Bytes, Bytes, Background]:
    """A row of people in three colours with limbs, and one ball of 6 px at (30, 30), before a grey wall."""
    frame = np.full((200, 90 * people + 60, 3), (120, 128, 128), np.uint8)
    for k in range(people):
        x = 60 + 90 * k
        cv2.rectangle(frame, (x, 80), (x + 26, 150), (200, 100, 90 + k), -1)
        cv2.circle(frame, (x + 13, 66), 13, (70, 110, 160), -1)
        for side in (0, 26):
            cv2.line(frame, (x + side, 150), (x + side + 4, 190), (40, 150, 128), 9)
            cv2.line(frame, (x + side, 84), (x + 2 * side - 12, 120), (70, 110, 160), 7)
    cv2.circle(frame, (30, 30), 6, (215, 128, 128), -1)
    luma, chroma = np.ascontiguousarray(frame[..., 0]), np.ascontiguousarray(frame[::2, ::2, 1:])
    still = np.full_like(luma, 120), np.full_like(chroma, 128)
    return luma, chroma, Background(*still, np.full_like(luma, 8), np.full_like(chroma, 6))


@pytest.mark.parametrize("people", [1, 6, 12])
def test_a_ball_is_seen_beside_any_number_of_people(people: int) -> None:
    luma, chroma, background = crowd(people)
    found = find_candidates(luma, chroma, background, 1)
    assert any(np.hypot(c.u - 30, c.v - 30) < 1.0 and abs(c.radius - 6) < 1.5 for c in found)
    for k in range(people):
        assert any(abs(c.u - 73 - 90 * k) < 40 for c in found)
