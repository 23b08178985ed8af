"""`ns train`: a new recogniser of force patterns."""

from __future__ import annotations

from typing import Annotated

from .console import print_rows, show_progress
from .parameters import flag, option


def train(
    out: Annotated[str, option("FILE.safetensors", "Where to write the weights; their card goes beside them as FILE.toml.")],
    seed: Annotated[int, option("N", "Seed of the data and the training; default 0.")] = 0,
    force: Annotated[bool, flag("--force", "Replace output files that exist.")] = False,
    quiet: Annotated[bool, flag("--quiet", "No summary and no progress.", short="-q")] = False,
) -> None:
    """Train the recogniser on tracks drawn by every force pattern and by motions of none; needs the extra `learn`."""
    from pathlib import Path

    from ..files import check_output
    from ..learning.cards import SUFFIX
    from ..learning.training import train as train_recogniser

    # Training takes minutes: a file that cannot be written is better known before.
    check_output(out, force=force, suffixes=(SUFFIX,))
    with show_progress(quiet) as progress:
        card = train_recogniser(Path(out), seed=seed, progress=progress, force=force)
    if not quiet:
        from ..notation import format_percent, printable

        scores = card.scores
        right = ", ".join(f"{label} {format_percent(share)}" for label, share in scores.class_accuracy.items())
        print_rows([
            ("weights", f"{printable(out)}: {card.parameters} numbers, seed {card.seed}"),
            ("held out", f"{format_percent(scores.accuracy_shown)} right ({right}), calibration error {scores.calibration_error:.3f}"),
        ])  # fmt: skip
