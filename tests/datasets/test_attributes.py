"""Labels from folders, tables and CelebA's file; two sets at once; and the sentence for what cannot be learned."""

import csv
from pathlib import Path

import pytest
import torch
from PIL import Image

from datasets.attributes import AttributesConfig
from datasets.contract import Attributed, LabelSet, OpenedData
from datasets.errors import DataError
from datasets.labels import CelebATable

CROP = {"load": None, "size": 8, "flip": False}
HAIR = ("black", "blond")
TABLE = {
    "1.png": (1, 0, 1),
    "2.png": (0, 1, 1),
    "more/3.png": (1, 0, 0),
    "more/4.png": (0, 1, 0),
    "5.png": (0, 0, 1),
    "6.png": (0, 0, 0),
}


def config(**settings) -> AttributesConfig:
    return AttributesConfig.model_validate({"crop": CROP, "validation_fraction": 0, **settings})


def save(path: Path, value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (9, 10), (value,) * 3).save(path)


def write_table(path: Path, table: dict[str, tuple], columns: tuple[str, ...] = (*HAIR, "young")) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("file", *columns), *((name, *row) for name, row in table.items())])


@pytest.fixture
def faces(tmp_path) -> Path:
    """Six pictures and a table of them."""
    folder = tmp_path / "faces"
    for value, name in enumerate(TABLE):
        save(folder / name, value)
    write_table(folder / "labels.csv", TABLE)
    return folder


@pytest.fixture
def moods(tmp_path) -> Path:
    """Three classes of three, two and two pictures."""
    for value, name in enumerate(("happy/a", "happy/b", "happy/c", "sad/a", "sad/deep/b", "calm/a", "calm/b"), 100):
        save(tmp_path / "moods" / f"{name}.png", value)
    return tmp_path / "moods"


def labels(opened: OpenedData[Attributed]) -> dict[str, list[float]]:
    samples = opened.training
    return {samples.name(index): samples.sample(index, 0).label.tolist() for index in range(len(samples))}


def test_class_folders_are_labels_of_which_each_picture_has_one(moods):
    opened = config().open(moods)
    assert opened.domains == ("calm", "happy", "sad")
    assert opened.label_sets == (LabelSet(names=("calm", "happy", "sad"), classes=True),)
    found = labels(opened)
    assert (found["calm/b.png"], found["happy/c.png"], found["sad/deep/b.png"]) == ([1, 0, 0], [0, 1, 0], [0, 0, 1])
    sample = opened.training.sample(0, 0)
    assert (sample.image.shape, sample.label.dtype, int(sample.source)) == ((3, 8, 8), torch.float32, 0)


def test_a_table_says_which_of_the_chosen_attributes_each_picture_has(faces):
    opened = config(labels={"kind": "csv", "groups": [HAIR]}).open(faces)
    assert opened.label_sets == (LabelSet(names=(*HAIR, "young"), exclusive=(HAIR,)),)
    assert labels(opened) == {name: [*map(float, row)] for name, row in TABLE.items()}
    few = config(labels={"kind": "csv", "attributes": ["young", "blond"]}).open(faces)
    assert few.domains == ("young", "blond")
    assert labels(few)["2.png"] == [1, 1]


def test_yes_and_no_may_be_written_in_several_ways(faces):
    words = {1: "Yes", 0: "-1"}
    write_table(faces / "labels.csv", {name: tuple(words[v] for v in row) for name, row in TABLE.items()})
    assert labels(config(labels={"kind": "csv"}).open(faces)) == {n: [*map(float, row)] for n, row in TABLE.items()}


def celeba(folder: Path, columns: tuple[str, ...] = (*HAIR, "young")) -> None:
    """The table as CelebA writes it, beside pictures in a folder of their own."""
    rows = [f"{len(TABLE)}", " ".join(columns) + " "]
    for value, (name, row) in enumerate(TABLE.items()):
        save(folder / "images" / Path(name).name, value)
        rows.append(f"{Path(name).name}  " + "  ".join(str(2 * v - 1) for v in row))
    (folder / "list_attr_celeba.txt").write_text("\n".join([*rows, "999.png 1 1 1"]) + "\n")


def test_the_table_of_celeba_is_read_as_it_is_published(tmp_path):
    celeba(tmp_path)
    chosen = {"kind": "celeba", "attributes": ["young", "black"], "groups": []}
    opened = config(labels=chosen).open(tmp_path)
    assert labels(opened)["images/3.png"] == [0, 1]
    assert len(opened.training) == 6
    defaults = AttributesConfig.model_validate({"labels": {"kind": "celeba"}}).labels
    assert isinstance(defaults, CelebATable)
    assert defaults.attributes == ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")
    assert defaults.groups == (("Black_Hair", "Blond_Hair", "Brown_Hair"),)


