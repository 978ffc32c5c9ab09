"""StarGAN: one generator for translations between any number of domains, told by labels where to go.

Choi, Choi, Kim, Ha, Kim, Choo 2017, arXiv:1711.09020.

Differs from the paper:
- A generator is told all labels of what it shall make. In use those not named are taken to be absent, since nobody
  knows which ones an unlabelled picture has: who wants a blond young man asks for all three.
- Pictures of two differently labelled sets may share a batch; the authors' code takes a batch of each in turns.
- Where training stops the learning rate is 0; the authors' code lowers it by a thousandth in all, by mistake.
- The fakes of a step in which the generator learns are those that its critic has just learned from.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor
from torch.optim import Optimizer

from datasets.contract import Attributed, LabelSet
from datasets.errors import UserError
from models.apply import translate_batch
from models.contract import Domain, DomainError, FailureMode, ModelConfig, Preview, Recipe, Translator, Update, due
from models.labels import Labels
from models.losses.adversarial import WASSERSTEIN
from models.losses.penalties import gradient_penalty
from models.metrics import l1
from models.networks.discriminators import StarDiscriminatorConfig
from models.networks.generators import StarGeneratorConfig
from models.optimizers import Adam

ROWS = 8  # domains that a preview shows


class StarGANConfig(ModelConfig):
    """StarGAN with the paper's defaults."""

    batch_type: ClassVar[type[Attributed]] = Attributed
    name: Literal["stargan"] = "stargan"
    channels: int = Field(3, ge=1)
    domains: tuple[str, ...] = ()  # the data's labels
    label_sets: tuple[LabelSet, ...] = ()  # the same, and which exclude each other; from the data
    size: int | None = Field(None, ge=1)  # of the squares, which the critic judges as a whole; null: the data's
    generator: StarGeneratorConfig = StarGeneratorConfig()
    discriminator: StarDiscriminatorConfig = StarDiscriminatorConfig()
    discriminator_steps: int = Field(5, ge=1)  # of the critic for each of the generator
    classification_weight: float = Field(1.0, gt=0)
    reconstruction_weight: float = Field(10.0, ge=0)
    gradient_penalty_weight: float = Field(10.0, gt=0)
    generator_adam: Adam = Adam(lr=1e-4)
    discriminator_adam: Adam = Adam(lr=1e-4)

    @property
    def expects(self) -> dict[str, int]:
        """Channels of the pictures."""
        return {"channels": self.channels}

    @property
    def sets(self) -> tuple[LabelSet, ...]:
        """The label sets; classes, where no data have told of any."""
        return self.label_sets or (LabelSet(names=self.domains or ("A", "B"), classes=True),)

    def with_domains(self, domains: tuple[str, ...]) -> Self:
        """The configuration for these labels.

        Raises:
            UserError: There are fewer than two, or others than `domains` says.
        """
        if len(domains) < 2:
            raise UserError(f"StarGAN learns from 2 domains or more, and the data have {len(domains)}")
        if self.domains and self.domains != domains:
            raise UserError(f"model.domains is {', '.join(self.domains)}, and the data's are {', '.join(domains)}")
        return self.model_copy(update={"domains": domains})

    def with_label_sets(self, label_sets: tuple[LabelSet, ...]) -> Self:
        """The configuration for these sets of labels."""
        return self.model_copy(update={"label_sets": label_sets})

    def for_size(self, size: int) -> Self:
        """The configuration for squares of `size` pixels."""
        return self.model_copy(update={"size": size})

    def size_problem(self, size: int) -> str | None:
        """Why squares of `size` pixels cannot be learned from, if they cannot."""
        return self.discriminator.size_problem(size)

    def translator(self) -> "StarGAN":
        """The generator alone."""
        return StarGAN(self)

    def recipe(self) -> "StarGANRecipe":
        """The generator, its critic and their losses."""
        return StarGANRecipe(self)


