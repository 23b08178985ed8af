"""Windows of tracks with known answers: what the recogniser learns from and is judged by.

Known motions are drawn by every pattern's own `draw` before random cameras (`synth.scene`); unknown ones are the families of
`synth.motions`, *counterfeits* of known paths (`forge_path`: each breaks one law and keeps the rest) and *splices* of two paths, which
are what a window over a bounce, a hit or a release looks like. Each clean path then becomes windows: frame rates, lengths, gaps and
clocks vary, a lens bends it, the picture's scale drifts, and the errors of trackers are added in several kinds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..estimation.features import Features, window_features
from ..estimation.recognition import SHORTEST_WINDOW, UNKNOWN
from ..physics.models import FAMILIES, FORCE_MODELS
from ..synth.motions import FAMILIES as MOTIONS
from ..synth.motions import draw_unknown
from ..synth.scene import Scene, draw_scene
from ..types import Floats

LABELS = (*FAMILIES, UNKNOWN)
SPLICE, COUNTERFEIT = "splice", "counterfeit"

WINDOWS_PER_PATH = 6
"""Each with its own stretch, rate, noise and gaps: a scene costs as much as ten windows."""
UNKNOWN_SHARE = 0.45
"""Of all windows; the rest is shared evenly by the known families."""
SPLICE_SHARE, COUNTERFEIT_SHARE = 0.2, 0.25
"""Of the unknown windows."""
CLOSE_MOTIONS = frozenset(
    ("slide_at_constant_speed", "roll_down_incline", "brake_on_level", "fly_drone", "fall_the_wrong_way", "swing_driven", "fly_backwards")
)
"""Motions nearest to a pattern: drawn `CLOSE_WEIGHT` times as often, because what cannot be told from them must not look certain."""
CLOSE_WEIGHT = 3.0
WHOLE_MOTIONS = frozenset(("bounce", "cut_in_flight", "ride_in_lift", "play_yo_yo", "fly_backwards", "walk"))
"""Motions of which a short stretch may truly be a free flight, or nothing yet: their windows show at least `WHOLE` of the clip."""
WHOLE = 0.7
LENGTHS = tuple(int(n) for n in np.unique(np.geomspace(SHORTEST_WINDOW, 400, 30).round()))
"""Samples in a window: a geometric ladder, so that windows of one length can be worked on together."""
SPAN = (0.08, 0.95)
"""Of the picture, from a distant ball to one that fills it."""

ROLL_DEG = 3.5
"""Sigma of a camera held askew, on top of the scene's own two degrees: hands and cheap tripods are off by up to ten."""
SIGMA_PX = (0.03, 1.5)
"""From a large, sharp disc to a smeared blob of a few pixels."""
SHOWN_SIGMAS, SHOWN_SAMPLES = 5.0, 16
"""A window *shows* its motion when the true path leaves its best uniform straight line by five sigmas rms over 16 samples or more."""
SPLICE_MIDDLE = (0.25, 0.75)
"""Where in its window a splice lies: nearer to an end it is a matter of taste."""
WARP = (0.35, 0.85)
"""Relative change of pace in a counterfeit: from one that a hand makes to one that nearly stops."""
TURN_DEG = (45.0, 315.0)
"""Of a counterfeit's gravity: no camera is held like that."""
RAIL_DEG = (20.0, 75.0)
"""Of a counterfeit's straight rail from where it should point: no camera rolls by this much unseen."""
BEND, BEND_CYCLES = (0.04, 0.2), (1.3, 4.0)
"""Of a counterfeit that sways about its path: amplitude as a share of its extent, above what a lens does, and sways in the window."""


@dataclass(frozen=True, slots=True)
class Path:
    """A clean path in the picture: times (n,), centres (n, 2) and radii (n,) px, its label and the family it was drawn from."""

    t: Floats
    centre_px: Floats
    radius_px: Floats
    label: str
    family: str


