"""The settings and checks that all kinds of data made of picture files share."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from datasets.errors import DataError
from datasets.picture_data import PictureDataConfig
from translate.experiment import DATA_CONFIGS

KINDS = [config for config in DATA_CONFIGS if issubclass(config, PictureDataConfig)]


def test_all_kinds_made_of_files_share_them() -> None:
    assert {str(config.model_fields["kind"].default) for config in DATA_CONFIGS if config not in KINDS} == {
        "idx",
        "points",
    }


@pytest.mark.parametrize("config", KINDS, ids=lambda config: config.__name__)
def test_settings_are_checked_and_decide_the_size(config: type[PictureDataConfig]) -> None:
    for wrong in ({"cache_gib": -1}, {"validation_fraction": 1}, {"crop": {"size": 0}}, {"skip_bad": "perhaps"}):
        with pytest.raises(ValidationError):
            config.model_validate(wrong)
    small = config.model_validate({"crop": {"size": 24}})
    assert small.training_size == 24
    assert small.scaled_to in {None, 24}


@pytest.mark.parametrize("config", KINDS, ids=lambda config: config.__name__)
def test_problems_refuse_a_folder_unless_they_are_to_be_skipped(
    config: type[PictureDataConfig], tmp_path: Path
) -> None:
    config.model_validate({}).check_problems(tmp_path, [])
    with pytest.raises(DataError, match=r"1 of its pictures cannot be used; .*data\.skip_bad=true:\n  a\.png: is torn"):
        config.model_validate({}).check_problems(tmp_path, ["a.png: is torn"])
    config.model_validate({"skip_bad": True}).check_problems(tmp_path, ["a.png: is torn"])


def test_pictures_are_scaled_to_the_size_of_the_crop_unless_they_keep_their_scale() -> None:
    scaled = {config.__name__: config.model_validate({}).scaled_to for config in KINDS}
    assert scaled.pop("SuperResolutionConfig") is None
    assert scaled == {name: 128 if name == "AttributesConfig" else 256 for name in scaled}
    for config in KINDS:
        if config.__name__ in scaled:
            assert config.model_validate({"crop": {"load": None}}).scaled_to is None
