"""``ztgrade fleet signal``: who may read verdicts on devices, what signs them, and what they would be now."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click
import msgspec

from scanner.commands.fleet_options import (
    database_of,
    folder_option,
    networks_option,
    now_ms,
    say_list,
    seconds,
)
from scanner.commands.printing import json_option, say, say_json
from scanner.errors import UnknownName, UsageError
from scanner.fleet.authority import digest_of_key, load_certificate
from scanner.fleet.settings import load_settings
from scanner.fleet.signal_callers import Caller, callers, let_in, shut_out
from scanner.fleet.signal_keys import load_signer, make_key


@click.group("signal")
def signal() -> None:
    """Verdicts on devices for policy engines; off unless fleet.toml has [signal] with enabled = true."""


@signal.command("key")
@folder_option
@click.option("--new", is_flag=True, help="Make the next key first; a server signs with it from its next start.")
def key(folder: Path, new: bool) -> None:
    """Print the public keys that verdicts are verified with, as a JWK set."""
    load_settings(folder)
    if new:
        kid = make_key(folder)
        click.echo(f"made key {kid}; remove an older file in {folder}/signal once no verdict of it is good", err=True)
    click.echo(msgspec.json.encode(load_signer(folder).key_set()).decode())


@signal.command("token")
@folder_option
@click.option("--name", help="Of the caller, such as gateway-1; stands in the audit log.")
@click.option("--life", default="90d", show_default=True, help="How long it is good: 12h, 90d; at most 366d.")
@networks_option
@click.option(
    "--certificate",
    type=click.Path(path_type=Path, dir_okay=False),
    help="PEM: good only with this client certificate, or a later one over the same key.",
)
@click.option("--list", "listed", is_flag=True, help="List tokens instead of making one.")
@click.option("--revoke", metavar="HANDLE", help="Let a token read nothing more.")
@json_option
def token(
    folder: Path,
    name: str | None,
    life: str,
    networks: tuple[str, ...],
    certificate: Path | None,
    listed: bool,
    revoke: str | None,
    as_json: bool,
) -> None:
    """Make a token that reads verdicts and nothing else; it is printed once and never again."""
    if sum((name is not None, listed, revoke is not None)) != 1:
        raise UsageError("give one of --name, --list and --revoke")
    now, settings = now_ms(), load_settings(folder)
    if certificate and settings.client_certificates == "off":
        raise UsageError('--certificate: the server asks for none; set client_certificates = "optional" in fleet.toml')
    with database_of(folder) as database:
        if revoke:
            shut_out(database, revoke, now)
        elif listed:
            _list(callers(database), now, as_json)
        elif name is not None:
            key = digest_of_key(load_certificate(certificate)) if certificate else ""
            click.echo(let_in(database, name, seconds(life), networks, now, key))


@signal.command("show")
@folder_option
@click.argument("agent", required=False)
@json_option
def show(folder: Path, agent: str | None, as_json: bool) -> None:
    """Show the verdict on one device, or on all, as the rules have it now; nothing is signed or sent."""
    from scanner.fleet.reading import FleetReader
    from scanner.fleet.serving import standing_of
    from scanner.fleet.signal_verdict import judge

    standing, now = standing_of(folder, load_settings(folder)), now_ms()
    with closing(FleetReader.open(folder)) as reader:
        found = list(reader.agents())
        if agent is not None:
            found = [each for each in found if each.id == agent]
            if not found:
                raise UnknownName("agent", agent, [each.id for each in reader.agents()])
        verdicts = [judge(each, reader.sections(each), standing, now) for each in found]
    if as_json:
        say_json([msgspec.to_builtins(each) for each in verdicts])
        return
    for each in verdicts:
        say(f"{each.agent}  {each.verdict:13}  {each.device.hostname}")
        for reason in each.reasons:
            say(f"  {reason.rule}: {reason.says['en']}")


@signal.command("rules")
@folder_option
def rules(folder: Path) -> None:
    """Check the file of rules, and print its digest and what it demands."""
    from scanner.fleet.serving import standing_of

    found = standing_of(folder, load_settings(folder)).rules
    say(found.digest)
    for name, rule in found.rules.items():
        say(f"{name}: {rule.says['en']}")


def _list(found: list[Caller], now: int, as_json: bool) -> None:
    lines = []
    for each in found:
        state = "revoked" if each.revoked else "ended" if now >= each.expires else "good"
        limits = " ".join([*each.networks, *(["certificate"] if each.certificate else [])])
        lines.append(f"{each.handle}  {each.name}  {state}  {limits}")
    say_list(found, lines, as_json=as_json)
