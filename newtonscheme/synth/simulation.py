"""`ns simulate`: a film of any pattern, or of a motion that none owns, with its truth beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..catalogue import load_catalogue
from ..errors import UsageError
from ..files import check_output, write_text
from ..physics.flight import drag_length
from ..physics.models import FORCE_MODELS, PATTERNS
from ..types import Floats, Progress
from .motions import FAMILIES, draw_unknown
from .render import Film, Look, draw_look, render
from .scene import Scene, Thing, draw_scene
from .texture import BALL_LOOKS

SCHEMA = "newtonscheme.truth/1"
UNKNOWN = "unknown"
SIZE_PX = (640, 360)  # small enough to make and to read in a second or two
LEAST_RADIUS_PX = 2.5  # a ball that a person watching the film can follow
LEAST_SIDE_PX = 64  # below it no ball of `LEAST_RADIUS_PX` has room to move
CRF_RANGE = (0, 51)  # libx264's
CATALOGUE_CHANCE = 0.6  # that an object which is not named is a ball of the catalogue
MOST_OBJECTS = 8  # drawn, where nobody named one: a squash ball's free kick fills no picture
PIXEL_DIGITS, METRE_DIGITS = 5, 6  # far below what anything can measure
LEAST_BEND = 1.0  # m/s^2 of Magnus lift: a tenth of gravity; what bends less, as a bowling ball, nobody calls a curving ball
SEEN_SHARE = 0.5  # of the ball's disc: less, and its centre may be hidden


def simulate(
    pattern: str,
    path: str | Path,
    *,
    seed: int = 0,
    duration: float | None = None,
    fps: float | None = None,
    size: tuple[int, int] | None = None,
    crf: int = 20,
    object: str | None = None,
    hold: float = 0.0,
    force: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Render one film and write its truth to ``<stem>.truth.json`` beside it.

    Args:
        pattern: a force pattern, a family of motions that belong to none, or "unknown" for any of those.
        path: the film, ``.mp4``.
        seed: the only source of chance: the same seed and options give the same film.
        duration: seconds of the motion; 12 to 400 frames are made.
        fps: frames for each second; drawn when None.
        size: width and height in pixels, both even; 640 x 360 when None.
        crf: libx264's quality, 0 (lossless) to 51.
        object: a ball of the catalogue; drawn when None.
        hold: seconds in which a hand holds and throws the object first (patterns only).
        force: replace files that exist.
        progress: called with ("render", frames done, frames in all).

    Returns:
        What the truth's file holds.

    Raises:
        UsageError: an unknown pattern or object, a size, rate or duration that cannot be, a path that cannot be written.
        LimitReached: no room is left on the disk.
    """
    beside = Path(path).with_suffix(".truth.json")
    _check_request(pattern, duration, fps, size, crf, hold)
    check_output(path, force=force, suffixes=(".mp4",))
    check_output(beside, force=force)
    rng = np.random.default_rng(seed)
    look, scene = _draw_scene(rng, pattern, object, size or SIZE_PX, fps, duration, hold)
    film = render(scene, path, rng, look=look, crf=crf, force=force, progress=progress)
    truth = describe_truth(scene, film, seed)
    write_text(beside, json.dumps(truth, indent=1, allow_nan=False) + "\n", force=force)
    return truth


def describe_truth(scene: Scene, film: Film, seed: int) -> dict[str, Any]:
    """Everything that is true of a film, as plain JSON: keys carry their units, arrays have one entry for each frame."""
    view = scene.view
    return {
        "schema": SCHEMA,
        "pattern": scene.pattern,
        "family": scene.family,
        "seed": seed,
        "object": film.look.ball.label or None,
        "video": {"width_px": view.size_px[0], "height_px": view.size_px[1], "fps": scene.fps, "n_frames": len(scene)},
        "camera": {
            "fov_deg": view.fov_deg,
            "focal_px": view.focal_px,
            "pitch_deg": float(np.rad2deg(view.pitch)),
            "roll_deg": float(np.rad2deg(view.roll)),
            "anchor_px": list(view.anchor_px),
            "px_per_m": view.px_per_m,
        },
        "exposure": film.look.exposure / scene.fps,
        "values": dict(scene.values),
        "laws": dict(scene.laws),
        "parameters": _report_parameters(scene),
        "frame": list(range(len(scene))),
        "t_s": _rounded(scene.times, METRE_DIGITS),
        "u_px": _rounded(scene.centre_px[:, 0], PIXEL_DIGITS),
        "v_px": _rounded(scene.centre_px[:, 1], PIXEL_DIGITS),
        "radius_px": _rounded(scene.radius_px, PIXEL_DIGITS),
        "visible": [bool(share >= SEEN_SHARE) for share in film.seen],
        "governed": [bool(row) for row in scene.governed],
        "x_m": _rounded(scene.position[:, 0], METRE_DIGITS),
        "y_m": _rounded(scene.position[:, 1], METRE_DIGITS),
        "z_m": _rounded(scene.position[:, 2], METRE_DIGITS),
    }


