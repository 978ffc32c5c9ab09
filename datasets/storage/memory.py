"""Pictures that lie in memory as tensors: nothing is decoded or drawn, and a batch is one indexing operation."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from datasets.contract import Pictures, Samples
from datasets.storage.image_files import count_held_out


class PicturesInMemory(Samples[Pictures]):
    """Pictures in memory as samples."""

    in_memory = True

    def __init__(self, image: Tensor, label: Tensor, names: Sequence[str]) -> None:
        """Take pictures (N, C, H, W), uint8 or floats, labels (N,) int64, and their N names.

        Pictures of uint8 are scaled to [-1, 1] when they are read; floats are returned as they are.
        """
        self.image, self.label = image, label
        self.names = names

    def __len__(self) -> int:
        return len(self.label)

    def name(self, index: int) -> str:
        """Return the picture's name."""
        return self.names[index]

    def sample(self, index: int, seed: int) -> Pictures:
        """Return the picture at `index`; `seed` changes nothing."""
        image, label = self.gather([index])
        return Pictures(image[0], label[0])

    def gather(self, indices: Sequence[int], seeds: Sequence[int] = ()) -> Pictures:
        """Return the pictures at `indices` as one batch; `seeds` change nothing."""
        rows = torch.tensor(indices)
        image = self.image[rows]
        if image.dtype == torch.uint8:
            image = image.float().div_(127.5).sub_(1)
        return Pictures(image, self.label[rows])


def split_rows(count: int, fraction: float) -> tuple[list[int], list[int]]:
    """Return the row numbers of a table for training and for validation, each in ascending order.

    As with `split_held_out`, a row rarely changes sides when rows are added below it.
    """
    ranked = np.argsort(np.random.default_rng(0).random(count), kind="stable")
    held_out = count_held_out(count, fraction)
    return sorted(ranked[held_out:].tolist()), sorted(ranked[:held_out].tolist())
