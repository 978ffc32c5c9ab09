"""How a translator or a sampler is used, wherever it is used: the right size out, as `eval()` says."""

import torch
import torch.nn.functional as F
from torch import Tensor

from models.contract import Sampler, Translator


@torch.inference_mode()
def translate_batch(model: Translator, image: Tensor, domain: int = 0) -> Tensor:
    """Translate (B, channels_in, H, W) of any H, W ≥ 1 into (B, channels_out, scale * H, scale * W), in [-1, 1].

    The pictures are padded at the right and the bottom to sizes that the network takes, and the
    result is cut back.
    """
    was_training = model.training
    model.eval()
    try:
        height, width = image.shape[-2:]
        output: Tensor = model(padded(image, model.multiple, model.minimum), domain)
        return output[..., : height * model.scale, : width * model.scale].clamp(-1, 1)
    finally:
        model.train(was_training)


@torch.inference_mode()
def generate_batch(model: Sampler, latent: Tensor, label: Tensor) -> Tensor:
    """(B, latent) numbers and (B,) labels to (B, channels, size, size), as `eval()` says."""
    was_training = model.training
    model.eval()
    try:
        return model.generate(latent, label)
    finally:
        model.train(was_training)


def padded(image: Tensor, multiple: int, minimum: int = 1) -> Tensor:
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
