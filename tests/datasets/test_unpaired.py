"""Two folders of pictures: what is found, what is put together, and what is held out."""

import unicodedata
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image

from datasets.contract import OpenedData, Unpaired
from datasets.errors import DataError
from datasets.unpaired import UnpairedConfig, UnpairedPictures

Form = Literal["NFC", "NFD"]
CROP = {"load": None, "size": 8, "flip": False}


def config(**settings) -> UnpairedConfig:
    return UnpairedConfig.model_validate({"crop": CROP, "validation_fraction": 0, **settings})


def fill(folder: Path, values: range, side: int = 8) -> None:
    """Pictures that are known by their gray, named by it."""
    folder.mkdir(parents=True, exist_ok=True)
    for value in values:
        Image.new("RGB", (side, side + value % 3), (value,) * 3).save(folder / f"{value}.png")


@pytest.fixture
def folders(tmp_path) -> Path:
    """Five pictures in A of one size, nine in B of others; 3, 4 and 5 are in both."""
    fill(tmp_path / "A", range(1, 6))
    fill(tmp_path / "B", range(3, 12), side=13)
    return tmp_path


def values(sample) -> tuple[int, int]:
    a, b = (round((float(field.mean()) + 1) * 127.5) for field in sample[:2])
    return a, b


def seen(samples, count: int = 200) -> list[tuple[int, int]]:
    return [values(samples.sample(index % len(samples), index)) for index in range(count)]


def names(opened: OpenedData[Unpaired]) -> list[set[str]]:
    """A training, A held out, B training, B held out."""
    training, validation = opened.training, opened.validation
    assert isinstance(training, UnpairedPictures)
    assert isinstance(validation, UnpairedPictures)
    sides = [[training.a, validation.a], [training.b, validation.b]]
    return [{file.name for file in part} for side in sides for part in side]


def test_folders_of_any_sizes_and_counts_give_squares_of_both_domains(folders):
    opened = config().open(folders)
    assert opened.domains == ("A", "B")
    assert len(opened.training) == 9
    for index in range(9):
        a, b, truth = opened.training.sample(index, index)
        assert a.shape == b.shape == (3, 8, 8)
        assert a.dtype == b.dtype == torch.float32
        assert (truth.shape, truth.dtype, bool(truth)) == ((), torch.bool, False)


def test_the_larger_folder_is_walked_through_and_the_other_is_drawn(folders):
    samples = config().open(folders).training
    walked = seen(samples, 9)
    assert [b for _, b in walked] == list(range(3, 12))
    assert {a for a, _ in seen(samples)} == set(range(1, 6))


@pytest.mark.parametrize("turned", [False, True])
def test_pictures_meet_by_the_seed_and_not_in_lockstep(folders, turned):
    samples = config(**({"a": "B", "b": "A"} if turned else {})).open(folders).training
    assert len(set(seen(samples, 2000))) == 45
    assert values(samples.sample(2, 7)) == values(samples.sample(2, 7))


def test_each_picture_is_cut_and_turned_by_itself(tmp_path):
    for domain in "AB":
        (tmp_path / domain).mkdir()
        for number in range(2):
            ramp = np.tile(np.arange(0, 240, 8, dtype=np.uint8), (30, 1))
            Image.fromarray(ramp).save(tmp_path / domain / f"{number}.png")
    samples = config(crop={"load": None, "size": 8, "flip": True}).open(tmp_path).training
    same = [torch.equal(*samples.sample(0, seed)[:2]) for seed in range(30)]
    assert sum(same) < 10


def test_a_tree_of_published_data_sets_names_the_same_domains(folders):
    (folders / "A").rename(folders / "trainA")
    (folders / "B").rename(folders / "trainB")
    assert config().open(folders).domains == ("A", "B")


def test_folders_of_other_names_are_the_domains_names(folders):
    (folders / "A").rename(folders / "horse")
    (folders / "B").rename(folders / "zebra")
    with pytest.raises(DataError, match=r"expected the folders A and B, or trainA .*, found the folders horse, zebra"):
        config().open(folders)
    assert config(a="horse", b="zebra").open(folders).domains == ("horse", "zebra")


def test_one_folder_for_both_is_refused():
    with pytest.raises(ValueError, match="a and b are both A"):
        config(b="A")


