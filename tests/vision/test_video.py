"""The reader gives every frame once, upright, at its true time, and says what is wrong with the file."""

from __future__ import annotations

import hashlib
import math
import os
import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from newtonscheme.errors import LimitReached, UnreadableInput, UsageError
from newtonscheme.types import Notice
from newtonscheme.vision.video import Frame, VideoReader, open_video

WIDTH, HEIGHT = 96, 64
Picture = NDArray[np.uint8]


def disc(u: float, v: float, *, radius: float = 6.0, width: int = WIDTH, height: int = HEIGHT, ground: float = 60.0, ball: float = 200.0) -> Picture:
    """A bright antialiased disc on an even ground."""
    v_px, u_px = np.mgrid[:height, :width]
    cover = np.clip(radius + 0.5 - np.hypot(u_px - u, v_px - v), 0, 1)
    return np.rint(ground + (ball - ground) * cover).astype(np.uint8)


def centre(luma: Picture, ground: float = 60.0) -> tuple[float, float]:
    weight = np.clip(np.abs(luma.astype(float) - ground) - 20, 0, None)
    v_px, u_px = np.mgrid[: luma.shape[0], : luma.shape[1]]
    return float((weight * u_px).sum() / weight.sum()), float((weight * v_px).sum() / weight.sum())


def flight(n: int = 24) -> list[Picture]:
    return [disc(12 + 3 * k, 50 - 3.2 * k + 0.11 * k * k) for k in range(n)]


def noise(n: int, seed: int = 0) -> list[Picture]:
    return list(np.random.default_rng(seed).integers(16, 236, (n, HEIGHT, WIDTH), dtype=np.uint8))


def read(path: Path, **options: Any) -> tuple[VideoReader, list[Frame], dict[str, str]]:
    reader = open_video(path, **options)
    frames = list(reader.frames())
    return reader, frames, {notice.code: notice.message for notice in reader.summary()[1]}


def times(frames: Sequence[Frame]) -> list[float]:
    return [frame.t for frame in frames]


def digest(frames: Sequence[Frame]) -> list[tuple[int, float, str, frozenset[str]]]:
    return [(frame.index, frame.t, hashlib.sha256(frame.luma.tobytes()).hexdigest(), frame.flags) for frame in frames]


# ------------------------------------------------------------------------------------------------------------ pictures


@pytest.mark.parametrize(("name", "options"), [("a.mp4", {}), ("a.mkv", {}), ("a.ts", {}), ("a.mov", {"bf": "2"}), ("a.avi", {"bf": "0"})])
def test_luma_is_what_was_encoded_at_multiples_of_the_frame_time(tmp_path: Path, write_clip: Any, name: str, options: dict[str, str]) -> None:
    pictures = noise(12)
    reader, frames, notices = read(write_clip(tmp_path / name, pictures, fps=30000 / 1001, options=options))
    assert [frame.index for frame in frames] == list(range(12))
    assert times(frames) == pytest.approx([k * 1001 / 30000 for k in range(12)], abs=1e-6)
    assert all(np.array_equal(frame.luma, picture) for frame, picture in zip(frames, pictures, strict=True))
    assert (reader.width_px, reader.height_px, reader.has_colour) == (WIDTH, HEIGHT, True)
    assert notices == {}


