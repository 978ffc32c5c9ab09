"""What a run will do is settled, and everything harmful refused, before anything is written."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from datasets.errors import UserError
from translate.folders.plan import NothingFoundError, Plan, RunOptions, make_plan
from translate.inference.model import Model

Planner = Callable[..., Plan]


@pytest.fixture
def plan(unchanged: Callable[..., Model]) -> Planner:
    def make(
        source: Path, destination: Path, *, trained_size: int | None = 32, domains: tuple[str, ...] = (), **options: Any
    ):
        return make_plan(
            unchanged(domains=domains).translator,
            trained_size,
            source,
            destination,
            RunOptions.model_validate(options),
        )

    return make


@pytest.fixture
def fill(tmp_path: Path) -> Callable[..., Path]:
    """`fill("a.png", "b/c.jpg")`: a folder of small pictures under these names."""

    def make(*names: str, size: tuple[int, int] = (32, 32)) -> Path:
        folder = tmp_path / "in"
        for name in names:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size).save(path, "PNG")
        return folder

    return make


def names(plan: Plan) -> list[str]:
    return [job.name.as_posix() for job in plan.jobs]


def test_every_picture_goes_to_its_own_relative_path(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    folder = fill("x/i.png", "y/i.png", "10.jpg", "2.jpg")
    made = plan(folder, tmp_path / "out")
    assert names(made) == ["2.jpg", "10.jpg", "x/i.png", "y/i.png"]
    assert [job.output for job in made.jobs] == [tmp_path / "out" / name for name in names(made)]
    assert made.manifest == tmp_path / "out" / "manifest.jsonl"
    assert not (tmp_path / "out").exists()


def test_unicode_and_spaces_are_names_like_others(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    odd = ["  two  spaces .png", "[a]*?.png", "naïve/Ωmega 写真.png", "-rf.png", "a\nb.png"]
    assert sorted(names(plan(fill(*odd), tmp_path / "out"))) == sorted(odd)


def test_junk_and_hidden_files_are_passed_over_and_others_counted(
    plan: Planner, fill: Callable[..., Path], tmp_path: Path
) -> None:
    folder = fill("a.png", ".hidden.png", ".cache/b.png", "__MACOSX/._a.png", "__MACOSX/c.png")
    for name in ("Thumbs.db", ".DS_Store", "desktop.ini", "read me.txt", "notes.md"):
        (folder / name).write_text("no picture")
    made = plan(folder, tmp_path / "out")
    assert names(made) == ["a.png"]
    assert made.notes == ("left alone, since they are no pictures: 2 files",)


def test_pipes_named_like_pictures_are_never_opened(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    folder = fill("a.png")
    os.mkfifo(folder / "pipe.png")
    assert names(plan(folder, tmp_path / "out"))[:1] == ["a.png"]


def test_kinds_that_cannot_be_read_are_named_and_not_dropped(
    plan: Planner, fill: Callable[..., Path], tmp_path: Path
) -> None:
    made = plan(fill("a.png", "b.HEIC", "c.gif", "d.nef"), tmp_path / "out")
    assert {job.name.as_posix(): job.unreadable for job in made.jobs} == {
        "a.png": None,
        "b.HEIC": "HEIC",
        "c.gif": "GIF",
        "d.nef": "camera RAW",
    }


def test_links_cannot_form_loops(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    folder = fill("a.png", "sub/b.png")
    (folder / "sub" / "up").symlink_to(folder, target_is_directory=True)
    (folder / "self").symlink_to("self")
    (folder / "linked.png").symlink_to("a.png")
    assert names(plan(folder, tmp_path / "out")) == ["a.png", "linked.png", "sub/b.png"]


def test_no_recurse_stays_in_the_folder_itself(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    assert names(plan(fill("a.png", "sub/b.png"), tmp_path / "out", recurse=False)) == ["a.png"]


def test_limit_takes_the_first_pictures(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    assert names(plan(fill("1.png", "2.png", "3.png"), tmp_path / "out", limit=2)) == ["1.png", "2.png"]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shards_share_all_pictures_among_them(
    plan: Planner, fill: Callable[..., Path], tmp_path: Path, count: int
) -> None:
    folder = fill(*(f"{number}.png" for number in range(7)))
    shards = [names(plan(folder, tmp_path / "out", shard=(part + 1, count))) for part in range(count)]
    assert sorted(name for shard in shards for name in shard) == names(plan(folder, tmp_path / "out"))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_a_shard_without_pictures_says_so(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(NothingFoundError, match=r"3/3.* of 2 pictures"):
        plan(fill("1.png", "2.png"), tmp_path / "out", shard=(3, 3))


@pytest.mark.parametrize("shard", [(0, 2), (3, 2), (1, 0), (-1, -1)])
def test_shards_that_do_not_exist_are_refused(shard: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="expected i/n with i from 1 to n"):
        RunOptions(shard=shard)


def test_two_pictures_that_would_become_one_file_are_refused(
    plan: Planner, fill: Callable[..., Path], tmp_path: Path
) -> None:
    folder = fill("a.jpg", "a.png", "b.png", "sub/a.png")
    assert len(plan(folder, tmp_path / "out").jobs) == 4
    with pytest.raises(UserError, match=r"^a\.jpg, a\.png: would become one file"):
        plan(folder, tmp_path / "out", save={"format": "png"})


def test_shards_see_the_clashes_between_them(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="would become one file"):
        plan(fill("a.jpg", "a.png"), tmp_path / "out", shard=(1, 2), save={"format": "png"})


def test_another_format_changes_only_suffixes_that_do_not_fit(
    plan: Planner, fill: Callable[..., Path], tmp_path: Path
) -> None:
    made = plan(fill("a.JPEG", "b.tar.png", "c.jpg"), tmp_path / "out", save={"format": "jpeg"})
    assert [job.output.name for job in made.jobs] == ["a.JPEG", "b.tar.jpg", "c.jpg"]


@pytest.mark.parametrize("place", [".", "out", "sub/out", "../in", "../link"])
def test_no_destination_lies_in_the_folder_that_is_read(
    plan: Planner, fill: Callable[..., Path], tmp_path: Path, place: str
) -> None:
    folder = fill("a.png", "sub/b.png")
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(UserError, match="lies in the folder that is read; choose a place outside"):
        plan(folder, folder / place, on_exists="overwrite")


def test_a_folder_does_not_go_into_a_file(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "out").write_text("taken")
    with pytest.raises(UserError, match="is a file; a folder of pictures needs a folder to go to"):
        plan(fill("a.png"), tmp_path / "out")


def test_a_file_does_not_go_into_a_file_as_if_it_were_a_folder(
    plan: Planner, fill: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "notes").write_text("taken")
    with pytest.raises(UserError, match="notes: is a file whose name is no picture's"):
        plan(fill("a.png") / "a.png", tmp_path / "notes")


@pytest.mark.parametrize("destination", ["in/a.png", "in", "link.png", "in/sub/../a.png"])
def test_a_picture_is_never_its_own_output(
    plan: Planner, fill: Callable[..., Path], tmp_path: Path, destination: str
) -> None:
    picture = fill("a.png", "sub/b.png") / "a.png"
    (tmp_path / "link.png").symlink_to(picture)
    with pytest.raises(UserError, match="would be overwritten by a translation"):
        plan(picture, tmp_path / destination, on_exists="overwrite")


def test_an_output_that_links_to_an_input_is_refused(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    folder = fill("a.png", "b.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").symlink_to(folder / "b.png")
    with pytest.raises(UserError, match="would be overwritten by a translation"):
        plan(folder, tmp_path / "out", on_exists="overwrite")


def test_existing_outputs_are_refused_and_counted(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    folder = fill("a.png", "b.png", "c.png")
    (tmp_path / "out").mkdir()
    for name in ("b.png", "c.png", "unrelated.png"):
        (tmp_path / "out" / name).write_bytes(b"mine")
    with pytest.raises(UserError, match=r"out/b\.png: exists, and so do 1 more outputs; .*--on-exists"):
        plan(folder, tmp_path / "out")
    assert len(plan(folder, tmp_path / "out", on_exists="skip").jobs) == 3
    assert len(plan(folder, tmp_path / "out", on_exists="overwrite").jobs) == 3


def test_a_file_goes_to_a_file_and_leaves_nothing_beside_it(
    plan: Planner, fill: Callable[..., Path], tmp_path: Path
) -> None:
    made = plan(fill("a.png") / "a.png", tmp_path / "new" / "b.PNG")
    assert [job.output for job in made.jobs] == [tmp_path / "new" / "b.PNG"]
    assert made.manifest is None


def test_a_file_goes_into_a_folder_under_its_name(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    for folder in (tmp_path / "out", tmp_path / "folder.png"):
        made = plan(fill("a.png") / "a.png", folder)
        assert [job.output for job in made.jobs] == [folder / "a.png"]
        assert made.manifest == folder / "manifest.jsonl"


def test_a_file_is_not_quietly_written_in_another_format(
    plan: Planner, fill: Callable[..., Path], tmp_path: Path
) -> None:
    picture = fill("a.png") / "a.png"
    with pytest.raises(UserError, match=r"b\.jpg: is another format than PNG; say so with --format"):
        plan(picture, tmp_path / "b.jpg")
    with pytest.raises(UserError, match=r"b\.jpg: is another format than TIFF"):
        plan(picture, tmp_path / "b.jpg", save={"format": "tiff"})
    assert plan(picture, tmp_path / "b.jpg", save={"format": "jpeg"}).jobs[0].output == tmp_path / "b.jpg"


def test_one_suffix_of_a_format_is_as_good_as_another(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    made = plan(fill("a.jpeg") / "a.jpeg", tmp_path / "b.jpg")
    assert made.jobs[0].output == tmp_path / "b.jpg"


def test_a_folder_without_pictures_is_nothing_found(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "notes.txt").write_text("no picture")
    with pytest.raises(NothingFoundError, match=r"in: holds no picture; known are .*\.jpg.*\.png") as refused:
        plan(folder, tmp_path / "out")
    assert refused.value.exit_code == 4


def test_a_missing_input_is_nothing_found(plan: Planner, tmp_path: Path) -> None:
    with pytest.raises(NothingFoundError, match=r"gone: there is no such file or folder"):
        plan(tmp_path / "gone", tmp_path / "out")


def test_a_single_file_that_is_no_picture_is_nothing_found(plan: Planner, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(NothingFoundError, match=r"notes\.txt: .*\.jpg"):
        plan(tmp_path / "notes.txt", tmp_path / "out")


def test_a_domain_is_asked_for_by_name(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    folder, seasons = fill("a.png"), ("summer", "winter")

    def aims(domains: tuple[str, ...], **options: Any) -> list[tuple[str | None, Any]]:
        return [(job.to, job.domain) for job in plan(folder, tmp_path / "out", domains=domains, **options).jobs]

    assert aims(seasons, to="winter") == aims(seasons, to=["winter"]) == [("winter", 1)]
    assert aims(seasons[:1]) == aims(seasons[:1], to="summer") == aims(()) == [(None, 0)]
    for domains, to, sentence in (
        (seasons, None, "this model has the domains summer, winter: choose one"),
        (seasons, "spring", "spring: this model has the domains summer, winter"),
        (seasons, ["winter", "spring"], "spring: this model has the domains summer, winter"),
        (seasons, "summer,winter", "summer,winter: this model has the domains summer, winter"),
        ((), "winter", "winter: this model has no domains"),
        ((), "all", "all: this model has no domains"),
    ):
        with pytest.raises(UserError, match=f"^{sentence}$"):
            plan(folder, tmp_path / "out", domains=domains, to=to)


@pytest.mark.parametrize("to", ["all", ["summer", "winter", "summer"]])
def test_several_domains_get_a_folder_each(plan: Planner, fill: Callable[..., Path], tmp_path: Path, to: Any) -> None:
    made = plan(fill("a.png", "b/c.png"), tmp_path / "out", domains=("summer", "winter"), to=to)
    assert names(made) == ["summer/a.png", "summer/b/c.png", "winter/a.png", "winter/b/c.png"]
    assert [job.output for job in made.jobs] == [tmp_path / "out" / name for name in names(made)]
    assert [job.source.name for job in made.jobs] == ["a.png", "c.png"] * 2
    assert [(job.to, job.domain) for job in made.jobs[1:3]] == [("summer", 0), ("winter", 1)]
    assert made.manifest == tmp_path / "out" / "manifest.jsonl"


def test_a_domain_that_is_called_all_is_itself(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    made = plan(fill("a.png"), tmp_path / "out", domains=("some", "all"), to="all")
    assert [(job.name.as_posix(), job.domain) for job in made.jobs] == [("a.png", 1)]


def test_all_of_a_single_domain_is_a_folder_too(plan: Planner, fill: Callable[..., Path], tmp_path: Path) -> None:
    made = plan(fill("a.png"), tmp_path / "out", domains=("night/day",), to="all")
    assert names(made) == ["night-day/a.png"]


def test_one_picture_for_several_domains_needs_a_folder(
    plan: Planner, fill: Callable[..., Path], tmp_path: Path
) -> None:
    picture, seasons = fill("a.png") / "a.png", ("summer", "winter")
    made = plan(picture, tmp_path / "out", domains=seasons, to="all")
    assert [job.output for job in made.jobs] == [tmp_path / "out" / season / "a.png" for season in seasons]
    assert made.manifest == tmp_path / "out" / "manifest.jsonl"
    with pytest.raises(UserError, match=r"out\.png: is one file, and each of the 2 targets needs its own: give a"):
        plan(picture, tmp_path / "out.png", domains=seasons, to="all")


@pytest.mark.parametrize(("side", "told"), [(20, True), (22, False), (48, False), (49, True)])
def test_pictures_far_from_the_trained_size_are_told_of(
    plan: Planner, fill: Callable[..., Path], tmp_path: Path, side: int, told: bool
) -> None:
    folder = fill("a.png", "b.png", "c.png", size=(side, side + 100))
    notes = plan(folder, tmp_path / "out").notes
    assert bool(notes) == told
    if told:
        assert f"shorter side is {side} pixels, and the model learned from 32" in notes[0]
        assert "--work-size 32" in notes[0]
        assert plan(folder, tmp_path / "out", work_size=32).notes == ()


def test_a_damaged_picture_does_not_spoil_the_look_at_sizes(
    plan: Planner, fill: Callable[..., Path], tmp_path: Path
) -> None:
    folder = fill("b.png", size=(100, 100))
    (folder / "a.png").write_bytes(b"")
    assert "shorter side is 100 pixels" in plan(folder, tmp_path / "out").notes[0]


def test_a_model_that_learned_pictures_at_their_own_scale_is_far_from_none(
    plan: Planner, fill: Callable[..., Path], tmp_path: Path
) -> None:
    assert plan(fill("a.png", size=(500, 400)), tmp_path / "out", trained_size=None).notes == ()
