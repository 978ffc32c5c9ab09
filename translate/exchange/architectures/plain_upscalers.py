"""Upscalers without dense blocks: SRVGGNetCompact, MSRResNet and EDSR, as BasicSR, Real-ESRGAN and mmagic name them."""

import math

from models.networks.upscalers import CompactConfig, EDSRConfig, MSRResNetConfig
from models.srgan import SRGANConfig
from translate.exchange.architectures.contract import (
    ArchitectureError,
    ImportOptions,
    Recognized,
    Tensors,
    count,
    rename,
)

MMAGIC = (  # what it calls differently
    (r"trunk_net\.(\d+)\.", r"body.\1."),
    (r"upsample(\d)\.upsample_conv\.", r"upconv\1."),
    (r"upsample\.(\d)\.upsample_conv\.", r"upsample.<\1>."),
)
BLOCKS = (r"body\.(\d+)\.conv1\.", r"blocks.\1.layers.0."), (r"body\.(\d+)\.conv2\.", r"blocks.\1.layers.2.")
MSRRESNET = (
    (r"conv_first\.", "first."),
    *BLOCKS,
    (r"upconv1\.", "growth.0."),
    (r"upconv2\.", "growth.3."),
    (r"conv_hr\.", "detail."),
    (r"conv_last\.", "tail."),
)
EDSR = (
    (r"conv_first\.", "first."),
    *BLOCKS,
    (r"conv_after_body\.", "last."),
    (r"upsample\.", "growth."),
    (r"conv_last\.", "tail."),
)
LARGE = 256  # channels from which on EDSR's residuals are scaled, by 0.1; the weights do not tell


def recognize_compact(tensors: Tensors, options: ImportOptions) -> Recognized | None:
    """Recognize SRVGGNetCompact: convolutions with a PReLU after each but the last."""
    del options
    last = count(tensors, r"body\.(\d+)\.weight") - 1
    first = tensors.get("body.0.weight")
    if first is None or first.shape[1:] != (3, 3, 3) or any(not name.startswith("body.") for name in tensors):
        return None
    if f"body.{last}.bias" not in tensors or last % 2 or "body.1.weight" not in tensors:
        return None  # one of those whose activations have no weights
    scale = _scale_of(len(tensors[f"body.{last}.weight"]) // 3)
    ours = {name.replace("body.", "generator.layers.", 1): tensor for name, tensor in tensors.items()}
    config = CompactConfig(depth=(last - 2) // 2, width=len(first))
    return Recognized(
        SRGANConfig(scale=scale, generator=config, pixel_steps=None),
        ours,
        f"SRVGGNetCompact (Real-ESRGAN) x{scale}, {config.depth} convolutions",
    )


def recognize_msrresnet(tensors: Tensors, options: ImportOptions) -> Recognized | None:
    """Recognize MSRResNet, the network of BasicSR's SRResNet and SRGAN."""
    del options
    named = _name_as_basicsr(tensors)
    if not {"conv_first.weight", "body.0.conv1.weight", "conv_hr.weight", "upconv1.weight"} <= named.keys():
        return None
    width, blocks = len(named["conv_first.weight"]), count(named, r"body\.(\d+)\.conv1")
    scale = 4 if "upconv2.weight" in named else _scale_of(len(named["upconv1.weight"]) // width)
    config = MSRResNetConfig(blocks=blocks, width=width)
    return Recognized(
        SRGANConfig(scale=scale, generator=config, pixel_steps=None),
        {f"generator.{name}": tensor for name, tensor in rename(named, MSRRESNET).items()},
        f"MSRResNet (SRResNet without norms) x{scale}, {blocks} blocks",
    )


def recognize_edsr(tensors: Tensors, options: ImportOptions) -> Recognized | None:
    """Recognize EDSR."""
    del options
    named = _name_as_basicsr(tensors)
    if not {"conv_first.weight", "body.0.conv1.weight", "conv_after_body.weight"} <= named.keys():
        return None
    width, blocks = len(named["conv_first.weight"]), count(named, r"body\.(\d+)\.conv1")
    steps = [len(named[f"upsample.{index}.weight"]) for index in (0, 2) if f"upsample.{index}.weight" in named]
    scale = math.prod(_scale_of(channels // width) for channels in steps)
    config = EDSRConfig(blocks=blocks, width=width, residual_weight=0.1 if width >= LARGE else 1.0)
    return Recognized(
        SRGANConfig.model_validate({"scale": scale, "generator": config, "pixel_steps": None}),
        {f"generator.{name}": tensor for name, tensor in rename(named, EDSR).items() if name != "generator.mean"},
        f"EDSR x{scale}, {blocks} blocks",
    )


def _name_as_basicsr(tensors: Tensors) -> Tensors:
    named = rename(tensors, MMAGIC)
    for index in range(2):  # mmagic's module holds the pixel shuffle, so its numbers are half of BasicSR's
        named = rename(named, ((rf"upsample\.<{index}>\.", f"upsample.{2 * index}."),))
    return named


def _scale_of(channels: int) -> int:
    """Return the side of the square of pixels that a pixel shuffle makes of so many channels each.

    Raises:
        ArchitectureError: They make none, or one that is too large.
    """
    scale = math.isqrt(channels)
    if scale**2 != channels or scale not in (1, 2, 3, 4):
        raise ArchitectureError(f"would enlarge {math.sqrt(channels):g} times, and 1 to 4 can be imported")
    return scale
