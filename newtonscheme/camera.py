"""Metres to pixels and back: a pinhole (or orthographic) camera that knows where gravity points.

World: x right, y up, z towards the viewer. A level camera looks along -z; ``pitch`` > 0 turns it up, ``roll`` > 0 turns it
counter-clockwise about its own axis. Positions are relative to an *anchor* that sits at a known pixel with a known local scale
``px_per_m`` = focal_px / depth, so that what a clip determines best (pixels, and pixels for each metre) are coordinates of their own.
"""

from __future__ import annotations

import numpy as np

from .types import Camera, Floats, Sighting, Source, Track

PITCH_SIGMA = np.deg2rad(8.0)
"""People level a camera by eye: a tripod is within a few degrees, a phone in the hand or looking down at a table within ten."""
ROLL_SIGMA = np.deg2rad(4.0)
"""The horizon of a picture is easier to keep level than its pitch."""
FOCAL_OVER_LONG_SIDE = 0.95
"""Median over phones (0.75), webcams (0.9) and zoomed or cropped footage (1 and more): a 55 degree view of the long side."""
FOCAL_LOG_SIGMA = 0.35
"""Covers 0.75 (a wide phone) to 1.9 (a tele lens or a crop) within two sigma."""
USER_FOCAL_LOG_SIGMA = 0.02
"""A field of view typed by a person is a data sheet's number: about 2 %."""
FULL_WIDTH_MM = 34.6
"""Long side of a 4:3 sensor whose diagonal is that of 36 x 24 mm: what a phone's 35 mm equivalent refers to (CIPA DCG-001)."""
FILMED_CROP = 1.09
"""A film shows less than the lens gives: between all of the sensor's width, and 0.8 of it where the picture is steadied by cropping."""
FILE_FOCAL_LOG_SIGMA = 0.1
"""The same range, 1 to 1.25 times, within about one sigma and a half."""
TABLE_PITCH_SIGMA = np.deg2rad(5.0)
"""A film that metres are read off is taken with more care than most: from a tripod, and from the side."""
SMALLEST_TABLE = 1e-9
"""Metres: places that are all one have a middle, and no perspective that shows."""
LEAST_SHRINKING = 0.1
"""Of an orthographic camera's scale: beyond what a table may show the picture does not fold back."""


def assume_camera(width_px: int, height_px: int, *, fov_deg: float | None = None, focal_35mm: float | None = None) -> Camera:
    """The prior camera for a picture of this size.

    ``fov_deg`` is the horizontal field of view where the user knows it; else ``focal_35mm`` (mm), the lens that the file names, holds where it does.
    """
    principal = ((width_px - 1) / 2.0, (height_px - 1) / 2.0)
    source: Source = "assumed"
    focal, log_sigma = FOCAL_OVER_LONG_SIDE * max(width_px, height_px), FOCAL_LOG_SIGMA
    if fov_deg is not None:
        source = "user"
        focal, log_sigma = width_px / 2.0 / np.tan(np.deg2rad(fov_deg) / 2.0), USER_FOCAL_LOG_SIGMA
    elif focal_35mm is not None:
        source = "derived"
        focal, log_sigma = FILMED_CROP * focal_35mm / FULL_WIDTH_MM * max(width_px, height_px), FILE_FOCAL_LOG_SIGMA
    return Camera(
        kind="pinhole", focal_px=float(focal), focal_log_sigma=log_sigma, principal_px=principal,
        pitch_sigma=float(PITCH_SIGMA), roll_sigma=float(ROLL_SIGMA), source=source,
    )  # fmt: skip


def table_camera(units: str = "rad", places: Floats | None = None) -> Camera:
    """The orthographic camera of scale 1 through which tables in metres or of angles are seen.

    A table of metres at ``places`` (n, 2) was most likely read off a film by one scale: that holds in their middle, and as the film's camera
    was levelled by eye, it grows or shrinks towards the top (Tracker's users know it as perspective that was not corrected).
    """
    if units != "m" or places is None or len(places) < 2:
        return Camera(kind="orthographic", focal_px=1.0, focal_log_sigma=0.0, principal_px=(0.0, 0.0), source="user")
    low, high = places.min(axis=0), places.max(axis=0)
    u, v = (0.5 * (low + high)).tolist()
    long_side = max(float(np.max(high - low)), SMALLEST_TABLE)
    return Camera(
        kind="orthographic", focal_px=FOCAL_OVER_LONG_SIDE * long_side, focal_log_sigma=0.0, principal_px=(u, v),
        pitch_sigma=float(TABLE_PITCH_SIGMA), source="user",
    )  # fmt: skip


def rotate_to_camera(position: Floats, pitch: Floats | float, roll: Floats | float) -> Floats:
    """World axes to camera axes (x right, y up in the picture, z towards the viewer). ``position`` (..., 3)."""
    x, y, z = position[..., 0], position[..., 1], position[..., 2]
    cp, sp, cr, sr = np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    up, back = cp * y + sp * z, cp * z - sp * y
    return np.stack(np.broadcast_arrays(cr * x + sr * up, cr * up - sr * x, back), axis=-1)


