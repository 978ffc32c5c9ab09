"""Every setting says what it means, and a listing of all of them is a recipe."""

from collections.abc import Iterator

import pytest
import yaml
from pydantic import BaseModel

from translate.experiment import Experiment, load_experiment
from translate.settings.listing import WIDTH, describe_setting, find_sections, list_settings


def sections_of(section: type[BaseModel], known: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    """A section, and all that can be within it, each once."""
    if section not in known:
        known.add(section)
        yield section
        for field in section.model_fields.values():
            for inner in find_sections(field):
                yield from sections_of(inner, known)


SECTIONS = [*sections_of(Experiment, set())]


def test_the_sections_are_found() -> None:
    assert {"Pix2PixConfig", "CropConfig", "TrainingConfig", "DerivedPairs", "Adam", "MLPBody"} <= {
        section.__name__ for section in SECTIONS
    }


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_setting_says_what_it_means(section: type[BaseModel]) -> None:
    missing = [name for name in section.model_fields if not describe_setting(section, name)]
    assert not missing, f"give these a Field(description=…): {', '.join(missing)}"


def test_a_comment_has_meaning_range_choices_and_the_other_kinds() -> None:
    lines = [*list_settings(load_experiment("pix2pix", ["data.pairs.kind=side-by-side"]))]
    assert "  steps: 80000  # until the training ends; raise it to continue one that ended; from 1" in lines
    assert "    dropout: 0.5  # probability with which a value is set to 0 in training; from 0, below 1" in lines
    assert "    source: left  # half of the picture that is translated; one of left, right" in lines
    assert any("or folders, derived" in line for line in lines)
    assert all(len(line) <= WIDTH for line in lines)
    assert load_experiment("pix2pix").model_dump(mode="json") == yaml.safe_load(
        "\n".join(list_settings(load_experiment("pix2pix")))
    )
