"""The options of a run: what cannot be is refused in a sentence."""

import pickle
from typing import Any

import pytest

from datasets.codecs.images import SaveOptions
from datasets.errors import OptionError
from translate.folders.options import RunOptions
from translate.inpainting.plan import MaskOptions
from translate.sampling.outputs import SampleOptions


@pytest.mark.parametrize("shard", [(0, 2), (3, 2), (1, 0), (-1, -1)])
def test_shards_that_do_not_exist_are_refused(shard: tuple[int, int]) -> None:
    with pytest.raises(OptionError, match="expected i/n with i from 1 to n"):
        RunOptions(shard=shard)


@pytest.mark.parametrize("tile", ["31", 0, "-64", "large", 64.5])
def test_tiles_have_a_least_size(tile: Any) -> None:
    with pytest.raises(OptionError, match=f"expected auto, off, or 32 or more pixels on a side, found {tile}"):
        RunOptions(tile=tile)


def test_sizes_and_names_may_be_given_as_on_a_command_line() -> None:
    assert RunOptions(tile="64").tile == 64
    assert RunOptions(tile="auto").tile == "auto"
    assert RunOptions(to=None).to == ()
    assert RunOptions(to="summer").to == ("summer",)
    assert RunOptions(shard=("2", "3")).shard == (2, 3)


def test_an_option_that_is_not_there_is_answered_with_what_was_meant() -> None:
    wrong: list[tuple[type[Any], dict[str, Any], str]] = [
        (RunOptions, {"on_exist": "skip"}, "`on_exist`: unknown; did you mean on_exists?"),
        (
            RunOptions,
            {"on_exists": "skp"},
            "`on_exists`: expected error, skip or overwrite, found 'skp'; did you mean skip?",
        ),
        (RunOptions, {"limit": 0}, "`limit`: expected 1 or more, found 0"),
        (RunOptions, {"save": {"format": "jpg2"}}, "`format`: expected keep, jpeg, "),
        (SaveOptions, {"qualty": 3}, "`qualty`: unknown; did you mean quality?"),
        (MaskOptions, {"missing_mask": "leave"}, "`missing_mask`: expected error, copy or skip, found 'leave'"),
        (SampleOptions, {"batch": "x"}, "`batch`: expected a whole number, found 'x'"),
    ]
    for kind, values, sentence in wrong:
        with pytest.raises(OptionError) as caught:
            kind(**values)
        assert str(caught.value).startswith(sentence)
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
