"""`ns predict` passes on what it was told, shows the summary where it does no harm, and does nothing else."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
from helpers import make_report
from typer.main import get_command

import newtonscheme.pipeline
from newtonscheme.cli import app, main
from newtonscheme.types import Options


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []

    def record(video: str | None, *, progress: Any, **options: Any) -> Any:
        calls.append({"video": video, "progress": progress, **options})
        return make_report()

    monkeypatch.setattr(newtonscheme.pipeline, "predict", record)
    return calls


def test_the_command_line_has_every_option_of_the_library_and_no_other() -> None:
    command = get_command(app).commands["predict"]  # type: ignore[attr-defined]
    names = {parameter.name for parameter in command.params} - {"video"}
    assert names == {field.name for field in fields(Options)}


def test_the_defaults_that_help_tells_are_the_librarys() -> None:
    command = get_command(app).commands["predict"]  # type: ignore[attr-defined]
    helps = {parameter.name: parameter.help for parameter in command.params}
    assert f"default {Options().level}" in helps["level"]
    assert f"default {Options().seed}" in helps["seed"]


def test_nothing_told_is_one_call_with_the_defaults(told: list[dict[str, Any]]) -> None:
    assert main(["predict", "a.mp4"]) == 0
    assert told == [{"video": "a.mp4", "progress": None, **asdict(Options())}]


def test_everything_told_reaches_the_library(told: list[dict[str, Any]]) -> None:
    words = (
        "--json a.json --csv a.csv --overlay a.mp4 --plot a.png --observe 0.6 --horizon 2 --level 0.8 --pattern pendulum --object golf "
        "--object-index 1 --mass 0.1±5% --diameter 0.04 --length 1.2+-0.01 --scale 300 --g 9.8 --temperature 20 --pressure 1000 --fps 240 "
        "--start 0.5 --end 3 --roi 1,2,30,40 --fov 60 --weights w --seed 7 --timeout 100 --force --quiet"
    )
    assert main(["predict", "v.mp4", *shlex.split(words)]) == 0
    expected = Options(
        json="a.json", csv="a.csv", overlay="a.mp4", plot="a.png", observe=0.6, horizon=2.0, level=0.8, pattern="pendulum", object="golf",
        object_index=1, mass="0.1±5%", diameter="0.04", length="1.2+-0.01", scale="300", g="9.8", temperature=20.0, pressure=1000.0, fps=240.0,
        start=0.5, end=3.0, roi=(1, 2, 30, 40), fov=60.0, weights="w", seed=7, timeout=100.0, force=True, quiet=True,
    )  # fmt: skip
    (call,) = told
    assert {name: value for name, value in call.items() if name not in ("video", "progress")} == asdict(expected)


def test_a_table_needs_no_video(told: list[dict[str, Any]]) -> None:
    assert main(["predict", "--track", "t.csv", "--size", "640,360", "--units", "px", "--latitude", "-50.5", "--height", "100"]) == 0
    assert told[0]["video"] is None
    assert told[0]["size"] == (640, 360)
    assert told[0]["latitude"] == -50.5


def test_the_command_line_wins_over_the_configuration(told: list[dict[str, Any]], tmp_path: Path) -> None:
    config = tmp_path / "options.toml"
    config.write_text('observe = 0.5\nlevel = 0.8\nobject-index = 2\nmass = "0.1±5%"\nforce = true\n')
    assert main(["predict", "a.mp4", "--config", str(config), "--level", "0.9"]) == 0
    call = told[0]
    assert (call["observe"], call["level"], call["object_index"], call["mass"], call["force"]) == (0.5, 0.9, 2, "0.1±5%", True)


@pytest.mark.parametrize("option", ["--json", "--csv"])
def test_machine_output_has_standard_output_to_itself(told: list[dict[str, Any]], capsys: pytest.CaptureFixture[str], option: str) -> None:
    assert main(["predict", "a.mp4", option, "-"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "free fall" in err


def test_quiet_says_nothing(told: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "a.mp4", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_patterns_and_objects_are_lists_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    from newtonscheme.catalogue import load_catalogue
    from newtonscheme.physics.models import PATTERNS

    assert main(["patterns", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["patterns"]
    assert [entry["name"] for entry in listed] == list(PATTERNS)
    assert {"g", "length", "damping", "amplitude_deg", "period"} <= set(listed[1]["parameters"])
    assert main(["objects", "--json"]) == 0
    balls = json.loads(capsys.readouterr().out)["objects"]
    assert {entry["label"] for entry in balls} == set(load_catalogue())
    assert all(low <= high for entry in balls for low, high in (entry["mass_kg"], entry["diameter_m"]))
    for command, name in (("patterns", "pendulum"), ("objects", "tennis ball")):
        assert main([command]) == 0
        assert name in capsys.readouterr().out
