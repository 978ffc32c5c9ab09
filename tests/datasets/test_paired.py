"""Pairs from two folders, from halves of one file, and from photographs alone."""

import unicodedata
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image

from datasets.contract import Paired, derive_seed, stack
from datasets.degradations.batches import BATCHED
from datasets.degradations.degrade import degrade
from datasets.errors import DataError
from datasets.paired import PairedConfig
from datasets.pairs import DerivedPairs

Form = Literal["NFC", "NFD"]
CROP = {"load": None, "size": 16}


def config(**settings) -> PairedConfig:
    return PairedConfig.model_validate({"crop": CROP, **settings})


def save(path: Path, width: int = 20, height: int = 20, colour: tuple[int, int, int] = (255, 0, 0)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), colour).save(path)


def everything(opened) -> list[str]:
    return sorted(part.name(index) for part in (opened.training, opened.validation) for index in range(len(part)))


def test_pictures_of_one_stem_are_a_pair_in_subfolders_and_across_formats(pairs):
    (pairs / "B" / "1.png").unlink()
    save(pairs / "B" / "1.jpg", 40, 30)
    assert everything(config().open(pairs)) == ["1", "10", "2", "more/3"]


def test_the_source_comes_from_the_first_folder_and_the_target_from_the_second(tmp_path):
    for number in range(3):
        save(tmp_path / "labels" / f"{number}.png", colour=(255, 0, 0))
        save(tmp_path / "photos" / f"{number}.png", colour=(0, 0, 255))
    folders = config(pairs={"source": "labels", "target": "photos"})
    source, target = folders.open(tmp_path).training.sample(0, 0)
    assert source.mean(dim=(1, 2)).tolist() == [1, -1, -1]
    assert target.mean(dim=(1, 2)).tolist() == [-1, -1, 1]


def test_missing_folders_are_answered_with_those_that_are_there(tmp_path):
    save(tmp_path / "trainA" / "1.png")
    with pytest.raises(DataError, match=r"expected the folders A and B, found the folders trainA; .*data\.pairs\.sour"):
        config().open(tmp_path)


def spoil(pairs: Path) -> list[str]:
    """One of each thing that can be wrong; what the list of them must say."""
    save(pairs / "A" / "alone.png")
    save(pairs / "A" / "wide.png", 20, 20)
    save(pairs / "B" / "wide.png", 21, 20)
    save(pairs / "A" / "torn.png")
    (pairs / "B" / "torn.png").write_bytes(b"no picture")
    save(pairs / "B" / "1.jpg", 40, 30)
    (pairs / "A" / "phone.psd").touch()
    return [
        r"alone\.png: has no partner in B",
        r"wide: source and target differ in size, 20x20 and 21x20",
        r"B.torn\.png: ",
        r"B.1\.\w+: 1\.\w+ has the same stem",
        r"phone\.psd: Photoshop cannot be read",
    ]


def test_all_that_is_wrong_is_listed_by_name(pairs):
    expected = spoil(pairs)
    with pytest.raises(DataError, match=r"5 of its pictures cannot be used; .*data\.skip_bad=true") as caught:
        config().open(pairs)
    for sentence in expected:
        assert caught.match(sentence)
    assert caught.value.exit_code == 5


def test_what_is_wrong_can_be_left_out_and_is_counted(pairs):
    expected = spoil(pairs)
    opened = config(skip_bad=True).open(pairs)
    assert everything(opened) == ["1", "10", "2", "more/3"]
    assert len(opened.skipped) == len(expected)


def test_a_long_list_ends_with_how_many_more_there_are(tmp_path):
    for number in range(23):
        (tmp_path / f"{number}.png").touch()
    with pytest.raises(DataError, match=r"23 of its pictures(?s:.*)19\.png(?s:.*)and 3 more") as caught:
        config(pairs={"kind": "derived"}).open(tmp_path)
    assert "20.png" not in str(caught.value)


@pytest.mark.parametrize("settings", [{}, {"skip_bad": True}])
def test_a_folder_without_pairs_is_refused(tmp_path, settings):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match="found no pair of pictures to learn from"):
        config(pairs={"kind": "derived"}, **settings).open(tmp_path)


