"""Clips whose content says what happens to whoever reads them, and workers that do it: the laws of a batch need no vision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import newtonscheme.batch.isolation

TESTS = Path(__file__).resolve().parents[1]
LABORATORY = f"""
import os, signal, sys, time
sys.path[:0] = [sys.argv[1], {str(TESTS)!r}]
from dataclasses import replace
from pathlib import Path
from newtonscheme import errors, pipeline
from newtonscheme.batch import worker
from helpers import make_refused_report, make_report, make_video

def predict(path, **told):
    words = Path(path).read_text().split()
    if words[0] == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif words[0] == "vanish":
        os._exit(0)
    elif words[0] == "hang":
        time.sleep(600)
    elif words[0] == "slow":
        time.sleep(float(words[1]))
    elif words[0] == "murder":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)
    elif words[0] == "memory":
        bytearray(1 << 31)
    elif words[0] == "write":
        Path(words[1]).write_text("x" * 5000)
    elif words[0] == "bug":
        raise ZeroDivisionError("a bug")
    elif words[0] in ("UnreadableInput", "NothingTrackable"):
        raise getattr(errors, words[0])("found " + words[0] + ", needed a clip")
    made = make_refused_report() if words[0] == "refused" else make_report()
    return replace(made, video=make_video(path=Path(path)))

pipeline.predict, worker._warm_up = predict, lambda: None
worker.serve()
"""

MakeClips = Callable[..., Path]


@pytest.fixture
def laboratory(monkeypatch: pytest.MonkeyPatch) -> str:
    """Workers that do what a clip's text says: segfault, hang, memory, refused, a forecast."""
    monkeypatch.setattr(newtonscheme.batch.isolation, "START", LABORATORY)
    return LABORATORY


@pytest.fixture
def make_clips(tmp_path: Path) -> MakeClips:
    """A folder of clips: ``make_clips(throw="forecast", cut="UnreadableInput")``, the file names without their suffix."""

    def make(**contents: str) -> Path:
        folder = tmp_path / "clips"
        folder.mkdir(exist_ok=True)
        for name, content in contents.items():
            (folder / f"{name}.mp4").write_text(content)
        return folder

    return make
