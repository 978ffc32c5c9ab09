"""Which pictures are read and where each goes; everything harmful is refused before anything is written."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datasets.errors import UserError
from translate.folders.inputs import Source, read_list
from translate.folders.jobs import Job, NothingFoundError, find_jobs, refuse_windows_names
from translate.folders.options import RunOptions

Finder = Callable[..., list[Job]]


@pytest.fixture
def find() -> Finder:
    """`find(source, destination, limit=2)`: the jobs."""

    def make(source: Source, destination: Path, **options: Any) -> list[Job]:
        return find_jobs(source, destination, RunOptions.model_validate(options))[0]

    return make


def names(jobs: list[Job]) -> list[str]:
    return [job.name.as_posix() for job in jobs]


def test_unicode_and_spaces_are_names_like_others(find: Finder, fill: Callable[..., Path], tmp_path: Path) -> None:
    odd = ["  two  spaces .png", "[a]*?.png", "naïve/Ωmega 写真.png", "-rf.png", "a\nb.png"]
    assert sorted(names(find(fill(*odd), tmp_path / "out"))) == sorted(odd)


def test_junk_and_hidden_files_are_passed_over_and_others_counted(
    find: Finder, fill: Callable[..., Path], tmp_path: Path
) -> None:
    folder = fill("a.png", ".hidden.png", ".cache/b.png", "__MACOSX/._a.png", "__MACOSX/c.png")
    for name in ("Thumbs.db", ".DS_Store", "desktop.ini", "read me.txt", "notes.md"):
        (folder / name).write_text("no picture")
    jobs, notes = find_jobs(folder, tmp_path / "out", RunOptions())
    assert names(jobs) == ["a.png"]
    assert notes == ["ignored, since they are not pictures: 2 files"]


@pytest.mark.posix("makes a pipe")
def test_pipes_named_like_pictures_are_never_opened(find: Finder, fill: Callable[..., Path], tmp_path: Path) -> None:
    folder = fill("a.png")
    os.mkfifo(folder / "pipe.png")
    assert names(find(folder, tmp_path / "out"))[:1] == ["a.png"]


def test_kinds_that_cannot_be_read_are_named_and_not_dropped(
    find: Finder, fill: Callable[..., Path], tmp_path: Path
) -> None:
    found = find(fill("a.png", "b.HEIC", "c.psd", "d.nef"), tmp_path / "out")
    assert {job.name.as_posix(): job.unreadable for job in found} == {
        "a.png": None,
        "b.HEIC": "HEIC",
        "c.psd": "Photoshop",
        "d.nef": "camera RAW",
    }


@pytest.mark.posix("makes links, for which Windows asks for a right")
def test_links_cannot_form_loops(find: Finder, fill: Callable[..., Path], tmp_path: Path) -> None:
    folder = fill("a.png", "sub/b.png")
    (folder / "sub" / "up").symlink_to(folder, target_is_directory=True)
    (folder / "self").symlink_to("self")
    (folder / "linked.png").symlink_to("a.png")
    assert names(find(folder, tmp_path / "out")) == ["a.png", "linked.png", "sub/b.png"]


def test_no_recurse_stays_in_the_folder_itself(find: Finder, fill: Callable[..., Path], tmp_path: Path) -> None:
    assert names(find(fill("a.png", "sub/b.png"), tmp_path / "out", recurse=False)) == ["a.png"]


def test_limit_takes_the_first_pictures(find: Finder, fill: Callable[..., Path], tmp_path: Path) -> None:
    assert names(find(fill("1.png", "2.png", "3.png"), tmp_path / "out", limit=2)) == ["1.png", "2.png"]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shards_share_all_pictures_among_them(
    find: Finder, fill: Callable[..., Path], tmp_path: Path, count: int
) -> None:
    folder = fill(*(f"{number}.png" for number in range(7)))
    shards = [names(find(folder, tmp_path / "out", shard=(part + 1, count))) for part in range(count)]
    assert sorted(name for shard in shards for name in shard) == names(find(folder, tmp_path / "out"))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_a_shard_without_pictures_says_so(find: Finder, fill: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(NothingFoundError, match=r"3/3.* of 2 pictures"):
        find(fill("1.png", "2.png"), tmp_path / "out", shard=(3, 3))


def test_two_pictures_that_would_become_one_file_are_refused(
    find: Finder, fill: Callable[..., Path], tmp_path: Path
) -> None:
    folder = fill("a.jpg", "a.png", "b.png", "sub/a.png")
    assert len(find(folder, tmp_path / "out")) == 4
    with pytest.raises(UserError, match=r"^a\.jpg, a\.png: would become one file"):
        find(folder, tmp_path / "out", save={"format": "png"})


@pytest.mark.parametrize(
    "clashing", [("IMG.jpg", "img.png"), ("Zo\u00eb.jpg", "Zoe\u0308.png"), ("stra\u00dfe.jpg", "STRASSE.png")]
)
def test_names_that_are_one_on_other_systems_are_refused(
    find: Finder, fill: Callable[..., Path], tmp_path: Path, clashing: tuple[str, str]
) -> None:
    folder = fill(*clashing, "other.png")
    assert len(find(folder, tmp_path / "out")) == 3
    with pytest.raises(UserError, match=r"would become one file in .* where a file system ignores case or the spell"):
        find(folder, tmp_path / "out", save={"format": "png"})
    with pytest.raises(UserError, match="would become one file"):
        find(folder, tmp_path / "out", shard=(1, 2), save={"format": "png"})


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("con.png", "'con.png' is the name of a device"),
        ("AUX/a.png", "'AUX' is the name of a device"),
        ("LPT1.x.png", "is the name of a device"),
        ("12:30.png", "'12:30.png' contains ':'"),
        ("a\nb?.png", r"contains '\\n', '\?'"),
        ("sub./a.png", "'sub.' ends in a space or a dot"),
    ],
)
def test_names_that_windows_cannot_write_are_refused_there(tmp_path: Path, name: str, problem: str) -> None:
    jobs = [Job(Path(name), Path(name), tmp_path / "out" / name)]
    with pytest.raises(UserError, match=f"cannot be written on Windows: .*{problem}; rename"):
        refuse_windows_names(jobs, tmp_path / "out")
    single = [Job(Path("a.png"), Path("a.png"), tmp_path / "nul.png")]
    with pytest.raises(UserError, match=r"nul\.png: cannot be written on Windows: 'nul\.png' is the name of a device"):
        refuse_windows_names(single, tmp_path / "nul.png")
    good = [Job(Path(name), Path(name), tmp_path / "out" / name) for name in ("console.png", "com0/a b.png", "Zoë.png")]
    refuse_windows_names(good, tmp_path / "out")


def test_shards_see_the_clashes_between_them(find: Finder, fill: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="would become one file"):
        find(fill("a.jpg", "a.png"), tmp_path / "out", shard=(1, 2), save={"format": "png"})


def test_another_format_changes_only_suffixes_that_do_not_fit(
    find: Finder, fill: Callable[..., Path], tmp_path: Path
) -> None:
    found = find(fill("a.JPEG", "b.tar.png", "c.jpg"), tmp_path / "out", save={"format": "jpeg"})
    assert [job.output.name for job in found] == ["a.JPEG", "b.tar.jpg", "c.jpg"]


@pytest.mark.parametrize("location", [".", "out", "sub/out", "../in", "../link"])
@pytest.mark.posix("makes links, for which Windows asks for a right")
def test_no_destination_lies_in_the_folder_that_is_read(
    find: Finder, fill: Callable[..., Path], tmp_path: Path, location: str
) -> None:
    folder = fill("a.png", "sub/b.png")
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(UserError, match="lies in the folder that is read; choose a place outside"):
        find(folder, folder / location, on_exists="overwrite")


def test_a_folder_does_not_go_into_a_file(find: Finder, fill: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "out").write_text("taken")
    with pytest.raises(UserError, match="is a file; a folder of pictures needs a folder to go to"):
        find(fill("a.png"), tmp_path / "out")


def test_a_file_does_not_go_into_a_file_as_if_it_were_a_folder(
    find: Finder, fill: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "notes").write_text("taken")
    with pytest.raises(UserError, match="notes: is a file whose name is no picture's"):
        find(fill("a.png") / "a.png", tmp_path / "notes")


@pytest.mark.parametrize("destination", ["in/a.png", "in", "link.png", "in/sub/../a.png"])
@pytest.mark.posix("makes links, for which Windows asks for a right")
def test_a_picture_is_never_its_own_output(
    find: Finder, fill: Callable[..., Path], tmp_path: Path, destination: str
) -> None:
    picture = fill("a.png", "sub/b.png") / "a.png"
    (tmp_path / "link.png").symlink_to(picture)
    with pytest.raises(UserError, match="would be overwritten by a translation"):
        find(picture, tmp_path / destination, on_exists="overwrite")


@pytest.mark.posix("makes links, for which Windows asks for a right")
def test_an_output_that_links_to_an_input_is_refused(find: Finder, fill: Callable[..., Path], tmp_path: Path) -> None:
    folder = fill("a.png", "b.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").symlink_to(folder / "b.png")
    with pytest.raises(UserError, match="would be overwritten by a translation"):
        find(folder, tmp_path / "out", on_exists="overwrite")


def test_existing_outputs_are_refused_and_counted(find: Finder, fill: Callable[..., Path], tmp_path: Path) -> None:
    folder = fill("a.png", "b.png", "c.png")
    (tmp_path / "out").mkdir()
    for name in ("b.png", "c.png", "unrelated.png"):
        (tmp_path / "out" / name).write_bytes(b"mine")
    with pytest.raises(UserError, match=r"out/b\.png: exists, like 1 other output; .*`on_exists`"):
        find(folder, tmp_path / "out")
    assert len(find(folder, tmp_path / "out", on_exists="skip")) == 3
    assert len(find(folder, tmp_path / "out", on_exists="overwrite")) == 3


def test_the_suffix_of_a_name_chooses_the_format(find: Finder, fill: Callable[..., Path], tmp_path: Path) -> None:
    picture = fill("a.png") / "a.png"
    assert find(picture, tmp_path / "b.jpg")[0].output == tmp_path / "b.jpg"
    with pytest.raises(UserError, match=r"b\.jpg: is no name of a TIFF; leave `format` out, or change the name"):
        find(picture, tmp_path / "b.jpg", save={"format": "tiff"})
    assert find(picture, tmp_path / "b.jpg", save={"format": "jpeg"})[0].output == tmp_path / "b.jpg"


def test_one_suffix_of_a_format_is_as_good_as_another(find: Finder, fill: Callable[..., Path], tmp_path: Path) -> None:
    found = find(fill("a.jpeg") / "a.jpeg", tmp_path / "b.jpg")
    assert found[0].output == tmp_path / "b.jpg"


def test_a_folder_without_pictures_is_nothing_found(find: Finder, fill: Callable[..., Path], tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "notes.txt").write_text("no picture")
    with pytest.raises(NothingFoundError, match=r"in: holds no picture; known are .*\.jpg.*\.png") as refused:
        find(folder, tmp_path / "out")
    assert refused.value.exit_code == 4


def test_a_missing_input_is_nothing_found(find: Finder, tmp_path: Path) -> None:
    with pytest.raises(NothingFoundError, match=r"gone: there is no such file or folder"):
        find(tmp_path / "gone", tmp_path / "out")


def test_a_single_file_that_is_no_picture_is_nothing_found(find: Finder, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(NothingFoundError, match=r"notes\.txt: .*\.jpg"):
        find(tmp_path / "notes.txt", tmp_path / "out")


def test_a_job_changes_with_its_source_and_its_mask(tmp_path: Path) -> None:
    source, mask = tmp_path / "a.png", tmp_path / "m.png"
    source.write_bytes(b"one")
    mask.write_bytes(b"two")
    plain, masked = Job(source, Path("a.png"), tmp_path / "out.png"), Job(source, Path(), Path(), mask=mask)
    before = plain.digest(), masked.digest(), Job(source, Path(), Path(), mask="alpha").digest()
    assert before[0] == before[2] != before[1]
    mask.write_bytes(b"three")
    assert plain.digest() == before[0]
    assert masked.digest() != before[1]
    source.write_bytes(b"four")
    assert plain.digest() != before[0]


def test_what_is_made_from_no_file_is_known_by_its_origin() -> None:
    assert Job(Path(), Path("a.png"), Path("out/a.png"), origin="seed 1").digest() == "seed 1"


def test_several_inputs_keep_their_paths_in_the_folder_that_they_share(
    find: Finder, fill: Callable[..., Path], tmp_path: Path
) -> None:
    folder = fill("a/1.png", "a/deep/2.png", "b/1.png", "3.png", "b/notes.png")
    (folder / "b" / "notes.txt").write_text("no picture")
    found = find([folder / "a", folder / "b" / "1.png", folder / "3.png", folder / "b" / "1.png"], tmp_path / "out")
    assert names(found) == ["a/1.png", "a/deep/2.png", "b/1.png", "3.png"]
    assert [job.output for job in found] == [tmp_path / "out" / name for name in names(found)]
    assert [job.named for job in found] == [False, False, True, True]
    jobs, notes = find_jobs([folder / "3.png", folder / "b" / "notes.txt"], tmp_path / "out", RunOptions())
    assert names(jobs) == ["3.png"]
    assert "not pictures: 1 file" in notes[0]


def test_patterns_are_expanded_where_the_shell_did_not(find: Finder, fill: Callable[..., Path], tmp_path: Path) -> None:
    folder = fill("a.png", "b.png", "c.jpg", "sub/d.png", "[a]*.png")
    assert names(find(folder / "?.png", tmp_path / "out")) == ["a.png", "b.png"]
    assert names(find(str(folder / "**" / "*.png"), tmp_path / "out")) == ["[a]*.png", "a.png", "b.png", "sub/d.png"]
    assert names(find(folder / "[a]*.png", tmp_path / "out")) == ["[a]*.png"]  # a file of that very name
    with pytest.raises(NothingFoundError, match=r"\*\.tif: no file matches this pattern"):
        find(folder / "*.tif", tmp_path / "out")


def test_several_inputs_need_a_folder(find: Finder, fill: Callable[..., Path], tmp_path: Path) -> None:
    folder = fill("a.png", "b.png", "c.png")
    with pytest.raises(UserError, match=r"c\.png: is a file; a folder of pictures needs a folder to go to"):
        find([folder / "a.png", folder / "b.png"], folder / "c.png")
    with pytest.raises(UserError, match=r"new\.png: is the name of one picture, and 2 inputs in .* need a folder"):
        find([folder / "a.png", folder / "b.png"], tmp_path / "new.png")


def test_a_missing_one_of_several_inputs_fails_alone(find: Finder, fill: Callable[..., Path], tmp_path: Path) -> None:
    folder = fill("a.png")
    assert names(find([folder / "a.png", folder / "gone.png"], tmp_path / "out")) == ["a.png", "gone.png"]


def test_a_quality_that_changes_nothing_is_told_or_refused(fill: Callable[..., Path], tmp_path: Path) -> None:
    folder, options = fill("a.png", "b.jpg"), RunOptions.model_validate({"save": {"quality": 50}})
    _, notes = find_jobs(folder, tmp_path / "out", options)
    assert notes == ["`quality` changes nothing in 1 file of PNG"]
    with pytest.raises(UserError, match="`quality`: has no meaning for PNG; leave it out, or set `format`"):
        find_jobs(folder / "a.png", tmp_path / "out", options)
    assert find_jobs(folder / "a.png", tmp_path / "out.jpg", options)[1] == []


def test_lists_of_paths_have_one_a_line() -> None:
    assert read_list(["a.png\n", "\n", "  b c.png \r\n"]) == [Path("a.png"), Path("b c.png")]


@pytest.mark.parametrize(("name", "meant"), [("cat.jgp", "cat.jpg"), ("cat.tfi", "cat.tif"), ("cat.pgn", "cat.png")])
def test_a_mistyped_suffix_of_the_output_makes_no_folder(
    find: Finder, fill: Callable[..., Path], tmp_path: Path, name: str, meant: str
) -> None:
    source = fill("a.png") / "a.png"
    with pytest.raises(UserError, match=f"{name}: names no format; did you mean .*{meant}"):
        find(source, tmp_path / name)
    assert names(find(source, tmp_path / "version.2")) == ["a.png"]
