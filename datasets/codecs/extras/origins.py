"""What files of the extras hold beside their pixels, treated as `datasets.codecs.origin` treats that of other files."""

from collections.abc import Sequence

from datasets.codecs import metadata
from datasets.codecs.blocks.descriptive import read_resolution
from datasets.codecs.blocks.exif_colour import read_tagged_colours
from datasets.codecs.blocks.icc import build_profile
from datasets.codecs.blocks.thumbnails import blank_previews
from datasets.codecs.blocks.xmp import remove_claims
from datasets.codecs.origin import Origin


def build_origin(
    format: str,
    channels: int,
    *,
    icc: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    colour: tuple[tuple[bytes, bytes], ...] = (),
    dropped: Sequence[str] = (),
) -> Origin:
    """Return the origin of a picture that is upright already: its metadata must not turn it again.

    Args:
        format: Of the file.
        channels: Of the picture, 1 or 3.
        icc: Its colour profile.
        exif: Its EXIF block, with or without the heading that JPEG puts before it.
        xmp: Its XMP packet.
        colour: The chunks by which PNG would state the colours, where there is no profile.
        dropped: What else the file held.
    """
    lost, dpi = [*dropped], None
    while exif is not None and exif.startswith(b"Exif\0\0"):
        exif = exif[6:]
    if exif:
        exif = metadata.patch_numbers(blank_previews(exif), {metadata.ORIENTATION: 1, metadata.THUMBNAIL: 0})
        dpi = read_resolution(exif)
        stated = None if icc or colour else read_tagged_colours(exif)
        icc = icc or (build_profile(stated, channels) if stated else None)
    if xmp:
        xmp, claims = remove_claims(metadata.reset_xmp_orientation(xmp))
        lost += claims
    note = ("dropped: " + ", ".join(dict.fromkeys(lost)),) if lost else ()
    colour = () if icc else colour
    return Origin(format, icc=icc, exif=exif or None, xmp=xmp or None, png_colour=colour, dpi=dpi, notes=note)
