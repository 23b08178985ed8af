"""The same work on a Dask cluster: a worker there keeps isolated processes of ours, so that a clip can no more harm it than it harms `ns`.

Workers must see the clips under the same paths, and have the same version installed.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import UsageError
from ..notation import printable
from .isolation import Answer, Limits, Task, Worker

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_S = 10.0
RETRIES = 10
"""A clip whose Dask worker is lost is given to another this often; the clip itself cannot take a worker down."""
PLUGIN = "newtonscheme-workers"


def work_on_cluster(tasks: Sequence[Task], limits: Limits, scheduler: str) -> Iterator[tuple[int, Answer]]:
    """The answer to each task with its number, as they are finished by the scheduler's workers.

    Raises:
        UsageError: dask is not installed, the scheduler cannot be reached, or its workers have another version.
    """
    client = _connect(scheduler)
    try:
        _check_versions(client, scheduler)
        client.register_plugin(_keeper(), name=PLUGIN)
        futures = [client.submit(work_on_worker, task, limits, pure=False, retries=RETRIES) for task in tasks]
        numbers = {future.key: number for number, future in enumerate(futures)}
        yield from _gather(futures, numbers)
    finally:
        client.close()


def work_on_worker(task: Task, limits: Limits) -> Answer:
    """On a Dask worker: the task in one of the isolated processes that it keeps."""
    from distributed import get_worker

    spare: queue.SimpleQueue[Worker] = get_worker().plugins[PLUGIN].spare
    try:
        worker = spare.get_nowait()
    except queue.Empty:
        worker = Worker()
    try:
        return worker.ask(task, limits)
    finally:
        spare.put(worker)


def _connect(scheduler: str) -> Client:
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("--scheduler needs dask: pip install 'newtonscheme[cluster]'") from None
    try:
        return Client(scheduler, timeout=CONNECT_S)
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(
            f"--scheduler: cannot reach '{printable(scheduler)}' ({printable(reason)}); needed an address such as tcp://host:8786"
        ) from None


def _check_versions(client: Client, scheduler: str) -> None:
    client.wait_for_workers(1, timeout=CONNECT_S)
    versions = set(client.run(installed_version).values())
    if versions != {__version__}:
        found = ", ".join(sorted(str(version) for version in versions))
        raise UsageError(f"--scheduler: the workers of '{printable(scheduler)}' have newtonscheme {found}, needed {__version__}; install it there")


def installed_version() -> str:
    """The version on a worker."""
    return __version__


def _keeper() -> Any:
    from distributed import WorkerPlugin

    class Keeper(WorkerPlugin):  # type: ignore[misc]
        """Keeps the isolated processes of one Dask worker from task to task."""

        name = PLUGIN

        def setup(self, worker: Any) -> None:  # noqa: ARG002
            self.spare: queue.SimpleQueue[Worker] = queue.SimpleQueue()

        def teardown(self, worker: Any) -> None:  # noqa: ARG002
            while not self.spare.empty():
                self.spare.get().close()

    return Keeper()


def _gather(futures: Sequence[Future], numbers: dict[Any, int]) -> Iterator[tuple[int, Answer]]:
    from distributed import as_completed

    for future in as_completed(futures):
        yield numbers[future.key], future.result()
