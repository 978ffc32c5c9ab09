"""Model files: exact, anonymous, and a sentence for everything that is none."""

import getpass
import json
import re
import shutil
import socket
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from translate.cli import main
from translate.inference.model import load_model
from translate.inference.model_file import METADATA_KEY, ModelError, model_path, read_card, save_model
from translate.training.session import Training


def metadata(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return file.metadata()


def state(run: Path) -> dict:
    return torch.load(run / "state.pt", weights_only=True)


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_weights_come_back_to_the_last_bit(trained):
    learned = {
        name.removeprefix("model."): tensor
        for name, tensor in state(trained)["recipe"].items()
        if name.startswith("model.")
    }
    assert_equal(load_model(trained, device="cpu").translator.state_dict(), learned)


def test_the_model_alone_is_shipped_and_it_evaluates(trained):
    loaded = load_model(trained / "last.safetensors", device="cpu")
    assert not any("discriminator" in name for name in load_file(trained / "last.safetensors"))
    assert not loaded.translator.training
    assert not any(parameter.requires_grad for parameter in loaded.translator.parameters())


def test_the_card_says_what_the_model_is(trained, tiny):
    card = read_card(trained / "last.safetensors")
    assert card.experiment == tiny("training.layout=contiguous", "training.degrade_on=threads")
    assert (card.step, card.trained_size, card.data_samples) == (2, 16, 4)
    assert set(card.metrics) == {"l1", "psnr", "ssim"}
    assert card.written_by.startswith("translate ")
    best = read_card(trained / "best.safetensors")
    metrics = [
        line["metrics"]["l1"]
        for line in map(json.loads, (trained / "metrics.jsonl").read_text().splitlines())
        if "metrics" in line
    ]
    assert best.metrics["l1"] == min(metrics)


def test_no_path_user_or_host_is_in_it(trained):
    (text,) = metadata(trained / "last.safetensors").values()
    for secret in (str(trained), str(Path.home()), str(Path.cwd()), getpass.getuser(), socket.gethostname()):
        assert not re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text)
    assert "/" not in text
    assert text == json.dumps(json.loads(text), sort_keys=True)


def test_the_same_model_gives_the_same_bytes(trained, tmp_path):
    path = trained / "last.safetensors"
    save_model(tmp_path / "again.safetensors", load_model(path, device="cpu").translator, read_card(path))
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_the_average_is_shipped_where_there_is_one(tiny, photos, tmp_path):
    training = Training(tiny("training.ema_decay=0.5"), photos, tmp_path / "run", device="cpu")
    list(training.run())
    shipped, kept = load_file(tmp_path / "run" / "last.safetensors"), state(tmp_path / "run")
    assert_equal(shipped, kept["average"])
    assert not all(torch.equal(tensor, kept["recipe"][f"model.{name}"]) for name, tensor in shipped.items())


def test_tied_and_strided_weights_are_saved_each_for_itself(trained, tmp_path):
    network = nn.Module()
    network.first = nn.Linear(4, 4)
    network.second = nn.Linear(4, 4)
    network.second.weight = network.first.weight
    network.strided = nn.Parameter(torch.rand(6, 4).t()[:, ::2])
    network.laid_out = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    save_model(tmp_path / "model.safetensors", network, read_card(trained / "last.safetensors"))
    assert_equal(load_file(tmp_path / "model.safetensors"), dict(network.state_dict()))


