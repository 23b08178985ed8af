"""What `predict` may be told is checked before any work starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from newtonscheme.errors import UsageError
from newtonscheme.options import read_config, resolve_options
from newtonscheme.types import Options


def test_nothing_told_is_the_defaults() -> None:
    assert resolve_options({}) == resolve_options({"level": None, "force": None}) == Options()


def test_text_and_sequences_are_pixels() -> None:
    assert resolve_options({"roi": "1,2,30,40"}).roi == resolve_options({"roi": [1, 2, 30, 40]}).roi == (1, 2, 30, 40)


def test_resolving_twice_changes_nothing() -> None:
    from dataclasses import asdict

    options = resolve_options({"scale": "300±2%", "observe": 0.6, "roi": "0,0,9,9", "seed": 4})
    assert resolve_options(asdict(options)) == options


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"colour": "red"}, "--colour: no such option"),
        ({"level": 1.0}, "--level: found 1.0, needed a number between 0 and 1"),
        ({"observe": 0.0}, "--observe: found 0.0"),
        ({"observe": float("nan")}, "--observe: found nan"),
        ({"horizon": -1}, "--horizon: found -1, needed a number above 0"),
        ({"latitude": 91.0}, "from -90 to 90"),
        ({"seed": 1.5}, "needed a whole number"),
        ({"seed": True}, "needed a whole number"),
        ({"roi": "1,2,3"}, "--roi: found '1,2,3', needed X,Y,W,H"),
        ({"roi": "1,2,0,4"}, "W and H above 0"),
        ({"roi": (1.5, 2, 3, 4)}, "whole pixels"),
        ({"mass": "heavy"}, "--mass: found 'heavy', needed VALUE"),
        ({"scale": -3}, "--scale: found '-3', needed a value above 0"),
        ({"json": 3}, "--json: found 3, needed text"),
        ({"quiet": "yes"}, "needed true or false"),
        ({"g": 9.81, "latitude": 50.0}, "--g and --latitude exclude each other"),
        ({"fov": 60.0, "camera": "c.toml"}, "--fov and --camera exclude each other"),
        ({"start": 2.0, "end": 2.0}, "--end: found 2, needed a time after --start 2"),
        ({"size": "640,360"}, "needs --track FILE"),
        ({"json": "-", "csv": "-"}, "both would be written to '-'"),
        ({"json": "a", "plot": "./a"}, "both would be written to './a'"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_told_with_what_was_needed(given: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError) as found:
        resolve_options(given)
    assert words in str(found.value)
    assert "\n" not in str(found.value)


def write(tmp_path: Path, text: str, encoding: str = "utf-8") -> str:
    path = tmp_path / "options.toml"
    path.write_text(text, encoding=encoding)
    return str(path)


def test_a_configuration_holds_options_and_the_caller_wins(tmp_path: Path) -> None:
    config = write(tmp_path, 'observe = 0.5\nobject-index = 1\nmass = "0.1±5%"\nroi = [0, 0, 10, 10]\nlevel = 0.8\n')
    options = resolve_options({"config": config, "level": 0.95})
    assert (options.observe, options.object_index, options.mass, options.roi, options.level) == (0.5, 1, "0.1±5%", (0, 0, 10, 10), 0.95)


def test_a_mark_that_windows_editors_write_is_no_trouble(tmp_path: Path) -> None:
    assert resolve_options({"config": write(tmp_path, "seed = 3\n", "utf-8-sig")}).seed == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed = 1\nlevl = 0.9\n", "line 2: levl: no such option"),
        ("\n\nlevel = 2\n", "line 3: level: found 2, needed a number between 0 and 1"),
        ("object_index = 1\nobject-index = 2\n", "given twice"),
        ("[predict]\nseed = 1\n", "line 1: predict: no such option"),
        ('config = "other.toml"\n', "config: no such option"),
        ("seed = 1\nseed = 2\n", "no valid TOML"),
        ("level = nan\n", "found nan"),
        ("a = " + "[" * 5000, "no valid TOML"),
    ],
)  # fmt: skip
def test_a_configuration_is_read_strictly_and_names_the_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError) as found:
        resolve_options({"config": write(tmp_path, text)})
    assert words in str(found.value)
    assert "options.toml" in str(found.value)
    assert "\n" not in str(found.value)


def test_a_configuration_that_is_no_text_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(bytes(range(128, 256)))
    (tmp_path / "large").write_bytes(b"#" * (2 << 20))
    for name, words in (("noise", "not UTF-8"), ("large", "bytes"), ("missing", "no such file"), (".", "no such file")):
        with pytest.raises(UsageError, match=words):
            read_config(str(tmp_path / name))
