"""A picture comes back as it went in, whatever its size, depth and channels, and a batch changes nothing."""

import weakref
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from datasets.codecs.images import Picture, read_picture, write_picture
from datasets.errors import UserError
from translate.folders import display
from translate.folders.manifest import Outcome
from translate.folders.options import RunOptions
from translate.folders.plan import Problem, find_problem, make_plan
from translate.folders.translated_folder import translate_folder
from translate.inference.model import Model, load_model

Models = Callable[..., Model]
Run = Callable[..., dict[str, Outcome]]
Noise = Callable[..., Path]
Pixels = NDArray[np.uint8] | NDArray[np.uint16]


def statuses(outcomes: dict[str, Outcome]) -> dict[str, str]:
    return {name: outcome.status for name, outcome in outcomes.items()}


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def random_pixels(*shape: int, dtype: Any = np.uint8, seed: int = 0) -> Pixels:
    pixels: Pixels = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    return pixels


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 2), (13, 31), (8, 8), (17, 8)])
def test_any_size_from_one_pixel_up(
    loaded: Model, tmp_path: Path, size: tuple[int, int], run: Run, noise: Noise
) -> None:
    folder = noise(tmp_path / "in", "a.png", size=size)
    assert statuses(run(loaded, folder, tmp_path / "out")) == {"a.png": "ok"}
    assert read_picture(tmp_path / "out" / "a.png").pixels.shape == (*size, 3)


def test_pixels_that_a_model_leaves_alone_come_back_exactly(
    unchanged: Models, tmp_path: Path, run: Run, noise: Noise
) -> None:
    folder = noise(tmp_path / "in", "a.png", "b.bmp", "c.tif", "d.png")
    run(unchanged(), folder, tmp_path / "out", batch=3)
    for name in files_in(folder):
        np.testing.assert_array_equal(read_picture(tmp_path / "out" / name).pixels, read_picture(folder / name).pixels)


def test_a_batch_changes_nothing(loaded: Model, tmp_path: Path, run: Run, noise: Noise) -> None:
    folder = noise(tmp_path / "in", *(f"{number}.png" for number in range(6)), size=(16, 24))
    noise(folder, "2.png", size=(9, 9))
    for batch in (1, 4):
        assert set(statuses(run(loaded, folder, tmp_path / str(batch), batch=batch)).values()) == {"ok"}
    for name in files_in(folder):
        alone, together = (read_picture(tmp_path / batch / name).pixels.astype(int) for batch in "14")
        assert alone.shape == together.shape
        assert np.abs(alone - together).max() <= 1