def test_halves_of_one_file_are_a_pair(tmp_path):
    both = Image.new("RGB", (40, 20), (255, 0, 0))
    both.paste((0, 0, 255), (20, 0, 40, 20))
    both.save(tmp_path / "a.png")
    for side, red, blue in (("left", 0, 1), ("right", 1, 0)):
        opened = config(pairs={"kind": "side-by-side", "source": side}, validation_fraction=0).open(tmp_path)
        sample = opened.training.sample(0, 5)
        assert sample[red].mean(dim=(1, 2)).tolist() == [1, -1, -1]
        assert sample[blue].mean(dim=(1, 2)).tolist() == [-1, -1, 1]


def test_a_width_that_cannot_be_halved_is_said(tmp_path):
    save(tmp_path / "a.png", 41, 20)
    with pytest.raises(DataError, match=r"a\.png: 41 pixels wide"):
        config(pairs={"kind": "side-by-side"}).open(tmp_path)


@pytest.mark.parametrize("name", ["noise", "gray"])
def test_a_derived_source_is_the_degraded_target(photos, name):
    opened = config(pairs={"kind": "derived", "degradation": name}).open(photos)
    for index in range(len(opened.training)):
        source, target = opened.training.sample(index, 7)
        pixels = ((target + 1) / 2).permute(1, 2, 0).numpy()
        expected = degrade(pixels, name, None, derive_seed(7, 1)).transpose(2, 0, 1)
        assert np.allclose((source.numpy() + 1) / 2, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "channels"),
    [
        ({}, (3, 3)),
        ({"target_channels": 1}, (1, 1)),
        ({"source_channels": 1}, (1, 3)),
        ({"pairs": {"kind": "derived", "degradation": "edges"}}, (1, 3)),
        ({"pairs": {"kind": "derived", "degradation": "edges"}, "source_channels": 3}, (3, 3)),
        ({"pairs": {"kind": "derived", "degradation": "blur"}, "target_channels": 1}, (1, 1)),
    ],
)
def test_samples_have_the_channels_that_the_config_promises(pairs, settings, channels):
    chosen = config(**settings)
    assert chosen.channels == channels
    source, target = chosen.open(pairs if "pairs" not in settings else pairs / "A").training.sample(0, 0)
    assert (source.shape, target.shape) == ((channels[0], 16, 16), (channels[1], 16, 16))


def test_a_strength_out_of_reach_is_said_before_any_picture_is_read(tmp_path):
    (tmp_path / "broken.png").touch()
    for strength in (300, (20, 300)):
        with pytest.raises(DataError, match="jpeg: strength is the JPEG quality, from 1 to 95, and 300 was given"):
            config(pairs={"kind": "derived", "degradation": "jpeg", "strength": strength}).open(tmp_path)


def test_two_strengths_are_the_ends_between_which_each_sample_draws_its_own(photos):
    pairs = {"kind": "derived", "degradation": "noise", "strength": (5, 50)}
    samples = config(pairs=pairs).open(photos).training
    deviations = []
    for seed in range(24):
        source, target = samples.sample(0, seed)
        assert torch.equal(source, samples.sample(0, seed).source)
        deviations.append((source - target).std().item() * 255 / 2)
    assert 2 < min(deviations) < 15 < 40 < max(deviations) < 55
    assert samples.without_degradation() is None  # a batch has one strength


def test_samples_are_functions_of_index_and_seed(photos):
    settings = {"pairs": {"kind": "derived", "degradation": "noise"}, "crop": {**CROP, "jitter": 0.3}}
    first, again = (config(**settings).open(photos).training for _ in range(2))
    different = set()
    for seed in range(8):
        sample = first.sample(0, seed)
        assert all(map(torch.equal, sample, again.sample(0, seed)))
        assert all(field.dtype == torch.float32 and field.abs().max() <= 1 for field in sample)
        different.add(sample.target.numpy().tobytes())
    assert len(different) == 8
    plain = config(pairs={"kind": "derived", "degradation": "gray"}).open(photos).training
    assert len({plain.sample(0, seed).target.numpy().tobytes() for seed in range(8)}) > 4


def test_sixteen_bit_and_transparent_pictures_can_be_learned_from(tmp_path):
    Image.fromarray(np.full((20, 20), 65_535, np.uint16)).save(tmp_path / "deep.png")
    Image.new("RGBA", (20, 20), (255, 255, 255, 0)).save(tmp_path / "clear.png")
    opened = config(pairs={"kind": "derived"}, validation_fraction=0).open(tmp_path)
    for index in range(2):
        assert (opened.training.sample(index, 0).target == 1).all()


