"""Holes without a mask in black and white: shapes, painted colours, dates; and what cannot be meant."""

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

import translate
from datasets.codecs.images import read_picture
from datasets.errors import UserError
from translate.folders.manifest import Outcome

Run = Callable[..., dict[str, Outcome]]
Draw = Callable[..., NDArray[Any]]
Save = Callable[..., Path]


def changed(before: Path, after: Path) -> NDArray[np.bool_]:
    different: NDArray[np.bool_] = (read_picture(before).pixels != read_picture(after).pixels).any(2)
    return different


def paint(source: Path, target: Path, box: tuple[slice, slice], colour: tuple[int, int, int] = (255, 0, 0)) -> None:
    with Image.open(source) as image:
        pixels = np.array(image)
    pixels[box] = colour
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(target)


def test_a_box_is_filled_without_a_mask(folder: Path, tmp_path: Path, command: Any) -> None:
    ended = command("inpaint", folder, tmp_path / "out", "--box", "5,6,10,8", "--box", "30,20,4,4", "--model", "telea")
    assert ended.code == 0, ended.err
    expected = np.zeros((36, 48), bool)
    expected[6:14, 5:15] = expected[20:24, 30:34] = True
    for name in ("a.png", "deep/c.png"):
        different = changed(folder / name, tmp_path / "out" / name)
        assert not different[~expected].any()
        assert different[expected].mean() > 0.9


def test_marks_are_filled_beside_a_mask(folder: Path, masks: Path, tmp_path: Path, run: Run, hole: Draw) -> None:
    run(folder, tmp_path / "out", masks, circle=("40,30,3",), mask_invert=False)
    different = changed(folder / "a.png", tmp_path / "out" / "a.png")
    assert different[30, 40]
    assert different[hole()].mean() > 0.9
    run(folder, tmp_path / "inverted", masks, circle=("20,15,3",), mask_invert=True)
    different = changed(folder / "a.png", tmp_path / "inverted" / "a.png")
    assert different[~hole()].mean() > 0.9
    assert different[14:16, 19:21].any()  # the circle within what is kept otherwise


@pytest.mark.parametrize("invert", [False, True])
def test_a_picture_whose_mask_is_missing_is_not_taken_for_one_with_marks(
    folder: Path, masks: Path, tmp_path: Path, run: Run, invert: bool
) -> None:
    (masks / "a.bmp").unlink()
    outcomes = run(folder, tmp_path / "out", masks, box=("0,0,5,5",), mask_invert=invert)
    assert outcomes["a.png"].status == "failed"
    assert "has no mask" in str(outcomes["a.png"].reason)


def test_what_is_painted_over_is_filled_from_the_original(folder: Path, tmp_path: Path, run: Run) -> None:
    box = (slice(10, 20), slice(12, 30))
    for name in ("a.png", "b.png", "deep/c.png"):
        paint(folder / name, tmp_path / "painted" / name, box)
    outcomes = run(folder, tmp_path / "out", tmp_path / "painted", mask_color="red")
    assert {outcome.status for outcome in outcomes.values()} == {"ok"}
    different = changed(folder / "a.png", tmp_path / "out" / "a.png")
    assert different[box].mean() > 0.9
    different[9:21, 11:31] = False
    assert not different.any()


def test_a_painted_picture_is_its_own_mask(tmp_path: Path, run: Run) -> None:
    Image.fromarray(skimage.data.chelsea()[:120, :160]).save(tmp_path / "cat.png")
    paint(tmp_path / "cat.png", tmp_path / "in" / "cat.png", (slice(30, 60), slice(40, 80)), (0, 255, 0))
    outcomes = run(tmp_path / "in", tmp_path / "out", None, mask_color="#00ff00", mask_tolerance=20)
    assert outcomes["cat.png"].status == "ok"
    result = read_picture(tmp_path / "out" / "cat.png").pixels.astype(int)
    assert np.abs(result[30:60, 40:80] - (0, 255, 0)).max(1).min() > 60
    different = changed(tmp_path / "in" / "cat.png", tmp_path / "out" / "cat.png")
    different[27:63, 37:83] = False
    assert not different.any()


def test_a_painted_copy_of_another_size_or_turned_fits(tmp_path: Path, run: Run) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    cat = Image.fromarray(skimage.data.chelsea()[:120, :160])
    cat.rotate(90, expand=True).save(tmp_path / "cat.jpg", exif=exif, quality=95)
    small = cat.resize((80, 60))
    small.paste((255, 0, 255), (10, 10, 30, 30))
    small.save(tmp_path / "small.png")
    run(tmp_path / "cat.jpg", tmp_path / "out", tmp_path / "small.png", mask_color="magenta", save={"format": "png"})
    different = changed(tmp_path / "cat.jpg", tmp_path / "out" / "cat.png")
    assert different[20:60, 20:60].mean() > 0.9
    different[10:70, 10:70] = False
    assert not different.any()


def test_nothing_painted_is_said_and_copied(folder: Path, tmp_path: Path, run: Run, masks: Path) -> None:
    outcomes = run(folder, tmp_path / "out", None, mask_color="red", mask_tolerance=0)
    for outcome in outcomes.values():
        assert any("nothing in it is red: the nearest colour is #" in note for note in outcome.notes)
        assert "it shows no hole: copied as it is" in outcome.notes
    assert (tmp_path / "out" / "a.png").read_bytes() == (folder / "a.png").read_bytes()


