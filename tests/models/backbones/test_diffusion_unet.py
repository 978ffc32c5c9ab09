"""The U-Net of diffusion models, and how networks are told the time."""

import math

import pytest
import torch

from models.backbones.diffusion_unet import DiffusionUNet, SelfAttention
from models.backbones.time_embedding import TimeEmbedding, sinusoids
from models.backbones.timed_networks import TimedMLP, TimedUNet


def test_the_network_for_cifar_10_has_the_published_size() -> None:
    """35.7 million in Ho et al. 2020, appendix B."""
    with torch.device("meta"):
        network = DiffusionUNet(dropout=0.1)
    assert sum(parameter.numel() for parameter in network.parameters()) == 35_746_307


def test_attention_is_a_softmax_over_all_places() -> None:
    torch.manual_seed(0)
    attention = SelfAttention(64, heads=2)
    torch.nn.init.normal_(attention.output.weight, std=0.1)
    maps = torch.randn(2, 64, 3, 5)
    queries, keys, values = attention.inputs(attention.norm(maps)).flatten(2).chunk(3, dim=1)
    heads = []
    for part in range(2):
        rows = slice(32 * part, 32 * (part + 1))
        scores = torch.einsum("bci,bcj->bij", queries[:, rows], keys[:, rows]) / math.sqrt(32)
        heads.append(torch.einsum("bij,bcj->bci", scores.softmax(-1), values[:, rows]))
    expected = maps + attention.output(torch.cat(heads, 1).unflatten(2, (3, 5)))
    torch.testing.assert_close(attention(maps), expected)


def test_sinusoids_are_those_of_ho_et_al() -> None:
    values = sinusoids(torch.tensor([0.0, 0.25]), 8)
    frequencies = [10_000 ** (-index / 3) for index in range(4)]
    expected = [math.sin(250 * f) for f in frequencies] + [math.cos(250 * f) for f in frequencies]
    torch.testing.assert_close(values[1], torch.tensor(expected), atol=1e-4, rtol=0)
    assert values[0].tolist() == [0] * 4 + [1] * 4


def test_no_class_is_a_class_of_its_own() -> None:
    embedding = TimeEmbedding(8, 16, classes=3)
    time = torch.tensor([0.5, 0.5])
    known, none = embedding(time, torch.tensor([0, 3]))
    assert not torch.equal(known, none)
    assert torch.equal(*TimeEmbedding(8, 16)(time, torch.tensor([0, 3])))


@pytest.mark.parametrize(
    "network",
    [
        DiffusionUNet(3, 2, width=8, multipliers=(1, 2), blocks=1),
        TimedUNet(3, 2, depth=2, width=4, norm="none"),
        TimedMLP(3, 2, size=8, hidden=(16, 16)),
    ],
    ids=lambda network: type(network).__name__,
)
def test_what_a_network_answers_depends_on_the_time(network: torch.nn.Module) -> None:
    torch.manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    image = torch.randn(1, 3, 8, 8)
    early, late = network(image, torch.tensor([0.1])), network(image, torch.tensor([0.9]))
    assert early.shape == (1, 2, 8, 8)
    assert not torch.allclose(early, late)
