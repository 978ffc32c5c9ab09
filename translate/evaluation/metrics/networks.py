"""Feature networks with published weights, as the libraries build them: Inception and VGG-16 of torch-fidelity, LPIPS.

Heusel et al. 2017, arXiv:1706.08500 (FID); Zhang et al. 2018, arXiv:1801.03924 (LPIPS).
"""

import io
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib.metadata import version

import torch
from torch import Tensor

from translate.evaluation.metrics.extras import import_extra
from translate.evaluation.metrics.report import Protocol
from translate.evaluation.metrics.weights import Weights
from translate.hardware import keep_random_state


def load_lpips(weights: Weights, device: torch.device) -> tuple[Callable[[Tensor, Tensor], Tensor], Protocol]:
    """Return LPIPS v0.1 on AlexNet's features, from images (B, 3, H, W) in [-1, 1] to (B,), and its protocol.

    Raises:
        UserError: The package `lpips` is missing.
    """
    lpips = import_extra("lpips")
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), keep_random_state(torch.device("cpu")):
        warnings.simplefilter("ignore")  # of torchvision, about arguments that lpips passes
        network = lpips.LPIPS(net="alex", version="0.1", pnet_rand=True, verbose=False)
    # lpips cuts AlexNet into slices: slice2.3.weight is features.3.weight.
    names = {name: f"features.{name.partition('.')[2]}" for name in network.net.state_dict()}
    network.net.load_state_dict({name: weights.tensors[published] for name, published in names.items()})
    network.requires_grad_(False).eval().to(device)

    def measure(output: Tensor, reference: Tensor) -> Tensor:
        with torch.inference_mode():
            distances: Tensor = network(output, reference)
            return distances.reshape(-1)

    return measure, {**weights.protocol, "library": f"lpips {version('lpips')}, v0.1, AlexNet", "resizer": "none"}
