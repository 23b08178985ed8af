"""From tracks to one judged pattern: which object, which stretch, which law, which body, and whether it is stable.

The order is the scheme's: the recogniser proposes, segments are grown, the laws of the family compete by evidence, bodies are weighed, the
verdict is given. Nothing here reads pixels or writes files.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ..physics.models import FORCE_MODELS, PATTERNS
from ..types import NOTHING_ELSEWHERE, Belief, Body, Camera, Charge, Elsewhere, Fit, Moment, Pattern, Segment, Track, Verdict
from .body import at_speed, joint_log_evidence, name_body, propose_bodies, size_odds, weigh_bodies
from .fitting import fit_pattern
from .flights import learn_elsewhere
from .forecasting import widen
from .knowledge import Knowledge
from .parameters import assumed_density, log_sigma
from .recognition import Recogniser, propose, recognise
from .segmentation import (
    MIN_STABLE_SAMPLES,
    Stretch,
    Surroundings,
    describe_segments,
    find_begun,
    find_end,
    find_stretches,
    leaves_smoothly,
    local_noise,
)
from .stability import LEAST_LOG_ODDS, assess_fit, log_odds_over_free_path

TRACKS_TRIED, MOST_OF_TRACK = 4, 0.5
"""Ranked tracks that recognition looks at, until a pattern holds over half of one: the object is nearly always the first or second."""
LEAST_WORTH = 0.3
"""A track that looks this much less like one body than the first, a crossing that runs along a chain, is not asked what law it follows."""
LONGER = 1.5
"""A lower-ranked track is preferred where a pattern holds on it for this much longer."""
LEAST_BELIEF, MOST_BELIEFS = 0.02, 6
"""Laws and objects less probable than this change a 90 % band by less than it matters; and no more than six are carried on."""
STRETCHES_TRIED = 2
"""Stretches of a track that are judged in full until one is stable."""
MOST_LOOSE = 3
"""Samples after a motion, at most, that may be out of line with one that still goes on where the track ends."""
LITTLE_DOUBT = 0.1
"""Probability of no pattern up to which a track is taken for what was meant: the shadow of a ball moves much as the ball, but not quite."""
SMALL_PART = 1.0 / 3.0
"""Of a path: a law that holds on less must be beyond such doubt, for a waving hand has many places where it might."""
SURE_LOG_ODDS = 12.0
"""Over a free path: a flight as evident as this, and beyond such doubt, need not show where it began and ended, for hands catch and let go softly."""
ONGOING_SHARE = 0.5
"""Of the longest motion: how long one that goes on at the track's end must be to come before it; a good ball's third flight on (0.8 each) is."""
BODY_SIGMAS = 4.0
"""Hypotheses whose size is this far from the measured one are not worth a fit."""
MAX_BODIES = 5
LEAST_LOOKS = 0.005
"""Hypotheses that looks alone make this unlikely are not worth a fit either."""
WHOLE, PLACES_TRIED = 0.8, 10.0
"""A stretch shorter than this share of its track was picked among the others, and grown where it fits best: it could have lain elsewhere, by a
tenth of its length each time, as far as there is room."""
ACCEPTED = 0.5
"""Share of the probability from which a family is the word on a stretch: more than everything else together."""
LARGEST_LOG_ODDS, LARGEST_OF_PART = 5.0, 1.0
"""The fit may overrule the recogniser by odds of 150 to 1 and no more: what it is sure to be unknown stays so, however well a law fits it. A part
of a path was grown to where a law fits best, so its fit tells little that the recogniser does not: 3 to 1."""
LEAST_PERIODS, ENOUGH_PERIODS = 0.5, 2.0
"""Periods that a swing must show where the path goes on as another motion: less than a swing to the other side is an arc like any other; one that
came back twice as the law says was a swing, however it ended."""
MOST_PERIODS = 8.0
"""Swings in a stretch that the recogniser is shown at once: those it was trained on have up to ten."""
SIMPLER = 1.5
"""Log odds for the simpler law of a family before its evidence is seen: most films of a flight show no lift, and a lens that bends a line by a
two-thousandth looks like a little of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What was concluded about one clip: the track, the stretch, the law, the body and the verdict.

    ``beliefs`` are all laws and objects that the stretch leaves possible, ``fit`` (the reported one) first; empty unless stable.
    """

    track: Track
    index: int
    pattern: Pattern
    evidence: Mapping[str, float]
    verdict: Verdict
    reasons: tuple[str, ...]
    charges: tuple[Charge, ...]
    segments: tuple[Segment, ...]
    fit: Fit | None
    free_fit: Fit | None
    beliefs: tuple[Belief, ...]
    body: Body | None
    first: int
    last: int


def analyse_tracks(
    tracks: Sequence[Track], recogniser: Recogniser, camera: Camera, knowledge: Knowledge, *, pattern: str | None,
    index: int | None = None, size_px: tuple[int, int] | None = None, moment: Moment = "longest",
) -> Analysis:  # fmt: skip
    """The best judged track of a clip.

    Args:
        tracks: Ranked, best first; at least one.
        recogniser: The network that proposes.
        camera: The prior camera.
        knowledge: Gravity, air, rulers and what is known of the object.
        pattern: The law, where the user names it.
        index: The track to use, where the user names it.
        size_px: The picture's width and height, to tell why a segment ended.
        moment: Which of a track's motions is asked about.
    """
    worthy = [i for i, track in enumerate(tracks) if track.smoothness >= LEAST_WORTH * tracks[0].smoothness]
    chosen = worthy[:TRACKS_TRIED] if index is None else [index]
    best: Analysis | None = None
    moving = [track for track in tracks if len(track)]
    shown_for = max((float(track.t[-1]) for track in moving), default=0.0) - min((float(track.t[0]) for track in moving), default=0.0)
    for i in chosen:
        analysis = analyse_track(
            tracks[i], recogniser, camera, knowledge, pattern=pattern, index=i, size_px=size_px, moment=moment, shown_for=shown_for
        )
        if best is None or _preferred(analysis, best):
            best = analysis
        if best.verdict == "stable" and best.last - best.first > MOST_OF_TRACK * len(best.track) and _doubt(best) < LITTLE_DOUBT:
            break
    if best is None:
        raise ValueError("analyse_tracks: expected at least one track")
    return best


def _preferred(new: Analysis, old: Analysis) -> bool:
    """Whether a lower-ranked track takes over: it has a stable pattern and the other has none, or a much longer one, or a much surer one."""
    if (new.verdict == "stable") != (old.verdict == "stable"):
        return new.verdict == "stable"
    surer = _doubt(new) < LITTLE_DOUBT < _doubt(old) and _duration(new) > _duration(old) / LONGER
    return new.verdict == "stable" and (_duration(new) > LONGER * _duration(old) or surer)


def _doubt(analysis: Analysis) -> float:
    """The probability that what moves follows none of the patterns."""
    return analysis.pattern.probabilities["unknown"]


def _duration(analysis: Analysis) -> float:
    return float(analysis.track.t[analysis.last - 1] - analysis.track.t[analysis.first])


def analyse_track(
    track: Track, recogniser: Recogniser, camera: Camera, knowledge: Knowledge, *, pattern: str | None = None, index: int = 0,
    size_px: tuple[int, int] | None = None, moment: Moment = "longest", shown_for: float = 0.0,
) -> Analysis:  # fmt: skip
    """Everything about one track: see `analyse_tracks`. ``shown_for`` (s) is how long the clip shows anything that moves, if longer than this."""
    bodies = propose_bodies(track.appearance, label=knowledge.label, mass=knowledge.mass, diameter=knowledge.diameter)
    first_body = bodies[1] if knowledge.label is not None else bodies[0]
    around = Surroundings(camera=camera, body=first_body, known=knowledge.known)
    patterns = ("pendulum",) if knowledge.known.unit_circle else PATTERNS if pattern is None else (pattern,)
    stretches = find_stretches(track, propose(recogniser, track), patterns, around, forced=pattern is not None)
    judged: _Judged | None = None
    for stretch, elsewhere in _attempts(track, stretches, around, size_px, moment):
        candidate = _judge(
            track, stretch, stretches, recogniser, around, patterns, bodies, knowledge, forced=pattern is not None, elsewhere=elsewhere,
            shown_for=shown_for,
        )  # fmt: skip
        judged = candidate if judged is None or candidate.verdict == "stable" else judged
        if judged.verdict == "stable":
            break
    if judged is None:
        return _unknown(track, index, recogniser)
    free_fit, stretch, fit, body = judged.free_fit, judged.stretch, judged.free_fit, first_body
    beliefs: tuple[Belief, ...] = ()
    if judged.verdict == "stable":
        weighed = judged.weighed or {free_fit.pattern: _weigh_bodies(free_fit, bodies, camera, knowledge)}
        fit, body = widen(weighed[free_fit.pattern].fit, free_fit.noise.discrepancy_px), weighed[free_fit.pattern].body
        beliefs = _collect_beliefs(fit, weighed, judged.word)
    others = [s for s in stretches if s is not stretch and log_odds_over_free_path(s.fit) > LEAST_LOG_ODDS]
    held = [*others, replace(stretch, fit=fit)]
    return Analysis(
        track=track, index=index, pattern=judged.word, evidence=judged.evidence, verdict=judged.verdict, reasons=judged.reasons,
        charges=judged.charges, segments=describe_segments(track, held, size_px), fit=fit, free_fit=free_fit, beliefs=beliefs, body=body,
        first=stretch.first, last=stretch.last,
    )  # fmt: skip


def _attempts(
    track: Track, stretches: Sequence[Stretch], around: Surroundings, size_px: tuple[int, int] | None, moment: Moment
) -> Iterator[tuple[Stretch, Elsewhere]]:  # fmt: skip
    """What is judged until it is stable: stretches in order, each with what the other flights of the track tell of it and then by itself.

    A flight that has only just begun where the track ends comes first, if others tell enough of it.
    """
    flights = _Flights(track, stretches, around)
    ordered = _in_order(stretches, track, size_px, moment)
    begun = [s for s in ordered[1:] if find_end(track, s, size_px).kind in ("end_of_clip", "lost")] if moment == "latest" else []
    short = find_begun(track, stretches, around) if moment != "longest" and flights.number else None
    foremost = [s for s in (short, *begun[:1]) if s is not None]
    for stretch in foremost:
        told = flights.tell_of(stretch)
        if told.spans:
            yield stretch, told
    for stretch in ordered[:STRETCHES_TRIED]:
        told = NOTHING_ELSEWHERE if any(stretch is tried for tried in foremost) else flights.tell_of(stretch)
        if told.spans:
            yield stretch, told
        yield stretch, NOTHING_ELSEWHERE


class _Flights:
    """The flights of a track, each fitted in full by itself, once."""

    def __init__(self, track: Track, stretches: Sequence[Stretch], around: Surroundings) -> None:
        self._track, self._around = track, around
        self._stretches = [s for s in stretches if _flies(s)]
        self._fits: dict[int, Fit] = {}

    @property
    def number(self) -> int:
        """How many there are."""
        return len(self._stretches)

    def tell_of(self, stretch: Stretch) -> Elsewhere:
        """What the others that are stable tell of one."""
        others = [s for s in self._stretches if s is not stretch and not s.overlaps(stretch)]
        if not others or not _flies(stretch):
            return NOTHING_ELSEWHERE
        known, fits = self._around.known, [self._fit(s) for s in others]
        stable = [fit for fit in fits if fit.success and assess_fit(fit, known, part=True)[0] == "stable"]
        own = self._fit(stretch)
        return learn_elsewhere(own, stable, known) if own.success else NOTHING_ELSEWHERE

    def _fit(self, stretch: Stretch) -> Fit:
        if stretch.first not in self._fits:
            rows, around = self._track.select(slice(stretch.first, stretch.last)), self._around
            fit = fit_pattern(rows, stretch.fit.pattern, camera=around.camera, body=around.body, known=around.known, near=stretch.fit)
            self._fits[stretch.first] = fit
        return self._fits[stretch.first]


def _flies(stretch: Stretch) -> bool:
    return FORCE_MODELS[stretch.fit.pattern].family == "free_flight"


def _in_order(stretches: Sequence[Stretch], track: Track, size_px: tuple[int, int] | None, moment: Moment) -> list[Stretch]:
    """Stretches by how worth it is to forecast from them: one that goes on where the track ends, if it is long enough, before longer ones.

    A ball that has bounced flies on from its last bounce, unless it has left the picture. "ongoing": however short it is, and wherever.
    """
    longest = max((s.duration for s in stretches), default=0.0)

    def comes_later(stretch: Stretch) -> bool:
        if moment == "ongoing":
            return stretch.last < len(track) - MOST_LOOSE
        return find_end(track, stretch, size_px).kind != "end_of_clip" or stretch.duration < ONGOING_SHARE * longest

    return sorted(stretches, key=comes_later)


def _collect_beliefs(fit: Fit, weighed: Mapping[str, _Weighed], word: Pattern) -> tuple[Belief, ...]:
    """The laws and objects that are probable enough to matter for the forecast, the reported fit first; their probabilities add up to one."""
    found = [
        Belief(widen(belief.fit, fit.noise.discrepancy_px), word.probabilities[name] * belief.probability)
        for name, law in weighed.items()
        for belief in law.beliefs
    ]
    total = sum(belief.probability for belief in found)
    own, rest = 0.0, []
    for belief in found:
        if belief.fit.pattern == fit.pattern and np.array_equal(belief.fit.estimate, fit.estimate):
            own += belief.probability
        elif belief.probability > LEAST_BELIEF * total:
            rest.append(belief)
    kept = [Belief(fit, own), *sorted(rest, key=lambda belief: -belief.probability)[: MOST_BELIEFS - 1]]
    total = sum(belief.probability for belief in kept)
    return tuple(Belief(belief.fit, belief.probability / total) for belief in kept) if total > 0 else (Belief(fit, 1.0),)


def _periods_shown(fit: Fit) -> float | None:
    """How many periods of what it was fitted as the stretch covers; None for a law that has none."""
    period = fit.parameters.get("period")
    return None if period is None else float(fit.track.t[-1] - fit.track.t[0]) / period.value


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weighed:
    """A law on a stretch with its object weighed.

    ``fit`` is the one to go on with, ``body`` its object, ``log_evidence`` the law's whatever the object is; ``beliefs`` are every object's
    fit and probability under this law.
    """

    fit: Fit
    body: Body
    log_evidence: float
    beliefs: tuple[Belief, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """A stretch with its most evident law; ``weighed`` holds the laws whose objects were weighed to tell."""

    free_fit: Fit
    stretch: Stretch
    verdict: Verdict
    reasons: tuple[str, ...]
    charges: tuple[Charge, ...]
    word: Pattern
    evidence: Mapping[str, float]
    weighed: Mapping[str, _Weighed]


def _judge(
    track: Track, stretch: Stretch, stretches: Sequence[Stretch], recogniser: Recogniser, around: Surroundings, patterns: Sequence[str],
    bodies: tuple[Body, ...], knowledge: Knowledge, *, forced: bool, elsewhere: Elsewhere, shown_for: float,
) -> _Judged:  # fmt: skip
    """The laws of the stretch's family fitted in full, the most evident one assessed, the recogniser's word and the odds put together."""
    rows = track.select(slice(stretch.first, stretch.last))
    family = FORCE_MODELS[stretch.fit.pattern].family
    fits = {}
    for name in (n for n in patterns if FORCE_MODELS[n].family == family):
        near = stretch.fit if name == stretch.fit.pattern else None
        fit = _fit_at_speed(rows, name, around, near, elsewhere)
        if fit.success:
            fits[name] = fit
    if not fits:
        unknown = _unknown_pattern(recogniser, rows)
        reasons: tuple[str, ...] = (f"no {stretch.fit.pattern.replace('_', ' ')} could be fitted to the stretch",)
        return _Judged(free_fit=stretch.fit, stretch=stretch, verdict="broken", reasons=reasons, charges=(), word=unknown, evidence={}, weighed={})
    whole = max(float(track.t[-1] - track.t[0]), 1e-9)
    part = float(rows.t[-1] - rows.t[0]) < WHOLE * whole
    share = min((float(rows.t[-1] - rows.t[0]) + sum(t1 - t0 for t0, t1 in elsewhere.spans)) / whole, 1.0)
    places = math.log1p(PLACES_TRIED * (1.0 - share) / share) if part else 0.0
    by_gravity = around.known.gravity_is_ruler
    all_odds = {n: log_odds_over_free_path(fit) + size_odds(fit, by_gravity=by_gravity) - places for n, fit in fits.items()}
    worth = {n: _worth_of(odds, part) for n, odds in all_odds.items()}
    seen = {n: _recognise_within_reach(recogniser, rows, fit) for n, fit in fits.items()}
    # Objects tell laws of a family apart; where none of them is accepted, whatever the object is, there is nothing to tell apart.
    open_question = len(fits) > 1 and (forced or any(_family_share(seen[n], worth[n], family)[family] > ACCEPTED for n in fits))
    weighed = {n: _weigh_bodies(fit, bodies, around.camera, knowledge) for n, fit in fits.items()} if open_question else {}
    evidence = {n: weighed[n].log_evidence if n in weighed else fit.evidence for n, fit in fits.items()}
    name = max(evidence, key=lambda n: _with_prior(n, evidence))
    fit = fits[name]
    verdict, reasons, charges, misfit = assess_fit(fit, around.known, part=part)
    odds, shown = all_odds[name], _periods_shown(fit)
    found = () if verdict == "stable" else reasons
    evidence["unknown"] = max(evidence.values()) - odds
    word = _combine(seen[name], evidence, worth[name], family)
    doubt, words = word.probabilities["unknown"], name.replace("_", " ")
    if part:
        arc = _arc_of_another(track, stretch, shown, doubted=doubt > LITTLE_DOUBT or odds < SURE_LOG_ODDS)
    else:
        # A bob does not come and go: what was followed for less than the clip shows is a scrap of whatever moves there.
        arc = _less_than_a_swing(shown) if whole < WHOLE * shown_for else ""
    if arc:
        verdict, reasons = "broken", (*found, arc)
    if word.name is not None and share < SMALL_PART and doubt > LITTLE_DOUBT:
        doubted = f"a {words} holds on {100 * share:.0f} % of the path only, and there it may as well be none ({100 * doubt:.0f} %)"
    elif word.name is None or (part and odds < LEAST_LOG_ODDS):
        doubted = f"a {words} is not more evident than a path that is free to go anywhere (log odds {odds:+.1f})"
    else:
        doubted = ""
    if doubted and not forced and verdict == "stable":
        verdict, reasons = "broken", (doubted,)
    elif forced or word.name is not None:
        word = replace(word, name=name)
    return _Judged(
        free_fit=widen(fit, misfit), stretch=stretch, verdict=verdict, reasons=reasons, charges=charges, word=word, evidence=evidence,
        weighed=weighed,
    )  # fmt: skip


def _arc_of_another(track: Track, stretch: Stretch, shown: float | None, *, doubted: bool) -> str:
    """Why a part of a path, with so many periods ``shown`` if it swings, may be an arc of another motion; empty where nothing says so."""
    if few := _less_than_a_swing(shown):
        return few
    asked = doubted if shown is None else shown < ENOUGH_PERIODS
    if asked and leaves_smoothly(track, stretch.first, stretch.last, local_noise(track)):
        return "the path goes on smoothly past the stretch: an arc of another motion, not a law that ended"
    return ""


def _less_than_a_swing(shown: float | None) -> str:
    """A word on so many periods ``shown``, empty where they are enough or the law has none."""
    few = shown is not None and shown < LEAST_PERIODS
    return f"{shown:.2f} of a period and then another motion: any arc that bends looks like that" if few else ""


def _recognise_within_reach(recogniser: Recogniser, rows: Track, fit: Fit) -> Pattern:
    """The recogniser's word on a stretch, shown to it in parts where it is longer than any that it was trained on."""
    period = fit.parameters.get("period")
    parts = 1 if period is None else math.ceil(float(rows.t[-1] - rows.t[0]) / (MOST_PERIODS * period.value))
    if parts == 1:
        return recognise(recogniser, rows)
    edges = np.linspace(0, len(rows), parts + 1).astype(int)
    seen = [recognise(recogniser, rows.select(slice(int(a), int(b)))) for a, b in pairwise(edges)]
    probabilities = {label: float(np.mean([word.probabilities[label] for word in seen])) for label in seen[0].probabilities}
    return replace(seen[0], probabilities=probabilities)


