"""What a camera makes of a disc in front of a known background, with the derivatives that a fit needs.

A pixel collects light: of the share ``a`` that the disc covers (and for the share of the exposure) the disc's, else the background's. The
film then holds about the square root of the light (ITU-R BT.709's curve, 1.099 L^0.45 - 0.099, is nearly that), so that

    brightness = sqrt((1 - a) background^2 + a shade^2)

and the edge of a dark disc seems to lie further inside than that of a bright one, by up to half a pixel. A colour difference is that of blue
or red from brightness, each of which is mixed so. The shade is linear and radially quadratic in place; the edge is a logistic step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..types import Bools, Floats, Ints
from .background import NEUTRAL, Singles

BAND_PX, BAND_RADII = 3.0, 0.06
"""Half width of the band of pixels along the edge that decide about centre and radius."""
LEAST_THINNED = 10.0
"""Radius in pixels from which every second pixel of brightness, as on a chessboard, is enough: neighbours' errors, those of compression, are
much the same."""
SHARED, STREAK, OWN_NUMBERS = 3, 2, 6
"""Numbers that all planes share: centre and log radius; the streak; each plane's own: log edge width, shade (mean, du, dv, radial), offset."""
STREAKS = slice(SHARED + OWN_NUMBERS, SHARED + OWN_NUMBERS + STREAK)
"""Where the streak stands."""
COLOUR_STEP = 2
"""Pixels of brightness for one of colour each way (4:2:0)."""
BLACK, LEAST_LIGHT = 16.0, 4.0
"""Code value of black in video, and the least brightness above it at which the curve is still a root: every camera's is straight in the dark."""
COLOUR_GAIN = (1.0, 1.77, 1.46)
"""How much blue and red (by plane) depart from brightness for each step of theirs: ITU-R BT.601 and BT.709, halfway."""
LOGISTIC_SLOPE = 1.702
"""The logistic function of 1.702 x is within 0.01 of the normal distribution function of x."""
LEAST_NODES, MOST_NODES, NODES_PER_RADIUS = 5, 21, 2.5
"""Moments of the exposure at which a moving disc is drawn: enough that the steps between them are smaller than the disc."""
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

    ``bright`` is the background's brightness in a plane of colour, ``across`` and ``down`` are places in the crop; for ``step``, ``first``
    and ``channel`` see `Plane`.
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

    def rows(self, chosen: Bools) -> Pixels:
        """Some of the crops."""
        return Pixels(
            self.values[chosen], self.known[chosen], self.bright[chosen], self.seen[chosen], self.across[chosen], self.down[chosen],
            self.row[chosen], self.step, self.first, self.channel,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane of n crops, frame and background (n, s, s), NaN outside the picture; every ``step``-th pixel of the finest plane.

    ``channel`` is 0 for brightness, 1 and 2 for blue and red, ``bright`` the background's brightness, ``first`` the place of its own numbers.
    """

    values: Singles
    known: Singles
    bright: Singles
    step: int
    first: int
    channel: int

    @classmethod
    def of(cls, images: Singles, backgrounds: Singles, bright: Singles, first: int, channel: int) -> Plane:
        """A plane at its own resolution, from one at that of brightness."""
        if channel == 0:
            return cls(images, backgrounds, bright, 1, first, channel)
        step = COLOUR_STEP
        four = np.stack([bright[:, i::step, k::step] for i in range(step) for k in range(step)]).mean(axis=0)
        return cls(np.ascontiguousarray(images[:, ::step, ::step]), np.ascontiguousarray(backgrounds[:, ::step, ::step]), four, step, first, channel)

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
            streak = np.hypot(t[:, 9], t[:, 10])
            du, dv = from_middle_line(du, dv, t[:, 9], t[:, 10])
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
        return Pixels(values, known, bright, seen, across, down, at, self.step, self.first, self.channel)


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

    def weigh(self, scales: Scales, areal: bool) -> tuple[Floats, Floats, Floats]:
        """Cost (n,), hessian (n, m, m) and slope (n, m) of half of it for given noise.

        ``areal``: the cost has the logarithm of the noise too, as a whole likelihood must. A patterned ball is then found as the area where
        pixels scatter, and not as whatever part of it has one shade.
        """
        sigma = self.sigma(scales)
        square = (self.residual / sigma) ** 2
        if areal:
            weight = (TAILS + 1) / (TAILS + square)
            curvature = np.float32(TYPICAL_CURVATURE) * weight
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
    u, v = pixels.across - t[:, 0], pixels.down - t[:, 1]
    coverage, edge = _sweep(theta, u, v, radius, np.float32(LOGISTIC_SLOPE) * np.exp(-t[:, own]))
    x: Singles = u / radius
    y: Singles = v / radius
    square = x * x + y * y
    bowl = np.minimum(square, np.float32(2.0)) - np.float32(0.5)
    forms = (x, y, bowl)
    _, across, down, radial, offset = (t[:, own + k] for k in range(1, OWN_NUMBERS))
    behind, shade = pixels.known + offset, _shade(t, own, forms)
    if pixels.channel == 0:
        model, by_coverage, by_shade, by_behind = _mixed(behind - np.float32(BLACK), shade - np.float32(BLACK), coverage)
        model += np.float32(BLACK)
    else:
        lights = (pixels.bright + t[:, SHARED + 5] - np.float32(BLACK), _shade(t, SHARED, forms) - np.float32(BLACK))
        model, by_coverage, by_shade, by_behind = _mixed_colour(behind, shade, coverage, lights, np.float32(COLOUR_GAIN[pixels.channel]))
    e = edge.shape[1]
    jacobian = np.empty((len(theta), e + 5, u.shape[1]), np.float32)
    np.multiply(edge, by_coverage[:, None], out=jacobian[:, :e])
    jacobian[:, 0] -= by_shade * (across + 2 * radial * x) / radius
    jacobian[:, 1] -= by_shade * (down + 2 * radial * y) / radius
    jacobian[:, 2] -= by_shade * (across * x + down * y + 2 * radial * square)
    jacobian[:, e], jacobian[:, e + 4] = by_shade, by_behind
    jacobian[:, e + 1], jacobian[:, e + 2], jacobian[:, e + 3] = by_shade * x, by_shade * y, by_shade * bowl
    streak = (9, 10) if is_streaked(theta) else ()
    index = np.array([0, 1, 2, *streak, *range(own, own + OWN_NUMBERS)])
    return Evaluation((pixels.values - model) * pixels.seen, jacobian, edge, coverage, pixels.seen, index)


def _shade(t: Singles, own: int, forms: tuple[Singles, Singles, Singles]) -> Singles:
    """(n, p) the disc's own brightness or colour."""
    x, y, bowl = forms
    return np.asarray(t[:, own + 1] + t[:, own + 2] * x + t[:, own + 3] * y + t[:, own + 4] * bowl)


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
) -> tuple[Singles, Singles, Singles, Singles]:
    """The same for a colour difference, with the brightnesses over black of background and disc."""
    dim, lit = (light + gain * (colour - np.float32(NEUTRAL)) for light, colour in zip(lights, (behind, shade), strict=True))
    own, by_coverage, by_shade, by_behind = _mixed(dim, lit, coverage)
    bright, change, _, _ = _mixed(*lights, coverage)
    return (own - bright) / gain + np.float32(NEUTRAL), (by_coverage - change) / gain, by_shade, by_behind


