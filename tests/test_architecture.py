"""The house stands as CONTRIBUTING.md draws it: floors, registries, and what start-up costs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from newtonscheme.physics.models import FORCE_MODELS, PATTERNS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "newtonscheme"
HEAVY = ("numpy", "scipy", "cv2", "av", "matplotlib", "torch")


def test_every_import_contract_holds() -> None:
    pytest.importorskip("importlinter")
    run = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout


def test_what_can_predict_never_loads_torch() -> None:
    modules = ", ".join(f"newtonscheme.{name}" for name in ("pipeline", "vision.tracking", "vision.overlay", "figures", "cli.predict", "cli.track"))
    loaded = _modules_after(f"import {modules}; import newtonscheme; newtonscheme.predict, newtonscheme.track")
    assert "torch" not in loaded
    assert "onnx" not in loaded


def test_help_loads_nothing_heavy() -> None:
    loaded = _modules_after("from newtonscheme.cli import main; assert main(['predict', '--help']) == 0")
    assert not loaded & set(HEAVY)


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not _modules_after("import newtonscheme") & set(HEAVY)


def test_every_file_of_a_force_pattern_is_registered() -> None:
    files = {path.stem for path in (PACKAGE / "physics" / "models").glob("*.py")} - {"__init__"}
    assert files == set(PATTERNS)


def test_every_force_pattern_is_called_by_its_file_name() -> None:
    assert {name: model.name for name, model in FORCE_MODELS.items()} == {name: name for name in PATTERNS}


def test_every_cli_command_is_named_in_a_torch_contract_or_trains() -> None:
    contract = next(c for c in _settings()["tool"]["importlinter"]["contracts"] if "torch" in c.get("forbidden_modules", ()))
    commands = {path.stem for path in (PACKAGE / "cli").glob("*.py")} - {"__init__", "console", "deadline", "parameters", "train", "benchmark"}
    assert {f"newtonscheme.cli.{command}" for command in commands} <= set(contract["source_modules"])


@pytest.mark.slow
def test_the_wheel_carries_everything_that_the_package_reads(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    from zipfile import ZipFile

    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    shipped = set(ZipFile(wheel).namelist())
    read = {str(path.relative_to(ROOT)) for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert read <= shipped


def _settings() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def _modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after some code."""
    tell = f"import sys; {code}; sys.stderr.write(' '.join({{name.partition('.')[0] for name in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", tell], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(run.stderr.split())
