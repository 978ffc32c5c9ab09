"""How large a GIF is with all its frames, as Pillow sees it."""

import io
import struct
from pathlib import Path

import pytest
from PIL import Image

from datasets.codecs.blocks.gif import measure_gif_canvas
from datasets.codecs.frames import read_frames
from datasets.codecs.images import read_header
from datasets.codecs.origin import PictureError


def save(*frames: Image.Image) -> bytes:
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:], comment=b"words" * 99, loop=0)
    return stream.getvalue()


def enlarge_last_frame(data: bytes, width: int, height: int) -> bytes:
    """Return the file with another size in its last image descriptor, which is found by its place on the screen."""
    result = bytearray(data)
    struct.pack_into("<HH", result, data.rindex(b"\x2c\0\0\0\0") + 5, width, height)
    return bytes(result)


@pytest.mark.parametrize("size", [(50, 20), (20, 70), (90, 80)])
def test_frames_beyond_the_screen_enlarge_it(size: tuple[int, int]) -> None:
    data = save(Image.effect_noise((40, 30), 90), Image.effect_noise((40, 30), 90))
    assert measure_gif_canvas(data) == (40, 30)
    larger = enlarge_last_frame(data, *size)
    with Image.open(io.BytesIO(larger)) as image:
        image.seek(1)
        assert measure_gif_canvas(larger) == image.size == (max(40, size[0]), max(30, size[1]))


def test_a_frame_that_claims_more_than_the_limit_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    data = save(Image.effect_noise((40, 30), 90), Image.effect_noise((40, 30), 90))
    (tmp_path / "a.gif").write_bytes(enlarge_last_frame(data, 65535, 65535))
    with pytest.raises(PictureError, match="65535 × 65535 pixels, and the limit"):
        read_frames(tmp_path / "a.gif")


def test_damage_ends_the_measuring() -> None:
    data = save(Image.effect_noise((40, 30), 90))
    for end in range(len(data)):
        assert measure_gif_canvas(data[:end]) in ((0, 0), (40, 30))


def test_a_first_frame_without_bounds_is_refused_before_the_file_is_opened(tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_bytes(enlarge_last_frame(save(Image.effect_noise((40, 30), 90)), 65535, 65535))
    with pytest.raises(PictureError, match="frames of 65535 × 65535 pixels, and the limit"):
        read_header(tmp_path / "a.gif")
