"""`translate data masks`: files that `translate inpaint` takes, the same for the same seed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datasets.codecs.images import read_header, read_picture
from datasets.masks.drawing import MASKS
from datasets.masks.reading import read_mask


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
