"""Keys that Windows keeps (CNG: ncrypt.dll), in a process of its own that lives for one task: make, sign, delete.

A key bears a name in a key storage provider and belongs to the machine, since the service runs as LocalSystem and an
administrator enrols it; only these two may use it. The ending of the key's file says which provider. By Microsoft's
documents of ncrypt.h, bcrypt.h and winerror.h alone: never run on Windows.
"""

from __future__ import annotations

import ctypes
import hashlib
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from agent.cng_status import SOFTWARE, TPM, unknown, why
from agent.errors import AgentError, Misconfigured
from agent.sealed_key import ENROL_AGAIN, P256

PROVIDERS = {".cng": TPM, ".ksp": SOFTWARE}
LARGEST = 4096
"""Bytes of one answer; true ones have less than one hundred."""

_HANDLE, _DWORD, _STATUS = ctypes.c_size_t, ctypes.c_uint32, ctypes.c_int32
"""ULONG_PTR, DWORD and SECURITY_STATUS, which is a LONG of 32 bits wherever Windows runs."""
_TEXT, _BYTES, _OUT = ctypes.c_wchar_p, ctypes.c_char_p, ctypes.c_void_p
_INTO_HANDLE, _SIZE = ctypes.POINTER(_HANDLE), ctypes.POINTER(_DWORD)
_FUNCTIONS = (
    ("NCryptOpenStorageProvider", (_INTO_HANDLE, _TEXT, _DWORD)),
    ("NCryptCreatePersistedKey", (_HANDLE, _INTO_HANDLE, _TEXT, _TEXT, _DWORD, _DWORD)),
    ("NCryptOpenKey", (_HANDLE, _INTO_HANDLE, _TEXT, _DWORD, _DWORD)),
    ("NCryptSetProperty", (_HANDLE, _TEXT, _BYTES, _DWORD, _DWORD)),
    ("NCryptGetProperty", (_HANDLE, _TEXT, _OUT, _DWORD, _SIZE, _DWORD)),
    ("NCryptFinalizeKey", (_HANDLE, _DWORD)),
    ("NCryptExportKey", (_HANDLE, _HANDLE, _TEXT, _OUT, _OUT, _DWORD, _SIZE, _DWORD)),
    ("NCryptSignHash", (_HANDLE, _OUT, _BYTES, _DWORD, _OUT, _DWORD, _SIZE, _DWORD)),
    ("NCryptDeleteKey", (_HANDLE, _DWORD)),
    ("NCryptFreeObject", (_HANDLE,)),
)
_SYSTEM32 = 0x800
"""LOAD_LIBRARY_SEARCH_SYSTEM32: no library of that name anywhere else is loaded."""

_MACHINE, _SILENT, _PERSIST = 0x20, 0x40, 0x80000000
_ECDSA = "ECDSA_P256"
_MAY_SIGN = struct.pack("<I", 2)
_NO_EXPORT = struct.pack("<I", 0)
_PUBLIC = struct.pack("<II", 0x31534345, 32)
"""BCRYPT_ECCKEY_BLOB with BCRYPT_ECDSA_PUBLIC_P256_MAGIC and the size of each coordinate."""
_DACL = 4
"""DACL_SECURITY_INFORMATION"""


