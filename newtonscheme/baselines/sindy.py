"""PDE-FIND for trajectories: a sparse equation of motion learned from each track alone, integrated ahead.

Brunton, Proctor & Kutz 2016 (PNAS 113, 3932) and Rudy, Brunton, Proctor & Kutz 2017 (Science Advances 3, e1602614), by pysindy. The path is
centred, scaled to half its extent and its duration, and smoothed; for each axis the acceleration is regressed on the library

    1, x, v, |v| v, sin x, cos x        (|v| is the speed of both axes together)

in the weak form (Reinbold, Gurevich & Grigoriev 2020, Phys. Rev. E 101, 010203): both sides are averaged over test functions of two widths,
of which the wider takes down the noise of the second derivative and the narrower keeps a quick swing. Sparsity comes from stepwise regression
(Boninsegna, Nuske & Clementi 2018, J. Chem. Phys. 148, 241723): a ladder of models, each without the term that was missed least, down to a
constant acceleration. Every rung is learned from the first two thirds of the observed time and integrated over the last third; the errors
there, and the number of terms, weigh the same rungs learned from all samples. The forecast is the weighted median of what they say, each
integrated by itself (Fasel, Kutz, Brunton & Brunton 2022, Proc. R. Soc. A 478, 20210904).

A rung that runs away has no say. Where none is left, or the track is too short to hold anything out, the free quadratic answers.

The band is the rungs' spread about the median together with their error over the last third, which grows with the time ahead: as its square
root up to the length of that third and faster beyond.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np

from ..errors import UsageError
from ..types import Bools, Floats, Forecast, Refusal, Track
from .forecaster import Question, make_forecast
from .outliers import axis_sigma, drop_outliers
from .polynomial import FreeQuadratic, student_quantile
from .smoothing import Smooth, smooth_path

TERMS = ("1", "x", "y", "v_x", "v_y", "|v| v_x", "|v| v_y", "sin x", "sin y", "cos x", "cos y")
OWN: Bools = np.array([[name == "1" or name.endswith(axis) for name in TERMS] for axis in "xy"])
"""(2, terms) what each axis may use: with the other axis' terms in it too, the median error on pendulums was three times as large."""
OWN.setflags(write=False)
FEWEST_TRAINED, FEWEST_HELD = 5, 2
"""Samples that a model is learned from and judged on: an acceleration needs three and two to tell it from noise."""
HELD_FROM = 2.0 / 3.0
"""Of the observed time: half and three quarters were no better."""
SURPRISE = 0.5
"""Independent errors that the last third counts for: one smooth piece of one path is hardly more. Counted as one, it made no difference to 60
simulated tracks of each pattern; the single best rung in place of the median had errors up to twice as large in the worst tenth of them."""
TERM_COST = 0.2
"""Log weight that a term costs. Free to use, terms made the median error of simulated falls a third larger; at 0.8, that of swings a fifth."""
ENOUGH_WEIGHT = 0.95
"""Of the rungs that do not run away: lighter ones do not move a median."""
GRID_PER_SAMPLE, FEWEST_NODES, MOST_NODES = 4, 60, 160
"""Of the smoothed path."""
WINDOWS, N_WINDOWS = (0.2, 0.05), 60
"""Shares of the observed time that a test function spans, and the number of either kind; 0.4 blurred the swings of a pendulum, and the
plain smoothed derivative was as good as 0.05 within the noise of 60 tracks."""
BUMP_POWER = 3
"""The test function (1 - s^2)^p: smooth to the second derivative at its ends."""
NO_RIDGE = 1e-10
"""Of columns of unit length: enough for a solver, too little to bias a coefficient."""
RANK_TOLERANCE = 1e-8
"""Relative to the largest singular value: x and sin x are nearly one column where the path is short."""
STEPS_PER_RADIAN, FEWEST_STEPS, MOST_STEPS = 3.0, 30.0, 200.0
"""Runge-Kutta steps in a unit of the observed time, for the rungs side by side."""
FARTHEST = 10.0
"""Times (1 + time ahead)^2 half extents: no body that was seen to accelerate steadily goes farther; a model that does has run away."""
CLAMP = 1e3
"""Half extents, and half extents for each observed time, beyond which a run-away rung is stopped from overflowing."""
RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 1e-6, 1e-8
MOST_SOLVER_STEPS = 3000
"""Of LSODA. 30 swings ahead take 2400; a model that needs more than this has run into a singularity of its own."""
NEAR_GROWTH, FAR_GROWTH, BAND_DOF = 0.5, 1.5, 4.0
"""Powers of the time ahead, in lengths of the last third, that the error grows with before and after 1, and the degrees of freedom of Student's
t: the 90 % band then held 86 to 94 % of the true centres of 360 simulated tracks from half or more of them, 80 to 92 % from a quarter."""


