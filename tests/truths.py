"""Synthetic tracks whose truth is known, and fits of them, made once and shared by the tests that judge them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from newtonscheme.camera import assume_camera
from newtonscheme.estimation.fitting import fit_pattern, measure_scale
from newtonscheme.estimation.knowledge import gather_knowledge
from newtonscheme.estimation.parameters import Known
from newtonscheme.physics.models import FORCE_MODELS
from newtonscheme.synth.scene import Scene, TrackNoise, draw_scene, film
from newtonscheme.types import Body, Camera, Fit, Options, Quantity, Track

SIZE = (1280, 720)
FPS = {"pendulum": 30.0}
WHITE = TrackNoise(sigma_px=0.15)
FREE_BODY = Body(label=None, probability=1.0, diameter=None, mass=None)
SEEN_SHARE = 0.6
LEAST_SEEN = 8


@dataclass(frozen=True)
class Filmed:
    """A scene, its whole track, and the first part of it, which a fit may see."""

    scene: Scene
    track: Track
    seen: Track

    @property
    def rest(self) -> Track:
        return self.track.select(slice(len(self.seen), None))

    @property
    def truth(self) -> dict[str, float]:
        """The pattern's quantities as a report names them, and the scale at the seen part's middle sample."""
        told = FORCE_MODELS[str(self.scene.pattern)].report(self.scene.values)
        middle = self.seen.frame[len(self.seen) // 2]
        scale = 2.0 * self.scene.radius_px[middle] / self.scene.diameter
        return {name: float(value) for name, (value, _) in told.items()} | {"px_per_m": float(scale), "diameter": self.scene.diameter}

    def true_centre(self, track: Track) -> np.ndarray[Any, Any]:
        return self.scene.centre_px[track.frame]


def assumed_camera() -> Camera:
    return assume_camera(*SIZE)


def known(**options: Any) -> Known:
    return gather_knowledge(Options(**options)).known


def catalogue_body(diameter: float, mass: float, *, sigma: float = 0.01, drag: Quantity | None = None) -> Body:
    return Body(
        label="ball", probability=1.0, diameter=Quantity(diameter, sigma * diameter, "m", "catalogue"),
        mass=Quantity(mass, sigma * mass, "kg", "catalogue"), drag_coefficient=drag,
    )  # fmt: skip


def film_pattern(pattern: str, seed: int, *, noise: TrackNoise = WHITE, share: float = SEEN_SHARE, **options: Any) -> Filmed:
    """A drawn truth of constant coefficients, filmed; the same seed gives the same scene whatever the noise."""
    rng = np.random.default_rng([seed, 1])
    scene = draw_scene(rng, pattern, **({"size_px": SIZE, "fps": FPS.get(pattern, 60.0)} | options))
    while set(scene.laws.values()) - {"constant"}:
        scene = draw_scene(rng, pattern, **({"size_px": SIZE, "fps": FPS.get(pattern, 60.0)} | options))
    track = film(scene, np.random.default_rng([seed, 2]), noise)
    return Filmed(scene, track, track.select(slice(0, max(LEAST_SEEN, round(share * len(track))))))


def fit_seen(filmed: Filmed, *, body: Body = FREE_BODY, camera: Camera | None = None, **options: Any) -> Fit:
    pattern = str(filmed.scene.pattern)
    return fit_pattern(filmed.seen, pattern, camera=camera or assumed_camera(), body=body, known=known(**options))


@lru_cache(maxsize=500)
def fitted(pattern: str, seed: int) -> tuple[Filmed, Fit]:
    """A film of white noise and the fit of its seen part, with nothing known but gravity."""
    filmed = film_pattern(pattern, seed)
    return filmed, fit_seen(filmed)


def normalised_errors(filmed: Filmed, fit: Fit, names: tuple[str, ...]) -> np.ndarray[Any, Any]:
    """Estimate minus truth over the stated sigma; positive numbers by their logarithm. The scale is ``px_per_m``."""
    truth, errors = filmed.truth, []
    for name in names:
        if name == "px_per_m":
            value, sigma = measure_scale(fit, known())
        else:
            value, sigma = fit.parameters[name].value, fit.parameters[name].sigma
        positive = name in ("px_per_m", "speed", "length", "period", "diameter")
        errors.append(np.log(value / truth[name]) / (sigma / value) if positive else (value - truth[name]) / sigma)
    return np.array(errors)
