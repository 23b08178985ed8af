"""The folder of a batch's results: what is finished, from which input, and who may write there.

Every report carries what it was made from (its `batch` key: digest of the clip, options, digests of the files that these name; and the
version). That is the whole memory of a batch: there is no second file that a crash could leave behind the first.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import UsageError
from ..files import PART, write_text
from ..notation import printable
from ..report import SCHEMA

LARGEST_REPORT_BYTES = 1 << 28
"""A report of an hour's track is some 50 MB; what is larger is not ours."""
_TEMPORARY = re.compile(rf"\.ns-[0-9a-f]{{16}}{re.escape(PART)}")


class Ledger:
    """The folder of a batch's results, held for one batch at a time.

    Raises:
        UsageError: the folder cannot be made or written to, or another batch is writing there.
    """

    def __init__(self, folder: str | Path, *, force: bool) -> None:
        self.folder = Path(folder)
        self._force = force
        name = printable(str(folder))
        try:
            self.folder.mkdir(exist_ok=True)
            self._handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise UsageError(f"--out: cannot make the folder '{name}': {(error.strerror or str(error)).lower()}") from None
        try:
            if not os.access(self.folder, os.W_OK | os.X_OK):
                raise UsageError(f"--out: the folder '{name}' is not writable; name another")
            _lock(self._handle, name)
            self._clear()
        except BaseException:
            os.close(self._handle)
            raise

    def close(self) -> None:
        """Let the next batch in."""
        os.close(self._handle)

    def file(self, name: str) -> Path:
        """Where the report of this name is."""
        return self.folder / f"{name}.json"

    def find(self, name: str) -> dict[str, Any] | None:
        """The report of this name that a batch wrote before; None where there is none.

        Raises:
            UsageError: there is a file of this name that is no batch's report, and it may not be replaced.
        """
        file = self.file(name)
        if not os.path.lexists(file):
            return None
        document = _read_report(file)
        if document is None and not self._force:
            raise UsageError(f"cannot write '{printable(str(file))}': it exists and is no batch's report; allow replacing it with --force")
        return document

    def write(self, name: str, document: str) -> None:
        """Write a report, whole or not at all.

        Raises:
            UsageError: it cannot be written.
            LimitReached: no room is left on the disk.
        """
        write_text(self.file(name), document, force=True)

    def _clear(self) -> None:
        """Remove what a batch that was killed left half written; nobody else writes here while the lock is held."""
        for file in self.folder.iterdir():
            if _TEMPORARY.fullmatch(file.name):
                file.unlink(missing_ok=True)


def check_same_options(document: Mapping[str, Any], told: Mapping[str, Any], name: str) -> None:
    """Refuse to lose results of other options.

    Raises:
        UsageError: the report was made with other options.
    """
    before, now = document["batch"]["options"], json.loads(json.dumps(told))
    if before == now:
        return
    others = sorted(option for option in {*before, *now} if before.get(option) != now.get(option))
    listed = ", ".join(f"--{option.replace('_', '-')}" for option in others)
    raise UsageError(f"--out: '{printable(name)}.json' was made with another {listed}; name another folder, or replace its results with --force")


def is_current(document: Mapping[str, Any], sha256: str | None, files: Mapping[str, str | None], limits: Mapping[str, float]) -> bool:
    """Whether a report is what this version would make of the same input again."""
    stamp = document["batch"]
    same = document["version"] == __version__ and stamp["sha256"] == sha256 and stamp["files"] == dict(files)
    return same and stamp.get("limits") in (None, dict(limits))


def _read_report(file: Path) -> dict[str, Any] | None:
    """A report with what it was made from; None for any other file."""
    try:
        if file.is_symlink() or not file.is_file() or file.stat().st_size > LARGEST_REPORT_BYTES:
            return None
        document = json.loads(file.read_bytes(), parse_constant=_refuse)
    except (OSError, ValueError, RecursionError):
        return None
    known = isinstance(document, dict) and document.get("schema") == SCHEMA and isinstance(document.get("batch"), dict)
    return document if known and {"sha256", "options", "files"} <= set(document["batch"]) else None


def _refuse(constant: str) -> float:
    raise ValueError(f"found {constant}")


def _lock(handle: int, name: str) -> None:
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(f"--out: another `ns batch` is writing into '{name}'; wait for it, or name another folder") from None
    except OSError:
        # Some network file systems have no locks. Two batches in one folder then do the same work twice, and both write it whole.
        return
