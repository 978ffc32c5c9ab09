"""Folders of noise, and a run over one."""

import contextlib
import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from translate.folders.manifest import Outcome
from translate.folders.options import RunOptions
from translate.folders.translated_folder import translate_folder
from translate.inference.model import Model


@pytest.fixture(scope="session")
def run() -> Callable[..., dict[str, Outcome]]:
    """`run(model, source, destination, batch=2)`: the outcomes of a run by name."""

    def run_model(model: Model, source: Path, destination: Path, **options: Any) -> dict[str, Outcome]:
        outcomes = list(translate_folder(model, source, destination, RunOptions.model_validate(options)))
        return {outcome.name.as_posix(): outcome for outcome in outcomes}

    return run_model


@pytest.fixture(scope="session")
def noise() -> Callable[..., Path]:
    """`noise(folder, "a.png", "b/c.jpg", size=(12, 10))`: the folder, with pictures of noise, each its own."""

    def write(folder: Path, *names: str, size: tuple[int, int] = (12, 10)) -> Path:
        for seed, name in enumerate(names):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)).save(path)
        return folder

    return write


@pytest.fixture
def fill(tmp_path: Path) -> Callable[..., Path]:
    """`fill("a.png", "b/c.jpg")`: a folder of small pictures under these names."""

    def make(*names: str, size: tuple[int, int] = (32, 32)) -> Path:
        folder = tmp_path / "in"
        for name in names:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size).save(path, "PNG")
        return folder

    return make


@pytest.fixture(scope="session")
def ordinary_rights() -> Callable[[], AbstractContextManager[None]]:
    """`with ordinary_rights():` file permissions hold for this thread and those it starts, even for a superuser."""

    @contextlib.contextmanager
    def limited() -> Iterator[None]:
        if not hasattr(os, "geteuid"):
            pytest.skip("on Windows, rights are no matter of modes")
        if os.geteuid():
            yield
            return
        if sys.platform != "linux":
            pytest.skip("only Linux lets a superuser give up rights for a thread; run as somebody else")
        libc = ctypes.CDLL(None, use_errno=True)
        head = (ctypes.c_uint32 * 2)(0x20080522, 0)
        before = (ctypes.c_uint32 * 6)()
        assert libc.capget(head, before) == 0
        reduced = (ctypes.c_uint32 * 6)(*before)
        reduced[0] &= ~0b110  # effective: CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        assert libc.capset(head, reduced) == 0
        try:
            yield
        finally:
            assert libc.capset(head, before) == 0

    return limited