@pytest.mark.parametrize(("count", "found"), [(0, "no picture"), (1, "a single picture")])
def test_an_empty_domain_and_one_of_a_single_picture_are_refused(tmp_path, count, found):
    fill(tmp_path / "A", range(2))
    fill(tmp_path / "B", range(count))
    with pytest.raises(DataError, match=f"B holds {found}; .*at least 2 are needed") as caught:
        config().open(tmp_path)
    assert caught.value.exit_code == 5


def test_bad_pictures_are_named_and_can_be_left_out(folders):
    (folders / "A" / "torn.png").write_bytes(b"no picture")
    whole = (folders / "B" / "3.png").read_bytes()
    (folders / "B" / "cut.png").write_bytes(whole[:-30])
    (folders / "B" / "phone.psd").touch()
    with pytest.raises(DataError, match=r"2 of its pictures(?s:.*)A.torn\.png(?s:.*)Photoshop cannot be read"):
        config().open(folders)
    opened = config(skip_bad=True).open(folders)
    assert len(opened.skipped) == 3
    assert names(opened)[2] == {f"{value}.png" for value in range(3, 12)}


def test_a_fraction_of_each_folder_is_held_out_and_stays_so(folders):
    fill(folders / "A", range(50, 80))
    opened = config(validation_fraction=0.2).open(folders)
    learned_a, held_a, learned_b, held_b = names(opened)
    assert (len(held_a), len(held_b), len(learned_a), len(learned_b)) == (7, 2, 28, 7)
    assert not learned_a & held_a
    assert not learned_b & held_b
    assert len(opened.validation) == 7
    (folders / "A" / "1.png").rename(folders / "A" / "new.png")
    assert len(held_a ^ names(config(validation_fraction=0.2).open(folders))[1]) <= 2


def test_held_out_pictures_meet_in_order_whatever_the_seed(folders):
    samples = config(validation_fraction=0.5).open(folders).validation
    assert seen(samples, len(samples)) == [values(samples.sample(index, 99)) for index in range(len(samples))]


def test_where_a_truth_is_known_pairs_are_held_out_and_neither_half_is_learned_from(folders):
    opened = config(truth=True, validation_fraction=0.2).open(folders)
    learned_a, held_a, learned_b, held_b = names(opened)
    assert held_a == held_b
    assert len(held_a) == 1
    assert not held_a & (learned_a | learned_b)
    for index in range(len(opened.validation)):
        sample = opened.validation.sample(index, 0)
        assert values(sample)[0] == values(sample)[1]
        assert bool(sample.truth)
    assert not any(opened.training.sample(index, 0).truth for index in range(9))


def test_if_few_pictures_are_in_both_folders_all_of_those_are_held_out(folders):
    held_out = names(config(truth=True, validation_fraction=0.6).open(folders))[1]
    assert held_out == {"3.png", "4.png", "5.png"}


def test_a_truth_that_is_not_there_is_not_believed(tmp_path):
    fill(tmp_path / "A", range(0, 3))
    fill(tmp_path / "B", range(5, 8))
    with pytest.raises(DataError, match=r"no name is in both; set data\.truth=false"):
        config(truth=True).open(tmp_path)


def test_the_fingerprint_tells_domains_apart(folders):
    before = config().open(folders).fingerprint
    assert config().open(folders).fingerprint == before
    assert config(a="B", b="A").open(folders).fingerprint != before


@pytest.mark.parametrize("channels", [1, 3])
def test_samples_have_the_channels_that_the_config_promises(folders, channels):
    chosen = config(picture_channels=channels)
    sample = chosen.open(folders).training.sample(0, 0)
    assert chosen.channels == (channels,)
    assert (len(sample.a), len(sample.b)) == (channels, channels)


def test_folders_and_pairs_are_found_however_their_names_are_spelled(tmp_path):
    forms: tuple[tuple[str, Form], ...] = (("Zo\u00eb", "NFC"), ("B", "NFD"))
    for folder, form in forms:
        fill(tmp_path / unicodedata.normalize("NFD", folder), range(4))
        for value in range(4):
            file = tmp_path / unicodedata.normalize("NFD", folder) / f"{value}.png"
            file.rename(file.with_stem(unicodedata.normalize(form, f"\u00e9{value}")))
    opened = config(a="Zo\u00eb", truth=True, validation_fraction=0.5).open(tmp_path)
    assert opened.domains == ("Zo\u00eb", "B")
    assert len(opened.validation) == 2
    for index in range(2):
        a, b = values(opened.validation.sample(index, 0))
        assert a == b
