"""DeepFill v2's checkpoints become inpainters that compute what the port that they are for computes."""

import numpy as np
import pytest
import torch
from torch import Tensor

from models.inpainting import Inpainting
from models.networks.inpainters import DeepFillConfig
from translate.exchange.architectures.contract import ArchitectureError, ImportOptions
from translate.exchange.architectures.deepfill import recognize_deepfill
from translate.exchange.importing import import_model
from translate.inference.model import load_model

COARSE = [
    *(
        "conv1",
        "down_block1.conv1_downsample",
        "down_block1.conv2",
        "down_block2.conv1_downsample",
        "down_block2.conv2",
    ),
    *(f"conv_bn{number}" for number in range(1, 8)),
]
UP = [f"up_block{number}.{name}" for number in (1, 2) for name in ("conv1_upsample.conv", "conv2")]
DOWN = [
    "conv1",
    "down_block1.conv1_downsample",
    "down_block1.conv2",
    "down_block2.conv1_downsample",
    "down_block2.conv2",
]
FINE = [
    *(f"conv_{name}" for name in (*DOWN, *(f"conv_bn{number}" for number in range(1, 6)))),
    *(f"ca_{name}" for name in (*DOWN, "conv_bn1", "conv_bn4", "conv_bn5")),
    *("conv_bn6", "conv_bn7"),
]
# The names of the port's layers, in the order in which ours come.
PUBLISHED = [
    *(f"stage1.{name}" for name in (*COARSE, *UP, "conv_to_rgb")),
    *(f"stage2.{name}" for name in (*FINE, *UP, "conv_to_rgb")),
]


# The same layers in the port that computes as TensorFlow does.
TENSORFLOW = [
    *("conv1", "conv2_downsample", "conv3", "conv4_downsample", "conv5", "conv6"),
    *(f"conv{number}_atrous" for number in range(7, 11)),
    *("conv11", "conv12", "conv13_upsample.conv", "conv14", "conv15_upsample.conv", "conv16", "conv17"),
    *("xconv1", "xconv2_downsample", "xconv3", "xconv4_downsample", "xconv5", "xconv6"),
    *(f"xconv{number}_atrous" for number in range(7, 11)),
    *("pmconv1", "pmconv2_downsample", "pmconv3", "pmconv4_downsample", "pmconv5", "pmconv6", "pmconv9", "pmconv10"),
    *("allconv11", "allconv12", "allconv13_upsample.conv", "allconv14", "allconv15_upsample.conv", "allconv16"),
    "allconv17",
]


def published_shapes(layers: list[str], width: int) -> dict[str, tuple[int, ...]]:
    names = [f"{layer}.conv.{kind}" for layer in layers for kind in ("weight", "bias")]
    own = DeepFillConfig(width=width).build().state_dict()
    return {name: tuple(tensor.shape) for name, tensor in zip(names, own.values(), strict=True)}


# (mean, standard deviation, the first four and the last value) of both stages, on noise with a hole. The port that
# computes as TensorFlow does was run beside this network, and differed by less than 1e-7.
@pytest.mark.parametrize(
    ("variant", "layers", "coarse", "fine"),
    [
        (
            "pytorch",
            PUBLISHED,
            [0.081638, 0.090074, -0.01053, -0.02063, -0.02237, -0.02153, -0.013],
            [0.005998, 0.068932, 0.08318, 0.10859, 0.11223, 0.11233, -0.11521],
        ),
        (
            "tensorflow",
            TENSORFLOW,
            [-0.16565, 0.103412, -0.19151, -0.198557, -0.196677, -0.196982, -0.222867],
            [0.001594, 0.083063, 0.133169, 0.098198, 0.101019, 0.100659, 0.021223],
        ),
    ],
)
def test_published_weights_give_published_outputs(variant, layers, coarse, fine, fill):
    weights = fill(published_shapes(layers, 24))
    if variant == "pytorch":
        weights["stage2.contextual_attention.fuse_weight"] = torch.eye(3)[None, None]
    found = recognize_deepfill(weights, ImportOptions())
    assert found is not None
    network = found.model.translator()
    assert isinstance(network, Inpainting)
    network.load_state_dict(found.tensors)
    values = np.random.RandomState(0).uniform(-1, 1, (1, 3, 128, 128))
    image, mask = torch.as_tensor(values, dtype=torch.float32), torch.zeros(1, 1, 128, 128)
    mask[..., 32:80, 40:96] = 1
    with torch.inference_mode():
        stages = network.run_stages(image, mask)

    def summarize(output: Tensor) -> list[float]:
        ends = output.flatten()
        return [output.mean().item(), output.std(correction=0).item(), *ends[:4].tolist(), ends[-1].item()]

    assert summarize(stages[0]) == pytest.approx(coarse, abs=2e-5)
    assert summarize(stages[1]) == pytest.approx(fine, abs=2e-5)


@pytest.mark.parametrize(("layers", "variant"), [(PUBLISHED, "PyTorch"), (TENSORFLOW, "TensorFlow")])
def test_a_checkpoint_with_its_discriminator_becomes_an_inpainter(layers, variant, tmp_path, fill):
    weights = fill(published_shapes(layers, 2))
    torch.save({"G": weights, "D": {"conv1.conv_sn.weight": torch.zeros(4)}, "n_iter": 3}, tmp_path / "states.pth")
    model = load_model(import_model(tmp_path / "states.pth", tmp_path / "model.safetensors"), precision="fp32")
    assert model.translator.fills_holes
    assert model.card.origin is not None
    assert model.card.origin.architecture == f"DeepFill v2, padded as in {variant}"


def test_an_input_of_other_channels_is_refused(fill):
    shapes = {**published_shapes(PUBLISHED, 2), "stage1.conv1.conv.weight": (4, 4, 5, 5)}
    with pytest.raises(ArchitectureError, match="inputs of 4 channels"):
        recognize_deepfill(fill(shapes), ImportOptions())
    assert recognize_deepfill({}, ImportOptions()) is None
