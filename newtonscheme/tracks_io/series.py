"""One object's coordinates as a file has them, before they become a track."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..types import Floats, Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Positions of one object or trial in the file's own axes: ``position`` (n, 2) px or metres (y up), or (n, 1) angles.

    ``t`` (n,) s or ``frame`` (n,), at least one of the two; ``places`` says where each row stands in the file, for messages.
    """

    label: str
    unit: str
    position: Floats
    places: Sequence[str]
    t: Floats | None = None
    frame: Floats | None = None
    radius: Floats | None = None
    radius_sigma: Floats | None = None
    sigma: Floats | None = None
    score: Floats | None = None
    size: tuple[int, int] | None = None
    notices: tuple[Notice, ...] = ()

    def __len__(self) -> int:
        return len(self.position)
