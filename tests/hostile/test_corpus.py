"""Every file of a corpus of hostile ones ends as its manifest says: corpus.py draws, runs and judges.

The default run takes a sample of each group that is quick to draw and to read. All 341 files: ``pytest -m slow tests/hostile``, of another
seed with ``NS_HOSTILE_SEED``; the generator is found by ``NS_HOSTILE`` or beside the checkout.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
GENERATOR = Path(os.environ.get("NS_HOSTILE", HERE.parents[2] / "shared" / "hostile" / "make_hostile.py"))
SEED = int(os.environ.get("NS_HOSTILE_SEED", "0"))
SAMPLE = (
    "config/dup*", "model/evil*", "onnx/ext_t*", "track/[bx]*.trk", "names/fifo*", "names/devz*", "names/esc*", "names/latin1*",
    "container/moov_missing*", "container/middle_noise*", "playlist/hls_http*", "bitflip/flip200_00.mp4",
)  # fmt: skip

pytestmark = [
    pytest.mark.skipif(not GENERATOR.exists(), reason=f"no generator of hostile files at {GENERATOR}: set NS_HOSTILE"),
    pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the generator of hostile files needs the command ffmpeg"),
]


def run_corpus(folder: Path, command: str, only: str = "*") -> list[dict[str, Any]]:
    """What each case ended with; the judge's own words on standard output."""
    words = [sys.executable, str(HERE / "corpus.py"), str(folder), "--command", command, "--only", only, "--json", str(folder / "ends.json")]
    subprocess.run(words, check=False, env=os.environ | {"PYTHONPATH": str(HERE.parents[1])})
    ends = json.loads((folder / "ends.json").read_text())
    (folder / "ends.json").unlink()
    return list(ends)


def draw(folder: Path, *only: str) -> Path:
    """The files that any of the patterns names, or all."""
    spec = importlib.util.spec_from_file_location("make_hostile", GENERATOR)
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    for chosen in only or (None,):
        generator.build(folder, SEED, chosen, quiet=True)
    return folder


def test_a_sample_of_hostile_files_ends_as_it_should(tmp_path: Path) -> None:
    ends = run_corpus(draw(tmp_path, *SAMPLE), "track")
    assert len(ends) > len(SAMPLE)
    assert {row["path"]: row["faults"] for row in ends if row["faults"]} == {}


@pytest.mark.slow
@pytest.mark.parametrize("command", ["track", "predict"])
def test_every_hostile_file_ends_as_it_should(tmp_path: Path, command: str) -> None:
    ends = run_corpus(draw(tmp_path), command)
    assert len(ends) >= 341
    assert {row["path"]: row["faults"] for row in ends if row["faults"]} == {}
