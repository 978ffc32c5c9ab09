"""`translate data masks`: files that `translate inpaint` takes, the same for the same seed."""

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datasets.codecs.images import read_header, read_picture
from datasets.errors import UserError
from datasets.masks.drawing import MASKS
from datasets.masks.reading import read_mask
from translate.folders.mask_sets import draw_masks, plan_masks


def saved(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")}


@pytest.mark.parametrize("kind", [name.replace("_", "-") for name in MASKS])
def test_masks_are_black_and_white_and_as_many_and_large_as_asked_for(kind: str, tmp_path: Path, command: Any) -> None:
    ended = command("data", "masks", kind, tmp_path / "out", "--count", 6, "--size", 64)
    assert ended.code == 0
    paths = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in paths] == [f"{number:05d}.png" for number in range(1, 7)]
    masks = [read_picture(path).pixels for path in paths]
    assert {mask.shape for mask in masks} == {(64, 64, 1)}
    assert set(np.unique(masks).tolist()) == {0, 255}
    assert len({mask.tobytes() for mask in masks}) > 1
    share = np.mean([mask > 0 for mask in masks])
    assert f"done 6 masks, {share:.1%} of them is hole" in ended.err


def test_the_seed_decides(tmp_path: Path, command: Any) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        command("data", "masks", "thin", tmp_path / name, "--count", 3, "--size", 64, "--seed", seed)
    assert saved(tmp_path / "a") == saved(tmp_path / "b")
    assert not set(saved(tmp_path / "a").values()) & set(saved(tmp_path / "c").values())


def test_masks_for_pictures_have_their_names_and_sizes(tmp_path: Path, photos: Path, command: Any) -> None:
    (photos / "deep").mkdir()
    Image.new("RGB", (31, 20)).save(photos / "deep" / "x.jpg")
    ended = command("data", "masks", "box", tmp_path / "masks", "--like", photos)
    assert ended.code == 0
    assert (tmp_path / "masks" / "deep" / "x.png").is_file()
    for name in ("a.png", "c.jpg", "deep/x.jpg"):
        head = read_header(photos / name)
        _, notes = read_mask(tmp_path / "masks" / Path(name).with_suffix(".png"), head)
        assert notes == ()
    ended = command("inpaint", photos, tmp_path / "out", "--mask", tmp_path / "masks", "--model", "telea")
    assert ended.code == 0
    assert "done 7 ok" in ended.err


def test_what_cannot_be_is_a_sentence(tmp_path: Path, photos: Path, command: Any) -> None:
    ended = command("data", "masks", "round", tmp_path / "out")
    assert ended.code == 2
    assert "round: there is no such kind of mask; there are free-form, box, thin, medium, thick" in ended.err
    command("data", "masks", "box", tmp_path / "out", "--count", 1, "--size", 16)
    ended = command("data", "masks", "box", tmp_path / "out", "--count", 2, "--size", 16)
    assert ended.code == 2
    assert "00001.png: exists" in ended.err
    (tmp_path / "empty").mkdir()
    assert command("data", "masks", "box", tmp_path / "o", "--like", tmp_path / "empty").code == 4
    Image.new("L", (9, 9)).save(photos / "a.bmp")
    ended = command("data", "masks", "box", tmp_path / "o", "--like", photos)
    assert "is not the only picture of that name" in ended.err


