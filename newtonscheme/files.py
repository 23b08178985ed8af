"""Files are written whole or not at all: into a temporary file of the same folder, flushed to the disk, then renamed.

What is at the target stays as it was until the new content is complete, and nothing is written through a symbolic link.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .errors import LimitReached, UsageError
from .notation import printable

STDOUT = "-"
PART = ".part"
"""Ends the name of a file that is being written, so that nobody who watches a folder takes it for a result."""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def check_output(target: str | Path, *, force: bool, suffixes: Sequence[str] = (), sources: Iterable[str | Path] = ()) -> None:
    """Refuse, before any work is done, a path that could not be written at its end.

    Args:
        target: a path, or ``-`` for standard output.
        force: whether an existing file may be replaced.
        suffixes: the endings allowed; none given allows all, and only then ``-`` too.
        sources: files that are read: not even ``force`` replaces one of them.

    Raises:
        UsageError: the path is a folder, a symbolic link, no regular file, in a folder that is missing or not writable, has another
            ending, is one of the sources, or exists and ``force`` is not given.
    """
    name = printable(str(target))
    if str(target) == STDOUT:
        if suffixes:
            raise UsageError(f"cannot write {' or '.join(suffixes)} to standard output: name a file")
        return
    path = Path(target)
    if suffixes and path.suffix.lower() not in suffixes:
        raise UsageError(f"cannot write '{name}': its name must end in {' or '.join(suffixes)}")
    try:
        if any(path.exists() and Path(source).exists() and path.samefile(source) for source in sources):
            raise UsageError(f"cannot write '{name}': it is read as the input; name another file")
        _check_place(path, name, force)
    except UsageError:
        raise
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write '{name}': {_reason(error)}; name another file") from None


@contextmanager
def replacing(target: str | Path, *, force: bool = False, suffix: str | None = None) -> Iterator[Path]:
    """The path of a temporary file that becomes ``target`` when the block ends well, and vanishes when it does not.

    Args:
        target: what is written.
        force: whether an existing file may be replaced.
        suffix: how the temporary name ends; by default as the target's, for writers that choose their format by it.

    Raises:
        UsageError: as `check_output`, or the folder cannot be written to.
        LimitReached: no room is left on the disk.
    """
    path = Path(target)
    check_output(path, force=force)
    temporary = path.with_name(f".ns-{secrets.token_hex(8)}{path.suffix[:16] if suffix is None else suffix}")
    try:
        # 0o666 is cut down by the user's umask, as for any file that a program creates.
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        check_output(path, force=force)
        temporary.replace(path)
    except OSError as error:
        if error.errno is None:
            raise
        name = printable(str(target))
        if error.errno in _NO_ROOM:
            raise LimitReached(f"cannot write '{name}': {_reason(error)}; make room or name another file") from error
        raise UsageError(f"cannot write '{name}': {_reason(error)}; name another file") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(target: str | Path, text: str, *, force: bool = False) -> None:
    """Write text as UTF-8 to a file, or to standard output where ``target`` is ``-``.

    Raises:
        UsageError: as `replacing`.
        LimitReached: no room is left on the disk.
    """
    if str(target) == STDOUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
        return
    with replacing(target, force=force, suffix=PART) as temporary:
        temporary.write_bytes(text.encode())


def _check_place(path: Path, name: str, force: bool) -> None:
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        mode = None
    if mode is not None and stat.S_ISLNK(mode):
        raise UsageError(f"cannot write '{name}': it is a symbolic link; name the file itself")
    if mode is not None and stat.S_ISDIR(mode):
        raise UsageError(f"cannot write '{name}': it is a folder; name a file in it")
    if mode is not None and not stat.S_ISREG(mode):
        raise UsageError(f"cannot write '{name}': it is no regular file; name another file")
    if mode is not None and not force:
        raise UsageError(f"cannot write '{name}': it exists; allow replacing it with --force or name another file")
    if not path.parent.is_dir():
        raise UsageError(f"cannot write '{name}': its folder does not exist; create it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write '{name}': its folder is not writable; name another file")


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
