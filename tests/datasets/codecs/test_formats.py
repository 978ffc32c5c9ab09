"""The kinds of picture files, by their suffixes and first bytes."""

from pathlib import Path

from datasets.codecs import images
from datasets.codecs.formats import FORMAT_OF, SUFFIXES, SUFFIXES_OF, UNSUPPORTED
from datasets.codecs.images import SaveOptions


def test_a_suffix_is_kept_unless_another_format_is_asked_for():
    keep, tiff, jpeg = SaveOptions(), SaveOptions(format="tiff"), SaveOptions(format="jpeg")
    assert images.choose_suffix(Path("a.JPEG"), keep) == ".JPEG"
    assert images.choose_suffix(Path("a.JPEG"), jpeg) == ".JPEG"
    assert images.choose_suffix(Path("a.png"), jpeg) == ".jpg"
    assert images.choose_suffix(Path("a.png"), tiff) == ".tif"
    assert images.choose_suffix(Path("a.png"), SaveOptions(format="gif")) == ".gif"


def test_suffixes_are_lower_case_and_name_one_kind_each():
    assert not SUFFIXES & UNSUPPORTED.keys()
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SUFFIXES | UNSUPPORTED.keys())
    assert sum(map(len, SUFFIXES_OF.values())) == len(FORMAT_OF)
