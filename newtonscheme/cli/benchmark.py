"""`ns benchmark`: every forecaster on the same tracks, the same horizons and the same measures."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from .console import print_rows, print_text, show_progress
from .parameters import Text, flag, option

Suites = list[str] | None


def benchmark(
    suite: Annotated[
        Suites,
        typer.Argument(metavar="SUITE", help="simulated, shifted, video, real (default: all that can be); inference; vision.", show_default=False),
    ] = None,
    data: Annotated[Text, option("DIR", "Folder of real tables and films, for the suite real; they are known by their digests.")] = None,
    quick: Annotated[bool, flag("--quick", "A look, under a minute.")] = False,
    full: Annotated[bool, flag("--full", "The large run: ten times the tracks.")] = False,
    out: Annotated[Text, option("DIR", "Write results.json, table.md and figures into this folder, which is made.")] = None,
    seed: Annotated[int, option("N", "Seed of the test motions; default 0.")] = 0,
    retrain: Annotated[bool, flag("--retrain", "Train the neural rivals first, into DIR/rivals of --out; resumes where it was cut.")] = False,
    force: Annotated[bool, flag("--force", "Replace output files that exist.")] = False,
    quiet: Annotated[bool, flag("--quiet", "No tables and no progress.", short="-q")] = False,
) -> None:
    """Compare the scheme with every rival on tracks that none has seen, and with the best possible."""
    from pathlib import Path

    if suite in (["inference"], ["vision"]):
        judge = _judge_inference if suite == ["inference"] else _judge_vision
        judge(quick=quick, full=full, out=out, seed=seed, force=force, quiet=quiet)
        return
    from ..benchmark.publish import check_request, publish
    from ..benchmark.run import run_benchmark
    from ..benchmark.tables import left_out_lines, make_tables, to_markdown, to_rich

    plan = check_request(suite, data, quick=quick, full=full, out=out, seed=seed, retrain=retrain, force=force)
    with show_progress(quiet) as progress:
        weights = None
        if retrain and out is not None:
            from ..learning.rivals import train_rivals

            weights = str(Path(out) / "rivals")
            train_rivals(Path(weights), Path(out) / "training", seed=seed, progress=progress)
        results = run_benchmark(suite, plan=plan, data=data, seed=seed, weights=weights, progress=progress)
        document, files = publish(results, None if out is None else Path(out), force=force)
    if quiet:
        return
    if sys.stdout.isatty():
        from rich.console import Console

        for grid in to_rich(make_tables(document)):
            Console(highlight=False).print(grid, "")
        for line in left_out_lines(document):
            print_text(line)
    else:
        print_text(to_markdown(document))
    if files:
        print_rows([("written", ", ".join(file.name for file in files))])


def _judge_inference(*, quick: bool, full: bool, out: str | None, seed: int, force: bool, quiet: bool) -> None:
    """`ns benchmark inference`: our own fits, bands, names, refusals and checks against the truth, without rivals."""
    from pathlib import Path

    from ..benchmark.inference import PLANS, run_inference
    from ..benchmark.inference_tables import inference_markdown, inference_tables, write_inference
    from ..benchmark.publish import check_alone
    from ..benchmark.tables import to_rich

    check_alone("inference", quick=quick, full=full, out=out, seed=seed, force=force)
    with show_progress(quiet) as progress:
        document = run_inference(PLANS["quick" if quick else "full" if full else "default"], seed=seed, progress=progress)
    if out is not None:
        write_inference(document, Path(out), force=force)
    if quiet:
        return
    if sys.stdout.isatty():
        from rich.console import Console

        for grid in to_rich(inference_tables(document)):
            Console(highlight=False).print(grid, "")
    else:
        print_text(inference_markdown(document))


def _judge_vision(*, quick: bool, full: bool, out: str | None, seed: int, force: bool, quiet: bool) -> None:
    """`ns benchmark vision`: our tracker and those at hand on rendered films, against the truth."""
    from pathlib import Path

    from ..benchmark.publish import check_alone
    from ..benchmark.tables import to_rich
    from ..benchmark.vision import PLANS, run_vision
    from ..benchmark.vision_tables import headlines, vision_markdown, vision_tables, write_vision

    check_alone("vision", quick=quick, full=full, out=out, seed=seed, force=force)
    with show_progress(quiet) as progress:
        document = run_vision(PLANS["quick" if quick else "full" if full else "default"], seed=seed, progress=progress)
    if out is not None:
        write_vision(document, Path(out), force=force)
    if quiet:
        return
    if sys.stdout.isatty():
        from rich.console import Console

        for grid in to_rich(vision_tables(document)):
            Console(highlight=False).print(grid, "")
        for line in headlines(document):
            print_text(line)
    else:
        print_text(vision_markdown(document))