def test_gray_stays_gray_where_a_model_takes_colours(
    unchanged: Models, loaded: Model, tmp_path: Path, run: Run
) -> None:
    pixels = random_pixels(9, 11, 1)
    write_picture(Picture(pixels), tmp_path / "gray.png")
    run(unchanged(), tmp_path / "gray.png", tmp_path / "same.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "same.png").pixels, pixels)
    run(loaded, tmp_path / "gray.png", tmp_path / "made.png")
    with Image.open(tmp_path / "made.png") as result:
        assert result.mode == "L"


def test_gray_becomes_colour_where_a_model_makes_colours_from_gray(
    make_model: Callable[..., Path], tmp_path: Path, run: Run
) -> None:
    colours = ("model.channels_in=1", "data.source_channels=1")
    model = load_model(make_model(tmp_path / "colours.safetensors", *colours), device="cpu")
    write_picture(Picture(random_pixels(9, 11, 1)), tmp_path / "gray.png")
    run(model, tmp_path / "gray.png", tmp_path / "out.png")
    pixels = read_picture(tmp_path / "out.png").pixels
    assert pixels.shape == (9, 11, 3)
    assert (pixels != pixels[:, :, :1]).any()


def test_a_model_of_grays_sees_the_gray_of_colours(unchanged: Models, tmp_path: Path, run: Run, noise: Noise) -> None:
    folder = noise(tmp_path / "in", "a.png")
    run(unchanged(1, 1), folder, tmp_path / "out")
    expected = read_picture(folder / "a.png").pixels @ np.array([0.299, 0.587, 0.114])
    assert np.abs(read_picture(tmp_path / "out" / "a.png").pixels[:, :, 0] - expected).max() <= 0.51


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_alpha_comes_back_bit_for_bit(loaded: Model, tmp_path: Path, dtype: type, run: Run) -> None:
    alpha = random_pixels(10, 12, dtype=dtype, seed=5)
    alpha[2:5, 3:8] = 0
    for channels in (1, 3):
        source, destination = tmp_path / f"{channels}.png", tmp_path / "out" / f"{channels}.png"
        write_picture(Picture(random_pixels(10, 12, channels, dtype=dtype), alpha), source)
        run(loaded, source, destination)
        result = read_picture(destination)
        assert result.pixels.shape == (10, 12, channels)
        assert result.alpha is not None
        np.testing.assert_array_equal(result.alpha, alpha)


def test_what_lies_under_full_transparency_does_not_smear_over_the_visible(
    loaded: Model, tmp_path: Path, run: Run
) -> None:
    visible = np.zeros((24, 24), np.uint8)
    visible[6:18, 6:18] = 255
    pixels = np.full((24, 24, 3), 90, np.uint8)
    result = []
    for name, hidden in (("black.png", 0), ("white.png", 255)):
        pixels[visible == 0] = hidden
        write_picture(Picture(pixels, visible), tmp_path / name)
        run(loaded, tmp_path / name, tmp_path / "out")
        result.append(read_picture(tmp_path / "out" / name).pixels)
    np.testing.assert_array_equal(result[0], result[1])


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_stay_sixteen_bits(unchanged: Models, tmp_path: Path, name: str, channels: int, run: Run) -> None:
    pixels = random_pixels(9, 11, channels, dtype=np.uint16)
    assert (pixels % 257 != 0).any()  # more than eight bits could say
    write_picture(Picture(pixels), tmp_path / name)
    run(unchanged(), tmp_path / name, tmp_path / "out")
    result = read_picture(tmp_path / "out" / name).pixels
    if channels == 3:
        np.testing.assert_array_equal(result, pixels)
    else:  # through colours and back
        assert result.dtype == np.uint16
        assert np.abs(result.astype(int) - pixels).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_comes_back_upright(unchanged: Models, tmp_path: Path, orientation: int, run: Run) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("a.png", "b.tif"):
        Image.fromarray(random_pixels(6, 9, 3)).save(folder / name, exif=exif)
    upright = read_picture(folder / "a.png").pixels
    assert upright.shape == ((9, 6, 3) if orientation > 4 else (6, 9, 3))
    assert set(statuses(run(unchanged(), folder, tmp_path / "out")).values()) == {"ok"}
    for name in ("a.png", "b.tif"):
        with Image.open(tmp_path / "out" / name) as result:
            assert result.getexif().get(0x0112, 1) == 1
            np.testing.assert_array_equal(np.asarray(result), upright)


def test_a_larger_translation_enlarges_alpha_alike(unchanged: Models, tmp_path: Path, run: Run) -> None:
    alpha = np.zeros((6, 8), np.uint8)
    alpha[:, 4:] = 255
    write_picture(Picture(random_pixels(6, 8, 3), alpha), tmp_path / "a.png")
    run(unchanged(scale=4), tmp_path / "a.png", tmp_path / "out")
    result = read_picture(tmp_path / "out" / "a.png")
    assert result.alpha is not None
    assert (result.pixels.shape, result.alpha.shape) == ((24, 32, 3), (24, 32))
    assert result.alpha[:, :12].max() == 0
    assert result.alpha[:, 20:].min() == 255


@pytest.mark.parametrize("work_size", [5, 16, 40])
def test_a_work_size_is_for_the_model_only(
    unchanged: Models, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, work_size: int, run: Run, noise: Noise
) -> None:
    model, seen = unchanged(), []
    model.translator.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape[-2:]))
    folder = noise(tmp_path / "in", "wide.png", size=(16, 33))
    noise(folder, "tall.png", size=(40, 10))
    noise(folder, "pixel.png", size=(1, 1))
    assert set(statuses(run(model, folder, tmp_path / "out", work_size=work_size)).values()) == {"ok"}
    assert {min(shape) for shape in seen} == {work_size}
    for name in files_in(folder):
        assert read_picture(tmp_path / "out" / name).pixels.shape == read_picture(folder / name).pixels.shape


