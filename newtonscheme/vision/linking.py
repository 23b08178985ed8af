"""Candidates of many frames to paths: every path is a body that keeps its acceleration for a few frames.

A bank of constant-acceleration Kalman filters, all paths of a frame at once, each with the logarithm of the odds that its candidates
come from one object rather than from clutter (the track score of Reid 1979, IEEE Trans. Automatic Control 24:843). A young path may go on
to several candidates (it branches); one that is established by its odds takes the candidate that its prediction likes best, coasts
through gaps, and may turn abruptly (a bounce, a hand) at the price of that being rare. Vision knows no more physics than this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..types import Bools, Floats
from .detection import Candidate

MIN_SAMPLES = 4
"""Samples of an established path: three fix position, velocity and acceleration, the fourth agrees with them."""
ESTABLISHED_ODDS = 7.0
"""Log odds of an established path: one in a thousand is clutter."""
MAX_GAP = 15
"""Frames that an established path coasts through unseen (an occlusion); a young one only through ``YOUNG_GAP``."""
YOUNG_GAP = 1
LONG_GAP = 4
"""Frames unseen after which going on counts as a turn: what happened in between is a guess."""
MOST_LOST_ODDS = 30.0
"""An established path ends when its odds fall this far below their best: a long gap and a few doubtful links."""
BRANCHES = 4
"""Ways that a young path may go on in one frame."""
MAX_YOUNG = 40
"""Young paths of each length that are kept, best first: clutter must not make the search slow."""
SEEN = 0.9
"""Probability that a moving object makes a candidate in a frame."""
SPEED_SIGMA = 0.07
"""Prior speed, in picture diagonals for each frame: a throw at 30 frames a second crosses the picture in 8 frames or more."""
ACCELERATION_SIGMA = 0.02
"""Prior acceleration, diagonals for each frame squared: gravity at 10 frames a second in a 2 m picture."""
JERK_SIGMA = 0.0015
"""Change of acceleration from frame to frame, diagonals: drag, a pendulum's turning."""
TURN_SIGMA = 0.03
"""Abrupt change of position in one frame, diagonals, besides the path's own speed: a bounce, a hand, a pendulum at 10 frames a second."""
TURN_PRICE = 2 * 3.0
"""Twice the log odds against such a turn in a given frame (1 in 20)."""
CENTRE_SIGMA = 0.12
"""Error of a candidate's centre in its own radii, besides half a detection pixel."""
GATE = 14.0
"""Squared Mahalanobis distance of two axes: exceeded by chance once in a thousand samples."""
LOG_RADIUS_SIGMA = 0.3
"""Change of the logarithm of the apparent radius between samples: motion blur and shadows change it more than distance does."""
DEPARTURE_SIGMA = 0.3
"""Change of the mean departure from the background, in shares of itself: the background changes below the object."""
DEPARTURE_FLOOR = 8.0
"""Grey levels added to that."""
LOOKS_GATE = 14.0
"""Squared distance of looks (radius and three channels) beyond which it is another object."""
LOOKS_ODDS = 2.0
"""Log odds for a look-alike: a candidate of clutter looks like this one in seven times."""
LONGEST_STEP = 1000.0
"""Frame intervals: after longer ones (a damaged clock has holes of years) a path may be anywhere, and larger variances lose their last digits."""
LOOKS_MEMORY = 0.3
"""Share of the newest sample in a path's looks."""


Key = tuple[int, int]
"""A candidate: its frame's row and its own in that frame."""


@dataclass(slots=True)
class Path:
    """Keys (frame's row, candidate's row) of one object, the log odds of its being one, and the frames' rows where it turned abruptly."""

    rows: list[Key]
    odds: float
    looks: Floats
    best_odds: float = 0.0
    misses: int = 0
    established: bool = False
    turns: tuple[int, ...] = ()

    def extended(self, row: Key, gain: float, looks: Floats, turned: bool) -> Path:
        """The path with one more sample; an established path's list of rows is shared with what it was."""
        rows = [*self.rows, row] if not self.established else self.rows
        if self.established:
            rows.append(row)
        odds = self.odds + gain
        established = self.established or (len(rows) >= MIN_SAMPLES and odds >= ESTABLISHED_ODDS)
        share = max(LOOKS_MEMORY, 1 / len(rows))
        turns = (*self.turns, row[0]) if turned or row[0] - self.rows[-1 if not self.established else -2][0] > LONG_GAP else self.turns
        return Path(rows, odds, (1 - share) * self.looks + share * looks, max(self.best_odds, odds), 0, established, turns)


