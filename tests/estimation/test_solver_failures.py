"""An integration that fails anywhere in a fit ends in a value that says so, and never in a forecast or an exception."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from truths import FREE_BODY, assumed_camera, film_pattern, known

from newtonscheme.estimation import fitting, parameters
from newtonscheme.estimation.fitting import fit_pattern
from newtonscheme.physics.models import FORCE_MODELS, PATTERNS

FAILURES = (np.nan, np.inf, -np.inf, 1e300)
"""What a broken equation of motion may return as an acceleration."""
SEEDS = range(4)


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_an_equation_that_breaks_within_the_motion_is_a_failed_fit(pattern: str, seed: int, failure: float, monkeypatch: pytest.MonkeyPatch) -> None:
    model = FORCE_MODELS[pattern]
    seen = film_pattern(pattern, seed).seen
    onset = float(np.random.default_rng(seed).uniform(0.1, 0.9)) * float(np.ptp(seen.t))

    def broken(t, y, p):
        rates = np.array(model.rhs(t, y, p))
        rates[..., rates.shape[-1] // 2 :] = np.where(np.asarray(t)[..., None] > onset, failure, rates[..., rates.shape[-1] // 2 :])
        return rates

    models = MappingProxyType({**FORCE_MODELS, pattern: replace(model, rhs=broken)})
    for module in (fitting, parameters):
        monkeypatch.setattr(module, "FORCE_MODELS", models)
    fit = fit_pattern(seen, pattern, camera=assumed_camera(), body=FREE_BODY, known=known())
    assert not fit.success
    assert fit.message
    assert fit.parameters == {}
