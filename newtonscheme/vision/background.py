"""The still background of a stretch of frames, estimated from the footage itself.

Each pixel's background is the centre of the densest part of its values over frames from all over the stretch (half-sample mode,
Robertson & Cryer 1974), so that it needs to be uncovered in a good third of them only. Where an object rested for longer than that, the
background shows the object and its old place appears as a ghost; the ghost is found by asking which of the two pictures, with or
without the region, owns the edges along the region's outline (as in Cucchiara et al. 2003, PAMI 25:1337), and is painted over. The same question is
asked of where the background differs from an earlier one of the same scene.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..types import Bools, Bytes, Floats

Singles = NDArray[np.float32]
NEUTRAL = 128.0
"""Code value of no colour in a chroma plane."""

SAMPLE_FRAMES = 32
"""Frames that a background is estimated from: a mode over fewer is noisy, over more it only costs time."""
MODE_SHARE = 0.4
"""Share of the sampled values in the densest window: the background may be covered in 60 % of the frames."""
MEDIAN_BELOW = 12
"""With fewer frames than this the densest window holds just over half of them: a mode of 4 values is chance."""
NOISE_FRAMES = 15
"""Frames that the noise is read off: a third of them is enough to be free of a passing object."""
THIRD_OF_NORMAL = 0.43
"""The absolute value of a standard normal number is below this in one third of all cases."""
NOISE_FLOOR = 0.6
"""Grey levels: 8-bit rounding of frame and background together."""
THRESHOLD_SIGMAS = 5.0
"""A 3x3 mean off the background by this many sigmas is foreground: 0.1 chance pixels in a 640x360 picture."""
THRESHOLD_FLOOR = 5.0
"""Grey levels below which coding artefacts, not objects, make differences."""
EDGE_JITTER_PX = 0.3
"""Edges of a still scene wander by this much in compressed or hand-steadied film; their slope times it is no object."""
PERSISTENT_SHARE = 0.2
"""A region that differs from the background in this share of frames may be a ghost: a passing object is shorter in any one place."""
EDGE_OWNERSHIP = 1.3
"""The outline's mean gradient in the background over that in the frames: above it, the background owns the object."""
GHOST_ROUNDS = 4
"""Times the ghost search runs at most: a second object may be found under the first, and a large one is peeled from its rim."""
PASSING_SHARE = 0.06
"""The same for what differs only early or only late, where a ghost may show briefly."""
EARLY = 0.35
"""Mean time, in shares of the stretch, of what differs early only (and 1 minus it: late only)."""
MIN_RIM_SHARE = 0.1
"""Where this share of a region's outline borders on what never changes, that part alone tells: within, one object borders on itself."""
RIM = 4
"""Detection pixels around a region in which its outline's edges are looked at."""
MIN_REGION = 4
"""Detection pixels of the smallest region worth a test."""
MOST_REGIONS = 500
"""Regions in a picture, of which real scenes have some hundred: more are noise all over, which no painting mends and which takes seconds."""
SAME_MISFIT = 0.9
"""A gain is worth having where it leaves less than this share of what an offset alone leaves."""
TRIM_SIGMAS = 2.5
"""Cut of the trimmed fit of gain and offset: what moves must not count."""


@dataclass(frozen=True, slots=True)
class Background:
    """A stretch's background at detection scale, smoothed by a 3x3 mean, with the differences that count as foreground.

    ``luma`` (h, w) and ``chroma`` (h/2, w/2, 2) or None are uint8; ``luma_threshold`` and ``chroma_threshold`` likewise.
    """

    luma: Bytes
    chroma: Bytes | None
    luma_threshold: Bytes
    chroma_threshold: Bytes | None


def estimate_background(lumas: Sequence[Bytes], chromas: Sequence[Bytes] | None, before: tuple[Bytes, Bytes | None] | None = None) -> Background:
    """The background of frames (h, w) uint8 of one brightness and their chroma (h/2, w/2, 2), ghosts removed.

    ``before`` is luma and chroma of the background of the same scene as it was found earlier, in this brightness.
    """
    pick = spread_indices(len(lumas), SAMPLE_FRAMES)
    luma_stack = np.stack([smooth(lumas[k]) for k in pick])
    chroma_stack = None if chromas is None else np.stack([smooth(chromas[k]) for k in pick])
    luma = densest_value(luma_stack)
    chroma = None if chroma_stack is None else densest_value(chroma_stack)
    first = luma.copy()
    background = _with_thresholds(luma, chroma, luma_stack, chroma_stack, luma != first)
    if before is not None and _paint_over_arrivals(luma, chroma, *before, foreground(*before, background, smoothed=True) > 0):
        background = _with_thresholds(luma, chroma, luma_stack, chroma_stack, luma != first)
    for _ in range(GHOST_ROUNDS):
        masks = [foreground(luma_stack[k], None if chroma_stack is None else chroma_stack[k], background, smoothed=True) for k in range(len(pick))]
        if not _paint_over_ghosts(luma, chroma, luma_stack, chroma_stack, np.stack(masks) > 0):
            break
        background = _with_thresholds(luma, chroma, luma_stack, chroma_stack, luma != first)
    return background


