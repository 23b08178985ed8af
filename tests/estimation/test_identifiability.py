"""What a clip tells and whose the uncertainty is: shares add up, answer to the rulers, and clocks that run wrong are known by what they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from truths import FREE_BODY, assumed_camera, catalogue_body, film_near_throw, film_pattern, fit_seen, fitted, known

from newtonscheme.estimation.fitting import fit_pattern
from newtonscheme.estimation.identifiability import CLOCK_SIGMA, ORIGINS, account_errors
from newtonscheme.physics.models import PATTERNS
from newtonscheme.types import Account, Fit, Identifiability

LAW_SPREAD = {"spin_rate_rps"}


def accounted(fit: Fit, horizon: float = 0.2, source: str = "timestamps", **options: object) -> Identifiability:
    return account_errors(fit, known(**options), time_source=source, horizon=horizon)


def by_name(found: Identifiability) -> Mapping[str, Account]:
    return {account.name: account for account in found.accounts}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_shares_of_an_account_add_up_to_the_fits_own_variance(pattern: str) -> None:
    _, fit = fitted(pattern, 1)
    accounts = by_name(accounted(fit))
    assert {"forecast", "px_per_m"} <= set(accounts)
    for name, account in accounts.items():
        assert tuple(account.shares) == ORIGINS
        assert sum(account.shares.values()) == pytest.approx(1.0)
        if name in fit.parameters and name not in LAW_SPREAD:
            without_clock = account.sigma * np.sqrt(1.0 - account.shares["clock"])
            assert without_clock == pytest.approx(fit.parameters[name].sigma, rel=2e-2)


def test_a_vaguer_ruler_has_the_larger_part_of_a_measured_gravity() -> None:
    filmed = film_pattern("free_fall", 3)
    size, mass = filmed.scene.values["diameter"], filmed.scene.values["mass"]
    shares = []
    for sigma in (0.002, 0.05):
        fit = fit_seen(filmed, body=catalogue_body(size, mass, sigma=sigma), diameter=f"{size}±{sigma * size}")
        shares.append(by_name(accounted(fit, diameter=f"{size}±{sigma * size}"))["g"].shares["scale"])
    assert shares[0] < shares[1]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_clock_that_runs_wrong_moves_what_its_account_says(pattern: str) -> None:
    filmed = film_pattern(pattern, 1)
    share = 1.0 + CLOCK_SIGMA["fps_option"]
    own, slow = (
        fit_pattern(track, pattern, camera=assumed_camera(), body=FREE_BODY, known=known())
        for track in (filmed.seen, replace(filmed.seen, t=filmed.seen.t * share))
    )
    accounts = by_name(accounted(own, source="fps_option"))
    for name in ("speed",) if "speed" in own.parameters else ("length", "period"):
        expected = accounts[name].sigma * np.sqrt(accounts[name].shares["clock"])
        assert abs(slow.parameters[name].value - own.parameters[name].value) == pytest.approx(
            expected, rel=0.15, abs=0.02 * own.parameters[name].sigma
        )


def test_what_the_prior_alone_says_was_not_learned() -> None:
    _, fit = fitted("free_fall", 1)
    learned = accounted(fit).learned
    assert learned["speed across the picture"] > 0.99
    assert learned["mass"] < 0.5
    assert all(0.0 <= share <= 1.0 for share in learned.values())


def test_what_was_not_learned_is_not_said_to_be_measured() -> None:
    _, fit = fitted("free_fall", 1)
    entry = fit.setting.entries["drag_coefficient"]
    told = fit.parameters["drag_coefficient"]
    assert (told.source == "measured") == (told.sigma**2 <= 0.5 * entry.sigma**2)


def test_an_excess_of_gravity_is_divided_without_a_rest() -> None:
    filmed = film_near_throw()
    size, mass = 1.2 * filmed.scene.values["diameter"], filmed.scene.values["mass"]
    fit = fit_seen(filmed, body=catalogue_body(size, mass, sigma=0.1), diameter=f"{size}±10%")
    excess = accounted(fit, diameter=f"{size}±10%").excess
    assert excess is not None
    assert excess.share == pytest.approx(fit.parameters["g"].value / 9.80665 - 1.0)
    assert sum(part for part, _ in excess.parts.values()) == pytest.approx(excess.share)
    assert max(excess.parts, key=lambda origin: abs(excess.parts[origin][0])) == "scale"
    assert (1.0 + excess.clock_alone) ** 2 == pytest.approx(1.0 + excess.ruler_alone)


def test_gravity_that_is_the_ruler_is_not_measured_and_has_no_excess() -> None:
    _, fit = fitted("free_fall", 1)
    found = accounted(fit)
    assert found.excess is None
    assert "g" not in by_name(found)
    assert "g" not in found.learned
