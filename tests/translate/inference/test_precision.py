"""What `auto` chooses for an inference, and that no picture is worse for it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from models.contract import Translator
from translate.folders.translated_folder import translate_folder
from translate.hardware import Numerics
from translate.inference.model import load_model
from translate.inference.precision import (
    AGREEMENT,
    BATCHES,
    TRIES,
    BatchChoice,
    bf16_agreement,
    build_probes,
    choose_inference,
    is_flat,
    measure_layouts,
)

CPU = torch.device("cpu")
NUMERICS = Numerics("fp32", "contiguous", 1)


class Wave(Translator):
    """A convolution, then a sine: the higher its frequency, the more a rounded convolution harms."""

    def __init__(self, frequency: float) -> None:
        super().__init__()
        self.frequency = frequency
        self.convolution = torch.nn.Conv2d(3, 3, 3, padding=1, bias=False)
        torch.nn.init.dirac_(self.convolution.weight)

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        return torch.sin(self.frequency * self.convolution(image).float())


class WaveInpainter(Wave):
    """A wave in the hole, and around it the picture as it was."""

    channels_in = 4

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        return torch.where(image[:, 3:] > 0, super().forward(image[:, :3]), image[:, :3])


def test_an_inpainter_gets_a_hole_and_only_its_fill_counts() -> None:
    holes: list[Tensor] = []
    model = WaveInpainter(40)
    model.register_forward_hook(lambda module, inputs, output: holes.append(inputs[0][:, 3].float()))
    agreement = bf16_agreement(model, NUMERICS, CPU)
    assert all(hole.unique().tolist() == [0, 1] for hole in holes)
    inside = holes[0][0] > 0
    picture = torch.cat([build_probes(4)["photograph"][:, :3], holes[0][None]], 1)
    with torch.inference_mode():
        exact = model(picture)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = model(picture)
    error = float((exact - rounded)[0, :, inside].square().mean()) / 4
    assert agreement["photograph"] == pytest.approx(-10 * np.log10(error), abs=0.5)


def test_the_probes_are_what_they_are_called() -> None:
    pictures = build_probes(3)
    assert {tuple(picture.shape) for picture in pictures.values()} == {(1, 3, 256, 256)}
    assert all(picture.abs().max() <= 1 for picture in pictures.values())
    assert is_flat(pictures["near-flat"][0])
    assert not any(is_flat(pictures[name][0]) for name in ("photograph", "night", "gradient"))
    assert pictures["night"].mean() < -0.75
    assert torch.equal(pictures["photograph"], build_probes(3)["photograph"])


def test_a_model_of_one_size_is_measured_at_that_size(monkeypatch: pytest.MonkeyPatch) -> None:
    model, seen = Wave(0.5), set()
    model.only_size = 28
    model.register_forward_hook(lambda module, inputs, output: seen.add(tuple(inputs[0].shape)))
    monkeypatch.setattr("translate.inference.precision.native_bfloat16", lambda device: True)
    choose_inference(model, "of one size", NUMERICS, CPU)
    assert seen == {(1, 3, 28, 28)}
    assert not any(is_flat(picture[0]) for name, picture in build_probes(3, 28).items() if name != "near-flat")


def test_a_model_that_bfloat16_harms_is_kept_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    gentle, harsh = bf16_agreement(Wave(0.5), NUMERICS, CPU), bf16_agreement(Wave(50.0), NUMERICS, CPU)
    assert min(gentle.values()) >= AGREEMENT > min(harsh.values())
    monkeypatch.setattr(
        "translate.inference.precision.native_bfloat16", lambda device: True
    )  # as on a machine that has it
    assert choose_inference(Wave(0.5), "gentle", NUMERICS, CPU).precision == "bf16"
    assert choose_inference(Wave(50.0), "harsh", NUMERICS, CPU).precision == "fp32"


def test_the_decision_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("translate.inference.precision.native_bfloat16", lambda device: True)
    first = choose_inference(Wave(0.5), "known", NUMERICS, CPU)
    assert choose_inference(Wave(50.0), "known", NUMERICS, CPU) == first  # by its digest, not measured again


def test_the_layout_is_the_faster_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for slow, fast in (("contiguous", "channels_last"), ("channels_last", "contiguous")):
        monkeypatch.setattr(
            "translate.inference.precision.measure_layouts", lambda *_, slow=slow, fast=fast: {slow: 2.0, fast: 1.0}
        )
        assert choose_inference(Wave(0.5), f"prefers {fast}", NUMERICS, CPU).layout == fast
    monkeypatch.undo()
    speeds = measure_layouts(Wave(0.5), NUMERICS, CPU)
    assert set(speeds) == {"contiguous", "channels_last"}
    assert min(speeds.values()) > 0


def test_flat_and_deep_pictures_of_a_mixed_folder_are_computed_in_float32(
    make_model: Callable[..., Path], photos: Path, tmp_path: Path
) -> None:
    gray = np.full((33, 40, 3), 128, np.uint8)
    gray[5:9, 5:9] += 1
    Image.fromarray(gray).save(photos / "flat.png")
    Image.fromarray(np.arange(40 * 30, dtype=np.uint16).reshape(30, 40) * 50).save(photos / "deep.png")
    path = make_model(tmp_path / "model.safetensors")
    results = {}
    for precision in ("bf16", "fp32"):
        model = load_model(path, device="cpu", precision=precision, threads=1)
        results[precision] = {
            outcome.name.name: outcome for outcome in translate_folder(model, photos, tmp_path / precision)
        }
    used = {name: outcome.record["precision"] for name, outcome in results["bf16"].items()}
    assert used.pop("flat.png") == used.pop("deep.png") == "fp32"
    assert set(used.values()) == {"bf16"}
    assert results["bf16"]["flat.png"].notes == ("nearly flat: computed in fp32",)
    for name in ("flat.png", "deep.png"):
        assert (tmp_path / "bf16" / name).read_bytes() == (tmp_path / "fp32" / name).read_bytes()


def test_the_fastest_batch_is_found_on_the_pictures_themselves() -> None:
    choice = BatchChoice(None, pictures=1000)
    shape = (3, 8, 8)
    sizes = []
    for _ in range(TRIES * len(BATCHES) + 3):
        size = choice.next(shape)
        sizes.append(size)
        choice.learn(shape, size, {1: 1.0, 2: 1.5, 4: 2.0, 8: 8.0}[size])
    assert sizes[: TRIES * len(BATCHES)] == sorted(BATCHES * TRIES)
    assert sizes[TRIES * len(BATCHES) :] == [4, 4, 4]


def test_a_batch_that_was_asked_for_is_used_and_few_pictures_try_nothing() -> None:
    assert [BatchChoice(3, 1000).next((1,)), BatchChoice(3, 1000).largest] == [3, 3]
    few = BatchChoice(None, pictures=10)
    assert [few.next((1,)), few.largest] == [1, 1]


def test_an_upscaler_is_measured_on_outputs_of_the_same_size() -> None:
    """The largest published ones take half a minute for a picture of 256 pixels that becomes 1024."""
    sides: list[int] = []
    model = Wave(1)
    model.scale = 3
    model.register_forward_hook(lambda module, inputs, output: sides.append(inputs[0].shape[-1]))
    bf16_agreement(model, NUMERICS, CPU)
    assert set(sides) == {86}
