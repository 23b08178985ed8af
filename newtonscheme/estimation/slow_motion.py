"""Whether a path that follows no law by its film's clock is a flight that was slowed down: nothing else falls so slowly."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..physics.models import FORCE_MODELS
from ..types import Camera, Notice, Track
from .analysis import ACCEPTED, LITTLE_DOUBT, MOST_OF_TRACK, Analysis, analyse_track
from .knowledge import Knowledge
from .recognition import Recogniser, propose
from .rulers import FILM_RATES
from .segmentation import MIN_STABLE_SAMPLES

SLOWED = 8.0
"""Phones film at 240 frames a second and play 30: whatever a film's factor is, from this one the size of things is within reach."""
USUAL_SIZE = 0.1
"""m: what flies before a camera, to a factor of four either way; the factor goes as its root."""
LONG = 1.0
"""s: nothing that a picture shows well falls for longer, so slow flights take longer."""


def suspect_slow_motion(
    seen: Analysis, recogniser: Recogniser, camera: Camera, knowledge: Knowledge, *, fps: float, size_px: tuple[int, int] | None
) -> list[Notice]:
    """A word on the rate to give, where a refused track of pixels would be an evident flight by a faster clock.

    Args:
        seen: What was refused.
        recogniser: The network that proposes.
        camera: The prior camera.
        knowledge: As the refusal's.
        fps: The rate that the clock goes by, 1/s.
        size_px: The picture's width and height.
    """
    track = seen.track
    asked = len(track) >= MIN_STABLE_SAMPLES and float(track.t[-1] - track.t[0]) > LONG and bool(np.any(np.isfinite(track.radius_px)))
    if not asked or not knowledge.known.gravity_is_ruler or fps <= 0:
        return []
    hurried = hastened(track, SLOWED)
    flying = [p for p in propose(recogniser, hurried) if p.pattern.probabilities.get("free_flight", 0.0) > ACCEPTED]
    if max((p.rows.stop - p.rows.start for p in flying), default=0) < MOST_OF_TRACK * len(track):
        return []
    faster = analyse_track(hurried, recogniser, camera, knowledge, size_px=size_px)
    size = None if faster.free_fit is None else faster.free_fit.parameters.get("diameter")
    if faster.verdict != "stable" or faster.fit is None or size is None or FORCE_MODELS[faster.fit.pattern].family != "free_flight":
        return []
    if faster.pattern.probabilities["unknown"] > LITTLE_DOUBT or faster.last - faster.first < MOST_OF_TRACK * len(track):
        return []
    factor = SLOWED * math.sqrt(size.value / USUAL_SIZE)
    rate = min((each for each in FILM_RATES if each > fps), key=lambda each: abs(math.log(each / (fps * factor))), default=fps * factor)
    words = f"by a faster clock this is a flight: was the film slowed down? at {rate:g} frames a second, not {fps:.4g}, the object would be"
    wide = size.value * (SLOWED * fps / rate) ** 2
    return [Notice("clock_slowed", f"{words} about {wide:.1g} m wide; give the true rate with --fps")]


def hastened(track: Track, factor: float) -> Track:
    """The track by a clock that goes ``factor`` times as slowly."""
    velocity = None if track.velocity_px is None else factor * track.velocity_px
    return replace(track, t=track.t / factor, velocity_px=velocity, correlation_time=track.correlation_time / factor)
