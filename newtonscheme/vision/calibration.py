"""A lens that somebody calibrated with OpenCV, as the camera prior of `--camera FILE`.

JSON and OpenCV's FileStorage (YAML and XML) are read by what is in the file, not by its name. The YAML is read by a reader of our own that
knows numbers and matrices and nothing else; XML by defusedxml without any document type. Nothing that could run code (.npz, pickle) is.
"""

from __future__ import annotations

import io
import json
import math
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UsageError
from ..notation import printable
from ..types import Camera, Floats

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_BYTES = 1 << 20
"""A calibration is a few kilobytes; with every picture's corners in it a few hundred."""
MAX_DEPTH = 20
"""OpenCV nests three levels."""
MAX_NUMBERS = 64
"""The largest thing that is read is a 3x3 matrix or 14 coefficients."""
FOCAL_LOG_SIGMA = 0.005
"""A chessboard calibration repeats to about half a per cent from one set of pictures to the next."""
SQUARE = 0.02
"""fx and fy of a real lens on square pixels agree to a few per mille; 2 % is a stretched picture or a typing error."""
SAME_SHAPE = 0.01
"""Sides rounded to even numbers change a small picture's shape by up to this."""
SKEW_SHARE = 1e-3
"""OpenCV keeps the skew at zero; what is larger than rounding is another convention."""
FOCAL_RANGE = (0.1, 100.0)
"""Of the long side: from beyond a fisheye to a telescope; a normalised matrix (focal length about 1) is outside."""
CENTRE_SHARE = 0.25
"""A principal point this share of the picture away from its middle is one of a picture of another size."""
N_COEFFICIENTS, COUNTS = 5, (4, 5, 8, 12, 14)
"""(k1, k2, p1, p2, k3), and how many OpenCV writes for one flag or another."""
RADII = 500
"""Radii at which a lens is asked whether it is still one to one."""

_MATRIX = ("camera_matrix", "K", "mtx", "intrinsic_matrix")
_COEFFICIENTS = ("dist_coeffs", "dist_coeff", "distortion_coefficients", "dist")
_WIDTH, _HEIGHT, _SIZE = ("image_width", "width"), ("image_height", "height"), ("image_size",)
_MODEL = ("distortion_model",)
_PLAIN_MODELS = ("plumb_bob", "radtan", "brown", "opencv")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?")
_TOP_KEY = re.compile(r"""(["']?)([A-Za-z_]\w*)\1\s*:\s*(.*)""")
_INNER_KEY = re.compile(r"\s+(rows|cols|dt|data|type_id)\s*:\s*(.*)")

Entry = str | list[float] | None
"""What a key holds: a word, its numbers in order (a matrix row by row), or something else."""


def read_camera(path: str, size_px: tuple[int, int]) -> Camera:
    """The calibrated camera for pictures of ``size_px`` (width, height).

    The file holds a camera matrix (3x3, in pixels) and distortion coefficients under any of their usual names, and mostly the size of
    the pictures that they were found with. A matrix for a larger or smaller picture of the same shape is scaled to this one.

    Returns:
        A pinhole camera, source "user". A calibration does not say how the camera is tilted: the sigmas of pitch and roll are infinite.

    Raises:
        UsageError: the file cannot be read, a key is missing or doubled, or the numbers cannot be this picture's; file and key are named.
    """
    name = printable(path)
    entries = _parse(_read_bytes(path, name), name)
    matrix = _find_matrix(entries, name)
    coefficients = _find_coefficients(entries, name)
    matrix = _rescale(matrix, _find_size(entries, name), size_px, name)
    focal, principal = _check_matrix(matrix, size_px, name)
    _check_lens(coefficients, matrix, size_px, name)
    mismatch = abs(math.log(matrix[0, 0] / matrix[1, 1]))
    return Camera(
        kind="pinhole", focal_px=focal, focal_log_sigma=max(FOCAL_LOG_SIGMA, 0.5 * mismatch), principal_px=principal, pitch_sigma=math.inf,
        roll_sigma=math.inf, distortion=coefficients, source="user",
    )  # fmt: skip


