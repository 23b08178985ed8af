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


SHADOW_BRIGHTEST = 0.1
"""A shadow's brightest part departs upwards by less than this share of its darkest: there is nothing bright in it."""
SHADOW_COLOUR, SHADOW_COLOUR_FLOOR = 0.2, 1.0
"""What a shadow's colour departs by, more than the background's own when it is lit less, is less than this share of its brightness, and
this many grey levels."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One object in one frame, pixels; without a believable disc (``fitted`` False) it is a silhouette's centroid and the radii are NaN.

    ``departure`` is the darkest and the brightest that the disc shows against the background, in the plane it was fitted in; ``sway`` how far
    off all centres of its path may be alike.
    """

    frame: int
    t: float
    centre: Floats
    covariance: Floats
    radius: float
    radius_sigma: float
    explained: float
    departure: tuple[float, float]
    streak: Floats
    sway: float
    fitted: bool


@dataclass(slots=True)
class Evidence:
    """Rows are frames in the order they came; ``added`` names, for a path's first key, samples found where no candidate was.

    ``coded`` is whether the film's pixels mix code values and not light, None as long as no path has told.
    """

    stride: int
    index: list[int] = field(default_factory=list)
    t: list[float] = field(default_factory=list)
    candidates: list[list[Candidate]] = field(default_factory=list)
    samples: dict[Key, Sample] = field(default_factory=dict)
    added: dict[Key, list[Key]] = field(default_factory=dict)
    patches: dict[Key, Patch] = field(default_factory=dict)
    coded: bool | None = None

    def candidate(self, key: Key) -> Candidate:
        """The candidate of a key."""
        return self.candidates[key[0]][key[1]]

    def fitted(self, key: Key) -> bool:
        """Whether a disc was believed there."""
        return key in self.samples and self.samples[key].fitted

    def discs(self, row: int) -> dict[Key, Sample]:
        """The discs that were believed in a frame, of every path."""
        keys = ((row, column) for column in range(len(self.candidates[row])))
        return {key: self.samples[key] for key in keys if self.fitted(key)}

    def sample(self, key: Key) -> Sample:
        """The fitted sample, or the candidate's own centre with a wide sigma."""
        if key in self.samples:
            return self.samples[key]
        c = self.candidate(key)
        sigma = COARSE_RADII * c.radius + 0.5 * self.stride
        return Sample(
            self.index[key[0]], self.t[key[0]], np.array([c.u, c.v]), sigma**2 * np.eye(2), np.nan, np.nan, 0.0, (0.0, 0.0), np.zeros(2), 0.0, False
        )

    def contrasts(self, keys: Sequence[Key]) -> list[float]:
        """Departures from the background, grey levels: of the silhouette in all planes or of the disc's extremes, the larger."""
        extremes = [max(map(abs, self.samples[key].departure)) if key in self.samples else 0.0 for key in keys]
        return [max(self.candidate(key).contrast, extreme) for key, extreme in zip(keys, extremes, strict=True)]

    def contrast(self, keys: Sequence[Key]) -> float:
        """The median of `contrasts`."""
        return float(np.median(self.contrasts(keys)))

    def darkens_only(self, keys: Sequence[Key]) -> bool:
        """Whether an object does what a shadow does: darken, without a colour of its own and without a single brighter spot."""
        darkness = float(np.median([abs(self.candidate(key).departure[0]) for key in keys]))
        tint = float(np.median([np.abs(self.candidate(key).tint) for key in keys], axis=0).max())
        departure = np.array([self.samples[key].departure for key in keys if self.fitted(key)]).reshape(-1, 2)
        dark, bright = np.median(departure, axis=0) if len(departure) else (0.0, 0.0)
        return bool(dark < 0 and bright < SHADOW_BRIGHTEST * -dark and tint < SHADOW_COLOUR * darkness + SHADOW_COLOUR_FLOOR)
