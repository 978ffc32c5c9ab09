"""A checkpoint of no known architecture is told which known one it is most like."""

import pytest
import torch

from translate.exchange.architectures.contract import ImportOptions
from translate.exchange.architectures.nearest import KINDS, describe_nearest
from translate.exchange.recognition import recognize

UPSCALER = ["conv_first.weight", "conv_first.bias", "body.0.conv1.weight", "body.17.conv2.bias", "conv_last.weight"]
UNLIKE = {
    "EDSR, with 5 of its 5 kinds of names": [*UPSCALER, "conv_after_body.bias", "upsample.0.bias", "attention.key"],
    "MSRResNet, with 4 of its 5 kinds of names": [*UPSCALER, "conv_hr.bias"],
    "EDSR, with 4 of its 5 kinds of names behind its prefix": [
        f"net.{name}" for name in (*UPSCALER, "conv_after_body.bias")
    ],
    "CycleGAN's or CUT's ResNet, with 2 of its 2 kinds of names behind its prefixes": [
        f"module.g_ab.model.{name}" for name in ("1.weight", "10.conv_block.1.weight", "10.conv_block.5.weight")
    ],
    "pix2pix's U-Net, with 2 of its 2": [
        "model.model.0.weight",
        "model.model.1.model.3.model.3.weight",
        "extra.weight",
    ],
}


@pytest.mark.parametrize("nearest", UNLIKE)
def test_the_nearest_is_named(nearest):
    words = describe_nearest({name: torch.zeros(1) for name in UNLIKE[nearest]})
    assert words.startswith(f"the nearest known is {nearest}")
    assert ("behind" in words) == ("behind" in nearest)


def test_a_few_common_names_are_not_near():
    assert describe_nearest({"conv_first.weight": torch.zeros(1), "encoder.0.weight": torch.zeros(1)}).startswith("no ")
    assert describe_nearest({"weight": torch.zeros(1)}).startswith("no ")


def test_the_refusal_names_it():
    tensors = {f"wrapped.{name}": torch.zeros(3, 3) for name in (*UPSCALER, "conv_after_body.bias")}
    with pytest.raises(ValueError, match=r"begin with wrapped\.conv_first.weight 3x3, .*nearest known is EDSR"):
        recognize(tensors, ImportOptions())


def test_both_ports_of_deepfill_are_told_apart():
    for name in ("DeepFill v2", "DeepFill v2, padded as in TensorFlow"):
        tensors = {kind.replace("#", "1") + ".weight": torch.zeros(1) for kind in KINDS[name] if "_atrous" not in kind}
        assert f" {name}, with " in describe_nearest(tensors)
