"""idx files: written here as their publishers write them, whole and damaged."""

import gzip
import itertools
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from datasets.contract import stack
from datasets.errors import DataError
from datasets.idx import IdxConfig, read_idx
from translate.training.batches import Order, load_batches

Write = Callable[..., np.ndarray]
TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


@pytest.fixture(params=[True, False], ids=["zipped", "plain"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, write_idx: Write) -> Path:
    """Twelve pictures of 5 x 5 for training, and four held out."""
    write_idx(tmp_path / "idx", "train", 12, 0, zipped=request.param)
    write_idx(tmp_path / "idx", "t10k", 4, 1, zipped=request.param)
    return tmp_path / "idx"


@pytest.fixture
def train(tmp_path: Path, write_idx: Write) -> Path:
    """Twelve zipped pictures of 5 x 5 and nothing held out."""
    write_idx(tmp_path / "idx", "train", 12)
    return tmp_path / "idx"


def config(**settings) -> IdxConfig:
    return IdxConfig.model_validate({"size": 5, **settings})


def put(path: Path, *dimensions: int, content: bytes | None = None, kind: int = 8) -> None:
    """Write an idx file of ones, or of other content."""
    values = b"\1" * int(np.prod(dimensions)) if content is None else content
    path.write_bytes(struct.pack(f">HBB{len(dimensions)}I", 0, kind, len(dimensions), *dimensions) + values)


def test_what_was_written_is_read_and_the_published_split_is_kept(folder, write_idx):
    opened = config().open(folder)
    assert (len(opened.training), len(opened.validation), opened.domains) == (12, 4, ("0", "1", "2"))
    images = write_idx(folder.parent / "again", "train", 12, 0)
    for index in range(12):
        image, label = opened.training.sample(index, seed=0)
        expected = torch.tensor(images[index] / 255 * 2 - 1, dtype=torch.float32)[None]
        assert torch.allclose(image, expected, atol=1e-6)
        assert (label.item(), label.dtype) == (index % 3, torch.int64)
    assert opened.validation.name(2) == "t10k/2"


def test_black_and_white_are_exactly_the_ends_of_the_range(train):
    (train / TRAIN_IMAGES).unlink()
    put(train / "train-images-idx3-ubyte", 12, 1, 2, content=bytes([0, 255] * 12))
    image = config(size=2).open(train).training.sample(0, 0).image
    assert image[0, 0].tolist() == [-1, 1]


def test_gathering_is_stacking(folder):
    samples = config().open(folder).training
    assert samples.in_memory
    gathered = samples.gather([3, 0, 7, 3], [0] * 4)
    stacked = stack([samples.sample(index, 0) for index in (3, 0, 7, 3)])
    assert all(torch.equal(one, other) for one, other in zip(gathered, stacked, strict=True))
    assert all(one.dtype == other.dtype for one, other in zip(gathered, stacked, strict=True))


def test_changing_a_batch_changes_no_data(train):
    samples = config(validation_fraction=0).open(train).training
    before = samples.gather([0], [0]).image
    samples.gather(range(12), [0] * 12).image.zero_()
    assert torch.equal(samples.gather([0], [0]).image, before)


def test_an_epoch_of_batches_holds_every_picture_once(train):
    samples = config(validation_fraction=0).open(train).training
    batches = itertools.islice(load_batches(samples, Order(12, 0, 0, 4, 1, 0, 1), 0, 2), 3)
    seen = torch.cat([batch.image for (batch,) in batches]).flatten(1)
    every = samples.gather(range(12), [0] * 12).image.flatten(1)
    assert sorted(seen.tolist()) == sorted(every.tolist())
    assert not torch.equal(seen, every)


def test_a_larger_size_is_a_frame_of_a_stated_gray(folder):
    image = config(size=8, padding=255).open(folder).training.sample(0, 0).image
    assert image.shape == (1, 8, 8)
    assert torch.equal(image[:, 1:6, 1:6], config().open(folder).training.sample(0, 0).image)
    frame = image.clone()
    frame[:, 1:6, 1:6] = 1
    assert (frame == 1).all()
    assert (config(size=8).open(folder).training.sample(0, 0).image[0, 0] == -1).all()


@pytest.mark.parametrize("size", [3, 11])
def test_pictures_can_be_scaled_instead(folder, size):
    samples = config(size=size, fit="resize").open(folder).training
    image = samples.sample(0, 0).image
    assert image.shape == (1, size, size)
    own = config().open(folder).training.sample(0, 0).image
    assert image.mean().item() == pytest.approx(own.mean().item(), abs=0.15)
    assert not torch.equal(image, samples.sample(1, 0).image)


def test_without_a_published_split_a_share_is_held_out(train):
    opened = config(validation_fraction=0.25, domains=("a", "b", "c")).open(train)
    assert (len(opened.training), len(opened.validation), opened.domains) == (9, 3, ("a", "b", "c"))
    parts = (opened.training, opened.validation)
    names = [part.name(index) for part in parts for index in range(len(part))]
    assert sorted(names) == sorted(f"train/{row}" for row in range(12))
    for part in parts:  # a name leads to its own picture
        for index in range(len(part)):
            assert int(part.sample(index, 0).label) == int(part.name(index).removeprefix("train/")) % 3
    assert len(config(validation_fraction=0).open(train).validation) == 0


def test_labels_are_places_among_the_numbers_that_occur(train):
    (train / TRAIN_LABELS).unlink()
    put(train / "train-labels-idx1-ubyte", 12, content=bytes([26, 3, 7] * 4))
    opened = config(validation_fraction=0).open(train)
    assert opened.domains == ("3", "7", "26")
    assert opened.training.gather(range(3), [0] * 3).label.tolist() == [2, 0, 1]


def test_another_content_is_another_fingerprint(tmp_path, write_idx):
    write_idx(tmp_path / "one", "train", 6, 0)
    write_idx(tmp_path / "other", "train", 6, 5)
    write_idx(tmp_path / "same", "train", 6, 0, zipped=False)
    prints = [config().open(tmp_path / name).fingerprint for name in ("one", "other", "same")]
    assert prints[0] != prints[1]
    assert prints[0] == prints[2]
    write_idx(tmp_path / "same", "t10k", 6, 0)
    assert config().open(tmp_path / "same").fingerprint != prints[0]


def test_names_that_unpacking_programs_give_are_found(train):
    (train / "train-images.idx3-ubyte").write_bytes(gzip.decompress((train / TRAIN_IMAGES).read_bytes()))
    (train / TRAIN_IMAGES).unlink()
    (train / TRAIN_LABELS).write_bytes(gzip.decompress((train / TRAIN_LABELS).read_bytes()))  # unpacked by a browser
    assert len(config(validation_fraction=0).open(train).training) == 12


def zipped(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda content: gzip.compress(change(gzip.decompress(content)))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda content: content[:-20], "damaged or cut-off gzip file: download it again"),
        (lambda content: content[:5], "damaged or cut-off gzip file"),
        (lambda content: content[:30] + b"torn" + content[34:], "damaged or cut-off gzip file"),
        (lambda content: b"", r"is not an idx file: it begins with nothing, expected 00 00 08"),
        (lambda content: b"<html>404", r"is not an idx file: it begins with 3c 68 74 6d"),
        (zipped(lambda content: content[:-1]), "states 12x5x5 values, and holds 299: download it again"),
        (zipped(lambda content: content + b"\0"), "states 12x5x5 values, and holds 301"),
        (
            zipped(lambda content: content[:4] + b"\xff" * 12 + content[16:]),
            "states 4294967295x4294967295x4294967295 val",
        ),
        (zipped(lambda content: b"\0\0\x0d\x01" + bytes(8)), "expected an idx file of unsigned bytes, .* type 0x0d"),
        (zipped(lambda content: content[:9]), "cut off within its header"),
        (zipped(lambda content: b"\0\0\x08\x00\x07"), "expected train pictures .* found the dimensions none"),
    ],
)
def test_a_damaged_file_is_one_sentence(train, change, sentence):
    path = train / TRAIN_IMAGES
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=sentence) as caught:
        config().open(train)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("shape", [(12, 5), (4, 5, 5, 3), (12, 0, 5), (0, 5, 5)])
