"""From a video of a moving object to its force pattern and a forecast with an honest band.

    import newtonscheme

    report = newtonscheme.predict("throw.mp4", observe=0.6)
    print(report.pattern.name, report.parameters["speed"].value)

Everything named here is imported when it is first asked for, so that `import newtonscheme` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .batch.run import predict_many
    from .errors import LimitReached, NewtonSchemeError, NothingTrackable, StaleWeights, UnreadableInput, UsageError
    from .pipeline import predict, track
    from .report import report_to_json
    from .types import Forecast, Options, Pattern, Progress, Quantity, Report, Stability, Track, Tracking

__version__ = "0.1.0"

__all__ = [
    "Forecast",
    "LimitReached",
    "NewtonSchemeError",
    "NothingTrackable",
    "Options",
    "Pattern",
    "Progress",
    "Quantity",
    "Report",
    "Stability",
    "StaleWeights",
    "Track",
    "Tracking",
    "UnreadableInput",
    "UsageError",
    "__version__",
    "predict",
    "predict_many",
    "report_to_json",
    "track",
]

_HOMES = {
    "LimitReached": "errors",
    "NewtonSchemeError": "errors",
    "NothingTrackable": "errors",
    "StaleWeights": "errors",
    "UnreadableInput": "errors",
    "UsageError": "errors",
    "predict": "pipeline",
    "predict_many": "batch.run",
    "report_to_json": "report",
    "track": "pipeline",
}
"""The module of each public name that does not live in `types`."""


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'types')}"), name)


def __dir__() -> list[str]:
    return __all__
