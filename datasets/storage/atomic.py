"""Files that appear whole or not at all."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE = 2.0  # seconds that a file may be in use by another program; virus scanners and indexers take less
PAUSE = 0.05  # seconds between two attempts

_unfinished: set[Path] = set()


@contextmanager
def replace_file(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success it replaces `path`, and on an exception it is removed.

    With `durable`, the new content has reached the disk before the old one is gone, so that not even a power cut loses
    both.

    Raises:
        OSError: The disk is full, or the folder cannot be written to; what was at `path` is unchanged.
    """
    # The same name after a crash, so that the next attempt overwrites what the last one left. Hashed, since the name of
    # the file may be as long as the file system allows.
    partial = path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}.partial")
    try:
        _unfinished.add(partial)
        partial.touch()
        mode = partial.stat().st_mode  # as the user's umask wants it; some writers make private files
        yield partial
        partial.chmod(mode)
        if durable:
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
        _retry(lambda: partial.replace(path))
    finally:
        remove_file(partial)
        _unfinished.discard(partial)


def remove_unfinished() -> None:
    """Remove the files that are being written, of a process that is about to end without waiting for its threads."""
    for partial in tuple(_unfinished):
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def remove_file(path: Path) -> None:
    """Remove a file if it exists.

    Raises:
        OSError: It cannot be removed.
    """
    _retry(lambda: path.unlink(missing_ok=True))


def _retry(change: Callable[[], object]) -> None:
    """Change a file's name, and try again for two seconds while access is denied.

    On Windows a file that another program reads, such as a virus scanner, can be neither replaced nor removed.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            change()
            return
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(PAUSE)
