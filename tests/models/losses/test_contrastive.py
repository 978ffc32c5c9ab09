"""The contrastive loss of patches against closed forms and the authors' masked form."""

import math

import pytest
import torch
import torch.nn.functional as F

from models.losses.contrastive import draw_places, patch_nce


def directions(*shape: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


@pytest.mark.parametrize(("places", "temperature"), [(2, 1.0), (16, 0.07), (16, 0.5)])
def test_orthogonal_vectors_have_the_closed_form_of_their_temperature(places, temperature):
    alike = torch.eye(places)[None].expand(3, -1, -1)
    expected = math.log(1 + (places - 1) * math.exp(-1 / temperature))
    assert torch.allclose(patch_nce([alike], [alike], temperature), torch.full((3,), expected), atol=1e-6)


def test_equal_places_have_the_loss_of_chance():
    same = directions(1, 1, 8).expand(2, 10, 8)
    assert torch.allclose(patch_nce([same, same], [same, same], 0.07), torch.full((2,), math.log(10)))


def test_it_equals_the_masked_form_of_the_authors():
    query, key = directions(2, 12, 8), directions(2, 12, 8, seed=1)
    expected = []
    for one, other in zip(query, key, strict=True):
        positive = (one * other).sum(1, keepdim=True)
        negatives = (one @ other.T).masked_fill(torch.eye(12, dtype=torch.bool), -10.0)
        logits = torch.cat([positive, negatives], 1) / 0.07
        expected.append(F.cross_entropy(logits, torch.zeros(12, dtype=torch.long)))
    assert torch.allclose(patch_nce([query], [key], 0.07), torch.stack(expected), atol=1e-5)


def test_layers_count_alike():
    one, two = (directions(2, 12, 8, seed=seed) for seed in (0, 1))
    alone = [patch_nce([query], [two], 0.07) for query in (one, two)]
    assert torch.allclose(patch_nce([one, two], [two, two], 0.07), (alone[0] + alone[1]) / 2)


def test_no_gradient_reaches_keys_and_half_precision_changes_nothing():
    query, key = directions(1, 6, 4).requires_grad_(), directions(1, 6, 4, seed=1).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        half = patch_nce([query], [key], 0.07)
    assert torch.equal(half, patch_nce([query], [key], 0.07))
    half.sum().backward()
    assert query.grad is not None
    assert key.grad is None


def test_places_are_drawn_without_repetition_and_never_more_than_there_are():
    layers = [torch.zeros(2, 3, 8, 9), torch.zeros(2, 5, 2, 2)]
    many, few = draw_places(layers, 20)
    assert len(set(many.tolist())) == 20
    assert max(many.tolist()) < 72
    assert sorted(few.tolist()) == [0, 1, 2, 3]
