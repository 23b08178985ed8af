"""The benchmark's figures: error against horizon and against what was seen, learning curves, example tracks; the best possible in each.

matplotlib is imported only here and only when figures are asked for; its object interface alone is used (no pyplot, no global state).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..files import replacing
from ..notation import format_name
from .cases import OBSERVED_SHARE
from .metrics import HORIZONS
from .run import ORACLE, OURS, Example
from .summarise import EVERY

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 120
PANEL_IN = (5.0, 4.2)
# Okabe and Ito's colours (2008), told apart with every kind of colour vision; ours and the best possible have their own.
COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#D55E00", "#CC79A7", "#8C8C8C", "#5D3A9B", "#994F00", "#40B0A6")
OURS_COLOUR, BEST_COLOUR = "#0072B2", "#000000"
VIEW_MARGIN = 0.35
"""Room around an example's true path, as a share of its larger extent: a forecast that leaves it leaves the picture."""
FIGURES = ("error_against_horizon.png", "error_against_share.png", "learning_curves.png", "examples.png")


def write_charts(document: Mapping[str, Any], examples: Sequence[Example], folder: Path, *, force: bool = False) -> list[Path]:
    """Draw what the document has data for into PNG files of a folder; returns their paths.

    Raises:
        UsageError: a file cannot be written, or exists and ``force`` is not given.
        LimitReached: no room is left on the disk.
    """
    import matplotlib.style

    drawings = dict(zip(FIGURES, (draw_horizons(document), draw_shares(document), draw_learning(document), draw_examples(examples)), strict=True))
    written = []
    # The default style: a figure depends on its results and not on a settings file in somebody's home.
    with warnings.catch_warnings(), matplotlib.style.context("default"):
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        for name, figure in drawings.items():
            if figure is not None:
                with replacing(folder / name, force=force) as temporary:
                    figure.savefig(temporary, dpi=DPI, metadata={"Software": None})
                written.append(folder / name)
    return written


def draw_horizons(document: Mapping[str, Any]) -> Figure | None:
    """Median rms error against the share of the horizon over the tracks that ours answered: a row of panels for a suite, one for each pattern."""
    cells = [cell for cell in document["cells"] if cell["observed_share"] == OBSERVED_SHARE and cell["pattern"] != EVERY]
    suites = [suite for suite in document["suites"] if any(cell["suite"] == suite for cell in cells)]
    patterns = sorted({cell["pattern"] for cell in cells})
    if not cells:
        return None
    figure, panels = _panels(len(suites), len(patterns))
    for suite, row in zip(suites, panels, strict=True):
        for pattern, axes in zip(patterns, row, strict=True):
            own = [cell for cell in cells if cell["suite"] == suite and cell["pattern"] == pattern]
            for cell in own:
                if cell["rms_median_common"] is not None:
                    _line(axes, document, cell["forecaster"], [100 * h for h in HORIZONS], cell["rms_median_common"])
            count = max((cell["answered"] for cell in own if cell["forecaster"] == OURS), default=0)
            _label(axes, f"{suite}: {format_name(pattern)}, {count} tracks", "share of the horizon, %")
    _legend(figure, panels)
    return figure


def draw_shares(document: Mapping[str, Any]) -> Figure | None:
    """Median rms error against the observed share, the same motions at all of them."""
    rows = document["by_share"]
    patterns = sorted({row["pattern"] for row in rows})
    if not rows:
        return None
    figure, panels = _panels(1, len(patterns))
    for pattern, axes in zip(patterns, panels[0], strict=True):
        own = [row for row in rows if row["pattern"] == pattern]
        for row in own:
            told = [(100 * share, median) for share, median in zip(row["shares"], row["rms_median"], strict=True) if median is not None]
            if told:
                _line(axes, document, row["forecaster"], *map(list, zip(*told, strict=True)))
        _label(axes, f"{format_name(pattern)}, {own[0]['asked']} motions", "observed share of the motion, %")
    _legend(figure, panels)
    return figure


