"""A sheet shows the samples that a training gets, with their names or labels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datasets.codecs.images import read_picture
from datasets.mixtures import MIXTURES
from datasets.pixels import to_pixels
from datasets.points import write_points
from models.core.points import plot_points
from translate.experiment import Experiment, load_experiment
from translate.sheet import TITLE
from translate.training.preview import first_samples, preview_data
from translate.training.session import Training

Command = Callable[..., Any]
SAMPLER = ("model.name=gan", "model.generator.width=4", "model.discriminator.width=4", "training.batch_size=3")


def sampler(*overrides: str) -> Experiment:
    return load_experiment("gan", [*SAMPLER, "data.crop.load=null", *overrides])


def points(folder: Path) -> Experiment:
    write_points(MIXTURES["grid"].draw(3000, 0), folder / "points.csv")
    bodies = ["model.generator.name=mlp", "model.discriminator.name=mlp", "model.output=linear"]
    return load_experiment("gan", [*bodies, "data.kind=points", "model.channels=2", "model.size=1"])


def first_batches(training: Training) -> list[Any]:
    """The micro-batches of the first two steps."""
    steps = training._load_batches()
    batches = [*next(steps), *next(steps)]
    steps.close()
    return batches


@pytest.mark.parametrize("accumulate", [1, 2])
def test_what_is_shown_is_what_a_training_gets(
    busy: Callable[..., Experiment], photos: Path, tmp_path: Path, accumulate: int
) -> None:
    experiment = busy("training.batch_size=2", f"training.accumulate={accumulate}", "training.seed=5")
    batches = first_batches(Training(experiment, photos, tmp_path / "run", device="cpu"))
    shown = first_samples(experiment, experiment.data.open(photos).training, 4 * accumulate - 1)
    for name in ("source", "target"):
        got = torch.cat([getattr(batch, name) for batch in batches])
        assert torch.equal(getattr(shown, name), got[:-1])


def test_a_pair_is_a_row_of_its_two_pictures(tiny: Callable[..., Experiment], pairs: Path, tmp_path: Path) -> None:
    experiment = tiny("data.crop.size=256", recipe="pix2pix")  # as high as a row: nothing is scaled
    assert preview_data(experiment, pairs, tmp_path / "new" / "sheet.png", 2) == 2
    sheet = read_picture(tmp_path / "new" / "sheet.png").pixels
    shown = first_samples(experiment, experiment.data.open(pairs).training, 2)
    for row in range(2):
        top = TITLE + row * 262
        assert np.array_equal(sheet[top : top + 256, :256], to_pixels(shown.source[row], 8))
        assert np.array_equal(sheet[top : top + 256, -256:], to_pixels(shown.target[row], 8))
    assert (sheet[:TITLE, :256] < 128).any()
    assert (sheet[:TITLE, -256:] < 128).any()


def test_a_picture_is_shown_beside_itself_with_its_hole_in_white(photos: Path, tmp_path: Path) -> None:
    experiment = load_experiment("inpaint", ["data.crop.load=null", "data.crop.size=256", "data.masks.thin=5"])
    assert preview_data(experiment, photos, tmp_path / "sheet.png", 2) == 2
    sheet = read_picture(tmp_path / "sheet.png").pixels
    shown = first_samples(experiment, experiment.data.open(photos).training, 2)
    for row in range(2):
        top = TITLE + row * 262
        picture, holed = to_pixels(shown.image[row], 8), sheet[top : top + 256, -256:]
        hole = shown.mask[row, 0].numpy() > 0
        assert np.array_equal(sheet[top : top + 256, :256], picture)
        assert (holed[hole] == 255).all()
        assert np.array_equal(holed[~hole], picture[~hole])


def test_unpaired_pictures_stand_under_the_names_of_their_folders(pairs: Path, tmp_path: Path) -> None:
    sheets = []
    for name in ("B", "W"):
        if not (pairs / name).exists():
            (pairs / "B").rename(pairs / name)
        experiment = load_experiment("cyclegan", ["data.crop.load=null", "data.crop.size=256", f"data.b={name}"])
        assert preview_data(experiment, pairs, tmp_path / "sheet.png", 2) == 2
        sheets.append(read_picture(tmp_path / "sheet.png").pixels)
    assert np.array_equal(sheets[0][TITLE:], sheets[1][TITLE:])
    assert np.array_equal(sheets[0][:TITLE, :256], sheets[1][:TITLE, :256])
    assert not np.array_equal(sheets[0][:TITLE, 256:], sheets[1][:TITLE, 256:])


def test_labelled_pictures_stand_under_their_labels_and_others_alone(tmp_path: Path, photo: Callable[..., Any]) -> None:
    for seed in range(4):
        (tmp_path / "data" / f"class {seed}").mkdir(parents=True)
        photo(70, 64, seed).save(tmp_path / "data" / f"class {seed}" / "1.png")
    plain = sampler("data.validation_fraction=0")
    labelled = sampler("data.validation_fraction=0", "data.labels.kind=folders", "model.conditional=true")
    for experiment, bar in ((plain, 0), (labelled, TITLE)):
        assert preview_data(experiment, tmp_path / "data", tmp_path / "sheet.png", 4) == 4
        sheet = read_picture(tmp_path / "sheet.png").pixels
        shown = first_samples(experiment, experiment.data.open(tmp_path / "data").training, 4)
        assert sheet.shape == (2 * (64 + bar) + 2, 130, 3)
        for place in range(4):
            top, left = place // 2 * (66 + bar), place % 2 * 66
            cell = sheet[top : top + bar + 64, left : left + 64]
            assert np.array_equal(cell[bar:], to_pixels(shown.image[place], 8))
            if bar:
                assert (cell[:bar] < 128).any()
    # The bars differ as the labels do.
    bars = [sheet[top : top + TITLE, left : left + 64].tobytes() for top in (0, 66 + TITLE) for left in (0, 66)]
    assert len(set(bars)) == 4
    assert sorted(shown.label.tolist()) == [0, 1, 2, 3]


def test_pictures_of_several_labels_stand_under_all_they_have(tmp_path: Path, photo: Callable[..., Any]) -> None:
    rows = {"a.png": "1,1", "b.png": "1,0", "c.png": "0,1", "d.png": "0,0"}
    (tmp_path / "data").mkdir()
    for name in rows:
        photo(64, 64, 0).save(tmp_path / "data" / name)  # the same picture, so that only labels differ
    table = "\n".join(["file,young,blond", *(f"{name},{row}" for name, row in rows.items())])
    (tmp_path / "data" / "labels.csv").write_text(table)
    still = ["data.crop.load=64", "data.crop.size=64", "data.crop.flip=false", "data.validation_fraction=0"]
    experiment = load_experiment("stargan", ["data.labels.kind=csv", *still])
    assert preview_data(experiment, tmp_path / "data", tmp_path / "sheet.png", 4) == 4
    sheet = read_picture(tmp_path / "sheet.png").pixels
    bar = 2 * TITLE  # a line for each label that one of them has
    assert sheet.shape == (2 * (64 + bar) + 2, 130, 3)
    bars = [sheet[top : top + bar, left : left + 64] for top in (0, 66 + bar) for left in (0, 66)]
    assert len({cells.tobytes() for cells in bars}) == 4
    assert sorted(bool((cells[TITLE:] < 128).any()) for cells in bars) == [False, False, False, True]


def test_gray_pictures_of_few_pixels_are_enlarged(write_idx: Callable[..., Any], tmp_path: Path) -> None:
    write_idx(tmp_path / "idx", "train", 12, size=16)
    gray = load_experiment("gan", ["data.kind=idx", "data.size=16", "model.channels=1", "model.size=16"])
    assert preview_data(gray, tmp_path / "idx", tmp_path / "sheet.png") == 16  # the 12 and, in a second epoch, 4 again
    picture = read_picture(tmp_path / "sheet.png").pixels
    assert picture.shape == (4 * (64 + TITLE) + 3 * 2, 4 * 66 - 2, 1)


def test_points_are_plotted(tmp_path: Path) -> None:
    experiment = points(tmp_path)
    (tmp_path / "out").mkdir()
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "points.csv").rename(data / "points.csv")
    assert preview_data(experiment, data, tmp_path / "sheet.png") == 2000
    shown = first_samples(experiment, experiment.data.open(data).training, 2000)
    expected = to_pixels(plot_points(shown.image)[0], 8)
    assert np.array_equal(read_picture(tmp_path / "sheet.png").pixels, expected)
    assert (expected < 128).sum() > 25


def test_the_command_writes_a_sheet_or_explains_why_not(
    command: Command, photos: Path, shrunk: tuple[str, ...], tmp_path: Path
) -> None:
    settings = [word for setting in shrunk for word in ("--set", setting)]

    def stderr(*options: object) -> str:
        ended = command("data", "preview", "restore", "--data", photos, *settings, *options)
        assert ended.out == ""
        assert (ended.code == 0) == ended.err.startswith("done")
        return str(ended.err)

    sheet = tmp_path / "sheet.png"
    assert stderr("--out", sheet) == f"done 16 samples → {sheet}\n"
    assert "exists; choose another name, or set --on-exists to overwrite" in stderr("--out", sheet)
    assert stderr("--out", sheet, "--on-exists", "overwrite") == f"done 16 samples → {sheet}\n"
    new = tmp_path / "new.png"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "sheet.png"]
    assert (
        stderr("--out", tmp_path / "x.txt")
        == f"error: {tmp_path / 'x.txt'}: expected the name of a picture file, such as sheet.png\n"
    )
    assert "lies in the folder of training data" in stderr("--out", photos / "x.png")
    assert "--count is 101, and a sheet shows up to 100 samples" in stderr("--out", new, "--count", 101)
    assert "unknown; did you mean size" in stderr("--out", new, "--set", "data.crop.sice=3")
    assert "cannot be created" in stderr("--out", sheet / "x.png")
    (photos / "c.jpg").write_bytes((photos / "c.jpg").read_bytes()[:-40])
    assert "c.jpg" in stderr("--out", new)  # found while its pixels are read
    (photos / "d.png").write_text("no picture")
    assert "1 of its pictures cannot be used" in stderr("--out", new)
    assert not (photos / "x.png").exists()


def test_a_model_that_cannot_learn_from_the_data_says_so(command: Command, photos: Path, tmp_path: Path) -> None:
    asked = ("--data", photos, "--out", tmp_path / "sheet.png", "--set")
    ended = command("data", "preview", "gan", *asked, "model.conditional=true")
    assert (ended.code, ended.err) == (
        5,
        "error: model.conditional: the data have no labels; set data.labels, or another data.kind\n",
    )
    ended = command("data", "preview", "gan", *asked, "data.kind=paired")
    assert ended.code == 2
    assert "cannot learn from data of the kind paired; set data.kind to pictures or idx or points" in ended.err
    assert not (tmp_path / "sheet.png").exists()
