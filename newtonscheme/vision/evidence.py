"""What is known of a clip once its pixels are gone: candidates of all frames, fitted samples, and colour patches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..types import Floats
from .appearance import Patch
from .detection import Candidate
from .linking import Key

COARSE_RADII = 0.2
"""Sigma of a silhouette's centroid in radii: an arm or a shadow pulls it by that much."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One object in one frame, pixels; without a believable disc (``fitted`` False) it is a silhouette's centroid and the radii are NaN."""

    frame: int
    t: float
    centre: Floats
    covariance: Floats
    radius: float
    radius_sigma: float
    explained: float
    streak: Floats
    fitted: bool


@dataclass(slots=True)
class Evidence:
    """Rows are frames in the order they came; ``added`` names, for a path's first key, samples found where no candidate was."""

    stride: int
    index: list[int] = field(default_factory=list)
    t: list[float] = field(default_factory=list)
    candidates: list[list[Candidate]] = field(default_factory=list)
    samples: dict[Key, Sample] = field(default_factory=dict)
    added: dict[Key, list[Key]] = field(default_factory=dict)
    patches: dict[Key, Patch] = field(default_factory=dict)

    def candidate(self, key: Key) -> Candidate:
        """The candidate of a key."""
        return self.candidates[key[0]][key[1]]

    def fitted(self, key: Key) -> bool:
        """Whether a disc was believed there."""
        return key in self.samples and self.samples[key].fitted

    def sample(self, key: Key) -> Sample:
        """The fitted sample, or the candidate's own centre with a wide sigma."""
        if key in self.samples:
            return self.samples[key]
        c = self.candidate(key)
        sigma = COARSE_RADII * c.radius + 0.5 * self.stride
        return Sample(self.index[key[0]], self.t[key[0]], np.array([c.u, c.v]), sigma**2 * np.eye(2), np.nan, np.nan, 0.0, np.zeros(2), False)

    def contrast(self, keys: Sequence[Key]) -> float:
        """Median departure from the background, grey levels of all planes together."""
        return float(np.median([self.candidate(key).contrast for key in keys]))
