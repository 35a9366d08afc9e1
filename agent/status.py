"""What ``ztagent status`` tells: whether the server hears this agent, and if not, why."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agent import __version__, keystores
from agent.cycle import Cycle
from agent.enrolment import due, utc
from agent.section import moment
from agent.settings import Settings
from agent.state import StateFolder

SILENT_AFTER = 2
"""Intervals without an accepted message after which an agent counts as silent; the server counts so, too."""


def status(state: StateFolder, cycle: Cycle, settings: Settings, now: float) -> dict[str, Any]:
    """Everything by name, plain values. ValueError where a file of the state folder is damaged."""
    identity, standing, attempts = cycle.identity(), cycle.standing(), cycle.attempts
    files, size = cycle.spool.size()
    silent = True
    if standing.accepted_at:
        age = now - datetime.fromisoformat(standing.accepted_at).timestamp()
        silent = age > SILENT_AFTER * standing.interval
    note = state.note("enrolment")
    server = identity.server if identity else note["server"] if note else ""
    kind, fallback = state.key_told()
    return {
        "agent": identity.agent if identity else None,
        "server": (settings.server or server) if server else None,
        "enrolment": "waiting" if note else "done" if identity else "missing",
        "version": __version__,
        "downgraded": attempts.downgraded(__version__),
        "heard": bool(identity) and not silent and not attempts.copy_suspected,
        "last_accepted": standing.accepted_at or None,
        "last_seq": standing.seq,
        "root": standing.root,
        "interval_seconds": standing.interval,
        "pending_files": files,
        "pending_bytes": size,
        "spool_degraded": attempts.degraded or None,
        "key_kind": kind,
        "key_fallback": fallback or None,
        "certificate_ends": identity.not_after if identity else None,
        "renewal_due": bool(identity) and due(identity, standing, utc(now + standing.offset)) if identity else False,
        "clock_offset_seconds": standing.offset,
        "clock": attempts.clock or None,
        "copy_suspected": attempts.copy_suspected,
        "last_attempt": attempts.last_at or None,
        "renewal_error": attempts.renewal_error or None,
        "last_error": attempts.last_error or None,
        "failures_in_a_row": attempts.failures,
        "next_attempt_not_before": attempts.not_before or None,
        "errors": dict(sorted(attempts.errors.items())),
        "switched_off": sorted(settings.switched_off),
        "as_of": moment(utc(now)),
    }


def key_line(kind: str, fallback: str) -> str:
    """Where the key lies, for people."""
    return f"key: {keystores.words(kind)}" + (f", not in hardware: {fallback}" if fallback else "")


def as_lines(told: dict[str, Any]) -> list[str]:
    """The same for people."""
    if told["enrolment"] == "missing":
        return ["not enrolled: run ztagent enroll --token-file FILE"]
    if told["agent"] is None:
        lines = [f"enrolment at {told['server']} waits: {told['last_error'] or 'not asked yet'}"]
    else:
        heard = "the server hears this agent" if told["heard"] else "THE SERVER DOES NOT HEAR THIS AGENT"
        lines = [
            f"{heard}: agent {told['agent']} at {told['server']}",
            f"last accepted: {told['last_accepted'] or 'never'}, message {told['last_seq']}",
            f"interval: {told['interval_seconds']} s",
            f"certificate ends: {told['certificate_ends']}{', renewal is due' if told['renewal_due'] else ''}",
            key_line(told["key_kind"], told["key_fallback"] or ""),
        ]
    lines.append(f"waiting to be told: {told['pending_files']} files, {told['pending_bytes']} bytes")
    if told["last_error"]:
        lines.append(f"last attempt: {told['last_attempt']}, {told['last_error']}")
        lines.append(
            f"failures in a row: {told['failures_in_a_row']}; next: {told['next_attempt_not_before'] or 'now'}"
        )
    if told["copy_suspected"]:
        lines.append("the server suspects that this disk was copied: ask its administrator, who sees both hosts")
    lines += [f"{name}: {told[name]}" for name in ("spool_degraded", "clock", "renewal_error") if told[name]]
    if told["downgraded"]:
        lines.append(f"downgraded: version {told['version']} is older than one that ran here before")
    if told["switched_off"]:
        lines.append(f"switched off: {', '.join(told['switched_off'])}")
    if told["errors"]:
        lines.append("errors since enrolment: " + ", ".join(f"{kind} {n}" for kind, n in told["errors"].items()))
    return lines
