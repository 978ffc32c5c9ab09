"""StarGAN: one generator that translates between any number of domains, chosen by a label.

Choi, Choi, Kim, Ha, Kim, Choo 2017, arXiv:1711.09020.

Differs from the paper:
- In training, the generator takes all labels of its target. At inference, labels that are not named are taken to be
  absent, since nobody knows which ones an unlabelled image has: for a young man with blond hair, name all three.
- Images of two differently labelled sets may share a batch; the authors' code takes a batch of each in turn.
- The learning rate falls to 0 at the end, as the paper says; by mistake, the authors' code lowers it by a thousandth in
  all.
- In a step in which the generator moves, its fakes are those that its critic has just learned from.
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

PREVIEW_DOMAINS = 8  # at most; chosen by eye


class StarGANConfig(ModelConfig):
    """StarGAN with the paper's defaults."""

    batch_type: ClassVar[type[Attributed]] = Attributed
    name: Literal["stargan"] = "stargan"
    channels: int = Field(default=3, ge=1, description="of the pictures: 1 gray, 3 colour, 4 colour and alpha")
    domains: tuple[str, ...] = Field(default=(), description="names of the labels; empty: the data's")
    label_sets: tuple[LabelSet, ...] = Field(
        default=(), description="the same by set, with which exclude each other; empty: the data's"
    )
    size: int | None = Field(
        default=None,
        ge=1,
        description="pixels on a side of the squares, which the critic takes whole; null: the data's",
    )
    generator: StarGeneratorConfig = StarGeneratorConfig()
    discriminator: StarDiscriminatorConfig = StarDiscriminatorConfig()
    discriminator_steps: int = Field(default=5, ge=1, description="of the critic for each of the generator")
    classification_weight: float = Field(default=1.0, gt=0, description="weight of the loss of the critic's labels")
    reconstruction_weight: float = Field(
        default=10.0, ge=0, description="weight of the difference after a translation there and back"
    )
    gradient_penalty_weight: float = Field(default=10.0, gt=0, description="weight of WGAN-GP's gradient penalty")
    generator_adam: Adam = Adam(lr=1e-4)
    discriminator_adam: Adam = Adam(lr=1e-4)

    @property
    def expects(self) -> dict[str, int]:
        """Channels of the images."""
        return {"channels": self.channels}

    @property
    def sets(self) -> tuple[LabelSet, ...]:
        """The label sets; without data, one of two classes or of `domains`."""
        return self.label_sets or (LabelSet(names=self.domains or ("A", "B"), classes=True),)

    def with_domains(self, domains: tuple[str, ...]) -> Self:
        """Return the configuration for data with these labels.

        Raises:
            UserError: There are fewer than two, or they are not those in `domains`.
        """
        if len(domains) < 2:
            raise UserError(f"StarGAN learns from 2 domains or more, and the data have {len(domains)}")
        if self.domains and self.domains != domains:
            raise UserError(f"model.domains is {', '.join(self.domains)}, and the data's are {', '.join(domains)}")
        return self.model_copy(update={"domains": domains})

    def with_label_sets(self, label_sets: tuple[LabelSet, ...]) -> Self:
        """Return the configuration for data with these sets of labels."""
        return self.model_copy(update={"label_sets": label_sets})

    def for_size(self, size: int) -> Self:
        """Return the configuration for squares of `size` pixels, which the critic takes whole."""
        return self.model_copy(update={"size": size})

    def size_problem(self, size: int) -> str | None:
        """Return why the model cannot learn from squares of `size` pixels; None if it can."""
        return self.discriminator.size_problem(size)

    def translator(self) -> "StarGAN":
        """Build the generator alone."""
        return StarGAN(self)

    def recipe(self) -> "StarGANRecipe":
        """Build the generator with its critic and their losses."""
        return StarGANRecipe(self)


