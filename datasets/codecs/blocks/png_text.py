"""Text of PNG files: free text, and the blocks that ImageMagick and ExifTool store as hexadecimal text."""

from datasets.codecs.blocks.pictures import blank_pictures
from datasets.codecs.blocks.thumbnails import blank_previews

RAW_PROFILE = "Raw profile type "
_HEADING = b"Exif\0\0"
_COLUMNS = 72  # of ImageMagick


def read_raw_profile(text: str) -> bytes | None:
    """Return the bytes of a raw profile: its kind, its length and its digits are on lines of their own; or None."""
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return None


def clean_text(key: str, text: str) -> str | None:
    """Return text without pictures: they are overwritten in raw profiles, and None stands for other text with one."""
    data = read_raw_profile(text) if key.startswith(RAW_PROFILE) else None
    if data is None:
        coded = text.encode("utf-8", "replace")
        return text if blank_pictures(coded) == coded else None
    body = data.removeprefix(_HEADING)
    cleaned = data[: len(data) - len(body)] + blank_previews(body)
    digits = cleaned.hex()
    lines = [digits[start : start + _COLUMNS] for start in range(0, len(digits), _COLUMNS)]
    return text if cleaned == data else "\n".join([*text.split("\n")[:3], *lines, ""])
