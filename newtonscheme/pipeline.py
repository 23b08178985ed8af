"""The only file that knows the order of the stages: video -> tracks -> pattern -> body -> stability -> forecast -> report.

`--observe` runs them twice. The first pass sees the whole clip and fixes two things: the stretch of motion [t0, t1], and the track that
will judge. The cut is at t0 + share x (t1 - t0); the second pass gets a video that ends there, and every number of the forecast is its own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import NothingTrackable, UsageError
from .types import (
    Camera,
    CameraMotion,
    Fit,
    Forecast,
    Identifiability,
    Notice,
    Options,
    Progress,
    Refusal,
    Report,
    Scale,
    Score,
    Segment,
    Stability,
    Track,
    Tracking,
    Video,
)  # fmt: skip

if TYPE_CHECKING:
    from .estimation.analysis import Analysis
    from .estimation.knowledge import Knowledge
    from .estimation.recognition import Recogniser

SHORTEST_TRACK = 5
"""Samples: fewer are not a track but a flicker."""
LONGEST_FORECAST = 20_000
"""Samples of one forecast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """A clip after vision: tracks, and through what camera they were seen."""

    tracking: Tracking
    camera: Camera
    size_px: tuple[int, int] | None
    unit: str = "px"


def predict(path: str | Path | None = None, *, progress: Progress | None = None, **options: Any) -> Report:
    """Recognise what moves in a video, and forecast where it goes.

    Args:
        path: The video; None where ``track`` names a file of tracked coordinates.
        progress: Called with (stage, done, total) while long work goes on.
        **options: The fields of `newtonscheme.Options`, by name.

    Returns:
        The report; a pattern that is unknown, unstable or too short is refused in it (``report.refusal``), not raised.

    Raises:
        UsageError: an option cannot be meant.
        UnreadableInput: the file cannot be read.
        NothingTrackable: nothing moves for long enough.
        LimitReached: a limit of time, memory or size was reached.
    """
    from .options import resolve_options

    told = resolve_options(options)
    _check_request(path, told)
    elapsed: dict[str, float] = {}
    from .estimation.knowledge import gather_knowledge
    from .estimation.recognition import load_recogniser

    if told.object is not None:
        from .estimation.body import find_ball

        find_ball(told.object)
    knowledge, recogniser = gather_knowledge(told), load_recogniser(told.weights)
    scene = _timed(elapsed, "vision", lambda: _look(path, told, None, progress))
    whole = _timed(elapsed, "estimation", lambda: _analyse(scene, recogniser, knowledge, told, None))
    if find_refusal(whole) is not None:
        scene = _timed(elapsed, "clock", lambda: _ask_the_clock(scene, whole, recogniser, knowledge, told))
    if told.observe is None or whole.fit is None or whole.verdict != "stable":
        report = _conclude(scene, whole, whole, knowledge, told, elapsed)
    else:
        t0, t1 = float(whole.fit.track.t[0]), float(whole.fit.track.t[-1])
        cut = t0 + told.observe * (t1 - t0)
        report = replace(observe_until(path, cut, whole, recogniser, knowledge, told, elapsed, progress), video=scene.tracking.video)
    _write_outputs(path, report, told, _motion_of(report, scene.tracking.camera_motion), progress)
    return report


def track(path: str | Path, *, progress: Progress | None = None, **options: Any) -> Tracking:
    """Follow what moves in a video: ranked tracks, best first.

    Raises:
        UsageError, UnreadableInput, NothingTrackable, LimitReached: as `predict`.
    """
    from .options import resolve_options

    told = resolve_options(options)
    return _look(path, told, None, progress).tracking


