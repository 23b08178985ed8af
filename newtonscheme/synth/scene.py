"""Scenes with known truth: a body that a force pattern moves, seen by a random plausible camera, and noisy tracks of it.

The truth is integrated by DOP853 at a tight tolerance, apart from the integrators that fits use, and need not obey a pattern's own
constant coefficients (see `aerodynamics`). Times are those of mid-exposure, counted from the first frame's: a truth's centre is where
the body is in the middle of the exposure, and a rendered streak reaches equally far to both sides of it in time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from ..catalogue import Ball
from ..errors import UsageError
from ..physics.air import drag_coefficient_prior
from ..physics.force import Drawn, ForceModel
from ..physics.models import FORCE_MODELS
from ..types import Bools, Floats, Track, _freeze
from .aerodynamics import DRAG_LAWS, LIFT_LAWS, drag_ratio, lift_ratio
from .view import LARGEST_RADIUS_SHARE, View, place_view

SIZES_PX = ((320, 240), (640, 360), (640, 480), (854, 480), (1280, 720), (1920, 1080), (1080, 1920), (3840, 2160))
FRAME_RATES = (24.0, 25.0, 30000 / 1001, 30.0, 50.0, 60000 / 1001, 60.0, 120.0, 240.0)
FRAMES_RANGE = (12, 400)  # fewer show no law; more only cost time
SPAN_RANGE = (0.3, 0.9)  # of the picture, in the direction that fills it most
RADIUS_RANGE_PX = (1.5, np.inf)  # a ball of 3 px across is the smallest that anything can be said about
SHUTTER_REACH = 0.45  # of a frame to either side of its middle: the longest exposure anything is rendered with is 0.9
MAX_DRAWS = 400  # a golf ball rarely fills a small picture; none of 681 scenes at 320 x 240 with a radius of 2.5 px or more failed
LEAST_DRAG = 0.05  # no ball in air has less (Achenbach 1974: a smooth sphere just above its crisis has 0.07)
BODY_DRAWS = 20  # enough that one of them has a body of nearly the wanted size
LAW_SHARE = 0.5  # of curving balls, whose lift follows a published law and not the fit's own constant
DRAG_LAW_SHARE = 0.25  # of flights, whose drag follows a published law
SIGMA_RANGE_PX = (0.02, 1.0)  # from a disc fit on a clean film to a blob's centroid
CORRELATIONS = (0.5, 0.8)  # lag one: what tracking over texture and compression shows
HAND_TIME = 0.25  # s in which a hand brings a ball from rest to the speed it lets go at
RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 1e-10, 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """When and how large pictures are taken: ``times`` (n,) s from 0, mid-exposure."""

    size_px: tuple[int, int]
    fps: float
    times: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One body's motion before one camera, with everything about it known.

    ``pattern`` is the force model's name, None for a motion that no pattern owns; ``family`` the model's or the motion's name.
    ``values`` holds every parameter at the moment the pattern begins (SI); ``laws`` the laws of drag and lift that the truth obeyed.
    ``governed`` (n,) marks the frames in which the pattern's forces alone act (not before a hand lets go). ``velocity_px`` (px/s) and
    ``acceleration_px`` (px/s^2) give the sweep during an exposure, exact at its middle and at `SHUTTER_REACH` of a frame to both sides.
    """

    pattern: str | None
    family: str
    values: Mapping[str, float]
    laws: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    view: View
    fps: float
    diameter: float
    times: Floats
    position: Floats
    centre_px: Floats
    radius_px: Floats
    velocity_px: Floats
    acceleration_px: Floats
    visible: Bools
    governed: Bools

    def __post_init__(self) -> None:
        n = len(self.times)
        for name, shape in (("times", (n,)), ("position", (n, 3)), ("centre_px", (n, 2)), ("radius_px", (n,))):
            _freeze(self, name, getattr(self, name), shape)
        for name in ("velocity_px", "acceleration_px"):
            _freeze(self, name, getattr(self, name), (n, 2))
        for name in ("visible", "governed"):
            _freeze(self, name, getattr(self, name), (n,), np.bool_)

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A ball of the catalogue with its own diameter (m) and mass (kg); its drag coefficient goes with its speed."""

    ball: Ball
    diameter: float
    mass: float


def draw_scene(
    rng: np.random.Generator,
    pattern: str,
    *,
    size_px: tuple[int, int] | None = None,
    fps: float | None = None,
    duration: float | None = None,
    span: tuple[float, float] = SPAN_RANGE,
    hold: float = 0.0,
    body: Thing | None = None,
    least_radius_px: float = RADIUS_RANGE_PX[0],
) -> Scene:
    """A truth of one pattern before a random plausible camera.

    Args:
        rng: the only source of chance.
        pattern: a key of `physics.models.FORCE_MODELS`.
        size_px: width and height of the picture; drawn when None.
        fps: frames for each second; drawn from common rates when None.
        duration: seconds to film the pattern for; the drawn truth's own when None.
        span: least and largest share of the picture that the motion fills; over 1 it leaves the picture.
        hold: seconds for which a hand holds and throws the body first.
        body: the thing that moves, in place of a drawn one.
        least_radius_px: the smallest apparent radius to accept.

    Raises:
        UsageError: no camera shows this pattern in a picture of this size at these limits.
    """
    model = FORCE_MODELS[pattern]
    possible = least_radius_px <= LARGEST_RADIUS_SHARE * min(size_px or SIZES_PX[-1])
    for _ in range(MAX_DRAWS if possible else 0):
        drawn = _draw_truth(rng, model, body)
        recording = draw_recording(rng, drawn.duration if duration is None else duration, size_px=size_px, fps=fps, hold=hold)
        values, laws = dict(drawn.values), _draw_laws(rng, drawn.values)
        path = _with_hand(_solve_path(model, values, laws), hold)
        scene = compose_scene(
            rng, path, values["diameter"], recording, pattern=pattern, family=pattern, values=values, laws=laws, span=span, hold=hold
        )
        if scene is not None and scene.radius_px.min() >= least_radius_px:
            return scene
    wanted = f"a radius of {least_radius_px:g} px or more in a picture of {size_px}"
    raise UsageError(f"no view of {pattern} found: wanted {wanted}; make the picture larger")


def _draw_truth(rng: np.random.Generator, model: ForceModel, body: Thing | None) -> Drawn:
    """A truth of the model; for a given body, the one of several whose own body is nearest in size, as its speeds and lengths suit it."""
    if body is None:
        return model.draw(rng)
    several = [model.draw(rng) for _ in range(BODY_DRAWS)]
    nearest = min(several, key=lambda drawn: abs(np.log(drawn.values["diameter"] / body.diameter)))
    values = {**nearest.values, "diameter": body.diameter, "mass": body.mass}
    if "drag_coefficient" in values:
        speed = float(np.linalg.norm([values[name] for name in ("vx", "vy", "vz")]))
        drag = drag_coefficient_prior(body.ball, speed, body.diameter)
        values["drag_coefficient"] = float(max(rng.normal(drag.value, drag.sigma), LEAST_DRAG))
    return Drawn(values=values, duration=nearest.duration)


def draw_recording(
    rng: np.random.Generator, duration: float, *, size_px: tuple[int, int] | None = None, fps: float | None = None, hold: float = 0.0
) -> Recording:
    """A picture size and frame times for a motion of ``duration`` s, of which 12 to 400 frames are taken after ``hold`` s before it."""
    fewest, most = FRAMES_RANGE
    if fps is None:
        fast_enough = [rate for rate in FRAME_RATES if duration * rate >= fewest]
        fps = float(rng.choice(fast_enough)) if fast_enough else FRAME_RATES[-1]
    n = int(np.clip(round(duration * fps), fewest, most)) + round(hold * fps)
    size = SIZES_PX[int(rng.integers(len(SIZES_PX)))] if size_px is None else size_px
    return Recording(size_px=size, fps=fps, times=np.arange(n) / fps)


def compose_scene(
    rng: np.random.Generator,
    path: Callable[[Floats], Floats],
    diameter: float,
    recording: Recording,
    *,
    pattern: str | None,
    family: str,
    values: Mapping[str, float],
    laws: Mapping[str, str] | None = None,
    span: tuple[float, float] = SPAN_RANGE,
    hold: float = 0.0,
) -> Scene | None:
    """A path in metres, filmed: None where no camera of the chosen field of view shows it well.

    ``path(t)`` is called once, with increasing times (3 n,) that surround every frame's middle.
    """
    reach = SHUTTER_REACH / recording.fps
    positions = path((recording.times[:, None] + np.array([-reach, 0.0, reach])).ravel()).reshape(-1, 3, 3)
    view = place_view(rng, positions[:, 1], 0.5 * diameter, recording.size_px, float(rng.uniform(*span)))
    if view is None:
        return None
    seen, scale = view.project(positions)
    before, centre, after = seen[:, 0], seen[:, 1], seen[:, 2]
    width, height = recording.size_px
    inside = np.all((centre >= 0) & (centre <= (width - 1, height - 1)), axis=1)
    return Scene(
        pattern=pattern, family=family, values=MappingProxyType(dict(values)), laws=MappingProxyType(dict(laws or {})), view=view,
        fps=recording.fps, diameter=diameter, times=recording.times, position=positions[:, 1], centre_px=centre,
        radius_px=0.5 * diameter * scale[:, 1], velocity_px=(after - before) / (2 * reach), acceleration_px=(after - 2 * centre + before) / reach**2,
        visible=inside & (scale[:, 1] > 0), governed=(recording.times >= hold - 0.5 / recording.fps) & (pattern is not None),
    )  # fmt: skip


def _draw_laws(rng: np.random.Generator, values: Mapping[str, float]) -> dict[str, str]:
    """Which laws the truth obeys: "constant" or a published one."""
    laws = {}
    if "drag_coefficient" in values:
        laws["drag"] = str(rng.choice(sorted(DRAG_LAWS))) if rng.uniform() < DRAG_LAW_SHARE else "constant"
    if "lift_x" in values:
        laws["lift"] = str(rng.choice(sorted(LIFT_LAWS))) if rng.uniform() < LAW_SHARE else "constant"
    return laws


def _solve_path(model: ForceModel, values: Mapping[str, float], laws: Mapping[str, str]) -> Callable[[Floats], Floats]:
    """Positions (n, 3) at increasing times (s), of which some may lie before the start."""
    from scipy.integrate import solve_ivp

    start = model.initial_state(values)
    rhs = _lawful_rhs(model, values, laws)

    def path(t: Floats) -> Floats:
        states = np.empty((len(t), len(start)))
        for rows in (np.flatnonzero(t >= 0), np.flatnonzero(t < 0)[::-1]):
            if len(rows):
                stretch = (0.0, float(t[rows[-1]]))
                solution = solve_ivp(rhs, stretch, start, method="DOP853", t_eval=t[rows], rtol=RELATIVE_TOLERANCE, atol=ABSOLUTE_TOLERANCE)
                states[rows] = solution.y.T
        return model.position(states, values)

    return path


def _lawful_rhs(model: ForceModel, values: Mapping[str, float], laws: Mapping[str, str]) -> Callable[[float, Floats], Floats]:
    """The model's equation of motion with coefficients that follow the laws as the speed changes."""
    published = {kind: law for kind, law in laws.items() if law != "constant"}
    if not published:
        prepared: dict[str, float | Floats] = {**values, **model.prepare(values)}
        return lambda t, y: model.rhs(t, y, prepared)
    launch = max(float(np.linalg.norm([values[name] for name in ("vx", "vy", "vz")])), 1.0)
    ratios: list[tuple[tuple[str, ...], Callable[[float], float]]] = []
    if "drag" in published:
        ratios.append((("drag_coefficient",), drag_ratio(published["drag"], launch, values["diameter"], values["air_density"])))
    if "lift" in published:
        axis = tuple(name for name in ("lift_x", "lift_y", "lift_z"))
        ratios.append((axis, lift_ratio(published["lift"], float(np.linalg.norm([values[name] for name in axis])), launch)))

    def rhs(t: float, y: Floats) -> Floats:
        speed = float(np.linalg.norm(y[3:6]))
        changed = {name: values[name] * ratio(speed) for names, ratio in ratios for name in names}
        return model.rhs(t, y, {**values, **changed})

    return rhs


