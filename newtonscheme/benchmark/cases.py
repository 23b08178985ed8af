"""What a forecaster is judged on: a question, the answer that it does not see, and where both come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..baselines.forecaster import Question
from ..physics.integration import solve_one
from ..physics.models import FORCE_MODELS
from ..types import Floats, _freeze

Suite = Literal["simulated", "shifted", "video", "real"]
SUITES: tuple[Suite, ...] = ("simulated", "shifted", "video", "real")
Units = Literal["px", "m", "rad"]

OBSERVED_SHARE = 0.5
"""Of the motion's time: what is seen is as long as what is asked for."""
LEAST_SAMPLES = 6
"""Seen samples: the fewest that a question has."""
SHORTEST_PATH = 1e-9
"""Of the unseen path, in the picture's units: a body that stands still has no share of a path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to make the cases of one motion: plain words and numbers, so that another process can make them.

    ``kind`` is the noise, the shift or the file; ``seed`` the benchmark's own; ``shares`` of the motion that are observed, a case for each.
    ``folder`` is where real files are.
    """

    suite: Suite
    pattern: str
    kind: str
    index: int
    seed: int = 0
    shares: tuple[float, ...] = (OBSERVED_SHARE,)
    folder: str | None = None

    @property
    def name(self) -> str:
        """Unique within a benchmark."""
        return f"{self.suite}/{self.pattern}/{self.kind}/{self.index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """A known motion before a known camera: the model's values (SI) at time ``t`` (s, the track's clock), the anchor and the camera."""

    pattern: str
    t: float
    values: Mapping[str, float]
    anchor_px: tuple[float, float]
    px_per_m: float
    focal_px: float
    pitch: float
    roll: float

    def report(self, t: float) -> dict[str, float]:
        """The pattern's quantities, as a report names them, at time ``t`` (coefficients as at the start)."""
        model = FORCE_MODELS[self.pattern]
        states, failure = solve_one(model, self.values, np.array([0.0, max(t - self.t, 1e-9)]))
        later = {q.name: float(states[1, model.state.index(q.initial)]) for q in model.parameters if q.initial is not None}
        values = dict(self.values) if failure else {**self.values, **later}
        return {name: float(value) for name, (value, _) in model.report(values).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question with its answer.

    ``truth_px`` (h, 2) is the true centre at the question's times and ``judge_sigma_px`` (h, 2) its own uncertainty, 0 where the truth is
    known; ``last_px`` (2,) the centre at the last seen sample, where the unseen path begins. ``cut`` (s) lies after everything that was
    observed and before everything that is asked. ``truth`` is known for synthetic motions only. ``seed`` is the whole seed of a drawn case,
    ``sha256`` the digest of a real file. ``vision_until`` (s) is the last frame that a tracker read, None where there was no film.
    """

    name: str
    suite: Suite
    pattern: str
    kind: str
    question: Question
    truth_px: Floats
    judge_sigma_px: Floats
    last_px: Floats
    cut: float
    fps: float
    observed_share: float
    truth: Truth | None = None
    seed: int | None = None
    sha256: str | None = None
    units: Units = "px"
    vision_until: float | None = None

    def __post_init__(self) -> None:
        h = len(self.question.t)
        _freeze(self, "truth_px", self.truth_px, (h, 2))
        _freeze(self, "judge_sigma_px", self.judge_sigma_px, (h, 2))
        _freeze(self, "last_px", self.last_px, (2,))

    @property
    def path_px(self) -> float:
        """The length of the unseen path from the last seen sample on."""
        steps = np.diff(np.concatenate([self.last_px[None], self.truth_px]), axis=0)
        return max(float(np.sum(np.hypot(*steps.T))), SHORTEST_PATH)


@dataclass(frozen=True, slots=True)
class Made:
    """The cases of a recipe, and a line for each that could not be made."""

    cases: tuple[Case, ...]
    notes: tuple[str, ...] = ()


def count_seen(times: Floats, share: float) -> int:
    """How many of the increasing times (n,) lie in the first ``share`` of their span."""
    return int(np.searchsorted(times, times[0] + share * (times[-1] - times[0]), side="right"))


def cut_between(times: Floats, share: float) -> float:
    """The middle between the last time that is seen and the first that is asked for: no clock is exact to its last digit."""
    seen = count_seen(times, share)
    return 0.5 * float(times[seen - 1] + times[seen])
