"""Video files: every frame once, in display orientation, with its true time and what is wrong with it.

A file is read twice: its packets when it is opened (for the clock, the size and the first picture), its pictures in each pass.
Nothing that a header says about the number of frames is believed.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from types import MappingProxyType

import av
import numpy as np
from av.video.stream import VideoStream

from ..errors import UnreadableInput, UsageError
from ..types import Bools, Cadence, Notice, Video
from .cadence import find_cadence
from .clock import audit_clock
from .container import (
    Reading,
    check_regular_file,
    check_size,
    choose_stream,
    configure_decoder,
    decode_packet,
    open_container,
    quoted,
    read_contents,
    read_packets,
)
from .duplication import DUPLICATE, is_regular, mark_duplicates
from .frame import Frame, has_colour, read_geometry, read_luma
from .garbling import is_garbled, length_size

__all__ = ["Frame", "VideoReader", "open_video"]

# Times closer than this share of a gap are one time, so that a start of 2 s keeps the frame at 2 s.
SAME_TIME = 1e-3
# Steps of a clock that differ by more than this share of one are no even places for a film of another rate.
UNEVEN = 0.2

CORRUPT, SUSPECT, INTERLACED = "corrupt", "suspect", "interlaced"


@dataclass(slots=True)
class _Decoding:
    """What one run of the decoder met: ranks that came out, pictures of another size or out of order, packets that failed after the first picture."""

    seen: set[int] = field(default_factory=set)
    last: int = -1
    pictures: int = 0
    resized: int = 0
    disordered: int = 0
    failed: int = 0
    finished: bool = False
    reading: Reading = field(default_factory=Reading)


@dataclass(slots=True)
class _Pass:
    """What one pass delivered."""

    times: list[float] = field(default_factory=list)
    flags: Counter[str] = field(default_factory=Counter)
    duplicates: list[int] = field(default_factory=list)
    changes: list[tuple[int, float, float]] = field(default_factory=list)
    decoding: _Decoding = field(default_factory=_Decoding)


class _DamageFound(Exception):
    """Threaded decoding met the first damage; from here on threads would let timing decide what the pictures look like."""


class _EntryUnclean(Exception):
    """The key packet that decoding started at gave no picture: it only begins to refresh one, so all before it is needed."""


def open_video(
    path: str | Path, *, fps: float | None = None, start: float | None = None, end: float | None = None, cadence: Cadence | None = None
) -> VideoReader:  # fmt: skip
    """Open a video file: read its packets' time stamps and decode its first picture.

    Args:
        path: a regular file.
        fps: the true frame rate (1/s); rescales the clock, so that a 240 fps film stored at 30 fps runs 8 times faster.
        start: first time to deliver (s), on the clock of ``Frame.t``; the frame at ``start`` is included.
        end: last time to deliver (s), included.
        cadence: how a lower rate fills this film, as a pass before found it: repeats are left out, and the other frames come at the times
            that they were taken at.

    Raises:
        UnreadableInput: no such file, not a regular file, or no picture that can be decoded.
        LimitReached: pictures larger than 36 Mpx.
        UsageError: ``fps``, ``start`` or ``end`` cannot be meant for this video.
    """
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise UsageError(f"found a frame rate of {fps:g} fps; expected a positive number; correct --fps")
    if any(limit is not None and math.isnan(limit) for limit in (start, end)):
        raise UsageError("found a start or end that is not a number; expected seconds; correct --start or --end")
    if start is not None and end is not None and not start < end:
        raise UsageError(f"found a start of {start:g} s and an end of {end:g} s; expected start before end; correct --start or --end")
    return VideoReader(check_regular_file(path), fps=fps, start=start, end=end, cadence=cadence)


class VideoReader:
    """One video file: its size and clock at once, its frames in passes.

    ``width_px`` and ``height_px`` are the picture's on display (rotation and pixel aspect applied), ``nominal_fps`` (1/s) is the clock's median rate,
    ``has_colour`` is False for grey formats, ``n_frames_hint`` counts the packets between start and end: for progress only.
    """

    def __init__(self, path: Path, *, fps: float | None, start: float | None, end: float | None, cadence: Cadence | None = None) -> None:
        contents = read_contents(path)
        self._contents = contents
        self._geometry = read_geometry(contents.first_picture, contents.sample_aspect)
        self._clock = audit_clock(
            contents.packets,
            time_base=contents.time_base,
            rate=contents.rate,
            container=contents.container,
            rate_missing=contents.rate_missing,
            fps=fps,
            capture_fps=contents.capture_fps,
        )
        self._first_rank = 0 if self._clock.rank is None else max(0, int(self._clock.rank[contents.first_packet]))
        margin = SAME_TIME * self._clock.gap
        self._start = -math.inf if start is None else start - margin
        self._end = math.inf if end is None else end + margin
        self._pass: _Pass | None = None
        self._cadence = cadence
        self._sha256: str | None = None
        self.path: Path = path
        self.width_px: int
        self.height_px: int
        self.width_px, self.height_px = self._geometry.display_px
        self.nominal_fps: float = self._clock.fps
        self.has_colour: bool = has_colour(contents.first_picture.format)
        self.n_frames_hint: int | None = int(self._wanted().sum())
        check_size(path, self.width_px, self.height_px)
        if self.n_frames_hint == 0:
            last = self._time(len(self._clock.times) - 1)
            raise UsageError(f"found frames from 0 to {last:.3f} s; expected some between start and end; correct --start or --end")

    def frames(self) -> Iterator[Frame]:
        """The frames between start and end in display order, times strictly increasing.

        Every call reads the file anew, and all calls give the same frames, whatever the number of cores.

        Raises:
            UnreadableInput: no picture between start and end can be decoded.
        """
        passed = self._pass = _Pass()
        for frame in mark_duplicates(self._pictures(passed), passed.changes if self._cadence is None else None):
            passed.times.append(frame.t)
            passed.flags.update(frame.flags)
            repeats = DUPLICATE in frame.flags if self._cadence is None else bool(self._cadence.repeats(np.array(frame.index)))
            if repeats:
                passed.duplicates.append(frame.index)
            if self._cadence is None:
                yield frame
            elif not repeats:
                yield replace(frame, t=frame.t - float(self._cadence.lag(np.array(frame.index))) * self._clock.gap)
        if not passed.times:
            found = f"found no picture in this stretch of {quoted(self.path)}"
            raise UnreadableInput(f"{found}; needed one that can be decoded; choose another --start or --end")

    def summary(self) -> tuple[Video, tuple[Notice, ...]]:
        """What the last pass found: the video as it was read, and everything doubtful about its clock and its pictures.

        Raises:
            ValueError: no frame was read yet.
        """
        if self._pass is None or not self._pass.times:
            raise ValueError("VideoReader.summary: expected a pass over frames() first")
        if self._sha256 is None:
            with self.path.open("rb") as file:
                self._sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        times = np.asarray(self._pass.times)
        fps = 1.0 / float(np.median(np.diff(times))) if len(times) > 1 else self.nominal_fps
        fps *= 1.0 if self._cadence is None else self._cadence.rate
        damage = self._damage(self._pass)
        video = Video(
            path=self.path,
            width_px=self.width_px,
            height_px=self.height_px,
            fps=fps,
            n_frames=len(times),
            duration=float(times[-1] - times[0]) + (1.0 / fps if fps > 0 else 0.0),
            time_source=self._clock.source,
            sha256=self._sha256,
            damage=MappingProxyType(damage),
            repeated=tuple(self._pass.duplicates),
            cadence=self._cadence,
            focal_35mm=self._contents.focal_35mm,
        )
        dynamic = [*self._file_notices(self._pass, damage), *self._picture_notices(self._pass, damage)]
        return video, (*self._clock.notices, *dynamic)

    def find_cadence(self) -> Cadence | None:
        """How a lower rate fills this film, from the last pass; None where it has no even clock, or shows none. What was given stays."""
        if self._cadence is not None:
            return self._cadence
        if self._pass is None or len(self._pass.times) < 2:
            return None
        steps = np.diff(self._pass.times)
        if np.ptp(steps) > UNEVEN * float(np.median(steps)):
            return None
        found = np.array(self._pass.changes)
        index = found[:, 0].astype(int)
        changes = np.full((index[-1] + 1, 2), np.nan)
        changes[index] = found[:, 1:]
        return find_cadence(changes)

    def _time(self, rank: int) -> float:
        return self._clock.time(rank) - self._clock.time(self._first_rank)

    def _wanted(self) -> Bools:
        """(n,) which ranks lie between start and end."""
        t = self._clock.times - self._clock.time(self._first_rank)
        return (t >= self._start) & (t <= self._end) & (np.arange(len(t)) >= self._first_rank)

    def _pictures(self, passed: _Pass) -> Iterator[Frame]:
        """Frames decoded by threads up to the first damage, and from there as one thread decodes them."""
        threads, entry, delivered = True, self._entry(), 0
        while True:
            try:
                for frame in islice(self._decode(passed, threads=threads, entry=entry), delivered, None):
                    yield frame
                    delivered += 1
                return
            except _DamageFound:
                threads = False
            except _EntryUnclean:
                entry = 0

    def _decode(self, passed: _Pass, *, threads: bool, entry: int) -> Iterator[Frame]:
        decoding = passed.decoding = _Decoding()
        damaged = np.zeros(len(self._contents.packets) + 1, dtype=bool)
        with open_container(self.path) as container:
            stream = choose_stream(container, self.path)
            configure_decoder(stream, threads=threads)
            prefix = length_size(stream.codec_context.name, stream.codec_context.extradata)
            for number, packet in _numbered(read_packets(container, stream, decoding.reading), entry):
                garbled = packet is not None and (packet.is_corrupt or (prefix is not None and is_garbled(bytes(packet), prefix)))
                pictures, failed = decode_packet(stream, packet, number)
                harmed = failed or garbled
                if threads and (harmed or any(picture.is_corrupt for picture in pictures)):
                    raise _DamageFound
                decoding.failed += failed and decoding.pictures > 0
                damaged[min(number, len(damaged) - 1)] |= harmed
                for picture in pictures:
                    frame = self._place(picture, damaged, decoding)
                    if frame is None or frame.t < self._start:
                        continue
                    self._check_entry(entry, decoding)
                    if frame.t > self._end:
                        decoding.finished = True
                        return
                    yield frame
        self._check_entry(entry, decoding)
        decoding.finished = True

    def _entry(self) -> int:
        """The packet to start decoding at: the last key packet but one before the start, for pictures may build on some before a key."""
        rank = self._clock.rank
        if rank is None or not math.isfinite(self._start):
            return 0
        keys = np.flatnonzero(self._contents.packets.key & (rank >= self._first_rank))
        before = keys[[self._time(int(rank[key])) < self._start for key in keys]] if len(keys) else keys
        return int(before[-2]) if len(before) > 1 else 0

    def _check_entry(self, entry: int, decoding: _Decoding) -> None:
        if entry and self._clock.rank is not None and int(self._clock.rank[entry]) not in decoding.seen:
            raise _EntryUnclean

    def _place(self, picture: av.VideoFrame, damaged: Bools, decoding: _Decoding) -> Frame | None:
        """The picture as a frame with its number and time; None where it cannot follow the frames before it."""
        number = picture.pts if picture.pts is not None and 0 <= picture.pts < len(self._contents.packets) else None
        rank = self._rank(number, decoding)
        decoding.pictures += 1
        if rank is None:
            decoding.disordered += 1
            return None
        decoding.seen.add(rank)
        if (picture.width, picture.height) != self._geometry.stored_px:
            decoding.resized += 1
            return None
        if rank <= decoding.last:
            decoding.disordered += 1
            return None
        decoding.last = rank
        luma = self._geometry.apply(read_luma(picture))
        luma.setflags(write=False)
        return Frame(rank - self._first_rank, self._time(rank), luma, self._flags(picture, number, damaged), picture, self._geometry)

    def _rank(self, number: int | None, decoding: _Decoding) -> int | None:
        """Display rank of the picture of a packet; by order of output where stamps cannot tell packets apart."""
        ranks = self._clock.rank
        if ranks is None:
            return decoding.pictures + decoding.failed
        if number is None or ranks[number] < self._first_rank:
            return None
        return int(ranks[number])

    def _flags(self, picture: av.VideoFrame, number: int | None, damaged: Bools) -> frozenset[str]:
        flags = set()
        if picture.interlaced_frame:
            flags.add(INTERLACED)
        if picture.is_corrupt or (number is not None and damaged[number]):
            flags.add(CORRUPT)
        elif number is not None and damaged[:number].any() and damaged[self._last_key(number) : number].any():
            flags.add(SUSPECT)
        return frozenset(flags)

    def _last_key(self, number: int) -> int:
        """The key packet that a packet's picture builds on, directly or through others."""
        keys = np.flatnonzero(self._contents.packets.key[: number + 1])
        return int(keys[-1]) if len(keys) else 0

    def _damage(self, passed: _Pass) -> dict[str, int]:
        duplicates, regular = len(passed.duplicates), self._cadence is not None or is_regular(passed.duplicates)
        counts = {
            "corrupt": passed.flags[CORRUPT],
            "lost": self._lost(passed.decoding),
            "duplicate": duplicates if regular else 0,
            "frozen": 0 if regular else duplicates,
        }
        return {kind: count for kind, count in counts.items() if count}

    def _lost(self, decoding: _Decoding) -> int:
        """Frames with a packet but no picture, and frames for which the clock leaves room but the file has no packet."""
        if self._clock.rank is None:
            return decoding.failed
        wanted = np.flatnonzero(self._wanted())
        reached = wanted if decoding.finished else wanted[wanted <= decoding.last]
        return len(set(reached.tolist()) - decoding.seen) + int(self._clock.missing[reached[1:]].sum())

    def _file_notices(self, passed: _Pass, damage: dict[str, int]) -> Iterator[Notice]:
        contents, decoding, n = self._contents, passed.decoding, len(passed.times)
        if contents.claimed > 0 and contents.claimed != contents.found:
            found = f"the container lists {contents.claimed} frames, {contents.found} are in the file"
            yield Notice("count_mismatch", f"{found}; those were read; it may have been cut short")
        if decoding.reading.broken_off:
            yield Notice("file_damaged", f"the file cannot be read past frame {n}; the frames before were used; copy or record it again")
        if damage.get("lost"):
            found = f"{damage['lost']} frame(s) are missing or cannot be decoded"
            yield Notice("frames_lost", f"{found}; the {n} that are left keep their own times")
        if decoding.disordered:
            found = f"{decoding.disordered} frame(s) come out of order by their time stamps"
            yield Notice("clock_not_monotone", f"{found}; they were left out; give --fps if the rate is known")
        if decoding.resized:
            found = f"{decoding.resized} frame(s) have another size than the first"
            yield Notice("frame_size_changed", f"{found}; they were left out; cut the video where its size changes")

    def _picture_notices(self, passed: _Pass, damage: dict[str, int]) -> Iterator[Notice]:
        n = len(passed.times)
        if passed.flags[CORRUPT] or passed.flags[SUSPECT]:
            found = f"{passed.flags[CORRUPT]} of {n} frames are damaged, {passed.flags[SUSPECT]} more build on lost ones"
            yield Notice("frames_corrupt", f"{found}; they are marked")
        if passed.duplicates:
            even = "at an even spacing (converted from a lower rate)"
            manner = even if "duplicate" in damage else "although the clock runs on (the recording froze)"
            done = "they are marked" if self._cadence is None else "they are left out, and the others come at the times that they were taken at"
            yield Notice("frames_duplicated", f"{len(passed.duplicates)} of {n} frames repeat the one before {manner}; {done}")
        if passed.flags[INTERLACED]:
            found = f"{passed.flags[INTERLACED]} of {n} frames are two half-pictures of different times"
            yield Notice("interlaced", f"{found}; only the upper one is used, so heights are known to half as many lines")
        if self._geometry.odd_matrix:
            yield Notice("rotation_ignored", "the file asks for a rotation that is no multiple of 90 degrees; the picture is left as stored")
        if self._geometry.odd_aspect:
            yield Notice("aspect_ignored", f"the file asks for a pixel aspect of {self._contents.sample_aspect:g}; pixels are taken as square")


def _numbered(packets: Iterator[av.Packet[VideoStream]], entry: int) -> Iterator[tuple[int, av.Packet[VideoStream] | None]]:
    """Packets with their numbers from the entry on, and None at the end."""
    number = -1
    for number, packet in enumerate(packets):
        if number >= entry:
            yield number, packet
    yield number + 1, None
