"""`translate inpaint`: each picture finds its mask, its hole is filled, and nothing else in its file changes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from datasets.codecs.images import Picture, read_picture, write_picture
from datasets.errors import UserError
from models.contract import Translator
from translate.experiment import Experiment, load_experiment
from translate.folders.manifest import Outcome
from translate.folders.plan import NothingFoundError, RunOptions
from translate.folders.translated_folder import translate_folder
from translate.hardware import Numerics
from translate.inference.model import Model
from translate.inference.model_file import Card, save_model
from translate.inpainting.fill import inpaint
from translate.inpainting.inpainters import learned
from translate.inpainting.masked_folder import MaskOptions, inpaint_folder

ORIENTATION = 0x0112
HEIGHT, WIDTH = 36, 48
BOX = (slice(10, 20), slice(12, 30))


class Mean(Translator):
    """Fills holes with the mean of what is known."""

    channels_in = 4
    multiple = 8

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        hole = image[:, 3:]
        known = (image[:, :3] * (1 - hole)).sum((2, 3), keepdim=True) / (1 - hole).sum((2, 3), keepdim=True)
        return torch.where(hole > 0, known.expand_as(image[:, :3]), image[:, :3])


@pytest.fixture
def mean(tiny: Callable[..., Experiment]) -> Model:
    card = Card(experiment=tiny(recipe="pix2pix"), step=0, trained_size=16)
    return Model(Mean().eval(), card, "mean", torch.device("cpu"), Numerics("fp32", "contiguous", 1))


def pixels(channels: int = 3, dtype: Any = np.uint8, seed: int = 0) -> NDArray[Any]:
    drawn: NDArray[Any] = np.random.default_rng(seed).integers(
        0, np.iinfo(dtype).max, (HEIGHT, WIDTH, channels), dtype, endpoint=True
    )
    return drawn


def hole() -> NDArray[np.bool_]:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[BOX] = True
    return mask


def save_mask(path: Path, mask: NDArray[np.bool_]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)
    return path


def save_picture(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(seed=seed)).save(path)
    return path


def run(source: Path, destination: Path, mask: Path | str, **options: Any) -> dict[str, Outcome]:
    """With Telea's method."""
    mine = {name: options.pop(name) for name in list(options) if name in MaskOptions.model_fields}
    masks, chosen = MaskOptions.model_validate(mine), RunOptions.model_validate(options)
    outcomes = inpaint_folder("telea", source, destination, mask, masks, chosen)
    return {outcome.name.as_posix(): outcome for outcome in outcomes}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, one of them deeper."""
    for seed, name in enumerate(("a.png", "b.png", "deep/c.png")):
        save_picture(tmp_path / "in" / name, seed)
    return tmp_path / "in"


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """Masks for them, named as people do."""
    save_mask(tmp_path / "masks" / "a.bmp", hole())
    save_mask(tmp_path / "masks" / "b_mask.png", hole()[::-1])
    save_mask(tmp_path / "masks" / "deep" / "c.png", hole()[:, ::-1])
    return tmp_path / "masks"


def test_every_picture_finds_its_mask(folder: Path, masks: Path, tmp_path: Path) -> None:
    outcomes = run(folder, tmp_path / "out", masks)
    assert {outcome.status for outcome in outcomes.values()} == {"ok"}
    expected = {"a.png": hole(), "b.png": hole()[::-1], "deep/c.png": hole()[:, ::-1]}
    for name, mask in expected.items():
        changed = (read_picture(folder / name).pixels != read_picture(tmp_path / "out" / name).pixels).any(2)
        assert (changed[mask]).mean() > 0.95
        assert not changed[~mask].any()
        assert outcomes[name].record["hole"] == pytest.approx(mask.mean())
        assert "10.42% is hole" in outcomes[name].notes


def test_one_mask_serves_for_all_at_their_sizes(folder: Path, tmp_path: Path) -> None:
    Image.fromarray(pixels()).resize((2 * WIDTH, 2 * HEIGHT)).save(folder / "large.png")
    outcomes = run(folder, tmp_path / "out", save_mask(tmp_path / "m.png", hole()))
    assert "the mask was scaled from 48x36" in outcomes["large.png"].notes
    for name in ("a.png", "large.png"):
        changed = (read_picture(folder / name).pixels != read_picture(tmp_path / "out" / name).pixels).any(2)
        mask = hole() if name == "a.png" else hole().repeat(2, 0).repeat(2, 1)
        assert not changed[~mask].any()
        assert changed[mask].mean() > 0.9


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".bmp"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("with_alpha", [False, True])
@pytest.mark.parametrize("feather", [0, 3])
def test_in_the_file_nothing_changes_outside_of_the_hole(
    mean: Model, tmp_path: Path, suffix: str, channels: int, depth: int, with_alpha: bool, feather: int
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
    for index, filler in enumerate((learned(mean), None)):
        after = tmp_path / str(index) / before.name
        options = MaskOptions(feather=feather)
        (outcome,) = inpaint_folder("telea" if filler is None else filler, before, after, mask, options)
        assert outcome.status == "ok", outcome.reason
        given, made = read_picture(before), read_picture(after)
        assert made.pixels.dtype == given.pixels.dtype
        assert np.array_equal(made.pixels[~hole()], given.pixels[~hole()])
        assert not np.array_equal(made.pixels[hole()], given.pixels[hole()])
        assert (given.alpha is None) == (made.alpha is None)
        if given.alpha is not None and made.alpha is not None:
            assert np.array_equal(given.alpha, made.alpha)


def test_what_is_transparent_is_filled_and_the_result_is_opaque(folder: Path, tmp_path: Path) -> None:
    alpha = np.where(hole(), 0, 255).astype(np.uint8)
    write_picture(Picture(pixels(seed=7), alpha), folder / "cut.png")
    outcomes = run(folder, tmp_path / "out", "alpha", missing_mask="skip")
    assert {name: outcome.status for name, outcome in outcomes.items()} == {
        **dict.fromkeys(("a.png", "b.png", "deep/c.png"), "skipped"),
        "cut.png": "ok",
    }
    given, made = read_picture(folder / "cut.png"), read_picture(tmp_path / "out" / "cut.png")
    assert made.alpha is not None
    assert (made.alpha == 255).all()
    assert np.array_equal(made.pixels[~hole()], given.pixels[~hole()])


@pytest.mark.parametrize("policy", ["error", "copy", "skip"])
def test_a_picture_without_a_mask(folder: Path, masks: Path, tmp_path: Path, policy: str, command: Any) -> None:
    (masks / "a.bmp").unlink()
    ended = command("inpaint", folder, tmp_path / "out", "--mask", masks, "--model", "telea", "--missing-mask", policy)
    assert "note: 1 of 3 pictures have no mask in" in ended.err
    made = tmp_path / "out" / "a.png"
    if policy == "error":
        assert ended.code == 3
        assert "failed: a.png: has no mask; add it, or --missing-mask copy or skip" in ended.err
    assert made.exists() == (policy == "copy")
    if policy == "copy":
        assert made.read_bytes() == (folder / "a.png").read_bytes()
        assert "copied as they are: 1 pictures" in ended.err
    assert ended.err.splitlines()[-1].startswith(
        {"error": "done 2 ok, 0 skipped, 1 failed", "copy": "done 3 ok", "skip": "done 2 ok, 1 skipped"}[policy]
    )


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
    assert "note: without a hole, and copied as they are: 1 pictures" in ended.err


def test_a_copy_that_is_asked_to_be_another_format_is_written_as_that(folder: Path, tmp_path: Path) -> None:
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


def test_a_bad_mask_fails_its_picture_and_no_other(folder: Path, masks: Path, tmp_path: Path) -> None:
    save_mask(masks / "a.bmp", np.ones((HEIGHT, WIDTH), bool))
    save_mask(masks / "b_mask.png", np.ones((WIDTH, WIDTH), bool))
    save_picture(folder / "d.png")
    (masks / "d.png").write_bytes(b"no picture")
    outcomes = run(folder, tmp_path / "out", masks)
    reasons = {name: outcome.reason for name, outcome in outcomes.items()}
    assert reasons["deep/c.png"] is None
    assert reasons["a.png"] == (
        "a.png: all of it is hole, and nothing is left to go by; is black the hole? then --mask-invert"
    )
    assert "b_mask.png: the mask has 48x48 pixels, which is another shape than the picture's 48x36" in str(
        reasons["b.png"]
    )
    assert "d.png: is not a picture, whatever its name says" in str(reasons["d.png"])
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.png")) == ["c.png"]


def test_two_masks_of_one_picture_are_refused(folder: Path, masks: Path, tmp_path: Path) -> None:
    shutil.copy(masks / "b_mask.png", masks / "b.png")
    with pytest.raises(UserError, match=r"b\.png and .*b_mask\.png: are two masks of one picture; remove one"):
        run(folder, tmp_path / "out", masks)
    (masks / "b_mask.png").unlink()
    Image.open(masks / "b.png").save(masks / "b.bmp")
    with pytest.raises(UserError, match=r"b\.\w+ and .*b\.\w+: are two masks of one picture; remove one"):
        run(folder, tmp_path / "out", masks)


def test_masks_must_be_somewhere_and_not_among_the_pictures(folder: Path, masks: Path, tmp_path: Path) -> None:
    with pytest.raises(NothingFoundError, match="no-such: there is no such file or folder; give one, or alpha"):
        run(folder, tmp_path / "out", "no-such")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingFoundError, match=r"empty: holds no mask of any picture; one for a.png would be named a"):
        run(folder, tmp_path / "out", tmp_path / "empty")
    shutil.copytree(masks, folder / "masks")
    for place in (folder, folder / "masks", folder / "masks" / "a.bmp"):
        with pytest.raises(UserError, match="lies in the folder of pictures that is read"):
            run(folder, tmp_path / "out", place)
    assert not (tmp_path / "out").exists()


def test_masks_are_not_overwritten(folder: Path, masks: Path) -> None:
    before = (masks / "deep" / "c.png").read_bytes()
    with pytest.raises(UserError, match=r"c.png: is a mask, and would be overwritten; choose another place"):
        run(folder, masks, masks, on_exists="overwrite")
    assert (masks / "deep" / "c.png").read_bytes() == before


def test_where_no_picture_has_a_mask_all_may_be_copied(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    outcomes = run(folder, tmp_path / "out", tmp_path / "empty", missing_mask="copy")
    assert {outcome.status for outcome in outcomes.values()} == {"ok"}
    assert (tmp_path / "out" / "a.png").read_bytes() == (folder / "a.png").read_bytes()


def test_what_looks_like_a_mistake_is_said(folder: Path, tmp_path: Path) -> None:
    outcomes = run(folder, tmp_path / "out", save_mask(tmp_path / "m.png", ~hole()))
    assert outcomes["a.png"].notes[0] == "89.58% is hole, which is much; if black is the hole, then --mask-invert"
    again = run(folder, tmp_path / "again", tmp_path / "m.png", mask_invert=True)
    assert again["a.png"].notes[0] == "10.42% is hole"


def test_holes_grow_and_fade_in(folder: Path, tmp_path: Path, mean: Model) -> None:
    mask = save_mask(tmp_path / "m.png", hole())
    outcomes = run(folder, tmp_path / "out", mask, mask_grow=2)
    assert 14 * 20 / (36 * 48) < outcomes["a.png"].record["hole"] < 14 * 22 / (36 * 48)
    list(inpaint_folder(learned(mean), folder / "a.png", tmp_path / "hard.png", mask))
    list(inpaint_folder(learned(mean), folder / "a.png", tmp_path / "soft.png", mask, MaskOptions(feather=3)))
    before, hard, soft = (
        read_picture(path).pixels.astype(float)[10, 15:27]
        for path in (folder / "a.png", tmp_path / "hard.png", tmp_path / "soft.png")
    )
    assert np.allclose(soft, before + 0.25 * (hard - before), atol=0.6)  # at the first pixel of the hole


@pytest.mark.parametrize("as_shown", [True, False])
def test_a_turned_photograph_is_filled_where_its_mask_says(tmp_path: Path, as_shown: bool) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.fromarray(pixels()).save(tmp_path / "phone.png", exif=exif)
    given = read_picture(tmp_path / "phone.png").pixels
    upright = np.rot90(hole(), -1)
    save_mask(tmp_path / "m.png", upright if as_shown else hole())
    run(tmp_path / "phone.png", tmp_path / "out.png", tmp_path / "m.png")
    changed = (read_picture(tmp_path / "out.png").pixels != given).any(2)
    assert changed[upright].mean() > 0.95
    assert not changed[~upright].any()


def test_what_is_up_to_date_is_skipped_until_picture_mask_or_options_change(folder: Path, masks: Path) -> None:
    out = folder.parent / "out"
    run(folder, out, masks)
    again = run(folder, out, masks, on_exists="skip")
    assert {outcome.status for outcome in again.values()} == {"skipped"}
    save_mask(masks / "a.bmp", hole()[::-1])
    changed = run(folder, out, masks, on_exists="skip")
    assert [outcome.status for outcome in changed.values()] == ["failed", "skipped", "skipped"]
    other = run(folder, out, masks, on_exists="skip", mask_grow=1)
    assert {outcome.status for outcome in other.values()} == {"failed"}


def test_jpeg_is_said_to_change_what_is_known_and_png_does_not(tmp_path: Path, command: Any) -> None:
    Image.fromarray(pixels()).resize((64, 48)).save(tmp_path / "a.jpg")
    mask = save_mask(tmp_path / "m.png", hole())
    ended = command("inpaint", tmp_path / "a.jpg", tmp_path / "o", "--mask", mask, "--model", "navier-stokes")
    assert "coded anew as JPEG, which changes known pixels a little; --format png keeps them" in ended.err
    ended = command(
        "inpaint", tmp_path / "a.jpg", tmp_path / "p", "--mask", mask, "--model", "telea", "--format", "png"
    )
    assert "coded anew" not in ended.err
    given, made = read_picture(tmp_path / "a.jpg").pixels, read_picture(tmp_path / "p" / "a.png").pixels
    assert ((given != made).any(2).mean()) < 0.12


def test_the_command_tells_all_in_json(folder: Path, masks: Path, tmp_path: Path, command: Any) -> None:
    ended = command("inpaint", folder, tmp_path / "out", "--mask", masks, "--model", "telea", "--json")
    told = json.loads(ended.out)
    assert told["counts"] == {"ok": 3, "skipped": 0, "failed": 0}
    assert [file["hole"] for file in told["files"]] == [pytest.approx(180 / 1728)] * 3
    assert "note: a.png: 10.42% is hole" in ended.err
    ended = command("inpaint", folder, tmp_path / "dry", "--mask", masks, "--model", "telea", "--dry-run")
    assert ended.code == 0
    assert not (tmp_path / "dry").exists()


def test_a_model_of_another_kind_is_refused(
    folder: Path, masks: Path, tmp_path: Path, model_file: Path, mean: Model, command: Any
) -> None:
    ended = command("inpaint", folder, tmp_path / "out", "--mask", masks, "--model", model_file)
    assert ended.code == 6
    assert "takes whole pictures and fills no holes; use `translate run`" in ended.err
    with pytest.raises(UserError, match="this model fills holes, and has to be told which: use `translate inpaint`"):
        translate_folder(mean, folder, tmp_path / "out")
    with pytest.raises(UserError, match="use `translate inpaint`"):
        mean(Picture(pixels()))
    ended = command("inpaint", folder, tmp_path / "out", "--mask", masks, "--feather", "-1")
    assert ended.code == 2
    assert "error: --feather:" in ended.err


def test_the_inpainter_that_ships_fills_holes_and_is_no_translator(
    folder: Path,
    masks: Path,
    tmp_path: Path,
    smaller: Callable[[str], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    command: Any,
) -> None:
    experiment = load_experiment("inpaint", smaller("inpaint"))
    torch.manual_seed(0)
    path = tmp_path / "own.safetensors"
    save_model(path, experiment.model.translator(), Card(experiment=experiment, step=0, trained_size=32))
    ships = tmp_path / "pretrained"
    ships.mkdir()
    monkeypatch.setattr("translate.inference.shipped.pretrained_folder", lambda: ships)
    ended = command("inpaint", folder, tmp_path / "out", "--mask", masks)
    assert ended.code == 2
    assert ended.err == (
        "error: no inpainter ships with this program: name one with --model, or telea or navier-stokes\n"
    )
    shutil.copy(path, ships / "inpaint.safetensors")
    ended = command("inpaint", folder, tmp_path / "out", "--mask", masks)
    assert ended.code == 0, ended.err
    for name, mask in (("a.png", hole()), ("b.png", hole()[::-1]), ("deep/c.png", hole()[:, ::-1])):
        changed = (read_picture(folder / name).pixels != read_picture(tmp_path / "out" / name).pixels).any(2)
        assert not changed[~mask].any()
        assert changed[mask].mean() > 0.9
    ended = command("run", path, folder, tmp_path / "not")
    assert ended.code == 2
    assert "error: this model fills holes, and has to be told which: use `translate inpaint`" in ended.err
    ended = command("upscale", folder, tmp_path / "not", "--model", path)
    assert "does not enlarge; `translate inpaint` is for it" in ended.err


def test_what_is_deep_or_flat_around_the_hole_is_computed_in_fp32(mean: Model) -> None:
    model, seen = Mean().eval(), []
    model.register_forward_hook(lambda module, inputs, output: seen.append(torch.is_autocast_enabled("cpu")))
    filler = learned(Model(model, mean.card, "mean", mean.device, Numerics("bf16", "contiguous", 1)))
    flat = np.where(hole()[:, :, np.newaxis], pixels(), np.uint8(90))
    for given in (pixels(), flat, pixels(dtype=np.uint16)):
        inpaint(filler, Picture(given), hole())
    assert seen == [True, False, False]


def test_a_model_that_gives_no_numbers_fails_in_a_sentence(folder: Path, masks: Path, mean: Model) -> None:
    class Broken(Mean):
        def forward(self, image: Tensor, domain: int = 0) -> Tensor:
            return image[:, :3] * float("nan")

    broken = Model(Broken().eval(), mean.card, "broken", mean.device, mean.numerics)
    outcomes = list(inpaint_folder(learned(broken), folder, folder.parent / "out", masks))
    assert {outcome.reason for outcome in outcomes} == {
        f"{name}: the model gives values that are no numbers; was its training sound?"
        for name in ("a.png", "b.png", "deep/c.png")
    }
