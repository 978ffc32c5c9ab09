"""A store of past fakes: a discriminator that also sees old ones cannot be led around in circles.

Shrivastava, Pfister, Tuzel, Susskind, Wang, Webb 2017, arXiv:1612.07828; in the form of Zhu, Park, Isola, Efros 2017,
arXiv:1703.10593, section 4.
"""

from typing import Any

import torch
from torch import Tensor, nn


class ImagePool(nn.Module):
    """Up to `size` fakes of past steps; its extra state is the pictures, so a resumed training has them again.

    With size 0 it gives back what it gets.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.images: list[Tensor] = []

    def exchange(self, fakes: Tensor) -> Tensor:
        """(B, C, H, W) fakes to as many, detached, half of which, once the pool is full, are old ones they replace."""
        shown = []
        for fake in fakes.detach():
            if len(self.images) < self.size:
                self.images.append(fake.clone())  # the batch it lies in need not stay
            elif self.size and torch.rand(()) < 0.5:
                place = int(torch.randint(self.size, ()))
                self.images[place], fake = fake.clone(), self.images[place]
            shown.append(fake)
        return torch.stack(shown)

    def get_extra_state(self) -> Any:
        """The pictures, on the host, where processes can exchange them; a list that stays when the pool goes on."""
        return [image.cpu() for image in self.images]

    def set_extra_state(self, state: Any) -> None:
        """Take over what `get_extra_state` gave."""
        self.images = list(state)
