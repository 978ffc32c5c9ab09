"""How a translator or a sampler is called in training and inference: in evaluation mode, with inputs padded to size."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.contract import Domain, Sampler, Translator


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Set the model to evaluation and inference mode for the length of a `with` block."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)


def translate_batch(model: Translator, image: Tensor, domain: Domain = 0) -> Tensor:
    """Translate (B, channels_in, H, W) of any H, W ≥ 1 to (B, channels_out, scale * H, scale * W), in [-1, 1].

    Images are padded at the right and the bottom to a size that the network takes, and the output is cropped.
    """
    height, width = image.shape[-2:]
    with evaluating(model):
        output: Tensor = model(pad(image, model.multiple, model.minimum), domain)
        return output[..., : height * model.scale, : width * model.scale].clamp(-1, 1)


def generate_batch(model: Sampler, latent: Tensor, label: Tensor) -> Tensor:
    """Make images (B, channels, size, size) from (B, latent) numbers and labels (B,), in evaluation mode."""
    with evaluating(model):
        return model.generate(latent, label)


def pad(image: Tensor, multiple: int, minimum: int = 1) -> Tensor:
    """Pad (B, C, H, W) at the right and the bottom to multiples of `multiple` that are at least `minimum`.

    Padding is by reflection as far as the image reaches, and then repeats the last pixels.
    """
    height, width = image.shape[-2:]
    down = -(-max(height, minimum) // multiple) * multiple - height
    right = -(-max(width, minimum) // multiple) * multiple - width
    if not down and not right:
        return image
    reflected_down, reflected_right = min(down, height - 1), min(right, width - 1)
    image = F.pad(image, (0, reflected_right, 0, reflected_down), mode="reflect")
    return F.pad(image, (0, right - reflected_right, 0, down - reflected_down), mode="replicate")
