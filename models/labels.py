"""What labels of one or more sets mean: what a picture may become, how badly logits tell it, and which exclude which.

A set is of classes, of which a picture has one, or of attributes, of which it has any; a batch may mix pictures of
several sets, each of which has labels of its own set alone.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from datasets.contract import LabelSet


class Labels:
    """All labels of some sets, one after the other.

    Attributes:
        sets: Them.
        names: Of all labels.
        slices: Where the labels of each set lie among all.
    """

    def __init__(self, sets: Sequence[LabelSet]) -> None:
        ends = [sum(len(labels.names) for labels in sets[: index + 1]) for index in range(len(sets))]
        self.sets = tuple(sets)
        self.names = tuple(name for labels in sets for name in labels.names)
        self.slices = tuple(slice(end - len(labels.names), end) for labels, end in zip(sets, ends, strict=True))

    def set_of(self, place: int) -> int:
        """Which set a label is of."""
        return next(index for index, part in enumerate(self.slices) if place < part.stop)

    def exclude(self, one: int, other: int) -> bool:
        """Whether no picture has both of two labels: of two sets, classes, or of a group."""
        if one == other or self.set_of(one) != self.set_of(other):
            return one != other
        labels, pair = self.sets[self.set_of(one)], {self.names[one], self.names[other]}
        return labels.classes or any(pair <= set(group) for group in labels.exclusive)

    def permuted(self, label: Tensor, source: Tensor) -> Tensor:
        """What each picture shall become: the labels of another of its own set, or by chance its own; (B, n)."""
        target = label.clone()
        for index in range(len(self.slices)):
            (own,) = torch.nonzero(source == index, as_tuple=True)
            target[own] = label[own[torch.randperm(len(own)).to(own.device)]]
        return target

    def classification(self, logits: Tensor, label: Tensor, source: Tensor) -> Tensor:
        """How badly (B, n) logits tell the labels of each picture's own set, in nats: (B,).

        Of classes the cross-entropy, of attributes the sum of their binary ones.
        """
        logits, total = logits.float(), torch.zeros(len(logits), device=logits.device)
        for index, (labels, part) in enumerate(zip(self.sets, self.slices, strict=True)):
            if labels.classes:
                missed = F.cross_entropy(logits[:, part], label[:, part].argmax(dim=1), reduction="none")
            else:
                each = F.binary_cross_entropy_with_logits(logits[:, part], label[:, part], reduction="none")
                missed = each.sum(dim=1)
            total = torch.where(source == index, missed, total)
        return total

    def recognised(self, logits: Tensor, label: Tensor, source: Tensor) -> Tensor:
        """Which share of the labels of each picture's own set (B, n) logits tell rightly: (B,)."""
        total = torch.zeros(len(logits), device=logits.device)
        for index, (labels, part) in enumerate(zip(self.sets, self.slices, strict=True)):
            if labels.classes:
                right = (logits[:, part].argmax(dim=1) == label[:, part].argmax(dim=1)).float()
            else:
                right = ((logits[:, part] > 0) == (label[:, part] > 0.5)).float().mean(dim=1)
            total = torch.where(source == index, right, total)
        return total

    def changed(self, label: Tensor, source: Tensor) -> Tensor:
        """Labels (B, n) of which one is another than it was: another class, or an attribute more or less."""
        changed = label.clone()
        for row, index in enumerate(source.tolist()):
            labels, part = self.sets[index], self.slices[index]
            own = changed[row, part]
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
        return changed