def _sweep(theta: Floats, u: Singles, v: Singles, radius: Singles, slope: Singles) -> tuple[Singles, Singles]:
    """Coverage (n, p) of a disc, and its derivatives (n, e, p) by u, v, log r, streak and log edge width."""
    streaked = is_streaked(theta)
    edge = np.empty((len(theta), SHARED + STREAK * streaked + 1, u.shape[1]), np.float32)
    away = u * u + v * v
    if not streaked:
        coverage, edge[:, 2], inward, edge[:, -1] = _crossed(away, radius, slope)
        np.multiply(inward, u, out=edge[:, 0])
        np.multiply(inward, v, out=edge[:, 1])
    else:
        a, b = theta.astype(np.float32)[:, STREAKS, None].swapaxes(0, 1)
        along, length2 = 2 * (u * a + v * b), a * a + b * b
        coverage, change, deep, inward, first, second = (np.zeros_like(u) for _ in range(6))
        nodes = _nodes(theta).astype(np.float32)
        for node in nodes:
            part, its, pull, depth = _crossed(np.maximum(away - node * along + node * node * length2, 0), radius, slope)
            coverage += part
            change += its
            deep += depth
            inward += pull
            pull *= node
            first += pull
            pull *= node
            second += pull
        # What the places along the streak add up to needs no sum of its own for each derivative: they are all linear in the node.
        for k, (place, own) in enumerate(((u, a), (v, b))):
            np.subtract(inward * place, first * own, out=edge[:, k])
            np.subtract(first * place, second * own, out=edge[:, 3 + k])
        edge[:, 2], edge[:, -1] = change, deep
        coverage /= len(nodes)
        slope = slope / np.float32(len(nodes))
    edge *= slope[:, None]
    edge[:, 2] *= radius
    np.negative(edge[:, -1], out=edge[:, -1])
    return coverage, edge


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
    ratio = float(np.max(np.hypot(theta[:, 9], theta[:, 10]) / np.exp(theta[:, 2])))
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
