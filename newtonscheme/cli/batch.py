"""`ns batch`: many videos, one report a clip and one table of all."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from .console import follow_batch, print_error, print_rows
from .parameters import (
    OUTPUT,
    RUN,
    CameraFile,
    ConfigFile,
    DetectorFile,
    Diameter,
    End,
    Flag,
    Fov,
    Fps,
    GravityValue,
    Height,
    Horizon,
    Latitude,
    Length,
    Level,
    Mass,
    Number,
    ObjectIndex,
    ObjectName,
    Observe,
    PatternName,
    Pressure,
    Roi,
    ScaleValue,
    Seed,
    Start,
    Temperature,
    Text,
    WeightsFile,
    Whole,
    flag,
    option,
)

if TYPE_CHECKING:
    from ..batch.isolation import Limits
    from ..batch.run import Batch

OF_THE_RUN = frozenset({"paths", "out", "jobs", "scheduler", "timeout", "memory", "file_size", "timings", "force", "quiet"})
STATUS_WORDS = {"forecast": "forecast", "refused": "refused", "error": "failed"}
MIXED_FAILURES = 3
"""The exit code where clips failed in several ways: some input could not be used."""


def batch(
    context: typer.Context,
    paths: Annotated[list[str], typer.Argument(metavar="PATHS...", help="Videos, folders, globs, CSV tables of jobs.", show_default=False)],
    out: Annotated[str, option("DIR", "The folder for one JSON report a clip and the table batch.csv; the same folder resumes.", OUTPUT)],
    timings: Annotated[Flag, flag("--timings", "Put the seconds that each clip took into reports and table.", OUTPUT)] = None,
    force: Annotated[Flag, flag("--force", "Do everything anew and replace files that exist.", OUTPUT)] = None,
    observe: Observe = None,
    horizon: Horizon = None,
    level: Level = None,
    pattern: PatternName = None,
    object: ObjectName = None,
    mass: Mass = None,
    diameter: Diameter = None,
    length: Length = None,
    scale: ScaleValue = None,
    g: GravityValue = None,
    latitude: Latitude = None,
    height: Height = None,
    temperature: Temperature = None,
    pressure: Pressure = None,
    fps: Fps = None,
    start: Start = None,
    end: End = None,
    roi: Roi = None,
    object_index: ObjectIndex = None,
    fov: Fov = None,
    camera: CameraFile = None,
    detector: DetectorFile = None,
    weights: WeightsFile = None,
    config: ConfigFile = None,
    seed: Seed = None,
    jobs: Annotated[Whole, option("N", "Clips at once; default: the number of cores.", RUN)] = None,
    scheduler: Annotated[Text, option("tcp://HOST:PORT", "Work on the cluster of this Dask scheduler.", RUN)] = None,
    timeout: Annotated[Number, option("S", "Give a clip up after this time; default 600.", RUN)] = None,
    memory: Annotated[Number, option("MB", "Memory that a clip may take; default 4096.", RUN)] = None,
    file_size: Annotated[Number, option("MB", "Size that a clip's file may have; default 65536.", RUN)] = None,
    quiet: Annotated[Flag, flag("--quiet", "No progress.", RUN, "-q")] = None,
) -> None:
    """Predict many videos, each in a process of its own; what is finished stays finished, whatever happens."""
    from ..batch.run import run_batch

    options = {name: value for name, value in context.params.items() if name not in OF_THE_RUN}
    with follow_batch(bool(quiet)) as tell:
        done = run_batch(
            paths,
            out=out,
            options=options,
            jobs=jobs,
            limits=_limits(timeout, memory, file_size),
            scheduler=scheduler,
            timings=bool(timings),
            force=bool(force),
            tell=tell,
        )
    if not quiet:
        print_rows(_summarise(done))
    failed = [row for row in done.rows if row["status"] == "error"]
    if failed:
        kinds = Counter(str(row["error"]) for row in failed)
        told = ", ".join(f"{count} {code.replace('_', ' ')}" for code, count in kinds.most_common())
        print_error(f"{len(failed)} of {len(done.rows)} clips failed ({told}); the others are done; column error_message of {out}/batch.csv says why")
        codes = {int(row["error_exit"] or 1) for row in failed}
        raise typer.Exit(codes.pop() if len(codes) == 1 else 1 if 1 in codes else MIXED_FAILURES)


def _limits(timeout: float | None, memory: float | None, file_size: float | None) -> Limits:
    from ..batch.isolation import Limits

    told = {"wall_s": ("--timeout", timeout), "memory_mb": ("--memory", memory), "file_mb": ("--file-size", file_size)}
    for name, value in told.values():
        if value is not None and not 0.0 < value < float("inf"):
            raise UsageError(f"{name}: found {value:g}, needed a number above 0")
    return Limits(**{field: value for field, (_, value) in told.items() if value is not None})


def _summarise(done: Batch) -> list[tuple[str, str]]:
    from ..notation import printable
    from ..summary import pattern_words

    ends = Counter(str(row["status"]) for row in done.rows)
    patterns = Counter(str(row["pattern"]) for row in done.rows if row["status"] == "forecast")
    rows = [("clips", f"{len(done.rows)}: " + ", ".join(f"{count} {STATUS_WORDS[status]}" for status, count in ends.most_common()))]
    if patterns:
        rows.append(("patterns", ", ".join(f"{count} {pattern_words(name)}" for name, count in patterns.most_common())))
    tables = ", ".join(printable(str(file)) for file in done.files if file.suffix != ".json")
    rows.append(("written", f"{sum(file.suffix == '.json' for file in done.files)} reports, {tables}"))
    if done.passed_over:
        rows.append(("passed over", f"{done.passed_over} files that are hidden or no video by their names"))
    return rows