def test_masks_of_few_levels_are_used_or_said_to_be_dark(tmp_path: Path, run: Run, folder: Path, hole: Draw) -> None:
    (tmp_path / "m").mkdir()
    for name, levels in (("a", hole() * 2), ("b", hole() * np.arange(1, 49) // 12)):
        Image.fromarray(levels.astype(np.uint8)).save(tmp_path / "m" / f"{name}.png")
    Image.fromarray(np.where(hole(), 200, 0).astype(np.uint8)).save(tmp_path / "m" / "c.jpg")
    (tmp_path / "m" / "deep").mkdir()
    (tmp_path / "m" / "c.jpg").rename(tmp_path / "m" / "deep" / "c.jpg")
    outcomes = run(folder, tmp_path / "out", tmp_path / "m")
    assert "its mask has the levels 0 and 2: the brighter is the hole" in outcomes["a.png"].notes
    assert changed(folder / "a.png", tmp_path / "out" / "a.png")[hole()].mean() > 0.9
    assert any(
        "is 2 of 255, and above 127 is hole, and its levels are 0, 1 and 2" in n for n in outcomes["b.png"].notes
    )
    assert "its mask shows no hole: copied as it is" in outcomes["b.png"].notes
    outcomes = run(folder, tmp_path / "again", tmp_path / "m", mask_threshold=0)
    assert outcomes["b.png"].record["hole"] > 0.05


def test_names_that_look_alike_are_one(
    tmp_path: Path, save_picture: Save, save_mask: Save, hole: Draw, run: Run
) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Mu\u0308ller") for form in ("NFC", "NFD"))
    save_picture(tmp_path / "in" / decomposed / f"{composed}.png")
    save_mask(tmp_path / "masks" / composed / f"{decomposed}_mask.png", hole())
    outcomes = run(tmp_path / "in", tmp_path / "out", tmp_path / "masks")
    assert [outcome.status for outcome in outcomes.values()] == ["ok"]


def test_digits_that_are_no_numbers_do_not_end_the_run(tmp_path: Path, save_picture: Save, run: Run) -> None:
    for name in ("\u246001.png", "photo2\u00b23.png", "\u24601/p.png"):
        save_picture(tmp_path / "in" / name)
    assert len(run(tmp_path / "in", tmp_path / "out", None, box=("1,1,4,4",))) == 3


def test_a_photograph_as_a_mask_is_refused_with_what_helps(tmp_path: Path, command: Any) -> None:
    cat = Image.fromarray(skimage.data.chelsea()[:120, :160])
    cat.save(tmp_path / "cat.png")
    cat.save(tmp_path / "mask.jpg")
    for model in ("telea",):
        ended = command(
            "inpaint", tmp_path / "cat.png", tmp_path / "o", "--mask", tmp_path / "mask.jpg", "--model", model
        )
        assert ended.code == 3
        assert (
            "mask.jpg: this looks like a photograph, and a mask was expected, which is white in the hole" in ended.err
        )
        assert "name the colour with --mask-color" in ended.err
        assert "--mask alpha; if it is a mask all the same, set --mask-threshold" in ended.err
    with pytest.raises(UserError, match="the mask looks like a photograph"):
        translate.inpaint(np.asarray(cat), cat, "telea")
    with pytest.raises(UserError, match=r"mask\.jpg: this looks like a photograph"):
        translate.inpaint(np.asarray(cat), tmp_path / "mask.jpg", "telea")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "nothing says what is hole: name masks with --mask, or the hole itself with --box, --circle,"),
        (("--box", "1,1,2,2", "--mask-invert"), "--mask-invert: there is no --mask to invert"),
        (("--mask", "alpha", "--mask-color", "red"), "--mask-color: with --mask alpha it is what is transparent"),
        (("--mask", "alpha", "--mask-threshold", "9"), "--mask-threshold: is for masks that are white in the hole"),
        (("--box", "1,1,2,2", "--mask-tolerance", "9"), "--mask-tolerance: name the colour that was painted"),
        (("--mask-color", "reddish"), "--mask-color: expected a colour such as red or #ff0000, found reddish"),
        (("--circle", "1,1"), "--circle: expected X,Y,R such as 100,80,25"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    folder: Path, tmp_path: Path, command: Any, options: tuple[str, ...], sentence: str
) -> None:
    ended = command("inpaint", folder, tmp_path / "out", "--model", "telea", *options)
    assert (ended.code, (tmp_path / "out").exists()) == (2, False)
    assert sentence in ended.err


def test_a_box_outside_one_picture_fails_that_one(tmp_path: Path, folder: Path, save_picture: Save, run: Run) -> None:
    Image.fromarray(skimage.data.chelsea()[:120, :160]).save(folder / "large.png")
    outcomes = run(folder, tmp_path / "out", None, box=("100,80,10,10",))
    assert outcomes["large.png"].status == "ok"
    assert outcomes["a.png"].reason == "a.png: 100,80,10,10: covers no pixel of the picture, which has 48x36"
