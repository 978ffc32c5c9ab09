"""Points of the plane: written, read back, and what is no table of them."""

import numpy as np
import pytest
import torch

from datasets.contract import stack
from datasets.errors import DataError
from datasets.points import PointsConfig, read_points, write_points


def some(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(scale=3, size=(count, 2)).astype(np.float32)


def test_a_point_is_a_picture_of_two_channels_and_one_pixel_as_it_is(tmp_path):
    points = some(50)
    write_points(points, tmp_path / "points.csv")
    opened = PointsConfig().open(tmp_path)
    assert (len(opened.training), len(opened.validation), opened.domains) == (45, 5, ())
    for part in (opened.training, opened.validation):
        for index in range(len(part)):
            image, label = part.sample(index, 7)
            row = int(part.name(index).removeprefix("row ")) - 2
            assert (image.shape, image.dtype) == ((2, 1, 1), torch.float32)
            assert image.flatten().tolist() == points[row].tolist()
            assert (label.item(), label.dtype) == (0, torch.int64)
    assert np.abs(points).max() > 1
    assert PointsConfig().channels == (2,)
    assert PointsConfig().training_size == 1


def test_gathering_is_stacking(tmp_path):
    write_points(some(9), tmp_path / "points.csv")
    samples = PointsConfig(validation_fraction=0).open(tmp_path).training
    assert samples.in_memory
    gathered = samples.gather([3, 0, 7, 3], [0] * 4)
    stacked = stack([samples.sample(index, 0) for index in (3, 0, 7, 3)])
    assert gathered.image.shape == (4, 2, 1, 1)
    assert all(torch.equal(one, other) for one, other in zip(gathered, stacked, strict=True))


def test_a_point_stays_on_its_side_when_others_come(tmp_path):
    held_out = []
    for count in (200, 210):
        write_points(some(count), tmp_path / "points.csv")
        validation = PointsConfig(validation_fraction=0.2).open(tmp_path).validation
        held_out.append({validation.name(index) for index in range(len(validation))})
    assert len(held_out[0]) == 40
    assert len(held_out[0] - held_out[1]) <= 3
    assert held_out[0] != {f"row {row + 2}" for row in range(40)}


def test_a_table_from_a_spreadsheet_is_read(tmp_path):
    (tmp_path / "points.csv").write_bytes(b"\xef\xbb\xbfx, y\r\n1, -2.5e0\r\n\r\n3,4\r\n")
    assert read_points(tmp_path / "points.csv").tolist() == [[1, -2.5], [3, 4]]
    for encoding, content in (("utf-16", "X;Y\r\n1;-2,5\r\n3;4\r\n"), ("cp1252", ",y,x\n0,-2.5,1\n1,4,3\n")):
        (tmp_path / "points.csv").write_bytes(content.encode(encoding))
        assert read_points(tmp_path / "points.csv").tolist() == [[1, -2.5], [3, 4]]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "expected x,y in the first line, found nothing"),
        (b"1,2\n3,4\n", "expected x,y in the first line, found 1,2"),
        (b"x,y\n", "holds no points below its header"),
        (b"x,y\n\n \n", "holds no points below its header"),
        (b"x,y\n1,2\n3\n", "line 3: expected two numbers, found 3"),
        (b"x,y\n1,2,3\n", "line 2: expected two numbers, found 1,2,3"),
        (b"x,y\n\n1;2\n", "line 3: expected two numbers, found 1;2"),
        (b"x,y\n1,nan\n", "line 2: expected two numbers, found 1,nan"),
        (b"x,y\nnan,1\n", "line 2: expected two numbers, found nan,1"),
        (b"x,y\n1,-inf\n", "line 2: expected two numbers, found 1,-inf"),
        (b"x,y\n1,1e60\n", "line 2: expected two numbers, found 1,1e60"),
        (b"\x89PNG\r\n\x1a\n\0\xff", "found something else than text"),
        (b"x,y\n\0\x81,1\n", "found something else than text"),
        (b"x,y\n\xff,1\n", "line 2: expected two numbers, found \u00ff,1"),
        (b"x;y\n1;2;3\n", "line 2: expected two numbers, found 1;2;3"),
        (b"x,y,z\n1,2,3\n", "expected x,y in the first line, found x,y,z"),
    ],
)
def test_what_is_no_point_is_said(tmp_path, content, sentence):
    (tmp_path / "points.csv").write_bytes(content)
    with pytest.raises(DataError, match=sentence) as caught:
        PointsConfig().open(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_missing_table_is_answered_with_how_to_draw_one(tmp_path):
    with pytest.raises(DataError, match=r"points\.csv: expected a table of points, found nothing; draw one with"):
        PointsConfig().open(tmp_path)
