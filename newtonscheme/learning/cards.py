"""Writes a recogniser: tensors as safetensors, and a TOML card that says what they are, what they saw and how well they do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..estimation.features import FEATURES_VERSION, Floats32
from ..files import replacing
from .dynamics import NormTrace, charge_imbalance, equilibrium_angle

SUFFIX = ".safetensors"
SETTLED = (0.4, 0.6)
"""The share of the training over which the turning of the scale-invariant weights is compared with its equilibrium: grown, not yet faded."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Held-out results. *Shown* windows are those whose motion can be told from a uniform one (see `dataset.SHOWN_SIGMAS`).

    ``accuracy`` is over all windows, ``class_accuracy`` (by label), ``pattern_accuracy`` (by known pattern), ``refusal`` (by family of
    unknown motion) and ``confusion`` (truth by row, in the labels' order) over shown ones; ``confidence_short`` is the mean best
    probability of the others; ``calibration_error`` and ``cross_entropy`` are over all.
    """

    accuracy: float
    accuracy_shown: float
    class_accuracy: Mapping[str, float]
    pattern_accuracy: Mapping[str, float]
    refusal: Mapping[str, float]
    calibration_error: float
    confidence_short: float
    cross_entropy: float
    confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingCard:
    """What was trained: labels, seed, paths and windows of the three parts (training, calibration, held out), scores, norm dynamics."""

    labels: tuple[str, ...]
    seed: int
    paths: tuple[int, ...]
    windows: tuple[int, ...]
    epochs: int
    scores: Scores
    trace: NormTrace
    sha256: str = ""
    parameters: int = 0

    def text(self) -> str:
        """The card as TOML."""
        trace, scores = self.trace, self.scores
        middle = slice(int(SETTLED[0] * len(trace.rate)), int(SETTLED[1] * len(trace.rate)) + 1)
        expected = equilibrium_angle(float(np.mean(trace.rate[middle])), trace.momentum, trace.decay)
        tables: dict[str, Mapping[str, object]] = {
            "": {
                "labels": list(self.labels), "features_version": FEATURES_VERSION, "sha256": self.sha256, "parameters": self.parameters,
                "seed": self.seed, "epochs": self.epochs, "paths": list(self.paths), "windows": list(self.windows),
                "data": "paths drawn by every pattern's own draw and by the unknown motions, splices and counterfeits of "
                "newtonscheme.learning.dataset, in three parts with seeds of their own: training, calibration, held out",
            },
            "held_out": {
                "accuracy": scores.accuracy, "accuracy_shown": scores.accuracy_shown, "calibration_error": scores.calibration_error,
                "cross_entropy": scores.cross_entropy, "confidence_not_shown": scores.confidence_short,
                "confusion_shown": [list(row) for row in scores.confusion],
            },
            "held_out.class_accuracy_shown": scores.class_accuracy,
            "held_out.pattern_accuracy_shown": scores.pattern_accuracy,
            "held_out.refusal_shown": scores.refusal,
            "norm_dynamics": {
                "squared_norm_first": float(trace.squared_norm[0]), "squared_norm_last": float(trace.squared_norm[-1]),
                "largest_charge_imbalance": float(np.max(np.abs(charge_imbalance(trace)))),
                "angle_per_step": float(np.mean(trace.angle[middle])), "angle_per_step_at_equilibrium": expected,
            },
        }  # fmt: skip
        return "\n".join(_table(name, table) for name, table in tables.items())


def write_recogniser(out: Path, tensors: Mapping[str, Floats32], card: TrainingCard, *, force: bool = False) -> TrainingCard:
    """Weights to ``out`` and the card beside it, each whole or not at all; returns the card with the weights' digest.

    Raises UsageError unless ``out`` ends in .safetensors and can be written.
    """
    if out.suffix != SUFFIX:
        raise UsageError(f"cannot write weights to '{out.name}': the name must end in {SUFFIX}")
    blob = pack_safetensors(tensors)
    card = replace(card, sha256=sha256(blob).hexdigest(), parameters=sum(t.size for t in tensors.values()))
    with replacing(out, force=force) as file, replacing(out.with_suffix(".toml"), force=force) as beside:
        file.write_bytes(blob)
        beside.write_text(card.text(), encoding="utf-8")
    return card


def pack_safetensors(tensors: Mapping[str, Floats32]) -> bytes:
    """F32 tensors in the safetensors format: header length, JSON header padded to eight bytes, data in the header's order."""
    header, start = {}, 0
    for name in sorted(tensors):
        end = start + 4 * tensors[name].size
        header[name] = {"dtype": "F32", "shape": list(tensors[name].shape), "data_offsets": [start, end]}
        start = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    data = b"".join(np.ascontiguousarray(tensors[name], dtype="<f4").tobytes() for name in sorted(tensors))
    return len(text).to_bytes(8, "little") + text + data


def _table(name: str, table: Mapping[str, object]) -> str:
    lines = [f"[{name}]"] if name else []
    return "\n".join([*lines, *(f"{key} = {_value(value)}" for key, value in table.items()), ""])


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if np.isfinite(value) and not f"{value:.6g}".lstrip("-").isdigit() else f"{value:.1f}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return json.dumps(value)
