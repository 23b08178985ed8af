"""Films of one rate in a file of another: which frames are shown once more, and when each was taken.

A converter that has fewer pictures than places shows the latest one: place k holds picture floor(rate k + phase). Where that does not grow, a
picture is shown again; the others stand up to a place later than they were taken, which at the speed of a ball is many times its error.
"""

from __future__ import annotations

import numpy as np

from ..types import Bools, Cadence, Floats, Ints
from .duplication import LEAST_CHANGE, ROW_STEP

LEAST_MOTION = 2.0 * LEAST_CHANGE / ROW_STEP
"""Change from frame to frame, in the rows that are compared, from which something clearly moves."""
QUIET, MOVED = 0.05, 0.3
"""Shares of the change next to it below which a frame repeats the one before, and above which it surely does not."""
BACK_AGAIN = 0.5
"""Change over a repeat and a frame on either side, in shares of that next to it, below which things went back to where they were: a swing that
turned between two frames repeats a picture too."""
FEWEST_QUIET, FEWEST_MOVED = 8, 16
"""Frames of each kind that a cadence can be told from: a few at random places fit one."""
RATES = (0.3, 0.97)
"""Pictures for each place: fewer is another kind of film, more leaves too few repeats to tell."""
FIRST_PLACES, STEP_PLACES, PHASES = 256, 0.1, 80
"""Places that rates are first compared on, by how much their ends may differ in place from one rate to the next, and phases tried."""
FALSE_COST = 4.0
"""A frame that moves where none should tells this much more against a cadence than a repeat that is missing."""
LEAST_HIT, MOST_FALSE = 0.75, 0.03
"""Share of the repeats that must be where the cadence has them (what comes to rest repeats itself too), and of the moving frames that may."""


def find_cadence(changes: Floats) -> Cadence | None:
    """The cadence of a film, None where it has none.

    ``changes`` (n, 2) is how much each frame differs from the one before and from the third before it, NaN where unknown.
    """
    quiet, moved = (np.flatnonzero(kind) for kind in _kinds(*changes.T))
    if len(quiet) < FEWEST_QUIET or len(moved) < FEWEST_MOVED:
        return None
    first, length = int(quiet[0]), float(FIRST_PLACES)
    rates = np.arange(*RATES, STEP_PLACES / length)
    while True:
        within = [here[(here >= first) & (here < first + length)] - first for here in (quiet, moved)]
        rate, phase = _best(rates, within[0], within[1])
        if first + length >= len(changes):
            break
        length *= 2.0
        rates = rate + STEP_PLACES / length * np.arange(-6, 7)
    phase = (phase - rate * first) % 1.0
    cadence = Cadence(rate=rate, phase=phase, prompt=float(((rate * np.arange(len(changes)) + phase) % 1.0).min()))
    hit, wrong = (float(cadence.repeats(here).mean()) for here in (quiet, moved))
    return cadence if hit >= LEAST_HIT and wrong <= MOST_FALSE else None


def _kinds(changes: Floats, over_three: Floats) -> tuple[Bools, Bools]:
    """(n,) which frames repeat the one before in the midst of motion, and which, like the first, surely do not."""
    known = np.nan_to_num(changes)
    beside = np.maximum(np.append(0.0, known[:-1]), np.append(known[1:], 0.0))
    went_on = np.append(np.nan_to_num(over_three[1:]), 0.0) > BACK_AGAIN * beside
    quiet = np.isfinite(changes) & (beside >= LEAST_MOTION) & (known <= QUIET * beside) & went_on
    moved = known >= np.maximum(MOVED * beside, LEAST_MOTION)
    moved[:1] = True
    return quiet, moved


def _best(rates: Floats, quiet: Ints, moved: Ints) -> tuple[float, float]:
    """The rate, and its phase, that has the most repeats where the quiet frames are and the fewest where things moved."""
    phases = np.arange(PHASES)[:, None] / PHASES
    best, found = -np.inf, [(float(rates[0]), 0.0)]
    for rate in rates:
        hit, wrong = (np.mean((rate * here + phases) % 1.0 >= rate, axis=1) if len(here) else np.zeros(PHASES) for here in (quiet, moved))
        worth = hit - FALSE_COST * wrong
        top = float(worth.max())
        if top >= best:
            alike = np.flatnonzero(worth == top)
            found = [*(found if top == best else []), (float(rate), float(phases[alike[len(alike) // 2], 0]))]
            best = top
    # Of what does equally well the middle is furthest from doing worse.
    return found[len(found) // 2]
