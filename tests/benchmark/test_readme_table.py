"""The README's table of the benchmark is that of the committed results."""

from __future__ import annotations

from pathlib import Path

import pytest

from newtonscheme.benchmark.tables import BEGIN, place_in_readme, read_results

ROOT = Path(__file__).resolve().parents[2]


def test_the_readmes_table_is_that_of_the_committed_results() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    if BEGIN not in readme:
        pytest.skip(f"README.md has no {BEGIN} yet")
    assert place_in_readme(readme, read_results(ROOT / "data" / "benchmark.json")) == readme
