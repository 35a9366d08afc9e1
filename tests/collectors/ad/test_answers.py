"""Answers of a directory: whatever comes is an answer or an error, and a page asked for early hurts nobody."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from typing import Any

import pytest

from collectors.ports.ldap import _LdapPort
from collectors.ports.ldap_answers import Answer, Answers
from scanner.errors import Malformed, ReadError, Throttled, Truncated, Unreachable
from tests.collectors.ad.asking import AskingAccess, ad_target
from tests.lab.relay import done, farewell, tlv

PAGED = b"1.2.840.113556.1.4.319"


def entry(number: int, dn: str, **values: list[bytes]) -> bytes:
    attributes = b"".join(
        tlv(0x30, tlv(0x04, name.encode()) + tlv(0x31, b"".join(tlv(0x04, each) for each in given)))
        for name, given in values.items()
    )
    return message(number, tlv(0x64, tlv(0x04, dn.encode()) + tlv(0x30, attributes)))


def message(number: int, body: bytes) -> bytes:
    return tlv(0x30, tlv(0x02, bytes([number])) + body)


def ended(number: int, cookie: bytes = b"", code: int = 0) -> bytes:
    result = tlv(0x65, tlv(0x0A, bytes([code])) + tlv(0x04, b"") + tlv(0x04, b"so it is"))
    value = tlv(0x30, tlv(0x02, b"\x00") + tlv(0x04, cookie))
    control = tlv(0x30, tlv(0x04, PAGED) + tlv(0x01, b"\xff") + tlv(0x04, value))
    return message(number, result + tlv(0xA0, control))


def arriving(data: bytes, size: int) -> Callable[[int], bytes]:
    """A connection on which the data comes in pieces, and then its end."""
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return lambda _: parts.pop(0) if parts else b""


WHOLE = (
    entry(5, "CN=張三,DC=corp", cn=["張三".encode()], sAMAccountName=[b"a", b"b"], empty=[])
    + message(5, tlv(0x73, tlv(0x04, b"ldap://child.corp.test/")))
    + entry(5, "CN=large", member=[b"x" * 70_000])
    + ended(5, b"more")
)


@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
def test_an_answer_is_read_however_it_is_cut_into_pieces(size: int) -> None:
    answer = Answers(arriving(WHOLE, size), 9).to(5)

    assert answer.rows == [
        ("CN=張三,DC=corp", {"cn": ("張三".encode(),), "samaccountname": (b"a", b"b")}),
        ("CN=large", {"member": (b"x" * 70_000,)}),
    ]
    assert (answer.code, answer.message, answer.cookie) == (0, "so it is", b"more")


def test_one_answer_after_the_other_is_read_from_what_has_come() -> None:
    answers = Answers(arriving(ended(1, b"a") + ended(2, b"b") + done(3, 10, "", "ldap://dc2/"), 1 << 20), 9)

    assert [answers.to(1).cookie, answers.to(2).cookie] == [b"a", b"b"]
    assert (answers.to(3).code, Answer().referrals) == (10, ())


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (b"", ConnectionError, "ended the session"),
        (WHOLE[:50], ConnectionError, "ended the session"),
        (farewell(), ConnectionError, "shutting down"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", ValueError, "no message of LDAP"),
        (ended(6), ValueError, "not asked"),
        (message(5, tlv(0x61, b"")), ValueError, "kind 0x61"),
        (b"\x30\x84\xff\xff\xff\xff\x02", ValueError, "a message of"),
        (b"\x30\x80\x02\x01\x05", ValueError, "a length of"),
    ],
)
def test_what_is_no_answer_is_an_error(data: bytes, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Answers(arriving(data, 4096), 9).to(5)


def test_an_answer_that_drips_is_given_up_in_time() -> None:
    with pytest.raises(TimeoutError, match="timed out"):
        Answers(arriving(WHOLE, 1), -1).to(5)


def test_damaged_bytes_never_give_anything_but_an_error_of_the_expected_kinds() -> None:
    chance = random.Random(7)
    whole = entry(5, "CN=a", cn=[b"a"], description=[b"b", b"c"]) + ended(5, b"more")
    outcomes = set()
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            Answers(arriving(bytes(data), 64), 9).to(5)
            outcomes.add("read")
        except (ValueError, IndexError, ConnectionError) as error:
            outcomes.add(type(error).__name__)

    assert {"read", "ValueError", "ConnectionResetError"} <= outcomes


class Server:
    """Stands where ldap3's connection does; gives each search its answer when it is read."""

    def __init__(self, *answers: bytes) -> None:
        self.waiting = list(answers)
        self.asked: list[tuple[str, bytes | None]] = []
        self.socket = self
        self._data = b""
        self.post_send_search: Any = None

    def search(self, base: str, query: str, scope: str, **given: Any) -> int:
        self.asked.append((base, given["paged_cookie"]))
        self._data += self.waiting.pop(0)
        return int(self.post_send_search(len(self.asked)))

    def recv(self, most: int) -> bytes:
        data, self._data = self._data[:most], self._data[most:]
        return data