def _with_hand(path: Callable[[Floats], Floats], hold: float) -> Callable[[Floats], Floats]:
    """The path delayed by ``hold`` s, in which a hand brings the body from rest to where and how fast the path begins."""
    if hold <= 0:
        return path

    def held(t: Floats) -> Floats:
        flight = t - hold
        step = 1e-4
        free = np.concatenate([[-step, 0.0, step], flight[flight > step]])
        positions = path(free)
        velocity = (positions[2] - positions[0]) / (2 * step)
        moved = np.empty((len(t), 3))
        moved[flight > step] = positions[3:]
        u = np.clip(1.0 + flight[flight <= step] / min(HAND_TIME, hold), 0.0, None)
        travelled = np.where(u <= 1, u**3 - 0.5 * u**4, u - 0.5) - 0.5  # the integral of the smoothstep 3 u^2 - 2 u^3
        moved[flight <= step] = positions[1] + min(HAND_TIME, hold) * travelled[:, None] * velocity
        return moved

    return held


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackNoise:
    """What a tracker adds to the truth.

    ``sigma_px`` is the centre's typical sigma, ``spread`` that of its logarithm from sample to sample, ``stretch`` the ratio of the sigma
    along the motion to that across it; ``correlation`` the lag-one correlation of the errors; ``outlier_share`` of the samples are wrong by
    up to ``outlier_px``. ``clock_jitter`` (s) disturbs the time stamps. ``missing_share`` of the samples is lost one by one, and ``gap``
    in a row. ``radius_sigma_px`` and ``radius_bias_px`` are those of the apparent radius (NaN sigma: not measured).
    """

    sigma_px: float = 0.1
    spread: float = 0.0
    stretch: float = 1.0
    correlation: float = 0.0
    outlier_share: float = 0.0
    outlier_px: float = 0.0
    clock_jitter: float = 0.0
    missing_share: float = 0.0
    gap: int = 0
    radius_sigma_px: float = 0.2
    radius_bias_px: float = 0.0


