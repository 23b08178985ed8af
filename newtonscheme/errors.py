"""What can break, as a tree; each branch carries the exit code that the command line ends with.

```
NewtonSchemeError            1  root: never raised itself
├── UsageError               2  an option, a unit or a config that cannot be meant
│   └── StaleWeights         2  weights that were trained for other patterns
├── UnreadableInput          3  a file that is missing, no video, cut or damaged beyond use
├── NothingTrackable         4  a readable video in which nothing moves for long enough
└── LimitReached             6  time, memory or size went over a stated limit
```

A pattern that is refused is not in this tree: it is an outcome (`Report.refusal`), not a breakage.

    try:
        report = newtonscheme.predict("throw.mp4")
    except newtonscheme.NewtonSchemeError as error:
        print(error)
"""

from __future__ import annotations


class NewtonSchemeError(Exception):
    """Root of everything this package raises on purpose. The message is one line: found, needed, what to do."""

    exit_code: int = 1
    code: str = "bug"


class UsageError(NewtonSchemeError, ValueError):
    """An option or a value that cannot be meant."""

    exit_code = 2
    code = "usage"


class StaleWeights(UsageError):
    """Recogniser weights whose labels are not the registered patterns."""

    code = "stale_weights"


class UnreadableInput(NewtonSchemeError, OSError):
    """A file that cannot be read as what it was given for."""

    exit_code = 3
    code = "unreadable"


class NothingTrackable(NewtonSchemeError):
    """A readable video in which no object moves for long enough to be tracked."""

    exit_code = 4
    code = "nothing_trackable"


class LimitReached(NewtonSchemeError):
    """A limit on time, memory or size was reached."""

    exit_code = 6
    code = "limit"
