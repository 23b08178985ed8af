"""The benchmark's document as tables: the same rows for the terminal and for Markdown, the number of tracks in every cell."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UnreadableInput, UsageError
from ..files import write_text
from ..notation import format_name, format_number, format_percent, printable
from .cases import OBSERVED_SHARE
from .metrics import CONFIDENCE, EQUAL, LEAST_PAIRS, TAIL, UNKNOWN, WORSE
from .run import ORACLE, OURS
from .summarise import EVERY, SCHEMA

if TYPE_CHECKING:
    from rich.table import Table as RichTable

NOTHING, DIGITS = "–", 3
WINS = "wins"
BEGIN, END = "<!-- benchmark:begin -->", "<!-- benchmark:end -->"
LOCK_WORDS = {
    "refit": "fit in every frame", "lock_10": "check; fit at an alarm or 10 % more time", "lock_25": "check; fit at an alarm or 25 % more time",
}  # fmt: skip
SUITE_WORDS = {
    "simulated": "Simulated tracks: ordinary motions, one kind of noise each",
    "shifted": "Shifted tracks: one thing outside of every training (gravity, ball, length, frame rate, number of frames)",
    "video": "Rendered films, tracked up to the cut",
    "real": "Real tables and films",
}


@dataclass(frozen=True, slots=True)
class Table:
    """A title, what its cells mean, a header and rows of text; the first column names the row."""

    title: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def make_tables(document: Mapping[str, Any], *, brief: bool = False) -> tuple[Table, ...]:
    """The tables of a document, the main ones first, and they alone where ``brief`` is given."""
    tables = [_suite_table(document, suite) for suite in document["suites"]]
    tables += [_band_table(document), _lock_table(document)]
    if not brief:
        tables += [_horizon_table(document), _share_table(document), _weights_table(document)]
        tables += [_recognition_table(document), _parameter_table(document)]
    return tuple(table for table in tables if table is not None and table.rows)


def to_markdown(document: Mapping[str, Any], *, brief: bool = False) -> str:
    """The tables as Markdown, with what was left out."""
    parts = [f"{_headline(document)}\n", *to_lines(make_tables(document, brief=brief))]
    parts += [f"- {line}" for line in left_out_lines(document)]
    return "\n".join(parts) + ("" if parts[-1].endswith("\n") else "\n")


def to_lines(tables: Sequence[Table]) -> list[str]:
    """Each table as Markdown."""
    parts = []
    for table in tables:
        lines = [f"**{table.title}.** {table.caption}", "", _row(table.header), _row(["---"] * len(table.header))]
        parts.append("\n".join([*lines, *map(_row, table.rows)]) + "\n")
    return parts


def to_rich(tables: Sequence[Table]) -> list[RichTable]:
    """The tables for a terminal."""
    from rich.table import Table as Grid
    from rich.text import Text

    grids = []
    for table in tables:
        grid = Grid(title=Text(table.title), caption=Text(table.caption), title_justify="left", caption_justify="left")
        for i, name in enumerate(table.header):
            grid.add_column(Text(name), overflow="fold", no_wrap=i == 0)
        for row in table.rows:
            grid.add_row(*(Text(cell.replace("**", ""), style="bold" if row[0] == format_name(OURS) else "") for cell in row))
        grids.append(grid)
    return grids


def left_out_lines(document: Mapping[str, Any]) -> list[str]:
    """Rows and cases that are missing, and why."""
    rows = [f"{format_name(name)} is left out: {printable(reason)}" for name, reason in document["left_out"].items()]
    return [*rows, *(printable(note) for note in document["notes"])]


def write_results(document: Mapping[str, Any], folder: Path, *, force: bool = False) -> None:
    """results.json and table.md into a folder, each whole or not at all.

    Raises:
        UsageError: they cannot be written, or exist and ``force`` is not given.
        LimitReached: no room is left on the disk.
    """
    write_text(folder / "table.md", to_markdown(document), force=force)
    write_text(folder / "results.json", json.dumps(document, indent=None, separators=(",", ":"), allow_nan=False) + "\n", force=force)


def read_results(path: Path) -> dict[str, Any]:
    """A document that `write_results` wrote.

    Raises:
        UnreadableInput: there is no such file, or it is no benchmark's.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableInput(f"'{printable(str(path))}': {error}; name a results.json that `ns benchmark --out` wrote") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise UnreadableInput(f"'{printable(str(path))}': found no schema {SCHEMA}; name a results.json that `ns benchmark --out` wrote")
    return document


def place_in_readme(readme: str, document: Mapping[str, Any]) -> str:
    """The README with the main tables between its two marks.

    Raises:
        UsageError: the marks are not there, once each and in order.
    """
    if readme.count(BEGIN) != 1 or readme.count(END) != 1 or readme.index(BEGIN) > readme.index(END):
        raise UsageError(f"README: needed '{BEGIN}' and '{END}' once each, in this order; put them where the tables belong")
    head, tail = readme[: readme.index(BEGIN) + len(BEGIN)], readme[readme.index(END) :]
    return f"{head}\n{to_markdown(document, brief=True)}{tail}"


