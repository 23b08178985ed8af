"""`ns benchmark vision`: is the ball found, is it placed where it is, is the stated sigma true, and what do others make of the same films?

Every stratum changes one thing of an ordinary film. A clip is rendered, compressed, and given to each tracker as a file; the truth is the
renderer's. Seeds are those of no training.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any
from zlib import crc32

import cv2
import numpy as np

from ..errors import NothingTrackable, UsageError
from ..physics.models import PATTERNS
from ..pipeline import track
from ..synth.render import Companion, Look, draw_look, render
from ..synth.scene import Scene, draw_scene
from ..synth.seeds import whole_seed
from ..synth.simulation import SEEN_SHARE
from ..synth.texture import BallLook
from ..types import Progress
from ..vision import continuity, stabilisation, video  # noqa: F401  what the pipeline imports late would count as tracking
from .ours import OURS
from .run import single_threads
from .vision_measures import FoundTrack, Marks, TrueBall, describe_marks, judge_tracks, share_interval
from .vision_rivals import Hint, Rival, list_rivals

SCHEMA = "newtonscheme.vision/1"
FRAMES, LONGEST_S = 48, 1.0
"""Of a clip: what a throw takes at 60 frames a second; trackpy's time sets the limit."""
MOST_DRAWS = 3000
"""Of scenes, until one has a ball of the wanted size: one in fifty of the large."""
EVERY = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """One kind of film. ``look`` overrides fields of a drawn look; ``companion`` adds a second ball; ``hold`` s in a hand come first."""

    name: str
    words: str
    size_px: tuple[int, int] = (640, 360)
    fps: float = 60.0
    radius_px: tuple[float, float] = (6.0, 16.0)
    crf: int = 20
    hold: float = 0.0
    patterns: tuple[str, ...] = PATTERNS
    look: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    companion: bool = False
    quick: bool = True


ORDINARY = MappingProxyType({"backdrop": "textured", "exposure": 0.3, "noise": 1.5, "blur_px": 0.6, "shadow": 0.0, "flicker": 0.0})
"""What the strata change one thing of."""
STRATA = (
    Stratum(name="ordinary", words="640 x 360, 60 fps, radius 6 to 16 px, crf 20, textured wall"),
    Stratum(name="clutter", words="things and pictures in the ball's own colours behind it", look={"backdrop": "cluttered"}),
    Stratum(name="small", words="radius 1.5 to 3 px", radius_px=(1.5, 3.0)),
    Stratum(name="large", words="radius 30 to 60 px", radius_px=(30.0, 60.0)),
    Stratum(name="crf 12", words="hardly compressed", crf=12),
    Stratum(name="crf 32", words="compressed hard", crf=32),
    Stratum(name="blur", words="exposed for 0.9 of a frame", look={"exposure": 0.9}),
    Stratum(name="noise", words="6 grey levels of sensor noise", look={"noise": 6.0}),
    Stratum(name="flicker", words="light that changes by 4 %", look={"flicker": 0.04, "flicker_hz": 5.0}),
    Stratum(name="24 fps", words="24 frames a second", fps=24.0),
    Stratum(name="240 fps", words="240 frames a second", fps=240.0),
    Stratum(name="320 x 240", words="a small picture", size_px=(320, 240), radius_px=(4.0, 16.0)),
    Stratum(name="1080p", words="1920 x 1080", size_px=(1920, 1080), radius_px=(6.0, 30.0), quick=False),
    Stratum(name="occlusion", words="a bar of three diameters before the path", look={"occluder": 3.0}),
    Stratum(name="shadow", words="a shadow moves along on the wall", look={"shadow": 0.5}),
    Stratum(name="second ball", words="two balls at once, both to be found", companion=True),
    Stratum(name="hand", words="a hand holds it for 0.3 s and throws", hold=0.3, patterns=("free_fall", "curving_ball")),
)


@dataclass(frozen=True, slots=True)
class VisionPlan:
    """How many clips of each stratum, and whether of those alone that are quick."""

    name: str
    clips: int
    brief: bool = False


PLANS: Mapping[str, VisionPlan] = MappingProxyType(
    {
        "quick": VisionPlan("quick", clips=1, brief=True),
        "default": VisionPlan("default", clips=6),
        "full": VisionPlan("full", clips=60),
    }
)