def port(server: Server) -> _LdapPort:
    return _LdapPort(AskingAccess(ad_target()), server, "dc1:636")


def names(found: Any) -> list[str]:
    return [each.dn for each in found]


def test_the_next_page_is_asked_for_before_this_one_is_used() -> None:
    server = Server(entry(1, "a") + ended(1, b"one"), entry(2, "b") + ended(2, b"two"), entry(3, "c") + ended(3))
    found = port(server).search("DC=corp", "subtree", "(objectClass=*)", ("cn",))

    assert next(found).dn == "a"
    assert server.asked == [("DC=corp", None), ("DC=corp", b"one")]
    assert names(found) == ["b", "c"]
    assert [cookie for _, cookie in server.asked] == [None, b"one", b"two"]


def test_another_search_may_come_between_two_pages() -> None:
    server = Server(
        entry(1, "a") + ended(1, b"one"),
        entry(2, "b") + ended(2),
        entry(3, "in between") + done(3, 0),
        entry(4, "once more") + done(4, 0),
    )
    directory = port(server)
    found = directory.search("DC=corp", "subtree", "(objectClass=*)", ("cn",))

    assert next(found).dn == "a"
    assert names(directory.search("CN=a", "base", "(objectClass=*)", ("member;range=0-*",))) == ["in between"]
    assert names(directory.search("CN=a", "base", "(objectClass=*)", ("member;range=9-*",))) == ["once more"]
    assert names(found) == ["b"]
    assert len(server.asked) == 4


def test_a_search_that_is_left_early_leaves_nothing_behind() -> None:
    server = Server(entry(1, "a") + ended(1, b"one"), entry(2, "b") + ended(2, b"two"), entry(3, "other") + ended(3))
    directory = port(server)
    found = directory.search("DC=corp", "subtree", "(objectClass=*)", ("cn",))
    next(found)
    assert isinstance(found, Generator)
    found.close()

    assert names(directory.search("DC=other", "subtree", "(objectClass=*)", ("cn",))) == ["other"]


@pytest.mark.parametrize(
    ("last", "error"),
    [
        (done(2, 51), Throttled),
        (done(2, 4), Truncated),
        (done(2, 52), Unreachable),
        (b"", Truncated),
        (b"\xff" * 9, Malformed),
    ],
)
def test_what_goes_wrong_with_the_next_page_is_told_when_it_is_wanted(last: bytes, error: type[ReadError]) -> None:
    server = Server(entry(1, "a") + ended(1, b"one"), last)
    found = port(server).search("DC=corp", "subtree", "(objectClass=*)", ("cn",))

    assert next(found).dn == "a"
    with pytest.raises(error):
        next(found)


def test_a_page_that_cannot_even_be_asked_for_costs_the_one_that_came_nothing() -> None:
    server = Server(entry(1, "a") + entry(1, "b") + ended(1, b"one"))

    class Broken(Server):
        def search(self, base: str, query: str, scope: str, **given: Any) -> int:
            if given["paged_cookie"]:
                raise ConnectionResetError("gone")
            return super().search(base, query, scope, **given)

    server.__class__ = Broken
    found = port(server).search("DC=corp", "subtree", "(objectClass=*)", ("cn",))

    assert [next(found).dn, next(found).dn] == ["a", "b"]
    with pytest.raises(Truncated, match="gone"):
        next(found)
