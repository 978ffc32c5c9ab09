"""The inpainter that ships: it fills holes better than OpenCV's ways, and touches nothing else."""

import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from datasets.codecs.images import Picture
from datasets.masks.drawing import draw_mask
from datasets.pixels import to_floats, to_tensor
from models.metrics import hole_metrics
from translate.inpainting.fill import FillName, fill_holes
from translate.inpainting.in_memory import inpaint
from translate.inpainting.inpainters import load_inpainter


@pytest.mark.parametrize("kind", ["thin", "thick"])
def test_it_is_better_than_opencv_in_the_hole(kind) -> None:
    inpainters = [
        load_inpainter(name, device="cpu", precision="fp32") for name in ("inpaint", "telea", "navier-stokes")
    ]
    metrics = []
    for seed, picture in enumerate((skimage.data.chelsea(), skimage.data.coffee(), skimage.data.astronaut())):
        square, hole = picture[40:296, 40:296], draw_mask(kind, 256, 256, seed)
        truth, mask = to_tensor(to_floats(square))[None], torch.from_numpy(hole).float()[None, None]
        results = [fill_holes(inpainter, Picture(square), hole, kind="smooth").pixels for inpainter in inpainters]
        results.append(fill_holes(inpainters[0], Picture(square), hole).pixels)
        for pixels in results:
            assert (pixels[~hole] == square[~hole]).all()
        found = [hole_metrics(to_tensor(to_floats(pixels))[None], truth, mask) for pixels in results]
        metrics.append([[f["psnr_hole"].item(), f["ssim_hole"].item()] for f in found])
    ours, telea, navier_stokes, detailed = np.mean(metrics, axis=0)
    compared = slice(2 if kind == "thin" else 1)  # three large holes are too few to tell similarities apart
    assert (ours > telea)[compared].all()
    assert (ours > navier_stokes)[compared].all()
    assert detailed[0] > max(telea[0], navier_stokes[0])


def test_detail_is_added_unless_smooth_is_asked_for(command, tmp_path: Path) -> None:
    picture, hole = skimage.data.astronaut()[:128, 320:448], np.zeros((128, 128), np.uint8)
    hole[50:80, 40:90] = 255
    Image.fromarray(picture).save(tmp_path / "a.png")
    Image.fromarray(hole).save(tmp_path / "mask.png")
    steps = {}
    for kind in get_args(FillName):
        options = ["--fill", "smooth"] if kind == "smooth" else []
        out = tmp_path / kind / "a.png"
        ended = command("inpaint", tmp_path / "a.png", out, "--mask", tmp_path / "mask.png", *options)
        assert ended.code == 0, ended.err
        pixels = np.asarray(Image.open(out))
        assert (inpaint(picture, hole, fill=kind) == pixels).all()
        steps[kind] = np.abs(np.diff(pixels[50:80, 40:90].astype(float), axis=1)).mean()
    assert steps["detail"] > 1.3 * steps["smooth"]
    wrong = command("inpaint", tmp_path / "a.png", tmp_path / "b.png", "--box", "9,9,9,9", "--fill", "crisp")
    assert wrong.code == 2
    assert "--fill" in wrong.err


def test_the_manifest_tells_the_fill_and_another_is_not_skipped(command, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(skimage.data.chelsea()[:64, :64]).save(tmp_path / "in" / "a.png")

    def fill(kind: str, on_exists: str) -> str:
        options = ("--box", "20,20,9,9", "--on-exists", on_exists, "--fill", kind, "--model", "telea")
        return command("inpaint", tmp_path / "in", tmp_path / "out", *options).err

    assert "done 1 ok" in fill("detail", "error")
    assert "1 skipped" in fill("detail", "skip")
    assert "was not made from this input by this model with these options" in fill("smooth", "skip")
    assert "done 1 ok" in fill("smooth", "overwrite")
    records = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    assert records[-1]["fill"] == "smooth"


def test_nothing_needs_to_be_named(command, tmp_path: Path) -> None:
    Image.fromarray(skimage.data.chelsea()[:120, :160]).save(tmp_path / "cat.png")
    mask = np.zeros((120, 160), np.uint8)
    mask[40:60, 50:90] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    ended = command("inpaint", tmp_path / "cat.png", tmp_path / "out.png", "--mask", tmp_path / "mask.png")
    assert ended.code == 0, ended.err
    before, after = (np.asarray(Image.open(tmp_path / name)) for name in ("cat.png", "out.png"))
    assert (before == after)[mask == 0].all()
    assert (before != after)[mask > 0].any()
