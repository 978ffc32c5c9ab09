"""Losses on VGG's features, against their formulas written out."""

import pytest
import torch
import torch.nn.functional as F

from models.losses.perceptual import CONTENTS, POOLED, ContentLoss, FeatureLosses, gram
from models.published import load_vgg19


@pytest.fixture
def features(vgg):
    """`features(image, 0, 2, None)`: by VGG's convolutions of these numbers, each with its ReLU; None is a pooling."""
    weights = torch.load(vgg / "hub" / "checkpoints" / "vgg19-dcbb9e9d.pth", weights_only=True)

    def of(image: torch.Tensor, *places: int | None) -> torch.Tensor:
        x = ((image + 1) / 2 - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor(
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


def content_loss() -> ContentLoss:
    content = CONTENTS["vgg22"]
    return ContentLoss(content, load_vgg19(content.layers, needed_by="a test", alternative="nothing"))


def feature_losses() -> FeatureLosses:
    return FeatureLosses(load_vgg19(POOLED[-1], needed_by="a test", alternative="nothing"))


def test_features_and_styles_are_compared_after_each_of_three_halvings(features) -> None:
    output, truth = (torch.rand(2, 3, 16, 24) * 2 - 1 for _ in range(2))
    layers = [0, 2, None, 5, 7, None, 10, 12, 14, 16, None]
    expected = torch.zeros(2)
    for count in (3, 6, 11):
        one, other = (features(picture, *layers[:count]) for picture in (output, truth))
        channels, places = one.shape[1], one.shape[2] * one.shape[3]
        products = [torch.einsum("bihw,bjhw->bij", x, x) / (channels * places) for x in (one, other)]
        expected += torch.stack([(one - other).abs().mean(), (products[0] - products[1]).abs().mean()])
    torch.testing.assert_close(torch.stack(feature_losses()(output, truth)), expected)
    assert [float(loss) for loss in feature_losses()(truth, truth)] == [0, 0]


def test_style_does_not_depend_on_where_things_are() -> None:
    values = torch.rand(1, 4, 6, 8)
    torch.testing.assert_close(gram(values), gram(values.flip(2).roll(3, dims=3)))
    assert gram(values)[0, 1, 2].item() == pytest.approx((values[0, 1] * values[0, 2]).mean().item() / 4)


def test_the_loss_is_the_papers(features) -> None:
    loss = content_loss()
    output, truth = (torch.rand(2, 3, 16, 16) * 2 - 1 for _ in range(2))
    one, other = (features(picture, 0, 2, None, 5, 7) for picture in (output, truth))
    expected = ((one - other) / 12.75).square().mean()
    assert loss(output, truth).item() == pytest.approx(expected.item(), rel=1e-5)
    assert loss(truth, truth) == 0


def test_gradients_flow_into_the_output_only() -> None:
    loss = content_loss().train()
    output, truth = (torch.rand(1, 3, 16, 16, requires_grad=True) for _ in range(2))
    loss(output, truth).backward()
    assert output.grad is not None
    assert output.grad.any()
    assert truth.grad is None
    assert not any(parameter.requires_grad for parameter in loss.parameters())
