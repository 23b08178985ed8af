"""The camera as it truly was, placed at random where a path is seen well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..camera import project
from ..types import Camera, Floats

FOV_RANGE_DEG = (30.0, 80.0)  # horizontal: from a short tele to a phone's main camera held wide
PITCH_SIGMA_DEG, ROLL_SIGMA_DEG = 6.0, 2.0  # how level people hold a camera
LARGEST_RADIUS_SHARE = 1.0 / 6.0  # of the short side: a ball a third of the picture across
NEAREST = 0.25  # m between camera and body: a phone cannot focus closer
NEAREST_SHARE = 0.15  # of the path's extent: nobody films a free kick from the ball's own place
SMALLEST_SPAN_SHARE = 0.5  # of the span that was asked for: below it a path along the line of sight hardly moves
PLACING_ROUNDS = 12  # the span goes as 1 / depth: a few rounds settle it to a per cent
PLACING_POINTS = 48  # of the path, to find its place; the last look is at all of it
EDGE_SHARE = 0.9  # of the room beside the path that may be used: nothing touches the picture's edge


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The camera as it truly was: a pinhole with its principal point at the picture's centre.

    ``anchor_px`` is where the anchor of the positions is seen, ``px_per_m`` the scale there (focal_px over depth).
    """

    size_px: tuple[int, int]
    focal_px: float
    pitch: float
    roll: float
    anchor_px: tuple[float, float]
    px_per_m: float

    @property
    def camera(self) -> Camera:
        """The same as a camera prior that is believed exactly."""
        width, height = self.size_px
        return Camera(
            kind="pinhole", focal_px=self.focal_px, focal_log_sigma=0.0, principal_px=((width - 1) / 2.0, (height - 1) / 2.0),
            pitch=self.pitch, roll=self.roll, source="user",
        )  # fmt: skip

    @property
    def fov_deg(self) -> float:
        """Horizontal field of view."""
        return float(np.rad2deg(2.0 * np.arctan(0.5 * self.size_px[0] / self.focal_px)))

    def project(self, position: Floats) -> tuple[Floats, Floats]:
        """centre_px (n, 2) and px_per_m (n,) of positions (n, 3) from the anchor; scale 0 behind the camera."""
        return project(self.camera, position, self.anchor_px, self.px_per_m, self.pitch, self.roll, self.focal_px)


def place_view(rng: np.random.Generator, position: Floats, radius: float, size_px: tuple[int, int], span: float) -> View | None:
    """A camera of random field of view and tilt, so far away that the path (n, 3) fills ``span`` of the picture; None if none does."""
    width, height = size_px
    long_side, half_fov = max(size_px), np.deg2rad(rng.uniform(*FOV_RANGE_DEG)) / 2.0
    pitch, roll = np.deg2rad(rng.normal(0.0, (PITCH_SIGMA_DEG, ROLL_SIGMA_DEG)))
    focal = 0.5 * long_side / float(np.tan(half_fov))
    corner = rng.uniform(0.0, 1.0, 2)
    nearest = max(NEAREST, NEAREST_SHARE * float(np.linalg.norm(np.ptp(position, axis=0))), focal * radius / (LARGEST_RADIUS_SHARE * min(size_px)))
    size, middle = np.array(size_px, dtype=float), 0.5 * (np.array(size_px) - 1.0)
    level = View(size_px=size_px, focal_px=focal, pitch=float(pitch), roll=float(roll), anchor_px=(middle[0], middle[1]), px_per_m=1.0)
    reach = _reach_towards(position, level)
    extent = float(np.max(np.ptp(position, axis=0) * focal / np.array([width, height, long_side])))
    depth, anchor, filled = max(extent / span, reach + nearest), middle, 0.0
    thinned = position[np.linspace(0, len(position) - 1, min(PLACING_POINTS, len(position))).astype(int)]
    for _ in range(PLACING_ROUNDS):
        view, low, high = _centred(level, thinned, radius, depth, anchor, middle)
        filled = float(np.max((high - low) / size))
        anchor = np.array(view.anchor_px)
        depth = max(depth * filled / span, reach + nearest)
    room = np.maximum(size - 1 - (high - low), 0.0)
    view, low, high = _centred(level, position, radius, depth, anchor, middle + EDGE_SHARE * (corner - 0.5) * room)
    filled = float(np.max((high - low) / size))
    fits = bool(np.all(low >= 0) and np.all(high <= size - 1)) or span > 1
    return view if fits and filled >= SMALLEST_SPAN_SHARE * span else None


def _reach_towards(position: Floats, level: View) -> float:
    """How far the path comes towards the camera from its anchor, metres along the optical axis."""
    backward = np.array([0.0, -np.sin(level.pitch), np.cos(level.pitch)])
    return float(np.max(position @ backward))


def _centred(level: View, position: Floats, radius: float, depth: float, anchor: Floats, target: Floats) -> tuple[View, Floats, Floats]:
    """The view from ``depth`` whose path's bounding box is centred on ``target``, and that box; a shift changes perspective, hence the loop."""
    for _ in range(4):
        view = View(
            size_px=level.size_px, focal_px=level.focal_px, pitch=level.pitch, roll=level.roll,
            anchor_px=(float(anchor[0]), float(anchor[1])), px_per_m=level.focal_px / depth,
        )  # fmt: skip
        centre, scale = view.project(position)
        low, high = np.min(centre - radius * scale[:, None], axis=0), np.max(centre + radius * scale[:, None], axis=0)
        anchor = anchor + (target - 0.5 * (low + high))
    return view, low, high
