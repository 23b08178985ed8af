"""Containers opened with distrust: regular files only, known formats only, bounded pictures, errors as values.

Packets are numbered in decoding order, and each carries its number through the decoder in place of its time stamp: so every picture is traced to
its packet, whatever the stamps are worth.
"""

from __future__ import annotations

import math
import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from ..errors import LimitReached, UnreadableInput
from .lens import find_focal_35mm
from .stamps import NO_STAMP, Packets

# Demuxers that read one regular file and nothing else; playlists, pictures and devices are left out (they open other files or wait for ever).
DEMUXERS = "mov,matroska,webm,avi,gif,mpegts,mpeg,mpegvideo,flv,asf,ogg,mxf,m4v,h264,hevc,obu,ivf,mjpeg,dv,nut,yuv4mpegpipe"

# A picture of 6000 x 6000: above every camera that films (8K is 33 Mpx); a kilobyte of GIF can ask for 4300 Mpx.
LARGEST_PX = 36_000_000

# Twice the cores decode fastest (2 cores, 1080p: 143, 214, 236 fps with 1, 2, 4 threads); every thread holds pictures in memory.
THREADS_PER_CORE = 2
MOST_THREADS = 8

# Pixels in flight in all threads together: 1.5 to 4 bytes each, so that 8K video stays under half a gigabyte.
MOST_THREADED_PX = 100_000_000

# FFmpeg 8's decoders of this family gave other pictures with 4 threads than with 1, and not the same ones twice; all others agreed.
UNTHREADED_CODECS = frozenset({"theora", "vp3", "vp4"})

# The demuxer stops at a bad packet, or at one of a stream announced late, that can be read past; after this many in a row there is
# nothing behind.
DEMUX_ATTEMPTS = 1000

CAPTURE_TAG = "com.android.capture.fps"

# The stream headers of an AVI file come first; only an index or the pictures follow.
AVI_HEADER_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Contents:
    """What one reading of a file's packets found, and the first picture that could be decoded.

    ``first_packet`` is the number of that picture's packet. ``container`` is the demuxer's name, ``time_base`` (s) its tick, ``rate`` and
    ``capture_fps`` (1/s) what it says about the frame rate; ``claimed`` and ``found`` count the frames that it lists and the packets that are there;
    ``focal_35mm`` (mm) is its lens, where it says one.
    """

    packets: Packets
    first_packet: int
    first_picture: av.VideoFrame
    sample_aspect: float | None
    container: str
    time_base: Fraction
    rate: float | None
    rate_missing: bool
    capture_fps: float | None
    claimed: int
    found: int
    focal_35mm: float | None


@dataclass(slots=True)
class Reading:
    """How reading packets went: ``broken_off`` where the container could not be read to its end, ``empty`` counts packets without data.

    Recorders write an empty packet for a frame that they dropped; its time passes and nothing is shown.
    """

    broken_off: bool = False
    empty: int = 0


def check_regular_file(path: str | Path) -> Path:
    """The absolute path of a regular file; an absolute path is never taken for a protocol or an option.

    Raises:
        UnreadableInput: nothing there, not permitted, or a folder, pipe or device (a pipe called x.mp4 would be waited on for ever).
    """
    absolute = Path(path).absolute()
    try:
        status = absolute.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableInput(f"found no readable file {quoted(path)} ({reason}); needed a video file; check the path") from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or device"
        raise UnreadableInput(f"found {kind} at {quoted(path)}; needed a video file; give the path of a file")
    if status.st_size == 0:
        raise UnreadableInput(f"found an empty file at {quoted(path)}; needed a video file; record or copy it again")
    return absolute


def quoted(path: str | Path) -> str:
    """A path for a one-line message: line breaks, escape codes and broken text are shown as escapes."""
    return repr(os.fspath(path))


def open_container(path: Path) -> InputContainer:
    """Open a container that reads nothing but this file.

    Raises:
        UnreadableInput: no known video format.
    """
    options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
    try:
        return av.open(str(path), metadata_errors="replace", options=options)
    except Exception as error:  # broken files were seen to end in UnicodeDecodeError and AttributeError too
        needed = "a video file (mp4, mov, mkv, avi, webm, gif, ...)"
        raise UnreadableInput(f"found no video in {quoted(path)} ({_reason(error)}); needed {needed}; check the file") from error


def choose_stream(container: InputContainer, path: Path) -> VideoStream:
    """The largest moving picture in the container.

    Raises:
        UnreadableInput: there is none.
        LimitReached: it is larger than 36 Mpx.
    """
    moving = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    # A decoder can be missing in a damaged file, which PyAV's types do not admit.
    streams = [stream for stream in moving if stream.codec_context is not None]  # type: ignore[redundant-expr]
    if not streams:
        found = "sound only" if container.streams.audio else "no video stream that can be decoded"
        raise UnreadableInput(f"found {found} in {quoted(path)}; needed moving pictures; check the file")
    stream = max(streams, key=lambda each: each.codec_context.width * each.codec_context.height)
    check_size(path, stream.codec_context.width, stream.codec_context.height)
    return stream


def check_size(path: Path, width: int, height: int) -> None:
    """Raises LimitReached for pictures that are too large to be decoded safely."""
    if width * height > LARGEST_PX:
        raise LimitReached(
            f"found pictures of {width} x {height} px in {quoted(path)}; at most {LARGEST_PX / 1e6:g} Mpx are read; scale the video down"
        )