def draw_noise(rng: np.random.Generator, scene: Scene) -> TrackNoise:
    """Noise of a random kind: white, correlated, with outliers, a jittered clock or gaps, at 0.02 to 1 px."""
    sigma = float(np.exp(rng.uniform(*np.log(SIGMA_RANGE_PX))))
    radius = float(np.median(scene.radius_px))
    chance = rng.uniform(size=5)
    return TrackNoise(
        sigma_px=sigma,
        spread=float(rng.uniform(0.0, 0.5)),
        stretch=float(rng.uniform(1.0, 2.5)),
        correlation=float(rng.choice(CORRELATIONS)) if chance[0] < 0.5 else 0.0,
        outlier_share=0.05 if chance[1] < 0.2 else 0.0,
        outlier_px=float(rng.uniform(5.0, 40.0)) * sigma + radius * float(rng.uniform(0.0, 2.0)),
        clock_jitter=float(rng.uniform(0.0, 0.05)) / scene.fps if chance[2] < 0.15 else 0.0,
        missing_share=float(rng.uniform(0.0, 0.2)) if chance[3] < 0.3 else 0.0,
        gap=int(rng.integers(0, max(len(scene) // 5, 1) + 1)) if chance[4] < 0.2 else 0,
        radius_sigma_px=sigma * float(rng.uniform(0.7, 3.0)) if rng.uniform() < 0.85 else float("nan"),
        radius_bias_px=float(rng.normal(0.0, 0.02)) * radius,
    )


def film(scene: Scene, rng: np.random.Generator, noise: TrackNoise | None = None) -> Track:
    """The track that a tracker with this noise makes of a scene, without a picture being rendered.

    ``covariance_px`` is that of the centre's ordinary error, and ``correlation_time`` its own; outliers, the clock's jitter and the
    radius' bias are in the samples and not in what the track says of itself, as in a real one. Noise is drawn when None.
    """
    noise = draw_noise(rng, scene) if noise is None else noise
    n, step = len(scene), 1.0 / scene.fps
    root = _error_shapes(rng, scene, noise)
    centre = scene.centre_px + np.einsum("nij,nj->ni", root, _correlated(rng, n, noise.correlation))
    wrong = rng.uniform(size=n) < noise.outlier_share
    angle = rng.uniform(0, 2 * np.pi, n)
    throw = wrong * noise.outlier_px * rng.uniform(0.3, 1.0, n)
    centre = centre + throw[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    t = scene.times + np.clip(noise.clock_jitter * rng.standard_normal(n), -0.45 * step, 0.45 * step)
    radius = scene.radius_px + noise.radius_bias_px + np.nan_to_num(noise.radius_sigma_px) * rng.standard_normal(n)
    kept = np.flatnonzero(_seen(rng, scene, noise))
    return Track(
        frame=kept,
        t=t[kept],
        centre_px=centre[kept],
        covariance_px=(root @ np.swapaxes(root, 1, 2))[kept],
        radius_px=np.where(np.isfinite(noise.radius_sigma_px), np.maximum(radius, 0.1), np.nan)[kept],
        radius_sigma_px=np.full(len(kept), noise.radius_sigma_px),
        score=np.ones(len(kept)),
        correlation_time=-step / float(np.log(noise.correlation)) if noise.correlation > 0 else 0.0,
    )


def _error_shapes(rng: np.random.Generator, scene: Scene, noise: TrackNoise) -> Floats:
    """(n, 2, 2) roots of the errors' covariances: longer along the motion, different from sample to sample."""
    sigma = noise.sigma_px * np.exp(noise.spread * rng.standard_normal(len(scene)))
    speed = np.linalg.norm(scene.velocity_px, axis=1, keepdims=True)
    along = np.where(speed > 0, scene.velocity_px / np.maximum(speed, 1e-12), np.array([1.0, 0.0]))
    outer = along[:, :, None] * along[:, None, :]
    return sigma[:, None, None] * (np.eye(2) + (noise.stretch - 1.0) * outer)


def _correlated(rng: np.random.Generator, n: int, correlation: float) -> Floats:
    """(n, 2) unit errors of a first-order autoregression that is stationary from its first sample."""
    white = rng.standard_normal((n, 2))
    for i in range(1, n if correlation > 0 else 0):
        white[i] = correlation * white[i - 1] + np.sqrt(1.0 - correlation**2) * white[i]
    return white


def _seen(rng: np.random.Generator, scene: Scene, noise: TrackNoise) -> Bools:
    """(n,) which samples the tracker delivers: never the loss of more than the fewest that a scene has."""
    seen = scene.visible & (rng.uniform(size=len(scene)) >= noise.missing_share)
    if noise.gap:
        start = int(rng.integers(1, max(len(scene) - noise.gap, 2)))
        seen[start : start + noise.gap] = False
    return seen if seen.sum() >= FRAMES_RANGE[0] // 2 else scene.visible
