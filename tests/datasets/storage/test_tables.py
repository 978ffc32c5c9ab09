"""Tables of labels, as spreadsheets and people write them."""

from pathlib import Path

import pytest

from datasets.errors import DataError
from datasets.storage.tables import read_table


def write(path: Path, content: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(content.encode(encoding))
    return path


def test_values_are_stripped_and_missing_ones_are_empty(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", 'file,young,note\n a.png , 1 ,"x, y"\nb.png,0\n,1,no picture\nsub//c.png,1,z\n')
    columns, rows = read_table(table, "file")
    assert columns == ["young", "note"]
    assert rows == [
        ("a.png", {"young": "1", "note": "x, y"}),
        ("b.png", {"young": "0", "note": ""}),
        ("sub/c.png", {"young": "1", "note": "z"}),
    ]


def test_a_spreadsheets_byte_order_mark_and_line_ends_do_not_matter(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "\ufefffile,label\r\na.png,café\r\n")
    assert read_table(table, "file", "label") == (["label"], [("a.png", {"label": "café"})])


@pytest.mark.parametrize(
    ("content", "encoding", "sentence"),
    [
        (
            "name,label\na.png,1\n",
            "utf-8",
            r"expected the columns file and label, .*, found name, label; name",
        ),
        ("file;label\na.png;1\n", "utf-8", r"found file;label;"),
        ("", "utf-8", "found nothing"),
        ("file,label\na.png,café\n", "latin-1", "expected a table of labels in UTF-8, and cannot read it"),
    ],
)
def test_other_tables_are_refused_in_a_sentence(tmp_path: Path, content: str, encoding: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read_table(write(tmp_path / "t.csv", content, encoding), "file", "label")


def test_a_missing_table_and_a_folder_in_its_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.csv: expected a table of labels, found nothing; set data\.labels\.table"):
        read_table(tmp_path / "t.csv", "file")
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(DataError, match=r"t\.csv: cannot be read"):
        read_table(tmp_path / "t.csv", "file")
