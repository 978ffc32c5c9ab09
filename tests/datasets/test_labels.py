"""Labels of attributes from tables as people have them, and from both layouts of CelebA's list."""

import unicodedata
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image

from datasets.attributes import AttributesConfig
from datasets.errors import DataError

VALUES = {"0": (0, 0), "1": (1, 0), "2": (0, 1), "3": (1, 1)}


def read_labels(root: Path, **labels: object) -> dict[str, tuple[int, ...]]:
    settings = {"crop": {"load": None, "size": 8, "flip": False}, "validation_fraction": 0, "labels": labels}
    opened = AttributesConfig.model_validate(settings).open(root)
    samples = opened.training
    return {
        Path(samples.name(index)).stem: tuple(map(int, samples.sample(index, 0).label.tolist()))
        for index in range(len(samples))
    }


def save_pictures(folder: Path, prefix: str = "", suffix: str = ".png") -> None:
    folder.mkdir(parents=True)
    for name in VALUES:
        Image.new("RGB", (9, 9)).save(folder / f"{prefix}{name}{suffix}")


@pytest.mark.parametrize(
    ("yes", "no"), [("1", "0"), ("1.0", "0.0"), ("1,0", "-1,0"), ("TRUE", "False"), ("y", "n"), ("+1", "-1")]
)
def test_yes_and_no(tmp_path: Path, yes: str, no: str) -> None:
    save_pictures(tmp_path / "img")
    rows = [f"img\\{name}.png;{(no, yes)[a]};{(no, yes)[b]}" for name, (a, b) in VALUES.items()]
    (tmp_path / "labels.csv").write_text("\r\n".join(["File;Smile;Hat;", *rows]), encoding="utf-16")
    assert read_labels(tmp_path, kind="csv") == VALUES
    swapped = {name: (b, a) for name, (a, b) in VALUES.items()}
    assert read_labels(tmp_path, kind="csv", attributes=["hat", "smile"], groups=[["HAT", "smile"]]) == swapped


def test_other_values_are_refused_with_what_helps(tmp_path: Path) -> None:
    save_pictures(tmp_path / "img")
    rows = [f"img/{name}.png,{name},{a}" for name, (a, _) in VALUES.items()]
    (tmp_path / "labels.csv").write_text("\n".join(["file,id,smile", *rows]), encoding="utf-8")
    with pytest.raises(DataError, match=r"has id=2, and 1 or 0 was expected; choose the columns to learn with data\.l"):
        read_labels(tmp_path, kind="csv")
    assert read_labels(tmp_path, kind="csv", attributes=["smile"])["3"] == (1,)


def test_a_table_and_its_pictures_may_be_spelled_in_two_ways(tmp_path: Path) -> None:
    save_pictures(tmp_path / "in", unicodedata.normalize("NFD", "Zoë"))
    rows = [f"Zoë{name}.png,{a},{b}" for name, (a, b) in VALUES.items()]
    (tmp_path / "in" / unicodedata.normalize("NFD", "ä.csv")).write_text("\n".join(["file,ö,hat", *rows]), "utf-8")
    chosen = {"attributes": [unicodedata.normalize("NFD", "ö"), "hat"], "table": "ä.csv"}
    assert len(read_labels(tmp_path / "in", kind="csv", **chosen)) == 4
    (tmp_path / "classes").mkdir()
    forms: dict[str, Literal["NFC", "NFD"]] = {"a": "NFC", "b": "NFC", "c": "NFD", "d": "NFD"}
    for name, form in forms.items():
        folder = tmp_path / "classes" / unicodedata.normalize(form, "é" if name in "ac" else "①1ö")
        folder.mkdir()
        for number in range(2):
            Image.new("RGB", (9, 9)).save(folder / f"{name}{number}.png")
    assert read_labels(tmp_path / "classes", kind="folders") == {
        f"{name}{number}": (0, 1) if name in "bd" else (1, 0) for name in "abcd" for number in range(2)
    }


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("layout", ["published", "commas", "semicolons"])
def test_celebas_list_is_read_in_each_of_its_layouts(tmp_path: Path, layout: str, suffix: str) -> None:
    save_pictures(tmp_path / "img_align_celeba" / "img_align_celeba", "00000", suffix)
    rows = [["image_id", "Smile", "Hat", "Young"]]
    rows += [[f"00000{name}.jpg", *(str(2 * value - 1) for value in (*row, 0))] for name, row in VALUES.items()]
    if layout == "published":
        lines = ["4", *("  ".join(row) for row in [rows[0][1:], *rows[1:]])]
        (tmp_path / "list_attr_celeba.txt").write_text("\r\n".join(lines), encoding="utf-8-sig")
    else:
        delimiter = {"commas": ",", "semicolons": ";"}[layout]
        lines = [delimiter.join(row) for row in rows]
        (tmp_path / "list_attr_celeba.csv").write_text("\n".join(lines), encoding="utf-8")
    expected = {f"00000{name}": row for name, row in VALUES.items()}
    assert read_labels(tmp_path, kind="celeba", attributes=["Smile", "Hat"], groups=[]) == expected


def test_another_text_is_not_taken_for_celebas(tmp_path: Path) -> None:
    save_pictures(tmp_path / "img")
    for text in ("hello", "4\nSmile Hat\n", "", "a b c\n1\n"):
        (tmp_path / "list_attr_celeba.txt").write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match="expected CelebA's table: a line with a count, one with names, and one"):
            read_labels(tmp_path, kind="celeba")
