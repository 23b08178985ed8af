"""Rulers as the user gives them."""

from __future__ import annotations

import pytest

from newtonscheme.errors import UsageError
from newtonscheme.quantities import parse_quantity


@pytest.mark.parametrize("text", ["0.067±0.001", "0.067+-0.001", "0.067 ± 0.001", "0.067±1.4925373134328358%"])
def test_a_value_with_its_uncertainty_is_read(text: str) -> None:
    quantity = parse_quantity(text, "m", "--diameter")
    assert (quantity.value, quantity.unit, quantity.source) == (0.067, "m", "user")
    assert quantity.sigma == pytest.approx(0.001)


@pytest.mark.parametrize("given", [0.5, "0.5", 0.5e0])
def test_a_bare_value_is_believed_to_one_percent(given: float | str) -> None:
    assert parse_quantity(given, "kg", "--mass").sigma == pytest.approx(0.005)


@pytest.mark.parametrize("text", ["", "a metre", "0", "-1", "nan", "inf", "1±inf", "1±-0.1", "1±", "±1", "1%", "1,5", "0x10", float("nan")])
def test_what_is_no_positive_number_is_refused_naming_the_option(text: float | str) -> None:
    with pytest.raises(UsageError, match="--diameter") as caught:
        parse_quantity(text, "m", "--diameter")
    assert "\n" not in str(caught.value)
