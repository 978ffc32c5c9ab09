"""Does a conditional sampler make what it is asked for? A classifier that learned real pictures is asked.

python tests/benchmarks/recognised.py MODEL IDX_FOLDER [COUNT]

The classifier, two convolutions and two linear layers, learns the training files for three epochs and is judged by the
files held out; then it judges COUNT pictures of each class that MODEL makes (200).
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from measure import commit
from torch import Tensor, nn

from datasets.contract import Pictures, Samples, derive_seed
from datasets.idx import IdxConfig
from models.apply import generate_batch
from models.contract import Sampler
from translate.inference.model_file import load_network, model_path

EPOCHS, BATCH = 3, 128


def classifier(side: int, classes: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(64 * (side // 4) ** 2, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, classes),
    )  # fmt: skip


def learn(network: nn.Sequential, data: Samples[Pictures]) -> None:
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(data), generator=torch.Generator().manual_seed(epoch)).tolist()
        for first in range(0, len(order), BATCH):
            indices = order[first : first + BATCH]
            image, label = data.gather(indices, [0] * len(indices))
            optimizer.zero_grad()
            F.cross_entropy(network(image), label).backward()
            optimizer.step()


@torch.no_grad()
def said(network: nn.Sequential, images: Tensor) -> Tensor:
    scores: Tensor = network.eval()(images)
    return scores.argmax(1)


def main() -> None:
    torch.manual_seed(0)
    model, card = load_network(model_path(sys.argv[1]))
    assert isinstance(model, Sampler)
    count = int(sys.argv[3]) if sys.argv[3:] else 200
    data = IdxConfig(size=model.size, domains=model.domains).open(Path(sys.argv[2]))
    network = classifier(model.size, len(model.domains))
    learn(network, data.training)
    real = data.validation.gather(range(len(data.validation)), [0] * len(data.validation))
    right = (said(network, real.image) == real.label).float().mean().item()
    print(f"commit {commit()}; model of step {card.step}; classifier right on {right:.1%} of real pictures held out")
    draws = torch.Generator().manual_seed(derive_seed(0))
    shares = []
    for index, name in enumerate(model.domains):
        label = torch.full((count,), index)
        shares.append((said(network, generate_batch(model, model.draw(count, draws), label)) == label).float().mean())
        print(f"{name:<12} {shares[-1]:.1%}")
    print(f"all          {torch.stack(shares).mean():.1%} of made pictures recognised as what was asked for")


if __name__ == "__main__":
    main()
