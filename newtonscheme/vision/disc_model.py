"""What a camera makes of a disc in front of a known background, with the derivatives that a fit needs.

A pixel collects light: of the share ``a`` that the disc covers (and for the share of the exposure) the disc's, else the background's. The
film then holds about the square root of the light (ITU-R BT.709's curve, 1.099 L^0.45 - 0.099, is nearly that), so that

    brightness = sqrt((1 - a) background^2 + a shade^2)

and the edge of a dark disc seems to lie further inside than that of a bright one, by up to half a pixel. A colour difference is that of blue
or red from brightness, each of which is mixed so. Films that were drawn or scaled down by software are mixed as code values instead: their
pixels are plain means. The shade is quadratic in place and goes along with a disc that moves during the exposure; the edge is a logistic step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..types import Bools, Floats, Ints
from .background import NEUTRAL, Singles

BAND_PX, BAND_RADII = 3.0, 0.06
"""Half width of the band of pixels along the edge that decide about centre and radius."""
LEAST_THINNED = 10.0
"""Radius in pixels from which every second pixel of brightness, as on a chessboard, is enough: neighbours' errors, those of compression, are
much the same."""
SHARED, STREAK, OWN_NUMBERS = 3, 2, 8
"""Numbers that all planes share: centre and log radius; the streak; each plane's own: log edge width, shade (mean,
linear in u and v, radially quadratic, the other two quadratic forms), offset."""
STREAKS = slice(SHARED + OWN_NUMBERS, SHARED + OWN_NUMBERS + STREAK)
"""Where the streak stands."""
SHADES, OFFSET = slice(2, OWN_NUMBERS - 1), OWN_NUMBERS - 1
"""Where the shade's forms and the background's offset stand among a plane's own numbers."""
ONLY_BENT = 2
"""The last forms, that make a shade bend more in one direction than in the other, are left out unless asked for: a sphere's shades bend little
on light's curve, and what is free to bend there moves the centre instead."""
COLOUR_STEP = 2
"""Pixels of brightness for one of colour each way (4:2:0)."""
BLACK, LEAST_LIGHT = 16.0, 4.0
"""Code value of black in video, and the least brightness above it at which the curve is still a root: every camera's is straight in the dark."""
COLOUR_GAIN = (1.0, 1.77, 1.46)
"""How much blue and red (by plane) depart from brightness for each step of theirs: ITU-R BT.601 and BT.709, halfway."""
LOGISTIC_SLOPE = 1.702
"""The logistic function of 1.702 x is within 0.01 of the normal distribution function of x."""
FLAT, BOWL_MIDDLE = np.float32(2.0), np.float32(0.5)
"""Squared distance in radii beyond which the bowl of the shade is flat, and what is taken off it so that it says little of the mean."""
UNCOVERED = 1e-4
"""Coverage below which no shade is told."""
LEAST_NODES, MOST_NODES, NODES_PER_RADIUS = 5, 21, 2.5
"""Moments of the exposure at which a moving disc is drawn: enough that the steps between them are smaller than the disc."""
CACHED = 32_768
"""Pixels, times moments, that are drawn at once: they stay in the cache."""
TAILS = np.float32(4.0)
"""Degrees of freedom of the residuals in the end: a string or a shadow beside the disc is worth a few sigmas and no more."""
TYPICAL_CURVATURE, LEAST_CURVATURE = 0.65, 0.05
"""Shares of its weight by which a residual bends the cost: of normal residuals in the mean, and at least (an outlier's is negative)."""
HUBER = 3.0
"""Residuals beyond this many sigmas (something else in the crop) count only linearly."""
NOISE_FLOOR = 0.5
"""Grey levels: rounding of the frame to 8 bits and of the background."""
MEDIAN_PIXELS = 1024
"""Enough to know a median by."""

Scales = tuple[Singles, Singles]
"""Noise (n,) in grey levels outside and inside the disc."""


