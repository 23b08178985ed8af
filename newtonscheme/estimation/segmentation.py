"""Finds the stretches of a track over which one pattern holds: windows propose, fits dispose, the innovation test grows them.

A proposal of the recogniser is fitted; the fit is locked and checked against the samples before and after it (`monitor`), which join as long
as they are in line; now and then it is fitted again with what has joined. Where two of three samples are out of line, the segment ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..physics.models import FORCE_MODELS
from ..types import Body, Bools, Camera, Contact, Fit, Floats, Segment, Track
from .fitting import MIN_SAMPLES, fit_pattern, restate
from .monitor import alarm_threshold, first_break, normalised_squares
from .parameters import Known
from .recognition import Proposal

LOWEST_PROBABILITY = 0.15
"""Proposals below this are not worth a fit: three of four such windows are something else even where the pattern is common."""
MAX_SEEDS = 8
"""Fits are begun at this many proposals at most: enough to meet every flight between the bounces of an ordinary clip."""
MAX_SEGMENTS = 5
LONGEST_TRIMMED = 24
"""A longer window that does not hold, rest at its ends aside, is left to the shorter ones inside it."""
NOISE_TOLERANCE = 2.5
"""A fit may leave this many times the noise that neighbouring samples show: tracking errors are correlated over a few frames."""
EXTENT_TOLERANCE = 0.005
"""A fit may leave this share of the extent of a motion that fills the picture: lens distortion and rolling shutter of ordinary cameras reach half
a per cent. What is left of a bend falls with the square of the extent, so a smaller motion is allowed a smaller share."""
BODY_TOLERANCE, MOST_OF_EXTENT = 0.05, 0.02
"""And this share of the body's radius (patterned, shaded or turning bodies are placed no better), up to 2 % of the extent."""
END_SHARES, MIN_OUTSIDE = (0.15, 0.3, 0.6, 1.0), 3
"""An end is looked at over these shares of the stretch on either side, with three samples outside at least: what falls from rest is hardly seen to
over the first."""
PLAINER = 0.7
"""Of a jump of the acceleration, where it fits best, and a steady change one tells plainly more if it leaves less than this share of what the
other does: half of the squares."""
CONTACT_SAMPLES = 9
"""Fewer samples about an end may be bent by two numbers more, and a place for them, into anything."""
STANDING_SIGMAS = 10.0
"""A stretch whose extent is under this many sigmas shows no motion."""
HOPELESS_MISFIT = 12.0
"""A law that leaves this many times what it may is not rescued by a force more: the family is the wrong one."""
RICHER_GAIN = 1.15
"""A richer pattern of the same family takes over a stretch where it holds for this much longer."""
RICHER_EVIDENCE = 3.0
"""Or where its log evidence is this much higher on the same samples: odds of 20 to 1."""
OUTLIER_SIGMAS = 4.5
"""Sigmas (of the typical residual) beyond which a sample at an end is not of the motion: 1 in 25,000 by chance in two dimensions."""
END_SAMPLES = 2
"""An outlier among the first or last two samples takes the end with it; further in it is an outlier and the robust fit bears it."""
VAGUE = 5.0
"""Times the median sigma from which a sample is in line with nearly anything: it does not stand between an outlier and the end."""
MAX_SHEDDINGS = 4
MIN_STABLE_SAMPLES = 6
"""Six centres are twelve numbers for a flight's six: the fewest whose residuals say anything."""
RESTING, LEAST_RESTING, REST_GAIN = 1.5, 4, 10.0
"""Over this many samples at an end at least, what the law leaves varies this many times as much as the path itself (squares), by this much in
squares of the noise: the body lay there. Of white noise about a law that is right, at most 1 in 2,500 by chance (20,000 draws of 50 parabolas)."""
OVERLAP = 0.5
"""Two stretches that share more than this of the shorter one are the same."""
BOUNCE_SHARE = 0.2
"""A bounce gives back a fifth of the speed at least; a catch moves the body up by a hair."""
BORDER_RADII = 1.5
"""A body this many radii from the border when it was last seen has left the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a fit needs besides the track: camera, body hypothesis, gravity, air and rulers."""

    camera: Camera
    body: Body
    known: Known


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows [first, last) of a track with the fit that holds over them."""

    first: int
    last: int
    fit: Fit

    @property
    def duration(self) -> float:
        """Seconds from its first sample to its last."""
        return float(self.fit.track.t[-1] - self.fit.track.t[0])

    def overlaps(self, other: Stretch) -> bool:
        """Whether the two share most of the shorter one."""
        shared = min(self.last, other.last) - max(self.first, other.first)
        return shared > OVERLAP * min(self.last - self.first, other.last - other.first)


def find_stretches(
    track: Track, proposals: Sequence[Proposal], patterns: Sequence[str], surroundings: Surroundings, *, forced: bool = False
) -> tuple[Stretch, ...]:
    """The stretches of ``track`` over which one of ``patterns`` holds, longest first.

    Args:
        track: The object's track.
        proposals: The recogniser's windows.
        patterns: Names to try; the first of a family that holds is kept unless a later one holds longer.
        surroundings: Camera, body, gravity.
        forced: Try every window, whatever the recogniser thinks of it.
    """
    floor = local_noise(track)
    families = tuple(dict.fromkeys(FORCE_MODELS[name].family for name in patterns))
    seeds = [(p.pattern.probabilities.get(f, 0.0), p, f) for p in proposals for f in families]
    seeds = [s for s in seeds if forced or s[0] >= LOWEST_PROBABILITY]
    seeds.sort(key=lambda s: (-(s[0] + 0.01) * np.log(s[1].rows.stop - s[1].rows.start), s[1].rows.start))
    found: list[Stretch] = []
    tried: list[tuple[str, int, int]] = []
    for _, proposal, family in seeds:
        first, last = proposal.rows.start, proposal.rows.stop
        if len(tried) >= MAX_SEEDS or len(found) >= MAX_SEGMENTS:
            break
        if any(min(last, s.last) - max(first, s.first) > OVERLAP * (last - first) for s in found):
            continue
        if extent_px(track.select(slice(first, last))) < STANDING_SIGMAS * float(np.median(floor[first:last])):
            continue
        if any(family == f and min(last, b) - max(first, a) > OVERLAP * (last - first) and b - a <= 2 * (last - first) for f, a, b in tried):
            continue
        tried.append((family, first, last))
        stretch = _grow_family(track, first, last, [n for n in patterns if FORCE_MODELS[n].family == family], surroundings, floor)
        if stretch is not None:
            found = [s for s in found if not s.overlaps(stretch) or _better(s, stretch)]
            if not any(s.overlaps(stretch) for s in found):
                found.append(stretch)
    return tuple(sorted(found, key=lambda s: (-s.duration, -s.fit.evidence)))


def find_begun(track: Track, stretches: Sequence[Stretch], surroundings: Surroundings) -> Stretch | None:
    """What goes on where the last stretch ended, to the end of the track, if its law holds there: too short for the recogniser to propose it."""
    last = max(stretches, key=lambda s: s.last, default=None)
    if last is None or len(track) - last.last < MIN_STABLE_SAMPLES:
        return None
    fit = _fit_rows(track, last.last, len(track), last.fit.pattern, surroundings, None)
    return Stretch(last.last, len(track), fit) if misfit_ratio(fit, local_noise(track)[last.last :]) <= 1.0 else None


def _better(kept: Stretch, new: Stretch) -> bool:
    """Whether ``kept`` stays: clearly longer, or as long and more evident."""
    old_length, new_length = kept.last - kept.first, new.last - new.first
    if abs(old_length - new_length) <= 0.1 * max(old_length, new_length):
        return kept.fit.evidence / old_length >= new.fit.evidence / new_length
    return old_length > new_length


def _grow_family(track: Track, first: int, last: int, names: Sequence[str], around: Surroundings, floor: Floats) -> Stretch | None:
    """The stretch grown from a window under the simplest pattern of a family that holds, or a richer one where that holds longer."""
    best: Stretch | None = None
    for name in names:
        seed = (first, last) if best is None else (best.first, best.last)
        grown, misfit = _grow(track, *seed, name, around, floor)
        if grown is None:
            if misfit > HOPELESS_MISFIT:
                break
            continue
        if (
            best is None
            or grown.last - grown.first >= RICHER_GAIN * (best.last - best.first)
            or ((grown.first, grown.last) == (best.first, best.last) and grown.fit.evidence > best.fit.evidence + RICHER_EVIDENCE)
        ):
            best = grown
    return best


def _grow(track: Track, first: int, last: int, pattern: str, around: Surroundings, floor: Floats) -> tuple[Stretch | None, float]:
    """Fit, check the neighbours, let them join, fit again; until neither side moves. None, and by how much it misfits, where it never held."""
    first, last, fit = _without_rest(track, first, last, _fit_rows(track, first, last, pattern, around, None), around, floor)
    misfit = misfit_ratio(fit, floor[first:last])
    if misfit > 1.0:
        first, last, trimmed = _trim(track, first, last, pattern, around, floor)
        if trimmed is None:
            return None, misfit
        fit = trimmed
    most = len(track)
    while True:
        before, after = (min(count, most) for count in _joining(track, first, last, fit, around.known))
        if before == 0 and after == 0:
            break
        # Once a widening failed, twice as many do not hold: from there on the end is looked for by halving.
        most = most // 2 if most < len(track) else most
        wider: Fit | None = _fit_rows(track, first - before, last + after, pattern, around, fit)
        if wider is None or misfit_ratio(wider, floor[first - before : last + after]) > 1.0:
            wider, before, after = _join_less(track, first, last, before, after, fit, around, floor)
            if wider is None:
                break
            most = min(most, max(before, after) // 2)
        first, last, fit = first - before, last + after, wider
    return _shed(track, first, last, fit, pattern, around, floor), 0.0


def _shed(track: Track, first: int, last: int, fit: Fit, pattern: str, around: Surroundings, floor: Floats) -> Stretch:
    """The stretch without the samples at its ends that are out of line with the rest: a hand, a contact, a half-seen disc at the border."""
    for _ in range(MAX_SHEDDINGS):
        out, sigma = _outliers(fit), fit.track.sigma_px
        telling = out | (sigma < VAGUE * float(np.median(sigma)))
        head, tail = _run_of_ends(out, telling), _run_of_ends(out[::-1], telling[::-1])
        if len(out) - head - tail < MIN_STABLE_SAMPLES:
            # One outlier may make its neighbours look like more.
            head, tail = min(head, 1), min(tail, 1)
        if head + tail == 0 or len(out) - head - tail < MIN_SAMPLES:
            break
        inner = _rows_inside(track, fit, head, tail)
        narrower = _fit_rows(track, *inner, pattern, around, fit)
        if misfit_ratio(narrower, floor[slice(*inner)]) > 1.0:
            break
        (first, last), fit = inner, narrower
    return Stretch(*_without_rest(track, first, last, fit, around, floor))


def _without_rest(track: Track, first: int, last: int, fit: Fit, around: Surroundings, floor: Floats) -> tuple[int, int, Fit]:
    """The rows and their fit without those at an end where the body lies still, in a hand or on the ground, and the law would move it.

    A law with a force to spare bends itself around them, and what it leaves there is as small as a lens makes; but no lens moves what rests.
    Of a short stretch what is left would be too little to tell a law from a scrap of any motion.
    """
    kept = first, last, fit
    for _ in range(MAX_SHEDDINGS if last - first > LONGEST_TRIMMED else 0):
        sigma = floor[np.searchsorted(track.t, fit.track.t)]
        head, tail = _run_of_rest(fit, sigma, slice(None)), _run_of_rest(fit, sigma, slice(None, None, -1))
        if head + tail == 0 or len(sigma) - head - tail < MIN_SAMPLES:
            break
        first, last = _rows_inside(track, fit, head, tail)
        fit = _fit_rows(track, first, last, fit.pattern, around, fit)
        if misfit_ratio(fit, floor[first:last]) <= 1.0:
            kept = first, last, fit
    return kept


def _run_of_rest(fit: Fit, sigma: Floats, order: slice) -> int:
    """How many of the first samples, in ``order``, vary less in place than what the law leaves of them."""
    if not fit.success:
        return 0
    weight = 1.0 / sigma[order, None] ** 2
    excess = _running_squares(fit.residuals[order, :2], weight) - RESTING * _running_squares(fit.track.centre_px[order], weight)
    excess[: LEAST_RESTING - 1] = 0.0
    most = int(np.argmax(excess))
    return most + 1 if excess[most] > REST_GAIN else 0


def _rows_inside(track: Track, fit: Fit, head: int, tail: int) -> tuple[int, int]:
    """Rows [first, last) of the track from a fit's samples without so many at its ends: a long stretch was fitted with some left out."""
    first, last = np.searchsorted(track.t, fit.track.t[[head, len(fit.track) - 1 - tail]])
    return int(first), int(last) + 1


