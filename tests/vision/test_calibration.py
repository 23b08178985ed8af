"""A calibration file is read as OpenCV meant it, or refused in one line that names the file and the key."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from newtonscheme.errors import UsageError
from newtonscheme.types import Camera
from newtonscheme.vision.calibration import MAX_BYTES, read_camera

SIZE = (640, 480)
MATRIX = np.array([[612.5, 0.0, 322.25], [0.0, 610.0, 236.5], [0.0, 0.0, 1.0]])
LENS = np.array([-0.21, 0.06, 0.0011, -0.0007, 0.004])


def write_json(folder: Path, **changes: Any) -> str:
    table = {"camera_matrix": MATRIX.tolist(), "dist_coeffs": LENS.tolist(), "image_width": SIZE[0], "image_height": SIZE[1]} | changes
    path = folder / "camera.json"
    path.write_text(json.dumps({key: value for key, value in table.items() if value is not None}))
    return str(path)


def write_text(folder: Path, text: str, name: str = "camera.yml") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def write_storage(folder: Path, name: str) -> str:
    """What OpenCV's own calibration sample writes."""
    path = str(folder / name)
    storage = cv2.FileStorage(path, cv2.FILE_STORAGE_WRITE)
    storage.write("calibration_time", "Mon 23 Nov 2026 12:00:00")
    storage.write("image_width", SIZE[0])
    storage.write("image_height", SIZE[1])
    storage.write("camera_matrix", MATRIX)
    storage.write("distortion_coefficients", LENS[:, None])
    storage.write("avg_reprojection_error", 0.21)
    storage.write("per_view_errors", np.full((30, 1), 0.2))
    storage.release()
    return path


def is_the_camera(camera: Camera) -> bool:
    return (
        camera.kind == "pinhole"
        and camera.source == "user"
        and camera.focal_px == pytest.approx(np.sqrt(612.5 * 610.0))
        and camera.principal_px == pytest.approx((322.25, 236.5))
        and camera.distortion == pytest.approx(tuple(LENS))
    )


@pytest.mark.parametrize("name", ["camera.yml", "camera.yaml", "camera.xml", "camera.json"])
def test_what_opencv_writes_is_read(tmp_path: Path, name: str) -> None:
    assert is_the_camera(read_camera(write_storage(tmp_path, name), SIZE))


@pytest.mark.parametrize("key", ["camera_matrix", "cameraMatrix", "Camera_Matrix", "K", "mtx"])
@pytest.mark.parametrize("lens", ["dist_coeffs", "distortion_coefficients", "dist", "distCoeffs"])
def test_json_is_read_under_every_usual_name(tmp_path: Path, key: str, lens: str) -> None:
    path = write_json(tmp_path, **({"camera_matrix": None, "dist_coeffs": None} | {key: MATRIX.tolist(), lens: [LENS.tolist()]}))
    assert is_the_camera(read_camera(path, SIZE))


def test_the_yaml_of_a_ros_camera_and_of_pythons_own_writer_is_read(tmp_path: Path) -> None:
    numbers = ", ".join(str(v) for v in MATRIX.ravel())
    lens = ", ".join(str(v) for v in LENS)
    ros = f"""image_width: 640
image_height: 480
camera_name: narrow_stereo
camera_matrix:
  rows: 3
  cols: 3
  data: [{numbers}]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [{lens}]
"""
    assert is_the_camera(read_camera(write_text(tmp_path, ros), SIZE))
    rows = "".join("- - " + "\n  - ".join(str(v) for v in row) + "\n" for row in MATRIX)
    assert is_the_camera(read_camera(write_text(tmp_path, f"camera_matrix:\n{rows}dist_coeff:\n- - {lens.replace(', ', chr(10) + '  - ')}\n"), SIZE))


def test_the_content_decides_and_not_the_name(tmp_path: Path) -> None:
    path = Path(write_storage(tmp_path, "camera.xml")).rename(tmp_path / "camera.json")
    assert is_the_camera(read_camera(str(path), SIZE))


def test_the_prior_is_tight_in_the_lens_and_says_nothing_of_the_tilt(tmp_path: Path) -> None:
    camera = read_camera(write_json(tmp_path), SIZE)
    assert camera.focal_log_sigma == pytest.approx(0.005)
    assert np.isinf(camera.pitch_sigma)
    assert np.isinf(camera.roll_sigma)


def test_four_coefficients_have_no_k3_and_zeros_after_five_change_nothing(tmp_path: Path) -> None:
    assert read_camera(write_json(tmp_path, dist_coeffs=LENS[:4].tolist()), SIZE).distortion == pytest.approx((*LENS[:4], 0.0))
    assert read_camera(write_json(tmp_path, dist_coeffs=[*LENS, 0, 0, 0]), SIZE).distortion == pytest.approx(tuple(LENS))


