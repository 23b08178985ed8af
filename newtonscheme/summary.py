"""A `Report` in a few lines of plain words: what was seen, what it is taken for, how sure that is, and where it goes."""

from __future__ import annotations

from .notation import format_measure, format_name, format_number, format_percent, format_quantity, printable, printable_path
from .types import Fit, Forecast, Identifiability, Quantity, Report, Stability

SOURCE_WORDS = {
    "assumed": "assumed",
    "measured": "measured",
    "derived": "derived",
    "catalogue": "from the catalogue",
    "user": "given",
}
SCALE_WORDS = {
    "gravity": "gravity as the ruler",
    "object": "the object's size as the ruler",
    "length": "the given length as the ruler",
    "user": "given",
    "joint": "all rulers together",
}
STOP_WORDS = {"horizon": "at the horizon", "ground": "on the ground", "left_frame": "as it leaves the picture"}
ORIGIN_WORDS = {"pixels": "positions", "clock": "clock", "scale": "rulers", "view": "lens and tilt", "model": "forces"}
VERDICT_WORDS = {
    "stable": "stable: one pattern holds",
    "drifting": "drifting: the pattern slowly stops to hold",
    "broken": "broken: the pattern does not hold",
    "too_short": "too short to tell",
}
DETERMINED, UNDETERMINED = 0.9, 0.5
"""Share of a prior's variance that the clip takes away: its sigma falls to a third, or it hardly falls."""
MAIN_ACCOUNTS = ("g", "speed", "length", "forecast")
"""Of these the summary says where the uncertainty comes from; the JSON has all."""
BEYOND_STATED = 3.0
"""Sigmas of an excess that its origins do not explain: dividing it would blame the wrong ones."""
TOLD_ORIGINS, LEAST_ORIGIN = 3, 0.02
TOLD_OTHER_TRACKS = 3
"""More other objects than these are counted, not listed."""


def summarise(report: Report) -> str:
    """The summary as text, a label and its words on each line."""
    rows = summary_rows(report)
    width = max(len(label) for label, _ in rows)
    return "\n".join(f"{label:<{width}}  {words}" for label, words in rows)


def summary_rows(report: Report) -> tuple[tuple[str, str], ...]:
    """The summary as (label, words) pairs, a label being empty where it would repeat itself; nothing in it can move a cursor."""
    rows = [("video", _video(report)), ("seen", _seen(report))]
    rows += [("pattern", _pattern(report)), ("object", _object(report))]
    if report.refusal is None:
        # The numbers of a fit that does not hold are in the JSON; said in words they would be believed.
        rows += [("scale", _scale(report)), *_parameters(report)]
        rows += [("learned", words) for words in _learned(report.identifiability)]
    told = "" if report.refusal is None else report.refusal.message
    rows += [("stability", words) for words in _stability(report.stability, report.fit) if words not in told]
    if report.forecast is not None:
        rows.append(("forecast", _forecast(report.forecast)))
    if report.score is not None:
        rows.append(("score", _score(report)))
    if report.refusal is not None:
        rows.append(("refused", f"{report.refusal.message} ({report.refusal.reason})"))
    rows += [("warning", f"{notice.message} ({notice.code})") for notice in report.notices]
    return tuple((label if row == 0 or label != rows[row - 1][0] else "", printable(words)) for row, (label, words) in enumerate(rows) if words)


def pattern_words(name: str | None) -> str:
    """The name of a pattern as people say it."""
    return "unknown" if name is None else format_name(name)


def parameter_words(name: str, quantity: Quantity) -> str:
    """A parameter with its uncertainty and source, as in ``g 9.81 ± 0.02 m/s² (measured)``."""
    return f"{format_name(name)} {format_quantity(quantity)} ({SOURCE_WORDS[quantity.source]})"


def _video(report: Report) -> str:
    video = report.video
    clock = f"{format_number(video.duration)} s at {format_number(video.fps)} fps"
    damage = "".join(f", {count} {kind}" for kind, count in video.damage.items() if count)
    return f"{printable_path(video.path)}: {video.width_px} x {video.height_px} px, {video.n_frames} frames, {clock}{damage}"


def _seen(report: Report) -> str:
    t, others = report.track.t, len(report.other_tracks)
    beside = f"; {others} other object{'s' if others > 1 else ''} moved" if others else ""
    if not len(t):
        return f"nothing that could be followed{beside}"
    used = report.track.t[report.used]
    fitted = f", {len(used)} of them used, {used[0]:.2f} to {used[-1]:.2f} s" if len(used) else ", none of them used"
    return f"one object in {len(t)} frames, {t[0]:.2f} to {t[-1]:.2f} s{fitted}{beside}"


def _pattern(report: Report) -> str:
    pattern = report.pattern
    fit = "" if report.fit is None or report.fit.pattern == pattern.name else f"; fits best as {pattern_words(report.fit.pattern)}"
    return f"{pattern_words(pattern.name)} ({format_percent(pattern.probability)}){fit}"


