"""The agent's own settings, ``agent.toml``: what the host's administrator decides and no server can change."""

from __future__ import annotations

import os
import re
import stat
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.errors import Misconfigured
from agent.schedule import LEAST, LONGEST, SHORTEST

FILE = "agent.toml"
USER_NAMES = "user_names"
"""In ``switched_off``: names of people, wherever a section holds them."""
AUTO, HARDWARE, IN_FILE = "auto", "hardware", "file"
"""Where the key is made: in hardware for keys (TPM, Secure Enclave) if it can be and else where it can, in hardware or
not at all, in a file."""


@dataclass(frozen=True)
class Settings:
    """What ``agent.toml`` says; texts are empty where it says nothing."""

    server: str = ""
    """``https://NAME[:PORT]``; overrides the one of the token."""
    proxy: str = ""
    """``http://[USER:PASSWORD@]NAME:PORT``, asked by CONNECT."""
    ca_file: str = ""
    """PEM file of further authorities that may vouch for the server, such as that of a proxy that opens TLS."""
    client_certificate: bool = False
    """Whether TLS shows the agent's certificate, for a server or a gateway before it that asks for one. Messages are
    signed in any case; with this, the resident process loads the key for each connection."""
    key: str = AUTO
    """Where the private key is made: ``auto``, ``hardware`` or ``file``. A key that is there is not moved by it until
    the next one is due, and by ``auto`` never."""
    tcti: str = "device:/dev/tpmrm0"
    """How tpm2-tools reach the TPM, in their words: ``device:PATH``, ``tabrmd``, or of a simulator."""
    shortest_interval: int = SHORTEST
    longest_interval: int = LONGEST
    switched_off: frozenset[str] = frozenset()
    """Sections that are never looked at, and ``user_names``."""

    def way(self, server: str, proxy: str, ca_file: str) -> tuple[str, str, str]:
        """Server, proxy and further authorities that count: those that stand here, else those that were given."""
        return self.server or server, self.proxy or proxy, self.ca_file or ca_file


def folders() -> tuple[Path, Path]:
    """Where state and settings stand on this system when no ``--state`` is given."""
    if sys.platform == "win32":
        place = Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData")) / "ztagent"
        return place / "state", place
    if sys.platform == "darwin":
        place = Path("/Library/Application Support/ztagent")
        return place / "state", place
    return Path("/var/lib/ztagent"), Path("/etc/ztagent")


def load(state: Path, sections: frozenset[str], elsewhere: Path | None = None) -> Settings:
    """The settings of the state folder, else those of the system; defaults where there is no file.

    Raises Misconfigured naming file and key. ``sections`` are the names that may be switched off.
    """
    for path in (state / FILE, (elsewhere or folders()[1]) / FILE):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Misconfigured(f"{path} cannot be read: {error.strerror}") from error
        settings = parse(content, str(path), sections)
        if "@" in settings.proxy and sys.platform != "win32" and stat.S_IMODE(os.stat(path).st_mode) & 0o077:
            raise Misconfigured(f"{path}: proxy holds a password, but others may read the file; run chmod 600 {path}")
        return settings
    return Settings()


def parse(content: bytes, name: str, sections: frozenset[str]) -> Settings:
    """Settings from the bytes of a file; raises Misconfigured naming ``name`` and the key."""
    try:
        given = tomllib.loads(content.decode("utf-8"))
    except ValueError as error:
        raise Misconfigured(f"{name}: {error}; write it as TOML") from error
    known = set(Settings.__dataclass_fields__)
    for key in given:
        if key not in known:
            raise Misconfigured(f"{name}: {key} is no setting; known are {', '.join(sorted(known))}")
    settings = replace(Settings(), **{key: _checked(name, key, value, sections) for key, value in given.items()})
    if settings.shortest_interval > settings.longest_interval:
        raise Misconfigured(f"{name}: shortest_interval is greater than longest_interval")
    if settings.client_certificate and settings.key == HARDWARE:
        raise Misconfigured(f'{name}: client_certificate takes its key from a file, so key cannot be "{HARDWARE}"')
    return settings


def _checked(name: str, key: str, value: Any, sections: frozenset[str]) -> Any:
    match key:
        case "server":
            return server_url(_text(name, key, value), f"{name}: {key}")
        case "proxy":
            return proxy_url(_text(name, key, value), f"{name}: {key}")
        case "ca_file":
            path = _text(name, key, value)
            if not os.path.isabs(path):
                raise Misconfigured(f"{name}: {key} must be an absolute path, not {path!r}")
            return path
        case "client_certificate":
            if not isinstance(value, bool):
                raise Misconfigured(f"{name}: {key} must be true or false, not {value!r}")
            return value
        case "key":
            if value not in (AUTO, HARDWARE, IN_FILE):
                raise Misconfigured(f"{name}: {key} must be {AUTO}, {HARDWARE} or {IN_FILE}, not {value!r}")
            return value
        case "tcti":
            # Not every driver of tpm2-tss: one of them, cmd, would run any command.
            if not re.fullmatch(r"(device|tabrmd|swtpm|mssim)(:[!-~]{1,200})?", _text(name, key, value)):
                raise Misconfigured(f"{name}: {key} must be device:PATH, tabrmd, swtpm:... or mssim:..., not {value!r}")
            return value
        case "switched_off":
            return _names(name, key, value, sections | {USER_NAMES})
    if type(value) is not int or not LEAST <= value <= LONGEST:
        raise Misconfigured(f"{name}: {key} must be whole seconds from {LEAST} to {LONGEST}, not {value!r}")
    return value


def _text(name: str, key: str, value: Any) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise Misconfigured(f"{name}: {key} must be a text in quotes")
    return value


def _names(name: str, key: str, value: Any, known: frozenset[str]) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Misconfigured(f"{name}: {key} must be a list of names in quotes")
    for one in value:
        if one not in known:
            raise Misconfigured(f"{name}: {key} names {one!r}; known are {', '.join(sorted(known))}")
    return frozenset(value)


def server_url(text: str, where: str) -> str:
    """The URL of a server, checked; raises Misconfigured naming ``where``."""
    parts = _split(text, where)
    if parts["scheme"] != "https" or parts["user"] or parts["path"] not in {"", "/"}:
        raise Misconfigured(f"{where} must be https://NAME[:PORT], not {text!r}")
    return text.rstrip("/")


def proxy_url(text: str, where: str) -> str:
    """The URL of a proxy, checked; Misconfigured names ``where``, not the text, which may hold a password."""
    parts = _split(text, where)
    if parts["scheme"] != "http" or parts["path"] not in {"", "/"}:
        raise Misconfigured(f"{where} must be http://[USER:PASSWORD@]NAME:PORT")
    return text.rstrip("/")


def _split(text: str, where: str) -> Mapping[str, Any]:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise Misconfigured(f"{where} is no URL") from error
    if not parts.hostname or parts.query or parts.fragment or not text.isprintable() or " " in text:
        raise Misconfigured(f"{where} is no URL with a host name")
    return {"scheme": parts.scheme, "user": "@" in parts.netloc, "path": parts.path, "port": port}
