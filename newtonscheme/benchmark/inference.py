"""`ns benchmark inference`: are the bands true, is the optimum the right one, is a wrong law refused, is a break found, and at once?

Tracks are the simulated suite's own (`suites.list_recipes`), so their seeds are those of no training. Every figure stands beside its number
of tracks; shares of samples are first taken for each track, as the samples of one track stand and fall together.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from multiprocessing import get_context
from types import MappingProxyType
from typing import Any
from zlib import crc32

import numpy as np

from ..camera import assume_camera
from ..estimation.analysis import analyse_track
from ..estimation.fitting import fit_pattern
from ..estimation.forecasting import forecast_beliefs
from ..estimation.monitor import CHARGE_ALARM, JUMP_ALARM
from ..estimation.recognition import Recogniser, load_recogniser
from ..physics.models import FORCE_MODELS, PATTERNS
from ..pipeline import find_refusal
from ..synth.motions import FAMILIES, draw_unknown
from ..synth.scene import film
from ..synth.seeds import whole_seed
from ..types import Belief, Progress, Refusal
from .breaks import KINDS, TESTS, Watched, summarise_breaks, watch_break
from .cases import Case, Recipe
from .ours import NOBODY, NewtonScheme, Oracle, plain_knowledge
from .run import single_threads
from .suites import list_recipes, make_cases

SCHEMA = "newtonscheme.inference/1"
LEVELS = (0.5, 0.8, 0.9, 0.95)
"""Nominal coverages of the bands."""
MANY_SAMPLES = 60
"""Seen samples from which a track counts as long."""
SAME_OPTIMUM = 1.1
"""A fit whose forecast errs by more than this times the error of the one that began at the truth, and by more than its noise, lies elsewhere."""
SEPARABLE = (0.0, 3.0, 10.0)
"""Log evidence of the true law over the best wrong one of its family, both from fits that know nothing else: the bins' edges."""


@dataclass(frozen=True, slots=True)
class InferencePlan:
    """How many tracks of each pattern, refusals of each family, and breaks of each kind of each pattern."""

    name: str
    tracks: int
    refusals: int
    breaks: int


