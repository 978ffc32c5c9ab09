"""Tables of labels, as spreadsheets and people write them."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest

from datasets.errors import DataError
from datasets.storage.tables import match_files, read_table


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
        ("picture;label\na.png;1\n", "utf-8", r"found picture, label;"),
        ("", "utf-8", "found nothing"),
        ("file,label\na.png,\x81\n", "latin-1", "found something else than text; save it as CSV in UTF-8"),
        ("PK\3\4file,label", "utf-8", "found a spreadsheet's own format; save it as CSV"),
        ("file,label,Label,label\n", "utf-8", "has 2 columns label; remove or rename all but one"),
        ("\n\nfile,label\na.png,1\nb,c.png,1\n", "utf-8", "line 5 has 3 values, and there are 2 columns"),
    ],
)
def test_other_tables_are_refused_in_a_sentence(tmp_path: Path, content: str, encoding: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read_table(write(tmp_path / "t.csv", content, encoding), "file", "label")


LABELLED = (["label"], [("a.png", {"label": "é 1,5"}), ("b/c.png", {"label": ""})])


@pytest.mark.parametrize(
    "content",
    [
        'file,label\na.png,"é 1,5"\nb/c.png,\n',
        'file, label\r\na.png, "é 1,5"\r\n b//c.png , \r\n',
        "file;label\na.png;é 1,5\nb/c.png;\n",
        "file\tlabel\na.png\té 1,5\nb/c.png\t\n",
        "file|label\ra.png|é 1,5\rb/c.png|\r",
        "sep=;\nlabel;file\né 1,5;a.png\n;b/c.png\n",
        ";file;label\n0;a.png;é 1,5\n1;b/c.png;\n",
        "file;label;\na.png;é 1,5;\n;;\n\n./b/c.png;;\n",
        "Unnamed: 0;File;LABEL\n0;a.png;é 1,5\n1;b/c.png;\n",
        "\n\n file ; label \n a.png ; é 1,5 \n b/c.png\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_one_table_is_read_however_it_is_written(tmp_path: Path, content: str, encoding: str) -> None:
    assert read_table(write(tmp_path / "t.csv", content, encoding), "file", "label") == LABELLED


FILES = ("img/0.png", "img/Zoë1.png", "img/b/2.png")


@pytest.mark.parametrize(
    "names",
    [
        FILES,
        [f"./{name}" for name in FILES],
        [name.replace("/", "\\") for name in FILES],
        [unicodedata.normalize("NFD", name) for name in FILES],
        [name.upper() for name in FILES],
        [name.removesuffix(".png") for name in FILES],
        [Path(name).name for name in FILES],
        [f"/home/me/data/{name}" for name in FILES],
        [f"C:\\Users\\me\\{name}".replace("/", "\\") for name in FILES],
        [name.removeprefix("img/") for name in FILES],
        [name.replace("img", "photos") for name in FILES],
    ],
)
def test_rows_find_their_pictures_however_they_spell_the_paths(names: list[str]) -> None:
    rows = [(name, {"label": str(index)}) for index, name in enumerate(names)]
    assert match_files(Path("t.csv"), rows, FILES) == [(name, row) for name, (_, row) in zip(FILES, rows, strict=True)]


def test_rows_name_no_other_picture_than_their_own() -> None:
    def match(*names: str, files: Sequence[str]) -> list[str]:
        return [name for name, _ in match_files(Path("t.csv"), [(name, {}) for name in names], files)]

    # One row is found as it is: another that is missing is not looked for elsewhere.
    assert match("a/0.png", "old/1.png", files=["a/0.png", "1.png"]) == ["a/0.png", "old/1.png"]
    # Two pictures of one name.
    assert match("0.png", "1.png", files=["a/0.png", "b/0.png", "b/1.png"]) == ["0.png", "b/1.png"]
    assert match("A.png", "b.png", files=["a.png", "A.png", "B.png", "b.png"]) == ["A.png", "b.png"]
    # The start of a path that is replaced is the same for all.
    assert match("x/train/0.png", "x/test/0.png", "y/0.png", files=["train/0.png", "test/0.png"]) == [
        "train/0.png",
        "test/0.png",
        "y/0.png",
    ]
    with pytest.raises(DataError, match=r"the first row names 7\.png, and the first picture is a/0\.png; correct"):
        match("7.png", files=["a/0.png"])
    assert match("7.png", files=[]) == ["7.png"]
    assert match("a", "b", files=["a.png", "a.jpg", "b.jpg"]) == ["a", "b.jpg"]


def test_a_missing_table_and_a_folder_in_its_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.csv: expected a table of labels, found nothing; set data\.labels\.table"):
        read_table(tmp_path / "t.csv", "file")
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(DataError, match=r"t\.csv: cannot be read"):
        read_table(tmp_path / "t.csv", "file")


@pytest.mark.parametrize("content", [b"\0", b"\0\0", b"\0f\0i\0", b"f\0i"])
def test_cut_off_text_of_two_bytes_a_character_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"labels\.csv: expected"):
        read_table(tmp_path / "labels.csv", "file")
