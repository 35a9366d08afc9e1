"""``ztgrade fleet``: the server of the endpoint agents, and what operators do with it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import msgspec

from scanner.commands import fleet_agents
from scanner.commands.fleet_options import (
    database_of,
    folder_option,
    networks_option,
    now_ms,
    say_list,
    seconds,
    shown_time,
)
from scanner.commands.fleet_signal import signal
from scanner.commands.printing import json_option, say, say_json
from scanner.errors import UsageError
from scanner.fleet import journal, operations, tokens
from scanner.fleet.authority import make_issuing, pin_of
from scanner.fleet.settings import load_settings


@click.group()
def fleet() -> None:
    """Enrol endpoint agents, take their reports, and decide about those that are not what they should be."""


for _command in (signal, *fleet_agents.COMMANDS):
    fleet.add_command(_command)


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
    operations.make_fleet(folder, root_folder, chosen, now_ms())
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
@networks_option
@click.option("--name", "names", multiple=True, metavar="GLOB", help="Only for such host names; repeat.")
@click.option("--approval", is_flag=True, help="Hosts wait until: ztgrade fleet approve.")
@click.option("--note", default="", help="What it is for.")
@click.option("--list", "listed", is_flag=True, help="List tokens instead of making one.")
@click.option("--revoke", metavar="HANDLE", help="Let a token be good for nothing more.")
@json_option
def token(folder: Path, life: str, listed: bool, revoke: str | None, as_json: bool, **limits: Any) -> None:
    """Make a token to enrol with; it is printed once and never again."""
    settings = load_settings(folder)
    with database_of(folder) as database:
        if revoke:
            tokens.revoke(database, revoke, now_ms())
            return
        if listed:
            _list_tokens(tokens.listing(database), as_json)
            return
        pin = pin_of(_server_chain(folder))
        limits["note_"] = limits.pop("note")
        made = tokens.mint(database, url=settings.url, pin=pin, now=now_ms(), life_s=seconds(life), **limits)
    click.echo(made)


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
        make_issuing(folder, root_folder, datetime.fromtimestamp(now_ms() / 1000, UTC))
        operations.note_issuing(folder, now_ms())
        click.echo("made the next issuing authority; a running server takes it within ten minutes", err=True)
    if everyone or agents:
        with database_of(folder) as database:
            asked = operations.ask_for_keys(database, None if everyone else list(agents), now_ms())
        click.echo(f"{asked} agents renew when they next speak", err=True)


@fleet.command("audit")
@folder_option
@click.option("--last", type=click.IntRange(1), default=50, show_default=True, help="How many entries.")
@click.option("--verify", is_flag=True, help="Prove that no entry was changed or taken out, and print the digests.")
@json_option
def audit(folder: Path, last: int, verify: bool, as_json: bool) -> None:
    """Show or prove the audit log and the log of issuance."""
    with database_of(folder) as database:
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
        say(
            f"{entry.number}  {shown_time(entry.made)}  {entry.says.get('event')}  {msgspec.json.encode(says).decode()}"
        )


@fleet.command("openapi")
@folder_option
def openapi(folder: Path) -> None:
    """Print the OpenAPI 3.1 document of the server: what agents and policy engines may ask, and what is answered."""
    from scanner.fleet.openapi import document

    say_json(document(load_settings(folder).url))


def _server_chain(folder: Path) -> bytes:
    from scanner.fleet.serving import Certificates

    return Certificates(folder, load_settings(folder), time.time).files[0].read_bytes()


def _list_tokens(found: list[tokens.Token], as_json: bool) -> None:
    lines = []
    for each in found:
        state = "revoked" if each.revoked else f"until {shown_time(each.expires)}"
        limits = " ".join([*each.networks, *each.names, *(["approval"] if each.approval else [])])
        lines.append(f"{each.handle}  {each.used}/{each.uses}  {state}  {limits}")
    say_list(found, lines, as_json=as_json)
