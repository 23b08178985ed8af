"""A `Report` as JSON (``newtonscheme.report/1``) and as CSV rows.

The JSON is a contract: keys may be added, none changes its meaning or disappears. It is strict (RFC 8259, no NaN: an unknown number
is null), plain ASCII (so that no name can move a cursor), and the same bytes for the same report.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path

from .errors import NewtonSchemeError
from .files import write_text
from .notation import delimited, printable_path, rounded
from .types import Body, Camera, Fit, Forecast, Identifiability, Notice, Pattern, Quantity, Report, Scale, Stability, Track, Video

SCHEMA = "newtonscheme.report/1"
CSV_COLUMNS = (
    "frame", "t_s", "u_px", "v_px", "radius_px", "sigma_px", "used",
    "forecast_u_px", "forecast_v_px", "u_lo_px", "u_hi_px", "v_lo_px", "v_hi_px", "forecast_x_m", "forecast_y_m", "forecast_z_m",
)  # fmt: skip


def report_to_json(report: Report) -> dict[str, object]:
    """The report as plain values in the contract's order of keys, ready for `json`."""
    return {
        "schema": SCHEMA,
        "version": report.version,
        "status": report.status,
        "refusal": None if report.refusal is None else {"reason": report.refusal.reason, "message": report.refusal.message},
        "error": None,
        "warnings": _warnings(report.notices),
        "seed": report.seed,
        "video": _video(report.video),
        "camera": _camera(report.camera, report.video),
        "object": _object(report.body),
        "scale": _scale(report.scale),
        "identifiability": _identifiability(report.identifiability),
        "pattern": _pattern(report.pattern, report.evidence),
        "stability": _stability(report),
        "parameters": {name: _parameter(quantity) for name, quantity in report.parameters.items()},
        "fit": _fit(report.fit),
        "track": _track(report.track) | {"used": [bool(used) for used in report.used]},
        "other_tracks": [_track(track) | {"smoothness": rounded(track.smoothness)} for track in report.other_tracks],
        "forecast": _forecast(report.forecast),
        "score": _score(report),
    }


def error_to_json(error: NewtonSchemeError, path: str | PathLike[str], version: str) -> dict[str, object]:
    """The report of a video that could not be worked on: the same keys, ``status: "error"`` and what went wrong."""
    told = {"code": error.code, "exit": error.exit_code, "message": str(error)}
    unknown = (
        "camera", "object", "scale", "identifiability", "pattern", "stability", "parameters", "fit", "track", "other_tracks", "forecast", "score",
    )  # fmt: skip
    return {
        "schema": SCHEMA,
        "version": version,
        "status": "error",
        "refusal": None,
        "error": told,
        "warnings": [],
        "seed": None,
        "video": {"path": printable_path(path)},
        **dict.fromkeys(unknown),
    }


def write_json(report: Report, target: str | Path, *, force: bool = False) -> None:
    """Write the report as JSON to a file, or to standard output where ``target`` is ``-``.

    Raises:
        UsageError: the file cannot be written, or exists and ``force`` is not given.
        LimitReached: no room is left on the disk.
    """
    write_text(target, to_text(report_to_json(report)), force=force)


def write_csv(report: Report, target: str | Path, *, force: bool = False) -> None:
    """Write the tracked samples and the forecast as one table (`CSV_COLUMNS`) to a file or, for ``-``, to standard output.

    Raises:
        UsageError: the file cannot be written, or exists and ``force`` is not given.
        LimitReached: no room is left on the disk.
    """
    write_text(target, delimited((CSV_COLUMNS, *csv_rows(report)), ","), force=force)


