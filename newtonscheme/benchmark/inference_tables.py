"""The tables of `ns benchmark inference`, for terminal and Markdown, and its files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..files import write_text
from ..notation import format_name, format_percent
from .breaks import FOUND_WITHIN
from .inference import LEVELS, SAME_OPTIMUM
from .tables import Table, to_lines


def inference_tables(document: Mapping[str, Any]) -> tuple[Table, ...]:
    """The document as tables, each figure with its number of tracks."""
    bands = [
        [r["pattern"], r["stratum"], str(r["tracks"]), *(f"{100 * c:.1f} ± {100 * s:.1f}" for c, s in zip(r["coverage"], r["sigma"], strict=True)),
         _ratio(r["width_over_best"])]
        for r in document["bands"]
    ]  # fmt: skip
    optimum = [
        [r["pattern"], str(r["tracks"]), _ratio(r["median_ratio"]), _ratio(r["rms_ratio"]), _share(r["elsewhere"])] for r in document["optimum"]
    ]
    parameters = [
        [r["pattern"], format_name(r["name"]), str(r["tracks"]), *map(_ratio, (r["spread"], r["bias"])), _share(r["inside_90"]),
         _ratio(r["even_ranks_p"])]
        for r in document["parameters"]
    ]  # fmt: skip
    naming = [
        [r["pattern"], _bin(r["from"], r["to"]), str(r["tracks"]), str(r["named"]), str(r["simpler_or_other"]), str(r["refused"])]
        for r in document["naming"]
    ]
    refusals = [[format_name(r["family"]), str(r["motions"]), str(r["refused"]), ", ".join(r["taken_for"])] for r in document["refusals"]]
    breaks = [
        [r["pattern"], r["kind"], *(str(r[name]) for name in ("count", "found", "within", "visible", "visible_within")), _ratio(r["mean_delay"])]
        for r in document["breaks"]
    ]
    tests = [
        [r["test"], f"{r['stated']} in {r['watched']}", f"{r['equal']} in {r['watched']}",
         *(str(r[name]) for name in ("count", "found", "within", "visible", "visible_within")), _ratio(r["mean_delay"])]
        for r in document["tests"]
    ]  # fmt: skip
    wrong, counted = document["wrong_law"], "a wrong law was forecast in"
    return (
        Table("Bands", "Share of the true centre's coordinates inside the band (%), mean over tracks; width over that of a fit which knows the law.",
              ("pattern", "stratum", "tracks", *(f"{100 * level:.0f} %" for level in LEVELS), "width"), _rows(bands)),
        Table("Optimum", f"Forecast error over that of the same estimator begun at the truth; elsewhere: above {SAME_OPTIMUM}.",
              ("pattern", "tracks", "median", "geometric mean", "elsewhere"), _rows(optimum)),
        Table("Parameters", "(estimate - truth) / sigma of what is said to be measured; p of even ranks.",
              ("pattern", "parameter", "tracks", "spread", "bias", "in 90 %", "p"), _rows(parameters)),
        Table("Naming", f"By the evidence of the true law over its family's other; {counted} {wrong['wrong']} of {wrong['tracks']}.",
              ("pattern", "log evidence", "tracks", "named", "other law", "refused"), _rows(naming)),
        Table("Motions of no pattern", "How many were refused.", ("family", "motions", "refused", "taken for"), _rows(refusals)),
        Table("Breaks", f"After the law was locked; within: placed within {FOUND_WITHIN} frames; visible: one who knows both paths and the noise "
              f"would know within {FOUND_WITHIN} frames; delay: frames from the break to the alarm.",
              ("pattern", "break", "motions", "found", "within", "visible", "of these within", "mean delay"), _rows(breaks)),
        Table("Tests of a break", "False alarms in samples before a break: where each test rings, and at the level where all are compared.",
              ("test", "alarms", "alarms compared", "breaks", "found", "within", "visible", "of these within", "mean delay"), _rows(tests)),
    )  # fmt: skip


def _rows(rows: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(row) for row in rows)


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _share(value: float | None) -> str:
    return "-" if value is None else format_percent(value)


def _bin(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return "no other law"
    return f"under {high:g}" if low is None else f"over {low:g}" if high is None else f"{low:g} to {high:g}"


def write_inference(document: Mapping[str, Any], folder: Path, *, force: bool = False) -> None:
    """inference.json and inference.md into a folder, each whole or not at all.

    Raises:
        UsageError: they cannot be written, or exist and ``force`` is not given.
    """
    write_text(folder / "inference.md", inference_markdown(document), force=force)
    write_text(folder / "inference.json", json.dumps(document, allow_nan=False) + "\n", force=force)


def inference_markdown(document: Mapping[str, Any]) -> str:
    """The tables as Markdown."""
    head = f"Plan {document['plan']}, seed {document['seed']}, {document['elapsed_s']:.0f} s; {document['unused']} motions could not be used.\n"
    return "\n".join([head, *to_lines(inference_tables(document))])
