"""Autoencoders: pictures through a code of few numbers, or of few that are not zero, and back.

Denoising (Vincent, Larochelle, Bengio, Manzagol 2008, doi:10.1145/1390156.1390294): the input is corrupted, and the
clean picture is to come out. k-sparse (Makhzani, Frey 2013, arXiv:1312.5663): of a linear code only the k largest
numbers are kept, and only they are given a gradient.

Losses are summed over all pixels of a picture, as `models.losses.likelihood` says, and averaged over a batch.

Differs from the paper:
- Encoder and decoder have weights of their own, where both papers tie them, and Adam instead of gradient descent.
- The encoder is given pixels in [0, 1]: those that are masked are 0, black, and say nothing. Of a colour picture, a
  pixel is corrupted in all channels at once.
- An L1-sparse code is rectified, so that its numbers can be exactly 0. The decoder's weights are free, so small codes
  and large weights evade a part of the penalty.
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
from models.losses.likelihood import cross_entropy, from_zero, squared_error
from models.metrics import reconstruction_metrics
from models.networks.bodies import BodyConfig, MLPBody
from models.optimizers import Adam


class NoCorruption(Settings):
    """What goes in is what should come out."""

    kind: Literal["none"] = "none"

    def apply(self, image: Tensor) -> Tensor:
        """(B, C, H, W) as they are."""
        return image


class Masking(Settings):
    """Pixels at random turn black."""

    kind: Literal["masking"] = "masking"
    fraction: float = Field(0.25, ge=0, le=1)  # of the pixels

    def apply(self, image: Tensor) -> Tensor:
        """(B, C, H, W) pictures in [-1, 1], masked."""
        return torch.where(_draws(image) < self.fraction, -1.0, image)


class SaltAndPepper(Settings):
    """Pixels at random turn white or black, with equal chance."""

    kind: Literal["salt-and-pepper"] = "salt-and-pepper"
    fraction: float = Field(0.1, ge=0, le=1)  # of the pixels

    def apply(self, image: Tensor) -> Tensor:
        """(B, C, H, W) pictures in [-1, 1], peppered."""
        draws = _draws(image)
        return torch.where(draws < self.fraction, torch.where(draws < self.fraction / 2, -1.0, 1.0), image)


class GaussianNoise(Settings):
    """Normal noise on every number; what leaves the range stays outside."""

    kind: Literal["gaussian"] = "gaussian"
    deviation: float = Field(0.3, ge=0)  # on the scale [0, 1]

    def apply(self, image: Tensor) -> Tensor:
        """(B, C, H, W) pictures in [-1, 1], with noise."""
        return image + 2 * self.deviation * torch.randn_like(image)


Corruption = Annotated[
    Annotated[NoCorruption, Tag("none")]
    | Annotated[Masking, Tag("masking")]
    | Annotated[SaltAndPepper, Tag("salt-and-pepper")]
    | Annotated[GaussianNoise, Tag("gaussian")],
    discriminate_by("kind", "none"),
]


class Dense(Settings):
    """Every number of the code counts."""

    kind: Literal["none"] = "none"


class KSparse(Settings):
    """The k largest numbers of the code count; the others are 0."""

    kind: Literal["k-sparse"] = "k-sparse"
    k: int = Field(25, ge=1)
    anneal_steps: int = Field(0, ge=0)  # over which k falls linearly from the whole code; the paper: half the training
    alpha: float = Field(1.0, ge=1)  # in use, alpha times k numbers are kept; 1 to 3 in the paper

    def kept_at(self, step: int, latent: int) -> int:
        """How many of `latent` numbers are kept at a step of the training."""
        left = max(0.0, 1 - step / self.anneal_steps) if self.anneal_steps else 0.0
        return round(self.k + left * (latent - self.k))

    def kept_in_use(self, latent: int) -> int:
        """How many are kept once trained."""
        return min(latent, round(self.alpha * self.k))


class L1Sparse(Settings):
    """Numbers of the code are pulled to 0, and none is negative."""

    kind: Literal["l1"] = "l1"
    weight: float = Field(0.1, gt=0)  # of the sum of a picture's code


Sparsity = Annotated[
    Annotated[Dense, Tag("none")] | Annotated[KSparse, Tag("k-sparse")] | Annotated[L1Sparse, Tag("l1")],
    discriminate_by("kind", "none"),
]


class AutoencoderConfig(ModelConfig):
    """An autoencoder; by default a plain one."""

    batch_type: ClassVar[type[Pictures]] = Pictures
    name: Literal["autoencoder"] = "autoencoder"
    channels: int = Field(1, ge=1)
    size: int = Field(28, ge=1)  # pixels on a side; it takes no other
    latent: int = Field(32, ge=1)  # numbers in a code
    body: BodyConfig = MLPBody()  # of encoder and decoder
    corruption: Corruption = NoCorruption()  # of the input, in training
    code_dropout: float = Field(0.0, ge=0, lt=1)  # chance of a number of the code to be 0, in training
    sparsity: Sparsity = Dense()
    loss: Literal["cross-entropy", "squared"] = "cross-entropy"
    adam: Adam = Adam(lr=1e-3, beta1=0.9)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if isinstance(self.sparsity, KSparse) and self.sparsity.k > self.latent:
            raise ValueError(f"sparsity.k is {self.sparsity.k}, and a code has {self.latent} numbers; raise latent")
        return self

    @property
    def expects(self) -> dict[str, int]:
        """Channels of the pictures."""
        return {"channels": self.channels}

    def size_problem(self, size: int) -> str | None:
        """Why squares of `size` pixels cannot be learned from, if they cannot."""
        return f"model.size is {self.size}" if size != self.size else self.body.size_problem(size)

    def translator(self) -> "Autoencoder":
        """Encoder and decoder."""
        return Autoencoder(self)

    def recipe(self) -> "AutoencoderRecipe":
        """Encoder and decoder with their loss."""
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
        """(B, channels, size, size) in [-1, 1] to their reconstructions, in the same range."""
        return self.decode(self.encode(image))

    def encode(self, image: Tensor) -> Tensor:
        """(B, channels, size, size) pictures in [-1, 1] to their codes, (B, latent), as sparse as in use."""
        kept = self.sparsity.kept_in_use(self.latent) if isinstance(self.sparsity, KSparse) else self.latent
        return self.code(image, kept)

    def decode(self, code: Tensor) -> Tensor:
        """(B, latent) codes to pictures, (B, channels, size, size) in [-1, 1]."""
        return self.picture(self.raw(code))

    def code(self, image: Tensor, kept: int) -> Tensor:
        """Codes of which, where they are k-sparse, the `kept` largest numbers are kept."""
        numbers: Tensor = self.encoder(from_zero(image), _unlabelled(image))
        if isinstance(self.sparsity, KSparse):
            return keep_largest(numbers, kept)
        return F.relu(numbers) if isinstance(self.sparsity, L1Sparse) else numbers

    def raw(self, code: Tensor) -> Tensor:
        """What the decoder makes of codes: logits for the cross-entropy, else pictures, of any range."""
        raw: Tensor = self.decoder(code, _unlabelled(code))
        return raw

    def picture(self, raw: Tensor) -> Tensor:
        """What the decoder made, as pictures in [-1, 1]."""
        return 2 * torch.sigmoid(raw) - 1 if self.logits else raw.clamp(-1, 1)


class AutoencoderRecipe(Recipe[Pictures, Autoencoder]):
    """How an autoencoder learns."""

    hints: ClassVar[dict[FailureMode, str]] = {
        "generator copies its input": "train for longer, or set model.corruption to what the pictures suffer from",
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
        """One Adam for both halves."""
        return {"autoencoder": self.config.adam.of(self.model)}

    def trunks(self) -> dict[Trunk, nn.Module]:
        """The encoder but for its last layer."""
        return {"encoder": self.model.encoder.trunk}

    def updates(self, batch: Pictures, step: int) -> Iterator[Update]:
        """Corrupt the picture, and lower the distance between what comes out and the picture as it was."""
        sparsity, latent = self.config.sparsity, self.config.latent
        kept = sparsity.kept_at(step, latent) if isinstance(sparsity, KSparse) else latent
        code = self.model.code(self.config.corruption.apply(batch.image), kept)
        raw = self.model.raw(F.dropout(code, self.config.code_dropout))
        losses = {"reconstruction": self.distance(raw, batch.image).mean()}
        if isinstance(sparsity, L1Sparse):
            losses["sparsity"] = sparsity.weight * code.float().abs().sum(1).mean()
        yield Update("autoencoder", losses, {} if isinstance(sparsity, Dense) else {"active": active(code).mean()})

    def preview(self, model: Autoencoder, batch: Pictures) -> list[Preview]:
        """Reconstructions beside their originals, and before them, where there is corruption, what they are made of."""
        if isinstance(self.config.corruption, NoCorruption):
            return [Preview(None, translate_batch(model, batch.image), batch.image)]
        corrupted = self.config.corruption.apply(batch.image)
        return [Preview(corrupted, translate_batch(model, corrupted), batch.image)]

    def validate(self, model: Autoencoder, batch: Pictures) -> dict[str, Tensor]:
        """The trained `error` of corrupted pictures, how close they come to clean ones, and how sparse codes are."""
        with evaluating(model):
            code = model.encode(self.config.corruption.apply(batch.image))
            raw = model.raw(code)
            figures = {
                "error": self.distance(raw, batch.image),
                **reconstruction_metrics(model.picture(raw), batch.image),
            }
            return figures if isinstance(self.config.sparsity, Dense) else {**figures, "active": active(code)}


def keep_largest(numbers: Tensor, kept: int) -> Tensor:
    """(B, n) numbers with all but the `kept` largest of each row set to 0; only what is kept has a gradient."""
    if kept >= numbers.shape[1]:
        return numbers
    mask = torch.zeros_like(numbers).scatter_(1, numbers.topk(kept, dim=1, sorted=False).indices, 1.0)
    return numbers * mask


def active(code: Tensor) -> Tensor:
    """The share of numbers in each code that are not 0, (B,)."""
    return (code != 0).float().mean(1)


def _draws(image: Tensor) -> Tensor:
    """Uniform in [0, 1), one for each pixel of each picture: (B, 1, H, W)."""
    return torch.rand(len(image), 1, *image.shape[-2:], device=image.device)


def _unlabelled(batch: Tensor) -> Tensor:
    return torch.zeros(len(batch), dtype=torch.int64, device=batch.device)
