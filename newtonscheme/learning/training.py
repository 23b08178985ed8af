"""Trains the recogniser: draws windows, learns, calibrates, judges on windows never seen, and writes the weights with their card.

Everything but the layer under the normalisation learns by AdamW (Loshchilov & Hutter 2019). That layer learns by plain gradient descent
with momentum and weight decay, so that its squared norm obeys the scale charge's law of `newtonscheme.learning.dynamics`, which is
checked at every step and put on the card.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..estimation.features import Features, Floats32
from ..estimation.recognition import UNKNOWN, Recogniser, mean_logits, probabilities
from ..types import Floats, Progress
from .cards import Scores, TrainingCard, write_recogniser
from .dataset import LABELS, Dataset, draw_dataset, join_datasets
from .dynamics import NormTrace

if TYPE_CHECKING:
    from .network import Network

CHUNK_PATHS = 100
"""Paths drawn by one job from one seed: the same data for any number of workers."""
RATE = 2e-3
WEIGHT_DECAY = 1e-3
DROPOUT = 0.1
MIX_RATE, MIX_MOMENTUM, MIX_DECAY = 0.05, 0.9, 2e-3
"""Of the scale-invariant layer: at equilibrium a step turns its weights by sqrt(2 eta k / (1 + beta)) = 0.010 rad."""
WARM_UP, LEAST_RATE = 0.03, 1e-3
"""Shares of the training and of the rate: AdamW's second moments fill within a few hundred steps; a rate of 0 would have no momentum to carry."""
BATCH = 256
CALIBRATION_STEPS, CALIBRATION_RIDGE = 100, 1e-9
"""Newton steps at most, and the relative size below which a step, or what it gains, no longer counts."""
ECE_BINS = 15
"""Of equal counts (Guo et al. 2017 use 15)."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How much to draw and learn. The defaults are what the shipped weights were made with."""

    train_paths: int = 18000
    calibration_paths: int = 1500
    held_out_paths: int = 3000
    epochs: int = 20
    workers: int = 2


