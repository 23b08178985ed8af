"""What the object is: hypotheses from its looks, weighed by how well each explains the motion.

p(kind | looks, motion) is proportional to p(kind) p(looks | kind) p(motion | kind). The first two are here and know nothing of size; the
third is the evidence of a fit that was given the kind's diameter, mass and drag. Colour changes with light, camera and dirt, so looks are
worth a factor of about sixty at most, and a kind never takes what its lookalikes may own. No kind winning is an outcome: then the mass
is size times density, with the wide bounds that this has.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..catalogue import COLOURS, Ball, Look, load_catalogue
from ..errors import UsageError
from ..notation import printable
from ..physics.air import drag_coefficient_prior
from ..types import Appearance, Body, Entry, Fit, Quantity
from .parameters import FREE_DENSITY, FREE_DENSITY_LOG_SIGMA, FREE_DIAMETER, FREE_DIAMETER_LOG_SIGMA, SPHERE, assumed_density, log_sigma

UNKNOWN_SHARE = 0.5
"""As many things that people throw, drop and swing are in no catalogue (toys, fruit, bobs, crumpled paper) as are in this one: a judgement."""
SURE_ENOUGH = 0.5
"""A label's own mass and diameter stand for the object when the label is more likely than not; below that, the mixture's."""
TYPICAL_SPEED = 5.0
"""m/s: the middle of a throw indoors; drag priors are told for it where the flight's own speed is not known yet."""

SEEN_AS_IT_IS, SEEN_AS_NEIGHBOUR = 0.60, 0.30
"""Share of a colour's pixels that a camera shows as that colour word, and as one of its neighbours (light, white balance, blur, naming);
the rest may be anything (background, highlights, reflections). A colour that does not fit costs a factor of 67, a neighbour 6."""
NEIGHBOURS: Mapping[str, tuple[str, ...]] = {
    "white": ("grey", "yellow", "pink"),
    "black": ("grey", "brown", "blue"),
    "grey": ("white", "black", "blue"),
    "red": ("orange", "pink", "brown"),
    "orange": ("red", "yellow", "brown"),
    "yellow": ("green", "orange", "white"),
    "green": ("yellow", "blue", "grey"),
    "blue": ("purple", "grey", "green"),
    "brown": ("orange", "red", "black"),
    "pink": ("red", "purple", "white"),
    "purple": ("blue", "pink", "red"),
}
"""Which colour words lie next to each other: what warm or cold light, under- and overexposure turn one into."""
PLAIN_COLOURS = {
    "white": 0.16, "black": 0.10, "grey": 0.08, "red": 0.13, "orange": 0.10, "yellow": 0.10,
    "green": 0.10, "blue": 0.12, "brown": 0.06, "pink": 0.03, "purple": 0.02,
}  # fmt: skip
"""Colours of plain things that are in no catalogue: a judgement, close to even so that no colour alone decides."""
MOTLEY_SHARE = 0.15
"""Share of the things in no catalogue that are of many colours."""

TEXTURE_FLOOR, TEXTURE_SCALE = 0.5, 0.1
"""Noise, blur and compression make and hide texture: it counts for a factor of two at most, over a spread of lightness of 0.1."""
UNKNOWN_TEXTURE = 0.8
"""Mean of that factor for things of unknown texture."""
ROUND_ELONGATION, ROUND_SCALE, ROUND_FLOOR = 1.3, 0.2, 0.2
"""A ball's silhouette is a disc up to motion blur and compression (1.09 to 1.27 measured on real clips); beyond it, every ball loses to
things that are not round."""
CLOSEST_NAMES = 3
"""How many names a misspelt label is answered with."""


def propose_bodies(
    appearance: Appearance | None,
    *,
    label: str | None = None,
    mass: Quantity | None = None,
    diameter: Quantity | None = None,
    speed: float = TYPICAL_SPEED,
) -> tuple[Body, ...]:
    """Every hypothesis about the object, with its probability before the motion is looked at.

    The first has no label, and no diameter or mass but those that the user gave: it is the fit with a free diameter. The others are the
    catalogue's balls in its order. Probabilities add up to one and come from the looks alone (and from the user's mass and diameter,
    which speak for kinds that have them); the size in the picture is left to the fits.

    Args:
        appearance: what the object looks like; None leaves how common each kind is.
        label: the user's word for the object; that kind then has probability 1 and the unlabelled one 0.
        mass: the user's mass (kg), for all hypotheses.
        diameter: the user's diameter (m), for all hypotheses.
        speed: a typical speed (m/s), for the drag coefficient.

    Raises:
        UsageError: the label is in no catalogue.
    """
    balls = tuple(load_catalogue().values()) if label is None else (find_ball(label),)
    weights = [_unlabelled_weight(appearance, mass, diameter) if label is None else 0.0]
    weights += [_ball_weight(ball, appearance, mass, diameter) if label is None else 1.0 for ball in balls]
    total = math.fsum(weights)
    size = FREE_DIAMETER if diameter is None else diameter.value
    drag = drag_coefficient_prior(None, speed, size)
    unlabelled = Body(label=None, probability=weights[0] / total, diameter=diameter, mass=mass, drag_coefficient=drag)
    return unlabelled, *(
        _make_body(ball, weight / total, mass, diameter, speed) for ball, weight in zip(balls, weights[1:], strict=True)
    )  # fmt: skip


