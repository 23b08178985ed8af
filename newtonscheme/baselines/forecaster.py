"""What every rival is asked, and how it answers: a track up to now and times to come, a forecast with a band or a refusal.

A question holds nothing but what a stranger with the clip would have: the samples seen so far and a camera believed from the picture's
size. No truth, no later sample, no gravity of another planet can be in it, because it has no place for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..types import Camera, Floats, Forecast, Refusal, Track, _freeze


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Where will it be? ``t`` (h,), s on the track's clock, increasing, all after its last sample; ``level`` is the band's."""

    observed: Track
    t: Floats
    camera: Camera
    level: float = 0.9

    def __post_init__(self) -> None:
        _freeze(self, "t", self.t, (len(self.t),))
        if len(self.t) == 0 or len(self.observed) == 0:
            raise ValueError("Question: expected samples and times to forecast")
        if self.t[0] <= self.observed.t[-1] or np.any(np.diff(self.t) <= 0):
            raise ValueError("Question.t: expected increasing times after the last sample")


class Forecaster(Protocol):
    """A way of telling where a tracked object will be."""

    @property
    def name(self) -> str:
        """The row of the table: one word, lower case with underscores."""

    def forecast(self, question: Question) -> Forecast | Refusal:
        """The true centre at the question's times with a marginal band, or why there is none. Never raises on data."""


def make_forecast(question: Question, centre_px: Floats, sigma_px: Floats, quantile: float) -> Forecast:
    """A forecast with a symmetric band of ``quantile`` sigmas; positions in metres are unknown (NaN).

    Args:
        question: what was asked.
        centre_px: (h, 2).
        sigma_px: (h, 2) of the true centre about it.
        quantile: sigmas from the centre to either edge of the band at the question's level.
    """
    half = quantile * sigma_px
    return Forecast(
        t=question.t, centre_px=centre_px, lower_px=centre_px - half, upper_px=centre_px + half, position=np.full((len(question.t), 3), np.nan),
        level=question.level, stop="horizon",
    )  # fmt: skip
