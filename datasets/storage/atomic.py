"""Files that appear whole or not at all."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
        partial.touch()
        mode = partial.stat().st_mode  # as the user's umask wants it; some writers make private files
        yield partial
        partial.chmod(mode)
        if durable:
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
