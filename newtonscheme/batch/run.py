"""Runs a batch: finds the clips, leaves out what is finished, has the rest worked on, and keeps one report a clip and one table of all."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import LimitReached, UsageError
from ..notation import rounded
from ..report import to_text
from .isolation import Answer, Limits, Task, check_isolation, work_isolated
from .jobs import FILES, Job, find_jobs
from .ledger import Ledger, check_same_options, is_current
from .rows import SECONDS, Row, make_row
from .tables import check_tables, write_tables
from .worker import digest_file

OWN_COST_BYTES = 500_000
"""Every clip costs as much time as this many bytes of film, whatever its size: starting, fitting, writing."""


@dataclass(frozen=True, slots=True)
class Result:
    """One clip that is finished, and how far the batch is: clips done of all, and the time left (s) as far as it can be told."""

    row: Row
    done: int
    total: int
    left_s: float | None
    reused: bool


Tell = Callable[[Result], None]


@dataclass(frozen=True, slots=True)
class Batch:
    """All rows in the order of the jobs, the files that were written, and how many other files the folders held."""

    rows: tuple[Row, ...]
    files: tuple[Path, ...]
    passed_over: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a batch is run."""

    limits: Limits
    jobs: int | None
    scheduler: str | None
    timings: bool
    force: bool


def predict_many(
    paths: str | Path | Sequence[str | Path],
    *,
    out: str | Path | None = None,
    jobs: int | None = None,
    limits: Limits | None = None,
    scheduler: str | None = None,
    force: bool = False,
    tell: Tell | None = None,
    **options: Any,
) -> list[Row]:
    """Predict many videos, each in a process of its own, and return one row a clip, ready for a data frame.

        rows = newtonscheme.predict_many("clips", length="0.500±0.001")
        table = pandas.DataFrame(rows)

    A clip that cannot be worked on is a row with an ``error``, not an exception.

    Args:
        paths: files, folders, globs or CSV tables of jobs; see `newtonscheme.batch.jobs.find_jobs`.
        out: a folder for one JSON report a clip and the table; the same folder resumes what was cut. None keeps nothing.
        jobs: how many clips at once; default: the number of cores.
        limits: what one clip may take.
        scheduler: address of a Dask scheduler, whose workers are then used; needs the extra `cluster`.
        force: replace files in ``out``.
        tell: called with every clip that is finished.
        **options: the fields of `newtonscheme.Options` that are told of all clips.

    Returns:
        Rows as `newtonscheme.batch.rows.column_names` names them, in the order of the clips; ``seconds`` is the time a clip took.

    Raises:
        UsageError: an option or a path cannot be meant, or ``out`` cannot be written to.
        LimitReached: no room is left on the disk.
    """
    asked = [paths] if isinstance(paths, str | Path) else list(paths)
    batch = run_batch(asked, out=out, jobs=jobs, limits=limits, scheduler=scheduler, force=force, tell=tell, options=options)
    return list(batch.rows)


def run_batch(
    paths: Sequence[str | Path],
    *,
    out: str | Path | None,
    options: Mapping[str, object],
    jobs: int | None = None,
    limits: Limits | None = None,
    scheduler: str | None = None,
    timings: bool = False,
    force: bool = False,
    tell: Tell | None = None,
) -> Batch:
    """As `predict_many`; with ``timings`` reports and table hold the seconds that each clip took, and no two runs are the same bytes."""
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs: found {jobs}, needed at least 1")
    check_isolation()
    found = find_jobs(paths, options)
    plan, listen = _Plan(limits or Limits(), jobs, scheduler, timings, force), tell or _ignore
    if out is None:
        return Batch(tuple(_work(found.jobs, None, plan, listen)), (), found.passed_over)
    with closing(Ledger(out, force=force)) as ledger:
        check_tables(ledger.folder, force=force)
        rows = _work(found.jobs, ledger, plan, listen)
        files = [*(ledger.file(job.name) for job in found.jobs), *write_tables(rows, ledger.folder, seconds=timings)]
    return Batch(tuple(rows), tuple(files), found.passed_over)


def _ignore(_: Result) -> None:
    pass


def _work(found: Sequence[Job], ledger: Ledger | None, plan: _Plan, tell: Tell) -> list[Row]:
    """The rows of all jobs, finished before or now."""
    tasks = [_make_task(job) for job in found]
    rows = dict(_finished(found, tasks, ledger, plan))
    for done, row in enumerate(rows.values(), 1):
        tell(Result(row, done, len(found), None, True))
    clock = _Clock(found, set(rows))
    # The largest first, or the last one keeps one worker busy while the others have nothing to do.
    order = sorted((number for number in range(len(found)) if number not in rows), key=lambda number: -clock.cost[number])
    for place, answer in _answers([tasks[number] for number in order], plan):
        number = order[place]
        rows[number] = _keep(found[number], answer, ledger, plan)
        clock.finish(number)
        tell(Result(rows[number], len(rows), len(found), clock.left(), False))
    return [rows[number] for number in range(len(found))]


def _keep(job: Job, answer: Answer, ledger: Ledger | None, plan: _Plan) -> Row:
    """The row of an answer, whose report is written first."""
    document, text = json.loads(answer.document), answer.document
    if plan.timings:
        document["batch"][SECONDS] = rounded(answer.seconds)
        text = to_text(document)
    if ledger is not None:
        ledger.write(job.name, text)
    return make_row(document, job.source, _report_name(job, ledger)) | {SECONDS: rounded(answer.seconds)}


def _make_task(job: Job) -> Task:
    digests = {}
    for option in FILES:
        if option in job.told:
            with suppress(LimitReached):
                digests[option] = digest_file(str(job.told[option]), Limits().file_mb)
    return Task(path=job.path, told=job.told, files=digests)


def _finished(jobs: Sequence[Job], tasks: Sequence[Task], ledger: Ledger | None, plan: _Plan) -> Iterator[tuple[int, Row]]:
    """The rows of the jobs whose reports are what would be made again, by number."""
    if ledger is None:
        return
    for number, (job, task) in enumerate(zip(jobs, tasks, strict=True)):
        document = ledger.find(job.name)
        if document is None or plan.force:
            continue
        check_same_options(document, task.told, job.name)
        digest = None
        with suppress(LimitReached):
            digest = digest_file(job.source, plan.limits.file_mb)
        if is_current(document, digest, task.files, asdict(plan.limits)):
            yield number, make_row(document, job.source, _report_name(job, ledger))


def _answers(tasks: Sequence[Task], plan: _Plan) -> Iterator[tuple[int, Answer]]:
    if not tasks:
        return iter(())
    if plan.scheduler is None:
        return work_isolated(tasks, plan.limits, plan.jobs or _cores())
    from .cluster import work_on_cluster

    return work_on_cluster(tasks, plan.limits, plan.scheduler)


def _report_name(job: Job, ledger: Ledger | None) -> str | None:
    return None if ledger is None else ledger.file(job.name).name


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Clock:
    """How much longer it takes: as long for each byte as so far."""

    def __init__(self, jobs: Sequence[Job], finished: set[int]) -> None:
        self.cost = [OWN_COST_BYTES + _size(job.source) for job in jobs]
        self._begun = time.monotonic()
        self._spent = 0
        self._waiting = sum(cost for number, cost in enumerate(self.cost) if number not in finished)

    def finish(self, number: int) -> None:
        self._spent += self.cost[number]
        self._waiting -= self.cost[number]

    def left(self) -> float | None:
        return (time.monotonic() - self._begun) * self._waiting / self._spent if self._spent else None


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except (OSError, ValueError):
        return 0
