"""``ztgrade attest``, ``drill``, ``review`` and their like: new entries, by command line and by workbook."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from scanner import registry
from scanner.commands.exception_watch import noted
from scanner.commands.printing import say
from scanner.commands.register_entering import enter, known_names
from scanner.commands.register_keeping import keeping
from scanner.commands.register_kinds import title_of, word_of
from scanner.commands.register_signing import signing
from scanner.commands.session import (
    as_of_option,
    baseline_option,
    estate_option,
    installed,
    moment,
    open_baseline,
    open_estate,
    open_registers,
    open_store,
    store_option,
)
from scanner.errors import UnknownName, UsageError
from scanner.grading.assess import grade
from scanner.grading.occurrence import document_verdict
from scanner.guideline.nouns import Baseline
from scanner.institution.estate import Estate
from scanner.institution.register_blanks import OWN as ASKED_KINDS
from scanner.institution.register_blanks import Asked, Unplanned, blank_workbook, filled_entries
from scanner.institution.register_chain import CHAIN, Event, made_before
from scanner.institution.register_documents import keeping as keeping_documents
from scanner.institution.register_nouns import LASTING, UNADDRESSED, Answer, EntryKind, ExceptionType, PlanStatus
from scanner.institution.register_record import one_act, record
from scanner.institution.registers import JudgedRegisters
from scanner.judging.configuration import configuration_digest
from scanner.model import Level, Pillar, RequirementState, Scene, iso, utc
from scanner.sampling.claim import needs_of
from scanner.sealed.archive import inputs_from
from scanner.sealed.disk import write_whole

Command = Callable[..., Any]

_COMMON = (
    click.option("--system", required=True, help="System of the estate."),
    click.option("--scene", "scenes", multiple=True, type=click.Choice([s.value for s in Scene]), help="Repeat; all."),
    click.option("--owner", required=True, help="Who says so."),
    click.option("--approver", required=True, help="Approver of the estate who is to sign; not the owner."),
    click.option("--made-at", metavar="TIME", help="Now if not given; never an earlier day."),
    click.option("--effective-from", metavar="TIME", help="When it was made, if not given."),
    click.option("--document", type=click.Path(path_type=Path), help="File that it rests on; kept by its SHA-256."),
)
_STATEMENT = click.option("--statement", required=True, help="What is said.")
_ANSWER = click.option(
    "--answer", required=True, type=click.Choice([a.value for a in Answer]), help="Partly is no yes."
)
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
        click.option("--reviewer", metavar="NAME", help="Who read it before its approver; not the owner."),
        click.option("--period-from", metavar="TIME", help="First day that it speaks of."),
        click.option("--period-to", metavar="TIME", help="Last day that it speaks of."),
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
        click.option("--compensated-by", metavar="REQUIREMENT", help="The check that is to hold instead."),
        store_option,
    ),
    EntryKind.SCOPE_STATEMENT: (
        _STATEMENT,
        click.option("--item", required=True, help="Item that does not apply: 1-4."),
        click.option("--population", required=True, help="Population of which the scope has nothing."),
    ),
    EntryKind.ADOPTION: (
        _STATEMENT,
        click.option("--pillar", type=click.Choice([p.value for p in Pillar]), help="All pillars if not given."),
        click.option("--current", required=True, type=click.Choice([each.value for each in Level]), help="From."),
        click.option("--target", required=True, type=click.Choice([each.value for each in Level]), help="To."),
        click.option("--due", required=True, metavar="DATE", help="Last day on which it is in time."),
        click.option("--status", required=True, type=click.Choice([s.value for s in PlanStatus]), help="How far."),
    ),
}
_TIMES = ("occurred_at", "period_from", "period_to", "due")


def _group(kind: EntryKind, doc: str) -> click.Group:
    group = click.Group(word_of(kind), help=doc)
    for command in (_add(kind), *keeping(kind)):
        group.add_command(command)
    return group


def _add(kind: EntryKind) -> click.Command:
    @click.command("add", help=f"Write a new {title_of(kind)}; it counts once its approver has signed it.")
    @click.argument("entry_id", metavar="ID")
    @estate_option
    @baseline_option
    def add(entry_id: str, estate_path: Path, baseline_id: str, **given: Any) -> None:
        estate, baseline = open_estate(estate_path), open_baseline(baseline_id)
        document, store = given.pop("document"), given.pop("store_path", None)
        fields = {
            "id": entry_id,
            "requirement": given.pop("requirement", None),
            "system": given.pop("system"),
            "scenes": list(given.pop("scenes")) or None,
            "owner": given.pop("owner"),
            "approver": given.pop("approver"),
            "made_at": _time("made_at", given.pop("made_at")),
            "effective_from": _time("effective_from", given.pop("effective_from")),
            "expires_at": _time("expires_at", given.pop("expires_at")),
            "document": None,
        }
        for name, value in given.items():
            fields[name] = _time(name, value) if name in _TIMES else list(value) if isinstance(value, tuple) else value
        if fields.pop("binds", None):
            fields |= _binding(given["binds"], fields["system"], fields["scenes"], estate, baseline, store)
        if kind is EntryKind.EXCEPTION:
            named = (fields["requirement"], fields["system"], fields["scenes"] or (), fields["assets"])
            fields |= noted(*named, estate, baseline, store)
        with keeping_documents([] if document is None else [document], estate.registers) as kept:
            fields["document"] = kept[0] if kept else None
            (path,) = enter([(kind, fields)], estate, baseline)
        click.echo(f"wrote {entry_id} to {path}; {signing(kind, entry_id, estate, baseline)}", err=True)

    for option in (*_COMMON, *_address(kind), *_end(kind), *_OWN[kind]):
        add = option(add)
    return add


def _address(kind: EntryKind) -> tuple[Any, ...]:
    told = "Address: 1-1/covered-entrances, or II/protect-surface."
    return () if kind in UNADDRESSED else (click.option("--requirement", required=True, help=told),)


def _end(kind: EntryKind) -> tuple[Any, ...]:
    needed = kind not in LASTING
    told = "Date, or RFC 3339 with its zone" + ("." if needed else "; no end if not given.")
    return (click.option("--expires-at", required=needed, metavar="TIME", help=told),)


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


def _time(name: str, text: str | None) -> date | datetime | None:
    """A day as a day, anything else as a moment."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text) if len(text) == len("2026-11-20") else utc(datetime.fromisoformat(text))
    except ValueError as error:
        option = name.replace("_", "-")
        raise UsageError(f"--{option} {text!r}: {error}; write a date, or 2026-11-20T01:00:00Z") from error


