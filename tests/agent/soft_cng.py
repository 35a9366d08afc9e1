"""Stands for ncrypt.dll on machines that are no Windows: functions of the same names, types and answers, as Microsoft
documents them, called through ctypes like those of a library, which make keys and sign. What it cannot stand for is
what Windows does beyond its documents."""

from __future__ import annotations

import contextlib
import ctypes
import io
import struct
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from agent import cng, cng_keys
from agent.errors import Misconfigured
from agent.own_process import PATIENCE, Ended

TPM, SOFTWARE = "Microsoft Platform Crypto Provider", "Microsoft Software Key Storage Provider"
NTE_BAD_FLAGS, NTE_BAD_KEY_STATE, NTE_BAD_TYPE = 0x80090009, 0x8009000B, 0x8009000A
NTE_EXISTS, NTE_BAD_KEYSET, NTE_BUFFER_TOO_SMALL = 0x8009000F, 0x80090016, 0x80090028
NTE_INVALID_HANDLE, NTE_INVALID_PARAMETER, NTE_NOT_SUPPORTED = 0x80090026, 0x80090027, 0x80090029
STATUS_NOT_FOUND, NTE_INTERNAL_ERROR = 0xC0000225, 0x8009002D
MACHINE, SILENT, PERSIST, DACL = 0x20, 0x40, 0x80000000, 4

P, T, W, H = ctypes.c_void_p, ctypes.c_wchar_p, ctypes.c_uint32, ctypes.c_size_t
_TYPES: dict[str, tuple[Any, ...]] = {
    "NCryptOpenStorageProvider": (P, T, W),
    "NCryptCreatePersistedKey": (H, P, T, T, W, W),
    "NCryptOpenKey": (H, P, T, W, W),
    "NCryptSetProperty": (H, T, P, W, W),
    "NCryptGetProperty": (H, T, P, W, P, W),
    "NCryptFinalizeKey": (H, W),
    "NCryptExportKey": (H, H, T, P, P, W, P, W),
    "NCryptSignHash": (H, P, P, W, P, W, P, W),
    "NCryptDeleteKey": (H, W),
    "NCryptFreeObject": (H,),
}
"""By ncrypt.h, pointers as addresses; written a second time, so that the agent's own list is held to something."""


@dataclass
class Key:
    """A key, persisted once it is finished."""

    provider: str
    name: str
    private: ec.EllipticCurvePrivateKey
    finished: bool = False
    properties: dict[str, bytes] = field(default_factory=dict)


