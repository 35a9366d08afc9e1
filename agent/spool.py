"""What is still to be told: the request that waits for its answer, byte for byte, and postures not yet made into one.

One file each, written whole or not at all, each headed by the SHA-256 of its rest, so that a damaged one is known and
passed over. Where the disk takes nothing more, a reserve is given up first; then the spool goes on in memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from agent import wire
from agent.disk import LARGEST, remove, write_whole

MOST_FILES = 64
MOST_BYTES = 8 * 1024 * 1024
MOST_IN_MEMORY = 8
RESERVE = 512 * 1024
"""Bytes set aside while there is room: enough for a request and what the server answers to it."""

_REQUEST = "request"
_RESERVE = "reserve"


@dataclass(frozen=True)
class Request:
    """One message as it is sent, however often."""

    path: str
    """On the server."""
    seq: int
    body: bytes
    signature: str
    """Header of the signature; empty until it is made."""

    def told(self) -> dict[str, Any]:
        """What the body says."""
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


@dataclass(frozen=True)
class Posture:
    """What every section said at one look."""

    sections: Mapping[str, Mapping[str, Any]]

    @cached_property
    def _digests(self) -> dict[str, str]:
        return {name: wire.section_digest(section) for name, section in self.sections.items()}

    def index(self) -> dict[str, str]:
        """Digest of each section."""
        return dict(self._digests)

    def root(self) -> str:
        """One digest for all."""
        return wire.root_digest(self._digests)


class Spool:
    """The folder of what waits; ``damaged`` is told of each file that had to be passed over."""

    def __init__(self, folder: Path, damaged: Callable[[str], None], *, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._damaged = damaged
        self._most_bytes = most_bytes
        self._memory: dict[str, bytes] = {}
        self.degraded = ""
        """Why it lies in memory; empty while all of it lies on disk."""

    def outstanding(self) -> Request | None:
        """The request that waits for its answer."""
        content = self._get(_REQUEST)
        if content is None:
            return None
        head, _, body = content.partition(b"\n")
        try:
            said = json.loads(head)
            return Request(str(said["path"]), int(said["seq"]), body, str(said["signature"]))
        except (ValueError, KeyError, TypeError):
            self._pass_over(_REQUEST)
            return None

    def hold(self, request: Request) -> None:
        """Keep a request before it is sent; it replaces the one before, which was answered."""
        head = {"path": request.path, "seq": request.seq, "signature": request.signature}
        self._put(_REQUEST, json.dumps(head).encode() + b"\n" + request.body)

    def answered(self) -> None:
        """Forget the request, once what the answer says is kept."""
        self._drop(_REQUEST)

    def postures(self) -> list[str]:
        """Names of the postures that wait, oldest first."""
        found = {path.name for path in self._folder.glob("*.posture") if not path.name.startswith(".")}
        return sorted(found | {name for name in self._memory if name.endswith(".posture")})

    def posture(self, name: str) -> Posture | None:
        """One of them; None where it is damaged, and then it is gone."""
        content = self._get(name)
        if content is None:
            return None
        try:
            return Posture(json.loads(content)["sections"])
        except (ValueError, KeyError, TypeError):
            self._pass_over(name)
            return None

    def add(self, posture: Posture) -> None:
        """Keep a posture; beyond the bounds those between the oldest that is not acknowledged and the newest go."""
        names = self.postures()
        number = int(names[-1].split(".")[0]) + 1 if names else 1
        self._put(f"{number:012d}.posture", json.dumps({"sections": posture.sections}, ensure_ascii=False).encode())
        while self._too_large():
            names = self.postures()
            first = 0 if _REQUEST in self._memory or (self._folder / _REQUEST).exists() else 1
            if len(names) <= first + 1:
                return
            self._drop(names[first])

    def told(self, name: str) -> None:
        """Forget a posture."""
        self._drop(name)

    def size(self) -> tuple[int, int]:
        """Files and bytes that wait."""
        sizes = [path.stat().st_size for path in self._files()]
        return len(sizes) + len(self._memory), sum(sizes) + sum(map(len, self._memory.values()))

    def settle(self) -> None:
        """Bring to disk what lies in memory, and set a reserve aside, where there is room again."""
        for name in sorted(self._memory):
            self._put(name, self._memory[name])
            if name in self._memory:
                return
        self.degraded = ""
        with suppress(OSError):
            if not (self._folder / _RESERVE).exists():
                # Not zeros alone, which some file systems store as nothing.
                write_whole(self._folder / _RESERVE, bytes(range(256)) * (RESERVE // 256))

    def make_room(self) -> None:
        """Give the reserve up."""
        with suppress(OSError):
            remove(self._folder / _RESERVE)

    def _files(self) -> list[Path]:
        return [path for path in self._folder.iterdir() if path.name == _REQUEST or path.suffix == ".posture"]

    def _too_large(self) -> bool:
        files, size = self.size()
        return files > MOST_FILES or size > self._most_bytes or len(self._memory) > MOST_IN_MEMORY

    def _put(self, name: str, content: bytes) -> None:
        whole = hashlib.sha256(content).hexdigest().encode() + b"\n" + content
        try:
            try:
                write_whole(self._folder / name, whole)
            except OSError:
                self.make_room()
                write_whole(self._folder / name, whole)
        except OSError as error:
            self._memory[name] = content
            self.degraded = f"the spool lies in memory: {error.strerror or error}"
        else:
            self._memory.pop(name, None)

    def _get(self, name: str) -> bytes | None:
        if name in self._memory:
            return self._memory[name]
        try:
            with (self._folder / name).open("rb") as stream:
                content = stream.read(LARGEST)
        except FileNotFoundError:
            return None
        except OSError:
            self._pass_over(name)
            return None
        head, _, rest = content.partition(b"\n")
        if hashlib.sha256(rest).hexdigest().encode() != head:
            self._pass_over(name)
            return None
        return rest

    def _pass_over(self, name: str) -> None:
        self._damaged(name)
        self._drop(name)

    def _drop(self, name: str) -> None:
        self._memory.pop(name, None)
        with suppress(OSError):
            remove(self._folder / name)
