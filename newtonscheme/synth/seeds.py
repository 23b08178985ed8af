"""Which chance belongs to training, to validation and to tests: the leading word of the entropy, so that no draw of one can be one of another.

`numpy.random.SeedSequence` mixes its entropy as 32-bit words; two sequences whose words differ give unrelated streams. What learns takes its
words under `TRAINING` and `VALIDATION`, what judges under `TEST`; a card records the words as ``entropy`` and a benchmark compares them.
The recogniser's own training takes a plain number below `TRAINING` as its seed, which is none of these words.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

TRAINING, VALIDATION, TEST = 0x7A1E0001, 0x7A1E0002, 0x7A1E0003
"""Words that no one types as a seed by chance: about two thousand million."""

Role = Literal["training", "validation", "test"]
LEADING_WORDS: dict[str, int] = {"training": TRAINING, "validation": VALIDATION, "test": TEST}

WORD_BITS = 32


def seed_sequence(role: Role, *keys: int) -> np.random.SeedSequence:
    """The chance of one draw of a role.

    The entropy is (leading word, number of keys, *keys): the number keeps (1,) and (1, 0) apart, which zero-padding would make equal.

    Args:
        role: who draws.
        keys: whole numbers of 32 bits that tell one draw from another: the user's seed, the suite, the case.

    Raises:
        ValueError: a key is negative or needs more than 32 bits, and would run into the next one.
    """
    return np.random.SeedSequence(entropy_words(role, *keys))


def whole_seed(role: Role, *keys: int) -> int:
    """The same chance as one whole number, for what takes ``seed=``: ``default_rng(whole_seed(...))`` is that of `seed_sequence`."""
    return sum(word << (WORD_BITS * i) for i, word in enumerate(entropy_words(role, *keys)))


def entropy_words(role: Role, *keys: int) -> list[int]:
    """What a `seed_sequence` is made of, and what a card records: (leading word, number of keys, *keys)."""
    if any(not 0 <= key < 1 << WORD_BITS for key in keys):
        raise ValueError(f"seed_sequence: expected keys from 0 to 2^32 - 1, got {keys}")
    return [LEADING_WORDS[role], len(keys), *keys]


def leading_word(entropy: int) -> int:
    """The first 32-bit word of a whole seed: tells whose chance it is."""
    return entropy & ((1 << WORD_BITS) - 1)
