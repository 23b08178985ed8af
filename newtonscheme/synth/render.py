"""Scenes become films: a textured world, a ball in motion blur, a sensor's noise, H.264; and the truth beside them.

Time stamps are those of mid-exposure: the frame stamped t shows the ball's sweep from t - T/2 to t + T/2, and a scene's centre is where it
was at t. Only what changes is drawn anew in each frame, over a backdrop that is painted once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from ..errors import UsageError
from ..files import replacing
from ..physics.models import FORCE_MODELS
from ..types import Bytes, Floats, Progress
from .props import draw_hand, draw_occluder, draw_shadow, draw_string, share_in_view
from .scene import Scene
from .sprite import Patch, Sweep, draw_ball, turn_cover
from .texture import BALL_LOOKS, GAMMA, LUMA, PLAIN_COLOURS, Backdrop, BallLook, Colour, Image, paint_backdrop

EXPOSURE_RANGE = (0.1, 0.9)  # share of a frame: bright daylight to a dim room
NOISE_RANGE = (0.5, 4.0)  # grey levels at mid grey: a good camera in light, a phone in a room
BLUR_RANGE_PX = (0.3, 0.9)  # of a lens in focus: about the pixel's own width
AMBIENT_RANGE = (0.25, 0.8)  # share of the light that comes from all sides: sun in a clear sky to an overcast one
MID_GREY = 0.2  # linear light whose noise is `Look.noise`; 123 of 255 when encoded
READ_SHARE = 0.3  # of the noise's variance at mid grey that does not come from the light itself
DARKEST = 0.02  # linear: below it a camera's curve is no longer a power law, and noise does not grow without end
LEAST_CONTRAST = 0.15  # of encoded luma between ball and backdrop: what a person would film
NOISE_MARGIN = 64  # px that the bank of noise is larger than the picture by: 4096 places to start from, either sign
MOST_SPIN = 30.0  # rad/s of thrown balls
BACKDROPS: tuple[Backdrop, ...] = ("gradient", "textured", "cluttered")
CLOCK = 90_000  # ticks for each second where frames do not come at a constant rate
SHADOW_RANGE = (1.5, 4.0)  # ball radii between a ball and its shadow on the wall behind it
PRESET = "medium"  # libx264's default: what crf means to people
EVERYWHERE_THE_SAME = "cpu-independent=1"  # else x264's macroblock tree gave 7 different files in 8 runs
ENCODER_THREADS = 2  # fixed, because x264's output depends on it


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Everything about a film that is not where the ball is.

    ``exposure`` is a share of the frame's time; ``noise`` the sensor's sigma in grey levels at mid grey; ``blur_px`` the sigma of the
    lens's blur; ``shadow`` its darkness, 0 for none; ``flicker`` the relative amplitude of the light's change at ``flicker_hz``;
    ``occluder`` a bar's width in ball diameters, 0 for none. ``light`` points to the lamp (x right, y up, z to the viewer); ``spin``
    (rad/s) turns the ball's cover, unless the ball hangs; ``string`` draws what it hangs from.
    """

    ball: BallLook
    backdrop: Backdrop
    tone: Colour
    exposure: float = 0.3
    noise: float = 1.5
    light: tuple[float, float, float] = (-0.4, 0.8, 0.5)
    ambient: float = 0.5
    spin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shadow: float = 0.0
    flicker: float = 0.0
    flicker_hz: float = 0.0
    occluder: float = 0.0
    blur_px: float = 0.5
    string: bool = True


