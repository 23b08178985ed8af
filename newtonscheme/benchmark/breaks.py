"""Breaks after a law was locked: how soon, and where, does the monitor find them, and which of its tests finds them first?

A body is pushed, the film is cut, a string is let go, or goes slack where a swing that is too high leaves it nothing to pull on. The law is
locked on the part that was seen, begun at the truth: what is judged is the check, not the lock. Breaks that no observer could place within two
frames are told apart by one who knows the path before and after, and the noise: the sequential test (Wald 1945) of one path against the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from ..baselines.forecaster import Question
from ..camera import assume_camera
from ..estimation.fitting import fit_pattern, restate
from ..estimation.monitor import FALSE_ALARM, OUT, OUT_OF, alarm_threshold, normalised_squares, start, step
from ..physics.integration import solve_one
from ..physics.models import FORCE_MODELS
from ..synth.scene import Scene, TrackNoise, compose_scene, draw_noise, draw_recording, draw_scene, film
from ..types import Fit, Floats, Track
from .cases import OBSERVED_SHARE, count_seen
from .ours import NOBODY, plain_knowledge, truth_as_fit
from .suites import describe_scene

Path = Callable[[Floats], Floats]

KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "free_fall": ("none", "contact", "cut"),
    "pendulum": ("none", "contact", "cut", "release", "slack"),
    "curving_ball": ("none", "contact", "cut"),
})  # fmt: skip
"""What can befall each pattern; "none" counts the false alarms of motions that go on."""
TESTS = ("sample by sample", "charges", "jump")
"""Two of three samples out of line; the balance of the Noether charges; a jump among the innovations."""
KICK_RANGE = (0.3, 1.5)
"""Change of velocity in a contact, as a share of the motion's rms speed: at a turning point, what is there would be next to none."""
SKIP_RANGE = (0.25, 0.5)
"""Shares of the frames left that a cut takes out."""
BREAK_FROM, BREAK_TO = 0.6, 0.85
"""Shares of the motion between which breaks fall: after what was seen, and before the end."""
LEAST_SEEN, WATCHED_AFTER = 6, 40
"""Samples to lock on, and samples watched after a break."""
SLACK_AMPLITUDES = (100.0, 150.0)
"""Degrees that a swing would reach on a rod: on a string it leaves the circle at cos(theta) = 2/3 cos(amplitude)."""
SLACK_AFTER = 0.4
"""Of the time to that place, watched beyond it."""


FOUND_WITHIN = 2
"""Frames between a break and the place that is named."""
EQUAL_ALARMS = 5e-4
"""False alarms for each sample at which the tests are compared: some ten in a default plan, so that the rate is known to a third."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One motion under the locked law.

    ``watched`` samples before the break; ``peaks`` by test: the highest evidence among them; ``rises`` by test: (evidence, frames after the
    break, frames between the break and the place that is named) of every new height from the break on. ``visible`` is whether who knows both
    paths and the noise would have known within `FOUND_WITHIN` frames.
    """

    pattern: str
    kind: str
    watched: int
    visible: bool
    peaks: Mapping[str, float] = field(default_factory=dict)
    rises: Mapping[str, tuple[tuple[float, int, int], ...]] = field(default_factory=dict)


def watch_break(pattern: str, kind: str, rng: np.random.Generator) -> Watched | None:
    """One break of a kind, watched by all tests; None where the motion cannot be locked or is over before it breaks."""
    scene, begin = _draw_slack(rng) if kind == "slack" else _draw_any(pattern, rng)
    noise = draw_noise(rng, scene)
    broken = break_scene(scene, kind, begin, rng)
    track = film(broken, rng, noise)
    seen = int(np.sum(track.t <= scene.times[max(count_seen(scene.times, OBSERVED_SHARE) - 1, 0)]))
    place = len(track) if kind == "none" else int(np.searchsorted(track.t, begin))
    if seen < LEAST_SEEN or (kind != "none" and place >= len(track)) or place <= seen:
        return None
    fit = lock(scene, track.select(slice(0, seen)), pattern)
    if fit is None or not fit.success:
        return None
    last = min(len(track), place + WATCHED_AFTER)
    evidence = _watch(fit, track.select(slice(seen, last)))
    peaks = {test: max((value for value, _ in rows[: place - seen]), default=-math.inf) for test, rows in evidence.items()}
    rises = {test: _rises(rows, place - seen, track.t[seen:last]) for test, rows in evidence.items()}
    visible = kind != "none" and _oracle_delay(scene, broken, noise, begin) <= FOUND_WITHIN
    return Watched(pattern=pattern, kind=kind, watched=place - seen, visible=visible, peaks=peaks, rises=rises)


