"""`ns patterns`: the force patterns that are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from .console import print_rows, print_text
from .parameters import flag

if TYPE_CHECKING:
    from ..physics.force import ForceModel


def patterns(json: Annotated[bool, flag("--json", "As JSON.")] = False) -> None:
    """List the force patterns that are known, and what is measured of each."""
    from ..physics.models import FORCE_MODELS
    from ..report import to_text

    measured = {name: _measured(model) for name, model in FORCE_MODELS.items()}
    if json:
        listed = [
            {"name": name, "family": model.family, "summary": model.summary, "parameters": measured[name]} for name, model in FORCE_MODELS.items()
        ]
        print_text(to_text({"patterns": listed}))
        return
    rows = [((name, model.summary), ("", f"measured: {', '.join(measured[name])}")) for name, model in FORCE_MODELS.items()]
    print_rows([line for row in rows for line in row])


def _measured(model: ForceModel) -> dict[str, str]:
    """The quantities that a report of this pattern holds, with their units."""
    import numpy as np

    drawn = model.draw(np.random.default_rng(0))
    return {name: unit for name, (_, unit) in model.report(drawn.values).items()}
