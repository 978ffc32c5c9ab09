"""XMP packets: remove what they claim of data that are not kept, and the pictures within them.

An edit cuts parts out and leaves every other byte where it was. No XML library does that: they write the whole packet
anew, and refuse the damaged packets that are common in real files. Those are read here as far as they make sense.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
# What a packet may claim, in the words of the notes to the user.
VIDEO, GAIN_MAP, DEPTH = "the video of the motion photo", "the gain map (HDR)", "the depth map"
SOUND, THUMBNAIL, PICTURE = "the sound recording", "the thumbnail in XMP", "a picture in XMP"
CREDENTIALS, EDITING = "the content credentials (C2PA)", "the camera's data for later editing"

# Patterns of a namespace and of names within it. Sources: Adobe's XMP specification, parts 1 and 2, and "Gain Map 1.0";
# Google's "Motion Photo 1.0", "Dynamic Depth 1.0", "Depthmap Metadata" and "Cardboard Camera"; the C2PA specification;
# ExifTool's lists of tags for Apple and for the phones whose own namespaces follow Google's.
_CAMERA = r"http://ns\.[a-z]+\.com/photos/1\.0/camera/"
_CLAIMS = (
    (r"http://ns\.adobe\.com/xap/1\.0/", r"Thumbnails", THUMBNAIL),
    (r"http://ns\.adobe\.com/xap/1\.0/g/img/", r".*", THUMBNAIL),
    (r"http://ns\.adobe\.com/hdr-gain-map/.*", r".*", GAIN_MAP),
    (r"http://ns\.apple\.com/HDR.*", r".*", GAIN_MAP),
    (r"http://ns\.apple\.com/(depth|portrait|semantic|pixeldata).*", r".*", DEPTH),
    (_CAMERA, r"(Motion|MicroVideo|OLive|Video).*|SpecialTypeID", VIDEO),
    (_CAMERA, r"(?!Burst|Disable).+", EDITING),
    (r"http://ns\.google\.com/photos/(dd/)?1\.0/(container|item)/.*", r".*", EDITING),
    (r"http://ns\.google\.com/photos/(1\.0/depthmap|dd/1\.0)/.*", r".*", DEPTH),
    (r"http://ns\.google\.com/photos/1\.0/image/", r".*", PICTURE),
    (r"http://ns\.google\.com/photos/1\.0/audio/", r".*", SOUND),
    (r"https?://(www|ns)\.xdm\.org/.*", r".*", DEPTH),
    (r"http://purl\.org/dc/terms/", r"provenance", CREDENTIALS),
)
# What the items of a container are, by their names and types.
_ITEMS = ((r"GainMap", GAIN_MAP), (r"MotionPhoto|video/", VIDEO), (r"Depth", DEPTH), (r"audio/", SOUND))
# Prefixes that packets use without declaring them.
_PREFIXES = {
    "rdf": RDF,
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xap": "http://ns.adobe.com/xap/1.0/",
    "xmpGImg": "http://ns.adobe.com/xap/1.0/g/img/",
    "xmpNote": "http://ns.adobe.com/xmp/note/",
    "hdrgm": "http://ns.adobe.com/hdr-gain-map/1.0/",
    "GCamera": "http://ns.google.com/photos/1.0/camera/",
    "Container": "http://ns.google.com/photos/1.0/container/",
    "Item": "http://ns.google.com/photos/1.0/container/item/",
    "GDepth": "http://ns.google.com/photos/1.0/depthmap/",
    "GImage": "http://ns.google.com/photos/1.0/image/",
    "GAudio": "http://ns.google.com/photos/1.0/audio/",
}
# Possessive quantifiers keep these linear in the length of a damaged packet.
_TAG = re.compile(r"""<(/?)([^\s<>/"'=!?]++)((?:[^<>"']++|"[^"]*+"|'[^']*+')*+)>""")
_ATTRIBUTE = re.compile(r"""\s*+([^\s<>/"'=]++)\s*+=\s*+("[^"]*+"|'[^']*+')""")
_SKIPPED = (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"))
# The base64 of JPEG, PNG, GIF, WebP, and the boxes of AVIF and HEIC; 100 characters are less than any picture has.
_PICTURE_TEXT = re.compile(
    r"\s*+(?:<!\[CDATA\[)?+\s*+(?:data:[^,<]{,80},\s*+)?+(?:/9j/|iVBORw0KGgo|R0lGOD|UklGR|AAAA..Z0eX)[^<]{100}"
)

Judge = Callable[[str, str], str | None]
"""What to do with a name, given its namespace and itself: None to keep it, else what is removed with it."""


class _Name(NamedTuple):
    namespace: str
    local: str


@dataclass
class _Element:
    name: str
    namespace: str
    declared: list[str]  # prefixes
    start: int
    removed: str | None  # what is removed with it; None: it stays


def remove_claims(xmp: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return a packet without claims on data that are not kept and without pictures, and what these were."""
    text, removed = _Editor(_judge_claim, pictures=True).edit(_decode(xmp))
    return (text.encode("utf-8", "surrogateescape") if removed else xmp), tuple(dict.fromkeys(removed))


def remove_names(xmp: bytes, names: dict[str, str]) -> bytes:
    """Return a packet without some properties; `names` has a pattern of names for each namespace."""

    def judge(namespace: str, local: str) -> str | None:
        return local if namespace in names and re.fullmatch(names[namespace], local) else None

    text, removed = _Editor(judge, pictures=False).edit(_decode(xmp))
    return text.encode("utf-8", "surrogateescape") if removed else xmp


def _decode(xmp: bytes) -> str:
    """Return a packet as text; packets outside of JPEG may be in UTF-16, and become UTF-8."""
    if xmp[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in xmp[:4]:
        order = "be" if xmp[:2] == b"\xfe\xff" or xmp[:1] == b"\0" else "le"
        return xmp.decode(f"utf-16-{order}", "replace").removeprefix("\ufeff").rstrip("\0")
    return xmp.decode("utf-8", "surrogateescape")


@lru_cache(maxsize=1024)
def _judge_claim(namespace: str, local: str) -> str | None:
    for space, names, kind in _CLAIMS:
        if re.fullmatch(space, namespace) and re.fullmatch(names, local):
            return kind
    return None


def scan_tags(text: str) -> Iterator[re.Match[str]]:
    """Yield the tags of a packet as matches of a slash, a name and the rest; comments and instructions are skipped."""
    position = 0
    while (start := text.find("<", position)) >= 0:
        closing = next((closing for opening, closing in _SKIPPED if text.startswith(opening, start)), None)
        if closing is not None:
            end = text.find(closing, start)
            if end < 0:
                return
            position = end + len(closing)
        elif (tag := _TAG.match(text, start)) is not None:
            yield tag
            position = tag.end()
        else:
            position = start + 1


class _Editor:
    """One pass over a packet that collects what to cut."""

    def __init__(self, judge: Judge, *, pictures: bool) -> None:
        self._judge, self._pictures = judge, pictures
        self._stack: list[_Element] = []
        self._prefixes = {prefix: [namespace] for prefix, namespace in _PREFIXES.items()}  # the last one counts
        self._open: Counter[str] = Counter()
        self._removing = 0  # elements on the stack that will be cut
        self._cuts: list[tuple[int, int]] = []
        self._removed: list[str] = []

    def edit(self, text: str) -> tuple[str, list[str]]:
        """Return the text without what is to be removed, and what that was."""
        last = 0
        for tag in scan_tags(text):
            if self._pictures and not self._removing and _PICTURE_TEXT.match(text, last, tag.start()):
                self._remove_property()
            if tag[1]:
                self._close(text, tag)
            else:
                self._begin(text, tag)
            last = tag.end()
        while self._stack:
            self._pop(text, len(text))
        parts, position = [], 0
        for start, end in sorted(self._cuts):
            parts.append(text[position : max(start, position)])
            position = max(end, position)
        return "".join([*parts, text[position:]]), self._removed

    def _begin(self, text: str, tag: re.Match[str]) -> None:
        attributes = [*_ATTRIBUTE.finditer(text, tag.start(3), tag.end(3))]
        declared = [found for found in attributes if found[1].startswith("xmlns:")]
        for found in declared:
            self._prefixes.setdefault(found[1][6:], []).append(found[2][1:-1])
        name = self._resolve(tag[2])
        removed = None if self._removing else self._judge(*name)
        if removed is None and not self._removing:
            self._judge_attributes(attributes)
        prefixes = [found[1][6:] for found in declared]
        self._stack.append(_Element(tag[2], name.namespace, prefixes, tag.start(), removed))
        self._open[tag[2]] += 1
        self._removing += removed is not None
        if tag[3].endswith("/"):
            self._pop(text, tag.end())

    def _judge_attributes(self, attributes: list[re.Match[str]]) -> None:
        for found in attributes:
            if found[1].startswith("xmlns:"):
                # A namespace from which everything is removed needs no prefix any more.
                if self._judge(found[2][1:-1], "") is not None:
                    self._cuts.append(found.span())
                continue
            removed = self._judge(*self._resolve(found[1])) if ":" in found[1] else None
            if removed is None and self._pictures and _PICTURE_TEXT.match(found[2], 1):
                removed = PICTURE
            if removed is not None:
                self._cuts.append(found.span())
                self._removed.append(removed)

    def _remove_property(self) -> None:
        """Mark the innermost element that is no part of RDF's own lists."""
        for element in reversed(self._stack):
            if element.namespace != RDF:
                element.removed = PICTURE
                self._removing += 1
                return

    def _close(self, text: str, tag: re.Match[str]) -> None:
        if not self._open[tag[2]]:
            return  # nothing of this name is open
        while self._stack[-1].name != tag[2]:
            self._pop(text, tag.start())
        self._pop(text, tag.end())

    def _pop(self, text: str, end: int) -> None:
        element = self._stack.pop()
        self._open[element.name] -= 1
        for prefix in element.declared:
            self._prefixes[prefix].pop()
        if element.removed is not None:
            self._removing -= 1
            self._cuts.append((element.start, end))
            content = text[element.start : end]
            items = [kind for pattern, kind in _ITEMS if element.removed == EDITING and re.search(pattern, content)]
            self._removed += items or [element.removed]

    def _resolve(self, name: str) -> _Name:
        prefix, _, local = name.rpartition(":")
        namespaces = self._prefixes.get(prefix)
        return _Name(namespaces[-1] if namespaces else prefix, local)
