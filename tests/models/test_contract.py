"""The contracts' defaults: what a new model has to write, and what it inherits."""

import unicodedata
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import Tensor

from datasets.contract import LabelSet, Paired
from datasets.errors import UserError
from models.contract import DomainError, ModelConfig, Preview, Recipe, Sampler, Translator, due


class Seasons(Translator):
    domains = ("summer", "winter")

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        return image


class Single(Translator):
    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        return image


class SingleConfig(ModelConfig):
    batch_type: ClassVar[type[Paired]] = Paired
    name: Literal["single"] = "single"

    @property
    def expects(self) -> dict[str, int]:
        return {"channels": 3}

    def translator(self) -> Single:
        return Single()

    def recipe(self) -> Recipe[Any, Any]:
        raise NotImplementedError


class Noise(Sampler):
    def __init__(self, prior: Literal["normal", "uniform"]) -> None:
        super().__init__()
        self.latent, self.size, self.prior = 3, 1, prior
        self.place = torch.nn.Parameter(torch.zeros(1))

    def generate(self, latent: Tensor, label: Tensor) -> Tensor:
        return latent[:, :, None, None]


def test_a_configuration_without_its_methods_cannot_be_made() -> None:
    class Unfinished(ModelConfig):
        name: Literal["unfinished"] = "unfinished"

    with pytest.raises(TypeError, match="abstract"):
        Unfinished()  # type: ignore[abstract]


def test_a_configuration_inherits_what_most_models_do() -> None:
    config = SingleConfig()
    assert config.with_domains(("a", "b")) is config
    assert config.with_label_sets((LabelSet(names=("a",)),)) is config
    assert config.for_size(7) is config
    assert config.size_problem(7) is None
    assert config.output_scale == 1
    assert config.model_dump() == {"name": "single"}


def test_a_domain_is_found_by_name() -> None:
    assert Seasons().resolve_domain("winter") == 1
    model = Seasons()
    model.domains = ("été", unicodedata.normalize("NFD", "été 2"))
    for form in ("NFC", "NFD"):
        assert model.resolve_domain(unicodedata.normalize(form, "été")) == 0
        assert model.resolve_domain(unicodedata.normalize(form, "été 2")) == 1
    assert Single().resolve_domain(None) == 0


@pytest.mark.parametrize(
    ("model", "name", "sentence"),
    [
        (Seasons, None, "this model has the domains summer, winter: choose one"),
        (Seasons, "spring", "spring: this model has the domains summer, winter"),
        (Single, "spring", "spring: this model has no domains"),
    ],
)
def test_other_domains_are_refused_with_those_there_are(
    model: type[Translator], name: str | None, sentence: str
) -> None:
    with pytest.raises(DomainError, match=f"^{sentence}$"):
        model().resolve_domain(name)


def test_a_model_of_one_stage_cannot_be_blended() -> None:
    with pytest.raises(UserError, match="not trained in two stages"):
        Single().blend_stages(0.5)


def test_draws_and_energies_are_those_of_the_prior() -> None:
    normal, uniform = Noise("normal"), Noise("uniform")
    latent = normal.draw(5, torch.Generator().manual_seed(0))
    density = torch.distributions.Normal(0, 1).log_prob(latent).sum(1)
    assert torch.allclose((normal.prior_energy(latent) + density).diff(), torch.zeros(4), atol=1e-5)
    drawn = uniform.draw(2000, torch.Generator().manual_seed(0))
    assert (float(drawn.min()) < -0.99, float(drawn.max()) > 0.99) == (True, True)
    assert torch.equal(uniform.prior_energy(drawn), torch.zeros(2000))


def test_strips_put_grays_beside_colours_at_the_size_of_the_output() -> None:
    preview = Preview(-torch.ones(2, 1, 2, 2), torch.zeros(2, 3, 4, 5), torch.ones(2, 3, 4, 5))
    strips = preview.strips()
    assert strips.shape == (2, 3, 4, 15)
    assert [strips[..., place : place + 5].unique().tolist() for place in (0, 5, 10)] == [[-1], [0], [1]]
    assert Preview(None, torch.zeros(2, 3, 4, 5)).strips().shape == (2, 3, 4, 5)


def test_something_done_every_third_step_is_due_at_multiples_of_three() -> None:
    assert [step for step in range(8) if due(step, 3)] == [0, 3, 6]
