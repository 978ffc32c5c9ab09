"""Settings that refuse unknown keys, batches, samples, seeds; and what every kind of data promises."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import Field, ValidationError

from datasets.contract import DataConfig, Paired, Samples, Settings, derive_seed, discriminate_by, stack
from datasets.errors import DataError
from translate.experiment import DATA_CONFIGS


class Inner(Settings):
    width: int = 1


class Outer(Settings):
    inner: Inner = Inner()
    weight: float = Field(1.0, ge=0)


class Numbers(Samples[Paired]):
    def __len__(self) -> int:
        return 5

    def sample(self, index: int, seed: int) -> Paired:
        return Paired(torch.tensor([index]), torch.tensor([seed]))

    def name(self, index: int) -> str:
        return str(index)


def test_settings_are_immutable_and_know_what_was_meant() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Outer().weight = 2.0  # type: ignore[misc]
    with pytest.raises(ValidationError, match=r"wieght: unknown; did you mean weight\?"):
        Outer.model_validate({"wieght": 1})
    with pytest.raises(ValidationError, match="zzz: unknown; known are width"):
        Outer.model_validate({"inner": {"zzz": 1}})


def test_a_union_is_discriminated_by_its_tag_or_a_default() -> None:
    discriminator = discriminate_by("kind", "one").discriminator
    assert callable(discriminator)
    assert [discriminator(value) for value in ({"kind": "two"}, {}, Outer())] == ["two", "one", "one"]


def test_samples_are_gathered_by_stacking() -> None:
    samples = Numbers()
    assert not samples.in_memory
    batch = samples.gather([4, 0], [7, 8])
    assert isinstance(batch, Paired)
    assert (batch.source.tolist(), batch.target.tolist()) == ([[4], [0]], [[7], [8]])
    with pytest.raises(ValueError, match="zip"):
        samples.gather([4, 0], [7])
    assert all(
        torch.equal(*pair) for pair in zip(batch, stack([samples.sample(4, 7), samples.sample(0, 8)]), strict=True)
    )


def test_seeds_differ_for_neighbours_and_stay_the_same() -> None:
    seeds = {derive_seed(one, other) for one in range(20) for other in range(20)}
    assert len(seeds) == 400
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derive_seed(1, 2) == 7764949442709860949  # runs that are resumed depend on it


def test_the_bases_cannot_be_built() -> None:
    bases: tuple[type[Any], ...] = (DataConfig, Samples)
    for abstract in bases:
        with pytest.raises(TypeError, match="abstract"):
            abstract()


def defaults_of(config: type[DataConfig]) -> DataConfig:
    return config.model_validate({})


@pytest.mark.parametrize("config", DATA_CONFIGS, ids=lambda config: config.__name__)
class TestEveryKindOfData:
    """What an experiment asks of a configuration before it opens any folder."""

    def test_its_kind_stands_first(self, config: type[DataConfig]) -> None:
        assert next(iter(config.model_fields)) == "kind"
        assert next(iter(defaults_of(config).model_dump())) == "kind"

    def test_it_inherits_the_defaults(self, config: type[DataConfig]) -> None:
        assert issubclass(config, DataConfig)
        assert defaults_of(config).validation_fraction == 0.1
        assert defaults_of(config).training_size >= 1
        assert defaults_of(config).target_scale >= 1
        assert all(channels >= 1 for channels in defaults_of(config).channels)

    def test_its_size_key_decides_its_size(self, config: type[DataConfig]) -> None:
        if config.size_key is None:
            return
        section, *path = config.size_key.split(".")
        assert section == "data"
        settings: dict[str, Any] = {path[-1]: 48}
        for key in reversed(path[:-1]):
            settings = {key: settings}
        assert config.model_validate(settings).training_size == 48

    def test_a_folder_that_is_missing_is_refused(self, config: type[DataConfig], tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"missing.*found no"):
            defaults_of(config).open(tmp_path / "missing")
