"""``ztgrade fleet``: the server of the endpoint agents, and what operators do with it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import msgspec

from scanner.commands.fleet_signal import signal
from scanner.errors import UsageError
from scanner.fleet import journal, operations, tokens, versions
from scanner.fleet.authority import make_issuing, pin_of
from scanner.fleet.database import Database
from scanner.fleet.reading import AgentSeen, FleetReader
from scanner.fleet.settings import load_settings, open_database

folder_option = click.option(
    "--folder",
    envvar="ZTGRADE_FLEET",
    type=click.Path(path_type=Path),
    default=Path("fleet"),
    show_default=True,
    help="The fleet server's folder.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
reason_option = click.option("--reason", required=True, help="Why; stands in the audit log.")
_UNITS = {"m": 60, "h": 3600, "d": 86_400}


@click.group()
def fleet() -> None:
    """Enrol endpoint agents, take their reports, and decide about those that are not what they should be."""


fleet.add_command(signal)


@fleet.command("init")
@folder_option
@click.option("--url", required=True, help="Under which agents reach the server: https://NAME:PORT.")
@click.option("--domain", help="Trust domain in the names of agents; the host of --url if not given.")
@click.option("--listen", default="0.0.0.0:8443", show_default=True, help="Address and port to listen at.")
@click.option("--interval", type=click.IntRange(5, 86_400), default=300, show_default=True, help="Seconds.")
@click.option("--database", default="sqlite:fleet.db", show_default=True, help="sqlite:FILE or postgresql://HOST/NAME.")
@click.option(
    "--root-folder",
    type=click.Path(path_type=Path),
    required=True,
    help="New folder for the root's key; keep it off this machine afterwards.",
)
def init(folder: Path, root_folder: Path, domain: str | None, **chosen: Any) -> None:
    """Make a fleet: settings, certificate authority, database."""
    chosen["domain"] = domain or (urlsplit(chosen["url"]).hostname or "")
    operations.make_fleet(folder, root_folder, chosen, _now())
    click.echo(f"made {folder}; start it with: ztgrade fleet serve --folder {folder}", err=True)
    click.echo(f"move {root_folder} to a medium that is kept locked; it is needed once a year", err=True)


@fleet.command("serve")
@folder_option
@click.option("--listen", help="Address and port, in place of what fleet.toml says.")
def serve(folder: Path, listen: str | None) -> None:
    """Run the server until it is told to end."""
    from scanner.fleet.serving import FleetServer

    server = FleetServer(folder, time.time, listen)
    server.run(lambda address: click.echo(f"ztgrade fleet: listens at https://{address[0]}:{address[1]}", err=True))


@fleet.command("token")
@folder_option
@click.option("--life", default="24h", show_default=True, help="How long it is good: 30m, 24h, 7d.")
@click.option("--uses", type=click.IntRange(1, 1_000_000), default=1, show_default=True, help="Hosts it is good for.")
@click.option("--network", "networks", multiple=True, metavar="CIDR", help="Only from there; repeat.")
@click.option("--name", "names", multiple=True, metavar="GLOB", help="Only for such host names; repeat.")
@click.option("--approval", is_flag=True, help="Hosts wait until: ztgrade fleet approve.")
@click.option("--note", default="", help="What it is for.")
@click.option("--list", "listed", is_flag=True, help="List tokens instead of making one.")
@click.option("--revoke", metavar="HANDLE", help="Let a token be good for nothing more.")
@json_option
def token(folder: Path, life: str, listed: bool, revoke: str | None, as_json: bool, **limits: Any) -> None:
    """Make a token to enrol with; it is printed once and never again."""
    settings = load_settings(folder)
    with _database(folder) as database:
        if revoke:
            tokens.revoke(database, revoke, _now())
            return
        if listed:
            _list_tokens(tokens.listing(database), as_json)
            return
        pin = pin_of(_server_chain(folder))
        limits["note_"] = limits.pop("note")
        made = tokens.mint(database, url=settings.url, pin=pin, now=_now(), life_s=_seconds(life), **limits)
    click.echo(made)


@fleet.command("list")
@folder_option
@click.option("--status", type=click.Choice(["pending", "active", "evicted", "banned"]), help="Only these.")
@click.option("--odd", is_flag=True, help="Only silent, suspected, alike or downgraded ones.")
@json_option
def list_(folder: Path, status: str | None, odd: bool, as_json: bool) -> None:
    """List agents, one a line."""
    from scanner.commands.session import say, say_json

    reader, now = FleetReader.open(folder), _now()
    found = [
        agent
        for agent in reader.agents()
        if (status is None or agent.status == status) and (not odd or _marks(agent, now, reader.interval_s))
    ]
    if as_json:
        say_json([_plain(agent, now, reader.interval_s) for agent in found])
    else:
        for agent in found:
            marks = " ".join(_marks(agent, now, reader.interval_s))
            seen = _time(agent.last_seen)
            say(f"{agent.id}  {agent.status:8}  {seen}  {agent.host.get('hostname', '')}  {marks}".rstrip())
    reader.close()


@fleet.command("show")
@folder_option
@click.argument("agent")
@json_option
def show(folder: Path, agent: str, as_json: bool) -> None:
    """Show one agent: what the server knows, and every section that it told; all of it is the host's own word."""
    from scanner.commands.session import say, say_json

    with _database(folder) as database:
        operations.known(database, agent)
    reader, now = FleetReader.open(folder), _now()
    found = reader.agent(agent)
    assert found is not None
    sections = reader.sections(found)
    reader.close()
    if as_json:
        say_json(_plain(found, now, reader.interval_s) | {"sections": [msgspec.to_builtins(each) for each in sections]})
        return
    for name, value in _plain(found, now, reader.interval_s).items():
        say(f"{name}: {value}")
    for section in sections:
        say(f"{section.name}: {section.content['status']} {section.content['detail']}".rstrip())
        say(f"  since {_time(section.since)}, confirmed {_time(section.confirmed)}")
        for name, value in section.content["values"].items():
            say(f"  {name} = {msgspec.json.encode(value).decode()}")


