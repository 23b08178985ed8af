"""The scheme's own claim (Qiu et al. 2018, arXiv 1810.07550): find the law once and check it, instead of finding it anew in every frame.

The same track is followed sample by sample under two orders of work. *Refit* fits the pattern again at every sample, from the last fit. *Lock*
fits once, checks every sample against the locked fit (`estimation.monitor`), and fits again when the check's alarm rings or when the track has
grown by the policy's share, because what more samples tell is worth a fit only now and then. Both forecast the clip's end at every sample.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from ..estimation import monitor
from ..estimation.fitting import fit_pattern
from ..estimation.forecasting import forecast_fit
from ..estimation.parameters import Known
from ..types import Fit, Floats, Track
from .cases import Case
from .ours import NOBODY, plain_knowledge

POLICIES: Mapping[str, float] = MappingProxyType({"refit": 1.0, "lock_10": 1.1, "lock_25": 1.25})
"""Growth of the seen time after which a locked law is fitted again; a tenth more shrinks an acceleration's error by 1.3, a quarter by 1.7
(it goes as the time's power -2.5)."""
FIRST_SHARE = 0.3
"""Of the observed samples, with which both begin."""
FEWEST_FIRST = 8


@dataclass(frozen=True, slots=True)
class Streamed:
    """One track followed under one policy.

    ``fits`` made after the first, ``checks`` made, over ``frames`` samples; ``ms_per_frame`` of fitting and checking; ``rms_share`` of the
    forecasts of the unseen part at all samples, over the unseen path (root mean square); ``alarms`` that rang.
    """

    case: str
    pattern: str
    policy: str
    frames: int
    fits: int
    checks: int
    alarms: int
    ms_per_frame: float
    rms_share: float


def follow(case: Case, policy: str, *, clock: Callable[[], float] = time.perf_counter) -> Streamed | None:
    """Follow the case's observed track under one of `POLICIES`; None where the first samples cannot be fitted.

    Both are told the pattern: what is compared is the work of keeping a law, not of finding it.
    """
    growth = POLICIES[policy]
    track, known = case.question.observed, plain_knowledge(case.units).known
    first = max(FEWEST_FIRST, round(FIRST_SHARE * len(track)))
    if first >= len(track):
        return None
    fit = _fit(track.select(slice(0, first)), case, known, None)
    if not fit.success:
        return None
    fits = checks = alarms = 0
    spent, errors = 0.0, []
    watch = monitor.start(fit, known)
    for seen in range(first + 1, len(track) + 1):
        begun = clock()
        due = growth <= 1.0
        if not due:
            watch, innovation = monitor.step(watch, track.select(slice(seen - 1, seen)))
            checks, alarms = checks + 1, alarms + innovation.alarm
            due = innovation.alarm or _grown(track, fit, seen, growth)
        if due:
            again = _fit(track.select(slice(0, seen)), case, known, fit)
            fits += 1
            if again.success:
                fit, watch = again, monitor.start(again, known)
        spent += clock() - begun
        errors.append(_miss(fit, known, case))
    frames = len(track) - first
    rms = float(np.sqrt(np.mean(np.square(errors)))) / case.path_px
    return Streamed(case.name, case.pattern, policy, frames, fits, checks, alarms, 1e3 * spent / frames, rms)


def _fit(rows: Track, case: Case, known: Known, near: Fit | None) -> Fit:
    return fit_pattern(rows, case.pattern, camera=case.question.camera, body=NOBODY, known=known, near=near)


def _grown(track: Track, fit: Fit, seen: int, growth: float) -> bool:
    """Whether the track is as many times longer than the locked fit's."""
    return float(track.t[seen - 1] - track.t[0]) >= growth * float(fit.track.t[-1] - fit.track.t[0])


def _miss(fit: Fit, known: Known, case: Case) -> float:
    """Px rms of the fit's forecast of the unseen part; infinite where it has none."""
    forecast, failure = forecast_fit(fit, known, case.question.t, level=case.question.level)
    if failure or len(forecast.t) < len(case.question.t):
        return float("inf")
    apart: Floats = forecast.centre_px - case.truth_px
    return float(np.sqrt(np.mean(np.sum(apart**2, axis=1))))
