"""Every ruler by itself, whether they agree, and whether another clock would make them agree."""

from __future__ import annotations

import math

import numpy as np

from ..types import Fit, Notice, Ruler, Scale, ScaleSource
from .analysis import Analysis
from .fitting import measure_scale
from .knowledge import Knowledge
from .parameters import RADIUS_BIAS_SIGMA_PX

RULERS_AGREE = 3.0
"""Two rulers that differ by more sigmas than this are named."""
LARGEST_BODY, SMALLEST_BODY = 0.45, 0.004
"""m: beyond these, gravity as the ruler makes the object implausible, and more likely clock or scale are wrong."""
FILM_RATES = (24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 90.0, 100.0, 120.0, 240.0, 480.0, 960.0)
"""1/s: what cameras film at; a film that was stored at another rate has a clock wrong by their ratio."""
CLEARLY_WRONG = math.log(1.8)
"""Log of the least factor of a clock that is worth a word: nobody films at rates between."""
UNMODELLED = 0.05
"""Log sigma of a scale beside its own: an ordinary lens, a camera held askew, a ball of another brand."""
EARTH = 9.80665
PLACES = 0.0025
"""m/s^2, the standard value, and the share by which places on Earth differ from it."""


def measure_rulers(fit: Fit, free_fit: Fit | None, knowledge: Knowledge) -> Scale:
    """Pixels for each metre at the middle sample (of a table: the table's own), and every ruler from a fit that left the others out."""
    known, rulers = knowledge.known, list[Ruler]()
    tabled = None if "px_per_m" in fit.names else known.scale
    value, sigma = measure_scale(fit, known) if tabled is None else (tabled.value, tabled.sigma)
    if known.gravity_is_ruler and free_fit is not None and known.scale is None and known.length is None and knowledge.diameter is None:
        rulers.append(Ruler("gravity", *measure_scale(free_fit, known)))
    if fit.body.diameter is not None and np.any(np.isfinite(fit.track.radius_px)):
        rulers.append(_ruler_of_size(fit))
    if known.scale is not None:
        rulers.append(Ruler("user", known.scale.value, known.scale.sigma))
    if known.length is not None:
        rulers.append(Ruler("length", value, sigma))
    return Scale(px_per_m=value, sigma=sigma, source=_scale_source(rulers, knowledge), rulers=tuple(rulers))


def _ruler_of_size(fit: Fit) -> Ruler:
    """What the apparent size alone says of the scale, with the size's own uncertainty and the edge's common bias."""
    diameter = fit.body.diameter
    if diameter is None:
        raise ValueError("expected a body with a diameter")
    radius = float(np.nanmedian(fit.track.radius_px))
    share = math.hypot(diameter.sigma / diameter.value, RADIUS_BIAS_SIGMA_PX / max(radius, 0.1))
    value = 2.0 * radius / diameter.value
    return Ruler("object", value, value * share)


def _scale_source(rulers: list[Ruler], knowledge: Knowledge) -> ScaleSource:
    names: dict[str, ScaleSource] = {"gravity": "gravity", "object": "object", "user": "user", "length": "length"}
    sources = [names[ruler.name] for ruler in rulers]
    if knowledge.known.scale is not None and knowledge.known.g.sigma > 1.0 and knowledge.diameter is None:
        return "user"
    return sources[0] if len(sources) == 1 else "joint" if sources else "gravity"


def judge_rulers(seen: Analysis, scale: Scale, knowledge: Knowledge, fps: float) -> list[Notice]:
    """Rulers that disagree, and a size that no object has: clock or scale are then more likely wrong than nature.

    ``fps`` is the rate that the clock goes by: where another one would make two rulers agree, it is named.
    """
    notices: list[Notice] = []
    first = scale.rulers[0] if scale.rulers else None
    for other in scale.rulers[1:]:
        if first is None:
            break
        log_sigma = max(math.hypot(first.sigma / first.px_per_m, other.sigma / other.px_per_m), 1e-9)
        ratio = other.px_per_m / first.px_per_m
        apart = abs(math.log(ratio)) / log_sigma
        if apart > RULERS_AGREE:
            notices.append(Notice("rulers_disagree", f"{other.name} says {ratio:.3g} times the scale that {first.name} says ({apart:.1f} sigma)"))
            if first.name == "gravity":
                notices += _suspect_clock(ratio, log_sigma, fps)
    size = seen.free_fit.parameters.get("diameter") if seen.free_fit is not None else None
    judged = knowledge.known.gravity_is_ruler and seen.verdict == "stable" and bool(np.any(np.isfinite(seen.track.radius_px)))
    if judged and size is not None and not SMALLEST_BODY < size.value < LARGEST_BODY:
        wrong = f"with gravity as the ruler the object would be {size.value:.2g} m wide: the clock or the scale is implausible"
        notices.append(Notice("scale_implausible", f"{wrong}; give the true rate with --fps, or a ruler (--diameter, --scale, --length)"))
    g = seen.fit.parameters.get("g") if seen.fit is not None else None
    if g is not None and g.source == "measured" and g.value > 0 and abs(g.value - EARTH) > RULERS_AGREE * math.hypot(g.sigma, PLACES * EARTH):
        found = f"g = {g.value:.3g} +- {g.sigma:.2g} m/s^2 is {100 * (g.value / EARTH - 1):+.1f} % off the Earth's"
        apart = abs(g.value - EARTH) / g.sigma
        notices.append(Notice("gravity_implausible", f"{found} ({apart:.1f} sigma): the clock or the ruler is implausible on Earth"))
        # A gravity at the edge of its range is not measured.
        notices += [] if seen.fit is not None and "g" in seen.fit.at_bound else _suspect_clock(EARTH / g.value, g.sigma / g.value, fps)
    return notices


def _suspect_clock(ratio: float, log_sigma: float, fps: float) -> list[Notice]:
    """The rate that cameras film at and that explains a scale, or a gravity, too small by ``ratio``: it goes as the clock's square."""
    sigma = 0.5 * math.hypot(log_sigma, UNMODELLED)
    needed = 0.5 * math.log(ratio)
    if abs(needed) < CLEARLY_WRONG or fps <= 0:
        return []
    rate = min(FILM_RATES, key=lambda each: abs(math.log(each / fps) - needed))
    if abs(math.log(rate / fps) - needed) > RULERS_AGREE * sigma:
        return []
    words = f"gravity and the other ruler agree if the film was taken at {rate:g} frames a second, not {fps:.4g}; then give --fps {rate:g}"
    return [Notice("clock_factor", words)]
