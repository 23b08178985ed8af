"""Items made by a thread of its own while earlier ones are used: decoding goes on while a film's frames are looked at."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from queue import SimpleQueue
from threading import Event, Semaphore, Thread
from typing import TypeVar

Item = TypeVar("Item")


def make_ahead(items: Iterator[Item], most: int) -> Generator[Item]:
    """The same items in the same order, of which at most ``most`` are made before they are asked for.

    What goes wrong in making one is raised where it is asked for. The thread ends when the generator does.
    """
    made: SimpleQueue[tuple[Item] | BaseException | None] = SimpleQueue()
    room, stopped = Semaphore(most - 1), Event()

    def make() -> None:
        try:
            for item in items:
                made.put((item,))
                room.acquire()
                if stopped.is_set():
                    return
            made.put(None)
        except BaseException as error:  # whatever it is, it belongs to whoever waits for the item
            made.put(error)

    thread = Thread(target=make, daemon=True)
    thread.start()
    try:
        while (found := made.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            room.release()
            yield found[0]
    finally:
        stopped.set()
        room.release()
        thread.join()
