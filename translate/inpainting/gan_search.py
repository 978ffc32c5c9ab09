"""Semantic inpainting: a generator that knows nothing of holes fills them, once the right latent is found.

Yeh, Chen, Lim, Schwing, Hasegawa-Johnson, Do 2017, arXiv:1607.07539: the latent whose picture agrees with what is known
next to the hole, and which the discriminator takes for real; then Poisson blending.

Only whole pictures of the generator's own size, a square, can be filled; others are scaled to it. The prior needs the
discriminator, which a model file does not hold and a run folder does. Of a model file the prior is that of the latent
itself, -log p(z), which for a uniform prior is the box that latents stay in anyway.

Differs from the paper:
- The search is that of `translate.sampling.latent_search`: Adam, 8 starts of each class, 400 steps.
- The prior is the generator's own objective, as in the authors' code: -log D for log(1 - D), where D was trained by
  cross-entropy. It then leads even where the discriminator is sure.
- The prior weighs 0.1, not 0.003: at that, it changed nothing where this was tried.
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

WINDOW = 7  # pixels on a side in which holes are counted
PRIOR_WEIGHT = 0.1

# Of pictures made (N, C, H, W), their latents (N, latent) and their labels (N,): (N,).
Prior = Callable[[Tensor, Tensor, Tensor], Tensor]


def load_gan_search(loaded: LoadedSampler, model: str | Path) -> Inpainter:
    """A filler from a generator; `model` is where it was loaded from, a model file or a run folder.

    Raises:
        ModelError: It makes no pictures.
    """
    if loaded.makes_points:
        raise ModelError(f"{model}: makes points of the plane, and no pictures whose holes it could fill")
    sampler, (kind, prior) = loaded.sampler, prior_of(loaded, Path(model))
    labels = torch.arange(max(1, len(sampler.domains))).repeat_interleave(STARTS)
    starts = torch.stack([sample_latent(sampler, 0, int(label), index % STARTS) for index, label in enumerate(labels)])

    def fill(image: Tensor, hole: Tensor, depth: int) -> Tensor:
        placed, inside = image.to(loaded.device), hole.to(loaded.device)
        made = nearest(sampler, placed, inside, prior, starts.to(loaded.device), labels.to(loaded.device))
        return blend(placed, made, inside).clamp(-1, 1).cpu()

    return Inpainter(fill, f"{loaded.digest}-{kind}", sampler.size, channels=sampler.channels, whole=True, alone=True)


def nearest(model: Sampler, image: Tensor, hole: Tensor, prior: Prior, starts: Tensor, labels: Tensor) -> Tensor:
    """The picture (C, H, W) of the best latent: of least context and prior loss, after a descent from each start.

    Args:
        model: Evaluating, its weights at rest.
        image: (C, H, W) in [-1, 1], of the model's size.
        hole: (1, H, W), 1 in the hole and 0 elsewhere.
        prior: How unlike a real picture one is.
        starts: (N, latent).
        labels: (N,), what is asked for from each start.
    """
    weight = context_weight(hole)

    def loss(made: Tensor, latent: Tensor) -> Tensor:
        return context_loss(made, image, weight) + PRIOR_WEIGHT * prior(made, latent, labels)

    latents, losses = descend(model, starts, labels, loss)
    best = losses.nan_to_num(torch.inf).argmin()
    with torch.no_grad():
        picture: Tensor = model.generate(latents[best][None], labels[best][None])[0]
    return picture


def context_weight(hole: Tensor) -> Tensor:
    """(1, H, W): for a known pixel, the share of hole in the window around it; in the hole, 0 (equation 3)."""
    share = F.avg_pool2d(hole[None], WINDOW, stride=1, padding=WINDOW // 2, count_include_pad=False)[0]
    return share * (1 - hole)


def context_loss(made: Tensor, image: Tensor, weight: Tensor) -> Tensor:
    """(N,): the weighted differences of (N, C, H, W) from a picture, added up (equation 4)."""
    return (weight * (made - image).abs()).flatten(1).sum(1)


def prior_of(loaded: LoadedSampler, model: Path) -> tuple[str, Prior]:
    """Return the loss that keeps images realistic, and its name.

    It is the discriminator's, "discriminator", if `model` is a run folder of a model that has one, and else the
    negative logarithm of the latent's own density, "latent".
    """
    if model.is_dir():
        recipe = RunFolder(model).read_recipe(loaded.card.experiment).eval().requires_grad_(False)
        realism = recipe.to(loaded.device).realism_loss()
        if realism is not None:
            return "discriminator", lambda made, latent, labels: realism(made, labels)
    return "latent", lambda made, latent, labels: loaded.sampler.prior_energy(latent)