def draw_look(rng: np.random.Generator, label: str | None = None) -> Look:
    """A random ordinary film: a ball of the catalogue (``label``, or any of a few when None) or of none, before some background.

    Raises:
        UsageError: no ball of that label has a look here.
    """
    ball = _choose_ball(rng, label)
    return Look(
        ball=ball,
        backdrop=BACKDROPS[int(rng.integers(len(BACKDROPS)))],
        tone=_contrasting_tone(rng, ball),
        exposure=float(rng.uniform(*EXPOSURE_RANGE)),
        noise=float(np.exp(rng.uniform(*np.log(NOISE_RANGE)))),
        blur_px=float(rng.uniform(*BLUR_RANGE_PX)),
        light=(float(rng.uniform(-0.8, 0.8)), float(rng.uniform(0.3, 1.0)), float(rng.uniform(0.2, 0.8))),
        ambient=float(rng.uniform(*AMBIENT_RANGE)),
        spin=tuple(float(rate) for rate in rng.normal(0.0, 0.4 * MOST_SPIN, 3)),  # type: ignore[arg-type]
        shadow=float(rng.uniform(0.1, 0.5)) if rng.uniform() < 0.3 else 0.0,
        flicker=float(rng.uniform(0.005, 0.04)) if rng.uniform() < 0.15 else 0.0,
        flicker_hz=float(rng.uniform(0.5, 12.0)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """What was rendered: the look that was used and (n,) the share of the ball that can be seen in each frame."""

    look: Look
    seen: Floats


@dataclass(frozen=True, slots=True)
class Companion:
    """A second ball behind the first one, seen by the same camera in as many frames."""

    scene: Scene
    ball: BallLook


def draw_frames(scene: Scene, rng: np.random.Generator, look: Look) -> Iterator[tuple[float, Bytes]]:
    """Yields (t, image) of every frame: s of mid-exposure and (h, w, 3) RGB."""
    return _expose(scene, rng, look, _build_world(scene, rng, look))


def render(
    scene: Scene,
    path: str | Path,
    rng: np.random.Generator,
    *,
    look: Look | None = None,
    companion: Companion | None = None,
    crf: int = 20,
    force: bool = False,
    progress: Progress | None = None,
) -> Film:
    """Write a scene as an H.264 film, whole or not at all; a look is drawn when none is given, a second ball where one is.

    Frames that come at a constant rate get exact time stamps k / fps; others are rounded to 1/90000 s.

    Raises:
        UsageError: the picture's width or height is odd, or the file cannot be written there.
        LimitReached: no room is left on the disk.
    """
    look = draw_look(rng) if look is None else look
    if any(side % 2 for side in scene.view.size_px):
        raise UsageError(f"a film of {scene.view.size_px[0]} x {scene.view.size_px[1]} cannot be written: H.264 needs even width and height")
    world = _build_world(scene, rng, look)
    with replacing(path, force=force) as temporary:
        _encode_film(scene, temporary, _expose(scene, rng, look, world, companion), crf, progress)
    return Film(look=look, seen=share_in_view(scene, world.occluder))


def _choose_ball(rng: np.random.Generator, label: str | None) -> BallLook:
    named = [ball for ball in BALL_LOOKS if ball.label == label]
    if label is not None and not named:
        known = ", ".join(sorted({ball.label for ball in BALL_LOOKS}))
        raise UsageError(f"no look for '{label}': name one of {known}")
    if named:
        return named[int(rng.integers(len(named)))]
    colour = PLAIN_COLOURS[int(rng.integers(len(PLAIN_COLOURS)))]
    return BallLook(label="", cover="plain", colours=(colour,), shine=float(rng.uniform(0.0, 0.5)))


def _contrasting_tone(rng: np.random.Generator, ball: BallLook) -> Colour:
    """A dull colour that is lighter or darker than the ball."""
    luma = float(np.asarray(ball.colours[0]) @ LUMA)
    while True:
        tone = np.clip(rng.uniform(0.15, 0.85) + rng.normal(0.0, 0.06, 3), 0.05, 0.95)
        if abs(float(tone @ LUMA) - luma) >= LEAST_CONTRAST:
            return (float(tone[0]), float(tone[1]), float(tone[2]))


@dataclass(frozen=True, slots=True)
class _World:
    """What does not move: the backdrop in linear light, an occluder in front of everything, how many ball radii a shadow falls away."""

    backdrop: Image
    occluder: Patch | None
    shadow_shift: Floats


def _build_world(scene: Scene, rng: np.random.Generator, look: Look) -> _World:
    painted = paint_backdrop(rng, scene.view.size_px, look.backdrop, look.tone, look.ball.colours)
    occluder = draw_occluder(rng, scene, look.occluder) if look.occluder > 0 else None
    shift = np.array([-look.light[0], look.light[1]]) * rng.uniform(*SHADOW_RANGE)
    return _World(painted ** np.float32(GAMMA), occluder, shift)


def _expose(scene: Scene, rng: np.random.Generator, look: Look, world: _World, companion: Companion | None = None) -> Iterator[tuple[float, Bytes]]:
    """Frames over a backdrop that is encoded once: only the box around what moves is composed again."""
    attitude = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    spin = np.asarray(look.spin) * (0.0 if _hangs(scene) else 1.0)
    still = _compose(world.backdrop, [], world.occluder, _whole(world.backdrop))
    levels, sigma = _encode(still), _noise_sigma(still, look.noise)
    height, width = sigma.shape
    bank = rng.standard_normal((height + NOISE_MARGIN, width + NOISE_MARGIN), dtype=np.float32)
    for k, t in enumerate(scene.times):
        layers = _layers(scene, look, world, k, turn_cover(attitude, spin, float(t)))
        if companion is not None:
            second = _sweep(companion.scene, k, look.exposure)
            layers = [draw_ball(companion.ball, second, attitude, np.asarray(look.light), look.ambient, look.blur_px), *layers]
        box = _bounding_box(layers, height, width)
        light = _compose(world.backdrop, layers, world.occluder, box)
        frame, grain = levels.copy(), sigma.copy()
        frame[box], grain[box] = _encode(light), _noise_sigma(light, look.noise)
        row, column = rng.integers(NOISE_MARGIN, size=2)
        grain *= bank[row : row + height, column : column + width] * np.float32(rng.choice([-1.0, 1.0]))
        frame *= np.float32((1.0 + look.flicker * np.sin(2 * np.pi * look.flicker_hz * t)) ** (1.0 / GAMMA))
        frame += (grain + np.float32(0.5))[..., None]
        yield float(t), np.clip(frame, 0.0, 255.0, out=frame).astype(np.uint8)


def _layers(scene: Scene, look: Look, world: _World, k: int, turn: Floats) -> list[Patch]:
    """What is drawn over the backdrop in frame k, from back to front."""
    sweep = _sweep(scene, k, look.exposure)
    layers = []
    if look.shadow > 0:
        layers.append(draw_shadow(sweep, world.shadow_shift, look.shadow))
    if look.string and _hangs(scene):
        layers.append(draw_string(scene, sweep))
    layers.append(draw_ball(look.ball, sweep, turn, np.asarray(look.light), look.ambient, look.blur_px))
    if not scene.governed.all() and scene.pattern is not None:
        behind, before = draw_hand(scene, k)
        layers = [behind, *layers, before]
    return layers


def _sweep(scene: Scene, k: int, exposure: float) -> Sweep:
    return Sweep(
        centre=scene.centre_px[k], radius=float(scene.radius_px[k]), velocity=scene.velocity_px[k],
        acceleration=scene.acceleration_px[k], exposure=exposure / scene.fps,
    )  # fmt: skip


def _hangs(scene: Scene) -> bool:
    return scene.pattern is not None and FORCE_MODELS[scene.pattern].anchor == "pivot"


def _whole(image: Image) -> tuple[slice, slice]:
    return slice(0, image.shape[0]), slice(0, image.shape[1])


def _bounding_box(layers: list[Patch], height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of the picture that any patch touches; empty where none does."""
    low = np.min([[patch.top, patch.left] for patch in layers], axis=0)
    high = np.max([[patch.top + patch.rgba.shape[0], patch.left + patch.rgba.shape[1]] for patch in layers], axis=0)
    low, high = np.clip(low, 0, (height, width)), np.clip(high, 0, (height, width))
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


def _compose(backdrop: Image, layers: list[Patch], occluder: Patch | None, box: tuple[slice, slice]) -> Image:
    """Linear light in a box of the picture: patches over the backdrop from back to front."""
    light = backdrop[box].copy()
    rows, columns = light.shape[:2]
    for patch in [*layers, *([] if occluder is None else [occluder])]:
        first = np.array([patch.top - box[0].start, patch.left - box[1].start])
        low = np.clip(first, 0, (rows, columns))
        high = np.maximum(np.minimum(first + patch.rgba.shape[:2], (rows, columns)), low)
        part = patch.rgba[low[0] - first[0] : high[0] - first[0], low[1] - first[1] : high[1] - first[1]]
        onto = (slice(low[0], high[0]), slice(low[1], high[1]))
        light[onto] = light[onto] * (1.0 - part[..., 3:]) + part[..., :3]
    return light


def _encode(light: Image) -> Image:
    """Grey levels (0..255, not rounded) of linear light."""
    return np.asarray(cv2.pow(light, 1.0 / GAMMA), dtype=np.float32) * np.float32(255.0) if light.size else light


def _noise_sigma(light: Image, noise: float) -> Image:
    """(h, w) sigma in grey levels: shot and read noise in linear light, through the encoding's slope."""
    luma = np.maximum(light @ LUMA, np.float32(DARKEST))
    slope = (luma / np.float32(MID_GREY)) ** np.float32(1.0 / GAMMA - 1.0)
    return np.float32(noise) * slope * np.sqrt(READ_SHARE + (1.0 - READ_SHARE) * luma / np.float32(MID_GREY))


def _encode_film(scene: Scene, path: Path, frames: Iterator[tuple[float, Bytes]], crf: int, progress: Progress | None) -> None:
    rate = Fraction(scene.fps).limit_denominator(1001)
    steady = bool(np.allclose(scene.times, np.arange(len(scene)) / float(rate), atol=0.5 / CLOCK))
    base = 1 / rate if steady else Fraction(1, CLOCK)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height = scene.view.size_px
        stream.pix_fmt, stream.time_base = "yuv420p", base
        stream.codec_context.thread_count = ENCODER_THREADS
        stream.options = {"crf": str(crf), "preset": PRESET, "x264-params": EVERYWHERE_THE_SAME}
        for k, (t, image) in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = (k if steady else round(t * CLOCK)), base
            container.mux(stream.encode(frame))
            if progress is not None:
                progress("render", k + 1, len(scene))
        container.mux(stream.encode(None))