class StarGAN(Translator):
    """The generator, as a translator into any domain, or into several attributes at once."""

    def __init__(self, config: StarGANConfig) -> None:
        super().__init__()
        self.labels = Labels(config.sets)
        self.domains = self.labels.names
        # Where there are two sets, as many numbers more say whose labels are meant.
        told = len(self.domains) + (len(self.labels.sets) if len(self.labels.sets) > 1 else 0)
        self.generator = config.generator.build(config.channels, told)
        self.channels_in = self.channels_out = config.channels
        self.multiple, self.minimum = self.generator.multiple, self.generator.minimum
        self.margin, self.global_norm = self.generator.margin, True

    def forward(self, image: Tensor, domain: Domain = 0) -> Tensor:
        """Translate (B, C, H, W) pictures into one domain, or into several attributes; all others shall be absent."""
        chosen = (domain,) if isinstance(domain, int) else domain
        label = image.new_zeros(len(image), len(self.domains))
        label[:, list(chosen)] = 1
        source = torch.full((len(image),), self.labels.set_of(chosen[0]), device=image.device)
        return self.translate(image, label, source)

    def translate(self, image: Tensor, label: Tensor, source: Tensor) -> Tensor:
        """Translate (B, C, H, W) pictures to (B, n) labels, of the label sets that (B,) indices in `source` name."""
        if len(self.labels.sets) > 1:
            label = torch.cat([label, F.one_hot(source, len(self.labels.sets)).to(label)], dim=1)
        output: Tensor = self.generator(image, label)
        return output

    def resolve_domain(self, name: str | None) -> Domain:
        """Return what `forward` takes for a domain's name, or for names of several attributes, separated by commas.

        Raises:
            DomainError: There is no domain of a name, two of the named ones exclude each other, or none is named.
        """
        if name is None or name in self.domains or "," not in name:
            return super().resolve_domain(name)
        chosen = [self._index(part.strip()) for part in name.split(",")]
        for number, one in enumerate(chosen):
            for other in chosen[:number]:
                if self.labels.exclude(one, other):
                    names = f"{self.domains[other]} and {self.domains[one]}"
                    raise DomainError(f"{name}: no picture is both {names}; ask for one after the other")
        return tuple(sorted(set(chosen)))

    def _index(self, name: str) -> int:
        index = super().resolve_domain(name)
        assert isinstance(index, int)
        return index


class StarGANRecipe(Recipe[Attributed, StarGAN]):
    """How StarGAN learns."""

    hints: ClassVar[dict[FailureMode, str]] = {
        "discriminator won": "lower model.discriminator_steps, or model.discriminator_adam.lr",
        "generator copies its input": "lower model.reconstruction_weight, or raise model.classification_weight",
        "colours inverted": "raise model.reconstruction_weight, or lower model.generator_adam.lr",
        "diversity lost": "raise model.reconstruction_weight, or lower model.discriminator_adam.lr",
    }
    best_metric = "error"
    higher_is_better = False

    def __init__(self, config: StarGANConfig) -> None:
        super().__init__()
        self.config = config
        self.model = StarGAN(config)
        self.labels = self.model.labels
        self.discriminator = config.discriminator.build(config.channels, len(self.model.domains), config.size or 128)

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for each of the two."""
        return {
            "discriminator": self.config.discriminator_adam.of(self.discriminator),
            "generator": self.config.generator_adam.of(self.model),
        }

    def updates(self, batch: Attributed, step: int) -> Iterator[Update]:
        """Equations 5 and 6 of the paper with the adversarial objective of its equation 8."""
        config, learns = self.config, due(step + 1, self.config.discriminator_steps)
        target = self.labels.permuted(batch.label, batch.source)
        with torch.set_grad_enabled(learns):
            fake = self.model.translate(batch.image, target, batch.source)

        # Both at once: half of the time goes into the critic's many weights, whatever they are applied to.
        both, logits = self.discriminator(torch.cat([batch.image, fake.detach()]))
        scores, fake_scores = both.chunk(2)
        logits, _ = logits.chunk(2)
        missed = self.labels.classification(logits, batch.label, batch.source).mean()
        penalty = gradient_penalty(lambda image: self.discriminator(image)[0], batch.image, fake)
        losses = {
            "adversarial": WASSERSTEIN.discriminator(scores, fake_scores),
            "classification": config.classification_weight * missed,
            "penalty": config.gradient_penalty_weight * penalty,
        }
        right = self.labels.recognised(logits, batch.label, batch.source).mean()
        yield Update("discriminator", losses, {"recognised": right})

        if learns:
            scores, logits = self.discriminator(fake)
            back = self.model.translate(fake, batch.label, batch.source)
            missed = self.labels.classification(logits, target, batch.source).mean()
            losses = {
                "adversarial": WASSERSTEIN.generator(scores),
                "classification": config.classification_weight * missed,
                "reconstruction": config.reconstruction_weight * F.l1_loss(back, batch.image),
            }
            yield Update("generator", losses)

    def preview(self, model: StarGAN, batch: Attributed) -> list[Preview]:
        """Pictures as each domain, of the first few."""
        domains = range(min(len(model.domains), ROWS))
        return [Preview(batch.image, translate_batch(model, batch.image, domain)) for domain in domains]

    @torch.inference_mode()
    def validate(self, model: StarGAN, batch: Attributed) -> dict[str, Tensor]:
        """How often the critic recognises what a picture was to become, and what is lost on the way there and back."""
        target = self.labels.changed(batch.label, batch.source)
        made = model.translate(batch.image, target, batch.source)
        back = model.translate(made, batch.label, batch.source)
        recognised = self.labels.recognised(self.discriminator(made)[1], target, batch.source)
        reconstruction = l1(back, batch.image)
        return {
            "error": 1 - recognised + reconstruction,
            "recognised": recognised,
            "reconstruction": reconstruction,
        }
