"""Published weights: VGG-19's layers, and what is said where its weights are missing or damaged."""

from pathlib import Path
from urllib.error import URLError

import pytest
import torch

from datasets.errors import UserError
from models.published import build_vgg19, load_vgg19

FILE = Path("hub") / "checkpoints" / "vgg19-dcbb9e9d.pth"


@pytest.mark.parametrize(("layers", "parameters", "channels"), [(9, 260_160, 128), (35, 20_024_384, 512)])
def test_the_trunk_is_vggs(layers: int, parameters: int, channels: int) -> None:
    with torch.device("meta"):
        trunk = build_vgg19(layers)
        assert sum(parameter.numel() for parameter in trunk.parameters()) == parameters
        assert trunk(torch.empty(1, 3, 64, 64)).shape[1] == channels


def test_before_and_after_activation_are_one_layer_apart() -> None:
    with torch.device("meta"):
        assert isinstance(build_vgg19(36)[-1], torch.nn.ReLU)
        assert isinstance(build_vgg19(35)[-1], torch.nn.Conv2d)
        assert len(build_vgg19(36)) == 36


def test_weights_are_those_of_the_local_file_and_do_not_learn(vgg: Path) -> None:
    published = torch.load(vgg / FILE, weights_only=True)
    trunk = load_vgg19(9, needed_by="a test", alternative="nothing")
    assert {f"features.{name}" for name in trunk.state_dict()} < set(published)  # the file holds more layers
    assert all(torch.equal(tensor, published[f"features.{name}"]) for name, tensor in trunk.state_dict().items())
    assert not any(parameter.requires_grad for parameter in trunk.parameters())
    assert not trunk.training


def test_without_weights_and_network_a_sentence_names_the_place_and_the_alternative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*arguments: object, **options: object) -> None:
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", unreachable)
    sentence = rf"^the content loss needs VGG-19's weights, which are not at {tmp_path / FILE} .*with model\.steps=1$"
    with pytest.raises(UserError, match=sentence):
        load_vgg19(9, needed_by="the content loss", alternative="model.steps=1")


@pytest.mark.parametrize("content", ["other weights", "no archive", "nothing"])
def test_a_damaged_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / FILE
    place.parent.mkdir(parents=True)
    torch.save({"something": torch.zeros(1)}, place)
    if content != "other weights":
        place.write_bytes(place.read_bytes()[:100] if content == "no archive" else b"")
    with pytest.raises(UserError, match=rf"{place}: is damaged or holds other weights"):
        load_vgg19(9, needed_by="a test", alternative="nothing")


def test_code_in_a_file_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / FILE
    place.parent.mkdir(parents=True)
    torch.save({"features.0.weight": Path("a")}, place)  # pickled by a call of its class
    with pytest.raises(UserError, match="is damaged"):
        load_vgg19(9, needed_by="a test", alternative="nothing")
