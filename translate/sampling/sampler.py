"""A loaded sampler: a network that makes pictures from noise, always the same for the same seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.contract import find_name
from datasets.errors import UserError, suggest
from datasets.pixels import to_pixels
from models.apply import generate_batch
from models.contract import Sampler
from translate.files import file_digest
from translate.hardware import Numerics, choose_device, memory_ran_out, resolve_numerics
from translate.inference.model_file import Card, ModelError, load_network, model_path
from translate.sampling.latents import check_truncation, sample_latent

BATCH = 16  # pictures computed at once


@dataclass(frozen=True)
class LoadedSampler:
    """A sampler ready to use, with its card; call it to get pictures."""

    sampler: Sampler
    card: Card
    digest: str
    device: torch.device
    numerics: Numerics

    def __call__(
        self, count: int, seed: int = 0, *, of: str | None = None, truncation: float | None = None
    ) -> NDArray[np.uint8]:
        """Make the first `count` pictures of a seed, (count, H, W, C) uint8, RGB or gray.

        Args:
            count: How many; the first are the same however many follow.
            seed: Decides what is drawn.
            of: The class, of a model that has several.
            truncation: Draw numbers of the latents again that are farther from 0 than this.

        Raises:
            UserError: There is no such class, latents cannot be truncated so, or the model makes no pictures.
        """
        (label,) = self.labels([] if of is None else [of], single=True)
        if self.makes_points:
            raise UserError("this model makes points and no pictures; its method `generate` returns them")
        if count < 1:
            raise UserError(f"{count} pictures cannot be made: expected 1 or more")
        check_truncation(self.sampler, truncation)
        latents = torch.stack([sample_latent(self.sampler, seed, label, index, truncation) for index in range(count)])
        images = self.generate(latents, torch.full((count,), label))
        return np.stack([np.asarray(to_pixels(image, 8), np.uint8) for image in images])

    @property
    def makes_points(self) -> bool:
        """Whether it makes points of the plane, in the form of pictures of one pixel and two channels."""
        return (self.sampler.channels, self.sampler.size) == (2, 1)

    def generate(self, latent: Tensor, label: Tensor, batch: int = BATCH) -> Tensor:
        """Make pictures of (N, latent) numbers and (N,) labels: (N, channels, size, size) float32, on the host.

        They are computed in batches of one size, the last one filled up: how a processor sums depends on the size of
        the batch, and a picture must not depend on how many were asked for.

        Raises:
            UserError: Memory is not enough for a batch.
        """
        images = []
        for latents, labels in zip(torch.split(latent, batch), torch.split(label, batch), strict=True):
            missing = batch - len(latents)
            filled_latents = torch.cat([latents, latents.new_zeros(missing, latents.shape[1])])
            filled_labels = torch.cat([labels, labels.new_zeros(missing)])
            try:
                with self.numerics.active(self.device), self.numerics.autocast(self.device):
                    generated = generate_batch(
                        self.sampler, filled_latents.to(self.device), filled_labels.to(self.device)
                    )
            except (RuntimeError, MemoryError) as error:
                if not memory_ran_out(error):
                    raise
                raise UserError(f"memory is not enough for {batch} pictures at once; try a smaller `batch`") from None
            images.append(generated[: len(latents)].float().cpu())
        return torch.cat(images)

    def labels(self, names: Sequence[str], *, single: bool = False) -> tuple[int, ...]:
        """Return the labels of classes by their names, each once; all labels if none is named.

        Raises:
            UserError: The model has no such class, or several where a single one is needed.
        """
        known = self.sampler.domains
        if not known:
            if names:
                raise UserError(f"there is no class {names[0]}: this model was trained without classes")
            return (0,)
        indices = []
        for name in names:
            index = find_name(name, known)
            if index is None:
                raise UserError(f"there is no class {name} in this model; {suggest(name, known)}")
            indices.append(index)
        chosen = tuple(dict.fromkeys(indices)) or tuple(range(len(known)))
        if single and len(chosen) > 1:
            raise UserError(f"this model makes {', '.join(known)}: choose one class")
        return chosen


def load_sampler(
    model: str | Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    threads: int | str = "auto",
    steps: int | None = None,
) -> LoadedSampler:
    """Load the sampler of a model file or run folder.

    Args:
        model: The file or folder.
        device: "auto", "cpu", "cuda", "cuda:N", "xpu" or "mps".
        precision: "auto", which is float32 here, "fp32" or "bf16".
        threads: Of the processor; "auto": as many as torch uses.
        steps: Of a model that works in steps, such as a diffusion model, how many a picture takes; None: as it was
            trained for.

    Raises:
        ModelError: It is missing, damaged, was not written by this program, or makes nothing from noise.
        UserError: There is no such device or precision, or the model has no steps to choose.
    """
    path = model_path(model)
    network, card = load_network(path)
    if not isinstance(network, Sampler):
        raise ModelError(f"{model}: translates pictures and makes none from noise; use `translate run`")
    digest = file_digest(path)
    if steps is not None:
        network.set_steps(steps)
        digest = f"{digest}-steps-{steps}"
    chosen = choose_device(device)
    numerics = resolve_numerics(chosen, training=False, precision=precision, threads=threads)
    return LoadedSampler(numerics.place_network(network, chosen), card, digest, chosen, numerics)
