"""Single pictures with and without labels: what is found, what it is called, what is refused."""

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
    return PicturesConfig.model_validate({"crop": {"load": None, "size": 8}, "validation_share": 0.3, **settings})


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


def test_a_table_names_the_classes(classes: Path) -> None:
    rows = [f"{name},{'wild' if 'owls' in name else 'tame'}" for name in CLASSES]
    (classes / "labels.csv").write_text("\n".join(["file,label", *rows]) + "\n", encoding="utf-8")
    opened = config(labels={"kind": "csv"}).open(classes)
    assert opened.domains == ("tame", "wild")
    assert all_of(opened.training, opened.validation) == {name: int("owls" in name) for name in CLASSES}
    (classes / "labels.csv").write_text("\n".join(["path;x", *rows]), encoding="utf-8")
    with pytest.raises(DataError, match="expected the columns file and label, found path;x; name yours"):
        config(labels={"kind": "csv"}).open(classes)


def test_labels_without_files_and_files_without_labels_are_named_and_left_out_when_asked(classes: Path) -> None:
    rows = [f"{name},{name[0]}" for name in CLASSES[1:]] + ["gone.png,x"]
    (classes / "labels.csv").write_text("\n".join(["file,label", *rows]), encoding="utf-8")
    with pytest.raises(DataError, match=r"2 of its pictures") as refused:
        config(labels={"kind": "csv"}).open(classes)
    assert "gone.png: there is no such usable picture" in str(refused.value)
    assert f"{classes / 'cats/1.png'}: has no label in labels.csv" in str(refused.value)
    opened = config(labels={"kind": "csv"}, skip_bad=True).open(classes)
    assert sorted(all_of(opened.training, opened.validation)) == sorted(CLASSES[1:])
    assert len(opened.skipped) == 2


def test_pictures_outside_class_folders_and_empty_classes_are_named(classes: Path, photo: Callable[..., Any]) -> None:
    photo(9, 9, 0).save(classes / "stray.png")
    (classes / "fish").mkdir()
    with pytest.raises(DataError) as refused:
        config(labels={"kind": "folders"}).open(classes)
    assert "stray.png: lies in no class folder" in str(refused.value)
    assert "fish: a class folder without a usable picture" in str(refused.value)
    assert config(labels={"kind": "folders"}, skip_bad=True).open(classes).domains == ("10 owls", "cats", "dogs")


def test_trees_without_classes_are_refused_with_what_was_found(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a folder of pictures for each class, .* found 6 pictures beside each other"):
        config(labels={"kind": "folders"}).open(photos)
    (tmp_path / "root").mkdir()
    photos.rename(tmp_path / "root" / "one")
    with pytest.raises(DataError, match="every picture is of the class one"):
        config(labels={"kind": "folders"}).open(tmp_path / "root")
    with pytest.raises(DataError, match="expected a table of labels, found nothing"):
        config(labels={"kind": "csv"}).open(tmp_path / "root")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="found no picture to learn from"):
        config().open(tmp_path / "empty")


def test_another_label_is_another_fingerprint(classes: Path) -> None:
    before = config(labels={"kind": "folders"}).open(classes).fingerprint
    assert before == config(labels={"kind": "folders"}).open(classes).fingerprint
    (classes / "cats" / "3.png").rename(classes / "dogs" / "3.png")
    assert before != config(labels={"kind": "folders"}).open(classes).fingerprint


def test_a_torn_picture_is_named(classes: Path) -> None:
    (classes / "dogs" / "1.png").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"dogs/1\.png"):
        config(labels={"kind": "folders"}).open(classes)