@dataclass(frozen=True, slots=True)
class Window:
    """A noisy stretch of a path: what `window_features` takes, its label and family, and whether it shows its motion."""

    t: Floats
    centre_px: Floats
    sigma_px: Floats
    radius_px: Floats
    label: str
    family: str
    shows: bool


@dataclass(frozen=True, slots=True)
class Dataset:
    """Features of N windows with their label (N,), family (N,), number of samples (N,) and whether they show their motion (N,)."""

    features: Features
    label: NDArray[np.int64]
    family: NDArray[np.str_]
    samples: NDArray[np.int64]
    shows: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.label)


def draw_dataset(seed: np.random.SeedSequence, n_paths: int) -> Dataset:
    """Windows of ``n_paths`` paths, six of each, in the shares given above; the same seed gives the same data."""
    rng = np.random.default_rng(seed)
    windows: list[Window] = []
    for _ in range(n_paths):
        path = draw_path(rng)
        windows += [cut_window(rng, path) for _ in range(WINDOWS_PER_PATH)]
    return describe_windows(windows)


def join_datasets(parts: Sequence[Dataset]) -> Dataset:
    """One dataset after the other."""
    return Dataset(
        Features(np.concatenate([p.features.series for p in parts]), np.concatenate([p.features.scalars for p in parts])),
        np.concatenate([p.label for p in parts]),
        np.concatenate([p.family for p in parts]),
        np.concatenate([p.samples for p in parts]),
        np.concatenate([p.shows for p in parts]),
    )


def describe_windows(windows: Sequence[Window]) -> Dataset:
    """The features of windows of any lengths, those of one length together."""
    length = np.array([len(w.t) for w in windows])
    features: Features | None = None
    for n in np.unique(length):
        rows = np.flatnonzero(length == n)
        columns = [np.stack([getattr(windows[i], name) for i in rows.tolist()]) for name in ("t", "centre_px", "sigma_px", "radius_px")]
        part = window_features(*columns)
        if features is None:
            features = Features(
                np.empty((len(windows), *part.series.shape[1:]), np.float32), np.empty((len(windows), part.scalars.shape[1]), np.float32)
            )
        features.series[rows], features.scalars[rows] = part.series, part.scalars
    if features is None:
        raise ValueError("no windows to describe")
    return Dataset(
        features,
        np.array([LABELS.index(w.label) for w in windows]),
        np.array([w.family for w in windows]),
        length,
        np.array([w.shows for w in windows]),
    )


def draw_path(rng: np.random.Generator) -> Path:
    """A known path, or one of the three kinds of unknown ones."""
    if rng.random() >= UNKNOWN_SHARE:
        return draw_known(rng, str(rng.choice(FAMILIES)))
    kind = rng.random()
    if kind < SPLICE_SHARE:
        return splice_paths(rng, _draw_part(rng), _draw_part(rng))
    if kind < SPLICE_SHARE + COUNTERFEIT_SHARE:
        return forge_path(rng, draw_known(rng, str(rng.choice(FAMILIES))))
    return draw_motion(rng, _draw_motion_name(rng))


def draw_known(rng: np.random.Generator, family: str) -> Path:
    """A path of a pattern of this family, long enough for a window."""
    patterns = [name for name, model in FORCE_MODELS.items() if model.family == family]
    while True:
        scene = draw_scene(rng, str(rng.choice(patterns)), span=SPAN)
        rows = np.flatnonzero(scene.visible & scene.governed)
        if len(rows) >= SHORTEST_WINDOW:
            return _path(scene, rows, family, str(scene.pattern))


def draw_motion(rng: np.random.Generator, name: str) -> Path:
    """A path of a motion that no pattern owns."""
    while True:
        scene = draw_unknown(rng, name)
        rows = np.flatnonzero(scene.visible)
        if len(rows) >= SHORTEST_WINDOW:
            return _path(scene, rows, UNKNOWN, name)


