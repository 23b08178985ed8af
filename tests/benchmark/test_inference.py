"""The judge of the inference: its counts are right, its motions are the tests' own, and its files are whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from newtonscheme.benchmark.breaks import KINDS, TESTS, Watched
from newtonscheme.benchmark.inference import (
    LEVELS,
    PLANS,
    InferencePlan,
    Judged,
    Refused,
    do_task,
    list_tasks,
    run_inference,
    summarise_inference,
)
from newtonscheme.benchmark.inference_tables import inference_markdown, inference_tables, write_inference
from newtonscheme.errors import UsageError
from newtonscheme.synth.motions import FAMILIES

NORMAL = (0.0, 0.5, -0.5, 1.0, -1.0)


def judged(coverage: float, z: float = 0.0, **changes: object) -> Judged:
    values = {
        "pattern": "free_fall", "kind": "white", "samples": 30, "named": "free_fall", "refused": "", "coverage": (coverage,) * len(LEVELS),
        "rms_px": 1.0, "width_px": 2.0, "best_rms_px": 1.0, "best_width_px": 1.0, "parameters": {"speed": z}, "separable": 4.0,
    }  # fmt: skip
    return Judged(**(values | changes))


def test_a_share_is_taken_for_each_track_and_its_error_from_their_spread() -> None:
    document = summarise_inference([judged(1.0), judged(0.5)], plan="quick", seed=0)
    band = document["bands"][0]
    assert (band["pattern"], band["stratum"], band["tracks"]) == ("free_fall", "all", 2)
    assert band["coverage"] == [0.75] * len(LEVELS)
    assert band["sigma"] == pytest.approx([0.25 / np.sqrt(2)] * len(LEVELS))
    assert band["width_over_best"] == 2.0


def test_an_optimum_elsewhere_is_counted() -> None:
    document = summarise_inference([judged(0.9), judged(0.9, rms_px=5.0)], plan="quick", seed=0)
    assert document["optimum"][0]["elsewhere"] == 0.5


def test_errors_of_the_size_of_their_sigmas_have_even_ranks_and_others_have_not() -> None:
    rng = np.random.default_rng(0)
    honest = summarise_inference([judged(0.9, z) for z in rng.normal(size=200)], plan="quick", seed=0)["parameters"][0]
    proud = summarise_inference([judged(0.9, 3 * z) for z in rng.normal(size=200)], plan="quick", seed=0)["parameters"][0]
    assert honest["spread"] == pytest.approx(1.0, abs=0.2)
    assert honest["even_ranks_p"] > 0.01
    assert proud["even_ranks_p"] < 1e-6
    assert proud["inside_90"] < 0.6


def test_names_are_counted_by_the_evidence_and_the_wrong_law_by_itself() -> None:
    tracks = [
        judged(0.9, separable=20.0),
        judged(0.9, separable=20.0, named="curving_ball"),
        judged(0.9, separable=-1.0, named=None, refused="broken"),
    ]
    document = summarise_inference(tracks, plan="quick", seed=0)
    rows = {row["from"]: row for row in document["naming"]}
    assert (rows[10.0]["tracks"], rows[10.0]["named"], rows[10.0]["simpler_or_other"]) == (2, 1, 1)
    assert rows[None]["refused"] == 1
    assert document["wrong_law"] == {"tracks": 2, "wrong": 1}


def watched(rise: tuple[float, int, int]) -> Watched:
    return Watched(pattern="pendulum", kind="contact", watched=10, visible=True, peaks=dict.fromkeys(TESTS, 0.5), rises=dict.fromkeys(TESTS, (rise,)))


def test_refusals_and_breaks_are_counted() -> None:
    found = [
        Refused(family="walk", taken_for=None), Refused(family="walk", taken_for="free_fall"),
        watched((50.0, 1, 1)), watched((50.0, 6, 5)), watched((5.0, 1, 1)), None,
    ]  # fmt: skip
    document = summarise_inference(found, plan="quick", seed=0)
    assert document["refusals"] == [{"family": "walk", "motions": 2, "refused": 1, "taken_for": ["free_fall"]}]
    row = document["breaks"][0]
    assert (row["pattern"], row["kind"], row["count"], row["found"], row["within"], row["mean_delay"]) == ("pendulum", "contact", 3, 2, 1, 3.5)
    assert document["unused"] == 1


def test_every_family_and_pattern_is_asked_and_seeds_give_others() -> None:
    tasks = list_tasks(PLANS["quick"], 0, ("free_fall", "pendulum"))
    assert {task.name for task in tasks if task.kind == "refusal"} == set(FAMILIES)
    assert {task.name for task in tasks if task.kind == "break"} == {f"{name}/{kind}" for name in ("free_fall", "pendulum") for kind in KINDS[name]}
    assert len({task for task in tasks}) == len(tasks)
    other = next(task for task in list_tasks(PLANS["quick"], 1, ("free_fall",)) if task.kind == "break")
    same = next(task for task in tasks if task.kind == "break")
    assert do_task(other) != do_task(same)


def test_a_small_run_ends_in_tables_and_whole_files(tmp_path: Path) -> None:
    document = run_inference(InferencePlan("tiny", tracks=1, refusals=0, breaks=1), workers=1, patterns=("free_fall",))
    assert document["bands"] or document["naming"]
    write_inference(document, tmp_path)
    assert json.loads((tmp_path / "inference.json").read_text()) == document
    text = inference_markdown(document)
    assert (tmp_path / "inference.md").read_text() == text
    assert all(table.title in text for table in inference_tables(document))
    with pytest.raises(UsageError):
        write_inference(document, tmp_path)


def test_the_published_tables_are_those_of_the_published_results() -> None:
    docs = Path(__file__).resolve().parents[2] / "docs"
    document = json.loads((docs / "inference.json").read_text(encoding="utf-8"))
    assert (docs / "inference.md").read_text(encoding="utf-8") == inference_markdown(document)
