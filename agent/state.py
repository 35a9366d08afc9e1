"""What the agent remembers between two cycles: who it is, what the server accepted, how the last attempts went."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from agent import keystores, wire
from agent.disk import private_folder, read_json, remove, write_json, write_whole
from agent.errors import Misconfigured
from agent.schedule import LEAST, LONGEST
from agent.settings import IN_FILE


@dataclass(frozen=True)
class Identity:
    """Who the agent is to its server; written anew as a whole when the key changes."""

    agent: str
    """UUID that the server gave."""
    server: str
    key_id: str
    certificate: str
    chain: str
    not_before: str
    not_after: str
    pin: str
    """SHA-256 of the public key of the authority in which the token told to trust."""
    authority: str
    """Its certificate, PEM; empty where only ``ca_file`` vouches for the server."""
    proxy: str = ""
    ca_file: str = ""
    key_fallback: str = ""
    """Why the key does not lie in hardware, where it was to be if possible."""

    def validity(self) -> tuple[datetime, datetime]:
        """From when to when its certificate holds."""
        return datetime.fromisoformat(self.not_before), datetime.fromisoformat(self.not_after)


@dataclass(frozen=True)
class Standing:
    """What the server accepted last, and what it said then."""

    seq: int = 0
    nonce: str = ""
    root: str = wire.EMPTY_ROOT
    """The last root that the server has whole."""
    index: Mapping[str, str] = field(default_factory=dict)
    """Its digests by section."""
    interval: int = 300
    need: tuple[str, ...] = ()
    """Sections that the server lacks of ``need_root``."""
    need_root: str = ""
    renew: bool = False
    offset: int = 0
    """Seconds by which the server's clock is ahead of this host's."""
    accepted_at: str = ""

    def __post_init__(self) -> None:
        if not LEAST <= self.interval <= LONGEST or self.seq < 0:
            raise ValueError("standing.json holds an interval or a number that no agent writes")


@dataclass(frozen=True)
class Attempts:
    """How the last attempts went, for ``status``; nothing else hangs on it but when to try again."""

    last_at: str = ""
    last_error: str = ""
    failures: int = 0
    """In a row."""
    not_before: str = ""
    """No attempt before this moment."""
    renewal_error: str = ""
    """Why the certificate could not be renewed the last time."""
    copy_suspected: bool = False
    clock: str = ""
    """What is odd about this host's clock."""
    degraded: str = ""
    """Why the spool lies in memory; empty while it lies on disk."""
    highest_version: str = ""
    """Of the agent, that ever ran here."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """How often each kind of trouble was met since enrolment."""

    def downgraded(self, version: str) -> bool:
        """Whether a newer agent than this version ran here before."""
        return wire.version_numbers(version) < wire.version_numbers(self.highest_version)


T = TypeVar("T", Identity, Standing, Attempts)


class StateFolder:
    """The files of one agent; refused where anybody else may read them."""

    def __init__(self, folder: Path) -> None:
        self.folder = private_folder(folder)
        self.keys = private_folder(folder / "keys")
        self.spool = private_folder(folder / "spool")

    def key_file(self, key_id: str) -> Path:
        """Where a key lies, or how its keystore finds it."""
        return keystores.file_of(self.keys, key_id)

    def key_place(self, key_id: str) -> str:
        """``hardware``, ``keystore`` or ``file``, as keys are made and moved."""
        return keystores.place(self.key_file(key_id))

    def key_told(self) -> tuple[str, str]:
        """Where the agent's key lies, ``none`` before there is one, and why it is not in hardware."""
        identity = self.identity()
        if identity is None:
            return "none", ""
        return keystores.kind(self.key_file(identity.key_id)), identity.key_fallback

    def client_files(self, key_id: str) -> tuple[str, str]:
        """Certificate chain and key, as TLS takes them; raises Misconfigured for a key in a keystore."""
        path = self.key_file(key_id)
        if keystores.place(path) != IN_FILE:
            where = keystores.words(keystores.kind(path))
            raise Misconfigured(
                f"client_certificate takes the key from a file, and it lies {where}; set client_certificate = false, "
                'or key = "file" and enrol again: ztagent enroll --again --token-file FILE'
            )
        return str(self.keys / f"{key_id}.crt"), str(path)

    def identity(self) -> Identity | None:
        """Who the agent is; None before it is enrolled. ValueError where the file is damaged."""
        return self._read("identity.json", Identity)

    def standing(self) -> Standing | None:
        """What the server accepted last; None before it accepted anything. ValueError where the file is damaged."""
        return self._read("standing.json", Standing)

    def attempts(self) -> Attempts | None:
        """How the last attempts went. ValueError where the file is damaged."""
        return self._read("attempts.json", Attempts)

    def keep(self, value: Identity | Standing | Attempts) -> None:
        """Write one of them, whole or not at all; OSError where the disk does not take it."""
        if isinstance(value, Identity):
            write_whole(self.keys / f"{value.key_id}.crt", (value.certificate + value.chain).encode())
        held = {one.name: getattr(value, one.name) for one in fields(value)}
        write_json(self.folder / f"{type(value).__name__.lower()}.json", held)

    def note(self, name: str) -> dict[str, Any] | None:
        """A request for a certificate that is under way: ``enrolment`` or ``renewal``."""
        return read_json(self.folder / f"{name}.json")

    def keep_note(self, name: str, value: Mapping[str, Any] | None) -> None:
        """Write it, or take it away with None."""
        if value is None:
            remove(self.folder / f"{name}.json")
        else:
            write_json(self.folder / f"{name}.json", value)

    def forget_keys(self, kept: str, forget: Callable[[Path], None]) -> None:
        """Remove every key but one; a file whose key ``forget`` cannot delete stays until the next time."""
        for path in self.keys.iterdir():
            if path.name.split(".")[0] != kept:
                with suppress(Misconfigured):
                    forget(path)
                    remove(path)

    def _read(self, name: str, kind: type[T]) -> T | None:
        found = read_json(self.folder / name)
        if found is None:
            return None
        known = {one.name: one for one in fields(kind)}
        values: dict[str, Any] = {}
        for key, value in found.items():
            if key not in known:
                continue
            wanted = str(known[key].type)
            if not _fits(value, wanted):
                raise ValueError(f"{self.folder / name}: {key} is no {wanted}")
            values[key] = tuple(value) if wanted.startswith("tuple") else value
        try:
            return kind(**values)
        except TypeError as error:
            raise ValueError(f"{self.folder / name}: {error}") from error


def _fits(value: Any, wanted: str) -> bool:
    match wanted:
        case "str":
            return isinstance(value, str)
        case "int":
            return type(value) is int
        case "bool":
            return isinstance(value, bool)
        case "Mapping[str, str]":
            return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
        case "Mapping[str, int]":
            return isinstance(value, dict) and all(type(one) is int for one in value.values())
        case _:
            return isinstance(value, list) and all(isinstance(one, str) for one in value)
