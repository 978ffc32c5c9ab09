"""The many kinds of TIFF: what is read as others read it, and what is said of the rest."""

import io
import itertools
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from datasets.codecs import images
from datasets.codecs.images import PictureError, SaveOptions


@pytest.fixture
def write(tmp_path):
    """`write(array, **options)`: a TIFF file by tifffile; returns its path."""

    def save(array, **options):
        tifffile.imwrite(tmp_path / "a.tif", array, metadata=None, **options)
        return tmp_path / "a.tif"

    return save


def notes_of(picture):
    assert picture.origin is not None
    return picture.origin.notes


DTYPES = pytest.mark.parametrize("dtype", [np.uint8, np.uint16])


@DTYPES
@pytest.mark.parametrize("compression", ["none", "zlib"])
@pytest.mark.parametrize(
    ("photometric", "colours", "extra", "alpha", "note"),
    [
        ("rgb", 3, (0,), None, "1 extra channel was dropped"),
        ("rgb", 3, (2,), 3, None),
        ("rgb", 3, (2, 0), 3, "1 extra channel was dropped"),
        ("rgb", 3, (0, 2), 4, "1 extra channel was dropped"),
        ("rgb", 3, (0, 0, 0), None, "3 extra channels were dropped"),
        ("minisblack", 1, (2,), 1, None),
        ("minisblack", 1, (0,), None, "1 extra channel was dropped"),
    ],
)
def test_channels_beyond_colour_are_kept_as_alpha_or_counted(
    write, noise, dtype, compression, photometric, colours, extra, alpha, note
):
    array = noise(12, 20, colours + len(extra), dtype=dtype)
    options = {"extrasamples": extra, "planarconfig": "contig", "compression": compression}
    path = write(array, photometric=photometric, **options)
    header, picture = images.read_header(path), images.read_picture(path)
    assert np.array_equal(picture.pixels, array[:, :, :colours])
    assert (header.channels, header.depth, header.alpha) == (colours, 8 * array.itemsize, alpha is not None)
    assert picture.origin is not None
    assert notes_of(picture) == ((note,) if note else ())
    if alpha is None:
        assert picture.alpha is None
    else:
        assert np.array_equal(np.asarray(picture.alpha), array[:, :, alpha])


@DTYPES
def test_channels_in_planes_are_counted_too(write, noise, dtype):
    array = noise(5, 12, 20, dtype=dtype)
    path = write(array, photometric="rgb", planarconfig="separate", extrasamples=(2, 0))
    picture = images.read_picture(path)
    assert np.array_equal(picture.pixels, np.moveaxis(array[:3], 0, -1))
    assert np.array_equal(np.asarray(picture.alpha), array[3])
    assert notes_of(picture) == ("1 extra channel was dropped",)


@DTYPES
def test_gray_with_alpha_where_white_is_zero_and_colours_are_multiplied(write, noise, dtype):
    highest = np.iinfo(dtype).max
    gray, alpha = noise(12, 20, dtype=dtype), noise(12, 20, dtype=dtype, seed=1)
    straight = np.dstack([gray, alpha])
    path = write(straight, photometric="miniswhite", extrasamples=(2,), planarconfig="contig")
    picture = images.read_picture(path)
    assert np.array_equal(picture.pixels[:, :, 0], highest - gray)
    assert np.array_equal(np.asarray(picture.alpha), alpha)
    alpha |= highest // 2 + 1
    multiplied = np.rint(gray * (alpha / highest)).astype(dtype)
    path = write(np.dstack([multiplied, alpha]), photometric="minisblack", extrasamples=(1,), planarconfig="contig")
    assert np.abs(images.read_picture(path).pixels[:, :, 0].astype(int) - gray).max() <= 1


