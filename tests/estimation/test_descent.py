"""The descent that fits every pattern, on NIST's reference problems of nonlinear regression, whose optima are certified to eleven digits."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from newtonscheme.estimation.descent import Residuals, descend
from newtonscheme.types import Floats

DIGITS, GROSS = 6.0, 4.0
"""Digits that are asked for; a run that calls itself converged with less than four is a false success."""
ROUNDS, STEPS = 40, 100
"""Rounds of taking the noise to be what was left, as `fitting` does, and steps of each."""
PROMISE = 1e-15
"""Nats: 6 digits of a number that its data give to one are a millionth of a sigma."""


def gaussians(b: Sequence[Floats], x: Floats) -> Floats:
    return b[0] * np.exp(-b[1] * x) + b[2] * np.exp(-(((x - b[3]) / b[4]) ** 2)) + b[5] * np.exp(-(((x - b[6]) / b[7]) ** 2))


def exponentials(b: Sequence[Floats], x: Floats) -> Floats:
    return b[0] * np.exp(-b[1] * x) + b[2] * np.exp(-b[3] * x) + b[4] * np.exp(-b[5] * x)


def cubics(b: Sequence[Floats], x: Floats) -> Floats:
    return (b[0] + b[1] * x + b[2] * x**2 + b[3] * x**3) / (1.0 + b[4] * x + b[5] * x**2 + b[6] * x**3)


def cycles(b: Sequence[Floats], x: Floats) -> Floats:
    def cycle(cosine: Floats, sine: Floats, period: Floats | float) -> Floats:
        return cosine * np.cos(2.0 * np.pi * x / period) + sine * np.sin(2.0 * np.pi * x / period)

    return b[0] + cycle(b[1], b[2], 12.0) + cycle(b[4], b[5], b[3]) + cycle(b[7], b[8], b[6])


MODELS: dict[str, Callable[[Sequence[Floats], Floats], Floats]] = {
    "Bennett5": lambda b, x: b[0] * (b[1] + x) ** (-1.0 / b[2]),
    "BoxBOD": lambda b, x: b[0] * (1.0 - np.exp(-b[1] * x)),
    "Chwirut1": lambda b, x: np.exp(-b[0] * x) / (b[1] + b[2] * x),
    "Chwirut2": lambda b, x: np.exp(-b[0] * x) / (b[1] + b[2] * x),
    "DanWood": lambda b, x: b[0] * x ** b[1],
    "ENSO": cycles,
    "Eckerle4": lambda b, x: b[0] / b[1] * np.exp(-0.5 * ((x - b[2]) / b[1]) ** 2),
    "Gauss1": gaussians,
    "Gauss2": gaussians,
    "Gauss3": gaussians,
    "Hahn1": cubics,
    "Kirby2": lambda b, x: (b[0] + b[1] * x + b[2] * x**2) / (1.0 + b[3] * x + b[4] * x**2),
    "Lanczos1": exponentials,
    "Lanczos2": exponentials,
    "Lanczos3": exponentials,
    "MGH09": lambda b, x: b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3]),
    "MGH10": lambda b, x: b[0] * np.exp(b[1] / (x + b[2])),
    "MGH17": lambda b, x: b[0] + b[1] * np.exp(-x * b[3]) + b[2] * np.exp(-x * b[4]),
    "Misra1a": lambda b, x: b[0] * (1.0 - np.exp(-b[1] * x)),
    "Misra1b": lambda b, x: b[0] * (1.0 - (1.0 + b[1] * x / 2.0) ** -2.0),
    "Misra1c": lambda b, x: b[0] * (1.0 - (1.0 + 2.0 * b[1] * x) ** -0.5),
    "Misra1d": lambda b, x: b[0] * b[1] * x / (1.0 + b[1] * x),
    "Nelson": lambda b, x: b[0] - b[1] * x[0] * np.exp(-b[2] * x[1]),
    "Rat42": lambda b, x: b[0] / (1.0 + np.exp(b[1] - b[2] * x)),
    "Rat43": lambda b, x: b[0] / (1.0 + np.exp(b[1] - b[2] * x)) ** (1.0 / b[3]),
    "Roszman1": lambda b, x: b[0] - b[1] * x - np.arctan(b[2] / (x - b[3])) / np.pi,
    "Thurber": cubics,
}


@dataclass(frozen=True)
class Reference:
    """One problem: starts (2, m), certified numbers (m,), data."""

    name: str
    starts: Floats
    certified: Floats
    y: Floats
    x: Floats


@cache
def references() -> tuple[Reference, ...]:
    document = json.loads((Path(__file__).parent / "nist_strd.json").read_text())
    parts = [[np.array(p[key], dtype=float) for key in ("starts", "certified", "y", "x")] for p in document["problems"]]
    return tuple(Reference(p["name"], *some[:3], np.squeeze(some[3])) for p, some in zip(document["problems"], parts, strict=True))


def solve(reference: Reference, start: Floats) -> tuple[Floats, bool]:
    """The descent from a start, with the noise taken to be what was left; the numbers (m,), and whether it says that they are the optimum."""
    y = np.log(reference.y) if reference.name == "Nelson" else reference.y
    scale, floor = np.abs(start), 1e-15 * float(np.max(np.abs(y)))
    theta, m = np.sign(start), len(start)

    def misfit(sets: Floats) -> Floats:
        with np.errstate(all="ignore"):
            left = MODELS[reference.name]((sets * scale).T[..., None], reference.x) - y
        return np.where(np.isfinite(left), np.clip(left, -1e50, 1e50), 1e50)

    sigma = max(float(np.sqrt(np.mean(misfit(theta[None]) ** 2))), floor)
    converged = False
    for _ in range(ROUNDS):
        residuals = Residuals(
            rows=lambda sets, sigma=sigma: misfit(sets) / sigma, lower=np.full(m, -np.inf), upper=np.full(m, np.inf),
            steps=lambda at: 1e-6 * np.maximum(np.abs(at), 1e-8),
        )  # fmt: skip
        found = descend(residuals, theta, STEPS, enough=0.0, promise=PROMISE, central=True)
        theta, converged = found.theta, found.converged
        left = max(sigma * float(np.sqrt(2.0 * found.cost / (len(y) - m))), floor)
        if converged and abs(left / sigma - 1.0) < 1e-3:
            break
        sigma = left
    return theta * scale, converged


def digits(found: Floats, certified: Floats) -> float:
    """Of the worst number: the negative logarithm of its relative error (McCullough 1998)."""
    return float(np.min(-np.log10(np.maximum(np.abs(found / certified - 1.0), 1e-11))))


def run(reference: Reference) -> list[tuple[str, int, float, bool]]:
    """Name, start, digits and whether it is called solved, of both starts of a problem."""
    found = [solve(reference, start) for start in reference.starts]
    return [(reference.name, i, digits(theta, reference.certified), converged) for i, (theta, converged) in enumerate(found, 1)]


@pytest.mark.slow
def test_reference_problems_are_solved_to_six_digits_and_none_is_falsely_called_solved() -> None:
    runs = [one for reference in references() for one in run(reference)]
    assert len(runs) == 54
    assert sum(right >= DIGITS for _, _, right, _ in runs) >= 50, [one for one in runs if one[2] < DIGITS]
    assert [one for one in runs if one[3] and one[2] < GROSS] == []


@pytest.mark.parametrize("name", ["Eckerle4", "MGH10", "Rat43"])
def test_a_hard_reference_problem_is_solved_from_both_starts(name: str) -> None:
    runs = run(next(reference for reference in references() if reference.name == name))
    assert min(right for _, _, right, _ in runs) >= DIGITS


def test_a_flat_place_is_not_called_an_optimum() -> None:
    far = run(next(reference for reference in references() if reference.name == "BoxBOD"))[0]
    assert far[2] < GROSS
    assert not far[3]
