"""How one frame's background lies on another's, from features that are followed between them.

Three laws of a moving camera are fitted: it slides before a wall (a similarity), it turns and zooms (the homography of a pinhole whose
focal length is about known), or both before a wall that it does not face (any homography). Where features are few and the picture is long,
as on plain walls, what a law leaves free is read off their errors: the least that will do is the best.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..camera import FOCAL_LOG_SIGMA, FOCAL_OVER_LONG_SIDE
from ..types import Bools, Bytes, Floats

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
TURN_PX = 0.3
"""Error of a feature from which it counts less in a camera's turn: that of one on a plain wall."""
MOST_STEPS = 15
"""Of a fit that starts from where the frame before lay: where more are needed nothing tells the focal length."""
MOST_LOG = 2.0
"""Of a zoom between two frames, and of a focal length over the usual one: no lens is further from it."""
STAYED_PX = 0.5
"""A feature that moved by less than this stayed where it was."""
PATCH_PX, CLEARLY_LEFT = 9, 2.0
"""Window in which places are compared, and how many times more a feature's old place must have changed than the feature did."""


@dataclass(frozen=True, slots=True)
class Lay:
    """A frame laid on an earlier one by one law.

    ``onto`` (3, 3) maps its pixels to the earlier frame's, ``error_px`` is a mapped point's sigma, ``misfit_px`` what the features leave it by
    (root mean square for each axis), and ``cost`` Schwarz's criterion (1978): the law of the least does best.
    """

    onto: Floats
    error_px: float
    misfit_px: float
    cost: float


@dataclass(frozen=True, slots=True)
class Match:
    """How a frame lies on an earlier one.

    ``lays`` has one for each law: similarity, turn (of no worth where none was looked for), homography. ``share`` is that of the earlier
    frame's features which agree, ``moved_px`` their median displacement, ``stayed`` the share of the followed ones which stayed where the
    common motion would have moved them, ``spread`` the share of the picture within the outermost of the agreeing ones that are seen to have
    left their places: on a plain wall a feature is found again wherever it is looked for, and all that are clear may be on one object.
    """

    lays: tuple[Lay, ...]
    share: float
    moved_px: float
    stayed: float
    spread: float

    @property
    def best(self) -> Lay:
        """By the law that this pair of frames prefers."""
        return _cheapest(self.lays)


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

    def match(self, image: Bytes, near: Floats, *, turning: bool = False) -> Match | None:
        """How a later frame lies on this one, about as ``near`` (3, 3) says; None where they have too little in common.

        ``turning``: a turn is tried too, which takes as long as all the rest.
        """
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
        turn = _turn(its, own, near, image.shape) if turning else None
        lays = _lays(its, own, good, turn)
        best = _cheapest(lays).onto
        stayed = (np.hypot(*(its - own).T) < STAYED_PX) & (np.hypot(*(mapped(best, its) - own).T) > MATCH_PX)
        moved = float(np.median(np.hypot(*(its[good] - own[good]).T)))
        spread = self._spread(image, own[good], its[good])
        return Match(lays, float(good.sum()) / len(self.points), moved, float(stayed.mean()), spread)

    def _spread(self, image: Bytes, own: Floats, its: Floats) -> float:
        """Share of the picture inside the hull of the features (n, 2) that look like what is at their new places (n, 2), not at their old."""
        around = np.arange(PATCH_PX) - PATCH_PX // 2
        window = np.stack(np.meshgrid(around, around), axis=-1).reshape(-1, 2)
        before, moved, stayed = (_sampled(frame, at[:, None] + window) for frame, at in ((self.image, own), (image, its), (image, own)))
        left = np.abs(stayed - before).mean(axis=1) > CLEARLY_LEFT * np.abs(moved - before).mean(axis=1)
        return cv2.contourArea(cv2.convexHull(own[left].astype(np.float32))) / image.size if left.any() else 0.0


def _cheapest(lays: tuple[Lay, ...]) -> Lay:
    return min(lays, key=lambda lay: lay.cost)


