"""Where an error becomes one line on standard error and an exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from helpers import make_refused_report, make_report

import newtonscheme.pipeline
from newtonscheme import __version__
from newtonscheme.cli import main
from newtonscheme.errors import LimitReached, NothingTrackable, StaleWeights, UnreadableInput, UsageError

COMMANDS = ("predict", "track", "patterns", "objects", "simulate", "train")


def one_line(text: str) -> str:
    """The only line on standard error, which must be an error of ours."""
    lines = text.splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("ns: error: ")
    return lines[0]


def make_predict_do(monkeypatch: pytest.MonkeyPatch, outcome: Any) -> None:
    def act(*_: object, **__: object) -> Any:
        if isinstance(outcome, BaseException) or (isinstance(outcome, type) and issubclass(outcome, BaseException)):
            raise outcome
        return outcome

    monkeypatch.setattr(newtonscheme.pipeline, "predict", act)


def test_a_forecast_ends_with_0_and_says_nothing_on_stderr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    make_predict_do(monkeypatch, make_report())
    assert main(["predict", "a.mp4"]) == 0
    out, err = capsys.readouterr()
    assert "free fall" in out
    assert err == ""


def test_a_refusal_ends_with_5_and_is_no_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    make_predict_do(monkeypatch, make_refused_report())
    assert main(["predict", "a.mp4"]) == 5
    out, err = capsys.readouterr()
    assert "none of the known patterns" in out
    assert err == ""


@pytest.mark.parametrize(
    ("error", "code"), [(UsageError, 2), (StaleWeights, 2), (UnreadableInput, 3), (NothingTrackable, 4), (LimitReached, 6)]
)  # fmt: skip
def test_each_error_is_one_line_and_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: type[Exception], code: int
) -> None:
    make_predict_do(monkeypatch, error("found a\nb, needed c;\r\n do d"))
    assert main(["predict", "a.mp4"]) == code
    out, err = capsys.readouterr()
    assert one_line(err) == "ns: error: found a b, needed c; do d"
    assert out == ""


def test_what_is_in_a_message_cannot_move_the_cursor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    make_predict_do(monkeypatch, UnreadableInput("no such file: '\x1b[2Jx\udce9\u202e'"))
    assert main(["predict", "a.mp4"]) == 3
    assert one_line(capsys.readouterr().err) == r"ns: error: no such file: '\x1b[2Jx\xe9\u202e'"


def test_an_exhausted_memory_is_a_limit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    make_predict_do(monkeypatch, MemoryError)
    assert main(["predict", "a.mp4"]) == 6
    assert "memory" in one_line(capsys.readouterr().err)


def test_an_interruption_ends_with_130_and_no_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    make_predict_do(monkeypatch, KeyboardInterrupt)
    assert main(["predict", "a.mp4"]) == 130
    assert "error" not in capsys.readouterr().err


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    make_predict_do(monkeypatch, ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError, match="a bug"):
        main(["predict", "a.mp4"])


@pytest.mark.parametrize(
    "words",
    [
        "", "fly", "--fly", "predict", "predict --fly", "predict a b", "predict a --level", "predict a --level much", "predict a --level 2",
        "predict a --roi 1,2", "predict a --seed 1.5", "predict a --config missing.toml", "predict a --overlay -", "predict a --json - --csv -",
        "track", "track a --format xls", "simulate free_fall", "simulate magic --out a.mp4", "train", "train --out weights.txt", "patterns x",
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_one_line_and_ends_with_2(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 2
    one_line(capsys.readouterr().err)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"ns {command}" in out
    assert len(out.splitlines()) > 8


def test_help_and_version_go_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(command in out for command in COMMANDS)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ns {__version__}\n"


def run(arguments: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "newtonscheme", *arguments], capture_output=True, text=True, check=False, **options)


def test_a_file_named_like_an_option_is_a_file_after_two_dashes(tmp_path: Path) -> None:
    ended = run(["predict", "--", "--json"], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(Path(newtonscheme.__file__).parents[1])})
    assert ended.returncode == 3
    assert "--json" in one_line(ended.stderr)


def test_a_name_that_the_terminal_lacks_is_no_crash(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(newtonscheme.__file__).parents[1]), "PYTHONIOENCODING": "ascii"}
    ended = run(["predict", "球±.mp4"], cwd=tmp_path, env=environment)
    assert ended.returncode == 3
    one_line(ended.stderr)


def test_a_reader_that_goes_away_is_no_bug() -> None:
    call = "import sys; from newtonscheme.cli import main; sys.exit(main(['objects']))"
    process = subprocess.Popen([sys.executable, "-c", call], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 130
    assert err == ""


def test_ctrl_c_ends_quickly_and_cleanly(tmp_path: Path) -> None:
    call = (
        "import sys, time, newtonscheme.pipeline as p\n"
        "def work(*a, **k):\n    print('working', flush=True)\n    time.sleep(60)\n"
        "p.predict = work\nfrom newtonscheme.cli import main\nsys.exit(main(['predict', 'a.mp4']))"
    )
    process = subprocess.Popen([sys.executable, "-c", call], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
                               env=os.environ | {"PYTHONPATH": str(Path(newtonscheme.__file__).parents[1])})  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == ""


def test_a_time_limit_ends_python_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def dawdle(*_: object, **__: object) -> None:
        while True:
            time.sleep(0.01)

    monkeypatch.setattr(newtonscheme.pipeline, "predict", dawdle)
    assert main(["predict", "a.mp4", "--timeout", "0.2"]) == 6
    assert "time limit of 0.2 s" in one_line(capsys.readouterr().err)


def test_a_time_limit_ends_native_code_that_never_returns() -> None:
    # Blocked signals are what a decoder that never comes back to Python looks like.
    call = (
        "import signal, sys, time, newtonscheme.pipeline as p\n"
        "def work(*a, **k):\n    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})\n    time.sleep(600)\n"
        "p.predict = work\nfrom newtonscheme.cli import main\nsys.exit(main(['predict', 'a.mp4', '--timeout', '0.2']))"
    )
    ended = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, timeout=60, check=False,
                           env=os.environ | {"PYTHONPATH": str(Path(newtonscheme.__file__).parents[1])})  # fmt: skip
    assert ended.returncode == 6
    assert "time limit" in one_line(ended.stderr)


def test_a_limit_that_was_not_reached_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    make_predict_do(monkeypatch, make_report())
    before = signal.getsignal(signal.SIGALRM)
    assert main(["predict", "a.mp4", "--timeout", "30", "--quiet"]) == 0
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
