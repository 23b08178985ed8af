"""Candidates of many frames to paths: every path is a body that keeps its acceleration for a few frames.

A bank of constant-acceleration Kalman filters, all paths of a frame at once. A young path may go on to several candidates (it
branches); an established one takes the candidate that its prediction likes best, coasts through gaps, and survives an abrupt change of
velocity (a bounce, a hand) when just one candidate nearby looks like it. Vision knows no more physics than this smoothness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..types import Floats
from .detection import Candidate

ESTABLISHED = 4
"""Samples after which a path is believed: three fix position, velocity and acceleration, the fourth agrees with them."""
MAX_GAP = 15
"""Frames that an established path coasts through unseen (an occlusion); a young one only through ``YOUNG_GAP``."""
YOUNG_GAP = 1
BRANCHES = 4
"""Ways that a young path may go on in one frame."""
MAX_YOUNG = 40
"""Young paths of each age that are kept, best first: clutter must not make the search slow."""
SPEED_SIGMA = 0.07
"""Prior speed, in picture diagonals for each frame: a throw at 30 frames a second crosses the picture in 8 frames or more."""
ACCELERATION_SIGMA = 0.02
"""Prior acceleration, diagonals for each frame squared: gravity at 10 frames a second in a 2 m picture."""
JERK_SIGMA = 0.0015
"""Change of acceleration from frame to frame, diagonals: drag, a pendulum's turning, a hand."""
CENTRE_SIGMA = 0.12
"""Error of a candidate's centre in its own radii, besides half a detection pixel."""
GATE = 16.0
"""Squared Mahalanobis distance of two axes: exceeded by chance once in 3000 samples."""
LOG_RADIUS_SIGMA = 0.35
"""Change of the logarithm of the apparent radius between samples: motion blur and shadows change it more than distance does."""
DEPARTURE_SIGMA = 0.35
"""Change of the mean departure from the background, in shares of itself: the background changes below the object."""
DEPARTURE_FLOOR = 12.0
"""Grey levels added to that."""
LOOKS_GATE = 12.0
"""Squared distance of looks (radius and three channels) beyond which it is another object."""
MANOEUVRE_RADII = 4.0
"""An abrupt change of velocity is followed within this many radii and the speed of the path."""


@dataclass(slots=True)
class Path:
    """Rows (frame's row, candidate's row) of one object, and the sum of the squared innovations that linked them."""

    rows: list[tuple[int, int]]
    cost: float = 0.0
    misses: int = 0
    looks: Floats = field(default_factory=lambda: np.zeros(4))

    @property
    def established(self) -> bool:
        return len(self.rows) >= ESTABLISHED


