"""The recogniser as it ships: what it says of plain motions, and which weights it refuses to load."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newtonscheme.errors import StaleWeights, UsageError
from newtonscheme.estimation.recognition import (
    DEFAULT_WEIGHTS,
    UNKNOWN,
    Recogniser,
    load_recogniser,
    propose,
    read_safetensors,
    recognise,
    window_sizes,
)
from newtonscheme.physics.models import FAMILIES
from newtonscheme.types import Track

SIGMA = 0.2


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return load_recogniser()


def track_of(t: np.ndarray, p: np.ndarray, sigma: float = SIGMA) -> Track:
    n, noise = len(t), np.random.default_rng(len(t)).standard_normal(p.shape)
    return Track(
        frame=np.arange(n), t=t, centre_px=p + sigma * noise, covariance_px=np.tile(sigma**2 * np.eye(2), (n, 1, 1)),
        radius_px=np.full(n, np.nan), radius_sigma_px=np.full(n, np.nan), score=np.ones(n),
    )  # fmt: skip


def throw(n: int = 40) -> Track:
    t = np.arange(n) / 40.0
    return track_of(t, np.stack([50 + 240 * t, 300 - 420 * t + 490 * t**2], axis=1))


def swing(n: int = 120) -> Track:
    t = np.arange(n) / 40.0
    angle = 0.5 * np.exp(-0.02 * t) * np.cos(2 * np.pi * t / 1.3)
    return track_of(t, 320 + 200 * np.stack([np.sin(angle), np.cos(angle)], axis=1))


def circle(n: int = 120) -> Track:
    turn = 2 * np.pi * np.arange(n) / 50.0
    return track_of(np.arange(n) / 40.0, 300 + 100 * np.stack([np.cos(turn), np.sin(turn)], axis=1))


def line(n: int = 60) -> Track:
    t = np.arange(n) / 40.0
    return track_of(t, np.stack([50 + 300 * t, 200 + 40 * t], axis=1))


@pytest.mark.parametrize(("track", "family"), [(throw(), "free_flight"), (swing(), "pendulum"), (circle(), None)], ids=["throw", "swing", "circle"])
def test_plain_motions_are_named(recogniser: Recogniser, track: Track, family: str | None) -> None:
    pattern = recognise(recogniser, track)
    assert pattern.name == family
    assert pattern.probability > 0.9


def test_a_straight_line_at_constant_speed_is_no_pattern(recogniser: Recogniser) -> None:
    assert recognise(recogniser, line()).name is None


def test_a_throw_the_wrong_way_up_is_no_pattern(recogniser: Recogniser) -> None:
    t = np.arange(40) / 40.0
    assert recognise(recogniser, track_of(t, np.stack([50 + 240 * t, 420 * t - 490 * t**2], axis=1))).name is None


def test_a_mirror_changes_nothing(recogniser: Recogniser) -> None:
    track = swing()
    mirrored = Track(**{name: getattr(track, name) for name in Track.__dataclass_fields__} | {"centre_px": 640 - track.centre_px * [1, -1] * [1, 1]})
    flipped = Track(**{name: getattr(track, name) for name in Track.__dataclass_fields__} | {"centre_px": track.centre_px * [-1, 1]})
    assert recognise(recogniser, flipped).probability == pytest.approx(recognise(recogniser, track).probability, abs=1e-5)
    assert recognise(recogniser, mirrored).probability == pytest.approx(recognise(recogniser, track).probability, abs=1e-5)


def test_probabilities_are_of_every_family_and_unknown_and_sum_to_one(recogniser: Recogniser) -> None:
    for pattern in (recognise(recogniser, throw()), recognise(recogniser, throw(6)), recognise(recogniser, throw(2))):
        assert tuple(pattern.probabilities) == (*FAMILIES, UNKNOWN)
        assert sum(pattern.probabilities.values()) == pytest.approx(1.0)
        assert pattern.probability == max(pattern.probabilities.values())


def test_what_is_buried_in_noise_gets_no_confident_known_pattern(recogniser: Recogniser) -> None:
    t = np.arange(10) / 40.0
    buried = track_of(t, np.stack([50 + 4 * t, 300 - 7 * t + 8 * t**2], axis=1), sigma=3.0)
    pattern = recognise(recogniser, buried)
    assert max(pattern.probabilities[family] for family in FAMILIES) < 0.9


def test_proposals_cover_the_track_with_windows_of_every_size(recogniser: Recogniser) -> None:
    track = throw(45)
    proposals = propose(recogniser, track)
    assert {p.rows.stop - p.rows.start for p in proposals} == set(window_sizes(45)) == {8, 16, 32, 45}
    for size in window_sizes(45):
        rows = [range(45)[p.rows] for p in proposals if p.rows.stop - p.rows.start == size]
        assert {i for r in rows for i in r} == set(range(45))
    assert all(p.t0 == track.t[p.rows][0] and p.t1 == track.t[p.rows][-1] for p in proposals)


def test_a_proposal_is_what_its_window_alone_looks_like(recogniser: Recogniser) -> None:
    track = throw(45)
    for proposal in propose(recogniser, track)[::5]:
        alone = recognise(recogniser, track.select(proposal.rows))
        assert proposal.pattern.probability == pytest.approx(alone.probability, abs=1e-5)


def test_a_flight_between_two_stands_is_found(recogniser: Recogniser) -> None:
    n = 40
    t = np.arange(3 * n) / 40.0
    fly = np.clip(t - 1.0, 0.0, 1.0)
    p = np.stack([100 + 300 * fly, 300 - 490 * fly + 490 * fly**2], axis=1)
    best = max(
        (q for q in propose(recogniser, track_of(t, p)) if q.rows.stop - q.rows.start >= 16), key=lambda q: q.pattern.probabilities["free_flight"]
    )
    assert best.pattern.name == "free_flight"
    assert n - 2 <= best.rows.start
    assert best.rows.stop <= 2 * n + 2


@pytest.mark.parametrize("n", [0, 1, 3])
def test_a_track_too_short_to_look_at_has_no_proposals(recogniser: Recogniser, n: int) -> None:
    assert propose(recogniser, throw(8).select(slice(0, n))) == ()


def test_the_shipped_weights_are_small() -> None:
    assert DEFAULT_WEIGHTS.stat().st_size < 200_000


def test_recognising_never_imports_torch() -> None:
    code = "import sys, newtonscheme.estimation.recognition as r; r.load_recogniser(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).resolve().parents[2]).returncode == 0


def copy_weights(folder: Path, blob: bytes | None = None, card: str | None = None) -> Path:
    file = folder / "other.safetensors"
    file.write_bytes(DEFAULT_WEIGHTS.read_bytes() if blob is None else blob)
    file.with_suffix(".toml").write_text(DEFAULT_WEIGHTS.with_suffix(".toml").read_text(encoding="utf-8") if card is None else card, encoding="utf-8")
    return file


def test_a_copy_of_the_weights_loads_and_says_the_same(recogniser: Recogniser, tmp_path: Path) -> None:
    assert recognise(load_recogniser(copy_weights(tmp_path)), throw()) == recognise(recogniser, throw())


def test_weights_for_other_patterns_are_stale(tmp_path: Path) -> None:
    card = DEFAULT_WEIGHTS.with_suffix(".toml").read_text(encoding="utf-8").replace('"pendulum", "unknown"', '"see_saw", "unknown"')
    with pytest.raises(StaleWeights, match=r"other\.toml.*see_saw"):
        load_recogniser(copy_weights(tmp_path, card=card))


def test_weights_for_other_features_are_stale(tmp_path: Path) -> None:
    card = DEFAULT_WEIGHTS.with_suffix(".toml").read_text(encoding="utf-8").replace("features_version = ", "features_version = 9")
    with pytest.raises(StaleWeights, match="features version"):
        load_recogniser(copy_weights(tmp_path, card=card))


@pytest.mark.parametrize("card", ["", "labels = [", "\x00", "labels = 3\n"])
def test_a_broken_card_is_refused(tmp_path: Path, card: str) -> None:
    with pytest.raises(UsageError, match=r"other\.toml"):
        load_recogniser(copy_weights(tmp_path, card=card))


def test_a_card_of_other_weights_is_refused(tmp_path: Path) -> None:
    blob = bytearray(DEFAULT_WEIGHTS.read_bytes())
    blob[-1] ^= 1
    with pytest.raises(UsageError, match="sha256"):
        load_recogniser(copy_weights(tmp_path, blob=bytes(blob)))


def test_missing_weights_are_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_recogniser(tmp_path / "none.safetensors")
    with pytest.raises(UsageError, match="cannot be read"):
        load_recogniser(tmp_path)


def safetensors(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


ONE = np.ones(2, dtype="<f4").tobytes()


def entry(start: int = 0, end: int = 8, shape: object = (2,), dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def test_safetensors_are_read_as_they_were_written() -> None:
    read = read_safetensors(safetensors({"__metadata__": {"format": "pt"}, "b": entry(8, 16), "a": entry(shape=(1, 2))}, ONE + 2 * ONE[:4]), "w")
    assert read["a"].shape == (1, 2)
    np.testing.assert_array_equal(read["b"], [1.0, 1.0])
    with pytest.raises(ValueError, match="read-only"):
        read["b"][0] = 2.0


@pytest.mark.parametrize(
    "blob",
    [
        b"", b"\x00" * 7, (10**15).to_bytes(8, "little"), safetensors(b"[]"), safetensors(b"{"), safetensors({"a": 3}),
        safetensors({"a": entry()}), safetensors({"a": entry()}, ONE + b"x"), safetensors({"a": entry(shape=(3,))}, ONE),
        safetensors({"a": entry(dtype="F64", shape=(1,))}, ONE), safetensors({"a": entry(0, 4, (1,)), "b": entry(0, 8)}, ONE),
        safetensors({"a": entry(4, 8, (1,))}, ONE), safetensors({"a": entry(shape=(-2, -1))}, ONE), safetensors({"a": entry(shape=(2.0,))}, ONE),
        safetensors({"a": entry()}, np.array([1.0, np.nan], "<f4").tobytes()), safetensors({"a": entry(shape=("2",))}, ONE),
        safetensors(b'{"a":' + json.dumps(entry()).encode() + b',"a":' + json.dumps(entry()).encode() + b"}", ONE),
        safetensors(b"[" * 15_000),
    ],
)  # fmt: skip
def test_a_damaged_safetensors_file_is_refused(blob: bytes) -> None:
    with pytest.raises(UsageError, match=r"w\.safetensors"):
        read_safetensors(blob, "w.safetensors")


@settings(max_examples=60, deadline=None)
@given(blob=st.binary(max_size=200), header=st.binary(max_size=100))
def test_random_bytes_are_read_or_refused_and_nothing_else(blob: bytes, header: bytes) -> None:
    for candidate in (blob, safetensors(header, blob)):
        try:
            read_safetensors(candidate, "w")
        except UsageError:
            continue
        assert candidate[8:].strip().startswith(b"{")


def test_tensors_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    blob = safetensors({"a": entry()}, ONE)
    version = load_recogniser().card["features_version"]
    card = f'labels = {json.dumps([*FAMILIES, UNKNOWN])}\nfeatures_version = {version}\nsha256 = "{sha256(blob).hexdigest()}"\n'
    with pytest.raises(UsageError, match="missing or too many"):
        load_recogniser(copy_weights(tmp_path, blob=blob, card=card))
