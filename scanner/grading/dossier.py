"""All that a report shows, gathered from a sealed assessment: words, examples with sentences, and where bytes lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import scanner
from scanner.grading.assess import Graded
from scanner.grading.grade import RULE_VERSION
from scanner.grading.lift_text import lift_text
from scanner.guideline.crosswalk import Crosswalk, load_crosswalks
from scanner.guideline.nouns import Baseline, Requirement
from scanner.judging.explain import Shown, first_shown, shown
from scanner.judging.judge import Use
from scanner.model import Outcome, Text
from scanner.result.assessment import Assessment
from scanner.result.crosswalk import CrosswalkRow, CrosswalkText
from scanner.result.dossier import Dossier, Example, ItemText, RequirementText
from scanner.result.selection import DecisionRow, ProposalRow, SelectionRow, SelectionText
from scanner.selection.choice_reader import Candidates
from scanner.selection.funnel import select

EXAMPLES_PER_OUTCOME = 12
"""Sentences are built on demand; a report shows so many assets per requirement and outcome."""


def dossier(graded: Graded, *, root: str, key: str, strict: Assessment | None = None) -> Dossier:
    """Gather what a report shows; ``root`` and ``key`` come from the verified seal."""
    baseline = graded.inputs.baseline
    return Dossier(
        assessment=graded.assessment,
        items=[
            ItemText(
                id=item.id,
                pillar=item.pillar,
                level=item.level,
                function=item.function,
                title=item.title,
                says=item.says,
                fix=item.fix,
                provenance=item.provenance,
                note=item.note,
                requirements=[
                    text for requirement in item.requires for text in _requirement_texts(requirement, item.id, graded)
                ],
            )
            for item in baseline.items.values()
        ],
        gates=[
            text
            for level, requirements in baseline.gates.items()
            for requirement in requirements
            for text in _requirement_texts(requirement, level.value, graded)
        ],
        examples=list(examples(graded)),
        systems={name: system.title for name, system in graded.inputs.estate.systems.items()},
        rule_version=RULE_VERSION,
        root=root,
        key=key,
        strict=strict,
        institution=graded.inputs.estate.institution_name,
        generated_by=f"ztgrade {scanner.__version__}",
        selection=_selection(graded.inputs.estate.candidates),
        lift=lift_text(graded.assessment.grades, baseline, graded.inputs.estate.costs),
        crosswalks=[_crosswalk(each) for each in load_crosswalks(baseline.items)],
    )


def _selection(candidates: Candidates | None) -> SelectionText | None:
    if candidates is None:
        return None
    chosen = select(candidates.records, candidates.choice)
    rules = chosen.choice.rules
    return SelectionText(
        systems=len(candidates.records),
        risk=str(chosen.choice.risk),
        impact=str(chosen.choice.impact),
        readings={
            "separated_accounts": rules.separated_accounts,
            "vendor_beyond_reach": rules.vendor_beyond_reach,
            "external_by_any_path": rules.external_by_any_path,
        },
        funnel=[
            SelectionRow(
                scene=step.scene,
                in_scene=step.in_scene,
                high_risk=step.high_risk,
                low_impact=step.low_impact,
                undecided=step.undecided,
            )
            for step in chosen.funnel
        ],
        proposals=[
            ProposalRow(
                system=each.pair.system,
                scene=each.pair.scene,
                risk=each.pair.high_risk.why,
                impact=each.pair.low_impact.why,
            )
            for each in chosen.proposals
        ],
        decisions=[
            DecisionRow(
                system=each.system,
                scene=each.scene,
                holds=each.holds,
                reason=each.reason,
                decided_by=each.decided_by,
                decided_on=each.decided_on.isoformat(),
            )
            for each in chosen.choice.overrides
        ],
        unseparated=list(chosen.unseparated),
    )


def _crosswalk(crosswalk: Crosswalk) -> CrosswalkText:
    return CrosswalkText(
        id=crosswalk.id,
        title=crosswalk.title,
        source=crosswalk.source,
        proposed=any(line.provenance == "proposed" for line in crosswalk.lines),
        rows=[
            CrosswalkRow(
                title=title,
                items=[line.item for line in crosswalk.lines if line.element == element],
                stages=list(
                    dict.fromkeys(stage for line in crosswalk.lines if line.element == element for stage in line.stages)
                ),
            )
            for element, title in crosswalk.elements.items()
        ],
    )


def _requirement_texts(requirement: Requirement, owner: str, graded: Graded) -> Iterator[RequirementText]:
    use = graded.uses.get(requirement.address)
    rule = ""
    if use is not None:
        built = use.check.build(graded.inputs.as_of, use.parameters)
        rule = f"applies: {built.applies}\nholds: {built.holds}"
    yield RequirementText(
        id=requirement.address,
        kind=requirement.kind,
        says=requirement.says,
        fix=requirement.fix,
        check=requirement.check or "",
        doc=use.check.doc if use is not None else "",
        rule=rule,
        asks=requirement.asks,
    )
    for branch in requirement.branches:
        yield from _requirement_texts(branch, owner, graded)


def examples(graded: Graded, per_outcome: int = EXAMPLES_PER_OUTCOME) -> Iterator[Example]:
    """The first assets of every requirement that failed, then those that stayed unknown, each with its sentence."""
    found: list[tuple[str, Requirement, Use, list[Shown]]] = []
    judged = {population: set[str]() for population in graded.judged}
    of_fact: dict[str, set[str]] = {}
    firsts = {
        use: rows
        for population in graded.judged.values()
        for use, rows in first_shown(
            population,
            graded.inputs.as_of,
            graded.inputs.estate.precedence,
            (Outcome.FAIL, Outcome.UNKNOWN),
            per_outcome,
        ).items()
    }
    for item in graded.inputs.baseline.items.values():
        for part in (each for requirement in item.requires for each in requirement.walk()):
            use = graded.uses.get(part.address)
            if use is None or use.id not in firsts:
                continue
            rows = firsts[use.id]
            found.append((item.id, part, use, rows))
            assets = {row.asset for row in rows}
            judged[use.over] |= assets
            for fact in _facts(graded, use):
                of_fact.setdefault(fact, set()).update(assets)
    systems = {population: _systems(graded, population, assets) for population, assets in judged.items()}
    mentions = {fact: _mentions(graded, fact, assets) for fact, assets in of_fact.items()}
    for owner, part, use, rows in found:
        facts = _facts(graded, use)
        for row in rows:
            yield Example(
                item=owner,
                requirement=part.address,
                use=use.id,
                asset=row.asset,
                outcome=row.outcome,
                sentence=sentence(graded.inputs.baseline, part, row),
                evidence=[place for fact in facts for place in mentions[fact].get(row.asset, ())],
                systems=systems[use.over][row.asset],
            )


def _systems(graded: Graded, population: str, assets: set[str]) -> dict[str, list[str]]:
    """The systems that an asset belongs to, or may; one list for all that belong to the same."""
    members = graded.membership.of(graded.judged[population].population, assets)
    lists: dict[int, list[str]] = {}
    for places in members.values():
        if id(places) not in lists:
            lists[id(places)] = sorted({scope.system for scope, member in places if member is not False})
    return {asset: lists[id(places)] for asset, places in members.items()}


def seen(
    graded: Graded,
    use: Use,
    *,
    outcome: Outcome | None = None,
    asset: str | None = None,
    limit: int | None = None,
) -> list[Shown]:
    """What a use saw, of the assets with an outcome or of one asset, in order of asset."""
    return shown(
        graded.judged[use.over], use, graded.inputs.as_of, graded.inputs.estate.precedence, outcome, asset, limit
    )


def sentence(baseline: Baseline, requirement: Requirement, row: Shown) -> Text:
    """Why one asset stands as it does; the bare values where the baseline has no sentence for it."""
    said = baseline.sentence(requirement, row.shows)
    if said is not None:
        return said
    values = {name: baseline.say(value) for name, value in row.fields.items() if not isinstance(value, list)}
    return Text(
        zh_tw="；".join(f"{name} = {value.zh_tw}" for name, value in values.items()),
        en="; ".join(f"{name} = {value.en}" for name, value in values.items()),
    )


def evidence_of(graded: Graded, use: Use, assets: Sequence[str]) -> dict[str, list[str]]:
    """For each asset ``collection root / file`` of every file in which a row about it was judged."""
    mentions = [_mentions(graded, fact, assets) for fact in _facts(graded, use)]
    return {asset: [place for told in mentions for place in told.get(asset, ())] for asset in assets}


def _facts(graded: Graded, use: Use) -> list[str]:
    """Names of the facts that a use judges by."""
    built = use.check.build(graded.inputs.as_of, use.parameters)
    return sorted({fact.__name__ for fact, _ in built.touched.fields} | {use.over})


def _mentions(graded: Graded, fact: str, assets: Iterable[str]) -> dict[str, list[str]]:
    """By asset the places of a fact's files with rows about it, in order of source and target."""
    found: dict[str, list[str]] = {}
    for source in graded.evidence.promising(fact):
        for target, path in graded.evidence.files(source, fact):
            for asset in graded.evidence.mentioned(path, assets):
                found.setdefault(asset, []).append(f"{target.root}/facts/{fact}.parquet")
    return found
