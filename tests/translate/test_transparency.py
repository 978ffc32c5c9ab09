"""Pictures with transparency from the training to the result: models see in use what they saw in training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from datasets.codecs.images import Picture, read_picture
from models.contract import Preview, Translator
from models.preview import show_transparency
from translate.experiment import Experiment, load_experiment
from translate.hardware import Numerics
from translate.inference.conversion import to_input, to_output
from translate.inference.model import Model, load_model
from translate.inference.model_file import Card, load_network, model_path, read_card
from translate.sampling.outputs import SampleOptions
from translate.sampling.sampled_folder import run_samples
from translate.sampling.sampler import load_sampler
from translate.sampling.samples import plan_samples
from translate.training.preview import preview_data
from translate.training.session import Training, train

SQUARES = ("data.crop.size=32", "data.crop.load=32")
ONE_CHANNEL_COUNT = ("data.picture_channels=4", "model.channels=4")
RECIPES = {
    "gan": ONE_CHANNEL_COUNT,
    "began": ONE_CHANNEL_COUNT,
    "vae": ("data.kind=pictures", *SQUARES, "model.size=32", *ONE_CHANNEL_COUNT),
    "autoencoder": ("data.kind=pictures", *SQUARES, "model.size=32", *ONE_CHANNEL_COUNT),
    "cyclegan": ONE_CHANNEL_COUNT,
    "cut": ONE_CHANNEL_COUNT,
    "stargan": ONE_CHANNEL_COUNT,
    "pix2pix": ("data.source_channels=4", "data.target_channels=4", "model.channels_in=4", "model.channels_out=4"),
}


@pytest.fixture
def badges(tmp_path: Path) -> Path:
    """A and B with six transparent pictures each: a disc, and another colour hidden around it."""
    rows, columns = np.mgrid[:40, :40] - 19.5
    for number, side in enumerate("AB"):
        (tmp_path / "badges" / side).mkdir(parents=True)
        for index in range(6):
            pixels = np.full((40, 40, 4), (255, 200, 0, 0), np.uint8)
            disc = rows**2 + columns**2 < (10 + index) ** 2
            pixels[disc] = (40 * index, 80 * number, 255, 255)
            Image.fromarray(pixels).save(tmp_path / "badges" / side / f"{index}.png")
    return tmp_path / "badges"


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_model_learns_alpha_as_a_channel_and_writes_it(
    recipe: str, badges: Path, smaller: Callable[[str], list[str]], tmp_path: Path
) -> None:
    experiment, run = load_experiment(recipe, [*smaller(recipe), *RECIPES[recipe]]), tmp_path / "run"
    last = [*train(experiment, badges, run, device="cpu")][-1]
    assert last.losses
    assert all(np.isfinite([*last.losses.values()]))
    assert read_picture(run / "samples" / "step_0000002.png").alpha is None
    network, card = load_network(model_path(run))
    assert card.composed_on == "white"
    if recipe in {"gan", "began", "vae"}:
        sampler = load_sampler(run, device="cpu")
        plan = plan_samples(sampler, tmp_path / "out", 4, 0, True, SampleOptions())
        assert {outcome.status for outcome in run_samples(sampler, plan)} == {"ok"}
        assert read_picture(tmp_path / "out" / "000000.png").alpha is not None
        assert read_picture(tmp_path / "out" / "grid.png").alpha is None
    if isinstance(network, Translator):
        assert not network.fills_holes
        picture = Image.fromarray(np.full((32, 32, 4), 99, np.uint8))
        to = network.domains[0] if network.domains else None
        assert load_model(run, device="cpu", precision="fp32")(picture, to=to).mode == "RGBA"


def test_what_became_of_alpha_is_said_once_and_kept_in_the_model(
    badges: Path, tiny: Callable[..., Experiment], tmp_path: Path
) -> None:
    for setting, sentence, kept in (
        ("white", "12 pictures have alpha: laid on white", "white"),
        ("null", "12 pictures have alpha, which is ignored", None),
    ):
        run = tmp_path / setting
        training = Training(
            tiny(f"data.background={setting}", "training.steps=1", recipe="pix2pix"), badges, run, device="cpu"
        )
        notes = [note for progress in training.run() for note in progress.notes if "alpha" in note]
        assert len(notes) == 1
        assert sentence in notes[0]
        assert read_card(run / "last.safetensors").composed_on == kept


def test_opaque_pictures_leave_models_as_they_were(
    photos: Path, tiny: Callable[..., Experiment], tmp_path: Path
) -> None:
    training = Training(tiny("training.steps=1"), photos, tmp_path / "run", device="cpu")
    assert not [note for progress in training.run() for note in progress.notes if "alpha" in note]
    assert read_card(tmp_path / "run" / "last.safetensors").composed_on is None


class Echo(Translator):
    """Returns its input, and keeps it."""

    margin = 0

    def __init__(self) -> None:
        super().__init__()
        self.shift = torch.nn.Parameter(torch.zeros(()))

    def forward(self, image: Tensor, domain: int = 0) -> Tensor:
        self.seen = image.detach().clone()
        return image + self.shift


@pytest.mark.parametrize("background", ["white", "#204060", None])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_model_sees_the_background_of_its_training_and_the_result_does_not_hold_it(
    background: str | None, dtype: Any, tiny: Callable[..., Experiment]
) -> None:
    draws = np.random.default_rng(0)
    highest = int(np.iinfo(dtype).max)
    pixels = draws.integers(0, highest + 1, (12, 10, 3), dtype)
    alpha = draws.choice(np.array([0, highest // 2, highest], dtype), (12, 10))
    picture, echo = Picture(pixels, alpha), Echo()
    card = Card(experiment=tiny(), step=0, trained_size=16, composed_on=background)
    result = Model(echo, card, "", torch.device("cpu"), Numerics("fp32", "contiguous", 1))(picture)
    assert result.alpha is not None
    np.testing.assert_array_equal(result.alpha, alpha)
    visible = alpha > 0
    assert np.abs(result.pixels[visible].astype(int) - pixels[visible]).max() <= 2
    if background is not None:
        hidden = echo.seen[0].permute(1, 2, 0)[torch.from_numpy(alpha == 0)]
        levels = ((hidden.mean(0) + 1) * 127.5).round().tolist()
        assert levels == [255.0] * 3 if background == "white" else levels == [0x20, 0x40, 0x60]


def test_gray_pictures_and_other_sizes_keep_their_kind() -> None:
    gray = Picture(np.full((8, 8, 1), 100, np.uint8), np.repeat(np.array([0, 128, 255, 255] * 2, np.uint8)[None], 8, 0))
    echo = Echo()
    output = echo(to_input(gray, echo, 16, "white")[None])[0].detach()
    result = to_output(output, gray, echo, 16, "white")
    assert result.pixels.shape == (8, 8, 1)
    assert np.abs(result.pixels[:, [2, 3, 6, 7]].astype(int) - 100).max() <= 20


def test_transparency_is_shown_by_squares() -> None:
    clear = torch.cat([torch.ones(1, 3, 32, 32), -torch.ones(1, 1, 32, 32)], 1)
    board = show_transparency(clear)
    assert board.shape == (1, 3, 32, 32)
    assert len(board.unique()) == 2
    opaque = torch.cat([torch.zeros(1, 3, 4, 4), torch.ones(1, 1, 4, 4)], 1)
    assert torch.equal(show_transparency(opaque), torch.zeros(1, 3, 4, 4))
    assert show_transparency(torch.zeros(1, 1, 4, 4)).shape == (1, 1, 4, 4)
    assert Preview(source=opaque, output=clear).strips().shape == (1, 3, 32, 64)


def test_the_preview_of_data_shows_what_is_learned(badges: Path, tmp_path: Path) -> None:
    for background, corner in (("white", 255), ("black", 0)):
        experiment = load_experiment("gan", [f"data.background={background}"])
        preview_data(experiment, badges, tmp_path / "sheet.png", 4)
        assert read_picture(tmp_path / "sheet.png").pixels[2, 2].tolist() == [corner] * 3
