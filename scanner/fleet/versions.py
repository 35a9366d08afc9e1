"""Which versions of the agent are taken for what they are: never an older one than ran before, nor than the fleet's
least one, unless an operator allowed it."""

from __future__ import annotations

from agent.wire import version_numbers
from scanner.errors import UsageError
from scanner.fleet.agents import Speaking
from scanner.fleet.database import Database
from scanner.fleet.journal import AUDIT, note
from scanner.fleet.migration import in_step
from scanner.fleet.operations import known


def weigh(database: Database, agent: Speaking, version: str, least: str, now: int) -> None:
    """Set down whether an agent runs what it may, where that changed; inside a transaction."""
    told, highest, minimum = version_numbers(version), version_numbers(agent.highest_version), version_numbers(least)
    if told < highest or (told < minimum and not agent.version_exempt):
        if agent.downgraded is None:
            agent.downgraded = now
            database.run("UPDATE agent SET downgraded = ? WHERE number = ?", (now, agent.number))
            says = {"version": version, "before": agent.highest_version, "least": least}
            note(database, AUDIT, now, event="downgraded", agent=agent.id, **says)
        return
    exempt = agent.version_exempt and told < minimum
    if told > highest or agent.downgraded is not None or exempt != agent.version_exempt:
        if agent.downgraded is not None:
            note(database, AUDIT, now, event="version_restored", agent=agent.id, version=version)
        agent.highest_version, agent.downgraded, agent.version_exempt = version, None, exempt
        database.run(
            "UPDATE agent SET highest_version = ?, downgraded = NULL, version_exempt = ? WHERE number = ?",
            (version, int(exempt), agent.number),
        )


def allow_rollback(database: Database, agent: str, version: str, reason: str, now: int) -> str:
    """Let an agent run this version, or the one that it reports where none is given, and newer ones; gives it.

    Raises UnknownName, and UsageError where there is no version to allow.
    """
    number, *_ = known(database, agent)
    with in_step(database):
        reported = database.rows("SELECT version FROM agent_state WHERE agent = ?", (number,))[0][0]
        chosen = version or str(reported)
        if not version_numbers(chosen):
            raise UsageError(f"{chosen!r} is no version; give --to like 1.2.0")
        stands = version_numbers(str(reported)) >= version_numbers(chosen)
        database.run(
            "UPDATE agent SET highest_version = ?, version_exempt = 1,"
            " downgraded = CASE WHEN ? = 1 THEN NULL ELSE downgraded END WHERE number = ?",
            (chosen, int(stands), number),
        )
        note(database, AUDIT, now, event="rollback_allowed", agent=agent, version=chosen, reason=reason)
    return chosen