def observe_until(
    path: str | Path | None, cut: float, reference: Analysis, recogniser: Recogniser, knowledge: Knowledge, options: Options,
    elapsed: dict[str, float], progress: Progress | None,
) -> Report:  # fmt: skip
    """The second pass: what can be said at ``cut`` (s) from the frames up to it, judged on the reference track after it."""
    try:
        scene = _timed(elapsed, "vision_observed", lambda: _look(path, options, cut, progress))
    except NothingTrackable as error:
        short = replace(reference, verdict="too_short", reasons=(str(error),), fit=None, free_fit=None, body=None, charges=(), segments=())
        blind = _truncate(reference.track, cut)
        empty = replace(short, track=blind, first=0, last=len(blind))
        tracking = Tracking(video=_look(path, options, None, None).tracking.video, tracks=(blind,))
        return _conclude(_Scene(tracking=tracking, camera=_any_camera(reference), size_px=None), empty, reference, knowledge, options, elapsed)
    seen = _timed(elapsed, "estimation_observed", lambda: _analyse(scene, recogniser, knowledge, options, reference))
    reference = replace(reference, track=in_time_of(seen.track, in_view_of(seen.track, reference.track)))
    return _conclude(scene, seen, reference, knowledge, options, elapsed)


def in_view_of(seen: Track, reference: Track) -> Track:
    """The reference in the coordinates of the second pass, which may have taken for still a camera that moved before, or did so later.

    Those of its last frame are known to both; what the camera does afterwards the reference's own pass alone has seen.
    """
    if reference.to_reference is None or seen.to_reference is not None or len(seen) == 0:
        return reference
    from .vision.registration import mapped

    onto = np.linalg.inv(reference.to_reference[int(np.argmin(np.abs(reference.frame - seen.frame[-1])))])
    return replace(reference, centre_px=mapped(onto, reference.centre_px), to_reference=onto @ reference.to_reference)


def in_time_of(seen: Track, reference: Track) -> Track:
    """The reference by the clock of the second pass, of whose later slips that pass could not know: they agree on its last frame."""
    if len(seen) == 0:
        return reference
    last = int(np.argmin(np.abs(reference.frame - seen.frame[-1])))
    late = float(seen.t[-1] - reference.t[last]) if reference.frame[last] == seen.frame[-1] else 0.0
    return replace(reference, t=reference.t + late) if late else reference


def _motion_of(report: Report, motion: CameraMotion | None) -> CameraMotion | None:
    """The camera's motion into the coordinates of the report, which may be those of a second pass."""
    scored = report.scored
    if motion is None or scored is None or scored.to_reference is None:
        return motion
    onto = scored.to_reference[0] @ np.linalg.inv(motion.at(int(scored.frame[0])))
    return replace(motion, to_first=onto @ motion.to_first)


def _any_camera(analysis: Analysis) -> Camera:
    if analysis.fit is None:
        raise ValueError("expected a fitted reference")
    return analysis.fit.camera


def _check_request(path: str | Path | None, options: Options) -> None:
    """What can be refused before any work: inputs that exclude each other, outputs that cannot be written."""
    from .files import check_output

    if (path is None) == (options.track is None):
        raise UsageError("found no input: give a VIDEO, or --track FILE" if path is None else "found a VIDEO and --track: give one of them")
    if options.detector is not None and options.track is not None:
        raise UsageError("found --detector and --track: a table needs no detector; give one of them")
    if options.overlay is not None and path is None:
        raise UsageError("--overlay: found no video to draw on; leave it out with --track")
    from .physics.models import PATTERNS

    if options.pattern is not None and options.pattern not in PATTERNS:
        raise UsageError(f"--pattern: found '{options.pattern}', needed one of {', '.join(PATTERNS)}")
    sources = [p for p in (path, options.track, options.config, options.weights, options.camera, options.detector) if p is not None]
    for target, suffixes in ((options.json, ()), (options.csv, ()), (options.overlay, (".mp4",)), (options.plot, (".png", ".pdf", ".svg"))):
        if target is not None:
            check_output(target, force=options.force, suffixes=suffixes, sources=sources)


def _timed(elapsed: dict[str, float], name: str, work: Any) -> Any:
    begun = time.perf_counter()
    result = work()
    elapsed[name] = 1e3 * (time.perf_counter() - begun)
    return result


