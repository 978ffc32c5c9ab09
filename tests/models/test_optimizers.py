"""Adam's settings, and which parameters it gets."""

import torch
from torch import nn

from models.optimizers import Adam


def test_the_defaults_are_those_of_pix2pix() -> None:
    optimizer = Adam().of(nn.Linear(2, 3))
    assert isinstance(optimizer, torch.optim.Adam)
    assert (optimizer.defaults["lr"], optimizer.defaults["betas"]) == (2e-4, (0.5, 0.999))


def test_it_gets_all_parameters_that_are_trained() -> None:
    first, second = nn.Linear(2, 3), nn.Linear(3, 1).requires_grad_(False)
    first.bias.requires_grad_(False)
    optimizer = Adam(lr=1.0).of(first, second)
    assert [parameter is first.weight for group in optimizer.param_groups for parameter in group["params"]] == [True]
