"""Redaction: no secret that was resolved is stored or shown, and no evidence is altered on the way."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scanner.collecting.redaction import Redactor, printable
from scanner.facts import Authenticators, Placement, User
from scanner.facts.identity import Authenticator
from scanner.model import Capture, Fact, Gap, GapWhy, SourceIdentity
from tests.scanner.pretend import AT, census

secrets = st.text(min_size=1, max_size=12)


def knowing(*held: str) -> Redactor:
    redactor = Redactor()
    for secret in held:
        redactor.learn(secret, "svc")
    return redactor


@given(secret=secrets, before=st.text(max_size=20), after=st.text(max_size=20))
@example(secret="redacted", before="", after="")
@example(secret="x[", before="x", after="")
@example(secret="*", before="[redacted]", after="***")
@example(secret="ab", before="a", after="b")
@example(secret=" ", before="a", after="b")
def test_no_secret_survives_in_a_gap_a_capture_or_a_line(secret: str, before: str, after: str) -> None:
    redactor = knowing(secret)
    text = before + secret + after
    (gap,) = redactor.record(Gap(fact="User", why=GapWhy.ERROR, detail=text))
    content = text.encode("utf-8", "surrogatepass")
    (capture,) = redactor.record(Capture(name=text, media_type="text/plain", content=content))
    (identity,) = redactor.record(SourceIdentity(kind="host", value=text))

    assert isinstance(gap, Gap)
    assert isinstance(capture, Capture)
    assert isinstance(identity, SourceIdentity)
    assert secret not in gap.detail
    assert secret not in capture.name
    assert secret.encode("utf-8", "surrogatepass") not in capture.content
    assert secret not in identity.value
    assert secret not in redactor.detail(text)


@given(held=st.lists(secrets, min_size=1, max_size=4), text=st.text(max_size=30))
def test_several_secrets_that_overlap_are_all_gone(held: list[str], text: str) -> None:
    cleaned = knowing(*held).text("".join(held) + text)

    assert not [secret for secret in held if secret in cleaned]


@pytest.mark.parametrize(
    "written",
    [
        quote('pa"ss w\\ö', safe=""),
        json.dumps('pa"ss w\\ö'),
        repr('pa"ss w\\ö'),
        base64.b64encode('pa"ss w\\ö'.encode()).decode(),
        base64.b64encode('svc:pa"ss w\\ö'.encode()).decode(),
    ],
)
def test_the_usual_ways_of_writing_a_secret_are_known(written: str) -> None:
    redactor = knowing('pa"ss w\\ö')

    assert "[redacted]" in redactor.text(f"<{written}>")
    assert b"[redacted]" in redactor.content(f"<{written}>".encode())


def test_utf_16_as_windows_writes_it_is_known() -> None:
    assert knowing("hunter2").content("unicodePwd=hunter2;".encode("utf-16-le")).endswith(b";\x00")
    assert b"h\x00u\x00n" not in knowing("hunter2").content("hunter2".encode("utf-16-le"))


@given(st.text(max_size=40))
def test_without_a_secret_nothing_changes(text: str) -> None:
    assert Redactor().text(text) == text
    empty = knowing("")
    assert empty.text(text) == text


def fields(records: list[object]) -> list[str]:
    return [record.field or "" for record in records if isinstance(record, Gap)]


def test_a_field_that_holds_a_secret_is_lost_by_name_and_not_altered() -> None:
    placement = Placement(asset="user:ad:1", observed_at=AT, groups=["staff", "hunter2"], host_name="pc-1")
    records = list(knowing("hunter2").record(placement))

    assert records[0] == Placement(asset="user:ad:1", observed_at=AT, host_name="pc-1")
    assert fields(list(records)) == ["groups"]
    assert isinstance(records[1], Gap)
    assert (records[1].asset, records[1].why) == ("user:ad:1", GapWhy.MALFORMED)


def test_a_secret_inside_a_list_of_structs_is_found() -> None:
    held = Authenticators(asset="user:ad:1", observed_at=AT, methods=[Authenticator(method="totp_software")])

    assert fields(list(knowing("totp").record(held))) == ["methods"]


def test_a_weak_secret_renames_no_asset() -> None:
    user = User(asset="user:corp:1", observed_at=AT, enabled=True)

    assert list(knowing("corp").record(user)) == [user]


@pytest.mark.parametrize("record", [User(asset="user:ad:1", observed_at=AT, login="ann"), census("User")])
def test_a_record_without_a_secret_stays_as_it_is(record: Fact) -> None:
    assert list(knowing("hunter2").record(record)) == [record]


@given(st.text())
def test_what_is_shown_is_one_line_of_printable_characters(text: str) -> None:
    shown = printable(text, 40)

    assert shown == "" or shown.isprintable()
    assert len(shown) <= 40


def test_escape_sequences_and_direction_marks_do_not_reach_a_terminal() -> None:
    assert printable("a\x1b[31mred\x07\u202eevil\r\nline\ud800") == "a [31mred evil line"
