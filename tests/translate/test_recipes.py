"""The recipes that ship: found by name or path, valid, and described."""

import pytest

from datasets.errors import UserError
from translate.experiment import load_experiment
from translate.recipes import recipe_names, recipe_path, recipe_summary


def test_a_recipe_is_found_by_name_and_by_path(tmp_path) -> None:
    assert recipe_path("pix2pix").name == "pix2pix.yaml"
    mine = tmp_path / "mine.yml"
    mine.touch()
    assert recipe_path(str(mine)) == mine


def test_an_unknown_recipe_is_answered_with_those_there_are():
    with pytest.raises(UserError, match=r"pix3pix: there is no such recipe; did you mean pix2pix\?"):
        load_experiment("pix3pix")
    with pytest.raises(UserError, match=r"zzz: there is no such recipe; `translate recipes list` shows all"):
        load_experiment("zzz")
    with pytest.raises(UserError, match=r"my\.yaml: there is no such file"):
        load_experiment("my.yaml")


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_that_ships_is_valid_and_says_what_it_is(name):
    load_experiment(name)
    assert len(recipe_summary(name)) > 20