def test_pictures_without_attributes_are_named_and_can_be_left_out(faces):
    write_table(faces / "labels.csv", {n: r for n, r in TABLE.items() if n != "5.png"} | {"6.png": ("", 0, "maybe")})
    chosen = {"kind": "csv", "attributes": ["young", "black"]}
    with pytest.raises(DataError, match=r"2 of its pictures(?s:.*)5\.png: has no row in labels\.csv") as caught:
        config(labels=chosen).open(faces)
    assert caught.match(r"6\.png: labels\.csv has young=maybe, black=, and 1 or 0 was expected")
    assert caught.value.exit_code == 5
    opened = config(labels=chosen, skip_bad=True).open(faces)
    assert set(labels(opened)) == set(TABLE) - {"5.png", "6.png"}
    assert len(opened.skipped) == 2


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ({"attributes": ["old"]}, r"there is no old; the table's columns are black, blond, young"),
        ({"attributes": ["young", "black"], "groups": [HAIR]}, r"there is no blond; a group is of chosen attributes"),
        ({"file_column": "path"}, r"expected the column path, .*, found file, black, blond, young; name yours with"),
        ({"table": "other.csv"}, r"other\.csv: expected a table of labels, found nothing"),
    ],
)
def test_what_a_table_lacks_is_said_with_what_it_has(faces, chosen, sentence):
    with pytest.raises(DataError, match=sentence):
        config(labels={"kind": "csv", **chosen}).open(faces)


def test_rows_that_contradict_each_other_are_named_and_left_out_when_asked(faces):
    write_table(faces / "labels.csv", TABLE)
    with (faces / "labels.csv").open("a", encoding="utf-8") as file:
        same, other = (",".join(["6.png", *map(str, row)]) for row in (TABLE["6.png"], [1 - v for v in TABLE["6.png"]]))
        file.write(f"{same}\n{other}\n")
    with pytest.raises(DataError, match=r"6\.png: labels\.csv has two rows for it, and they differ"):
        config(labels={"kind": "csv"}).open(faces)
    opened = config(labels={"kind": "csv"}, skip_bad=True).open(faces)
    known = {part.name(index) for part in (opened.training, opened.validation) for index in range(len(part))}
    assert known == set(TABLE) - {"6.png"}


def test_another_file_in_celebas_place_is_refused(faces):
    (faces / "list_attr_celeba.txt").write_text("file,black\n1.png,1\n")
    with pytest.raises(DataError, match=r"there is no Black_Hair, .*; the table's columns are black"):
        config(labels={"kind": "celeba"}).open(faces)
    (faces / "list_attr_celeba.txt").write_text("file black\n1.png\n")
    with pytest.raises(DataError, match=r"expected CelebA's table: a line with a count, .*set data.labels.kind=csv"):
        config(labels={"kind": "celeba"}).open(faces)


def test_a_label_of_one_picture_none_or_all_cannot_be_learned(faces, moods):
    (moods / "calm" / "a.png").unlink()
    with pytest.raises(DataError, match=r"a single picture is calm; .*at least 2 are needed"):
        config().open(moods)
    for row, sentence in (((0, 0, 1), "no picture is black"), ((1, 0, 1), "every picture is black, so that")):
        write_table(faces / "labels.csv", dict.fromkeys(TABLE, row))
        with pytest.raises(DataError, match=sentence):
            config(labels={"kind": "csv"}).open(faces)


@pytest.fixture
def joint(faces, moods) -> AttributesConfig:
    return config(folder="faces", labels={"kind": "csv"}, second={"folder": "moods"})


def test_two_sets_take_turns_and_know_nothing_of_each_others_labels(joint, faces):
    opened = joint.open(faces.parent)
    assert opened.domains == (*HAIR, "young", "calm", "happy", "sad")
    assert [part.classes for part in opened.label_sets] == [False, True]
    samples = opened.training
    assert len(samples) == 14
    sampled = [samples.sample(index, 0) for index in range(14)]
    assert [int(sample.source) for sample in sampled] == [0, 1] * 7
    assert {samples.name(index) for index in range(0, 14, 2)} == set(TABLE)
    for index, sample in enumerate(sampled):
        own, other = (sample.label[:3], sample.label[3:]) if index % 2 == 0 else (sample.label[3:], sample.label[:3])
        assert not other.any()
        assert index % 2 == 0 or own.sum() == 1
        value = round((float(sample.image.mean()) + 1) * 127.5)
        assert (value >= 100) == (index % 2 == 1)


def test_held_out_pictures_of_two_sets_are_seen_once(joint, faces):
    opened = joint.model_copy(update={"validation_fraction": 0.5}).open(faces.parent)
    names = [opened.validation.name(index) for index in range(len(opened.validation))]
    assert len(names) == len(set(names)) == 6
    learned = {opened.training.name(index) for index in range(len(opened.training))}
    assert not learned & set(names)


@pytest.mark.parametrize("fraction", [0.1, 0.9])
def test_every_class_is_trained_on_and_validated(moods, fraction):
    opened = config(validation_fraction=fraction).open(moods)
    for samples in (opened.training, opened.validation):
        assert torch.stack([samples.sample(index, 0).label for index in range(len(samples))]).sum(0).min() >= 1


def test_two_sets_must_differ_in_folders_and_labels(faces, moods):
    with pytest.raises(ValueError, match=r"folder and second\.folder are both faces"):
        config(folder="faces", second={"folder": "faces/"})
    for name in ("young/a.png", "young/b.png"):
        save(moods / name)
    with pytest.raises(DataError, match="both sets have a label young; give it another name in one of them"):
        config(folder="faces", labels={"kind": "csv"}, second={"folder": "moods"}).open(faces.parent)


def test_the_fingerprint_knows_of_labels(faces):
    chosen = config(labels={"kind": "csv"})
    before = chosen.open(faces).fingerprint
    assert chosen.open(faces).fingerprint == before
    write_table(faces / "labels.csv", TABLE | {"5.png": (0, 0, 0)})
    assert chosen.open(faces).fingerprint != before
