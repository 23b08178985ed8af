"""No bytes at all bring a reader of ours to anything but an answer or one line: what was ever found, and a look for more."""

from __future__ import annotations

import importlib.util
import os
import runpy
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newtonscheme.errors import UsageError
from newtonscheme.estimation.recognition import load_recogniser

HERE = Path(__file__).resolve().parent
FINDINGS = sorted((HERE / "findings").glob("*/*"))


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    # Dataclasses look their module up by its name.
    module = sys.modules.setdefault(name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


readers = load("readers")
mutate = runpy.run_path(str(HERE.parents[1] / "scripts" / "fuzz-readers"))["mutate"]


@pytest.mark.parametrize("name", readers.READERS)
def test_a_reader_reads_what_it_is_tried_with(name: str) -> None:
    for seed in readers.READERS[name].seeds:
        readers.READERS[name].read(seed)


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_what_was_found_stays_mended(finding: Path) -> None:
    readers.try_bytes(readers.READERS[finding.parent.name], finding.read_bytes())


@pytest.mark.parametrize("name", readers.READERS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rng=st.randoms(use_true_random=False))
def test_damaged_bytes_are_an_answer_or_one_line(name: str, rng: object) -> None:
    reader = readers.READERS[name]
    readers.try_bytes(reader, mutate(rng, rng.choice(reader.seeds)))  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", readers.READERS)
@settings(max_examples=20, deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_one_line(name: str, content: bytes) -> None:
    readers.try_bytes(readers.READERS[name], content)


def test_weights_that_are_a_pipe_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "w.safetensors")
    with pytest.raises(UsageError, match="pipe"):
        load_recogniser(tmp_path / "w.safetensors")
    with pytest.raises(UsageError, match="null byte"):
        load_recogniser("w\0.safetensors")