def _look(path: str | Path | None, options: Options, cut: float | None, progress: Progress | None) -> _Scene:
    """Tracks from the video or from a table, of the frames up to ``cut`` where one is given."""
    from .estimation.knowledge import choose_camera

    if options.track is not None:
        return _read_table(options, cut)
    from .vision.continuity import settle_tracks
    from .vision.slips import mend_clock
    from .vision.stabilisation import track_still_or_moving
    from .vision.video import open_video

    end = options.end if cut is None else cut if options.end is None else min(cut, options.end)
    with ExitStack() as running:
        detector = None
        if options.detector is not None:
            from .vision.detector import open_detector

            detector = running.enter_context(open_detector(options.detector))
        tracking = track_still_or_moving(
            lambda cadence: open_video(str(path), fps=options.fps, start=options.start, end=end, cadence=cadence),
            roi=options.roi,
            detector=detector,
            progress=progress,
        )
    tracking = mend_clock(settle_tracks(tracking))
    _check_tracks(tracking, options)
    size, focal = (tracking.video.width_px, tracking.video.height_px), tracking.video.focal_35mm
    camera = choose_camera(options, size, focal_35mm=focal)
    if focal is not None and camera.source == "derived":
        said = f"the file names a lens of {focal:g} mm (35 mm equivalent), from which the field of view was taken; give --fov if it is better known"
        tracking = replace(tracking, notices=(*tracking.notices, Notice("lens_from_file", said)))
    return _Scene(tracking=tracking, camera=camera, size_px=size)


def _check_tracks(tracking: Tracking, options: Options) -> None:
    long_enough = [t for t in tracking.tracks if len(t) >= SHORTEST_TRACK]
    if not long_enough:
        lost = next((n.message for n in tracking.notices if n.code == "moving_camera"), None)
        if lost is not None:
            raise NothingTrackable(f"no object in {tracking.video.n_frames} frames: {lost}")
        seen = f"the longest track has {max(len(t) for t in tracking.tracks)} samples" if tracking.tracks else "nothing moves"
        raise NothingTrackable(
            f"{seen} in {tracking.video.n_frames} frames; an object must be seen moving in at least {SHORTEST_TRACK}: "
            "check that the object is in view, or name a region with --roi"
        )
    if options.object_index is not None and options.object_index >= len(tracking.tracks):
        raise UsageError(f"--object-index: found {options.object_index}, needed 0 to {len(tracking.tracks) - 1}: the clip has that many tracks")


def _read_table(options: Options, cut: float | None) -> _Scene:
    """A table of tracked coordinates as a scene; of metres or angles through the orthographic camera of scale 1."""
    from .estimation.knowledge import choose_camera
    from .tracks_io import read_track
    from .vision.continuity import split_at_gaps

    file = str(options.track)
    index = options.object_index
    read = read_track(file, fps=options.fps, units=options.units, size=options.size, object_index=index, until=cut)
    rows = read.track
    keep = (rows.t >= (options.start or 0.0)) & (rows.t <= min(options.end or math.inf, math.inf if cut is None else cut))
    rows = rows.select(keep)
    size = read.size or _picture_of(rows) if read.unit == "px" else (0, 0)
    video = Video(
        path=Path(file), width_px=size[0], height_px=size[1], fps=1.0 / float(np.median(np.diff(rows.t))) if len(rows) > 1 else 0.0,
        n_frames=len(rows), duration=float(np.ptp(rows.t)) if len(rows) else 0.0, time_source="track",
        sha256=sha256(Path(file).read_bytes()).hexdigest(),
    )  # fmt: skip
    tracking = Tracking(video=video, tracks=split_at_gaps(rows), notices=read.notices)
    _check_tracks(tracking, replace(options, object_index=None))
    camera = choose_camera(options, size, units=read.unit, places=rows.centre_px)
    # A picture that was only taken to hold the track ends no motion.
    return _Scene(tracking=tracking, camera=camera, size_px=read.size if read.unit == "px" else None, unit=read.unit)


def _picture_of(rows: Track) -> tuple[int, int]:
    """A picture that holds the track, where nobody said how large it was."""
    width, height = (np.ceil(np.max(rows.centre_px, axis=0)) + 1).astype(int) if len(rows) else (1, 1)
    return max(int(width), 1), max(int(height), 1)


