"""Tracks that the neural rivals of `ns benchmark` learn from: drawn like every simulated clip, from seeds that no test uses.

A scene costs 10 to 25 ms, nearly all of it DOP853 at 1e-10 in scenes of up to 400 frames, and a filmed and encoded question 4; so every
scene is filmed twice, each time with noise and an observed share of its own. What is counted is scenes: two looks at one motion are one
track.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..baselines.forecaster import Question
from ..baselines.sequence import GRID, Floats32, encode, normalise
from ..files import replacing
from ..physics.models import PATTERNS
from ..synth import seeds
from ..synth.scene import Scene, draw_scene, film
from ..types import Progress

Part = Literal["training", "validation"]

RIVALS = 0x52495641
"""The first key ("RIVA") of every seed of the rivals' tracks under `seeds.TRAINING` and `seeds.VALIDATION`; the second is the block's number."""
TRAINING_SEEDS = (seeds.TRAINING, RIVALS)
VALIDATION_SEEDS = (seeds.VALIDATION, RIVALS)
BLOCK = 250
"""Tracks in one block: one seed, one file, one job; five seconds' work."""
LOOKS = 2
"""Questions about each scene, with noise, gaps and a share of their own."""
SHARES = (0.2, 0.8)
"""Of the scene that is observed: a little beyond the quarter and the three quarters that are asked for."""
FEWEST_OBSERVED, FEWEST_UNSEEN = 6, 3
HORIZONS = (0.25, 0.5, 1.0)
"""Shares of the unseen part over which the error is judged."""
VERSION = 1
"""Of what the files hold: raised when the encoding or the draw changes."""


@dataclass(frozen=True, slots=True, eq=False)
class RivalData:
    """Questions about N tracks, ``LOOKS`` of each, with their answers, all normalised (see `baselines.sequence`).

    ``series`` (N, 2, 64, 9), ``scalars`` (N, 2, 16) and ``curves`` (N, 2, 3, 4, 2) are what a net sees; ``target`` (N, 2, 72, 2) is the truth on
    `GRID`, held at its last value after the unseen part's end, ``end`` (N, 2) in observed durations; ``lengths`` (N, 2, 3) are those of the
    unseen path up to `HORIZONS` of it, in observed extents; ``pattern`` (N,) counts in `PATTERNS`.
    """

    series: Floats32
    scalars: Floats32
    curves: Floats32
    target: Floats32
    end: Floats32
    lengths: Floats32
    pattern: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pattern)

    def select(self, rows: NDArray[np.int64] | slice) -> RivalData:
        """The chosen tracks."""
        return RivalData(*(getattr(self, f.name)[rows] for f in fields(self)))


def block_seed(part: Part, block: int) -> np.random.SeedSequence:
    """The only seed of one block of tracks: entropy (`seeds.TRAINING` or `seeds.VALIDATION`, 2, `RIVALS`, block)."""
    return seeds.seed_sequence(part, RIVALS, block)


def is_rival_seed(entropy: int) -> bool:
    """Whether tracks of this whole seed (see `seeds.whole_seed`) may have been seen in the training or the choosing of a rival."""
    words = [(entropy >> (seeds.WORD_BITS * i)) & ((1 << seeds.WORD_BITS) - 1) for i in range(3)]
    return words[0] in (seeds.TRAINING, seeds.VALIDATION) and words[1:] == [2, RIVALS]


def load_tracks(
    work: Path, part: Part, n_tracks: int, *, first: int = 0, block: int = BLOCK, workers: int = 2, progress: Progress | None = None
) -> RivalData:
    """``n_tracks`` of a part from its ``first`` on; blocks that ``work`` does not hold yet are drawn and kept there.

    The same for any number of workers and after any interruption.
    """
    numbers = range(first // block, -(-(first + n_tracks) // block))
    missing = [number for number in numbers if not _block_file(work, part, number, block).exists()]
    for done, number in enumerate(_drawn(work, part, missing, block, workers), 1):
        if progress is not None:
            progress(f"drawing {part} tracks (block {number})", done, len(missing))
    start = first - numbers.start * block
    return join([_read_block(_block_file(work, part, number, block)) for number in numbers]).select(slice(start, start + n_tracks))


def draw_tracks(seed: np.random.SeedSequence, n_tracks: int) -> RivalData:
    """Tracks of all patterns in turn."""
    rng = np.random.default_rng(seed)
    return join([_draw_track(rng, i % len(PATTERNS)) for i in range(n_tracks)])


def join(parts: Sequence[RivalData]) -> RivalData:
    """One after the other."""
    return RivalData(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(RivalData)))


def _block_file(work: Path, part: Part, number: int, block: int) -> Path:
    size = "" if block == BLOCK else f"-{block}"
    return work / f"{part}{size}-v{VERSION}-{number:04d}.npz"


def _drawn(work: Path, part: Part, numbers: Sequence[int], block: int, workers: int) -> Iterator[int]:
    jobs = [(work, part, number, block) for number in numbers]
    if workers < 2 or len(jobs) < 2:
        yield from map(_draw_block, jobs)
        return
    with get_context("spawn").Pool(workers) as pool:
        yield from pool.imap_unordered(_draw_block, jobs)


def _draw_block(job: tuple[Path, Part, int, int]) -> int:
    work, part, number, block = job
    data = draw_tracks(block_seed(part, number), block)
    with replacing(_block_file(work, part, number, block), force=True) as file:
        np.savez(file, **{f.name: getattr(data, f.name) for f in fields(data)})
    return number


def _read_block(file: Path) -> RivalData:
    with np.load(file, allow_pickle=False) as arrays:
        return RivalData(*(arrays[f.name] for f in fields(RivalData)))


def _draw_track(rng: np.random.Generator, pattern: int) -> RivalData:
    """One scene, looked at twice."""
    while True:
        scene = draw_scene(rng, PATTERNS[pattern])
        looks = [_look(rng, scene) for _ in range(LOOKS)]
        if all(look is not None for look in looks):
            columns: list[NDArray[Any]] = [np.stack(column)[None] for column in zip(*(look for look in looks if look is not None), strict=True)]
            return RivalData(*[*columns, np.array([pattern])])


def _look(rng: np.random.Generator, scene: Scene) -> tuple[Floats32, ...] | None:
    """One question about a scene and its answer; None where too little is left to see or to tell."""
    from scipy.interpolate import CubicSpline

    track, share = film(scene, rng), rng.uniform(*SHARES)
    observed = track.select(slice(0, max(int(np.sum(track.t <= share * scene.times[-1])), FEWEST_OBSERVED)))
    unseen = scene.times > observed.t[-1]
    if unseen.sum() < FEWEST_UNSEEN:
        return None
    question = Question(observed=observed, t=scene.times[unseen], camera=scene.view.camera)
    encoding = encode(question)
    truth = CubicSpline(scene.times, scene.centre_px)
    end = float((scene.times[-1] - encoding.t) / encoding.duration)
    at = encoding.t + np.minimum(GRID, end) * encoding.duration
    path = truth(np.linspace(encoding.t, scene.times[-1], 8 * len(GRID)))
    course = np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1)) / encoding.extent_px
    lengths = np.interp(HORIZONS, np.arange(1, len(course) + 1) / len(course), course)
    target = normalise(encoding, at, truth(at))
    return encoding.series, encoding.scalars, encoding.curves, *(np.asarray(a, np.float32) for a in (target, end, lengths))