def _headline(document: Mapping[str, Any]) -> str:
    cases = len(document["cases"])
    seconds = document["elapsed_s"]
    return f"`ns benchmark` ({document['plan']} run, seed {document['seed']}): {cases} questions in {seconds:.0f} s."


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _cells(document: Mapping[str, Any], suite: str, share: float = OBSERVED_SHARE) -> dict[tuple[str, str], Mapping[str, Any]]:
    """By pattern and forecaster."""
    found = [cell for cell in document["cells"] if cell["suite"] == suite and cell["observed_share"] == share]
    return {(cell["pattern"], cell["forecaster"]): cell for cell in found}


def _rows_of(document: Mapping[str, Any]) -> list[str]:
    return [*document["forecasters"], ORACLE]


def _suite_table(document: Mapping[str, Any], suite: str) -> Table | None:
    """One suite: a row for each forecaster, a column for each pattern."""
    cells = _cells(document, suite)
    patterns = sorted({pattern for pattern, _ in cells} - {EVERY})
    if not patterns:
        return None
    asked = {pattern: max(cell["asked"] for (p, _), cell in cells.items() if p == pattern) for pattern in patterns}
    header = ("forecaster", *(f"{format_name(pattern)} ({asked[pattern]})" for pattern in patterns), "refused", "over best")
    rows = []
    for name in _rows_of(document):
        if (EVERY, name) in cells:
            every = cells[EVERY, name]
            texts = [_error_text(cells.get((pattern, name))) for pattern in patterns]
            rows.append((format_name(name), *texts, _refused_text(every), _over_best_text(every)))
    caption = (
        f"rms error over the whole unseen part in % of its length: median / {100 * TAIL:.0f}th percentile; how many times ours (geometric "
        f"mean over the n tracks that both answered, with its {100 * CONFIDENCE:.0f} % interval from n = {LEAST_PAIRS} on). Half is seen."
    )
    return Table(SUITE_WORDS[suite], caption, header, tuple(rows))


def _error_text(cell: Mapping[str, Any] | None) -> str:
    if cell is None or cell["rms_median"] is None:
        return NOTHING
    text = f"{_percent(cell['rms_median'][-1])} / {_percent(cell['rms_tail'][-1])}"
    if cell["forecaster"] in (OURS, ORACLE):
        return f"{text}; n {cell['answered']}"
    against = cell["against_ours"][-1] if cell["against_ours"] else None
    if against is None:
        return f"{text}; n {cell['answered']}"
    if against["ours_is"] == UNKNOWN:
        return f"{text}; × {_number(against['ratio'])}, n {against['n']}"
    low, high = against["interval"]
    mark = f", **{WINS}**" if against["ours_is"] == WORSE else ", no difference" if against["ours_is"] == EQUAL else ""
    return f"{text}; × {_number(against['ratio'])} [{_number(low)}, {_number(high)}], n {against['n']}{mark}"


def _refused_text(cell: Mapping[str, Any]) -> str:
    return f"{cell['asked'] - cell['answered']} of {cell['asked']}"


def _over_best_text(cell: Mapping[str, Any]) -> str:
    over = cell["over_best"]
    return NOTHING if over is None else f"× {_number(over['ratio'])}, n {over['n']}"


def _percent(share: float | None) -> str:
    """A share as a percentage of two or three digits, without its sign."""
    return NOTHING if share is None else _number(100.0 * share)


def _number(value: float | None) -> str:
    return NOTHING if value is None else format_number(value, DIGITS)


def _band_table(document: Mapping[str, Any]) -> Table | None:
    """How honest and how sharp the bands are, and what a forecast costs."""
    suites = {suite: _cells(document, suite) for suite in document["suites"]}
    rows = []
    for name in _rows_of(document):
        cells = [by.get((EVERY, name)) for by in suites.values()]
        if any(cells):
            texts = [_band_text(cell) for cell in cells]
            ms = next(cell["ms_median"] for cell in cells if cell is not None)
            rows.append((format_name(name), *texts, _number(ms)))
    caption = "share of the true coordinates inside the 90 % band; CRPS of the band in % of the unseen path (median); n. ms: one forecast, median"
    return Table("Bands and cost", f"{caption}.", ("forecaster", *suites, "ms"), tuple(rows))


def _band_text(cell: Mapping[str, Any] | None) -> str:
    if cell is None or cell["coverage"] is None:
        return NOTHING
    return f"{format_percent(cell['coverage'])}; {_percent(cell['crps_median'])}; n {cell['answered']}"


