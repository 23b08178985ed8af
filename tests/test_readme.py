"""The README is true: its commands exist, its tables are complete, its files ship."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from newtonscheme.cli import app
from newtonscheme.errors import LimitReached, NothingTrackable, UnreadableInput, UsageError
from newtonscheme.physics.models import FORCE_MODELS
from newtonscheme.report import report_to_json

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_two_commands_do_the_set_up() -> None:
    first, second = blocks("sh")
    assert "pip install -e '.[learn]' && ns predict data/throw.mp4" in first
    assert second.strip() == "pip install -e '.[learn,dev]' && pytest"


def test_ci_installs_and_predicts_as_the_readme_says() -> None:
    ci = (ROOT / ".ci" / "run").read_text()
    assert "pip install --quiet -e '.[learn,dev]'" in ci
    assert "ns predict data/throw.mp4" in ci


def test_every_file_that_the_readme_reads_ships() -> None:
    named = set(re.findall(r"\bdata/[\w.]+", README))
    assert named
    assert all((ROOT / name).is_file() for name in named)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"`ns {command}" in README


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_in_the_readme_and_says_what_it_does(command: str) -> None:
    for parameter in COMMANDS[command].params:
        if parameter.param_type_name == "option":
            assert f"`{parameter.opts[0]}" in README, parameter.opts[0]
            assert parameter.help


@pytest.mark.parametrize("name", FORCE_MODELS)
def test_every_pattern_is_in_the_table(name: str) -> None:
    assert re.search(rf"^\| `{name}` \|", README, re.MULTILINE)


def test_every_option_that_an_example_uses_exists() -> None:
    known = {name for command in COMMANDS.values() for parameter in command.params for name in parameter.opts}
    calls = [line[2:] for text in blocks("console") for line in text.splitlines() if line.startswith("$ ns ")]
    assert calls
    for call in calls:
        words = shlex.split(call)
        assert words[1] in COMMANDS
        assert {word for word in words if word.startswith("--")} <= known


def test_every_key_of_the_report_is_in_the_readme() -> None:
    from helpers import make_report

    explained = README[README.index("## The report") :]
    missing = {key for key in report_to_json(make_report()) if f"`{key}`" not in explained} - {"schema", "version", "error", "seed"}
    assert not missing


def test_every_exit_code_is_in_the_table() -> None:
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    assert codes == {0, 1, 5, 130} | {error.exit_code for error in (UsageError, UnreadableInput, NothingTrackable, LimitReached)}


@pytest.mark.parametrize("code", blocks("python"))
def test_a_python_example_names_what_is_public(code: str) -> None:
    compile(code, "README.md", "exec")
    import newtonscheme

    assert {name for name in re.findall(r"newtonscheme\.(\w+)", code)} <= set(newtonscheme.__all__)


@pytest.mark.slow
def test_the_python_example_prints_a_forecast(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    exec(blocks("python")[0], {})
    assert capsys.readouterr().out.startswith("forecast free_fall")
