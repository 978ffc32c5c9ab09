"""SPAN: its size, its branches against feature maps, folding, and that it learns from the start.

Its margin and sizes are asked in `test_upscalers.py`, beside those of the other upscalers.
"""

import pytest
import torch
import torch.nn.functional as F

from models.backbones.span import SPAN, AttentionBlock, BranchedConvolution


@pytest.mark.parametrize(("scale", "parameters"), [(1, 270_028), (2, 267_436), (3, 271_771), (4, 277_840)])
def test_it_has_fewer_than_300_thousand_parameters(scale: int, parameters: int) -> None:
    assert sum(parameter.numel() for parameter in SPAN(scale).parameters()) == parameters < 300_000


def test_a_branched_convolution_is_the_sum_of_its_branches() -> None:
    torch.manual_seed(0)
    layer, image = BranchedConvolution(3, 4, expansion=2).double(), torch.randn(2, 3, 7, 9, dtype=torch.float64)
    assert layer.point is not None
    assert layer.expand is not None
    assert layer.middle is not None
    assert layer.project is not None
    wide = F.conv2d(image, layer.expand[:, :, None, None])
    middle = F.conv2d(wide, layer.middle.permute(1, 2, 0).unflatten(2, (3, 3)), padding=1)
    expected = F.conv2d(image, layer.weight, layer.bias, padding=1)
    expected += F.conv2d(image, layer.point[:, :, None, None]) + F.conv2d(middle, layer.project[:, :, None, None])
    torch.testing.assert_close(layer(image), expected)


def test_folding_changes_nothing_but_the_number_of_parameters() -> None:
    torch.manual_seed(0)
    network, image = SPAN(4, blocks=3, width=8, expansion=2), torch.rand(1, 3, 12, 10)
    before = network(image)
    network.fold()
    torch.testing.assert_close(network(image), before, rtol=0, atol=1e-5)
    plain = SPAN(4, blocks=3, width=8)
    plain.load_state_dict(network.state_dict())
    assert torch.equal(plain(image), network(image))


def test_a_block_adds_the_papers_attention_to_its_input() -> None:
    torch.manual_seed(0)
    block, features = AttentionBlock(4, 0), torch.randn(1, 4, 5, 5)
    output = block.layers(features)
    attended = (output + features) * (1 / (1 + (-output).exp()) - 0.5)
    torch.testing.assert_close(block(features), features + attended)


def test_a_signal_passes_all_blocks_of_an_untrained_network() -> None:
    torch.manual_seed(0)
    network = SPAN(4, expansion=2)
    features = network.first(torch.rand(1, 3, 24, 24))
    before = features.std()
    for block in network.blocks:
        features = block(features)
    assert 0.5 < features.std() / before < 2


def test_untrained_it_repeats_pixels_up_to_little() -> None:
    torch.manual_seed(0)
    image = torch.rand(1, 3, 16, 16)
    assert F.l1_loss(SPAN(3)(image), F.interpolate(image, scale_factor=3.0)) < 0.1
    assert SPAN(3)(image).reshape(1, 3, 16, 3, 16, 3).std(dim=(3, 5)).max() < 1e-5


def test_it_learns_from_the_start() -> None:
    torch.manual_seed(0)
    network = SPAN(2, blocks=3, width=12, expansion=2)
    large = F.interpolate(torch.rand(8, 3, 8, 8), (48, 48), mode="bicubic").clamp(0, 1)
    small = F.interpolate(large, scale_factor=0.5, mode="bicubic", antialias=True)
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    untrained = F.l1_loss(network(small), large)
    for _ in range(60):
        optimizer.zero_grad()
        loss = F.l1_loss(network(small), large)
        loss.backward()
        optimizer.step()
    assert loss < 0.3 * untrained
