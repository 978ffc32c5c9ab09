"""Half an effect: exact at both ends and in between, for every kind of picture."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import translate
from datasets.codecs.images import Picture, read_picture
from datasets.errors import UserError
from datasets.pixels import resize
from models.contract import Translator
from translate.experiment import Experiment
from translate.folders.options import RunOptions
from translate.folders.translated_folder import translate_folder
from translate.hardware import Numerics
from translate.inference.model import Model
from translate.inference.model_file import Card
from translate.inference.strength import blend_pictures, blend_tensors
from translate.inpainting.masked_folder import inpaint_folder

DRAWS = np.random.default_rng(0)


class Negative(Translator):
    """Gives the negative of gray or colours; with four channels, alpha that falls from left to right."""

    def __init__(self, channels_in: int = 3, channels_out: int = 3, scale: int = 1) -> None:
        super().__init__()
        self.channels_in, self.channels_out, self.scale = channels_in, channels_out, scale

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        image = -image[:, :3]
        image = image.mean(1, keepdim=True) if self.channels_out == 1 else image.expand(-1, 3, -1, -1)
        if self.channels_out == 4:
            alpha = torch.linspace(1, -1, image.shape[-1]).expand_as(image[:, :1])
            image = torch.cat([image, alpha], 1)
        return image.repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)


@pytest.fixture
def negative(tiny: Callable[..., Experiment]) -> Callable[..., Model]:
    """`negative(channels_in=3, channels_out=3, scale=1)`: a model whose outputs are known."""

    def build(channels_in: int = 3, channels_out: int = 3, scale: int = 1) -> Model:
        card = Card(experiment=tiny(recipe="pix2pix"), step=0, trained_size=16)
        network = Negative(channels_in, channels_out, scale).eval()
        return Model(network, card, "negative", torch.device("cpu"), Numerics("fp32", "contiguous", 1))

    return build


@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 2), (9, 7, 3), (9, 7, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_each_level_is_the_mean_of_both_by_strength(negative: Callable[..., Model], shape, dtype) -> None:
    highest = np.iinfo(dtype).max
    array = DRAWS.integers(0, highest, shape, dtype, endpoint=True)
    model = negative()
    output = model(array)
    np.testing.assert_array_equal(model(array, strength=1), output)
    np.testing.assert_array_equal(model(array, strength=0), array)
    mixed = model(array, strength=0.25)
    assert (mixed.shape, mixed.dtype) == (array.shape, array.dtype)
    # 75 % of the picture and 25 % of its negative, in exact arithmetic, to the nearest level.
    assert np.abs(mixed - (0.75 * array + 0.25 * output)).max() <= 0.5
    if len(shape) == 3 and shape[2] in (2, 4):
        np.testing.assert_array_equal(mixed[:, :, -1], array[:, :, -1])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_at_zero_an_upscaler_is_bicubic(negative: Callable[..., Model], channels: int) -> None:
    array = DRAWS.integers(1, 256, (8, 5, channels), np.uint8)
    model = negative(scale=3)
    colours = 1 if channels < 3 else 3
    larger = np.dstack([resize(part, 15, 24) for part in (array[:, :, :colours], array[:, :, colours:]) if part.size])
    np.testing.assert_array_equal(model(array, strength=0), larger)
    between, output = model(array, strength=0.5).astype(float), model(array)
    assert np.abs(between - (larger.astype(float) + output) / 2).max() <= 0.5


def test_gray_and_colours_mix_to_colours(negative: Callable[..., Model]) -> None:
    gray, colours = DRAWS.integers(0, 256, (9, 7, 1), np.uint8), DRAWS.integers(0, 256, (9, 7, 3), np.uint8)
    from_gray = negative(channels_in=1)(gray, strength=0.5)
    np.testing.assert_allclose(from_gray, np.full((9, 7, 3), 127.5), atol=0.5)
    np.testing.assert_array_equal(negative(channels_in=1)(gray, strength=0), np.repeat(gray, 3, axis=2))
    to_gray = negative(channels_out=1)
    np.testing.assert_array_equal(to_gray(colours, strength=0), colours)
    assert np.abs(to_gray(colours, strength=0.5) - (colours.astype(float) + to_gray(colours)) / 2).max() <= 0.5


def test_alpha_that_a_model_makes_weighs_the_colours(negative: Callable[..., Model]) -> None:
    model = negative(channels_in=4, channels_out=4)
    picture = Picture(DRAWS.integers(0, 256, (9, 7, 3), np.uint8))
    output, mixed = model(picture), model(picture, strength=0.5)
    assert output.alpha is not None
    assert mixed.alpha is not None
    np.testing.assert_allclose(mixed.alpha, (255 + output.alpha.astype(float)) / 2, atol=0.5)
    # Where the output is transparent only the picture's own colours are left, and where it is opaque their mean.
    np.testing.assert_array_equal(mixed.pixels[:, -1], picture.pixels[:, -1])
    np.testing.assert_allclose(mixed.pixels[:, 0], 127.5, atol=0.5)
    before = model(picture, strength=0)
    np.testing.assert_array_equal(before.pixels, picture.pixels)
    assert before.alpha is not None
    assert before.alpha.min() == 255


def test_hidden_colours_are_kept_and_never_smeared(negative: Callable[..., Model]) -> None:
    pixels, alpha = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8)
    pixels[:, :4], pixels[:, 4:], alpha[:, :4] = 200, 7, 255  # the half with 7 is transparent
    picture = Picture(pixels, alpha)
    np.testing.assert_array_equal(negative()(picture, strength=0).pixels, pixels)
    larger = negative(scale=2)(picture, strength=0)
    assert larger.alpha is not None
    assert larger.pixels[larger.alpha > 0].min() == 200


def test_large_pictures_are_mixed_in_bands() -> None:
    before, after = (Picture(DRAWS.integers(0, 65536, (300, 3, 3), np.uint16)) for _ in range(2))
    mixed = blend_pictures(before, after, 0.3).pixels
    assert np.abs(mixed - (0.7 * before.pixels + 0.3 * after.pixels)).max() <= 0.51


def test_tensors_mix_too(negative: Callable[..., Model]) -> None:
    image = torch.rand(2, 3, 6, 5) * 2 - 1
    torch.testing.assert_close(negative()(image, strength=0.25), 0.5 * image)
    torch.testing.assert_close(negative()(image[0], strength=0), image[0])
    with pytest.raises(UserError, match="3 channels cannot be mixed with its translation of 4"):
        blend_tensors(image, torch.rand(2, 4, 6, 5), 0.5)


@pytest.mark.parametrize("strength", [-0.1, 1.5, float("nan")])
def test_other_strengths_are_refused(negative: Callable[..., Model], strength: float, photos: Path) -> None:
    with pytest.raises(UserError, match=r"`strength` .*: expected 0"):
        negative()(photos / "a.png", strength=strength)
    with pytest.raises(UserError, match="strength"):
        RunOptions(strength=strength)
    with pytest.raises(UserError, match="strength"):
        translate.upscale(photos / "a.png", 2, strength=strength)


def test_a_hole_has_nothing_to_be_mixed_with(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"`strength` 0\.5: a filled hole"):
        inpaint_folder("telea", photos, tmp_path / "out", "alpha", options=RunOptions(strength=0.5))


def test_a_folder_does_what_a_call_does_and_tells_it(
    negative: Callable[..., Model], photos: Path, tmp_path: Path
) -> None:
    def run(strength: float, on_exists: str) -> dict[str, str]:
        options = RunOptions.model_validate({"strength": strength, "on_exists": on_exists})
        outcomes = list(translate_folder(model, photos, tmp_path / "out", options))
        assert {outcome.record.get("strength", 1) for outcome in outcomes if outcome.status == "ok"} <= {strength}
        return {outcome.name.name: outcome.status for outcome in outcomes}

    model = negative()
    assert set(run(0.5, "error").values()) == {"ok"}
    np.testing.assert_array_equal(
        read_picture(tmp_path / "out" / "b.png").pixels, model(photos / "b.png", strength=0.5).pixels
    )
    assert set(run(0.5, "skip").values()) == {"skipped"}
    assert set(run(0.4, "skip").values()) == {"failed"}  # another model or other options made what is there
    assert set(run(1, "skip").values()) == {"failed"}
    assert set(run(1, "overwrite").values()) == {"ok"}
    assert set(run(1, "skip").values()) == {"skipped"}


def test_the_command_line_has_it(command, model_file: Path, photos: Path, tmp_path: Path) -> None:
    exactly = ("--precision", "fp32", "--device", "cpu")
    ended = command("run", model_file, photos / "b.png", tmp_path / "b.png", "--strength", 0, *exactly)
    assert ended.code == 0, ended.err
    np.testing.assert_array_equal(read_picture(tmp_path / "b.png").pixels, read_picture(photos / "b.png").pixels)
    ended = command("upscale", photos / "b.png", tmp_path / "larger.png", "--scale", 2, "--strength", 0, *exactly)
    assert ended.code == 0, ended.err
    with Image.open(photos / "b.png") as small, Image.open(tmp_path / "larger.png") as larger:
        np.testing.assert_array_equal(np.asarray(larger), resize(np.asarray(small), 62, 106))
    assert command("run", model_file, photos, tmp_path / "out", "--strength", 2).code == 2
