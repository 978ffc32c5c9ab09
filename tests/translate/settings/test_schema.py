"""The JSON Schema accepts what the program accepts, and refuses what it refuses."""

from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from translate.recipes import recipe_names, recipe_path
from translate.settings.schema import build_schema


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    built = build_schema()
    Draft202012Validator.check_schema(built)
    return Draft202012Validator(built)


@pytest.mark.parametrize("recipe", recipe_names())
def test_every_recipe_is_accepted(recipe: str, schema: Draft202012Validator) -> None:
    schema.validate(yaml.safe_load(recipe_path(recipe).read_text(encoding="utf-8")))


GOOD: dict[str, Any] = {"model": {"name": "pix2pix"}, "data": {"kind": "paired"}}


@pytest.mark.parametrize(
    ("tree", "accepted"),
    [
        (GOOD, True),
        ({**GOOD, "data": {"pairs": {"source": "A"}}}, True),
        ({**GOOD, "data": {"pairs": {"degradation": "jpeg"}}}, False),  # of another kind, which is not named
        ({**GOOD, "data": {"pairs": {"kind": "derived", "degradation": "jpeg"}}}, True),
        ({**GOOD, "training": {"stepz": 3}}, False),
        ({**GOOD, "training": {"steps": 0}}, False),
        ({**GOOD, "model": {"name": "pix3pix"}}, False),
        ({"model": {"name": "pix2pix"}}, False),
    ],
)
def test_the_schema_decides_as_the_program_does(
    tree: dict[str, Any], accepted: bool, schema: Draft202012Validator
) -> None:
    assert schema.is_valid(tree) == accepted
    assert "description" in build_schema()["$defs"]["TrainingConfig"]["properties"]["steps"]
