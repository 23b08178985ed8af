"""The camera against pictures drawn by hand, OpenCV's lens model, and its own inverse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from helpers import make_track
from hypothesis import given
from hypothesis import strategies as st

from newtonscheme.camera import assume_camera, make_sighting, project, rotate_to_camera, rotate_to_world, table_camera
from newtonscheme.types import Camera, Floats

angle = st.floats(-1.5, 1.5)
coordinate = st.floats(-100, 100)
SIZE = (641, 481)
MIDDLE = (320.0, 240.0)
FOCAL = 600.0
LENS = (-0.21, 0.06, 0.0011, -0.0007, 0.004)


def make_pinhole(**changes: Any) -> Camera:
    values: dict[str, Any] = {"kind": "pinhole", "focal_px": FOCAL, "focal_log_sigma": 0.0, "principal_px": MIDDLE}
    return Camera(**(values | changes))


def see(position: list[float] | Floats, *, anchor: tuple[float, float] = MIDDLE, depth: float = 3.0, pitch: float = 0.0, roll: float = 0.0,
        camera: Camera | None = None) -> tuple[Floats, Floats]:  # fmt: skip
    lens = make_pinhole() if camera is None else camera
    return project(lens, np.asarray(position, dtype=float), anchor, lens.focal_px / depth, pitch, roll, lens.focal_px)


@given(vector=st.tuples(coordinate, coordinate, coordinate), pitch=angle, roll=angle)
def test_turning_to_the_world_undoes_turning_to_the_camera(vector: tuple[float, ...], pitch: float, roll: float) -> None:
    v = np.array(vector)
    np.testing.assert_allclose(rotate_to_world(rotate_to_camera(v, pitch, roll), pitch, roll), v, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(rotate_to_camera(v, pitch, roll)), np.linalg.norm(v), atol=1e-9)


def test_a_turn_is_the_product_of_a_pitch_and_a_roll() -> None:
    pitch, roll = 0.3, -0.2
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), np.sin(roll), 0], [-np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    np.testing.assert_allclose(rotate_to_camera(np.eye(3), pitch, roll).T, about_z @ about_x, atol=1e-15)


def test_a_level_camera_sees_right_right_up_up_and_near_large() -> None:
    centre, scale = see([[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 1.0]])
    np.testing.assert_allclose(centre, [MIDDLE, (420, 240), (320, 140), MIDDLE])
    np.testing.assert_allclose(scale, [200, 200, 200, 300])


def test_a_camera_that_looks_up_sees_things_lower_and_the_sky_nearer_the_middle() -> None:
    # 10 degrees up: a point straight above the anchor leans away from the camera, and further along gravity it comes nearer.
    centre, scale = see([[0, 0.5, 0], [0, -0.5, 0]], pitch=np.radians(10))
    assert centre[0, 1] < 240 < centre[1, 1]
    assert scale[0] < 200 < scale[1]
    far = see([0.0, 0.0, -27.0], pitch=np.radians(10))[0]  # level, 30 m ahead of the camera that looks at the anchor 3 m ahead
    assert far[1] > 240


def test_a_camera_that_rolls_counter_clockwise_turns_the_picture_clockwise() -> None:
    centre, _ = see([0.0, 0.5, 0.0], roll=np.radians(10))
    np.testing.assert_allclose(centre, [320 + 100 * np.sin(np.radians(10)), 240 - 100 * np.cos(np.radians(10))])


def test_an_anchor_off_the_axis_stays_where_it_is() -> None:
    centre, scale = see([[0, 0, 0], [0, 0, 1.5]], anchor=(520.0, 90.0))
    np.testing.assert_allclose(centre[0], (520, 90))
    # Half as far away, it is twice as far from the middle.
    np.testing.assert_allclose(centre[1], (720, -60))
    np.testing.assert_allclose(scale, [200, 400])


def test_behind_the_camera_there_is_no_size_and_no_place_in_any_picture() -> None:
    centre, scale = see([[0.1, 0.1, 3.5], [0.1, 0.1, 1e6]])
    np.testing.assert_array_equal(scale, 0.0)
    assert np.all(np.isfinite(centre))
    assert np.all((centre[:, 0] < 0) | (centre[:, 0] > SIZE[0]))


@given(seed=st.integers(0, 10_000))
def test_a_pinhole_with_a_lens_is_opencvs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pitch, roll = rng.normal(0, 0.2, 2)
    position, anchor = rng.uniform(-0.4, 0.4, (12, 3)), rng.uniform(2, 5) * np.array([*rng.uniform(-0.4, 0.4, 2), 1.0])
    matrix = np.array([[FOCAL, 0, MIDDLE[0]], [0, FOCAL, MIDDLE[1]], [0, 0, 1]])

    def project_by_opencv(points: Floats) -> Floats:
        return np.asarray(cv2.projectPoints(points, np.zeros(3), np.zeros(3), matrix, np.array(LENS))[0])[:, 0]

    u, v = project_by_opencv(anchor[None])[0]
    centre, scale = see(position, anchor=(u, v), depth=anchor[2], pitch=pitch, roll=roll, camera=make_pinhole(distortion=LENS))
    # OpenCV's camera axes are x right, y down, z ahead.
    seen = rotate_to_camera(position, pitch, roll) * (1, -1, -1) + anchor
    np.testing.assert_allclose(centre, project_by_opencv(seen), atol=1e-5)
    np.testing.assert_allclose(scale, FOCAL / seen[:, 2], rtol=1e-12)


@pytest.mark.parametrize("lens", [(-0.3, 0.0, 0.0, 0.0, 0.0), LENS])
def test_a_body_that_leaves_the_picture_does_not_come_back_through_the_lens(lens: tuple[float, ...]) -> None:
    path = np.column_stack([np.linspace(0, 12, 200), np.zeros(200), np.zeros(200)])
    centre, _ = see(path, camera=make_pinhole(distortion=lens))
    outside = np.argmax(centre[:, 0] > SIZE[0])
    assert centre[-1, 0] > SIZE[0]
    assert np.all(centre[outside:, 0] > SIZE[0])


def test_an_orthographic_camera_has_one_scale_and_y_up() -> None:
    centre, scale = project(table_camera(), np.array([[1.0, 2.0, 5.0], [0.0, 0.0, -9.0]]), (10.0, -3.0), 1.0, 0.0, 0.0, 1.0)
    np.testing.assert_allclose(centre, [[11.0, -5.0], [10.0, -3.0]])
    np.testing.assert_array_equal(scale, 1.0)


@pytest.mark.parametrize("pitch", [-0.1, 0.06])
def test_a_table_that_was_read_off_a_tilted_film_narrows_as_the_film_does(pitch: float) -> None:
    """One scale, right in the middle of the upright plane, is what both have; up and down it the pinhole is exact."""
    places = np.array([[x, y, 0.0] for x in (-0.4, 0.0, 0.4) for y in np.linspace(-0.5, 0.5, 9)])
    table = table_camera("m", np.array([[-0.5, -0.5], [0.5, 0.5]]))
    film = replace(table, kind="pinhole")
    (read, sizes), (seen, true) = (project(c, places, (0.0, 0.0), 1.0, pitch, 0.0, table.focal_px) for c in (table, film))
    np.testing.assert_allclose(read, seen, atol=0.003)
    np.testing.assert_allclose(sizes, true, atol=0.003)
    assert table.pitch_sigma > 0.0
    assert table_camera().pitch_sigma == 0.0


def test_parameters_and_places_broadcast_as_a_batch() -> None:
    rng = np.random.default_rng(0)
    position = rng.uniform(-0.5, 0.5, (4, 9, 3))
    column = {name: rng.uniform(low, high, (4, 1)) for name, low, high in (
        ("u", 100, 500), ("v", 100, 400), ("px_per_m", 150, 250), ("pitch", -0.2, 0.2), ("roll", -0.1, 0.1), ("focal", 500, 700))}  # fmt: skip
    camera = make_pinhole()
    together, scale = project(camera, position, (column["u"], column["v"]), column["px_per_m"], column["pitch"], column["roll"], column["focal"])
    assert together.shape == (4, 9, 2)
    assert scale.shape == (4, 9)
    for i in range(4):
        p = {name: float(value[i, 0]) for name, value in column.items()}
        alone, _ = project(camera, position[i], (p["u"], p["v"]), p["px_per_m"], p["pitch"], p["roll"], p["focal"])
        np.testing.assert_allclose(together[i], alone, rtol=1e-12)


def test_the_assumed_camera_is_an_ordinary_one_and_says_that_it_is_assumed() -> None:
    wide, tall = assume_camera(1920, 1080), assume_camera(1080, 1920)
    assert wide.focal_px == tall.focal_px
    assert 40 < np.degrees(2 * np.arctan(960 / wide.focal_px)) < 75
    assert wide.principal_px == (959.5, 539.5)
    assert wide.source == "assumed"
    assert min(wide.focal_log_sigma, wide.pitch_sigma, wide.roll_sigma) > 0


def test_a_field_of_view_is_horizontal_and_believed_closely() -> None:
    camera = assume_camera(1080, 1920, fov_deg=40.0)
    assert np.degrees(2 * np.arctan(540 / camera.focal_px)) == pytest.approx(40.0)
    assert camera.source == "user"
    assert camera.focal_log_sigma < assume_camera(1080, 1920).focal_log_sigma / 10


def test_a_lens_that_the_file_names_is_believed_more_than_none_and_less_than_the_user() -> None:
    camera, plain, told = (assume_camera(1920, 1080, **words) for words in ({"focal_35mm": 26.0}, {}, {"fov_deg": 60.0, "focal_35mm": 26.0}))
    assert told == assume_camera(1920, 1080, fov_deg=60.0)
    assert told.focal_log_sigma < camera.focal_log_sigma < plain.focal_log_sigma
    # All of a 4:3 sensor's width at 26 mm, and what was left of it in a film steadied by cropping (27 mm acted like 32 on 36 mm).
    for true_focal in (1920 * 26.0 / 34.6, 1920 * 26.0 * (32.0 / 27.0) / 36.0):
        assert abs(np.log(true_focal / camera.focal_px)) < camera.focal_log_sigma
    assert camera.source == "derived"


@pytest.mark.parametrize("distortion", [(), LENS])
def test_a_sighting_is_the_tangents_of_the_angles_and_projects_back_to_its_pixels(distortion: tuple[float, ...]) -> None:
    track, camera = make_track(), make_pinhole(distortion=distortion)
    sighting = make_sighting(track, camera)
    assert sighting.t[0] == 0.0
    depth = 2.5
    ahead = np.column_stack([sighting.plane * depth, np.zeros(len(track))])
    centre, _ = see(ahead, depth=depth, camera=camera)
    np.testing.assert_allclose(centre, track.centre_px, atol=1e-6)
    np.testing.assert_allclose(sighting.angular_radius * FOCAL, track.radius_px)
    np.testing.assert_allclose(sighting.sigma * FOCAL, track.sigma_px)


def test_a_sighting_of_a_table_is_the_table_with_y_up() -> None:
    track = make_track()
    np.testing.assert_allclose(make_sighting(track, table_camera()).plane, track.centre_px * (1, -1))
