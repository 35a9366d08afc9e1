"""Reads a rendered page as a browser's parser would, and notes what a test may ask about it."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "link", "br", "hr", "img", "input", "wbr", "col"}


class Page(HTMLParser):
    """Elements, ids, links, rows of tables and text of one page; ``faults`` lists unbalanced tags."""

    def __init__(self, content: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.rows: list[Row] = []
        self.raw: dict[str, list[str]] = {"style": [], "script": []}
        self.words: list[str] = []
        self._open: list[str] = []
        self._cells: list[Row] = []
        self._card = ""
        self.feed(content.decode("utf-8"))
        self.close()
        self.faults += [f"<{tag}> left open" for tag in self._open]

    @property
    def ids(self) -> list[str]:
        """Every id, in page order."""
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]

    def by_id(self, name: str) -> dict[str, str]:
        """Attributes of the one element with this id."""
        (found,) = [attributes for _, attributes in self.elements if attributes.get("id") == name]
        return found

    def text_of(self, name: str) -> str:
        """Words inside the element with this id, spaces run together."""
        return " ".join(" ".join(self._by_id.get(name, [])).split())

    @property
    def text(self) -> str:
        """All words of the page outside style and script."""
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag in VOID:
            return
        self._open.append(tag)
        self._ids.append(attributes.get("id", ""))
        if tag == "article":
            self._card = attributes.get("id", "")
        if tag == "tr":
            self._cells.append(Row(card=self._card, table=self._nearest_section()))
        elif tag in ("td", "th") and self._cells:
            self._cells[-1].cells.append([])
            self._cells[-1].attributes.append(attributes)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.faults.append(f"</{tag}> closes {self._open[-1:] or 'nothing'}")
            return
        self._open.pop()
        self._ids.pop()
        if tag == "tr":
            self.rows.append(self._cells.pop())
        elif tag == "article":
            self._card = ""

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in self.raw:
            self.raw[self._open[-1]].append(data)
            return
        self.words.append(data)
        for name in self._ids:
            if name:
                self._by_id.setdefault(name, []).append(data)
        if self._cells and self._cells[-1].cells:
            self._cells[-1].cells[-1].append(data)

    def reset(self) -> None:
        """Start a page over."""
        super().reset()
        self._ids: list[str] = []
        self._by_id: dict[str, list[str]] = {}

    def _nearest_section(self) -> str:
        return next((name for name in reversed(self._ids) if name), "")


class Row:
    """One table row: its cells' words, and the card and id it stands in."""

    def __init__(self, card: str, table: str) -> None:
        self.card = card
        self.table = table
        self.cells: list[list[str]] = []
        self.attributes: list[dict[str, str]] = []

    def cell(self, place: int) -> str:
        """Words of one cell, spaces run together."""
        return " ".join("".join(self.cells[place]).split())

    def numbers(self) -> dict[str, int]:
        """Cells marked as counts, by name."""
        return {
            attributes["data-n"]: int(self.cell(place).replace(",", ""))
            for place, attributes in enumerate(self.attributes)
            if "data-n" in attributes
        }
