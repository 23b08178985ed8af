"""Motions that no force pattern owns: what a recogniser must learn to refuse, and what a refusal is tested with.

Each family is a function ``(rng, t) -> (n, 3)`` metres, y up, of times that cover one clip; the numbers behind one path come from ``rng``
alone, so the same generator state gives the same path on any grid over the same stretch. Speeds are drawn for the length of the
clip, because what a recogniser sees has no absolute clock. Where a family can come close to a pattern (a spring to a pendulum, a lift
to a throw) its numbers are drawn where the two can be told apart by eye.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import numpy as np

from ..errors import UsageError
from ..types import Floats
from .scene import MAX_DRAWS, RADIUS_RANGE_PX, Scene, compose_scene, draw_recording

Path = Callable[[np.random.Generator, Floats], Floats]

FINE_STEPS = 600  # steps of the fixed grid behind paths that are integrated: finer than any clip of 400 frames
DURATION_RANGE = (0.4, 6.0)  # s: from a gesture to a walk across a room
TIMES_PER_FRAME = 3  # compose_scene asks for both ends and the middle of every exposure
EXTENT_RANGE = (0.15, 4.0)  # m: what one camera sees of a hand, a motor, a person
DIAMETER_SHARE_RANGE = (0.02, 0.2)  # of the path's extent: a ball carried across its own width is no motion
STILL = frozenset({"jitter_on_spot"})  # families whose body stays where it is
STILL_SHARE_RANGE = (2.0, 20.0)  # of the path's extent, for those


def draw_unknown(
    rng: np.random.Generator,
    family: str | None = None,
    *,
    size_px: tuple[int, int] | None = None,
    fps: float | None = None,
    duration: float | None = None,
    least_radius_px: float = RADIUS_RANGE_PX[0],
) -> Scene:
    """One motion of no pattern, filmed by a random plausible camera.

    Args:
        rng: the only source of chance.
        family: a key of `FAMILIES`; drawn evenly when None.
        size_px: width and height of the picture.
        fps: frames for each second.
        duration: seconds to film.
        least_radius_px: the smallest apparent radius to accept.

    Raises:
        UsageError: no camera shows this motion in a picture of this size at these limits.
    """
    name = str(rng.choice(sorted(FAMILIES))) if family is None else family
    wanted = float(np.exp(rng.uniform(*np.log(DURATION_RANGE)))) if duration is None else duration
    for _ in range(MAX_DRAWS):
        recording = draw_recording(rng, wanted, size_px=size_px, fps=fps)
        extent = float(np.exp(rng.uniform(*np.log(EXTENT_RANGE))))
        diameter = extent * float(np.exp(rng.uniform(*np.log(STILL_SHARE_RANGE if name in STILL else DIAMETER_SHARE_RANGE))))
        path = partial(_trace, FAMILIES[name], int(rng.integers(2**63)), extent)
        scene = compose_scene(rng, path, diameter, recording, pattern=None, family=name, values={"diameter": diameter, "extent": extent})
        if scene is not None and scene.radius_px.min() >= least_radius_px:
            return scene
    raise UsageError(f"no view of {name} found: wanted a radius of {least_radius_px:g} px or more in a picture of {size_px}; make the picture larger")


def _trace(family: Path, seed: int, extent: float, t: Floats) -> Floats:
    """(n, 3) a family's path at times that cover one clip, from its first point, scaled to the wanted extent in metres."""
    path = family(np.random.default_rng(seed), t)
    return (path - path[0]) * (extent / float(np.max(np.ptp(path, axis=0))))


def _phase(t: Floats) -> Floats:
    """(n,) 0 at the clip's start, 1 at its end."""
    return (t - t[0]) / max(float(t[-1] - t[0]), np.finfo(float).tiny)


def _stack(x: Floats, y: Floats, z: Floats | float = 0.0) -> Floats:
    return np.stack(np.broadcast_arrays(x, y, z), axis=-1).astype(float)


def _turned(rng: np.random.Generator, plane: Floats) -> Floats:
    """(n, 3) a path in the xy plane, turned by any angle in it and tipped out of it by up to 60 degrees."""
    turn, tip = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(-60, 60))
    x = np.cos(turn) * plane[:, 0] - np.sin(turn) * plane[:, 1]
    y = np.sin(turn) * plane[:, 0] + np.cos(turn) * plane[:, 1]
    return _stack(np.cos(tip) * x, y, np.sin(tip) * x)


