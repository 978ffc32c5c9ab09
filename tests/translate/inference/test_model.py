"""A loaded model takes pictures of every kind that Python knows, and gives back the same kind."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from datasets.codecs.images import Picture, PictureError, read_picture
from datasets.errors import UserError
from datasets.pixels import to_floats, to_pixels, to_tensor
from models.contract import DomainError, Translator
from translate.folders.translated_folder import translate_folder
from translate.hardware import Numerics
from translate.inference.model import Model, load_model
from translate.inference.model_file import ModelError


@pytest.fixture
def pixels() -> np.ndarray:
    """(20, 30, 3) uint8 of random levels."""
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def test_all_kinds_of_one_picture_are_translated_alike(loaded: Model, pixels: np.ndarray, tmp_path: Path) -> None:
    array = loaded(pixels)
    assert array.shape == pixels.shape
    assert array.dtype == np.uint8
    assert np.abs(array.astype(int) - pixels).max() > 20
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    np.testing.assert_array_equal(np.asarray(loaded(Image.fromarray(pixels))), array)
    np.testing.assert_array_equal(loaded(Picture(pixels)).pixels, array)
    for name in (path, str(path)):
        from_file = loaded(name)
        assert isinstance(from_file, Picture)
        assert from_file.origin is not None
        np.testing.assert_array_equal(from_file.pixels, array)
    tensor = loaded(to_tensor(to_floats(pixels)))
    assert (tensor.shape, tensor.dtype) == ((3, 20, 30), torch.float32)
    np.testing.assert_array_equal(to_pixels(tensor, 8), array)


def test_a_call_does_what_a_folder_does(loaded: Model, photos: Path, tmp_path: Path) -> None:
    list(translate_folder(loaded, photos, tmp_path / "out"))
    np.testing.assert_array_equal(loaded(photos / "b.png").pixels, read_picture(tmp_path / "out" / "b.png").pixels)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "I;16"])
def test_a_pil_image_comes_back_upright_and_in_its_kind(loaded: Model, mode: str) -> None:
    image = Image.linear_gradient("L").resize((20, 30))
    image = Image.fromarray(np.asarray(image).astype(np.uint16) * 200) if mode == "I;16" else image.convert(mode)
    exif = image.getexif()
    exif[274] = 6
    image.info["exif"] = exif.tobytes()
    output = loaded(image)
    assert (output.mode, output.size) == ("RGB" if mode == "P" else mode, (30, 20))
    if mode == "I;16":
        assert np.asarray(output).max() > 40_000


def test_a_pil_image_brings_no_thumbnail_of_the_old_picture(loaded: Model) -> None:
    image = Image.new("RGB", (20, 30))
    image.info |= {"xmp": b'<rdf:Description xmp:Rating="3" hdrgm:Version="1.0"/>', "photoshop": {0x040C: b"thumbnail"}}
    assert loaded(image).info == {"xmp": b'<rdf:Description xmp:Rating="3"/>'}


@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 1), (9, 7, 2), (9, 7, 3), (9, 7, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_array_keeps_its_shape_and_its_alpha(unchanged: Callable[..., Model], shape: Any, dtype: Any) -> None:
    array = np.random.default_rng(0).integers(1, np.iinfo(dtype).max, shape).astype(dtype)
    output = unchanged()(array)
    assert (output.shape, output.dtype) == (shape, dtype)
    assert np.abs(output.astype(int) - array).max() <= (1 if len(shape) == 2 or shape[2] < 3 else 0)


def test_a_batch_of_tensors_is_a_batch_of_their_kind(unchanged: Callable[..., Model]) -> None:
    images = torch.rand(2, 3, 8, 6, dtype=torch.float64) * 2 - 1
    output = unchanged(scale=2)(images)
    assert (output.shape, output.dtype) == ((2, 3, 16, 12), torch.float64)
    torch.testing.assert_close(output[..., ::2, ::2], images, rtol=0, atol=1e-6)
    assert unchanged(1, 3)(torch.zeros(1, 5, 4)).shape == (3, 5, 4)


def test_a_list_gives_a_list(unchanged: Callable[..., Model], photos: Path, pixels: np.ndarray) -> None:
    outputs = unchanged()([photos / "a.png", photos / "b.png"])
    assert [(output.width, output.height) for output in outputs] == [(40, 30), (31, 53)]
    assert [output.shape for output in unchanged(scale=2)([pixels, pixels[:4]])] == [(40, 60, 3), (8, 60, 3)]
    assert unchanged()([]) == []


def test_domains_are_named(unchanged: Callable[..., Model], pixels: np.ndarray) -> None:
    model = unchanged(domains=("positive", "negative"))
    np.testing.assert_array_equal(model(pixels, to="negative"), 255 - pixels)
    with pytest.raises(DomainError, match="positive, negative: choose one"):
        model(pixels)
    with pytest.raises(DomainError, match="sepia: this model has the domains positive, negative"):
        model([pixels], to="sepia")


class Sizes(Translator):
    """Remembers the sizes that it sees, and with how many threads."""

    margin: int | None = 2

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, ...]] = []
        self.threads: set[int] = set()

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        self.seen.append(tuple(image.shape[-2:]))
        self.threads.add(torch.get_num_threads())
        return image


@pytest.fixture
def sizes(unchanged: Callable[..., Model]) -> tuple[Model, Sizes]:
    network = Sizes()
    return replace(unchanged(), translator=network), network


def test_a_work_size_is_the_models_and_not_the_pictures(sizes: tuple[Model, Sizes], pixels: np.ndarray) -> None:
    model, network = sizes
    assert model(pixels, work_size=10).shape == (20, 30, 3)
    assert model(to_tensor(to_floats(pixels)), work_size=40).shape == (3, 20, 30)
    assert network.seen == [(10, 15), (40, 60)]


def test_tiles_are_cut_where_asked_for(sizes: tuple[Model, Sizes]) -> None:
    model, network = sizes
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    np.testing.assert_array_equal(model(picture, tile=32), picture)
    assert len(network.seen) == 4
    network.margin = None
    with pytest.raises(UserError, match="`tile` 32: this model looks at the whole picture"):
        model(picture, tile=32)


def test_the_models_threads_compute_and_the_hosts_come_back(sizes: tuple[Model, Sizes], pixels: np.ndarray) -> None:
    model, network = sizes
    torch.set_num_threads(2)
    replace(model, numerics=Numerics("fp32", "contiguous", 1))(pixels)
    assert network.threads == {1}
    assert torch.get_num_threads() == 2


def test_deep_and_flat_pictures_are_computed_in_float32(model_file: Path) -> None:
    exact, rounded = (load_model(model_file, device="cpu", precision=precision) for precision in ("fp32", "bf16"))
    deep = np.random.default_rng(0).integers(0, 65536, (32, 32, 3)).astype(np.uint16)
    flat = np.full((32, 32, 3), 128, np.uint8)
    flat[0, 0] = 129
    for picture in (deep, flat):
        np.testing.assert_array_equal(rounded(picture), exact(picture))
    assert (rounded(deep.astype(np.uint8)) != exact(deep.astype(np.uint8))).any()


class Broken(Translator):
    """Gives no numbers in bfloat16; in float32 only for black pictures."""

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        rounded = torch.is_autocast_enabled("cpu")
        return torch.full_like(image, torch.nan) if rounded or image.max() < 0 else image


def test_what_is_no_number_is_computed_again_and_never_returned(
    unchanged: Callable[..., Model], pixels: np.ndarray
) -> None:
    model = replace(unchanged(), translator=Broken(), numerics=Numerics("bf16", "contiguous", 1))
    np.testing.assert_array_equal(model(pixels), pixels)
    with pytest.raises(UserError, match="output is not finite"):
        model(pixels // 4)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (Image.new("F", (4, 4)), "mode F has no defined range"),
        (Image.new("I", (4, 4)), "mode I has no defined range"),
        (np.zeros((0, 5, 3), np.uint8), r"found ndarray of uint8 and shape \(0, 5, 3\), which has no pixels"),
        (np.zeros((4, 4)), r"found ndarray of float64 and shape \(4, 4\)"),
        (np.zeros((4, 4, 5), np.uint8), r"shape \(4, 4, 5\)"),
        (7, "expected a PIL image, a path, or an array .* found int"),
        (torch.zeros(4, 4), r"expected a float tensor \(3, H, W\) .* found one of torch.float32 and shape \(4, 4\)"),
        (torch.zeros(4, 4, 4), r"shape \(1, 4, 4, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), "found one of torch.uint8"),
    ],
)
def test_what_is_no_picture_is_a_sentence(unchanged: Callable[..., Model], image: Any, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        unchanged()(image)


def test_a_file_that_is_not_there_is_a_sentence(unchanged: Callable[..., Model], tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"missing\.png: there is no such file"):
        unchanged()(tmp_path / "missing.png")


def test_a_model_of_one_size_and_one_that_fills_holes_say_so(unchanged: Callable[..., Model]) -> None:
    model = unchanged()
    model.translator.only_size = 8
    assert model(torch.zeros(3, 8, 8)).shape == (3, 8, 8)
    for image in (np.zeros((9, 9, 3), np.uint8), torch.zeros(3, 9, 9)):
        with pytest.raises(UserError, match=r"expected 8x8 pixels, .* found 9x9; scale it, as a `work_size` of 8 does"):
            model(image)
        assert model(image, work_size=8).shape == image.shape
    with pytest.raises(UserError, match="needs a mask; use `inpaint`"):
        unchanged(4)(np.zeros((9, 9, 3), np.uint8))


def test_a_sampler_is_no_model(tmp_path: Path, sampler_file: Path) -> None:
    with pytest.raises(ModelError, match="makes pictures from noise"):
        load_model(sampler_file, device="cpu")


def test_loading_draws_no_numbers_and_keeps_none_for_gradients(model_file: Path) -> None:
    before = torch.get_rng_state()
    model = load_model(model_file, device="cpu")
    assert torch.equal(torch.get_rng_state(), before)
    assert not model.translator.training
    assert not any(parameter.requires_grad for parameter in model.translator.parameters())
