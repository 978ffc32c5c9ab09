"""Networks with weights that others have published, as torchvision provides them.

The weights are not part of this program. torchvision downloads them once into torch's own folder, `TORCH_HOME`, and
looks for them there first, so a machine without a network needs no more than a copy of one file.

torchvision is imported only where it is needed: it takes a second or two, and inference does without it.
"""

from pathlib import Path
from pickle import UnpicklingError
from urllib.error import URLError

import torch
from torch import Tensor, nn

from datasets.errors import UserError


def load_vgg19(layers: int, *, needed_by: str, alternative: str) -> nn.Sequential:
    """Return the first layers of VGG-19 with its weights from ImageNet, frozen.

    Simonyan, Zisserman 2014, arXiv:1409.1556. It takes RGB images (B, 3, H, W), normalized by ImageNet's statistics.

    Args:
        layers: How many of its convolutions, activations and poolings.
        needed_by: What needs the weights, for the error message.
        alternative: What to do without them, for the error message.

    Raises:
        UserError: The weights are not there and cannot be downloaded, or the file is damaged.
    """
    trunk = build_vgg19(layers)
    trunk.load_state_dict(_read_weights(set(trunk.state_dict()), needed_by, alternative))
    return trunk.requires_grad_(False).eval()


def build_vgg19(layers: int) -> nn.Sequential:
    """Build the first `layers` of VGG-19's convolutions, activations and poolings, with random weights."""
    from torchvision.models.vgg import cfgs, make_layers

    trunk: nn.Sequential = make_layers(cfgs["E"], batch_norm=False)[:layers]
    return trunk


def _read_weights(names: set[str], needed_by: str, alternative: str) -> dict[str, Tensor]:
    """Return the published tensors of these names; a file may hold others too."""
    from torchvision.models import VGG19_Weights

    weights = VGG19_Weights.IMAGENET1K_V1
    path = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rsplit("/", 1)[1]
    try:
        published = weights.get_state_dict(progress=False, check_hash=True, map_location="cpu", weights_only=True)
        return {name: published[f"features.{name}"] for name in names}
    except (URLError, OSError):
        raise UserError(
            f"{needed_by} needs VGG-19's weights, which are not at {path} and cannot be downloaded: copy "
            f"{weights.url} there, or train without them, with {alternative}"
        ) from None
    except (RuntimeError, KeyError, EOFError, UnpicklingError):
        raise UserError(f"{path}: is damaged or holds other weights than VGG-19's; delete it") from None