@pytest.mark.parametrize("extra", [(0,), (2,), (2, 0)])
def test_cmyk_with_more_channels(write, noise, extra):
    array = noise(12, 20, 4 + len(extra))
    picture = images.read_picture(write(array, photometric="separated", extrasamples=extra))
    inks = Image.frombytes("CMYK", (20, 12), np.ascontiguousarray(array[:, :, :4]).tobytes())
    assert np.array_equal(picture.pixels, np.asarray(inks.convert("RGB")))
    assert (picture.alpha is None) == (2 not in extra)
    assert ("1 extra channel was dropped" in notes_of(picture)) == (0 in extra)


@pytest.mark.parametrize(
    ("compression", "dtype"),
    [
        *itertools.product(("zstd", "lzma", "jpegxl", "lerc", "png", "jpeg2000"), (np.uint8, np.uint16)),
        ("webp", np.uint8),  # which holds 8 bits
    ],
)
def test_rare_codings_are_read_with_imagecodecs(write, noise, compression, dtype):
    array = noise(32, 48, 3, dtype=dtype)
    lossless = {"webp": {"lossless": True}, "jpegxl": {"lossless": True}, "jpeg2000": {"level": 0, "reversible": True}}
    options = {"compressionargs": lossless[compression]} if compression in lossless else {}
    path = write(array, photometric="rgb", compression=compression, **options)
    picture = images.read_picture(path)
    assert np.array_equal(picture.pixels, array)
    assert [note for note in notes_of(picture) if note.endswith("within TIFF became deflate")]


@pytest.mark.parametrize(
    ("array", "options", "kind"),
    [
        (np.ones((8, 8), np.float16), {}, "16-bit floating-point gray"),
        (np.ones((8, 8, 3), np.int16), {"photometric": "rgb"}, "16-bit signed RGB"),
        (np.ones((8, 8), np.uint32), {}, "32-bit gray"),
        (np.ones((8, 8), np.complex64), {}, "64-bit complex gray"),
        (np.ones((8, 8, 3), np.uint16), {"photometric": "cielab"}, "16-bit Lab"),
        (np.ones((8, 8, 4), np.float32), {"photometric": "separated"}, "32-bit floating-point CMYK"),
        (np.ones((8, 8, 3), np.float32), {"photometric": "rgb", "compression": "zlib", "predictor": 3}, "RGB"),
    ],
)
def test_kinds_that_are_not_read_are_named(write, array, options, kind):
    for read in (images.read_header, images.read_picture):
        with pytest.raises(PictureError, match=f"has .*{kind} pixels, which are not read"):
            read(write(array, **options))


def pages(path, *parts, **options):
    with tifffile.TiffWriter(path, **options) as file:
        for array, settings in parts:
            file.write(array, metadata=None, photometric="rgb", **settings)
    return path


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("declared", [False, True])
def test_a_thumbnail_behind_the_picture_is_dropped_with_a_note(tmp_path, noise, bigtiff, declared):
    full, small = noise(64, 96, 3), noise(16, 24, 3, seed=1)
    settings = {"subfiletype": 1} if declared else {}
    path = pages(tmp_path / "a.tif", (full, {}), (small, settings), bigtiff=bigtiff)
    picture = images.read_picture(path)
    assert np.array_equal(picture.pixels, full)
    assert "1 smaller copies or masks within the file were dropped" in notes_of(picture)


@DTYPES
@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("turn", [1, 6])
def test_a_thumbnail_before_the_picture_is_not_taken_for_it(tmp_path, noise, dtype, bigtiff, turn):
    full, small = noise(64, 96, 3, dtype=dtype), noise(16, 24, 3, dtype=dtype, seed=1)
    settings = {"extratags": [(274, "H", 1, turn, True)]}
    path = pages(tmp_path / "a.tif", (small, {"subfiletype": 1}), (full, settings), bigtiff=bigtiff)
    assert np.array_equal(images.read_picture(path).pixels, full if turn == 1 else np.rot90(full, -1))
    header = images.read_header(path)
    assert (header.width, header.height) == ((96, 64) if turn == 1 else (64, 96))


