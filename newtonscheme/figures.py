"""A `Report` as one picture: the path with its forecast and band, the residuals, the balance of the Noether charges, the numbers.

matplotlib is imported only here and only when a plot is asked for; its object interface alone is used (no pyplot, no global state).
"""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .files import replacing
from .notation import format_measure, format_name, format_percent, format_quantity, printable_path
from .types import Charge, Fit, Floats, Forecast, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE_IN = (14.0, 8.0)
DPI = 120
PLOT_SUFFIXES = (".png", ".pdf", ".svg")

# Okabe and Ito's colours (2008), told apart with every kind of colour vision.
SEEN, LEFT_OUT, AHEAD, UNSEEN, BAND = "#0072B2", "#8C8C8C", "#D55E00", "#009E73", "#FBDCC4"
MARGIN = 0.12
"""Free space around the path, as a share of its larger extent."""
SMALLEST_VIEW_PX = 40.0
"""A path smaller than this is shown in a window of this size: anything tighter shows noise."""
PADDING_IN = 0.08
NUMBER_LETTERS = 46
"""Letters in a line of the numbers below the path."""
SMALLEST_RESIDUAL_PX, RESIDUAL_ROOM = 1e-3, 1.25
WOBBLE_POINTS = 200
HALF_WEIGHT = 0.5
"""A sample that the robust fit counts less than this is ringed."""
ELLIPSE_CORNERS = 24
ELLIPSES_EACH_STEP = 12
"""So many ellipses between two samples of a forecast look like one tube."""


def write_plot(report: Report, path: str | Path, *, force: bool = False) -> None:
    """Draw the report into a PNG, PDF or SVG file.

    Raises:
        UsageError: the file cannot be written, or exists and ``force`` is not given.
        LimitReached: no room is left on the disk.
    """
    import matplotlib.style

    # The default style: a plot depends on its report and not on a settings file in somebody's home.
    with warnings.catch_warnings(), matplotlib.style.context("default"):
        # A file name in a script that the font lacks shows as boxes; that is no reason to talk.
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        figure = draw_report(report)
        with replacing(path, force=force) as temporary:
            figure.savefig(temporary, dpi=DPI, metadata={"Software": None} if temporary.suffix.lower() == ".png" else None)


