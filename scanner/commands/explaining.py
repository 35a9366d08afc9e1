"""``ztgrade report``, ``why``, ``findings`` and ``sql``: everything read from a sealed assessment."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from scanner.commands.filling import fill_form, say_names
from scanner.commands.printing import json_option, say, say_json
from scanner.commands.session import engine_on, installed, locate, store_option
from scanner.errors import UnknownName, UsageError
from scanner.grading.assess import Graded, assessment_digest, grade
from scanner.grading.dossier import dossier, evidence_of, seen, sentence
from scanner.guideline.nouns import Item, Requirement
from scanner.judging.evidence import quoted
from scanner.judging.explain import Shown
from scanner.judging.judge import Use, use_sql
from scanner.model import GapWhy, Outcome, iso
from scanner.result.assessment import Assessment
from scanner.result.dossier import Dossier
from scanner.result.finding import FindingRow, FindingScope
from scanner.sealed.archive import read_head, read_result, reopen
from scanner.sealed.disk import write_whole
from scanner.sealed.seal import verify

SHOWN_ASSETS = 5
"""How many assets of one outcome ``why`` shows of a requirement."""


def graded_again(path: Path) -> Graded:
    """A sealed assessment with its evidence laid out again; raises UsageError if it does not come out the same."""
    inputs, sealed = reopen(path, installed())
    with engine_on(path):
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
        head = read_head(sibling)
        same = head.as_of == assessment.as_of and sorted(c.digest for c in head.collections) == collections
        if same and head.baseline.id == f"{assessment.baseline.id}-strict":
            return read_result(sibling)
    return None


def told_of(graded: Graded) -> Dossier:
    """All that a report shows of a sealed assessment."""
    path = Path(graded.assessment.path)
    verification = verify(path)
    return dossier(
        graded,
        root=verification.root or "",
        key=verification.key_id or "",
        strict=strict_beside(path, graded.assessment),
    )


def write_report(graded: Graded, output: Path, form: str, languages: tuple[str, ...]) -> list[Path]:
    """Render a sealed assessment; ``output`` names the file, or for several languages the stem."""
    from reports import as_html, as_json

    told = told_of(graded)
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
@click.option("--output", type=click.Path(path_type=Path), help="File to write; for a form FORM-filled.xlsx if none.")
@click.option("--template", type=click.Path(path_type=Path), metavar="FORM.xlsx", help="Fill this workbook instead.")
@click.option("--allow-missing", is_flag=True, help="Fill a form although names in it cannot be filled; tell them.")
@click.option("--template-names", "names", is_flag=True, help="Print the names that a form may use, and their values.")
@click.option("--json", "as_json", is_flag=True, help="Print the names as JSON.")
def report(
    assessment: str,
    store_path: Path,
    form: str,
    language: str,
    output: Path | None,
    template: Path | None,
    allow_missing: bool,
    names: bool,
    as_json: bool,
) -> None:
    """Write the report of a sealed assessment: one self-contained file, or a form of others filled in."""
    if names and template is not None:
        raise UsageError("--template fills a form, --template-names prints the names; give one of them")
    if (as_json and not names) or (allow_missing and template is None):
        raise UsageError("--json goes with --template-names, --allow-missing with --template")
    if output is None and not names and template is None:
        raise UsageError("--output is missing: the file to write")
    graded = graded_again(locate(assessment, store_path))
    if names:
        say_names(told_of(graded), language, as_json=as_json)
        return
    if template is not None:
        places = [fill_form(told_of(graded), template, output, language, allow_missing=allow_missing)]
    else:
        assert output is not None
        places = write_report(graded, output, form, (language,))
    for place in places:
        click.echo(f"wrote {place}", err=True)


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
            told = told_gaps(graded, use)
            placed = graded.membership.of(judged.population)
            for row in seen(graded, use, outcome=outcome):
                yield FindingRow(
                    id=hashlib.sha256(f"{use.id}|{row.asset}".encode("utf-8", "replace")).hexdigest()[:16],
                    check=use.check.id,
                    use=use.id,
                    asset=row.asset,
                    outcome=row.outcome,
                    why=told.why(row),
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


@dataclass(frozen=True)
class Told:
    """What collecting said it could not see of the fields that a use judges by."""

    fields: frozenset[tuple[str, str]]
    """Fact and field."""
    gaps: Mapping[tuple[str, str | None, str | None], frozenset[str]]
    """Whys by fact, asset and field; None for every asset, or every field."""

    def why(self, row: Shown) -> list[str]:
        """Why an outcome is unknown; ``unseen`` only where collecting gave no reason for a field not seen."""
        if GapWhy.UNSEEN.value not in row.why:
            return list(row.why)
        missing = [(fact, name) for fact, name in self.fields if row.fields.get(f"{fact}.{name}") is None]
        reasons = [
            {
                why
                for asset in (row.asset, None)
                for field in (name, None)
                for why in self.gaps.get((fact, asset, field), ())
            }
            for fact, name in missing
        ]
        silent = not reasons or not all(reasons)
        others = {why for why in row.why if silent or why != GapWhy.UNSEEN.value}
        return sorted(others.union(*reasons))


def told_gaps(graded: Graded, use: Use) -> Told:
    """What collecting said it could not see of the fields that a use judges by."""
    touched = use.check.build(graded.inputs.as_of, use.parameters).touched.fields
    names = {fact.__name__ for fact, _ in touched}
    canonical = graded.evidence.same.canonical
    gaps: dict[tuple[str, str | None, str | None], frozenset[str]] = {}
    for target in graded.inputs.targets:
        for gap in target.gaps:
            if gap.fact in names & target.promises:
                key = (gap.fact, gap.asset and canonical.get(gap.asset, gap.asset), gap.field)
                gaps[key] = gaps.get(key, frozenset()) | {gap.why.value}
    return Told(frozenset((fact.__name__, name) for fact, name in touched), gaps)


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
            say_json(row, indent=None)
        else:
            reason = f"  ({', '.join(row.why)})" if row.why else ""
            say(f"{row.outcome.value:<8}{row.check}  {row.asset}{reason}")


_ENGINE_NAME = re.compile(r"unnamed_relation_[0-9a-f]{8,}")
"""Aliases that the engine makes up, other ones each time."""


@click.command()
@click.argument("check")
@click.option("--assessment", required=True, help="Folder, digest, or latest.")
@click.option("--requirement", help="Requirement whose parameters to use: mfa-enforced, or 1-1/mfa-enforced.")
@store_option
def sql(check: str, assessment: str, requirement: str | None, store_path: Path) -> None:
    """Print SQL that gives the outcomes of a check over the sealed Parquet files, for DuckDB.

    Outcome codes: 0 pass, 1 fail, 2 unknown, 3 na.
    """
    graded = graded_again(locate(assessment, store_path))
    uses = {address: use for address, use in graded.uses.items() if use.check.id == check}
    if not uses:
        raise UnknownName("check in this assessment", check, {use.check.id for use in graded.uses.values()})
    chosen = _addresses(requirement, uses)
    if not chosen:
        raise UnknownName(f"requirement that uses {check}", requirement or "", uses)
    if len({uses[address].id for address in chosen}) > 1:
        raise UsageError(f"{check} is used with different parameters; add --requirement, one of {', '.join(chosen)}")
    address, use = chosen[0], uses[chosen[0]]
    population = graded.judged[use.over].population
    built = use.check.build(graded.inputs.as_of, use.parameters)
    query = use_sql(population, {use.id: built}, use.max_age, graded.inputs.estate.precedence, population.roster_sql())
    click.echo(f"-- {address}: {use.id} as of {iso(graded.inputs.as_of)}; 0 pass, 1 fail, 2 unknown, 3 na")
    click.echo("SET TimeZone = 'UTC';")
    for statement in graded.evidence.same_sql():
        click.echo(statement)
    names: dict[str, str] = {}
    query = _ENGINE_NAME.sub(lambda match: names.setdefault(match.group(), f"relation_{len(names)}"), query)
    click.echo(f'SELECT asset, "{use.id}" AS outcome FROM ({query}) ORDER BY asset;')


def _addresses(requirement: str | None, uses: Collection[str]) -> list[str]:
    """Addresses that a full address or the end of one names; all of them where none is given."""
    if requirement is None or requirement in uses:
        return [requirement] if requirement is not None else list(uses)
    return [address for address in uses if address.endswith(f"/{requirement}")]


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
    if asset is not None:
        asset = graded.evidence.same.canonical.get(asset, asset)
        if not any(_holds(graded, use, asset) for use in _uses_of(graded, wanted)):
            raise UsageError(f"no population that {item} judges has an asset {asset!r}; ztgrade findings prints them")
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


def _uses_of(graded: Graded, item: Item) -> list[Use]:
    parts = [part for requirement in item.requires for part in requirement.walk()]
    return [graded.uses[part.address] for part in parts if part.address in graded.uses]


def _holds(graded: Graded, use: Use, asset: str) -> bool:
    roster = graded.judged[use.over].population.table
    found = graded.evidence.connection.execute(f"SELECT 1 FROM {roster} WHERE asset = {quoted(asset)}").fetchone()
    return found is not None


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
    told = told_gaps(graded, use)
    rows: list[Shown] = []
    more = False
    outcomes: tuple[Outcome | None, ...] = (None,) if asset is not None else (Outcome.FAIL, Outcome.UNKNOWN)
    for outcome in outcomes:
        limit = None if asset is not None or system is not None else SHOWN_ASSETS + 1
        matching = seen(graded, use, outcome=outcome, asset=asset, limit=limit)
        if system is not None:
            places = graded.membership.of(population, [row.asset for row in matching])
            matching = [
                row
                for row in matching
                if any(scope.system == system and member is not False for scope, member in places[row.asset])
            ]
        more |= asset is None and len(matching) > SHOWN_ASSETS
        rows += matching if asset is not None else matching[:SHOWN_ASSETS]
    for row in rows:
        whys = told.why(row)
        reason = f" ({', '.join(whys)})" if whys else ""
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
    if more:
        say(f"  more than {SHOWN_ASSETS} of a kind; ztgrade findings latest --check {use.id} prints all")
