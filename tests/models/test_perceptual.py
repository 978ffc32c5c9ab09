"""The content loss: VGG's layers, its scale, its weights."""

import pytest
import torch
import torch.nn.functional as F

from datasets.errors import UserError
from models.core import perceptual
from models.core.perceptual import ContentLoss, vgg19_trunk


@pytest.mark.parametrize(("layers", "parameters", "channels"), [(9, 260_160, 128), (35, 20_024_384, 512)])
def test_the_trunk_is_vggs(layers: int, parameters: int, channels: int) -> None:
    with torch.device("meta"):
        trunk = vgg19_trunk(layers)
        assert sum(parameter.numel() for parameter in trunk.parameters()) == parameters
        assert trunk(torch.empty(1, 3, 64, 64)).shape[1] == channels


def test_before_and_after_activation_are_one_layer_apart() -> None:
    assert isinstance(vgg19_trunk(36)[-1], torch.nn.ReLU)
    assert isinstance(vgg19_trunk(35)[-1], torch.nn.Conv2d)
    assert len(vgg19_trunk(36)) == 36


def test_the_loss_is_the_papers(vgg) -> None:
    loss = ContentLoss("vgg22")
    made, truth = (torch.rand(2, 3, 16, 16) * 2 - 1 for _ in range(2))
    weights = torch.load(vgg / "hub" / "checkpoints" / "vgg19-dcbb9e9d.pth", weights_only=True)

    def features(picture: torch.Tensor) -> torch.Tensor:
        x = ((picture + 1) / 2 - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor(
            [0.229, 0.224, 0.225]
        )[:, None, None]
        for place in (0, 2, None, 5, 7):
            if place is None:
                x = F.max_pool2d(x, 2)
            else:
                name = f"features.{place}"
                x = F.relu(F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1))
        return x

    expected = ((features(made) - features(truth)) / 12.75).square().mean()
    assert loss(made, truth).item() == pytest.approx(expected.item(), rel=1e-5)
    assert loss(truth, truth) == 0


def test_gradients_flow_into_what_was_made_alone() -> None:
    loss = ContentLoss("vgg22").train()
    made, truth = (torch.rand(1, 3, 16, 16, requires_grad=True) for _ in range(2))
    loss(made, truth).backward()
    assert made.grad is not None
    assert made.grad.any()
    assert truth.grad is None
    assert not any(parameter.requires_grad for parameter in loss.parameters())


def test_without_weights_and_network_a_sentence_names_the_place_and_the_way_out(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(perceptual, "WEIGHTS", "http://127.0.0.1:9/vgg19-dcbb9e9d.pth")  # nobody listens there
    with pytest.raises(UserError, match=rf"not at {tmp_path}/hub/checkpoints/vgg19.*model\.pixel_steps=null"):
        ContentLoss("vgg22")


def test_a_damaged_file_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / "hub" / "checkpoints" / "vgg19-dcbb9e9d.pth"
    place.parent.mkdir(parents=True)
    torch.save({"something": torch.zeros(1)}, place)
    with pytest.raises(UserError, match="damaged or holds other weights"):
        ContentLoss("vgg22")
