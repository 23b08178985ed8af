"""Sub-pixel discs by maximum likelihood on a known background.

The picture near an object is modelled as ``background (1 - a) + shade a`` with the coverage ``a`` of a disc of radius r whose edge is a
logistic step of width w, swept along a straight streak when it moved during the exposure, and with a shade that is linear and radially
quadratic inside. Centre, radius, width, streak and shading are found together by a damped Gauss-Newton iteration on all crops of a path
at once. Noise is taken from the residuals, inside and outside the disc apart, so that a textured object is not believed more than it
deserves; the covariance is widened by the spatial correlation of the residuals (Liang & Zeger's sandwich), which compression causes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from ..types import Bools, Floats, Ints
from .background import Singles

STAGES = ((0.5, 3), (0.15, 4))
"""Edge width in radii that the fit is held to, and steps at most: a wide edge feels the object from further away."""
LAST_STEPS = 8
"""Steps at most with the edge free."""
MAX_THINNING, RADII_PER_STEP = 4, 5.0
"""A wide edge is found on every k-th pixel, k growing by one for each so many pixels of radius."""
BAND_PX, BAND_RADII = 3.0, 0.06
"""Half width of the band of pixels along the edge that decide about centre and radius."""
COARSE_NOISE = 0.3
"""Noise in shares of the contrast while the edge is wide: no part of the object may pass for an outlier then."""
CONTRAST_QUANTILE, CONTRAST_PIXELS = 97, 500
"""The contrast is this quantile of the departures from the background, over about so many pixels of the crop."""
LEAST_CONTRAST = 8.0
"""Grey levels taken for the contrast of an object that has less."""
FIXED = 1e6
"""Prior precision of a logarithm that is held."""
CONVERGED_PX, COARSE_CONVERGED_PX = 0.003, 0.1
"""Steps below this end a stage: a fifth of the best precision, or well inside the next stage's reach."""
SETTLED_SHARE = 0.25
"""Share of the crops that must have settled before the others go on without them: to part them costs a copy."""
STUCK = 10.0
"""Damping from which a rejected step means that there is no better one."""
DEPARTURE_QUANTILES = (5, 95)
"""Per cent: the darkest and the brightest that an object shows, single pixels aside."""
OFFSET_PRIOR = 0.1
"""Sigma, in contrasts, of a change of the background around the object: soft shadows."""
OWN_NUMBERS = 6
"""Each plane's own parameters: log edge width, shade (mean, du, dv, radial), background offset."""
COLOUR_STEP, COLOUR_SOFTNESS = 2, 1.2
"""Pixels of brightness for one of colour each way (4:2:0), and how much softer its edges are."""
LOGISTIC_SLOPE = 1.702
"""The logistic function of 1.702 x is within 0.01 of the normal distribution function of x."""
MIN_SOFTNESS, MAX_SOFTNESS = 0.25, 4.0
"""Pixels: a pixel's own width makes an edge no sharper than this; softer is not an edge."""
SOFTNESS_PRIOR = 0.35
"""Sigma of the logarithm of the edge width about its start: a small disc's width and radius can hardly be told apart."""
SHADING_PRIOR = 0.5
"""Sigma of the shading terms in shares of the contrast: keeps a tiny disc from hiding in its own shading."""
LEAST_NODES, MOST_NODES, NODES_PER_RADIUS = 5, 21, 2.5
"""Moments of the exposure at which a moving disc is drawn: enough that the steps between them are smaller than the disc."""
STREAK_PRIOR_PX = 1.5
"""Sigma of the streak about its start, besides half of its length."""
HUBER = 3.0
"""Residuals beyond this many sigmas (something else in the crop) count only linearly."""
TAILS = np.float32(4.0)
"""Degrees of freedom of the residuals in the end: a string or a shadow beside the disc is worth a few sigmas and no more."""
NOISE_FLOOR = 0.5
"""Grey levels: rounding of the frame to 8 bits and of the background."""
STEP_SHARE = 0.5
"""A step is at most this share of the radius (and of the radius' own size)."""
CORRELATION_LAGS = 3
"""Pixels over which the residuals' correlation is added up: half of a small transform block."""
MAX_INFLATION = 9.0
"""The most that correlated residuals widen the variance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discs:
    """Fitted discs, in each crop's own pixels: first pixel's centre at (0, 0).

    ``explained`` (n,) is the share of the departure from the background that the model accounts for (1 is perfect); ``covered`` (n,) the
    share of the disc inside the picture; ``darkest`` and ``brightest`` (n,) quantiles of the departure from the background well inside;
    ``streak_px`` (n, 2) the displacement during the exposure, with ``streak_sigma_px`` along itself.
    """

    centre_px: Floats
    covariance_px: Floats
    radius_px: Floats
    radius_sigma_px: Floats
    softness_px: Floats
    streak_px: Floats
    streak_sigma_px: Floats
    darkest: Floats
    brightest: Floats
    explained: Floats
    covered: Floats
    noise: Floats


def fit_discs(
    images: Sequence[Singles],
    backgrounds: Sequence[Singles],
    centre_px: Floats,
    radius_px: Floats,
    *,
    softness_px: Floats | None = None,
    streak_px: Floats | None = None,
    radius_log_sigma: float = np.inf,
) -> Discs:
    """Fit a disc in each of n crops, NaN outside the picture, from a start good to about half a radius.

    ``images`` and ``backgrounds`` hold one array (n, c, c) for each plane that is looked at: they share the disc and differ in shade, edge
    and noise. The second and later ones are taken for colour, of half the resolution.

    With ``streak_px`` (n, 2), the expected displacement during the exposure, the streak is fitted too; its sign is the caller's.
    ``radius_log_sigma`` is how well the given radii are known already: that of their logarithm.
    """
    side, streaked = images[0].shape[1], streak_px is not None
    whole = tuple(
        _pixels(*pair, 1 if k == 0 else COLOUR_STEP, _first_number(k, streaked)) for k, pair in enumerate(zip(images, backgrounds, strict=True))
    )
    theta = _start(whole, centre_px, radius_px, softness_px, streak_px)
    edges = [plane.first for plane in whole]
    softness = theta[:, edges].copy()
    contrast = np.stack([_contrast(plane) for plane in whole], axis=1)
    prior, prior_mean = _prior_precision(theta, contrast, edges, streaked), theta.copy()
    prior[:, 2] = radius_log_sigma**-2
    step = max(1, min(MAX_THINNING, int(np.median(radius_px) / RADII_PER_STEP)))
    sparse = tuple(plane.thinned(step, side) for plane in whole)
    for share, steps in STAGES:
        theta[:, edges] = np.maximum(softness, (np.log(share) + theta[:, 2])[:, None])
        held, prior_mean[:, edges] = prior.copy(), theta[:, edges]
        held[:, edges] = np.where(theta[:, edges] > softness, FIXED, prior[:, edges])
        theta, _ = _iterate(theta, prior_mean, held, steps, sparse, side, COARSE_NOISE * contrast, COARSE_CONVERGED_PX, areal=False)
    theta[:, edges], prior_mean[:, edges] = softness, softness
    near = tuple(plane.near(theta) for plane in whole)
    theta, state = _iterate(theta, prior_mean, prior, LAST_STEPS, near, side, np.zeros_like(contrast), CONVERGED_PX, areal=True)
    return _summary(theta, state, prior, near, side)


def _first_number(plane: int, streaked: bool) -> int:
    """Where a plane's own numbers begin: log edge width, shade (mean, du, dv, radial), offset; the streak comes after those of the first."""
    return 3 if plane == 0 else 3 + OWN_NUMBERS * plane + 2 * streaked


