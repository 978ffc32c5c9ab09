"""Calls of translators: any size, padding as NumPy does it, and evaluation mode."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.apply import pad, translate_batch
from models.contract import Translator

SIDES = [1, 2, 3, 7, 16, 31, 65]


class Twice(Translator):
    """Repeats every pixel, and insists on its sizes."""

    scale, multiple, minimum = 2, 4, 16

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.5)
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        assert all(side % self.multiple == 0 and side >= self.minimum for side in image.shape[-2:])
        return self.weight * self.dropout(image).repeat_interleave(2, 2).repeat_interleave(2, 3) + domain


@pytest.mark.parametrize("height", SIDES)
@pytest.mark.parametrize("width", SIDES)
def test_padding_is_numpys_reflection_then_its_edge(height, width):
    image = torch.rand(2, 3, height, width)
    result = pad(image, 8, 32)
    down, right = (max(32, -(-side // 8) * 8) - side for side in (height, width))
    reflected = min(down, height - 1), min(right, width - 1)
    expected = np.pad(image.numpy(), [(0, 0), (0, 0), (0, reflected[0]), (0, reflected[1])], mode="reflect")
    rest = (down - reflected[0], right - reflected[1])
    expected = np.pad(expected, [(0, 0), (0, 0), (0, rest[0]), (0, rest[1])], mode="edge")
    assert np.array_equal(result.numpy(), expected)
    assert result.shape[2] % 8 == result.shape[3] % 8 == 0


def test_a_size_that_fits_is_not_copied():
    image = torch.rand(1, 3, 16, 32)
    assert pad(image, 16, 16) is image


@pytest.mark.parametrize("height", SIDES)
@pytest.mark.parametrize("width", SIDES)
def test_an_image_of_any_size_is_returned_at_its_scale_and_place(height, width):
    image = torch.rand(2, 3, height, width) * 2 - 1
    assert torch.equal(translate_batch(Twice(), image), image.repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_results_stay_in_range_and_the_domain_is_passed_on():
    assert translate_batch(Twice(), torch.zeros(1, 3, 5, 5), domain=3).max() == 1
    assert translate_batch(Twice(), torch.zeros(1, 3, 5, 5), domain=0).max() == 0


def test_the_network_evaluates_without_gradients_and_is_left_as_it_was():
    image = torch.rand(1, 3, 16, 16)
    for training in (True, False):
        network = Twice().train(training)
        output = translate_batch(network, image)
        assert not output.requires_grad
        assert network.training is training


def test_a_network_that_fails_goes_on_training():
    network = Twice()
    with pytest.raises(RuntimeError, match="pad"):
        translate_batch(network, torch.rand(3, 5))
    assert network.training
