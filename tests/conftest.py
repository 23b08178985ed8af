"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_folder() -> Path:
    """The folder of real clips and tables (environment variable NS_REAL, or beside the checkout); without it the test is skipped."""
    folder = Path(os.environ.get("NS_REAL", Path(__file__).resolve().parents[2] / "shared" / "real"))
    if not folder.is_dir():
        pytest.skip(f"no real clips at {folder}: set NS_REAL")
    return folder