def main(argv: Sequence[str]) -> int:
    """Do one task; 0 with its result on standard output, or 1 with one line of why not on standard error."""
    try:
        match argv:
            case ["make", ending, name]:
                result = make(PROVIDERS[ending], name)
            case ["sign", ending, name, public]:
                result = sign(PROVIDERS[ending], name, bytes.fromhex(public), sys.stdin.buffer.read())
            case ["delete", ending, name]:
                result = delete(PROVIDERS[ending], name)
            case _:
                raise ValueError("unknown task")
    except (AgentError, OSError, ValueError, KeyError, AttributeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.buffer.write(result)
    return 0


def make(provider: str, name: str) -> bytes:
    """Make a key that signs and cannot be taken out; gives its public key, SubjectPublicKeyInfo in DER."""
    ncrypt = _Ncrypt(provider)
    with ncrypt.provider() as opened, ncrypt.created(opened, name) as key:
        # Not every provider takes every property. What counts is what the finished key says.
        for text, value in (("Export Policy", _NO_EXPORT), ("Key Usage", _MAY_SIGN)):
            ncrypt.status("NCryptSetProperty", key, text, value, len(value), _PERSIST)
        ncrypt.call("NCryptFinalizeKey", key, _SILENT)
        if ncrypt.answer("NCryptGetProperty", key, "Export Policy", flags=0) != _NO_EXPORT:
            raise Misconfigured(f"{provider} made a key that could be taken out")
        if ncrypt.keeps_rights(opened):
            ncrypt.call("NCryptSetProperty", key, "Security Descr", _RIGHTS, len(_RIGHTS), _DACL)
        ncrypt.signature(key, b"a key that does not sign is none")
        return ncrypt.public(key)


def sign(provider: str, name: str, public: bytes, content: bytes) -> bytes:
    """ECDSA with SHA-256 over the bytes, DER, by the key of that name, which must have this public key."""
    ncrypt = _Ncrypt(provider)
    with ncrypt.provider() as opened, ncrypt.key(opened, name) as key:
        if ncrypt.public(key) != public:
            raise Misconfigured(f"{provider} has another key of that name; enrol again: {ENROL_AGAIN}")
        return ncrypt.signature(key, content)


def delete(provider: str, name: str) -> bytes:
    """Delete the key of that name, if there is one."""
    ncrypt = _Ncrypt(provider)
    with ncrypt.provider() as opened:
        handle = _HANDLE()
        status = ncrypt.status("NCryptOpenKey", opened, ctypes.byref(handle), name, 0, _MACHINE | _SILENT)
        if unknown(status):
            return b""
        ncrypt.check("NCryptOpenKey", status)
        ncrypt.call("NCryptDeleteKey", handle.value, 0)
    return b""


def library() -> Any:
    """ncrypt.dll of this Windows."""
    if sys.platform != "win32":
        raise Misconfigured("keys in the keystore of Windows are made on Windows only")
    return ctypes.WinDLL("ncrypt.dll", winmode=_SYSTEM32)


class _Ncrypt:
    """The functions of ncrypt.dll, for one provider. Every handle is freed, whatever happens, by NCryptFreeObject or by
    NCryptDeleteKey, which frees it whether it deletes the key or not (and takes no flags in the TPM's provider)."""

    def __init__(self, provider: str) -> None:
        self._name = provider
        self._library = library()
        for name, types in _FUNCTIONS:
            function = getattr(self._library, name)
            function.argtypes, function.restype = types, _STATUS

    def status(self, function: str, *given: Any) -> int:
        """What a function returns, as its bits are written down: 0 where it did what it should."""
        return int(getattr(self._library, function)(*given)) & 0xFFFFFFFF

    def check(self, function: str, status: int) -> None:
        """Raise Misconfigured for any status but 0."""
        if status:
            raise Misconfigured(why(self._name, function, status))

    def call(self, function: str, *given: Any) -> None:
        """Call a function; raises Misconfigured where it does not do it."""
        self.check(function, self.status(function, *given))

    def answer(self, function: str, *given: Any, flags: int) -> bytes:
        """What a function writes into a buffer, of which it says first how large it must be."""
        size = _DWORD()
        self.call(function, *given, None, 0, ctypes.byref(size), flags)
        if not 0 < size.value <= LARGEST:
            raise Misconfigured(f"{self._name}: {function} answers with {size.value} bytes, which is no answer")
        buffer = ctypes.create_string_buffer(size.value)
        self.call(function, *given, buffer, len(buffer), ctypes.byref(size), flags)
        return buffer.raw[: size.value]

    @contextmanager
    def provider(self) -> Iterator[int]:
        """The provider, opened."""
        handle = _HANDLE()
        self.call("NCryptOpenStorageProvider", ctypes.byref(handle), self._name, 0)
        with self._freed(handle.value) as opened:
            yield opened

    @contextmanager
    def key(self, provider: int, name: str) -> Iterator[int]:
        """The key of that name, opened."""
        handle = _HANDLE()
        self.call("NCryptOpenKey", provider, ctypes.byref(handle), name, 0, _MACHINE | _SILENT)
        with self._freed(handle.value) as opened:
            yield opened

    @contextmanager
    def created(self, provider: int, name: str) -> Iterator[int]:
        """A new key of that name; deleted again if anything goes wrong with it."""
        handle = _HANDLE()
        self.call("NCryptCreatePersistedKey", provider, ctypes.byref(handle), _ECDSA, name, 0, _MACHINE)
        end: tuple[Any, ...] = ("NCryptDeleteKey", handle.value, 0)
        try:
            yield handle.value
            end = ("NCryptFreeObject", handle.value)
        finally:
            self.status(*end)

    @contextmanager
    def _freed(self, handle: int) -> Iterator[int]:
        try:
            yield handle
        finally:
            self.status("NCryptFreeObject", handle)

    def keeps_rights(self, provider: int) -> bool:
        """Whether the provider keeps for each key who may use it."""
        size, value = _DWORD(), _DWORD()
        asked = (provider, "Security Descr Support", ctypes.byref(value), 4, ctypes.byref(size), 0)
        return self.status("NCryptGetProperty", *asked) == 0 and value.value == 1

    def public(self, key: int) -> bytes:
        """The public key, SubjectPublicKeyInfo in DER."""
        blob = self.answer("NCryptExportKey", key, 0, "ECCPUBLICBLOB", None, flags=_SILENT)
        if not blob.startswith(_PUBLIC) or len(blob) != len(_PUBLIC) + 64:
            raise Misconfigured(f"{self._name} has a key that is not on P-256")
        return P256 + blob[len(_PUBLIC) :]

    def signature(self, key: int, content: bytes) -> bytes:
        """ECDSA with SHA-256 over the bytes, DER."""
        digest = hashlib.sha256(content).digest()
        found = self.answer("NCryptSignHash", key, None, digest, len(digest), flags=_SILENT)
        if len(found) != 64:
            raise Misconfigured(f"{self._name} gave a signature of {len(found)} bytes; it must have 64")
        numbers = _number(found[:32]) + _number(found[32:])
        return bytes([0x30, len(numbers)]) + numbers


def _number(raw: bytes) -> bytes:
    """A positive INTEGER in DER: no more leading zeros than one, and that only before a bit that would mean minus."""
    value = int.from_bytes(raw, "big")
    short = value.to_bytes(value.bit_length() // 8 + 1, "big")
    return bytes([0x02, len(short)]) + short


def _right(*parts: int) -> bytes:
    """ACCESS_ALLOWED_ACE of GENERIC_ALL for S-1-5-PARTS (MS-DTYP, 2.4.4.2 and 2.4.2.2)."""
    sid = bytes([1, len(parts), 0, 0, 0, 0, 0, 5]) + struct.pack(f"<{len(parts)}I", *parts)
    return struct.pack("<BBHI", 0, 0, 8 + len(sid), 0x10000000) + sid


def _rights(*entries: bytes) -> bytes:
    """Self-relative SECURITY_DESCRIPTOR with a protected DACL of these entries (MS-DTYP, 2.4.6 and 2.4.5)."""
    whole = b"".join(entries)
    header = struct.pack("<BBHIIII", 1, 0, 0x8000 | 0x1000 | 0x0004, 0, 0, 0, 20)
    return header + struct.pack("<BBHHH", 2, 0, 8 + len(whole), len(entries), 0) + whole


_RIGHTS = _rights(_right(18), _right(32, 544))
"""D:P(A;;GA;;;SY)(A;;GA;;;BA): LocalSystem and administrators, as the state folder has it."""
