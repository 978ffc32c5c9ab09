"""A model file is intact or it is not: a changed bit, a changed network and weights that were never sound are told."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from translate.exchange.verification import TOLERANCE, add_probe, measure_probe, verify_model
from translate.experiment import load_experiment
from translate.inference.model_file import Card, ModelError, load_network, read_card, save_model, save_tensors
from translate.inference.shipped import builtin_models


@pytest.fixture
def finished(tmp_path: Path, smaller: Callable[[str], list[str]]) -> Callable[..., Path]:
    """`finished("pix2pix", "model.generator.dropout=0")`: a file with figures of a small network of that recipe."""

    def build(recipe: str, *overrides: str) -> Path:
        experiment = load_experiment(recipe, [*smaller(recipe), *overrides])
        torch.manual_seed(0)
        network = experiment.model.with_domains(("x", "y")).translator().eval()
        card = Card(experiment=experiment, step=0, trained_size=32)
        if network.domains:
            card = card.model_copy(
                update={
                    "experiment": experiment.model_copy(update={"model": experiment.model.with_domains(("x", "y"))}),
                    "domains": network.domains,
                }
            )
        path = tmp_path / f"{recipe}.safetensors"
        save_model(path, network, add_probe(card, network))
        return path

    return build


def damage(path: Path, count: int) -> None:
    """Change the first weights of a file, and leave what it says of them."""
    tensors = load_file(path)
    for tensor in list(tensors.values())[:count]:
        tensor += 1
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    save_file(tensors, path, metadata=metadata)


@pytest.mark.parametrize("recipe", ["upscaler", "inpaint", "cyclegan", "stargan", "conditional-gan", "vae"])
def test_a_finished_file_is_intact(finished: Callable[..., Path], recipe: str) -> None:
    path = finished(recipe)
    found = verify_model(path)
    assert (found.hashes, found.without) == (True, "")
    assert found.difference == 0
    card = read_card(path)
    assert card.probe is not None
    assert len(card.probe.outputs) == max(1, min(4, len(card.domains)))
    assert len(set(card.probe.outputs[0])) > 10  # no constant, which any network could make


def test_a_changed_bit_is_found_and_named(finished: Callable[..., Path]) -> None:
    path = finished("upscaler")
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"is damaged: \S+ is not what was saved; get it again") as failed:
        verify_model(path)
    named = str(failed.value).split("damaged: ")[1].split()[0]
    assert named in load_file(path)


def test_of_several_damaged_tensors_the_first_is_named(finished: Callable[..., Path]) -> None:
    path = finished("upscaler")
    damage(path, 3)
    with pytest.raises(ModelError, match="and 2 other tensors are not what was saved"):
        verify_model(path)


def test_a_network_that_computes_something_else_is_found(finished: Callable[..., Path]) -> None:
    path = finished("upscaler")
    tensors = load_file(path)
    name = next(name for name, tensor in tensors.items() if tensor.ndim == 4)
    tensors[name] *= 1.2
    save_tensors(path, tensors, read_card(path))  # with hashes of their own
    with pytest.raises(ModelError, match=r"those that were saved, but its network .* outputs differ by"):
        verify_model(path)
    network, card = load_network(path)
    assert card.probe is not None
    found = measure_probe(network)
    assert found is not None
    assert max(abs(a - b) for a, b in zip(found.outputs[0], card.probe.outputs[0], strict=True)) > TOLERANCE


def test_weights_that_are_not_finite_are_found(finished: Callable[..., Path]) -> None:
    path = finished("upscaler")
    tensors = load_file(path)
    name = next(iter(tensors))
    tensors[name].view(-1)[0] = float("nan")
    save_tensors(path, tensors, read_card(path))
    with pytest.raises(ModelError, match=rf"{name} is infinite or not a number in places, as it was saved"):
        verify_model(path)


def test_a_network_that_draws_is_not_compared(finished: Callable[..., Path]) -> None:
    drawing = ("model.generator.depth=6", "model.generator.dropout=0.5", "model.dropout_at_inference=true")
    found = verify_model(finished("pix2pix", *drawing, "data.crop.size=64", "data.crop.load=70"))
    assert found.difference is None
    assert "draws random numbers" in found.without


def test_checkpoints_of_a_training_have_hashes_and_older_files_nothing(trained: Path) -> None:
    found = verify_model(trained / "last.safetensors")
    assert replace(found, tensors=0).__dict__ == {
        "tensors": 0,
        "hashes": True,
        "difference": None,
        "without": "it holds no figures of a probe",
    }
    older = Path(__file__).parents[2] / "fixtures" / "format_1" / "step_6.safetensors"
    assert verify_model(older).without == "it holds no hashes of its weights"


def test_the_command_says_it(finished: Callable[..., Path], command) -> None:
    path = finished("upscaler")
    ended = command("model", "verify", path)
    assert ended.code == 0, ended.err
    assert f"{path}: intact: " in ended.out
    assert "outputs differ by 0 of at most 0.001" in ended.out
    document = json.loads(command("model", "verify", path, "--json").out)
    assert (document["intact"], document["difference"], document["not_compared"]) == (True, 0, None)
    info = json.loads(command("model", "info", path, "--json").out)
    assert (info["file"]["bytes"], info["scale"]) == (path.stat().st_size, 4)
    damage(path, 1)
    ended = command("model", "verify", path)
    assert (ended.code, ended.out) == (6, "")
    assert "is damaged" in ended.err


@pytest.mark.parametrize("name", sorted(builtin_models()))
def test_what_ships_is_intact_and_computes_what_it_did(name: str) -> None:
    found = verify_model(builtin_models()[name])
    assert (found.hashes, found.without) == (True, "")
    assert found.difference is not None
    assert found.difference <= 1e-4  # on another machine than the one that wrote the figures
