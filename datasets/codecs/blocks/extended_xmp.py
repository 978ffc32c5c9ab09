"""XMP packets that are longer than a JPEG segment: the rest is in segments of their own (XMP specification, part 3)."""

import hashlib
import re
import struct
from collections.abc import Iterable

from datasets.codecs.blocks.xmp import remove_names, scan_tags

STANDARD = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
ROOM = 65533 - len(STANDARD)
"""Bytes of a packet that fit into a JPEG segment."""

_CHUNK = 65400  # bytes of an extension in one segment, as the specification says
_GUID = re.compile(rb"HasExtendedXMP\s*(?:=\s*[\"']|>)\s*([0-9A-Fa-f]{32})")
_LINK = {"http://ns.adobe.com/xmp/note/": "HasExtendedXMP"}
_MAIN = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="{guid}"/>'
    "</rdf:RDF></x:xmpmeta>"
)


def join_extended(packet: bytes, segments: Iterable[bytes]) -> tuple[bytes, bool]:
    """Return a packet with its extension from a JPEG's APP1 segments, and whether all of it could be joined."""
    link = _GUID.search(packet)
    if link is None:
        return packet, True
    packet = remove_names(packet, _LINK)
    parts, length = dict[int, bytes](), 0
    head = len(EXTENSION) + 40
    for segment in segments:
        if segment.startswith(EXTENSION + link[1]) and len(segment) > head:
            length, start = struct.unpack_from(">II", segment, head - 8)
            parts[start] = segment[head:]
    extension = b"".join(parts[start] for start in sorted(parts))
    if len(extension) != length:
        return packet, False
    joined = _join(packet.decode("utf-8", "surrogateescape"), extension.decode("utf-8", "surrogateescape"))
    return packet if joined is None else joined.encode("utf-8", "surrogateescape"), joined is not None


def _join(packet: str, extension: str) -> str | None:
    """Return a packet with the descriptions of another one; None where either is damaged."""
    ours, theirs = _find_descriptions(packet), _find_descriptions(extension)
    if ours is None or theirs is None:
        return None
    declared = dict(re.findall(r"\s(xmlns:[^\s=]+)\s*=\s*[\"']([^\"']*)[\"']", extension[: theirs[0]]))
    known = packet[: ours[0]]
    new = "".join(f' {name}="{space}"' for name, space in declared.items() if f"{name}=" not in known)
    return packet[: ours[0] - 1] + new + ">" + packet[ours[0] : ours[1]] + extension[slice(*theirs)] + packet[ours[1] :]


def _find_descriptions(packet: str) -> tuple[int, int] | None:
    """Return where the content of a packet's RDF element begins and ends."""
    tags = [tag for tag in scan_tags(packet) if tag[2].rpartition(":")[2] == "RDF"]
    if len(tags) != 2 or tags[0][1] or tags[0][3].endswith("/") or not tags[1][1]:
        return None
    return tags[0].end(), tags[1].start()


def split_packet(packet: bytes) -> tuple[bytes, list[bytes]] | None:
    """Return a packet that fits into a JPEG segment, and the segments of its extension; None if it is damaged.

    A packet that fits has no extension.
    """
    if len(packet) <= ROOM:
        return packet, []
    if _find_descriptions(packet.decode("utf-8", "surrogateescape")) is None:
        return None
    packet = re.sub(rb"<\?xpacket[^>]*>", b"", packet)  # an extension has no wrapper
    guid = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper()
    head = EXTENSION + guid.encode() + struct.pack(">I", len(packet))
    segments = []
    for start in range(0, len(packet), _CHUNK):
        body = head + struct.pack(">I", start) + packet[start : start + _CHUNK]
        segments.append(b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body)
    return _MAIN.format(guid=guid).encode(), segments
