"""Losses on VGG's features: its layers, their scale, its weights."""

import pytest
import torch
import torch.nn.functional as F

from datasets.errors import UserError
from models.losses import perceptual
from models.losses.perceptual import ContentLoss, FeatureLosses, gram, vgg19_trunk


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


@pytest.fixture
def features(vgg):
    """`features(picture, 0, 2, None)`: by published convolutions of these numbers, each with its ReLU; None halves."""
    weights = torch.load(vgg / "hub" / "checkpoints" / "vgg19-dcbb9e9d.pth", weights_only=True)

    def of(picture: torch.Tensor, *places: int | None) -> torch.Tensor:
        x = ((picture + 1) / 2 - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor(
            [0.229, 0.224, 0.225]
        )[:, None, None]
        for place in places:
            if place is None:
                x = F.max_pool2d(x, 2)
            else:
                name = f"features.{place}"
                x = F.relu(F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1))
        return x

    return of


def test_features_and_styles_are_compared_after_each_of_three_halvings(features) -> None:
    made, truth = (torch.rand(2, 3, 16, 24) * 2 - 1 for _ in range(2))
    layers = [0, 2, None, 5, 7, None, 10, 12, 14, 16, None]
    expected = torch.zeros(2)
    for count in (3, 6, 11):
        one, other = (features(picture, *layers[:count]) for picture in (made, truth))
        channels, places = one.shape[1], one.shape[2] * one.shape[3]
        products = [torch.einsum("bihw,bjhw->bij", x, x) / (channels * places) for x in (one, other)]
        expected += torch.stack([(one - other).abs().mean(), (products[0] - products[1]).abs().mean()])
    torch.testing.assert_close(torch.stack(FeatureLosses()(made, truth)), expected)
    assert [float(loss) for loss in FeatureLosses()(truth, truth)] == [0, 0]


def test_style_does_not_depend_on_where_things_are() -> None:
    values = torch.rand(1, 4, 6, 8)
    torch.testing.assert_close(gram(values), gram(values.flip(2).roll(3, dims=3)))
    assert gram(values)[0, 1, 2].item() == pytest.approx((values[0, 1] * values[0, 2]).mean().item() / 4)


def test_the_loss_is_the_papers(features) -> None:
    loss = ContentLoss("vgg22")
    made, truth = (torch.rand(2, 3, 16, 16) * 2 - 1 for _ in range(2))
    one, other = (features(picture, 0, 2, None, 5, 7) for picture in (made, truth))
    expected = ((one - other) / 12.75).square().mean()
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
    with pytest.raises(UserError, match=r"perceptual loss needs VGG-19's.*perceptual_weight=0.*style_weight=0"):
        FeatureLosses()


def test_a_damaged_file_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / "hub" / "checkpoints" / "vgg19-dcbb9e9d.pth"
    place.parent.mkdir(parents=True)
    torch.save({"something": torch.zeros(1)}, place)
    with pytest.raises(UserError, match="damaged or holds other weights"):
        ContentLoss("vgg22")