def _direction(rng: np.random.Generator) -> Floats:
    """(3,) a unit vector within 35 degrees of the picture plane."""
    turn, tip = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(-35, 35))
    return np.array([np.cos(turn) * np.cos(tip), np.sin(turn) * np.cos(tip), np.sin(tip)])


def _wander(rng: np.random.Generator, s: Floats, lowest: float, highest: float, slope: float, axes: int = 3) -> Floats:
    """(n, axes) band-limited noise: cosines between two frequencies (cycles for each clip), amplitude as frequency**-slope."""
    frequency = rng.uniform(lowest, highest, (24, axes))
    amplitude = rng.standard_normal((24, axes)) * frequency**-slope
    phase = rng.uniform(0, 2 * np.pi, (24, axes))
    return np.einsum("ka,nka->na", amplitude, np.cos(2 * np.pi * s[:, None, None] * frequency + phase))


def _flight(t: Floats, velocity: Floats, gravity: Floats) -> Floats:
    return t[:, None] * velocity + 0.5 * t[:, None] ** 2 * gravity


def carry_slowly(rng: np.random.Generator, t: Floats) -> Floats:
    """A hand that carries an object: few, slow turns."""
    return _wander(rng, _phase(t), 0.4, 2.5, 1.0)


def carry_shakily(rng: np.random.Generator, t: Floats) -> Floats:
    """A hand that carries and trembles."""
    s = _phase(t)
    return _wander(rng, s, 0.4, 2.0, 1.0) + rng.uniform(0.05, 0.2) * _wander(rng, s, 6.0, 14.0, 0.0)


def shake_hand(rng: np.random.Generator, t: Floats) -> Floats:
    """A hand that waves to and fro, with a rhythm and a reach that drift."""
    s = _phase(t)
    rhythm = 2 * np.pi * rng.uniform(2, 6) * (s + 0.08 * _wander(rng, s, 0.5, 2.0, 0.5, 1)[:, 0] / 5)
    reach = 1 + 0.12 * _wander(rng, s, 0.5, 2.5, 0.5, 1)[:, 0]
    return _turned(rng, np.stack([reach * np.sin(rhythm), 0.25 * _wander(rng, s, 1.0, 5.0, 0.5, 1)[:, 0]], axis=-1))


def reach_point_to_point(rng: np.random.Generator, t: Floats) -> Floats:
    """Hand movements from place to place, each of minimum jerk (Flash and Hogan 1985, eq. 8)."""
    s, legs = _phase(t), int(rng.integers(2, 6))
    places = rng.uniform(-1, 1, (legs + 1, 3)) * (1, 1, 0.4)
    knots = np.concatenate([[0.0], np.cumsum(rng.uniform(0.5, 1.5, legs))])
    leg = np.clip(np.searchsorted(knots, s * knots[-1], side="right") - 1, 0, legs - 1)
    u = (s * knots[-1] - knots[leg]) / np.diff(knots)[leg]
    blend = 10 * u**3 - 15 * u**4 + 6 * u**5
    return places[leg] + blend[:, None] * (places[leg + 1] - places[leg])


def turn_in_circle(rng: np.random.Generator, t: Floats) -> Floats:
    """A motor's arm: a circle at constant speed, seen at a slant."""
    angle = rng.choice([-1, 1]) * 2 * np.pi * rng.uniform(0.6, 5) * _phase(t) + rng.uniform(0, 2 * np.pi)
    return _turned(rng, np.stack([np.cos(angle), np.sin(angle)], axis=-1))


def trace_lissajous(rng: np.random.Generator, t: Floats) -> Floats:
    """Two motors at right angles: an ellipse or a Lissajous figure."""
    s, base = _phase(t), rng.uniform(0.7, 3)
    ratio = rng.choice([1.0, 1.5, 2.0, 3.0])
    x = np.cos(2 * np.pi * base * s)
    y = rng.uniform(0.35, 1) * np.cos(2 * np.pi * base * ratio * s + rng.uniform(0.3, np.pi - 0.3))
    return _turned(rng, np.stack([x, y], axis=-1))


def spiral_outwards(rng: np.random.Generator, t: Floats) -> Floats:
    """A turntable whose arm grows."""
    s = _phase(t)
    angle = 2 * np.pi * rng.uniform(1.2, 4) * s
    radius = 0.2 + s * rng.uniform(0.6, 1.5)
    return _turned(rng, np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1))


