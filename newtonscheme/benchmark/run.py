"""Runs a benchmark: makes the cases, looks for leaks, asks everyone, and gathers the answers.

A recipe is one job. Its cases are made, checked and asked in one process, so that two processes share nothing but plain values; the answers
do not depend on how many there are. Only times do.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from multiprocessing import get_context
from types import MappingProxyType
from typing import Any

import numpy as np

from ..baselines.forecaster import Forecaster
from ..errors import UsageError
from ..physics.models import PATTERNS
from ..types import Floats, Forecast, Progress, Refusal
from .cases import OBSERVED_SHARE, SUITES, Case, Recipe, Suite
from .leaks import check_cards, check_case
from .lock import POLICIES, Streamed, follow
from .metrics import Errors, judge_forecast
from .ours import ORACLE, OURS, NewtonScheme, Oracle
from .roster import Roster, call_roster
from .suites import list_recipes, recipe_seed

GRAVITY_HOLDS = frozenset({"simulated", "video"})
"""Suites in which what ours takes for granted is true, so that its parameters can be compared with the truth."""
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Two processes with two threads each would wait for each other on two cores."""
LOCK_SUITE: Suite = "simulated"


@dataclass(frozen=True, slots=True)
class Plan:
    """How many motions of each pattern: of each suite, at all observed shares, of lock-then-check; and its name in the results."""

    name: str
    simulated: int
    shifted: int
    video: int
    real: int
    all_shares: int
    lock: int


QUICK = Plan("quick", simulated=5, shifted=6, video=1, real=6, all_shares=2, lock=1)
DEFAULT = Plan("default", simulated=20, shifted=18, video=5, real=22, all_shares=10, lock=4)
FULL = Plan("full", simulated=200, shifted=120, video=40, real=22, all_shares=60, lock=20)
PLANS = MappingProxyType({plan.name: plan for plan in (QUICK, DEFAULT, FULL)})


