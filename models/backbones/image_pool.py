"""A pool of past fakes: a discriminator that also sees old ones keeps the generator from oscillating.

Shrivastava, Pfister, Tuzel, Susskind, Wang, Webb 2017, arXiv:1612.07828; in the form of Zhu, Park, Isola, Efros 2017,
arXiv:1703.10593, section 4.
"""

from typing import Any

import torch
from torch import Tensor, nn


class ImagePool(nn.Module):
    """Up to `size` fakes of past steps, which are saved with the training as extra state.

    With size 0, `exchange` returns its input.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.images: list[Tensor] = []

    def exchange(self, fakes: Tensor) -> Tensor:
        """Return as many fakes as (B, C, H, W), detached; once the pool is full, half of them are old ones.

        An old fake leaves the pool, and the new one takes its place.
        """
        returned = []
        for fake in fakes.detach():
            if len(self.images) < self.size:
                self.images.append(fake.clone())  # a view would keep the whole batch in memory
            elif self.size and torch.rand(()) < 0.5:
                place = int(torch.randint(self.size, ()))
                self.images[place], fake = fake.clone(), self.images[place]
            returned.append(fake.to(fakes.device))  # images of a restored state are on the CPU
        return torch.stack(returned)

    def get_extra_state(self) -> Any:
        """Return the images on the CPU, where processes can exchange them, in a list that later steps do not change."""
        return [image.cpu() for image in self.images]

    def set_extra_state(self, state: Any) -> None:
        """Restore what `get_extra_state` returned."""
        self.images = list(state)