def configure_decoder(stream: VideoStream, *, threads: bool) -> None:
    """Bound the decoder's pictures and choose frame threads or none."""
    context = stream.codec_context
    context.options = {"max_pixels": str(LARGEST_PX)}
    parallel = threads and context.name not in UNTHREADED_CODECS
    context.thread_type = "AUTO" if parallel else "NONE"
    within_memory = MOST_THREADED_PX // max(1, context.width * context.height)
    context.thread_count = max(1, min(MOST_THREADS, THREADS_PER_CORE * _cores(), within_memory)) if parallel else 1


def read_packets(container: InputContainer, stream: VideoStream, reading: Reading) -> Iterator[av.Packet[VideoStream]]:
    """The stream's packets that hold data, past unreadable stretches where possible."""
    packets = container.demux(stream)
    attempts = 0
    while attempts < DEMUX_ATTEMPTS:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except (av.FFmpegError, IndexError):  # IndexError: a damaged broadcast announces streams that PyAV does not know
            attempts += 1
            packets = container.demux(stream)
            continue
        attempts = 0
        if packet.size > 0:
            yield packet
        elif packet.dts is not None:
            reading.empty += 1
    reading.broken_off = True


def decode_packet(stream: VideoStream, packet: av.Packet[VideoStream] | None, number: int) -> tuple[list[av.VideoFrame], bool]:
    """The pictures that the decoder puts out on this packet (None: at the end), and whether it failed; their ``pts`` are packet numbers."""
    if packet is not None:
        packet.pts = packet.dts = number
    try:
        return stream.codec_context.decode(packet), False
    except EOFError:
        return [], False
    except av.FFmpegError:
        return [], True


def read_contents(path: Path) -> Contents:
    """Read all packets of a file and decode its first picture.

    Raises:
        UnreadableInput: no known format, no video stream, or no picture that can be decoded.
        LimitReached: pictures larger than 36 Mpx.
    """
    with open_container(path) as container:
        stream = choose_stream(container, path)
        configure_decoder(stream, threads=False)
        rows: list[tuple[int, int, bool, bool]] = []
        picture: av.VideoFrame | None = None
        reading = Reading()
        for packet in read_packets(container, stream, reading):
            rows.append((_stamp(packet.pts), _stamp(packet.dts), not packet.is_discard, packet.is_keyframe))
            if picture is None:
                picture = _first(decode_packet(stream, packet, len(rows) - 1)[0])
        picture = picture or _first(decode_packet(stream, None, len(rows))[0])
        if picture is None:
            found = f"found no picture among {len(rows)} packets of video in {quoted(path)}"
            raise UnreadableInput(f"{found}; needed one that can be decoded; the file is cut, damaged or encrypted: copy or record it again")
        check_size(path, picture.width, picture.height)
        return Contents(
            packets=_as_packets(rows),
            first_packet=picture.pts if picture.pts is not None else 0,
            first_picture=picture,
            sample_aspect=_positive(stream.sample_aspect_ratio),
            container=container.format.name,
            time_base=stream.time_base or Fraction(1, 1),
            rate=_positive(stream.guessed_rate) or _positive(stream.average_rate),
            rate_missing=container.format.name == "avi" and _avi_without_rate(path),
            capture_fps=_capture_fps(container, stream),
            claimed=stream.frames,
            found=len(rows) + reading.empty,
            focal_35mm=find_focal_35mm(path, {**container.metadata, **stream.metadata}),
        )


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _stamp(value: int | None) -> int:
    return NO_STAMP if value is None else value


def _first(pictures: list[av.VideoFrame]) -> av.VideoFrame | None:
    return pictures[0] if pictures else None


def _as_packets(rows: list[tuple[int, int, bool, bool]]) -> Packets:
    pts, dts, shown, key = zip(*rows, strict=True)
    hidden = not any(shown)
    return Packets(
        pts=np.array(pts, dtype=np.int64),
        dts=np.array(dts, dtype=np.int64),
        shown=np.ones(len(rows), dtype=bool) if hidden else np.array(shown, dtype=bool),
        key=np.array(key, dtype=bool),
    )


def _positive(value: Fraction | float | None) -> float | None:
    return float(value) if value is not None and value > 0 else None


def _capture_fps(container: InputContainer, stream: VideoStream) -> float | None:
    """The rate at which an Android camera says that it filmed; slow motion is stored slower."""
    try:
        value = float(container.metadata.get(CAPTURE_TAG) or stream.metadata.get(CAPTURE_TAG) or "nan")
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def _avi_without_rate(path: Path) -> bool:
    """Whether the video header of an AVI file has a zero for its rate or scale: FFmpeg then makes up 25 fps in silence."""
    with path.open("rb") as file:
        head = file.read(AVI_HEADER_BYTES)
    at = head.find(b"vids")
    if at < 0 or len(head) < at + 28:
        return False
    # AVISTREAMHEADER: fccType, fccHandler, flags, priority and language, initial frames, scale, rate (Microsoft AVI RIFF reference).
    scale, rate = struct.unpack_from("<II", head, at + 20)
    return scale == 0 or rate == 0
