"""What the options say of the world, each number with its source."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from newtonscheme.camera import PITCH_SIGMA, ROLL_SIGMA
from newtonscheme.errors import UsageError
from newtonscheme.estimation.knowledge import choose_camera, gather_knowledge
from newtonscheme.types import Options, Quantity


def test_nothing_told_is_gravity_as_the_ruler() -> None:
    knowledge = gather_knowledge(Options())
    assert knowledge.known.g.source == "assumed"
    assert knowledge.known.g.value == pytest.approx(9.81, abs=0.03)
    assert 0 < knowledge.known.g.sigma < 0.05
    assert knowledge.known.gravity_is_ruler
    assert knowledge.rulers == ()
    assert knowledge.known.air_density == pytest.approx(1.2, abs=0.1)


@pytest.mark.parametrize("option", ["scale", "length", "diameter"])
def test_a_ruler_makes_gravity_an_unknown_that_is_measured(option: str) -> None:
    knowledge = gather_knowledge(Options(**{option: "0.5±0.01"}))
    assert knowledge.rulers == (option,)
    assert knowledge.known.g.source == "measured"
    assert knowledge.known.g.sigma > 5.0
    assert not knowledge.known.gravity_is_ruler


def test_a_mass_is_no_ruler() -> None:
    knowledge = gather_knowledge(Options(mass=0.43))
    assert knowledge.mass == Quantity(0.43, 0.0043, "kg", "user")
    assert knowledge.known.gravity_is_ruler


def test_a_bare_ruler_is_believed_to_one_per_cent() -> None:
    known = gather_knowledge(Options(scale=500.0, length="2±5%")).known
    assert known.scale == Quantity(500.0, 5.0, "px/m", "user")
    assert known.length is not None
    assert known.length.sigma == pytest.approx(0.1)


def test_gravity_that_is_told_is_exact_unless_it_comes_with_a_sigma() -> None:
    assert gather_knowledge(Options(g=1.62)).known.g.sigma == 0.0
    told = gather_knowledge(Options(g="9.80±0.02", length=1.0)).known
    assert told.g.value == 9.80
    assert told.g.sigma == pytest.approx(0.02)
    assert told.g.source == "user"
    assert told.gravity_is_ruler


def test_a_latitude_says_gravity_better_than_nothing_and_keeps_it_a_ruler() -> None:
    pole, equator, unknown = (gather_knowledge(Options(latitude=latitude)).known.g for latitude in (90.0, 0.0, None))
    assert pole.value - equator.value == pytest.approx(0.0519, abs=0.001)
    assert pole.sigma < unknown.sigma
    assert gather_knowledge(Options(latitude=50.0, length=1.0)).known.gravity_is_ruler


def test_thin_air_is_thin() -> None:
    assert gather_knowledge(Options(height=5000.0)).known.air_density < 0.7 * gather_knowledge(Options()).known.air_density
    assert gather_knowledge(Options(temperature=40.0)).known.air_density < gather_knowledge(Options(temperature=-20.0)).known.air_density


def test_what_cannot_be_read_names_its_option() -> None:
    for option in ("scale", "length", "diameter", "mass", "g"):
        with pytest.raises(UsageError, match=f"--{option}"):
            gather_knowledge(Options(**{option: "a lot"}))


def test_a_picture_has_an_ordinary_camera_and_a_table_one_of_scale_one() -> None:
    camera = choose_camera(Options(), (640, 480))
    assert (camera.kind, camera.source) == ("pinhole", "assumed")
    assert choose_camera(Options(fov=60.0), (640, 480)).source == "user"
    table = choose_camera(Options(), None, units="rad")
    assert (table.kind, table.focal_px, table.source) == ("orthographic", 1.0, "user")


def test_a_calibration_gives_the_lens_and_leaves_the_tilt_to_the_ordinary_prior(tmp_path: Path) -> None:
    path = tmp_path / "camera.json"
    path.write_text(json.dumps({"K": [[600, 0, 320], [0, 600, 240], [0, 0, 1]], "dist": [-0.1, 0, 0, 0, 0]}))
    camera = choose_camera(Options(camera=str(path)), (640, 480))
    assert camera.focal_px == pytest.approx(600.0)
    assert camera.distortion[0] == -0.1
    assert camera.source == "user"
    assert camera.pitch_sigma == pytest.approx(float(PITCH_SIGMA))
    assert camera.roll_sigma == pytest.approx(float(ROLL_SIGMA))
    assert all(math.isfinite(x) for x in (camera.focal_log_sigma, *camera.principal_px))
    assert np.all(np.isfinite(camera.distortion))
