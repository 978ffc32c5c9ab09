"""What PNG's chunks state, by the order of the standard."""

import struct

import numpy as np
import pytest

from datasets.codecs.blocks import colour
from datasets.codecs.blocks.colour import SRGB, SRGB_CURVE, Stated, read_chunks
from datasets.codecs.blocks.icc import Curve


def gama(exponent):
    return struct.pack(">I", round(exponent * 100000))


def chrm(*points):
    return struct.pack(">8I", *(round(value * 100000) for point in points for value in point))


P3 = ((0.3127, 0.3290), (0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
P3_CICP, SRGB_CICP, PQ, HLG = b"\x0c\x0d\0\x01", b"\x01\x0d\0\x01", b"\x09\x10\0\x01", b"\x09\x12\0\x01"


@pytest.mark.parametrize(
    ("chunks", "points", "curve"),
    [
        ({b"cICP": P3_CICP}, P3, SRGB_CURVE),
        ({b"cICP": b"\x0c\x08\0\x01"}, P3, Curve(1.0)),
        ({b"cICP": b"\x01\x0d\0\0"}, SRGB[1:5], SRGB_CURVE._replace(low=16 / 255, high=235 / 255)),
        ({b"cICP": P3_CICP, b"sRGB": b"\0", b"gAMA": gama(1)}, P3, SRGB_CURVE),  # cICP counts first
        ({b"gAMA": gama(1)}, SRGB[1:5], Curve(1.0)),
        ({b"gAMA": gama(1), b"cHRM": chrm(*P3)}, P3, Curve(1.0)),
        ({b"gAMA": gama(0.45455), b"cHRM": chrm(*P3)}, P3, Curve(1 / 0.45455)),
        ({b"gAMA": gama(0.55556)}, SRGB[1:5], Curve(1 / 0.55556)),  # 1.8, as on old Macs
        ({b"cHRM": chrm(*P3)}, P3, SRGB_CURVE),
        ({b"gAMA": gama(0), b"cHRM": chrm(*P3)}, P3, SRGB_CURVE),
        ({b"cICP": b"\x02\x02\0\x01", b"gAMA": gama(1)}, SRGB[1:5], Curve(1.0)),  # code points of no meaning
    ],
)
def test_colours_other_than_srgb_are_read(chunks, points, curve):
    stated = read_chunks(chunks)
    assert stated is not None
    assert stated.colours is not None
    assert stated.colours[1:5] == points
    assert stated.colours.curve == pytest.approx(curve)


@pytest.mark.parametrize(
    "chunks",
    [
        {b"sRGB": b"\0", b"gAMA": gama(0.45455), b"cHRM": chrm(*P3)},
        {b"cICP": SRGB_CICP, b"gAMA": gama(1)},
        {b"gAMA": gama(0.45455)},
        {b"gAMA": gama(0.45), b"cHRM": chrm(*SRGB[1:5])},
        {b"cHRM": chrm(*SRGB[1:5])},
    ],
)
def test_srgb_is_known_in_all_its_spellings(chunks):
    assert read_chunks(chunks) == Stated()


def test_hdr_is_named_and_not_taken_for_colours():
    assert read_chunks({b"cICP": PQ}, profile=True) == Stated(hdr="PQ")
    assert read_chunks({b"cICP": HLG, b"sRGB": b"\0"}) == Stated(hdr="HLG")


def test_a_profile_counts_before_all_but_cicp():
    assert read_chunks({b"gAMA": gama(1), b"sRGB": b"\0"}, profile=True) is None
    stated = read_chunks({b"cICP": P3_CICP}, profile=True)
    assert stated is not None
    assert stated.colours is not None


@pytest.mark.parametrize(
    "chunks",
    [
        {},
        {b"gAMA": b"\0"},
        {b"gAMA": gama(0)},
        {b"gAMA": gama(40000)},
        {b"cHRM": bytes(32)},
        {b"cHRM": chrm((0.3, 0.3), (0.1, 0.1), (0.2, 0.2), (0.4, 0.4))},
        {b"cHRM": b"\xff" * 32, b"gAMA": gama(1)},
        {b"cICP": b"\x0c\x0d\x01\x01"},  # Y'CbCr, which PNG has not
        {b"cICP": b"\x0c"},
        {b"mDCV": bytes(24)},
    ],
)
def test_what_cannot_be_used_states_nothing(chunks):
    assert read_chunks(chunks) is None


def test_every_code_point_has_colours_that_can_be_used():
    for primaries in colour._PRIMARIES:
        for transfer in colour._CURVES:
            stated = read_chunks({b"cICP": bytes([primaries, transfer, 0, 1])})
            assert stated is not None
            if stated.colours is not None:
                assert np.all(np.diff(stated.colours.curve.to_light(np.linspace(0, 1, 100))) > 0)
                assert stated.colours.curve.to_light(np.array([0.0, 1.0])) == pytest.approx([0, 1], abs=1e-3)
