"""Names that look alike are one name, and numbers in them are numbers."""

import unicodedata
from pathlib import Path

import pytest

from datasets.contract import find_name
from datasets.storage.names import FileSet, encode_name, fold_name, natural_key, stem_of

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD"))


def test_numbers_count_as_numbers_in_every_script() -> None:
    names = ["10.png", "9.png", "٢.png", "a2", "a", "a10", "a1/b", "01.png", "1.png"]
    ordered = sorted(map(Path, names), key=natural_key)
    assert [path.name for path in ordered[:5]] == ["01.png", "1.png", "٢.png", "9.png", "10.png"]
    assert [path.as_posix() for path in ordered[5:]] == ["a", "a1/b", "a2", "a10"]


@pytest.mark.parametrize("name", ["①01.png", "photo2²3.png", "①1/p00.png", "1⁴2.png", "Ⅷ7½8.png", "7௧௦௱.png"])
def test_characters_that_are_digits_but_no_numbers_are_letters(name: str) -> None:
    assert sorted([Path(name), Path("1.png")], key=natural_key)[0] == Path("1.png")


def test_spellings_of_one_name_are_equal() -> None:
    assert COMPOSED != DECOMPOSED
    assert stem_of(Path(f"a/{COMPOSED}.png")) == stem_of(Path(f"a/{DECOMPOSED}.jpg")) == f"a/{COMPOSED}"
    assert encode_name(COMPOSED) == encode_name(DECOMPOSED) == COMPOSED.encode()
    assert find_name(DECOMPOSED, ["x", COMPOSED]) == find_name(COMPOSED, ["x", DECOMPOSED]) == 1
    assert find_name("y", ["x", COMPOSED]) is None
    order = sorted([Path(f"{DECOMPOSED}2"), Path(f"{COMPOSED}10"), Path(f"{COMPOSED}2")], key=natural_key)
    assert [unicodedata.normalize("NFC", path.name)[3:] for path in order] == ["2", "2", "10"]


def test_folded_names_ignore_case_and_spelling() -> None:
    same = ["Straße", "STRASSE", "strasse"]
    assert len({fold_name(name) for name in same}) == 1
    assert fold_name(DECOMPOSED.upper()) == fold_name(COMPOSED)
    assert fold_name("a") != fold_name("b")


def test_names_that_are_not_unicode_have_bytes() -> None:
    assert encode_name("a\udcff") != encode_name("a\udcfe")


def test_a_file_is_found_under_each_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "IMG.png").touch()
    (tmp_path / "img.png").hardlink_to(tmp_path / "IMG.png")  # as where a file system ignores case
    (tmp_path / "Img.png").touch()
    files = FileSet([tmp_path / "IMG.png"])
    assert tmp_path / "IMG.png" in files
    assert tmp_path / "img.png" in files
    assert tmp_path / "Img.png" not in files
    assert tmp_path / "iMG.png" not in files
