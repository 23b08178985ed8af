"""Who takes part: every rival that can run here, ours, and what is known of the weights that some of them carry."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..baselines.forecaster import Forecaster
from ..estimation.recognition import DEFAULT_WEIGHTS
from .ours import OURS, NewtonScheme

RIVAL_WEIGHTS = DEFAULT_WEIGHTS.parent / "rivals"
HOW_TO_LEARN = "pip install 'newtonscheme[learn]'"


@dataclass(frozen=True, slots=True)
class Roster:
    """Forecasters in the order of the tables, ours last; why others are left out; the cards and the bytes of the weights, by name."""

    forecasters: tuple[Forecaster, ...]
    left_out: Mapping[str, str]
    cards: Mapping[str, Mapping[str, Any]]
    weights_bytes: Mapping[str, int]


def call_roster(folder: str | None = None) -> Roster:
    """Everyone who can run here.

    Args:
        folder: of the neural rivals' weights; those that ship where None.
    """
    from ..baselines.kalman import KalmanConstantAcceleration, KalmanConstantVelocity
    from ..baselines.polynomial import FreeCubic, FreeQuadratic, LastVelocity

    simple: tuple[Forecaster, ...] = (LastVelocity(), FreeQuadratic(), FreeCubic(), KalmanConstantVelocity(), KalmanConstantAcceleration())
    weights = RIVAL_WEIGHTS if folder is None else Path(folder)
    learned, left_out = _call_learned(weights)
    files = {name: weights / f"{name}.safetensors" for name in (rival.name for rival in learned)} | {OURS: DEFAULT_WEIGHTS}
    files = {name: file for name, file in files.items() if file.is_file()}
    return Roster(
        forecasters=(*simple, *learned, NewtonScheme()), left_out=left_out, cards={name: _read_card(file) for name, file in files.items()},
        weights_bytes={name: file.stat().st_size for name, file in files.items()},
    )  # fmt: skip


def _call_learned(weights: Path) -> tuple[tuple[Forecaster, ...], dict[str, str]]:
    """SINDy and the neural rivals: those whose packages and weights are here, and how to get the others."""
    from ..baselines import sindy
    from ..baselines.networks import Gru, NeuralOde, Tcn

    networks = [kind(weights / f"{kind.kind}.safetensors") for kind in (Gru, Tcn, NeuralOde)]
    rivals: list[tuple[Forecaster, bool]] = [(sindy.Sindy(), sindy.available()), *((network, network.available()) for network in networks)]
    here = tuple(rival for rival, available in rivals if available)
    return here, {rival.name: f"its packages or weights are not here; run: {HOW_TO_LEARN}" for rival, available in rivals if not available}


def _read_card(weights: Path) -> dict[str, Any]:
    """What the weights say of themselves; nothing where no card lies beside them."""
    card = weights.with_suffix(".toml")
    return tomllib.loads(card.read_text(encoding="utf-8")) if card.is_file() else {}