def slide_at_constant_speed(rng: np.random.Generator, t: Floats) -> Floats:
    """A conveyor: a straight line at constant speed."""
    return _phase(t)[:, None] * _direction(rng)


def stop_and_go(rng: np.random.Generator, t: Floats) -> Floats:
    """A line that is driven, stopped and driven again, at times backwards."""
    s, legs = _phase(t), int(rng.integers(3, 7))
    speed = rng.uniform(0.4, 1.5, legs) * rng.choice([-0.5, 1.0], legs, p=[0.2, 0.8])
    speed[int(rng.integers(0, 2)) :: 2] = 0.0
    knots = np.concatenate([[0.0], np.sort(rng.uniform(0.08, 0.92, legs - 1)), [1.0]])
    travelled = np.concatenate([[0.0], np.cumsum(speed * np.diff(knots))])
    return np.interp(s, knots, travelled)[:, None] * _direction(rng)


def trace_polygon(rng: np.random.Generator, t: Floats) -> Floats:
    """A plotter: a triangle or a square at constant speed."""
    corners = int(rng.integers(3, 5))
    angle = 2 * np.pi * np.arange(corners + 1) / corners
    distance = (rng.uniform(0.8, 2.5) * _phase(t) * corners + rng.uniform(0, corners)) % corners
    knots = np.arange(corners + 1.0)
    return _turned(rng, np.stack([np.interp(distance, knots, np.cos(angle)), np.interp(distance, knots, np.sin(angle))], axis=-1))


def zigzag(rng: np.random.Generator, t: Floats) -> Floats:
    """A drift with a triangle wave across it."""
    s = _phase(t)
    wave = 2 * np.abs((rng.uniform(1.5, 5) * s + rng.uniform()) % 1 - 0.5)
    return _turned(rng, np.stack([rng.uniform(0.5, 2) * s, rng.uniform(0.2, 0.6) * wave], axis=-1))


def roll_down_incline(rng: np.random.Generator, t: Floats) -> Floats:
    """A ball rolls down a ramp and on along the level, slowed by friction until it stands."""
    s = _phase(t)
    slope, turn = np.radians(rng.uniform(8, 40)), rng.uniform(0.25, 0.6)
    friction = rng.uniform(0.4, 1.4) / (1 - turn)
    on_ramp = 0.5 * np.minimum(s, turn) ** 2
    after = np.clip(s - turn, 0, 1 / friction)
    level = turn * (after - 0.5 * friction * after**2)
    return rng.choice([-1, 1]) * _stack(np.cos(slope) * on_ramp + level, 0 * s) - _stack(0 * s, np.sin(slope) * on_ramp)


def brake_on_level(rng: np.random.Generator, t: Floats) -> Floats:
    """A rolling ball that slows down on the flat, steadily or as its speed."""
    s = _phase(t)
    stop = rng.uniform(0.6, 1.3)
    steady = np.minimum(s, stop) - 0.5 * np.minimum(s, stop) ** 2 / stop
    travelled = steady if rng.uniform() < 0.5 else 1 - np.exp(-rng.uniform(1.5, 4) * s)
    heading = np.radians(rng.uniform(-35, 35))
    return rng.choice([-1, 1]) * travelled[:, None] * np.array([np.cos(heading), 0.0, np.sin(heading)])


def bounce(rng: np.random.Generator, t: Floats) -> Floats:
    """A ball that bounces two to six times in one window."""
    s = _phase(t)
    restitution, bounces = rng.uniform(0.6, 0.9), int(rng.integers(2, 7))
    flights = np.concatenate([[rng.uniform(0.3, 1.0)], restitution ** np.arange(1, bounces + 1)])
    knots = np.concatenate([[0.0], np.cumsum(flights)])
    time = s * knots[-1]
    hop = np.clip(np.searchsorted(knots, time, side="right") - 1, 0, bounces)
    since, whole = time - knots[hop], np.maximum(restitution**hop, flights[hop])
    into = np.where(hop == 0, whole - flights[0], 0.0) + since
    height = 0.5 * into * (whole - into)
    return _stack(rng.uniform(-0.4, 0.4) * time / knots[-1], height, rng.uniform(-0.1, 0.1) * s)


