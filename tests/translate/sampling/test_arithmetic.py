"""Sums of pictures: read as they are written, and made of latents."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datasets.errors import UserError
from translate.sampling.arithmetic import parse_terms, plan_arithmetic
from translate.sampling.outputs import SampleOptions
from translate.sampling.sampler import LoadedSampler


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.png - b.png + c.png", [(1, "a.png"), (-1, "b.png"), (1, "c.png")]),
        ("a - b + c", [(1, "a"), (-1, "b"), (1, "c")]),
        ("  a.png  ", [(1, "a.png")]),
        ("my cat.png - it's-a+b.png", [(1, "my cat.png"), (-1, "it's-a+b.png")]),
        ("\"a - b.png\" + 'c + d.png' - e", [(1, "a - b.png"), (1, "c + d.png"), (-1, "e")]),
        ("'tis.png - 'twas.png", [(1, "'tis.png"), (-1, "'twas.png")]),
        ("a\t+\nb", [(1, "a"), (1, "b")]),
        ("/x/a-1.png - -2.png", [(1, "/x/a-1.png"), (-1, "-2.png")]),
    ],
)
def test_a_sum_is_read_as_it_is_written(text: str, expected: list[tuple[int, str]]) -> None:
    assert parse_terms(text) == [(sign, Path(name)) for sign, name in expected]


@pytest.mark.parametrize("text", ["", "  ", "a.png - "])
def test_what_is_no_sum_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="`arithmetic`: expected pictures with signs between them"):
        parse_terms(text)


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """Flat pictures: a.png, b.png of the sampler's size, and one that is wide."""
    for name, colour, size in (
        ("a", (140, 120, 130), (4, 4)),
        ("b b", (150, 100, 128), (4, 4)),
        ("wide", (128,) * 3, (9, 6)),
    ):
        Image.new("RGB", size, colour).save(tmp_path / f"{name}.png")
    return tmp_path


@pytest.mark.parametrize("encodes", [True, False], ids=["encoder", "descent"])
def test_arithmetic_adds_latents(
    flat: Callable[..., LoadedSampler], colours: Path, encodes: bool, make: Any, files: Any, pixels: Any
) -> None:
    loaded, out = flat(encodes=encodes), colours / "out"
    text = f"{colours / 'a.png'} - {colours / 'b b.png'} + {colours / 'wide.png'}"
    plan = plan_arithmetic(loaded, out, text, 0, SampleOptions())
    assert plan.notes == (
        f"{colours / 'wide.png'}: cut to its middle square and scaled from 9x6 to the 4x4 pixels of this model",
    )
    outcomes = make(loaded, plan)
    assert set(files(out)) == {"result.png", "strip.png"}
    # Levels are linear in the latent here, and 127.5 is where it is 0.
    assert np.allclose(pixels(out / "result.png")[0, 0], [140 - 150 + 128, 120 - 100 + 128, 130 - 128 + 128], atol=1)
    notes = outcomes["strip.png"].notes
    found_by = "the encoder" if encodes else "descent"
    assert len(notes) == 3
    assert all(f"the latent that {found_by} found reproduces it to 0.0 levels of 255" in note for note in notes)
    strip = pixels(out / "strip.png")
    assert strip.shape[1] == 4 * 256 + 3 * 6
    for row in (30, 300):
        assert abs(strip[row, 100].astype(int) - [140, 120, 130]).max() <= 1
    assert (strip[30, -1] == 255).all()
    assert (strip[300, -1] == pixels(out / "result.png")[0, 0]).all()


def test_a_label_is_chosen_for_arithmetic(
    flat: Callable[..., LoadedSampler], colours: Path, make: Any, pixels: Any
) -> None:
    loaded = flat(domains=("cat", "dog"))
    with pytest.raises(UserError, match="this model makes cat, dog: choose one class"):
        plan_arithmetic(loaded, colours / "out", str(colours / "a.png"), 0, SampleOptions())
    make(loaded, plan_arithmetic(loaded, colours / "out", str(colours / "a.png"), 0, SampleOptions(classes=("dog",))))
    assert abs(pixels(colours / "out" / "result.png")[0, 0].astype(int) - [140, 120, 130]).max() <= 1


def test_a_model_of_gray_takes_colours_and_transparency(
    flat: Callable[..., LoadedSampler], tmp_path: Path, make: Any, pixels: Any
) -> None:
    Image.new("RGBA", (4, 4), (255, 0, 0, 200)).save(tmp_path / "red.png")
    loaded = flat(channels=1, encodes=False)
    make(loaded, plan_arithmetic(loaded, tmp_path / "out", str(tmp_path / "red.png"), 0, SampleOptions()))
    assert abs(int(pixels(tmp_path / "out" / "result.png")[0, 0]) - 76) <= 1


def test_nothing_is_computed_where_it_could_not_be_written(flat: Callable[..., LoadedSampler], colours: Path) -> None:
    loaded = flat()
    (colours / "out").mkdir()
    (colours / "out" / "result.png").touch()
    with pytest.raises(UserError, match=r"result\.png: exists"):
        plan_arithmetic(loaded, colours / "out", str(colours / "a.png"), 0, SampleOptions())
    assert not loaded.sampler.seen
