"""How a translator or a sampler is used, wherever it is used: the right size out, as `eval()` says."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.contract import Domain, Sampler, Translator


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Within, the model is as a model file's: in evaluation, and with nothing kept for gradients."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)


def translate_batch(model: Translator, image: Tensor, domain: Domain = 0) -> Tensor:
    """Translate (B, channels_in, H, W) of any H, W ≥ 1 into (B, channels_out, scale * H, scale * W), in [-1, 1].

    The pictures are padded at the right and the bottom to sizes that the network takes, and the
    result is cut back.
    """
    height, width = image.shape[-2:]
    with evaluating(model):
        output: Tensor = model(pad(image, model.multiple, model.minimum), domain)
        return output[..., : height * model.scale, : width * model.scale].clamp(-1, 1)


def generate_batch(model: Sampler, latent: Tensor, label: Tensor) -> Tensor:
    """(B, latent) numbers and (B,) labels to (B, channels, size, size), as `eval()` says."""
    with evaluating(model):
        return model.generate(latent, label)


def pad(image: Tensor, multiple: int, minimum: int = 1) -> Tensor:
    """(B, C, H, W) padded to sides of at least `minimum` that are multiples of `multiple`.

    Reflected as far as the picture reaches, then its last pixels repeated.
    """
    height, width = image.shape[-2:]
    down = -(-max(height, minimum) // multiple) * multiple - height
    right = -(-max(width, minimum) // multiple) * multiple - width
    if not down and not right:
        return image
    reflected_down, reflected_right = min(down, height - 1), min(right, width - 1)
    image = F.pad(image, (0, reflected_right, 0, reflected_down), mode="reflect")
    return F.pad(image, (0, right - reflected_right, 0, down - reflected_down), mode="replicate")
