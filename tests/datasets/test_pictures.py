"""Single pictures with and without labels: what is found, what it is called, what is refused."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from datasets.contract import Samples
from datasets.errors import DataError
from datasets.pictures import PicturesConfig

CLASSES = ("cats/1.png", "cats/more/2.png", "cats/3.png", "dogs/1.png", "dogs/2.png", "10 owls/1.png", "10 owls/2.png")


def config(**settings: Any) -> PicturesConfig:
    return PicturesConfig.model_validate({"crop": {"load": None, "size": 8}, "validation_fraction": 0.3, **settings})


@pytest.fixture
def classes(tmp_path: Path, photo: Callable[..., Any]) -> Path:
    for seed, name in enumerate(CLASSES):
        path = tmp_path / "classes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        photo(12, 10, seed).save(path)
    return tmp_path / "classes"


def all_of(*parts: Samples[Any]) -> dict[str, int]:
    return {part.name(index): int(part.sample(index, 0).label) for part in parts for index in range(len(part))}


def test_a_tree_without_labels_is_all_of_one_kind(classes: Path) -> None:
    opened = config().open(classes)
    assert all_of(opened.training, opened.validation) == dict.fromkeys(CLASSES, 0)
    assert opened.domains == ()
    image = opened.training.sample(0, 3).image
    assert (image.shape, image.dtype) == ((3, 8, 8), torch.float32)
    assert torch.equal(image, opened.training.sample(0, 3).image)
    assert not torch.equal(image, opened.training.sample(0, 4).image)
    assert config(picture_channels=1).open(classes).training.sample(0, 3).image.shape == (1, 8, 8)


def test_the_folders_under_the_root_are_the_classes_in_natural_order(classes: Path) -> None:
    opened = config(labels={"kind": "folders"}).open(classes)
    assert opened.domains == ("10 owls", "cats", "dogs")
    expected = {name: opened.domains.index(name.split("/")[0]) for name in CLASSES}
    assert all_of(opened.training, opened.validation) == expected
    assert len(opened.validation) == 2


def table(root: Path, *rows: str, header: str = "file,label", name: str = "labels.csv") -> None:
    (root / name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def tame_or_wild() -> list[str]:
    return [f"{name},{'wild' if 'owls' in name else 'tame'}" for name in CLASSES]


def test_a_table_names_the_classes(classes: Path) -> None:
    table(classes, *tame_or_wild())
    opened = config(labels={"kind": "csv"}).open(classes)
    assert opened.domains == ("tame", "wild")
    assert all_of(opened.training, opened.validation) == {name: int("owls" in name) for name in CLASSES}


def test_a_table_may_be_called_and_headed_otherwise_and_come_from_a_spreadsheet(classes: Path) -> None:
    rows = [f'  {number},"./{row.replace(",", chr(34) + "," + chr(34))}"' for number, row in enumerate(tame_or_wild())]
    (classes / "sub").mkdir()
    table(classes, *rows, "", "8,,", header="\ufeffnumber,path,what is it", name="sub/my table.csv")
    labels = {"kind": "csv", "table": "sub/my table.csv", "file_column": "path", "label_column": "what is it"}
    assert config(labels=labels).open(classes).domains == ("tame", "wild")


@pytest.mark.parametrize("header", ["path;x", "file", "FILES,LABEL", "cats/1.png,tame"])
def test_a_table_of_other_columns_is_answered_with_those_that_are_there(classes: Path, header: str) -> None:
    table(classes, *tame_or_wild(), header=header)
    found = header.replace(",", ", ").replace(";", ", ")
    with pytest.raises(
        DataError, match=rf"expected the columns file and label, .* found {re.escape(found)}; name yours"
    ):
        config(labels={"kind": "csv"}).open(classes)


@pytest.mark.parametrize("content", [b"file,label\n\xff\x81.png,x\n", b'file,label\n"' + b"x" * 200_000 + b'",y\n'])
def test_what_is_no_table_is_said(classes: Path, content: bytes) -> None:
    (classes / "labels.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"labels\.csv: expected a table of labels, (found something|and cannot read)"):
        config(labels={"kind": "csv"}).open(classes)


def test_a_table_that_is_not_there_is_said(classes: Path) -> None:
    with pytest.raises(DataError, match=r"x\.csv: expected a table of labels, found nothing; set data\.labels\.table"):
        config(labels={"kind": "csv", "table": "x.csv"}).open(classes)


def test_labels_without_files_and_files_without_labels_are_named_and_left_out_when_asked(classes: Path) -> None:
    (classes / "dogs/1.png").write_bytes(b"torn")
    table(
        classes,
        *(f"{name},{name[0]}" for name in CLASSES[1:]),
        "gone.png,x",
        "cats/3.png,dog",
        f"{300 * 'a'},b",
        ",",
        f"{CLASSES[0]},",
    )
    with pytest.raises(DataError, match=r"5 of its pictures") as refused:
        config(labels={"kind": "csv"}).open(classes)
    assert "labels.csv: labels gone.png, which does not exist" in str(refused.value)
    assert "labels.csv: labels cats/3.png both c and dog" in str(refused.value)
    assert f"{classes / 'cats/1.png'}: has no label in labels.csv" in str(refused.value)
    assert str(refused.value).count("dogs/1.png") == 1
    opened = config(labels={"kind": "csv"}, skip_bad=True).open(classes)
    assert len(opened.skipped) == 5
    assert "x" not in opened.domains
    left = set(CLASSES) - {"cats/1.png", "cats/3.png", "dogs/1.png"}
    assert set(all_of(opened.training, opened.validation)) == left


@pytest.mark.posix("makes links, for which Windows asks for a right")
def test_pictures_outside_class_folders_and_empty_classes_are_named(classes: Path, photo: Callable[..., Any]) -> None:
    photo(9, 9, 0).save(classes / "stray.png")
    (classes / "fish").mkdir()
    (classes / "mice").symlink_to(classes / "cats")
    for junk in (".git", "__MACOSX"):
        (classes / junk).mkdir()
    with pytest.raises(DataError, match="3 of its pictures") as refused:
        config(labels={"kind": "folders"}).open(classes)
    assert "stray.png: is not in a class folder" in str(refused.value)
    assert "fish: is a class folder without a usable picture" in str(refused.value)
    assert "mice: is a link to a folder, and links are not followed" in str(refused.value)
    assert config(labels={"kind": "folders"}, skip_bad=True).open(classes).domains == ("10 owls", "cats", "dogs")


def test_trees_without_classes_are_refused_with_what_was_found(photos: Path, tmp_path: Path) -> None:
    folders = config(labels={"kind": "folders"})
    expected = "a folder of pictures for each class, such as cats/1.jpg and dogs/1.jpg"
    with pytest.raises(DataError, match=rf"{expected}, found no folder and 6 usable pictures beside"):
        folders.open(photos)
    (photos / "a").mkdir()
    with pytest.raises(DataError, match=rf"{expected}, found nothing usable in a and 6 usable pictures beside"):
        folders.open(photos)
    (tmp_path / "root").mkdir()
    (photos / "a").rmdir()
    photos.rename(tmp_path / "root" / "one")
    with pytest.raises(DataError, match="every picture is of the class one, and at least 2 classes are needed"):
        folders.open(tmp_path / "root")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="found no picture to learn from"):
        config().open(tmp_path / "empty")
    with pytest.raises(DataError, match="expected a folder, found nothing"):
        folders.open(tmp_path / "none")


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.6, 0.99])
def test_no_class_is_held_out_as_a_whole(classes: Path, fraction: float, photo: Callable[..., Any]) -> None:
    for seed in range(6):
        (classes / f"alone {seed}").mkdir()
        photo(12, 10, seed).save(classes / f"alone {seed}" / "1.png")
    opened = config(labels={"kind": "folders"}, validation_fraction=fraction).open(classes)
    assert set(all_of(opened.training).values()) == set(range(9))
    assert len(opened.validation)
    assert not set(all_of(opened.training)) & set(all_of(opened.validation))


def test_another_label_is_another_fingerprint(classes: Path) -> None:
    before = config(labels={"kind": "folders"}).open(classes).fingerprint
    assert before == config(labels={"kind": "folders"}).open(classes).fingerprint
    (classes / "cats" / "3.png").rename(classes / "dogs" / "3.png")
    assert before != config(labels={"kind": "folders"}).open(classes).fingerprint
    table(
        classes,
        *(f"{name},{number % 2}" for number, name in enumerate(CLASSES) if name != "cats/3.png"),
        "dogs/3.png,0",
    )
    before = config(labels={"kind": "csv"}).open(classes).fingerprint
    text = (classes / "labels.csv").read_text(encoding="utf-8")
    for old, new in (("cats/1.png,0", "cats/1.png,1"), (",1", ",one")):  # another label, another name of it
        text = text.replace(old, new)
        (classes / "labels.csv").write_text(text, encoding="utf-8")
        assert config(labels={"kind": "csv"}).open(classes).fingerprint != before
        before = config(labels={"kind": "csv"}).open(classes).fingerprint


def test_a_torn_picture_is_named(classes: Path) -> None:
    (classes / "dogs" / "1.png").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"dogs/1\.png"):
        config(labels={"kind": "folders"}).open(classes)


def test_colours_move_and_halves_are_mirrored_as_the_crop_says(tmp_path: Path, photo: Callable[..., Any]) -> None:
    photo(12, 12, 0).save(tmp_path / "1.png")

    def looks(**crop: Any) -> set[bytes]:
        settings = {"crop": {"load": None, "size": 12, "flip": False, **crop}, "validation_fraction": 0}
        training = config(**settings).open(tmp_path).training
        return {training.sample(0, seed).image.numpy().tobytes() for seed in range(20)}

    assert len(looks()) == 1
    assert len(looks(flip=True)) == 2
    assert len(looks(jitter=0.3)) == 20