@fleet.command("ban")
@folder_option
@click.argument("agent")
@reason_option
def ban(folder: Path, agent: str, reason: str) -> None:
    """Never let an agent speak again; its key is refused for ever, its hardware enrols only with approval."""
    with _database(folder) as database:
        operations.ban(database, agent, reason, _now())


@fleet.command("evict")
@folder_option
@click.argument("agent")
@reason_option
def evict(folder: Path, agent: str, reason: str) -> None:
    """Remove an agent; with a new token it may enrol again."""
    with _database(folder) as database:
        operations.evict(database, agent, reason, _now())


@fleet.command("approve")
@folder_option
@click.argument("agent")
@reason_option
def approve(folder: Path, agent: str, reason: str) -> None:
    """Let a waiting agent in, let a suspected one go on once its copy is gone, or take two alike for two hosts."""
    with _database(folder) as database:
        click.echo(f"approved: {operations.approve(database, agent, reason, _now())}", err=True)


@fleet.command("allow-rollback")
@folder_option
@click.argument("agent")
@click.option("--to", "version", default="", metavar="VERSION", help="The oldest that it may run; what it reports now.")
@reason_option
def allow_rollback(folder: Path, agent: str, version: str, reason: str) -> None:
    """Let an agent run an older version than it did, or than the fleet's least one; it keeps its identity."""
    with _database(folder) as database:
        allowed = versions.allow_rollback(database, agent, version, reason, _now())
    click.echo(f"agent {agent} may run version {allowed} and newer ones", err=True)