def lock(scene: Scene, rows: Track, pattern: str) -> Fit | None:
    """The law's fit to what was seen, begun at the truth."""
    width, height = scene.view.size_px
    question = Question(observed=rows, t=rows.t[-1:] + 1.0, camera=assume_camera(width, height))
    known = plain_knowledge().known
    near = truth_as_fit(describe_scene(scene), question, known)
    return fit_pattern(rows, pattern, camera=question.camera, body=NOBODY, known=known, near=near)


def _draw_any(pattern: str, rng: np.random.Generator) -> tuple[Scene, float]:
    scene = draw_scene(rng, pattern)
    return scene, float(scene.times[0] + rng.uniform(BREAK_FROM, BREAK_TO) * (scene.times[-1] - scene.times[0]))


def _draw_slack(rng: np.random.Generator) -> tuple[Scene, float]:
    """A swing from below that rises past a right angle, with the moment at which its string has nothing left to pull on."""
    model = FORCE_MODELS["pendulum"]
    while True:
        values = dict(model.draw(rng).values) | {"damping": 0.0, "quadratic_damping": 0.0, "dry_damping": 0.0}
        w2 = model.time_scale(values) ** -2.0
        top = math.radians(rng.uniform(*SLACK_AMPLITUDES))
        theta = math.radians(rng.uniform(-60.0, 0.0))
        values |= {"theta": theta, "omega": float(np.sqrt(2.0 * w2 * (math.cos(theta) - math.cos(top))))}
        fine = np.linspace(0.0, 8.0 / float(np.sqrt(w2)), 4000)
        states, _ = solve_one(model, values, fine)
        slack = np.flatnonzero(states[:, 1] ** 2 + w2 * np.cos(states[:, 0]) < 0)
        if len(slack) == 0:
            continue
        begin = float(fine[slack[0]])
        recording = draw_recording(rng, begin * (1.0 + SLACK_AFTER))
        path = _until(begin, partial(_swing, values), _let_go(values, begin))
        scene = compose_scene(rng, path, values["diameter"], recording, pattern="pendulum", family="pendulum", values=values)
        if scene is not None and begin < scene.times[-1]:
            return scene, begin


def _swing(values: Mapping[str, float], t: Floats) -> Floats:
    """Positions (n, 3) of a pendulum at increasing times, of those before its start the start's."""
    model = FORCE_MODELS["pendulum"]
    times, place = np.unique(np.maximum(t, 0.0), return_inverse=True)
    return model.position(solve_one(model, values, times)[0], values)[place]


def _until(begin: float, before: Path, after: Path) -> Path:
    return lambda t: np.where((t < begin)[:, None], before(t), after(t))


def _let_go(values: Mapping[str, float], begin: float) -> Path:
    """The path (n, 3) of a bob whose string stops pulling at ``begin``: free fall from its place and velocity there."""
    model = FORCE_MODELS["pendulum"]
    step_s = 1e-4
    states, _ = solve_one(model, values, np.array([0.0, begin - step_s, begin, begin + step_s]))
    place = model.position(states, values)
    velocity = (place[3] - place[1]) / (2.0 * step_s)

    def path(t: Floats) -> Floats:
        since = np.maximum(t - begin, 0.0)[:, None]
        return place[2] + velocity * since - 0.5 * values["g"] * since**2 * np.array([0.0, 1.0, 0.0])

    return path


def break_scene(scene: Scene, kind: str, begin: float, rng: np.random.Generator) -> Scene:
    """The scene with a break at ``begin`` (s); unchanged where it has its own (slack) or none."""
    if kind == "contact":
        speed, angle = float(np.sqrt(np.mean(np.sum(scene.velocity_px**2, axis=1)))), rng.uniform(0.0, 2.0 * np.pi)
        push = rng.uniform(*KICK_RANGE) * speed * np.array([np.cos(angle), np.sin(angle)])
        return replace(scene, centre_px=scene.centre_px + np.maximum(scene.times - begin, 0.0)[:, None] * push)
    if kind == "cut":
        first = int(np.searchsorted(scene.times, begin))
        left = len(scene) - first
        skipped = max(1, int(rng.uniform(*SKIP_RANGE) * left))
        rows = np.concatenate([np.arange(first), np.arange(first + skipped, len(scene))])
        shown = ("position", "centre_px", "radius_px", "velocity_px", "acceleration_px", "visible", "governed")
        return replace(scene, times=scene.times[: len(rows)], **{name: getattr(scene, name)[rows] for name in shown})
    if kind == "release":
        centre, scale = scene.view.project(_let_go(scene.values, begin)(scene.times))
        late = scene.times >= begin
        return replace(
            scene, centre_px=np.where(late[:, None], centre, scene.centre_px), radius_px=np.where(late, 0.5 * scene.diameter * scale, scene.radius_px)
        )
    return scene


