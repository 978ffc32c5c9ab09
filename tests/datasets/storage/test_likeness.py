"""Names that look alike, and files that are equal."""

import pytest

from datasets.storage.likeness import Lookalikes, find_equal_files


@pytest.mark.parametrize(
    ("name", "other", "alike"),
    [
        ("IMG_007", "img-7", True),
        ("street", "steet", True),
        ("cat_mask", "cat", True),
        ("frame_10", "frame_11", False),
        ("house", "garden", False),
    ],
)
def test_look_alike_names(name, other, alike):
    assert Lookalikes([other, "zzzzzz"]).find(name) == (other if alike else None)


def test_equal_files_are_grouped(tmp_path):
    contents = {"a": b"one", "b": b"two", "c": b"one", "d": b"longer"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    assert find_equal_files([tmp_path / name for name in contents]) == [[tmp_path / "a", tmp_path / "c"]]
