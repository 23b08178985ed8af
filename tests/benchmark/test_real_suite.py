"""Real files are known by their digests, read up to the cut, and judged by what came after."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from newtonscheme.benchmark import real
from newtonscheme.benchmark.leaks import check_case
from newtonscheme.benchmark.suites import list_recipes, make_cases
from newtonscheme.errors import UsageError
from newtonscheme.physics.models import PATTERNS

MANY = 1000


def write_drop(path: Path, last_row: str = "") -> None:
    t = np.arange(40) / 15.0
    height = 47.0 - 4.9 * t**2
    rows = "".join(f"1,{a:.6f},{b:.6f},0\n" for a, b in zip(t, height, strict=True))
    path.write_text(f"Drop #,Time (s),Height (m),Velocity (m/s)\n{rows}{last_row}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from hashlib import sha256

    write_drop(tmp_path / "drop.csv")
    digest = sha256((tmp_path / "drop.csv").read_bytes()).hexdigest()
    entry = {"file": "drop.csv", "kind": "heights", "pattern": "free_fall", "series": 1, "sha256": digest}
    monkeypatch.setattr(real, "read_manifest", lambda: (entry,))
    return tmp_path


def test_every_entry_of_the_manifest_says_what_it_is() -> None:
    entries = real.read_manifest()
    assert len({entry["file"] for entry in entries}) == len(entries)
    for entry in entries:
        assert entry["kind"] in ("heights", "angles", "film")
        assert entry["pattern"] in PATTERNS
        assert re.fullmatch("[0-9a-f]{64}", entry["sha256"])
        assert not Path(entry["file"]).is_absolute()
        assert entry["kind"] != "film" or entry["first"] < entry["last"]


def test_a_table_is_asked_about_by_what_it_says_after_the_cut(folder: Path) -> None:
    (recipe,) = list_recipes("real", MANY, folder=str(folder))
    made = make_cases(recipe)
    (case,) = made.cases
    assert made.notes == ()
    check_case(case)
    assert len(case.question.observed) == len(case.question.t) == 20
    assert case.truth is None
    assert np.allclose(case.truth_px[:, 1], -(47.0 - 4.9 * case.question.t**2))


def test_what_was_seen_does_not_depend_on_what_came(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (recipe,) = list_recipes("real", MANY, folder=str(folder))
    (before,) = make_cases(recipe).cases
    text = (folder / "drop.csv").read_text().splitlines()
    columns = [row.split(",") for row in text[26:]]
    later = [*text[:26], *(f"{drop},{t},{float(height) + 0.3 * (i % 2):.6f},{v}" for i, (drop, t, height, v) in enumerate(columns))]
    (folder / "drop.csv").write_text("\n".join(later))
    from hashlib import sha256

    changed = dict(real.read_manifest()[0]) | {"sha256": sha256((folder / "drop.csv").read_bytes()).hexdigest()}
    monkeypatch.setattr(real, "read_manifest", lambda: (changed,))
    (after,) = make_cases(recipe).cases
    assert np.array_equal(after.question.observed.centre_px, before.question.observed.centre_px)
    assert np.array_equal(after.question.observed.covariance_px, before.question.observed.covariance_px)
    assert not np.array_equal(after.truth_px, before.truth_px)


def test_another_file_of_the_same_name_is_named_and_left_out(folder: Path) -> None:
    write_drop(folder / "drop.csv", "1,3.0,2.0,0\n")
    (recipe,) = list_recipes("real", MANY, folder=str(folder))
    made = make_cases(recipe)
    assert made.cases == ()
    assert "drop.csv" in made.notes[0]
    assert "sha256" in made.notes[0]


def test_a_file_that_is_not_there_is_named_and_left_out(folder: Path) -> None:
    (folder / "drop.csv").unlink()
    (recipe,) = list_recipes("real", MANY, folder=str(folder))
    assert make_cases(recipe).notes == ("drop.csv: not in the folder; left out",)


def test_a_folder_that_is_not_there_is_a_usage_error() -> None:
    assert list_recipes("real", MANY) == ()
    with pytest.raises(UsageError, match="--data"):
        list_recipes("real", MANY, folder="/nowhere/at/all")


def test_real_tables_are_cases_without_leaks(real_folder: Path) -> None:
    recipes = [r for r in list_recipes("real", MANY, folder=str(real_folder)) if not r.kind.endswith((".mp4", ".mov"))]
    assert len(recipes) == 26
    for recipe in recipes[::5]:
        for case in make_cases(recipe).cases:
            check_case(case)
            assert case.sha256 is not None


@pytest.mark.slow
def test_real_films_are_cases_without_leaks(real_folder: Path) -> None:
    for recipe in list_recipes("real", MANY, folder=str(real_folder)):
        if recipe.kind.endswith((".mp4", ".mov")):
            (case,) = make_cases(recipe).cases
            check_case(case)
            assert case.vision_until is not None
            assert case.vision_until < case.question.t[0]