def test_a_work_size_keeps_the_depth(unchanged: Models, tmp_path: Path, run: Run) -> None:
    gradient = np.linspace(0, 65535, 32 * 32 * 3).astype(np.uint16).reshape(32, 32, 3)
    write_picture(Picture(gradient), tmp_path / "a.png")
    run(unchanged(), tmp_path / "a.png", tmp_path / "out", work_size=16)
    result = read_picture(tmp_path / "out" / "a.png").pixels
    assert result.dtype == np.uint16
    assert (result % 257 != 0).mean() > 0.9


def test_a_model_of_one_size_fails_other_sizes_in_a_sentence_each(
    unchanged: Models, tmp_path: Path, run: Run, noise: Noise
) -> None:
    model = unchanged()
    model.translator.only_size = 16
    folder = noise(tmp_path / "in", "fits.png", size=(16, 16))
    noise(folder, "large.png", size=(32, 32))
    noise(folder, "wide.png", size=(16, 33))
    outcomes = run(model, folder, tmp_path / "out")
    assert outcomes["fits.png"].status == "ok"
    expected = "expected 16x16 pixels, the only size of this model, found"
    assert outcomes["large.png"].reason == f"large.png: {expected} 32x32; scale it, as a `work_size` of 16 does"
    assert outcomes["wide.png"].reason == f"wide.png: {expected} 33x16; cut it to a square first"
    again = statuses(run(model, folder, tmp_path / "again", work_size=16))
    assert again == {"fits.png": "ok", "large.png": "ok", "wide.png": "failed"}
    with pytest.raises(UserError, match="found 33x16; cut it to a square first"):
        model(np.zeros((16, 33, 3), np.uint8))


def test_a_domain_is_what_the_model_aims_for(unchanged: Models, tmp_path: Path, run: Run, noise: Noise) -> None:
    folder = noise(tmp_path / "in", "a.png")
    model = unchanged(domains=("positive", "negative"))
    run(model, folder, tmp_path / "out", to="negative")
    negative = read_picture(tmp_path / "out" / "a.png").pixels
    np.testing.assert_array_equal(negative, 255 - read_picture(folder / "a.png").pixels)
    original = read_picture(folder / "a.png").pixels
    np.testing.assert_array_equal(model(original, to="negative"), negative)
    with pytest.raises(UserError, match="neutral: this model has the domains positive, negative"):
        model(original, to="neutral")


def test_alpha_that_the_format_cannot_hold_is_a_failure_unless_a_background_is_named(
    unchanged: Models, tmp_path: Path, run: Run
) -> None:
    alpha = np.zeros((4, 4), np.uint8)
    write_picture(Picture(random_pixels(4, 4, 3), alpha), tmp_path / "a.png")
    refused = run(unchanged(), tmp_path / "a.png", tmp_path / "a.jpg", save={"format": "jpeg"})
    assert statuses(refused) == {"a.png": "failed"}
    assert not (tmp_path / "a.jpg").exists()
    save = {"format": "jpeg", "background": "white"}
    assert statuses(run(unchanged(), tmp_path / "a.png", tmp_path / "a.jpg", save=save)) == {"a.png": "ok"}
    assert read_picture(tmp_path / "a.jpg").pixels.min() >= 250


