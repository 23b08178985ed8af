"""Items made ahead are the same items in the same order, and their thread ends with them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from newtonscheme.vision.ahead import make_ahead


@pytest.mark.parametrize("most", [1, 3, 100])
def test_all_items_come_in_order(most: int) -> None:
    assert list(make_ahead(iter(range(20)), most)) == list(range(20))
    assert list(make_ahead(iter(()), most)) == []


@pytest.mark.parametrize("most", [1, 4])
def test_no_more_than_so_many_are_made_before_they_are_asked_for(most: int) -> None:
    begun: list[int] = []
    asked = 0

    def items() -> Iterator[int]:
        for k in range(30):
            begun.append(k)
            assert k < asked + most
            yield k

    ahead = make_ahead(items(), most)
    for k in range(30):
        asked = k + 1
        assert next(ahead) == k
    assert begun == list(range(30))


def test_what_goes_wrong_in_making_an_item_is_raised_after_those_before_it() -> None:
    def items() -> Iterator[int]:
        yield from (1, 2)
        raise OSError("the disk is gone")

    ahead = make_ahead(items(), 10)
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(OSError, match="the disk is gone"):
        next(ahead)


def test_a_reader_that_stops_early_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    ahead = make_ahead(iter(range(1000)), 2)
    assert next(ahead) == 0
    ahead.close()
    assert threading.active_count() == before