@dataclass(frozen=True, slots=True)
class Clip:
    """One film to be made, in plain words, for another process."""

    stratum: int
    index: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What each tracker is worth on one clip: its marks by name."""

    stratum: int
    marks: Mapping[str, Marks]


def run_vision(plan: VisionPlan, *, seed: int = 0, workers: int = 2, progress: Progress | None = None) -> dict[str, Any]:
    """Everything measured, as a document of plain values.

    Args:
        plan: how many clips.
        seed: of the clips.
        workers: processes.
        progress: called with (stage, done, total).
    """
    begun = time.perf_counter()
    clips = [Clip(s, i, seed) for i in range(plan.clips) for s, stratum in enumerate(STRATA) if stratum.quick or not plan.brief]
    judged = []
    for i, each in enumerate(_work(clips, workers), start=1):
        judged.append(each)
        if progress is not None:
            progress("judging the tracker", i, len(clips))
    return summarise_vision(judged, plan=plan.name, seed=seed) | {"elapsed_s": time.perf_counter() - begun}


def _work(clips: Sequence[Clip], workers: int) -> Iterator[Judged]:
    if workers < 2:
        yield from map(judge_clip, clips)
        return
    with single_threads(), get_context("spawn").Pool(workers, initializer=_use_one_thread) as pool:
        yield from pool.imap_unordered(judge_clip, clips)


def _use_one_thread() -> None:
    cv2.setNumThreads(1)


def judge_clip(clip: Clip) -> Judged:
    """Render one clip, and let every tracker look at it."""
    stratum = STRATA[clip.stratum]
    rng = np.random.default_rng(whole_seed("test", clip.seed, crc32(b"vision"), crc32(stratum.name.encode()), clip.index))
    with TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        balls, governed = _make_film(stratum, film, rng)
        hint = _make_hint(balls[0], governed)
        marks = {}
        trackers: dict[str, Rival] = {OURS: lambda path, _: find_ours(path), **list_rivals()[0]}
        for name, follow in trackers.items():
            begun = time.process_time()
            tracks = follow(film, hint)
            marks[name] = judge_tracks(tracks, balls, cpu_s=time.process_time() - begun)
    return Judged(stratum=clip.stratum, marks=marks)


def find_ours(film: Path) -> list[FoundTrack]:
    """Our tracks, the first ranked first; none where nothing can be tracked."""
    try:
        found = track(film)
    except NothingTrackable:
        return []
    return [FoundTrack(frame=each.frame, centre_px=each.centre_px, covariance_px=each.total_covariance_px) for each in found.tracks]


def _make_film(stratum: Stratum, path: Path, rng: np.random.Generator) -> tuple[list[TrueBall], int]:
    """Write the film; its balls, and the frame from which the first one is free."""
    scene, look = _draw(stratum, rng), replace(draw_look(rng), **{**ORDINARY, **stratum.look})
    second = _draw(stratum, rng, frames=len(scene)) if stratum.companion else None
    companion = None if second is None else Companion(second, _other_ball(rng, look))
    film = render(scene, path, rng, look=look, companion=companion, crf=stratum.crf)
    free = int(np.argmax(scene.governed))
    balls = [TrueBall(centre_px=scene.centre_px, radius_px=scene.radius_px, visible=(film.seen >= SEEN_SHARE) & scene.governed)]
    if second is not None:
        apart = np.hypot(*(second.centre_px - scene.centre_px).T)
        clear = second.visible & (apart >= scene.radius_px + second.radius_px)
        balls.append(TrueBall(centre_px=second.centre_px, radius_px=second.radius_px, visible=clear))
    return balls, free


def _draw(stratum: Stratum, rng: np.random.Generator, frames: int | None = None) -> Scene:
    """A scene with a ball of the stratum's size."""
    duration = min(FRAMES / stratum.fps, LONGEST_S)
    low, high = stratum.radius_px
    for _ in range(MOST_DRAWS):
        pattern = stratum.patterns[int(rng.integers(len(stratum.patterns)))]
        try:
            scene = draw_scene(rng, pattern, size_px=stratum.size_px, fps=stratum.fps, duration=duration, hold=stratum.hold)
        except UsageError:
            continue
        if low <= float(np.median(scene.radius_px)) <= high and frames in (None, len(scene)):
            return scene
    raise UsageError(f"no scene found for the stratum '{stratum.name}' in {MOST_DRAWS} draws; choose another seed")


def _other_ball(rng: np.random.Generator, look: Look) -> BallLook:
    """The look of a second ball, of another kind."""
    while (ball := draw_look(rng).ball) == look.ball:
        pass
    return ball


def _make_hint(ball: TrueBall, free: int) -> Hint:
    seen = np.flatnonzero(ball.visible)
    first = max(int(seen[0]) if len(seen) else 0, free)
    return Hint(
        radius_px=float(np.median(ball.radius_px)), first_frame=first, first_centre_px=ball.centre_px[first],
        first_radius_px=float(ball.radius_px[first]),
    )  # fmt: skip


def summarise_vision(judged: Sequence[Judged], *, plan: str, seed: int) -> dict[str, Any]:
    """The cells of every stratum and tracker, and of all strata together."""
    names = list(judged[0].marks) if judged else []
    cells = []
    for s in sorted({each.stratum for each in judged}):
        mine = [each for each in judged if each.stratum == s]
        cells += [{"stratum": STRATA[s].name, "tracker": name, **describe_marks([each.marks[name] for each in mine])} for name in names]
    cells += [{"stratum": EVERY, "tracker": name, **describe_marks([each.marks[name] for each in judged])} for name in names]
    astray, clips = sum(each.marks[OURS].led_astray for each in judged), len(judged)
    wrong = {"clips": clips, "wrong": astray, "interval": list(share_interval(astray, clips))}
    return {
        "schema": SCHEMA, "plan": plan, "seed": seed, "opencv": cv2.__version__, "trackers": names, "left_out": dict(list_rivals()[1]),
        "strata": [{"name": s.name, "words": s.words} for s in STRATA if any(cell["stratum"] == s.name for cell in cells)],
        "cells": cells, "wrong_tracks": wrong,
    }  # fmt: skip
