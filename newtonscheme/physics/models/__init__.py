"""The registry of force patterns: one name is the file, the command-line word, the label in the weights and the key in the report."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType

from ..force import ForceModel

PATTERNS = (
    "free_fall",
    "pendulum",
    "curving_ball",
)

FORCE_MODELS: MappingProxyType[str, ForceModel] = MappingProxyType({name: import_module(f"{__name__}.{name}").MODEL for name in PATTERNS})
FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(model.family for model in FORCE_MODELS.values()))
"""What the recogniser can tell apart: patterns whose paths differ only in detail share a family."""