def test_masks_of_marked_pictures_have_their_names_and_the_marks(tmp_path: Path, photos: Path, command: Any) -> None:
    ended = command(
        "data", "masks", tmp_path / "masks", "--like", photos, "--box", "25%,0,50%,50%", "--circle", "0,0,2"
    )
    assert ended.code == 0, ended.err
    assert f"hole → {tmp_path / 'masks'}" in ended.err
    for name in ("a.png", "c.jpg"):
        head = read_header(photos / name)
        mask, notes = read_mask(tmp_path / "masks" / Path(name).with_suffix(".png"), head)
        assert notes == ()
        assert mask[0, head.width // 2]
        assert mask[0, 0]
        assert mask.mean() == pytest.approx(0.25, abs=0.05)


def test_one_picture_gives_one_mask_of_the_name_that_is_asked_for(tmp_path: Path, photos: Path, command: Any) -> None:
    ended = command("data", "masks", tmp_path / "m.png", "--like", photos / "a.png", "--box", "1,1,4,4")
    assert (ended.code, ended.err.count("done 1 mask,")) == (0, 1)
    assert (read_picture(tmp_path / "m.png").pixels > 0).sum() == 16
    ended = command("data", "masks", tmp_path / "dir", "--like", photos / "c.jpg", "--polygon", "0,0,9,0,0,9")
    assert ended.code == 0
    assert (tmp_path / "dir" / "c.png").is_file()
    ended = command("data", "masks", tmp_path / "dir", "--like", photos / "c.jpg", "--box", "1,1,1,1")
    assert "c.png: exists" in ended.err


def test_painted_pictures_are_compared_with_the_originals(tmp_path: Path, command: Any) -> None:
    for folder in ("before", "after"):
        (tmp_path / folder).mkdir()
        pixels = np.full((40, 60, 3), (90, 120, 100), np.uint8)
        pixels[30:, 50:] = (250, 10, 10)
        if folder == "after":
            pixels[5:15, 10:30] = (255, 0, 0)
        name = unicodedata.normalize("NFC" if folder == "after" else "NFD", "Zoë.png")
        Image.fromarray(pixels).save(tmp_path / folder / name)
    command(
        "data",
        "masks",
        tmp_path / "m",
        "--like",
        tmp_path / "after",
        "--color",
        "red",
        "--original",
        tmp_path / "before",
    )
    (path,) = (tmp_path / "m").iterdir()
    mask = read_picture(path).pixels[:, :, 0] > 0
    assert mask[5:15, 10:30].all()
    assert mask.sum() == 200 + 60  # and a border of one pixel, but for its corners
    ended = command("data", "masks", tmp_path / "n", "--like", tmp_path / "after", "--color", "blue", "--tolerance", 9)
    assert ended.code == 0
    assert "Zoë.png: nothing in it is blue: the nearest colour is #" in unicodedata.normalize("NFC", ended.err)
    (tmp_path / "empty").mkdir()
    ended = command(
        "data",
        "masks",
        tmp_path / "o",
        "--like",
        tmp_path / "after",
        "--color",
        "red",
        "--original",
        tmp_path / "empty",
    )
    assert "holds no original of" in ended.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("out",), "out: name a kind of random mask before it, free-form, box,"),
        (("box", "out", "--box", "1,2,3,4", "--like", "photos"), "a mask is random or of what is marked"),
        (("out", "--box", "1,2,3,4", "--count", "3", "--like", "photos"), "a mask is random or of what is marked"),
        (("out", "--box", "1,2,3,4"), "--like: name the pictures that the mask is for"),
        (("out", "--box", "1,2,3", "--like", "photos"), "--box: expected X,Y,W,H such as 10,20,200,50"),
        (("box", "out", "--like", "photos", "--size", "64"), "--like says how many masks, and how large"),
        (("box", "out", "--tolerance", "3"), "name the colour that was painted with --color"),
        (("box", "out", "more"), "expected a kind of mask and a folder, or a folder alone"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    arguments: tuple[str, ...], sentence: str, photos: Path, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos.parent)
    ended = command("data", "masks", *arguments)
    assert ended.code == 2
    assert sentence in ended.err


def test_names_that_differ_in_case_alone_share_no_mask(tmp_path: Path, command: Any) -> None:
    (tmp_path / "in").mkdir()
    for name in ("A.png", "a.jpg"):
        Image.new("L", (9, 9)).save(tmp_path / "in" / name)
    ended = command("data", "masks", "box", tmp_path / "o", "--like", tmp_path / "in")
    assert "is not the only picture of that name, and would share its mask" in ended.err


def test_masks_that_exist_are_refused_left_or_made_anew(tmp_path: Path) -> None:
    list(draw_masks(plan_masks(tmp_path, "box", 2, 32, 0)))
    with pytest.raises(UserError, match="`on_exists` to skip or overwrite"):
        plan_masks(tmp_path, "box", 3, 32, 1)
    assert [job.name.name for job in plan_masks(tmp_path, "box", 3, 32, 1, "skip")] == ["00003.png"]
    assert len(plan_masks(tmp_path, "box", 3, 32, 1, "overwrite")) == 3


@pytest.mark.parametrize("marked", [("box", "out"), ("out", "--box", "1,1,4,4")])
def test_a_damaged_picture_is_a_red_line_and_the_others_get_their_masks(command, photos, tmp_path, marked):
    (photos / "b.png").write_bytes(b"torn")
    arguments = [tmp_path / word if word == "out" else word for word in marked]
    ended = command("data", "masks", *arguments, "--like", photos)
    assert ended.code == 3
    assert "failed: " in ended.err
    assert "b.png" in ended.err
    assert ended.err.splitlines()[-1].startswith("done 5 ok, 0 skipped, 1 failed →")
    assert len([*(tmp_path / "out").rglob("*.png")]) == 5
