"""What is read of files of weights, and the sentence that each file gets that is none."""

import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from translate.exchange.checkpoint import read_checkpoint
from translate.inference.model_file import ModelError

WEIGHT = torch.arange(6.0).view(2, 3)


class Shell:
    """Its pickle would run a command."""

    def __reduce__(self):
        return Path.touch, (Path("ran"),)


@pytest.mark.parametrize(
    "content",
    [
        {"a.weight": WEIGHT},
        {"params": {"a.weight": WEIGHT - 1}, "params_ema": {"a.weight": WEIGHT}},
        {"state_dict": {"module.a.weight": WEIGHT}, "epoch": 3},
        {"state_dict": {"generator.a.weight": WEIGHT, "discriminator.b.weight": WEIGHT - 1}},
        {"model": {"_orig_mod.module.a.weight": WEIGHT}, "optimizer": {"state": {}}},
        {"G": {"a.weight": WEIGHT}, "D": {"b.weight": WEIGHT}},
    ],
)
def test_the_generators_tensors_are_found(content, tmp_path):
    torch.save(content, tmp_path / "a.pth")
    torch.save(content, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for name in ("a.pth", "old.pth"):
        tensors = read_checkpoint(tmp_path / name)
        assert list(tensors) == ["a.weight"]
        assert torch.equal(tensors["a.weight"], WEIGHT)


def test_bare_safetensors_are_read(tmp_path):
    save_file({"module.a.weight": WEIGHT}, tmp_path / "a.safetensors")
    assert torch.equal(read_checkpoint(tmp_path / "a.safetensors")["a.weight"], WEIGHT)


def write(kind, path):
    """Write a file that is not what it should be."""
    torch.save({"a.weight": torch.zeros(1000)}, path)
    match kind:
        case "half":
            path.write_bytes(path.read_bytes()[:2000])
        case "half an old one":
            torch.save({"a.weight": torch.zeros(1000)}, path, _use_new_zipfile_serialization=False)
            path.write_bytes(path.read_bytes()[:2000])
        case "half safetensors":
            save_file({"a.weight": torch.zeros(1000)}, path)
            path.write_bytes(path.read_bytes()[:2000])
        case "code":
            torch.save({"a.weight": WEIGHT, "run": Shell()}, path)
        case "code in a pickle":
            path.write_bytes(pickle.dumps(Shell(), protocol=2))
        case "a module":
            torch.save(nn.Conv2d(1, 1, 1), path)
        case "optimizer":
            torch.save(torch.optim.Adam([nn.Parameter(WEIGHT)]).state_dict(), path)
        case "nothing":
            torch.save({"epoch": 3}, path)
        case "zip":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("readme.txt", "hello")
        case "onnx":
            path.write_bytes(b"\x08\x0a\x12\x07pytorch\x1a\x053.0.0")
        case "pointer":
            path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
        case "page":
            path.write_bytes(b"<!DOCTYPE html><html>")
        case "text":
            path.write_bytes(b"some notes")
        case "empty":
            path.write_bytes(b"")
    return path


REASONS = {
    "half": "is not complete",
    "half an old one": "is not complete",
    "half safetensors": "is not complete",
    "code": "holds more than weights: it wants getattr",
    "code in a pickle": "holds more than weights",
    "a module": r"holds more than weights: it wants torch\.nn\.modules\.conv\.Conv2d",
    "optimizer": "holds the state of an optimizer",
    "nothing": "holds no weights that can be found; its parts are epoch",
    "zip": "is a zip archive",
    "onnx": "is an ONNX file",
    "pointer": "is a pointer of Git LFS",
    "page": "is a web page",
    "text": "cannot be read as a model file",
    "empty": "is empty",
}


@pytest.mark.parametrize("kind", REASONS)
def test_what_holds_no_weights_gets_a_sentence(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(kind, tmp_path / "a.pth")
    with pytest.raises(ModelError, match=REASONS[kind]) as raised:
        read_checkpoint(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert not (tmp_path / "ran").exists()
