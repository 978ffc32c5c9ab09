"""Reading and writing picture files: names, whole files, equal bytes, threads."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from datasets.codecs import images
from datasets.codecs.formats import WRITTEN_SUFFIXES
from datasets.codecs.images import Picture, PictureError, SaveOptions


def test_content_and_name_agree_once_written(tmp_path, smooth, save, roundtrip):
    save(tmp_path / "a.jpg", smooth(20, 30, 3), format="PNG")
    target, notes = roundtrip(tmp_path / "a.jpg")
    assert images.read_header(tmp_path / "a.jpg").format == "PNG"
    assert images.read_header(target).format == "JPEG"
    assert "content is PNG" in notes[0]
    with pytest.raises(PictureError, match="agree"):
        images.write_picture(images.read_picture(target), tmp_path / "b.png", SaveOptions(format="jpeg"))
    with pytest.raises(PictureError, match="suffix"):
        images.write_picture(images.read_picture(target), tmp_path / "b.txt")


@pytest.mark.parametrize("suffix", sorted(WRITTEN_SUFFIXES - {".jfif", ".jpe", ".dib"}))
def test_same_picture_same_bytes(tmp_path, suffix, smooth):
    picture = Picture(smooth(20, 30, 3))
    images.write_picture(picture, tmp_path / f"a{suffix}")
    images.write_picture(picture, tmp_path / f"b{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_paths_may_be_strings(tmp_path, smooth):
    pixels = smooth(20, 30, 3)
    images.write_picture(Picture(pixels), f"{tmp_path}/a.png")
    assert np.array_equal(images.read_picture(f"{tmp_path}/a.png").pixels, pixels)


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch, smooth):
    def full(*_):
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.png"
    path.write_bytes(b"before")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(PictureError, match=r"a\.png: No space left"):
        images.write_picture(Picture(smooth(20, 30, 3)), path)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_many_threads_at_once(tmp_path, noise):
    arrays = [noise(40, 50, 3, dtype=dtype, seed=seed) for seed in range(12) for dtype in (np.uint8, np.uint16)]

    def work(number):
        path = tmp_path / f"{number}{('.png', '.tif')[number % 3 == 0]}"
        images.write_picture(Picture(arrays[number]), path)
        return hashlib.sha256(images.read_picture(path).pixels.tobytes()).digest()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(len(arrays))))
    assert found == [hashlib.sha256(array.tobytes()).digest() for array in arrays]
