"""Which files of a folder count as pictures, and in what order."""

import unicodedata
from pathlib import Path

import pytest

from datasets.errors import DataError
from datasets.storage.listing import find_entry, find_pictures

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD"))


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_numbers_in_names_count_as_numbers(tmp_path: Path) -> None:
    touch(tmp_path, "10.png", "9.png", "page2b.png", "page10a.png", "a/3.png", "b.png")
    names = [path.as_posix() for path in find_pictures(tmp_path).pictures]
    assert names == ["9.png", "10.png", "a/3.png", "b.png", "page2b.png", "page10a.png"]


def test_suffixes_decide_in_any_case(tmp_path: Path) -> None:
    found = find_pictures(touch(tmp_path, "a.PNG", "b.JpEg", "c.tiff", "d.webp", "e.bmp", "f.txt", "g", "png"))
    assert [path.name for path in found.pictures] == ["a.PNG", "b.JpEg", "c.tiff", "d.webp", "e.bmp"]
    assert found.others == 3


def test_pictures_that_cannot_be_read_are_named_with_their_kind(tmp_path: Path) -> None:
    found = find_pictures(touch(tmp_path, "a.psd", "sub/b.SVG", "c.png"))
    assert found.unsupported == ((Path("a.psd"), "Photoshop"), (Path("sub/b.SVG"), "SVG"))
    assert found.pictures == (Path("c.png"),)


def test_hidden_files_and_system_junk_are_not_even_counted(tmp_path: Path) -> None:
    junk = (".DS_Store", "._a.png", ".hidden/b.png", "__MACOSX/c.png", "Thumbs.db", "desktop.ini", "manifest.jsonl")
    found = find_pictures(touch(tmp_path, "a.png", *junk))
    assert found.pictures == (Path("a.png"),)
    assert (found.unsupported, found.others) == ((), 0)


def test_subfolders_are_left_alone_when_asked(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "sub/b.png")
    assert find_pictures(tmp_path).pictures == (Path("a.png"), Path("sub/b.png"))
    assert find_pictures(tmp_path, recurse=False).pictures == (Path("a.png"),)


@pytest.mark.posix("makes links, for which Windows asks for a right")
def test_a_link_back_to_the_folder_forms_no_loop(tmp_path: Path) -> None:
    touch(tmp_path, "sub/a.png")
    (tmp_path / "sub" / "again").symlink_to(tmp_path, target_is_directory=True)
    assert find_pictures(tmp_path).pictures == (Path("sub/a.png"),)


@pytest.mark.parametrize(("name", "seen"), [("missing", "found nothing"), ("a.png", "found a file")])
def test_what_is_no_folder_is_refused_by_name(tmp_path: Path, name: str, seen: str) -> None:
    touch(tmp_path, "a.png")
    with pytest.raises(DataError, match=f"{name}: expected a folder, {seen}"):
        find_pictures(tmp_path / name)


def test_a_folder_is_found_however_its_name_is_spelled(tmp_path: Path) -> None:
    touch(tmp_path, f"{DECOMPOSED}/{DECOMPOSED}/a.png")
    assert find_entry(tmp_path, f"{COMPOSED}/{COMPOSED}") == tmp_path / DECOMPOSED / DECOMPOSED
    assert find_entry(tmp_path, f"{COMPOSED}/b") == tmp_path / DECOMPOSED / "b"
    touch(tmp_path, f"{COMPOSED}/a.png")
    assert find_entry(tmp_path, COMPOSED) == tmp_path / COMPOSED