def draw_report(report: Report) -> Figure:
    """The report as a matplotlib figure, for those who want to change or embed it."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=SIZE_IN, layout=ConstrainedLayoutEngine(w_pad=PADDING_IN, h_pad=PADDING_IN))
    grid = figure.add_gridspec(3, 3, width_ratios=(1.35, 1.0, 1.0))
    _draw_path(figure.add_subplot(grid[:2, 0]), report)
    _draw_numbers(figure.add_subplot(grid[2, 0]), report)
    middle = [figure.add_subplot(grid[row, 1]) for row in range(3)]
    if report.fit is not None:
        _draw_residuals(middle, report.fit)
    else:
        _draw_coordinates(middle, report)
    _draw_charges([figure.add_subplot(grid[row, 2]) for row in range(3)], report.stability.charges)
    title = f"{printable_path(report.video.path.name)}: {format_name(report.pattern.name or 'unknown')}"
    figure.suptitle(f"{title} ({format_percent(report.pattern.probability)}), {format_name(report.stability.verdict)}", parse_math=False)
    return figure


def _draw_path(axes: Axes, report: Report) -> None:
    track, used = report.track.centre_px, report.used
    if report.forecast is not None and len(report.forecast.t):
        _draw_band(axes, report.forecast)
    if report.scored is not None:
        later = report.scored.t > (report.track.t[-1] if len(track) else -np.inf)
        axes.plot(*report.scored.centre_px[later].T, "o", color=UNSEEN, mfc="none", ms=5, label="tracked, not used")
    axes.plot(*track[~used].T, ".", color=LEFT_OUT, ms=5, label="tracked, left out")
    axes.plot(*track[used].T, "o", color=SEEN, ms=3.5, label="tracked, fitted")
    if report.fit is not None:
        axes.plot(*(report.fit.track.centre_px - report.fit.residuals[:, :2]).T, "-", color=SEEN, lw=1, alpha=0.7, label="fit")
    _set_view(axes, report)
    axes.set_xlabel("u (px)")
    axes.set_ylabel("v (px)")
    handles = [handle for handle in axes.get_legend_handles_labels()[0] if np.size(handle.get_xdata() if hasattr(handle, "get_xdata") else 1)]
    axes.legend(handles=handles, fontsize=8, loc="best", framealpha=0.85)


def _draw_band(axes: Axes, forecast: Forecast) -> None:
    """The band as the tube that its ellipses sweep, and the forecast in it."""
    from matplotlib.collections import PolyCollection

    label = f"{format_percent(forecast.level)} band"
    axes.add_collection(PolyCollection(list(_ellipses(forecast)), facecolor=BAND, edgecolor=BAND, lw=0.3, label=label))
    axes.plot(*forecast.centre_px.T, "-", color=AHEAD, lw=1.6, zorder=3, label="forecast")
    axes.plot(*forecast.centre_px[-1:].T, "x", color=AHEAD, ms=7, mew=1.6)


def _ellipses(forecast: Forecast) -> Floats:
    """(k, corners, 2) ellipses whose half axes are the marginal half widths of the band, `ELLIPSES_EACH_STEP` between two samples."""
    sample = np.arange(len(forecast.t), dtype=float)
    between = np.linspace(0.0, sample[-1], (len(sample) - 1) * ELLIPSES_EACH_STEP + 1)
    columns = np.concatenate([forecast.lower_px, forecast.upper_px], axis=1).T
    lower, upper = np.split(np.stack([np.interp(between, sample, column) for column in columns], axis=-1), 2, axis=1)
    angle = np.linspace(0.0, 2.0 * np.pi, ELLIPSE_CORNERS, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return 0.5 * (lower + upper)[:, None] + 0.5 * (upper - lower)[:, None] * circle


def _set_view(axes: Axes, report: Report) -> None:
    """Show the path with a margin, true to shape, v down, and the border of the picture where it comes into view."""
    from matplotlib.patches import Rectangle

    shown = [report.track.centre_px] + [ahead.centre_px for ahead in (report.forecast, report.scored) if ahead is not None]
    points = np.concatenate(shown)
    width, height = report.video.width_px, report.video.height_px
    if len(points):
        # A forecast may leave the picture by any distance: show at most half a picture of what lies outside.
        points = np.clip(points, (-0.5 * width, -0.5 * height), (1.5 * width, 1.5 * height))
        low, high = points.min(axis=0), points.max(axis=0)
    else:
        low, high = np.zeros(2), np.array([width, height], dtype=float)
    half = 0.5 * np.maximum(high - low, SMALLEST_VIEW_PX) + MARGIN * max(high - low)
    middle = 0.5 * (low + high)
    axes.add_artist(Rectangle((-0.5, -0.5), width, height, fill=False, color="black", lw=1.0))
    axes.set_aspect("equal", adjustable="datalim")
    axes.ignore_existing_data_limits = True
    axes.update_datalim([middle - half, middle + half])
    axes.margins(0.0)
    axes.autoscale_view()
    axes.invert_yaxis()
    axes.grid(alpha=0.25)


def _draw_numbers(axes: Axes, report: Report) -> None:
    axes.set_axis_off()
    labels, words = [], []
    for label, text in _number_rows(report):
        lines = textwrap.wrap(text, NUMBER_LETTERS) or [""]
        labels += [label, *[""] * (len(lines) - 1)]
        words += lines
    for x, column, weight in ((0.0, labels, "bold"), (0.3, words, "normal")):
        artist = axes.text(
            x, 1.0, "\n".join(column), transform=axes.transAxes, va="top", fontsize=9, fontweight=weight, linespacing=1.5, parse_math=False
        )
        # The other columns keep their width, whatever is written here.
        artist.set_in_layout(False)


def _number_rows(report: Report) -> list[tuple[str, str]]:
    """What is said in words; the numbers of a fit that does not hold are not."""
    if report.refusal is not None:
        return [("refused", f"{report.refusal.message} ({report.refusal.reason})")]
    body, scale, score = report.body, report.scale, report.score
    rows = [] if body is None or body.label is None else [("object", f"{body.label} ({format_percent(body.probability)})")]
    rows += [(format_name(name), f"{format_quantity(value)}  ({value.source})") for name, value in report.parameters.items()]
    if scale is not None:
        rows.append(("scale", f"{format_measure(scale.px_per_m, scale.sigma, 'px/m')}  ({scale.source})"))
    if score is not None:
        rows.append(("score", f"{score.rms_px:.3g} px rms, {100 * score.rms_share_of_path:.2g} % of the unseen path"))
    return rows


def _draw_residuals(rows: Sequence[Axes], fit: Fit) -> None:
    """Observed minus fitted, with the sigma of each sample as the track gives it, and what a clear wobble makes of it."""
    if fit.wobble.is_clear:
        since = np.linspace(0.0, fit.track.t[-1] - fit.track.t[0], WOBBLE_POINTS)
        for axes, offset in zip(rows, fit.wobble.expected_px(since).T, strict=False):
            axes.plot(fit.track.t[0] + since, offset, "-", color=UNSEEN, lw=1.0)
        rows[0].text(0.02, 0.94, f"wobble, {fit.wobble.main_rate_rps:.2g} turns/s", transform=rows[0].transAxes, va="top", fontsize=7.5, color=UNSEEN)
    sigmas = (*np.sqrt(np.diagonal(fit.track.covariance_px, axis1=1, axis2=2)).T, fit.track.radius_sigma_px)
    for axes, name, residual, sigma, weight in zip(rows, ("u", "v", "radius"), fit.residuals.T, sigmas, fit.weights.T, strict=True):
        seen = np.isfinite(residual)
        axes.axhline(0.0, color="black", lw=0.8)
        axes.fill_between(fit.track.t, -sigma, sigma, where=seen & np.isfinite(sigma), color=SEEN, alpha=0.15, lw=0)
        doubted = seen & (weight < HALF_WEIGHT)
        axes.plot(fit.track.t[seen & ~doubted], residual[seen & ~doubted], ".-", color=SEEN, ms=4, lw=0.6)
        largest = np.max(np.abs(np.concatenate([residual[seen & ~doubted], sigma[seen & ~doubted], [SMALLEST_RESIDUAL_PX]])))
        axes.set_ylim(-RESIDUAL_ROOM * largest, RESIDUAL_ROOM * largest)
        # An outlier far away is shown at the edge, so that the others can still be seen.
        (rings,) = axes.plot(fit.track.t[doubted], np.clip(residual[doubted], *axes.get_ylim()), "o", color=AHEAD, mfc="none", ms=6, clip_on=False)
        rings.set_in_layout(False)
        axes.set_ylabel(f"{name} (px)")
        axes.grid(alpha=0.25)
        axes.set_xlim(fit.track.t[0], fit.track.t[-1])
        if not seen.any():
            axes.text(0.5, 0.6, "not measured", transform=axes.transAxes, ha="center", color=LEFT_OUT)
    rows[0].set_title("Residuals: observed − fitted, ± sigma", fontsize=10)
    rows[-1].set_xlabel("t (s)")


def _draw_coordinates(rows: Sequence[Axes], report: Report) -> None:
    """The path against time, where there is no fit to compare it with."""
    measured = (*report.track.centre_px.T, report.track.radius_px)
    for axes, name, values in zip(rows, ("u", "v", "radius"), measured, strict=True):
        axes.plot(report.track.t, values, ".", color=LEFT_OUT, ms=4)
        axes.set_ylabel(f"{name} (px)")
        axes.grid(alpha=0.25)
    rows[1].invert_yaxis()
    rows[0].set_title("Path against time (there is no fit)", fontsize=10)
    rows[-1].set_xlabel("t (s)")


def _draw_charges(rows: Sequence[Axes], charges: Sequence[Charge]) -> None:
    """How far each Noether charge is from its balance, within one and two of its own sigmas."""
    for axes, charge in zip(rows, charges, strict=False):
        axes.axhline(0.0, color="black", lw=0.8)
        for factor in (2.0, 1.0):
            axes.fill_between(charge.t, -factor * charge.sigma, factor * charge.sigma, color=UNSEEN, alpha=0.13, lw=0)
        axes.plot(charge.t, charge.imbalance, "-", color=UNSEEN, lw=1.3)
        axes.set_ylabel(f"{format_name(charge.name)} ({charge.unit})")
        told = f"{charge.symmetry}\ndrift {abs(charge.drift_sigma):.1f} sigma"
        axes.text(0.02, 0.96, told, transform=axes.transAxes, va="top", fontsize=7.5).set_in_layout(False)
        axes.grid(alpha=0.25)
        axes.set_xlabel("t (s)")
    for axes in rows[len(charges) :]:
        axes.set_axis_off()
    rows[0].set_title("Noether charges off balance, ± 1 and 2 sigma" if charges else "No charge to check", fontsize=10)