def test_smaller_copies_in_subdirectories_are_dropped_with_a_note(tmp_path, noise):
    full = noise(64, 96, 3)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(full, subifds=2, metadata=None, photometric="rgb")
        for scale in (2, 4):
            file.write(full[::scale, ::scale], subfiletype=1, metadata=None, photometric="rgb")
    picture = images.read_picture(tmp_path / "a.tif")
    assert np.array_equal(picture.pixels, full)
    assert notes_of(picture) == ("dropped: smaller pictures within the TIFF",)


def test_a_camera_file_named_tif_is_not_read_as_its_preview(tmp_path, noise):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(noise(16, 24, 3), subifds=1, subfiletype=1, metadata=None, photometric="rgb")
        file.write(noise(64, 96, dtype=np.uint16), photometric="cfa", metadata=None)
    with pytest.raises(PictureError, match="as camera RAW does: rename it"):
        images.read_header(tmp_path / "a.tif")


def test_pages_of_one_shape_are_pages(tmp_path, noise):
    path = pages(tmp_path / "a.tif", *((noise(16, 24, 3, seed=seed), {}) for seed in range(3)))
    with pytest.raises(PictureError, match="has 3 pages"):
        images.read_header(path)


def test_layers_that_imagej_hides_behind_one_directory_are_counted(tmp_path, noise):
    tifffile.imwrite(tmp_path / "a.tif", noise(5, 16, 24), imagej=True)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        link = page.offset + 2 + 12 * len(page.tags)
    struct.pack_into(file.byteorder + "I", data, link, 0)  # as in ImageJ's files of more than 4 GB
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(PictureError, match="5 layers"):
        images.read_picture(tmp_path / "a.tif")


def test_what_tifffile_reads_keeps_its_metadata(write, noise, icc_profile, roundtrip):
    profile = icc_profile(b"GRAY", 2.2)
    tags = [(315, "s", 0, "Ada", True), (274, "H", 1, 6, True), (34675, "B", len(profile), profile, True)]
    array = noise(12, 20, 2, dtype=np.uint16)
    options = {"photometric": "minisblack", "extrasamples": (2,), "planarconfig": "contig"}
    path = write(array, extratags=tags, resolution=(300, 300), resolutionunit="INCH", **options)
    picture = images.read_picture(path)
    assert np.array_equal(picture.pixels[:, :, 0], np.rot90(array[:, :, 0], -1))
    assert picture.origin is not None
    assert picture.origin.icc == profile
    assert picture.origin.dpi == (300, 300)
    target, _ = roundtrip(path, SaveOptions(format="png"))
    with Image.open(target) as image:
        assert image.getexif()[315] == "Ada"
        assert image.getexif().get(274, 1) == 1


@pytest.mark.parametrize("bits", [2, 4])
def test_gray_and_palette_of_few_bits(write, noise, bits):
    values = noise(12, 20) >> (8 - bits)
    assert np.array_equal(
        images.read_picture(write(values, photometric="minisblack", bitspersample=bits)).pixels[:, :, 0],
        values * (255 // (2**bits - 1)),
    )


@pytest.mark.parametrize("target", [0, 1])
def test_directories_in_a_loop_end_in_a_sentence(tmp_path, target):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        for _ in range(2):
            file.write(np.zeros((8, 8, 3), np.uint8), photometric="rgb", metadata=None)
    with tifffile.TiffFile(path) as file:
        offsets, last = [page.offset for page in file.pages], file.pages[1]
        link = last.offset + 2 + 12 * len(last.tags)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, link, offsets[target])
    path.write_bytes(data)
    with pytest.raises(PictureError, match="loop"):
        images.read_header(path)


def test_a_width_of_several_numbers_ends_in_a_sentence(write):
    path = write(np.zeros((8, 8, 3), np.uint8), photometric="rgb")
    with tifffile.TiffFile(path) as file:
        tag = file.pages[0].tags["ImageWidth"]
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, tag.offset + 4, 2)
    path.write_bytes(data)
    with pytest.raises(PictureError, match="one number"):
        images.read_header(path)