def weigh_bodies(
    bodies: Sequence[Body], log_evidences: Sequence[float], diameters: Sequence[Quantity | None] | None = None, *, density: Entry | None = None
) -> tuple[Body, ...]:
    """The hypotheses with their probabilities after the fits, in the same order.

    A kind keeps its weight but for its lookalikes' share: things of the same size and look that are something else. Their evidence is
    that of the unlabelled fit, raised by what its diameter would have gained from being told the kind's size, and never more than the
    kind's own; it is the unlabelled hypothesis that they add to.

    Args:
        bodies: hypotheses from `propose_bodies`, the unlabelled one first.
        log_evidences: log evidence of each hypothesis's fit; NaN or -inf where it was not fitted or failed.
        diameters: each fit's own diameter (m), None where there is none; given, it replaces the hypothesis's, and the unlabelled
            hypothesis gets the mass that follows from it.
        density: what is assumed of the unlabelled one's density (`assumed_density` of the law); None: that of things thrown.

    Raises:
        ValueError: the lengths differ, or the first hypothesis has a label.
    """
    told = [None] * len(bodies) if diameters is None else list(diameters)
    if not len(bodies) == len(log_evidences) == len(told) or not bodies or bodies[0].label is not None:
        raise ValueError(f"weigh_bodies: expected as many evidences as bodies, the unlabelled first, got {len(bodies)} and {len(log_evidences)}")
    evidences = [value if math.isfinite(value) else -math.inf for value in log_evidences]
    if all(value == -math.inf for value in evidences):
        return tuple(bodies)
    weights = _posterior_weights(bodies, evidences, told[0])
    total = math.fsum(weights)
    weights = [weight / total for weight in weights] if total > 0.0 else [body.probability for body in bodies]
    updated = (_with_diameter(body, diameter, density) for body, diameter in zip(bodies, told, strict=True))
    return tuple(replace(body, probability=weight) for body, weight in zip(updated, weights, strict=True))


def joint_log_evidence(bodies: Sequence[Body], log_evidences: Sequence[float], free_diameter: Quantity | None = None) -> float:
    """Log evidence of a law whatever the object is: the hypotheses' evidences, weighed by their looks (and their lookalikes').

    A law that needs a thrown handball to be the size of an apple loses by it to one that does not.

    Args:
        bodies: hypotheses from `propose_bodies`, the unlabelled one first.
        log_evidences: log evidence of each hypothesis's fit; NaN or -inf where it was not fitted or failed.
        free_diameter: diameter (m) of the unlabelled fit, None where there is none.
    """
    evidences = [value if math.isfinite(value) else -math.inf for value in log_evidences]
    if all(value == -math.inf for value in evidences):
        return -math.inf
    return max(evidences) + math.log(math.fsum(_posterior_weights(bodies, evidences, free_diameter)))


def name_body(bodies: Sequence[Body]) -> Body:
    """What to report: the likeliest hypothesis, which may be that no kind of the catalogue is the right one.

    A label that is more likely than not brings its kind's diameter, mass and drag: they hold if the label does. Otherwise these are the
    mean and sigma over all hypotheses, and the probability says what the label is worth.
    """
    best = max(bodies, key=lambda body: body.probability)
    if best.label is not None and best.probability > SURE_ENOUGH:
        return best
    diameter, mass, drag = (mix_quantity(bodies, name) for name in ("diameter", "mass", "drag_coefficient"))
    return replace(best, diameter=diameter, mass=mass, drag_coefficient=drag)


def mix_quantity(bodies: Sequence[Body], name: str) -> Quantity | None:
    """Mean and sigma over the hypotheses of "diameter", "mass" or "drag_coefficient"; None if one that counts does not have it."""
    parts: list[tuple[float, Quantity]] = []
    for body in bodies:
        quantity: Quantity | None = getattr(body, name)
        if body.probability > 0.0 and quantity is None:
            return None
        if body.probability > 0.0 and quantity is not None:
            parts.append((body.probability, quantity))
    total = math.fsum(share for share, _ in parts)
    if total <= 0.0:
        return None
    mean = math.fsum(share * q.value for share, q in parts) / total
    variance = math.fsum(share * (q.sigma**2 + (q.value - mean) ** 2) for share, q in parts) / total
    sources = {q.source for _, q in parts}
    return Quantity(mean, math.sqrt(variance), parts[0][1].unit, sources.pop() if len(sources) == 1 else "derived")