def _analyse(scene: _Scene, recogniser: Recogniser, knowledge: Knowledge, options: Options, reference: Analysis | None) -> Analysis:
    """The judged track; in a second pass the one that lies on the reference track, and the motion that was going on at the cut."""
    from .estimation.analysis import analyse_tracks
    from .estimation.knowledge import with_table

    index = options.object_index if options.track is None else 0
    if reference is not None:
        index = _find_same(scene.tracking.tracks, reference.track)
    return analyse_tracks(
        scene.tracking.tracks,
        recogniser,
        scene.camera,
        with_table(knowledge, scene.unit, options),
        pattern=options.pattern,
        index=index,
        size_px=scene.size_px,
        moment="ongoing" if reference is not None else "latest" if options.observe is None else "longest",
    )


def _ask_the_clock(scene: _Scene, refused: Analysis, recogniser: Recogniser, knowledge: Knowledge, options: Options) -> _Scene:
    """The scene with a word on its clock, where that is all that keeps a film's motion from being a flight."""
    from .estimation.slow_motion import suspect_slow_motion

    video = scene.tracking.video
    if scene.unit != "px" or options.track is not None or video.time_source == "fps_option":
        return scene
    found = suspect_slow_motion(refused, recogniser, scene.camera, knowledge, fps=video.stored_fps, size_px=scene.size_px)
    return replace(scene, tracking=replace(scene.tracking, notices=(*scene.tracking.notices, *found)))


def _find_same(tracks: tuple[Track, ...], reference: Track) -> int:
    """The index of the track that shares the most frames and places with the reference."""
    shares = []
    for candidate in tracks:
        common, a, b = np.intersect1d(candidate.frame, reference.frame, return_indices=True)
        apart = np.hypot(*(candidate.centre_px[a] - reference.centre_px[b]).T) if len(common) else np.empty(0)
        near = np.maximum(np.nan_to_num(reference.radius_px[b], nan=3.0), 3.0)
        shares.append(int(np.sum(apart < near)))
    return int(np.argmax(shares))


def _truncate(rows: Track, cut: float) -> Track:
    return rows.select(rows.t <= cut)


def _conclude(scene: _Scene, seen: Analysis, reference: Analysis, knowledge: Knowledge, options: Options, elapsed: Mapping[str, float]) -> Report:
    """The report: forecast or refusal, scale, score and notices."""
    from . import __version__
    from .estimation.identifiability import account_errors
    from .estimation.knowledge import with_table
    from .estimation.rulers import judge_rulers, measure_rulers

    knowledge = with_table(knowledge, scene.unit, options)
    notices = [*scene.tracking.notices]
    forecast: Forecast | None = None
    score: Score | None = None
    scale: Scale | None = None
    identifiability: Identifiability | None = None
    refusal = find_refusal(seen)
    if seen.fit is not None and seen.fit.success:
        scale = measure_rulers(seen.fit, seen.free_fit, knowledge)
        scale = scale if scene.unit == "px" else replace(scale, source="user")
        notices += judge_rulers(seen, scale, knowledge, scene.tracking.video.stored_fps)
        notices += _note_change(seen)
    if refusal is None and seen.fit is not None:
        forecast, more = _forecast(scene, seen, knowledge, options)
        notices += more
        if forecast is None:
            refusal = Refusal("integration_failed", more[-1].message)
        elif options.observe is not None:
            score = _score(seen, seen.fit, reference, knowledge, options)
    if refusal is None and seen.fit is not None and forecast is not None:
        ahead = float(forecast.t[-1] - seen.fit.track.t[-1]) if len(forecast.t) else 0.0
        clock = scene.tracking.video.time_source
        identifiability = account_errors(seen.fit, knowledge.known, time_source=clock, horizon=ahead)
    used = np.zeros(len(seen.track), dtype=bool)
    if seen.fit is not None:
        used[seen.first : seen.last] = True
    return Report(
        version=__version__, status="forecast" if refusal is None else "refused", video=scene.tracking.video, track=seen.track, used=used,
        other_tracks=tuple(t for i, t in enumerate(scene.tracking.tracks) if i != seen.index), pattern=seen.pattern, evidence=seen.evidence,
        stability=Stability(verdict=seen.verdict, segments=seen.segments, charges=seen.charges, reasons=seen.reasons),
        parameters={} if seen.fit is None else _contract_parameters(seen.fit), camera=_seen_camera(scene.camera, seen.fit), body=seen.body,
        scale=scale, identifiability=identifiability, fit=seen.fit, forecast=forecast, score=score,
        scored=reference.track if options.observe is not None else None, refusal=refusal, notices=tuple(notices),
        seed=options.seed, elapsed_ms=dict(elapsed),
    )  # fmt: skip


