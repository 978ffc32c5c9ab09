"""Semantic inpainting: search a generator's latents for the picture that fits around a hole.

Yeh, Chen, Lim, Schwing, Hasegawa-Johnson, Do 2017, arXiv:1607.07539: the latent whose picture agrees with what is known
next to the hole, and which the discriminator takes for real; then Poisson blending. The generator itself was never
trained to fill holes.

Only whole square pictures can be filled; they are scaled to the generator's own size. The paper's prior loss needs the
discriminator, which a run folder holds and a model file does not. With a model file the prior loss is that of the
latent, -log p(z), which for a uniform prior is the box that latents stay in anyway.

Differs from the paper:
- The search is that of `translate.sampling.latent_search`: Adam, 8 starts of each class, 400 steps.
- The prior loss is the generator's own objective, as in the authors' code: -log D in place of log(1 - D), where the
  discriminator was trained by cross-entropy. Its gradient does not vanish where the discriminator is sure.
- The prior loss weighs 0.1, not 0.003, which changed nothing where this was tried.
"""

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from models.contract import Sampler
from translate.inference.model_file import ModelError
from translate.inpainting.fill import Inpainter
from translate.inpainting.poisson import blend
from translate.run_folder import RunFolder
from translate.sampling.latent_search import STARTS, descend
from translate.sampling.latents import sample_latent
from translate.sampling.sampler import LoadedSampler

WINDOW = 7  # pixels on a side of the window in equation 3, as in the paper's experiments
PRIOR_WEIGHT = 0.1  # the head of this file says why not the paper's

# From pictures (N, C, H, W), their latents (N, latent) and their labels (N,) to losses (N,).
PriorLoss = Callable[[Tensor, Tensor, Tensor], Tensor]


def load_gan_search(loaded: LoadedSampler, model: str | Path) -> Inpainter:
    """Return an inpainter that searches a generator's latents.

    Args:
        loaded: The generator.
        model: Where it was loaded from, a model file or a run folder.

    Raises:
        ModelError: It makes points and no pictures.
    """
    if loaded.makes_points:
        raise ModelError(f"{model}: makes points of the plane, and no pictures whose holes it could fill")
    sampler, (kind, prior_loss) = loaded.sampler, find_prior_loss(loaded, Path(model))
    labels = torch.arange(max(1, len(sampler.domains))).repeat_interleave(STARTS)
    starts = torch.stack([sample_latent(sampler, 0, int(label), index % STARTS) for index, label in enumerate(labels)])

    def fill(image: Tensor, hole: Tensor, depth: int) -> Tensor:
        known, inside = image.to(loaded.device), hole.to(loaded.device)
        found = search(sampler, known, inside, prior_loss, starts.to(loaded.device), labels.to(loaded.device))
        return blend(known, found, inside).clamp(-1, 1).cpu()

    digest = f"{loaded.digest}-{kind}"
    return Inpainter(
        fill,
        digest,
        sampler.size,
        channels=sampler.channels,
        whole_picture=True,
        exclusive=True,
        computing=lambda: loaded.numerics.active(loaded.device),
    )


def search(
    model: Sampler, image: Tensor, hole: Tensor, prior_loss: PriorLoss, starts: Tensor, labels: Tensor
) -> Tensor:
    """Return the picture, (C, H, W), whose context and prior loss are least after a descent from each start.

    Args:
        model: In evaluation mode, its parameters without gradients.
        image: (C, H, W) in [-1, 1], of the model's size.
        hole: (1, H, W), 1 in the hole and 0 elsewhere.
        prior_loss: How unlike a real picture one is.
        starts: (N, latent).
        labels: (N,), the class asked for from each start.
    """
    weight = context_weight(hole)

    def loss(pictures: Tensor, latents: Tensor) -> Tensor:
        return context_loss(pictures, image, weight) + PRIOR_WEIGHT * prior_loss(pictures, latents, labels)

    latents, losses = descend(model, starts, labels, loss)
    best = losses.nan_to_num(torch.inf).argmin()
    with torch.no_grad():
        picture: Tensor = model.generate(latents[best][None], labels[best][None])[0]
    return picture


def context_weight(hole: Tensor) -> Tensor:
    """Return (1, H, W): at a known pixel, the fraction of hole in the window around it; in the hole 0 (equation 3)."""
    fraction = F.avg_pool2d(hole[None], WINDOW, stride=1, padding=WINDOW // 2, count_include_pad=False)[0]
    return fraction * (1 - hole)


def context_loss(pictures: Tensor, image: Tensor, weight: Tensor) -> Tensor:
    """Return (N,): the sum of the weighted absolute differences of (N, C, H, W) from a picture (equation 4)."""
    return (weight * (pictures - image).abs()).flatten(1).sum(1)


def find_prior_loss(loaded: LoadedSampler, model: Path) -> tuple[str, PriorLoss]:
    """Return the loss that keeps pictures realistic, and its name.

    It is the discriminator's, "discriminator", if `model` is a run folder of a model that has one, and else the
    negative logarithm of the latent's own density, "latent".
    """
    if model.is_dir():
        recipe = RunFolder(model).read_recipe(loaded.card.experiment).eval().requires_grad_(False)
        realism = recipe.to(loaded.device).realism_loss()
        if realism is not None:
            return "discriminator", lambda pictures, latents, labels: realism(pictures, labels)
    return "latent", lambda pictures, latents, labels: loaded.sampler.prior_energy(latents)