def available() -> bool:
    """Whether pysindy is installed."""
    return find_spec("pysindy") is not None


@dataclass(frozen=True, slots=True)
class Sindy:
    """A sparse equation of motion for each track; see the module."""

    name: str = "sindy"

    def forecast(self, question: Question) -> Forecast | Refusal:
        """Refuses under 3 samples.

        Raises:
            UsageError: pysindy is not installed.
        """
        pysindy = _import_pysindy()
        track = drop_outliers(question.observed)
        path = _normalise(track)
        n_trained = int(np.searchsorted(path.t, HELD_FROM)) if path is not None else 0
        if path is None or n_trained < FEWEST_TRAINED or len(track) - n_trained < FEWEST_HELD:
            return FreeQuadratic().forecast(question)
        smooth, smooth_then = _smooth(path, len(track)), _smooth(path, n_trained)
        models, errors = [], []
        for width in WINDOWS:
            rungs, trained = _learn_ladder(pysindy, smooth, width), _learn_ladder(pysindy, smooth_then, width)
            both = min(len(rungs), len(trained))
            models.append(rungs[-both:])
            errors.append(_judge(trained[-both:], _last_state(smooth_then), path, n_trained))
        ahead = (question.t - track.t[-1]) / path.duration
        held = float(path.t[-1] - path.t[n_trained - 1])
        said = _consult(np.concatenate(models), np.concatenate(errors), path, _last_state(smooth), ahead, held)
        if said is None:
            return FreeQuadratic().forecast(question)
        quantile = student_quantile(question.level, BAND_DOF)
        return make_forecast(question, path.origin + path.scale * said[0], path.scale * said[1], quantile)


def _import_pysindy() -> ModuleType:
    try:
        with catch_warnings():
            simplefilter("ignore")
            import pysindy
    except ImportError as error:
        raise UsageError("the SINDy rival needs pysindy, which is not installed; run: pip install 'newtonscheme[learn]'") from error
    return pysindy


@dataclass(frozen=True, slots=True, kw_only=True)
class _Path:
    """A track centred at ``origin`` (px) in units of ``scale`` (px), half its extent, and of its ``duration`` (s)."""

    t: Floats
    x: Floats
    sigma: Floats
    correlation_time: float
    origin: Floats
    scale: float
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Nodes:
    """A smoothed path at even times ``t`` (g,)."""

    t: Floats
    smooth: Smooth


def _normalise(track: Track) -> _Path | None:
    """None where there is no extent in space or time to measure with."""
    scale = 0.5 * float(np.max(np.ptp(track.centre_px, axis=0)))
    if len(track) < FEWEST_TRAINED or scale <= 0:
        return None
    duration, origin = float(track.t[-1] - track.t[0]), np.mean(track.centre_px, axis=0)
    return _Path(
        t=(track.t - track.t[0]) / duration, x=(track.centre_px - origin) / scale, sigma=axis_sigma(track) / scale,
        correlation_time=track.correlation_time / duration, origin=origin, scale=scale, duration=duration,
    )  # fmt: skip


def _smooth(path: _Path, n: int) -> _Nodes:
    """The first n samples as a smooth path at even times."""
    t = path.t[:n]
    nodes = np.linspace(t[0], t[-1], int(np.clip(GRID_PER_SAMPLE * n, FEWEST_NODES, MOST_NODES)))
    return _Nodes(t=nodes, smooth=smooth_path(t, path.x[:n], path.sigma[:n], path.correlation_time, nodes))


