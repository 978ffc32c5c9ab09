"""Arithmetic on pictures: their latents are added up, and the picture of the sum is made.

Radford, Metz, Chintala 2015, arXiv:1511.06434, section 6.3.2.

Differs from the paper: each latent is that of a picture, from the model's encoder or else found by descent; the paper
adds up means of several latents that were drawn.
"""

import functools
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datasets.codecs.images import read_picture
from datasets.errors import UserError
from datasets.pixels import convert_channels, resize, show_alpha, take_off, to_floats, to_pixels, to_tensor
from models.contract import Encoder
from models.preview import show_transparency
from translate.files import file_digest
from translate.folders.jobs import NothingFoundError
from translate.sampling.latent_search import STARTS, project
from translate.sampling.latents import sample_latent
from translate.sampling.outputs import (
    SampleOptions,
    SamplePlan,
    build_sample_plan,
    picture_output,
    refuse_points,
    sheet_output,
)
from translate.sampling.sampler import LoadedSampler
from translate.sheet import contact_sheet

TERM = re.compile(r"""\s*(?:"([^"]+)"|'([^']+)'|(\S(?:.*?\S)??))(?=\s+[+-]\s|\s*$)""", re.DOTALL)
SIGN = re.compile(r"\s+([+-])\s+")


@dataclass(frozen=True)
class Term:
    """A picture that is added or subtracted.

    Attributes:
        sign: 1 or -1.
        path: The picture's file.
        image: (channels, size, size) in [-1, 1], as the model takes it.
        digest: Of the file.
        notes: On how the picture was changed to fit the model.
    """

    sign: int
    path: Path
    image: Tensor
    digest: str
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The sign and the name of the file."""
        return f"{'+' if self.sign > 0 else '-'} {self.path.stem}"


def parse_terms(text: str) -> list[tuple[int, Path]]:
    """Return the signs and paths of a sum such as `a - b + c`.

    Signs stand between spaces; a name that holds a sign between spaces stands in quotes.

    Raises:
        UserError: It is no such sum.
    """
    terms, position, sign = [], 0, 1
    while True:
        term = TERM.match(text, position)
        if term is None:
            raise UserError(f"`arithmetic`: expected pictures with signs between them, as in a.png - b.png: {text!r}")
        terms.append((sign, Path(next(name for name in term.groups() if name))))
        following = SIGN.match(text, term.end())
        if following is None:
            return terms
        sign, position = 1 if following[1] == "+" else -1, following.end()


def plan_arithmetic(
    loaded: LoadedSampler, destination: Path, text: str, seed: int, options: SampleOptions
) -> SamplePlan:
    """Plan the picture of a sum of latents, and a strip of the terms as files and as the model reproduces them.

    Raises:
        NothingFoundError: A picture is missing.
        UserError: The sum, a picture or the options cannot be used.
    """
    refuse_points(loaded, "arithmetic")
    (label,) = loaded.labels(options.classes, single=True)
    terms = [_read_term(sign, path, loaded) for sign, path in parse_terms(text)]
    images = torch.stack([term.image for term in terms])

    @functools.cache
    def latents() -> Tensor:
        found = _find_latents(loaded, images, label, seed)
        signs = torch.tensor([[float(term.sign)] for term in terms])
        return torch.cat([found, (signs * found).sum(0, keepdim=True)])

    def save_strip(generated: Tensor, path: Path) -> tuple[str, ...]:
        pictures = [to_pixels(image, 8) for image in show_transparency(torch.cat([images, generated]))]
        rows = [[*pictures[: len(terms)], np.full_like(pictures[0], 255)], pictures[len(terms) :]]
        contact_sheet(rows, [*(term.title for term in terms), "= result"], path)
        return tuple(_describe_error(loaded, term, image) for term, image in zip(terms, generated, strict=False))

    summands = " ".join(f"{'+' if term.sign > 0 else '-'} {term.digest}" for term in terms)
    origin = f"{summands}, class {label}" + ("" if isinstance(loaded.sampler, Encoder) else f", seed {seed}")
    result = picture_output(destination, Path("result"), origin, label, lambda: latents()[-1:], options)
    labels = (label,) * (len(terms) + 1)
    strip = sheet_output(destination, Path("strip.png"), origin, labels, latents, save_strip)
    notes = tuple(note for term in terms for note in term.notes)
    return build_sample_plan([result, strip], destination, options, notes)


def _read_term(sign: int, path: Path, loaded: LoadedSampler) -> Term:
    if not path.is_file():
        raise NothingFoundError(f"{path}: there is no such picture; a name that holds ' - ' or ' + ' needs quotes")
    picture, size = read_picture(path), loaded.sampler.size
    width, height, side = picture.width, picture.height, min(picture.width, picture.height)
    top, left = (height - side) // 2, (width - side) // 2
    background, channels = loaded.card.composed_on, loaded.sampler.channels
    pixels = show_alpha(picture, background, channels)
    square = to_floats(resize(pixels[top : top + side, left : left + side], size, size))
    image = to_tensor(convert_channels(take_off(square, background), channels))
    notes = []
    if (width, height) != (size, size):
        cut = "" if width == height else "cut to its middle square and "
        notes.append(f"{path}: {cut}scaled from {width}x{height} to the {size}x{size} pixels of this model")
    return Term(sign, path, image, file_digest(path), tuple(notes))


def _find_latents(loaded: LoadedSampler, images: Tensor, label: int, seed: int) -> Tensor:
    """Return (N, latent), always computed in float32: an error in a latent changes all of its picture."""
    model, placed = loaded.sampler, loaded.numerics.place_batch(images, loaded.device)
    if isinstance(model, Encoder):
        with torch.inference_mode():
            return torch.cat([model.encode(image[None]) for image in placed]).float().cpu()
    starts = torch.stack([sample_latent(model, seed, label, index) for index in range(STARTS)])
    return torch.cat([project(model, image[None], label, starts) for image in placed]).cpu()


def _describe_error(loaded: LoadedSampler, term: Term, reproduced: Tensor) -> str:
    """Return how closely the picture of a term's latent reproduces the term."""
    error = float(((reproduced.clamp(-1, 1) - term.image) / 2).square().mean())
    found_by = "the encoder" if isinstance(loaded.sampler, Encoder) else "descent"
    decibels = "" if error == 0 else f" ({-10 * math.log10(error):.1f} dB)"
    return (
        f"{term.path}: the latent that {found_by} found reproduces it to {255 * math.sqrt(error):.1f} levels "
        f"of 255, root mean square{decibels}"
    )
