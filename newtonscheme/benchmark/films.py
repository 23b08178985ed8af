"""Films of known motions, tracked up to the cut alone: vision's own errors, and nothing that it could know from later frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ..baselines.forecaster import Question
from ..camera import assume_camera
from ..errors import NothingTrackable
from ..pipeline import track
from ..synth.simulation import simulate
from ..types import Floats, Track, Tracking
from .cases import LEAST_SAMPLES, Case, Made, Recipe, Truth, cut_between

PENDULUM_RATE, PENDULUM_DURATION = 30.0, 3.0
"""Three swings of half a metre; a film of a pendulum's own ten periods takes longer to render than all else together."""
ON_THE_BALL_PX = 3.0
"""A track is the ball's where its median distance from the truth is below this or below the ball's radius."""


def make_films(recipe: Recipe, seed: int) -> Made:
    """Render the motion, track its first part, and ask for the rest; a note where vision found no track on the ball.

    Which object is meant is told by the truth, to every forecaster alike.
    """
    cases, notes = [], []
    with TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        truth = _render(recipe, film, seed)
        times = np.array(truth["t_s"])
        for share in recipe.shares:
            cut = cut_between(times, share)
            tracking = _track(film, cut)
            case = None if tracking is None else _ask(recipe, truth, tracking, share, cut, seed)
            if case is None:
                notes.append(f"{recipe.name}@{share:g}: vision found no track of {LEAST_SAMPLES} samples on the ball; left out")
            else:
                cases.append(case)
    return Made(tuple(cases), tuple(notes))


def _render(recipe: Recipe, film: Path, seed: int) -> dict[str, Any]:
    """The truth of a film, made at a rate and for a time that are its own."""
    if recipe.pattern == "pendulum":
        return simulate(recipe.pattern, film, seed=seed, fps=PENDULUM_RATE, duration=PENDULUM_DURATION)
    return simulate(recipe.pattern, film, seed=seed)


def _track(film: Path, cut: float) -> Tracking | None:
    try:
        return track(film, end=cut)
    except NothingTrackable:
        return None


def _ask(recipe: Recipe, truth: Mapping[str, Any], tracking: Tracking, share: float, cut: float, seed: int) -> Case | None:
    times, centre = np.array(truth["t_s"]), np.column_stack([truth["u_px"], truth["v_px"]])
    seen = on_path(tracking, centre, np.array(truth["radius_px"]))
    if seen is None or len(seen) < LEAST_SAMPLES:
        return None
    ahead = times > cut
    video = truth["video"]
    return Case(
        name=f"{recipe.name}@{share:g}", suite="video", pattern=recipe.pattern, kind=recipe.kind,
        question=Question(observed=seen, t=times[ahead], camera=assume_camera(video["width_px"], video["height_px"])),
        truth_px=centre[ahead], judge_sigma_px=np.zeros((int(np.sum(ahead)), 2)), last_px=centre[seen.frame[-1]], cut=cut, fps=video["fps"],
        observed_share=share, truth=_read_truth(truth), seed=seed, vision_until=last_read(tracking, video["fps"]),
    )  # fmt: skip


def on_path(tracking: Tracking, centre_px: Floats, radius_px: Floats) -> Track | None:
    """The track nearest to the truth's centres (n, 2), by frame, if it lies on the ball."""
    best, nearest = None, np.inf
    for candidate in tracking.tracks:
        apart = float(np.median(np.hypot(*(candidate.centre_px - centre_px[candidate.frame]).T)))
        reach = max(ON_THE_BALL_PX, float(np.median(radius_px[candidate.frame])))
        if apart < min(reach, nearest):
            best, nearest = candidate, apart
    return best


def last_read(tracking: Tracking, fps: float) -> float:
    """s: the time of the last frame that the tracker decoded, by its own count."""
    return (tracking.video.n_frames - 1) / fps


def _read_truth(truth: Mapping[str, Any]) -> Truth:
    camera = truth["camera"]
    return Truth(
        pattern=truth["pattern"], t=0.0, values=dict(truth["values"]), anchor_px=tuple(camera["anchor_px"]), px_per_m=camera["px_per_m"],
        focal_px=camera["focal_px"], pitch=float(np.deg2rad(camera["pitch_deg"])), roll=float(np.deg2rad(camera["roll_deg"])),
    )  # fmt: skip
