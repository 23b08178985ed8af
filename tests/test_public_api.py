"""What `newtonscheme` promises to those who import it."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

import newtonscheme
from newtonscheme import errors


def test_all_is_sorted_as_people_sort_and_without_repeats() -> None:
    assert list(newtonscheme.__all__) == sorted(set(newtonscheme.__all__))


@pytest.mark.parametrize("name", newtonscheme.__all__)
def test_every_public_name_can_be_had(name: str) -> None:
    assert getattr(newtonscheme, name) is not None


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'resolve_options'"):
        newtonscheme.resolve_options  # noqa: B018


def test_every_error_is_public() -> None:
    classes = {name for name, value in vars(errors).items() if inspect.isclass(value) and value.__module__ == errors.__name__}
    assert classes <= set(newtonscheme.__all__)


def test_every_error_has_a_documented_exit_code() -> None:
    codes = {name: getattr(errors, name).exit_code for name in dir(errors) if name.endswith(("Error", "Weights", "Input", "Trackable", "Reached"))}
    assert codes == {
        "NewtonSchemeError": 1, "UsageError": 2, "StaleWeights": 2, "UnreadableInput": 3, "NothingTrackable": 4, "LimitReached": 6,
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", [name for name in newtonscheme.__all__ if inspect.isroutine(getattr(newtonscheme, name)) or inspect.isclass(getattr(newtonscheme, name))]
)
def test_every_public_name_says_what_it_is(name: str) -> None:
    assert inspect.getdoc(getattr(newtonscheme, name))


def test_the_version_is_the_changelogs_newest() -> None:
    changelog = (Path(__file__).resolve().parents[1] / "CHANGELOG.md").read_text()
    newest = re.search(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    assert newest is not None
    assert newest[1] == newtonscheme.__version__


def test_star_import_gives_exactly_the_public_names() -> None:
    names: dict[str, object] = {}
    exec("from newtonscheme import *", names)
    assert set(names) - {"__builtins__"} == set(newtonscheme.__all__)


def test_types_that_flow_out_of_predict_come_from_one_module() -> None:
    homes = {getattr(newtonscheme, name).__module__ for name in ("Report", "Options", "Track", "Tracking", "Forecast", "Quantity")}
    assert homes == {importlib.import_module("newtonscheme.types").__name__}