def body_from_size(diameter: Quantity, appearance: Appearance | None = None, density: Entry | None = None) -> Body:
    """An object of no known kind: its mass (kg) is a sphere's volume times a density that may be foam's or steel's.

    Value and sigma of the mass are the moments of its log-normal distribution. A silhouette that is no disc widens it.
    """
    elongation = 1.0 if appearance is None or not appearance.elongation >= 1.0 else appearance.elongation
    assumed = assumed_density() if density is None else density
    spread = math.hypot(assumed.sigma, 3.0 * log_sigma(diameter), math.log(elongation))
    median = assumed.value * SPHERE * diameter.value**3
    mean = median * math.exp(0.5 * spread**2)
    mass = Quantity(mean, mean * math.sqrt(math.expm1(spread**2)), "kg", "derived")
    drag = drag_coefficient_prior(None, TYPICAL_SPEED, diameter.value)
    return Body(label=None, probability=1.0, diameter=diameter, mass=mass, drag_coefficient=drag)


def at_speed(body: Body, speed: float, diameter: float) -> Body:
    """The hypothesis with the drag coefficient that its kind has at a flight's own speed (m/s); ``diameter`` (m) is for one of no kind."""
    ball = None if body.label is None else find_ball(body.label)
    size = diameter if body.diameter is None else body.diameter.value
    return replace(body, drag_coefficient=drag_coefficient_prior(ball, speed, size))


def size_odds(fit: Fit, *, by_gravity: bool) -> float:
    """Log prior density of the size that a fit gives its object, against the most usual size: 0 at best, and where nothing tells the size.

    ``by_gravity``: gravity is the ruler. Who moves a hand or a head as a fall would look makes it an object of metres or millimetres.
    """
    size = fit.parameters.get("diameter")
    if size is None or not by_gravity or fit.body.label is not None or not np.any(np.isfinite(fit.track.radius_px)):
        return 0.0
    return -0.5 * (math.log(size.value / FREE_DIAMETER) / FREE_DIAMETER_LOG_SIGMA) ** 2


def find_ball(label: str) -> Ball:
    """The catalogue's ball of that name or alias, whatever the case.

    Raises:
        UsageError: there is none; the message lists the closest names.
    """
    catalogue = load_catalogue()
    names = {name.casefold(): ball for ball in catalogue.values() for name in (ball.label, *ball.aliases)}
    wanted = " ".join(label.split()).casefold()
    if wanted in names:
        return names[wanted]
    close = difflib.get_close_matches(wanted, names, n=CLOSEST_NAMES)
    hint = f"the closest are {', '.join(close)}" if close else "`ns objects` lists them"
    raise UsageError(f"--object: found {printable(label)!r}, needed a name of the catalogue: {hint}")


def _make_body(ball: Ball, probability: float, mass: Quantity | None, diameter: Quantity | None, speed: float) -> Body:
    return Body(
        label=ball.label,
        probability=probability,
        diameter=diameter or Quantity(ball.diameter.middle, ball.diameter.sigma, "m", "catalogue"),
        mass=mass or Quantity(ball.mass.middle, ball.mass.sigma, "kg", "catalogue"),
        drag_coefficient=drag_coefficient_prior(ball, speed, ball.diameter.middle),
    )


def _unlabelled_weight(appearance: Appearance | None, mass: Quantity | None, diameter: Quantity | None) -> float:
    weight = UNKNOWN_SHARE
    if appearance is not None:
        plain = math.fsum(share * _colour_likelihood(appearance, {word: 1.0}) for word, share in PLAIN_COLOURS.items())
        motley = _colour_likelihood(appearance, {word: 1.0 / len(COLOURS) for word in COLOURS})
        weight *= UNKNOWN_TEXTURE * ((1.0 - MOTLEY_SHARE) * plain + MOTLEY_SHARE * motley)
    if diameter is not None:
        weight *= _log_normal_density(diameter, FREE_DIAMETER, FREE_DIAMETER_LOG_SIGMA)
    if mass is not None:
        size, spread = (FREE_DIAMETER, FREE_DIAMETER_LOG_SIGMA) if diameter is None else (diameter.value, log_sigma(diameter))
        weight *= _log_normal_density(mass, FREE_DENSITY * SPHERE * size**3, math.hypot(FREE_DENSITY_LOG_SIGMA, 3.0 * spread))
    return weight


def _ball_weight(ball: Ball, appearance: Appearance | None, mass: Quantity | None, diameter: Quantity | None) -> float:
    weight = (1.0 - UNKNOWN_SHARE) * ball.weight / math.fsum(other.weight for other in load_catalogue().values())
    if appearance is not None:
        weight *= _look_likelihood(appearance, ball.look)
    for told, allowed in ((diameter, ball.diameter), (mass, ball.mass)):
        if told is not None:
            weight *= _log_normal_density(told, allowed.middle, allowed.sigma / allowed.middle)
    return weight


