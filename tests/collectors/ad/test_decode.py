"""Values of Active Directory, LDIF and addresses, whole and broken."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from collectors.ad import decode, descriptor, ldif
from collectors.ports.directory import Address, Entry
from collectors.ports.ldap_errors import failure, refusal
from scanner.errors import AccessDenied, LoginRefused, Malformed, Throttled, Truncated, Unreachable, Unsupported
from tests.collectors.ad import forest


def test_sids_go_both_ways() -> None:
    for text in ("S-1-5-11", "S-1-5-32-544", "S-1-5-21-4294967295-0-1-500"):
        assert decode.sid_text(decode.sid_bytes(text)) == text


@pytest.mark.parametrize("raw", [b"", b"\x01", b"\x02" + bytes(27), decode.sid_bytes("S-1-5-32-544")[:-1]])
def test_what_is_no_sid_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="SID"):
        decode.sid_text(raw)


def test_times_and_their_nevers() -> None:
    assert decode.filetime(b"0") is None
    assert decode.filetime(b"9223372036854775807") is None
    assert decode.filetime(b"133000000000000000") == datetime(2022, 6, 18, 4, 26, 40, tzinfo=UTC)
    assert decode.generalized_time(b"20261120010000.0Z") == datetime(2026, 11, 20, 1, tzinfo=UTC)
    for broken in (b"-1", b"x", b"9223372036854775806"):
        with pytest.raises(ValueError, match=r"FILETIME|invalid"):
            decode.filetime(broken)
    for broken in (b"", b"20261120010000", b"20261320010000.0Z", b"2026112001000x.0Z"):
        with pytest.raises(ValueError, match=r"time|month"):
            decode.generalized_time(broken)
    assert decode.flags(b"-2147483646") == 0x80000002


def test_names_are_taken_apart() -> None:
    assert decode.parent(r"CN=Lin\, Ann,OU=A,DC=x") == "OU=A,DC=x"
    assert decode.parent("DC=x") == ""
    assert decode.dns_name("DC=corp,DC=test") == "corp.test"
    assert decode.under("CN=a,ou=b,DC=x", "OU=B,dc=X")
    assert not decode.under("CN=a,OU=xb,DC=x", "b,DC=x")


@pytest.mark.parametrize("size", range(0, 96, 5))
def test_a_descriptor_that_is_cut_off_is_refused(size: int) -> None:
    whole = forest.descriptor(forest.ace("A", 16, "S-1-5-11"), forest.ace("OD", 16, "S-1-1-0", forest.guid("x")))
    assert len(descriptor.parse(whole).dacl or ()) == 2

    with pytest.raises(ValueError, match=r"descriptor|cut off|SID"):
        descriptor.parse(whole[:size])


def test_ldif_goes_both_ways() -> None:
    asked = frozenset({"samaccountname", "displayname", "objectsid"})
    rows = [
        Entry("CN=林,DC=x", {"displayname": ("林".encode(), b" led by a blank"), "objectsid": (bytes(28),)}, asked),
        Entry(
            "CN=b,DC=x", {"samaccountname": (b"b", b"", b"a b"), "displayname": (b": colon\n", b"<", b"ends ")}, asked
        ),
    ]

    assert list(ldif.entries(io.BytesIO(ldif.written(rows)), "x.ldif")) == rows


def test_ldif_as_ldapsearch_writes_it() -> None:
    text = b"""# extended LDIF
#
# base <dc=corp,dc=test> with scope subtree
# requesting: sAMAccountName displayName
#

# a comment that
#  goes on
dn: CN=a,
 DC=x
sAMAccountName:
  a
unicodePwd:: c2VjcmV0

# refldap://elsewhere
ref: ldap://elsewhere

# search result
search: 2
result: 0 Success
"""

    assert list(ldif.entries(io.BytesIO(text), "x.ldif")) == [
        Entry("CN=a,DC=x", {"samaccountname": (b"a",)}, frozenset({"samaccountname", "displayname"}))
    ]


@pytest.mark.parametrize(
    "text", [b"no colon\n", b"dn:: ***\n", b"dn: a\nmember:< file:///x\n", b"dn: a\nchangetype: add\n", b"cn: a\n"]
)
def test_broken_ldif_names_its_line(text: bytes) -> None:
    with pytest.raises(Malformed, match=r"x\.ldif:\d: "):
        list(ldif.entries(io.BytesIO(text), "x.ldif"))


def test_addresses_begin_with_tls_at_once_or_after_start_tls() -> None:
    assert Address.parse("dc1") == Address("dc1", 636, True)
    assert Address.parse("ldaps://dc1:3269") == Address("dc1", 3269, True)
    assert Address.parse("ldap://dc1") == Address("dc1", 389, False)
    for broken in ("", "http://dc1", "ldaps://dc1:x"):
        with pytest.raises(Unreachable):
            Address.parse(broken)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("52e", "wrong password"),
        ("533", "disabled"),
        ("775", "locked"),
        ("701", "account has expired"),
        ("abc", "data abc"),
    ],
)
def test_a_refusal_says_why(data: str, said: str) -> None:
    message = f"80090308: LdapErr: DSID-0C090449, comment: AcceptSecurityContext error, data {data}, v4563"
    error = refusal({"result": 49, "description": "invalidCredentials", "message": message})

    assert isinstance(error, LoginRefused)
    assert said in str(error)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(50, AccessDenied), (32, AccessDenied), (1, AccessDenied), (3, Truncated), (4, Truncated), (11, Truncated),
     (12, Unsupported), (51, Throttled), (52, Unreachable), (80, Malformed)],
)  # fmt: skip
def test_answers_other_than_success_are_named(code: int, kind: type[Exception]) -> None:
    assert type(failure({"result": code, "description": "d", "message": "m"}, "DC=x")) is kind


@pytest.mark.parametrize(
    ("raw", "days"),
    [
        (b"-36288000000000", 42),
        (b"-36288000000001", 43),
        (b"-1", 1),
        (b"0", 0),
        (b"-9223372036854775808", 0),
    ],
)
def test_lengths_of_time_are_whole_days_rounded_up(raw: bytes, days: int) -> None:
    assert decode.days(raw) == days


@pytest.mark.parametrize("raw", [b"1", b"-9223372036854775809", b"soon", b""])
def test_what_is_no_length_of_time_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode.days(raw)


def test_truth_is_one_of_two_words() -> None:
    assert (decode.boolean(b"TRUE"), decode.boolean(b"FALSE")) == (True, False)
    with pytest.raises(ValueError, match="neither TRUE nor FALSE"):
        decode.boolean(b"1")


@pytest.mark.parametrize(
    ("dn", "name"), [("CN=a,DC=corp", "a"), (r"CN=a\,b,CN=x,DC=corp", "a,b"), ("DC=corp", "corp"), ("", "")]
)
def test_the_first_part_of_a_name_is_its_own(dn: str, name: str) -> None:
    assert decode.own_name(dn) == name
