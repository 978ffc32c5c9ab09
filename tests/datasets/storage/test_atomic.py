"""Files that appear whole or not at all."""

import os
from pathlib import Path

import pytest

from datasets.storage import atomic
from datasets.storage.atomic import replace_file


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_takes_the_place_of_the_old_one(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replace_file(path, durable=durable) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert partial.parent == tmp_path  # or else it might be on another disk
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replace_file(path) as partial:
        partial.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_next_attempt_overwrites_what_a_crash_left(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with replace_file(path) as partial:
        left = partial
    left.write_text("left by a crash, and longer than the new content")
    with replace_file(path) as partial:
        assert partial == left
        partial.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_the_longest_names_work(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    with replace_file(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new"


@pytest.mark.posix("sets the mode of files")
def test_permissions_are_the_users_own(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with replace_file(tmp_path / "a") as partial:
            partial.write_text("new")
            partial.chmod(0o600)  # as some writers do
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_durable_content_is_on_the_disk_before_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, calls = tmp_path / "a", []
    monkeypatch.setattr(os, "fsync", lambda _: calls.append(path.exists()))
    with replace_file(path, durable=False) as partial:
        partial.write_text("new")
    assert calls == []
    path.unlink()
    with replace_file(path) as partial:
        partial.write_text("new")
    assert calls == [False]


@pytest.mark.parametrize("name", ["replace", "unlink"])
def test_a_file_that_another_program_holds_for_a_moment_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path, denied, change = tmp_path / "a", [1, 2], getattr(Path, name)
    path.write_text("old")

    def fail_twice(self: Path, *arguments: object, **settings: object) -> object:
        if denied:
            denied.pop()
            raise PermissionError(13, "The process cannot access the file")
        return change(self, *arguments, **settings)

    monkeypatch.setattr(Path, name, fail_twice)
    with replace_file(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]
    assert not denied


def test_access_that_stays_denied_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(self: Path, *arguments: object) -> None:
        raise PermissionError(13, "The process cannot access the file")

    monkeypatch.setattr(atomic, "PATIENCE", 0.1)
    monkeypatch.setattr(Path, "replace", deny)
    with pytest.raises(PermissionError), replace_file(tmp_path / "a") as partial:
        partial.write_text("new")
    assert not list(tmp_path.iterdir())
