"""``ztgrade attest``, ``drill``, ``review`` and ``exception``: the registers, from the first draft to the signature."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from scanner import registry
from scanner.commands.session import (
    as_of_option,
    baseline_option,
    estate_option,
    installed,
    json_option,
    moment,
    open_baseline,
    open_estate,
    open_registers,
    open_store,
    say,
    say_json,
    store_option,
)
from scanner.errors import UnknownName, UsageError
from scanner.grading.assess import grade
from scanner.guideline.nouns import Baseline
from scanner.institution.estate import Estate
from scanner.institution.register_blanks import OWN as ASKED_KINDS
from scanner.institution.register_blanks import Asked, blank_workbook, filled_entries
from scanner.institution.register_entry import Answer, EntryKind, ExceptionType
from scanner.institution.register_writer import add_entries, document_of
from scanner.institution.registers import JudgedRegisters, Standing, sign_entry
from scanner.judging.configuration import configuration_digest
from scanner.model import RequirementState, Scene, iso, utc
from scanner.sealed.archive import inputs_from
from scanner.sealed.disk import write_whole

Command = Callable[..., Any]

_COMMON = (
    click.option("--requirement", required=True, help="Address: 1-1/covered-entrances, or II/protect-surface."),
    click.option("--system", required=True, help="System of the estate."),
    click.option("--scene", "scenes", multiple=True, type=click.Choice([s.value for s in Scene]), help="Repeat; all."),
    click.option("--owner", required=True, help="Who says so."),
    click.option("--approver", required=True, help="Approver of the estate who is to sign; not the owner."),
    click.option("--expires-at", required=True, metavar="TIME", help="Date, or RFC 3339 with its zone."),
    click.option("--made-at", metavar="TIME", help="Now if not given."),
    click.option("--effective-from", metavar="TIME", help="When it was made, if not given."),
    click.option("--document", type=click.Path(path_type=Path), help="File that it rests on; its SHA-256 is noted."),
)
_STATEMENT = click.option("--statement", required=True, help="What is said.")
_ANSWER = click.option("--answer", required=True, type=click.Choice([a.value for a in Answer]), help="yes or no.")
_OWN: dict[EntryKind, tuple[Any, ...]] = {
    EntryKind.ATTESTATION: (
        _STATEMENT,
        _ANSWER,
        click.option(
            "--binds",
            multiple=True,
            metavar="FACT",
            help="Let it lapse when what the newest collections say of this fact in the system changes; repeat.",
        ),
        store_option,
    ),
    EntryKind.DRILL: (
        _STATEMENT,
        click.option("--trigger", required=True, help="What set it off."),
        click.option("--decision", required=True, help="What was decided."),
        click.option("--action", required=True, help="What was done."),
        click.option("--occurred-at", required=True, metavar="TIME", help="When."),
    ),
    EntryKind.REVIEW: (
        _STATEMENT,
        _ANSWER,
        click.option("--period-from", required=True, metavar="TIME", help="First day looked at."),
        click.option("--period-to", required=True, metavar="TIME", help="Last day looked at."),
        click.option("--count", required=True, type=click.IntRange(min=0), help="How often it was reviewed."),
    ),
    EntryKind.EXCEPTION: (
        click.option("--type", required=True, type=click.Choice([t.value for t in ExceptionType]), help="Why."),
        click.option("--reason", required=True, help="In 30 characters at least."),
        click.option("--asset", "assets", required=True, multiple=True, help="Exact key; repeat."),
    ),
}
_TIMES = ("occurred_at", "period_from", "period_to")


def _group(kind: EntryKind, name: str, doc: str) -> click.Group:
    group = click.Group(name, help=doc)
    for build in (_add, _list, _show, _approve, _expiring):
        group.add_command(build(kind))
    return group


def _add(kind: EntryKind) -> click.Command:
    @click.command("add", help=f"Write a new {kind.value}; it counts once its approver has signed it.")
    @click.argument("entry_id", metavar="ID")
    @estate_option
    @baseline_option
    def add(entry_id: str, estate_path: Path, baseline_id: str, **given: Any) -> None:
        estate, baseline = open_estate(estate_path), open_baseline(baseline_id)
        document = given.pop("document")
        made_at = given.pop("made_at")
        fields = {
            "id": entry_id,
            "requirement": given.pop("requirement"),
            "system": given.pop("system"),
            "scenes": list(given.pop("scenes")) or None,
            "owner": given.pop("owner"),
            "approver": given.pop("approver"),
            "made_at": datetime.now(UTC).replace(microsecond=0) if made_at is None else _time("--made-at", made_at),
            "effective_from": _time("--effective-from", given.pop("effective_from")),
            "expires_at": _time("--expires-at", given.pop("expires_at")),
            "document": None if document is None else document_of(document),
        }
        store = given.pop("store_path", None)
        for name, value in given.items():
            fields[name] = _time(f"--{name.replace('_', '-')}", value) if name in _TIMES else value
        fields = {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
        if fields.pop("binds", None):
            fields |= _binding(given["binds"], fields["system"], fields["scenes"], estate, baseline, store)
        known, systems = _known(estate, baseline)
        (path,) = add_entries([(kind, fields)], estate.registers, known, systems)
        click.echo(f"wrote {entry_id} to {path}; its approver signs it with: ztgrade {_word(kind)} approve", err=True)

    for option in (*_COMMON, *_OWN[kind]):
        add = option(add)
    return add


def _list(kind: EntryKind) -> click.Command:
    @click.command("list", help=f"Every {kind.value}, and whether it counts now.")
    @estate_option
    @baseline_option
    @as_of_option
    @json_option
    def list_(estate_path: Path, baseline_id: str, as_of: str | None, as_json: bool) -> None:
        _emit(_standings(kind, estate_path, baseline_id, moment(as_of)), as_json)

    return list_


def _expiring(kind: EntryKind) -> click.Command:
    @click.command("expiring", help=f"Every {kind.value} that counts now and soon will not.")
    @click.option("--days", default=30, show_default=True, type=click.IntRange(1, 3650), help="How soon.")
    @estate_option
    @baseline_option
    @as_of_option
    @json_option
    def expiring(days: int, estate_path: Path, baseline_id: str, as_of: str | None, as_json: bool) -> None:
        now = moment(as_of)
        standings = _standings(kind, estate_path, baseline_id, now)
        until = now + timedelta(days=days)
        soon = [each for each in standings if each.counts and each.entry.expires_at <= until]
        _emit(sorted(soon, key=lambda each: each.entry.expires_at), as_json)

    return expiring


def _show(kind: EntryKind) -> click.Command:
    @click.command("show", help=f"One {kind.value} as it was written, and how it counts.")
    @click.argument("entry_id", metavar="ID")
    @estate_option
    @baseline_option
    @as_of_option
    @json_option
    def show(entry_id: str, estate_path: Path, baseline_id: str, as_of: str | None, as_json: bool) -> None:
        held = {each.entry.id: each for each in _standings(kind, estate_path, baseline_id, moment(as_of))}
        if entry_id not in held:
            raise UnknownName(kind.value, entry_id, held)
        standing = held[entry_id]
        if as_json:
            say_json({"schema_version": 1, **_row(standing), "fields": _plain(standing.entry.fields)})
            return
        say(_line(standing))
        for name, value in standing.entry.fields.items():
            say(f"  {name}: {_plain(value)}")

    return show


def _approve(kind: EntryKind) -> click.Command:
    @click.command("approve", help=f"Sign a {kind.value} as its approver.")
    @click.argument("entry_id", metavar="ID")
    @click.option("--key", "key_path", required=True, type=click.Path(path_type=Path), help="Private key (PEM, 0600).")
    @estate_option
    @baseline_option
    def approve(entry_id: str, key_path: Path, estate_path: Path, baseline_id: str) -> None:
        estate, baseline = open_estate(estate_path), open_baseline(baseline_id)
        held = {each.id for each in open_registers(estate, baseline).entries if each.kind is kind}
        if entry_id not in held:
            raise UnknownName(kind.value, entry_id, held)
        place = sign_entry(
            entry_id,
            key_path,
            directory=estate.registers,
            approvers=estate.approvers,
            institution_id=estate.institution_id,
            baseline_id=baseline.guideline,
        )
        click.echo(f"wrote {place}", err=True)

    return approve


def _known(estate: Estate, baseline: Baseline) -> tuple[frozenset[str], dict[str, tuple[Scene, ...]]]:
    addresses = frozenset(requirement.address for requirement in baseline.requirements())
    return addresses, {name: system.scenes for name, system in estate.systems.items()}


def _binding(
    facts: Sequence[str], system: str, scenes: Sequence[str] | None, estate: Estate, baseline: Baseline, path: Path
) -> dict[str, Any]:
    """What the facts say now of the system, to be signed with the statement."""
    known = frozenset(registry.facts())
    for fact in facts:
        if fact not in known:
            raise UnknownName("fact", fact, known)
    with open_store(path) as store:
        inputs, _ = inputs_from(store, estate, baseline, open_registers(estate, baseline), moment(None), installed())
        graded = grade(inputs, installed().checks, installed().facts)
    scopes = [
        scope for scope in graded.membership.scopes if scope.system == system and (not scenes or scope.scene in scenes)
    ]
    populations = {name: judged.population for name, judged in graded.judged.items()}
    digest = configuration_digest(facts, scopes, populations, graded.membership)
    if digest is None:
        raise UsageError(f"--binds: nothing is known of {', '.join(facts)} in {system}; leave it out")
    return {"binds": sorted(facts), "binds_sha256": digest}


def _standings(kind: EntryKind, estate_path: Path, baseline_id: str, as_of: datetime) -> list[Standing]:
    estate, baseline = open_estate(estate_path), open_baseline(baseline_id)
    judged = open_registers(estate, baseline).check(
        estate.approvers, estate.institution_id, {baseline.guideline}, as_of
    )
    return [each for each in judged.standings if each.entry.kind is kind]


def _emit(standings: list[Standing], as_json: bool) -> None:
    if as_json:
        say_json({"schema_version": 1, "entries": [_row(each) for each in standings]})
        return
    for each in standings:
        say(_line(each))


def _row(standing: Standing) -> dict[str, Any]:
    entry = standing.entry
    return {
        "id": entry.id,
        "kind": entry.kind,
        "requirement": entry.requirement,
        "system": entry.system,
        "scenes": list(entry.scenes),
        "owner": entry.owner,
        "approver": entry.approver,
        "made_at": iso(entry.made_at),
        "expires_at": iso(entry.expires_at),
        "counts": standing.counts,
        "why": standing.why,
        "detail": standing.detail,
    }


def _line(standing: Standing) -> str:
    entry = standing.entry
    scenes = ", ".join(scene.value for scene in entry.scenes) or "every scene"
    state = "counts" if standing.why is None else f"{standing.why.value}: {standing.detail}"
    return f"{entry.id}  {entry.requirement}  {entry.system} ({scenes})  until {iso(entry.expires_at)}  {state}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, (bool, int, str)) else iso(value) if isinstance(value, datetime) else str(value)


def _time(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if len(text) == len("2026-11-20") else utc(found)
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: {error}; write a date, or 2026-11-20T01:00:00Z") from error


def _word(kind: EntryKind) -> str:
    return {EntryKind.ATTESTATION: "attest"}.get(kind, kind.value)


def _asked(estate: Estate, baseline: Baseline, judged: JudgedRegisters) -> Iterator[Asked]:
    """Documents that are open in a scene of a system to which their item applies."""
    owners = {part.address: item for item in baseline.items.values() for each in item.requires for part in each.walk()}
    for part in baseline.requirements():
        if part.kind.value not in ASKED_KINDS:
            continue
        kind, item = EntryKind(part.kind.value), owners.get(part.address)
        for system in estate.systems.values():
            scenes = [scene for scene in system.scenes if item is None or item.applicable(scene, system.service_model)]
            states = {judged.document(kind, part.address, system.name, scene).state for scene in scenes}
            if RequirementState.UNDETERMINED in states:
                yield Asked(kind, part.address, system.name, part.says, part.asks)


@click.group()
def registers() -> None:
    """The registers by workbook: what is still to be answered, out and in."""


@registers.command("blanks")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Workbook (XLSX) to write.")
@estate_option
@baseline_option
@as_of_option
def blanks_(output: Path, estate_path: Path, baseline_id: str, as_of: str | None) -> None:
    """Write a workbook with a row for each document that a system lacks, to be filled in and imported."""
    estate, baseline = open_estate(estate_path), open_baseline(baseline_id)
    judged = open_registers(estate, baseline).check(
        estate.approvers, estate.institution_id, {baseline.guideline}, moment(as_of)
    )
    asked = list(_asked(estate, baseline, judged))
    write_whole(output, blank_workbook(asked))
    click.echo(f"wrote {len(asked)} rows to {output}; take them in with: ztgrade registers import {output}", err=True)


@registers.command("import")
@click.argument("workbook", type=click.Path(path_type=Path))
@estate_option
@baseline_option
def import_(workbook: Path, estate_path: Path, baseline_id: str) -> None:
    """Take in the rows of a workbook that were filled in: all of them, or none where a cell is wrong."""
    estate, baseline = open_estate(estate_path), open_baseline(baseline_id)
    try:
        content = workbook.read_bytes()
    except OSError as error:
        raise UsageError(f"{workbook}: {error.strerror or error}") from error
    known, systems = _known(estate, baseline)
    entries = filled_entries(workbook, content, known, systems)
    for path in add_entries(entries, estate.registers, known, systems):
        click.echo(f"wrote {path}", err=True)
    click.echo(f"{len(entries)} entries taken in; each counts once its approver has signed it", err=True)


attest = _group(EntryKind.ATTESTATION, "attest", "Attestations: what people answer for.")
drill = _group(EntryKind.DRILL, "drill", "Drills: events that really happened, with trigger, decision and action.")
review = _group(EntryKind.REVIEW, "review", "Reviews over a period, with how often.")
exception = _group(EntryKind.EXCEPTION, "exception", "Exceptions: failures accepted for exact assets.")
