"""Training of the neural rivals: it learns, it repeats itself, it goes on where it was cut, and it keeps to its own seeds."""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from newtonscheme.baselines.networks import KINDS, Tcn, load_network
from newtonscheme.baselines.sequence import GRID
from newtonscheme.learning.rival_data import (
    HORIZONS,
    LOOKS,
    RIVALS,
    TRAINING_SEEDS,
    VALIDATION_SEEDS,
    RivalData,
    block_seed,
    draw_tracks,
    is_rival_seed,
    load_tracks,
)
from newtonscheme.learning.rivals import Plan, judge, train_network, train_rivals
from newtonscheme.physics.models import PATTERNS
from newtonscheme.synth.seeds import TEST, seed_sequence, whole_seed


@pytest.fixture(scope="module")
def tracks() -> RivalData:
    return draw_tracks(seed_sequence("test", 5), 30)


class CutError(Exception):
    """An interruption."""


def cut_after(epochs: int):
    def progress(stage: str, done: int, total: int | None) -> None:
        if done >= epochs:
            raise CutError

    return progress


def same(one: RivalData, other: RivalData) -> bool:
    return all(np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(RivalData))


def test_training_and_validation_share_no_seed_with_each_other_or_with_a_test() -> None:
    assert TRAINING_SEEDS != VALIDATION_SEEDS
    assert is_rival_seed(whole_seed("training", RIVALS, 3))
    assert is_rival_seed(whole_seed("validation", RIVALS, 0))
    assert not is_rival_seed(whole_seed("test", RIVALS, 3))
    assert not is_rival_seed(whole_seed("training", 0, 3))
    assert not is_rival_seed(0)
    assert list(block_seed("training", 3).entropy) == [*TRAINING_SEEDS[:1], 2, *TRAINING_SEEDS[1:], 3]
    states = {tuple(block_seed(part, block).generate_state(4)) for part in ("training", "validation") for block in range(300)}
    assert len(states) == 600


def test_tracks_are_of_all_patterns_with_two_looks_and_their_answers(tracks: RivalData) -> None:
    assert np.bincount(tracks.pattern).tolist() == [10] * len(PATTERNS)
    assert tracks.target.shape == (30, LOOKS, len(GRID), 2)
    assert tracks.lengths.shape == (30, LOOKS, len(HORIZONS))
    assert np.all(np.diff(tracks.lengths, axis=2) > 0)
    assert all(np.all(np.isfinite(getattr(tracks, f.name))) for f in fields(RivalData))
    assert not np.array_equal(tracks.series[:, 0], tracks.series[:, 1])


def test_the_answer_begins_where_the_observation_ends(tracks: RivalData) -> None:
    assert np.quantile(np.abs(tracks.target[:, :, 0]), 0.9) < 0.05


def test_kept_tracks_are_the_ones_that_would_be_drawn(tmp_path: Path) -> None:
    first = load_tracks(tmp_path, "training", 5, block=3, workers=1)
    kept = sorted(tmp_path.iterdir())
    assert len(kept) == 2
    kept[0].unlink()
    assert same(load_tracks(tmp_path, "training", 5, block=3, workers=1), first)
    assert same(load_tracks(tmp_path, "training", 2, first=3, block=3, workers=1), first.select(slice(3, 5)))


@pytest.mark.parametrize("kind", [kind if kind == "tcn" else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS])
def test_a_short_training_lowers_the_error(kind: str, tracks: RivalData) -> None:
    pytest.importorskip("torch", reason="torch is in the extra `learn`")
    _, before = train_network(kind, tracks, tracks, seed=1, epochs=1)
    _, after = train_network(kind, tracks, tracks, seed=1, epochs=10)
    assert after.loss < 0.97 * before.loss
    assert after.parameters == before.parameters
    assert 50_000 <= after.parameters <= 100_000


def test_training_twice_gives_the_same_net_and_another_seed_another(tracks: RivalData) -> None:
    pytest.importorskip("torch", reason="torch is in the extra `learn`")
    (one, _), (two, _), (other, _) = (train_network("tcn", tracks, tracks, seed=seed, epochs=2) for seed in (4, 4, 5))
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert not np.array_equal(one["out.weight"], other["out.weight"])


def test_a_training_that_was_cut_goes_on_to_the_same_result(tracks: RivalData, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is in the extra `learn`")
    whole, row = train_network("tcn", tracks, tracks, seed=2, epochs=5)
    checkpoint = tmp_path / "run.pt"
    with pytest.raises(CutError):
        train_network("tcn", tracks, tracks, seed=2, epochs=5, checkpoint=checkpoint, progress=cut_after(2))
    resumed, again = train_network("tcn", tracks, tracks, seed=2, epochs=5, checkpoint=checkpoint)
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)
    assert replace(again, seconds=row.seconds) == row


def test_a_net_that_knew_the_answer_would_be_judged_without_error(tracks: RivalData) -> None:
    torch = pytest.importorskip("torch", reason="torch is in the extra `learn`")

    class Oracle(torch.nn.Module):
        def forward(self, series, scalars, curves):
            target = torch.from_numpy(tracks.target[:, 0])
            return target, torch.zeros_like(target)

    assert np.max(judge(Oracle(), tracks)) < 1e-3


@pytest.mark.slow
def test_a_whole_run_writes_nets_that_answer_and_is_never_made_twice(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is in the extra `learn`")
    plan = Plan(sizes=(6, 12), kinds=("tcn",), validation_tracks=6, several_seeds=2, epochs_scale=0.05, block=6, workers=1)
    out, work = tmp_path / "out", tmp_path / "work"
    told: list[str] = []
    runs = train_rivals(out, work, plan=plan, progress=lambda stage, done, total: told.append(stage))
    assert [(run.size, run.seed) for run in runs] == [(6, 0), (6, 1), (12, 0), (12, 1)]
    assert len([file for file in work.iterdir() if file.suffix == ".json"]) == 4
    assert not list(work.glob("*.pt"))
    card = tomllib.loads((out / "tcn.toml").read_text())
    assert card["tracks"] == 12
    assert card["learning_curve"]["tracks"] == [6, 12]
    assert card["entropy_first"] == [TRAINING_SEEDS[0], 2, RIVALS, 2 * card["run"]]
    assert TEST not in card["entropy_last"]
    network, factors = load_network("tcn", out / "tcn.safetensors")
    assert sum(p.numel() for p in network.parameters()) == card["parameters"]
    assert np.all(factors > 0)
    assert Tcn(out / "tcn.safetensors").available()
    told.clear()
    assert train_rivals(out, work, plan=plan, progress=lambda stage, done, total: told.append(stage)) == runs
    assert not told
    assert json.loads(next(iter(sorted(work.glob("*.json")))).read_text())["kind"] == "tcn"