class Linker:
    """Fed frame by frame; `paths` gives all established paths. State lives as long as one clip."""

    def __init__(self, diagonal_px: float, stride: int) -> None:
        self._diagonal = diagonal_px
        self._stride = stride
        self._active: list[Path] = []
        self._state = np.zeros((0, 3, 2))
        self._covariance = np.zeros((0, 3, 3))
        self._finished: list[Path] = []
        self._row = 0

    def step(self, candidates: Sequence[Candidate], frames: float = 1.0) -> None:
        """Advance by one frame, ``frames`` frame intervals after the last one."""
        self._predict(frames)
        n, m = len(self._active), len(candidates)
        place = np.array([(c.u, c.v) for c in candidates]).reshape(m, 2)
        looks = np.array([_looks(c) for c in candidates]).reshape(m, 4)
        noise = (CENTRE_SIGMA * np.array([c.radius * c.elongation for c in candidates]).reshape(m) + 0.5 * self._stride) ** 2
        cost = np.full((n, m), np.inf)
        if n and m:
            spread = self._covariance[:, 0, 0][:, None] + noise
            distance = ((place[None] - self._state[:, 0][:, None]) ** 2).sum(axis=2) / spread
            unlike = self._unlike(looks)
            cost = np.where((distance < GATE) & (unlike < LOOKS_GATE), distance + unlike + 2 * np.log(spread), np.inf)
        links = self._assign(cost)
        taken = {j for i, j in links if self._active[i].established}
        links += self._manoeuvres({i for i, _ in links}, taken, place, looks)
        taken |= {j for i, j in links if self._active[i].established}
        self._advance(links, taken, place, looks, noise, cost)
        self._row += 1

    def paths(self) -> list[Path]:
        """All established paths so far, longest first."""
        return sorted((p for p in [*self._finished, *self._active] if p.established), key=lambda p: -len(p.rows))

    def _predict(self, dt: float) -> None:
        if not self._active:
            return
        step = np.array([[1, dt, dt * dt / 2], [0, 1, dt], [0, 0, 1]])
        kick = np.array([dt * dt / 2, dt, 1.0])
        self._state = step @ self._state
        self._covariance = step @ self._covariance @ step.T + (JERK_SIGMA * self._diagonal) ** 2 * dt * np.outer(kick, kick)

    def _unlike(self, looks: Floats) -> Floats:
        """(n, m) squared distance of looks between paths and candidates."""
        own = np.array([p.looks for p in self._active])
        size = (own[:, None, 0] - looks[None, :, 0]) / LOG_RADIUS_SIGMA
        strength = np.linalg.norm(own[:, 1:], axis=1)[:, None]
        tint = np.linalg.norm(own[:, None, 1:] - looks[None, :, 1:], axis=2) / (DEPARTURE_SIGMA * strength + DEPARTURE_FLOOR)
        return size**2 + tint**2

    def _assign(self, cost: Floats) -> list[tuple[int, int]]:
        """Established paths first, one candidate each and each candidate once; then young paths, several candidates each."""
        links: list[tuple[int, int]] = []
        old = [i for i, p in enumerate(self._active) if p.established]
        pairs = sorted((cost[i, j], i, j) for i in old for j in range(cost.shape[1]) if np.isfinite(cost[i, j]))
        used_paths: set[int] = set()
        used: set[int] = set()
        for _, i, j in pairs:
            if i not in used_paths and j not in used:
                links.append((i, j))
                used_paths.add(i)
                used.add(j)
        for i, path in enumerate(self._active):
            if not path.established:
                free = [j for j in np.argsort(cost[i])[: BRANCHES + len(used)] if np.isfinite(cost[i, j]) and int(j) not in used]
                links += [(i, int(j)) for j in free[:BRANCHES]]
        return links

    def _manoeuvres(self, linked: set[int], taken: set[int], place: Floats, looks: Floats) -> list[tuple[int, int]]:
        """Established paths without a candidate where they were going, and exactly one look-alike within reach."""
        links: list[tuple[int, int]] = []
        lost = [i for i, p in enumerate(self._active) if p.established and i not in linked and p.misses <= 1]
        free = [j for j in range(len(place)) if j not in taken]
        if not lost or not free:
            return links
        unlike = self._unlike(looks)
        for i in lost:
            reach = MANOEUVRE_RADII * float(np.exp(self._active[i].looks[0])) + float(np.hypot(*self._state[i, 1]))
            near = [j for j in free if unlike[i, j] < LOOKS_GATE / 2 and np.hypot(*(place[j] - self._state[i, 0])) < reach]
            if len(near) == 1 and all(near[0] != j for _, j in links):
                links.append((i, near[0]))
                wide = np.diag([0.0, (SPEED_SIGMA * self._diagonal / 2) ** 2, (ACCELERATION_SIGMA * self._diagonal) ** 2])
                self._covariance[i] = self._covariance[i] + wide
                self._covariance[i, 0, 0] += reach**2
        return links

    def _advance(self, links: list[tuple[int, int]], taken: set[int], place: Floats, looks: Floats, noise: Floats, cost: Floats) -> None:
        """Update linked paths, age the others, start new ones from candidates that no established path took."""
        paths: list[Path] = []
        states: list[Floats] = []
        covariances: list[Floats] = []
        went_on: set[int] = set()
        for i, j in links:
            path = self._active[i]
            if not path.established and j in taken:
                continue
            went_on.add(i)
            gain = self._covariance[i, :, 0] / (self._covariance[i, 0, 0] + noise[j])
            innovation = place[j] - self._state[i, 0]
            price = float(min(cost[i, j], GATE + LOOKS_GATE)) if cost.size else 0.0
            share = 0.3 if path.established else 0.5
            paths.append(Path([*path.rows, (self._row, j)], path.cost + price, 0, (1 - share) * path.looks + share * looks[j]) if not path.established else path)
            if path.established:
                path.rows.append((self._row, j))
                path.cost += price
                path.misses = 0
                path.looks = (1 - share) * path.looks + share * looks[j]
            states.append(self._state[i] + np.outer(gain, innovation))
            covariances.append(self._covariance[i] - np.outer(gain, self._covariance[i, 0]))
        for i, path in enumerate(self._active):
            if i in went_on:
                continue
            path.misses += 1
            if path.misses <= (MAX_GAP if path.established else YOUNG_GAP):
                paths.append(path)
                states.append(self._state[i])
                covariances.append(self._covariance[i])
            elif path.established:
                self._finished.append(path)
        prior = np.diag([0.0, (SPEED_SIGMA * self._diagonal) ** 2, (ACCELERATION_SIGMA * self._diagonal) ** 2])
        for j in range(len(place)):
            if j not in taken:
                paths.append(Path([(self._row, j)], 0.0, 0, looks[j].copy()))
                states.append(np.array([place[j], [0.0, 0.0], [0.0, 0.0]]))
                covariances.append(prior + np.diag([noise[j], 0.0, 0.0]))
        keep = _worth_keeping(paths)
        self._active = [paths[k] for k in keep]
        self._state = np.array([states[k] for k in keep]).reshape(-1, 3, 2)
        self._covariance = np.array([covariances[k] for k in keep]).reshape(-1, 3, 3)


def _looks(c: Candidate) -> tuple[float, float, float, float]:
    """Logarithm of the radius, and the departure from the background."""
    return (float(np.log(c.radius)), *c.departure)


def _worth_keeping(paths: list[Path]) -> list[int]:
    """Rows of the established paths, and of the best young ones: of those that end alike (in their last two rows) the cheapest."""
    keep = [k for k, p in enumerate(paths) if p.established]
    ends: dict[tuple[tuple[int, int], ...], int] = {}
    old_ends = {tuple(paths[k].rows[-2:]) for k in keep}
    young = [k for k, p in enumerate(paths) if not p.established]
    for k in young:
        p = paths[k]
        end = tuple(p.rows[-2:])
        if end in old_ends:
            continue
        best = ends.get(end)
        if best is None or (-len(p.rows), p.cost) < (-len(paths[best].rows), paths[best].cost):
            ends[end] = k
    for age in range(1, ESTABLISHED):
        same_age = [k for k in ends.values() if len(paths[k].rows) == age]
        keep += sorted(same_age, key=lambda k: paths[k].cost)[:MAX_YOUNG]
    return sorted(keep)
