"""The quality of a lossy WebP file, estimated from its VP8 frame header (RFC 6386, Bankoski et al. 2011).

This stays by hand, since neither Pillow nor OpenCV exposes what a WebP file was quantized with, and a file that is
written back at another quality grows or loses detail.
"""

from datasets.codecs.metadata import find_webp_chunks

HEADER_BYTES = 256  # of a frame; the fields up to the quantizer take under 60


def estimate_webp_quality(data: bytes) -> int | None:
    """Return the quality, 1 to 100, that a WebP file was written with; None: it is lossless.

    A lossy file states its quantizer only; this inverts the rule by which libwebp derives that from the quality
    (`QualityToCompression` in its src/enc/quant_enc.c). The error is about three steps at most.
    """
    for name, start, length in find_webp_chunks(data):
        if name == b"VP8 ":
            quantizer = _read_quantizer(data[start : start + min(length, HEADER_BYTES)])
            compression = (1 - quantizer / 127) ** 3
            fraction = compression * 1.5 if compression < 0.5 else (compression + 1) / 2
            return min(100, max(1, round(100 * fraction)))
    return None


class _BitReader:
    """The boolean decoder of RFC 6386 section 7, at even odds; past the end it reads zeros."""

    def __init__(self, data: bytes):
        self.data = data
        self.position = 2
        self.value = int.from_bytes(data[:2].ljust(2, b"\0"), "big")
        self.range = 255
        self.shifts = 0

    def read_bit(self) -> int:
        split = 1 + ((self.range - 1) * 128 >> 8)
        one = self.value >= split << 8
        self.value -= split << 8 if one else 0
        self.range = self.range - split if one else split
        while self.range < 128:
            self.value, self.range, self.shifts = self.value << 1, self.range << 1, self.shifts + 1
            if self.shifts % 8 == 0:
                self.value |= self.data[self.position] if self.position < len(self.data) else 0
                self.position += 1
        return int(one)

    def read_number(self, bits: int) -> int:
        value = 0
        for _ in range(bits):
            value = value << 1 | self.read_bit()
        return value

    def read_optional(self, bits: int, *, signed: bool = False, default: int = 0) -> int:
        if not self.read_bit():
            return default
        value = self.read_number(bits)
        return -value if signed and self.read_bit() else value


def _read_quantizer(frame: bytes) -> float:
    """Return the quantizer index, 0 to 127, of a VP8 key frame: the mean over its segments, by their probabilities.

    The order of the fields is that of RFC 6386, section 9.
    """
    bits = _BitReader(frame[10:])
    bits.read_number(2)  # colour space, clamping
    segments, probabilities, absolute = [0, 0, 0, 0], [1.0, 0.0, 0.0, 0.0], 0
    if bits.read_bit():
        mapped, updated = bits.read_bit(), bits.read_bit()
        if updated:
            absolute = bits.read_bit()
            segments = [bits.read_optional(7, signed=True) for _ in range(4)]
            for _ in range(4):
                bits.read_optional(6, signed=True)  # loop filter levels
        if mapped:
            first, low, high = (bits.read_optional(8, default=255) / 255 for _ in range(3))
            probabilities = [first * low, first * (1 - low), (1 - first) * high, (1 - first) * (1 - high)]
    bits.read_number(10)  # loop filter type, level, sharpness
    if bits.read_bit() and bits.read_bit():
        for _ in range(8):
            bits.read_optional(6, signed=True)
    bits.read_number(2)  # partitions
    base = bits.read_number(7)
    return sum(
        probability * (level if absolute else base + level)
        for probability, level in zip(probabilities, segments, strict=True)
    )