@dataclass(frozen=True, slots=True)
class Facts:
    """What a table needs to know of a case."""

    name: str
    suite: Suite
    pattern: str
    kind: str
    observed_share: float
    seen: int
    asked: int
    path_px: float
    fps: float
    units: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One forecaster's answer to one case, judged.

    ``refused`` says why there is no forecast, "" where there is one. For ours, ``pattern`` is the named one (None: none) and
    ``parameters`` maps a quantity to (truth, estimate, sigma).
    """

    case: str
    forecaster: str
    refused: str
    errors: Errors | None
    elapsed_ms: float
    pattern: str | None = None
    parameters: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Example:
    """One case to be drawn: what was seen (n, 2), what came (h, 2), everyone's forecast (h, 2), and ours' band."""

    case: str
    pattern: str
    seen_px: Floats
    truth_px: Floats
    forecasts: Mapping[str, Forecast]


@dataclass(frozen=True, slots=True)
class Job:
    """A recipe with what is to be done with it."""

    recipe: Recipe
    example: bool = False
    lock: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What a job found."""

    facts: tuple[Facts, ...] = ()
    answers: tuple[Answer, ...] = ()
    streamed: tuple[Streamed, ...] = ()
    examples: tuple[Example, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything that a benchmark found; `tables.summarise` makes numbers of it."""

    plan: str
    seed: int
    suites: tuple[Suite, ...]
    forecasters: tuple[str, ...]
    left_out: Mapping[str, str]
    cards: Mapping[str, Mapping[str, Any]]
    weights_bytes: Mapping[str, int]
    facts: tuple[Facts, ...]
    answers: tuple[Answer, ...]
    streamed: tuple[Streamed, ...]
    examples: tuple[Example, ...]
    notes: tuple[str, ...]
    elapsed_s: float


CallRoster = Callable[[], Roster]


@dataclass(frozen=True, slots=True)
class Weights:
    """Calls the roster with the weights of a folder; equal by value, so that a process builds each roster once."""

    folder: str | None

    def __call__(self) -> Roster:
        """Everyone who can run here."""
        return call_roster(self.folder)


def run_benchmark(
    suites: Sequence[str] | None = None,
    *,
    plan: Plan = DEFAULT,
    data: str | None = None,
    seed: int = 0,
    workers: int = 2,
    patterns: Sequence[str] = PATTERNS,
    weights: str | None = None,
    roster: CallRoster | None = None,
    progress: Progress | None = None,
) -> Results:
    """Ask everyone the same questions.

    Args:
        suites: names of `SUITES`; all where None, the real one only where ``data`` is given.
        plan: how many motions of each.
        data: folder of real tables and films.
        seed: of the test motions; another seed gives others.
        workers: processes.
        patterns: which force patterns.
        weights: folder of the neural rivals' weights, in place of those that ship.
        roster: gives those who take part, in place of `call_roster`; with several workers, a function that another process can import.
        progress: called with (stage, done, total).

    Raises:
        UsageError: no such suite, or the real one without a folder.
        LeakFound: an answer could have been seen before.
    """
    chosen = choose_suites(suites, data)
    begun = time.perf_counter()
    call = Weights(weights) if roster is None else roster
    called = _called(call)
    jobs = list_jobs(chosen, plan, data, seed, patterns)
    drawn = [recipe_seed(job.recipe) for job in jobs if job.recipe.suite != "real"]
    check_cards(called.cards, drawn, _real_digests())
    done = list(_watched(_work(call, jobs, workers), len(jobs), progress))
    return Results(
        plan=plan.name, seed=seed, suites=chosen, forecasters=tuple(f.name for f in called.forecasters), left_out=called.left_out,
        cards=called.cards, weights_bytes=called.weights_bytes, facts=tuple(f for d in done for f in d.facts),
        answers=tuple(a for d in done for a in d.answers), streamed=tuple(s for d in done for s in d.streamed),
        examples=tuple(e for d in done for e in d.examples), notes=tuple(n for d in done for n in d.notes),
        elapsed_s=time.perf_counter() - begun,
    )  # fmt: skip


def choose_suites(names: Sequence[str] | None, data: str | None) -> tuple[Suite, ...]:
    """The suites that are meant, in their own order.

    Raises:
        UsageError: there is no such suite, or the real one is asked for without a folder.
    """
    wanted = set(names or [suite for suite in SUITES if suite != "real" or data is not None])
    unknown = sorted(wanted - set(SUITES))
    if unknown:
        raise UsageError(f"found no suite '{unknown[0]}', needed one of {', '.join(SUITES)}")
    if "real" in wanted and data is None:
        raise UsageError("the real suite needs files that do not ship; name their folder with --data")
    return tuple(suite for suite in SUITES if suite in wanted)


def list_jobs(suites: Sequence[Suite], plan: Plan, data: str | None, seed: int, patterns: Sequence[str]) -> list[Job]:
    """What is to be done, the longest first, so that no process idles at the end."""
    jobs = []
    for suite in suites[::-1]:
        count = int(getattr(plan, suite))
        recipes = list_recipes(suite, count, seed=seed, patterns=patterns, all_shares=plan.all_shares, folder=data)
        own = suite == LOCK_SUITE
        jobs += [Job(recipe, example=own and recipe.index == 0, lock=own and recipe.index < plan.lock) for recipe in recipes]
    return jobs


def _real_digests() -> list[str]:
    from .real import read_manifest

    return [str(entry["sha256"]) for entry in read_manifest()]


@cache
def _called(call: CallRoster) -> Roster:
    """A process's own forecasters: networks are read once."""
    return call()


def _work(call: CallRoster, jobs: Sequence[Job], workers: int) -> Iterator[Done]:
    """Each job's findings, in the jobs' order."""
    task = partial(do_job, call)
    if workers < 2 or len(jobs) < 2:
        yield from map(task, jobs)
        return
    with single_threads(), get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(task, jobs)


def _watched(done: Iterator[Done], total: int, progress: Progress | None) -> Iterator[Done]:
    for i, found in enumerate(done, start=1):
        if progress is not None:
            progress("asking everyone", i, total)
        yield found


@contextmanager
def single_threads() -> Iterator[None]:
    """New processes begin with one thread each; this one's own environment is as it was afterwards."""
    before = {name: os.environ.get(name) for name in THREAD_LIMITS}
    os.environ.update(dict.fromkeys(THREAD_LIMITS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def do_job(call: CallRoster, job: Job) -> Done:
    """Make the cases of a recipe, check them, and ask everyone."""
    from .suites import make_cases

    made = make_cases(job.recipe)
    facts, answers, streamed, examples = [], [], [], []
    for case in made.cases:
        check_case(case)
        facts.append(_describe(case))
        found = [ask_forecaster(forecaster, case) for forecaster in _called(call).forecasters]
        found += [ask_oracle(case)] if case.truth is not None else []
        answers += [answer for answer, _ in found]
        if case.observed_share == OBSERVED_SHARE:
            forecasts = {answer.forecaster: forecast for answer, forecast in found if forecast is not None}
            examples += [Example(case.name, case.pattern, case.question.observed.centre_px, case.truth_px, forecasts)] if job.example else []
            streamed += _follow_both(case) if job.lock else []
    return Done(tuple(facts), tuple(answers), tuple(streamed), tuple(examples), made.notes)


def _describe(case: Case) -> Facts:
    question = case.question
    return Facts(
        name=case.name, suite=case.suite, pattern=case.pattern, kind=case.kind, observed_share=case.observed_share, seen=len(question.observed),
        asked=len(question.t), path_px=case.path_px, fps=case.fps, units=case.units,
    )  # fmt: skip


def _follow_both(case: Case) -> list[Streamed]:
    """The case followed under each policy; nothing where one of them cannot begin."""
    found = [streamed for streamed in (follow(case, policy) for policy in POLICIES) if streamed is not None]
    return found if len(found) == len(POLICIES) else []


def ask_forecaster(forecaster: Forecaster, case: Case) -> tuple[Answer, Forecast | None]:
    """One forecaster's judged answer; one that breaks is counted as a refusal that says so."""
    pattern, parameters = None, {}
    begun = time.perf_counter()
    try:
        if isinstance(forecaster, NewtonScheme):
            reply, seen = forecaster.told(case.units).explain(case.question)
            pattern = seen.pattern.name
            if isinstance(reply, Forecast) and seen.fit is not None and case.truth is not None and case.suite in GRAVITY_HOLDS:
                truth = case.truth.report(float(seen.fit.track.t[0])) if seen.fit.pattern == case.pattern else {}
                measured = {name: q for name, q in seen.fit.parameters.items() if name in truth and q.source == "measured"}
                parameters = {name: (truth[name], q.value, q.sigma) for name, q in measured.items()}
        else:
            reply = forecaster.forecast(case.question)
    except UsageError:
        raise
    except Exception as error:
        reply = Refusal("broke", f"{type(error).__name__}: {error}")
    elapsed_ms = 1e3 * (time.perf_counter() - begun)
    return _judged(forecaster.name, case, reply, elapsed_ms, pattern, parameters)


def ask_oracle(case: Case) -> tuple[Answer, Forecast | None]:
    """The best possible's answer."""
    begun = time.perf_counter()
    reply = Oracle().forecast(case)
    return _judged(ORACLE, case, reply, 1e3 * (time.perf_counter() - begun), None, {})


def _judged(
    name: str, case: Case, reply: Forecast | Refusal, elapsed_ms: float, pattern: str | None, parameters: Mapping[str, tuple[float, float, float]]
) -> tuple[Answer, Forecast | None]:
    if isinstance(reply, Refusal):
        return Answer(case.name, name, reply.reason, None, elapsed_ms, pattern), None
    errors = judge_forecast(reply, case)
    if errors is None:
        return Answer(case.name, name, "not_finite", None, elapsed_ms, pattern), None
    return Answer(case.name, name, "", errors, elapsed_ms, pattern, dict(parameters)), reply


def refusal_shares(answers: Sequence[Answer]) -> dict[str, float]:
    """How often each reason was given, of all answers."""
    reasons, counts = np.unique([answer.refused for answer in answers if answer.refused], return_counts=True)
    return {str(reason): float(count) / len(answers) for reason, count in zip(reasons, counts, strict=True)}


__all__ = ["DEFAULT", "FULL", "ORACLE", "OURS", "PLANS", "QUICK", "Answer", "Example", "Facts", "Plan", "Results", "run_benchmark"]
