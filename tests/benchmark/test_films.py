"""A film is tracked up to the cut and no further."""

from __future__ import annotations

import pytest

from newtonscheme.benchmark.leaks import check_case
from newtonscheme.benchmark.ours import Oracle
from newtonscheme.benchmark.suites import list_recipes, make_cases
from newtonscheme.types import Forecast


@pytest.mark.slow
def test_a_film_is_seen_up_to_the_cut_and_judged_by_its_truth() -> None:
    (recipe,) = list_recipes("video", 1, patterns=("free_fall",))
    made = make_cases(recipe)
    (case,) = made.cases
    check_case(case)
    assert case.vision_until is not None
    assert case.question.observed.t[-1] <= case.vision_until < case.question.t[0]
    best = Oracle().forecast(case)
    assert isinstance(best, Forecast)
    assert abs(best.centre_px - case.truth_px).max() < 0.1 * case.path_px