def _last_state(nodes: _Nodes) -> Floats:
    return np.concatenate([nodes.smooth.x[-1], nodes.smooth.v[-1]])


def _learn_ladder(pysindy: Any, nodes: _Nodes, width: float) -> Floats:
    """Models (rungs, terms, 2), fullest first, a constant acceleration last."""
    mean = _test_functions(nodes.t, width)
    terms = mean @ evaluate_library(nodes.smooth.x, nodes.smooth.v)
    acceleration = mean @ nodes.smooth.a
    weight = 1.0 / np.sqrt(mean**2 @ nodes.smooth.a_sigma**2 + np.finfo(float).tiny)
    ladders = [_step_down(pysindy, terms, acceleration[:, i], weight[:, i] / weight[:, i].max(), OWN[i]) for i in range(2)]
    rungs = max(len(ladder) for ladder in ladders)
    padded = [np.concatenate([np.repeat(ladder[:1], rungs - len(ladder), axis=0), ladder]) for ladder in ladders]
    return np.stack(padded, axis=2)


def evaluate_library(x: Floats, v: Floats) -> Floats:
    """(..., terms) of `TERMS` at positions and velocities (..., 2)."""
    speed = np.sqrt(np.sum(v**2, axis=-1, keepdims=True))
    return np.concatenate([np.ones_like(speed), x, v, speed * v, np.sin(x), np.cos(x)], axis=-1)


def _test_functions(nodes: Floats, width: float) -> Floats:
    """(N_WINDOWS, g) weights of the nodes under each test function, each summing to 1."""
    span = float(nodes[-1] - nodes[0])
    half = 0.5 * width * span
    centres = np.linspace(nodes[0] + half, nodes[-1] - half, N_WINDOWS)
    bump = np.maximum(1.0 - ((nodes - centres[:, None]) / half) ** 2, 0.0) ** BUMP_POWER
    return np.asarray(bump / bump.sum(axis=1, keepdims=True))


def _step_down(pysindy: Any, terms: Floats, acceleration: Floats, weight: Floats, allowed: Bools) -> Floats:
    """(rungs, terms) one axis' models, fullest first: pysindy chooses the terms, least squares their coefficients.

    Terms that are zero all along (of an axis that does not move) are no terms.
    """
    size = np.abs(terms).max(axis=0)
    allowed = allowed & (size > RANK_TOLERANCE * size.max())
    left, right = terms[:, allowed] * weight[:, None], acceleration * weight
    with catch_warnings():
        simplefilter("ignore")
        optimizer = pysindy.SSR(alpha=NO_RIDGE, criteria="model_residual", max_iter=int(allowed.sum()), normalize_columns=True)
        optimizer.fit(left, right[:, None])
    columns = np.flatnonzero(allowed)
    supports = dict.fromkeys(tuple(columns[np.abs(np.asarray(c)[0]) > 0]) for c in optimizer.history_)
    rungs = []
    for support in [*(s for s in supports if s and s != (0,)), (0,)]:
        model = np.zeros(terms.shape[1])
        model[list(support)] = np.linalg.lstsq(terms[:, support] * weight[:, None], right, rcond=RANK_TOLERANCE)[0]
        rungs.append(model)
    return np.array(rungs)


def _judge(models: Floats, start: Floats, path: _Path, n: int) -> Floats:
    """(rungs,) rms error over the samples from n on, in half extents."""
    ahead = _run_beside(models, start, path.t[n - 1 :])[:, 1:]
    return np.sqrt(np.mean(np.sum((ahead - path.x[n:]) ** 2, axis=-1), axis=1))


def _run_beside(models: Floats, start: Floats, t: Floats) -> Floats:
    """(rungs, h, 2) positions of all models at once, by fixed Runge-Kutta steps; a run-away is clamped, not followed."""
    state = np.tile(start, (len(models), 1))
    places = [state[:, :2]]
    stiffness = float(np.sqrt(np.max(np.abs(models[:, 1:3]) + np.abs(models[:, 7:9]))))
    rate = float(np.clip(STEPS_PER_RADIAN * stiffness, FEWEST_STEPS, MOST_STEPS))
    for step in np.diff(t):
        pieces = int(np.ceil(step * rate))
        for _ in range(pieces):
            state = _runge_kutta(models, state, float(step) / pieces)
        places.append(state[:, :2])
    return np.stack(places, axis=1)