class Linker:
    """Fed frame by frame; `paths` gives all established paths. State lives as long as one clip.

    Without ``turns`` a path ends where it would have to turn abruptly: among people, whose limbs turn onto everything that passes them, a
    ball's own few frames are found only so.
    """

    def __init__(self, width_px: float, height_px: float, stride: int, *, turns: bool = True) -> None:
        self._turns = turns
        self._diagonal = float(np.hypot(width_px, height_px))
        self._area = width_px * height_px
        self._stride = stride
        self._active: list[Path] = []
        self._state = np.zeros((0, 3, 2))
        self._covariance = np.zeros((0, 3, 3))
        self._finished: list[Path] = []
        self._row = 0
        self._crowd = 1.0

    def step(self, candidates: Sequence[Candidate], frames: float = 1.0) -> None:
        """Advance by one frame, ``frames`` frame intervals after the last one."""
        self._predict(min(frames, LONGEST_STEP))
        m = len(candidates)
        self._crowd = 0.9 * self._crowd + 0.1 * max(m, 1)
        if m == 0 and not self._active:
            self._row += 1
            return
        place = np.array([(c.u, c.v) for c in candidates]).reshape(m, 2)
        looks = np.array([_looks(c) for c in candidates]).reshape(m, 4)
        noise = (CENTRE_SIGMA * np.array([c.radius * c.elongation for c in candidates]).reshape(m) + 0.5 * self._stride) ** 2
        cost, turned = self._costs(place, looks, noise)
        links = self._assign(cost)
        self._advance(links, place, looks, noise, cost, turned)
        self._row += 1

    def paths(self) -> list[Path]:
        """All established paths so far, those with the best odds first."""
        return sorted((p for p in [*self._finished, *self._active] if p.established), key=lambda p: -p.best_odds)

    def _predict(self, dt: float) -> None:
        if not self._active:
            return
        step = np.array([[1, dt, dt * dt / 2], [0, 1, dt], [0, 0, 1]])
        kick = np.array([dt * dt / 2, dt, 1.0])
        self._state = step @ self._state
        self._covariance = step @ self._covariance @ step.T + (JERK_SIGMA * self._diagonal) ** 2 * dt * np.outer(kick, kick)

    def _costs(self, place: Floats, looks: Floats, noise: Floats) -> tuple[Floats, Bools]:
        """(n, m) minus twice the log odds of each link (inf: none), and whether it needs an abrupt turn."""
        n, m = len(self._active), len(place)
        if n == 0 or m == 0:
            return np.full((n, m), np.inf), np.zeros((n, m), bool)
        square = ((place[None] - self._state[:, 0][:, None]) ** 2).sum(axis=2)
        # A variance that fell from far above to nothing can end a little below it.
        steady = np.maximum(self._covariance[:, 0, 0], 0.0)[:, None] + noise
        loose = steady + self._turn_variance()[:, None]
        old = np.array([self._turns and len(p.rows) >= MIN_SAMPLES for p in self._active])
        as_steady = np.where(square < GATE * steady, square / steady + 2 * np.log(steady), np.inf)
        as_turn = np.where(old[:, None] & (square < GATE * loose), square / loose + 2 * np.log(loose) + TURN_PRICE, np.inf)
        unlike = self._unlike(looks)
        motion = np.minimum(as_steady, as_turn)
        clutter = 2 * np.log(SEEN * self._area / (2 * np.pi * self._crowd)) + 2 * LOOKS_ODDS
        return np.where(unlike < LOOKS_GATE, motion + unlike - clutter, np.inf), as_turn < as_steady

    def _turn_variance(self) -> Floats:
        """(n,) variance of the place after an abrupt turn: the path's speed may stop or reverse."""
        speed = (self._state[:, 1] ** 2).sum(axis=1)
        return (TURN_SIGMA * self._diagonal) ** 2 + speed

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
        rows, columns = np.nonzero(np.isfinite(cost))
        pairs = sorted((cost[i, j], int(i), int(j)) for i, j in zip(rows, columns, strict=True) if self._active[i].established)
        used_paths: set[int] = set()
        used: set[int] = set()
        for _, i, j in pairs:
            if i not in used_paths and j not in used:
                links.append((i, j))
                used_paths.add(i)
                used.add(j)
        for i, path in enumerate(self._active):
            if not path.established:
                order = [int(j) for j in np.argsort(cost[i]) if np.isfinite(cost[i, j]) and int(j) not in used]
                links += [(i, j) for j in order[:BRANCHES]]
        return links

    def _advance(self, links: list[tuple[int, int]], place: Floats, looks: Floats, noise: Floats, cost: Floats, turned: Bools) -> None:
        """Update linked paths, age the others, start new ones from candidates that no established path took."""
        paths: list[Path] = []
        states: list[Floats] = []
        covariances: list[Floats] = []
        for i, j in links:
            covariance = self._covariance[i]
            if turned[i, j]:
                sigma2 = self._turn_variance()[i]
                covariance = covariance + np.diag([sigma2, 2 * sigma2, (ACCELERATION_SIGMA * self._diagonal) ** 2])
            gain = covariance[:, 0] / (covariance[0, 0] + noise[j])
            paths.append(self._active[i].extended((self._row, j), -0.5 * float(cost[i, j]), looks[j], bool(turned[i, j])))
            states.append(self._state[i] + np.outer(gain, place[j] - self._state[i, 0]))
            covariances.append(covariance - np.outer(gain, covariance[0]))
        went_on = {i for i, _ in links}
        taken = {j for i, j in links if self._active[i].established}
        for i, path in enumerate(self._active):
            if i not in went_on and self._coasts(path):
                paths.append(path)
                states.append(self._state[i])
                covariances.append(self._covariance[i])
        prior = np.diag([0.0, (SPEED_SIGMA * self._diagonal) ** 2, (ACCELERATION_SIGMA * self._diagonal) ** 2])
        for j in (j for j in range(len(place)) if j not in taken):
            paths.append(Path([(self._row, j)], 0.0, looks[j]))
            states.append(np.array([place[j], [0.0, 0.0], [0.0, 0.0]]))
            covariances.append(prior + np.diag([noise[j], 0.0, 0.0]))
        keep = _worth_keeping(paths)
        self._active = [paths[k] for k in keep]
        self._state = np.array([states[k] for k in keep]).reshape(-1, 3, 2)
        self._covariance = np.array([covariances[k] for k in keep]).reshape(-1, 3, 3)

    def _coasts(self, path: Path) -> bool:
        """Age a path that was not seen; False when it ends."""
        path.misses += 1
        path.odds += float(np.log(1 - SEEN))
        longest = MAX_GAP if self._turns else LONG_GAP
        if path.established and (path.misses > longest or path.odds < path.best_odds - MOST_LOST_ODDS):
            self._finished.append(path)
            return False
        return path.established or path.misses <= YOUNG_GAP


def _looks(c: Candidate) -> tuple[float, float, float, float]:
    """Logarithm of the radius, and the departure from the background."""
    return (float(np.log(c.radius)), *c.departure)


def _worth_keeping(paths: list[Path]) -> list[int]:
    """Rows of the established paths, and of the best young ones: of those that end alike (in their last two rows) the likeliest."""
    keep: list[int] = []
    ends: dict[tuple[Key, ...], int] = {}
    for k in sorted(range(len(paths)), key=lambda k: (not paths[k].established, -paths[k].odds)):
        end = tuple(paths[k].rows[-2:])
        if end not in ends:
            ends[end] = k
            if paths[k].established:
                keep.append(k)
    for length in range(1, 2 * MIN_SAMPLES):
        young = [k for k in ends.values() if not paths[k].established and min(len(paths[k].rows), 2 * MIN_SAMPLES - 1) == length]
        keep += sorted(young, key=lambda k: -paths[k].odds)[:MAX_YOUNG]
    return sorted(keep)
