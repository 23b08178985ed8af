"""Small values made by hand, for tests that need a report and no video."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from newtonscheme.types import (
    Account,
    Body,
    Camera,
    Charge,
    Contact,
    Entry,
    Fit,
    Floats,
    Forecast,
    Identifiability,
    Noise,
    Notice,
    Pattern,
    Quantity,
    Refusal,
    Report,
    Ruler,
    Scale,
    Score,
    Segment,
    Setting,
    Stability,
    Track,
    Tracking,
    Video,
)

PX_PER_M = 100.0
SPEED_UP_PX_S = 420.0
SPEED_RIGHT_PX_S = 240.0
G = 9.81
FPS = 30.0


def make_video(**changes: Any) -> Video:
    values: dict[str, Any] = {
        "path": Path("throw.mp4"), "width_px": 640, "height_px": 360, "fps": FPS, "n_frames": 30, "duration": 1.0,
        "time_source": "timestamps", "sha256": "0" * 64,
    }  # fmt: skip
    return Video(**(values | changes))


def make_track(n: int = 18, first: int = 2, **changes: Any) -> Track:
    """A thrown ball seen side-on in `n` frames, frame `first` being the first."""
    frame = np.arange(first, first + n)
    t = frame / FPS
    values: dict[str, Any] = {
        "frame": frame, "t": t, "centre_px": throw_px(t), "covariance_px": np.tile(np.eye(2) * 0.04, (n, 1, 1)),
        "radius_px": np.full(n, 9.0), "radius_sigma_px": np.full(n, 0.1), "score": np.ones(n),
    }  # fmt: skip
    return Track(**(values | changes))


def throw_px(t: Floats) -> Floats:
    return np.stack([60.0 + SPEED_RIGHT_PX_S * t, 330.0 - SPEED_UP_PX_S * t + 0.5 * G * PX_PER_M * t**2], axis=-1)


def make_fit(track: Track, **changes: Any) -> Fit:
    n = len(track)
    residuals = np.stack([0.1 * np.sin(np.arange(n)), 0.1 * np.cos(np.arange(n)), np.full(n, np.nan)], axis=-1)
    values: dict[str, Any] = {
        "pattern": "free_fall", "setting": Setting(pattern="free_fall", entries={"g": Entry(G, 0.0, "assumed")}), "body": make_body(),
        "camera": make_camera(), "track": track, "names": ("vx", "vy"), "estimate": np.array([2.4, 4.2]), "covariance": np.eye(2) * 1e-4,
        "parameters": make_parameters(), "residuals": residuals, "weights": np.ones((n, 3)), "noise": Noise(1.1, 0.2, 2.0 * n - 6),
        "evidence": -12.5, "success": True, "message": "converged",
    }  # fmt: skip
    return Fit(**(values | changes))


def make_body() -> Body:
    return Body(
        label="tennis ball", probability=0.93,
        diameter=Quantity(0.067, 0.0008, "m", "catalogue"), mass=Quantity(0.0577, 0.0009, "kg", "catalogue"),
    )  # fmt: skip


def make_camera() -> Camera:
    return Camera(kind="pinhole", focal_px=550.0, focal_log_sigma=0.2, principal_px=(319.5, 179.5))


def make_parameters() -> dict[str, Quantity]:
    return {
        "g": Quantity(G, 0.0, "m/s^2", "assumed"),
        "speed": Quantity(4.837, 0.024, "m/s", "measured"),
        "launch_angle_deg": Quantity(60.26, 0.31, "deg", "measured"),
        "drag_coefficient": Quantity(0.42, 0.11, "1", "assumed"),
    }


def make_forecast(h: int = 10, first: int = 20, **changes: Any) -> Forecast:
    t = np.arange(first, first + h) / FPS
    centre = throw_px(t)
    half = np.linspace(0.5, 6.0, h)[:, None] * np.array([[0.6, 1.0]])
    values: dict[str, Any] = {
        "t": t, "centre_px": centre, "lower_px": centre - half, "upper_px": centre + half,
        "position": np.column_stack([centre[:, 0] / PX_PER_M, -centre[:, 1] / PX_PER_M, np.zeros(h)]), "level": 0.9, "stop": "horizon",
    }  # fmt: skip
    return Forecast(**(values | changes))


def make_stability(track: Track, fit: Fit | None) -> Stability:
    n = len(track)
    charge = Charge(
        name="energy", symmetry="time translation", unit="J/kg", t=track.t, imbalance=0.02 * np.sin(np.linspace(0, 6, n)),
        sigma=np.linspace(0.01, 0.03, n), drift_sigma=0.4,
    )  # fmt: skip
    segment = Segment(t0=float(track.t[0]), t1=float(track.t[-1]), pattern="free_fall", fit=fit, end=Contact("bounce", float(track.t[-1])))
    return Stability(verdict="stable", segments=(segment,), charges=(charge,), reasons=())


def make_identifiability() -> Identifiability:
    """A clip that tells the speed and not the drag."""
    shares = {"pixels": 0.2, "clock": 0.0, "scale": 0.7, "view": 0.1, "model": 0.0}
    return Identifiability(
        learned={"speed across the picture": 0.99, "drag": 0.1}, accounts=(Account(name="speed", unit="m/s", sigma=0.05, shares=shares),),
        advice=("for a better speed: give a ruler",),
    )  # fmt: skip


def make_report(**changes: Any) -> Report:
    """A stable throw with a forecast; any field can be changed."""
    track = make_track()
    fit = make_fit(track)
    values: dict[str, Any] = {
        "version": "0.1.0", "status": "forecast", "video": make_video(), "track": track, "used": np.ones(len(track), bool), "other_tracks": (),
        "pattern": Pattern(name="free_fall", probability=0.97, probabilities={"free_fall": 0.97, "pendulum": 0.01, "unknown": 0.02}),
        "evidence": {"free_fall": -12.5, "curving_ball": -15.1}, "stability": make_stability(track, fit), "parameters": make_parameters(),
        "camera": make_camera(), "body": make_body(),
        "scale": Scale(px_per_m=100.0, sigma=1.3, source="joint", rulers=(Ruler("gravity", 100.4, 1.5), Ruler("object", 98.9, 2.7))),
        "identifiability": make_identifiability(),
        "fit": fit, "forecast": make_forecast(), "score": Score(rms_px=0.8, final_px=1.4, rms_share_of_path=0.007, coverage=0.9),
        "scored": make_track(10, 20), "refusal": None, "notices": (Notice("clock_hole", "the clock has a hole of 0.2 s"),), "seed": 0,
        "elapsed_ms": {"vision": 120.0, "fit": 40.0},
    }  # fmt: skip
    return Report(**(values | changes))


def make_refused_report() -> Report:
    """A motion that is none of the known patterns."""
    report = make_report()
    return replace(
        report, status="refused", forecast=None, score=None, scored=None, fit=None, scale=None, body=None, parameters={}, evidence={},
        pattern=Pattern(name=None, probability=0.9, probabilities={"free_fall": 0.1, "unknown": 0.9}), used=np.zeros(len(report.track), bool),
        stability=Stability(verdict="broken", segments=(), charges=(), reasons=("no pattern holds over 5 samples",)),
        refusal=Refusal("unknown_pattern", "the motion is none of the known patterns"),
    )  # fmt: skip


def make_tracking(*tracks: Track, **changes: Any) -> Tracking:
    return Tracking(video=make_video(**changes), tracks=tracks or (make_track(),))