def _fit_at_speed(rows: Track, name: str, around: Surroundings, near: Fit | None, elsewhere: Elsewhere) -> Fit:
    """The fit of a law under the drag coefficient that the body has at the speed the law finds: balls pass the drag crisis in flight."""
    fit = fit_pattern(rows, name, camera=around.camera, body=around.body, known=around.known, near=near, elsewhere=elsewhere)
    if not fit.success or "speed" not in fit.parameters:
        return fit
    body = at_speed(around.body, fit.parameters["speed"].value, fit.parameters["diameter"].value)
    told = fit_pattern(rows, name, camera=around.camera, body=body, known=around.known, near=fit, elsewhere=elsewhere)
    return told if told.success else fit


def _with_prior(name: str, evidence: Mapping[str, float]) -> float:
    """Log evidence of a law with the log odds that simplicity gives it among the laws of its family."""
    return evidence[name] - SIMPLER * [n for n in PATTERNS if n in evidence].index(name)


def _worth_of(odds: float, part: bool) -> float:
    """What the fit's log odds may add to the recogniser's."""
    return max(-LARGEST_LOG_ODDS, min(odds - LEAST_LOG_ODDS, LARGEST_OF_PART if part else LARGEST_LOG_ODDS))


def _family_share(seen: Pattern, worth: float, family: str) -> dict[str, float]:
    """The recogniser's probability of each label, with what the fit adds for its family."""
    weights = {label: math.log(max(p, 1e-6)) for label, p in seen.probabilities.items()}
    weights[family] = weights.get(family, math.log(1e-6)) + worth
    top = max(weights.values())
    total = sum(math.exp(w - top) for w in weights.values())
    return {label: math.exp(w - top) / total for label, w in weights.items()}


