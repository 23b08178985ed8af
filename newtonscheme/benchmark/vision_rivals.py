"""What OpenCV's users reach for, and trackpy: detectors with their tutorials' settings, linked alike, and a tracker with a perfect first box.

Where a detector must be told a size, it is told the true one: HoughCircles, SimpleBlobDetector and trackpy know what ours has to find out.
Static detections are dropped and the longest path comes first, for all alike.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np

from ..types import Bytes, Floats
from .vision_measures import FoundTrack

LEAST_SAMPLES = 5
"""As `pipeline.SHORTEST_TRACK`: fewer are a flicker."""
LEAST_EXTENT_PX = 5.0
"""A path that is smaller stands still."""
GATE_SHARE = 0.12
"""Of the picture's diagonal: how far from where it was expected a ball may be, before its speed is known."""
SPEED_SHARE, LEAST_GATE_PX = 0.5, 10.0
"""The same once it is known, as a share of the step; motions bend."""
LONGEST_GAP = 5
"""Frames without a detection, after which a track ends."""
LEAST_AREA_PX2 = 6.0
MOST_DETECTIONS = 60
"""In a frame, the largest: noise and clutter give hundreds."""
SIZE_RANGE = (0.5, 1.6)
"""Of the true radius: what a detector that is told sizes may find."""
HOUGH_EDGE, HOUGH_VOTES = 100.0, 30.0
"""param1 and param2 of OpenCV's tutorial."""
TRACKPY_MEMORY, TRACKPY_MOST = 3, 5
"""Frames without a feature, and features of a frame, the brightest: more than the balls in any clip, few enough to link."""
TRACKPY_MASS_SHARE = 0.3
"""Of the median frame's brightest feature: `minmass`, which trackpy's walkthrough sets by eye between signal and noise."""
MEDIAN_FRAMES = 25
"""Of which a film's median is taken."""
MISSING = MappingProxyType({
    "csrt": "this OpenCV has no TrackerCSRT; it comes with `pip install opencv-contrib-python-headless`",
    "trackpy": "it is not installed; it comes with `pip install trackpy`",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """What rivals are told of the ball: its radius in the middle of the clip, and where it is in the first frame that shows it."""

    radius_px: float
    first_frame: int
    first_centre_px: Floats
    first_radius_px: float


Rival = Callable[[Path, Hint], list[FoundTrack]]


def list_rivals() -> tuple[Mapping[str, Rival], Mapping[str, str]]:
    """The rivals that can run here by name, and the reason for each that cannot."""
    rivals: dict[str, Rival] = {
        "mog2": lambda film, _: _subtract(film, cv2.createBackgroundSubtractorMOG2()),
        "knn": lambda film, _: _subtract(film, cv2.createBackgroundSubtractorKNN()),
        "hough_circles": _find_circles,
        "simple_blob": _find_blobs,
        "csrt": _follow_box,
        "trackpy": _run_trackpy,
    }
    there = {"csrt": hasattr(cv2, "TrackerCSRT_create"), "trackpy": find_spec("trackpy") is not None}
    left_out = {name: reason for name, reason in MISSING.items() if not there[name]}
    return {name: rival for name, rival in rivals.items() if name not in left_out}, left_out


def _read(film: Path) -> Iterator[Bytes]:
    """The frames as OpenCV gives them, BGR."""
    capture = cv2.VideoCapture(str(film))
    try:
        while True:
            there, image = capture.read()
            if not there:
                return
            yield np.asarray(image, dtype=np.uint8)
    finally:
        capture.release()


def _subtract(film: Path, subtractor: cv2.BackgroundSubtractor) -> list[FoundTrack]:
    """Foreground without shadows, opened by 3 x 3, and the centroids of its contours."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    return _link(film, lambda image: _centroids(cv2.morphologyEx(_lit(subtractor.apply(image)), cv2.MORPH_OPEN, kernel)))


def _lit(mask: cv2.typing.MatLike) -> cv2.typing.MatLike:
    """Shadows are marked by 127."""
    return cv2.threshold(mask, 200, 255, cv2.THRESH_BINARY)[1]


def _centroids(mask: cv2.typing.MatLike) -> Floats:
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    moments = sorted((cv2.moments(contour) for contour in contours), key=lambda m: -m["m00"])[:MOST_DETECTIONS]
    return np.array([(m["m10"] / m["m00"], m["m01"] / m["m00"]) for m in moments if m["m00"] >= LEAST_AREA_PX2]).reshape(-1, 2)


def _find_circles(film: Path, hint: Hint) -> list[FoundTrack]:
    low, high = (max(round(share * hint.radius_px), 1) for share in SIZE_RANGE)

    def detect(image: Bytes) -> Floats:
        grey = cv2.medianBlur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), 5)
        found = cv2.HoughCircles(
            grey, cv2.HOUGH_GRADIENT, 1, max(2.0 * hint.radius_px, 1.0), param1=HOUGH_EDGE, param2=HOUGH_VOTES, minRadius=low, maxRadius=high + 1
        )
        return np.empty((0, 2)) if found is None else np.asarray(found, dtype=float).reshape(-1, 3)[:MOST_DETECTIONS, :2]

    return _link(film, detect)


def _find_blobs(film: Path, hint: Hint) -> list[FoundTrack]:
    """Light and dark blobs of the true area; OpenCV's own bounds of circularity and convexity."""
    told = cv2.SimpleBlobDetector_Params()  # type: ignore[attr-defined]
    low, high = (np.pi * (share * hint.radius_px) ** 2 for share in SIZE_RANGE)
    told.minArea, told.maxArea, told.filterByColor = float(low), float(high), False
    detector = cv2.SimpleBlobDetector_create(told)  # type: ignore[attr-defined]

    def detect(image: Bytes) -> Floats:
        points = detector.detect(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))[:MOST_DETECTIONS]
        return np.array([point.pt for point in points], dtype=float).reshape(-1, 2)

    return _link(film, detect)


def _follow_box(film: Path, hint: Hint) -> list[FoundTrack]:
    """CSRT from the ball's true box in its first frame."""
    tracker, frames, centres = cv2.TrackerCSRT_create(), [], []  # type: ignore[attr-defined]
    for k, image in enumerate(_read(film)):
        if k < hint.first_frame:
            continue
        try:
            if k == hint.first_frame:
                side = max(round(2.0 * hint.first_radius_px), 3)
                left, top = (round(float(each) - 0.5 * (side - 1)) for each in hint.first_centre_px)
                tracker.init(image, (left, top, side, side))
                there, box = True, (left, top, side, side)
            else:
                there, box = tracker.update(image)
        except cv2.error:
            break  # a ball of a few pixels leaves its features without an area
        if there:
            frames.append(k)
            centres.append((box[0] + 0.5 * (box[2] - 1), box[1] + 0.5 * (box[3] - 1)))
    return [FoundTrack(frame=np.array(frames, dtype=np.int64), centre_px=np.array(centres, dtype=float))] if frames else []


def _run_trackpy(film: Path, hint: Hint) -> list[FoundTrack]:
    """`locate` and `link` of trackpy, told the diameter, on the difference from the film's median: without it, it finds the background."""
    import trackpy

    trackpy.quiet()
    grey = np.stack([cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in _read(film)])
    still = np.median(grey[:: max(len(grey) // MEDIAN_FRAMES, 1)], axis=0).astype(np.uint8)
    changed = [np.asarray(cv2.absdiff(image, still)) for image in grey]
    with warnings.catch_warnings():
        # trackpy 0.7 drops columns in place, which pandas 3 is going to forbid.
        warnings.simplefilter("ignore", DeprecationWarning)
        return _ranked(_link_features(changed, hint.radius_px))


def _link_features(changed: list[Bytes], radius_px: float) -> list[FoundTrack]:
    import trackpy

    located = trackpy.batch(changed, 2 * max(round(radius_px), 1) + 1, topn=TRACKPY_MOST, engine="python", processes=1)
    if not len(located):
        return []
    located = located[located["mass"] >= TRACKPY_MASS_SHARE * located.groupby("frame")["mass"].max().median()]
    linked = trackpy.link(located, GATE_SHARE * float(np.hypot(*changed[0].shape)), memory=TRACKPY_MEMORY)
    rows = [each.sort_values("frame") for _, each in linked.groupby("particle")]
    return [FoundTrack(frame=each["frame"].to_numpy(np.int64), centre_px=each[["x", "y"]].to_numpy(float)) for each in rows]


@dataclass(slots=True)
class _Open:
    """A track that is still followed."""

    frame: list[int] = field(default_factory=list)
    centre: list[Floats] = field(default_factory=list)

    def expect(self, frame: int) -> tuple[Floats, float | None]:
        """Where it should be, and how far it goes from frame to frame once that is known."""
        if len(self.frame) < 2:
            return self.centre[-1], None
        step = (self.centre[-1] - self.centre[-2]) / (self.frame[-1] - self.frame[-2])
        return self.centre[-1] + step * (frame - self.frame[-1]), float(np.hypot(*step))


def _link(film: Path, detect: Callable[[Bytes], Floats]) -> list[FoundTrack]:
    """Nearest to where constant velocity leads, one detection for each track, the nearest pairs first."""
    followed: list[_Open] = []
    ended: list[_Open] = []
    for k, image in enumerate(_read(film)):
        found = detect(image)
        free = np.ones(len(found), dtype=bool)
        first_gate = GATE_SHARE * float(np.hypot(*image.shape[:2]))
        pairs = []
        for i, track in enumerate(followed):
            place, step = track.expect(k)
            gate = first_gate if step is None else max(LEAST_GATE_PX, SPEED_SHARE * step)
            apart = np.hypot(*(found - place).T)
            pairs += [(float(apart[j]), i, j) for j in np.flatnonzero(apart <= gate).tolist()]
        taken: set[int] = set()
        for _, i, j in sorted(pairs):
            if i not in taken and free[j]:
                taken.add(i)
                free[j] = False
                followed[i].frame.append(k)
                followed[i].centre.append(found[j])
        ended += [track for track in followed if k - track.frame[-1] > LONGEST_GAP]
        followed = [track for track in followed if k - track.frame[-1] <= LONGEST_GAP]
        followed += [_Open([k], [found[j]]) for j in np.flatnonzero(free).tolist()]
    return _ranked([FoundTrack(frame=np.array(track.frame), centre_px=np.array(track.centre)) for track in (*ended, *followed)])


def _ranked(tracks: list[FoundTrack]) -> list[FoundTrack]:
    """Tracks that are long enough and move, those of the longest path first."""
    kept = [track for track in tracks if len(track.frame) >= LEAST_SAMPLES and np.max(np.ptp(track.centre_px, axis=0)) >= LEAST_EXTENT_PX]
    return sorted(kept, key=lambda track: -float(np.sum(np.hypot(*np.diff(track.centre_px, axis=0).T))))