def splice_paths(rng: np.random.Generator, first: Path, second: Path) -> Path:
    """The second path taken up where the first ends: a hit, a bounce, a catch or a release in the middle of the window."""
    share = rng.uniform(*SPLICE_MIDDLE)
    longest = min(len(first.t) / share, len(second.t) / (1 - share), LENGTHS[-1])
    total = np.exp(rng.uniform(np.log(SHORTEST_WINDOW + 2), np.log(max(longest, SHORTEST_WINDOW + 3))))
    n, m = min(max(round(share * total), 2), len(first.t)), min(max(round((1 - share) * total), 2), len(second.t))
    start = int(rng.integers(0, len(first.t) - n + 1))
    a, b = _take(first, slice(start, start + n)), _take(second, slice(0, m))
    step_a, step_b = np.median(np.diff(a.t)), np.median(np.diff(b.t))
    reach = float(np.linalg.norm(np.ptp(a.centre_px, axis=0))) / max(float(np.linalg.norm(np.ptp(b.centre_px, axis=0))), 1e-6)
    scale = reach * np.exp(rng.uniform(np.log(0.3), np.log(3.0)))
    velocity = (a.centre_px[-1] - a.centre_px[-2]) / (a.t[-1] - a.t[-2])
    pace = step_a / step_b
    moved = (b.centre_px - b.centre_px[0]) * scale + a.centre_px[-1] + velocity * step_a
    return Path(
        np.concatenate([a.t, a.t[-1] + step_a + (b.t - b.t[0]) * pace]),
        np.concatenate([a.centre_px, moved]),
        np.concatenate([a.radius_px, b.radius_px * a.radius_px[-1] / b.radius_px[0]]),
        UNKNOWN,
        SPLICE,
    )


def forge_path(rng: np.random.Generator, path: Path) -> Path:
    """A known path that breaks one law: gravity points elsewhere, the pace is uneven, it runs on a straight rail, or it sways."""
    kind = int(rng.integers(4))
    if kind == 1:
        return replace(path, t=_warp_pace(rng, path.t), label=UNKNOWN, family=COUNTERFEIT)
    centre = (_turn, _turn, _rail, _sway)[kind](rng, path)
    return replace(path, centre_px=centre, label=UNKNOWN, family=COUNTERFEIT)


def cut_window(rng: np.random.Generator, path: Path) -> Window:
    """A stretch of a path as a tracker would give it."""
    rows = _draw_rows(rng, path)
    clean = _take(path, rows)
    sigma = float(np.exp(rng.uniform(*np.log(SIGMA_PX))))
    bent = _bend_picture(rng, clean)
    centre = bent + _draw_errors(rng, clean, sigma)
    stated = sigma * np.exp(rng.normal(0.0, 0.4)) * np.exp(rng.normal(0.0, 0.2, len(rows)))
    return Window(
        _draw_clock(rng, clean.t), centre, stated, _draw_radii(rng, clean.radius_px), path.label, path.family,
        len(rows) >= SHOWN_SAMPLES and _departure(clean) >= SHOWN_SIGMAS * sigma,
    )  # fmt: skip


def _turn(rng: np.random.Generator, path: Path) -> Floats:
    """Centres turned about their middle."""
    middle = path.centre_px.mean(axis=0)
    return middle + _rotated(path.centre_px - middle, np.deg2rad(rng.uniform(*TURN_DEG)))


def _rotated(points: Floats, angle: float) -> Floats:
    c, s = np.cos(angle), np.sin(angle)
    return points @ np.array([[c, s], [-s, c]])


def _rail(rng: np.random.Generator, path: Path) -> Floats:
    """Centres on a straight line with the pace of the coordinate that tells most: v for a flight (an incline), u for a bob (a slider)."""
    slope = np.tan(np.deg2rad(rng.uniform(*RAIL_DEG))) * rng.choice([-1.0, 1.0])
    off = path.centre_px - path.centre_px.mean(axis=0)
    swings = FORCE_MODELS[path.family].anchor == "pivot"
    line = np.stack([off[:, 0], slope * off[:, 0]] if swings else [slope * off[:, 1], off[:, 1]], axis=1)
    return path.centre_px.mean(axis=0) + line


