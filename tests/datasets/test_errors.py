"""The words of messages: what was probably meant, and how many there are."""

import pytest

from datasets.errors import count_of, suggest


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("pix2pixx", "did you mean pix2pix?"),
        ("CycleGAN", "did you mean cyclegan?"),
        ("free-form", "did you mean free_form?"),
        ("Blond Hair", "did you mean Blond_Hair?"),
        ("zzz", "there are pix2pix, cyclegan, free_form, Blond_Hair"),
    ],
)
def test_a_name_that_is_not_known_is_answered_with_the_nearest(name: str, answer: str) -> None:
    assert suggest(name, ["pix2pix", "cyclegan", "free_form", "Blond_Hair"]) == answer


def test_without_names_there_is_nothing_to_suggest() -> None:
    assert suggest("a", []) == "there are none"
    assert suggest("zzz", ["a"], "known are") == "known are a"


def test_a_single_thing_has_no_plural() -> None:
    assert [count_of(count, "file") for count in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
