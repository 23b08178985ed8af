"""A small benchmark from end to end: everyone is asked the same, refusals and failures are counted, and the document is strict JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from newtonscheme.baselines.forecaster import Question, make_forecast
from newtonscheme.baselines.polynomial import FreeQuadratic, LastVelocity
from newtonscheme.benchmark.cases import Case, Made
from newtonscheme.benchmark.charts import FIGURES, write_charts
from newtonscheme.benchmark.leaks import LeakFound
from newtonscheme.benchmark.lock import POLICIES, follow
from newtonscheme.benchmark.metrics import EQUAL, HORIZONS
from newtonscheme.benchmark.ours import ORACLE, OURS, NewtonScheme, Oracle
from newtonscheme.benchmark.roster import Roster
from newtonscheme.benchmark.run import Plan, Results, choose_suites, run_benchmark
from newtonscheme.benchmark.suites import list_recipes, make_cases
from newtonscheme.benchmark.summarise import SCHEMA, summarise
from newtonscheme.benchmark.tables import BEGIN, END, WINS, make_tables, place_in_readme, read_results, to_markdown, to_rich, write_results
from newtonscheme.errors import UnreadableInput, UsageError
from newtonscheme.types import Forecast, Refusal

TINY = Plan("tiny", simulated=2, shifted=2, video=0, real=0, all_shares=1, lock=0)


@dataclass(frozen=True)
class Still:
    """Says that nothing moves on."""

    name: str = "still"

    def forecast(self, question: Question) -> Forecast | Refusal:
        last = np.tile(question.observed.centre_px[-1], (len(question.t), 1))
        return make_forecast(question, last, np.full(last.shape, 5.0), 1.645)


@dataclass(frozen=True)
class Silent:
    name: str = "silent"

    def forecast(self, question: Question) -> Forecast | Refusal:
        return Refusal("too_short", "never enough")


@dataclass(frozen=True)
class Broken:
    name: str = "broken"

    def forecast(self, question: Question) -> Forecast | Refusal:
        raise ZeroDivisionError("no luck")


@dataclass(frozen=True)
class Lost:
    name: str = "lost"

    def forecast(self, question: Question) -> Forecast | Refusal:
        nowhere = np.full((len(question.t), 2), np.nan)
        return make_forecast(question, nowhere, nowhere, 1.645)


def fakes() -> Roster:
    forecasters = (Still(), Silent(), Broken(), Lost(), LastVelocity(), FreeQuadratic(), NewtonScheme())
    return Roster(forecasters, {"gru": "its packages are not installed; run: pip install 'newtonscheme[learn]'"}, {OURS: {"seed": 0}}, {OURS: 1000})


@pytest.fixture(scope="module")
def results() -> Results:
    return run_benchmark(["simulated", "shifted"], plan=TINY, roster=fakes, workers=1, patterns=("free_fall", "pendulum"))


@pytest.fixture(scope="module")
def document(results: Results) -> dict[str, Any]:
    return summarise(results)


def cell(document: dict[str, Any], forecaster: str, suite: str = "simulated", pattern: str = "all") -> dict[str, Any]:
    return next(c for c in document["cells"] if (c["forecaster"], c["suite"], c["pattern"], c["observed_share"]) == (forecaster, suite, pattern, 0.5))


def test_everyone_is_asked_every_question(results: Results) -> None:
    names = {fact.name for fact in results.facts}
    assert len(names) == 2 * (2 + 2) + 2 * 2
    for forecaster in (*results.forecasters, ORACLE):
        assert {a.case for a in results.answers if a.forecaster == forecaster} == names


def test_refusals_and_failures_are_counted_and_are_no_errors(document: dict[str, Any]) -> None:
    for name, reason in (("silent", "too_short"), ("broken", "broke"), ("lost", "not_finite")):
        row = cell(document, name)
        assert row["asked"] == 4
        assert row["answered"] == 0
        assert row["refusals"] == {reason: 4}
        assert row["rms_median"] is None
        assert row["against_ours"] is None


def test_rivals_are_compared_on_what_both_answered(document: dict[str, Any]) -> None:
    ours = cell(document, OURS)
    for name in ("still", "last_velocity", "free_quadratic"):
        against = cell(document, name)["against_ours"]
        assert [row["horizon"] for row in against] == list(HORIZONS)
        assert all(row["n"] == ours["answered"] for row in against)
    assert cell(document, "still")["against_ours"][-1]["ratio"] > 1


def test_the_best_possible_is_near_the_truth(document: dict[str, Any]) -> None:
    for suite in ("simulated", "shifted"):
        assert cell(document, ORACLE, suite)["rms_median"][-1] < 0.1
        assert cell(document, "still", suite)["over_best"]["ratio"] > 3


def test_the_document_is_strict_json(document: dict[str, Any]) -> None:
    def refuse(constant: str) -> float:
        raise AssertionError(constant)

    text = json.dumps(document, allow_nan=False)
    assert json.loads(text, parse_constant=refuse) == document
    assert document["schema"] == SCHEMA


def timeless(document: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in document.items() if key not in ("elapsed_s", "versions")}
    kept["cells"] = [{name: value for name, value in row.items() if name != "ms_median"} for row in kept["cells"]]
    kept["answers"] = {name: [row and {**row, "ms": 0} for row in rows] for name, rows in kept["answers"].items()}
    return kept


def test_the_same_seed_gives_the_same_document() -> None:
    plan = replace(TINY, simulated=1, all_shares=0)
    first, again = (run_benchmark(["simulated"], plan=plan, roster=fakes, workers=1, patterns=("free_fall",)) for _ in range(2))
    assert timeless(summarise(first)) == timeless(summarise(again))


@pytest.mark.slow
def test_two_processes_find_what_one_finds() -> None:
    from newtonscheme.benchmark.roster import call_roster

    call = partial(call_roster, "nowhere")
    one, two = (run_benchmark(["simulated"], plan=TINY, roster=call, workers=n, patterns=("free_fall",)) for n in (1, 2))
    assert timeless(summarise(one)) == timeless(summarise(two))


def test_a_leak_stops_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    def cheat(recipe: Any) -> Made:
        return Made(tuple(replace(case, seed=7) for case in make_cases(recipe).cases))

    monkeypatch.setattr("newtonscheme.benchmark.suites.make_cases", cheat)
    with pytest.raises(LeakFound, match="none of the tests'"):
        run_benchmark(["simulated"], plan=TINY, roster=fakes, workers=1, patterns=("free_fall",))


def test_weights_that_saw_the_tests_stop_the_benchmark() -> None:
    from newtonscheme.synth.seeds import TEST

    def call() -> Roster:
        return replace(fakes(), cards={"gru": {"seed": TEST}})

    with pytest.raises(LeakFound, match="gru"):
        run_benchmark(["simulated"], plan=TINY, roster=call, workers=1, patterns=("free_fall",))


def test_suites_are_chosen_by_name() -> None:
    assert choose_suites(None, None) == ("simulated", "shifted", "video")
    assert choose_suites(None, "folder") == ("simulated", "shifted", "video", "real")
    assert choose_suites(["video", "simulated"], None) == ("simulated", "video")
    with pytest.raises(UsageError, match="no suite 'imagined'"):
        choose_suites(["imagined"], None)
    with pytest.raises(UsageError, match="--data"):
        choose_suites(["real"], None)


# Tables and figures.


def test_every_row_of_a_table_says_how_many_tracks_it_stands_on(document: dict[str, Any]) -> None:
    for table in make_tables(document):
        assert all(len(row) == len(table.header) for row in table.rows)
    (simulated, *_) = make_tables(document)
    assert "(2)" in simulated.header[1]
    assert all("n 2" in cell or cell == "–" for row in simulated.rows for cell in row[1:3])


def test_the_markdown_has_every_forecaster_and_says_what_is_left_out(document: dict[str, Any]) -> None:
    text = to_markdown(document)
    for name in (*document["forecasters"], ORACLE):
        assert f"| {name.replace('_', ' ')} |" in text
    assert "gru is left out" in text
    assert "pip install 'newtonscheme[learn]'" in text
    assert all(line.count(" | ") >= 2 for line in text.splitlines() if line.startswith("|"))


def test_the_terminal_shows_the_same_rows(document: dict[str, Any]) -> None:
    assert [grid.row_count for grid in to_rich(make_tables(document))] == [len(table.rows) for table in make_tables(document)]


def test_where_a_rival_wins_the_row_says_so(document: dict[str, Any]) -> None:
    won = json.loads(json.dumps(document))
    against = cell(won, "still", pattern="free_fall")
    against["against_ours"][-1] |= {"ratio": 0.5, "interval": [0.3, 0.8], "n": 20, "ours_is": "worse"}
    assert WINS in to_markdown(won)
    against["against_ours"][-1] |= {"interval": [0.8, 1.2], "ours_is": EQUAL}
    assert WINS not in to_markdown(won)
    assert EQUAL in to_markdown(won)


def test_results_are_read_as_they_were_written(document: dict[str, Any], tmp_path: Path) -> None:
    write_results(document, tmp_path)
    assert read_results(tmp_path / "results.json") == document
    assert (tmp_path / "table.md").read_text() == to_markdown(document)
    with pytest.raises(UsageError, match="exists"):
        write_results(document, tmp_path)
    (tmp_path / "other.json").write_text("{}")
    for name in ("other.json", "missing.json"):
        with pytest.raises(UnreadableInput):
            read_results(tmp_path / name)


def test_the_readmes_tables_go_between_its_marks(document: dict[str, Any]) -> None:
    readme = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    placed = place_in_readme(readme, document)
    assert placed.startswith(f"before\n{BEGIN}\n")
    assert placed.endswith(f"{END}\nafter\n")
    assert "old" not in placed
    assert place_in_readme(placed, document) == placed
    with pytest.raises(UsageError, match="once each"):
        place_in_readme("no marks", document)


def test_figures_are_drawn_from_what_was_found(results: Results, document: dict[str, Any], tmp_path: Path) -> None:
    written = write_charts(document, results.examples, tmp_path)
    assert [path.name for path in written] == [name for name in FIGURES if name != "learning_curves.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
    curve = {"tracks": [100, 1000], "error": [0.3, 0.2]}
    learned = document | {"weights": {"gru": {"bytes": 1, "learning_curve": curve}}}
    assert {path.name for path in write_charts(learned, results.examples, tmp_path, force=True)} == set(FIGURES)


# Ours, the best possible, and the lock.


@pytest.fixture(scope="module")
def swing() -> Case:
    (recipe,) = list_recipes("simulated", 1, patterns=("pendulum",))
    (case,) = make_cases(recipe).cases
    return case


def test_ours_forecasts_a_swing_and_refuses_noise(swing: Case) -> None:
    ours = NewtonScheme()
    assert isinstance(ours.forecast(swing.question), Forecast)
    track = swing.question.observed
    shaken = replace(track, centre_px=300.0 + 100.0 * np.random.default_rng(0).standard_normal(track.centre_px.shape))
    refusal = ours.forecast(Question(observed=shaken, t=swing.question.t, camera=swing.question.camera))
    assert isinstance(refusal, Refusal)
    assert refusal.message


@pytest.mark.parametrize("pattern", ["free_fall", "pendulum", "curving_ball"])
def test_the_best_possible_starts_where_the_truth_is_seen_on_the_moon_too(pattern: str) -> None:
    """Under the gravity that everyone believes in, the truth is a larger thing further off: its picture is the same."""
    from newtonscheme.benchmark.ours import NOBODY, plain_knowledge, truth_as_fit
    from newtonscheme.estimation.parameters import predict_image, state_problem

    recipe = next(r for r in list_recipes("shifted", 6, patterns=(pattern,)) if r.kind == "moon")
    (case,) = make_cases(recipe).cases
    assert case.truth is not None
    known = plain_knowledge().known
    start = truth_as_fit(case.truth, case.question, known)
    problem = state_problem(case.question.observed, pattern, case.question.camera, NOBODY, known)
    image, _ = predict_image(problem, start.estimate[None], case.question.t - start.track.t[0])
    apart = np.hypot(*(image[0, :, :2] - case.truth_px).T)
    # The air is that of an ordinary day and not the truth's: a few per cent of drag and lift.
    assert float(np.max(apart)) < 0.1 * case.path_px


def test_the_best_possible_needs_a_truth(swing: Case) -> None:
    assert isinstance(Oracle().forecast(swing), Forecast)
    assert isinstance(Oracle().forecast(replace(swing, truth=None)), Refusal)


def test_a_lock_makes_fewer_fits_and_checks_every_frame(swing: Case) -> None:
    ticks = iter(range(10_000))
    found = {policy: follow(swing, policy, clock=lambda: float(next(ticks))) for policy in POLICIES}
    refit, lock = found["refit"], found["lock_25"]
    assert refit is not None
    assert lock is not None
    assert (refit.fits, refit.checks) == (refit.frames, 0)
    assert lock.checks == lock.frames == refit.frames
    assert lock.fits < refit.fits
    assert lock.ms_per_frame == 1000.0


def test_too_short_a_track_is_not_followed(swing: Case) -> None:
    short = replace(swing.question, observed=swing.question.observed.select(slice(0, 6)))
    assert follow(replace(swing, question=short), "lock_25") is None


def test_the_roster_has_everyone_who_is_here_and_says_how_to_get_the_others() -> None:
    from newtonscheme.benchmark.roster import HOW_TO_LEARN, call_roster

    roster = call_roster("nowhere")
    names = [forecaster.name for forecaster in roster.forecasters]
    assert names[-1] == OURS
    assert {"last_velocity", "free_quadratic", "free_cubic", "kalman_constant_velocity", "kalman_constant_acceleration"} <= set(names)
    assert {"gru", "tcn", "neural_ode"} <= set(roster.left_out)
    assert not set(names) & set(roster.left_out)
    assert all(HOW_TO_LEARN in reason for reason in roster.left_out.values())