def csv_rows(report: Report) -> list[tuple[object, ...]]:
    """One row of `CSV_COLUMNS` for each tracked sample, then one for each forecast sample.

    The two kinds fill different columns, so that reading ``u_px`` and ``v_px`` alone gives the track; a forecast sample has no frame.
    """
    track, forecast = report.track, report.forecast
    columns = (track.frame, track.t, *track.centre_px.T, track.radius_px, track.total_sigma_px, report.used.astype(int))
    rows: list[tuple[object, ...]] = [(*sample, *[None] * 9) for sample in zip(*columns, strict=True)]
    if forecast is not None:
        band = (forecast.lower_px[:, 0], forecast.upper_px[:, 0], forecast.lower_px[:, 1], forecast.upper_px[:, 1])
        ahead = zip(forecast.t, *forecast.centre_px.T, *band, *forecast.position.T, strict=True)
        rows += [(None, t, None, None, None, None, None, *rest) for t, *rest in ahead]
    return rows


def to_text(document: object) -> str:
    """The document as strict JSON text: one key a line, lists of plain values on one line, a line break at its end."""
    return _layout(document, 0) + "\n"


def _layout(value: object, depth: int) -> str:
    inner, outer = "\n" + " " * (depth + 1), "\n" + " " * depth
    if isinstance(value, Mapping) and value:
        entries = (f"{json.dumps(key)}: {_layout(entry, depth + 1)}" for key, entry in value.items())
        return "{" + inner + ("," + inner).join(entries) + outer + "}"
    if isinstance(value, list | tuple) and any(isinstance(entry, Mapping) for entry in value):
        return "[" + inner + ("," + inner).join(_layout(entry, depth + 1) for entry in value) + outer + "]"
    return json.dumps(value, allow_nan=False, ensure_ascii=True)


def _warnings(notices: Iterable[Notice]) -> list[object]:
    return [{"code": notice.code, "message": notice.message} for notice in notices]


def _video(video: Video) -> dict[str, object]:
    return {
        "path": printable_path(video.path),
        "sha256": video.sha256,
        "width_px": video.width_px,
        "height_px": video.height_px,
        "n_frames": video.n_frames,
        "duration_s": rounded(video.duration),
        "fps": rounded(video.fps),
        "time_source": video.time_source,
        "damage": {kind: int(count) for kind, count in video.damage.items()},
    }


def _camera(camera: Camera, video: Video) -> dict[str, object]:
    pinhole = camera.kind == "pinhole"
    return {
        "fov_deg": rounded(math.degrees(2.0 * math.atan(0.5 * video.width_px / camera.focal_px))) if pinhole else None,
        "pitch_deg": rounded(math.degrees(camera.pitch)),
        "roll_deg": rounded(math.degrees(camera.roll)),
        "source": camera.source,
        "kind": camera.kind,
    }


def _object(body: Body | None) -> dict[str, object]:
    if body is None:
        return {"label": None, "probability": None, "mass_kg": None, "diameter_m": None}
    return {
        "label": body.label,
        "probability": rounded(body.probability),
        "mass_kg": None if body.mass is None else _quantity(body.mass),
        "diameter_m": None if body.diameter is None else _quantity(body.diameter),
    }


def _scale(scale: Scale | None) -> dict[str, object]:
    if scale is None:
        return {"px_per_m": None, "sigma": None, "source": None, "rulers": []}
    rulers = [{"name": ruler.name, "px_per_m": rounded(ruler.px_per_m), "sigma": rounded(ruler.sigma)} for ruler in scale.rulers]
    return {"px_per_m": rounded(scale.px_per_m), "sigma": rounded(scale.sigma), "source": scale.source, "rulers": rulers}


def _identifiability(found: Identifiability | None) -> object:
    if found is None:
        return None
    excess = found.excess
    return {
        "learned": {name: rounded(share) for name, share in found.learned.items()},
        "accounts": [
            {"name": a.name, "unit": a.unit, "sigma": rounded(a.sigma), "shares": {origin: rounded(share) for origin, share in a.shares.items()}}
            for a in found.accounts
        ],
        "advice": list(found.advice),
        "gravity_excess": None
        if excess is None
        else {
            "share": rounded(excess.share),
            "sigma": rounded(excess.sigma),
            "parts": {origin: {"share": rounded(part), "sigma": rounded(sigma)} for origin, (part, sigma) in excess.parts.items()},
            "ruler_alone": rounded(excess.ruler_alone),
            "clock_alone": rounded(excess.clock_alone),
        },
    }


