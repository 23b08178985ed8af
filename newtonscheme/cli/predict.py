"""`ns predict`: from a video to a force pattern and a forecast."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from .console import print_rows, show_progress
from .deadline import within
from .parameters import Flag, Number, Text, Whole, flag, option

REFUSED = 5
"""The exit code of a report without a forecast: an outcome, not an error."""

OUTPUT, TIME, PHYSICS, PICTURE, INPUT, RUN = "What to write", "What to forecast", "What is known", "Where and when to look", "Other inputs", "The run"


def predict(
    context: typer.Context,
    video: Annotated[Text, typer.Argument(metavar="VIDEO", help="The video; not needed with --track.", show_default=False)] = None,
    json: Annotated[Text, option("FILE|-", "Write the report as JSON; - is standard output.", OUTPUT)] = None,
    csv: Annotated[Text, option("FILE|-", "Write track and forecast as a table; - is standard output.", OUTPUT)] = None,
    overlay: Annotated[Text, option("FILE.mp4", "Write the video with track, forecast and band drawn in.", OUTPUT)] = None,
    plot: Annotated[Text, option("FILE.png", "Write a plot of path, residuals and charge balance.", OUTPUT)] = None,
    force: Annotated[Flag, flag("--force", "Replace output files that exist.", OUTPUT)] = None,
    observe: Annotated[Number, option("SHARE", "Use only this share (0..1) of the motion, and score the forecast on the rest.", TIME)] = None,
    horizon: Annotated[Number, option("SECONDS", "How far to forecast; default: as long as what was observed.", TIME)] = None,
    level: Annotated[Number, option("SHARE", "Probability of the band; default 0.9.", TIME)] = None,
    pattern: Annotated[Text, option("NAME", "The force pattern, if known; see `ns patterns`.", PHYSICS)] = None,
    object: Annotated[Text, option("NAME", "The object, if known; see `ns objects`.", PHYSICS)] = None,
    mass: Annotated[Text, option("KG", "Mass in kg: VALUE, VALUE±SIGMA or VALUE±P%; a bare value means 1 %.", PHYSICS)] = None,
    diameter: Annotated[Text, option("M", "Diameter in m, with its uncertainty as for --mass.", PHYSICS)] = None,
    length: Annotated[Text, option("M", "Length of the pendulum in m, with its uncertainty as for --mass.", PHYSICS)] = None,
    scale: Annotated[Text, option("PX_PER_M", "Pixels for each metre, with its uncertainty as for --mass.", PHYSICS)] = None,
    g: Annotated[Text, option("M_S2", "Gravity in m/s²; default: standard gravity.", PHYSICS)] = None,
    latitude: Annotated[Number, option("DEG", "Latitude that gives gravity, in place of --g.", PHYSICS)] = None,
    height: Annotated[Number, option("M", "Height above sea level, for gravity and air.", PHYSICS)] = None,
    temperature: Annotated[Number, option("C", "Temperature of the air in °C.", PHYSICS)] = None,
    pressure: Annotated[Number, option("HPA", "Pressure of the air in hPa.", PHYSICS)] = None,
    fps: Annotated[Number, option("F", "True frame rate of the recording; rescales the clock (240 for slow motion stored at 30).", PICTURE)] = None,
    start: Annotated[Number, option("S", "Look from this time on, in s from the first frame.", PICTURE)] = None,
    end: Annotated[Number, option("S", "Look up to this time.", PICTURE)] = None,
    roi: Annotated[Text, option("X,Y,W,H", "Look only in this region, in pixels.", PICTURE)] = None,
    object_index: Annotated[Whole, option("N", "Which of the moving objects, 0 being the best.", PICTURE)] = None,
    fov: Annotated[Number, option("DEG", "Horizontal field of view of the camera.", PICTURE)] = None,
    camera: Annotated[Text, option("FILE", "Calibrated camera, in place of --fov.", PICTURE)] = None,
    track: Annotated[Text, option("FILE", "Tracked coordinates in place of vision: CSV, Tracker text or .trk, TrackNet.", INPUT)] = None,
    size: Annotated[Text, option("W,H", "Size of the picture that --track was made in, in pixels.", INPUT)] = None,
    units: Annotated[Text, option("px|m|deg|rad", "Unit of the coordinates of --track, where its header does not say.", INPUT)] = None,
    detector: Annotated[Text, option("FILE.onnx", "A detector of your own (refused by this version, which has none to plug into).", INPUT)] = None,
    weights: Annotated[Text, option("FILE", "Another recogniser of force patterns, from `ns train`.", INPUT)] = None,
    config: Annotated[Text, option("FILE.toml", "Any of these options as keys; the command line wins.", INPUT)] = None,
    seed: Annotated[Whole, option("N", "Seed of everything random; default 0.", RUN)] = None,
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
