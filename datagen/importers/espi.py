"""A parser of ESPI feeds (Green Button XML): entries, their links, and blocks of readings with their lines.

Entities and document types are refused (:mod:`defusedxml`), so a small file cannot expand into a large one and no other
file is read.  Titles, addresses and accounts are never looked at.  Names are matched without their prefix.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.sax import ErrorHandler, SAXException, SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl, Locator

import defusedxml.sax
from defusedxml.common import DefusedXmlException

from common.errors import UserError

_WHOLE = re.compile(r"[-+]?[0-9]{1,15}")
_NUMBER = re.compile(r"[-+]?[0-9]{1,15}(\.[0-9]{1,15})?")
_MOST_READINGS = 20_000_000
_LARGEST_POWER = 12
EXPECTED = "expected a Green Button (ESPI) feed as downloaded"


@dataclass
class _Linked:
    """An entry: its own address, and those that it points to."""

    href: str = ""
    up: str = ""
    related: set[str] = field(default_factory=set)

    def holds(self, other: _Linked) -> bool:
        """Whether another entry lies below this one, or is pointed to by it."""
        below = bool(self.href) and other.href.startswith(self.href + "/")
        return below or not self.related.isdisjoint({other.href, other.up} - {""})


@dataclass
class UsagePoint(_Linked):
    """A point of delivery; ``service`` 0 is electricity, 1 gas."""

    service: int | None = None


@dataclass
class MeterReading(_Linked):
    """What joins readings of one kind."""


@dataclass
class ReadingType(_Linked):
    """What a number means: ``unit`` is ESPI's ``uom``, ``direction`` its ``flowDirection``, ``interval_s`` seconds."""

    commodity: int | None = None
    unit: int | None = None
    power_of_ten: int = 0
    direction: int | None = None
    interval_s: int | None = None
    quality: int | None = None


@dataclass
class Block(_Linked):
    """Readings: beginning (seconds since 1970, UTC), length (seconds, None: the type's), value, quality code, line."""

    line: int = 0
    start: list[int] = field(default_factory=list)
    duration: list[int | None] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    quality: list[int | None] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


@dataclass
class Feed:
    """What a file holds; ``standard_offset_s`` is the offset from UTC of the clock that it names, in winter."""

    points: list[UsagePoint] = field(default_factory=list)
    readings: list[MeterReading] = field(default_factory=list)
    types: list[ReadingType] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    standard_offset_s: int | None = None


def read_feed(label: str, data: bytes) -> Feed:
    """Entries of a file.

    Raises:
        UserError: no whole XML, another kind of XML, a document type or entity, or a value that is no number; with the
            line.
    """
    if not data.strip():
        raise UserError(f"{label}: empty; {EXPECTED}")
    handler = _Handler(label)
    try:
        defusedxml.sax.parse(io.BytesIO(data), handler, ErrorHandler(), forbid_dtd=True)
    except DefusedXmlException:
        raise UserError(
            f"{label}: declares a document type or entities, which may hide an attack; {EXPECTED}"
        ) from None
    except SAXParseException as error:
        raise UserError(
            f"{label}, line {error.getLineNumber()}, column {(error.getColumnNumber() or 0) + 1}: not whole XML; "
            "download the file again"
        ) from None
    except (SAXException, ValueError, LookupError):
        raise UserError(f"{label}: not readable as XML; {EXPECTED}") from None
    if not handler.is_feed:
        raise UserError(f"{label}: XML of another kind; {EXPECTED}")
    return handler.feed