def _combine(seen: Pattern, evidence: Mapping[str, float], worth: float, family: str) -> Pattern:
    """The recogniser's probabilities with what the fit adds for its family; within the family the evidence splits them."""
    share = _family_share(seen, worth, family)
    laws = {name: _with_prior(name, evidence) for name in evidence if name != "unknown"}
    best = max(laws.values())
    inside = {name: math.exp(value - best) for name, value in laws.items()}
    probabilities = {name: 0.0 for name in PATTERNS} | {"unknown": share.get("unknown", 0.0)}
    for label, value in share.items():
        members = [name for name in PATTERNS if FORCE_MODELS[name].family == label]
        if label == family:
            for name, weight in inside.items():
                probabilities[name] = value * weight / sum(inside.values())
        elif members:
            probabilities[members[0]] = value
    known = {name: p for name, p in probabilities.items() if name != "unknown"}
    winner = max(known, key=lambda name: known[name])
    accepted = share[family] > ACCEPTED
    return Pattern(name=winner if accepted else None, probability=share[family] if accepted else 1.0 - share[family], probabilities=probabilities)


def _unknown_pattern(recogniser: Recogniser, rows: Track) -> Pattern:
    """The recogniser's word where no law could be fitted: unknown, whatever it thought."""
    seen = recognise(recogniser, rows).probabilities
    probabilities = {name: 0.0 for name in PATTERNS} | {"unknown": seen.get("unknown", 0.0)}
    for label, value in seen.items():
        members = [name for name in PATTERNS if FORCE_MODELS[name].family == label]
        if members:
            probabilities[members[0]] = value
    return Pattern(name=None, probability=probabilities["unknown"], probabilities=probabilities)


