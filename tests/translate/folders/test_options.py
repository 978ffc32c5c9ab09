"""The options of a run: what cannot be is refused in a sentence."""

from typing import Any

import pytest

from translate.folders.options import RunOptions


@pytest.mark.parametrize("shard", [(0, 2), (3, 2), (1, 0), (-1, -1)])
def test_shards_that_do_not_exist_are_refused(shard: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="expected i/n with i from 1 to n"):
        RunOptions(shard=shard)


@pytest.mark.parametrize("tile", ["31", 0, "-64", "large", 64.5])
def test_tiles_have_a_least_size(tile: Any) -> None:
    with pytest.raises(ValueError, match=f"expected auto, off, or 32 or more pixels on a side, found {tile}"):
        RunOptions(tile=tile)


def test_sizes_and_names_may_be_given_as_on_a_command_line() -> None:
    assert RunOptions(tile="64").tile == 64
    assert RunOptions(tile="auto").tile == "auto"
    assert RunOptions(to=None).to == ()
    assert RunOptions(to="summer").to == ("summer",)
    assert RunOptions(shard=("2", "3")).shard == (2, 3)