def _pattern(pattern: Pattern, evidence: Mapping[str, float]) -> dict[str, object]:
    return {
        "name": pattern.name,
        "probability": rounded(pattern.probability),
        "probabilities": {name: rounded(share) for name, share in pattern.probabilities.items()},
        "evidence": {name: rounded(value) for name, value in evidence.items()},
    }


def _stability(report: Report) -> dict[str, object]:
    stability: Stability = report.stability
    used = report.track.t[report.used]
    return {
        "verdict": stability.verdict,
        "t_start_s": rounded(used[0]) if len(used) else None,
        "t_end_s": rounded(used[-1]) if len(used) else None,
        "reasons": list(stability.reasons),
        "charges": [{"name": charge.name, "symmetry": charge.symmetry, "drift_sigma": rounded(charge.drift_sigma)} for charge in stability.charges],
        "segments": [
            {
                "t_start_s": rounded(segment.t0),
                "t_end_s": rounded(segment.t1),
                "pattern": segment.pattern,
                "end": None if segment.end is None else segment.end.kind,
            }
            for segment in stability.segments
        ],
    }


def _fit(fit: Fit | None) -> object:
    if fit is None:
        return None
    return {
        "pattern": fit.pattern,
        "success": fit.success,
        "message": fit.message,
        "at_bound": list(fit.at_bound),
        "noise_scale": rounded(fit.noise.scale),
        "noise_correlation": rounded(fit.noise.correlation),
        "degrees_of_freedom": rounded(fit.noise.dof),
        "evidence": rounded(fit.evidence),
        "wobble": {
            "probability": rounded(fit.wobble.probability),
            "rate_rps": rounded(fit.wobble.main_rate_rps),
            "radius_px": rounded(fit.wobble.radius_px),
        },
        "learned_from": [{"t_start_s": rounded(t0), "t_end_s": rounded(t1)} for t0, t1 in fit.elsewhere.spans],
    }


def _track(track: Track) -> dict[str, object]:
    return {
        "frame": [int(frame) for frame in track.frame],
        "t_s": _numbers(track.t),
        "u_px": _numbers(track.centre_px[:, 0]),
        "v_px": _numbers(track.centre_px[:, 1]),
        "radius_px": _numbers(track.radius_px),
        "sigma_px": _numbers(track.total_sigma_px),
    }


def _forecast(forecast: Forecast | None) -> object:
    if forecast is None:
        return None
    return {
        "t_s": _numbers(forecast.t),
        "u_px": _numbers(forecast.centre_px[:, 0]),
        "v_px": _numbers(forecast.centre_px[:, 1]),
        "u_lo_px": _numbers(forecast.lower_px[:, 0]),
        "u_hi_px": _numbers(forecast.upper_px[:, 0]),
        "v_lo_px": _numbers(forecast.lower_px[:, 1]),
        "v_hi_px": _numbers(forecast.upper_px[:, 1]),
        "x_m": _numbers(forecast.position[:, 0]),
        "y_m": _numbers(forecast.position[:, 1]),
        "z_m": _numbers(forecast.position[:, 2]),
        "level": rounded(forecast.level),
        "stop": forecast.stop,
    }


def _score(report: Report) -> object:
    score = report.score
    if score is None:
        return None
    return {
        "rms_px": rounded(score.rms_px),
        "final_px": rounded(score.final_px),
        "rms_share_of_path": rounded(score.rms_share_of_path),
        "coverage": rounded(score.coverage),
    }


def _quantity(quantity: Quantity) -> dict[str, object]:
    return {"value": rounded(quantity.value), "sigma": rounded(quantity.sigma), "source": quantity.source}


def _parameter(quantity: Quantity) -> dict[str, object]:
    return {"value": rounded(quantity.value), "sigma": rounded(quantity.sigma), "unit": quantity.unit, "source": quantity.source}


def _numbers(values: Iterable[float]) -> list[object]:
    return [rounded(value) for value in values]
