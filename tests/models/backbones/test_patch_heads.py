"""CUT's projection heads: published size, unit vectors, and the places they are computed at."""

import torch
import torch.nn.functional as F

from models.backbones.patch_heads import PatchHeads


def test_size_is_the_published_one():
    heads = PatchHeads((3, 128, 256, 256, 256))
    assert sum(parameter.numel() for parameter in heads.parameters()) == 560_384


def test_heads_take_the_same_places_of_every_image_and_return_unit_vectors():
    torch.manual_seed(0)
    heads = PatchHeads((3, 5), width=16)
    layers = [torch.randn(2, 3, 4, 4), torch.randn(2, 5, 2, 2)]
    places = [torch.tensor([0, 7, 15]), torch.tensor([2])]
    output = heads(layers, places)
    assert [tuple(one.shape) for one in output] == [(2, 3, 16), (2, 1, 16)]
    assert torch.allclose(output[0].norm(dim=2), torch.ones(2, 3), atol=1e-6)
    head = heads.heads[0]
    assert torch.allclose(output[0][1, 1], F.normalize(head(layers[0][1, :, 1, 3]), dim=0), atol=1e-6)