@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_a_picture_of_another_size_and_the_same_shape_sees_the_same_directions(tmp_path: Path, factor: float) -> None:
    size = (int(factor * SIZE[0]), int(factor * SIZE[1]))
    path = write_json(tmp_path)
    one, other = read_camera(path, SIZE), read_camera(path, size)
    pixel = np.array([100.0, 50.0])
    moved = factor * (pixel + 0.5) - 0.5
    bearing = (pixel - one.principal_px) / one.focal_px
    np.testing.assert_allclose((moved - other.principal_px) / other.focal_px, bearing, rtol=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"camera_matrix": None}, "needed camera_matrix"),
        ({"dist_coeffs": None}, "needed dist_coeffs"),
        ({"camera_matrix": [[1, 2], [3, 4]]}, "camera_matrix: found 4 numbers, needed 3x3"),
        ({"camera_matrix": [["a"] * 3] * 3}, "camera_matrix: found no plain numbers"),
        ({"camera_matrix": np.diag([612.0, float("nan"), 1.0]).tolist()}, "camera_matrix: found no plain numbers"),
        ({"camera_matrix": (MATRIX * [[1], [1.05], [1]]).tolist()}, "square pixels"),
        ({"camera_matrix": (MATRIX + np.diag([3, 0], 1)).tolist()}, "skew"),
        ({"camera_matrix": MATRIX.T.tolist()}, "no camera matrix"),
        ({"camera_matrix": [[0.95, 0, 0.5], [0, 0.95, 0.5], [0, 0, 1]]}, "focal length"),
        ({"camera_matrix": [[612, 0, 20], [0, 612, 240], [0, 0, 1]]}, "principal point"),
        ({"image_height": 360}, "640 x 360"),
        ({"image_height": None}, "image_width and image_height"),
        ({"dist_coeffs": [0.1]}, "dist_coeffs: found 1 numbers"),
        ({"dist_coeffs": [*LENS, 0.01, 0.0, 0.0]}, "found 8 coefficients"),
        ({"dist_coeffs": [-4.0, 0, 0, 0, 0]}, "folds"),
        ({"distortion_model": "equidistant"}, "needed plumb_bob"),
        ({"K": MATRIX.tolist()}, "camera_matrix and K"),
    ],
)
def test_a_calibration_that_cannot_be_meant_is_refused_by_file_and_key(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = write_json(tmp_path, **changes)
    with pytest.raises(UsageError) as refused:
        read_camera(path, SIZE)
    text = str(refused.value)
    assert message in text
    assert "camera.json" in text
    assert "\n" not in text


def test_a_matrix_of_another_picture_without_its_size_is_not_believed(tmp_path: Path) -> None:
    path = write_json(tmp_path, image_width=None, image_height=None)
    assert is_the_camera(read_camera(path, SIZE))
    with pytest.raises(UsageError, match="add image_width"):
        read_camera(path, (1920, 1440))


HEAD = "<?xml version='1.0'?>\n"
HOSTILE = {
    "empty": b"",
    "binary": bytes(range(256)),
    "numpy archive": b"PK\x03\x04" + b"\0" * 30,
    "numpy array": b"\x93NUMPY\x01\x00",
    "pickle": pickle.dumps({"K": 1}),
    "nul": b'{"K": \0}',
    "cut json": b'{"camera_matrix": [[1, 2',
    "deep json": b'{"K": ' + b"[" * 100_000,
    "deep but valid json": b'{"K": ' + b"[" * 900 + b"]" * 900 + b"}",
    "huge number": b'{"K": 1' + b"0" * 10_000 + b"}",
    "doubled key": b'{"K": 1, "K": 2}',
    "json list": b"[1, 2, 3]",
    "entities": (HEAD + "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><opencv_storage><K>&a;</K></opencv_storage>").encode(),
    "another xml": (HEAD + "<svg/>").encode(),
    "deep xml": (HEAD + "<opencv_storage>" + "<a>" * 1000 + "</a>" * 1000 + "</opencv_storage>").encode(),
    "cut xml": (HEAD + "<opencv_storage><K>").encode(),
    "strange encoding": b"<?xml version='1.0' encoding='martian'?><opencv_storage/>",
    "yaml object": b"!!python/object/apply:os.system ['true']\n",
    "yaml with a tagged key": b"camera_matrix: !!python/object/apply:os.system ['true']\ndist: [0, 0, 0, 0]\n",
    "yaml anchors": b"a: &a [1, 1]\nK: [*a, *a, *a, *a, 1]\ndist: [0, 0, 0, 0]\n",
    "prose": "This is not a calibration.\nÄ second line.\n".encode(),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_calibration_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "camera.dat"
    path.write_bytes(HOSTILE[kind])
    with pytest.raises(UsageError, match=r"camera\.dat") as refused:
        read_camera(str(path), SIZE)
    assert "\n" not in str(refused.value)


def test_large_files_folders_pipes_and_missing_files_are_refused_unread(tmp_path: Path) -> None:
    large = tmp_path / "large.json"
    large.write_bytes(b" " * (MAX_BYTES + 1))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (large, pipe, tmp_path, tmp_path / "missing.json", "a\0b"):
        with pytest.raises(UsageError, match="--camera"):
            read_camera(str(path), SIZE)