def foreground(luma: Bytes, chroma: Bytes | None, background: Background, *, smoothed: bool = False) -> Bytes:
    """(h, w) uint8 mask, 255 where the frame differs from the background in brightness or colour."""
    if not smoothed:
        luma = smooth(luma)
        chroma = None if chroma is None else smooth(chroma)
    mask = cv2.compare(cv2.absdiff(luma, background.luma), background.luma_threshold, cv2.CMP_GT)
    if chroma is not None and background.chroma is not None and background.chroma_threshold is not None:
        differs = cv2.compare(cv2.absdiff(chroma, background.chroma), background.chroma_threshold, cv2.CMP_GT)
        coloured = cv2.max(cv2.extractChannel(differs, 0), cv2.extractChannel(differs, 1))
        mask = cv2.max(mask, cv2.resize(coloured, (mask.shape[1], mask.shape[0]), interpolation=cv2.INTER_NEAREST))
    return np.asarray(mask, dtype=np.uint8)


def smooth(image: Bytes) -> Bytes:
    """A 3x3 mean: a third of the noise, and the smallest object keeps most of its contrast."""
    return np.asarray(cv2.blur(image, (3, 3)), dtype=np.uint8)


def spread_indices(n: int, most: int) -> list[int]:
    """At most ``most`` indices spread evenly over ``range(n)``, both ends included."""
    return sorted({round(x) for x in np.linspace(0, n - 1, min(n, most))})


