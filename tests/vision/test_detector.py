"""Somebody else's detector says which moving things count, and can do no harm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import WriteClip

from newtonscheme import LimitReached, NothingTrackable, UnreadableInput, predict_many, track
from newtonscheme.cli import main
from newtonscheme.vision import detector as module
from newtonscheme.vision.detector import open_detector, read_boxes

DATA = Path(__file__).resolve().parents[2] / "data"
SIDE, COPIES = 64, 8
BUSY_S = 1.5
"""Of a process that is past its imports, and in its model."""
INT, INTS, FLOAT32, INT64 = 2, 7, 1, 7


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    told = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(told)) + told


def tensor(name: str, values: np.ndarray) -> bytes:
    kind = FLOAT32 if values.dtype == np.float32 else INT64
    return b"".join(field(1, int(n)) for n in values.shape) + field(2, kind) + field(8, name) + field(9, values.tobytes())


def node(operation: str, inputs: list[str], output: str, **attributes: list[int] | int) -> bytes:
    kinds = [
        (k, field(3, v) + field(20, INT) if isinstance(v, int) else b"".join(field(8, n) for n in v) + field(20, INTS)) for k, v in attributes.items()
    ]
    told = b"".join(field(5, field(1, k) + v) for k, v in kinds)
    return b"".join(field(1, name) for name in inputs) + field(2, output) + field(3, output) + field(4, operation) + told


def value(name: str, shape: tuple[int, ...]) -> bytes:
    dims = b"".join(field(1, field(1, n)) for n in shape)
    return field(1, name) + field(2, field(1, field(1, FLOAT32) + field(2, dims)))


def write_model(path: Path, box: tuple[float, float, float, float], score: float = 0.9) -> Path:
    """An export (1, 5, n) that sees one box (centre and size in pixels of its square), whatever it is shown."""
    answer = np.repeat(np.array([*box, score], dtype=np.float32), COPIES)
    weights = np.zeros((5 * COPIES, 3, SIDE, SIDE), dtype=np.float32)
    nodes = [
        node("Conv", ["images", "weights", "answer"], "seen", kernel_shape=[SIDE, SIDE], strides=[SIDE, SIDE]),
        node("Reshape", ["seen", "shape"], "output0"),
    ]
    constants = [tensor("weights", weights), tensor("answer", answer), tensor("shape", np.array([1, 5, COPIES], dtype=np.int64))]
    graph = b"".join(field(1, n) for n in nodes) + field(2, "boxes") + b"".join(field(5, c) for c in constants)
    graph += field(11, value("images", (1, 3, SIDE, SIDE))) + field(12, value("output0", (1, 5, COPIES)))
    path.write_bytes(field(1, 8) + field(8, field(2, 13)) + field(7, graph))
    return path


def test_the_boxes_are_those_of_the_picture_and_not_of_the_letterbox(tmp_path: Path) -> None:
    picture = np.zeros((360, 640, 3), dtype=np.uint8)
    with open_detector(write_model(tmp_path / "m.onnx", (32.0, 32.0, 8.0, 4.0))) as found:
        np.testing.assert_allclose(found.find_boxes(0, picture), [[280.0, 160.0, 360.0, 200.0]], atol=1e-4)
        assert found.side == SIDE


def test_a_detector_that_sees_everything_changes_nothing(tmp_path: Path) -> None:
    film = DATA / "throw.mp4"
    alone, told = track(film), track(film, detector=str(write_model(tmp_path / "m.onnx", (32.0, 32.0, 64.0, 64.0))))
    np.testing.assert_array_equal(alone.tracks[0].centre_px, told.tracks[0].centre_px)


def test_only_what_moves_in_a_box_counts(tmp_path: Path) -> None:
    film = DATA / "throw.mp4"
    middle = float(np.median(track(film).tracks[0].centre_px[:, 0]))
    half = middle / 10.0
    found = track(film, detector=str(write_model(tmp_path / "m.onnx", (0.8 * half / 2, 32.0, 0.8 * half, 64.0)))).tracks
    assert found
    assert all(np.all(each.centre_px[:, 0] < middle + 40.0) for each in found)


def write_brightness_detector(path: Path) -> Path:
    """An export (1, 5, 256) that sees a box of a quarter of the square around each of 16 x 16 cells which is brighter than half of white."""
    gain, cell, cells = 5.0, SIDE // 16, 16
    corners = (np.arange(cells, dtype=np.float32) + 0.5) * cell
    size = np.full(cells * cells, SIDE / 4, dtype=np.float32)
    boxes = np.stack([np.tile(corners, cells), np.repeat(corners, cells), size, size])[None].astype(np.float32)
    weights = np.full((1, 3, cell, cell), gain / (3 * cell * cell), dtype=np.float32)
    nodes = [
        node("Conv", ["images", "weights", "bias"], "bright", kernel_shape=[cell, cell], strides=[cell, cell]),
        node("Reshape", ["bright", "shape"], "scores"),
        node("Concat", ["boxes", "scores"], "output0", axis=1),
    ]
    constants = [
        tensor("weights", weights), tensor("bias", np.array([-gain / 2], dtype=np.float32)), tensor("boxes", boxes),
        tensor("shape", np.array([1, 1, cells * cells], dtype=np.int64)),
    ]  # fmt: skip
    graph = b"".join(field(1, n) for n in nodes) + field(2, "bright") + b"".join(field(5, c) for c in constants)
    graph += field(11, value("images", (1, 3, SIDE, SIDE))) + field(12, value("output0", (1, 5, cells * cells)))
    path.write_bytes(field(1, 8) + field(8, field(2, 13)) + field(7, graph))
    return path


def test_of_a_bright_and_a_dark_ball_a_detector_of_brightness_leaves_the_bright_one(tmp_path: Path, write_clip: WriteClip) -> None:
    import cv2

    frames, bright = [], np.column_stack([40.0 + 6.0 * np.arange(36), np.full(36, 60.0)])
    for place in bright:
        picture = np.full((240, 320), 90, dtype=np.uint8)
        cv2.circle(picture, (int(place[0]), int(place[1])), 22, 240, -1, cv2.LINE_AA)
        cv2.circle(picture, (320 - int(place[0]), 180), 22, 10, -1, cv2.LINE_AA)
        frames.append(picture)
    film = write_clip(tmp_path / "two.mp4", frames)
    assert {bool(np.median(each.centre_px[:, 1]) < 120) for each in track(film).tracks} == {True, False}
    told = track(film, detector=str(write_brightness_detector(tmp_path / "m.onnx"))).tracks
    np.testing.assert_allclose(told[0].centre_px, bright[told[0].frame], atol=0.5)
    assert all(np.median(each.centre_px[:, 1]) < 120 for each in told)


def test_a_detector_that_sees_nothing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(NothingTrackable):
        track(DATA / "throw.mp4", detector=str(write_model(tmp_path / "m.onnx", (32.0, 32.0, 64.0, 64.0), score=0.1)))


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x08" * 50])
def test_what_is_no_model_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    with pytest.raises(UnreadableInput, match="--detector"):
        open_detector(tmp_path / "bad.onnx")


def test_weights_that_lie_elsewhere_are_not_looked_for(tmp_path: Path) -> None:
    model = write_model(tmp_path / "m.onnx", (32.0, 32.0, 8.0, 8.0))
    model.write_bytes(model.read_bytes() + field(7, field(5, field(13, field(1, "location") + field(2, "/etc/passwd")) + field(14, 1))))
    with pytest.raises(UnreadableInput, match="other files"):
        open_detector(model)


def test_a_folder_and_a_giant_are_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnreadableInput, match="no regular file"):
        open_detector(tmp_path)
    monkeypatch.setattr(module, "LARGEST_MODEL", 10)
    with pytest.raises(UnreadableInput, match="at most"):
        open_detector(write_model(tmp_path / "m.onnx", (32.0, 32.0, 8.0, 8.0)))


def test_the_three_usual_exports_say_the_same() -> None:
    box, expected = [30.0, 20.0, 10.0, 8.0], [[25.0, 16.0, 35.0, 24.0]]
    plain = np.tile(np.array([*box, 0.1, 0.9]), (20, 1)).T
    objectness = np.tile(np.array([*box, 0.9, 0.1, 0.9]), (20, 1))
    suppressed = np.array([[25.0, 16.0, 35.0, 24.0, 0.9, 0.0], [0.0, 0.0, 5.0, 5.0, 0.1, 0.0]])
    for answer in (plain, objectness, suppressed):
        np.testing.assert_allclose(read_boxes(answer, "m"), expected)


@pytest.mark.parametrize("answer", [np.zeros((3, 100)), np.full((6, 100), np.nan)])
def test_an_answer_that_is_no_list_of_boxes_is_refused(answer: np.ndarray) -> None:
    with pytest.raises(UnreadableInput, match="needed finite boxes"):
        read_boxes(answer, "m")


def write_slow_model(path: Path) -> Path:
    """Sixty convolutions in a row, which take minutes for a picture of 640 px."""
    rng = np.random.default_rng(0)
    first, wide = (rng.normal(0.0, 0.1, shape).astype(np.float32) for shape in ((256, 3, 3, 3), (256, 256, 3, 3)))
    nodes = [node("Conv", ["images" if k == 0 else f"x{k}", "first" if k == 0 else "wide"], f"x{k + 1}", pads=[1, 1, 1, 1]) for k in range(60)]
    graph = b"".join(field(1, n) for n in nodes) + field(2, "slow") + field(5, tensor("first", first)) + field(5, tensor("wide", wide))
    graph += field(11, value("images", (1, 3, 640, 640))) + field(12, value("x60", (1, 256, 640, 640)))
    path.write_bytes(field(1, 8) + field(8, field(2, 13)) + field(7, graph))
    return path


def test_a_model_that_does_not_answer_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 1.0)
    with pytest.raises(LimitReached, match="no answer in 1 s"):
        open_detector(write_slow_model(tmp_path / "slow.onnx"))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes where Linux lists them")
def test_a_model_that_does_not_answer_ends_with_whoever_asked(tmp_path: Path) -> None:
    model = write_slow_model(tmp_path / "slow.onnx")
    asking = subprocess.Popen(
        [sys.executable, "-c", "import sys; from newtonscheme.vision.detector import open_detector; open_detector(sys.argv[1])", str(model)],
        env=os.environ | {"PYTHONPATH": str(DATA.parent)}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        worker = wait_for(lambda: Path(f"/proc/{asking.pid}/task/{asking.pid}/children").read_text().split())[0]
        wait_for(lambda: seconds_of_work(worker) > BUSY_S)
    finally:
        asking.kill()
        asking.wait()
    wait_for(lambda: is_gone(worker))


def seconds_of_work(process: str) -> float:
    words = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return int(words[11]) / os.sysconf("SC_CLK_TCK")


def is_gone(process: str) -> bool:
    status = Path(f"/proc/{process}/status")
    return not status.exists() or "State:\tZ" in status.read_text()


def wait_for(look: Callable[[], Any], patience_s: float = 20.0) -> Any:
    deadline = time.monotonic() + patience_s
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
    return found


def test_the_command_line_takes_a_detector_and_says_what_is_wrong_with_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "track.csv"
    model = str(write_model(tmp_path / "m.onnx", (32.0, 32.0, 64.0, 64.0)))
    assert main(["track", str(DATA / "throw.mp4"), "--detector", model, "--out", str(target), "--quiet"]) == 0
    assert len(target.read_text().splitlines()) > 5
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    assert main(["track", str(DATA / "throw.mp4"), "--detector", str(tmp_path / "bad.onnx")]) == 3
    assert capsys.readouterr().err.count("ns: error:") == 1


def test_a_batch_gives_every_clip_the_detector_and_its_report_says_which(tmp_path: Path) -> None:
    model = write_model(tmp_path / "m.onnx", (32.0, 32.0, 64.0, 64.0), score=0.1)
    row = predict_many(DATA / "throw.mp4", out=tmp_path / "out", detector=str(model), jobs=1)[0]
    assert row["error"] == "nothing_trackable"
    stamp = json.loads((tmp_path / "out" / str(row["report"])).read_text())["batch"]
    assert stamp["files"]["detector"] == sha256(model.read_bytes()).hexdigest()
