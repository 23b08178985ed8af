"""`simulate` writes a film and its truth; the clips in data/ are what their manifest says."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

import av
import numpy as np
import pytest

from newtonscheme.catalogue import load_catalogue
from newtonscheme.errors import UsageError
from newtonscheme.physics.flight import drag_length
from newtonscheme.physics.models import PATTERNS
from newtonscheme.synth.render import Look
from newtonscheme.synth.scene import Scene
from newtonscheme.synth.simulation import _draw_scene, simulate
from newtonscheme.synth.texture import BALL_LOOKS

DATA = Path(__file__).resolve().parents[2] / "data"
CLIPS = tomllib.loads((DATA / "MANIFEST.toml").read_text())["clip"]
MOST_BYTES = 400_000


@pytest.mark.parametrize("pattern", [*PATTERNS, "unknown"])
def test_the_truth_beside_a_film_is_what_was_returned_and_has_a_row_for_each_frame(pattern: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    truth = simulate(pattern, path, seed=3, size=(320, 240), duration=0.5, crf=30)
    assert json.loads((tmp_path / "clip.truth.json").read_text()) == truth
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    np.testing.assert_allclose(times, truth["t_s"], atol=2e-6)
    for key in ("frame", "u_px", "v_px", "radius_px", "visible", "governed", "x_m", "y_m", "z_m"):
        assert len(truth[key]) == len(times)
    assert (truth["pattern"] is None) == (pattern == "unknown")
    assert bool(truth["parameters"]) == (pattern != "unknown")


def test_the_same_seed_gives_the_same_film(tmp_path: Path) -> None:
    for name in ("one", "two"):
        simulate("free_fall", tmp_path / f"{name}.mp4", seed=5, size=(320, 240))
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()
    assert (tmp_path / "one.truth.json").read_bytes() == (tmp_path / "two.truth.json").read_bytes()


def test_a_named_ball_has_the_size_and_mass_of_the_catalogue(tmp_path: Path) -> None:
    truth = simulate("free_fall", tmp_path / "clip.mp4", seed=1, size=(320, 240), object="tennis ball")
    ball = load_catalogue()["tennis ball"]
    assert truth["object"] == "tennis ball"
    assert ball.diameter.low <= truth["values"]["diameter"] <= ball.diameter.high
    assert ball.mass.low <= truth["values"]["mass"] <= ball.mass.high


def test_every_look_is_of_a_ball_in_the_catalogue() -> None:
    assert {look.label for look in BALL_LOOKS} <= set(load_catalogue())


def test_an_existing_file_stays_unless_forced(tmp_path: Path) -> None:
    kept = tmp_path / "clip.truth.json"
    kept.write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        simulate("free_fall", tmp_path / "clip.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["clip.truth.json"]
    assert kept.read_text() == "mine"
    simulate("free_fall", tmp_path / "clip.mp4", size=(320, 240), force=True)
    assert json.loads(kept.read_text())["pattern"] == "free_fall"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pattern": "teleport"}, "no pattern 'teleport'"),
        ({"size": (321, 240)}, "--size"),
        ({"fps": 0.0}, "--fps"),
        ({"duration": float("nan")}, "--duration"),
        ({"crf": 60}, "--crf"),
        ({"hold": 1.0, "pattern": "walk"}, "--hold"),
        ({"object": "planet"}, "no look for 'planet'"),
        ({"path": "clip.avi"}, "must end in .mp4"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_written(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    request = {"pattern": "free_fall", "path": "clip.mp4", **changes}
    path = tmp_path / str(request.pop("path"))
    with pytest.raises(UsageError, match=message):
        simulate(path=path, **request)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip["file"])
def test_a_sample_clip_is_the_one_in_the_manifest(clip: dict[str, object]) -> None:
    path = DATA / str(clip["file"])
    assert path.stat().st_size < MOST_BYTES
    assert hashlib.sha256(path.read_bytes()).hexdigest() == clip["sha256"]
    beside = path.with_suffix(".truth.json").read_bytes()
    assert hashlib.sha256(beside).hexdigest() == clip["truth_sha256"]
    assert json.loads(beside)["family"] == clip["pattern"]


@pytest.mark.slow
@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip["file"])
def test_the_command_in_the_manifest_makes_the_truth_again(clip: dict[str, object], tmp_path: Path) -> None:
    truth = json.loads((DATA / str(clip["file"])).with_suffix(".truth.json").read_text())
    video = truth["video"]
    options = {"duration": float(str(clip["command"]).split("--duration ")[1].split()[0])} if "--duration" in str(clip["command"]) else {}
    named = {"object": truth["object"]} if "--object" in str(clip["command"]) else {}
    again = simulate(str(clip["pattern"]), tmp_path / "clip.mp4", seed=int(str(clip["seed"])), fps=video["fps"], **options, **named)  # type: ignore[arg-type]
    for key in ("u_px", "v_px", "radius_px"):
        np.testing.assert_allclose(again[key], truth[key], atol=1e-3)


def test_an_object_that_is_drawn_for_a_curve_is_one_that_the_air_bends() -> None:
    """At least a tenth of gravity, which a bowling ball does not reach."""
    for seed in range(12):
        look, scene = draw_scene_of("curving_ball", seed)
        bend = float(drag_length(scene.values)) * np.linalg.norm([scene.values[n] for n in ("lift_x", "lift_y", "lift_z")])
        assert bend * sum(scene.values[n] ** 2 for n in ("vx", "vy", "vz")) > 0.98
        assert look.ball.label != "bowling ball"


def draw_scene_of(pattern: str, seed: int) -> tuple[Look, Scene]:
    return _draw_scene(np.random.default_rng(seed), pattern, None, (640, 360), None, None, 0.0)
