"""How one frame's background lies on another's, from features that are followed between them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..types import Bytes, Floats

MOST_FEATURES, FEATURE_QUALITY, FEATURE_SPACING_PX = 600, 0.005, 7.0
WINDOW_PX, LEVELS = 21, 4
"""Window and pyramid: a jolt of a tenth of the picture between two frames is followed."""
MATCH_PX = 1.5
"""A feature that leaves the common motion by more is on something that moves, or on another depth."""
LEAST_FEATURES, LEAST_SHARE = 16, 0.35
"""Features that must agree, and their share of those that were followed: fewer are no background."""
BLOCKS, LEAST_BLOCKS = (3, 4), 4
"""Parts of the picture, by rows and columns, and in how many of them agreeing features must lie."""


FEATURES_PER_ERROR = 8.0
"""Coding, shadows and depth move neighbouring features alike: errors of a mapped point are 1.4 to 4.5 times (18 films) what independent
ones would make of them."""
STAYED_PX = 0.5
"""A feature that moved by less than this stayed where it was."""
PATCH_PX, CLEARLY_LEFT = 9, 2.0
"""Window in which places are compared, and how many times more a feature's old place must have changed than the feature did."""


@dataclass(frozen=True, slots=True)
class Match:
    """How a frame lies on an earlier one.

    ``onto`` (3, 3) maps its pixels to the earlier frame's, ``error_px`` is a mapped point's sigma, ``share`` that of the earlier frame's
    features which agree, ``moved_px`` their median displacement, ``stayed`` the share of the followed ones which stayed where the common
    motion would have moved them, ``spread`` the share of the picture within the outermost of the agreeing ones that are seen to have left
    their places: on a plain wall a feature is found again wherever it is looked for, and all that are clear may be on one object.
    """

    onto: Floats
    error_px: float
    share: float
    moved_px: float
    stayed: float
    spread: float


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """A frame (h, w) uint8 and places (n, 2) in it that can be recognised in others."""

    image: Bytes
    points: Floats

    @classmethod
    def of(cls, image: Bytes) -> Features:
        """Corners from all over a frame."""
        found: object = cv2.goodFeaturesToTrack(image, MOST_FEATURES, FEATURE_QUALITY, FEATURE_SPACING_PX)
        return cls(image, np.array([] if found is None else found, dtype=np.float64).reshape(-1, 2))

    def match(self, image: Bytes, near: Floats) -> Match | None:
        """How a later frame lies on this one, about as ``near`` (3, 3) says; None where they have too little in common."""
        if len(self.points) < LEAST_FEATURES:
            return None
        guess = mapped(np.asarray(np.linalg.inv(near), dtype=np.float64), self.points)
        there, seen, _ = cv2.calcOpticalFlowPyrLK(
            self.image, image, self.points.astype(np.float32), guess.astype(np.float32),
            winSize=(WINDOW_PX, WINDOW_PX), maxLevel=LEVELS, flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        )  # fmt: skip
        followed = (np.asarray(seen).ravel() > 0) & np.all((there >= 0) & (there <= np.array(image.shape[::-1]) - 1), axis=1)
        if followed.sum() < LEAST_FEATURES:
            return None
        own, its = self.points[followed], np.asarray(there, dtype=np.float64)[followed]
        agrees: object = cv2.findHomography(its, own, cv2.USAC_MAGSAC, MATCH_PX)[1]
        good = np.zeros(len(own), bool) if agrees is None else np.asarray(agrees).ravel() > 0
        if good.sum() < max(LEAST_FEATURES, LEAST_SHARE * followed.sum()) or _blocks_of(its[good], image.shape) < LEAST_BLOCKS:
            return None
        best, error = _simplest(its[good], own[good])
        stayed = (np.hypot(*(its - own).T) < STAYED_PX) & (np.hypot(*(mapped(best, its) - own).T) > MATCH_PX)
        moved = float(np.median(np.hypot(*(its[good] - own[good]).T)))
        spread = self._spread(image, own[good], its[good])
        return Match(best, error, float(good.sum()) / len(self.points), moved, float(stayed.mean()), spread)

    def _spread(self, image: Bytes, own: Floats, its: Floats) -> float:
        """Share of the picture inside the hull of the features (n, 2) that look like what is at their new places (n, 2), not at their old."""
        around = np.arange(PATCH_PX) - PATCH_PX // 2
        window = np.stack(np.meshgrid(around, around), axis=-1).reshape(-1, 2)
        before, moved, stayed = (_sampled(frame, at[:, None] + window) for frame, at in ((self.image, own), (image, its), (image, own)))
        left = np.abs(stayed - before).mean(axis=1) > CLEARLY_LEFT * np.abs(moved - before).mean(axis=1)
        return cv2.contourArea(cv2.convexHull(own[left].astype(np.float32))) / image.size if left.any() else 0.0


def _simplest(points: Floats, targets: Floats) -> tuple[Floats, float]:
    """The similarity or the homography, whichever Schwarz's criterion (1978) prefers, and the error of a mapped point (px)."""
    similarity, _ = cv2.estimateAffinePartial2D(points, targets, method=cv2.LMEDS)
    homography, _ = cv2.findHomography(points, targets, 0)
    best, least, error = np.eye(3), np.inf, 0.0
    n = len(points) / FEATURES_PER_ERROR
    for found, numbers in ((similarity, 4), (homography, 8)):
        if found is None:
            continue
        whole: Floats = np.array(found if numbers == 8 else np.vstack([found, [0.0, 0.0, 1.0]]), dtype=np.float64)
        square = float(np.mean((mapped(whole, points) - targets) ** 2))
        cost = 2 * n * np.log(square + 1e-6) + numbers * np.log(2 * n)
        if cost < least:
            best, least, error = whole, cost, float(np.sqrt(square * numbers / (2 * n)))
    return best, error


def _sampled(image: Bytes, at: Floats) -> Floats:
    """Grey levels (n, m) between pixels at places (n, m, 2)."""
    u, v = (np.ascontiguousarray(at[..., k], dtype=np.float32) for k in (0, 1))
    return np.asarray(cv2.remap(image, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), dtype=np.float64)


def mapped(homography: Floats, points: Floats) -> Floats:
    """(n, 2) points through a (3, 3) map."""
    whole = points @ homography[:, :2].T + homography[:, 2]
    return np.asarray(whole[:, :2] / whole[:, 2:], dtype=np.float64)


def _blocks_of(points: Floats, shape: tuple[int, ...]) -> int:
    """In how many blocks of the picture points (n, 2) lie."""
    row = np.minimum(points[:, 1] * BLOCKS[0] / shape[0], BLOCKS[0] - 1).astype(int)
    column = np.minimum(points[:, 0] * BLOCKS[1] / shape[1], BLOCKS[1] - 1).astype(int)
    return len(set(zip(row.tolist(), column.tolist(), strict=True)))