def _check_request(pattern: str, duration: float | None, fps: float | None, size: tuple[int, int] | None, crf: int, hold: float) -> None:
    if pattern not in (*PATTERNS, *FAMILIES, UNKNOWN):
        raise UsageError(f"no pattern '{pattern}': name one of {', '.join((*PATTERNS, UNKNOWN))} or of the motions {', '.join(FAMILIES)}")
    for name, value in (("--duration", duration), ("--fps", fps)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise UsageError(f"{name}: found {value:g}, needed a number above 0")
    if size is not None and (min(size) < LEAST_SIDE_PX or any(side % 2 for side in size)):
        raise UsageError(f"--size: found {size[0]} x {size[1]}, needed even numbers of at least {LEAST_SIDE_PX}")
    if not CRF_RANGE[0] <= crf <= CRF_RANGE[1]:
        raise UsageError(f"--crf: found {crf}, needed {CRF_RANGE[0]} to {CRF_RANGE[1]}")
    if not (np.isfinite(hold) and hold >= 0) or (hold > 0 and pattern not in PATTERNS):
        raise UsageError(f"--hold: found {hold:g} with {pattern}, needed 0 or more with one of {', '.join(PATTERNS)}")


def _draw_scene(
    rng: np.random.Generator, pattern: str, label: str | None, size: tuple[int, int], fps: float | None, duration: float | None, hold: float
) -> tuple[Look, Scene]:
    """An object and its film; another object where none of the films of a drawn one can be seen well."""
    for attempt in range(MOST_OBJECTS):
        look = draw_look(rng, _draw_label(rng) if label is None else label)
        last = label is not None or attempt == MOST_OBJECTS - 1
        try:
            scene = _draw(rng, pattern, look, size, fps, duration, hold)
        except UsageError:
            if last:
                raise
            continue
        if last or not 0 < _lift_acceleration(scene.values) < LEAST_BEND:
            return look, scene
    raise AssertionError("unreachable: the last attempt returns or raises")


def _lift_acceleration(values: Mapping[str, float]) -> float:
    """m/s^2 at the start; 0 where the pattern has no lift."""
    lift = math.hypot(*(values.get(name, 0.0) for name in ("lift_x", "lift_y", "lift_z")))
    return float(drag_length(values)) * lift * sum(values[name] ** 2 for name in ("vx", "vy", "vz")) if lift else 0.0


def _draw_label(rng: np.random.Generator) -> str | None:
    """A ball that has a look here, or None for a thing of no catalogue."""
    labels = sorted({ball.label for ball in BALL_LOOKS})
    return labels[int(rng.integers(len(labels)))] if rng.uniform() < CATALOGUE_CHANCE else None


def _draw(rng: np.random.Generator, pattern: str, look: Look, size: tuple[int, int], fps: float | None, duration: float | None, hold: float) -> Scene:
    if pattern not in PATTERNS:
        family = None if pattern == UNKNOWN else pattern
        return draw_unknown(rng, family, size_px=size, fps=fps, duration=duration, least_radius_px=LEAST_RADIUS_PX)
    body = None
    if look.ball.label:
        ball = load_catalogue()[look.ball.label]
        diameter, mass = (float(rng.uniform(limits.low, limits.high)) for limits in (ball.diameter, ball.mass))
        body = Thing(ball=ball, diameter=diameter, mass=mass)
    return draw_scene(rng, pattern, size_px=size, fps=fps, duration=duration, hold=hold, body=body, least_radius_px=LEAST_RADIUS_PX)


def _report_parameters(scene: Scene) -> dict[str, dict[str, float | str]]:
    """The pattern's own quantities, in the units of a report, at the moment the pattern begins."""
    if scene.pattern is None:
        return {}
    reported = FORCE_MODELS[scene.pattern].report(scene.values)
    return {name: {"value": float(value), "unit": unit} for name, (value, unit) in reported.items()}


def _rounded(column: Floats, digits: int) -> list[float]:
    return [round(float(value), digits) for value in column]
