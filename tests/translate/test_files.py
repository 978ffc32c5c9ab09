"""Files are whole or not there, also when the writer or the disk fails."""

import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from datasets.errors import UserError
from translate.files import DuplicateKeyError, domain_folder, file_digest, parse_yaml, replace_file, write_text


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("old")
    return path


def test_the_new_file_takes_the_place_of_the_old(old):
    with replace_file(old) as partial:
        partial.write_text("new")
        assert old.read_text() == "old"
    assert old.read_text() == "new"
    assert list(old.parent.iterdir()) == [old]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(old, failure):
    with pytest.raises(failure), replace_file(old) as partial:
        partial.write_text("half of the n")
        raise failure
    assert old.read_text() == "old"
    assert list(old.parent.iterdir()) == [old]


def test_a_first_file_that_fails_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="no"), replace_file(tmp_path / "new") as partial:
        partial.write_text("half")
        raise ValueError("no")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path):
    expected = r"missing.new: cannot be written: No such file or directory; an earlier version"
    with pytest.raises(UserError, match=expected):
        write_text(tmp_path / "missing" / "new", "text")


@pytest.mark.posix("sets the mode of new files")
def test_files_are_as_open_as_the_umask_wants_whatever_the_writer_makes(tmp_path):
    before = os.umask(0o027)
    try:
        with replace_file(tmp_path / "new") as partial:
            partial.unlink()
            os.close(os.open(partial, os.O_CREAT | os.O_WRONLY, 0o600))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


FILL_THE_DISK = """
import resource, signal, sys
from pathlib import Path
from datasets.errors import UserError
from translate.files import write_text

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    write_text(Path(sys.argv[1]), "new" * 10_000)
except UserError as error:
    sys.exit(str(error))
"""


@pytest.mark.posix("limits the size of files, as a full disk does")
def test_a_disk_that_takes_no_more_leaves_the_old_file_and_one_sentence(old):
    ended = subprocess.run([sys.executable, "-c", FILL_THE_DISK, str(old)], capture_output=True, text=True, check=False)
    assert ended.stderr == f"{old}: cannot be written: File too large; an earlier version is unchanged\n"
    assert old.read_text() == "old"
    assert list(old.parent.iterdir()) == [old]


def test_a_digest_is_of_the_bytes(old):
    assert file_digest(old) == hashlib.sha256(b"old").hexdigest()[:16]


def test_a_key_that_is_there_twice_is_refused_with_its_lines() -> None:
    for text in ("a: 1\nb: 2\na: 3\n", 'a: &x {c: 1}\nb: {<<: *x, c: 2}\n"a": 2\n'):
        with pytest.raises(DuplicateKeyError, match=r"^a is set twice, in lines 1 and 3; remove one of them$"):
            parse_yaml(text)
    with pytest.raises(DuplicateKeyError, match="c is set twice, in lines 2 and 2"):
        parse_yaml("a:\n  - {c: 1, c: 2}\n")
    assert parse_yaml("a: &x {c: 1}\nb: {<<: *x, c: 2}\n") == {"a": {"c": 1}, "b": {"c": 2}}
    assert parse_yaml("a: ä\r\n".encode("utf-16")) == {"a": "ä"}  # as PowerShell redirects


def test_folders_of_domains_are_names_on_every_system() -> None:
    names = ["con", "Zo\u00eb", "Zoe\u0308", "a/b", "cat", "COM1.x"]
    folders = [domain_folder(names, index).name for index in range(len(names))]
    assert folders == ["0 con", "1 Zo\u00eb", "2 Zoe\u0308", "a-b", "cat", "5 COM1.x"]
