"""What `ns benchmark` asks for and leaves behind: a checked request, and results.json, table.md and figures in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..files import check_output
from ..notation import printable
from .charts import FIGURES, write_charts
from .run import DEFAULT, FULL, QUICK, Plan, Results, choose_suites
from .summarise import summarise
from .tables import write_results

RESULTS, TABLE = "results.json", "table.md"
LARGEST_SEED = 2**32 - 1


def check_request(
    suites: Sequence[str] | None, data: str | None, *, quick: bool, full: bool, out: str | None, seed: int, retrain: bool, force: bool
) -> Plan:
    """What can be refused before minutes of work; makes the folder of the results and returns the plan.

    Raises:
        UsageError: no such suite, two plans at once, a seed or a folder that cannot be.
    """
    choose_suites(suites, data)
    _check_run(quick=quick, full=full, seed=seed)
    if data is not None and not Path(data).is_dir():
        raise UsageError(f"--data: found no folder '{printable(data)}'")
    if retrain and out is None:
        raise UsageError("--retrain: found no --out, needed a folder for the new weights")
    _check_folder(out, (RESULTS, TABLE, *FIGURES), force=force)
    return QUICK if quick else FULL if full else DEFAULT


def check_alone(suite: str, *, quick: bool, full: bool, out: str | None, seed: int, force: bool) -> None:
    """The same for a suite that is run by itself: `ns benchmark inference`, `ns benchmark vision`.

    Raises:
        UsageError: two plans at once, a seed or a folder that cannot be.
    """
    _check_run(quick=quick, full=full, seed=seed)
    _check_folder(out, (f"{suite}.json", f"{suite}.md"), force=force)


def _check_run(*, quick: bool, full: bool, seed: int) -> None:
    if quick and full:
        raise UsageError("found --quick and --full: give one of them")
    if not 0 <= seed <= LARGEST_SEED:
        raise UsageError(f"--seed: found {seed}, needed 0 to {LARGEST_SEED}")


def _check_folder(out: str | None, names: Sequence[str], *, force: bool) -> None:
    if out is None:
        return
    _make_folder(Path(out))
    for name in names:
        check_output(Path(out) / name, force=force)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out: cannot make the folder '{printable(str(folder))}': {(error.strerror or str(error)).lower()}") from error


def publish(results: Results, folder: Path | None, *, force: bool = False) -> tuple[dict[str, Any], list[Path]]:
    """The document of the results, and the files that were written where a folder is given; results.json last.

    Raises:
        UsageError: a file cannot be written, or exists and ``force`` is not given.
        LimitReached: no room is left on the disk.
    """
    document = summarise(results)
    if folder is None:
        return document, []
    charts = write_charts(document, results.examples, folder, force=force)
    write_results(document, folder, force=force)
    return document, [*charts, folder / TABLE, folder / RESULTS]
