"""The tables of `ns benchmark vision`, for terminal and Markdown, and its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..files import write_text
from ..notation import format_name, format_number
from .tables import NOTHING, Table, to_lines
from .vision import EVERY

DIGITS = 3
COLUMNS = (
    ("recall", "Recall", "share of the frames that show the ball in which a track is on it, %."),
    ("precision", "Precision", "share of the samples of all tracks that are on a ball, %."),
    ("false_tracks", "False tracks", "tracks mostly on no ball, of all tracks; in brackets clips whose first track is one, and clips without any."),
    ("rms_px", "Error", "root mean square distance from the truth of the samples on a ball, px: over all clips / of the median clip."),
)
"""What the tables show: the key of a cell, title and caption."""


def vision_tables(document: Mapping[str, Any]) -> tuple[Table, ...]:
    """The document as tables: one for each measure, strata by trackers, and one of sigmas and speed."""
    trackers = document["trackers"]
    cells = {(cell["stratum"], cell["tracker"]): cell for cell in document["cells"]}
    strata = [*(row["name"] for row in document["strata"]), EVERY]
    header = ("stratum (clips)", *map(format_name, trackers))
    tables = [
        Table(title, caption, header, tuple(
            (_named(name, cells[name, trackers[0]]), *(_text(key, cells[name, tracker]) for tracker in trackers)) for name in strata
        ))
        for key, title, caption in COLUMNS
    ]  # fmt: skip
    ours = trackers[0]
    sigma = tuple((_named(name, cells[name, ours]), _pair(cells[name, ours], "sigma_ratio")) for name in strata)
    speed = tuple((_named(name, cells[name, ours]), *(_whole(cells[name, tracker]["fps"]) for tracker in trackers)) for name in strata)
    words = tuple((row["name"], row["words"]) for row in document["strata"])
    return (
        Table("Strata", "Each changes one thing of the first.", ("stratum", "what it is"), words),
        *tables,
        Table("Sigmas", "rms of ours' errors in stated sigmas (1 is honest; the others state none): over all clips / of the median clip.",
              ("stratum (clips)", format_name(ours)), sigma),
        Table("Speed", "frames for each second of one core, decoding included.", header, speed),
    )  # fmt: skip


def vision_markdown(document: Mapping[str, Any]) -> str:
    """The tables as Markdown."""
    return "\n".join([*(f"{line}\n" for line in headlines(document)), *to_lines(vision_tables(document))])


def headlines(document: Mapping[str, Any]) -> list[str]:
    """What was run, how often the first track is wrong, and who is missing."""
    wrong = document["wrong_tracks"]
    lines = [f"Plan {document['plan']}, seed {document['seed']}, OpenCV {document['opencv']}, {document['elapsed_s']:.0f} s."]
    if wrong is not None:
        low, high = (100 * each for each in wrong["interval"])
        lines.append(f"First track wrong in {wrong['wrong']} of {wrong['clips']} clips (95 % interval {low:.1f} to {high:.1f} %).")
    return [*lines, *(f"{format_name(name)} is left out: {reason}" for name, reason in document["left_out"].items())]


def write_vision(document: Mapping[str, Any], folder: Path, *, force: bool = False) -> None:
    """vision.json and vision.md into a folder, each whole or not at all.

    Raises:
        UsageError: they cannot be written, or exist and ``force`` is not given.
        LimitReached: no room is left on the disk.
    """
    write_text(folder / "vision.md", vision_markdown(document), force=force)
    write_text(folder / "vision.json", json.dumps(document, allow_nan=False) + "\n", force=force)


def _named(stratum: str, cell: Mapping[str, Any]) -> str:
    return f"{stratum} ({cell['clips']})"


def _text(key: str, cell: Mapping[str, Any]) -> str:
    if key == "false_tracks":
        return f"{cell['false_tracks']} of {cell['tracks']} ({cell['led_astray']}, {cell['blind']})"
    return _pair(cell, key) if key == "rms_px" else _percent(cell[key])


def _pair(cell: Mapping[str, Any], key: str) -> str:
    return NOTHING if cell[key] is None else f"{_number(cell[key])} / {_number(cell[f'median_{key}'])}"


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{100 * share:.1f}"


def _number(value: float | None) -> str:
    return NOTHING if value is None else format_number(value, DIGITS)


def _whole(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0f}"