def _sway(rng: np.random.Generator, path: Path) -> Floats:
    """Centres with a slow sway added in a random direction."""
    u = (path.t - path.t[0]) / (path.t[-1] - path.t[0])
    extent = float(np.max(np.ptp(path.centre_px, axis=0)))
    amplitude = np.exp(rng.uniform(*np.log(BEND))) * extent
    turn, phase = rng.uniform(0, 2 * np.pi), rng.uniform(0, 2 * np.pi)
    wave = np.cos(2 * np.pi * rng.uniform(*BEND_CYCLES) * u + phase)
    return path.centre_px + amplitude * wave[:, None] * np.array([np.cos(turn), np.sin(turn)])


def _warp_pace(rng: np.random.Generator, t: Floats) -> Floats:
    """Times that run fast and slow in turn, from the same first to the same last."""
    u = (t - t[0]) / (t[-1] - t[0])
    cycles, phase = rng.uniform(0.7, 1.5), rng.uniform(0, 2 * np.pi)
    warped = u + rng.uniform(*WARP) / (2 * np.pi * cycles) * np.sin(2 * np.pi * cycles * u + phase)
    return t[0] + (t[-1] - t[0]) * (warped - warped[0]) / (warped[-1] - warped[0])


def _draw_part(rng: np.random.Generator) -> Path:
    """One side of a splice: known twice as often as not."""
    if rng.random() < 0.67:
        return draw_known(rng, str(rng.choice(FAMILIES)))
    return draw_motion(rng, _draw_motion_name(rng))


def _draw_motion_name(rng: np.random.Generator) -> str:
    names = sorted(MOTIONS)
    weight = np.array([CLOSE_WEIGHT if name in CLOSE_MOTIONS else 1.0 for name in names])
    return str(rng.choice(names, p=weight / weight.sum()))


def _path(scene: Scene, rows: NDArray[np.int64], label: str, family: str) -> Path:
    return Path(scene.times[rows], scene.centre_px[rows], scene.radius_px[rows], label, family)


def _take(path: Path, rows: slice | NDArray[np.int64]) -> Path:
    return replace(path, t=path.t[rows], centre_px=path.centre_px[rows], radius_px=path.radius_px[rows])


def _draw_rows(rng: np.random.Generator, path: Path) -> NDArray[np.int64]:
    """The rows of one window: a stretch, every k-th frame of it, less its gaps; its number is one of `LENGTHS`."""
    n = len(path.t)
    whole = path.family in WHOLE_MOTIONS or path.family in (SPLICE, COUNTERFEIT)
    stride = int(rng.choice([1, 1, 1, 2, 3])) if n >= 4 * SHORTEST_WINDOW else 1
    frames = np.arange(int(rng.integers(stride)), n, stride)
    least = max(SHORTEST_WINDOW, int(np.ceil(WHOLE * len(frames)))) if whole else SHORTEST_WINDOW
    stretch = len(frames) if rng.random() < 0.25 else int(np.exp(rng.uniform(np.log(least), np.log(len(frames) + 1))))
    stretch = int(np.clip(stretch, least, len(frames)))
    start = int(rng.integers(0, len(frames) - stretch + 1))
    frames = frames[start : start + stretch]
    wanted = stretch * rng.uniform(0.7, 1.0) if rng.random() < 0.3 else stretch
    keep = LENGTHS[int(np.searchsorted(LENGTHS, max(wanted, SHORTEST_WINDOW), side="right")) - 1]
    return _drop_rows(rng, frames, stretch - keep)


def _drop_rows(rng: np.random.Generator, frames: NDArray[np.int64], drop: int) -> NDArray[np.int64]:
    """Rows that were not seen: scattered, one gap, or all at the end."""
    n, kind = len(frames), rng.random()
    if kind < 0.5:
        return frames[: n - drop]
    if kind < 0.75:
        return np.sort(rng.permutation(frames)[: n - drop])
    start = int(rng.integers(1, n - drop)) if n - drop > 1 else 1
    return np.delete(frames, slice(start, start + drop))