def _object(report: Report) -> str:
    body = report.body
    if body is None:
        return "not recognised"
    label = "none of the catalogue" if body.label is None else f"{body.label} ({format_percent(body.probability)})"
    told = [("mass", body.mass), ("diameter", body.diameter)]
    return ", ".join([label, *(parameter_words(name, quantity) for name, quantity in told if quantity is not None)])


def _scale(report: Report) -> str:
    scale = report.scale
    if scale is None:
        return "unknown"
    rulers = ", ".join(f"{ruler.name} {format_measure(ruler.px_per_m, ruler.sigma)}" for ruler in scale.rulers)
    apart = f" (each alone: {rulers})" if len(scale.rulers) > 1 else ""
    return f"{format_measure(scale.px_per_m, scale.sigma)} px for each metre, {SCALE_WORDS[scale.source]}{apart}"


def _parameters(report: Report) -> list[tuple[str, str]]:
    return [("motion", parameter_words(name, quantity)) for name, quantity in report.parameters.items()]


def _learned(found: Identifiability | None) -> list[str]:
    """What the clip tells and what it does not, whose uncertainty the main quantity and the forecast have, and what would help."""
    if found is None:
        return []
    clear = [name for name, share in found.learned.items() if share > DETERMINED]
    open_ = [name for name, share in found.learned.items() if share < UNDETERMINED]
    said = [f"the clip tells {', '.join(clear)}"] if clear else []
    said += [f"it does not tell {', '.join(open_)}: that is known from elsewhere"] if open_ else []
    for account in found.accounts:
        if account.name in MAIN_ACCOUNTS:
            largest = sorted(account.shares.items(), key=lambda pair: -pair[1])[:TOLD_ORIGINS]
            origins = ", ".join(f"{ORIGIN_WORDS[origin]} {format_percent(share)}" for origin, share in largest if share > LEAST_ORIGIN)
            said.append(f"uncertainty of the {format_name(account.name)}: {origins}")
    if found.excess is not None and abs(found.excess.share) > found.excess.sigma:
        beyond = abs(found.excess.share) > BEYOND_STATED * found.excess.sigma
        parts = ", ".join(f"{ORIGIN_WORDS[origin]} {100 * part:+.1f} ± {100 * sigma:.1f} %" for origin, (part, sigma) in found.excess.parts.items())
        divided = "more than the stated uncertainties allow" if beyond else f"most likely divided into {parts}"
        said.append(f"g is {100 * found.excess.share:+.1f} ± {100 * found.excess.sigma:.1f} % off the Earth's, {divided}")
        alone = f"by a ruler {100 * found.excess.ruler_alone:+.1f} % wrong, or a clock {100 * found.excess.clock_alone:+.1f} %"
        said.append(f"alone it would be explained {alone}")
    return said + list(found.advice)


def _stability(stability: Stability, fit: Fit | None) -> list[str]:
    charges = ", ".join(f"{format_name(charge.name)} {abs(charge.drift_sigma):.1f} sigma" for charge in stability.charges)
    balance = f"; balance of charges: {charges}" if charges else ""
    bounds = [f"at the edge of its range: {', '.join(fit.at_bound)}"] if fit is not None and fit.at_bound else []
    return [VERDICT_WORDS[stability.verdict] + balance, *stability.reasons, *bounds, *_wobble(fit), *_learned_from(fit)]


def _wobble(fit: Fit | None) -> list[str]:
    """That the outline circles about the centre of mass, where that is clear."""
    if fit is None or not fit.wobble.is_clear:
        return []
    radius, rate = format_number(fit.wobble.radius_px, 2), format_number(fit.wobble.main_rate_rps, 2)
    return [f"the outline circles about the centre of mass: {radius} px, {rate} turns a second (whole turns between frames are not seen)"]


def _learned_from(fit: Fit | None) -> list[str]:
    """That other flights of the same body were asked."""
    spans = fit.elsewhere.spans if fit is not None else ()
    if not spans:
        return []
    times = ", ".join(f"{t0:.2f} to {t1:.2f} s" for t0, t1 in spans)
    return [f"camera, body and gravity were learned from {'another flight' if len(spans) == 1 else f'{len(spans)} other flights'} too: {times}"]


def _forecast(forecast: Forecast) -> str:
    if not len(forecast.t):
        return f"ends at once, {STOP_WORDS[forecast.stop]}"
    (u, v), half = forecast.centre_px[-1], 0.5 * (forecast.upper_px[-1] - forecast.lower_px[-1])
    x, y, z = forecast.position[-1]
    band = f"{format_percent(forecast.level)} band ± {format_number(half[0], 2)} and ± {format_number(half[1], 2)} px"
    metres = f"({x:.2f}, {y:.2f}, {z:.2f}) m"
    return f"at {forecast.t[-1]:.2f} s ({u:.1f}, {v:.1f}) px, {band}, {metres}; ends {STOP_WORDS[forecast.stop]}"


def _score(report: Report) -> str:
    score = report.score
    if score is None:
        return ""
    away = f"{format_number(score.rms_px, 3)} px rms over the part that was not used"
    share = f"{format_number(100.0 * score.rms_share_of_path, 2)} % of its path"
    return f"{away} ({share}), {format_number(score.final_px, 3)} px at its end; {format_percent(score.coverage)} of the samples in the band"
