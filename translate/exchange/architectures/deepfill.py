"""DeepFill v2 under the names of its two ports to PyTorch, which pad and sample differently."""

import torch

from models.backbones.deepfill import Variant
from models.inpainting import InpaintingConfig
from models.networks.inpainters import DeepFillConfig
from translate.exchange.architectures.contract import ArchitectureError, ImportOptions, Recognized, Tensors

UP = tuple(f"up_block{number}.{name}" for number in (1, 2) for name in ("conv1_upsample.conv", "conv2"))
DOWN = ("conv1", *(f"down_block{number}.{name}" for number in (1, 2) for name in ("conv1_downsample", "conv2")))
COARSE = (*DOWN, *(f"conv_bn{number}" for number in range(1, 8)), *UP, "conv_to_rgb")
FINE = (
    *(f"conv_{name}" for name in (*DOWN, *(f"conv_bn{number}" for number in range(1, 6)))),
    *(f"ca_{name}" for name in (*DOWN, "conv_bn1", "conv_bn4", "conv_bn5")),
    *("conv_bn6", "conv_bn7", *UP, "conv_to_rgb"),
)
DILATED = range(7, 11)
# The layers of both ports, in the order of ours.
LAYERS: dict[Variant, tuple[str, ...]] = {
    "pytorch": (*(f"stage1.{layer}" for layer in COARSE), *(f"stage2.{layer}" for layer in FINE)),
    "tensorflow": (
        *("conv1", "conv2_downsample", "conv3", "conv4_downsample", "conv5", "conv6"),
        *(f"conv{number}_atrous" for number in DILATED),
        *("conv11", "conv12", "conv13_upsample.conv", "conv14", "conv15_upsample.conv", "conv16", "conv17"),
        *("xconv1", "xconv2_downsample", "xconv3", "xconv4_downsample", "xconv5", "xconv6"),
        *(f"xconv{number}_atrous" for number in DILATED),
        *("pmconv1", "pmconv2_downsample", "pmconv3", "pmconv4_downsample", "pmconv5", "pmconv6", "pmconv9"),
        *("pmconv10", "allconv11", "allconv12", "allconv13_upsample.conv", "allconv14", "allconv15_upsample.conv"),
        *("allconv16", "allconv17"),
    ),
}
IDENTITY = "stage2.contextual_attention.fuse_weight"  # a constant, which our network does not keep


def recognize_deepfill(tensors: Tensors, options: ImportOptions) -> Recognized | None:
    """Recognize DeepFill v2's generator."""
    del options
    if "stage1.conv1.conv.weight" in tensors and "stage2.ca_conv1.conv.weight" in tensors:
        return _convert(tensors, "pytorch", "stage1.conv1.conv.weight")
    if "conv1.conv.weight" in tensors and "pmconv1.conv.weight" in tensors:
        return _convert(tensors, "tensorflow", "conv1.conv.weight")
    return None


def _convert(tensors: Tensors, variant: Variant, first: str) -> Recognized:
    """Return what a checkpoint of one of the ports is; `first` is its first convolution, of features and gates."""
    channels_out, channels_in = tensors[first].shape[:2]
    if channels_in != 5:
        raise ArchitectureError(f"is DeepFill v2 for inputs of {channels_in} channels, and 5 are expected, for RGB")
    config = DeepFillConfig(width=channels_out // 2, variant=variant)
    with torch.device("meta"):
        own = list(config.build().state_dict())
    names = [f"{layer}.conv.{kind}" for layer in LAYERS[variant] for kind in ("weight", "bias")]
    renamed = {old: f"generator.{new}" for old, new in zip(names, own, strict=True)}
    ours = {renamed.get(name, name): tensor for name, tensor in tensors.items() if name != IDENTITY}
    kind = "PyTorch" if variant == "pytorch" else "TensorFlow"
    return Recognized(InpaintingConfig(generator=config), ours, f"DeepFill v2, padded as in {kind}")
