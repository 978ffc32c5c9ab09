"""Damaged and incomplete files of ncnn cost a sentence each."""

import struct
from pathlib import Path

import pytest

from translate.exchange.importing import import_model
from translate.exchange.ncnn.files import is_ncnn, read_layers
from translate.inference.model_file import ModelError


@pytest.fixture
def model(drawers, tmp_path) -> Path:
    path: Path = drawers["compact"](half=True, width=5).write(tmp_path / "model.param")
    return path


def test_layers_are_read(model) -> None:
    layers = read_layers(model)
    assert [layer.kind for layer in layers[:4]] == ["Input", "Split", "Convolution", "PReLU"]
    assert (layers[1].inputs, layers[1].outputs) == (("data",), ("data_0", "data_1"))
    assert layers[2].parameters == {0: 5, 1: 3, 5: 1, 6: 135, 4: 1}
    model.write_text("7767517\n1 1\nX x 0 1 a 0=1.5 -23301=2,1,2.0e-1 2=-233 3=1,2\n")
    (layer,) = read_layers(model)
    assert layer.parameters == {0: 1.5, 1: (1, 0.2), 2: -233, 3: (1, 2)}
    assert (layer.array(1), layer.number(0), layer.number(9, 7)) == ((1, 0.2), 1.5, 7)


def test_files_are_told_apart_by_content(model, tmp_path) -> None:
    assert is_ncnn(model)
    assert is_ncnn(model.with_suffix(".bin"))
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK\x03\x04....")
    (tmp_path / "weights.pth").write_bytes(bytes(8))
    assert not is_ncnn(tmp_path / "pytorch_model.bin")
    assert not is_ncnn(tmp_path / "weights.pth")


def refuse(path: Path, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence) as error:
        import_model(path)
    assert "\n" not in str(error.value)


def test_one_file_of_two_is_refused(model) -> None:
    weights = model.with_suffix(".bin")
    stored = weights.read_bytes()
    weights.unlink()
    refuse(model, r"model\.param: holds the layers of an ncnn model; its weights, model\.bin, must lie beside it")
    weights.write_bytes(stored)
    model.unlink()
    refuse(weights, r"model\.bin: holds the weights of an ncnn model; its layers, model\.param, must lie beside it")


def test_damaged_layers_are_refused(model) -> None:
    text = model.read_text()
    model.write_text(text.rsplit("\n", 2)[0])
    refuse(model, "is not complete: it announces 10 layers and lists 9")
    model.write_text(text.replace("0=5 ", "0=? ", 1))
    refuse(model, "is damaged: a line of it cannot be understood")
    model.write_text(text.replace("Split            layer1 1 2", "Split            layer1 1 99", 1))
    refuse(model, "is damaged: a line of it cannot be understood")
    model.write_text("hello")
    refuse(model, "is no .param of ncnn, which begins with 7767517")
    model.write_bytes(struct.pack("<3i", 7767517, 11, 13))
    refuse(model, "is ncnn's binary .param, which names no layers; import the text it was made from")


def test_damaged_weights_are_refused(model) -> None:
    weights = model.with_suffix(".bin")
    stored = weights.read_bytes()
    weights.write_bytes(stored[:1000])
    refuse(
        model, r"ends within the weights of layer6, \d+ bytes early; it is not complete, or its .param is of another"
    )
    weights.write_bytes(stored + bytes(8))
    refuse(model, "holds 8 bytes more than its .param asks for")
    weights.write_bytes(struct.pack("<I", 0x000D4B38) + stored[4:])
    refuse(model, "weights of layer2 are stored as 8-bit integers; import the model as it was before, in fp32 or fp16")
    weights.write_bytes(b"\x01\x02\x03\x04" + stored[4:])
    refuse(model, "weights of layer2 are stored in a table of 256 values, or damaged")
    model.write_text(model.read_text().replace("6=135", "6=135000000000000", 1))
    refuse(model, r"ends within|nearest is")
