"""Each picture finds its mask, and masks that cannot be meant are refused before anything is written."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray
from PIL import Image

from datasets.codecs.images import read_picture
from datasets.errors import UserError
from translate.folders.jobs import NothingFoundError
from translate.folders.manifest import Outcome

Run = Callable[..., dict[str, Outcome]]
Draw = Callable[..., NDArray[Any]]
Save = Callable[..., Path]


def test_two_masks_of_one_picture_are_refused(folder: Path, masks: Path, tmp_path: Path, run: Run) -> None:
    shutil.copy(masks / "b_mask.png", masks / "b.png")
    with pytest.raises(UserError, match=r"b\.png and .*b_mask\.png: are two masks of one picture; remove one"):
        run(folder, tmp_path / "out", masks)
    (masks / "b_mask.png").unlink()
    Image.open(masks / "b.png").save(masks / "b.bmp")
    with pytest.raises(UserError, match=r"b\.\w+ and .*b\.\w+: are two masks of one picture; remove one"):
        run(folder, tmp_path / "out", masks)


def test_masks_must_be_somewhere_and_not_among_the_pictures(
    folder: Path, masks: Path, tmp_path: Path, run: Run
) -> None:
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


def test_masks_are_not_overwritten(folder: Path, masks: Path, run: Run) -> None:
    before = (masks / "deep" / "c.png").read_bytes()
    with pytest.raises(UserError, match=r"c.png: is a mask, and would be overwritten; choose another place"):
        run(folder, masks, masks, on_exists="overwrite")
    assert (masks / "deep" / "c.png").read_bytes() == before


def test_where_no_picture_has_a_mask_all_may_be_copied(folder: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "empty").mkdir()
    outcomes = run(folder, tmp_path / "out", tmp_path / "empty", missing_mask="copy")
    assert {outcome.status for outcome in outcomes.values()} == {"ok"}
    assert (tmp_path / "out" / "a.png").read_bytes() == (folder / "a.png").read_bytes()


@pytest.mark.parametrize("policy", ["error", "copy", "skip"])
def test_a_picture_without_a_mask(folder: Path, masks: Path, tmp_path: Path, policy: str, command: Any) -> None:
    (masks / "a.bmp").unlink()
    ended = command("inpaint", folder, tmp_path / "out", "--mask", masks, "--model", "telea", "--missing-mask", policy)
    assert "note: 1 of 3 pictures have no mask in" in ended.err
    output = tmp_path / "out" / "a.png"
    if policy == "error":
        assert ended.code == 3
        assert "failed: a.png: has no mask; add it, or set --missing-mask to copy or skip" in ended.err
    assert output.exists() == (policy == "copy")
    if policy == "copy":
        assert output.read_bytes() == (folder / "a.png").read_bytes()
        assert "copied as it is: 1 picture" in ended.err
    assert ended.err.splitlines()[-1].startswith(
        {"error": "done 2 ok, 0 skipped, 1 failed", "copy": "done 3 ok", "skip": "done 2 ok, 1 skipped"}[policy]
    )


def test_every_picture_finds_its_mask(folder: Path, masks: Path, tmp_path: Path, run: Run, hole: Draw) -> None:
    outcomes = run(folder, tmp_path / "out", masks)
    assert {outcome.status for outcome in outcomes.values()} == {"ok"}
    expected = {"a.png": hole(), "b.png": hole()[::-1], "deep/c.png": hole()[:, ::-1]}
    for name, mask in expected.items():
        changed = (read_picture(folder / name).pixels != read_picture(tmp_path / "out" / name).pixels).any(2)
        assert (changed[mask]).mean() > 0.95
        assert not changed[~mask].any()
        assert outcomes[name].record["hole"] == pytest.approx(mask.mean())
        assert "10.42% is hole" in outcomes[name].notes


def test_one_mask_serves_for_all_at_their_sizes(
    folder: Path, tmp_path: Path, run: Run, hole: Draw, pixels: Draw, save_mask: Save
) -> None:
    Image.fromarray(pixels()).resize((96, 72)).save(folder / "large.png")
    outcomes = run(folder, tmp_path / "out", save_mask(tmp_path / "m.png", hole()))
    assert "the mask was scaled from 48x36" in outcomes["large.png"].notes
    for name in ("a.png", "large.png"):
        changed = (read_picture(folder / name).pixels != read_picture(tmp_path / "out" / name).pixels).any(2)
        mask = hole() if name == "a.png" else hole().repeat(2, 0).repeat(2, 1)
        assert not changed[~mask].any()
        assert changed[mask].mean() > 0.9


def test_jpeg_is_said_to_change_what_is_known_and_png_does_not(
    tmp_path: Path, command: Any, hole: Draw, pixels: Draw, save_mask: Save
) -> None:
    Image.fromarray(pixels()).resize((64, 48)).save(tmp_path / "a.jpg")
    mask = save_mask(tmp_path / "m.png", hole())
    ended = command("inpaint", tmp_path / "a.jpg", tmp_path / "o", "--mask", mask, "--model", "navier-stokes")
    assert "encoded again as JPEG, which changes known pixels a little: 1 picture; --format png keeps them" in ended.err
    ended = command(
        "inpaint", tmp_path / "a.jpg", tmp_path / "p", "--mask", mask, "--model", "telea", "--format", "png"
    )
    assert "encoded again" not in ended.err
    original, output = read_picture(tmp_path / "a.jpg").pixels, read_picture(tmp_path / "p" / "a.png").pixels
    assert ((original != output).any(2).mean()) < 0.12
