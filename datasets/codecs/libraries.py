"""Pillow, OpenCV and tifffile as reading and writing pictures needs them, and afterwards as they were.

Their limits and messages are settings of the whole process, which belongs to whoever imports this package. So they
are changed only while a picture is read or written. Filters of warnings are left alone, since they cannot be changed
for some threads only: what Pillow warns of is for the host's own filters, and for those of the command line.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from PIL import Image, PngImagePlugin

if TYPE_CHECKING:
    from types import ModuleType, TracebackType


class SharedContext:
    """A context that threads share: the first to enter sets it up, and the last to leave tears it down."""

    def __init__(self, create: Callable[[], AbstractContextManager[None]]) -> None:
        self._create = create
        self._lock = threading.Lock()
        self._inside = 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._context = self._create()
                self._context.__enter__()
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._context.__exit__(None, None, None)


@contextmanager
def _configure_pillow() -> Iterator[None]:
    before = Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK
    # `read_picture` checks its own limit before anything is decoded; Pillow's two would warn or refuse before that.
    Image.MAX_IMAGE_PIXELS = None
    PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY  # image generators store whole workflows in PNG text
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK = before


@contextmanager
def _silence_opencv() -> Iterator[None]:
    import cv2

    # The name in OpenCV 5, and in 4; silent is 0 in both.
    messages: Any = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging
    before = messages.getLogLevel()
    messages.setLogLevel(0)
    try:
        yield
    finally:
        messages.setLogLevel(before)


@contextmanager
def _silence_tifffile() -> Iterator[None]:
    logger = logging.getLogger("tifffile")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


configured_pillow = SharedContext(_configure_pillow)
_silent_opencv = SharedContext(_silence_opencv)
_silent_tifffile = SharedContext(_silence_tifffile)


@contextmanager
def silent_opencv() -> Iterator["ModuleType"]:
    """Yield the cv2 module, imported only now, to start faster; it is silent, since our own errors say it."""
    import cv2

    with _silent_opencv:
        yield cv2


@contextmanager
def silent_tifffile() -> Iterator["ModuleType"]:
    """Yield the tifffile module, imported only now, to start faster; it is silent, since our own errors say it."""
    import tifffile

    with _silent_tifffile:
        yield tifffile