def _unknown(track: Track, index: int, recogniser: Recogniser) -> Analysis:
    """No law holds on any stretch."""
    short = len(track) < MIN_STABLE_SAMPLES
    reason = f"{len(track)} samples; {MIN_STABLE_SAMPLES} are needed" if short else "no force pattern holds over any stretch of the track"
    return Analysis(
        track=track, index=index, pattern=_unknown_pattern(recogniser, track), evidence={}, verdict="too_short" if short else "broken",
        reasons=(reason,), charges=(), segments=(), fit=None, free_fit=None, beliefs=(), body=None, first=0, last=len(track),
    )  # fmt: skip


def _weigh_bodies(free_fit: Fit, bodies: tuple[Body, ...], camera: Camera, knowledge: Knowledge) -> _Weighed:
    """The fit under the likeliest body and that body; under none where none is likely, with the mixture's size and mass."""
    if knowledge.label is not None:
        told = replace(bodies[1], probability=1.0)
        return _Weighed(fit=free_fit, body=told, log_evidence=free_fit.evidence, beliefs=(Belief(free_fit, 1.0),))
    size, speed = free_fit.parameters.get("diameter"), free_fit.parameters.get("speed")
    if size is not None and speed is not None:
        bodies = tuple(at_speed(body, speed.value, size.value) for body in bodies)
    fits: list[Fit | None] = [free_fit] + [None] * (len(bodies) - 1)
    if size is not None and np.any(np.isfinite(free_fit.track.radius_px)):
        for i in _worth_fitting(bodies, size.value, log_sigma(size)):
            fits[i] = fit_pattern(
                free_fit.track, free_fit.pattern, camera=camera, body=bodies[i], known=knowledge.known, near=_under(free_fit, bodies[i]),
                elsewhere=free_fit.elsewhere,
            )  # fmt: skip
    evidences = [fit.evidence if fit is not None and fit.success else -math.inf for fit in fits]
    sizes = [fit.parameters.get("diameter") if fit is not None and fit.success else None for fit in fits]
    weighed = weigh_bodies(bodies, evidences, sizes, density=assumed_density(FORCE_MODELS[free_fit.pattern]))
    named = name_body(weighed)
    beliefs = tuple(Belief(fit, body.probability) for fit, body in zip(fits, weighed, strict=True) if fit is not None and fit.success)
    winner = free_fit
    if named.label is not None:
        winner = next((fit for fit, body in zip(fits, weighed, strict=True) if body.label == named.label), None) or free_fit
    return _Weighed(fit=winner, body=named, log_evidence=joint_log_evidence(bodies, evidences, sizes[0]), beliefs=beliefs)


def _worth_fitting(bodies: Sequence[Body], diameter: float, sigma: float) -> list[int]:
    """Indices of the hypotheses near the measured size that looks do not rule out, likeliest first."""
    near = []
    for i, body in enumerate(bodies[1:], start=1):
        if body.diameter is None or body.probability < LEAST_LOOKS:
            continue
        spread = math.hypot(sigma, log_sigma(body.diameter))
        if abs(math.log(body.diameter.value / diameter)) < BODY_SIGMAS * spread:
            near.append(i)
    return sorted(near, key=lambda i: -bodies[i].probability)[:MAX_BODIES]


def _under(fit: Fit, body: Body) -> Fit:
    """The free fit moved to a body's size: a place to start that hypothesis from. Scale and speeds follow the diameter."""
    if body.diameter is None or "diameter" not in fit.names:
        return fit
    estimate = fit.estimate.copy()
    estimate[fit.names.index("diameter")] = math.log(body.diameter.value)
    if body.mass is not None and "density" in fit.names:
        volume = math.pi / 6.0 * body.diameter.value**3
        estimate[fit.names.index("density")] = math.log(body.mass.value / volume)
    return replace(fit, estimate=estimate)
