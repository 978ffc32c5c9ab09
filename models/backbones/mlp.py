"""Multilayer perceptrons, with a way in for a label.

Maxout: Goodfellow, Warde-Farley, Mirza, Courville, Bengio 2013, arXiv:1302.4389.
The label's way in: Mirza, Osindero 2014, arXiv:1411.1784: input and label each pass a layer of their own, then both
pass the rest together.

Differs from the paper:
- Every picture is flattened first, so a network of fixed size sees as many numbers as its pictures have.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.blocks import initialize_weights, needs_bias

Activation = Literal["relu", "leaky-relu", "tanh", "maxout"]
VectorNorm = Literal["batch", "none"]


class MLP(nn.Module):
    """Features of (B, inputs) numbers, or of (B, ...) pictures of as many: (B, features).

    Args:
        inputs: Numbers it takes.
        hidden: Units of each layer; without any, the numbers themselves are its features.
        classes: Of the labels it is told; 0 where it is told none. Labels need a layer beside which to enter.
        label_width: Units of the label's own layer, which join the first layer's.
        activation: After every layer; "maxout" takes the largest of `pieces` linear units.
        pieces: Of maxout, for each layer.
        norm: Before the activation of every layer; never before maxout's.
        dropout: Chance of a zero after every layer, in training.

    Attributes:
        features: Numbers it gives.
    """

    def __init__(
        self,
        inputs: int,
        hidden: Sequence[int],
        *,
        classes: int = 0,
        label_width: int = 0,
        activation: Activation = "relu",
        pieces: Sequence[int] = (),
        norm: VectorNorm = "none",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        counts = tuple(pieces) if activation == "maxout" else (1,) * len(hidden)
        self.classes = classes
        self.label = Layer(classes, label_width, activation, counts[0], norm, dropout) if classes else None
        sizes = [inputs, *hidden]
        if classes:
            sizes[1] += label_width
        self.features = sizes[-1]
        self.layers = nn.ModuleList(
            Layer(sizes[index], width, activation, counts[index], norm, dropout) for index, width in enumerate(hidden)
        )

    def forward(self, numbers: Tensor, label: Tensor) -> Tensor:
        """Take (B, ...) and (B,) int64; without classes the label does not count."""
        features = numbers.flatten(1)
        for index, layer in enumerate(self.layers):
            features = layer(features)
            if index == 0 and self.label is not None:
                features = torch.cat([features, self.label(F.one_hot(label, self.classes).to(features.dtype))], 1)
        return features


class Layer(nn.Module):
    """One layer: linear, norm, activation, dropout; (B, inputs) to (B, width)."""

    def __init__(
        self, inputs: int, width: int, activation: Activation, pieces: int, norm: VectorNorm, dropout: float
    ) -> None:
        super().__init__()
        self.pieces = pieces
        self.activation = activation
        self.linear = nn.Linear(inputs, width * pieces, bias=needs_bias(norm))
        self.norm = nn.BatchNorm1d(width) if norm == "batch" and activation != "maxout" else nn.Identity()
        self.dropout = nn.Dropout(dropout)

    def forward(self, numbers: Tensor) -> Tensor:
        """Apply it."""
        units: Tensor = self.linear(numbers)
        if self.activation == "maxout":
            activated = units.view(len(units), -1, self.pieces).amax(2)
        else:
            activated = ACTIVATIONS[self.activation](self.norm(units))
        dropped: Tensor = self.dropout(activated)
        return dropped


ACTIVATIONS = {
    "relu": F.relu,
    "leaky-relu": lambda units: F.leaky_relu(units, 0.2),
    "tanh": torch.tanh,
}


class MLPEncoder(nn.Module):
    """An MLP and a linear layer: (B, channels, size, size) and a label to (B, outputs)."""

    def __init__(self, trunk: MLP, outputs: int, *, gain: float | None = None) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = nn.Linear(trunk.features, outputs)
        initialise_or_keep(self, gain)

    def features(self, image: Tensor, label: Tensor) -> Tensor:
        """What the head is given, (B, features)."""
        found: Tensor = self.trunk(image, label)
        return found

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        """(B, outputs) of pictures, and of labels where it has classes."""
        outputs: Tensor = self.head(self.features(image, label))
        return outputs


class MLPGenerator(nn.Module):
    """An MLP and a linear layer: (B, latent) and a label to (B, channels, size, size), without an activation."""

    def __init__(self, trunk: MLP, channels: int, size: int, *, gain: float | None = None) -> None:
        super().__init__()
        self.shape = (channels, size, size)
        self.trunk = trunk
        self.head = nn.Linear(trunk.features, channels * size * size)
        initialise_or_keep(self, gain)

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        """Pictures, (B, channels, size, size)."""
        numbers: Tensor = self.head(self.trunk(latent, label))
        return numbers.view(-1, *self.shape)


def initialise_or_keep(network: nn.Module, gain: float | None) -> None:
    """Draw weights from N(0, gain²), or keep what torch drew: U(-1/√fan-in, 1/√fan-in)."""
    if gain is not None:
        initialize_weights(network, gain)
