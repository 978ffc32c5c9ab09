"""Which files can be used, which are held out, and what crops are read from them."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from datasets.augment import CropConfig
from datasets.errors import DataError
from datasets.storage.image_files import (
    CropReader,
    ImageFile,
    describe_problems,
    filter_valid,
    find_usable,
    fingerprint_files,
    split_held_out,
)


def some(count: int) -> list[ImageFile]:
    return [ImageFile(f"{number}.png", Path()) for number in range(count)]


@pytest.mark.parametrize(
    ("count", "fraction", "held_out"), [(100, 0.1, 10), (2, 0.01, 1), (3, 0.99, 2), (1, 0.5, 0), (9, 0, 0)]
)
def test_the_fraction_held_out_leaves_something_on_both_sides(count: int, fraction: float, held_out: int) -> None:
    training, validation = split_held_out(some(count), fraction)
    assert (len(training), len(validation)) == (count - held_out, held_out)
    assert sorted(file.name for file in [*training, *validation]) == sorted(file.name for file in some(count))


def test_a_file_stays_on_its_side_when_others_come() -> None:
    _, before = split_held_out(some(100), 0.2)
    training, after = split_held_out(reversed([*some(100), ImageFile("new.png", Path())]), 0.2)
    assert len(set(before) - set(after)) <= 1
    names = sorted(file.name for file in some(100))  # an order that often has a meaning
    assert {file.name for file in before} not in (set(names[:20]), set(names[-20:]))
    for_training = [file.name for file in training]
    assert for_training == sorted(for_training, key=lambda name: (len(name), name))  # 2 before 10


def test_a_cut_off_picture_is_found_by_decoding_only(photos: Path) -> None:
    whole = (photos / "c.jpg").read_bytes()
    (photos / "c.jpg").write_bytes(whole[:-40])
    (photos / "a.png").write_text("no picture")
    (photos / "x.psd").write_text("")
    files, problems = find_usable(photos, decode=False)
    assert ([file.name for file in files], len(problems)) == (["b.png", "c.jpg", "d.png", "e.jpg", "f.png"], 2)
    files, problems = find_usable(photos, decode=True)
    assert [file.name for file in files] == ["b.png", "d.png", "e.jpg", "f.png"]
    assert [Path(problem.split(":")[0]).name for problem in problems] == ["x.psd", "a.png", "c.jpg"]


def test_problems_are_returned_or_raised_in_the_order_of_the_items() -> None:
    def find_problem(number: int) -> str | None:
        if number % 3 == 0:
            raise DataError(f"{number} raised")
        return f"{number} returned" if number % 3 == 1 else None

    assert filter_valid(range(6), find_problem) == ([2, 5], ["0 raised", "1 returned", "3 raised", "4 returned"])
    with pytest.raises(ZeroDivisionError):  # a bug is loud
        filter_valid([0], lambda number: str(1 // number))


def test_many_problems_are_counted_and_the_first_shown(tmp_path: Path) -> None:
    message = describe_problems(tmp_path, [f"problem {number}" for number in range(25)])
    assert "25 of its pictures" in message
    assert "problem 19\n  and 5 more" in message
    assert "more" not in describe_problems(tmp_path, ["problem"] * 20)


def test_the_fingerprint_is_of_names_sizes_and_groups(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12")
    files = [ImageFile("a.png", tmp_path / "a")]
    one = fingerprint_files({"x": files, "y": []})
    (tmp_path / "a").write_bytes(b"34")
    assert fingerprint_files({"x": files, "y": []}) == one
    others = [{"x": [], "y": files}, {"z": files, "y": []}, {"x": [ImageFile("b.png", tmp_path / "a")], "y": []}]
    (tmp_path / "longer").write_bytes(b"345")
    others.append({"x": [ImageFile("a.png", tmp_path / "longer")], "y": []})
    assert len({one, *(fingerprint_files(groups) for groups in others)}) == 5


@pytest.mark.parametrize("cache_gib", [0, 1])
def test_crops_depend_on_the_seed_and_not_on_the_cache(tmp_path: Path, photo, cache_gib: float) -> None:
    photo(40, 30, 0).save(tmp_path / "a.png")
    files = [ImageFile("a.png", tmp_path / "a.png")]
    reader = CropReader(files, CropConfig(load=None, size=16), 3, cache_gib, "white", training=True)
    first, again, other = reader.read(0, 1), reader.read(0, 1), reader.read(0, 2)
    assert (first.shape, first.dtype) == ((3, 16, 16), torch.float32)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")  # read again only where nothing is cached
    assert torch.equal(reader.read(0, 1), first) == bool(cache_gib)


def test_crops_have_the_channels_that_are_asked_for(tmp_path: Path, photo) -> None:
    photo(20, 20, 0).save(tmp_path / "a.png")
    photo(20, 20, 0, "L").save(tmp_path / "b.png")
    files = [ImageFile(name, tmp_path / name) for name in ("a.png", "b.png")]
    for channels in (1, 3, 4):
        reader = CropReader(files, CropConfig(load=None, size=16), channels, 1, "white", training=False)
        assert [reader.read(index, 0).shape for index in (0, 1)] == [(channels, 16, 16)] * 2
