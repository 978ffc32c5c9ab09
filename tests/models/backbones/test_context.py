"""The context encoder and its discriminator: published sizes, any power of two, and the filling of holes."""

import pytest
import torch

from models.backbones.context import ContextDiscriminator, ContextEncoder


def test_sizes_are_the_published_ones():
    with torch.device("meta"):
        network, discriminator = ContextEncoder(), ContextDiscriminator(3)
    assert sum(parameter.numel() for parameter in network.parameters()) == 71_196_259
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == 2_832_257


@pytest.mark.parametrize("size", [16, 64])
def test_every_power_of_two_works_and_every_weight_learns(size):
    network, discriminator = ContextEncoder(size, width=4, bottleneck=6), ContextDiscriminator(3, size, width=4)
    mask = torch.zeros(2, 1, size, size)
    mask[..., 4:9, 2:10] = 1
    (output,) = network(torch.rand(2, 3, size, size), mask)
    assert output.shape == (2, 3, size, size)
    assert output.abs().max() <= 1
    scores = discriminator(output)
    assert scores.shape == (2, 1, 1, 1)
    scores.square().sum().backward()
    for part in (network, discriminator):
        assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in part.parameters())


def test_holes_are_filled_with_the_mean_of_photographs_first():
    torch.manual_seed(0)
    network = ContextEncoder(16, width=4, bottleneck=6)  # in training, whose norms let differences through
    image, mask = torch.rand(4, 3, 16, 16), torch.zeros(4, 1, 16, 16)
    mask[..., 4:9, 2:10] = 1
    filled = image.clone()
    filled[:, :, 4:9, 2:10] = torch.tensor([117.0, 104.0, 123.0])[:, None, None] / 127.5 - 1
    output = network(image, mask)[0]
    torch.testing.assert_close(output, network(filled, torch.zeros_like(mask))[0])
    assert (output - network(image, torch.zeros_like(mask))[0]).abs().max() > 0.001