@fleet.command("rekey")
@folder_option
@click.argument("agents", nargs=-1)
@click.option("--all", "everyone", is_flag=True, help="Every active agent.")
@click.option("--issuing", is_flag=True, help="Make the next issuing authority first; needs --root-folder.")
@click.option("--root-folder", type=click.Path(path_type=Path), help="Folder with the root's key, for --issuing.")
def rekey(folder: Path, agents: tuple[str, ...], everyone: bool, issuing: bool, root_folder: Path | None) -> None:
    """Have agents take new keys and certificates when they next speak; rotate the issuing authority."""
    if issuing != (root_folder is not None):
        raise UsageError("--issuing and --root-folder go together: the root signs the next issuing authority")
    if everyone == bool(agents) and not (issuing and not agents):
        raise UsageError("name agents, or give --all, or --issuing alone")
    if root_folder is not None:
        make_issuing(folder, root_folder, datetime.fromtimestamp(_now() / 1000, UTC))
        operations.note_issuing(folder, _now())
        click.echo("made the next issuing authority; a running server takes it within ten minutes", err=True)
    if everyone or agents:
        with _database(folder) as database:
            asked = operations.ask_for_keys(database, None if everyone else list(agents), _now())
        click.echo(f"{asked} agents renew when they next speak", err=True)


@fleet.command("audit")
@folder_option
@click.option("--last", type=click.IntRange(1), default=50, show_default=True, help="How many entries.")
@click.option("--verify", is_flag=True, help="Prove that no entry was changed or taken out, and print the digests.")
@json_option
def audit(folder: Path, last: int, verify: bool, as_json: bool) -> None:
    """Show or prove the audit log and the log of issuance."""
    from scanner.commands.session import say, say_json

    with _database(folder) as database:
        if verify:
            for chain in (journal.AUDIT, journal.ISSUANCE):
                say(f"{chain}: {journal.verify(database, chain)}")
            return
        found = list(journal.entries(database, journal.AUDIT, last))
    if as_json:
        say_json(found)
        return
    for entry in found:
        says = {name: value for name, value in entry.says.items() if name != "event"}
        say(f"{entry.number}  {_time(entry.made)}  {entry.says.get('event')}  {msgspec.json.encode(says).decode()}")


@fleet.command("openapi")
@folder_option
def openapi(folder: Path) -> None:
    """Print the OpenAPI 3.1 document of the server: what agents and policy engines may ask, and what is answered."""
    from scanner.commands.session import say_json
    from scanner.fleet.openapi import document

    say_json(document(load_settings(folder).url))


@contextmanager
def _database(folder: Path) -> Iterator[Database]:
    database = open_database(folder, load_settings(folder))
    try:
        yield database
    finally:
        database.close()


def _server_chain(folder: Path) -> bytes:
    from scanner.fleet.serving import Certificates

    return Certificates(folder, load_settings(folder), time.time).files[0].read_bytes()


def _now() -> int:
    return int(time.time() * 1000)


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if ms else "never"


def _seconds(life: str) -> int:
    found = re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", life)
    if not found:
        raise UsageError(f"--life {life!r}: write it like 30m, 24h or 7d")
    return int(found[1]) * _UNITS[found[2]]


def _marks(agent: AgentSeen, now: int, interval_s: int) -> list[str]:
    silent = agent.status == "active" and agent.silent_since(now, interval_s) is not None
    marks = {
        "clone_suspected": agent.clone_suspected,
        "identity_collision": agent.identity_collision,
        "downgraded": agent.downgraded,
        "silent": silent,
    }
    return [name for name, value in marks.items() if value]


def _plain(agent: AgentSeen, now: int, interval_s: int) -> dict[str, Any]:
    times = {"enrolled", "certificate_ends", "clone_suspected", "identity_collision", "downgraded"}
    times |= {"last_seen", "confirmed"}
    plain: dict[str, Any] = msgspec.to_builtins(agent)
    plain |= {name: _time(plain[name]) if plain[name] else None for name in sorted(times)}
    silent = agent.silent_since(now, interval_s)
    return plain | {"silent_since": _time(silent) if silent else None}


def _list_tokens(found: list[tokens.Token], as_json: bool) -> None:
    from scanner.commands.session import say, say_json

    if as_json:
        say_json([msgspec.to_builtins(each) | {"digest": each.digest.hex()} for each in found])
        return
    for each in found:
        state = "revoked" if each.revoked else f"until {_time(each.expires)}"
        limits = " ".join([*each.networks, *each.names, *(["approval"] if each.approval else [])])
        say(f"{each.handle}  {each.used}/{each.uses}  {state}  {limits}".rstrip())
