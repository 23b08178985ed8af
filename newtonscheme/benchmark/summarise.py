"""From answers to numbers: medians with intervals, tails, bands, refusals, comparisons with ours, each with the number of its tracks."""

from __future__ import annotations

import platform
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast
from zlib import crc32

import numpy as np

from .. import __version__
from ..estimation.forecasting import normal_quantile
from ..notation import rounded
from ..synth.seeds import seed_sequence
from ..types import Floats
from .cases import OBSERVED_SHARE, SUITES, Suite
from .lock import POLICIES, Streamed
from .metrics import FLOOR_SHARE, HORIZONS, bootstrap, compare, tail
from .run import GRAVITY_HOLDS, ORACLE, OURS, Answer, Facts, Results
from .suites import SHARES

SCHEMA = "newtonscheme.benchmark/1"
EVERY = "all"
"""The row of all patterns together."""
LEVEL = 0.9
LAST = len(HORIZONS) - 1
DIGITS = 4
"""Of a number in the document: no error of a median is known to more."""
TARGET = 0.01
"""Of the unseen path: an error that few people would see in the film."""

Document = dict[str, object]


def summarise(results: Results) -> Document:
    """The document that is written as results.json: plain values, no number that is not finite.

    ``cells`` hold a forecaster's numbers for a suite, a pattern (or "all") and an observed share, over all tracks that it answered and, as
    ``rms_median_common``, over those that ours answered too; ``answers`` are all single ones, in the order of ``cases``. The same seed
    gives the same document but for times and versions.
    """
    facts = {fact.name: fact for fact in results.facts}
    groups = _group(results, facts)
    document: Document = {
        "schema": SCHEMA, "version": __version__, "plan": results.plan, "seed": results.seed, "suites": list(results.suites),
        "forecasters": list(results.forecasters), "horizons": list(HORIZONS), "left_out": dict(results.left_out), "notes": list(results.notes),
        "versions": _versions(), "elapsed_s": results.elapsed_s, "weights": _weights(results),
        "cells": [_cell(results, key, answers, groups) for key, answers in groups.items()],
        "by_share": _by_share(results, facts),
        "recognition": _recognition(results, facts), "parameters": _parameters(results, facts), "lock": _lock(results.streamed),
        "cases": [_fact(fact) for fact in results.facts], "answers": _single_answers(results),
    }  # fmt: skip
    return {name: plain(value) for name, value in document.items()}