def _look_likelihood(appearance: Appearance, look: Look) -> float:
    colour = math.fsum(c.share * _colour_likelihood(appearance, c.colours) for c in look.colourings)
    texture = 1.0
    if math.isfinite(appearance.texture):
        outside = max(look.texture.low - appearance.texture, appearance.texture - look.texture.high, 0.0)
        texture = TEXTURE_FLOOR + (1.0 - TEXTURE_FLOOR) * math.exp(-0.5 * (outside / TEXTURE_SCALE) ** 2)
    roundness = 1.0
    if math.isfinite(appearance.elongation):
        beyond = max(appearance.elongation - ROUND_ELONGATION, 0.0)
        roundness = ROUND_FLOOR + (1.0 - ROUND_FLOOR) * math.exp(-0.5 * (beyond / ROUND_SCALE) ** 2)
    return colour * texture * roundness


def _colour_likelihood(appearance: Appearance, colours: Mapping[str, float]) -> float:
    """The probability of one pixel's colour word, geometric mean over the disc: as if the whole disc were one look at the object."""
    seen = {word: max(share, 0.0) for word, share in appearance.colour_fractions.items() if word in COLOURS and math.isfinite(share)}
    total = math.fsum(seen.values())
    if total <= 0.0:
        return 1.0
    expected = dict.fromkeys(COLOURS, (1.0 - SEEN_AS_IT_IS - SEEN_AS_NEIGHBOUR) / len(COLOURS))
    for word, share in colours.items():
        expected[word] += share * SEEN_AS_IT_IS
        for neighbour in NEIGHBOURS[word]:
            expected[neighbour] += share * SEEN_AS_NEIGHBOUR / len(NEIGHBOURS[word])
    return math.exp(math.fsum(share * math.log(expected[word]) for word, share in seen.items()) / total)


def _log_normal_density(told: Quantity, median: float, spread: float) -> float:
    """Density, for each unit of the logarithm, of a told quantity under a log-normal belief; the told sigma widens it."""
    return _normal_density(math.log(told.value / median), math.hypot(spread, log_sigma(told)))


def _normal_density(deviation: float, sigma: float) -> float:
    return math.exp(-0.5 * (deviation / sigma) ** 2) / sigma


def _posterior_weights(bodies: Sequence[Body], evidences: Sequence[float], free_diameter: Quantity | None) -> list[float]:
    """Looks times motion for each hypothesis, relative to the largest evidence; not normalised."""
    catalogue = load_catalogue()
    peak = max(evidences)
    weights = [bodies[0].probability * math.exp(evidences[0] - peak)]
    for body, evidence in zip(bodies[1:], evidences[1:], strict=True):
        ball = catalogue.get(body.label or "")
        share = 0.0 if ball is None or bodies[0].probability == 0.0 else ball.lookalikes
        gained = evidence
        if free_diameter is not None and evidences[0] > -math.inf:
            gained = min(evidence, evidences[0] + _size_gain(free_diameter, body.diameter))
        weights.append(body.probability * (1.0 - share) * math.exp(evidence - peak))
        weights[0] += body.probability * share * math.exp(gained - peak)
    return weights


def _size_gain(free: Quantity, kind: Quantity | None) -> float:
    """Log of the evidence that a fit with a free diameter would gain from being told the kind's diameter instead of the wide prior.

    The free fit's posterior is its likelihood times the wide prior, all log-normal: the prior is divided out again.
    """
    width = log_sigma(free)
    precision = 1.0 / width**2 - 1.0 / FREE_DIAMETER_LOG_SIGMA**2
    if kind is None or precision <= 0.0:
        return 0.0
    prior = math.log(FREE_DIAMETER)
    measured = (math.log(free.value) / width**2 - prior / FREE_DIAMETER_LOG_SIGMA**2) / precision
    told = math.hypot(1.0 / math.sqrt(precision), log_sigma(kind))
    wide = math.hypot(1.0 / math.sqrt(precision), FREE_DIAMETER_LOG_SIGMA)
    return _log_normal(measured - math.log(kind.value), told) - _log_normal(measured - prior, wide)


def _log_normal(deviation: float, sigma: float) -> float:
    return -0.5 * (deviation / sigma) ** 2 - math.log(sigma)


def _with_diameter(body: Body, diameter: Quantity | None, density: Entry | None) -> Body:
    if diameter is None:
        return body
    if body.label is None and body.mass is None:
        return replace(body, diameter=diameter, mass=body_from_size(diameter, density=density).mass)
    return replace(body, diameter=diameter)
