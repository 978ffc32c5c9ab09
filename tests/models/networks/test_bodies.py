"""Bodies of the base layer: published sizes, every size they promise, and how a label enters."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from datasets.errors import UserError
from models.backbones.dcgan import count_halvings
from models.backbones.mlp import Layer
from models.networks.bodies import DCGANBody, MLPBody, ResNetBody

BODIES: list[Any] = [
    MLPBody(hidden=(12, 8), label_width=5),
    MLPBody(hidden=(12, 8), label_width=5, activation="maxout", pieces=(3, 2)),
    MLPBody(hidden=(12,), activation="leaky-relu", norm="batch", gain=0.02),
    DCGANBody(width=4),
    DCGANBody(width=4, norm="instance"),
    ResNetBody(width=4),
]


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_published_parameter_counts():
    dcgan, projection = DCGANBody(), ResNetBody()
    assert count(dcgan.generator(100, 3, 64)) == 3_576_704
    assert count(dcgan.encoder(3, 64, 1)) == 2_765_568
    assert count(dcgan.generator(100, 3, 64, 10)) == 3_658_624
    assert count(dcgan.encoder(3, 64, 1, 10)) == 2_775_808
    # The published count has a last convolution of 1x1; this one is 3x3, as in the authors' code.
    assert count(projection.generator(128, 3, 64, 200)) == 13_365_379 + 8 * 64 * 3
    assert count(projection.encoder(3, 64, 1, 200)) == 10_346_241


def test_the_perceptrons_of_the_papers():
    mirza = MLPBody(hidden=(200, 1200), label_width=1000)
    assert count(mirza.generator(100, 1, 28, 10)) == 2_413_984
    judge = MLPBody(hidden=(240, 240), label_width=50, activation="maxout", pieces=(5, 4))
    assert count(judge.encoder(1, 28, 1, 10)) == 1_224_351
    pacgan = MLPBody(hidden=(400,) * 4, norm="batch"), MLPBody(hidden=(200,) * 3, activation="maxout", pieces=(5,) * 3)
    assert count(pacgan[0].generator(2, 2, 1)) == 484_802
    assert count(pacgan[1].encoder(2, 1, 1)) == 405_201
    kingma = MLPBody(hidden=(400,))
    assert count(kingma.encoder(1, 28, 2 * 20)) + count(kingma.generator(20, 1, 28)) == 652_824


@pytest.mark.parametrize("size", [16, 28, 32, 40, 48, 64, 96])
@pytest.mark.parametrize("body", BODIES, ids=lambda body: f"{body.name}-{getattr(body, 'norm', '')}")
def test_every_body_makes_and_reads_every_size_it_promises(body, size):
    label = torch.tensor([0, 2])
    assert body.size_problem(size) is None
    for classes in (0, 3):
        pictures = body.generator(6, 2, size, classes)(torch.randn(2, 6), label)
        assert pictures.shape == (2, 2, size, size)
        encoder = body.encoder(2, size, 5, classes)
        assert encoder(pictures, label).shape == (2, 5)
        assert encoder.features(pictures, label).shape[0] == 2


@pytest.mark.parametrize("size", [1, 2, 6, 18, 36, 50])
def test_a_size_that_cannot_be_halved_is_said(size):
    for body in (DCGANBody(), ResNetBody()):
        problem = body.size_problem(size)
        if size == 6:
            assert problem is None or "power of 2" in problem
        else:
            assert "power of 2" in problem
    assert MLPBody().size_problem(size) is None


def test_depth_halves_as_often_as_asked():
    assert count_halvings(64) == (4, 4)
    assert count_halvings(28) == (2, 7)
    assert count_halvings(64, 6) == (6, 1)
    assert "multiples of 64" in DCGANBody(depth=6).size_problem(100)
    assert "up to 7 times" in DCGANBody(depth=2).size_problem(64)
    body = DCGANBody(depth=5, width=4, norm="instance")
    assert body.encoder(1, 32, 3)(torch.randn(2, 1, 32, 32), torch.zeros(2).long()).shape == (2, 3)
    assert body.generator(3, 1, 32)(torch.randn(2, 3), torch.zeros(2).long()).shape == (2, 1, 32, 32)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: f"{body.name}-{getattr(body, 'norm', '')}")
def test_a_label_counts_where_there_are_classes_and_only_there(body):
    torch.manual_seed(0)
    latent, image = torch.randn(2, 6), torch.randn(2, 2, 16, 16)
    one, other = torch.tensor([0, 1]), torch.tensor([2, 1])
    for classes in (0, 3):
        networks = [(body.generator(6, 2, 16, classes), latent), (body.encoder(2, 16, 1, classes), image)]
        for network, given in networks:
            for module in network.modules():
                if isinstance(module, nn.Embedding):  # scales begin at 1 for every class
                    nn.init.normal_(module.weight)
            network.eval()
            first, second = network(given, one), network(given, other)
            assert torch.equal(first[1], second[1])
            assert torch.equal(first[0], second[0]) == (classes == 0)


def test_without_layers_a_perceptron_is_linear_and_takes_no_label():
    linear = MLPBody(hidden=())
    encoder, generator = linear.encoder(1, 4, 5), linear.generator(5, 1, 4)
    assert (count(encoder), count(generator)) == (16 * 5 + 5, 5 * 16 + 16)
    label, image = torch.zeros(3).long(), torch.randn(3, 1, 4, 4)
    zero = encoder(torch.zeros(3, 1, 4, 4), label)
    assert torch.allclose(encoder(2 * image, label) - zero, 2 * (encoder(image, label) - zero), atol=1e-5)
    assert generator(torch.randn(3, 5), label).shape == (3, 1, 4, 4)
    with pytest.raises(UserError, match="labels enter beside the first layer"):
        linear.generator(5, 1, 4, 3)


def test_maxout_is_the_largest_of_its_pieces():
    layer = Layer(3, 2, "maxout", 4, "none", 0.0)
    numbers = torch.randn(5, 3)
    units = numbers @ layer.linear.weight.T + layer.linear.bias
    by_hand = torch.stack([units[:, :4].max(1).values, units[:, 4:].max(1).values], 1)
    assert torch.allclose(layer(numbers), by_hand, atol=1e-6)


def test_pieces_belong_to_maxout():
    with pytest.raises(ValidationError, match="maxout needs one number for each of the 1 layers"):
        MLPBody(activation="maxout")
    with pytest.raises(ValidationError, match="only activation maxout"):
        MLPBody(pieces=(2,))


def test_a_projection_adds_the_product_of_features_and_embedding():
    encoder = ResNetBody(width=4).encoder(3, 16, 1, 3).eval()
    image, label = torch.randn(2, 3, 16, 16), torch.tensor([2, 0])
    features = encoder.features(image, label)
    by_hand = features @ encoder.head.weight.T + encoder.head.bias
    by_hand += (features * encoder.embedding.weight[label]).sum(1, keepdim=True)
    assert torch.allclose(encoder(image, label), by_hand, atol=1e-5)
