from __future__ import annotations

import pytest

from collectors.advisories.feed import Package
from collectors.advisories.oval import element
from collectors.advisories.oval.document import read
from collectors.advisories.oval.feed import read_feed
from scanner.errors import Malformed
from tests.collectors.advisories.oval.documents import (
    bookworm,
    custom,
    debian,
    definition,
    document,
    feed,
    pieces,
    repairs,
)

WHOLE = debian(("openssl", "9"))
LAUGHS = (
    '<!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1 or str()};" * 10}">' for n in range(1, 10))
    + "]>"
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not whole XML"),
        (b"{}", "not whole XML"),
        (WHOLE[:-20], "not whole XML"),
        (WHOLE[: len(WHOLE) // 2], "not whole XML"),
        (WHOLE + b"<more/>", "not whole XML"),
        (b"<html/>", "expected oval_definitions of OVAL 5"),
        (WHOLE.replace(b"oval-definitions-5", b"oval-definitions-6"), "expected oval_definitions of OVAL 5"),
        (document(start=LAUGHS), "declares a document type"),
        (document(start='<!DOCTYPE x SYSTEM "file:///etc/passwd">'), "declares a document type"),
        (WHOLE.replace(b"words", b"&undeclared;"), "not whole XML"),
        (document(), "holds no definition of class vulnerability or patch"),
        (document(definitions=definition(1, "", kind="inventory")), "holds no definition"),
        (debian(stamp="yesterday"), "'yesterday' of its generator is no time"),
        (WHOLE.replace(b"oval:timestamp>", b"oval:time>"), "its generator states no timestamp"),
        (document(definitions="<definition id='x' class='patch'/>"), "is called 'x', which is no name of OVAL"),
        (custom("<criteria>" * 60 + "</criteria>" * 60), "more than 48 elements inside one another"),
        (document(definitions=definition(1, "", advisory=f"<advisory><severity>{'x' * 20_000}</severity></advisory>")),
         "a text of more than 16384 characters in 'severity'"),
    ],
)  # fmt: skip
def test_a_document_that_is_not_in_order_is_refused_by_name(content: bytes, said: str) -> None:
    with pytest.raises(Malformed, match=r"^feed\.xml") as refused:
        feed(content)
    assert said in str(refused.value)


def test_no_entity_is_ever_declared() -> None:
    # Refused at the declaration of the document type, so that nothing was there to expand.
    start = document(start=LAUGHS).index(b"<!ENTITY lol1")
    with pytest.raises(Malformed, match="declares a document type"):
        read([document(start=LAUGHS)[:start]], "feed.xml")


def test_more_elements_than_are_kept_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(element, "MOST", 100)
    with pytest.raises(Malformed, match="more than 100 elements"):
        feed(WHOLE)


def test_endless_markup_is_refused_before_it_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(element, "LARGEST_MARKUP", 1000)
    with pytest.raises(Malformed, match="markup of more than 1000 bytes in one piece"):
        read_feed(pieces(WHOLE.replace(b"<tests>", b"<!--" + b"x" * 5000 + b"--><tests>"), 500), "feed.xml")
    assert read_feed(pieces(WHOLE, 500), "feed.xml").whole_for("debian:12")


def chain(length: int, *, wide: int = 1, circle: bool = False) -> bytes:
    """Definitions of which each extends the next, several times over."""
    extends = '<extend_definition definition_ref="oval:org.debian:def:{}"/>'
    links = "".join(
        definition(n, f"<criteria>{extends.format(n + 1) * wide}</criteria>", kind="inventory")
        for n in range(2, length + 2)
    )
    last = extends.format(2) if circle else '<criterion test_ref="t:all"/>'
    end = definition(length + 2, f"<criteria>{last}</criteria>", kind="inventory")
    return custom(f"<criteria>{extends.format(2) * wide}</criteria>", more=links + end)


@pytest.mark.parametrize("content", [chain(20), chain(3, circle=True), chain(60)])
def test_definitions_that_extend_each_other_without_end_are_refused(content: bytes) -> None:
    with pytest.raises(Malformed, match="definitions in a row, or in a circle"):
        feed(content)


def test_what_is_extended_many_times_over_is_looked_at_once() -> None:
    # Ten to the power of fourteen, were each looked at anew.
    assert repairs(chain(13, wide=10), bookworm(Package("bash", "1"))) == {None: None}


def test_a_name_that_would_break_a_report_is_not_taken_over() -> None:
    hostile = ("CVE-2026-1\u202e", "a b", "x" * 100, "1")
    content = custom('<criteria><criterion test_ref="t:all"/></criteria>', references=hostile)
    (flaw,) = feed(content).open_on(bookworm(Package("bash", "1")))
    assert flaw.id == "oval:org.debian:def:1"
