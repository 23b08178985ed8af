"""Training, and the weights that ship, on tracks they have never seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from newtonscheme.estimation.features import Features, window_features
from newtonscheme.estimation.recognition import UNKNOWN, forward, load_recogniser, probabilities
from newtonscheme.learning.dataset import LABELS, Dataset, draw_dataset
from newtonscheme.learning.dynamics import charge_imbalance, equilibrium_angle
from newtonscheme.learning.training import Schedule, calibrate, calibration_error, fit_network, judge, train

UNSEEN_SEED = 77_001
"""Far from the seed of the shipped weights: its card says which that was."""
TINY = Schedule(train_paths=12, calibration_paths=6, held_out_paths=6, epochs=2, workers=1)


@pytest.fixture(scope="module")
def unseen() -> Dataset:
    return draw_dataset(np.random.SeedSequence(UNSEEN_SEED), 80)


def silence(stage: str, done: int, total: int | None) -> None:
    pass


def test_the_shipped_weights_name_unseen_windows_that_show_their_motion(unseen: Dataset) -> None:
    assert load_recogniser().card["seed"] != UNSEEN_SEED
    scores = judge(load_recogniser(), unseen)
    assert scores.accuracy_shown >= 0.94
    assert scores.class_accuracy[UNKNOWN] >= 0.9


def test_the_shipped_weights_mean_the_probabilities_they_give(unseen: Dataset) -> None:
    assert judge(load_recogniser(), unseen).calibration_error <= 0.05


@pytest.mark.slow
def test_the_shipped_weights_reach_their_goals_on_many_unseen_windows() -> None:
    scores = judge(load_recogniser(), draw_dataset(np.random.SeedSequence(UNSEEN_SEED + 1), 1200))
    assert scores.accuracy_shown >= 0.97
    assert scores.calibration_error <= 0.03


def test_windows_without_motion_get_less_certain_names_than_windows_with_it(unseen: Dataset) -> None:
    p = probabilities(load_recogniser(), unseen.features).max(axis=1)
    assert p[~unseen.shows].mean() < p[unseen.shows].mean()


def test_calibration_error_of_known_confidences() -> None:
    label = np.zeros(1000, dtype=np.int64)
    label[:400] = 1
    p = np.tile([0.6, 0.4], (1000, 1))
    shuffled = np.random.default_rng(0).permutation(1000)
    assert calibration_error(p, label[shuffled]) < 0.06
    assert calibration_error(np.tile([0.9, 0.1], (1000, 1)), label[shuffled]) == pytest.approx(0.3, abs=1e-9)


def test_numpy_and_torch_agree(unseen: Dataset) -> None:
    torch = pytest.importorskip("torch", reason="torch is in the extra `learn`")
    from newtonscheme.learning.network import Network

    torch.manual_seed(0)
    network = Network(len(LABELS)).eval()
    network.standardise(unseen.features.series, unseen.features.scalars)
    some = Features(unseen.features.series[:64], unseen.features.scalars[:64])
    with torch.no_grad():
        expected = network(torch.from_numpy(some.series), torch.from_numpy(some.scalars)).numpy()
    np.testing.assert_allclose(forward(network.tensors(), some), expected, atol=2e-5)


def test_scaling_the_weights_before_the_normalisation_changes_nothing(unseen: Dataset) -> None:
    tensors = dict(load_recogniser().tensors)
    before = forward(tensors, unseen.features)
    tensors["mix.weight"] = 3.0 * tensors["mix.weight"]
    np.testing.assert_allclose(forward(tensors, unseen.features), before, atol=2e-2)


def test_training_twice_writes_the_same_bytes_and_keeps_the_norms_law(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is in the extra `learn`")
    files = [tmp_path / name for name in ("a.safetensors", "b.safetensors")]
    cards = [train(file, seed=3, schedule=TINY) for file in files]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert cards[0].text() == cards[1].text()
    assert load_recogniser(files[0]).labels == LABELS


def test_the_norm_under_the_normalisation_obeys_the_scale_charges_law(unseen: Dataset) -> None:
    pytest.importorskip("torch", reason="torch is in the extra `learn`")
    _, trace = fit_network(unseen, 0, 8, silence)
    assert np.median(np.abs(charge_imbalance(trace))) < 1e-2
    assert np.max(trace.angle) < 50 * equilibrium_angle(float(trace.rate.max()), trace.momentum, trace.decay)


def test_calibration_mends_weights_that_are_too_sure(unseen: Dataset) -> None:
    good = dict(load_recogniser().tensors)
    sure = {**good, "head.weight": 4 * good["head.weight"], "head.bias": 4 * good["head.bias"]}
    recogniser = load_recogniser()
    mended = type(recogniser)(recogniser.labels, calibrate(sure, unseen), {})
    boasting = type(recogniser)(recogniser.labels, sure, {})
    assert judge(mended, unseen).cross_entropy < judge(boasting, unseen).cross_entropy


def test_a_window_of_four_samples_is_recognised_without_certainty() -> None:
    rng = np.random.default_rng(0)
    t = np.tile(np.arange(4) / 30.0, (20, 1))
    features = window_features(t, 100 + np.cumsum(rng.standard_normal((20, 4, 2)), axis=1), np.full((20, 4), 0.5))
    known = probabilities(load_recogniser(), features)[:, :-1].max(axis=1)
    assert np.mean(known) < 0.8
