"""Wait for pictures to arrive in a folder."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from datasets.errors import UserError
from datasets.storage.listing import find_pictures

SECONDS_BETWEEN_LOOKS = 0.5
SETTLED = 2.0  # seconds without a change after which a file is taken to be whole; chosen by judgement


def watch_folder(folder: Path, *, recurse: bool, is_stopped: Callable[[], bool]) -> Iterator[tuple[Path, ...]]:
    """Yield the pictures in a folder, and from then on those that arrive or are replaced, once they are whole.

    A file is whole when its size and time have not changed for `SETTLED` seconds. The folder is read again and again:
    no notification of a system covers disks of other machines.

    Args:
        folder: The folder.
        recurse: Also watch subfolders.
        is_stopped: Ends it.
    """
    changed: dict[Path, tuple[tuple[int, int], float]] = {}  # the last change that was seen of each file, and when
    handled: dict[Path, tuple[int, int]] = {}
    while not is_stopped():
        now = time.monotonic()
        ready = []
        for path in _find(folder, recurse):
            state = _state(path)
            if state is None or handled.get(path) == state:
                continue
            if changed.get(path, (None, 0.0))[0] != state:
                changed[path] = state, now
            if now - changed[path][1] >= SETTLED:
                handled[path] = state
                ready.append(path)
        if ready:
            yield tuple(ready)
        else:
            time.sleep(SECONDS_BETWEEN_LOOKS)


def _find(folder: Path, recurse: bool) -> list[Path]:
    try:
        found = find_pictures(folder, recurse=recurse)
    except UserError:
        return []  # it was taken away, and may come back
    return [folder / name for name in (*found.pictures, *(name for name, _ in found.unsupported))]


def _state(path: Path) -> tuple[int, int] | None:
    """Return the size of a file and when it was changed; None: it is gone, or empty as files are at first."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if status.st_size else None
