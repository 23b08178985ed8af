"""Tracker's .trk: an XML file of nested properties, of which the clip, its clock and the point masses matter here.

Steps are kept under their video frame number; coordinates are image pixels with the *corner* of the first pixel at (0, 0), as in all of
Java's pictures. Read with defusedxml: no entity, no document type, nothing fetched; the video's path is never followed.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from ..errors import UnreadableInput, UsageError
from ..notation import printable
from ..tables import CORNER_OFFSET_PX
from ..types import Notice
from .series import Series

MAX_DEPTH = 100
"""Tracker nests some twenty levels; thousands are an attack on the parser."""
LARGEST_FRAME = 10_000_000
"""A day at 100 frames a second."""
LARGEST_PICTURE = 100_000
"""px: no picture has a longer side."""

_INDEX = re.compile(r"\[(\d{1,9})\]")


def read_project(content: bytes, name: str, units: str | None) -> tuple[Series, ...]:
    """One series for each point mass with a step, in pixels.

    Raises:
        UsageError: the user's units are others than px.
        UnreadableInput: no valid XML, or no Tracker project with a tracked point mass.
    """
    if units not in (None, "px"):
        raise UsageError(f"--units: found {units}, needed px: the steps of a .trk file are pixels")
    panel = _parse(content, name)
    if not panel.get("class", "").endswith(".TrackerPanel"):
        raise UnreadableInput(f"'{name}': found XML that is no Tracker tab, needed a .trk file with a tracked point mass")
    clip, control = _object(panel, "videoclip"), _object(panel, "clipcontrol")
    spacing = _number(control, "delta_t", name, 0.0) / 1000.0
    start, first = _number(clip, "starttime", name, 0.0) / 1000.0, _number(clip, "startframe", name, 0.0)
    size = _picture_size(panel, name)
    notices = _note_scale(panel, name)
    found = []
    for mass in _point_masses(panel):
        steps = _steps(mass, name)
        if steps:
            frame = np.array([step[0] for step in steps], dtype=float)
            found.append(
                Series(
                    label=f"'{printable(_text(mass, 'name') or 'point mass')}'", unit="px", position=np.array([step[1:] for step in steps]),
                    places=[f"step {step[0]}" for step in steps], frame=frame, size=size, notices=notices,
                    t=start + (frame - first) * spacing if spacing > 0 else None,
                )
            )  # fmt: skip
    if not found:
        raise UnreadableInput(f"'{name}': found no tracked point mass, needed one with steps")
    return tuple(found)


def _parse(content: bytes, name: str) -> Element:
    depth, root = 0, None
    try:
        for event, element in iterparse(io.BytesIO(content), events=("start", "end"), forbid_dtd=True):
            root = element if root is None else root
            depth += 1 if event == "start" else -1
            if depth > MAX_DEPTH:
                raise UnreadableInput(f"'{name}': found XML more than {MAX_DEPTH} levels deep, needed a Tracker file")
    except ParseError as error:
        raise UnreadableInput(f"'{name}': no valid XML: {printable(str(error))}") from None
    except DefusedXmlException as error:
        raise UnreadableInput(f"'{name}': found XML with {_forbidden(error)}, needed plain XML as Tracker writes it") from None
    except (ValueError, LookupError) as error:
        raise UnreadableInput(f"'{name}': no readable XML: {printable(str(error))}") from None
    if root is None:
        raise UnreadableInput(f"'{name}': no valid XML: nothing in it")
    return root


def _forbidden(error: DefusedXmlException) -> str:
    return {"DTDForbidden": "a document type", "EntitiesForbidden": "entities"}.get(type(error).__name__, "external references")


def _properties(owner: Element | None) -> Iterator[Element]:
    return iter(()) if owner is None else owner.iterfind("property")


def _property(owner: Element | None, name: str) -> Element | None:
    return next((element for element in _properties(owner) if element.get("name") == name), None)


def _object(owner: Element | None, name: str) -> Element | None:
    found = _property(owner, name)
    return None if found is None else found.find("object")


def _text(owner: Element | None, name: str) -> str | None:
    found = _property(owner, name)
    return None if found is None else found.text


def _number(owner: Element | None, name: str, file: str, default: float | None = None) -> float:
    text = _text(owner, name)
    if text is None and default is not None:
        return default
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        found = "nothing" if text is None else printable(repr(text[:40]))
        raise UnreadableInput(f"'{file}': found {found} as {name}, needed a number")
    return value


def _picture_size(panel: Element, name: str) -> tuple[int, int] | None:
    width, height = _number(panel, "width", name, 0.0), _number(panel, "height", name, 0.0)
    return (round(width), round(height)) if 1.0 <= width <= LARGEST_PICTURE and 1.0 <= height <= LARGEST_PICTURE else None


def _note_scale(panel: Element, name: str) -> tuple[Notice, ...]:
    frames = _property(_object(panel, "coords"), "framedata")
    scale = _number(_object(frames, "[0]"), "xscale", name, 1.0)
    if scale == 1.0:
        return ()
    message = f"the file's own calibration is {scale:g} px for each length unit; it is not used: give --scale to trust it"
    return (Notice("calibration_not_used", message),)


def _point_masses(panel: Element) -> Iterator[Element]:
    for item in _properties(_property(panel, "tracks")):
        found = item.find("object")
        if found is not None and found.get("class", "").endswith(".PointMass"):
            yield found


def _steps(mass: Element, name: str) -> list[tuple[int, float, float]]:
    steps: dict[int, tuple[int, float, float]] = {}
    for entry in _properties(_property(mass, "framedata")):
        index, step = _INDEX.fullmatch(entry.get("name", "")), entry.find("object")
        if index is None or step is None:
            continue
        frame = int(index[1])
        if frame > LARGEST_FRAME or frame in steps:
            raise UnreadableInput(f"'{name}': found step {frame} {'twice' if frame in steps else ''}, needed steps below {LARGEST_FRAME}, each once")
        x, y = _number(step, "x", f"{name}, step {frame}"), _number(step, "y", f"{name}, step {frame}")
        steps[frame] = frame, x - CORNER_OFFSET_PX, y - CORNER_OFFSET_PX
    return [steps[frame] for frame in sorted(steps)]