def test_luma_outlives_the_reader_and_cannot_be_written(tmp_path: Path, write_clip: Any) -> None:
    pictures = noise(12)
    path = write_clip(tmp_path / "a.mp4", pictures)
    kept = [frame.luma for frame in open_video(path).frames()]
    assert all(np.array_equal(luma, picture) for luma, picture in zip(kept, pictures, strict=True))
    with pytest.raises(ValueError, match="read-only"):
        kept[0][0, 0] = 1


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "limited"),
    [
        ("libx264", "yuv420p", True),
        ("libx264", "yuvj420p", False),
        ("libx264", "yuv422p", True),
        ("libx264", "yuv444p", True),
        ("libx264", "yuv420p10le", True),
        ("libx264", "nv12", True),
        ("ffv1", "gray", False),
        ("ffv1", "gray16le", False),
        ("ffv1", "yuv444p12le", True),
        ("ffv1", "bgr0", False),
        ("ffv1", "yuva420p", True),
        ("rawvideo", "yuyv422", True),
        ("rawvideo", "bgr24", False),
        ("qtrle", "argb", False),
    ],
)
def test_every_pixel_format_gives_its_brightness_in_eight_bits(tmp_path: Path, write_clip: Any, codec: str, pix_fmt: str, limited: bool) -> None:
    steps = np.repeat(np.linspace(0, 255, 16), 4).astype(np.uint8)
    ramp = np.tile(steps, (32, 1))
    colour = np.repeat(ramp[:, :, None], 3, axis=2)
    suffix = {"qtrle": ".mov", "rawvideo": ".nut"}.get(codec, ".mkv")
    _, frames, _ = read(write_clip(tmp_path / f"a{suffix}", [colour] * 2, codec=codec, pix_fmt=pix_fmt))
    expected = 16 + ramp * (219 / 255) if limited else ramp
    assert frames[0].luma.dtype == np.uint8
    assert np.abs(frames[0].luma[:, 2::4] - expected[:, 2::4]).max() <= 2


@pytest.mark.parametrize(("width", "height"), [(95, 63), (94, 62), (2, 2)])
def test_odd_sizes_keep_every_pixel(tmp_path: Path, write_clip: Any, width: int, height: int) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (height, width), dtype=np.uint8)
    reader, frames, _ = read(write_clip(tmp_path / "a.mkv", [picture] * 2, codec="ffv1", pix_fmt="gray"))
    assert (reader.width_px, reader.height_px) == (width, height)
    assert np.array_equal(frames[0].luma, picture)


def test_a_grey_video_has_no_chroma_and_still_a_colour_picture(tmp_path: Path, write_clip: Any) -> None:
    picture = noise(1)[0]
    reader, frames, _ = read(write_clip(tmp_path / "a.mkv", [picture] * 2, codec="ffv1", pix_fmt="gray"))
    assert not reader.has_colour
    assert frames[0].chroma() is None
    assert np.abs(frames[0].colour().astype(int) - picture[:, :, None]).max() <= 1


