"""Truths obey the laws, cameras show them, and noise is what a track says it is."""

from __future__ import annotations

import numpy as np
import pytest

from newtonscheme.errors import UsageError
from newtonscheme.estimation.body import find_ball
from newtonscheme.physics.integration import solve_many
from newtonscheme.physics.models import FORCE_MODELS, PATTERNS
from newtonscheme.synth.aerodynamics import DRAG_LAWS, LIFT_LAWS, drag_ratio, lift_ratio
from newtonscheme.synth.scene import FRAMES_RANGE, Scene, Thing, TrackNoise, draw_noise, draw_scene, film

AIRLESS = Thing(ball=find_ball("bowling ball"), diameter=0.05, mass=1e12)  # so heavy that air does nothing to it


def draw_many(pattern: str, n: int, seed: int = 0) -> list[Scene]:
    rng = np.random.default_rng(seed)
    return [draw_scene(rng, pattern, size_px=(640, 360)) for _ in range(n)]


def lag_one(errors: np.ndarray) -> float:
    return float(np.mean(errors[1:] * errors[:-1]) / np.mean(errors**2))


def test_a_heavy_body_falls_on_galileos_parabola() -> None:
    scene = draw_scene(np.random.default_rng(1), "free_fall", body=AIRLESS, duration=0.8)
    v, t = scene.values, scene.times
    parabola = np.stack([v["vx"] * t, v["vy"] * t - 0.5 * v["g"] * t**2, v["vz"] * t], axis=-1)
    np.testing.assert_allclose(scene.position, parabola, atol=1e-7)


def test_a_bob_stays_on_its_circle_and_never_climbs_over_its_start() -> None:
    for scene in draw_many("pendulum", 5):
        np.testing.assert_allclose(np.linalg.norm(scene.position, axis=1), scene.values["length"], rtol=1e-12)
        model = FORCE_MODELS["pendulum"]
        energy = float(model.energy(model.initial_state(scene.values), scene.values))
        highest = energy / float(scene.values["g"])
        assert scene.position[:, 1].max() <= highest + abs(highest) * 0.05  # buoyancy: a light bob's gravity is a little less


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_truth_of_constant_coefficients_agrees_with_the_fits_own_integrator(pattern: str) -> None:
    scenes = [scene for scene in draw_many(pattern, 8) if set(scene.laws.values()) <= {"constant"}]
    assert scenes
    for scene in scenes:
        states = solve_many(FORCE_MODELS[pattern], scene.values, scene.times)[0]
        extent = np.ptp(scene.position, axis=0).max()
        np.testing.assert_allclose(FORCE_MODELS[pattern].position(states, scene.values), scene.position, atol=2e-4 * extent)


def test_published_laws_bend_paths_away_from_constant_coefficients() -> None:
    scenes = [scene for scene in draw_many("curving_ball", 25) if scene.laws["lift"] != "constant"]
    assert scenes
    apart = []
    for scene in scenes:
        states = solve_many(FORCE_MODELS["curving_ball"], scene.values, scene.times)[0]
        apart.append(np.abs(states[:, :3] - scene.position).max() / np.ptp(scene.position, axis=0).max())
    assert max(apart) > 1e-3
    assert max(apart) < 0.2


def test_a_slower_ball_of_the_same_spin_lifts_more_and_every_law_starts_at_the_drawn_value() -> None:
    for law in LIFT_LAWS:
        ratio = lift_ratio(law, 0.15, 30.0)
        assert ratio(30.0) == pytest.approx(1.0, abs=1e-9)
        assert ratio(15.0) > 1.1
    for law in DRAG_LAWS:
        assert drag_ratio(law, 20.0, 0.22, 1.2)(20.0) == pytest.approx(1.0, abs=1e-9)
    assert drag_ratio("goff", 25.0, 0.22, 1.2)(8.0) > 2.0  # through the drag crisis


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_scene_stays_in_its_picture_and_in_the_range_of_frames(pattern: str) -> None:
    for scene in draw_many(pattern, 12):
        assert FRAMES_RANGE[0] <= len(scene) <= FRAMES_RANGE[1]
        edge = np.array(scene.view.size_px) - 1.0
        assert scene.visible.all()
        assert scene.governed.all()
        assert np.all(scene.centre_px - scene.radius_px[:, None] >= 0)
        assert np.all(scene.centre_px + scene.radius_px[:, None] <= edge)
        assert scene.radius_px.min() >= 1.5
        assert 30 <= scene.view.fov_deg <= 80


def test_the_camera_is_a_pinhole_that_pitches_and_rolls() -> None:
    scene = draw_scene(np.random.default_rng(3), "curving_ball", size_px=(1280, 720))
    view = scene.view
    forward = np.array([0.0, np.sin(view.pitch), -np.cos(view.pitch)])
    level_up = np.array([0.0, np.cos(view.pitch), np.sin(view.pitch)])
    right = np.cos(view.roll) * np.array([1.0, 0, 0]) + np.sin(view.roll) * level_up
    up = -np.sin(view.roll) * np.array([1.0, 0, 0]) + np.cos(view.roll) * level_up
    depth = view.focal_px / view.px_per_m
    middle = (np.array(view.size_px) - 1) / 2
    ray = (np.array(view.anchor_px) - middle) / view.focal_px
    anchor = depth * (forward + ray[0] * right - ray[1] * up)
    from_camera = scene.position + anchor
    along = from_camera @ forward
    u = middle[0] + view.focal_px * (from_camera @ right) / along
    v = middle[1] - view.focal_px * (from_camera @ up) / along
    np.testing.assert_allclose(scene.centre_px, np.stack([u, v], axis=-1), atol=1e-8)
    np.testing.assert_allclose(scene.radius_px, 0.5 * scene.diameter * view.focal_px / along, rtol=1e-12)


