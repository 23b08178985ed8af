"""`ns benchmark`: what it refuses, what it prints and what it leaves behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from newtonscheme.baselines.polynomial import FreeQuadratic
from newtonscheme.benchmark import publish
from newtonscheme.benchmark import run as running
from newtonscheme.benchmark.leaks import LeakFound
from newtonscheme.benchmark.ours import NewtonScheme
from newtonscheme.benchmark.roster import Roster
from newtonscheme.benchmark.run import Plan
from newtonscheme.cli.benchmark import benchmark
from newtonscheme.errors import UsageError

app = Typer()
app.command()(benchmark)
TINY = Plan("tiny", simulated=1, shifted=0, video=0, real=0, all_shares=0, lock=0)


def few() -> Roster:
    return Roster((FreeQuadratic(), NewtonScheme()), {"gru": "its packages or weights are not here"}, {}, {})


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan of three tracks, in this process, with the simplest rival."""
    monkeypatch.setattr(publish, "QUICK", TINY)
    whole = running.run_benchmark
    monkeypatch.setattr(running, "run_benchmark", lambda suite, **told: whole(suite, **told, workers=1, roster=few))


def test_the_results_are_printed_and_written(tiny: None, tmp_path: Path) -> None:
    out = tmp_path / "results"
    text = run("simulated", "--quick", "--out", str(out))
    assert "| newton scheme |" in text
    assert "is left out" in text
    document = json.loads((out / "results.json").read_text())
    assert document["plan"] == "tiny"
    assert (out / "table.md").read_text() in text
    assert {path.name for path in out.iterdir()} >= {"results.json", "table.md", "error_against_horizon.png", "examples.png"}


def test_quiet_says_nothing(tiny: None) -> None:
    assert run("simulated", "--quick", "--quiet") == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["imagined"], "no suite 'imagined'"), (["real"], "--data"), (["--quick", "--full"], "--quick and --full"), (["--seed", "-1"], "--seed"),
        (["--data", "/nowhere/at/all"], "--data"), (["--retrain"], "--out"), (["--out", "/nowhere/at/all"], "--out"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_before_any_work(arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newtonscheme.benchmark.run.run_benchmark", lambda *_, **__: pytest.fail("it ran"))
    with pytest.raises(UsageError, match=words):
        run(*arguments)


def test_results_that_exist_are_kept(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("old")
    with pytest.raises(UsageError, match="--force"):
        run("--quick", "--out", str(tmp_path))
    assert (tmp_path / "results.json").read_text() == "old"


def test_a_leak_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def leak(*_: object, **__: object) -> None:
        raise LeakFound("tcn: it saw a test")

    monkeypatch.setattr("newtonscheme.benchmark.run.run_benchmark", leak)
    with pytest.raises(LeakFound):
        run("--quick")
    assert LeakFound.exit_code == 1
