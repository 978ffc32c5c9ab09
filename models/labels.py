"""Labels of one or more sets: how to draw target labels, classification loss and accuracy, and which exclude which.

A set consists of classes, of which an image has exactly one, or of attributes, of which it has any number. A batch may
mix images of several sets; an image has labels of its own set only.
"""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from datasets.contract import LabelSet


class Labels:
    """The labels of several sets, concatenated.

    Attributes:
        sets: The sets.
        names: Names of all labels.
        slices: Where the labels of each set are among all labels.
    """

    def __init__(self, sets: Sequence[LabelSet]) -> None:
        ends = [sum(len(labels.names) for labels in sets[: index + 1]) for index in range(len(sets))]
        self.sets = tuple(sets)
        self.names = tuple(name for labels in sets for name in labels.names)
        self.slices = tuple(slice(end - len(labels.names), end) for labels, end in zip(sets, ends, strict=True))

    def find_set(self, label: int) -> int:
        """Return the index of the set that a label, given by its index, belongs to."""
        return next(index for index, part in enumerate(self.slices) if label < part.stop)

    def are_exclusive(self, one: int, other: int) -> bool:
        """Return whether no image can have both labels: of different sets, of classes, or of an exclusive group."""
        if one == other or self.find_set(one) != self.find_set(other):
            return one != other
        labels, pair = self.sets[self.find_set(one)], {self.names[one], self.names[other]}
        return labels.classes or any(pair <= set(group) for group in labels.exclusive)

    def permute(self, label: Tensor, source: Tensor) -> Tensor:
        """Draw target labels (B, n): a random permutation of the labels (B, n) of the batch within each set.

        `source` (B,) contains the index of each image's set; so it does below.
        """
        target = label.clone()
        for index in range(len(self.slices)):
            (rows,) = torch.nonzero(source == index, as_tuple=True)
            target[rows] = label[rows[torch.randperm(len(rows)).to(rows.device)]]
        return target

    def change_one(self, label: Tensor, source: Tensor) -> Tensor:
        """Draw target labels (B, n) that differ from (B, n) in another class, or in one attribute more or less."""
        target = label.clone()
        for row, index in enumerate(source.tolist()):
            labels, own = self.sets[index], target[row, self.slices[index]]
            if labels.classes:
                place = (int(own.argmax()) + 1 + int(torch.randint(len(own) - 1, ()))) % len(own)
                own.zero_()
                own[place] = 1
                continue
            place = int(torch.randint(len(own), ()))
            had = bool(own[place])
            for group in labels.exclusive:
                if labels.names[place] in group and not had:
                    own[[labels.names.index(name) for name in group]] = 0
            own[place] = float(not had)
        return target

    def classification_loss(self, logits: Tensor, label: Tensor, source: Tensor) -> Tensor:
        """Return the loss of (B, n) logits on the labels (B, n) of each image's own set, in nats: (B,).

        It is the cross-entropy for classes, and the sum of binary cross-entropies for attributes.
        """
        logits, total = logits.float(), torch.zeros(len(logits), device=logits.device)
        for index, labels, own, target in self._split(logits, label):
            if labels.classes:
                loss = F.cross_entropy(own, target.argmax(dim=1), reduction="none")
            else:
                loss = F.binary_cross_entropy_with_logits(own, target, reduction="none").sum(dim=1)
            total = torch.where(source == index, loss, total)
        return total

    def accuracy(self, logits: Tensor, label: Tensor, source: Tensor) -> Tensor:
        """Return the fraction of the labels (B, n) of each image's own set that (B, n) logits get right: (B,)."""
        total = torch.zeros(len(logits), device=logits.device)
        for index, labels, own, target in self._split(logits, label):
            if labels.classes:
                right = (own.argmax(dim=1) == target.argmax(dim=1)).float()
            else:
                right = ((own > 0) == (target > 0.5)).float().mean(dim=1)
            total = torch.where(source == index, right, total)
        return total

    def _split(self, logits: Tensor, label: Tensor) -> Iterator[tuple[int, LabelSet, Tensor, Tensor]]:
        """Yield each set's index, the set, and its columns of logits and labels."""
        for index, (labels, part) in enumerate(zip(self.sets, self.slices, strict=True)):
            yield index, labels, logits[:, part], label[:, part]
