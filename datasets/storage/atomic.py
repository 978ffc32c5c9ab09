"""Files that are either whole or not there."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replace_file(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the place of `path` when all went well, or is removed.

    With `durable`, what was written has reached the disk by then, so that not even a power cut loses both.

    Raises:
        OSError: The disk is full, or the folder cannot be written to; what was at `path` is unchanged.
    """
    # A name of its own, and the same after a crash: the next attempt clears up. Hashed, since names have a longest.
    partial = path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}.partial")
    try:
        partial.touch()
        mode = partial.stat().st_mode  # as the user's umask wants it; some writers make private files
        yield partial
        partial.chmod(mode)
        if durable:
            with partial.open("rb+") as written:
                os.fsync(written.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
