"""Trains the neural rivals of `ns benchmark` on growing numbers of tracks, so that nobody beats an under-trained net.

Every (net, size, seed) is one run: AdamW (Loshchilov & Hutter 2019) under a warm-up and half a cosine, gradients clipped, stopped early on
validation tracks. A finished run is a row of JSON and a file of weights in the work folder and is never made twice; an interrupted one
goes on from its last checkpoint to the same result. The mean is trained on what is judged: the roll-out's rms error as a share of the
unseen path, over a quarter, half and all of it. The sigma is trained apart, by the likelihood of Student's t about that mean.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..baselines.networks import FACTORS, HORIZON_EDGES, KINDS, LEVELS
from ..baselines.sequence import GRID, MIRROR_SCALARS, MIRROR_SERIES, Floats32
from ..errors import UsageError
from ..files import replacing
from ..physics.models import PATTERNS
from ..synth import seeds
from ..types import Floats, Progress
from .cards import pack_safetensors
from .rival_data import BLOCK, HORIZONS, LOOKS, RIVALS, RivalData, load_tracks

if TYPE_CHECKING:
    from torch import Tensor, nn

SIZES = (100, 300, 1000, 3000, 10_000, 25_000, 50_000)
SEVERAL_SEEDS, MOST_FOR_SEVERAL = 3, 10_000
"""Runs of each size up to this one; larger ones are made once. The runs of a size learn from different tracks."""
VALIDATION_TRACKS = 2000
LARGEST_EPOCHS, EPOCHS_AT = 16, 50_000
EPOCHS_POWER = 1 / 3
"""Epochs go as size^(-1/3) from 16 at 50,000 (127 at 100): steps still grow with the size."""
BATCH, FEWEST_STEPS = {"gru": 64, "tcn": 64, "neural_ode": 128}, 8
"""Smaller batches learn faster for each track, but the neural ODE's hundreds of small operations cost nearly as much for 64 as for 128. Small
sets are cut into at least eight batches."""
RATE, WEIGHT_DECAY, CLIP = 3e-3, 1e-3, 1.0
"""Between 2e-3 and 4e-3, of which the TCN learned 3,000 tracks the better by the latter (validation loss 1.82 against 1.85)."""
WARM_UP, LEAST_RATE = 0.03, 0.01
"""Shares of the training and of the rate."""
PATIENCE = 0.3
"""Of the planned epochs without a better validation error, after which a run stops."""
EASY_SHARE = 0.01
"""The mean's loss is log(1 + share / 0.01): linear in errors below a hundredth of the path, relative above, so that hopeless tracks do not
drown the others."""
SIGMA_WEIGHT, SIGMA_DOF = 0.1, 4.0
SMALLEST_LENGTH = 0.02
"""Of the observed extent: an unseen path shorter than this is taken to be this long."""
EVALUATION_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One finished training: what it was and how its validation tracks were forecast.

    ``error`` is the median rms as a share of the unseen path, ``loss`` what early stopping watched; ``median`` and ``tail`` (90th percentile)
    are by pattern.
    """

    kind: str
    size: int
    seed: int
    parameters: int
    epochs: int
    best_epoch: int
    seconds: float
    loss: float
    error: float
    median: dict[str, float]
    tail: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is trained from how much; the defaults are the full run."""

    sizes: tuple[int, ...] = SIZES
    kinds: tuple[str, ...] = KINDS
    validation_tracks: int = VALIDATION_TRACKS
    several_seeds: int = SEVERAL_SEEDS
    epochs_scale: float = 1.0
    block: int = BLOCK
    workers: int = 2


def train_rivals(out: Path, work: Path, *, seed: int = 0, plan: Plan | None = None, progress: Progress | None = None) -> list[Run]:
    """Train all nets of the plan and write the largest of each kind to the folder ``out``, a card beside it.

    Args:
        out: folder for {gru,tcn,neural_ode}.safetensors and .toml.
        work: folder for tracks, checkpoints and finished runs; the same folder resumes.
        seed: of the nets' first weights and the order of learning; the tracks are always the same.
        plan: what to train.
        progress: told about blocks drawn and epochs made.

    Raises:
        UsageError: torch is not installed.
    """
    _check_torch()
    plan, tell = plan or Plan(), progress or _ignore
    work.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    jobs = [(kind, size, run) for size in plan.sizes for run in range(_runs(size, plan)) for kind in plan.kinds]
    most = max(size * _runs(size, plan) for size in plan.sizes)
    load_tracks(work, "training", most, block=plan.block, workers=plan.workers, progress=tell)
    load_tracks(work, "validation", plan.validation_tracks, block=plan.block, workers=plan.workers, progress=tell)
    waiting = [(work, plan, seed, *job) for job in jobs if not _row_file(work, *job, seed).exists()]
    if plan.workers < 2 or len(waiting) < 2:
        for job in waiting:
            _train_job(job, tell)
    else:
        with get_context("spawn").Pool(plan.workers) as pool:
            for done, _ in enumerate(pool.imap(_train_job, waiting[::-1]), 1):  # the longest first, or one worker idles at the end
                tell("training rivals", done, len(waiting))
    runs = [read_run(_row_file(work, *job, seed)) for job in jobs]
    for kind in plan.kinds:
        write_rival(out, work, kind, runs, seed, plan.block)
    return runs


def read_run(file: Path) -> Run:
    """A finished run."""
    return Run(**json.loads(file.read_text(encoding="utf-8")))


def write_rival(out: Path, work: Path, kind: str, runs: Sequence[Run], seed: int, block: int = BLOCK) -> None:
    """The run of one kind with the most tracks (of several, the best on the validation tracks) to ``out``, its card beside it."""
    own = [run for run in runs if run.kind == kind]
    best = min((run for run in own if run.size == max(r.size for r in own)), key=lambda run: run.loss)
    blob = _row_file(work, kind, best.size, best.seed, seed).with_suffix(".safetensors").read_bytes()
    with replacing(out / f"{kind}.safetensors", force=True) as file, replacing(out / f"{kind}.toml", force=True) as card:
        file.write_bytes(blob)
        card.write_text(card_text(best, own, seed, block), encoding="utf-8")


def card_text(best: Run, runs: Sequence[Run], seed: int, block: int = BLOCK) -> str:
    """The card of a net as TOML: what it is, what it learned from, how well it does, and the learning curve of its kind."""
    curve = {size: float(np.mean([run.error for run in runs if run.size == size])) for size in sorted({run.size for run in runs})}
    sizes = list(curve)
    first, last = best.seed * best.size // block, ((best.seed + 1) * best.size - 1) // block
    lines = [
        f'kind = "{best.kind}"', f"parameters = {best.parameters}", f"seed = {seed}", f"run = {best.seed}", f"tracks = {best.size}",
        f"looks_at_each = {LOOKS}", f"epochs = {best.epochs}", f"best_epoch = {best.best_epoch}", f"seconds = {best.seconds:.0f}",
        f'data = "all patterns equally, drawn by newtonscheme.learning.rival_data, {block} tracks from each seed"',
        f"entropy_first = {seeds.entropy_words('training', RIVALS, first)}", f"entropy_last = {seeds.entropy_words('training', RIVALS, last)}",
        f"entropy_validation = {seeds.entropy_words('validation', RIVALS, 0)}", "", "[validation]",
        f"error = {best.error:.5f} # median rms as a share of the unseen path", f"loss = {best.loss:.5f}",
        *(f"{name} = {{ median = {best.median[name]:.5f}, tail = {best.tail[name]:.5f} }}" for name in best.median), "", "[learning_curve]",
        f"tracks = {sizes}", f"runs = {[sum(run.size == size for run in runs) for size in sizes]}",
        f"error = [{', '.join(f'{value:.5f}' for value in curve.values())}]",
    ]  # fmt: skip
    if len(sizes) > 1:
        doublings = np.log2(sizes[-1] / sizes[-2])
        gain = 1.0 - (curve[sizes[-1]] / curve[sizes[-2]]) ** (1.0 / doublings)
        lines.append(f"gain_of_last_doubling = {gain:.4f} # of the error, from {sizes[-2]} to {sizes[-1]} tracks, for each doubling")
    return "\n".join(lines) + "\n"


def train_network(
    kind: str, data: RivalData, validation: RivalData, *, seed: int, epochs: int, checkpoint: Path | None = None, progress: Progress | None = None
) -> tuple[dict[str, Floats32], Run]:
    """A net of one kind after at most ``epochs`` over the data, with the weights of its best validation and its band's factors.

    Deterministic for a seed on one machine. Where ``checkpoint`` exists the training goes on from it, to the result that it would have had.
    """
    import torch

    _check_torch()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a second one gains a third on idle cores and loses ten times over on busy ones
    try:
        with torch.random.fork_rng(devices=[]):
            trainer = _Trainer(kind, data, validation, seed, epochs)
            if checkpoint is not None and checkpoint.exists():
                trainer.restore(torch.load(checkpoint, weights_only=True))
            while not trainer.finished:
                trainer.learn_epoch()
                if checkpoint is not None and trainer.evaluated:
                    with replacing(checkpoint, force=True) as file:
                        torch.save(trainer.state(), file)
                (progress or _ignore)(f"training {kind} on {len(data)} tracks", trainer.epoch, epochs)
            return trainer.result()
    finally:
        torch.set_num_threads(threads)


class _Trainer:
    """A net on its way: everything that a checkpoint must hold."""

    def __init__(self, kind: str, data: RivalData, validation: RivalData, seed: int, epochs: int) -> None:
        import torch

        from ..baselines.architectures import build

        self.kind, self.data, self.validation, self.seed, self.epochs = kind, data, validation, seed, epochs
        torch.manual_seed(seed)
        self.network = build(kind)
        self.adam = torch.optim.AdamW(self.network.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
        self.batch = max(min(BATCH[kind], len(data) // FEWEST_STEPS), 1)
        self.steps = max(len(data) // self.batch, 1)
        self.every = max(1, round(len(validation) / len(data)))
        self.epoch, self.best_epoch, self.best_loss, self.seconds = 0, 0, float("inf"), 0.0
        self.best = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.evaluated = False

    @property
    def finished(self) -> bool:
        waited = self.epoch - self.best_epoch
        return self.epoch >= self.epochs or waited > max(PATIENCE * self.epochs, 2 * self.every)

    def learn_epoch(self) -> None:
        import torch

        began, rng = time.perf_counter(), np.random.default_rng((self.seed, self.epoch))
        order, look = rng.permutation(len(self.data)), rng.integers(LOOKS, size=len(self.data))
        flip = rng.random(len(self.data)) < 0.5
        self.network.train()
        for step in range(self.steps):
            for group in self.adam.param_groups:
                group["lr"] = RATE * _fade((self.epoch * self.steps + step) / (self.epochs * self.steps))
            rows = order[step * self.batch : (step + 1) * self.batch]
            loss = _loss(self.network, _take(self.data, rows, look[rows], flip[rows]))
            self.adam.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
            self.adam.step()
        self.epoch += 1
        self.evaluated = self.epoch % self.every == 0 or self.epoch == self.epochs
        if self.evaluated:
            loss_now = float(np.mean(np.log1p(judge(self.network, self.validation)[:, -1] / EASY_SHARE)))
            if loss_now < self.best_loss:
                self.best_loss, self.best_epoch = loss_now, self.epoch
                self.best = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.seconds += time.perf_counter() - began

    def state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(), "adam": self.adam.state_dict(), "best": self.best, "epoch": self.epoch,
            "best_epoch": self.best_epoch, "best_loss": self.best_loss, "seconds": self.seconds,
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.adam.load_state_dict(state["adam"])
        for name in ("best", "epoch", "best_epoch", "best_loss", "seconds"):
            setattr(self, name, state[name])

    def result(self) -> tuple[dict[str, Floats32], Run]:
        self.network.load_state_dict(self.best)
        self.network.eval()
        share = judge(self.network, self.validation)[:, -1]
        tensors = {name: value.numpy().copy() for name, value in self.network.state_dict().items()}
        tensors[FACTORS] = calibrate_bands(self.network, self.validation).astype(np.float32)
        of = {pattern: share[self.validation.pattern == i] for i, pattern in enumerate(PATTERNS) if np.any(self.validation.pattern == i)}
        return tensors, Run(
            kind=self.kind, size=len(self.data), seed=self.seed, parameters=sum(p.numel() for p in self.network.parameters()), epochs=self.epoch,
            best_epoch=self.best_epoch, seconds=self.seconds, loss=self.best_loss, error=float(np.median(share)),
            median={pattern: float(np.median(values)) for pattern, values in of.items()},
            tail={pattern: float(np.quantile(values, 0.9)) for pattern, values in of.items()},
        )  # fmt: skip


def judge(network: nn.Module, data: RivalData, look: int = 0) -> Floats:
    """(N, 3) rms error as a share of the unseen path, over each of `HORIZONS` of it."""
    parts = []
    for batch, mean, _ in _answers(network, data, look):
        parts.append(_shares(mean, batch).numpy().astype(np.float64))
    return np.concatenate(parts)


def calibrate_bands(network: nn.Module, data: RivalData) -> Floats:
    """(6, 6, 2) split-conformal factors (Vovk et al. 2005): quantiles of the error in sigmas, by level, horizon and axis.

    From the second looks; early stopping used the first.
    """
    errors, inside = [], []
    for batch, mean, log_sigma in _answers(network, data, LOOKS - 1):
        errors.append(((mean - batch.target).abs() / log_sigma.exp()).numpy().astype(np.float64))
        inside.append(batch.end[:, None].numpy() >= GRID)
    ratio, seen = np.concatenate(errors), np.concatenate(inside)
    factors = np.empty((len(LEVELS), len(HORIZON_EDGES) - 1, 2))
    for j, (low, high) in enumerate(pairwise(HORIZON_EDGES)):
        rows = seen & (low <= GRID) & (high > GRID)
        tracks = max(int(rows.any(axis=1).sum()), 1)
        for i, level in enumerate(LEVELS):
            share = min(np.ceil((tracks + 1) * level) / tracks, 1.0)
            factors[i, j] = np.quantile(ratio[rows], share, axis=0) if np.any(rows) else factors[i, j - 1]
    return factors


@dataclass(frozen=True, slots=True)
class _Batch:
    """Tensors of some questions."""

    series: Tensor
    scalars: Tensor
    curves: Tensor
    target: Tensor
    end: Tensor
    lengths: Tensor


def _take(data: RivalData, rows: NDArray[np.int64], look: NDArray[np.int64], flip: NDArray[np.bool_] | None = None) -> _Batch:
    """One look at each of the chosen tracks, some in a mirror."""
    import torch

    mirrored = np.zeros(len(rows), bool) if flip is None else flip
    axes = np.where(mirrored[:, None], np.array([-1.0, 1.0]), 1.0).astype(np.float32)
    series = data.series[rows, look] * np.where(mirrored[:, None], MIRROR_SERIES, np.float32(1.0))[:, None]
    scalars = data.scalars[rows, look] * np.where(mirrored[:, None], MIRROR_SCALARS, np.float32(1.0))
    arrays = (
        series, scalars, data.curves[rows, look] * axes[:, None, None], data.target[rows, look] * axes[:, None], data.end[rows, look],
        data.lengths[rows, look],
    )  # fmt: skip
    return _Batch(*(torch.from_numpy(np.ascontiguousarray(a, dtype=np.float32)) for a in arrays))


def _answers(network: nn.Module, data: RivalData, look: int) -> list[tuple[_Batch, Tensor, Tensor]]:
    import torch

    network.eval()
    answers = []
    with torch.no_grad():
        for start in range(0, len(data), EVALUATION_BATCH):
            rows = np.arange(start, min(start + EVALUATION_BATCH, len(data)))
            batch = _take(data, rows, np.full(len(rows), look))
            answers.append((batch, *network(batch.series, batch.scalars, batch.curves)))
    return answers


def _loss(network: nn.Module, batch: _Batch) -> Tensor:
    """The judged error, and the likelihood of sigma about a mean that it does not move."""
    mean, log_sigma = network(batch.series, batch.scalars, batch.curves)
    judged = (_shares(mean, batch) / EASY_SHARE).log1p().mean()
    z = (mean.detach() - batch.target) / log_sigma.exp()
    surprise = log_sigma + 0.5 * (SIGMA_DOF + 1.0) * (z.square() / SIGMA_DOF).log1p()
    return judged + SIGMA_WEIGHT * (_time_weights(batch)[:, -1, :, None] * surprise).sum(dim=(1, 2)).mean()


def _shares(mean: Tensor, batch: _Batch) -> Tensor:
    """(B, 3) rms error over each of the horizons, as a share of the unseen path up to there."""
    square = (mean - batch.target).square().sum(dim=2)
    rms = (_time_weights(batch) * square[:, None]).sum(dim=2).add(1e-10).sqrt()
    return rms / batch.lengths.clamp_min(SMALLEST_LENGTH)


def _time_weights(batch: _Batch) -> Tensor:
    """(B, 3, 72) weights of the grid's times, even in time up to each horizon, that add up to one."""
    import torch

    spacing = torch.from_numpy(np.gradient(GRID).astype(np.float32))
    reach = batch.end[:, None, None] * torch.tensor(HORIZONS)[:, None]
    weights = spacing * (torch.tensor(GRID, dtype=torch.float32) <= reach)
    return weights / weights.sum(dim=2, keepdim=True)


