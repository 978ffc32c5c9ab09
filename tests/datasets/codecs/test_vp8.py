"""The quality of WebP files, against the one that they were written with."""

import io

import numpy as np
import pytest
from PIL import Image

from datasets.codecs.vp8 import estimate_webp_quality


def webp(array: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "WEBP", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("quality", range(5, 100, 10))
@pytest.mark.parametrize("channels", [3, 4])
def test_the_quality_of_a_lossy_file_is_found_to_three_steps(smooth, quality, channels):
    estimate = estimate_webp_quality(webp(smooth(96, 128, channels), quality=quality))
    assert abs(estimate - quality) <= 3


def test_a_lossless_file_has_no_quality(smooth):
    assert estimate_webp_quality(webp(smooth(16, 16, 3), lossless=True)) is None


def test_damage_never_raises(smooth):
    data = webp(smooth(32, 32, 3), quality=50)
    for length in range(0, 80):
        estimate = estimate_webp_quality(data[:length])
        assert estimate is None or 1 <= estimate <= 100
    assert estimate_webp_quality(b"no picture at all") is None
