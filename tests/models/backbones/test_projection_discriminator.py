"""The residual generator and the projection discriminator: published sizes, the projection, conditional norms."""

import torch
from torch import nn

from models.backbones.projection_discriminator import ConditionalBatchNorm, ResidualEncoder, ResidualGenerator


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_sizes_are_the_published_ones() -> None:
    # The published count has a last convolution of 1x1; this one is 3x3, as in the authors' code.
    assert count(ResidualGenerator(128, 3, 64, classes=200)) == 13_365_379 + 8 * 64 * 3
    assert count(ResidualEncoder(3, 64, 1, classes=200)) == 10_346_241


def test_a_projection_adds_the_product_of_features_and_embedding() -> None:
    encoder = ResidualEncoder(3, 16, 1, classes=3, width=4).eval()
    image, label = torch.randn(2, 3, 16, 16), torch.tensor([2, 0])
    features = encoder.features(image, label)
    expected = features @ encoder.head.weight.T + encoder.head.bias
    assert encoder.embedding is not None
    expected += (features * encoder.embedding.weight[label]).sum(1, keepdim=True)
    assert torch.allclose(encoder(image, label), expected, atol=1e-5)


def test_a_conditional_norm_scales_and_shifts_by_class() -> None:
    torch.manual_seed(0)
    norm, maps, label = ConditionalBatchNorm(3, 2), torch.randn(4, 3, 5, 5), torch.tensor([0, 1, 1, 0])
    plain = nn.functional.batch_norm(maps, None, None, training=True)
    assert torch.allclose(norm(maps, label), plain, atol=1e-6)  # scales start at 1, shifts at 0
    assert norm.scale is not None
    assert norm.shift is not None
    for embedding in (norm.scale, norm.shift):
        nn.init.normal_(embedding.weight)
    scale, shift = (embedding.weight[label][:, :, None, None] for embedding in (norm.scale, norm.shift))
    assert torch.allclose(norm(maps, label), scale * plain + shift, atol=1e-5)
