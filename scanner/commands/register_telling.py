"""``ztgrade attest list``, ``show``, ``expiring`` and their like: what the registers hold, and how it counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import msgspec

from scanner.commands.exception_watch import alarm_line, alarms_told
from scanner.commands.printing import json_option, say, say_json
from scanner.commands.register_kinds import ids_of, title_of
from scanner.commands.session import (
    as_of_option,
    baseline_option,
    estate_option,
    moment,
    open_baseline,
    open_estate,
    open_registers,
    store_option,
)
from scanner.errors import UnknownName
from scanner.institution.register_chain import Link
from scanner.institution.register_entry import NEVER, Entry, EntryKind
from scanner.institution.registers import JudgedRegisters, Standing
from scanner.model import iso
from scanner.sampling.claim import needs_of


def telling(kind: EntryKind) -> list[click.Command]:
    """Its commands that only read."""
    return [_list(kind), _show(kind), _expiring(kind)]


def _list(kind: EntryKind) -> click.Command:
    @click.command("list", help=f"Every {title_of(kind)}, what takes one back, and whether it counts now.")
    @estate_option
    @baseline_option
    @as_of_option
    @json_option
    def list_(estate_path: Path, baseline_id: str, as_of: str | None, as_json: bool) -> None:
        judged, kept = _judged(kind, estate_path, baseline_id, moment(as_of))
        rows = [_row(each) for each in judged.standings if each.entry.id in kept]
        _emit(rows + [_gone(link) for link in judged.gone if link.id in kept or link.kind is kind], as_json)

    return list_


def _show(kind: EntryKind) -> click.Command:
    @click.command("show", help=f"One {title_of(kind)} as it was written, and how it counts.")
    @click.argument("entry_id", metavar="ID")
    @estate_option
    @baseline_option
    @as_of_option
    @json_option
    def show(entry_id: str, estate_path: Path, baseline_id: str, as_of: str | None, as_json: bool) -> None:
        judged, kept = _judged(kind, estate_path, baseline_id, moment(as_of))
        held = {each.entry.id: each for each in judged.standings if each.entry.id in kept}
        if entry_id not in held:
            raise UnknownName(title_of(kind), entry_id, held)
        standing = held[entry_id]
        if as_json:
            say_json({"schema_version": 1, **_row(standing), "fields": _plain(standing.entry.fields)})
            return
        say(_line(_row(standing)))
        for name, value in standing.entry.fields.items():
            say(f"  {name}: {_plain(value)}")

    return show


def _expiring(kind: EntryKind) -> click.Command:
    @click.command("expiring", help=f"Every {title_of(kind)} that counts now and soon will not.")
    @click.option("--days", default=30, show_default=True, type=click.IntRange(1, 3650), help="How soon.")
    @estate_option
    @baseline_option
    @as_of_option
    @json_option
    def expiring(
        days: int, estate_path: Path, baseline_id: str, as_of: str | None, as_json: bool, store_path: Path | None = None
    ) -> None:
        now = moment(as_of)
        judged, kept = _judged(kind, estate_path, baseline_id, now)
        until = now + timedelta(days=days)
        soon = [each for each in judged.standings if each.counts and each.entry.id in kept]
        soon = [each for each in soon if each.entry.expires_at <= until]
        rows = [_row(each) for each in sorted(soon, key=lambda each: each.entry.expires_at)]
        told, alarms = ("", []) if store_path is None else alarms_told(store_path, open_baseline(baseline_id), now)
        if as_json and kind is EntryKind.EXCEPTION:
            say_json({"schema_version": 1, "entries": rows, "alarms": [msgspec.to_builtins(row) for row in alarms]})
            return
        _emit(rows, as_json)
        if alarms:
            say(f"alarms as of {told}, by the newest assessment:")
        for row in alarms:
            say(alarm_line(row))

    return store_option(expiring) if kind is EntryKind.EXCEPTION else expiring


def _judged(kind: EntryKind, estate_path: Path, baseline_id: str, as_of: datetime) -> tuple[JudgedRegisters, set[str]]:
    estate, baseline = open_estate(estate_path), open_baseline(baseline_id)
    registers = open_registers(estate, baseline)
    judged = registers.check(
        estate.approvers, estate.institution_id, {baseline.guideline}, as_of, samples=needs_of(baseline)
    )
    return judged, ids_of(kind, registers)


def _emit(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        say_json({"schema_version": 1, "entries": rows})
        return
    for row in rows:
        say(_line(row))


def _row(standing: Standing) -> dict[str, Any]:
    entry = standing.entry
    return {
        "id": entry.id,
        "kind": entry.kind,
        "requirement": entry.requirement or entry.item,
        "revokes": entry.revokes,
        "system": entry.system,
        "scenes": list(entry.scenes),
        "owner": entry.owner,
        "approver": entry.approver,
        "made_at": iso(entry.made_at),
        "expires_at": None if entry.expires_at == NEVER else iso(entry.expires_at),
        "counts": standing.counts,
        "why": standing.why,
        "detail": standing.detail,
        "if": _condition(entry) if standing.counts else None,
    }


def _condition(entry: Entry) -> str | None:
    """What an entry counts on that only an assessment can tell."""
    if entry.binds and not entry.denies:
        return f"while {', '.join(entry.binds)} stays as it is"
    compensating = entry.fields.get("compensated_by")
    return f"where {compensating} is met" if compensating else None


def _gone(link: Link) -> dict[str, Any]:
    return {
        "id": link.id,
        "kind": link.kind,
        "requirement": link.requirement,
        "revokes": link.revokes,
        "system": link.system,
        "scenes": [],
        "owner": "",
        "approver": "",
        "made_at": iso(link.made_at),
        "expires_at": None,
        "counts": False,
        "why": "unchained",
        "detail": f"line {link.seq} of the chain tells of it, but the registers no longer hold it",
        "if": None,
    }


def _line(row: Mapping[str, Any]) -> str:
    about = f"revokes {row['revokes']}" if row["revokes"] else f"{row['requirement']}  {row['system']}".strip()
    if row["system"]:
        about += f" ({', '.join(row['scenes']) or 'every scene'})"
    condition = f" {row['if']}, as an assessment tells" if row["if"] else ""
    state = f"counts{condition}" if row["why"] is None else f"{row['why']}: {row['detail']}"
    note = f"  ({row['detail']})" if row["why"] is None and row["detail"] else ""
    return f"{row['id']}  {about}  until {row['expires_at'] or 'it is taken back'}  {state}{note}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        return iso(value)
    return (
        value.isoformat() if isinstance(value, date) else value if isinstance(value, (bool, int, str)) else str(value)
    )