def _read_bytes(path: str, name: str) -> bytes:
    try:
        found = Path(path).stat()
        if not stat.S_ISREG(found.st_mode):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "no regular file"
            raise UsageError(f"--camera '{name}': found {kind}, needed an OpenCV calibration (JSON, YAML or XML)")
        if found.st_size > MAX_BYTES:
            raise UsageError(f"--camera '{name}': found {found.st_size} bytes, needed an OpenCV calibration of at most {MAX_BYTES}")
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"--camera '{name}': cannot be read: {printable(reason)}") from None


def _parse(content: bytes, name: str) -> dict[str, Entry]:
    """Every key of the file that is a number, a word or a matrix; the rest is left out."""
    if content.startswith((b"PK\x03\x04", b"\x93NUMPY", b"\x80")):
        raise UsageError(f"--camera '{name}': found a NumPy or pickle file, needed JSON, YAML or XML: save the matrix with json or cv2.FileStorage")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"--camera '{name}': not UTF-8 text, needed an OpenCV calibration (JSON, YAML or XML)") from None
    start = text.lstrip()[:1]
    if not start or "\0" in text:
        raise UsageError(f"--camera '{name}': found {'a NUL byte' if start else 'an empty file'}, needed an OpenCV calibration (JSON, YAML or XML)")
    return _parse_json(text, name) if start == "{" else _parse_xml(content, name) if start == "<" else _parse_yaml(text, name)


def _parse_json(text: str, name: str) -> dict[str, Entry]:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        table: dict[str, object] = {}
        for key, value in pairs:
            if key in table:
                raise UsageError(f"--camera '{name}': found {printable(key[:40])} twice, needed it once")
            table[key] = value
        return table

    try:
        table = json.loads(text, object_pairs_hook=unique)
        held = {key: value.get("data") if isinstance(value, Mapping) else value for key, value in table.items()}
        return {key: value if isinstance(value, str) else _flatten(value) for key, value in held.items()}
    except UsageError:
        raise
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--camera '{name}': no valid JSON: {printable(str(error)[:80])}") from None


def _flatten(value: object) -> list[float] | None:
    """The numbers of nested lists in order; None where there is anything else in them, or too much."""
    if isinstance(value, bool) or not isinstance(value, int | float | list):
        return None
    if not isinstance(value, list):
        return [float(value)] if abs(value) < 1e300 else None
    numbers: list[float] = []
    for part in value:
        inner = _flatten(part)
        if inner is None or len(numbers) + len(inner) > MAX_NUMBERS:
            return None
        numbers += inner
    return numbers


def _parse_xml(content: bytes, name: str) -> dict[str, Entry]:
    root = _xml_root(content, name)
    entries: dict[str, Entry] = {}
    for element in root:
        data = element.find("data") if len(element) else element
        text = (data.text or "").strip() if data is not None else ""
        if element.tag in entries:
            raise UsageError(f"--camera '{name}': found {printable(element.tag)} twice, needed it once")
        numbers = _numbers(text.split())
        entries[element.tag] = text if numbers is None else numbers
    return entries


def _xml_root(content: bytes, name: str) -> Element:
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    depth, root = 0, None
    try:
        for event, element in iterparse(io.BytesIO(content), events=("start", "end"), forbid_dtd=True):
            root = element if root is None else root
            depth += 1 if event == "start" else -1
            if depth > MAX_DEPTH:
                raise UsageError(f"--camera '{name}': found XML more than {MAX_DEPTH} levels deep, needed what OpenCV writes")
    except UsageError:
        raise
    except DefusedXmlException:
        raise UsageError(f"--camera '{name}': found XML with a document type or entities, needed plain XML as OpenCV writes it") from None
    except (ParseError, ValueError, LookupError) as error:
        raise UsageError(f"--camera '{name}': no valid XML: {printable(str(error))}") from None
    if root is None or root.tag != "opencv_storage":
        raise UsageError(f"--camera '{name}': found XML that OpenCV did not write, needed <opencv_storage>")
    return root


