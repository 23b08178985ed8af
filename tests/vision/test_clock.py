"""The clock believes honest stamps, undoes the container's rounding, repairs what is broken, and says so."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newtonscheme.vision.clock import Clock, audit_clock
from newtonscheme.vision.stamps import NO_STAMP, Packets

MILLISECOND = Fraction(1, 1000)


def packets(pts: list[int | None], dts: list[int | None] | None = None, hidden: tuple[int, ...] = ()) -> Packets:
    """Packets in decoding order; without ``dts`` they are decoded in the order in which they are shown."""
    decoded = pts if dts is None else dts
    return Packets(
        pts=np.array([NO_STAMP if stamp is None else stamp for stamp in pts], dtype=np.int64),
        dts=np.array([NO_STAMP if stamp is None else stamp for stamp in decoded], dtype=np.int64),
        shown=np.array([k not in hidden for k in range(len(pts))]),
        key=np.array([k == 0 for k in range(len(pts))]),
    )


def audit(stream: Packets, **changes: Any) -> Clock:
    values: dict[str, Any] = {"time_base": MILLISECOND, "rate": None, "container": "matroska,webm"}
    return audit_clock(stream, **(values | changes))


def codes(clock: Clock) -> list[str]:
    return [notice.code for notice in clock.notices]


def rounded(rate: float, n: int, ticks: int = 1000) -> list[int | None]:
    return [round(k * ticks / rate) for k in range(n)]


# -------------------------------------------------------------------------------------------------------- honest clocks


@pytest.mark.parametrize(
    ("step", "base"), [(512, Fraction(1, 15360)), (1001, Fraction(1, 30000)), (3003, Fraction(1, 90000)), (20, Fraction(1, 600))]
)
def test_an_even_clock_is_taken_exactly(step: int, base: Fraction) -> None:
    clock = audit(packets([7 * step + k * step for k in range(100)]), time_base=base)
    assert clock.times.tolist() == pytest.approx([float(k * step * base) for k in range(100)], abs=1e-12)
    assert clock.fps == pytest.approx(float(1 / (step * base)))
    assert (clock.source, codes(clock), clock.missing.sum()) == ("timestamps", [], 0)


@pytest.mark.parametrize("rate", [23.976, 25.0, 29.97, 30.0, 59.94, 120.0, 240.0])
def test_rounding_to_the_tick_is_undone(rate: float) -> None:
    clock = audit(packets(rounded(rate, 300)))
    assert np.abs(clock.times - np.arange(300) / rate).max() < 3e-4
    assert np.ptp(np.diff(clock.times)) < 1e-9
    assert codes(clock) == []


def test_the_container_s_rate_is_used_where_the_stamps_agree_with_it() -> None:
    clock = audit(packets(rounded(30000 / 1001, 60)), rate=30000 / 1001)
    assert clock.times == pytest.approx(np.arange(60) * 1001 / 30000, abs=1e-12)
    lying = audit(packets(rounded(30.0, 60)), rate=25.0)
    assert lying.times == pytest.approx(np.arange(60) / 30.0, abs=5e-4)


def test_a_shaking_clock_keeps_every_stamp() -> None:
    stamps = [0, 2999, 5998, 8997, 12009, 15012, 18005, 20998, 24009, 27003]
    clock = audit(packets(list(stamps)), time_base=Fraction(1, 90000))
    assert clock.times == pytest.approx(np.array(stamps) / 90000, abs=1e-12)
    assert codes(clock) == []


def test_pictures_coded_out_of_order_are_ranked_by_their_stamps() -> None:
    clock = audit(packets([0, 120, 40, 80, 240, 160, 200], [None, None, 0, 40, 80, 120, 160]))
    assert clock.rank is not None
    assert clock.rank.tolist() == [0, 3, 1, 2, 6, 4, 5]
    assert clock.times == pytest.approx(np.arange(7) * 0.04)
    assert codes(clock) == []


def test_frames_that_an_edit_list_hides_do_not_count() -> None:
    clock = audit(packets([-80, -40, 0, 40, 80, 120], hidden=(0, 1)))
    assert clock.rank is not None
    assert clock.rank.tolist() == [-1, -1, 0, 1, 2, 3]
    assert len(clock.times) == 4


def test_a_rate_that_changes_is_a_varying_rate_and_no_hole() -> None:
    stamps = np.cumsum([0] + [17] * 30 + [67] * 20)
    clock = audit(packets(stamps.tolist()))
    assert clock.times == pytest.approx(stamps / 1000, abs=1e-12)
    assert codes(clock) == ["clock_variable"]


# -------------------------------------------------------------------------------------------------------- holes, losses


def test_a_pause_is_a_hole() -> None:
    stamps = [k * 33 + (10_000 if k >= 20 else 0) for k in range(40)]
    clock = audit(packets(list(stamps)))
    assert codes(clock) == ["clock_gap"]
    assert "before frame 20" in clock.notices[0].message
    assert clock.times[20] - clock.times[19] == pytest.approx(10.033, abs=2e-3)


def test_single_missing_frames_are_counted_and_leave_their_time_empty() -> None:
    kept = [k for k in range(60) if k not in (10, 11, 30)]
    clock = audit(packets([round(k * 1000 / 30) for k in kept]))
    assert clock.missing.sum() == 3
    assert np.flatnonzero(clock.missing).tolist() == [10, 28]
    assert clock.times == pytest.approx(np.array(kept) / 30, abs=3e-4)
    assert "clock_variable" not in codes(clock)


# ------------------------------------------------------------------------------------------------------- broken clocks


def test_repeated_stamps_in_an_even_clock_give_way_to_a_count() -> None:
    stamps = [k * 512 for k in range(15)] + [15 * 512] * 10 + [(k - 9) * 512 for k in range(25, 42)]
    clock = audit(packets(list(stamps)), time_base=Fraction(1, 15360))
    assert clock.times == pytest.approx(np.arange(42) / 30)
    assert codes(clock) == ["clock_not_monotone"]
    assert clock.source == "container_rate"


def test_shuffled_presentation_stamps_give_way_to_the_decoding_clock() -> None:
    rng = np.random.default_rng(0)
    dts = [k * 512 for k in range(40)]
    pts = [stamp + 512 * int(offset) for stamp, offset in zip(dts, rng.integers(1, 4, 40), strict=True)]
    clock = audit(packets(list(pts), list(dts)), time_base=Fraction(1, 15360))
    assert clock.times == pytest.approx(np.arange(40) / 30)
    assert "clock_not_monotone" in codes(clock)


def test_equal_stamps_are_no_clock() -> None:
    clock = audit(packets([0] * 12), rate=50.0)
    assert clock.times == pytest.approx(np.arange(12) / 50)
    assert codes(clock) == ["clock_missing"]


def test_a_clock_that_starts_anew_is_joined() -> None:
    clock = audit(packets([k * 40 for k in range(10)] + [k * 40 for k in range(10)]))
    assert clock.times == pytest.approx(np.arange(20) * 0.04)
    assert codes(clock) == ["clock_not_monotone"]


def test_missing_stamps_are_filled_between_their_neighbours() -> None:
    stamps: list[int | None] = [None if k < 5 or k in (12, 13) else round(k * 1000 / 30) for k in range(30)]
    clock = audit(packets(stamps))
    assert clock.times == pytest.approx(np.arange(30) / 30, abs=2e-3)
    assert "7 of 30" in clock.notices[0].message
    assert codes(clock) == ["clock_missing"]


def test_second_half_pictures_carry_no_stamp_and_are_no_frames() -> None:
    stamps: list[int | None] = [k * 20 if k % 2 == 0 else None for k in range(20)]
    clock = audit(packets(stamps))
    assert len(clock.times) == 10
    assert codes(clock) == []


@pytest.mark.parametrize(("rate", "fps"), [(30.0, 30.0), (None, 25.0), (90000.0, 25.0)])
def test_a_stream_without_stamps_is_counted_at_the_stream_s_rate(rate: float | None, fps: float) -> None:
    clock = audit(packets([None] * 10), rate=rate, container="h264")
    assert clock.times == pytest.approx(np.arange(10) / fps)
    assert (clock.source, codes(clock)) == ("container_rate", ["clock_invented"])


def test_a_stamp_from_another_age_is_taken_as_missing() -> None:
    stamps = rounded(30, 40)
    stamps[17] = 2**62
    clock = audit(packets(stamps))
    assert clock.times == pytest.approx(np.arange(40) / 30, abs=2e-3)
    assert codes(clock) == ["clock_missing"]


@pytest.mark.parametrize("gap", [Fraction(1, 1000), Fraction(1, 90000), Fraction(3, 2)])
def test_a_rate_that_no_film_has_is_told(gap: Fraction) -> None:
    clock = audit(packets(list(range(20))), time_base=gap)
    assert codes(clock) == ["clock_implausible"]
    assert codes(audit(packets(list(range(20))), time_base=gap, fps=240.0)) == []


def test_a_gif_counts_in_coarse_steps() -> None:
    assert codes(audit(packets(rounded(30, 40, 100)), time_base=Fraction(1, 100), container="gif")) == ["clock_coarse"]


# --------------------------------------------------------------------------------------------------- the user's own rate


def test_fps_numbers_an_even_clock() -> None:
    clock = audit(packets(rounded(30, 100)), fps=240.0)
    assert clock.times.tolist() == [k / 240 for k in range(100)]
    assert clock.source == "fps_option"


def test_fps_leaves_room_for_missing_frames() -> None:
    kept = [k for k in range(60) if k not in (10, 11, 30)]
    clock = audit(packets([round(k * 1000 / 30) for k in kept]), fps=120.0)
    assert clock.times.tolist() == [k / 120 for k in kept]


def test_fps_scales_an_uneven_clock_to_its_median_gap() -> None:
    stamps = np.cumsum([0, 30, 41, 33, 35, 52, 31, 33, 44, 33])
    clock = audit(packets(stamps.tolist()), fps=330.0)
    assert np.median(np.diff(clock.times)) == pytest.approx(1 / 330)
    assert clock.times / clock.times[-1] == pytest.approx(stamps / stamps[-1])


@pytest.mark.parametrize(
    ("capture", "rate", "told"), [(240.0, 240.0, ["capture_fps"]), (0.5, 0.5, ["capture_fps", "clock_implausible"]), (30.0, 30.0, [])]
)
def test_a_capture_rate_far_from_the_stored_one_is_followed(capture: float, rate: float, told: list[str]) -> None:
    clock = audit(packets(list(range(20))), time_base=Fraction(1, 30), capture_fps=capture)
    assert clock.times == pytest.approx(np.arange(20) / rate)
    assert codes(clock) == told


def test_half_the_capture_rate_may_be_poor_light_and_is_left_alone() -> None:
    clock = audit(packets(list(range(20))), time_base=Fraction(1, 15), capture_fps=30.0)
    assert clock.fps == pytest.approx(15.0)
    assert codes(clock) == ["capture_fps_unclear"]


# ----------------------------------------------------------------------------------------------------------- whatever

STAMPS = st.lists(st.one_of(st.none(), st.integers(-(10**6), 10**9), st.integers(-(2**62), 2**62)), min_size=1, max_size=60)


@settings(max_examples=150, deadline=None)
@given(
    pts=STAMPS,
    shift=st.integers(0, 5),
    container=st.sampled_from(["mov,mp4", "avi", "h264", "gif", "mpegts"]),
    fps=st.sampled_from([None, 30.0, 1e-3, 1e6]),
)
def test_whatever_the_stamps_say_times_increase(pts: list[int | None], shift: int, container: str, fps: float | None) -> None:
    dts = pts[shift:] + pts[:shift]
    clock = audit(packets(pts, dts), container=container, fps=fps, rate=30.0)
    assert clock.times[0] == 0.0
    assert np.all(np.isfinite(clock.times))
    assert np.all(np.diff(clock.times) > 0)
    assert clock.rank is None or sorted(clock.rank[clock.rank >= 0].tolist()) == list(range(len(clock.times)))
    assert clock.time(len(clock.times) + 3) > clock.times[-1] or len(clock.times) == 1


@settings(max_examples=60, deadline=None)
@given(rate=st.floats(10, 250), n=st.integers(10, 200), first=st.integers(-(10**5), 10**9))
def test_any_even_rate_survives_rounding(rate: float, n: int, first: int) -> None:
    clock = audit(packets([first + round(k * 1000 / rate) for k in range(n)]))
    assert np.abs(clock.times - np.arange(n) / rate).max() < 1.3e-3
    assert not clock.missing.any()
    assert codes(clock) == []
