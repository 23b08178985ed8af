"""What training writes: readable, whole, and read back as it was written."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from newtonscheme.errors import UsageError
from newtonscheme.estimation.recognition import DEFAULT_WEIGHTS, load_recogniser, read_safetensors
from newtonscheme.learning.cards import Scores, TrainingCard, pack_safetensors, write_recogniser
from newtonscheme.learning.dataset import LABELS
from newtonscheme.learning.dynamics import NormTrace


def make_card() -> TrainingCard:
    scores = Scores(
        accuracy=0.9, accuracy_shown=1.0, class_accuracy={label: 0.95 for label in LABELS}, pattern_accuracy={}, refusal={"walk": float("nan")},
        calibration_error=1e-7, confidence_short=0.5, cross_entropy=0.2, confusion=((1, 0, 0), (0, 2, 0), (0, 0, 3)),
    )  # fmt: skip
    trace = NormTrace(np.linspace(2.0, 1.0, 11), np.full(10, 1e-4), np.full(10, 0.9999), np.full(10, 0.05), 0.9, 2e-3)
    return TrainingCard(labels=LABELS, seed=3, paths=(4, 2, 2), windows=(32, 16, 16), epochs=1, scores=scores, trace=trace)


def test_tensors_come_back_as_they_were_packed() -> None:
    rng = np.random.default_rng(0)
    tensors = {"b": rng.standard_normal((3, 2, 5)).astype(np.float32), "a.x": rng.standard_normal(7).astype(np.float32)}
    read = read_safetensors(pack_safetensors(tensors), "w")
    assert set(read) == set(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(read[name], tensor)


def test_the_format_is_the_one_others_read() -> None:
    safetensors = pytest.importorskip("safetensors.numpy", reason="the reference reader of the format is not installed")
    tensors = {"b": np.ones((3, 2), np.float32), "a": np.arange(5, dtype=np.float32)}
    read = safetensors.load(pack_safetensors(tensors))
    np.testing.assert_array_equal(read["a"], tensors["a"])
    np.testing.assert_array_equal(safetensors.load(DEFAULT_WEIGHTS.read_bytes())["mix.weight"], load_recogniser().tensors["mix.weight"])


def test_the_card_is_toml_and_says_what_was_trained() -> None:
    card = tomllib.loads(make_card().text())
    assert card["labels"] == list(LABELS)
    assert card["seed"] == 3
    assert card["held_out"]["accuracy_shown"] == 1.0
    assert card["held_out"]["confusion_shown"] == [[1, 0, 0], [0, 2, 0], [0, 0, 3]]
    assert np.isnan(card["held_out"]["refusal_shown"]["walk"])


def test_a_written_recogniser_loads(tmp_path: Path) -> None:
    out = tmp_path / "mine.safetensors"
    tensors = load_recogniser().tensors
    card = write_recogniser(out, tensors, make_card())
    loaded = load_recogniser(out)
    assert loaded.card["sha256"] == card.sha256
    assert loaded.card["parameters"] == card.parameters == sum(t.size for t in tensors.values())
    np.testing.assert_array_equal(loaded.tensors["mix.weight"], tensors["mix.weight"])


def test_weights_are_not_overwritten_unless_told(tmp_path: Path) -> None:
    out = tmp_path / "mine.safetensors"
    tensors = load_recogniser().tensors
    write_recogniser(out, tensors, make_card())
    before = out.read_bytes()
    doubled = {**tensors, "mix.weight": 2 * tensors["mix.weight"]}
    with pytest.raises(UsageError):
        write_recogniser(out, doubled, make_card())
    assert out.read_bytes() == before
    write_recogniser(out, doubled, replace(make_card(), seed=4), force=True)
    assert load_recogniser(out).card["seed"] == 4


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="safetensors"):
        write_recogniser(tmp_path / "mine.pt", {}, make_card())