def plain(value: object) -> object:
    """The value as strict JSON has it: numbers rounded, None for those that are not finite."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bool | str | int) or value is None:
        return value
    number = rounded(float(value))  # type: ignore[arg-type]
    return None if number is None else float(f"{number:.{DIGITS}g}")


_Key = tuple[str, str, float, str]
"""Suite, pattern, observed share, forecaster."""


def _group(results: Results, facts: Mapping[str, Facts]) -> dict[_Key, list[Answer]]:
    """Answers by suite, pattern (and all together), share and forecaster, in the order of the tables."""
    groups: dict[_Key, list[Answer]] = defaultdict(list)
    for answer in results.answers:
        fact = facts[answer.case]
        for pattern in (fact.pattern, EVERY):
            groups[fact.suite, pattern, fact.observed_share, answer.forecaster].append(answer)
    order = [*results.forecasters, ORACLE]

    def place(key: _Key) -> tuple[int, bool, str, float, int]:
        suite, pattern, share, forecaster = key
        return [*SUITES].index(cast(Suite, suite)), pattern == EVERY, pattern, share, order.index(forecaster)

    return {key: groups[key] for key in sorted(groups, key=place)}


def _cell(results: Results, key: _Key, answers: Sequence[Answer], groups: Mapping[_Key, Sequence[Answer]]) -> Document:
    suite, pattern, share, forecaster = key
    rng = np.random.default_rng(seed_sequence("test", results.seed, crc32("/".join(map(str, key)).encode())))
    told = [answer.errors for answer in answers if answer.errors is not None]
    rms = np.array([errors.rms_share for errors in told]).reshape(-1, len(HORIZONS))
    final = np.array([errors.final_share for errors in told]).reshape(-1, len(HORIZONS))
    median = bootstrap(rms[:, LAST], rng)
    reasons = Counter(answer.refused for answer in answers if answer.refused)
    return {
        "suite": suite, "pattern": pattern, "observed_share": share, "forecaster": forecaster, "asked": len(answers), "answered": len(told),
        "refusals": dict(sorted(reasons.items())),
        "rms_median": _columns(rms, np.median), "rms_tail": _columns(rms, tail), "final_median": _columns(final, np.median),
        "rms_median_common": _columns(_pairs(answers, groups.get((suite, pattern, share, OURS), ()))[0], np.median),
        "rms_median_interval": None if median is None else [median.low, median.high],
        "coverage": _mean([errors.coverage for errors in told]), "crps_median": _median([errors.crps_share for errors in told]),
        "band_half_width_median": _median([errors.width_share for errors in told]), "ms_median": _median([a.elapsed_ms for a in answers]),
        "against_ours": _against(answers, groups.get((suite, pattern, share, OURS), ()), rng) if forecaster not in (OURS, ORACLE) else None,
        "over_best": _over_best(answers, groups.get((suite, pattern, share, ORACLE), ()), rng) if forecaster != ORACLE else None,
    }  # fmt: skip


def _columns(values: Floats, statistic: Callable[..., Any]) -> list[float] | None:
    """A statistic for each horizon; None of nothing."""
    return None if len(values) == 0 else [float(v) for v in statistic(values, axis=0)]


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None


def _pairs(answers: Sequence[Answer], others: Sequence[Answer]) -> tuple[Floats, Floats]:
    """(n, horizons) rms of the cases that both answered."""
    theirs = {answer.case: answer.errors for answer in others if answer.errors is not None}
    both = [(a.errors.rms_share, theirs[a.case].rms_share) for a in answers if a.errors is not None and a.case in theirs]
    pairs = np.array(both).reshape(-1, 2, len(HORIZONS))
    return pairs[:, 0], pairs[:, 1]


def _against(answers: Sequence[Answer], ours: Sequence[Answer], rng: np.random.Generator) -> list[Document] | None:
    """A rival over ours at each horizon, on the cases that both answered."""
    rival, own = _pairs(answers, ours)
    if len(rival) == 0:
        return None
    found = []
    for i, horizon in enumerate(HORIZONS):
        comparison = compare(rival[:, i], own[:, i], rng)
        assert comparison is not None
        found.append({
            "horizon": horizon, "ratio": comparison.ratio, "interval": [comparison.low, comparison.high], "p": comparison.p, "n": comparison.n,
            "ours_is": comparison.verdict, "median": float(np.median(rival[:, i])), "ours_median": float(np.median(own[:, i])),
            "tail": float(tail(rival[:, i])), "ours_tail": float(tail(own[:, i])),
        })  # fmt: skip
    return found


def _over_best(answers: Sequence[Answer], best: Sequence[Answer], rng: np.random.Generator) -> Document | None:
    """How far from the best possible: the geometric mean of error over error, on common cases."""
    mine, marks = _pairs(answers, best)
    found = compare(mine[:, LAST], marks[:, LAST], rng) if len(mine) else None
    return None if found is None else {"ratio": found.ratio, "interval": [found.low, found.high], "n": found.n}


def _by_share(results: Results, facts: Mapping[str, Facts]) -> list[Document]:
    """Medians at each observed share, over the motions that were asked at all of them; and the least share that reaches `TARGET`."""
    errors: dict[tuple[str, str], dict[str, dict[float, float | None]]] = defaultdict(lambda: defaultdict(dict))
    for answer in results.answers:
        fact = facts[answer.case]
        motion = fact.name.rpartition("@")[0]
        errors[fact.pattern, answer.forecaster][motion][fact.observed_share] = None if answer.errors is None else answer.errors.rms_share[LAST]
    rows: list[Document] = []
    for (pattern, forecaster), motions in sorted(errors.items()):
        asked = [shares for shares in motions.values() if set(shares) == set(SHARES)]
        if not asked:
            continue
        told = {share: [e for shares in asked if (e := shares[share]) is not None] for share in SHARES}
        medians = [_median(told[share]) for share in SHARES]
        reached = [share for share, median in zip(SHARES, medians, strict=True) if median is not None and median <= TARGET]
        rows.append({
            "pattern": pattern, "forecaster": forecaster, "shares": list(SHARES), "rms_median": medians, "answered": [len(told[s]) for s in SHARES],
            "asked": len(asked), "target": TARGET, "share_needed": reached[0] if reached else None,
        })  # fmt: skip
    return rows


def _recognition(results: Results, facts: Mapping[str, Facts]) -> Document:
    """What ours named the motions of each pattern, at half seen: the confusion matrix by suite."""
    found: dict[str, dict[str, Counter[str]]] = {}
    for answer in results.answers:
        fact = facts[answer.case]
        if answer.forecaster == OURS and fact.observed_share == OBSERVED_SHARE:
            word = "none" if answer.pattern is None else answer.pattern
            found.setdefault(fact.suite, {}).setdefault(fact.pattern, Counter())[word] += 1
    return {suite: {pattern: dict(sorted(named.items())) for pattern, named in sorted(rows.items())} for suite, rows in sorted(found.items())}


def _parameters(results: Results, facts: Mapping[str, Facts]) -> list[Document]:
    """Ours' measured quantities against the truth, where what it takes for granted holds and it named the right pattern."""
    values: dict[tuple[str, str], list[tuple[float, float, float]]] = defaultdict(list)
    for answer in results.answers:
        fact = facts[answer.case]
        if answer.forecaster == OURS and fact.suite in GRAVITY_HOLDS and fact.observed_share == OBSERVED_SHARE and not answer.refused:
            for name, triple in answer.parameters.items():
                values[fact.pattern, name].append(triple)
    z, rows = normal_quantile(LEVEL), []
    for (pattern, name), triples in sorted(values.items()):
        truth, estimate, sigma = np.array(triples).T
        error = np.abs(estimate - truth)
        rows.append({
            "pattern": pattern, "quantity": name, "n": len(triples), "error_median": float(np.median(error)),
            "relative_error_median": float(np.median(error / np.maximum(np.abs(truth), FLOOR_SHARE))),
            "coverage": float(np.mean(error <= z * sigma)),
        })  # fmt: skip
    return rows


