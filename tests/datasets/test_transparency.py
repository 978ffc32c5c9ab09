"""Pictures with alpha as training data: laid on a background, learned as a channel, or ignored; alike in every kind."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from datasets.codecs.images import Picture
from datasets.contract import DataConfig, OpenedData
from datasets.pixels import show_alpha, take_off, to_floats
from datasets.storage.image_files import count_alpha
from translate.experiment import DATA_CONFIGS

SIDE = 24
CROP = {"size": 16}
WHITE, RED, BLUE, HIDDEN = (255, 255, 255), (255, 0, 0), (0, 0, 255), (0, 200, 0)

# Of each kind: where its pictures lie, and its settings.
KINDS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "pictures": ((".",), {}),
    "paired": (("A", "B"), {}),
    "paired-derived": ((".",), {"pairs": {"kind": "derived", "degradation": "noise"}}),
    "paired-halves": ((".",), {"pairs": {"kind": "side-by-side"}}),
    "unpaired": (("A", "B"), {}),
    "attributes": (("A", "B"), {}),
    "super-resolution": ((".",), {"scale": 2}),
    "super-resolution-folders": (("LR", "HR"), {"scale": 2, "small": {"kind": "folders"}}),
    "inpainting": ((".",), {}),
}


def badge(width: int = SIDE, height: int = SIDE) -> Image.Image:
    """Red, with green hidden under full transparency in its left half."""
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[:, :, :3], pixels[:, :, 3] = RED, 255
    pixels[:, : width // 2] = (*HIDDEN, 0)
    return Image.fromarray(pixels)


def open_badges(kind: str, root: Path, **settings: Any) -> tuple[DataConfig, OpenedData[Any]]:
    folders, more = KINDS[kind]
    for folder, index in itertools.product(folders, range(6)):
        path = root / folder / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        side = SIDE // 2 if folder == "LR" else SIDE
        picture = badge(side, side)
        if kind == "paired-halves":
            picture = Image.fromarray(np.tile(np.asarray(picture), (1, 2, 1)))
        picture.save(path)
    name = next(
        config.model_fields["kind"].default
        for config in DATA_CONFIGS
        if kind.startswith(config.model_fields["kind"].default)
    )
    config = next(config for config in DATA_CONFIGS if config.model_fields["kind"].default == name)
    crop = CROP if "super" in kind else {**CROP, "load": None}
    tree: Mapping[str, Any] = {"crop": crop, **more, **settings}
    experiment = config.model_validate(tree)
    return experiment, experiment.open(root)


def colours_of(data: OpenedData[Any]) -> Tensor:
    """All pictures of the first samples, of training and of validation, as (N, C) levels from 0 to 255."""
    batches = [samples.gather([0, 0], [1, 2]) for samples in (data.training, data.validation)]
    fields = [field for batch in batches for field in batch if field.ndim == 4 and field.shape[1] > 1]
    assert fields
    return torch.cat([(field.movedim(1, -1).flatten(0, 2) + 1) * 127.5 for field in fields]).round()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_transparent_has_the_colour_of_the_background(kind: str, tmp_path: Path) -> None:
    for number, (background, expected) in enumerate({"white": WHITE, "blue": BLUE}.items()):
        _, data = open_badges(kind, tmp_path / str(number), background=background)
        green = colours_of(data)[:, 1]
        assert data.with_alpha > 0
        if "derived" in kind:  # of noise there is a little of each colour
            continue
        assert float(green.max()) == expected[1]
    colours = colours_of(open_badges(kind, tmp_path / "default")[1])
    hidden = (colours - torch.tensor(HIDDEN)).abs().amax(1)
    assert float(hidden.min()) > 60  # the colours under full transparency are seen nowhere


@pytest.mark.parametrize("kind", KINDS)
def test_alpha_that_is_no_transparency_can_be_ignored(kind: str, tmp_path: Path) -> None:
    config, data = open_badges(kind, tmp_path, background=None)
    if "derived" not in kind:
        colours = colours_of(data)
        assert colours.unique(dim=0).tolist() == [[*RED]]
    assert "ignored" in config.describe_alpha(data.with_alpha)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("pictures", {"picture_channels": 4}),
        ("unpaired", {"picture_channels": 4}),
        ("attributes", {"picture_channels": 4}),
        ("paired", {"source_channels": 4, "target_channels": 4}),
        ("paired-halves", {"source_channels": 4, "target_channels": 4}),
    ],
)
def test_alpha_is_a_channel_where_the_channels_say_so(kind: str, settings: dict[str, int], tmp_path: Path) -> None:
    config, data = open_badges(kind, tmp_path, background="blue", **settings)
    # Red where it shows, and the background, not the hidden colour, where nothing does.
    assert colours_of(data).unique(dim=0).tolist() == [[*BLUE, 0], [*RED, 255]]
    assert "fourth channel" in config.describe_alpha(data.with_alpha)  # type: ignore[attr-defined]
    jittered = open_badges(kind, tmp_path, **settings, crop={**CROP, "load": None, "jitter": 0.5})[1]
    assert set(colours_of(jittered)[:, 3].tolist()) == {0, 255}


def test_pictures_are_counted_by_their_headers(tmp_path: Path) -> None:
    badge().save(tmp_path / "a.png")
    badge().convert("RGB").save(tmp_path / "b.png")
    badge().convert("RGB").save(tmp_path / "c.jpg")
    badge().convert("LA").save(tmp_path / "d.png")
    paths = [tmp_path / name for name in ("a.png", "a.png", "b.png", "c.jpg", "d.png")]
    assert count_alpha(paths) == 2


def test_edges_have_no_fringe_of_the_background_nor_of_hidden_colours() -> None:
    """A picture that is made smaller has half transparent edges, whose own colour is that of the visible side."""
    from datasets.pixels import resize

    pixels = np.asarray(badge(25, 10))
    picture = Picture(pixels[:, :, :3], pixels[:, :, 3])
    small = take_off(to_floats(resize(show_alpha(picture, "white", 4), 10, 4)), "white")
    edge = (small[:, :, 3] > 0.01) & (small[:, :, 3] < 0.99)
    assert edge.any()
    assert np.abs(small[edge][:, :3] - (1, 0, 0)).max() < 0.05


def test_what_is_laid_on_a_background_is_what_pillow_makes_of_it() -> None:
    draws = np.random.default_rng(0).integers(0, 256, (9, 7, 4), np.uint8)
    theirs = Image.alpha_composite(Image.new("RGBA", (7, 9), "#336699"), Image.fromarray(draws)).convert("RGB")
    ours = show_alpha(Picture(draws[:, :, :3], draws[:, :, 3]), "#336699")
    assert np.abs(ours.astype(int) - np.asarray(theirs)).max() <= 1


def test_an_opaque_alpha_changes_nothing() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, 1), np.uint8)
    assert show_alpha(Picture(pixels, np.full((3, 3), 255, np.uint8)), "red") is pixels
