"""Whose chance a seed is."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from newtonscheme.synth.seeds import LEADING_WORDS, leading_word, seed_sequence, whole_seed


def draws(seed: np.random.SeedSequence | int) -> list[float]:
    return np.random.default_rng(seed).uniform(size=4).tolist()


def test_the_roles_and_keys_of_a_seed_all_give_chance_of_their_own() -> None:
    keys = [(), (0,), (1,), (0, 0), (1, 0), (0, 1), (1, 0, 0)]
    streams = [draws(seed_sequence(role, *key)) for role in LEADING_WORDS for key in keys]
    assert all(a != b for a, b in combinations(streams, 2))


def test_a_plain_small_seed_is_nobodys() -> None:
    assert all(draws(seed) != draws(seed_sequence("test", seed)) for seed in range(5))


def test_the_whole_number_is_the_same_chance_and_tells_its_role() -> None:
    for role, word in LEADING_WORDS.items():
        seed = whole_seed(role, 7, 0, 3)
        assert draws(seed) == draws(seed_sequence(role, 7, 0, 3))
        assert leading_word(seed) == word


@pytest.mark.parametrize("key", [-1, 1 << 32])
def test_a_key_that_does_not_fit_one_word_is_refused(key: int) -> None:
    with pytest.raises(ValueError, match="expected keys"):
        seed_sequence("test", key)
