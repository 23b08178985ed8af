"""Looks for ways in which an answer could have reached a forecaster before it was asked; run before every benchmark.

Each check raises `LeakFound` with one line: what was found, and in what.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..camera import assume_camera, table_camera
from ..errors import NewtonSchemeError
from ..estimation.knowledge import Knowledge
from ..synth.seeds import TEST, leading_word
from .cases import Case
from .ours import plain_knowledge

SEED_KEY = re.compile(r"seed|entropy", re.IGNORECASE)
"""Keys of a card under which it says what its training drew from."""
DIGEST = re.compile(r"[0-9a-f]{64}")
OWN_DIGEST = "sha256"
"""The key under which a card holds the digest of its own weights."""
HALF_FRAME = 0.5


class LeakFound(NewtonSchemeError):
    """An answer could have been seen before the question: the benchmark would measure memory."""

    code = "leak"


def check_case(case: Case, knowledge: Knowledge | None = None) -> None:
    """Everything that can be wrong with one case: its seed, its times, its camera, and what ours is told (the plain knowledge when None).

    Raises:
        LeakFound: what is wrong.
    """
    check_origin(case)
    check_times(case)
    check_memory(case)
    check_knowledge(plain_knowledge(case.units) if knowledge is None else knowledge, case)


def check_origin(case: Case) -> None:
    """A drawn case draws from the tests' own seeds, and a real one says which file it is."""
    if case.seed is None and case.sha256 is None:
        raise LeakFound(f"{case.name}: it says neither a seed nor a file; whether a training saw it cannot be known")
    if case.seed is not None and leading_word(case.seed) != TEST:
        raise LeakFound(f"{case.name}: its seed {case.seed} is none of the tests'; a training may have drawn from it")


def check_times(case: Case) -> None:
    """No sample, and no frame that a tracker read, lies after the observation, and every question after it."""
    last, first = float(case.question.observed.t[-1]), float(case.question.t[0])
    if last > case.cut:
        raise LeakFound(f"{case.name}: a sample at {last:.6g} s is after the observation, which ends at {case.cut:.6g} s")
    if first <= case.cut:
        raise LeakFound(f"{case.name}: asked for {first:.6g} s, which is inside the observation until {case.cut:.6g} s")
    if case.vision_until is not None and case.vision_until > first - HALF_FRAME / case.fps:
        raise LeakFound(f"{case.name}: vision read a frame at {case.vision_until:.6g} s; the first that is asked for is at {first:.6g} s")


def check_memory(case: Case) -> None:
    """No array of a question is a window into a longer one, through which later samples could be read."""
    track = case.question.observed
    arrays = {name: getattr(track, name) for name in ("frame", "t", "centre_px", "covariance_px", "radius_px", "radius_sigma_px", "score")}
    for name, array in {**arrays, "times": case.question.t}.items():
        if array.base is not None:
            raise LeakFound(f"{case.name}: the question's {name} are a part of a longer array, of which the rest can be read")


def check_knowledge(knowledge: Knowledge, case: Case) -> None:
    """What ours knows is what `ns predict` knows when nobody tells it anything: no length, ball, gravity or camera of the truth."""
    plain = plain_knowledge(case.units)
    for name in ("known", "label", "mass", "diameter", "rulers"):
        if getattr(knowledge, name) != getattr(plain, name):
            raise LeakFound(f"{case.name}: '{name}' of what is known was told: {getattr(knowledge, name)}")
    camera = case.question.camera
    width, height = (round(2.0 * c + 1.0) for c in camera.principal_px)
    if camera != (assume_camera(width, height) if case.units == "px" else table_camera(case.units, case.question.observed.centre_px)):
        raise LeakFound(f"{case.name}: the question's camera is not the one that is assumed for a picture of its size")


def check_cards(cards: Mapping[str, Mapping[str, Any]], seeds: Iterable[int], digests: Iterable[str]) -> None:
    """No weights were trained on what tests are drawn from, nor on a real file.

    Args:
        cards: what each forecaster's weights say of their training, by its name.
        seeds: whole seeds of the cases.
        digests: sha256 of the real files.

    Raises:
        LeakFound: a card says no seeds, or one of the tests', or names a file of the benchmark.
    """
    tested, files = set(seeds), set(digests)
    for name, card in cards.items():
        words = list(_seeds_of(card))
        if not words:
            raise LeakFound(f"{name}: its card says no seeds of its training; whether it saw the tests cannot be known")
        for word in words:
            if word in tested or TEST in (word, leading_word(word)):
                raise LeakFound(f"{name}: its card says a seed of its training that is one of the tests': {word}")
        for digest in _digests_of(card):
            if digest in files:
                raise LeakFound(f"{name}: its card says that it was trained on a real file of the benchmark: sha256 {digest}")


def _seeds_of(card: Any, under: bool = False) -> Iterator[int]:
    """All whole numbers at or below a key that speaks of seeds."""
    if isinstance(card, Mapping):
        for key, value in card.items():
            yield from _seeds_of(value, under or SEED_KEY.search(str(key)) is not None)
    elif isinstance(card, Sequence) and not isinstance(card, str):
        for value in card:
            yield from _seeds_of(value, under)
    elif under and isinstance(card, int | np.integer) and not isinstance(card, bool):
        yield int(card)


def _digests_of(card: Any) -> Iterator[str]:
    """All sha256 digests in a card but that of its own weights."""
    if isinstance(card, Mapping):
        for key, value in card.items():
            if key != OWN_DIGEST or not isinstance(value, str):
                yield from _digests_of(value)
            yield from DIGEST.findall(str(key).lower())
    elif isinstance(card, Sequence) and not isinstance(card, str):
        for value in card:
            yield from _digests_of(value)
    elif isinstance(card, str):
        yield from DIGEST.findall(card.lower())
