"""Multilayer perceptrons that can take a label.

Maxout: Goodfellow, Warde-Farley, Mirza, Courville, Bengio 2013, arXiv:1302.4389.
Labels: Mirza, Osindero 2014, arXiv:1411.1784: input and label each pass a layer of their own, and the rest together.

Images are flattened first.
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
    """Fully connected layers: from (B, inputs) numbers, or (B, ...) images of as many, to (B, features).

    Args:
        inputs: Numbers in the input.
        hidden: Units of each layer; if there are none, the input itself is the output.
        classes: Number of classes; 0: labels are ignored. Labels enter beside the first layer, so there must be one.
        label_width: Units of the label's own layer, which are concatenated to the first layer's.
        activation: After every layer; "maxout" takes the largest of `pieces` linear units.
        pieces: Linear units of maxout, per layer.
        norm: Before the activation of every layer, except maxout's.
        dropout: Probability of a zero after every layer, in training.

    Attributes:
        features: Numbers in the output.
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
        """Compute features of (B, ...) numbers and (B,) int64 labels, which are ignored without classes."""
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
        """Apply the layer."""
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
    """An MLP and a linear layer: from (B, channels, size, size) and labels (B,) to (B, outputs)."""

    def __init__(self, trunk: MLP, outputs: int, *, gain: float | None = None) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = nn.Linear(trunk.features, outputs)
        initialize_or_keep(self, gain)

    def features(self, image: Tensor, label: Tensor) -> Tensor:
        """Compute the input of the head, (B, features)."""
        features: Tensor = self.trunk(image, label)
        return features

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        """Return (B, outputs); labels are ignored without classes."""
        outputs: Tensor = self.head(self.features(image, label))
        return outputs


class MLPGenerator(nn.Module):
    """An MLP and a linear layer: from (B, latent) and labels (B,) to (B, channels, size, size), without activation."""

    def __init__(self, trunk: MLP, channels: int, size: int, *, gain: float | None = None) -> None:
        super().__init__()
        self.shape = (channels, size, size)
        self.trunk = trunk
        self.head = nn.Linear(trunk.features, channels * size * size)
        initialize_or_keep(self, gain)

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        """Return images (B, channels, size, size); labels are ignored without classes."""
        numbers: Tensor = self.head(self.trunk(latent, label))
        return numbers.view(-1, *self.shape)


def initialize_or_keep(network: nn.Module, gain: float | None) -> None:
    """Draw weights from N(0, gain²); with `gain` None, keep torch's U(-1/√fan-in, 1/√fan-in)."""
    if gain is not None:
        initialize_weights(network, gain)