def _lock(streamed: Sequence[Streamed]) -> Document | None:
    """Full fits, milliseconds a frame and forecast error under each policy, over the same tracks."""
    if not streamed:
        return None
    by_policy = {policy: [s for s in streamed if s.policy == policy] for policy in POLICIES}
    errors = {policy: np.maximum([s.rms_share for s in followed], FLOOR_SHARE) for policy, followed in by_policy.items()}
    rows: Document = {}
    for policy, followed in by_policy.items():
        frames = sum(s.frames for s in followed)
        rows[policy] = {
            "tracks": len(followed), "frames": frames, "fits": sum(s.fits for s in followed), "checks": sum(s.checks for s in followed),
            "alarms": sum(s.alarms for s in followed), "ms_per_frame": sum(s.ms_per_frame * s.frames for s in followed) / max(frames, 1),
            "rms_median": float(np.median(errors[policy])), "over_refit": float(np.exp(np.median(np.log(errors[policy] / errors["refit"])))),
        }  # fmt: skip
    return rows


def _weights(results: Results) -> Document:
    """Bytes, seconds of training and learning curves, as the weights' cards say them."""
    rows: Document = {}
    for name, size in results.weights_bytes.items():
        card = results.cards.get(name, {})
        wanted = ("parameters", "tracks", "seconds", "learning_curve")
        rows[name] = {"bytes": size, **{key: card[key] for key in wanted if key in card}}
    return rows


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for package in ("numpy", "scipy", "torch", "pysindy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _fact(fact: Facts) -> Document:
    names = ("name", "suite", "pattern", "kind", "observed_share", "seen", "asked", "path_px", "fps", "units")
    return {name: getattr(fact, name) for name in names}


def _single_answers(results: Results) -> Document:
    """By forecaster: a row for each of the document's cases, None where it was not asked."""
    told = {(answer.forecaster, answer.case): _answer(answer) for answer in results.answers}
    return {name: [told.get((name, fact.name)) for fact in results.facts] for name in (*results.forecasters, ORACLE)}


def _answer(answer: Answer) -> Document:
    if answer.errors is None:
        return {"refused": answer.refused, "ms": answer.elapsed_ms}
    errors = answer.errors
    return {"rms": errors.rms_share, "final": errors.final_share, "coverage": errors.coverage, "crps": errors.crps_share, "ms": answer.elapsed_ms}