def walk(rng: np.random.Generator, t: Floats) -> Floats:
    """A walker's head: steady progress with a bob at every step."""
    s, steps = _phase(t), rng.uniform(3, 12)
    bob = rng.uniform(0.015, 0.06) * np.cos(2 * np.pi * steps * s + rng.uniform(0, 2 * np.pi))
    return _stack(rng.choice([-1, 1]) * s + 0.01 * np.sin(2 * np.pi * steps * s), bob, rng.uniform(-0.3, 0.3) * s)


def fly_drone(rng: np.random.Generator, t: Floats) -> Floats:
    """A drone: accelerations that change smoothly from one command to the next."""
    s = np.linspace(0, 1, FINE_STEPS)
    commands = int(rng.integers(4, 9))
    knots = np.linspace(0, 1, commands)
    thrust = np.stack([np.interp(s, knots, rng.standard_normal(commands)) for _ in range(3)], axis=-1)
    velocity = rng.uniform(-0.4, 0.4, 3) + np.cumsum(thrust, axis=0) * 3 / FINE_STEPS
    path = np.cumsum(velocity, axis=0) / FINE_STEPS
    return _resampled(_phase(t), s, path)


def rise_as_balloon(rng: np.random.Generator, t: Floats) -> Floats:
    """A balloon that is let go: it comes to its terminal speed upwards (dv/dt = a (1 - v|v|)) and sways."""
    s = _phase(t)
    rate = rng.uniform(4, 15)
    sway = rng.uniform(0.01, 0.05) * _wander(rng, s, 1.0, 4.0, 0.5, 2)
    height = (np.logaddexp(rate * s, -rate * s) - np.log(2)) / rate
    return _stack(rng.uniform(-0.4, 0.4) * s + sway[:, 0], height, sway[:, 1])


def jitter_on_spot(rng: np.random.Generator, t: Floats) -> Floats:
    """Nothing moves but the picture's noise: a shiver around a point at all frequencies up to half the frame rate."""
    return _wander(rng, _phase(t), 0.5, max(len(t) / TIMES_PER_FRAME / 2, 2.0), 0.0)


def diffuse(rng: np.random.Generator, t: Floats) -> Floats:
    """A random walk, as a grain in water or a tracker that lost its object."""
    return _wander(rng, _phase(t), 0.3, 25.0, 1.0)


def fly_backwards(rng: np.random.Generator, t: Floats) -> Floats:
    """A throw with strong drag played backwards: the air speeds it up."""
    gravity = np.array([0.0, -1.0, 0.0])
    drag = rng.uniform(0.6, 1.6)
    launch = np.radians(rng.uniform(25, 70))
    velocity = rng.uniform(1.2, 2.2) * np.array([np.cos(launch), np.sin(launch), 0.0])
    s = np.linspace(0, rng.uniform(1.5, 2.5), FINE_STEPS)
    path = np.zeros((FINE_STEPS, 3))
    for i in range(1, FINE_STEPS):
        middle = velocity + 0.5 * s[1] * (gravity - drag * np.linalg.norm(velocity) * velocity)
        path[i] = path[i - 1] + s[1] * middle
        velocity = velocity + s[1] * (gravity - drag * np.linalg.norm(middle) * middle)
    return rng.choice([-1, 1]) * _resampled(1 - _phase(t), s / s[-1], path) * (1, 0, 0) + _resampled(1 - _phase(t), s / s[-1], path) * (0, 1, 0)


def hang_on_spring(rng: np.random.Generator, t: Floats) -> Floats:
    """A mass on a spring: a damped oscillation along a steep line, where no pendulum's bob can go."""
    s = _phase(t)
    angle = 2 * np.pi * rng.uniform(1.2, 6) * s + rng.uniform(0, 2 * np.pi)
    along = np.exp(-rng.uniform(0, 1.5) * s) * np.cos(angle)
    tilt = np.radians(rng.uniform(-30, 30))
    return along[:, None] * np.array([np.sin(tilt), np.cos(tilt), 0.0])


def fall_the_wrong_way(rng: np.random.Generator, t: Floats) -> Floats:
    """A perfect parabola whose gravity points up or sideways."""
    turn = np.radians(rng.uniform(50, 310))
    gravity = np.array([np.sin(turn), -np.cos(turn), 0.0])
    apex = rng.uniform(0.0, 0.9)
    velocity = -apex * gravity + rng.choice([-1, 1]) * rng.uniform(0.0, 1.0) * np.array([gravity[1], -gravity[0], 0.0])
    return _flight(_phase(t), velocity, gravity)