def _oracle_delay(whole: Scene, broken: Scene, noise: TrackNoise, begin: float) -> float:
    """Frames after the break until the two known paths' log likelihood ratio is expected to pass that of the stated false alarm."""
    n = len(broken)
    expected = whole.centre_px[:n]
    if broken is whole:
        swing = _swing(whole.values, whole.times)
        expected = whole.view.project(swing)[0]
    apart = np.where((broken.times >= begin)[:, None], broken.centre_px - expected, 0.0)
    apart[1:] = (apart[1:] - noise.correlation * apart[:-1]) / math.sqrt(1.0 - noise.correlation**2)
    sigma = noise.sigma_px * math.sqrt(0.5 * (1.0 + noise.stretch**2))
    energy = np.cumsum(np.sum((apart / sigma) ** 2, axis=1))
    known = np.flatnonzero(energy > -2.0 * math.log(FALSE_ALARM))
    return float(known[0] - np.searchsorted(broken.times, begin)) if len(known) else math.inf


def _watch(fit: Fit, rest: Track) -> dict[str, list[tuple[float, float]]]:
    """By test, (evidence, moment of the break that it names, s) of every sample; 1 is where the test by samples rings."""
    known = plain_knowledge().known
    squares = normalised_squares(restate(fit, known), fit, rest) / alarm_threshold(fit.noise.dof)
    monitor = start(fit, known, charges=True)
    rows: dict[str, list[tuple[float, float]]] = {test: [] for test in TESTS}
    for i in range(len(rest)):
        monitor, innovation = step(monitor, rest.select(slice(i, i + 1)))
        last = squares[max(i - OUT_OF + 1, 0) : i + 1]
        evidence = float(min(squares[i], np.sort(last)[-OUT])) if len(last) >= OUT else -math.inf
        first = max(i - OUT_OF + 1, 0) + int(np.argmax(last >= evidence))
        rows[TESTS[0]].append((evidence, float(rest.t[first])))
        rows[TESTS[1]].append((innovation.imbalance, innovation.unbalanced_at))
        rows[TESTS[2]].append((innovation.jump, innovation.broken_at))
    return rows


def _rises(rows: Sequence[tuple[float, float]], place: int, t: Floats) -> tuple[tuple[float, int, int], ...]:
    """Every new height of the evidence from the break on, with the frames since and the frames from the break to the moment that it names."""
    highest, found = -math.inf, []
    for i, (evidence, moment) in enumerate(rows[place:]):
        if evidence > highest:
            highest = evidence
            found.append((evidence, i, int(np.searchsorted(t, moment)) - place))
    return tuple(found)


def summarise_breaks(found: Sequence[Watched], alarms: Mapping[str, float]) -> dict[str, Any]:
    """Rows of what was found, by pattern and kind, at the evidence that rings; and of the tests, there and at equal false alarms."""
    broken = [each for each in found if each.kind != "none"]
    groups = [(p, k) for p in KINDS for k in KINDS[p] if any(each.pattern == p and each.kind == k for each in broken)]
    chosen = TESTS[2]
    rows = [{"pattern": p, "kind": k, **_count([b for b in broken if (b.pattern, b.kind) == (p, k)], chosen, alarms[chosen])} for p, k in groups]
    watched = sum(each.watched for each in found)
    tests = []
    for test in TESTS:
        peaks = sorted((each.peaks[test] for each in found), reverse=True)
        allowed = min(round(EQUAL_ALARMS * watched), len(peaks) - 1)
        level = peaks[allowed] if peaks else alarms[test]
        tests.append(
            {
                "test": test, "watched": watched, "stated": sum(peak > alarms[test] for peak in peaks), "equal": sum(peak > level for peak in peaks),
                **_count(broken, test, level),
            }
        )  # fmt: skip
    return {"breaks": rows, "tests": tests}


def _count(broken: Sequence[Watched], test: str, level: float) -> dict[str, Any]:
    """How many breaks rise above a level, how soon, and how near they are placed."""
    first = [next(((delay, late) for evidence, delay, late in each.rises[test] if evidence > level), None) for each in broken]
    delays = [hit[0] for hit in first if hit is not None]
    placed = [hit is not None and abs(hit[1]) <= FOUND_WITHIN for hit in first]
    return {
        "count": len(broken), "found": len(delays), "within": sum(placed), "visible": sum(each.visible for each in broken),
        "visible_within": sum(near for near, each in zip(placed, broken, strict=True) if each.visible),
        "mean_delay": float(np.mean(delays)) if delays else None,
    }  # fmt: skip
