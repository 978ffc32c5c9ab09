"""The verb that enlarges: with what ships, by name of nothing but a scale; bad wishes cost a sentence."""

import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from datasets.codecs.images import read_picture
from datasets.degradations.real_world import degrade_twice
from datasets.degradations.resampling import shrink
from datasets.pixels import to_floats, to_tensor
from models.baselines.bicubic import BicubicUpscaler
from models.metrics import upscaling_metrics
from translate.inference.model import load_model
from translate.inference.shipped import builtin_models

SHIPPED = ("upscale-x2", "upscale-x3", "upscale-x4", "upscale-x4-damaged")


def test_these_ship() -> None:
    assert set(SHIPPED) <= set(builtin_models())


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_pictures_come_back_larger_and_else_as_they_were(command, tmp_path: Path, scale: int) -> None:
    draws = np.random.default_rng(0)
    (tmp_path / "in" / "more").mkdir(parents=True)
    Image.fromarray(draws.integers(0, 256, (13, 17), np.uint8)).save(tmp_path / "in" / "gray.png")
    Image.fromarray(draws.integers(0, 256, (20, 11, 4), np.uint8)).save(tmp_path / "in" / "more" / "alpha.png")
    Image.fromarray(draws.integers(0, 65536, (9, 31)).astype(np.uint16)).save(tmp_path / "in" / "deep.tif")
    Image.fromarray(draws.integers(0, 256, (24, 16, 3), np.uint8)).save(tmp_path / "in" / "photo.jpg")
    ended = command("upscale", tmp_path / "in", tmp_path / "out", "--scale", scale)
    assert ended.code == 0, ended.err
    for path in (tmp_path / "in").rglob("*.*"):
        before, after = read_picture(path), read_picture(tmp_path / "out" / path.relative_to(tmp_path / "in"))
        assert (after.width, after.height) == (scale * before.width, scale * before.height)
        assert (after.depth, after.channels) == (before.depth, before.channels)
        assert (after.alpha is None) == (before.alpha is None)


def test_four_times_where_nothing_is_said(command, tmp_path: Path) -> None:
    Image.new("RGB", (12, 10), "olive").save(tmp_path / "a.png")
    assert command("upscale", tmp_path / "a.png", tmp_path / "b.png").code == 0
    with Image.open(tmp_path / "b.png") as larger:
        assert larger.size == (48, 40)


@pytest.mark.parametrize("name", ["upscale-x2", "upscale-x3", "upscale-x4"])
def test_what_ships_is_better_than_bicubic_on_photographs(name: str) -> None:
    model = load_model(name, device="cpu", precision="fp32", threads=1)
    scale = model.translator.scale
    gains = []
    for picture in (skimage.data.chelsea(), skimage.data.coffee(), skimage.data.astronaut()):
        large = to_floats(picture[96 : 96 + 192, 96 : 96 + 192])
        small, truth = to_tensor(shrink(large, scale).clip(0, 1))[None], to_tensor(large)[None]
        result, plain = model.run(small), BicubicUpscaler(scale)(small)
        before, after = (upscaling_metrics(p, truth, scale)["psnr_y"] for p in (plain, result))
        gains.append(float(after - before))
        shift = (torch.nn.functional.avg_pool2d(result - truth, 32)).abs().mean()
        assert shift < 0.01  # no colour shift
    assert np.mean(gains) > 0.5
    assert min(gains) > 0


def test_what_is_made_for_damaged_pictures_mends_them() -> None:
    model = load_model("upscale-x4-damaged", device="cpu", precision="fp32", threads=1)
    gains = []
    for seed, picture in enumerate((skimage.data.chelsea(), skimage.data.coffee(), skimage.data.astronaut())):
        large = to_floats(picture[96 : 96 + 192, 96 : 96 + 192])
        degraded, truth = to_tensor(degrade_twice(large, 4, seed))[None], to_tensor(large)[None]
        before, after = (
            upscaling_metrics(p, truth, 4)["psnr_y"] for p in (BicubicUpscaler(4)(degraded), model.run(degraded))
        )
        gains.append(float(after - before))
    assert np.mean(gains) > 0.5
    assert min(gains) > 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--scale", "5"), 2, "--scale 5: of clean pictures the models that ship enlarge 2, 3, 4 times"),
        (("--scale", "2", "--input", "damaged"), 2, "of damaged pictures the models that ship enlarge 4 times"),
        (("--input", "dirty"), 2, "--input dirty: expected auto, clean, compressed, damaged"),
        (("--model", "none.safetensors"), 6, "none.safetensors: there is no such model file"),
        (("--model", "upscale-x2", "--scale", "4"), 2, "--scale 4: upscale-x2 enlarges 2 times; leave --scale out"),
        (("--model", "upscale-x2", "--input", "clean"), 2, "--input chooses among the models that ship"),
    ],
)
def test_what_cannot_be_is_refused(command, photos: Path, tmp_path: Path, arguments, code: int, message: str) -> None:
    ended = command("upscale", photos, tmp_path / "out", *arguments)
    assert ended.code == code
    assert message in ended.err
    assert not (tmp_path / "out").exists()


def test_a_model_that_does_not_enlarge_is_refused(command, model_file: Path, photos: Path, tmp_path: Path) -> None:
    ended = command("upscale", photos, tmp_path / "out", "--model", model_file)
    assert ended.code == 2
    assert "does not enlarge; `translate run` is for it" in ended.err


def test_each_picture_is_looked_at_and_the_choice_is_told(command, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    photograph = Image.fromarray(skimage.data.chelsea()).resize((60, 40))
    photograph.save(tmp_path / "in" / "sharp.png")
    for quality in (60, 80):
        photograph.save(tmp_path / "in" / f"{quality}.jpg", quality=quality)
    ended = command("upscale", tmp_path / "in", tmp_path / "out", "--scale", 2, "--precision", "fp32")
    assert "note: taken as compressed: 2 files, as clean: 1 file" in ended.err
    lines = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    told = {line["name"]: line["input"] for line in lines if line["status"] == "ok"}
    assert told["80.jpg"] == "compressed: JPEG of quality 80"
    for kind, name in (("clean", "sharp.png"), ("compressed", "60.jpg")):
        one = tmp_path / kind
        command("upscale", tmp_path / "in" / name, one, "--scale", 2, "--precision", "fp32", "--input", kind)
        assert (one / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
