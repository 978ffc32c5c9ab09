"""Long XMP packets of JPEG files are joined and split."""

import struct
from xml.etree import ElementTree

import pytest

from datasets.codecs.blocks import extended_xmp

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
GUID = "0123456789ABCDEF0123456789ABCDEF"


def packet(*descriptions, declared=""):
    head = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"{declared}>'
    return (head + "".join(descriptions) + "</rdf:RDF></x:xmpmeta>").encode()


def describe(name, value):
    return f'<rdf:Description rdf:about="" xmlns:o="http://o/"><o:{name}>{value}</o:{name}></rdf:Description>'


LINK = f'<rdf:Description xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="{GUID}" rdf:about=""/>'


def segments(data, size=1000, guid=GUID):
    head = extended_xmp.EXTENSION + guid.encode() + struct.pack(">I", len(data))
    return [head + struct.pack(">I", start) + data[start : start + size] for start in range(0, len(data), size)]


def test_an_extension_is_joined_whatever_the_order_of_its_segments():
    main, extension = (
        packet(LINK, describe("a", "1")),
        packet("<q:b/>", describe("c", "2" * 5000), declared=' xmlns:q="u"'),
    )
    parts = [b"JFIF", *reversed(segments(extension)), *segments(b"another", guid="F" * 32)]
    joined, complete = extended_xmp.join_extended(main, parts)
    assert complete
    root = ElementTree.fromstring(joined)
    assert next(iter(root.iter("{http://o/}a"))).text == "1"
    assert next(iter(root.iter("{http://o/}c"))).text == "2" * 5000
    assert root.find(".//{u}b") is not None
    assert b"HasExtendedXMP" not in joined


@pytest.mark.parametrize("parts", [[], segments(b"no XMP"), segments(packet(describe("c", "2"))[:-30])])
def test_a_missing_or_damaged_extension_leaves_the_packet_without_its_link(parts):
    joined, complete = extended_xmp.join_extended(packet(LINK, describe("a", "1")), parts)
    assert not complete
    assert b"HasExtendedXMP" not in joined
    assert b"<o:a>1</o:a>" in joined
    ElementTree.fromstring(joined)


def test_a_long_packet_is_split_and_joined_again():
    long = packet(describe("a", "1" * 200_000), describe("b", "2"))
    split = extended_xmp.split_packet(long)
    assert split is not None
    main, parts = split
    assert len(main) < 1000
    assert [part[:2] for part in parts] == [b"\xff\xe1"] * 4
    assert all(len(part) == 2 + struct.unpack(">H", part[2:4])[0] for part in parts)
    joined, complete = extended_xmp.join_extended(main, [part[4:] for part in parts])
    assert complete
    assert b"1" * 200_000 in joined
    assert extended_xmp.split_packet(packet(describe("a", "1"))) == (packet(describe("a", "1")), [])
    assert extended_xmp.split_packet(b"<x" * 50_000) is None
