"""Recognises the family of force patterns behind a stretch of track, or that it is none: proposals for the fit to confirm or overrule.

The network (trained by `newtonscheme.learning`) runs here in plain numpy: three convolutions along the window, their means and maxima
joined with the scalars, one bias-free layer under a layer normalisation (Ba, Kiros & Hinton 2016), and a softmax that was calibrated on
tracks it had not been trained on. Every window is seen twice, the second time in a mirror, and the two answers are averaged, so that
left and right cannot matter.

Weights are a safetensors file (F32 only, read strictly, never pickle) with a TOML card of the same name beside it: the labels, what they
were trained on, and how well they did.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ..errors import StaleWeights, UsageError
from ..physics.models import FAMILIES
from ..types import Floats, Pattern, Track
from .features import FEATURES_VERSION, MIN_SAMPLES, N_NODES, SCALARS, SERIES, Features, Floats32, mirrored, window_features

UNKNOWN = "unknown"
DEFAULT_WEIGHTS = Path(__file__).resolve().parents[1] / "weights" / "recogniser.safetensors"
SHORTEST_WINDOW = 8
"""Samples. Fewer hold a parabola and nothing else."""
WINDOW_GROWTH = 2
"""With half of each window shared with the next, any stretch of n samples holds a window of at least n / 3 of its samples."""
STRIDE = 2
"""Of the first two convolutions."""
NORM_EPSILON = 1e-5
MAX_FILE_BYTES = 1_000_000
"""Five times what a recogniser may weigh; anything larger is another file."""
MAX_HEADER_BYTES = 20_000
MAX_CARD_BYTES = 20_000
"""Ten cards; a TOML reader takes the square of a line's time."""
MOST_LABELS, LONGEST_LABEL = 12, 40
"""Of a strange card's labels in a message, which is one line."""
BATCH = 256
"""Windows in one pass: bounds the memory at a few megabytes."""

LAYERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "series.scale": ("C",), "scalars.mean": ("S",), "scalars.scale": ("S",),
        "conv1.weight": ("a", "C", "i"), "conv1.bias": ("a",),
        "conv2.weight": ("b", "a", "j"), "conv2.bias": ("b",),
        "conv3.weight": ("c", "b", "k"), "conv3.bias": ("c",),
        "dense.weight": ("d", "S"), "dense.bias": ("d",),
        "mix.weight": ("h", "2c+d"), "norm.weight": ("h",), "norm.bias": ("h",),
        "hidden.weight": ("g", "h"), "hidden.bias": ("g",),
        "head.weight": ("J", "g"), "head.bias": ("J",),
    }
)  # fmt: skip
"""The tensors and their shapes. Capitals are given (C series, S scalars, J labels); small letters are the weights' own choice."""


@dataclass(frozen=True, slots=True)
class Recogniser:
    """Frozen weights: ``labels`` (the families, then "unknown"), the tensors of `LAYERS`, and the card as it was written."""

    labels: tuple[str, ...]
    tensors: Mapping[str, Floats32]
    card: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a window of a track looks like: its rows, its first and last time (s), and the recogniser's word."""

    rows: slice
    t0: float
    t1: float
    pattern: Pattern


def load_recogniser(path: Path | str | None = None) -> Recogniser:
    """Weights and card from ``path`` (None: the ones that ship with the package).

    Raises UsageError for a file that is not a recogniser's weights, StaleWeights for one whose labels are not the registered families.
    """
    file = DEFAULT_WEIGHTS if path is None else Path(path)
    blob = _read(file, MAX_FILE_BYTES)
    card = _read_card(file.with_suffix(".toml"), sha256(blob).hexdigest())
    labels = tuple(card["labels"])
    tensors = read_safetensors(blob, str(file))
    _check_shapes(tensors, len(labels), str(file))
    return Recogniser(labels, MappingProxyType(tensors), MappingProxyType(card))


def recognise(recogniser: Recogniser, window: Track) -> Pattern:
    """The family of one stretch of track. Under four samples nothing is known: every label is as likely as any other."""
    if len(window) < MIN_SAMPLES:
        return _pattern(recogniser.labels, np.full(len(recogniser.labels), 1.0 / len(recogniser.labels)))
    return _recognise_windows(recogniser, window, np.arange(len(window))[None])[0]


