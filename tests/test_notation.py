"""Numbers, uncertainties and names as people and files get them."""

from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newtonscheme.errors import UsageError
from newtonscheme.notation import (
    delimited,
    format_measure,
    format_name,
    format_number,
    format_percent,
    number_text,
    parse_measure,
    printable,
    printable_path,
    rounded,
)


@pytest.mark.parametrize(
    ("value", "sigma", "unit", "text"),
    [
        (9.8123, 0.0234, "m/s^2", "9.812 ± 0.023 m/s²"),
        (9.81, 0.0, "m/s^2", "9.81 m/s²"),
        (1234.5, 120.0, "px", "1230 ± 120 px"),
        (0.99999, 0.0999, "m", "1.00 ± 0.10 m"),
        (60.26, 0.31, "deg", "(60.26 ± 0.31)°"),
        (-0.5, 5.2, "1", "-0.5 ± 5.2"),
        (math.nan, 1.0, "m", "unknown"),
        (2.5, math.inf, "m", "2.5 m"),
        (2.0e-7, 1.0e-8, "kg", "(2.00 ± 0.10) × 10^-7 kg"),
    ],
)
def test_an_uncertainty_has_two_digits_and_the_value_its_place(value: float, sigma: float, unit: str, text: str) -> None:
    assert format_measure(value, sigma, unit) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (1.0, "1"), (123456.0, "123456"), (0.0123451, "0.01235"), (3e-9, "3.000e-09"), (math.inf, "unknown")]
)
def test_a_bare_number_has_four_digits(value: float, text: str) -> None:
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0 %"), (0.004, "< 1 %"), (0.5, "50 %"), (0.9962, "> 99 %"), (1.0, "100 %"), (math.nan, "unknown")]
)
def test_a_share_never_rounds_to_certainty(share: float, text: str) -> None:
    assert format_percent(share) == text


def test_a_name_leaves_its_unit_to_its_value() -> None:
    assert format_name("launch_angle_deg") == "launch angle"


@pytest.mark.parametrize(
    ("text", "value", "sigma"),
    [
        ("0.5", 0.5, 0.005), (2, 2.0, 0.02), ("0.5±0.01", 0.5, 0.01), ("0.5 +- 0.01", 0.5, 0.01), ("0.5±2%", 0.5, 0.01),
        ("1e-2±1e-3", 0.01, 0.001), ("3 ± 0", 3.0, 0.0),
    ],
)  # fmt: skip
def test_a_ruler_is_a_value_with_an_uncertainty(text: float | str, value: float, sigma: float) -> None:
    assert parse_measure(text) == pytest.approx((value, sigma))


@pytest.mark.parametrize("text", ["", "abc", "0", "-1", "1±-1", "nan", "inf", "1±nan", "5%", "1±2±3", "1,5", "1±"])
def test_what_is_no_ruler_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="found"):
        parse_measure(text)


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_a_ruler_survives_being_written_and_read(value: float, sigma: float) -> None:
    assert parse_measure(f"{value!r}±{sigma!r}") == (value, sigma)


@given(st.text())
def test_printable_text_holds_nothing_that_moves_a_cursor(text: str) -> None:
    shown = printable(text)
    shown.encode()
    assert all(unicodedata.category(character)[0] != "C" for character in shown)


def test_escapes_name_what_they_stand_for() -> None:
    assert printable("a\x1b[31m\n\udce9\u202eb") == r"a\x1b[31m\n\xe9\u202eb"


def test_a_path_that_is_not_utf8_becomes_valid_text() -> None:
    assert printable_path("latin1_\udce9.mp4") == r"latin1_\xe9.mp4"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_rounded_number_stays_within_its_last_digit(value: float) -> None:
    assert rounded(value) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize(("value", "text"), [(math.nan, ""), (3.0, "3"), (-0.0, "0"), (0.1 + 0.2, "0.3"), (1e300, str(int(1e300)))])
def test_a_number_in_a_table_is_plain(value: float, text: str) -> None:
    assert number_text(value) == text


def test_text_in_a_table_cannot_become_a_formula_and_numbers_stay_numbers() -> None:
    assert delimited([("=1+1", "@x", "plain", -3.25, None, 7)], ",") == "'=1+1,'@x,plain,-3.25,,7\n"
