"""The project's own forecaster, as a rival among rivals, and the best that its estimator could do if it knew what it looks for.

Both know what `ns predict` knows of a clip of which nobody said anything: standard gravity, ordinary air, a camera assumed from the
picture's size. Neither is told a length, a ball or another planet's gravity.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..baselines.forecaster import Question
from ..estimation.analysis import Analysis, analyse_track
from ..estimation.fitting import fit_pattern
from ..estimation.forecasting import forecast_beliefs
from ..estimation.knowledge import Knowledge, gather_knowledge, with_table
from ..estimation.parameters import SPHERE, Known, state_problem
from ..estimation.recognition import Recogniser, load_recogniser
from ..pipeline import find_refusal
from ..types import Belief, Body, Fit, Forecast, Noise, Options, Refusal, Setting

if TYPE_CHECKING:
    from .cases import Case, Truth, Units

OURS, ORACLE = "newton_scheme", "best_possible"
LENGTHS = ("vx", "vy", "vz", "length", "diameter")
"""What grows with the scale."""
NOBODY = Body(label=None, probability=1.0, diameter=None, mass=None)


def plain_knowledge(units: Units = "px") -> Knowledge:
    """What is known where no option was given; the unit of a table is told, as it is on the command line."""
    return with_table(gather_knowledge(Options()), units, Options())


@dataclass(frozen=True, slots=True)
class NewtonScheme:
    """Ours: recognise, fit, check, and integrate beyond the track, or refuse. ``units`` are those of the track."""

    units: Units = "px"
    recogniser: Recogniser = field(default_factory=load_recogniser)

    @property
    def name(self) -> str:
        """Its row in the tables."""
        return OURS

    def told(self, units: Units) -> NewtonScheme:
        """The same, for tracks in these units."""
        return self if units == self.units else replace(self, units=units)

    def forecast(self, question: Question) -> Forecast | Refusal:
        """What `ns predict` would forecast from the track."""
        return self.explain(question)[0]

    def explain(self, question: Question) -> tuple[Forecast | Refusal, Analysis]:
        """The forecast or the refusal, and the analysis that it comes from."""
        knowledge, camera = plain_knowledge(self.units), question.camera
        width, height = (round(2.0 * c + 1.0) for c in camera.principal_px)
        size = (width, height) if camera.kind == "pinhole" else None
        seen = analyse_track(question.observed, self.recogniser, camera, knowledge, size_px=size)
        refusal = find_refusal(seen)
        if refusal is not None or seen.fit is None:
            return refusal or Refusal("unknown_pattern", "no fit"), seen
        return _integrate(seen.beliefs, knowledge.known, question), seen


@dataclass(frozen=True, slots=True)
class Oracle:
    """The best possible: the same estimator with the same priors, told the true pattern and started at the truth.

    It answers cases of known truth only, and is drawn beside the rivals, not among them: the optimum that it finds is the one that belongs
    to the truth, so what is left of its error is the noise of the track, the priors and what the pattern's own equations leave out. It is
    a mark and no bound: where the track does not show a small lift, a law without lift may by luck come nearer.
    """

    name: str = ORACLE

    def forecast(self, case: Case) -> Forecast | Refusal:
        """Where the fit that began at the truth goes."""
        fit = self.fit(case)
        if fit is None or not fit.success:
            return Refusal("no_fit", "no truth to start from" if fit is None else fit.message)
        return _integrate((Belief(fit, 1.0),), plain_knowledge(case.units).known, case.question)

    def fit(self, case: Case) -> Fit | None:
        """The fit that began at the truth; None where the truth is not known."""
        if case.truth is None:
            return None
        known = plain_knowledge(case.units).known
        near = truth_as_fit(case.truth, case.question, known)
        return fit_pattern(case.question.observed, case.truth.pattern, camera=case.question.camera, body=NOBODY, known=known, near=near)


def _integrate(beliefs: Sequence[Belief], known: Known, question: Question) -> Forecast | Refusal:
    forecast, failure = forecast_beliefs(beliefs, known, question.t, level=question.level)
    if failure or len(forecast.t) < len(question.t):
        return Refusal("integration_failed", failure or "the path leaves all numbers")
    return forecast


def truth_as_fit(truth: Truth, question: Question, known: Known) -> Fit:
    """The truth in a fit's coordinates at the truth's own time: a place to start from, which `fit_pattern` carries to the first sample."""
    problem = state_problem(question.observed, truth.pattern, question.camera, NOBODY, known)
    values = {
        **truth.values, "anchor_u_px": truth.anchor_px[0], "anchor_v_px": truth.anchor_px[1], "px_per_m": truth.px_per_m,
        "pitch": truth.pitch, "roll": truth.roll, "focal_px": truth.focal_px, "radius_bias_px": 0.0,
        "density": truth.values["mass"] / (SPHERE * truth.values["diameter"] ** 3),
    }  # fmt: skip
    if known.gravity_is_ruler:
        values = _under_known_gravity(values, known.g.value)
    theta = np.array([math.log(values[n]) if is_log else values[n] for n, is_log in zip(problem.names, problem.log_mask > 0, strict=True)])
    start = question.observed.select(slice(0, 1))
    start = replace(start, t=np.array([truth.t]))
    m = len(theta)
    return Fit(
        pattern=truth.pattern, setting=Setting(pattern=truth.pattern, entries=problem.setting.entries), body=NOBODY, camera=question.camera,
        track=start, names=problem.names, estimate=theta, covariance=np.eye(m), parameters={}, residuals=np.full((1, 3), np.nan),
        weights=np.ones((1, 3)), noise=Noise(1.0, 0.0, float(m)), evidence=0.0, success=True, message="the truth",
    )  # fmt: skip


def _under_known_gravity(values: dict[str, float], g: float) -> dict[str, float]:
    """The same picture under the gravity that the fit believes in: on the Moon all lengths look ``9.81 / 1.62`` times as large."""
    factor = g / values["g"]
    lengths = [name for name in LENGTHS if name in values]
    return values | {name: values[name] * factor for name in lengths} | {"px_per_m": values["px_per_m"] / factor, "g": g}
