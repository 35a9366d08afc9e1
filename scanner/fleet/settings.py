"""The folder of a fleet server: its settings, its certificates, its database."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from scanner.errors import ConfigurationError, Problem, StoreError
from scanner.fleet.database import Database, Sqlite
from scanner.fleet.migration import demand
from scanner.sealed.disk import make_private, write_private

FILE = "fleet.toml"
SQLITE = "sqlite:"
POSTGRESQL = "postgresql:"


class SignalSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """``[signal]``: verdicts for policy engines."""

    enabled: bool = False
    rules: str = ""
    """File of rules, from the fleet's folder; those that come with this version where it is empty."""
    life: Annotated[int, msgspec.Meta(ge=0, le=86_400)] = 0
    """Seconds that a verdict is good at most; 0 for one interval."""
    per_minute: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 600
    """Requests that one caller may send in a minute."""
    authority: str = ""
    """PEM file, from the fleet's folder, of the authority of callers' client certificates."""


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What ``fleet.toml`` says."""

    url: Annotated[str, msgspec.Meta(pattern=r"^https://[^/?#@\s]+/?$", max_length=300)]
    """Under which agents reach the server."""
    domain: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]([a-z0-9.-]{0,253}[a-z0-9])?$")]
    """Trust domain in the names of agents: spiffe://DOMAIN/agent/ID."""
    listen: Annotated[str, msgspec.Meta(pattern=r"^.+:[0-9]{1,5}$")] = "0.0.0.0:8443"
    interval: Annotated[int, msgspec.Meta(ge=5, le=86_400)] = 300
    """Seconds between two heartbeats."""
    database: str = "sqlite:fleet.db"
    synchronous: Literal["full", "normal"] = "full"
    """Of SQLite: with ``normal`` a power cut may lose the last acknowledged messages."""
    client_certificates: Literal["off", "optional", "required"] = "off"
    """Whether TLS asks for them, too. With ``required`` an agent that slept past its certificate cannot return."""
    server_certificate: str = ""
    server_key: str = ""
    """PEM files in place of the certificate that the server makes for itself."""
    metrics_networks: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    """From where /metrics may be read."""
    per_minute: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 60
    """Messages that one agent may send in a minute."""
    queue: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 4096
    """Messages that may wait in each lane."""
    request_seconds: Annotated[int, msgspec.Meta(ge=1, le=600)] = 20
    """Time in which a request must have arrived whole."""
    connections: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 20_000
    keep_days: Annotated[int, msgspec.Meta(ge=90, le=36_500)] = 400
    """Days after which signed reports and sections that are no more are removed; what proves the posture that stands
    is never."""
    min_version: Annotated[str, msgspec.Meta(pattern=r"^([0-9]{1,9}(\.[0-9]{1,9}){0,3})?$")] = ""
    """Of the agent: what older ones tell does not count, unless an operator allows it."""
    signal: SignalSettings = SignalSettings()

    @property
    def host(self) -> str:
        """The name or address in ``url``."""
        return urlsplit(self.url).hostname or ""

    @property
    def bind(self) -> tuple[str, int]:
        """Address and port to listen at."""
        address, _, port = self.listen.rpartition(":")
        return address.strip("[]"), int(port)


def load_settings(folder: Path) -> Settings:
    """The settings of a fleet folder; raises ConfigurationError."""
    path = folder / FILE

    def wrong(message: str, hint: str) -> ConfigurationError:
        return ConfigurationError([Problem(str(path), None, "", message, hint)])

    try:
        text = path.read_bytes()
    except FileNotFoundError as error:
        raise wrong("there is no such file", "make the folder with: ztgrade fleet init") from error
    try:
        found = msgspec.toml.decode(text, type=Settings)
    except msgspec.ValidationError as error:
        raise wrong(str(error), "correct that key; see the guide to the fleet") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise wrong(f"it is no TOML: {error}", "correct that line") from error
    if bool(found.server_certificate) != bool(found.server_key):
        raise wrong("server_certificate and server_key go together", "give both files or none")
    if found.signal.authority and found.client_certificates == "off":
        raise wrong("signal.authority is given, client_certificates is off", 'set client_certificates = "optional"')
    if not found.database.startswith((SQLITE, POSTGRESQL)):
        raise wrong(
            "database begins with neither sqlite: nor postgresql:", "write sqlite:FILE or postgresql://HOST/NAME"
        )
    if found.database.startswith(POSTGRESQL) and (urlsplit(found.database).password or "password" in found.database):
        raise wrong("database holds a password", "put it into the password file of libpq (~/.pgpass, PGPASSFILE)")
    try:
        for network in found.metrics_networks:
            ipaddress.ip_network(network)
    except ValueError as error:
        raise wrong(f"metrics_networks: {error}", "write networks like 10.1.0.0/16") from error
    if not found.host:
        raise wrong("url names no host", "write https://NAME:PORT")
    return found


def open_database(folder: Path, settings: Settings, *, read_only: bool = False) -> Database:
    """A connection to the fleet's database; raises StoreError, also where its tables are of another version."""
    database = connect(folder, settings, read_only=read_only)
    try:
        demand(database)
    except StoreError:
        database.close()
        raise
    return database


def connect(folder: Path, settings: Settings, *, read_only: bool = False) -> Database:
    """A connection to a database whose tables nobody has looked at yet; raises StoreError."""
    if settings.database.startswith(POSTGRESQL):
        from scanner.fleet.postgresql import Postgresql

        return Postgresql(settings.database, read_only=read_only)
    path = folder / settings.database.removeprefix(SQLITE)
    return Sqlite(path, synchronous=settings.synchronous, read_only=read_only)


def write_settings(folder: Path, chosen: dict[str, Any]) -> None:
    """Make the folder and a new ``fleet.toml``; raises FileExistsError where there is one."""
    make_private(folder)
    lines = ["# Settings of the fleet server; what is not named here has its default."]
    lines += [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in chosen.items()]
    write_private(folder / FILE, ("\n".join(lines) + "\n").encode())


def is_address(name: str) -> bool:
    """Whether a host is named by its address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