@dataclass(slots=True)
class Pixels:
    """Pixels (n, p) of one plane of n crops: frame, background, whether inside the picture, number in the whole crop.

    ``bright`` is the background's brightness in a plane of colour, ``across`` and ``down`` are places in the crop; for ``step``, ``first``,
    ``channel``, ``coded`` and ``bent`` see `Plane`.
    """

    values: Singles
    known: Singles
    bright: Singles
    seen: Bools
    across: Singles
    down: Singles
    row: Ints
    step: int
    first: int
    channel: int
    coded: bool
    bent: bool

    def rows(self, chosen: Bools) -> Pixels:
        """Some of the crops."""
        return Pixels(
            self.values[chosen], self.known[chosen], self.bright[chosen], self.seen[chosen], self.across[chosen], self.down[chosen],
            self.row[chosen], self.step, self.first, self.channel, self.coded, self.bent,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane of n crops, frame and background (n, s, s), NaN outside the picture; every ``step``-th pixel of the finest plane.

    ``channel`` is 0 for brightness, 1 and 2 for blue and red, ``bright`` the background's brightness, ``first`` the place of its own numbers.
    ``coded``: pixels mix code values, not light. ``bent``: shades may bend more in one direction than in the other.
    """

    values: Singles
    known: Singles
    bright: Singles
    step: int
    first: int
    channel: int
    coded: bool
    bent: bool

    @classmethod
    def of(
        cls, images: Singles, backgrounds: Singles, bright: Singles, first: int, channel: int, *, coded: bool = False, bent: bool = False
    ) -> Plane:  # fmt: skip
        """A plane at its own resolution, from one at that of brightness."""
        if channel == 0:
            return cls(images, backgrounds, bright, 1, first, channel, coded, bent)
        step = COLOUR_STEP
        four = np.stack([bright[:, i::step, k::step] for i in range(step) for k in range(step)]).mean(axis=0)
        still = np.ascontiguousarray(backgrounds[:, ::step, ::step])
        return cls(np.ascontiguousarray(images[:, ::step, ::step]), still, four, step, first, channel, coded, bent)

    def thinned(self, spacing: int) -> Pixels:
        """Every ``spacing``-th pixel each way, counted in pixels of the finest plane."""
        n, side, _ = self.values.shape
        place = np.arange(0, side, max(1, spacing // self.step))
        pick = (place[:, None] * side + place[None]).ravel()
        return self._picked(np.broadcast_to(pick, (n, len(pick))))

    def near(self, theta: Floats) -> Pixels:
        """The pixels that tell where the edge is: a band along it, and one in four well inside; of large discs half of the band's."""
        n, side, _ = self.values.shape
        place = (np.arange(side) * self.step + 0.5 * (self.step - 1)).astype(np.float32)
        t = theta.astype(np.float32)[:, :, None, None]
        du, dv = place[None, None, :] - t[:, 0], place[None, :, None] - t[:, 1]
        streak: Floats | Singles = np.zeros((n, 1, 1), np.float32)
        if is_streaked(theta):
            streak = np.hypot(*t[:, STREAKS].swapaxes(0, 1))
            du, dv = from_middle_line(du, dv, *t[:, STREAKS].swapaxes(0, 1))
        radius = np.exp(t[:, 2])
        depth = radius - np.sqrt(du * du + dv * dv)
        band = np.float32(BAND_PX) + np.float32(BAND_RADII) * radius
        even = np.arange(side) % 2 < 1
        wanted = (depth > -band) & ((depth < band + streak) | (even[None, :, None] & even[None, None, :]))
        if self.channel == 0:
            wanted &= (even[:, None] == even[None, :])[None] | (radius < LEAST_THINNED)
        flat = np.flatnonzero(wanted)
        count = np.count_nonzero(wanted, axis=(1, 2))
        crop = np.repeat(np.arange(n), count)
        rank = np.arange(len(flat)) - np.repeat(np.cumsum(count) - count, count)
        pick, chosen = np.zeros((n, max(int(count.max()), 1)), int), np.zeros((n, max(int(count.max()), 1)), bool)
        pick[crop, rank], chosen[crop, rank] = flat - crop * side * side, True
        out = self._picked(pick)
        out.seen &= chosen
        return out

    def _picked(self, pick: Ints) -> Pixels:
        """Pixels by their numbers (n, p) in each crop."""
        n, side, _ = self.values.shape
        values, known, bright = (np.take_along_axis(x.reshape(n, -1), pick, axis=1) for x in (self.values, self.known, self.bright))
        # Of a picture of odd size the last colour pixel covers brightness that is not there.
        seen = np.isfinite(values) & np.isfinite(known) & np.isfinite(bright)
        if not seen.all():
            values[~seen] = known[~seen] = bright[~seen] = NEUTRAL
        row, column = np.divmod(pick, side)
        # A colour pixel stands for step x step fine ones: its centre lies between them.
        across, down = ((self.step * x + 0.5 * (self.step - 1)).astype(np.float32) for x in (column, row))
        at = self.step * (row * side * self.step + column)
        return Pixels(values, known, bright, seen, across, down, at, self.step, self.first, self.channel, self.coded, self.bent)


def first_number(plane: int, streaked: bool) -> int:
    """Where a plane's own numbers begin: log edge width, shade (mean, du, dv, radial), offset; the streak comes after those of the first."""
    return SHARED if plane == 0 else SHARED + OWN_NUMBERS * plane + STREAK * streaked


def is_streaked(theta: Floats) -> bool:
    """Whether a streak is among the numbers: two besides the disc's three and each plane's own."""
    return (theta.shape[1] - SHARED) % OWN_NUMBERS > 0


def from_middle_line(u: Singles, v: Singles, a: Singles, b: Singles) -> tuple[Singles, Singles]:
    """Offsets of pixels from the nearest point of the middle line of a streak (a, b), from those from its centre."""
    along: Singles = np.clip((u * a + v * b) / np.maximum(a * a + b * b, np.float32(1e-6)), -0.5, 0.5)
    return u - along * a, v - along * b


@dataclass(slots=True)
class Evaluation:
    """The model at one set of numbers: residuals (n, p), their derivatives (n, m, p) by the ``index`` (m,) of the numbers that this plane has.

    ``edge`` (n, e, p) are the derivatives of the ``coverage`` (n, p) by the first e of them.
    """

    residual: Singles
    jacobian: Singles
    edge: Singles
    coverage: Singles
    seen: Bools
    index: Ints

    def noise(self, least: Floats) -> Scales:
        """The noise (n,) that the residuals show outside and inside the disc, but no less than ``least`` (n,)."""
        outside, inside = _noise(self.residual, self.coverage, self.seen)
        return np.maximum(outside, least).astype(np.float32), np.maximum(inside, least).astype(np.float32)

    def sigma(self, scales: Scales) -> Singles:
        """(n, p) noise of each pixel."""
        return np.asarray(scales[0][:, None] + (scales[1] - scales[0])[:, None] * self.coverage)

    def weigh(self, scales: Scales, areal: bool, *, expected: bool = False) -> tuple[Floats, Floats, Floats]:
        """Cost (n,), hessian (n, m, m) and slope (n, m) of half of it for given noise.

        The hessian is that of the squares that touch the cost from above, so that a step never goes too far (Huber 1981, section 7.8); or that
        to be ``expected`` of normal residuals, which tells how well the numbers are known.

        ``areal``: the cost has the logarithm of the noise too, as a whole likelihood must. A patterned ball is then found as the area where
        pixels scatter, and not as whatever part of it has one shade.
        """
        sigma = self.sigma(scales)
        square = (self.residual / sigma) ** 2
        if areal:
            weight = (TAILS + 1) / (TAILS + square)
            curvature = np.float32(TYPICAL_CURVATURE) * weight if expected else weight
            cost = (TAILS + 1) * np.log1p(square / TAILS) + 2 * np.log(sigma / scales[0][:, None])
        else:
            scaled = np.sqrt(square)
            weight = curvature = np.minimum(1, HUBER / np.maximum(scaled, np.float32(1e-6)))
            cost = weight * scaled * (2 * scaled - weight * scaled)
        precision = self.seen / (sigma * sigma)
        hessian = np.matmul(self.jacobian * (precision * curvature)[:, None], self.jacobian.transpose(0, 2, 1))
        slope = np.matmul(self.jacobian, (precision * weight * self.residual)[..., None])[..., 0]
        if areal:
            e = self.edge.shape[1]
            spread = self.edge * (self.seen * ((scales[1] - scales[0])[:, None] / sigma))[:, None]
            hessian[:, :e, :e] += 2 * np.matmul(spread, spread.transpose(0, 2, 1))
            slope[:, :e] -= np.matmul(spread, (1 - weight * square)[..., None])[..., 0]
        return (cost * self.seen).sum(axis=1).astype(float), hessian.astype(float), slope.astype(float)

    def weights(self, scales: Scales) -> tuple[Singles, Singles]:
        """(n, p) the factors of each residual in half of the cost's slope, and of its change in that of the slope."""
        precision = (self.seen / self.sigma(scales) ** 2).astype(np.float32)
        square = self.residual * self.residual * precision
        weight = (TAILS + 1) / (TAILS + square)
        bend = np.maximum((TAILS - square) / (TAILS + square), np.float32(LEAST_CURVATURE))
        return precision * weight, precision * weight * bend


def evaluate(theta: Floats, pixels: Pixels) -> Evaluation:
    """The model of one plane for numbers (n, k): u, v, log r; log w, shade and offset of the first plane; the streak; the other planes' own."""
    t = theta.astype(np.float32)[:, :, None]
    own = pixels.first
    radius: Singles = np.exp(t[:, 2])
    tinged = pixels.channel > 0 and not pixels.coded
    swept = _sweep(theta, (own, SHARED) if tinged else (own,), pixels.across - t[:, 0], pixels.down - t[:, 1], radius)
    coverage, edge, forms = swept.coverage, swept.edge, swept.forms
    offset = t[:, own + OFFSET]
    behind, shade = pixels.known + offset, _shade(t, own, forms)
    if pixels.coded:
        model, by_coverage, by_shade, by_behind = behind + coverage * (shade - behind), shade - behind, coverage, 1 - coverage
    elif not tinged:
        model, by_coverage, by_shade, by_behind = _mixed(behind - np.float32(BLACK), shade - np.float32(BLACK), coverage)
        model += np.float32(BLACK)
    else:
        lights = (pixels.bright + t[:, SHARED + OFFSET] - np.float32(BLACK), _shade(t, SHARED, forms) - np.float32(BLACK))
        model, by_coverage, by_shade, by_behind, by_light = _mixed_colour(behind, shade, coverage, lights, np.float32(COLOUR_GAIN[pixels.channel]))
    free = SHADES.stop if pixels.bent else SHADES.stop - ONLY_BENT
    e = edge.shape[1]
    jacobian = np.empty((len(theta), e + free, coverage.shape[1]), np.float32)
    np.multiply(edge, by_coverage[:, None], out=jacobian[:, :e])
    for by_own, shading in zip((by_shade, by_light) if tinged else (by_shade,), swept.shading, strict=True):
        jacobian[:, : shading.shape[1]] += by_own[:, None] * shading
    jacobian[:, e], jacobian[:, -1] = by_shade, by_behind
    for k, form in enumerate(forms[: free - SHADES.start]):
        np.multiply(by_shade, form, out=jacobian[:, e + 1 + k])
    streak = range(STREAKS.start, STREAKS.stop) if is_streaked(theta) else ()
    index = np.array([0, 1, 2, *streak, *range(own, own + free), own + OFFSET])
    return Evaluation((pixels.values - model) * pixels.seen, jacobian, edge, coverage, pixels.seen, index)


def _shade(t: Singles, own: int, forms: Sequence[Singles]) -> Singles:
    """(n, p) the disc's own brightness or colour."""
    shade = t[:, own + 1]
    for k, form in enumerate(forms):
        shade = shade + t[:, own + SHADES.start + k] * form
    return np.asarray(shade)


def _mixed(behind: Singles, shade: Singles, coverage: Singles) -> tuple[Singles, Singles, Singles, Singles]:
    """The mixture of two brightnesses over black, and its derivatives by coverage, shade and background."""
    dim, lit = (np.maximum(x, np.float32(LEAST_LIGHT)) for x in (behind, shade))
    light = lit * lit - dim * dim
    root = np.sqrt(dim * dim + coverage * light)
    # What is darker than the curve reaches keeps its own distance from there.
    below, step = behind - dim, shade - lit - (behind - dim)
    by_shade = coverage * lit / root
    return root + below + coverage * step, light / (2 * root) + step, by_shade, (1 - coverage) * dim / root


def _mixed_colour(
    behind: Singles, shade: Singles, coverage: Singles, lights: tuple[Singles, Singles], gain: np.float32
) -> tuple[Singles, Singles, Singles, Singles, Singles]:
    """The same for a colour difference, with the brightnesses over black of background and disc; and its derivative by the disc's brightness."""
    dim, lit = (light + gain * (colour - np.float32(NEUTRAL)) for light, colour in zip(lights, (behind, shade), strict=True))
    own, by_coverage, by_shade, by_behind = _mixed(dim, lit, coverage)
    bright, change, by_bright, _ = _mixed(*lights, coverage)
    return (own - bright) / gain + np.float32(NEUTRAL), (by_coverage - change) / gain, by_shade, by_behind, (by_shade - by_bright) / gain


@dataclass(slots=True)
class _Swept:
    """A disc over an exposure: ``coverage`` (n, p), and its derivatives ``edge`` (n, e, p) by u, v, log r, streak and log edge width.

    ``forms`` (n, p) are what the shade's terms are multiplied with, means over the moments at which the disc covers the pixel, and ``shading``
    (n, k, p) the derivatives of each shade by the first k of those numbers.
    """

    coverage: Singles
    edge: Singles
    forms: tuple[Singles, ...]
    shading: tuple[Singles, ...]


def _sweep(theta: Floats, owns: Sequence[int], u: Singles, v: Singles, radius: Singles) -> _Swept:
    """A disc seen from pixels (n, p) that lie (u, v) from its centre.

    ``owns`` are where the numbers of planes begin: the edge is that of the first of them, the shades are those of all.
    """
    t = theta.astype(np.float32)[:, :, None]
    slope: Singles = np.float32(LOGISTIC_SLOPE) * np.exp(-t[:, owns[0]])
    shades = [_Terms.of(t[:, own + SHADES.start : own + SHADES.stop].swapaxes(0, 1), radius) for own in owns]
    away = u * u + v * v
    if is_streaked(theta):
        return _sweep_streak(theta, shades, u, v, radius, slope)
    edge = np.empty((len(theta), SHARED + 1, u.shape[1]), np.float32)
    coverage, edge[:, 2], inward, edge[:, 3] = _crossed(away, radius, slope)
    np.multiply(inward, u, out=edge[:, 0])
    np.multiply(inward, v, out=edge[:, 1])
    _to_logarithms(edge, slope, radius)
    moved = [terms.change(u, v) for terms in shades]
    shading = tuple(np.stack([across, down, across * u + down * v], axis=1) for across, down in moved)
    x: Singles = u / radius
    y: Singles = v / radius
    xx, yy = x * x, y * y
    return _Swept(coverage, edge, (x, y, np.minimum(xx + yy, FLAT) - BOWL_MIDDLE, xx - yy, 2 * x * y), shading)


@dataclass(slots=True)
class _Terms:
    """A shade in pixels from the disc's centre: the coefficients (n, 1) of u, v, u^2, v^2 and 2 u v."""

    u: Singles
    v: Singles
    uu: Singles
    vv: Singles
    uv: Singles

    @classmethod
    def of(cls, numbers: Singles, radius: Singles) -> _Terms:
        """From the coefficients of the forms, which are counted in radii."""
        x, y, bowl, saddle, twist = numbers
        square = radius * radius
        return cls(x / radius, y / radius, (bowl + saddle) / square, (bowl - saddle) / square, twist / square)

    def at(self, u: Singles, v: Singles) -> Singles:
        """(n, p) the shade there, but for its mean."""
        return np.asarray((self.u + self.uu * u + 2 * self.uv * v) * u + (self.v + self.vv * v) * v)

    def change(self, u: Singles, v: Singles) -> tuple[Singles, Singles]:
        """(n, p) what the shade of a pixel changes by as the centre moves along u and v."""
        return -(self.u + 2 * (self.uu * u + self.uv * v)), -(self.v + 2 * (self.vv * v + self.uv * u))

    def course(self, u: Singles, v: Singles, a: Singles, b: Singles) -> tuple[Singles, Singles]:
        """What the shade of a pixel changes by as the centre moves along (a, b): once, and with the square of the way."""
        across, down = self.change(u, v)
        return across * a + down * b, self.at(a, b) - self.u * a - self.v * b


def _sweep_streak(theta: Floats, shades: Sequence[_Terms], u: Singles, v: Singles, radius: Singles, slope: Singles) -> _Swept:
    """The same of a disc that moves, and its shade with it: a pixel has the mean shade of what of the disc passes over it."""
    a, b = theta.astype(np.float32)[:, STREAKS, None].swapaxes(0, 1)
    nodes = _nodes(theta).astype(np.float32)
    covered, change, pull, deep = _means(u, v, a, b, radius, slope, nodes)
    edge = _along_streak(change[0], deep[0], pull[:3], u, v, a, b)
    _to_logarithms(edge, slope, radius)
    whole = np.maximum(covered[0], np.float32(UNCOVERED))
    first, second = covered[1] / whole, covered[2] / whole
    x, y = u - first * a, v - first * b
    xx, yy = (place * place - 2 * first * place * own + second * own * own for place, own in ((u, a), (v, b)))
    xy = u * v - first * (u * b + v * a) + second * a * b
    shading = []
    for terms in shades:
        linear, quadratic = terms.u * x + terms.v * y, terms.uu * xx + terms.vv * yy + 2 * terms.uv * xy
        # A shade at a moment is a polynomial in it. Its mean changes as the disc's own does, and as other parts of the disc come to count.
        departure, (drift, bend) = terms.at(u, v) - linear - quadratic, terms.course(u, v, a, b)
        more, deeper, *pulled = (
            departure * at[k] + drift * at[k + 1] + bend * at[k + 2] for at, k in ((change, 0), (deep, 0), (pull, 0), (pull, 1), (pull, 2))
        )
        by_all = _along_streak(more, deeper, pulled, u, v, a, b)
        _to_logarithms(by_all, slope / whole, radius)
        across, down = terms.change(x, y)
        by_all[:, 0] += across
        by_all[:, 1] += down
        by_all[:, 2] -= linear + 2 * quadratic
        for k, (moved, own) in enumerate(zip(terms.change(first * u - second * a, first * v - second * b), (terms.u, terms.v), strict=True)):
            by_all[:, SHARED + k] += moved + (1 - first) * own
        shading.append(by_all)
    square = radius * radius
    forms = (x / radius, y / radius, (xx + yy) / square - BOWL_MIDDLE, (xx - yy) / square, 2 * xy / square)
    return _Swept(covered[0], edge, forms, tuple(shading))


def _means(
    u: Singles, v: Singles, a: Singles, b: Singles, radius: Singles, slope: Singles, nodes: Singles
) -> tuple[Singles, Singles, Singles, Singles]:  # fmt: skip
    """Means over the exposure of what `_crossed` gives, times powers of the moment: five of pull (5, n, p), three of the others (3, n, p)."""
    away, along, length2 = u * u + v * v, 2 * (u * a + v * b), a * a + b * b
    powers = nodes[None] ** np.arange(5, dtype=np.float32)[:, None] / np.float32(len(nodes))
    n, p = u.shape
    covered, change, pull, deep = (np.empty((count, n, p), np.float32) for count in (3, 3, 5, 3))
    moment = nodes[:, None, None]
    step = max(1, CACHED // (p * len(nodes)))
    for first in range(0, n, step):
        some = slice(first, first + step)
        at = away[some] - moment * along[some] + moment**2 * length2[some]
        for sums, values in zip((covered, change, pull, deep), _crossed(np.maximum(at, 0, out=at), radius[some], slope[some]), strict=True):
            sums[:, some] = (powers[: len(sums)] @ values.reshape(len(nodes), -1)).reshape(len(sums), -1, p)
    return covered, change, pull, deep


def _along_streak(
    change: Singles, deep: Singles, pull: Sequence[Singles] | Singles, u: Singles, v: Singles, a: Singles, b: Singles
) -> Singles:  # fmt: skip
    """(n, e, p) derivatives, in units of the edge's slope, of what was added up over the exposure: they are all linear in the moment."""
    inward, first, second = pull
    edge = np.empty((len(u), SHARED + STREAK + 1, u.shape[1]), np.float32)
    for k, (place, own) in enumerate(((u, a), (v, b))):
        np.subtract(inward * place, first * own, out=edge[:, k])
        np.subtract(first * place, second * own, out=edge[:, SHARED + k])
    edge[:, 2], edge[:, -1] = change, deep
    return edge


def _to_logarithms(edge: Singles, slope: Singles, radius: Singles) -> None:
    """From derivatives in units of the edge's slope to those by u, v, log r, ..., log edge width, in place."""
    edge *= slope[:, None]
    edge[:, 2] *= radius
    np.negative(edge[:, -1], out=edge[:, -1])


def _crossed(away: Singles, radius: Singles, slope: Singles) -> tuple[Singles, Singles, Singles, Singles]:
    """Coverage (n, p) where a resting disc's centre is so far (squared) away, and its change by depth: as it is, over distance, times depth.

    The changes are in units of the edge's slope.
    """
    distance = np.sqrt(away)
    distance += np.float32(1e-3)
    depth = radius - distance
    part = depth * -slope
    np.clip(part, -30, 30, out=part)
    np.exp(part, out=part)
    part += 1
    np.reciprocal(part, out=part)
    change = part * (1 - part)
    return part, change, np.divide(change, distance, out=distance), np.multiply(change, depth, out=depth)


def _nodes(theta: Floats) -> Floats:
    """Midpoints of equal parts of the exposure, in shares of it, -1/2 to 1/2."""
    ratio = float(np.max(np.hypot(*theta[:, STREAKS].T) / np.exp(theta[:, 2])))
    count = int(np.clip(np.ceil(NODES_PER_RADIUS * ratio) + 2, LEAST_NODES, MOST_NODES))
    return (np.arange(count) + 0.5) / count - 0.5


def _noise(residual: Singles, coverage: Singles, seen: Bools) -> Scales:
    """Robust residual sigma outside and inside each disc."""
    size = np.abs(residual)
    outer, inner = seen & (coverage < 0.05), seen & (coverage > 0.95)
    outside = np.maximum(_median_of(size, outer) * 1.4826, NOISE_FLOOR)
    count = inner.sum(axis=1)
    inside = np.sqrt(np.einsum("np,np,np->n", size, size, inner.astype(np.float32)) / np.maximum(count - 4, 1))
    inside = np.where(count > 8, np.maximum(inside, outside), outside)
    return outside.astype(np.float32), inside.astype(np.float32)


def _median_of(values: Singles, where: Bools) -> Singles:
    thin = np.s_[:, :: max(1, values.shape[1] // MEDIAN_PIXELS)]
    ordered = np.sort(np.where(where[thin], values[thin], np.float32(np.inf)), axis=1)
    few = np.count_nonzero(where[thin], axis=1)
    median = np.take_along_axis(ordered, np.minimum(few // 2, ordered.shape[1] - 1)[:, None], axis=1)[:, 0]
    return np.where((few > 0) & np.isfinite(median), median, NOISE_FLOOR)
