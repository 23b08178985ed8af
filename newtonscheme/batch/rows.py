"""A report in one row: what a table of many clips holds of each.

Rows are plain values (text, numbers, None), so that ``pandas.DataFrame(rows)`` and ``polars.DataFrame(rows)`` take them as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from ..notation import printable
from ..physics.models import FORCE_MODELS

Row: TypeAlias = dict[str, str | float | int | None]

HEAD = ("path", "status", "pattern", "probability", "verdict")
OBJECT = ("object", "object_probability", "mass_kg", "mass_kg_sigma", "diameter_m", "diameter_m_sigma", "px_per_m", "px_per_m_sigma", "scale_source")
FORECAST = ("forecast_t_s", "forecast_u_px", "forecast_v_px", "forecast_stop", "score_rms_px", "score_rms_share_of_path", "score_coverage")
TAIL = ("refusal", "warnings", "error", "error_exit", "error_message", "n_frames", "duration_s", "fps", "time_source", "sha256", "report")
SECONDS = "seconds"
SEPARATOR = ";"
"""Between the codes of several warnings in one cell."""


@cache
def parameter_names() -> tuple[str, ...]:
    """What is measured of any registered pattern, in the registry's order."""
    drawn = [(model, model.draw(np.random.default_rng(0))) for model in FORCE_MODELS.values()]
    return tuple(dict.fromkeys(name for model, motion in drawn for name in model.report(motion.values)))


def column_names(*, seconds: bool = False) -> tuple[str, ...]:
    """The columns of a table, the same whatever is in it; with the time that each clip took only where that is asked for."""
    parameters = tuple(column for name in parameter_names() for column in (name, f"{name}_sigma"))
    return (*HEAD, *parameters, *OBJECT, *FORECAST, *TAIL, *((SECONDS,) if seconds else ()))


def make_row(document: Mapping[str, Any], clip: str, report: str | None) -> Row:
    """The row of one report.

    Parameters of a pattern that was refused are left out: the report has them, but in a table they would be believed.

    Args:
        document: the report as `newtonscheme.report_to_json` has it, or that of an error.
        clip: the clip's path.
        report: the name of the report's file, if there is one.
    """
    row: Row = dict.fromkeys(column_names(seconds=True))
    row |= {"path": printable(clip), "status": document["status"], "report": report, SECONDS: (document.get("batch") or {}).get(SECONDS)}
    row["warnings"] = SEPARATOR.join(dict.fromkeys(warning["code"] for warning in document["warnings"])) or None
    row |= {name: (document.get("video") or {}).get(name) for name in ("n_frames", "duration_s", "fps", "time_source")}
    row["sha256"] = (document.get("video") or {}).get("sha256") or (document.get("batch") or {}).get("sha256")
    if document.get("error") is not None:
        error = document["error"]
        return row | {"error": error["code"], "error_exit": error["exit"], "error_message": error["message"]}
    row |= {"pattern": document["pattern"]["name"], "probability": document["pattern"]["probability"], "verdict": document["stability"]["verdict"]}
    if document["refusal"] is not None:
        return row | {"refusal": document["refusal"]["reason"]}
    return row | _parameters(document) | _object(document) | _forecast(document)


def _parameters(document: Mapping[str, Any]) -> Row:
    found: Row = {"pattern": (document.get("fit") or {}).get("pattern") or document["pattern"]["name"]}
    for name, quantity in document["parameters"].items():
        found |= {name: quantity["value"], f"{name}_sigma": quantity["sigma"]}
    return found


def _object(document: Mapping[str, Any]) -> Row:
    body, scale = document["object"], document["scale"] or {}
    found: Row = {"object": body["label"], "object_probability": body["probability"]}
    for name in ("mass_kg", "diameter_m"):
        quantity = body[name] or {}
        found |= {name: quantity.get("value"), f"{name}_sigma": quantity.get("sigma")}
    return found | {"px_per_m": scale.get("px_per_m"), "px_per_m_sigma": scale.get("sigma"), "scale_source": scale.get("source")}


def _forecast(document: Mapping[str, Any]) -> Row:
    forecast, score = document["forecast"] or {}, document["score"] or {}
    found: Row = {f"forecast_{name}": (forecast.get(name) or [None])[-1] for name in ("t_s", "u_px", "v_px")}
    return (
        found | {"forecast_stop": forecast.get("stop")} | {f"score_{name}": score.get(name) for name in ("rms_px", "rms_share_of_path", "coverage")}
    )