def find_refusal(seen: Analysis) -> Refusal | None:
    """Why there is no forecast, if so."""
    reason = "; ".join(seen.reasons)
    if seen.verdict == "too_short":
        return Refusal("too_short", reason)
    if seen.pattern.name is None or seen.fit is None:
        return Refusal("unknown_pattern", reason)
    if seen.verdict != "stable":
        return Refusal("unstable", f"{seen.pattern.name} is {seen.verdict}: {reason}")
    return None


def _contract_parameters(fit: Fit) -> dict[str, Any]:
    return {name: quantity for name, quantity in fit.parameters.items() if name not in ("diameter", "mass")}


def _seen_camera(camera: Camera, fit: Fit | None) -> Camera:
    """The camera as the fit left it."""
    if fit is None or not fit.success:
        return camera
    found = dict(zip(fit.names, fit.estimate, strict=True))
    sigma = dict(zip(fit.names, np.sqrt(np.maximum(np.diag(fit.covariance), 0.0)), strict=True))
    return replace(
        camera, focal_px=math.exp(found["focal_px"]) if "focal_px" in found else camera.focal_px,
        focal_log_sigma=float(sigma.get("focal_px", camera.focal_log_sigma)), pitch=float(found.get("pitch", camera.pitch)),
        pitch_sigma=float(sigma.get("pitch", camera.pitch_sigma)), roll=float(found.get("roll", camera.roll)),
        roll_sigma=float(sigma.get("roll", camera.roll_sigma)),
    )  # fmt: skip


def _note_change(seen: Analysis) -> list[Notice]:
    """That the pattern holds over a part of the path only, where more than a flicker of it is left out."""
    left_out = max(seen.first, len(seen.track) - seen.last)
    if seen.verdict != "stable" or left_out < SHORTEST_TRACK:
        return []
    t, first, last = seen.track.t, seen.first, seen.last - 1
    held = f"the pattern holds from {t[first]:.2f} to {t[last]:.2f} s of a path seen from {t[0]:.2f} to {t[-1]:.2f} s"
    told = seen.fit is not None and bool(seen.fit.elsewhere.spans)
    rest = "other flights told of camera, body and gravity" if told else "the rest is another motion and was not used"
    return [Notice("pattern_changes", f"{held}; {rest}")]


def _forecast(scene: _Scene, seen: Analysis, knowledge: Knowledge, options: Options) -> tuple[Forecast | None, list[Notice]]:
    """The forecast at the frame times to be expected, and what must be said about it."""
    from .estimation.forecasting import forecast_beliefs

    fit = seen.fit
    if fit is None:
        raise ValueError("expected a fit")
    step = 1.0 / scene.tracking.video.fps if scene.tracking.video.fps > 0 else float(np.median(np.diff(fit.track.t)))
    observed = float(fit.track.t[-1] - fit.track.t[0])
    count = min(max(1, round((options.horizon or observed) / step)), LONGEST_FORECAST)
    times = fit.track.t[-1] + step * np.arange(1, count + 1)
    size = scene.size_px if options.horizon is None else None
    if size is not None and not _inside(fit.track, size):
        size = None
    forecast, failure = forecast_beliefs(seen.beliefs, knowledge.known, times, level=options.level, size_px=size, ground=_find_ground(seen))
    notices = [Notice("integration_failed", failure)] if failure else []
    if len(forecast.t) == 0:
        return (None, notices) if failure else (forecast, notices)
    ended = next((s.end for s in seen.segments if s.fit is fit), None)
    if ended is not None and ended.kind in ("bounce", "contact"):
        words = f"the motion ended in a {ended.kind} at {ended.t:.3f} s; the forecast goes on as if it had not"
        notices.append(Notice("forecast_beyond_contact", words))
    return forecast, notices