PLANS: Mapping[str, InferencePlan] = MappingProxyType(
    {
        "quick": InferencePlan("quick", tracks=10, refusals=1, breaks=5),
        "default": InferencePlan("default", tracks=100, refusals=8, breaks=63),
        "full": InferencePlan("full", tracks=2000, refusals=100, breaks=500),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One track of a known pattern.

    ``coverage`` is the share of coordinates inside the band of each of `LEVELS`, ``rms_px`` and ``width_px`` the forecast's error and mean
    half-width at 90 %, ``best_*`` the same of the fit that began at the truth under the true law. ``parameters`` are (estimate - truth) over
    sigma. ``separable`` is the log evidence over the best wrong law of the family, None where the family has no other.
    """

    pattern: str
    kind: str
    samples: int
    named: str | None
    refused: str
    coverage: tuple[float, ...] = ()
    rms_px: float = 0.0
    width_px: float = 0.0
    best_rms_px: float = 0.0
    best_width_px: float = 0.0
    parameters: Mapping[str, float] = field(default_factory=dict)
    separable: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One motion of no pattern: what it was taken for, None where it was refused."""

    family: str
    taken_for: str | None


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do, in plain words, for another process."""

    kind: str
    recipe: Recipe | None = None
    name: str = ""
    index: int = 0
    seed: int = 0


ALARMS: Mapping[str, float] = MappingProxyType(dict(zip(TESTS, (1.0, CHARGE_ALARM, JUMP_ALARM), strict=True)))
"""The evidence at which each test of a break rings."""

Found = Judged | Refused | Watched | None


def run_inference(
    plan: InferencePlan, *, seed: int = 0, workers: int = 2, patterns: Sequence[str] = PATTERNS, progress: Progress | None = None
) -> dict[str, Any]:
    """Everything measured, as a document of plain values.

    Args:
        plan: how many of each.
        seed: of the test motions.
        workers: processes.
        patterns: which force patterns.
        progress: called with (stage, done, total).
    """
    begun = time.perf_counter()
    tasks = list_tasks(plan, seed, patterns)
    found = []
    for i, each in enumerate(_work(tasks, workers), start=1):
        found.append(each)
        if progress is not None:
            progress("judging the inference", i, len(tasks))
    return summarise_inference(found, plan=plan.name, seed=seed) | {"elapsed_s": time.perf_counter() - begun}


def list_tasks(plan: InferencePlan, seed: int, patterns: Sequence[str]) -> list[Task]:
    """Every track, motion of no pattern and break of a plan."""
    recipes = list_recipes("simulated", plan.tracks, seed=seed, patterns=patterns)
    tasks = [Task("track", recipe=recipe) for recipe in recipes]
    tasks += [Task("refusal", name=family, index=i, seed=seed) for family in FAMILIES for i in range(plan.refusals)]
    kinds = [f"{pattern}/{kind}" for pattern in patterns for kind in KINDS[pattern]]
    return tasks + [Task("break", name=kind, index=i, seed=seed) for kind in kinds for i in range(plan.breaks)]


def _work(tasks: Sequence[Task], workers: int) -> Iterator[Found]:
    if workers < 2:
        yield from map(do_task, tasks)
        return
    with single_threads(), get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(do_task, tasks, chunksize=2)


def do_task(task: Task) -> Found:
    """What one task finds; None where its motion cannot be used."""
    if task.kind == "track" and task.recipe is not None:
        return judge_track(make_cases(task.recipe).cases[0])
    rng = np.random.default_rng(whole_seed("test", task.seed, crc32(task.kind.encode()), crc32(task.name.encode()), task.index))
    if task.kind == "refusal":
        return judge_refusal(task.name, rng)
    pattern, kind = task.name.split("/")
    return watch_break(pattern, kind, rng)


@cache
def _recogniser() -> Recogniser:
    """A process's own."""
    return load_recogniser()


def judge_track(case: Case) -> Judged:
    """Ours and the best possible on one track of known truth."""
    question = case.question
    scheme = NewtonScheme(recogniser=_recogniser())
    reply, seen = scheme.explain(question)
    samples = len(question.observed)
    separable = _separate(case)
    if find_refusal(seen) is not None or seen.fit is None or isinstance(reply, Refusal):
        return Judged(pattern=case.pattern, kind=case.kind, samples=samples, named=None, refused=seen.verdict, separable=separable)
    coverage, rms, width = _cover(seen.beliefs, case)
    best = Oracle().fit(case)
    best_rms, best_width = _cover((Belief(best, 1.0),), case)[1:] if best is not None and best.success else (np.nan, np.nan)
    truth = {} if case.truth is None or seen.fit.pattern != case.pattern else case.truth.report(float(seen.fit.track.t[0]))
    measured = {n: q for n, q in seen.fit.parameters.items() if n in truth and q.source == "measured" and q.sigma > 0}
    return Judged(
        pattern=case.pattern, kind=case.kind, samples=samples, named=seen.pattern.name, refused="", coverage=coverage, rms_px=rms, width_px=width,
        best_rms_px=best_rms, best_width_px=best_width, parameters={n: (q.value - truth[n]) / q.sigma for n, q in measured.items()},
        separable=separable,
    )  # fmt: skip


def _cover(beliefs: Sequence[Belief], case: Case) -> tuple[tuple[float, ...], float, float]:
    """Coverage at each level, rms error and the mean half-width at 90 %, both px."""
    known, t = plain_knowledge().known, case.question.t
    coverage, rms, width = [], np.nan, np.nan
    for level in LEVELS:
        forecast, _ = forecast_beliefs(beliefs, known, t, level=level)
        truth = case.truth_px[: len(forecast.t)]
        coverage.append(float(np.mean((forecast.lower_px <= truth) & (truth <= forecast.upper_px))))
        if level == 0.9:
            rms = float(np.sqrt(np.mean(np.sum((forecast.centre_px - truth) ** 2, axis=1))))
            width = float(np.mean(0.5 * (forecast.upper_px - forecast.lower_px)))
    return tuple(coverage), rms, width


def _separate(case: Case) -> float | None:
    """Log evidence of the true law, from a fit begun at the truth, over the best other law of its family."""
    family = FORCE_MODELS[case.pattern].family
    others = [name for name in PATTERNS if FORCE_MODELS[name].family == family and name != case.pattern]
    best = Oracle().fit(case)
    if not others or best is None or not best.success:
        return None
    known, question = plain_knowledge().known, case.question
    fits = [fit_pattern(question.observed, name, camera=question.camera, body=NOBODY, known=known) for name in others]
    evidence = [fit.evidence for fit in fits if fit.success]
    return best.evidence - max(evidence) if evidence else None


def judge_refusal(family: str, rng: np.random.Generator) -> Refused:
    """What a motion of no pattern is taken for."""
    scene = draw_unknown(rng, family)
    width, height = scene.view.size_px
    seen = analyse_track(film(scene, rng), _recogniser(), assume_camera(width, height), plain_knowledge(), size_px=(width, height))
    return Refused(family=family, taken_for=None if find_refusal(seen) is not None else seen.pattern.name)


def summarise_inference(found: Sequence[Found], *, plan: str, seed: int) -> dict[str, Any]:
    """Counts and shares of everything found; what could not be used is left out and counted."""
    tracks = [each for each in found if isinstance(each, Judged)]
    breaks = [each for each in found if isinstance(each, Watched)]
    refusals = [each for each in found if isinstance(each, Refused)]
    answered = [each for each in tracks if not each.refused]
    patterns = sorted({each.pattern for each in tracks}, key=PATTERNS.index)
    kinds = sorted({each.kind for each in tracks})
    strata = [(p, "all", [a for a in answered if a.pattern == p]) for p in patterns]
    strata += [(p, f"{MANY_SAMPLES} samples or more", [a for a in answered if a.pattern == p and a.samples >= MANY_SAMPLES]) for p in patterns]
    strata += [("all", kind, [a for a in answered if a.kind == kind]) for kind in kinds]
    return {
        "schema": SCHEMA, "plan": plan, "seed": seed, "unused": sum(each is None for each in found),
        "bands": [_band(p, stratum, rows) for p, stratum, rows in strata if rows],
        "optimum": [_optimum(p, [a for a in answered if a.pattern == p]) for p in patterns],
        "parameters": [row for p in patterns for row in _spread(p, [a for a in answered if a.pattern == p])],
        "naming": _naming(tracks, patterns),
        "refusals": [_refusal(family, [r for r in refusals if r.family == family]) for family in sorted({r.family for r in refusals})],
        **summarise_breaks(breaks, ALARMS),
        "wrong_law": {"tracks": len(answered), "wrong": sum(a.named != a.pattern for a in answered)},
    }  # fmt: skip


def _band(pattern: str, stratum: str, rows: Sequence[Judged]) -> dict[str, Any]:
    shares = np.array([row.coverage for row in rows])
    ratio = np.array([row.width_px / max(row.best_width_px, 1e-12) for row in rows])
    error = shares.std(axis=0) / np.sqrt(len(rows))
    return {
        "pattern": pattern, "stratum": stratum, "tracks": len(rows), "levels": list(LEVELS), "coverage": shares.mean(axis=0).tolist(),
        "sigma": error.tolist(), "width_over_best": _finite(np.nanmedian(ratio)),
    }  # fmt: skip


def _optimum(pattern: str, rows: Sequence[Judged]) -> dict[str, Any]:
    own, best = (np.array([getattr(row, name) for row in rows], dtype=float) for name in ("rms_px", "best_rms_px"))
    both = np.isfinite(own) & np.isfinite(best)
    ratio = own[both] / np.maximum(best[both], 1e-9)
    return {
        "pattern": pattern, "tracks": int(both.sum()), "median_ratio": _finite(np.median(ratio)) if both.any() else None,
        "rms_ratio": _finite(np.exp(np.mean(np.log(np.maximum(ratio, 1e-9))))) if both.any() else None,
        "elsewhere": _finite(np.mean(ratio > SAME_OPTIMUM)) if both.any() else None,
    }  # fmt: skip


def _spread(pattern: str, rows: Sequence[Judged]) -> list[dict[str, Any]]:
    """How the parameters' errors compare with their sigmas, and how far their ranks are from even (Kolmogorov-Smirnov)."""
    from scipy.special import ndtr
    from scipy.stats import kstest

    found = []
    for name in sorted({name for row in rows for name in row.parameters}):
        z = np.array([row.parameters[name] for row in rows if name in row.parameters])
        if len(z) < 5:
            continue
        found.append(
            {
                "pattern": pattern, "name": name, "tracks": len(z), "spread": _finite(1.4826 * np.median(np.abs(z - np.median(z)))),
                "bias": _finite(np.median(z)), "inside_90": _finite(np.mean(np.abs(z) < 1.645)),
                "even_ranks_p": _finite(kstest(ndtr(z), "uniform").pvalue),
            }
        )  # fmt: skip
    return found


def _naming(tracks: Sequence[Judged], patterns: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for pattern in patterns:
        mine = [track for track in tracks if track.pattern == pattern]
        edges = (-np.inf, *SEPARABLE, np.inf)
        told = [track for track in mine if track.separable is not None]
        bins: list[tuple[float | None, float | None, list[Judged]]] = [
            (low, high, [t for t in told if low <= (t.separable or 0.0) < high]) for low, high in pairwise(edges)
        ]
        bins += [(None, None, [t for t in mine if t.separable is None])]
        for low, high, chosen in bins:
            if chosen:
                rows.append(
                    {
                        "pattern": pattern, "from": None if low is None else _finite(low), "to": None if high is None else _finite(high),
                        "tracks": len(chosen), "named": sum(t.named == pattern for t in chosen), "refused": sum(bool(t.refused) for t in chosen),
                        "simpler_or_other": sum(t.named not in (None, pattern) for t in chosen),
                    }
                )  # fmt: skip
    return rows


def _refusal(family: str, rows: Sequence[Refused]) -> dict[str, Any]:
    taken = [row.taken_for for row in rows if row.taken_for is not None]
    return {"family": family, "motions": len(rows), "refused": len(rows) - len(taken), "taken_for": sorted(set(taken))}


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if np.isfinite(number) else None