def test_velocity_and_acceleration_describe_the_sweep_of_an_exposure() -> None:
    scene = draw_scene(np.random.default_rng(4), "pendulum", size_px=(640, 360), fps=120.0, duration=2.0)
    numeric = np.gradient(scene.centre_px, scene.times, axis=0)[1:-1]
    speed = np.abs(scene.velocity_px).max()
    np.testing.assert_allclose(scene.velocity_px[1:-1], numeric, atol=5e-3 * speed)
    assert np.abs(scene.acceleration_px).max() > 0


def test_a_hand_brings_the_body_from_rest_to_the_start_of_its_flight() -> None:
    scene = draw_scene(np.random.default_rng(5), "free_fall", size_px=(640, 360), fps=60.0, hold=0.5)
    free = int(np.argmax(scene.governed))
    assert free == 30
    assert np.all(scene.governed[free:])
    assert np.allclose(scene.position[:10], scene.position[0])
    jumps = np.linalg.norm(np.diff(scene.velocity_px, axis=0), axis=1)
    assert jumps[free - 2 : free + 2].max() <= 2.0 * np.max(jumps[np.r_[: free - 2, free + 2 : len(jumps)]])


def test_the_same_seed_gives_the_same_scene_and_track() -> None:
    first, second = (draw_scene(np.random.default_rng(6), "curving_ball") for _ in range(2))
    assert first.values == second.values
    np.testing.assert_array_equal(first.centre_px, second.centre_px)
    tracks = [film(first, np.random.default_rng(7)) for _ in range(2)]
    np.testing.assert_array_equal(tracks[0].centre_px, tracks[1].centre_px)


def test_what_no_camera_can_show_is_refused_in_one_line() -> None:
    with pytest.raises(UsageError, match="no view of pendulum found"):
        draw_scene(np.random.default_rng(8), "pendulum", size_px=(64, 64), least_radius_px=50.0)


@pytest.fixture(scope="module")
def long_scene() -> Scene:
    return draw_scene(np.random.default_rng(9), "pendulum", size_px=(1280, 720), fps=60.0, duration=6.0)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.8])
def test_a_tracks_errors_have_the_covariance_and_the_correlation_that_it_states(long_scene: Scene, correlation: float) -> None:
    rng = np.random.default_rng(10)
    noise = TrackNoise(sigma_px=0.3, spread=0.4, stretch=2.0, correlation=correlation)
    whitened, lags = [], []
    for _ in range(20):
        track = film(long_scene, rng, noise)
        roots = np.linalg.cholesky(track.covariance_px)
        errors = np.linalg.solve(roots, (track.centre_px - long_scene.centre_px[track.frame])[..., None])[..., 0]
        whitened.append(errors)
        lags.append(lag_one(errors))
        if correlation:
            assert np.exp(-1 / 60.0 / track.correlation_time) == pytest.approx(correlation)
        else:
            assert track.correlation_time == 0.0
    assert np.std(np.concatenate(whitened)) == pytest.approx(1.0, abs=0.05)
    assert np.mean(lags) == pytest.approx(correlation, abs=0.07)


def test_outliers_gaps_jitter_and_radius_bias_are_as_asked(long_scene: Scene) -> None:
    rng = np.random.default_rng(11)
    noise = TrackNoise(
        sigma_px=0.05, outlier_share=0.05, outlier_px=20.0, missing_share=0.1, gap=20, clock_jitter=5e-4, radius_sigma_px=0.1, radius_bias_px=1.0
    )
    tracks = [film(long_scene, rng, noise) for _ in range(10)]
    errors = np.concatenate([np.linalg.norm(track.centre_px - long_scene.centre_px[track.frame], axis=1) for track in tracks])
    assert np.mean(errors > 3.0) == pytest.approx(0.05, abs=0.015)
    for track in tracks:
        assert np.diff(track.frame).max() > 20
        assert len(track) < 0.95 * (len(long_scene) - 20)
        assert np.std(track.t - long_scene.times[track.frame]) == pytest.approx(5e-4, rel=0.2)
        assert np.mean(track.radius_px - long_scene.radius_px[track.frame]) == pytest.approx(1.0, abs=0.05)


def test_drawn_noise_covers_every_kind() -> None:
    rng = np.random.default_rng(12)
    scene = draw_scene(rng, "free_fall")
    drawn = [draw_noise(rng, scene) for _ in range(200)]
    assert {noise.correlation for noise in drawn} == {0.0, 0.5, 0.8}
    for name in ("outlier_share", "clock_jitter", "missing_share", "gap"):
        assert 0 < sum(getattr(noise, name) > 0 for noise in drawn) < len(drawn)
    assert any(np.isnan(noise.radius_sigma_px) for noise in drawn)
    assert all(0.02 <= noise.sigma_px <= 1.0 for noise in drawn)


def test_a_span_over_one_lets_the_body_leave_the_picture_and_the_track_stops_there() -> None:
    rng = np.random.default_rng(13)
    scene = draw_scene(rng, "free_fall", size_px=(640, 360), fps=60.0, duration=0.6, span=(1.3, 1.5))
    assert 0 < scene.visible.sum() < len(scene)
    track = film(scene, rng, TrackNoise())
    np.testing.assert_array_equal(track.frame, np.flatnonzero(scene.visible))
