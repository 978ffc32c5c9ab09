"""Animations and TIFF of several pages: read as they are seen, and written with their timing."""

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageSequence

from datasets.codecs import images
from datasets.codecs.animation import Timing
from datasets.codecs.frames import Frames, count_frames, read_frames, write_frames
from datasets.codecs.images import Picture, PictureError, SaveOptions
from datasets.codecs.picture import FramesError

DURATIONS = [40, 70, 130]


def few_colours(noise, seed, *, alpha=False):
    """A picture of few colours, so that GIF holds it exactly."""
    pixels = noise(20, 30, 3, seed=seed) // 64 * 64
    return Image.fromarray(np.dstack([pixels, noise(20, 30, seed=seed + 9) // 128 * 255]) if alpha else pixels)


def shown(path):
    """The frames of a file as Pillow shows them, and their times."""
    with Image.open(path) as image:
        frames = [
            (np.asarray(frame.convert("RGBA")), frame.info.get("duration")) for frame in ImageSequence.Iterator(image)
        ]
        return [frame for frame, _ in frames], [time for _, time in frames], image.info.get("loop")


def see(array):
    """Pixels with nothing in them that cannot be seen."""
    return np.where(array[:, :, 3:] > 0, array, 0)


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize(("suffix", "loop"), [(".gif", 0), (".gif", 3), (".gif", None), (".png", 2), (".webp", 4)])
def test_frames_keep_their_pixels_and_their_timing(tmp_path, noise, suffix, loop, alpha):
    source, target = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    first, *rest = (few_colours(noise, seed, alpha=alpha) for seed in range(3))
    options = {"lossless": True, "exact": True} if suffix == ".webp" else {"disposal": 2} if suffix == ".gif" else {}
    options |= {} if loop is None else {"loop": loop}
    first.save(source, save_all=True, append_images=rest, duration=DURATIONS, **options)
    frames = read_frames(source)
    assert frames.timing == Timing((40.0, 70.0, 130.0), loop)
    assert write_frames(frames, target) == ()
    before, after = shown(source), shown(target)
    assert before[1:] == after[1:]
    assert before[1] == DURATIONS
    assert len(after[0]) == count_frames(target) == 3
    assert all(np.array_equal(see(one), see(other)) for one, other in zip(before[0], after[0], strict=True))


def test_parts_left_over_from_earlier_frames_are_in_later_ones(tmp_path):
    """A GIF whose second frame covers a corner only, and whose third restores what was below it."""
    canvas = Image.new("P", (8, 8), 0)
    canvas.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    canvas.save(tmp_path / "a.gif", optimize=False)
    data = (tmp_path / "a.gif").read_bytes()
    body = data[data.index(b",") : -1]

    def frame(place, disposal, colour):
        part = Image.new("P", place[2:], colour)
        part.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
        buffer = io.BytesIO()
        part.save(buffer, "GIF", optimize=False)
        inner = buffer.getvalue()
        start = inner.index(b",")
        control = b"!\xf9\x04" + bytes([disposal << 2]) + struct.pack("<H", 5) + b"\0\0"
        return control + b"," + struct.pack("<4H", *place) + inner[start + 9 : -1]

    moving = data[: data.index(b",")] + body + frame((0, 0, 4, 4), 3, 1) + frame((4, 4, 4, 4), 1, 2) + b";"
    (tmp_path / "a.gif").write_bytes(moving)
    expected, _, _ = shown(tmp_path / "a.gif")
    frames = read_frames(tmp_path / "a.gif")
    for picture, array in zip(frames.pictures, expected, strict=True):
        assert np.array_equal(picture.pixels, array[:, :, :3])
    assert tuple(frames.pictures[2].pixels[0, 0]) == (255, 0, 0)  # restored
    assert tuple(frames.pictures[2].pixels[7, 7]) == (0, 0, 255)
    write_frames(frames, tmp_path / "b.gif")
    assert all(np.array_equal(*pair) for pair in zip(expected, shown(tmp_path / "b.gif")[0], strict=True))


def test_equal_frames_of_gif_and_png_are_not_joined(tmp_path, noise):
    picture = Picture(np.asarray(few_colours(noise, 0)))
    for suffix in (".gif", ".png"):
        write_frames(Frames((picture,) * 3, Timing((40.0, 70.0, 130.0))), tmp_path / f"a{suffix}")
        assert shown(tmp_path / f"a{suffix}")[1] == DURATIONS


def test_a_png_may_show_another_picture_where_it_cannot_move(tmp_path, noise):
    still, *rest = (few_colours(noise, seed) for seed in range(3))
    still.save(tmp_path / "a.png", save_all=True, append_images=rest, duration=1000 / 30, default_image=True)
    frames = read_frames(tmp_path / "a.png")
    write_frames(frames, tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as image:
        assert isinstance(image.default_image, bool)  # type: ignore[attr-defined]
        assert np.array_equal(np.asarray(image), np.asarray(still))
        image.seek(1)
        assert image.info["duration"] == pytest.approx(1000 / 30)
    assert b"\0\1\0\x1e" in (tmp_path / "b.png").read_bytes()  # a thirtieth of a second, exactly


def test_gray_stays_gray_and_metadata_stays(tmp_path, noise, icc_profile):
    first, second = (Image.fromarray(noise(20, 30, seed=seed)) for seed in range(2))
    profile = icc_profile(b"GRAY", 2.2)
    first.save(tmp_path / "a.png", save_all=True, append_images=[second], icc_profile=profile, dpi=(300, 300))
    write_frames(read_frames(tmp_path / "a.png"), tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as image:
        assert (image.mode, image.info["icc_profile"], round(image.info["dpi"][0])) == ("L", profile, 300)


def test_a_lossy_webp_stays_about_as_large(tmp_path, smooth):
    first, second = (Image.fromarray(smooth(120, 160, 3) // part) for part in (1, 2))
    first.save(tmp_path / "a.webp", save_all=True, append_images=[second], quality=60, duration=50)
    write_frames(read_frames(tmp_path / "a.webp"), tmp_path / "b.webp")
    before, after = ((tmp_path / name).stat().st_size for name in ("a.webp", "b.webp"))
    assert 0.7 < after / before < 1.4


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pages_keep_their_own_sizes_and_metadata(tmp_path, noise, bigtiff, dtype):
    arrays = [noise(20, 30, 3, dtype=dtype), noise(40, 10, dtype=dtype, seed=1), noise(20, 30, 3, dtype=dtype, seed=2)]
    with tifffile.TiffWriter(tmp_path / "a.tif", bigtiff=bigtiff) as file:
        for number, array in enumerate(arrays):
            tags = [(315, "s", 0, f"Ada {number}", True)]
            photometric = "rgb" if array.ndim == 3 else "minisblack"
            file.write(array, photometric=photometric, compression="zlib", metadata=None, extratags=tags)
    frames = read_frames(tmp_path / "a.tif")
    assert frames.timing is None
    write_frames(frames, tmp_path / "b.tif")
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert all(np.array_equal(page.asarray(), array) for page, array in zip(file.pages, arrays, strict=True))
    with Image.open(tmp_path / "b.tif") as image:
        for number in range(3):
            image.seek(number)
            assert image.tag_v2[315] == f"Ada {number}"  # type: ignore[attr-defined]


def test_formats_of_one_picture_are_refused(tmp_path, noise):
    picture = Picture(noise(8, 8, 3))
    for suffix in (".jpg", ".bmp"):
        with pytest.raises(PictureError, match="holds one picture, and this has 2: choose gif, png, webp or tiff"):
            write_frames(Frames((picture, picture), Timing((1.0, 1.0))), tmp_path / f"a{suffix}")
    with pytest.raises(PictureError, match=r"2 frames of 8 × 8 pixels, and the limit is 100 in all"):
        write_frames(Frames((picture, picture), Timing((50.0, 50.0))), tmp_path / "a.gif")
        read_frames(tmp_path / "a.gif", limit=100)


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".tif"])
def test_by_default_they_are_named_and_a_single_frame_is_a_picture(tmp_path, noise, suffix):
    first, second = few_colours(noise, 0), few_colours(noise, 1)
    first.save(tmp_path / f"a{suffix}", save_all=True, append_images=[second])
    for read in (images.read_header, images.read_picture):
        with pytest.raises(
            FramesError, match=r"^\S+: (is animated \(2 frames\)|has 2 pages), and one picture was expected"
        ):
            read(tmp_path / f"a{suffix}")
    first.save(tmp_path / f"b{suffix}", save_all=True, **({"lossless": True} if suffix == ".webp" else {}))
    picture = images.read_picture(tmp_path / f"b{suffix}")
    assert np.array_equal(picture.pixels, np.asarray(first))
    assert images.write_picture(picture, tmp_path / f"c{suffix}") == ()
    assert np.array_equal(images.read_picture(tmp_path / f"c{suffix}").pixels, np.asarray(first))


def test_an_animated_png_of_one_frame_is_a_picture(tmp_path, noise, png_chunk):
    few_colours(noise, 0).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    control = png_chunk(b"acTL", struct.pack(">II", 1, 0))
    control += png_chunk(b"fcTL", struct.pack(">5I2H2B", 0, 30, 20, 0, 0, 1, 10, 0, 0))
    (tmp_path / "a.apng").write_bytes(data[:33] + control + data[33:])
    picture = images.read_picture(tmp_path / "a.apng")
    assert np.array_equal(picture.pixels, np.asarray(few_colours(noise, 0)))
    assert picture.origin is not None
    assert picture.origin.notes == ()


@pytest.mark.parametrize("alpha", [False, True])
def test_what_gif_cannot_hold_is_said(tmp_path, noise, alpha):
    picture = Picture(noise(40, 40, 3), noise(40, 40, seed=1) if alpha else None)
    notes = images.write_picture(picture, tmp_path / "a.gif")
    assert notes[0] == f"the colours were reduced to {255 if alpha else 256}: GIF holds no more"
    assert (notes[1:] == ("alpha became all or nothing: GIF holds no more",)) == alpha
    again = images.read_picture(tmp_path / "a.gif")
    assert np.abs(again.pixels.astype(int) - picture.pixels)[np.asarray(again.alpha) > 0 if alpha else ...].mean() < 20
    deep = replace(picture, pixels=noise(40, 40, 3, dtype=np.uint16), alpha=None)
    assert images.write_picture(deep, tmp_path / "b.gif", SaveOptions())[0].startswith("16 bits became 8")


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_pages_of_several_sizes_fit_into_tiff_only(tmp_path, suffix):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        for side in (8, 12):
            file.write(np.zeros((side, 9, 3), np.uint8), photometric="rgb", metadata=None)
    pages = read_frames(path)
    write_frames(pages, tmp_path / "b.tif")
    with pytest.raises(PictureError, match="frames of one size, and these differ: choose tiff"):
        write_frames(pages, tmp_path / f"b{suffix}")
