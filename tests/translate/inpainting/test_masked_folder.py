"""A hole is filled, and nothing else in a picture's file changes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from datasets.codecs.images import Picture, read_picture, write_picture
from translate.folders.manifest import Outcome
from translate.folders.options import RunOptions
from translate.inference.model import Model
from translate.inpainting.inpainters import learned_inpainter
from translate.inpainting.masked_folder import inpaint_folder
from translate.inpainting.plan import MaskOptions

ORIENTATION = 0x0112
HEIGHT, WIDTH = 36, 48
BOX = (slice(10, 20), slice(12, 30))


Run = Callable[..., dict[str, Outcome]]
Draw = Callable[..., NDArray[Any]]
Save = Callable[..., Path]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".bmp"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("with_alpha", [False, True])
@pytest.mark.parametrize("feather", [0, 3])
def test_in_the_file_nothing_changes_outside_of_the_hole(
    mean: Model,
    tmp_path: Path,
    suffix: str,
    channels: int,
    depth: int,
    with_alpha: bool,
    feather: int,
    hole: Draw,
    pixels: Draw,
    save_mask: Save,
) -> None:
    if depth == 16 and suffix not in (".png", ".tif"):
        depth = 8
    dtype = np.uint8 if depth == 8 else np.uint16
    alpha = pixels(1, dtype, seed=1)[:, :, 0] if with_alpha else None
    before = tmp_path / f"a{suffix}"
    write_picture(Picture(pixels(channels, dtype), alpha), before)
    if suffix == ".webp":
        Image.open(before).save(before, lossless=True, exact=True)
    mask = save_mask(tmp_path / "m.png", hole())
    for index, inpainter in enumerate((learned_inpainter(mean), None)):
        after = tmp_path / str(index) / before.name
        options = MaskOptions(feather=feather)
        (outcome,) = inpaint_folder("telea" if inpainter is None else inpainter, before, after, mask, options)
        assert outcome.status == "ok", outcome.reason
        before_picture, after_picture = read_picture(before), read_picture(after)
        assert after_picture.pixels.dtype == before_picture.pixels.dtype
        assert np.array_equal(after_picture.pixels[~hole()], before_picture.pixels[~hole()])
        assert not np.array_equal(after_picture.pixels[hole()], before_picture.pixels[hole()])
        assert (before_picture.alpha is None) == (after_picture.alpha is None)
        if before_picture.alpha is not None and after_picture.alpha is not None:
            assert np.array_equal(before_picture.alpha, after_picture.alpha)


def test_what_is_transparent_is_filled_and_the_result_is_opaque(
    folder: Path, tmp_path: Path, run: Run, hole: Draw, pixels: Draw
) -> None:
    alpha = np.where(hole(), 0, 255).astype(np.uint8)
    write_picture(Picture(pixels(seed=7), alpha), folder / "cut.png")
    outcomes = run(folder, tmp_path / "out", "alpha", missing_mask="skip")
    assert {name: outcome.status for name, outcome in outcomes.items()} == {
        **dict.fromkeys(("a.png", "b.png", "deep/c.png"), "skipped"),
        "cut.png": "ok",
    }
    before_picture, after_picture = read_picture(folder / "cut.png"), read_picture(tmp_path / "out" / "cut.png")
    assert after_picture.alpha is not None
    assert (after_picture.alpha == 255).all()
    assert np.array_equal(after_picture.pixels[~hole()], before_picture.pixels[~hole()])


def test_without_a_hole_a_file_is_copied_byte_for_byte_and_counted(folder: Path, masks: Path, command: Any) -> None:
    noisy = np.random.default_rng(0).integers(0, 4, (HEIGHT, WIDTH), np.uint8)
    Image.fromarray(noisy).save(masks / "a.jpg", quality=100)  # of a black JPEG, what is not black is noise
    (masks / "a.bmp").unlink()
    out = folder.parent / "out"
    original = (folder / "a.png").read_bytes() + b"what no writer would write again"
    (folder / "a.png").write_bytes(original)
    ended = command("inpaint", folder, out, "--mask", masks, "--model", "telea")
    assert ended.code == 0
    assert (out / "a.png").read_bytes() == original
    assert "note: a.png: its mask shows no hole: copied as it is" in ended.err
    assert "dropped" not in ended.err
    assert "note: without a hole, and copied as it is: 1 picture" in ended.err


def test_a_copy_that_is_asked_to_be_another_format_is_written_as_that(
    folder: Path, tmp_path: Path, run: Run, pixels: Draw, save_mask: Save
) -> None:
    mask = save_mask(tmp_path / "m.png", np.zeros((HEIGHT, WIDTH), bool))
    run(folder, tmp_path / "out", mask, save={"format": "tiff"})
    assert np.array_equal(read_picture(tmp_path / "out" / "a.tif").pixels, read_picture(folder / "a.png").pixels)
    info = PngInfo()
    info.add_text("Author", "somebody")
    Image.fromarray(pixels()).save(folder / "a.png", pnginfo=info)
    run(folder, tmp_path / "bare", mask, save={"metadata": "strip"})
    with Image.open(tmp_path / "bare" / "a.png") as bare:
        assert "Author" not in bare.info
    assert np.array_equal(read_picture(tmp_path / "bare" / "a.png").pixels, pixels())


def test_a_bad_mask_fails_its_picture_and_no_other(
    folder: Path, masks: Path, tmp_path: Path, run: Run, save_mask: Save, save_picture: Save
) -> None:
    save_mask(masks / "a.bmp", np.ones((HEIGHT, WIDTH), bool))
    save_mask(masks / "b_mask.png", np.ones((WIDTH, WIDTH), bool))
    save_picture(folder / "d.png")
    (masks / "d.png").write_bytes(b"no picture")
    outcomes = run(folder, tmp_path / "out", masks)
    reasons = {name: outcome.reason for name, outcome in outcomes.items()}
    assert reasons["deep/c.png"] is None
    assert reasons["a.png"] == (
        "a.png: all of it is hole, and nothing is left to go by; if black is the hole, set `mask_invert`, and if a "
        "colour is, name it with `mask_color`"
    )
    assert "b_mask.png: the mask has 48x48 pixels, which is another shape than the picture's 48x36" in str(
        reasons["b.png"]
    )
    assert "d.png: is text, and not a picture, whatever its name says" in str(reasons["d.png"])
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.png")) == ["c.png"]


def test_what_looks_like_a_mistake_is_said(folder: Path, tmp_path: Path, run: Run, hole: Draw, save_mask: Save) -> None:
    outcomes = run(folder, tmp_path / "out", save_mask(tmp_path / "m.png", ~hole()))
    assert outcomes["a.png"].notes[0] == "89.58% is hole, which is much; if black is the hole, set `mask_invert`"
    again = run(folder, tmp_path / "again", tmp_path / "m.png", mask_invert=True)
    assert again["a.png"].notes[0] == "10.42% is hole"


def test_holes_grow_and_fade_in(
    folder: Path, tmp_path: Path, mean: Model, run: Run, hole: Draw, save_mask: Save
) -> None:
    mask = save_mask(tmp_path / "m.png", hole())
    outcomes = run(folder, tmp_path / "out", mask, mask_grow=2)
    assert 14 * 20 / (36 * 48) < outcomes["a.png"].record["hole"] < 14 * 22 / (36 * 48)
    list(inpaint_folder(learned_inpainter(mean), folder / "a.png", tmp_path / "hard.png", mask))
    list(inpaint_folder(learned_inpainter(mean), folder / "a.png", tmp_path / "soft.png", mask, MaskOptions(feather=3)))
    before, hard, soft = (
        read_picture(path).pixels.astype(float)[10, 15:27]
        for path in (folder / "a.png", tmp_path / "hard.png", tmp_path / "soft.png")
    )
    assert np.allclose(soft, before + 0.25 * (hard - before), atol=0.6)  # at the first pixel of the hole


@pytest.mark.parametrize("as_shown", [True, False])
def test_a_turned_photograph_is_filled_where_its_mask_says(
    tmp_path: Path, as_shown: bool, run: Run, hole: Draw, pixels: Draw, save_mask: Save
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.fromarray(pixels()).save(tmp_path / "phone.png", exif=exif)
    before_picture = read_picture(tmp_path / "phone.png").pixels
    upright = np.rot90(hole(), -1)
    save_mask(tmp_path / "m.png", upright if as_shown else hole())
    run(tmp_path / "phone.png", tmp_path / "out.png", tmp_path / "m.png")
    changed = (read_picture(tmp_path / "out.png").pixels != before_picture).any(2)
    assert changed[upright].mean() > 0.95
    assert not changed[~upright].any()


def test_what_is_up_to_date_is_skipped_until_picture_mask_or_options_change(
    folder: Path, masks: Path, run: Run, hole: Draw, save_mask: Save
) -> None:
    out = folder.parent / "out"
    run(folder, out, masks)
    again = run(folder, out, masks, on_exists="skip")
    assert {outcome.status for outcome in again.values()} == {"skipped"}
    save_mask(masks / "a.bmp", hole()[::-1])
    changed = run(folder, out, masks, on_exists="skip")
    assert [outcome.status for outcome in changed.values()] == ["failed", "skipped", "skipped"]
    other = run(folder, out, masks, on_exists="skip", mask_grow=1)
    assert {outcome.status for outcome in other.values()} == {"failed"}


def test_the_command_tells_all_in_json(folder: Path, masks: Path, tmp_path: Path, command: Any) -> None:
    ended = command("inpaint", folder, tmp_path / "out", "--mask", masks, "--model", "telea", "--json")
    document = json.loads(ended.out)
    assert document["counts"] == {"ok": 3, "skipped": 0, "failed": 0, "left_alone": 0}
    assert [file["hole"] for file in document["files"]] == [pytest.approx(180 / 1728)] * 3
    assert "note: a.png: 10.42% is hole" in ended.err
    ended = command("inpaint", folder, tmp_path / "dry", "--mask", masks, "--model", "telea", "--dry-run")
    assert ended.code == 0
    assert not (tmp_path / "dry").exists()


def test_a_mask_that_was_missing_leaves_the_finished_pictures_up_to_date(
    mean: Model, tmp_path: Path, hole: Draw, pixels: Draw, save_mask: Save
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "masks").mkdir()
    for name in ("a.png", "b.png"):
        write_picture(Picture(pixels(3)), tmp_path / "in" / name)
    save_mask(tmp_path / "masks" / "a.png", hole())
    places = tmp_path / "in", tmp_path / "out", tmp_path / "masks"

    def statuses(**options: Any) -> list[str]:
        masks, again = MaskOptions(**options), RunOptions(on_exists="skip")
        return [outcome.status for outcome in inpaint_folder(learned_inpainter(mean), *places, masks, again)]

    assert statuses() == ["ok", "failed"]
    assert statuses(missing_mask="copy") == ["skipped", "ok"]
    assert statuses(missing_mask="skip") == ["skipped", "skipped"]
    assert statuses(mask_grow=1, missing_mask="copy") == ["failed", "failed"]
