"""Claims and pictures are cut out of XMP packets, and every other byte stays."""

import base64
import io
import time
import tracemalloc
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from datasets.codecs.blocks import xmp

NAMESPACES = {
    "rdf": xmp.RDF,
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpGImg": "http://ns.adobe.com/xap/1.0/g/img/",
    "hdrgm": "http://ns.adobe.com/hdr-gain-map/1.0/",
    "HDRGainMap": "http://ns.apple.com/HDRGainMap/1.0/",
    "GCamera": "http://ns.google.com/photos/1.0/camera/",
    "OpCamera": "http://ns.oplus.com/photos/1.0/camera/",
    "Container": "http://ns.google.com/photos/1.0/container/",
    "Item": "http://ns.google.com/photos/1.0/container/item/",
    "DDC": "http://ns.google.com/photos/dd/1.0/container/",
    "Device": "http://ns.google.com/photos/dd/1.0/device/",
    "GDepth": "http://ns.google.com/photos/1.0/depthmap/",
    "GImage": "http://ns.google.com/photos/1.0/image/",
    "GAudio": "http://ns.google.com/photos/1.0/audio/",
    "other": "http://example.org/other/",
}


def jpeg(size=(48, 32)):
    buffer = io.BytesIO()
    Image.fromarray(np.full((size[1], size[0], 3), (248, 0, 0), np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


CODED = base64.b64encode(jpeg()).decode()


def packet(attributes="", elements="", wrong=False):
    declared = " ".join(f'xmlns:{name}="{space}"' for name, space in NAMESPACES.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"{"/" if wrong else ""}><rdf:RDF xmlns:rdf="{xmp.RDF}">'
        f'<rdf:Description rdf:about="" {declared} xmp:Rating="3" {attributes}>'
        f"<dc:title><rdf:Alt><rdf:li xml:lang='x-default'>A lake &lt; a sea</rdf:li></rdf:Alt></dc:title>{elements}"
        "<!-- GCamera:MotionPhoto --></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
    ).encode()


DIRECTORY = (
    '<{0}:Directory><rdf:Seq><rdf:li rdf:parseType="Resource"><{0}:Item Item:Semantic="Primary"/></rdf:li>'
    '<rdf:li rdf:parseType="Resource"><{0}:Item Item:Semantic="{1}" Item:Mime="{2}" Item:Length="776"/></rdf:li>'
    "</rdf:Seq></{0}:Directory>"
)
CLAIMS = {
    "motion photo": ('GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion="1"', "", xmp.VIDEO),
    "micro video": ("", "<GCamera:MicroVideoOffset>1032</GCamera:MicroVideoOffset>", xmp.VIDEO),
    "another maker": ('OpCamera:MotionPhotoOwner="x" OpCamera:VideoLength="9"', "", xmp.VIDEO),
    "video item": ("", DIRECTORY.format("Container", "MotionPhoto", "video/mp4"), xmp.VIDEO),
    "gain map": (
        'hdrgm:Version="1.0"',
        "<hdrgm:Gamma><rdf:Seq><rdf:li>1</rdf:li></rdf:Seq></hdrgm:Gamma>",
        xmp.GAIN_MAP,
    ),
    "gain map item": ("", DIRECTORY.format("Container", "GainMap", "image/jpeg"), xmp.GAIN_MAP),
    "Apple's gain map": ('HDRGainMap:HDRGainMapVersion="65536"', "", xmp.GAIN_MAP),
    "depth": ('GDepth:Format="RangeInverse" GDepth:Mime="image/png"', "", xmp.DEPTH),
    "dynamic depth": (
        "",
        "<Device:Container>" + DIRECTORY.format("DDC", "Depth", "a") + "</Device:Container>",
        xmp.DEPTH,
    ),
    "second eye": (f'GImage:Mime="image/jpeg" GImage:Data="{CODED}"', "", xmp.PICTURE),
    "sound": ('GAudio:Mime="audio/mp4" GAudio:Data="AAAA"', "", xmp.SOUND),
    "credentials": ('dcterms:provenance="self#jumbf=/c2pa"', "", xmp.CREDENTIALS),
    "thumbnail": (
        "",
        '<xmp:Thumbnails><rdf:Alt><rdf:li rdf:parseType="Resource"><xmpGImg:width>48</xmpGImg:width>'
        f"<xmpGImg:image>{CODED}</xmpGImg:image></rdf:li></rdf:Alt></xmp:Thumbnails>",
        xmp.THUMBNAIL,
    ),
    "thumbnail in short": (
        "",
        f'<other:a><rdf:Bag><rdf:li xmpGImg:image="{CODED}"/></rdf:Bag></other:a>',
        xmp.THUMBNAIL,
    ),
    "anybody's picture": ("", f"<other:a><rdf:Bag><rdf:li>\n {CODED}</rdf:li></rdf:Bag></other:a>", xmp.PICTURE),
    "anybody's attribute": (f'other:a="data:image/jpeg;base64,{CODED}"', "", xmp.PICTURE),
}


@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.parametrize("kind", CLAIMS)
def test_a_claim_is_cut_out_and_the_rest_stays(kind, wrong):
    attributes, elements, removed = CLAIMS[kind]
    result, found = xmp.remove_claims(packet(attributes, elements, wrong=wrong))
    assert found == (removed,)
    for part in ("Rating=", "A lake &lt; a sea", "<?xpacket end='w'?>", "<!-- GCamera"):
        assert part.encode() in result
    text = result.decode().replace("<!-- GCamera:MotionPhoto -->", "")
    for part in (
        "hdrgm:",
        "GCamera:M",
        "OpCamera:M",
        ":Directory",
        "Item:",
        "Thumbnails",
        "GDepth:",
        "provenance",
        "/9j/",
    ):
        assert part not in text
    if not wrong:
        ElementTree.fromstring(result)
    assert xmp.remove_claims(result) == (result, ())


def test_a_packet_without_claims_stays_as_it_is():
    for data in (packet('GCamera:BurstID="7"'), packet(wrong=True), b"", b"no XML <", b"<a b='", b"</a><b>", b"<!-- x"):
        assert xmp.remove_claims(data) == (data, ())


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_other_encodings_are_read(encoding):
    data = ("\ufeff" + packet('GCamera:MotionPhoto="1"').decode()).encode(encoding)
    result, found = xmp.remove_claims(data)
    assert found == (xmp.VIDEO,)
    assert "A lake" in result.decode()
    assert b"MotionPhoto=" not in result


def test_prefixes_mean_what_the_packet_says():
    attributes = f'xmlns:q="{NAMESPACES["GCamera"]}" q:MotionPhoto="1" xmlns:GCamera="http://x/" GCamera:Motion="1"'
    result, found = xmp.remove_claims(f"<rdf:Description {attributes}/>".encode())
    assert found == (xmp.VIDEO,)
    assert b"q:MotionPhoto" not in result
    assert b'GCamera:Motion="1"' in result
    assert xmp.remove_claims(b'<rdf:Description hdrgm:Version="1.0"/>')[1] == (xmp.GAIN_MAP,)  # undeclared


def test_names_are_removed_by_namespace():
    data = packet("", '<other:a x="1"/><other:ab/>')
    assert xmp.remove_names(data, {"http://example.org/other/": "a"}) == data.replace(b'<other:a x="1"/>', b"")
    assert xmp.remove_names(data, {"http://example.org/else/": "a"}) == data


@pytest.mark.parametrize(
    "part", ["<a '", "<a xmlns:p{0}='x'>", "<a>", "</a>", "<!--", "<![CDATA[", '<a b="c"', "<a" + " b" * 9, "&<<<"]
)
def test_hostile_packets_take_time_and_memory_in_proportion(part):
    data = "".join(part.format(place) for place in range(20_000)).encode()
    tracemalloc.start()
    start = time.perf_counter()
    xmp.remove_claims(data)
    seconds, (_, peak) = time.perf_counter() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 5
    assert peak < 200e6
