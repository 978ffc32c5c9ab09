"""Autoencoders: images through a code of few numbers, or of few numbers that are not zero, and back.

Denoising (Vincent, Larochelle, Bengio, Manzagol 2008, doi:10.1145/1390156.1390294): the input is corrupted, and the
output should be the clean image. k-sparse (Makhzani, Frey 2013, arXiv:1312.5663): only the k largest numbers of a
linear code are kept, and only they get a gradient.

Losses are summed over all pixels of an image, as `models.losses.likelihood` describes, and averaged over a batch.

Differs from the paper:
- Encoder and decoder have separate weights, where both papers tie them, and Adam replaces gradient descent.
- The encoder takes pixels in [0, 1], so masked ones are 0 and contribute nothing. A pixel of a colour image is
  corrupted in all channels at once.
- An L1-sparse code is rectified, so that its numbers can be exactly 0. The decoder's weights are free, so small codes
  with large weights evade a part of the penalty.
"""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, Tag, model_validator
from torch import Tensor, nn
from torch.optim import Optimizer

from datasets.contract import Pictures, Settings, discriminate_by
from models.apply import evaluating, translate_batch
from models.contract import Encoder, FailureMode, ModelConfig, Preview, Recipe, Translator, Trunk, Update
from models.core.corruption import Corruption, NoCorruption
from models.losses.likelihood import cross_entropy, from_zero, squared_error
from models.metrics import reconstruction_metrics
from models.networks.bodies import BodyConfig, MLPBody, zero_labels
from models.optimizers import Adam


class Dense(Settings):
    """All numbers of the code are used."""

    kind: Literal["none"] = "none"


class KSparse(Settings):
    """The k largest numbers of the code are used; the others are 0."""

    kind: Literal["k-sparse"] = "k-sparse"
    k: int = Field(default=25, ge=1, description="numbers of the code that are kept")
    anneal_steps: int = Field(
        default=0, ge=0, description="over which k falls linearly from the full code; half the training in the paper"
    )
    alpha: float = Field(
        default=1.0, ge=1, description="at inference, alpha times k numbers are kept; 1 to 3 in the paper"
    )

    def count_at(self, step: int, latent: int) -> int:
        """Return how many of `latent` numbers are kept at a training step."""
        remaining = max(0.0, 1 - step / self.anneal_steps) if self.anneal_steps else 0.0
        return round(self.k + remaining * (latent - self.k))

    def count_at_inference(self, latent: int) -> int:
        """Return how many of `latent` numbers are kept at inference."""
        return min(latent, round(self.alpha * self.k))


class L1Sparse(Settings):
    """Numbers of the code are not negative, and a penalty pulls them to 0."""

    kind: Literal["l1"] = "l1"
    weight: float = Field(default=0.1, gt=0, description="weight of the sum of a picture's code")


Sparsity = Annotated[
    Annotated[Dense, Tag("none")] | Annotated[KSparse, Tag("k-sparse")] | Annotated[L1Sparse, Tag("l1")],
    discriminate_by("kind", "none"),
]


class AutoencoderConfig(ModelConfig):
    """An autoencoder; by default a plain one."""

    batch_type: ClassVar[type[Pictures]] = Pictures
    name: Literal["autoencoder"] = "autoencoder"
    channels: int = Field(default=1, ge=1, description="of the pictures: 1 gray, 3 colour, 4 colour and alpha")
    size: int = Field(default=28, ge=1, description="pixels on a side of all its pictures")
    latent: int = Field(default=32, ge=1, description="numbers in a code")
    body: BodyConfig = MLPBody()  # of encoder and decoder
    corruption: Corruption = NoCorruption()  # of the input, in training
    code_dropout: float = Field(default=0.0, ge=0, lt=1, description="probability of a zero in the code, in training")
    sparsity: Sparsity = Dense()
    loss: Literal["cross-entropy", "squared"] = Field(
        default="cross-entropy", description="form of the reconstruction's error"
    )
    adam: Adam = Adam(lr=1e-3, beta1=0.9)  # Adam's own defaults

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        if isinstance(self.sparsity, KSparse) and self.sparsity.k > self.latent:
            raise ValueError(f"sparsity.k is {self.sparsity.k}, and a code has {self.latent} numbers; raise latent")
        return self

    @property
    def expects(self) -> dict[str, int]:
        """Channels of the images."""
        return {"channels": self.channels}

    def size_problem(self, size: int) -> str | None:
        """Return why the model cannot learn from squares of `size` pixels; None if it can."""
        return f"model.size is {self.size}" if size != self.size else self.body.size_problem(size)

    def translator(self) -> "Autoencoder":
        """Build encoder and decoder."""
        return Autoencoder(self)

    def recipe(self) -> "AutoencoderRecipe":
        """Build encoder and decoder with their loss."""
        return AutoencoderRecipe(self)


