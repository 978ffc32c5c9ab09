"""idx files: written here as their publishers write them, whole and damaged."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from datasets.contract import Gathers, stack
from datasets.errors import DataError
from datasets.idx import IdxConfig, read_idx

Write = Callable[..., np.ndarray]


@pytest.fixture(params=[True, False], ids=["zipped", "plain"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, write_idx: Write) -> Path:
    write_idx(tmp_path / "idx", "train", 12, 0, zipped=request.param)
    write_idx(tmp_path / "idx", "t10k", 4, 1, zipped=request.param)
    return tmp_path / "idx"


def test_what_was_written_is_read_and_the_published_split_is_kept(folder: Path, write_idx: Write) -> None:
    opened = IdxConfig(side=5).open(folder)
    assert (len(opened.training), len(opened.validation), opened.domains) == (12, 4, ("0", "1", "2"))
    images = write_idx(folder.parent / "again", "train", 12, 0)
    for index in range(12):
        image, label = opened.training.sample(index, seed=0)
        expected = torch.tensor(images[index] / 127.5 - 1, dtype=torch.float32)[None]
        assert torch.allclose(image, expected, atol=1e-6)
        assert (label.item(), label.dtype) == (index % 3, torch.int64)
    assert opened.validation.name(2) == "t10k/2"
    assert opened.training.sample(0, 0).image.min() >= -1


def test_gathering_is_stacking(folder: Path) -> None:
    samples = IdxConfig(side=5).open(folder).training
    assert isinstance(samples, Gathers)
    gathered, stacked = samples.gather([3, 0, 7]), stack([samples.sample(index, 0) for index in (3, 0, 7)])
    assert all(torch.equal(one, other) for one, other in zip(gathered, stacked, strict=True))


def test_a_wider_side_is_a_frame(folder: Path) -> None:
    image = IdxConfig(side=8, padding=255).open(folder).training.sample(0, 0).image
    assert image.shape == (1, 8, 8)
    assert torch.equal(image[:, 1:6, 1:6], IdxConfig(side=5).open(folder).training.sample(0, 0).image)
    assert (image[:, 0] == 1).all()
    assert (image[:, 6:] == 1).all()


def test_without_a_published_split_nothing_is_held_out(tmp_path: Path, write_idx: Write) -> None:
    write_idx(tmp_path / "idx", "train", 6, 0)
    opened = IdxConfig(side=5, domains=("a", "b", "c"), limit=4).open(tmp_path / "idx")
    assert (len(opened.training), len(opened.validation), opened.domains) == (4, 0, ("a", "b", "c"))


def test_another_content_is_another_fingerprint(tmp_path: Path, write_idx: Write) -> None:
    write_idx(tmp_path / "one", "train", 6, 0)
    write_idx(tmp_path / "other", "train", 6, 5)
    write_idx(tmp_path / "same", "train", 6, 0, zipped=False)
    prints = [IdxConfig(side=5).open(tmp_path / name).fingerprint for name in ("one", "other", "same")]
    assert prints[0] != prints[1]
    assert prints[0] == prints[2]


def damage(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda content: content[:-20], "damaged or cut off"),
        (lambda content: b"", "is no idx file|damaged or cut off"),
        (lambda content: gzip.compress(gzip.decompress(content)[:-1]), "holds 299: fetch it anew"),
        (lambda content: gzip.compress(b"\0\0\x0d\x01" + bytes(8)), "is no idx file of bytes"),
        (lambda content: gzip.compress(gzip.decompress(content)[:9]), "cut off within its head"),
        (lambda content: content[:30] + b"torn" + content[34:], "damaged or cut off"),
    ],
)
def test_a_damaged_file_is_one_sentence(
    tmp_path: Path, change: Callable[[bytes], bytes], sentence: str, write_idx: Write
) -> None:
    write_idx(tmp_path / "idx", "train", 12, 0)
    damage(tmp_path / "idx" / "train-images-idx3-ubyte.gz", change)
    with pytest.raises(DataError, match=sentence):
        IdxConfig(side=5).open(tmp_path / "idx")


def test_what_does_not_belong_together_is_said(tmp_path: Path, write_idx: Write) -> None:
    write_idx(tmp_path / "idx", "train", 12, 0)
    with pytest.raises(DataError, match=r"5x5 pixels, and data\.side is 4; set data\.side=5"):
        IdxConfig(side=4).open(tmp_path / "idx")
    with pytest.raises(DataError, match=r"labels reach 2, and data\.domains names only 2"):
        IdxConfig(side=5, domains=("a", "b")).open(tmp_path / "idx")
    write_idx(tmp_path / "fewer", "train", 11, 0)
    name = "train-labels-idx1-ubyte.gz"
    (tmp_path / "idx" / name).write_bytes((tmp_path / "fewer" / name).read_bytes())
    with pytest.raises(DataError, match=r"shape \(12, 5, 5\) and labels of shape \(11,\)"):
        IdxConfig(side=5).open(tmp_path / "idx")
    (tmp_path / "idx" / name).unlink()
    with pytest.raises(DataError, match=r"labels-idx1-ubyte: expected an idx file, .* found none"):
        IdxConfig(side=5).open(tmp_path / "idx")


def test_three_dimensions_of_any_size_are_read(tmp_path: Path) -> None:
    array = np.arange(24).reshape(2, 3, 4)
    (tmp_path / "x").write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]) + bytes(range(24)))
    assert np.array_equal(read_idx(tmp_path / "x"), array)