@pytest.mark.parametrize(
    ("codec", "pix_fmt"), [("libx264", "yuv420p"), ("libx264", "yuvj420p"), ("libx264", "yuv422p"), ("ffv1", "bgr0"), ("ffv1", "yuv420p10le")]
)
def test_chroma_and_colour_show_the_colours_that_were_filmed(tmp_path: Path, write_clip: Any, codec: str, pix_fmt: str) -> None:
    picture = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    picture[:, :32] = (20, 30, 200)
    picture[:, 64:] = (200, 60, 20)
    _, frames, _ = read(write_clip(tmp_path / "a.mkv", [picture] * 2, codec=codec, pix_fmt=pix_fmt))
    colour, chroma = frames[0].colour(), frames[0].chroma()
    assert colour.shape == (HEIGHT, WIDTH, 3)
    for column in (16, 48, 80):
        assert np.abs(colour[32, column].astype(int) - picture[32, column]).max() <= 6
    assert chroma is not None
    assert chroma.shape == (HEIGHT // 2, WIDTH // 2, 2)
    red, grey, blue = chroma[16, 8].astype(int), chroma[16, 24].astype(int), chroma[16, 40].astype(int)
    assert red[1] > 180 > 128 > red[0]
    assert blue[0] > 180 > 128 > blue[1]
    assert np.abs(grey - 128).max() <= 2


def test_chroma_of_an_odd_size_covers_the_last_row_and_column(tmp_path: Path, write_clip: Any) -> None:
    picture = np.full((33, 47, 3), (20, 30, 200), np.uint8)
    _, frames, _ = read(write_clip(tmp_path / "a.mkv", [picture] * 2, codec="ffv1", pix_fmt="yuv420p"))
    chroma = frames[0].chroma()
    assert chroma is not None
    assert chroma.shape == (17, 24, 2)


# ------------------------------------------------------------------------------------------------------------ geometry


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_picture_is_turned_as_a_player_turns_it(tmp_path: Path, write_clip: Any, rotation: int, mirrored: bool) -> None:
    stored = np.random.default_rng(2).integers(30, 220, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    upright, turned = write_clip(tmp_path / "a.mp4", [stored] * 2), tmp_path / "b.mp4"
    write_clip(turned, [stored] * 2, rotation=rotation, mirrored=mirrored)
    reader, frames, _ = read(turned)
    plain = read(upright)[1][0]

    def turn(array: Picture) -> Picture:
        rotated = np.rot90(array, rotation // 90)
        return rotated[:, ::-1] if mirrored else rotated

    assert np.array_equal(frames[0].luma, turn(plain.luma))
    assert np.array_equal(frames[0].chroma(), turn(plain.chroma()))
    assert np.array_equal(frames[0].colour(), turn(plain.colour()))
    assert (reader.height_px, reader.width_px) == frames[0].luma.shape


@pytest.mark.parametrize(("aspect", "rotation"), [(Fraction(2, 1), 0), (Fraction(12, 11), 0), (Fraction(10, 11), 0), (Fraction(2, 1), 90)])
def test_oblong_pixels_are_made_square(tmp_path: Path, write_clip: Any, aspect: Fraction, rotation: int) -> None:
    wide = [disc(40 + 4 * k, 30, radius=8, width=round(WIDTH * aspect)) for k in range(3)]
    columns = (np.arange(WIDTH) + 0.5) * float(aspect) - 0.5
    stored = [np.stack([np.interp(columns, np.arange(row.size), row) for row in picture]).astype(np.uint8) for picture in wide]
    reader, frames, _ = read(write_clip(tmp_path / "a.mp4", stored, sample_aspect=aspect, rotation=rotation))
    width = round(WIDTH * aspect)
    assert (reader.width_px, reader.height_px) == ((width, HEIGHT) if rotation == 0 else (HEIGHT, width))
    for k, frame in enumerate(frames):
        u, v = centre(frame.luma) if rotation == 0 else centre(np.rot90(frame.luma, -1))
        assert (u, v) == pytest.approx((40 + 4 * k, 30), abs=0.3)


def test_a_pixel_aspect_that_no_camera_has_is_ignored_and_told(tmp_path: Path, write_clip: Any) -> None:
    reader, _, notices = read(write_clip(tmp_path / "a.mp4", flight(3), sample_aspect=Fraction(8, 1)))
    assert reader.width_px == WIDTH
    assert "aspect_ignored" in notices


def test_an_interlaced_picture_shows_one_moment(tmp_path: Path, write_clip: Any) -> None:
    fields = [disc(20 + 4 * k, 12 + 3 * k) for k in range(16)]
    woven = []
    for upper, lower in zip(fields[::2], fields[1::2], strict=True):
        woven.append(upper.copy())
        woven[-1][1::2] = lower[1::2]
    _, frames, notices = read(write_clip(tmp_path / "a.mp4", woven, options={"flags": "+ildct+ilme", "x264-params": "tff=1"}))
    assert "interlaced" in notices
    for k, frame in enumerate(frames):
        assert "interlaced" in frame.flags
        assert centre(frame.luma) == pytest.approx((20 + 8 * k, 12 + 6 * k), abs=0.3)


# --------------------------------------------------------------------------------------------------------------- clock


UNEVEN = [0.0, 0.03, 0.07, 0.1, 0.18, 0.2, 0.23, 0.29, 0.31, 0.34]


def test_uneven_times_are_kept_as_they_were_written(tmp_path: Path, write_clip: Any) -> None:
    path = write_clip(tmp_path / "a.mp4", noise(10), times=[0.5 + t for t in UNEVEN])
    _, frames, notices = read(path)
    assert times(frames) == pytest.approx(UNEVEN, abs=2e-5)
    assert "clock_variable" in notices


def test_fps_rescales_an_even_clock_to_frame_number_over_rate(tmp_path: Path, write_clip: Any) -> None:
    reader, frames, _ = read(write_clip(tmp_path / "a.mkv", noise(30), fps=30000 / 1001), fps=240.0)
    assert times(frames) == [k / 240 for k in range(30)]
    assert reader.nominal_fps == pytest.approx(240)
    assert reader.summary()[0].time_source == "fps_option"


def test_fps_keeps_the_proportions_of_an_uneven_clock(tmp_path: Path, write_clip: Any) -> None:
    _, frames, _ = read(write_clip(tmp_path / "a.mp4", noise(10), times=UNEVEN), fps=120.0)
    assert np.median(np.diff(times(frames))) == pytest.approx(1 / 120)
    assert np.asarray(times(frames)) / frames[-1].t == pytest.approx(np.asarray(UNEVEN) / UNEVEN[-1], abs=1e-3)


@pytest.mark.parametrize(
    ("tag", "rate", "code"), [("240.0", 240.0, "capture_fps"), ("60", 30.0, "capture_fps_unclear"), ("30.000", 30.0, None), ("x", 30.0, None)]
)
def test_the_camera_s_word_on_slow_motion_is_followed_where_it_is_clear(
    tmp_path: Path, write_clip: Any, tag: str, rate: float, code: str | None
) -> None:
    path = write_clip(tmp_path / "a.mp4", noise(8), metadata={"com.android.capture.fps": tag})
    _, frames, notices = read(path)
    assert frames[-1].t == pytest.approx(7 / rate)
    assert set(notices) == ({code} if code else set())
    assert read(path, fps=30.0)[1][-1].t == pytest.approx(7 / 30)


def test_a_bare_stream_has_an_invented_clock_until_fps_is_given(tmp_path: Path, write_clip: Any) -> None:
    path = write_clip(tmp_path / "a.h264", noise(8), fps=50)
    reader, _, notices = read(path)
    assert "clock_invented" in notices
    assert reader.summary()[0].time_source == "container_rate"
    _, frames, notices = read(path, fps=120.0)
    assert times(frames) == [k / 120 for k in range(8)]
    assert notices == {}


def test_an_avi_header_without_a_rate_is_told(tmp_path: Path, write_clip: Any) -> None:
    path = write_clip(tmp_path / "a.avi", noise(8), codec="mjpeg", pix_fmt="yuvj420p")
    assert read(path)[2] == {}
    data = bytearray(path.read_bytes())
    struct.pack_into("<II", data, data.find(b"vids") + 20, 0, 0)
    path.write_bytes(data)
    assert "clock_implausible" in read(path)[2]


def test_frames_coded_out_of_order_in_an_avi_come_out_in_order(tmp_path: Path, write_clip: Any) -> None:
    path = write_clip(tmp_path / "a.avi", flight(), codec="mpeg4", options={"bf": "2", "qscale": "2"})
    _, frames, _ = read(path)
    assert [round(centre(frame.luma)[0]) for frame in frames] == [12 + 3 * k for k in range(24)]
    assert times(frames) == pytest.approx([k / 30 for k in range(24)])


def test_two_recordings_in_one_stream_run_on(tmp_path: Path, write_clip: Any) -> None:
    first, second = write_clip(tmp_path / "a.ts", noise(6)), write_clip(tmp_path / "b.ts", noise(6, seed=1))
    both = tmp_path / "c.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    _, frames, notices = read(both)
    assert len(frames) == 12
    assert np.diff(times(frames)) == pytest.approx(1 / 30, abs=1e-6)
    assert "clock_not_monotone" in notices


# ------------------------------------------------------------------------------------------------------ start and end


@pytest.mark.parametrize("options", [{"g": "5"}, {"g": "5", "bf": "2", "flags": "-cgop"}, {"g": "8", "intra-refresh": "1"}, {"g": "250"}])
def test_a_stretch_gives_the_same_frames_as_the_whole(tmp_path: Path, write_clip: Any, options: dict[str, str]) -> None:
    path = write_clip(tmp_path / "a.mp4", noise(40), options=options | {"qp": "30"})
    whole = digest(read(path)[1])
    for first, last in ((0, 39), (1, 3), (11, 20), (23, 39), (39, 39)):
        start, end = first / 30 - 0.004, last / 30 + 0.004
        reader, frames, _ = read(path, start=start, end=end)
        assert digest(frames) == whole[first : last + 1]
        assert reader.n_frames_hint == last - first + 1


def test_start_and_end_include_the_frames_at_those_times(tmp_path: Path, write_clip: Any) -> None:
    path = write_clip(tmp_path / "a.mkv", noise(40), fps=30)
    assert times(read(path, start=0.1, end=1.0)[1]) == pytest.approx([k / 30 for k in range(3, 31)])
    assert times(read(path, start=0.1, end=0.2, fps=60.0)[1]) == pytest.approx([k / 60 for k in range(6, 13)])


@pytest.mark.parametrize(
    "options", [{"fps": 0.0}, {"fps": -1.0}, {"fps": math.nan}, {"fps": math.inf}, {"start": 2.0, "end": 1.0}, {"start": math.nan}]
)
def test_options_that_cannot_be_meant_are_usage_errors(tmp_path: Path, write_clip: Any, options: dict[str, float]) -> None:
    path = write_clip(tmp_path / "a.mp4", noise(3))
    with pytest.raises(UsageError, match=r"found .*; expected .*; correct"):
        open_video(path, **options)


def test_a_start_behind_the_end_of_the_film_is_a_usage_error(tmp_path: Path, write_clip: Any) -> None:
    with pytest.raises(UsageError, match=r"found frames from 0 to 0\.067 s"):
        open_video(write_clip(tmp_path / "a.mp4", noise(3)), start=5.0)


# ------------------------------------------------------------------------------------------------- what cannot be read


def not_a_file(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def text(path: Path) -> None:
    path.write_text("This is not a video.\n" * 40)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def random_bytes(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(20_000))


def playlist(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXTINF:2,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")


def concat_script(path: Path) -> None:
    path.write_text("ffconcat version 1.0\nfile 'other.mp4'\n")


def still_picture(path: Path) -> None:
    with av.open(str(path), "w", format="image2") as container:
        stream: Any = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "rgb24"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode())


def sound_only(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("aac", rate=48_000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 48_000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())


def dangling_link(path: Path) -> None:
    path.symlink_to("nowhere.mp4")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "make",
    [not_a_file, pipe, text, empty, random_bytes, playlist, concat_script, still_picture, sound_only, dangling_link, link_to_itself],
    ids=lambda make: make.__name__,
)
def test_what_is_no_video_is_refused_in_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str], make: Callable[[Path], None]) -> None:
    path = tmp_path / "x.mp4"
    make(path)
    capfd.readouterr()
    with pytest.raises(UnreadableInput, match=r"^found .*; needed .*; .*$") as error:
        open_video(path)
    assert "\n" not in str(error.value)
    assert "".join(capfd.readouterr()) == ""


def test_a_missing_file_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match=r"no_such\.mp4.*check the path"):
        open_video(tmp_path / "no_such.mp4")


def test_a_recording_without_its_index_is_refused(tmp_path: Path, write_clip: Any) -> None:
    path = write_clip(tmp_path / "a.mp4", noise(8))
    data = path.read_bytes()
    path.write_bytes(data[: data.find(b"moov") - 4])
    with pytest.raises(UnreadableInput):
        open_video(path)


def test_pictures_too_large_to_be_safe_reach_a_limit(tmp_path: Path, write_clip: Any) -> None:
    path = write_clip(tmp_path / "a.gif", noise(3), codec="gif", pix_fmt="rgb8", fps=10)
    data = bytearray(path.read_bytes())
    struct.pack_into("<HH", data, 6, 16_000, 16_000)
    path.write_bytes(data)
    with pytest.raises(LimitReached, match="16000 x 16000"):
        open_video(path)


NAMES = ["with space.mp4", "colon:name.mp4", "-dash.mp4", "new\nline.mp4", "percent_%d.mp4", "latin1_\udce9.mp4", "мяч.mp4", "noextension"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_file_name_will_do(tmp_path: Path, write_clip: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = write_clip(tmp_path / "plain.mp4", noise(3))
    plain.rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    reader, frames, _ = read(Path(name))
    assert len(frames) == 3
    assert reader.path.is_absolute()


def test_an_odd_name_stays_on_one_line_of_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput) as error:
        open_video(tmp_path / "new\nline\x1b[31m\udce9.mp4")
    str(error.value).encode("utf-8")
    assert not {"\n", "\x1b"} & set(str(error.value))


# -------------------------------------------------------------------------------------------------------------- damage


def spoilt(path: Path, low: float, high: float) -> Path:
    """Zeros over a share of the picture data of an mp4 file."""
    data = bytearray(path.read_bytes())
    start = data.find(b"mdat") + 4
    size = struct.unpack_from(">I", data, start - 8)[0] - 8
    first, last = start + int(size * low), start + int(size * high)
    data[first:last] = bytes(last - first)
    path.write_bytes(data)
    return path


def with_cores(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)


@pytest.mark.parametrize("options", [{"g": "5", "bf": "0"}, {"g": "8", "bf": "2"}])
def test_damage_is_told_and_the_rest_is_used_the_same_on_every_machine(
    tmp_path: Path, write_clip: Any, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, options: dict[str, str]
) -> None:
    path = write_clip(tmp_path / "a.mp4", noise(40), options=options)
    sound = digest(read(path)[1])
    spoilt(path, 0.45, 0.55)
    capfd.readouterr()
    runs = []
    for cores in (1, 2, 4):
        with_cores(monkeypatch, cores)
        reader, frames, notices = read(path)
        runs.append(digest(frames))
    assert runs[0] == runs[1] == runs[2]
    damage = reader.summary()[0].damage
    assert {"frames_lost", "frames_corrupt"} & set(notices)
    assert damage.get("lost", 0) + damage.get("corrupt", 0) >= 1
    good = {entry[0]: entry for entry in sound}
    unmarked = [entry for entry in runs[0] if not entry[3]]
    assert unmarked == [good[entry[0]] for entry in unmarked]
    assert unmarked[0][0] == 0
    assert unmarked[-1][0] == 39
    assert len(unmarked) >= 20
    assert "".join(capfd.readouterr()) == ""


def test_a_file_cut_short_gives_what_is_there(tmp_path: Path, write_clip: Any) -> None:
    pictures = noise(40)
    path = write_clip(tmp_path / "a.mkv", pictures, options={"g": "5", "bf": "0"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    frames = read(path)[1]
    assert 10 <= len(frames) <= 22
    whole = [frame for frame in frames if not frame.flags]
    assert all(np.array_equal(frame.luma, pictures[frame.index]) for frame in whole)


def test_an_index_that_lists_more_frames_than_there_are_is_told(tmp_path: Path, write_clip: Any) -> None:
    path = write_clip(tmp_path / "a.mp4", noise(12), options={"bf": "0"})
    data = bytearray(path.read_bytes())
    struct.pack_into(">I", data, data.find(b"stts") + 12, 1_000_000)
    path.write_bytes(data)
    reader, frames, notices = read(path)
    assert len(frames) == reader.n_frames_hint == 12
    assert "1000000" in notices["count_mismatch"]


def test_lost_pieces_of_a_broadcast_leave_the_other_frames_at_their_times(tmp_path: Path, write_clip: Any) -> None:
    path = write_clip(tmp_path / "a.ts", noise(30), options={"g": "1", "bf": "0"})
    data = bytearray(path.read_bytes())
    packets = len(data) // 188
    rng = np.random.default_rng(3)
    for k in range(packets // 2, packets // 2 + packets // 12):
        data[k * 188 + 4 : (k + 1) * 188] = rng.bytes(184)
    path.write_bytes(data)
    reader, frames, notices = read(path)
    assert len(frames) < 30 or any(frame.flags for frame in frames)
    assert {"frames_lost", "frames_corrupt"} & set(notices)
    assert times(frames) == pytest.approx([round(frame.t * 30) / 30 for frame in frames], abs=1e-6)
    assert reader.summary()[0].n_frames == len(frames)


def test_frames_of_another_size_are_left_out_and_told(tmp_path: Path, write_clip: Any) -> None:
    first = write_clip(tmp_path / "a.ts", noise(6))
    second = write_clip(tmp_path / "b.ts", [picture[:32, :48] for picture in noise(6)])
    both = tmp_path / "c.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    _, frames, notices = read(both)
    assert len(frames) == 6
    assert {frame.luma.shape for frame in frames} == {(HEIGHT, WIDTH)}
    assert "6 frame(s)" in notices["frame_size_changed"]


@pytest.mark.parametrize("seed", range(8))
def test_flipped_bits_end_in_frames_or_in_one_line(tmp_path: Path, write_clip: Any, seed: int) -> None:
    path = write_clip(tmp_path / "a.mp4", flight(), options={"qp": "20"})
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    for at in rng.integers(0, len(data), 40):
        data[at] ^= 1 << rng.integers(8)
    path.write_bytes(data)
    try:
        frames = read(path)[1]
    except (UnreadableInput, LimitReached) as error:
        assert str(error).count("\n") == 0
        return
    assert np.all(np.diff(times(frames)) > 0)


# --------------------------------------------------------------------------------------------------------- duplicates


def test_a_doubled_rate_is_told_and_every_repeat_is_marked(tmp_path: Path, write_clip: Any) -> None:
    pictures = [picture for picture in flight() for _ in range(2)]
    reader, frames, notices = read(write_clip(tmp_path / "a.mp4", pictures, fps=60, options={"qp": "22"}))
    marked = [frame.index for frame in frames if "duplicate" in frame.flags]
    assert set(marked) <= set(range(1, 48, 2))
    assert len(marked) >= 20
    assert "lower rate" in notices["frames_duplicated"]
    assert reader.summary()[0].damage["duplicate"] == len(marked)


def test_frozen_frames_are_told_by_number(tmp_path: Path, write_clip: Any) -> None:
    pictures = flight()
    frozen = [5, 9, 14, 15]
    for k in frozen:
        pictures[k] = pictures[k - 1]
    reader, frames, _ = read(write_clip(tmp_path / "a.mp4", pictures, options={"qp": "22"}))
    assert [frame.index for frame in frames if "duplicate" in frame.flags] == frozen
    assert reader.summary()[0].damage == {"frozen": 4}


def still_then_moving() -> list[Picture]:
    return [disc(12, 50)] * 10 + flight(12) + [disc(45, 30)] * 8


def all_still() -> list[Picture]:
    return [disc(40, 30)] * 20


def pendulum() -> list[Picture]:
    return [disc(48 + 25 * math.cos(0.31 * (k + 0.5)), 30) for k in range(60)]


def slow_pendulum() -> list[Picture]:
    return [disc(48 + 12 * math.cos(0.07 * (k + 0.5)), 30) for k in range(120)]


def small_ball() -> list[Picture]:
    return [disc(12 + 3 * k, 50 - 2 * k, radius=1.0) for k in range(22)]


def grain() -> list[Picture]:
    rng = np.random.default_rng(4)
    return [np.clip(disc(40, 30) + rng.normal(0, 4, (HEIGHT, WIDTH)), 0, 255).astype(np.uint8) for _ in range(20)]


@pytest.mark.parametrize("scene", [still_then_moving, all_still, pendulum, slow_pendulum, small_ball, grain], ids=lambda scene: scene.__name__)
def test_stillness_is_not_taken_for_a_frozen_recording(tmp_path: Path, write_clip: Any, scene: Callable[[], list[Picture]]) -> None:
    reader, frames, notices = read(write_clip(tmp_path / "a.mp4", scene(), options={"qp": "24"}))
    assert "frames_duplicated" not in notices
    assert not any(frame.flags for frame in frames)
    assert reader.summary()[0].damage == {}


# ------------------------------------------------------------------------------------------------------------- summary


def test_the_summary_holds_what_the_pass_delivered(tmp_path: Path, write_clip: Any) -> None:
    path = write_clip(tmp_path / "a.mp4", noise(40))
    reader, frames, _ = read(path, start=0.5)
    video, notices = reader.summary()
    assert video.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (video.n_frames, video.width_px, video.height_px, video.path) == (len(frames), WIDTH, HEIGHT, path)
    assert (video.fps, video.duration) == pytest.approx((30.0, 25 / 30))
    assert video.time_source == "timestamps"
    assert all(isinstance(notice, Notice) for notice in notices)


def test_a_pass_that_was_left_early_counts_what_it_gave(tmp_path: Path, write_clip: Any) -> None:
    reader = open_video(write_clip(tmp_path / "a.mp4", noise(40)))
    for frame in reader.frames():
        if frame.index == 9:
            break
    assert reader.summary()[0].n_frames == 10
    assert reader.summary()[0].damage == {}
    assert len(list(reader.frames())) == 40
    assert reader.summary()[0].n_frames == 40


def test_there_is_no_summary_before_a_pass(tmp_path: Path, write_clip: Any) -> None:
    with pytest.raises(ValueError, match="pass"):
        open_video(write_clip(tmp_path / "a.mp4", noise(3))).summary()


def test_every_pass_gives_the_same(tmp_path: Path, write_clip: Any) -> None:
    reader = open_video(write_clip(tmp_path / "a.mp4", noise(20), options={"qp": "24"}))
    assert digest(list(reader.frames())) == digest(list(reader.frames()))


def test_one_frame_is_a_video_without_a_rate(tmp_path: Path, write_clip: Any) -> None:
    reader, frames, _ = read(write_clip(tmp_path / "a.mp4", noise(1)))
    assert times(frames) == [0.0]
    assert (reader.summary()[0].n_frames, reader.summary()[0].fps) == (1, 0.0)


# ---------------------------------------------------------------------------------------------------------- real clips


@pytest.mark.parametrize(
    ("name", "size", "n_frames", "fps", "codes"),
    [
        ("tennistoss_lucao/ball.mp4", (1920, 1080), 27, 30.0, set()),
        ("toss_trflorian/ball.mp4", (1280, 720), 60, 179 / 6, set()),
        ("impactpendulum_necro/ball.mp4", (360, 640), 334, 29.921, set()),
        ("balltoss_osp/BallToss_new_15fps.mp4", (640, 480), 13, 500 / 33, set()),
        ("balltoss_osp/BallTossOut_30fps.mov", (640, 480), 32, 30.0, {"clock_variable"}),
        ("balldrop_oliverius/ball_drop.mp4", (172, 1716), 327, 120.0, {"capture_fps"}),
        ("projectile_phystrack_30deg/projectile_30deg.mp4", (320, 240), 663, 29.97, set()),
        ("delfys_emma/pendulum-real.gif", (280, 210), 40, 10.0, {"clock_coarse"}),
    ],
)
def test_real_clips_are_read_whole_and_without_false_alarm(
    real: Path, name: str, size: tuple[int, int], n_frames: int, fps: float, codes: set[str]
) -> None:
    reader = open_video(real / name)
    count = sum(1 for _ in reader.frames())
    video, notices = reader.summary()
    assert (reader.width_px, reader.height_px, count) == (*size, n_frames)
    assert video.fps == pytest.approx(fps, rel=1e-3)
    assert {notice.code for notice in notices} == codes
    assert video.damage == {}
