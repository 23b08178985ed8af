"""The lens that a film's file names: read where Apple's cameras write it, and nowhere guessed."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import WriteClip
from hypothesis import given
from hypothesis import strategies as st

from newtonscheme import predict, track
from newtonscheme.vision.lens import KEY, LARGEST_META, find_focal_35mm
from newtonscheme.vision.video import open_video

DATA = Path(__file__).resolve().parents[2] / "data"
APPLE = f"com.apple.quicktime.{KEY}"
OTHER = "com.apple.quicktime.camera.lens_model"
INT32, FLOAT32, INT64, TEXT = (67, ">i"), (23, ">f"), (74, ">q"), (1, "")


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def meta(values: dict[str, bytes], *, versioned: bool = False) -> bytes:
    keys = b"".join(box(b"mdta", key.encode()) for key in values)
    items = b"".join(box(struct.pack(">I", k), box(b"data", data)) for k, data in enumerate(values.values(), 1))
    handler = box(b"hdlr", bytes(8) + b"mdta" + bytes(13))
    inner = handler + box(b"keys", struct.pack(">II", 0, len(values)) + keys) + box(b"ilst", items)
    return box(b"meta", (bytes(4) if versioned else b"") + inner)


def data(value: float | str, kind: tuple[int, str] = INT32) -> bytes:
    return struct.pack(">II", kind[0], 0) + (str(value).encode() if isinstance(value, str) else struct.pack(kind[1], value))


def lens_of(mm: float | str, kind: tuple[int, str] = INT32, **more: bool) -> bytes:
    return meta({OTHER: data("back camera 5.7mm", TEXT), APPLE: data(mm, kind)}, **more)


def film(path: Path, *metas: bytes, whole: bytes = b"") -> Path:
    path.write_bytes(box(b"ftyp", b"qt  ") + box(b"mdat", bytes(99)) + box(b"moov", whole + b"".join(box(b"trak", each) for each in metas)))
    return path


def put_into_track(path: Path, told: bytes) -> Path:
    """Add a box to the only track of a file whose `moov` comes last, so that no sample moves."""
    content = bytearray(path.read_bytes())
    for name in (b"moov", b"trak"):
        at = content.index(name) - 4
        size = struct.unpack_from(">I", content, at)[0]
        struct.pack_into(">I", content, at, size + len(told))
    content[at + size : at + size] = told
    path.write_bytes(bytes(content))
    return path


def copy_with_index_last(source: Path, target: Path) -> Path:
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return target


@pytest.mark.parametrize(("mm", "kind"), [(26, INT32), (26.0, FLOAT32), (26, INT64), ("26", TEXT), ("26.0", TEXT)])
@pytest.mark.parametrize("versioned", [False, True])
def test_the_lens_of_a_track_is_read_in_every_type_of_number(tmp_path: Path, mm: float | str, kind: tuple[int, str], versioned: bool) -> None:
    assert find_focal_35mm(film(tmp_path / "a.mov", lens_of(mm, kind, versioned=versioned)), {}) == 26.0


def test_what_is_said_of_the_whole_film_counts_too(tmp_path: Path) -> None:
    assert find_focal_35mm(film(tmp_path / "a.mov", whole=lens_of(13)), {}) == 13.0
    assert find_focal_35mm(film(tmp_path / "b.mov"), {APPLE.upper(): "77"}) == 77.0


def test_two_tracks_that_agree_are_believed_and_two_that_do_not_are_not(tmp_path: Path) -> None:
    assert find_focal_35mm(film(tmp_path / "a.mov", lens_of(26), lens_of(26.0, FLOAT32)), {}) == 26.0
    assert find_focal_35mm(film(tmp_path / "b.mov", lens_of(26), lens_of(13)), {}) is None


@pytest.mark.parametrize(
    "told", [lens_of(0), lens_of(-13), lens_of(100_000), lens_of(float("nan"), FLOAT32), lens_of("wide", TEXT), lens_of(26, (13, ">i")), meta({})]
)
def test_what_is_no_lens_is_none(tmp_path: Path, told: bytes) -> None:
    assert find_focal_35mm(film(tmp_path / "a.mov", told), {}) is None


def test_a_box_that_claims_too_much_is_left_unread(tmp_path: Path) -> None:
    padded = meta({APPLE: data(26), OTHER: data("x" * LARGEST_META, TEXT)})
    assert find_focal_35mm(film(tmp_path / "a.mov", padded), {}) is None
    told = bytearray(film(tmp_path / "b.mov", lens_of(26)).read_bytes())
    struct.pack_into(">I", told, told.index(b"moov") - 4, 0xFFFFFFFF)
    (tmp_path / "b.mov").write_bytes(told)
    assert find_focal_35mm(tmp_path / "b.mov", {}) is None


@given(st.binary(max_size=200), st.integers(0, 400), st.integers(1, 60))
def test_no_bytes_break_the_reader(tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int, width: int) -> None:
    path = film(tmp_path_factory.getbasetemp() / "noise.mov", lens_of(26))
    content = path.read_bytes()
    path.write_bytes(content[:at] + noise[:width] + content[at + width :])
    found = find_focal_35mm(path, {})
    assert found is None or 6.0 <= found <= 2000.0


def test_the_reader_of_videos_passes_the_lens_on(tmp_path: Path, write_clip: WriteClip) -> None:
    pictures = [np.full((48, 64), 20 * k, dtype=np.uint8) for k in range(4)]
    path = put_into_track(write_clip(tmp_path / "a.mov", pictures), lens_of(26))
    reader = open_video(path)
    assert len(list(reader.frames())) == 4
    assert reader.summary()[0].focal_35mm == 26.0


@pytest.mark.slow
def test_a_film_that_names_its_lens_is_seen_through_it_and_says_so(tmp_path: Path) -> None:
    path = copy_with_index_last(DATA / "throw.mp4", tmp_path / "throw.mov")
    assert track(path).video.focal_35mm is None
    named = predict(put_into_track(path, lens_of(52)))
    assert [notice.code for notice in named.notices if notice.code.startswith("lens")] == ["lens_from_file"]
    assert named.camera.source == "derived"
    told = predict(path, fov=30.0)
    assert not any(notice.code == "lens_from_file" for notice in told.notices)
    assert told.camera.source == "user"
