"""Files that are either whole or not there."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datasets.errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the place of `path` when all went well, or is removed.

    Raises:
        UserError: The disk is full, or the folder cannot be written to.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.touch()
        mode = partial.stat().st_mode  # as the user's umask wants it; some writers make private files
        yield partial
        partial.chmod(mode)
        with partial.open("rb+") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}; what was there is unchanged") from error
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace a text file."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def digest_of(path: Path) -> str:
    """A fingerprint of a file's bytes."""
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: is a folder, a device or a pipe, and a file was expected")  # a pipe would block
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