def _lays(points: Floats, targets: Floats, agree: Bools, turn: Floats | None) -> tuple[Lay, ...]:
    """Points (n, 2) laid on targets (n, 2), of which some ``agree`` (n,), by every law, a ``turn`` (3, 3) that was found for them among them."""
    upper: object = cv2.estimateAffinePartial2D(points[agree], targets[agree], method=cv2.LMEDS)[0]
    similarity = None if upper is None else np.vstack([np.asarray(upper), [0.0, 0.0, 1.0]])
    homography: object = cv2.findHomography(points[agree], targets[agree], 0)[0]
    return tuple(_judged(found, points, targets, numbers) for found, numbers in ((similarity, 4), (turn, 5), (homography, 8)))


def _judged(found: object, points: Floats, targets: Floats, numbers: int) -> Lay:
    """What a law of so many ``numbers`` makes of points; those that it does not fit count as if they left it by ``MATCH_PX``."""
    if found is None:
        return Lay(np.eye(3), 0.0, np.inf, np.inf)
    onto = np.array(found, dtype=np.float64)
    square, n = np.sum((mapped(onto, points) - targets) ** 2, axis=1), len(points) / FEATURES_PER_ERROR
    mean = 0.5 * float(np.mean(np.minimum(square, MATCH_PX**2)))
    fitted = square < MATCH_PX**2
    own = 0.5 * float(np.mean(square[fitted])) if fitted.any() else mean
    error = float(np.sqrt(own * numbers / (2 * max(1.0, fitted.sum() / FEATURES_PER_ERROR))))
    return Lay(onto, error, float(np.sqrt(mean)), 2 * n * np.log(mean + 1e-6) + numbers * np.log(2 * n))


def _turn(points: Floats, targets: Floats, near: Floats, shape: tuple[int, ...]) -> Floats | None:
    """(3, 3) of a camera that turns and zooms which lays most of the points (n, 2) on their targets (n, 2), from about ``near``."""
    from scipy.optimize import least_squares

    centre = np.array([shape[1] - 1, shape[0] - 1]) / 2.0
    focal = FOCAL_OVER_LONG_SIDE * max(shape[:2])

    def misfit(numbers: Floats, chosen: Bools, share: float) -> Floats:
        apart = (mapped(_turned(numbers, centre, focal), points[chosen]) - targets[chosen]) / TURN_PX
        return np.append(apart.ravel() * share, numbers[4] / FOCAL_LOG_SIGMA)

    here = mapped(near, centre + np.array([[0.0, 0.0], [1.0, 0.0]]))
    along = here[1] - here[0]
    numbers = np.array([*(here[0] - centre), np.arctan2(along[1], along[0]), np.log(max(float(np.hypot(*along)), 1e-3)), 0.0])
    if not np.all(np.isfinite(numbers)):
        return None
    # Most of what moves otherwise is left out first, and then all of it: what remains has no say at all.
    for loss, within, share in (("cauchy", np.inf, 1.0), ("linear", MATCH_PX, FEATURES_PER_ERROR**-0.5)):
        apart = np.hypot(*(mapped(_turned(numbers, centre, focal), points) - targets).T)
        chosen = apart < within
        if chosen.sum() < LEAST_FEATURES:
            return None
        found = least_squares(
            misfit, numbers, loss=loss, x_scale=(1.0, 1.0, 1e-2, 1e-2, 0.3), ftol=1e-4, xtol=1e-4, max_nfev=MOST_STEPS, args=(chosen, share)
        )
        numbers = found.x
    return _turned(numbers, centre, focal)


def _turned(numbers: Floats, centre: Floats, focal: float) -> Floats:
    """(3, 3) of a camera that moves its picture's centre by two pixels, turns it by an angle, widens it and has a focal length (both as logs)."""
    across, down, roll, zoom, focal_log = numbers
    length, wider = focal * np.exp(np.clip(focal_log, -MOST_LOG, MOST_LOG)), np.exp(np.clip(zoom, -MOST_LOG, MOST_LOG))
    lens = np.array([[length, 0.0, centre[0]], [0.0, length, centre[1]], [0.0, 0.0, 1.0]])
    rotation = np.asarray(cv2.Rodrigues(np.array([-down / length, across / length, roll]))[0], dtype=np.float64)
    whole = lens @ rotation @ np.diag([wider, wider, 1.0]) @ np.linalg.inv(lens)
    return np.asarray(whole / whole[2, 2], dtype=np.float64)


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