def _parse_yaml(text: str, name: str) -> dict[str, Entry]:
    """The part of YAML that calibrations use: top-level keys with a word, a number, nested lists, or a matrix with rows, cols and data."""
    blocks: dict[str, list[str]] = {}
    block: list[str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.split(" #", 1)[0].rstrip()
        if not bare.strip() or bare.startswith(("%YAML", "---", "...", "#")):
            continue
        key = _TOP_KEY.fullmatch(bare)
        if key is not None:
            if key[2] in blocks:
                raise UsageError(f"--camera '{name}', line {number}: found {key[2]} twice, needed it once")
            block = blocks[key[2]] = [key[3]]
        elif block is not None and (bare[0] in " \t-" or bare in "]}"):
            block.append(bare)
        else:
            raise UsageError(f"--camera '{name}', line {number}: found {printable(repr(bare[:40]))}, needed KEY: VALUE as OpenCV writes it")
    return {key: _yaml_entry(lines) for key, lines in blocks.items()}


def _yaml_entry(lines: list[str]) -> Entry:
    head, *rest = lines
    head = re.sub(r"^!!\S+\s*", "", head)
    for i, line in enumerate(rest):
        inner = _INNER_KEY.fullmatch(line)
        if inner is not None and inner[1] == "data":
            following = [other for other in rest[i + 1 :] if _INNER_KEY.fullmatch(other) is None]
            return _yaml_numbers([inner[2], *following])
    if not rest and not head.startswith("[") and _NUMBER.fullmatch(head) is None:
        return head.strip("\"'") or None
    return _yaml_numbers([head, *rest])


def _yaml_numbers(lines: list[str]) -> list[float] | None:
    """Numbers of a list in brackets, nested or not, or of one with a dash for each item."""
    joined = " ".join(re.sub(r"^\s*(?:-\s+)+", " , ", line) for line in lines)
    words = re.sub(r"[\[\],]", " ", joined).split()
    return _numbers(words)


def _numbers(words: list[str]) -> list[float] | None:
    if not words or len(words) > MAX_NUMBERS or any(_NUMBER.fullmatch(word) is None for word in words):
        return None
    return [float(word) for word in words]


def _lookup(entries: Mapping[str, Entry], names: tuple[str, ...], name: str) -> tuple[str, Entry] | None:
    """The one key of the file that is among these names, capitals and underscores aside, and what it holds."""
    wanted = {_plain(key) for key in names}
    found = [key for key in entries if _plain(key) in wanted]
    if len(found) > 1:
        raise UsageError(f"--camera '{name}': found {' and '.join(printable(key) for key in found)}, needed one of them")
    return (found[0], entries[found[0]]) if found else None


def _plain(key: str) -> str:
    return key.replace("_", "").lower()


def _find_matrix(entries: Mapping[str, Entry], name: str) -> Floats:
    found = _lookup(entries, _MATRIX, name)
    if found is None:
        keys = ", ".join(printable(key) for key in list(entries)[:10]) or "nothing"
        raise UsageError(f"--camera '{name}': found {keys}, needed camera_matrix with 3x3 numbers")
    key, value = found
    if not isinstance(value, list) or len(value) != 9 or not np.all(np.isfinite(value)):
        raise UsageError(f"--camera '{name}', {key}: found {_count(value)}, needed 3x3 finite numbers")
    return np.array(value).reshape(3, 3)


def _count(value: Entry) -> str:
    return f"{len(value)} numbers" if isinstance(value, list) else "no plain numbers"


def _find_coefficients(entries: Mapping[str, Entry], name: str) -> tuple[float, ...]:
    model = _lookup(entries, _MODEL, name)
    if model is not None and str(model[1]).lower() not in _PLAIN_MODELS:
        raise UsageError(f"--camera '{name}', {model[0]}: found {printable(str(model[1]))}, needed plumb_bob (k1, k2, p1, p2, k3)")
    found = _lookup(entries, _COEFFICIENTS, name)
    if found is None:
        raise UsageError(f"--camera '{name}': found no distortion coefficients, needed dist_coeffs: [k1, k2, p1, p2, k3] (zeros for none)")
    key, value = found
    if not isinstance(value, list) or len(value) not in COUNTS or not np.all(np.isfinite(value)):
        raise UsageError(f"--camera '{name}', {key}: found {_count(value)}, needed k1, k2, p1, p2 and k3")
    if any(value[N_COEFFICIENTS:]):
        raise UsageError(f"--camera '{name}', {key}: found {len(value)} coefficients, needed k1, k2, p1, p2, k3: calibrate without more flags")
    return tuple((*value, 0.0)[:N_COEFFICIENTS])


def _find_size(entries: Mapping[str, Entry], name: str) -> tuple[float, float] | None:
    """Width and height of the pictures that were calibrated with, where the file says them."""
    whole = _lookup(entries, _SIZE, name)
    sides = [_lookup(entries, names, name) for names in (_WIDTH, _HEIGHT)]
    if whole is None and sides == [None, None]:
        return None
    values = whole[1] if whole is not None else [n for side in sides if side is not None and isinstance(side[1], list) for n in side[1]]
    if not isinstance(values, list) or len(values) != 2 or not all(math.isfinite(v) and v >= 1 for v in values):
        raise UsageError(f"--camera '{name}': found {_count(values)} for the picture's size, needed image_width and image_height in pixels")
    return values[0], values[1]


def _rescale(matrix: Floats, calibrated: tuple[float, float] | None, size_px: tuple[int, int], name: str) -> Floats:
    """The matrix for this picture; the centre of the first pixel stays at (0, 0)."""
    if calibrated is None:
        return matrix
    across, down = size_px[0] / calibrated[0], size_px[1] / calibrated[1]
    if abs(math.log(across / down)) > SAME_SHAPE:
        found = f"{calibrated[0]:g} x {calibrated[1]:g}"
        raise UsageError(
            f"--camera '{name}': found a calibration of pictures of {found}, needed {size_px[0]} x {size_px[1]} or the same shape: "
            "calibrate in the mode that the film was taken in"
        )
    scaled = matrix.copy()
    scaled[0, :2] *= across
    scaled[1, :2] *= down
    scaled[0, 2], scaled[1, 2] = (matrix[0, 2] + 0.5) * across - 0.5, (matrix[1, 2] + 0.5) * down - 0.5
    return scaled


def _check_matrix(matrix: Floats, size_px: tuple[int, int], name: str) -> tuple[float, tuple[float, float]]:
    """One focal length (px) and the principal point, of a matrix that can be a camera's of this picture."""
    fx, fy, centre = float(matrix[0, 0]), float(matrix[1, 1]), (float(matrix[0, 2]), float(matrix[1, 2]))
    place = f"--camera '{name}', camera_matrix"
    if not np.allclose(matrix[2], (0.0, 0.0, 1.0), atol=1e-9) or min(fx, fy) <= 0:
        raise UsageError(f"{place}: found no camera matrix, needed [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] with fx and fy above 0")
    if max(abs(matrix[0, 1]), abs(matrix[1, 0])) > SKEW_SHARE * fx:
        raise UsageError(f"{place}: found a skew of {max(matrix[0, 1], matrix[1, 0], key=abs):g}, needed 0")
    if abs(fx / fy - 1.0) > SQUARE:
        raise UsageError(f"{place}: found fx {fx:g} and fy {fy:g}, needed square pixels (within {100 * SQUARE:g} %)")
    focal, side = math.sqrt(fx * fy), max(size_px)
    if not FOCAL_RANGE[0] * side <= focal <= FOCAL_RANGE[1] * side:
        raise UsageError(f"{place}: found a focal length of {focal:g} px, needed one for pictures of {side} px: add image_width, image_height")
    if any(abs(c - 0.5 * (s - 1)) > CENTRE_SHARE * s for c, s in zip(centre, size_px, strict=True)):
        shown = f"({centre[0]:g}, {centre[1]:g})"
        raise UsageError(f"{place}: found the principal point {shown}, needed one near the picture's middle: add image_width, image_height")
    return focal, centre


def _check_lens(coefficients: tuple[float, ...], matrix: Floats, size_px: tuple[int, int], name: str) -> None:
    """Refuse a lens that folds its picture back before the corners: no bearing belongs to a pixel there."""
    k1, k2, _, _, k3 = coefficients
    corners = np.array([(u, v) for u in (0, size_px[0] - 1) for v in (0, size_px[1] - 1)], dtype=float)
    reach = float(np.max(np.hypot((corners[:, 0] - matrix[0, 2]) / matrix[0, 0], (corners[:, 1] - matrix[1, 2]) / matrix[1, 1])))
    radius = np.linspace(0.0, 4.0 * reach, RADII)
    square = radius**2
    seen = radius * (1.0 + square * (k1 + square * (k2 + square * k3)))
    rising = int(np.argmax(np.diff(seen) <= 0)) if np.any(np.diff(seen) <= 0) else RADII - 1
    if seen[rising] < reach:
        raise UsageError(f"--camera '{name}': found distortion that folds the picture back inside its corners, needed a lens that does not")
