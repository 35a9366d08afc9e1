"""Workbooks (XLSX) that others made, opened to be written into: held to a size, the same bytes for the same input."""

from __future__ import annotations

import io
import posixpath
import re
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from xml.sax import SAXException, handler

if TYPE_CHECKING:
    from openpyxl.workbook.workbook import Workbook

LARGEST = 16 * 1024 * 1024
"""Bytes of a form."""
LARGEST_UNPACKED = 96 * 1024 * 1024
"""Bytes that its parts may unpack to."""
MOST_PARTS = 5_000
MOST_CELLS = 500_000
"""Cells of all sheets together; each becomes an object in memory."""
MOST_MERGED = 200_000
"""Cells under merged ranges; the library makes an object of each of them, however empty."""

_MARKUP = (".xml", ".rels")
_MACROS = re.compile(r"macroEnabled|vbaProject|ms-excel\.sheet\.binary")
_MERGED = re.compile(r"([A-Z]{1,3})([0-9]{1,7})(?::([A-Z]{1,3})([0-9]{1,7}))?")
_NEVER_MISSED = re.compile(r"^(_rels|docProps|xl|xl/_rels|xl/theme|xl/worksheets/_rels|\[Content_Types\]\.xml|)$")
_MODIFIED = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*(</dcterms:modified>)")
_BROKEN = (
    *(ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError, SyntaxError, OSError, EOFError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
)
"""What the library lets out where a file is not what it expects; it has no error of its own for that."""


@dataclass(frozen=True)
class OpenForm:
    """A form laid open: the workbook, and the parts of the file that it was read from."""

    book: Workbook
    parts: Sequence[str]
    told: Sequence[str] = field(default=())
    """What the library says that it cannot keep."""


def open_form(content: bytes) -> OpenForm:
    """Lay a form open; formulas stay formulas and nothing that it links to is fetched.

    Raises ValueError, saying why, for what is no workbook, holds macros, or is larger than a form may be; ImportError
    where openpyxl or defusedxml is not installed.
    """
    import openpyxl

    parts = _held(content)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            book = openpyxl.load_workbook(io.BytesIO(content), rich_text=True)
        except _BROKEN as error:
            raise ValueError(f"is no workbook (XLSX) that can be read: {_said(error)}") from error
    book.template = False  # a workbook comes out, also where a template (XLTX) went in
    return OpenForm(book, parts, tuple(dict.fromkeys(_said(each.message) for each in told)))


def close_form(form: OpenForm, as_of: datetime | None) -> tuple[bytes, tuple[str, ...]]:
    """The workbook as bytes, and what of the form is not in it any more.

    No moment of writing stands in the bytes: ``as_of`` takes its place. Programs reckon all formulas anew on opening.
    Raises ValueError where the library cannot write what it read.
    """
    form.book.calculation.fullCalcOnLoad = True
    stream = io.BytesIO()
    try:
        form.book.save(stream)
    except _BROKEN as error:
        raise ValueError(f"cannot be written again: {_said(error)}") from error
    made = io.BytesIO()
    with zipfile.ZipFile(stream) as written, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as settled:
        names = written.namelist()
        for name in names:
            part = written.read(name)
            if name == "docProps/core.xml" and as_of is not None:
                part = _MODIFIED.sub(rb"\g<1>" + f"{as_of:%Y-%m-%dT%H:%M:%SZ}".encode() + rb"\g<2>", part)
            settled.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_DEFLATED)
    return made.getvalue(), (*form.told, *_missed(form.parts, names))


def _held(content: bytes) -> list[str]:
    """Names of the parts of a workbook that is small enough to be opened."""
    if len(content) > LARGEST:
        raise ValueError(f"holds more than {LARGEST:,} bytes")
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise ValueError("is locked by a password or of the old kind (XLS); save it as XLSX without a password")
    if not content.startswith(b"PK\x03\x04"):
        raise ValueError("is no workbook (XLSX)")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            names = [part.filename for part in parts]
            if len(parts) > MOST_PARTS or len(set(names)) < len(names):
                raise ValueError(f"holds more than {MOST_PARTS:,} parts, or one of them twice")
            if sum(part.file_size for part in parts) > LARGEST_UNPACKED:
                raise ValueError(f"unpacks to more than {LARGEST_UNPACKED:,} bytes")
            tally = _Tally()
            for part in parts:
                _count(part.filename, archive.read(part), tally)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, OSError, EOFError, RuntimeError) as error:
        raise ValueError(f"is no workbook (XLSX) that can be read: {_said(error)}") from error
    return names


class _Tally(handler.ContentHandler):
    """Counts what a workbook would cost in memory before it is laid open."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = self.merged = 0

    def startElement(self, name: str, attrs: Any) -> None:
        """Count a cell, or the cells of a merged range; raises ValueError where they are too many."""
        match name.rpartition(":")[2]:
            case "c":
                self.cells += 1
            case "mergeCell":
                self.merged += _size(attrs.get("ref", ""))
            case _:
                return
        if self.cells > MOST_CELLS or self.merged > MOST_MERGED:
            raise ValueError(f"holds more than {MOST_CELLS:,} cells, or more than {MOST_MERGED:,} merged ones")


def _count(name: str, content: bytes, tally: _Tally) -> None:
    """Read a part as markup, whatever it is called; entities and types of documents are refused."""
    import defusedxml.sax  # type: ignore[import-untyped]
    from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]

    try:
        defusedxml.sax.parseString(content, tally, forbid_dtd=True)
    except DefusedXmlException as error:
        raise ValueError(f"{name} declares entities or a type of document, which no workbook needs") from error
    except (SAXException, UnicodeError, LookupError) as error:
        if name.endswith(_MARKUP):
            raise ValueError(f"{name} is no markup that can be read: {_said(error)}") from error
        return
    if name == "[Content_Types].xml" and _MACROS.search(content.decode("utf-8", "replace")):
        raise ValueError("holds macros or is binary (XLSM, XLSB); save it as XLSX, for macros would be lost")


def _size(reference: str) -> int:
    """Cells of a range such as A1:C2; more than any may be where it cannot be understood."""
    match = _MERGED.fullmatch(reference.upper().replace("$", ""))
    if match is None:
        return MOST_MERGED + 1
    left, top, right, bottom = match.groups()
    if right is None:
        return 1
    return (abs(_column(right) - _column(left)) + 1) * (abs(int(bottom) - int(top)) + 1)


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _missed(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Folders of the file that hold fewer parts than they did; what every workbook has is written anew."""
    then, now = _folders(before), _folders(after)
    return [
        f"{count - now[folder]} of {count} parts under {folder}/ are not kept"
        for folder, count in sorted(then.items())
        if now[folder] < count and not _NEVER_MISSED.match(folder)
    ]


def _folders(names: Sequence[str]) -> Counter[str]:
    return Counter(posixpath.dirname(name) for name in names if not name.endswith("/"))


def _said(error: object) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
