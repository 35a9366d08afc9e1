"""``ztgrade sample``: how many to draw, the work paper, and what it proves once it is filled in."""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from scanner.commands.printing import json_option, say, say_json
from scanner.commands.register_entering import enter
from scanner.commands.register_signing import signing
from scanner.commands.session import (
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
from scanner.grading.assess import MEMBERSHIP_MAX_AGE, grade
from scanner.guideline.nouns import Baseline, Requirement
from scanner.institution.estate import Estate
from scanner.institution.register_documents import keeping
from scanner.institution.register_entry import Answer, EntryKind
from scanner.model import RequirementKind, Scene, iso, utc
from scanner.sampling.bound import percent, smallest_size
from scanner.sampling.claim import bound_of_sample, disproved, shown, statement_of
from scanner.sampling.draw import draw, frame_digest, seed_fault
from scanner.sampling.frame import Listing, listed_in, members_of
from scanner.sampling.sample import ALGORITHM, MOST, UNBOUNDED, Frame, confidence_of, need_of
from scanner.sampling.work_paper import Record, paper_of, read_paper, read_record, record_bytes, sample_of
from scanner.sealed.archive import inputs_from
from scanner.sealed.canonical import sha256_hex
from scanner.sealed.disk import write_whole

SAMPLED = {RequirementKind.ATTESTATION: EntryKind.ATTESTATION, RequirementKind.REVIEW: EntryKind.REVIEW}
"""Kinds of requirement that may rest on a sample."""
LARGEST_PAPER = 20_000
RECORD_SUFFIX = ".draw.json"

_need = click.option("--need", metavar="SHARE", help="Share that must pass, such as 0.95.")
_tolerable = click.option(
    "--tolerable-failures", default=0, show_default=True, type=click.IntRange(min=0), help="Failures still allowed for."
)


@click.group()
def sample() -> None:
    """Samples of what people examine: seeded, drawn so that anybody can draw them again, never claiming more."""


@sample.command("size")
@click.option("--population", type=click.IntRange(1, MOST), help="How many there are.")
@click.option("--unbounded", is_flag=True, help="There is no end of them.")
@_need
@click.option("--confidence", default="0.95", show_default=True, metavar="SHARE", help="0.9 to 0.9999.")
@_tolerable
@json_option
def size_(
    population: int | None, unbounded: bool, need: str | None, confidence: str, tolerable_failures: int, as_json: bool
) -> None:
    """Fewest to draw so that the share needed is proved, with so many failures found."""
    if (population is None) != unbounded:
        raise UsageError("say either --population or --unbounded")
    if need is None:
        raise UsageError("--need is missing; say which share must pass, such as 0.95")
    found = smallest_size(population, need_of(need), confidence_of(confidence), tolerable_failures)
    if as_json:
        body = {"population": population, "need": need, "confidence": confidence, "failures": tolerable_failures}
        say_json({"schema_version": 1, **body, "size": found})
        return
    whole = "an unbounded population" if population is None else str(population)
    say(
        f"{found} of {whole}: with {tolerable_failures} failures at least {percent(need_of(need), 4)} pass"
        f" with {percent(confidence_of(confidence), 4)} confidence"
    )


@sample.command("draw")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Work paper (XLSX) to write.")
@click.option("--requirement", "address", required=True, help="Address of an attestation or a review.")
@click.option("--system", required=True, help="System of the estate.")
@click.option("--scene", "scenes", multiple=True, type=click.Choice([s.value for s in Scene]), help="Repeat; all.")
@click.option("--population", help="Draw from this population as last collected, such as User.")
@click.option("--frame", "frame_path", type=click.Path(path_type=Path), help="Or from the keys in this CSV or XLSX.")
@click.option("--unbounded", is_flag=True, help="The list stands for something that goes on without end.")
@click.option("--open-frame", is_flag=True, help="Draw although the listing may lack some; nothing can be proved then.")
@click.option("--seed", required=True, help="8 to 200 characters, best fixed by somebody else.")
@click.option("--by", "drawn_by", required=True, help="Who draws.")
@click.option("--size", "size", type=click.IntRange(1, LARGEST_PAPER), help="How many; the fewest that can prove it.")
@_need
@click.option("--confidence", metavar="SHARE", help="0.9 to 0.9999; the baseline's, or 0.95.")
@_tolerable
@estate_option
@store_option
@baseline_option
@click.option("--drawn-at", metavar="TIME", help="RFC 3339 with its zone; now if not given.")
def draw_(estate_path: Path, store_path: Path, baseline_id: str, **given: Any) -> None:
    """Draw a sample and write its work paper, and beside it the record that the paper will be held to."""
    output: Path = given["output"]
    kept = _record_path(output)
    for path in (output, kept):
        if path.exists():
            raise UsageError(f"{path} exists already; a paper is not drawn twice: name another")
    if fault := seed_fault(given["seed"]):
        raise UsageError(f"--seed: {fault}")
    drawn_by = " ".join(given["drawn_by"].split())
    if not drawn_by or not drawn_by.isprintable():
        raise UsageError("--by: expected a name")
    estate, baseline = open_estate(estate_path), open_baseline(baseline_id)
    wanted = _requirement(baseline, given["address"])
    if given["system"] not in estate.systems:
        raise UnknownName("system", given["system"], estate.systems)
    scenes = [Scene(scene) for scene in given["scenes"]] or list(estate.systems[given["system"]].scenes)
    for scene in scenes:
        if scene not in estate.systems[given["system"]].scenes:
            raise UnknownName(f"scene of {given['system']}", scene.value, estate.systems[given["system"]].scenes)
    need, confidence = _asked(wanted, given["need"], given["confidence"])
    at = moment(given["drawn_at"])
    listing = _listing(estate, baseline, store_path, given, scenes, at)
    if not listing.keys:
        raise UsageError(f"{listing.origin} lists nothing of {given['system']}")
    population = None if given["unbounded"] else len(listing.keys)
    enough = smallest_size(population, Fraction(need), Fraction(confidence), given["tolerable_failures"])
    size = given["size"] or enough
    if size > LARGEST_PAPER:
        raise UsageError(f"{size} would have to be drawn, a paper holds {LARGEST_PAPER}; lower --need or --confidence")
    cover = {
        "institution": estate.institution_id,
        "baseline": baseline.guideline,
        "requirement": wanted.address,
        "system": given["system"],
        "scenes": ", ".join(scene.value for scene in scenes) if given["scenes"] else "",
        "origin": listing.origin,
        "frame": listing.frame.value,
        "doubts": "; ".join(listing.doubts),
        "frame_sha256": frame_digest(listing.keys),
        "listed": str(len(listing.keys)),
        "population": UNBOUNDED if population is None else str(population),
        "drawn": str(len(draw(listing.keys, given["seed"], size))),
        "seed": given["seed"],
        "algorithm": ALGORITHM,
        "confidence": confidence,
        "need": need,
        "drawn_at": iso(at.replace(microsecond=0)),
        "drawn_by": drawn_by,
    }
    record = Record(cover, listing.keys)
    paper, held = paper_of(record), record_bytes(record)
    write_whole(kept, held)
    write_whole(output, paper)
    if listing.doubts:
        click.echo("the frame is open: whatever is found proves nothing of the rest", err=True)
    elif size < enough:
        click.echo(f"{size} are fewer than the {enough} that can prove {percent(Fraction(need), 4)}", err=True)
    click.echo(f"wrote {size} of {len(listing.keys)} to {output}", err=True)
    click.echo(f"wrote the record of the draw to {kept}; keep it: sha256 {sha256_hex(held)}", err=True)


@sample.command("read")
@click.argument("paper", type=click.Path(path_type=Path))
@click.option("--id", "entry_id", required=True, help="Id of the entry to write.")
@click.option("--owner", required=True, help="Who says so.")
@click.option("--approver", required=True, help="Approver of the estate who is to sign; not the owner.")
@click.option("--expires-at", required=True, metavar="TIME", help="Date, or RFC 3339 with its zone.")
@click.option("--made-at", metavar="TIME", help="RFC 3339 with its zone; now if not given.")
@click.option("--record", "record_path", type=click.Path(path_type=Path), help="Record of the draw; beside the paper.")
@click.option("--period-from", metavar="DATE", help="Of a review; the first day of the answers if not given.")
@click.option("--period-to", metavar="DATE", help="Of a review; the last day of the answers if not given.")
@click.option("--count", type=click.IntRange(min=0), help="Of a review: how often it was reviewed.")
@estate_option
@baseline_option
def read_(paper: Path, record_path: Path | None, estate_path: Path, baseline_id: str, **given: Any) -> None:
    """Take in a paper that was filled in: say what it proves, and write that as a draft into the registers."""
    estate, baseline = open_estate(estate_path), open_baseline(baseline_id)
    kept = record_path or _record_path(paper)
    record = read_record(str(kept), _content(kept))
    cover = record.cover
    if (cover["institution"], cover["baseline"]) != (estate.institution_id, baseline.guideline):
        raise UsageError(f"{kept}: was drawn for {cover['institution']} under {cover['baseline']}")
    kind = SAMPLED[_requirement(baseline, cover["requirement"]).kind]
    made_at = moment(given["made_at"]).replace(microsecond=0)
    examined = read_paper(str(paper), _content(paper), record, made_at.date())
    held = sample_of(record, examined)
    bound = bound_of_sample(held)
    statement = statement_of(held, bound)
    fields: dict[str, Any] = {
        "id": given["entry_id"],
        "requirement": cover["requirement"],
        "system": cover["system"],
        "scenes": [scene for scene in cover["scenes"].split(", ") if scene] or None,
        "owner": given["owner"],
        "approver": given["approver"],
        "made_at": made_at if given["made_at"] else None,
        "expires_at": _day("--expires-at", given["expires_at"]),
        "document": None,
        "statement": statement,
        "answer": (Answer.NO if disproved(held, bound) else Answer.YES).value,
    }
    if kind is EntryKind.REVIEW:
        today = made_at.date()
        fields |= _period(given, *(min(day, today) if day else None for day in (examined.first, examined.last)))
    elif any(given[name] is not None for name in ("period_from", "period_to", "count")):
        raise UsageError("--period-from, --period-to and --count are for reviews; leave them out")
    fields["sample"] = held.fields()
    with keeping([paper], estate.registers) as noted:
        (fields["document"],) = noted
        (path, *_) = enter([(kind, fields)], estate, baseline)
    say(statement)
    click.echo(f"wrote {given['entry_id']} to {path}; {signing(kind, given['entry_id'], estate, baseline)}", err=True)
    if not shown(held, bound):
        click.echo("the sample does not prove what was needed: signed as it is, the requirement stays unmet", err=True)


def _record_path(paper: Path) -> Path:
    return paper.with_name(paper.name + RECORD_SUFFIX)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error


def _requirement(baseline: Baseline, address: str) -> Requirement:
    wanted = baseline.requirement(address)
    if wanted.kind not in SAMPLED:
        raise UsageError(f"{address} is a {wanted.kind.value}; only an attestation or a review can rest on a sample")
    return wanted


def _asked(wanted: Requirement, need: str | None, confidence: str | None) -> tuple[str, str]:
    """Need and confidence as they are to stand on the cover: the baseline's where none is given."""
    need = need or (f"{wanted.sample_need:g}" if wanted.sample_need else None)
    confidence = confidence or (f"{wanted.sample_confidence:g}" if wanted.sample_confidence else "0.95")
    if need is None:
        raise UsageError(f"--need is missing; say which share must pass for {wanted.address}, such as 0.95")
    for option, given, asked in (
        ("--need", need_of(need), wanted.sample_need),
        ("--confidence", confidence_of(confidence), wanted.sample_confidence),
    ):
        if given < Fraction(str(asked)):
            raise UsageError(f"{option} lies below what the baseline asks of {wanted.address}: {asked:g}")
    return need, confidence


def _listing(
    estate: Estate, baseline: Baseline, store_path: Path, given: dict[str, Any], scenes: list[Scene], at: datetime
) -> Listing:
    population, path = given["population"], given["frame_path"]
    if (population is None) == (path is None):
        raise UsageError("say either --population or --frame: what to draw from")
    if path is not None:
        listing = listed_in(path, _content(path))
        if not given["open_frame"]:
            return listing
        return Listing(listing.keys, listing.origin, Frame.OPEN, ("--open-frame was given",))
    with open_store(store_path) as store:
        inputs, _ = inputs_from(store, estate, baseline, open_registers(estate, baseline), at, installed())
        graded = grade(inputs, installed().checks, installed().facts)
    if population not in graded.judged:
        raise UnknownName("population", population, graded.judged)
    judged = graded.judged[population]
    found = members_of(judged.population, graded.membership, given["system"], scenes, MEMBERSHIP_MAX_AGE)
    if found.doubts and not given["open_frame"]:
        doubts = "; ".join(found.doubts)
        raise UsageError(f"{population} of {given['system']} is no closed list: {doubts}. Collect it, or --open-frame")
    return found


def _period(given: dict[str, Any], first: date | None, last: date | None) -> dict[str, Any]:
    if given["count"] is None:
        raise UsageError("--count is missing: a review says how often it was done")
    days = {"period_from": given["period_from"] or first, "period_to": given["period_to"] or last}
    for name, day in days.items():
        if day is None:
            raise UsageError(f"--{name.replace('_', '-')} is missing, and no answer has a date")
    return {name: _day(f"--{name.replace('_', '-')}", str(day)) for name, day in days.items()} | {
        "count": given["count"]
    }


def _day(option: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if len(text) == len("2026-11-20") else utc(found)
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: {error}; write a date, or 2026-11-20T01:00:00Z") from error