def _inside(rows: Track, size_px: tuple[int, int]) -> bool:
    """Whether the body was still in the picture when last seen, with a step to go."""
    ahead = 2 * rows.centre_px[-1] - rows.centre_px[-2]
    return bool(np.all(ahead >= 0) and np.all(ahead <= np.array(size_px) - 1))


def _find_ground(seen: Analysis) -> float | None:
    """M above the anchor: where an earlier flight ended in a bounce, seen at this stretch's scale; None where none did.

    What bounced above a place where the body was seen hit something else: a rim, a hand, a wall.
    """
    fit = seen.fit
    if fit is None or "px_per_m" not in fit.names or fit.pattern == "pendulum":
        return None
    earlier = [s.fit.track for s in seen.segments if _bounced_in_flight(s) and s.fit is not None and s.t1 <= fit.track.t[0]]
    if not earlier:
        return None
    low = earlier[-1]
    radius = float(np.nan_to_num(np.nanmedian(low.radius_px))) if np.any(np.isfinite(low.radius_px)) else 0.0
    before, bounced = (float(v) for v in low.centre_px[-2:, 1])
    # Between its last sample and the contact it may have gone on for a step.
    if float(np.max(seen.track.centre_px[:, 1])) > bounced + max(radius, bounced - before):
        return None
    px_per_m = math.exp(float(fit.estimate[fit.names.index("px_per_m")]))
    return -(bounced + radius - float(fit.track.centre_px[0, 1])) / px_per_m


def _bounced_in_flight(segment: Segment) -> bool:
    from .physics.models import FORCE_MODELS

    free = segment.pattern is not None and FORCE_MODELS[segment.pattern].family == "free_flight"
    return free and segment.end is not None and segment.end.kind == "bounce"


def _score(seen: Analysis, fit: Fit, reference: Analysis, knowledge: Knowledge, options: Options) -> Score | None:
    """The forecast at the reference track's own times after the last used sample, up to the end of the reference stretch.

    None where the fit is to an earlier motion, most of which was over before that stretch began: it says nothing of it.
    """
    from .estimation.forecasting import forecast_beliefs, normal_quantile

    judge = reference.track.select(slice(reference.first, reference.last))
    another = float(np.median(fit.track.t)) < judge.t[0]
    judge = judge.select(judge.t > fit.track.t[-1] + 1e-9)
    if another or len(judge) == 0:
        return None
    forecast, failure = forecast_beliefs(seen.beliefs, knowledge.known, judge.t, level=options.level)
    if failure or len(forecast.t) < len(judge):
        return None
    error = np.hypot(*(forecast.centre_px - judge.centre_px).T)
    start = fit.track.centre_px[-1:]
    path = float(np.sum(np.hypot(*np.diff(np.concatenate([start, judge.centre_px]), axis=0).T)))
    z = normal_quantile(options.level)
    own = z * np.sqrt(np.einsum("nii->ni", judge.covariance_px))
    half = np.hypot(0.5 * (forecast.upper_px - forecast.lower_px), own)
    rms = float(np.sqrt(np.mean(error**2)))
    return Score(
        rms_px=rms, final_px=float(error[-1]), rms_share_of_path=rms / max(path, 1e-9),
        coverage=float(np.mean(np.abs(judge.centre_px - forecast.centre_px) <= half)),
    )  # fmt: skip


def _write_outputs(path: str | Path | None, report: Report, options: Options, motion: CameraMotion | None, progress: Progress | None) -> None:
    """Every file that was asked for; JSON last, so that its presence says that the others are there."""
    if options.plot is not None:
        from .figures import write_plot

        write_plot(report, options.plot, force=options.force)
    if options.overlay is not None:
        from .vision.overlay import write_overlay
        from .vision.video import open_video

        reader = open_video(str(path), fps=options.fps, start=options.start, end=options.end, cadence=report.video.cadence)
        write_overlay(reader, report, options.overlay, progress, motion=motion, force=options.force)
    from .report import write_csv, write_json

    if options.csv is not None:
        write_csv(report, options.csv, force=options.force)
    if options.json is not None:
        write_json(report, options.json, force=options.force)
