"""Every reader of ours that takes bytes from strangers, as one function of bytes, with files to begin from.

What a reader may do with any bytes at all: answer, or raise an error of ours whose message is one line. Anything else is a find.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np

from newtonscheme.batch.jobs import find_jobs
from newtonscheme.batch.ledger import LARGEST_REPORT_BYTES, SCHEMA, _read_report
from newtonscheme.errors import NewtonSchemeError
from newtonscheme.estimation.recognition import DEFAULT_WEIGHTS, load_recogniser, read_safetensors
from newtonscheme.learning.cards import pack_safetensors
from newtonscheme.notation import parse_measure, printable
from newtonscheme.options import resolve_options
from newtonscheme.tracks_io import read_track
from newtonscheme.vision.calibration import read_camera
from newtonscheme.vision.container import _avi_without_rate
from newtonscheme.vision.stamps import Packets, read_stamps

LONGEST_MESSAGE = 2000
"""Characters: with a path of the largest length a message is still a line that people read."""
THROW = "".join(f"{i / 30:.4f},{20 + 6 * i},{220 - 18 * i + 0.4 * i * i:.2f}\n" for i in range(8))
TRK = """<?xml version="1.0" encoding="UTF-8"?>
<object class="org.opensourcephysics.cabrillo.tracker.TrackerPanel"><property name="videoclip" type="object"><object class="v">
<property name="stepsize" type="int">1</property></object></property>
<property name="clipcontrol" type="object"><object class="c"><property name="delta_t" type="double">33.3</property></object></property>
<property name="tracks" type="collection"><property name="item" type="object">
<object class="org.opensourcephysics.cabrillo.tracker.PointMass"><property name="name" type="string">ball</property>
<property name="framedata" type="array">{}</property></object></property></property></object>"""
STEP = '<property name="[{0}]" type="object"><object class="f"><property name="x" type="double">{1}</property>\
<property name="y" type="double">{2}</property></object></property>'
CALIBRATIONS = (
    '{"camera_matrix": [[600, 0, 320], [0, 600, 180], [0, 0, 1]], "dist_coeff": [0.1, 0, 0, 0, 0], "image_width": 640, "image_height": 360}',
    "%YAML:1.0\n---\nimage_width: 640\nimage_height: 360\ncamera_matrix: !!opencv-matrix\n   rows: 3\n   cols: 3\n   dt: d\n"
    "   data: [ 600., 0., 320., 0., 600.,\n       180., 0., 0., 1. ]\ndist_coeffs: [0.1, 0., 0., 0., 0.]\n",
    '<?xml version="1.0"?><opencv_storage><camera_matrix type_id="opencv-matrix"><rows>3</rows><cols>3</cols><dt>d</dt>'
    '<data>600. 0. 320. 0. 600. 180. 0. 0. 1.</data></camera_matrix><dist_coeffs type_id="opencv-matrix"><rows>1</rows>'
    "<cols>5</cols><dt>d</dt><data>0.1 0. 0. 0. 0.</data></dist_coeffs></opencv_storage>",
)
CONFIG = 'observe = 0.6\nlength = "0.5±0.001"\nroi = [1, 2, 30, 40]\ng = 9.81\nseed = 3\npattern = "pendulum"\nlevel = 0.9\n'
JOBS = "video,start,length,object-index,pattern\na.mp4,0.5,0.5±1%,1,\nb.mp4,,,,pendulum\n"


@dataclass(frozen=True, slots=True)
class Reader:
    """``read`` takes bytes and checks what it answers; ``seeds`` are files that it can read, or nearly."""

    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="ns_readers_"))


def _file(name: str, content: bytes) -> str:
    file = _folder() / name
    file.write_bytes(content)
    return str(file)


def _read_track(suffix: str, content: bytes) -> None:
    """With everything told and with nothing; what is said of the last is what counts."""
    file = _file(f"track{suffix}", content)
    for told in ({"fps": 30.0, "units": "px"}, {"units": "px"}, {"units": "rad"}, {"fps": 30.0}, {}):
        try:
            found = read_track(file, size=(320, 240), **told)
        except NewtonSchemeError as error:
            _check_message(error)
            continue
        assert np.all(np.isfinite(found.track.centre_px))
        assert np.all(np.diff(found.track.t) > 0)


def _read_config(content: bytes) -> None:
    resolve_options({"config": _file("config.toml", content)})


def _read_card(content: bytes) -> None:
    weights = _folder() / "recogniser.safetensors"
    if not weights.exists():
        weights.write_bytes(DEFAULT_WEIGHTS.read_bytes())
    _file("recogniser.toml", content)
    load_recogniser(weights)


def _read_weights(content: bytes) -> None:
    assert all(np.all(np.isfinite(tensor)) for tensor in read_safetensors(content, "weights").values())


def _read_jobs(content: bytes) -> None:
    for job in find_jobs([_file("jobs.csv", content)], {}).jobs:
        assert "/" not in job.name


def _read_batch_report(content: bytes) -> None:
    assert len(content) < LARGEST_REPORT_BYTES
    _read_report(Path(_file("report.json", content)))


def _read_stamps(content: bytes) -> None:
    """Stamps as any file may hold them: 16 bits of each, spread over the whole range by the first byte."""
    scale = 1 << (content[0] % 48) if content else 1
    numbers = np.frombuffer(content[1 : len(content) // 4 * 4 + 1 - 4 if len(content) > 4 else 1], dtype="<i2").astype(np.int64)
    pts, dts = numbers[: len(numbers) // 2] * scale, numbers[len(numbers) // 2 : len(numbers) // 2 * 2] * scale
    if not len(pts):
        return
    packets = Packets(pts=pts, dts=dts, shown=np.arange(len(pts)) % 7 != 6, key=np.arange(len(pts)) % 5 == 0)
    for container, rate in (("mov,mp4", 30.0), ("avi", None), ("mpegts", 25.0), ("h264", None)):
        seconds = read_stamps(packets, 1.0 / 90_000, rate, container).seconds
        assert np.all(np.isfinite(seconds))
        assert np.all(np.diff(seconds) > 0)


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda content: read(content.decode("utf-8", "surrogateescape"))


def _trk() -> bytes:
    return TRK.format("".join(STEP.format(i, 20 + 6 * i, 220 - 18 * i) for i in range(5))).encode()


def _report() -> bytes:
    return json.dumps({"schema": SCHEMA, "batch": {"sha256": "0", "options": {}, "files": {}}}).encode()


READERS: Mapping[str, Reader] = MappingProxyType({
    "track_table": Reader(
        lambda content: _read_track(".csv", content),
        (f"t,x,y\n{THROW}".encode(), THROW.replace(",", "\t").encode(), f"#note\nt_s;x_m;y_m\n{THROW.replace(',', ';').replace('.', ',')}".encode(),
         b"Frame,Visibility,X,Y\n0,1,5,6\n1,1,7,9\n2,0,0,0\n3,1,11,15\n4,1,13,18\n", "t,x,y\n0,1,2\n1,2,3\n2,4,4\n".encode("utf-16")),
    ),
    "track_project": Reader(lambda content: _read_track(".trk", content), (_trk(),)),
    "camera": Reader(lambda content: read_camera(_file("camera", content), (640, 360)), tuple(text.encode() for text in CALIBRATIONS)),
    "config": Reader(_read_config, (CONFIG.encode(), b"\xef\xbb\xbf" + CONFIG.encode())),
    "weights": Reader(_read_weights, (pack_safetensors({"a": np.ones((2, 3), np.float32), "b": np.zeros(4, np.float32)}),)),
    "card": Reader(_read_card, (DEFAULT_WEIGHTS.with_suffix(".toml").read_bytes(),)),
    "jobs": Reader(_read_jobs, (JOBS.encode(), b"track,units\na.csv,px\n")),
    "batch_report": Reader(_read_batch_report, (_report(),)),
    "measure": Reader(_text(parse_measure), (b"0.5", "0.5±0.001".encode(), b"1e3+-2%")),
    "name": Reader(_text(lambda text: printable(text).encode("ascii", "strict") if text.isascii() else printable(text)), (b"a\x1b[2J", b"\xe9")),
    "stamps": Reader(_read_stamps, (b"\x0a" + np.arange(0, 240, 3, dtype="<i2").tobytes(), b"\x20" + np.arange(80, 0, -1, dtype="<i2").tobytes())),
    "avi_header": Reader(lambda content: _avi_without_rate(Path(_file("a.avi", content))), (b"RIFF0000AVI LISTvids" + bytes(range(60)),)),
})  # fmt: skip
"""Every reader by a name."""


def try_bytes(reader: Reader, content: bytes) -> None:
    """Read; raises what no reader may raise.

    Raises:
        AssertionError: an answer that cannot be, or a message of more than one line.
        Exception: whatever else the reader let through.
    """
    try:
        reader.read(content)
    except NewtonSchemeError as error:
        _check_message(error)


def _check_message(error: NewtonSchemeError) -> None:
    assert error.exit_code != 1, f"an error of no kind: {error!r}"
    assert 0 < len(str(error)) < LONGEST_MESSAGE, "a message of no length or of too many"