def train(out: Path, *, seed: int = 0, progress: Progress | None = None, schedule: Schedule | None = None, force: bool = False) -> TrainingCard:
    """Train a recogniser and write it to ``out`` (.safetensors), its card beside it (.toml).

    The same seed and schedule give the same weights on the same machine. Raises UsageError where torch is not installed, where ``out`` cannot
    be written, or where it exists and ``force`` is not given.
    """
    try:
        import torch
    except ImportError as error:
        raise UsageError("training needs torch, which is not installed; run: pip install 'newtonscheme[learn]'") from error
    plan = Schedule() if schedule is None else schedule
    tell = _ignore if progress is None else progress
    parts = np.random.SeedSequence(seed).spawn(3)
    counts = (plan.train_paths, plan.calibration_paths, plan.held_out_paths)
    data = [_draw(part, n, plan.workers, tell) for part, n in zip(parts, counts, strict=True)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # two threads gain a third on idle cores and lose ten times over on busy ones
    try:
        network, trace = fit_network(data[0], seed, plan.epochs, tell)
    finally:
        torch.set_num_threads(threads)
    tensors = calibrate(network.tensors(), data[1])
    scores = judge(Recogniser(LABELS, MappingProxyType(tensors), {}), data[2])
    card = TrainingCard(labels=LABELS, seed=seed, windows=tuple(len(d) for d in data), paths=counts, epochs=plan.epochs, scores=scores, trace=trace)
    return write_recogniser(out, tensors, card, force=force)


def fit_network(data: Dataset, seed: int, epochs: int, tell: Progress) -> tuple[Network, NormTrace]:
    """The network after ``epochs`` over the data, half of it seen in a mirror, and what its scale-invariant weights did."""
    import torch
    from torch.nn import functional

    from ..estimation.features import MIRROR
    from .network import Network

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(len(LABELS), DROPOUT)
        network.standardise(data.features.series, data.features.scalars)
        others = [p for p in network.parameters() if p is not network.mix.weight]
        adam = torch.optim.AdamW(others, lr=RATE, weight_decay=WEIGHT_DECAY)
        descent = torch.optim.SGD([network.mix.weight], lr=MIX_RATE, momentum=MIX_MOMENTUM, weight_decay=MIX_DECAY)
        series, scalars = torch.from_numpy(data.features.series), torch.from_numpy(data.features.scalars)
        label, mirror = torch.from_numpy(data.label), torch.from_numpy(MIRROR.copy())
        steps = max(len(data) // BATCH, 1)
        recorder = _Recorder(network.mix.weight.detach().numpy())
        network.train()
        for step in range(steps * epochs):
            if step % steps == 0:
                order = torch.randperm(len(data))
                tell("training", step // steps, epochs)
            fade = _fade(step / (steps * epochs))
            adam.param_groups[0]["lr"], descent.param_groups[0]["lr"] = RATE * fade, MIX_RATE * fade
            rows = order[(step % steps) * BATCH : (step % steps + 1) * BATCH]
            flip = torch.where(torch.rand(len(rows), 1) < 0.5, mirror, torch.ones_like(mirror))
            loss = functional.cross_entropy(network(series[rows] * flip[..., None], scalars[rows]), label[rows])
            adam.zero_grad()
            descent.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            adam.step()
            descent.step()
            recorder.record(network.mix.weight.detach().numpy(), MIX_RATE * fade)
        tell("training", epochs, epochs)
    network.eval()
    return network, recorder.trace()


def calibrate(tensors: Mapping[str, Floats32], data: Dataset) -> dict[str, Floats32]:
    """The weights with one temperature and one bias for each label put into the last layer (Alexandari et al. 2020).

    The cross entropy is convex in them: damped Newton steps from the weights as they are.
    """
    logits, truth = _in_batches(lambda part: mean_logits(tensors, part), data), np.eye(len(LABELS))[data.label]
    design = np.concatenate([logits[..., None], np.broadcast_to(np.eye(len(LABELS)), (*logits.shape, len(LABELS)))], axis=2)
    theta = np.append(1.0, np.zeros(len(LABELS)))
    loss, p = _cross_entropy(design @ theta, data.label)
    for _ in range(CALIBRATION_STEPS):
        gradient = np.einsum("nj,njk->k", p - truth, design) / len(data)
        mean = np.einsum("nj,njk->nk", p, design)
        curvature = (np.einsum("nj,njk,njl->kl", p, design, design) - mean.T @ mean) / len(data)
        step = np.linalg.solve(curvature + CALIBRATION_RIDGE * np.eye(len(theta)), gradient)
        size = 1.0
        while size > CALIBRATION_RIDGE and _cross_entropy(design @ (theta - size * step), data.label)[0] > loss:
            size *= 0.5
        theta = theta - size * step
        before, (loss, p) = loss, _cross_entropy(design @ theta, data.label)
        if before - loss < CALIBRATION_RIDGE * before:
            break
    scale, bias = np.float32(theta[0]), theta[1:].astype(np.float32)
    return {**tensors, "head.weight": tensors["head.weight"] * scale, "head.bias": tensors["head.bias"] * scale + bias}


def judge(recogniser: Recogniser, data: Dataset) -> Scores:
    """How well a recogniser does on windows that it has not seen."""
    p = np.concatenate(
        [probabilities(recogniser, type(data.features)(data.features.series[i : i + BATCH], data.features.scalars[i : i + BATCH]))
         for i in range(0, len(data), BATCH)]
    )  # fmt: skip
    best = np.argmax(p, axis=1)
    right, shows = best == data.label, data.shows
    confusion = np.zeros((len(LABELS), len(LABELS)), dtype=int)
    np.add.at(confusion, (data.label[shows], best[shows]), 1)
    unknown = LABELS.index(UNKNOWN)
    known = data.label != unknown
    by_family = {str(f): data.family == f for f in np.unique(data.family)}
    return Scores(
        accuracy=float(right.mean()),
        accuracy_shown=float(right[shows].mean()),
        class_accuracy={label: _share(right[shows & (data.label == j)]) for j, label in enumerate(LABELS)},
        pattern_accuracy={f: _share(right[rows & shows]) for f, rows in by_family.items() if np.any(known & rows)},
        refusal={f: _share((best == unknown)[rows & shows]) for f, rows in by_family.items() if not np.any(known & rows)},
        calibration_error=calibration_error(p, data.label),
        confidence_short=float(np.mean(p.max(axis=1)[~shows])),
        cross_entropy=float(-np.mean(np.log(np.maximum(p[np.arange(len(p)), data.label], 1e-12)))),
        confusion=tuple(tuple(int(c) for c in row) for row in confusion),
    )


def calibration_error(p: Floats, label: NDArray[np.int64]) -> float:
    """Expected calibration error of the best label over bins of equal count (Guo et al. 2017, eq. 3)."""
    confidence, right = p.max(axis=1), p.argmax(axis=1) == label
    order = np.argsort(confidence, kind="stable")
    bins = [rows for rows in np.array_split(order, ECE_BINS) if len(rows)]
    return float(sum(len(rows) * abs(confidence[rows].mean() - right[rows].mean()) for rows in bins) / len(p))


class _Recorder:
    """Writes down what one weight does, in double precision."""

    def __init__(self, weight: Floats32) -> None:
        self.last = weight.astype(np.float64).ravel()
        self.norm = [float(self.last @ self.last)]
        self.step: list[float] = []
        self.cosine: list[float] = []
        self.rate: list[float] = []

    def record(self, weight: Floats32, rate: float) -> None:
        now = weight.astype(np.float64).ravel()
        moved = now - self.last
        self.norm.append(float(now @ now))
        self.step.append(float(moved @ moved))
        self.cosine.append(float(now @ self.last) / np.sqrt(self.norm[-1] * self.norm[-2]))
        self.rate.append(rate)
        self.last = now

    def trace(self) -> NormTrace:
        return NormTrace(np.array(self.norm), np.array(self.step), np.array(self.cosine), np.array(self.rate), MIX_MOMENTUM, MIX_DECAY)


def _cross_entropy(logits: Floats, label: NDArray[np.int64]) -> tuple[float, Floats]:
    """The mean cross entropy and the probabilities (n, J)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    total = np.log(np.sum(np.exp(shifted), axis=1))
    return float(np.mean(total - shifted[np.arange(len(label)), label])), np.exp(shifted - total[:, None])


def _in_batches(work: Callable[[Features], Floats], data: Dataset) -> Floats:
    """``work`` on a few hundred windows at a time, to keep memory small."""
    series, scalars = data.features.series, data.features.scalars
    return np.concatenate([work(Features(series[i : i + BATCH], scalars[i : i + BATCH])) for i in range(0, len(data), BATCH)])


def _ignore(stage: str, done: int, total: int | None) -> None:
    """Progress that nobody watches."""


def _draw(seed: np.random.SeedSequence, n_paths: int, workers: int, tell: Progress) -> Dataset:
    """The dataset of one seed, drawn in chunks by worker processes (in this process where there are fewer than two)."""
    sizes = [min(CHUNK_PATHS, n_paths - start) for start in range(0, n_paths, CHUNK_PATHS)]
    jobs = list(zip(seed.spawn(len(sizes)), sizes, strict=True))
    parts = []
    if workers < 2:
        for job in jobs:
            parts.append(_draw_job(job))
            tell("drawing", len(parts), len(jobs))
        return join_datasets(parts)
    with get_context("spawn").Pool(workers) as pool:
        for part in pool.imap(_draw_job, jobs):
            parts.append(part)
            tell("drawing", len(parts), len(jobs))
    return join_datasets(parts)


def _draw_job(job: tuple[np.random.SeedSequence, int]) -> Dataset:
    return draw_dataset(*job)


def _fade(done: float) -> float:
    """One cycle of the learning rate, as a share of its height: a short rise, then half a cosine."""
    if done < WARM_UP:
        return done / WARM_UP + LEAST_RATE
    return 0.5 * (1.0 + float(np.cos(np.pi * (done - WARM_UP) / (1.0 - WARM_UP)))) + LEAST_RATE


def _share(flags: NDArray[np.bool_]) -> float:
    return float(flags.mean()) if len(flags) else float("nan")