def _running_squares(values: Floats, weight: Floats) -> Floats:
    """(n,) weighted squares of the first 1, 2 ... n values (n, 2) about their own mean."""
    values = values - values[0]
    total = np.cumsum(weight * values, axis=0)
    return np.asarray(np.sum(np.cumsum(weight * values**2, axis=0) - total**2 / np.cumsum(weight, axis=0), axis=1))


def _outliers(fit: Fit) -> Bools:
    """(n,) samples whose residual is out of line with the typical one."""
    square = np.einsum("ni,ni->n", fit.residuals[:, :2], np.linalg.solve(fit.track.covariance_px, fit.residuals[:, :2, None])[..., 0])
    typical = max(float(np.median(square)) / 1.386, 1.0)
    return square > OUTLIER_SIGMAS**2 * typical


def _run_of_ends(out: Bools, telling: Bools) -> int:
    """How many samples to leave out at the start: up to the last of the outliers that are among the first few that tell anything."""
    head = 0
    while True:
        first = head + np.flatnonzero(telling[head:])[:END_SAMPLES]
        if not np.any(out[first]):
            return head
        head = int(first[out[first]][-1]) + 1


def _trim(track: Track, first: int, last: int, pattern: str, around: Surroundings, floor: Floats) -> tuple[int, int, Fit | None]:
    """A window that does not hold may straddle a contact: its halves and its middle are tried."""
    length = last - first
    if length > LONGEST_TRIMMED:
        return first, last, None
    half = max(length // 2 + 1, MIN_SAMPLES + 1)
    for a in (first, last - half, first + (length - half) // 2):
        if half < length and a + half <= last:
            fit = _fit_rows(track, a, a + half, pattern, around, None)
            if misfit_ratio(fit, floor[a : a + half]) <= 1.0:
                return a, a + half, fit
    return first, last, None


def _join_less(
    track: Track, first: int, last: int, before: int, after: int, fit: Fit, around: Surroundings, floor: Floats
) -> tuple[Fit | None, int, int]:
    """Half as many samples, then a quarter...: the most that still hold with the stretch."""
    while before + after > 1:
        before, after = before // 2, after // 2
        wider = _fit_rows(track, first - before, last + after, fit.pattern, around, fit)
        if before + after > 0 and misfit_ratio(wider, floor[first - before : last + after]) <= 1.0:
            return wider, before, after
    return None, 0, 0


def _joining(track: Track, first: int, last: int, fit: Fit, known: Known) -> tuple[int, int]:
    """How many samples before and after a stretch are in line with its locked fit, up to half its length on each side."""
    problem, threshold = restate(fit, known), alarm_threshold(fit.noise.dof)
    reach = max(3, (last - first) // 2)
    counts = []
    for rows in (np.arange(first - 1, max(first - 1 - reach, -1), -1), np.arange(last, min(last + reach, len(track)))):
        if len(rows) == 0:
            counts.append(0)
            continue
        ordered = np.sort(rows)
        squares = normalised_squares(problem, fit, track.select(ordered))
        out = ~(squares <= threshold)
        counts.append(first_break(out[::-1] if rows[0] > rows[-1] else out))
    return counts[0], counts[1]


def _fit_rows(track: Track, first: int, last: int, pattern: str, around: Surroundings, near: Fit | None) -> Fit:
    rows = track.select(slice(first, last))
    return fit_pattern(rows, pattern, camera=around.camera, body=around.body, known=around.known, near=near, screening=True)


def misfit_ratio(fit: Fit, floor: Floats) -> float:
    """What a fit leaves over what it may leave (at most 1 where it holds): the noise, or a small share of the motion's extent.

    ``floor`` (n,) px is each row's noise as its neighbours show it. A fit that failed misfits without bound.
    """
    if not fit.success:
        return np.inf
    square = 0.5 * np.sum(fit.residuals[:, :2] ** 2, axis=1)
    typical = float(np.sqrt(np.median(square) / 0.69))
    allowed = max(NOISE_TOLERANCE * float(np.median(floor)), lens_error_px(fit), placing_error_px(fit.track))
    most = float(np.sqrt(np.mean(np.sort(square)[: max(1, int(0.9 * len(square)))])))
    return max(typical, most / 1.5) / allowed


def lens_error_px(fit: Fit) -> float:
    """px: what an ordinary lens does to a motion of this extent that no pose of the camera takes up."""
    extent = extent_px(fit.track)
    picture = 2.0 * max(fit.camera.principal_px)
    filled = min(extent / picture, 1.0) if fit.camera.kind == "pinhole" and picture > 0 else 1.0
    return EXTENT_TOLERANCE * filled * extent


def placing_error_px(track: Track) -> float:
    """px: how far off a turning or shaded body's centre may be seen; 0 where no size was measured."""
    seen = track.radius_px[np.isfinite(track.radius_px)]
    return min(BODY_TOLERANCE * float(np.median(seen)), MOST_OF_EXTENT * extent_px(track)) if len(seen) else 0.0


def extent_px(track: Track) -> float:
    """px: the diagonal of the box that the centres fill."""
    return float(np.hypot(*np.ptp(track.centre_px, axis=0)))


def leaves_smoothly(track: Track, first: int, last: int, floor: Floats) -> bool:
    """Whether the path goes on past the rows [first, last) without a jump, at every end past which it goes on at all; floor (n,) is its noise.

    A flight ends in a contact, and a swing in a hit: the acceleration jumps. Where a quadratic through the last samples inside and the
    first ones outside holds to the noise, or a steady change of acceleration does and tells plainly more than a jump, the law did not end
    there: it never held, and the stretch is an arc of some other motion. Where a jump tells plainly more, it did end; from further away, where it
    holds to the noise as well, as may there a contact, at which the velocity jumps too.
    """
    t = track.t
    length, step = float(t[last - 1] - t[first]), float(np.median(np.diff(t)))
    smooth = []
    for edge, outer in ((first, first - 1), (last - 1, last)):
        if not 0 <= outer < len(track) or abs(t[outer] - t[edge]) > 3.5 * step:
            continue
        end = 0.5 * (t[edge] + t[outer])
        outside = (t < t[first]) | (t > t[last - 1])
        looks = (_End.of(track, np.abs(t - end) <= max(share * length, 3.6 * step), end, outside, floor) for share in END_SHARES)
        near = next(looks)
        if near is None:
            continue
        # From further away only where nearby nothing jumps: the place of a jump is looked for among all samples.
        jumps = near.jumps or any(wide is not None and wide.ends for wide in looks)
        steadily = near.steady < min(near.allowed, PLAINER * near.jump)
        smooth.append(not jumps and (near.quadratic < near.allowed or steadily))
    return len(smooth) > 0 and all(smooth)


@dataclass(frozen=True, slots=True)
class _End:
    """What the samples about an end leave, px, of courses, and what noise may leave.

    Of those the acceleration is constant, changes steadily, or jumps: alone, or with the velocity.
    """

    quadratic: float
    steady: float
    jump: float
    contact: float
    allowed: float

    @classmethod
    def of(cls, track: Track, near: Bools, end: float, outside: Bools, floor: Floats) -> _End | None:
        """Of the samples that are ``near``; None where too few of them tell."""
        if np.sum(near & outside) < MIN_OUTSIDE or np.sum(near) < 2 * MIN_OUTSIDE:
            return None
        x, path = (track.t[near] - end) / float(np.ptp(track.t[near])), track.centre_px[near]
        # A hand hardly pushes in its last frames: where exactly the law begins is known to a few samples only.
        knots = 0.5 * (x[2:-3] + x[3:-2])
        jump = min(_left(_bent_at(x, knot), path) for knot in knots)
        contact = min(_left(_broken_at(x, knot), path) for knot in knots) if len(x) > CONTACT_SAMPLES else jump
        allowed = NOISE_TOLERANCE * float(np.median(floor[near]))
        return cls(_left(np.vander(x, 3), path), _left(np.vander(x, 4), path), jump, contact, allowed)

    @property
    def jumps(self) -> bool:
        """Whether a jump tells plainly more than a steady course."""
        return self.jump < PLAINER * min(self.quadratic, self.steady)

    @property
    def ends(self) -> bool:
        """Whether a jump tells plainly more than a steady course, and holds to the noise, or a contact does where a jump does not."""
        if self.contact < min(PLAINER * min(self.quadratic, self.steady, self.jump), self.allowed):
            return True
        return self.jumps and self.jump < self.allowed


def _bent_at(x: Floats, knot: float) -> Floats:
    """(n, 4) basis of the courses whose second derivative jumps at a knot and is steady elsewhere."""
    after = np.maximum(x - knot, 0.0)
    return np.column_stack([np.ones_like(x), x, x**2, after**2])


def _broken_at(x: Floats, knot: float) -> Floats:
    """(n, 5) basis of the courses whose first and second derivatives jump at a knot."""
    return np.column_stack([_bent_at(x, knot), np.maximum(x - knot, 0.0)])


def _left(basis: Floats, path: Floats) -> float:
    """Pixels that a path (n, 2) is typically off from the best course in a basis (n, k)."""
    off = path - basis @ np.linalg.lstsq(basis, path, rcond=None)[0]
    return float(np.sqrt(np.mean(off**2) * len(off) / (len(off) - basis.shape[1])))


def local_noise(track: Track) -> Floats:
    """(n,) px: each sample's sigma, raised to what a quadratic through its neighbours leaves there."""
    n = len(track)
    if n < 7:
        return track.sigma_px
    left = np.empty((n, 2))
    for i in range(n):
        j = slice(max(0, i - 3), min(n, i + 4))
        basis = np.vander((track.t[j] - track.t[i]) / max(np.ptp(track.t[j]), 1e-9), 3)
        fitted = basis @ np.linalg.lstsq(basis, track.centre_px[j], rcond=None)[0]
        left[i] = (track.centre_px[j] - fitted)[i - j.start] / 0.72
    typical = float(np.median(np.abs(left))) * 1.4826
    ratio = typical / max(float(np.median(track.sigma_px)), 1e-9)
    return track.sigma_px * max(ratio, 1.0)


def describe_segments(track: Track, stretches: Sequence[Stretch], size_px: tuple[int, int] | None) -> tuple[Segment, ...]:
    """The stretches in order of time, each with what ended it."""
    ordered = sorted(stretches, key=lambda s: s.first)
    return tuple(
        Segment(
            t0=float(track.t[s.first]), t1=float(track.t[s.last - 1]), pattern=s.fit.pattern, fit=s.fit, end=find_end(track, s, size_px)
        )
        for s in ordered
    )  # fmt: skip


def find_end(track: Track, stretch: Stretch, size_px: tuple[int, int] | None) -> Contact:
    """What came after the last sample in line: a bounce, another contact, the border of the picture, or nothing at all."""
    t = float(track.t[stretch.last - 1])
    rest = track.centre_px[stretch.last :]
    if len(rest) == 0:
        centre, radius = track.centre_px[-1], float(np.nan_to_num(track.radius_px[-1]))
        margin = BORDER_RADII * radius
        centre = 2 * centre - track.centre_px[-2] if len(track) > 1 else centre
        at_border = size_px is not None and (np.any(centre < margin) or np.any(centre > np.array(size_px) - 1 - margin))
        return Contact("left_frame" if at_border else "end_of_clip", t)
    if len(rest) < 2 or stretch.last < 2:
        return Contact("lost", t)
    incoming, outgoing = _velocity(track, stretch.last - 3, stretch.last), _velocity(track, stretch.last, stretch.last + 3)
    speed = float(np.hypot(*incoming))
    turned = incoming[1] > 0 > outgoing[1] and -outgoing[1] > BOUNCE_SHARE * speed
    return Contact("bounce" if turned else "contact", t)


def _velocity(track: Track, first: int, last: int) -> Floats:
    """(2,) px/s over rows [first, last), as far as there are any."""
    first, last = max(first, 0), min(last, len(track))
    if last - first < 2:
        return np.zeros(2)
    return (track.centre_px[last - 1] - track.centre_px[first]) / (track.t[last - 1] - track.t[first])
