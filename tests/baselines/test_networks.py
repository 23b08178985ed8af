"""The neural rivals: what they are shown has no place, size or clock of its own, and what ships is better than going straight on."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from newtonscheme.baselines.forecaster import Question
from newtonscheme.baselines.networks import KINDS, LEVELS, Gru, NeuralOde, Rival, Tcn, interpolate_factors, load_network
from newtonscheme.baselines.sequence import GRID, MIRROR_SCALARS, MIRROR_SERIES, N_STEPS, Encoding, decode, encode, interpolate, normalise
from newtonscheme.errors import UsageError
from newtonscheme.physics.models import PATTERNS
from newtonscheme.synth.scene import TrackNoise, draw_scene, film
from newtonscheme.synth.seeds import seed_sequence
from newtonscheme.types import Camera, Floats, Forecast, Refusal, Track

CAMERA = Camera(kind="orthographic", focal_px=1.0, focal_log_sigma=0.0, principal_px=(0.0, 0.0))
RIVALS: tuple[type[Rival], ...] = (Gru, Tcn, NeuralOde)
UNSEEN = 90_210


def draw_question(pattern: str, seed: int, share: float = 0.5, noise: TrackNoise | None = None) -> tuple[Question, Floats]:
    """Half of a fresh scene, and where the body truly is in the other half (h, 2)."""
    rng = np.random.default_rng(seed_sequence("test", UNSEEN, seed))
    scene = draw_scene(rng, pattern)
    track = film(scene, rng, noise)
    observed = track.select(slice(0, max(int(np.sum(track.t <= share * scene.times[-1])), 6)))
    later = scene.times > observed.t[-1] + 1e-9
    return Question(observed=observed, t=scene.times[later], camera=scene.view.camera), scene.centre_px[later]


def changed(question: Question, *, shift: tuple[float, float] = (0.0, 0.0), scale: float = 1.0, unit: float = 1.0, sign: float = 1.0) -> Question:
    """The same motion elsewhere, larger, on another clock, in a mirror."""
    track, flip = question.observed, np.array([sign, 1.0])
    moved = replace(
        track, t=unit * track.t + 3.0 * (unit - 1.0), centre_px=scale * track.centre_px * flip + np.array(shift), radius_px=scale * track.radius_px,
        covariance_px=scale**2 * track.covariance_px * flip[:, None] * flip, radius_sigma_px=scale * track.radius_sigma_px,
    )  # fmt: skip
    return replace(question, observed=moved, t=unit * question.t + 3.0 * (unit - 1.0))


def assert_same(one: Encoding, other: Encoding, tolerance: float = 1e-4) -> None:
    for name in ("series", "scalars", "curves"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=tolerance, rtol=tolerance)


def parabolic_track(n: int = 20) -> Track:
    t = np.arange(n) / 30.0
    centre = np.stack([100 + 50 * t, 80 - 30 * t + 200 * t**2], axis=1)
    return Track(
        frame=np.arange(n), t=t, centre_px=centre, covariance_px=np.tile(0.01 * np.eye(2), (n, 1, 1)),
        radius_px=np.full(n, np.nan), radius_sigma_px=np.full(n, np.nan), score=np.ones(n),
    )  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("change", [{"shift": (512.0, -77.0)}, {"scale": 0.01}, {"unit": 40.0}, {"shift": (-3.0, 8.0), "scale": 7.0, "unit": 0.02}])
def test_an_encoding_knows_no_place_size_or_clock(pattern: str, change: dict) -> None:
    question, _ = draw_question(pattern, 1)
    assert_same(encode(question), encode(changed(question, **change)))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_encoding_of_a_mirrored_track_is_the_mirrored_encoding(pattern: str) -> None:
    question, _ = draw_question(pattern, 2)
    one, other = encode(question), encode(changed(question, sign=-1.0))
    np.testing.assert_allclose(other.series, one.series * MIRROR_SERIES, atol=1e-4)
    np.testing.assert_allclose(other.scalars, one.scalars * MIRROR_SCALARS, atol=1e-4)
    np.testing.assert_allclose(other.curves, one.curves * np.array([-1.0, 1.0]), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_decoding_what_was_normalised_gives_the_truth_back(pattern: str) -> None:
    rng = np.random.default_rng(seed_sequence("test", UNSEEN, 3))
    scene = draw_scene(rng, pattern, fps=240.0)
    track = film(scene, rng, TrackNoise(sigma_px=0.1))
    question = Question(observed=track.select(track.t <= 0.4 * scene.times[-1]), t=scene.times[track.t > 0.4 * scene.times[-1]], camera=CAMERA)
    encoding = encode(question)
    truth = scene.centre_px[scene.times > question.observed.t[-1] + 1e-9]
    at = encoding.t + GRID * encoding.duration
    on_grid = np.stack([np.interp(at, scene.times, scene.centre_px[:, i]) for i in range(2)], axis=1)
    inside = question.t < scene.times[-1] - 0.2 * encoding.duration
    centre, sigma = decode(encoding, normalise(encoding, at, on_grid), np.full((len(GRID), 2), 0.01), question.t)
    assert np.max(np.abs(centre - truth)[inside]) < 0.02 * encoding.extent_px
    np.testing.assert_allclose(sigma, 0.01 * encoding.extent_px, rtol=1e-9)


def test_cubics_are_interpolated_exactly_and_go_on_straight() -> None:
    def curve(tau: Floats) -> Floats:
        return np.stack([1 + tau - 2 * tau**2 + 0.3 * tau**3, tau], axis=1)

    tau = np.linspace(0.0, 4.0, 97)
    np.testing.assert_allclose(interpolate(curve(GRID), tau), curve(tau), atol=1e-9)
    beyond = interpolate(curve(GRID), np.array([4.0, 5.0, 6.0]))
    np.testing.assert_allclose(beyond[2] - beyond[1], beyond[1] - beyond[0], atol=1e-9)


def test_long_tracks_are_thinned_and_short_ones_padded_in_front() -> None:
    for n in (4, 20, 64, 400):
        series = encode(Question(observed=parabolic_track(n), t=np.array([20.0]), camera=CAMERA)).series
        assert series.shape[0] == N_STEPS
        assert series[:, -1].sum() == min(n, N_STEPS)
        assert series[-1, 0] == 0.0
        assert np.all(np.isfinite(series))


@pytest.mark.parametrize("row", [0, 7, 15, 18, 19])
def test_one_gross_outlier_hardly_moves_the_last_state(row: int) -> None:
    track = parabolic_track()
    wrong = np.array(track.centre_px)
    wrong[row] += (60.0, -45.0)
    clean, hit = (encode(Question(observed=t, t=np.array([1.0]), camera=CAMERA)) for t in (track, replace(track, centre_px=wrong)))
    assert np.max(np.abs(hit.origin_px - clean.origin_px)) < 1.0
    assert np.max(np.abs(hit.velocity_px - clean.velocity_px)) * clean.duration < 0.15 * clean.extent_px


def test_too_few_samples_are_refused() -> None:
    question = Question(observed=parabolic_track(3), t=np.array([1.0]), camera=CAMERA)
    with pytest.raises(ValueError, match="3 samples"):
        encode(question)
    assert isinstance(Tcn().forecast(question), Refusal)


def test_bands_widen_with_the_level() -> None:
    factors = np.multiply.outer(np.linspace(0.7, 2.7, len(LEVELS)), np.ones((6, 2)))
    tau = np.linspace(0.0, 6.0, 20)
    bands = [interpolate_factors(factors, level, tau) for level in (0.3, 0.5, 0.7, 0.9, 0.99, 0.999)]
    assert all(np.all(wide > narrow) for narrow, wide in pairwise(bands))


def test_a_rival_without_weights_is_not_available_and_says_so(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is in the extra `learn`")
    missing = Gru(tmp_path / "none.safetensors")
    assert not missing.available()
    with pytest.raises(UsageError, match=r"none\.safetensors"):
        missing.forecast(draw_question("free_fall", 4)[0])


def test_weights_of_another_net_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is in the extra `learn`")
    if not Tcn().available():
        pytest.skip("no weights ship")
    with pytest.raises(UsageError, match="does not hold the tensors of the gru rival"):
        load_network("gru", Path(Tcn()._weights))
    broken = tmp_path / "gru.safetensors"
    broken.write_bytes(b"not weights")
    with pytest.raises(UsageError, match="train them again"):
        load_network("gru", broken)


def shipped(rival: type[Rival]) -> Rival:
    pytest.importorskip("torch", reason="torch is in the extra `learn`")
    net = rival()
    assert net.available(), f"the weights of {net.name} do not ship"
    return net


def test_every_kind_has_a_forecaster_of_its_name() -> None:
    assert tuple(rival().name for rival in RIVALS) == KINDS


@pytest.mark.parametrize("rival", RIVALS)
def test_a_forecast_is_finite_where_it_was_asked_for_and_its_band_is_around_it(rival: type[Rival]) -> None:
    net = shipped(rival)
    for seed, pattern in enumerate(PATTERNS):
        for share in (0.25, 0.75):
            question, _ = draw_question(pattern, 10 + seed, share)
            told = net.forecast(replace(question, level=0.8))
            assert isinstance(told, Forecast)
            np.testing.assert_array_equal(told.t, question.t)
            assert told.level == 0.8
            assert np.all(told.lower_px < told.centre_px)
            assert np.all(told.centre_px < told.upper_px)


@pytest.mark.parametrize("rival", RIVALS)
def test_a_forecast_moves_with_its_track(rival: type[Rival]) -> None:
    net, (question, _) = shipped(rival), draw_question("curving_ball", 20)
    here, there = net.forecast(question), net.forecast(changed(question, shift=(300.0, -40.0), scale=2.0, unit=3.0))
    assert isinstance(here, Forecast)
    assert isinstance(there, Forecast)
    size = np.ptp(here.centre_px)
    np.testing.assert_allclose(there.centre_px, 2.0 * here.centre_px + np.array([300.0, -40.0]), atol=2e-3 * size)


@pytest.fixture(scope="module")
def fresh() -> list[tuple[Question, Floats]]:
    return [draw_question(PATTERNS[seed % len(PATTERNS)], 100 + seed) for seed in range(60)]


@pytest.mark.parametrize("rival", RIVALS)
def test_the_shipped_nets_beat_the_last_velocity_on_fresh_tracks(rival: type[Rival], fresh: list[tuple[Question, Floats]]) -> None:
    net, shares, inside = shipped(rival), [], []
    for question, truth in fresh:
        told, encoding = net.forecast(question), encode(question)
        assert isinstance(told, Forecast)
        straight = encoding.origin_px + (question.t - encoding.t)[:, None] * encoding.velocity_px
        shares.append([float(np.sqrt(np.mean(np.sum((path - truth) ** 2, axis=1)))) for path in (told.centre_px, straight)])
        inside.append(float(np.mean((told.lower_px <= truth) & (truth <= told.upper_px))))
    ratio = np.array(shares)
    assert np.median(ratio[:, 0] / ratio[:, 1]) < 0.7
    assert 0.75 < np.mean(inside) < 0.99