def test_the_fingerprint_is_of_names_and_sizes_alone(photos, tmp_path):
    derived = config(pairs={"kind": "derived"})
    before = derived.open(photos).fingerprint
    photos.rename(tmp_path / "elsewhere")
    assert derived.open(tmp_path / "elsewhere").fingerprint == before
    save(tmp_path / "elsewhere" / "a.png", 40, 30)
    assert derived.open(tmp_path / "elsewhere").fingerprint != before


def test_a_picture_that_is_cut_off_behind_its_head_is_found_where_bad_ones_are_left_out(photos):
    whole = (photos / "c.jpg").read_bytes()
    (photos / "c.jpg").write_bytes(whole[:-40])
    opened = PairedConfig(pairs=DerivedPairs(), skip_bad=True).open(photos)
    assert len(opened.training) + len(opened.validation) == 5
    assert [sentence for sentence in opened.skipped if "c.jpg" in sentence]
    assert PairedConfig(pairs=DerivedPairs()).open(photos).skipped == ()  # headers alone do not show it


def both_ways(samples) -> tuple[Paired, Paired]:
    """A batch of all samples as the threads degrade them, and as the device does."""
    undegraded, seeds = samples.without_degradation(), range(10, 10 + len(samples))
    assert (len(undegraded), undegraded.name(1)) == (len(samples), samples.name(1))
    batch = stack([undegraded.sample(index, seed) for index, seed in enumerate(seeds)])
    return samples.gather(range(len(samples)), seeds), undegraded.finish(batch, seeds, torch.device("cpu"))


@pytest.mark.parametrize("channels", [{}, {"source_channels": 3}, {"target_channels": 1}])
@pytest.mark.parametrize("name", sorted(BATCHED))
def test_degraded_in_batches_pairs_are_those_of_the_threads(photos, name, channels):
    for gray in ("a.png", "b.png"):
        Image.open(photos / gray).convert("L").save(photos / gray)
    pairs = {"kind": "derived", "degradation": name}
    crop = {**CROP, "jitter": 0.3}
    threads, device = both_ways(config(pairs=pairs, crop=crop, validation_fraction=0, **channels).open(photos).training)
    assert type(device) is Paired
    assert torch.allclose(threads.target, device.target, atol=1e-4)
    assert threads.source.shape == device.source.shape
    if name in ("gray", "blur"):
        assert torch.allclose(threads.source, device.source, atol=1e-3)
    elif name == "noise":
        one, other = ((batch.source - batch.target).std((1, 2, 3)) for batch in (threads, device))
        assert torch.allclose(one, other, rtol=0.15)
        is_gray = [(batch.source.amax(1) == batch.source.amin(1)).all((1, 2)) for batch in (threads, device)]
        assert torch.equal(*is_gray)
    else:
        assert (threads.source - device.source).square().mean() < (threads.source - threads.target).square().mean() / 3


def test_pairs_without_colour_changes_have_exactly_the_targets_of_the_threads(photos):
    samples = config(pairs={"kind": "derived", "degradation": "blur"}).open(photos).training
    threads, device = both_ways(samples)
    assert torch.equal(threads.target, device.target)


def test_what_batches_cannot_do_stays_on_the_threads(photos, pairs):
    derived = {"kind": "derived", "degradation": "edges"}
    assert config(pairs=derived).open(photos).training.without_degradation() is None
    assert config().open(pairs).training.without_degradation() is None


def test_names_that_look_alike_are_a_pair_however_they_are_spelled(tmp_path):
    for number in range(4):
        forms: tuple[tuple[str, Form], ...] = (("Zo\u00eb", "NFC"), ("B", "NFD"))
        for folder, form in forms:
            name = unicodedata.normalize(form, f"Zo\u00eb\u2460{number}")
            save(tmp_path / unicodedata.normalize("NFD", folder) / f"{name}.png")
    opened = config(pairs={"source": "Zo\u00eb"}).open(tmp_path)
    assert everything(opened) == [f"Zo\u00eb\u2460{number}" for number in range(4)]
    assert opened.skipped == ()
