"""Synthetic tracks whose truth is known, and fits of them, made once and shared by the tests that judge them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from newtonscheme.camera import assume_camera
from newtonscheme.estimation.fitting import fit_pattern, measure_scale
from newtonscheme.estimation.knowledge import gather_knowledge
from newtonscheme.estimation.parameters import Known
from newtonscheme.physics.integration import solve_one
from newtonscheme.physics.models import FORCE_MODELS
from newtonscheme.physics.models.pendulum import natural_frequency_squared
from newtonscheme.synth.scene import Recording, Scene, TrackNoise, compose_scene, draw_scene, film
from newtonscheme.types import Body, Camera, Fit, Floats, Options, Quantity, Track

SIZE = (1280, 720)
FPS = {"pendulum": 30.0}
WHITE = TrackNoise(sigma_px=0.15)
FREE_BODY = Body(label=None, probability=1.0, diameter=None, mass=None)
SEEN_SHARE = 0.6
LEAST_SEEN = 8
NEAR_RADIUS_PX = 15.0


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


@lru_cache(maxsize=1)
def film_near_throw() -> Filmed:
    """A throw near enough that the ball's apparent size is a ruler good to two per cent."""
    return next(filmed for filmed in (film_pattern("free_fall", seed) for seed in range(100)) if float(filmed.scene.radius_px.min()) > NEAR_RADIUS_PX)


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


def without_radius(track: Track) -> Track:
    """The track of something whose size was never measured."""
    unknown = np.full(len(track), np.nan)
    return replace(track, radius_px=unknown, radius_sigma_px=unknown)


def film_path(path: Callable[[Floats], Floats], duration: float, *, fps: float = 60.0, seed: int = 0, noise: TrackNoise = WHITE,
              diameter: float = 0.07) -> Filmed:  # fmt: skip
    """Any path (n, 3) metres, y up, of increasing times, before a random camera that sees all of it."""
    rng = np.random.default_rng([seed, 3])
    recording = Recording(size_px=SIZE, fps=fps, times=np.arange(round(duration * fps)) / fps)
    scene = None
    while scene is None:
        scene = compose_scene(rng, path, diameter, recording, pattern=None, family="by hand", values={"diameter": diameter})
    track = film(scene, np.random.default_rng([seed, 4]), noise)
    return Filmed(scene, track, track)


def bounce_path(height: float = 1.0, across: float = 0.7, restitution: float = 0.8, g: float = 9.81) -> tuple[Callable[[Floats], Floats], Floats]:
    """A ball dropped from a height that bounces on without air, and the times of its bounces."""
    first = np.sqrt(2 * height / g)
    hops = 2 * first * restitution ** np.arange(1, 12)
    bounces = first + np.concatenate([[0.0], np.cumsum(hops)])

    def path(t: Floats) -> Floats:
        hop = np.searchsorted(bounces, t, side="right")
        since = t - np.concatenate([[-first], bounces])[hop]
        up = g * first * restitution**hop
        return np.stack([across * t, up * since - 0.5 * g * since**2, 0.0 * t], axis=-1)

    return path, bounces


def held_between_throws(first: float = 0.7, hold: float = 0.5, g: float = 9.81) -> tuple[Callable[[Floats], Floats], tuple[float, float]]:
    """A throw, a hand that catches it and holds it still, and a second throw; with the times of catch and release."""

    def path(t: Floats) -> Floats:
        def flight(since: Floats, vx: float, vy: float) -> Floats:
            return np.stack([vx * since, vy * since - 0.5 * g * since**2, 0.0 * since], axis=-1)

        caught = flight(np.array([first]), 1.2, 3.6)
        second = caught + flight(np.maximum(t - first - hold, 0.0), -1.0, 4.2)
        return np.where((t <= first)[:, None], flight(t, 1.2, 3.6), second)

    return path, (first, first + hold)


def swing_path(values: dict[str, float]) -> Callable[[Floats], Floats]:
    """A pendulum of these values, swinging as long as it is asked to."""
    model = FORCE_MODELS["pendulum"]

    def path(t: Floats) -> Floats:
        since = t - t[0]
        states, failure = solve_one(model, values, since)
        assert failure == ""
        return model.position(states, values)

    return path


def rubbed(values: Mapping[str, float], t: Floats) -> Floats:
    """(n,) angles under a constant moment at the pivot that turns with the swing: each half of it by itself, until it sticks."""
    w2, hold = float(natural_frequency_squared(values)), values["dry_damping"]
    theta, begun, angles = values["theta"], 0.0, np.empty_like(t)
    while True:
        way = -float(np.sign(theta))

        def half(_: float, y: Floats, way: float = way) -> list[float]:
            return [y[1], -w2 * np.sin(y[0]) - w2 * hold * way]

        def turns(_: float, y: Floats, way: float = way) -> float:
            return float(y[1]) * way

        turns.terminal, turns.direction = True, -1.0  # type: ignore[attr-defined]
        swung = solve_ivp(half, (begun, t[-1] + 10.0), [theta, 1e-9 * way], events=turns, rtol=1e-9, atol=1e-12, dense_output=True)
        rows = (t >= begun) & (t <= swung.t[-1])
        angles[rows] = swung.sol(t[rows])[0]
        begun, theta = float(swung.t[-1]), float(swung.y[0, -1])
        if begun > t[-1]:
            return angles
        if abs(theta) < hold:
            angles[t > begun] = theta
            return angles