def draw_learning(document: Mapping[str, Any]) -> Figure | None:
    """Validation error of the learned rivals against the number of training tracks, with the best possible and ours on simulated tracks."""
    curves = {name: row["learning_curve"] for name, row in document["weights"].items() if row.get("learning_curve", {}).get("tracks")}
    if not curves:
        return None
    figure, panels = _panels(1, 1)
    axes = panels[0][0]
    for name, curve in curves.items():
        _line(axes, document, name, curve["tracks"], curve["error"])
    for cell in document["cells"]:
        at_half = cell["suite"] == "simulated" and cell["pattern"] == EVERY and cell["observed_share"] == OBSERVED_SHARE
        if at_half and cell["forecaster"] in (OURS, ORACLE) and cell["rms_median"] is not None:
            style = "--" if cell["forecaster"] == ORACLE else "-"
            axes.axhline(100 * cell["rms_median"][-1], color=_colour(document, cell["forecaster"]), ls=style, label=format_name(cell["forecaster"]))
    axes.set_xscale("log")
    _label(axes, "learning curves (validation; lines: test tracks)", "training tracks")
    axes.legend(fontsize="small")
    return figure


def draw_examples(examples: Sequence[Example]) -> Figure | None:
    """What was seen, what came, and everyone's forecast of it."""
    if not examples:
        return None
    figure, panels = _panels(1, len(examples))
    names = list(dict.fromkeys(name for example in examples for name in example.forecasts))
    colours = {name: OURS_COLOUR if name == OURS else BEST_COLOUR if name == ORACLE else COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    for example, axes in zip(examples, panels[0], strict=True):
        axes.plot(*example.seen_px.T, ".", color="#8C8C8C", label="seen")
        axes.plot(*example.truth_px.T, color="#B0B0B0", lw=6, alpha=0.6, label="what came")
        for name, forecast in example.forecasts.items():
            axes.plot(*forecast.centre_px.T, color=colours[name], ls="--" if name == ORACLE else "-", lw=1.2, label=format_name(name))
        _frame(axes, example)
        axes.set_title(example.case, fontsize="small")
    _legend(figure, panels)
    return figure


def _frame(axes: Axes, example: Example) -> None:
    """The true path with room around it, v down, one scale for both axes."""
    points = np.concatenate([example.seen_px, example.truth_px])
    low, high = np.min(points, axis=0), np.max(points, axis=0)
    room = VIEW_MARGIN * float(np.max(high - low))
    axes.set_xlim(low[0] - room, high[0] + room)
    axes.set_ylim(high[1] + room, low[1] - room)
    axes.set_aspect("equal", adjustable="box")
    axes.set_xlabel("u, px")
    axes.set_ylabel("v, px")


def _panels(rows: int, columns: int) -> tuple[Figure, list[list[Axes]]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(PANEL_IN[0] * columns + 2.0, PANEL_IN[1] * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, [list(row) for row in axes]


def _colour(document: Mapping[str, Any], name: str) -> str:
    if name in (OURS, ORACLE):
        return OURS_COLOUR if name == OURS else BEST_COLOUR
    return COLOURS[document["forecasters"].index(name) % len(COLOURS)] if name in document["forecasters"] else COLOURS[-1]


def _line(axes: Axes, document: Mapping[str, Any], name: str, x: Sequence[float], shares: Sequence[float]) -> None:
    style = {"ls": "--", "lw": 2.0} if name == ORACLE else {"lw": 2.5} if name == OURS else {"lw": 1.3}
    axes.plot(x, 100 * np.array(shares), marker="o", ms=3, color=_colour(document, name), label=format_name(name), **style)


def _label(axes: Axes, title: str, x: str) -> None:
    axes.set_title(title, fontsize="medium")
    axes.set_xlabel(x)
    axes.set_ylabel("median rms error, % of the unseen path")
    if axes.lines:
        axes.set_yscale("log")
    axes.grid(visible=True, which="both", alpha=0.25)


def _legend(figure: Figure, panels: Sequence[Sequence[Axes]]) -> None:
    """One legend for all panels, each name once."""
    found: dict[str, Artist] = {}
    for row in panels:
        for axes in row:
            handles, labels = axes.get_legend_handles_labels()
            found |= {str(label): handle for label, handle in zip(labels, handles, strict=True)}
    figure.legend(handles=list(found.values()), labels=list(found), loc="outside right upper", fontsize="small")
