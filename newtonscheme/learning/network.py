"""The recogniser's network in torch: the same function as `newtonscheme.estimation.recognition.forward`, with gradients.

One linear layer without a bias feeds the layer normalisation: scaling its weights changes nothing, so their squared norm is the Noether
charge whose course `newtonscheme.learning.dynamics` predicts.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..estimation.features import SCALARS, SERIES, Floats32
from ..estimation.recognition import LAYERS, NORM_EPSILON, STRIDE

CHANNELS = (32, 48, 48)
KERNELS = (5, 5, 3)
DENSE, MIX, HIDDEN = 96, 96, 48


class Network(nn.Module):
    """Logits (B, J) of windows: series (B, C, L) and scalars (B, S)."""

    def __init__(self, n_labels: int, dropout: float = 0.0) -> None:
        super().__init__()
        sizes = (len(SERIES), *CHANNELS)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(sizes[i], sizes[i + 1], KERNELS[i], stride=STRIDE if i < 2 else 1, padding=KERNELS[i] // 2) for i in range(3)
        )
        self.dense = nn.Linear(len(SCALARS), DENSE)
        self.mix = nn.Linear(2 * CHANNELS[-1] + DENSE, MIX, bias=False)
        self.norm = nn.LayerNorm(MIX, eps=NORM_EPSILON)
        self.hidden = nn.Linear(MIX, HIDDEN)
        self.head = nn.Linear(HIDDEN, n_labels)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("series_scale", torch.ones(len(SERIES)))
        self.register_buffer("scalars_mean", torch.zeros(len(SCALARS)))
        self.register_buffer("scalars_scale", torch.ones(len(SCALARS)))

    def forward(self, series: Tensor, scalars: Tensor) -> Tensor:
        """Logits of windows as they are (no mirror)."""
        x = series / self.series_scale[:, None]
        for convolution in self.convolutions:
            x = functional.relu(convolution(x))
        dense = functional.relu(self.dense((scalars - self.scalars_mean) / self.scalars_scale))
        mixed = self.norm(self.mix(self.dropout(torch.cat([x.mean(dim=2), x.amax(dim=2), dense], dim=1))))
        return self.head(functional.relu(self.hidden(functional.relu(mixed))))

    def standardise(self, series: Floats32, scalars: Floats32) -> None:
        """Take the scales of the inputs from data: series keep their sign and zero, so that a mirror stays a mirror."""
        self.series_scale = torch.from_numpy(np.sqrt(np.mean(series.astype(np.float64) ** 2, axis=(0, 2)) + 1e-6).astype(np.float32))
        self.scalars_mean = torch.from_numpy(scalars.mean(axis=0))
        self.scalars_scale = torch.from_numpy(scalars.std(axis=0) + np.float32(1e-3))

    def tensors(self) -> Mapping[str, Floats32]:
        """The weights by the names of `recognition.LAYERS`."""
        state = {name.replace("convolutions.", "conv"): value.detach().numpy() for name, value in self.state_dict().items()}
        for i in (2, 1, 0):
            for part in ("weight", "bias"):
                state[f"conv{i + 1}.{part}"] = state[f"conv{i}.{part}"]
        for group in ("series_scale", "scalars_mean", "scalars_scale"):
            state[group.replace("_", ".")] = state[group]
        return {name: np.ascontiguousarray(state[name], dtype=np.float32) for name in LAYERS}
