"""A loaded sampler: the same pictures from Python as in files, and sentences for what it cannot make."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import translate
from datasets.errors import UserError
from translate.sampling.sampler import LoadedSampler


def test_a_loaded_sampler_gives_python_the_same_pictures(
    flat: Callable[..., LoadedSampler], tmp_path: Path, sample: Any, pixels: Any
) -> None:
    loaded = flat(domains=("plain", "dark"))
    sample(loaded, tmp_path / "out", 2, seed=5, truncation=0.5)
    for name in loaded.sampler.domains:
        pictures = loaded(2, 5, of=name, truncation=0.5)
        assert pictures.dtype == np.uint8
        assert np.array_equal(pictures[1], pixels(tmp_path / "out" / name / "000001.png"))
    with pytest.raises(UserError, match="makes plain, dark: choose one class"):
        loaded(2)


def test_a_class_must_be_known(flat: Callable[..., LoadedSampler], tmp_path: Path, sample: Any) -> None:
    with pytest.raises(UserError, match="there is no class cat: this model was trained without classes"):
        sample(flat(), tmp_path, classes=("cat",))
    with pytest.raises(UserError, match=r"there is no class cet in this model; did you mean cat\?"):
        sample(flat(domains=("cat", "dog")), tmp_path, classes=("cet",))
    with pytest.raises(UserError, match="there is no class xyz in this model; there are cat, dog"):
        sample(flat(domains=("cat", "dog")), tmp_path, classes=("xyz",))
    assert flat(domains=("cat", "dog")).labels(["dog", "cat", "dog"]) == (1, 0)
    assert flat(domains=("cat", "Zo\u00eb")).labels(["Zoe\u0308"]) == (1,)


def test_no_pictures_are_none_to_make(flat: Callable[..., LoadedSampler]) -> None:
    with pytest.raises(UserError, match="0 pictures cannot be made: expected 1 or more"):
        flat()(0)


def test_the_package_gives_what_python_needs() -> None:
    assert translate.LoadedSampler is LoadedSampler
    assert callable(translate.load_sampler)


def test_the_model_is_always_given_as_many_at_once(
    flat: Callable[..., LoadedSampler], tmp_path: Path, sample: Any
) -> None:
    loaded = flat()
    sample(loaded, tmp_path / "a", 5, batch=4, grid=True)
    seen: Any = loaded.sampler.seen
    assert {len(latent) for latent in seen} == {4}