class Autoencoder(Translator, Encoder):
    """Encoder and decoder; as a translator it reconstructs.

    Attributes:
        latent: Numbers in a code.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.channels_in = self.channels_out = config.channels
        self.only_size = config.size
        self.latent = config.latent
        self.sparsity = config.sparsity
        self.logits = config.loss == "cross-entropy"
        self.encoder = config.body.encoder(config.channels, config.size, config.latent)
        self.decoder = config.body.generator(config.latent, config.channels, config.size)

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        """Reconstruct (B, channels, size, size) in [-1, 1], in the same range."""
        return self.decode(self.encode(image))

    def encode(self, image: Tensor) -> Tensor:
        """Encode (B, channels, size, size) in [-1, 1] to (B, latent), as sparse as at inference."""
        sparsity = self.sparsity
        kept = sparsity.count_at_inference(self.latent) if isinstance(sparsity, KSparse) else self.latent
        return self.encode_sparse(image, kept)

    def encode_sparse(self, image: Tensor, kept: int) -> Tensor:
        """Encode images; a k-sparse code keeps its `kept` largest numbers."""
        numbers: Tensor = self.encoder(from_zero(image), zero_labels(image))
        if isinstance(self.sparsity, KSparse):
            return keep_largest(numbers, kept)
        return F.relu(numbers) if isinstance(self.sparsity, L1Sparse) else numbers

    def decode(self, code: Tensor) -> Tensor:
        """Decode (B, latent) to images (B, channels, size, size) in [-1, 1]."""
        return self.to_image(self.decode_raw(code))

    def decode_raw(self, code: Tensor) -> Tensor:
        """Decode (B, latent) to logits if the loss is the cross-entropy, else to images of unbounded values."""
        raw: Tensor = self.decoder(code, zero_labels(code))
        return raw

    def to_image(self, raw: Tensor) -> Tensor:
        """Convert what `decode_raw` returns to images in [-1, 1]."""
        return 2 * torch.sigmoid(raw) - 1 if self.logits else raw.clamp(-1, 1)


class AutoencoderRecipe(Recipe[Pictures, Autoencoder]):
    """The training of an autoencoder."""

    hints: ClassVar[dict[FailureMode, str]] = {
        "generator copies its input": "train for longer, or set model.corruption to a degradation of the pictures",
        "colours inverted": "lower model.adam.lr",
        "diversity lost": "raise model.latent or model.sparsity.k, or lower model.sparsity.weight or model.adam.lr",
    }
    best_metric = "error"
    higher_is_better = False
    validation_batch = 250
    signed_input = False

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Autoencoder(config)
        self.distance = cross_entropy if config.loss == "cross-entropy" else squared_error

    def optimizers(self) -> dict[str, Optimizer]:
        """Return one Adam for both networks."""
        return {"autoencoder": self.config.adam.of(self.model)}

    def trunks(self) -> dict[Trunk, nn.Module]:
        """Return the encoder except its last layer."""
        return {"encoder": self.model.encoder.trunk}

    def updates(self, batch: Pictures, step: int) -> Iterator[Update]:
        """Yield the distance between the clean image and the reconstruction of the corrupted one."""
        sparsity, latent = self.config.sparsity, self.config.latent
        kept = sparsity.count_at(step, latent) if isinstance(sparsity, KSparse) else latent
        code = self.model.encode_sparse(self.config.corruption.apply(batch.image), kept)
        raw = self.model.decode_raw(F.dropout(code, self.config.code_dropout))
        losses = {"reconstruction": self.distance(raw, batch.image).mean()}
        if isinstance(sparsity, L1Sparse):
            losses["sparsity"] = sparsity.weight * code.float().abs().sum(1).mean()
        metrics = {} if isinstance(sparsity, Dense) else {"active": active_fraction(code).mean()}
        yield Update("autoencoder", losses, metrics)

    def preview(self, model: Autoencoder, batch: Pictures) -> list[Preview]:
        """Return reconstructions and their originals, and the corrupted inputs if there is corruption."""
        if isinstance(self.config.corruption, NoCorruption):
            return [Preview(None, translate_batch(model, batch.image), batch.image)]
        corrupted = self.config.corruption.apply(batch.image)
        return [Preview(corrupted, translate_batch(model, corrupted), batch.image)]

    def validate(self, model: Autoencoder, batch: Pictures) -> dict[str, Tensor]:
        """Return the training loss of corrupted images, how close reconstructions are, and how sparse codes are."""
        with evaluating(model):
            code = model.encode(self.config.corruption.apply(batch.image))
            raw = model.decode_raw(code)
            metrics = {
                "error": self.distance(raw, batch.image),
                **reconstruction_metrics(model.to_image(raw), batch.image),
            }
            return metrics if isinstance(self.config.sparsity, Dense) else {**metrics, "active": active_fraction(code)}


def keep_largest(numbers: Tensor, kept: int) -> Tensor:
    """Set all but the `kept` largest numbers of each row of (B, n) to 0; only these get a gradient."""
    if kept >= numbers.shape[1]:
        return numbers
    mask = torch.zeros_like(numbers).scatter_(1, numbers.topk(kept, dim=1, sorted=False).indices, 1.0)
    return numbers * mask


def active_fraction(code: Tensor) -> Tensor:
    """Return the fraction of numbers in each code that are not 0, (B,)."""
    return (code != 0).float().mean(1)
