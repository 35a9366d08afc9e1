"""``ztgrade report``, ``why``, ``findings`` and ``sql``: everything read from a sealed assessment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from scanner.archive import find_assessment, read_result, reopen
from scanner.assess import Graded, assessment_digest, grade
from scanner.commands.session import installed, json_option, open_store, say, store_option
from scanner.disk import write_whole
from scanner.dossier import dossier, evidence_of, seen, sentence
from scanner.errors import UnknownName, UsageError
from scanner.guideline import Requirement
from scanner.judge import Use, use_sql
from scanner.model import Outcome, iso
from scanner.result import Assessment, FindingRow, FindingScope
from scanner.seal import verify


def locate(reference: str, store_path: Path) -> Path:
    """The folder of an assessment, by path, digest or ``latest``."""
    if (Path(reference) / "assessment.json").is_file() or not (store_path / "store.json").is_file():
        return find_assessment(reference, None)
    with open_store(store_path) as store:
        return find_assessment(reference, store)


def graded_again(path: Path) -> Graded:
    """A sealed assessment with its evidence laid out again; raises UsageError if it does not come out the same."""
    inputs, sealed = reopen(path, installed())
    found = grade(inputs, installed().checks, installed().facts)
    if assessment_digest(inputs, sealed.code, found.assessment.grades, found.findings) != sealed.assessment:
        click.echo(
            "ztgrade: note: this version grades the same evidence differently; the sealed result is shown, "
            "explanations are this version's (see ztgrade regrade)",
            err=True,
        )
    found.assessment = msgspec.structs.replace(sealed, path=str(path))
    return found


def strict_beside(path: Path, assessment: Assessment) -> Assessment | None:
    """The assessment of the same evidence under the strict baseline, where it lies in the same store."""
    collections = sorted(collection.digest for collection in assessment.collections)
    for sibling in sorted(path.parent.iterdir()):
        if sibling == path or not (sibling / "assessment.json").is_file():
            continue
        found = read_result(sibling)
        same = found.as_of == assessment.as_of and sorted(c.digest for c in found.collections) == collections
        if same and found.baseline.id == f"{assessment.baseline.id}-strict":
            return found
    return None


def write_report(graded: Graded, output: Path, form: str, languages: tuple[str, ...]) -> list[Path]:
    """Render a sealed assessment; ``output`` names the file, or for several languages the stem."""
    from reports import as_html, as_json

    path = Path(graded.assessment.path)
    verification = verify(path)
    told = dossier(
        graded,
        root=verification.root or "",
        key=verification.key_id or "",
        strict=strict_beside(path, graded.assessment),
    )
    written = []
    for language in languages:
        place = output if len(languages) == 1 else output.with_name(f"{output.name}.{language}.{form}")
        content = as_html.render(told, language) if form == "html" else as_json.render(told, language)
        write_whole(place, content)
        written.append(place)
    return written


@click.command()
@click.argument("assessment")
@store_option
@click.option("--format", "form", type=click.Choice(["html", "json"]), default="html", show_default=True)
@click.option("--lang", "language", type=click.Choice(["zh-TW", "en"]), default="zh-TW", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="File to write.")
def report(assessment: str, store_path: Path, form: str, language: str, output: Path) -> None:
    """Write the report of a sealed assessment: one self-contained file."""
    graded = graded_again(locate(assessment, store_path))
    for place in write_report(graded, output, form, (language,)):
        click.echo(f"wrote {place}", err=True)


def _use_of(graded: Graded, address: str) -> tuple[Requirement, Use]:
    requirement = graded.inputs.baseline.requirement(address)
    if address not in graded.uses:
        raise UsageError(f"{address} is no check but a {requirement.kind.value}; its entries stand in the registers")
    return requirement, graded.uses[address]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat() + ("Z" if value.tzinfo is None else "")
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return value


def finding_rows(graded: Graded, check: str | None, outcome: Outcome | None) -> Iterator[FindingRow]:
    """Every finding asked for: use by use, asset by asset."""
    for judged in graded.judged.values():
        for use in judged.uses:
            if check is not None and check not in {use.check.id, use.id}:
                continue
            files = _files_of(graded, use)
            placed = graded.membership.of(judged.population)
            for row in seen(graded, use, outcome=outcome):
                yield FindingRow(
                    id=hashlib.sha256(f"{use.id}|{row.asset}".encode("utf-8", "replace")).hexdigest()[:16],
                    check=use.check.id,
                    use=use.id,
                    asset=row.asset,
                    outcome=row.outcome,
                    why=list(row.why),
                    evidence={"fields": _plain(dict(row.fields)), "files": files},
                    observed_at=_plain(row.observed_at),
                    scopes=[
                        FindingScope(
                            system=scope.system,
                            scene=scope.scene,
                            member=member,
                            outcome=row.outcome if member or row.outcome is Outcome.NA else Outcome.UNKNOWN,
                        )
                        for scope, member in placed.get(row.asset, ())
                        if member is not False
                    ],
                )


def _files_of(graded: Graded, use: Use) -> list[str]:
    built = use.check.build(graded.inputs.as_of, use.parameters)
    names = sorted({fact.__name__ for fact, _ in built.touched.fields} | {use.over})
    return [
        f"{target.root}/facts/{name}.parquet"
        for name in names
        for source in graded.evidence.promising(name)
        for target, _ in graded.evidence.files(source, name)
    ]


@click.command()
@click.argument("assessment")
@store_option
@click.option("--check", help="Only this check, or use.")
@click.option("--outcome", type=click.Choice([outcome.value for outcome in Outcome]))
@json_option
def findings(assessment: str, store_path: Path, check: str | None, outcome: str | None, as_json: bool) -> None:
    """Print every finding: one use of a check on one asset, a line each."""
    graded = graded_again(locate(assessment, store_path))
    known = {use.check.id for use in graded.uses.values()} | {use.id for use in graded.uses.values()}
    if check is not None and check not in known:
        raise UnknownName("check in this assessment", check, known)
    for row in finding_rows(graded, check, Outcome(outcome) if outcome else None):
        if as_json:
            click.echo(msgspec.json.encode(row).decode("utf-8", "replace"))
        else:
            reason = f"  ({', '.join(row.why)})" if row.why else ""
            say(f"{row.outcome.value:<8}{row.check}  {row.asset}{reason}")


@click.command()
@click.argument("check")
@click.option("--assessment", required=True, help="Folder, digest, or latest.")
@click.option("--requirement", help="Address of the requirement whose parameters to use, such as 1-1/mfa-enforced.")
@store_option
def sql(check: str, assessment: str, requirement: str | None, store_path: Path) -> None:
    """Print SQL that gives the outcomes of a check over the sealed Parquet files, for DuckDB.

    Outcome codes: 0 pass, 1 fail, 2 unknown, 3 na.
    """
    graded = graded_again(locate(assessment, store_path))
    uses = {address: use for address, use in graded.uses.items() if use.check.id == check}
    if not uses:
        raise UnknownName("check in this assessment", check, {use.check.id for use in graded.uses.values()})
    if requirement is None:
        if len({use.id for use in uses.values()}) > 1:
            raise UsageError(f"{check} is used with different parameters; add --requirement, one of {', '.join(uses)}")
        requirement = next(iter(uses))
    if requirement not in uses:
        raise UnknownName(f"requirement that uses {check}", requirement, uses)
    use = uses[requirement]
    population = graded.judged[use.over].population
    built = use.check.build(graded.inputs.as_of, use.parameters)
    query = use_sql(population, {use.id: built}, use.max_age, graded.inputs.estate.precedence, population.roster_sql())
    click.echo(f"-- {requirement}: {use.id} as of {iso(graded.inputs.as_of)}; 0 pass, 1 fail, 2 unknown, 3 na")
    click.echo("SET TimeZone = 'UTC';")
    for statement in graded.evidence.same_sql():
        click.echo(statement)
    click.echo(f'SELECT asset, "{use.id}" AS outcome FROM ({query}) ORDER BY asset;')


@click.command()
@click.argument("item")
@click.option("--assessment", default="latest", show_default=True, help="Folder, digest, or latest.")
@click.option("--system", help="Only this system.")
@click.option("--asset", help="Walk down to the bytes about this asset.")
@click.option("--lang", "language", type=click.Choice(["zh-TW", "en"]), default="en", show_default=True)
@store_option
def why(item: str, assessment: str, system: str | None, asset: str | None, language: str, store_path: Path) -> None:
    """Walk from a cell of the report to the bytes: item, scopes, requirements, assets, sealed files."""
    path = locate(assessment, store_path)
    graded = graded_again(path)
    items = graded.inputs.baseline.items
    if item not in items:
        raise UnknownName("item", item, items)
    systems = graded.inputs.estate.systems
    if system is not None and system not in systems:
        raise UnknownName("system", system, systems)
    wanted = items[item]
    say(f"{item} ({wanted.pillar.value}, level {wanted.level.value}) {wanted.title.in_language(language)}")
    say(f"  {wanted.says.in_language(language)}")
    for row in graded.assessment.grades:
        if row.pillar is not wanted.pillar or system not in {None, row.system}:
            continue
        (result,) = (found for found in row.items if found.id == item)
        say(f"{row.system} / {row.scene.value}: {result.state.value} - {result.reason}")
        for verdict in result.requirements:
            _say_requirement(verdict)
    for requirement in wanted.requires:
        for part in requirement.walk():
            if part.address in graded.uses:
                _say_assets(graded, path, part, system, asset, language)


def _say_requirement(requirement: Any, indent: str = "  ") -> None:
    counts = ""
    if requirement.use:
        counts = (
            f" {requirement.passed} passed, {requirement.failed} failed, {requirement.unknown} unknown"
            f" of {requirement.population}{'' if requirement.closed else ', open'}"
        )
    reason = f" ({', '.join(requirement.why)})" if requirement.why else ""
    entry = f" by {requirement.entry}" if requirement.entry else ""
    proved = f", last proved {requirement.last_proved}" if requirement.last_proved else ""
    say(
        f"{indent}{requirement.id} [{requirement.kind.value}]: {requirement.state.value}{counts}{reason}{entry}{proved}"
    )
    for branch in requirement.branches:
        _say_requirement(branch, indent + "  ")


def _say_assets(
    graded: Graded, path: Path, requirement: Requirement, system: str | None, asset: str | None, language: str
) -> None:
    use = graded.uses[requirement.address]
    say(f"{requirement.address}: {requirement.says.in_language(language)}")
    say(f"  judged by {use.id}")
    population = graded.judged[use.over].population
    rows = (
        seen(graded, use, asset=asset)
        if asset is not None
        else [row for outcome in (Outcome.FAIL, Outcome.UNKNOWN) for row in seen(graded, use, outcome=outcome, limit=5)]
    )
    for row in rows:
        places = graded.membership.of(population, [row.asset])[row.asset]
        if system is not None and not any(s.system == system and member is not False for s, member in places):
            continue
        reason = f" ({', '.join(row.why)})" if row.why else ""
        said = sentence(graded.inputs.baseline, requirement, row).in_language(language)
        say(f"  {row.outcome.value}{reason}: {row.asset}: {said}")
        for place in evidence_of(graded, use, [row.asset])[row.asset]:
            root, _, name = place.partition("/")
            file = path / "inputs" / "collections" / root / name
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            say(f"    {file}")
            say(f"      sha256 {digest}")
            if asset is not None:
                for found in graded.evidence.raw_rows(file, row.asset):
                    say(f"      {json.dumps(_plain(found), ensure_ascii=False)}")