def _bend_picture(rng: np.random.Generator, clean: Path) -> Floats:
    """(n, 2) centres in a picture held askew, through a lens with radial distortion, its scale drifting a little."""
    p = clean.centre_px
    middle, reach = p.mean(axis=0), np.max(np.ptp(p, axis=0)) * rng.uniform(0.6, 3.0) + 1.0
    axis = middle + rng.normal(0.0, 0.5, 2) * reach
    off = p - axis
    lens = 1.0 + (rng.normal(0.0, 0.03) * np.sum(off**2, axis=1) / reach**2 if rng.random() < 0.5 else 0.0)
    u = (clean.t - clean.t[0]) / (clean.t[-1] - clean.t[0])
    drift = 1.0 + (rng.normal(0.0, 0.005) * u if rng.random() < 0.3 else 0.0)
    return axis + _rotated(off, np.deg2rad(rng.normal(0.0, ROLL_DEG))) * np.asarray(lens * drift)[..., None]


def _draw_errors(rng: np.random.Generator, clean: Path, sigma: float) -> Floats:
    """(n, 2) tracker errors of about ``sigma``: white or correlated, at times with outliers, vibration, shading or whole pixels."""
    n = len(clean.t)
    error = rng.standard_normal((n, 2))
    if rng.random() < 0.4:
        rho = rng.uniform(0.3, 0.9)
        for i in range(1, n):
            error[i] = rho * error[i - 1] + np.sqrt(1 - rho**2) * error[i]
    error *= sigma
    u = (clean.t - clean.t[0])[:, None] / (clean.t[-1] - clean.t[0])
    if rng.random() < 0.15:
        error += rng.uniform(0.5, 2.0) * sigma * np.sin(2 * np.pi * rng.uniform(1.0, n / 3.0) * u + rng.uniform(0, 2 * np.pi, 2))
    if rng.random() < 0.2:
        error += rng.uniform(0.0, 0.05) * clean.radius_px[:, None] * np.sin(2 * np.pi * rng.uniform(0.3, 2.0) * u + rng.uniform(0, 2 * np.pi, 2))
    if rng.random() < 0.12:
        hit = rng.random(n) < rng.uniform(0.01, 0.06)
        error[hit] += rng.normal(0.0, rng.uniform(5.0, 25.0) * sigma, (int(hit.sum()), 2))
    if rng.random() < 0.08:
        grid = rng.choice([0.5, 1.0])
        error = np.round((clean.centre_px + error) / grid) * grid - clean.centre_px
    return error


def _draw_clock(rng: np.random.Generator, t: Floats) -> Floats:
    """The times as the file tells them: at times slow motion stored at a normal rate, or jittered stamps."""
    t = t - t[0]
    if rng.random() < 0.2:
        t = t * rng.choice([0.25, 0.5, 2.0, 4.0, 8.0])
    if rng.random() < 0.15:
        t = t + rng.uniform(-0.2, 0.2, len(t)) * np.min(np.diff(t)) * rng.random()
    return t + rng.uniform(0.0, 20.0)


def _draw_radii(rng: np.random.Generator, radius: Floats) -> Floats:
    """Apparent radii as measured: often not at all, else with an error of the edge and of each sample."""
    if rng.random() < 0.4:
        return np.full_like(radius, np.nan)
    scatter = np.exp(rng.uniform(np.log(0.005), np.log(0.15)))
    measured = radius * np.exp(rng.normal(0.0, 0.15)) * np.exp(rng.normal(0.0, scatter, len(radius)))
    measured[rng.random(len(radius)) < rng.choice([0.0, 0.0, 0.2])] = np.nan
    return measured


def _departure(clean: Path) -> float:
    """Rms distance (px, each axis) of a path from its best straight line at constant speed."""
    line = np.polynomial.legendre.legvander(2 * (clean.t - clean.t[0]) / (clean.t[-1] - clean.t[0]) - 1, 1)
    left = clean.centre_px - line @ np.linalg.lstsq(line, clean.centre_px, rcond=None)[0]
    return float(np.sqrt(np.mean(left**2)))