class StarGAN(Translator):
    """The generator, as a translator to any domain, or to several attributes at once."""

    def __init__(self, config: StarGANConfig) -> None:
        super().__init__()
        self.labels = Labels(config.sets)
        self.domains = self.labels.names
        # With several sets, the generator also takes a one-hot mask that says whose labels are meant.
        mask = len(self.labels.sets) if len(self.labels.sets) > 1 else 0
        self.generator = config.generator.build(config.channels, len(self.domains) + mask)
        self.channels_in = self.channels_out = config.channels
        self.multiple, self.minimum = self.generator.multiple, self.generator.minimum
        self.margin, self.global_norm = self.generator.margin, self.generator.global_norm

    def forward(self, image: Tensor, domain: Domain = 0) -> Tensor:
        """Translate (B, C, H, W) images to one domain, or to several attributes; all other labels are absent."""
        chosen = (domain,) if isinstance(domain, int) else domain
        count = image.shape[0]  # not len(image), a number that a trace would take for the size of every batch
        label = image.new_zeros(count, len(self.domains))
        label[:, list(chosen)] = 1
        source = torch.full((count,), self.labels.find_set(chosen[0]), device=image.device)
        return self.translate(image, label, source)

    def translate(self, image: Tensor, label: Tensor, source: Tensor) -> Tensor:
        """Translate (B, C, H, W) images to labels (B, n) of the sets that the indices `source` (B,) give."""
        if len(self.labels.sets) > 1:
            label = torch.cat([label, F.one_hot(source, len(self.labels.sets)).to(label)], dim=1)
        output: Tensor = self.generator(image, label)
        return output

    def resolve_domain(self, name: str | None) -> Domain:
        """Return what `forward` takes for a domain's name, or for names of several attributes, separated by commas.

        Raises:
            DomainError: There is no domain of a name, two of them exclude each other, or none is named.
        """
        if name is None or name in self.domains or "," not in name:
            return super().resolve_domain(name)
        chosen = [self._find_label(part.strip()) for part in name.split(",")]
        for number, one in enumerate(chosen):
            for other in chosen[:number]:
                if self.labels.are_exclusive(one, other):
                    names = f"{self.domains[other]} and {self.domains[one]}"
                    raise DomainError(f"{name}: no picture is both {names}; ask for one after the other")
        return tuple(sorted(set(chosen)))

    def _find_label(self, name: str) -> int:
        index = super().resolve_domain(name)
        assert isinstance(index, int)
        return index


class StarGANRecipe(Recipe[Attributed, StarGAN]):
    """The training of StarGAN."""

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
        size = config.size or 128  # of the paper
        self.discriminator = config.discriminator.build(config.channels, len(self.model.domains), size)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return one Adam for each of the two networks."""
        return {
            "discriminator": self.config.discriminator_adam.of(self.discriminator),
            "generator": self.config.generator_adam.of(self.model),
        }

    def updates(self, batch: Attributed, step: int) -> Iterator[Update]:
        """Yield the updates of equations 5 and 6 of the paper, with the adversarial loss of its equation 8."""
        config, generator_moves = self.config, due(step + 1, self.config.discriminator_steps)
        target = self.labels.permute(batch.label, batch.source)
        with torch.set_grad_enabled(generator_moves):
            fake = self.model.translate(batch.image, target, batch.source)

        # Both in one pass: half of the time is spent on reading the critic's many weights, whatever the batch.
        both, logits = self.discriminator(torch.cat([batch.image, fake.detach()]))
        scores, fake_scores = both.chunk(2)
        logits, _ = logits.chunk(2)
        classification = self.labels.classification_loss(logits, batch.label, batch.source).mean()
        penalty = gradient_penalty(lambda image: self.discriminator(image)[0], batch.image, fake)
        losses = {
            "adversarial": WASSERSTEIN.discriminator(scores, fake_scores),
            "classification": config.classification_weight * classification,
            "penalty": config.gradient_penalty_weight * penalty,
        }
        accuracy = self.labels.accuracy(logits, batch.label, batch.source).mean()
        yield Update("discriminator", losses, {"label_accuracy": accuracy})

        if generator_moves:
            scores, logits = self.discriminator(fake)
            back = self.model.translate(fake, batch.label, batch.source)
            classification = self.labels.classification_loss(logits, target, batch.source).mean()
            losses = {
                "adversarial": WASSERSTEIN.generator(scores),
                "classification": config.classification_weight * classification,
                "reconstruction": config.reconstruction_weight * F.l1_loss(back, batch.image),
            }
            yield Update("generator", losses)

    def preview(self, model: StarGAN, batch: Attributed) -> list[Preview]:
        """Return images translated to each of the first domains."""
        domains = range(min(len(model.domains), PREVIEW_DOMAINS))
        return [
            Preview(batch.image, translate_batch(model, batch.image, domain), title=f"to {model.domains[domain]}")
            for domain in domains
        ]

    @torch.inference_mode()
    def validate(self, model: StarGAN, batch: Attributed) -> dict[str, Tensor]:
        """Return how often the critic recognises the target label, and the error of a round trip."""
        target = self.labels.change_one(batch.label, batch.source)
        output = model.translate(batch.image, target, batch.source)
        back = model.translate(output, batch.label, batch.source)
        accuracy = self.labels.accuracy(self.discriminator(output)[1], target, batch.source)
        reconstruction = l1(back, batch.image)
        return {
            "error": 1 - accuracy + reconstruction,
            "label_accuracy": accuracy,
            "reconstruction": reconstruction,
        }
