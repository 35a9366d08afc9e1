"""What operators do with a fleet: make it, let agents in and out, let them renew; each step is set down."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scanner.errors import UnknownName, UsageError
from scanner.fleet.agents import Status
from scanner.fleet.authority import load_issuing, make_issuing, make_root
from scanner.fleet.database import Database
from scanner.fleet.journal import AUDIT, ISSUANCE, note
from scanner.fleet.migration import in_step, prepare
from scanner.fleet.settings import FILE, connect, load_settings, open_database, write_settings


def make_fleet(folder: Path, root_folder: Path, chosen: dict[str, Any], now: int) -> None:
    """A new fleet: settings, root (in a folder of its own, to be kept elsewhere), issuing authority, database."""
    for place in (folder / FILE, root_folder):
        if place.exists():
            raise UsageError(f"{place} is there already; choose another, or remove it if that fleet is not used")
    if root_folder.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"{root_folder} lies in the server's folder; the root's key is to be kept elsewhere")
    moment = datetime.fromtimestamp(now / 1000, UTC)
    write_settings(folder, chosen)
    settings = load_settings(folder)
    make_root(root_folder, settings.domain, moment)
    make_issuing(folder, root_folder, moment)
    set_up(connect(folder, settings), now)
    note_issuing(folder, now)


def set_up(database: Database, now: int) -> None:
    """Make the tables, and the secret of nonces, where they are missing."""
    prepare(database, now)
    with in_step(database):
        database.run(
            "INSERT INTO meta (name, value) VALUES ('nonces', ?) ON CONFLICT (name) DO NOTHING",
            (secrets.token_bytes(32),),
        )
        note(database, AUDIT, now, event="set_up")
    database.close()


def note_issuing(folder: Path, now: int) -> None:
    """Set down the newest issuing authority in the log of issuance."""
    newest = load_issuing(folder)
    database = open_database(folder, load_settings(folder))
    with in_step(database):
        says = {"serial": f"{newest.certificate.serial_number:x}", "key": newest.key_id}
        note(database, ISSUANCE, now, authority="issuing", **says)
        note(database, AUDIT, now, event="issuing_made", **says)
    database.close()


def ban(database: Database, agent: str, reason: str, now: int) -> None:
    """Never let an agent speak again; raises UnknownName."""
    _set(database, agent, now, "banned", "status = 'banned'", reason)


def evict(database: Database, agent: str, reason: str, now: int) -> None:
    """Remove an agent that may enrol again; raises UnknownName, and UsageError for a banned one."""
    _, status, *_ = known(database, agent)
    if status == Status.BANNED:
        raise UsageError(f"agent {agent} is banned; that is for ever")
    _set(database, agent, now, "evicted", "status = 'evicted'", reason)


def approve(database: Database, agent: str, reason: str, now: int) -> str:
    """Let a waiting agent in, or a suspected one go on, or take two alike for two; gives what was approved.

    Before a suspected agent is approved, the copy must be gone: the first that speaks goes on, whichever it is.
    """
    number, status, suspected, collision = known(database, agent)
    if status not in (Status.PENDING, Status.ACTIVE):
        raise UsageError(f"agent {agent} is {status}; a new enrolment with a new token is what can be approved")
    done = []
    with in_step(database):
        if status == Status.PENDING:
            database.run("UPDATE agent SET status = 'active' WHERE number = ?", (number,))
            done.append("enrolment")
        if suspected is not None:
            database.run("UPDATE agent SET clone_suspected = NULL WHERE number = ?", (number,))
            database.run("UPDATE agent_state SET resume = 1, epoch = epoch + 1 WHERE agent = ?", (number,))
            done.append("chain")
        if collision is not None:
            database.run("UPDATE agent SET identity_collision = NULL WHERE number = ?", (number,))
            done.append("identity")
        if not done:
            raise UsageError(f"agent {agent} waits for no approval")
        note(database, AUDIT, now, event="approved", agent=agent, what=done, reason=reason)
    return ", ".join(done)


def ask_for_keys(database: Database, agents: list[str] | None, now: int) -> int:
    """Have agents renew when they next speak, all active ones where none is named; gives how many."""
    if agents is not None:
        for agent in agents:
            known(database, agent)
    with in_step(database):
        if agents is None:
            asked = database.rows("UPDATE agent SET rekey = 1 WHERE status = 'active' RETURNING number")
        else:
            condition, parameter = database.among("id", agents)
            asked = database.rows(f"UPDATE agent SET rekey = 1 WHERE {condition} RETURNING number", (parameter,))
        note(database, AUDIT, now, event="rekey", agents=agents or "all", asked=len(asked))
    return len(asked)


def known(database: Database, agent: str) -> tuple[int, str, int | None, int | None]:
    """Number, status, and since when it is suspected or alike another; raises UnknownName."""
    sql = "SELECT number, status, clone_suspected, identity_collision FROM agent WHERE id = ?"
    found = database.rows(sql, (agent,))
    if not found:
        near = [row[0] for row in database.rows("SELECT id FROM agent ORDER BY number DESC LIMIT 200")]
        raise UnknownName("agent", agent, near)
    number, status, suspected, collision = found[0]
    return number, status, suspected, collision


def _set(database: Database, agent: str, now: int, event: str, change: str, reason: str) -> None:
    number, *_ = known(database, agent)
    with in_step(database):
        database.run(f"UPDATE agent SET {change}, reason = ? WHERE number = ?", (reason, number))
        note(database, AUDIT, now, event=event, agent=agent, reason=reason)
