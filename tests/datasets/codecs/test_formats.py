"""The kinds of picture files, by their suffixes and first bytes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets.codecs import images
from datasets.codecs.formats import FORMAT_OF, SUFFIXES, SUFFIXES_OF, UNSUPPORTED, describe_unreadable
from datasets.codecs.images import SaveOptions


def test_a_suffix_is_kept_unless_another_format_is_asked_for():
    keep, tiff, jpeg = SaveOptions(), SaveOptions(format="tiff"), SaveOptions(format="jpeg")
    assert images.choose_suffix(Path("a.JPEG"), keep) == ".JPEG"
    assert images.choose_suffix(Path("a.JPEG"), jpeg) == ".JPEG"
    assert images.choose_suffix(Path("a.png"), jpeg) == ".jpg"
    assert images.choose_suffix(Path("a.png"), tiff) == ".tif"


def test_suffixes_are_lower_case_and_name_one_kind_each():
    assert not SUFFIXES & UNSUPPORTED.keys()
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SUFFIXES | UNSUPPORTED.keys())
    assert sum(map(len, SUFFIXES_OF.values())) == len(FORMAT_OF)


@pytest.mark.parametrize(
    ("beginning", "sentence"),
    [
        (b"", "is empty"),
        (b"hello, this is text", "is not a picture"),
        (b"GIF89a", "is a GIF file"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "is a HEIC file"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "is not a picture"),  # a film
        (b"RIFF\x24\0\0\0WEBPVP8 ", "is a damaged or cut-off WebP picture"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "is not a picture"),
    ],
)
def test_what_cannot_be_opened_is_named(beginning, sentence):
    assert describe_unreadable(beginning).startswith(sentence)


@pytest.mark.parametrize("format", sorted(SUFFIXES_OF))
def test_the_beginning_of_every_format_that_is_read_is_known(tmp_path, format):
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "a", format)
    assert describe_unreadable((tmp_path / "a").read_bytes()[:64]).startswith("is a damaged")
