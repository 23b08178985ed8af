"""`ns simulate`: a clip whose truth is known."""

from __future__ import annotations

from typing import Annotated

import typer

from .console import print_rows, show_progress
from .parameters import Number, Text, flag, option


def simulate(
    pattern: Annotated[str, typer.Argument(metavar="PATTERN", help="A force pattern, a motion that is none, or unknown.", show_default=False)],
    out: Annotated[str, option("FILE.mp4", "Where to write the clip; its truth goes beside it as FILE.truth.json.")],
    seed: Annotated[int, option("N", "Seed of everything random; default 0.")] = 0,
    duration: Annotated[Number, option("S", "Length of the clip; default: as long as the motion is worth watching.")] = None,
    fps: Annotated[Number, option("F", "Frames for each second; default: drawn.")] = None,
    size: Annotated[Text, option("W,H", "Size of the picture in pixels; default 640,360.")] = None,
    crf: Annotated[int, option("N", "Constant rate factor of H.264, 0 (lossless) to 51; default 20.")] = 20,
    object: Annotated[Text, option("NAME", "The object, see `ns objects`; default: drawn.")] = None,
    hold: Annotated[float, option("S", "How long a hand holds the object before it lets go; default 0.")] = 0.0,
    force: Annotated[bool, flag("--force", "Replace output files that exist.")] = False,
    quiet: Annotated[bool, flag("--quiet", "No summary and no progress.", short="-q")] = False,
) -> None:
    """Film a body that moves as a force pattern says, and write the truth beside the film."""
    from ..options import parse_pixels
    from ..synth.simulation import simulate as film_motion

    width_height = None if size is None else parse_pixels(size, "W,H", "--size")
    with show_progress(quiet) as progress:
        truth = film_motion(
            pattern,
            out,
            seed=seed,
            duration=duration,
            fps=fps,
            size=None if width_height is None else (width_height[0], width_height[1]),
            crf=crf,
            object=object,
            hold=hold,
            force=force,
            progress=progress,
        )
    if not quiet:
        from ..notation import format_number, printable

        video = truth["video"]
        print_rows([("film", f"{printable(out)}: {video['n_frames']} frames of {truth['family']} at {format_number(video['fps'])} fps, seed {seed}")])