def rotate_to_world(vector: Floats, pitch: Floats | float, roll: Floats | float) -> Floats:
    """Camera axes to world axes: the inverse of `rotate_to_camera`."""
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    cp, sp, cr, sr = np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    right, up = cr * x - sr * y, sr * x + cr * y
    return np.stack(np.broadcast_arrays(right, cp * up - sp * z, sp * up + cp * z), axis=-1)


def project(
    camera: Camera,
    position: Floats,
    anchor_px: tuple[Floats | float, Floats | float],
    px_per_m: Floats | float,
    pitch: Floats | float,
    roll: Floats | float,
    focal_px: Floats | float,
) -> tuple[Floats, Floats]:
    """Where a body at ``position`` (..., 3) metres from the anchor is seen.

    Returns centre_px (..., 2) and the local scale px_per_m (...,): an apparent radius is that times the body's radius. A point behind
    the camera has scale 0 and its centre far outside every picture. An orthographic camera shows the upright plane; pitched, it shows it as
    a pinhole of its focal length would that the top leans away from, in shares of the scale in its middle.
    """
    cx, cy = camera.principal_px
    if camera.kind == "orthographic":
        seen, scale = rotate_to_camera(position, 0.0, roll), np.asarray(px_per_m, dtype=float)
        across, up = anchor_px[0] - cx + scale * seen[..., 0], cy - anchor_px[1] + scale * seen[..., 1]
        shrinking = 1.0 / np.maximum(1.0 + np.sin(pitch) * up / focal_px, LEAST_SHRINKING)
        return np.stack([cx + shrinking * across, cy - shrinking * up], axis=-1), np.broadcast_to(scale * shrinking, up.shape)
    seen = rotate_to_camera(position, pitch, roll)
    ax, ay = _undistort(camera, (anchor_px[0] - cx) / focal_px, (anchor_px[1] - cy) / focal_px)
    depth_anchor = focal_px / np.asarray(px_per_m, dtype=float)
    depth = depth_anchor - seen[..., 2]
    behind = depth < 1e-3 * depth_anchor
    depth = np.where(behind, 1e-3 * depth_anchor, depth)
    x = (ax * depth_anchor + seen[..., 0]) / depth
    y = (ay * depth_anchor - seen[..., 1]) / depth
    x, y = _distort(camera, x, y)
    scale = np.where(behind, 0.0, focal_px / depth)
    return np.stack([cx + focal_px * x, cy + focal_px * y], axis=-1), scale


def _distort(camera: Camera, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """OpenCV's radial and tangential model on normalised coordinates (y down).

    Beyond the radius where the radial model folds back, the picture goes on growing in proportion: what left it does not come back.
    """
    if not any(camera.distortion):
        return x, y
    k1, k2, p1, p2, k3 = (*camera.distortion, 0.0, 0.0, 0.0, 0.0, 0.0)[:5]
    r2 = x * x + y * y
    inner = np.minimum(r2, _fold_radius_squared(k1, k2, k3))
    radial = 1.0 + inner * (k1 + inner * (k2 + inner * k3))
    t1, t2 = np.where(inner < r2, 0.0, p1), np.where(inner < r2, 0.0, p2)
    return x * radial + 2 * t1 * x * y + t2 * (r2 + 2 * x * x), y * radial + t1 * (r2 + 2 * y * y) + 2 * t2 * x * y


def _fold_radius_squared(k1: float, k2: float, k3: float) -> float:
    """r^2 at which d(r + k1 r^3 + k2 r^5 + k3 r^7)/dr first vanishes; inf where it never does."""
    roots = np.roots([7 * k3, 5 * k2, 3 * k1, 1.0])
    real = roots.real[(np.abs(roots.imag) < 1e-9) & (roots.real > 0)]
    return float(np.min(real)) if len(real) else np.inf


def _undistort(camera: Camera, x: Floats | float, y: Floats | float) -> tuple[Floats, Floats]:
    """The inverse of `_distort` by fixed-point iteration (converges for every lens that a picture is usable with)."""
    xd, yd = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if not any(camera.distortion):
        return xd, yd
    xu, yu = xd, yd
    for _ in range(20):
        xt, yt = _distort(camera, xu, yu)
        xu, yu = xu + (xd - xt), yu + (yd - yt)
    return xu, yu


def make_sighting(track: Track, camera: Camera) -> Sighting:
    """What the track says without pixels, seen by the prior camera (level, nominal focal length).

    For a pinhole the plane is the tangent plane; for an orthographic camera it is the picture itself with y up.
    """
    cx, cy = camera.principal_px
    focal = camera.focal_px if camera.kind == "pinhole" else 1.0
    x, y = _undistort(camera, (track.centre_px[:, 0] - cx) / focal, (track.centre_px[:, 1] - cy) / focal)
    plane = np.column_stack([x, -y])
    return Sighting(t=track.t - track.t[0], plane=plane, sigma=track.sigma_px / focal, angular_radius=track.radius_px / focal)
