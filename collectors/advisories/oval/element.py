"""The elements of an OVAL document, one whole item after another; nothing that the language does not need is let in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from scanner.errors import Malformed

NAMESPACE = "http://oval.mitre.org/XMLSchema/oval-definitions-5"
SECTIONS = frozenset({"generator", "definitions", "tests", "objects", "states", "variables"})
DEEPEST = 48
"""Elements inside one another."""
LONGEST = 16 * 1024
"""Characters of one text."""
LARGEST_MARKUP = 8 * 1024 * 1024
"""Bytes of one tag, comment or the like; expat before 2.6 takes quadratic time over larger ones."""
MOST = 6_000_000
"""Elements that are kept for a while or for good."""
_IN_DEFINITIONS = frozenset(
    {
        "definition", "metadata", "title", "affected", "platform", "reference", "advisory", "severity", "issued",
        "public_date", "cve", "debian", "date", "criteria", "criterion", "extend_definition",
    }
)  # fmt: skip
"""What is read of definitions: long descriptions, instructions and bug lists are not."""


@dataclass(slots=True)
class Element:
    """One element by its local name, with its text and the elements in it."""

    name: str
    attributes: Mapping[str, str]
    inside: list[Element] = field(default_factory=list)
    text: str = ""

    def all(self, name: str) -> Iterator[Element]:
        """Elements of that name, however deep they lie."""
        for each in self.inside:
            if each.name == name:
                yield each
            yield from each.all(name)


def items(pieces: Iterable[bytes], name: str) -> Iterator[tuple[str, Element]]:
    """Each item of the document with the section in which it stands; raises Malformed.

    A document type declaration is refused before anything in it is read, so that no entity can be declared.
    """
    reading = _Reading(name)
    for piece in pieces:
        yield from reading.take(piece)
    yield from reading.take(b"", last=True)


class _Reading:
    """One pass of expat over a document."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._section = ""
        self._open: list[Element] = []
        self._depth = self._skipped = self._kept = self._fed = 0
        self._done: list[tuple[str, Element]] = []

    def take(self, piece: bytes, *, last: bool = False) -> list[tuple[str, Element]]:
        """The items that end in this piece."""
        self._done = []
        self._fed += len(piece)
        try:
            self._parser.Parse(piece, last)
        except expat.ExpatError as error:
            raise Malformed(
                f"{self._name}: not whole XML: {error}; expected a document of OVAL definitions, get the file anew"
            ) from error
        if self._fed - max(self._parser.CurrentByteIndex, 0) > LARGEST_MARKUP + len(piece):
            raise self._wrong(f"markup of more than {LARGEST_MARKUP} bytes in one piece")
        return self._done

    def _wrong(self, what: str) -> Malformed:
        return Malformed(f"{self._name}: line {self._parser.CurrentLineNumber}: {what}")

    def _refuse(self, *_: object) -> None:
        raise self._wrong("it declares a document type, which no OVAL document needs and which is not read")

    def _start(self, full: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._skipped:
            self._skipped += 1
            return
        space, _, name = full.rpartition(" ")
        if self._depth > DEEPEST:
            raise self._wrong(f"more than {DEEPEST} elements inside one another")
        if self._depth == 1:
            if full != f"{NAMESPACE} oval_definitions":
                raise self._wrong(f"its root is {name[:64]!r} of {space[:96]!r}; expected oval_definitions of OVAL 5")
            return
        if self._depth == 2:
            self._section = name
            if name not in SECTIONS:
                self._skipped = 1
            return
        if self._section == "definitions" and name not in _IN_DEFINITIONS and not self._in_criteria():
            self._skipped = 1
            return
        self._kept += 1
        if self._kept > MOST:
            raise self._wrong(f"more than {MOST} elements")
        element = Element(name, attributes)
        if self._open:
            self._open[-1].inside.append(element)
        self._open.append(element)

    def _in_criteria(self) -> bool:
        """Where what is not known counts: a part that nobody can answer."""
        return bool(self._open) and self._open[-1].name == "criteria"

    def _end(self, _: str) -> None:
        self._depth -= 1
        if self._skipped:
            self._skipped -= 1
            return
        if self._open:
            element = self._open.pop()
            element.text = element.text.strip()
            if not self._open:
                self._done.append((self._section, element))

    def _text(self, text: str) -> None:
        if self._open and not self._skipped:
            element = self._open[-1]
            if len(element.text) + len(text) > LONGEST:
                raise self._wrong(f"a text of more than {LONGEST} characters in {element.name[:64]!r}")
            element.text += text