def _horizon_table(document: Mapping[str, Any]) -> Table | None:
    """Medians at every horizon, all patterns of the first suite that was run."""
    if not document["suites"]:
        return None
    suite = document["suites"][0]
    cells = _cells(document, suite)
    patterns = sorted({pattern for pattern, _ in cells} - {EVERY})
    horizons = [f"{100 * horizon:.0f}" for horizon in document["horizons"]]
    rows = []
    for name in _rows_of(document):
        if (EVERY, name) in cells:
            own = [cells.get((pattern, name)) for pattern in patterns]
            rows.append((format_name(name), *(_horizon_text(cell) for cell in own)))
    caption = f"median rms error / median final error up to {', '.join(horizons)} % of the horizon, in % of the whole unseen path; n."
    return Table(f"Error by horizon, {suite}", caption, ("forecaster", *map(format_name, patterns)), tuple(rows))


def _horizon_text(cell: Mapping[str, Any] | None) -> str:
    if cell is None or cell["rms_median"] is None:
        return NOTHING
    pairs = zip(cell["rms_median"], cell["final_median"], strict=True)
    return ", ".join(f"{_percent(rms)}/{_percent(final)}" for rms, final in pairs) + f"; n {cell['answered']}"


def _share_table(document: Mapping[str, Any]) -> Table | None:
    """What seeing more is worth."""
    rows = document["by_share"]
    patterns = sorted({row["pattern"] for row in rows})
    if not rows:
        return None
    by = {(row["pattern"], row["forecaster"]): row for row in rows}
    shares = ", ".join(f"{100 * share:.0f}" for share in rows[0]["shares"])
    body = []
    for name in _rows_of(document):
        own = [by.get((pattern, name)) for pattern in patterns]
        if any(own):
            body.append((format_name(name), *(NOTHING if row is None else _share_text(row) for row in own)))
    caption = (
        f"median rms error in % of the unseen path with {shares} % seen, the same motions at all of them; then the least share at which the "
        f"median is {_percent(rows[0]['target'])} % or less; n."
    )
    return Table("Error by observed share", caption, ("forecaster", *map(format_name, patterns)), tuple(body))


def _share_text(row: Mapping[str, Any]) -> str:
    needed = NOTHING if row["share_needed"] is None else f"{100 * row['share_needed']:.0f} %"
    return f"{', '.join(map(_percent, row['rms_median']))}; {needed}; n {'/'.join(map(str, row['answered']))}"


def _weights_table(document: Mapping[str, Any]) -> Table | None:
    """What learned forecasters weigh and what they took to train."""
    rows = []
    for name, row in document["weights"].items():
        seconds = NOTHING if "seconds" not in row else f"{row['seconds']:.0f}"
        gain = row.get("learning_curve", {}).get("gain_of_last_doubling")
        texts = (str(row.get("parameters", NOTHING)), f"{row['bytes']}", str(row.get("tracks", NOTHING)), seconds)
        rows.append((format_name(name), *texts, NOTHING if gain is None else f"{100 * gain:.1f} %"))
    header = ("weights of", "parameters", "bytes", "training tracks", "training s", "gain of the last doubling")
    return Table("Weights", "as their cards say; ours uses its only to propose a pattern.", header, tuple(rows))


def _recognition_table(document: Mapping[str, Any]) -> Table | None:
    """Ours' confusion matrix."""
    found = document["recognition"]
    named = [*sorted({name for rows in found.values() for row in rows.values() for name in row} - {"none"}), "none"]
    rows = [
        (f"{suite}: {format_name(pattern)}", *(str(row.get(name, 0)) for name in named), str(sum(row.values())))
        for suite, patterns in found.items()
        for pattern, row in patterns.items()
    ]
    return Table("What ours named them", "tracks by true pattern (row) and by name (column).", ("truth", *map(format_name, named), "n"), tuple(rows))


def _parameter_table(document: Mapping[str, Any]) -> Table | None:
    """Ours' quantities against the truth."""
    rows = tuple(
        (f"{format_name(row['pattern'])}: {format_name(row['quantity'])}", f"{_number(row['error_median'])}",
         f"{_percent(row['relative_error_median'])} %", format_percent(row["coverage"]), str(row["n"]))
        for row in document["parameters"]
    )  # fmt: skip
    header = ("quantity", "median error", "relative", "inside 90 %", "n")
    return Table("Parameters that ours measured", "against the truth, in the quantity's own unit, where the pattern was named rightly.", header, rows)


def _lock_table(document: Mapping[str, Any]) -> Table | None:
    """Lock-then-check against refitting at every frame."""
    lock = document["lock"]
    if lock is None:
        return None
    header = ("policy", "tracks", "frames", "full fits", "checks", "alarms", "ms a frame", "median error", "times refit's")
    rows = tuple(
        (LOCK_WORDS[policy], *(str(row[key]) for key in ("tracks", "frames", "fits", "checks", "alarms")), _number(row["ms_per_frame"]),
         f"{_percent(row['rms_median'])} %", _number(row["over_refit"]))
        for policy, row in lock.items()
    )  # fmt: skip
    caption = "the same tracks followed sample by sample; rms of the forecasts of the unseen part at every sample, in % of its length."
    return Table("Lock, then check, against a fit in every frame", caption, header, rows)