def ride_in_lift(rng: np.random.Generator, t: Floats) -> Floats:
    """A ball on a lift that starts and stops, in half the cases thrown up inside it."""
    s = _phase(t)
    start, stop = rng.uniform(0.1, 0.4), rng.uniform(0.6, 0.9)
    ramp = rng.uniform(0.05, 0.15)
    fine = np.linspace(0, 1, FINE_STEPS)
    speed = np.clip((fine - start) / ramp, 0, 1) - np.clip((fine - stop) / ramp, 0, 1)
    lift = rng.choice([-1, 1]) * _resampled(s, fine, np.cumsum(speed)[:, None] / FINE_STEPS)[:, 0]
    inside = rng.uniform(0.5, 1.5) * (s - s**2) if rng.uniform() < 0.5 else 0 * s
    return _stack(rng.uniform(-0.3, 0.3) * s * (inside.any()), rng.uniform(0.6, 1.5) * lift + inside)


def cut_in_flight(rng: np.random.Generator, t: Floats) -> Floats:
    """A throw with a cut: the ball is elsewhere, and at another moment of its flight, from one frame to the next."""
    s = _phase(t)
    late = s > _between_exposures(s, float(rng.uniform(0.3, 0.7)))
    time = s + late * rng.uniform(0.15, 0.5) * rng.choice([-1, 1])
    path = _flight(time, np.array([rng.uniform(-0.6, 0.6), rng.uniform(0.2, 0.8), 0.0]), np.array([0.0, -1.2, 0.0]))
    across = rng.uniform(0, 2 * np.pi)
    # The jump is wide whichever way the cut in time alone would throw it.
    first = int(np.argmax(late))
    wanted = rng.uniform(0.4, 0.8) * np.array([np.cos(across), np.sin(across), 0.0])
    return path + late[:, None] * (wanted - (path[first] - path[first - 1]))


def play_yo_yo(rng: np.random.Generator, t: Floats) -> Floats:
    """A yo-yo: a steady fall slower than gravity and a climb that mirrors it, again and again."""
    s = _phase(t)
    cycle = (rng.uniform(1.2, 3.5) * s + rng.uniform()) % 1
    return _stack(rng.uniform(0.01, 0.05) * _wander(rng, s, 0.5, 2.0, 0.5, 1)[:, 0], -(np.minimum(cycle, 1 - cycle) ** 2) * 4)


def swing_driven(rng: np.random.Generator, t: Floats) -> Floats:
    """A crank that drives an arm to and fro along an arc: a triangle wave of the angle, or one whose pace changes."""
    s = _phase(t)
    cycle = rng.uniform(1.2, 4) * s + rng.uniform()
    wave = 4 * np.abs(cycle % 1 - 0.5) - 1 if rng.uniform() < 0.5 else np.sin(2 * np.pi * cycle * (1 + rng.uniform(0.3, 0.8) * s))
    angle = np.radians(rng.uniform(15, 70)) * wave
    return _stack(np.sin(angle), -np.cos(angle))


def _between_exposures(s: Floats, wanted: float) -> float:
    """The middle of the narrow gap nearest to ``wanted``: the times surround every exposure, and between two exposures they are closest."""
    gaps = np.diff(s)
    narrow = np.flatnonzero(gaps <= 1.01 * gaps.min())
    chosen = narrow[np.argmin(np.abs(s[narrow] - wanted))]
    return float(s[chosen] + 0.5 * gaps[chosen])


def _resampled(s: Floats, grid: Floats, path: Floats) -> Floats:
    return np.stack([np.interp(s, grid, column) for column in path.T], axis=-1)


FAMILIES: Mapping[str, Path] = MappingProxyType(
    {
        family.__name__: family
        for family in (
            carry_slowly,
            carry_shakily,
            shake_hand,
            reach_point_to_point,
            turn_in_circle,
            trace_lissajous,
            spiral_outwards,
            slide_at_constant_speed,
            stop_and_go,
            trace_polygon,
            zigzag,
            roll_down_incline,
            brake_on_level,
            bounce,
            walk,
            fly_drone,
            rise_as_balloon,
            jitter_on_spot,
            diffuse,
            fly_backwards,
            hang_on_spring,
            fall_the_wrong_way,
            ride_in_lift,
            cut_in_flight,
            play_yo_yo,
            swing_driven,
        )
    }
)
