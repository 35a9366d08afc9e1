"""What is done with an entry once it is written, the same for every kind: seen, signed, taken back, watched."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import msgspec

from scanner.commands.exception_watch import alarm_line, alarms_told
from scanner.commands.register_papers import paper
from scanner.commands.session import (
    as_of_option,
    baseline_option,
    estate_option,
    json_option,
    moment,
    open_baseline,
    open_estate,
    open_registers,
    say,
    say_json,
    store_option,
)
from scanner.errors import ConfigurationError, UnknownName, UsageError
from scanner.guideline.nouns import Baseline
from scanner.institution.estate import Estate
from scanner.institution.register_chain import CHAIN, Link
from scanner.institution.register_entry import NEVER, Entry, EntryKind
from scanner.institution.register_judging import approval_fault
from scanner.institution.register_record import Desk, act_time, one_act, record, refuse_backdated
from scanner.institution.register_writer import add_entries, entry_text
from scanner.institution.registers import JudgedRegisters, Registers, Standing, load_registers, parse_registers
from scanner.model import Scene, iso
from scanner.sampling.claim import needs_of
from scanner.sealed.disk import write_whole

Fields = Mapping[str, Any]


def word_of(kind: EntryKind) -> str:
    """The command group of a kind."""
    words = {EntryKind.ATTESTATION: "attest", EntryKind.ADOPTION: "plan-register"}
    return words.get(kind, kind.value.replace("_", "-"))


def title_of(kind: EntryKind) -> str:
    """A kind as sentences call it."""
    return {EntryKind.ADOPTION: "adoption plan"}.get(kind, kind.value.replace("_", " "))


def signing(kind: EntryKind, entry_id: str, estate: Estate, baseline: Baseline) -> str:
    """The command with which its approver goes on, by the key that stands in the estate."""
    held = {each.id: each for each in open_registers(estate, baseline).entries}
    if fault := approval_fault(held[entry_id], estate.approvers):
        return f"nobody can sign it yet: {fault}; edit it there, or add [approvers.NAME] to {estate.path.name}"
    approver = estate.approvers[held[entry_id].approver]
    if approver.ssh_key:
        return f"next, for a key of SSH: ztgrade {word_of(kind)} payload {entry_id} --output {entry_id}.json"
    return f"its approver signs it with: ztgrade {word_of(kind)} approve {entry_id} --key KEY.pem"


def known_names(estate: Estate, baseline: Baseline) -> tuple[frozenset[str], dict[str, tuple[Scene, ...]]]:
    """Addresses of requirements and scenes of systems that entries may name."""
    addresses = frozenset(requirement.address for requirement in baseline.requirements())
    return addresses, {name: system.scenes for name, system in estate.systems.items()}


def enter(entries: list[tuple[EntryKind, Fields]], estate: Estate, baseline: Baseline) -> list[Path]:
    """Write new entries and their links; an entry without ``made_at`` is made now. Nothing is written if one is wrong.

    Returns the files written.
    """
    with one_act(estate.registers):
        before = load_registers(estate.registers)
        before.chain.must_hold(str(estate.registers / CHAIN))
        now = act_time(before.chain, moment(None), estate.registers)
        dated = [(kind, _dated(fields, now)) for kind, fields in entries]
        refuse_backdated(_parsed(dated), before.chain)
        paths = add_entries(dated, estate.registers, *known_names(estate, baseline))
        record(estate.registers, now, {fields["id"] for _, fields in dated})
    return paths


def _dated(fields: Fields, now: datetime) -> Fields:
    return {name: now if name == "made_at" and value is None else value for name, value in fields.items()}


def _parsed(entries: Iterable[tuple[EntryKind, Fields]]) -> tuple[Entry, ...]:
    """The entries as they will be read; none where one is wrong, which is told when they are to be written."""
    try:
        text = "\n".join(entry_text(kind, fields) for kind, fields in entries)
        return parse_registers({"new.toml": text.encode()}).entries
    except ConfigurationError:
        return ()


def keeping(kind: EntryKind) -> list[click.Command]:
    """The commands that every kind of entry has, beside adding one."""
    built = [build(kind) for build in (_list, _show, _payload, _approve, _revoke, _expiring)]
    return [*built, paper(kind, title_of(kind))]


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


def _payload(kind: EntryKind) -> click.Command:
    @click.command("payload", help=f"The exact bytes that the approver of a {title_of(kind)} signs with a key of SSH.")
    @click.argument("entry_id", metavar="ID")
    @click.option("--output", type=click.Path(path_type=Path), help="File to write; stdout if not given.")
    @estate_option
    @baseline_option
    def payload(entry_id: str, output: Path | None, estate_path: Path, baseline_id: str) -> None:
        desk = _desk(kind, entry_id, estate_path, baseline_id)
        content = desk.payload(entry_id)
        if output is None:
            sys.stdout.buffer.write(content)
            return
        write_whole(output, content)
        sign = f"ssh-keygen -Y sign -n ztgrade-register -f KEY {output}"
        store = f"ztgrade {word_of(kind)} approve {entry_id} --ssh-signature {output}.sig"
        click.echo(f"wrote {output}; its approver signs it with: {sign}; and stores that with: {store}", err=True)

    return payload


def _approve(kind: EntryKind) -> click.Command:
    @click.command("approve", help=f"Sign a {title_of(kind)} as its approver, or store the signature that SSH made.")
    @click.argument("entry_id", metavar="ID")
    @click.option("--key", "key_path", type=click.Path(path_type=Path), help="Private key (PEM, 0600).")
    @click.option("--ssh-signature", "signature", type=click.Path(path_type=Path), help="What ssh-keygen -Y sign made.")
    @estate_option
    @baseline_option
    def approve(
        entry_id: str, key_path: Path | None, signature: Path | None, estate_path: Path, baseline_id: str
    ) -> None:
        if (key_path is None) == (signature is None):
            raise UsageError("give either --key or --ssh-signature")
        desk = _desk(kind, entry_id, estate_path, baseline_id)
        if key_path is not None:
            place = desk.sign(entry_id, key_path, moment(None))
        else:
            assert signature is not None
            place = desk.take_ssh(entry_id, signature, moment(None))
        click.echo(f"wrote {place}; how it counts: ztgrade {word_of(kind)} show {entry_id}", err=True)

    return approve


def _revoke(kind: EntryKind) -> click.Command:
    @click.command("revoke", help=f"Take a {title_of(kind)} back; a signed no falls only when that is signed too.")
    @click.argument("entry_id", metavar="ID")
    @click.option("--reason", required=True, help="In 30 characters at least.")
    @click.option("--owner", required=True, help="Who says so.")
    @click.option("--approver", required=True, help="Approver of the estate who is to sign; not the owner.")
    @click.option("--id", "own_id", metavar="ID", help="Id of the revocation; RE- and that of the entry if not given.")
    @estate_option
    @baseline_option
    def revoke(
        entry_id: str,
        reason: str,
        owner: str,
        approver: str,
        own_id: str | None,
        estate_path: Path,
        baseline_id: str,
    ) -> None:
        estate, baseline = open_estate(estate_path), open_baseline(baseline_id)
        held = {each.id for each in open_registers(estate, baseline).entries if each.kind is kind}
        if entry_id not in held:
            raise UnknownName(title_of(kind), entry_id, held)
        name = own_id or f"RE-{entry_id}"
        fields = {"id": name, "revokes": entry_id, "reason": reason, "owner": owner, "approver": approver}
        (path,) = enter([(EntryKind.REVOCATION, {**fields, "made_at": None})], estate, baseline)
        click.echo(f"wrote {name} to {path}; {signing(kind, name, estate, baseline)}", err=True)

    return revoke


def _desk(kind: EntryKind, entry_id: str, estate_path: Path, baseline_id: str) -> Desk:
    """Where the entry is signed; raises UnknownName where there is none of this kind."""
    estate, baseline = open_estate(estate_path), open_baseline(baseline_id)
    held = _kept(kind, open_registers(estate, baseline))
    if entry_id not in held:
        raise UnknownName(title_of(kind), entry_id, held)
    return Desk(estate.registers, estate.approvers, estate.institution_id, baseline.guideline)


def _kept(kind: EntryKind, registers: Registers) -> set[str]:
    """Ids of the entries of a kind, and of the revocations that take one of them back."""
    kinds = {link.id: link.kind for link in registers.chain.links} | {each.id: each.kind for each in registers.entries}
    held = {id_ for id_, each in kinds.items() if each is kind}
    return (
        held
        | {link.id for link in registers.chain.links if link.revokes in held}
        | {each.id for each in registers.entries if each.revokes in held}
    )


def _judged(kind: EntryKind, estate_path: Path, baseline_id: str, as_of: datetime) -> tuple[JudgedRegisters, set[str]]:
    estate, baseline = open_estate(estate_path), open_baseline(baseline_id)
    registers = open_registers(estate, baseline)
    judged = registers.check(
        estate.approvers, estate.institution_id, {baseline.guideline}, as_of, samples=needs_of(baseline)
    )
    return judged, _kept(kind, registers)


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