def propose(recogniser: Recogniser, track: Track) -> tuple[Proposal, ...]:
    """The family of every window of a track: 8, 16, 32 ... samples with half an overlap, up to the whole track."""
    n = len(track)
    if n < MIN_SAMPLES:
        return ()
    proposals = []
    for size in window_sizes(n):
        starts = np.unique(np.append(np.arange(0, n - size + 1, max(size // 2, 1)), n - size))
        rows = starts[:, None] + np.arange(size)
        patterns = _recognise_windows(recogniser, track, rows)
        proposals += [
            Proposal(slice(int(r[0]), int(r[-1]) + 1), float(track.t[r[0]]), float(track.t[r[-1]]), pattern)
            for r, pattern in zip(rows, patterns, strict=True)
        ]
    return tuple(proposals)


def window_sizes(n: int) -> tuple[int, ...]:
    """Lengths of the windows that a track of ``n`` samples is looked at with."""
    sizes = [min(SHORTEST_WINDOW, n)]
    while sizes[-1] < n:
        sizes.append(min(sizes[-1] * WINDOW_GROWTH, n))
    return tuple(sizes)


def probabilities(recogniser: Recogniser, features: Features) -> Floats:
    """(B, J) one probability for each label: the softmax of `mean_logits`."""
    mean = mean_logits(recogniser.tensors, features)
    odds = np.exp(mean - mean.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def mean_logits(tensors: Mapping[str, Floats32], features: Features) -> Floats:
    """(B, J) logits of each window, averaged with those of its mirror image."""
    mirror = mirrored(features)
    both = Features(np.concatenate([features.series, mirror.series]), np.concatenate([features.scalars, mirror.scalars]))
    logits = forward(tensors, both).astype(float)
    return 0.5 * (logits[: len(features.scalars)] + logits[len(features.scalars) :])


def forward(tensors: Mapping[str, Floats32], features: Features) -> Floats32:
    """(B, J) logits of the network for windows as they are (no mirror)."""
    w = tensors
    x: Floats32 = np.swapaxes(features.series, 1, 2) / w["series.scale"]
    x = _relu(_convolve(x, w["conv1.weight"], w["conv1.bias"], STRIDE))
    x = _relu(_convolve(x, w["conv2.weight"], w["conv2.bias"], STRIDE))
    x = _relu(_convolve(x, w["conv3.weight"], w["conv3.bias"], 1))
    scalars: Floats32 = (features.scalars - w["scalars.mean"]) / w["scalars.scale"]
    dense = _relu(scalars @ w["dense.weight"].T + w["dense.bias"])
    mixed = np.concatenate([x.mean(axis=1), x.max(axis=1), dense], axis=1) @ w["mix.weight"].T
    centred = mixed - mixed.mean(axis=1, keepdims=True)
    normed = centred / np.sqrt(np.mean(centred**2, axis=1, keepdims=True) + np.float32(NORM_EPSILON))
    hidden = _relu(_relu(normed * w["norm.weight"] + w["norm.bias"]) @ w["hidden.weight"].T + w["hidden.bias"])
    return hidden @ w["head.weight"].T + w["head.bias"]


def _recognise_windows(recogniser: Recogniser, track: Track, rows: np.ndarray[Any, Any]) -> list[Pattern]:
    """The patterns of windows of one length, ``rows`` (B, n)."""
    patterns: list[Pattern] = []
    sigma = track.sigma_px
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        features = window_features(track.t[part], track.centre_px[part], sigma[part], track.radius_px[part])
        patterns += [_pattern(recogniser.labels, p) for p in probabilities(recogniser, features)]
    return patterns


def _pattern(labels: tuple[str, ...], probability: Floats) -> Pattern:
    by_label = dict(zip(labels, probability.tolist(), strict=True))
    best = max(by_label, key=by_label.__getitem__)
    return Pattern(name=None if best == UNKNOWN else best, probability=by_label[best], probabilities=MappingProxyType(by_label))


def _convolve(x: Floats32, weight: Floats32, bias: Floats32, stride: int) -> Floats32:
    """(B, L, C) to (B, ceil(L / stride), K), zero-padded by half the kernel at both ends; ``weight`` (K, C, k) as torch has it."""
    batch, length, channels = x.shape
    k = weight.shape[2]
    padded = np.zeros((batch, length + k - 1, channels), dtype=np.float32)
    padded[:, k // 2 : k // 2 + length] = x
    n = (length - 1) // stride + 1
    patches = np.concatenate([padded[:, i : i + stride * (n - 1) + 1 : stride] for i in range(k)], axis=2)
    out: Floats32 = patches.reshape(batch * n, -1) @ weight.transpose(2, 1, 0).reshape(k * channels, -1)
    return out.reshape(batch, n, -1) + bias


def _relu(x: Floats32) -> Floats32:
    return np.maximum(x, 0.0, dtype=np.float32)


def _read(file: Path, limit: int) -> bytes:
    """The file's bytes, never more than ``limit``."""
    try:
        if file.exists() and not file.is_file():
            raise UsageError(f"{file}: cannot be read (a folder, pipe or device); a recogniser is a .safetensors file and its .toml card")
        with file.open("rb") as stream:
            blob = stream.read(limit + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{file}: cannot be read ({reason}); a recogniser is a .safetensors file and its .toml card") from error
    if len(blob) > limit:
        raise UsageError(f"{file}: over {limit} bytes, so not a recogniser's file; give weights written by `ns train`")
    return blob


def _read_card(file: Path, digest: str) -> dict[str, Any]:
    """The card, if it belongs to these weights, these features and these patterns."""
    content = _read(file, MAX_CARD_BYTES)
    try:
        card = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a plain ValueError
        raise UsageError(f"{file}: not a recogniser's card ({error}); train again with `ns train`") from error
    wanted = [*FAMILIES, UNKNOWN]
    found = card.get("labels")
    if found != wanted:
        told = [label[:LONGEST_LABEL] for label in found if isinstance(label, str)][:MOST_LABELS] if isinstance(found, list) else "missing"
        raise StaleWeights(f"{file}: labels {told}, but the registered patterns need {wanted}; train again with `ns train`")
    if card.get("features_version") != FEATURES_VERSION:
        raise StaleWeights(f"{file}: another features version than {FEATURES_VERSION}; train again with `ns train`")
    if card.get("sha256") != digest:
        raise UsageError(f"{file}: the card of other weights (their sha256 differs); keep a card with its .safetensors file")
    return card


def read_safetensors(blob: bytes, name: str) -> dict[str, Floats32]:
    """The tensors of a safetensors file (huggingface/safetensors, format section), read strictly.

    Eight bytes of header length, a JSON header, then the data: F32 only, every byte used once and in order, every number finite.
    Raises UsageError naming ``name`` otherwise.
    """
    size = int.from_bytes(blob[:8], "little")
    if len(blob) < 8 or size > min(MAX_HEADER_BYTES, len(blob) - 8):
        raise UsageError(f"{name}: not a safetensors file (no header of a sane length); give weights written by `ns train`")
    try:
        header = json.loads(blob[8 : 8 + size], object_pairs_hook=_unique)
        if not isinstance(header, dict):
            raise ValueError("the header is no object")
        header.pop("__metadata__", None)
        entries = sorted((tuple(e["data_offsets"]), tuple(e["shape"]), e["dtype"], key) for key, e in header.items())
        return _cut(blob[8 + size :], entries)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{name}: a damaged safetensors file ({error}); give weights written by `ns train`") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError("a name that comes twice")
    return dict(pairs)


def _cut(data: bytes, entries: list[tuple[tuple[int, int], tuple[int, ...], str, str]]) -> dict[str, Floats32]:
    """Tensors cut from the data: ``entries`` are (offsets, shape, dtype, name) in order of their offsets."""
    edges = [0, *(edge for offsets, *_ in entries for edge in offsets), len(data)]
    if any(type(edge) is not int for edge in edges) or any(a != b for a, b in list(pairwise(edges))[::2]):
        raise ValueError("bytes that belong to no tensor or to two")
    tensors = {}
    for (start, end), shape, dtype, key in entries:
        if dtype != "F32" or any(type(size) is not int or size < 1 for size in shape) or end - start != 4 * int(np.prod(shape)):
            raise ValueError(f"{key}: expected F32 of shape {shape}, got {dtype} in {end - start} bytes")
        tensor = np.frombuffer(data, dtype="<f4", count=(end - start) // 4, offset=start).reshape(shape).astype(np.float32)
        if not np.all(np.isfinite(tensor)):
            raise ValueError(f"{key}: a number that is not finite")
        tensor.setflags(write=False)
        tensors[key] = tensor
    return tensors


def _check_shapes(tensors: Mapping[str, Floats32], n_labels: int, name: str) -> None:
    """Raises UsageError unless the tensors are those of `LAYERS` and fit each other."""
    if set(tensors) != set(LAYERS):
        raise UsageError(f"{name}: tensors {sorted(set(tensors) ^ set(LAYERS))} missing or too many; give weights written by `ns train`")
    sizes = {"C": len(SERIES), "S": len(SCALARS), "J": n_labels}
    for key, letters in LAYERS.items():
        shape = tensors[key].shape
        for letter, size in zip(letters, shape, strict=False):
            expected = 2 * sizes["c"] + sizes["d"] if letter == "2c+d" else sizes.setdefault(letter, size)
            if size != expected or len(shape) != len(letters):
                raise UsageError(f"{name}: {key} has shape {shape}, which does not fit the others; give weights written by `ns train`")
    if any(sizes[kernel] % 2 == 0 or sizes[kernel] > N_NODES for kernel in "ijk") or np.any(tensors["scalars.scale"] <= 0):
        raise UsageError(f"{name}: kernels must be odd and scales positive; give weights written by `ns train`")
