"""Real tables and films of a folder, known by their digests: what was seen is read up to the cut alone, what came after judges.

The judge of a table is its own later rows, and of a film the positions that vision finds when it sees all of it; both have errors of their
own, which widen the bands that coverage is counted in.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ..baselines.forecaster import Question
from ..camera import assume_camera, table_camera
from ..errors import NothingTrackable, UsageError
from ..notation import printable
from ..pipeline import track as track_film
from ..tracks_io import read_track
from ..types import Camera, Floats, Track, Tracking
from .cases import LEAST_SAMPLES, Case, Made, Recipe, Units, cut_between
from .films import last_read

MANIFEST = Path(__file__).with_name("real.toml")
SAME_OBJECT = 0.5
"""Of the shorter of two tracks: how many of their common frames must agree for them to be of one object."""
SAME_PLACE_PX = 3.0
FOLLOWED_SHARE = 0.5
"""Of the samples of the track with most of them: the best ranked track that has so many judges."""


@cache
def read_manifest() -> tuple[Mapping[str, Any], ...]:
    """The entries of the manifest: which files are meant, by digest, and what each is."""
    return tuple(MappingProxyType(entry) for entry in tomllib.loads(MANIFEST.read_text(encoding="utf-8"))["file"])


def list_real(folder: str | None, count: int) -> tuple[Recipe, ...]:
    """A recipe for each series or stretch of each file of the manifest, at most ``count`` of each pattern of tables; files are not opened yet."""
    if folder is None:
        return ()
    if not Path(folder).is_dir():
        raise UsageError(f"--data: found no folder '{printable(folder)}'; name the folder that holds the files of {MANIFEST.name}")
    recipes: list[Recipe] = []
    for entry in read_manifest():
        parts = entry.get("series", len(entry.get("stretches", ())) or 1)
        for part in range(parts):
            several = [r for r in recipes if r.pattern == entry["pattern"] and not r.kind.endswith((".mp4", ".mov"))]
            if entry["kind"] == "film" or len(several) < count:
                recipes.append(Recipe(suite="real", pattern=entry["pattern"], kind=entry["file"], index=part, folder=folder))
    return tuple(recipes)


def make_real(recipe: Recipe) -> Made:
    """The cases of one series, stretch or film; a note where the file is missing, another one, or shows nothing."""
    entry = next(e for e in read_manifest() if e["file"] == recipe.kind)
    path = Path(str(recipe.folder)) / recipe.kind
    if not path.is_file():
        return Made((), (f"{recipe.kind}: not in the folder; left out",))
    digest = sha256(path.read_bytes()).hexdigest()
    if digest != entry["sha256"]:
        return Made((), (f"{recipe.kind}: its sha256 is not that of the manifest (another file of that name); left out",))
    try:
        cases = _read_film(recipe, entry, path) if entry["kind"] == "film" else _read_table(recipe, entry, path)
    except NothingTrackable as error:
        return Made((), (f"{recipe.name}: {error}; left out",))
    return Made(cases, () if len(cases) == len(recipe.shares) else (f"{recipe.name}: too few samples before or after the cut; left out",))


def _read_table(recipe: Recipe, entry: Mapping[str, Any], path: Path) -> tuple[Case, ...]:
    """The rows up to the cut, read as if the file ended there, and the later ones."""
    units: Units = "m" if entry["kind"] == "heights" else "rad"
    series = recipe.index if "series" in entry else None
    whole = read_track(path, units=units, object_index=series).track
    first, last = entry["stretches"][recipe.index] if "stretches" in entry else (float(whole.t[0]), float(whole.t[-1]))
    judge = whole.select((whole.t >= first) & (whole.t <= last))
    cases = []
    for share in recipe.shares:
        cut = cut_between(judge.t, share)
        seen = read_track(path, units=units, object_index=series, until=cut).track
        seen = seen.select((seen.t >= first) & (seen.t <= cut))
        case = _ask(recipe, entry, seen, judge, table_camera(units, seen.centre_px), share, cut, None)
        cases += [] if case is None else [case]
    return tuple(cases)


def _read_film(recipe: Recipe, entry: Mapping[str, Any], path: Path) -> tuple[Case, ...]:
    """The best object that vision follows over the stretch, and the same object as vision sees it when the film ends at the cut."""
    whole = track_film(path)
    followed = [_between(t, entry["first"], entry["last"]) for t in whole.tracks]
    judge = next(track for track in followed if len(track) >= FOLLOWED_SHARE * max(map(len, followed)))
    if len(judge) < LEAST_SAMPLES:
        return ()
    video, cases = whole.video, []
    for share in recipe.shares:
        cut = cut_between(judge.t, share)
        tracking = track_film(path, end=cut)
        seen = _same_object([_between(t, entry["first"], entry["last"]) for t in tracking.tracks], judge)
        camera = assume_camera(video.width_px, video.height_px)
        case = None if seen is None else _ask(recipe, entry, seen, judge, camera, share, cut, _until(tracking, judge))
        cases += [] if case is None else [case]
    return tuple(cases)


def _until(tracking: Tracking, judge: Track) -> float:
    """The clock of the last frame that was read when the film ended at the cut."""
    start = float(judge.t[0]) - int(judge.frame[0]) / tracking.video.fps
    return start + last_read(tracking, tracking.video.fps)


def _between(track: Track, first: int, last: int) -> Track:
    return track.select((track.frame >= first) & (track.frame <= last))


def _same_object(candidates: list[Track], judge: Track) -> Track | None:
    """The track that agrees with the judge's on the most common frames."""
    best, most = None, 0
    for candidate in candidates:
        _, a, b = np.intersect1d(candidate.frame, judge.frame, return_indices=True)
        apart = np.hypot(*(candidate.centre_px[a] - judge.centre_px[b]).T)
        near = int(np.sum(apart < np.maximum(np.nan_to_num(judge.radius_px[b]), SAME_PLACE_PX)))
        if near > max(most, SAME_OBJECT * len(a)):
            best, most = candidate, near
    return best


def _ask(
    recipe: Recipe, entry: Mapping[str, Any], seen: Track, judge: Track, camera: Camera, share: float, cut: float, vision_until: float | None
) -> Case | None:
    ahead = judge.select(judge.t > cut)
    if len(seen) < LEAST_SAMPLES or len(ahead) == 0:
        return None
    units: Mapping[str, Units] = {"heights": "m", "angles": "rad", "film": "px"}
    return Case(
        name=f"{recipe.name}@{share:g}", suite="real", pattern=recipe.pattern, kind=recipe.kind,
        question=Question(observed=seen, t=ahead.t, camera=camera), truth_px=ahead.centre_px, judge_sigma_px=_axis_sigma(ahead),
        last_px=seen.centre_px[-1], cut=cut, fps=1.0 / float(np.median(np.diff(judge.t))), observed_share=share, sha256=entry["sha256"],
        units=units[entry["kind"]], vision_until=vision_until,
    )  # fmt: skip


def _axis_sigma(track: Track) -> Floats:
    return np.sqrt(np.einsum("nii->ni", track.covariance_px))
