"""The account that this Windows host has in its domain, as the host's own security authority keeps it.

LsaQueryInformationPolicy with PolicyMachineAccountInformation (ntsecapi.h; [MS-LSAD] 2.2.4.21, 3.1.4.4.4); no domain
controller is asked. Never run on Windows.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from typing import Any

_VIEW_LOCAL_INFORMATION = 0x1
_MACHINE_ACCOUNT = 15
_ACCESS_DENIED = 0xC0000022
_SYSTEM32 = 0x800
"""LOAD_LIBRARY_SEARCH_SYSTEM32."""
_OF_DOMAIN, _OF_ACCOUNT = 4, 5
"""Numbers after the authority in the SID of a domain, and in that of an account of it."""


class _Attributes(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_uint32),
        ("root", ctypes.c_void_p),
        ("name", ctypes.c_void_p),
        ("attributes", ctypes.c_uint32),
        ("descriptor", ctypes.c_void_p),
        ("quality", ctypes.c_void_p),
    )


class Account(ctypes.Structure):
    """POLICY_MACHINE_ACCT_INFO."""

    _fields_ = (("rid", ctypes.c_uint32), ("sid", ctypes.c_void_p))


def machine_account(advapi: Any = None) -> str:
    """SID of the host's account in its Active Directory domain; empty where it has joined none.

    Raises PermissionError, and OSError or ValueError for what the authority answers otherwise.
    """
    advapi = advapi or _loaded()
    policy, found = ctypes.c_void_p(), ctypes.c_void_p()
    _refuse(
        advapi.LsaOpenPolicy(None, ctypes.byref(_Attributes()), _VIEW_LOCAL_INFORMATION, ctypes.byref(policy)),
        "LsaOpenPolicy",
    )
    try:
        _refuse(
            advapi.LsaQueryInformationPolicy(policy, _MACHINE_ACCOUNT, ctypes.byref(found)), "LsaQueryInformationPolicy"
        )
        if not found.value:
            raise ValueError("the security authority told nothing of the machine's account")
        try:
            account = Account.from_address(found.value)
            return _text(account.sid, account.rid) if account.sid else ""
        finally:
            advapi.LsaFreeMemory(found)
    finally:
        advapi.LsaClose(policy)


def _text(address: int, rid: int) -> str:
    """The SID ([MS-DTYP] 2.4.2) at an address; that of the domain is completed by the account's own number."""
    revision, count = struct.unpack("BB", ctypes.string_at(address, 2))
    if revision != 1 or count not in {_OF_DOMAIN, _OF_ACCOUNT}:
        raise ValueError("the security authority told a machine account of another form")
    authority = int.from_bytes(ctypes.string_at(address + 2, 6), "big")
    numbers = [*struct.unpack(f"<{count}I", ctypes.string_at(address + 8, 4 * count))]
    if count == _OF_DOMAIN:
        numbers.append(rid)
    if numbers[-1] != rid:
        raise ValueError("the security authority told two numbers for the machine's account")
    return "-".join(map(str, ("S-1", authority, *numbers)))


def _refuse(status: int, call: str) -> None:
    code = status & 0xFFFFFFFF
    if code == _ACCESS_DENIED:
        raise PermissionError(f"{call}: only LocalSystem or an administrator may ask")
    if code:
        raise OSError(f"{call} failed with status {code:#010x}")


def _loaded() -> Any:
    if sys.platform != "win32":
        raise FileNotFoundError("only Windows has a security authority")
    advapi = ctypes.WinDLL("advapi32.dll", winmode=_SYSTEM32)
    place = ctypes.POINTER(ctypes.c_void_p)
    advapi.LsaOpenPolicy.argtypes = (ctypes.c_void_p, ctypes.POINTER(_Attributes), ctypes.c_uint32, place)
    advapi.LsaQueryInformationPolicy.argtypes = (ctypes.c_void_p, ctypes.c_int, place)
    advapi.LsaFreeMemory.argtypes = advapi.LsaClose.argtypes = (ctypes.c_void_p,)
    for call in (advapi.LsaOpenPolicy, advapi.LsaQueryInformationPolicy, advapi.LsaFreeMemory, advapi.LsaClose):
        call.restype = ctypes.c_uint32
    return advapi
