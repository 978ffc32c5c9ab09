"""Bodies of the base layer: the networks they build, every size they promise, and where a label counts."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from datasets.errors import UserError
from models.networks.bodies import DCGANBody, MLPBody, ResNetBody, zero_labels

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


@pytest.mark.parametrize("size", [16, 28, 32, 40, 48, 64, 96])
@pytest.mark.parametrize("body", BODIES, ids=lambda body: f"{body.name}-{getattr(body, 'norm', '')}")
def test_every_body_has_every_size_it_promises(body: Any, size: int) -> None:
    label = torch.tensor([0, 2])
    assert body.size_problem(size) is None
    for classes in (0, 3):
        images = body.generator(6, 2, size, classes)(torch.randn(2, 6), label)
        assert images.shape == (2, 2, size, size)
        encoder = body.encoder(2, size, 5, classes)
        assert encoder(images, label).shape == (2, 5)
        assert encoder.features(images, label).shape[0] == 2


@pytest.mark.parametrize("size", [1, 2, 18, 36, 50])
@pytest.mark.parametrize("body", [DCGANBody(), ResNetBody()], ids=lambda body: body.name)
def test_a_size_that_cannot_be_halved_is_named(body: Any, size: int) -> None:
    assert body.size_problem(size) == "this body needs 4 to 7 times a power of 2, such as 28, 32, 48, 64 or 96,"
    assert MLPBody().size_problem(size) is None


def test_a_depth_that_does_not_fit_is_named() -> None:
    assert DCGANBody(depth=6).size_problem(100) == "a body of depth 6 needs multiples of 64, up to 7 times as many"
    assert DCGANBody(depth=2).size_problem(64) == "a body of depth 2 needs multiples of 4, up to 7 times as many"
    assert DCGANBody(depth=4).size_problem(64) is None


def test_defaults_and_settings_reach_the_network() -> None:
    assert count(DCGANBody().generator(100, 3, 64)) == 3_576_704
    assert count(ResNetBody().encoder(3, 64, 1, 200)) == 10_346_241
    mirza = MLPBody(hidden=(240, 240), label_width=50, activation="maxout", pieces=(5, 4))
    assert count(mirza.encoder(1, 28, 1, 10)) == 1_224_351


def test_labels_need_a_layer_to_enter_beside() -> None:
    with pytest.raises(UserError, match="labels enter beside the first layer"):
        MLPBody(hidden=()).generator(5, 1, 4, 3)


def test_labels_of_networks_without_classes_are_zeros() -> None:
    assert zero_labels(torch.ones(3, 2)).tolist() == [0, 0, 0]
    assert zero_labels(torch.ones(3, 2)).dtype == torch.int64


@pytest.mark.parametrize("body", BODIES, ids=lambda body: f"{body.name}-{getattr(body, 'norm', '')}")
def test_a_label_counts_only_where_there_are_classes(body: Any) -> None:
    torch.manual_seed(0)
    latent, image = torch.randn(2, 6), torch.randn(2, 2, 16, 16)
    one, other = torch.tensor([0, 1]), torch.tensor([2, 1])
    for classes in (0, 3):
        networks = [(body.generator(6, 2, 16, classes), latent), (body.encoder(2, 16, 1, classes), image)]
        for network, inputs in networks:
            for module in network.modules():
                if isinstance(module, nn.Embedding):  # scales start at 1 for every class
                    nn.init.normal_(module.weight)
            network.eval()
            first, second = network(inputs, one), network(inputs, other)
            assert torch.equal(first[1], second[1])
            assert torch.equal(first[0], second[0]) == (classes == 0)


def test_pieces_belong_to_maxout() -> None:
    with pytest.raises(ValidationError, match="maxout needs one number for each of the 1 layers"):
        MLPBody(activation="maxout")
    with pytest.raises(ValidationError, match="only activation maxout"):
        MLPBody(pieces=(2,))
