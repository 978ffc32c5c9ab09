"""What Pillow knows of a picture's file, for pictures that Python callers bring and get."""

from collections.abc import Mapping
from typing import Any

from datasets.codecs import metadata
from datasets.codecs.blocks.pictures import blank_pictures
from datasets.codecs.blocks.png_text import clean_text
from datasets.codecs.blocks.thumbnails import blank_previews
from datasets.codecs.blocks.xmp import remove_claims

_HEADING = b"Exif\0\0"
_GONE = frozenset({"photoshop", "flashpix", "mp", "mpoffset"})  # thumbnails, and places of pictures in the old file


def clean_info(info: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the `info` of a Pillow image without copies of the picture, and without claims on what is not there."""
    cleaned = {key: _clean(key, value) for key, value in info.items() if key not in _GONE}
    return {key: value for key, value in cleaned.items() if value is not None}


def _clean(key: Any, value: Any) -> Any:
    if isinstance(value, str):
        packet = key == "XML:com.adobe.xmp"
        return remove_claims(value.encode())[0].decode("utf-8", "replace") if packet else clean_text(str(key), value)
    if not isinstance(value, bytes):
        return value
    if key == "exif":
        block = blank_previews(value.removeprefix(_HEADING))
        return value[: len(value) - len(block)] + metadata.patch_numbers(block, {metadata.THUMBNAIL: 0})
    return remove_claims(value)[0] if key == "xmp" else blank_pictures(value)
