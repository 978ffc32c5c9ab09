"""OpenCV's inpainting behind the contract of translators, at 16 bits."""

from typing import get_args

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from models.apply import translate_batch
from models.baselines.opencv import Classical, ClassicalName

METHODS = get_args(ClassicalName)


def scene(height: int = 48, width: int = 64) -> Tensor:
    """(3, H, W) in [-1, 1]: slopes and waves."""
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    return torch.stack([2 * x - 1, torch.sin(7 * x) * torch.cos(5 * y), 1 - 2 * y])


def holed(image: Tensor, *boxes: tuple[int, int, int, int]) -> Tensor:
    hole = torch.zeros(1, *image.shape[-2:])
    for top, left, bottom, right in boxes:
        hole[:, top:bottom, left:right] = 1
    return torch.cat([image, hole])


@pytest.mark.parametrize("method", METHODS)
def test_it_equals_opencv_on_each_channel_at_16_bits(method: ClassicalName) -> None:
    given = holed(scene(), (10, 12, 30, 40), (0, 50, 8, 64))
    output = translate_batch(Classical(method), given[None])[0]
    flag = {"telea": cv2.INPAINT_TELEA, "navier-stokes": cv2.INPAINT_NS}[method]
    for before, after in zip(given[:3], output, strict=True):
        levels = ((before.double() + 1) / 2 * 65535).round().numpy().astype(np.uint16)
        expected = cv2.inpaint(levels, (given[3].numpy() * 255).astype(np.uint8), 3, flag)
        assert np.abs((after.numpy().astype(np.float64) + 1) / 2 * 65535 - expected).max() <= 1


@pytest.mark.parametrize("method", METHODS)
def test_known_pixels_are_unchanged(method: ClassicalName) -> None:
    given = holed(scene(), (10, 12, 30, 40))
    output = translate_batch(Classical(method), given[None])[0]
    assert torch.equal(output[:, given[3] == 0], given[:3, given[3] == 0])
    assert not torch.equal(output, given[:3])


@pytest.mark.parametrize("method", METHODS)
def test_the_content_of_a_hole_is_ignored(method: ClassicalName) -> None:
    given = holed(scene(), (10, 12, 30, 40))
    other = given.clone()
    other[:3, given[3] == 1] = torch.rand(3, int(given[3].sum())) * 2 - 1
    assert torch.equal(*(translate_batch(Classical(method), image[None]) for image in (given, other)))


@pytest.mark.parametrize("method", METHODS)
def test_one_colour_is_led_on_exactly_and_slopes_nearly(method: ClassicalName) -> None:
    flat = torch.tensor([-1.0, 1001 / 32767.5 - 1, 1.0])[:, None, None].expand(3, 48, 64)
    output = translate_batch(Classical(method), holed(flat, (10, 12, 30, 40))[None])[0]
    assert (output - flat).abs().max() <= 3.01 / 32767.5  # levels of 16 bits, which 8 bits could not tell
    given = holed(scene(), (20, 28, 26, 34))
    output = translate_batch(Classical(method), given[None])[0]
    assert (output - given[:3]).abs().max() < 0.3


@pytest.mark.parametrize("method", METHODS)
def test_holes_may_touch_every_border_and_leave_nothing(method: ClassicalName) -> None:
    given = holed(scene(), (0, 0, 48, 20), (0, 0, 10, 64), (40, 0, 48, 64), (0, 50, 48, 64))
    output = translate_batch(Classical(method), given[None])[0]
    assert output.isfinite().all()
    assert (output[:, given[3] == 1] - given[:3, given[3] == 1]).abs().max() > 0.01
    everything = holed(scene(), (0, 0, 48, 64))
    assert torch.allclose(translate_batch(Classical(method), everything[None])[0], everything[:3], atol=1.01 / 65535)


def test_the_two_are_not_the_same() -> None:
    given = holed(scene(), (10, 12, 30, 40))
    assert not torch.equal(*(translate_batch(Classical(method), given[None]) for method in METHODS))
