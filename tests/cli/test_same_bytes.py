"""The same input and options give the same bytes: again, with other threads, from another folder, in another language and time zone."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CALL = "import sys; from newtonscheme.cli import main; sys.exit(main())"
RUNS = int(os.environ.get("NS_RUNS", "4"))
SURROUNDINGS = (
    {"OMP_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "2", "TZ": "Asia/Kolkata"}, {"LC_ALL": "C", "TZ": "America/St_Johns"},
    {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "7", "OPENBLAS_NUM_THREADS": "2"},
)  # fmt: skip


def clip(folder: Path, name: str) -> Path:
    """One of the samples, or one whose picture data is damaged: what decoders make of that must not depend on threads either."""
    if name != "damaged":
        return ROOT / "data" / f"{name}.mp4"
    content = bytearray((ROOT / "data" / "throw.mp4").read_bytes())
    rng = random.Random(0)
    for _ in range(20):
        content[rng.randrange(len(content) // 4, len(content) // 2)] ^= 1 << rng.randrange(8)
    (folder / "damaged.mp4").write_bytes(content)
    return folder / "damaged.mp4"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["throw", "pendulum", "damaged"])
def test_report_and_table_are_the_same_bytes_in_every_run(tmp_path: Path, name: str) -> None:
    film, made = clip(tmp_path, name), set()
    for run in range(RUNS):
        place = tmp_path / f"place{run}"
        place.mkdir()
        words = ["predict", str(film), "--observe", "0.6", "--json", "r.json", "--csv", "r.csv", "--quiet"]
        environment = os.environ | {"PYTHONPATH": str(ROOT)} | SURROUNDINGS[run % len(SURROUNDINGS)]
        ended = subprocess.run([sys.executable, "-c", CALL, *words], cwd=place, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode in (0, 5), ended.stderr
        made.add(((place / "r.json").read_bytes(), (place / "r.csv").read_bytes(), ended.returncode))
    assert len(made) == 1
