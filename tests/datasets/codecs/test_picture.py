"""Pictures in memory and the options to save them: what they refuse."""

from typing import Any

import numpy as np
import pytest

from datasets.codecs.images import Picture, SaveOptions
from datasets.errors import UserError


def test_a_picture_is_checked_when_it_is_made():
    black = Picture(np.zeros((4, 4, 3), np.uint8))
    assert black in [black]
    assert black not in [Picture(black.pixels)]  # compared by identity, since arrays have no single answer
    arrays: list[Any] = [np.zeros((4, 4)), np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8)]
    for wrong in arrays:
        with pytest.raises(ValueError, match="pixels must be"):
            Picture(wrong)
    with pytest.raises(ValueError, match="alpha"):
        Picture(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint16))


def test_background_and_quality_are_checked():
    for wrong in ({"background": "no colour"}, {"background": "#11223344"}, {"quality": 0}, {"quality": 101}):
        with pytest.raises(UserError):
            SaveOptions(**wrong)