def _asked(estate: Estate, baseline: Baseline, judged: JudgedRegisters, as_of: datetime) -> Iterator[Asked]:
    """Documents that are open in a scene of a system to which their item applies."""
    owners = {part.address: item for item in baseline.items.values() for each in item.requires for part in each.walk()}
    for part in baseline.requirements():
        if part.kind.value not in ASKED_KINDS:
            continue
        kind, item = EntryKind(part.kind.value), owners.get(part.address)
        for system in estate.systems.values():
            scenes = [scene for scene in system.scenes if item is None or item.applicable(scene, system.service_model)]
            states = {document_verdict(judged, part, system.name, scene, as_of)[0].state for scene in scenes}
            if RequirementState.UNDETERMINED in states:
                yield Asked(kind, part.address, system.name, part.says, part.asks)


def _unplanned(estate: Estate, judged: JudgedRegisters) -> Iterator[Unplanned]:
    """Scenes of systems for which no plan is in force."""
    plans = [each.entry for each in judged.standings if each.counts and each.entry.plan is not None]
    for system in estate.systems.values():
        for scene in system.scenes:
            if not any(plan.covers(system.name, scene) for plan in plans):
                yield Unplanned(system.name, scene, system.target)


@click.group()
def registers() -> None:
    """The registers by workbook: what is still to be answered, out and in."""


@registers.command("blanks")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Workbook (XLSX) to write.")
@estate_option
@baseline_option
@as_of_option
def blanks_(output: Path, estate_path: Path, baseline_id: str, as_of: str | None) -> None:
    """Write a workbook with a row for each document that a system lacks and each scene without a plan, to fill in."""
    estate, baseline = open_estate(estate_path), open_baseline(baseline_id)
    now = moment(as_of)
    judged = open_registers(estate, baseline).check(
        estate.approvers, estate.institution_id, {baseline.guideline}, now, samples=needs_of(baseline)
    )
    asked, unplanned = list(_asked(estate, baseline, judged, now)), list(_unplanned(estate, judged))
    write_whole(output, blank_workbook(asked, unplanned))
    click.echo(
        f"wrote {len(asked) + len(unplanned)} rows to {output}; take them in with: ztgrade registers import {output}",
        err=True,
    )


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
    entries, documents = filled_entries(workbook, content, *known_names(estate, baseline))
    with keeping_documents(documents, estate.registers):
        for path in enter(list(entries), estate, baseline) if entries else ():
            click.echo(f"wrote {path}", err=True)
    click.echo(f"{len(entries)} entries taken in; each counts once its approver has signed it", err=True)


@registers.command("record")
@estate_option
@baseline_option
def record_(estate_path: Path, baseline_id: str) -> None:
    """Take into the chain what was written or signed by hand, and list it; nothing where nothing happened."""
    estate, baseline = open_estate(estate_path), open_baseline(baseline_id)
    before = open_registers(estate, baseline).chain
    with one_act(estate.registers):
        links = record(estate.registers, moment(None))
    held = {each.id: each for each in open_registers(estate, baseline).entries}
    for link in links:
        say(f"{link.seq}  {link.event.value}  {title_of(link.kind)} {link.id}")
        if link.event is Event.ADDED and before.links and made_before(held[link.id], before.links[-1].at):
            told = f"made_at lies before {iso(before.links[-1].at)}, the end of the chain: it will not count"
            click.echo(f"{link.id}: {told}; write it anew under another id, with made_at of now", err=True)
    click.echo(f"{len(links)} lines written to {estate.registers / CHAIN}", err=True)


attest = _group(EntryKind.ATTESTATION, "Attestations: what people answer for.")
drill = _group(EntryKind.DRILL, "Drills: events that really happened, with trigger, decision and action.")
review = _group(EntryKind.REVIEW, "Reviews over a period, with how often.")
exception = _group(EntryKind.EXCEPTION, "Exceptions: failures accepted for exact assets.")
scope_statement = _group(EntryKind.SCOPE_STATEMENT, "Scope statements: populations of which a scope has nothing.")
plan_register = _group(EntryKind.ADOPTION, "The adoption plan: from which level to which, by when.")