def _contrast(pixels: _Pixels) -> Floats:
    """(n,) grey levels by which the object differs from the background."""
    some = np.s_[:, :: max(1, pixels.values.shape[1] // CONTRAST_PIXELS)]
    return np.maximum(np.percentile(np.abs(pixels.values[some] - pixels.known[some]), CONTRAST_QUANTILE, axis=1), LEAST_CONTRAST)


@dataclass(slots=True)
class _Pixels:
    """Pixels (n, p) of one plane of n crops: frame, background, whether inside the picture, place in the crop, row in the whole crop.

    ``step`` is the plane's own resolution in pixels, ``first`` the place of its numbers among the parameters.
    """

    values: Singles
    known: Singles
    seen: Bools
    across: Singles
    down: Singles
    row: Ints
    step: int
    first: int

    def thinned(self, step: int, size: int) -> _Pixels:
        """Every ``step``-th pixel each way, counted in pixels of the finest plane."""
        step = max(1, step // self.step)
        if step == 1:
            return self
        side = -(-size // self.step)
        pick = (np.arange(0, side, step)[:, None] * side + np.arange(0, side, step)[None]).ravel()
        return self.taken(np.broadcast_to(pick, (len(self.values), len(pick))))

    def near(self, theta: Floats) -> _Pixels:
        """The pixels that tell where the edge is: a band along it, and one in four well inside."""
        du, dv = self.across - theta[:, :1], self.down - theta[:, 1:2]
        if _is_streaked(theta):
            length = np.maximum((theta[:, 9:11] ** 2).sum(axis=1, keepdims=True), 1e-6)
            along = np.clip((du * theta[:, 9:10] + dv * theta[:, 10:11]) / length, -0.5, 0.5)
            du, dv = du - along * theta[:, 9:10], dv - along * theta[:, 10:11]
        radius = np.exp(theta[:, 2:3])
        depth = radius - np.hypot(du, dv)
        streak = np.hypot(theta[:, 9:10], theta[:, 10:11]) if _is_streaked(theta) else 0.0
        band = BAND_PX + BAND_RADII * radius
        wanted = (depth > -band) & ((depth < band + streak) | (((self.across // self.step) % 2 < 1) & ((self.down // self.step) % 2 < 1)))
        most = int(wanted.sum(axis=1).max())
        if most > 0.75 * wanted.shape[1]:
            return self
        crop, pixel = np.nonzero(wanted)
        rank = np.arange(len(crop)) - np.searchsorted(crop, np.arange(len(wanted)))[crop]
        order, chosen = np.zeros((len(wanted), most), int), np.zeros((len(wanted), most), bool)
        order[crop, rank], chosen[crop, rank] = pixel, True
        out = self.taken(order)
        out.seen &= chosen
        return out

    def rows(self, chosen: Bools) -> _Pixels:
        """Some of the crops."""
        return _Pixels(
            self.values[chosen], self.known[chosen], self.seen[chosen], self.across[chosen], self.down[chosen], self.row[chosen],
            self.step, self.first,
        )  # fmt: skip

    def taken(self, pick: Ints) -> _Pixels:
        """Some of each crop's pixels."""
        return _Pixels(
            np.take_along_axis(self.values, pick, axis=1), np.take_along_axis(self.known, pick, axis=1),
            np.take_along_axis(self.seen, pick, axis=1), np.take_along_axis(self.across, pick, axis=1),
            np.take_along_axis(self.down, pick, axis=1), np.take_along_axis(self.row, pick, axis=1), self.step, self.first,
        )  # fmt: skip


def _pixels(images: Singles, backgrounds: Singles, step: int, first: int) -> _Pixels:
    n, size, _ = images.shape
    place = np.arange(0, size, step)
    flat, still = (np.ascontiguousarray(x[:, ::step, ::step]).reshape(n, -1) for x in (images, backgrounds))
    seen = np.isfinite(flat)
    across, down = (np.broadcast_to(x.astype(np.float32), seen.shape) for x in (np.tile(place, len(place)), np.repeat(place, len(place))))
    # A colour pixel stands for step x step fine ones: its centre lies between them.
    between = np.float32(0.5 * (step - 1))
    values, known = (np.where(seen, x, 0).astype(np.float32) for x in (flat, still))
    row = np.broadcast_to((place[:, None] * size + place[None]).ravel(), seen.shape)
    return _Pixels(values, known, seen, across + between, down + between, row, step, first)


def _is_streaked(theta: Floats) -> bool:
    """Whether a streak is among the numbers: two besides the disc's three and each plane's own."""
    return (theta.shape[1] - 3) % OWN_NUMBERS > 0


def _iterate(
    start: Floats,
    prior_mean: Floats,
    prior: Floats,
    steps: int,
    pixels: tuple[_Pixels, ...],
    size: int,
    least: Floats,
    converged_px: float,
    *,
    areal: bool,
) -> tuple[Floats, _Joint]:
    """Levenberg-Marquardt steps on all crops at once, noise levels held; they are taken anew before and after.

    Crops that have settled are put aside as soon as there are enough of them to be worth it. ``areal``: see `_Evaluation.with_scales`.
    """
    theta = start.copy()
    whole = _evaluate_all(theta, pixels).with_noise(least, areal)
    going, state, damping = np.arange(len(theta)), whole, np.full(len(theta), 1e-3)
    at, mean, held = theta, prior_mean, prior
    cost = state.cost + (held * (at - mean) ** 2).sum(axis=1)
    for _ in range(steps):
        hessian, slope = state.normal_equations()
        hessian = hessian + _diagonal(held)
        slope = slope - held * (at - mean)
        step = np.asarray(
            np.linalg.solve(hessian + _diagonal(damping[:, None] * np.einsum("nii->ni", hessian) + 1e-9), slope[..., None])[..., 0], dtype=np.float64
        )
        trial = _bounded(at, step, size)
        attempt = _evaluate_all(trial, pixels).with_scales(state.scales, areal)
        attempt_cost = attempt.cost + (held * (trial - mean) ** 2).sum(axis=1)
        better = attempt_cost < cost
        settled = (np.abs(trial - at)[:, :3].max(axis=1) < converged_px) | (~better & (damping > STUCK))
        at = np.where(better[:, None], trial, at)
        cost = np.where(better, attempt_cost, cost)
        damping = np.clip(np.where(better, damping * 0.2, damping * 8.0), 1e-6, 1e6)
        state = attempt if better.all() else state.where(better, attempt)
        if settled.mean() > SETTLED_SHARE or settled.all():
            theta[going], whole = at, whole.put(going, state)
            left = ~settled
            going, at, mean, held, cost, damping = (x[left] for x in (going, at, mean, held, cost, damping))
            state, pixels = state.rows(left), tuple(plane.rows(left) for plane in pixels)
            if not len(going):
                break
    theta[going], whole = at, whole.put(going, state)
    return theta, whole.with_noise(np.zeros_like(least), areal)


@dataclass(slots=True)
class _Joint:
    """The evaluations of all planes, as one."""

    planes: tuple[_Evaluation, ...]

    @property
    def cost(self) -> Floats:
        """(n,) of all planes together."""
        return np.sum([plane.cost for plane in self.planes], axis=0)

    @property
    def scales(self) -> tuple[tuple[Singles, Singles], ...]:
        """Noise levels outside and inside the disc, for each plane."""
        return tuple(plane.scales for plane in self.planes)

    def with_noise(self, least: Floats, areal: bool) -> _Joint:
        """Weights by the noise that the residuals show, but no less than ``least`` (n, q)."""
        return _Joint(tuple(plane.with_noise(least[:, k], areal) for k, plane in enumerate(self.planes)))

    def with_scales(self, scales: tuple[tuple[Singles, Singles], ...], areal: bool) -> _Joint:
        """Weights and cost for noise levels of each plane."""
        return _Joint(tuple(plane.with_scales(levels, areal) for plane, levels in zip(self.planes, scales, strict=True)))

    def where(self, chosen: Bools, other: _Joint) -> _Joint:
        """This evaluation, with the ``chosen`` rows of another."""
        return _Joint(tuple(plane.where(chosen, its) for plane, its in zip(self.planes, other.planes, strict=True)))

    def put(self, at: Bools | Ints, other: _Joint) -> _Joint:
        """This evaluation, with all rows of another in place of some of its own."""
        return _Joint(tuple(plane.put(at, its) for plane, its in zip(self.planes, other.planes, strict=True)))

    def rows(self, chosen: Bools) -> _Joint:
        """Some rows."""
        return _Joint(tuple(plane.rows(chosen) for plane in self.planes))

    def normal_equations(self) -> tuple[Floats, Floats]:
        """Hessian (n, k, k) and slope (n, k) of half the cost."""
        hessians, slopes = zip(*(plane.normal_equations() for plane in self.planes), strict=True)
        return np.sum(hessians, axis=0), np.sum(slopes, axis=0)


@dataclass(slots=True)
class _Evaluation:
    """The model at one set of parameters: residuals (n, p), derivatives (n, k, p), those of the coverage alone (``edge``), coverage.

    Once the noise is known: weights, cost, and the noise's relative change across the edge with what its logarithm asks for (``areal``).
    """

    residual: Singles
    jacobian: Singles
    edge: Singles
    coverage: Singles
    seen: Bools
    scales: tuple[Singles, Singles] = field(default_factory=lambda: (np.zeros(0, np.float32), np.zeros(0, np.float32)))
    weight: Singles = field(default_factory=lambda: np.zeros(0, np.float32))
    cost: Floats = field(default_factory=lambda: np.zeros(0))
    areal: tuple[Singles, Singles] | None = None

    def with_noise(self, least: Floats, areal: bool) -> _Evaluation:
        """Weights by the noise that the residuals show, but no less than ``least`` (n,)."""
        outside, inside = _noise(self.residual, self.coverage, self.seen)
        return self.with_scales((np.maximum(outside, least).astype(np.float32), np.maximum(inside, least).astype(np.float32)), areal)

    def with_scales(self, scales: tuple[Singles, Singles], areal: bool) -> _Evaluation:
        """Weights and cost for noise levels (n,) outside and inside the disc.

        ``areal``: the cost has the logarithm of the noise too, as a whole likelihood must. A patterned ball is then found as the area where
        pixels scatter, and not as whatever part of it has one shade.
        """
        outside, inside = scales
        rise: Singles = (inside - outside)[:, None]
        sigma = outside[:, None] + rise * self.coverage
        square = (self.residual / sigma) ** 2
        self.scales = scales
        if areal:
            weight = (TAILS + 1) / (TAILS + square)
            cost = (TAILS + 1) * np.log1p(square / TAILS) + 2 * np.log(sigma / outside[:, None])
            self.areal = ((rise / sigma).astype(np.float32), (self.seen * (1 - weight * square)).astype(np.float32))
        else:
            scaled = np.sqrt(square)
            weight = np.minimum(1, HUBER / np.maximum(scaled, np.float32(1e-6)))
            cost = weight * scaled * (2 * scaled - weight * scaled)
            self.areal = None
        self.weight = self.seen * weight / (sigma * sigma)
        self.cost = (cost * self.seen).sum(axis=1).astype(float)
        return self

    def where(self, chosen: Bools, other: _Evaluation) -> _Evaluation:
        """This evaluation, with the ``chosen`` rows of another."""
        return self.put(chosen, other.rows(chosen))

    def put(self, at: Bools | Ints, other: _Evaluation) -> _Evaluation:
        """This evaluation, with all rows of another in place of some of its own."""
        if other is not self:
            for name in ("residual", "jacobian", "edge", "coverage", "weight", "cost"):
                getattr(self, name)[at] = getattr(other, name)
            for own, its in zip(self.areal or (), other.areal or (), strict=True):
                own[at] = its
        return self

    def rows(self, chosen: Bools) -> _Evaluation:
        """Some rows."""
        fields = {name: getattr(self, name)[chosen] for name in ("residual", "jacobian", "edge", "coverage", "seen", "weight", "cost")}
        outside, inside = self.scales
        areal = None if self.areal is None else (self.areal[0][chosen], self.areal[1][chosen])
        return _Evaluation(**fields, scales=(outside[chosen], inside[chosen]), areal=areal)

    def normal_equations(self) -> tuple[Floats, Floats]:
        """Hessian (n, k, k) and slope (n, k) of half the cost."""
        weighted = self.jacobian * self.weight[:, None, :]
        hessian = np.matmul(weighted, self.jacobian.transpose(0, 2, 1))
        slope = np.matmul(weighted, self.residual[..., None])[..., 0]
        if self.areal is not None:
            spread = self.edge * self.areal[0][:, None, :]
            hessian += 2 * np.matmul(spread * self.seen[:, None, :], spread.transpose(0, 2, 1))
            slope -= np.matmul(spread, self.areal[1][..., None])[..., 0]
        return hessian.astype(float), slope.astype(float)


def _start(planes: tuple[_Pixels, ...], centre_px: Floats, radius_px: Floats, softness_px: Floats | None, streak_px: Floats | None) -> Floats:
    """(n, k) parameters: u, v, log r; log w, shade (mean, du, dv, radial) and offset of the first plane; the streak; the other planes' own."""
    n = len(centre_px)
    softness = np.full(n, 0.8) if softness_px is None else np.clip(softness_px, MIN_SOFTNESS, MAX_SOFTNESS)
    zero, columns = np.zeros(n), [centre_px[:, 0], centre_px[:, 1], np.log(radius_px)]
    for k, pixels in enumerate(planes):
        distance2 = (pixels.across - centre_px[:, :1]) ** 2 + (pixels.down - centre_px[:, 1:]) ** 2
        near = (distance2 < (0.7 * radius_px[:, None] + 0.5 * pixels.step) ** 2) & pixels.seen
        count = near.sum(axis=1)
        shade = np.where(count > 0, (pixels.values * near).sum(axis=1) / np.maximum(count, 1), pixels.known.mean(axis=1))
        width = softness if k == 0 else np.minimum(np.hypot(softness, COLOUR_SOFTNESS), MAX_SOFTNESS)
        columns += [np.log(width), shade, zero, zero, zero, zero]
        if k == 0 and streak_px is not None:
            columns += [streak_px[:, 0], streak_px[:, 1]]
    return np.stack(columns, axis=1).astype(float)


def _prior_precision(theta: Floats, contrast: Floats, edges: list[int], streaked: bool) -> Floats:
    prior = np.zeros_like(theta)
    for k, first in enumerate(edges):
        prior[:, first] = SOFTNESS_PRIOR**-2
        prior[:, first + 2 : first + 5] = ((SHADING_PRIOR * contrast[:, k]) ** -2)[:, None]
        prior[:, first + 5] = (OFFSET_PRIOR * contrast[:, k]) ** -2
    if streaked:
        prior[:, 9:11] = ((STREAK_PRIOR_PX + 0.5 * np.hypot(theta[:, 9], theta[:, 10])) ** -2)[:, None]
    return prior


def _evaluate_all(theta: Floats, planes: tuple[_Pixels, ...]) -> _Joint:
    return _Joint(tuple(_evaluate(theta, pixels) for pixels in planes))


def _evaluate(theta: Floats, pixels: _Pixels) -> _Evaluation:
    t = theta.astype(np.float32)[:, :, None]
    streaked, own = _is_streaked(theta), pixels.first
    u, v = pixels.across - t[:, 0], pixels.down - t[:, 1]
    radius, slope = np.exp(t[:, 2]), np.float32(LOGISTIC_SLOPE) * np.exp(-t[:, own])
    edge = np.zeros((len(theta), theta.shape[1], u.shape[1]), np.float32)
    coverage = np.zeros_like(u)
    nodes = _nodes(theta) if streaked else np.zeros(1)
    for node in nodes:
        du, dv = (u - np.float32(node) * t[:, 9], v - np.float32(node) * t[:, 10]) if streaked else (u, v)
        distance = np.sqrt(du * du + dv * dv) + np.float32(1e-3)
        depth = radius - distance
        part = 1.0 / (1.0 + np.exp(np.clip(-depth * slope, -30, 30)))
        change = part * (1.0 - part) * slope
        inward = change / distance
        toward_u, toward_v = inward * du, inward * dv
        coverage += part
        edge[:, 0] += toward_u
        edge[:, 1] += toward_v
        edge[:, 2] += change * radius
        edge[:, own] -= change * depth
        if streaked:
            edge[:, 9] += np.float32(node) * toward_u
            edge[:, 10] += np.float32(node) * toward_v
    if streaked:
        coverage /= len(nodes)
        edge /= len(nodes)
    x, y = u / radius, v / radius
    bowl = np.minimum(x * x + y * y, np.float32(2.0)) - np.float32(0.5)
    mean, across, down, radial, offset = (t[:, own + k] for k in range(1, OWN_NUMBERS))
    step = mean + across * x + down * y + radial * bowl - pixels.known - offset
    jacobian = edge * step[:, None]
    jacobian[:, 0] -= coverage * (across + 2 * radial * x) / radius
    jacobian[:, 1] -= coverage * (down + 2 * radial * y) / radius
    jacobian[:, own + 1], jacobian[:, own + 5] = coverage, 1.0 - coverage
    np.multiply(coverage, x, out=jacobian[:, own + 2])
    np.multiply(coverage, y, out=jacobian[:, own + 3])
    np.multiply(coverage, bowl, out=jacobian[:, own + 4])
    residual = (pixels.values - pixels.known - offset - coverage * step) * pixels.seen
    return _Evaluation(residual, jacobian, edge, coverage, pixels.seen)


def _nodes(theta: Floats) -> Floats:
    """Midpoints of equal parts of the exposure, in shares of it, -1/2 to 1/2."""
    ratio = float(np.max(np.hypot(theta[:, 9], theta[:, 10]) / np.exp(theta[:, 2])))
    count = int(np.clip(np.ceil(NODES_PER_RADIUS * ratio) + 2, LEAST_NODES, MOST_NODES))
    return (np.arange(count) + 0.5) / count - 0.5


def _noise(residual: Singles, coverage: Singles, seen: Bools) -> tuple[Singles, Singles]:
    """Robust residual sigma outside and inside each disc."""
    size = np.abs(residual)
    outer, inner = seen & (coverage < 0.05), seen & (coverage > 0.95)
    outside = _median_of(size, outer) * 1.4826
    inside = np.sqrt((np.where(inner, size, 0) ** 2).sum(axis=1) / np.maximum(inner.sum(axis=1) - 4, 1))
    outside = np.maximum(outside, NOISE_FLOOR)
    inside = np.where(inner.sum(axis=1) > 8, np.maximum(inside, outside), outside)
    return outside.astype(np.float32), inside.astype(np.float32)


def _median_of(values: Singles, where: Bools) -> Singles:
    masked = np.where(where, values, np.float32(np.inf))
    count = where.sum(axis=1)
    ordered = np.sort(masked[:, :: max(1, masked.shape[1] // 1024)], axis=1)
    few = np.isfinite(ordered).sum(axis=1)
    median = np.take_along_axis(ordered, np.maximum(few // 2, 0)[:, None].clip(0, ordered.shape[1] - 1), axis=1)[:, 0]
    return np.where((count > 0) & np.isfinite(median), median, NOISE_FLOOR)


def _bounded(theta: Floats, step: Floats, size: int) -> Floats:
    radius = np.exp(theta[:, 2])
    limit = STEP_SHARE * radius
    length = np.hypot(step[:, 0], step[:, 1])
    step = step * np.minimum(1.0, limit / np.maximum(length, 1e-9))[:, None]
    edges = [3, *range(3 + OWN_NUMBERS + 2 * _is_streaked(theta), theta.shape[1], OWN_NUMBERS)]
    logarithms = [2, *edges]
    step[:, logarithms] = np.clip(step[:, logarithms], -0.3, 0.3)
    trial = theta + step
    trial[:, :2] = np.clip(trial[:, :2], -0.5 * size, 1.5 * size)
    trial[:, 2] = np.clip(trial[:, 2], np.log(0.5), np.log(size))
    trial[:, edges] = np.clip(trial[:, edges], np.log(MIN_SOFTNESS), np.log(MAX_SOFTNESS))
    return trial


def _diagonal(values: Floats) -> Floats:
    return values[:, :, None] * np.eye(values.shape[1])


def _summary(theta: Floats, state: _Joint, prior: Floats, planes: tuple[_Pixels, ...], size: int) -> Discs:
    hessian, _ = state.normal_equations()
    covariance = np.asarray(np.linalg.inv(hessian + _diagonal(prior + 1e-12)) * _inflation(state, planes, size), dtype=np.float64)
    radius = np.exp(theta[:, 2])
    first = state.planes[0]
    darkest, brightest = _extremes(planes[0].values - planes[0].known, planes[0].seen & (first.coverage > 0.5))
    streak = theta[:, 9:11] if _is_streaked(theta) else np.zeros((len(theta), 2))
    return Discs(
        centre_px=theta[:, :2],
        covariance_px=covariance[:, :2, :2],
        radius_px=radius,
        radius_sigma_px=radius * np.sqrt(np.maximum(covariance[:, 2, 2], 0)),
        softness_px=np.exp(theta[:, 3]),
        streak_px=streak,
        streak_sigma_px=_along(streak, covariance) if _is_streaked(theta) else np.full(len(theta), np.inf),
        darkest=darkest,
        brightest=brightest,
        explained=_explained(state, planes),
        covered=_covered(theta, planes[0], size),
        noise=first.scales[0].astype(float),
    )


def _extremes(departure: Singles, inside: Bools) -> Floats:
    """(2, n) quantiles of what the discs show, 0 where nothing of them is seen."""
    ordered = np.sort(np.where(inside, departure, np.float32(np.inf)), axis=1)
    count = inside.sum(axis=1)
    at = np.round(np.outer(np.array(DEPARTURE_QUANTILES) / 100, np.maximum(count - 1, 0))).astype(int)
    return np.where(count > 0, np.take_along_axis(ordered, at.T, axis=1).T, 0.0).astype(float)


def _covered(theta: Floats, pixels: _Pixels, size: int) -> Floats:
    """Share of each disc inside the picture: the pixels' rectangle against the disc's own extent, the worse axis."""
    radius = np.exp(theta[:, 2])
    low = np.stack([np.where(pixels.seen, x, size).min(axis=1) for x in (pixels.across, pixels.down)], axis=1)
    high = np.stack([np.where(pixels.seen, x, -1).max(axis=1) for x in (pixels.across, pixels.down)], axis=1)
    centre = theta[:, :2]
    inside = np.minimum(high + 0.5, centre + radius[:, None]) - np.maximum(low - 0.5, centre - radius[:, None])
    return np.clip(inside / (2 * radius[:, None]), 0, 1).min(axis=1)


def _along(streak: Floats, covariance: Floats) -> Floats:
    unit = streak / np.maximum(np.hypot(streak[:, 0], streak[:, 1]), 1e-9)[:, None]
    return np.sqrt(np.einsum("ni,nij,nj->n", unit, covariance[:, 9:11, 9:11], unit))


def _explained(state: _Joint, planes: tuple[_Pixels, ...]) -> Floats:
    """Share of the squared departure from the background, over the disc and its rim, that the model explains in the plane it explains best.

    A patterned ball may be a plain disc in colour, and a shaded one in brightness.
    """
    best = np.zeros(len(planes[0].values))
    for plane, pixels in zip(state.planes, planes, strict=True):
        near = pixels.seen & (plane.coverage > 0.02)
        noise = plane.scales[0] ** 2 * near.sum(axis=1)
        total = (np.where(near, pixels.values - pixels.known, 0) ** 2).sum(axis=1) - noise
        left = np.maximum((np.where(near, plane.residual, 0) ** 2).sum(axis=1) - noise, 0)
        best = np.maximum(best, np.clip(1 - left / np.maximum(total, 1e-3), 0, 1))
    return best.astype(float)


def _inflation(state: _Joint, planes: tuple[_Pixels, ...], size: int) -> float:
    """Variance factor from the residuals' spatial correlation, weighted as the centre's estimate weighs them; one for all crops."""
    total, expected = np.zeros(len(planes[0].values)), np.zeros(len(planes[0].values))
    for plane, pixels in zip(state.planes, planes, strict=True):
        root = np.sqrt(plane.weight)
        leverage = plane.jacobian[:, :2] * root[:, None, :]
        flat = np.zeros((len(root), 2, size * size), np.float32)
        share = np.clip(plane.residual * root, -HUBER, HUBER)[:, None, :]
        np.put_along_axis(flat, np.broadcast_to(pixels.row[:, None], leverage.shape), leverage * share, axis=2)
        side = 2 * CORRELATION_LAGS * pixels.step + 1
        around = [cv2.boxFilter(one, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT) for one in flat.reshape(-1, size, size)]
        total += (flat * np.stack(around).reshape(flat.shape)).sum(axis=(1, 2))
        expected += (leverage**2).sum(axis=(1, 2))
    return float(np.clip(np.median(np.maximum(total, 0.0) / np.maximum(expected, 1e-9)), 1.0, MAX_INFLATION))