def _runge_kutta(models: Floats, state: Floats, h: float) -> Floats:
    k1 = _rates(models, state)
    k2 = _rates(models, state + 0.5 * h * k1)
    k3 = _rates(models, state + 0.5 * h * k2)
    k4 = _rates(models, state + h * k3)
    return np.clip(state + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4), -CLAMP, CLAMP)


def _rates(models: Floats, state: Floats) -> Floats:
    """(rungs, 4) of states (rungs, 4)."""
    terms = evaluate_library(state[:, :2], state[:, 2:])
    return np.concatenate([state[:, 2:], np.matmul(terms[:, None, :], models)[:, 0]], axis=1)


def _consult(models: Floats, errors: Floats, path: _Path, state: Floats, ahead: Floats, held: float) -> tuple[Floats, Floats] | None:
    """The weighted median (h, 2) of all rungs' forecasts and its sigma (h, 2), in half extents; None where every rung runs away.

    ``errors`` (rungs,) are those over the last third of the observed time, ``held`` long; noise alone makes as much as the floor.
    """
    least = max(float(errors.min()), float(np.sqrt(2.0 * np.mean(path.sigma**2))))
    terms = np.count_nonzero(models, axis=(1, 2))
    excess = np.maximum(errors / least, 1.0) ** 2 - 1.0
    weight = np.exp(-0.5 * SURPRISE * excess - TERM_COST * (terms - terms.min()))
    kept: list[int] = []
    places, possible = [], float(weight.sum())
    for rung in np.argsort(-weight, kind="stable"):
        if weight[kept].sum() >= ENOUGH_WEIGHT * possible:
            break
        place = _integrate(models[rung], state, ahead)
        if place is None:
            possible -= float(weight[rung])
        else:
            kept.append(int(rung))
            places.append(place)
    if not kept:
        return None
    share = weight[kept] / weight[kept].sum()
    median = _weighted_median(np.array(places), share)
    spread = np.einsum("r,rhi->hi", share, (np.array(places) - median) ** 2)
    since = ahead / held
    growth = np.where(since < 1.0, since**NEAR_GROWTH, since**FAR_GROWTH)
    own = float(share @ np.maximum(errors[kept], least)) / np.sqrt(2.0) * growth
    return median, np.sqrt(spread + own[:, None] ** 2)


def _weighted_median(values: Floats, share: Floats) -> Floats:
    """(h, 2) of values (r, h, 2) with weights ``share`` (r,) that sum to 1."""
    order = np.argsort(values, axis=0, kind="stable")
    passed = np.cumsum(share[order], axis=0) >= 0.5
    middle = np.argmax(passed, axis=0)[None]
    return np.asarray(np.take_along_axis(np.take_along_axis(values, order, axis=0), middle, axis=0)[0])


def _integrate(model: Floats, start: Floats, ahead: Floats) -> Floats | None:
    """(h, 2) positions by LSODA, which turns implicit where the model is stiff; None where the model runs away."""
    from scipy.integrate import LSODA

    places = np.empty((len(ahead), 2))
    done = 0
    with catch_warnings(), np.errstate(all="ignore"):
        simplefilter("ignore", UserWarning)
        solver = LSODA(
            lambda t, state: _rates(model[None], state[None])[0], 0.0, start, float(ahead[-1]), rtol=RELATIVE_TOLERANCE, atol=ABSOLUTE_TOLERANCE
        )
        for _ in range(MOST_SOLVER_STEPS):
            solver.step()
            farthest = FARTHEST * (1.0 + solver.t) ** 2
            if solver.status == "failed" or not np.max(np.abs(solver.y[:2])) < farthest:
                return None
            passed = int(np.searchsorted(ahead, solver.t, side="right"))
            places[done:passed] = solver.dense_output()(ahead[done:passed])[:2].T
            done = passed
            if solver.status == "finished":
                return places
    return None
