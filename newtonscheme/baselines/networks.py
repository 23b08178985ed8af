"""The neural rivals as forecasters: shipped weights, one encoded track in, a forecast with a conformally calibrated band out.

Trained by `newtonscheme.learning.rivals`; the cards beside the weights say on what, for how long and how well. torch and safetensors are
in the extra `learn` and are imported when the first question is asked.
"""

from __future__ import annotations

from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UsageError
from ..types import Floats, Forecast, Refusal
from .forecaster import Question, make_forecast
from .sequence import FEWEST_SAMPLES, GRID, Encoding, Floats32, decode, encode

if TYPE_CHECKING:
    from torch import nn

KINDS = ("gru", "tcn", "neural_ode")
FOLDER = Path(__file__).resolve().parents[1] / "weights" / "rivals"
NEEDED = ("torch", "safetensors")
FACTORS = "band.factors"
"""The tensor of band factors that lies with a net's weights."""
LEVELS = (0.5, 0.68, 0.8, 0.9, 0.95, 0.99)
"""At which bands were calibrated; between them the factor goes linearly with the normal quantile."""
HORIZON_EDGES = (0.0, 0.1, 0.3, 0.6, 1.0, 2.0, 4.0)
"""Relative times between which one factor holds; between their middles it goes linearly with the time."""


class Rival:
    """A trained net; subclasses say which. ``weights`` names another file than the one that ships."""

    kind: str

    def __init__(self, weights: Path | None = None) -> None:
        self._weights = FOLDER / f"{self.kind}.safetensors" if weights is None else weights

    @property
    def name(self) -> str:
        """The row of the table."""
        return self.kind

    def available(self) -> bool:
        """Whether torch, safetensors and the weights are all there."""
        return all(find_spec(module) is not None for module in NEEDED) and self._weights.is_file()

    def forecast(self, question: Question) -> Forecast | Refusal:
        """The net's answer, calibrated; refused below `FEWEST_SAMPLES` samples. Raises UsageError where the net is not `available`."""
        if len(question.observed) < FEWEST_SAMPLES:
            return Refusal("too_short", f"{len(question.observed)} samples: {FEWEST_SAMPLES} are needed")
        encoding = encode(question)
        network, factors = self._loaded
        mean, log_sigma = answer(network, encoding)
        centre, sigma = decode(encoding, mean, np.exp(log_sigma), question.t)
        half = sigma * interpolate_factors(factors, question.level, (question.t - encoding.t) / encoding.duration)
        if not (np.all(np.isfinite(centre)) and np.all(np.isfinite(half))):
            return Refusal("no_answer", "the net's answer is not finite")
        quantile = NormalDist().inv_cdf(0.5 + 0.5 * question.level)
        return make_forecast(question, centre, half / quantile, quantile)

    @cached_property
    def _loaded(self) -> tuple[nn.Module, Floats]:
        return load_network(self.kind, self._weights)


class Gru(Rival):
    """GRU encoder, autoregressive decoder."""

    kind = "gru"


class Tcn(Rival):
    """Temporal convolutional network, direct answer."""

    kind = "tcn"


class NeuralOde(Rival):
    """Second-order neural ODE in a context."""

    kind = "neural_ode"


def load_network(kind: str, weights: Path) -> tuple[nn.Module, Floats]:
    """The net in evaluation mode and its band factors (6 levels, 6 horizons, 2 axes).

    Raises UsageError where the file is missing, not safetensors, or does not hold exactly the tensors of this kind of net; also where
    torch or safetensors is not installed.
    """
    missing = [module for module in NEEDED if find_spec(module) is None]
    if missing:
        raise UsageError(f"the {kind} rival needs {' and '.join(missing)}, not installed; run: pip install 'newtonscheme[learn]'")
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from .architectures import build

    try:
        tensors = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"cannot read '{weights.name}' as the {kind} rival's weights: {str(error).splitlines()[0]}; train them again") from error
    network = build(kind)
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    wanted[FACTORS] = (len(LEVELS), len(HORIZON_EDGES) - 1, 2)
    if {name: tuple(value.shape) for name, value in tensors.items()} != wanted:
        raise UsageError(f"'{weights.name}' does not hold the tensors of the {kind} rival; train it again")
    factors = tensors.pop(FACTORS).numpy().astype(np.float64)
    network.load_state_dict(tensors)
    network.eval()
    return network, factors


def answer(network: nn.Module, encoding: Encoding) -> tuple[Floats, Floats]:
    """Mean and log-sigma (72, 2), normalised, of one encoded track; on one thread, whatever torch is set to."""
    import torch

    def batch(values: Floats32) -> torch.Tensor:
        return torch.from_numpy(values[None])

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # waking a second one costs more than the work
    try:
        with torch.inference_mode():
            mean, log_sigma = network(batch(encoding.series), batch(encoding.scalars), batch(encoding.curves))
    finally:
        torch.set_num_threads(threads)
    return mean[0].numpy().astype(np.float64), log_sigma[0].numpy().astype(np.float64)


def interpolate_factors(factors: Floats, level: float, tau: Floats) -> Floats:
    """(h, 2) half-widths of the band in the net's own sigmas, at a level and relative times."""
    z = np.array([NormalDist().inv_cdf(0.5 + 0.5 * known) for known in LEVELS])
    wanted = NormalDist().inv_cdf(0.5 + 0.5 * level)
    inside = float(np.clip(wanted, z[0], z[-1]))
    at_level = np.apply_along_axis(lambda column: np.interp(inside, z, column), 0, factors) * (wanted / inside)
    edges = np.array(HORIZON_EDGES)
    middles = 0.5 * (edges[1:] + edges[:-1])
    return np.stack([np.interp(np.minimum(tau, GRID[-1]), middles, at_level[:, axis]) for axis in range(2)], axis=1)