def _fade(done: float) -> float:
    """The learning rate as a share of its height: a short rise, then half a cosine."""
    if done < WARM_UP:
        return done / WARM_UP + LEAST_RATE
    return 0.5 * (1.0 + float(np.cos(np.pi * (done - WARM_UP) / (1.0 - WARM_UP)))) + LEAST_RATE


def _train_job(job: tuple[Path, Plan, int, str, int, int], tell: Progress | None = None) -> None:
    """One run from its tracks to its row."""
    work, plan, seed, kind, size, number = job
    data = load_tracks(work, "training", size, first=number * size, block=plan.block, workers=1)
    validation = load_tracks(work, "validation", plan.validation_tracks, block=plan.block, workers=1)
    row = _row_file(work, kind, size, number, seed)
    epochs = max(round(plan.epochs_scale * LARGEST_EPOCHS * (EPOCHS_AT / size) ** EPOCHS_POWER), 1)
    own = int(np.random.SeedSequence((seed, number, size, KINDS.index(kind))).generate_state(1)[0])
    tensors, run = train_network(kind, data, validation, seed=own, epochs=epochs, checkpoint=row.with_suffix(".pt"), progress=tell)
    with replacing(row.with_suffix(".safetensors"), force=True) as file:
        file.write_bytes(pack_safetensors(tensors))
    with replacing(row, force=True) as file:
        file.write_text(json.dumps(asdict(replace(run, seed=number)), indent=1), encoding="utf-8")
    row.with_suffix(".pt").unlink(missing_ok=True)


def _row_file(work: Path, kind: str, size: int, number: int, seed: int) -> Path:
    return work / f"{kind}-{size}-{number}-seed{seed}.json"


def _runs(size: int, plan: Plan) -> int:
    return plan.several_seeds if size <= MOST_FOR_SEVERAL else 1


def _check_torch() -> None:
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise UsageError("training needs torch, which is not installed; run: pip install 'newtonscheme[learn]'")


def _ignore(stage: str, done: int, total: int | None) -> None:
    """Progress that nobody watches."""