@pytest.fixture
def bad(tmp_path, trained, request) -> Path:
    """A file that is no model of ours, for a reason of its own."""
    path, good = tmp_path / "bad.safetensors", trained / "last.safetensors"
    tensors, header = load_file(good), metadata(good)
    card = json.loads(header[METADATA_KEY])
    name = next(iter(tensors))

    def write(weights: dict[str, torch.Tensor], text: object) -> None:
        save_file(weights, path, metadata={METADATA_KEY: text if isinstance(text, str) else json.dumps(text)})

    match request.param:
        case "empty":
            path.touch()
        case "cut off":
            path.write_bytes(good.read_bytes()[:-100])
        case "cut off early":
            path.write_bytes(good.read_bytes()[:100])
        case "picture":
            path.write_bytes(b"\x89PNG" * 100)
        case "noise":
            path.write_bytes(b"\x07noise" * 100)
        case "pickle":
            torch.save({"weight": torch.zeros(3)}, path)
        case "folder":
            path.mkdir()
        case "foreign":
            save_file(tensors, path, metadata={"format": "pt"})
        case "bare":
            save_file(tensors, path)
        case "no description":
            write(tensors, "{")
        case "another description":
            write(tensors, ["a", "list"])
        case "no format":
            write(tensors, {key: value for key, value in card.items() if key != "format"})
        case "newer":
            write(tensors, {**card, "format": 99, "experiment": {"unheard": "of"}})
        case "unknown model":
            write(tensors, {**card, "experiment": {**card["experiment"], "model": {"name": "of tomorrow"}}})
        case "unknown key":
            write(tensors, {**card, "metric": 1})
        case "lacks a tensor":
            write({key: value for key, value in tensors.items() if key != name}, card)
        case "another shape":
            write({**tensors, name: torch.zeros(2, 2)}, card)
        case "one too many":
            write({**tensors, "extra": torch.zeros(2, 2)}, card)
    return path


REASONS = {
    "missing": "there is no such model file",
    "empty": "is empty",
    "cut off": r"is cut off: it ends after [\d,]+ of [\d,]+ bytes; download or copy it again",
    "cut off early": "is cut off: it ends after 100 bytes; download or copy it again",
    "picture": "is a picture and not a model; a model is named first, and then the pictures",
    "noise": "cannot be read as a model file",
    "pickle": "is a checkpoint of torch, whatever its name says; name it .pth to import it",
    "folder": "expected a run folder with last.safetensors in it",
    "foreign": "is of no architecture that can be imported",
    "bare": "is of no architecture that can be imported",
    "no description": "its description cannot be understood",
    "another description": "its description cannot be understood",
    "no format": "its description cannot be understood",
    "newer": "was written by a newer version of translate",
    "unknown model": r"its description cannot be understood: experiment\.model: .*of tomorrow",
    "unknown key": r"its description cannot be understood: metric: unknown; did you mean metrics\?",
    "lacks a tensor": r"its weights do not fit its description: .* is missing, expected \d",
    "another shape": r"its weights do not fit its description: .* is 2x2, expected \d",
    "one too many": "its weights do not fit its description: extra is 2x2, expected missing",
}


@pytest.mark.parametrize(("bad", "reason"), REASONS.items(), indirect=["bad"], ids=list(REASONS))
def test_what_is_no_model_file_is_one_sentence_and_exit_code_6(bad, reason, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["translate", "model", "info", str(bad)])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    assert ended.value.code == 6
    assert printed.out == ""
    assert re.fullmatch(rf"error: {re.escape(str(bad))}: {reason}.*\n", printed.err), printed.err


def test_a_run_folder_means_its_last_model(trained):
    assert model_path(trained) == trained / "last.safetensors"


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff", "gif"])
def test_a_picture_given_as_a_model_is_named(command, photo, suffix, tmp_path):
    photo(8, 8, 0).save(tmp_path / f"a.{suffix}")
    ended = command("run", tmp_path / f"a.{suffix}", tmp_path, tmp_path / "out")
    assert (ended.code, ended.out) == (6, "")
    assert "is a picture and not a model" in ended.err


def test_a_folder_of_runs_names_the_runs_in_it(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "runs" / "second")
    shutil.copytree(trained, tmp_path / "runs" / "first")
    runs = ", ".join(str(tmp_path / "runs" / name) for name in ("first", "second"))
    with pytest.raises(ModelError, match=re.escape(f"found a folder of runs; name one of them: {runs}")):
        model_path(tmp_path / "runs")
    shutil.copy(trained / "last.safetensors", tmp_path / "mine.safetensors")
    with pytest.raises(ModelError, match=r"found model files; name one of them: .*mine\.safetensors"):
        model_path(tmp_path)
