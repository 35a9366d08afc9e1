"""``ztgrade fleet list | show | ban | evict | approve | allow-rollback``: agents, and what operators decide of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from scanner.commands.fleet_options import (
    database_of,
    folder_option,
    now_ms,
    reason_option,
    shown_time,
)
from scanner.commands.printing import json_option, say, say_json
from scanner.fleet import operations, versions
from scanner.fleet.reading import AgentSeen, FleetReader


@click.command("list")
@folder_option
@click.option("--status", type=click.Choice(["pending", "active", "evicted", "banned"]), help="Only these.")
@click.option("--odd", is_flag=True, help="Only silent, suspected, alike or downgraded ones.")
@json_option
def list_(folder: Path, status: str | None, odd: bool, as_json: bool) -> None:
    """List agents, one a line."""
    reader, now = FleetReader.open(folder), now_ms()
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
            seen = shown_time(agent.last_seen)
            say(f"{agent.id}  {agent.status:8}  {seen}  {agent.host.get('hostname', '')}  {marks}".rstrip())
    reader.close()


@click.command("show")
@folder_option
@click.argument("agent")
@json_option
def show(folder: Path, agent: str, as_json: bool) -> None:
    """Show one agent: what the server knows, and every section that it told; all of it is the host's own word."""
    with database_of(folder) as database:
        operations.known(database, agent)
    reader, now = FleetReader.open(folder), now_ms()
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
        say(f"  since {shown_time(section.since)}, confirmed {shown_time(section.confirmed)}")
        for name, value in section.content["values"].items():
            say(f"  {name} = {msgspec.json.encode(value).decode()}")


@click.command("ban")
@folder_option
@click.argument("agent")
@reason_option
def ban(folder: Path, agent: str, reason: str) -> None:
    """Never let an agent speak again; its key is refused for ever, its hardware enrols only with approval."""
    with database_of(folder) as database:
        operations.ban(database, agent, reason, now_ms())


@click.command("evict")
@folder_option
@click.argument("agent")
@reason_option
def evict(folder: Path, agent: str, reason: str) -> None:
    """Remove an agent; with a new token it may enrol again."""
    with database_of(folder) as database:
        operations.evict(database, agent, reason, now_ms())


@click.command("approve")
@folder_option
@click.argument("agent")
@reason_option
def approve(folder: Path, agent: str, reason: str) -> None:
    """Let a waiting agent in, let a suspected one go on once its copy is gone, or take two alike for two hosts."""
    with database_of(folder) as database:
        click.echo(f"approved: {operations.approve(database, agent, reason, now_ms())}", err=True)


@click.command("allow-rollback")
@folder_option
@click.argument("agent")
@click.option("--to", "version", default="", metavar="VERSION", help="The oldest that it may run; what it reports now.")
@reason_option
def allow_rollback(folder: Path, agent: str, version: str, reason: str) -> None:
    """Let an agent run an older version than it did, or than the fleet's least one; it keeps its identity."""
    with database_of(folder) as database:
        allowed = versions.allow_rollback(database, agent, version, reason, now_ms())
    click.echo(f"agent {agent} may run version {allowed} and newer ones", err=True)


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
    plain |= {name: shown_time(plain[name]) if plain[name] else None for name in sorted(times)}
    silent = agent.silent_since(now, interval_s)
    return plain | {"silent_since": shown_time(silent) if silent else None}


COMMANDS: Sequence[click.Command] = (list_, show, ban, evict, approve, allow_rollback)
