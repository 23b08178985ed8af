"""`ns predict`: from a video to a force pattern and a forecast."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from .console import print_rows, show_progress
from .deadline import within
from .parameters import (
    INPUT,
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
    Size,
    Start,
    Temperature,
    Text,
    Units,
    WeightsFile,
    flag,
    option,
)

REFUSED = 5
"""The exit code of a report without a forecast: an outcome, not an error."""


def predict(
    context: typer.Context,
    video: Annotated[Text, typer.Argument(metavar="VIDEO", help="The video; not needed with --track.", show_default=False)] = None,
    json: Annotated[Text, option("FILE|-", "Write the report as JSON; - is standard output.", OUTPUT)] = None,
    csv: Annotated[Text, option("FILE|-", "Write track and forecast as a table; - is standard output.", OUTPUT)] = None,
    overlay: Annotated[Text, option("FILE.mp4", "Write the video with track, forecast and band drawn in.", OUTPUT)] = None,
    plot: Annotated[Text, option("FILE.png", "Write a plot of path, residuals and charge balance.", OUTPUT)] = None,
    force: Annotated[Flag, flag("--force", "Replace output files that exist.", OUTPUT)] = None,
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
    track: Annotated[Text, option("FILE", "Tracked coordinates in place of vision: CSV, Tracker text or .trk, TrackNet.", INPUT)] = None,
    size: Size = None,
    units: Units = None,
    detector: DetectorFile = None,
    weights: WeightsFile = None,
    config: ConfigFile = None,
    seed: Seed = None,
    timeout: Annotated[Number, option("S", "Give up after this time.", RUN)] = None,
    quiet: Annotated[Flag, flag("--quiet", "No summary and no progress.", RUN, "-q")] = None,
) -> None:
    """Recognise the force pattern of what moves in a video, and forecast where it goes."""
    from dataclasses import asdict

    from ..options import resolve_options
    from ..pipeline import predict as forecast_motion
    from ..summary import summary_rows

    options = resolve_options({name: value for name, value in context.params.items() if name != "video"})
    with within(options.timeout), show_progress(options.quiet) as progress:
        report = forecast_motion(video, **asdict(options), progress=progress)
    if not options.quiet:
        print_rows(summary_rows(report), sys.stderr if "-" in (options.json, options.csv) else sys.stdout)
    if report.status == "refused":
        raise typer.Exit(REFUSED)