def test_a_model_that_draws_gives_one_picture_one_file(
    make_model: Callable[..., Path], tmp_path: Path, run: Run, noise: Noise
) -> None:
    drawing = (
        "model.dropout_at_inference=true",
        "model.generator.depth=6",
        "model.generator.dropout=0.5",
        "data.crop.size=64",
    )
    model = load_model(make_model(tmp_path / "draws.safetensors", *drawing), device="cpu")
    assert model.translator.draws
    folder = noise(tmp_path / "in", "a.png", "b.png", "c.png")
    (folder / "twin of a.png").write_bytes((folder / "a.png").read_bytes())
    for place, options in (("1", {"batch": 1}), ("4", {"batch": 4}), ("shard", {"shard": (2, 3)})):
        torch.manual_seed(len(place))
        run(model, folder, tmp_path / place, **options)
    for name in files_in(folder):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "4" / name).read_bytes()
    assert (tmp_path / "shard" / "b.png").read_bytes() == (tmp_path / "1" / "b.png").read_bytes()
    assert (tmp_path / "1" / "twin of a.png").read_bytes() != (tmp_path / "1" / "a.png").read_bytes()


def test_values_that_are_no_numbers_are_failures_and_no_files(
    loaded: Model, tmp_path: Path, run: Run, noise: Noise
) -> None:
    next(iter(loaded.translator.parameters())).fill_(float("nan"))
    folder = noise(tmp_path / "in", "a.png", "b.png")
    outcomes = run(loaded, folder, tmp_path / "out", batch=2)
    assert statuses(outcomes) == {"a.png": "failed", "b.png": "failed"}
    assert "the model's output is not finite" in (outcomes["a.png"].reason or "")
    assert files_in(tmp_path / "out") <= {"manifest.jsonl"}


def test_a_batch_that_did_not_fit_is_out_of_memory_before_its_pictures_are_tried_alone(
    unchanged: Models, tmp_path: Path, run: Run, noise: Noise
) -> None:
    failed: list[weakref.ref[torch.Tensor]] = []
    alive_at_retry: list[bool] = []

    class Small(Model):
        def run(self, images: torch.Tensor, *arguments: Any, **settings: Any) -> torch.Tensor:
            if len(images) > 1:
                failed.append(weakref.ref(images))
                raise RuntimeError("[enforce fail] can't allocate memory: you tried to allocate")
            alive_at_retry.append(failed[-1]() is not None)
            return super().run(images, *arguments, **settings)

    model = unchanged()
    small = Small(**{field.name: getattr(model, field.name) for field in fields(model)})
    folder = noise(tmp_path / "in", "a.png", "b.png", "c.png")
    assert set(statuses(run(small, folder, tmp_path / "out", batch=3)).values()) == {"ok"}
    assert alive_at_retry == [False, False, False]


def test_a_size_that_the_format_cannot_hold_is_known_before_the_work(
    unchanged: Models, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    Image.new("RGB", (4096, 8)).save(tmp_path / "in" / "wide.webp")
    model = unchanged(scale=4)
    plan = make_plan(model.translator, None, tmp_path / "in", tmp_path / "out", RunOptions())
    sentence = (
        "wide.webp: the output's 16384 × 32 pixels are more than WEBP holds (16383 a side): set `format` to png or tiff"
    )
    assert find_problem(plan.jobs[0], RunOptions(), 4) == Problem(sentence)
    monkeypatch.setattr(Model, "run", lambda *arguments: pytest.fail("was computed"))
    assert run(model, tmp_path / "in", tmp_path / "out")["wide.webp"].reason == sentence


def test_progress_is_shown_from_python_where_it_is_asked_for(
    unchanged: Models, tmp_path: Path, noise: Noise, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "SECONDS_PER_LINE", 0.01)
    folder = noise(tmp_path / "in", *(f"{number}.png" for number in range(30)))
    for shown in (False, True):
        list(translate_folder(unchanged(), folder, tmp_path / str(shown), progress=shown))
        assert ("of 30 done" in capfd.readouterr().err) == shown
