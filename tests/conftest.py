"""Fixtures that all tests share: where the real clips are, and a writer of tiny clips."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from newtonscheme.benchmark.run import THREAD_LIMITS

Picture = NDArray[np.uint8]

# A busy machine is no failure: no test asserts a wall-clock time.
settings.register_profile("no_clock", deadline=None)
settings.load_profile("no_clock")

# Fine enough for any time of a test, and a multiple of every common frame rate.
TICKS = 90_000

# Formats whose first plane is 8-bit luma above two chroma planes of half the size: grey pictures are written into it as they are.
PLANAR_420 = frozenset({"yuv420p", "yuvj420p"})


def pytest_configure() -> None:
    """One thread for each of the processes that the tests run in, which inherit this: they share the cores."""
    for name in THREAD_LIMITS:
        os.environ.setdefault(name, "1")


class WriteClip(Protocol):
    """Encode pictures, (H, W) luma or (H, W, 3) BGR, into the file at ``path``; its suffix chooses the container."""

    def __call__(
        self,
        path: Path,
        frames: Iterable[Picture],
        *,
        fps: float = 30.0,
        times: Sequence[float] | None = None,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        options: Mapping[str, str] | None = None,
        rotation: int = 0,
        mirrored: bool = False,
        sample_aspect: Fraction | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Path: ...


@pytest.fixture(scope="session")
def real_folder() -> Path:
    """The folder of real clips and tables (environment variable NS_REAL, or beside the checkout); without it the test is skipped."""
    folder = Path(os.environ.get("NS_REAL", Path(__file__).resolve().parents[2] / "shared" / "real"))
    if not folder.is_dir():
        pytest.skip(f"no real clips at {folder}: set NS_REAL")
    return folder


@pytest.fixture(scope="session")
def real(real_folder: Path) -> Path:
    """The same folder by its short name."""
    return real_folder


@pytest.fixture(scope="session")
def write_clip() -> WriteClip:
    """A function that encodes pictures into a small video file: ``write_clip(path, frames, fps=..., times=..., ...)``.

    libx264 is lossless unless ``options`` say otherwise, so luma comes back exactly. ``times`` (s) make an uneven clock; ``rotation`` (degrees
    counter-clockwise) and ``mirrored`` are what a player is asked to do to the stored picture.
    """
    return _write_clip


def _write_clip(
    path: Path,
    frames: Iterable[Picture],
    *,
    fps: float = 30.0,
    times: Sequence[float] | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: Mapping[str, str] | None = None,
    rotation: int = 0,
    mirrored: bool = False,
    sample_aspect: Fraction | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    pictures = list(frames)
    rate = Fraction(fps).limit_denominator(1001)
    time_base = 1 / rate if times is None else Fraction(1, TICKS)
    chosen = {"qp": "0", "preset": "veryfast", "threads": "1"} | dict(options or {}) if codec == "libx264" else dict(options or {})
    muxing = {"movflags": "use_metadata_tags"} if metadata and path.suffix in (".mp4", ".mov") else {}
    with av.open(str(path), "w", container_options=muxing) as container:
        container.metadata.update(metadata or {})
        stream: Any = container.add_stream(codec, rate=rate, options=chosen)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = time_base
        if sample_aspect is not None:
            stream.codec_context.sample_aspect_ratio = sample_aspect
        if rotation or mirrored:
            stream.set_display_rotation(rotation, hflip=mirrored)
        for number, picture in enumerate(pictures):
            frame = _as_frame(picture, pix_fmt)
            frame.time_base = time_base
            frame.pts = number if times is None else round(times[number] * TICKS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _as_frame(picture: Picture, pix_fmt: str) -> av.VideoFrame:
    if picture.ndim == 3:
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24").reformat(format=pix_fmt)
    height, width = picture.shape
    if pix_fmt in PLANAR_420 and height % 2 == 0 and width % 2 == 0:
        grey = np.full((height // 2, width), 128, np.uint8)
        return av.VideoFrame.from_ndarray(np.vstack([picture, grey]), format=pix_fmt)
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="gray").reformat(format=pix_fmt)
