"""`ns track`: from a video to the path of what moves in it."""

from __future__ import annotations

from typing import Annotated

import typer

from .console import print_warnings, show_progress
from .deadline import within
from .parameters import DetectorFile, Flag, Number, Text, Whole, flag, option


def track(
    context: typer.Context,
    video: Annotated[str, typer.Argument(metavar="VIDEO", help="The video.", show_default=False)],
    format: Annotated[str, option("NAME", "One of csv, txy, framexy, tracker, trk, tracknet, trackpy; default csv.")] = "csv",
    out: Annotated[str, option("FILE|-", "Where to write; default -, standard output.")] = "-",
    force: Annotated[bool, flag("--force", "Replace the output file if it exists.")] = False,
    object_index: Annotated[Whole, option("N", "Which of the moving objects, 0 being the best; default 0.")] = None,
    fps: Annotated[Number, option("F", "True frame rate of the recording; rescales the clock.")] = None,
    start: Annotated[Number, option("S", "Look from this time on, in s from the first frame.")] = None,
    end: Annotated[Number, option("S", "Look up to this time.")] = None,
    roi: Annotated[Text, option("X,Y,W,H", "Look only in this region, in pixels.")] = None,
    detector: DetectorFile = None,
    timeout: Annotated[Number, option("S", "Give up after this time.")] = None,
    quiet: Annotated[Flag, flag("--quiet", "No progress and no warnings.", short="-q")] = None,
) -> None:
    """Follow what moves in a video and write its path as a table."""
    from ..files import check_output
    from ..options import resolve_options
    from ..pipeline import track as follow
    from ..tables import check_format, write_track

    told = ("object_index", "fps", "start", "end", "roi", "detector", "timeout", "quiet")
    options = resolve_options({name: context.params[name] for name in told})
    check_format(format)
    check_output(out, force=force)
    with within(options.timeout), show_progress(options.quiet) as progress:
        tracking = follow(video, fps=options.fps, start=options.start, end=options.end, roi=options.roi, detector=options.detector, progress=progress)
    write_track(tracking, options.object_index or 0, format, out, force=force)
    if not options.quiet:
        print_warnings(tracking.notices)