def densest_value(stack: Bytes) -> Bytes:
    """(n, ...) uint8 to (...): the centre of the densest window of each pixel's values."""
    n = len(stack)
    window = n // 2 + 1 if n < MEDIAN_BELOW else int(np.ceil(MODE_SHARE * n))
    ordered = sort_frames(stack)
    best = ordered[window // 2].copy()
    width = ordered[window - 1] - ordered[0]
    for k in range(1, n - window + 1):
        other = ordered[k + window - 1] - ordered[k]
        tighter = other < width
        np.copyto(width, other, where=tighter)
        np.copyto(best, ordered[k + window // 2], where=tighter)
    return best


def sort_frames(stack: Bytes) -> Bytes:
    """Sort (n, ...) along the first axis by a merge-exchange network (Batcher; Knuth TAOCP 3, algorithm 5.2.2M).

    Whole planes are compared at once, which is some 20 times faster than ``np.sort`` along the first axis.
    """
    planes = list(stack.copy())
    spare = np.empty_like(planes[0])
    n = len(planes)
    bits = max(1, (n - 1).bit_length())
    p = 1 << (bits - 1)
    while p > 0:
        q, r, d = 1 << (bits - 1), 0, p
        while True:
            for i in range(n - d):
                if i & p == r:
                    np.minimum(planes[i], planes[i + d], out=spare)
                    np.maximum(planes[i], planes[i + d], out=planes[i + d])
                    planes[i], spare = spare, planes[i]
            if q == p:
                break
            d, q, r = q - p, q >> 1, p
        p >>= 1
    return np.stack(planes)


def match_brightness(probe: Floats, reference: Floats) -> tuple[float, float, float]:
    """Gain and offset that bring ``reference`` (m,) to ``probe`` (m,), and the share of values that the match leaves unexplained."""
    gain, offset = 1.0, float(np.median(probe - reference))
    plain = offset
    for _ in range(3):
        residual = np.abs(probe - gain * reference - offset)
        keep = residual <= max(TRIM_SIGMAS * 1.4826 * float(np.median(residual)), THRESHOLD_FLOOR / 2)
        x, y = reference[keep], probe[keep]
        spread = float(np.var(x))
        gain = float(np.mean((x - x.mean()) * (y - y.mean()))) / spread if spread > 1.0 else 1.0
        offset = float(y.mean() - gain * x.mean())
    # Where most of the picture has one shade, the slope is that of its noise, and what is brighter or darker was left out of it.
    if _mean_misfit(probe - gain * reference - offset) > SAME_MISFIT * _mean_misfit(probe - reference - plain):
        gain, offset = 1.0, plain
    unexplained = np.abs(probe - gain * reference - offset) > 3 * THRESHOLD_FLOOR
    return gain, offset, float(unexplained.mean())


def _mean_misfit(departure: Floats) -> float:
    """Mean size of departures, none of which counts for more than what a thing that moved makes of it."""
    return float(np.minimum(np.abs(departure), 3 * THRESHOLD_FLOOR).mean())


def _with_thresholds(luma: Bytes, chroma: Bytes | None, luma_stack: Bytes, chroma_stack: Bytes | None, painted: Bools) -> Background:
    """The background with its thresholds; where it was ``painted`` it shows too seldom for its noise to be read off."""
    threshold = None
    if chroma is not None and chroma_stack is not None:
        threshold = _threshold(chroma_stack, chroma, _halved(painted, chroma))
    return Background(luma=luma, chroma=chroma, luma_threshold=_threshold(luma_stack, luma, painted), chroma_threshold=threshold)


def _threshold(stack: Bytes, background: Bytes, painted: Bools) -> Bytes:
    """Per-pixel threshold from a low quantile (hence object-proof) of the departures from the background, pooled over neighbours."""
    pick = spread_indices(len(stack), NOISE_FRAMES)
    departures = sort_frames(np.stack([cv2.absdiff(stack[k], background) for k in pick]))[len(pick) // 3]
    departures[painted] = np.median(departures)
    local = cv2.blur(departures.astype(np.float32), (9, 9))
    sigma = np.maximum(local, float(np.median(departures))) / THIRD_OF_NORMAL + NOISE_FLOOR / 3
    planes = [_gradient(np.asarray(plane, dtype=np.uint8)) for plane in cv2.split(background)]
    slope = np.dstack([cv2.dilate(plane, np.ones((3, 3), np.uint8)) for plane in planes]).reshape(background.shape)
    return np.clip(np.maximum(THRESHOLD_SIGMAS * sigma, THRESHOLD_FLOOR) + EDGE_JITTER_PX * slope, 0, 255).astype(np.uint8)


def _paint_over_arrivals(luma: Bytes, chroma: Bytes | None, luma_before: Bytes, chroma_before: Bytes | None, differs: Bools) -> bool:
    """Replace, in place, background regions that show what has come to rest since the one before, by that one; True if there was one."""
    rim, painted = _outline(_filled(differs)), False
    for region, box, half in _regions(differs):
        still = (luma[box], None if chroma is None else chroma[half])
        other = (luma_before[box], None if chroma_before is None else chroma_before[half])
        painted |= _paint_region(still, other, region & differs[box], rim[box], np.ones_like(region))
    return painted


def _paint_over_ghosts(luma: Bytes, chroma: Bytes | None, luma_stack: Bytes, chroma_stack: Bytes | None, masks: Bools) -> bool:
    """Replace, in place, background regions that turn out to be an object at rest; True if there was one.

    Regions are what differs in many frames, and of that what differs early or late only: a large, slow object leaves both where it goes
    to and where it came from, on either side of a core that it never uncovers.
    """
    share = masks.mean(axis=0)
    persistent = share >= max(PERSISTENT_SHARE, 1.5 / len(masks))
    spread = np.linspace(0, 1, len(masks))
    when = sum((mask * np.float32(x) for mask, x in zip(masks, spread, strict=True)), np.zeros(1, np.float32))
    when = when / (len(masks) * np.maximum(share, 0.5 / len(masks)))
    changed = share * len(masks) >= 2
    filled = _filled(changed)
    rim = _outline(filled)
    core = np.asarray(cv2.dilate(((filled > 0) & ~changed).astype(np.uint8), np.ones((5, 5), np.uint8))) > 0
    painted = False
    passing = share >= max(PASSING_SHARE, 1.5 / len(masks))
    early, late = spread <= EARLY, spread >= 1 - EARLY
    for chosen, frames in ((persistent, spread >= 0), (passing & (when < EARLY), early), (passing & (when > 1 - EARLY), late)):
        for region, box, half in _regions(chosen):
            inside, own = region & chosen[box], masks[frames, *box]
            still = (luma[box], None if chroma is None else chroma[half])
            tint = None
            if chroma is not None and chroma_stack is not None:
                small_masks, small = np.stack([_halved(mask, chroma[half]) for mask in own]), _halved(inside, chroma[half])
                tint = np.dstack([_median_where(chroma_stack[frames, *half][..., c], small_masks, chroma[half][..., c], small) for c in (0, 1)])
            other = (_median_where(luma_stack[frames, *box], own, luma[box], inside), tint)
            painted |= _paint_region(still, other, inside, rim[box], ~core[box])
    return painted


def _regions(chosen: Bools) -> Iterator[tuple[Bools, tuple[slice, slice], tuple[slice, slice]]]:
    """Each connected region of a mask, filled, in a box around it, with the box's place in the picture and in the chroma planes."""
    contours, _ = cv2.findContours(chosen.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if len(contours) > MOST_REGIONS:
        return
    for contour in contours:
        x, y, w, h = cv2.boundingRect(contour)
        if w * h < MIN_REGION:
            continue
        left, top = max(x - RIM, 0) & ~1, max(y - RIM, 0) & ~1
        box = np.s_[top : min(y + h + RIM, chosen.shape[0]), left : min(x + w + RIM, chosen.shape[1])]
        half = np.s_[top // 2 : (box[0].stop + 1) // 2, left // 2 : (box[1].stop + 1) // 2]
        region = np.zeros(chosen[box].shape, np.uint8)
        cv2.drawContours(region, [np.asarray(contour) - np.array([[left, top]])], -1, 1, -1)
        yield region > 0, box, half


def _paint_region(still: tuple[Bytes, Bytes | None], other: tuple[Bytes, Bytes | None], inside: Bools, rim: Bools, sure: Bools) -> bool:
    """Paint one region of luma and chroma in place by what else is seen there, all of it or the part that is brighter or darker, if it is an object.

    The whole is judged by its border on what never changes (``rim``), a part by its border away from what an object never uncovered.
    """
    (luma, chroma), (other_luma, other_tint) = still, other
    for part, border in ((inside, rim), (inside & (other_luma > luma), sure), (inside & (other_luma < luma), sure)):
        outline = _outline(part.astype(np.uint8))
        if (outline & border).sum() >= MIN_RIM_SHARE * outline.sum():
            outline &= border
        if part.sum() < MIN_REGION:
            continue
        painted = np.where(part, other_luma, luma)
        painted_tint = chroma
        if chroma is not None and other_tint is not None:
            painted_tint = np.where(_halved(part, chroma)[..., None], other_tint, chroma)
        if _edge_energy(luma, chroma, outline) > EDGE_OWNERSHIP * _edge_energy(painted, painted_tint, outline):
            luma[...] = painted
            if chroma is not None and painted_tint is not None:
                chroma[...] = painted_tint
            return True
    return False


def _filled(mask: Bools) -> Bytes:
    """A mask with its small gaps and all its holes closed."""
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, contours, -1, 1, -1)
    return filled


def _outline(mask: Bytes) -> Bools:
    """The pixels on either side of a mask's edge."""
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))) > 0


def _halved(mask: Bools, like: Bytes) -> Bools:
    """A mask at the resolution of the chroma planes."""
    return np.asarray(cv2.resize(mask.astype(np.uint8), (like.shape[1], like.shape[0]), interpolation=cv2.INTER_NEAREST)) > 0


def _median_where(stack: Bytes, masks: Bools, background: Bytes, inside: Bools) -> Bytes:
    """The median of the frames in which a pixel is foreground; the background itself outside the region."""
    values = np.where(masks, stack, np.uint8(255))
    counts = masks.sum(axis=0)
    ordered = np.sort(values, axis=0)
    middle = np.take_along_axis(ordered, np.maximum(counts - 1, 0)[None] // 2, axis=0)[0]
    return np.where(inside & (counts > 0), middle, background).astype(np.uint8)


def _edge_energy(luma: Bytes, chroma: Bytes | None, outline: Bools) -> float:
    """Mean gradient along an outline, brightness and colour together, over a floor that stands for noise."""
    if not outline.any():
        return NOISE_FLOOR
    energy = float(_gradient(luma)[outline].mean())
    if chroma is not None:
        small = _halved(outline, chroma)
        if small.any():
            energy += float(sum(_gradient(np.ascontiguousarray(chroma[..., c]))[small].mean() for c in (0, 1)))
    return energy + NOISE_FLOOR


def _gradient(image: Bytes) -> Singles:
    return np.hypot(cv2.Sobel(image, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(image, cv2.CV_32F, 0, 1, scale=0.125), dtype=np.float32)