def test_what_is_no_gray_picture_is_said(train, shape):
    (train / TRAIN_IMAGES).unlink()
    put(train / "train-images-idx3-ubyte", *shape)
    with pytest.raises(DataError, match=f"expected train pictures .* dimensions {'x'.join(map(str, shape))}"):
        config().open(train)


def test_what_does_not_belong_together_is_said(train, tmp_path, write_idx):
    with pytest.raises(DataError, match=r"5x5 pixels, and data\.size is 4; set data\.size to 5 or more"):
        config(size=4).open(train)
    with pytest.raises(DataError, match=r"has 3 different labels, from 0 to 2, and data\.domains has 2 names"):
        config(domains=("a", "b")).open(train)
    write_idx(tmp_path / "fewer", "train", 11)
    (train / TRAIN_LABELS).write_bytes((tmp_path / "fewer" / TRAIN_LABELS).read_bytes())
    with pytest.raises(
        DataError, match=r"has 12 train pictures and labels of the dimensions 11; expected one label for each"
    ):
        config().open(train)
    (train / TRAIN_LABELS).unlink()
    with pytest.raises(DataError, match=f"expected train-labels-idx1-ubyte or .*, found {TRAIN_IMAGES}"):
        config().open(train)


def test_a_label_that_only_the_held_out_files_know_is_said(train, write_idx):
    write_idx(train, "t10k", 3)
    (train / "t10k-labels-idx1-ubyte.gz").unlink()
    put(train / "t10k-labels-idx1-ubyte", 3, content=bytes([0, 1, 9]))
    with pytest.raises(DataError, match="the label 9 is in its t10k files, and not in its train ones"):
        config().open(train)


@pytest.mark.parametrize("there", ["nothing", "file", "photos"])
def test_a_folder_without_idx_files_is_answered_with_what_was_expected(tmp_path, photos, there):
    root = photos if there == "photos" else tmp_path / there
    if there == "file":
        root.touch()
    with pytest.raises(DataError, match=r"expected train-images-idx3-ubyte or .*\.gz, .* found no idx file"):
        config().open(root)


def test_a_name_stands_for_one_label():
    with pytest.raises(ValidationError, match="domains: a is the name of more than one label"):
        IdxConfig(domains=("a", "b", "a"))


def test_what_was_read_has_its_shape(tmp_path):
    put(tmp_path / "x", 2, 3, 4, content=bytes(range(24)))
    assert np.array_equal(read_idx(tmp_path / "x"), np.arange(24).reshape(2, 3, 4))
