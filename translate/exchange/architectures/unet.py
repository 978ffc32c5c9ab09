"""The U-Net of pix2pix, as the authors' PyTorch code names it: each level is nested in the one above."""

from models.networks.generators import UNetConfig
from models.pix2pix import Pix2PixConfig
from translate.exchange.architectures.contract import (
    ArchitectureError,
    ImportOptions,
    Recognized,
    Tensors,
    adapt_norms,
    choose_norm,
    move,
)

OUTERMOST = "model.model"


def recognize_unet(tensors: Tensors, options: ImportOptions) -> Recognized | None:
    """Recognize the U-Net of pix2pix."""
    first = tensors.get(f"{OUTERMOST}.0.weight")
    if first is None or first.ndim != 4 or f"{OUTERMOST}.1.model.1.weight" not in tensors:
        return None
    depth = 2
    while f"{_prefix(depth)}.1.weight" in tensors:
        depth += 1
    last = tensors.get(f"{OUTERMOST}.3.weight")
    if last is None:
        raise ArchitectureError("looks like the U-Net of pix2pix, but its last layer is missing; is it half a file?")
    innermost_norm = f"{_prefix(depth - 1)}.4"
    norm = choose_norm(tensors, innermost_norm, options)
    ours, left = move(tensors, _modules(depth))
    down, up = range(1, depth - 1), range(depth - 1)
    norms = [*(f"encoder.{level}.2" for level in down), *(f"decoder.{place}.2" for place in up)]
    config = UNetConfig(depth=depth, width=len(first), norm=norm)
    channels_in, channels_out = first.shape[1], last.shape[1]
    return Recognized(
        Pix2PixConfig(channels_in=channels_in, channels_out=channels_out, generator=config),
        {f"generator.{name}": tensor for name, tensor in adapt_norms(ours, norms, norm).items()} | left,
        f"pix2pix's U-Net of depth {depth} ({'instance' if norm == 'instance' else 'batch'} norm)",
        trained_size=2**depth,
    )


def _prefix(level: int) -> str:
    """Return the name of a level's module, from 0, the outermost."""
    return OUTERMOST + ".1.model" * (level > 0) + ".3.model" * (level - 1)


def _modules(depth: int) -> dict[str, str]:
    """Return the names of our layers by those of the published ones, which count activations and the level below."""
    names = {}
    for level in range(depth):
        down, place = (1 if level else 0), depth - 1 - level
        up = 5 if 0 < level < depth - 1 else 3
        prefix = _prefix(level)
        names[f"{prefix}.{down}"] = f"encoder.{level}.{down}"
        names[f"{prefix}.{up}"] = f"decoder.{place}.1"
        if level:
            names[f"{prefix}.{up + 1}"] = f"decoder.{place}.2"
        if 0 < level < depth - 1:
            names[f"{prefix}.2"] = f"encoder.{level}.2"
    return names
