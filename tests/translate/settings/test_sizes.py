"""A recipe that is made small keeps working: what depends on the size follows, or the message says what to set."""

import re

import pytest

from datasets.errors import UserError
from translate.experiment import load_experiment
from translate.recipes import recipe_names


def size_key(recipe: str) -> str:
    return load_experiment(recipe).data.size_key or ""


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("recipe", recipe_names())
def test_every_recipe_can_be_made_small_by_one_setting(recipe: str, size: int) -> None:
    before = load_experiment(recipe)
    experiment = load_experiment(recipe, [f"{size_key(recipe)}={size}"])
    assert experiment.data.training_size == size
    assert experiment.model.size_problem(size) is None
    load, size_of_load = (one.data.model_dump().get("crop", {}).get("load") for one in (before, experiment))
    if load is not None:  # training and validation see pictures at scales that differ as little as before
        assert size_of_load == round(load * size / before.data.training_size)
    again = load_experiment(recipe, [f"{size_key(recipe)}={size}", *experiment.followed])
    assert again.model_dump() == experiment.model_dump()
    assert not {*again.followed}


@pytest.mark.parametrize("recipe", recipe_names())
@pytest.mark.parametrize("size", [100, 512])
def test_a_size_that_does_not_suit_is_answered_with_what_does(recipe: str, size: int) -> None:
    override = f"{size_key(recipe)}={size}"
    try:
        load_experiment(recipe, [override])
    except UserError as error:
        (advice,) = re.findall(r"pixels: set (.*)$", str(error))
        for way in advice.split(" or "):
            load_experiment(recipe, [override, *way.split()])


def test_what_the_user_sets_does_not_follow() -> None:
    experiment = load_experiment("pix2pix", ["data.crop.size=64", "data.crop.load=200", "model.generator.depth=4"])
    assert experiment.followed == ()
    assert load_experiment("pix2pix", ["data.crop.size=64"]).followed == (
        "data.crop.load=72",
        "model.generator.depth=6",
    )


@pytest.mark.parametrize(
    ("name", "followed"),
    [
        ("gated", ("data.crop.load=85", "model.generator.smooth_levels=5")),
        ("lama", ("data.crop.load=85",)),  # it has no such levels
    ],
)
def test_what_follows_belongs_to_the_network_that_the_user_chose(name: str, followed: tuple[str, ...]) -> None:
    assert load_experiment("inpaint", ["data.crop.size=32", f"model.generator.name={name}"]).followed == followed


def test_nothing_follows_where_the_kind_of_data_changes() -> None:
    with pytest.raises(UserError, match=r"set data\.crop\.size=28 or model\.size=256"):
        load_experiment("vae", ["data.kind=pictures", "data.picture_channels=1"])
