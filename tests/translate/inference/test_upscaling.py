"""Enlarging pictures in memory: by the models that ship, or by one's own."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from datasets.errors import UserError
from translate.files import file_digest
from translate.inference.model import Model, load_model
from translate.inference.model_file import model_path
from translate.inference.upscaling import join_models, load_upscaler, upscale

PIXELS = np.random.default_rng(0).integers(0, 256, (10, 12, 3), np.uint8)


def test_a_picture_is_enlarged_by_the_model_that_ships(tmp_path: Path) -> None:
    enlarged = upscale(PIXELS, scale=2)
    np.testing.assert_array_equal(enlarged, load_model("upscale-x2")(PIXELS))
    assert upscale(Image.fromarray(PIXELS), 2).size == (24, 20)
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    assert [picture.width for picture in upscale([tmp_path / "a.png"], 2)] == [24]


def test_ones_own_model_decides_the_scale(unchanged: Callable[..., Model], make_model: Callable[..., Path]) -> None:
    assert upscale(PIXELS, model=unchanged(scale=3)).shape == (30, 36, 3)
    with pytest.raises(UserError, match="`scale` 4: this model enlarges 3 times; leave `scale` out"):
        upscale(PIXELS, 4, unchanged(scale=3))
    with pytest.raises(UserError, match="`scale` 4: upscale-x2 enlarges 2 times"):
        upscale(PIXELS, 4, "upscale-x2")
    with pytest.raises(UserError, match="this model: does not enlarge; `translate run` is for it"):
        upscale(PIXELS, model=unchanged())
    with pytest.raises(UserError, match="inpaint: does not enlarge; `translate inpaint` is for it"):
        upscale(PIXELS, model="inpaint")


def test_a_kind_of_input_is_for_the_models_that_ship() -> None:
    upscaler, expected = load_upscaler(4, "compressed", precision="fp32"), model_path("upscale-x4-compressed")
    assert upscaler.digest == file_digest(expected)
    with pytest.raises(UserError, match="`input_kind` chooses among the models that ship"):
        load_upscaler(input_kind="clean", model="upscale-x2")


def test_a_joined_model_enlarges_each_picture_with_the_model_for_its_kind():
    clean, compressed = (load_upscaler(4, kind, precision="fp32") for kind in ("clean", "compressed"))
    joined = join_models(clean, compressed)
    assert (joined.translator.scale, joined.translator.margin) == (4, clean.translator.margin)
    photograph = np.array(Image.fromarray(skimage.data.astronaut()).resize((160, 160), Image.Resampling.BICUBIC))
    noise = np.random.default_rng(0).normal(0, 12, photograph.shape)
    noisy = np.clip(photograph + noise, 0, 255).astype(np.uint8)
    assert np.array_equal(joined(photograph), clean(photograph))
    assert np.array_equal(joined(noisy), compressed(noisy))
    assert not np.array_equal(joined(noisy), clean(noisy))