class SoftCng:
    """The keystores of one Windows."""

    def __init__(self, *, providers: tuple[str, ...] = (TPM, SOFTWARE)) -> None:
        self.providers = providers
        self.keys: dict[tuple[str, str], Key] = {}
        self.fails: dict[str, int] = {}
        """Statuses of functions, or of ``FUNCTION PROPERTY``, that do nothing else."""
        self.dies_in = ""
        """The function after which the process is ended."""
        self._dead = False
        self.tells: dict[str, Callable[[bytes], bytes]] = {}
        """What becomes of the answers of these functions."""
        self.policy = 0
        """That a finished key has, whatever was asked."""
        self.keeps_rights = True
        self.called: Counter[str] = Counter()
        self.wrong: list[BaseException] = []
        self._open: dict[int, Key | str] = {}
        self._next = 0x7F00_0000_0000
        self._thunks = {name: self._thunk(name, types) for name, types in _TYPES.items()}

    @property
    def open(self) -> int:
        """How many handles were not freed."""
        return len(self._open)

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the agent find this library, and let its own process for keys be this one."""
        monkeypatch.setattr(cng, "library", lambda: SimpleNamespace(**self._thunks))
        monkeypatch.setattr(cng_keys, "ask", self.ask)

    def ask(self, module: str, *task: str, given: bytes = b"", patience: float = 0.0) -> bytes:
        """`agent.own_process.ask`, without the process."""
        assert module == "agent.cng" and 0 < patience < PATIENCE
        written, said = io.BytesIO(), io.StringIO()
        out = io.TextIOWrapper(written)
        came = io.TextIOWrapper(io.BytesIO(given))
        self._dead = False
        with mock.patch.object(sys, "stdin", came), contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
            status = cng.main(task)
        if self.wrong:
            raise self.wrong[0]
        if self._dead:
            self._open.clear()
            raise Ended("the process that uses the key was ended")
        if status:
            raise Misconfigured(said.getvalue().splitlines()[-1])
        return written.getvalue()

    def _thunk(self, name: str, types: tuple[Any, ...]) -> Any:
        """The function as C calls it. What goes wrong in it cannot be raised through C, so it is kept."""

        def called(*given: Any) -> int:
            status = NTE_INTERNAL_ERROR
            try:
                self.called[name] += 1
                if self._dead:
                    return -1
                found = self.fails.get(name, self.fails.get(f"{name} {given[1]}" if len(given) > 1 else ""))
                status = getattr(self, f"_{name}")(*given) if found is None else found
                if name == "NCryptDeleteKey":
                    self._open.pop(given[0], None)  # freed, whether it was deleted or not
                self._dead = name == self.dies_in
            except BaseException as error:
                self.wrong.append(error)
            return status - (1 << 32) if status & 0x80000000 else status

        return ctypes.CFUNCTYPE(ctypes.c_int32, *types)(called)

    # Handles and buffers

    def _opened(self, pointer: int, what: Key | str) -> int:
        self._next += 16
        self._open[self._next] = what
        H.from_address(pointer).value = self._next
        return 0

    def _answered(self, function: str, content: bytes, pointer: int | None, size: int, result: int) -> int:
        content = self.tells.get(function, bytes)(content)
        W.from_address(result).value = len(content)
        if pointer is None:
            return 0
        if size < len(content):
            return NTE_BUFFER_TOO_SMALL
        ctypes.memmove(pointer, content, len(content))
        return 0

    def _key(self, handle: int) -> Key | None:
        found = self._open.get(handle)
        return found if isinstance(found, Key) else None

    # The functions

    def _NCryptOpenStorageProvider(self, pointer: int, name: str, flags: int) -> int:
        if flags:
            return NTE_BAD_FLAGS
        return self._opened(pointer, name) if name in self.providers else STATUS_NOT_FOUND

    def _NCryptCreatePersistedKey(self, h: int, pointer: int, algorithm: str, name: str, spec: int, flags: int) -> int:
        provider = self._open.get(h)
        if not isinstance(provider, str):
            return NTE_INVALID_HANDLE
        if algorithm != "ECDSA_P256" or not name or spec:
            return NTE_INVALID_PARAMETER
        if flags != MACHINE:
            return NTE_BAD_FLAGS
        if (provider, name) in self.keys:
            return NTE_EXISTS
        return self._opened(pointer, Key(provider, name, ec.generate_private_key(ec.SECP256R1())))

    def _NCryptOpenKey(self, h: int, pointer: int, name: str, spec: int, flags: int) -> int:
        provider = self._open.get(h)
        if not isinstance(provider, str):
            return NTE_INVALID_HANDLE
        if flags != MACHINE | SILENT or spec:
            return NTE_BAD_FLAGS
        key = self.keys.get((provider, name))
        return NTE_BAD_KEYSET if key is None else self._opened(pointer, key)

    def _NCryptSetProperty(self, h: int, name: str, pointer: int, size: int, flags: int) -> int:
        key = self._key(h)
        if key is None:
            return NTE_INVALID_HANDLE
        if name not in ("Export Policy", "Key Usage", "Security Descr"):
            return NTE_NOT_SUPPORTED
        if flags != (DACL if name == "Security Descr" else PERSIST):
            return NTE_BAD_FLAGS
        key.properties[name] = ctypes.string_at(pointer, size)
        return 0

    def _NCryptGetProperty(self, h: int, name: str, pointer: int | None, size: int, result: int, flags: int) -> int:
        key = self._key(h)
        if name == "Security Descr Support" and isinstance(self._open.get(h), str):
            value = int(self.keeps_rights)
        elif name == "Export Policy" and key is not None:
            value = self.policy
        else:
            return NTE_NOT_SUPPORTED if h in self._open else NTE_INVALID_HANDLE
        if flags:
            return NTE_BAD_FLAGS
        return self._answered("NCryptGetProperty", struct.pack("<I", value), pointer, size, result)

    def _NCryptFinalizeKey(self, h: int, flags: int) -> int:
        key = self._key(h)
        if key is None:
            return NTE_INVALID_HANDLE
        if flags != SILENT:
            return NTE_BAD_FLAGS
        key.finished = True
        self.keys[key.provider, key.name] = key
        return 0

    def _NCryptExportKey(
        self, h: int, wrap: int, kind: str, given: int | None, pointer: int | None, size: int, result: int, flags: int
    ) -> int:
        key = self._key(h)
        if key is None or wrap:
            return NTE_INVALID_HANDLE
        if not key.finished:
            return NTE_BAD_KEY_STATE
        if kind != "ECCPUBLICBLOB":
            return NTE_BAD_TYPE
        if given is not None:
            return NTE_INVALID_PARAMETER
        if flags != SILENT:
            return NTE_BAD_FLAGS
        numbers = key.private.public_key().public_numbers()
        blob = struct.pack("<II", 0x31534345, 32) + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
        return self._answered("NCryptExportKey", blob, pointer, size, result)

    def _NCryptSignHash(
        self,
        h: int,
        padding: int | None,
        given: int,
        length: int,
        pointer: int | None,
        size: int,
        result: int,
        flags: int,
    ) -> int:
        key = self._key(h)
        if key is None:
            return NTE_INVALID_HANDLE
        if not key.finished:
            return NTE_BAD_KEY_STATE
        if padding is not None or length != 32:
            return NTE_INVALID_PARAMETER
        if flags != SILENT:
            return NTE_BAD_FLAGS
        digest = ctypes.string_at(given, length)
        r, s = utils.decode_dss_signature(key.private.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()))))
        return self._answered("NCryptSignHash", r.to_bytes(32, "big") + s.to_bytes(32, "big"), pointer, size, result)

    def _NCryptDeleteKey(self, h: int, flags: int) -> int:
        key = self._key(h)
        if key is None:
            return NTE_INVALID_HANDLE
        if flags:
            return NTE_BAD_FLAGS
        if not key.finished:
            return NTE_BAD_KEY_STATE
        del self.keys[key.provider, key.name]
        return 0

    def _NCryptFreeObject(self, h: int) -> int:
        return NTE_INVALID_HANDLE if self._open.pop(h, None) is None else 0
