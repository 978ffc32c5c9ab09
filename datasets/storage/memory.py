"""Pictures that lie in memory as they are learned from: nothing is decoded or drawn, and many are had at once."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from datasets.contract import Pictures, Samples
from datasets.storage.image_files import count_held_out


class InMemory(Samples[Pictures]):
    """Pictures (N, C, H, W) as samples: uint8, made floats in [-1, 1] when asked for, or floats as they are."""

    in_memory = True

    def __init__(self, image: Tensor, label: Tensor, names: Sequence[str]) -> None:
        """`label` is (N,) int64."""
        self.image, self.label = image, label
        self.names = names

    def __len__(self) -> int:
        return len(self.label)

    def name(self, index: int) -> str:
        """What the picture is called."""
        return self.names[index]

    def sample(self, index: int, seed: int) -> Pictures:
        """The picture at `index`; `seed` changes nothing."""
        image, label = self.gather([index])
        return Pictures(image[0], label[0])

    def gather(self, indices: Sequence[int], seeds: Sequence[int] = ()) -> Pictures:
        """Return the pictures at `indices` as one batch; `seeds` change nothing."""
        places = torch.tensor(indices)
        image = self.image[places]
        if image.dtype == torch.uint8:
            image = image.float().div_(127.5).sub_(1)
        return Pictures(image, self.label[places])


def split_rows(count: int, share: float) -> tuple[list[int], list[int]]:
    """Which rows of a table to learn from and which to hold out, in their order.

    As with `held_out`, a row stays on its side when rows are added below it, nearly always.
    """
    ranked = np.argsort(np.random.default_rng(0).random(count), kind="stable")
    held = count_held_out(count, share)
    return sorted(ranked[held:].tolist()), sorted(ranked[:held].tolist())
