"""Motions with one thing outside what any training draws: gravity, the ball, the length, the frame rate, the number of frames."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from ..physics.force import Drawn
from ..physics.integration import solve_one
from ..physics.models import FORCE_MODELS
from ..synth.scene import FRAMES_RANGE, MAX_DRAWS, RADIUS_RANGE_PX, SHUTTER_REACH, SIZES_PX, Recording, Scene, compose_scene
from ..types import Floats

MOON_GRAVITY, MARS_GRAVITY = 1.62, 3.71
"""m/s^2 at the equator (NASA planetary fact sheet); the air stays, so that drag and lift are still there to be measured."""
EARTH_GRAVITY = 9.80665
"""What training draws with."""
ODD_RATES = (12.5, 15.0, 20.0, 90.0, 100.0, 480.0)
"""Frames a second that `synth.scene.FRAME_RATES` does not have: old web cameras, machine vision, slow motion."""
ORDINARY_RATES = (30.0, 60.0, 120.0)
FEW_FRAMES = (12, 20)
BALLS = ((0.30, 0.42, 25.0, 45.0), (0.005, 0.012, 7000.0, 11300.0))
"""Smallest and largest diameter (m) and density (kg/m^3): a beach ball and a steel or lead shot; training has 0.015 to 0.26 m."""
BEACH_SPEED = (3.0, 10.0)
"""m/s at which a beach ball can be struck and still be seen to fly on."""
LONG_PENDULUM = (4.0, 15.0)
"""m: from a stairwell to a church; training has up to 2.5 m."""
LONG_PERIODS = (1.0, 4.0)
LONG_FLIGHT = (3.2, 5.0)
"""s of a drop, a punt or a lob from high up; training has up to 3 s."""
LOB_SPEED, LOB_ELEVATION = (8.0, 25.0), (0.0, 0.9)

_Change = Callable[[np.random.Generator, Drawn], Drawn]


def draw_shifted(rng: np.random.Generator, pattern: str, kind: str) -> Scene:
    """A scene of a pattern with one thing of `SHIFTS` changed; constant coefficients.

    Raises:
        ValueError: no camera shows such a motion.
    """
    model = FORCE_MODELS[pattern]
    for _ in range(MAX_DRAWS):
        drawn = _CHANGES[kind](rng, model.draw(rng))
        fps = float(rng.choice(ODD_RATES if kind == "rate" else ORDINARY_RATES))
        if kind == "few_frames":
            frames = int(rng.integers(FEW_FRAMES[0], FEW_FRAMES[1] + 1))
            fps = frames / drawn.duration
        else:
            frames = int(np.clip(round(drawn.duration * fps), *FRAMES_RANGE))
        reach = SHUTTER_REACH / fps
        size = SIZES_PX[int(rng.integers(len(SIZES_PX)))]
        # The path begins with the first frame's exposure: values are those of that moment.
        recording = Recording(size_px=size, fps=fps, times=reach + np.arange(frames) / fps)

        def path(t: Floats, values: Mapping[str, float] = drawn.values) -> Floats:
            states, _ = solve_one(model, values, t - t[0])
            return model.position(states, values)

        scene = compose_scene(
            rng, path, drawn.values["diameter"], recording, pattern=pattern, family=pattern, values=drawn.values, laws={"shift": kind}
        )
        if scene is not None and scene.radius_px.min() >= RADIUS_RANGE_PX[0]:
            return scene
    raise ValueError(f"no view of a {pattern} with another {kind} found")


def _under(gravity: float) -> _Change:
    """The same throw or swing under another gravity, watched for as much longer as it takes."""

    def change(rng: np.random.Generator, drawn: Drawn) -> Drawn:
        return Drawn(values={**drawn.values, "g": gravity}, duration=drawn.duration * math.sqrt(EARTH_GRAVITY / gravity))

    return change


def _change_ball(rng: np.random.Generator, drawn: Drawn) -> Drawn:
    """A ball of a size or density that training has not, at a speed that suits it."""
    low, high, light, heavy = BALLS[int(rng.integers(len(BALLS)))]
    diameter = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    density = float(rng.uniform(light, heavy))
    values = {**drawn.values, "diameter": diameter, "mass": density * math.pi * diameter**3 / 6.0}
    speed = math.hypot(*(values[name] for name in ("vx", "vy", "vz")))
    if low > BALLS[1][1] and speed > BEACH_SPEED[0]:
        wanted = float(rng.uniform(*BEACH_SPEED))
        values |= {name: values[name] * wanted / speed for name in ("vx", "vy", "vz")}
    return Drawn(values=values, duration=drawn.duration)


def _lengthen_pendulum(rng: np.random.Generator, drawn: Drawn) -> Drawn:
    """A long pendulum: the bob grows with the string no further than a wrecking ball, and its swing keeps its angle."""
    length = float(np.exp(rng.uniform(*np.log(LONG_PENDULUM))))
    factor = length / drawn.values["length"]
    diameter = 0.05 * length
    volume = (diameter / drawn.values["diameter"]) ** 3
    values = {
        **drawn.values, "length": length, "omega": drawn.values["omega"] / math.sqrt(factor), "diameter": diameter,
        "mass": drawn.values["mass"] * volume, "damping": drawn.values["damping"] / math.sqrt(factor),
    }  # fmt: skip
    return Drawn(values=values, duration=float(rng.uniform(*LONG_PERIODS)) * 2.0 * math.pi * math.sqrt(length / EARTH_GRAVITY))


def _lengthen_flight(rng: np.random.Generator, drawn: Drawn) -> Drawn:
    """A flight of more seconds than training has, thrown or struck upwards."""
    speed, elevation, heading = rng.uniform(*LOB_SPEED), rng.uniform(*LOB_ELEVATION), rng.normal(0.0, 0.4)
    values = {
        **drawn.values, "vx": speed * math.cos(elevation) * math.cos(heading), "vy": speed * math.sin(elevation),
        "vz": speed * math.cos(elevation) * math.sin(heading),
    }  # fmt: skip
    return Drawn(values={name: float(value) for name, value in values.items()}, duration=float(rng.uniform(*LONG_FLIGHT)))


def _unchanged(rng: np.random.Generator, drawn: Drawn) -> Drawn:
    return drawn


_CHANGES: Mapping[str, _Change] = MappingProxyType({
    "moon": _under(MOON_GRAVITY), "mars": _under(MARS_GRAVITY), "ball": _change_ball, "long_pendulum": _lengthen_pendulum,
    "long_flight": _lengthen_flight, "rate": _unchanged, "few_frames": _unchanged,
})  # fmt: skip

SHIFTS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "free_fall": ("moon", "ball", "rate", "few_frames", "long_flight", "mars"),
    "pendulum": ("moon", "long_pendulum", "rate", "few_frames", "mars"),
    "curving_ball": ("moon", "ball", "rate", "few_frames", "long_flight", "mars"),
})  # fmt: skip
"""What is changed, for each pattern; a pattern without an entry is not in the suite."""
