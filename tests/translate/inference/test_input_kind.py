"""What a picture is found to be, from its JPEG's tables, its blocks and its noise."""

import io

import numpy as np
import pytest
import skimage
from PIL import Image

from datasets.codecs.images import Picture, read_picture
from translate.inference.input_kind import estimate_jpeg_quality, estimate_noise, find_input_kind, measure_blockiness


def photograph() -> Image.Image:
    image = Image.fromarray(skimage.data.astronaut())
    return image.resize((256, 256), Image.Resampling.BICUBIC)


def compress(image: Image.Image, quality: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


@pytest.mark.parametrize("quality", [20, 30, 50, 75, 90, 97])
def test_the_quality_that_pillow_saved_with_is_found(tmp_path, quality):
    photograph().save(tmp_path / "a.jpg", quality=quality)
    origin = read_picture(tmp_path / "a.jpg").origin
    assert origin is not None
    assert estimate_jpeg_quality(origin.jpeg_tables[0]) == pytest.approx(quality, abs=1)


def test_the_table_of_the_standard_has_a_quality_of_50():
    table = Image.open(io.BytesIO(_jpeg(50))).quantization[0]  # type: ignore[attr-defined]
    assert estimate_jpeg_quality(tuple(table)) == 50


def _jpeg(quality: int) -> bytes:
    stream = io.BytesIO()
    photograph().save(stream, "JPEG", quality=quality)
    return stream.getvalue()


@pytest.mark.parametrize("deviation", [0, 1, 2, 5, 10])
def test_noise_on_a_slope_is_measured(deviation):
    slope = np.add.outer(np.linspace(50, 100, 512), np.linspace(0, 100, 512))
    noisy = slope + np.random.default_rng(0).normal(0, 1, slope.shape) * deviation
    assert estimate_noise(noisy.astype(np.float32)) == pytest.approx(deviation, rel=0.15, abs=1e-4)


@pytest.mark.parametrize("offset", [0, 3])
def test_blocks_are_seen_wherever_they_begin(offset):
    blocks = np.kron(np.random.default_rng(0).normal(0, 1, (30, 30)), np.ones((8, 8)))
    smooth = np.random.default_rng(1).normal(0, 1, (240, 240))
    assert measure_blockiness((smooth + blocks)[offset:, offset:].astype(np.float32)) > 1.1
    assert measure_blockiness(smooth.astype(np.float32)) < 1.1


@pytest.mark.parametrize(
    ("made", "compressed", "reason"),
    [
        (lambda image: image, False, "neither"),
        (lambda image: compress(image, 60), True, "blocks"),
        (lambda image: Image.fromarray(_add_noise(np.asarray(image), 8)), True, "noise"),
    ],
)
def test_a_png_shows_what_it_was_before(made, compressed, reason):
    kind = find_input_kind(Picture(np.array(made(photograph()))))
    assert kind.compressed == compressed
    assert reason in kind.reason


@pytest.mark.parametrize(("quality", "compressed"), [(60, True), (85, True), (98, False)])
def test_a_jpeg_says_its_quality(tmp_path, quality, compressed):
    photograph().save(tmp_path / "a.jpg", quality=quality)
    kind = find_input_kind(read_picture(tmp_path / "a.jpg"))
    assert kind.compressed == compressed
    assert (f"quality {quality}" in kind.reason) == compressed


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (16, 16), (7, 300)])
def test_any_size_is_measured(shape):
    find_input_kind(Picture(np.zeros((*shape, 3), np.uint8)))
    find_input_kind(Picture(np.zeros((*shape, 1), np.uint16)))


def _add_noise(pixels, deviation):
    noisy = pixels + np.random.default_rng(0).normal(0, deviation, pixels.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)