class _Handler(ContentHandler):
    """Builds a :class:`Feed` while the parser runs over the file, so that no tree is held."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self.label, self.feed, self.is_feed = label, Feed(), False
        self._path: list[str] = []
        self._text: list[str] = []
        self._links = _Linked()
        self._entry: list[_Linked] = []
        self._count = 0
        self._reading: dict[str, float | None] = {}

    def setDocumentLocator(self, locator: Locator) -> None:  # noqa: N802 - the parser's name
        self._locator = locator

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - the parser's name
        tag = name.rpartition(":")[2]
        self._path.append(tag)
        self._text.clear()
        if tag == "entry":
            self._links, self._entry = _Linked(), []
        elif tag == "link":
            self._link(attrs.get("rel", ""), attrs.get("href", ""))
        elif tag == "IntervalReading":
            self._reading = {"line": self._line()}
        elif tag in _MAKERS:
            self.is_feed = True
            resource = _MAKERS[tag]()
            if isinstance(resource, Block):
                resource.line = self._line()
            self._entry.append(resource)
        elif tag == "LocalTimeParameters":
            self.is_feed = True

    def characters(self, content: str) -> None:
        if len(self._text) < 64:  # a number; the parser hands over long text in pieces
            self._text.append(content)

    def endElement(self, name: str) -> None:  # noqa: N802 - the parser's name
        tag = self._path.pop()
        parent = self._path[-1] if self._path else ""
        resource = self._entry[-1] if self._entry else None
        if tag == "IntervalReading" and isinstance(resource, Block):
            self._add_reading(resource)
        elif (key := _READING_FIELDS.get((parent, tag))) and "IntervalReading" in self._path:
            self._reading[key] = self._number(tag, whole=key != "value")
        elif isinstance(resource, ReadingType) and (name_of := _TYPE_FIELDS.get(tag)):
            setattr(resource, name_of, self._whole(tag))
            if abs(resource.power_of_ten) > _LARGEST_POWER:
                raise self._bad(tag, "a power of ten beyond 12; expected 0, 3 or -3 or so")
        elif isinstance(resource, UsagePoint) and (parent, tag) == ("ServiceCategory", "kind"):
            resource.service = self._whole(tag)
        elif (parent, tag) == ("LocalTimeParameters", "tzOffset"):
            self.feed.standard_offset_s = self._whole(tag)
        elif tag == "entry":
            self._close_entry()
        self._text.clear()

    def _link(self, rel: str, href: str) -> None:
        if rel == "self":
            self._links.href = href
        elif rel == "up":
            self._links.up = href
        elif rel == "related":
            self._links.related.add(href)

    def _close_entry(self) -> None:
        # Links may stand before or after what they belong to.
        for resource in self._entry:
            resource.href, resource.up, resource.related = self._links.href, self._links.up, self._links.related
            if isinstance(resource, Block):
                self.feed.blocks.append(resource)
            elif isinstance(resource, ReadingType):
                self.feed.types.append(resource)
            elif isinstance(resource, UsagePoint):
                self.feed.points.append(resource)
            elif isinstance(resource, MeterReading):
                self.feed.readings.append(resource)
        self._entry = []

    def _add_reading(self, block: Block) -> None:
        reading, line = self._reading, int(self._reading.get("line") or 0)
        start, duration, quality = reading.get("start"), reading.get("duration"), reading.get("quality")
        if start is None:
            raise UserError(f"{self.label}, line {line}: an IntervalReading without a start; {EXPECTED}")
        self._count += 1
        if self._count > _MOST_READINGS:
            raise UserError(f"{self.label}, line {line}: more than {_MOST_READINGS} readings; expected a few years")
        value = reading.get("value")
        block.start.append(int(start))
        block.duration.append(None if duration is None else int(duration))
        block.value.append(float("nan") if value is None else value)
        block.quality.append(None if quality is None else int(quality))
        block.lines.append(line)

    def _number(self, tag: str, whole: bool) -> float | None:
        text = "".join(self._text).strip()
        if not text and tag == "value":
            return None
        if not (_WHOLE if whole else _NUMBER).fullmatch(text):
            shown = f"'{text}'" if re.fullmatch(r"[\w.+-]{1,20}", text) else "the text"
            raise self._bad(tag, f"{shown} is not a {'whole ' if whole else ''}number")
        return int(text) if whole else float(text)

    def _whole(self, tag: str) -> int:
        return int(self._number(tag, whole=True) or 0)

    def _bad(self, tag: str, problem: str) -> UserError:
        return UserError(f"{self.label}, line {self._line()}, {tag}: {problem}")

    def _line(self) -> int:
        return int(self._locator.getLineNumber() or 0)


_MAKERS: dict[str, Callable[[], _Linked]] = {
    "UsagePoint": UsagePoint,
    "MeterReading": MeterReading,
    "ReadingType": ReadingType,
    "IntervalBlock": Block,
}
_READING_FIELDS = {
    ("timePeriod", "start"): "start",
    ("timePeriod", "duration"): "duration",
    ("IntervalReading", "value"): "value",
    ("ReadingQuality", "quality"): "quality",
}
_TYPE_FIELDS = {
    "commodity": "commodity",
    "uom": "unit",
    "powerOfTenMultiplier": "power_of_ten",
    "flowDirection": "direction",
    "intervalLength": "interval_s",
    "defaultQuality": "quality",
}
