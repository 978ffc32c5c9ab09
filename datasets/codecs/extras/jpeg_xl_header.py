"""The header of a JPEG XL codestream (ISO/IEC 18181-1): size, depth, channels and colours.

This stays by hand, since imagecodecs gives pixels only. Fields are read in the order of the standard's annexes D and E,
up to the description of the colours.
"""

from typing import NamedTuple

_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_GRAY, _SRGB, _CUSTOM = 1, 1, 2


class JpegXlHeader(NamedTuple):
    """What a JPEG XL codestream says of itself.

    Attributes:
        width: In pixels, before `orientation` is applied.
        height: In pixels, before `orientation` is applied.
        orientation: EXIF's, 1 to 8.
        bits: Of a sample.
        floating: Samples are floating-point numbers.
        gray: There is one colour channel.
        alpha: There is an alpha channel.
        multiplied: Colours are multiplied with alpha.
        others: How many further channels there are.
        animated: There may be several frames.
        lossy: Colours went through XYB, which only lossy coding uses.
        profile: The colours are defined by an ICC profile.
        primaries: Of the colours, by ISO/IEC 23091-2; 2: not stated by a number.
        transfer: Their transfer function, by ISO/IEC 23091-2; 2: not stated by a number.
    """

    width: int
    height: int
    orientation: int = 1
    bits: int = 8
    floating: bool = False
    gray: bool = False
    alpha: bool = False
    multiplied: bool = False
    others: int = 0
    animated: bool = False
    lossy: bool = True
    profile: bool = False
    primaries: int = _SRGB
    transfer: int = 13


class _Bits:
    """A reader of fields, whose lowest bits come first; past the end it raises IndexError."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0

    def read(self, count: int) -> int:
        value = 0
        for place in range(count):
            value |= (self.data[self.position >> 3] >> (self.position & 7) & 1) << place
            self.position += 1
        return value

    def flag(self) -> bool:
        return bool(self.read(1))

    def choice(self, *forms: tuple[int, int]) -> int:
        """Read one of four forms, each a base and the number of bits that are added to it."""
        base, count = forms[self.read(2)]
        return base + self.read(count)

    def enum(self) -> int:
        return self.choice((0, 0), (1, 0), (2, 4), (18, 6))


def parse_header(codestream: bytes) -> JpegXlHeader:
    """Return the header of a codestream.

    Raises:
        IndexError: It is cut off.
    """
    bits = _Bits(codestream)
    bits.read(16)  # the signature
    width, height = _read_size(bits)
    header = JpegXlHeader(width, height)
    if bits.flag():  # all is as usual
        return header
    if bits.flag():
        header = header._replace(orientation=1 + bits.read(3))
        if bits.flag():
            _read_size(bits)  # at which it is meant to be shown
        if bits.flag():
            _skip_preview(bits)
        if bits.flag():
            header = header._replace(animated=True)
            bits.choice((100, 0), (1000, 0), (1, 10), (1, 30))  # ticks a second
            bits.choice((1, 0), (1001, 0), (1, 8), (1, 10))
            bits.choice((0, 0), (0, 3), (0, 16), (0, 32))  # loops
            bits.flag()
    header = header._replace(floating=(depth := _read_depth(bits))[0], bits=depth[1])
    bits.flag()  # 16 bits are enough for its buffers
    alphas = [_read_channel(bits) for _ in range(bits.choice((0, 0), (1, 0), (2, 4), (1, 12)))]
    multiplied = [associated for associated in alphas if associated is not None]
    header = header._replace(
        alpha=bool(multiplied), multiplied=any(multiplied), others=len(alphas) - bool(multiplied), lossy=bits.flag()
    )
    return _read_colours(bits, header)


def _read_size(bits: _Bits) -> tuple[int, int]:
    small = bits.flag()

    def side() -> int:
        return 8 * (1 + bits.read(5)) if small else bits.choice((1, 9), (1, 13), (1, 18), (1, 30))

    height = side()
    ratio = bits.read(3)
    if ratio:
        across, down = _RATIOS[ratio - 1]
        return height * across // down, height
    return side(), height


def _skip_preview(bits: _Bits) -> None:
    eights = bits.flag()
    forms = ((16, 0), (32, 0), (1, 5), (33, 9)) if eights else ((1, 6), (65, 8), (321, 10), (1345, 12))
    bits.choice(*forms)
    if not bits.read(3):
        bits.choice(*forms)


def _read_depth(bits: _Bits) -> tuple[bool, int]:
    if bits.flag():
        count = bits.choice((32, 0), (16, 0), (24, 0), (1, 6))
        bits.read(4)
        return True, count
    return False, bits.choice((8, 0), (10, 0), (12, 0), (1, 6))


def _read_channel(bits: _Bits) -> bool | None:
    """Return whether colours are multiplied with this extra channel, or None if it is not alpha."""
    if bits.flag():
        return False
    kind = bits.enum()
    _read_depth(bits)
    bits.choice((0, 0), (3, 0), (4, 0), (1, 3))
    for _ in range(bits.choice((0, 0), (0, 4), (16, 5), (48, 10))):
        bits.read(8)  # of its name
    associated = bits.flag() if kind == 0 else None
    if kind == 2:
        bits.read(64)  # a spot colour
    if kind == 5:
        bits.choice((1, 0), (0, 2), (3, 4), (19, 8))
    return associated


def _read_colours(bits: _Bits, header: JpegXlHeader) -> JpegXlHeader:
    if bits.flag():  # sRGB
        return header
    profile, space = bits.flag(), bits.enum()
    header = header._replace(profile=profile, gray=space == _GRAY)
    if profile or space > _GRAY:
        return header._replace(primaries=2, transfer=2)
    white = bits.enum()
    if white == _CUSTOM:
        _skip_point(bits)
    primaries = _SRGB if space == _GRAY else bits.enum()
    if primaries == _CUSTOM:
        for _ in range(3):
            _skip_point(bits)
    transfer = 2 if bits.flag() else None
    if transfer is None:
        transfer = bits.enum()
    else:
        bits.read(24)  # a gamma
    p3 = {(11, 1): 12}  # P3 with the white of D65
    return header._replace(primaries=p3.get((primaries, white), primaries if white == 1 else 2), transfer=transfer)


def _skip_point(bits: _Bits) -> None:
    for _ in range(2):
        bits.choice((0, 19), (524288, 19), (1048576, 20), (2097152, 21))
