"""The security authority of Windows, as ntsecapi.h, [MS-LSAD] and [MS-DTYP] have it; never run on Windows."""

from __future__ import annotations

import ctypes
import struct
import sys
from typing import Any

import pytest

from agent.windows_account import Account, machine_account

DOMAIN = (21, 1004336348, 1177238915, 682003330)
RID = 2104
SID = "S-1-5-21-1004336348-1177238915-682003330-2104"


def binary(*numbers: int, revision: int = 1) -> bytes:
    return (
        struct.pack("BB", revision, len(numbers)) + (5).to_bytes(6, "big") + struct.pack(f"<{len(numbers)}I", *numbers)
    )


class Authority:
    """Answers as the library does, and counts what was not given back."""

    def __init__(
        self, sid: bytes | None, rid: int = RID, *, opens: int = 0, tells: int = 0, silent: bool = False
    ) -> None:
        self._opens, self._tells, self._silent = opens, tells, silent
        self._sid = ctypes.create_string_buffer(sid, len(sid)) if sid else None
        self._account = Account(RID, ctypes.addressof(self._sid) if self._sid else None)
        self.held: list[int] = []

    def LsaOpenPolicy(self, system: None, attributes: Any, access: int, policy: Any) -> int:
        assert (system, access) == (None, 0x1), "this host, and no more than to look"
        assert not any(getattr(attributes._obj, name) for name, _ in attributes._obj._fields_)
        if not self._opens:
            policy._obj.value = 7
            self.held.append(7)
        return self._opens

    def LsaQueryInformationPolicy(self, policy: Any, kind: int, found: Any) -> int:
        assert (policy.value, kind) == (7, 15)
        if not self._tells and not self._silent:
            found._obj.value = ctypes.addressof(self._account)
            self.held.append(found._obj.value)
        return self._tells

    def LsaFreeMemory(self, memory: Any) -> int:
        self.held.remove(memory.value)
        return 0

    def LsaClose(self, policy: Any) -> int:
        self.held.remove(policy.value)
        return 0


@pytest.mark.parametrize(
    ("sid", "expected"),
    [(binary(*DOMAIN, RID), SID), (binary(*DOMAIN), SID), (None, "")],
    ids=["of the account", "of the domain beside the account's number", "no domain joined"],
)
def test_the_account_is_told_by_its_sid(sid: bytes | None, expected: str) -> None:
    authority = Authority(sid)
    assert machine_account(authority) == expected
    assert authority.held == []


@pytest.mark.parametrize(
    ("authority", "trouble"),
    [
        (Authority(None, opens=0xC0000022), PermissionError),
        (Authority(None, opens=0xC0000022 - (1 << 32)), PermissionError),
        (Authority(None, tells=0xC0000022), PermissionError),
        (Authority(None, tells=0xC000000D), OSError),
        (Authority(None, silent=True), ValueError),
        (Authority(binary(*DOMAIN, RID + 1)), ValueError),
        (Authority(binary(32, 544)), ValueError),
        (Authority(binary(*DOMAIN, RID, revision=2)), ValueError),
    ],
)
def test_what_is_not_told_is_not_no_account(authority: Authority, trouble: type[Exception]) -> None:
    with pytest.raises(trouble):
        machine_account(authority)
    assert authority.held == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has one")
def test_other_systems_have_no_security_authority() -> None:
    with pytest.raises(FileNotFoundError):
        machine_account()
